"""ci_recipes.py - the recipes of examples/ci with the real programs: a push at A is built at B, and A shows it with B's key."""
import os
import shutil
import socket
import subprocess

from gutslib import DEADLINE, GUTS, SRCDIR, Tap, commit, git, wait_for, work_tree

CI = os.path.join(SRCDIR, "examples", "ci")


class Story:
    """A, whose user owns a repository, and B, which builds it and is named as status signer."""

    def __init__(self, net, name, *args):
        self.a = net.node(name + "-A")
        self.b = net.node(name + "-B", bootstrap=[self.a], args=list(args))
        self.repo = self.a.create("demo")
        self.a.cli("repo", "update", "demo", "--signer", self.b.id)
        self.work = work_tree(net.path(name), {"run.sh": "exit 0\n"})
        self.push("first", 0)
        wait_for(lambda: self.b.request("GET", self.path + "/branches/main").status == 200, "the copy at B")
        self.token = self.b.post("/api/v1/tokens", {"name": "ci", "scopes": ["ci", "read"]})["token"]
        self.environment = dict(os.environ, GUTS_URL=self.b.url, GUTS_TOKEN=self.token)

    @property
    def path(self):
        return "/api/v1/repos/" + self.repo["id"]

    def push(self, message, code):
        tip = commit(self.work, message, {"run.sh": "# %s\nexit %d\n" % (message, code)})
        git("push", "-q", self.a.git_url(self.repo), "main", cwd=self.work)
        return tip

    def result(self, tip, context):
        """What A shows of it in the end."""
        def found():
            rows = [s for s in self.a.get("%s/commits/%s/statuses" % (self.path, tip)) if s["context"] == context]
            return rows and rows[0]["state"] != "pending" and rows[0]
        return wait_for(found, "the result at A")

    def check(self, context):
        for state, code in ("success", 0), ("failure", 3):
            status = self.result(self.push(state, code), context)
            assert status["state"] == state and status["signer"] == self.b.id and status["counts"], status
        facts = [f for f in self.a.facts() if f["type"] == "status.created" and f["data"]["counts"] == 1]
        assert {f["data"]["state"] for f in facts} == {"pending", "success", "failure"}, facts

    def stop(self):
        self.a.stop()
        self.b.stop()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def started(*command, **kw):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)


def runner(tap, net):
    with tap.case("guts ci run: push to A, built at B, shown at A as signed by B"):
        s = Story(net, "run")
        s.b.cli("ci", "add", s.repo["id"])
        process = started(GUTS, "ci", "run", "--dir", net.path(""), "--", "sh", "run.sh", env=s.environment)
        try:
            s.check("ci")
        finally:
            process.terminate()
            process.wait(DEADLINE)
        s.stop()


def webhook(tap, net):
    text = "Debian's webhook: push to A, hook at B, clone from B, status to B, shown at A as signed by B"
    if not shutil.which("webhook"):
        tap.skip(text, "no webhook here")
        return
    with tap.case(text):
        s = Story(net, "hook", "--set", "bridge.allow=loopback", "--set", "bridge.retry=100ms")
        port = free_port()
        env = dict(s.environment, HOOK_SECRET="a \"secret\"", BUILD_SCRIPT=os.path.join(CI, "webhook", "build.sh"), BUILD="sh run.sh")
        process = started("webhook", "-template", "-hooks", os.path.join(CI, "webhook", "hooks.json"), "-ip", "127.0.0.1", "-port",
                          str(port), env=env)
        try:
            s.b.cli("hook", "add", "http://127.0.0.1:%d/hooks/build" % port, "--repo", s.repo["id"], "--secret-file", "-",
                    input="a \"secret\"\n")
            s.check("webhook")
        finally:
            process.terminate()
            process.wait(DEADLINE)
        s.stop()


def unit(tap, net):
    text = "guts-runner.service is a good unit"
    if not shutil.which("systemd-analyze"):
        tap.skip(text, "no systemd-analyze here")
        return
    with tap.case(text):
        path = net.path("guts-runner.service")
        with open(os.path.join(CI, "guts-runner.service")) as f, open(path, "w") as out:
            out.write(f.read().replace("/usr/local/bin/guts", GUTS).replace("man:guts(1)", "file:" + os.path.join(SRCDIR, "README")))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 0 and not done.stderr.strip(), done.stderr


if __name__ == "__main__":
    tap = Tap()
    with tap.net() as net:
        runner(tap, net)
        webhook(tap, net)
        unit(tap, net)
    tap.done()
