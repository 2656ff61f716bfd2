"""ci_jobs.py - jobs for runners that only dial out: made by pushes, leased to one at a time, handed out again, finished."""
import concurrent.futures
import hashlib
import json
import socket
import threading
import xml.etree.ElementTree

import gutslib
from contract import Contract
from gutslib import LONG, Answer, Tap, commit, git, wait_for, work_tree

contract = Contract()
plain_request = gutslib.request


def checked(base, method, path, *args, **kw):
    answer = plain_request(base, method, path, *args, **kw)
    if answer.headers.get("content-encoding") != "gzip":
        contract.check(method, path, Answer(answer.status, answer.headers, answer.data))
    return answer


gutslib.request = checked
LEASES = "/api/v1/ci/leases"


def of(repo, tail):
    return "/api/v1/repos/%s%s" % (repo["id"], tail)


def lease(node, **kw):
    """A job with its lease, or None."""
    return node.post(LEASES, kw) or None


def wait_lease(node, **kw):
    return wait_for(lambda: lease(node, wait=5, **kw), "a job")


def finish(node, job, state, **kw):
    return node.post("%s/%s/result" % (LEASES, job["lease"]["id"]), dict(kw, state=state))


def one(node, repo, job):
    return node.get(of(repo, "/ci/jobs/" + job["id"]))


def status_of(node, repo, sha, context="ci"):
    """The newest status of a context."""
    found = [s for s in node.get(of(repo, "/commits/%s/statuses" % sha)) if s["context"] == context]
    return found[0] if found else None


def left(tap, net):
    a = net.node("L")
    repo = a.create("left")
    work = work_tree(net.path("left"), {"a": "1\n"})
    a.post(of(repo, "/ci/queues"), {})
    with tap.case("a runner that left while it waited is given no job"):
        waiting = socket.create_connection(("127.0.0.1", int(a.url.rsplit(":", 1)[1])))
        waiting.sendall(b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                        b"Content-Length: 12\r\n\r\n{\"wait\": 60}" % (LEASES.encode(), a.token.encode()))
        wait_for(lambda: len(a.get("/api/v1/ci/runners")) == 1, "the runner")
        waiting.close()
        git("push", a.git_url(repo), "main", cwd=work)
        assert wait_lease(a)["attempts"] == 1


