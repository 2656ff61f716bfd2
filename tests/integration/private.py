"""private.py - a private repository goes to its named readers, and nobody else hears of it.

A is the owner, B a reader, C a neighbour of both, and a spy speaks the protocols by hand: what it hears and is answered
must be what it hears of a repository that does not exist.
"""
import base64
import hashlib
import os
import re

from crashlib import check_disk
from gutslib import Tap, commit, git, wait_for, work_tree
from rawlib import MESHSUB, NODE, SYNC, Raw, frame, frames, unpb


class One:
    """As much of a Story as check_disk wants."""

    def __init__(self, repo):
        self.id = repo["id"]
        self.path = repo["full_name"]

    def folder(self, node):
        for top, dirs, _ in os.walk(os.path.join(node.home, "repos")):
            if self.id + ".git" in dirs:
                return os.path.join(top, self.id + ".git")
        raise AssertionError("no folder")


def rid_of(text):
    """The 32 bytes of a repository's id: base32 of CIDv1, raw, SHA-256."""
    text = text[1:].upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))[4:]


def text_of(rid):
    return "b" + base64.b32encode(b"\x01\x55\x12\x20" + rid).decode().lower().rstrip("=")


def topic_of(rid):
    return "guts/main/repo/" + hashlib.sha256(rid).hexdigest()


class Spy:
    """A neighbour of one node that is no reader; keeps all it hears."""

    def __init__(self, node):
        self.raw = Raw(NODE, SYNC, MESHSUB)
        self.topics = set()
        self.pings = []
        self.asked = []
        self.offers = []
        self.raw.handlers[MESHSUB] = self._gossip
        self.raw.handlers[SYNC] = self._question
        self.raw.connect(node)
        self.n, hello = self.raw.hello(digest=bytes(32))
        self.digest = unpb(unpb(hello[2][0])[1][0])[6][0]

    def _gossip(self, stream, f):
        for sub in unpb(f).get(1, []):
            self.topics.add(unpb(sub)[2][0].decode())

    def _question(self, stream, f):
        q = unpb(f)
        if 2 in q:
            out = (3, [(1, [(1, i), (2, os.urandom(32)), (3, 1)]) for i in sorted(self.offers)])
        else:
            self.asked.append(unpb((q.get(3) or q.get(4) or q.get(5))[0])[1][0])
            out = (2, [(1, 2), (2, b"no")])
        self.raw.send(stream, frame([(1, q[1][0]), out]))
        self.raw.tell("finish", stream)

    def ping(self, digest=b""):
        """Ping; keeps the Pings that came before the Pong, returns the Pong's digest."""
        nonce = int.from_bytes(os.urandom(4), "big")
        self.raw.send(self.n, frame([(3, [(1, nonce), (2, digest)])]))
        while True:
            m = unpb(self.raw.ask(self.n))
            if 3 in m:
                self.pings.append(m)
            elif 4 in m and unpb(m[4][0])[1][0] == nonce:
                return unpb(m[4][0])[2][0]

    def answer(self, *request):
        """All frames that answer a request, as bytes."""
        s = self.raw.open(SYNC)
        self.raw.send(s, frame([(1, 7)] + list(request)))
        self.raw.tell("finish", s)
        self.raw.pump(lambda e: e[0] in ("eof", "closed") and e[1] == str(s))
        return frames(self.raw.buffers.get(str(s), bytearray()))


def same_as_nothing(spy, rid, oid):
    """Requests by this id are answered like those by an id that nobody has."""
    none = os.urandom(32)
    for ask in (lambda i: (3, [(1, i), (5, 3)]), lambda i: (4, [(1, i), (2, oid)]), lambda i: (4, [(1, i), (2, oid), (4, 1)]),
                lambda i: (5, [(1, i)])):
        assert spy.answer(ask(rid)) == spy.answer(ask(none)) != [], ask(rid)
    listed = [unpb(e)[1][0] for f in spy.answer((2, [])) for e in unpb(unpb(f)[3][0]).get(1, [])]
    assert rid not in listed, "it is in the inventory"


