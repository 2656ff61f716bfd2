/* tests/unit/test_yamux.c - two sessions joined by a byte pipe, and one against hand-made frames. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "mux/yamux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)

/* One end: a session and what its streams saw. */
struct end {
	struct guts_yamux *y;
	struct guts_ystream *in[600];
	size_t n_in, seen_bytes, take_max, bulk_left, closed, eofs, wakes;
	int last_err;
	bool refuse, echo;
	uint32_t goaway;
	struct guts_buf got;
};

struct pair {
	struct end a, b;
	uint64_t now;
	struct guts_rng rng;
};

static size_t
on_data(void *owner, struct guts_ystream *s, struct guts_slice data)
{
	struct end *e = owner;
	size_t n = data.n < e->take_max ? data.n : e->take_max;

	if (e->echo) {
		n = data.n;
		assert_int_equal(guts_ystream_send(s, data), 0);
	}
	e->seen_bytes += n;
	guts_buf_add(&e->got, data.p, n);
	return n;
}

static void
on_eof(void *owner, struct guts_ystream *s)
{
	struct end *e = owner;

	e->eofs++;
	if (e->echo)
		guts_ystream_finish(s);
}

static size_t
on_pull(void *owner, struct guts_ystream *s, uint8_t *out, size_t max)
{
	struct end *e = owner;
	size_t n = max < e->bulk_left ? max : e->bulk_left;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((e->bulk_left - i) * 7);
	e->bulk_left -= n;
	if (e->bulk_left == 0)
		guts_ystream_finish(s);
	return n;
}

static void
on_closed(void *owner, struct guts_ystream *s, int err)
{
	struct end *e = owner;

	(void)s;
	e->closed++;
	e->last_err = err;
}

static const struct guts_ystream_events stream_events = { on_data, on_eof, on_pull, on_closed };

static bool
on_incoming(void *owner, struct guts_ystream *s)
{
	struct end *e = owner;

	if (e->refuse)
		return false;
	assert_true(e->n_in < 600);
	e->in[e->n_in++] = s;
	guts_ystream_set_events(s, &stream_events, e);
	return true;
}

static void
on_wake(void *owner)
{
	((struct end *)owner)->wakes++;
}

static void
on_goaway(void *owner, uint32_t code)
{
	((struct end *)owner)->goaway = code + 100;
}

static const struct guts_yamux_events events = { on_incoming, on_wake, on_goaway };

static void
end_init(struct end *e, struct guts_yamux_config cfg, bool client)
{
	memset(e, 0, sizeof(*e));
	guts_buf_init(&e->got, 64u << 20);
	e->take_max = SIZE_MAX;
	e->last_err = 1;
	cfg.client = client;
	e->y = guts_yamux_new(&cfg, &events, e, S);
}

static void
pair_init(struct pair *p, struct guts_yamux_config cfg)
{
	memset(p, 0, sizeof(*p));
	p->now = S;
	guts_rng_seed(&p->rng, 1);
	end_init(&p->a, cfg, true);
	end_init(&p->b, cfg, false);
}

static void
pair_deinit(struct pair *p)
{
	guts_yamux_free(p->a.y);
	guts_yamux_free(p->b.y);
	guts_buf_deinit(&p->a.got);
	guts_buf_deinit(&p->b.got);
}

/* Carry at most `max` bytes in pieces of random size; returns what was carried. */
static size_t
carry(struct pair *p, struct end *from, struct end *to, size_t max)
{
	static uint8_t buf[65519];
	size_t n = guts_yamux_pull(from->y, buf, max < sizeof(buf) ? max : sizeof(buf), p->now);

	for (size_t at = 0; at < n;) {
		size_t step = 1 + guts_rng_below(&p->rng, n - at < 4096 ? n - at : 30000);

		if (step > n - at)
			step = n - at;
		assert_int_equal(guts_yamux_recv(to->y, guts_slice(buf + at, step), p->now), 0);
		at += step;
	}
	guts_yamux_poll(to->y, p->now);
	return n;
}

/* Until both have nothing more to say; each round trip takes `rtt_ns`. */
static void
settle(struct pair *p, uint64_t rtt_ns)
{
	for (int i = 0; i < 100000; i++) {
		size_t n = carry(p, &p->a, &p->b, SIZE_MAX);

		p->now += rtt_ns / 2;
		n += carry(p, &p->b, &p->a, SIZE_MAX);
		p->now += rtt_ns / 2;
		if (n == 0)
			return;
	}
	fail_msg("no end");
}

