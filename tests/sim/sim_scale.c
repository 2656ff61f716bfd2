/* tests/sim/sim_scale.c - a thousand whole nodes in one process: broadcast reaches every one of them.
 *
 * Real handshakes, real streams, gossip over them, repositories on the model's disks.  Each node dials four others at
 * random; the rest of its links come from the address book.  GUTS_LONG: 1,000 nodes, otherwise 100.
 */
#include "simnode.h"

#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define TOPIC "news"

static uint64_t
first_seed(void)
{
	const char *s = getenv("GUTS_SEED");

	return s ? strtoull(s, NULL, 10) : 1;
}

/* --- what it costs: printed, not judged ----------------------------------------------------------------- */

struct cost {
	uint64_t us, events;
	size_t kib;
};

static struct cost
cost_now(struct sim *s)
{
	struct cost c = { .events = sim_events(s) };
	struct timespec t;
	char line[128] = "";
	FILE *f = fopen("/proc/self/statm", "r");
	char *end = line;

	if (f && fgets(line, sizeof line, f)) {
		(void)strtoull(line, &end, 10);
		c.kib = strtoull(end, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) / 1024;
	}
	if (f)
		fclose(f);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	c.us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	return c;
}

static void
show_cost(struct sim *s, const struct cost *from, const char *what, unsigned nodes)
{
	struct cost now = cost_now(s);
	uint64_t us = now.us - from->us, events = now.events - from->events;

	print_message("# %s: %" PRIu64 " events in %" PRIu64 " ms of processor (%" PRIu64 "/s), %zu KiB resident, %zu a node\n",
	    what, events, us / 1000, us ? events * 1000000 / us : 0, now.kib, now.kib / nodes);
}

/* --- the network ---------------------------------------------------------------------------------------- */

struct counted {
	struct simnet_world *w;
	size_t links, messages;
};

static bool
count_message(void *owner, const struct guts_user_message *m)
{
	((struct counted *)owner)->messages += strcmp(m->topic, TOPIC) == 0;
	return true;
}

/* Links and kept messages of all nodes. */
static struct counted
count(struct simnet_world *w)
{
	struct counted c = { .w = w };

	for (unsigned i = 0; i < w->n; i++) {
		struct simnode *sn = simnet_world_node(w, i);
		struct guts_snapshot *snap;

		assert_non_null(sn);
		snap = guts_node_snapshot(sn->node);
		c.links += snap->npeers;
		guts_snapshot_unref(snap);
		assert_int_equal(guts_node_messages(sn->node, TOPIC, 0, SIZE_MAX, count_message, &c), 0);
	}
	return c;
}

/* Run until every node has `messages`; false after 60 s. */
static bool
all_have(struct simnet_world *w, size_t messages)
{
	for (unsigned i = 0; i < 240; i++) {
		sim_run_for(w->sim, S / 4);
		if (count(w).messages == messages * w->n)
			return true;
	}
	print_message("# %zu of %zu deliveries\n", count(w).messages, messages * w->n);
	return false;
}

static void
on_subscribed(void *owner, int err, const struct guts_errinfo *ei)
{
	(void)owner;
	(void)ei;
	assert_int_equal(err, 0);
}

static void
world_start(struct simnet_world *w, uint64_t seed, unsigned n)
{
	struct sim_config c = { .seed = seed, .places = n };

	*w = (struct simnet_world){ .topology = SIMNET_RANDOM };
	w->sim = sim_new(&c);
	simnet_world_start(w, w->sim, n, 4);
	sim_run_for(w->sim, 5 * S);
	for (unsigned i = 0; i < n; i++)
		guts_node_subscribe(simnet_world_node(w, i)->node, TOPIC, true, on_subscribed, NULL);
	sim_run_for(w->sim, 25 * S);
}

/* Publish from a node drawn by lot. */
static void
say(struct simnet_world *w)
{
	struct simnode *sn = simnet_world_node(w, (unsigned)guts_rng_below(sim_rng(w->sim), w->n));
	struct guts_errinfo ei;
	uint8_t data[200];
	char id[65];

	guts_rng_bytes(sim_rng(w->sim), data, sizeof data);
	assert_int_equal(guts_node_publish(sn->node, TOPIC, guts_slice(data, sizeof data), id, &ei), 0);
}

static void
broadcast_reaches_every_node(void **state)
{
	unsigned n = getenv("GUTS_LONG") ? 1000 : 100, k;
	struct simnet_world w;
	struct cost from;
	struct counted c;
	uint64_t t;

	(void)state;
	world_start(&w, first_seed(), n);
	from = (struct cost){ 0 };
	show_cost(w.sim, &from, "linked", n);
	c = count(&w);
	print_message("# %zu links, %zu a node\n", c.links / 2, c.links / n);

	from = cost_now(w.sim);
	sim_run_for(w.sim, 30 * S);
	show_cost(w.sim, &from, "30 s at rest", n);

	from = cost_now(w.sim);
	for (unsigned i = 0; i < 20; i++) {
		say(&w);
		sim_run_for(w.sim, S / 10);
	}
	assert_true(all_have(&w, 20));
	show_cost(w.sim, &from, "20 messages everywhere", n);

	from = cost_now(w.sim);
	t = sim_now(w.sim);
	k = simnet_world_create(&w, (unsigned)guts_rng_below(sim_rng(w.sim), n));
	assert_true(simnet_world_converge(&w, t + 120 * S));
	print_message("# a new repository is everywhere after %" PRIu64 " ms\n", (sim_now(w.sim) - t) / GUTS_MS_NS);
	t = sim_now(w.sim);
	assert_true(simnet_world_push(&w, k, 0));
	assert_true(simnet_world_converge(&w, t + 120 * S));
	print_message("# a commit is everywhere after %" PRIu64 " ms\n", (sim_now(w.sim) - t) / GUTS_MS_NS);
	assert_null(simnet_world_fault(&w));
	show_cost(w.sim, &from, "a repository and a commit everywhere", n);
	sim_free(w.sim);
	simnet_world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broadcast_reaches_every_node),
	};

	if (guts_crypto_init())
		return 1;
	guts_log_set_level(getenv("GUTS_SIM_LOG") ? GUTS_LOG_DEBUG : GUTS_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
