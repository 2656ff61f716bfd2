"""ci_copies.py - the result of a CI job is read on any node: kept where it was read, given to others, checked, within bounds."""
import concurrent.futures
import contextlib
import glob
import hashlib
import os
import sqlite3

from gutslib import DEADLINE, LONG, Tap, git, wait_for, work_tree
from hooklib import ALLOW, Receiver, hook

MIB = 1 << 20


def of(repo, tail):
    return "/api/v1/repos/%s%s" % (repo["id"], tail)


def run_job(node, repo, tip, files, context="ci"):
    """A job with these files that ended well."""
    job = node.post(of(repo, "/ci/jobs"), {"commit": tip, "context": context, "runner": "r"})
    lease = "/api/v1/ci/leases/" + job["lease"]["id"]
    for name, data in files.items():
        for at in range(0, max(1, len(data)), MIB):
            node.request("PUT", "%s/files/%s?offset=%d" % (lease, name, at), data[at:at + MIB])
    node.post(lease + "/result", {"state": "success", "description": "fine"})
    return job


def show(node, repo, job):
    return node.request("GET", of(repo, "/ci/jobs/" + job["id"]))


def read(node, repo, job, name):
    """The whole file, or the status of what went wrong."""
    got = b""
    while True:
        answer = node.request("GET", of(repo, "/ci/jobs/%s/files/%s?offset=%d" % (job["id"], name, len(got))))
        if answer.status != 200:
            return answer.status
        got += answer.data
        if len(got) >= int(answer.headers["x-file-bytes"]):
            return got


def wait_job(node, repo, tip, context="ci"):
    """Until its last status is here."""
    wait_for(lambda: [s for s in node.get(of(repo, "/commits/%s/statuses" % tip)) if s["context"] == context and s["state"] == "success"],
             "the status at " + node.name)


@contextlib.contextmanager
def ci_table(node):
    """Its database, with the names of the table of CI jobs, its key and its value."""
    db = sqlite3.connect(glob.glob(os.path.join(node.home, "*.db"))[0], timeout=DEADLINE)
    table = next(t for (t,) in db.execute("select name from sqlite_master where type = 'table'") if t.lower() == "ci")
    key, value = [row[1] for row in db.execute("pragma table_info(%s)" % table)][:2]
    yield db, table, key, value
    db.close()


def rows(node, kind):
    """Of this kind: 3 pieces of files, 4 records of other nodes' jobs."""
    with ci_table(node) as (db, table, key, value):
        return [(k, v) for k, v in db.execute("select %s, %s from %s" % (key, value, table)) if k[0] == kind]


def spoil(node, kind):
    """What a hostile node would do: a bit of the last byte of each of its rows of this kind is another."""
    found = rows(node, kind)
    assert found
    with ci_table(node) as (db, table, key, value):
        for k, v in found:
            db.execute("update %s set %s = ? where %s = ?" % (table, value, key), (v[:-1] + bytes([v[-1] ^ 1]), k))
        db.commit()


