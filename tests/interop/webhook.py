"""webhook.py - Debian's `webhook` program as a receiver: it checks the signature and the branch, and runs a command on a push."""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from cilib import answers, running  # noqa: E402
from gutslib import Tap, commit, free_port, git, wait_for, work_tree  # noqa: E402
from hooklib import ALLOW, hook  # noqa: E402

SECRET = "between the two"
SCRIPT = """#!/bin/sh -e
# clone what was pushed and leave a note of it
git clone -q "$1" "$3/clone-$2"
cd "$3/clone-$2"
git checkout -q "$2"
cat word >"$3/built-$2.part"
mv "$3/built-$2.part" "$3/built-$2"
"""


def rules(script, folder):
    def value(name):
        return {"source": "payload", "name": name}
    return [{"id": "push", "execute-command": script, "command-working-directory": folder,
             "pass-arguments-to-command": [value("repository.clone_url"), value("head_commit.id"), {"source": "string", "name": folder}],
             "trigger-rule-mismatch-http-response-code": 403,
             "trigger-rule": {"and": [
                 {"match": {"type": "payload-hmac-sha256", "secret": SECRET,
                            "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}},
                 {"match": {"type": "value", "value": "refs/heads/main", "parameter": value("ref")}}]}}]


def main(tap, net):
    folder = net.path("ci")
    os.mkdir(folder)
    script = os.path.join(folder, "build")
    with open(script, "w") as f:
        f.write(SCRIPT)
    os.chmod(script, 0o755)
    with open(os.path.join(folder, "hooks.json"), "w") as f:
        json.dump(rules(script, folder), f)
    port = free_port()
    with running("webhook", "-hooks", os.path.join(folder, "hooks.json"), "-ip", "127.0.0.1", "-port", str(port)):
        wait_for(lambda: answers(port), "the receiver")
        a = net.node("A", args=ALLOW)
        repo = a.create("demo")
        work = work_tree(net.path("work"), {"word": "one\n"})
        url = "http://127.0.0.1:%d/hooks/push" % port
        h = hook(a, repo, url, config={"secret": SECRET})
        path = "/api/v1/hooks/%d/deliveries" % h["id"]

        def result(n):
            return wait_for(lambda: len(x := a.get(path)) >= n and x[0]["attempts"] and x[0], "delivery %d" % n)

        with tap.case("a push runs the command, which clones from the node"):
            for word in ("one", "two"):
                sha = commit(work, word, {"word": word + "\n"})
                git("push", a.git_url(repo), "main", cwd=work)
                note = os.path.join(folder, "built-" + sha)
                wait_for(lambda: os.path.exists(note), "the build of " + word)
                with open(note) as f:
                    assert f.read() == word + "\n"
            assert result(2)["status_code"] == 200
        with tap.case("a ping is refused by its rules, and the hook stays active"):
            a.post("/api/v1/hooks/%d/pings" % h["id"])
            assert result(3)["status_code"] == 403
            assert a.get("/api/v1/hooks/%d" % h["id"])["active"]
        with tap.case("with a wrong secret nothing runs"):
            a.delete("/api/v1/hooks/%d" % h["id"])
            wrong = hook(a, repo, url, config={"secret": "another"})
            sha = commit(work, "three", {"word": "three\n"})
            git("push", a.git_url(repo), "main", cwd=work)
            path = "/api/v1/hooks/%d/deliveries" % wrong["id"]
            assert wait_for(lambda: (x := a.get(path)) and x[0]["attempts"] and x[0], "the refusal")["status_code"] in (403, 500)
            assert not os.path.exists(os.path.join(folder, "built-" + sha)) and not os.path.exists(os.path.join(folder, "clone-" + sha))


tap = Tap()
if shutil.which("webhook"):
    with tap.net() as net:
        main(tap, net)
else:
    tap.skip("Debian's webhook as a receiver", "no webhook here")
tap.done()
