"""gossip.py - gossipsub from one node to another beside js-libp2p: 256 bytes a message, every one signed and checked.

bench_gossip.c measures the object alone.
"""
from benchlib import NODE, QUICK, Ends, compare, helper, need_packages, rounds, script
import time

COUNT = 4000 if QUICK else 16000
COUNT_JS = COUNT // 8  # the rate is what counts; js is slower

need_packages()


class Pair:
    def __init__(self, ends, command):
        self.hears = ends.start(command + ["serve"])
        self.says = ends.start(command + ["dial", self.hears.line()])
        self.says.line()

    def rate(self, count):
        """Messages per second from the first one's making to the last one's delivery."""
        self.hears.ask("expect %d" % count)
        start = time.monotonic()
        self.says.tell("publish %d" % count)
        self.hears.line()
        return count / (time.monotonic() - start)


with Ends() as ends:
    ours = Pair(ends, [helper("gossipend")])
    js = Pair(ends, [NODE, script("gossipend.mjs")])
    js.rate(1000)  # its compiler has seen the code
    got = rounds({"guts": lambda: ours.rate(COUNT), "js": lambda: js.rate(COUNT_JS)})
compare("messages, one node to another", "/s", got["guts"], "js", got["js"], at_least=10)
