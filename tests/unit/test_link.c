/* tests/unit/test_link.c - two links over a pipe in memory, and links against strangers. */
#include "base/alloc.h"
#include "memenv.h"
#include "transport/link.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PORT 4001

struct side {
	struct memnet *net;
	struct guts_env *env;
	struct guts_key key;
	struct guts_link_context *ctx;
	struct guts_link *link;
	struct guts_listener *listener;
	int ups, downs, down_err, released;
	bool refuse_streams;
	/* streams */
	struct guts_stream *s;
	char opened[64];
	int eofs, closes, close_err;
	struct guts_buf got;
	size_t bulk_left;
	bool echo, hold;
};

struct world {
	struct memnet *net;
	struct side a, b;
};

static size_t
on_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct side *d = owner;

	if (d->hold)
		return 0;
	if (d->echo)
		assert_int_equal(guts_stream_send(s, data), 0);
	guts_buf_add_slice(&d->got, data);
	return data.n;
}

static void
on_open(void *owner, struct guts_stream *s, const char *protocol)
{
	struct side *d = owner;

	(void)s;
	snprintf(d->opened, sizeof(d->opened), "%s", protocol);
}

static void
on_eof(void *owner, struct guts_stream *s)
{
	struct side *d = owner;

	d->eofs++;
	if (d->echo)
		guts_stream_finish(s);
}

static size_t
on_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	struct side *d = owner;
	size_t n = max < d->bulk_left ? max : d->bulk_left;

	memset(out, 'x', n);
	d->bulk_left -= n;
	if (d->bulk_left == 0)
		guts_stream_finish(s);
	return n;
}

static void
on_closed(void *owner, struct guts_stream *s, int err)
{
	struct side *d = owner;

	(void)s;
	d->closes++;
	d->close_err = err;
	d->s = NULL;
}

static const struct guts_stream_events stream_events = { on_open, on_data, on_eof, on_pull, on_closed };

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	(void)owner;
	(void)p;
	((struct side *)guts_link_owner(guts_stream_link(s)))->s = s;
	guts_stream_set_events(s, &stream_events, guts_link_owner(guts_stream_link(s)));
	return true;
}

static const struct guts_protocol echo_protocol = { .id = "/echo/1", .on_stream = on_stream };

static void
on_up(void *owner, struct guts_link *l)
{
	struct side *d = owner;

	d->ups++;
	d->link = l;
}

static const struct guts_protocol *
on_lookup(void *owner, struct guts_link *l, struct guts_slice name)
{
	(void)owner;
	(void)l;
	return guts_slice_eq(name, guts_slice_str("/echo/1")) ? &echo_protocol : NULL;
}

static bool
on_admit(void *owner, struct guts_link *l, const struct guts_protocol *p)
{
	(void)l;
	(void)p;
	return !((struct side *)owner)->refuse_streams;
}

static void
on_released(void *owner, struct guts_link *l, const struct guts_protocol *p)
{
	(void)l;
	(void)p;
	((struct side *)owner)->released++;
}

static void
on_down(void *owner, struct guts_link *l, int err)
{
	struct side *d = owner;

	(void)l;
	d->downs++;
	d->down_err = err;
	d->link = NULL;
}

static const struct guts_link_events link_events = { on_up, on_lookup, on_admit, on_released, on_down };

static bool
on_accept(void *owner, struct guts_conn *c, const struct sockaddr *from,
    const struct guts_conn_events **events, void **conn_owner)
{
	struct side *d = owner;

	d->link = guts_link_accept_tcp(d->ctx, c, from, &link_events, d, events, conn_owner);
	return true;
}

static const struct guts_listener_events listener_events = { on_accept };

static struct sockaddr_in
address_of_b(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	sa.sin_addr.s_addr = htonl(0x0a000002);
	return sa;
}

static void
side_init(struct side *d, struct memnet *net, uint8_t host)
{
	uint8_t seed[32] = { host };

	memset(d, 0, sizeof(*d));
	d->net = net;
	d->env = memnet_node(net, host);
	guts_key_from_seed(&d->key, seed);
	d->ctx = guts_link_context_new(d->env, &d->key, 0, 0);
	guts_buf_init(&d->got, 64u << 20);
	d->close_err = 1;
}

