"""Everything at once: readers, streams, tokens, gossip, pushes, clones, imports and peers on two linked nodes.

What is looked for is a thread that touches what another one owns; under ThreadSanitizer (--enable-tsan) this is
where it shows.  Each actor does a fixed number of rounds; answers may be "busy", never a fault of the server.
"""
import os
import random
import subprocess
import threading

from gutslib import DEADLINE, GIT_ENV, LONG, SEED, ApiError, Tap, commit, git, wait_for, work_tree

ROUNDS = 60 if LONG else 12
BUSY = (409, 429, 503)


def ask(node, method, path, body=None, **kw):
    """An answer that is no fault; None if it was busy."""
    answer = node.request(method, path, body, **kw)
    assert answer.status < 500 or answer.status == 503, "%s %s: %d %r" % (method, path, answer.status, answer.data[:200])
    return None if answer.status in BUSY else answer


def readers(net, nodes, repos, rng):
    paths = ["/api/v1/status", "/api/v1/peers", "/api/v1/repos", "/api/v1/events?since=0&limit=50", "/metrics", "/readyz",
             "/api/v1/gossip/topics", "/api/v1/gossip/messages?after=0", "/api/v1/log", "/api/v1/dials", "/api/v1/bans"]
    for r in repos:
        base = "/api/v1/repos/%s/%s" % (r["owner"]["id"] if isinstance(r["owner"], dict) else r["owner"], r["name"])
        paths += [base + x for x in ("", "/branches", "/branches/main", "/commits", "/contents", "/contents/d/b", "/raw/a", "/git/refs", "/authors", "/seeders")]
    for _ in range(ROUNDS * 8):
        ask(rng.choice(nodes), "GET", rng.choice(paths), token=rng.random() < 0.8)


def streams(net, nodes, repos, rng):
    for _ in range(ROUNDS):
        try:
            s = rng.choice(nodes).stream("since=0")
        except ApiError as e:
            assert e.status in BUSY, e
            continue
        for _ in range(rng.randrange(4)):
            s.next()
        s.close()


def polls(net, nodes, repos, rng):
    for _ in range(ROUNDS):
        ask(rng.choice(nodes), "GET", "/api/v1/events?since=%d&limit=5&wait=1" % rng.randrange(40))


def tokens(net, nodes, repos, rng):
    for _ in range(ROUNDS):
        n = rng.choice(nodes)
        made = ask(n, "POST", "/api/v1/tokens", {"name": "t", "scopes": ["read"]})
        if made:
            assert made.status == 201, made.status
            ask(n, "GET", "/api/v1/repos", token=made.json["token"])
            ask(n, "DELETE", "/api/v1/tokens/" + made.json["id"])


def gossip(net, nodes, repos, rng):
    for i in range(ROUNDS):
        topic = "/api/v1/gossip/topics/t%d" % rng.randrange(3)
        n = rng.choice(nodes)
        ask(n, "PUT", topic)
        ask(n, "POST", topic + "/messages", {"data": "m%d" % i})
        if rng.random() < 0.3:
            ask(n, "DELETE", topic)


def pushes(net, nodes, repos, rng):
    work = net.path("work")
    for i in range(ROUNDS):
        commit(work, "c%d" % i, {"f%d" % rng.randrange(5): "%d" % rng.getrandbits(60) * 500})
        git("push", "-q", nodes[0].git_url(repos[0]), "HEAD:refs/heads/" + rng.choice(("main", "b1", "b2")), "--force",
            cwd=work)


def clones(net, nodes, repos, rng):
    for i in range(ROUNDS):
        cmd = ["git", "clone", "-q", "--mirror", rng.choice(nodes).git_url(rng.choice(repos)), net.path("clone%d" % i)]
        p = subprocess.Popen(cmd, env=dict(os.environ, **GIT_ENV), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if rng.random() < 0.3:
            p.terminate()  # a client that leaves in the middle, wherever that is
        p.wait(DEADLINE)


def imports(net, nodes, repos, rng):
    source = work_tree(net.path("source"), {"b": "2" * 100000})
    for i in range(ROUNDS // 4):
        made = ask(nodes[0], "POST", "/api/v1/repos/import", {"path": source, "name": "import%d" % i})
        if made:
            assert made.status == 202, made.data
            ask(nodes[0], "GET", "/api/v1/jobs/%s" % made.json["id"])


def peers(net, nodes, repos, rng):
    for _ in range(ROUNDS // 3):
        ask(nodes[1], "DELETE", "/api/v1/peers/" + nodes[0].id)
        ask(nodes[1], "POST", "/api/v1/peers", {"address": nodes[0].addr})


def crowd(net, nodes, repos):
    """Run all actors; the first complaint of each."""
    wrong = []

    def act(actor, number):
        try:
            actor(net, nodes, repos, random.Random("%d %d" % (SEED, number)))
        except Exception as e:
            wrong.append("%s: %r" % (actor.__name__, e))

    actors = [readers, readers, streams, streams, polls, tokens, gossip, pushes, clones, imports, peers]
    threads = [threading.Thread(target=act, args=(a, i)) for i, a in enumerate(actors)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return wrong


def main():
    tap = Tap()
    print("# seed %d" % SEED)
    with tap.net() as net:
        nodes = net.line(2)
        repos = [nodes[0].create("one"), nodes[0].create("two")]
        work = work_tree(net.path("work"), {"a": "1", "d/b": "2"})
        for r in repos:
            git("push", "-q", nodes[0].git_url(r), "main", cwd=work)
            wait_for(lambda: nodes[1].refs(r["id"]), "the repository on B")
        wrong = crowd(net, nodes, repos)
        tap.ok(not wrong, "a crowd is served", "\n".join(wrong))
        with tap.case("both nodes have the same refs in the end"):
            nodes[1].request("POST", "/api/v1/peers", {"address": nodes[0].addr})
            nodes[1].wait_peer(nodes[0])
            wait_for(lambda: nodes[0].refs(repos[0]["id"]) == nodes[1].refs(repos[0]["id"]), "equal refs")
        late = [n.stream("since=0") for n in nodes for _ in range(3)]
        for n in reversed(nodes):
            with tap.case("%s ends with 0, streams open" % n.name):
                assert n.running(), "it ended by itself"
                n.stop()
        for s in late:
            s.close()
    tap.done()


main()
