"""http_listeners.py - the ways in: Unix sockets, TLS, public listeners, a real nginx in front, and how much each asker may ask."""
import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import time

from gutslib import DEADLINE, GUTS, SRCDIR, Lines, Tap, commit, git, request, wait_for, work_tree
from nginxlib import Nginx, listener

SERVER = """
	server {
		listen 127.0.0.1:%(port)d;
		location / {
			proxy_pass %(to)s;
			proxy_set_header Host localhost;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto https;
			proxy_bind 127.0.0.%(from)d;
		}
	}
"""


def curl(*args, check=True):
    """(status, headers in lower case, body) by curl."""
    done = subprocess.run(["curl", "-sS", "-i", "--http1.1", "-m", str(DEADLINE), *args], capture_output=True, env=dict(os.environ, no_proxy="*"))
    if not check:
        return done
    assert done.returncode == 0, (args, done.stderr)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), {k.lower(): v for k, _, v in (x.partition(": ") for x in lines[1:])}, body


def start_nginx(net, stack, name, server, sock=None):
    """nginx with server(port) in its configuration, for as long as the stack; its address."""
    folder = net.path(name)
    os.mkdir(folder)
    nginx = Nginx(folder, server, sock)
    stack.callback(nginx.stop)
    return nginx.url


def unix_socket(tap, net):
    path = net.path("http.sock")
    with socket.socket(socket.AF_UNIX) as left:  # what a killed node leaves behind
        left.bind(path)
    node = net.node("unix", http="unix:" + path)
    with tap.case("a stale Unix socket is replaced by one of this user alone; curl and git speak on it"):
        assert node.url == "unix:" + path, node.ready
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, oct(os.stat(path).st_mode)
        status, _, body = curl("--unix-socket", path, "http://localhost/api/v1/status")
        assert status == 200 and json.loads(body)["id"] == node.id, body
        assert curl("--unix-socket", path, "http://evil.example/api/v1/status")[0] == 421
        assert curl("--unix-socket", path, "-X", "POST", "http://localhost/api/v1/shutdown")[0] == 401
        assert "unix:" not in body.decode(), "a path is no stranger's business"
    with tap.case("the command line finds the socket by the home, and takes its address"):
        env = {k: v for k, v in os.environ.items() if not k.startswith("GUTS_U")}
        for args in ([], ["--url", "unix:" + path]):
            out = subprocess.run([GUTS, "status", "--json", "--home", node.home, *args], capture_output=True, text=True, env=env)
            assert out.returncode == 0 and json.loads(out.stdout)["http"] == ["unix:" + path], out
        lines = Lines(["events", "--home", node.home, "--since", "0", "--follow", "--json"], env={"GUTS_URL": ""})
        assert json.loads(lines.next())["type"] == "node.started"
        lines.end()
    with tap.case("another node does not take a socket in use, nor replace a file"):
        other = net.node("late", http="unix:" + path, start=False)
        for at in (path, net.path("file")):
            open(net.path("file"), "w").close()
            done = subprocess.run([GUTS, "run", "--home", other.home, "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "unix:" + at],
                                  capture_output=True, text=True, timeout=DEADLINE)
            assert done.returncode == 2 and "in use" in done.stderr, done
        assert os.path.exists(net.path("file")) and curl("--unix-socket", path, "http://localhost/livez")[0] == 200
    with tap.case("the socket is removed at the end"):
        node.stop()
        assert not os.path.exists(path)


def public_listener(tap, net):
    node = net.node("P", args=["--set", "http.public_listen=127.0.0.1:0"])
    open_url = node.get("/api/v1/status")["http"][1]
    work = work_tree(net.path("work"))
    repo, secret = node.create("demo"), node.create("secret", private=True)
    for r in repo, secret:
        git("push", "-q", node.git_url(r), "main", cwd=work)
    with tap.case("a public listener gives everybody what is public: reads, pages, clones"):
        for path in "/api/v1/status", "/api/v1/repos/" + repo["id"], "/api/v1/repos/%s/commits" % repo["id"], "/livez", "/metrics":
            assert request(open_url, "GET", path).status == 200, path
        git("clone", "-q", "%s/%s.git" % (open_url, repo["id"]), net.path("clone"))
        assert git("rev-parse", "HEAD", cwd=net.path("clone")) == git("rev-parse", "HEAD", cwd=work)
    with tap.case("and nothing else, whatever token is shown"):
        for token in None, node.token:
            assert [r["id"] for r in request(open_url, "GET", "/api/v1/repos", token=token).json] == [repo["id"]]
            for method, path, body, right in (("GET", "/api/v1/repos/" + secret["id"], None, 404), ("GET", "/api/v1/config", None, 403),
                                              ("GET", "/api/v1/tokens", None, 403), ("POST", "/api/v1/repos", {"name": "x"}, 403),
                                              ("POST", "/api/v1/session", {"token": "x"}, 403), ("POST", "/api/v1/shutdown", None, 403),
                                              ("DELETE", "/api/v1/repos/" + repo["id"], None, 403),
                                              ("GET", "/%s.git/info/refs?service=git-upload-pack" % secret["id"], None, 404),
                                              ("GET", "/%s.git/info/refs?service=git-receive-pack" % repo["id"], None, 403)):
                answer = request(open_url, method, path, body, token=token)
                assert answer.status == right, (method, path, token, answer.status, answer.data)
        commit(work, "more")
        done = git("push", open_url.replace("://", "://guts:%s@" % node.token) + "/%s.git" % repo["id"], "main", cwd=work, check=False)
        assert done.returncode != 0 and "403" in done.stderr, done.stderr


def behind_nginx(tap, net, stack):
    """127.0.0.7 is a trusted proxy, 127.0.0.8 is not."""
    node = net.node("N", args=["--set", "http.trusted_proxies=127.0.0.7", "--set", "http.trusted_proxies=10.9.0.0/16",
                               "--set", "http.address_rate=6"])
    def proxy_from(name, last):
        """It connects from 127.0.0.<last> to the node."""
        return start_nginx(net, stack, name, lambda port: SERVER % {"port": port, "to": node.url, "from": last})

    trusted, other = proxy_from("trusted", 7), proxy_from("foreign", 8)

    def ask(proxy, said, path="/api/v1/status", **kw):
        return request(proxy, "GET", path, headers={"X-Forwarded-For": said} if said else {}, **kw)

    with tap.case("who comes through a trusted proxy from elsewhere is no local user: no free reads"):
        assert ask(trusted, None).status == 200  # nginx saw 127.0.0.1
        assert ask(trusted, None, "/livez").headers.get("x-ratelimit-limit") is None
    with tap.case("a client's own word before a proxy's is not believed"):
        # nginx adds 127.0.0.1 behind it, which is no proxy of ours: the search ends there
        assert ask(trusted, "203.0.113.5").status == 200
    with tap.case("the last address that is no trusted proxy's counts"):
        for said, right in (("203.0.113.5", 401), ("1.2.3.4, 203.0.113.5", 401), ("203.0.113.5, 10.9.1.1", 401),
                            ("203.0.113.5, 127.0.0.1", 200), ("127.0.0.1, 203.0.113.5", 401), ("nonsense", 401), ("", 200),
                            ("2001:db8::1", 401), ("::1", 200)):
            url = node.url.replace("http://", "")
            got = curl("--interface", "127.0.0.7", "-H", "X-Forwarded-For: " + said, "http://%s/api/v1/status" % url)
            assert got[0] == right, (said, got)
    with tap.case("from anywhere else X-Forwarded-For is nothing but a header"):
        assert ask(other, "203.0.113.5").status == 200
        got = curl("--interface", "127.0.0.8", "-H", "X-Forwarded-For: 203.0.113.5", "-H", "X-Forwarded-Proto: https", node.url + "/api/v1/status")
        assert got[0] == 200 and "x-ratelimit-limit" not in got[1], got
    with tap.case("the session's cookie is Secure when the trusted proxy says https, and only then"):
        for proxy, secure in (trusted, True), (other, False):
            made = request(proxy, "POST", "/api/v1/session", {"token": node.token})
            assert made.status == 201 and ("; Secure" in made.headers["set-cookie"]) == secure, made.headers
    with tap.case("each client behind the proxy has an allowance of its own; headers, 429 and Retry-After"):
        def from_client(ip):
            return curl("--interface", "127.0.0.7", "-H", "X-Forwarded-For: " + ip, node.url + "/livez")

        status, head, _ = from_client("198.51.100.1")
        assert status == 200 and head["x-ratelimit-limit"] == "6" and head["x-ratelimit-remaining"] == "5", head
        assert 0 <= int(head["x-ratelimit-reset"]) - time.time() + 1 <= 62, head
        status, head, body = wait_for(lambda: (got := from_client("198.51.100.1"))[0] == 429 and got, "the limit", every=0)
        assert head["x-ratelimit-remaining"] == "0" and int(head["retry-after"]) >= 1, head
        assert head["content-type"] == "application/problem+json" and "too many" in json.loads(body)["message"], body
        assert from_client("198.51.100.2")[0] == 200
        assert request(node.url, "GET", "/livez").status == 200  # this machine is not held to it
        text = node.request("GET", "/metrics").data.decode()
        assert "guts_http_requests_limited_total 0\n" not in text and "guts_http_requests_limited_total" in text, text
    with tap.case("a whole /64 is one asker"):
        used, fresh = itertools.count(), itertools.count()
        wait_for(lambda: from_client("2001:db8:1::%x" % next(used))[0] == 429, "the limit", every=0)
        assert from_client("2001:db8:2::1")[0] == 200
        assert all(from_client("2001:db8:3:%x::1" % next(fresh))[0] == 200 for _ in range(8))


def rates(tap, net):
    node = net.node("R", args=["--set", "http.token_rate=120", "--set", "http.address_rate=6", "--set", "http.limit_loopback=true"])
    with tap.case("a token has its own allowance, beside that of its address"):
        first, second = (node.post("/api/v1/tokens", {"name": n, "scopes": ["read"]})["token"] for n in "ab")
        limits = {}
        for who, token in ("none", None), ("first", first), ("second", second):
            h = node.request("GET", "/api/v1/status", token=token).headers
            limits[who] = (h["x-ratelimit-limit"], h["x-ratelimit-remaining"])
        assert limits == {"none": ("6", "5"), "first": ("120", "119"), "second": ("120", "119")}, limits
        wait_for(lambda: node.request("GET", "/api/v1/status", token=None).status == 429, "the limit", every=0)
        assert node.request("GET", "/api/v1/status", token=first).status == 200
        wait_for(lambda: node.request("GET", "/nothing/here", token=None).status == 429, "the limit there", every=0)
    with tap.case("a cached answer tells each asker his own rest and request id"):
        a, b = (node.request("GET", "/api/v1/status", token=first).headers for _ in range(2))
        assert a["x-request-id"] != b["x-request-id"] and a["x-ratelimit-limit"] == "120", (a, b)
        text = node.request("GET", "/api/v1/status", token=first, headers={"X-Request-Id": "mine-1"}).headers
        assert text["x-request-id"] == "mine-1", text
    with tap.case("a malformed list of proxies is told"):
        done = subprocess.run([GUTS, "run", "--home", net.path("bad"), "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0",
                               "--set", "http.trusted_proxies=10.0.0.0/33"], capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 2 and "http.trusted_proxies" in done.stderr, done


def make_cert(net, name, host="localhost"):
    """A self-signed certificate and its key: paths, and its serial number."""
    cert, key = net.path(name + ".pem"), net.path(name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    out = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", cert], check=True, capture_output=True, text=True)
    return cert, key, out.stdout.strip().split("=")[1]


def serial(url):
    """Of the certificate that a new connection gets."""
    host, port = url.split("//")[1].split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port)), DEADLINE) as s, context.wrap_socket(s, server_hostname="localhost") as t:
        der = t.getpeercert(binary_form=True)
    out = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-serial"], input=der, check=True, capture_output=True)
    return out.stdout.decode().strip().split("=")[1]


