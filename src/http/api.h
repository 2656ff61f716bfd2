/* http/api.h - the handlers that the route table names. */
#ifndef GUTS_HTTP_API_H
#define GUTS_HTTP_API_H

#include "http/internal.h"

/* stream.c */
void guts_rest_events(struct guts_req *r);
void guts_rest_log(struct guts_req *r);
void guts_rest_log_level(struct guts_req *r);
void guts_rest_log_set_level(struct guts_req *r);

/* api_node.c */
void guts_rest_index(struct guts_req *r);
void guts_rest_openapi_yaml(struct guts_req *r);
void guts_rest_openapi_json(struct guts_req *r);
void guts_rest_status(struct guts_req *r);
void guts_rest_shutdown(struct guts_req *r);
void guts_rest_nothing(struct guts_req *r);
void guts_rest_livez(struct guts_req *r);
void guts_rest_readyz(struct guts_req *r);
void guts_rest_job(struct guts_req *r);
void guts_rest_alias_put(struct guts_req *r);

/* api_config.c */
void guts_rest_config(struct guts_req *r);
void guts_rest_config_change(struct guts_req *r);

/* metrics.c */
void guts_rest_metrics(struct guts_req *r);

/* api_addresses.c */
void guts_rest_addresses(struct guts_req *r);

/* api_peers.c */
void guts_rest_peers(struct guts_req *r);
void guts_rest_offences(struct guts_req *r);
void guts_rest_peer(struct guts_req *r);
void guts_rest_peer_connect(struct guts_req *r);
void guts_rest_peer_disconnect(struct guts_req *r);
void guts_rest_peer_ban(struct guts_req *r);
void guts_rest_peer_lift(struct guts_req *r);
void guts_rest_bans(struct guts_req *r);
void guts_rest_dials(struct guts_req *r);

/* api_dht.c */
void guts_rest_dht(struct guts_req *r);
void guts_rest_dht_providers(struct guts_req *r);
void guts_rest_dht_lookup(struct guts_req *r);

/* api_gossip.c */
void guts_rest_topics(struct guts_req *r);
void guts_rest_topic(struct guts_req *r);
void guts_rest_gossip_peers(struct guts_req *r);
void guts_rest_gossip_stats(struct guts_req *r);
void guts_rest_subscribe(struct guts_req *r);
void guts_rest_unsubscribe(struct guts_req *r);
void guts_rest_topic_messages(struct guts_req *r);
void guts_rest_publish(struct guts_req *r);
void guts_rest_messages(struct guts_req *r);

/* api_list.c */
void guts_rest_repos(struct guts_req *r);
void guts_rest_github_search(struct guts_req *r);
void guts_rest_gitea_search(struct guts_req *r);
void guts_rest_user_repos(struct guts_req *r);
void guts_rest_owner_repos(struct guts_req *r);
void guts_rest_user(struct guts_req *r);
void guts_rest_version(struct guts_req *r);

/* api_repos.c */
void guts_rest_repo_create(struct guts_req *r);
void guts_rest_repo_import(struct guts_req *r);
void guts_rest_repo(struct guts_req *r);
void guts_rest_repo_update(struct guts_req *r);
void guts_rest_repo_delete(struct guts_req *r);
void guts_rest_repo_policy(struct guts_req *r);
void guts_rest_repo_sync(struct guts_req *r);

/* api_refs.c */
void guts_rest_branches(struct guts_req *r);
void guts_rest_tags(struct guts_req *r);
void guts_rest_refs(struct guts_req *r);
void guts_rest_tag(struct guts_req *r);
void guts_rest_matching_refs(struct guts_req *r);
void guts_rest_ref(struct guts_req *r);
void guts_rest_authors(struct guts_req *r);
void guts_rest_author_refs(struct guts_req *r);
void guts_rest_seeders(struct guts_req *r);

/* api_history.c */
void guts_rest_commits(struct guts_req *r);
void guts_rest_commit_count(struct guts_req *r);
void guts_rest_contributors(struct guts_req *r);
void guts_rest_last_commits(struct guts_req *r);

/* api_git.c */
void guts_rest_branch(struct guts_req *r);
void guts_rest_commit(struct guts_req *r);
void guts_rest_contents(struct guts_req *r);
void guts_rest_readme(struct guts_req *r);
void guts_rest_raw(struct guts_req *r);

