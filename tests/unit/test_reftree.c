/* tests/unit/test_reftree.c - the refs tree against a slow model, its root, deltas, sharing. */
#include "message_samples.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/text.h"
#include "unit.h"

#include <json-c/json.h>
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

static struct guts_reftree *
apply(struct guts_reftree *t, const struct guts_refentry *e, size_t n)
{
	struct guts_reftree *next;

	assert_int_equal(guts_reftree_apply(t, e, n, &next), 0);
	guts_reftree_unref(t);
	return next;
}

/* -- known answers ---------------------------------------------------------------------- */

static void
roots_equal_the_known_answers(void **state)
{
	struct json_object *doc, *list, *o, *v;
	char path[4096], hex[2 * GUTS_HASH_SIZE + 1];

	(void)state;
	snprintf(path, sizeof path, "%s/tests/vectors/records.json", getenv("GUTS_SRCDIR"));
	doc = json_object_from_file(path);
	assert_non_null(doc);
	assert_true(json_object_object_get_ex(doc, "reftrees", &list));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct guts_reftree *t;

		o = json_object_array_get_idx(list, i);
		assert_true(json_object_object_get_ex(o, "entries", &v));
		t = sample_tree((size_t)json_object_get_int64(v));
		assert_true(json_object_object_get_ex(o, "root", &v));
		guts_hex_encode(hex, guts_reftree_root(t), GUTS_HASH_SIZE);
		assert_string_equal(json_object_get_string(v), hex);
		guts_reftree_unref(t);
	}
	assert_int_equal(json_object_array_length(list), 3);
	json_object_put(doc);
}

/* The root by the words of the header, from a plain list. */
static void
slow_root(struct guts_refentry *e, size_t n, uint8_t root[GUTS_HASH_SIZE])
{
	static uint8_t hashes[256][GUTS_HASH_SIZE];
	struct guts_buf b;

	guts_buf_init(&b, 1u << 24);
	for (unsigned k = 0; k < 256; k++) {
		uint32_t count = 0;

		guts_buf_clear(&b);
		for (size_t i = 0; i < n; i++) { /* n is small and e is sorted by name */
			if (guts_reftree_bucket_of(e[i].name) != k)
				continue;
			count++;
			guts_buf_add_be16(&b, (uint16_t)e[i].name.n);
			guts_buf_add_slice(&b, e[i].name);
			guts_buf_add_u8(&b, e[i].oid.n);
			guts_buf_add_slice(&b, guts_oid_slice(&e[i].oid));
			guts_buf_add_be64(&b, e[i].version);
		}
		memset(hashes[k], 0, GUTS_HASH_SIZE);
		if (count) {
			struct guts_buf h;

			guts_buf_init(&h, 1u << 24);
			guts_buf_add(&h, "guts-refs-bucket/1", 19);
			guts_buf_add_u8(&h, (uint8_t)k);
			guts_buf_add_be32(&h, count);
			guts_buf_add_slice(&h, guts_buf_slice(&b));
			guts_sha256(hashes[k], guts_buf_slice(&h));
			guts_buf_deinit(&h);
		}
	}
	guts_buf_clear(&b);
	guts_buf_add(&b, "guts-refs-root/1", 17);
	guts_buf_add_be64(&b, n);
	guts_buf_add(&b, hashes, sizeof hashes);
	guts_sha256(root, guts_buf_slice(&b));
	guts_buf_deinit(&b);
}

/* -- against a model -------------------------------------------------------------------- */

#define NAMES 60

/* The model: entry i of sample_entry's names, version 0 = not there. */
struct model {
	char names[NAMES][64];
	struct guts_refentry e[NAMES];
};

