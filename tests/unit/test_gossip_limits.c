/* tests/unit/test_gossip_limits.c - repair by IHAVE and IWANT, frames, queues, floods. */
#include "base/alloc.h"
#include "gossip/gossip_int.h"
#include "gossip_case.h"
#include "wire/varint.h"

#include <stdlib.h>

/* --- IHAVE and IWANT ----------------------------------------------------- */

static void
announced_message_is_fetched(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(3);
	one_sign(&o, &m, 9, "t", S("x"));
	one_ihave(&o, 0, "elsewhere", m.id); /* a topic that is not ours */
	one_pull_all(&o);
	assert_int_equal(o.said[0].iwant, 0);
	one_ihave(&o, 0, "t", m.id);
	one_ihave(&o, 0, "t", m.id);
	one_ihave(&o, 1, "t", m.id);
	one_pull_all(&o);
	assert_int_equal(o.said[0].iwant, 1);
	assert_memory_equal(o.said[0].last_id, m.id, 32);
	assert_int_equal(o.said[1].iwant, 0); /* one at a time */
	one_send(&o, 0, &m);
	assert_int_equal(o.delivered, 1);
	assert_int_equal(one_stats(&o).wants, 0);
	one_ihave(&o, 1, "t", m.id); /* seen */
	one_pass(&o, 10 * ONE_S);
	assert_int_equal(o.said[1].iwant, 0);
	assert_int_equal(o.offences[GUTS_GOSSIP_BROKEN_PROMISE], 0);
}

static void
unanswered_question_is_repeated(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(3);
	one_sign(&o, &m, 9, "t", S("x"));
	one_ihave(&o, 0, "t", m.id);
	one_ihave(&o, 1, "t", m.id);
	one_pass(&o, 3 * ONE_S);
	assert_true(o.said[0].iwant >= 1 && o.said[1].iwant >= 1);
	one_pass(&o, 10 * ONE_S);
	assert_int_equal(o.said[0].iwant, 3); /* each as often as it would answer */
	assert_int_equal(o.said[1].iwant, 3);
	assert_int_equal(o.offences[GUTS_GOSSIP_BROKEN_PROMISE], 2);
	assert_int_equal(one_stats(&o).broken_promises, 2);
	assert_int_equal(one_stats(&o).wants, 0);
	one_send(&o, 2, &m); /* late is not lost */
	assert_int_equal(o.delivered, 1);
}

static void
sleep_breaks_no_promise(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(2);
	one_sign(&o, &m, 9, "t", S("x"));
	one_ihave(&o, 0, "t", m.id);
	o.now += 3600 * ONE_S; /* the machine slept */
	guts_gossip_tick(o.g, o.now);
	assert_int_equal(o.offences[GUTS_GOSSIP_BROKEN_PROMISE], 0);
	assert_true(guts_gossip_deadline(o.g) > o.now);
	one_send(&o, 0, &m);
	assert_int_equal(o.delivered, 1);
}

static void
answers_are_counted(void **state)
{
	struct one_message m;

	(void)state;
	join_mesh(2);
	one_sign(&o, &m, 9, "t", S("x"));
	one_send(&o, 0, &m);
	one_forget(&o);
	for (int i = 0; i < 10; i++)
		one_iwant(&o, 1, m.id);
	one_pull(&o, 1);
	assert_int_equal(o.said[1].messages, 3);
	one_pass(&o, ONE_S);
	one_iwant(&o, 1, m.id);
	one_pull(&o, 1);
	assert_int_equal(o.said[1].messages, 3);
}

