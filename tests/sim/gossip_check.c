/* tests/sim/gossip_check.c - what must hold in a gossip object between calls. */
#include "gossip/gossip_int.h"
#include "gossip_net.h"
#include "wire/varint.h"

#include <stdio.h>
#include <stdlib.h>

#define MUST(x) ((x) ? (void)0 : broken(#x, __LINE__))

static void
broken(const char *what, int line)
{
	printf("Bail out! gossip invariant broken at line %d: %s\n", line, what);
	fflush(stdout);
	abort();
}

static void
check_topics(const struct guts_gossip *g)
{
	size_t subscriptions = 0, links = 0;
	const struct gtopic *t;

	for (t = g->topics; t; t = t->hh.next) {
		size_t n = 0, subs = 0, mesh = 0, fanout = 0;
		const struct glink *l;

		DL_FOREACH2 (t->links, l, tnext) {
			n++;
			subs += l->subscribed;
			mesh += l->mesh;
			fanout += l->fanout;
			MUST(l->key.topic == t);
			MUST(!l->mesh ||
			     (l->subscribed && t->subscribed && l->key.peer->connected));
			MUST(!l->mesh || l->backoff_until <= l->mesh_since);
			MUST(!l->fanout || (l->subscribed && !l->mesh));
			MUST(l->subscribed || l->stale);
			MUST(!l->subscribed || l->key.peer->connected);
		}
		MUST(n == t->n_links && subs == t->n_subs && mesh == t->n_mesh &&
		     fanout == t->n_fanout);
		MUST(t->subscribed || t->links || t->msgs || t->n_pending > 0);
		MUST(!t->quick || t->active);
		MUST(!t->msgs || t->active);
		subscriptions += t->subscribed;
		links += n;
	}
	MUST(subscriptions == g->n_subscriptions);
	MUST(links == HASH_COUNT(g->links));
}

/* The sums a score is made of are those of the links, and a heartbeat fades all that is not zero.
 */
static void
check_score(const struct gpeer *p)
{
	int64_t p2 = 0, p3 = 0, p3b = 0, p4 = 0;
	const struct glink *l;

	DL_FOREACH2 (p->links, l, pnext) {
		const struct gtopic_score *s = &l->score;

		p2 += s->first;
		p3 += s->deficit * s->deficit / POINT;
		p3b += s->failure;
		p4 += 10 * (s->invalid * s->invalid / POINT);
		MUST(s->first >= 0 && s->deficit >= 0 && s->failure >= 0 && s->invalid >= 0);
		MUST(s->deficit == 0 || (l->mesh && l->key.topic->expected > 0));
		MUST(l->scored || (!s->first && !s->delivered && !s->failure && !s->invalid));
		MUST(l->scored || !l->mesh || l->key.topic->expected == 0);
	}
	MUST(p2 == p->p2 && p3 == p->p3 && p3b == p->p3b && p4 == p->p4);
}

/* What came and is no whole frame yet; large ones are counted over all peers. */
static void
check_frames(const struct guts_gossip *g)
{
	size_t big = 0;
	const struct gpeer *p;

	DL_FOREACH (g->connected, p) {
		MUST(p->in.len <= g->cfg.rpc_recv_max + GUTS_UVARINT_MAX_SIZE);
		MUST(p->frame_n == 0 || p->in.len < p->frame_n);
		MUST(!p->is_big || p->frame_n > g->cfg.rpc_send_max);
		big += p->is_big ? p->frame_n : 0;
	}
	MUST(big == g->big_bytes && big <= BIG_FRAMES_MAX);
}

/* Each peer's share of questions and validations is what they say. */
static void
check_shares(const struct guts_gossip *g, const struct gpeer *p)
{
	size_t wants = 0, pending = 0;
	const struct gwant *w;
	const struct gmsg *m;

	for (w = g->wants; w; w = w->hh.next) {
		MUST(w->n >= 1 && w->n <= WANT_OFFERS_MAX && w->asks <= WANT_ASKS_MAX);
		for (unsigned i = 0; i < w->n; i++)
			wants += w->offers[i].serial == p->serial;
	}
	DL_FOREACH (g->pending, m)
		pending += m->senders[0] == p->serial;
	MUST(wants == p->n_wants && pending == p->n_pending);
}

