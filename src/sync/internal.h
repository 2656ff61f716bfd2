/* sync/internal.h - what the files of this folder share; nobody else includes it.
 *
 *	repo.c      the objects: repositories, authors, indexes, digests
 *	keys.c      keys and values of the store's tables
 *	load.c      from the store to memory, projection repaired
 *	change.c    one change of one repository, from verified objects to announced refs
 *	project.c   refs on disk that could not be written are written later
 *	identity.c  create, rename, delete, policy: changes by this node's user
 *	push.c      pushes by this node's user
 *	gate.c      pushes to branches that wait for their checks, and the move when those passed; checks.c statuses that count
 *	fork.c      two chains of one author: which is applied, how the author joins them
 *	fetch.c     what a peer has that we lack, when and from whom; fetchrefs.c records; fetchbucket.c large trees;
 *	            fetchobj.c packs and statuses; verify.c signatures, on workers
 *	request.c   the asking side of one /guts/sync stream
 *	serve.c     the answering side
 *	inventory.c which repositories a neighbour has in which state
 *	announce.c  gossip about repositories, both ways
 *	status.c    commit statuses
 *	view.c      values for the outside
 */
#ifndef GUTS_SYNC_INTERNAL_H
#define GUTS_SYNC_INTERNAL_H

#include "peer/peers.h"
#include "proto/canonical.h"
#include "proto/identity.h"
#include "proto/messages.h"
#include "proto/record.h"
#include "proto/reftree.h"
#include "proto/signedrefs.h"
#include "proto/status.h"
#include "sync/checks.h"
#include "sync/sync.h"
#include "wire/multibase.h"

#include <uthash.h>
#include <utlist.h>

#define GUTS_RECENT_TREES 64       /* earlier trees of an author kept to answer deltas */
#define GUTS_RIVALS_MAX 4          /* other heads of one author's chain that are kept */
#define GUTS_FETCHES_MAX 8         /* repositories fetched at once, … */
#define GUTS_FETCHES_FIRST_MAX 4   /* … of them first copies, … */
#define GUTS_FETCHES_PER_PEER 2    /* … of them from one peer */
#define GUTS_OFFERS_PER_PEER 256   /* repositories of which nothing is known yet but that a peer has them */
#define GUTS_SERVES_MAX 32         /* requests answered at once, all peers */
#define GUTS_SOURCES_MAX 64        /* peers remembered per repository */
#define GUTS_WAITING_MAX 64        /* changes waiting for one repository */
#define GUTS_TICKETS_MAX 64        /* gossip verdicts one repository owes */
#define GUTS_FACTS_PER_CHANGE 1000 /* moved refs reported one by one */
#define GUTS_TICKET_NS (10 * GUTS_SECOND_NS) /* a verdict is given after this at the latest */

/* A private growing array: v, n, cap of type T; guts_vec_push gives the new element. */
#define GUTS_VEC(T) \
	struct { \
		T *v; \
		size_t n, cap; \
	}
#define GUTS_VEC_ROOM(vec) \
	((vec).n < (vec).cap ? (void)0 : \
	    (void)((vec).cap = (vec).cap ? (vec).cap * 2 : 8, \
		(vec).v = guts_realloc((vec).v, (vec).cap * sizeof *(vec).v)))
#define GUTS_VEC_PUSH(vec, x) (GUTS_VEC_ROOM(vec), (vec).v[(vec).n++] = (x))
#define GUTS_VEC_MOVE(to, from) /* `to` is empty */ \
	((to).v = (from).v, (to).n = (from).n, (to).cap = (from).cap, (from).v = NULL, (from).n = (from).cap = 0)
#define GUTS_VEC_FREE(vec) (free((vec).v), (vec).v = NULL, (vec).n = (vec).cap = 0)

/* Owned bytes. */
struct guts_bytes {
	uint8_t *p;
	size_t n;
};
struct guts_bytes guts_bytes_dup(struct guts_slice s);
void guts_bytes_free(struct guts_bytes *b);
static inline struct guts_slice
guts_bytes_slice(struct guts_bytes b)
{
	return guts_slice(b.p, b.n);
}

/* One version of the identity with the votes that make it valid. */
struct guts_version {
	struct guts_identity *id;
	struct guts_bytes envelope;
	size_t nvotes;
	struct guts_bytes *votes;
};
void guts_version_free(struct guts_version *v);

