"""The event log: stream, resume, filters, reset, long poll, slow readers, rights."""
import json
import socket
import threading
import urllib.parse

from gutslib import Tap, Stream, commit, git, wait_for, work_tree, LONG

TOPIC = "/api/v1/gossip/topics/"


def make_facts(node, n, start=0):
    """n numbered facts, by setting policies of repositories that are not here."""
    for i in range(start, start + n):
        node.put("/api/v1/repos/%s/policy" % repo_id(i), {"policy": "block"})


def repo_id(i):
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    tail = ""
    for _ in range(6):
        tail = alphabet[i % 32] + tail
        i //= 32
    return "bafkrei" + "a" * 44 + tail + "aa"


def stream(tap, node):
    with tap.case("a stream begins with retry and hello"):
        wait_for(lambda: node.get("/api/v1/events")["newest"], "the first fact")
        s = node.stream()
        assert s.answer.getheader("Content-Type") == "text/event-stream"
        # a browser that gives one up would else read on for seconds, to use the connection again
        assert s.answer.getheader("Connection") == "close"
        assert s.next() == {"retry": "3000"}
        hello = s.next()
        assert hello["event"] == "hello" and hello["data"]["id"] == node.id and hello["data"]["newest"] >= 1, hello
        newest = hello["data"]["newest"]
    with tap.case("a fact comes with the next id, its type as name and the same JSON as in the log"):
        repo = node.create("first")
        frame = s.find("repo.created")
        assert int(frame["id"]) == newest + 1 == frame["data"]["id"]
        assert frame["data"]["repo"] == repo["id"] and frame["data"]["data"]["name"] == "first"
        assert frame["data"] in node.facts(newest)
    with tap.case("a signal comes without an id"):
        node.put(TOPIC + "chat")
        node.post(TOPIC + "chat/messages", {"data": "hallo"})
        frame = s.find("gossip.message")
        assert "id" not in frame and frame["data"]["data"]["data"] == "hallo", frame
        s.close()
    with tap.case("a stream from the past has every fact, once, in order, then goes on"):
        make_facts(node, 150)
        s = node.stream(last_id=0)
        newest = node.get("/api/v1/events?since=0&limit=1")["newest"]
        ids = []
        while not ids or ids[-1] < newest:
            f = s.next()
            if "id" in f:
                ids.append(int(f["id"]))
        make_facts(node, 1, 5000)
        ids.append(int(s.find(lambda f: "id" in f)["id"]))
        assert ids == list(range(1, newest + 2)), ids
        s.close()
    with tap.case("?since= and ?lastEventId= do the same"):
        for q in ("since=%d" % (newest - 1), "lastEventId=%d" % (newest - 1)):
            s = node.stream(q)
            assert int(s.find(lambda f: "id" in f)["id"]) == newest
            s.close()
    with tap.case("an id above the head gets a reset"):
        s = node.stream(last_id=10 ** 9)
        assert s.find("reset")["data"]["newest"] >= newest
        s.close()
    with tap.case("what is no number is refused"):
        for last in ("x", "-1", "1.5", "99999999999999999999"):
            assert node.request("GET", "/api/v1/events", headers={"Accept": "text/event-stream",
                                                                  "Last-Event-ID": last}).status == 400
    with tap.case("a cut stream loses and repeats nothing"):
        cuts(node)


def cuts(node):
    """Facts come all the time while one reader is cut at odd moments and resumes by its last id."""
    n = 2000 if LONG else 200
    first = node.get("/api/v1/events?since=0&limit=1")["newest"]
    maker = threading.Thread(target=make_facts, args=(node, n, 6000))
    maker.start()
    got, last, turn = [], first, 0
    while len(got) < n:
        s = node.stream(last_id=last)
        for _ in range(1 + turn % 7):
            f = s.next()
            if f is None:
                break
            if "id" in f and f.get("event") != "cursor":
                got.append(int(f["id"]))
                last = got[-1]
                if len(got) == n:
                    break
        s.close()
        turn += 1
    maker.join()
    assert got == list(range(first + 1, first + n + 1)), got[:50]