static void
check_peer(const struct guts_gossip *g, const struct gpeer *p)
{
	size_t n = 0, subs = 0, mesh = 0, bytes = 0;
	const struct glink *l;
	const struct gitem *it;

	DL_FOREACH2 (p->links, l, pnext) {
		n++;
		subs += l->subscribed;
		mesh += l->mesh;
		MUST(l->key.peer == p);
	}
	MUST(n == p->n_links && subs == p->n_subs && mesh == p->n_mesh);
	for (int c = 0; c < Q_COUNT; c++)
		DL_FOREACH (p->queue[c], it)
			bytes += it->n + sizeof *it;
	MUST(bytes == p->queue_bytes);
	MUST(bytes <= g->cfg.queue_bytes_max * SUBS_QUEUE_FACTOR);
	MUST(bytes - p->queue_n[Q_SUBS] <= g->cfg.queue_bytes_max + bytes / 2);
	MUST(p->connected || (bytes == 0 && subs == 0));
	MUST(p->door != GUTS_GOSSIP_NODE_DOOR || (bytes == 0 && subs == 0));
	MUST(p->unwanted.live <= g->cfg.idontwant_max);
	MUST(p->n_subs <= g->cfg.topics_per_peer_max + g->n_subscriptions);
	MUST(!p->removed && !p->waking);
	check_score(p);
}

static void
check_messages(const struct guts_gossip *g)
{
	size_t cached = 0, pending = 0, bytes = 0, pending_bytes = 0;
	const struct gmsg *m;

	DL_FOREACH (g->cache, m) {
		cached++;
		bytes += sizeof *m + m->n;
		MUST(m->state == MSG_CACHED && m->refs >= 1 && m->topic);
		MUST(g->beat - m->beat <= g->cfg.history_length);
	}
	DL_FOREACH (g->pending, m) {
		pending++;
		pending_bytes += sizeof *m + m->n;
		MUST(m->state == MSG_PENDING && m->topic && m->topic->n_pending > 0);
	}
	MUST(cached == g->n_cached && bytes == g->cache_bytes);
	MUST(pending == g->n_pending && pending_bytes == g->pending_bytes);
	MUST(cached + pending == HASH_COUNT(g->msgs));
	MUST(g->n_cached <= 1 || bytes <= g->cfg.cache_bytes_max);
	MUST(pending <= g->cfg.pending_max && pending_bytes <= g->cfg.pending_bytes_max);
	MUST(g->seen.live <= g->cfg.seen_max);
}

void
gossip_check(const struct guts_gossip *g)
{
	size_t connected = 0, gone = 0, node_door = 0, stale = 0, wants = 0;
	const struct gpeer *p;
	const struct glink *l;

	MUST(g->depth == 0 && !g->gc && !g->wakes);
	check_topics(g);
	DL_FOREACH (g->connected, p) {
		MUST(p->connected);
		connected++;
		node_door += p->door == GUTS_GOSSIP_NODE_DOOR;
		wants += p->n_wants;
		check_peer(g, p);
		check_shares(g, p);
	}
	DL_FOREACH (g->gone, p) {
		MUST(!p->connected);
		gone++;
		check_peer(g, p);
	}
	DL_FOREACH2 (g->stale, l, snext) {
		stale++;
		MUST(l->stale && !l->subscribed && !l->mesh && !l->fanout);
	}
	MUST(connected == g->n_connected && gone == g->n_gone && node_door == g->n_node_door);
	MUST(connected + gone == HASH_COUNT(g->peers));
	MUST(stale == g->n_stale);
	MUST(wants <= (size_t)HASH_COUNT(g->wants) * WANT_OFFERS_MAX);
	check_frames(g);
	check_messages(g);
}
