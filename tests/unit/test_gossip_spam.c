/* tests/unit/test_gossip_spam.c - one hostile peer: what it may cost, and what it costs the peer.
 *
 * Each case sends more of one thing than any honest peer would and looks at three sides: what we
 * answered, what we remember, and how the sender stands afterwards.
 */
#include "gossip/gossip_int.h"
#include "gossip_case.h"

#include <stdio.h>

static int64_t
score(unsigned peer)
{
	struct guts_gossip_peer_info p;
	const void *it = NULL;

	while (guts_gossip_next_peer(o.g, &it, &p))
		if (guts_peerid_eq(&p.id, &o.peers[peer].id))
			return p.score;
	fail();
	return 0;
}

static void
number_id(uint8_t id[32], unsigned n)
{
	memset(id, 0xab, 32);
	memcpy(id, &n, sizeof n);
}

/* The same message asked for over and over, and ids that do not exist. */
static void
iwant(void **state)
{
	struct one_message m;
	uint8_t id[32];

	(void)state;
	join_mesh(2);
	one_sign(&o, &m, 40, "t", S("wanted"));
	one_send(&o, 1, &m);
	one_forget(&o);
	for (unsigned i = 0; i < 4000; i++)
		one_iwant(&o, 0, m.id);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].messages, 3);
	for (unsigned i = 0; i < 4000; i++) {
		number_id(id, i);
		one_iwant(&o, 0, id);
	}
	one_pull(&o, 0);
	assert_int_equal(o.said[0].messages, 3);
	assert_int_equal(o.offences[GUTS_GOSSIP_IWANT_FLOOD], 1);
}

/* More announcements than the caps, and not one message behind them. */
static void
ihave(void **state)
{
	uint8_t id[32];

	(void)state;
	join_mesh(1);
	for (unsigned beat = 0; beat < 10; beat++) {
		for (unsigned i = 0; i < 50; i++) {
			number_id(id, beat * 1000 + i);
			one_ihave(&o, 0, "t", id);
		}
		one_pass(&o, ONE_S);
	}
	assert_true(o.said[0].iwant <=
		    10 * 10 * 3); /* ten RPCs a heartbeat, each asked three times */
	assert_true(o.offences[GUTS_GOSSIP_IHAVE_FLOOD] >= 3); /* until nobody listens */
	one_pass(&o, 10 * ONE_S);
	assert_true(o.offences[GUTS_GOSSIP_BROKEN_PROMISE] > 0);
	assert_true(score(0) < -80000);
	one_forget(&o);
	number_id(id, 1u << 20);
	one_ihave(&o, 0, "t", id); /* nobody listens any more */
	one_pull(&o, 0);
	assert_int_equal(o.said[0].iwant, 0);
	assert_int_equal(one_stats(&o).wants, 0);
}

/* GRAFT and PRUNE for topics that we do not have: neither an answer nor a trace. */
static void
unknown_topics(void **state)
{
	char name[32];
	struct one_message m;

	(void)state;
	join_mesh(1);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "nothing/%u", i);
		one_graft(&o, 0, name);
		one_prune(&o, 0, name, 3600);
		one_sub(&o, 0, name, false);
		one_sign(&o, &m, 40, name, S("x"));
		one_send(&o, 0, &m);
	}
	one_pull(&o, 0);
	assert_int_equal(o.said[0].frames, 0);
	assert_int_equal(one_stats(&o).topics, 1);
	assert_int_equal(one_stats(&o).seen, 0);
	assert_int_equal(o.validated, 0);
	assert_int_equal(one_stats(&o).dropped[GUTS_GOSSIP_DROP_TOPIC], 1000);
}

/* A pruned peer grafts again and again: refused each time, and each time the back-off begins anew.
 */
static void
graft_in_backoff(void **state)
{
	(void)state;
	join_mesh(1);
	assert_true(one_in_mesh(&o, 0, "t"));
	o.scores[0] = -1;
	one_pass(&o, ONE_S);
	assert_false(one_in_mesh(&o, 0, "t"));
	o.scores[0] = 0;
	one_pass(&o, 10 * ONE_S);
	one_forget(&o);
	for (unsigned i = 0; i < 20; i++)
		one_graft(&o, 0, "t");
	one_pull(&o, 0);
	assert_in_range(o.said[0].prune, 5, 15); /* graylisted, it gets no answer */
	assert_int_equal(o.said[0].backoff_s, 60);
	assert_true(o.offences[GUTS_GOSSIP_GRAFT_FLOOD] > 0);
	assert_true(score(0) < -80000);
	one_pass(&o, 52 * ONE_S); /* a minute after the first refusal, not after the last */
	assert_true(score(0) >= -80000);
	one_graft(&o, 0, "t");
	assert_false(one_in_mesh(&o, 0, "t"));
	one_pass(&o, 61 * ONE_S);
	one_graft(&o, 0, "t");
	assert_true(one_in_mesh(&o, 0, "t"));
}

