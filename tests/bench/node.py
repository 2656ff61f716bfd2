"""node.py - what a node costs that does nothing: time to start, memory, processor; and the same with many repositories."""
from benchlib import QUICK, figure
from concurrent.futures import ThreadPoolExecutor
from gutslib import Net
import os
import time

STARTS = 3 if QUICK else 10
REPOS = 100 if QUICK else 1000
TICK = os.sysconf("SC_CLK_TCK")


def start_ms(node):
    """From before exec until the line that says it serves."""
    node.stop()
    start = time.monotonic()
    node.start()
    return (time.monotonic() - start) * 1e3


def processor(node):
    """Time used so far [s]."""
    with open("/proc/%d/stat" % node.pid) as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICK


def idle(node):
    """(resident [MB], share of a processor [%]) over two seconds, once it has gone quiet."""
    before = -1
    while before != processor(node):
        before = processor(node)
        time.sleep(0.5)
    start = time.monotonic()
    time.sleep(2)
    return node.rss_kib() * 1024 / 1e6, (processor(node) - before) / (time.monotonic() - start) * 100


def main(net):
    node = net.node("A")
    figure("start of an empty node", "ms", [start_ms(node) for _ in range(STARTS)], at_most=100)
    memory, share = idle(node)
    figure("resident when idle", "MB", [memory], at_most=15)
    figure("processor when idle", "%", [share])
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: node.create("repo%d" % i), range(REPOS)))
    print("  %d repositories made in %.1f s" % (REPOS, time.monotonic() - began))
    figure("start with them", "ms", [start_ms(node) for _ in range(STARTS // 2)], at_most=2000)
    memory, share = idle(node)
    figure("resident when idle", "MB", [memory])
    figure("processor when idle", "%", [share])


if __name__ == "__main__":
    net = Net()
    try:
        main(net)
    finally:
        net.close()