static void
announcements_follow_the_schedule(void **state)
{
	struct one_message m;
	size_t outside = 0;

	(void)state;
	join_mesh(12); /* the mesh is full */
	for (unsigned i = 20; i < 24; i++) {
		one_add(&o, i, false, GUTS_GOSSIP_MESHSUB_11);
		one_sub(&o, i, "t", true);
	}
	one_pass(&o, 2 * ONE_S);
	one_sign(&o, &m, 40, "t", S("x"));
	one_send(&o, 0, &m);
	one_forget(&o);
	one_pass(&o,
		 3 * ONE_S); /* three times to everybody outside, as they are fewer than D_lazy */
	for (unsigned i = 20; i < 24; i++)
		outside += o.said[i].ihave;
	assert_int_equal(outside, 12);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(o.said[i].ihave, 0);
	one_pass(&o, ONE_S); /* once more, to D_lazy of all */
	outside = 0;
	for (unsigned i = 0; i < 24; i++)
		outside += o.said[i].ihave;
	assert_int_equal(outside, 12 + 6);
}

/* `n` ids nobody ever saw, in entries of at most 1,000. */
static void
flood_ihave(unsigned peer, unsigned n, uint32_t first)
{
	uint8_t(*ids)[32] = guts_calloc(n, sizeof *ids);
	struct guts_slice *v = guts_calloc(n, sizeof *v);
	struct guts_rpc_ihave e = {S("t"), {v, n}};
	struct guts_rpc rpc = {.has_control = true, .control.ihave = {&e, 1}};

	for (unsigned i = 0; i < n; i++) {
		uint32_t number = first + i;

		memcpy(ids[i], &number, sizeof number);
		ids[i][31] = (uint8_t)peer;
		v[i] = guts_slice(ids[i], 32);
	}
	assert_int_equal(one_recv(&o, peer, &rpc), 0);
	free(v);
	free(ids);
}

static void
ihave_flood_is_bounded(void **state)
{
	struct guts_gossip_config cfg = {.wants_max = 3000};

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	join_mesh(3);
	for (unsigned i = 0; i < 11; i++)
		flood_ihave(0, 10, i * 10);
	assert_int_equal(o.offences[GUTS_GOSSIP_IHAVE_FLOOD], 1);
	one_pull_all(&o);
	assert_int_equal(o.said[0].iwant, 100);

	for (unsigned i = 0; i < 9; i++) /* over 5,000 ids in one heartbeat */
		flood_ihave(1, 1000, i * 1000);
	assert_int_equal(o.offences[GUTS_GOSSIP_IHAVE_FLOOD], 2);
	one_pull_all(&o);
	assert_true(one_stats(&o).wants <= 3000 + 1000);
	assert_true(o.said[1].iwant <= 3000);
	flood_ihave(2, 500, 0); /* another one still has its share */
	one_pull_all(&o);
	assert_int_equal(o.said[2].iwant, 500);
	one_pass(&o, 20 * ONE_S);
	assert_int_equal(one_stats(&o).wants, 0);
	assert_true(o.offences[GUTS_GOSSIP_BROKEN_PROMISE] > 0);
}

static void
iwant_and_control_floods_are_bounded(void **state)
{
	struct guts_gossip_config cfg = {.iwant_ids_max = 100, .control_max = 500};
	uint8_t id[32] = {1};

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	join_mesh(2);
	for (int i = 0; i < 150; i++)
		one_iwant(&o, 0, id);
	assert_int_equal(o.offences[GUTS_GOSSIP_IWANT_FLOOD], 1);
	for (int i = 0; i < 600; i++)
		one_idontwant(&o, 1, id);
	assert_int_equal(o.offences[GUTS_GOSSIP_CONTROL_FLOOD], 1);
	one_pass(&o, ONE_S);
	one_idontwant(&o, 1, id);
	assert_int_equal(o.offences[GUTS_GOSSIP_CONTROL_FLOOD], 1);
}

/* --- frames -------------------------------------------------------------- */

