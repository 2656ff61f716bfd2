"""brokerlib.py - real message brokers for tests: mosquitto and nats-server, and what they were given."""
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

from gutslib import DEADLINE, free_port, wait_for

SBIN = "/usr/sbin"


def program(name):
    return shutil.which(name) or shutil.which(name, path=SBIN)


def missing():
    """Why brokers cannot be tested here; None: they can."""
    for name in ("mosquitto", "mosquitto_sub", "nats-server"):
        if not program(name):
            return "no " + name
    with open(os.path.join(os.environ["GUTS_BUILDDIR"], "config.h")) as f:
        text = f.read()
    for name in ("MQTT", "NATS"):
        if "#define GUTS_%s 1" % name not in text:
            return "guts was built without " + name
    return None


class Broker:
    """A broker's process on a port that it keeps across restarts."""

    scheme = tls_scheme = None

    def __init__(self, folder, tls=None, clients=None):
        os.mkdir(folder)
        self.folder = folder
        self.port = free_port()
        self.tls = tls  # (certificate, key)
        self.clients = clients  # who vouches for clients' certificates: then each needs one
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def url(self):
        return "%s://127.0.0.1:%d" % (self.tls_scheme if self.tls else self.scheme, self.port)

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(self.answers, "answer of " + self.url)
        return self

    def answers(self):
        assert self.process.poll() is None, open(self.path("log")).read()
        try:
            socket.create_connection(("127.0.0.1", self.port), DEADLINE).close()
        except ConnectionRefusedError:
            return False
        return True

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    close = kill


class Mosquitto(Broker):
    """With persistence, so that a subscriber's session is there again after a kill."""

    scheme, tls_scheme = "mqtt", "mqtts"

    def __init__(self, folder, users=None, **kw):
        super().__init__(folder, **kw)
        lines = ["listener %d 127.0.0.1" % self.port, "persistence true", "persistence_location %s/" % folder, "user root",
                 "max_queued_messages 0", "max_inflight_messages 0"]
        if users:
            for i, (name, password) in enumerate(users.items()):
                subprocess.run(["mosquitto_passwd", "-b"] + ([] if i else ["-c"]) + [self.path("passwords"), name, password],
                               check=True, capture_output=True)
            lines += ["allow_anonymous false", "password_file " + self.path("passwords")]
        else:
            lines += ["allow_anonymous true"]
        if self.tls:
            lines += ["certfile " + self.tls[0], "keyfile " + self.tls[1]]
        if self.clients:
            lines += ["cafile " + self.clients, "require_certificate true"]
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(lines) + "\n")
        self.start()

    def command(self):
        return [program("mosquitto"), "-c", self.path("conf")]

    def save(self):
        """Write the sessions to disk now."""
        db = self.path("mosquitto.db")
        if os.path.exists(db):
            os.unlink(db)
        self.signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(db), "the saved sessions")


class Subscriber:
    """Everything under a topic, with a session that survives: a list of (topic, id, CloudEvent)."""

    def __init__(self, broker, topic="guts/#", args=()):
        self.seen = []
        self.process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-V", "mqttv5", "-q", "1", "-i", "subscriber", "-c", "-x", "3600",
             "-t", topic, "-F", "%t %P %p", *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            topic, prop, body = line.decode().split(" ", 2)
            self.seen.append((topic, prop.split(":", 1)[1], json.loads(body)))

    def messages(self):
        return list(self.seen)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()


class Nats(Broker):
    scheme, tls_scheme = "nats", "tls"

    def __init__(self, folder, users=None, token=None, jetstream=True, settings=(), login=None, **kw):
        super().__init__(folder, **kw)
        self.login = login or {}  # a function makes it out of the server's nonce
        conf = ["listen: 127.0.0.1:%d" % self.port]
        if jetstream:
            conf += ["jetstream { store_dir: %s }" % json.dumps(self.path("jetstream"))]
        if users:
            name, password = self.admin = next(iter(users.items()))
            self.login = {"user": name, "pass": password}
            conf += ["authorization { users: [%s] }" % ", ".join("{user: %s, password: %s}" % (json.dumps(u), json.dumps(p)) for u, p in users.items())]
        if token:
            self.login = {"auth_token": token}
            conf += ["authorization { token: %s }" % json.dumps(token)]
        if self.tls:
            verify = ", ca_file: %s, verify: true" % json.dumps(self.clients) if self.clients else ""
            conf += ["tls { cert_file: %s, key_file: %s%s }" % (*map(json.dumps, self.tls), verify)]
        conf += settings
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(conf) + "\n")
        self.start()

    def command(self):
        return [program("nats-server"), "-c", self.path("conf")]

    def request(self, subject, body=b""):
        """One request in the protocol's text form; the answer as JSON."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as s:
            f = s.makefile("rb")
            info = json.loads(f.readline().split(b" ", 1)[1])
            login = self.login(info["nonce"]) if callable(self.login) else self.login
            if self.tls:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                if self.clients:
                    context.load_cert_chain(*self.tls)  # its own is good enough
                s = context.wrap_socket(s)
                f = s.makefile("rb")
            s.sendall(b"CONNECT %s\r\nSUB answer 1\r\nPUB %s answer %d\r\n%s\r\n" % (
                json.dumps(dict(login, verbose=False, headers=True, lang="py", version="1")).encode(), subject.encode(), len(body), body))
            while True:
                line = f.readline()
                assert line and not line.startswith(b"-ERR"), line
                if line.startswith(b"PING"):
                    s.sendall(b"PONG\r\n")
                elif line.startswith((b"MSG", b"HMSG")):
                    data = f.read(int(line.split()[-1]))
                    return json.loads(data)

    def make_stream(self, name="guts", subjects=("guts.>",)):
        answer = self.request("$JS.API.STREAM.CREATE." + name, json.dumps({"name": name, "subjects": list(subjects)}).encode())
        assert "error" not in answer, answer

    def messages(self, name="guts"):
        """All of a stream: (subject, Nats-Msg-Id, CloudEvent)."""
        out = []
        for seq in range(1, self.request("$JS.API.STREAM.INFO." + name)["state"]["last_seq"] + 1):
            m = self.request("$JS.API.STREAM.MSG.GET." + name, json.dumps({"seq": seq}).encode())["message"]
            headers = dict(line.split(": ", 1) for line in base64.b64decode(m["hdrs"]).decode().strip().split("\r\n")[1:])
            out.append((m["subject"], headers["Nats-Msg-Id"], json.loads(base64.b64decode(m["data"]))))
        return out

    def count(self, name="guts"):
        return self.request("$JS.API.STREAM.INFO." + name)["state"]["messages"]


@contextlib.contextmanager
def brokers(net):
    """One of each; NATS has the stream for events."""
    with contextlib.closing(Mosquitto(net.path("mosquitto"))) as mosquitto, contextlib.closing(Nats(net.path("nats"))) as nats:
        nats.make_stream()
        yield mosquitto, nats
