"""rights.py - nobody without the right moves a ref or changes anything: tokens × (git, REST), and repositories of others.

The writes are taken from the contract (api/openapi.json), so a new one is tested from its first day.
"""
import hashlib
import json
import os
import re

from crashlib import check_disk
from gutslib import SRCDIR, Tap, commit, git, wait_for, work_tree

with open(os.path.join(SRCDIR, "api", "openapi.json")) as f:
    PATHS = json.load(f)["paths"]
WRITES = [(m.upper(), path, op["x-scope"]) for path, item in PATHS.items() for m, op in item.items()
          if m in ("post", "put", "patch", "delete") and op.get("x-scope") not in ("none", "read")]  # read: a question with a body


class One:
    """As much of a Story as check_disk wants."""

    def __init__(self, repo):
        self.id = repo["id"]
        self.path = repo["full_name"]

    def folder(self, node):
        for top, dirs, _ in os.walk(os.path.join(node.home, "repos")):
            if self.id + ".git" in dirs:
                return os.path.join(top, self.id + ".git")
        raise AssertionError("no folder")


def world(node):
    """All that a write could change, as far as an admin sees it."""
    answer = {}
    for path in ("/api/v1/repos", "/api/v1/tokens", "/api/v1/bans", "/api/v1/gossip/topics", "/api/v1/peers", "/api/v1/hooks"):
        answer[path] = node.get(path)
    for token in answer["/api/v1/tokens"]:
        token.pop("last_used_at", None)
    for peer in answer["/api/v1/peers"]:
        peer.pop("id")
    answer["/api/v1/peers"] = len(answer["/api/v1/peers"])
    for r in answer["/api/v1/repos"]:
        for path in ("git/refs", "authors"):
            answer[r["id"] + path] = node.get("/api/v1/repos/%s/%s" % (r["full_name"], path))
        r.pop("seeders", None)
    return hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest(), answer


