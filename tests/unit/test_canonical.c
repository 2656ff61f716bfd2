/* tests/unit/test_canonical.c - canonical refs: the rules by hand, then any order of arrival
 * against the whole recomputed by the slowest code that can be written. */
#include "proto/canonical.h"

#include "base/err.h"
#include "base/rng.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct guts_rng rng;

static int
set_up(void **state)
{
	const char *seed = getenv("GUTS_SEED");

	(void)state;
	guts_rng_seed(&rng, strtoull(seed ? seed : "1", NULL, 10));
	return guts_crypto_init();
}

/* -- a history -------------------------------------------------------------------------- */

/* Commits 1..HISTORY: commit c has parent (c - 1) of the same line, lines branch off:
 *
 *	1 ── 2 ── 3 ── 4          line 0
 *	     └─── 5 ── 6 ── 7     line 1, off 2
 *	               └─ 8       line 2, off 6
 *	9 ── 10                   unrelated
 *
 * Objects from 100 on are tags. */
#define HISTORY 10
static const unsigned parent[HISTORY + 1] = { 0, 0, 1, 2, 3, 2, 5, 6, 6, 0, 9 };

static struct guts_oid
oid(unsigned n)
{
	struct guts_oid o = { .n = n ? 20 : 0 };

	if (n) {
		o.b[0] = (uint8_t)n;
		o.b[19] = 1;
	}
	return o;
}

static bool
is_commit(void *owner, const struct guts_oid *o)
{
	(void)owner;
	return o->n && o->b[0] <= HISTORY;
}

static bool
merge_base(void *owner, const struct guts_oid *a, const struct guts_oid *b, struct guts_oid *out)
{
	(void)owner;
	assert_true(is_commit(NULL, a) && is_commit(NULL, b));
	for (unsigned x = a->b[0]; x; x = parent[x]) {
		for (unsigned y = b->b[0]; y; y = parent[y]) {
			if (x == y) {
				*out = oid(x);
				return true;
			}
		}
	}
	return false;
}

static const struct guts_ancestry history = { is_commit, merge_base, NULL };

/* -- a small world ---------------------------------------------------------------------- */

#define DELEGATES 5

struct world {
	struct guts_reftree *trees[DELEGATES];
	struct guts_canonical_input in;
};

static void
world_init(struct world *w, uint32_t n, uint32_t threshold)
{
	memset(w, 0, sizeof *w);
	w->in.ndelegates = n;
	w->in.threshold = threshold;
	w->in.trees = (const struct guts_reftree *const *)w->trees;
	w->in.ancestry = &history;
}

static void
world_deinit(struct world *w)
{
	for (size_t i = 0; i < DELEGATES; i++)
		guts_reftree_unref(w->trees[i]);
}

static void
show(struct world *w, unsigned delegate, const char *name, unsigned value, uint64_t version)
{
	struct guts_reftree *old = w->trees[delegate], *next;
	struct guts_refentry e = { guts_slice_str(name), oid(value), version, 0 };

	if (!old)
		old = guts_reftree_empty();
	assert_int_equal(guts_reftree_apply(old, &e, 1, &next), 0);
	guts_reftree_unref(old);
	w->trees[delegate] = next;
}

#define MAIN "refs/heads/main"

static struct guts_canonical_value
value(const struct world *w)
{
	struct guts_canonical_value v;

	guts_canonical_resolve(&w->in, guts_slice_str(MAIN), &v);
	return v;
}

#define assert_value(v, n)                          \
	do {                                        \
		struct guts_canonical_value v_ = (v); \
		struct guts_oid want_ = oid(n);     \
		assert_true(v_.known);              \
		assert_false(v_.pending);           \
		assert_true(guts_oid_eq(&v_.oid, &want_)); \
	} while (0)

/* -- threshold 1 ------------------------------------------------------------------------ */

