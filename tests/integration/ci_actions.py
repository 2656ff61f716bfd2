"""ci_actions.py - examples/ci/actions: a commit's GitHub Actions workflows, run by `guts ci run` and by hand."""
import os
import subprocess

from cilib import CI, Story, running
from gutslib import DEADLINE, GUTS, Tap

SCRIPT = os.path.join(CI, "actions", "run-workflows.py")
PYTHON = "/usr/bin/python3"  # Debian's, which sees python3-yaml

CHECK = """\
name: check
on: {push: {branches: ["*"]}}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: tests
        run: sh run.sh
"""
EVERYTHING = """\
name: everything
on: [push, pull_request]
env: {WHO: all}
jobs:
  last:
    needs: first
    runs-on: ${{ matrix.os }}
    strategy: {matrix: {os: [ubuntu-22.04, windows-2022], n: [1, 2]}}
    steps:
      - run: echo "n is ${{ matrix.n }} of $WHO at $GITHUB_SHA"
  first:
    runs-on: [self-hosted, linux]
    env: {WHO: me}
    defaults: {run: {working-directory: sub}}
    steps:
      - id: one
        run: |
          echo "word=two words" >>"$GITHUB_OUTPUT"
          printf 'LINES<<END\\na\\nb\\nEND\\n' >>"$GITHUB_ENV"
          echo "$PWD/bin" >>"$GITHUB_PATH"
          false | cat
      - run: |
          echo "${{ steps.one.outputs.word }}, ${{ env.WHO }}, ${{github.ref_name}}"; echo "$LINES"; tool; pwd
        env: {EXTRA: "${{ env.WHO }}!"}
      - run: print("python,", "of", __import__("os").environ["WHO"])
        shell: python
      - run: exit 9
        continue-on-error: true
      - run: echo "never"
        if: failure()
      - run: echo "${{ env.EXTRA }}"; exit 5
        env: {EXTRA: "${{ env.WHO }}!"}
      - run: echo "too late"
      - run: echo "mourns"
        if: ${{ failure() }}
      - run: echo "cleans"
        if: always()
"""
REFUSED = {
    "another action": ("uses: actions/setup-node", "- uses: actions/setup-node@v4"),
    "a secret": ("secrets.KEY", "- run: echo ${{ secrets.KEY }}"),
    "a function": ("hashFiles", "- run: echo ${{ hashFiles('x') }}"),
    "another condition": ("if: github.ref", "- {run: 'true', if: github.ref == 'x'}"),
    "another shell": ("shell: pwsh", "- {run: 'true', shell: pwsh}"),
    "an unknown key of a step": ("frobnicate", "- {run: 'true', frobnicate: 1}"),
    "a container": ("container", "- run: 'true'\n    container: debian:12"),
    "a circle": ("circle", "- run: 'true'\n    needs: test"),
}


