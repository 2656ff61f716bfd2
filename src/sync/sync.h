/* sync/sync.h - the repositories this node keeps: records, canonical refs, push, fetch, serve.
 *
 * One `struct guts_repo` per repository holds, in memory, its identity chain, the newest
 * signed-refs record and entry tree of every author, and the canonical view computed from
 * them.  Everything changes by one path, apply:
 *
 *	ingest verified → accept (objects fsynced) → one store batch {record, entries, facts,
 *	outbox} = THE COMMIT POINT → refs projected → caller answered → announced
 *
 * whether it starts with a local push or with a peer's record.  All functions belong to the
 * loop thread.  Upward facts go through guts_sync_events.
 *
 * Source: DESIGN 6 as doc/architecture.md and doc/protocol.md state it.
 */
#ifndef GUTS_SYNC_SYNC_H
#define GUTS_SYNC_SYNC_H

#include "base/limits.h"
#include "base/oid.h"
#include "crypto/key.h"
#include "git/repo.h"
#include "loop/env.h"
#include "store/store.h"

struct guts_sync;
struct guts_repo;
struct guts_peers;
struct guts_stream;
struct guts_push;

/* Policy of this node for one repository. */
enum guts_policy {
	GUTS_POLICY_DEFAULT, /* follow seed.default and the quotas */
	GUTS_POLICY_SEED,    /* kept, never evicted */
	GUTS_POLICY_BLOCK,   /* refused; removed and not to come back */
};

/* What gossip shall do with a message: forward, drop silently, drop and blame, answer follows. */
enum guts_verdict { GUTS_ACCEPT, GUTS_IGNORE, GUTS_REJECT, GUTS_LATER };

/* What the layer above knows of a CI job: its JSON (a CiJob of api/openapi.yaml) or, once it has ended, the record that the node
 * signed which ran it; and of a file that is named, bytes from `offset` on, as many as fit.  GUTS_ENOTFOUND; GUTS_EBUSY it is being
 * fetched. */
struct guts_job_told {
	struct guts_buf json, record, data;
};
typedef int guts_job_source(void *owner, const uint8_t repo[GUTS_REPOID_SIZE], const uint8_t job[16], struct guts_slice file,
    uint64_t offset, struct guts_job_told *out);

struct guts_sync_events {
	/* A batch with facts became durable: ids first..last can be read and streamed.  The state shows what they say. */
	void (*facts)(void *owner, uint64_t first, uint64_t last);
	/* Publish `payload` (a GossipPayload, see api/guts.proto) on the repository's topic. */
	void (*publish_repo)(void *owner, const struct guts_repo *r, struct guts_slice payload);
	/* Publish a NewRepository message on the topic for new repositories. */
	void (*publish_new)(void *owner, const struct guts_repo *r, struct guts_slice message);
	/* The repository is there now / has gone: (un)subscribe its topic, rebuild snapshots. */
	void (*added)(void *owner, const struct guts_repo *r);
	void (*removed)(void *owner, const struct guts_repo *r);
	/* Its identity is another one: it may have become private, or public. */
	void (*renewed)(void *owner, const struct guts_repo *r);
	/* Something that snapshots show has changed. */
	void (*changed)(void *owner, const struct guts_repo *r);
	/* Progress of a fetch: `phase` = "refs", "objects", "verify", "apply", "done", "failed"; a fleeting signal. */
	void (*progress)(void *owner, const struct guts_repo *r, const struct guts_peerid *peer, const char *phase,
	    uint64_t bytes, uint64_t objects, int err);
	/* May this node begin to keep the repository (policy, quotas)?  `text` gets the reason of a refusal. */
	int (*may_seed)(void *owner, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_peerid *creator,
	    const struct guts_peerid *from, struct guts_errinfo *why);
	/* A peer broke a rule; costs as base/err.h says. */
	void (*offence)(void *owner, const struct guts_peerid *peer, int err, const char *what);
	/* The user asked for this repository by its id, or for its newest state: whoever has it is welcome. */
	void (*wanted)(void *owner, const uint8_t id[GUTS_REPOID_SIZE]);
	/* The answer to an earlier GUTS_LATER of guts_sync_announced: `ticket` as given there. */
	void (*verdict)(void *owner, uint64_t ticket, enum guts_verdict v);
	/* A peer asks about a CI job.  NULL: there are none here. */
	guts_job_source *job;
};

struct guts_sync_setup {
	struct guts_env *env;
	struct guts_store *store;
	struct guts_repos *repos;
	struct guts_peers *peers;
	const struct guts_key *key;
	const char *network;       /* network id, e.g. "main" */
	uint64_t pack_max;         /* [bytes] */
	uint64_t repo_max;         /* [bytes] of one repository that was not asked for by name */
	const struct guts_sync_events *events;
	void *owner;
};

