#!/usr/bin/env python3
"""TAP: the hex examples of doc/protocol.md are the bytes of the known answers and seeds.

A block begins with ```hex MESSAGE SOURCE, where SOURCE is a file of tests/fuzz/seeds or NAME/envelope,
NAME/payload of tests/vectors/records.json.  Two-digit groups up to the first '#' of a line are its bytes;
its comment says what they are and must agree with the fields of api/guts.proto.

    protocol_doc.py annotate MESSAGE SOURCE     prints such a block
"""
import json
import os
import re
import sys

SRC = os.environ["GUTS_SRCDIR"]
DOC = os.path.join(SRC, "doc/protocol.md")


def read_proto():
    fields, owner = {}, []
    for line in open(os.path.join(SRC, "api/guts.proto"), encoding="utf-8"):
        code = line.partition("//")[0].strip()
        if m := re.match(r"(message|enum|oneof) (\w+) \{", code):
            owner.append(m.groups())
        elif code == "}":
            owner.pop()
        elif (m := re.match(r"(?:repeated )?(\w+) (\w+) = (\d+);", code)) and owner:
            message = [n for k, n in owner if k == "message"][-1]
            fields.setdefault(message, {})[int(m[3])] = (m[2], m[1])
    fields["Envelope"] = {1: ("public_key", "bytes"), 2: ("payload_type", "string"), 3: ("payload", "bytes"),
                          5: ("signature", "bytes")}
    return fields


FIELDS = read_proto()


def source_bytes(source):
    name, _, part = source.partition("/")
    for rec in json.load(open(os.path.join(SRC, "tests/vectors/records.json"), encoding="utf-8"))["records"]:
        if rec["name"] == name and part in rec:
            return bytes.fromhex(rec[part])
    return open(os.path.join(SRC, "tests/fuzz/seeds", source), "rb").read()


def varint(data, pos):
    value = shift = 0
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, pos


def describe(name, kind, value):
    if kind == "string" or (kind == "bytes" and value and all(32 <= b < 127 for b in value)):
        return '%s = "%s"' % (name, value.decode().replace("\n", "\\n"))
    return "%s, %d bytes" % (name, len(value))


def annotate(message, data, depth=0):
    """[(bytes, text)] for every field of `message`."""
    rows, pos, pad = [], 0, "  " * depth
    while pos < len(data):
        start = pos
        tag, pos = varint(data, pos)
        name, kind = FIELDS[message].get(tag >> 3, ("unknown", "bytes"))
        value, pos = varint(data, pos)
        if tag & 7 == 0:
            rows.append((data[start:pos], "%s%d %s = %d" % (pad, tag >> 3, name, value)))
            continue
        inner, head = data[pos:pos + value], data[start:pos]
        pos += value
        if kind in FIELDS:
            rows.append((head, "%s%d %s, %s of %d bytes" % (pad, tag >> 3, name, kind, value)))
            rows += annotate(kind, inner, depth + 1)
        else:
            rows.append((head + inner, "%s%d %s" % (pad, tag >> 3, describe(name, kind, inner))))
    return rows


def block(message, source):
    lines = ["```hex %s %s" % (message, source)]
    for raw, text in annotate(message, source_bytes(source)):
        for i in range(0, len(raw), 20):
            chunk = " ".join("%02x" % b for b in raw[i:i + 20])
            lines.append(("%-60s# %s" % (chunk, text)) if i == 0 else chunk)
    return lines + ["```"]


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "annotate":
        print("\n".join(block(sys.argv[2], sys.argv[3])))
        return 0
    text = open(DOC, encoding="utf-8").read()
    blocks = re.findall(r"^```hex (\w+) (\S+)\n(.*?)^```", text, re.M | re.S)
    failed = 0
    for n, (message, source, body) in enumerate(blocks, 1):
        want = block(message, source)[1:-1]
        have = [line.rstrip() for line in body.splitlines()]
        good = have == [line.rstrip() for line in want]
        failed += not good
        for a, b in zip(want, have):
            if a.rstrip() != b:
                print("# want %s\n# have %s" % (a, b))
                break
        print("%sok %d - %s: %s" % ("" if good else "not ", n, message, source))
    shown = {m for m, _, _ in blocks}
    missing = [m for m in FIELDS if not re.search(r"\b%s\b" % m, text)]
    print("%sok %d - every message of guts.proto is spoken of" % ("not " if missing else "", len(blocks) + 1))
    print("# missing: %s; shown in hex: %d" % (missing, len(shown)))
    print("1..%d" % (len(blocks) + 1))
    return 1 if failed or missing else 0


sys.exit(main())
