#!/bin/sh
# tail.sh [QUERY] - the event stream, one "type data" line each; e.g. tail.sh 'type=repo.*,status.*'
#
# curl ends when the connection does; a script that must miss nothing remembers the last "id:" and asks with ?since=
# (see watch.py).
curl --silent --show-error --fail-with-body --no-buffer "${GUTS_URL:-http://127.0.0.1:8080}/api/v1/events${1:+?$1}" \
	-H 'Accept: text/event-stream' ${GUTS_TOKEN:+-H "Authorization: Bearer $GUTS_TOKEN"} |
	while IFS= read -r line; do
		case $line in
		'event: '*) type=${line#event: } ;;
		'data: '*) printf '%s %s\n' "$type" "${line#data: }" ;;
		esac
	done
