"""fastimport - a bare repository from a stream of git fast-import."""
import subprocess
import sys


def make(path, stream, commits):
    """stream(out, commits) writes the commits of main; returns the id of the newest."""
    git = ["git", "-C", path]
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", path], check=True)
    with subprocess.Popen(git + ["fast-import", "--quiet", "--done"], stdin=subprocess.PIPE) as p:
        stream(p.stdin, commits)
        p.stdin.close()
        if p.wait() != 0:
            raise RuntimeError("git fast-import failed")
    return subprocess.run(git + ["rev-parse", "main"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main(make, commits):
    """The command line PATH [COMMITS]."""
    print(make(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else commits))
