"""flood.py - peers that send as fast as the line takes it, and one that makes up a million different things.

B and C are honest and meet only through A; B publishes to C all the time.  One hostile peer, then many, fill their
links to A with pings, duplicates of one message and orders to graft.  Every honest message arrives, and A does not grow.  Then one
peer subscribes to, announces and names whatever it can invent.  Memory is judged only of a build without sanitizers.  In check
a tenth of the peers, seconds and things; with GUTS_LONG all.
"""
import hashlib
import os
import time

from gutslib import LONG, Tap, sanitizer, wait_for
from rawlib import MESHSUB, NODE, Gone, Raw, frame, pb, varint

SECONDS = 60 if LONG else 6
CROWD = 50 if LONG else 5
THINGS = 10 ** 6 if LONG else 10 ** 5
MIB = 1024  # [KiB]
BACK_S = 300  # to all but some pages of the heap
PUSH = "/ipfs/id/push/1.0.0"
KAD = "/guts/kad/1.0.0"
PUT_VALUE, ADD_PROVIDER = 0, 2
TOPIC = "news"


def message(raw, topic, data):
    """A well signed gossip message."""
    fields = [(1, raw.raw_id), (2, data), (3, os.urandom(8)), (4, topic)]
    return (2, fields + [(5, raw.sign(b"libp2p-pubsub:" + pb(fields)))])


class Honest:
    """B publishes, C hears."""

    def __init__(self, b, c):
        self.b, self.c, self.sent = b, c, []

    def publish(self):
        text = "honest %d" % len(self.sent)
        self.b.post("/api/v1/gossip/topics/%s/messages" % TOPIC, {"data": text})
        self.sent.append(text)

    def heard(self):
        after, out = 0, set()
        while True:
            page = self.c.get("/api/v1/gossip/topics/%s/messages?limit=1000&after=%d" % (TOPIC, after))
            if not page:
                return out
            after = page[-1]["cursor"]
            out.update(m["data"] for m in page)

    def all_arrived(self):
        return self.heard().issuperset(self.sent[-900:])  # a node keeps the newest 1,000


def link(node):
    """A hostile peer with a link, and its streams."""
    raw = Raw(NODE, MESHSUB)
    raw.connect(node)
    n, pub = raw.hello()[0], raw.open(MESHSUB)
    raw.send(pub, frame([(1, [(1, 1), (2, TOPIC.encode())])]))
    return raw, n, pub


def flood(raw, n, pub):
    """Fill its link: pings, duplicates, grafts."""
    raw.tell("repeat", n, (frame([(3, [(1, 7)])]) * 100).hex())
    same = frame([message(raw, TOPIC.encode(), b"the same again")])
    grafts = frame([(3, [(3, [(1, TOPIC.encode())])])])
    raw.tell("repeat", pub, (same * 50 + grafts).hex())


def grown(node, before):
    return node.rss_kib() - before


