/* mux/yamux.c - the session of yamux: frames in, keep-alive, start and end.
 *
 * A frame's header is collected, checked and acted on; payload is passed on piece by piece as
 * it arrives, so no frame is ever buffered whole.  A frame for a stream that is gone is
 * legal (it crossed our reset) and its payload is thrown away.  What a peer can repeat
 * without meaning (pings, empty frames, frames for no stream, streams opened and dropped)
 * is counted in buckets; a flood ends the session.
 *
 * Freeing waits for the outermost call to end: a callback may reset any stream.
 */
#include "mux/yamux_int.h"

#include "base/alloc.h"
#include "base/be.h"

#include <assert.h>

#define KEEPALIVE_NS UINT64_C(30000000000)
#define PING_TIMEOUT_NS UINT64_C(10000000000)
#define IDLE_FRAMES_RATE 500 /* per second */
#define IDLE_FRAMES_BURST 2000
#define OPENS_RATE 5000 /* per second */
#define OPENS_BURST 5000

struct frame {
	uint8_t type;
	uint16_t flags;
	uint32_t id, length;
};

void
yamux_enter(struct guts_yamux *y)
{
	y->depth++;
}

void
yamux_leave(struct guts_yamux *y)
{
	struct guts_ystream *s, *tmp;

	if (--y->depth > 0)
		return;
	DL_FOREACH_SAFE2(y->dead_list, s, tmp, ctl.next) {
		DL_DELETE2(y->dead_list, s, ctl.prev, ctl.next);
		yamux_stream_free(s);
	}
}

void
yamux_header(uint8_t out[YAMUX_HEADER], enum yamux_type type, unsigned flags, uint32_t id, uint32_t value)
{
	out[0] = 0;
	out[1] = (uint8_t)type;
	out[2] = 0;
	out[3] = (uint8_t)flags;
	guts_put_be32(out + 4, id);
	guts_put_be32(out + 8, value);
}

int
yamux_put_ctl(struct guts_yamux *y, enum yamux_type type, unsigned flags, uint32_t id, uint32_t value)
{
	uint8_t h[YAMUX_HEADER];

	yamux_header(h, type, flags, id, value);
	yamux_wake(y);
	return guts_buf_add(&y->ctl, h, sizeof(h));
}

struct guts_yamux *
guts_yamux_new(const struct guts_yamux_config *cfg, const struct guts_yamux_events *ev, void *owner,
    uint64_t now)
{
	struct guts_yamux *y = guts_alloc(sizeof(*y));

	y->cfg = *cfg;
	if (!y->cfg.keepalive_ns)
		y->cfg.keepalive_ns = KEEPALIVE_NS;
	if (!y->cfg.ping_timeout_ns)
		y->cfg.ping_timeout_ns = PING_TIMEOUT_NS;
	if (!y->cfg.recv_max)
		y->cfg.recv_max = GUTS_LINK_RECV_MAX;
	if (!y->cfg.streams_max)
		y->cfg.streams_max = GUTS_STREAMS_PER_LINK_MAX;
	y->ev = ev;
	y->owner = owner;
	y->next_id = cfg->client ? 1 : 2;
	guts_buf_init(&y->ctl, YAMUX_CTL_MAX);
	guts_ratelimit_init(&y->idle_frames, IDLE_FRAMES_RATE, IDLE_FRAMES_BURST);
	guts_ratelimit_init(&y->opens, OPENS_RATE, OPENS_BURST);
	y->ping_due = true;
	y->next_ping_at = now;
	y->last_recv_at = now;
	y->now = now;
	if (cfg->budget)
		DL_APPEND(cfg->budget->members, y);
	return y;
}

void
guts_yamux_free(struct guts_yamux *y)
{
	if (!y)
		return;
	assert(y->depth == 0);
	yamux_enter(y);
	y->failed = true;
	while (y->streams)
		yamux_stream_end(y->streams, GUTS_ECLOSED);
	yamux_leave(y);
	if (y->cfg.budget)
		DL_DELETE(y->cfg.budget->members, y);
	guts_buf_deinit(&y->ctl);
	free(y);
}

/* A frame without use: a few are normal. */
static int
useless(struct guts_yamux *y)
{
	return guts_ratelimit_take(&y->idle_frames, 1, y->now) ? 0 : GUTS_ELIMIT;
}

static int
on_ping(struct guts_yamux *y, const struct frame *f)
{
	if (f->flags & YAMUX_SYN) {
		int err = useless(y);

		return err ? err : yamux_put_ctl(y, YAMUX_PING, YAMUX_ACK, 0, f->length);
	}
	if (!(f->flags & YAMUX_ACK) || !y->ping_sent || f->length != y->ping_id)
		return useless(y);
	y->ping_sent = false;
	y->rtt_ns = y->now > y->ping_at ? y->now - y->ping_at : 1;
	y->next_ping_at = y->now + y->cfg.keepalive_ns;
	return 0;
}

