/* tests/sim/sim_eclipse.c - 200 peers of one network try to surround a node.
 *
 * Place 0 is the victim.  Fifty honest nodes live in fifty networks; the victim knows half of them by
 * their signed records, and ten of the others have long-lived links to it.  The sybils of one network
 * filled the rest of its book, nine entries of ten: themselves, peers that do not exist, and wrong
 * addresses of honest ones.  Then they all dial in, for an hour, while honest nodes crash and return;
 * and again while the victim itself starts anew.  At all times most of what the victim chose is honest,
 * and no honest link makes room.
 */
#include "simdigest.h"
#include "simpeers.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define HONEST 50
#define SYBILS 200
#define PLACES (1 + HONEST + SYBILS)
#define KNOWN 25            /* honest nodes in the victim's book; … */
#define FAITHFUL 10         /* … the last so many have links to it */
#define POISON (9 * KNOWN)
#define SYBIL_NET 100
#define SEEDS 2
#define SEEDS_LONG 20

struct world {
	struct simpeers net;
	unsigned evicted_honest, evicted_sybils;
};

static bool
is_honest(unsigned place)
{
	return place >= 1 && place <= HONEST;
}

static bool
is_faithful(unsigned place)
{
	return place > HONEST - FAITHFUL && place <= HONEST;
}

static unsigned
place_of(const struct simpeers *net, const struct guts_peerid *id)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (guts_peerid_eq(&net->place[i].key.id, id))
			return i;
	fail();
	return 0;
}

/* --- the places --- */

static void
on_disconnected(void *owner, const struct guts_peerid *id, int err, const char *reason)
{
	struct simpeers_place *p = owner;
	struct world *w = (struct world *)p->w;

	(void)err;
	sim_audit(p->w->sim, p->number, "disconnected", guts_peerid_slice(id));
	if (p->number == 0 && strstr(reason, "makes room")) {
		bool honest = is_honest(place_of(p->w, id));

		w->evicted_honest += honest;
		w->evicted_sybils += !honest;
	}
}

static void
on_connected(void *owner, const struct guts_peerid *id, bool inbound)
{
	struct simpeers_place *p = owner;

	(void)inbound;
	sim_audit(p->w->sim, p->number, "connected", guts_peerid_slice(id));
}

static const struct guts_peers_events events = { .connected = on_connected, .disconnected = on_disconnected };

static void
started(struct simpeers_place *p)
{
	if (is_faithful(p->number))
		simpeers_keep(p->w, p->number, 0);
}

/* --- the book --- */

static struct guts_book_source
told_by(struct simpeers *w, unsigned place, enum guts_book_via via)
{
	struct guts_book_source s = { .via = via, .teller = w->place[place].key.id };
	struct guts_maddr m;

	simpeers_address(w, place, false, &m);
	s.group = guts_netgroup_of(&m);
	return s;
}

static void
add(struct simpeers *w, const struct guts_peerid *id, const struct guts_maddr *m, struct guts_book_source s)
{
	struct simpeers_place *victim = &w->place[0];

	guts_book_add(guts_peers_book(victim->peers), id, m, &s, guts_env_wall(victim->env));
}

/* A peer that does not exist, in a network of its own. */
static void
invent(struct guts_rng *r, struct guts_peerid *id, struct guts_maddr *m)
{
	uint8_t pub[GUTS_PUBKEY_SIZE];
	char text[64];

	guts_rng_bytes(r, pub, sizeof(pub));
	guts_peerid_from_pubkey(id, pub);
	snprintf(text, sizeof(text), "/ip4/%u.%u.7.7/tcp/9000", 200 + (unsigned)guts_rng_below(r, 20),
	    (unsigned)guts_rng_below(r, 250));
	assert_int_equal(guts_maddr_parse(m, guts_slice_str(text)), 0);
}

static void
fill_book(struct simpeers *w, struct guts_rng *r)
{
	struct guts_peerid id;
	struct guts_maddr m;

	for (unsigned i = 1; i <= KNOWN; i++) {
		simpeers_address(w, i, false, &m);
		add(w, &w->place[i].key.id, &m, told_by(w, 1 + i % 5, GUTS_BOOK_SIGNED));
	}
	for (unsigned i = 0; i < POISON; i++) {
		unsigned teller = 1 + HONEST + i % 20;

		if (i % 3 == 0) {
			unsigned sybil = 1 + HONEST + (unsigned)guts_rng_below(r, SYBILS);

			simpeers_address(w, sybil, false, &m);
			add(w, &w->place[sybil].key.id, &m, told_by(w, sybil, GUTS_BOOK_SIGNED));
			continue;
		}
		invent(r, &id, &m);
		if (i % 9 == 1)
			id = w->place[1 + guts_rng_below(r, HONEST)].key.id;
		add(w, &id, &m, told_by(w, teller, GUTS_BOOK_EXCHANGE));
	}
}