def filters(tap, node):
    with tap.case("by type, exact and with a star"):
        for types, want in (("repo.policy", {"repo.policy"}), ("node.started,repo.created", {"node.started", "repo.created"})):
            assert {e["type"] for e in node.facts(query="type=" + types)} == want, types
        got = {e["type"] for e in node.facts(query="type=repo.*")}
        assert {"repo.policy", "repo.created"} <= got and all(t.startswith("repo.") for t in got), got
    with tap.case("by repository, by id and by path"):
        repo = node.create("filtered")
        for name in (repo["id"], repo["full_name"]):
            page = node.get("/api/v1/events?limit=1000&repo=" + name)
            assert page["events"] and {e.get("repo") for e in page["events"]} == {repo["id"]}, page
        assert node.request("GET", "/api/v1/events?repo=a/b").status == 404
    with tap.case("by peer"):
        page = node.get("/api/v1/events?limit=1000&peer=" + node.id)
        assert page["events"] and {e.get("peer") for e in page["events"]} == {node.id}, page
        assert node.request("GET", "/api/v1/events?peer=x").status == 400
    with tap.case("a filtered stream shows only its own, live"):
        s = node.stream("type=repo.created")
        make_facts(node, 3, 9000)
        repo = node.create("live")
        f = s.find(lambda f: "id" in f)
        assert f["event"] == "repo.created" and f["data"]["repo"] == repo["id"]
        s.close()
    with tap.case("a heartbeat moves the cursor of a filtered stream"):
        s = node.stream("type=node.stopped")
        make_facts(node, 1, 9100)
        made = node.facts(query="type=repo.policy")[-1]["id"]
        f = s.find(lambda f: f.get("event") == "cursor" and int(f["id"]) >= made)
        assert "data" not in f, f
        s.close()
    with tap.case("too many types are refused"):
        assert node.request("GET", "/api/v1/events?type=" + ",".join("a%d" % i for i in range(17))).status == 400


def poll(tap, node):
    with tap.case("a poll answers at once with what is there"):
        page = node.get("/api/v1/events?since=0&limit=3&wait=60")
        assert [e["id"] for e in page["events"]] == [1, 2, 3] and page["next"] == 3 and not page["reset"]
    with tap.case("a poll without news and without wait is empty"):
        newest = page["newest"]
        page = node.get("/api/v1/events?type=node.stopped&since=%d" % newest)
        assert page["events"] == [] and page["next"] >= newest
    with tap.case("a waiting poll is woken by the next fact"):
        done = []
        t = threading.Thread(target=lambda: done.append(node.get("/api/v1/events?type=repo.policy&since=%d&wait=60" % newest)))
        t.start()
        wait_for(lambda: node.get("/api/v1/status") and True, "status")
        make_facts(node, 1, 9200)
        t.join(60)
        assert [e["data"]["policy"] for e in done[0]["events"]] == ["block"], done
    with tap.case("a waiting poll with a filter passes over what does not concern it"):
        done = []
        t = threading.Thread(target=lambda: done.append(
            node.get("/api/v1/events?since=%d&wait=60&type=repo.created" % newest)))
        t.start()
        make_facts(node, 2, 9300)
        repo = node.create("polled")
        t.join(60)
        assert [e["repo"] for e in done[0]["events"]] == [repo["id"]], done
    with tap.case("a poll ends after its wait"):
        newest = node.get("/api/v1/events?since=0&limit=1")["newest"]
        page = node.get("/api/v1/events?type=node.stopped&since=%d&wait=1" % newest)
        assert page["events"] == []
    with tap.case("a poll from above the head says reset"):
        assert node.get("/api/v1/events?since=%d&wait=60" % (newest + 100))["reset"]
    with tap.case("numbers out of range are refused"):
        for q in ("limit=0", "limit=1001", "wait=61", "limit=x", "since=-1"):
            assert node.request("GET", "/api/v1/events?" + q).status == 400, q


