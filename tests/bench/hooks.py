"""hooks.py - webhooks: from a push to its hook on another node, many of them, and beside targets that are dead.

The first part runs beside a `post-receive` hook that calls curl, in a repository that nginx serves by git-http-backend.
The second gives one node 1,000 deliveries per second, to nginx; in the third a dead target is one that refuses, never answers or resets.
"""
from benchlib import QUICK, compare, figure, quantile
from gutslib import Net, children, commit, git, wait_for, work_tree
from hooklib import ALLOW, Receiver, dead_url, hook, listener_backlog
from nginxend import Backend, serving
import http.client
import json
import os
import signal
import threading
import time
import urllib.parse

PUSHES = 10 if QUICK else 60
HOOKS, EVENTS = 20, 50  # hooks of the node, events per second
SECONDS = 3 if QUICK else 20  # of that
STATUSES, RATE = 40 if QUICK else 400, 20  # per repository, per second
DEAD = 50
POST_RECEIVE = """#!/bin/sh
while read -r old new ref; do
	curl -s -o /dev/null -H 'Content-Type: application/json' -d "{\\"before\\":\\"$old\\",\\"after\\":\\"$new\\",\\"ref\\":\\"$ref\\"}" %s
done
"""


def received(receiver, test):
    """When it was received what `test` is true for."""
    return wait_for(lambda: next((d for d in reversed(receiver.good) if test(d)), None), "the hook", every=0.002).at


def plain_repo(net, url):
    """A bare repository whose pushes call curl."""
    path = net.path("plain")
    git("init", "-q", "--bare", path)
    git("config", "http.receivepack", "true", cwd=path)
    with open(path + "/hooks/post-receive", "w") as f:
        f.write(POST_RECEIVE % url)
    os.chmod(path + "/hooks/post-receive", 0o755)


def push_to_hook(net):
    receiver = Receiver()
    a, b = net.line(2, args=ALLOW)
    repo = a.create("demo")
    wait_for(lambda: b.repo(repo["id"]), "the repository on B")
    hook(b, None, receiver.url("/guts"), events=["push"])
    plain_repo(net, receiver.url("/plain"))
    work = work_tree(net.path("work"), {"src/f%d" % i: "line\n" * 50 for i in range(50)})
    backend = Backend(net.dir)
    got = {"/guts": [], "/plain": []}
    after = {"/guts": [], "/plain": []}
    try:
        for n in range(PUSHES + 1):
            oid = commit(work, "change %d" % n, {"src/f%d" % (n % 50): "line %d\n" % n * 50})
            for path, url in (("/guts", a.git_url(repo)), ("/plain", backend.url + "/plain")):
                start = time.monotonic()
                git("push", "-q", url, "main", cwd=work)
                ended = time.monotonic()
                if n == 0 and path == "/guts":
                    wait_for(lambda: b.refs(repo["id"]).get("refs/heads/main") == oid, "main on B")
                    continue  # the first copy of the repository is no push
                at = received(receiver, lambda d: d.path == path and d.json["after"] == oid)
                got[path].append((at - start) * 1e3)
                after[path].append(max(0, at - ended) * 1e3)
    finally:
        backend.stop()
        receiver.close()
    del got["/plain"][0], after["/plain"][0]
    compare("push begun to hook received", "ms", got["/guts"], "post-receive", got["/plain"])
    for q in (0.5, 0.99):
        figure("push acknowledged to hook, p%d" % (q * 100), "ms", [quantile(after["/guts"], q)], at_most=100)
    for node in (a, b):
        node.stop()


def poster(node, path, count, per_second, ended):
    """Post statuses at a rate, over one connection; appends when each was answered."""
    url = urllib.parse.urlsplit(node.url)
    conn = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    head = {"Authorization": "Bearer " + node.token, "Content-Type": "application/json"}
    start = time.monotonic()
    for i in range(count):
        time.sleep(max(0, start + i / per_second - time.monotonic()))
        conn.request("POST", path, json.dumps({"state": "success", "context": "c%d" % i}), head)
        answer = conn.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError("status %d" % answer.status)
        ended.append(time.monotonic())
    conn.close()


