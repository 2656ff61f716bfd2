"""Questions about a long history (GUTS_LONG: 60,000 commits, else 2,000) by REST are answered as git answers them: before the commit-graph is
there, with it, after a kill -9 before it was written, and after it was damaged."""
import glob
import hashlib
import os
import sys

from gutslib import LONG, SRCDIR, Tap, git, wait_for

sys.path.insert(0, os.path.join(SRCDIR, "tests", "bench"))
import historyrepo  # noqa: E402

COMMITS = historyrepo.COMMITS if LONG else 2000

tap = Tap()


def lines(source, *args):
    return git(*args, cwd=source, timeout=600).splitlines()


def graph(node):
    """Files of the graph of the node's only repository."""
    return glob.glob(node.home + "/repos/*/*/objects/info/commit-graphs/*")


def wait_graph(node):
    wait_for(lambda: glob.glob(node.home + "/repos/*/*/objects/info/guts-people"), "a commit-graph and what is kept beside it", timeout=600)


def as_git(node, repo, source):
    base = "/api/v1/repos/" + repo["id"]
    tip = lines(source, "rev-parse", "main")[0]
    first = node.request("GET", base + "/commits?per_page=100")
    assert [c["sha"] for c in first.json] == lines(source, "log", "-100", "--format=%H", "main")
    assert first.headers["x-total-count"] == str(COMMITS) and "x-incomplete-results" not in first.headers
    assert node.get(base + "/commit-count") == {"sha": tip, "commits": COMMITS, "incomplete_results": False}
    for path in "dir3/sub2/f7", "dir3", "top5", "top20":
        want = lines(source, "log", "-100", "--format=%H", "main", "--", path)
        answer = node.request("GET", base + "/commits?per_page=100&path=" + path)
        assert [c["sha"] for c in answer.json] == want, path
    people = lines(source, "shortlog", "-sn", "main")
    answer = node.get(base + "/contributors?per_page=100")
    assert sorted((p["contributions"], p["name"]) for p in answer) == sorted((int(x.split("\t")[0]), x.split("\t")[1]) for x in people)
    for folder in "", "dir7":
        for e in node.get(base + "/last-commits/" + folder):
            if e["name"] in ("top3", "top20", "dir0", "sub4"):
                assert [e["last_commit_sha"]] == lines(source, "log", "-1", "--format=%H", "main", "--", e["path"]), e


with tap.net() as net:
    node = net.node("A")
    source = net.path("source.git")
    historyrepo.make(source, COMMITS)
    repo = node.create("long")
    with tap.case("%d commits are pushed, and the node is killed before it made a commit-graph" % COMMITS):
        git("push", "-q", node.git_url(repo), "main", cwd=source, timeout=600)
        node.kill()
        for f in graph(node) + glob.glob(node.home + "/repos/*/*/objects/info/guts-*"):
            os.unlink(f)  # it may have been quick
    with tap.case("after the start questions are answered as git does, with or without it"):
        node.start()
        as_git(node, repo, source)
    with tap.case("a commit-graph is made, and the answers are the same from it"):
        wait_graph(node)
        assert any(f.endswith("commit-graph-chain") for f in graph(node))
        node.restart()  # no answer is kept
        as_git(node, repo, source)
    with tap.case("answers that a full id names are immutable, others are revalidated"):
        base = "/api/v1/repos/" + repo["id"]
        tip = lines(source, "rev-parse", "main")[0]
        for path in "/commits", "/commit-count", "/contributors", "/last-commits":
            key = "ref" if path == "/last-commits" else "sha"
            fixed, named = (node.request("GET", "%s%s?%s=%s" % (base, path, key, at)) for at in (tip, "main"))
            assert "immutable" in fixed.headers["cache-control"] and "no-cache" in named.headers["cache-control"], path
            again = node.request("GET", "%s%s?%s=%s" % (base, path, key, tip), headers={"If-None-Match": fixed.headers["etag"]})
            assert again.status == 304, path
            assert node.request("GET", "%s%s?%s=%s" % (base, path, key, tip)).json == fixed.json, path
    with tap.case("new commits are seen at once"):
        work = net.path("work")
        git("clone", "-q", source, work, timeout=600)
        with open(work + "/top20", "w") as f:
            f.write("new\n")
        git("commit", "-q", "-a", "-m", "new", cwd=work)
        git("push", "-q", node.git_url(repo), "main", cwd=work, timeout=600)
        new = git("rev-parse", "HEAD", cwd=work).strip()
        assert node.get(base + "/commit-count")["commits"] == COMMITS + 1
        assert node.get(base + "/commits?path=top20")[0]["sha"] == new
        assert {e["name"]: e["last_commit_sha"] for e in node.get(base + "/last-commits")}["top20"] == new
        assert [p["contributions"] for p in node.get(base + "/contributors?per_page=100")][-1] == 1
        git("push", "-q", "-f", node.git_url(repo), "main~1:main", cwd=work, timeout=600)
    with tap.case("contributors are read from their file after a start; a damaged one is not believed"):
        wait_for(lambda: node.get(base + "/commit-count")["commits"] == COMMITS, "the old tip")
        path, = glob.glob(node.home + "/repos/*/*/objects/info/guts-people")
        tip = git("rev-parse", "main", cwd=source).strip().encode()
        wait_for(lambda: tip in open(path, "rb").read(), "contributors of the tip", timeout=600)
        node.stop()
        with open(path, "rb") as f:
            whole = f.read()
        name = whole[:-20].split(b"\n")[2].split(b"\0")[0].split(b" ", 1)[1]
        text = whole[:-20].replace(name, b"Somebody Else", 1)
        for tail, found in (hashlib.sha1(text).digest(), True), (whole[-20:], False):
            with open(path, "wb") as f:
                f.write(text + tail)
            node.start()
            assert ("Somebody Else" in [p["name"] for p in node.get(base + "/contributors")]) == found
            node.stop()
        node.start()
        as_git(node, repo, source)
        os.unlink(path)
    with tap.case("a damaged commit-graph is not believed, and made again"):
        node.stop()
        for f in graph(node):
            os.chmod(f, 0o600)
            with open(f, "r+b") as g:
                g.seek(40)
                g.write(b"\xff" * 200)
        node.start()
        as_git(node, repo, source)
        wait_for(lambda: any(os.path.getsize(f) > 1000 and open(f, "rb").read(240)[40:] != b"\xff" * 200 for f in graph(node)
                             if f.endswith(".graph")), "a whole commit-graph", timeout=600)
        node.restart()
        as_git(node, repo, source)

tap.done()