/* --- the judge --- */

struct view {
	unsigned honest_out, sybils_out, faithful, sybils_in; /* faithful: whoever dialled */
};

static struct view
look(const struct simpeers *w)
{
	const struct guts_peers *p = w->place[0].peers;
	struct guts_peer_state *st = guts_alloc(sizeof(*st));
	struct guts_peerid id;
	struct view v = { 0 };

	for (const void *it = NULL; guts_peers_next(p, &it, &id);) {
		unsigned n = place_of(w, &id);

		guts_peers_state(p, &id, st);
		v.honest_out += !st->inbound && is_honest(n);
		v.sybils_out += !st->inbound && !is_honest(n);
		v.faithful += is_faithful(n);
		v.sybils_in += st->inbound && !is_honest(n);
	}
	free(st);
	return v;
}

static void
check(const struct world *w, uint64_t seed, const char *when, unsigned least)
{
	struct view v = look(&w->net);

	if (v.honest_out < least || v.faithful < FAITHFUL || w->evicted_honest > 0)
		fail_msg("seed %" PRIu64 ", %s: %u honest and %u sybils outbound, %u faithful, %u sybils inbound, %u honest evicted",
		    seed, when, v.honest_out, v.sybils_out, v.faithful, v.sybils_in, w->evicted_honest);
	printf("# seed %" PRIu64 ", %s: outbound %u honest, %u sybils; %u faithful; inbound %u sybils\n", seed, when, v.honest_out,
	    v.sybils_out, v.faithful, v.sybils_in);
}

/* --- the run --- */

static void
begin(struct simpeers *w, uint64_t seed)
{
	struct sim_config c = { .seed = seed, .places = PLACES };

	simpeers_begin(w, &c);
	for (unsigned i = 0; i < PLACES; i++)
		sim_set_network(w->sim, i, i > HONEST ? SYBIL_NET : (uint8_t)(1 + i));
	for (unsigned i = 0; i <= HONEST; i++)
		simpeers_start(w, i);
	sim_run_for(w->sim, S);
	fill_book(w, sim_rng(w->sim));
}

/* An honest node that the victim dialled goes, and comes back a minute later. */
static void
crash_one(struct simpeers *w, struct guts_rng *r)
{
	unsigned i = 1 + (unsigned)guts_rng_below(r, KNOWN);

	sim_crash(w->sim, i, SIM_CRASH_PROCESS);
	sim_run_for(w->sim, 60 * S);
	sim_restart(w->sim, i);
}

static void
run(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE])
{
	struct world world = { .net = { .dialling = 1 + HONEST, .events = &events, .started = started } };
	struct simpeers *w = &world.net;
	struct guts_peers_stats stats;

	begin(w, seed);
	sim_run_for(w->sim, 600 * S);
	check(&world, seed, "before", 8);
	for (unsigned i = 1 + HONEST; i < PLACES; i++) {
		simpeers_start(w, i);
		simpeers_keep(w, i, 0);
	}
	for (int i = 0; i < 12; i++) {
		sim_run_for(w->sim, 180 * S);
		crash_one(w, sim_rng(w->sim));
		sim_run_for(w->sim, 60 * S);
	}
	check(&world, seed, "under attack", 8);
	assert_true(look(w).sybils_in > 20);
	guts_peers_stats(w->place[0].peers, &stats);
	assert_true(stats.feelers > 10);
	sim_crash(w->sim, 0, SIM_CRASH_PROCESS);
	sim_run_for(w->sim, 10 * S);
	sim_restart(w->sim, 0);
	sim_run_for(w->sim, 300 * S);
	check(&world, seed, "after a restart", 4);
	simpeers_end(w, digest);
}

static void
a_crowd_of_one_network_does_not_surround_a_node(void **state)
{
	(void)state;
	simpeers_seeds(run, getenv("GUTS_LONG") ? SEEDS_LONG : SEEDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_of_one_network_does_not_surround_a_node),
	};

	if (guts_crypto_init())
		return 1;
	if (simdigest_print(run))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