def rest_same_as_nothing(node, repo, token):
    """The same over HTTP, text for text."""
    name, none = repo["id"], text_of(os.urandom(32))

    def look(path):
        answer = node.request("GET", path, token=token)
        text = answer.data.decode().replace(name, "?").replace(none, "?").replace(repo["full_name"], "?")
        text = re.sub('"request_id":"[0-9a-f]*"', "", text)  # each answer has its own
        return answer.status, text.replace(repo["owner"]["id"] + "/nothing", "?")
    for path in ("/api/v1/repos/%s", "/api/v1/repos/%s/branches", "/api/v1/repos/%s/git/refs", "/api/v1/repos/%s/authors",
                 "/api/v1/repos/%s/seeders", "/%s.git/info/refs?service=git-upload-pack"):
        for here, missing in ((name, none), (repo["full_name"], repo["owner"]["id"] + "/nothing")):
            assert look(path % here) == look(path % missing), (look(path % here), look(path % missing))
            assert look(path % here)[0] in (401, 404), look(path % here)


def hears_nothing(node, repo, token=True):
    """Not in lists, events, topics or metrics."""
    for path in ("/api/v1/repos", "/api/v1/events?since=0&limit=1000", "/api/v1/gossip/topics", "/metrics"):
        answer = node.request("GET", path, token=token)
        if answer.status in (401, 403):
            continue
        for word in (repo["id"], repo["name"], topic_of(rid_of(repo["id"]))):
            assert word not in answer.data.decode(), "%s at %s: %s" % (word, node.name, path)


