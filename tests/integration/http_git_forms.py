"""Stock git against the gateway, the forms that tools use: shallow and partial clones and what follows them, protocol versions, pushes beside each other, 10,000 refs,
a client that is killed, git-lfs."""
import glob
import json
import os
import random
import signal
import subprocess
import threading
import time

from gutslib import GIT_ENV, LONG, SEED, Tap, children, commit, git, ls_remote, wait_for, work_tree

REFS = 10000 if LONG else 500
FAMILY_MAX = 200 << 10  # [KiB] that a node and its children may take for them above what it had

tap = Tap()


def try_git(*args, cwd=None):
    return subprocess.run(["git"] + list(args), cwd=cwd, capture_output=True, text=True, env=dict(os.environ, **GIT_ENV))


def count(path, rev="HEAD"):
    return int(git("rev-list", "--count", rev, cwd=path))


def missing(path):
    """Objects that a partial clone has not."""
    return [x for x in git("rev-list", "--objects", "--missing=print", "HEAD", cwd=path).splitlines() if x.startswith("?")]


def rest_of(path):
    return subprocess.run(["git", "fsck", "--strict"], cwd=path, capture_output=True, env=dict(os.environ, **GIT_ENV)).returncode


def shallow(net, url):
    for version in "0", "1", "2":
        v = "protocol.version=" + version
        path = net.path("shallow" + version)
        with tap.case("protocol v%s: clone of depth 3, deepen, fetch, unshallow" % version):
            git("-c", v, "clone", "-q", "--no-tags", "--depth=3", url, path)
            assert count(path) == 3 and os.path.exists(path + "/.git/shallow")
            git("-c", v, "fetch", "-q", "--deepen=2", cwd=path)
            assert count(path) == 5
            git("-c", v, "fetch", "-q", "--depth=4", cwd=path)
            assert count(path, "origin/main") == 4
            git("-c", v, "fetch", "-q", "--unshallow", cwd=path)
            assert count(path, "origin/main") == 12 and not os.path.exists(path + "/.git/shallow")
            assert rest_of(path) == 0
    with tap.case("clone since a time, and without what a tag reaches"):
        git("clone", "-q", "--shallow-since=2020-01-07", url, net.path("since"))
        assert count(net.path("since")) == 5
        git("clone", "-q", "--shallow-exclude=v1", url, net.path("exclude"))
        assert count(net.path("exclude")) == 4
    with tap.case("a push from a shallow clone"):
        path = net.path("shallow-push")
        git("clone", "-q", "--depth=1", url, path)
        tip = commit(path, "from a shallow clone", {"shallow": "x\n"})
        git("push", "-q", url, "HEAD:refs/heads/shallow", cwd=path)
        assert ls_remote(url)["refs/heads/shallow"] == tip


def partial(net, url):
    for version in "0", "2":
        v = "protocol.version=" + version
        path = net.path("partial" + version)
        with tap.case("protocol v%s: a clone without blobs fetches them when they are looked at" % version):
            git("-c", v, "clone", "-q", "--no-checkout", "--filter=blob:none", url, path)
            before = len(missing(path))
            assert before >= 12, before
            git("-c", v, "checkout", "-q", "HEAD", cwd=path)
            assert 0 < len(missing(path)) < before
            assert "change 3" in git("-c", v, "show", "HEAD~8:log", cwd=path)
    with tap.case("a clone without trees, and one without large blobs"):
        git("clone", "-q", "--no-checkout", "--filter=tree:0", url, net.path("treeless"))
        git("checkout", "-q", "HEAD", cwd=net.path("treeless"))
        git("clone", "-q", "--filter=blob:limit=1k", url, net.path("limit"))
        assert os.path.getsize(net.path("limit") + "/large") == 5000


def pkts(*lines):
    return b"".join(b"%04x%s\n" % (len(line) + 5, line.encode()) for line in lines)


