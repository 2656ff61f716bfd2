/* tests/unit/test_gossip_mesh.c - subscriptions, mesh bounds, back-off, scores, fanout. */
#include "gossip/gossip_int.h"
#include "gossip_case.h"

#include <stdio.h>

#define PEERS 30

/* `n` peers that subscribe to "t", as we do; every third is outbound. */
static void
join(unsigned n)
{
	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	for (unsigned i = 0; i < n; i++) {
		one_add(&o, i, i % 3 == 0, GUTS_GOSSIP_MESHSUB_11);
		one_sub(&o, i, "t", true);
	}
}

static size_t
count_mesh(bool outbound_only)
{
	struct guts_gossip_topic_peer p;
	const void *it = NULL;
	size_t n = 0;

	while (guts_gossip_next_topic_peer(o.g, S("t"), &it, &p))
		n += p.in_mesh && (p.outbound || !outbound_only);
	return n;
}

static void
hello_tells_subscriptions(void **state)
{
	(void)state;
	assert_int_equal(guts_gossip_subscribe(o.g, S("a"), o.now), 0);
	assert_int_equal(guts_gossip_subscribe(o.g, S("b"), o.now), 0);
	assert_int_equal(guts_gossip_subscribe(o.g, S("b"), o.now), GUTS_EEXIST);
	assert_int_equal(guts_gossip_subscribe(o.g, S(""), o.now), GUTS_EINVAL);
	assert_int_equal(guts_gossip_subscribe(o.g, guts_slice("\xff\xfe", 2), o.now), GUTS_EINVAL);
	one_add(&o, 0, true, GUTS_GOSSIP_MESHSUB_11);
	assert_int_equal(o.wakes[0], 1);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].subscribe, 2);
	assert_int_equal(guts_gossip_subscribe(o.g, S("c"), o.now), 0);
	assert_int_equal(guts_gossip_unsubscribe(o.g, S("a"), o.now), 0);
	assert_int_equal(guts_gossip_unsubscribe(o.g, S("a"), o.now), GUTS_ENOTFOUND);
	assert_int_equal(o.wakes[0], 2); /* once until it is pulled */
	one_pull(&o, 0);
	assert_int_equal(o.said[0].subscribe, 3);
	assert_int_equal(o.said[0].unsubscribe, 1);
	assert_true(guts_gossip_is_subscribed(o.g, S("c")));
	assert_false(guts_gossip_is_subscribed(o.g, S("a")));

	/* A new stream is told everything again, an upgraded door too. */
	guts_gossip_out_reset(o.g, &o.peers[0].id, o.now);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].subscribe, 5);
	one_add(&o, 1, true, GUTS_GOSSIP_NODE_DOOR);
	one_pull(&o, 1);
	assert_int_equal(o.said[1].frames, 0);
	one_add(&o, 1, true, GUTS_GOSSIP_MESHSUB_12);
	one_pull(&o, 1);
	assert_int_equal(o.said[1].subscribe, 2);
	assert_int_equal(guts_gossip_peer_add(o.g, &o.key.id, true, GUTS_GOSSIP_MESHSUB_11, o.now),
			 GUTS_EINVAL);
}

static void
mesh_fills_to_d(void **state)
{
	size_t grafts = 0;

	(void)state;
	join(PEERS);
	one_pass(&o, ONE_S / 4); /* soon, some */
	assert_true(count_mesh(false) >= 3);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(count_mesh(false), 6);
	for (unsigned i = 0; i < PEERS; i++)
		grafts += o.said[i].graft;
	assert_true(grafts >= 6 && grafts <= 8);
	assert_true(count_mesh(true) >= 2); /* D_out */
}

static void
mesh_is_cut_back(void **state)
{
	size_t prunes = 0;

	(void)state;
	join(PEERS);
	one_pass(&o, 3 * ONE_S);
	one_forget(&o);
	/* Everybody grafts: inbound peers only up to D_hi, outbound ones always. */
	for (unsigned i = 0; i < PEERS; i++)
		one_graft(&o, i, "t");
	assert_true(count_mesh(false) > 12);
	assert_true(count_mesh(false) - count_mesh(true) <= 12);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(count_mesh(false), 6);
	assert_true(count_mesh(true) >= 2);
	for (unsigned i = 0; i < PEERS; i++) {
		prunes += o.said[i].prune;
		if (o.said[i].prune)
			assert_int_equal(o.said[i].backoff_s, 60);
	}
	assert_true(prunes >= PEERS - 12);
}