def cloudevents(tap, node):
    def check(ce, fact):
        assert ce["specversion"] == "1.0" and ce["source"] == node.url and ce["datacontenttype"] == "application/json", ce
        assert ce["type"] == "guts." + fact["type"] and ce["time"] == fact["time"] and ce["data"] == fact, (ce, fact)
        assert ce.get("subject") == fact.get("repo", fact.get("peer")), ce

    with tap.case("CloudEvents: in a poll, in what a stream replays, and live"):
        page = node.get("/api/v1/events?since=0&limit=100&format=cloudevents")["events"]
        facts = node.facts()[:100]
        assert [ce["id"] for ce in page] == [str(f["id"]) for f in facts]
        for ce, fact in zip(page, facts):
            check(ce, fact)
        s = node.stream("format=cloudevents", last_id=facts[-3]["id"])
        for fact in facts[-2:]:
            f = s.find(lambda f: "id" in f)
            assert (f["id"], f["event"]) == (str(fact["id"]), fact["type"])
            check(f["data"], fact)
        repo = node.create("cloud")
        f = s.find(lambda f: f["event"] == "repo.created" and f["data"]["subject"] == repo["id"])
        check(f["data"], node.facts(int(f["id"]) - 1)[0])
    with tap.case("CloudEvents: signals have ids of their own"):
        ids = set()
        for text in ("one", "two"):
            node.post(TOPIC + "chat/messages", {"data": text})
            f = s.find("gossip.message")
            assert "id" not in f and f["data"]["data"]["data"]["data"] == text, f
            ids.add(f["data"]["id"])
        assert len(ids) == 2, ids
        s.close()
    with tap.case("a form that is none is refused"):
        assert node.request("GET", "/api/v1/events?format=xml").status == 400


def limits(tap, net):
    node = net.node("few", args=["--set", "http.client_streams=3", "--set", "http.limit_loopback=true", "--set", "events.keep=1000"])
    with tap.case("one token, and one address without a token, have so many streams and no more"):
        token = node.post("/api/v1/tokens", {"name": "u", "scopes": ["read"]})["token"]
        for who in (None, token):
            streams = [node.stream(token=who) for _ in range(3)]
            a = node.request("GET", "/api/v1/events", token=who, headers={"Accept": "text/event-stream"})
            assert a.status == 429 and a.headers["retry-after"], a.status
            streams[0].close()
            streams[0] = wait_for(lambda: node.stream(token=who), "a free place")
            for s in streams:
                s.close()
    with tap.case("the log keeps its number of events; who was away longer gets a reset"):
        make_facts(node, 2200)
        page = node.get("/api/v1/events?limit=1")
        assert 1000 <= page["newest"] - page["oldest"] + 1 <= 2000 and page["oldest"] > 1, page
        s = node.stream(last_id=1)
        assert s.find("reset")["data"]["oldest"] == page["oldest"]
        s.close()
        assert node.get("/api/v1/events?since=1")["reset"]
    node.stop()


def told(tap, net, node):
    with tap.case("what a fact tells, REST shows at once: at the node of the push and at its neighbour"):
        other = net.node("other", bootstrap=[node])
        other.wait_peer(node)
        repo = node.create("told")
        work = work_tree(net.path("told"))
        streams = {n: n.stream("type=repo.ref.updated") for n in (node, other)}
        for i in range(100 if LONG else 20):
            oid = commit(work, "step %d" % i, {"count": "%d\n" % i})
            git("push", "-q", node.git_url(repo), "HEAD:refs/heads/main", cwd=work)
            for n, s in streams.items():
                f = s.find(lambda f: f.get("data", {}).get("data", {}).get("new") == oid)
                assert n.refs(repo["id"])["refs/heads/main"] == oid, "%s: fact %s is told, not shown" % (n.name, f["id"])
        for s in streams.values():
            s.close()
        other.stop()