static void
frames_may_be_cut_anywhere(void **state)
{
	struct guts_buf b;
	struct one_message m[3];
	struct guts_rpc_message raw;
	struct guts_rpc rpc = {.publish = {&raw, 1}};
	struct guts_slice all;

	(void)state;
	join_mesh(2);
	for (size_t step = 1; step < 400; step += 37) {
		uint8_t data[3] = {0, 0, (uint8_t)step};

		guts_buf_init(&b, 1u << 20);
		for (uint8_t i = 0; i < 3; i++) {
			data[0] = i;
			one_sign(&o, &m[i], 9, "t", guts_slice(data, 3));
			raw = m[i].raw;
			guts_pb_encode_framed(&guts_rpc_desc, &rpc, &b);
			guts_buf_add_u8(&b, 0); /* an empty RPC */
		}
		all = guts_buf_slice(&b);
		o.delivered = 0;
		while (all.n > 0) {
			size_t n = all.n < step ? all.n : step;

			assert_int_equal(one_recv_bytes(&o, 0, guts_slice(all.p, n)), 0);
			all = guts_slice(all.p + n, all.n - n);
		}
		assert_int_equal(o.delivered, 3);
		guts_buf_deinit(&b);
	}
	/* Half a frame is forgotten with its stream. */
	assert_int_equal(one_recv_bytes(&o, 0, S("\x20\x0a")), 0);
	guts_gossip_in_reset(o.g, &o.peers[0].id);
	one_sub(&o, 0, "u", true);
	assert_int_equal(one_topic(&o, "u").peers, 1);
}

static void
broken_bytes_end_the_stream(void **state)
{
	static const uint8_t overlong[] = {0x80, 0x00}, nonsense[] = {3, 0x12, 0x70, 1};
	uint8_t huge[9], big[16] = {0};
	size_t n;

	(void)state;
	join_mesh(3);
	assert_int_equal(one_recv_bytes(&o, 0, guts_slice(overlong, 2)), GUTS_EPROTO);
	assert_int_equal(one_recv_bytes(&o, 0, guts_slice(nonsense, 4)), GUTS_EPROTO);
	assert_int_equal(o.offences[GUTS_GOSSIP_UNDECODABLE], 2);
	n = guts_uvarint_write(huge, (1u << 20) + 1);
	assert_int_equal(one_recv_bytes(&o, 0, guts_slice(huge, n)), GUTS_ELIMIT);
	for (size_t i = 0; i < n; i++) /* told before any byte of it is kept */
		assert_int_equal(one_recv_bytes(&o, 1, guts_slice(huge + i, 1)),
				 i + 1 < n ? GUTS_OK : GUTS_ELIMIT);
	assert_int_equal(o.offences[GUTS_GOSSIP_OVERSIZED], 2);

	/* Frames beyond 64 KiB only while there is room for all of them. */
	n = guts_uvarint_write(big, 1u << 20);
	for (unsigned i = 10; i < 17; i++) {
		one_add(&o, i, false, GUTS_GOSSIP_MESHSUB_11);
		assert_int_equal(one_recv_bytes(&o, i, guts_slice(big, n)), 0);
	}
	one_add(&o, 17, false, GUTS_GOSSIP_MESHSUB_11);
	assert_int_equal(one_recv_bytes(&o, 17, guts_slice(big, n)), GUTS_EBUSY);
	one_remove(&o, 10);
	assert_int_equal(one_recv_bytes(&o, 17, guts_slice(big, n)), 0);
	n = guts_uvarint_write(big, 60000);
	assert_int_equal(one_recv_bytes(&o, 2, guts_slice(big, n)), 0);
}

