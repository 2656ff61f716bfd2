"""doc/guts.1 holds every command and option, in the words of the program's own tables.

`python3 tests/integration/test_man.py --write` brings the page up to date.
"""
import os
import re
import shutil
import subprocess
import sys

from gutslib import GUTS, SRCDIR, Tap

PAGE = os.path.join(SRCDIR, "doc", "guts.1")
BEGIN = '.\\" -- made by: guts help --roff --\n'
END = '.\\" -- end --\n'


def parts():
    with open(PAGE) as f:
        text = f.read()
    before, rest = text.split(BEGIN)
    made, after = rest.split(END)
    return before, made, after


def fresh():
    return subprocess.run([GUTS, "help", "--roff"], capture_output=True, text=True, check=True, timeout=60).stdout


if sys.argv[1:] == ["--write"]:
    before, _, after = parts()
    with open(PAGE, "w") as f:
        f.write(before + BEGIN + fresh() + END + after)
    sys.exit(0)

tap = Tap()
before, made, after = parts()
tap.ok(made == fresh(), "commands and options are those of the program",
       "run: GUTS=%s python3 tests/integration/test_man.py --write" % GUTS)

with tap.case("exit codes are those of the program"):
    with open(os.path.join(SRCDIR, "src", "cli", "cli.h")) as f:
        codes = re.findall(r"GUTS_EXIT_[A-Z]+ = (\d)", f.read())
    said = re.findall(r"^\.B (\d)$", after, re.M)
    assert codes == said, (codes, said)

if shutil.which("man"):
    with tap.case("man reads it without a warning"):
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", PAGE], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, env=dict(os.environ, MANROFFSEQ="", MANWIDTH="80"))
        assert done.returncode == 0 and not done.stderr, done.stderr
else:
    tap.skip("man reads it without a warning", "no man here")
tap.done()
