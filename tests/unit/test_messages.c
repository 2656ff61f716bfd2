/* tests/unit/test_messages.c - Guts messages: round trips, alternatives, exact lengths, caps. */
#include "message_samples.h"

#include "base/err.h"
#include "wire/varint.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct guts_arena arena;

static int
set_up(void **state)
{
	(void)state;
	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	return guts_crypto_init();
}

static int
tear_down(void **state)
{
	(void)state;
	guts_arena_deinit(&arena);
	return 0;
}

/* Decode by the checking decoder of `target` and encode what came out. */
static int
recode(const char *target, struct guts_slice in, struct guts_buf *out)
{
	struct guts_msg_gossip_payload payload;
	struct guts_msg_response response;
	struct guts_msg_request request;
	struct guts_msg_node node;
	int err;

	if (strcmp(target, "node_message") == 0) {
		err = guts_msg_node_decode(&node, in, &arena);
		return err ? err : guts_pb_encode(&guts_msg_node_desc, &node, out);
	}
	if (strcmp(target, "sync_request") == 0) {
		err = guts_msg_request_decode(&request, in, &arena);
		return err ? err : guts_pb_encode(&guts_msg_request_desc, &request, out);
	}
	if (strcmp(target, "sync_response") == 0 || strcmp(target, "reftree") == 0) {
		err = guts_msg_response_decode(&response, in, &arena);
		return err ? err : guts_pb_encode(&guts_msg_response_desc, &response, out);
	}
	err = guts_msg_gossip_payload_decode(&payload, in, &arena);
	return err ? err : guts_pb_encode(&guts_msg_gossip_payload_desc, &payload, out);
}

static void
every_message_survives_a_round_trip(void **state)
{
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < MESSAGE_SAMPLES; i++) {
		const char *target, *name;
		struct guts_buf a, b;

		guts_buf_init(&a, GUTS_MESSAGE_MAX);
		guts_buf_init(&b, GUTS_MESSAGE_MAX);
		message_sample(i, &a, &target, &name);
		if (i < 27 || i >= 30) {
			seen++;
			print_message("# %s %s\n", target, name);
			assert_int_equal(recode(target, guts_buf_slice(&a), &b), 0);
			assert_true(guts_slice_eq(guts_buf_slice(&a), guts_buf_slice(&b)));
		}
		guts_buf_deinit(&a);
		guts_buf_deinit(&b);
	}
	assert_int_equal(seen, 29);
}

static void
kinds_are_the_field_numbers(void **state)
{
	struct guts_msg_node n = { .has_ping = true };
	struct guts_msg_request q = { .has_get_objects = true };
	struct guts_msg_response r = { .has_objects_end = true };

	(void)state;
	assert_int_equal(guts_msg_node_kind(&n), GUTS_NODE_PING);
	assert_int_equal(guts_msg_request_kind(&q), GUTS_REQUEST_OBJECTS);
	assert_int_equal(guts_msg_response_kind(&r), GUTS_RESPONSE_OBJECTS_END);
	n.has_error = true;
	assert_int_equal(guts_msg_node_kind(&n), GUTS_NODE_NONE);
	memset(&q, 0, sizeof q);
	assert_int_equal(guts_msg_request_kind(&q), GUTS_REQUEST_NONE);
	q.has_get_job = true;
	assert_int_equal(guts_msg_request_kind(&q), GUTS_REQUEST_JOB);
	r = (struct guts_msg_response){ .has_job = true };
	assert_int_equal(guts_msg_response_kind(&r), GUTS_RESPONSE_JOB);
}

static int
decode_node(const char *bytes, size_t n)
{
	struct guts_msg_node m;

	return guts_msg_node_decode(&m, guts_slice(bytes, n), &arena);
}

static void
two_alternatives_are_refused_and_unknown_ones_skipped(void **state)
{
	struct guts_msg_request q;
	struct guts_msg_node m;

	(void)state;
	assert_int_equal(decode_node("\x1a\x02\x08\x01\x22\x02\x08\x01", 8), GUTS_EPROTO);
	assert_int_equal(guts_msg_node_decode(&m, guts_slice("\x52\x02\x08\x01", 4), &arena), 0);
	assert_int_equal(guts_msg_node_kind(&m), GUTS_NODE_NONE);
	assert_int_equal(guts_msg_request_decode(&q, guts_slice("\x08\x07\x32\x00", 4), &arena), 0);
	assert_int_equal(guts_msg_request_kind(&q), GUTS_REQUEST_NONE);
	assert_int_equal(q.request_id, 7);
}