static void
check_against(const struct guts_reftree *t, const struct model *m)
{
	struct guts_refentry *sorted = guts_reftree_sorted(t), found;
	size_t count = 0, live = 0, walked = 0;
	uint8_t root[GUTS_HASH_SIZE];
	uint64_t pos = 0;

	for (size_t i = 0; i < NAMES; i++) {
		struct guts_slice name = guts_slice_str(m->names[i]);
		bool there = guts_reftree_find(t, name, &found);

		assert_int_equal(there, m->e[i].version > 0);
		if (!there)
			continue;
		count++;
		live += m->e[i].oid.n > 0;
		assert_true(guts_slice_eq(found.name, name));
		assert_true(guts_oid_eq(&found.oid, &m->e[i].oid));
		assert_int_equal(found.version, m->e[i].version);
	}
	assert_int_equal(guts_reftree_count(t), count);
	assert_int_equal(guts_reftree_live(t), live);
	for (size_t i = 1; i < count; i++)
		assert_true(guts_slice_cmp(sorted[i - 1].name, sorted[i].name) < 0);
	while (guts_reftree_next(t, &pos, &found))
		walked++;
	assert_int_equal(walked, count);
	assert_false(guts_reftree_next(t, &pos, &found));
	slow_root(sorted, count, root);
	assert_memory_equal(root, guts_reftree_root(t), sizeof root);
	free(sorted);
}

static void
random_changes_equal_the_model(void **state)
{
	struct guts_reftree *t = guts_reftree_empty();
	size_t taken = 0, removed = 0;
	struct model m = { 0 };

	(void)state;
	for (size_t i = 0; i < NAMES; i++)
		sample_entry(i, m.names[i]);
	check_against(t, &m);
	for (int round = 0; round < 60; round++) {
		struct guts_refentry change[8];
		size_t n = 1 + guts_rng_below(&rng, 8), k = 0;

		while (k < n) {
			size_t i = guts_rng_below(&rng, NAMES);
			bool doubled = false;

			for (size_t j = 0; j < k; j++)
				doubled |= guts_slice_eq(change[j].name, guts_slice_str(m.names[i]));
			if (doubled)
				continue;
			change[k] = sample_entry(guts_rng_below(&rng, 50), (char[64]){ 0 });
			change[k].name = guts_slice_str(m.names[i]);
			if (guts_rng_below(&rng, 6) == 0)
				change[k].version = 0, removed++;
			m.e[i] = change[k++];
			taken++;
		}
		t = apply(t, change, n);
		check_against(t, &m);
	}
	assert_true(removed > 5 && taken > removed);
	guts_reftree_unref(t);
}

static void
the_root_does_not_depend_on_the_order(void **state)
{
	struct guts_reftree *all = sample_tree(300), *one = guts_reftree_empty();
	char mem[64];

	(void)state;
	for (size_t i = 300; i-- > 0;) {
		struct guts_refentry e = sample_entry((i * 7) % 300, mem);

		one = apply(one, &e, 1);
	}
	assert_memory_equal(guts_reftree_root(all), guts_reftree_root(one), GUTS_HASH_SIZE);
	guts_reftree_unref(all);
	guts_reftree_unref(one);
}

/* -- snapshots -------------------------------------------------------------------------- */

static void
a_change_leaves_older_trees_alone(void **state)
{
	struct guts_reftree *old = sample_tree(1000), *t;
	struct guts_refentry e, found;
	uint8_t root[GUTS_HASH_SIZE];
	unsigned bucket, shared = 0;
	char mem[64];

	(void)state;
	memcpy(root, guts_reftree_root(old), sizeof root);
	e = sample_entry(17, mem);
	e.version = 99;
	bucket = guts_reftree_bucket_of(e.name);
	assert_int_equal(guts_reftree_apply(old, &e, 1, &t), 0);
	assert_memory_equal(root, guts_reftree_root(old), sizeof root);
	assert_memory_not_equal(root, guts_reftree_root(t), sizeof root);
	assert_true(guts_reftree_find(old, e.name, &found));
	assert_int_equal(found.version, 18);
	assert_true(guts_reftree_find(t, e.name, &found));
	assert_int_equal(found.version, 99);
	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++) {
		bool same = guts_reftree_bucket_hash(old, i) == guts_reftree_bucket_hash(t, i);

		assert_true(same || i == bucket);
		shared += same;
	}
	assert_int_equal(shared, GUTS_REFTREE_BUCKETS - 1); /* not copied, not hashed again */
	guts_reftree_unref(old);
	assert_true(guts_reftree_find(t, e.name, &found)); /* names outlive the old tree */
	guts_reftree_unref(guts_reftree_ref(t));
	guts_reftree_unref(t);
	guts_reftree_unref(NULL);
}

/* -- refusals --------------------------------------------------------------------------- */