def encrypted(tap, net):
    first, second, third = (make_cert(net, name) for name in ("first", "second", "third"))
    cert, key = net.path("cert.pem"), net.path("cert.key")

    def use(pair):
        for source, to in zip(pair, (cert, key)):
            shutil.copy(source, to + ".new")
            os.rename(to + ".new", to)

    use(first)
    tls = ["--set", "http.tls_cert=" + cert, "--set", "http.tls_key=" + key]
    node = net.node("T", args=["--http", "https://127.0.0.1:0", *tls])
    url = node.get("/api/v1/status")["http"][1]
    work = work_tree(net.path("secure"))
    repo = node.create("demo")
    with tap.case("curl and git over TLS, with a checked certificate; plain HTTP gets no answer there"):
        assert url.startswith("https://127.0.0.1:"), url
        status, _, body = curl("--cacert", first[0], "-H", "Authorization: Bearer " + node.token, url + "/api/v1/tokens")
        assert status == 200 and len(json.loads(body)) == 1
        trust = {"GIT_SSL_CAINFO": first[0]}
        git("push", "-q", "%s/%s.git" % (url.replace("://", "://guts:%s@" % node.token), repo["id"]), "main", cwd=work, env=trust)
        git("clone", "-q", "%s/%s.git" % (url, repo["id"]), net.path("secure-clone"), env=trust)
        assert curl("--cacert", second[0], url + "/livez", check=False).returncode == 60
        assert curl("--tls-max", "1.1", "-k", url + "/livez", check=False).returncode != 0
        assert curl(url.replace("https", "http") + "/livez", check=False).returncode != 0
    with tap.case("the command line speaks TLS, and trusts whom SSL_CERT_FILE names"):
        for file, fine in (first[0], True), (second[0], False):
            env = dict(os.environ, SSL_CERT_FILE=file, GUTS_TOKEN=node.token)
            done = subprocess.run([GUTS, "token", "list", "--json", "--url", url], capture_output=True, text=True, env=env, timeout=DEADLINE)
            assert (done.returncode == 0) == fine, done
    with tap.case("a session made over TLS has a Secure cookie; links have the scheme of the listener"):
        made = curl("--cacert", first[0], "-H", "Content-Type: application/json", "-d", json.dumps({"token": node.token}), url + "/api/v1/session")
        assert made[0] == 201 and "; Secure" in made[1]["set-cookie"], made
        assert json.loads(curl("--cacert", first[0], url + "/api/v1")[2])["status"].startswith(url), "links"
    with tap.case("a new certificate is used by new connections; those that run go on"):
        context = ssl.create_default_context(cafile=first[0])
        kept = http.client.HTTPSConnection(url.split("/")[2], context=context, timeout=DEADLINE)
        kept.request("GET", "/livez")
        assert kept.getresponse().read() == b"ok\n"
        fd = kept.sock.fileno()
        assert serial(url) == first[2]
        use(second)
        wait_for(lambda: serial(url) == second[2], "the second certificate")
        kept.request("GET", "/livez")
        assert kept.getresponse().read() == b"ok\n" and kept.sock.fileno() == fd
        kept.close()
    with tap.case("bad files are told and change nothing, until they are good"):
        use((third[0], second[1]))
        wait_for(lambda: serial(url) == second[2] and "the certificate stays the old one" in node.tail(), "the complaint")
        os.unlink(key)
        node.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "cert.key: No such file" in node.tail(), "the complaint")
        assert serial(url) == second[2] and node.running()
        use(third)
        node.process.send_signal(signal.SIGHUP)
        wait_for(lambda: serial(url) == third[2], "the third certificate")
        assert "guts_http_tls_certificate_expiry_timestamp_seconds" in node.request("GET", "/metrics").data.decode()
    with tap.case("a start with bad files, or none, says what is wrong"):
        for args, text in ((["--http", "https://127.0.0.1:0"], "needs http.tls_cert"),
                           (["--http", "https://127.0.0.1:0", "--set", "http.tls_cert=" + first[0], "--set", "http.tls_key=" + second[1]], "http.tls_cert"),
                           (["--http", "https://127.0.0.1:0", "--set", "http.tls_cert=" + key, "--set", "http.tls_key=" + key], "http.tls_cert")):
            done = subprocess.run([GUTS, "run", "--home", net.path("bad"), "--listen", "/ip4/127.0.0.1/tcp/0", *args],
                                  capture_output=True, text=True, timeout=DEADLINE)
            assert done.returncode == 2 and text in done.stderr, done


