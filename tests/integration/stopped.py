"""stopped.py - peers and clone clients that stop reading: each holds at most 1 MiB in the node, and nobody else waits.

32 peers ask for all they may, subscribe to a topic that is busy, and then stop: half of them as processes (SIGSTOP), half only
take nothing from their streams.  Then clone clients that read the head of the answer and no more.
"""
import base64
import os
import signal
import socket
import urllib.parse

from crashlib import pinned
from gutslib import Tap, commit, git, sanitizer, wait_for, work_tree
from rawlib import MESHSUB, NODE, SYNC, Raw, frame

PEERS = 32
MESSAGES = 40     # 16 KB each: more than a queue holds
REFS = 6000
MIB = 1024  # [KiB]
# Red zones and shadow of AddressSanitizer cost about as much again, twice; each word has four in ThreadSanitizer's shadow.
EACH_MAX = MIB * {"": 1, "address": 3, "thread": 6}[sanitizer()]
ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


def rid_of(text):
    """The 32 bytes of a repository's id: base32 of CIDv1, raw, SHA-256."""
    text = text[1:].upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))[4:]


class Peak:
    """The most memory the node had while something was waited for."""

    def __init__(self, node):
        self.node = node
        self.before = self.most = node.rss_kib()

    def seen(self, value):
        self.most = max(self.most, self.node.rss_kib())
        return value

    @property
    def grown(self):
        return self.most - self.before


def big_work(path):
    """6,000 refs and a pack of some 30 MiB that does not shrink."""
    work = work_tree(path)
    for n in range(3):
        with open(os.path.join(work, "bulk%d" % n), "wb") as f:
            f.write(os.urandom(10 << 20))
    oid = commit(work, "bulk")
    git("update-ref", "--stdin", cwd=work, input="".join(
        "create refs/tags/a-tag-with-some-length-%05d %s\n" % (n, oid) for n in range(REFS)))
    return work, oid


def linked_peer(node, topic):
    raw = Raw(NODE, SYNC, MESHSUB)
    raw.connect(node)
    n = raw.hello()[0]
    raw.send(raw.open(MESHSUB), frame([(1, [(1, 1), (2, topic.encode())])]))
    raw.ping(n)
    return raw


def ask_and_stop(raw, whole, asks):
    for ask in asks:
        s = raw.open(SYNC)
        raw.tell("pause", s)
        raw.send(s, frame([(1, 7), ask]))
        raw.tell("finish", s)
    if whole:
        os.kill(raw.process.pid, signal.SIGSTOP)


def clone_client(node, repo, oid):
    """A fetch over HTTP whose answer is not read beyond its first bytes."""
    url = urllib.parse.urlsplit(node.url)
    s = socket.create_connection((url.hostname, url.port))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = b"0011command=fetch0001000dofs-delta0032want %s\n0009done\n0000" % oid.encode()
    s.sendall(b"POST /%s.git/git-upload-pack HTTP/1.1\r\nHost: %s\r\nGit-Protocol: version=2\r\n"
              b"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: %d\r\n\r\n%s" % (
                  repo["id"].encode(), url.netloc.encode(), len(body), body))
    return s


tap = Tap()
with tap.net() as net:
    a = pinned(net, "A", env=ENV)
    b = net.node("B", bootstrap=[a])
    b.wait_peer(a)
    work, oid = big_work(net.path("work"))
    repo = a.create("big")
    git("push", "-q", a.git_url(repo), "main", "--tags", cwd=work, timeout=600)
    wait_for(lambda: len(b.get("/api/v1/repos/%s/tags?per_page=1" % repo["id"])) == 1, "the repository at B", timeout=600)
    topic = "busy"
    a.put("/api/v1/gossip/topics/" + topic)
    small = a.create("small")
    mine = work_tree(net.path("small"))
    git("push", "-q", a.git_url(small), "main", cwd=mine)
    rid = rid_of(repo["id"])

    def push():
        """The honest neighbour gets a push."""
        new = commit(mine, "more")
        git("push", "-q", a.git_url(small), "main", cwd=mine)
        wait_for(lambda: peak.seen(b.refs(small["id"]).get("refs/heads/main") == new), "the push at B")

    def stopped(count, asks):
        """`count` peers ask and stop, the topic and the repository go on; returns what each costs [KiB]."""
        raws = [linked_peer(a, topic) for _ in range(count)]
        wait_for(lambda: len(a.peers()) == count + 1, "links of all peers")
        global peak
        peak = Peak(a)
        for i, raw in enumerate(raws):
            ask_and_stop(raw, i % 2 == 0, asks)
        for n in range(MESSAGES):
            a.post("/api/v1/gossip/topics/%s/messages" % topic, {"data": "%d " % n + "x" * 16000})
            peak.seen(None)
        push()
        grown = peak.grown
        for i, raw in enumerate(raws):
            if i % 2 == 0:
                os.kill(raw.process.pid, signal.SIGCONT)
            raw.process.stdin.close()
        for raw in raws:
            raw.process.wait()
        print("# %d KiB in all, %d KiB each" % (grown, grown // count))
        assert grown <= count * EACH_MAX

    def fresh():
        """A with the memory of a start, and caches of their size."""
        global peak
        a.restart()
        b.wait_peer(a)
        peak = Peak(a)
        push()

    oid = bytes.fromhex(oid)
    whole = (3, [(1, rid), (5, 3)])
    fresh()
    with tap.case("%d stopped peers that ask for a bit of everything hold at most %d KiB each" % (PEERS, EACH_MAX)):
        stopped(PEERS, [(4, [(1, rid), (2, oid)])] * 2 + [whole] * 4 + [(2, []), (5, [(1, rid)])])
    fresh()
    with tap.case("8 stopped peers that ask 8 times for all refs hold at most %d KiB each" % EACH_MAX):
        stopped(8, [whole] * 8)
    fresh()
    with tap.case("stopped clone clients hold at most %d KiB each" % EACH_MAX):
        peak = Peak(a)
        slots = 2 * os.cpu_count()  # of git; a quarter is not for serving
        clients = [clone_client(a, repo, oid.hex()) for _ in range(slots - (slots + 3) // 4)]
        got = [c.recv(512) for c in clients]
        assert all(b" 200 " in g for g in got), got
        still = []
        wait_for(lambda: peak.seen(still.append(a.rss_kib())) or len(still) > 50 and max(still[-50:]) - min(still[-50:]) < 64,
                 "the end of its growth")
        print("# %d KiB in all, %d KiB each" % (peak.grown, peak.grown // len(clients)))
        assert peak.grown <= len(clients) * EACH_MAX
    with tap.case("a push is taken while stopped clients hold all slots there are for them"):
        commit(mine, "meanwhile")
        git("push", "-q", a.git_url(small), "main", cwd=mine)
    for c in clients:
        c.close()
    push()
tap.done()
