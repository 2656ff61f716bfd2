"""ci_run.py - `guts ci run`, a ready runner: checkout, clean environment, limits, log, results, leases lost and given back."""
import hashlib
import os
import signal
import subprocess

from gutslib import GUTS, Tap, commit, git, wait_for, work_tree

HOG = "import time; x = b\"y\" * (%d << 20); time.sleep(%d)"  # so many MiB for so many seconds


class Runner:
    """A `guts ci run` in the background."""

    def __init__(self, net, node, *args, token=True, url=None):
        self.dir = net.path("runner")
        os.makedirs(self.dir, exist_ok=True)
        env = dict(os.environ, GUTS_URL=url or node.url, GUTS_TOKEN=node.token if token is True else token, SECRET="hush")
        self.process = subprocess.Popen([GUTS, "ci", "run", "--dir", self.dir, *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)

    def wait(self):
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err

    def left(self):
        return os.listdir(self.dir)


def jobs(node, state=None):
    return node.get("/api/v1/ci/jobs" + ("?state=" + state if state else ""))


def log(node, job):
    return node.request("GET", "/api/v1/repos/%s/ci/jobs/%s/files/log" % (job["repository"]["id"], job["id"])).data.decode()


def results(tap, net):
    a = net.node("A")
    repo = a.create("demo")
    work = work_tree(net.path("work"), {"hello": "world\n", "build.sh": "#!/bin/sh\ncat hello; env | sort; git log --oneline; pwd\n"})
    a.cli("ci", "add", "demo")
    n = [0]

    def push():
        n[0] += 1
        tip = commit(work, "n%d" % n[0], {"n": str(n[0])})
        git("push", a.git_url(repo), "main", cwd=work)
        return tip

    def once(*args, **kw):
        r = Runner(net, a, "--once", *args, **kw)
        code, out, err = r.wait()
        assert r.left() == [], r.left()
        return code, out, err, [j for j in jobs(a) if j["state"] != "queued"][0]

    tip = push()
    with tap.case("a push is checked out and run in an environment of its own; log and status are there"):
        code, out, err, job = once("--repo", "demo", "--name", "r1", "--env", "MINE=1", "--env", "SECRET", "--", "sh", "build.sh")
        assert code == 0 and "success, passed in" in err and "running" in err, (code, out, err)
        assert job["state"] == "success" and job["runner"] == "r1" and job["commit"] == tip, job
        assert [s["name"] for s in job["steps"]] == ["checkout", "run"] and {s["state"] for s in job["steps"]} == {"success"}
        lines = log(a, job).splitlines()
        env = dict(line.split("=", 1) for line in lines if "=" in line)
        assert lines[0] == "world" and out == log(a, job)
        assert env["CI"] == "true" and env["GUTS_COMMIT"] == tip and env["GUTS_BRANCH"] == "main" and env["MINE"] == "1"
        assert env["GUTS_REPOSITORY"] == a.id + "/demo" and env["GUTS_JOB"] == job["id"] and env["SECRET"] == "hush"
        assert a.token not in log(a, job) and "GUTS_TOKEN" not in env and env["HOME"].startswith(net.path("runner"))
        combined = a.get("/api/v1/repos/%s/commits/%s/status" % (repo["id"], tip))
        assert combined["state"] == "success" and combined["statuses"][0]["run_id"] == job["id"]
    with tap.case("`guts ci log` and `guts ci jobs` show it"):
        assert a.cli("ci", "log", job["id"][:12]) == out == a.cli("ci", "log", "--follow", job["id"])
        assert job["id"] in a.cli("ci", "jobs", "--repo", "demo", "--state", "success")
        assert a.cli("ci", "log", "0" * 32, check=False).returncode == 5
    with tap.case("failure, a command that is not there, a time limit, a memory limit"):
        for args, state, text in ((["--", "false"], "failure", "exit code 1"), (["--", "nosuchcommand"], "error", "cannot be run"),
                                  (["--timeout", "1", "--", "sh", "-c", "sleep 100 & sleep 100"], "failure", "took longer"),
                                  (["--", "sh", "-c", "kill -SEGV $$"], "failure", "signal SEGV"),
                                  (["--memory", "200", "--", "python3", "-c", HOG % (400, 600)], "failure", "more than 200 MiB of memory"),
                                  (["--memory", "200", "--", "sh", "-c", "for i in 1 2 3 4; do setsid python3 -c '%s' & done; wait" % HOG % (90, 600)],
                                   "failure", "more than 200 MiB of memory")):
            push()
            code, _, err, job = once(*args)
            assert code == 1 and job["state"] == state and text in job["description"] and text in err, (args, code, err, job)
    with tap.case("a job within its memory passes, whatever address space it takes"):
        push()
        code, _, err, job = once("--memory", "200", "--", "python3", "-c", "import mmap; m = mmap.mmap(-1, 1 << 30); " + HOG % (50, 1))
        assert code == 0 and job["state"] == "success", (err, job)
    with tap.case("what a command leaves running is ended, and artifacts are kept"):
        push()
        mark = net.path("mark")
        code, _, err, job = once("-a", "out.bin", "-a", "missing", "-a", "link", "--", "sh", "-c",
                                 "head -c 700000 /dev/zero >out.bin; ln -s /etc/passwd link; sleep 1000 & echo $! >%s; setsid sh -c 'sleep 1000 & echo $! >>%s; sleep 1000' & "
                                 "until [ $(wc -l <%s) = 2 ]; do sleep 0.1; done" % (mark, mark, mark))
        assert code == 0, err
        with open(mark) as f:
            pids = f.read().split()
        assert len(pids) == 2 and not [p for p in pids if os.path.exists("/proc/" + p)], pids
        files = {f["name"]: f for f in job["files"]}
        assert set(files) == {"log", "out.bin"} and files["out.bin"]["sha256"] == hashlib.sha256(bytes(700000)).hexdigest()
        assert "missing is no file" in log(a, job) and "link is no file" in log(a, job)
    with tap.case("a commit that its branch has left is still built; a long log is cut, and no escape reaches the terminal"):
        gone = push()
        git("push", "-f", a.git_url(repo), "HEAD~1:main", cwd=work)
        code, out, err, job = once("--", "sh", "-c", "printf '\\033[31mred\\n'; git rev-parse HEAD; head -c 6000000 /dev/zero | tr '\\0' x")
        assert code == 0 and job["commit"] == gone, (err, job)
        text = a.request("GET", job["files"][0]["url"][len(a.url):] + "?offset=%d" % (job["files"][0]["bytes"] - 40)).data.decode()
        assert "the log is cut here" in text and gone in log(a, job)[:100] and job["files"][0]["bytes"] <= 4 << 20
        assert "\x1b" not in out and "\x1b" in log(a, job)[:10]
    private_clone(tap, net, a, work)
    a.stop()


def private_clone(tap, net, a, work):
    with tap.case("a private repository, with a token for it; without the scope the runner says so and ends"):
        secret = a.create("secret", private=True)
        a.cli("ci", "add", "secret")
        git("push", a.git_url(secret), "main", cwd=work)
        t = a.post("/api/v1/tokens", {"name": "r", "scopes": ["ci", "read"], "repos": [secret["id"]]})["token"]
        code, out, err = Runner(net, a, "--once", "--", "cat", "hello", token=t).wait()
        assert code == 0 and out == "world\n", (code, out, err)
        t = a.post("/api/v1/tokens", {"name": "r", "scopes": ["read"]})["token"]
        code, out, err = Runner(net, a, "--once", "--", "true", token=t).wait()
        assert code == 6 and "scope ci" in err, (code, err)


def ends(tap, net):
    a = net.node("B", args=["--set", "ci.lease=8s"])
    repo = a.create("demo")
    work = work_tree(net.path("ends"), {"a": "1\n"})
    r = Runner(net, a, "--", "true")
    with tap.case("a runner where there is no queue says so"):
        assert "guts ci add" in r.process.stderr.readline()
        r.process.terminate()
        assert r.wait()[0] == 0
    a.cli("ci", "add", "demo")
    git("push", a.git_url(repo), "main", cwd=work)
    marks = net.path("marks")
    slow = ["--", "sh", "-c", "echo $$ >>%s; echo begun; exec sleep 1000" % marks]

    def begun(times):
        wait_for(lambda: os.path.exists(marks) and len(open(marks).read().split()) == times, "the command")
        return int(open(marks).read().split()[-1])

    def is_gone(pid):
        return not os.path.exists("/proc/%d" % pid) or open("/proc/%d/stat" % pid).read().split()[2] == "Z"

    with tap.case("SIGTERM ends the command and gives the job back"):
        r = Runner(net, a, *slow)
        pid = begun(1)
        wait_for(lambda: "begun" in log(a, jobs(a)[0]), "the log while it runs")
        r.process.send_signal(signal.SIGTERM)
        code, _, err = r.wait()
        assert code == 0 and "given back" in err and is_gone(pid) and r.left() == [], (code, err)
        job = jobs(a)[0]
        assert job["state"] == "queued" and job["attempts"] == 0 and job["files"] == []
    with tap.case("kill -9 of a runner: its command ends, another runner gets the job"):
        r = Runner(net, a, *slow)
        pid = begun(2)
        r.process.kill()
        r.wait()
        wait_for(lambda: is_gone(pid), "the command's end")
        r = Runner(net, a, *slow)
        pid = begun(3)
        assert jobs(a)[0]["attempts"] == 2
    with tap.case("the node is away for longer than the lease: the command is ended; back again, the job is done"):
        url = a.url
        a.kill()
        wait_for(lambda: is_gone(pid), "the command's end")
        a.args += ["--set", "http.listen=" + url[7:]]  # beside a new one
        a.start()
        pid = begun(4)
        assert jobs(a)[0]["attempts"] == 3
        r.process.terminate()
        code, _, err = r.wait()
        assert "lost" in err and "given back" in err and code == 0, err
    with tap.case("the node is away for less: nothing is lost, the log is whole"):
        hold = net.path("hold")
        r = Runner(net, a, "--once", "--", "sh", "-c", "echo one; while [ ! -e %s ]; do sleep 0.1; done; echo two" % hold,
                   url=url)
        wait_for(lambda: "one" in log(a, jobs(a)[0]), "the log")
        a.kill()
        a.start()
        open(hold, "w").close()
        code, _, err = r.wait()
        assert code == 0 and log(a, jobs(a)[0]) == "one\ntwo\n" and jobs(a)[0]["state"] == "success", (code, err)
    with tap.case("`guts ci cancel` ends the command, `guts ci rerun` runs it again, `guts ci runners` says who waits"):
        git("push", a.git_url(repo), "main:third", cwd=work)
        r = Runner(net, a, "--name", "r3", *slow)
        pid = begun(5)
        job = jobs(a, "running")[0]
        assert a.cli("ci", "cancel", job["id"][:10]) == "canceled\n"
        wait_for(lambda: is_gone(pid), "the command's end")
        wait_for(lambda: jobs(a)[0]["state"] == "error" and jobs(a)[0]["description"] == "canceled", "the job's end")
        wait_for(lambda: "r3" in a.cli("ci", "runners"), "the runner")
        said = a.cli("ci", "rerun", job["id"][:10])
        pid = begun(6)
        assert jobs(a, "running")[0]["id"] in said and jobs(a, "running")[0]["id"] != job["id"], said
        r.process.terminate()
        assert "canceled" in r.wait()[2] and is_gone(pid)
    a.stop()
    with tap.case("a canceled job ends at its runner at once, however seldom that has to be heard of"):
        c = net.node("C", args=["--set", "ci.lease=1h"])
        repo = c.create("demo")
        c.cli("ci", "add", "demo")
        git("push", c.git_url(repo), "main", cwd=work)
        r = Runner(net, c, "--once", *slow)
        pid = begun(7)
        c.cli("ci", "cancel", jobs(c)[0]["id"])
        wait_for(lambda: is_gone(pid), "the command's end")
        assert "canceled" in r.wait()[2]
        c.stop()


if __name__ == "__main__":
    tap = Tap()
    with tap.net() as net:
        results(tap, net)
        ends(tap, net)
    tap.done()
