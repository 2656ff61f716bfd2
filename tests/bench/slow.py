"""slow.py - what a good client notices of 5,000 silent, 1,000 trickling and 1,000 half-sent requests that are there at once.

wrk asks for the status over four kept connections, without and with the crowd, in turn; each round's crowd is new.
"""
from benchlib import QUICK, compare, figure, rounds, wrk
from gutslib import Net, wait_for
from http_slow import Slow, counter

CROWD = {"silent": 500, "trickling": 100, "half-sent": 100} if QUICK else {"silent": 5000, "trickling": 1000, "half-sent": 1000}


def crowded(node, each):
    before = node.rss_kib()
    slow = Slow(node, CROWD)
    try:
        wait_for(lambda: counter(node, "guts_http_active_connections") >= sum(CROWD.values()), "the crowd")
        each.append((node.rss_kib() - before) / sum(CROWD.values()))
        return wrk(node.url + "/api/v1/status", 4)[1]
    finally:
        slow.close()
        wait_for(lambda: counter(node, "guts_http_active_connections") == 1, "the end of the crowd")


def main():
    net = Net()
    try:
        node, each = net.node("A"), []
        got = rounds({"alone": lambda: wrk(node.url + "/api/v1/status", 4)[1], "crowded": lambda: crowded(node, each)})
        compare("p99 of a good client among %d slow ones" % sum(CROWD.values()), "ms", got["crowded"], "alone", got["alone"], at_most=2)
        figure("memory of a slow connection", "KiB", each[:1])
    finally:
        net.close()


main()