static void
prune_is_replaced(void **state)
{
	(void)state;
	join(10);
	one_pass(&o, 3 * ONE_S);
	for (unsigned i = 0, n = 0; i < 10 && n < 4; i++)
		if (one_in_mesh(&o, i, "t")) {
			one_prune(&o, i, "t", 0);
			n++;
		}
	assert_int_equal(count_mesh(false), 2);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(count_mesh(false), 6);
}

static void
backoff_is_kept(void **state)
{
	(void)state;
	join(1);
	one_pass(&o, 2 * ONE_S);
	assert_true(one_in_mesh(&o, 0, "t"));
	one_prune(&o, 0, "t", 30);
	one_forget(&o);
	one_pass(&o, 29 * ONE_S);
	assert_int_equal(o.said[0].graft, 0);

	/* Reconnecting does not shorten it. */
	one_remove(&o, 0);
	one_add(&o, 0, true, GUTS_GOSSIP_MESHSUB_11);
	one_sub(&o, 0, "t", true);
	one_pass(&o, ONE_S);
	assert_int_equal(o.said[0].graft, 0);
	one_pass(&o, 3 * ONE_S);
	assert_int_equal(o.said[0].graft, 1);
	assert_true(one_in_mesh(&o, 0, "t"));
}

static void
graft_in_backoff_is_refused(void **state)
{
	(void)state;
	join(1);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(guts_gossip_unsubscribe(o.g, S("t"), o.now), 0);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].prune, 1);
	assert_int_equal(o.said[0].backoff_s, 10);
	one_graft(&o, 0, "t"); /* not subscribed: no answer */
	one_pull(&o, 0);
	assert_int_equal(o.said[0].prune, 1);

	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	one_graft(&o, 0, "t"); /* crossed our PRUNE: refused, but free */
	one_pull(&o, 0);
	assert_int_equal(o.said[0].prune, 2);
	assert_int_equal(o.said[0].backoff_s, 60);
	one_graft(&o, 0, "t");
	assert_int_equal(o.offences[GUTS_GOSSIP_GRAFT_FLOOD], 0);
	one_graft(&o, 0, "t");
	one_graft(&o, 0, "t");
	assert_int_equal(o.offences[GUTS_GOSSIP_GRAFT_FLOOD], 1); /* once a heartbeat */
	for (int i = 0; i < 5; i++) {
		one_pass(&o, ONE_S);
		one_graft(&o, 0, "t");
	}
	assert_int_equal(o.offences[GUTS_GOSSIP_GRAFT_FLOOD], 6);
	assert_false(one_in_mesh(&o, 0, "t"));
	one_pass(&o, 59 * ONE_S);
	assert_false(one_in_mesh(&o, 0, "t"));
	one_pass(&o, 3 * ONE_S); /* forgiven */
	assert_true(one_in_mesh(&o, 0, "t"));
}

static void
graft_implies_subscription(void **state)
{
	(void)state;
	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	one_add(&o, 0, false, GUTS_GOSSIP_MESHSUB_11);
	one_graft(&o, 0, "t");
	assert_true(one_in_mesh(&o, 0, "t"));
	assert_int_equal(one_topic(&o, "t").peers, 1);
	one_sub(&o, 0, "t", false);
	assert_int_equal(one_topic(&o, "t").mesh, 0);
	assert_int_equal(one_topic(&o, "t").peers, 0);
}

static void
bad_score_leaves_the_mesh(void **state)
{
	struct one_message m;

	(void)state;
	join(8);
	one_pass(&o, 3 * ONE_S);
	for (unsigned i = 0; i < 8; i++)
		o.scores[i] = one_in_mesh(&o, i, "t") && i % 2 ? -1 : 0;
	one_pass(&o, 2 * ONE_S);
	for (unsigned i = 0; i < 8; i++)
		assert_false(o.scores[i] < 0 && one_in_mesh(&o, i, "t"));
	for (unsigned i = 0; i < 8; i++)
		if (o.scores[i] < 0) {
			one_graft(&o, i, "t");
			assert_false(one_in_mesh(&o, i, "t"));
		}

	/* Below the graylist threshold nothing is heard at all. */
	o.scores[7] = -81;
	one_pass(&o, ONE_S);
	one_sign(&o, &m, 7, "t", S("spam"));
	assert_int_equal(one_send(&o, 7, &m), 0);
	assert_int_equal(o.validated, 0);
	assert_int_equal(one_stats(&o).dropped[GUTS_GOSSIP_DROP_GRAYLIST], 1);
	o.scores[7] = 0;
	one_pass(&o, ONE_S);
	one_send(&o, 7, &m);
	assert_int_equal(o.validated, 1);
}

