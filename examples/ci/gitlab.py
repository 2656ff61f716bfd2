#!/usr/bin/python3
"""gitlab.py - lets a GitLab build what is pushed here: mirrors the commit to a project there, waits for its pipeline, and ends as
that ended.  A command for a runner, which reports the result with this node's key and keeps what is printed as the log:

	guts ci run --env GITLAB_URL --env GITLAB_PROJECT --env GITLAB_TOKEN_FILE -- /path/to/gitlab.py

	GITLAB_URL         https://gitlab.example
	GITLAB_PROJECT     group/name
	GITLAB_TOKEN_FILE  a file with a project access token: scopes api (or read_api) and write_repository
	GITLAB_GIT         where to push, if not to GITLAB_URL/GITLAB_PROJECT.git
	GITLAB_POLL        how often to ask, in seconds (default 10)
	GITLAB_WAIT        how long to wait for a pipeline to appear, in seconds (default 300)

Branches are pushed by force and tags as they are: there they follow this repository.  Exit code: 0 the pipeline passed, 1 it did
not, 2 there is none, or it waits for somebody.
"""
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PASSED = {"success"}
FAILED = {"failed", "canceled"}
NEITHER = {"manual", "scheduled", "skipped"}
# The token goes to git through its environment: nobody sees it in a list of processes, and it is in no log.
HELPER = "!f() { echo username=oauth2; echo \"password=$GITLAB_TOKEN\"; }; f"


class GitLab:
    def __init__(self, url, project, token):
        self.api = "%s/api/v4/projects/%s" % (url.rstrip("/"), urllib.parse.quote(project, safe=""))
        self.token = token

    def get(self, path, **query):
        request = urllib.request.Request("%s/%s?%s" % (self.api, path, urllib.parse.urlencode(query)), headers={"PRIVATE-TOKEN": self.token})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def pipeline(self, commit, ref):
        """The newest pipeline of this commit on this ref, None if there is none yet."""
        rows = self.get("pipelines", sha=commit, ref=ref, order_by="id", sort="desc", per_page=1)
        return rows[0] if rows else None


def push(url, commit, ref, token):
    if url.startswith("-"):
        sys.exit("GITLAB_GIT: not an address")
    is_branch = ref.startswith("refs/heads/")
    command = ["git", "-c", "credential.helper=", "-c", "credential.helper=" + HELPER, "push", "--quiet", url,
               "%s%s:%s" % ("+" if is_branch else "", commit if is_branch else ref, ref)]
    return subprocess.run(command, env=dict(os.environ, GITLAB_TOKEN=token, GIT_TERMINAL_PROMPT="0")).returncode == 0


def follow(gitlab, commit, ref, poll, wait):
    """Print what becomes of the pipeline; the exit code it stands for."""
    state, waited = None, 0
    while True:
        try:
            pipeline = gitlab.pipeline(commit, ref)
        except urllib.error.HTTPError as e:
            print("GitLab says %d %s" % (e.code, e.reason), flush=True)
            if e.code < 500 and e.code != 429:
                return 2
            pipeline = None
        except OSError as e:  # it is being restarted, or the network is away
            print("asking again: %s" % e, flush=True)
            pipeline = None
        if pipeline and pipeline["status"] != state:
            state = pipeline["status"]
            print("%s: %s" % (pipeline["web_url"], state), flush=True)
        if state in PASSED:
            return 0
        if state in FAILED | NEITHER:
            if state in FAILED:
                for job in gitlab.get("pipelines/%d/jobs" % pipeline["id"], per_page=100):
                    print("%-10s %s %s" % (job["status"], job["name"], job["web_url"]))
            return 1 if state in FAILED else 2
        if state is None and waited >= wait:
            print("no pipeline of %s on %s" % (commit, ref))
            return 2
        time.sleep(poll)
        waited += poll


def main():
    env = os.environ
    commit, ref = env["GUTS_COMMIT"], env["GUTS_REF"]
    with open(env["GITLAB_TOKEN_FILE"]) as f:
        token = f.readline().strip()
    git = env.get("GITLAB_GIT") or "%s/%s.git" % (env["GITLAB_URL"].rstrip("/"), env["GITLAB_PROJECT"])
    if not push(git, commit, ref, token):
        return 2
    gitlab = GitLab(env["GITLAB_URL"], env["GITLAB_PROJECT"], token)
    return follow(gitlab, commit, ref.split("/", 2)[2], float(env.get("GITLAB_POLL", "10")), float(env.get("GITLAB_WAIT", "300")))


if __name__ == "__main__":
    sys.exit(main())
