#!/usr/bin/env python3
"""TAP: api/guts.proto, the C tables and protoc say the same.

1. Every field of guts.proto stands in a table with its number, type, [cap] and count; nothing else does.
2. A text sample of every message, with every field set, goes protoc --encode -> our decoder -> our encoder:
   equal bytes; and our bytes go through protoc --decode: equal text.
3. The payloads of tests/vectors/records.json are what protoc writes for the same text, and hash to their ids.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

SRC = os.environ["GUTS_SRCDIR"]
TOOL = os.path.join(os.environ["GUTS_BUILDDIR"], "tests/integration/pbtool")
PROTO = os.path.join(SRC, "api/guts.proto")
results = []


def result(ok, name, notes=()):
    results.append(ok)
    for note in notes:
        print("#", note)
    print("%s %d - %s" % ("ok" if ok else "not ok", len(results), name))


def protoc(mode, message, data):
    return subprocess.run(["protoc", "--proto_path=" + os.path.dirname(PROTO), "--%s=guts.v1.%s" % (mode, message), PROTO],
                          input=data, stdout=subprocess.PIPE, check=True).stdout


def recode(message, data):
    return subprocess.run([TOOL, "recode", message], input=data, stdout=subprocess.PIPE, check=True).stdout


def parse_proto():
    """{message: {number: (name, type, repeated, cap, count)}}, {enum: first non-zero value name}"""
    messages, enums, stack = {}, {}, []
    for line in open(PROTO, encoding="utf-8"):
        code, _, comment = line.partition("//")
        code = code.strip()
        if m := re.match(r"(message|enum|oneof) (\w+) \{", code):
            stack.append(m.groups())
            if m[1] == "message":
                messages[m[2]] = {}
        elif code == "}":
            stack.pop()
        elif m := re.match(r"(repeated )?(\w+) (\w+) = (\d+);", code):
            if not stack or stack[-1][0] == "enum":
                continue
            owner = [n for k, n in stack if k == "message"][-1]
            cap = re.match(r" \[(?:(\d+) × )?(\d+)\]", comment)
            first, second = (cap[1], cap[2]) if cap else (None, None)
            if m[1] and cap and first is None and m[2] not in ("bytes", "string"):
                first, second = second, None       # [count] of messages and numbers
            messages[owner][int(m[4])] = (m[3], m[2], bool(m[1]), int(second) if second else None,
                                          int(first) if first else None)
        elif (m := re.match(r"(\w+) = (\d+);", code)) and stack and stack[-1][0] == "enum":
            if m[2] != "0":
                enums.setdefault(stack[-1][1], m[1])
    return messages, enums


def check_tables(messages, enums):
    tables, faults = {}, []
    for line in subprocess.check_output([TOOL, "tables"], text=True).splitlines():
        msg, number, name, kind, repeated, cap, count, inner = line.split()
        tables.setdefault(msg, {})[int(number)] = (name, kind, repeated == "1", int(cap), int(count), inner)
    for msg in sorted(set(messages) | set(tables)):
        want, have = messages.get(msg, {}), tables.get(msg, {})
        if set(want) != set(have):
            faults.append("%s: fields %s, table %s" % (msg, sorted(want), sorted(have)))
            continue
        for number, (name, typ, repeated, cap, count) in want.items():
            cname, kind, crepeated, ccap, ccount, inner = have[number]
            where = "%s.%s" % (msg, name)
            if cname.removesuffix("_ms") != name.removesuffix("_ms"):
                faults.append("%s: called %s" % (where, cname))
            wanted = "uint32" if typ in enums else "message" if typ in messages else typ
            if kind != wanted or (wanted == "message" and inner != typ):
                faults.append("%s: %s, table %s %s" % (where, typ, kind, inner))
            if repeated != crepeated or (repeated and count != ccount):
                faults.append("%s: count %s, table %s" % (where, count, ccount))
            if kind in ("bytes", "string") and cap != ccap:
                faults.append("%s: cap %s, table %s" % (where, cap, ccap))
    result(not faults and len(tables) > 30, "%d tables hold the fields and caps of guts.proto" % len(tables), faults)


def sample(messages, enums, msg, salt=0, only=None):
    """Text format with every field set; of a oneof (messages whose name says so) only field `only`."""
    out = []
    for number, (name, typ, repeated, cap, count) in sorted(messages[msg].items()):
        if only and number not in only:
            continue
        for i in range(2 if repeated else 1):
            value = salt * 31 + number * 7 + i
            if typ in messages:
                out.append("%s { %s }" % (name, sample(messages, enums, typ, salt + i + 1)))
            elif typ in enums:
                out.append("%s: %s" % (name, enums[typ]))
            elif typ == "bool":
                out.append("%s: true" % name)
            elif typ in ("uint32", "uint64"):
                if name == "buckets" or (msg, name) == ("RefBucket", "number"):
                    value %= 256
                elif typ == "uint64":
                    value += 1 << 40
                out.append("%s: %d" % (name, value))
            elif typ == "string":
                out.append('%s: "%s"' % (name, ("té%d" % value)[:cap]))
            else:
                size = min(cap, 32) if cap != 8192 else 8192
                out.append('%s: "%s"' % (name, "".join("\\%03o" % ((value + k) % 256) for k in range(size))))
    return " ".join(out)


ONEOFS = {"NodeMessage": None, "GossipPayload": None, "SyncRequest": 1, "SyncResponse": 1}


def check_samples(messages, enums):
    for msg in sorted(messages):
        if msg in ONEOFS:
            always = {ONEOFS[msg]} - {None}
            texts = [sample(messages, enums, msg, 1, always | {n}) for n in messages[msg] if n not in always]
        else:
            texts = [sample(messages, enums, msg), ""]
        faults = []
        for text in texts:
            theirs = protoc("encode", msg, text.encode())
            ours = recode(msg, theirs)
            if ours != theirs:
                faults.append("other bytes for: " + text[:200])
            elif protoc("decode", msg, ours) != protoc("decode", msg, theirs):
                faults.append("other text for: " + text[:200])
        result(not faults, "%s: %d samples" % (msg, len(texts)), faults)


KINDS = {"identity": "Identity", "vote": "Vote", "signed-refs": "SignedRefs", "status": "Status", "message": "UserMessage"}


def check_records():
    doc = json.load(open(os.path.join(SRC, "tests/vectors/records.json"), encoding="utf-8"))
    for rec in doc["records"]:
        payload, faults = bytes.fromhex(rec["payload"]), []
        text = protoc("decode", KINDS[rec["kind"]], payload)
        if protoc("encode", KINDS[rec["kind"]], text) != payload:
            faults.append("protoc writes other bytes")
        if recode(KINDS[rec["kind"]], payload) != payload:
            faults.append("our table writes other bytes")
        if hashlib.sha256(payload).hexdigest() != rec["hash"]:
            faults.append("the hash is not that of the payload")
        if re.search(rb"^\d+:", text, re.M):
            faults.append("fields that guts.proto does not know")
        result(not faults, "known answer " + rec["name"], faults)


def main():
    if not shutil.which("protoc"):
        print("1..0 # SKIP no protoc (Debian: protobuf-compiler)")
        return 0
    messages, enums = parse_proto()
    check_tables(messages, enums)
    check_samples(messages, enums)
    check_records()
    print("1..%d" % len(results))
    return 0 if all(results) else 1


sys.exit(main())