def with_repo(net, node, name):
    """(repository, where statuses of its one commit go)"""
    repo = node.create(name)
    work = work_tree(net.path("work-" + name))
    git("push", "-q", node.git_url(repo), "main", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    return repo, "/api/v1/repos/%s/statuses/%s" % (repo["id"], tip)


class Counter:
    """nginx as a receiver: it writes one line per delivery."""

    def __init__(self, net):
        folder = net.path("receiver")
        os.mkdir(folder)
        self.log = folder + "/hooks.log"
        self.nginx = serving(folder, "", "\t\tlocation / { access_log %s; return 200; }\n" % self.log)

    def count(self):
        with open(self.log, "rb") as f:
            return sum(1 for _ in f)

    def signal(self, number):
        for pid in children(self.nginx.process.pid):
            os.kill(int(pid), number)


def while_posting(node, path, at_most, done):
    """Post statuses at the full rate until done(); returns seconds and the node's resident memory meanwhile [KiB]."""
    rss, start = [], time.monotonic()
    thread = threading.Thread(target=poster, args=(node, path, EVENTS * SECONDS, EVENTS, []))
    thread.start()
    while not done():
        if time.monotonic() > start + at_most:
            raise RuntimeError("not all within %d s" % at_most)
        rss.append(node.rss_kib())
        time.sleep(0.1)
    took = time.monotonic() - start
    thread.join()
    return took, rss


def memory(title, before, rss):
    print("  %-38s %.1f MiB before, %.1f at most, %.1f at the end" % (title, before / 1024, max(rss) / 1024, rss[-1] / 1024))


def many(net):
    node = net.node("many", args=ALLOW + ["--set", "bridge.timeout=120s"])
    _, path = with_repo(net, node, "many")
    receiver, all_of = Counter(net), HOOKS * EVENTS * SECONDS
    try:
        for i in range(HOOKS):
            hook(node, None, "%s/%d" % (receiver.nginx.url, i), events=["status"])
        poster(node, path, EVENTS, EVENTS, [])  # a first second
        wait_for(lambda: receiver.count() == HOOKS * EVENTS, "the first second's")
        before, seen = node.rss_kib(), receiver.count()
        took, rss = while_posting(node, path, 10 * SECONDS, lambda: receiver.count() >= seen + all_of)
        figure("hooks queued and delivered", "/s", [all_of / took], at_least=950)
        memory("  memory over %d" % all_of, before, rss)

        seen = receiver.count()
        receiver.signal(signal.SIGSTOP)
        took, rss = while_posting(node, path, 10 * SECONDS, lambda: sum(h["waiting"] for h in node.get("/api/v1/hooks")) >= all_of - HOOKS)
        figure("queued, as the receiver is silent", "/s", [all_of / took], at_least=950)
        memory("  memory over %d that wait" % all_of, before, rss)
        receiver.signal(signal.SIGCONT)
        start = time.monotonic()
        wait_for(lambda: receiver.count() >= seen + all_of, "the queue's end", timeout=10 * SECONDS)
        figure("delivered when it is back", "/s", [all_of / (time.monotonic() - start)])
    finally:
        receiver.signal(signal.SIGCONT)
        receiver.nginx.stop()
        node.stop()


def beside_the_dead(net):
    node = net.node("dead", args=ALLOW + ["--set", "bridge.retry=100ms"])
    receiver = Receiver()
    repo, path = with_repo(net, node, "demo")
    other, other_path = with_repo(net, node, "other")
    hook(node, repo, receiver.url(), events=["status"])

    def measure():
        ended, seen = [], len(receiver.good)
        thread = threading.Thread(target=poster, args=(node, other_path, STATUSES, RATE, []))
        thread.start()
        poster(node, path, STATUSES, RATE, ended)
        thread.join()
        wait_for(lambda: len(receiver.good) == seen + STATUSES, "all that can arrive")
        return [max(0, d.at - t) * 1e3 for d, t in zip(receiver.good[seen:], ended)]

    base = measure()
    hole, hanging = listener_backlog()
    resets = Receiver(lambda d: "reset")
    for i in range(DEAD):
        owner = None if i < 20 else other if i < 40 else repo
        hook(node, owner, [dead_url(), hanging, resets.url()][i % 3], events=["status"])
    beside = measure()
    receiver.close()
    resets.close()
    node.stop()
    hole.close()
    figure("a status to its hook, p50", "ms", [quantile(base, 0.5)])
    figure("  p99 of %d" % STATUSES, "ms", [quantile(base, 0.99)])
    figure("  p99 beside %d dead targets, over it" % DEAD, "ms", [quantile(beside, 0.99) - quantile(base, 0.99)], at_most=1000)


if __name__ == "__main__":
    net = Net()
    try:
        push_to_hook(net)
        many(net)
        beside_the_dead(net)
    finally:
        net.close()
