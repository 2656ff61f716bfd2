/* tests/sim/sim_peers.c - peer managers through loss, partition, crash and restart.
 *
 * Every place keeps the two places before it linked and learns of others by identify.  When the
 * faults end: who was to be linked is linked, both ends of every pair agree that they are, by
 * one link each, and the same seed gives the same digest.
 */
#include "simdigest.h"
#include "simpeers.h"

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

/* --- the places --- */

static void
note(void *owner, const char *what, const struct guts_peerid *id)
{
	struct simpeers_place *p = owner;

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

static unsigned
neighbour(unsigned place, unsigned i)
{
	return (place + PLACES - 1 - i) % PLACES;
}

static void
started(struct simpeers_place *p)
{
	for (unsigned i = 0; i < 2; i++)
		simpeers_keep(p->w, p->number, neighbour(p->number, i));
}

/* --- the judge --- */

/* What is wrong with the world now, or NULL. */
static const char *
fault(const struct simpeers *w)
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
storm(struct simpeers *w, struct guts_rng *r)
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
	struct simpeers w = { .dialling = PLACES, .events = &events, .started = started };
	const char *bad;

	simpeers_begin(&w, &c);
	for (unsigned i = 0; i < PLACES; i++)
		simpeers_start(&w, i);
	sim_run_for(w.sim, 5 * S);
	storm(&w, sim_rng(w.sim));
	sim_heal(w.sim);
	for (unsigned i = 0; i < PLACES; i++)
		if (!sim_runs(w.sim, i))
			sim_restart(w.sim, i);
	/* The longest back-off, the longest silence, and a handshake. */
	sim_run_for(w.sim, 180 * S);
	bad = fault(&w);
	if (bad)
		fail_msg("seed %" PRIu64 ": %s", seed, bad);
	simpeers_end(&w, digest);
}

static void
links_return_after_every_storm(void **state)
{
	(void)state;
	simpeers_seeds(run, getenv("GUTS_LONG") ? SEEDS_LONG : SEEDS);
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
