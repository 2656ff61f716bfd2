"""crashlib - nodes that are killed or starved while a repository moves on, and what must hold after it.

A Story is one repository with a ledger.  Step k is one atomic push: refs/heads/{main,x,y} all go to commit k, tag t<k> is made and
tag t<k-3> is deleted.  So one look at the refs tells which step a node shows, and whether it shows a mixture of two.

check_node() is the whole list of promises; it wants a running node.
"""
import os
import random
import shutil
import socket
import subprocess
import threading
import time

from gutslib import DEADLINE, ApiError, Skip, commit, git, wait_for, work_tree

BRANCHES = ("main", "x", "y")
TAGS = 3
KILLPOINT = os.path.join(os.environ.get("GUTS_BUILDDIR", "."), "tests", "integration", "killpoint")


def free_port():
    """A port of 127.0.0.1 below the range from which the system takes ports by itself, so it is still free after a restart."""
    chance = random.Random()
    while True:
        port = chance.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def pinned(net, name, **kw):
    """A node that has the same addresses after each start."""
    return net.node(name, listen="/ip4/127.0.0.1/tcp/%d" % free_port(), http="127.0.0.1:%d" % free_port(), **kw)


class Killpoint:
    """tests/integration/killpoint at a running node; see there."""

    def __init__(self, node, *mode):
        self.process = subprocess.Popen([KILLPOINT, str(node.pid), node.home] + [str(m) for m in mode],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line != "ready\n":
            raise Skip("ptrace is not allowed here: %r" % line)

    def end(self):
        """Let the node go on; returns the lines it printed: calls met, then "count N" unless it killed."""
        self.process.terminate()
        text = self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()
        return text.splitlines()


class Story:
    def __init__(self, node, path, name="story"):
        self.repo = node.create(name)
        self.id = self.repo["id"]
        self.work = work_tree(path)
        self.made = 0     # steps that a push was tried for
        self.acked = 0    # newest step that git push said was done
        self.oids = {}    # oid of commit k → k
        self.seen = {}    # node name → newest step it has shown
        self.lock = threading.Lock()

    def step(self, node, size=0, timeout=DEADLINE):
        """The next push; returns the CompletedProcess of git."""
        k = self.made + 1
        files = {"count": "%d\n" % k, "dir/%d" % (k % 7): "%d\n" % k}
        if size:
            files["bulk"] = os.urandom(size)
        oid = commit(self.work, "step %d" % k, files)
        with self.lock:
            self.made = k
            self.oids[oid] = k
        git("tag", "t%d" % k, cwd=self.work)
        specs = ["%s:refs/heads/%s" % (oid, b) for b in BRANCHES] + ["%s:refs/tags/t%d" % (oid, k)]
        old = self.expected(self.acked)
        specs += [":" + ref for ref in sorted(old) if ref.startswith("refs/tags/") and int(ref[11:]) <= k - TAGS]
        # Steps that were pushed but not acknowledged may be there: force them into line.
        done = git("push", "--atomic", "--force", node.git_url(self.id), *specs, cwd=self.work, check=False,
                   timeout=timeout)
        if done.returncode == 0:
            self.acked = k
        return done

    def expected(self, k):
        """Refs after step k, if all steps before were done."""
        by = {n: oid for oid, n in self.oids.items()}
        out = {"refs/heads/" + b: by[k] for b in BRANCHES} if k else {}
        out.update(("refs/tags/t%d" % n, by[n]) for n in range(max(1, k - TAGS + 1), k + 1))
        return out

    def read(self, refs):
        """The step that these refs show; AssertionError for a mixture."""
        heads = {b: self.oids.get(refs.get("refs/heads/" + b)) for b in BRANCHES}
        assert len(set(heads.values())) == 1, "a mixture of steps: %s" % heads
        k = heads["main"] or 0
        assert k or not any(r.startswith("refs/heads/") for r in refs), "unknown values: %s" % refs
        tags = {r: self.oids.get(oid) for r, oid in refs.items() if r.startswith("refs/tags/")}
        assert all(r == "refs/tags/t%d" % n for r, n in tags.items()), tags
        assert k == 0 or "refs/tags/t%d" % k in tags, "step %d without its tag: %s" % (k, tags)
        assert all(n <= k for n in tags.values()), "step %d with a later tag: %s" % (k, tags)
        return k

    def look(self, node, refs):
        """Like read, and it must not go back behind what the node has shown or acknowledged."""
        k = self.read(refs)
        assert k >= self.seen.get(node.name, 0), "%s went back from step %d to %d" % (node.name, self.seen[node.name], k)
        self.seen[node.name] = k
        return k

    def ls_remote(self, node):
        out = git("ls-remote", node.git_url(self.id), timeout=60)
        return dict(reversed(line.split("\t")) for line in out.splitlines() if not line.endswith("\tHEAD"))

    def shows(self, node, k):
        return self.look(node, node.refs(self.path)) >= k

    @property
    def path(self):
        return self.repo["full_name"]

    def folder(self, node):
        return os.path.join(node.home, "repos", self._hex(node), self.id + ".git")

    def _hex(self, node):
        for two in os.listdir(os.path.join(node.home, "repos")):
            if os.path.isdir(os.path.join(node.home, "repos", two, self.id + ".git")):
                return two
        raise AssertionError("%s: no folder of %s" % (node.name, self.id))


class Reader(threading.Thread):
    """Looks at the refs of nodes again and again, over git and REST; keeps what was wrong."""

    def __init__(self, story, nodes):
        super().__init__(daemon=True)
        self.story = story
        self.nodes = nodes
        self.looks = 0
        self.wrong = []
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            for node in self.nodes:
                try:
                    refs = self.story.ls_remote(node) if self.looks % 2 else node.refs(self.story.path)
                except (AssertionError, OSError, ApiError, ValueError, subprocess.TimeoutExpired):
                    time.sleep(0.01)  # it is down just now
                    continue
                except Exception as e:  # http.client's own
                    if not type(e).__module__.startswith("http."):
                        raise
                    continue
                try:
                    self.looks += 1
                    self.story.read(refs)
                except AssertionError as e:
                    self.wrong.append("%s: %s" % (node.name, e))

    def end(self):
        self.over.set()
        self.join(DEADLINE)
        assert not self.wrong, "\n".join(self.wrong[:10])
        return self.looks


def leftovers(folder):
    out = []
    for top, dirs, files in os.walk(folder):
        out += [os.path.join(top, d) for d in dirs if d.startswith("incoming-")]
        out += [os.path.join(top, f) for f in files if f.endswith(".lock") or f.startswith("tmp_")]
    return out


def check_disk(story, node, swept=True):
    """Refs on disk are exactly those that the node's records explain, the objects are sound, and nothing lies around
    (unless not `swept`: a removal that failed is made up for at the next start)."""
    folder = story.folder(node)
    want = dict(node.refs(story.path))
    for author in node.get("/api/v1/repos/%s/authors" % story.path):
        page = 1
        while True:
            rows = node.get("/api/v1/repos/%s/authors/%s/refs?per_page=100&page=%d" % (story.path, author["id"], page))
            want.update(("refs/namespaces/%s/%s" % (author["id"], r["ref"]), r["object"]["sha"]) for r in rows
                        if set(r["object"]["sha"]) != {"0"})
            if len(rows) < 100:
                break
            page += 1
    have = dict(reversed(line.split(" ")) for line in
                git("for-each-ref", "--format=%(objectname) %(refname)", cwd=folder).splitlines())
    have = {r: o for r, o in have.items() if not r.endswith("/HEAD")}
    assert have == want, "on disk only: %s; in the records only: %s" % (
        sorted(set(have.items()) - set(want.items())), sorted(set(want.items()) - set(have.items())))
    fsck = git("fsck", "--full", "--no-dangling", "--no-progress", cwd=folder, check=False)
    text = fsck.stdout + fsck.stderr
    assert fsck.returncode == 0 and "error" not in text and "missing" not in text, text
    if swept:
        wait_for(lambda: not leftovers(folder), "end of %s" % leftovers(folder), timeout=60)


def check_facts(story, node):
    """Facts are numbered without a gap, and each move of a ref begins where the one before ended."""
    facts = node.facts()
    ids = [f["id"] for f in facts]
    assert ids == list(range(ids[0], ids[0] + len(ids))), "gap in facts near %s" % [
        (a, b) for a, b in zip(ids, ids[1:]) if b != a + 1][:3]
    at = {}
    for f in facts:
        if f["type"] != "repo.ref.updated":
            continue
        d = f.get("data", f)
        ref, old, new = (f["repo"], d["ref"]), d["old"], d["new"]
        assert at.get(ref, old) == old, "fact %s: %s moves from %s, which it was not at (%s)" % (f["id"], ref, old, at[ref])
        at[ref] = new


def check_clone(story, node, path):
    shutil.rmtree(path, ignore_errors=True)
    git("clone", "-q", node.git_url(story.id), path)
    k = story.oids.get(git("rev-parse", "HEAD", cwd=path).strip(), 0)
    assert k >= story.seen.get(node.name, 0), "the clone has step %d, the node showed %d" % (k, story.seen[node.name])
    with open(os.path.join(path, "count")) as f:
        assert int(f.read()) == k
    shutil.rmtree(path, ignore_errors=True)


def check_node(story, node, net, at_least=None, like=None, swept=True):
    """All that must hold at a node, right after its start.  `at_least` = a step that it acknowledged; `like` = a node
    that it has to catch up with before its disk is looked at."""
    shown = story.look(node, node.refs(story.path))
    if at_least is not None:
        assert shown >= at_least, "step %d was acknowledged, %s shows %d" % (at_least, node.name, shown)
    assert story.look(node, story.ls_remote(node)) >= shown
    if like:
        wait_for(lambda: node.refs(story.path) == like.refs(story.path), "%s with the refs of %s" % (node.name, like.name))
    check_disk(story, node, swept)
    check_facts(story, node)
    check_clone(story, node, net.path("clone"))
    return shown


class Times:
    """Starts, for a TAP diagnostic."""

    def __init__(self):
        self.v = []

    def start(self, node):
        t = time.monotonic()
        node.start()
        self.v.append(time.monotonic() - t)

    def __str__(self):
        v = sorted(self.v)
        return "%d starts after a crash: median %.0f ms, worst %.0f ms" % (
            len(v), v[len(v) // 2] * 1e3, v[-1] * 1e3) if v else "no starts"
