#!/usr/bin/env python3
"""demo - three nodes in a line replicate a real repository.

usage: demo.py [--repo PATH] [--once] [--keep]

    A --- B --- C      B is linked to A, C to B; A and C are not linked

  1. stock git pushes a repository (default: this project's own) to A
  2. C learns of it, fetches it through B, and shows it on its event stream
  3. stock git clones it from C; every ref is compared
  4. new commits are pushed to A and timed until C has them
  5. a push to A fires C's webhook; C's key, named by the owner, signs a commit status; A shows it, attributed to C

Then the dashboards' addresses are printed and everything stays up until Ctrl-C.  With --once it ends by itself; the exit
code is 0 only if all of it was verified.  --repo takes a folder with a git repository, --keep leaves the nodes' folders.
Run it by `./bootstrap demo`.  The environment names the program ($GUTS) and the source tree ($GUTS_SRCDIR).
"""
import argparse
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
TREE = os.environ.get("GUTS_SRCDIR") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TREE, "tests", "integration"))
import gutslib  # noqa: E402
from gutslib import ApiError, Net, commit, git, wait_for  # noqa: E402
from hooklib import ALLOW, Receiver, hook  # noqa: E402

COLOR = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
COMMITS = 3        # pushed and timed one after another
PATIENCE = 600     # [s] for C to have everything


def style(code, text):
    return "\033[%sm%s\033[0m" % (code, text) if COLOR else text


def title(text):
    print("\n" + style("1", "== " + text), flush=True)


def say(text):
    print("   " + text, flush=True)


def good(text):
    print(" %s %s" % (style("32", "✓"), text), flush=True)


def short(text):
    return "…" + text[-8:]


def size(n):
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return "%d %s" % (n, unit) if unit == "B" else "%.1f %s" % (n, unit)
        n /= 1024
    return "%.1f GiB" % n


class Line:
    """One line that is overwritten on a terminal; elsewhere only its last state is printed."""

    def __init__(self):
        self.text = ""
        self.live = sys.stdout.isatty()

    def show(self, text):
        self.text = text
        if self.live:
            print("\r\033[K   " + text[:max(20, shutil.get_terminal_size().columns - 5)], end="", flush=True)

    def end(self):
        if self.live:
            print("\r\033[K", end="", flush=True)


def source_git(path, *args):
    """git in the repository that is shown; it may belong to another user, and is only read."""
    return git("-c", "safe.directory=*", *args, cwd=path)


def usable(path):
    """Can this repository be pushed as a whole?  (A tarball has none, a shallow clone has not all.)"""
    try:
        return bool(refs_of(path)) and source_git(path, "rev-parse", "--is-shallow-repository").strip() == "false"
    except (AssertionError, OSError):
        return False


def made_up(path):
    """A repository with some history, for a source tree that is no clone."""
    stream = ["blob\nmark :1\ndata 6\nhello\n\n"]
    for i in range(500):
        text = "line %d\n" % i * 20
        stream.append("commit refs/heads/main\ncommitter Alice <alice@example.org> %d +0000\ndata %d\ncommit %d\n\n"
                      "M 100644 inline file%d.txt\ndata %d\n%s\n" % (1700000000 + i * 60, len("commit %d\n" % i), i, i % 50,
                                                                  len(text), text))
    stream.append("tag v1.0\nfrom refs/heads/main\ntagger Alice <alice@example.org> 1700100000 +0000\ndata 4\nv1.0\n\n")
    git("init", "-q", "--bare", path)
    git("fast-import", "--quiet", cwd=path, input="".join(stream))
    return path


