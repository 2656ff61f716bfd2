"""http_git.py - clones and fetches over HTTP beside nginx with git-http-backend (by fcgiwrap), which serves a copy of the same repository.

ls-remote, a whole clone, a clone of depth 1, and a fetch of the newest 100 commits into a clone that lacks them; the client is git each time.
"""
from benchlib import QUICK, compare, rounds
from gutslib import Net, git, wait_for
from nginxend import Nginx, program
import bigrepo
import glob
import os
import shutil
import signal
import subprocess
import time

COMMITS = 1000 if QUICK else 5000
ROUNDS = 1 if QUICK else 5
LOCATIONS = """\
		location / {
			fastcgi_pass unix:%(dir)s/cgi.sock;
			fastcgi_buffering off;
			fastcgi_param SCRIPT_FILENAME %(backend)s;
			fastcgi_param GIT_PROJECT_ROOT %(dir)s;
			fastcgi_param GIT_HTTP_EXPORT_ALL "";
			fastcgi_param GIT_PROTOCOL $http_git_protocol;
			fastcgi_param PATH_INFO $uri;
			fastcgi_param QUERY_STRING $query_string;
			fastcgi_param REQUEST_METHOD $request_method;
			fastcgi_param CONTENT_TYPE $content_type;
			fastcgi_param CONTENT_LENGTH $content_length;
			fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
			fastcgi_param REMOTE_ADDR $remote_addr;
			fastcgi_param SERVER_PROTOCOL $server_protocol;
		}
"""


class Backend:
    """nginx and fcgiwrap over the repositories in a folder."""

    def __init__(self, folder):
        self.cgi = subprocess.Popen([program("fcgiwrap"), "-c", "2", "-s", "unix:" + folder + "/cgi.sock"],
                                    env=dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null"),
                                    start_new_session=True)
        wait_for(lambda: os.path.exists(folder + "/cgi.sock"), "fcgiwrap")
        exec_path = subprocess.run(["git", "--exec-path"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.nginx = Nginx(folder, "\tclient_max_body_size 0;\n",
                           LOCATIONS % {"dir": folder, "backend": exec_path + "/git-http-backend"})
        self.url = self.nginx.url

    def stop(self):
        self.nginx.stop()
        os.killpg(self.cgi.pid, signal.SIGTERM)  # its workers outlive it otherwise
        self.cgi.wait(10)


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
