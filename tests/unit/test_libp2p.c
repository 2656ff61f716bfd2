/* tests/unit/test_libp2p.c - tables of libp2p messages against bytes that js-libp2p wrote. */
#include "proto/libp2p.h"

#include "base/err.h"
#include "record_samples.h"
#include "unit.h"
#include "vectors.h"

#include <string.h>

static struct guts_arena arena;
static struct json_object *doc;

static int
set_up(void **state)
{
	(void)state;
	guts_arena_init(&arena, 1u << 20);
	doc = vectors_load("libp2p.json");
	return guts_crypto_init();
}

static int
tear_down(void **state)
{
	(void)state;
	json_object_put(doc);
	guts_arena_deinit(&arena);
	return 0;
}

/* Decode `in` by `d` into *msg, encode again, and compare byte by byte. */
static void
same_again(const struct guts_pb_desc *d, struct guts_slice in, void *msg)
{
	struct guts_buf b;

	assert_true(in.n > 0);
	assert_int_equal(guts_pb_decode(d, in, msg, &arena), 0);
	guts_buf_init(&b, 1u << 16);
	assert_int_equal(guts_pb_encode(d, msg, &b), 0);
	assert_slice_equal(guts_buf_slice(&b), in);
	guts_buf_deinit(&b);
}

/* -- identify --------------------------------------------------------------------------- */

/* js writes the fields of Identify out of order, so the bytes are compared after ordering them. */
static void
identify_is_read_and_written(void **state)
{
	struct guts_slice in = vectors_hex(vectors_get(doc, "identify"), "message");
	struct guts_slice record = vectors_hex(vectors_get(doc, "peerRecord"), "envelope");
	struct guts_identify id, again;
	struct guts_buf b;

	(void)state;
	assert_int_equal(guts_pb_decode(&guts_identify_desc, in, &id, &arena), 0);
	assert_slice_equal(id.protocol_version, S("guts/1.0.0"));
	assert_slice_equal(id.agent_version, S("guts/0.1.0"));
	assert_int_equal(id.listen_addrs.n, 2);
	assert_int_equal(id.protocols.n, 3);
	assert_slice_equal(id.protocols.v[2], S("/guts/1.0.0"));
	assert_int_equal(id.public_key.n, GUTS_PUBKEY_PB_SIZE);
	assert_slice_equal(id.signed_peer_record, record);
	assert_true(id.has_observed_addr);

	guts_buf_init(&b, 4096);
	assert_int_equal(guts_pb_encode(&guts_identify_desc, &id, &b), 0);
	assert_int_equal(b.len, in.n); /* nothing lost, nothing added */
	same_again(&guts_identify_desc, guts_buf_slice(&b), &again);
	guts_buf_deinit(&b);
}

static void
identify_parts_are_merged(void **state)
{
	struct guts_slice protocols[] = { S("/a"), S("/b") };
	struct guts_identify all = { .agent_version = S("old"), .has_agent_version = true,
				     .protocols = { protocols, 1 } };
	struct guts_identify part = { .agent_version = S("new"), .has_agent_version = true };

	(void)state;
	guts_identify_merge(&all, &part);
	assert_slice_equal(all.agent_version, S("new"));
	assert_int_equal(all.protocols.n, 1); /* absent = unchanged */
	part = (struct guts_identify){ .protocols = { protocols, 2 },
				       .signed_peer_record = S("r"),
				       .has_signed_peer_record = true };
	guts_identify_merge(&all, &part);
	assert_int_equal(all.protocols.n, 2);
	assert_true(all.has_signed_peer_record);
	assert_slice_equal(all.agent_version, S("new"));
}

/* -- peer record ------------------------------------------------------------------------ */

static void
peer_record_equals_the_vector(void **state)
{
	struct json_object *v = vectors_get(doc, "peerRecord"), *addrs = vectors_get(v, "addrs");
	struct guts_slice want = vectors_hex(v, "envelope");
	static struct guts_peerrecord r, back;
	struct guts_buf b;
	struct guts_key k;

	(void)state;
	sample_key(&k, 1);
	r.seq = UINT64_C(1700000000000);
	for (size_t i = 0; i < json_object_array_length(addrs); i++, r.naddrs++)
		assert_int_equal(guts_maddr_parse(&r.addrs[i],
						  S(json_object_get_string(
							  json_object_array_get_idx(addrs, i)))),
				 0);
	guts_buf_init(&b, GUTS_PEERRECORD_MAX);
	assert_int_equal(guts_peerrecord_make(&b, &k, &r), 0);
	assert_slice_equal(guts_buf_slice(&b), want);
	guts_buf_deinit(&b);

	assert_int_equal(guts_peerrecord_open(&back, want), 0);
	assert_true(guts_peerid_eq(&back.peer, &k.id));
	assert_int_equal(back.seq, r.seq);
	assert_int_equal(back.naddrs, 2);
	assert_true(guts_maddr_eq(&back.addrs[1], &r.addrs[1]));
}

static void
peer_record_mutations_are_refused(void **state)
{
	struct guts_slice want = vectors_hex(vectors_get(doc, "peerRecord"), "envelope");
	static struct guts_peerrecord back;
	uint8_t bytes[GUTS_PEERRECORD_MAX];

	(void)state;
	for (size_t i = 0; i < want.n * 8; i++) {
		memcpy(bytes, want.p, want.n);
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_not_equal(guts_peerrecord_open(&back, guts_slice(bytes, want.n)), 0);
	}
	assert_int_equal(guts_peerrecord_open(&back, guts_slice(bytes, GUTS_PEERRECORD_MAX)),
			 GUTS_EPROTO);
}

