/* transport/stream.c - streams of a link: agreeing on a protocol, then passing bytes through.
 *
 * Every stream begins with multistream-select.  The dialer of a single protocol does not wait:
 * its data follows the proposal in the same flight, and a refusal simply ends the stream.
 * An inbound stream is admitted (limits per protocol) once its protocol is known; until
 * then it has a deadline.  All deadlines are equally long, so the list is in their order.
 */
#include "base/alloc.h"
#include "transport/link_int.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

static struct guts_stream *
stream_new(struct guts_link *l, bool inbound)
{
	struct guts_stream *s = guts_alloc(sizeof(*s));

	s->l = l;
	s->inbound = inbound;
	s->deadline_ns = guts_env_now(l->ctx->env) + LINK_NEGOTIATION_NS;
	DL_APPEND(l->streams, s);
	DL_APPEND2(l->negotiating, s, nprev, nnext);
	l->n_streams++;
	return s;
}

static void
end_negotiation(struct guts_stream *s)
{
	if (s->deadline_ns != GUTS_NEVER)
		DL_DELETE2(s->l->negotiating, s, nprev, nnext);
	s->deadline_ns = GUTS_NEVER;
	guts_msel_deinit(&s->msel);
}

void
stream_free(struct guts_stream *s)
{
	free(s->text);
	free(s);
}

/* Take the stream out of its link; its memory stays until the outermost call ends. */
static void
bury(struct guts_stream *s)
{
	struct guts_link *l = s->l;

	end_negotiation(s);
	DL_DELETE(l->streams, s);
	l->n_streams--;
	DL_APPEND(l->graveyard, s);
	s->raw = NULL;
	s->ev = NULL;
	if (s->admitted && l->ev && l->ev->released)
		l->ev->released(l->owner, l, s->proto);
}

/* End with an error of ours and tell the owner. */
static void
fail(struct guts_stream *s, int err)
{
	const struct guts_stream_events *ev = s->ev;
	void *raw = s->raw, *owner = s->owner;

	bury(s);
	s->l->ops->reset(raw, GUTS_GOAWAY_PROTOCOL);
	if (ev && ev->closed)
		ev->closed(owner, s, err);
}

static const void *
lookup(void *owner, struct guts_slice name)
{
	struct guts_stream *s = owner;
	const struct guts_link_events *ev = s->l->ev;

	return ev && ev->lookup ? ev->lookup(s->l->owner, s->l, name) : NULL;
}

/* Hand what the negotiation wants to say to the raw stream. */
static int
flush(struct guts_stream *s)
{
	int err = 0;

	if (s->msel.out.len > 0)
		err = s->l->ops->send(s->raw, guts_buf_slice(&s->msel.out));
	guts_buf_clear(&s->msel.out);
	return err;
}

struct guts_stream *
stream_new_inbound(struct guts_link *l, void *raw)
{
	struct guts_stream *s = stream_new(l, true);

	s->raw = raw;
	guts_msel_listen(&s->msel, lookup, s);
	/* The greeting goes with the first answer: the dialer speaks first. */
	l->ops->rearm(l);
	return s;
}

/* The protocol of an inbound stream is known. */
static void
admit(struct guts_stream *s)
{
	const struct guts_protocol *p = s->msel.choice;
	struct guts_link *l = s->l;

	end_negotiation(s);
	s->negotiated = true;
	s->proto = p;
	s->protocol = p->id;
	l->ops->set_prio(s->raw, p->prio);
	if (!l->ev || (l->ev->admit && !l->ev->admit(l->owner, l, p))) {
		fail(s, GUTS_EBUSY);
		return;
	}
	s->admitted = true;
	if (!p->on_stream(p->owner, s, p) && s->raw)
		fail(s, GUTS_EDENIED);
}

static void
agreed(struct guts_stream *s)
{
	size_t chosen = s->msel.chosen;

	if (s->inbound) {
		admit(s);
		return;
	}
	end_negotiation(s);
	s->negotiated = true;
	s->protocol = s->names[chosen];
	if (s->ev && s->ev->open)
		s->ev->open(s->owner, s, s->protocol);
}

size_t
stream_on_data(struct guts_stream *s, struct guts_slice data)
{
	struct guts_link *l = s->l;
	size_t used = 0, taken = 0;
	int err;

	link_enter(l);
	if (!s->negotiated) {
		err = guts_msel_recv(&s->msel, data, &used);
		if (!err || err == GUTS_EUNSUPPORTED)
			err = flush(s) ? GUTS_ECLOSED : err;
		if (err)
			fail(s, err);
		else if (s->msel.done)
			agreed(s);
	}
	if (s->raw && s->negotiated && used < data.n && s->ev && s->ev->data)
		taken = s->ev->data(s->owner, s, guts_slice(data.p + used, data.n - used));
	link_leave(l);
	return used + taken;
}

