"""disk_errors.py - a full and a failing disk: nothing is acknowledged that is not kept, and work goes on when room returns.

Every call of a push or replication that changes the disk fails once, with ENOSPC or EIO (in check each fourth, beginning at a
place that GUTS_SEED chooses); then all of them for a while; then a home on a tmpfs of a few MiB really fills up.
The node is never restarted in between; at the end it is killed, and what it acknowledged must still be there.
"""
import os
import random
import subprocess

from crashlib import Killpoint, Story, Times, check_node, pinned
from gutslib import LONG, SEED, Skip, Tap, git, wait_for

STEP = 1 if LONG else 4
FIRST = 1 if LONG else 1 + SEED % STEP
TAKES_ROOM = "write,pwrite64,writev,pwritev,fallocate,ftruncate,openat,open,creat,mkdir,mkdirat,link,linkat,rename,fsync,fdatasync"


def is_clear(done):
    """Does git's output tell what was wrong, in words that the node sent?"""
    text = done.stderr.lower()
    return "hung up" not in text and "rpc failed" not in text and any(
        w in text for w in ("space", "disk", "i/o", "input/output", "read or write", "cannot", "could not", "quota"))


def each_point(error, attempt, step=STEP):
    """attempt(error, n) → the killpoint's lines and a text for the diagnostic; until the n-th call does not come."""
    n, out = FIRST, []
    while True:
        lines, text = attempt(error, n)
        hit = [line for line in lines if line.startswith("failed ")]
        if not hit:
            break
        out.append("%s:%s" % (hit[0].split()[2], text))
        n += step
    assert out, "not one call was met"
    return out


tap = Tap()
chance = random.Random(SEED)
print("# seed %d, each %d. point from %d" % (SEED, STEP, FIRST))
with tap.net() as net:
    a = pinned(net, "A")
    b = pinned(net, "B", bootstrap=[a])
    b.wait_peer(a)
    story = Story(a, net.path("work"))
    assert story.step(a).returncode == 0
    wait_for(lambda: story.shows(b, 1), "step 1 on B")
    times = Times()

    def shown(node, k):
        return story.look(node, story.ls_remote(node)) >= k

    def push_once(error, n):
        kp = Killpoint(a, "fail", error, n, 1)
        done = story.step(a)
        lines = kp.end()
        assert a.running(), "the node ended"
        if done.returncode:
            assert is_clear(done), "%s\n%s" % (lines, done.stderr)
        assert shown(a, story.seen.get("A", 0))
        wait_for(lambda: shown(a, story.acked), "step %d at A after %s" % (story.acked, lines))
        return lines, "refused" if done.returncode else "done"

    def replicate_once(error, n):
        kp = Killpoint(b, "fail", error, n, 1)
        done = story.step(a)
        assert done.returncode == 0, done.stderr
        # In this order: git serves a step a moment before the snapshot behind REST shows it.
        wait_for(lambda: story.shows(b, story.acked) and shown(b, story.acked), "step %d at B" % story.acked)
        assert b.running(), "the node ended"
        return kp.end(), "healed"

    for error in ("ENOSPC", "EIO"):
        with tap.case("a push meets %s once, at any call: refused with a reason or done, and the next one works" % error):
            print("# push: %s" % " ".join(each_point(error, push_once)))
            done = story.step(a)
            assert done.returncode == 0, done.stderr
            check_node(story, a, net, story.acked, swept=False)
        with tap.case("replication meets %s once, at any call: it heals" % error):
            print("# replication: %s" % " ".join(each_point(error, replicate_once, STEP * 2 - 1)))
            check_node(story, b, net, like=a, swept=False)

    with tap.case("the disk of A stays full: pushes are refused with a reason, reads go on, room returns and all works"):
        kp = Killpoint(a, "fail", "ENOSPC", 1, 0, TAKES_ROOM)
        before = story.acked
        for _ in range(3):
            done = story.step(a)
            assert done.returncode != 0, "acknowledged without room"
            assert is_clear(done), done.stderr
            assert shown(a, before)
            git("clone", "-q", a.git_url(story.id), net.path("full"))
            git("rev-parse", "HEAD", cwd=net.path("full"))
            subprocess.run(["rm", "-rf", net.path("full")], check=True)
            assert a.get("/api/v1/status")
        kp.end()
        done = story.step(a)
        assert done.returncode == 0, done.stderr
        check_node(story, a, net, story.acked, swept=False)

    with tap.case("the disk of B stays full: it serves what it has, and catches up when room returns"):
        at = story.look(b, b.refs(story.path))
        kp = Killpoint(b, "fail", "ENOSPC", 1, 0, TAKES_ROOM)
        for _ in range(3):
            assert story.step(a).returncode == 0
            assert shown(b, at)
        wait_for(lambda: "no space" in str(b.repo(story.id)["last_error"]).lower(), "the reason in B's repository")
        kp.end()
        wait_for(lambda: story.shows(b, story.acked), "step %d at B" % story.acked)
        check_node(story, b, net, like=a, swept=False)

    with tap.case("after kill -9 what was acknowledged meanwhile is there"):
        for node in (a, b):
            node.kill()
            times.start(node)
            check_node(story, node, net, story.acked if node is a else None, a)

with tap.net() as net:
    with tap.case("a home on a small file system fills up: no false acknowledgement, and room returns"):
        if os.geteuid() != 0:
            raise Skip("only root may mount a tmpfs")
        small = net.path("small")
        os.mkdir(small)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", small], capture_output=True).returncode:
            raise Skip("no tmpfs can be mounted here")
        try:
            with open(os.path.join(small, "filler"), "wb") as f:
                f.write(bytes(3 << 20))
            c = net.node("C", home=os.path.join(small, "home"))
            story = Story(c, net.path("work"))
            done, pushes = None, 0
            while done is None or done.returncode == 0:
                done = story.step(c, size=chance.randrange(1 << 10, 300 << 10))
                pushes += 1
                assert pushes < 200
            full = story.acked
            print("# %d pushes until the disk was full: %s" % (pushes, done.stderr.strip().splitlines()[-1]))
            assert is_clear(done), done.stderr
            for _ in range(5):
                done = story.step(c, size=400 << 10)
                assert done.returncode != 0 and is_clear(done), done.stderr
                assert story.look(c, story.ls_remote(c)) >= full
                git("clone", "-q", c.git_url(story.id), net.path("clone"))
                subprocess.run(["rm", "-rf", net.path("clone")], check=True)
            assert c.running()
            os.unlink(os.path.join(small, "filler"))
            done = story.step(c, size=100 << 10)
            assert done.returncode == 0, done.stderr
            check_node(story, c, net, story.acked)
            c.kill()
            c.start()
            check_node(story, c, net, story.acked)
            c.stop()
        finally:
            for node in net.nodes:
                node.kill()
            subprocess.run(["umount", "-l", small], check=True)
    print("# %s" % times)
tap.done()