/* Messages with bad signatures: none shown, none remembered, soon not even looked at. */
static void
bad_signatures(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(1);
	for (unsigned i = 0; i < 100; i++) {
		one_sign(&o, &m, 40, "t", S("forged"));
		m.sig[5] ^= 0x10;
		one_send(&o, 0, &m);
	}
	assert_int_equal(o.validated, 0);
	assert_int_equal(one_stats(&o).seen, 0);
	assert_true(score(0) < -80000);
	assert_true(one_stats(&o).dropped[GUTS_GOSSIP_DROP_SIGNATURE] < 10);
	assert_true(one_stats(&o).dropped[GUTS_GOSSIP_DROP_GRAYLIST] > 90);
	one_pass(&o, ONE_S);
	assert_false(one_in_mesh(&o, 0, "t"));
	one_sign(&o, &m, 40, "t", S("forged")); /* the true one is not shadowed */
	one_add(&o, 1, false, GUTS_GOSSIP_MESHSUB_12);
	one_send(&o, 1, &m);
	assert_int_equal(o.delivered, 1);
}

/* IDONTWANT for everything: bounded, and messages to others flow on. */
static void
idontwant(void **state)
{
	uint8_t id[32];
	struct gpeer *p = NULL;

	(void)state;
	join_mesh(2);
	for (unsigned i = 0; i < 30000; i++) {
		number_id(id, i);
		one_idontwant(&o, 0, id);
	}
	HASH_FIND(hh, o.g->peers, &o.peers[0].id, sizeof o.peers[0].id, p);
	assert_int_equal(p->unwanted.live, 1024);
	assert_int_equal(o.offences[GUTS_GOSSIP_CONTROL_FLOOD], 1);
	guts_gossip_message_id(id, S("t"), S("refused"));
	one_pass(&o, ONE_S);
	one_idontwant(&o, 0, id);
	assert_int_equal(guts_gossip_publish(o.g, S("t"), S("refused"), 1, o.now, id), 0);
	one_pull_all(&o);
	assert_int_equal(o.said[0].messages, 0);
	assert_int_equal(o.said[1].messages, 1);
	one_pass(&o, 5 * ONE_S);
	assert_int_equal(p->unwanted.live, 0);
}

/* Frames and entries that say nothing still cost their share. */
static void
emptiness(void **state)
{
	uint8_t zeros[4096] = {0};
	struct guts_rpc_graft graft = {.topic = {NULL, 0}};
	struct guts_rpc_prune prune = {.topic = {NULL, 0}};
	struct guts_rpc_ihave ihave = {.topic = {NULL, 0}};
	struct guts_rpc_iwant iwant = {.ids = {NULL, 0}};
	struct guts_rpc_sub sub = {.subscribe = true, .has_subscribe = true};
	struct guts_rpc_message none = {.has_from = false};
	struct guts_rpc rpc = {.subs = {&sub, 1}, .publish = {&none, 1}, .has_control = true};

	(void)state;
	join_mesh(1);
	rpc.control.graft.v = &graft;
	rpc.control.prune.v = &prune;
	rpc.control.ihave.v = &ihave;
	rpc.control.iwant.v = &iwant;
	rpc.control.idontwant.v = &iwant;
	rpc.control.graft.n = rpc.control.prune.n = rpc.control.ihave.n = 1;
	rpc.control.iwant.n = rpc.control.idontwant.n = 1;
	assert_int_equal(one_recv(&o, 0, &rpc), 0);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].frames, 0);
	assert_int_equal(one_stats(&o).topics, 1);

	for (unsigned i = 0; i < 5; i++) /* 20,480 empty frames */
		assert_int_equal(one_recv_bytes(&o, 0, guts_slice(zeros, sizeof zeros)), 0);
	assert_int_equal(o.offences[GUTS_GOSSIP_CONTROL_FLOOD], 1);
	one_pass(&o, ONE_S);
	one_forget(&o);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(one_recv_bytes(&o, 0, guts_slice(zeros, sizeof zeros)), 0);
	assert_int_equal(o.offences[GUTS_GOSSIP_CONTROL_FLOOD], 0);
}

/* Subscribing and unsubscribing in turn. */
static void
flapping(void **state)
{
	(void)state;
	join_mesh(1);
	for (unsigned i = 0; i < 12000; i++) {
		one_sub(&o, 0, "t", false);
		one_sub(&o, 0, "t", true);
	}
	assert_int_equal(o.offences[GUTS_GOSSIP_CONTROL_FLOOD], 1);
	assert_true(one_topic(&o, "t").peers <= 1);
	one_pull(&o, 0);
	assert_true(o.said[0].frames <= 2);
}

/* The caller says how many new messages a peer may bring; what is above is neither checked nor
 * remembered. */
static void
messages(void **state)
{
	struct one_message m[4];
	char text[8];

	(void)state;
	join_mesh(2);
	o.allowance = 3;
	for (unsigned i = 0; i < 4; i++) {
		snprintf(text, sizeof text, "m%u", i);
		one_sign(&o, &m[i], 40, "t", S(text));
		one_send(&o, 0, &m[i]);
		one_send(&o, 0, &m[i]); /* a copy takes nothing */
	}
	assert_int_equal(o.delivered, 3);
	assert_int_equal(one_stats(&o).dropped[GUTS_GOSSIP_DROP_RATE], 2);
	o.allowance = 1;
	one_send(&o, 1, &m[3]);
	assert_int_equal(o.delivered, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(iwant, setup, teardown),
		cmocka_unit_test_setup_teardown(ihave, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_topics, setup, teardown),
		cmocka_unit_test_setup_teardown(graft_in_backoff, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_signatures, setup, teardown),
		cmocka_unit_test_setup_teardown(idontwant, setup, teardown),
		cmocka_unit_test_setup_teardown(emptiness, setup, teardown),
		cmocka_unit_test_setup_teardown(flapping, setup, teardown),
		cmocka_unit_test_setup_teardown(messages, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
