/* tests/sim/sim_gates.c - gated branches in networks that fail: what was acknowledged gets to its branch, everywhere, and not before its checks.
 *
 * The owner's node is place 0.  A CI system at the last place, which the identity names as a signer, posts a success for each
 * candidate that it sees.  GUTS_LONG: more seeds.
 */
#include "simdigest.h"
#include "simnode.h"

#include "base/log.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define PLACES 6
#define OWNER 0
#define CI (PLACES - 1)

/* A crash takes answers with it, and what waited for them is never freed: leaks are looked for elsewhere. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static const char *const branches[3] = { "main", "topic/a", "b" };

static uint64_t
first_seed(void)
{
	const char *s = getenv("GUTS_SEED");

	return s ? strtoull(s, NULL, 10) : 1;
}

static struct guts_repo *
repo_at(struct simnet_world *w, unsigned place)
{
	struct simnode *sn = simnet_world_node(w, place);

	return sn ? guts_sync_find(guts_node_sync(sn->node), w->repo[0].id) : NULL;
}

/* The value of a branch as a node shows it; none if it shows none. */
static struct guts_oid
shown(struct guts_repo *r, const char *prefix, const char *branch)
{
	struct guts_repo_info *i = guts_repo_info_get(r);
	const struct guts_refs_row *row;
	struct guts_oid oid = { 0 };
	char name[64];

	snprintf(name, sizeof name, "refs/heads/%s%s", prefix, branch);
	row = guts_refs_view_find(i->canonical, guts_slice_str(name));
	if (row)
		oid = row->oid;
	guts_repo_info_unref(i);
	return oid;
}

static void
on_gated(void *owner, int err, const struct guts_errinfo *ei)
{
	(void)owner;
	(void)ei;
	assert_int_equal(err, 0);
}

static void
gate(struct simnet_world *w)
{
	static const char *const contexts[] = { "ci" }, *const gates[] = { "*" };
	struct guts_peerid ci = simnode_id(CI);
	struct guts_repo_params p = { .signers = &ci, .nsigners = 1, .set_signers = true,
		.contexts = contexts, .ncontexts = 1, .set_contexts = true, .gates = gates, .ngates = 1, .set_gates = true };

	guts_sync_update(guts_node_sync(simnet_world_node(w, OWNER)->node), repo_at(w, OWNER), &p, on_gated, NULL);
}

/* A crash may take the answer with it. */
static void
on_status(void *owner, int err, const struct guts_errinfo *ei)
{
	(void)owner;
	(void)err;
	(void)ei;
}

/* Post a success for each candidate that the CI system's node shows; the same again is a newer status. */
static void
check(struct simnet_world *w)
{
	struct guts_repo *r = repo_at(w, CI);

	for (unsigned b = 0; r && b < 3; b++) {
		struct guts_status_params p = { .context = "ci", .state = "success", .commit = shown(r, "candidates/", branches[b]) };

		if (!guts_oid_is_none(&p.commit))
			guts_sync_status_put(guts_node_sync(simnet_world_node(w, CI)->node), r, &p, on_status, NULL);
	}
}

/* Push where nothing waits. */
static void
push(struct simnet_world *w, struct guts_rng *rng)
{
	struct guts_repo *r = repo_at(w, OWNER);
	unsigned b = (unsigned)guts_rng_below(rng, 3);
	struct guts_oid waits = { 0 };

	if (!r)
		return;
	waits = shown(r, "candidates/", branches[b]);
	if (guts_oid_is_none(&waits))
		(void)simnet_world_push(w, 0, b);
}

static bool
nothing_waits(struct simnet_world *w)
{
	for (unsigned i = 0; i < PLACES; i++) {
		struct guts_repo *r = repo_at(w, i);

		for (unsigned b = 0; r && b < 3; b++) {
			struct guts_oid oid = shown(r, "candidates/", branches[b]);

			if (!guts_oid_is_none(&oid))
				return false;
		}
	}
	return true;
}

