"""The demo verifies itself: it must end with 0 on a repository with branches and tags, with 1 when a node is missing, and
leave no process and no folder behind."""
import os
import subprocess
import sys
import tempfile

from gutslib import GUTS, SRCDIR, Tap, commit, git, work_tree

tap = Tap()
DEMO = os.path.join(SRCDIR, "tools", "demo.py")


def demo(*args, tmp, **env):
    return subprocess.run([sys.executable, DEMO, "--once"] + list(args), capture_output=True, text=True, timeout=500,
                          env=dict(os.environ, TMPDIR=tmp, **dict({"GUTS": GUTS, "GUTS_SRCDIR": SRCDIR}, **env)), stdin=subprocess.DEVNULL)


def left_behind(tmp):
    """Nodes whose home is in this folder."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if b"run" in words and any(w.startswith(tmp.encode()) for w in words):
            out.append(pid)
    return out


with tempfile.TemporaryDirectory(prefix="guts-demo-") as tmp:
    source = work_tree(os.path.join(tmp, "guts"), {"a.txt": "a\n" * 1000})
    for i in range(30):
        commit(source, "commit %d" % i, {"dir/f%d" % (i % 7): "%d\n" % i * 100})
    git("tag", "light", cwd=source)
    git("tag", "-a", "-m", "annotated", "v1.0", "HEAD~3", cwd=source)
    git("branch", "feature/x", "HEAD~5", cwd=source)
    os.mkdir(os.path.join(tmp, "run"))

    with tap.case("a repository with branches and tags goes the whole way"):
        done = demo("--repo", source, tmp=tmp + "/run")
        assert done.returncode == 0, done.stdout + done.stderr
        for words in ("31 commits, 4 branches and tags", "every one of 4 refs is equal", "git ls-remote C agrees",
                      "C called its webhook: push", "A shows demo/build: success", "all of it was verified"):
            assert words in done.stdout, (words, done.stdout)

    with tap.case("nothing is left behind"):
        assert not left_behind(tmp), left_behind(tmp)
        assert not os.listdir(tmp + "/run"), os.listdir(tmp + "/run")

    with tap.case("a node that does not start is a failure, shown with its log"):
        done = demo("--repo", source, tmp=tmp + "/run", GUTS="/bin/false")
        assert done.returncode == 1 and "log of A" in done.stdout, done.stdout + done.stderr
        assert not os.listdir(tmp + "/run")

    with tap.case("a folder that is no repository is refused"):
        assert demo("--repo", tmp, tmp=tmp + "/run").returncode == 2

tap.done()
