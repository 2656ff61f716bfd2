/* tests/sim/simnet.c - connections of the simulator.
 *
 * A connection is a pair of ends and, per direction:
 *
 *	queue (what the program wrote) → wire (pieces under way, in order of arrival) → unread →
 * program at most WINDOW bytes in wire and unread together
 *
 * The wire has one event, for its first piece.  A piece that arrives while the ends cannot reach
 * each other stays first and tries again later, so order holds by construction.  SYN answers, ends
 * of stream and resets are pieces of the same wire.
 *
 * An end whose program closed it or crashed is GONE; bytes that arrive there are answered
 * with a reset.  The pair is freed when both ends are gone.
 */
#include "sim_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define PIECE_MAX    (16u << 10)
#define WINDOW       (256u << 10)
#define LOW_BYTES    (32u << 10) /* `writable` comes when at most so much is queued */
#define RETRY_MIN_NS (200 * GUTS_MS_NS)
#define RETRY_MAX_NS (5 * GUTS_SECOND_NS)
#define LOSSES_MAX   8 /* of one piece; then the connection breaks */
#define DIAL_TRIES   6 /* 1, 2, 4 … s apart */

enum what { DATA, OPENED, FIN, RESET };

struct piece {
	struct piece *next;
	uint64_t at;
	enum what what;
	size_t n;
	uint8_t data[];
};

enum end_state { DIALLING, OPEN, GONE };

struct guts_conn {
	struct pair *pair;
	struct guts_conn *other;
	struct sim_place *p;
	enum end_state state;
	bool paused, fin_wanted, fin_sent;
	bool in_wire; /* its wire is being emptied */
	const struct guts_conn_events *ev;
	void *owner;
	uint16_t port; /* own */

	struct piece *queue, *queue_tail; /* not yet on the wire */
	size_t queued;
	struct piece *wire, *wire_tail; /* from this end to the other */
	struct sim_event *wire_event;
	uint64_t arrival, stalled_since, retry_ns;
	size_t window_used, credit;
	struct sim_event *ack_event; /* brings `credit` back to this end */
	struct sim_event *linger_event;

	struct piece *unread, *unread_tail; /* arrived here */
	struct sim_event *deliver_event;
	struct guts_conn *prev, *next; /* of the place */
};

struct pair {
	struct sim *s;
	struct guts_conn end[2];
	unsigned busy;
	bool accepted; /* end[1] exists */
	struct sim_event *dial_event;
	unsigned tries;
};

struct guts_listener {
	const struct guts_listener_events *ev;
	void *owner;
	uint16_t port;
	struct guts_listener *prev, *next;
};

static void pump(struct guts_conn *c);
static void deliver(struct guts_conn *c);

/* --- reach, time ---------------------------------------------------------- */

bool
simnet_reaches(const struct sim_place *a, const struct sim_place *b)
{
	if (a == b)
		return true;
	return a->group == b->group && !a->clogged && !b->clogged && a->machine_on && b->machine_on;
}

static uint64_t
latency(const struct guts_conn *c)
{
	struct sim_place *p = c->p;

	if (p == c->other->p)
		return 20000 + guts_rng_below(&p->fate, 30000);
	return sim_between(&p->fate, p->s->c.latency_min_ns, p->s->c.latency_max_ns);
}

/* --- pieces --------------------------------------------------------------- */

static struct piece *
piece_new(enum what what, const uint8_t *p, size_t n)
{
	struct piece *x = guts_alloc(sizeof *x + n);

	x->what = what;
	x->n = n;
	if (n)
		memcpy(x->data, p, n);
	return x;
}

static void
append(struct piece **head, struct piece **tail, struct piece *x)
{
	x->next = NULL;
	if (*head)
		(*tail)->next = x;
	else
		*head = x;
	*tail = x;
}

static struct piece *
shift(struct piece **head)
{
	struct piece *x = *head;

	*head = x->next;
	return x;
}

static void
free_pieces(struct piece **head)
{
	while (*head)
		free(shift(head));
}

