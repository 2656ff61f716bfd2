"""config.py - the configuration is changed while the node runs: by PATCH, by the command line, by hand and SIGHUP.

What is written is guts.conf itself: so these tests look at the file, at what the node does at once, and at what its next start takes.
"""
import json
import os
import signal
import stat
import threading

import gutslib
from contract import Contract
from gutslib import DEADLINE, LONG, Tap, request, wait_for

contract = Contract()
plain_request = gutslib.request


def checked(base, method, path, *args, **kw):
    answer = plain_request(base, method, path, *args, **kw)
    if path.startswith("/api/v1/config") and "content-encoding" not in answer.headers:
        contract.check(method, path, answer)
    return answer


gutslib.request = checked
MINE = "# my node\n[p2p]\nlisten = /ip4/127.0.0.1/tcp/0 ; here\n\n[log]\n; quiet\nlevel = notice\n"


def conf(node):
    with open(os.path.join(node.home, "guts.conf")) as f:
        return f.read()


def write_conf(node, text):
    with open(os.path.join(node.home, "guts.conf"), "w") as f:
        f.write(text)


def options(node):
    return {o["name"]: o for o in node.get("/api/v1/config")}


def change(node, body, **kw):
    return node.request("PATCH", "/api/v1/config", body, **kw)


def told(node, since):
    return [dict(e["data"]) for e in node.facts(since, "type=config.changed")]


def values(tap, node):
    with tap.case("what is reloadable is in force with the answer, and the file keeps what the person wrote"):
        since = node.get("/api/v1/status")["events"]["newest"]
        done = change(node, {"log.level": "debug", "http.max_streams": 1, "quota.total": "3G", "ci.lease": 90000,
                             "http.allowed_hosts": ["a.example", "b.example"], "gossip.keep": False}).json
        assert done["restart_required"] == [] and len(done["options"]) == 6, done
        now = options(node)
        assert {n: now[n]["value"] for n in ("log.level", "quota.total", "ci.lease", "gossip.keep")} == {
            "log.level": "debug", "quota.total": 3 << 30, "ci.lease": 90000, "gossip.keep": False}
        assert all(now[o["name"]] == o and o["source"] == "file" for o in done["options"])
        assert node.get("/api/v1/log/level") == {"level": "debug"}
        text = conf(node)
        for line in ("# my node", "listen = /ip4/127.0.0.1/tcp/0 ; here", "; quiet", "level = debug", "total = 3G", "lease = 90000ms",
                     "allowed_hosts = a.example b.example"):
            assert line in text.split("\n"), text
        facts = wait_for(lambda: len(f := told(node, since)) == 6 and f, "the facts")
        assert {f["key"] for f in facts} == {o["name"] for o in done["options"]}
        assert all(f["restart_required"] == 0 and f["source"] == "file" for f in facts), facts
        assert [f["value"] for f in facts if f["key"] == "http.allowed_hosts"] == ["a.example b.example"]
    with tap.case("the new values hold: host names, number of streams, rates, who may read"):
        assert request(node.url, "GET", "/livez", headers={"Host": "a.example"}).status == 200
        assert request(node.url, "GET", "/livez", headers={"Host": "c.example"}).status == 421
        stream = node.stream()
        second = node.request("GET", "/api/v1/events", headers={"Accept": "text/event-stream"})
        assert second.status == 503 and "http.max_streams" in second.json["detail"], second.data
        stream.close()
        assert change(node, {"http.limit_loopback": True, "http.address_rate": 2, "http.local_read": False}).status == 200
        assert request(node.url, "GET", "/api/v1/status").status == 401
        assert request(node.url, "GET", "/livez").headers["x-ratelimit-limit"] == "2"
        assert change(node, dict.fromkeys(("http.limit_loopback", "http.address_rate", "http.local_read"))).status == 200
        assert request(node.url, "GET", "/api/v1/status").status == 200
        assert "x-ratelimit-limit" not in request(node.url, "GET", "/livez").headers
    with tap.case("null brings the default back; what changes nothing writes nothing"):
        assert change(node, dict.fromkeys(["log.level", "http.max_streams", "quota.total", "ci.lease", "http.allowed_hosts", "gossip.keep"])).status == 200
        assert {o["source"] for n, o in options(node).items() if n in ("log.level", "quota.total", "http.allowed_hosts")} == {"default"}
        before = os.stat(os.path.join(node.home, "guts.conf")).st_ino, conf(node)
        assert change(node, {}).json["options"] == [] and change(node, {"ci.lease": None}).status == 200
        assert before == (os.stat(os.path.join(node.home, "guts.conf")).st_ino, conf(node))