/* Make it, and load every repository from the store.  `ready` comes when refs on disk agree with the records
 * (roll-forward done).  Errors: GUTS_EIO with text. */
int guts_sync_new(struct guts_sync **out, const struct guts_sync_setup *s, void (*ready)(void *owner, int err),
    struct guts_errinfo *ei);
void guts_sync_free(struct guts_sync *s);

/* Other limits, as in the set-up, for what begins from now on. */
void guts_sync_limits(struct guts_sync *s, uint64_t pack_max, uint64_t repo_max);

/* Is any change being written now?  A clean stop waits until none is. */
bool guts_sync_is_busy(const struct guts_sync *s);

/* Put into `b`, the last batch of a clean stop, the mark that makes the next start skip the repair of refs; not if there is
 * something to repair. */
void guts_sync_mark_clean(const struct guts_sync *s, struct guts_batch *b);

/* -- asking ----------------------------------------------------------------------------- */

/* The repository of this id, lent until it is deleted; NULL if there is none. */
struct guts_repo *guts_sync_find(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE]);

/* The repository that (owner, name) was first bound to on this node, also by a name it had before.  Errors: GUTS_ENOTFOUND,
 * GUTS_EIO.  Thread: any. */
int guts_sync_name_bound(struct guts_store *st, const struct guts_peerid *owner, struct guts_slice name,
    uint8_t id[GUTS_REPOID_SIZE]);

/* A signed-refs record that is kept, as it came. */
struct guts_record_row {
	uint64_t sequence;
	uint8_t hash[32];
	struct guts_slice envelope;
};

/* The kept records of an author, those with a sequence greater than `after`, in order of it, until `row` says no; each is
 * lent for the call.  Nothing is checked.  Errors: GUTS_EIO.  Thread: any. */
int guts_sync_records(struct guts_store *st, const uint8_t repo[GUTS_REPOID_SIZE], const struct guts_peerid *author,
    uint64_t after, bool (*row)(void *owner, const struct guts_record_row *r), void *owner);

/* Of one repository: its id, and whether only its readers may have it (true while its identity is unknown). */
const uint8_t *guts_repo_id(const struct guts_repo *r); /* GUTS_REPOID_SIZE bytes */
bool guts_repo_is_private(const struct guts_repo *r);

/* May everybody be told that this node has it: here, public, not retired; is this node's key a delegate of it? */
bool guts_repo_is_listed(const struct guts_repo *r);
bool guts_repo_is_own(const struct guts_repo *r);

/* Append the envelope of its genesis record.  Errors: GUTS_ENOTFOUND (identity unknown), GUTS_ELIMIT. */
int guts_repo_genesis(const struct guts_repo *r, struct guts_buf *out);

/* Name every repository that was asked for by its id and is not here yet, in order of id. */
void guts_sync_each_wanted(struct guts_sync *s, void (*each)(void *owner, const uint8_t id[GUTS_REPOID_SIZE]), void *owner);

/* In order of id; NULL ends.  `after` NULL starts. */
struct guts_repo *guts_sync_next(struct guts_sync *s, const struct guts_repo *after);
size_t guts_sync_count(const struct guts_sync *s);

/* A sorted, immutable list of refs, shared by reference count across threads. */
struct guts_refs_row {
	const char *name;              /* refs/heads/main */
	struct guts_oid oid;
	uint64_t version;
	struct guts_peerid author;     /* whose value it is */
	bool conflict;                 /* another delegate's value lost at the same version */
	bool is_gated;                 /* it takes a commit only when that has the required contexts */
};
struct guts_refs_view {
	int refcount;                  /* private, atomic */
	size_t n;
	const struct guts_refs_row *v; /* sorted by name */
	void *mem;                     /* private */
};
struct guts_refs_view *guts_refs_view_ref(struct guts_refs_view *v); /* Thread: any. */
void guts_refs_view_unref(struct guts_refs_view *v);                /* Thread: any. */
/* Row of `name`, or NULL.  Thread: any. */
const struct guts_refs_row *guts_refs_view_find(const struct guts_refs_view *v, struct guts_slice name);

