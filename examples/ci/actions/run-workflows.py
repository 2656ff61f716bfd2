#!/usr/bin/python3
"""run-workflows.py - runs the `run:` steps of the checked-out commit's GitHub Actions workflows with a shell, in place.

	guts ci run -- /path/to/run-workflows.py          (or by hand in a checkout)

It reads .github/workflows/*.yml and *.yaml and runs those that `on: push` of this branch or tag starts.  Exit code: 0 all jobs
passed, 1 one failed, 2 a workflow wants what is not supported here; that is found before anything runs.

Supported: on push with branches, branches-ignore, tags, tags-ignore; env, defaults.run, needs, strategy.matrix of plain lists;
steps with run, name, id, env, shell (bash, sh, python), working-directory, continue-on-error, timeout-minutes, `if:` always(),
success() or failure(); GITHUB_ENV, GITHUB_OUTPUT, GITHUB_PATH, GITHUB_STEP_SUMMARY; ${{ }} with github.*, env.*, matrix.*,
steps.ID.outputs.NAME.  `uses: actions/checkout` is done already and skipped.  Jobs run one after another in this one tree, on
this machine, whatever Linux runs-on names; those for other systems are skipped.  Everything else is refused: other `uses:`,
container, services, secrets, reusable workflows, other expressions.

Needs Python 3 and python3-yaml.
"""
import glob
import itertools
import os
import re
import subprocess
import sys
import tempfile

import yaml

SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"], "sh": ["sh", "-e"], "python": ["python3"]}
CONDITIONS = ("always()", "success()", "failure()")
STEP_KEYS = {"run", "name", "id", "env", "shell", "working-directory", "continue-on-error", "timeout-minutes", "if", "uses", "with"}
JOB_KEYS = {"name", "runs-on", "env", "defaults", "needs", "strategy", "steps", "timeout-minutes", "permissions"}
WORKFLOW_KEYS = {"name", "run-name", "on", "env", "defaults", "jobs", "permissions", "concurrency"}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
KNOWN = re.compile(r"(github|env|matrix)\.[\w-]+$|steps\.[\w-]+\.outputs\.[\w-]+$")

PATTERN = re.compile(r"(\*\*)|(\*)|(\[[^]]*\]|[?+])|(.)")


class Unsupported(Exception):
    pass


def need(good, text):
    if not good:
        raise Unsupported(text)


