"""cilib - what tests of CI systems share: two nodes with one repository, a program beside them, its results as the other node shows them."""
import contextlib
import datetime
import os
import socket
import subprocess

from gutslib import DEADLINE, SRCDIR, commit, git, wait_for, work_tree
from hooklib import ALLOW

CI = os.path.join(SRCDIR, "examples", "ci")
SCRIPT = "run.sh"  # what a CI system has to run in the tree; its exit code is the result


class Story:
    """A, whose user owns a repository, and B, which builds it and is named as status signer."""

    def __init__(self, net, name):
        self.a = net.node(name + "-A", args=ALLOW)
        self.b = net.node(name + "-B", bootstrap=[self.a], args=ALLOW + ["--set", "bridge.retry=100ms", "--set", "bridge.timeout=60s"])
        self.repo = self.a.create("demo")
        self.a.cli("repo", "update", "demo", "--signer", self.b.id)
        self.work = work_tree(net.path(name), {SCRIPT: "exit 0\n"})
        self.push("first", 0)
        wait_for(lambda: self.b.request("GET", self.path + "/branches/main").status == 200, "the copy at B")
        self.token = self.b.post("/api/v1/tokens", {"name": "ci", "scopes": ["ci", "read"]})["token"]
        self.environment = dict(os.environ, GUTS_URL=self.b.url, GUTS_TOKEN=self.token)

    @property
    def path(self):
        return "/api/v1/repos/" + self.repo["id"]

    def commit(self, message, code):
        """A commit whose build ends with `code`; code may be a line of shell."""
        line = "exit %d" % code if isinstance(code, int) else code
        return commit(self.work, message, {SCRIPT: "# %s\n%s\n" % (message, line)})

    def git_push(self, *refs):
        git("push", "-q", self.a.git_url(self.repo), *(refs or ("main",)), cwd=self.work)

    def push(self, message, code):
        tip = self.commit(message, code)
        self.git_push()
        return tip

    def statuses(self, tip, context):
        """All that A shows of it, newest first."""
        return [s for s in self.a.get("%s/commits/%s/statuses" % (self.path, tip)) if s["context"] == context]

    def result(self, tip, context):
        """What A shows of it in the end."""
        def found():
            rows = self.statuses(tip, context)
            return rows and rows[0]["state"] != "pending" and rows[0]
        return wait_for(found, "the result at A")

    def expect(self, tip, context, state):
        """A shows this result, signed by B, and counts it; returns it."""
        status = self.result(tip, context)
        assert status["state"] == state and status["signer"] == self.b.id and status["counts"], status
        return status

    def check(self, context):
        """A green and a red build, and what A's event log tells of them."""
        for state, code in ("success", 0), ("failure", 3):
            self.expect(self.push(state, code), context, state)
        facts = [f for f in self.a.facts() if f["type"] == "status.created" and f["data"]["counts"] == 1]
        assert {f["data"]["state"] for f in facts} == {"pending", "success", "failure"}, facts

    def stop(self):
        self.a.stop()
        self.b.stop()


@contextlib.contextmanager
def running(*command, log=os.devnull, **kw):
    """A program for as long as the block; SIGTERM ends it, SIGKILL if that does not."""
    with open(log, "ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **kw)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def answers(port):
    """Does somebody listen there?"""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def seconds(time):
    """A time of the API as seconds since 1970."""
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
