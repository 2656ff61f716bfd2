/* tests/sim/gossip_net.c - see gossip_net.h.
 *
 * One binary heap of events by (time, sequence).  A node's output is pulled right after the event
 * that caused it and travels frame by frame.
 */
#include "gossip_net.h"

#include "base/alloc.h"
#include "wire/varint.h"

#include <stdlib.h>
#include <uthash.h>

struct event {
	uint64_t at, sequence;
	uint32_t to, from; /* from == to: a tick, or (n = 1) its uplink is free */
	uint32_t n;
	uint8_t *bytes;
};

struct pair {
	uint64_t key;
	size_t link;
	UT_hash_handle hh;
};

/* --- heap ---------------------------------------------------------------- */

static bool
before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void
push(struct gnet *net, struct event e)
{
	struct event *h;
	size_t i;

	if (net->heap_n == net->heap_max) {
		net->heap_max = net->heap_max ? 2 * net->heap_max : 1024;
		net->heap = guts_realloc(net->heap, net->heap_max * sizeof *h);
	}
	h = net->heap;
	e.sequence = net->sequence++;
	for (i = net->heap_n++; i > 0 && before(&e, &h[(i - 1) / 2]); i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = e;
}

static struct event
pop(struct gnet *net)
{
	struct event *h = net->heap, top = h[0], last = h[--net->heap_n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < net->heap_n) {
		if (child + 1 < net->heap_n && before(&h[child + 1], &h[child]))
			child++;
		if (!before(&h[child], &last))
			break;
		h[i] = h[child];
		i = child;
	}
	h[i] = last;
	return top;
}

/* --- links --------------------------------------------------------------- */

static uint64_t
pair_key(uint32_t a, uint32_t b)
{
	return a < b ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
}

static struct pair *
pair_find(struct gnet *net, uint32_t a, uint32_t b)
{
	struct pair *all = net->index, *p;
	uint64_t key = pair_key(a, b);

	HASH_FIND(hh, all, &key, sizeof key, p);
	return p;
}

static struct gnet_node *
node_by_id(struct gnet *net, const struct guts_peerid *id)
{
	struct gnet_node *n;

	HASH_FIND(hh, net->by_id, id, sizeof *id, n);
	if (!n)
		abort();
	return n;
}

/* A frame that leaves at `at`. */
static void
send_frame(struct gnet *net, uint32_t from, uint32_t to, struct guts_slice whole, size_t head, uint64_t at)
{
	struct pair *p = pair_find(net, from, to);
	bool has_subs = whole.n > head && whole.p[head] == 0x0a;
	struct gnet_link *l;
	struct event e = {.to = to, .from = from};
	int way;

	if (!p || net->nodes[to].down || net->nodes[from].down)
		return;
	if ((net->partitioned && net->nodes[from].group != net->nodes[to].group) ||
	    (!has_subs && guts_rng_below(&net->rng, 1000) < net->loss_permille)) {
		net->lost++;
		return;
	}
	l = &net->links[p->link];
	way = from == l->a;
	e.at = at + l->latency_ns;
	if (e.at <= l->last[way])
		e.at = l->last[way] + 1;
	l->last[way] = e.at;
	e.n = (uint32_t)whole.n;
	e.bytes = guts_memdup(whole.p, whole.n);
	push(net, e);
}

/* Take one frame for the peer out of the object; its length, 0 = there is none.  *head = of its length prefix. */
static size_t
pull_frame(struct gnet *net, struct gnet_node *n, uint32_t to, uint8_t *buf, size_t max, size_t *head)
{
	const struct guts_peerid *id = &net->nodes[to].key.id;
	uint64_t body;
	size_t got = 0;

	while (guts_gossip_pull(n->g, id, buf + got, 1) == 1) {
		if (guts_uvarint_read(guts_slice(buf, ++got), &body, head))
			continue;
		if (body > max - got || guts_gossip_pull(n->g, id, buf + got, (size_t)body) != body)
			abort();
		return got + (size_t)body;
	}
	return 0;
}

/* Send what the uplink takes now. */
static void
flush(struct gnet *net, struct gnet_node *n)
{
	static uint8_t buf[1u << 20];

	while (n->outbox_n > 0 && n->uplink_free <= net->now) {
		uint32_t to = n->outbox[0];
		size_t head, size = pull_frame(net, n, to, buf, sizeof buf, &head);

		memmove(n->outbox, n->outbox + 1, --n->outbox_n * sizeof *n->outbox);
		if (size == 0)
			continue;
		n->outbox[n->outbox_n++] = to; /* perhaps there is more */
		n->uplink_free = net->now;
		if (net->uplink_bytes_per_s)
			n->uplink_free += size * GNET_S / net->uplink_bytes_per_s;
		send_frame(net, n->index, to, guts_slice(buf, size), head, n->uplink_free);
	}
	if (n->outbox_n > 0 && !n->uplink_waits) {
		n->uplink_waits = true;
		push(net, (struct event){.at = n->uplink_free, .to = n->index, .from = n->index, .n = 1});
	}
}

static void
plan_tick(struct gnet *net, struct gnet_node *n)
{
	uint64_t at = guts_gossip_deadline(n->g);

	if (at >= n->tick_at && n->tick_at > net->now)
		return;
	n->tick_at = at;
	push(net, (struct event){.at = at, .to = n->index, .from = n->index});
}

static void
settle(struct gnet *net, struct gnet_node *n)
{
	flush(net, n);
	plan_tick(net, n);
	if (net->check)
		gossip_check(n->g);
}

/* --- what nodes say ------------------------------------------------------ */

static enum guts_gossip_verdict
on_validate(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct gnet_node *n = owner;

	(void)peer;
	(void)m;
	return n->mute ? GUTS_GOSSIP_IGNORE : GUTS_GOSSIP_ACCEPT;
}

static void
on_deliver(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct gnet_node *n = owner;
	uint8_t number = m->data.p[0];

	n->delivered++;
	if (n->got[number] < UINT8_MAX)
		n->got[number]++;
	n->hops[number] = (uint8_t)(node_by_id(n->net, peer)->hops[number] + 1);
	n->got_at[number] = n->net->now;
}

static void
on_wants_write(void *owner, const struct guts_peerid *peer)
{
	struct gnet_node *n = owner;

	if (n->outbox_n == n->outbox_max) {
		n->outbox_max = n->outbox_max ? 2 * n->outbox_max : 32;
		n->outbox = guts_realloc(n->outbox, n->outbox_max * sizeof *n->outbox);
	}
	n->outbox[n->outbox_n++] = node_by_id(n->net, peer)->index;
}

static void
on_offence(void *owner, const struct guts_peerid *peer, enum guts_gossip_offence what,
	   unsigned count)
{
	struct gnet_node *n = owner;

	(void)peer;
	n->offences += count;
	n->last_offence = what;
}

static const struct guts_gossip_events events = {
	.validate = on_validate,
	.deliver = on_deliver,
	.wants_write = on_wants_write,
	.offence = on_offence,
};

/* --- the net ------------------------------------------------------------- */

void
gnet_init(struct gnet *net, size_t n, uint64_t seed, const struct guts_gossip_config *cfg)
{
	memset(net, 0, sizeof *net);
	guts_rng_seed(&net->rng, seed);
	net->now = 1000 * GNET_S;
	net->n = n;
	net->nodes = guts_calloc(n, sizeof *net->nodes);
	net->links = guts_calloc(n * 64, sizeof *net->links);
	for (uint32_t i = 0; i < n; i++) {
		struct gnet_node *node = &net->nodes[i];
		uint8_t key_seed[32] = {0};

		node->net = net;
		node->index = i;
		memcpy(key_seed, &i, sizeof i);
		key_seed[31] = 7;
		guts_key_from_seed(&node->key, key_seed);
		HASH_ADD(hh, net->by_id, key.id, sizeof node->key.id, node);
		node->g = guts_gossip_new(cfg, &node->key, guts_rng_u64(&net->rng), &events, node,
					  net->now);
		guts_gossip_subscribe(node->g, guts_slice_str("t"), net->now);
		settle(net, node);
	}
}

void
gnet_deinit(struct gnet *net)
{
	struct pair *all = net->index, *p, *tmp;

	for (size_t i = 0; i < net->n; i++) {
		guts_gossip_free(net->nodes[i].g);
		free(net->nodes[i].outbox);
	}
	HASH_CLEAR(hh, net->by_id);
	while (net->heap_n > 0)
		free(pop(net).bytes);
	HASH_ITER (hh, all, p, tmp) {
		HASH_DEL(all, p);
		free(p);
	}
	free(net->heap);
	free(net->nodes);
	free(net->links);
}

void
gnet_connect(struct gnet *net, uint32_t a, uint32_t b)
{
	struct pair *all = net->index, *p;

	if (a == b || pair_find(net, a, b) || net->n_links == net->n * 64)
		return;
	p = guts_alloc(sizeof *p);
	p->key = pair_key(a, b);
	p->link = net->n_links;
	HASH_ADD(hh, all, key, sizeof p->key, p);
	net->index = all;
	net->links[net->n_links++] = (struct gnet_link){
		.a = a,
		.b = b,
		.latency_ns = 20 * GNET_MS + guts_rng_below(&net->rng, 100 * GNET_MS),
	};
	guts_gossip_peer_add(net->nodes[a].g, &net->nodes[b].key.id, true, GUTS_GOSSIP_MESHSUB_12,
			     net->now);
	guts_gossip_peer_add(net->nodes[b].g, &net->nodes[a].key.id, false, GUTS_GOSSIP_MESHSUB_12,
			     net->now);
	settle(net, &net->nodes[a]);
	settle(net, &net->nodes[b]);
}

void
gnet_disconnect(struct gnet *net, uint32_t a, uint32_t b)
{
	struct pair *all = net->index, *p = pair_find(net, a, b);

	if (!p)
		return;
	HASH_DEL(all, p);
	net->index = all;
	free(p);
	guts_gossip_peer_remove(net->nodes[a].g, &net->nodes[b].key.id, net->now);
	guts_gossip_peer_remove(net->nodes[b].g, &net->nodes[a].key.id, net->now);
	settle(net, &net->nodes[a]);
	settle(net, &net->nodes[b]);
}

void
gnet_connect_random(struct gnet *net, unsigned degree)
{
	for (uint32_t i = 0; i < net->n; i++)
		gnet_connect(net, i, (uint32_t)((i + 1) % net->n));
	while (2 * net->n_links < net->n * degree) {
		uint32_t a = (uint32_t)guts_rng_below(&net->rng, net->n);
		uint32_t b = (uint32_t)guts_rng_below(&net->rng, net->n);

		gnet_connect(net, a, b);
	}
}

void
gnet_run(struct gnet *net, uint64_t until)
{
	while (net->heap_n > 0 && ((struct event *)net->heap)[0].at <= until) {
		struct event e = pop(net);
		struct gnet_node *n = &net->nodes[e.to];

		net->now = e.at;
		net->events++;
		if (e.from == e.to && e.n) {
			n->uplink_waits = false;
		} else if (e.from == e.to) {
			if (e.at != n->tick_at || n->down)
				continue;
			guts_gossip_tick(n->g, net->now);
		} else {
			if (!n->down && pair_find(net, e.from, e.to))
				guts_gossip_recv(n->g, &net->nodes[e.from].key.id,
						 guts_slice(e.bytes, e.n), net->now);
			free(e.bytes);
		}
		settle(net, n);
	}
	net->now = until;
}

void
gnet_publish(struct gnet *net, uint32_t node, size_t size)
{
	struct gnet_node *n = &net->nodes[node];
	uint8_t *data = guts_alloc(size), id[32];

	if (net->messages >= GNET_MESSAGES_MAX)
		abort();
	data[0] = (uint8_t)net->messages;
	net->author[net->messages] = node;
	net->published_at[net->messages++] = net->now;
	if (guts_gossip_publish(n->g, guts_slice_str("t"), guts_slice(data, size), net->now,
				net->now, id))
		abort();
	free(data);
	settle(net, n);
}

size_t
gnet_missing(const struct gnet *net)
{
	size_t missing = 0;

	for (size_t i = 0; i < net->n; i++)
		for (size_t m = 0; m < net->messages; m++)
			if (!net->nodes[i].down && !net->nodes[i].mute && net->author[m] != i &&
			    !net->nodes[net->author[m]].down)
				missing += net->nodes[i].got[m] != 1;
	return missing;
}

unsigned
gnet_hops(const struct gnet *net, unsigned percent)
{
	uint64_t count[UINT8_MAX + 1] = {0}, all = 0, sum = 0;
	unsigned hops = 0;

	for (size_t i = 0; i < net->n; i++)
		for (size_t m = 0; m < net->messages; m++)
			if (net->nodes[i].got[m]) {
				count[net->nodes[i].hops[m]]++;
				all++;
			}
	for (; hops < UINT8_MAX && (sum += count[hops]) * 100 < all * percent; hops++)
		;
	return hops;
}

void
gnet_stats(const struct gnet *net, struct guts_gossip_stats *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < net->n; i++) {
		struct guts_gossip_stats s;

		guts_gossip_stats(net->nodes[i].g, &s);
		out->published += s.published;
		out->delivered += s.delivered;
		out->messages_sent += s.messages_sent;
		out->bytes_sent += s.bytes_sent;
		out->rpcs_sent += s.rpcs_sent;
		out->ihave_sent += s.ihave_sent;
		out->iwant_sent += s.iwant_sent;
		out->graft_sent += s.graft_sent;
		out->prune_sent += s.prune_sent;
		out->idontwant_sent += s.idontwant_sent;
		out->broken_promises += s.broken_promises;
		out->unwanted += s.unwanted;
		for (size_t k = 0; k < GUTS_GOSSIP_OFFENCE_COUNT; k++)
			out->offences[k] += s.offences[k];
		for (int d = 0; d < GUTS_GOSSIP_DROP_COUNT; d++)
			out->dropped[d] += s.dropped[d];
	}
}

void
gnet_digest(const struct gnet *net, uint8_t out[32])
{
	struct guts_sha256_ctx ctx;

	guts_sha256_begin(&ctx);
	for (size_t i = 0; i < net->n; i++) {
		const struct gnet_node *n = &net->nodes[i];

		guts_sha256_add(&ctx, guts_slice(n->got, sizeof n->got));
		guts_sha256_add(&ctx, guts_slice(n->got_at, sizeof n->got_at));
	}
	guts_sha256_end(&ctx, out);
}