static int
try(const struct guts_refentry *e, size_t n)
{
	struct guts_reftree *t = sample_tree(5), *next;
	int err = guts_reftree_apply(t, e, n, &next);

	assert_true(err ? next == NULL : next != NULL);
	guts_reftree_unref(next);
	guts_reftree_unref(t);
	return err;
}

static void
bad_changes_are_refused(void **state)
{
	struct guts_refentry e[2];
	char mem[2][64];

	(void)state;
	e[0] = sample_entry(1, mem[0]);
	e[1] = sample_entry(2, mem[1]);
	assert_int_equal(try(e, 2), 0);
	e[1] = e[0];
	assert_int_equal(try(e, 2), GUTS_EPROTO); /* the same name twice */
	e[0].name = guts_slice_str("HEAD");
	assert_int_equal(try(e, 1), GUTS_EPROTO);
	e[0].name = guts_slice_str("refs/heads/a..b");
	assert_int_equal(try(e, 1), GUTS_EPROTO);
	e[0].name = guts_slice_str("refs/replace/0123456789012345678901234567890123456789");
	assert_int_equal(try(e, 1), GUTS_EPROTO);
	e[0] = sample_entry(1, mem[0]);
	e[0].oid.n = 32; /* the other object format */
	assert_int_equal(try(e, 1), GUTS_EPROTO);
	e[0].oid.n = 7;
	assert_int_equal(try(e, 1), GUTS_EPROTO);
}

static void
a_delta_must_give_the_root(void **state)
{
	struct guts_reftree *a = sample_tree(100), *b, *c;
	struct guts_refentry e[2];
	char mem[2][64];

	(void)state;
	e[0] = sample_entry(50, mem[0]);
	e[0].version = 500;
	e[1] = sample_entry(200, mem[1]);
	assert_int_equal(guts_reftree_apply(a, e, 2, &b), 0);
	assert_int_equal(guts_reftree_apply_delta(a, e, 2, guts_reftree_root(b), &c), 0);
	assert_memory_equal(guts_reftree_root(b), guts_reftree_root(c), GUTS_HASH_SIZE);
	guts_reftree_unref(c);
	assert_int_equal(guts_reftree_apply_delta(a, e, 1, guts_reftree_root(b), &c), GUTS_EPROTO);
	assert_null(c);
	e[0].version = 0; /* nobody takes an author's entry away */
	assert_int_equal(guts_reftree_apply_delta(a, e, 2, guts_reftree_root(b), &c), GUTS_EPROTO);
	guts_reftree_unref(a);
	guts_reftree_unref(b);
}

static void
the_count_is_capped(void **state)
{
	struct guts_reftree *t = sample_tree(10), *next;
	struct guts_refentry e;
	char mem[64];

	(void)state;
	e = sample_entry(10, mem);
	assert_int_equal(guts_reftree_apply_max(t, &e, 1, 10, &next), GUTS_ELIMIT);
	assert_null(next);
	assert_int_equal(guts_reftree_apply_max(t, &e, 1, 11, &next), 0);
	guts_reftree_unref(next);
	guts_reftree_unref(t);
}

/* -- differences ------------------------------------------------------------------------ */

struct list {
	struct guts_refentry e[64];
	size_t n;
	int stop;
};

static int
note(void *owner, const struct guts_refentry *e)
{
	struct list *l = owner;

	assert_true(l->n < 64);
	l->e[l->n++] = *e;
	return l->stop;
}

static void
a_difference_applied_gives_the_other_tree(void **state)
{
	struct guts_reftree *a = sample_tree(400), *b, *c;
	struct guts_refentry e[6];
	struct list l = { .n = 0 };
	char mem[6][64];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		e[i] = sample_entry(i * 100, mem[i]); /* 400 and 500 are new */
		e[i].version += 1000;
	}
	assert_int_equal(guts_reftree_apply(a, e, 6, &b), 0);
	assert_int_equal(guts_reftree_diff(a, b, note, &l), 0);
	assert_int_equal(l.n, 6);
	assert_int_equal(guts_reftree_apply_delta(a, l.e, l.n, guts_reftree_root(b), &c), 0);
	guts_reftree_unref(c);

	assert_int_equal(guts_reftree_diff(b, a, note, &l), GUTS_ECONFLICT); /* entries are gone */
	l.n = 0;
	assert_int_equal(guts_reftree_changes(b, a, note, &l), 0);
	assert_int_equal(l.n, 6);
	l.n = 0;
	l.stop = GUTS_ECANCELED;
	assert_int_equal(guts_reftree_diff(a, b, note, &l), GUTS_ECANCELED);
	assert_int_equal(l.n, 1);
	l.n = 0;
	assert_int_equal(guts_reftree_diff(a, a, note, &l), 0);
	guts_reftree_unref(a);
	guts_reftree_unref(b);
}