def restart(tap, node):
    with tap.case("what needs a restart is named, in the configuration and in the status, until then"):
        since = node.get("/api/v1/status")["events"]["newest"]
        done = change(node, {"p2p.max_connections": 7, "p2p.mdns": False, "log.level": "info"}).json
        assert done["restart_required"] == ["p2p.max_connections"], done  # mdns is off by the command line
        now = options(node)
        o = now["p2p.max_connections"]
        assert o["value"] == 50 and o["source"] == "default" and o["file"] == 7 and o["restart_required"] and not o["reloadable"], o
        assert node.get("/api/v1/status")["restart_required"] == ["p2p.max_connections"]
        assert node.get("/api/v1/status", token=None)["restart_required"] == []
        facts = wait_for(lambda: len(f := told(node, since)) == 3 and f, "the facts")
        assert {f["key"]: f["restart_required"] for f in facts} == {"p2p.max_connections": 1, "p2p.mdns": 0, "log.level": 0}, facts
        assert change(node, {"p2p.max_connections": 50}).json["restart_required"] == []
        assert change(node, {"p2p.max_connections": 7}).json["restart_required"] == ["p2p.max_connections"]
    with tap.case("what the command line says goes before the file, and no restart is said to change it"):
        done = change(node, {"http.listen": "127.0.0.1:1"}).json
        o = done["options"][0]
        assert o["source"] == "command line" and o["file"] == ["127.0.0.1:1"] and o["value"] != o["file"] and not o["restart_required"], o
        assert done["restart_required"] == ["p2p.max_connections"]
    with tap.case("the next start takes the file"):
        node.restart()
        now = options(node)
        assert now["p2p.max_connections"]["value"] == 7 and now["p2p.max_connections"]["source"] == "file"
        assert now["log.level"]["value"] == "info" and node.get("/api/v1/status")["restart_required"] == []
        assert change(node, dict.fromkeys(("p2p.max_connections", "log.level", "http.listen", "p2p.mdns"))).json["restart_required"] == ["p2p.max_connections"]
        node.restart()
        assert node.get("/api/v1/status")["restart_required"] == []


