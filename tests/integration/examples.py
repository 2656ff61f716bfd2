"""Every file of examples/ runs against a live node and shows what it promises."""
import os
import subprocess
import threading

from gutslib import DEADLINE, SRCDIR, Tap, commit, git, own_address, wait_for, work_tree

EXAMPLES = os.path.join(SRCDIR, "examples")
NODE = os.environ.get("NODE") or "node"

tap = Tap()


def environment(node, **more):
    return dict(os.environ, GUTS_URL=node.url, GUTS_TOKEN=node.token, PYTHONUNBUFFERED="1", **more)


class Watcher:
    """A program that follows events; `saw` waits for a line of its output."""

    def __init__(self, *command, env):
        self.lines = []
        self.process = subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        self.thread = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.thread.start()

    def saw(self, *words):
        return wait_for(lambda: next((x for x in self.lines if all(w in x for w in words)), None),
                        "line with %s in %s" % (words, self.lines))

    def __enter__(self):
        return self

    def __exit__(self, *e):
        self.process.kill()
        self.process.wait()


with tap.net() as net:
    a = net.node("A", http=own_address() + ":0")
    repo = a.create("demo")
    work = work_tree(net.path("work"))
    git("push", "-q", a.git_url(repo), "main", cwd=work)

    with tap.case("rest.sh looks around, makes a repository and speaks on a topic"):
        done = subprocess.run([EXAMPLES + "/rest.sh", "from-example"], env=environment(a), capture_output=True, text=True,
                              timeout=DEADLINE)
        assert done.returncode == 0, done.stdout + done.stderr
        assert a.id in done.stdout and '"from-example"' in done.stdout and "hello from rest.sh" in done.stdout, done.stdout
        assert any(r["name"] == "from-example" for r in a.get("/api/v1/repos"))

    with tap.case("rest.sh shows why it was refused"):
        done = subprocess.run([EXAMPLES + "/rest.sh", "from-example"], env=environment(a), capture_output=True, text=True,
                              timeout=DEADLINE)
        assert done.returncode != 0 and "message" in done.stdout, done.stdout + done.stderr

    with tap.case("tail.sh prints events as they come"):
        with Watcher(EXAMPLES + "/tail.sh", "type=repo.*", env=environment(a)) as w:
            w.saw("hello")
            tip = commit(work, "seen by tail.sh")
            git("push", "-q", a.git_url(repo), "main", cwd=work)
            w.saw("repo.ref.updated", tip)

    for name, command in (("watch.py", ["python3", EXAMPLES + "/watch.py", "--since", "0"]),
                          ("watch.mjs", [NODE, EXAMPLES + "/watch.mjs"])):
        with tap.case(name + " sees each push, also one made while it was cut off by a restart of the node"):
            env = environment(a)
            with Watcher(*command, env=env) as w:
                def seen():
                    tip = commit(work, "seen by " + name)
                    git("push", "-q", a.git_url(repo), "main", cwd=work)
                    return any(tip in x for x in w.lines)

                wait_for(seen, "a push in the output of " + name, every=0.5)
                a.stop()
                a.keep_port()
                w.saw("connection lost")
                a.start()
                tip = commit(work, "after the restart")
                git("push", "-q", a.git_url(repo), "main", cwd=work)
                w.saw(repo["id"], "refs/heads/main", tip)

    with tap.case("ci/on-push.sh reports good and bad commits, each once"):
        def run():
            subprocess.run([EXAMPLES + "/ci/on-push.sh", "sh", "run"], check=True, timeout=DEADLINE,
                           env=environment(a, CI_STATE=net.path("ci-state"), CI_ONCE="1"))

        run()  # begins with what comes
        good = commit(work, "good", {"run": "exit 0\n"})
        git("push", "-q", a.git_url(repo), "main", cwd=work)
        bad = commit(work, "bad", {"run": "exit 3\n"})
        git("push", "-q", a.git_url(repo), "main:refs/heads/bad", cwd=work)
        run()
        run()
        for sha, result in ((good, "success"), (bad, "failure")):
            rows = a.get("/api/v1/repos/%s/commits/%s/statuses" % (repo["id"], sha))
            assert [r["state"] for r in rows if r["context"] == "on-push"][0] == result, rows
            facts = [f for f in a.facts() if f["type"] == "status.created" and f["data"]["commit"] == sha]
            assert [f["data"]["state"] for f in facts] == ["pending", result], facts
        assert not a.get("/api/v1/repos/%s/commits/%s/statuses" % (repo["id"], tip))

tap.done()