tap = Tap()
with tap.net() as net:
    a = net.node("A")
    b = net.node("B", bootstrap=[a])
    c = net.node("C", bootstrap=[a, b])
    for x, y in ((b, a), (c, a), (c, b)):
        x.wait_peer(y)
    work = work_tree(net.path("work"))
    public = a.create("open")
    git("push", a.git_url(public), "main", cwd=work)
    for node in (b, c):
        wait_for(lambda: node.refs(public["id"]), "the public repository at %s" % node.name)
    spies = {"A": Spy(a), "B": Spy(b)}

    def push(repo, text):
        oid = commit(work, text)
        git("push", a.git_url(repo), "main", cwd=work)
        return oid

    def barrier():
        """What is public comes everywhere, after all that was told before."""
        oid = push(public, "after it")
        for node in (b, c):
            wait_for(lambda: node.refs(public["id"])["refs/heads/main"] == oid, "the public push at %s" % node.name)

    for spy in spies.values():
        spy.digest = spy.ping()
        spy.pings.clear()
    secret = a.create("hush", private=True)
    rid = rid_of(secret["id"])
    one = One(secret)
    first = push(secret, "a secret")

    with tap.case("before a reader is named nobody has it"):
        barrier()
        for node in (b, c):
            hears_nothing(node, secret)
    with tap.case("readers are named by a new version of the identity; nonsense is refused"):
        assert a.request("PATCH", "/api/v1/repos/" + secret["id"], {"readers": ["x"]}).status == 422
        assert a.request("PATCH", "/api/v1/repos/" + secret["id"], {"readers": [b.id, b.id]}).status == 422
        assert a.request("PATCH", "/api/v1/repos/" + secret["id"], {"readers": [b.id] * 17}).status == 422
        assert a.patch("/api/v1/repos/" + secret["id"], {"readers": [b.id]})["readers"] == [b.id]
    with tap.case("a named reader gets it and serves a clone to its own user"):
        wait_for(lambda: b.refs(secret["id"]).get("refs/heads/main") == first, "the private repository at B")
        got = b.repo(secret["id"])
        assert got["private"] and got["readers"] == [b.id], got
        git("clone", "-q", b.git_url(secret), net.path("clone"))
        assert git("rev-parse", "HEAD", cwd=net.path("clone")).strip() == first
        check_disk(one, b)
    with tap.case("later pushes reach it, small ones and a deletion"):
        for n in range(3):
            oid = push(secret, "secret %d" % n)
            wait_for(lambda: b.refs(secret["id"])["refs/heads/main"] == oid, "push %d at B" % n)
        git("push", a.git_url(secret), "main:side", cwd=work)
        wait_for(lambda: "refs/heads/side" in b.refs(secret["id"]), "the branch at B")
        git("push", a.git_url(secret), ":side", cwd=work)
        wait_for(lambda: "refs/heads/side" not in b.refs(secret["id"]), "its end at B")
        check_disk(one, b)
    with tap.case("a reader that was away catches up"):
        spies["B"].raw.close()
        b.stop()
        last = push(secret, "while B is away")
        b.start()
        wait_for(lambda: b.refs(secret["id"])["refs/heads/main"] == last, "the push at B")
        b.wait_peer(c)
        spies["B"] = Spy(b)
    with tap.case("C hears nothing: lists, events, topics, metrics"):
        hears_nothing(c, secret)
        rest_same_as_nothing(c, secret, True)
    with tap.case("at A and B it is not there for who has no right"):
        for node in (a, b):
            hears_nothing(node, secret, token=None)
            rest_same_as_nothing(node, secret, None)
            other = node.post("/api/v1/tokens", {"name": "r", "scopes": ["read"], "repos": [public["id"]]})["token"]
            rest_same_as_nothing(node, secret, other)
        for node in (a, b):
            assert topic_of(rid) not in str(node.get("/api/v1/gossip/topics"))
    for name in ("A", "B"):
        with tap.case("a spy at %s is answered as if it were not there" % name):
            same_as_nothing(spies[name], rid, bytes.fromhex(last))
    with tap.case("a spy at A hears no other digest, no ping out of turn and no topic when the private repository moves"):
        barrier()
        spy = spies["A"]
        spy.digest = spy.ping()
        spy.pings.clear()
        oid = push(secret, "unheard")
        wait_for(lambda: b.refs(secret["id"])["refs/heads/main"] == oid, "the push at B")
        assert spy.ping() == spy.digest
        pinged = [unpb(p[3][0])[2][0] for p in spy.pings]
        assert all(d == spy.digest for d in pinged) and len(pinged) < 2, pinged
        assert topic_of(rid_of(public["id"])) in spy.topics and topic_of(rid) not in spy.topics, spy.topics
        last = oid
    with tap.case("nor does it betray itself by what it asks or blames: told of it, a node does as with one it does not have"):
        spy, none = spies["A"], os.urandom(32)
        spy.offers = [rid, none]
        spy.ping(os.urandom(32))
        spy.raw.pump(lambda e: none in spy.asked)
        spy.ping()
        assert rid not in spy.asked, "A asked a stranger about its private repository"
        for i in (rid, none):
            for _ in range(20):
                spy.raw.send(spy.n, frame([(6, [(1, b"no record"), (2, i)])]))
                spy.ping()
    with tap.case("a reader that is named no more gets no further update; named again it does"):
        a.patch("/api/v1/repos/" + secret["id"], {"readers": []})
        hidden = push(secret, "not for B")
        barrier()
        b.post("/api/v1/repos/%s/sync" % secret["id"])
        barrier()
        assert b.refs(secret["id"])["refs/heads/main"] == last
        assert b.repo(secret["id"])["readers"] == [b.id], "it heard of its own removal"
        a.patch("/api/v1/repos/" + secret["id"], {"readers": [b.id]})
        wait_for(lambda: b.refs(secret["id"])["refs/heads/main"] == hidden, "what it missed at B")
    with tap.case("what becomes private keeps its past where it is, and no more goes out"):
        turn = a.create("turncoat")
        old = push(turn, "for all")
        wait_for(lambda: c.refs(turn["id"]).get("refs/heads/main") == old, "it at C")
        assert topic_of(rid_of(turn["id"])) in str(a.get("/api/v1/gossip/topics"))
        a.patch("/api/v1/repos/" + turn["id"], {"private": True})
        assert topic_of(rid_of(turn["id"])) not in str(a.get("/api/v1/gossip/topics"))
        push(turn, "for few")
        barrier()
        assert c.refs(turn["id"])["refs/heads/main"] == old and not c.repo(turn["id"])["private"]
        assert a.get("/api/v1/repos/%s/seeders" % turn["id"]) == []
    with tap.case("what becomes public goes to everybody"):
        a.patch("/api/v1/repos/" + secret["id"], {"private": False})
        oid = push(secret, "no secret any more")
        for node in (b, c):
            wait_for(lambda: node.refs(secret["id"]).get("refs/heads/main") == oid, "it at %s" % node.name)
        assert topic_of(rid) in str(a.get("/api/v1/gossip/topics"))
        check_disk(one, c)
    for spy in spies.values():
        spy.raw.close()
tap.done()
