#!/usr/bin/env python3
"""make_seeds_wire.py - writes the seeds of fuzz_{pb,multiaddr,multibase,envelope,noise,kad_node}, from tests/vectors where there are some."""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
V = json.load(open(os.path.join(HERE, "../vectors/libp2p.json"), encoding="utf-8"))
unhex = bytes.fromhex


def write(target, seeds):
    folder = os.path.join(HERE, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def pb():
    whole = ("08ac02" "1007" "1801" "21efcdab8967452301" "2a0300ff01" "3203616263" "3a0508011a0178" "42020102"
             "4801" "48ac02" "5203050608" "5a0178" "5a00" "62021005" "6200" "6800" "7005" "a00601")
    seeds = {"every-kind": unhex(whole), "empty": b"", "unknown": unhex("a80601b1060000000000000000ba060161c50600000000"),
             "packed-runs": unhex("520050015202020342017a5004")}
    for i, row in enumerate(V["uvarint"]):
        seeds["uvarint-%d" % i] = unhex(row["hex"])
    return seeds


def multiaddr():
    seeds = {}
    for i, row in enumerate(V["multiaddr"]):
        seeds["text-%d" % i] = row["text"].encode()
        seeds["bytes-%d" % i] = unhex(row["bytes"])
    seeds["text-certhash"] = (b"/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/"
                              b"uEiD67lsgiigRR3uDmqGNPyr2sJJAl8b3DNU5CQqHDqDmuA")
    return seeds


def multibase():
    seeds = {"repo": b"guts://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", "base32": b"mzxw6ytboi",
             "base58": b"11233QC4", "rsa": b"QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"}
    for i, row in enumerate(V["peerIds"]):
        seeds["id-%d" % i] = unhex(row["peerId"])
        seeds["text-%d" % i] = row["base58"].encode()
        seeds["cid-%d" % i] = row["cidBase32"].encode()
        seeds["key-%d" % i] = unhex(row["publicKeyProtobuf"])
    return seeds


def envelope():
    record = unhex(V["peerRecord"]["envelope"])
    return {"peer-record": record, "cut": record[:-1], "payload": unhex(V["peerRecord"]["payload"])}


def noise():
    flights = [unhex(f["bytes"]) for f in V["noise"]["flights"]]
    payloads = [unhex(c["plaintext"]) for side in ("initiator", "responder") for c in V["noise"]["aead"][side]
                if len(c["plaintext"]) > 200]
    seeds = {"garbage-listener": b"\0" + flights[2] + flights[4], "garbage-dialer": b"\1" + flights[3],
             "low-order": b"\0\0\x20" + bytes(32),
             "garbage-text": b"\0GET / HTTP/1.1\r\n\r\n", "honest-listener": b"\2", "honest-dialer": b"\3",
             "changed-first": b"\2\0\0\1", "changed-tag": b"\3" + bytes(100) + b"\1", "changed-record": b"\2" + bytes(230) + b"\1",
             "empty-payload": b"\4", "certhashes": b"\5" + unhex("220a0a0200000a0200001200")}
    muxers = unhex("220e120c") + b"/yamux/1.0.0"
    seeds.update({"identity-listener": b"\x0c", "identity-dialer": b"\x0d", "muxers-listener": b"\x0c" + muxers,
                  "muxers-dialer": b"\x0d" + muxers, "no-muxer-in-common": b"\x0d" + unhex("220412022f78")})
    for i, payload in enumerate(payloads):
        seeds["payload-listener-%d" % i] = b"\4" + payload
        seeds["payload-dialer-%d" % i] = b"\5" + payload
    return seeds


def kad_node():
    """Programs of fuzz_kad_node.c: (step, argument, further bytes)."""
    servers = b"".join(bytes([0, 128 | i]) for i in range(24))
    named = bytes([1, 15, 4, 0]) + bytes(range(15))
    answers = b"".join(bytes([7, 4 * i + 2]) + named for i in range(12))
    asks = {kind: bytes([5, (kind << 0) | key << 4]) for kind, key in enumerate((2, 0, 0, 3, 1, 3))}
    serve = {t: bytes([4, 3, 0 if t == 2 else 2, 1, t, 0 if t in (2, 3) else 3, 3]) for t in range(6)}
    seeds = {"lookup-%d" % kind: servers + ask + answers + answers + bytes([10, 40, 10, 255])
             for kind, ask in asks.items()}
    seeds.update({"serve-%d" % t: servers + message * 3 + bytes([10, 255]) for t, message in serve.items()})
    seeds["raw"] = servers + b"".join(bytes([3, i, len(m)]) + m for i, m in
                                      enumerate(unhex(x) for x in V["kad"].values()))
    seeds["publish"] = servers + bytes([9, 128, 9, 129, 9, 131, 10, 60]) + answers + bytes([10, 60]) + answers
    seeds["restart"] = servers + answers + bytes([11, 1, 2, 3, 11, 1, 10, 90])
    return seeds


for make in (pb, multiaddr, multibase, envelope, noise, kad_node):
    write(make.__name__, make())
