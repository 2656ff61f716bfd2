/* tests/unit/test_gossip_message.c - what becomes of messages: signatures, verdicts, doors, repair,
 * caps. */
#include "gossip/gossip_int.h"
#include "gossip_case.h"
#include "vectors.h"
#include "wire/varint.h"

static uint64_t
dropped(enum guts_gossip_drop why)
{
	return one_stats(&o).dropped[why];
}

/* --- judging ------------------------------------------------------------- */

static void
good_message_is_delivered_and_forwarded(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(5);
	one_sign(&o, &m, 4, "t", S("hello"));
	assert_int_equal(one_send(&o, 1, &m), 0);
	assert_int_equal(o.delivered, 1);
	assert_true(guts_peerid_eq(&o.deliver_via, &o.peers[1].id));
	assert_true(guts_peerid_eq(&o.deliver_from, &o.peers[4].id));
	one_pull_all(&o);
	for (unsigned i = 0; i < 5; i++) /* not to who sent it, nor to its author */
		assert_int_equal(o.said[i].messages, i == 1 || i == 4 ? 0 : 1);
	assert_memory_equal(o.said[0].last_id, m.id, 32);

	for (unsigned i = 0; i < 5; i++)
		one_send(&o, i, &m);
	assert_int_equal(o.validated, 1);
	assert_int_equal(dropped(GUTS_GOSSIP_DROP_DUPLICATE), 5);
	assert_int_equal(one_topic(&o, "t").duplicate, 5);
	one_pull_all(&o);
	assert_int_equal(o.said[0].messages, 1);
}

static void
bad_copy_does_not_shadow(void **state)
{
	struct one_message m, bad;

	(void)state;
	join_mesh(3);
	one_sign(&o, &m, 5, "t", S("hello"));

	bad = m; /* signature broken; another author's name; no signature at all */
	bad.sig[3] ^= 1;
	bad.raw.signature = guts_slice(bad.sig, sizeof bad.sig);
	one_send(&o, 0, &bad);
	assert_int_equal(o.offences[GUTS_GOSSIP_BAD_SIGNATURE], 1);
	assert_true(guts_peerid_eq(&o.offender, &o.peers[0].id));
	bad = m;
	bad.raw.from = guts_peerid_slice(&o.peers[6].id);
	one_send(&o, 0, &bad);
	bad = m;
	bad.raw.has_signature = false;
	bad.raw.signature = S("");
	one_send(&o, 0, &bad);
	bad = m;
	bad.raw.has_seqno = false;
	bad.raw.seqno = S("");
	one_send(&o, 0, &bad); /* not even looked at: the score of three bad ones */
	assert_int_equal(dropped(GUTS_GOSSIP_DROP_GRAYLIST), 1);
	one_send(&o, 2, &bad);
	assert_int_equal(o.offences[GUTS_GOSSIP_BAD_SIGNATURE], 4);
	assert_int_equal(dropped(GUTS_GOSSIP_DROP_SIGNATURE), 4);
	assert_int_equal(o.validated, 0);

	one_send(&o, 1, &m);
	assert_int_equal(o.delivered, 1);
}

static void
rejection_blames_everybody_who_sent_it(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(4);
	o.verdict = GUTS_GOSSIP_LATER;
	one_sign(&o, &m, 5, "t", S("bad data"));
	one_send(&o, 0, &m);
	one_send(&o, 1, &m); /* while it is judged */
	assert_int_equal(o.validated, 1);
	assert_int_equal(one_stats(&o).pending, 1);
	assert_int_equal(guts_gossip_validated(o.g, m.id, GUTS_GOSSIP_REJECT, o.now), 0);
	assert_int_equal(o.offences[GUTS_GOSSIP_REJECTED], 2);
	one_send(&o, 2, &m); /* and after */
	assert_int_equal(o.offences[GUTS_GOSSIP_REJECTED], 3);
	assert_int_equal(guts_gossip_validated(o.g, m.id, GUTS_GOSSIP_ACCEPT, o.now),
			 GUTS_ENOTFOUND);
	assert_int_equal(o.delivered, 0);
	assert_int_equal(one_topic(&o, "t").rejected, 1);

	o.verdict = GUTS_GOSSIP_REJECT;
	one_sign(&o, &m, 5, "t", S("more bad data"));
	one_send(&o, 3, &m);
	assert_int_equal(o.offences[GUTS_GOSSIP_REJECTED], 4);
	o.verdict = GUTS_GOSSIP_IGNORE;
	one_sign(&o, &m, 5, "t", S("dull data"));
	one_send(&o, 3, &m);
	one_send(&o, 2, &m);
	assert_int_equal(o.offences[GUTS_GOSSIP_REJECTED], 4);
	assert_int_equal(dropped(GUTS_GOSSIP_DROP_IGNORED), 1);
	one_pull_all(&o);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(o.said[i].messages, 0);
}

