/* tests/sim/kad_net.c - Kademlia objects joined by a model network.
 *
 * A request travels, is served by the real object at the other end, and its answer travels
 * back.  Nodes that are not linked yet are linked by the first request, as a dialler would do; a
 * request to a node that is down fails after a round trip.
 */
#include "kad_net.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "wire/varint.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

struct kad_net_event {
	uint64_t at, serial, request;
	unsigned from, to; /* of the request */
	bool is_answer, is_answered;
	uint64_t life; /* of `from`: answers do not outlive a restart */
	struct guts_buf message;
	int err;
	struct kad_net_event *prev, *next;
};

static uint64_t lives[KAD_NET_MAX];

/* Late 2023 when the network begins. */
static uint64_t
wall(const struct kad_net *net)
{
	return UINT64_C(1700000000) * KAD_NET_S + net->now;
}

static int
on_value(void *owner, struct guts_slice key, struct guts_buf *out)
{
	const struct kad_net_node *n = owner;

	(void)key;
	return n->published.n ? guts_buf_add_slice(out, n->published) : GUTS_ENOTFOUND;
}

static void
on_offence(void *owner, const struct guts_peerid *peer, int err, const char *what)
{
	struct kad_net_node *n = owner;

	(void)peer;
	(void)what;
	n->offences++;
	n->last_offence = err;
}

static const struct guts_kad_events events = {.value = on_value, .offence = on_offence};

void
kad_net_init(struct kad_net *net, unsigned n, uint64_t seed, bool is_spread)
{
	char text[80];

	assert(n <= KAD_NET_MAX);
	*net = (struct kad_net){.n = n, .latency_ns = KAD_NET_S / 50, .now = 1000 * KAD_NET_S};
	net->nodes = guts_calloc(n, sizeof *net->nodes);
	net->rng = guts_alloc(sizeof *net->rng);
	guts_rng_seed(net->rng, seed);
	for (unsigned i = 0; i < n; i++) {
		struct kad_net_node *node = &net->nodes[i];
		uint8_t key[32] = {'k', 'a', 'd', (uint8_t)seed, (uint8_t)i, (uint8_t)(i >> 8)};

		node->net = net;
		node->place = i;
		guts_key_from_seed(&node->key, key);
		if (is_spread)
			snprintf(text, sizeof text, "/ip4/%u.%u.1.1/tcp/4001", 1 + i / 200,
				 i % 200);
		else
			snprintf(text, sizeof text, "/ip4/127.0.0.1/tcp/%u", 4001 + i);
		assert(guts_maddr_parse(&node->addr, guts_slice_str(text)) == 0);
	}
}

static void
event_free(struct kad_net *net, struct kad_net_event *e)
{
	DL_DELETE(net->events, e);
	guts_buf_deinit(&e->message);
	free(e);
}

void
kad_net_deinit(struct kad_net *net)
{
	while (net->events)
		event_free(net, net->events);
	for (unsigned i = 0; i < net->n; i++)
		guts_kad_free(net->nodes[i].kad);
	free(net->nodes);
	free(net->rng);
}

void
kad_net_up(struct kad_net *net, unsigned place, bool is_server)
{
	struct kad_net_node *n = &net->nodes[place];
	struct guts_kad_config cfg = net->cfg;

	assert(!n->is_up);
	cfg.is_server = is_server;
	n->kad = guts_kad_new(&cfg, &n->key.id, guts_rng_u64(net->rng), &events, n, net->now);
	guts_kad_set_addresses(n->kad, &n->addr, 1);
	n->is_up = true;
	n->is_server = is_server;
	lives[place]++;
}

void
kad_net_down(struct kad_net *net, unsigned place)
{
	struct kad_net_node *n = &net->nodes[place];

	guts_kad_free(n->kad);
	n->kad = NULL;
	n->is_up = false;
	for (unsigned i = 0; i < net->n; i++) {
		if (n->links[i])
			guts_kad_peer_down(net->nodes[i].kad, &n->key.id, net->now);
		n->links[i] = net->nodes[i].links[place] = false;
	}
}

