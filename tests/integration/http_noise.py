"""Thousands of malformed requests from one seed: no fault of the server, no answer to what only hides in a request.

A good request is bent in one to three places: its line, target, headers, framing or body; another good one follows
on the same connection.  A reader of our own, as strict about framing as RFC 9112 section 6 asks, says how many
requests were sent; the node must not answer more.
"""
import json
import random
import re
import threading
import urllib.parse

from gutslib import LONG, SEED, Tap, git, wait_for, work_tree
from http_raw import talk

COUNT = 20000 if LONG else 1600
THREADS = 4
HIDDEN = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
TOKEN_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
ODD_BYTES = (b"\0", b"\r", b"\n", b"\r\n", b"\t", b" ", b"\x7f", b"\xff", b"%", b"%00", b"%0d%0a", b"%2e%2e", b"/", b"//", b"..", b"\\", b":", b";", b",", b"#", b"?")
FRAMING = (b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 5, 5", b"Content-Length: +5", b"Content-Length: 0x5", b"Content-Length: 5 5",
           b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length:", b"Content-Length : 5", b"content-length: 3",
           b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: gzip, chunked",
           b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding : chunked", b"transfer-encoding: identity", b"TE: trailers")
HEADERS = (b"Host: localhost", b"Host: evil.example", b"Host:", b"Host: a b", b"Connection: close", b"Connection: upgrade\r\nUpgrade: h2c", b"Expect: 100-continue",
           b"Expect: x", b"Range: bytes=0-", b"Range: bytes=5-1", b"Range: bytes=-9999999999999999999", b"Range: bytes=0-0,1-1,2-2", b"Range: lines=1",
           b"Content-Encoding: gzip", b"Content-Type: text/html", b"If-None-Match: *", b"If-None-Match: \"", b"Accept-Encoding: gzip;q=0", b"Accept-Encoding: ,,;;q",
           b"Cookie: =;==;;", b"Last-Event-ID: -1", b"X-Request-Id: " + b"a" * 300, b"Origin: null",
           b"Idempotency-Key: \x80", b"X-Forwarded-For: ,,,", b"X-Guts-Csrf: x", b"Git-Protocol: version=99", b"bad header: x", b"nocolon", b": x", b"X-A: " + b"b" * 9000)
BODIES = (b"{", b"}", b"[]", b"null", b"0", b'""', b'{"name":}', b'{"name":"a","name":"b"}', b'{"name":1e999}', b'{"name":"\xff"}', b'{"name":"\\ud800"}',
          b"[" * 2000, b'{"a":' * 200 + b"1" + b"}" * 200, b'{"name":NaN}', b'{"name":"x"} {}', b"\xef\xbb\xbf{}", b'{"name":"' + b"a" * 20000 + b'"}',
          b'{"scopes":["admin",{}],"name":[]}', b'{"name":"\\u0000"}', b"0000", b"0032want " + b"0" * 40 + b"\n00000009done\n", b"zzzz")


def framing(headers, is_11):
    """(length of the body or "chunked") or None if it is in doubt."""
    lengths, encodings = [], []
    for name, value in headers:
        if not TOKEN_NAME.match(name):
            return None
        if name.lower() == b"content-length":
            lengths.append(value)
        elif name.lower() == b"transfer-encoding":
            encodings.append(value)
    if encodings:
        return "chunked" if is_11 and not lengths and len(encodings) == 1 and encodings[0].lower() == b"chunked" else None
    if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,18}", lengths[0])):
        return None
    return int(lengths[0]) if lengths else 0


def after_chunks(data, at):
    """Where a chunked body ends; None if it does not, or not well."""
    while True:
        line = re.compile(rb"([0-9a-fA-F]+)[ \t]*(;[^\r\n]*)?\r?\n").match(data, at)
        if not line:
            return None
        at = line.end()
        size = int(line.group(1), 16)
        if size == 0:
            end = re.compile(rb"(?:[^\r\n]+\r?\n)*\r?\n").match(data, at)
            return end.end() if end else None
        at += size
        end = re.compile(rb"\r?\n").match(data, at)
        if not end:
            return None
        at = end.end()


def requests_in(data):
    """How many requests may be answered: the good ones in a row, and the first that is not; and whether all are whole."""
    at = n = 0
    while True:
        while data[at:at + 1] in (b"\r", b"\n"):
            at += 1
        head = re.compile(rb"(.*?\n)(?:\r?\n|:[^\n]*\n)", re.S).match(data, at)  # without a name: see http/guard.c
        if at >= len(data):
            return n, True
        n += 1
        if not head:
            return n, False
        lines = re.sub(rb"\r?\n[ \t]+", b" ", head.group(1)).split(b"\n")[:-1]
        headers = [tuple(x.strip(b" \t\r") if i else x for i, x in enumerate(line.split(b":", 1))) for line in lines[1:]]
        if any(len(h) != 2 for h in headers):
            return n, True
        size = framing(headers, b"HTTP/1.1" in lines[0])
        if size is None:
            return n, True
        at = after_chunks(data, head.end()) if size == "chunked" else head.end() + size
        if at is None or at > len(data):
            return n, False