static struct guts_ystream *
open_stream(struct end *e)
{
	struct guts_ystream *s = NULL;

	assert_int_equal(guts_ystream_open(e->y, &stream_events, e, &s), 0);
	return s;
}

static void
message_echo_and_close(void **state)
{
	struct pair p;
	struct guts_ystream *s;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	p.b.echo = true;
	s = open_stream(&p.a);
	assert_int_equal(guts_ystream_id(s), 1);
	assert_int_equal(guts_ystream_send(s, guts_slice_str("hello")), 0);
	guts_ystream_finish(s);
	settle(&p, 10 * MS);
	assert_true(guts_slice_eq(guts_buf_slice(&p.a.got), guts_slice_str("hello")));
	assert_int_equal(p.a.closed, 1);
	assert_int_equal(p.b.closed, 1);
	assert_int_equal(p.a.last_err, 0);
	assert_int_equal(p.b.last_err, 0);
	assert_int_equal(guts_yamux_streams(p.a.y) + guts_yamux_streams(p.b.y), 0);
	assert_int_equal(guts_yamux_rtt_ns(p.a.y), 5 * MS);
	pair_deinit(&p);
}

static void
bulk_arrives_whole(void **state)
{
	const size_t total = 9 << 20;
	struct pair p;
	struct guts_ystream *s;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	s = open_stream(&p.a);
	guts_ystream_set_prio(s, GUTS_PRIO_BULK);
	p.a.bulk_left = total;
	guts_ystream_want_write(s);
	settle(&p, MS);
	assert_int_equal(p.b.got.len, total);
	for (size_t i = 0; i < total; i += 997)
		assert_int_equal(guts_buf_slice(&p.b.got).p[i], (uint8_t)((total - i) * 7));
	assert_int_equal(p.b.eofs, 1);
	assert_int_equal(guts_yamux_unread_bytes(p.b.y), 0);
	pair_deinit(&p);
}

static void
paused_reader_stops_the_writer_at_the_window(void **state)
{
	struct pair p;
	struct guts_ystream *s;
	size_t taken;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	s = open_stream(&p.a);
	p.a.bulk_left = 1 << 20;
	guts_ystream_want_write(s);
	carry(&p, &p.a, &p.b, 128);
	guts_ystream_pause(p.b.in[0], true);
	taken = p.b.got.len;
	settle(&p, MS);
	assert_int_equal(guts_yamux_unread_bytes(p.b.y), GUTS_YAMUX_WINDOW_START);
	assert_int_equal(p.a.bulk_left, (1 << 20) - GUTS_YAMUX_WINDOW_START - taken);
	guts_ystream_pause(p.b.in[0], false);
	guts_yamux_poll(p.b.y, p.now);
	settle(&p, MS);
	assert_int_equal(p.b.got.len, 1 << 20);
	assert_int_equal(p.b.eofs, 1);
	pair_deinit(&p);
}

static void
reader_that_takes_little_gets_the_rest_again(void **state)
{
	struct pair p;
	struct guts_ystream *s;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	p.b.take_max = 0;
	s = open_stream(&p.a);
	guts_ystream_send(s, guts_slice_str("abcdefgh"));
	guts_ystream_finish(s);
	settle(&p, MS);
	assert_int_equal(p.b.eofs, 0);
	p.b.take_max = 3;
	for (int i = 0; i < 4; i++) {
		guts_ystream_pause(p.b.in[0], true);
		guts_ystream_pause(p.b.in[0], false);
		guts_yamux_poll(p.b.y, p.now);
	}
	assert_true(guts_slice_eq(guts_buf_slice(&p.b.got), guts_slice_str("abcdefgh")));
	assert_int_equal(p.b.eofs, 1);
	pair_deinit(&p);
}

static void
need_opens_the_window_for_one_long_message(void **state)
{
	struct pair p;
	struct guts_ystream *s;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	s = open_stream(&p.a);
	p.a.bulk_left = 900000;
	guts_ystream_want_write(s);
	carry(&p, &p.a, &p.b, 76);
	p.b.take_max = 0;
	assert_int_equal(guts_ystream_need(p.b.in[0], 800000), 0);
	assert_int_equal(guts_ystream_need(p.b.in[0], GUTS_YAMUX_WINDOW_MAX + 1), GUTS_ELIMIT);
	settle(&p, MS);
	assert_true(guts_yamux_unread_bytes(p.b.y) >= 800000 - 64);
	pair_deinit(&p);
}

