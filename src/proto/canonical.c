/* proto/canonical.c - the canonical value of a name, and the view merged from all of them.
 *
 * Everything comes from `resolve`, a function of what the delegates show for one name at this
 * moment.  The view is only a memory of its answers: an update recomputes the changed names
 * and never asks what was there before, so any order of arrival ends in the same view.
 */
#include "proto/canonical.h"

#include "base/alloc.h"
#include "base/err.h"

#include <assert.h>
#include <stdlib.h>

#define CANDIDATES_MAX 64

struct candidate {
	struct guts_oid oid;
	bool is_commit;
	uint32_t backers;  /* mask of delegates */
	uint64_t version;  /* highest of its backers */
};

struct votes {
	uint32_t shown; /* mask of delegates that show the name */
	struct guts_refentry e[GUTS_DELEGATES_MAX];
	size_t n;
	struct candidate c[CANDIDATES_MAX];
};

static uint32_t
count_bits(uint32_t mask)
{
	return (uint32_t)__builtin_popcount(mask);
}

static uint32_t
lowest(uint32_t mask)
{
	return (uint32_t)__builtin_ctz(mask);
}

static void
collect(const struct guts_canonical_input *in, unsigned bucket, struct guts_slice name,
	struct votes *v)
{
	assert(in->ndelegates <= GUTS_DELEGATES_MAX && in->threshold >= 1);
	v->shown = 0;
	v->n = 0;
	for (uint32_t i = 0; i < in->ndelegates; i++)
		if (in->trees[i] && guts_reftree_find_in(in->trees[i], bucket, name, &v->e[i]))
			v->shown |= UINT32_C(1) << i;
}

static uint64_t
highest_version(const struct votes *v, uint32_t mask)
{
	uint64_t version = 0;

	for (uint32_t i = 0; i < GUTS_DELEGATES_MAX; i++)
		if ((mask >> i & 1) && v->e[i].version > version)
			version = v->e[i].version;
	return version;
}

/* Delegates that show exactly `oid`. */
static uint32_t
showing(const struct votes *v, const struct guts_oid *oid)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < GUTS_DELEGATES_MAX; i++)
		if ((v->shown >> i & 1) && guts_oid_eq(&v->e[i].oid, oid))
			mask |= UINT32_C(1) << i;
	return mask;
}

/* -- threshold 1 ------------------------------------------------------------------------ */

static uint32_t
resolve_one(const struct votes *v, struct guts_canonical_value *out)
{
	uint32_t best = lowest(v->shown), backers;

	for (uint32_t i = best + 1; i < GUTS_DELEGATES_MAX; i++)
		if ((v->shown >> i & 1) && v->e[i].version > v->e[best].version)
			best = i;
	out->oid = v->e[best].oid;
	out->version = v->e[best].version;
	out->delegate = best;
	backers = showing(v, &out->oid);
	out->backers = count_bits(backers);
	return backers;
}

/* -- threshold n ------------------------------------------------------------------------ */

static bool
add_candidate(struct votes *v, const struct guts_oid *oid, bool is_commit)
{
	for (size_t i = 0; i < v->n; i++)
		if (guts_oid_eq(&v->c[i].oid, oid))
			return false;
	if (v->n == CANDIDATES_MAX)
		return false;
	v->c[v->n++] = (struct candidate){ .oid = *oid, .is_commit = is_commit };
	return true;
}

/* Is commit `a` equal to or an ancestor of commit `b`? */
static bool
is_behind(const struct guts_ancestry *h, const struct guts_oid *a, const struct guts_oid *b)
{
	struct guts_oid base;

	if (guts_oid_eq(a, b))
		return true;
	return h->merge_base(h->owner, a, b, &base) && guts_oid_eq(&base, a);
}

/* The delegates' values and, until nothing new appears, merge bases among commits. */
static void
find_candidates(const struct guts_ancestry *h, struct votes *v)
{
	struct guts_oid base;

	for (uint32_t i = 0; i < GUTS_DELEGATES_MAX; i++)
		if (v->shown >> i & 1)
			add_candidate(v, &v->e[i].oid,
				      v->e[i].oid.n != 0 && h->is_commit(h->owner, &v->e[i].oid));
	for (size_t j = 1; j < v->n; j++)
		for (size_t i = 0; i < j; i++)
			if (v->c[i].is_commit && v->c[j].is_commit &&
			    h->merge_base(h->owner, &v->c[i].oid, &v->c[j].oid, &base))
				add_candidate(v, &base, true);
}

static void
count_backers(const struct guts_ancestry *h, struct votes *v)
{
	for (size_t k = 0; k < v->n; k++) {
		struct candidate *c = &v->c[k];

		c->backers = showing(v, &c->oid);
		for (size_t j = 0; c->is_commit && j < v->n; j++)
			if (v->c[j].is_commit && is_behind(h, &c->oid, &v->c[j].oid))
				c->backers |= showing(v, &v->c[j].oid);
		c->version = highest_version(v, c->backers);
	}
}

/* Does another candidate with enough backers descend from `c`? */
static bool
is_outrun(const struct guts_ancestry *h, const struct votes *v, const struct candidate *c,
	  uint32_t threshold)
{
	for (size_t i = 0; c->is_commit && i < v->n; i++)
		if (&v->c[i] != c && v->c[i].is_commit &&
		    count_bits(v->c[i].backers) >= threshold &&
		    is_behind(h, &c->oid, &v->c[i].oid))
			return true;
	return false;
}

/* Of two candidates that both remain: is `a` the one to take? */
static bool
is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->version != b->version)
		return a->version > b->version;
	if (lowest(a->backers) != lowest(b->backers))
		return lowest(a->backers) < lowest(b->backers);
	return guts_slice_cmp(guts_oid_slice(&a->oid), guts_oid_slice(&b->oid)) < 0;
}

