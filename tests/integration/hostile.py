"""hostile.py - a peer that lies: foreign, mutated, replayed, rolled-back and cross-repository records by every door.

A is the owner, B replicates and is attacked, C is an honest neighbour of B.  The newest record of A was taken by the hostile
peer while B was away, and A is off during the attack: would B accept a mutated copy, its refs would move.  At the end A
comes back and B takes the real one: no bad copy stood in its way.  In check 1,000 mutated records, with GUTS_LONG 10,000.
"""
import base64
import hashlib
import os
import random
import subprocess
import time

from crashlib import Story, check_disk, check_facts, pinned
from gutslib import LONG, SEED, Tap, commit, git, wait_for, work_tree
from rawlib import MESHSUB, NODE, SYNC, Gone, Raw, frame, pb, unpb, varint

MUTATED = 10000 if LONG else 1000
DIRECT = MUTATED * 7 // 10           # as NewCommit on /guts/node
GOSSIP = MUTATED * 2 // 10           # in a well signed gossip message
ANSWER = MUTATED - DIRECT - GOSSIP   # in answers to GetRefs


def mutate(chance, b):
    """The bytes, but not the same."""
    out = bytearray(b)
    kind = chance.randrange(6)
    at = chance.randrange(len(out))
    if kind < 3:
        out[at] ^= 1 << chance.randrange(8)
    elif kind == 3:
        del out[at:at + chance.randrange(1, 9)]
    elif kind == 4:
        out[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
    else:
        other = chance.randrange(len(out))
        out[at], out[other] = out[other] ^ 1, out[at]
    return bytes(out) if bytes(out) != b else mutate(chance, b)


class Taken:
    """What a node showed of a repository: identities, per author records and entries, as bytes."""

    def __init__(self, rid, refs):
        self.rid = rid
        self.identities = [i for f in refs for i in f.get(1, [])]
        self.blocks = [b for f in refs for b in f.get(3, [])]
        block = unpb(self.blocks[0])
        self.author = block[1][0]
        self.record = block[2][-1]
        self.entries = block.get(4, [])
        self.signed = unpb(unpb(self.record)[3][0])  # payload of the envelope

    def block(self, record=None, entries=None, author=None):
        return [(1, author or self.author), (2, record or self.record)] + [(4, e) for e in (entries if entries is not None else self.entries)]


class Attack:
    """Sessions of the hostile peer with one victim; a new key whenever it was cut."""

    def __init__(self, victim):
        self.victim = victim
        self.told = victim.stream("type=repo.sync.progress")
        self.raw = Raw(NODE, SYNC, MESHSUB)
        self.sessions = 0
        self.cut = {}

    def session(self):
        """A fresh key, linked, Hello said; returns the number of the /guts/node stream."""
        while True:
            self.raw.rekey()
            self.sessions += 1
            try:
                self.raw.connect(self.victim)
                return self.raw.hello()[0]
            except Gone as e:
                self.note(e)

    def note(self, e):
        self.cut[str(e)[:60]] = self.cut.get(str(e)[:60], 0) + 1

    def lockstep(self, things, send):
        """send(stream, thing) for all things, each looked at by the victim before the next."""
        n, todo, done = None, list(things), 0
        while done < len(todo):
            try:
                if n is None:
                    n = self.session()
                send(n, todo[done])
                done += 1
                self.raw.ping(n)
            except Gone as e:
                self.note(e)
                n = None
        return done

    def answering(self, answer, want):
        """One session in which the victim is told of a newer state; answer(kind, request) → list of frames (or bytes).
        Ends when a question of the kind `want` was answered and judged, or the link is cut; returns whether it was asked."""
        raw, answered = self.raw, set()

        def asked(stream, f):
            q = unpb(f)
            kind = {2: "inventory", 3: "refs", 4: "objects", 5: "statuses"}[next(k for k in q if k in (2, 3, 4, 5))]
            out = answer(kind, q)
            answered.add(kind)
            for item in out if isinstance(out, list) else [out]:
                raw.send(stream, item if isinstance(item, bytes) else frame([(1, q.get(1, [0])[0])] + item[1]))
            raw.tell("finish", stream)
        raw.handlers[SYNC] = asked
        try:
            self.session()
            raw.pump(lambda e: want in answered)
            while not self.judged():
                raw.pump(lambda e: False, 0.02)
        except Gone as e:
            self.note(e)
        raw.handlers.clear()
        return want in answered

    def judged(self):
        """Has the victim told the end of a fetch from this peer?"""
        while not self.told.frames.empty():
            f = self.told.next()
            if f.get("event") == "repo.sync.progress" and f["data"]["peer"] == self.raw.id and \
                    f["data"]["data"]["phase"] in ("done", "failed"):
                return True
        return False


def message(*fields):
    return (None, list(fields))


tap = Tap()
chance = random.Random(SEED)
print("# seed %d" % SEED)
with tap.net() as net:
    a = pinned(net, "A")
    b = pinned(net, "B", bootstrap=[a])
    c = net.node("C", bootstrap=[b])
    for x, y in ((b, a), (c, b)):
        x.wait_peer(y)
    story = Story(a, net.path("work"))
    second = a.create("second")
    git("push", a.git_url(second), "main", cwd=story.work)
    for _ in range(2):
        assert story.step(a).returncode == 0
    wait_for(lambda: b.refs(second["full_name"]), "the second repository at B")

    def rid_of(text):
        """The 32 bytes of a repository's id: base32 of CIDv1, raw, SHA-256."""
        text = text[1:].upper()
        return base64.b32decode(text + "=" * (-len(text) % 8))[4:]

    spy = Raw()
    spy.connect(a)
    spy.hello()
    rid, rid2 = rid_of(story.id), rid_of(second["id"])
    earlier = Taken(rid, spy.get_refs(rid))
    assert story.step(a).returncode == 0
    wait_for(lambda: story.shows(b, 3), "step 3 at B")
    held = Taken(rid, spy.get_refs(rid))
    held_hashes = unpb(Taken(rid, spy.get_refs(rid, 4)).blocks[0])[6][0]
    b.stop()
    assert story.step(a).returncode == 0
    newest = Taken(rid, spy.get_refs(rid))
    other = Taken(rid2, spy.get_refs(rid2))
    spy.close()
    a.stop()
    b.start()
    c.post("/api/v1/peers", {"address": b.addr})
    c.wait_peer(b)

    honest = c.create("honest")
    mine = work_tree(net.path("mine"))
    before = (b.refs(story.path), b.get("/api/v1/repos/%s/authors" % story.path), b.repo(story.id)["identity_version"])
    attack = Attack(b)
    raw = attack.raw

    def unharmed(text):
        """B is as it was, lives, and serves its honest neighbour."""
        assert b.running(), "B ended"
        now = (b.refs(story.path), b.get("/api/v1/repos/%s/authors" % story.path), b.repo(story.id)["identity_version"])
        assert now == before, (before, now)
        oid = commit(mine, text)
        git("push", c.git_url(honest), "main", cwd=mine)
        t = time.monotonic()
        wait_for(lambda: b.refs(honest["full_name"]).get("refs/heads/main") == oid, "the honest neighbour's push at B")
        assert c.id in b.peers(), "B has lost its honest neighbour"
        print("# the honest neighbour's push came after %.0f ms; %d sessions, cut for %s" % (
            (time.monotonic() - t) * 1e3, attack.sessions, attack.cut))

    def refs_payload(author, repository, sequence, root=None, previous=b""):
        fields = [(1, 1), (2, repository), (3, author), (4, sequence)] + ([(5, previous)] if previous else [])
        return pb(fields + [(6, root or os.urandom(32)), (7, 1), (8, 0), (9, int(time.time() * 1000))])

    def foreign(previous=b""):
        """What only A may sign, signed by another key."""
        return raw.seal("guts-signed-refs", "guts/signed-refs/1",
                        refs_payload(newest.author, rid, int(time.time() * 1000) + 1000, previous=previous))

    # (record, for which repository it is given out)
    lies = {
        "foreign": (foreign(), rid),
        "foreign, with the true record before it": (foreign(hashlib.sha256(unpb(held.record)[3][0]).digest()), rid),
        "replayed": (held.record, rid),
        "rolled back": (earlier.record, rid),
        "another repository's": (other.record, rid),
        "for another repository": (newest.record, rid2),
    }

    def new_commit(record, repository=rid):
        return [(6, [(1, record), (2, repository)])]

    with tap.case("%d mutated records as NewCommit: none accepted" % DIRECT):
        things = [mutate(chance, newest.record) for _ in range(DIRECT)]
        attack.lockstep(things, lambda n, r: raw.send(n, frame(new_commit(r))))
        unharmed("direct")
    for name, lie in lies.items():
        with tap.case("a record as NewCommit, %s: not accepted" % name):
            attack.lockstep([lie], lambda n, x: raw.send(n, frame(new_commit(*x))))
            unharmed("direct " + name)
    with tap.case("mutated identities as NewRepository: none accepted"):
        attack.lockstep([mutate(chance, newest.identities[-1]) for _ in range(20)],
                        lambda n, i: raw.send(n, frame([(5, [(1, i)])])))
        unharmed("identities")

    def gossip_message(record, repository):
        topic = "guts/main/repo/" + hashlib.sha256(repository).hexdigest()
        data = pb([(1, [(1, record), (2, repository)])])
        fields = [(1, raw.raw_id), (2, data), (3, os.urandom(8)), (4, topic.encode())]
        signature = raw.sign(b"libp2p-pubsub:" + pb(fields))
        return frame([(2, fields + [(5, signature)])])

    def gossip(things, each=3):
        """Publish; a new session for each 3, since who is caught at lies is soon not listened to any more."""
        for i in range(0, len(things), each):
            try:
                n = attack.session()
                pub = raw.open(MESHSUB)
                for thing in things[i:i + each]:
                    raw.send(pub, gossip_message(*thing))
                    raw.ping(n)
            except Gone as e:
                attack.note(e)

    def rejected():
        return sum(t["rejected"] for t in b.get("/api/v1/gossip/topics"))
    with tap.case("%d mutated records in gossip: none accepted" % GOSSIP):
        before_them = rejected()
        gossip([(mutate(chance, newest.record), rid) for _ in range(GOSSIP)])
        judged = rejected() - before_them
        print("# %d were judged and rejected" % judged)
        assert judged > GOSSIP // 2
        unharmed("gossip")
    for name, lie in lies.items():
        with tap.case("a record in gossip, %s: not accepted" % name):
            gossip([lie])
            unharmed("gossip " + name)
    with tap.case("the same by the same way unchanged is heard: B asks for what belongs to it"):
        asked = []

        def nothing(stream, f):
            asked.append(unpb(f))
            raw.send(stream, frame([(1, asked[-1].get(1, [0])[0]), (2, [(1, 1), (2, b"no")])]))
            raw.tell("finish", stream)
        raw.handlers[SYNC] = nothing
        gossip([(newest.record, rid)])
        raw.pump(lambda e: [q for q in asked if 3 in q or 4 in q])
        raw.handlers.clear()
        assert [q for q in asked if 3 in q or 4 in q], asked
        unharmed("control")

    def lying(block, identities=()):
        def answer(kind, q):
            if kind == "inventory":
                return [message((3, [(1, [(1, rid), (2, os.urandom(32)), (3, 1)])]))]
            if kind == "refs":
                return [message((4, [(1, i) for i in (identities or newest.identities)] + [(3, block())]))]
            return [message((2, [(1, 1), (2, b"no")]))]
        return answer

    with tap.case("%d mutated records in answers to GetRefs: none accepted" % ANSWER):
        asked = sum(attack.answering(lying(lambda: newest.block(mutate(chance, newest.record))), "refs") for _ in range(ANSWER))
        assert asked == ANSWER, asked
        unharmed("answers")

    def entry(name):
        return pb([(1, name), (2, os.urandom(20)), (3, 99)])
    forged = raw.seal("guts-identity", "guts/identity/1", mutate(chance, unpb(newest.identities[-1])[3][0]))
    answers = {
        "a foreign record": newest.block(lies["foreign"][0]),
        "a foreign record with the true one before it": newest.block(lies["foreign, with the true record before it"][0]),
        "a replayed record": held.block(),
        "a record rolled back": earlier.block(),
        "another repository's record": other.block(),
        "another repository's entries": newest.block(entries=other.entries),
        "changed entries": newest.block(entries=[entry(b"refs/heads/main")]),
        "an entry more": newest.block(entries=newest.entries + [entry(b"refs/heads/evil")]),
        "an entry less": newest.block(entries=newest.entries[1:]),
        "a name outside refs/": newest.block(entries=[entry(b"../../x")]),
    }
    for name, block in answers.items():
        with tap.case("an answer with %s: not accepted" % name):
            assert attack.answering(lying(lambda: block), "refs"), "not asked"
            unharmed("answer " + name)
    for name, identity in (("a foreign", [forged]), ("another repository's", other.identities)):
        with tap.case("an answer with %s identity: not accepted" % name):
            assert attack.answering(lying(lambda: newest.block(), identity), "refs"), "not asked"
            unharmed("answer identity " + name)

    def successor():
        """A version of the identity that names the hostile peer as its delegate, and its own vote for it."""
        genesis = unpb(held.identities[0])[3][0]
        fields = unpb(genesis)
        fields.update({1: [1], 2: [rid], 3: [hashlib.sha256(genesis).digest()], 14: [raw.raw_id]})
        payload = pb([(k, v) for k in sorted(fields) for v in fields[k]])
        vote = pb([(1, raw.raw_id), (2, rid), (3, 1), (4, hashlib.sha256(payload).digest()), (5, int(time.time() * 1000))])
        return [(1, raw.seal("guts-identity", "guts/identity/1", payload)), (2, raw.seal("guts-vote", "guts/vote/1", vote))]

    for entries, where in ((1, "an answer"), (2, "an answer with buckets")):
        with tap.case("a version of the identity by a stranger in %s: not accepted" % where):
            def answer(kind, q):
                asked = unpb(q[3][0]).get(5, [0])[0] if kind == "refs" else 0
                extra = successor() if asked == entries else []
                if asked == 1:
                    by_bucket = [(6, held_hashes)] if entries == 2 else [(4, e) for e in held.entries]
                    return [message((4, extra + [(3, [(1, held.author), (2, held.record)] + by_bucket)]))]
                if asked == 2:
                    return [message((4, extra + [(3, [(1, held.author), (2, held.record)])]))]
                return lying(lambda: held.block())(kind, q)
            assert attack.answering(answer, "refs"), "not asked"
            unharmed("successor " + where)

    with tap.case("an answer of 2,000 records of which the last is bad: not accepted"):
        attack.session()
        chain, last = [], b""
        for k in range(2000):
            payload = refs_payload(raw.raw_id, rid, 1 + k, previous=last)
            last = hashlib.sha256(payload).digest()
            chain.append(raw.seal("guts-signed-refs", "guts/signed-refs/1", payload))
        chain[-1] = chain[-1][:-1] + bytes([chain[-1][-1] ^ 1])
        halves = [[(1, raw.raw_id)] + [(2, r) for r in part] for part in (chain[:1000], chain[1000:])]

        def long_answer(kind, q):
            if kind == "refs":
                return [message((4, [(3, halves[0]), (4, 1)])), message((4, [(3, halves[1])]))]
            return lying(lambda: held.block())(kind, q)
        assert attack.answering(long_answer, "refs"), "not asked"
        unharmed("long answer")

    def packs(pack):
        """The truth about refs, and a pack made by pack(q)."""
        def answer(kind, q):
            if kind == "objects":
                data = pack(q)
                out = [message((5, [(1, 1)]))]
                for i in range(0, len(data), 60000):
                    out.append(message((6, [(1, data[i:i + 60000])])))
                return out + [message((7, [(2, 1), (3, len(data)), (4, hashlib.sha256(data).digest())]))]
            return lying(lambda: newest.block())(kind, q)
        return answer

    with tap.case("true records with wrong packs: garbage, empty, cut, another repository's, endless: none accepted"):
        whole = git("rev-list", "--objects", "--all", cwd=mine)
        good = subprocess.run(["git", "pack-objects", "--stdout", "-q"], input="\n".join(
            line.split()[0] for line in whole.splitlines()).encode(), cwd=mine, capture_output=True, check=True).stdout
        empty = b"PACK\0\0\0\2\0\0\0\0"
        wrong = {
            "garbage": os.urandom(5000), "empty": empty + hashlib.sha1(empty).digest(), "nothing": b"",
            "another repository's": good, "cut": good[:len(good) // 2], "a byte more": good + b"x",
            "a wrong sum": good[:-1] + bytes([good[-1] ^ 1]), "promises many": b"PACK\0\0\0\2\xff\xff\xff\xff" + os.urandom(3000),
            "random behind a good head": good[:20] + os.urandom(200000),
        }
        for name, data in wrong.items():
            assert attack.answering(packs(lambda q: data), "objects"), "%s: not asked" % name
        unharmed("packs")
        folder = story.folder(b)
        wait_for(lambda: not [d for d in os.listdir(os.path.join(folder, "objects")) if d.startswith("incoming-")],
                 "end of the quarantines", timeout=60)

    def until_cut(protocol, data):
        """The same garbage on stream after stream, until the link is cut: a link that is being closed may refuse streams for a
        while before it is gone."""
        n = attack.session()
        try:
            for _ in range(50):
                if protocol != NODE:
                    n = raw.open(protocol)
                raw.send(n, data)
                raw.tell("finish", n)
                raw.pump(lambda e: e[0] in ("closed", "eof") and e[1] == str(n))
            gone = raw.pump(lambda e: e[0] == "gone")
        except Gone as e:
            attack.note(e)
            return
        if gone is None:
            raise AssertionError("50 times %s on %s, and it is still linked" % (data[:8].hex(), protocol))
        attack.note(Gone(" ".join(gone)))

    for protocol in (NODE, SYNC, MESHSUB):
        with tap.case("garbage on %s: the peer is cut" % protocol):
            for data in (frame(b"\x07" + os.urandom(1000)), varint(1 << 40), varint(100) + b"\xff" * 100, b"\xff" * 20,
                         varint(100 << 10) + bytes(100 << 10)):
                until_cut(protocol, data)
            unharmed("garbage " + protocol)

    floods = {
        "pings": lambda n: raw.send(n, frame([(3, [(1, 1), (2, os.urandom(32))])]) * 20000),
        "announcements": lambda n: raw.send(n, b"".join(
            frame(new_commit(mutate(chance, newest.record), os.urandom(32))) for _ in range(3000))),
        "requests": lambda n: [raw.send(raw.open(SYNC), frame([(1, 7), (3, [(1, rid), (5, 3)])])) for _ in range(300)],
        "streams": lambda n: [raw.open(SYNC) for _ in range(2000)],
    }
    for name, flood in floods.items():
        with tap.case("a flood of %s: nobody else waits" % name):
            flood(attack.session())
            unharmed("flood of " + name)

    def offers(answer):
        """Offer 1,000 repositories; answer(stream, request) meets the questions about them.  Returns the ids asked about, as
        they come, and the stream for pings."""
        asked = []
        many = sorted(os.urandom(32) for _ in range(1000))

        def on_question(stream, f):
            q = unpb(f)
            if 2 in q:
                raw.send(stream, frame([(1, q[1][0]), (3, [(1, [(1, i), (2, os.urandom(32)), (3, 1)]) for i in many])]))
                raw.tell("finish", stream)
            else:
                asked.append(unpb(q[3][0])[1][0])
                answer(stream, q)
        raw.handlers[SYNC] = on_question
        return asked, attack.session()

    with tap.case("a peer that offers 1,000 repositories and stalls holds two fetches, and nobody else waits"):
        asked, n = offers(lambda stream, q: None)
        raw.pump(lambda e: len(asked) == 2)
        unharmed("stall")
        raw.ping(n)
        assert len(asked) == 2, len(asked)
    with tap.case("of 1,000 repositories that a peer offers at once 256 are looked at"):
        def deny(stream, q):
            raw.send(stream, frame([(1, q[1][0]), (2, [(1, 2), (2, b"no")])]))
            raw.tell("finish", stream)
        asked, n = offers(deny)
        raw.pump(lambda e: len(asked) == 256)
        raw.ping(n)
        raw.ping(n)
        assert len(asked) == len(set(asked)) == 256, (len(asked), len(set(asked)))
        raw.handlers.clear()
        unharmed("offers")
    with tap.case("B keeps what it had"):
        print("# %d KiB resident" % b.rss_kib())
        assert len(b.get("/api/v1/repos")) == 3
    with tap.case("a hostile peer is banned"):
        bans = b.get("/api/v1/bans?per_page=100")
        assert bans and all(x["peer"] not in (a.id, c.id) for x in bans), bans
        assert not [f for f in b.facts() if f["type"] == "repo.author.forked"]
    raw.close()
    with tap.case("the real record comes through when A is back: no bad copy stood in its way"):
        a.start()
        wait_for(lambda: story.shows(b, story.acked), "step %d at B" % story.acked)
        assert a.refs(story.path) == b.refs(story.path)
        check_disk(story, b)
        check_facts(story, b)
tap.done()
