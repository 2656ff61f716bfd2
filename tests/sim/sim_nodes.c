/* tests/sim/sim_nodes.c - networks of whole nodes: a push reaches everyone, through loss, partition, crash and restart.
 *
 * Every seed is one world; the same seed gives the same digest.  GUTS_LONG: the full number of seeds.
 */
#include "simdigest.h"
#include "simnode.h"

#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS

/* A crash takes answers with it, and what waited for them is never freed: leaks are looked for elsewhere. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static uint64_t
first_seed(void)
{
	const char *s = getenv("GUTS_SEED");

	return s ? strtoull(s, NULL, 10) : 1;
}

/* A line of three: what is pushed at one end arrives at the other. */
static void
a_push_crosses_a_line(void **state)
{
	struct sim_config c = { .seed = first_seed(), .places = 3 };
	struct simnet_world w = { 0 };
	struct sim *s = sim_new(&c);
	uint64_t t;
	unsigned k;

	(void)state;
	simnet_world_start(&w, s, 3, 1);
	sim_run_for(s, 3 * S);
	k = simnet_world_create(&w, 0);
	assert_true(simnet_world_converge(&w, sim_now(s) + 20 * S));
	assert_true(w.repo[k].made);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(simnet_world_push(&w, k, i % 4));
		t = sim_now(s);
		assert_true(simnet_world_converge(&w, sim_now(s) + 20 * S));
		assert_int_equal(w.repo[k].acks, i + 1);
		print_message("# push %u is everywhere after %" PRIu64 " ms\n", i, (sim_now(s) - t) / GUTS_MS_NS);
	}
	assert_null(simnet_world_fault(&w));
	sim_free(s);
	simnet_world_end(&w);
}

static bool
same_tree(struct simnet_world *w, unsigned k, unsigned a, unsigned b, size_t refs)
{
	struct guts_repo *ra = guts_sync_find(guts_node_sync(simnet_world_node(w, a)->node), w->repo[k].id);
	struct guts_repo *rb = guts_sync_find(guts_node_sync(simnet_world_node(w, b)->node), w->repo[k].id);
	struct guts_repo_info *ia = guts_repo_info_get(ra), *ib = rb ? guts_repo_info_get(rb) : NULL;
	bool same = ib && memcmp(ia->state_digest, ib->state_digest, sizeof ia->state_digest) == 0 && ib->canonical->n == refs;

	guts_repo_info_unref(ia);
	guts_repo_info_unref(ib);
	return same;
}

/* A provider that has forgotten the asker's record (it was started again) sends bucket hashes; only what differs crosses. */
static void
a_large_tree_is_compared_by_bucket(void **state)
{
	struct sim_config c = { .seed = first_seed(), .places = 2 };
	struct simnet_world w = { 0 };
	struct sim *s = sim_new(&c);
	struct guts_snapshot *snap;
	uint64_t before, after;
	unsigned k;

	(void)state;
	simnet_world_start(&w, s, 2, 1);
	sim_run_for(s, 3 * S);
	k = simnet_world_create(&w, 0);
	sim_run_for(s, 5 * S);
	assert_true(simnet_world_push_many(&w, k, 6000));
	sim_run_for(s, 20 * S);
	assert_true(same_tree(&w, k, 0, 1, 6000));
	sim_stop(s, 1);
	assert_true(simnet_world_push(&w, k, 0));
	sim_run_for(s, 2 * S);
	sim_stop(s, 0);
	sim_restart(s, 0);
	sim_run_for(s, 2 * S);
	sim_restart(s, 1);
	sim_run_for(s, 30 * S);
	assert_true(same_tree(&w, k, 0, 1, 6001));
	snap = guts_node_snapshot(simnet_world_node(&w, 1)->node);
	before = 6000 * 30;
	after = snap->bytes_in;
	assert_int_equal(snap->npeers, 1);
	assert_true(snap->peers[0].useful > 0); /* a fetch is news, too */
	guts_snapshot_unref(snap);
	print_message("# one ref more among 6,000, the base unknown: %" PRIu64 " bytes came\n", after);
	assert_true(after < before);
	sim_free(s);
	simnet_world_end(&w);
}

