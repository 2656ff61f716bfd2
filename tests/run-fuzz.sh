#!/bin/bash
# run-fuzz.sh TARGET - TAP: let libFuzzer work on TARGET for GUTS_FUZZ_SECONDS.
#
# What it finds worth keeping goes into fuzz-corpus/ of the build folder and is
# where the next run begins; a finding's input is named in the log.  Minimise it,
# add it to tests/fuzz/seeds/, and `make check` replays it from then on:
#
#   ./configure --enable-fuzzing CC=clang && make && make check
#   tests/fuzz/fuzz_x -minimize_crash=1 -max_total_time=60 INPUT
target=$1
name=${target##*/fuzz_}
seconds=${GUTS_FUZZ_SECONDS:-60}
corpus=$GUTS_BUILDDIR/fuzz-corpus/$name
found=$GUTS_BUILDDIR/fuzz-found/$name-
seeds=$GUTS_SRCDIR/tests/fuzz/seeds/$name

mkdir -p "$corpus" "${found%/*}" || exit 99
echo 1..1
"$target" -seed="${GUTS_SEED:-1}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
	-print_final_stats=1 -artifact_prefix="$found" "$corpus" "$seeds" >"$found.log" 2>&1
status=$?
tail -n 60 "$found.log" | sed 's/^/# /'
[ $status -eq 0 ] || printf 'not '
echo "ok 1 - $name: $seconds s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") inputs"