def versions(node, repo, url, work):
    with tap.case("the protocol that is asked for is spoken"):
        for version, words in ("0", "agent=git"), ("1", "version 1"), ("2", "version 2"):
            done = subprocess.run(["git", "-c", "protocol.version=" + version, "ls-remote", url], capture_output=True, text=True,
                                  env=dict(os.environ, GIT_TRACE_PACKET="1", **GIT_ENV))
            assert words in done.stderr and done.stdout.count("\t") >= 3, done.stderr
            assert ("version 2" in done.stderr) == (version == "2"), done.stderr
    with tap.case("what git says of itself in v2 is the same from the second time on, for every repository"):
        other = node.create("other")
        answers = [node.request("GET", "/%s.git/info/refs?service=git-upload-pack" % rid, headers={"Git-Protocol": "version=2"})
                   for rid in (repo["id"], repo["id"], other["id"])]
        assert answers[0].data.startswith(b"000eversion 2\n") and answers[0].data.endswith(b"0000"), answers[0].data
        for a in answers:
            assert a.data == answers[0].data and a.headers["content-type"] == "application/x-git-upload-pack-advertisement"
        unknown = node.request("GET", "/%s/unknown.git/info/refs?service=git-upload-pack" % node.id, headers={"Git-Protocol": "version=2"})
        assert unknown.status == 404
        node.delete("/api/v1/repos/" + other["id"])
    with tap.case("a prefix is enough for v2's ls-refs"):
        done = subprocess.run(["git", "ls-remote", url, "refs/heads/main"], capture_output=True, text=True,
                              env=dict(os.environ, GIT_TRACE_PACKET="1", **GIT_ENV))
        assert done.stdout.split("\t")[1].strip() == "refs/heads/main"
    with tap.case("ls-refs of v2 is answered as git upload-pack does"):
        disk = glob.glob(node.home + "/repos/*/%s.git" % repo["id"])[0]
        for author in None, node.id:
            for more in ((), ("peel", "symrefs", "unborn", "ref-prefix HEAD", "ref-prefix refs/heads/", "ref-prefix refs/tags/"), ("symrefs",),
                         ("peel", "ref-prefix refs/tags/v"), ("ref-prefix refs/", "ref-prefix HEAD"), ("what",)):
                body = pkts("command=ls-refs", "agent=git/2.39.5", "object-format=sha1") + b"0001" + pkts(*more) + b"0000"
                path = "/%s/%s.git" % (repo["id"], author) if author else "/%s.git" % repo["id"]
                ours = node.request("POST", path + "/git-upload-pack", body, headers={
                    "Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"})
                env = dict(os.environ, GIT_PROTOCOL="version=2", **GIT_ENV, **({"GIT_NAMESPACE": author} if author else {}))
                theirs = subprocess.run(["git", "upload-pack", "--stateless-rpc", disk], input=body, env=env, capture_output=True)
                assert (ours.status == 200) == (theirs.returncode == 0), (author, more, ours.data, theirs)
                lines = list(dict.fromkeys(theirs.stdout.splitlines(True)))  # git names the HEAD of a namespace twice
                assert theirs.returncode or ours.data == b"".join(lines), (author, more, ours.data, theirs)
                assert not more or more[0] == "what" or b"refs/" in ours.data
    with tap.case("pushes by all three versions"):
        for version in "0", "1", "2":
            tip = commit(work, "by v" + version, {"v" + version: "x\n"})
            git("-c", "protocol.version=" + version, "push", "-q", url, "main", cwd=work)
            assert ls_remote(url)["refs/heads/main"] == tip
    with tap.case("a lease that holds moves the branch"):
        tip = commit(work, "leased", {"lease": "x\n"})
        git("push", "-q", "--force-with-lease=main:" + git("rev-parse", "main~1", cwd=work).strip(), url, "main", cwd=work)
        assert ls_remote(url)["refs/heads/main"] == tip
    with tap.case("an atomic push moves all"):
        git("push", "-q", "--atomic", url, "main:refs/heads/one", "main:refs/heads/two", cwd=work)
        refs = ls_remote(url)
        assert refs["refs/heads/one"] == refs["refs/heads/two"] == tip