/* --- life ----------------------------------------------------------------- */

static void
cancel(struct sim *s, struct sim_event **ev)
{
	if (*ev)
		sim_event_cancel(s, *ev);
	*ev = NULL;
}

static void
let_go(struct guts_conn *c)
{
	if (c->state == GONE)
		return;
	c->state = GONE;
	c->ev = NULL;
	c->owner = NULL;
	DL_DELETE(c->p->conns, c);
	free_pieces(&c->unread);
	cancel(c->p->s, &c->deliver_event);
}

static void
drop_queue(struct guts_conn *c)
{
	free_pieces(&c->queue);
	c->queued = 0;
	c->fin_wanted = false;
	cancel(c->p->s, &c->linger_event);
}

static void
drop_wire(struct guts_conn *c)
{
	free_pieces(&c->wire);
	cancel(c->p->s, &c->wire_event);
}

static void
hold(struct guts_conn *c)
{
	c->pair->busy++;
}

/* Free the pair when nobody is left. */
static void
release(struct guts_conn *c)
{
	struct pair *pair = c->pair;
	struct sim *s = pair->s;

	if (--pair->busy || pair->end[0].state != GONE || pair->end[1].state != GONE)
		return;
	cancel(s, &pair->dial_event);
	for (int i = 0; i < 2; i++) {
		struct guts_conn *e = &pair->end[i];

		if (!e->p)
			continue;
		drop_queue(e);
		drop_wire(e);
		cancel(s, &e->ack_event);
	}
	free(pair);
}

/* The end learns that it is over: tell the program. */
static void
over(struct guts_conn *c, int err)
{
	const struct guts_conn_events *ev = c->ev;
	void *owner = c->owner;
	enum end_state was = c->state;

	if (was == GONE)
		return;
	let_go(c);
	drop_queue(c);
	if (was == DIALLING)
		ev->open(owner, c, err ? err : GUTS_ECLOSED);
	else
		ev->closed(owner, c, err);
}

/* --- the wire ------------------------------------------------------------- */

static void fire_wire(struct sim *s, struct sim_event *ev);

static void
wire_arm(struct guts_conn *c, uint64_t at)
{
	struct sim *s = c->p->s;

	assert(!c->wire_event);
	c->wire_event = sim_event_add(s, NOBODY, at, SIM_WIRE, fire_wire, c, NULL);
	c->wire_event->subject = c->other->p->index;
	c->wire_event->length = (uint32_t)c->wire->n;
}

/* Send a piece: when will it arrive? */
static void
transmit(struct guts_conn *c, struct piece *x)
{
	struct sim_place *p = c->p;
	struct sim *s = p->s;
	uint64_t at = p->send_free_ns > s->now ? p->send_free_ns : s->now, again = RETRY_MIN_NS;

	if (p != c->other->p) {
		at += (x->n + 40) * GUTS_SECOND_NS / s->c.bytes_per_s;
		p->send_free_ns = at;
		for (int i = 0; s->c.loss_ppm && guts_rng_below(&p->fate, 1000000) < s->c.loss_ppm;
		     i++) {
			at += again;
			again *= 2;
			if (i == LOSSES_MAX) {
				x->what = RESET;
				break;
			}
		}
	}
	at += latency(c);
	if (at < c->arrival)
		at = c->arrival;
	c->arrival = x->at = at;

	append(&c->wire, &c->wire_tail, x);
	if (!c->wire_event && !c->in_wire)
		wire_arm(c, at);
}

static void
transmit_mark(struct guts_conn *c, enum what what)
{
	transmit(c, piece_new(what, NULL, 0));
}

/* A piece came to `c`. */
static void
arrive(struct guts_conn *c, struct piece *x)
{
	if (c->state == GONE) {
		if (x->what == DATA && c->other->state == OPEN)
			transmit_mark(c, RESET);
		free(x);
		return;
	}
	switch (x->what) {
	case OPENED:
		c->state = OPEN;
		free(x);
		c->ev->open(c->owner, c, 0);
		if (c->state == OPEN)
			pump(c);
		return;
	case RESET:
		free(x);
		over(c, GUTS_ECLOSED);
		return;
	default: append(&c->unread, &c->unread_tail, x); deliver(c);
	}
}