static void
window_grows_on_a_long_path(void **state)
{
	struct pair p;
	struct guts_ystream *s;
	uint64_t from;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	settle(&p, 100 * MS);
	from = p.now;
	s = open_stream(&p.a);
	p.a.bulk_left = 32 << 20;
	guts_ystream_want_write(s);
	/* One whole window per round trip: with 256 KiB it would take 128 of them. */
	while (p.b.eofs == 0) {
		while (carry(&p, &p.a, &p.b, SIZE_MAX) > 0)
			;
		p.now += 100 * MS;
		while (carry(&p, &p.b, &p.a, SIZE_MAX) > 0)
			;
	}
	assert_true(p.now - from < 20 * 100 * MS);
	pair_deinit(&p);
}

static void
over_the_budget_the_largest_is_cut(void **state)
{
	struct guts_recv_budget budget = { .max = 500000 };
	struct guts_yamux_config cfg = { .budget = &budget, .recv_max = 400000 };
	struct pair p;
	struct guts_ystream *big, *small;

	(void)state;
	pair_init(&p, cfg);
	p.b.take_max = 0;
	big = open_stream(&p.a);
	small = open_stream(&p.a);
	for (int i = 0; i < 20; i++) {
		guts_ystream_send(small, guts_slice((uint8_t[9000]){ 0 }, 9000));
		guts_ystream_send(big, guts_slice((uint8_t[12000]){ 0 }, 12000));
	}
	settle(&p, MS);
	assert_int_equal(p.b.closed, 1);
	assert_int_equal(p.b.last_err, GUTS_ELIMIT);
	assert_int_equal(p.a.closed, 1);
	assert_int_equal(p.a.last_err, GUTS_ECLOSED);
	assert_int_equal(guts_yamux_unread_bytes(p.b.y), 180000);
	assert_int_equal(budget.used, 180000);
	assert_int_equal(guts_yamux_streams(p.a.y), 1);
	pair_deinit(&p);
	assert_int_equal(budget.used, 0);
	assert_int_equal(budget.grown, 0);
	assert_null(budget.members);
}

static void
node_budget_cuts_the_fullest_session(void **state)
{
	struct guts_recv_budget budget = { .max = 300000 };
	struct guts_yamux_config cfg = { .budget = &budget };
	struct pair p, q;

	(void)state;
	pair_init(&p, cfg);
	pair_init(&q, cfg);
	p.b.take_max = q.b.take_max = 0;
	guts_ystream_send(open_stream(&p.a), guts_slice((uint8_t[200000]){ 0 }, 200000));
	settle(&p, MS);
	guts_ystream_send(open_stream(&q.a), guts_slice((uint8_t[150000]){ 0 }, 150000));
	settle(&q, MS);
	assert_true(p.b.wakes > 0);
	guts_yamux_poll(p.b.y, p.now);
	settle(&p, MS);
	assert_int_equal(p.b.last_err, GUTS_ELIMIT);
	assert_int_equal(q.b.closed, 0);
	assert_int_equal(budget.used, 150000);
	pair_deinit(&p);
	pair_deinit(&q);
}

static void
urgent_overtakes_bulk_and_bulk_is_fair(void **state)
{
	uint8_t buf[65519];
	struct pair p;
	struct guts_ystream *bulk[2], *msg;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	for (int i = 0; i < 2; i++) {
		bulk[i] = open_stream(&p.a);
		guts_ystream_set_prio(bulk[i], GUTS_PRIO_BULK);
		guts_ystream_send(bulk[i], guts_slice((uint8_t[200000]){ 0 }, 200000));
	}
	carry(&p, &p.a, &p.b, 64);
	msg = open_stream(&p.a);
	guts_ystream_send(msg, guts_slice_str("now"));
	assert_true(guts_yamux_pull(p.a.y, buf, sizeof(buf), p.now) > 1000);
	/* SYN of the message's stream, its data, then bulk fills the rest. */
	assert_int_equal(buf[1], 1);
	assert_int_equal(buf[7], guts_ystream_id(msg));
	assert_memory_equal(buf + 24, "now", 3);
	assert_int_equal(buf[27 + 7], guts_ystream_id(bulk[1]));
	guts_yamux_pull(p.a.y, buf, sizeof(buf), p.now);
	assert_int_equal(buf[7], guts_ystream_id(bulk[0]));
	assert_int_equal(buf[9] << 16 | buf[10] << 8 | buf[11], GUTS_YAMUX_FRAME_MAX);
	guts_yamux_pull(p.a.y, buf, sizeof(buf), p.now);
	assert_int_equal(buf[7], guts_ystream_id(bulk[1]));
	pair_deinit(&p);
}

