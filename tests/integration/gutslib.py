"""gutslib - what the integration tests share: TAP, temporary folders, live nodes, REST, event streams, git.

    from gutslib import Tap, Net, git, wait_for

    tap = Tap()
    with tap.net() as net:                      # ends every node and removes every file, whatever happens
        a = net.node()                          # guts run --json on free ports; returns when it is ready
        b = net.node(bootstrap=[a])
        with tap.case("a repository is made"):  # an exception or failed assert is "not ok", with its traceback
            repo = a.post("/api/v1/repos", {"name": "demo"})
        with tap.case("git pushes to it"):
            git("push", a.git_url(repo), "main", cwd=work)
        wait_for(lambda: b.get("/api/v1/repos"), "the repository on B")
    tap.done()

Nothing here waits for a time to pass: wait_for polls a condition, under a deadline that only bounds a failure.
"""
import atexit
import base64
import contextlib
import http.client
import json
import os
import queue
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

GUTS = os.environ.get("GUTS", "guts")
SRCDIR = os.environ.get("GUTS_SRCDIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SEED = int(os.environ.get("GUTS_SEED", "1"))
LONG = bool(os.environ.get("GUTS_LONG"))
DEADLINE = int(os.environ.get("GUTS_DEADLINE", "120"))  # [s] bounds a wait that fails; sanitizers and a busy machine are slow


def sanitizer():
    """What watches over the program's memory, and takes some of its own: "address", "thread" or ""."""
    with open(GUTS, "rb") as f:
        program = f.read()
    return "address" if b"__asan_init" in program else "thread" if b"__tsan_init" in program else ""


class Skip(Exception):
    """Raised inside a case: this cannot be tested here, and why."""


class Tap:
    """Prints TAP; `done` ends the program with 0 if everything was fine."""

    def __init__(self):
        self.n = 0
        self.failed = 0
        sys.stdout.reconfigure(line_buffering=True)

    def ok(self, good, text, detail=None):
        self.n += 1
        if not good:
            self.failed += 1
            for line in str(detail or "").splitlines():
                print("# " + line)
        print("%sok %d - %s" % ("" if good else "not ", self.n, text.replace("#", "")))
        return good

    def skip(self, text, why):
        self.n += 1
        print("ok %d - %s # SKIP %s" % (self.n, text.replace("#", ""), why))

    @contextlib.contextmanager
    def case(self, text):
        try:
            yield
        except Skip as e:
            self.skip(text, e)
        except Exception:
            self.ok(False, text, traceback.format_exc())
        else:
            self.ok(True, text)

    @contextlib.contextmanager
    def net(self):
        """A Net whose nodes' last log lines are shown if a test failed meanwhile."""
        before = self.failed
        net = Net()
        try:
            yield net
        except Exception:
            self.ok(False, "the test runs to its end", traceback.format_exc())
        finally:
            if self.failed > before:
                net.show_logs()
            net.close()

    def done(self):
        print("1..%d" % self.n)
        sys.exit(1 if self.failed else 0)


def wait_for(condition, what, timeout=DEADLINE, every=0.02):
    """Call condition() until it is true; returns its value.  ApiError counts as not yet."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = None
        except (ApiError, ConnectionError, http.client.HTTPException) as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError("no %s within %d s%s" % (what, timeout, ": %s" % last if last else ""))
        time.sleep(every)


class ApiError(Exception):
    def __init__(self, method, path, status, body):
        self.status = status
        self.body = body
        text = body.get("message") if isinstance(body, dict) else body
        super().__init__("%s %s: %s %s" % (method, path, status, text))


class Answer:
    def __init__(self, status, headers, data):
        self.status = status
        self.headers = headers  # names in lower case
        self.data = data

    @property
    def json(self):
        return json.loads(self.data)


def request(base, method, path, body=None, headers=None, token=None, timeout=DEADLINE):
    """One request on a connection of its own; any status is an Answer."""
    url = urllib.parse.urlsplit(base)
    conn = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    head = dict(headers or {})
    if token:
        head.setdefault("Authorization", "Bearer " + token)
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        head.setdefault("Content-Type", "application/json")
    try:
        conn.request(method, path, body, head)
        answer = conn.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        conn.close()


def free_port():
    """A free port of 127.0.0.1 for a program that cannot choose one; below those that the system gives to connections."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def own_address():
    """A loopback address that no other test of this machine listens on: a port of it stays free while a node restarts."""
    pid = os.getpid()
    return "127.%d.%d.%d" % (1 + (pid >> 16), pid >> 8 & 255, pid & 255)


class Lines:
    """A running `guts ARGS`, read line by line with a deadline; it ends with the test at the latest."""

    def __init__(self, args, env=None, timeout=DEADLINE):
        self.process = subprocess.Popen([GUTS] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **(env or {})))
        atexit.register(self.process.kill)
        self.timer = threading.Timer(timeout, self.process.kill)
        self.timer.daemon = True
        self.timer.start()

    def next(self):
        line = self.process.stdout.readline()
        assert line, "no line within the time, or it ended: %s" % self.process.stderr.read()
        return line

    def end(self):
        """SIGTERM; returns exit code and standard error."""
        self.process.terminate()
        code = self.process.wait(DEADLINE)
        self.timer.cancel()
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, errors


