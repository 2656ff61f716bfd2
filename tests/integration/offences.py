"""offences.py - the table of offences: in the document, in the API, in metrics, and in what happens to a peer that breaks a rule."""
import datetime
import os
import re

from gutslib import SRCDIR, Tap, wait_for
from rawlib import NODE, Gone, Raw, frame, varint

PING = frame([(3, [(1, 7)])])


def documented():
    """Rows of the table in doc/protocol.md: (name, points, ends, reason)."""
    with open(os.path.join(SRCDIR, "doc", "protocol.md")) as f:
        text = f.read().split("\n## Offences\n")[1]
    return re.findall(r"^\| `(\w+)` \| (\d+) \| (\w+) \| (.*) \|$", text, re.M)


def count(node, name):
    return next(o["count"] for o in node.get("/api/v1/offences") if o["name"] == name)


def metric(node, name):
    text = node.request("GET", "/metrics").data.decode()
    return int(re.search(r'^guts_p2p_offences_total\{offence="%s"\} (\d+)$' % name, text, re.M).group(1))


tap = Tap()
with tap.net() as net:
    a = net.node("A")
    raw = Raw(NODE)

    with tap.case("the document has the table of the program"):
        table = a.get("/api/v1/offences")
        shown = [(o["name"], str(o["points"]), o["ends"], o["reason"]) for o in table]
        assert documented() == shown, [x for x in zip(documented(), shown) if x[0] != x[1]]
        assert all((o["ends"] == "ban") == (o["points"] == 100) and o["ban_seconds"] == 600 for o in table)
        assert all(o["name"] in a.cli("peers", "offences") for o in table)

    with tap.case("a small offence: points, a signal, recent offences, counters, no end of the link"):
        stream = a.stream("?type=peer.penalized")
        raw.connect(a)
        n = raw.hello()[0]
        raw.send(n, frame([(1, [])]))  # Hello again: out of order
        raw.ping(n)
        seen = wait_for(lambda: (p := a.get("/api/v1/peers/" + raw.id)["standing"])["offences"] and p, "the offence")
        assert -20 <= seen["score"] < 0 and seen["bans"] == 0, seen
        assert [(o["name"], o["count"], o["points"]) for o in seen["offences"]] == [("node_order", 1, 20)], seen
        told = stream.find("peer.penalized")["data"]
        assert told["peer"] == raw.id and told["data"]["offence"] == "node_order", told
        stream.close()
        assert count(a, "node_order") == 1 and metric(a, "node_order") == 1

    with tap.case("over the rate: counted, and nothing else"):
        raw.send(n, PING * 3000)
        wait_for(lambda: count(a, "node_rate") >= 1000, "messages over the rate")
        assert raw.id in a.peers()
        standing = a.get("/api/v1/peers/" + raw.id)["standing"]
        assert standing["offences"][0]["name"] == "node_rate" and standing["offences"][0]["points"] == 0, standing

    with tap.case("a frame that is not well formed: a ban with reason and expiry"):
        try:
            raw.send(n, varint(100) + b"\xff" * 100)
            raw.pump(lambda e: False)
            raise AssertionError("not cut")
        except Gone:
            pass
        ban = wait_for(lambda: a.get("/api/v1/bans"), "the ban")[0]
        assert ban["peer"] == raw.id and ban["until"] and "/guts/node" in ban["reason"], ban
        assert "/guts/node" in a.cli("peers", "bans")
        assert metric(a, "node_undecodable") == 1
        fact = wait_for(lambda: [f for f in a.facts() if f["type"] == "peer.banned"], "the fact")[-1]
        assert fact["data"]["reason"] == ban["reason"] and fact["data"]["until"], fact

    with tap.case("lifted by a person, the peer may come again, and its next ban is longer"):
        a.cli("peers", "lift", raw.id)
        raw.connect(a)
        n = raw.hello()[0]
        standing = wait_for(lambda: a.get("/api/v1/peers/" + raw.id), "the peer")["standing"]
        assert standing["bans"] == 1 and standing["offences"][0]["name"] == "node_undecodable", standing
        try:
            raw.send(n, varint(100) + b"\xff" * 100)
            raw.pump(lambda e: False)
        except Gone:
            pass
        longer = wait_for(lambda: a.get("/api/v1/bans"), "the second ban")[0]

        def length(b):
            since, until = (datetime.datetime.fromisoformat(b[k].replace("Z", "+00:00")) for k in ("since", "until"))
            return (until - since).total_seconds()
        assert length(ban) == 600 and length(longer) == 1200, (ban, longer)
    raw.close()

tap.done()
