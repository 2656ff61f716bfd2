#!/bin/sh
# rest.sh [NAME] - the REST API by curl: look around, make the repository NAME, speak on the topic "news".
set -eu
url=${GUTS_URL:-http://127.0.0.1:8080}/api/v1
name=${1:-example}

# ask METHOD PATH [JSON] - a refusal is shown with its reason and ends the script.
ask()
{
	curl --silent --show-error --fail-with-body -X "$1" "$url$2" \
		-H "Authorization: Bearer ${GUTS_TOKEN:?a token, see examples/README}" \
		${3:+-H 'Content-Type: application/json' -d "$3"}
	echo
}

echo '== the node'
ask GET /status
echo '== its peers'
ask GET '/peers?per_page=5'
echo "== a new repository: $name"
ask POST /repos "{\"name\": \"$name\", \"description\": \"made by examples/rest.sh\"}"
echo '== all repositories'
ask GET '/repos?per_page=5'
echo '== gossip'
ask PUT /gossip/topics/news
ask POST /gossip/topics/news/messages '{"data": "hello from rest.sh"}'
ask GET /gossip/topics/news/messages
