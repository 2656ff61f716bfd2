"""rawlib - a hostile peer in python: tests/integration/rawpeer.c for links, streams and signatures, bytes from here."""
import os
import queue
import subprocess
import threading
import time

from gutslib import DEADLINE

RAWPEER = os.path.join(os.environ.get("GUTS_BUILDDIR", "."), "tests", "integration", "rawpeer")
NODE = "/guts/node/1.0.0"
SYNC = "/guts/sync/1.0.0"
MESHSUB = "/meshsub/1.1.0"


class Gone(Exception):
    """The link was closed, with the reason."""


# -- protobuf: a message is a list of (number, value); value = int, bytes, or a list (a message)

def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def read_varint(b, i):
    n = shift = 0
    while True:
        n |= (b[i] & 127) << shift
        shift += 7
        i += 1
        if b[i - 1] < 128:
            return n, i


def pb(fields):
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = pb(value) if isinstance(value, list) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def unpb(b):
    """{number: [values]}"""
    out, i = {}, 0
    while i < len(b):
        tag, i = read_varint(b, i)
        if tag & 7 == 0:
            v, i = read_varint(b, i)
        else:
            assert tag & 7 == 2, "wire type %d" % (tag & 7)
            n, i = read_varint(b, i)
            v, i = b[i:i + n], i + n
        out.setdefault(tag >> 3, []).append(v)
    return out


def frame(fields):
    b = fields if isinstance(fields, bytes) else pb(fields)
    return varint(len(b)) + b


def frames(buf):
    """Cut whole frames off a bytearray."""
    out = []
    while buf:
        try:
            n, i = read_varint(buf, 0)
        except IndexError:
            break
        if len(buf) < i + n:
            break
        out.append(bytes(buf[i:i + n]))
        del buf[:i + n]
    return out


class Raw:
    """One process; rekey() makes it another peer.  `serve`: protocols whose inbound streams are taken."""

    def __init__(self, *serve):
        self.process = subprocess.Popen([RAWPEER] + list(serve), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.handlers = {}  # protocol → function(number of the stream, frame)
        self.buffers = {}
        self.protocols = {}  # of streams that the other side opened: those the handlers are for
        self.number = 0
        self.peer = None
        self._take_key()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(line.rstrip("\n").split(" "))
        self.events.put(None)

    def tell(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()

    def _take_key(self):
        """Pass over all that comes before the key."""
        e = self._next(DEADLINE)
        while e[0] != "key":
            e = self._next(DEADLINE)
        self.id, self.pubkey = e[1:3]
        self.raw_id = b"\x00\x24" + bytes.fromhex(self.pubkey)

    def rekey(self):
        self.tell("rekey")
        self.buffers.clear()
        self.protocols.clear()
        self.peer = None
        self._take_key()

    def _next(self, timeout):
        e = self.events.get(timeout=timeout)
        assert e is not None, "rawpeer ended with %s" % self.process.wait()
        return e

    def pump(self, until, timeout=DEADLINE):
        """Handle events until `until(event)` is true; returns that event's words, or None at the end of the time.
        Raises Gone when the link is closed (unless that is what was waited for)."""
        end = time.monotonic() + timeout
        while True:
            try:
                e = self._next(max(0.001, end - time.monotonic()))
            except queue.Empty:
                return None
            if e[0] == "stream":
                self.protocols[e[1]] = e[3]
                self.buffers[e[1]] = bytearray()
            elif e[0] == "data":
                self.buffers.setdefault(e[1], bytearray()).extend(bytes.fromhex(e[2]))
                handler = self.handlers.get(self.protocols.get(e[1]))
                if handler:
                    for f in frames(self.buffers[e[1]]):
                        handler(e[1], f)
            if until(e):
                return e[1:]
            if e[0] == "gone":
                raise Gone(" ".join(e[2:]))

    def wait(self, *words, timeout=DEADLINE):
        e = self.pump(lambda e: e[:len(words)] == [str(w) for w in words], timeout)
        assert e is not None, "no %s within %d s" % (words, timeout)
        return e

    def connect(self, node):
        """A link on which the peer is known; raises Gone if it is refused."""
        self.peer = node.id
        self.tell("connect", node.addr)
        e = self.pump(lambda e: e[0] in ("identified", "failed", "gone"))
        assert e, "no link"
        if e[0] != node.id or len(e) > 2:
            raise Gone(" ".join(e))

    def open(self, protocol):
        """The number of a new stream to the peer."""
        self.number += 1
        self.tell("open", self.number, self.peer, protocol)
        return self.number

    def send(self, number, data):
        self.tell("send", number, data.hex())

    def ask(self, number):
        """The next frame that comes on a stream; raises Gone when there is none any more."""
        buf = self.buffers.setdefault(str(number), bytearray())
        over = []

        def of_stream(e):
            if e[0] == "closed" and e[1] == str(number):
                over.append(e[2])
            return e[0] in ("data", "closed") and e[1] == str(number)
        while True:
            got = frames(buf)
            if got:
                for f in got[1:]:
                    buf.extend(frame(f))
                return got[0]
            if over:
                raise Gone("stream: %s" % over[0])
            assert self.pump(of_stream) is not None, "no answer"

    def seal(self, domain, kind, payload):
        self.tell("seal", domain, kind, payload.hex())
        return bytes.fromhex(self.wait("sealed")[0])

    def seal_all(self, domain, kind, payloads):
        """The same for many, without waiting for each."""
        for payload in payloads:
            self.tell("seal", domain, kind, payload.hex())
        return [bytes.fromhex(self.wait("sealed")[0]) for _ in payloads]

    def sign(self, data):
        self.tell("sign", data.hex())
        return bytes.fromhex(self.wait("signed")[0])

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0

    # -- what a Guts node says

    def hello(self, digest=None, network=b"main"):
        """Open /guts/node, say Hello; returns the stream and the answer."""
        n = self.open(NODE)
        self.send(n, frame([(1, [(1, 1), (2, b"raw/1"), (3, network), (4, b"sync"), (4, b"gossipsub"),
                                 (6, digest or os.urandom(32)), (7, 1)])]))
        return n, unpb(self.ask(n))

    def ping(self, n, digest=b""):
        """Send a Ping and wait for its Pong: all before it was looked at."""
        nonce = int.from_bytes(os.urandom(4), "big")
        self.send(n, frame([(3, [(1, nonce), (2, digest), (3, int(time.time() * 1000))])]))
        while True:
            m = unpb(self.ask(n))
            if 4 in m and unpb(m[4][0]).get(1, [0])[0] == nonce:
                return

    def get_refs(self, rid, entries=3):
        """All that the peer shows of a repository: the list of its Refs frames; entries: 3 = whole, 4 = bucket hashes."""
        n = self.open(SYNC)
        self.send(n, frame([(1, 7), (3, [(1, rid), (5, entries)])]))
        self.tell("finish", n)
        out = []
        while True:
            m = unpb(self.ask(n))
            assert 4 in m, m
            out.append(unpb(m[4][0]))
            if not out[-1].get(4):
                return out