class Stream:
    """A server-sent event stream read by a thread; frames are dicts {event, id, data}."""

    def __init__(self, base, path, token=None, last_id=None):
        url = urllib.parse.urlsplit(base)
        self.frames = queue.Queue()
        self.conn = http.client.HTTPConnection(url.hostname, url.port, timeout=DEADLINE)
        head = {"Accept": "text/event-stream"}
        if token:
            head["Authorization"] = "Bearer " + token
        if last_id is not None:
            head["Last-Event-ID"] = str(last_id)
        self.conn.request("GET", path, headers=head)
        self.sock = self.conn.sock  # the answer takes it from the connection
        self.answer = self.conn.getresponse()
        if self.answer.status != 200:
            body = self.answer.read()
            self.conn.close()
            raise ApiError("GET", path, self.answer.status, body)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        frame = {}
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\r\n")
                if not line:
                    if frame:
                        if "data" in frame:
                            with contextlib.suppress(ValueError):
                                frame["data"] = json.loads(frame["data"])
                        self.frames.put(frame)
                    frame = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(":")
                    value = value[1:] if value.startswith(" ") else value
                    frame[name] = frame[name] + "\n" + value if name == "data" and name in frame else value
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        self.frames.put(None)

    def next(self, timeout=DEADLINE):
        """The next frame, or None when the stream has ended."""
        try:
            return self.frames.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError("no event within %d s" % timeout)

    def find(self, match, timeout=DEADLINE):
        """The next frame for which match(frame) is true; match may be an event type."""
        end = time.monotonic() + timeout
        seen = []
        while True:
            frame = self.next(max(0.01, end - time.monotonic()))
            if frame is None:
                raise AssertionError("the stream ended; it had: %s" % seen[-20:])
            seen.append(frame.get("event"))
            if frame.get("event") == match if isinstance(match, str) else match(frame):
                return frame

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(2)
        self.conn.close()


