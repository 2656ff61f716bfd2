/* gossip/topic.c - topics, who subscribes to them, and the links between peers and topics.
 *
 * A topic exists while we or a peer subscribe to it, or messages of it are cached.  It is looked at
 * by the heartbeat only while it is on the active list: a quiet topic with a settled mesh costs
 * nothing.  Topics that only others know are bounded per peer and in all; when all are full,
 * only peers above their fair share are refused, so one peer cannot crowd out the rest.
 *
 * A link that lost its subscription stays, bounded, while its back-off runs: it holds across
 * reconnections, as the other side remembers it too.
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>

#define EXPECTED_MAX 1000u
#define QUICK_MIN_NS UINT64_C(20000000) /* a mesh is filled this soon … */
#define QUICK_SPREAD_NS \
	UINT64_C(180000000) /* … to this much later: neighbours' grafts come in between */

struct guts_slice
gossip_topic_name(const struct gtopic *t)
{
	return guts_slice(t->name, t->n);
}

struct gtopic *
gossip_topic_find(const struct guts_gossip *g, struct guts_slice name)
{
	struct gtopic *t = NULL;

	if (name.n > 0)
		HASH_FIND(hh, g->topics, name.p, name.n, t);
	return t;
}

struct gtopic *
gossip_topic_make(struct guts_gossip *g, struct guts_slice name)
{
	struct gtopic *t = gossip_topic_find(g, name);

	if (t)
		return t;
	t = guts_alloc(sizeof *t + name.n + 1);
	t->n = name.n;
	memcpy(t->name, name.p, name.n);
	HASH_ADD(hh, g->topics, name, t->n, t);
	gossip_topic_unused(g, t); /* until somebody wants it */
	return t;
}

void
gossip_topic_activate(struct guts_gossip *g, struct gtopic *t)
{
	if (t->active)
		return;
	t->active = true;
	DL_APPEND2(g->active, t, aprev, anext);
}

void
gossip_topic_hurry(struct guts_gossip *g, struct gtopic *t)
{
	gossip_topic_activate(g, t);
	if (!t->subscribed || t->n_mesh >= QUICK_PEERS)
		return;
	t->quick = true;
	if (g->quick_at == UINT64_MAX)
		g->quick_at = g->now + QUICK_MIN_NS + guts_rng_below(&g->rng, QUICK_SPREAD_NS);
}

static bool
is_unused(const struct gtopic *t)
{
	return !t->subscribed && !t->links && !t->msgs && t->n_pending == 0;
}

void
gossip_topic_unused(struct guts_gossip *g, struct gtopic *t)
{
	if (t->gc || !is_unused(t))
		return;
	t->gc = true;
	LL_PREPEND2(g->gc, t, gcnext);
}

void
gossip_topic_free(struct guts_gossip *g, struct gtopic *t)
{
	while (t->links)
		gossip_link_free(g, t->links);
	if (t->active)
		DL_DELETE2(g->active, t, aprev, anext);
	HASH_DEL(g->topics, t);
	free(t);
}

void
gossip_topic_collect(struct guts_gossip *g)
{
	while (g->gc) {
		struct gtopic *t = g->gc;

		LL_DELETE2(g->gc, t, gcnext);
		t->gc = false;
		if (is_unused(t))
			gossip_topic_free(g, t);
	}
}

/* --- links --------------------------------------------------------------- */

struct glink *
gossip_link_find(const struct guts_gossip *g, struct gpeer *p, struct gtopic *t)
{
	struct glink_key key = {p, t};
	struct glink *l;

	HASH_FIND(hh, g->links, &key, sizeof key, l);
	return l;
}

struct glink *
gossip_link_make(struct guts_gossip *g, struct gpeer *p, struct gtopic *t)
{
	struct glink *l = gossip_link_find(g, p, t);

	if (l)
		return l;
	l = guts_alloc(sizeof *l);
	l->key.peer = p;
	l->key.topic = t;
	HASH_ADD(hh, g->links, key, sizeof l->key, l);
	DL_APPEND2(t->links, l, tprev, tnext);
	DL_APPEND2(p->links, l, pprev, pnext);
	t->n_links++;
	p->n_links++;
	return l;
}

static void
unstale(struct guts_gossip *g, struct glink *l)
{
	if (!l->stale)
		return;
	l->stale = false;
	DL_DELETE2(g->stale, l, sprev, snext);
	g->n_stale--;
}

void
gossip_link_free(struct guts_gossip *g, struct glink *l)
{
	struct gpeer *p = l->key.peer;
	struct gtopic *t = l->key.topic;

	if (l->mesh)
		gossip_mesh_del(g, l);
	if (l->fanout)
		gossip_fanout_del(g, l);
	if (l->subscribed) {
		t->n_subs--;
		p->n_subs--;
	}
	unstale(g, l);
	gossip_score_drop(g, l);
	HASH_DEL(g->links, l);
	DL_DELETE2(t->links, l, tprev, tnext);
	DL_DELETE2(p->links, l, pprev, pnext);
	t->n_links--;
	p->n_links--;
	free(l);
	gossip_topic_unused(g, t);
}

void
gossip_link_subscribe(struct guts_gossip *g, struct glink *l, bool on)
{
	struct gtopic *t = l->key.topic;

	if (l->subscribed == on)
		return;
	l->subscribed = on;
	t->n_subs += on ? 1 : (size_t)-1;
	l->key.peer->n_subs += on ? 1 : (size_t)-1;
	if (on) {
		unstale(g, l);
		gossip_owe(l, 0); /* what it missed before it came */
		gossip_topic_hurry(g, t);
	} else {
		gossip_link_retire(g, l);
	}
}

