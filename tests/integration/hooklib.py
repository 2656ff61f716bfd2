"""hooklib - a webhook receiver in this process that can be told to fail, and checks of what it got."""
import base64
import hashlib
import hmac
import http.server
import json
import socket
import struct
import threading
import time


class Delivery:
    def __init__(self, path, headers, body):
        self.path = path
        self.headers = headers  # names in lower case
        self.body = body
        self.at = time.monotonic()

    @property
    def id(self):
        return self.headers["x-github-delivery"]

    @property
    def event(self):
        return self.headers["x-github-event"]

    @property
    def json(self):
        return json.loads(self.body)

    def check_signatures(self, secret):
        """All that receivers check; raises AssertionError."""
        h, key = self.headers, secret.encode()
        sha256 = hmac.new(key, self.body, hashlib.sha256).hexdigest()
        assert h["x-hub-signature"] == "sha1=" + hmac.new(key, self.body, hashlib.sha1).hexdigest()
        assert h["x-hub-signature-256"] == "sha256=" + sha256 and h["x-gitea-signature"] == sha256
        if secret.startswith("whsec_"):
            key = base64.b64decode(secret[6:])
        signed = b"%s.%s.%s" % (h["webhook-id"].encode(), h["webhook-timestamp"].encode(), self.body)
        want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert h["webhook-signature"] == "v1," + want
        assert abs(int(h["webhook-timestamp"]) - time.time()) < 600


class Receiver:
    """An HTTP server; `answer(delivery)` says what to do with one: a status (200), or (status, headers, body), or
    "hang", "reset", "slow" (a body that never ends).  What was answered with 2xx is in `good`, in order; all attempts in `seen`."""

    def __init__(self, answer=None, host="127.0.0.1"):
        self.answer = answer or (lambda d: 200)
        self.seen = []
        self.good = []
        self.closing = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.handle(self, Delivery(self.path, {k.lower(): v for k, v in self.headers.items()}, body))

            do_GET = do_POST

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, address):
                pass  # the node went away in the middle: it was killed

        self.server = Server((host, 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def handle(self, handler, delivery):
        what = self.answer(delivery)
        self.seen.append(delivery)
        if what == "hang":
            self.closing.wait()
        elif what == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
        elif what == "slow":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not self.closing.wait(0.05):
                handler.wfile.write(b"x")
        else:
            status, headers, body = what if isinstance(what, tuple) else (what, {}, b"thank you")
            if 200 <= status < 300:
                self.good.append(delivery)
            handler.send_response(status)
            for k, v in headers.items():
                handler.send_header(k, v)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

    def url(self, path="/hook"):
        return "http://%s:%d%s" % (*self.server.server_address[:2], path)

    def of(self, event):
        return [d for d in self.good if d.event == event]

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def dead_url():
    """Where nobody listens: the port was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "http://127.0.0.1:%d/" % s.getsockname()[1]


ALLOW = ["--set", "bridge.allow=loopback"]


def hook(node, repo, url, **kw):
    """Make a webhook; repo None = node-wide."""
    config = dict({"url": url}, **kw.pop("config", {}))
    path = "/api/v1/repos/%s/hooks" % repo["id"] if repo else "/api/v1/hooks"
    return node.post(path, dict(kw, config=config))


def listener_backlog():
    """A port that takes connections and never answers: connects succeed, nothing is read."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(128)
    return s, "http://127.0.0.1:%d/" % s.getsockname()[1]
