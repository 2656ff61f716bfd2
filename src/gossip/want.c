/* gossip/want.c - messages asked for by IWANT, and who promised them.
 *
 * An id is asked of one peer at a time; when another one announces it after a heartbeat without
 * an answer, that one is asked too, up to WANT_ASKS_MAX.  When promise_ns has passed since the
 * last question, every peer that was asked has broken a promise.  A node that slept itself (a tick much
 * too late) gives everybody that time back: what came meanwhile is still unread.
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

bool
gossip_want_may_ask(struct guts_gossip *g, struct gpeer *p, const uint8_t *id)
{
	const struct gwant *w = want_find(g, id);

	if (!w) {
		if (HASH_COUNT(g->wants) < g->cfg.wants_max)
			return true;
		return p->n_wants < g->cfg.wants_max / (g->n_connected + 1);
	}
	if (w->n == WANT_ASKS_MAX || g->now < w->asked_at[w->n - 1] + g->cfg.heartbeat_ns)
		return false;
	for (unsigned i = 0; i < w->n; i++)
		if (w->asked[i] == p->serial)
			return false;
	return true;
}

void
gossip_want_add(struct guts_gossip *g, struct gpeer *p, const uint8_t *id)
{
	struct gwant *w = want_find(g, id);

	if (!w) {
		w = guts_alloc(sizeof *w);
		memcpy(w->id, id, sizeof w->id);
		HASH_ADD(hh, g->wants, id, sizeof w->id, w);
	}
	if (w->n == WANT_ASKS_MAX || (w->n > 0 && w->asked[w->n - 1] == p->serial))
		return; /* the same id twice in one RPC */
	w->asked[w->n] = p->serial;
	w->asked_at[w->n++] = g->now;
	p->n_wants++;
}

static void
want_free(struct guts_gossip *g, struct gwant *w, bool broken)
{
	for (unsigned i = 0; i < w->n; i++) {
		struct gpeer *p = gossip_peer_by_serial(g, w->asked[i]);

		if (!p)
			continue;
		p->n_wants--;
		if (broken && p->connected)
			p->broken++;
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

void
gossip_want_expire(struct guts_gossip *g, uint64_t late_ns)
{
	struct gwant *w, *tmp;
	struct gpeer *p;

	HASH_ITER(hh, g->wants, w, tmp) {
		for (unsigned i = 0; late_ns > 0 && i < w->n; i++)
			w->asked_at[i] += late_ns;
		if (g->now >= w->asked_at[w->n - 1] + g->cfg.promise_ns)
			want_free(g, w, true);
	}
	DL_FOREACH(g->connected, p) {
		unsigned broken = p->broken;

		p->broken = 0;
		if (broken == 0)
			continue;
		g->stats.broken_promises += broken;
		gossip_score_behaviour(g, p, broken);
		gossip_blame(g, p, GUTS_GOSSIP_BROKEN_PROMISE, broken, false);
	}
}

void
gossip_want_free(struct guts_gossip *g)
{
	while (g->wants)
		want_free(g, g->wants, false);
}
