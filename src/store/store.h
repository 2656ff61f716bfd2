/* store/store.h - the node's durable state: ordered tables of bytes and one log of facts.
 *
 * A table maps a key to a value, both bytes, ordered by key, so that a prefix scan answers
 * "all of repository X".  Changes are collected in a batch and become durable together or not
 * at all; a fact reports a change and is in the same batch.  That batch is THE COMMIT POINT of
 * a push (doc/architecture.md).  Fact ids are gapless and rise by one.
 *
 * Two ends: sqlite.h (SQLite in WAL mode, synchronous=FULL, one writer thread that groups
 * batches) and the model of tests/sim (memory; a crash drops what was not synced).
 */
#ifndef GUTS_STORE_STORE_H
#define GUTS_STORE_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

enum guts_table {
	GUTS_TABLE_META,     /* name → value: schema, last sequence used, counters */
	GUTS_TABLE_BOOK,     /* peer id → address book entry */
	GUTS_TABLE_BAN,      /* peer id → until, reason */
	GUTS_TABLE_IDENTITY, /* repo, version → identity envelope */
	GUTS_TABLE_VOTE,     /* repo, version, signer → vote envelope */
	GUTS_TABLE_REPO,     /* repo → local state: policy, names, times, sizes */
	GUTS_TABLE_REFS,     /* repo, author, sequence, hash → signed-refs envelope */
	GUTS_TABLE_REFLIST,  /* repo, author, ref name → oid, version (the applied list of each author) */
	GUTS_TABLE_STATUS,   /* repo, commit, signer, context → status envelope */
	GUTS_TABLE_TRUST,    /* repo, peer id → trusted status signers of this node */
	GUTS_TABLE_TOKEN,    /* token hash → scopes, repositories, expiry */
	GUTS_TABLE_ALIAS,    /* local owner alias → peer id */
	GUTS_TABLE_NAME,     /* owner, name → repo (first binding wins) */
	GUTS_TABLE_GOSSIP,   /* cursor → user gossip message (bounded) */
	GUTS_TABLE_OUTBOX,   /* number → webhook delivery that still has to go out */
	GUTS_TABLE_HOOK,     /* repo or zero, hook id → webhook */
	GUTS_TABLE_DELIVERY, /* kind of row, hook id, number → webhook delivery */
	GUTS_TABLE_CI,       /* kind of row, … → queue, job, its files (bridge/cijob.h) */
	GUTS_TABLE_N
};

#define GUTS_STORE_KEY_MAX 1200          /* [bytes] */
#define GUTS_STORE_VALUE_MAX (256u << 10) /* [bytes] */

/* One attribute of a fact: text or number. */
struct guts_fact_attr {
	const char *name;      /* [a-z_]+ */
	bool is_number;
	uint64_t number;
	struct guts_slice text; /* UTF-8 */
};

#define GUTS_FACT_ATTRS_MAX 24
#define GUTS_FACT_TYPE_MAX 48 /* [bytes] */

/* A durable event.  `type` is dotted, e.g. "repo.ref.updated"; `repo` and `peer` (may be empty) are binary ids for filters. */
struct guts_fact {
	uint64_t id;      /* given by the store */
	uint64_t wall_ns; /* when it happened */
	const char *type;
	struct guts_slice repo;
	struct guts_slice peer;
	bool is_private;  /* names a private repository: only for readers with the right */
	size_t n;
	struct guts_fact_attr attr[GUTS_FACT_ATTRS_MAX];
};

struct guts_batch;
struct guts_store;

struct guts_store_ops {
	int (*commit)(struct guts_store *s, struct guts_batch *b,
	    void (*done)(void *owner, int err, uint64_t first_fact, uint64_t last_fact), void *owner);
	int (*get)(struct guts_store *s, enum guts_table t, struct guts_slice key, struct guts_buf *value);
	int (*scan)(struct guts_store *s, enum guts_table t, struct guts_slice prefix, struct guts_slice after,
	    bool (*row)(void *owner, struct guts_slice key, struct guts_slice value), void *owner);
	int (*facts)(struct guts_store *s, uint64_t after_id, size_t max, bool (*row)(void *owner, const struct guts_fact *f),
	    void *owner);
	void (*fact_range)(struct guts_store *s, uint64_t *oldest, uint64_t *newest);
};