/* One world with everything that can go wrong; gives its digest. */
static void
storm(uint64_t seed, unsigned places, uint8_t digest[SIM_DIGEST_SIZE])
{
	struct sim_config c = { .seed = seed, .places = places, .loss_ppm = 50000 };
	struct simnet_world w = { .inventory_ms = 10000 };
	struct sim *s = sim_new(&c);
	struct guts_rng *r = sim_rng(s);
	unsigned group[SIMNODE_MAX], crashed = places;

	simnet_world_start(&w, s, places, 3);
	sim_run_for(s, 5 * S);
	for (unsigned i = 0; i < 3; i++)
		simnet_world_create(&w, (unsigned)guts_rng_below(r, places));
	for (unsigned round = 0; round < 12; round++) {
		sim_run_for(s, S + guts_rng_below(r, 2 * S));
		for (unsigned i = 0; i < 3; i++) {
			unsigned k = (unsigned)guts_rng_below(r, 3); /* before the next one, whatever the compiler */

			(void)simnet_world_push(&w, k, (unsigned)guts_rng_below(r, 4));
		}
		if (round == 3) {
			for (unsigned i = 0; i < places; i++)
				group[i] = (unsigned)guts_rng_below(r, 2);
			sim_partition(s, group);
		}
		if (round == 7)
			sim_heal(s);
		if (crashed < places) {
			sim_restart(s, crashed);
			crashed = places;
		} else if (round % 2) {
			sim_run_for(s, guts_rng_below(r, S / 4));
			crashed = (unsigned)guts_rng_below(r, places);
			sim_crash(s, crashed, guts_rng_below(r, 2) ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
		}
	}
	if (crashed < places)
		sim_restart(s, crashed);
	sim_heal(s);
	sim_set_loss(s, 0);
	if (!simnet_world_converge(&w, sim_now(s) + 180 * S))
		fail_msg("seed %" PRIu64 ": not equal everywhere", seed);
	if (simnet_world_fault(&w))
		fail_msg("seed %" PRIu64 ": %s", seed, simnet_world_fault(&w));
	for (unsigned k = 0; k < 3; k++)
		assert_true(!w.repo[k].made || w.repo[k].pushes == 0 || w.repo[k].acks <= w.repo[k].pushes);
	sim_digest(s, digest);
	sim_free(s);
	simnet_world_end(&w);
}

static void
small_storm(uint64_t seed, uint8_t digest[32])
{
	storm(seed, 8, digest);
}

static void
storms_end_equal(void **state)
{
	unsigned seeds = getenv("GUTS_LONG") ? 200 : 20, places = 20;
	uint8_t digest[SIM_DIGEST_SIZE];
	char hex[2 * SIM_DIGEST_SIZE + 1];

	(void)state;
	for (unsigned i = 0; i < seeds; i++) {
		storm(first_seed() + i, places, digest);
		guts_hex_encode(hex, digest, sizeof digest);
		print_message("# seed %" PRIu64 " digest %.16s\n", first_seed() + i, hex);
	}
}

static void
one_seed_one_digest(void **state)
{
	uint8_t a[SIM_DIGEST_SIZE], b[SIM_DIGEST_SIZE], other[SIM_DIGEST_SIZE];

	(void)state;
	storm(first_seed(), 8, a);
	storm(first_seed(), 8, b);
	storm(first_seed() + 1, 8, other);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, other, sizeof a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_push_crosses_a_line),
		cmocka_unit_test(a_large_tree_is_compared_by_bucket),
		cmocka_unit_test(one_seed_one_digest),
		cmocka_unit_test(storms_end_equal),
	};

	if (guts_crypto_init())
		return 1;
	guts_log_set_level(getenv("GUTS_SIM_LOG") ? GUTS_LOG_DEBUG : GUTS_LOG_ERROR);
	if (simdigest_print(small_storm))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