static void
oversized_message_is_skipped(void **state)
{
	uint8_t *data = guts_alloc(GUTS_GOSSIP_DATA_MAX + 1);
	struct one_message m;
	struct guts_buf b;
	uint8_t head[16];
	size_t n;

	(void)state;
	join_mesh(2);
	one_sign(&o, &m, 9, "t", guts_slice(data, GUTS_GOSSIP_DATA_MAX));
	assert_int_equal(one_send(&o, 0, &m), 0);
	assert_int_equal(o.delivered, 1);

	/* One byte more cannot be encoded by our tables: by hand. */
	guts_buf_init(&b, 1u << 20);
	n = guts_uvarint_write(head, GUTS_GOSSIP_DATA_MAX + 1);
	guts_buf_add_uvarint(&b, 1 + guts_uvarint_size(1 + n + GUTS_GOSSIP_DATA_MAX + 1) + 1 + n +
					 GUTS_GOSSIP_DATA_MAX + 1);
	guts_buf_add_u8(&b, 0x12);
	guts_buf_add_uvarint(&b, 1 + n + GUTS_GOSSIP_DATA_MAX + 1);
	guts_buf_add_u8(&b, 0x12);
	guts_buf_add(&b, head, n);
	guts_buf_add(&b, data, GUTS_GOSSIP_DATA_MAX + 1);
	assert_int_equal(one_recv_bytes(&o, 0, guts_buf_slice(&b)), 0);
	assert_int_equal(o.offences[GUTS_GOSSIP_OVERSIZED], 1);
	one_sign(&o, &m, 9, "t", S("next"));
	assert_int_equal(one_send(&o, 0, &m), 0);
	assert_int_equal(o.delivered, 2);
	guts_buf_deinit(&b);
	free(data);
}

static void
output_is_split(void **state)
{
	uint8_t data[1000] = {0}, id[32];

	(void)state;
	join_mesh(2);
	o.stuck[0] = true;
	for (unsigned i = 0; i < 200; i++) {
		data[0] = (uint8_t)i;
		assert_int_equal(guts_gossip_publish(o.g, S("t"), guts_slice(data, sizeof data), 1,
						     o.now, id),
				 0);
	}
	one_pull(&o, 0);
	assert_int_equal(o.said[0].messages, 200);
	assert_true(o.said[0].frames >= 4);
	assert_true(o.said[0].largest <= GUTS_GOSSIP_RPC_MAX);
	for (unsigned i = 0; i < 1000; i++) {
		char name[200];

		memset(name, 'x', sizeof name);
		name[199] = 0;
		name[0] = (char)('a' + i / 100);
		name[1] = (char)('a' + i / 10 % 10);
		name[2] = (char)('a' + i % 10);
		assert_int_equal(guts_gossip_subscribe(o.g, S(name), o.now), 0);
	}
	one_pull(&o, 0);
	assert_int_equal(o.said[0].subscribe, 1000);
	assert_true(o.said[0].largest <= GUTS_GOSSIP_RPC_MAX);
}

/* --- queues -------------------------------------------------------------- */

static void
slow_reader_costs_its_cap(void **state)
{
	uint8_t data[4000] = {0}, id[32];
	struct guts_gossip_stats s;
	size_t got;

	(void)state;
	join_mesh(2);
	o.stuck[0] = true;
	for (unsigned i = 0; i < 200; i++) {
		data[0] = (uint8_t)i;
		guts_gossip_publish(o.g, S("t"), guts_slice(data, sizeof data), 1, o.now, id);
		one_pull(&o, 1);
	}
	s = one_stats(&o);
	assert_true(s.queue_drops > 100);
	assert_int_equal(o.said[1].messages, 200);
	gossip_check(o.g); /* the queue is within its cap */
	one_pull(&o, 0);
	got = o.said[0].messages;
	assert_true(got >= 50 && got < 80);
	one_pass(&o, ONE_S);
	one_pull(&o, 0); /* what it missed is announced, although it is in the mesh */
	assert_true(o.said[0].ihave >= 200 - got);
	one_iwant(&o, 0, id);
	one_pull(&o, 0);
	assert_int_equal(o.said[0].messages, got + 1);
}

