/* tests/sim/sim_kad.c - lookups in the DHT of 20 whole nodes while a third of them comes and goes each minute.
 *
 * Each node serves, keeps one repository of its own and no others.  Any moment some node crashes (its process, or its
 * machine, which then is silent) and starts again a while later.  Twice a second a node that has run for ten seconds looks up
 * such another one, or who has its repository: 999 of 1,000 must be found.  GUTS_LONG: ten times as many.
 */
#include "simdigest.h"
#include "simnode.h"

#include "base/alloc.h"
#include "base/log.h"
#include "node/dht.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define NODES 20
#define SETTLED_NS (10 * S)

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

struct world {
	struct simnet_world net;
	struct sim *sim;
	unsigned repo[NODES];
	uint64_t up_ns[NODES], down_until_ns[NODES];
	unsigned begun, found, lost; /* lost: the asker crashed, or what it looked for */
	unsigned peers, missed_peers, missed_providers;
};

/* A lookup under way; kept until the world ends, as its node may crash. */
struct look {
	struct world *w;
	struct look *next;
	unsigned from, target;
	uint64_t began_ns;
	bool is_peer, is_done;
};
static struct look *looks;

static bool
settled_since(const struct world *w, unsigned place, uint64_t since)
{
	return sim_runs(w->sim, place) && w->up_ns[place] + SETTLED_NS <= since;
}

static void
peer_of(struct world *w, unsigned place, struct guts_peerid *id)
{
	*id = guts_node_key(simnet_world_node(&w->net, place)->node)->id;
}

static void
on_looked(void *owner, int err, const struct guts_kad_result *r)
{
	struct look *l = owner;
	struct world *w = l->w;
	struct guts_peerid want;
	bool found = false;

	l->is_done = true;
	if (!settled_since(w, l->target, l->began_ns) || err == GUTS_ECANCELED) {
		w->lost++;
		return;
	}
	peer_of(w, l->target, &want);
	if (l->is_peer)
		found = err == 0 && guts_peerid_eq(&r->closest[0].id, &want) && r->closest[0].n_addrs > 0;
	for (size_t i = 0; !l->is_peer && r && i < r->n_providers; i++)
		found |= guts_peerid_eq(&r->providers[i].id, &want) && r->providers[i].n_addrs > 0;
	w->found += found;
	w->missed_peers += l->is_peer && !found;
	w->missed_providers += !l->is_peer && !found;
}

static void
look(struct world *w)
{
	struct guts_rng *r = sim_rng(w->sim);
	unsigned from = (unsigned)guts_rng_below(r, NODES), target = (unsigned)guts_rng_below(r, NODES);
	struct guts_dht_target t = { 0 };
	struct guts_peerid id;
	struct look *l;

	if (from == target || !settled_since(w, from, sim_now(w->sim)) || !settled_since(w, target, sim_now(w->sim)))
		return;
	l = guts_alloc(sizeof *l);
	*l = (struct look){ .w = w, .next = looks, .from = from, .target = target, .began_ns = sim_now(w->sim),
		.is_peer = guts_rng_below(r, 2) };
	looks = l;
	peer_of(w, target, &id);
	if (l->is_peer)
		t.peer = &id;
	else
		memcpy(t.repo, w->net.repo[w->repo[target]].id, sizeof t.repo);
	w->begun++;
	w->peers += l->is_peer;
	guts_node_dht_lookup(simnet_world_node(&w->net, from)->node, &t, on_looked, l);
}

/* Every 60/7 seconds one of 20 goes: a third each minute. */
static void
churn(struct world *w)
{
	struct guts_rng *r = sim_rng(w->sim);
	unsigned place = (unsigned)guts_rng_below(r, NODES);
	bool of_power = guts_rng_below(r, 2);

	if (!settled_since(w, place, sim_now(w->sim)))
		return;
	sim_crash(w->sim, place, of_power ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
	w->down_until_ns[place] = sim_now(w->sim) + 5 * S + guts_rng_below(r, 10 * S);
}

static void
restart_due(struct world *w)
{
	for (unsigned i = 0; i < NODES; i++) {
		if (!w->down_until_ns[i] || w->down_until_ns[i] > sim_now(w->sim))
			continue;
		w->down_until_ns[i] = 0;
		w->up_ns[i] = sim_now(w->sim);
		sim_restart(w->sim, i);
	}
}

static void
run(struct world *w, uint64_t seed, unsigned seconds, uint8_t digest[SIM_DIGEST_SIZE])
{
	struct sim_config c = { .seed = seed, .places = NODES };

	*w = (struct world){ .net = { .seeds_nothing = true, .dht_mode = GUTS_DHT_SERVER, .inventory_ms = 30000 } };
	w->sim = sim_new(&c);
	simnet_world_start(&w->net, w->sim, NODES, 3);
	sim_run_for(w->sim, 5 * S);
	for (unsigned i = 0; i < NODES; i++)
		w->repo[i] = simnet_world_create(&w->net, i);
	sim_run_for(w->sim, 30 * S);
	for (unsigned half = 0; half < 2 * seconds; half++) {
		sim_run_for(w->sim, S / 2);
		restart_due(w);
		if (half % 17 == 0)
			churn(w);
		look(w);
	}
	sim_run_for(w->sim, 70 * S);
	for (struct look *l = looks; l; l = l->next)
		w->lost += !l->is_done; /* the asker crashed */
	sim_digest(w->sim, digest);
	sim_free(w->sim);
	simnet_world_end(&w->net);
	while (looks) {
		struct look *l = looks;

		looks = l->next;
		free(l);
	}
}

static void
lookups_succeed_under_churn(void **state)
{
	unsigned worlds = getenv("GUTS_LONG") ? 10 : 1, begun = 0, found = 0, judged = 0;
	uint8_t digest[SIM_DIGEST_SIZE];
	struct world *w = guts_alloc(sizeof *w);

	(void)state;
	for (unsigned i = 0; i < worlds; i++) {
		run(w, first_seed() + i, 600, digest);
		print_message("# seed %" PRIu64 ": %u lookups (%u of peers), %u found, %u lost with a crash; missed %u peers, "
		    "%u providers\n", first_seed() + i, w->begun, w->peers, w->found, w->lost, w->missed_peers,
		    w->missed_providers);
		begun += w->begun;
		found += w->found;
		judged += w->begun - w->lost;
	}
	print_message("# %u of %u found\n", found, judged);
	assert_true(begun > 500 * worlds && judged > begun * 9 / 10);
	assert_true((uint64_t)found * 1000 >= (uint64_t)judged * 999);
	free(w);
}

static void
short_world(uint64_t seed, uint8_t digest[32])
{
	struct world *w = guts_alloc(sizeof *w);

	run(w, seed, 60, digest);
	free(w);
}

static void
one_seed_one_digest(void **state)
{
	uint8_t a[SIM_DIGEST_SIZE], b[SIM_DIGEST_SIZE], other[SIM_DIGEST_SIZE];

	(void)state;
	short_world(first_seed(), a);
	short_world(first_seed(), b);
	short_world(first_seed() + 1, other);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, other, sizeof a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookups_succeed_under_churn),
		cmocka_unit_test(one_seed_one_digest),
	};

	if (guts_crypto_init())
		return 1;
	guts_log_set_level(getenv("GUTS_SIM_LOG") ? GUTS_LOG_DEBUG : GUTS_LOG_ERROR);
	if (simdigest_print(short_world))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