/* What the outside may see of a repository: a value with its own memory. */
struct guts_repo_author {
	struct guts_peerid id;
	uint64_t sequence;
	uint64_t wall_ms;              /* time in its newest record */
	uint64_t refs;
	bool is_delegate;
	bool is_forked;                /* two records that do not descend from one another are known */
	uint8_t record_hash[32];
	struct guts_refs_view *refs_view; /* this author's own refs */
};
struct guts_repo_seeder {
	struct guts_peerid id;
	bool is_current;               /* its state digest equals ours */
	bool is_behind;                /* it equals one that was ours lately */
	unsigned behind;               /* how many changes came here since */
	uint64_t behind_since_wall_ms; /* when the first of them did */
	uint64_t seen_wall_ms;
};
struct guts_repo_info {
	int refcount;                  /* private, atomic */
	uint8_t id[GUTS_REPOID_SIZE];
	char id_text[64];
	struct guts_peerid creator;
	char name[GUTS_NAME_MAX + 1];
	char *description;
	char *default_branch;          /* "main" */
	enum guts_object_format format;
	uint64_t identity_version;
	uint64_t created_wall_ms, updated_wall_ms;
	uint64_t size_bytes;
	bool is_private, is_retired, is_delegate; /* is_delegate: this node's key may move canonical refs */
	bool shadowed;                 /* (owner, name) belongs to another repository on this node */
	bool syncing;                  /* a fetch is under way */
	enum guts_policy policy;
	unsigned threshold;
	size_t ndelegates, nsigners, nreaders, nauthors, nseeders;
	struct guts_peerid *delegates, *signers, *readers;
	size_t ncontexts;
	char **contexts;               /* of commit statuses that branches are to have */
	size_t ngates;
	char **gates;                  /* branches that wait for them */
	struct guts_repo_author *authors;
	struct guts_repo_seeder *seeders;
	struct guts_refs_view *canonical;
	uint8_t state_digest[32];      /* equal digests = equal records */
	char *last_error;              /* of the last failed fetch, NULL if none */
};
/* A fresh reference to the current info; cached until the repository changes.  Loop thread. */
struct guts_repo_info *guts_repo_info_get(struct guts_repo *r);
void guts_repo_info_unref(struct guts_repo_info *i); /* Thread: any. */
struct guts_repo_info *guts_repo_info_ref(struct guts_repo_info *i); /* Thread: any. */

/* Digest over the states of all repositories that `peer` may know of, and their number, for Hello and Ping. */
void guts_sync_inventory(struct guts_sync *s, const struct guts_peerid *peer, uint8_t digest[32], uint64_t *count);

/* -- changing by this node's user ------------------------------------------------------------- */

struct guts_repo_params { /* NULL/empty = default on create, unchanged on update */
	const char *name, *description, *default_branch;
	enum guts_object_format format;
	const bool *is_private, *is_retired;
	const struct guts_peerid *signers, *readers; /* whose statuses count; who may have it while it is private */
	size_t nsigners, nreaders;
	const char *const *contexts;                 /* of commit statuses that branches are to have */
	size_t ncontexts;
	const char *const *gates;                    /* branches that wait for them, as guts_gate_is_valid has it */
	size_t ngates;
	bool set_signers, set_readers, set_contexts, set_gates; /* false = unchanged */
	bool is_import;                              /* create: others hear of it by guts_sync_imported */
};

/* Make a repository: this node is creator and only delegate.  Errors in `done`: GUTS_EINVAL, GUTS_EEXIST (name), GUTS_ENOSPC. */
void guts_sync_create(struct guts_sync *s, const struct guts_repo_params *p,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei, struct guts_repo *r), void *owner);

/* What the repository had elsewhere is here, or will not come: others are told of it, so that their first copy has all of it. */
void guts_sync_imported(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE]);

/* A successor of the identity.  GUTS_EDENIED if this node is no delegate. */
void guts_sync_update(struct guts_sync *s, struct guts_repo *r, const struct guts_repo_params *p,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei), void *owner);

/* Remove local data; with GUTS_POLICY_BLOCK it does not come back. */
void guts_sync_remove(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err), void *owner);

/* Set the policy of a repository that may or may not be here (SEED of an unknown one starts to look for it among the
 * connected peers). */
void guts_sync_set_policy(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE], enum guts_policy p,
    void (*done)(void *owner, int err), void *owner);

/* Ask all connected seeders now. */
void guts_sync_now(struct guts_sync *s, struct guts_repo *r);

/* One command of a push.  `old` and `new` none = create, delete. */
struct guts_push_cmd {
	char *name;                    /* checked by guts_refname_is_valid */
	struct guts_oid old_oid, new_oid;
	int err;                       /* answer: 0 or why it was refused */
	char text[160];                /* answer: reason for the client */
	const char *held;              /* answer: not NULL: the branch is gated, and this one was written instead, … */
	struct guts_oid held_old;      /* … which had this value */
};

struct guts_push_events {
	void (*writable)(void *owner);
	/* A line for the client's side band. */
	void (*message)(void *owner, const char *text);
	/* The end: 0 = the commit point was passed and refs are on disk (cmds tell each); otherwise nothing changed.
	 * `p` is gone afterwards. */
	void (*done)(void *owner, int err, const char *text, const struct guts_push_cmd *cmds, size_t n);
};

