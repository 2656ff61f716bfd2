#!/bin/bash
# check-headers.sh - TAP: each header under src/ compiles alone, and twice in a row.
cd "$GUTS_SRCDIR/src" || exit 99
mapfile -t headers < <(find . -name '*.h' -printf '%P\n' | LC_ALL=C sort)

# One compiler run per header, as many at a time as there are processors; the
# output of a failing one is kept.
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT
export out
printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c '
	log=$out/$(tr / _ <<<"$1")
	printf "#include \"%s\"\n#include \"%s\"\n" "$1" "$1" |
		(cd "$GUTS_BUILDDIR" && eval "$GUTS_CC $GUTS_CPPFLAGS $GUTS_CFLAGS" \
			-I"$GUTS_SRCDIR/src" -fsyntax-only -x c -) >"$log" 2>&1 && rm -f "$log"
	exit 0' _ {}

echo "1..${#headers[@]}"
n=0
for h in "${headers[@]}"; do
	log=$out/$(tr / _ <<<"$h")
	n=$((n + 1))
	if [ -e "$log" ]; then
		sed 's/^/# /' "$log"
		echo "not ok $n - $h"
	else
		echo "ok $n - $h"
	fi
done