def line_of_three(tap, net):
    a, b, c = net.line(3)
    repo = a.create("demo")
    work = work_tree(net.path("work"))
    git("push", a.git_url(repo), "main", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    for node in (b, c):
        wait_for(lambda: node.refs(repo["id"]).get("refs/heads/main") == tip, "main at " + node.name)
    files = {"log": b"one\ntwo\n", "out.bin": os.urandom(3 * MIB + 5), "empty": b"", "unread": b"x"}
    job = run_job(a, repo, tip, files)
    with tap.case("B reads what ran at A, and keeps it"):
        wait_job(b, repo, tip)
        wait_job(c, repo, tip)
        for name in ("log", "out.bin", "empty"):
            assert read(b, repo, job, name) == files[name], name
        told = show(b, repo, job).json
        assert told["state"] == "success" and told["description"] == "fine"
        assert {f["name"]: f["sha256"] for f in told["files"]} == {n: hashlib.sha256(d).hexdigest() for n, d in files.items()}
    a.kill()
    with tap.case("A is gone: C, which was never linked to it, reads it from B; B still shows it, also after kill -9"):
        wait_for(lambda: a.id not in b.peers(), "the end of the link")
        assert show(c, repo, job).json["state"] == "success"
        for name in ("out.bin", "log", "empty"):
            assert read(c, repo, job, name) == files[name], name
        b.kill()
        b.start()
        assert read(b, repo, job, "out.bin") == files["out.bin"]
    with tap.case("what nobody read is nowhere; a file that never was is not found"):
        wait_for(lambda: read(c, repo, job, "unread") == 503, "the answer that A is away")
        assert read(c, repo, job, "nothing") == 404
    b.stop()
    with tap.case("C alone has all of it, too"):
        assert [read(c, repo, job, name) for name in ("log", "out.bin")] == [files["log"], files["out.bin"]]


def relayed(tap, net):
    a = net.node("ran")
    b = net.node("between", bootstrap=[a])
    ends = [net.node("end%d" % i, bootstrap=[b]) for i in range(2)]
    repo = a.create("demo")
    work = work_tree(net.path("relayed"))
    git("push", a.git_url(repo), "main", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    files = {"log": b"one\ntwo\n", "out.bin": os.urandom(3 * MIB + 5)}
    job = run_job(a, repo, tip, files)
    for node in ends:
        wait_job(node, repo, tip)
    with tap.case("nobody read it between: nodes that are linked to that one alone get it through it, all at once, and it keeps it"), \
            concurrent.futures.ThreadPoolExecutor() as pool:
        got = [pool.submit(read, node, repo, job, name) for node in ends for name in files for _ in range(2)]
        assert [g.result(timeout=DEADLINE) for g in got] == [files[name] for _ in ends for name in files for _ in range(2)]
        assert all(a.id not in node.peers() for node in ends)
        assert show(ends[0], repo, job).json["state"] == "success" and read(ends[1], repo, job, "nothing") == 404
        held = run_job(a, repo, tip, {"log": b"late"}, "late")
        for node in ends:
            wait_job(node, repo, tip, "late")
        assert show(ends[0], repo, held).json["files"][0]["name"] == "log"
    with tap.case("of a job that runs only the node itself tells"):
        runs = a.post(of(repo, "/ci/jobs"), {"commit": tip, "context": "runs"})
        wait_for(lambda: [s for s in ends[0].get(of(repo, "/commits/%s/statuses" % tip)) if s["context"] == "runs"], "its status")
        answer = show(ends[0], repo, runs)
        assert answer.status == 503 and b"not connected" in answer.data, answer.data
        assert show(b, repo, runs).json["state"] == "running"
    a.kill()
    with tap.case("its node is gone: what was read is at the one between, what was not is not"):
        wait_for(lambda: a.id not in b.peers(), "the end of the link")
        assert read(b, repo, job, "out.bin") == files["out.bin"] and show(b, repo, held).json["state"] == "success"
        assert read(ends[1], repo, held, "log") == 503
    for node in (b, *ends):
        node.stop()


def hostile_middle(tap, net):
    told = Receiver()
    a = net.node("runner")
    repo = a.create("demo")
    work = work_tree(net.path("work2"))
    git("push", a.git_url(repo), "main", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    jobs = {name: run_job(a, repo, tip, {"log": b"honest\n" * 1000}, name) for name in ("file", "record")}
    bad, good = net.node("bad", bootstrap=[a]), net.node("good", bootstrap=[a])
    for node in (bad, good):
        for name, job in jobs.items():
            wait_job(node, repo, tip, name)
            assert read(node, repo, job, "log") == b"honest\n" * 1000
    a.kill()
    bad.stop()
    with tap.case("a node between that alters a file, or the record: nothing of it is shown, and it is blamed"):
        spoil(bad, 3)
        bad.start()
        reader = net.node("reader", bootstrap=[bad], args=ALLOW + ["--set", "log.level=debug"])
        hook(reader, None, told.url(), events=["peer.penalized"])
        for name in jobs:
            wait_job(reader, repo, tip, name)
        assert b"not what the node signed" in reader.request("GET", of(repo, "/ci/jobs/%s/files/log" % jobs["file"]["id"])).data
        assert show(reader, repo, jobs["file"]).json["state"] == "success"
        bad.stop()
        spoil(bad, 4)
        bad.start()
        reader.post("/api/v1/peers", {"address": bad.addr})
        reader.wait_peer(bad)
        wait_for(lambda: show(reader, repo, jobs["record"]).status == 503, "the refusal")
        with open(reader.log) as f:
            assert "a CI job that is not what was signed" in f.read()
        blamed = wait_for(lambda: told.of("peer.penalized"), "the hook")[0].json
        assert blamed["peer"] == bad.id and blamed["data"]["offence"] == "sync_protocol", blamed
    with tap.case("an honest one beside it, and it is read from there"):
        reader.post("/api/v1/peers", {"address": good.addr})
        reader.wait_peer(good)
        assert wait_for(lambda: (x := read(reader, repo, jobs["record"], "log")) != 503 and x, "it") == b"honest\n" * 1000
        assert read(reader, repo, jobs["file"], "log") == b"honest\n" * 1000
    told.close()


def bounds(tap, net):
    a = net.node("many")
    repo = a.create("demo")
    work = work_tree(net.path("work3"))
    git("push", a.git_url(repo), "main", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    n = 24 if LONG else 6
    jobs = [run_job(a, repo, tip, {"log": bytes([65 + i]) * MIB, "big": b"b" * (5 * MIB) if i == 0 else b""}, "c%d" % i) for i in range(n)]
    b = net.node("small", bootstrap=[a], args=["--set", "ci.copies=4M"])
    for i in range(n):
        wait_job(b, repo, tip, "c%d" % i)
    with tap.case("at most ci.copies bytes are kept, those read last; a file larger than that is not, and is said so"):
        for i, job in enumerate(jobs):
            assert read(b, repo, job, "log") == bytes([65 + i]) * MIB
            assert read(b, repo, jobs[0], "log") == b"A" * MIB  # read again and again
        assert read(b, repo, jobs[0], "big") == 413
        a.kill()
        wait_for(lambda: a.id not in b.peers(), "the end of the link")
        kept = [i for i, job in enumerate(jobs) if read(b, repo, job, "log") != 503]
        assert kept == [0, n - 2, n - 1], kept
        assert read(b, repo, jobs[0], "log") == b"A" * MIB
    with tap.case("a copy of a repository that was removed is gone, too"):
        assert rows(b, 3) and rows(b, 4)
        b.delete("/api/v1/repos/" + repo["id"])
        wait_for(lambda: not rows(b, 3) and not rows(b, 4), "its end")
        assert show(b, repo, jobs[0]).status == 404


if __name__ == "__main__":
    tap = Tap()
    with tap.net() as net:
        line_of_three(tap, net)
        relayed(tap, net)
        hostile_middle(tap, net)
        bounds(tap, net)
    tap.done()
