#!/usr/bin/env python3
"""mdns.py - nodes that were told of nobody find each other by multicast DNS, on a network of their own.

Real multicast over the loopback interface of a network namespace.  Without the right to make one it is skipped.
"""
import os
import subprocess
import sys

from gutslib import Tap, wait_for

ALL = "/ip4/0.0.0.0/tcp/0"


def own_network():
    """Go on in a namespace with nothing but a loopback interface; false if that is not allowed."""
    if "GUTS_MDNS_INSIDE" in os.environ:
        return True
    for how in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        if subprocess.run(how + ["ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
            os.execvpe(how[0], how + ["sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable] + sys.argv,
                       dict(os.environ, GUTS_MDNS_INSIDE="1"))
    return False


def links(node):
    """How often a link began."""
    return len(node.facts(query="type=peer.connected"))


try:
    inside = own_network()
except FileNotFoundError as e:
    inside = False
if not inside:
    print("1..0 # SKIP no right to make a network namespace")
    sys.exit(0)

tap = Tap()
with tap.net() as net:
    with tap.case("two nodes of one machine find each other over loopback"):
        a, b = (net.node(name, listen=ALL, mdns=True) for name in "AB")
        a.wait_peer(b)
        b.wait_peer(a)
    with tap.case("a node with mdns off is not found and finds nobody"):
        c = net.node("C", listen=ALL)
        d = net.node("D", listen=ALL, mdns=True)  # asks; all who answer are found
        d.wait_peer(a)
        d.wait_peer(b)
        assert c.peers() == set() and links(c) == 0
        assert c.id not in d.peers()
    with tap.case("what is made on one is on the other"):
        repo = a.post("/api/v1/repos", {"name": "found"})
        wait_for(lambda: d.get("/api/v1/repos/" + repo["id"]), "the repository on D")
    with tap.case("a node of another network is let go, and not dialled again and again"):
        e = net.node("E", listen=ALL, mdns=True, args=["--network", "elsewhere"])
        wait_for(lambda: e.facts(query="type=peer.disconnected"), "a link that ends")
        f = net.node("F", listen=ALL, mdns=True)  # asks again: all answer, E too
        f.wait_peer(a)
        g = net.node("G", listen=ALL, mdns=True)
        g.wait_peer(a)
        wait_for(lambda: not e.peers(), "end of its last link")
        assert links(e) <= 2 * 5, links(e)  # once from each side of each of the five
tap.done()
