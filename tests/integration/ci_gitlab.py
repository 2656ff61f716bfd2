"""ci_gitlab.py - examples/ci/gitlab.py as a runner's command.  Real here: the nodes, the runner, git and both remotes.  Standing
for GitLab: an HTTP server with the two answers of its API that the script reads; it looks at the mirrored commit to give them."""
import http.server
import json
import os
import re
import subprocess
import threading
import urllib.parse

from cilib import CI, Story, running
from gutslib import DEADLINE, GUTS, Tap, commit, git, ls_remote, work_tree

SCRIPT = os.path.join(CI, "gitlab.py")
PROJECT = "group/sub group/demo"


class GitLab:
    """GET projects/:id/pipelines and pipelines/:id/jobs.  A commit's pipeline is not there when first asked for, runs when asked
    again, and then has ended as `ends(commit)` says."""

    def __init__(self, token, ends):
        self.asked = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = outer.answer(self.path, self.headers.get("PRIVATE-TOKEN") == token, ends)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, is_known, ends):
        url = urllib.parse.urlsplit(path)
        base = "/api/v4/projects/%s/pipelines" % urllib.parse.quote(PROJECT, safe="")
        if not is_known:
            return 401, {"message": "401 Unauthorized"}
        if url.path == base:
            query = dict(urllib.parse.parse_qsl(url.query))
            key = query["sha"], query["ref"]
            self.asked[key] = self.asked.get(key, 0) + 1
            if self.asked[key] == 2:
                return 502, {}
            state = [None, "running"][self.asked[key] > 1] if self.asked[key] < 4 else ends(query["sha"])
            return 200, [{"id": 7, "status": state, "web_url": self.url + "/-/pipelines/7"}] if state else []
        if re.fullmatch(re.escape(base) + "/[0-9]+/jobs", url.path):
            return 200, [{"status": "failed", "name": "unit tests", "web_url": self.url + "/-/jobs/8"}]
        return 404, {"message": "404 Not Found"}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def on_nodes(tap, net):
    with tap.case("guts ci run with gitlab.py: mirrored with the token as password, green and red at A, the pipeline's link in the log"):
        s = Story(net, "lab")
        mirror = s.b.create("mirror")

        def ends(tip):
            text = s.b.request("GET", "/api/v1/repos/%s/raw/run.sh?ref=%s" % (mirror["id"], tip)).data.decode()
            return "success" if text.endswith("exit 0\n") else "failed"
        lab = GitLab(s.b.token, ends)
        secret = net.path("token")
        with open(secret, "w") as f:
            f.write(s.b.token + "\n")
        s.b.cli("ci", "add", s.repo["id"], "--context", "gitlab")
        variables = {"GITLAB_URL": lab.url, "GITLAB_PROJECT": PROJECT, "GITLAB_TOKEN_FILE": secret, "GITLAB_POLL": "0.1",
                     "GITLAB_GIT": s.b.git_url(mirror, token=None)}
        options = [x for k, v in variables.items() for x in ("--env", "%s=%s" % (k, v))]
        try:
            with running(GUTS, "ci", "run", "--dir", net.path(""), *options, "--", SCRIPT, env=s.environment):
                s.check("gitlab")
        finally:
            lab.close()
        tips = git("log", "--format=%H", "-2", cwd=s.work).split()
        assert s.b.refs(mirror["id"])["refs/heads/main"] == tips[0]
        texts = [s.b.request("GET", "%s/ci/jobs/%s/files/log" % (s.path, j["id"])).data.decode() for j in s.b.get("/api/v1/ci/jobs")]
        assert any("/-/pipelines/7: failed\nfailed     unit tests" in t for t in texts), texts
        assert any("/-/pipelines/7: running\n" in t and t.rstrip().endswith("/-/pipelines/7: success") for t in texts), texts
        assert not any(s.b.token in t for t in texts)
        s.stop()


def by_hand(tap, net):
    bare = net.path("bare.git")
    git("init", "-q", "--bare", bare)
    work = work_tree(net.path("work"), {"a": "1"})
    secret = net.path("token2")
    with open(secret, "w") as f:
        f.write("glpat-x\n")
    lab = GitLab("glpat-x", lambda tip: "success")
    base = {"PATH": os.environ["PATH"], "HOME": net.path(""), "GITLAB_URL": lab.url, "GITLAB_PROJECT": PROJECT, "GITLAB_TOKEN_FILE": secret,
            "GITLAB_GIT": bare, "GITLAB_POLL": "0.05", "GITLAB_WAIT": "0"}

    def run(tip, ref, **env):
        done = subprocess.run([SCRIPT], cwd=work, env=dict(base, GUTS_COMMIT=tip, GUTS_REF=ref, **env), capture_output=True, text=True,
                              timeout=DEADLINE)
        return done.returncode, done.stdout, done.stderr

    try:
        with tap.case("a stock git remote: branches by force, annotated tags as they are"):
            one = git("rev-parse", "main", cwd=work).strip()
            two = commit(work, "two", {"a": "2"})
            git("tag", "-a", "-m", "v1", "v1", cwd=work)
            for tip, ref in (two, "refs/heads/main"), (two, "refs/tags/v1"), (one, "refs/heads/main"):
                code, out, err = run(tip, ref, GITLAB_WAIT="60")
                assert code == 0 and out.endswith("/-/pipelines/7: success\n") and "GitLab says 502" in out, (code, out, err)
            refs = ls_remote(bare)
            assert refs["refs/heads/main"] == one and refs["refs/tags/v1^{}"] == two, refs
        with tap.case("no pipeline, a wrong token, a wrong project, a remote that takes nothing: exit code 2 and why"):
            three = commit(work, "three", {"a": "3"})
            code, out, err = run(three, "refs/heads/main")
            assert code == 2 and out == "no pipeline of %s on main\n" % three, (code, out, err)
            with open(net.path("wrong"), "w") as f:
                f.write("glpat-y\n")
            code, out, err = run(three, "refs/heads/main", GITLAB_TOKEN_FILE=net.path("wrong"))
            assert code == 2 and "GitLab says 401" in out, (code, out, err)
            code, out, err = run(three, "refs/heads/main", GITLAB_PROJECT="none")
            assert code == 2 and "GitLab says 404" in out, (code, out, err)
            code, out, err = run(three, "refs/heads/main", GITLAB_GIT=net.path("nothing"))
            assert code == 2 and not out and "nothing" in err, (code, out, err)
    finally:
        lab.close()


tap = Tap()
with tap.net() as net:
    by_hand(tap, net)
    on_nodes(tap, net)
tap.done()
