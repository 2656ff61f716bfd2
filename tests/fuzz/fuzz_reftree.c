/* tests/fuzz/fuzz_reftree.c - entries of a Refs frame put into a tree, as delta and as buckets.
 *
 * What applies must be found again, differ from the base by exactly what was applied, and the
 * difference applied must give the same root. */
#include "../unit/message_samples.h"
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>

struct changes {
	struct guts_refentry *v;
	size_t n;
};

static struct changes
read_entries(const struct guts_msg_ref_entries *l)
{
	struct changes c = { calloc(l->n + 1, sizeof *c.v), 0 };

	assert(c.v);
	for (size_t i = 0; i < l->n; i++)
		if (guts_msg_entry_read(&c.v[c.n], &l->v[i]) == 0)
			c.n++;
	return c;
}

static int
note(void *owner, const struct guts_refentry *e)
{
	struct changes *c = owner;

	c->v[c->n++] = *e;
	return 0;
}

static void
as_delta(const struct guts_reftree *base, const struct guts_msg_ref_entries *l)
{
	struct changes c = read_entries(l), diff = { calloc(l->n + 1, sizeof *diff.v), 0 };
	struct guts_reftree *t, *again;
	struct guts_refentry e;

	assert(diff.v);
	if (guts_reftree_apply(base, c.v, c.n, &t) == 0) {
		for (size_t i = 0; i < c.n; i++) {
			assert(guts_reftree_find(t, c.v[i].name, &e));
			assert(e.version == c.v[i].version && guts_oid_eq(&e.oid, &c.v[i].oid));
		}
		assert(guts_reftree_diff(base, t, note, &diff) == 0);
		assert(diff.n <= c.n);
		assert(guts_reftree_apply_delta(base, diff.v, diff.n, guts_reftree_root(t),
						&again) == 0);
		assert(guts_reftree_count(again) == guts_reftree_count(t));
		guts_reftree_unref(again);
		guts_reftree_unref(t);
	}
	free(c.v);
	free(diff.v);
}

static void
as_bucket(const struct guts_reftree *base, const struct guts_msg_bucket *b)
{
	struct changes c = read_entries(&b->entries);
	struct guts_reftree *t;

	if (guts_reftree_set_bucket(base, b->number, c.v, c.n, &t) == 0) {
		assert(guts_reftree_bucket_count(t, b->number) == c.n);
		guts_reftree_unref(t);
	}
	free(c.v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_msg_response m;
	struct guts_reftree *base;
	struct guts_arena arena;

	if (size > GUTS_MESSAGE_MAX || guts_crypto_init())
		return 0;
	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	if (guts_msg_response_decode(&m, guts_slice(data, size), &arena) == 0 && m.has_refs) {
		base = sample_tree(12);
		for (size_t i = 0; i < m.refs.authors.n; i++) {
			const struct guts_msg_author_refs *a = &m.refs.authors.v[i];

			as_delta(base, &a->entries);
			for (size_t k = 0; k < a->buckets.n; k++)
				as_bucket(base, &a->buckets.v[k]);
		}
		guts_reftree_unref(base);
	}
	guts_arena_deinit(&arena);
	return 0;
}