def refs_of(path):
    """{name: oid} of branches and tags; a detached HEAD counts as main."""
    out = {}
    for line in source_git(path, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags").splitlines():
        oid, name = line.split(" ", 1)
        out[name] = oid
    if not any(name.startswith("refs/heads/") for name in out):
        out["refs/heads/main"] = source_git(path, "rev-parse", "HEAD").strip()
    return out


def git_env(node):
    """Stock git with nothing of this machine's configuration but our credential helper."""
    return dict(os.environ, **dict(gutslib.GIT_ENV, GUTS_HOME=node.home, GUTS_URL="", GUTS_TOKEN=""))


def push(node, path, url, refspecs):
    """git push with its progress on the terminal; returns seconds."""
    cmd = ["git", "-c", "safe.directory=*", "-c", "credential.helper=!'%s' credential" % gutslib.GUTS, "push", "--progress",
           url] + refspecs
    started = time.monotonic()
    process = subprocess.Popen(cmd, cwd=path, env=git_env(node), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    line, said, text = Line(), [], b""
    while True:
        piece = os.read(process.stderr.fileno(), 4096)
        if not piece:
            break
        text += piece
        *whole, text = text.replace(b"\r", b"\n").split(b"\n")
        for raw in whole:
            if raw.strip():
                said.append(raw.decode(errors="replace").rstrip())
                line.show("git: " + said[-1])
    code = process.wait()
    line.end()
    if code:
        raise AssertionError("git push: exit %d\n%s" % (code, "\n".join(said[-20:])))
    return time.monotonic() - started


class Watcher(threading.Thread):
    """The event stream of one node: when each ref came to its newest value, and how far a fetch is."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node = node
        self.stream = node.stream(query="")
        self.moved = {}      # new oid -> monotonic time
        self.facts = []      # types in order
        self.progress = ""
        self.changed = threading.Condition()
        self.start()

    def run(self):
        while True:
            try:
                frame = self.stream.next(timeout=3600)
            except AssertionError:
                return
            if frame is None:
                return
            with self.changed:
                self._take(frame)
                self.changed.notify_all()

    def _take(self, frame):
        event = frame.get("data") if isinstance(frame.get("data"), dict) else {}
        data = event.get("data", {})
        kind = frame.get("event", "")
        if kind == "repo.ref.updated":
            self.moved[data.get("new")] = time.monotonic()
        if kind == "repo.sync.progress":
            self.progress = "%s %s, %s objects" % (data.get("phase", ""), size(int(data.get("bytes", 0))), data.get("objects", 0))
        if "id" in frame:
            self.facts.append(kind)

    def wait_ref(self, oid, timeout):
        end = time.monotonic() + timeout
        with self.changed:
            while oid not in self.moved:
                if not self.changed.wait(max(0, end - time.monotonic())):
                    raise AssertionError("%s: no event for %s within %d s" % (self.node.name, oid, timeout))
            return self.moved[oid]


def start_line(net):
    title("three nodes in a line:  A ——— B ——— C")
    nodes = []
    for name in "ABC":
        started = time.monotonic()
        node = net.node(name, bootstrap=nodes[-1:], args=ALLOW)
        nodes.append(node)
        say("%s  %s  %s   ready after %d ms" % (name, short(node.id), node.url, (time.monotonic() - started) * 1000))
    a, b, c = nodes
    b.wait_peer(a)
    c.wait_peer(b)
    a.wait_peer(b)
    b.wait_peer(c)
    check_line(a, b, c)
    good("A is linked to B only, C to B only")
    return nodes


def check_line(a, b, c):
    assert a.peers() == {b.id}, "A is linked to %s" % a.peers()
    assert c.peers() == {b.id}, "C is linked to %s" % c.peers()


def first_push(a, b, c, path, name, watch):
    refs = refs_of(path)
    commits = int(source_git(path, "rev-list", "--count", *sorted(set(refs.values()))).strip())
    title("git push to A:  %s, %d commits, %d branches and tags" % (path, commits, len(refs)))
    heads = [n for n in refs if n.startswith("refs/heads/")]
    branch = git("-c", "safe.directory=*", "symbolic-ref", "-q", "HEAD", cwd=path, check=False).stdout.strip()
    branch = branch if branch in heads else heads[0]
    repo = a.create(name, description="shown by the demo", default_branch=branch[len("refs/heads/"):])
    say("repository  guts://%s" % repo["id"])
    took = push(a, path, "%s/%s.git" % (a.url, repo["id"]), ["%s:%s" % (oid, n) for n, oid in sorted(refs.items())])
    good("pushed in %.2f s" % took)
    pushed_at = time.monotonic()
    line, last = Line(), None

    def arrived():
        nonlocal last
        line.show("C: %s" % (watch.progress or "waiting for the news"))
        if watch.progress != last and not line.live and watch.progress:
            last = watch.progress
            say("C: " + last)
        return c.refs(repo["id"]) == refs

    wait_for(arrived, "C with all refs", timeout=PATIENCE, every=0.05)
    line.end()
    good("C has all %d refs, %.2f s after the push, by way of B" % (len(refs), time.monotonic() - pushed_at))
    wait_for(lambda: "repo.added" in watch.facts, "the repository on C's event stream")
    good("C's event stream told of it: %s" % ", ".join(sorted({t for t in watch.facts if t.startswith("repo.")})))
    wait_for(lambda: b.refs(repo["id"]) == refs, "equal refs on B")
    return repo, refs, branch


def clone_from_c(c, repo, refs, folder):
    title("git clone from C")
    started = time.monotonic()
    git("clone", "-q", "--mirror", "%s/%s.git" % (c.url, repo["id"]), folder)
    good("cloned in %.2f s" % (time.monotonic() - started))
    cloned = refs_of(folder)
    assert cloned == refs, "the clone's refs differ: %s" % sorted(set(cloned.items()) ^ set(refs.items()))[:10]
    git("fsck", "--no-dangling", "--no-progress", cwd=folder)
    good("every one of %d refs is equal, git fsck is content" % len(refs))


def more_commits(a, c, repo, branch, folder, watch):
    title("new commits, pushed to A and timed until they are on C's event stream")
    name = branch[len("refs/heads/"):]
    git("clone", "-q", "--branch", name, "%s/%s.git" % (a.url, repo["id"]), folder)
    sha = None
    for i in range(COMMITS):
        sha = commit(folder, "demo commit %d" % (i + 1), {"demo.txt": "commit %d at %f\n" % (i + 1, time.time())})
        took = push(a, folder, "%s/%s.git" % (a.url, repo["id"]), ["HEAD:" + branch])
        done = time.monotonic()
        seen = watch.wait_ref(sha, PATIENCE)
        good("%s  push %3d ms, on C %+d ms from its end" % (sha[:10], took * 1000, (seen - done) * 1000))
    at_c = gutslib.ls_remote("%s/%s.git" % (c.url, repo["id"]))
    assert at_c[branch] == sha, "git ls-remote C says %s" % at_c.get(branch)
    good("git ls-remote C agrees")


def ci_at_c(a, c, repo, branch, folder):
    title("a push to A calls a CI system at C, whose result is seen at A")
    path = "/api/v1/repos/" + repo["id"]
    a.patch(path, {"signers": [c.id]})
    wait_for(lambda: c.id in c.repo(repo["id"])["signers"], "the new identity on C")
    say("the owner named C's key %s as a status signer" % short(c.id))
    receiver = Receiver()
    hook(c, repo, receiver.url(), config={"secret": "demo"})
    sha = commit(folder, "demo: build this", {"demo.txt": "build this\n"})
    push(a, folder, "%s/%s.git" % (a.url, repo["id"]), ["HEAD:" + branch])
    pushed = time.monotonic()
    called = wait_for(lambda: [d for d in receiver.of("push") if d.json["after"] == sha], "C's webhook", timeout=PATIENCE)[0]
    called.check_signatures("demo")
    good("C called its webhook: %s to %s, %+d ms from the end of the push" % (called.event, sha[:10], (called.at - pushed) * 1000))
    receiver.close()
    started = time.monotonic()
    c.post("%s/statuses/%s" % (path, sha), {"state": "success", "context": "demo/build", "description": "it builds"})

    def at_a():
        found = a.get("%s/commits/%s/status" % (path, sha))
        return next((s for s in found["statuses"] if s["signer"] == c.id and s["counts"] and found["state"] == "success"), None)

    status = wait_for(at_a, "the status on A")
    good("A shows %s: %s by %s, %d ms after C signed it" % (status["context"], status["state"], short(status["signer"]),
                                                        (time.monotonic() - started) * 1000))


def show_dashboards(nodes):
    title("dashboards (each address works once, within 60 s)")
    for n in nodes:
        say("%s  %s" % (n.name, n.cli("dashboard").strip()))


def stay(nodes):
    show_dashboards(nodes)
    live = sys.stdin.isatty()
    print("\n   Ctrl-C ends the demo" + ("; Enter prints fresh addresses" if live else ""), flush=True)
    while True:
        ready = select.select([sys.stdin] if live else [], [], [], 1)[0]
        if ready and not sys.stdin.readline():
            live = False
        elif ready:
            show_dashboards(nodes)
        for n in nodes:
            if not n.running():
                raise AssertionError("%s ended with %s" % (n.name, n.process.returncode))


def play(net, path, once):
    started = time.monotonic()
    a, b, c = start_line(net)
    watch = Watcher(c)
    name = os.path.basename(os.path.realpath(path)).removesuffix(".git") or "demo"
    name = "".join(ch if ch.isascii() and (ch.isalnum() or ch in "._-") else "-" for ch in name).lstrip("._-")[:90] or "demo"
    if name.endswith(".lock"):
        name += "-"
    repo, refs, branch = first_push(a, b, c, path, name, watch)
    clone_from_c(c, repo, refs, net.path("clone.git"))
    more_commits(a, c, repo, branch, net.path("work"), watch)
    ci_at_c(a, c, repo, branch, net.path("work"))
    check_line(a, b, c)
    title(style("32", "all of it was verified") + " in %.1f s; A and C were never linked" % (time.monotonic() - started))
    if not once:
        stay([a, b, c])


def options():
    p = argparse.ArgumentParser(prog="demo", description=__doc__.split("\n\n")[0])
    p.add_argument("--repo", metavar="PATH", help="repository to show (default: this project's own)")
    p.add_argument("--once", action="store_true", help="end by itself; exit code 0 if all was verified")
    p.add_argument("--keep", action="store_true", help="leave the nodes' folders")
    o = p.parse_args()
    if o.repo and not usable(o.repo):
        p.error("%s is no git repository with all its history" % o.repo)
    return o


def main():
    o = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    net = Net()
    code = 1
    try:
        path = o.repo or TREE
        if not usable(path):
            path = made_up(net.path("made-up.git"))
        play(net, os.path.abspath(path), o.once)
        code = 0
    except KeyboardInterrupt:
        code = 0 if not o.once else 130
        print()
    except Exception as e:
        print(" %s %s: %s" % (style("31", "✗"), type(e).__name__, e), flush=True)
        for n in net.nodes:
            print("\n-- log of %s (%s)\n%s" % (n.name, "running" if n.running() else "ended", n.tail(25)), flush=True)
    finally:
        if o.keep:
            say("folders: %s" % net.dir)
        net.close(keep=o.keep)
    return code


if __name__ == "__main__":
    sys.exit(main())
