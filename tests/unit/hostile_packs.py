#!/usr/bin/env python3
"""Write packs that must be refused, and some that must not, for tests/unit/test_ingest.c.

    hostile_packs.py DIR

DIR/list gets one line per pack: name, verdict (refuse, limit, missing, accept), tips ("-" = none).
"""
import hashlib
import os
import struct
import sys
import zlib

COMMIT, TREE, BLOB, TAG, OFS, REF = 1, 2, 3, 4, 6, 7
NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
out = sys.argv[1]
rows = []


def oid(kind, data):
    return hashlib.sha1(NAMES[kind] + b" %d\0" % len(data) + data).digest()


def head(kind, size):
    b = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        b[-1] |= 128
        b.append(size & 127)
        size >>= 7
    return bytes(b)


def entry(kind, data, size=None, base=b"", raw=None):
    return head(kind, len(data) if size is None else size) + base + (zlib.compress(data) if raw is None else raw)


def distance(n):
    b = [n & 127]
    n >>= 7
    while n:
        n -= 1
        b.append(128 | n & 127)
        n >>= 7
    return bytes(reversed(b))


def varint(n):
    b = bytearray()
    while True:
        b.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(b)


def copy(offset, size):
    """One delta instruction that copies from the base."""
    b, op = bytearray(), 0x80
    for i in range(4):
        if offset >> 8 * i & 255:
            op |= 1 << i
            b.append(offset >> 8 * i & 255)
    for i in range(3):
        if size >> 8 * i & 255:
            op |= 16 << i
            b.append(size >> 8 * i & 255)
    return bytes([op]) + bytes(b)


def pack(entries, count=None, version=2, trailer=None, tail=b""):
    body = b"PACK" + struct.pack(">II", version, len(entries) if count is None else count) + b"".join(entries)
    return body + (hashlib.sha1(body).digest() if trailer is None else trailer) + tail


def put(name, verdict, data, tips=()):
    with open(os.path.join(out, name), "wb") as f:
        f.write(data)
    rows.append("%s %s %s\n" % (name, verdict, ",".join(t.hex() for t in tips) or "-"))


def tree(*items):
    return b"".join(mode + b" " + name + b"\0" + o for mode, name, o in items)


def commit(tree_id, parents=(), extra=b"", who=b"A U Thor <a@example.org> 1700000000 +0000", message=b"m\n"):
    return (b"tree " + tree_id.hex().encode() + b"\n" + b"".join(b"parent " + p.hex().encode() + b"\n" for p in parents) +
            b"author " + who + b"\ncommitter " + who + b"\n" + extra + b"\n" + message)


def whole(t, blobs=(b"hello\n",), **kw):
    """A commit of tree `t` and the blobs; returns (entries, tip)."""
    c = commit(oid(TREE, t), **kw)
    return [entry(COMMIT, c), entry(TREE, t)] + [entry(BLOB, b) for b in blobs], oid(COMMIT, c)


hello = b"hello\n"
h = oid(BLOB, hello)
good_tree = tree((b"100644", b"file", h))
good, tip = whole(good_tree)

# -- to be taken
put("good", "accept", pack(good), [tip])
put("good-version-3", "accept", pack(good, version=3), [tip])
put("empty", "accept", pack([]))
padded, padded_tip = whole(tree((b"0100644", b"file", h)))
put("old-zero-padded-mode", "accept", pack(padded), [padded_tip])
old, old_tip = whole(good_tree, who=b"A U Thor <a@example.org> 1700000000 +051800")
put("old-bad-timezone", "accept", pack(old), [old_tip])
module, module_tip = whole(tree((b"100644", b"file", h), (b"160000", b"sub", b"\1" * 20)))
put("submodule-entry", "accept", pack(module), [module_tip])
chain = [entry(BLOB, hello)]
off = 12 + len(chain[0])
c2 = entry(OFS, varint(6) + varint(12) + copy(0, 6) + copy(0, 6), base=distance(len(chain[0])))
double = tree((b"100644", b"file", oid(BLOB, hello * 2)), (b"100644", b"one", h))
put("good-delta", "accept", pack([chain[0], c2, entry(TREE, double), entry(COMMIT, commit(oid(TREE, double)))]),
    [oid(COMMIT, commit(oid(TREE, double)))])

# -- broken framing
put("not-a-pack", "refuse", b"GIF89a" + bytes(100))
put("version-9", "refuse", pack(good, version=9))
put("truncated", "refuse", pack(good)[:-30])
put("truncated-header", "refuse", b"PACK\0\0")
put("wrong-checksum", "refuse", pack(good, trailer=b"\7" * 20), [tip])
put("bytes-behind", "refuse", pack(good, tail=b"more"), [tip])
put("count-too-high", "refuse", pack(good, count=4))
put("count-too-low", "refuse", pack(good, count=2))
put("count-4-billion", "limit", pack(good, count=2**32 - 1))
put("type-0", "refuse", pack([entry(0, hello)]))
put("type-5", "refuse", pack([entry(5, hello)]))
put("size-too-small", "refuse", pack([entry(BLOB, hello, size=3)]))
put("size-too-large", "refuse", pack([entry(BLOB, hello, size=600)]))
put("size-1-tb", "limit", pack([entry(BLOB, hello, size=1 << 40)]))
put("size-64-bits-and-more", "refuse", pack([bytes([0xbf] + [0xff] * 12) + zlib.compress(hello)]))
put("damaged-deflate", "refuse", pack([entry(BLOB, hello, raw=b"\x78\x9c" + b"\xff" * 20)]))
put("bomb-blob", "limit", pack([entry(BLOB, bytes(80 << 20))]))