void
gossip_link_retire(struct guts_gossip *g, struct glink *l)
{
	struct gtopic *t = l->key.topic;

	assert(!l->subscribed);
	if (l->mesh) {
		gossip_mesh_del(g, l);
		gossip_topic_hurry(g, t);
	}
	if (l->fanout)
		gossip_fanout_del(g, l);
	l->owed = false;
	if (l->backoff_until <= g->now) {
		gossip_link_free(g, l);
		return;
	}
	if (l->stale)
		return;
	l->stale = true;
	DL_APPEND2(g->stale, l, sprev, snext);
	g->n_stale++;
}

void
gossip_links_sweep(struct guts_gossip *g)
{
	struct glink *l, *tmp;

	DL_FOREACH_SAFE2 (g->stale, l, tmp, snext)
		if (l->backoff_until <= g->now)
			gossip_link_free(g, l);
	while (g->n_stale > STALE_LINKS_MAX)
		gossip_link_free(g, g->stale);
}

/* --- subscriptions of peers ---------------------------------------------- */

/* May this peer make us know one more topic?  Ours are always welcome. */
static bool
has_room(struct guts_gossip *g, struct gpeer *p, const struct gtopic *known)
{
	size_t foreign = HASH_COUNT(g->topics) - g->n_subscriptions;

	if (known && known->subscribed)
		return true;
	if (p->n_subs >= g->cfg.topics_per_peer_max) {
		gossip_blame(g, p, GUTS_GOSSIP_TOO_MANY_TOPICS, 1, true);
		return false;
	}
	if (known || foreign < g->cfg.foreign_topics_max)
		return true;
	return p->n_subs < g->cfg.foreign_topics_max / (g->n_connected + 1);
}

void
gossip_on_subscriptions(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc *rpc)
{
	for (size_t i = 0; i < rpc->subs.n; i++) {
		const struct guts_rpc_sub *s = &rpc->subs.v[i];
		struct gtopic *t;
		struct glink *l;

		if (s->topic.n == 0)
			continue;
		t = gossip_topic_find(g, s->topic);
		l = t ? gossip_link_find(g, p, t) : NULL;
		if (!s->subscribe) {
			if (l)
				gossip_link_subscribe(g, l, false);
			continue;
		}
		if ((l && l->subscribed) || !has_room(g, p, t))
			continue;
		if (!t)
			t = gossip_topic_make(g, s->topic);
		gossip_link_subscribe(g, gossip_link_make(g, p, t), true);
	}
}

/* --- our subscriptions --------------------------------------------------- */

static void
announce(struct guts_gossip *g, struct gpeer *p, const struct gtopic *t, bool on)
{
	struct guts_rpc_sub s = {on, true, gossip_topic_name(t)};
	struct guts_rpc rpc = {.subs = {&s, 1}};

	gossip_queue_rpc(g, p, Q_SUBS, &rpc);
}

void
gossip_owe(struct glink *l, uint64_t from)
{
	const struct gmsg *oldest = l->key.topic->msgs;

	if (!l->subscribed || !oldest ||
	    oldest->tprev->beat < from) /* the list's head leads to its end */
		return;
	if (!l->owed || from < l->owed_from)
		l->owed_from = from;
	l->owed = true;
}

void
gossip_owe_all(struct gpeer *p, uint64_t from)
{
	struct glink *l;

	DL_FOREACH2 (p->links, l, pnext)
		gossip_owe(l, from);
}

void
gossip_announce_all(struct guts_gossip *g, struct gpeer *p)
{
	struct gtopic *t, *tmp;

	HASH_ITER (hh, g->topics, t, tmp)
		if (t->subscribed)
			announce(g, p, t, true);
}

int
guts_gossip_subscribe(struct guts_gossip *g, struct guts_slice topic, uint64_t now)
{
	struct gtopic *t;
	struct gpeer *p;

	if (topic.n == 0 || topic.n > GUTS_TOPIC_MAX || !guts_text_is_utf8(topic))
		return GUTS_EINVAL;
	t = gossip_topic_find(g, topic);
	if (t && t->subscribed)
		return GUTS_EEXIST;
	if (g->n_subscriptions >= g->cfg.subscriptions_max)
		return GUTS_ELIMIT;

	gossip_enter(g, now);
	t = gossip_topic_make(g, topic);
	t->subscribed = true;
	g->n_subscriptions++;
	DL_FOREACH (g->connected, p)
		announce(g, p, t, true);
	gossip_fanout_to_mesh(g, t);
	gossip_topic_hurry(g, t);
	gossip_leave(g);
	return GUTS_OK;
}

int
guts_gossip_unsubscribe(struct guts_gossip *g, struct guts_slice topic, uint64_t now)
{
	struct gtopic *t = gossip_topic_find(g, topic);
	struct gpeer *p;

	if (!t || !t->subscribed)
		return GUTS_ENOTFOUND;
	gossip_enter(g, now);
	gossip_mesh_leave(g, t);
	t->subscribed = false;
	t->expected = 0;
	g->n_subscriptions--;
	DL_FOREACH (g->connected, p)
		announce(g, p, t, false);
	gossip_topic_unused(g, t);
	gossip_leave(g);
	return GUTS_OK;
}

int
guts_gossip_expect(struct guts_gossip *g, struct guts_slice topic, unsigned deliveries)
{
	struct gtopic *t = gossip_topic_find(g, topic);

	if (!t || !t->subscribed)
		return GUTS_ENOTFOUND;
	if (deliveries > EXPECTED_MAX)
		return GUTS_ELIMIT;
	t->expected = deliveries;
	gossip_score_expect(g, t);
	return GUTS_OK;
}

bool
guts_gossip_is_subscribed(const struct guts_gossip *g, struct guts_slice topic)
{
	const struct gtopic *t = gossip_topic_find(g, topic);

	return t && t->subscribed;
}
