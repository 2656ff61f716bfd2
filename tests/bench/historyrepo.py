"""historyrepo.py PATH [COMMITS] - make a bare repository with a long history of small commits with git fast-import, the same one each time.

Each commit rewrites two files of 1,000 in 20 folders of 5; 15 of the 30 files at the top change about every 300 commits, the other 15 never.
"""
import random

import fastimport

COMMITS = 60000


def stream(out, commits):
    rng = random.Random(1)

    def change(name, n):
        text = b"%d\n" % n
        out.write(b"M 644 inline %s\ndata %d\n%s\n" % (name, len(text), text))

    for n in range(commits):
        who, when, message = rng.randrange(40), 1600000000 + 60 * n, b"change %d\n" % n
        out.write(b"commit refs/heads/main\nauthor Dev %d <dev%d@example.org> %d +0000\n" % (who, who, when))
        out.write(b"committer Bench <bench@example.org> %d +0000\ndata %d\n%s" % (when, len(message), message))
        for i in range(30 if n == 0 else 0):
            change(b"top%d" % i, n)
        for _ in range(2):
            folder, file = rng.randrange(20), rng.randrange(50)
            change(b"dir%d/sub%d/f%d" % (folder, file % 5, file), n)
        if rng.randrange(20) == 0:
            change(b"top%d" % rng.randrange(15), n)
    out.write(b"done\n")


def make(path, commits=COMMITS):
    """Returns the id of the newest commit."""
    return fastimport.make(path, stream, commits)


if __name__ == "__main__":
    fastimport.main(make, COMMITS)