# -- deltas
bomb, at = [entry(BLOB, b"x" * 1024)], [12]
size = 1024
for _ in range(20):
    at.append(at[-1] + len(bomb[-1]))
    parts = copy(0, size) * 2 if size < 1 << 24 else b"".join(copy(o, 1 << 23) for o in range(0, size, 1 << 23)) * 2
    bomb.append(entry(OFS, varint(size) + varint(2 * size) + parts, base=distance(at[-1] - at[-2])))
    size *= 2
put("bomb-delta", "limit", pack(bomb))
put("delta-wrong-base-size", "refuse", pack([chain[0], entry(OFS, varint(7) + varint(6) + copy(0, 6), base=distance(len(chain[0])))]))
put("delta-past-base", "refuse", pack([chain[0], entry(OFS, varint(6) + varint(60) + copy(0, 60), base=distance(len(chain[0])))]))
put("delta-no-sizes", "refuse", pack([chain[0], entry(OFS, b"", base=distance(len(chain[0])))]))
put("delta-distance-outside", "refuse", pack([chain[0], entry(OFS, varint(6) + varint(6) + copy(0, 6), base=distance(1 << 30))]))
put("delta-of-itself", "refuse", pack([chain[0], entry(OFS, varint(6) + varint(6) + copy(0, 6), base=b"\0")]))
put("missing-base", "missing", pack([entry(REF, varint(6) + varint(6) + copy(0, 6), base=b"\5" * 20)]))
ring = [b"ring-a" + bytes(20), b"ring-b" + bytes(20)]
put("cycle", "missing", pack([entry(REF, varint(26) + varint(26) + copy(0, 26), base=oid(BLOB, ring[1])),
                             entry(REF, varint(26) + varint(26) + copy(0, 26), base=oid(BLOB, ring[0]))]))

# -- objects that git's check refuses
for name, mode, path in (("dotgit", b"40000", b".git"), ("dotgit-case", b"40000", b".GIT"), ("dot", b"40000", b"."),
                         ("dotdot", b"40000", b".."), ("slash", b"100644", b"a/b"), ("git-tilde-1", b"40000", b"git~1"),
                         ("no-name", b"100644", b"")):
    inner = good_tree
    t = tree((mode, path, oid(TREE, inner) if mode == b"40000" else h))
    put("tree-" + name, "refuse", pack([entry(TREE, t), entry(TREE, inner), entry(BLOB, hello),
                                        entry(COMMIT, commit(oid(TREE, t)))]), [oid(COMMIT, commit(oid(TREE, t)))])
for name, t in (("duplicate", tree((b"100644", b"a", h), (b"100644", b"a", h))),
                ("unsorted", tree((b"100644", b"b", h), (b"100644", b"a", h))),
                ("cut", good_tree[:-3]), ("null-id", tree((b"100644", b"a", bytes(20))))):
    entries, t_tip = whole(t)
    put("tree-" + name, "refuse", pack(entries), [t_tip])
evil = b'[submodule "../../x"]\n\tpath = x\n\turl = https://example.org/x\n'
entries, e_tip = whole(tree((b"100644", b".gitmodules", oid(BLOB, evil))), blobs=(evil,))
put("gitmodules-name", "refuse", pack(entries), [e_tip])
evil = b'[submodule "x"]\n\tpath = x\n\turl = -u./payload\n'
entries, e_tip = whole(tree((b"100644", b".gitmodules", oid(BLOB, evil))), blobs=(evil,))
put("gitmodules-url", "refuse", pack(entries), [e_tip])
entries, e_tip = whole(good_tree, extra=b"author Other <o@example.org> 1700000000 +0000\n")
put("commit-nothing-after-author", "refuse", pack([entry(COMMIT, b"tree " + oid(TREE, good_tree).hex().encode() + b"\n\nx\n")] + good[1:]),
    [oid(COMMIT, b"tree " + oid(TREE, good_tree).hex().encode() + b"\n\nx\n")])
entries, e_tip = whole(good_tree, who=b"A\0B <a@example.org> 1700000000 +0000")
put("commit-nul", "refuse", pack(entries), [e_tip])

# -- closure
late = commit(oid(TREE, good_tree), parents=[b"\3" * 20])
put("missing-parent", "missing", pack(good + [entry(COMMIT, late)]), [oid(COMMIT, late)])
lone, lone_tip = whole(tree((b"100644", b"file", b"\4" * 20)), blobs=())
put("missing-blob", "missing", pack(lone), [lone_tip])
wrong = commit(h)
put("tree-is-a-blob", "refuse", pack([entry(COMMIT, wrong), entry(BLOB, hello)]), [oid(COMMIT, wrong)])
put("missing-tip", "missing", pack(good), [b"\6" * 20])

with open(os.path.join(out, "list"), "w") as f:
    f.writelines(rows)
