"""streams.py - event streams: memory of each, the time of one event to all, and readers that stop beside others that read on."""
import time
import urllib.parse

from benchlib import QUICK, Ends, figure, helper, number, quantile, verdict
from gutslib import Net

MANY = 500 if QUICK else 5000
EVENTS = 10 if QUICK else 50
TOPIC = "/api/v1/gossip/topics/bench"


def start(ends, node, streams):
    end = ends.start([helper("streamend"), str(urllib.parse.urlsplit(node.url).port), "/api/v1/events"])
    end.ask("open %d" % streams)
    return end


class Clock:
    """One event after the other, each with a text of its own."""

    def __init__(self, node):
        self.node, self.n = node, 0

    def tell(self, end, size=0):
        """[ms] until the median, the 99th of a hundred and the last stream showed it."""
        self.n += 1
        mark = "mark%06d" % self.n
        end.tell("wait " + mark)
        began = time.monotonic_ns()
        self.node.post(TOPIC + "/messages", {"data": mark + "x" * size})
        return [(int(t) - began) / 1e6 for t in end.line().split()]


def crowd(net):
    node = net.node("crowd", args=["--set", "http.max_streams=%d" % MANY])
    node.put(TOPIC)
    before = node.rss_kib()
    with Ends() as ends:
        end = start(ends, node, MANY)
        figure("%d idle streams, memory of each" % MANY, "KiB", [(node.rss_kib() - before) / MANY], at_most=12)
        clock = Clock(node)
        figure("one event to all of them, the last", "ms", [clock.tell(end)[2] for _ in range(EVENTS)], at_most=100)
    node.stop()


def stopped(net):
    """The same readers alone, then beside as many that stopped; large events, so that the stopped ones are full soon."""
    p99 = {}
    for others in (0, 100):
        node = net.node("stopped%d" % others)
        node.put(TOPIC)
        clock = Clock(node)
        with Ends() as ends:
            end = start(ends, node, 100 + others)
            if others:
                end.ask("stop %d" % others)
            for _ in range(EVENTS):  # fills what the kernel takes for them
                clock.tell(end, 15000)
            p99[others] = quantile([clock.tell(end, 15000)[1] for _ in range(EVENTS * 2)], 0.99)
        node.stop()
    ratio = p99[100] / p99[0]
    print("  %-38s alone %s ms, beside 100 stopped %s ms   ratio %s%s" % (
        "100 readers, p99 of an event", number(p99[0]), number(p99[100]), number(ratio), verdict(ratio, at_most=2)))


if __name__ == "__main__":
    net = Net()
    try:
        crowd(net)
        stopped(net)
    finally:
        net.close()
