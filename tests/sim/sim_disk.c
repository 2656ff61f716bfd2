/* tests/sim/sim_disk.c - the simulator's models of the store and of repositories: order, durability, crashes. */
#include "simrepo.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define MS GUTS_MS_NS

static void *
idle_start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned place, void *arg)
{
	(void)e;
	(void)st;
	(void)r;
	(void)place;
	(void)arg;
	return guts_alloc(1);
}

static const struct sim_program idle = { idle_start, free, free };

static struct sim *
begin(uint64_t seed)
{
	struct sim_config c = { .seed = seed, .places = 2 };
	struct sim *s = sim_new(&c);

	sim_start(s, 0, &idle, NULL);
	sim_start(s, 1, &idle, NULL);
	return s;
}

/* --- the store ------------------------------------------------------------ */

struct commits {
	unsigned done, failed;
	int err;
	uint64_t first, last;
};

static void
committed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct commits *c = owner;

	c->done += err == 0;
	c->failed += err != 0;
	c->err = err;
	c->first = first;
	c->last = last;
}

static struct guts_slice
str(const char *s)
{
	return guts_slice_str(s);
}

static void
put(struct sim *s, struct commits *c, const char *key, const char *value, const char *fact)
{
	struct guts_batch *b = guts_batch_new();

	guts_batch_put(b, GUTS_TABLE_META, str(key), str(value));
	if (fact) {
		struct guts_fact f = { .wall_ns = 1, .type = fact };

		guts_batch_fact(b, &f);
	}
	assert_int_equal(guts_store_commit(sim_store(s, 0), b, committed, c), 0);
}

static const char *
get(struct sim *s, const char *key)
{
	static struct guts_buf b;

	guts_buf_deinit(&b);
	guts_buf_init(&b, 1000);
	return guts_store_get(sim_store(s, 0), GUTS_TABLE_META, str(key), &b) == 0 ? guts_buf_cstr(&b) : "-";
}

static bool
row_join(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_buf *b = owner;

	guts_buf_add_slice(b, key);
	guts_buf_add_str(b, "=");
	guts_buf_add_slice(b, value);
	guts_buf_add_str(b, " ");
	return b->len < 40;
}

static const char *
scan(struct sim *s, const char *prefix, const char *after)
{
	static struct guts_buf b;

	guts_buf_deinit(&b);
	guts_buf_init(&b, 1000);
	assert_int_equal(
	    guts_store_scan(sim_store(s, 0), GUTS_TABLE_META, str(prefix), str(after), row_join, &b), 0);
	return guts_buf_cstr(&b);
}

static bool
fact_join(void *owner, const struct guts_fact *f)
{
	guts_buf_printf(owner, "%d:%s ", (int)f->id, f->type);
	return true;
}

static void
test_store_rows(void **state)
{
	struct sim *s = begin(1);
	struct commits c = { 0 };

	(void)state;
	put(s, &c, "b/2", "two", NULL);
	put(s, &c, "b/1", "one", NULL);
	put(s, &c, "a", "A", NULL);
	put(s, &c, "c", "C", NULL);
	put(s, &c, "b/1", "eins", NULL);
	assert_string_equal(get(s, "a"), "-"); /* not durable, not visible */
	assert_int_equal(c.done, 0);
	sim_run_for(s, S);
	assert_int_equal(c.done, 5);
	assert_string_equal(get(s, "b/1"), "eins");
	assert_string_equal(get(s, "b"), "-");
	assert_string_equal(scan(s, "", ""), "a=A b/1=eins b/2=two c=C ");
	assert_string_equal(scan(s, "b/", ""), "b/1=eins b/2=two ");
	assert_string_equal(scan(s, "b/", "b/1"), "b/2=two ");
	assert_string_equal(scan(s, "b/", "b/2"), "");

	struct guts_batch *b = guts_batch_new();
	guts_batch_del_prefix(b, GUTS_TABLE_META, str("b/"));
	guts_batch_del(b, GUTS_TABLE_META, str("nothing"));
	guts_batch_put(b, GUTS_TABLE_META, str("b/3"), str("three"));
	assert_int_equal(guts_store_commit(sim_store(s, 0), b, committed, &c), 0);
	sim_run_for(s, S);
	assert_string_equal(scan(s, "", ""), "a=A b/3=three c=C ");
	sim_free(s);
}

