"""A large repository (GUTS_LONG: 20,000 commits, over 100 MB; else a tenth) goes from A through B to C: every ref is
equal, git finds nothing wrong, and no node takes more than 256 MiB with its git children above what it had when idle.
"""
import os
import sys
import threading

from gutslib import LONG, SRCDIR, Tap, git, ls_remote, wait_for

sys.path.insert(0, os.path.join(SRCDIR, "tests", "bench"))
import bigrepo  # noqa: E402

COMMITS = bigrepo.COMMITS if LONG else bigrepo.COMMITS // 10
MEMORY_MAX = 256 << 10  # [KiB]

tap = Tap()


def family(pid):
    """The process and all that descend from it."""
    out = [pid]
    for p in out:
        try:
            with open("/proc/%d/task/%d/children" % (p, p)) as f:
                out += map(int, f.read().split())
        except OSError:
            pass
    return out


def memory_kib(node):
    """Proportional share of memory of a node and its children."""
    total = 0
    for pid in family(node.pid):
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            pass  # it ended
    return total


def all_refs(url):
    return {r: o for r, o in ls_remote(url).items() if r != "HEAD"}


class Peak:
    """Samples the memory of nodes until closed."""

    def __init__(self, nodes):
        self.idle = {n: memory_kib(n) for n in nodes}
        self.most = dict(self.idle)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        while not self.over.wait(0.05):
            for n in self.most:
                self.most[n] = max(self.most[n], memory_kib(n))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *e):
        self.over.set()
        self.thread.join()

    def growth(self, node):
        return self.most[node] - self.idle[node]


with tap.net() as net:
    # A sanitizer keeps freed memory for a while; what is measured here is what is in use.
    a, b, c = net.line(3, env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"})
    source = net.path("source.git")
    tip = bigrepo.make(source, COMMITS)
    git("tag", "-a", "-m", "release", "v1", "HEAD~100", cwd=source)
    for i in range(20):
        git("branch", "work/%d" % i, "HEAD~%d" % (i * 7 + 1), cwd=source)
    refs = all_refs(source)
    with Peak([a, b, c]) as peak:
        with tap.case("%d commits are pushed to A and arrive at C, which only B is linked to" % COMMITS):
            repo = a.create("big")
            git("push", "-q", a.git_url(repo), "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*", cwd=source, timeout=1200)
            wait_for(lambda: c.refs(repo["id"]).get("refs/heads/main") == tip, "main on C", timeout=1200, every=0.2)
            assert {r: o for r, o in refs.items() if not r.endswith("^{}")} == c.refs(repo["id"])
        with tap.case("a clone from C has every ref and is whole"):
            git("clone", "-q", "--mirror", c.git_url(repo), net.path("clone.git"), timeout=1200)
            assert all_refs(net.path("clone.git")) == refs
            git("fsck", "--full", "--strict", cwd=net.path("clone.git"), timeout=1200)
    for node in (a, b, c):
        with tap.case("%s and its children took at most 256 MiB above idle" % node.name):
            print("# %s: idle %d KiB, peak %d KiB above it" % (node.name, peak.idle[node], peak.growth(node)))
            assert peak.growth(node) <= MEMORY_MAX, peak.growth(node)

tap.done()
