#!/bin/sh
# build.sh REPO COMMIT REF - started by Debian's `webhook` for each push that a node tells of: clones from the node, builds,
# and reports a status, which the network then shows as signed by this node.
#
#	export GUTS_URL=http://127.0.0.1:8080 GUTS_TOKEN=$(guts token create ci --scope read --scope ci)
#	export HOOK_SECRET=$(openssl rand -hex 20) BUILD_SCRIPT=$PWD/build.sh BUILD='make check'
#	webhook -template -hooks hooks.json -ip 127.0.0.1 -port 9001
#
#	echo "$HOOK_SECRET" | guts hook add http://127.0.0.1:9001/hooks/build --repo OWNER/NAME --secret-file -
#
# The node has to allow the address: [bridge] allow = loopback.  The status counts for others once the owner named
# this node: guts repo update REPO --signer THIS-NODE'S-ID.
set -eu
repo=$1 commit=$2 ref=$3
case $commit in *[!0]*) ;; *) exit 0 ;; esac # the branch was deleted
auth="Authorization: Bearer $GUTS_TOKEN"

# report STATE TEXT
report()
{
	curl --silent --show-error --fail-with-body -o /dev/null "$GUTS_URL/api/v1/repos/$repo/statuses/$commit" -H "$auth" \
		-H 'Content-Type: application/json' -d "{\"state\":\"$1\",\"context\":\"webhook\",\"description\":\"$2\"}"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
report pending 'building'
if git -c "http.extraHeader=$auth" clone -q "$GUTS_URL/$repo.git" "$work/src" &&
	git -C "$work/src" checkout -q --detach "$commit" &&
	(cd "$work/src" && env -i PATH="$PATH" HOME="$work" CI=true GUTS_REF="$ref" GUTS_COMMIT="$commit" \
		sh -c "${BUILD:-make check}"); then
	report success 'passed'
else
	report failure "ended with $?"
fi
