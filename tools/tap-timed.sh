#!/bin/bash
# tap-timed.sh DRIVER... OPTIONS -- TEST... - run automake's TAP driver with a
# clock and a limit: the .trs file gets a line ":x-seconds: S" (automake ignores
# fields it does not know, ./bootstrap check lists the slowest), and a test that
# runs longer than GUTS_TEST_TIMEOUT seconds is ended and so fails.
# With GUTS_PROGRESS set, descriptor 7 gets a line when it is over.
limit=${GUTS_TEST_TIMEOUT:-600}
args=()
trs= name=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	[ "$1" = --trs-file ] && trs=$2
	[ "$1" = --test-name ] && name=$2
	args+=("$1")
	shift
done
[ "$1" = -- ] && shift

start=${EPOCHREALTIME/[.,]/}
"${args[@]}" -- timeout --kill-after=10 "$limit" "$@" 7>&-
status=$?
us=$((${EPOCHREALTIME/[.,]/} - start))
if [ -n "$trs" ]; then
	printf ':x-seconds: %d.%03d\n' $((us / 1000000)) $((us / 1000 % 1000)) >>"$trs"
	[ -z "${GUTS_PROGRESS-}" ] ||
		printf '%s %s, %d s\n' "$(sed -n 's/^:global-test-result: *//p' "$trs")" "$name" $((us / 1000000)) >&7
fi
exit $status