static void
the_highest_version_wins(void **state)
{
	struct guts_canonical_value v;
	struct world w;

	(void)state;
	world_init(&w, 2, 1);
	assert_false(value(&w).known);
	assert_int_equal(guts_canonical_next_version(&w.in, guts_slice_str(MAIN)), 1);
	show(&w, 0, MAIN, 1, 1);
	show(&w, 1, MAIN, 2, 2);
	v = value(&w);
	assert_value(v, 2);
	assert_int_equal(v.delegate, 1);
	assert_int_equal(v.version, 2);
	assert_false(v.conflict);
	assert_int_equal(guts_canonical_next_version(&w.in, guts_slice_str(MAIN)), 3);
	show(&w, 0, MAIN, 0, 3); /* deleted: a tombstone wins like any value */
	v = value(&w);
	assert_value(v, 0);
	world_deinit(&w);
}

static void
of_equal_versions_the_first_delegate_wins(void **state)
{
	struct guts_canonical_value v;
	struct world w;

	(void)state;
	world_init(&w, 3, 1);
	show(&w, 2, MAIN, 3, 4);
	show(&w, 1, MAIN, 2, 4);
	v = value(&w);
	assert_value(v, 2);
	assert_int_equal(v.delegate, 1);
	assert_true(v.conflict);
	assert_int_equal(guts_canonical_losers(&w.in, guts_slice_str(MAIN)), 1u << 2);
	show(&w, 2, MAIN, 2, 4); /* they agree after all */
	assert_false(value(&w).conflict);
	assert_int_equal(value(&w).backers, 2);
	world_deinit(&w);
}

/* -- threshold n ------------------------------------------------------------------------ */

static void
a_commit_counts_for_its_descendants(void **state)
{
	struct guts_canonical_value v;
	struct world w;

	(void)state;
	world_init(&w, 3, 2);
	show(&w, 0, MAIN, 4, 2);
	v = value(&w);
	assert_true(v.known && v.pending);
	assert_int_equal(v.backers, 1);
	show(&w, 1, MAIN, 3, 1);
	v = value(&w);
	assert_value(v, 3); /* 4 descends from it */
	assert_int_equal(v.delegate, 1);
	assert_int_equal(v.version, 2);
	assert_false(v.conflict);
	show(&w, 2, MAIN, 4, 2);
	v = value(&w);
	assert_value(v, 4);
	assert_int_equal(v.backers, 2);
	world_deinit(&w);
}

static void
what_diverged_falls_back_to_the_common_ancestor(void **state)
{
	struct guts_canonical_value v;
	struct world w;

	(void)state;
	world_init(&w, 2, 2);
	show(&w, 0, MAIN, 4, 3);
	show(&w, 1, MAIN, 7, 3);
	v = value(&w);
	assert_value(v, 2); /* nobody shows 2 itself */
	assert_int_equal(v.delegate, 0);
	show(&w, 1, MAIN, 10, 4); /* unrelated history: nothing in common */
	assert_true(value(&w).pending);
	world_deinit(&w);

	world_init(&w, 3, 3);
	show(&w, 0, MAIN, 7, 1);
	show(&w, 1, MAIN, 8, 1);
	show(&w, 2, MAIN, 4, 1);
	assert_value(value(&w), 2); /* base of 7 and 8 is 6; of 6 and 4, 2 */
	world_deinit(&w);
}

static void
two_camps_are_a_conflict(void **state)
{
	struct guts_canonical_value v;
	struct world w;

	(void)state;
	world_init(&w, 4, 2);
	show(&w, 0, MAIN, 7, 3);
	show(&w, 1, MAIN, 8, 3);
	show(&w, 2, MAIN, 4, 3);
	show(&w, 3, MAIN, 4, 3);
	v = value(&w);
	assert_true(v.conflict);
	assert_value(v, 6); /* as high a version as 4, and delegate 0 is behind it */
	assert_int_equal(guts_canonical_losers(&w.in, guts_slice_str(MAIN)), 1u << 2 | 1u << 3);
	show(&w, 3, MAIN, 4, 4);
	assert_value(value(&w), 4);
	world_deinit(&w);
}