static void
tags_are_changes_but_not_in_the_root(void **state)
{
	struct guts_reftree *a = sample_tree(20), *b;
	struct guts_refentry e;
	struct list l = { .n = 0 };
	char mem[64];

	(void)state;
	e = sample_entry(3, mem);
	e.tag = 7;
	assert_int_equal(guts_reftree_apply(a, &e, 1, &b), 0);
	assert_memory_equal(guts_reftree_root(a), guts_reftree_root(b), GUTS_HASH_SIZE);
	assert_int_equal(guts_reftree_diff(a, b, note, &l), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(guts_reftree_changes(a, b, note, &l), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.e[0].tag, 7);
	guts_reftree_unref(a);
	guts_reftree_unref(b);
}

/* -- buckets ---------------------------------------------------------------------------- */

static void
buckets_rebuild_a_tree(void **state)
{
	struct guts_reftree *a = sample_tree(1500), *b = sample_tree(3), *next;
	uint8_t hashes[GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE], root[GUTS_HASH_SIZE];

	(void)state;
	for (unsigned i = 0; i < GUTS_REFTREE_BUCKETS; i++) {
		size_t n = guts_reftree_bucket_count(a, i);
		struct guts_refentry *e = calloc(n + 1, sizeof *e);

		assert_non_null(e);
		memcpy(hashes + i * GUTS_HASH_SIZE, guts_reftree_bucket_hash(a, i), GUTS_HASH_SIZE);
		for (size_t k = 0; k < n; k++)
			guts_reftree_at(a, i, k, &e[n - 1 - k]); /* any order will do */
		assert_int_equal(guts_reftree_set_bucket(b, i, e, n, &next), 0);
		guts_reftree_unref(b);
		b = next;
		if (n)
			assert_int_equal(guts_reftree_set_bucket(b, (i + 1) % 256, e, n, &next),
					 GUTS_EPROTO);
		free(e);
	}
	assert_memory_equal(guts_reftree_root(a), guts_reftree_root(b), GUTS_HASH_SIZE);
	assert_int_equal(guts_reftree_count(b), 1500);
	guts_reftree_root_of(hashes, 1500, root);
	assert_memory_equal(guts_reftree_root(a), root, sizeof root);
	guts_reftree_unref(a);
	guts_reftree_unref(b);
}

/* 100,000 entries: one change touches one bucket, and a push of one name stays small. */
static void
one_change_among_100000(void **state)
{
	struct guts_reftree *a = sample_tree(100000), *b;
	struct guts_refentry e;
	struct list l = { .n = 0 };
	char mem[64];

	(void)state;
	e = sample_entry(54321, mem);
	e.version++;
	assert_int_equal(guts_reftree_apply(a, &e, 1, &b), 0);
	assert_int_equal(guts_reftree_diff(a, b, note, &l), 0);
	assert_int_equal(l.n, 1);
	assert_true(guts_slice_eq(l.e[0].name, e.name));
	assert_true(guts_reftree_bucket_count(a, 0) > 200);
	guts_reftree_unref(a);
	guts_reftree_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots_equal_the_known_answers),
		cmocka_unit_test(random_changes_equal_the_model),
		cmocka_unit_test(the_root_does_not_depend_on_the_order),
		cmocka_unit_test(a_change_leaves_older_trees_alone),
		cmocka_unit_test(bad_changes_are_refused),
		cmocka_unit_test(a_delta_must_give_the_root),
		cmocka_unit_test(the_count_is_capped),
		cmocka_unit_test(a_difference_applied_gives_the_other_tree),
		cmocka_unit_test(tags_are_changes_but_not_in_the_root),
		cmocka_unit_test(buckets_rebuild_a_tree),
		cmocka_unit_test(one_change_among_100000),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