static void
fire_wire(struct sim *s, struct sim_event *ev)
{
	struct guts_conn *c = ev->a, *to = c->other;

	c->wire_event = NULL;
	hold(c);
	if (!simnet_reaches(c->p, to->p)) {
		if (!c->retry_ns) {
			c->stalled_since = s->now;
			c->retry_ns = RETRY_MIN_NS;
		}
		if (s->now - c->stalled_since >= s->c.break_ns) {
			drop_wire(c);
			over(c, GUTS_ETIMEOUT);
			if (to->state == DIALLING)
				over(to, GUTS_ETIMEOUT);
		} else {
			wire_arm(c, s->now + c->retry_ns);
			c->retry_ns =
				c->retry_ns * 2 < RETRY_MAX_NS ? c->retry_ns * 2 : RETRY_MAX_NS;
		}
	} else {
		c->retry_ns = 0;
		c->in_wire = true;
		while (c->wire && c->wire->at <= s->now)
			arrive(to, shift(&c->wire));
		c->in_wire = false;
		if (c->wire)
			wire_arm(c, c->wire->at);
	}
	release(c);
}

/* --- reading -------------------------------------------------------------- */

static void
fire_ack(struct sim *s, struct sim_event *ev)
{
	struct guts_conn *c = ev->a;

	c->ack_event = NULL;
	if (c->state == GONE && !c->fin_wanted)
		return; /* crashed: it sends no more */
	if (!simnet_reaches(c->p, c->other->p)) {
		c->ack_event = sim_event_add(s, NOBODY, s->now + GUTS_SECOND_NS, SIM_ACK, fire_ack,
					     c, NULL);
		return;
	}
	hold(c);
	size_t was = c->queued;
	c->window_used -= c->credit;
	c->credit = 0;
	pump(c);
	if (c->state == OPEN && was && c->queued <= LOW_BYTES)
		c->ev->writable(c->owner, c);
	release(c);
}

/* The program took n bytes: the sender may send more, at once if it does not wait for it. */
static void
consumed(struct guts_conn *c, size_t n)
{
	struct guts_conn *from = c->other;

	if (!from->queue) {
		from->window_used -= n;
		return;
	}
	from->credit += n;
	if (!from->ack_event)
		from->ack_event = sim_event_add(c->p->s, NOBODY, c->p->s->now + latency(c), SIM_ACK,
						fire_ack, from, NULL);
}

static void
fire_deliver(struct sim *s, struct sim_event *ev)
{
	struct guts_conn *c = ev->a;

	(void)s;
	c->deliver_event = NULL;
	hold(c);
	deliver(c);
	release(c);
}

static void
deliver_later(struct guts_conn *c, uint64_t at)
{
	if (!c->deliver_event)
		c->deliver_event =
			sim_event_add(c->p->s, NOBODY, at, SIM_DELIVER, fire_deliver, c, NULL);
}

/* Give the program what it may have now; inside an event. */
static void
deliver(struct guts_conn *c)
{
	struct sim_place *p = c->p;
	struct sim *s = p->s;

	while (c->state == OPEN && c->unread && !c->paused && !c->deliver_event) {
		if (c->unread->what == FIN) {
			over(c, 0);
			return;
		}
		if (p->read_rate) {
			if (p->read_free_ns > s->now) {
				deliver_later(c, p->read_free_ns);
				return;
			}
			p->read_free_ns = s->now + c->unread->n * GUTS_SECOND_NS / p->read_rate;
		}

		struct piece *x = shift(&c->unread);
		if (s->c.digest_bytes)
			sim_note_bytes(s, guts_slice(x->data, x->n));
		consumed(c, x->n);
		c->ev->data(c->owner, c, guts_slice(x->data, x->n));
		free(x);
	}
}