def life(tap, net):
    a = net.node("A")
    repo = a.create("demo")
    work = work_tree(net.path("work"), {"a": "1\n"})
    git("push", a.git_url(repo), "main", cwd=work)
    with tap.case("without a queue a push makes no job, nor does what was before the queue"):
        assert a.get(of(repo, "/ci/jobs")) == [] and lease(a) is None
        queue = a.post(of(repo, "/ci/queues"), {})
        assert queue["events"] == ["push"] and queue["context"] == "ci" and queue["branch_filter"] == "*"
        assert lease(a) is None and a.get("/api/v1/ci/queues") == [queue]
        same = a.request("POST", of(repo, "/ci/queues"), {})
        assert same.status == 409 and "queue %d is the same" % queue["id"] in same.json["message"], same.data
    with tap.case("a runner that waits gets the job of a push at once, another gets none"):
        before = git("rev-parse", "HEAD", cwd=work).strip()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waits = [pool.submit(lease, a, wait=60, runner="r%d" % i) for i in range(2)]
            tip = commit(work, "two", {"a": "2\n"})
            git("push", a.git_url(repo), "main", cwd=work)
            first = next(concurrent.futures.as_completed(waits, timeout=60))
            job = first.result()
            assert job["ref"] == "refs/heads/main" and job["commit"] == tip and job["before"] == before
            assert job["event"] == "push" and job["state"] == "running" and job["attempts"] == 1
            assert job["runner"] in ("r0", "r1") and job["queue"] == queue["id"]
            assert job["repository"]["clone_url"] == "%s/%s/demo.git" % (a.url, a.id)
            assert lease(a) is None
            finish(a, job, "success", description="all is well", target_url="https://ci.example/1")
            git("push", a.git_url(repo), "main:other", cwd=work)
            other = [w for w in waits if w is not first][0].result(timeout=60)
            assert other["ref"] == "refs/heads/other" and other["before"] is None
            finish(a, other, "failure")
    with tap.case("pending when it was taken, then success: signed statuses with the job's id"):
        status = status_of(a, repo, tip)
        assert status["state"] == "failure" and status["run_id"] == other["id"]  # the newer of two of one commit
        facts = [f for f in a.facts() if f["type"] == "status.created" and f["data"]["commit"] == tip]
        assert [f["data"]["state"] for f in facts] == ["pending", "success", "pending", "failure"], facts
        done = one(a, repo, job)
        assert done["state"] == "success" and done["description"] == "all is well" and "lease" not in done
        assert done["target_url"] == "https://ci.example/1" and done["ended_at"]
    with tap.case("events: queued, started, finished"):
        facts = [f for f in a.facts() if f["type"].startswith("ci.job.") and f["data"]["job"] == job["id"]]
        assert [f["type"] for f in facts] == ["ci.job.queued", "ci.job.started", "ci.job.finished"]
        assert facts[2]["data"]["state"] == "success" and facts[2]["data"]["commit"] == tip and facts[2]["repo"] == repo["id"]
        assert job["lease"]["id"] not in str(facts)
        seen = a.request("GET", "/api/v1/events?since=0&limit=1000", token=None).data.decode()
        assert job["id"] in seen and job["lease"]["id"] not in seen
    with tap.case("lists: of the repository, of the node, by state and commit, page by page"):
        listed = a.get(of(repo, "/ci/jobs"))
        assert [j["id"] for j in listed] == [other["id"], job["id"]] == [j["id"] for j in a.get("/api/v1/ci/jobs")]
        assert [j["id"] for j in a.get("/api/v1/ci/jobs?state=success")] == [job["id"]]
        assert len(a.get(of(repo, "/ci/jobs?commit=" + tip))) == 2 and a.get(of(repo, "/ci/jobs?commit=" + before)) == []
        page = a.request("GET", "/api/v1/ci/jobs?per_page=1")
        assert [j["id"] for j in page.json] == [other["id"]]
        path = page.headers["link"].split(">")[0].split(a.url)[1]
        assert [j["id"] for j in a.get(path)] == [job["id"]]
        assert a.request("GET", "/api/v1/ci/jobs?state=odd").status == 400
    with tap.case("a deleted branch makes no job; given back, it is another's and the attempt does not count"):
        git("push", a.git_url(repo), ":other", cwd=work)
        git("push", a.git_url(repo), "main:third", cwd=work)
        job = wait_lease(a)
        assert job["ref"] == "refs/heads/third"
        path = "%s/%s" % (LEASES, job["lease"]["id"])
        beat = a.patch(path, {"step": "build", "progress": 10})
        stream = a.stream("type=ci.job.progress")
        stream.find("hello")
        beat = a.patch(path, {"step": "test", "progress": 60})
        told = stream.find("ci.job.progress")["data"]
        assert told["data"] == {"job": job["id"], "step": "test", "progress": 60} and told["repo"] == repo["id"], told
        stream.close()
        assert [s["state"] for s in beat["steps"]] == ["success", "running"] and beat["progress"] == 60
        assert a.request("DELETE", path).status == 204 and a.request("PATCH", path, {}).status == 404
        again = wait_lease(a)
        assert again["id"] == job["id"] and again["attempts"] == 1 and again["steps"] == [] and again["lease"] != job["lease"]
        finish(a, again, "error")
        assert a.request("POST", "%s/%s/result" % (LEASES, again["lease"]["id"]), {"state": "success"}).status == 404
        assert status_of(a, repo, tip)["state"] == "error"
    external(tap, a, repo, tip)
    by_hand(tap, a, repo, work, queue)
    with tap.case("a queue that is removed ends its waiting jobs"):
        git("push", a.git_url(repo), "main:fourth", cwd=work)
        job = wait_for(lambda: a.get("/api/v1/ci/jobs?state=queued"), "the job")[0]
        assert a.request("DELETE", "/api/v1/ci/queues/%d" % queue["id"]).status == 204
        assert a.request("DELETE", "/api/v1/ci/queues/%d" % queue["id"]).status == 404
        wait_for(lambda: one(a, repo, job)["state"] == "error", "its end")
        assert one(a, repo, job)["description"] == "its queue was removed"
    a.stop()