/* One signed-refs record with the entries it stands for. */
struct guts_head {
	struct guts_signedrefs rec; /* sequence 0 = none */
	struct guts_bytes envelope;
	struct guts_reftree *tree;  /* NULL = entries not known */
};
void guts_head_free(struct guts_head *h);
void guts_head_copy(struct guts_head *to, const struct guts_head *from);

struct guts_author {
	struct guts_peerid id;
	char text[GUTS_PEERID_TEXT_SIZE];
	struct guts_head head;                   /* the applied record */
	size_t nrivals;
	struct guts_head rivals[GUTS_RIVALS_MAX]; /* heads that do not descend from it */
	struct {
		uint8_t hash[GUTS_HASH_SIZE];
		struct guts_reftree *tree;
	} recent[GUTS_RECENT_TREES];
	unsigned recent_next;
	struct guts_refs_view *view;             /* of head.tree, NULL = stale */
	UT_hash_handle hh;
};

#define GUTS_PAST_STATES 16 /* of a repository that are known again, to tell how far others are behind */

/* A peer that has, or may have, the repository. */
struct guts_source {
	struct guts_peerid peer;
	uint8_t digest[32];     /* of its state, as told; zero = not told */
	bool is_newer;          /* it may have something for us: ask it */
	unsigned failures;      /* in a row */
	uint64_t retry_at_ns;   /* not before */
	uint64_t seen_wall_ns;
	struct guts_source *prev, *next;
};

/* A gossip verdict that is owed. */
struct guts_ticket {
	uint64_t ticket;
	uint64_t until_ns;
	uint8_t author[32];     /* record hash it waits for; zero = the first copy */
	struct guts_ticket *next;
};

/* Names gathered by a walk over a tree. */
struct guts_names {
	struct guts_slice *v;
	size_t n, cap;
};

/* A branch of this node's own refs that waits for its checks. */
struct guts_candidate {
	char *name;                            /* refs/heads/candidates/… */
	struct guts_oid unfit_for;             /* not none: with this value its branch has gone another way */
};

struct guts_change;
struct guts_fetch;
struct guts_serve;
struct guts_verify;

struct guts_repo {
	struct guts_sync *sync;
	uint8_t id[GUTS_REPOID_SIZE];
	char id_text[GUTS_REPOID_TEXT_SIZE];
	GUTS_VEC(struct guts_version) chain;   /* identity versions, [0] = genesis; empty = only asked for */
	struct guts_author *authors;           /* uthash by id, in order of arrival */
	struct guts_reftree *canonical;
	struct guts_policy_state {
		enum guts_policy policy;
		uint64_t created_wall_ns, updated_wall_ns, size_bytes;
		struct guts_peerid from;       /* who offered it first */
	} local;
	bool is_ready;                         /* on disk and listed */
	bool is_importing;                     /* not yet told of to others: what it had elsewhere is on its way */
	bool is_removed;                       /* being removed: no new work */
	bool is_finishing, drop;               /* a change tells its end; forget the repository after that */
	bool shadowed;
	bool is_becoming_private;              /* the change that is being written makes, or keeps, it private */
	uint8_t status_sum[32];                /* XOR of the hashes of counting statuses */
	uint8_t digest[32];
	struct {
		uint8_t digest[8];             /* its beginning */
		uint64_t until_wall_ns;
	} past[GUTS_PAST_STATES];              /* states before this one; past_next counts all, past[past_next % …] is next */
	unsigned past_next;
	struct guts_repo_info *info;           /* cached, NULL = stale */
	struct guts_refs_view *view;           /* of canonical, NULL = stale */
	struct guts_change *changes;           /* running one first */
	size_t nchanges;
	struct guts_source *sources;
	size_t nsources;
	struct guts_fetch *fetch;              /* under way */
	unsigned failures;                     /* in a row */
	uint64_t retry_at_ns;
	struct guts_neighbour *offered_by;     /* whose offer it is; NULL: more than an offer */
	bool own_is_behind;                    /* a newer record of this node's own key was seen: no push until it is here */
	struct guts_head hint;                 /* a record with its entries that came by gossip, objects not here yet */
	bool is_queued;                        /* waits for a fetch slot */
	struct guts_repo *qprev, *qnext;
	struct guts_ticket *tickets;
	size_t ntickets;
	char *last_error;
	unsigned project_failures;             /* in a row; not 0: refs on disk lag behind */
	bool is_projecting;                    /* a retry is under way */
	struct {
		struct guts_reftree *tree;     /* this node's own refs, as of the list; NULL = no list */
		GUTS_VEC(struct guts_candidate) v;
		bool is_busy;                  /* a branch is being moved */
	} gates;
	uint64_t project_at_ns;                /* the next one */
	UT_hash_handle hh;
};