static void
late_acceptance_forwards(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(4);
	o.verdict = GUTS_GOSSIP_LATER;
	one_sign(&o, &m, 0, "t", S("x"));
	one_send(&o, 0, &m);
	one_send(&o, 1, &m);
	one_remove(&o, 0);
	assert_int_equal(guts_gossip_validated(o.g, m.id, GUTS_GOSSIP_ACCEPT, o.now), 0);
	assert_int_equal(o.delivered, 1);
	assert_true(guts_peerid_eq(&o.deliver_via, &o.peers[0].id));
	one_pull_all(&o);
	assert_int_equal(o.said[1].messages, 0); /* it has it */
	assert_int_equal(o.said[2].messages, 1);

	/* Nobody answers: forgotten after a minute.  Unsubscribed meanwhile: not delivered. */
	one_sign(&o, &m, 2, "t", S("y"));
	one_send(&o, 2, &m);
	one_pass(&o, 62 * ONE_S);
	assert_int_equal(one_stats(&o).pending, 0);
	assert_int_equal(guts_gossip_validated(o.g, m.id, GUTS_GOSSIP_ACCEPT, o.now),
			 GUTS_ENOTFOUND);
	one_sign(&o, &m, 2, "t", S("z"));
	one_send(&o, 2, &m);
	guts_gossip_unsubscribe(o.g, S("t"), o.now);
	assert_int_equal(guts_gossip_validated(o.g, m.id, GUTS_GOSSIP_ACCEPT, o.now), 0);
	assert_int_equal(o.delivered, 1);
}

static void
validations_are_capped(void **state)
{
	struct guts_gossip_config cfg = {.pending_max = 20};
	struct one_message m;
	uint8_t data[2] = {0};

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	join_mesh(3);
	o.verdict = GUTS_GOSSIP_LATER;
	for (unsigned i = 0; i < 30; i++) {
		data[0] = (uint8_t)i;
		one_sign(&o, &m, 9, "t", guts_slice(data, 2));
		one_send(&o, 0, &m);
	}
	assert_int_equal(one_stats(&o).pending, 6); /* a quarter and one */
	assert_int_equal(dropped(GUTS_GOSSIP_DROP_BUSY), 24);
	o.verdict = GUTS_GOSSIP_ACCEPT; /* the last one was not remembered, so it may come again */
	one_send(&o, 1, &m);
	assert_int_equal(o.delivered, 1);
}

static void
validate_now(struct one *one, const struct guts_gossip_message *m)
{
	guts_gossip_validated(one->g, m->id, GUTS_GOSSIP_ACCEPT, one->now);
}

static void
answer_and_leave(struct one *one, const struct guts_gossip_message *m)
{
	uint8_t id[32];

	(void)m;
	one->on_deliver = NULL;
	guts_gossip_publish(one->g, S("t"), S("an answer"), 5, one->now, id);
	guts_gossip_subscribe(one->g, S("u"), one->now);
	guts_gossip_peer_remove(one->g, &one->deliver_via, one->now);
	guts_gossip_unsubscribe(one->g, S("t"), one->now);
}

static void
callbacks_may_act(void **state)
{
	struct one_message m[3];
	struct guts_rpc_message raw[3];
	struct guts_rpc rpc = {.publish = {raw, 3}};

	(void)state;
	join_mesh(3);
	o.verdict = GUTS_GOSSIP_LATER;
	o.on_validate = validate_now; /* an answer before the question ends */
	one_sign(&o, &m[0], 5, "t", S("1"));
	one_send(&o, 0, &m[0]);
	assert_int_equal(o.delivered, 1);
	o.on_validate = NULL;
	o.verdict = GUTS_GOSSIP_ACCEPT;

	o.on_deliver = answer_and_leave;
	for (int i = 0; i < 3; i++) {
		one_sign(&o, &m[i], 5, "t", guts_slice(&"abc"[i], 1));
		raw[i] = m[i].raw;
	}
	assert_int_equal(one_recv(&o, 1, &rpc), 0);
	assert_int_equal(o.delivered, 2); /* the rest of the RPC is nobody's any more */
	assert_int_equal(one_recv(&o, 1, &rpc), GUTS_ENOTFOUND);
	one_pull_all(&o);
	assert_int_equal(o.said[0].messages, 2); /* the first of the RPC, and the answer */
	assert_int_equal(o.said[0].unsubscribe, 1);
	assert_int_equal(one_stats(&o).peers, 2);
}