tap = Tap()
with tap.net() as net:
    a = net.node("A")
    work = work_tree(net.path("work"))
    mine = a.create("mine")
    other = a.create("other")
    for r in (mine, other):
        git("push", a.git_url(r), "main", "main:keep", cwd=work)
    first = git("rev-parse", "main", cwd=work).strip()
    second = commit(work, "second")
    secret = a.create("secret", private=True)
    git("push", a.git_url(secret), "main", cwd=work)

    hook = a.post("/api/v1/repos/%s/hooks" % mine["id"], {"config": {"url": "http://ci.example/"}, "active": False})

    def token(**kw):
        return a.post("/api/v1/tokens", dict(kw, name="t"))

    revoked = token(scopes=["write", "admin"])
    a.delete("/api/v1/tokens/" + revoked["id"])
    tokens = {
        "no": None,
        "a wrong": "guts_" + "0" * 64,
        "a revoked": revoked["token"],
        "a read": token(scopes=["read"])["token"],
        "another repository's": token(scopes=["read", "write", "ci"], repos=[other["id"]])["token"],
    }
    before, all_before = world(a)

    for name, text in tokens.items():
        with tap.case("git push with %s token: refused, no ref moves" % name):
            for r in (mine, secret):
                url = a.git_url(r, token=text)
                for args in ([url, "main"], [url, "+%s:refs/heads/main" % second], [url, ":refs/heads/keep"],
                             [url, "main:refs/heads/new"], ["--atomic", url, "main", "main:refs/tags/t"]):
                    done = git("push", *args, cwd=work, check=False)
                    assert done.returncode != 0, (args, done.stderr)
            after, all_after = world(a)
            assert after == before, (all_before, all_after)

        with tap.case("every write of the contract with %s token: refused, nothing changes" % name):
            n, unknown = 0, name in ("a wrong", "a revoked")  # those are slowed down
            for method, path, scope in WRITES:
                bound = "{owner}" in path
                if name == "another repository's" and not bound and scope != "admin":
                    continue  # it may do what belongs to no repository
                filled = path.replace("{owner}/{name}", mine["full_name"]).replace("{sha}", second)
                filled = filled.replace("{peer}", a.id).replace("{topic}", "t").replace("{alias}", "x")
                filled = filled.replace("{hook}", str(hook["id"])).replace("{delivery}", "1")
                filled = filled.replace("{queue}", "1").replace("{lease}", "0" * 32).replace("{job}", "0" * 32).replace("{file}", "log")
                filled = re.sub(r"\{token\}", revoked["id"], filled)
                assert "{" not in filled, filled
                for body in (({"name": "x", "scopes": ["admin"], "description": "x", "policy": "block", "state": "success",
                                  "context": "x", "data": "x", "address": "/ip4/127.0.0.1/tcp/1", "config": {"url": "http://x/"}}, {})[:1 if unknown else 2]):
                    answer = a.request(method, filled, None if method == "DELETE" else body, token=text)
                    refused = [401, 403] + [404, 422] * bound + [429] * unknown
                    assert answer.status in refused, (method, filled, answer.status, answer.data)
                    n += 1
            assert a.running()
            after, all_after = world(a)
            assert after == before, (all_before, all_after)
            print("# %d writes refused" % n)

        with tap.case("a private repository with %s token looks as if it were not there" % name):
            if text is None or name.startswith("another"):
                for path in ("/api/v1/repos/" + secret["full_name"], "/%s.git/info/refs?service=git-upload-pack" % secret["id"]):
                    gone = path.replace(secret["id"], "bafkreigj56djiaomxwf6nikebqsf2ezpu5c5ficeicfzr57p4mdlzkkdi4")
                    gone = gone.replace("/secret", "/nothing")
                    x, y = a.request("GET", path, token=text), a.request("GET", gone, token=text)
                    assert x.status == y.status and x.status in (401, 403, 404), (path, x.status, y.status, x.data, y.data)

    with tap.case("a query made to look like another asker's question in a weak hash gets nobody else's kept answer"):
        made = "/api/v1/repos?z=t8Kwa5%C2%C3%C2%DF%40%BA%C2%C1X%CDC%CB89%C0G"  # FNV-1a: the admin's "/api/v1/repos"
        assert secret["full_name"] in [r["full_name"] for r in a.get("/api/v1/repos")]
        assert secret["full_name"] not in [r["full_name"] for r in a.get(made, token=None)]

    # -- a repository whose delegate is another node

    b = net.node("B", bootstrap=[a])
    b.wait_peer(a)
    wait_for(lambda: b.refs(mine["full_name"]).get("refs/heads/main") == first, "the repository at B")
    with tap.case("a push at a node that is no delegate is refused and names the fork's address"):
        done = git("push", b.git_url(mine), "main", cwd=work, check=False)
        address = "/%s/%s.git" % (mine["id"], b.id)
        assert done.returncode != 0 and address in done.stderr, done.stderr
        done = git("push", b.git_url(mine)[:-4] + "/%s.git" % a.id, "main", cwd=work, check=False)
        assert done.returncode != 0 and "only the node with that key" in done.stderr, done.stderr
        assert b.refs(mine["full_name"])["refs/heads/main"] == first
    with tap.case("a push to the fork goes through, moves no canonical ref, and the owner's node serves it"):
        git("push", b.git_url(mine)[:-4] + "/%s.git" % b.id, "main:refs/heads/idea", cwd=work)
        fork = a.git_url(mine)[:-4] + "/%s.git" % b.id
        wait_for(lambda: second in git("ls-remote", fork, "refs/heads/idea", check=False).stdout, "the fork at A")
        git("clone", "-q", "-b", "idea", fork, net.path("fork"))
        assert git("rev-parse", "HEAD", cwd=net.path("fork")).strip() == second
        for node in (a, b):
            refs = node.refs(mine["full_name"])
            assert refs == {"refs/heads/main": first, "refs/heads/keep": first}, refs
            check_disk(One(mine), node)
    with tap.case("REST writes at that node on a repository of another: refused"):
        for method, path, body in (("PATCH", "", {"description": "x"}), ("PATCH", "", {"name": "x"}),
                                   ("PATCH", "", {"archived": True})):
            answer = b.request(method, "/api/v1/repos/" + mine["full_name"] + path, body)
            assert answer.status in (403, 409, 422), (body, answer.status, answer.data)
        assert a.repo(mine["id"])["description"] == "" and a.repo(mine["id"])["name"] == "mine"
tap.done()
