"""kill_points.py - kill -9 at every call that changes the disk: of a push, of its replication, of a first copy, of a start.

All threads and git children of the node share one count (tests/integration/killpoint.c), so every moment between two changes is
met once.  In check about each fifth, beginning at a place that GUTS_SEED chooses; all with GUTS_LONG.
"""
import os
import shutil

from crashlib import KILLPOINT, Killpoint, Story, Times, check_node, pinned
from gutslib import LONG, SEED, Tap, git, wait_for

STEP = 1 if LONG else 5
FIRST = 1 if LONG else 1 + SEED % STEP


def points(case, attempt, tap, step=STEP):
    """attempt(n) → line of the kill, or None when the n-th call did not come.  Prints how many points were met."""
    n, met = FIRST, []
    while True:
        line = attempt(n)
        if line is None:
            break
        met.append(line.split()[2])
        n += step
    assert met, "not one call was met"
    print("# %s: %d points of about %d: %s" % (case, len(met), n - step, " ".join(met)))


def killed_at(kp):
    return next((line for line in kp.end() if line.startswith("killed ")), None)


tap = Tap()
print("# seed %d, each %d. point from %d" % (SEED, STEP, FIRST))
times = Times()
with tap.net() as net:
    a = pinned(net, "A")
    b = pinned(net, "B", bootstrap=[a])
    b.wait_peer(a)
    story = Story(a, net.path("work"))
    assert story.step(a).returncode == 0
    wait_for(lambda: story.shows(b, 1), "step 1 on B")

    def during_push(n):
        kp = Killpoint(a, "kill", n)
        done = story.step(a, timeout=60)
        line = killed_at(kp)
        if line is None:
            assert done.returncode == 0, done.stderr
            return None
        a.kill()
        times.start(a)
        check_node(story, a, net, story.acked)
        return line

    def during_replication(n):
        kp = Killpoint(b, "kill", n)
        assert story.step(a).returncode == 0
        wait_for(lambda: kp.process.poll() is not None or b.running() and story.shows(b, story.acked), "end of B, or its refs")
        line = killed_at(kp)
        if line is None:
            return None
        b.kill()
        times.start(b)
        check_node(story, b, net, like=a)
        return line

    def during_first_copy(n):
        c = net.node("C%d" % n)
        kp = Killpoint(c, "kill", n)
        try:
            c.post("/api/v1/peers", {"address": a.addr})
        except Exception as e:  # the answer may not come any more
            assert not type(e).__module__.startswith("gutslib"), e
        c.args += ["--bootstrap", a.addr]

        def copied():
            return c.running() and story.id in {r["id"] for r in c.get("/api/v1/repos")} and story.shows(c, story.acked)
        try:
            wait_for(lambda: kp.process.poll() is not None or copied(), "end of C, or its copy")
        except OSError:
            pass
        line = killed_at(kp)
        c.kill()
        if line is not None:
            times.start(c)
            wait_for(lambda: c.repo(story.id) and c.repo(story.id)["branches"] == 3, "the copy on C")
            check_node(story, c, net, like=a)
            c.stop()
        net.nodes.remove(c)
        shutil.rmtree(c.home)
        return line

    with tap.case("killed at changes of the disk by a push"):
        points("push", during_push, tap)
    with tap.case("killed at changes of the disk by replication"):
        points("replication", during_replication, tap)
    with tap.case("killed at changes of the disk by a first copy"):
        points("first copy", during_first_copy, tap, step=STEP * 2 - 1)

    # A start after a crash repairs; a crash meanwhile must be as good as one before.  And the very first start.
    def during_start(node, n):
        node.kill()
        node.wrapper = [KILLPOINT, "-", node.home, "kill", str(n), "--"]
        try:
            node.start()
        except AssertionError:
            node.kill()
        node.wrapper = []
        if node.running():
            pid = node.pid
            os.kill(pid, 9)
            node.kill()
            wait_for(lambda: not os.path.exists("/proc/%d" % pid), "end of the node")
        with open(node.log) as f:
            lines = [line for line in f if line.startswith("killed ")]
        os.truncate(node.log, 0)
        return lines[0] if lines else None

    def during_repair(n):
        folder = story.folder(a)
        git("update-ref", "refs/heads/stray", "HEAD", cwd=folder)
        os.unlink(os.path.join(folder, "packed-refs"))
        line = during_start(a, n)
        times.start(a)
        check_node(story, a, net, story.acked)
        return line

    def during_first_start(n):
        d = net.node("D%d" % n, start=False)
        line = during_start(d, n)
        d.start()
        assert git("push", d.git_url(d.create("demo")), "main", cwd=story.work, check=False).returncode == 0
        d.stop()
        net.nodes.remove(d)
        shutil.rmtree(d.home)
        return line

    with tap.case("killed at changes of the disk by the repair at a start"):
        points("repair", during_repair, tap)
    with tap.case("killed at changes of the disk by the very first start"):
        points("first start", during_first_start, tap, step=STEP * 2 - 1)
    with tap.case("pushes go on and both nodes end with the same refs"):
        assert story.step(a).returncode == 0
        wait_for(lambda: story.shows(b, story.acked), "step %d on B" % story.acked)
        assert a.refs(story.path) == b.refs(story.path)
    print("# %s" % times)
tap.done()