void
stream_on_eof(struct guts_stream *s)
{
	struct guts_link *l = s->l;

	link_enter(l);
	if (!s->negotiated)
		fail(s, s->inbound ? GUTS_EPROTO : GUTS_EUNSUPPORTED);
	else if (s->ev && s->ev->eof)
		s->ev->eof(s->owner, s);
	link_leave(l);
}

size_t
stream_on_pull(struct guts_stream *s, uint8_t *out, size_t max)
{
	struct guts_link *l = s->l;
	size_t n = 0;

	link_enter(l);
	if (s->ev && s->ev->pull)
		n = s->ev->pull(s->owner, s, out, max);
	link_leave(l);
	return n;
}

void
stream_on_closed(struct guts_stream *s, int err)
{
	struct guts_link *l = s->l;
	const struct guts_stream_events *ev = s->ev;
	void *owner = s->owner;

	link_enter(l);
	bury(s);
	if (ev && ev->closed)
		ev->closed(owner, s, err);
	link_leave(l);
}

uint64_t
stream_deadline(const struct guts_link *l)
{
	return l->negotiating ? l->negotiating->deadline_ns : GUTS_NEVER;
}

void
stream_expire(struct guts_link *l, uint64_t now)
{
	link_enter(l);
	while (l->negotiating && l->negotiating->deadline_ns <= now)
		fail(l->negotiating, GUTS_ETIMEOUT);
	link_leave(l);
}

/* Copy the names into one piece of memory. */
static void
copy_names(struct guts_stream *s, const char *const *names, size_t n)
{
	size_t size = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		size += strlen(names[i]) + 1;
	s->text = guts_alloc(size);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]) + 1;

		memcpy(s->text + at, names[i], len);
		s->names[i] = s->text + at;
		at += len;
	}
	s->n_names = n;
}

int
guts_link_open_stream(struct guts_link *l, const char *const *protocols, size_t n,
    const struct guts_stream_events *ev, void *owner, struct guts_stream **out)
{
	struct guts_stream *s;
	int err;

	assert(n >= 1 && n <= LINK_PROPOSALS_MAX);
	if (!guts_link_is_up(l))
		return GUTS_ECLOSED;
	link_enter(l);
	s = stream_new(l, false);
	copy_names(s, protocols, n);
	guts_msel_dial(&s->msel, s->names, n);
	s->eager = n == 1;
	err = l->ops->open(l, s);
	if (!err)
		err = flush(s);
	if (err) {
		if (s->raw)
			l->ops->reset(s->raw, 0);
		bury(s);
	} else {
		s->ev = ev;
		s->owner = owner;
		*out = s;
		l->ops->rearm(l);
	}
	link_leave(l);
	return err;
}

void
guts_stream_set_events(struct guts_stream *s, const struct guts_stream_events *ev, void *owner)
{
	s->ev = ev;
	s->owner = owner;
	if (s->raw && s->negotiated && !s->paused) {
		/* What the former reader left is shown to the new one. */
		s->l->ops->pause(s->raw, true);
		s->l->ops->pause(s->raw, false);
	}
}

void
guts_stream_set_prio(struct guts_stream *s, enum guts_prio prio)
{
	if (s->raw)
		s->l->ops->set_prio(s->raw, prio);
}

const char *
guts_stream_protocol(const struct guts_stream *s)
{
	return s->protocol;
}

struct guts_link *
guts_stream_link(const struct guts_stream *s)
{
	return s->l;
}

const struct guts_peerid *
guts_stream_peer(const struct guts_stream *s)
{
	return &s->l->peer;
}

int
guts_stream_send(struct guts_stream *s, struct guts_slice data)
{
	if (!s->raw)
		return GUTS_ECLOSED;
	if (!s->negotiated && !s->eager)
		return GUTS_EAGAIN;
	return s->l->ops->send(s->raw, data);
}

size_t
guts_stream_queued(const struct guts_stream *s)
{
	return s->raw ? s->l->ops->queued(s->raw) : 0;
}

void
guts_stream_want_write(struct guts_stream *s)
{
	if (s->raw && (s->negotiated || s->eager))
		s->l->ops->want_write(s->raw);
}

void
guts_stream_finish(struct guts_stream *s)
{
	if (s->raw)
		s->l->ops->finish(s->raw);
}

void
guts_stream_reset(struct guts_stream *s, uint32_t code)
{
	struct guts_link *l = s->l;
	void *raw = s->raw;

	if (!raw)
		return;
	link_enter(l);
	bury(s);
	l->ops->reset(raw, code);
	link_leave(l);
}

void
guts_stream_pause(struct guts_stream *s, bool pause)
{
	if (!s->raw || s->paused == pause)
		return;
	s->paused = pause;
	s->l->ops->pause(s->raw, pause);
}

int
guts_stream_need(struct guts_stream *s, size_t n)
{
	return s->raw ? s->l->ops->need(s->raw, n) : GUTS_ECLOSED;
}
