"""buildbot.py - the whole story with Debian's buildbot as examples/ci/buildbot sets it up: a push at A, a webhook at B or a look
of GitPoller, clone from B, build, statuses to B, and A shows them as signed by B and sends them on."""
import contextlib
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from cilib import CI, Story, running, seconds  # noqa: E402
from gutslib import DEADLINE, Tap, commit, free_port, git, request, wait_for  # noqa: E402
from hooklib import Receiver, hook  # noqa: E402

CONTEXT = "buildbot/ci"
SECRET = "of both"
SUCCESS, FAILURE, EXCEPTION, CANCELLED = 0, 2, 4, 6  # results as buildbot numbers them


class Master:
    """A running buildbot master, made as the README of the recipe says."""

    def __init__(self, story, folder, **more):
        self.folder = folder
        self.port = free_port()
        env = dict(os.environ, GUTS_URL=story.b.url, BUILD="sh run.sh", PORT=str(self.port), PYTHONDONTWRITEBYTECODE="1", **more)
        subprocess.run(["buildbot", "create-master", "-q", folder], check=True, capture_output=True, timeout=DEADLINE)
        shutil.copytree(os.path.join(CI, "buildbot"), folder, dirs_exist_ok=True)
        for name, secret in ("guts_token", story.token), ("hook", SECRET):
            path = os.path.join(folder, "secrets", name)
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(secret + "\n")
        self.start = lambda: running("buildbot", "start", "--nodaemon", folder, log=os.path.join(folder, "out.log"), env=env)

    def log(self):
        with open(os.path.join(self.folder, "twistd.log"), errors="replace") as f:
            return f.read()

    @contextlib.contextmanager
    def running(self, ready):
        """For as long as the block, from when its log says `ready`; what it logged is shown if the block fails."""
        try:
            with self.start():
                wait_for(lambda: os.path.exists(os.path.join(self.folder, "twistd.log")) and ready in self.log(), "a running buildbot")
                yield self
        except Exception:
            for line in self.log().splitlines()[-60:]:
                print("# buildbot: " + line)
            raise

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def get(self, path):
        return request(self.url, "GET", "/api/v2/" + path).json

    def builds(self):
        """(branch, commit) of each build that has ended, oldest first."""
        rows = self.get("builds?complete=true&order=buildid&property=branch&property=revision")["builds"]
        return [(b["properties"]["branch"][0], b["properties"]["revision"][0]) for b in rows]

    def log_of(self, number, step):
        """What that step of a build has printed so far."""
        return request(self.url, "GET", "/api/v2/builders/1/builds/%d/steps/%s/logs/stdio/raw" % (number, step)).data

    def build(self, status):
        """The build that a status links to."""
        prefix = self.url + "/#"
        assert status["target_url"].startswith(prefix), status
        return self.get(status["target_url"][len(prefix):])["builds"][0]


def page(tap, bot, folder, status):
    """Follow a status's link with a browser: www/index.html through buildbot's API."""
    text = "the link of a status shows the build, its steps and what they printed"
    if not shutil.which("chromium"):
        tap.skip(text, "no chromium here")
        return
    with tap.case(text):
        def show(url):
            return subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + folder,
                                   "--virtual-time-budget=%d" % (DEADLINE * 1000), "--dump-dom", url],
                                  capture_output=True, text=True, timeout=DEADLINE).stdout
        dom = show(status["target_url"])
        assert "<h2>#2: failure</h2>" in dom and "<h3>git: success</h3>" in dom and "<h3>build: failure</h3>" in dom, dom
        assert "program finished with exit code 3" in dom, dom
        dom = show(bot.url + "/")
        assert '<a href="#builders/1/builds/2">#2: failure</a>' in dom, dom


def deliveries(node, h):
    return node.get("/api/v1/hooks/%d/deliveries?per_page=100" % h["id"])


def verdict(s, bot, state, code, results):
    """One build with that exit code: what A shows of it; how long each way took."""
    began = time.time()
    tip = s.push(state, code)
    status = s.expect(tip, CONTEXT, state)
    assert status["description"] == "Build done." and bot.build(status)["results"] == results, status
    told = {(name, f["data"]["description"]): "%.2f s" % (seconds(f["time"]) - began) for name, node in (("A", s.a), ("B", s.b))
            for f in node.facts() if f["type"] == "status.created" and f["data"]["commit"] == tip}
    print("# %s: from git push to its build's start at B %s, to the start as seen at A %s, to the result at A %s" % (
        state, told["B", "Build started."], told.get(("A", "Build started.")), told["A", "Build done."]))
    combined = s.a.get("%s/commits/%s/status" % (s.path, tip))
    assert combined["state"] == ("success" if state == "success" else "failure") and combined["total_count"] == 1, combined
    return status


