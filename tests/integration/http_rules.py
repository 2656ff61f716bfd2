"""http_rules.py - rules of the whole API: Idempotency-Key, audit records, CORS, HEAD, request ids."""
import contextlib
import http.client
import json
import os
import random
import re
import socket
import threading
import urllib.parse

from gutslib import DEADLINE, LONG, SEED, SRCDIR, Tap, git, request, wait_for, work_tree

JSON = {"Content-Type": "application/json"}


def audits(node, since=0):
    return [dict(e["data"], id=e["id"]) for e in node.facts(since, "type=audit.*")]


def idempotency(tap, node):
    def create(key, body, token=True, path="/api/v1/repos"):
        return node.request("POST", path, body, token=token, headers={"Idempotency-Key": key})

    with tap.case("the same key and body: done once, the same answer twice"):
        first, second = (create("k1", {"name": "once"}) for _ in range(2))
        assert first.status == second.status == 201 and first.data == second.data, (first.data, second.data)
        assert "idempotency-replayed" not in first.headers and second.headers["idempotency-replayed"] == "true"
        assert first.headers["location"] == second.headers["location"]
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
        assert len([r for r in node.get("/api/v1/repos") if r["name"] == "once"]) == 1
    with tap.case("the same key for something else: 422; another asker's key is another one"):
        assert create("k1", {"name": "other"}).status == 422
        assert create("k1", {"name": "once", "scopes": ["read"]}, path="/api/v1/tokens").status == 422
        other = node.post("/api/v1/tokens", {"name": "t", "scopes": ["write"]})["token"]
        assert create("k1", {"name": "others"}, token=other).status == 201
    with tap.case("what failed is tried again"):
        assert create("k2", {"name": "once"}).status == 409
        node.delete("/api/v1/repos/%s/once" % node.id)
        assert create("k2", {"name": "once"}).status == 201
    with tap.case("keys that are none are refused; reads and requests without a key do not care"):
        for key in "", "x" * 256, "\u00e4".encode("latin-1").decode("latin-1"):
            assert create(key, {"name": "z"}).status == 400, key
        assert node.request("GET", "/api/v1/repos", headers={"Idempotency-Key": ""}).status == 200
    with tap.case("many at once with one key: one does it, the others wait their turn"):
        answers = []

        def run():
            answers.append(create("k3", {"name": "token", "scopes": ["read"]}, path="/api/v1/tokens"))

        threads = [threading.Thread(target=run) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert {a.status for a in answers} <= {201, 409} and any(a.status == 201 for a in answers), [a.status for a in answers]
        assert len({a.data for a in answers if a.status == 201}) == 1
        assert len([t for t in node.get("/api/v1/tokens") if t["name"] == "token"]) == 1
    with tap.case("a client that leaves before the answer finds it at its next try"):
        url = urllib.parse.urlsplit(node.url)
        for i in range(20):
            body = json.dumps({"name": "left%d" % i, "scopes": ["read"]}).encode()
            with socket.create_connection((url.hostname, url.port), DEADLINE) as s:
                s.sendall(b"POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: left%d\r\n"
                          b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (i, node.token.encode(), len(body)) + body)
            wait_for(lambda: node.request("POST", "/api/v1/tokens", body, headers=dict(JSON, **{"Idempotency-Key": "left%d" % i})).status == 201, "the answer")
        names = [t["name"] for t in node.get("/api/v1/tokens") if t["name"].startswith("left")]
        assert sorted(names) == sorted("left%d" % i for i in range(20)), names


def idempotency_kill(tap, net):
    node = net.node("killed")

    def post(key, body, path="/api/v1/repos"):
        return node.request("POST", path, body, headers=dict(JSON, **{"Idempotency-Key": key}))

    def tokens(name):
        return len([t for t in node.get("/api/v1/tokens") if t["name"] == name])

    with tap.case("killed after the answer: the same key gives it again and does nothing"):
        first = post("k1", json.dumps({"name": "once"}))
        token = post("k2", json.dumps({"name": "t", "scopes": ["read"]}), "/api/v1/tokens")
        assert first.status == token.status == 201
        node.kill()
        node.start()
        second = post("k1", json.dumps({"name": "once"}))
        assert (second.status, second.data, second.headers["location"]) == (201, first.data, first.headers["location"])
        assert second.headers["idempotency-replayed"] == "true" and len(node.get("/api/v1/repos")) == 1
        assert post("k1", json.dumps({"name": "other"})).status == 422
    with tap.case("a token's secret is not stored: its key is refused after the start, and no second token made"):
        again = post("k2", json.dumps({"name": "t", "scopes": ["read"]}), "/api/v1/tokens")
        assert again.status == 409 and "secret" in again.json["message"] and tokens("t") == 1, again.data
        secret = token.json["token"].encode()
        for name in os.listdir(node.home):
            path = os.path.join(node.home, name)
            assert not os.path.isfile(path) or secret not in open(path, "rb").read(), name
    with tap.case("killed at any moment: whatever the next try says, it was done once at most"):
        rng = random.Random(SEED)
        url = urllib.parse.urlsplit(node.url)
        for i in range(30 if LONG else 6):
            body = json.dumps({"name": "kill%d" % i, "scopes": ["read"]}).encode()
            with socket.create_connection((url.hostname, url.port), DEADLINE) as s:
                s.sendall(b"POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: kill%d\r\n"
                          b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (i, node.token.encode(), len(body)) + body)
                s.settimeout(rng.random() * 0.02)
                with contextlib.suppress(TimeoutError):
                    s.recv(1)
                node.kill()
            node.start()
            url = urllib.parse.urlsplit(node.url)
            again = post("kill%d" % i, body, "/api/v1/tokens")
            assert again.status in (201, 409), again.data
            assert tokens("kill%d" % i) <= 1 and (again.status == 409 or tokens("kill%d" % i) == 1), (again.data, tokens("kill%d" % i))


def audit(tap, net):
    node = net.node("audited")  # of its own: records of earlier writes may still be on their way
    token = node.post("/api/v1/tokens", {"name": "robot", "scopes": ["read", "write"]})
    with tap.case("each write leaves one record of who, what, from where; reads and strangers' tries leave none"):
        repo = node.post("/api/v1/repos", {"name": "audited"}, token=token["token"], headers={"X-Request-Id": "req-1"})
        node.get("/api/v1/repos", token=token["token"])
        assert node.request("POST", "/api/v1/repos", {"name": "x"}, token=None).status == 401
        assert node.request("POST", "/api/v1/repos", {"name": "audited"}, token=token["token"]).status == 409
        git("push", "-q", node.git_url(repo, token=token["token"]), "main", cwd=work_tree(net.path("work")))
        made = node.request("POST", "/api/v1/session", {"token": node.token}, token=None)
        head = {"Cookie": made.headers["set-cookie"].split(";")[0], "X-Guts-Csrf": made.json["csrf"], "Origin": node.url}
        assert node.request("PUT", "/api/v1/gossip/topics/a%2Fb", token=None, headers=head).status == 204
        rows = wait_for(lambda: (r := audits(node, 0)) and any("topics" in x["path"] for x in r) and r, "the records")
        assert [(x["who"], x["name"], x["method"], x["path"], x["status"]) for x in rows] == [
            ("token", "admin-token file", "POST", "/api/v1/tokens", 201),
            ("token", "robot", "POST", "/api/v1/repos", 201),
            ("token", "robot", "POST", "/api/v1/repos", 409),
            ("token", "robot", "POST", "/%s.git/git-receive-pack" % repo["id"], 200),
            ("anyone", "", "POST", "/api/v1/session", 201),
            ("session", "admin-token file", "PUT", "/api/v1/gossip/topics/a%2Fb", 204)], rows
        assert all(x["address"] == "127.0.0.1" for x in rows) and rows[1]["request"] == "req-1" and rows[1]["token"] == token["id"], rows
        text = json.dumps(rows)
        assert token["token"] not in text and node.token not in text and made.json["csrf"] not in text
    with tap.case("the lease of a CI job is not in them"):
        work = net.path("work")
        tip = git("rev-parse", "HEAD", cwd=work).strip()
        job = node.post("/api/v1/repos/%s/ci/jobs" % repo["id"], {"commit": tip, "context": "build"})
        path = "/api/v1/ci/leases/" + job["lease"]["id"]
        node.patch(path, {"step": "make"})
        assert node.request("PUT", path + "/files/log?offset=0", b"text", headers={"Content-Type": "application/octet-stream"}).status in (200, 204)
        node.post(path + "/result", {"state": "success"})
        rows = wait_for(lambda: (r := audits(node)) and r[-1]["path"].endswith("/result") and r, "the records")
        assert [(x["method"], x["path"]) for x in rows[-3:]] == [
            ("PATCH", "/api/v1/ci/leases/{lease}"), ("PUT", "/api/v1/ci/leases/{lease}/files/{file}"),
            ("POST", "/api/v1/ci/leases/{lease}/result")], rows[-3:]
        assert job["lease"]["id"] not in json.dumps(node.facts())
    with tap.case("only administrators see them"):
        assert node.get("/api/v1/events?since=0&type=audit.*", token=token["token"])["events"] == []
        assert node.get("/api/v1/events?since=0&type=audit.*", token=None)["events"] == []


def cors(tap, net, node):
    with tap.case("without http.cors_origins no answer names an origin"):
        for method, path in (("GET", "/api/v1/status"), ("OPTIONS", "/api/v1/repos"), ("GET", "/api/v1/nothing")):
            head = request(node.url, method, path, headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}).headers
            assert not [k for k in head if k.startswith("access-control")], head
    c = net.node("C", args=["--set", "http.cors_origins=https://app.example", "--set", "http.cors_origins=http://localhost:5173"])
    any_one = net.node("D", args=["--set", "http.cors_origins=*"])

    def allowed(node, method, path, origin, **head):
        answer = request(node.url, method, path, headers=dict(head, Origin=origin))
        assert "access-control-allow-credentials" not in answer.headers, answer.headers
        return answer.headers.get("access-control-allow-origin"), answer

    with tap.case("listed origins may read answers, errors too; others may not"):
        for origin, right in (("https://app.example", "https://app.example"), ("http://localhost:5173", "http://localhost:5173"),
                              ("https://app.example:8443", None), ("http://app.example", None), ("https://app.example.evil", None),
                              ("https://evil.example", None), ("null", None)):
            for path in "/api/v1/status", "/api/v1/config", "/api/v1/nothing":
                got, answer = allowed(c, "GET", path, origin)
                assert got == right and "Origin" in answer.headers["vary"], (origin, path, answer.headers)
        assert "X-Total-Count" in allowed(c, "GET", "/api/v1/repos", "https://app.example")[1].headers["access-control-expose-headers"]
        assert allowed(any_one, "GET", "/api/v1/status", "https://evil.example")[0] == "*"
    with tap.case("a preflight names the methods of the path and the headers that are taken"):
        got, answer = allowed(c, "OPTIONS", "/api/v1/repos", "https://app.example", **{"Access-Control-Request-Method": "POST",
                              "Access-Control-Request-Headers": "authorization, idempotency-key"})
        assert answer.status == 204 and got == "https://app.example" and "POST" in answer.headers["access-control-allow-methods"]
        assert "Authorization" in answer.headers["access-control-allow-headers"] and "Idempotency-Key" in answer.headers["access-control-allow-headers"]
        got, answer = allowed(c, "OPTIONS", "/api/v1/repos", "https://evil.example", **{"Access-Control-Request-Method": "POST"})
        assert got is None and "access-control-allow-methods" not in answer.headers
    with tap.case("a listed page's token works, a cookie does not"):
        made = request(c.url, "POST", "/api/v1/session", {"token": c.token})
        cookie = {"Cookie": made.headers["set-cookie"].split(";")[0], "Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
        assert c.request("GET", "/api/v1/tokens", headers={"Origin": "https://app.example"}).status == 200
        assert c.request("GET", "/api/v1/tokens", token=None, headers=cookie).status == 401
        assert c.request("PUT", "/api/v1/gossip/topics/x", token=None, headers=dict(cookie, **{"X-Guts-Csrf": made.json["csrf"]})).status == 401
    with tap.case("an event stream can be read by a listed page"):
        url = urllib.parse.urlsplit(c.url)
        conn = http.client.HTTPConnection(url.hostname, url.port, timeout=DEADLINE)
        conn.request("GET", "/api/v1/events", headers={"Origin": "https://app.example", "Accept": "text/event-stream"})
        assert conn.getresponse().headers["access-control-allow-origin"] == "https://app.example"
        conn.close()


def private_node(tap, net):
    node = net.node("P", args=["--set", "http.local_read=false"])
    with tap.case("a private node gives nothing without a token, on loopback neither"):
        repo = node.create("demo")
        git("push", "-q", node.git_url(repo), "main", cwd=work_tree(net.path("private")))
        for path in "/api/v1/status", "/api/v1/repos", "/api/v1/repos/" + repo["id"], "/metrics", "/api/v1/events?since=0&limit=1":
            assert node.request("GET", path, token=None).status in (401, 404), path
            assert node.request("GET", path).status == 200, path
        assert git("ls-remote", node.git_url(repo, token=None), check=False).returncode != 0
        assert "refs/heads/main" in git("ls-remote", node.git_url(repo))
        assert node.request("GET", "/livez", token=None).status == 200


def every_get(tap, node):
    with open(os.path.join(SRCDIR, "api", "openapi.json")) as f:
        paths = json.load(f)["paths"]
    repo = node.create("head")
    rows = [(p, p.replace("{owner}/{name}", repo["full_name"]).replace("{peer}", node.id).replace("{id}", repo["id"])) for p in paths if "get" in paths[p]]
    with tap.case("HEAD on every GET: its status and length, no body; each answer has an id (%d)" % len(rows)):
        for template, path in rows:
            path = re.sub(r"\{[a-z]+\}", "x", path) + ("?limit=1&since=0" if template.endswith("/events") else "")
            ids = {"X-Request-Id": "id-7"}
            got, head = node.request("GET", path, headers=ids), node.request("HEAD", path, headers=ids)
            assert got.status == head.status and head.data == b"", (path, got.status, head.status)
            assert got.headers["content-type"] == head.headers["content-type"], path
            assert got.headers["x-request-id"] == head.headers["x-request-id"] == "id-7", (path, got.headers)
    with tap.case("the log of requests has their ids"):
        node.request("GET", "/api/v1/status", headers={"X-Request-Id": "find-me"})
        made = node.request("GET", "/api/v1/status").headers["x-request-id"]
        wait_for(lambda: "id=find-me" in node.tail(2000) and "id=" + made in node.tail(2000), "the lines")
    with tap.case("problems are RFC 9457 with message, and bad bodies are named by pointers"):
        answer = node.request("POST", "/api/v1/tokens", {"name": 5, "scopes": ["read", "fly"], "x": 1})
        assert answer.status == 422 and answer.headers["content-type"] == "application/problem+json"
        problem = answer.json
        assert problem["message"] == problem["detail"] and {e["pointer"] for e in problem["errors"]} >= {"/name"}, problem


def main():
    tap = Tap()
    with tap.net() as net:
        node = net.node("A", args=["--log-level", "debug"])
        idempotency(tap, node)
        idempotency_kill(tap, net)
        audit(tap, net)
        cors(tap, net, node)
        private_node(tap, net)
        every_get(tap, node)
    tap.done()


main()
