/* tests/unit/test_gossip_score.c - the score by component, per peer and per topic. */
#include "gossip_case.h"

#include <stdio.h>

/* Peers 0 … n-1 in the mesh of `topic`. */
static void
join(const char *topic, unsigned n)
{
	assert_int_equal(guts_gossip_subscribe(o.g, S(topic), o.now), 0);
	for (unsigned i = 0; i < n; i++) {
		one_add(&o, i, true, GUTS_GOSSIP_MESHSUB_11);
		one_sub(&o, i, topic, true);
		one_graft(&o, i, topic);
	}
	one_forget(&o);
}

static struct guts_gossip_peer_info
info(unsigned peer)
{
	struct guts_gossip_peer_info p;
	const void *it = NULL;

	while (guts_gossip_next_peer(o.g, &it, &p)) {
		const struct guts_gossip_components *c = &p.components;

		assert_int_equal(p.score,
				 c->p1 + c->p2 + c->p3 + c->p3b + c->p4 + c->p5 + c->p6 + c->p7);
		if (guts_peerid_eq(&p.id, &o.peers[peer].id))
			return p;
	}
	fail();
	return p;
}

static struct guts_gossip_components
in_topic(unsigned peer, const char *topic)
{
	struct guts_gossip_topic_peer p;
	const void *it = NULL;

	while (guts_gossip_next_topic_peer(o.g, S(topic), &it, &p))
		if (guts_peerid_eq(&p.id, &o.peers[peer].id))
			return p.components;
	fail();
	return p.components;
}

/* The peer brings a new message by somebody else. */
static void
bring(unsigned peer, const char *topic, struct one_message *m)
{
	static unsigned number;
	static char text[16]; /* the message views it */

	snprintf(text, sizeof text, "message %u", number++);
	one_sign(&o, m, 40, topic, S(text));
	one_send(&o, peer, m);
}

static void
bring_bad(unsigned peer, const char *topic)
{
	struct one_message m;

	one_sign(&o, &m, 40, topic, S("bad"));
	m.sig[0] ^= 1;
	one_send(&o, peer, &m);
}

/* --- P1, P2, P4 ---------------------------------------------------------- */

static void
merits_are_per_topic_and_capped(void **state)
{
	struct one_message m;

	(void)state;
	join("t", 2);
	join("u", 2);
	for (unsigned i = 0; i < 3; i++)
		bring(0, "t", &m);
	bring(0, "u", &m);
	one_send(&o, 1, &m); /* not the first */
	assert_int_equal(in_topic(0, "t").p2, 3000);
	assert_int_equal(in_topic(0, "u").p2, 1000);
	assert_int_equal(in_topic(1, "u").p2, 0);
	assert_int_equal(info(0).components.p2, 4000);
	for (unsigned i = 0; i < 30; i++)
		bring(0, "t", &m);
	assert_int_equal(in_topic(0, "t").p2, 10000);
	assert_int_equal(info(0).components.p2, 10000);

	one_pass(&o, 600 * ONE_S); /* P1 grows, P2 fades away */
	assert_int_equal(in_topic(0, "t").p1, 5000);
	assert_int_equal(in_topic(0, "t").p2, 0);
	assert_int_equal(info(0).components.p1, 5000); /* not the sum over both topics */
	assert_int_equal(info(1).components.p1, 5000);
}

static void
bad_messages_count_where_they_came(void **state)
{
	struct one_message m;

	(void)state;
	join("t", 1);
	join("u", 1);
	for (unsigned i = 0; i < 30; i++)
		bring(0, "u", &m);
	bring_bad(0, "t");
	bring_bad(0, "t");
	bring_bad(0, "u");
	assert_int_equal(in_topic(0, "t").p4, -40000);
	assert_int_equal(in_topic(0, "u").p4, -10000);
	assert_int_equal(info(0).components.p4, -50000);
	assert_true(info(0).score <= -40000); /* merit hides no more than its cap */

	/* Neither leaving the topic nor the node clears it. */
	one_sub(&o, 0, "t", false);
	assert_int_equal(info(0).components.p4, -50000);
	one_remove(&o, 0);
	one_add(&o, 0, true, GUTS_GOSSIP_MESHSUB_11);
	assert_true(info(0).components.p4 <= -50000);
	one_pass(&o, 300 * ONE_S);
	assert_int_equal(info(0).components.p4, 0);

	/* Who does not even subscribe is counted as well. */
	one_add(&o, 5, false, GUTS_GOSSIP_NODE_DOOR);
	one_sign(&o, &m, 40, "t", S("bad"));
	m.sig[0] ^= 1;
	assert_true(guts_gossip_inject(o.g, &o.peers[5].id, &m.raw, o.now) < 0);
	assert_int_equal(info(5).components.p4, -10000);
}

