/* mux/yamux_stream.c - one stream: its two directions, its windows, the memory it holds.
 *
 * The other side's credit is topped up when half of the window was taken by the reader:
 *
 *	recv_window = recv_credit (may still come) + unread (kept here) + taken, not yet given back
 *
 * A window that is used up within four round trips is too small for the path and doubles, as
 * long as the sum of what all windows gained stays within the link's and the node's budget.
 * Only bytes that the reader left lying are memory, and only they are charged; over a
 * budget the stream that holds most of the fullest session is cut.
 */
#include "mux/yamux_int.h"

#include "base/alloc.h"

#include <assert.h>

struct guts_ystream *
yamux_stream_new(struct guts_yamux *y, uint32_t id, bool ours)
{
	struct guts_ystream *s = guts_alloc(sizeof(*s));

	s->y = y;
	s->id = id;
	s->ours = ours;
	s->prio = GUTS_PRIO_MESSAGE;
	s->recv_credit = s->recv_window = s->send_credit = GUTS_YAMUX_WINDOW_START;
	s->epoch_ns = y->now;
	guts_buf_init(&s->unread, GUTS_YAMUX_WINDOW_MAX);
	guts_buf_init(&s->queue, GUTS_YAMUX_SEND_MAX);
	HASH_ADD(hh, y->streams, id, sizeof(s->id), s);
	if (ours) {
		y->n_out++;
		y->n_unacked++;
	} else {
		y->n_in++;
	}
	return s;
}

static void
put_ctl_list(struct guts_ystream *s)
{
	if (s->in_ctl || s->gone)
		return;
	s->in_ctl = true;
	DL_APPEND2(s->y->ctl_list, s, ctl.prev, ctl.next);
	yamux_wake(s->y);
}

static void
put_ready_list(struct guts_ystream *s)
{
	if (s->in_ready || s->gone)
		return;
	s->in_ready = true;
	DL_APPEND2(s->y->ready_list, s, ready.prev, ready.next);
	yamux_wake(s->y);
}

static bool
has_output(const struct guts_ystream *s)
{
	if (s->fin_sent || s->gone || s->doomed)
		return false;
	if (s->send_credit > 0 && (s->queue.len > 0 || s->want_write))
		return true;
	return s->fin_wanted && s->queue.len == 0 && !s->want_write;
}

void
yamux_stream_schedule(struct guts_ystream *s)
{
	bool want = has_output(s);

	if (want && !s->in_out) {
		DL_APPEND2(s->y->out_list[s->prio], s, out.prev, out.next);
		s->in_out = true;
		yamux_wake(s->y);
	} else if (!want && s->in_out) {
		DL_DELETE2(s->y->out_list[s->prio], s, out.prev, out.next);
		s->in_out = false;
	}
}

static void
uncharge(struct guts_ystream *s, size_t n)
{
	s->y->unread_bytes -= n;
	if (s->y->cfg.budget)
		s->y->cfg.budget->used -= n;
}

static void
drop_memory(struct guts_ystream *s)
{
	struct guts_yamux *y = s->y;
	size_t grown = (size_t)(s->recv_window - GUTS_YAMUX_WINDOW_START);

	uncharge(s, s->unread.len);
	guts_buf_deinit(&s->unread);
	y->queued_bytes -= s->queue.len;
	guts_buf_deinit(&s->queue);
	y->grown_bytes -= grown;
	if (y->cfg.budget)
		y->cfg.budget->grown -= grown;
	s->recv_window = GUTS_YAMUX_WINDOW_START;
}

void
yamux_stream_free(struct guts_ystream *s)
{
	drop_memory(s);
	free(s);
}

void
yamux_stream_remove(struct guts_ystream *s)
{
	struct guts_yamux *y = s->y;

	assert(!s->gone);
	if (s->in_ctl)
		DL_DELETE2(y->ctl_list, s, ctl.prev, ctl.next);
	if (s->in_out)
		DL_DELETE2(y->out_list[s->prio], s, out.prev, out.next);
	if (s->in_ready)
		DL_DELETE2(y->ready_list, s, ready.prev, ready.next);
	s->in_ctl = s->in_out = s->in_ready = false;
	HASH_DEL(y->streams, s);
	if (s->ours) {
		y->n_out--;
		y->n_unacked -= !s->acked;
	} else {
		y->n_in--;
	}
	if (y->cur == s)
		y->cur = NULL;
	s->gone = true;
	s->ev = NULL;
	if (y->depth > 0)
		DL_APPEND2(y->dead_list, s, ctl.prev, ctl.next);
	else
		yamux_stream_free(s);
}

/* Remove the stream and tell its owner. */
void
yamux_stream_end(struct guts_ystream *s, int err)
{
	struct guts_yamux *y = s->y;
	const struct guts_ystream_events *ev = s->ev;
	void *owner = s->owner;

	yamux_enter(y);
	yamux_stream_remove(s);
	if (ev && ev->closed)
		ev->closed(owner, s, err);
	yamux_leave(y);
}

void
yamux_stream_check_end(struct guts_ystream *s)
{
	if (!s->gone && s->fin_sent && s->eof_told)
		yamux_stream_end(s, 0);
}