static void
world_init(struct world *w)
{
	struct sockaddr_in sa = address_of_b();
	struct sockaddr_storage bound;

	w->net = memnet_new(5 * GUTS_MS_NS);
	side_init(&w->a, w->net, 1);
	side_init(&w->b, w->net, 2);
	assert_int_equal(guts_env_listen(w->b.env, (struct sockaddr *)&sa, &listener_events, &w->b,
	    &w->b.listener, &bound), 0);
}

static void
side_deinit(struct side *d)
{
	if (d->link)
		guts_link_close(d->link, GUTS_GOAWAY_NORMAL);
	if (d->listener)
		guts_env_unlisten(d->env, d->listener);
	guts_link_context_free(d->ctx);
	guts_buf_deinit(&d->got);
}

static void
world_deinit(struct world *w)
{
	side_deinit(&w->a);
	side_deinit(&w->b);
	memnet_free(w->net);
}

static void
dial(struct world *w, const struct guts_peerid *expect)
{
	struct sockaddr_in sa = address_of_b();

	assert_int_equal(guts_link_dial_tcp(w->a.ctx, (struct sockaddr *)&sa, expect, &link_events, &w->a, &w->a.link), 0);
}

static void
connect_both(struct world *w)
{
	world_init(w);
	dial(w, &w->b.key.id);
	memnet_pass(w->net, GUTS_SECOND_NS);
	assert_int_equal(w->a.ups, 1);
	assert_int_equal(w->b.ups, 1);
}

static void
open_echo(struct world *w, const char *const *names, size_t n)
{
	assert_int_equal(guts_link_open_stream(w->a.link, names, n, &stream_events, &w->a, &w->a.s), 0);
}

static const char *const echo_name[] = { "/echo/1" };

static void
handshake_tells_who_is_there(void **state)
{
	struct world w;

	(void)state;
	connect_both(&w);
	assert_true(guts_peerid_eq(guts_link_peer(w.a.link), &w.b.key.id));
	assert_true(guts_peerid_eq(guts_link_peer(w.b.link), &w.a.key.id));
	assert_true(guts_link_is_inbound(w.b.link) && !guts_link_is_inbound(w.a.link));
	assert_int_equal(guts_link_rtt_ns(w.a.link), 10 * GUTS_MS_NS);
	assert_true(guts_link_bytes_out(w.a.link) > 300);
	assert_int_equal(guts_link_bytes_out(w.a.link), guts_link_bytes_in(w.b.link));
	world_deinit(&w);
}

static void
two_round_trips_until_up(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	dial(&w, NULL);
	/* TCP takes one way here; greeting, proposal and message 1 leave together. */
	memnet_pass(w.net, 16 * GUTS_MS_NS);
	assert_int_equal(w.a.ups, 1);
	memnet_pass(w.net, 5 * GUTS_MS_NS);
	assert_int_equal(w.b.ups, 1);
	world_deinit(&w);
}

static void
another_peer_than_expected(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	dial(&w, &w.a.key.id);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.a.downs, 1);
	assert_int_equal(w.a.down_err, GUTS_EDENIED);
	assert_int_equal(w.b.ups, 0);
	assert_int_equal(w.b.downs, 1);
	world_deinit(&w);
}

static void
nobody_listens(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	guts_env_unlisten(w.b.env, w.b.listener);
	w.b.listener = NULL;
	dial(&w, NULL);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.a.down_err, GUTS_ECLOSED);
	world_deinit(&w);
}

static void
echo_with_data_in_the_first_flight(void **state)
{
	struct world w;
	uint64_t from;

	(void)state;
	connect_both(&w);
	w.b.echo = true;
	from = memnet_now(w.net);
	open_echo(&w, echo_name, 1);
	assert_int_equal(guts_stream_send(w.a.s, guts_slice_str("hello")), 0);
	guts_stream_finish(w.a.s);
	memnet_pass(w.net, 11 * GUTS_MS_NS);
	assert_true(guts_slice_eq(guts_buf_slice(&w.a.got), guts_slice_str("hello")));
	assert_true(memnet_now(w.net) - from <= 11 * GUTS_MS_NS);
	assert_string_equal(w.a.opened, "/echo/1");
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.a.closes, 1);
	assert_int_equal(w.a.close_err, 0);
	assert_int_equal(w.b.closes, 1);
	assert_int_equal(w.b.released, 1);
	assert_int_equal(guts_link_streams(w.a.link) + guts_link_streams(w.b.link), 0);
	world_deinit(&w);
}