def by_hand(tap, a, repo, work, queue):
    def act(job, what):
        return a.request("POST", of(repo, "/ci/jobs/%s/%s" % (job["id"], what)))

    def ended(job):
        return wait_for(lambda: (j := one(a, repo, job))["ended_at"] and j, "its end")

    with tap.case("a job that waits is canceled; so is one that runs"):
        git("push", a.git_url(repo), "main:hand", cwd=work)
        job = wait_for(lambda: a.get("/api/v1/ci/jobs?state=queued"), "the job")[0]
        assert act(job, "rerun").status == 409 and act(job, "cancel").status == 202
        assert (j := ended(job))["state"] == "error" and j["description"] == "canceled" and act(job, "cancel").status == 409
        again = act(job, "rerun").json
        assert again["state"] == "queued" and again["id"] != job["id"] and again["attempts"] == 0 and again["steps"] == []
        assert [again[k] for k in ("commit", "ref", "queue", "before")] == [job[k] for k in ("commit", "ref", "queue", "before")]
        held = wait_lease(a, runner="hands")
        path = "%s/%s" % (LEASES, held["lease"]["id"])
        assert held["id"] == again["id"] and act(held, "cancel").status == 202
        assert a.request("PATCH", path, {}).status == 404 and a.request("PUT", path + "/files/log", b"x").status == 404
        assert ended(held)["description"] == "canceled" and lease(a) is None
        assert status_of(a, repo, job["commit"])["state"] == "error"
    waiting_heartbeats(tap, a, repo, act)
    with tap.case("run again it may go well, and the newer status stands"):
        held = act(held, "rerun").json
        job = wait_lease(a, runner="hands")
        assert job["id"] == held["id"]
        finish(a, job, "success")
        assert status_of(a, repo, job["commit"])["state"] == "success" and status_of(a, repo, job["commit"])["run_id"] == job["id"]
    with tap.case("what another CI system runs can be canceled, not run again; what is not there, neither"):
        job = a.post(of(repo, "/ci/jobs"), {"commit": job["commit"], "context": "x"})
        assert act(job, "cancel").status == 202 and ended(job)["description"] == "canceled" and act(job, "rerun").status == 409
        assert act({"id": "0" * 32}, "cancel").status == 404 and act({"id": "0" * 32}, "rerun").status == 404
        reader = a.post("/api/v1/tokens", {"name": "r", "scopes": ["read", "ci"]})["token"]
        assert a.request("POST", of(repo, "/ci/jobs/%s/cancel" % job["id"]), token=reader).status == 403
    with tap.case("lists by branch and runner; Link keeps what was asked for"):
        mine = [j["id"] for j in a.get(of(repo, "/ci/jobs?branch=hand"))]
        assert len(mine) == 3 and [j["id"] for j in a.get("/api/v1/ci/jobs?runner=hands")] == mine[:2]
        assert a.get("/api/v1/ci/jobs?branch=no") == []
        page = a.request("GET", of(repo, "/ci/jobs?branch=hand&per_page=2"))
        link = page.headers["link"].split(">")[0][1:]
        assert "branch=hand" in link and "per_page=2" in link, link
        assert [j["id"] for j in a.get(link[len(a.url):])] == mine[2:]
    with tap.case("a queue is changed"):
        path = "/api/v1/ci/queues/%d" % queue["id"]
        assert a.patch(path, {"branch_filter": "rel/*", "context": "other"})["events"] == ["push"]
        git("push", a.git_url(repo), "main:none", "main:rel/1", cwd=work)
        job = wait_lease(a)
        assert job["ref"] == "refs/heads/rel/1" and job["context"] == "other" and lease(a) is None
        finish(a, job, "success")
        a.stop()
        a.start()
        assert [q["branch_filter"] for q in a.get("/api/v1/ci/queues")] == ["rel/*"]
        assert a.request("PATCH", path, {"events": ["x"]}).json["errors"][0]["pointer"].startswith("/events")
        assert a.request("PATCH", "/api/v1/ci/queues/99", {}).status == 404
        a.patch(path, {"branch_filter": "*"})
    with tap.case("runners that wait are listed"):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = pool.submit(lease, a, wait=60, runner="r7", repositories=[repo["id"]], branch_filter="zzz", events=["push"])
            want = [{"name": "r7", "repositories": [repo["id"]], "branch_filter": "zzz", "events": ["push"]}]
            wait_for(lambda: a.get("/api/v1/ci/runners") == want, "the runner")
            git("push", a.git_url(repo), "main:zzz", cwd=work)
            finish(a, asked.result(timeout=60), "success")
        assert a.get("/api/v1/ci/runners") == []


