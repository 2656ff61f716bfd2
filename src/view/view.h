/* view/view.h - node values as JSON, in the shapes of api/openapi.yaml (schemas named alike).
 *
 * `base` is the gateway's own address without a slash at the end; links are made with it.
 * Each function writes one value.
 */
#ifndef GUTS_VIEW_VIEW_H
#define GUTS_VIEW_VIEW_H

#include "git/history.h"
#include "git/read.h"
#include "node/dht.h"
#include "node/node.h"
#include "proto/signedrefs.h"
#include "proto/status.h"
#include "view/json.h"

/* A part of the node and how it is. */
struct guts_view_health {
	const char *name, *state, *reason; /* state: "ok", "degraded", "failing", "off"; reason: NULL = none */
	uint64_t since_wall_ms;
};

/* What a node snapshot does not know. */
struct guts_view_status {
	const char *version;
	const char *const *http; /* base URLs */
	size_t nhttp;
	uint64_t repositories;   /* that the asker may see */
	uint64_t body_bytes, pack_bytes, streams;
	const char *const *restart_required; /* options whose change waits for a restart */
	size_t nrestart_required;
	const char *health;      /* state of the worst part */
	const struct guts_view_health *parts;
	size_t nparts;
};
void guts_view_status(struct guts_json *j, const struct guts_snapshot *s, const struct guts_view_status *v);
void guts_view_peer(struct guts_json *j, const struct guts_peer_info *p);
/* The same with its standing: a PeerDetail. */
void guts_view_peer_detail(struct guts_json *j, const struct guts_peer_info *p);
void guts_view_offence(struct guts_json *j, const struct guts_offence_info *o);
void guts_view_ban(struct guts_json *j, const struct guts_ban_info *b);
void guts_view_address(struct guts_json *j, const struct guts_address_info *a);
void guts_view_dial(struct guts_json *j, const struct guts_dial_info *d);
void guts_view_topic(struct guts_json *j, const struct guts_topic_info *t);
void guts_view_topic_detail(struct guts_json *j, const struct guts_topic_detail *d);
void guts_view_gossip_peer(struct guts_json *j, const struct guts_gossip_peer_info *p);
void guts_view_gossip_stats(struct guts_json *j, const struct guts_gossip_stats *s, const struct guts_gossip_thresholds *t);
void guts_view_job(struct guts_json *j, const struct guts_job_info *i);
void guts_view_message(struct guts_json *j, const struct guts_user_message *m);

/* A Dht of `self`, a DhtContact, a DhtLookup of `target` as it was asked for. */
void guts_view_dht(struct guts_json *j, const struct guts_peerid *self, const struct guts_dht_info *i);
void guts_view_dht_contact(struct guts_json *j, const struct guts_kad_contact *c);
void guts_view_dht_lookup(struct guts_json *j, const char *target, const struct guts_kad_result *r);

/* A fact or signal as an Event; `type` of a signal has no id. */
void guts_view_fact(struct guts_json *j, const struct guts_fact *f);
/* An event in the JSON format of CloudEvents 1.0: `data` is the one that guts_view_fact or guts_view_signal wrote, `id` unique
 * in `source`. */
struct guts_view_cloudevent {
	const char *id, *source, *type;
	uint64_t wall_ms;
	const uint8_t *repo;            /* NULL = of none */
	const struct guts_peerid *peer; /* NULL = of none */
	struct guts_slice data;
};
void guts_view_cloudevent(struct guts_json *j, const struct guts_view_cloudevent *ce);
/* A fact as such an event, its id the fact's number. */
void guts_view_fact_cloud(struct guts_json *j, const struct guts_fact *f, const char *source);
void guts_view_signal(struct guts_json *j, const struct guts_signal *s, uint64_t wall_ms);

/* A peer id as text; one of each kind, as the schema of its name in api/openapi.yaml. */
void guts_view_peerid(struct guts_json *j, const struct guts_peerid *id);
void guts_view_user(struct guts_json *j, const struct guts_peerid *id);
void guts_view_repo(struct guts_json *j, const char *base, const struct guts_repo_info *i);
/* All of a repository but `id` and `owner`, within an object: for those who write these two their own way. */
void guts_view_repo_members(struct guts_json *j, const char *base, const struct guts_repo_info *i);
void guts_view_author(struct guts_json *j, const struct guts_repo_author *a);
void guts_view_seeder(struct guts_json *j, const struct guts_repo_seeder *s);
/* A Record: s = NULL if it cannot be opened; error = NULL if it is what it should be. */
void guts_view_record(struct guts_json *j, const struct guts_record_row *row, const struct guts_signedrefs *s,
    const char *error);