class Noise:
    def __init__(self, rng, repo, token):
        self.rng = rng
        base = "/api/v1/repos/" + repo
        self.targets = [("GET", x) for x in ("/api/v1/status", "/api/v1/peers?q=a&page=1", "/api/v1/repos?sort=size&per_page=5", "/metrics", "/", base,
                                             base + "/branches/main", base + "/contents/README", base + "/raw/README?ref=main", base + "/commits?since=2020-01-01T00:00:00Z",
                                             base + "/git/refs?page=2", "/api/v1/events?since=0&limit=3", "/api/v1/gossip/messages?after=0",
                                             "/%s.git/info/refs?service=git-upload-pack" % repo, "/%s.git/HEAD" % repo)]
        self.targets += [("POST", "/api/v1/session"), ("POST", "/api/v1/tokens"), ("POST", base + "/statuses/" + "0" * 40), ("POST", "/api/v1/repos"),
                         ("PUT", "/api/v1/gossip/topics/t"), ("PATCH", base), ("POST", "/%s.git/git-upload-pack" % repo), ("POST", "/%s.git/git-receive-pack" % repo),
                         ("DELETE", "/api/v1/tokens/0000000000000000"), ("OPTIONS", "/api/v1/repos"), ("HEAD", "/api/v1/status")]
        self.token = token.encode()

    def bend(self, text):
        """One place of a text is changed."""
        at = self.rng.randrange(len(text) + 1)
        kind = self.rng.randrange(4)
        if kind == 0:
            return text[:at] + self.rng.choice(ODD_BYTES) + text[at:]
        if kind == 1:
            return text[:at] + bytes([self.rng.randrange(256)]) + text[at + 1:]
        if kind == 2:
            return text[:at] + text[at + self.rng.randrange(1, 8):]
        return text[:at] + text[max(0, at - 10):at] * self.rng.choice((2, 50)) + text[at:]

    def one(self):
        rng = self.rng
        method, target = rng.choice(self.targets)
        body = rng.choice(BODIES) if method in ("POST", "PUT", "PATCH") else b""
        line = ("%s %s HTTP/1.1" % (method, target)).encode()
        headers = [b"Host: localhost"]
        if rng.random() < 0.3:
            headers.append(b"Authorization: Bearer " + self.token)
        if body:
            headers += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
        for _ in range(rng.randrange(1, 4)):
            kind = rng.randrange(6)
            if kind == 0:
                line = self.bend(line)
            elif kind == 1:
                headers.insert(rng.randrange(len(headers) + 1), rng.choice(FRAMING))
            elif kind == 2:
                headers.insert(rng.randrange(len(headers) + 1), rng.choice(HEADERS))
            elif kind == 3:
                i = rng.randrange(len(headers))
                if not headers[i].startswith(b"Authorization"):  # a wrong token is slowed down
                    headers[i] = self.bend(headers[i])
            elif kind == 4:
                body = self.bend(body)
            elif body:
                cut = rng.randrange(len(body) + 1)
                body = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (cut, body[:cut], len(body) - cut, body[cut:])
                headers = [h for h in headers if not h.startswith(b"Content-Length")] + [b"Transfer-Encoding: chunked"]
        return line + b"\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body


def statuses(raw):
    """Statuses of the answers in a row, read by their lengths."""
    out = []
    while raw:
        m = re.match(rb"HTTP/1\.[01] (\d\d\d) ", raw)
        assert m, raw[:200]
        head, _, rest = raw.partition(b"\r\n\r\n")
        status = int(m.group(1))
        if status == 100:
            raw = rest
            continue
        out.append(status)
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
        if re.search(rb"\r\ntransfer-encoding: chunked", head, re.I):
            end = after_chunks(rest, 0)
            raw = b"" if end is None else rest[end:]
        elif status == out[-1] and b"Connection: close" in head and rest.startswith(head):
            raw = b""  # libmicrohttpd 0.9.75 writes the head of its own error pages twice, and ends the connection
        elif rest.startswith(b"HTTP/1.") or status in (204, 304):  # of a HEAD
            raw = rest
        else:
            raw = rest[int(length.group(1)):] if length else b""
    return out


def worker(node, repo, number, count, wrong, seen):
    rng = random.Random("%d %d" % (SEED, number))
    noise = Noise(rng, repo, node.token)
    for i in range(count):
        data = noise.one()
        most, whole = requests_in(data + HIDDEN)
        got = statuses(talk(node, data + HIDDEN, half_close=False, silence=2 if whole else 0.1))
        seen.update(got)
        if any(s >= 500 and s not in (501, 505) for s in got):
            wrong.append("a fault: %s for %r" % (got, data[:3000]))
        if len(got) > most:
            wrong.append("%d answers to %d requests: %s for %r" % (len(got), most, got, data[:3000]))
        if len(wrong) > 5:
            return


def main():
    tap = Tap()
    print("# seed %d, %d requests" % (SEED, COUNT))
    with tap.net() as net:
        node = net.node("A")
        repo = node.create("demo")
        work = work_tree(net.path("work"))
        git("push", "-q", node.git_url(repo), "main", cwd=work)
        refs = node.refs(repo["id"])
        wrong, seen = [], set()
        threads = [threading.Thread(target=worker, args=(node, repo["id"], n, COUNT // THREADS, wrong, seen)) for n in range(THREADS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        tap.ok(not wrong, "no fault of the server and no smuggled answer", "\n".join(wrong))
        tap.ok({200, 400, 401, 404} <= seen, "good and bad answers came", sorted(seen))
        with tap.case("the node is well, and no ref moved"):
            assert node.running() and node.request("GET", "/readyz").status == 200
            assert node.refs(repo["id"]) == refs
            wait_for(lambda: "guts_http_active_connections 1\n" in node.request("GET", "/metrics").data.decode(), "the end of all connections")
            node.stop()
    tap.done()


main()
