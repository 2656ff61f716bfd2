/* gossip/want.c - messages we lack and somebody announced: whom to ask, who promised.
 *
 * The first peer that announces an id is asked at once; the next few are remembered.  Without an
 * answer the heartbeat asks again, in turn, each of them as often as it answers
 * (retransmit_max): an answer, or a question, that was lost must not cost the message.  If it has
 * not come promise_ns after the last question, all who were asked have broken a promise.  A node
 * that slept itself (a heartbeat much too late) gives everybody that time back: what came
 * meanwhile is still unread.
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"

#include <stdlib.h>

static struct gwant *
want_find(const struct guts_gossip *g, const uint8_t *id)
{
	struct gwant *w;

	HASH_FIND(hh, g->wants, id, GUTS_GOSSIP_ID_SIZE, w);
	return w;
}

static struct gwant_offer *
offer_of(struct gwant *w, const struct gpeer *p)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->offers[i].serial == p->serial)
			return &w->offers[i];
	return NULL;
}

bool
gossip_want_offer(struct guts_gossip *g, struct gpeer *p, const uint8_t *id)
{
	struct gwant *w = want_find(g, id);

	if (w) {
		if (w->n == WANT_OFFERS_MAX || offer_of(w, p))
			return false;
		w->offers[w->n++] = (struct gwant_offer){p->serial, 0};
		p->n_wants++;
		return w->asks == 0;
	}
	/* When all is full, each peer still has its fair share. */
	if (HASH_COUNT(g->wants) >= g->cfg.wants_max &&
	    p->n_wants >= g->cfg.wants_max / (g->n_connected + 1))
		return false;
	w = guts_alloc(sizeof *w);
	memcpy(w->id, id, sizeof w->id);
	w->offers[w->n++] = (struct gwant_offer){p->serial, 0};
	w->asked_at = g->now;
	HASH_ADD(hh, g->wants, id, sizeof w->id, w);
	p->n_wants++;
	return true;
}

void
gossip_want_asked(struct guts_gossip *g, struct gpeer *p, const uint8_t *id)
{
	struct gwant *w = want_find(g, id);
	struct gwant_offer *o = w ? offer_of(w, p) : NULL;

	if (!o)
		return;
	o->asked++;
	w->asks++;
	w->asked_at = g->now;
}

static void
want_free(struct guts_gossip *g, struct gwant *w, bool broken)
{
	for (unsigned i = 0; i < w->n; i++) {
		struct gpeer *p = gossip_peer_by_serial(g, w->offers[i].serial);

		if (!p)
			continue;
		p->n_wants--;
		p->broken += broken && w->offers[i].asked > 0;
	}
	HASH_DEL(g->wants, w);
	free(w);
}

void
gossip_want_done(struct guts_gossip *g, const uint8_t *id)
{
	struct gwant *w = g->wants ? want_find(g, id) : NULL;

	if (w)
		want_free(g, w, false);
}

/* Who is to be asked next; NULL if all were asked often enough. */
static struct gpeer *
next_offer(struct guts_gossip *g, struct gwant *w)
{
	for (unsigned i = 0; w->asks < WANT_ASKS_MAX && i < w->n; i++) {
		struct gwant_offer *o = &w->offers[++w->turn % w->n];
		struct gpeer *p = o->asked < g->cfg.retransmit_max
					  ? gossip_peer_by_serial(g, o->serial)
					  : NULL;

		if (p && gossip_is_mesh_peer(p) && p->score >= g->cfg.threshold.gossip * POINT)
			return p;
	}
	return NULL;
}

static void
ask_again(struct guts_gossip *g, struct gpeer *p)
{
	struct guts_slice *v;
	struct gwant *w;
	size_t n = 0;

	LL_COUNT(p->again, w, n);
	v = guts_calloc(n, sizeof *v);
	n = 0;
	LL_FOREACH (p->again, w)
		v[n++] = guts_slice(w->id, sizeof w->id);
	p->again = NULL;
	gossip_send_iwant(g, p, v, n);
	free(v);
}

static void
report_broken(struct guts_gossip *g, struct gpeer *p)
{
	unsigned broken = p->broken;

	p->broken = 0;
	g->stats.broken_promises += broken;
	gossip_score_behaviour(g, p, broken);
	gossip_blame(g, p, GUTS_GOSSIP_BROKEN_PROMISE, broken, false);
}

void
gossip_want_beat(struct guts_gossip *g, uint64_t late_ns)
{
	struct gwant *w, *tmp;
	struct gpeer *p;

	HASH_ITER (hh, g->wants, w, tmp) {
		w->asked_at += late_ns;
		if (g->now < w->asked_at + g->cfg.heartbeat_ns / 2)
			continue;
		p = next_offer(g, w);
		if (p)
			LL_PREPEND(p->again, w);
		else if (g->now >= w->asked_at + g->cfg.promise_ns)
			want_free(g, w, true);
	}
	DL_FOREACH (g->connected, p)
		if (p->again)
			ask_again(g, p);
	DL_FOREACH (g->connected, p)
		if (p->broken > 0)
			report_broken(g, p);
}

void
gossip_want_free(struct guts_gossip *g)
{
	while (g->wants)
		want_free(g, g->wants, false);
}
