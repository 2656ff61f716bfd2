"""kill_random.py - kill -9 at random instants while git pushes to A and B replicates; nothing acknowledged is lost.

20 times, with GUTS_LONG 200 times.  Meanwhile readers look at both nodes over git and REST: they never see half of an
atomic push.
"""
import random
import threading
import time

from crashlib import Reader, Story, Times, check_node, pinned
from gutslib import LONG, SEED, Tap, wait_for

ROUNDS = 200 if LONG else 20


def push_until(story, node, over):
    while not over.is_set():
        if story.step(node, timeout=60).returncode:
            return


tap = Tap()
chance = random.Random(SEED)
print("# seed %d" % SEED)
with tap.net() as net:
    a = pinned(net, "A")
    b = pinned(net, "B", bootstrap=[a])
    b.wait_peer(a)
    story = Story(a, net.path("work"))
    assert story.step(a).returncode == 0
    wait_for(lambda: story.shows(b, 1), "step 1 on B")
    times = Times()
    reader = Reader(story, [a, b])
    killed = {"A": 0, "B": 0}
    with tap.case("%d times kill -9 at random instants: all promises hold on the node that was killed" % ROUNDS):
        for n in range(ROUNDS):
            victim = chance.choice([a, b])
            over = threading.Event()
            pusher = threading.Thread(target=push_until, args=(story, a, over))
            pusher.start()
            time.sleep(chance.random() * 0.3)  # the random instant itself
            acked = story.acked
            victim.kill()
            over.set()
            pusher.join()
            killed[victim.name] += 1
            times.start(victim)
            check_node(story, victim, net, story.acked if victim is a else None, None if victim is a else a)
            assert story.acked >= acked
    with tap.case("pushes go on and both nodes end with the same refs"):
        assert story.step(a).returncode == 0
        wait_for(lambda: story.shows(b, story.acked), "step %d on B" % story.acked)
        assert a.refs(story.path) == b.refs(story.path)
        for node in (a, b):
            check_node(story, node, net)
    with tap.case("no reader saw half of a push"):
        looks = reader.end()
    print("# killed %s; %d pushes tried, %d looks; %s" % (killed, story.made, looks, times))
tap.done()