def refusals(tap, node):
    with tap.case("each wrong value is named by a JSON pointer, and nothing of the change is done"):
        before = conf(node), node.request("GET", "/api/v1/config").data
        for body, pointer in (
                ({"p2p.max_connections": 0, "log.level": "debug"}, "/p2p.max_connections"),
                ({"p2p.max_connections": "many"}, "/p2p.max_connections"), ({"p2p.max_connections": True}, "/p2p.max_connections"),
                ({"p2p.max_connections": 1.5}, "/p2p.max_connections"), ({"p2p.max_connections": [5]}, "/p2p.max_connections"),
                ({"gossip.keep": "yes"}, "/gossip.keep"), ({"gossip.keep": 1}, "/gossip.keep"),
                ({"log.level": "loud"}, "/log.level"), ({"ci.lease": "1ms"}, "/ci.lease"), ({"quota.total": -1}, "/quota.total"),
                ({"p2p.bootstrap_nodes": ["/ip4/127.0.0.1/tcp/1", "nonsense"]}, "/p2p.bootstrap_nodes/1"),
                ({"http.listen": []}, "/http.listen"), ({"http.listen": {}}, "/http.listen"), ({"http.listen": ["127.0.0.1"] * 33}, "/http.listen"),
                ({"http.public_listen": ["256.0.0.1:80"]}, "/http.public_listen"),
                ({"http.public_listen": ["https://127.0.0.1:0"]}, "/http.public_listen"),
                ({"http.cors_origins": ["app.example"]}, "/http.cors_origins"), ({"http.trusted_proxies": ["10.0.0.0/99"]}, "/http.trusted_proxies"),
                ({"bridge.allow": ["nowhere"]}, "/bridge.allow"), ({"sink.url": ["nats://u:p@h"]}, "/sink.url"), ({"sink.prefix": "a..b"}, "/sink.prefix"),
                ({"p2p.announce": ["/ip4/127.0.0.1/tcp/1"] * 9}, "/p2p.announce"),
                ({"no.such": 1}, "/no.such"), ({"a/b~c": None}, "/a~1b~0c"), ({"p2p": {"mdns": True}}, "/p2p")):
            answer = change(node, body)
            assert answer.status == 422, (body, answer.data)
            assert pointer in [e["pointer"] for e in answer.json["errors"]], (body, answer.json)
        for body in (b"", b"[]", b"1", b"{", b'{"log.level":"info","log.level":"warn"}'):
            assert change(node, body, headers={"Content-Type": "application/json"}).status == 400, body
        assert (conf(node), node.request("GET", "/api/v1/config").data) == before
    with tap.case("no value brings a line of its own, or says something else than was meant"):
        before = conf(node)
        for value in ("a\n[http]\npublic_read = true", "a\r\nb", "a ; b", " a", "a\t", "x" * 300, "#\u0085"):
            answer = change(node, {"http.tls_cert": value})
            assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/http.tls_cert", (value, answer.data)
        for value in (["a b"], ["a,b"], [";x"], ["a\n"]):
            assert change(node, {"http.allowed_hosts": value}).status == 422, value
        assert conf(node) == before
        odd = "/tmp/ü#'\"=[x].pem"
        assert change(node, {"http.tls_cert": odd}).json["options"][0]["file"] == odd
        assert change(node, {"http.tls_cert": None}).status == 200 and conf(node) == before
    with tap.case("who may not, may not"):
        for scope in "read", "write", "ci":
            token = node.post("/api/v1/tokens", {"name": scope, "scopes": [scope]})["token"]
            assert change(node, {"log.level": "debug"}, token=token).status == 403
            assert node.request("GET", "/api/v1/config", token=token).status == 403
        assert change(node, {"log.level": "debug"}, token=None).status == 401


def lost_updates(tap, node):
    with tap.case("If-Match: a change on what has changed meanwhile is refused; ETag and 304"):
        tag = node.request("GET", "/api/v1/config").headers["etag"]
        assert node.request("GET", "/api/v1/config", headers={"If-None-Match": tag}).status == 304
        first = change(node, {"log.level": "info"}, headers={"If-Match": tag})
        assert first.status == 200 and first.headers["etag"] != tag
        second = change(node, {"log.level": "warn"}, headers={"If-Match": tag})
        assert second.status == 412 and options(node)["log.level"]["value"] == "info"
        assert change(node, {"log.level": "warn"}, headers={"If-Match": first.headers["etag"]}).status == 200
        assert change(node, {"log.level": None}, headers={"If-Match": "*"}).status == 200
    with tap.case("many at once: each finds the others' change in the file"):
        names = ["quota.total", "quota.creator", "quota.repository", "limits.pack", "events.keep", "ci.lease", "ci.max_age", "bridge.retry"]
        threads = [threading.Thread(target=change, args=(node, {n: 5000000 if "." in n and n[0] in "ql" else 5000})) for n in names]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        now = options(node)
        assert all(now[n]["file"] == now[n]["value"] == (5000000 if n[0] in "ql" else 5000) for n in names), now
        assert change(node, dict.fromkeys(names)).status == 200


def by_hand(tap, node):
    def hang_up():
        os.kill(node.pid, signal.SIGHUP)

    with tap.case("SIGHUP reads the file again: what can is in force, what cannot waits for a restart"):
        write_conf(node, conf(node) + "\n[gossip]\nexpect = 3\n[kad]\nprotocol = /x/kad/1.0.0\n")
        hang_up()
        wait_for(lambda: options(node)["gossip.expect"]["value"] == 3, "the new value")
        assert node.get("/api/v1/status")["restart_required"] == ["kad.protocol"]
    with tap.case("a file that is not valid changes nothing, at SIGHUP or by PATCH, which says so"):
        good = conf(node)
        write_conf(node, good + "[gossip]\nexpct = 4\n")
        hang_up()
        wait_for(lambda: any("what was in force stays" in line["text"] and "expct" in line["text"] for line in node.get("/api/v1/log")), "the log line")
        answer = change(node, {"log.level": "debug"})
        assert answer.status == 409 and "expct" in answer.json["detail"], answer.data
        assert options(node)["gossip.expect"]["value"] == 3 and node.running()
        write_conf(node, good)
        assert change(node, {"gossip.expect": None, "kad.protocol": None}).json["restart_required"] == []
    with tap.case("a link stays a link, and the file keeps its mode"):
        path = os.path.join(node.home, "guts.conf")
        os.rename(path, path + ".real")
        os.symlink(path + ".real", path)
        os.chmod(path + ".real", 0o600)
        assert change(node, {"log.level": "info"}).status == 200
        assert os.path.islink(path) and stat.S_IMODE(os.stat(path).st_mode) == 0o600 and "level = info" in conf(node)