def beside(net, url, work):
    """Pushes at the same time."""
    def push_all(specs):
        out = [None] * len(specs)

        def one(i):
            out[i] = try_git("push", url, specs[i], cwd=clones[i])

        threads = [threading.Thread(target=one, args=(i,)) for i in range(len(specs))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return out

    clones = [net.path("beside%d" % i) for i in range(4)]
    for i, path in enumerate(clones):
        git("clone", "-q", url, path)
        commit(path, "mine %d" % i, {"mine": "%d\n" % i})
    with tap.case("four pushes to branches of their own all succeed"):
        done = push_all(["HEAD:refs/heads/beside/%d" % i for i in range(4)])
        assert [d.returncode for d in done] == [0] * 4, [d.stderr for d in done]
        refs = ls_remote(url)
        for i, path in enumerate(clones):
            assert refs["refs/heads/beside/%d" % i] == git("rev-parse", "HEAD", cwd=path).strip()
    with tap.case("of four pushes to one branch one succeeds, the others are refused in words"):
        before = ls_remote(url)["refs/heads/main"]
        done = push_all(["HEAD:refs/heads/main"] * 4)
        good = [i for i in range(4) if done[i].returncode == 0]
        assert len(good) == 1, [d.stderr for d in done]
        tip = git("rev-parse", "HEAD", cwd=clones[good[0]]).strip()
        assert ls_remote(url)["refs/heads/main"] == tip != before
        for d in done:
            assert d.returncode == 0 or "rejected" in d.stderr, d.stderr
    with tap.case("what was refused is pushed after a rebase"):
        loser = clones[(good[0] + 1) % 4]
        git("fetch", "-q", "origin", cwd=loser)
        git("rebase", "-q", "-X", "theirs", "origin/main", cwd=loser)
        git("push", "-q", url, "HEAD:main", cwd=loser)
        assert ls_remote(url)["refs/heads/main"] == git("rev-parse", "HEAD", cwd=loser).strip()


def many_refs(net, node, work):
    repo = node.create("refs")
    url = node.git_url(repo)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    git("update-ref", "--stdin", cwd=work, input="".join("create refs/many/%05d %s\n" % (i, tip) for i in range(REFS)))
    with tap.case("%d refs in one push" % REFS):
        idle = node.rss_kib()
        start = time.monotonic()
        git("push", "-q", url, "refs/many/*:refs/heads/many/*", cwd=work, timeout=600)
        print("# push of %d refs: %.2f s, node grew by %d KiB" % (REFS, time.monotonic() - start, node.rss_kib() - idle))
        assert node.rss_kib() - idle < FAMILY_MAX
    with tap.case("ls-remote, a clone and a fetch of nothing new"):
        start = time.monotonic()
        assert len(ls_remote(url)) == REFS
        print("# ls-remote of %d refs: %.3f s" % (REFS, time.monotonic() - start))
        git("clone", "-q", "--mirror", url, net.path("many.git"))
        assert len(git("for-each-ref", cwd=net.path("many.git")).splitlines()) == REFS
        git("fetch", "-q", cwd=net.path("many.git"))
    with tap.case("all but one are deleted in one push"):
        git("push", "-q", url, *[":refs/heads/many/%05d" % i for i in range(1, REFS)], cwd=work, timeout=600)
        assert list(ls_remote(url)) == ["refs/heads/many/00000"]
    node.delete("/api/v1/repos/" + repo["id"])


def killed(net, node):
    repo = node.create("large")
    large = work_tree(net.path("large"), {"large.bin": random.Random(SEED).randbytes(16 << 20)})
    git("push", "-q", node.git_url(repo), "main", cwd=large)
    wait_for(lambda: not children(node.pid), "the end of the push's children")
    with tap.case("a clone that is killed frees its child"):
        client = subprocess.Popen(["git", "clone", "-q", node.git_url(repo), net.path("killed")], start_new_session=True,
                                  env=dict(os.environ, **GIT_ENV), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.isdir(net.path("killed") + "/.git/objects/pack") and
                     any(f.startswith("tmp_pack") and os.path.getsize(net.path("killed") + "/.git/objects/pack/" + f)
                         for f in os.listdir(net.path("killed") + "/.git/objects/pack")), "the first bytes", every=0.001)
            os.killpg(client.pid, signal.SIGSTOP)
            assert children(node.pid), "the clone was over before it could be stopped"
        finally:
            os.killpg(client.pid, signal.SIGKILL)
            client.wait()
        wait_for(lambda: not children(node.pid), "end of the child")
    with tap.case("and the next one is served"):
        git("clone", "-q", node.git_url(repo), net.path("whole"))
        assert os.path.getsize(net.path("whole") + "/large.bin") == 16 << 20
    node.delete("/api/v1/repos/" + repo["id"])


def lfs(node, repo):
    path = "/%s.git/info/lfs" % repo["id"]
    kind = "application/vnd.git-lfs+json"
    with tap.case("git-lfs is told in its own words that it is not served"):
        batch = {"operation": "download", "transfers": ["basic"], "objects": [{"oid": "%064x" % i, "size": i} for i in range(100)]}
        for method, tail, body in (("POST", "/objects/batch", json.dumps(batch).encode()), ("GET", "/locks", None),
                                   ("POST", "/locks/verify", b"{}")):
            a = node.request(method, path + tail, body, headers={"Accept": kind, "Content-Type": kind})
            assert a.status == 501 and a.headers["content-type"].startswith(kind), (a.status, a.headers)
            assert "LFS" in a.json["message"], a.data


with tap.net() as net:
    node = net.node()
    work = work_tree(net.path("work"), {"large": "x" * 5000})
    for i in range(1, 12):
        os.environ["GIT_COMMITTER_DATE"] = os.environ["GIT_AUTHOR_DATE"] = "2020-01-%02dT12:00:00Z" % i
        commit(work, "change %d" % i, {"log": "change %d\n" % i})
    del os.environ["GIT_COMMITTER_DATE"], os.environ["GIT_AUTHOR_DATE"]
    git("tag", "v1", "HEAD~4", cwd=work)
    repo = node.create("demo")
    url = node.git_url(repo)
    git("push", "-q", url, "main", "v1", cwd=work)
    shallow(net, url)
    partial(net, url)
    versions(node, repo, url, work)
    beside(net, url, work)
    many_refs(net, node, work)
    killed(net, node)
    lfs(node, repo)

tap.done()
