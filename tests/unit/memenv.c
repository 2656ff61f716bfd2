/* tests/unit/memenv.c - an environment in memory: one ordered list of events and one of timers. */
#include "memenv.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define KERNEL_BYTES (256u << 10)
#define LOW_BYTES (32u << 10)

struct memenv {
	struct guts_env env;
	struct memnet *net;
	struct in_addr ip;
	uint16_t next_port;
	struct guts_rng rng;
	struct guts_listener *listeners;
	struct memenv *prev, *next;
};

struct guts_listener {
	struct memenv *e;
	uint16_t port;
	const struct guts_listener_events *ev;
	void *owner;
	struct guts_listener *prev, *next;
};

struct guts_conn {
	struct memenv *e;
	struct guts_conn *peer; /* NULL: gone */
	const struct guts_conn_events *ev;
	void *owner;
	struct sockaddr_in local, remote;
	size_t in_flight;       /* written and not shown to the reader */
	bool paused, closed;
	struct guts_buf held;
	unsigned refs;          /* events on their way, and the owner */
};

enum what { OPEN, DATA, WRITABLE, CLOSED, POSTED };

struct event {
	enum what what;
	uint64_t at, seq;
	struct guts_conn *c;
	struct guts_buf data;
	int err;
	void (*fn)(void *arg);
	void *arg;
	struct event *prev, *next;
};

struct timer_row {
	struct guts_timer *t;
	uint64_t seq;
	struct timer_row *prev, *next;
};

struct memnet {
	uint64_t now, latency, seq;
	bool cut;
	struct event *events;
	struct timer_row *timers;
	struct memenv *nodes;
	unsigned conns;
};

static struct memenv *
of(struct guts_env *e)
{
	return (struct memenv *)e;
}

static void
unref(struct guts_conn *c)
{
	if (--c->refs > 0)
		return;
	c->e->net->conns--;
	guts_buf_deinit(&c->held);
	free(c);
}

static struct event *
add_event(struct memnet *net, enum what what, struct guts_conn *c, uint64_t delay)
{
	struct event *ev = guts_alloc(sizeof(*ev));

	ev->what = what;
	ev->c = c;
	ev->at = net->now + delay;
	ev->seq = ++net->seq;
	guts_buf_init(&ev->data, 64u << 20);
	if (c)
		c->refs++;
	DL_APPEND(net->events, ev);
	return ev;
}

static uint64_t
op_now(struct guts_env *e)
{
	return of(e)->net->now;
}

static uint64_t
op_wall(struct guts_env *e)
{
	return UINT64_C(1700000000000000000) + of(e)->net->now;
}

static void
op_random(struct guts_env *e, void *p, size_t n)
{
	guts_rng_bytes(&of(e)->rng, p, n);
}

static void
op_timer_clear(struct guts_env *e, struct guts_timer *t)
{
	struct timer_row *r, *tmp;

	DL_FOREACH_SAFE(of(e)->net->timers, r, tmp) {
		if (r->t != t)
			continue;
		DL_DELETE(of(e)->net->timers, r);
		free(r);
	}
	t->at_ns = GUTS_NEVER;
}

static void
op_timer_set(struct guts_env *e, struct guts_timer *t, uint64_t at_ns)
{
	struct timer_row *r;

	op_timer_clear(e, t);
	if (at_ns == GUTS_NEVER)
		return;
	t->at_ns = at_ns;
	r = guts_alloc(sizeof(*r));
	r->t = t;
	r->seq = ++of(e)->net->seq;
	DL_APPEND(of(e)->net->timers, r);
}

static int
op_listen(struct guts_env *e, const struct sockaddr *at, const struct guts_listener_events *ev, void *owner,
    struct guts_listener **out, struct sockaddr_storage *bound)
{
	struct guts_listener *l = guts_alloc(sizeof(*l));
	struct sockaddr_in in;

	memcpy(&in, at, sizeof(in));
	l->e = of(e);
	l->ev = ev;
	l->owner = owner;
	l->port = ntohs(in.sin_port) ? ntohs(in.sin_port) : ++of(e)->next_port;
	in.sin_port = htons(l->port);
	memcpy(bound, &in, sizeof(in));
	DL_APPEND(of(e)->listeners, l);
	*out = l;
	return 0;
}