static void
crowd_of_one_address_scores_badly(void **state)
{
	struct guts_gossip_peer_info p;
	const void *it = NULL;

	(void)state;
	join(14);
	for (unsigned i = 0; i < 13; i++)
		guts_gossip_peer_group(o.g, &o.peers[i].id, 77);
	one_pass(&o, 2 * ONE_S);
	while (guts_gossip_next_peer(o.g, &it, &p)) {
		bool alone = guts_peerid_eq(&p.id, &o.peers[13].id);

		assert_true(alone ? p.score >= 0 : p.score <= -44000); /* 5 × 3² - what it earned */
	}
	for (unsigned i = 0; i < 3; i++)
		one_remove(&o, i);
	one_pass(&o, 2 * ONE_S);
	assert_true(one_topic(&o, "t").peers == 11);
	for (it = NULL; guts_gossip_next_peer(o.g, &it, &p);)
		assert_true(p.score >= 0);
}

static void
better_peers_are_grafted(void **state)
{
	(void)state;
	join(20);
	one_pass(&o, 3 * ONE_S);
	assert_int_equal(count_mesh(false), 6);
	for (unsigned i = 0; i < 20; i++)
		o.scores[i] = one_in_mesh(&o, i, "t") ? 0 : 5;
	one_pass(&o, 60 * ONE_S);
	assert_int_equal(count_mesh(false), 8); /* two more, once a minute */
}

static void
full_mesh_names_others(void **state)
{
	(void)state;
	join(PEERS);
	one_pass(&o, 3 * ONE_S);
	for (unsigned i = 0; i < PEERS; i++)
		if (one_topic(&o, "t").mesh < 12)
			one_graft(&o, i, "t");
	assert_int_equal(one_topic(&o, "t").mesh, 12);
	one_forget(&o);
	o.scores[28] = -3;
	one_pass(&o, ONE_S);
	one_forget(&o);
	one_graft(&o, 29, "t");
	one_graft(&o, 28, "t"); /* bad ones are told nothing */
	one_pull_all(&o);
	assert_int_equal(o.said[29].prune, 1);
	assert_int_equal(o.said[29].px, 16);
	assert_int_equal(o.said[28].prune, 1);
	assert_int_equal(o.said[28].px, 0);
	assert_true(o.said[29].largest <= GUTS_GOSSIP_RPC_MAX);
}

static void
names_are_taken_from_good_peers(void **state)
{
	(void)state;
	join(3);
	one_prune_px(&o, 0, 40, 40); /* not known for anything yet */
	assert_int_equal(o.connects, 0);
	o.scores[0] = 6;
	one_pass(&o, ONE_S);
	one_prune_px(&o, 0, 40, 40);
	assert_int_equal(o.connects, 1);
	assert_true(guts_peerid_eq(&o.connect_to, &o.peers[40].id));
	one_prune_px(&o, 0, 41, 42); /* another one's record */
	one_prune_px(&o, 0, 1, 1);   /* connected */
	assert_int_equal(o.connects, 1);
	for (unsigned i = 0; i < 30; i++) /* so many in a heartbeat */
		one_prune_px(&o, 0, 43, 43);
	assert_int_equal(o.connects, 14);
}

static void
fanout_lives_a_minute(void **state)
{
	uint8_t id[32];
	size_t got = 0;
	struct guts_gossip_config cfg = {.no_flood_publish = true};

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	for (unsigned i = 0; i < 20; i++) {
		one_add(&o, i, false, GUTS_GOSSIP_MESHSUB_11);
		one_sub(&o, i, "f", true);
	}
	assert_int_equal(guts_gossip_publish(o.g, S("f"), S("x"), 1, o.now, id), 0);
	one_pull_all(&o);
	for (unsigned i = 0; i < 20; i++)
		got += o.said[i].messages;
	assert_int_equal(got, 6);
	assert_int_equal(one_topic(&o, "f").fanout, 6);
	for (unsigned i = 0; i < 20; i++)
		if (o.said[i].messages) {
			one_sub(&o, i, "f", false); /* replaced */
			break;
		}
	assert_int_equal(one_topic(&o, "f").fanout, 5);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(one_topic(&o, "f").fanout, 6);
	one_pass(&o, 60 * ONE_S);
	assert_int_equal(one_topic(&o, "f").fanout, 0);

	/* Who subscribes begins with the fanout as its mesh. */
	assert_int_equal(guts_gossip_publish(o.g, S("f"), S("y"), 2, o.now, id), 0);
	assert_int_equal(guts_gossip_subscribe(o.g, S("f"), o.now), 0);
	assert_int_equal(one_topic(&o, "f").mesh, 6);
	assert_int_equal(one_topic(&o, "f").fanout, 0);
}

