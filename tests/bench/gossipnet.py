"""gossipnet.py - networks of 10 and 20 processes beside js-libp2p: how long a message takes to each node, and memory.

Every node dials three others; messages of 256 bytes, 20 a second, each by another node.
"""
from benchlib import NODE, QUICK, Ends, compare, helper, need_packages, quantile, script
import random
import time

SIZES = (10,) if QUICK else (10, 20)
ROUNDS = 1 if QUICK else 3
MESSAGES = 60 if QUICK else 300
EVERY_MS = 50
PATIENCE = 60  # [s] for what has not come by then nobody waits any longer

need_packages()


def resident_kib(end):
    with open("/proc/%d/status" % end.process.pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def wait(condition):
    """True if it came to hold."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def network(command, n, seed):
    """One network's life: ([us of each delivery], how many did not come, median resident KiB)."""
    rng = random.Random(seed)
    with Ends() as ends:
        nodes = [ends.start(command) for _ in range(n)]
        addresses = [node.line() for node in nodes]
        dials = [(i, (i - 1) % n) for i in range(n)]  # the one before it, so that all hang together
        for i in range(n):  # and two more, no pair twice
            fresh = [(i, k) for k in range(n) if k != i and (i, k) not in dials and (k, i) not in dials]
            dials += rng.sample(fresh, min(2, len(fresh)))
        for i, k in dials:
            nodes[i].tell("dial " + addresses[k])
        wait(lambda: all(node.ask("mesh")[0] >= 3 for node in nodes))
        each = MESSAGES // n
        for k, node in enumerate(nodes):
            node.tell("publish %d %d" % (each, EVERY_MS * n))
            time.sleep(EVERY_MS / 1000)  # the nodes' turns
        for node in nodes:
            node.line()
        wait(lambda: all(node.ask("heard")[0] >= each * (n - 1) for node in nodes))
        took = [us for node in nodes for us in node.ask("report")]
        return took, each * n * (n - 1) - len(took), sorted(map(resident_kib, nodes))[n // 2]


for n in SIZES:
    p50, p99, lost, memory = ({"guts": [], "js": []} for _ in range(4))
    for round in range(ROUNDS):
        for name, command in (("guts", [helper("gossipnet")]), ("js", [NODE, script("gossipnet.mjs")])):
            took, missing, kib = network(command, n, round)
            lost[name].append(missing)
            p50[name].append(quantile(took, 0.5) / 1000)
            p99[name].append(quantile(took, 0.99) / 1000)
            memory[name].append(kib / 1024)
    print("  %d processes: deliveries that did not come: guts %d, js %d" % (n, sum(lost["guts"]), sum(lost["js"])))
    compare("%d processes, to each node, p50" % n, "ms", p50["guts"], "js", p50["js"])
    compare("%d processes, to each node, p99" % n, "ms", p99["guts"], "js", p99["js"], at_most=0.25)
    compare("%d processes, resident each" % n, "MiB", memory["guts"], "js", memory["js"], at_most=0.1)