static void
tell_up(struct kad_net *net, unsigned at, unsigned peer)
{
	const struct kad_net_node *p = &net->nodes[peer];
	struct guts_kad_contact c = {.id = p->key.id, .n_addrs = 1};

	c.addrs[0] = p->addr;
	guts_kad_peer_up(net->nodes[at].kad, &c, &p->addr,
			 p->is_server ? GUTS_KAD_SERVER : GUTS_KAD_CLIENT, net->now);
}

void
kad_net_link(struct kad_net *net, unsigned a, unsigned b)
{
	assert(net->nodes[a].is_up && net->nodes[b].is_up);
	if (a == b || net->nodes[a].links[b])
		return;
	net->nodes[a].links[b] = net->nodes[b].links[a] = true;
	tell_up(net, a, b);
	tell_up(net, b, a);
}

/* --- messages -------------------------------------------------------------- */

static struct kad_net_event *
event_new(struct kad_net *net, unsigned from, unsigned to, uint64_t request)
{
	struct kad_net_event *e = guts_alloc(sizeof *e), *before;
	static uint64_t serial;

	e->at = net->now + net->latency_ns / 2 + guts_rng_below(net->rng, net->latency_ns + 1);
	e->serial = ++serial;
	e->from = from;
	e->to = to;
	e->request = request;
	e->life = lives[from];
	guts_buf_init(&e->message, 1u << 20);
	DL_FOREACH (net->events, before)
		if (before->at > e->at)
			break;
	if (before)
		DL_PREPEND_ELEM(net->events, before, e);
	else
		DL_APPEND(net->events, e);
	return e;
}

static unsigned
place_of(const struct kad_net *net, const struct guts_peerid *id)
{
	for (unsigned i = 0; i < net->n; i++)
		if (guts_peerid_eq(&net->nodes[i].key.id, id))
			return i;
	return net->n;
}

static void
pump(struct kad_net *net, unsigned place)
{
	struct guts_kad_out o;

	while (net->nodes[place].kad && guts_kad_next(net->nodes[place].kad, &o)) {
		struct kad_net_event *e;

		if (o.is_drop)
			continue;
		e = event_new(net, place, place_of(net, &o.to.id), o.request);
		e->is_answered = o.is_answered;
		guts_buf_add_slice(&e->message, o.frame);
		net->messages++;
		net->bytes += o.frame.n;
	}
}

static void
deliver(struct kad_net *net, struct kad_net_event *e)
{
	struct kad_net_event *back;
	struct guts_slice frame;
	size_t n;

	back = event_new(net, e->from, e->to, e->request);
	back->is_answer = true;
	back->is_answered = e->is_answered;
	if (e->to == net->n || !net->nodes[e->to].is_up) {
		back->err = GUTS_ECLOSED;
		return;
	}
	kad_net_link(net, e->from, e->to);
	assert(guts_frame_read(guts_buf_slice(&e->message), GUTS_KAD_MESSAGE_MAX, &frame, &n) == 0);
	if (net->nodes[e->to].is_mute) {
		event_free(net, back);
		return;
	}
	back->err = guts_kad_serve(net->nodes[e->to].kad, &net->nodes[e->from].key.id, frame,
				   &back->message, wall(net), net->now);
	net->messages += back->message.len > 0;
	net->bytes += back->message.len;
	pump(net, e->to);
}

static void
take_back(struct kad_net *net, struct kad_net_event *e)
{
	struct guts_kad *k = net->nodes[e->from].kad;
	struct guts_slice frame;
	size_t n;

	if (e->err) {
		guts_kad_failed(k, e->request, e->err, net->now);
	} else if (!e->is_answered) {
		guts_kad_sent(k, e->request, net->now);
	} else {
		if (net->tamper)
			net->tamper(net, e->to, &e->message);
		assert(guts_frame_read(guts_buf_slice(&e->message), GUTS_KAD_RECV_MAX, &frame,
				       &n) == 0);
		guts_kad_answer(k, e->request, frame, wall(net), net->now);
	}
}

