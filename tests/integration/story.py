"""story.py - the story that must always work, told to its end.

A's user pushes with stock git; B, which A never spoke to, fires its webhook; a CI system at B clones from B, builds, and posts a
status to B; A shows it, attributed to B's key, and A's webhook fires.  M stands between them.
"""
import os
import subprocess
import threading

from gutslib import Tap, commit, git, wait_for, work_tree
from hooklib import ALLOW, Receiver, hook

tap = Tap()


class Ci:
    """Runs ./build.sh of each pushed commit, out of a clone from the node that called."""

    def __init__(self, net, node, repo):
        self.net, self.node, self.repo = net, node, repo
        self.token = node.post("/api/v1/tokens", {"name": "ci", "scopes": ["read", "ci"], "repos": [repo["id"]]})["token"]
        self.receiver = Receiver(self.called)
        hook(node, repo, self.receiver.url(), branch_filter="main", config={"secret": "shared"})

    def called(self, delivery):
        delivery.check_signatures("shared")
        threading.Thread(target=self.build, args=(delivery.json,), daemon=True).start()
        return 202

    def build(self, push):
        sha, where = push["after"], self.net.path("ci-" + push["after"])
        git("clone", "-q", push["repository"]["clone_url"], where)
        git("checkout", "-q", sha, cwd=where)
        code = subprocess.run(["sh", "./build.sh"], cwd=where, capture_output=True).returncode
        self.node.post("/api/v1/repos/%s/statuses/%s" % (self.repo["id"], sha),
                       {"state": "failure" if code else "success", "context": "ci/b", "description": "exit %d" % code},
                       token=self.token)


with tap.net() as net:
    a, m, b = net.line(3, args=ALLOW)
    work = work_tree(net.path("work"), {"build.sh": "exit 0\n"})
    with tap.case("the owner makes a repository and names B as a signer of statuses"):
        repo = a.create("demo", description="the story")
        a.patch("/api/v1/repos/" + repo["id"], {"signers": [b.id]})
        wait_for(lambda: b.repo(repo["id"])["signers"] == [b.id], "the repository at B")
        assert a.id not in b.peers() and b.id not in a.peers()
    ci = Ci(net, b, repo)
    at_a = Receiver()
    hook(a, repo, at_a.url(), events=["status"])
    for text, state in (("exit 0\n", "success"), ("exit 3\n", "failure")):
        with tap.case("a push to A, built at B: %s, shown at A with B's key" % state):
            sha = commit(work, state, {"build.sh": text + "# %s\n" % state})
            git("push", a.git_url(repo), "main", cwd=work)
            d = wait_for(lambda: [x for x in at_a.good if x.json["sha"] == sha], "the status at A")[0]
            assert d.event == "status" and d.json["state"] == state and d.json["sender"]["login"] == b.id, d.json
            assert d.json["context"] == "ci/b" and d.json["commit"]["sha"] == sha
            combined = a.get("/api/v1/repos/%s/commits/%s/status" % (repo["id"], sha))
            assert combined["state"] == state and combined["statuses"][0]["signer"] == b.id, combined
            assert combined["statuses"][0]["counts"] is True
            assert os.path.exists(os.path.join(net.path("ci-" + sha), "build.sh"))
    with tap.case("each push called the CI system once"):
        assert len(ci.receiver.seen) == 2, [x.json["after"] for x in ci.receiver.seen]
    ci.receiver.close()
    at_a.close()
tap.done()
