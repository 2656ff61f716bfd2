"""webhook_faults.py - every event arrives: receivers that fail half of the time, kill -9 of the node, targets that are dead, many that wait."""
import base64
import os
import random
import threading

from gutslib import LONG, SEED, Tap, git, wait_for, work_tree
from hooklib import ALLOW, Receiver, dead_url, hook, listener_backlog

HOOKS, EVENTS, KILLS = (10, 100, 20) if LONG else (4, 25, 2)


def at_least_once(tap, net):
    rng = random.Random(SEED)
    failures, silent = [], set()

    def answer(delivery):
        if rng.random() < 0.5:
            return 200
        failures.append(delivery.id)
        how = rng.choice([500, "hang", "reset", "slow"])
        if how in ("hang", "slow"):  # the node's patience is long, so that only these are ended by it: one of each hook
            how = 500 if delivery.path in silent else how
            silent.add(delivery.path)
        return how

    r = Receiver(answer)
    a = net.node("A", args=ALLOW + ["--set", "bridge.retry=50ms", "--set", "bridge.timeout=10s"])
    repo = a.create("demo")
    work = work_tree(net.path("work"))
    git("push", a.git_url(repo), "main", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    hooks = [hook(a, repo, r.url("/%d" % i), events=["status"]) for i in range(HOOKS)]
    start = a.get("/api/v1/status")["events"]["newest"]

    def post(i):
        a.post("/api/v1/repos/%s/statuses/%s" % (repo["id"], tip), {"state": "success", "context": "c%d" % i})

    with tap.case("%d events to %d hooks, half of the attempts fail, %d times kill -9: all arrive, with stable ids, at most "
                  "one extra attempt per failure or kill" % (EVENTS, HOOKS, KILLS)):
        kills = sorted(rng.sample(range(1, EVENTS), KILLS))
        for i in range(EVENTS):
            post(i)
            if i in kills:
                seen = len(r.seen)
                wait_for(lambda: len(r.seen) > seen, "something under way")
                a.kill()
                a.start()
        facts = {f["id"] for f in a.facts(start, "type=status.created")}
        assert len(facts) == EVENTS, len(facts)
        wanted = {("/%d" % i, fact) for i in range(HOOKS) for fact in facts}
        wait_for(lambda: {(d.path, d.json["id"]) for d in list(r.good)} == wanted, "all %d deliveries" % len(wanted), 300)
        ids = {}
        for d in r.seen:
            ids.setdefault((d.path, d.json["id"]), set()).add(d.id)
        assert all(len(x) == 1 for x in ids.values()), "an event with several ids"
        assert len({x for s in ids.values() for x in s}) == len(wanted), "two events with one id"
        extra = len(r.seen) - len(wanted)
        print("# %d of %d arrived; %d attempts, %d failed, %d kills" % (len(wanted), len(wanted), len(r.seen), len(failures), KILLS))
        assert extra <= len(failures) + KILLS * HOOKS, (extra, len(failures))
        for h in hooks:
            path = "/api/v1/hooks/%d" % h["id"]
            wait_for(lambda: a.get(path)["waiting"] == 0, "an empty queue")
    with tap.case("after one more kill -9 nothing is sent again, and nothing was lost from the log"):
        n = len(r.seen)
        r.answer = lambda d: 200
        a.kill()
        a.start()
        post(EVENTS)
        wait_for(lambda: len(r.seen) == n + HOOKS, "the next event")
        assert all(d.json["context"] == "c%d" % EVENTS for d in r.seen[n:])
        kept = a.get("/api/v1/hooks/%d/deliveries?per_page=100" % hooks[0]["id"])
        assert len(kept) == min(100, EVENTS + 1) and all(d["state"] == "delivered" for d in kept[1:])
    r.close()


def nobody_waits_for_the_dead(tap, net):
    r, resets = Receiver(), Receiver(lambda d: "reset")
    hole, hanging = listener_backlog()
    work = work_tree(net.path("work2"))
    tip = git("rev-parse", "HEAD", cwd=work).strip()

    def arrive(name, dead):
        """20 statuses beside 50 hooks of dead targets; returns what those became."""
        a = net.node(name, args=ALLOW + ["--set", "bridge.timeout=120s", "--set", "bridge.retry=50ms"])
        repos = [a.create("r%d" % i) for i in range(3)]
        before = len(r.good)
        for i, repo in enumerate(repos):
            git("push", a.git_url(repo), "main", cwd=work)
            for k in range(17 if i else 16):
                hook(a, repo, dead[k % len(dead)], events=["status"])
        good = hook(a, repos[0], r.url(), events=["status"])
        for i in range(20):
            for repo in repos:
                a.post("/api/v1/repos/%s/statuses/%s" % (repo["id"], tip), {"state": "success", "context": "c%d" % i})
        wait_for(lambda: len(r.good) == before + 20, "all that can arrive")
        assert [d.json["context"] for d in r.good[before:]] == ["c%d" % i for i in range(20)], "not in order"
        others = [h["last_response"] for h in a.get("/api/v1/hooks") if h["id"] != good["id"]]
        a.stop()
        assert len(others) == 50
        return others

    with tap.case("50 targets that hang delay no other"):
        assert all(h["status"] == "unused" for h in arrive("D", [hanging])), "one of them was over already"
    with tap.case("50 targets that refuse, hang or reset delay no other"):
        states = [h["status"] for h in arrive("E", [dead_url(), hanging, resets.url()])]
        assert states.count("unused") == 17 and states.count("failing") == 33, states
    hole.close()
    resets.close()
    r.close()


def memory_is_flat(tap, net):
    n, first, hooks, size = 600 if LONG else 100, 20, 20, 96000
    with tap.case("%d deliveries of 96 kB wait for receivers that are silent, and take no memory; then all arrive" % (n * hooks)):
        hold = threading.Event()
        r = Receiver(lambda d: hold.wait() and 200)
        asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
        a = net.node("F", args=ALLOW + ["--set", "bridge.timeout=120s"], env={"ASAN_OPTIONS": asan})
        a.put("/api/v1/gossip/topics/t")
        for i in range(hooks):
            hook(a, None, r.url("/%d" % i), events=["gossip.message"])
        resident = []

        def say(first, count):
            for i in range(first, first + count):
                data = base64.b64encode(b"%d " % i + b"\1" * (size // 6)).decode()  # six bytes of a payload each
                a.post("/api/v1/gossip/topics/t/messages", {"data": data, "encoding": "base64"})
                resident.append(a.rss_kib())
            total = hooks * (first + count - 1)  # one of each hook is under way
            wait_for(lambda: resident.append(a.rss_kib()) or sum(h["waiting"] for h in a.get("/api/v1/hooks")) >= total,
                     "%d that wait" % total)

        say(0, first)  # pages and batches have had their largest size
        before = max(resident)
        say(first, n - first)
        grown = max(resident) - before
        hold.set()
        wait_for(lambda: len(r.good) == n * hooks, "all of them", 300)
        assert len({d.id for d in r.good}) == n * hooks
        waited = (n - first) * hooks * size // 1024
        print("# at most %d KiB more while %d KiB more waited" % (grown, waited))
        assert grown < waited // 4, grown  # heaps and the address sanitizer keep some
        r.close()


def caps(tap, net):
    hole, dead = listener_backlog()
    r = Receiver()
    a = net.node("Q", args=ALLOW + ["--set", "bridge.timeout=120s"])
    a.put("/api/v1/gossip/topics/t")

    def say(n):
        for i in range(n):
            a.post("/api/v1/gossip/topics/t/messages", {"data": "m%d" % i})

    def count(h, query):
        n, cursor = 0, ""
        while True:
            page = a.get("/api/v1/hooks/%d/deliveries?per_page=100%s%s" % (h["id"], query, cursor))
            n += len(page)
            if len(page) < 100:
                return n
            cursor = "&cursor=%d" % page[-1]["id"]

    with tap.case("the log keeps the newest 200 deliveries that ended"):
        h = hook(a, None, r.url(), events=["gossip.message"])
        say(300)
        wait_for(lambda: len(r.good) == 300, "300 messages")
        assert [d.json["data"]["data"] for d in r.good] == ["m%d" % i for i in range(300)]
        wait_for(lambda: a.get("/api/v1/hooks/%d" % h["id"])["waiting"] == 0, "an empty queue")
        assert 200 <= count(h, "") < 240, count(h, "")
        a.delete("/api/v1/hooks/%d" % h["id"])
    with tap.case("what a full queue does not take is listed as dead, and told once"):
        h = hook(a, None, dead, events=["gossip.message"])
        say(1300)
        facts = wait_for(lambda: a.facts(query="type=hook.dead"), "the fact")
        path = "/api/v1/hooks/%d" % h["id"]
        wait_for(lambda: a.get(path + "/deliveries?per_page=1")[0]["id"] == 300 + 1300, "the rest")
        assert a.get(path)["waiting"] <= 1000 and 200 <= count(h, "&status=failure") < 240, count(h, "&status=failure")
        assert len(facts) == 1 and facts[0]["data"]["reason"] == "too many deliveries wait for this hook", facts
        assert len(a.facts(query="type=hook.dead")) == 1
        one = a.get(path + "/deliveries?status=failure")[0]
        assert one["state"] == "dead" and one["attempts"] == 0 and "too many" in one["status"], one
    hole.close()
    r.close()


tap = Tap()
with tap.net() as net:
    at_least_once(tap, net)
    nobody_waits_for_the_dead(tap, net)
    memory_is_flat(tap, net)
    caps(tap, net)
tap.done()
