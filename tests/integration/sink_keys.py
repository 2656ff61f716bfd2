"""sink_keys.py - brokers that know this node by a key: NKeys and JWTs of nats-server, client certificates of both."""
import os
import subprocess

from brokerlib import Mosquitto, Nats, missing
from gutslib import Tap, wait_for
from natskeys import Key, Operator, creds


def sinks(node):
    return node.get("/api/v1/sinks")


def at(*brokers):
    return [a for b in brokers for a in ("--set", "sink.url=" + b.url)]


def write(path, text, mode=0o600):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def expect_error(node, text):
    def said():
        rows = sinks(node)
        return all(s["last_error"] and text in s["last_error"] and s["state"] != "connected" for s in rows) and rows
    for row in wait_for(said, "the error: " + text):
        print("# " + row["last_error"])


def expect_event(node, n):
    wait_for(lambda: all(s["state"] == "connected" for s in sinks(node)), "the connection")
    node.create("demo%d" % n)
    end = node.get("/api/v1/status")["events"]["newest"]
    wait_for(lambda: all(s["cursor"] >= end and s["published"] > 0 for s in sinks(node)), "the event at the broker")


def by_key(tap, net, name, broker, wrong, right):
    path = net.path(name + ".creds")
    broker.make_stream()
    a = net.node(name, args=at(broker) + ["--set", "sink.nats_creds=" + path])
    with tap.case("%s: a file that is not there, may be read by others, or holds another's key is told" % name):
        expect_error(a, "No such file")
        write(path, right, 0o640)
        expect_error(a, "chmod 600")
        write(path, wrong)
        expect_error(a, "Authorization Violation")
        assert "SU" not in a.tail()
    with tap.case("%s: the right one is used once it is there, and read anew for the next connection" % name):
        write(path, right)
        expect_event(a, 1)
        broker.kill()
        broker.start()
        expect_event(a, 2)
        assert "guts.repo.created" in {m[0] for m in broker.messages()}
    a.stop()
    broker.close()


def authority(net, name):
    cert, key = net.path(name + ".pem"), net.path(name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=" + name, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def signed(net, name, ca):
    """A certificate for a server and a client, by an authority."""
    cert, key, ask = net.path(name + ".pem"), net.path(name + ".key"), net.path(name + ".csr")
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                    "-keyout", key, "-out", ask], check=True, capture_output=True)
    with open(ask + ".ext", "w") as f:
        f.write("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    subprocess.run(["openssl", "x509", "-req", "-in", ask, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", "2", "-extfile",
                    ask + ".ext", "-out", cert], check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


def certificates(tap, net):
    ca, foreign = authority(net, "ca"), authority(net, "foreign")
    server, client, other = signed(net, "server", ca), signed(net, "client", ca), signed(net, "other", foreign)
    brokers = [Mosquitto(net.path("mosquitto"), tls=server, clients=ca[0]), Nats(net.path("nats"), tls=server, clients=ca[0])]
    brokers[1].make_stream()

    def node(pair):
        return net.node(args=at(*brokers) + ["--set", "sink.ca_file=" + ca[0]] +
                        (["--set", "sink.tls_cert=" + pair[0], "--set", "sink.tls_key=" + pair[1]] if pair else []))

    with tap.case("brokers that ask for a certificate get none from a node without one, or another authority's, or one with the key of another"):
        for pair in (None, other, (client[0], other[1])):
            a = node(pair)
            wait_for(lambda: all(s["last_error"] and s["failures"] > 1 for s in sinks(a)), "refusals")
            assert all(s["published"] == 0 and s["state"] != "connected" for s in sinks(a)), sinks(a)
            print("# " + " | ".join(s["last_error"] for s in sinks(a)))
            a.stop()
    with tap.case("what is wrong with the files is told by name: none there, no key, read by others, with a password"):
        key = net.path("some.key")
        a = node((client[0], key))
        expect_error(a, key + ": No such file")
        write(key, open(client[0]).read())
        expect_error(a, key + ": it holds no private key")
        write(key, open(client[1]).read(), 0o644)
        expect_error(a, key + " may be read by others")
        write(key, subprocess.run(["openssl", "pkey", "-in", client[1], "-aes256", "-passout", "pass:secret"], check=True,
                                  capture_output=True, text=True).stdout)
        expect_error(a, "the key has a password")
        write(key, open(client[1]).read())
        expect_event(a, 1)
        a.stop()
    with tap.case("with its certificate a node is let in; one option without the other is refused at the start"):
        a = node(client)
        expect_event(a, 1)
        a.stop()
        b = net.node("half", start=False, args=["--set", "sink.tls_cert=" + client[0]])
        try:
            b.start()
            raise AssertionError("it was taken")
        except AssertionError as e:
            assert "sink.tls_cert and sink.tls_key" in str(e), e
    for b in brokers:
        b.close()


tap = Tap()
if missing():
    tap.skip("message brokers", missing())
    tap.done()
with tap.net() as net:
    user, stranger, o = Key(net.path(""), "U"), Key(net.path(""), "U"), Operator(net.path(""))
    by_key(tap, net, "nkey", Nats(net.path("nats-nkey"), login=user.login(), settings=["authorization { users: [{ nkey: %s }] }" % user.public]),
           stranger.seed + "\n", user.seed + "\n")
    by_key(tap, net, "jwt", Nats(net.path("nats-jwt"), login=o.user.login(o.user_jwt), settings=o.settings),
           creds(o.jwt_for(stranger), o.user), creds(o.user_jwt, o.user))
    certificates(tap, net)
tap.done()
