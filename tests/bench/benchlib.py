"""benchlib - what the benches share: interleaved rounds, medians, ratios with their goal, helper processes.

    with Ends() as ends:
        ours, theirs = ends.start([...]), ends.start([...])
        got = rounds({"guts": lambda: ours.ask("up 1000"), "js": lambda: theirs.ask("up 1000")})
    compare("bulk up", "MB/s", got["guts"], "js", got["js"], at_least=3)

Sides are measured in turn, A B A B ..., so that what else the machine does hits all alike; a ratio is taken
within each round.  Printed are the median and (lowest .. highest).  Nothing here fails because of a time.
"""
import os
import re
import select
import subprocess
import sys
import threading
import time

QUICK = bool(os.environ.get("GUTS_BENCH_QUICK"))
ROUNDS = 1 if QUICK else 5
SRCDIR = os.environ.get("GUTS_SRCDIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILDDIR = os.environ.get("GUTS_BUILDDIR", os.path.join(SRCDIR, "build"))
NODE = os.environ.get("NODE", "node")
DEADLINE = 60  # [s] for one answer; bounds a failure only

sys.path.insert(0, os.path.join(SRCDIR, "tests", "integration"))
sys.stdout.reconfigure(line_buffering=True)


class End:
    """A process that is told lines and answers each with one line of numbers."""

    def __init__(self, command):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buffer = b""
        self.reader = None

    def line(self):
        end = time.monotonic() + DEADLINE
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise RuntimeError("%s %s" % (" ".join(self.command), "ended" if ready else "does not answer"))
            self.buffer += data
        out, _, self.buffer = self.buffer.partition(b"\n")
        return out.decode()

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.tell(line)
        return [int(word) for word in self.line().split()]

    def drain(self):
        """Nobody wants to hear the rest, but it must not wait for a reader."""
        def read():
            while os.read(self.process.stdout.fileno(), 65536):
                pass
        self.reader = threading.Thread(target=read)
        self.reader.start()

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.reader:
            self.reader.join()
        self.process.stdout.close()


class Ends:
    """Processes that end with the block."""

    def __init__(self):
        self.all = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in reversed(self.all):
            end.stop()

    def start(self, command):
        self.all.append(End(command))
        return self.all[-1]


def helper(name):
    """Path of a helper program of this folder."""
    return os.path.join(BUILDDIR, "tests", "bench", name)


def script(name):
    """Path of a file of this folder."""
    return os.path.join(SRCDIR, "tests", "bench", name)


def need_packages():
    """Without js-libp2p there is nothing to compare with."""
    if not os.path.isdir(os.path.join(SRCDIR, "tests", "interop", "node_modules", "libp2p")):
        print("  not measured: npm packages are missing (npm ci in tests/interop)")
        sys.exit(0)


def rounds(sides, count=ROUNDS, seconds=45):
    """{name: measure()} → {name: [value per round]}, the sides in turn; no new round after so many seconds."""
    out = {name: [] for name in sides}
    end = time.monotonic() + seconds
    for done in range(count):
        if done and time.monotonic() > end:
            break
        for name, measure in sides.items():
            out[name].append(measure())
    return out


def median(values):
    v = sorted(values)
    return (v[(len(v) - 1) // 2] + v[len(v) // 2]) / 2


def quantile(values, q):
    v = sorted(values)
    return v[min(len(v) - 1, int(len(v) * q))]


def number(v):
    return "%s" % format(v, ",.0f" if abs(v) >= 100 else ".3g" if abs(v) < 10 else ".1f")


def spread(values):
    if len(values) == 1:
        return number(values[0])
    return "%s (%s .. %s)" % (number(median(values)), number(min(values)), number(max(values)))


def verdict(value, at_least=None, at_most=None):
    if at_least is not None:
        return "   goal >= %s: %s" % (number(at_least), "met" if value >= at_least else "NOT met")
    if at_most is not None:
        return "   goal <= %s: %s" % (number(at_most), "met" if value <= at_most else "NOT met")
    return ""


def compare(title, unit, ours, name, theirs, at_least=None, at_most=None):
    """One line: our figure, theirs, and the ratio ours / theirs against its goal."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    print("  %-38s guts %s %s   %s %s   ratio %s%s" % (title, spread(ours), unit, name, spread(theirs), spread(ratios),
                                                      verdict(median(ratios), at_least, at_most)))


def figure(title, unit, values, at_least=None, at_most=None):
    """One line for a figure that has nothing beside it."""
    print("  %-38s guts %s %s%s" % (title, spread(values), unit, verdict(median(values), at_least, at_most)))


def wrk(url, connections=64, headers=()):
    """(requests per second, p99 [ms]) over connections that stay open, in one second (wrk takes whole ones)."""
    out = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d1s", "--latency"] + [x for h in headers for x in ("-H", h)] + [url],
                         stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
    if "Non-2xx" in out:
        raise RuntimeError("wrk %s: %s" % (url, out))
    value, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)", out).groups()
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", out).group(1)), float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
