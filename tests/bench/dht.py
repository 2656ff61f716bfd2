"""dht.py - lookups in the DHT of 10 and 20 processes on this machine, beside js-libp2p: the 20 servers closest to a random key.

Ours are whole nodes, asked by REST who provides a repository that nobody has, which walks to the closest; js runs
getClosestPeers.  Every process has links to a few that came before it; more are made by lookups.
bench_kad.c measures the object alone.
"""
import base64
import os
from concurrent.futures import ThreadPoolExecutor
import time

from benchlib import NODE, QUICK, Ends, compare, need_packages, quantile, rounds, script
from gutslib import Net

SIZES = [10] if QUICK else [10, 20]
LINKS = 3
COUNT = 60 if QUICK else 200
COUNT_JS = COUNT // 10
AT_ONCE = 8

need_packages()


def repo_id():
    """The text of a random repository id: CIDv1, raw, SHA-256."""
    raw = bytes([1, 0x55, 0x12, 0x20]) + os.urandom(32)
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


class Ours:
    def __init__(self, net, size):
        self.nodes = []
        for _ in range(size):
            self.nodes.append(net.node(bootstrap=self.nodes[-LINKS:], args=["--set", "kad.mode=server"], dht=True))
        self.took = []
        while any(n.get("/api/v1/dht")["size"] < size - 1 for n in self.nodes):
            time.sleep(0.1)

    def one(self, _=None):
        answer = self.nodes[0].post("/api/v1/dht/lookup", {"target": repo_id()})
        assert len(answer["closest"]) == len(self.nodes) - 1, answer
        self.took.append(answer["took_us"] / 1e3)

    def rate(self, at_once):
        start = time.monotonic()
        if at_once == 1:
            for _ in range(COUNT):
                self.one()
        else:
            with ThreadPoolExecutor(at_once) as pool:
                list(pool.map(self.one, range(COUNT)))
        return COUNT / (time.monotonic() - start)


class Js:
    def __init__(self, ends, size):
        self.ends, addrs = [], []
        for _ in range(size):
            end = ends.start([NODE, script("dhtend.mjs")] + addrs[-LINKS:])
            addrs.append(end.line())
            self.ends.append(end)
        for end in self.ends:
            end.ask("knows %d" % (size - 1))
        self.rate(1)  # its compiler has seen the code

    def rate(self, at_once):
        micros = self.ends[0].ask("lookups %d %d" % (COUNT_JS, at_once))[0]
        return COUNT_JS / (micros / 1e6)


for size in SIZES:
    net = Net()
    try:
        with Ends() as ends:
            ours, js = Ours(net, size), Js(ends, size)
            for at_once in (1, AT_ONCE):
                ours.took.clear()
                got = rounds({"guts": lambda: ours.rate(at_once), "js": lambda: js.rate(at_once)})
                compare("DHT lookups, %d processes, %d at once" % (size, at_once), "/s", got["guts"], "js", got["js"],
                        at_least=10)
                print("  %-38s p50 %.1f ms, p99 %.1f ms" % ("", quantile(ours.took, .5), quantile(ours.took, .99)))
    finally:
        net.close()
