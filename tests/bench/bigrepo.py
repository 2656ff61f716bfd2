"""bigrepo.py PATH [COMMITS] - make a bare repository of some size with git fast-import, the same one each time.

20,000 commits on main make about 105 MB: each rewrites a file of random text (which does not deltify) and one line
of a long table (which does).
"""
import random

import fastimport

COMMITS = 20000
FILES = 400
TEXT_BYTES = 3600  # [bytes] of randomness in the file of one commit; twice that as hexadecimal digits
TABLE_LINES = 300


def stream(out, commits):
    rng = random.Random(1)
    table = ["row %d = 0" % i for i in range(TABLE_LINES)]
    for n in range(commits):
        text = rng.randbytes(TEXT_BYTES).hex("\n", 40).encode()
        table[n % TABLE_LINES] = "row %d = %d" % (n % TABLE_LINES, n)
        rows = "\n".join(table).encode()
        message = b"change %d\n" % n
        out.write(b"commit refs/heads/main\ncommitter Bench <bench@example.org> %d +0000\ndata %d\n%s"
                  % (1600000000 + 60 * n, len(message), message))
        out.write(b"M 644 inline d%d/f%d\ndata %d\n%s\n" % (n % FILES // 20, n % FILES, len(text), text))
        out.write(b"M 644 inline table\ndata %d\n%s\n" % (len(rows), rows))
    out.write(b"done\n")


def make(path, commits=COMMITS):
    """Returns the id of the newest commit."""
    return fastimport.make(path, stream, commits)


if __name__ == "__main__":
    fastimport.main(make, COMMITS)