/* A connected peer that speaks /guts/sync. */
struct guts_neighbour {
	struct guts_sync *sync;
	struct guts_peerid id;
	uint8_t digest[32];                    /* newest it told */
	bool has_digest, more;
	uint8_t compared_theirs[32], compared_ours[32]; /* last pair that was gone through */
	uint8_t agreed[32];                    /* last digest that was ours too */
	uint64_t compared_at_ns, not_before_ns;
	struct guts_request *request;          /* inventory under way */
	uint8_t cursor[GUTS_REPOID_SIZE];
	uint64_t repositories;
	unsigned noffered;                     /* repositories of which we know no more than that it has them */
	UT_hash_handle hh;
};

struct guts_sync {
	struct guts_sync_setup s;
	struct guts_repo *repos;               /* uthash by id */
	GUTS_VEC(struct guts_repo *) sorted;   /* by id, ready or not */
	struct guts_neighbour *neighbours;
	struct guts_repo *fetch_queue;
	struct guts_fetch *fetches;            /* uthash by number */
	uint64_t fetch_number;
	unsigned nfetches, nfirst, nserves;     /* nfirst: fetches that are first copies */
	struct guts_serve *serves;             /* answers under way */
	struct guts_verify *verifies;          /* answers that workers look at */
	struct guts_timer timer;
	uint8_t inventory[32];
	uint64_t inventory_count;
	bool inventory_stale, has_private;
	uint64_t last_sequence, request_id;
	struct guts_reftree *empty;
	void (*ready)(void *owner, int err);
	size_t nunprojected;                   /* repositories whose refs on disk lag behind */
	size_t loading;                        /* projections still to be repaired */
	int load_err;
	bool is_ready;
};

/* -- repo.c ------------------------------------------------------------------------------ */

struct guts_repo *guts_repo_new(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE]);
/* Forget a repository in memory; its verdicts are given, its sources freed.  No change or fetch may be under way. */
void guts_repo_free(struct guts_repo *r);
/* The same, also from inside the end of one of its changes. */
void guts_repo_drop(struct guts_repo *r);
/* Newest identity, or NULL. */
const struct guts_identity *guts_repo_identity(const struct guts_repo *r);
struct guts_author *guts_repo_author(struct guts_repo *r, const struct guts_peerid *id);
struct guts_author *guts_repo_author_add(struct guts_repo *r, const struct guts_peerid *id);
bool guts_repo_is_delegate(const struct guts_repo *r, const struct guts_peerid *id);
/* The canonical value of a ref; none if it has none, or is pending. */
struct guts_oid guts_repo_canonical(const struct guts_repo *r, struct guts_slice name);
/* Whose statuses count in it; lent by its identity. */
struct guts_checks_by guts_repo_checks_by(const struct guts_repo *r);
/* Trees of the delegates in order; `with` (may be NULL) replaces that author's tree. */
void guts_repo_input(struct guts_repo *r, const struct guts_identity *id, struct guts_canonical_input *in,
    const struct guts_reftree *trees[GUTS_DELEGATES_MAX]);
/* Something changed: digests, views and inventory are stale. */
void guts_repo_touch(struct guts_repo *r);
/* Remember the present tree of an author to answer deltas against it. */
void guts_author_remember(struct guts_author *a);
const struct guts_reftree *guts_author_tree_of(const struct guts_author *a, struct guts_slice hash);
/* Is this node's key allowed to let `peer` know of the repository? */
bool guts_repo_may_know(const struct guts_repo *r, const struct guts_peerid *peer);
/* A sequence above the clock, above `above`, and above all used before. */
uint64_t guts_sync_sequence(struct guts_sync *s, uint64_t above);
static inline uint64_t
guts_sync_wall_ms(struct guts_sync *s)
{
	return guts_env_wall(s->s.env) / GUTS_MS_NS;
}

/* Bytes of an object id of the repository. */
static inline size_t
guts_sync_oid_size(const struct guts_identity *id)
{
	return id->object_format == GUTS_SHA256 ? 32 : 20;
}

/* -- keys.c ------------------------------------------------------------------------------ */

