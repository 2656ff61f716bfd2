"""clone.py - a whole repository from one node to another beside `git clone` of the same from `git daemon`.

20,000 commits, about 105 MB packed.  A new node is linked to the one that has it, and is waited for until it shows
main; `git daemon` serves the repository as git fast-import made it, to a bare clone.
"""
from benchlib import QUICK, compare, rounds
from gutslib import GIT_ENV, Net, git, wait_for
import bigrepo
import os
import shutil
import socket
import subprocess
import threading
import time

COMMITS = 2000 if QUICK else bigrepo.COMMITS
ROUNDS = 1 if QUICK else 3


class Daemon:
    """`git daemon` started for each connection, as inetd does it: the port is one the kernel chose."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "git://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            with conn:
                subprocess.run(["git", "daemon", "--inetd", "--export-all", "--base-path=" + self.folder],
                               stdin=conn, stdout=conn, stderr=subprocess.DEVNULL, env=dict(os.environ, **GIT_ENV))

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)


def by_git(net, daemon):
    path = net.path("clone")
    start = time.monotonic()
    git("clone", "-q", "--bare", daemon.url + "/big", path, timeout=600)
    took = time.monotonic() - start
    shutil.rmtree(path)
    return took


def by_guts(net, a, rid, tip):
    b = net.node("B%d" % len(net.nodes))
    start = time.monotonic()
    b.post("/api/v1/peers", {"address": a.addr})
    wait_for(lambda: b.refs(rid).get("refs/heads/main") == tip, "main on B", timeout=600)
    took = time.monotonic() - start
    b.stop()
    shutil.rmtree(b.home)
    return took


def main(net):
    big = net.path("big")
    tip = bigrepo.make(big, COMMITS)
    size = sum(os.path.getsize(os.path.join(big, "objects/pack", f)) for f in os.listdir(big + "/objects/pack"))
    a = net.node("A")
    repo = a.create("big")
    start = time.monotonic()
    git("-c", "http.postBuffer=1048576", "push", "-q", a.git_url(repo), "main", cwd=big, timeout=600)
    print("  %d commits, %.0f MB, pushed in %.1f s" % (COMMITS, size / 1e6, time.monotonic() - start))
    daemon = Daemon(net.dir)
    try:
        got = rounds({"guts": lambda: by_guts(net, a, repo["id"], tip), "git": lambda: by_git(net, daemon)}, ROUNDS)
    finally:
        daemon.stop()
    compare("first copy over the network", "s", got["guts"], "git clone", got["git"], at_most=0.5)


if __name__ == "__main__":
    net = Net()
    try:
        main(net)
    finally:
        net.close()