/* Room to promise `more` bytes beyond what windows have now? */
static bool
may_grow(const struct guts_yamux *y, uint64_t more)
{
	const struct guts_recv_budget *b = y->cfg.budget;

	if (y->grown_bytes + more > y->cfg.recv_max || y->unread_bytes > y->cfg.recv_max / 2)
		return false;
	return !b || (b->grown + more <= b->max && b->used <= b->max / 2);
}

static void
grow(struct guts_ystream *s, uint64_t window)
{
	size_t more = (size_t)(window - s->recv_window);

	s->recv_window = window;
	s->y->grown_bytes += more;
	if (s->y->cfg.budget)
		s->y->cfg.budget->grown += more;
}

void
yamux_stream_update_window(struct guts_ystream *s)
{
	uint64_t have = s->recv_credit + s->unread.len;

	if (s->flags_due) {
		put_ctl_list(s);
		return;
	}
	if (s->remote_fin || have >= s->recv_window)
		return;
	if (s->recv_window - have >= s->recv_window / 2 || have < s->need)
		put_ctl_list(s);
}

/* A window update goes out now: how much it gives.  Doubles the window if it was used up fast. */
static uint64_t
window_delta(struct guts_ystream *s)
{
	struct guts_yamux *y = s->y;
	uint64_t have = s->recv_credit + s->unread.len, bigger = s->recv_window * 2;

	if (s->remote_fin || have >= s->recv_window)
		return 0;
	if (bigger > GUTS_YAMUX_WINDOW_MAX)
		bigger = GUTS_YAMUX_WINDOW_MAX;
	if (s->recv_window - have >= s->recv_window / 2) {
		if (y->rtt_ns && y->now - s->epoch_ns < 4 * y->rtt_ns && bigger > s->recv_window
		    && may_grow(y, bigger - s->recv_window))
			grow(s, bigger);
		s->epoch_ns = y->now;
	}
	return s->recv_window - have;
}

uint32_t
yamux_stream_take_update(struct guts_ystream *s, unsigned *flags)
{
	uint64_t delta = s->syn_sent || !s->ours ? window_delta(s) : 0;

	*flags = s->flags_due;
	if (s->flags_due & YAMUX_SYN)
		s->syn_sent = true;
	s->flags_due = 0;
	s->recv_credit += delta;
	DL_DELETE2(s->y->ctl_list, s, ctl.prev, ctl.next);
	s->in_ctl = false;
	return (uint32_t)delta;
}

/* The stream that keeps most, of the session that keeps most among `first` and its list. */
static struct guts_ystream *
fattest(struct guts_yamux *first)
{
	struct guts_yamux *y = first, *m;
	struct guts_ystream *s, *tmp, *best = NULL;

	DL_FOREACH(first, m)
		if (m->unread_bytes > y->unread_bytes)
			y = m;
	HASH_ITER(hh, y->streams, s, tmp)
		if (!s->doomed && s->unread.len > 0 && (!best || s->unread.len > best->unread.len))
			best = s;
	return best;
}

/* Cut one stream over the budget: its memory goes now, its owner hears of it by the next poll. */
static void
doom(struct guts_ystream *s)
{
	s->doomed = GUTS_ELIMIT;
	yamux_put_ctl(s->y, YAMUX_WINDOW, YAMUX_RST, s->id, GUTS_GOAWAY_INTERNAL);
	drop_memory(s);
	s->recv_credit = 0;
	if (s->in_ctl) {
		DL_DELETE2(s->y->ctl_list, s, ctl.prev, ctl.next);
		s->in_ctl = false;
	}
	yamux_stream_schedule(s);
	if (s->y->cur == s)
		s->y->cur = NULL;
	put_ready_list(s);
}

static void
keep_within_budget(struct guts_yamux *y)
{
	struct guts_recv_budget *b = y->cfg.budget;
	struct guts_ystream *s;

	while (y->unread_bytes > y->cfg.recv_max) {
		struct guts_ystream *tmp, *best = NULL;

		HASH_ITER(hh, y->streams, s, tmp)
			if (!best || s->unread.len > best->unread.len)
				best = s;
		doom(best);
	}
	while (b && b->used > b->max && (s = fattest(b->members)) != NULL)
		doom(s);
}

static void
keep(struct guts_ystream *s, struct guts_slice data)
{
	/* At most recv_window ≤ GUTS_YAMUX_WINDOW_MAX: credit was checked. */
	int err = guts_buf_add_slice(&s->unread, data);

	assert(!err);
	(void)err;
	s->y->unread_bytes += data.n;
	if (s->y->cfg.budget)
		s->y->cfg.budget->used += data.n;
}

/* Show `data` (all that is not taken) to the reader; false if the stream ended meanwhile. */
static bool
offer(struct guts_ystream *s, struct guts_slice data, size_t *taken)
{
	*taken = 0;
	if (s->paused || !s->ev || !s->ev->data || data.n == 0 || data.n < s->need)
		return true;
	s->need = 0;
	*taken = s->ev->data(s->owner, s, data);
	assert(*taken <= data.n);
	return !s->gone && !s->doomed;
}