def waiting_heartbeats(tap, a, repo, act):
    def beat(job, **body):
        return a.request("PATCH", "%s/%s" % (LEASES, job["lease"]["id"]), body)

    with tap.case("a heartbeat that waits is answered when the job is canceled or given back, else in time"), \
            concurrent.futures.ThreadPoolExecutor() as pool:
        for name, end in (("cancel", lambda job: act(job, "cancel").status == 202),
                          ("return", lambda job: a.request("DELETE", "%s/%s" % (LEASES, job["lease"]["id"])).status == 204)):
            job = a.post(of(repo, "/ci/jobs"), {"commit": "2" * 40, "context": name})
            assert beat(job, wait=1).status == 200 and beat(job, wait=61).status == 422
            waits = []
            for i in range(3):
                waits.append(pool.submit(beat, job, step="s%d" % i, wait=60))  # if it were not told, it would end with 200
                wait_for(lambda: len(one(a, repo, job)["steps"]) == i + 1, "the heartbeat")
            assert end(job) and {w.result(timeout=60).status for w in waits} == {404}


def external(tap, a, repo, tip):
    with tap.case("a job of another CI system: leased at once, with steps and result"):
        job = a.post(of(repo, "/ci/jobs"), {"commit": tip, "context": "buildbot/x", "runner": "buildbot"})
        assert job["event"] == "external" and job["queue"] is None and job["state"] == "running"
        wait_for(lambda: status_of(a, repo, tip, "buildbot/x"), "the pending status")
        a.patch("%s/%s" % (LEASES, job["lease"]["id"]), {"step": "compile"})
        assert finish(a, job, "success")["steps"][0]["state"] == "success"
        assert status_of(a, repo, tip, "buildbot/x")["state"] == "success"
        assert a.request("POST", of(repo, "/ci/jobs"), {"commit": "x" * 40}).status == 422


def files(tap, net):
    a = net.node("files")
    repo = a.create("demo")

    def put(job, name, offset, data):
        return a.request("PUT", "%s/%s/files/%s?offset=%d" % (LEASES, job["lease"]["id"], name, offset), data,
                         headers={"Content-Type": "application/octet-stream"})

    def read(job, name, query=""):
        return a.request("GET", of(repo, "/ci/jobs/%s/files/%s%s" % (job["id"], name, query)), token=None)

    job = a.post(of(repo, "/ci/jobs"), {"commit": "1" * 40})
    with tap.case("a log comes in pieces; one that is sent again changes nothing, a gap is refused"):
        assert put(job, "log", 0, b"one\n").json == {"bytes": 4} and put(job, "log", 0, b"one\n").json == {"bytes": 4}
        assert put(job, "log", 2, b"e\ntwo\n").json == {"bytes": 8}
        gap = put(job, "log", 100, b"x")
        assert gap.status == 409 and "8 bytes" in gap.json["message"], gap.data
        log = read(job, "log")
        assert log.data == b"one\ntwo\n" and log.headers["x-job-state"] == "running" and log.headers["x-file-bytes"] == "8"
        assert log.headers["content-type"] == "text/plain; charset=utf-8" and log.headers["x-content-type-options"] == "nosniff"
        assert read(job, "log", "?offset=5").data == b"wo\n" and read(job, "log", "?offset=8").data == b""
    with tap.case("readers that wait get more when it comes; the event stream tells"):
        stream = a.stream("type=ci.job.output")
        stream.find("hello")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waits = [pool.submit(read, job, "log", "?offset=8&wait=60") for _ in range(3)]
            put(job, "log", 8, b"three\n")
            assert [w.result(timeout=60).data for w in waits] == [b"three\n"] * 3
        told = stream.find("ci.job.output")["data"]
        assert told["data"] == {"job": job["id"], "file": "log", "bytes": 14} and told["repo"] == repo["id"]
        stream.close()
    with tap.case("what a job made: hashes at the end, served as a download, whole also over kill -9"):
        data = bytes(range(256)) * 8192  # 2 MiB
        for at in range(0, len(data), 1 << 20):
            assert put(job, "out.bin", at, data[at:at + (1 << 20)]).status == 200
            a.kill()
            a.start()
        ended = finish(a, job, "success")
        want = {"log": hashlib.sha256(b"one\ntwo\nthree\n").hexdigest(), "out.bin": hashlib.sha256(data).hexdigest()}
        assert {f["name"]: f["sha256"] for f in ended["files"]} == want
        got = read(job, "out.bin").data
        rest = read(job, "out.bin", "?offset=%d" % len(got))
        assert got + rest.data == data and rest.headers["x-job-state"] == "success"
        assert "attachment" in rest.headers["content-disposition"]
        assert put(job, "log", 14, b"x").status == 404 and read(job, "log", "?offset=14&wait=60").data == b""
    with tap.case("limits: size of a log, number of files, their names, size of a piece"):
        job = a.post(of(repo, "/ci/jobs"), {"commit": "1" * 40})
        for at in range(4):
            assert put(job, "log", at << 20, b"x" * (1 << 20)).status == 200
        assert put(job, "log", 4 << 20, b"x").status == 413 and put(job, "big", 0, b"x" * ((1 << 20) + 1)).status == 413
        for i in range(15):
            assert put(job, "f%d" % i, 0, b"").status == 200
        assert put(job, "f15", 0, b"x").status == 413
        for name in (".x", "a%2Fb", "a%22b", "x" * 65):
            assert put(job, name, 0, b"x").status == 400 and read(job, name).status == 404, name
        assert a.request("DELETE", "%s/%s" % (LEASES, job["lease"]["id"])).status == 204
        assert one(a, repo, job)["state"] == "error" and len(one(a, repo, job)["files"]) == 16
    a.stop()