static uint32_t
resolve_many(const struct guts_canonical_input *in, struct votes *v,
	     struct guts_canonical_value *out)
{
	const struct candidate *best = NULL;
	uint32_t most = 0, exact;

	assert(in->ancestry);
	find_candidates(in->ancestry, v);
	count_backers(in->ancestry, v);
	for (size_t i = 0; i < v->n; i++) {
		const struct candidate *c = &v->c[i];

		if (count_bits(c->backers) > most)
			most = count_bits(c->backers);
		if (count_bits(c->backers) < in->threshold ||
		    is_outrun(in->ancestry, v, c, in->threshold))
			continue;
		out->conflict |= best != NULL;
		if (!best || is_better(c, best))
			best = c;
	}
	if (!best) {
		out->pending = true;
		out->version = highest_version(v, v->shown);
		out->delegate = lowest(v->shown);
		out->backers = most;
		return v->shown;
	}
	out->oid = best->oid;
	out->version = best->version;
	exact = showing(v, &best->oid);
	out->delegate = lowest(exact ? exact : best->backers);
	out->backers = count_bits(best->backers);
	return best->backers;
}

/* -- one name --------------------------------------------------------------------------- */

/* The value, and in *losers the delegates with as high a version that do not back it. */
static void
resolve(const struct guts_canonical_input *in, unsigned bucket, struct guts_slice name,
	struct guts_canonical_value *out, uint32_t *losers)
{
	struct votes v;
	uint32_t backers;

	memset(out, 0, sizeof *out);
	*losers = 0;
	collect(in, bucket, name, &v);
	if (v.shown == 0)
		return;
	out->known = true;
	backers = in->threshold == 1 ? resolve_one(&v, out) : resolve_many(in, &v, out);
	for (uint32_t i = 0; i < in->ndelegates; i++)
		if (((v.shown & ~backers) >> i & 1) && v.e[i].version >= out->version)
			*losers |= UINT32_C(1) << i;
	out->conflict |= *losers != 0;
}

void
guts_canonical_resolve(const struct guts_canonical_input *in, struct guts_slice name,
		       struct guts_canonical_value *v)
{
	uint32_t losers;

	resolve(in, guts_reftree_bucket_of(name), name, v, &losers);
}

uint32_t
guts_canonical_losers(const struct guts_canonical_input *in, struct guts_slice name)
{
	struct guts_canonical_value v;
	uint32_t losers;

	resolve(in, guts_reftree_bucket_of(name), name, &v, &losers);
	return losers;
}

uint64_t
guts_canonical_next_version(const struct guts_canonical_input *in, struct guts_slice name)
{
	struct votes v;

	collect(in, guts_reftree_bucket_of(name), name, &v);
	return highest_version(&v, v.shown) + 1;
}

/* -- the view --------------------------------------------------------------------------- */

static void
view_entry(const struct guts_canonical_input *in, unsigned bucket, struct guts_slice name,
	   struct guts_refentry *e)
{
	struct guts_canonical_value v;
	uint32_t losers;

	resolve(in, bucket, name, &v, &losers);
	memset(e, 0, sizeof *e);
	e->name = name;
	if (!v.known)
		return; /* version 0: taken out of the view */
	e->oid = v.oid;
	e->version = v.version;
	e->tag = v.delegate | (v.conflict ? GUTS_CANONICAL_CONFLICT : 0) |
		 (v.pending ? GUTS_CANONICAL_PENDING : 0);
}

static bool
shown_before(const struct guts_canonical_input *in, uint32_t delegate, unsigned bucket,
	     struct guts_slice name)
{
	struct guts_refentry e;

	for (uint32_t i = 0; i < delegate; i++)
		if (in->trees[i] && guts_reftree_find_in(in->trees[i], bucket, name, &e))
			return true;
	return false;
}

int
guts_canonical_full(const struct guts_canonical_input *in, struct guts_reftree **out)
{
	struct guts_reftree *empty = guts_reftree_empty();
	struct guts_refentry *v, e;
	size_t most = 0, n = 0;
	int err;

	for (uint32_t i = 0; i < in->ndelegates; i++)
		most += in->trees[i] ? guts_reftree_count(in->trees[i]) : 0;
	v = guts_calloc(most + 1, sizeof *v);
	for (uint32_t i = 0; i < in->ndelegates; i++) {
		uint64_t pos = 0;

		while (in->trees[i] && guts_reftree_next(in->trees[i], &pos, &e)) {
			unsigned bucket = (unsigned)(pos >> 32);

			if (!shown_before(in, i, bucket, e.name))
				view_entry(in, bucket, e.name, &v[n++]);
		}
	}
	err = guts_reftree_apply_max(empty, v, n, SIZE_MAX, out);
	free(v);
	guts_reftree_unref(empty);
	return err;
}

static int
by_bytes(const void *a, const void *b)
{
	return guts_slice_cmp(*(const struct guts_slice *)a, *(const struct guts_slice *)b);
}

int
guts_canonical_update(const struct guts_canonical_input *in, const struct guts_reftree *view,
		      const struct guts_slice *names, size_t n, struct guts_reftree **out)
{
	struct guts_slice *sorted = guts_calloc(n + 1, sizeof *sorted);
	struct guts_refentry *v = guts_calloc(n + 1, sizeof *v);
	size_t k = 0;
	int err;

	if (n)
		memcpy(sorted, names, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_bytes);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !guts_slice_eq(sorted[i], sorted[i - 1]))
			view_entry(in, guts_reftree_bucket_of(sorted[i]), sorted[i], &v[k++]);
	err = guts_reftree_apply_max(view, v, k, SIZE_MAX, out);
	free(v);
	free(sorted);
	return err;
}