static void
test_store_facts(void **state)
{
	struct sim *s = begin(1);
	struct commits c = { 0 };
	struct guts_buf b;
	uint64_t oldest, newest;

	(void)state;
	guts_store_fact_range(sim_store(s, 0), &oldest, &newest);
	assert_int_equal(oldest + newest, 0);
	put(s, &c, "x", "1", "first.thing");
	put(s, &c, "x", "2", NULL);
	sim_run_for(s, S);
	assert_int_equal(c.first + c.last, 0); /* the second batch had none */
	put(s, &c, "x", "3", "second.thing");
	sim_run_for(s, S);
	assert_int_equal(c.first, 2);
	assert_int_equal(c.last, 2);

	sim_set_disk_error(s, 0, GUTS_ENOSPC);
	put(s, &c, "x", "4", "never.thing");
	sim_run_for(s, S);
	assert_int_equal(c.err, GUTS_ENOSPC);
	assert_string_equal(get(s, "x"), "3");
	sim_set_disk_error(s, 0, 0);
	put(s, &c, "x", "5", "third.thing");
	sim_run_for(s, S);
	guts_store_fact_range(sim_store(s, 0), &oldest, &newest);
	assert_int_equal(oldest, 1);
	assert_int_equal(newest, 3);

	guts_buf_init(&b, 1000);
	assert_int_equal(guts_store_facts(sim_store(s, 0), 0, 100, fact_join, &b), 0);
	assert_string_equal(guts_buf_cstr(&b), "1:first.thing 2:second.thing 3:third.thing ");
	guts_buf_clear(&b);
	assert_int_equal(guts_store_facts(sim_store(s, 0), 1, 1, fact_join, &b), 0);
	assert_string_equal(guts_buf_cstr(&b), "2:second.thing ");
	guts_buf_deinit(&b);
	sim_free(s);
}

static void
test_store_crash_keeps_a_first_part(void **state)
{
	unsigned lost = 0, unacknowledged = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct sim *s = begin(seed);
		struct commits c = { 0 };
		char key[8], value[8];
		unsigned there = 0;

		for (unsigned i = 0; i < 10; i++) {
			snprintf(key, sizeof key, "k%u", i);
			snprintf(value, sizeof value, "%u", i);
			put(s, &c, key, value, "a.fact");
		}
		sim_run_for(s, 20 * MS);
		unsigned acknowledged = c.done;
		sim_crash(s, 0, SIM_CRASH_POWER);
		sim_run_for(s, S);
		assert_int_equal(c.done, acknowledged); /* no one is called any more */
		for (unsigned i = 0; i < 10; i++) {
			snprintf(key, sizeof key, "k%u", i);
			if (strcmp(get(s, key), "-") == 0)
				break;
			there++;
		}
		for (unsigned i = there; i < 10; i++) { /* no holes */
			snprintf(key, sizeof key, "k%u", i);
			assert_string_equal(get(s, key), "-");
		}
		assert_true(there >= acknowledged);
		lost += there < 10;
		unacknowledged += there > acknowledged;

		uint64_t oldest, newest;
		guts_store_fact_range(sim_store(s, 0), &oldest, &newest);
		assert_int_equal(newest, there);
		sim_restart(s, 0);
		put(s, &c, "again", "yes", "a.fact");
		sim_run_for(s, S);
		assert_int_equal(c.first, there + 1);
		sim_free(s);
	}
	assert_true(lost > 0 && unacknowledged > 0);
}

static void
test_store_stop_keeps_all(void **state)
{
	struct sim *s = begin(1);
	struct commits c = { 0 };

	(void)state;
	put(s, &c, "x", "1", NULL);
	sim_stop(s, 0);
	assert_string_equal(get(s, "x"), "1");
	assert_int_equal(c.done, 0);
	sim_free(s);
}

/* --- repositories --------------------------------------------------------- */

static const uint8_t repo_id[GUTS_REPOID_SIZE] = { 1, 2, 3 };

struct answers {
	int done, err; /* err of the last answer */
	int verified, accepted, writables;
	uint64_t objects, bytes;
	struct guts_buf refs, pack;
	int ended;
	struct guts_object_query q[4];
};

static void
on_done(void *owner, int err)
{
	struct answers *a = owner;

	a->done++;
	a->err = err;
}

static void
on_writable(void *owner)
{
	((struct answers *)owner)->writables++;
}

static void
on_verified(void *owner, int err, const struct guts_ingest_result *r)
{
	struct answers *a = owner;

	a->verified++;
	a->err = err;
	a->objects = r->objects;
}

static void
on_accepted(void *owner, int err)
{
	struct answers *a = owner;

	a->accepted++;
	a->err = err;
}

static const struct guts_ingest_events ingest_events = {
	.writable = on_writable, .verified = on_verified, .accepted = on_accepted };

