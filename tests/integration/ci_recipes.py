"""ci_recipes.py - the recipes of examples/ci with the real programs: a push at A is built at B, and A shows it with B's key."""
import os
import shutil
import subprocess

from cilib import CI, Story, running
from gutslib import DEADLINE, GUTS, SRCDIR, Tap, free_port


def runner(tap, net):
    with tap.case("guts ci run: push to A, built at B, shown at A as signed by B"):
        s = Story(net, "run")
        s.b.cli("ci", "add", s.repo["id"])
        with running(GUTS, "ci", "run", "--dir", net.path(""), "--", "sh", "run.sh", env=s.environment):
            s.check("ci")
        s.stop()


def webhook(tap, net):
    text = "Debian's webhook: push to A, hook at B, clone from B, status to B, shown at A as signed by B"
    if not shutil.which("webhook"):
        tap.skip(text, "no webhook here")
        return
    with tap.case(text):
        s = Story(net, "hook")
        port = free_port()
        env = dict(s.environment, HOOK_SECRET="a \"secret\"", BUILD_SCRIPT=os.path.join(CI, "webhook", "build.sh"), BUILD="sh run.sh")
        with running("webhook", "-template", "-hooks", os.path.join(CI, "webhook", "hooks.json"), "-ip", "127.0.0.1", "-port",
                     str(port), env=env):
            s.b.cli("hook", "add", "http://127.0.0.1:%d/hooks/build" % port, "--repo", s.repo["id"], "--secret-file", "-",
                    input="a \"secret\"\n")
            s.check("webhook")
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