static int
on_goaway(struct guts_yamux *y, const struct frame *f)
{
	if (y->remote_goaway)
		return useless(y);
	y->remote_goaway = true;
	if (y->ev->goaway)
		y->ev->goaway(y->owner, f->length);
	return 0;
}

/* SYN: a stream of the other side.  *out is NULL if it was refused. */
static int
open_inbound(struct guts_yamux *y, const struct frame *f, struct guts_ystream **out)
{
	struct guts_ystream *s;

	*out = NULL;
	if (f->id % 2 != (y->cfg.client ? 0u : 1u))
		return GUTS_EPROTO;
	if (!guts_ratelimit_take(&y->opens, 1, y->now))
		return GUTS_ELIMIT;
	if (y->n_in >= y->cfg.streams_max || y->local_goaway) {
		int err = useless(y);

		return err ? err : yamux_put_ctl(y, YAMUX_WINDOW, YAMUX_RST, f->id, 0);
	}
	s = yamux_stream_new(y, f->id, false);
	s->flags_due = YAMUX_ACK;
	yamux_stream_update_window(s);
	if (!y->ev->incoming(y->owner, s)) {
		if (!s->gone)
			guts_ystream_reset(s, 0);
		return 0;
	}
	*out = s->gone ? NULL : s;
	return 0;
}

static void
on_ack(struct guts_ystream *s)
{
	if (s->ours && !s->acked) {
		s->acked = true;
		s->y->n_unacked--;
	}
}

/* The end of the other side's direction. */
static void
on_fin(struct guts_ystream *s)
{
	s->remote_fin = true;
	yamux_stream_show(s);
}

static int
on_window(struct guts_yamux *y, struct guts_ystream *s, const struct frame *f)
{
	if (f->length == 0 && f->flags == 0)
		return useless(y);
	if (s->send_credit + f->length > UINT32_MAX)
		return GUTS_EPROTO;
	s->send_credit += f->length;
	if (f->flags & YAMUX_FIN)
		on_fin(s);
	if (!s->gone)
		yamux_stream_schedule(s);
	return 0;
}

static int
on_data(struct guts_yamux *y, struct guts_ystream *s, const struct frame *f)
{
	if (f->length > s->recv_credit)
		return GUTS_EPROTO;
	if (s->remote_fin) {
		/* Data after the end: that stream is broken, the others are not. */
		yamux_put_ctl(y, YAMUX_WINDOW, YAMUX_RST, s->id, GUTS_GOAWAY_PROTOCOL);
		yamux_stream_end(s, GUTS_EPROTO);
		y->left = f->length;
		return 0;
	}
	s->recv_credit -= f->length;
	if (f->length == 0) {
		if (f->flags & YAMUX_FIN)
			on_fin(s);
		return f->flags ? 0 : useless(y);
	}
	y->cur = s;
	y->cur_fin = f->flags & YAMUX_FIN;
	y->left = f->length;
	return 0;
}

/* A frame of a stream. */
static int
on_stream_frame(struct guts_yamux *y, const struct frame *f)
{
	struct guts_ystream *s = NULL;
	int err;

	if (f->id == 0)
		return GUTS_EPROTO;
	HASH_FIND(hh, y->streams, &f->id, sizeof(f->id), s);
	if (f->flags & YAMUX_SYN) {
		if (s)
			return GUTS_EPROTO;
		err = open_inbound(y, f, &s);
		if (err)
			return err;
	}
	if (!s || s->doomed) {
		/* Crossed our reset, or refused just now. */
		y->left = f->type == YAMUX_DATA ? f->length : 0;
		return f->flags & (YAMUX_SYN | YAMUX_RST | YAMUX_FIN) ? 0 : useless(y);
	}
	if (f->flags & YAMUX_RST) {
		/* The length of a reset is an error code, not window and not payload. */
		yamux_stream_end(s, GUTS_ECLOSED);
		y->left = f->type == YAMUX_DATA ? f->length : 0;
		return 0;
	}
	if (f->flags & YAMUX_ACK)
		on_ack(s);
	return f->type == YAMUX_DATA ? on_data(y, s, f) : on_window(y, s, f);
}

