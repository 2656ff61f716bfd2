"""objects.py - single objects by id over /guts/sync: what refs reach is given, exactly, and nothing else."""
import base64
import hashlib
import os
import subprocess

from gutslib import Tap, commit, git, work_tree
from rawlib import NODE, SYNC, Raw, frame, frames, unpb

NOT_FOUND, TOO_LARGE, INVALID = 1, 4, 8


def rid_of(text):
    """The 32 bytes of a repository's id: base32 of CIDv1, raw, SHA-256."""
    text = text[1:].upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))[4:]


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error)
        self.code = unpb(error)[1][0]


def get_objects(raw, rid, wants, haves=(), pack_max=0):
    """The pack of just these objects."""
    s = raw.open(SYNC)
    raw.send(s, frame([(1, 7), (4, [(1, rid)] + [(2, w) for w in wants] + [(3, h) for h in haves] + [(4, 1), (5, pack_max)])]))
    raw.tell("finish", s)
    raw.pump(lambda e: e[0] in ("eof", "closed") and e[1] == str(s))
    pack, end = b"", None
    for m in map(unpb, frames(raw.buffers.get(str(s), bytearray()))):
        if 2 in m:
            raise Refused(m[2][0])
        if 6 in m:
            pack += unpb(m[6][0])[1][0]
        if 7 in m:
            end = unpb(m[7][0])
    if 1 in end:
        raise Refused(end[1][0])
    assert end[3][0] == len(pack) and end[4][0] == hashlib.sha256(pack).digest(), end
    return pack


def refused(*args, **kw):
    try:
        get_objects(*args, **kw)
    except Refused as e:
        return e.code
    return None


tap = Tap()
with tap.net() as net:
    a = net.node("A")
    work = work_tree(net.path("work"), {"README": "hello\n", "dir/file": "one\n"})
    repo, secret = a.create("open"), a.create("hush", private=True)
    first = git("rev-parse", "main", cwd=work).strip()
    second = commit(work, "second", {"dir/file": "two\n"})
    for r in (repo, secret):
        git("push", a.git_url(r), "main", cwd=work)
    git("tag", "-a", "-m", "one", "v1", first, cwd=work)
    git("push", a.git_url(repo), "v1", cwd=work)
    gone = commit(work, "gone", {"secret": "a password\n"})
    git("push", a.git_url(repo), "main", cwd=work)
    lost = git("rev-parse", "main:secret", cwd=work).strip()
    git("push", "--force", a.git_url(repo), second + ":main", cwd=work)
    rid = rid_of(repo["id"])
    raw = Raw(NODE, SYNC)
    raw.connect(a)
    raw.hello()

    def oid(rev):
        return bytes.fromhex(git("rev-parse", rev, cwd=work).strip())

    with tap.case("a blob, a tree, a commit and a tag come, and nothing with them"):
        wanted = [oid(r) for r in ("main~1:dir/file", first + ":dir", first, "v1")]
        pack = get_objects(raw, rid, wanted)
        folder = net.path("got")
        git("init", "-q", "--bare", folder)
        subprocess.run(["git", "index-pack", "--stdin"], cwd=folder, input=pack, check=True, capture_output=True)
        have = git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", cwd=folder).split()
        assert sorted(have) == sorted(w.hex() for w in wanted), have
    with tap.case("the same id twice is one object; all objects at once are fine"):
        assert get_objects(raw, rid, [oid(first)] * 3)[8:12] == b"\0\0\0\1"
        every = {line.split()[0] for line in git("rev-list", "--objects", second, "v1", cwd=work).splitlines()}
        assert int.from_bytes(get_objects(raw, rid, [bytes.fromhex(x) for x in every])[8:12], "big") == len(every)
    with tap.case("what no ref reaches is not there, though it lies on the disk"):
        for x in (gone, lost):
            assert refused(raw, rid, [bytes.fromhex(x)]) == NOT_FOUND
        assert refused(raw, rid, [oid(first), bytes.fromhex(lost)]) == NOT_FOUND
        assert refused(raw, rid, [os.urandom(20)]) == NOT_FOUND
    with tap.case("nor is a private repository's, or an unknown one's"):
        for other in (rid_of(secret["id"]), os.urandom(32)):
            assert refused(raw, other, [oid(first)]) == NOT_FOUND
    with tap.case("nothing wanted, haves beside it, a broken id: the request breaks a rule"):
        assert refused(raw, rid, []) == INVALID
        assert refused(raw, rid, [oid(first)], haves=[oid(second)]) == INVALID
        assert refused(raw, rid, [b"\0" * 20]) == INVALID
        assert refused(raw, rid, [oid(first)[:7]]) == INVALID
    with tap.case("the asker's limit holds"):
        assert refused(raw, rid, [oid(first)], pack_max=20) == TOO_LARGE
        assert get_objects(raw, rid, [oid(first)], pack_max=4096)
    raw.close()
tap.done()