static void
tags_and_deletions_count_by_equality(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3, 2);
	show(&w, 0, MAIN, 100, 1);
	show(&w, 1, MAIN, 101, 1);
	assert_true(value(&w).pending);
	show(&w, 2, MAIN, 101, 1);
	assert_value(value(&w), 101);
	show(&w, 0, MAIN, 0, 2);
	assert_value(value(&w), 101);
	show(&w, 2, MAIN, 0, 2);
	assert_value(value(&w), 0);
	world_deinit(&w);
}

/* -- any order of arrival --------------------------------------------------------------- */

#define NAMES 6
#define UPDATES 40

struct update {
	unsigned delegate, name, value;
	uint64_t version;
};

static const char *const names[NAMES] = { "refs/heads/a", "refs/heads/b", "refs/heads/c",
					  "refs/heads/main", "refs/tags/v1", "refs/tags/v2" };

/* The rule for threshold 1 written down once more, in the plainest way. */
static void
check_slow(const struct world *w, const struct guts_reftree *view)
{
	for (size_t k = 0; k < NAMES; k++) {
		struct guts_refentry e, best = { .version = 0 };
		bool conflict = false;

		for (uint32_t i = 0; i < w->in.ndelegates; i++)
			if (w->trees[i] &&
			    guts_reftree_find(w->trees[i], guts_slice_str(names[k]), &e) &&
			    e.version > best.version)
				best = e;
		for (uint32_t i = 0; i < w->in.ndelegates; i++)
			if (w->trees[i] &&
			    guts_reftree_find(w->trees[i], guts_slice_str(names[k]), &e) &&
			    e.version == best.version && !guts_oid_eq(&e.oid, &best.oid))
				conflict = true;
		assert_int_equal(guts_reftree_find(view, guts_slice_str(names[k]), &e),
				 best.version > 0);
		if (best.version == 0)
			continue;
		assert_true(guts_oid_eq(&e.oid, &best.oid));
		assert_int_equal(e.version, best.version);
		assert_int_equal((e.tag & GUTS_CANONICAL_CONFLICT) != 0, conflict);
	}
}

static int
differs(void *owner, const struct guts_refentry *e)
{
	(void)owner;
	print_message("# differs: %.*s\n", (int)e->name.n, (const char *)e->name.p);
	return GUTS_ECONFLICT;
}

/* Per (delegate, name) the highest version is what the delegate shows in the end, as with records
 * applied by sequence; updates of one that come late change nothing. */
static struct guts_reftree *
arrive(struct world *w, const struct update *u, const size_t *order, bool slow)
{
	struct guts_reftree *view = guts_reftree_empty(), *next;
	size_t step = 0;

	for (size_t i = 0; i < UPDATES; i += step) {
		struct guts_slice changed[UPDATES];

		step = 1 + guts_rng_below(&rng, 4);
		if (step > UPDATES - i)
			step = UPDATES - i;
		for (size_t k = 0; k < step; k++) {
			const struct update *x = &u[order[i + k]];
			struct guts_refentry e;

			changed[k] = guts_slice_str(names[x->name]);
			if (!w->trees[x->delegate] ||
			    !guts_reftree_find(w->trees[x->delegate], changed[k], &e) ||
			    e.version < x->version)
				show(w, x->delegate, names[x->name], x->value, x->version);
		}
		assert_int_equal(guts_canonical_update(&w->in, view, changed, step, &next), 0);
		guts_reftree_unref(view);
		view = next;
		if (slow)
			check_slow(w, view);
	}
	return view;
}

static void
shuffle(size_t *order)
{
	for (size_t i = 0; i < UPDATES; i++)
		order[i] = i;
	for (size_t i = UPDATES; i > 1; i--) {
		size_t j = guts_rng_below(&rng, i), x = order[i - 1];

		order[i - 1] = order[j];
		order[j] = x;
	}
}

