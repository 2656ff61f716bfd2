"""gossip.py - gossipsub from one node to another beside js-libp2p: 256 bytes a message, every one signed and checked.

Then the object alone, without a link: new messages beside bare Ed25519 checks, and duplicates.
"""
from benchlib import NODE, QUICK, Ends, compare, figure, helper, need_packages, rounds, script
import subprocess
import time

COUNT = 4000 if QUICK else 16000
COUNT_JS = COUNT // 8  # the rate is what counts; js is slower
COUNT_OBJECTS = 4000 if QUICK else 20000

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


def objects():
    out = subprocess.run([helper("gossipend"), "objects", str(COUNT_OBJECTS)], stdout=subprocess.PIPE, check=True,
                         timeout=60).stdout
    return [COUNT_OBJECTS * 1e9 / int(word) for word in out.split()]


with Ends() as ends:
    ours = Pair(ends, [helper("gossipend")])
    js = Pair(ends, [NODE, script("gossipend.mjs")])
    js.rate(1000)  # its compiler has seen the code
    got = rounds({"guts": lambda: ours.rate(COUNT), "js": lambda: js.rate(COUNT_JS)})
compare("messages, one node to another", "/s", got["guts"], "js", got["js"], at_least=10)

got = rounds({"objects": objects})["objects"]
compare("the object alone, new messages", "/s", [g[0] for g in got], "bare checks", [g[2] for g in got], at_least=0.5)
figure("the object alone, duplicates", "/s", [g[1] for g in got], at_least=200000)
