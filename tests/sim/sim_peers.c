/* tests/sim/sim_peers.c - peer managers through loss, partition, crash and restart.
 *
 * Every place keeps the two places before it linked and learns of others by identify.  When the
 * faults end: who was to be linked is linked, both ends of every pair agree that they are, by
 * one link each, and the same seed gives the same digest.
 */
#include "sim.h"
#include "tests/unit/memrows.h"
#include "simdead.h"
#include "simdigest.h"

#include "base/alloc.h"
#include "peer/peers.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define PLACES 12
#define SEEDS 20
#define SEEDS_LONG 300
#define GUTS_ID "/guts/node/1.0.0"

struct world;

/* A place: what outlives a crash, and what does not. */
struct place {
	struct world *w;
	unsigned number;
	struct guts_key key;
	struct memrows rows;
	struct guts_env *env;
	struct guts_peers *peers; /* NULL = down */
	struct guts_protocol proto;
};

struct world {
	struct sim *sim;
	struct place place[PLACES];
};

/* --- the program --- */

static void
note(void *owner, const char *what, const struct guts_peerid *id)
{
	struct place *p = owner;

	sim_audit(p->w->sim, p->number, what, guts_peerid_slice(id));
}

static void
on_connected(void *owner, const struct guts_peerid *id, bool inbound)
{
	(void)inbound;
	note(owner, "connected", id);
}

static void
on_disconnected(void *owner, const struct guts_peerid *id, int err, const char *reason)
{
	(void)err;
	(void)reason;
	note(owner, "disconnected", id);
}

static void
on_identified(void *owner, const struct guts_peerid *id)
{
	note(owner, "identified", id);
}

static const struct guts_peers_events events = {
	.connected = on_connected, .disconnected = on_disconnected, .identified = on_identified,
};

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	(void)owner;
	(void)s;
	(void)proto;
	return false;
}

static void
address(struct world *w, unsigned place, struct guts_maddr *m, bool with_peer)
{
	struct sockaddr_storage sa;

	sim_address(place, 9000, &sa);
	guts_maddr_from_tcp(m, (struct sockaddr *)&sa);
	if (with_peer)
		guts_maddr_add_peer(m, guts_peerid_slice(&w->place[place].key.id));
}

static unsigned
neighbour(unsigned place, unsigned i)
{
	return (place + PLACES - 1 - i) % PLACES;
}

