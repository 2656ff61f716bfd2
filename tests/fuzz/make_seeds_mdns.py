#!/usr/bin/env python3
"""make_seeds_mdns.py - writes the seeds of fuzz_mdns: what peers, printers and liars say on 224.0.0.251."""
import os
import struct

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds", "mdns")
PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
PTR, TXT, SRV, A = 12, 16, 33, 1


def name(text):
    return b"".join(bytes([len(l)]) + l.encode() for l in text.split(".")) + b"\0"


def packet(questions=(), answers=(), additional=(), flags=None):
    flags = (0x8400 if answers else 0) if flags is None else flags
    return (struct.pack(">6H", 0, flags, len(questions), len(answers), 0, len(additional))
            + b"".join(questions) + b"".join(answers) + b"".join(additional))


def question(n, kind=PTR, klass=1):
    return n + struct.pack(">2H", kind, klass)


def record(n, kind, data, klass=1, ttl=120):
    return n + struct.pack(">2HIH", kind, klass, ttl, len(data)) + data


def strings(*texts):
    return b"".join(bytes([len(t)]) + t.encode() for t in texts)


SERVICE = name("_p2p._udp.local")
HOST = name("abcdefghijklmnopqrstuvwxyz234567._p2p._udp.local")
ADDRS = ["dnsaddr=/ip4/192.168.1.%d/tcp/9000/p2p/%s" % (i, PEER) for i in range(1, 4)]
ASK = packet([question(SERVICE)])

SEEDS = {
    "ask": [ASK],
    "ask-often": [ASK] * 30,
    "ask-upper-any": [packet([question(name("_P2P._Udp.LOCAL"), 255, 0x80ff)])],
    "ask-services": [packet([question(name("_services._dns-sd._udp.local"))])],
    # one TXT with several strings (go), one TXT per address (js), names compressed
    "answer-strings": [packet((), [record(SERVICE, PTR, HOST)], [record(HOST, TXT, strings(*ADDRS), 0x8001)])],
    "answer-records": [packet((), [record(SERVICE, PTR, HOST)] + [record(HOST, TXT, strings(a)) for a in ADDRS])],
    "answer-compressed": [packet((), [record(SERVICE, PTR, HOST[:33] + b"\xc0\x0c")],
                                 [record(b"\xc0\x27", TXT, strings(*ADDRS))])],
    "answer-leaves": [packet((), [record(HOST, TXT, strings(*ADDRS), ttl=0)])],
    "printer": [packet((), [record(name("_ipp._tcp.local"), PTR, name("laser._ipp._tcp.local"))],
                       [record(name("laser._ipp._tcp.local"), SRV, struct.pack(">3H", 0, 0, 631) + name("laser.local")),
                        record(name("laser.local"), A, bytes([192, 168, 1, 9]))])],
    "loop-self": [packet([question(b"\xc0\x0c")])],
    "loop-two": [packet([question(b"\xc0\x0e\xc0\x0c")])],
    "forward": [packet([question(b"\xc0\x10")])],
    "deep": [packet([question(name(".".join("a" * 126)))] + [question(bytes([0xc0, 12])) for _ in range(60)])],
    "many": [packet((), [record(HOST, TXT, strings("dnsaddr=/ip4/10.0.0.%d/tcp/1" % i)) for i in range(64)])],
    "cut": [packet((), [record(HOST, TXT, strings(*ADDRS))])[:-5]],
    "talk": [ASK, packet((), [record(SERVICE, PTR, HOST)], [record(HOST, TXT, strings(*ADDRS))]), ASK, b"", ASK],
}

os.makedirs(FOLDER, exist_ok=True)
for seed, packets in SEEDS.items():
    with open(os.path.join(FOLDER, seed), "wb") as f:
        for p in packets:
            f.write(struct.pack(">H", len(p)) + p)