static void
ids_of_a_wrong_length_are_refused(void **state)
{
	struct guts_slice short_id = guts_slice_str("short"), oid = guts_slice("01234567890123456789", 20);
	struct guts_msg_request q = { .has_get_refs = true }, back;
	struct guts_msg_node m = { .has_ping = true }, mback;
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, 4096);
	m.ping.inventory_digest = short_id;
	assert_int_equal(guts_pb_encode(&guts_msg_node_desc, &m, &b), 0);
	assert_int_equal(guts_msg_node_decode(&mback, guts_buf_slice(&b), &arena), GUTS_EPROTO);

	guts_buf_clear(&b);
	q.get_refs.repository = short_id;
	assert_int_equal(guts_pb_encode(&guts_msg_request_desc, &q, &b), 0);
	assert_int_equal(guts_msg_request_decode(&back, guts_buf_slice(&b), &arena), GUTS_EPROTO);

	guts_buf_clear(&b);
	memset(&q, 0, sizeof q);
	q.has_get_objects = true;
	q.get_objects.repository = guts_slice("01234567890123456789012345678901", 32);
	q.get_objects.wants = (struct guts_pb_bytes_list){ &oid, 1 };
	assert_int_equal(guts_pb_encode(&guts_msg_request_desc, &q, &b), 0);
	assert_int_equal(guts_msg_request_decode(&back, guts_buf_slice(&b), &arena), 0);
	guts_buf_clear(&b);
	oid.n = 19;
	assert_int_equal(guts_pb_encode(&guts_msg_request_desc, &q, &b), 0);
	assert_int_equal(guts_msg_request_decode(&back, guts_buf_slice(&b), &arena), GUTS_EPROTO);
	guts_buf_deinit(&b);
}

static void
an_inventory_must_ascend(void **state)
{
	uint8_t ids[2][32] = { { 1 }, { 2 } };
	struct guts_msg_inventory_entry e[2];
	struct guts_msg_response m = { .has_inventory = true }, back;
	struct guts_buf b;

	(void)state;
	for (int i = 0; i < 2; i++)
		e[i].repository = e[i].digest = guts_slice(ids[i], 32);
	m.inventory.entries.v = e;
	m.inventory.entries.n = 2;
	guts_buf_init(&b, 4096);
	assert_int_equal(guts_pb_encode(&guts_msg_response_desc, &m, &b), 0);
	assert_int_equal(guts_msg_response_decode(&back, guts_buf_slice(&b), &arena), 0);
	e[1] = e[0];
	guts_buf_clear(&b);
	assert_int_equal(guts_pb_encode(&guts_msg_response_desc, &m, &b), 0);
	assert_int_equal(guts_msg_response_decode(&back, guts_buf_slice(&b), &arena), GUTS_EPROTO);
	guts_buf_deinit(&b);
}

static void
caps_hold_both_ways(void **state)
{
	static struct guts_slice wants[GUTS_MSG_WANTS_MAX + 1];
	struct guts_msg_request m = { .has_get_objects = true }, back;
	uint8_t id[32] = { 1 };
	struct guts_buf b;

	(void)state;
	for (size_t i = 0; i <= GUTS_MSG_WANTS_MAX; i++)
		wants[i] = guts_slice(id, 20);
	m.get_objects.repository = guts_slice(id, 32);
	m.get_objects.wants = (struct guts_pb_bytes_list){ wants, GUTS_MSG_WANTS_MAX };
	guts_buf_init(&b, GUTS_MESSAGE_MAX);
	assert_int_equal(guts_msg_request_frame(&m, &b), 0);

	guts_buf_clear(&b);
	m.get_objects.wants.n++;
	assert_int_equal(guts_msg_request_frame(&m, &b), GUTS_ELIMIT);
	assert_int_equal(b.len, 0);
	assert_false(b.failed);

	/* one more want than the cap, as another encoder would write it */
	m.get_objects.wants.n--;
	assert_int_equal(guts_pb_encode(&guts_msg_request_desc, &m, &b), 0);
	assert_int_equal(guts_msg_request_decode(&back, guts_buf_slice(&b), &arena), 0);
	guts_buf_deinit(&b);
	guts_arena_deinit(&arena);
}

/* A frame of the largest size with the smallest entries costs no more than the arena's cap. */
static void
small_entries_cannot_grow_memory(void **state)
{
	struct guts_msg_response m;
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, GUTS_MESSAGE_MAX);
	for (size_t i = 0; i < (GUTS_MESSAGE_MAX - 64) / 2; i++)
		guts_buf_add(&b, "\x22\x00", 2);
	guts_arena_deinit(&arena);
	{
		uint8_t head[32];
		size_t n = 0;
		struct guts_buf whole;

		guts_buf_init(&whole, GUTS_MESSAGE_MAX + 64);
		head[n++] = 4 << 3 | 2;
		n += guts_uvarint_write(head + n, b.len + 4);
		head[n++] = 3 << 3 | 2;
		n += guts_uvarint_write(head + n, b.len);
		guts_buf_add(&whole, head, n);
		guts_buf_add_slice(&whole, guts_buf_slice(&b));
		assert_int_equal(guts_msg_response_decode(&m, guts_buf_slice(&whole), &arena),
				 GUTS_ELIMIT);
		guts_buf_deinit(&whole);
	}
	assert_true(arena.used <= GUTS_MSG_ARENA_MAX);
	guts_buf_deinit(&b);
	guts_arena_deinit(&arena);
}