/* Begin a push by this node's key to `r`: to the canonical refs (author = NULL; refused with the fork's address if this
 * node is no delegate) or to this node's own namespace (author = own id).  Commands are copied and compared with the view
 * at the commit.  Pushes to one repository are served one after another.  A commit for a gated branch that lacks a required
 * context is held: it goes to candidates/<branch>, until sync/gate.c moves the branch.  Errors: GUTS_EDENIED, GUTS_EUNAVAILABLE
 * (adopting own newer record first), GUTS_EBUSY, GUTS_ELIMIT. */
int guts_push_open(struct guts_sync *s, struct guts_repo *r, const struct guts_peerid *author,
    const struct guts_push_cmd *cmds, size_t n, bool atomic, bool has_pack, const struct guts_push_events *ev,
    void *owner, struct guts_push **out, struct guts_errinfo *ei);
/* It is an import: the facts of its moves say `first`, as those of a first copy do. */
void guts_push_is_import(struct guts_push *p);
/* Pack bytes; returns how many were taken. */
size_t guts_push_write(struct guts_push *p, struct guts_slice bytes);
void guts_push_end(struct guts_push *p);
/* The client went away: nothing changes; no further event. */
void guts_push_abort(struct guts_push *p);

/* -- changing by peers ------------------------------------------------------------------------- */

/* A message on a repository's topic or by the node door (GossipPayload); `ticket` returns in events.verdict for GUTS_LATER. */
enum guts_verdict guts_sync_announced(struct guts_sync *s, const struct guts_peerid *from, struct guts_slice payload,
    uint64_t ticket);

/* A NewRepository message. */
enum guts_verdict guts_sync_new_repository(struct guts_sync *s, const struct guts_peerid *from, struct guts_slice message,
    uint64_t ticket);

/* A peer that speaks /guts/sync came or went; `inventory` from its Hello, Ping or Pong, compared with ours and exchanged
 * when they differ. */
void guts_sync_peer_up(struct guts_sync *s, const struct guts_peerid *peer);
void guts_sync_peer_down(struct guts_sync *s, const struct guts_peerid *peer);
void guts_sync_peer_inventory(struct guts_sync *s, const struct guts_peerid *peer, const uint8_t digest[32]);

/* Serve one inbound /guts/sync stream (adopts it). */
void guts_sync_serve(struct guts_sync *s, const struct guts_peerid *peer, struct guts_stream *st);

/* -- commit statuses ---------------------------------------------------------------------------- */

struct guts_status_params {
	struct guts_oid commit;
	const char *context, *state, *target_url, *description, *run_id;
};
/* Sign, store and announce a status by this node's key. */
void guts_sync_status_put(struct guts_sync *s, struct guts_repo *r, const struct guts_status_params *p,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei), void *owner);

/* Ask a peer about a CI job; `done` comes exactly once, with what was told (json, record and data, see api/guts.proto) lent for the
 * call, NULL on error.  file: empty = none.  Errors, with text: GUTS_EUNAVAILABLE it is not connected, GUTS_EUNSUPPORTED it does not
 * know the request, what it answers, GUTS_EPROTO, GUTS_ETIMEOUT, GUTS_ECLOSED. */
struct guts_msg_job;
typedef void guts_job_answer(void *owner, int err, const char *text, const struct guts_msg_job *told);
void guts_sync_ask_job(struct guts_sync *s, const struct guts_repo *r, const struct guts_peerid *peer, const uint8_t job[16],
    const char *file, uint64_t offset, guts_job_answer *done, void *owner);

/* Connected peers that may be asked about a job of the repository: first its signer, then others.  Returns how many, at most `max`. */
size_t guts_sync_job_peers(struct guts_sync *s, const struct guts_repo *r, const struct guts_peerid *signer,
    struct guts_peerid *out, size_t max);

/* What a peer told of a job is not what its signer signed: it is blamed. */
void guts_sync_blame_job(struct guts_sync *s, const struct guts_peerid *peer);

/* Who signed a status of this run id, first one that counts, and of which commit.  GUTS_ENOTFOUND, GUTS_EIO. */
int guts_sync_job_signer(struct guts_sync *s, const struct guts_repo *r, const char *run_id, struct guts_peerid *signer,
    struct guts_oid *commit);

/* Does a status by `signer` count for this repository on this node (delegate, named signer, trusted here)? */
bool guts_sync_status_counts(struct guts_sync *s, const struct guts_repo *r, const struct guts_peerid *signer);

/* Trust, or no longer trust, a signer's statuses for one repository on this node. */
void guts_sync_trust(struct guts_sync *s, struct guts_repo *r, const struct guts_peerid *signer, bool trust,
    void (*done)(void *owner, int err), void *owner);

#endif