/* api_objects.c */
void guts_rest_git_tree(struct guts_req *r);
void guts_rest_git_blob(struct guts_req *r);
void guts_rest_git_tag(struct guts_req *r);
void guts_rest_git_commit(struct guts_req *r);
void guts_rest_languages(struct guts_req *r);

/* api_compare.c */
void guts_rest_compare(struct guts_req *r);

/* api_archive.c */
void guts_rest_archive(struct guts_req *r);
void guts_rest_tarball(struct guts_req *r);
void guts_rest_zipball(struct guts_req *r);

/* api_audit.c */
void guts_rest_author_records(struct guts_req *r);

/* api_status.c */
void guts_rest_statuses(struct guts_req *r);
void guts_rest_status_post(struct guts_req *r);
void guts_rest_combined(struct guts_req *r);
void guts_rest_trust(struct guts_req *r);
void guts_rest_distrust(struct guts_req *r);

/* api_badge.c */
void guts_rest_badge(struct guts_req *r);

/* api_hooks.c: of a repository, of the node */
void guts_rest_hooks(struct guts_req *r);
void guts_rest_hook_create(struct guts_req *r);
void guts_rest_hook(struct guts_req *r);
void guts_rest_hook_update(struct guts_req *r);
void guts_rest_hook_delete(struct guts_req *r);
void guts_rest_hook_ping(struct guts_req *r);
void guts_rest_hook_test(struct guts_req *r);
void guts_rest_deliveries(struct guts_req *r);
void guts_rest_delivery(struct guts_req *r);
void guts_rest_redeliver(struct guts_req *r);
void guts_rest_node_hooks(struct guts_req *r);
void guts_rest_node_hook_create(struct guts_req *r);
void guts_rest_node_hook(struct guts_req *r);
void guts_rest_node_hook_update(struct guts_req *r);
void guts_rest_node_hook_delete(struct guts_req *r);
void guts_rest_node_hook_ping(struct guts_req *r);
void guts_rest_node_deliveries(struct guts_req *r);
void guts_rest_node_delivery(struct guts_req *r);
void guts_rest_node_redeliver(struct guts_req *r);

/* api_sinks.c */
void guts_rest_sinks(struct guts_req *r);

/* api_ciqueue.c, api_ci.c, api_cihand.c, api_cifile.c: queues, leases, jobs, their files */
void guts_rest_ci_write(struct guts_req *r);
size_t guts_rest_ci_write_feed(struct guts_req *r, struct guts_slice data);
void guts_rest_ci_read(struct guts_req *r);
void guts_rest_ci_queues(struct guts_req *r);
void guts_rest_ci_queue_add(struct guts_req *r);
void guts_rest_ci_queue_update(struct guts_req *r);
void guts_rest_ci_queue_delete(struct guts_req *r);
void guts_rest_ci_runners(struct guts_req *r);
void guts_rest_ci_lease(struct guts_req *r);
void guts_rest_ci_renew(struct guts_req *r);
void guts_rest_ci_return(struct guts_req *r);
void guts_rest_ci_finish(struct guts_req *r);
void guts_rest_ci_jobs(struct guts_req *r);
void guts_rest_ci_job_create(struct guts_req *r);
void guts_rest_ci_job(struct guts_req *r);
void guts_rest_ci_cancel(struct guts_req *r);
void guts_rest_ci_rerun(struct guts_req *r);
void guts_rest_node_ci_jobs(struct guts_req *r);

/* api_access.c */
void guts_rest_tokens(struct guts_req *r);
void guts_rest_token_create(struct guts_req *r);
void guts_rest_token(struct guts_req *r);
void guts_rest_token_revoke(struct guts_req *r);
void guts_rest_session(struct guts_req *r);
void guts_rest_session_create(struct guts_req *r);
void guts_rest_session_end(struct guts_req *r);
void guts_rest_code(struct guts_req *r);

/* smart.c, push.c: git over HTTP */
void guts_smart_refs(struct guts_req *r);
void guts_smart_fetch_open(struct guts_req *r);
size_t guts_smart_fetch_feed(struct guts_req *r, struct guts_slice data);
void guts_smart_fetch(struct guts_req *r);
void guts_push_request_open(struct guts_req *r);
size_t guts_push_request_feed(struct guts_req *r, struct guts_slice data);
void guts_push_request_end(struct guts_req *r);
void guts_smart_dumb(struct guts_req *r);
void guts_smart_lfs(struct guts_req *r);

/* assets.c */
void guts_assets_get(struct guts_req *r);

#endif