tap = Tap()
measured = not sanitizer()
with tap.net() as net:
    a = net.node("A", args=["--set", "p2p.max_connections=100", "--set", "kad.mode=server"], dht=True)
    b = net.node("B", bootstrap=[a])
    c = net.node("C", bootstrap=[a])
    for x in (a, b, c):
        x.cli("gossip", "subscribe", TOPIC)
    for x in (b, c):
        a.wait_peer(x)
    honest = Honest(b, c)
    honest.publish()
    wait_for(honest.all_arrived, "the first message")

    def beside(peers, most, text):
        """Honest traffic while `peers` hostile ones flood A."""
        before, received = a.rss_kib(), a.get("/api/v1/status")["bytes_in"]
        crowd = [link(a) for _ in range(peers)]
        for raw, n, pub in crowd:
            flood(raw, n, pub)
        end, peak = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            honest.publish()
            peak = max(peak, grown(a, before))
            time.sleep(0.1)  # ten honest messages a second
        wait_for(honest.all_arrived, "every honest message", timeout=60)
        took = a.get("/api/v1/status")["bytes_in"] - received
        print("# %s: %d honest messages arrived, A took %.0f MB of the flood and grew by %.1f MiB" % (
            text, len(honest.sent), took / 1e6, peak / MIB))
        assert took > 1e6 and (not measured or peak <= most * MIB), peak
        left = set(a.peers())
        print("# %d of %d are still linked; offences: %s" % (len(left) - 2, peers, {
            o["name"]: o["count"] for o in a.get("/api/v1/offences") if o["count"]}))
        assert {b.id, c.id} <= left
        for raw, _, _ in crowd:
            raw.close()
        wait_for(lambda: set(a.peers()) == {b.id, c.id}, "the end of the crowd")

    with tap.case("one peer at line rate for %d s beside honest traffic" % SECONDS):
        beside(1, 16, "one peer")
    with tap.case("%d peers at line rate for %d s beside honest traffic" % (CROWD, SECONDS)):
        beside(CROWD, 64, "%d peers" % CROWD)

    def topics(raw, i, n):
        return [(MESHSUB, frame([(1, [(1, 1), (2, b"made/up/%d" % k)]) for k in range(i, i + n)]))]

    def ids(raw, i, n):
        return [(MESHSUB, frame([(3, [(1, [(1, TOPIC.encode())] + [(2, os.urandom(32)) for _ in range(n)])])]))]

    def addresses(raw, i, n):
        out = []
        for k in range(i, i + n, 200):
            addrs = [(2, b"\x04" + bytes([60 + (j >> 16) % 100, j >> 8 & 255, j & 255, 7]) + b"\x06\x0f\xa1") for j in range(k, k + 200)]
            out.append((PUSH, frame(addrs)))
        return out

    def repository_topics(raw, i, n):
        return [(MESHSUB, frame([(1, [(1, 1), (2, b"guts/main/repo/" + os.urandom(32).hex().encode())]) for _ in range(n)]))]

    def geneses(raw, n):
        """[(id, envelope)] of repositories that are nowhere."""
        now = int(time.time() * 1000)
        made = [pb([(4, raw.raw_id), (5, os.urandom(16)), (6, now), (7, 1), (8, b"made-up"), (10, b"main"), (13, 1), (14, raw.raw_id)])
                for _ in range(n)]
        return zip((hashlib.sha256(m).digest() for m in made), raw.seal_all("guts-identity", "guts/identity/1", made))

    def repositories(raw, i, n):
        return [(NODE, b"".join(frame([(5, [(1, envelope)])]) for _, envelope in geneses(raw, n)))]

    def providers(raw, i, n):
        said = [(9, [(1, raw.raw_id), (2, b"\x04\x7f\0\0\1\x06\x0f\xa1")])]
        return [(KAD, b"".join(frame([(1, ADD_PROVIDER), (2, b"\x12\x20" + os.urandom(32))] + said) for _ in range(n)))]

    def values(raw, i, n):
        return [(KAD, b"".join(frame([(1, PUT_VALUE), (2, b"/guts-repo/" + rid), (3, [(1, b"/guts-repo/" + rid), (2, envelope)])])
                               for rid, envelope in geneses(raw, n)))]

    def invent(make, count, at_once, each_another):
        """One process sends `count` different ones; a new key whenever it is cut, or each time, before its rate is used up."""
        raw, done, streams = Raw(NODE, MESHSUB), 0, None
        while done < count:
            try:
                if streams is None:
                    raw.rekey()
                    raw.connect(a)
                    streams = {NODE: raw.hello()[0], MESHSUB: raw.open(MESHSUB)}
                for protocol, data in make(raw, done, at_once):
                    s = streams.get(protocol) or raw.open(protocol)
                    raw.send(s, data)
                    if protocol not in streams:
                        raw.tell("finish", s)
                done += at_once
                raw.ping(streams[NODE])  # looked at before the next
            except Gone:
                streams = None
            if each_another:
                streams = None
        raw.close()

    # What costs the inventor a signature or a link each: fewer of them in check.
    SIGNED, LINKED = (THINGS, THINGS) if LONG else (THINGS // 20, THINGS // 5)
    first_told = a.get("/api/v1/status")["events"]["newest"]
    for name, make, count, at_once, each_another, is_kept in (
            ("topics", topics, THINGS, 2000, False, False),
            ("message ids", ids, THINGS, 1500, False, False),
            ("addresses", addresses, THINGS, 200, False, False),
            ("topics of repositories", repository_topics, THINGS, 700, False, False),
            ("repositories", repositories, SIGNED, 900, True, False),
            # A DHT's server keeps them for two days, as many as its caps allow.
            ("repositories it provides", providers, LINKED, 1900, True, True),
            ("repositories' genesis records", values, SIGNED, 500, True, True)):
        with tap.case("%d distinct %s from one peer" % (count, name)):
            before = a.rss_kib()
            invent(make, count, at_once, each_another)
            after = grown(a, before)
            honest.publish()
            wait_for(honest.all_arrived, "an honest message")
            if measured and not is_kept:
                wait_for(lambda: grown(a, before) <= 4 * MIB, "the memory to come back", timeout=BACK_S, every=1)
            print("# %s: A grew by %.1f MiB, after it by %.1f; it knows %d topics" % (
                name, after / MIB, grown(a, before) / MIB, len(a.get("/api/v1/gossip/topics"))))
            assert not measured or after <= 16 * MIB, after
    with tap.case("that A keeps none of them is told of a few"):
        told = a.get("/api/v1/events?type=repo.refused&limit=1000&since=%d" % first_told)["events"]
        assert 0 < len(told) <= 300, len(told)  # a hundred at once, and a hundred an hour
tap.done()