static void
op_unlisten(struct guts_env *e, struct guts_listener *l)
{
	DL_DELETE(of(e)->listeners, l);
	free(l);
}

static struct guts_conn *
conn_new(struct memenv *e)
{
	struct guts_conn *c = guts_alloc(sizeof(*c));

	c->e = e;
	c->refs = 1;
	e->net->conns++;
	guts_buf_init(&c->held, 64u << 20);
	return c;
}

static int
op_dial(struct guts_env *e, const struct sockaddr *to, const struct guts_conn_events *ev, void *owner,
    struct guts_conn **out)
{
	struct memenv *me = of(e);
	struct guts_conn *c = conn_new(me);

	c->ev = ev;
	c->owner = owner;
	memcpy(&c->remote, to, sizeof(c->remote));
	c->local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = me->ip, .sin_port = htons(++me->next_port) };
	add_event(me->net, OPEN, c, me->net->latency);
	*out = c;
	return 0;
}

static int
op_write(struct guts_env *e, struct guts_conn *c, struct guts_slice data)
{
	struct event *ev;

	if (c->closed || !c->peer)
		return GUTS_ECLOSED;
	ev = add_event(of(e)->net, DATA, c->peer, of(e)->net->latency);
	guts_buf_add_slice(&ev->data, data);
	c->in_flight += data.n;
	return 0;
}

static size_t
op_queued(struct guts_env *e, const struct guts_conn *c)
{
	(void)e;
	return c->in_flight > KERNEL_BYTES ? c->in_flight - KERNEL_BYTES : 0;
}

/* Show bytes to the reader and free the writer's room. */
static void
show(struct guts_conn *c, struct guts_slice data)
{
	struct guts_conn *w = c->peer;

	if (w) {
		size_t before = op_queued(NULL, w), after;

		w->in_flight -= data.n;
		after = op_queued(NULL, w);
		if (before > LOW_BYTES && after <= LOW_BYTES)
			add_event(w->e->net, WRITABLE, w, w->e->net->latency);
	}
	if (!c->closed)
		c->ev->data(c->owner, c, data);
}

static void
op_read_pause(struct guts_env *e, struct guts_conn *c, bool pause)
{
	c->paused = pause;
	if (!pause && c->held.len > 0) {
		struct event *ev = add_event(of(e)->net, DATA, c, 0);

		guts_buf_add_slice(&ev->data, guts_buf_slice(&c->held));
		guts_buf_clear(&c->held);
	}
}

static void
op_close(struct guts_env *e, struct guts_conn *c)
{
	assert(!c->closed);
	c->closed = true;
	if (c->peer) {
		add_event(of(e)->net, CLOSED, c->peer, of(e)->net->latency);
		c->peer->peer = NULL;
		c->peer = NULL;
	}
	unref(c);
}

static void
op_local(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	(void)e;
	memcpy(out, &c->local, sizeof(c->local));
}

static void
op_remote(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	(void)e;
	memcpy(out, &c->remote, sizeof(c->remote));
}

static void
op_post(struct guts_env *e, void (*fn)(void *arg), void *arg)
{
	struct event *ev = add_event(of(e)->net, POSTED, NULL, 0);

	ev->fn = fn;
	ev->arg = arg;
}

static const struct guts_env_ops ops = {
	.now = op_now, .wall = op_wall, .random = op_random, .timer_set = op_timer_set,
	.timer_clear = op_timer_clear, .listen = op_listen, .unlisten = op_unlisten, .dial = op_dial,
	.write = op_write, .queued = op_queued, .read_pause = op_read_pause, .close = op_close,
	.conn_local = op_local, .conn_remote = op_remote, .post = op_post,
};

static struct guts_listener *
listener_at(struct memnet *net, const struct sockaddr_in *to)
{
	struct memenv *e;
	struct guts_listener *l;

	DL_FOREACH(net->nodes, e)
		DL_FOREACH(e->listeners, l)
			if (e->ip.s_addr == to->sin_addr.s_addr && l->port == ntohs(to->sin_port))
				return l;
	return NULL;
}

static void
fail_open(struct guts_conn *c)
{
	c->closed = true;
	c->ev->open(c->owner, c, GUTS_ECLOSED);
	unref(c);
}

