/* cli/commands.h - the functions behind the table of commands; each returns an enum guts_exit. */
#ifndef GUTS_CLI_COMMANDS_H
#define GUTS_CLI_COMMANDS_H

#include "cli/cli.h"

/* init.c: on the home */
int guts_cmd_init(struct guts_cli *c);
int guts_cmd_id(struct guts_cli *c);

/* node.c */
int guts_cmd_status(struct guts_cli *c);
int guts_cmd_dashboard(struct guts_cli *c);
int guts_cmd_stop(struct guts_cli *c);
int guts_cmd_token_create(struct guts_cli *c);
int guts_cmd_token_list(struct guts_cli *c);
int guts_cmd_token_revoke(struct guts_cli *c);

/* config.c */
int guts_cmd_config_list(struct guts_cli *c);
int guts_cmd_config_get(struct guts_cli *c);
int guts_cmd_config_set(struct guts_cli *c);
int guts_cmd_config_unset(struct guts_cli *c);

/* peers.c */
int guts_cmd_peers_list(struct guts_cli *c);
int guts_cmd_peers_connect(struct guts_cli *c);
int guts_cmd_peers_disconnect(struct guts_cli *c);
int guts_cmd_peers_ban(struct guts_cli *c);
int guts_cmd_peers_lift(struct guts_cli *c);
int guts_cmd_peers_bans(struct guts_cli *c);
int guts_cmd_peers_addresses(struct guts_cli *c);
int guts_cmd_peers_offences(struct guts_cli *c);

/* repo.c, repochange.c, repofiles.c, repojob.c */
int guts_cmd_repo_list(struct guts_cli *c);
int guts_cmd_repo_show(struct guts_cli *c);
int guts_cmd_repo_create(struct guts_cli *c);
int guts_cmd_repo_update(struct guts_cli *c);
int guts_cmd_repo_policy(struct guts_cli *c);
int guts_cmd_repo_delete(struct guts_cli *c);
int guts_cmd_repo_trust(struct guts_cli *c);
int guts_cmd_repo_download(struct guts_cli *c);
int guts_cmd_repo_log(struct guts_cli *c);
int guts_cmd_repo_contributors(struct guts_cli *c);
int guts_cmd_repo_files(struct guts_cli *c);
int guts_cmd_repo_import(struct guts_cli *c);
int guts_cmd_repo_sync(struct guts_cli *c);

/* gossip.c */
int guts_cmd_gossip_topics(struct guts_cli *c);
int guts_cmd_gossip_mesh(struct guts_cli *c);
int guts_cmd_gossip_scores(struct guts_cli *c);
int guts_cmd_gossip_subscribe(struct guts_cli *c);
int guts_cmd_gossip_publish(struct guts_cli *c);
int guts_cmd_gossip_tail(struct guts_cli *c);

/* dht.c */
int guts_cmd_dht_status(struct guts_cli *c);
int guts_cmd_dht_lookup(struct guts_cli *c);
int guts_cmd_dht_providers(struct guts_cli *c);

/* sink.c */
int guts_cmd_sink_list(struct guts_cli *c);

/* hook.c */
int guts_cmd_hook_add(struct guts_cli *c);
int guts_cmd_hook_list(struct guts_cli *c);
int guts_cmd_hook_show(struct guts_cli *c);
int guts_cmd_hook_remove(struct guts_cli *c);
int guts_cmd_hook_ping(struct guts_cli *c);
int guts_cmd_hook_deliveries(struct guts_cli *c);
int guts_cmd_hook_redeliver(struct guts_cli *c);

/* ci.c */
int guts_cmd_ci_add(struct guts_cli *c);
int guts_cmd_ci_list(struct guts_cli *c);
int guts_cmd_ci_remove(struct guts_cli *c);
int guts_cmd_ci_jobs(struct guts_cli *c);
int guts_cmd_ci_log(struct guts_cli *c);
int guts_cmd_ci_cancel(struct guts_cli *c);
int guts_cmd_ci_rerun(struct guts_cli *c);
int guts_cmd_ci_runners(struct guts_cli *c);

/* cirun.c */
int guts_cmd_ci_run(struct guts_cli *c);

/* events.c */
int guts_cmd_events(struct guts_cli *c);

/* log.c */
int guts_cmd_log(struct guts_cli *c);
int guts_cmd_log_level(struct guts_cli *c);

/* credential.c */
int guts_cmd_credential(struct guts_cli *c);

/* doctor.c: on the home */
int guts_cmd_doctor(struct guts_cli *c);

/* help.c, completion.c */
int guts_cmd_help(struct guts_cli *c);
int guts_cmd_completion(struct guts_cli *c);

/* Print the help of one command, or of all. */
void guts_help_command(const struct guts_command *cmd);
void guts_help_all(void);
/* Print the commands of a group ("repo"); false if there is no such group. */
bool guts_help_group(const char *group);

#endif