static uint64_t
next_deadline(const struct kad_net *net, unsigned *who)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < net->n; i++) {
		uint64_t d = net->nodes[i].kad ? guts_kad_deadline(net->nodes[i].kad) : UINT64_MAX;

		if (d < at) {
			at = d;
			*who = i;
		}
	}
	return at;
}

void
kad_net_run(struct kad_net *net, uint64_t at_ns, const bool *stop)
{
	for (unsigned i = 0; i < net->n; i++)
		pump(net, i);
	while (!(stop && *stop)) {
		struct kad_net_event *e = net->events;
		unsigned who = 0;
		uint64_t deadline = next_deadline(net, &who);

		if (e && e->at <= deadline && e->at <= at_ns) {
			net->now = e->at > net->now ? e->at : net->now;
			if (net->nodes[e->from].is_up && lives[e->from] == e->life) {
				if (e->is_answer)
					take_back(net, e);
				else
					deliver(net, e);
				pump(net, e->from);
			}
			event_free(net, e);
		} else if (deadline <= at_ns) {
			net->now = deadline > net->now ? deadline : net->now;
			guts_kad_tick(net->nodes[who].kad, wall(net), net->now);
			pump(net, who);
		} else {
			net->now = at_ns > net->now ? at_ns : net->now;
			return;
		}
	}
}

void
kad_net_grow(struct kad_net *net)
{
	for (unsigned i = 0; i < net->n; i++) {
		kad_net_up(net, i, true);
		if (i > 0)
			kad_net_link(net, i, (unsigned)guts_rng_below(net->rng, i));
		kad_net_run(net, net->now + KAD_NET_S / 4, NULL);
	}
	kad_net_run(net, net->now + 20 * KAD_NET_S, NULL);
}

static void
on_done(void *owner, const struct guts_kad_result *r)
{
	struct kad_net_result *out = owner;

	assert(r->n_hops <= GUTS_KAD_CANDIDATES_MAX && r->n_providers <= GUTS_KAD_K);
	out->is_done = true;
	out->err = r->err;
	out->n_closest = r->n_closest;
	memcpy(out->closest, r->closest, r->n_closest * sizeof *r->closest);
	out->n_providers = r->n_providers;
	if (r->n_providers)
		memcpy(out->providers, r->providers, r->n_providers * sizeof *r->providers);
	out->n_hops = r->n_hops;
	if (r->n_hops)
		memcpy(out->hops, r->hops, r->n_hops * sizeof *r->hops);
	out->value_n = r->value.n;
	if (r->value.n)
		memcpy(out->value, r->value.p, r->value.n);
	out->n_stored = r->n_stored;
	out->took_ns = r->took_ns;
}

int
kad_net_lookup(struct kad_net *net, unsigned place, enum guts_kad_kind kind, struct guts_slice key,
	       struct guts_slice value, struct kad_net_result *out)
{
	struct guts_kad_goal goal = {.kind = kind, .key = key, .value = value};
	int err;

	memset(out, 0, sizeof *out);
	err = guts_kad_lookup(net->nodes[place].kad, &goal, on_done, out, wall(net), net->now,
			      NULL);
	if (err)
		return err;
	kad_net_run(net, net->now + 200 * KAD_NET_S, &out->is_done);
	assert(out->is_done);
	return out->err;
}

int
kad_net_tell(struct kad_net *net, unsigned from, unsigned to, const struct guts_kad_message *m,
	     struct guts_buf *answer)
{
	struct guts_buf b;
	int err;

	guts_buf_init(&b, 1u << 20);
	assert(guts_pb_encode(&guts_kad_message_desc, m, &b) == 0);
	err = guts_kad_serve(net->nodes[to].kad, &net->nodes[from].key.id, guts_buf_slice(&b),
			     answer, net->now, net->now);
	guts_buf_deinit(&b);
	return err;
}