/* -- gossipsub -------------------------------------------------------------------------- */

static void
every_rpc_is_written_as_it_was_read(void **state)
{
	static const char *const keys[] = { "rpcPublish", "rpcPublishUnsigned", "rpcSubscribe",
					    "rpcUnsubscribe", "rpcIhave", "rpcIwant", "rpcGraft",
					    "rpcPrune", "rpcIdontwant" };
	struct json_object *v = vectors_get(doc, "gossipsub");
	struct guts_rpc rpc;

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		same_again(&guts_rpc_desc, vectors_hex(v, keys[i]), &rpc);

	same_again(&guts_rpc_desc, vectors_hex(v, "rpcPrune"), &rpc);
	assert_int_equal(rpc.control.prune.n, 1);
	assert_int_equal(rpc.control.prune.v[0].backoff_s, 60);
	same_again(&guts_rpc_desc, vectors_hex(v, "rpcUnsubscribe"), &rpc);
	assert_true(rpc.subs.v[0].has_subscribe && !rpc.subs.v[0].subscribe);
	same_again(&guts_rpc_desc, vectors_hex(v, "rpcIdontwant"), &rpc);
	assert_int_equal(rpc.control.idontwant.v[0].ids.n, 1);
}

static void
messages_are_signed_as_others_sign_them(void **state)
{
	struct json_object *v = vectors_get(doc, "gossipsub");
	struct guts_rpc_message m, keyed;
	struct guts_peerid from;
	struct guts_buf b;
	struct guts_key k;

	(void)state;
	sample_key(&k, 1);
	same_again(&guts_rpc_message_desc, vectors_hex(v, "message"), &m);
	guts_buf_init(&b, 4096);
	assert_int_equal(guts_rpc_signed_bytes(&b, &m), 0);
	assert_slice_equal(guts_buf_slice(&b), vectors_hex(v, "signedBytes"));
	guts_buf_deinit(&b);
	assert_slice_equal(m.signature, vectors_hex(v, "signature"));
	assert_int_equal(guts_rpc_message_verify(&m, &from), 0);
	assert_true(guts_peerid_eq(&from, &k.id));

	same_again(&guts_rpc_message_desc, vectors_hex(v, "messageWithKey"), &keyed);
	assert_int_equal(guts_rpc_message_verify(&keyed, &from), 0);
}

static void
messages_that_are_not_what_they_say_are_refused(void **state)
{
	struct json_object *v = vectors_get(doc, "gossipsub");
	uint8_t pub[GUTS_PUBKEY_PB_SIZE];
	struct guts_rpc_message m, bad;
	struct guts_peerid from;
	struct guts_key k;

	(void)state;
	assert_int_equal(guts_pb_decode(&guts_rpc_message_desc, vectors_hex(v, "messageWithKey"), &m,
					&arena),
			 0);
	bad = m;
	bad.data = S("hello gutz");
	assert_int_equal(guts_rpc_message_verify(&bad, &from), GUTS_ESIG);
	bad = m;
	bad.topic = S("other");
	assert_int_equal(guts_rpc_message_verify(&bad, &from), GUTS_ESIG);
	bad = m;
	bad.has_data = false;
	assert_int_equal(guts_rpc_message_verify(&bad, &from), GUTS_ESIG);
	bad = m;
	bad.has_signature = false;
	assert_int_equal(guts_rpc_message_verify(&bad, &from), GUTS_EPROTO);
	bad = m;
	bad.seqno = S("1234567");
	assert_int_equal(guts_rpc_message_verify(&bad, &from), GUTS_EPROTO);
	bad = m;
	bad.signature.n--;
	assert_int_equal(guts_rpc_message_verify(&bad, &from), GUTS_ESIG);
	sample_key(&k, 2);
	guts_pubkey_encode(pub, k.pub);
	bad = m;
	bad.key = guts_slice(pub, sizeof pub); /* a key that is not from's */
	assert_int_equal(guts_rpc_message_verify(&bad, &from), GUTS_EPROTO);
}

/* -- Kademlia --------------------------------------------------------------------------- */

static void
every_kad_message_is_written_as_it_was_read(void **state)
{
	static const char *const keys[] = { "findNode", "findNodeReply", "getProviders",
					    "addProvider", "getValue", "ping" };
	struct json_object *v = vectors_get(doc, "kad");
	struct guts_kad_message m;

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		same_again(&guts_kad_message_desc, vectors_hex(v, keys[i]), &m);
	assert_int_equal(m.type, GUTS_KAD_PING);
	same_again(&guts_kad_message_desc, vectors_hex(v, "findNodeReply"), &m);
	assert_int_equal(m.type, GUTS_KAD_FIND_NODE);
	assert_int_equal(m.closer.n, 1);
	assert_int_equal(m.closer.v[0].addrs.n, 1);
	assert_int_equal(m.closer.v[0].connection, GUTS_KAD_CONNECTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identify_is_read_and_written),
		cmocka_unit_test(identify_parts_are_merged),
		cmocka_unit_test(peer_record_equals_the_vector),
		cmocka_unit_test(peer_record_mutations_are_refused),
		cmocka_unit_test(every_rpc_is_written_as_it_was_read),
		cmocka_unit_test(messages_are_signed_as_others_sign_them),
		cmocka_unit_test(messages_that_are_not_what_they_say_are_refused),
		cmocka_unit_test(every_kad_message_is_written_as_it_was_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
