"""push.py - a push by stock git: how long it takes, and when a linked node shows it.

The push itself is measured beside one to `git daemon`.  "Shows" is the event of the moved branch on the other node's
event stream, counted from the moment git has ended.
"""
from benchlib import QUICK, compare, figure, quantile
from clone import Daemon
from gutslib import Net, commit, git, work_tree
import threading
import time

PUSHES = 10 if QUICK else 60
SECONDS = 8 if QUICK else 30  # no further push after so long


class Watch:
    """When the branch moved to which commit, as one stream tells it."""

    def __init__(self, node):
        self.stream = node.stream("types=repo.ref.updated")
        self.changed = threading.Condition()
        self.seen = {}
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            frame = self.stream.next(600)
            if frame is None:
                return
            if frame.get("event") == "repo.ref.updated":
                with self.changed:
                    self.seen[frame["data"]["data"]["new"]] = time.monotonic()
                    self.changed.notify()

    def when(self, oid):
        with self.changed:
            if not self.changed.wait_for(lambda: oid in self.seen, 60):
                raise RuntimeError("the other node does not show %s" % oid)
            return self.seen[oid]


def push(work, url):
    start = time.monotonic()
    git("push", "-q", url, "main", cwd=work)
    return time.monotonic() - start


def main(net):
    a, b = net.line(2)
    repo = a.create("demo")
    work = work_tree(net.path("work"), {"src/f%d" % i: "line\n" * 50 for i in range(50)})
    git("init", "-q", "--bare", net.path("plain"))
    git("config", "daemon.receivepack", "true", cwd=net.path("plain"))
    watch = Watch(b)
    daemon = Daemon(net.dir)
    ours, theirs, later = [], [], []
    try:
        end = time.monotonic() + SECONDS
        for n in range(PUSHES + 1):
            if n > 1 and time.monotonic() > end:
                break
            oid = commit(work, "change %d" % n, {"src/f%d" % (n % 50): "line %d\n" % n * 50})
            took = push(work, a.git_url(repo))
            ended = time.monotonic()
            later.append(max(0, watch.when(oid) - ended) * 1e3)
            ours.append(took * 1e3)
            theirs.append(push(work, daemon.url + "/plain") * 1e3)
    finally:
        daemon.stop()
        watch.stream.close()
    del ours[0], theirs[0], later[0]  # the first one brings the whole repository
    compare("git push of one commit", "ms", ours, "git daemon", theirs)
    figure("shown by a linked node after that, p50", "ms", [quantile(later, 0.5)])
    figure("  p99 of %d" % len(later), "ms", [quantile(later, 0.99)], at_most=50)


if __name__ == "__main__":
    net = Net()
    try:
        main(net)
    finally:
        net.close()
