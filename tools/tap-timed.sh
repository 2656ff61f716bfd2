#!/bin/bash
# tap-timed.sh DRIVER... OPTIONS -- TEST... - run automake's TAP driver with a
# clock and a limit: the .trs file gets a line ":x-seconds: S" (automake ignores
# fields it does not know, ./bootstrap check lists the slowest), and a test that
# runs longer than GUTS_TEST_TIMEOUT seconds is ended and so fails.
limit=${GUTS_TEST_TIMEOUT:-600}
args=()
trs=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	[ "$1" = --trs-file ] && trs=$2
	args+=("$1")
	shift
done
[ "$1" = -- ] && shift

start=${EPOCHREALTIME/[.,]/}
"${args[@]}" -- timeout --kill-after=10 "$limit" "$@"
status=$?
us=$((${EPOCHREALTIME/[.,]/} - start))
[ -n "$trs" ] && printf ':x-seconds: %d.%03d\n' $((us / 1000000)) $((us / 1000 % 1000)) >>"$trs"
exit $status
