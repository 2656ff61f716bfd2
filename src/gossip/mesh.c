/* gossip/mesh.c - the heartbeat: keep each mesh between D_lo and D_hi, the fanout alive.
 *
 * Only active topics are looked at; one leaves the list when its mesh is settled (or nobody is
 * there to graft) and no message of it is left to announce.  Between heartbeats a mesh that
 * fell below D_lo, or was just made, is filled after a short random wait, so that a new topic
 * relays within a fifth of a second; the wait lets the neighbours' grafts come in first, which
 * keeps the mean degree near D.
 *
 * Source: gossipsub-v1.1.md "Mesh Maintenance", "Outbound Mesh Quotas", "Opportunistic Grafting".
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"

#include <stdlib.h>

#define OPPORTUNISTIC_BEATS 60u
#define OPPORTUNISTIC_PEERS 2u

void **
gossip_sample(struct guts_gossip *g, size_t n)
{
	if (n > g->sample_max) {
		g->sample_max = 2 * n;
		g->sample = guts_realloc(g->sample, g->sample_max * sizeof *g->sample);
	}
	return g->sample;
}

void
gossip_shuffle(struct guts_gossip *g, void **v, size_t n, size_t take)
{
	for (size_t i = 0; i < take && i + 1 < n; i++) {
		size_t k = i + (size_t)guts_rng_below(&g->rng, n - i);
		void *swap = v[i];

		v[i] = v[k];
		v[k] = swap;
	}
}

/* --- membership ---------------------------------------------------------- */

void
gossip_fanout_del(struct guts_gossip *g, struct glink *l)
{
	(void)g;
	if (!l->fanout)
		return;
	l->fanout = false;
	l->key.topic->n_fanout--;
}

void
gossip_mesh_add(struct guts_gossip *g, struct glink *l)
{
	if (l->mesh)
		return;
	gossip_fanout_del(g, l);
	l->mesh = true;
	l->mesh_since = g->now;
	l->key.topic->n_mesh++;
	l->key.peer->n_mesh++;
	gossip_score_joined(g, l);
	gossip_topic_activate(g, l->key.topic);
}

void
gossip_mesh_del(struct guts_gossip *g, struct glink *l)
{
	if (!l->mesh)
		return;
	gossip_score_left(g, l);
	l->mesh = false;
	l->key.topic->n_mesh--;
	l->key.peer->n_mesh--;
	gossip_topic_activate(g, l->key.topic);
}

static void
graft(struct guts_gossip *g, struct glink *l)
{
	l->early_grafts = 0;
	gossip_mesh_add(g, l);
	gossip_send_graft(g, l);
}

static bool
could_join(const struct glink *l)
{
	return l->subscribed && !l->mesh && gossip_is_mesh_peer(l->key.peer);
}

/* One heartbeat of slack, as the other side counts from when it sent its PRUNE. */
static bool
may_join(const struct guts_gossip *g, const struct glink *l)
{
	return could_join(l) && l->key.peer->score >= 0 &&
	       (l->backoff_until == 0 || g->now >= l->backoff_until + g->cfg.heartbeat_ns);
}

/* Graft up to `want` random peers. */
static void
fill(struct guts_gossip *g, struct gtopic *t, size_t want, bool outbound_only)
{
	void **v = gossip_sample(g, t->n_links);
	struct glink *l;
	size_t n = 0;

	DL_FOREACH2 (t->links, l, tnext)
		if (may_join(g, l) && (!outbound_only || l->key.peer->outbound))
			v[n++] = l;
	gossip_shuffle(g, v, n, want);
	for (size_t i = 0; i < want && i < n; i++)
		graft(g, v[i]);
}

static int
by_score(const void *a, const void *b)
{
	const struct glink *x = *(void *const *)a, *y = *(void *const *)b;

	if (x->key.peer->score != y->key.peer->score)
		return x->key.peer->score < y->key.peer->score ? 1 : -1;
	return x->key.peer->serial < y->key.peer->serial
		       ? -1
		       : 1; /* a total order: qsort is not stable */
}

