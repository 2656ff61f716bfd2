"""gates.py - gated branches: what is pushed waits in candidates/ until the required contexts have succeeded, then the branch moves by itself."""
import hashlib
import struct

from cilib import SCRIPT, Story, running
from gutslib import GUTS, Tap, commit, git, ls_remote, wait_for, work_tree
from hooklib import ALLOW, Receiver, hook

tap = Tap()


def at(node, repo, branch="main"):
    """The commit of a branch, or None."""
    return node.refs(repo["id"]).get("refs/heads/" + branch)


def push(node, repo, work, what="HEAD:main", *options, check=True):
    done = git("push", *options, node.git_url(repo), what, cwd=work, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def say(node, repo, sha, state, context="build"):
    node.post("/api/v1/repos/%s/statuses/%s" % (repo["id"], sha), {"state": state, "context": context})


def set_up(net):
    """A gated repository at A, B one of its status signers."""
    a, m, b = net.line(3, args=ALLOW)
    work = work_tree(net.path("work"))
    repo = a.create("gated")
    push(a, repo, work)
    a.cli("repo", "update", repo["id"], "--signer", b.id, "--require", "build", "--require", "test", "--gate", "main", "--gate", "release/*")
    wait_for(lambda: b.repo(repo["id"])["gated_branches"] == ["main", "release/*"], "the gates at B")
    return a, m, b, work, repo


def life(net, a, b, work, repo):
    first = at(a, repo)
    calls = Receiver()
    hook(a, repo, calls.url(), events=["push"])
    with tap.case("git is told where its commit waits, and for what"):
        c1 = commit(work, "one", {"a": "1\n"})
        git("remote", "add", "origin", a.git_url(repo), cwd=work)
        git("fetch", "-q", "origin", cwd=work)
        done = push(a, repo, work)
        assert "main is gated: waits in candidates/main for build, test" in done.stderr, done.stderr
        assert "HEAD -> candidates/main" in done.stderr, done.stderr
        assert git("rev-parse", "origin/main", cwd=work).strip() == first
        assert at(a, repo) == first and at(a, repo, "candidates/main") == c1
    with tap.case("the other node shows the candidate and its marks, and webhooks fire for it as for any branch"):
        wait_for(lambda: at(b, repo, "candidates/main") == c1, "the candidate at B")
        assert at(b, repo) == first
        found = {x["name"]: x for x in b.get("/api/v1/repos/%s/branches" % repo["id"])}
        assert found["main"]["protected"] is True and found["candidates/main"]["protected"] is False
        assert found["candidates/main"]["checks"] == "pending"
        said = a.cli("repo", "show", repo["id"])
        assert "build" in said and "gated" in said and "release/*" in said, said
        assert [x.split()[-2:] for x in said.splitlines() if x.startswith("main ")] == [["gated", "pending"]], said
        d = wait_for(lambda: list(calls.good), "the webhook")[0]
        assert d.json["ref"] == "refs/heads/candidates/main" and d.json["after"] == c1
    with tap.case("one of two successes does not move the branch, nor do those of somebody who does not count"):
        say(b, repo, c1, "success", "build")
        stranger = net.node("S", bootstrap=[a])
        stranger.put("/api/v1/repos/%s/policy" % repo["id"], {"policy": "seed"})
        wait_for(lambda: at(stranger, repo, "candidates/main") == c1, "the candidate at the stranger")
        say(stranger, repo, c1, "success", "test")
        wait_for(lambda: [s for s in a.get("/api/v1/repos/%s/commits/%s/statuses" % (repo["id"], c1)) if not s["counts"]], "it at A")
        assert at(a, repo) == first
        stranger.stop()
    with tap.case("with the last success the branch moves by itself, everywhere, and the candidate is gone"):
        say(b, repo, c1, "success", "test")
        for node in (a, b):
            wait_for(lambda: at(node, repo) == c1 and at(node, repo, "candidates/main") is None, "the move at " + node.name)
        moved = [f["data"] for f in b.facts(0, "type=repo.ref.updated") if f["data"]["ref"] == "refs/heads/main"]
        assert moved[-1]["new"] == c1 and moved[-1]["kind"] == "update", moved
        d = wait_for(lambda: [x for x in calls.good if x.json["ref"] == "refs/heads/main"], "the webhook of main")[0]
        assert d.json["before"] == first and d.json["after"] == c1
        assert ls_remote(b.git_url(repo))["refs/heads/main"] == c1
    calls.close()
    return c1


def rules(a, b, work, repo, main):
    with tap.case("a commit that has its successes already passes at once"):
        git("checkout", "-q", "-b", "topic", cwd=work)
        c2 = commit(work, "two", {"a": "2\n"})
        push(a, repo, work, "HEAD:topic")
        for context in ("build", "test"):
            say(a, repo, c2, "success", context)
        done = push(a, repo, work)
        assert "gated" not in done.stderr and at(a, repo) == c2 and at(a, repo, "candidates/main") is None, done.stderr
    with tap.case("what is on top of a candidate that waits replaces it; what is not is refused"):
        c3 = commit(work, "three", {"a": "3\n"})
        push(a, repo, work)
        c4 = commit(work, "four", {"a": "4\n"})
        push(a, repo, work)
        assert at(a, repo, "candidates/main") == c4
        git("checkout", "-q", "-b", "other", c2, cwd=work)
        commit(work, "other", {"b": "1\n"})
        done = push(a, repo, work, check=False)
        assert done.returncode and "%s waits in candidates/main: build on it, or delete that branch" % c4[:10] in done.stderr, done.stderr
        assert at(a, repo, "candidates/main") == c4 and at(a, repo) == c2
    with tap.case("a candidate that failed is replaced by any other"):
        say(b, repo, c4, "failure", "build")
        wait_for(lambda: a.get("/api/v1/repos/%s/branches/candidates%%2Fmain" % repo["id"])["checks"] == "failure", "the failure at A")
        push(a, repo, work)
        other = git("rev-parse", "HEAD", cwd=work).strip()
        assert at(a, repo, "candidates/main") == other
    with tap.case("history is not taken away without checks; with them it is"):
        git("checkout", "-q", "-b", "back", main, cwd=work)
        commit(work, "forced", {"c": "1\n"})
        done = push(a, repo, work, "HEAD:main", "-f", check=False)
        assert done.returncode and "main is gated, and this is not on top of it" in done.stderr, done.stderr
        push(a, repo, work, "%s:main" % main, "-f")  # it passed before
        assert at(a, repo) == main
        assert at(a, repo, "candidates/main") == other
    with tap.case("a candidate that the branch has left behind neither moves it nor stands in the way"):
        git("checkout", "-q", "-b", "side", main, cwd=work)
        side = commit(work, "side", {"d": "1\n"})
        push(a, repo, work, "HEAD:refs/heads/side")
        for context in ("build", "test"):
            say(a, repo, side, "success", context)
        push(a, repo, work)
        assert at(a, repo) == side
        for context in ("build", "test"):
            say(b, repo, other, "success", context)
        wait_for(lambda: a.get("/api/v1/repos/%s/branches/candidates%%2Fmain" % repo["id"])["checks"] == "success", "the checks at A")
        assert at(a, repo) == side and at(a, repo, "candidates/main") == other
        on_top = commit(work, "on top", {"d": "2\n"})
        push(a, repo, work)
        assert at(a, repo, "candidates/main") == on_top
    with tap.case("the first commit of a gated branch waits too; other branches and deletions do not"):
        push(a, repo, work, "HEAD:release/1")
        assert at(a, repo, "release/1") is None and at(a, repo, "candidates/release/1") == on_top
        push(a, repo, work, "HEAD:free")
        assert at(a, repo, "free") == on_top
        push(a, repo, work, ":candidates/release/1")
        assert at(a, repo, "candidates/release/1") is None
    with tap.case("an atomic push holds one branch and moves the others in one record"):
        more = commit(work, "more", {"d": "3\n"})
        git("push", "--atomic", a.git_url(repo), "HEAD:main", "HEAD:free", cwd=work)
        assert at(a, repo, "candidates/main") == more and at(a, repo, "free") == more and at(a, repo) == side
        again = commit(work, "again", {"d": "4\n"})
        done = git("push", a.git_url(repo), "HEAD:main", "HEAD:candidates/main", cwd=work, check=False)
        assert done.returncode and "pushed beside it" in done.stderr, done.stderr
        assert at(a, repo, "candidates/main") == again and at(a, repo) == side
    return again


def restarts(a, m, b, work, repo, waiting):
    with tap.case("successes that came while the owner was away move the branch when it is back"):
        wait_for(lambda: at(b, repo, "candidates/main") == waiting, "the candidate at B")
        a.keep_port()
        a.kill()
        for context in ("build", "test"):
            say(b, repo, waiting, "success", context)
        a.start()
        a.post("/api/v1/peers", {"address": m.addr})
        for node in (a, b):
            wait_for(lambda: at(node, repo) == waiting and at(node, repo, "candidates/main") is None, "the move at " + node.name)
    with tap.case("a success that was acknowledged moves the branch, whenever the node dies"):
        for i in range(3):
            sha = commit(work, "killed", {"k": "%d\n" % i})
            push(a, repo, work)
            say(a, repo, sha, "success", "build")
            say(a, repo, sha, "success", "test")
            a.kill()
            a.start()
            wait_for(lambda: at(a, repo) == sha and at(a, repo, "candidates/main") is None, "the move")
        assert git("ls-remote", a.git_url(repo), "refs/heads/main", cwd=work).split()[0] == sha


def edges(net, a, work, repo):
    with tap.case("a gate that comes after the successes, and a signer that is trusted after them, move the branch too"):
        before = at(a, repo)
        waits = commit(work, "waits", {"e": "1\n"})
        push(a, repo, work)
        a.cli("repo", "update", repo["id"], "--no-gates")
        for context in ("build", "test"):
            say(a, repo, waits, "success", context)
        assert at(a, repo) == before and at(a, repo, "candidates/main") == waits
        a.cli("repo", "update", repo["id"], "--gate", "main")
        wait_for(lambda: at(a, repo) == waits, "the move when the gate came back")
        s = net.node("T", bootstrap=[a])
        s.put("/api/v1/repos/%s/policy" % repo["id"], {"policy": "seed"})
        trusted = commit(work, "trusted", {"e": "2\n"})
        push(a, repo, work)
        wait_for(lambda: at(s, repo, "candidates/main") == trusted, "the candidate at the stranger")
        for context in ("build", "test"):
            say(s, repo, trusted, "success", context)
        wait_for(lambda: len(a.get("/api/v1/repos/%s/commits/%s/statuses" % (repo["id"], trusted))) == 2, "its statuses at A")
        assert at(a, repo) == waits
        a.cli("repo", "trust", repo["id"], s.id)
        wait_for(lambda: at(a, repo) == trusted, "the move after trust")
    with tap.case("a push to the node's own namespace is no way round"):
        around = commit(work, "around", {"e": "3\n"})
        git("push", a.git_url(repo["id"] + "/" + a.id), "HEAD:main", cwd=work)
        assert at(a, repo) == trusted and at(a, repo, "candidates/main") == around
    with tap.case("a name that leaves no room for a candidate's is refused with words"):
        a.cli("repo", "update", repo["id"], "--gate", "main", "--gate", "long/*")
        done = push(a, repo, work, "HEAD:refs/heads/long/" + "/".join(["x" * 200] * 5), check=False)
        assert done.returncode and "too long for a candidate" in done.stderr, done.stderr
    with tap.case("a client that cannot be told of another ref is told that its own did not move"):
        line = b"%s %s refs/heads/main\0 report-status" % (trusted.encode(), around.encode())
        pack = b"PACK" + struct.pack(">II", 2, 0)
        body = b"%04x%s0000%s%s" % (len(line) + 4, line, pack, hashlib.sha1(pack).digest())
        r = a.request("POST", "/%s.git/git-receive-pack" % repo["id"], body,
                      headers={"Content-Type": "application/x-git-receive-pack-request"})
        assert b"ng refs/heads/main main is gated: waits in candidates/main" in r.data, r.data
    with tap.case("a gate needs a context, and has a form"):
        for body, text in (({"gated_branches": ["a..b"]}, "neither a branch name"), ({"gated_branches": ["*x"]}, "neither"),
                           ({"gated_branches": ["main", "main"]}, "gated twice"),
                           ({"required_contexts": [], "gated_branches": ["main"]}, "waits for required contexts"),
                           ({"gated_branches": ["x" * 101]}, "more than 100 bytes"), ({"gated_branches": list("abcde")}, "")):
            r = a.request("PATCH", "/api/v1/repos/" + repo["id"], body)
            assert r.status in (400, 422) and text in r.json["message"], (body, r.status, r.data)


def builds(net):
    with tap.case("a runner at another node builds the candidate: what is green becomes main, what is red does not"):
        story = Story(net, "R")
        story.a.cli("repo", "update", "demo", "--require", "ci", "--gate", "main")
        wait_for(lambda: story.b.repo(story.repo["id"])["gated_branches"], "the gate at B")
        story.b.cli("ci", "add", story.repo["id"])
        with running(GUTS, "ci", "run", "--dir", net.path(""), "--", "sh", SCRIPT, env=story.environment):
            green = story.push("green", 0)
            wait_for(lambda: at(story.b, story.repo) == green, "what was green as main at B")
            red = story.push("red", 3)
            story.expect(red, "ci", "failure")
        assert at(story.a, story.repo) == green and at(story.a, story.repo, "candidates/main") == red


with tap.net() as net:
    a, m, b, work, repo = set_up(net)
    main = life(net, a, b, work, repo)
    waiting = rules(a, b, work, repo, main)
    restarts(a, m, b, work, repo, waiting)
    edges(net, a, work, repo)
    builds(net)
tap.done()