def the_example(tap, net, stack):
    """examples/nginx.conf, with our ports and files in it."""
    cert, key, _ = make_cert(net, "proxy")
    sock = listener()
    port = sock.getsockname()[1]
    url = "https://localhost:%d" % port
    node = net.node("E", args=["--set", "http.trusted_proxies=127.0.0.1", "--set", "http.public_url=" + url])
    with open(os.path.join(SRCDIR, "examples", "nginx.conf")) as f:
        server = f.read()
    for old, new in (("listen 443", "listen 127.0.0.1:%d" % port), ("git.example;", "localhost;"), ("/etc/ssl/git.example.pem", cert),
                     ("/etc/ssl/git.example.key", key), ("http://127.0.0.1:8080;", node.url + ";")):
        assert old in server, old
        server = server.replace(old, new)
    start_nginx(net, stack, "example", lambda _: server, sock)
    with tap.case("examples/nginx.conf: pages, a push of 3 MiB, a clone and an event stream pass through it"):
        assert curl("--cacert", cert, url + "/api/v1/status")[0] == 200
        repo = node.create("demo")
        assert repo["clone_url"].startswith(url), repo
        work = work_tree(net.path("big"), {"f": os.urandom(3 << 20)})
        trust = {"GIT_SSL_CAINFO": cert}
        git("push", "-q", repo["clone_url"].replace("://", "://guts:%s@" % node.token), "main", cwd=work, env=trust)
        git("clone", "-q", repo["clone_url"], net.path("big-clone"), env=trust)
        lines = Lines(["events", "--follow", "--since", "0", "--json", "--url", url], env={"SSL_CERT_FILE": cert, "GUTS_TOKEN": node.token})
        assert json.loads(lines.next())["type"] == "node.started"
        lines.end()
    with tap.case("a session through it has a Secure cookie, and works with the public address as its Origin"):
        made = curl("--cacert", cert, "-H", "Content-Type: application/json", "-d", json.dumps({"token": node.token}), url + "/api/v1/session")
        assert made[0] == 201 and "; Secure" in made[1]["set-cookie"], made
        status, _, _ = curl("--cacert", cert, "-X", "PUT", "-H", "Cookie: " + made[1]["set-cookie"].split(";")[0], "-H", "Origin: " + url,
                            "-H", "X-Guts-Csrf: " + json.loads(made[2])["csrf"], url + "/api/v1/gossip/topics/proxied")
        assert status == 204, status


def main():
    tap = Tap()
    with tap.net() as net, contextlib.ExitStack() as stack:
        unix_socket(tap, net)
        public_listener(tap, net)
        behind_nginx(tap, net, stack)
        rates(tap, net)
        encrypted(tap, net)
        the_example(tap, net, stack)
    tap.done()


if __name__ == "__main__":
    main()