static void
any_order_ends_alike(uint32_t threshold)
{
	int rounds = getenv("GUTS_LONG") ? 500 : 50;
	size_t conflicts = 0, pendings = 0, order[UPDATES];

	for (int round = 0; round < rounds; round++) {
		struct guts_reftree *first = NULL;
		struct update u[UPDATES];

		for (size_t i = 0; i < UPDATES; i++) {
			u[i].delegate = (unsigned)guts_rng_below(&rng, DELEGATES);
			u[i].name = (unsigned)guts_rng_below(&rng, NAMES);
			u[i].value = (unsigned)guts_rng_below(&rng, 12);
			if (u[i].value > HISTORY)
				u[i].value += 90;
			/* one delegate signs one value per version: no ties within a delegate */
			u[i].version = 1 + i / 4;
			for (size_t j = 0; j < i; j++)
				if (u[j].delegate == u[i].delegate && u[j].name == u[i].name &&
				    u[j].version == u[i].version)
					u[i].value = u[j].value;
		}
		for (int run = 0; run < 4; run++) {
			struct guts_reftree *view, *full;
			struct guts_refentry e;
			uint64_t pos = 0;
			struct world w;

			world_init(&w, DELEGATES, threshold);
			shuffle(order);
			view = arrive(&w, u, order, threshold == 1);
			assert_int_equal(guts_canonical_full(&w.in, &full), 0);
			assert_int_equal(guts_reftree_changes(full, view, differs, NULL), 0);
			if (first) {
				assert_int_equal(guts_reftree_changes(first, view, differs, NULL), 0);
				guts_reftree_unref(view);
			} else {
				first = view;
			}
			while (run == 0 && guts_reftree_next(full, &pos, &e)) {
				conflicts += (e.tag & GUTS_CANONICAL_CONFLICT) != 0;
				pendings += (e.tag & GUTS_CANONICAL_PENDING) != 0;
			}
			guts_reftree_unref(full);
			world_deinit(&w);
		}
		guts_reftree_unref(first);
	}
	assert_true(conflicts > 0);
	assert_int_equal(pendings > 0, threshold > 2);
}

static void
any_order_ends_alike_threshold_1(void **state)
{
	(void)state;
	any_order_ends_alike(1);
}

static void
any_order_ends_alike_threshold_3(void **state)
{
	(void)state;
	any_order_ends_alike(3);
}

static void
a_delegate_that_goes_takes_its_names_along(void **state)
{
	struct guts_slice name = guts_slice_str("refs/heads/x"), doubled[2] = { name, name };
	struct guts_reftree *view, *next;
	struct guts_refentry e;
	struct world w;

	(void)state;
	world_init(&w, 2, 1);
	show(&w, 0, MAIN, 1, 1);
	show(&w, 1, "refs/heads/x", 2, 1);
	assert_int_equal(guts_canonical_full(&w.in, &view), 0);
	assert_true(guts_reftree_find(view, name, &e));
	assert_int_equal(e.tag & GUTS_CANONICAL_DELEGATE_MASK, 1);
	w.in.ndelegates = 1;
	assert_int_equal(guts_canonical_update(&w.in, view, doubled, 2, &next), 0);
	assert_false(guts_reftree_find(next, name, &e));
	assert_int_equal(guts_reftree_count(next), 1);
	guts_reftree_unref(view);
	guts_reftree_unref(next);
	world_deinit(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_highest_version_wins),
		cmocka_unit_test(of_equal_versions_the_first_delegate_wins),
		cmocka_unit_test(a_commit_counts_for_its_descendants),
		cmocka_unit_test(what_diverged_falls_back_to_the_common_ancestor),
		cmocka_unit_test(two_camps_are_a_conflict),
		cmocka_unit_test(tags_and_deletions_count_by_equality),
		cmocka_unit_test(any_order_ends_alike_threshold_1),
		cmocka_unit_test(any_order_ends_alike_threshold_3),
		cmocka_unit_test(a_delegate_that_goes_takes_its_names_along),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