static void
the_second_protocol_is_taken(void **state)
{
	static const char *const names[] = { "/other/1", "/echo/1" };
	struct world w;

	(void)state;
	connect_both(&w);
	w.b.echo = true;
	open_echo(&w, names, 2);
	assert_int_equal(guts_stream_send(w.a.s, guts_slice_str("early")), GUTS_EAGAIN);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_string_equal(w.a.opened, "/echo/1");
	assert_int_equal(guts_stream_send(w.a.s, guts_slice_str("now")), 0);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_true(guts_slice_eq(guts_buf_slice(&w.a.got), guts_slice_str("now")));
	world_deinit(&w);
}

static void
unknown_protocol_and_refused_stream(void **state)
{
	static const char *const names[] = { "/other/1" };
	struct world w;

	(void)state;
	connect_both(&w);
	open_echo(&w, names, 1);
	guts_stream_send(w.a.s, guts_slice_str("unheard"));
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.a.closes, 1);
	assert_int_equal(w.a.close_err, GUTS_EUNSUPPORTED);
	w.b.refuse_streams = true;
	open_echo(&w, echo_name, 1);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.a.closes, 2);
	assert_int_equal(w.a.close_err, GUTS_ECLOSED);
	assert_int_equal(w.b.released, 0);
	assert_int_equal(w.a.downs + w.b.downs, 0);
	world_deinit(&w);
}

static void
bulk_both_ways(void **state)
{
	struct world w;

	(void)state;
	connect_both(&w);
	w.b.bulk_left = w.a.bulk_left = 20 << 20;
	open_echo(&w, echo_name, 1);
	guts_stream_set_prio(w.a.s, GUTS_PRIO_BULK);
	guts_stream_want_write(w.a.s);
	memnet_pass(w.net, 20 * GUTS_MS_NS);
	guts_stream_want_write(w.b.s);
	memnet_pass(w.net, 20 * GUTS_SECOND_NS);
	assert_int_equal(w.a.got.len, 20 << 20);
	assert_int_equal(w.b.got.len, 20 << 20);
	assert_int_equal(w.a.closes, 1);
	assert_int_equal(w.b.closes, 1);
	world_deinit(&w);
}

/* An echo with a small ring: its reader goes on from inside its writer. */
struct ring {
	struct guts_buf b;
	bool refused;
};

static size_t
ring_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct ring *r = owner;
	size_t n = data.n < 16384 - r->b.len ? data.n : 16384 - r->b.len;

	guts_buf_add(&r->b, data.p, n);
	r->refused = n < data.n;
	guts_stream_want_write(s);
	return n;
}

static size_t
ring_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	struct ring *r = owner;
	size_t n = max < r->b.len ? max : r->b.len;

	memcpy(out, guts_buf_slice(&r->b).p, n);
	guts_buf_consume(&r->b, n);
	if (r->refused) {
		guts_stream_pause(s, true);
		guts_stream_pause(s, false);
	}
	return n;
}

static void
a_reader_goes_on_from_inside_its_writer(void **state)
{
	static const struct guts_stream_events ring_events = { .data = ring_data, .pull = ring_pull };
	struct ring ring = { 0 };
	struct world w;

	(void)state;
	connect_both(&w);
	guts_buf_init(&ring.b, 16384);
	open_echo(&w, echo_name, 1);
	memnet_pass(w.net, GUTS_SECOND_NS);
	guts_stream_set_events(w.b.s, &ring_events, &ring);
	w.a.bulk_left = 1 << 20;
	guts_stream_want_write(w.a.s);
	memnet_pass(w.net, 5 * GUTS_SECOND_NS);
	assert_int_equal(w.a.got.len, 1 << 20);
	guts_buf_deinit(&ring.b);
	guts_stream_reset(w.b.s, 0);
	world_deinit(&w);
}