static size_t
collect_mesh(struct guts_gossip *g, struct gtopic *t, void ***v)
{
	struct glink *l;
	size_t n = 0;

	*v = gossip_sample(g, t->n_links);
	DL_FOREACH2 (t->links, l, tnext)
		if (l->mesh)
			(*v)[n++] = l;
	return n;
}

static bool
is_outbound(const void *link)
{
	return ((const struct glink *)link)->key.peer->outbound;
}

/* Back to D: the D_score best stay, then random ones, of all of them at least D_out outbound. */
static void
cut_back(struct guts_gossip *g, struct gtopic *t)
{
	size_t n, outbound = 0, keep = g->cfg.d, best = g->cfg.d_score;
	void **v;

	n = collect_mesh(g, t, &v);
	qsort(v, n, sizeof *v, by_score);
	gossip_shuffle(g, v + best, n - best, n - best);
	for (size_t i = 0; i < keep; i++)
		outbound += is_outbound(v[i]);
	for (size_t i = keep, at = keep; i < n && outbound < g->cfg.d_out && at > 0; i++) {
		void *swap = v[i];

		if (!is_outbound(swap))
			continue;
		while (at > 0 && is_outbound(v[at - 1]))
			at--;
		if (at == 0)
			break;
		v[i] = v[at - 1];
		v[--at] = swap;
		outbound++;
	}
	for (size_t i = keep; i < n; i++) {
		gossip_mesh_del(g, v[i]);
		gossip_px_send_prune(g, v[i]);
	}
}

static size_t
count_outbound(const struct gtopic *t)
{
	const struct glink *l;
	size_t n = 0;

	DL_FOREACH2 (t->links, l, tnext)
		n += l->mesh && l->key.peer->outbound;
	return n;
}

static void
drop_bad(struct guts_gossip *g, struct gtopic *t)
{
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext)
		if (l->mesh && l->key.peer->score < 0) {
			gossip_mesh_del(g, l);
			gossip_send_prune(g, l, g->cfg.prune_backoff_ns, NULL, 0);
		}
}

static void
maintain(struct guts_gossip *g, struct gtopic *t)
{
	drop_bad(g, t);
	if (t->n_mesh < g->cfg.d_lo) {
		fill(g, t, g->cfg.d - t->n_mesh, false);
	} else if (t->n_mesh > g->cfg.d_hi) {
		cut_back(g, t);
	} else {
		size_t outbound = count_outbound(t);

		if (outbound < g->cfg.d_out)
			fill(g, t, g->cfg.d_out - outbound, true);
	}
	t->quick = false;
}

/* Is there somebody to graft who may not be grafted yet? */
static bool
waits_for_peers(const struct guts_gossip *g, const struct gtopic *t)
{
	const struct glink *l;

	if (!t->subscribed || t->n_mesh >= g->cfg.d_lo)
		return false;
	DL_FOREACH2 (t->links, l, tnext)
		if (could_join(l))
			return true;
	return false;
}

/* Graft peers that score better than the middle of a mediocre mesh. */
static void
graft_better(struct guts_gossip *g, struct gtopic *t)
{
	struct glink *l;
	int64_t median;
	size_t n, m = 0;
	void **v;

	n = collect_mesh(g, t, &v);
	if (n < 2)
		return;
	qsort(v, n, sizeof *v, by_score);
	median = ((struct glink *)v[n / 2])->key.peer->score;
	if (median >= g->cfg.threshold.opportunistic * POINT)
		return;
	DL_FOREACH2 (t->links, l, tnext)
		if (may_join(g, l) && l->key.peer->score > median)
			v[m++] = l;
	gossip_shuffle(g, v, m, OPPORTUNISTIC_PEERS);
	for (size_t i = 0; i < m && i < OPPORTUNISTIC_PEERS; i++)
		graft(g, v[i]);
}