def filters(tap, net):
    a = net.node("filters")
    one_, two = a.create("one"), a.create("two")
    work = work_tree(net.path("filters"), {"a": "1\n"})
    a.post(of(one_, "/ci/queues"), {"branch_filter": "{main,rel/*}", "events": ["push", "tag"], "context": "ci/one"})
    a.post(of(two, "/ci/queues"), {"events": ["tag"]})
    git("tag", "v1", cwd=work)
    for repo in one_, two:
        git("push", a.git_url(repo), "main", "main:rel/1", "main:odd", "v1", cwd=work)

    def refs(**kw):
        found = []
        while (job := lease(a, **kw)):
            found.append((job["repository"]["name"], job["ref"].split("/", 2)[2]))
            finish(a, job, "success")
        return sorted(found)

    with tap.case("queues filter by branch and event, leases by repository, branch and event"):
        wait_for(lambda: sum(q["waiting"] for q in a.get("/api/v1/ci/queues")) == 4, "four jobs")
        assert refs(repositories=[two["id"]], events=["push"]) == []
        assert refs(repositories=["%s/two" % a.id]) == [("two", "v1")]
        assert refs(branch_filter="rel/*", events=["push"]) == [("one", "rel/1")]
        assert refs() == [("one", "main"), ("one", "v1")]
        assert status_of(a, one_, git("rev-parse", "HEAD", cwd=work).strip(), "ci/one")["state"] == "success"
    with tap.case("rights: ci suffices for leases, not for queues; a token for one repository gets its jobs alone"):
        ci = a.post("/api/v1/tokens", {"name": "ci", "scopes": ["ci"]})["token"]
        only = a.post("/api/v1/tokens", {"name": "two", "scopes": ["ci"], "repos": [two["id"]]})["token"]
        read = a.post("/api/v1/tokens", {"name": "r", "scopes": ["read"]})["token"]
        assert a.request("POST", of(one_, "/ci/queues"), {}, token=ci).status == 403
        assert a.request("GET", "/api/v1/ci/queues", token=ci).status == 403
        assert a.request("POST", LEASES, {}, token=read).status == 403 and a.request("POST", LEASES, {}, token=None).status == 401
        commit(work, "next", {"a": "2\n"})
        git("push", a.git_url(one_), "main", cwd=work)
        wait_for(lambda: a.get("/api/v1/ci/jobs?state=queued"), "the job")
        assert a.request("POST", LEASES, {}, token=only).status == 204
        assert a.request("POST", LEASES, {"repositories": [one_["id"]]}, token=only).status == 403
        assert a.request("POST", LEASES, {"repositories": ["nobody/nothing"]}, token=ci).status == 404
        got = a.request("POST", LEASES, {}, token=ci)
        assert got.status == 200
        assert a.request("DELETE", "%s/%s" % (LEASES, got.json["lease"]["id"]), token=ci).status == 204
        assert a.request("POST", LEASES, {"wait": 61}, token=ci).status == 422
        assert a.request("PATCH", LEASES + "/" + "0" * 32, {}, token=ci).status == 404
    private_jobs(tap, a, work)
    a.stop()