static void
a_reader_that_holds_stops_the_writer(void **state)
{
	struct world w;

	(void)state;
	connect_both(&w);
	w.b.hold = true;
	w.a.bulk_left = 4 << 20;
	open_echo(&w, echo_name, 1);
	guts_stream_want_write(w.a.s);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(guts_link_unread_bytes(w.b.link), GUTS_YAMUX_WINDOW_START);
	w.b.hold = false;
	guts_stream_pause(w.b.s, true);
	guts_stream_pause(w.b.s, false);
	memnet_pass(w.net, 10 * GUTS_SECOND_NS);
	assert_int_equal(w.b.got.len, 4 << 20);
	world_deinit(&w);
}

static void
a_dead_line_is_noticed(void **state)
{
	struct world w;

	(void)state;
	connect_both(&w);
	memnet_cut(w.net, true);
	memnet_pass(w.net, 41 * GUTS_SECOND_NS);
	assert_int_equal(w.a.downs, 1);
	assert_int_equal(w.a.down_err, GUTS_ETIMEOUT);
	world_deinit(&w);
}

static void
a_peer_that_takes_nothing_is_cut_sooner(void **state)
{
	struct world w;

	(void)state;
	connect_both(&w);
	w.a.bulk_left = 4 << 20;
	open_echo(&w, echo_name, 1);
	guts_stream_want_write(w.a.s);
	memnet_cut(w.net, true);
	memnet_pass(w.net, 25 * GUTS_SECOND_NS);
	assert_int_equal(w.a.downs, 1);
	assert_int_equal(w.a.down_err, GUTS_ETIMEOUT);
	assert_int_equal(w.a.closes, 1);
	world_deinit(&w);
}

static void
closing_ends_streams_on_both_sides(void **state)
{
	struct world w;

	(void)state;
	connect_both(&w);
	open_echo(&w, echo_name, 1);
	memnet_pass(w.net, GUTS_SECOND_NS);
	guts_link_close(w.a.link, GUTS_GOAWAY_NORMAL);
	w.a.link = NULL;
	assert_int_equal(w.a.closes, 1);
	assert_int_equal(w.a.close_err, GUTS_ECLOSED);
	assert_int_equal(w.a.downs, 0);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.b.closes, 1);
	assert_int_equal(w.b.downs, 1);
	assert_int_equal(w.b.down_err, GUTS_ECLOSED);
	world_deinit(&w);
}

static size_t
close_link_on_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct side *d = owner;

	guts_link_close(guts_stream_link(s), GUTS_GOAWAY_NORMAL);
	d->link = NULL;
	return data.n;
}

static void
closing_from_a_callback(void **state)
{
	static const struct guts_stream_events closing = { .data = close_link_on_data, .closed = on_closed };
	struct world w;

	(void)state;
	connect_both(&w);
	open_echo(&w, echo_name, 1);
	memnet_pass(w.net, GUTS_SECOND_NS);
	guts_stream_set_events(w.b.s, &closing, &w.b);
	guts_stream_send(w.a.s, guts_slice_str("x"));
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.b.closes, 1);
	assert_int_equal(w.a.closes, 1);
	assert_int_equal(w.a.downs, 1);
	world_deinit(&w);
}

static struct guts_link *victim;

static size_t
pull_that_closes_another_link(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	if (victim)
		guts_link_close(victim, GUTS_GOAWAY_NORMAL);
	victim = NULL;
	return on_pull(owner, s, out, max);
}

static void
a_writer_closes_another_link(void **state)
{
	static const struct guts_stream_events closing = { .pull = pull_that_closes_another_link, .closed = on_closed };
	struct world w;
	struct guts_link *first;

	(void)state;
	connect_both(&w);
	open_echo(&w, echo_name, 1);
	first = w.a.link;
	dial(&w, NULL);
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.a.ups, 2);
	victim = w.a.link;
	w.a.link = first;
	guts_stream_set_events(w.a.s, &closing, &w.a);
	w.a.bulk_left = 300000;
	guts_stream_want_write(w.a.s);
	memnet_pass(w.net, 5 * GUTS_SECOND_NS);
	assert_null(victim);
	assert_int_equal(w.b.downs, 1);
	assert_int_equal(w.b.got.len, 300000);
	/* b keeps both in one place; the one that is left is the first. */
	guts_link_close(w.a.link, GUTS_GOAWAY_NORMAL);
	w.a.link = NULL;
	memnet_pass(w.net, GUTS_SECOND_NS);
	assert_int_equal(w.b.downs, 2);
	world_deinit(&w);
}

