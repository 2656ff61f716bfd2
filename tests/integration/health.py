"""health.py - each part of the node says how it is: no peers, a disk that fails, a webhook nobody answers, jobs without a runner, and each
of them again when it is well."""
import json

from crashlib import Killpoint
from gutslib import Tap, free_port, request, wait_for
from hooklib import ALLOW, Receiver

PARTS = ["p2p", "dht", "gossip", "sync", "store", "git", "http", "webhooks", "sinks", "ci"]


def part(node, name, token=True):
    return {s["name"]: s for s in node.get("/api/v1/status", token=token)["health"]["subsystems"]}[name]


def becomes(node, name, state):
    return wait_for(lambda: (p := part(node, name))["state"] == state and p, "%s to be %s" % (name, state))


def metric(node, name):
    line = 'guts_health{subsystem="%s"} ' % name
    text = node.request("GET", "/metrics").data.decode()
    return [int(row[len(line):]) for row in text.splitlines() if row.startswith(line)]


def wait_told(node, name, state):
    """The log has the change, and by that the signal."""
    start = "%s is %s" % (name, state)
    wait_for(lambda: any(row["area"] == "health" and row["text"].startswith(start) for row in node.get("/api/v1/log?limit=1000")), start)


tap = Tap()
with tap.net() as net:
    absent = "/ip4/127.0.0.1/tcp/%d/p2p/12D3KooWLt4kqhaib9sDQuZk3jKkUtZNxpnugFJ4UZNF6kH5vvHm" % free_port()
    a = net.node("A", args=ALLOW + ["--set", "p2p.connection_timeout=3s", "--bootstrap", absent])
    b = net.node("B")
    with tap.case("every part has a state, a reason where it has something to say, and a time; strangers see it too"):
        becomes(b, "dht", "off")
        status = b.get("/api/v1/status", token=None)
        assert [s["name"] for s in status["health"]["subsystems"]] == PARTS and status["health"]["state"] == "ok", status["health"]
        now = {s["name"]: s["state"] for s in status["health"]["subsystems"]}
        assert now == dict.fromkeys(PARTS, "ok") | {"dht": "off", "webhooks": "off", "sinks": "off", "ci": "off"}, now
        assert "none is given" in part(b, "p2p")["reason"] and part(b, "store")["reason"] is None
        assert all(metric(b, p) == [0 if now[p] == "off" else 1] for p in PARTS)
    with tap.case("p2p: a node that listens everywhere says so before anybody has told it an address"):
        everywhere = net.node("everywhere", listen="/ip4/0.0.0.0/tcp/0")
        said = everywhere.get("/api/v1/status")
        assert len(everywhere.ready["listen"]) == 1 and said["listen"][0].startswith("/ip4/0.0.0.0/tcp/"), said
        assert said["listen"][0].endswith("/p2p/" + everywhere.id) and "listening" in everywhere.cli("status")
        becomes(everywhere, "dht", "off")
        assert part(everywhere, "p2p")["state"] == "ok", said
        everywhere.stop()
    with tap.case("p2p: no peer although some are configured; well again with the first link"):
        stream = a.stream("type=node.health")
        p = becomes(a, "p2p", "degraded")
        assert "p2p.bootstrap_nodes" in p["reason"] and a.get("/api/v1/status")["health"]["state"] == "degraded", p
        assert metric(a, "p2p") == [2]
        wait_told(a, "p2p", "degraded")
        assert "p2p is degraded" in a.cli("status") and "health        ok" in b.cli("status")
        a.post("/api/v1/peers", {"address": b.addr})
        assert becomes(a, "p2p", "ok")["since"] > p["since"]
        wait_told(a, "p2p", "ok")
        frame = stream.find(lambda f: f.get("event") == "node.health" and f["data"]["data"]["subsystem"] == "p2p" and f["data"]["data"]["state"] == "ok")
        assert "id" not in frame
        stream.close()
    with tap.case("webhooks: one that nobody answers, one that is well, none"):
        dead = a.post("/api/v1/hooks", {"events": ["*"], "config": {"url": "http://127.0.0.1:%d/" % free_port()}})
        becomes(a, "webhooks", "ok")
        a.post("/api/v1/hooks/%d/pings" % dead["id"])
        assert "1 of 1" in becomes(a, "webhooks", "failing")["reason"]
        receiver = Receiver()
        good = a.post("/api/v1/hooks", {"events": ["ping"], "config": {"url": receiver.url()}})
        a.post("/api/v1/hooks/%d/pings" % good["id"])
        assert "1 of 2" in becomes(a, "webhooks", "degraded")["reason"]
        a.patch("/api/v1/hooks/%d" % dead["id"], {"active": False})
        assert becomes(a, "webhooks", "ok")["reason"] is None
        receiver.close()
        for hook in dead, good:
            a.delete("/api/v1/hooks/%d" % hook["id"])
        becomes(a, "webhooks", "off")
    with tap.case("store: a disk that fails; well again with the next write"):
        kp = Killpoint(b, "fail", "ENOSPC", 1, 0)
        refused = b.request("POST", "/api/v1/tokens", {"name": "lost", "scopes": ["read"]})
        assert refused.status == 507, refused.data
        p = becomes(b, "store", "failing")
        assert "space" in p["reason"] and b.get("/api/v1/status")["health"]["state"] == "failing" and metric(b, "store") == [3], p
        assert request(b.url, "GET", "/readyz").status == 200  # it serves what it has
        kp.end()
        b.post("/api/v1/tokens", {"name": "kept", "scopes": ["read"]})
        assert becomes(b, "store", "ok")["reason"] is None
    with tap.case("http: all streams are taken"):
        b.patch("/api/v1/config", {"http.max_streams": 1})
        stream = b.stream()
        assert "http.max_streams" in becomes(b, "http", "degraded")["reason"]
        stream.close()
        becomes(b, "http", "ok")
    with tap.case("ci: queues make it more than off"):
        repo = b.create("demo")
        queue = b.post("/api/v1/repos/%s/ci/queues" % repo["id"], {})
        becomes(b, "ci", "ok")
        b.delete("/api/v1/ci/queues/%s" % json.dumps(queue["id"]))
        becomes(b, "ci", "off")
tap.done()