def rights(tap, node):
    with tap.case("events of access and of the log are for admins"):
        node.post("/api/v1/tokens", {"name": "t", "scopes": ["read"]})
        reader = node.post("/api/v1/tokens", {"name": "u", "scopes": ["read"]})["token"]
        assert node.get("/api/v1/events?type=token.*&limit=1000")["events"]
        for token in (None, reader):
            assert node.get("/api/v1/events?type=token.*&limit=1000", token=token)["events"] == []
    with tap.case("a private repository's events are for those who may see it, live and later"):
        anyone, reading = node.stream(token=None), node.stream(token=reader)
        secret = node.create("hidden", private=True)
        public = node.create("seen")
        assert reading.find("repo.created")["data"]["repo"] == secret["id"]
        assert anyone.find("repo.created")["data"]["repo"] == public["id"]
        anyone.close()
        reading.close()
        assert secret["id"] not in json.dumps(node.get("/api/v1/events?limit=1000", token=None))
        node.patch("/api/v1/repos/" + public["id"], {"private": True})
        assert public["id"] not in json.dumps(node.get("/api/v1/events?limit=1000", token=None))


def slow(tap, node):
    with tap.case("readers that stop reading are dropped and hold little; the others hear everything"):
        u = urllib.parse.urlsplit(node.url)
        socks = []
        for _ in range(20):
            s = socket.create_connection((u.hostname, u.port))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            socks.append(s)
        good = node.stream("type=gossip.message")
        data = "x" * 15000
        n = 60
        for i in range(n):
            node.post(TOPIC + "chat/messages", {"data": data + str(i)})
        seen = 0
        last = ""
        while not last.endswith("x%d" % (n - 1)):
            last = good.find("gossip.message")["data"]["data"]["data"]
            seen += 1
        good.close()
        for s in socks:
            s.close()
        assert seen >= 1

    with tap.case("streams whose readers left are forgotten"):
        wait_for(lambda: "guts_http_event_streams 0" in node.request("GET", "/metrics").data.decode(), "end of all streams")

    with tap.case("more streams than allowed get 503"):
        streams = [Stream(node.url, "/api/v1/events") for _ in range(30)]
        a = node.request("GET", "/api/v1/events", headers={"Accept": "text/event-stream"})
        assert a.status == 503 and a.headers["retry-after"], a.status
        for s in streams:
            s.close()
    with tap.case("SIGTERM ends open streams and waiting polls, and the node with 0"):
        wait_for(lambda: "guts_http_event_streams 0" in node.request("GET", "/metrics").data.decode(), "end of all streams")
        s = node.stream()
        s.find("hello")
        newest = node.get("/api/v1/events?since=0&limit=1")["newest"]
        u = urllib.parse.urlsplit(node.url)
        poll = socket.create_connection((u.hostname, u.port))
        poll.sendall(b"GET /api/v1/events?since=%d&wait=60&type=x HTTP/1.1\r\nHost: localhost\r\n\r\n" % newest)
        wait_for(lambda: "guts_http_active_connections 3" in node.request("GET", "/metrics").data.decode(), "the poll")
        node.stop()
        while s.next() is not None:
            pass
        poll.recv(100000)
        poll.close()
    with tap.case("after a restart a stream goes on where it was"):
        node.start()
        s = node.stream(last_id=newest)
        ids = [int(s.find(lambda f: "id" in f)["id"]) for _ in range(2)]
        assert ids == [newest + 1, newest + 2], ids
        s.close()
        node.stop()


def main():
    tap = Tap()
    with tap.net() as net:
        node = net.node(args=["--set", "http.max_streams=30"])
        stream(tap, node)
        filters(tap, node)
        poll(tap, node)
        told(tap, net, node)
        cloudevents(tap, node)
        rights(tap, node)
        slow(tap, node)
        limits(tap, net)
    tap.done()


main()