/* --- publishing ---------------------------------------------------------- */

static void
publish_floods(void **state)
{
	uint8_t id[32], want[32], big[GUTS_GOSSIP_DATA_MAX + 1] = {0};
	struct one_message m;

	(void)state;
	join_mesh(4);
	for (unsigned i = 4; i < 20; i++) {
		one_add(&o, i, false, GUTS_GOSSIP_MESHSUB_11);
		one_sub(&o, i, "t", i < 18);
	}
	one_forget(&o);
	assert_int_equal(guts_gossip_publish(o.g, S("t"), S("mine"), 1000, o.now, id), 0);
	guts_gossip_message_id(want, S("t"), S("mine"));
	assert_memory_equal(id, want, 32);
	one_pull_all(&o);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(o.said[i].messages, i < 18);
	assert_int_equal(o.said[0].last_seqno, 1000);
	assert_int_equal(guts_gossip_publish(o.g, S("t"), S("mine"), 2000, o.now, id), GUTS_EEXIST);
	assert_int_equal(guts_gossip_publish(o.g, S("t"), S("2"), 900, o.now, id), 0);
	one_pull_all(&o);
	assert_int_equal(o.said[0].last_seqno, 1001); /* never back */
	assert_int_equal(
		guts_gossip_publish(o.g, S("t"), guts_slice(big, sizeof big), 1, o.now, id),
		GUTS_ELIMIT);
	assert_int_equal(
		guts_gossip_publish(o.g, S("t"), guts_slice(big, sizeof big - 1), 1, o.now, id), 0);
	assert_int_equal(guts_gossip_publish(o.g, S(""), S("x"), 1, o.now, id), GUTS_EINVAL);

	/* Ours, from an earlier run: neither delivered nor punished. */
	o.peers[40] = o.key;
	one_sign(&o, &m, 40, "t", S("long ago"));
	one_send(&o, 0, &m);
	assert_int_equal(o.validated, 0);
	assert_int_equal(dropped(GUTS_GOSSIP_DROP_SELF), 1);
	assert_int_equal(o.offences[GUTS_GOSSIP_BAD_SIGNATURE], 0);
}

static void
newcomers_are_told(void **state)
{
	uint8_t id[32];

	(void)state;
	assert_int_equal(guts_gossip_publish(o.g, S("t"), S("alone"), 1, o.now, id), 0);
	one_pass(&o, 20 * ONE_S);
	one_add(&o, 0, true, GUTS_GOSSIP_MESHSUB_11);
	one_sub(&o, 0, "t", true);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(o.said[0].ihave, 1);
	assert_memory_equal(o.said[0].last_id, id, 32);
	one_iwant(&o, 0, id);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].messages, 1);
	one_pass(&o, 60 * ONE_S); /* too old now */
	assert_int_equal(one_stats(&o).cached, 0);
	one_iwant(&o, 0, id);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].messages, 1);
}

static void
node_door_gets_its_own_copy(void **state)
{
	struct one_message m, bad;
	uint8_t id[32];

	(void)state;
	join_mesh(3);
	one_add(&o, 10, true, GUTS_GOSSIP_NODE_DOOR);
	one_add(&o, 11, true, GUTS_GOSSIP_NODE_DOOR);
	one_sign(&o, &m, 20, "t", S("by stream"));
	one_send(&o, 0, &m);
	assert_int_equal(o.forwarded, 2);
	assert_int_equal(guts_gossip_inject(o.g, &o.peers[10].id, &m.raw, o.now), GUTS_EEXIST);

	one_sign(&o, &m, 20, "t", S("by the node door"));
	bad = m;
	bad.raw.from = guts_peerid_slice(&o.peers[21].id);
	assert_true(guts_gossip_inject(o.g, &o.peers[10].id, &bad.raw, o.now) < 0);
	assert_int_equal(o.offences[GUTS_GOSSIP_BAD_SIGNATURE], 1);
	assert_int_equal(guts_gossip_inject(o.g, &o.peers[10].id, &m.raw, o.now), 0);
	assert_int_equal(o.delivered, 2);
	assert_int_equal(o.forwarded, 3); /* not back */
	assert_int_equal(o.forwarded_to[2], 11);
	one_pull_all(&o);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(o.said[i].messages, i == 0 ? 1 : 2);
	assert_int_equal(o.said[10].frames, 0);
	one_sign(&o, &m, 20, "other", S("x"));
	assert_int_equal(guts_gossip_inject(o.g, &o.peers[10].id, &m.raw, o.now), GUTS_ENOTFOUND);
	assert_int_equal(guts_gossip_inject(o.g, &o.peers[30].id, &m.raw, o.now), GUTS_ENOTFOUND);
	assert_int_equal(guts_gossip_publish(o.g, S("t"), S("mine"), 1, o.now, id), 0);
	assert_int_equal(o.forwarded, 5);
	assert_int_equal(one_recv_bytes(&o, 10, S("\x00")), GUTS_ENOTFOUND);
}