void
simnet_read_pause(struct guts_env *e, struct guts_conn *c, bool pause)
{
	(void)e;
	c->paused = pause;
	if (!pause && c->unread)
		deliver_later(c, 0);
}

/* --- writing -------------------------------------------------------------- */

/* Put on the wire what the window allows. */
static void
pump(struct guts_conn *c)
{
	while (c->queue && (c->window_used == 0 || c->window_used + c->queue->n <= WINDOW)) {
		struct piece *x = shift(&c->queue);

		c->queued -= x->n;
		c->window_used += x->n;
		transmit(c, x);
	}
	if (c->fin_wanted && !c->queue && !c->fin_sent) {
		c->fin_sent = true;
		cancel(c->p->s, &c->linger_event);
		transmit_mark(c, FIN);
	}
}

int
simnet_write(struct guts_env *e, struct guts_conn *c, struct guts_slice data)
{
	(void)e;
	while (data.n) {
		size_t n = data.n < PIECE_MAX ? data.n : PIECE_MAX;

		append(&c->queue, &c->queue_tail, piece_new(DATA, data.p, n));
		c->queued += n;
		data = guts_slice(data.p + n, data.n - n);
	}
	if (c->state == OPEN)
		pump(c);
	return 0;
}

size_t
simnet_queued(struct guts_env *e, const struct guts_conn *c)
{
	(void)e;
	return c->queued;
}

static void
fire_linger(struct sim *s, struct sim_event *ev)
{
	struct guts_conn *c = ev->a;

	(void)s;
	c->linger_event = NULL;
	hold(c);
	drop_queue(c);
	transmit_mark(c, RESET);
	release(c);
}

static void
close_end(struct guts_conn *c)
{
	struct sim *s = c->p->s;

	if (c->state == GONE)
		return;
	hold(c);
	if (c->state == DIALLING) {
		let_go(c);
		if (c->pair->accepted)
			transmit_mark(c, RESET);
	} else {
		let_go(c);
		c->fin_wanted = true;
		if (c->queue)
			c->linger_event = sim_event_add(s, NOBODY, s->now + GUTS_SECOND_NS,
							SIM_LINGER, fire_linger, c, NULL);
		pump(c);
	}
	release(c);
}

void
simnet_close(struct guts_env *e, struct guts_conn *c)
{
	(void)e;
	close_end(c);
}

/* --- dialling and listening
 * ------------------------------------------------------------------------ */

static struct guts_listener *
listener_at(struct sim_place *p, uint16_t port)
{
	struct guts_listener *l;

	DL_FOREACH (p->listeners, l)
		if (l->port == port)
			return l;
	return NULL;
}

static void
end_init(struct pair *pair, int i, struct sim_place *p, uint16_t port)
{
	struct guts_conn *c = &pair->end[i];

	c->pair = pair;
	c->other = &pair->end[1 - i];
	c->p = p;
	c->port = port;
	c->state = GONE;
}

static void
end_begin(struct guts_conn *c, enum end_state state)
{
	c->state = state;
	DL_APPEND(c->p->conns, c);
}

static void
accept_at(struct guts_conn *c, struct guts_listener *l)
{
	struct sockaddr_storage from;

	end_begin(c, OPEN);
	c->pair->accepted = true;
	transmit_mark(c, OPENED);
	simnet_remote(&c->p->env, c, &from);
	if (!l->ev->accept(l->owner, c, (struct sockaddr *)&from, &c->ev, &c->owner) &&
	    c->state != GONE) {
		let_go(c);
		drop_queue(c);
		transmit_mark(c, RESET);
	}
}