static void
on_pack(void *owner, struct guts_slice bytes)
{
	struct answers *a = owner;

	assert_int_equal(guts_buf_add_slice(&a->pack, bytes), 0);
}

static void
on_pack_end(void *owner, int err)
{
	struct answers *a = owner;

	a->ended++;
	a->err = err;
}

static const struct guts_packer_events packer_events = { on_pack, on_pack_end };

static void
on_refs(void *owner, int err, const struct guts_ref_row *v, size_t n)
{
	struct answers *a = owner;

	a->err = err;
	guts_buf_clear(&a->refs);
	for (size_t i = 0; i < n; i++)
		guts_buf_printf(&a->refs, "%s ", v[i].name);
}

static void
on_query(void *owner, int err, const struct guts_object_query *v, size_t n)
{
	struct answers *a = owner;

	a->err = err;
	if (v)
		memcpy(a->q, v, n * sizeof *v);
}

static void
on_size(void *owner, int err, uint64_t bytes)
{
	struct answers *a = owner;

	a->err = err;
	a->bytes = bytes;
}

/* A line of commits, each the child of the one before; the last one is a merge of the two before. */
static void
history(struct simrepo_object *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		v[i] = (struct simrepo_object){ .type = GUTS_OBJ_COMMIT, .size = 100, .nparents = i ? 1 : 0 };
		if (i)
			v[i].parent[0] = v[i - 1].oid;
		if (i + 1 == n && i > 1) {
			v[i].parent[1] = v[i - 2].oid;
			v[i].nparents = 2;
		}
		simrepo_id(&v[i], i);
	}
}

static void
create(struct sim *s, unsigned place, struct answers *a)
{
	guts_repos_create(sim_repos(s, place), repo_id, GUTS_SHA1, str("refs/heads/main"), on_done, a);
	sim_run_for(s, S);
	assert_int_equal(a->err, 0);
}

/* Push a pack through the door; returns the answer of verification. */
static int
ingest(struct sim *s, unsigned place, struct answers *a, struct guts_slice pack, const struct guts_oid *tip,
    bool accept)
{
	struct guts_ingest_spec spec = { .pack_max = 10u << 20, .tips = tip, .ntips = 1, .no_pack = pack.n == 0 };
	struct guts_repos *r = sim_repos(s, place);
	struct guts_ingest *g;

	a->verified = a->accepted = 0;
	assert_int_equal(guts_ingest_open(r, repo_id, &spec, &ingest_events, a, &g), 0);
	while (pack.n) {
		size_t n = guts_ingest_write(r, g, pack);

		pack = guts_slice(pack.p + n, pack.n - n);
		sim_run_for(s, 2 * MS);
	}
	guts_ingest_end(r, g);
	assert_int_equal(a->verified, 0);
	sim_run_for(s, S);
	assert_int_equal(a->verified, 1);
	int err = a->err;
	if (err || !accept) {
		guts_ingest_abort(r, g);
	} else {
		guts_ingest_accept(r, g);
		assert_int_equal(a->accepted, 0);
		sim_run_for(s, S);
		assert_int_equal(a->accepted, 1);
		assert_int_equal(a->err, 0);
	}
	return err;
}

static struct answers *
answers_new(void)
{
	struct answers *a = guts_alloc(sizeof *a);

	guts_buf_init(&a->refs, 10000);
	guts_buf_init(&a->pack, 10u << 20);
	return a;
}

static void
answers_free(struct answers *a)
{
	guts_buf_deinit(&a->refs);
	guts_buf_deinit(&a->pack);
	free(a);
}