struct guts_storekey {
	size_t n;
	uint8_t b[GUTS_STORE_KEY_MAX];
};
struct guts_slice guts_key_repo(struct guts_storekey *k, const struct guts_repo *r);
struct guts_slice guts_key_version(struct guts_storekey *k, const struct guts_repo *r, uint64_t version);
struct guts_slice guts_key_vote(struct guts_storekey *k, const struct guts_repo *r, uint64_t version,
    const struct guts_peerid *voter);
struct guts_slice guts_key_author(struct guts_storekey *k, const struct guts_repo *r, const struct guts_peerid *a);
struct guts_slice guts_key_record(struct guts_storekey *k, const struct guts_repo *r, const struct guts_signedrefs *rec);
struct guts_slice guts_key_entry(struct guts_storekey *k, const struct guts_repo *r, const struct guts_peerid *a,
    struct guts_slice name);
struct guts_slice guts_key_name(struct guts_storekey *k, const struct guts_peerid *owner, struct guts_slice name);
struct guts_slice guts_key_status(struct guts_storekey *k, const struct guts_repo *r, const struct guts_status *st);
struct guts_slice guts_key_rival(struct guts_storekey *k, const struct guts_repo *r, const struct guts_signedrefs *rec);
struct guts_slice guts_key_trust(struct guts_storekey *k, const struct guts_repo *r, const struct guts_peerid *signer);
/* Split author and name (or the rest) of a key that begins with repo and author.  Errors: GUTS_EPROTO. */
int guts_key_split(struct guts_slice key, uint8_t repo[GUTS_REPOID_SIZE], struct guts_peerid *author,
    struct guts_slice *rest);
/* Value of GUTS_TABLE_REFLIST, both ways. */
struct guts_slice guts_value_entry(uint8_t out[64], const struct guts_refentry *e);
int guts_value_entry_read(struct guts_slice v, struct guts_refentry *e);
/* A rival head with its entries (left out when they are too many), both ways: value of its row in GUTS_TABLE_REFLIST. */
void guts_value_rival(struct guts_buf *out, const struct guts_head *h);
int guts_value_rival_read(struct guts_slice v, struct guts_head *h);
/* Value of GUTS_TABLE_REPO, both ways. */
struct guts_slice guts_value_repo(uint8_t out[128], const struct guts_policy_state *p);
int guts_value_repo_read(struct guts_slice v, struct guts_policy_state *p);

/* -- change.c ---------------------------------------------------------------------------- */

/* A new head of one author inside a change. */
struct guts_change_author {
	struct guts_peerid id;
	struct guts_head head;
	size_t nrivals;                        /* what its other heads will be */
	struct guts_head rivals[GUTS_RIVALS_MAX];
	bool rivals_only;                      /* the applied head stays */
};

struct guts_move { /* a canonical ref that moves */
	struct guts_slice name;
	struct guts_oid old_oid, new_oid;
	struct guts_peerid author;
	const char *kind;
	bool conflict;
};

struct guts_change {
	struct guts_repo *repo;
	struct guts_peerid from;               /* who gave it; own id = this node's user */
	struct guts_ingest *ingest;            /* verified, or NULL: no new objects */
	GUTS_VEC(struct guts_version) versions; /* new identity versions, to be appended */
	GUTS_VEC(struct guts_change_author) authors;
	bool is_first;                         /* first copy: the repository is made on disk */
	bool is_local_create;
	bool is_import;                        /* fills a new repository with what it had elsewhere */

	/* At the head of the queue: fill in what depends on the present state.  GUTS_OK with nothing in the change = nothing
	 * to do. */
	int (*prepare)(struct guts_change *c);
	/* The end; the change is freed afterwards. */
	void (*done)(struct guts_change *c, int err, const char *text);
	void *owner;
	char text[200];                        /* reason for people, set by prepare */

	/* private to change.c */
	bool running, committing, shadowed, had_objects, versions_changed, projected_again;
	struct guts_reftree *before, *canonical; /* as it is, as it will be */
	GUTS_VEC(struct guts_move) moves;
	GUTS_VEC(struct guts_ref_update) updates; /* of refs on disk; names are owned */
	uint64_t first_fact, last_fact;
	struct guts_change *prev, *next;
};
struct guts_change *guts_change_new(struct guts_repo *r, const struct guts_peerid *from);
void guts_change_free(struct guts_change *c);
/* Queue it; it runs when those before it ended.  Errors: GUTS_EBUSY (queue full; not adopted). */
int guts_change_submit(struct guts_change *c);
/* End all changes of a repository with GUTS_ECANCELED; none runs any more. */
void guts_changes_cancel(struct guts_repo *r);
/* Events of an ingest that only feed `accepted` into a change; fetch and push forward to this. */
void guts_change_accepted(struct guts_change *c, int err);

