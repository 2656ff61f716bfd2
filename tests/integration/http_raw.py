"""Malformed HTTP on raw sockets: each is refused with the right status, nothing is smuggled, the node stays well.

A second request, sent in the same breath, must never be answered after a request whose framing is in doubt.
"""
import re
import socket
import threading
import urllib.parse

from gutslib import Tap, DEADLINE, LONG

NEXT = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
GOOD = b"Host: localhost\r\n"


def talk(node, data, half_close=True, silence=DEADLINE):
    """Send everything, read until the end, or until nothing came for so many seconds."""
    url = urllib.parse.urlsplit(node.url)
    with socket.create_connection((url.hostname, url.port), DEADLINE) as s:
        s.settimeout(silence)
        got = b""
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:  # closed before all was sent: what it said first is still there to read
            pass
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except OSError:  # reset
            pass
        return got


def statuses(raw):
    return [int(m) for m in re.findall(rb"(?:^|\r\n\r\n|\n|\})HTTP/1\.1 (\d\d\d) ", raw)]


def get(target, headers=GOOD, version=b"HTTP/1.1", method=b"GET"):
    return method + b" " + target + b" " + version + b"\r\n" + headers + b"\r\n"


def post(headers, body=b"", target=b"/api/v1/session"):
    return b"POST " + target + b" HTTP/1.1\r\n" + GOOD + b"Content-Type: application/json\r\n" + headers + b"\r\n" + body


HIDDEN = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"  # what would be smuggled