def failures(tap, net, node):
    with tap.case("a disk that fails: a clear answer of the 5xx, and nothing has changed"):
        before = conf(node)
        home = os.path.realpath(node.home)
        os.mkdir(os.path.join(home, "guts.conf.real.new"))  # where the new file would be made
        answer = change(node, {"log.level": "debug"})
        assert answer.status >= 500 and "nothing has changed" in answer.json["detail"], answer.data
        os.rmdir(os.path.join(home, "guts.conf.real.new"))
        assert conf(node) == before and options(node)["log.level"]["value"] == "info"
        assert change(node, {"log.level": "debug"}).status == 200
    with tap.case("kill -9 in the middle of changes: the file is that before or after one, and the node starts"):
        for _ in range(20 if LONG else 3):
            wait = threading.Event()
            def work():
                try:
                    for i in range(1000, 100000):
                        change(node, {"events.keep": i, "quota.total": i})
                        wait.set()
                except OSError:
                    pass
            t = threading.Thread(target=work)
            t.start()
            assert wait.wait(DEADLINE)
            node.kill()
            t.join()
            node.start()
            now = options(node)
            assert now["events.keep"]["file"] == now["quota.total"]["file"] >= 1000, conf(node)
        assert change(node, dict.fromkeys(("events.keep", "quota.total"))).status == 200


def command_line(tap, node):
    with tap.case("guts config: list, get, set, unset"):
        assert node.cli("config", "get", "log.level") == "debug\n"
        assert "log.level" in node.cli("config") and "quota.total" not in node.cli("config")
        assert "quota.total" in node.cli("config", "list", "--all")
        assert node.cli("config", "set", "log.level", "info") == ""
        assert node.cli("config", "set", "http.allowed_hosts", "a.example", "b.example") == ""
        assert node.cli("config", "get", "http.allowed_hosts") == "a.example b.example\n"
        assert json.loads(node.cli("config", "get", "http.allowed_hosts", "--json"))["value"] == ["a.example", "b.example"]
        out = node.cli("config", "set", "p2p.max_connections", "9")
        assert "restart" in out and "p2p.max_connections" in out, out
        assert "command line" in node.cli("config", "set", "p2p.mdns", "true")
        assert "required" in node.cli("config") and json.loads(node.cli("config", "set", "ci.lease", "50s", "--json"))["options"][0]["value"] == 50000
        node.cli("config", "unset", "p2p.max_connections", "http.allowed_hosts", "p2p.mdns", "ci.lease")
        assert node.cli("config", "get", "p2p.max_connections") == "50\n" and "max_connections = 9" not in conf(node)
        for args, code in ((("set", "log.level", "loud"), 1), (("set", "no.such", "1"), 1), (("get", "no.such"), 5), (("unset", "no.such"), 1)):
            done = node.cli("config", *args, check=False)
            assert done.returncode == code and args[1] in done.stderr, done
        assert node.cli("config", "set", "p2p.max_connections", "x", check=False).stderr.count("p2p.max_connections") == 1


tap = Tap()
with tap.net() as net:
    node = net.node("A", start=False)
    os.makedirs(node.home, mode=0o700, exist_ok=True)
    write_conf(node, MINE)
    node.start()
    values(tap, node)
    restart(tap, node)
    refusals(tap, node)
    lost_updates(tap, node)
    by_hand(tap, node)
    failures(tap, net, node)
    command_line(tap, node)
tap.done()