static void
reset_reaches_the_other_side(void **state)
{
	struct pair p;
	struct guts_ystream *s, *t;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	s = open_stream(&p.a);
	guts_ystream_send(s, guts_slice_str("x"));
	settle(&p, MS);
	guts_ystream_reset(s, 77);
	settle(&p, MS);
	assert_int_equal(p.b.closed, 1);
	assert_int_equal(p.b.last_err, GUTS_ECLOSED);
	assert_int_equal(p.a.closed, 0);
	/* Opened and dropped before anything was sent: nothing is heard of it. */
	t = open_stream(&p.a);
	guts_ystream_reset(t, 0);
	settle(&p, MS);
	assert_int_equal(p.b.n_in, 1);
	/* Refused by the listener. */
	p.b.refuse = true;
	open_stream(&p.a);
	settle(&p, MS);
	assert_int_equal(p.a.closed, 1);
	assert_int_equal(p.a.last_err, GUTS_ECLOSED);
	pair_deinit(&p);
}

static void
limits_of_streams(void **state)
{
	struct guts_yamux_config cfg = { .streams_max = 10 };
	struct pair p;
	struct guts_ystream *s;

	(void)state;
	pair_init(&p, cfg);
	for (int i = 0; i < GUTS_YAMUX_UNACKED_MAX; i++)
		s = open_stream(&p.a);
	assert_int_equal(guts_ystream_open(p.a.y, &stream_events, &p.a, &s), GUTS_EBUSY);
	settle(&p, MS);
	assert_int_equal(p.b.n_in, 10);
	assert_int_equal(p.a.closed, GUTS_YAMUX_UNACKED_MAX - 10);
	assert_int_equal(guts_yamux_streams(p.a.y), 10);
	pair_deinit(&p);
}

static void
goaway_stops_new_streams_only(void **state)
{
	struct pair p;
	struct guts_ystream *s, *t;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	s = open_stream(&p.a);
	settle(&p, MS);
	guts_yamux_goaway(p.b.y, GUTS_GOAWAY_NORMAL);
	settle(&p, MS);
	assert_int_equal(p.a.goaway, 100);
	assert_int_equal(guts_ystream_open(p.a.y, &stream_events, &p.a, &t), GUTS_ECLOSED);
	assert_int_equal(guts_ystream_open(p.b.y, &stream_events, &p.b, &t), GUTS_ECLOSED);
	guts_ystream_send(s, guts_slice_str("still"));
	settle(&p, MS);
	assert_int_equal(p.b.got.len, 5);
	pair_deinit(&p);
}

static void
silence_ends_the_session(void **state)
{
	uint8_t buf[256];
	struct pair p;

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	settle(&p, MS);
	p.now = guts_yamux_deadline(p.a.y);
	assert_true(p.now > 29 * S);
	assert_int_equal(guts_yamux_tick(p.a.y, p.now), 0);
	assert_int_equal(guts_yamux_pull(p.a.y, buf, sizeof(buf), p.now), 12);
	assert_int_equal(guts_yamux_deadline(p.a.y), p.now + 10 * S);
	assert_int_equal(guts_yamux_tick(p.a.y, p.now + 10 * S - 1), 0);
	assert_int_equal(guts_yamux_tick(p.a.y, p.now + 10 * S), GUTS_ETIMEOUT);
	pair_deinit(&p);
}

static int
verdict(const void *bytes, size_t n)
{
	struct end e;
	int err;

	end_init(&e, (struct guts_yamux_config){ 0 }, false);
	err = guts_yamux_recv(e.y, guts_slice(bytes, n), S);
	guts_yamux_free(e.y);
	guts_buf_deinit(&e.got);
	return err;
}

