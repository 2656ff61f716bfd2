/* tests/sim/sim_sybils.c - Sybils around an honest core: it keeps its links and hears all that it says.
 *
 * Honest nodes, each in a netgroup of its own, dial eight others.  Then four times as many Sybils come, all in eight
 * netgroups: real nodes that have room for everybody, dial honest ones again and again, sit in their meshes and relay nothing.
 * Whole nodes throughout: slots, eviction, scores, gossip (sim_eclipse.c: the peer manager alone, its book poisoned).  In the end some honest nodes are started again, while all
 * slots around them are taken.
 *
 * GUTS_LONG: 200 Sybils and 50 honest nodes, otherwise 80 and 20.
 */
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
#define TOPIC "news"
#define OUTBOUND 8
#define SYBILS 4 /* for each honest node */
#define SYBIL_NETWORKS 8

/* A crash takes answers with it, and what waited for them is never freed: leaks are looked for elsewhere. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

struct field {
	struct simnet_world w;
	unsigned honest;
	size_t said;
};

struct links {
	unsigned out_honest, in_honest, sybils;
};

static bool
is_honest(const struct field *f, const char *id_text)
{
	for (unsigned i = 0; i < f->honest; i++) {
		char text[GUTS_PEERID_TEXT_SIZE];

		guts_peerid_text(text, &guts_node_key(simnet_world_node((struct simnet_world *)(uintptr_t)&f->w, i)->node)->id);
		if (strcmp(text, id_text) == 0)
			return true;
	}
	return false;
}

static struct links
links_of(struct field *f, unsigned place)
{
	struct guts_snapshot *snap = guts_node_snapshot(simnet_world_node(&f->w, place)->node);
	struct links l = { 0 };

	for (size_t i = 0; i < snap->npeers; i++) {
		if (!is_honest(f, snap->peers[i].id_text))
			l.sybils++;
		else if (snap->peers[i].direction == GUTS_OUTBOUND)
			l.out_honest++;
		else
			l.in_honest++;
	}
	guts_snapshot_unref(snap);
	return l;
}

struct least {
	unsigned out, all;
};

/* The fewest links to honest nodes that an honest node has. */
static struct least
honest_links(struct field *f, const char *when)
{
	struct least least = { UINT32_MAX, UINT32_MAX };
	unsigned most_sybils = 0, sybils = 0;

	for (unsigned i = 0; i < f->honest; i++) {
		struct links l = links_of(f, i);

		least.out = l.out_honest < least.out ? l.out_honest : least.out;
		least.all = l.out_honest + l.in_honest < least.all ? l.out_honest + l.in_honest : least.all;
		most_sybils = l.sybils > most_sybils ? l.sybils : most_sybils;
		sybils += l.sybils;
	}
	print_message("# %s: at least %u honest links, %u outbound; %u links to Sybils a node, at most %u\n", when, least.all,
	    least.out, sybils / f->honest, most_sybils);
	return least;
}

static void
on_subscribed(void *owner, int err, const struct guts_errinfo *ei)
{
	(void)owner;
	(void)ei;
	assert_int_equal(err, 0);
}

static void
subscribe(struct field *f, unsigned from)
{
	for (unsigned i = from; i < f->w.n; i++)
		guts_node_subscribe(simnet_world_node(&f->w, i)->node, TOPIC, true, on_subscribed, NULL);
}

/* Time passes; every second a tenth of the Sybils dials an honest node drawn by lot. */
static void
pass(struct field *f, unsigned seconds)
{
	struct guts_rng *r = sim_rng(f->w.sim);

	for (unsigned t = 0; t < seconds; t++) {
		for (unsigned i = f->honest + t % 10; i < f->w.n; i += 10) {
			unsigned to = (unsigned)guts_rng_below(r, f->honest);

			(void)simnet_world_dial(&f->w, i, to);
		}
		sim_run_for(f->w.sim, S);
	}
}