static void
fire_dial(struct sim *s, struct sim_event *ev)
{
	struct pair *pair = ev->a;
	struct guts_conn *c = &pair->end[0], *to = &pair->end[1];
	struct guts_listener *l;

	pair->dial_event = NULL;
	hold(c);
	if (!to->p || !simnet_reaches(c->p, to->p)) {
		if (++pair->tries == DIAL_TRIES)
			over(c, GUTS_ETIMEOUT);
		else
			pair->dial_event = sim_event_add(
				s, NOBODY, s->now + (GUTS_SECOND_NS << (pair->tries - 1)), SIM_DIAL,
				fire_dial, pair, NULL);
	} else if (to->p->owner && (l = listener_at(to->p, to->port))) {
		accept_at(to, l);
	} else {
		transmit_mark(to, RESET);
	}
	release(c);
}

int
simnet_dial(struct guts_env *e, const struct sockaddr *to, const struct guts_conn_events *ev,
	    void *owner, struct guts_conn **out)
{
	struct sim_place *p = sim_place_of(e);
	struct sim *s = p->s;
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;

	if (to->sa_family != AF_INET)
		return GUTS_EINVAL;

	uint32_t address = ntohl(in->sin_addr.s_addr), place = address & 0xffffff;
	struct pair *pair = guts_alloc(sizeof *pair);

	pair->s = s;
	if (address >> 24 == 127)
		place = p->index;
	else if (place >= s->c.places
		 || address >> 24 != (s->place[place].network ? UINT32_C(64) + s->place[place].network : 10))
		place = NOBODY;
	end_init(pair, 0, p, p->next_port);
	end_init(pair, 1, place == NOBODY ? NULL : &s->place[place], ntohs(in->sin_port));
	p->next_port = p->next_port == UINT16_MAX ? 49152 : (uint16_t)(p->next_port + 1);

	struct guts_conn *c = &pair->end[0];
	end_begin(c, DIALLING);
	c->ev = ev;
	c->owner = owner;
	pair->dial_event =
		sim_event_add(s, NOBODY, s->now + latency(c), SIM_DIAL, fire_dial, pair, NULL);
	*out = c;
	return 0;
}

int
simnet_listen(struct guts_env *e, const struct sockaddr *at, const struct guts_listener_events *ev,
	      void *owner, struct guts_listener **out, struct sockaddr_storage *bound)
{
	struct sim_place *p = sim_place_of(e);
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)at;

	if (at->sa_family != AF_INET)
		return GUTS_EINVAL;

	uint16_t port = ntohs(in->sin_port);
	if (port && listener_at(p, port))
		return GUTS_EEXIST;
	while (!port || listener_at(p, port))
		port = (uint16_t)(20000 + guts_rng_below(&p->fate, 20000));

	struct guts_listener *l = guts_alloc(sizeof *l);
	l->ev = ev;
	l->owner = owner;
	l->port = port;
	DL_APPEND(p->listeners, l);
	if (bound) {
		memset(bound, 0, sizeof *bound);
		memcpy(bound, in, sizeof *in);
		((struct sockaddr_in *)bound)->sin_port = htons(port);
	}
	*out = l;
	return 0;
}

void
simnet_unlisten(struct guts_env *e, struct guts_listener *l)
{
	DL_DELETE(sim_place_of(e)->listeners, l);
	free(l);
}

void
simnet_local(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	(void)e;
	sim_place_address(c->p->s, c->p->index, c->port, out);
}

void
simnet_remote(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	(void)e;
	if (c->other->p)
		sim_place_address(c->other->p->s, c->other->p->index, c->other->port, out);
	else
		sim_address(0xffffff, c->other->port, out);
}

void
simnet_end_place(struct sim_place *p, enum simnet_end how)
{
	while (p->listeners) {
		struct guts_listener *l = p->listeners;

		DL_DELETE(p->listeners, l);
		free(l);
	}
	while (p->conns) {
		struct guts_conn *c = p->conns;

		if (how == SIMNET_CLOSE) {
			close_end(c);
			continue;
		}
		hold(c);
		let_go(c);
		drop_queue(c);
		if (how == SIMNET_SILENT)
			drop_wire(c); /* no one will send it again */
		else if (c->pair->accepted)
			transmit_mark(c, RESET);
		release(c);
	}
}
