#!/bin/bash
# digests.sh - TAP: one seed, one digest, whichever compiler at whichever level.
#
# Builds the simulator's programs with gcc and clang, each with -O0 and -O2, and
# compares what they print for the first ten seeds.  A difference is a byte that
# was never set, an order of evaluation or an order of addresses.
programs=(sim_self sim_peers sim_broadcast sim_gossip sim_kad sim_nodes sim_tiers)
builds=(gcc-O0 gcc-O2 clang-O0 clang-O2)
seeds=10

[ -n "$GUTS_LONG" ] || { echo '1..0 # SKIP builds the tree four times: GUTS_LONG=1'; exit 0; }
for cc in gcc clang; do
	command -v $cc >/dev/null || { echo "1..0 # SKIP no $cc"; exit 0; }
done
[ -x "$GUTS_SRCDIR/configure" ] || { echo '1..0 # SKIP no configure'; exit 0; }

ccache=$(command -v ccache)
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT

# build NAME - its programs, in a folder of its own, without what may look at time or memory.
build()
{
	local name=$1
	mkdir "$out/$name" && cd "$out/$name" || return
	"$GUTS_SRCDIR/configure" CC="${ccache:+ccache }${name%-*}" CFLAGS="-g -${name#*-}" \
		--without-dashboard >configure.log 2>&1 &&
		make -j"$(nproc)" "${programs[@]/#/tests/sim/}" >make.log 2>&1
}

echo "1..$((${#builds[@]} + ${#programs[@]} * seeds))"
n=0
for b in "${builds[@]}"; do
	n=$((n + 1))
	if (build "$b"); then
		echo "ok $n - $b builds"
	else
		tail -n 20 "$out/$b/configure.log" "$out/$b/make.log" 2>/dev/null | sed 's/^/# /'
		echo "not ok $n - $b builds"
	fi
	for p in "${programs[@]}"; do
		GUTS_DIGESTS=$seeds "$out/$b/tests/sim/$p" >"$out/$b/$p.digests" 2>"$out/$b/$p.err" ||
			sed "s/^/# $b $p: /" "$out/$b/$p.err"
	done
done

for p in "${programs[@]}"; do
	for ((i = 1; i <= seeds; i++)); do
		n=$((n + 1))
		lines=$(for b in "${builds[@]}"; do
			echo "$(grep '^seed ' "$out/$b/$p.digests" | sed -n "${i}p")"
		done)
		if [ "$(sort -u <<<"$lines" | grep -c 'digest ')" = 1 ] &&
			[ "$(grep -c 'digest ' <<<"$lines")" = ${#builds[@]} ]; then
			echo "ok $n - $p: $(head -n 1 <<<"$lines")"
		else
			paste -d' ' <(printf '%s\n' "${builds[@]}") - <<<"$lines" | sed 's/^/# /'
			echo "not ok $n - $p: seed $i in ${#builds[@]} builds"
		fi
	done
done