static void
quiet_topics_cost_nothing(void **state)
{
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		one_add(&o, i, true, GUTS_GOSSIP_MESHSUB_11);
	for (unsigned t = 0; t < 1000; t++) {
		snprintf(name, sizeof name, "guts/main/repo/%u", t);
		assert_int_equal(guts_gossip_subscribe(o.g, S(name), o.now), 0);
		for (unsigned i = 0; i < 3; i++)
			one_sub(&o, i, name, true);
	}
	one_pass(&o, 3 * ONE_S);
	assert_null(o.g->active);
	assert_int_equal(one_topic(&o, "guts/main/repo/999").mesh, 3);
	one_forget(&o);
	one_pass(&o, 100 * ONE_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(o.said[i].frames, 0);

	/* Messages in many topics are announced in few frames. */
	one_add(&o, 9, false, GUTS_GOSSIP_MESHSUB_11);
	for (unsigned t = 0; t < 1000; t++) {
		struct one_message m;

		snprintf(name, sizeof name, "guts/main/repo/%u", t);
		one_sub(&o, 9, name, true);
		one_prune(&o, 9, name, 600);
		one_sign(&o, &m, 0, name, S("news"));
		one_send(&o, 0, &m);
	}
	one_forget(&o);
	one_pass(&o, ONE_S);
	assert_true(o.said[9].ihave >= 1000);
	assert_true(o.said[9].frames <= 5);
}

static void
one_peer_cannot_fill_the_tables(void **state)
{
	struct guts_gossip_config cfg = {.topics_per_peer_max = 50, .foreign_topics_max = 60};
	char name[32];

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	one_add(&o, 0, false, GUTS_GOSSIP_MESHSUB_11);
	one_add(&o, 1, false, GUTS_GOSSIP_MESHSUB_11);
	for (unsigned t = 0; t < 200; t++) {
		snprintf(name, sizeof name, "a%u", t);
		one_sub(&o, 0, name, true);
	}
	assert_int_equal(one_stats(&o).topics, 50);
	assert_int_equal(o.offences[GUTS_GOSSIP_TOO_MANY_TOPICS], 1);
	/* All full: the other one still has its share, and topics of ours are always welcome. */
	for (unsigned t = 0; t < 200; t++) {
		snprintf(name, sizeof name, "b%u", t);
		one_sub(&o, 1, name, true);
	}
	assert_int_equal(one_stats(&o).topics, 70);
	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	one_sub(&o, 0, "t", true);
	assert_int_equal(one_topic(&o, "t").peers, 1);
	one_remove(&o, 0);
	one_remove(&o, 1);
	assert_int_equal(one_stats(&o).topics, 1);

	/* One million names one after the other leave nothing. */
	one_add(&o, 2, false, GUTS_GOSSIP_MESHSUB_11);
	for (unsigned t = 0; t < 20000; t++) {
		snprintf(name, sizeof name, "c%u", t);
		one_sub(&o, 2, name, true);
		one_sub(&o, 2, name, false);
	}
	assert_int_equal(one_stats(&o).topics, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello_tells_subscriptions, setup, teardown),
		cmocka_unit_test_setup_teardown(mesh_fills_to_d, setup, teardown),
		cmocka_unit_test_setup_teardown(mesh_is_cut_back, setup, teardown),
		cmocka_unit_test_setup_teardown(prune_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(backoff_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(graft_in_backoff_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(graft_implies_subscription, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_score_leaves_the_mesh, setup, teardown),
		cmocka_unit_test_setup_teardown(crowd_of_one_address_scores_badly, setup, teardown),
		cmocka_unit_test_setup_teardown(better_peers_are_grafted, setup, teardown),
		cmocka_unit_test_setup_teardown(full_mesh_names_others, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_taken_from_good_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(fanout_lives_a_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(quiet_topics_cost_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(one_peer_cannot_fill_the_tables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