void
gossip_mesh_leave(struct guts_gossip *g, struct gtopic *t)
{
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext) {
		if (!l->mesh)
			continue;
		gossip_mesh_del(g, l);
		gossip_send_prune(g, l, g->cfg.unsubscribe_backoff_ns, NULL, 0);
	}
	t->quick = false;
}

/* --- fanout -------------------------------------------------------------- */

void
gossip_fanout_fill(struct guts_gossip *g, struct gtopic *t)
{
	void **v = gossip_sample(g, t->n_links);
	size_t n = 0, want;
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext) {
		bool fit = l->subscribed && gossip_is_mesh_peer(l->key.peer) &&
			   l->key.peer->score >= g->cfg.threshold.publish * POINT;

		if (l->fanout && !fit)
			gossip_fanout_del(g, l);
		else if (!l->fanout && fit)
			v[n++] = l;
	}
	want = t->n_fanout < g->cfg.d ? g->cfg.d - t->n_fanout : 0;
	gossip_shuffle(g, v, n, want);
	for (size_t i = 0; i < want && i < n; i++) {
		((struct glink *)v[i])->fanout = true;
		t->n_fanout++;
	}
	gossip_topic_activate(g, t);
}

static void
fanout_clear(struct guts_gossip *g, struct gtopic *t)
{
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext)
		gossip_fanout_del(g, l);
	t->fanout_until = 0;
}

void
gossip_fanout_to_mesh(struct guts_gossip *g, struct gtopic *t)
{
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext)
		if (l->fanout && may_join(g, l))
			graft(g, l);
	fanout_clear(g, t);
}

/* --- heartbeat ----------------------------------------------------------- */

void
gossip_mesh_quick(struct guts_gossip *g)
{
	struct gtopic *t, *tmp;

	g->quick_at = UINT64_MAX;
	DL_FOREACH_SAFE2 (g->active, t, tmp, anext) {
		if (!t->quick)
			continue;
		t->quick = false;
		if (t->subscribed && t->n_mesh < QUICK_PEERS)
			fill(g, t, QUICK_PEERS - t->n_mesh, false);
	}
}

static void
reset_counts(struct guts_gossip *g)
{
	struct gpeer *p;

	DL_FOREACH (g->connected, p) {
		p->ihave_rpcs = p->ihave_ids = p->iwant_ids = 0;
		p->control_entries = p->told_ids = p->told_now = p->px_taken = 0;
		p->blamed = 0;
		guts_idset_expire(&p->unwanted, g->now);
	}
}

static void
beat_topic(struct guts_gossip *g, struct gtopic *t)
{
	if (t->subscribed)
		maintain(g, t);
	else if (t->n_fanout > 0 || t->fanout_until > 0) {
		if (g->now >= t->fanout_until)
			fanout_clear(g, t);
		else
			gossip_fanout_fill(g, t);
	}
	if (t->msgs)
		gossip_emit(g, t);
	if (t->msgs || t->n_fanout > 0 || waits_for_peers(g, t))
		return;
	t->active = false;
	DL_DELETE2(g->active, t, aprev, anext);
}

void
gossip_heartbeat(struct guts_gossip *g, uint64_t late_ns)
{
	struct gtopic *t, *tmp;

	g->beat++;
	gossip_want_beat(g, late_ns);
	gossip_score_tick(g);
	reset_counts(g);
	gossip_pending_expire(g);
	gossip_links_sweep(g);
	guts_idset_expire(&g->seen, g->now);
	if (g->beat % OPPORTUNISTIC_BEATS == 0)
		HASH_ITER (hh, g->topics, t, tmp)
			if (t->subscribed)
				graft_better(g, t);
	DL_FOREACH_SAFE2 (g->active, t, tmp, anext)
		beat_topic(g, t);
	gossip_cache_shift(g);
}
