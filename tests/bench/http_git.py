"""http_git.py - clones and fetches over HTTP beside nginx with git-http-backend (by fcgiwrap), which serves a copy of the same repository.

ls-remote, a whole clone, a clone of depth 1, and a fetch of the newest 100 commits into a clone that lacks them; the client is git each time.
"""
from benchlib import QUICK, compare, rounds
from gutslib import Net, git, wait_for
from nginxend import Backend
import bigrepo
import glob
import os
import shutil
import time

COMMITS = 1000 if QUICK else 5000
ROUNDS = 1 if QUICK else 9  # the client does most of the work, and differs more from run to run than the servers do


def timed(*args, cwd=None):
    start = time.monotonic()
    git(*args, cwd=cwd, timeout=600)
    return (time.monotonic() - start) * 1e3


def main(net):
    big = net.path("source")
    bigrepo.make(big, COMMITS)
    git("branch", "old", "main~100", cwd=big)
    node = net.node()
    repo = node.create("big")
    git("-c", "http.postBuffer=1048576", "push", "-q", node.git_url(repo), "main", "old", cwd=big, timeout=600)
    wait_for(lambda: glob.glob(node.home + "/repos/*/*/objects/info/guts-last"), "the commit-graph", timeout=600)
    copy = net.path("big")
    shutil.copytree(glob.glob(node.home + "/repos/*/*.git")[0], copy)
    shutil.rmtree(copy + "/refs/namespaces", ignore_errors=True)
    with open(copy + "/packed-refs") as f:
        kept = [line for line in f if " refs/namespaces/" not in line]
    with open(copy + "/packed-refs", "w") as f:
        f.writelines(kept)
    git("clone", "-q", "--bare", "--single-branch", "--branch=old", node.git_url(repo), net.path("old"), timeout=600)
    target = net.path("target")

    def fresh(url, what):
        shutil.rmtree(target, ignore_errors=True)
        if what == "fetch":
            shutil.copytree(net.path("old"), target)
            return timed("fetch", "-q", url, "main", cwd=target)
        return timed("clone", "-q", "--bare", *what, url, target)

    backend = Backend(net.dir)
    try:
        urls = {"guts": node.git_url(repo), "nginx": backend.url + "/big"}
        for title, what in (("ls-remote", None), ("clone of %d commits" % COMMITS, []), ("clone of depth 1", ["--depth=1"]), ("fetch of 100 commits", "fetch")):
            got = rounds({name: (lambda url=url: timed("ls-remote", url) if what is None else fresh(url, what)) for name, url in urls.items()}, ROUNDS)
            compare(title, "ms", got["guts"], "nginx", got["nginx"], at_most=1.0)
    finally:
        backend.stop()


if __name__ == "__main__":
    net = Net()
    try:
        main(net)
    finally:
        net.close()
