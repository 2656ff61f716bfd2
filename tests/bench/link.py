"""link.py - a secured link beside js-libp2p: handshakes, bulk, ping; and bulk beside bare encryption.

Two processes a side, TCP on loopback, Noise and yamux, no other protocol running on the link; but "whole peers" are
those of the peer manager, with identify and all tables and limits, one link after the other.
"""
from benchlib import BUILDDIR, NODE, QUICK, Ends, compare, helper, need_packages, rounds, script
import json
import os
import subprocess
import time

MS = 500 if QUICK else 1000  # [ms] of each handshake measurement
BULK = (64 if QUICK else 256) << 20  # [bytes] per measurement of ours
BULK_JS = BULK // 4  # the rate is what counts; js is slower
PINGS = 500 if QUICK else 2000

need_packages()


def pair(ends, command, last=()):
    """Both ends of a link; returns the one that measures."""
    address = ends.start(command + ["serve"] + list(last)).line()
    end = ends.start(command + ["dial", address] + list(last))
    end.line()
    return end


class Peers:
    """Two peer managers; `redial` makes links and closes them."""

    def __init__(self, ends):
        probe = os.path.join(BUILDDIR, "tests", "interop", "peer_probe")
        listener = ends.start([probe])
        self.address = json.loads(listener.line())["listen"]
        listener.drain()
        self.dialler = ends.start([probe])
        self.dialler.line()

    def rate(self, count):
        start = time.monotonic()
        self.dialler.tell(json.dumps({"cmd": "redial", "addr": self.address, "count": count, "id": 1}))
        while json.loads(self.dialler.line()).get("id") != 1:
            pass
        return count / (time.monotonic() - start)


def rate(pair, scale):
    count, ns = pair
    return count * scale / ns


def ceiling():
    out = subprocess.run([helper("linkend"), "aead", str(BULK)], stdout=subprocess.PIPE, check=True, timeout=60).stdout
    return rate([int(w) for w in out.split()], 1e3)


with Ends() as ends:
    ours = pair(ends, [helper("linkend")])
    js = pair(ends, [NODE, script("linkend.mjs")])
    js.ask("up %d" % (32 << 20))  # its compiler has seen the code
    js.ask("handshakes 500 4")

    for n in 1, 4:
        got = rounds({"guts": lambda: rate(ours.ask("handshakes %d %d" % (MS, n)), 1e9),
                      "js": lambda: rate(js.ask("handshakes %d %d" % (MS, n)), 1e9)})
        compare("new links, %d at a time" % n, "/s", got["guts"], "js", got["js"], at_least=15)

    peers, js_peers = Peers(ends), pair(ends, [NODE, script("linkend.mjs")], ["whole"])
    got = rounds({"guts": lambda: peers.rate(MS // 2), "js": lambda: rate(js_peers.ask("handshakes %d 1" % MS), 1e9)})
    compare("new links of whole peers, 1 at a time", "/s", got["guts"], "js", got["js"])

    for way in "up", "down":
        got = rounds({"guts": lambda: rate(ours.ask("%s %d" % (way, BULK)), 1e3), "bare": ceiling,
                      "js": lambda: rate(js.ask("%s %d" % (way, BULK_JS)), 1e3)})
        compare("bulk %s, one stream" % way, "MB/s", got["guts"], "js", got["js"])
        compare("  beside ChaCha20-Poly1305 over TCP", "MB/s", got["guts"], "bare", got["bare"], at_least=0.8)

    got = rounds({"guts": lambda: ours.ask("ping %d" % PINGS), "js": lambda: js.ask("ping %d" % PINGS)})
    for i, name in enumerate(("p50", "p99")):
        compare("ping, one stream, %s" % name, "us", [v[i] / 1e3 for v in got["guts"]], "js",
                [v[i] / 1e3 for v in got["js"]], at_most=0.25 if i == 0 else None)
