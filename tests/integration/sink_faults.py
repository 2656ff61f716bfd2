"""sink_faults.py - at least once: brokers and nodes that are killed, brokers that stand still, logs that are too short."""
import os
import random
import signal
import threading

from brokerlib import Subscriber, brokers, missing
from gutslib import LONG, SEED, Tap, git, wait_for, work_tree

EVENTS, KILLS = (1000, 20) if LONG else (100, 2)
STATUSES = ["--set", "sink.events=status.created"]
GROWTH_KIB = 16 << 10  # of a node whose brokers stand still; a round of messages is far less


def sinks(node):
    return node.get("/api/v1/sinks")


def caught_up(node):
    end = node.get("/api/v1/status")["events"]["newest"]
    wait_for(lambda: all(s["cursor"] >= end for s in sinks(node)), "cursors at the end", 300)


class Poster:
    """Commit statuses, one fact each."""

    def __init__(self, net, node, name):
        self.node = node
        self.repo = node.create(name)
        work = work_tree(net.path("work-" + name))
        git("push", node.git_url(self.repo), "main", cwd=work)
        self.tip = git("rev-parse", "HEAD", cwd=work).strip()
        self.n = 0

    def post(self, n=1):
        for _ in range(n):
            self.n += 1
            self.node.post("/api/v1/repos/%s/statuses/%s" % (self.repo["id"], self.tip), {"state": "success", "context": "c%d" % self.n})

    def facts(self):
        return [str(f["id"]) for f in self.node.facts(query="type=status.created")]


def ids(messages):
    return [event["id"] for _, _, event in messages]


def in_order_but_for_repeats(seen):
    """Each event comes first after the one before it; one that comes again stands in a run of such."""
    top = 0
    for i in map(int, seen):
        assert i <= top or not any(top < int(x) < i for x in seen), "%d before its predecessors" % i
        top = max(top, i)


def kill_the_node(tap, net, mosquitto, nats):
    rng = random.Random(SEED)
    subscriber = Subscriber(mosquitto)
    # what AddressSanitizer keeps of freed memory is not the node's
    a = net.node("A", args=["--set", "sink.url=" + mosquitto.url, "--set", "sink.url=" + nats.url] + STATUSES,
                 env={"ASAN_OPTIONS": "quarantine_size_mb=1:" + os.environ.get("ASAN_OPTIONS", "")})
    p = Poster(net, a, "kills")
    with tap.case("%d events, %d times kill -9 of the node: all at both brokers, under one id each, once in the stream" % (EVENTS, KILLS)):
        kills = sorted(rng.sample(range(1, EVENTS), KILLS))
        for i in range(EVENTS):
            p.post()
            if i in kills:
                a.kill()
                a.start()
        caught_up(a)
        wanted = p.facts()
        assert len(wanted) == EVENTS, len(wanted)
        wait_for(lambda: set(ids(subscriber.messages())) >= set(wanted), "all at the subscriber", 300)
        got = subscriber.messages()
        assert set(ids(got)) == set(wanted) and {i for _, i, _ in got} == {"%s-%s" % (a.id, w) for w in wanted}
        in_order_but_for_repeats(ids(got))
        assert ids(nats.messages()) == wanted, "not exactly once and in order"
        extra = len(got) - EVENTS
        print("# %d of %d at each; MQTT: %d repeated by %d kills; JetStream: none" % (EVENTS, EVENTS, extra, KILLS))
        assert extra <= 64 * KILLS, extra
    return a, p, subscriber


def kill_the_brokers(tap, net, a, p, mosquitto, nats, subscriber):
    with tap.case("brokers killed with -9 and started again later: nothing is lost"):
        mosquitto.save()
        mosquitto.kill()
        nats.kill()
        p.post(EVENTS // 10)
        wait_for(lambda: all(s["state"] != "connected" and s["last_error"] and s["lag"] >= EVENTS // 10 for s in sinks(a)), "broken connections")
        nats.start()
        mosquitto.start()
        caught_up(a)
        wait_for(lambda: set(ids(subscriber.messages())) >= set(p.facts()), "all at the subscriber")
        assert ids(nats.messages()) == p.facts()
    with tap.case("JetStream killed with -9 while events come: each once in the stream"):
        posting = threading.Thread(target=p.post, args=(EVENTS // 2,))
        posting.start()
        for _ in range(KILLS):
            n = nats.count()
            wait_for(lambda: nats.count() > n or not posting.is_alive(), "more in the stream")
            nats.kill()
            nats.start()
        posting.join()
        caught_up(a)
        assert ids(nats.messages()) == p.facts(), "lost or twice"


def stand_still(tap, a, p, mosquitto, nats, subscriber):
    with tap.case("brokers that stand still cost one round of memory, and get all when they go on"):
        mosquitto.signal(signal.SIGSTOP)
        nats.signal(signal.SIGSTOP)
        before = a.rss_kib()
        p.post(2 * EVENTS)
        growth = a.rss_kib() - before
        assert all(s["lag"] >= 2 * EVENTS - 64 for s in sinks(a)), sinks(a)
        mosquitto.signal(signal.SIGCONT)
        nats.signal(signal.SIGCONT)
        caught_up(a)
        wait_for(lambda: set(ids(subscriber.messages())) >= set(p.facts()), "all at the subscriber")
        assert ids(nats.messages()) == p.facts(), "lost or twice"
        print("# %d events waited, memory grew by %d KiB" % (2 * EVENTS, growth))
        assert growth < GROWTH_KIB, growth


def short_log(tap, net, nats):
    with tap.case("what left the log while the broker was away is told, in the stream too"):
        nats.make_stream("short", ["short.>"])
        b = net.node("B", args=["--set", "sink.url=" + nats.url, "--set", "events.max_age=1s", "--set", "sink.prefix=short"] + STATUSES)
        p = Poster(net, b, "short")
        p.post(3)
        caught_up(b)
        nats.kill()
        away = wait_for(lambda: [s for s in sinks(b) if s["state"] != "connected"], "a broken connection")
        cursor = away[0]["cursor"]  # until then facts that are not for it moved it
        p.post(3)
        oldest = lambda: b.get("/api/v1/status")["events"]["oldest"]
        wait_for(lambda: p.post() or oldest() > cursor + 3, "a shorter log", every=0.2)
        nats.start()
        caught_up(b)
        resets = [f["data"] for f in b.facts(query="type=sink.reset")]
        lost = [i for r in resets for i in range(r["first"], r["last"] + 1)]
        assert set(range(cursor + 1, cursor + 4)) <= set(lost) and all(r["sink"] == 1 for r in resets), (resets, cursor)
        assert sinks(b)[0]["lost"] == len(lost) == len(set(lost)), (resets, sinks(b))
        wait_for(lambda: [m for m in nats.messages("short") if m[0] == "short.sink.reset"], "the event")
        told = [int(i) for i in ids(nats.messages("short"))]
        assert sorted(set(told)) == told and not set(told) & set(lost), (told, resets)


tap = Tap()
if missing():
    tap.skip("message brokers", missing())
    tap.done()
with tap.net() as net, brokers(net) as (mosquitto, nats):
    a, p, subscriber = kill_the_node(tap, net, mosquitto, nats)
    kill_the_brokers(tap, net, a, p, mosquitto, nats, subscriber)
    stand_still(tap, a, p, mosquitto, nats, subscriber)
    a.stop()
    subscriber.close()
    short_log(tap, net, nats)
tap.done()