def verdicts(tap, s, bot):
    with tap.case("a green and a red build: A shows each with B's key and a link to the build"):
        verdict(s, bot, "success", 0, SUCCESS)
        red = verdict(s, bot, "failure", 3, FAILURE)
    page(tap, bot, os.path.join(bot.folder, "chromium"), red)
    with tap.case("a build that somebody stops is an error"):
        runs = os.path.join(bot.folder, "it-runs")
        tip = s.push("waits", "touch %s\nexec sleep %d" % (runs, DEADLINE))
        wait_for(lambda: os.path.exists(runs), "its command")
        answer = request(bot.url, "POST", "/api/v2/builders/1/builds/3", {"jsonrpc": "2.0", "method": "stop", "id": 1, "params": {}})
        assert answer.status == 200, answer.data
        assert bot.build(s.expect(tip, CONTEXT, "error"))["results"] == CANCELLED


def spread(tap, s, receiver):
    """What A's own webhook has told of all builds."""
    with tap.case("A's webhook `status` got what B signed"):
        def told(*states):
            return [d.json["state"] for d in receiver.of("status") if d.json["state"] in states]
        wait_for(lambda: len(told("error")) >= 2, "the results")
        assert set(told("pending", "success", "failure")) == {"pending", "success", "failure"}
        for d in receiver.of("status"):
            d.check_signatures(SECRET)
            assert d.json["context"] == CONTEXT and d.json["sender"]["login"] == s.b.id, d.json


def refs(tap, s, bot, built):
    """What makes a build besides a push to main, and what does not; `built` = what was built so far."""
    def expect(*new):
        built.extend(new)
        wait_for(lambda: len(bot.builds()) >= len(built), "builds %s" % (new,))
        assert bot.builds() == built, (bot.builds(), built)
        s.expect(new[-1][1], CONTEXT, "success")

    with tap.case("a push of three commits is one build, of the newest"):
        for word in "one", "two", "three":
            tip = s.commit(word, 0)
        s.git_push()
        expect(("main", tip))
    with tap.case("a tag is built"):
        git("tag", "-a", "-m", "first", "v1", cwd=s.work)
        s.git_push("v1")
        expect(("v1", tip))
    with tap.case("a new branch is built, and again when it is pushed by force"):
        git("checkout", "-q", "-b", "side", "HEAD~1", cwd=s.work)
        side = s.commit("side", 0)
        s.git_push("side")
        expect(("side", side))
        git("reset", "-q", "--hard", "HEAD~1", cwd=s.work)
        other = s.commit("other side", 0)
        s.git_push("+side")
        expect(("side", other))
    with tap.case("a branch that goes away builds nothing"):
        s.git_push(":side")
        git("checkout", "-q", "main", cwd=s.work)
        wait_for(lambda: s.b.request("GET", s.path + "/branches/side").status == 404, "the deletion at B")
        expect(("main", s.push("after", 0)))


def by_hook(tap, net):
    s = Story(net, "hook")
    receiver = Receiver()
    bot = Master(s, net.path("hook-master"))
    try:
        with bot.running("BuildMaster is running"):
            s.b.cli("hook", "add", bot.url + "/change_hook/github", "--repo", s.repo["id"], "--secret-file", "-", input=SECRET + "\n")
            h = s.b.get(s.path + "/hooks")[0]
            hook(s.a, s.repo, receiver.url(), events=["status"], config={"secret": SECRET})
            with tap.case("a ping is taken"):
                s.b.post("/api/v1/hooks/%d/pings" % h["id"])
                assert wait_for(lambda: (x := deliveries(s.b, h)) and x[0]["attempts"] and x[0], "the answer")["status_code"] == 200
            verdicts(tap, s, bot)
            refs(tap, s, bot, bot.builds())
            with tap.case("[skip ci] builds nothing, and buildbot has taken every delivery at its first attempt"):
                before = bot.builds()
                commit(s.work, "words only [skip ci]", {"words": "more\n"})
                s.git_push()
                tip = s.push("after words", 0)
                s.expect(tip, CONTEXT, "success")
                wait_for(lambda: len(bot.builds()) > len(before), "the end of the build")
                assert bot.builds() == before + [("main", tip)], bot.builds()
                rows = deliveries(s.b, h)
                assert {(d["status_code"], d["attempts"]) for d in rows} == {(200, 1)}, rows
            with tap.case("what cannot be tested is an error at A"):
                verdict(s, bot, "error", 125, EXCEPTION)  # the last: after it buildbot rests the worker for ten seconds
            spread(tap, s, receiver)
            with tap.case("the token is in no log"):
                assert s.token not in bot.log()
                for step in "git", "build":
                    log = bot.log_of(1, step).decode()
                    assert "environment:" in log and s.token not in log, log
    finally:
        receiver.close()
    s.stop()


def by_poll(tap, net):
    s = Story(net, "poll")
    full = s.b.repo(s.repo["id"])["full_name"]
    bot = Master(s, net.path("poll-master"), GUTS_REPO=full, POLL="1")
    with bot.running("gitpoller: processing changes"):
        with tap.case("GitPoller finds a push: green and red at A, signed by B"):
            s.check(CONTEXT)
    s.stop()


tap = Tap()
if shutil.which("buildbot") and shutil.which("buildbot-worker"):
    with tap.net() as net:
        by_hook(tap, net)
        by_poll(tap, net)
else:
    tap.skip("Debian's buildbot", "no buildbot here")
tap.done()