def private_jobs(tap, a, work):
    with tap.case("jobs of a private repository are shown to those who may know of it"):
        secret = a.create("secret", private=True)
        a.post(of(secret, "/ci/queues"), {})
        git("push", a.git_url(secret), "main", cwd=work)
        job = wait_lease(a, repositories=[secret["id"]])
        assert job["id"] in [j["id"] for j in a.get("/api/v1/ci/jobs")]
        public = a.request("GET", "/api/v1/ci/jobs", token=None)
        assert public.status == 200 and job["id"] not in [j["id"] for j in public.json] and len(public.json) > 0
        assert a.request("GET", of(secret, "/ci/jobs/" + job["id"]), token=None).status == 404
        finish(a, job, "success")


def lost(tap, net):
    a = net.node("lost", args=["--set", "ci.lease=1s"])
    repo = a.create("demo")
    a.post(of(repo, "/ci/queues"), {})
    work = work_tree(net.path("lost"), {"a": "1\n"})
    git("push", a.git_url(repo), "main", cwd=work)
    with tap.case("a lost lease is void, and the job handed out again, three times in all; then it ends with an error"):
        first = wait_lease(a)
        second = wait_lease(a)
        assert second["id"] == first["id"] and second["attempts"] == 2 and second["lease"]["id"] != first["lease"]["id"]
        assert a.request("POST", "%s/%s/result" % (LEASES, first["lease"]["id"]), {"state": "success"}).status == 404
        assert wait_lease(a)["attempts"] == 3
        ended = wait_for(lambda: a.get("/api/v1/ci/jobs?state=error"), "the end")[0]
        assert ended["attempts"] == 3 and ended["description"] == "its runner was lost" and lease(a) is None
        assert status_of(a, repo, first["commit"])["state"] == "error"
    with tap.case("an external job whose lease is lost ends"):
        job = a.post(of(repo, "/ci/jobs"), {"commit": "1" * 40})
        assert wait_for(lambda: (j := one(a, repo, job))["state"] == "error" and j, "its end")["attempts"] == 1
    with tap.case("heartbeats keep a lease"):
        a.stop()
        a.args[a.args.index("ci.lease=1s")] = "ci.lease=5s"
        a.start()
        git("push", a.git_url(repo), "main:b", cwd=work)
        job = wait_lease(a)
        path, stop = "%s/%s" % (LEASES, job["lease"]["id"]), threading.Event()
        beats = []

        def beat():
            while not stop.wait(0.2):
                beats.append(a.request("PATCH", path, {}).status)
        thread = threading.Thread(target=beat)
        thread.start()
        wait_for(lambda: len(beats) >= 30, "thirty heartbeats")  # more than a lease long
        stop.set()
        thread.join()
        assert set(beats) == {200} and finish(a, job, "success")["attempts"] == 1
    a.stop()
    with tap.case("a job that nobody takes ends"):
        b = net.node("old", args=["--set", "ci.max_age=1s"])
        repo = b.create("demo")
        b.post(of(repo, "/ci/queues"), {})
        git("push", b.git_url(repo), "main", cwd=work)
        ended = wait_for(lambda: b.get("/api/v1/ci/jobs?state=error"), "the end")[0]
        assert ended["description"] == "no runner took it in time" and ended["attempts"] == 0
        assert status_of(b, repo, ended["commit"])["state"] == "error"
        b.stop()