static void
do_open(struct memnet *net, struct guts_conn *c)
{
	struct guts_listener *l = listener_at(net, &c->remote);
	struct guts_conn *s;

	if (c->closed)
		return;
	if (!l) {
		fail_open(c);
		return;
	}
	s = conn_new(l->e);
	s->local = c->remote;
	s->remote = c->local;
	s->peer = c;
	c->peer = s;
	if (l->ev->accept(l->owner, s, (const struct sockaddr *)&s->remote, &s->ev, &s->owner)) {
		c->ev->open(c->owner, c, 0);
		return;
	}
	c->peer = NULL;
	s->closed = true;
	unref(s);
	fail_open(c);
}

static void
do_event(struct memnet *net, struct event *ev)
{
	struct guts_conn *c = ev->c;

	switch (ev->what) {
	case OPEN: do_open(net, c); break;
	case DATA:
		if (c->closed)
			break;
		if (c->paused)
			guts_buf_add_slice(&c->held, guts_buf_slice(&ev->data));
		else
			show(c, guts_buf_slice(&ev->data));
		break;
	case WRITABLE:
		if (!c->closed)
			c->ev->writable(c->owner, c);
		break;
	case CLOSED:
		if (c->closed)
			break;
		c->closed = true;
		c->ev->closed(c->owner, c, 0);
		unref(c);
		break;
	case POSTED: ev->fn(ev->arg); break;
	}
}

static struct event *
next_event(struct memnet *net)
{
	struct event *ev, *best = NULL;

	DL_FOREACH(net->events, ev) {
		if (net->cut && ev->what != POSTED)
			continue;
		if (!best || ev->at < best->at || (ev->at == best->at && ev->seq < best->seq))
			best = ev;
	}
	return best;
}

/* The next thing before `until`; false = nothing. */
static bool
step(struct memnet *net, uint64_t until)
{
	struct event *ev = next_event(net);
	struct timer_row *r, *best = NULL;

	DL_FOREACH(net->timers, r)
		if (!best || r->t->at_ns < best->t->at_ns)
			best = r;
	if (best && (!ev || best->t->at_ns <= ev->at)) {
		struct guts_timer *t = best->t;

		if (t->at_ns > until)
			return false;
		if (t->at_ns > net->now)
			net->now = t->at_ns;
		DL_DELETE(net->timers, best);
		free(best);
		t->at_ns = GUTS_NEVER;
		t->fire(t, t->owner);
		return true;
	}
	if (!ev || ev->at > until)
		return false;
	if (ev->at > net->now)
		net->now = ev->at;
	DL_DELETE(net->events, ev);
	do_event(net, ev);
	if (ev->c)
		unref(ev->c);
	guts_buf_deinit(&ev->data);
	free(ev);
	return true;
}

bool
memnet_run(struct memnet *net, bool (*until)(void *arg), void *arg, uint64_t ns)
{
	uint64_t end = net->now + ns;

	while (!(until && until(arg)))
		if (!step(net, end)) {
			net->now = end;
			return until && until(arg);
		}
	return true;
}

void
memnet_pass(struct memnet *net, uint64_t ns)
{
	memnet_run(net, NULL, NULL, ns);
}

void
memnet_cut(struct memnet *net, bool cut)
{
	net->cut = cut;
}

uint64_t
memnet_now(const struct memnet *net)
{
	return net->now;
}

struct memnet *
memnet_new(uint64_t latency_ns)
{
	struct memnet *net = guts_alloc(sizeof(*net));

	net->latency = latency_ns;
	net->now = GUTS_SECOND_NS;
	return net;
}

struct guts_env *
memnet_node(struct memnet *net, uint8_t host)
{
	struct memenv *e = guts_alloc(sizeof(*e));

	e->env.ops = &ops;
	e->net = net;
	e->ip.s_addr = htonl(host ? 0x0a000000u + host : 0x7f000001u);
	e->next_port = 1000;
	guts_rng_seed(&e->rng, host + 1u);
	DL_APPEND(net->nodes, e);
	return &e->env;
}

void
memnet_free(struct memnet *net)
{
	struct memenv *e, *tmp;

	memnet_cut(net, false);
	memnet_pass(net, 10 * GUTS_SECOND_NS);
	assert(net->conns == 0);
	assert(!net->timers && !net->events);
	DL_FOREACH_SAFE(net->nodes, e, tmp) {
		DL_DELETE(net->nodes, e);
		free(e);
	}
	free(net);
}
