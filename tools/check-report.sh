#!/bin/bash
# check-report.sh DIR... - what the tests of these build folders said.
#
# Reads the .trs and .log files of automake's harness: the slowest ten tests, the
# skipped ones with their reasons, the failed points with what was said before each
# and the end of the log, and as the last line "N passed, N failed, N skipped", counting TAP points.  A skip without
# a reason, a test without a result and a folder whose `make check` failed for
# any other cause count as failures.  Exit status: is anything failed?
passed=0 failed=0 skipped=0
slow=() broken=()

one_test()
{
	local trs=$1 log=${1%.trs}.log key value fail=0 error=0 points=0
	while read -r key value; do
		case $key-$value in
		:test-result:-PASS* | :test-result:-XFAIL*) passed=$((passed + 1)) points=$((points + 1)) ;;
		:test-result:-FAIL* | :test-result:-XPASS*) fail=$((fail + 1)) ;;
		:test-result:-ERROR*) error=$((error + 1)) ;;
		:test-result:-SKIP*) points=$((points + 1)) ;;
		:x-seconds:-*) slow+=("$value ${trs%.trs}") ;;
		esac
	done <"$trs"
	skips "$log"
	# "exited with status 1" after a failed point is the same failure again.
	[ $fail -eq 0 ] && fail=$error
	[ $((points + fail)) -eq 0 ] && fail=1
	failed=$((failed + fail))
	[ $fail -eq 0 ] || broken+=("$log")
}

skips()
{
	local line
	while IFS= read -r line; do
		# One point: "NAME N - text # SKIP why"; a whole program: "NAME - why".
		if [[ $line =~ \#\ *SKIP[[:space:]]+[^[:space:]] || $line =~ ^SKIP:\ [^\ ]+\ -\ [^\ ] ]]; then
			skipped=$((skipped + 1))
			echo "skipped: ${line#SKIP: }"
		else
			failed=$((failed + 1))
			echo "skipped without a reason, so failed: ${line#SKIP: }"
		fi
	done < <(grep '^SKIP: ' "$1" 2>/dev/null)
}

# Each failed point behind the last lines that its case printed; then how the log ends.
show_failed()
{
	local lines=40

	grep -q '^not ok' "$1" && lines=12
	printf -- '--- failed: %s\n' "$1"
	awk '/^not ok / { for (i = n > 25 ? n - 25 : 0; i < n; i++) print said[i]; print; n = 0; next }
		/^(ok|PASS:|FAIL:) ?/ { n = 0; next } { said[n++] = $0 }' "$1"
	printf -- '--- its end:\n'
	tail -n $lines "$1"
}

for dir in "$@"; do
	before=$failed
	while IFS= read -r trs; do
		one_test "$trs"
	done < <(find "$dir" -name node_modules -prune -o -name '*.trs' -print | LC_ALL=C sort)
	if [ ! -e "$dir/.check-passed" ] && [ "$failed" -eq "$before" ]; then
		failed=$((failed + 1))
		broken+=(".cache/log/check-$dir.log")
	fi
done

for log in ${broken[@]+"${broken[@]}"}; do
	show_failed "$log"
done
if [ ${#slow[@]} -gt 0 ]; then
	echo 'slowest tests [s]:'
	printf '%s\n' "${slow[@]}" | LC_ALL=C sort -rn | head -n 10 | sed 's/^/  /'
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
