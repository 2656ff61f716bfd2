"""http_slow.py - a crowd of clients that say nothing, too little or too slowly: they cost little, hold up nobody and are all cut.

Memory is judged of a build without sanitizers; with them four times as much may be used.
"""
import resource
import select
import socket
import threading
import urllib.parse

from gutslib import DEADLINE, LONG, Tap, sanitizer, wait_for

CROWD = {"silent": 5000, "trickling": 1000, "half-sent": 1000} if LONG else {"silent": 500, "trickling": 100, "half-sent": 100}
EACH_KIB = 16
HALF = b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX-A: "
HALF_BODY = b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


class Slow:
    """Connections that never finish a request; a thread sends a byte a second on the trickling ones and notes who was cut."""

    def __init__(self, node, crowd, half=HALF):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * sum(crowd.values()) + 500)), hard))
        url = urllib.parse.urlsplit(node.url)
        self.trickling, self.cut = [], 0
        self.poll = select.epoll()
        self.by_fd = {}
        for kind, count in crowd.items():
            for _ in range(count):
                s = socket.create_connection((url.hostname, url.port), DEADLINE)
                if kind != "silent":
                    s.sendall(half)
                s.setblocking(False)
                self.by_fd[s.fileno()] = s
                self.poll.register(s, select.EPOLLIN | select.EPOLLRDHUP)
                if kind == "trickling":
                    self.trickling.append(s)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.by_fd and not self.stop.is_set():
            for fd, _ in self.poll.poll(1):
                s = self.by_fd.pop(fd)
                self.poll.unregister(fd)
                s.close()
                self.cut += 1
            for s in self.trickling:
                if s.fileno() >= 0:
                    try:
                        s.send(b"a")
                    except OSError:
                        pass

    def left(self):
        return len(self.by_fd)

    def close(self):
        self.stop.set()
        self.thread.join(DEADLINE)
        for s in self.by_fd.values():
            s.close()
        self.poll.close()


def counter(node, name):
    text = node.request("GET", "/metrics").data.decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def crowd_case(tap, node, crowd, half, what, all_late):
    """all_late: each is over a deadline of ours before libmicrohttpd's own for silence."""
    most = EACH_KIB * (4 if sanitizer() else 1)
    total = sum(crowd.values())
    assert node.request("GET", "/api/v1/status").status == 200
    before, cut = node.rss_kib(), counter(node, "guts_http_connections_cut_total")
    slow = Slow(node, crowd, half)
    try:
        with tap.case("%s: at most %d KiB each" % (what, most)):
            wait_for(lambda: counter(node, "guts_http_active_connections") + slow.cut >= total, "the crowd", every=0.2)
            each = (node.rss_kib() - before) / total
            print("# %d connections, %.1f KiB each, %d cut so far" % (total, each, slow.cut))
            assert each <= most, each
        with tap.case("%s: a good client is served" % what):
            for path in "/api/v1/status", "/api/v1/repos", "/readyz":
                assert node.request("GET", path).status == 200
        with tap.case("%s: all of them are cut" % what):
            wait_for(lambda: slow.left() == 0, "the end of the last", every=0.2)
            assert slow.cut == total
            wait_for(lambda: counter(node, "guts_http_active_connections") == 1, "the end of their connections", every=0.2)
            late = counter(node, "guts_http_connections_cut_total") - cut
            assert late == total if all_late else crowd["trickling"] <= late <= total, late
    finally:
        slow.close()


def main():
    tap = Tap()
    with tap.net() as net:
        node = net.node("A")
        crowd_case(tap, node, CROWD, HALF, ", ".join("%d %s" % (n, kind) for kind, n in CROWD.items()), True)
        if LONG:
            crowd_case(tap, node, {"trickling": 500, "half-sent": 500}, HALF_BODY, "slow bodies", False)
        with tap.case("the node is well and ends"):
            node.stop()
    tap.done()


if __name__ == "__main__":
    main()
