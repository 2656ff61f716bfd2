/* proto/identity.h - what a repository is and who may move its refs.
 *
 * Version 0, the genesis, is signed by the creator; the SHA-256 of its payload is the
 * repository id.  A successor is proposed by a delegate or recovery key of the version
 * before it and becomes valid by votes: the threshold of that version's delegates, or all
 * of its recovery keys.  Of two valid successors the one with the smaller hash wins
 * everywhere, so two chains are compared at the first version where they differ.
 *
 * `struct guts_identity` is a plain value without pointers.
 *
 * Source: DESIGN 6.1 as doc/protocol.md states it; api/guts.proto, message Identity.
 */
#ifndef GUTS_PROTO_IDENTITY_H
#define GUTS_PROTO_IDENTITY_H

#include "base/oid.h"
#include "proto/record.h"

#define GUTS_RECOVERY_MAX 8    /* recovery keys */
#define GUTS_CONTEXTS_MAX 8    /* required status contexts */
#define GUTS_CONTEXT_MAX 100   /* [bytes] one status context */
#define GUTS_GATES_MAX 4       /* gated branches */
#define GUTS_GATE_MAX 100      /* [bytes] one of them */
#define GUTS_BRANCH_MAX 255    /* [bytes] name of the default branch, without refs/heads/ */
#define GUTS_NONCE_SIZE 16     /* [bytes] */
#define GUTS_IDENTITY_VERSIONS_MAX 4096 /* versions of one repository */

struct guts_identity {
	/* Told by the record around it; ignored by make. */
	uint8_t hash[GUTS_HASH_SIZE];
	struct guts_peerid signer;

	uint64_t version;                     /* 0 = genesis */
	uint8_t repository[GUTS_REPOID_SIZE]; /* genesis: = hash, and not in the payload */
	uint8_t previous[GUTS_HASH_SIZE];     /* hash of version - 1; zeros in the genesis */
	struct guts_peerid creator;
	uint8_t nonce[GUTS_NONCE_SIZE];
	uint64_t time_ms;                     /* wall time of signing; orders nothing */
	enum guts_object_format object_format;
	char name[GUTS_NAME_MAX + 1];
	char description[GUTS_DESCRIPTION_MAX + 1];
	char default_branch[GUTS_BRANCH_MAX + 1]; /* e.g. "main" */
	bool is_private, is_retired;
	uint32_t threshold;                   /* 1..ndelegates */
	uint32_t ndelegates, nrecovery, nreaders, nsigners, ncontexts, ngates;
	struct guts_peerid delegates[GUTS_DELEGATES_MAX]; /* order matters: see proto/canonical.h */
	struct guts_peerid recovery[GUTS_RECOVERY_MAX];
	struct guts_peerid readers[GUTS_READERS_MAX]; /* of a private repository */
	struct guts_peerid signers[GUTS_SIGNERS_MAX]; /* whose statuses count, beside delegates */
	char contexts[GUTS_CONTEXTS_MAX][GUTS_CONTEXT_MAX + 1];
	char gates[GUTS_GATES_MAX][GUTS_GATE_MAX + 1]; /* branches that wait for these contexts: see guts_identity_gates */
};

/* A repository name: [A-Za-z0-9][A-Za-z0-9._-]{0,99}, not ending in .git or .lock (in any
 * case).  It is never the first part of a path, so every word will do. */
bool guts_reponame_is_valid(struct guts_slice name);

/* A word that the first part of a path may not be, because the gateway serves it; compared
 * without regard to case.  For local aliases of owners. */
bool guts_routeword_is_reserved(struct guts_slice word);

/* Sign a version: appends its envelope and sets hash, signer and, in a genesis, repository in *id.
 * For a genesis creator must be k's peer.  Errors: GUTS_EINVAL (a rule of the record), GUTS_ELIMIT. */
int guts_identity_make(struct guts_buf *out, const struct guts_key *k, struct guts_identity *id);

/* Open and check one version by itself.  A successor that opens is *not* yet valid: see
 * guts_identity_check_successor.  now_wall_ms 0 = bytes from our own store, time not checked.
 * Errors: as guts_record_open, GUTS_EPROTO (a rule), GUTS_EFUTURE. */
int guts_identity_open(struct guts_identity *id, struct guts_slice envelope, uint64_t now_wall_ms);

/* Start a successor of `prev` by the same values: version, previous and repository are set. */
void guts_identity_successor(struct guts_identity *next, const struct guts_identity *prev);

struct guts_vote {
	struct guts_peerid voter;             /* = signer */
	uint8_t hash[GUTS_HASH_SIZE];         /* of this vote */
	uint8_t repository[GUTS_REPOID_SIZE];
	uint64_t version;                     /* of the identity voted for */
	uint8_t identity[GUTS_HASH_SIZE];     /* its hash */
	uint64_t time_ms;
};

/* Sign a vote of `k` for `id` and set *v from it.  Errors: GUTS_ELIMIT. */
int guts_vote_make(struct guts_buf *out, const struct guts_key *k, const struct guts_identity *id,
		   uint64_t time_ms, struct guts_vote *v);

/* Open a vote.  Errors: as guts_identity_open. */
int guts_vote_open(struct guts_vote *v, struct guts_slice envelope, uint64_t now_wall_ms);

/* May `next` follow `prev`?  Checks version, previous, repository, creator, nonce and object
 * format, the proposer, and that `votes` (others are skipped, doubles count once) hold the
 * threshold of prev's delegates or all of its recovery keys (at least one).
 * Errors: GUTS_EPROTO (cannot follow prev, whatever the votes), GUTS_EDENIED (votes missing). */
int guts_identity_check_successor(const struct guts_identity *prev, const struct guts_identity *next,
				  const struct guts_vote *votes, size_t nvotes);

/* Which of two valid successors of one version wins: <0 = a, >0 = b, 0 = the same record. */
int guts_identity_cmp_rivals(const struct guts_identity *a, const struct guts_identity *b);

/* Compare two valid chains of one repository, given as hashes by version: the winner is the one
 * with the smaller hash where they first differ, else the longer.  <0 = a, >0 = b, 0 = equal;
 * *fork gets the first version where both exist and differ, or SIZE_MAX. */
int guts_identity_cmp_chains(const uint8_t (*a)[GUTS_HASH_SIZE], size_t na,
			     const uint8_t (*b)[GUTS_HASH_SIZE], size_t nb, size_t *fork);

/* A gated branch as the identity names it: a branch name, or its beginning and a `*` that stands for any rest. */
bool guts_gate_is_valid(struct guts_slice gate);

/* Is `ref` (refs/heads/…) a branch that takes a commit only when that has the required contexts?  Never one below
 * GUTS_CANDIDATES, and none while no context is required. */
#define GUTS_CANDIDATES "refs/heads/candidates/" /* branches of commits that wait: candidates/main for main */
bool guts_identity_gates(const struct guts_identity *id, struct guts_slice ref);

/* Position of `peer` among the delegates, or -1. */
int guts_identity_delegate_index(const struct guts_identity *id, const struct guts_peerid *peer);

/* May `peer` know of the repository: public, or creator, delegate, recovery key, reader. */
bool guts_identity_may_read(const struct guts_identity *id, const struct guts_peerid *peer);

/* Does a status by `peer` count by the identity alone: delegate or named signer. */
bool guts_identity_is_signer(const struct guts_identity *id, const struct guts_peerid *peer);

#endif