static void
without_checks_nothing_moves(void **state)
{
	struct sim_config c = { .seed = first_seed(), .places = PLACES };
	struct simnet_world w = { .topology = SIMNET_LINE };
	struct sim *s = sim_new(&c);

	(void)state;
	simnet_world_start(&w, s, PLACES, 1);
	sim_run_for(s, 3 * S);
	simnet_world_create(&w, OWNER);
	assert_true(simnet_world_converge(&w, sim_now(s) + 20 * S));
	gate(&w);
	sim_run_for(s, 2 * S);
	assert_true(simnet_world_push(&w, 0, 0));
	sim_run_for(s, 30 * S);
	for (unsigned i = 0; i < PLACES; i++) {
		struct guts_oid main = shown(repo_at(&w, i), "", "main"), waits = shown(repo_at(&w, i), "candidates/", "main");

		assert_true(guts_oid_is_none(&main));
		assert_true(guts_oid_eq(&waits, &w.repo[0].acked[0]));
	}
	check(&w);
	assert_true(simnet_world_converge(&w, sim_now(s) + 20 * S));
	assert_true(nothing_waits(&w));
	sim_free(s);
	simnet_world_end(&w);
}

static void
storm(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE])
{
	struct sim_config c = { .seed = seed, .places = PLACES, .loss_ppm = 50000 };
	struct simnet_world w = { .topology = SIMNET_RANDOM, .inventory_ms = 10000 };
	struct sim *s = sim_new(&c);
	struct guts_rng *r = sim_rng(s);
	unsigned group[SIMNODE_MAX], crashed = PLACES;

	simnet_world_start(&w, s, PLACES, 2);
	sim_run_for(s, 5 * S);
	simnet_world_create(&w, OWNER);
	sim_run_for(s, 5 * S);
	gate(&w);
	for (unsigned round = 0; round < 16; round++) {
		sim_run_for(s, S / 4 + guts_rng_below(r, 2 * S));
		push(&w, r);
		sim_run_for(s, guts_rng_below(r, S));
		check(&w);
		if (round == 4) {
			for (unsigned i = 0; i < PLACES; i++)
				group[i] = (unsigned)guts_rng_below(r, 2);
			sim_partition(s, group);
		}
		if (round == 9)
			sim_heal(s);
		if (crashed < PLACES) {
			sim_restart(s, crashed);
			crashed = PLACES;
		} else if (round % 2) {
			sim_run_for(s, guts_rng_below(r, S / 4));
			crashed = guts_rng_below(r, 2) ? OWNER : (unsigned)guts_rng_below(r, PLACES);
			sim_crash(s, crashed, guts_rng_below(r, 2) ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
		}
	}
	if (crashed < PLACES)
		sim_restart(s, crashed);
	sim_heal(s);
	sim_set_loss(s, 0);
	for (unsigned i = 0; i < 60 && (i == 0 || !nothing_waits(&w)); i++) {
		sim_run_for(s, 3 * S);
		check(&w);
	}
	if (!nothing_waits(&w))
		fail_msg("seed %" PRIu64 ": a candidate is left", seed);
	if (!simnet_world_converge(&w, sim_now(s) + 180 * S))
		fail_msg("seed %" PRIu64 ": what was acknowledged is not the branch everywhere", seed);
	if (simnet_world_fault(&w))
		fail_msg("seed %" PRIu64 ": %s", seed, simnet_world_fault(&w));
	print_message("# seed %" PRIu64 ": %u pushes, %u acknowledged\n", seed, w.repo[0].pushes, w.repo[0].acks);
	sim_digest(s, digest);
	sim_free(s);
	simnet_world_end(&w);
}

static void
storms_end_with_every_branch_moved(void **state)
{
	unsigned seeds = getenv("GUTS_LONG") ? 200 : 8;
	uint8_t digest[SIM_DIGEST_SIZE], again[SIM_DIGEST_SIZE];

	(void)state;
	for (unsigned i = 0; i < seeds; i++)
		storm(first_seed() + i, digest);
	storm(first_seed() + seeds - 1, again);
	assert_memory_equal(digest, again, sizeof digest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_checks_nothing_moves),
		cmocka_unit_test(storms_end_with_every_branch_moved),
	};

	if (guts_crypto_init())
		return 1;
	guts_log_set_level(getenv("GUTS_SIM_LOG") ? GUTS_LOG_DEBUG : GUTS_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