/* --- strangers: a bare connection to b --- */

struct stranger {
	struct guts_conn *c;
	bool open, closed;
	size_t bytes;
};

static void
stranger_open(void *owner, struct guts_conn *c, int err)
{
	(void)c;
	((struct stranger *)owner)->open = err == 0;
}

static void
stranger_data(void *owner, struct guts_conn *c, struct guts_slice data)
{
	(void)c;
	((struct stranger *)owner)->bytes += data.n;
}

static void
stranger_writable(void *owner, struct guts_conn *c)
{
	(void)owner;
	(void)c;
}

static void
stranger_closed(void *owner, struct guts_conn *c, int err)
{
	(void)c;
	(void)err;
	((struct stranger *)owner)->closed = true;
}

static const struct guts_conn_events stranger_events = {
	stranger_open, stranger_data, stranger_writable, stranger_closed,
};

static void
stranger_dial(struct world *w, struct stranger *st)
{
	struct sockaddr_in sa = address_of_b();

	memset(st, 0, sizeof(*st));
	assert_int_equal(guts_env_dial(w->a.env, (struct sockaddr *)&sa, &stranger_events, st, &st->c), 0);
	memnet_pass(w->net, 20 * GUTS_MS_NS);
	assert_true(st->open);
}

static void
garbage_is_cut_at_once(void **state)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x13/multistream/1.0.0\n\x07/noise\n\x00\x05hello",
		"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff",
		"SSH-2.0-x\r\n",
	};
	static const size_t sizes[] = { 27, 28 + 7, 28 + 2, 11 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct stranger st;
		struct world w;

		world_init(&w);
		stranger_dial(&w, &st);
		guts_env_write(w.a.env, st.c, guts_slice(garbage[i], sizes[i]));
		memnet_pass(w.net, 100 * GUTS_MS_NS);
		assert_true(st.closed);
		assert_int_equal(w.b.downs, 1);
		assert_int_equal(w.b.ups, 0);
		world_deinit(&w);
	}
}

static void
dribbler_is_cut_at_the_deadline(void **state)
{
	static const char hello[] = "\x13/multistream/1.0.0\n\x07/noise\n";
	struct stranger st;
	struct world w;
	uint64_t from;
	size_t i = 0;

	(void)state;
	world_init(&w);
	stranger_dial(&w, &st);
	from = memnet_now(w.net);
	while (!st.closed && i < 100) {
		guts_env_write(w.a.env, st.c, guts_slice(i < 28 ? hello + i : "\0", 1));
		i++;
		memnet_pass(w.net, 900 * GUTS_MS_NS);
	}
	assert_true(st.closed);
	assert_int_equal(w.b.down_err, GUTS_ETIMEOUT);
	assert_true(memnet_now(w.net) - from <= 11 * GUTS_SECOND_NS);
	world_deinit(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_tells_who_is_there),
		cmocka_unit_test(two_round_trips_until_up),
		cmocka_unit_test(another_peer_than_expected),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(echo_with_data_in_the_first_flight),
		cmocka_unit_test(the_second_protocol_is_taken),
		cmocka_unit_test(unknown_protocol_and_refused_stream),
		cmocka_unit_test(bulk_both_ways),
		cmocka_unit_test(a_reader_goes_on_from_inside_its_writer),
		cmocka_unit_test(a_reader_that_holds_stops_the_writer),
		cmocka_unit_test(a_dead_line_is_noticed),
		cmocka_unit_test(a_peer_that_takes_nothing_is_cut_sooner),
		cmocka_unit_test(closing_ends_streams_on_both_sides),
		cmocka_unit_test(closing_from_a_callback),
		cmocka_unit_test(a_writer_closes_another_link),
		cmocka_unit_test(garbage_is_cut_at_once),
		cmocka_unit_test(dribbler_is_cut_at_the_deadline),
	};

	return guts_crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
