/* proto/reftree.h - all refs of one author in one repository, with their Merkle root.
 *
 * A tree is an immutable value with a reference count: changing it gives a new tree that
 * shares the untouched ones of its 256 buckets, so a snapshot for another thread is one
 * reference, and one changed entry among 100,000 costs one bucket and the root.
 *
 *	bucket of a name = first byte of SHA-256(name); entries of a bucket sorted by name
 *	bucket hash      = SHA-256("guts-refs-bucket/1" 00, number u8, count be32, entries), where
 *	                   an entry is be16(name length), name, u8(oid length), oid, be64(version);
 *	                   32 zero bytes for a bucket without entries
 *	root             = SHA-256("guts-refs-root/1" 00, entry count be64, 256 bucket hashes)
 *
 * An entry without oid is a tombstone: the author deleted the ref, and the entry stays.
 *
 * Source: DESIGN 6.2 as doc/protocol.md states it.
 */
#ifndef GUTS_PROTO_REFTREE_H
#define GUTS_PROTO_REFTREE_H

#include "base/limits.h"
#include "base/oid.h"
#include "proto/record.h"

#define GUTS_REFTREE_BUCKETS 256

struct guts_reftree; /* opaque, immutable, reference counted */

struct guts_refentry {
	struct guts_slice name;  /* guts_refname_is_valid */
	struct guts_oid oid;     /* none = tombstone */
	uint64_t version;        /* ≥ 1; in a change, 0 = take the entry away (not for authors' trees) */
	uint32_t tag;            /* kept beside the entry, not hashed; 0 in authors' trees */
};

/* The tree without entries: a new reference to it.  Thread: any, as all of this file. */
struct guts_reftree *guts_reftree_empty(void);
struct guts_reftree *guts_reftree_ref(struct guts_reftree *t);
void guts_reftree_unref(struct guts_reftree *t); /* NULL is fine */

/* Hashes (GUTS_HASH_SIZE bytes, lent by the tree) and counts; bucket < 256, see protocol.md. */
const uint8_t *guts_reftree_root(const struct guts_reftree *t); /* GUTS_HASH_SIZE bytes */
const uint8_t *guts_reftree_bucket_hash(const struct guts_reftree *t, unsigned bucket);
size_t guts_reftree_count(const struct guts_reftree *t);      /* entries with tombstones */
size_t guts_reftree_live(const struct guts_reftree *t);       /* entries without tombstones */
unsigned guts_reftree_oid_size(const struct guts_reftree *t); /* 20 or 32 [bytes]; 0 = tombstones only */
size_t guts_reftree_bucket_count(const struct guts_reftree *t, unsigned bucket);
unsigned guts_reftree_bucket_of(struct guts_slice name);

/* The entry of `name`: true if there.  Its name view lives as long as the tree. */
bool guts_reftree_find(const struct guts_reftree *t, struct guts_slice name,
		       struct guts_refentry *e);

/* The same when the bucket of `name` is known. */
bool guts_reftree_find_in(const struct guts_reftree *t, unsigned bucket, struct guts_slice name,
			  struct guts_refentry *e);

/* Entry number `i` (below guts_reftree_bucket_count) of a bucket, by name. */
void guts_reftree_at(const struct guts_reftree *t, unsigned bucket, size_t i,
		     struct guts_refentry *e);

/* Walk in the order of buckets (fast): *pos starts at 0; false at the end. */
bool guts_reftree_next(const struct guts_reftree *t, uint64_t *pos, struct guts_refentry *e);

/* All entries sorted by name, guts_reftree_count of them.  Owner: caller, free(); the names live
 * as long as the tree.  Cost: n log n. */
struct guts_refentry *guts_reftree_sorted(const struct guts_reftree *t);

/* A new tree: `t` with `changes` (any order) set.  Costs the touched buckets and the root.
 * Errors: GUTS_EPROTO an invalid or doubled name, or an oid of the wrong kind beside the tree's
 * (all oids of a tree have one length); GUTS_ELIMIT over GUTS_REFS_PER_AUTHOR_MAX. */
int guts_reftree_apply(const struct guts_reftree *t, const struct guts_refentry *changes, size_t n,
		       struct guts_reftree **out);

/* The same with another cap of entries in the result, for trees merged from several authors'. */
int guts_reftree_apply_max(const struct guts_reftree *t, const struct guts_refentry *changes,
			   size_t n, size_t count_max, struct guts_reftree **out);

/* Like apply without taking entries away, and the result must have root `want`: what a receiver of a delta calls.
 * Errors: as apply, GUTS_EPROTO for another root (nothing is given out). */
int guts_reftree_apply_delta(const struct guts_reftree *t, const struct guts_refentry *changes,
			     size_t n, const uint8_t want[GUTS_HASH_SIZE],
			     struct guts_reftree **out);

/* A new tree: `t` with the whole content of `bucket` replaced.  Errors: as apply; GUTS_EPROTO a name
 * of another bucket. */
int guts_reftree_set_bucket(const struct guts_reftree *t, unsigned bucket,
			    const struct guts_refentry *entries, size_t n,
			    struct guts_reftree **out);

/* Entries of `b` that differ from `a` or are not there, in bucket order: `a` with them applied is
 * `b`.  Calls each(owner, entry) and stops at its first error, which it returns.  GUTS_ECONFLICT:
 * `a` has entries that `b` lacks (no delta exists; send buckets).  Cost: the differing buckets. */
int guts_reftree_diff(const struct guts_reftree *a, const struct guts_reftree *b,
		      int (*each)(void *owner, const struct guts_refentry *e), void *owner);

/* Names whose entries differ between the trees, either way, tags included.  As guts_reftree_diff;
 * e->version 0: only `a` has it. */
int guts_reftree_changes(const struct guts_reftree *a, const struct guts_reftree *b,
			 int (*each)(void *owner, const struct guts_refentry *e), void *owner);

/* The root that 256 bucket hashes (8,192 bytes) and an entry count make: checks a list of bucket
 * hashes that a peer sent. */
void guts_reftree_root_of(const uint8_t *bucket_hashes, uint64_t count,
			  uint8_t root[GUTS_HASH_SIZE]);

#endif
