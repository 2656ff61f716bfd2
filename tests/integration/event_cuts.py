"""event_cuts.py - a reader of the event stream that is cut at random bytes, at a node that is killed again and again.

A writer makes facts as fast as the node takes them.  The reader resumes with the id of the last event that it has whole, as an
EventSource does.  At the end it must have every id once, in order, each with the content that the log has, and every write that
the node acknowledged must be among them.
"""
import json
import random
import socket
import threading
import time
import urllib.parse

from gutslib import DEADLINE, LONG, SEED, Tap
from crashlib import Times, pinned

EVENTS, CUTS, KILLS = (10000, 1000, 10) if LONG else (600, 100, 3)


def repo_id(i):
    """A repository id that is nobody's."""
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return "bafkrei" + "a" * 44 + "".join(alphabet[i >> s & 31] for s in (25, 20, 15, 10, 5, 0)) + "aa"


class Writer(threading.Thread):
    """Facts until told to stop; keeps what was acknowledged."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node = node
        self.acked = []
        self.over = threading.Event()
        self.start()

    def run(self):
        i = 0
        while not self.over.is_set():
            rid, i = repo_id(i), i + 1
            try:
                self.node.put("/api/v1/repos/%s/policy" % rid, {"policy": "block"})
            except Exception:  # killed; whether it was done shows in the log
                time.sleep(0.01)
                continue
            self.acked.append(rid)


class Reader:
    """One EventSource after the other."""

    def __init__(self, node, chance):
        self.node, self.chance = node, chance
        self.last = 0
        self.got = {}
        self.cuts = 0

    def open(self):
        url = urllib.parse.urlsplit(self.node.url)
        sock = socket.create_connection((url.hostname, url.port), timeout=DEADLINE)
        sock.sendall(("GET /api/v1/events HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\n"
                      "Last-Event-ID: %d\r\n\r\n" % (url.netloc, self.node.token, self.last)).encode())
        return sock

    def take(self, frame):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line)
        assert fields.get("event") != "reset", "the node forgot events"
        if "id" not in fields or fields.get("event") == "cursor":
            return
        n = int(fields["id"])
        assert n == self.last + 1, "event %d after %d" % (n, self.last)
        self.got[n] = json.loads(fields["data"])
        self.last = n

    def once(self, most):
        """Read at most so many bytes of the body, chunk headers included, then leave without a word."""
        sock, raw, body = self.open(), b"", b""
        try:
            while b"\r\n\r\n" not in raw:
                more = sock.recv(4096)
                if not more:
                    return
                raw += more
            head, raw = raw.split(b"\r\n\r\n", 1)
            assert b" 200 " in head.split(b"\r\n")[0], head
            left = most - len(raw)
            while left > 0:
                more = sock.recv(min(left, 65536))
                if not more:
                    break
                raw, left = raw + more, left - len(more)
        finally:
            sock.close()
        raw = raw[:most]
        if b"chunked" in head.lower():  # whole chunks, and of the last what came of it
            while b"\r\n" in raw:
                size, raw = raw.split(b"\r\n", 1)
                n = int(size, 16)
                body, raw = body + raw[:n], raw[n + 2:]
        else:
            body = raw
        for frame in body.decode(errors="ignore").split("\n\n")[:-1]:
            self.take(frame)
        self.cuts += 1

    def run(self, enough):
        while not enough():
            try:
                self.once(self.chance.choice((200, 900, 3000, 20000)) + self.chance.randrange(1000))
            except (ConnectionError, socket.timeout):
                time.sleep(0.01)


tap = Tap()
with tap.net() as net:
    node = pinned(net, "A")
    chance = random.Random(SEED)
    times = Times()
    print("# seed %d" % SEED)
    with tap.case("%d events, %d cuts, %d kills: each event once, in order, as the log has it" % (EVENTS, CUTS, KILLS)):
        writer, reader = Writer(node), Reader(node, chance)
        for k in range(1, KILLS + 1):
            reader.run(lambda: reader.last >= EVENTS * k // (KILLS + 1) and reader.cuts >= CUTS * k // (KILLS + 1))
            node.kill()
            times.start(node)
        reader.run(lambda: reader.last >= EVENTS and reader.cuts >= CUTS)
        writer.over.set()
        writer.join(DEADLINE)
        log = {f["id"]: f for f in node.facts()}
        assert sorted(reader.got) == list(range(1, reader.last + 1))
        wrong = [n for n in reader.got if reader.got[n] != log[n]]
        assert not wrong, "events that differ from the log: %s" % wrong[:5]
        told = {f.get("repo") for f in log.values() if f["type"] == "repo.policy"}
        assert set(writer.acked) <= told, "acknowledged, but not in the log"
        print("# %d events, %d cuts, %s" % (reader.last, reader.cuts, times))
tap.done()