# (name, bytes, statuses that are right (None: closed without one), may a second answer follow)
CASES = [
    # framing: never a second answer
    ("length and chunks", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("chunks and length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("two lengths", post(b"Content-Length: 2\r\nContent-Length: 60\r\n", b"{}" + HIDDEN), {400}, False),
    ("the same length twice", post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}" + HIDDEN), {400}, False),
    ("length list", post(b"Content-Length: 2, 2\r\n", b"{}" + HIDDEN), {400}, False),
    ("length with plus", post(b"Content-Length: +2\r\n", b"{}" + HIDDEN), {400}, False),
    ("length with minus", post(b"Content-Length: -2\r\n", b"{}" + HIDDEN), {400}, False),
    ("length in hex", post(b"Content-Length: 0x2\r\n", b"{}" + HIDDEN), {400}, False),
    ("length with text", post(b"Content-Length: 2abc\r\n", b"{}" + HIDDEN), {400}, False),
    ("empty length", post(b"Content-Length:\r\n", b"{}" + HIDDEN), {400}, False),
    ("overflowing length", post(b"Content-Length: 18446744073709551617\r\n", b"{}" + HIDDEN), {400, 413}, False),
    ("huge length", post(b"Content-Length: 99999999999\r\n", b"{}"), {413}, False),
    ("space before the colon of length", post(b"Content-Length : 2\r\n", b"{}" + HIDDEN), {400}, False),
    ("tab before the colon of length", post(b"Content-Length\t: 2\r\n", b"{}" + HIDDEN), {400}, False),
    ("space before the colon of encoding", post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("unknown encoding", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("two encodings", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("list of encodings", post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("chunked with a parameter", post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("quoted chunked", post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n" + HIDDEN), {400}, False),
    ("chunks in HTTP/1.0", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN).replace(b"HTTP/1.1", b"HTTP/1.0", 1), {400}, False),
    ("body of a GET", get(b"/livez", GOOD + b"Content-Length: 6\r\n") + b"abcdef", {400}, False),
    ("chunks of a GET", get(b"/livez", GOOD + b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", {400}, False),
    ("body of a HEAD", get(b"/livez", GOOD + b"Content-Length: 6\r\n", method=b"HEAD") + b"abcdef", {400}, False),
    ("chunk size 0x5", post(b"Transfer-Encoding: chunked\r\n", b"0x2\r\n{}\r\n0\r\n\r\n"), {400}, False),
    ("negative chunk size", post(b"Transfer-Encoding: chunked\r\n", b"-2\r\n{}\r\n0\r\n\r\n"), {400}, False),
    ("overflowing chunk size", post(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff1\r\n{}\r\n0\r\n\r\n"), {400, 413}, False),
    # headers
    ("no Host", get(b"/livez", b""), {400}, False),
    ("no Host in HTTP/1.0", get(b"/livez", b"", b"HTTP/1.0"), {400}, False),
    ("two Hosts", get(b"/livez", GOOD + b"Host: localhost\r\n"), {400}, False),
    ("foreign Host", get(b"/livez", b"Host: evil.example\r\n"), {421}, False),
    ("foreign Host on a page", get(b"/", b"Host: evil.example\r\n"), {421}, False),
    ("foreign Host on git", get(b"/a/b.git/info/refs?service=git-upload-pack", b"Host: evil.example:80\r\n"), {421}, False),
    ("Host of all zeros", get(b"/livez", b"Host: 0.0.0.0\r\n"), {421}, False),
    ("Host with a space", get(b"/livez", b"Host: local host\r\n"), {400}, False),
    ("Host with a user", get(b"/livez", b"Host: a@localhost\r\n"), {400}, False),
    ("Host with a bad port", get(b"/livez", b"Host: localhost:99999\r\n"), {400}, False),
    ("empty Host", get(b"/livez", b"Host:\r\n"), {400}, False),
    ("space in a header's name", get(b"/livez", GOOD + b"X A: 1\r\n"), {400}, False),
    ("no colon", get(b"/livez", GOOD + b"nocolon\r\n"), {400}, False),
    ("parenthesis in a name", get(b"/livez", GOOD + b"X(: 1\r\n"), {400}, False),
    ("bare CR in a value", get(b"/livez", GOOD + b"X-A: a\rb\r\n"), {400}, False),
    ("control byte in a value", get(b"/livez", GOOD + b"X-A: a\x01b\r\n"), {400}, False),
    ("two Authorizations", get(b"/livez", GOOD + b"Authorization: token a\r\nAuthorization: token b\r\n"), {400}, False),
    ("unknown expectation", post(b"Expect: 200-maybe\r\nContent-Length: 2\r\n", b"{}"), {417, 400}, False),
    ("headers of 20 KiB", get(b"/livez", GOOD + b"X-A: " + b"a" * 20000 + b"\r\n"), {431, 413, 400}, False),
    ("2,000 headers", get(b"/livez", GOOD + b"X: y\r\n" * 2000), {431, 413, 400}, False),
    # request line
    ("unknown method", get(b"/livez", method=b"BREW"), {501}, False),
    ("lower-case method", get(b"/livez", method=b"get"), {400}, False),
    ("control byte in the method", get(b"/livez", method=b"G\x01T"), {400}, False),
    ("CONNECT", get(b"localhost:80", method=b"CONNECT"), {400, 501}, False),
    ("TRACE", get(b"/livez", method=b"TRACE"), {501}, False),
    ("HTTP/2.0", get(b"/livez", version=b"HTTP/2.0"), {505, 400}, False),
    ("HTTP/0.9", b"GET /livez\r\n", {400, 505}, False),
    ("junk version", get(b"/livez", version=b"HTPT/1.1"), {400, 505}, False),
    ("absolute form", get(b"http://evil.example/livez"), {400}, False),
    ("absolute form to us", get(b"http://localhost/livez"), {400}, False),
    ("asterisk", get(b"*", method=b"OPTIONS"), {400}, False),
    ("no slash", get(b"livez"), {400}, False),
    ("NUL escape", get(b"/livez%00x"), {400}, False),
    ("half an escape", get(b"/livez%4"), {400}, False),
    ("bad escape", get(b"/livez%zz"), {400}, False),
    ("dots", get(b"/../etc/passwd"), {400}, False),
    ("encoded dots", get(b"/%2e%2e/etc/passwd"), {400}, False),
    ("half-encoded dots", get(b"/assets/.%2e/.%2e/etc/passwd"), {400}, False),
    ("dots in contents", get(b"/api/v1/repos/a/b/contents/../../x"), {400}, False),
    ("double slash", get(b"//evil.example/x"), {400}, False),
    ("backslash", get(b"/a\\b"), {400}, False),
    ("bytes above 0x7e", get(b"/\xc3\xa4"), {400}, False),
    ("fragment", get(b"/livez#x"), {400}, False),
    ("target of 5,000 bytes", get(b"/" + b"a" * 5000), {414}, False),
    ("target of 20 KiB", get(b"/" + b"a" * 20000), {414, 431}, False),
    ("200 segments", get(b"/a" * 200), {414}, False),
    ("40 parameters", get(b"/livez?" + b"a=1&" * 40), {414}, False),
    ("nothing but line ends", b"\r\n\r\n\r\n\r\n", set(), False),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), {400}, False),
    ("random bytes", bytes((i * 197 + 41) & 255 for i in range(600)) + b"\r\n\r\n", {400, 505, None}, False),
    # refused, but the connection may go on
    ("not found", get(b"/api/v1/nothing"), {404}, True),
    ("newline escape", get(b"/livez%0d%0aX-A:1"), {400}, True),
    ("encoded backslash", get(b"/a%5c..%5cb"), {400}, True),
    ("method not for it", get(b"/api/v1/status", GOOD + b"Content-Length: 0\r\n", method=b"DELETE"), {405}, True),
    ("other body type", b"POST /api/v1/session HTTP/1.1\r\n" + GOOD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", {415}, True),
    ("encoded body", post(b"Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"{}"), {415}, True),
    ("body that is no JSON", post(b"Content-Length: 5\r\n", b"{'a':"), {400}, True),
    ("body with NaN", post(b"Content-Length: 12\r\n", b'{"code":NaN}'), {400}, True),
    ("body with a member twice", post(b"Content-Length: 21\r\n", b'{"code":"a","code":1}'), {400}, True),
    ("body with a number of 23 digits", post(b"Content-Length: 32\r\n", b'{"code":99999999999999999999999}'), {400}, True),
    ("empty body", post(b"Content-Length: 0\r\n"), {400}, True),
    ("good chunks, bad JSON", post(b"Transfer-Encoding: chunked\r\n", b"2\r\n{]\r\n0\r\n\r\n"), {400}, True),
    ("too much without a length", post(b"Transfer-Encoding: chunked\r\n", (b"10000\r\n" + b" " * 65536 + b"\r\n") * 20 + b"0\r\n\r\n"), {413}, True),
]


def trickle(node, head):
    """Send `head`, then a byte every half second, until the node has had enough."""
    url = urllib.parse.urlsplit(node.url)
    with socket.create_connection((url.hostname, url.port), DEADLINE) as s:
        s.settimeout(0.5)
        s.sendall(head)
        while True:
            try:
                if not s.recv(65536):
                    return
                s.sendall(b"a")
            except TimeoutError:
                s.sendall(b"a")
            except OSError:
                return


def slow_clients(tap, node):
    heads = {"headers": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: "}
    if LONG:
        heads["a body"] = post(b"Content-Length: 100000\r\n", b"{")
        heads["headers after a good request"] = get(b"/livez") + heads["headers"]
    threads = {name: threading.Thread(target=trickle, args=(node, head)) for name, head in heads.items()}
    for t in threads.values():
        t.start()
    with tap.case("a good client is served meanwhile"):
        assert node.request("GET", "/readyz").status == 200
    for name, t in threads.items():
        with tap.case("who trickles %s is cut" % name):
            t.join(DEADLINE)
            assert not t.is_alive()
    with tap.case("and that was counted"):
        assert "guts_http_connections_cut_total %d" % len(heads) in node.request("GET", "/metrics").data.decode()


def main():
    tap = Tap()
    with tap.net() as net:
        node = net.node()
        for name, data, right, more in CASES:
            with tap.case(name):
                got = statuses(talk(node, data + (NEXT if more else HIDDEN + NEXT)))
                if not right:
                    assert not got or got[0] >= 400 or got == [200, 200], got
                    continue
                assert (got[0] if got else None) in right, got
                if more:
                    assert got[1:] == [200], "the connection should have gone on: %s" % got
                else:
                    assert 200 not in got, "something was smuggled: %s" % got
        with tap.case("two good requests in one breath get two answers"):
            assert statuses(talk(node, get(b"/livez") + NEXT)) == [200, 200]
        with tap.case("the node is well afterwards"):
            assert node.request("GET", "/readyz").status == 200 and node.running()
        with tap.case("refusals were counted"):
            text = node.request("GET", "/metrics").data.decode()
            assert int(re.search(r"^guts_http_requests_refused_total (\d+)", text, re.M).group(1)) > 30
        slow_clients(tap, node)
        with tap.case("SIGTERM ends it with 0"):
            node.stop()
    tap.done()


if __name__ == "__main__":
    main()