/* Ends embed this as their first member. */
struct guts_store {
	const struct guts_store_ops *ops;
};

/* A batch: made empty, filled, then given to guts_store_commit, which frees it.  Keys and values are copied. */
struct guts_batch *guts_batch_new(void);
void guts_batch_free(struct guts_batch *b); /* only if it was not committed */
void guts_batch_put(struct guts_batch *b, enum guts_table t, struct guts_slice key, struct guts_slice value);
void guts_batch_del(struct guts_batch *b, enum guts_table t, struct guts_slice key);
/* Delete every key of the table that starts with `prefix` (not empty). */
void guts_batch_del_prefix(struct guts_batch *b, enum guts_table t, struct guts_slice prefix);
/* Append a fact; its id is given at commit.  Encoded by guts_fact_encode. */
void guts_batch_fact(struct guts_batch *b, const struct guts_fact *f);
/* Number of operations in it. */
size_t guts_batch_count(const struct guts_batch *b);
/* Something did not fit (a key or value over its cap, a fact that cannot be encoded, too much in all): its commit will
 * fail with GUTS_ELIMIT. */
bool guts_batch_failed(const struct guts_batch *b);

/* Walk a batch; for the ends of the store.  Exactly one of `fact` and (`t`, `key`) is set per item; of a fact, `value` is
 * its encoding. */
enum guts_batch_op { GUTS_BATCH_PUT, GUTS_BATCH_DEL, GUTS_BATCH_DEL_PREFIX, GUTS_BATCH_FACT };
struct guts_batch_item {
	enum guts_batch_op op;
	enum guts_table t;
	struct guts_slice key, value;
	const struct guts_fact *fact;
};
bool guts_batch_next(const struct guts_batch *b, size_t *pos, struct guts_batch_item *item);

/* Make the batch durable; `done` comes on the loop, exactly once, after the disk has it (err = 0) or nothing of it
 * was kept (err: GUTS_ENOSPC, GUTS_EIO, GUTS_ELIMIT).  Batches are applied in the order of commit.  Adopts `b`, on error
 * too.  first_fact = last_fact = 0 if the batch held no fact.  Errors (then no `done`): GUTS_EBUSY too many waiting, or
 * the store was stopped. */
static inline int
guts_store_commit(struct guts_store *s, struct guts_batch *b,
    void (*done)(void *owner, int err, uint64_t first_fact, uint64_t last_fact), void *owner)
{
	return s->ops->commit(s, b, done, owner);
}

/* Read one value (appended to `value`), as of the last durable batch.  Errors: GUTS_ENOTFOUND, GUTS_EIO.
 * Blocking but short.  Thread: any (a read-only connection per thread). */
static inline int
guts_store_get(struct guts_store *s, enum guts_table t, struct guts_slice key, struct guts_buf *value)
{
	return s->ops->get(s, t, key, value);
}

/* Rows in key order whose key starts with `prefix` and is greater than `after` (empty = from the start), until `row`
 * returns false.  Same threads and errors as get. */
static inline int
guts_store_scan(struct guts_store *s, enum guts_table t, struct guts_slice prefix, struct guts_slice after,
    bool (*row)(void *owner, struct guts_slice key, struct guts_slice value), void *owner)
{
	return s->ops->scan(s, t, prefix, after, row, owner);
}

/* At most `max` facts with id > after_id, in order, until `row` returns false.  Same threads and errors as get. */
static inline int
guts_store_facts(struct guts_store *s, uint64_t after_id, size_t max,
    bool (*row)(void *owner, const struct guts_fact *f), void *owner)
{
	return s->ops->facts(s, after_id, max, row, owner);
}

/* Oldest id kept and newest id committed (0, 0 = none yet).  Thread: any. */
static inline void
guts_store_fact_range(struct guts_store *s, uint64_t *oldest, uint64_t *newest)
{
	s->ops->fact_range(s, oldest, newest);
}

#endif