static void
large_messages_are_called_off(void **state)
{
	uint8_t big[2000] = {1}, small[1000] = {2};
	struct one_message m;
	uint8_t id[32];

	(void)state;
	join_mesh(4);
	one_add(&o, 3, false, GUTS_GOSSIP_MESHSUB_11); /* does not know the word */
	one_sign(&o, &m, 9, "t", guts_slice(small, sizeof small));
	one_send(&o, 0, &m);
	one_sign(&o, &m, 0, "t", guts_slice(big, sizeof big)); /* from its author: whole to all */
	one_idontwant(&o, 2, m.id); /* before we have it */
	one_send(&o, 0, &m);
	one_idontwant(&o, 1, m.id); /* while it waits in the queue */
	one_pull_all(&o);
	assert_int_equal(o.said[0].idontwant, 0); /* it sent it */
	assert_int_equal(o.said[1].idontwant, 1);
	assert_int_equal(o.said[2].idontwant, 1);
	assert_int_equal(o.said[3].idontwant, 0);
	assert_int_equal(o.said[1].messages, 1);
	assert_int_equal(o.said[2].messages, 1);
	assert_int_equal(o.said[3].messages, 2);
	assert_int_equal(one_stats(&o).unwanted, 2);

	/* It does not last. */
	guts_gossip_message_id(id, S("t"), S("later"));
	one_idontwant(&o, 1, id);
	one_pass(&o, 4 * ONE_S);
	one_forget(&o);
	guts_gossip_publish(o.g, S("t"), S("later"), 1, o.now, id);
	one_pull(&o, 1);
	assert_int_equal(o.said[1].messages, 1);
}

static void
large_messages_go_whole_to_a_few(void **state)
{
	uint8_t big[2000] = {1}, asks = 6;
	struct one_message m;

	(void)state;
	join_mesh(7);
	one_sign(&o, &m, 9, "t", guts_slice(big, sizeof big));
	one_send(&o, 0, &m);
	one_pull_all(&o);
	for (unsigned i = 1; i < 7; i++) {
		assert_int_equal(o.said[i].messages + o.said[i].ihave, 1);
		assert_memory_equal(o.said[i].last_id, m.id, 32);
		if (o.said[i].ihave)
			asks = (uint8_t)i;
	}
	assert_int_equal(one_stats(&o).messages_sent, 3);
	one_iwant(&o, asks, m.id);
	one_pull(&o, asks);
	assert_int_equal(o.said[asks].messages, 1);

	/* One has it already, so others will: to one only; its author's own copy goes to all. */
	one_forget(&o);
	big[0] = 42;
	one_sign(&o, &m, 9, "t", guts_slice(big, sizeof big));
	one_idontwant(&o, 1, m.id);
	one_send(&o, 0, &m);
	one_pull_all(&o);
	assert_int_equal(one_stats(&o).messages_sent, 3 + 1 + 1);
	big[0] = 43;
	one_sign(&o, &m, 0, "t", guts_slice(big, sizeof big));
	one_send(&o, 0, &m);
	one_pull_all(&o);
	assert_int_equal(one_stats(&o).messages_sent, 3 + 1 + 1 + 6);

	/* Nobody is told more often than readers listen: who cannot be told gets it whole. */
	for (uint8_t k = 2; k < 42; k++) {
		big[0] = k;
		one_sign(&o, &m, 9, "t", guts_slice(big, sizeof big));
		one_send(&o, 0, &m);
	}
	one_pull_all(&o);
	for (unsigned i = 1; i < 7; i++)
		assert_int_equal(o.said[i].messages + o.said[i].ihave, 42 - (i == 1));
	assert_true(one_stats(&o).messages_sent > 40 * 6 - 6 * TELL_NOW_MAX);
}

/* --- vectors ------------------------------------------------------------- */

#define TOPIC "guts/repos/1"

static struct json_object *file, *vectors;

