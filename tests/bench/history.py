"""history.py - questions about 60,000 commits by REST, beside git in the same repository with the same commit-graph.

warm: asked again.  cold: the first question to a node that has just started, the disk's pages being in memory.  git is a process each time.
"""
from benchlib import QUICK, compare, figure, rounds
from gutslib import Net, git, wait_for
import glob
import historyrepo
import os
import subprocess
import time

COMMITS = historyrepo.COMMITS // 10 if QUICK else historyrepo.COMMITS
QUESTIONS = [
    ("number of commits", "/commit-count", "git rev-list --count main"),
    ("first page of commits", "/commits?per_page=30", "git log -30 main"),
    ("commits of one path", "/commits?path=dir3/sub2/f7&per_page=30", "git log -30 main -- dir3/sub2/f7"),
    ("commits of a path that rarely changes", "/commits?path=top5", "git log main -- top5"),
    ("last commits of the top folder", "/last-commits",
     "for n in $(git ls-tree --name-only main); do git log -1 main -- $n; done"),
    ("contents of the top folder, with last commits", "/contents",
     "for n in $(git ls-tree --name-only main); do git log -1 main -- $n; done"),
    ("contributors", "/contributors", "git shortlog -sne main"),
]


def took(fn):
    start = time.perf_counter()
    fn()
    return (time.perf_counter() - start) * 1e3


def main():
    net = Net()
    try:
        source = net.path("source.git")
        historyrepo.make(source, COMMITS)
        node = net.node()
        repo = node.create("long")
        git("push", "-q", node.git_url(repo), "main", cwd=source, timeout=600)
        start = time.perf_counter()
        wait_for(lambda: glob.glob(node.home + "/repos/*/*/objects/info/guts-people"), "the index", timeout=600)
        figure("index of %d commits, from the end of the push" % COMMITS, "s", [time.perf_counter() - start])
        disk, = glob.glob(node.home + "/repos/*/*.git")
        for name, path, command in QUESTIONS:
            url = "/api/v1/repos/" + repo["id"] + path
            cold = []

            def ask():
                answer = node.request("GET", url)
                assert answer.status == 200 and "x-incomplete-results" not in answer.headers, answer.headers

            def ask_cold():
                node.restart()
                cold.append(took(ask))
                return took(ask)

            got = rounds({"guts": ask_cold, "git": lambda: took(lambda: subprocess.run(
                command, shell=True, cwd=disk, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, GIT_DIR=disk)))})
            compare(name, "ms", got["guts"], "git", got["git"])
            figure(name + ", warm", "ms", got["guts"], at_most=20)
            figure(name + ", cold", "ms", cold, at_most=200)
    finally:
        net.close()


if __name__ == "__main__":
    main()
