#!/bin/sh
# on-push.sh COMMAND... - a small CI system beside a node: for each branch that moves it checks the commit out, runs
# COMMAND in it and reports the result, which the network then shows as signed by this node.
#
#	GUTS_TOKEN=$(guts token create ci --scope read --scope ci) examples/ci/on-push.sh make check
#
#	CI_STATE    where the last event seen is remembered (default ~/.guts-ci): nothing is missed or done twice;
#	            the first run begins with what comes
#	CI_CONTEXT  name of the status (default on-push)
#	CI_ONCE     end when all that has happened so far is dealt with (for cron)
#
# The status counts for others once the owner named this node: guts repo update REPO --signer THIS-NODE'S-ID.
set -eu
url=${GUTS_URL:-http://127.0.0.1:8080}
state=${CI_STATE:-$HOME/.guts-ci}
context=${CI_CONTEXT:-on-push}
auth="Authorization: Bearer ${GUTS_TOKEN:?a token with the scopes read and ci}"
[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }

# report REPO COMMIT STATE TEXT
report()
{
	curl --silent --show-error --fail-with-body -o /dev/null "$url/api/v1/repos/$1/statuses/$2" -H "$auth" \
		-H 'Content-Type: application/json' -d "{\"state\":\"$3\",\"context\":\"$context\",\"description\":\"$4\"}"
}

# build REPO COMMIT COMMAND... - in a clone of its own, with a clean environment and without the token.
build()
{
	repo=$1 commit=$2
	shift 2
	report "$repo" "$commit" pending 'running'
	work=$(mktemp -d)
	if git -c "http.extraHeader=$auth" clone -q "$url/$repo.git" "$work/src" &&
		git -C "$work/src" checkout -q --detach "$commit" &&
		(cd "$work/src" && env -i PATH="$PATH" HOME="$work" LC_ALL=C.UTF-8 "$@"); then
		report "$repo" "$commit" success 'passed'
	else
		report "$repo" "$commit" failure "ended with $?"
	fi
	rm -rf "$work"
}

# One page of events as lines "newest ID", "move REPO COMMIT", "next ID".
page()
{
	curl --silent --show-error --fail-with-body -H "$auth" \
		"$url/api/v1/events?type=repo.ref.updated&since=$since&wait=$wait" | python3 -c '
import json, sys
page = json.load(sys.stdin)
print("newest", page["newest"])
for e in page["events"]:
    if e["data"]["ref"].startswith("refs/heads/") and e["data"]["kind"] != "delete":
        print("move", e["repo"], e["data"]["new"])
print("next", page["next"])'
}

[ -n "${CI_ONCE-}" ] && wait=0 || wait=30
since=0
[ -e "$state" ] || page | sed -n 's/^newest //p' >"$state"
since=$(cat "$state")
while :; do
	events=$(page) || { sleep 5; continue; }
	before=$since
	while read -r what repo commit; do
		case $what in
		move) build "$repo" "$commit" "$@" ;;
		next) since=$repo && echo "$since" >"$state" ;;
		esac
	done <<-END
	$events
	END
	[ -z "${CI_ONCE-}" ] || [ "$since" != "$before" ] || exit 0
done
