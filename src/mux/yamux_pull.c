/* mux/yamux_pull.c - making frames, just in time.
 *
 * Nothing is framed before the socket has room, so what matters overtakes what is long:
 *
 *	1. control frames: resets, pings and their answers, GO_AWAY
 *	2. window updates with SYN or ACK, in the order of opening
 *	3. data of streams: control before message before bulk, in turn within a class
 *
 * So that a steady flow of messages never stops bulk for good, bulk gets one frame after
 * 256 KiB of others.  Bulk writers fill the output in place: no copy between them and
 * encryption.
 */
#include "mux/yamux_int.h"

#include <assert.h>

#define ABOVE_MAX (256u << 10)  /* [bytes] */
#define BULK_ROOM_MIN (8u << 10) /* [bytes] less is left for the next message */
#define TURN_MAX (16u << 10)    /* [bytes] of one stream above bulk before the next has its turn */

bool
guts_yamux_has_output(const struct guts_yamux *y)
{
	if (y->ctl.len > 0)
		return true;
	if (y->failed)
		return false;
	if (y->ping_due || y->ctl_list)
		return true;
	for (int i = 0; i < GUTS_PRIO_COUNT; i++)
		if (y->out_list[i])
			return true;
	return false;
}

static size_t
pull_control(struct guts_yamux *y, uint8_t *out, size_t max)
{
	size_t n = y->ctl.len < max ? y->ctl.len : max - max % YAMUX_HEADER;

	if (n > 0) {
		memcpy(out, guts_buf_slice(&y->ctl).p, n);
		guts_buf_consume(&y->ctl, n);
	}
	if (y->failed || !y->ping_due || max - n < YAMUX_HEADER)
		return n;
	y->ping_due = false;
	y->ping_sent = true;
	y->ping_at = y->now;
	yamux_header(out + n, YAMUX_PING, YAMUX_SYN, 0, ++y->ping_id);
	return n + YAMUX_HEADER;
}

static size_t
pull_updates(struct guts_yamux *y, uint8_t *out, size_t max)
{
	size_t n = 0;

	while (y->ctl_list && max - n >= YAMUX_HEADER) {
		struct guts_ystream *s = y->ctl_list;
		unsigned flags;
		uint32_t delta = yamux_stream_take_update(s, &flags);

		if (delta == 0 && flags == 0)
			continue;
		yamux_header(out + n, YAMUX_WINDOW, flags, s->id, delta);
		n += YAMUX_HEADER;
	}
	return n;
}

/* The next stream's class; GUTS_PRIO_COUNT = none. */
static int
next_class(const struct guts_yamux *y)
{
	int c = 0;

	if (y->above_bytes > ABOVE_MAX && y->out_list[GUTS_PRIO_BULK])
		return GUTS_PRIO_BULK;
	while (c < GUTS_PRIO_COUNT && !y->out_list[c])
		c++;
	return c;
}

/* Payload of one frame into out[max]. */
static size_t
fill(struct guts_ystream *s, uint8_t *out, size_t max)
{
	size_t n = max < s->send_credit ? max : (size_t)s->send_credit;

	if (s->queue.len > 0) {
		if (n > s->queue.len)
			n = s->queue.len;
		memcpy(out, guts_buf_slice(&s->queue).p, n);
		guts_buf_consume(&s->queue, n);
		if (s->queue.len == 0)
			guts_buf_deinit(&s->queue);
		s->y->queued_bytes -= n;
	} else if (s->want_write && n > 0) {
		size_t room = n;

		n = s->ev && s->ev->pull ? s->ev->pull(s->owner, s, out, room) : 0;
		assert(n <= room);
		if (n == 0)
			s->want_write = false;
	} else {
		n = 0;
	}
	return n;
}

/* The end of our direction, if it is due: a frame of its own, as other implementations send it; js-libp2p loses data
 * that comes in one frame with the end before its negotiation is done.  Returns the bytes. */
static size_t
pull_fin(struct guts_ystream *s, uint8_t *out, size_t max)
{
	if (!s->fin_wanted || s->queue.len > 0 || s->want_write || max < YAMUX_HEADER)
		return 0;
	s->fin_sent = true;
	yamux_header(out, YAMUX_WINDOW, YAMUX_FIN, s->id, 0);
	return YAMUX_HEADER;
}

/* One data frame of `s` and its end; 0 = it had nothing after all. */
static size_t
pull_frame(struct guts_yamux *y, struct guts_ystream *s, uint8_t *out, size_t max)
{
	size_t room = max - YAMUX_HEADER, n, total = 0;

	if (s->prio != GUTS_PRIO_BULK && room > TURN_MAX)
		room = TURN_MAX;
	if (room > GUTS_YAMUX_FRAME_MAX)
		room = GUTS_YAMUX_FRAME_MAX;
	n = fill(s, out + YAMUX_HEADER, room);
	if (s->gone)
		return 0;
	if (s->prio == GUTS_PRIO_BULK)
		y->above_bytes = 0;
	else
		y->above_bytes += n;
	s->send_credit -= n;
	if (n > 0) {
		yamux_header(out, YAMUX_DATA, 0, s->id, (uint32_t)n);
		total = YAMUX_HEADER + n;
	}
	total += pull_fin(s, out + total, max - total);
	/* To the end of its class, or out of the list. */
	if (s->in_out) {
		DL_DELETE2(y->out_list[s->prio], s, out.prev, out.next);
		s->in_out = false;
	}
	yamux_stream_schedule(s);
	if (s->fin_sent)
		yamux_stream_check_end(s);
	return total;
}

static size_t
pull_data(struct guts_yamux *y, uint8_t *out, size_t max)
{
	size_t n = 0;
	int c;

	while (max - n > YAMUX_HEADER && (c = next_class(y)) < GUTS_PRIO_COUNT) {
		if (c == GUTS_PRIO_BULK && n > 0 && max - n < BULK_ROOM_MIN)
			break;
		n += pull_frame(y, y->out_list[c], out + n, max - n);
	}
	return n;
}

size_t
guts_yamux_pull(struct guts_yamux *y, uint8_t *out, size_t max, uint64_t now)
{
	size_t n;

	assert(max >= 64);
	assert(y->depth == 0);
	yamux_enter(y);
	y->now = now;
	n = pull_control(y, out, max);
	if (!y->failed) {
		n += pull_updates(y, out + n, max - n);
		/* A stream's announcement goes before its data: only when all of them are out. */
		if (!y->ctl_list)
			n += pull_data(y, out + n, max - n);
	}
	yamux_leave(y);
	return n;
}
