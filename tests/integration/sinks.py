"""sinks.py - events published to mosquitto and nats-server: what, in which form, to whom, and what is said when it does not work."""
import json
import os
import subprocess

from brokerlib import Mosquitto, Nats, Subscriber, brokers, missing
from contract import Contract
from gutslib import Tap, git, wait_for, work_tree

TYPES = ["--set", "sink.events=repo.*", "--set", "sink.events=status.created"]


def sinks(node):
    return node.get("/api/v1/sinks")


def connected(node):
    return wait_for(lambda: all(s["state"] == "connected" for s in sinks(node)) and sinks(node), "connection to all brokers")


def at(*brokers):
    return [a for b in brokers for a in ("--set", "sink.url=" + b.url)]


def loaded(node):
    with open("/proc/%d/maps" % node.pid) as f:
        maps = f.read()
    return [name for name in ("libmosquitto", "libnats") if name in maps]


def certificate(net, name, address):
    cert, key = net.path(name + ".pem"), net.path(name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=" + name, "-addext", "subjectAltName=" + address, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def form(tap, net, mosquitto, nats):
    subscriber = Subscriber(mosquitto)
    a = net.node("A", args=at(mosquitto, nats) + TYPES)
    connected(a)
    with tap.case("events arrive in order, as the CloudEvents of the event stream, under one id each"):
        repo = a.create("demo")
        hidden = a.create("hidden", private=True)
        work = work_tree(net.path("work"))
        git("push", a.git_url(repo), "main", cwd=work)
        git("push", a.git_url(hidden), "main", cwd=work)
        tip = git("rev-parse", "HEAD", cwd=work).strip()
        for i in range(3):
            a.post("/api/v1/repos/%s/statuses/%s" % (repo["id"], tip), {"state": "success", "context": "c%d" % i})
        end = a.get("/api/v1/status")["events"]["newest"]
        wait_for(lambda: all(s["cursor"] >= end for s in sinks(a)), "cursors at the end")
        page = a.get("/api/v1/events?since=0&limit=1000&format=cloudevents&type=repo.*,status.created&repo=" + repo["id"])
        wanted = page["events"]
        assert {"guts.repo.created", "guts.repo.ref.updated", "guts.status.created"} <= {e["type"] for e in wanted}, wanted
        wait_for(lambda: len(subscriber.messages()) >= len(wanted), "messages")
        for got in (subscriber.messages(), nats.messages()):
            assert [e for _, _, e in got] == wanted, (got, wanted)
            assert [i for _, i, _ in got] == ["%s-%s" % (a.id, e["id"]) for e in wanted], got
        assert [t for t, _, _ in subscriber.messages()] == [e["type"].replace(".", "/") for e in wanted]
        assert [t for t, _, _ in nats.messages()] == [e["type"] for e in wanted]
    with tap.case("of a private repository nothing was published; with sink.private it is, and what is for administrators too"):
        assert not [e for _, _, e in nats.messages() if e.get("subject") == hidden["id"]]
        a.stop()
        a.args += ["--set", "sink.private=true", "--set", "sink.events=audit.write", "--set", "sink.prefix=site.a"]
        a.start()
        nats.make_stream("site", ["site.>"])
        a.post("/api/v1/repos/%s/statuses/%s" % (hidden["id"], tip), {"state": "success", "context": "secret"})
        wait_for(lambda: nats.count("site") >= 2, "both events")
        got = {t: e for t, _, e in nats.messages("site")}
        assert got["site.a.status.created"]["subject"] == hidden["id"] and got["site.a.audit.write"]["data"]["data"]["method"] == "POST", got
    with tap.case("`guts sink list` shows both"):
        text = a.cli("sink", "list")
        assert mosquitto.url in text and nats.url in text and text.count("connected") == 2, text
        assert json.loads(a.cli("sink", "list", "--json"))[1]["type"] == "nats"
        Contract().check("GET", "/api/v1/sinks", a.request("GET", "/api/v1/sinks"))
    a.stop()
    subscriber.close()


def on_demand(tap, net, mosquitto, nats):
    with tap.case("a node without a sink loads no library for one, another only what it needs"):
        b = net.node("B")
        assert loaded(b) == [] and sinks(b) == [], loaded(b)
        assert "guts_sink" not in b.request("GET", "/metrics").data.decode()
        b.stop()
        b.args += at(mosquitto)
        b.start()
        connected(b)
        assert loaded(b) == ["libmosquitto"], loaded(b)
        b.stop()
    with tap.case("what cannot be a sink stops the start, with the reason"):
        for setting, text in (("sink.url=http://x", "begins with none of"), ("sink.url=mqtt://u:secret@127.0.0.1", "sink.credentials"),
                              ("sink.url=nats://h:0", "nats://HOST:PORT"), ("sink.prefix=a..b", "sink.prefix"), ("sink.repositories=x", "no id")):
            c = net.node("C", start=False, args=["--set", setting])
            try:
                c.start()
                raise AssertionError(setting + " was taken")
            except AssertionError as e:
                assert text in str(e) and "secret@" not in str(e), e


def access(tap, net):
    """Brokers that want a password, each with a wrong one first."""
    users = {"guts": "p@ss:w/rd"}
    brokers = [Mosquitto(net.path("mosquitto-users"), users), Nats(net.path("nats-users"), users), Nats(net.path("nats-token"), token="t0k%n")]
    good = ["guts:p%40ss%3aw%2frd@", "guts:p%40ss%3aw%2frd@", "t0k%25n@"]
    path = net.path("credentials")

    def write(secrets, mode=0o600):
        with open(path, "w") as f:
            f.write("# brokers\n" + "".join(b.url.replace("://", "://" + s) + "\n" for b, s in zip(brokers, secrets)))
        os.chmod(path, mode)

    for b in brokers[1:]:
        b.make_stream()
    write(["guts:wrong@", "guts:wrong@", "wrong@"])
    a = net.node("P", args=at(*brokers) + ["--set", "sink.credentials=" + path] + TYPES)
    with tap.case("a wrong password or token is told, and the right one is used once the file has it"):
        errors = wait_for(lambda: all(s["last_error"] for s in sinks(a)) and [s["last_error"] for s in sinks(a)], "errors")
        assert "Not authorized" in errors[0] or "Bad user name or password" in errors[0], errors
        assert all("Authorization Violation" in e for e in errors[1:]), errors
        assert "guts:" not in json.dumps(sinks(a)) + a.tail() and "wrong" not in json.dumps(sinks(a)) + a.tail()
        write(good, 0o644)
        wait_for(lambda: all(s["last_error"] and "chmod 600" in s["last_error"] for s in sinks(a)), "complaint about the mode")
        os.chmod(path, 0o600)
        connected(a)
        a.create("demo")
        wait_for(lambda: all(s["published"] == 1 for s in sinks(a)), "event at all three")
        assert all(s["last_error"] is None and s["failures"] > 0 for s in sinks(a)), sinks(a)
    a.stop()
    for b in brokers:
        b.close()


def encrypted(tap, net):
    cert = certificate(net, "broker", "IP:127.0.0.1")
    other = certificate(net, "other", "DNS:elsewhere.example")
    good = [Mosquitto(net.path("mosquitto-tls"), tls=cert), Nats(net.path("nats-tls"), tls=cert)]
    bad = [Mosquitto(net.path("mosquitto-other"), tls=other), Nats(net.path("nats-other"), tls=other)]
    both = net.path("both.pem")
    with open(both, "w") as f:
        f.write(open(cert[0]).read() + open(other[0]).read())
    good[1].make_stream()
    with tap.case("in TLS: a certificate that sink.ca_file vouches for and that names the host"):
        a = net.node("T", args=at(*good) + ["--set", "sink.ca_file=" + cert[0]])
        connected(a)
        a.create("demo")
        wait_for(lambda: all(s["published"] >= 1 for s in sinks(a)), "events")
        a.stop()
    with tap.case("any other certificate is refused"):
        for args in (at(*good), at(*bad) + ["--set", "sink.ca_file=" + both]):
            b = net.node(args=args)
            wait_for(lambda: all(s["last_error"] and s["failures"] > 1 for s in sinks(b)), "refusals")
            assert all(s["state"] != "connected" for s in sinks(b)), sinks(b)
            print("# " + " | ".join(s["last_error"] for s in sinks(b)))
            b.stop()
    for b in good + bad:
        b.close()


def trouble(tap, net, nats):
    plain = Nats(net.path("nats-plain"), jetstream=False)
    with tap.case("a broker without JetStream, or without a stream for the subject, is no silent loss"):
        a = net.node("N", args=at(plain, nats) + ["--set", "sink.prefix=nobody.wants.this"])
        a.create("demo")
        errors = wait_for(lambda: all(s["last_error"] for s in sinks(a)) and [s["last_error"] for s in sinks(a)], "errors")
        assert all("no JetStream stream takes it" in e for e in errors), errors
        assert all(s["published"] == 0 and s["lag"] > 0 for s in sinks(a)), sinks(a)
        nats.make_stream("late", ["nobody.>"])
        wait_for(lambda: "nobody.wants.this.repo.created" in [m[0] for m in nats.messages("late")], "the event, once there is a stream")
        a.stop()
    plain.close()


tap = Tap()
if missing():
    tap.skip("message brokers", missing())
    tap.done()
with tap.net() as net, brokers(net) as (mosquitto, nats):
    form(tap, net, mosquitto, nats)
    on_demand(tap, net, mosquitto, nats)
    access(tap, net)
    encrypted(tap, net)
    trouble(tap, net, nats)
tap.done()
