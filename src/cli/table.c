/* cli/table.c - every command of the command line, in the order of its help.
 *
 * Help, manual page and completion are made from this table.
 */
#include "cli/table.h"

#include "cli/commands.h"

#define END { NULL, 0, NULL, NULL }

static const struct guts_opt all_opts[] = { { "all", 'a', NULL, "also those that have their default" }, END };
static const struct guts_opt list_opts[] = {
	{ "long", 'l', NULL, "whole ids and addresses" },
	END,
};
static const struct guts_opt address_opts[] = {
	{ "long", 'l', NULL, "whole ids and addresses" },
	{ "source", 's', "SOURCE", "only entries that came by configured, signed, identify, mdns, inbound, exchange or dht" },
	{ "table", 't', "TABLE", "only those of new (hearsay) or of tried (reached)" },
	END,
};
static const struct guts_opt ban_opts[] = {
	{ "reason", 0, "TEXT", "why, for the list of bans" },
	{ "for", 0, "SECONDS", "how long (default: for ever)" },
	END,
};
static const struct guts_opt token_opts[] = {
	{ "scope", 's', "SCOPE", "read, write, ci or admin; may be given several times (default read)" },
	{ "repo", 'r', "REPO", "only for this repository; may be given several times" },
	{ "expires", 0, "SECONDS", "how long it is valid (default: for ever)" },
	END,
};
static const struct guts_opt repo_list_opts[] = {
	{ "long", 'l', NULL, "whole ids" },
	{ "search", 'q', "TEXT", "only those with this in name, description, owner or id" },
	{ "sort", 0, "KEY", "name, created, updated, size, seeders or id; a minus in front turns it round" },
	END,
};
static const struct guts_opt create_opts[] = {
	{ "description", 'd', "TEXT", "one sentence about it" },
	{ "branch", 'b', "NAME", "default branch (default main)" },
	{ "format", 0, "FORMAT", "sha1 or sha256 (default sha1)" },
	{ "private", 0, NULL, "only for this node and the readers it names" },
	END,
};
static const struct guts_opt update_opts[] = {
	{ "name", 'n', "NAME", "new name; the old one redirects" },
	{ "description", 'd', "TEXT", "new description" },
	{ "branch", 'b', "NAME", "new default branch" },
	{ "private", 0, "YES", "yes or no" },
	{ "archive", 0, "YES", "yes: retire it in the whole network; no: take that back" },
	{ "signer", 's', "PEER", "whose commit statuses count; may be given several times; replaces the list" },
	{ "no-signers", 0, NULL, "nobody's but the delegates' statuses count" },
	{ "reader", 'r', "PEER", "who may have it while it is private; may be given several times; replaces the list" },
	{ "no-readers", 0, NULL, "nobody but the delegates may have it while it is private" },
	{ "require", 0, "CONTEXT", "a commit status that branches are to have; may be given several times; replaces the list" },
	{ "no-required", 0, NULL, "branches need no commit status" },
	{ "gate", 0, "BRANCH", "hold pushes to it in candidates/BRANCH until all required statuses are there; may end in *; may be given several times; replaces the list" },
	{ "no-gates", 0, NULL, "no branch waits for statuses" },
	END,
};
static const struct guts_opt history_opts[] = {
	{ "number", 'n', "N", "so many, at most 100 (default 20)" },
	{ "path", 'p', "PATH", "only those that changed this file or folder" },
	{ "author", 'a', "TEXT", "only by authors with this in name or e-mail" },
	{ "since", 0, "TIME", "not before, e.g. 2026-01-31T12:00:00Z" },
	{ "until", 0, "TIME", "not after" },
	END,
};
static const struct guts_opt files_opts[] = { { "ref", 'r', "REF", "branch, tag or commit (default: the default branch)" }, END };
static const struct guts_opt download_opts[] = { { "output", 'o', "FILE", "write it there: zip if the name ends so, else tar.gz (default: standard output)" }, END };
static const struct guts_opt delete_opts[] = { { "yes", 'y', NULL, "do not ask" }, END };
static const struct guts_opt trust_opts[] = { { "remove", 0, NULL, "no longer trust" }, END };
static const struct guts_opt import_opts[] = {
	{ "name", 'n', "NAME", "name of the new repository (default: the folder's)" },
	{ "description", 'd', "TEXT", "one sentence about it" },
	{ "branch", 'b', "NAME", "default branch (default: what HEAD names)" },
	{ "private", 0, NULL, "only for this node and the readers it names" },
	END,
};
static const struct guts_opt sync_opts[] = {
	{ "wait", 'w', NULL, "wait until it is done, showing progress" },
	END,
};
static const struct guts_opt subscribe_opts[] = { { "off", 0, NULL, "unsubscribe" }, END };
static const struct guts_opt tail_opts[] = {
	{ "lines", 'n', "N", "how many kept messages to begin with (default 10)" },
	{ "no-follow", 0, NULL, "end after those" },
	END,
};
static const struct guts_opt lookup_opts[] = {
	{ "record", 0, NULL, "print what is stored under it instead: a peer's signed record, a repository's genesis record" },
	END,
};
static const struct guts_opt events_opts[] = {
	{ "follow", 'f', NULL, "go on as they come" },
	{ "since", 0, "ID", "facts after this one (default: the newest 20; with --follow: only new ones)" },
	{ "type", 't', "TYPE", "only these, e.g. repo.ref.updated or repo.*; may be given several times" },
	{ "repo", 'r', "REPO", "only of this repository" },
	{ "peer", 'p', "PEER", "only of this peer" },
	END,
};
static const struct guts_opt log_opts[] = {
	{ "follow", 'f', NULL, "go on as lines are written" },
	{ "lines", 'n', "N", "how many lines to begin with (default 20)" },
	{ "level", 'l', "LEVEL", "only this level and graver ones: error, warn, notice, info, debug" },
	END,
};
static const struct guts_opt hook_add_opts[] = {
	{ "repo", 'r', "REPO", "of this repository (default: node-wide, all repositories and the node itself)" },
	{ "event", 'e', "EVENT", "push (the default), create, delete, status, repository, repo.sync.*, peer.*, gossip.* or *; several" },
	{ "branch", 'b', "GLOB", "only these branches, e.g. main or {main,rel/*}" },
	{ "format", 'f', "FORMAT", "github (the default), gitea or cloudevents" },
	{ "secret-file", 0, "FILE", "sign with its first line; - is standard input" },
	{ "authorization-file", 0, "FILE", "its first line is sent as the Authorization header" },
	{ "all-authors", 0, NULL, "also pushes to other authors' own refs, and statuses that do not count" },
	{ "insecure", 0, NULL, "do not check the receiver's certificate" },
	END,
};
static const struct guts_opt ci_add_opts[] = {
	{ "branch", 'b', "GLOB", "only these branches, e.g. main or {main,rel/*}" },
	{ "event", 'e', "EVENT", "push (the default) or tag; may be given several times" },
	{ "context", 'c', "NAME", "context of the commit statuses (default ci)" },
	END,
};
static const struct guts_opt ci_run_opts[] = {
	{ "repo", 'r', "REPO", "only jobs of this repository; may be given several times" },
	{ "branch", 'b', "GLOB", "only these branches, e.g. main or {main,rel/*}" },
	{ "event", 'e', "EVENT", "push or tag; may be given several times (default both)" },
	{ "once", '1', NULL, "end after one job; the exit code says whether it passed" },
	{ "name", 'n', "NAME", "name of this runner (default: that of the machine)" },
	{ "env", 0, "NAME[=VALUE]", "a further variable for COMMAND; without a value the one here; may be given several times" },
	{ "artifact", 'a', "FILE", "keep this file of the checkout with the job; may be given several times" },
	{ "timeout", 't', "SECONDS", "how long COMMAND may take (default 3600)" },
	{ "memory", 'm', "MIB", "memory that COMMAND and all it starts may have together; looked at four times a second, and ended above it (default: no limit)" },
	{ "dir", 'd', "DIR", "where folders for jobs are made (default $TMPDIR, else /tmp)" },
	{ "keep", 'k', NULL, "do not remove a job's folder" },
	END,
};
static const struct guts_opt ci_log_opts[] = {
	{ "follow", 'f', NULL, "go on until the job has ended" },
	{ "repo", 'r', "REPO", "of this repository, whichever node ran the job: JOB is the whole id, as its status has it" },
	END,
};
static const struct guts_opt ci_jobs_opts[] = {
	{ "repo", 'r', "REPO", "only those of this repository" },
	{ "state", 's', "STATE", "only those that are queued, running, success, failure or error" },
	END,
};
static const struct guts_opt hook_list_opts[] = { { "repo", 'r', "REPO", "only those of this repository" }, END };
static const struct guts_opt doctor_opts[] = {
	{ "repair", 0, NULL, "set right what can be set right without losing anything" },
	{ "fast", 0, NULL, "do not check the objects of the repositories" },
	END,
};

