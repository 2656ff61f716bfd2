"""webhook_dns.py - names that are rebound: what a real DNS server says of a webhook's target, in a network of its own.

The machine of this test has the public address 8.8.8.8 beside loopback, and asks a server on 127.0.0.1:53 that changes its mind.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

INSIDE = "GUTS_DNS_INSIDE"
PUBLIC = ("8.8.8.8", "2600::8")


def enter():
    """Run again in namespaces of our own, where resolv.conf is ours; the reason if that cannot be."""
    with tempfile.NamedTemporaryFile("w", prefix="guts-resolv-", delete=False) as f:
        f.write("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
    script = 'mount --make-rprivate / && mount --bind "$1" /etc/resolv.conf && ip link set lo up && ip addr add 8.8.8.8/32 dev lo && ' \
             'ip -6 addr add 2600::8/128 dev lo nodad; shift'
    try:
        for how in (["unshare", "--net", "--mount"], ["unshare", "--user", "--map-root-user", "--net", "--mount"]):
            if subprocess.run(how + ["sh", "-c", script + " && true", "sh", f.name], capture_output=True).returncode == 0:
                code = subprocess.run(how + ["sh", "-c", script + ' && exec "$@"', "sh", f.name, sys.executable] + sys.argv,
                                      env=dict(os.environ, **{INSIDE: "1"})).returncode
                sys.exit(code)
    finally:
        os.unlink(f.name)
    return "no network and mount namespace can be made here"


class Dns:
    """A name server; `answers` says for a name what each further question is answered with: a list of addresses."""

    def __init__(self):
        self.answers = {}
        self.asked = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            question = query[12:at + 5]
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            self.socket.sendto(query[:2] + b"\x84\x00" + query[4:6] + self.reply(".".join(labels).lower(), kind, question), peer)

    def reply(self, name, kind, question):
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        if family is None or name not in self.answers:
            return struct.pack(">HHH", 0, 0, 0) + question
        n = self.asked[(name, kind)] = self.asked.get((name, kind), 0) + 1
        turns = self.answers[name]
        found = [a for a in turns[min(n, len(turns)) - 1] if (":" in a) == (family == socket.AF_INET6)]
        rows = b""
        for a in found:
            data = socket.inet_pton(family, a)
            rows += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(data)) + data  # TTL 0
        return struct.pack(">HHH", len(found), 0, 0) + question + rows


class Trap:
    """Counts connections to a port at every address of this machine that is not public."""

    def __init__(self, port):
        self.n = 0
        self.sockets = []
        for host in ("127.0.0.1", "127.9.9.9", "::1"):
            s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((host, port))
            s.listen(16)
            self.sockets.append(s)
            threading.Thread(target=self.count, args=(s,), daemon=True).start()

    def count(self, s):
        while True:
            try:
                s.accept()[0].close()
            except OSError:
                return
            self.n += 1


def run(tap, net):
    dns = Dns()
    public = Receiver(host=PUBLIC[0])
    port = public.server.server_port
    trap = Trap(port)
    a = net.node("A", args=["--set", "bridge.timeout=5s"])

    def make(name):
        return "/api/v1/hooks/%d" % hook(a, None, "http://%s:%d/%s" % (name, port, name))["id"]

    def attempt(path, n=1):
        """How the n-th ping of a hook ends: "delivered" or why not."""
        a.post(path + "/pings")
        end = wait_for(lambda: (x := a.get(path + "/deliveries")) and len(x) == n and x[0]["state"] != "pending" and x[0], "the end")
        return "delivered" if end["state"] == "delivered" else end["status"]

    with tap.case("a public name is delivered to"):
        dns.answers["good.example"] = [[PUBLIC[0]]]
        assert attempt(make("good.example")) == "delivered" and len(public.good) == 1
    with tap.case("a name that is public first and 127.0.0.1 at the next question is delivered to once, then refused"):
        inner = ["127.0.0.1", "::1", "127.9.9.9", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0"]
        dns.answers.update(("rebind%d.example" % k, [[PUBLIC[0]], [address]]) for k, address in enumerate(inner))
        hooks = [make("rebind%d.example" % k) for k in range(len(inner))]
        assert [attempt(path) for path in hooks] == ["delivered"] * len(inner) and len(public.good) == 1 + len(inner)
        a.restart()  # names are remembered for a minute
        for path, address in zip(hooks, inner):
            why = attempt(path, 2)
            assert "bridge.allow" in why, (address, why)
        assert all(n == 2 for (name, _), n in dns.asked.items() if name.startswith("rebind")), dns.asked
        assert len(public.good) == 1 + len(inner)
    with tap.case("of a name with several addresses the others are never tried instead of a public one that fails"):
        for i, answers in enumerate((["8.8.8.9", "127.0.0.1"], ["127.0.0.1", "8.8.8.9"], ["8.8.8.9", "::1"], ["2600::9", "127.0.0.1"])):
            name = "both%d.example" % i
            dns.answers[name] = [answers]
            assert attempt(make(name)) != "delivered", answers
    with tap.case("not one connection went to an address that is not public"):
        assert trap.n == 0, trap.n
        socket.create_connection(("127.0.0.1", port)).close()
        wait_for(lambda: trap.n == 1, "the trap to work")
    public.close()


if __name__ == "__main__":
    why = None if os.environ.get(INSIDE) else enter()
    from gutslib import Tap, wait_for
    from hooklib import Receiver, hook
    tap = Tap()
    if why:
        tap.skip("names that are rebound", why)
    else:
        with tap.net() as net:
            run(tap, net)
    tap.done()