static void *
start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned number, void *arg)
{
	struct world *w = arg;
	struct place *p = &w->place[number];
	struct guts_peers_config cfg = {
		.env = e, .key = &p->key, .agent = "sim", .guts_protocol = GUTS_ID, .store = memrows_store(&p->rows),
	};
	struct guts_maddr m;

	(void)st;
	(void)r;
	p->env = e;
	p->peers = guts_peers_new(&cfg, &events, p);
	p->proto = (struct guts_protocol){ .id = GUTS_ID, .on_stream = on_stream };
	guts_peers_handle(p->peers, &p->proto);
	address(w, number, &m, false);
	assert_int_equal(guts_peers_listen(p->peers, &m, NULL, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		address(w, neighbour(number, i), &m, true);
		assert_int_equal(guts_peers_keep(p->peers, &m, true), 0);
	}
	return p;
}

static void
stop(void *owner)
{
	struct place *p = owner;

	guts_peers_free(p->peers);
	p->peers = NULL;
}

static void
crash_free(void *owner)
{
	struct place *p = owner;
	const struct guts_env_ops *ops = p->env->ops;

	p->env->ops = &sim_dead_env;
	stop(p);
	p->env->ops = ops;
}

static const struct sim_program program = { start, stop, crash_free };

/* --- the judge --- */

/* What is wrong with the world now, or NULL. */
static const char *
fault(struct world *w)
{
	static char text[96];

	for (unsigned a = 0; a < PLACES; a++) {
		struct guts_peers_stats st;

		guts_peers_stats(w->place[a].peers, &st);
		if (st.inbound + st.outbound != guts_peers_count(w->place[a].peers)) {
			snprintf(text, sizeof(text), "%u miscounts its links", a);
			return text;
		}
		for (unsigned i = 0; i < 2; i++)
			if (!guts_peers_is_connected(w->place[a].peers, &w->place[neighbour(a, i)].key.id)) {
				snprintf(text, sizeof(text), "%u lacks %u", a, neighbour(a, i));
				return text;
			}
		for (unsigned b = 0; b < PLACES; b++)
			if (guts_peers_is_connected(w->place[a].peers, &w->place[b].key.id)
			    != guts_peers_is_connected(w->place[b].peers, &w->place[a].key.id)) {
				snprintf(text, sizeof(text), "%u and %u disagree", a, b);
				return text;
			}
	}
	return NULL;
}

static void
storm(struct world *w, struct guts_rng *r)
{
	unsigned group[PLACES];

	for (int round = 0; round < 8; round++) {
		unsigned victim = (unsigned)guts_rng_below(r, PLACES);

		switch (guts_rng_below(r, 4)) {
		case 0:
			for (unsigned i = 0; i < PLACES; i++)
				group[i] = (unsigned)guts_rng_below(r, 2);
			sim_partition(w->sim, group);
			break;
		case 1: sim_heal(w->sim); break;
		case 2: sim_clog(w->sim, victim, true); break;
		case 3:
			if (sim_runs(w->sim, victim))
				sim_crash(w->sim, victim, guts_rng_below(r, 2) ? SIM_CRASH_PROCESS : SIM_CRASH_POWER);
			break;
		}
		sim_run_for(w->sim, guts_rng_below(r, 20 * S));
		for (unsigned i = 0; i < PLACES; i++)
			if (!sim_runs(w->sim, i) && guts_rng_below(r, 2))
				sim_restart(w->sim, i);
	}
}

static void
run(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE])
{
	struct sim_config c = { .seed = seed, .places = PLACES, .loss_ppm = 50000 };
	struct world *w = guts_alloc(sizeof(*w));
	const char *bad;

	w->sim = sim_new(&c);
	for (unsigned i = 0; i < PLACES; i++) {
		uint8_t secret[32] = { (uint8_t)(i + 1) };

		w->place[i].w = w;
		w->place[i].number = i;
		guts_key_from_seed(&w->place[i].key, secret);
	}
	for (unsigned i = 0; i < PLACES; i++)
		sim_start(w->sim, i, &program, w);
	sim_run_for(w->sim, 5 * S);
	storm(w, sim_rng(w->sim));
	sim_heal(w->sim);
	for (unsigned i = 0; i < PLACES; i++)
		if (!sim_runs(w->sim, i))
			sim_restart(w->sim, i);
	/* The longest back-off, the longest silence, and a handshake. */
	sim_run_for(w->sim, 180 * S);
	bad = fault(w);
	if (bad)
		fail_msg("seed %" PRIu64 ": %s", seed, bad);
	sim_digest(w->sim, digest);
	for (unsigned i = 0; i < PLACES; i++)
		sim_stop(w->sim, i);
	sim_free(w->sim);
	for (unsigned i = 0; i < PLACES; i++)
		memrows_free(&w->place[i].rows);
	free(w);
}

static void
links_return_after_every_storm(void **state)
{
	const char *first = getenv("GUTS_SEED");
	uint64_t seed = first ? strtoull(first, NULL, 10) : 1, n = getenv("GUTS_LONG") ? SEEDS_LONG : SEEDS;
	uint8_t digest[SIM_DIGEST_SIZE], again[SIM_DIGEST_SIZE];

	(void)state;
	for (uint64_t i = 0; i < n; i++)
		run(seed + i, digest);
	run(seed + n - 1, again);
	assert_memory_equal(digest, again, sizeof(digest));
	run(seed + n, again);
	assert_memory_not_equal(digest, again, sizeof(digest));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_return_after_every_storm),
	};

	if (guts_crypto_init())
		return 1;
	if (simdigest_print(run))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
