/* tests/sim/sim_swarm.c - topics of repositories and links to those who seed them: whole nodes in virtual time.
 *
 *   - only the repositories that changed last have a topic; the others converge by the inventory exchange
 *   - a node that missed every message converges
 *   - lost seeders are looked for until three are linked
 *   - who is refused by a full mesh is told of others, and links to them
 *   - where messages are expected in users' topics, silence costs score there, and only there
 *   - a user's message is kept once, also by a node that starts again while its neighbours still announce it
 */
#include "simnode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
seed(void)
{
	const char *s = getenv("GUTS_SEED");

	return s ? strtoull(s, NULL, 10) : 1;
}

/* Topics of repositories that `place` takes part in; `*peers` of all of them together. */
static size_t
topics(struct simnet_world *w, unsigned place, size_t *peers)
{
	struct guts_snapshot *snap;
	size_t n = 0;

	guts_node_snapshot_flush(simnet_world_node(w, place)->node);
	snap = guts_node_snapshot(simnet_world_node(w, place)->node);
	*peers = 0;
	for (size_t i = 0; i < snap->ntopics; i++) {
		if (!strstr(snap->topics[i].name, "/repo/"))
			continue;
		n++;
		*peers += snap->topics[i].peers;
	}
	guts_snapshot_unref(snap);
	return n;
}

static void
cold_repositories_converge(void **state)
{
	struct sim_config c = { .seed = seed(), .places = 3 };
	struct simnet_world w = { .topics_max = 3, .inventory_ms = 5000 };
	struct sim *s = sim_new(&c);
	size_t peers;

	(void)state;
	simnet_world_start(&w, s, 3, 1);
	sim_run_for(s, 3 * S);
	for (unsigned k = 0; k < 6; k++) {
		simnet_world_create(&w, k % 3);
		sim_run_for(s, S);
	}
	assert_true(simnet_world_converge(&w, sim_now(s) + 60 * S));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned k = 0; k < 6; k++) { /* the one pushed to is always among the cold */
			assert_true(simnet_world_push(&w, k, round));
			assert_true(simnet_world_converge(&w, sim_now(s) + 60 * S));
			assert_int_equal(w.repo[k].acks, round + 1);
			for (unsigned i = 0; i < 3; i++)
				assert_int_equal(topics(&w, i, &peers), 3);
		}
	}
	sim_run_for(s, 10 * S);
	topics(&w, 1, &peers);
	assert_int_equal(peers, 6); /* all think the same three active: both neighbours in each */
	assert_null(simnet_world_fault(&w));
	sim_free(s);
	simnet_world_end(&w);
}

static void
who_missed_everything_converges(void **state)
{
	struct sim_config c = { .seed = seed(), .places = 4 };
	struct simnet_world w = { 0 };
	struct sim *s = sim_new(&c);
	unsigned a, b;

	(void)state;
	simnet_world_start(&w, s, 4, 2);
	sim_run_for(s, 3 * S);
	a = simnet_world_create(&w, 0);
	b = simnet_world_create(&w, 1);
	assert_true(simnet_world_converge(&w, sim_now(s) + 60 * S));
	sim_crash(s, 3, SIM_CRASH_POWER);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(simnet_world_push(&w, i % 2 ? a : b, i % 4));
		sim_run_for(s, 20 * S);
	}
	sim_run_for(s, 300 * S); /* no cache and no announcement holds them any more */
	sim_restart(s, 3);
	assert_true(simnet_world_converge(&w, sim_now(s) + 60 * S));
	assert_null(simnet_world_fault(&w));
	sim_free(s);
	simnet_world_end(&w);
}

static void
on_connect(void *owner, int err, const struct guts_errinfo *ei, const struct guts_peerid *peer)
{
	(void)ei;
	(void)peer;
	if (err == GUTS_OK)
		++*(unsigned *)owner;
}

/* Nodes whose slots are full with peers that keep nothing, so that only the search brings seeders back. */
static void
lost_seeders_are_found_again(void **state)
{
	enum { CORE = 8, SEEDERS = 5, ALL = CORE + SEEDERS };
	struct sim_config c = { .seed = seed(), .places = ALL };
	struct simnet_world w = { .core = CORE };
	struct sim *s = sim_new(&c);
	unsigned connected = 0;
	size_t peers;

	(void)state;
	simnet_world_start(&w, s, ALL, 0);
	sim_run_for(s, 5 * S);
	for (unsigned i = CORE + 1; i < ALL; i++) {
		struct guts_maddr m;

		simnode_address(&w, i, &m);
		guts_node_peer_connect(simnet_world_node(&w, CORE)->node, &m, on_connect, &connected);
	}
	sim_run_for(s, 5 * S);
	assert_int_equal(connected, SEEDERS - 1);
	simnet_world_create(&w, CORE);
	simnet_world_create(&w, CORE);
	sim_run_for(s, 30 * S);
	assert_int_equal(topics(&w, CORE, &peers), 2);
	assert_int_equal(peers, 2 * (SEEDERS - 1));

	for (unsigned i = CORE + 1; i < ALL; i++)
		sim_crash(s, i, SIM_CRASH_PROCESS);
	sim_run_for(s, 60 * S);
	topics(&w, CORE, &peers);
	assert_int_equal(peers, 0);
	for (unsigned i = CORE + 1; i < ALL; i++)
		sim_restart(s, i);
	sim_run_for(s, 900 * S);
	topics(&w, CORE, &peers);
	assert_true(peers >= 2 * 3); /* the same links serve both; the others look as well, so it may be more */
	sim_free(s);
	simnet_world_end(&w);
}

