/* http/routes.c - the table of routes, held against api/openapi.yaml by tests/openapi. */
#include "http/api.h"

#define API "/api/v1"
#define REPO API "/repos/{repo}"

#define GET_(path, scope, fn) { GUTS_GET, path, scope, GUTS_BODY_NONE, fn, NULL, NULL, GUTS_ROUTE_REST }
#define ACT_(method, path, scope, fn) { method, path, scope, GUTS_BODY_NONE, fn, NULL, NULL, GUTS_ROUTE_REST }
#define JSON_(method, path, scope, fn) { method, path, scope, GUTS_BODY_JSON, fn, NULL, NULL, GUTS_ROUTE_REST }

const struct guts_route guts_routes[] = {
	GET_(API "/status", GUTS_SCOPE_PUBLIC, guts_rest_status),
	GET_(API "/peers", GUTS_SCOPE_PUBLIC, guts_rest_peers),
	GET_(API "/repos", GUTS_SCOPE_PUBLIC, guts_rest_repos),
	GET_(API "/events", GUTS_SCOPE_PUBLIC, guts_rest_events),
	GET_("/livez", GUTS_SCOPE_NONE, guts_rest_livez),
	GET_("/readyz", GUTS_SCOPE_NONE, guts_rest_readyz),
	GET_("/metrics", GUTS_SCOPE_PUBLIC, guts_rest_metrics),
	GET_(API, GUTS_SCOPE_NONE, guts_rest_index),
	GET_(API "/openapi.yaml", GUTS_SCOPE_NONE, guts_rest_openapi_yaml),
	GET_(API "/openapi.json", GUTS_SCOPE_NONE, guts_rest_openapi_json),
	GET_(API "/config", GUTS_SCOPE_ADMIN, guts_rest_config),
	GET_(API "/log", GUTS_SCOPE_ADMIN, guts_rest_log),
	ACT_(GUTS_POST, API "/shutdown", GUTS_SCOPE_ADMIN, guts_rest_shutdown),

	JSON_(GUTS_POST, API "/peers", GUTS_SCOPE_ADMIN, guts_rest_peer_connect),
	GET_(API "/peers/{peer}", GUTS_SCOPE_PUBLIC, guts_rest_peer),
	ACT_(GUTS_DELETE, API "/peers/{peer}", GUTS_SCOPE_ADMIN, guts_rest_peer_disconnect),
	JSON_(GUTS_PUT, API "/peers/{peer}/ban", GUTS_SCOPE_ADMIN, guts_rest_peer_ban),
	ACT_(GUTS_DELETE, API "/peers/{peer}/ban", GUTS_SCOPE_ADMIN, guts_rest_peer_lift),
	GET_(API "/bans", GUTS_SCOPE_PUBLIC, guts_rest_bans),
	GET_(API "/offences", GUTS_SCOPE_PUBLIC, guts_rest_offences),
	GET_(API "/dials", GUTS_SCOPE_PUBLIC, guts_rest_dials),
	GET_(API "/addresses", GUTS_SCOPE_PUBLIC, guts_rest_addresses),
	JSON_(GUTS_PUT, API "/aliases/{alias}", GUTS_SCOPE_ADMIN, guts_rest_alias_put),

	JSON_(GUTS_POST, API "/repos", GUTS_SCOPE_WRITE, guts_rest_repo_create),
	JSON_(GUTS_POST, API "/repos/import", GUTS_SCOPE_ADMIN, guts_rest_repo_import),
	GET_(API "/repos/search", GUTS_SCOPE_PUBLIC, guts_rest_gitea_search),
	GET_(API "/search/repositories", GUTS_SCOPE_PUBLIC, guts_rest_github_search),
	GET_(API "/users/{owner}/repos", GUTS_SCOPE_PUBLIC, guts_rest_owner_repos),
	GET_(API "/user", GUTS_SCOPE_READ, guts_rest_user),
	GET_(API "/user/repos", GUTS_SCOPE_READ, guts_rest_user_repos),
	JSON_(GUTS_POST, API "/user/repos", GUTS_SCOPE_WRITE, guts_rest_repo_create),
	GET_(API "/version", GUTS_SCOPE_PUBLIC, guts_rest_version),
	GET_(API "/jobs/{job}", GUTS_SCOPE_READ, guts_rest_job),
	GET_(REPO, GUTS_SCOPE_PUBLIC, guts_rest_repo),
	JSON_(GUTS_PATCH, REPO, GUTS_SCOPE_WRITE, guts_rest_repo_update),
	ACT_(GUTS_DELETE, REPO, GUTS_SCOPE_ADMIN, guts_rest_repo_delete),
	JSON_(GUTS_PUT, REPO "/policy", GUTS_SCOPE_ADMIN, guts_rest_repo_policy),
	GET_(REPO "/branches", GUTS_SCOPE_PUBLIC, guts_rest_branches),
	GET_(REPO "/branches/{branch*}", GUTS_SCOPE_PUBLIC, guts_rest_branch),
	GET_(REPO "/tags", GUTS_SCOPE_PUBLIC, guts_rest_tags),
	GET_(REPO "/git/refs", GUTS_SCOPE_PUBLIC, guts_rest_refs),
	GET_(REPO "/git/refs/{ref*}", GUTS_SCOPE_PUBLIC, guts_rest_matching_refs),
	GET_(REPO "/git/matching-refs/{ref*}", GUTS_SCOPE_PUBLIC, guts_rest_matching_refs),
	GET_(REPO "/git/ref/{ref*}", GUTS_SCOPE_PUBLIC, guts_rest_ref),
	GET_(REPO "/git/trees/{sha}", GUTS_SCOPE_PUBLIC, guts_rest_git_tree),
	GET_(REPO "/git/blobs/{sha}", GUTS_SCOPE_PUBLIC, guts_rest_git_blob),
	GET_(REPO "/git/commits/{sha}", GUTS_SCOPE_PUBLIC, guts_rest_git_commit),
	GET_(REPO "/git/tags/{sha}", GUTS_SCOPE_PUBLIC, guts_rest_git_tag),
	GET_(REPO "/compare/{basehead*}", GUTS_SCOPE_PUBLIC, guts_rest_compare),
	GET_(REPO "/archive/{archive*}", GUTS_SCOPE_PUBLIC, guts_rest_archive),
	GET_(REPO "/tarball/{ref*}", GUTS_SCOPE_PUBLIC, guts_rest_tarball),
	GET_(REPO "/zipball/{ref*}", GUTS_SCOPE_PUBLIC, guts_rest_zipball),
	GET_(REPO "/languages", GUTS_SCOPE_PUBLIC, guts_rest_languages),
	GET_(REPO "/commits", GUTS_SCOPE_PUBLIC, guts_rest_commits),
	GET_(REPO "/commits/{sha}", GUTS_SCOPE_PUBLIC, guts_rest_commit),
	GET_(REPO "/commits/{sha}/status", GUTS_SCOPE_PUBLIC, guts_rest_combined),
	GET_(REPO "/commits/{sha}/statuses", GUTS_SCOPE_PUBLIC, guts_rest_statuses),
	JSON_(GUTS_POST, REPO "/commits/{sha}/statuses", GUTS_SCOPE_CI, guts_rest_status_post),
	GET_(REPO "/statuses/{sha}", GUTS_SCOPE_PUBLIC, guts_rest_statuses),
	JSON_(GUTS_POST, REPO "/statuses/{sha}", GUTS_SCOPE_CI, guts_rest_status_post),
	GET_(REPO "/contents", GUTS_SCOPE_PUBLIC, guts_rest_contents),
	GET_(REPO "/contents/{path*}", GUTS_SCOPE_PUBLIC, guts_rest_contents),
	GET_(REPO "/readme", GUTS_SCOPE_PUBLIC, guts_rest_readme),
	GET_(REPO "/raw/{path*}", GUTS_SCOPE_PUBLIC, guts_rest_raw),
	GET_(REPO "/authors", GUTS_SCOPE_PUBLIC, guts_rest_authors),
	GET_(REPO "/authors/{peer}/refs", GUTS_SCOPE_PUBLIC, guts_rest_author_refs),
	GET_(REPO "/seeders", GUTS_SCOPE_PUBLIC, guts_rest_seeders),
	ACT_(GUTS_POST, REPO "/sync", GUTS_SCOPE_WRITE, guts_rest_repo_sync),
	ACT_(GUTS_PUT, REPO "/trust/{peer}", GUTS_SCOPE_ADMIN, guts_rest_trust),
	ACT_(GUTS_DELETE, REPO "/trust/{peer}", GUTS_SCOPE_ADMIN, guts_rest_distrust),

	GET_(REPO "/hooks", GUTS_SCOPE_ADMIN, guts_rest_hooks),
	JSON_(GUTS_POST, REPO "/hooks", GUTS_SCOPE_ADMIN, guts_rest_hook_create),
	GET_(REPO "/hooks/{hook}", GUTS_SCOPE_ADMIN, guts_rest_hook),
	JSON_(GUTS_PATCH, REPO "/hooks/{hook}", GUTS_SCOPE_ADMIN, guts_rest_hook_update),
	ACT_(GUTS_DELETE, REPO "/hooks/{hook}", GUTS_SCOPE_ADMIN, guts_rest_hook_delete),
	ACT_(GUTS_POST, REPO "/hooks/{hook}/pings", GUTS_SCOPE_ADMIN, guts_rest_hook_ping),
	ACT_(GUTS_POST, REPO "/hooks/{hook}/tests", GUTS_SCOPE_ADMIN, guts_rest_hook_test),
	GET_(REPO "/hooks/{hook}/deliveries", GUTS_SCOPE_ADMIN, guts_rest_deliveries),
	GET_(REPO "/hooks/{hook}/deliveries/{delivery}", GUTS_SCOPE_ADMIN, guts_rest_delivery),
	ACT_(GUTS_POST, REPO "/hooks/{hook}/deliveries/{delivery}/attempts", GUTS_SCOPE_ADMIN, guts_rest_redeliver),
	GET_(API "/hooks", GUTS_SCOPE_ADMIN, guts_rest_node_hooks),
	JSON_(GUTS_POST, API "/hooks", GUTS_SCOPE_ADMIN, guts_rest_node_hook_create),
	GET_(API "/hooks/{hook}", GUTS_SCOPE_ADMIN, guts_rest_node_hook),
	JSON_(GUTS_PATCH, API "/hooks/{hook}", GUTS_SCOPE_ADMIN, guts_rest_node_hook_update),
	ACT_(GUTS_DELETE, API "/hooks/{hook}", GUTS_SCOPE_ADMIN, guts_rest_node_hook_delete),
	ACT_(GUTS_POST, API "/hooks/{hook}/pings", GUTS_SCOPE_ADMIN, guts_rest_node_hook_ping),
	GET_(API "/hooks/{hook}/deliveries", GUTS_SCOPE_ADMIN, guts_rest_node_deliveries),
	GET_(API "/hooks/{hook}/deliveries/{delivery}", GUTS_SCOPE_ADMIN, guts_rest_node_delivery),
	ACT_(GUTS_POST, API "/hooks/{hook}/deliveries/{delivery}/attempts", GUTS_SCOPE_ADMIN, guts_rest_node_redeliver),

	GET_(API "/gossip/topics", GUTS_SCOPE_PUBLIC, guts_rest_topics),
	GET_(API "/gossip/topics/{topic}", GUTS_SCOPE_PUBLIC, guts_rest_topic),
	ACT_(GUTS_PUT, API "/gossip/topics/{topic}", GUTS_SCOPE_WRITE, guts_rest_subscribe),
	ACT_(GUTS_DELETE, API "/gossip/topics/{topic}", GUTS_SCOPE_WRITE, guts_rest_unsubscribe),
	GET_(API "/gossip/topics/{topic}/messages", GUTS_SCOPE_PUBLIC, guts_rest_topic_messages),
	JSON_(GUTS_POST, API "/gossip/topics/{topic}/messages", GUTS_SCOPE_WRITE, guts_rest_publish),
	GET_(API "/gossip/peers", GUTS_SCOPE_PUBLIC, guts_rest_gossip_peers),
	GET_(API "/gossip/stats", GUTS_SCOPE_PUBLIC, guts_rest_gossip_stats),
	GET_(API "/gossip/messages", GUTS_SCOPE_PUBLIC, guts_rest_messages),

	GET_(API "/dht", GUTS_SCOPE_PUBLIC, guts_rest_dht),
	GET_(API "/dht/providers/{id}", GUTS_SCOPE_READ, guts_rest_dht_providers),
	JSON_(GUTS_POST, API "/dht/lookup", GUTS_SCOPE_READ, guts_rest_dht_lookup),

	GET_(API "/tokens", GUTS_SCOPE_ADMIN, guts_rest_tokens),
	JSON_(GUTS_POST, API "/tokens", GUTS_SCOPE_ADMIN, guts_rest_token_create),
	GET_(API "/tokens/{token}", GUTS_SCOPE_ADMIN, guts_rest_token),
	ACT_(GUTS_DELETE, API "/tokens/{token}", GUTS_SCOPE_ADMIN, guts_rest_token_revoke),
	GET_(API "/session", GUTS_SCOPE_NONE, guts_rest_session),
	JSON_(GUTS_POST, API "/session", GUTS_SCOPE_NONE, guts_rest_session_create),
	ACT_(GUTS_DELETE, API "/session", GUTS_SCOPE_NONE, guts_rest_session_end),
	ACT_(GUTS_POST, API "/session/code", GUTS_SCOPE_ADMIN, guts_rest_code),

	{ GUTS_GET, "/{git}/info/refs", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_smart_refs, NULL, NULL, GUTS_ROUTE_GIT },
	{ GUTS_POST, "/{git}/git-upload-pack", GUTS_SCOPE_NONE, GUTS_BODY_STREAM, guts_smart_fetch,
	    guts_smart_fetch_open, guts_smart_fetch_feed, GUTS_ROUTE_GIT },
	{ GUTS_POST, "/{git}/git-receive-pack", GUTS_SCOPE_NONE, GUTS_BODY_STREAM, guts_push_request_end,
	    guts_push_request_open, guts_push_request_feed, GUTS_ROUTE_GIT },
	{ GUTS_GET, "/{git}/HEAD", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_smart_dumb, NULL, NULL, GUTS_ROUTE_GIT },
	{ GUTS_GET, "/{git}/objects/{rest*}", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_smart_dumb, NULL, NULL, GUTS_ROUTE_GIT },
	{ GUTS_GET, "/{git}/info/lfs/{rest*}", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_smart_lfs, NULL, NULL, GUTS_ROUTE_GIT },
	{ GUTS_POST, "/{git}/info/lfs/{rest*}", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_smart_lfs, NULL, NULL, GUTS_ROUTE_GIT },
	{ GUTS_GET, API "/{rest*}", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_rest_nothing, NULL, NULL, GUTS_ROUTE_PAGE },
	{ GUTS_GET, "/", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_assets_get, NULL, NULL, GUTS_ROUTE_PAGE },
	{ GUTS_GET, "/{rest*}", GUTS_SCOPE_NONE, GUTS_BODY_NONE, guts_assets_get, NULL, NULL, GUTS_ROUTE_PAGE },
};
const size_t guts_routes_n = sizeof guts_routes / sizeof guts_routes[0];

void
guts_http_dump_routes(struct guts_buf *out)
{
	for (size_t i = 0; i < guts_routes_n; i++) {
		const struct guts_route *r = &guts_routes[i];
		if (r->kind == GUTS_ROUTE_REST)
			guts_buf_printf(out, "%s %s %s\n", guts_method_name(r->method), r->path, guts_scope_name(r->scope));
	}
}