def as_list(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def matches(name, patterns):
    """By GitHub's patterns: * stops at a slash, ** does not, ? and + are as in regular expressions, ! takes back."""
    found = False
    for pattern in as_list(patterns):
        rule = PATTERN.sub(lambda m: ".*" if m[1] else "[^/]*" if m[2] else m[3] or re.escape(m[4]), pattern.lstrip("!"))
        try:
            if re.fullmatch(rule, name):
                found = not pattern.startswith("!")
        except re.error:
            raise Unsupported("on.push: pattern %s" % pattern) from None
    return found


def is_wanted(on):
    """Does the push that this is start a workflow with this `on:`?"""
    events = {name: None for name in as_list(on)} if not isinstance(on, dict) else on
    if "push" not in events:
        return False
    rules = events["push"] or {}
    need(not set(rules) - {"branches", "branches-ignore", "tags", "tags-ignore"}, "on.push.%s" % "/".join(rules))
    kind, other = ("tags", "branches") if "GUTS_TAG" in os.environ else ("branches", "tags")
    name = os.environ.get("GUTS_TAG") or os.environ.get("GUTS_BRANCH", "")
    if kind in rules:
        return matches(name, rules[kind])
    if kind + "-ignore" in rules:
        return not matches(name, rules[kind + "-ignore"])
    return not (other in rules or other + "-ignore" in rules)


def condition(step):
    return EXPRESSION.sub(r"\1", str(step.get("if", "success()"))).strip()


def check_expressions(value, where):
    for e in EXPRESSION.findall(yaml.safe_dump(value, width=10**9)):
        need(KNOWN.match(e), "%s: ${{ %s }}" % (where, e))


def in_order(jobs):
    """Their names, each after those it needs."""
    names = []
    while len(names) < len(jobs):
        ready = [n for n in jobs if n not in names and all(x in names for x in as_list(jobs[n].get("needs")))]
        need(ready, "needs: a job that is not there, or a circle")
        names.append(ready[0])
    return names


def check_step(step, where):
    need(isinstance(step, dict) and not set(step) - STEP_KEYS, "%s: %s" % (where, "/".join(sorted(set(step) - STEP_KEYS))))
    if "uses" in step:
        need(str(step["uses"]).split("@")[0] == "actions/checkout", "%s: uses: %s" % (where, step["uses"]))
        return
    need("run" in step, "%s: neither run nor uses" % where)
    need(step.get("shell") in SHELLS, "%s: shell: %s" % (where, step.get("shell")))
    need(condition(step) in CONDITIONS, "%s: if: %s" % (where, step.get("if")))
    check_expressions({k: v for k, v in step.items() if k != "if"}, where)


def check_workflow(flow, where):
    """Refuse what would not do here what it does there."""
    need(not set(flow) - WORKFLOW_KEYS, "%s: %s" % (where, "/".join(sorted(set(flow) - WORKFLOW_KEYS))))
    for name, job in flow["jobs"].items():
        at = "%s: job %s" % (where, name)
        need(not set(job) - JOB_KEYS, "%s: %s" % (at, "/".join(sorted(set(job) - JOB_KEYS))))
        strategy = job.get("strategy") or {}
        need(not set(strategy) - {"matrix", "fail-fast", "max-parallel"}, "%s: strategy" % at)
        matrix = strategy.get("matrix") or {}
        need(isinstance(matrix, dict) and all(isinstance(v, list) for v in matrix.values()) and not {"include", "exclude"} & set(matrix),
             "%s: this matrix" % at)
        for defaults in (flow.get("defaults"), job.get("defaults")):
            need((defaults or {}).get("run", {}).get("shell") in SHELLS, "%s: defaults: %s" % (at, defaults))
        for i, step in enumerate(job.get("steps") or []):
            check_step(step, "%s: step %d" % (at, i + 1))
        check_expressions([flow.get("env"), flow.get("defaults"), {k: v for k, v in job.items() if k != "steps"}], at)
    in_order(flow["jobs"])


def load():
    """(file, workflow) of those that this push starts."""
    for path in sorted(glob.glob(".github/workflows/*.yml") + glob.glob(".github/workflows/*.yaml")):
        with open(path) as f:
            flow = yaml.safe_load(f)
        need(isinstance(flow, dict) and isinstance(flow.get("jobs"), dict), "%s: not a workflow" % path)
        if True in flow:  # `on` is a boolean in YAML 1.1
            flow["on"] = flow.pop(True)
        if is_wanted(flow.get("on")):
            check_workflow(flow, path)
            yield path, flow


def assignments(path):
    """The NAME=VALUE and NAME<<END lines of a file that a step has written."""
    with open(path) as f:
        lines = iter(f.read().splitlines())
    for line in lines:
        name, sign, value = re.match(r"([^=<]*)(<<|=|$)(.*)", line).groups()
        if sign == "<<":
            value = "\n".join(itertools.takewhile(lambda x, end=value: x != end, lines))
        if sign:
            yield name.strip(), value


def github_variables(flow):
    get = os.environ.get
    ref = get("GUTS_REF", "")
    return {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": os.getcwd(), "GITHUB_REF": ref, "GITHUB_SHA": get("GUTS_COMMIT", ""),
            "GITHUB_REF_NAME": ref.split("/", 2)[-1], "GITHUB_REF_TYPE": "tag" if "GUTS_TAG" in os.environ else "branch",
            "GITHUB_EVENT_NAME": "push", "GITHUB_REPOSITORY": get("GUTS_REPOSITORY", ""), "GITHUB_RUN_ID": get("GUTS_JOB", ""),
            "GITHUB_WORKFLOW": str(flow.get("name", "")), "RUNNER_OS": "Linux"}


class Job:
    """One job with one row of its matrix."""

    def __init__(self, name, job, flow, matrix, folder):
        self.job, self.flow, self.matrix, self.folder = job, flow, matrix, folder
        self.title = name + ("" if not matrix else " (%s)" % ", ".join(str(v) for v in matrix.values()))
        self.github = dict(github_variables(flow), GITHUB_JOB=name, RUNNER_TEMP=folder)
        self.outputs = {}
        self.added = {}  # by GITHUB_ENV
        self.paths = []  # by GITHUB_PATH
        self.has_failed = False

    def text(self, value, env):
        """A value with its expressions replaced."""
        def replace(m):
            kind, _, name = m.group(1).partition(".")
            if kind == "github":
                return self.github.get("GITHUB_" + name.upper(), "")
            if kind == "steps":
                step, _, output = name.split(".")
                return self.outputs.get(step, {}).get(output, "")
            return str((env if kind == "env" else self.matrix).get(name, ""))
        return EXPRESSION.sub(replace, "true" if value is True else "false" if value is False else str(value))

    def environment(self, step):
        env = dict(os.environ, **self.github)
        for layer in (self.flow.get("env"), self.job.get("env"), self.added, step.get("env")):
            env.update({k: self.text(v, env) for k, v in (layer or {}).items()})
        env["PATH"] = os.pathsep.join(self.paths + [env["PATH"]])
        return env

    def default(self, key):
        for level in (self.job, self.flow):
            value = ((level.get("defaults") or {}).get("run") or {}).get(key)
            if value is not None:
                return value
        return None

    def run_step(self, number, step):
        """The step's exit code."""
        files = {}
        for name in "ENV", "OUTPUT", "PATH", "STEP_SUMMARY":
            files[name] = os.path.join(self.folder, "%s-%d" % (name, number))
            open(files[name], "w").close()
        env = dict(self.environment(step), **{"GITHUB_" + k: v for k, v in files.items()})
        script = os.path.join(self.folder, "step-%d" % number)
        with open(script, "w") as f:
            f.write(self.text(step["run"], env))
        command = SHELLS[step.get("shell") or self.default("shell")] + [script]
        where = self.text(step.get("working-directory") or self.default("working-directory") or ".", env)
        limit = step.get("timeout-minutes")
        try:
            code = subprocess.run(command, cwd=where, env=env, stdin=subprocess.DEVNULL, timeout=float(limit) * 60 if limit else None).returncode
        except subprocess.TimeoutExpired:
            print("ended after %s minutes" % limit)
            code = 124
        self.added.update(assignments(files["ENV"]))
        self.outputs[str(step.get("id"))] = dict(assignments(files["OUTPUT"]))
        with open(files["PATH"]) as f:
            self.paths[:0] = f.read().splitlines()
        return code

    def run(self):
        """Did it pass?"""
        for number, step in enumerate(self.job.get("steps") or [], 1):
            title = "%s: %s" % (self.title, step.get("name") or step.get("uses") or str(step["run"]).strip().split("\n")[0])
            if "uses" in step or condition(step) == ("success()" if self.has_failed else "failure()"):
                print("== %s (skipped)" % title, flush=True)
                continue
            print("== %s" % title, flush=True)
            code = self.run_step(number, step)
            if code:
                print("exit code %d" % code, flush=True)
                self.has_failed |= step.get("continue-on-error") is not True
        return not self.has_failed


def run_workflow(flow):
    """Jobs in the order that `needs` asks for; did all pass?"""
    passed = {}
    for name in in_order(flow["jobs"]):
        job = flow["jobs"][name]
        needed = all(passed[x] for x in as_list(job.get("needs")))
        matrix = (job.get("strategy") or {}).get("matrix") or {}
        passed[name] = needed
        for row in itertools.product(*matrix.values()):
            with tempfile.TemporaryDirectory() as folder:
                one = Job(name, job, flow, dict(zip(matrix, row)), folder)
                system = one.text(job.get("runs-on", ""), {})
                if re.search("windows|macos", system):
                    print("== %s (skipped: runs on %s)" % (one.title, system), flush=True)
                elif needed:
                    passed[name] &= one.run()
                else:
                    print("== %s (skipped: what it needs failed)" % one.title, flush=True)
    return all(passed.values())


def main():
    try:
        flows = list(load())
        for path, flow in flows:
            print("= %s" % flow.get("name", path), flush=True)
        return 0 if all([run_workflow(flow) for _, flow in flows]) else 1
    except (Unsupported, yaml.YAMLError) as e:
        print("not supported: %s" % e, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