def workflow(folder, text, name="w.yml"):
    path = os.path.join(folder, ".github", "workflows", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def run(folder, **env):
    """Exit code, standard output, standard error."""
    full = {"PATH": os.environ["PATH"], "HOME": folder, "GUTS_REF": "refs/heads/main", "GUTS_BRANCH": "main", "GUTS_COMMIT": "5" * 40}
    if "GUTS_TAG" in env:
        del full["GUTS_BRANCH"]
    done = subprocess.run([SCRIPT], cwd=folder, env=dict(full, **env), capture_output=True, text=True, timeout=DEADLINE)
    return done.returncode, done.stdout, done.stderr


def on_nodes(tap, net):
    with tap.case("guts ci run with run-workflows.py: green, red and refused at A, the steps in the job's log"):
        s = Story(net, "act")
        workflow(s.work, CHECK)
        s.b.cli("ci", "add", s.repo["id"], "--context", "actions")
        with running(GUTS, "ci", "run", "--dir", net.path(""), "--", SCRIPT, env=s.environment):
            s.check("actions")
            workflow(s.work, CHECK.replace("run: sh run.sh", "uses: some/thing@v1"))
            tip = s.push("refused", 0)
            s.expect(tip, "actions", "failure")
        jobs = s.b.get("/api/v1/ci/jobs")
        texts = [s.b.request("GET", "%s/ci/jobs/%s/files/log" % (s.path, j["id"])).data.decode() for j in jobs]
        assert any("== test: tests\nexit code 3" in t for t in texts), texts
        assert any("not supported: .github/workflows/w.yml: job test: step 2: uses: some/thing@v1" in t for t in texts), texts
        s.stop()


def by_hand(tap, net):
    folder = net.path("tree")
    os.makedirs(os.path.join(folder, "sub", "bin"))
    tool = os.path.join(folder, "sub", "bin", "tool")
    with open(tool, "w") as f:
        f.write("#!/bin/sh\necho the tool of $EXTRA\n")
    os.chmod(tool, 0o755)
    with tap.case("what is supported does what it says"):
        workflow(folder, EVERYTHING)
        code, out, err = run(folder)
        assert code == 1 and not err, (code, out, err)
        for line in ("two words, me, main", "a\nb\nthe tool of me!\n" + os.path.join(folder, "sub"), "python, of me", "exit code 9", "me!\nexit code 5",
                     "mourns", "cleans", "== last (ubuntu-22.04, 1) (skipped: what it needs failed)",
                     "== last (windows-2022, 2) (skipped: runs on windows-2022)"):
            assert "\n" + line in out, (line, out)
        assert "\nnever" not in out and "\ntoo late" not in out, out
        workflow(folder, EVERYTHING.replace("exit 5", "true"))
        code, out, err = run(folder)
        assert code == 0 and "\nn is 2 of all at " + "5" * 40 in out, (code, out, err)
    with tap.case("only what the push starts runs"):
        for on, ref, runs in (("push", "main", True), ("pull_request", "main", False), ("{push: {branches: [rel/*]}}", "main", False),
                              ("{push: {branches: [rel/*]}}", "rel/1", True), ("{push: {branches-ignore: [main]}}", "main", False),
                              ("{push: {branches: ['*']}}", "rel/1", False),
                              ("{push: {branches: ['**', '!rel/**']}}", "rel/1", False), ("{push: {branches: ['re?l/[0-9]+']}}", "rel/1", True),
                              ("{push: {branches: ['mai.']}}", "main", False), ("{push: {branches: [main]}}", "v1", False), ("{push: {tags: ['v*']}}", "v1", True), ("{push: null}", "v1", True)):
            workflow(folder, CHECK.replace('{push: {branches: ["*"]}}', on).replace("sh run.sh", "echo it runs"))
            kind = {"GUTS_TAG": ref, "GUTS_REF": "refs/tags/" + ref} if ref == "v1" else {"GUTS_BRANCH": ref, "GUTS_REF": "refs/heads/" + ref}
            code, out, err = run(folder, **kind)
            assert code == 0 and ("it runs" in out) == runs, (on, ref, code, out, err)
    with tap.case("what is not supported is refused before anything runs"):
        for what, (message, steps) in REFUSED.items():
            workflow(folder, CHECK.replace("- name: tests\n        run: sh run.sh", "- run: echo it runs\n      " + steps))
            code, out, err = run(folder)
            assert code == 2 and not out and message in err, (what, code, out, err)
        workflow(folder, CHECK.replace('["*"]', '["?x"]'))
        code, out, err = run(folder)
        assert code == 2 and not out and "pattern ?x" in err, (code, out, err)
        workflow(folder, "on: push\njobs: [")
        code, out, err = run(folder)
        assert code == 2 and not out, (code, out, err)


tap = Tap()
if subprocess.run([PYTHON, "-c", "import yaml"], capture_output=True).returncode == 0:
    with tap.net() as net:
        by_hand(tap, net)
        on_nodes(tap, net)
else:
    tap.skip("GitHub Actions workflows", "no python3-yaml here")
tap.done()
