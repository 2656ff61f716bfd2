#!/usr/bin/env python3
"""portmap.py - a node behind a home router lets others in through a port that the router maps.

Three machines, each a network namespace: home (here), a router that runs Debian's miniupnpd on nftables, and outside.

    home 10.77.0.2 ---- 10.77.0.1 router 11.22.33.1 ---- 11.22.33.2 outside
"""
import os
import shutil
import subprocess
import sys

from gutslib import Tap, wait_for

OUT, PORT = "11.22.33.1", 9000
RULES = """
table inet filter {
    chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
    chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd; }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
"""
CONF = """
ext_ifname=wan
listening_ip=lan
port=0
enable_natpmp=%s
enable_upnp=%s
secure_mode=yes
uuid=00000000-0000-0000-0000-000000000001
allow 1024-65535 10.77.0.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


def why_not():
    """Go on in a namespace of its own; or why that cannot be."""
    for tool in ("unshare", "nsenter", "ip", "nft", "miniupnpd"):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return "no %s" % tool
    if "GUTS_PORTMAP_INSIDE" in os.environ:
        return None
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if subprocess.run(["unshare", "--net", "nft", "list", "ruleset"], capture_output=True).returncode:
        return "no right to make a network namespace with nftables in it"
    os.execvpe("unshare", ["unshare", "--net", sys.executable] + sys.argv, dict(os.environ, GUTS_PORTMAP_INSIDE="1"))


class Machine:
    """A network namespace, there as long as a process in it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; read line"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.enter = ["nsenter", "--net=/proc/%d/ns/net" % self.process.pid]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *args, input=None):
        return subprocess.run(self.enter + list(args), check=True, capture_output=True, text=True, input=input).stdout

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def here(*args):
    subprocess.run(args, check=True, capture_output=True)


def cable(a, name_a, addr_a, b, name_b, addr_b):
    """Two machines with an Ethernet cable between them; a may be None: here."""
    here("ip", "link", "add", "end0", "type", "veth", "peer", "name", "end1")
    for machine, end, name, addr in ((a, "end0", name_a, addr_a), (b, "end1", name_b, addr_b)):
        run = here
        if machine:
            here("ip", "link", "set", end, "netns", str(machine.process.pid))
            run = machine.run
        run("ip", "link", "set", end, "name", name)
        run("ip", "addr", "add", addr, "dev", name)
        run("ip", "link", "set", name, "up")


class Router(Machine):
    def __init__(self):
        super().__init__()
        self.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        self.run("nft", "-f", "-", input=RULES)
        self.daemon = None

    def serve(self, folder, natpmp, upnp):
        conf = os.path.join(folder, "miniupnpd.conf")
        with open(conf, "w") as f:
            f.write(CONF % ("yes" if natpmp else "no", "yes" if upnp else "no"))
        self.log = os.path.join(folder, "miniupnpd.log")
        with open(self.log, "w") as log:
            self.daemon = subprocess.Popen(self.enter + ["miniupnpd", "-d", "-f", conf, "-P", os.path.join(folder, "pid")],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: "istening " in open(self.log).read(), "a router that listens")

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait()

    def mappings(self):
        return [line.strip() for line in self.run("nft", "list", "ruleset").splitlines() if "dnat" in line]


def status(node, state):
    return wait_for(lambda: node.get("/api/v1/status")["reachability"] == state, "reachability %s" % state)


reason = why_not()
if reason:
    print("1..0 # SKIP " + reason)
    sys.exit(0)

tap = Tap()
router, outside = Router(), Machine()
here("ip", "link", "set", "lo", "up")
cable(None, "eth", "10.77.0.2/24", router, "lan", "10.77.0.1/24")
here("ip", "route", "add", "default", "via", "10.77.0.1")
cable(outside, "eth", "11.22.33.2/24", router, "wan", "%s/24" % OUT)
try:
    for method in ("NAT-PMP", "UPnP"):
        with tap.net() as net:
            home = lambda **kw: net.node("home" + method, listen="/ip4/0.0.0.0/tcp/%d" % PORT, args=["--log-level", "info"], **kw)
            with tap.case("%s: the router maps a port, and others are told its address" % method):
                router.serve(net.dir, natpmp=method == "NAT-PMP", upnp=method == "UPnP")
                a = home()
                status(a, "mapped")
                assert "%s/tcp/%d to port %d by %s" % (OUT, PORT, PORT, method) in a.tail(), a.tail()
                assert "/ip4/%s/tcp/%d/p2p/%s" % (OUT, PORT, a.id) in a.get("/api/v1/status")["listen"]
                assert len(router.mappings()) == 1 and "10.77.0.2" in router.mappings()[0], router.mappings()
            with tap.case("%s: a node outside comes in at that address" % method):
                b = net.node("outside" + method, wrapper=outside.enter,
                             bootstrap=["/ip4/%s/tcp/%d/p2p/%s" % (OUT, PORT, a.id)])
                a.wait_peer(b)
                link = [p for p in a.get("/api/v1/peers") if p["id"] == b.id][0]
                assert link["direction"] == "inbound", link
                b.stop()
            with tap.case("%s: a node that stops takes its mapping back" % method):
                a.stop()
                assert router.mappings() == [], router.mappings()
            with tap.case("%s: with p2p.portmap off, or on loopback only, nobody is asked" % method):
                for args, listen in ((["--set", "p2p.portmap=false"], "/ip4/0.0.0.0/tcp/0"), ([], "/ip4/127.0.0.1/tcp/0")):
                    c = net.node(listen=listen, args=args)
                    assert c.get("/api/v1/status")["reachability"] == "off"
                    c.stop()
                assert router.mappings() == [], router.mappings()
            router.stop()
    with tap.net() as net:
        with tap.case("without a router that answers the node serves all the same, and says so"):
            a = net.node(listen="/ip4/0.0.0.0/tcp/0")
            status(a, "failed")
            assert a.get("/api/v1/status")["ready"]
            a.stop()
        with tap.case("without a way to any router it says nothing that is no line of the log"):
            here("ip", "link", "set", "eth", "down")
            a = net.node("alone", listen="/ip4/0.0.0.0/tcp/0")
            status(a, "failed")
            a.stop()
            assert all(line[:2] == "20" for line in a.tail().splitlines()), a.tail()
finally:
    router.close()
    outside.close()
tap.done()
