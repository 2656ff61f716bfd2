"""ci_jenkins.py - examples/ci/Jenkinsfile as far as it goes without Jenkins, which Debian lacks: its trigger's variables and filter
against real deliveries, its shell steps in their order against real nodes.  Its Groovy is not run."""
import os
import re
import subprocess

from cilib import CI, Story
from gutslib import DEADLINE, Tap, wait_for
from hooklib import Receiver

CONTEXT = "jenkins"


class Recipe:
    """The parts of the file that are not Groovy's own."""

    def __init__(self, path):
        with open(path) as f:
            text = f.read()
        self.variables = dict(re.findall(r"\[key: '(\w+)', value: '\$\.([\w.]+)'\]", text))
        self.filter_text = re.search(r"regexpFilterText: '(.*)'", text).group(1)
        self.filter = re.search(r"regexpFilterExpression: '(.*)'", text).group(1)
        self.environment = dict(re.findall(r"^        (\w+) = '(.*)'$", text, re.M))
        steps = [a.replace("\\\\", "\\") or b for a, b in re.findall(r"sh (?:'''(.*?)'''|'([^'\n]*)')", text, re.S)]
        self.report, self.checkout, self.build = steps

    def trigger(self, body):
        """The variables of a build that this delivery starts; None: it starts none."""
        found = {}
        for name, path in self.variables.items():
            value = body
            for key in path.split("."):
                value = value[key]
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
        text = re.sub(r"\$(\w+)", lambda m: found[m.group(1)], self.filter_text)
        return found if re.search(self.filter, text) else None


def main(tap, net, receiver):
    recipe = Recipe(os.path.join(CI, "Jenkinsfile"))
    s = Story(net, "jenkins")
    header = net.path("header")
    with open(header, "w") as f:
        f.write("Bearer the-word\n")
    s.b.cli("hook", "add", receiver.url("/generic-webhook-trigger/invoke"), "--repo", s.repo["id"], "--authorization-file", header)
    got = []

    def delivered(before):
        d = wait_for(lambda: len(receiver.good) > before and receiver.good[before], "the delivery")
        assert d.headers["authorization"] == "Bearer the-word"
        return recipe.trigger(d.json)

    def step(text, env, cwd):
        return subprocess.run(["sh", "-xe", "-c", text], env=env, cwd=cwd, capture_output=True, text=True, timeout=DEADLINE)

    def job(variables, folder):
        """What Jenkins does with a triggered build."""
        os.mkdir(folder)
        env = dict({"PATH": os.environ["PATH"], "HOME": folder, "BUILD_URL": "http://jenkins.example/job/demo/1/"}, **recipe.environment)
        env.update(variables, GUTS_URL=s.b.url)

        def report(state, text):
            done = step(recipe.report, dict(env, GUTS_TOKEN=s.token, STATE=state, TEXT=text), folder)
            assert done.returncode == 0, done.stderr
        report("pending", "running")
        done = step(recipe.checkout, env, folder)
        assert done.returncode == 0, done.stderr
        code = step(recipe.build, env, folder).returncode
        report(*("failure", "failed") if code else ("success", "passed"))

    with tap.case("a push starts a build, whose steps make A show it as signed by B, green and red"):
        for state, code in ("success", 0), ("failure", 1):
            with open(os.path.join(s.work, "Makefile"), "w") as f:
                f.write("check:\n\tsh run.sh\n")
            tip = s.push(state, code)
            variables = delivered(len(got))
            got.append(variables)
            assert variables == {"REF": "refs/heads/main", "COMMIT": tip, "DELETED": "false",
                                 "REPOSITORY": s.b.repo(s.repo["id"])["full_name"]}, variables
            job(variables, net.path("ws-" + state))
            status = s.expect(tip, CONTEXT, state)
            assert status["target_url"] == "http://jenkins.example/job/demo/1/", status
    with tap.case("a tag, and a branch that goes away, start none; a new branch does"):
        s.git_push("main:side")
        assert delivered(2)["REF"] == "refs/heads/side"
        s.git_push(":side")
        assert delivered(3) is None
        s.git_push("main:refs/tags/v1")
        assert delivered(4) is None
    with tap.case("a delivery that is not a push of a commit starts none"):
        good = {"ref": "refs/heads/x", "after": "a" * 40, "deleted": False, "repository": {"full_name": "owner/demo"}}
        assert recipe.trigger(good)
        for key, bad in ("ref", "--upload-pack=x"), ("ref", "refs/heads/x y"), ("after", "--help"), ("after", "A" * 40), ("deleted", True):
            assert recipe.trigger(dict(good, **{key: bad})) is None, (key, bad)
        assert recipe.trigger(dict(good, repository={"full_name": "owner/../x/y"})) is None
    s.stop()


tap = Tap()
receiver = Receiver()
with tap.net() as net:
    main(tap, net, receiver)
receiver.close()
tap.done()