void
yamux_stream_deliver(struct guts_ystream *s, struct guts_slice data)
{
	size_t taken;

	if (s->doomed)
		return;
	if (s->unread.len > 0) {
		keep(s, data);
		yamux_stream_show(s);
	} else {
		if (!offer(s, data, &taken))
			return;
		if (taken < data.n)
			keep(s, guts_slice(data.p + taken, data.n - taken));
		yamux_stream_update_window(s);
	}
	keep_within_budget(s->y);
}

/* Show what is kept, then the end of the stream. */
void
yamux_stream_show(struct guts_ystream *s)
{
	size_t taken;

	if (s->doomed)
		return;
	if (s->remote_fin && s->need > s->unread.len)
		s->need = 0;
	if (s->unread.len > 0) {
		if (!offer(s, guts_buf_slice(&s->unread), &taken))
			return;
		guts_buf_consume(&s->unread, taken);
		uncharge(s, taken);
		if (s->unread.len == 0)
			guts_buf_deinit(&s->unread);
		yamux_stream_update_window(s);
	}
	if (!s->remote_fin || s->eof_told || s->paused || s->unread.len > 0)
		return;
	s->eof_told = true;
	if (s->ev && s->ev->eof)
		s->ev->eof(s->owner, s);
	yamux_stream_check_end(s);
}

int
guts_ystream_open(struct guts_yamux *y, const struct guts_ystream_events *ev, void *owner,
    struct guts_ystream **out)
{
	struct guts_ystream *s;

	if (y->failed || y->remote_goaway || y->local_goaway)
		return GUTS_ECLOSED;
	if (y->n_unacked >= GUTS_YAMUX_UNACKED_MAX || y->n_out >= GUTS_YAMUX_OUT_STREAMS_MAX
	    || y->next_id > INT32_MAX)
		return GUTS_EBUSY;
	s = yamux_stream_new(y, y->next_id, true);
	y->next_id += 2;
	s->flags_due = YAMUX_SYN;
	guts_ystream_set_events(s, ev, owner);
	yamux_stream_update_window(s);
	*out = s;
	return 0;
}

void
guts_ystream_set_events(struct guts_ystream *s, const struct guts_ystream_events *ev, void *owner)
{
	s->ev = ev;
	s->owner = owner;
	if (s->unread.len > 0 || (s->remote_fin && !s->eof_told))
		put_ready_list(s);
}

void
guts_ystream_set_prio(struct guts_ystream *s, enum guts_prio prio)
{
	if (s->prio == prio)
		return;
	if (s->in_out) {
		DL_DELETE2(s->y->out_list[s->prio], s, out.prev, out.next);
		s->in_out = false;
	}
	s->prio = prio;
	yamux_stream_schedule(s);
}

uint32_t
guts_ystream_id(const struct guts_ystream *s)
{
	return s->id;
}

int
guts_ystream_send(struct guts_ystream *s, struct guts_slice data)
{
	struct guts_yamux *y = s->y;

	if (s->gone || s->doomed || s->fin_wanted || y->failed)
		return GUTS_ECLOSED;
	if (s->queue.len + data.n > GUTS_YAMUX_SEND_MAX || y->queued_bytes + data.n > GUTS_YAMUX_LINK_SEND_MAX)
		return GUTS_ELIMIT;
	guts_buf_add_slice(&s->queue, data);
	y->queued_bytes += data.n;
	yamux_stream_schedule(s);
	return 0;
}

size_t
guts_ystream_queued(const struct guts_ystream *s)
{
	return s->queue.len;
}

void
guts_ystream_want_write(struct guts_ystream *s)
{
	if (s->fin_wanted || s->want_write)
		return;
	s->want_write = true;
	yamux_stream_schedule(s);
}

void
guts_ystream_finish(struct guts_ystream *s)
{
	s->fin_wanted = true;
	s->want_write = false;
	yamux_stream_schedule(s);
}

void
guts_ystream_reset(struct guts_ystream *s, uint32_t code)
{
	struct guts_yamux *y = s->y;
	/* A stream that was never announced needs no reset. */
	bool announced = !s->ours || s->syn_sent;

	if (s->gone)
		return;
	if (announced && !s->doomed && !y->failed)
		yamux_put_ctl(y, YAMUX_WINDOW, YAMUX_RST, s->id, code);
	yamux_stream_remove(s);
}

void
guts_ystream_pause(struct guts_ystream *s, bool pause)
{
	if (s->paused == pause)
		return;
	s->paused = pause;
	if (!pause && (s->unread.len > 0 || s->remote_fin))
		put_ready_list(s);
}

int
guts_ystream_need(struct guts_ystream *s, size_t n)
{
	if (n > GUTS_YAMUX_WINDOW_MAX)
		return GUTS_ELIMIT;
	if (n > s->recv_window) {
		if (s->y->grown_bytes + n - s->recv_window > s->y->cfg.recv_max)
			return GUTS_ELIMIT;
		grow(s, n);
	}
	s->need = n;
	yamux_stream_update_window(s);
	return 0;
}
