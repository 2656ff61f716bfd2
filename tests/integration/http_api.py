"""Every operation of the REST contract on two linked nodes, each answer held against api/openapi.json."""
import base64
import gzip
import json
import os
import urllib.parse

import gutslib
import repolib
from contract import Contract
from gutslib import Answer, Tap, git, wait_for
from hooklib import ALLOW, Receiver

contract = Contract()
plain_request = gutslib.request


def checked(base, method, path, *args, **kw):
    answer = plain_request(base, method, path, *args, **kw)
    packed = answer.headers.get("content-encoding") == "gzip"
    plain = Answer(answer.status, answer.headers, gzip.decompress(answer.data) if packed else answer.data)
    contract.check(method, path, plain)
    return answer


gutslib.request = checked


def node_itself(tap, a):
    with tap.case("index, status, configuration, health"):
        index = a.get("/api/v1")
        assert index["repos"].endswith("/api/v1/repos")
        status = a.get("/api/v1/status", token=None)
        assert status["id"] == a.id and status["ready"] and status["http"] == [a.url], status
        names = {o["name"]: o for o in a.get("/api/v1/config")}
        assert names["p2p.max_connections"]["value"] == 50 and names["http.listen"]["source"] == "command line"
        first = a.request("GET", "/api/v1/config")
        done = a.request("PATCH", "/api/v1/config", {"gossip.expect": 2}, headers={"If-Match": first.headers["etag"]})
        assert done.json["options"][0]["value"] == 2 and done.json["restart_required"] == [], done.data
        assert a.request("PATCH", "/api/v1/config", {"gossip.expect": 3}, headers={"If-Match": first.headers["etag"]}).status == 412
        assert a.request("PATCH", "/api/v1/config", {"gossip.expect": -1}).json["errors"][0]["pointer"] == "/gossip.expect"
        assert a.patch("/api/v1/config", {"gossip.expect": None})["options"][0]["source"] == "default"
        for path in "/livez", "/readyz":
            assert a.request("GET", path, token=None).data == b"ok\n"
    with tap.case("the contract is served as YAML and JSON, and compressed"):
        doc = a.get("/api/v1/openapi.json")
        assert doc == contract.doc
        yaml = a.request("GET", "/api/v1/openapi.yaml").data
        with open(os.path.join(gutslib.SRCDIR, "api/openapi.yaml"), "rb") as f:
            assert yaml == f.read()
        packed = a.request("GET", "/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip" and len(packed.data) < len(json.dumps(doc)) / 3
    with tap.case("headers that every answer has"):
        for path in "/api/v1/status", "/api/v1/nothing", "/", "/metrics":
            h = plain_request(a.url, "GET", path).headers
            assert h["x-content-type-options"] == "nosniff" and "content-security-policy" in h
            assert "access-control-allow-origin" not in h
    with tap.case("a request id is echoed, or made"):
        assert a.request("GET", "/api/v1/status", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
        ids = {a.request("GET", "/api/v1/nothing", headers={"X-Request-Id": "x y"}).headers["x-request-id"] for _ in range(3)}
        assert len(ids) == 3 and "x y" not in ids
    with tap.case("ETag and 304; HEAD; OPTIONS; 405 with Allow"):
        first = a.request("GET", "/api/v1/bans")
        tag = a.request("GET", "/api/v1/repos").headers["etag"]
        assert first.status == 200
        assert a.request("GET", "/api/v1/repos", headers={"If-None-Match": tag}).status == 304
        assert a.request("GET", "/api/v1/repos", headers={"If-None-Match": '"other"'}).status == 200
        head = plain_request(a.url, "HEAD", "/api/v1/repos")
        assert head.status == 200 and head.data == b"" and int(head.headers["content-length"]) > 0
        options = plain_request(a.url, "OPTIONS", "/api/v1/repos")
        assert options.status == 204 and {"GET", "HEAD", "POST", "OPTIONS"} == set(options.headers["allow"].split(", "))
        wrong = plain_request(a.url, "DELETE", "/api/v1/status", token=a.token)
        assert wrong.status == 405 and "GET" in wrong.headers["allow"] and "method" in wrong.json["message"], wrong.data


def peers(tap, a, b):
    with tap.case("connect, list, one, sort, filter"):
        assert a.post("/api/v1/peers", {"address": b.addr}) == {"id": b.id}
        a.wait_peer(b)
        peer = wait_for(lambda: (p := a.get("/api/v1/peers/" + b.id))["speaks_guts"] and p, "the hello")
        assert peer["direction"] == "outbound", peer
        wait_for(lambda: b.get("/api/v1/peers/" + a.id), "the other end")
        for q in ("sort=-rtt", "sort=id", "q=" + b.id[-8:], "direction=outbound", "per_page=1&page=1"):
            assert [p["id"] for p in a.get("/api/v1/peers?" + q)] == [b.id], q
        assert a.get("/api/v1/peers?direction=inbound") == [] and a.get("/api/v1/peers?q=zzzz") == []
        for q in ("sort=x", "page=0", "page=x", "per_page=-1"):
            assert a.request("GET", "/api/v1/peers?" + q).status == 400, q
    with tap.case("what cannot be dialled"):
        assert a.request("POST", "/api/v1/peers", {"address": "nonsense"}).status == 422
        assert a.request("POST", "/api/v1/peers", {}).json["errors"][0]["pointer"] == "/address"
        assert a.request("POST", "/api/v1/peers", {"address": b.addr, "x": 1}).status == 422
        assert a.request("POST", "/api/v1/peers", {"address": "/ip4/127.0.0.1/tcp/1"}).status >= 400
        a.get("/api/v1/dials")
        assert all(o["count"] == 0 for o in a.get("/api/v1/offences") if o["ends"] == "ban")
        assert a.request("GET", "/api/v1/peers/xyz").status == 400
        gone = a.request("DELETE", "/api/v1/peers/12D3KooWLt4kqhaib9sDQuZk3jKkUtZNxpnugFJ4UZNF6kH5vvHm")
        assert gone.status == 404 and "connected" in gone.json["message"], gone.data
        assert a.request("GET", "/api/v1/peers/12D3KooWLt4kqhaib9sDQuZk3jKkUtZNxpnugFJ4UZNF6kH5vvHm").status == 404
    with tap.case("the address book: sources, tables, filters, cursor"):
        of_b = wait_for(lambda: [e for e in a.get("/api/v1/addresses") if e["peer"] == b.id and e["source"] == "configured"], "B's entry")[0]
        assert of_b["table"] == "tried" and of_b["connected"] and of_b["worked_at"] and of_b["failures"] == 0, of_b
        assert of_b["addresses"][0]["address"] in b.addr and of_b["addresses"][0]["netgroup"] == "loopback", of_b
        told = wait_for(lambda: b.get("/api/v1/addresses?q=" + a.id), "A's entry")[0]
        assert told["table"] == "new" and told["source"] == "signed" and told["teller"] == a.id, told
        for q in ("source=configured", "table=tried", "q=loopback", "q=" + of_b["addresses"][0]["address"].replace("/", "%2F")):
            assert b.id in [e["peer"] for e in a.get("/api/v1/addresses?" + q)], q
        for q in ("source=dht", "q=zzzz", "after=%d" % of_b["cursor"]):
            assert b.id not in [e["peer"] for e in a.get("/api/v1/addresses?" + q)], q
        assert len(a.get("/api/v1/addresses?limit=1")) == 1
        for q in ("limit=0", "limit=1001", "after=x", "q=" + "x" * 201):
            assert a.request("GET", "/api/v1/addresses?" + q).status == 400, q
    with tap.case("disconnect, ban, lift"):
        a.delete("/api/v1/peers/" + b.id)
        wait_for(lambda: b.id not in a.peers(), "the end of the link")
        assert a.request("DELETE", "/api/v1/peers/12D3KooWLt4kqhaib9sDQuZk3jKkUtZNxpnugFJ4UZNF6kH5vvHm").status == 404
        a.put("/api/v1/peers/%s/ban" % b.id, {"reason": "<b>test</b>", "seconds": 1000})
        bans = wait_for(lambda: a.get("/api/v1/bans"), "the ban")
        assert bans[0]["peer"] == b.id and bans[0]["reason"] == "<b>test</b>" and bans[0]["until"], bans
        assert a.request("POST", "/api/v1/peers", {"address": b.addr}).status >= 400
        a.delete("/api/v1/peers/%s/ban" % b.id)
        assert a.get("/api/v1/bans") == []
        a.post("/api/v1/peers", {"address": b.addr})
        a.wait_peer(b)


def make_work(net):
    work = net.path("work")
    git("init", "-q", work)
    os.makedirs(work + "/src/deep")
    for name, data in (("README.md", b"# Demo\n"), ("src/main.c", b"int main(void)\n{\n\treturn 0;\n}\n"),
                       ("src/deep/ä b.txt", "grüße\n".encode()), ("page.html", b"<script>alert(1)</script>"),
                       ("raw.bin", bytes(range(256))), ("big.txt", b"x" * (2 << 20))):
        with open(os.path.join(work, name), "wb") as f:
            f.write(data)
    os.symlink("src/main.c", work + "/link")
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "first\n\nbody <b>&amp;", cwd=work)
    for i in range(5):
        with open(work + "/src/main.c", "a") as f:
            f.write("/* %d */\n" % i)
        git("commit", "-q", "-a", "-m", "change %d" % i, cwd=work)
    git("branch", "feature/x", "HEAD~2", cwd=work)
    git("tag", "light", cwd=work)
    git("tag", "-a", "-m", "one", "v1.0", cwd=work)
    return work


def repos(tap, a, b, net):
    work = make_work(net)
    with tap.case("create, with what is wrong named by pointers"):
        answer = a.request("POST", "/api/v1/repos", {"name": "demo", "description": "a <b> & \"ü\""})
        assert answer.status == 201
        repo = answer.json
        assert answer.headers["location"].endswith("/api/v1/repos/%s/demo" % a.id)
        assert repo["description"] == "a <b> & \"ü\"" and repo["permissions"]["push"]
        for body, pointer in (({}, "/name"), ({"name": 5}, "/name"), ({"name": ""}, "/name"), ({"name": "x" * 101}, "/name"),
                              ({"name": "a", "private": "yes"}, "/private"), ({"name": "a", "object_format": "md5"}, "/object_format"),
                              ({"name": "a", "description": "\u0007"}, "/description")):
            e = a.request("POST", "/api/v1/repos", body)
            assert e.status == 422 and e.json["errors"][0]["pointer"] == pointer, (body, e.data)
        for name in ("../x", "a/b", ".git", "a.git", "-x", "ä"):
            assert a.request("POST", "/api/v1/repos", {"name": name}).status == 422, name
        assert a.request("POST", "/api/v1/repos", {"name": "demo"}).status == 409
    rid = repo["id"]
    git("push", "-q", a.git_url(repo), "--all", cwd=work)
    git("push", "-q", a.git_url(repo), "--tags", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    tip_x = git("rev-parse", "feature/x", cwd=work).strip()
    base = "/api/v1/repos/%s/demo" % a.id
    with tap.case("list, search, sort, by id and by path"):
        assert [r["id"] for r in a.get("/api/v1/repos", token=None)] == [rid]
        for q in ("q=DEM", "q=" + rid[-10:], "owner=" + a.id, "sort=-updated", "sort=size"):
            assert [r["id"] for r in a.get("/api/v1/repos?" + q)] == [rid], q
        assert a.get("/api/v1/repos?q=nothing") == []
        assert a.request("GET", "/api/v1/repos?sort=x").status == 400 and a.request("GET", "/api/v1/repos?owner=x").status == 400
        # between two answers its "syncing" may end
        wait_for(lambda: a.get(base) == a.get("/api/v1/repos/" + rid), "the same answer by path and by id")
        one = a.get(base)
        assert one["head"] == tip and one["branches"] == 2 and one["tags"] == 2, one
        assert a.request("GET", "/api/v1/repos/%s/other" % a.id).status == 404
        assert a.request("GET", "/api/v1/repos/" + rid[:-1] + ("b" if rid[-1] != "b" else "c")).status == 404
    with tap.case("branches, tags, refs"):
        names = [x["name"] for x in a.get(base + "/branches")]
        assert names == ["feature/x", "main"], names
        assert a.get(base + "/branches/feature/x")["commit"]["sha"] == tip_x
        assert a.get(base + "/branches/feature%2Fx")["commit"]["commit"]["message"] == "change 2\n"
        assert a.request("GET", base + "/branches/none").status == 404
        assert [t["name"] for t in a.get(base + "/tags")] == ["light", "v1.0"]
        answer = a.request("GET", base + "/git/refs?per_page=2&page=2")
        assert [r["ref"] for r in answer.json] == ["refs/tags/light", "refs/tags/v1.0"]
        assert answer.headers["x-total-count"] == "4" and 'rel="prev"' in answer.headers["link"]
        assert a.refs(rid)["refs/heads/main"] == tip
        assert a.request("GET", base + "/git/refs", headers={
            "If-None-Match": a.request("GET", base + "/git/refs").headers["etag"]}).status == 304
    with tap.case("number of commits, contributors, last commits"):
        assert a.get(base + "/commit-count") == {"sha": tip, "commits": 6, "incomplete_results": False}
        assert a.get(base + "/commit-count?sha=feature/x")["sha"] == tip_x
        people = a.request("GET", base + "/contributors")
        assert people.json == [{"type": "Anonymous", "name": "Alice", "email": "alice@example.org", "contributions": 6}], people.json
        assert people.headers["x-total-count"] == "1" and a.get(base + "/contributors?page=2") == []
        last = a.get(base + "/last-commits")
        assert sorted(e["name"] for e in last) == sorted(e["name"] for e in a.get(base + "/contents"))
        for e in last:
            for of in a.get(base + "/contents"), [a.get(base + "/contents/" + e["path"])] if e["type"] == "file" else []:
                assert not of or {k: v for k, v in e.items() if k in ("last_commit_sha", "last_author_date", "last_committer_date")}.items() <= \
                    {x["name"]: x for x in of}[e["name"]].items(), (e, of)
        for e in last:
            assert e["last_commit_sha"] == a.get(base + "/commits?path=" + urllib.parse.quote(e["path"]))[0]["sha"]
        assert a.request("GET", base + "/last-commits/README.md").status == 404
        for path in "/commit-count?sha=none", "/contributors?sha=none", "/last-commits?ref=none", "/last-commits/none":
            assert a.request("GET", base + path).status == 404
    with tap.case("commits: pages, by branch, by path, one with its patch"):
        answer = a.request("GET", base + "/commits?per_page=4")
        assert len(answer.json) == 4 and answer.json[0]["sha"] == tip and 'rel="next"' in answer.headers["link"]
        assert len(a.get(base + "/commits?per_page=4&page=2")) == 2
        assert a.get(base + "/commits?sha=feature/x")[0]["sha"] == tip_x
        assert len(a.get(base + "/commits?path=README.md")) == 1
        assert len(a.get(base + "/commits?path=none")) == 0
        assert answer.headers["x-total-count"] == "6" and "etag" in answer.headers
        by = a.get(base + "/commits?author=ALICE%20%3Calice@&sha=" + tip)
        assert [c["sha"] for c in by] == [c["sha"] for c in a.get(base + "/commits?sha=" + tip)]
        assert a.get(base + "/commits?author=nobody") == []
        when = by[0]["commit"]["committer"]["date"]
        assert by[0] in a.get(base + "/commits?since=" + when) and a.get(base + "/commits?until=1999-12-31") == []
        for bad in "since=yesterday", "until=2026-13-01", "author=" + "x" * 256:
            assert a.request("GET", base + "/commits?" + bad).status == 400
        assert "immutable" in a.request("GET", base + "/commits?sha=" + tip).headers["cache-control"]
        assert a.request("GET", base + "/commits?sha=none").status == 404
        one = a.get(base + "/commits/" + tip)
        assert one["files"][0]["filename"] == "src/main.c" and "+/* 4 */" in one["files"][0]["patch"] and one["stats"]["total"] == 1
        etag = a.request("GET", base + "/commits/" + tip).headers
        assert "immutable" in etag["cache-control"]
        assert a.request("GET", base + "/commits/" + tip, headers={"If-None-Match": etag["etag"]}).status == 304
        assert a.get(base + "/commits/v1.0")["sha"] == tip
        assert a.request("GET", base + "/commits/" + "0" * 39 + "1").status == 404
    with tap.case("contents: folder, file, link, large, with slashes and with %2F"):
        top = {e["name"]: e for e in a.get(base + "/contents")}
        assert top["src"]["type"] == "dir" and top["link"]["type"] == "symlink" and top["raw.bin"]["size"] == 256
        for path in ("src/main.c", "src%2Fmain.c"):
            f = a.get(base + "/contents/%s?ref=feature/x" % path)
            assert base64.b64decode(f["content"]).count(b"/*") == 3 and f["path"] == "src/main.c", f
        f = a.get(base + "/contents/src/deep/" + urllib.parse.quote("ä b.txt"))
        assert base64.b64decode(f["content"]).decode() == "grüße\n" and f["name"] == "ä b.txt"
        assert [e["name"] for e in a.get(base + "/contents/src/deep")] == ["ä b.txt"]
        assert a.get(base + "/contents/big.txt")["encoding"] == "none"
        assert a.get(base + "/contents/link")["target"] == "src/main.c"
        for path in ("none", "src/none", "README.md/x"):
            assert a.request("GET", base + "/contents/" + path).status == 404, path
        assert a.request("GET", base + "/contents/README.md?ref=none").status == 404
        assert base64.b64decode(a.get(base + "/readme")["content"]) == b"# Demo\n"
    with tap.case("raw files are inert"):
        page = a.request("GET", base + "/raw/page.html")
        assert page.data == b"<script>alert(1)</script>" and page.headers["content-type"] == "text/plain; charset=utf-8"
        assert "sandbox" in page.headers["content-security-policy"] and page.headers["x-content-type-options"] == "nosniff"
        data = a.request("GET", base + "/raw/raw.bin")
        assert data.data == bytes(range(256)) and data.headers["content-type"] == "application/octet-stream"
        assert len(a.request("GET", base + "/raw/big.txt?ref=" + tip).data) == 2 << 20
        assert a.request("GET", base + "/raw/src").status == 404
    repolib.all_of_it(tap, a, rid, base, work, net)
    with tap.case("update: description, branch, archived, signers"):
        assert a.patch(base, {"description": "new", "default_branch": "feature/x"})["default_branch"] == "feature/x"
        assert a.get(base)["head"] == tip_x
        assert a.patch(base, {"default_branch": "main", "signers": [b.id]})["signers"] == [b.id]
        assert a.request("PATCH", base, {"signers": ["x"]}).status == 422
        assert a.request("PATCH", base, {"default_branch": "no such\u0001"}).status == 422
    with tap.case("authors, their refs, seeders, sync now: the other node has it"):
        authors = a.get(base + "/authors")
        assert [x["id"] for x in authors] == [a.id] and authors[0]["delegate"] and authors[0]["refs"] == 4
        assert len(a.get(base + "/authors/%s/refs" % a.id)) == 4
        assert a.request("GET", base + "/authors/%s/refs" % b.id).status == 404
        wait_for(lambda: b.refs(rid) == a.refs(rid), "the refs on the other node")
        wait_for(lambda: [s for s in b.get("/api/v1/repos/%s/seeders" % rid) if s["id"] == a.id], "the seeder")
        a.get(base + "/seeders")
        repolib.behind(tap, a, b, rid, base, work)
        repolib.records(tap, a, base)
        assert b.request("POST", "/api/v1/repos/%s/sync" % rid).status == 202
        assert b.request("PATCH", "/api/v1/repos/" + rid, {"description": "x"}).status == 403
    with tap.case("policy, also of a repository that is not here"):
        a.put(base + "/policy", {"policy": "seed"})
        assert a.get(base)["policy"] == "seed"
        a.put("/api/v1/repos/bafkrei%s/policy" % ("a" * 52), {"policy": "block"})
        assert a.request("PUT", base + "/policy", {"policy": "x"}).status == 422
        assert a.request("PUT", "/api/v1/repos/%s/none/policy" % a.id, {"policy": "seed"}).status == 404
    with tap.case("import of a folder, as a job"):
        answer = a.request("POST", "/api/v1/repos/import", {"path": work, "name": "imported"})
        assert answer.status == 202, answer.data
        job = wait_for(lambda: (j := a.get("/api/v1/jobs/%d" % answer.json["id"]))["state"] != "running" and j, "end of the job")
        assert job["state"] == "done", job
        assert wait_for(lambda: a.get("/api/v1/repos/%s/imported" % a.id), "the import")["head"] == tip
        assert a.request("POST", "/api/v1/repos/import", {"path": "relative"}).status == 422
    repolib.import_url(tap, a, b, rid, work, net)
    with tap.case("jobs that are not there"):
        assert a.request("GET", "/api/v1/jobs/999").status == 404 and a.request("GET", "/api/v1/jobs/x").status == 404
    with tap.case("delete removes it, and it does not come back"):
        gone = a.create("gone")
        a.delete("/api/v1/repos/" + gone["id"])
        assert a.request("GET", "/api/v1/repos/" + gone["id"]).status == 404
        assert a.request("DELETE", "/api/v1/repos/" + gone["id"]).status == 404
    return rid, base, tip


def statuses(tap, a, b, rid, base, tip):
    with tap.case("a status by GitHub's path, and what it adds up to"):
        for state, context, total in (("pending", "ci/a", "pending"), ("success", "ci/a", "success"), ("failure", "ci/b", "failure"),
                                      ("warning", "ci/b", "success")):
            answer = a.request("POST", base + "/statuses/" + tip, {"state": state, "context": context, "description": "d " * 300,
                                                                   "target_url": "http://ci.example/1"})
            assert answer.status == 201 and answer.json["context"] == context, answer.data
            s = a.get(base + "/commits/%s/status" % tip)
            assert s["state"] == total, (state, s)
        assert s["total_count"] == 2 and s["sha"] == tip and s["statuses"][0]["status"] == s["statuses"][0]["state"]
        assert a.get(base + "/commits/main/status")["state"] == "success"
        assert a.get(base + "/commits/%s/statuses" % tip) == a.get(base + "/statuses/" + tip)
        assert a.request("POST", base + "/commits/%s/statuses" % tip, {"state": "error"}).json["context"] == "default"
    with tap.case("a commit that is not here yet, and what is refused"):
        assert a.request("POST", base + "/statuses/" + "1" * 40, {"state": "success"}).status == 201
        for sha, body in (("main", {"state": "success"}), ("1" * 39, {"state": "success"}), (tip, {"state": "x"}), (tip, {}),
                          (tip, {"state": "success", "target_url": "javascript:alert(1)"})):
            assert a.request("POST", base + "/statuses/" + sha, body).status in (400, 422), (sha, body)
    with tap.case("a named signer's status counts on the owner's node"):
        b.post("/api/v1/repos/%s/statuses/%s" % (rid, tip), {"state": "failure", "context": "ci/remote"})
        got = wait_for(lambda: [s for s in a.get(base + "/statuses/" + tip) if s["context"] == "ci/remote"], "the status")
        assert got[0]["signer"] == b.id and got[0]["counts"], got
    with tap.case("trust and distrust"):
        a.put(base + "/trust/" + b.id)
        a.delete(base + "/trust/" + b.id)
        assert a.request("PUT", base + "/trust/x").status == 400


def gossip(tap, a, b):
    with tap.case("the DHT: its state, providers of a repository, a lookup"):
        unknown = "bafkreigj56djiaomxwf6nikebqsf2ezpu5c5ficeicfzr57p4mdlzkkdi4"
        assert a.get("/api/v1/dht")["role"] in ("client", "server")
        assert a.get("/api/v1/dht/providers/" + unknown) == []
        assert a.request("GET", "/api/v1/dht/providers/nonsense").status == 400
        found = a.post("/api/v1/dht/lookup", {"target": "guts://" + unknown})
        assert found["kind"] == "find_providers" and not found["found"], found
        for bad in ({}, {"target": "x"}, {"target": unknown, "more": 1}):
            assert a.request("POST", "/api/v1/dht/lookup", bad).status == 422, bad

    topic = "/api/v1/gossip/topics/" + urllib.parse.quote("chat/ü", safe="")
    with tap.case("subscribe, publish, messages on both nodes, unsubscribe"):
        for n in a, b:
            n.put(topic)
            wait_for(lambda: [t for t in n.get("/api/v1/gossip/topics") if t["name"] == "chat/ü" and t["subscribed"]], "topic")
        wait_for(lambda: [t for t in a.get("/api/v1/gossip/topics") if t["name"] == "chat/ü" and t["peers"]], "the peer's subscription")
        mid = a.post(topic + "/messages", {"data": "hallo <ü>"})["id"]
        got = wait_for(lambda: b.get(topic + "/messages"), "the message")
        assert got[0]["data"] == "hallo <ü>" and got[0]["author"] == a.id and got[0]["id"] == mid and got[0]["signed"], got
        a.post(topic + "/messages", {"data": base64.b64encode(b"\xff\x00").decode(), "encoding": "base64"})
        more = wait_for(lambda: b.get("/api/v1/gossip/messages?after=%d&limit=1" % got[0]["cursor"]), "the second message")
        assert more[0]["encoding"] == "base64" and base64.b64decode(more[0]["data"]) == b"\xff\x00"
    with tap.case("mesh, scores and counters on both sides"):
        detail = wait_for(lambda: [d for d in [b.get(topic)] if d["mesh"]], "the mesh")[0]
        assert detail["name"] == "chat/ü" and detail["user"] and detail["delivered"] == 2, detail
        member = detail["members"][0]
        assert len(detail["members"]) == detail["peers"] == 1 and member["peer"] == a.id and member["in_mesh"], detail
        assert member["mesh_since"] and 0 < member["components"]["p2"] <= 2 and member["components"]["p4"] == 0, member
        peer = [p for p in b.get("/api/v1/gossip/peers") if p["peer"] == a.id][0]
        assert peer["door"] == "/meshsub/1.2.0" and peer["topics"] >= 1 and peer["meshes"] >= 1, peer
        assert abs(sum(peer["components"].values()) - peer["score"]) < 0.001, peer
        stats = wait_for(lambda: [s for s in [b.get("/api/v1/gossip/stats")] if s["messages"]["delivered"] >= 2], "counters")[0]
        assert stats["control_received"]["graft"] + stats["control_sent"]["graft"] >= 1, stats
        assert stats["sizes"]["peers"] >= 1 and stats["thresholds"]["graylist"] == -80, stats
        metrics = b.request("GET", "/metrics").data.decode()
        for line in ('guts_gossip_dropped_total{reason="signature"} 0', 'guts_gossip_control_total{direction="sent",kind="graft"}',
                     'guts_gossip_offences_total{kind="ihave_flood"} 0', "guts_gossip_delivered_total"):
            assert line in metrics, line
        assert a.request("GET", "/api/v1/gossip/topics/nobody").status == 404
        repo = [t for t in a.get("/api/v1/gossip/topics") if "/repo/" in t["name"]][0]["name"]
        assert not a.get("/api/v1/gossip/topics/" + urllib.parse.quote(repo, safe=""))["user"]
        a.delete(topic)
        wait_for(lambda: b.get(topic)["peers"] == 0, "the other's farewell")
    with tap.case("what is refused"):
        assert a.request("POST", topic + "/messages", {"data": "x" * 17000}).status == 422
        assert a.request("POST", topic + "/messages", {"data": "!", "encoding": "base64"}).status == 422
        assert a.request("PUT", "/api/v1/gossip/topics/" + "x" * 129).status == 400
        assert a.request("PUT", "/api/v1/gossip/topics/guts%2Fmain%2Fnew").status in (400, 403, 422)


def hooks(tap, a, rid, tip):
    with tap.case("message brokers: none"):
        assert a.get("/api/v1/sinks") == [] and a.request("GET", "/api/v1/sinks", token=None).status in (401, 403)
    with tap.case("webhooks: of a repository and of the node, made, changed, pinged, tested, delivered, removed"):
        receiver = Receiver()
        for base in ("/api/v1/repos/%s/hooks" % rid, "/api/v1/hooks"):
            made = a.request("POST", base, {"config": {"url": receiver.url(), "secret": "s"}, "events": ["push"]})
            assert made.status == 201, made.data
            one = "%s/%d" % (base, made.json["id"])
            assert a.get(one) == a.get(base)[-1] and a.get(one)["config"]["url"] == receiver.url()
            assert a.patch(one, {"active": False})["active"] is False
            assert a.request("POST", one + "/pings").status == 204
            if "repos" in base:
                assert a.request("POST", one + "/tests").status == 204
            ended = wait_for(lambda: (x := a.get(one + "/deliveries")) and all(d["attempts"] for d in x) and x, "the deliveries")
            detail = a.get("%s/deliveries/%d" % (one, ended[0]["id"]))
            assert detail["response"]["payload"] == "thank you", detail
            again = a.request("POST", "%s/deliveries/%d/attempts" % (one, ended[0]["id"]))
            assert again.status == 202 and again.json["guid"] == ended[0]["guid"]
            wait_for(lambda: len(receiver.good) >= (3 if "repos" in base else 5), "the redelivery")
            assert a.request("DELETE", one).status == 204 and a.request("GET", one).status == 404
        assert [d.json["after"] for d in receiver.of("push")][0] == tip
        receiver.close()


def ci(tap, a, rid, tip):
    with tap.case("CI: a queue, a job, its lease, its result; more in ci_jobs.py"):
        queue = a.post("/api/v1/repos/%s/ci/queues" % rid, {"branch_filter": "none"})
        assert a.get("/api/v1/ci/queues") == [queue] and a.request("POST", "/api/v1/ci/leases", {}).status == 204
        job = a.post("/api/v1/repos/%s/ci/jobs" % rid, {"commit": tip})
        held = "/api/v1/ci/leases/" + job["lease"]["id"]
        assert a.patch(held, {"step": "build"})["steps"][0]["name"] == "build"
        assert a.request("PUT", held + "/files/log?offset=0", b"hello\n").json == {"bytes": 6}
        assert a.request("GET", "/api/v1/repos/%s/ci/jobs/%s/files/log" % (rid, job["id"])).data == b"hello\n"
        assert a.post(held + "/result", {"state": "success"})["id"] == job["id"]
        assert a.request("DELETE", held).status == 404
        assert a.request("GET", "/api/v1/repos/%s/badge.svg" % rid).status == 200
        assert a.get("/api/v1/repos/%s/ci/jobs/%s" % (rid, job["id"])) == a.get("/api/v1/ci/jobs")[0]
        assert len(a.get("/api/v1/repos/%s/ci/jobs" % rid)) == 1 and a.get("/api/v1/ci/runners") == []
        for act in ("cancel", "rerun"):
            assert a.request("POST", "/api/v1/repos/%s/ci/jobs/%s/%s" % (rid, job["id"], act)).status == 409, act
        assert a.patch("/api/v1/ci/queues/%d" % queue["id"], {"context": "other"}) == dict(queue, context="other")
        assert a.request("DELETE", "/api/v1/ci/queues/%d" % queue["id"]).status == 204


def access(tap, a, rid):
    with tap.case("without a token: public things on loopback, nothing else"):
        for path in ("/api/v1/status", "/api/v1/peers", "/api/v1/repos/" + rid, "/api/v1/events", "/metrics"):
            assert a.request("GET", path, token=None).status == 200, path
        for path in ("/api/v1/config", "/api/v1/log", "/api/v1/tokens", "/api/v1/jobs/1"):
            assert a.request("GET", path, token=None).status == 401, path
        for method, path, body in (("POST", "/api/v1/repos", {"name": "x"}), ("DELETE", "/api/v1/repos/" + rid, None),
                                   ("POST", "/api/v1/shutdown", None), ("POST", "/api/v1/peers", {"address": "/ip4/1.2.3.4/tcp/1"}),
                                   ("PUT", "/api/v1/gossip/topics/x", None), ("POST", "/api/v1/session/code", None)):
            assert a.request(method, path, body, token=None).status == 401, path
    with tap.case("scopes"):
        made = {}
        for scope in "read", "write", "ci", "admin":
            made[scope] = a.post("/api/v1/tokens", {"name": scope, "scopes": [scope]})["token"]
        table = (("GET", "/api/v1/jobs/999", None, {"read": 404, "write": 404, "ci": 403, "admin": 404}),
                 ("GET", "/api/v1/config", None, {"read": 403, "write": 403, "ci": 403, "admin": 200}),
                 ("POST", "/api/v1/repos/%s/sync" % rid, None, {"read": 403, "write": 202, "ci": 403, "admin": 202}),
                 ("POST", "/api/v1/repos/%s/statuses/%s" % (rid, "2" * 40), {"state": "success"},
                  {"read": 403, "write": 201, "ci": 201, "admin": 201}),
                 ("DELETE", "/api/v1/repos/bafkrei" + "a" * 52, None, {"read": 403, "write": 403, "ci": 403, "admin": 404}))
        for method, path, body, want in table:
            for scope, status in want.items():
                got = a.request(method, path, body, token=made[scope]).status
                assert got == status, (scope, method, path, got)
    with tap.case("Bearer, token, Basic; anything else is refused"):
        t = made["admin"]
        basic = base64.b64encode(("any:" + t).encode()).decode()
        for value, status in (("Bearer " + t, 200), ("bearer " + t, 200), ("token " + t, 200), ("Basic " + basic, 200),
                              ("Bearer " + t[:-1], 401), ("Bearer " + t + "0", 401), ("Bearer ", 401), ("Basic ???", 401),
                              ("Digest x", 401), (t, 401)):
            assert a.request("GET", "/api/v1/config", token=None, headers={"Authorization": value}).status == status, value
    with tap.case("too many wrong tokens from one address: 429 for those, not for good ones"):
        last = 0
        for _ in range(12):
            last = a.request("GET", "/api/v1/config", token="guts_" + "1" * 64).status
        assert last == 429, last
        assert a.request("GET", "/api/v1/config").status == 200
    with tap.case("tokens: shown once, listed without secrets, expiring, for some repositories, revoked"):
        made_now = a.post("/api/v1/tokens", {"name": "n", "scopes": ["read", "ci"], "repos": [rid], "expires_in": 3600})
        assert made_now["repos"] == [rid] and made_now["expires_at"] and made_now["scopes"] == ["read", "ci"]
        listed = a.request("GET", "/api/v1/tokens").data.decode()
        assert made_now["id"] in listed and made_now["token"] not in listed
        one = a.get("/api/v1/tokens/" + made_now["id"])
        assert "token" not in one and one["name"] == "n"
        a.delete("/api/v1/tokens/" + made_now["id"])
        assert a.request("GET", "/api/v1/jobs/1", token=made_now["token"]).status in (401, 429)
        assert a.request("DELETE", "/api/v1/tokens/" + made_now["id"]).status == 404
        for body in ({"name": "x"}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["root"]},
                     {"name": "x", "scopes": ["read"], "repos": ["y"]}, {"name": "x", "scopes": ["read"], "expires_in": 0}):
            assert a.request("POST", "/api/v1/tokens", body).status == 422, body
    with tap.case("no secret is in the log or the database"):
        with open(a.log, "rb") as f:
            text = f.read()
        for root, _, names in os.walk(a.home):
            for name in names:
                if name != "admin-token" and not root.endswith("objects"):
                    with open(os.path.join(root, name), "rb") as f:
                        text += f.read()
        for secret in [a.token] + list(made.values()):
            assert secret.encode() not in text
        assert os.stat(os.path.join(a.home, "admin-token")).st_mode & 0o777 == 0o600


def session(tap, a):
    origin = {"Origin": a.url}
    with tap.case("a one-time code opens a session once"):
        code = a.post("/api/v1/session/code")
        assert code["url"].startswith(a.url + "/#code=")
        answer = a.request("POST", "/api/v1/session", {"code": code["code"]}, token=None)
        assert answer.status == 201
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and cookie.startswith("guts-" + a.id[-8:] + "="), cookie
        csrf = answer.json["csrf"]
        cookie = cookie.split(";")[0]
        for body in {"code": code["code"]}, {"code": "0" * 64}, {}:
            assert a.request("POST", "/api/v1/session", body, token=None).status in (401, 429), body  # 429: wrong tries before
    read = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    write = dict(origin, Cookie=cookie, **{"X-Guts-Csrf": csrf})
    with tap.case("reads with the cookie need the browser's word or the header"):
        assert a.request("GET", "/api/v1/config", token=None, headers=read).status == 200
        assert a.request("GET", "/api/v1/config", token=None, headers={"Cookie": cookie, "X-Guts-Csrf": csrf}).status == 200
        for head in ({"Cookie": cookie}, {"Cookie": cookie, "Sec-Fetch-Site": "same-site"},
                     {"Cookie": cookie, "X-Guts-Csrf": "0" * 64}, {"Cookie": cookie[:-1] + "x", "Sec-Fetch-Site": "same-origin"}):
            assert a.request("GET", "/api/v1/config", token=None, headers=head).status == 401, head
        me = a.request("GET", "/api/v1/session", token=None, headers=read).json
        assert me["kind"] == "session" and me["csrf"] == csrf and "admin" in me["scopes"]
        assert a.get("/api/v1/session", token=None)["kind"] == "anonymous"
        assert a.get("/api/v1/session")["kind"] == "token"
    with tap.case("writes need the secret and our own Origin"):
        path = "/api/v1/gossip/topics/session"
        for head in (read, dict(read, Origin=a.url), {"Cookie": cookie, "X-Guts-Csrf": csrf},
                     dict(write, Origin="http://evil.example"), dict(write, Origin="null"),
                     dict(write, Origin=a.url[:-1] + ("1" if a.url[-1] != "1" else "2")), dict(write, **{"X-Guts-Csrf": "x"})):
            assert a.request("PUT", path, token=None, headers=head).status == 401, head
        assert a.request("PUT", path, token=None, headers=write).status == 204
    with tap.case("a form of another site does nothing"):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            head = {"Cookie": cookie, "Content-Type": kind, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
            assert a.request("POST", "/api/v1/repos", b'{"name":"csrf"}', token=None, headers=head).status in (401, 415)
        assert a.request("GET", "/api/v1/repos/%s/csrf" % a.id).status == 404
    with tap.case("a token opens a session with its own rights, which ends with it"):
        t = a.post("/api/v1/tokens", {"name": "s", "scopes": ["read"]})
        answer = a.request("POST", "/api/v1/session", {"token": t["token"]}, token=None)
        assert answer.json["scopes"] == ["read"]
        head = {"Cookie": answer.headers["set-cookie"].split(";")[0], "Sec-Fetch-Site": "same-origin"}
        assert a.request("GET", "/api/v1/jobs/999", token=None, headers=head).status == 404
        a.delete("/api/v1/tokens/" + t["id"])
        assert a.request("GET", "/api/v1/jobs/999", token=None, headers=head).status == 401
    with tap.case("log out"):
        assert a.request("DELETE", "/api/v1/session", token=None, headers=write).status == 204
        assert a.request("GET", "/api/v1/config", token=None, headers=read).status == 401


def other_listener(tap, net):
    with tap.case("not on loopback everything needs a token, unless http.public_read"):
        n = net.node(http="0.0.0.0:0")
        repo = n.create("open")
        # 0.0.0.0 counts as public; we come by loopback
        for path in ("/api/v1/status", "/api/v1/repos", "/api/v1/repos/" + repo["id"], "/api/v1/events", "/metrics"):
            assert n.request("GET", path, token=None).status == 401, path
            assert n.request("GET", path).status == 200, path
        assert n.request("GET", "/livez", token=None).status == 200
        git_refs = "/%s.git/info/refs?service=git-upload-pack" % repo["id"]
        assert plain_request(n.url, "GET", git_refs).status == 401
        reader = n.post("/api/v1/tokens", {"name": "r", "scopes": ["read"], "repos": [repo["id"]]})["token"]
        other = n.create("other")
        assert [r["id"] for r in n.get("/api/v1/repos", token=reader)] == [repo["id"]]
        assert n.request("GET", "/api/v1/repos/" + other["id"], token=reader).status == 404
        n.stop()
        n.args += ["--set", "http.public_read=true", "--set", "http.allowed_hosts=node.example"]
        n.start()
        assert n.request("GET", "/api/v1/repos/" + repo["id"], token=None).status == 200
        assert n.request("GET", "/livez", token=None, headers={"Host": "node.example:80"}).status == 200
        assert n.request("GET", "/livez", token=None, headers={"Host": "evil.example"}).status == 421
        assert n.request("POST", "/api/v1/repos", {"name": "x"}, token=None).status == 401
        n.stop()


def main():
    tap = Tap()
    with tap.net() as net:
        a, b = net.node(args=["--log-level", "debug"] + ALLOW, dht=True), net.node(dht=True)
        node_itself(tap, a)
        peers(tap, a, b)
        rid, base, tip = repos(tap, a, b, net)
        statuses(tap, a, b, rid, base, tip)
        hooks(tap, a, rid, tip)
        ci(tap, a, rid, tip)
        gossip(tap, a, b)
        with tap.case("aliases"):
            a.put("/api/v1/aliases/alice", {"peer": a.id})
            assert a.get("/api/v1/repos/alice/demo")["id"] == rid
            assert a.request("PUT", "/api/v1/aliases/alice", {"peer": "x"}).status == 422
        access(tap, a, rid)
        session(tap, a)
        with tap.case("the log's tail"):
            s = a.stream("type=log.line")
            s.find("hello")
            a.get("/api/v1/status")
            told = s.find("log.line")["data"]["data"]
            s.close()
            kept = a.get("/api/v1/log?after=%d&limit=1000" % (told["cursor"] - 1))[0]
            assert all(kept[k] == told[k] for k in ("cursor", "level", "area", "text")), (kept, told)
            lines = a.get("/api/v1/log?limit=10&level=debug")
            assert lines and lines == sorted(lines, key=lambda x: x["cursor"]), lines
            more = a.get("/api/v1/log?after=%d" % lines[-1]["cursor"])
            assert all(x["cursor"] > lines[-1]["cursor"] for x in more) and not a.get("/api/v1/log?level=error")
            assert a.request("GET", "/api/v1/log?level=x").status == 400
        with tap.case("the log's level is changed while the node runs"):
            before = a.get("/api/v1/log/level")
            s = a.stream("type=log.line")
            s.find("hello")
            assert a.put("/api/v1/log/level", {"level": "error"}) == {"level": "error"} == a.get("/api/v1/log/level")
            a.get("/api/v1/status")
            assert a.put("/api/v1/log/level", before) == before
            a.get("/api/v1/peers")
            told = s.find(lambda f: f["event"] == "log.line" and " /api/v1/" in f["data"]["data"]["text"])["data"]["data"]["text"]
            assert "/api/v1/status" not in told, told
            s.close()
            for body in ({}, {"level": "loud"}, {"level": 3}):
                assert a.request("PUT", "/api/v1/log/level", body).status == 422, body
        other_listener(tap, net)
        repolib.private_paths(tap, a, net, contract)
        repolib.broken_record(tap, net)
        repolib.stop_while_cloning(tap, net)
        with tap.case("shutdown by request ends it with 0"):
            assert a.request("POST", "/api/v1/shutdown").status == 202
            assert a.process.wait(gutslib.DEADLINE) == 0
        b.stop()
        with tap.case("every operation of the contract was tried"):
            assert not contract.unused(), contract.unused()
    tap.done()


main()