static void
a_frame_is_length_and_content(void **state)
{
	struct guts_msg_node m = { .has_ping = true, .ping = { .nonce = 7 } };
	struct guts_slice frame;
	struct guts_buf b;
	size_t n;

	(void)state;
	guts_buf_init(&b, 64);
	assert_int_equal(guts_msg_node_frame(&m, &b), 0);
	assert_int_equal(guts_frame_read(guts_buf_slice(&b), GUTS_MSG_NODE_MAX, &frame, &n), 0);
	assert_int_equal(n, b.len);
	assert_int_equal(decode_node((const char *)frame.p, frame.n), 0);
	guts_buf_deinit(&b);
}

static void
codes_and_errors_map(void **state)
{
	(void)state;
	for (uint32_t c = GUTS_CODE_NOT_FOUND; c <= GUTS_CODE_INTERNAL; c++)
		assert_int_equal(guts_msg_code_from_err(guts_msg_code_to_err(c)), c);
	assert_int_equal(guts_msg_code_to_err(999), GUTS_EPROTO);
	assert_int_equal(guts_msg_code_from_err(GUTS_EIO), GUTS_CODE_INTERNAL);
	assert_string_equal(guts_msg_code_name(GUTS_CODE_BUSY), "busy");
	assert_string_equal(guts_msg_code_name(999), "unknown");
}

static void
topics_have_their_names(void **state)
{
	char topic[GUTS_TOPIC_TEXT_MAX];
	uint8_t id[GUTS_REPOID_SIZE] = { 0 };

	(void)state;
	guts_topic_new(topic, "main");
	assert_string_equal(topic, "guts/main/new");
	guts_topic_repo(topic, "main", id); /* SHA-256 of 32 zero bytes */
	assert_string_equal(topic, "guts/main/repo/"
				   "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
	guts_topic_repo(topic, "a-network-name-longer-than-32-bytes-is-cut", id);
	assert_true(strlen(topic) < sizeof topic);
}

static void
message_ids_keep_topic_and_data_apart(void **state)
{
	uint8_t a[GUTS_HASH_SIZE], b[GUTS_HASH_SIZE];

	(void)state;
	guts_gossip_message_id(a, guts_slice_str("ab"), guts_slice_str("c"));
	guts_gossip_message_id(b, guts_slice_str("a"), guts_slice_str("bc"));
	assert_memory_not_equal(a, b, sizeof a);
	guts_gossip_message_id(b, guts_slice_str("ab"), guts_slice_str("c"));
	assert_memory_equal(a, b, sizeof a);
}

static void
entries_are_checked_when_read(void **state)
{
	struct guts_msg_ref_entry m = { guts_slice_str("refs/heads/x"),
					guts_slice("01234567890123456789", 20), 3 }, back;
	struct guts_refentry e;

	(void)state;
	assert_int_equal(guts_msg_entry_read(&e, &m), 0);
	assert_int_equal(e.oid.n, 20);
	assert_int_equal(e.version, 3);
	guts_msg_entry_write(&back, &e);
	assert_true(guts_slice_eq(back.oid, m.oid));
	m.version = 0;
	assert_int_equal(guts_msg_entry_read(&e, &m), GUTS_EPROTO);
	m.version = 1;
	m.name = guts_slice_str("refs/heads/../x");
	assert_int_equal(guts_msg_entry_read(&e, &m), GUTS_EPROTO);
	m.name = guts_slice_str("refs/heads/x");
	m.oid.n = 19;
	assert_int_not_equal(guts_msg_entry_read(&e, &m), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_survives_a_round_trip),
		cmocka_unit_test(kinds_are_the_field_numbers),
		cmocka_unit_test(two_alternatives_are_refused_and_unknown_ones_skipped),
		cmocka_unit_test(ids_of_a_wrong_length_are_refused),
		cmocka_unit_test(an_inventory_must_ascend),
		cmocka_unit_test(caps_hold_both_ways),
		cmocka_unit_test(small_entries_cannot_grow_memory),
		cmocka_unit_test(a_frame_is_length_and_content),
		cmocka_unit_test(codes_and_errors_map),
		cmocka_unit_test(topics_have_their_names),
		cmocka_unit_test(message_ids_keep_topic_and_data_apart),
		cmocka_unit_test(entries_are_checked_when_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