class Node:
    """One `guts run`; made by Net.node."""

    def __init__(self, name, home, args=(), env=None, wrapper=()):
        self.name = name
        self.home = home
        self.args = list(args)
        self.env = dict(os.environ, **(env or {}))
        self.wrapper = list(wrapper)  # e.g. ["strace", "-f", ...]
        self.process = None
        self.ready = None
        self.log = home.rstrip("/") + ".log"

    def start(self, timeout=DEADLINE):
        """Start and wait for the ready line."""
        cmd = self.wrapper + [GUTS, "run", "--json", "--home", self.home] + self.args
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            env=self.env, start_new_session=True)
        end = time.monotonic() + timeout
        line = b""
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError("%s: not ready within %d s\n%s" % (self.name, timeout, self.tail()))
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                code = self.process.wait()
                raise AssertionError("%s: ended with %s before it was ready\n%s" % (self.name, code, self.tail()))
            line += piece
        self.ready = json.loads(line.split(b"\n")[0])
        assert self.ready["event"] == "ready", line
        return self

    @property
    def url(self):
        return self.ready["http"]

    @property
    def id(self):
        return self.ready["peer_id"]

    @property
    def pid(self):
        return self.ready["pid"]

    @property
    def addr(self):
        """A multiaddress with peer id for others' bootstrap lists."""
        addr = self.ready["listen"][0]
        return addr if "/p2p/" in addr else addr + "/p2p/" + self.id

    @property
    def token(self):
        with open(os.path.join(self.home, "admin-token")) as f:
            return f.read().strip()

    # -- REST

    def request(self, method, path, body=None, token=True, **kw):
        """Any status is an Answer.  token: True = the admin's, None = none, or a text."""
        return request(self.url, method, path, body, token=self.token if token is True else token, **kw)

    def api(self, method, path, body=None, **kw):
        """The decoded answer; ApiError for a status of 400 and above."""
        answer = self.request(method, path, body, **kw)
        data = answer.data
        if data and "json" in answer.headers.get("content-type", ""):
            data = json.loads(data)
        if answer.status >= 400:
            raise ApiError(method, path, answer.status, data)
        return data

    def get(self, path, **kw):
        return self.api("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.api("POST", path, body, **kw)

    def put(self, path, body=None, **kw):
        return self.api("PUT", path, body, **kw)

    def patch(self, path, body=None, **kw):
        return self.api("PATCH", path, body, **kw)

    def delete(self, path, **kw):
        return self.api("DELETE", path, **kw)

    def stream(self, query="", last_id=None, token=True):
        return Stream(self.url, "/api/v1/events" + ("?" + query if query else ""),
                      token=self.token if token is True else token, last_id=last_id)

    def facts(self, since=0, query=""):
        """All facts after `since`."""
        out = []
        while True:
            page = self.get("/api/v1/events?since=%d&limit=1000%s" % (since, "&" + query if query else ""))
            out += page["events"]
            if not page["events"] or page["next"] == since:
                return out
            since = page["next"]

    # -- repositories and peers

    def create(self, name, **kw):
        return self.post("/api/v1/repos", dict(kw, name=name))

    def repo(self, rid):
        return self.get("/api/v1/repos/" + rid)

    def refs(self, rid):
        """{name: oid} of the canonical refs, all pages."""
        out = {}
        page = 1
        while True:
            rows = self.get("/api/v1/repos/%s/git/refs?per_page=100&page=%d" % (rid, page))
            out.update((r["ref"], r["object"]["sha"]) for r in rows)
            if len(rows) < 100:
                return out
            page += 1

    def keep_port(self):
        """Start on the present HTTP port from now on; for a node made with http=own_address() + ":0"."""
        self.args[self.args.index("--http") + 1] = self.url.split("://")[1]

    def git_url(self, repo, token=True):
        """Address for stock git; repo = a Repository or an id; the token travels as the password."""
        rid = repo["id"] if isinstance(repo, dict) else repo
        url = urllib.parse.urlsplit(self.url)
        secret = self.token if token is True else token
        return "http://%s%s/%s.git" % ("guts:%s@" % secret if secret else "", url.netloc, rid)

    def peers(self):
        return {p["id"] for p in self.get("/api/v1/peers?per_page=100")}

    def wait_peer(self, other):
        wait_for(lambda: other.id in self.peers(), "link from %s to %s" % (self.name, other.name))

    # -- process

    def cli(self, *args, check=True, input=None, env=None, token=True):
        """Run `guts ARGS` against this node; returns its standard output (check) or the CompletedProcess."""
        full = dict(self.env, GUTS_URL=self.url, GUTS_HOME=self.home, **(env or {}))
        if token is True:
            full["GUTS_TOKEN"] = self.token
        elif token:
            full["GUTS_TOKEN"] = token
        done = subprocess.run([GUTS] + list(args), capture_output=True, text=True, env=full, input=input,
                              timeout=DEADLINE)
        if not check:
            return done
        assert done.returncode == 0, "guts %s: exit %d\n%s%s" % (" ".join(args), done.returncode, done.stdout,
                                                               done.stderr)
        return done.stdout

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=DEADLINE):
        """SIGTERM, which a node answers by ending with 0 (a sanitizer that found something ends it with another code)."""
        was_running = self.running()
        if was_running:
            self.process.send_signal(signal.SIGTERM)
        code = self._wait(timeout)
        assert code == 0 or not was_running, "%s ended with %s\n%s" % (self.name, code, self.tail())

    def kill(self):
        """SIGKILL to the node alone (its children must end by themselves)."""
        if self.running():
            os.kill(self.pid if self.ready else self.process.pid, signal.SIGKILL)
        return self._wait(DEADLINE)

    def _wait(self, timeout):
        if self.process is None:
            return None
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "still there after %d s" % timeout
        self.process.stdout.close()
        return code

    def restart(self):
        self.stop()
        return self.start()

    def tail(self, lines=40):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return "(no log)"

    def rss_kib(self):
        """Resident memory of the node process."""
        with open("/proc/%d/status" % self.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


class Net:
    """Temporary folder and nodes in it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="guts-test-")
        self.nodes = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def node(self, name=None, bootstrap=(), args=(), start=True, listen="/ip4/127.0.0.1/tcp/0", http="127.0.0.1:0",
             env=None, home=None, wrapper=(), mdns=False, dht=False):
        """A node on free ports of 127.0.0.1; bootstrap: nodes or multiaddresses.  Further options in args.

        Without mdns it does not look for other nodes of this machine: there may be those of other tests.  Without dht it is
        linked only to those it is told of."""
        name = name or "node%d" % len(self.nodes)
        full = ["--listen", listen, "--http", http]
        if not mdns:
            full += ["--set", "p2p.mdns=false"]
        if not dht:
            full += ["--set", "kad.mode=off"]
        for b in bootstrap:
            full += ["--bootstrap", b.addr if isinstance(b, Node) else b]
        node = Node(name, home or self.path(name), full + list(args), env, wrapper)
        self.nodes.append(node)
        if start:
            node.start()
        return node

    def line(self, n, **kw):
        """n nodes, each linked to the one before it only."""
        out = []
        for i in range(n):
            out.append(self.node("ABCDEFGHIJ"[i] if n <= 10 else None, bootstrap=out[-1:], **kw))
        for left, right in zip(out, out[1:]):
            right.wait_peer(left)
            left.wait_peer(right)
        return out

    def show_logs(self):
        for n in self.nodes:
            print("# -- log of %s" % n.name)
            for line in n.tail().splitlines():
                print("# " + line)

    def close(self, keep=False):
        for n in self.nodes:
            if n.running():
                n.process.send_signal(signal.SIGTERM)
        for n in self.nodes:
            with contextlib.suppress(Exception):
                n._wait(30)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def children(pid):
    """Processes that a process has started and not reaped."""
    return subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True).stdout.split()


# -- git

GIT_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true",
    "GIT_AUTHOR_NAME": "Alice", "GIT_AUTHOR_EMAIL": "alice@example.org", "GIT_COMMITTER_NAME": "Alice",
    "GIT_COMMITTER_EMAIL": "alice@example.org", "LC_ALL": "C", "no_proxy": "*", "NO_PROXY": "*",
}


def git(*args, cwd=None, check=True, input=None, env=None, timeout=DEADLINE * 2):
    """Run git without any configuration of the machine; returns its standard output (check) or the CompletedProcess."""
    done = subprocess.run(["git", "-c", "init.defaultBranch=main"] + list(args), cwd=cwd, capture_output=True,
                          text=not isinstance(input, bytes), errors=None if isinstance(input, bytes) else "replace",
                          input=input, env=dict(os.environ, **dict(GIT_ENV, **(env or {}))), timeout=timeout)
    if not check:
        return done
    assert done.returncode == 0, "git %s: exit %d\n%s%s" % (" ".join(args), done.returncode, done.stdout, done.stderr)
    return done.stdout


def work_tree(path, files=None):
    """A new repository with one commit on main; returns its path."""
    git("init", "-q", path)
    commit(path, "first", files or {"README": "hello\n"})
    return path


def commit(path, message, files=None):
    """Write files, commit all; returns the commit's id."""
    for name, text in (files or {}).items():
        full = os.path.join(path, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    git("add", "-A", cwd=path)
    git("commit", "-q", "--allow-empty", "-m", message, cwd=path)
    return git("rev-parse", "HEAD", cwd=path).strip()


def ls_remote(url, *args):
    """{ref: oid} as git sees them."""
    out = {}
    for line in git("ls-remote", *args, url).splitlines():
        oid, _, ref = line.partition("\t")
        out[ref] = oid
    return out


def basic(token):
    """Value of an Authorization header as git sends it."""
    return "Basic " + base64.b64encode(("guts:" + token).encode()).decode()