static int
recv_vector(unsigned peer, const char *name)
{
	struct guts_slice body = vectors_hex(vectors, name);
	struct guts_buf b;
	int err;

	guts_buf_init(&b, 4096);
	guts_buf_add_uvarint(&b, body.n);
	guts_buf_add_slice(&b, body);
	err = one_recv_bytes(&o, peer, guts_buf_slice(&b));
	guts_buf_deinit(&b);
	return err;
}

static void
reads_what_others_write(void **state)
{
	uint8_t seed[32];

	(void)state;
	file = vectors_load("libp2p.json");
	vectors = vectors_get(file, "gossipsub");
	memset(seed, 1, sizeof seed);
	guts_key_from_seed(&o.peers[7], seed); /* the author */
	assert_int_equal(guts_gossip_subscribe(o.g, S(TOPIC), o.now), 0);
	one_add(&o, 0, false, GUTS_GOSSIP_MESHSUB_12);
	assert_int_equal(recv_vector(0, "rpcSubscribe"), 0);
	assert_int_equal(one_topic(&o, TOPIC).peers, 1);
	assert_int_equal(recv_vector(0, "rpcGraft"), 0);
	assert_true(one_in_mesh(&o, 0, TOPIC));
	assert_int_equal(recv_vector(0, "rpcPublishUnsigned"), 0);
	assert_int_equal(o.offences[GUTS_GOSSIP_BAD_SIGNATURE], 1);
	assert_int_equal(o.delivered, 0);
	assert_int_equal(recv_vector(0, "rpcPublish"), 0);
	assert_int_equal(o.delivered, 1);
	assert_true(guts_peerid_eq(&o.deliver_from, &o.peers[7].id));
	assert_int_equal(recv_vector(0, "rpcIhave"),
			 0); /* an id of another kind: never asked for */
	assert_int_equal(recv_vector(0, "rpcIwant"), 0);
	assert_int_equal(recv_vector(0, "rpcIdontwant"), 0);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].iwant, 0);
	assert_int_equal(recv_vector(0, "rpcPrune"), 0);
	assert_false(one_in_mesh(&o, 0, TOPIC));
	assert_int_equal(recv_vector(0, "rpcUnsubscribe"), 0);
	assert_int_equal(one_topic(&o, TOPIC).peers, 0);
	json_object_put(file);
}

static void
assert_said(unsigned peer, const char *name)
{
	one_pull(&o, peer);
	assert_slice_equal(guts_buf_slice(&o.said[peer].last_frame), vectors_hex(vectors, name));
}

static void
writes_what_others_write(void **state)
{
	uint8_t id[32];

	(void)state;
	one_deinit(&o);
	one_init_as(&o, NULL, 1);
	file = vectors_load("libp2p.json");
	vectors = vectors_get(file, "gossipsub");
	one_add(&o, 0, true, GUTS_GOSSIP_MESHSUB_12);
	assert_int_equal(guts_gossip_subscribe(o.g, S(TOPIC), o.now), 0);
	assert_said(0, "rpcSubscribe");
	one_sub(&o, 0, TOPIC, true);
	one_pass(&o, 2 * ONE_S);
	assert_int_equal(o.said[0].graft, 1);
	assert_said(0, "rpcGraft");
	assert_int_equal(guts_gossip_publish(o.g, S(TOPIC), S("hello guts"),
					     UINT64_C(0x17979cfe362a0001), o.now, id),
			 0);
	assert_said(0, "rpcPublish");
	one_prune(&o, 0, TOPIC, 1);
	one_graft(&o, 0, TOPIC); /* too early */
	assert_said(0, "rpcPrune");
	assert_int_equal(guts_gossip_unsubscribe(o.g, S(TOPIC), o.now), 0);
	assert_said(0, "rpcUnsubscribe");
	json_object_put(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_message_is_delivered_and_forwarded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(bad_copy_does_not_shadow, setup, teardown),
		cmocka_unit_test_setup_teardown(rejection_blames_everybody_who_sent_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(late_acceptance_forwards, setup, teardown),
		cmocka_unit_test_setup_teardown(validations_are_capped, setup, teardown),
		cmocka_unit_test_setup_teardown(callbacks_may_act, setup, teardown),
		cmocka_unit_test_setup_teardown(publish_floods, setup, teardown),
		cmocka_unit_test_setup_teardown(newcomers_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(node_door_gets_its_own_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(large_messages_are_called_off, setup, teardown),
		cmocka_unit_test_setup_teardown(large_messages_go_whole_to_a_few, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_what_others_write, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_what_others_write, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