static void
ihave_goes_first(void **state)
{
	uint8_t data[4000] = {0}, id[32];

	(void)state;
	assert_int_equal(guts_gossip_subscribe(o.g, S("t"), o.now), 0);
	for (unsigned i = 0; i < 100; i++) {
		data[1] = (uint8_t)i;
		guts_gossip_publish(o.g, S("t"), guts_slice(data, 300), 1, o.now, id);
	}
	one_add(&o, 0, true, GUTS_GOSSIP_MESHSUB_12);
	one_sub(&o, 0, "t", true);
	o.stuck[0] = true;
	one_pass(&o, 2 * ONE_S); /* an announcement waits */
	assert_true(one_stats(&o).ihave_sent >= 100);
	for (unsigned i = 0; i < 100; i++) {
		data[0] = (uint8_t)i;
		guts_gossip_publish(o.g, S("t"), guts_slice(data, sizeof data), 1, o.now, id);
	}
	one_pull(&o, 0);
	assert_int_equal(o.said[0].ihave, 0);
	assert_true(o.said[0].messages >= 60);
	one_pass(&o, 2 * ONE_S);
	one_pull(&o, 0);
	assert_true(o.said[0].ihave >= 100); /* but not for good */
}

static void
who_never_reads_is_reported(void **state)
{
	struct guts_gossip_config cfg = {.queue_bytes_max = 4096};

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	one_add(&o, 0, true, GUTS_GOSSIP_MESHSUB_12);
	for (unsigned i = 0; i < 500; i++) {
		guts_gossip_subscribe(o.g, S("t"), o.now);
		guts_gossip_unsubscribe(o.g, S("t"), o.now);
	}
	assert_int_equal(o.offences[GUTS_GOSSIP_STALLED], 1);
	guts_gossip_subscribe(o.g, S("t"), o.now);
	guts_gossip_out_reset(o.g, &o.peers[0].id, o.now); /* a new stream: all is told again */
	one_pull(&o, 0);
	assert_int_equal(o.said[0].subscribe, 1);
	assert_int_equal(o.said[0].unsubscribe, 0);
}

static void
caches_are_bounded(void **state)
{
	struct guts_gossip_config cfg = {.cache_bytes_max = 20000, .seen_max = 64};
	struct one_message m, first;
	uint8_t data[500] = {0};

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	join_mesh(2);
	one_sign(&o, &first, 9, "t", S("first"));
	one_send(&o, 0, &first);
	for (unsigned i = 0; i < 200; i++) {
		data[0] = (uint8_t)i;
		one_sign(&o, &m, 9, "t", guts_slice(data, sizeof data));
		one_send(&o, 0, &m);
	}
	assert_true(one_stats(&o).cached_bytes <= 20000);
	assert_int_equal(one_stats(&o).seen, 64);
	one_send(&o, 0, &m); /* the newest are kept */
	assert_int_equal(o.delivered, 201);
	one_forget(&o);
	one_iwant(&o, 1, first.id);
	one_pull(&o, 1);
	assert_int_equal(o.said[1].messages, 0);
	one_pass(&o, 200 * ONE_S);
	assert_int_equal(one_stats(&o).seen, 0);
	assert_int_equal(one_stats(&o).cached, 0);
}

/* A cached message whose id the full seen cache forgot is still a duplicate. */
static void
cache_backs_up_seen(void **state)
{
	struct guts_gossip_config cfg = {.seen_max = 4};
	struct one_message m[10];

	(void)state;
	one_deinit(&o);
	one_init(&o, &cfg);
	join_mesh(2);
	for (unsigned i = 0; i < 10; i++) {
		one_sign(&o, &m[i], 9, "t", guts_slice(&"0123456789"[i], 1));
		one_send(&o, 0, &m[i]);
	}
	one_send(&o, 1, &m[0]);
	assert_int_equal(o.delivered, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(announced_message_is_fetched, setup, teardown),
		cmocka_unit_test_setup_teardown(unanswered_question_is_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(sleep_breaks_no_promise, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(announcements_follow_the_schedule, setup, teardown),
		cmocka_unit_test_setup_teardown(ihave_flood_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(iwant_and_control_floods_are_bounded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(frames_may_be_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_bytes_end_the_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(oversized_message_is_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(output_is_split, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_reader_costs_its_cap, setup, teardown),
		cmocka_unit_test_setup_teardown(ihave_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(who_never_reads_is_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(caches_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(cache_backs_up_seen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
