"""restore_fork.py - a node from an old backup, and one key on two machines: nobody stays apart, writes resume.

A chain that forks is told as repo.author.forked and ends by a record of the author that names both heads.
"""
import os
import shutil

from crashlib import Story, check_disk, check_facts, pinned
from gutslib import SEED, Tap, commit, git, wait_for

BACK = 10  # pushes that the backup does not have


def copy_home(node, to):
    """A copy of a stopped node's home."""
    shutil.copytree(node.home, to)
    for name in ("lock", "run.json"):
        if os.path.exists(os.path.join(to, name)):
            os.unlink(os.path.join(to, name))


def authors(story, node):
    """{author: (record, forked, {ref: oid})}"""
    out = {}
    for a in node.get("/api/v1/repos/%s/authors" % story.path):
        rows = node.get("/api/v1/repos/%s/authors/%s/refs?per_page=100" % (story.path, a["id"]))
        out[a["id"]] = (a["record"], a["forked"], {r["ref"]: r["object"]["sha"] for r in rows})
    return out


def state(story, node):
    return node.refs(story.path), authors(story, node)


def wait_equal(story, nodes):
    """All nodes show the same refs, by the same records, and no chain is forked."""
    def equal():
        states = [state(story, n) for n in nodes]
        forked = [a for a in states[0][1].values() if a[1]]
        return all(s == states[0] for s in states) and not forked and states
    try:
        return wait_for(equal, "equal refs at %s" % [n.name for n in nodes])[0]
    except AssertionError:
        for n in nodes:
            print("# %s: %s" % (n.name, state(story, n)))
        raise


def count_facts(node, kind):
    return len([f for f in node.facts() if f["type"] == kind])


tap = Tap()
print("# seed %d" % SEED)
with tap.net() as net:
    b = pinned(net, "B")
    a = pinned(net, "A", bootstrap=[b])
    a.wait_peer(b)
    story = Story(a, net.path("work"))
    backup = net.path("backup")

    def restore():
        """A stops and comes back with its home of BACK pushes ago; returns the step the backup has."""
        a.stop()
        shutil.rmtree(a.home)
        shutil.copytree(backup, a.home)

    with tap.case("a node restored from a backup ten pushes old takes over what its peers have of it, then writes"):
        for _ in range(3):
            assert story.step(a).returncode == 0
        a.stop()
        copy_home(a, backup)
        a.start()
        for _ in range(BACK):
            assert story.step(a).returncode == 0
        wait_for(lambda: story.shows(b, story.acked), "step %d at B" % story.acked)
        restore()
        a.start()
        wait_for(lambda: story.read(a.refs(story.path)) == story.acked, "step %d back at A" % story.acked)
        wait_equal(story, [a, b])
        assert story.step(a).returncode == 0
        wait_for(lambda: story.shows(b, story.acked), "step %d at B" % story.acked)
        wait_equal(story, [a, b])
        for node in (a, b):
            check_disk(story, node)
            check_facts(story, node)
        assert count_facts(b, "repo.author.forked") == 0, "no fork was needed"

    with tap.case("one that pushes before it meets a peer forks its chain, and joins it"):
        restore()
        b.stop()
        a.start()
        old = git("rev-list", "-n1", "--grep=^step 3$", "main", cwd=story.work).strip()
        assert a.refs(story.path)["refs/heads/main"] == old
        side = commit(story.work, "alone")
        git("push", a.git_url(story.id), side + ":refs/heads/alone", cwd=story.work)
        b.start()
        refs, by = wait_equal(story, [a, b])
        assert refs.get("refs/heads/alone") == side, "what was acknowledged alone: %s" % refs
        assert story.read({r: o for r, o in refs.items() if r != "refs/heads/alone"}) == story.acked, refs
        assert count_facts(b, "repo.author.forked") + count_facts(a, "repo.author.forked") > 0
        assert story.step(a).returncode == 0
        wait_equal(story, [a, b])
        for node in (a, b):
            check_disk(story, node)

with tap.net() as net:
    c = pinned(net, "C")
    one = pinned(net, "one", bootstrap=[c])
    one.wait_peer(c)
    story = Story(one, net.path("work"))
    assert story.step(one).returncode == 0
    wait_for(lambda: story.shows(c, 1), "step 1 at C")
    one.stop()
    copy_home(one, net.path("two"))
    one.start()
    two = pinned(net, "two", bootstrap=[c], home=net.path("two"))
    nodes = [c, one, two]
    last = {}

    with tap.case("one key on two machines that push different branches: all end with all of them"):
        for n in range(3):
            for node in (one, two):
                ref = "refs/heads/%s-%d" % (node.name, n)
                last[ref] = commit(story.work, ref)
                done = git("push", node.git_url(story.id), last[ref] + ":" + ref, cwd=story.work, check=False)
                if "try again in a moment" in done.stderr:
                    print("# %s: told to wait for its own newer record" % node.name)
                    wait_for(lambda: git("push", node.git_url(story.id), last[ref] + ":" + ref, cwd=story.work,
                                         check=False).returncode == 0, "a push at %s" % node.name, every=0.2)
                else:
                    assert done.returncode == 0, done.stderr
        refs, _ = wait_equal(story, nodes)
        assert {r: refs.get(r) for r in last} == last, refs
    with tap.case("that push the same branch: all end with one of the two values"):
        values = []
        for node in (one, two):
            values.append(commit(story.work, "same at " + node.name))
            wait_for(lambda: git("push", "--force", node.git_url(story.id), values[-1] + ":refs/heads/same",
                                 cwd=story.work, check=False).returncode == 0, "a push at %s" % node.name, every=0.2)
        refs, _ = wait_equal(story, nodes)
        assert refs["refs/heads/same"] in values, refs
        assert {r: refs.get(r) for r in last} == last, refs
    with tap.case("the fork was told, and after it writes go on at both"):
        forked = sum(count_facts(n, "repo.author.forked") for n in nodes)
        print("# repo.author.forked: %d" % forked)
        assert forked > 0
        for node in (one, two):
            oid = commit(story.work, "after at " + node.name)
            wait_for(lambda: git("push", node.git_url(story.id), oid + ":refs/heads/after-" + node.name, cwd=story.work,
                                 check=False).returncode == 0, "a push at %s" % node.name, every=0.2)
            wait_for(lambda: c.refs(story.path).get("refs/heads/after-" + node.name) == oid, "it at C")
        wait_equal(story, nodes)
        for node in nodes:
            check_disk(story, node)
tap.done()