const struct guts_command guts_commands[] = {
	{ "init", "", "make the home: folder, node key, configuration to start from",
	    "Does nothing to what is there already.  `guts run` does the same on its first start.", NULL, true, false, 0, 0,
	    guts_cmd_init },
	{ "id", "", "print the peer id of the node", "Asks the running node; without one it reads the home's key.", NULL,
	    false, false, 0, 0, guts_cmd_id },
	{ "status", "", "the node at a glance", NULL, NULL, false, false, 0, 0, guts_cmd_status },
	{ "stop", "", "stop the running node in good order", NULL, NULL, false, false, 0, 0, guts_cmd_stop },
	{ "dashboard", "", "print an address that opens the dashboard, logged in",
	    "The code in it works once, within 60 seconds.", NULL, false, false, 0, 0, guts_cmd_dashboard },

	{ "config list", "", "options of the running node that differ from their default", NULL, all_opts, false, false, 0, 0,
	    guts_cmd_config_list },
	{ "config get", "KEY", "print the value of an option", NULL, NULL, false, false, 1, 1, guts_cmd_config_get },
	{ "config set", "KEY VALUE...", "change an option in guts.conf, and at once if it can be",
	    "Several VALUEs make a list.  Comments and other lines of the file stay.  It says if only a restart brings the change, or if the "
	    "node's\ncommand line goes before it.", NULL, false, false, 2, GUTS_ARGS_MAX, guts_cmd_config_set },
	{ "config unset", "KEY...", "take options out of guts.conf: their defaults hold", NULL, NULL, false, false, 1, GUTS_ARGS_MAX,
	    guts_cmd_config_unset },

	{ "peers list", "", "peers this node is linked to", NULL, list_opts, false, false, 0, 0, guts_cmd_peers_list },
	{ "peers connect", "MULTIADDR", "dial an address and keep the link", NULL, NULL, false, false, 1, 1,
	    guts_cmd_peers_connect },
	{ "peers disconnect", "PEER", "close the link and do not dial again until asked", NULL, NULL, false, false, 1, 1,
	    guts_cmd_peers_disconnect },
	{ "peers ban", "PEER", "refuse a peer", NULL, ban_opts, false, false, 1, 1, guts_cmd_peers_ban },
	{ "peers lift", "PEER", "lift a ban", NULL, NULL, false, false, 1, 1, guts_cmd_peers_lift },
	{ "peers bans", "", "banned peers", NULL, list_opts, false, false, 0, 0, guts_cmd_peers_bans },
	{ "peers offences", "", "rules that peers may break: what each costs, where it ends, how often it was broken", NULL, NULL,
	    false, false, 0, 0, guts_cmd_peers_offences },
	{ "peers addresses", "[TEXT]", "the address book: where peers were seen, who said so, what came of it",
	    "With a TEXT only peers with that in their id or an address, or in that netgroup.", address_opts, false, false, 0, 1,
	    guts_cmd_peers_addresses },

	{ "repo list", "", "repositories on this node", NULL, repo_list_opts, false, false, 0, 0, guts_cmd_repo_list },
	{ "repo show", "REPO", "one repository with branches, authors and seeders", NULL, NULL, false, false, 1, 1,
	    guts_cmd_repo_show },
	{ "repo create", "NAME", "make an empty repository, signed by this node's key", NULL, create_opts, false, false, 1,
	    1, guts_cmd_repo_create },
	{ "repo import", "PATH|URL", "make a repository of a git repository in a folder or at an address",
	    "A folder must be on the node's machine; branches and tags are taken.", import_opts, false, false, 1, 1,
	    guts_cmd_repo_import },
	{ "repo update", "REPO", "sign a new version of its identity: name, description, branch, signers, readers", NULL, update_opts,
	    false, false, 1, 1, guts_cmd_repo_update },
	{ "repo sync", "REPO", "ask its seeders for what is new, now", NULL, sync_opts, false, false, 1, 1,
	    guts_cmd_repo_sync },
	{ "repo log", "REPO [REF]", "the newest commits, and how many there are", NULL, history_opts, false, false, 1, 2, guts_cmd_repo_log },
	{ "repo contributors", "REPO [REF]", "who made the commits, and how many", NULL, NULL, false, false, 1, 2, guts_cmd_repo_contributors },
	{ "repo files", "REPO [PATH]", "the entries of a folder, and the commit that changed each last", NULL, files_opts, false, false, 1, 2,
	    guts_cmd_repo_files },
	{ "repo download", "REPO [REF]", "the files of a branch, tag or commit as an archive", "Without a REF those of the default branch.",
	    download_opts, false, false, 1, 2, guts_cmd_repo_download },
	{ "repo policy", "REPO [POLICY]", "show or set the policy: default, seed (keep) or block",
	    "By id this works for a repository that is not here: `seed` looks for it among the peers.", NULL, false, false, 1,
	    2, guts_cmd_repo_policy },
	{ "repo delete", "REPO", "remove it from this node and block it",
	    "Other nodes keep theirs; `guts repo policy ID default` lets it come back.", delete_opts, false, false, 1, 1,
	    guts_cmd_repo_delete },
	{ "repo trust", "REPO PEER", "let a signer's commit statuses count on this node",
	    "Those of delegates, and of signers that the owner named (`guts repo update --signer`), count everywhere without this.  Other nodes "
	    "are not told.", trust_opts, false, false, 2, 2, guts_cmd_repo_trust },

	{ "gossip topics", "", "topics this node takes part in", NULL, NULL, false, false, 0, 0, guts_cmd_gossip_topics },
	{ "gossip mesh", "TOPIC", "peers that subscribe to a topic, and their scores in it", NULL, NULL, false, false, 1, 1,
	    guts_cmd_gossip_mesh },
	{ "gossip scores", "", "how gossip rates each peer, by component",
	    "P1 time in the mesh, P2 first deliveries, P3 missing ones, P3b those when it left a mesh, P4 messages that broke a "
	    "rule, P5 standing outside of gossip, P6 crowd of one address group, P7 behaviour.", NULL, false, false, 0, 0,
	    guts_cmd_gossip_scores },
	{ "gossip subscribe", "TOPIC", "take part in a topic, also after a restart", NULL, subscribe_opts, false, false, 1, 1,
	    guts_cmd_gossip_subscribe },
	{ "gossip publish", "TOPIC [TEXT]", "sign and publish a message",
	    "Without TEXT the message is read from standard input.", NULL, false, false, 1, 2, guts_cmd_gossip_publish },
	{ "gossip tail", "[TOPIC]", "messages as they come, of one topic or all", NULL, tail_opts, false, false, 0, 1,
	    guts_cmd_gossip_tail },

	{ "dht status", "", "this node's part in the DHT and its routing table", NULL, list_opts, false, false, 0, 0,
	    guts_cmd_dht_status },
	{ "dht lookup", "ID", "look up a peer, or who provides a repository, and show the way",
	    "ID is a peer id, a repository id or guts://ID.", lookup_opts, false, false, 1, 1, guts_cmd_dht_lookup },
	{ "dht providers", "REPO", "who provides a repository, as the DHT says", "REPO is an id or guts://ID.", NULL, false,
	    false, 1, 1, guts_cmd_dht_providers },

	{ "hook add", "URL", "make a webhook: what happens here is sent to an address",
	    "Addresses that are not public need the option bridge.allow.  What fails is sent again for a day.  * is every event but the "
	    "signals repo.sync.progress and peer.penalized, which may come once a second: name them to get them too.",
	    hook_add_opts, false, false, 1, 1, guts_cmd_hook_add },
	{ "hook list", "", "webhooks of this node", NULL, hook_list_opts, false, false, 0, 0, guts_cmd_hook_list },
	{ "hook show", "HOOK", "one webhook", "HOOK is a number of `guts hook list`.", NULL, false, false, 1, 1, guts_cmd_hook_show },
	{ "hook remove", "HOOK", "remove a webhook and its deliveries", "HOOK is a number of `guts hook list`.", NULL, false, false, 1, 1, guts_cmd_hook_remove },
	{ "hook ping", "HOOK", "send a ping", "HOOK is a number of `guts hook list`.", NULL, false, false, 1, 1, guts_cmd_hook_ping },
	{ "hook deliveries", "HOOK", "its newest deliveries and how they went", "HOOK is a number of `guts hook list`.", NULL, false, false, 1, 1,
	    guts_cmd_hook_deliveries },
	{ "hook redeliver", "HOOK DELIVERY", "send a delivery again, under the same id",
	    "HOOK is a number of `guts hook list`, DELIVERY one of `guts hook deliveries HOOK`.", NULL, false, false, 2, 2,
	    guts_cmd_hook_redeliver },
	{ "sink list", "", "message brokers that get the node's events", "The options sink.* of the configuration say which, and what they get.",
	    NULL, false, false, 0, 0, guts_cmd_sink_list },

	{ "ci add", "REPO", "make a queue of CI jobs: each push makes one",
	    "Runners take them: `guts ci run`, or others by the API.  Without a queue a node makes no jobs.", ci_add_opts, false,
	    false, 1, 1, guts_cmd_ci_add },
	{ "ci list", "", "queues of CI jobs on this node", NULL, NULL, false, false, 0, 0, guts_cmd_ci_list },
	{ "ci remove", "QUEUE", "remove a queue; its waiting jobs end", "QUEUE is a number of `guts ci list`.", NULL, false, false, 1, 1, guts_cmd_ci_remove },
	{ "ci run", "[--] COMMAND...", "be a runner: take jobs, run COMMAND in a fresh clone of each, report",
	    "It only dials out, and needs a token with the scope ci (and read, for private repositories).  COMMAND gets CI=true, "
	    "GUTS_JOB, GUTS_REPOSITORY, GUTS_REPOSITORY_ID, GUTS_REF, GUTS_BRANCH or GUTS_TAG, GUTS_COMMIT, GUTS_BEFORE, "
	    "GUTS_EVENT, GUTS_CONTEXT, PATH, HOME and LANG, and nothing else.  It runs what was pushed: as a user that may do no harm.  "
	    "What it has started when it ends is ended.  A burst of memory can pass between two looks; a hard limit is the service manager's, such as MemoryMax= of systemd.",
	    ci_run_opts, false, false, 1, GUTS_ARGS_MAX, guts_cmd_ci_run },
	{ "ci log", "JOB", "what a CI job says", "JOB is an id or its beginning.", ci_log_opts, false, false, 1, 1,
	    guts_cmd_ci_log },
	{ "ci jobs", "", "CI jobs, the newest 100", NULL, ci_jobs_opts, false, false, 0, 0, guts_cmd_ci_jobs },
	{ "ci cancel", "JOB", "end a CI job that waits or runs", "JOB is an id or its beginning.", NULL, false, false, 1, 1,
	    guts_cmd_ci_cancel },
	{ "ci rerun", "JOB", "run a CI job again, as a new one", "JOB is an id or its beginning.", NULL, false, false, 1, 1,
	    guts_cmd_ci_rerun },
	{ "ci runners", "", "runners that wait for a job at this moment", NULL, NULL, false, false, 0, 0,
	    guts_cmd_ci_runners },

	{ "events", "", "what has happened on the node", "With --json one event per line.", events_opts, false, false, 0, 0,
	    guts_cmd_events },
	{ "log", "", "what the node has logged", "The node keeps its newest 1,000 lines.", log_opts, false, false, 0, 0, guts_cmd_log },
	{ "log level", "[LEVEL]", "show or set how much is logged, until the node ends",
	    "error, warn, notice, info or debug.  The option log.level sets it for good: `guts config set log.level info`.", NULL, false,
	    false, 0, 1, guts_cmd_log_level },

	{ "token create", "NAME", "make a token; its secret is shown this once", NULL, token_opts, false, false, 1, 1,
	    guts_cmd_token_create },
	{ "token list", "", "tokens, without their secrets", NULL, NULL, false, false, 0, 0, guts_cmd_token_list },
	{ "token revoke", "ID", "revoke a token", NULL, NULL, false, false, 1, 1, guts_cmd_token_revoke },

	{ "credential", "get|store|erase", "git credential helper",
	    "Tell git to use it:  git config --global credential.helper '!guts credential'\n"
	    "It answers only for the address of the node itself, with $GUTS_TOKEN or the home's admin token.",
	    NULL, false, false, 1, 1, guts_cmd_credential },
	{ "doctor", "", "check the home: key, database, repositories, configuration, disk, clock", NULL, doctor_opts, true,
	    false, 0, 0, guts_cmd_doctor },
	{ "completion", "bash", "print a script for the shell's completion",
	    "Put this into ~/.bashrc:  eval \"$(guts completion bash)\"", NULL, true, false, 1, 1, guts_cmd_completion },
	{ "help", "[COMMAND]", "help on a command",
	    "`guts help --roff` prints the sections of the manual page that are made from the tables.",
	    (const struct guts_opt[]){ { "roff", 0, NULL, "as manual page source" }, END }, true, false, 0, 2, guts_cmd_help },
};

const size_t guts_commands_n = sizeof(guts_commands) / sizeof(guts_commands[0]);