/* -- identity.c -------------------------------------------------------------------------- */

/* Its owner has retired it: drop it, unless the user asked for it by name or this node is a delegate. */
void guts_repo_retire(struct guts_repo *r);

/* -- project.c --------------------------------------------------------------------------- */

/* Write all refs that the records explain, and no others. */
void guts_project_all(struct guts_repo *r, void (*done)(void *owner, int err), void *owner);
/* How a projection ended: a failed one is tried again. */
void guts_project_note(struct guts_repo *r, int err);
void guts_projects_tick(struct guts_sync *s, uint64_t now);
uint64_t guts_projects_deadline(const struct guts_sync *s);

/* -- push.c ------------------------------------------------------------------------------ */

/* What this node's own entry of `name` becomes: `oid` in a version above all that delegates and itself show. */
struct guts_refentry guts_push_entry(const struct guts_canonical_input *in, const struct guts_reftree *own, const char *name,
    const struct guts_oid *oid);

/* -- gate.c ------------------------------------------------------------------------------ */

/* One command of a push, as far as its branch is gated. */
struct guts_gate {
	char *candidate;         /* refs/heads/candidates/…; NULL = not gated */
	struct guts_oid was;     /* its value when the push began */
	bool on_branch, on_candidate; /* the new commit is on top of what the branch, the candidate was */
	bool is_over;            /* one of too many in this push */
	bool candidate_fits;     /* the candidate was on top of the branch */
	bool settles;            /* answer: what was pushed has its checks, and the candidate is in it: it goes */
};
#define GUTS_GATE_ASKS 3        /* questions about history */
#define GUTS_GATES_PER_PUSH 64

/* Is the branch of `cmd` gated for what this node's user pushes?  Fills *g but for `was`; owner: caller, guts_gate_end. */
bool guts_gate_begin(struct guts_gate *g, const struct guts_repo *r, const struct guts_push_cmd *cmd);
void guts_gate_end(struct guts_gate *g);
/* What has to be known of history, once `was` is set; and the answers. */
void guts_gate_ask(const struct guts_gate *g, const struct guts_push_cmd *cmd, struct guts_object_query v[GUTS_GATE_ASKS]);
void guts_gate_learn(struct guts_gate *g, const struct guts_push_cmd *cmd, const struct guts_object_query v[GUTS_GATE_ASKS]);
/* At the head of the queue, with the candidate's value by now: pass the command, hold it (cmd->held, lent by *g, and text) or
 * refuse it (err and text). */
void guts_gate_decide(struct guts_gate *g, struct guts_repo *r, struct guts_push_cmd *cmd, const struct guts_oid *now);

/* Move the branches whose candidates passed their checks by now; `commit`: only its statuses have changed, NULL = anything may have. */
void guts_gates_look(struct guts_repo *r, const struct guts_oid *commit);
void guts_gates_free(struct guts_repo *r);

/* -- fork.c ------------------------------------------------------------------------------ */

/* What becomes of author `a` when `h` (with the records between, oldest first) comes: fills *out, whose heads are copies.
 * Errors: GUTS_ESTALE (known, or older than what we hold), GUTS_EPROTO. */
int guts_fork_decide(struct guts_repo *r, struct guts_author *a, const struct guts_head *h,
    const struct guts_signedrefs *chain, size_t nchain, struct guts_change_author *out);
/* Sign a new head of this node's own chain in `c`: `tree` is adopted; heads in `joined` of its rivals are named too.  Errors:
 * GUTS_ELIMIT. */
int guts_fork_sign(struct guts_change *c, struct guts_reftree *tree, bool join_rivals);
/* This node's own chain has several heads and all their entries are known: sign the record that joins them. */
void guts_fork_close(struct guts_repo *r);

/* -- fetch.c ----------------------------------------------------------------------------- */

/* A peer has, or may have, something newer: remember it and fetch when a slot is free. */
void guts_fetch_want(struct guts_repo *r, const struct guts_peerid *peer, const uint8_t digest[32], bool is_newer);
void guts_fetch_schedule(struct guts_sync *s);
void guts_fetch_cancel(struct guts_repo *r);
void guts_fetch_forget_peer(struct guts_sync *s, const struct guts_peerid *peer);
/* Forget the sources that may not know of the repository (any more). */
void guts_fetch_forget_strangers(struct guts_repo *r);
/* The next time the timer has something to do for fetches. */
uint64_t guts_fetch_deadline(struct guts_sync *s);