#define FRAME(type, flags, id, len) \
	{ 0, type, 0, flags, 0, 0, 0, id, (len) >> 24, (len) >> 16 & 255, (len) >> 8 & 255, (len) & 255 }

static void
broken_frames_end_the_session(void **state)
{
	static const uint8_t cases[][24] = {
		{ 1 },                                        /* version */
		FRAME(4, 0, 0, 0),                            /* type */
		FRAME(0, 1, 2, 0),                            /* even id of a dialer */
		FRAME(0, 1, 0, 0),                            /* stream 0 */
		FRAME(2, 1, 1, 0),                            /* ping on a stream */
		FRAME(0, 1, 1, (256 << 10) + 1),              /* over the window */
		{ 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0 }, /* SYN twice */
		{ 0, 1, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff },
	};
	static const uint8_t fine[][24] = {
		{ 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 8, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff }, /* RST with a code */
		{ 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 12 }, /* data of a stream that is gone */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(verdict(cases[i], 24), GUTS_EPROTO);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		assert_int_equal(verdict(fine[i], 24), 0);
}

static void
floods_end_the_session(void **state)
{
	static const uint8_t kinds[][12] = {
		FRAME(2, 1, 0, 7), /* ping */
		FRAME(1, 0, 1, 0), /* window update for no stream */
		FRAME(0, 0, 1, 0), /* empty data */
	};
	uint8_t *many = guts_alloc(12 * 3000);

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < 3000; i++)
			memcpy(many + 12 * i, kinds[k], 12);
		assert_int_equal(verdict(many, 12 * 100), 0);
		assert_int_equal(verdict(many, 12 * 3000), GUTS_ELIMIT);
	}
	free(many);
}

static void
many_streams_both_ways_against_a_model(void **state)
{
	struct pair p;
	struct guts_ystream *s[2][50];
	size_t sent[2] = { 0 };

	(void)state;
	pair_init(&p, (struct guts_yamux_config){ 0 });
	for (int i = 0; i < 50; i++) {
		s[0][i] = open_stream(&p.a);
		s[1][i] = open_stream(&p.b);
	}
	for (int round = 0; round < 2000; round++) {
		int side = (int)guts_rng_below(&p.rng, 2);
		size_t n = guts_rng_below(&p.rng, 20000);
		uint8_t *data = guts_alloc(n);

		if (guts_ystream_send(s[side][guts_rng_below(&p.rng, 50)], guts_slice(data, n)) == 0)
			sent[side] += n;
		free(data);
		carry(&p, &p.a, &p.b, 64 + guts_rng_below(&p.rng, 60000));
		carry(&p, &p.b, &p.a, 64 + guts_rng_below(&p.rng, 60000));
		p.now += MS;
	}
	for (int i = 0; i < 50; i++) {
		guts_ystream_finish(s[0][i]);
		guts_ystream_finish(s[1][i]);
	}
	settle(&p, MS);
	assert_int_equal(p.b.seen_bytes, sent[0]);
	assert_int_equal(p.a.seen_bytes, sent[1]);
	assert_int_equal(p.a.eofs, 50);
	assert_int_equal(p.b.eofs, 50);
	pair_deinit(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_echo_and_close),
		cmocka_unit_test(bulk_arrives_whole),
		cmocka_unit_test(paused_reader_stops_the_writer_at_the_window),
		cmocka_unit_test(reader_that_takes_little_gets_the_rest_again),
		cmocka_unit_test(need_opens_the_window_for_one_long_message),
		cmocka_unit_test(window_grows_on_a_long_path),
		cmocka_unit_test(over_the_budget_the_largest_is_cut),
		cmocka_unit_test(node_budget_cuts_the_fullest_session),
		cmocka_unit_test(urgent_overtakes_bulk_and_bulk_is_fair),
		cmocka_unit_test(reset_reaches_the_other_side),
		cmocka_unit_test(limits_of_streams),
		cmocka_unit_test(goaway_stops_new_streams_only),
		cmocka_unit_test(silence_ends_the_session),
		cmocka_unit_test(broken_frames_end_the_session),
		cmocka_unit_test(floods_end_the_session),
		cmocka_unit_test(many_streams_both_ways_against_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