def rule(tap, net):
    a = net.node("rule")
    repo = a.create("demo")
    work = work_tree(net.path("rule"), {"a": "1\n"})
    git("push", a.git_url(repo), "main", "main:other", cwd=work)
    tip = git("rev-parse", "HEAD", cwd=work).strip()
    path = "/api/v1/repos/" + repo["id"]

    def marks():
        listed = {b["name"]: b.get("checks") for b in a.get(path + "/branches")}
        assert a.get(path + "/branches/main").get("checks") == listed["main"] == a.get(path + "/commits/main/status").get("checks")
        return listed["main"]

    def badge(query=""):
        got = a.request("GET", path + "/badge.svg" + query, token=None)
        assert got.status == 200 and got.headers["content-type"].startswith("image/svg+xml"), got.data
        root = xml.etree.ElementTree.fromstring(got.data)
        assert {e.tag.split("}")[1] for e in root.iter()} == {"svg", "title", "rect", "g", "text"}
        assert a.request("GET", path + "/badge.svg" + query, headers={"If-None-Match": got.headers["etag"]}).status == 304
        return root.find("{http://www.w3.org/2000/svg}title").text

    with tap.case("a branch that lacks a trusted success of a required context is marked"):
        assert a.repo(repo["id"])["required_contexts"] == [] and marks() is None and badge() == "ci: unknown"
        a.cli("repo", "update", "demo", "--require", "ci", "--require", "lint <1>")
        assert a.repo(repo["id"])["required_contexts"] == ["ci", "lint <1>"] and marks() == "pending"
        for state, context, want in (("success", "other", "pending"), ("success", "ci", "pending"), ("failure", "lint <1>", "failure"),
                                     ("success", "lint <1>", "success"), ("pending", "ci", "pending"), ("success", "ci", "success")):
            a.post(of(repo, "/statuses/" + tip), {"state": state, "context": context})
            assert marks() == want, (state, context, want, marks())
        required = a.get(path + "/branches/main")["required_contexts"]
        assert required == [{"context": "ci", "state": "success"}, {"context": "lint <1>", "state": "success"}]
        tip2 = commit(work, "two", {"a": "2\n"})
        git("push", a.git_url(repo), "main", cwd=work)
        assert marks() == "pending" and {b["name"]: b["checks"] for b in a.get(path + "/branches")}["other"] == "success"
        assert a.request("PATCH", path, {"required_contexts": ["x", "x"]}).status == 422
        assert a.request("PATCH", path, {"required_contexts": ["x" * 101]}).status == 422
    with tap.case("a status of somebody whose word does not count changes no mark, until he is trusted"):
        b = net.node("stranger", bootstrap=[a])
        wait_for(lambda: b.request("GET", of(repo, "/commits/" + tip2)).status == 200, "the copy")
        assert b.repo(repo["id"])["required_contexts"] == ["ci", "lint <1>"]
        for context in "ci", "lint <1>":
            b.post(of(repo, "/statuses/" + tip2), {"state": "success", "context": context})
        wait_for(lambda: len(a.get(of(repo, "/commits/%s/statuses" % tip2))) == 2, "his word")
        assert marks() == "pending" and badge() == "ci: unknown"
        a.put(of(repo, "/trust/" + b.id))
        assert marks() == "success" and badge() == "ci: passing" and badge("?branch=other&context=lint+%3C1%3E") == "lint <1>: passing"
        assert badge("?branch=none") == "ci: unknown" and a.request("GET", path + "/badge.svg?context=%01").status == 400
        a.cli("repo", "update", "demo", "--no-required")
        assert marks() is None
    a.stop()
    b.stop()