#define SAID_MAX 64

struct heard {
	char id[SAID_MAX][65];
	size_t n;
};

/* Each once: a node that was started again hears the last ones again. */
static bool
add_message(void *owner, const struct guts_user_message *m)
{
	struct heard *h = owner;

	for (size_t i = 0; i < h->n; i++)
		if (memcmp(h->id[i], m->id, sizeof h->id[i]) == 0)
			return true;
	assert_true(h->n < SAID_MAX);
	memcpy(h->id[h->n++], m->id, sizeof h->id[0]);
	return true;
}

/* `n` honest nodes say something; half a minute later every honest node must have all that was said. */
static void
speak(struct field *f, unsigned n)
{
	struct guts_rng *r = sim_rng(f->w.sim);

	for (unsigned i = 0; i < n; i++) {
		struct simnode *sn = simnet_world_node(&f->w, (unsigned)guts_rng_below(r, f->honest));
		struct guts_errinfo ei;
		uint8_t data[100];
		char id[65];

		guts_rng_bytes(r, data, sizeof data);
		assert_int_equal(guts_node_publish(sn->node, TOPIC, guts_slice(data, sizeof data), id, &ei), 0);
		f->said++;
		pass(f, 1);
	}
	pass(f, 30);
	for (unsigned i = 0; i < f->honest; i++) {
		struct heard h = { .n = 0 };

		assert_int_equal(guts_node_messages(simnet_world_node(&f->w, i)->node, TOPIC, 0, SIZE_MAX, add_message, &h), 0);
		if (h.n != f->said)
			fail_msg("node %u has %zu of %zu messages", i, h.n, f->said);
	}
}

static void
an_honest_core_stays_whole(void **state)
{
	const char *env = getenv("GUTS_SEED");
	bool is_long = getenv("GUTS_LONG");
	struct field f = { .honest = is_long ? 50 : 20 };
	struct sim_config c = { .seed = env ? strtoull(env, NULL, 10) : 1, .places = f.honest * (1 + SYBILS) };

	(void)state;
	f.w.topology = SIMNET_RING;
	f.w.sybils_from = f.honest;
	f.w.sim = sim_new(&c);
	for (unsigned i = 0; i < c.places; i++)
		sim_set_network(f.w.sim, i, (uint8_t)(i < f.honest ? 1 + i : 1 + f.honest + i % SYBIL_NETWORKS));
	simnet_world_start(&f.w, f.w.sim, f.honest, OUTBOUND);
	sim_run_for(f.w.sim, 10 * S);
	subscribe(&f, 0);
	sim_run_for(f.w.sim, 20 * S);
	assert_true(honest_links(&f, "before").out >= OUTBOUND);

	simnet_world_add(&f.w, f.honest * SYBILS);
	sim_run_for(f.w.sim, 5 * S);
	subscribe(&f, f.honest);
	pass(&f, is_long ? 300 : 30);
	assert_true(honest_links(&f, "under attack").out >= OUTBOUND);
	speak(&f, is_long ? 50 : 10);
	assert_true(honest_links(&f, "after these messages").out >= OUTBOUND);

	for (unsigned i = 0; i < f.honest; i += 10) {
		sim_crash(f.w.sim, i, SIM_CRASH_PROCESS);
		pass(&f, 1);
		sim_restart(f.w.sim, i);
	}
	pass(&f, 60);
	/* A node that comes back may be the one that dials now: count both ways. */
	assert_true(honest_links(&f, "some started again").all >= 2 * OUTBOUND);
	speak(&f, 10);
	print_message("# %" PRIu64 " events\n", sim_events(f.w.sim));
	sim_free(f.w.sim);
	simnet_world_end(&f.w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_core_stays_whole),
	};

	if (guts_crypto_init())
		return 1;
	guts_log_set_level(getenv("GUTS_SIM_LOG") ? GUTS_LOG_DEBUG : GUTS_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