/* --- P3 ------------------------------------------------------------------ */

static void
silence_is_normal(void **state)
{
	struct one_message m;

	(void)state;
	join("t", 2);
	for (unsigned i = 0; i < 60; i++) {
		bring(0, "t", &m);
		one_pass(&o, ONE_S);
	}
	assert_int_equal(info(1).components.p3, 0);
	assert_true(one_in_mesh(&o, 1, "t"));
}

static void
expected_deliveries_are_missed(void **state)
{
	struct one_message m;

	(void)state;
	assert_int_equal(guts_gossip_expect(o.g, S("t"), 5), GUTS_ENOTFOUND);
	join("t", 4);
	assert_int_equal(guts_gossip_expect(o.g, S("t"), 1001), GUTS_ELIMIT);
	assert_int_equal(guts_gossip_expect(o.g, S("t"), 5), 0);
	for (unsigned i = 0; i < 14; i++) {
		bring(0, "t", &m);
		one_send(&o, 0, &m);
		o.now += ONE_S / 2;
		one_send(&o, 1, &m); /* a copy in time */
		one_send(&o, 1, &m);
		o.now += ONE_S;
		one_send(&o, 2, &m); /* too late; 3 brings nothing */
		one_pass(&o, ONE_S / 2);
	}
	assert_true(one_in_mesh(&o, 3, "t")); /* P3 does not hold from the start */
	one_pass(&o, 8 * ONE_S);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(info(i).components.p3, 0);
		assert_true(one_in_mesh(&o, i, "t"));
	}
	for (unsigned i = 2; i < 4; i++) {
		assert_false(one_in_mesh(&o, i, "t"));
		assert_int_equal(info(i).components.p3, 0);  /* of the mesh it left … */
		assert_true(in_topic(i, "t").p3b <= -20000); /* … remains this */
		assert_int_equal(info(i).components.p3b, in_topic(i, "t").p3b);
	}
	one_pass(&o, 400 * ONE_S);
	assert_int_equal(info(3).components.p3b, 0);
}

static void
expectation_ends_with_the_subscription(void **state)
{
	(void)state;
	join("t", 1);
	assert_int_equal(guts_gossip_expect(o.g, S("t"), 5), 0);
	assert_int_equal(guts_gossip_unsubscribe(o.g, S("t"), o.now), 0);
	one_pass(&o, 15 * ONE_S);
	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	one_pass(&o, 100 * ONE_S);
	assert_int_equal(info(0).components.p3, 0);
	assert_true(one_in_mesh(&o, 0, "t"));
}

/* --- P5, P6, P7 ---------------------------------------------------------- */

static void
the_rest_is_the_peers(void **state)
{
	(void)state;
	join("t", 14);
	o.scores[0] = -4;
	for (unsigned i = 0; i < 12; i++)
		guts_gossip_peer_group(o.g, &o.peers[i].id, 9);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(info(0).components.p5, -4000);
	assert_int_equal(info(0).components.p6, -20000); /* 5 × (12 - 10)² */
	assert_int_equal(info(13).components.p6, 0);
	one_prune(&o, 13, "t", 1);
	assert_int_equal(info(13).components.p7, 0);
	for (unsigned i = 0; i < 6; i++) /* we left the mesh, too: inside the back-off */
		one_graft(&o, 13, "t");
	assert_true(info(13).components.p7 <= -9000);
}

static void
threshold_of_opportunistic_grafting(void **state)
{
	struct guts_gossip_config cfg = {.threshold = {.opportunistic = -1}};

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	for (unsigned i = 0; i < 20; i++) {
		one_add(&o, i, true, GUTS_GOSSIP_MESHSUB_11);
		one_sub(&o, i, "t", true);
	}
	one_pass(&o, 3 * ONE_S);
	for (unsigned i = 0; i < 20; i++)
		o.scores[i] = one_in_mesh(&o, i, "t") ? 0 : 5;
	one_pass(&o, 120 * ONE_S);
	assert_int_equal(one_topic(&o, "t").mesh, 6); /* its median is good enough */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(merits_are_per_topic_and_capped, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_messages_count_where_they_came, setup,
						teardown),
		cmocka_unit_test_setup_teardown(silence_is_normal, setup, teardown),
		cmocka_unit_test_setup_teardown(expected_deliveries_are_missed, setup, teardown),
		cmocka_unit_test_setup_teardown(expectation_ends_with_the_subscription, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_rest_is_the_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(threshold_of_opportunistic_grafting, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