static void
test_packs_in_and_out(void **state)
{
	struct sim *s = begin(1);
	struct answers *a = answers_new();
	struct simrepo_object v[50];
	struct guts_packer *p;

	(void)state;
	history(v, 50);
	simrepo_pack(&a->pack, v, 50);
	create(s, 0, a);
	create(s, 1, a);
	assert_int_equal(ingest(s, 0, a, guts_buf_slice(&a->pack), &v[49].oid, true), 0);
	assert_int_equal(a->objects, 50);
	assert_int_equal(simrepo_count(sim_repos(s, 0), repo_id), 50);
	assert_true(simrepo_is_whole(sim_repos(s, 0), repo_id));

	/* the first 30 to the other place, then what it lacks */
	guts_buf_clear(&a->pack);
	assert_int_equal(
	    guts_pack_open(sim_repos(s, 0), repo_id, &v[29].oid, 1, NULL, 0, &packer_events, a, &p), 0);
	sim_run_for(s, S);
	assert_int_equal(a->ended, 1);
	guts_pack_close(sim_repos(s, 0), p);
	assert_int_equal(ingest(s, 1, a, guts_buf_slice(&a->pack), &v[29].oid, true), 0);
	assert_int_equal(a->objects, 30);

	guts_buf_clear(&a->pack);
	assert_int_equal(
	    guts_pack_open(sim_repos(s, 0), repo_id, &v[49].oid, 1, &v[29].oid, 1, &packer_events, a, &p), 0);
	guts_pack_pause(sim_repos(s, 0), p, true);
	sim_run_for(s, S);
	assert_int_equal(a->pack.len, 0);
	guts_pack_pause(sim_repos(s, 0), p, false);
	sim_run_for(s, S);
	assert_int_equal(a->ended, 2);
	guts_pack_close(sim_repos(s, 0), p);
	assert_int_equal(ingest(s, 1, a, guts_buf_slice(&a->pack), &v[49].oid, true), 0);
	assert_int_equal(a->objects, 20);
	assert_true(simrepo_is_whole(sim_repos(s, 1), repo_id));

	struct guts_oid unknown = { .n = 20, .b = { 9 } };
	assert_int_equal(guts_pack_open(sim_repos(s, 0), repo_id, &unknown, 1, NULL, 0, &packer_events, a, &p), 0);
	sim_run_for(s, S);
	assert_int_equal(a->err, GUTS_ENOTFOUND);
	guts_pack_close(sim_repos(s, 0), p);
	answers_free(a);
	sim_free(s);
}

static void
test_bad_packs(void **state)
{
	struct sim *s = begin(1);
	struct answers *a = answers_new();
	struct simrepo_object v[10];
	struct guts_ingest *g;
	struct guts_ingest_spec spec = { .pack_max = 100, .tips = &v[9].oid, .ntips = 1 };

	(void)state;
	history(v, 10);
	assert_int_equal(guts_ingest_open(sim_repos(s, 0), repo_id, &spec, &ingest_events, a, &g), GUTS_ENOTFOUND);
	create(s, 0, a);
	simrepo_pack(&a->pack, v + 5, 5); /* thin, but nothing is there */
	assert_int_equal(ingest(s, 0, a, guts_buf_slice(&a->pack), &v[9].oid, true), GUTS_ENOTFOUND);
	assert_int_equal(ingest(s, 0, a, guts_slice(NULL, 0), &v[9].oid, true), GUTS_ENOTFOUND);

	guts_buf_clear(&a->pack);
	simrepo_pack(&a->pack, v, 10);
	uint8_t *damaged = guts_memdup(guts_buf_slice(&a->pack).p, a->pack.len);
	damaged[300] ^= 1;
	assert_int_equal(ingest(s, 0, a, guts_slice(damaged, a->pack.len), &v[9].oid, true), GUTS_EPROTO);
	assert_int_equal(ingest(s, 0, a, guts_slice(damaged, 100), &v[9].oid, true), GUTS_EPROTO);
	free(damaged);

	assert_int_equal(guts_ingest_open(sim_repos(s, 0), repo_id, &spec, &ingest_events, a, &g), 0);
	a->verified = 0;
	guts_ingest_write(sim_repos(s, 0), g, guts_buf_slice(&a->pack));
	sim_run_for(s, S);
	assert_int_equal(a->verified, 1); /* early */
	assert_int_equal(a->err, GUTS_ELIMIT);
	guts_ingest_abort(sim_repos(s, 0), g);

	assert_int_equal(ingest(s, 0, a, guts_buf_slice(&a->pack), &v[9].oid, false), 0);
	assert_int_equal(simrepo_count(sim_repos(s, 0), repo_id), 0); /* aborted: nothing is left */
	assert_int_equal(ingest(s, 0, a, guts_buf_slice(&a->pack), &v[9].oid, true), 0);
	assert_int_equal(ingest(s, 0, a, guts_slice(NULL, 0), &v[9].oid, true), 0); /* known objects */
	answers_free(a);
	sim_free(s);
}

