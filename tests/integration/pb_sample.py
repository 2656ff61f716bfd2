#!/usr/bin/env python3
"""pb_sample.py - our protobuf reader and writer against protoc (TAP).

Random messages are written as text, encoded by protoc, then read by us: our text of
them must be protoc's, and what we encode must be protoc's bytes.
"""
import os
import random
import shutil
import subprocess
import sys

SRC = os.environ.get("GUTS_SRCDIR", ".")
TOOL = os.path.join(os.environ.get("GUTS_BUILDDIR", "."), "tests/integration/pbsample_tool")
PROTO = ["protoc", "-I" + os.path.join(SRC, "tests/unit"), "pb_sample.proto"]
ROUNDS = 200 if os.environ.get("GUTS_LONG") else 25


def run(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def number(rng, bits):
    return rng.getrandbits(rng.randint(1, bits))


def text(rng, longest):
    return "".join(rng.choice("ab \\\"'\n\t/~0ü€😀") for _ in range(rng.randint(0, longest)))


def quoted(data):
    return '"' + "".join("\\%03o" % byte for byte in data) + '"'


def inner(rng):
    return "number: %d more: %d name: %s" % (
        number(rng, 64), number(rng, 32), quoted(text(rng, 5).encode()))


def message(rng):
    fields = [
        "u64: %d" % number(rng, 64), "u32: %d" % number(rng, 32), "flag: %s" % rng.choice(["true", "false"]),
        "fixed: %d" % number(rng, 64), "bytes: " + quoted(rng.randbytes(rng.randint(0, 60))),
        "string: " + quoted(text(rng, 20).encode()), "inner { %s }" % inner(rng), "inner { }",
        "maybe: %d" % number(rng, 2), "small: %d" % number(rng, 9)]
    # "inner" may be said once.
    fields = [f for f in fields if rng.random() < 0.6]
    if sum(f.startswith("inner") for f in fields) > 1:
        fields = [f for f in fields if f != "inner { }"]
    for _ in range(rng.randint(0, 12)):
        fields.append(rng.choice([
            "blobs: " + quoted(rng.randbytes(rng.randint(0, 20))), "unpacked: %d" % number(rng, 64),
            "packed: %d" % number(rng, 64), "names: " + quoted(text(rng, 8).encode()),
            "inners { %s }" % inner(rng)]))
    return "\n".join(fields)


def main():
    seed = int(os.environ.get("GUTS_SEED", "1"), 0)
    rng = random.Random(seed)
    print("1..2")
    print("# seed %d, %d messages" % (seed, ROUNDS))
    if shutil.which("protoc") is None:
        print("Bail out! protoc is missing (Debian: protobuf-compiler)")
        return 1
    wrong_text = wrong_bytes = 0
    for _ in range(ROUNDS):
        said = message(rng)
        coded = run(PROTO + ["--encode=Sample"], said.encode())
        if run([TOOL, "decode"], coded) != run(PROTO + ["--decode=Sample"], coded):
            print("# read differently: %r" % said)
            wrong_text += 1
        if run([TOOL, "recode"], coded) != coded:
            print("# written differently: %r" % said)
            wrong_bytes += 1
    print("%sok 1 - reads what protoc wrote" % ("not " if wrong_text else ""))
    print("%sok 2 - writes what protoc writes" % ("not " if wrong_bytes else ""))
    return 1 if wrong_text or wrong_bytes else 0


sys.exit(main())