static void
on_subscribed(void *owner, int err, const struct guts_errinfo *ei)
{
	(void)owner;
	(void)ei;
	assert_int_equal(err, GUTS_OK);
}

/* Places 0 … n-1 subscribe to a topic of users. */
static void
chat(struct simnet_world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		guts_node_subscribe(simnet_world_node(w, i)->node, "chat", true, on_subscribed, NULL);
}

/* Place 0 publishes message `n` there. */
static void
publish(struct simnet_world *w, unsigned n)
{
	struct guts_errinfo ei;
	char id[65], text[16];

	snprintf(text, sizeof text, "message %u", n);
	assert_int_equal(guts_node_publish(simnet_world_node(w, 0)->node, "chat", guts_slice_str(text), id, &ei), 0);
}

/* Links that places 1 … n-1 have among themselves. */
static size_t
links_beside_hub(struct simnet_world *w, unsigned n)
{
	size_t links = 0;

	for (unsigned i = 1; i < n; i++) {
		struct guts_snapshot *snap;

		guts_node_snapshot_flush(simnet_world_node(w, i)->node);
		snap = guts_node_snapshot(simnet_world_node(w, i)->node);
		links += snap->npeers - 1;
		guts_snapshot_unref(snap);
	}
	return links / 2;
}

/* All know the hub only, and it takes twelve into its mesh. */
static void
a_full_mesh_names_others(void **state)
{
	enum { ALL = 16 };
	struct sim_config c = { .seed = seed(), .places = ALL };
	struct simnet_world w = { .core = 1 };
	struct sim *s = sim_new(&c);

	(void)state;
	simnet_world_start(&w, s, ALL, 0);
	sim_run_for(s, 5 * S);
	chat(&w, ALL);
	sim_run_for(s, 20 * S);
	assert_int_equal(links_beside_hub(&w, ALL), 0);
	for (unsigned i = 0; i < 40; i++) { /* the hub earns that its word counts */
		publish(&w, i);
		sim_run_for(s, 5 * S);
	}
	assert_true(links_beside_hub(&w, ALL) >= 3);
	sim_free(s);
	simnet_world_end(&w);
}

static void
silence_costs_where_messages_are_expected(void **state)
{
	struct sim_config c = { .seed = seed(), .places = 2 };
	struct simnet_world w = { .gossip_expect = 4 };
	struct sim *s = sim_new(&c);
	struct guts_gossip_peer_info *v;

	(void)state;
	simnet_world_start(&w, s, 2, 1);
	sim_run_for(s, 3 * S);
	simnet_world_create(&w, 0);
	sim_run_for(s, 60 * S);
	assert_int_equal(guts_node_gossip_peers(simnet_world_node(&w, 0)->node, &v), 1);
	assert_true(v[0].mesh > 0 && v[0].score >= 0);
	free(v);
	chat(&w, 2);
	sim_run_for(s, 45 * S);
	assert_int_equal(guts_node_gossip_peers(simnet_world_node(&w, 0)->node, &v), 1);
	assert_true(v[0].components.p3 + v[0].components.p3b < 0);
	free(v);
	sim_free(s);
	simnet_world_end(&w);
}

static bool
count_message(void *owner, const struct guts_user_message *m)
{
	(void)m;
	++*(unsigned *)owner;
	return true;
}

/* Users' messages that `place` keeps. */
static unsigned
messages(struct simnet_world *w, unsigned place)
{
	unsigned n = 0;

	assert_int_equal(guts_node_messages(simnet_world_node(w, place)->node, NULL, 0, 1000, count_message, &n), GUTS_OK);
	return n;
}

static void
a_message_is_kept_once(void **state)
{
	enum { ALL = 3, SENT = 5 };
	struct sim_config c = { .seed = seed(), .places = ALL };
	struct simnet_world w = { 0 };
	struct sim *s = sim_new(&c);

	(void)state;
	simnet_world_start(&w, s, ALL, 2);
	sim_run_for(s, 5 * S);
	chat(&w, ALL);
	sim_run_for(s, 5 * S);
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned k = 0; k < SENT; k++)
			publish(&w, round * SENT + k);
		sim_run_for(s, 5 * S);
		sim_crash(s, 2, SIM_CRASH_PROCESS);
		sim_restart(s, 2);
		sim_run_for(s, 20 * S);
		for (unsigned i = 0; i < ALL; i++)
			assert_int_equal(messages(&w, i), round * SENT);
	}
	sim_free(s);
	simnet_world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cold_repositories_converge),
		cmocka_unit_test(who_missed_everything_converges),
		cmocka_unit_test(lost_seeders_are_found_again),
		cmocka_unit_test(a_full_mesh_names_others),
		cmocka_unit_test(silence_costs_where_messages_are_expected),
		cmocka_unit_test(a_message_is_kept_once),
	};

	if (guts_crypto_init())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