static void
test_refs_and_questions(void **state)
{
	struct sim *s = begin(1);
	struct guts_repos *r = sim_repos(s, 0);
	struct answers *a = answers_new();
	struct simrepo_object v[10];
	struct guts_oid oid;

	(void)state;
	history(v, 10);
	create(s, 0, a);
	simrepo_pack(&a->pack, v, 10);
	assert_int_equal(ingest(s, 0, a, guts_buf_slice(&a->pack), &v[9].oid, true), 0);

	struct guts_ref_update up[3] = { { str("refs/heads/main"), v[9].oid }, { str("refs/heads/b"), v[3].oid },
		{ str("refs/tags/t"), v[0].oid } };
	guts_repos_project(r, repo_id, up, 3, false, str(""), on_done, a);
	sim_run_for(s, S);
	assert_int_equal(a->err, 0);
	guts_repos_refs(r, repo_id, on_refs, a);
	sim_run_for(s, S);
	assert_string_equal(guts_buf_cstr(&a->refs), "refs/heads/b refs/heads/main refs/tags/t ");

	up[1].oid = (struct guts_oid){ 0 }; /* delete */
	guts_repos_project(r, repo_id, up + 1, 1, false, str(""), on_done, a);
	guts_repos_project(r, repo_id, up, 1, true, str("refs/heads/main"), on_done, a);
	sim_run_for(s, S);
	guts_repos_refs(r, repo_id, on_refs, a);
	sim_run_for(s, S);
	assert_string_equal(guts_buf_cstr(&a->refs), "refs/heads/main ");
	assert_true(simrepo_ref(r, repo_id, "refs/heads/main", &oid) && guts_oid_eq(&oid, &v[9].oid));

	struct guts_object_query q[3] = { { .oid = v[9].oid, .ancestor = v[0].oid },
		{ .oid = v[0].oid, .ancestor = v[9].oid }, { .oid = { .n = 20, .b = { 1 } } } };
	guts_repos_query(r, repo_id, q, 3, on_query, a);
	guts_repos_size(r, repo_id, on_size, a);
	sim_run_for(s, S);
	assert_int_equal(a->q[0].type, GUTS_OBJ_COMMIT);
	assert_true(a->q[0].is_ancestor);
	assert_false(a->q[1].is_ancestor);
	assert_int_equal(a->q[2].type, GUTS_OBJ_NONE);
	assert_true(a->bytes >= 1000);

	guts_repos_remove(r, repo_id, on_done, a);
	sim_run_for(s, S);
	guts_repos_size(r, repo_id, on_size, a);
	sim_run_for(s, S);
	assert_int_equal(a->err, GUTS_ENOTFOUND);
	answers_free(a);
	sim_free(s);
}

static void
test_repo_crash(void **state)
{
	unsigned lost = 0, kept = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim *s = begin(seed);
		struct guts_repos *r = sim_repos(s, 0);
		struct answers *a = answers_new();
		struct simrepo_object v[10];
		struct guts_ingest_spec spec = { .pack_max = 1u << 20, .tips = &v[9].oid, .ntips = 1 };
		struct guts_ingest *g, *half;
		struct guts_packer *p;

		history(v, 10);
		create(s, 0, a);
		simrepo_pack(&a->pack, v, 10);
		assert_int_equal(guts_ingest_open(r, repo_id, &spec, &ingest_events, a, &g), 0);
		assert_int_equal(guts_ingest_open(r, repo_id, &spec, &ingest_events, a, &half), 0);
		assert_int_equal(guts_ingest_write(r, g, guts_buf_slice(&a->pack)), a->pack.len);
		guts_ingest_write(r, half, guts_slice(guts_buf_slice(&a->pack).p, 50));
		guts_ingest_end(r, g);
		sim_run_for(s, S);
		assert_int_equal(a->err, 0);
		guts_ingest_accept(r, g);
		guts_repos_refs(r, repo_id, on_refs, a);
		assert_int_equal(guts_pack_open(r, repo_id, &v[9].oid, 1, NULL, 0, &packer_events, a, &p), 0);
		sim_crash(s, 0, SIM_CRASH_PROCESS);
		sim_run_for(s, S);
		assert_int_equal(a->accepted, 0);
		assert_int_equal(a->ended, 0);

		size_t n = simrepo_count(r, repo_id);
		assert_true(n == 0 || n == 10);
		lost += n == 0;
		kept += n == 10;
		assert_true(simrepo_is_whole(r, repo_id));
		sim_restart(s, 0);
		assert_int_equal(ingest(s, 0, a, guts_buf_slice(&a->pack), &v[9].oid, true), 0);
		assert_int_equal(simrepo_count(r, repo_id), 10);
		answers_free(a);
		sim_free(s);
	}
	assert_true(lost > 0 && kept > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_rows),
		cmocka_unit_test(test_store_facts),
		cmocka_unit_test(test_store_crash_keeps_a_first_part),
		cmocka_unit_test(test_store_stop_keeps_all),
		cmocka_unit_test(test_packs_in_and_out),
		cmocka_unit_test(test_bad_packs),
		cmocka_unit_test(test_refs_and_questions),
		cmocka_unit_test(test_repo_crash),
	};

	return cmocka_run_group_tests_name("sim_disk", tests, NULL, NULL);
}
