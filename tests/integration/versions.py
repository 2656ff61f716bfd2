"""versions.py - an identity of more versions than one frame takes, at a newcomer and at one that was away."""
from gutslib import Tap, git, wait_for, work_tree

VERSIONS = 70  # a frame of /guts/sync takes 64

tap = Tap()
with tap.net() as net:
    a = net.node("A")
    b = net.node("B", bootstrap=[a])
    b.wait_peer(a)
    work = work_tree(net.path("work"))
    repo = a.create("old")
    git("push", a.git_url(repo), "main", cwd=work)
    wait_for(lambda: b.refs(repo["id"]), "the repository at B")
    b.stop()
    for n in range(VERSIONS):
        a.patch("/api/v1/repos/" + repo["id"], {"description": "version %d" % n})
    for name in ("one that was away", "a newcomer"):
        with tap.case("%d versions of an identity come to %s" % (VERSIONS, name)):
            node = b.start() if name == "one that was away" else net.node("C", bootstrap=[a])
            wait_for(lambda: node.repo(repo["id"])["identity_version"] == VERSIONS, "version %d" % VERSIONS)
            assert node.repo(repo["id"])["description"] == "version %d" % (VERSIONS - 1)
            assert node.refs(repo["id"]) == a.refs(repo["id"])
tap.done()