void guts_view_oid(struct guts_json *j, const struct guts_oid *oid);

/* Path of a repository in links, "<peer id>/<name>", or its id if it is shadowed. */
#define GUTS_VIEW_PATH_SIZE (GUTS_PEERID_TEXT_SIZE + GUTS_NAME_MAX + 2)
void guts_view_repo_path(char out[GUTS_VIEW_PATH_SIZE], const struct guts_repo_info *i);

/* Append `s` percent-encoded for a path, slashes kept. */
void guts_view_encode(struct guts_buf *out, struct guts_slice s);

/* Rows of a refs view: name under refs/heads/, under refs/tags/ (`commit`: what it finally names), whole. */
struct guts_view_repo_ctx {
	const char *base;
	const char *path;              /* guts_view_repo_path */
	const char *default_branch;
	const char *ref;               /* for links to contents; NULL = default branch */
};
/* How the contexts of commit statuses that a repository requires stand: "success", "pending", …; NULL: none came. */
#define GUTS_VIEW_CHECKS_MAX 8
struct guts_view_checks {
	size_t n;
	struct {
		const char *context, *state;
	} v[GUTS_VIEW_CHECKS_MAX];
};
/* Members `required_contexts` and `checks`, if any is required. */
void guts_view_checks(struct guts_json *j, const struct guts_view_checks *c);

/* `checks` may be NULL. */
void guts_view_branch(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_refs_row *r,
    const struct guts_read_commit *newest, const struct guts_view_checks *checks);
void guts_view_tag(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_refs_row *r,
    const struct guts_oid *commit);
void guts_view_ref(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_refs_row *r,
    enum guts_object_type type);

/* A time of git [s since 1970] as RFC 3339; one that cannot be written so is 1970. */
void guts_view_git_time(struct guts_json *j, const char *key, int64_t time_s);

/* A Commit; with `diff` a CommitDetail. */
void guts_view_commit(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_commit *c,
    const struct guts_read_diff *diff);

/* Its pieces: a GitUser as member `key`; the members stats, files, truncated; an entry's mode in git. */
void guts_view_person(struct guts_json *j, const char *key, const struct guts_read_person *p);
void guts_view_diff(struct guts_json *j, const struct guts_read_diff *d);
const char *guts_view_mode(enum guts_read_kind k);

/* A Comparison; base NULL = the histories are not related; commits are listed oldest first. */
struct guts_view_comparison {
	const struct guts_read_relation *relation;
	const struct guts_read_commit *from, *base;
	const struct guts_read_commits *commits;
	const struct guts_read_diff *diff;
};
void guts_view_comparison(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_view_comparison *c);

/* Objects of git: a GitObject as member `key`, a GitTree, GitBlob, GitTag, GitCommit. */
void guts_view_object(struct guts_json *j, const char *key, const struct guts_view_repo_ctx *x,
    const struct guts_oid *oid, enum guts_object_type type);
void guts_view_tree(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_tree *t);
void guts_view_blob(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_oid *oid,
    struct guts_slice content);
void guts_view_tag_object(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_tag *t);
void guts_view_git_commit(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_commit *c);

/* An Entry at `dir`/name (dir may be empty); with `content` a File, with content->p NULL one too large to show.  `last`: the commit that
 * changed it last, or NULL. */
void guts_view_entry(struct guts_json *j, const struct guts_view_repo_ctx *x, struct guts_slice dir,
    const struct guts_read_entry *e, const struct guts_read_commit *last, const struct guts_slice *content);

/* A Contributor; a LastCommit of an entry of `dir`, whose commit (NULL: not found) is `c`. */
void guts_view_contributor(struct guts_json *j, const struct guts_history_person *p);
void guts_view_last_commit(struct guts_json *j, struct guts_slice dir, const struct guts_history_entry *e,
    const struct guts_read_commit *c);

/* A CommitStatus; `counts`: its signer is one that the identity names. */
void guts_view_commit_status(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_status *s,
    bool counts);

/* "pending", "success", "failure" of the newest statuses that count, one per context. */
const char *guts_view_combined(const struct guts_status *v, const bool *counts, size_t n);

/* problem+json. */
struct guts_body;
struct guts_view_problem {
	int status;
	const char *title, *detail, *code, *request_id;
	const struct guts_body *body; /* its errors, or NULL */
};
void guts_view_problem(struct guts_json *j, const struct guts_view_problem *p);

#endif