static int
on_header(struct guts_yamux *y)
{
	const uint8_t *h = y->header;
	struct frame f = { .type = h[1], .flags = (uint16_t)(h[2] << 8 | h[3]) };

	for (int i = 0; i < 4; i++) {
		f.id = f.id << 8 | h[4 + i];
		f.length = f.length << 8 | h[8 + i];
	}
	y->cur = NULL;
	if (h[0] != 0)
		return GUTS_EPROTO;
	switch (f.type) {
	case YAMUX_DATA:
	case YAMUX_WINDOW: return on_stream_frame(y, &f);
	case YAMUX_PING: return f.id ? GUTS_EPROTO : on_ping(y, &f);
	case YAMUX_GOAWAY: return f.id ? GUTS_EPROTO : on_goaway(y, &f);
	default: return GUTS_EPROTO;
	}
}

/* Pass a piece of payload on. */
static void
on_payload(struct guts_yamux *y, struct guts_slice piece)
{
	y->left -= (uint32_t)piece.n;
	if (!y->cur)
		return;
	yamux_stream_deliver(y->cur, piece);
	if (y->left == 0 && y->cur && y->cur_fin)
		on_fin(y->cur);
	if (y->left == 0)
		y->cur = NULL;
}

int
guts_yamux_recv(struct guts_yamux *y, struct guts_slice in, uint64_t now)
{
	int err = y->failed ? GUTS_ECLOSED : 0;

	assert(y->depth == 0);
	yamux_enter(y);
	y->now = now;
	if (in.n)
		y->last_recv_at = now;
	while (!err && in.n > 0) {
		size_t n;

		if (y->left > 0) {
			n = in.n < y->left ? in.n : y->left;
			on_payload(y, guts_slice(in.p, n));
		} else {
			n = YAMUX_HEADER - y->header_n < in.n ? YAMUX_HEADER - y->header_n : in.n;
			memcpy(y->header + y->header_n, in.p, n);
			y->header_n += n;
			if (y->header_n == YAMUX_HEADER) {
				y->header_n = 0;
				err = on_header(y);
			}
		}
		in = guts_slice(in.p + n, in.n - n);
	}
	if (err && !y->failed) {
		y->failed = true;
		guts_buf_clear(&y->ctl);
		yamux_put_ctl(y, YAMUX_GOAWAY, 0, 0, GUTS_GOAWAY_PROTOCOL);
	}
	yamux_leave(y);
	return err;
}

void
guts_yamux_poll(struct guts_yamux *y, uint64_t now)
{
	struct guts_ystream *s;

	assert(y->depth == 0);
	yamux_enter(y);
	y->now = now;
	while ((s = y->ready_list) != NULL) {
		DL_DELETE2(y->ready_list, s, ready.prev, ready.next);
		s->in_ready = false;
		if (s->doomed)
			yamux_stream_end(s, s->doomed);
		else
			yamux_stream_show(s);
	}
	yamux_leave(y);
}

bool
guts_yamux_wants_poll(const struct guts_yamux *y)
{
	return y->ready_list != NULL;
}

uint64_t
guts_yamux_deadline(const struct guts_yamux *y)
{
	if (y->failed)
		return UINT64_MAX;
	if (y->ping_sent)
		return y->ping_at + y->cfg.ping_timeout_ns;
	return y->ping_due ? y->next_ping_at + y->cfg.ping_timeout_ns : y->next_ping_at;
}

int
guts_yamux_tick(struct guts_yamux *y, uint64_t now)
{
	uint64_t since;

	if (y->failed || now < guts_yamux_deadline(y))
		return 0;
	if (!y->ping_sent && !y->ping_due) {
		y->ping_due = true;
		yamux_wake(y);
		return 0;
	}
	/* No answer in time.  Other bytes show life as well: a long queue may hold the answer back. */
	since = y->ping_sent ? y->ping_at : y->next_ping_at;
	if (y->last_recv_at <= since)
		return GUTS_ETIMEOUT;
	y->ping_sent = false;
	y->ping_due = false;
	y->next_ping_at = now + y->cfg.keepalive_ns;
	return 0;
}

void
guts_yamux_goaway(struct guts_yamux *y, enum guts_goaway code)
{
	if (y->local_goaway)
		return;
	y->local_goaway = true;
	yamux_put_ctl(y, YAMUX_GOAWAY, 0, 0, code);
}

void
guts_yamux_ping(struct guts_yamux *y, uint64_t now)
{
	if (y->ping_due || y->ping_sent)
		return;
	y->ping_due = true;
	y->next_ping_at = now;
	yamux_wake(y);
}

uint64_t
guts_yamux_rtt_ns(const struct guts_yamux *y)
{
	return y->rtt_ns;
}

size_t
guts_yamux_streams(const struct guts_yamux *y)
{
	return y->n_in + y->n_out;
}

size_t
guts_yamux_unread_bytes(const struct guts_yamux *y)
{
	return y->unread_bytes;
}

size_t
guts_yamux_queued_bytes(const struct guts_yamux *y)
{
	return y->queued_bytes;
}