/* -- verify.c --------------------------------------------------------------------------- */

/* Throw away the answers that are away; no worker runs any more. */
void guts_verifies_free(struct guts_sync *s);

/* -- request.c --------------------------------------------------------------------------- */

struct guts_request;
struct guts_request_events {
	/* One answer frame; false = not wanted any more (the request is over, no `end`). */
	bool (*answer)(void *owner, const struct guts_msg_response *m);
	/* The answer is over: 0, the peer's error, or GUTS_ECLOSED, GUTS_ETIMEOUT, GUTS_EPROTO.  `text` may be NULL. */
	void (*end)(void *owner, int err, const char *text);
};
int guts_request_start(struct guts_sync *s, const struct guts_peerid *peer, struct guts_msg_request *m,
    const struct guts_request_events *ev, void *owner, struct guts_request **out);
void guts_request_pause(struct guts_request *q, bool pause);
void guts_request_cancel(struct guts_request *q);

/* -- serve.c ------------------------------------------------------------------------------ */

/* Reset all answers under way. */
void guts_serves_free(struct guts_sync *s);

/* -- announce.c -------------------------------------------------------------------------- */

/* Publish an author's applied record with what changed since the tree `before`. */
void guts_announce_head(struct guts_repo *r, const struct guts_author *a, const struct guts_reftree *before);
void guts_announce_repo(struct guts_repo *r);
/* A peer offers a repository that may be unknown here: by policy and quotas, begin to keep it.  `creator` may be NULL (not
 * known yet).  false = not kept. */
bool guts_sync_offer(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_peerid *creator,
    const struct guts_peerid *from, const uint8_t *digest);
/* The repository is no mere offer any more; whose offer it was has left: it counts for its next source. */
void guts_offer_over(struct guts_repo *r);
void guts_offer_moves(struct guts_repo *r);
/* Answer verdicts that wait for `hash` (NULL: all) with `v`. */
void guts_tickets_settle(struct guts_repo *r, const uint8_t *hash, enum guts_verdict v);
void guts_tickets_expire(struct guts_sync *s, uint64_t now);
uint64_t guts_tickets_deadline(struct guts_sync *s);

/* -- inventory.c ------------------------------------------------------------------------- */

void guts_inventory_recompute(struct guts_sync *s);
void guts_neighbours_free(struct guts_sync *s);
void guts_neighbours_tick(struct guts_sync *s, uint64_t now);
uint64_t guts_neighbours_deadline(struct guts_sync *s);

/* -- status.c ---------------------------------------------------------------------------- */

/* A status by gossip. */
enum guts_verdict guts_status_heard(struct guts_sync *s, const struct guts_peerid *from, struct guts_slice envelope);
/* Keep an opened status if it is newer; GUTS_ESTALE if known.  *relay: it counts by the identity or by trust here. */
int guts_status_take(struct guts_repo *r, const struct guts_status *st, struct guts_slice envelope, bool *relay);
void guts_status_load(struct guts_repo *r);

/* -- sync.c ------------------------------------------------------------------------------ */

void guts_sync_init(struct guts_sync *s, const struct guts_sync_setup *setup);
void guts_sync_arm(struct guts_sync *s);
/* Something can be started now: look in the next turn. */
void guts_sync_soon(struct guts_sync *s);
/* `done` of a batch that holds nothing but facts. */
void guts_sync_facts_only(void *owner, int err, uint64_t first, uint64_t last);
void guts_sync_sorted_add(struct guts_sync *s, struct guts_repo *r);
void guts_sync_sorted_del(struct guts_sync *s, struct guts_repo *r);

/* A fact about a repository with up to four text attributes (NULL name ends). */
void guts_sync_fact(struct guts_batch *b, const struct guts_repo *r, const struct guts_peerid *peer, uint64_t wall_ns,
    const char *type, const struct guts_fact_attr *attrs, size_t n);
struct guts_fact_attr guts_attr_text(const char *name, const char *text);
struct guts_fact_attr guts_attr_slice(const char *name, struct guts_slice text);
struct guts_fact_attr guts_attr_num(const char *name, uint64_t v);

#endif
