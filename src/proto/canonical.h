/* proto/canonical.h - what a repository's branches and tags are: a pure function.
 *
 * Input: the delegates in the identity's order, the threshold and each delegate's entries.
 * No clock, no order of arrival, no earlier result.
 *
 * Threshold 1: the entry with the highest version; of equal versions the one of the
 * delegate named first.  Different values at the same highest version are a conflict.
 *
 * Threshold n: a commit counts for every delegate whose value is it or descends from it;
 * any other value (tag, deletion) counts by equality.  Candidates are the delegates'
 * values and the merge bases among them.  Of the candidates with n delegates behind them
 * the newest remain, those from which no other descends.  If that leaves several, the one
 * wins whose backers show the highest version, then whose first backer is named first, and
 * it is a conflict.  If no candidate has n delegates, the ref is pending: it has no value.
 *
 * A push writes version = guts_canonical_next_version for each name it changes.
 *
 * Source: DESIGN 6.3 as doc/protocol.md states it.
 */
#ifndef GUTS_PROTO_CANONICAL_H
#define GUTS_PROTO_CANONICAL_H

#include "proto/identity.h"
#include "proto/reftree.h"

/* Questions about history.  Answers must be a function of the objects alone; of several best
 * common ancestors the smallest oid is taken. */
struct guts_ancestry {
	bool (*is_commit)(void *owner, const struct guts_oid *oid);
	/* Best common ancestor of two commits (one of them if it is an ancestor of the other);
	 * false if they have none. */
	bool (*merge_base)(void *owner, const struct guts_oid *a, const struct guts_oid *b,
			   struct guts_oid *out);
	void *owner;
};

/* The answer for one name. */
struct guts_canonical_value {
	bool known;           /* some delegate shows the name */
	bool pending;         /* no value has enough delegates; oid is none */
	bool conflict;        /* another value lost: see guts_canonical_losers */
	struct guts_oid oid;  /* none = deleted, or pending */
	uint64_t version;     /* highest version of a delegate whose value backs it */
	uint32_t delegate;    /* position in the identity of the delegate it is taken from */
	uint32_t backers;     /* delegates that count for it; pending: of the best candidate */
};

/* The inputs; borrowed for the call.  trees[i] belongs to delegate i of the identity; NULL = that
 * delegate has no record here. */
struct guts_canonical_input {
	uint32_t ndelegates, threshold;
	const struct guts_reftree *const *trees;
	const struct guts_ancestry *ancestry; /* NULL is fine for threshold 1 */
};

/* The value of one name. */
void guts_canonical_resolve(const struct guts_canonical_input *in, struct guts_slice name,
			    struct guts_canonical_value *v);

/* Who lost a conflict: mask of the delegates whose entry has the canonical value's version or a
 * higher one, but another value that does not back it.  0 = nobody. */
uint32_t guts_canonical_losers(const struct guts_canonical_input *in, struct guts_slice name);

/* 1 + the highest version any delegate shows for `name`. */
uint64_t guts_canonical_next_version(const struct guts_canonical_input *in, struct guts_slice name);

/* The merged view is a reftree whose tags say where a value comes from. */
#define GUTS_CANONICAL_CONFLICT (UINT32_C(1) << 31)
#define GUTS_CANONICAL_PENDING (UINT32_C(1) << 30)
#define GUTS_CANONICAL_DELEGATE_MASK UINT32_C(0xff)

/* Compute the whole view.  Owner of *out: caller, guts_reftree_unref.  Errors: GUTS_EPROTO (delegates'
 * trees hold object ids of different lengths). */
int guts_canonical_full(const struct guts_canonical_input *in, struct guts_reftree **out);

/* Compute the view from the earlier one, given the names whose entries changed in any delegate's
 * tree since; the result equals guts_canonical_full.  Errors: GUTS_EPROTO (as above, or an invalid name). */
int guts_canonical_update(const struct guts_canonical_input *in, const struct guts_reftree *view,
			  const struct guts_slice *names, size_t n, struct guts_reftree **out);

#endif