def crashes(tap, net):
    a = net.node("crash")
    repo = a.create("demo")
    a.post(of(repo, "/ci/queues"), {})
    work = work_tree(net.path("crash"), {"a": "1\n"})
    n, kills = (100, 20) if LONG else (12, 3)
    with tap.case("%d pushes and %d times kill -9: %d jobs, each held by one runner at a time and finished" % (n, kills, n)):
        held, ended = {}, set()
        for i in range(n):
            git("push", a.git_url(repo), "main:b%d" % i, cwd=work)
            if i % 3 == 0 and (job := lease(a)):
                assert job["id"] not in held
                held[job["id"]] = job
            if i % (n // kills) == 1:
                a.kill()
                a.start()
        for job in held.values():  # leases outlive the node's end
            finish(a, job, "success")
            ended.add(job["id"])
        while (job := wait_for(lambda: lease(a) or len(ended) == n, "the next job")) is not True:
            assert job["id"] not in ended and job["attempts"] == 1
            finish(a, job, "success")
            ended.add(job["id"])
        jobs = a.get("/api/v1/ci/jobs?per_page=100")
        assert len(jobs) == n and {j["ref"] for j in jobs} == {"refs/heads/b%d" % i for i in range(n)}
        assert {j["state"] for j in jobs} == {"success"}
    with tap.case("many runners at once: each job goes to one"):
        for i in range(20):
            git("push", a.git_url(repo), "main:c%d" % i, cwd=work)
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            got = [j for j in pool.map(lambda _: lease(a, wait=10), range(20)) if j]
        assert len({j["id"] for j in got}) == len(got) == 20
    a.stop()


def other_node(tap, net):
    a = net.node("pushed-at")
    repo = a.create("demo")
    work = work_tree(net.path("other"), {"a": "1\n"})
    git("push", a.git_url(repo), "main", "main:x", "main:y", cwd=work)
    b = net.node("runs-at", bootstrap=[a])
    wait_for(lambda: b.request("GET", of(repo, "/branches")).status == 200 and len(b.get(of(repo, "/branches"))) == 3, "the copy")
    b.post(of(repo, "/ci/queues"), {"context": "ci/b"})
    with tap.case("a push to A makes one job at B, which ran nothing of the first copy; A shows the result with B's key"):
        assert lease(b) is None
        a.put(of(repo, "/trust/" + b.id))
        tip = commit(work, "two", {"a": "2\n"})
        git("push", a.git_url(repo), "main", cwd=work)
        job = wait_lease(b)
        assert job["commit"] == tip and b.id not in job["repository"]["full_name"] and lease(b) is None
        clone = net.path("clone")
        git("clone", job["repository"]["clone_url"], clone)
        assert git("rev-parse", "origin/main", cwd=clone).strip() == tip
        finish(b, job, "success")
        status = wait_for(lambda: (s := status_of(a, repo, tip, "ci/b")) and s["state"] == "success" and s, "the result at A")
        assert status["signer"] == b.id and status["counts"] and status["run_id"] == job["id"]
    read_elsewhere(tap, a, b, repo, job, tip)


def read_elsewhere(tap, a, b, repo, done, tip):
    def plain(node, job):
        """A job without the addresses of the node that shows it."""
        return json.loads(json.dumps(one(node, repo, job)).replace(node.url, ""))

    def read(node, job, name, query=""):
        return node.request("GET", of(repo, "/ci/jobs/%s/files/%s%s" % (job["id"], name, query)))

    with tap.case("A shows a job that ran at B, its log while it runs, and a file of it, whole"):
        assert plain(a, done)["state"] == "success"
        job = b.post(of(repo, "/ci/jobs"), {"commit": tip, "context": "ci/live", "runner": "r", "target_url": "https://ci.example/"})
        held = "%s/%s" % (LEASES, job["lease"]["id"])
        b.patch(held, {"step": "build ☃", "progress": 7})
        wait_for(lambda: status_of(a, repo, tip, "ci/live"), "the status at A")
        assert read(a, job, "log").data == b""
        b.request("PUT", held + "/files/log", b"one\n")
        log = read(a, job, "log", "?wait=30")
        assert log.data == b"one\n" and log.headers["x-job-state"] == "running" and log.headers["x-file-bytes"] == "4"
        data = bytes(range(256)) * 4000  # more than one answer holds
        b.request("PUT", held + "/files/out.bin", data)
        finish(b, job, "failure", description="no")
        there, here = plain(b, job), plain(a, job)
        for at in ("created_at", "started_at", "ended_at"):  # told in whole seconds
            assert there.pop(at)[:19] == here.pop(at)[:19]
        for s in there["steps"] + here["steps"]:
            s.pop("started_at"), s.pop("ended_at")
        assert there == here and here["steps"][0]["name"] == "build ☃" and here["runner"] == "r"
        got = b""
        while (piece := read(a, job, "out.bin", "?offset=%d" % len(got)).data):
            got += piece
        assert got == data and hashlib.sha256(got).hexdigest() == here["files"][1]["sha256"]
        assert a.cli("ci", "log", job["id"], "--repo", repo["id"]) == "one\n"
    with tap.case("what is not there is not found; a node that is away cannot be asked for what A did not read"):
        assert read(a, job, "nothing").status == 404 and read(a, {"id": "0" * 32}, "log").status == 404
        other = b.post(of(repo, "/ci/jobs"), {"commit": tip, "context": "ci/other", "runner": "r"})
        wait_for(lambda: status_of(a, repo, tip, "ci/other"), "the status at A")
        b.stop()
        wait_for(lambda: read(a, other, "log").status == 503, "the answer that B is away")
        assert read(a, job, "log").data == b"one\n"


if __name__ == "__main__":
    tap = Tap()
    with tap.net() as net:
        left(tap, net)
        life(tap, net)
        files(tap, net)
        filters(tap, net)
        lost(tap, net)
        rule(tap, net)
        crashes(tap, net)
        other_node(tap, net)
    tap.done()
