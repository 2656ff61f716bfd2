/* gossip/control.c - GRAFT, PRUNE, IHAVE, IWANT, IDONTWANT: what peers ask of us, and our own.
 *
 * Every kind has a count per peer and heartbeat; what is above is ignored and reported once.
 * GRAFT for a topic we do not have is ignored, as answering would tell what we subscribe to and
 * cost a frame.  A GRAFT that merely crossed our PRUNE on the way costs nothing; one that comes
 * again inside the back-off does.
 *
 * Source: gossipsub-v1.1.md "Spam Protection Measures", gossipsub-v1.2.md.
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"

#include <stdlib.h>

#define BACKOFF_MAX_S      3600u /* [s] believed of a PRUNE */
#define EARLY_GRAFTS_FREE  1u    /* in one back-off, if it may have crossed our PRUNE */
#define EARLY_GRAFTS_FLOOD 3u
#define SECOND             UINT64_C(1000000000)

/* --- ours ---------------------------------------------------------------- */

void
gossip_send_graft(struct guts_gossip *g, struct glink *l)
{
	struct guts_rpc_graft graft = {gossip_topic_name(l->key.topic)};
	struct guts_rpc rpc = {.has_control = true, .control.graft = {&graft, 1}};

	if (gossip_queue_rpc(g, l->key.peer, Q_CONTROL, &rpc))
		g->stats.graft_sent++;
}

void
gossip_send_prune(struct guts_gossip *g, struct glink *l, uint64_t backoff_ns,
		  struct guts_rpc_px *peers, size_t n_peers)
{
	struct guts_rpc_prune prune = {.topic = gossip_topic_name(l->key.topic),
				       .peers = {peers, n_peers}};
	struct guts_rpc rpc = {.has_control = true, .control.prune = {&prune, 1}};

	if (l->key.peer->door >= GUTS_GOSSIP_MESHSUB_11)
		prune.backoff_s = (backoff_ns + SECOND - 1) / SECOND;
	if (l->backoff_until < g->now + backoff_ns)
		l->backoff_until = g->now + backoff_ns;
	l->pruned_at = g->now;
	if (gossip_queue_rpc(g, l->key.peer, Q_CONTROL, &rpc))
		g->stats.prune_sent++;
}

void
gossip_send_idontwant(struct guts_gossip *g, struct gtopic *t, const struct gmsg *m,
		      const struct gpeer *except)
{
	struct guts_slice id = guts_slice(m->id, sizeof m->id);
	struct guts_pb_bytes_list ids = {&id, 1};
	struct glink *l;

	if (t->n_mesh == 0)
		return;
	DL_FOREACH2 (t->links, l, tnext) {
		struct gpeer *p = l->key.peer;

		if (!l->mesh || p == except || p->door < GUTS_GOSSIP_MESHSUB_12)
			continue;
		if (gossip_queue_ids(g, p, Q_WANT, ids, guts_slice(NULL, 0), false))
			g->stats.idontwant_sent++;
	}
}

void
gossip_send_iwant(struct guts_gossip *g, struct gpeer *p, struct guts_slice *v, size_t n)
{
	for (size_t at = 0; at < n; at += PIECE_IDS_MAX) {
		struct guts_pb_bytes_list ids = {v + at,
						 n - at < PIECE_IDS_MAX ? n - at : PIECE_IDS_MAX};

		if (!gossip_queue_ids(g, p, Q_WANT, ids, guts_slice(NULL, 0), true))
			return; /* no promise without a question */
		g->stats.iwant_sent += ids.n;
		for (size_t i = 0; i < ids.n; i++)
			gossip_want_asked(g, p, ids.v[i].p);
	}
}

/* --- GRAFT and PRUNE ----------------------------------------------------- */

static void
graft_in_backoff(struct guts_gossip *g, struct glink *l)
{
	struct gpeer *p = l->key.peer;
	bool crossed = g->now - l->pruned_at < 2 * g->cfg.heartbeat_ns;

	if (l->early_grafts < UINT8_MAX)
		l->early_grafts++;
	if (crossed && l->early_grafts <= EARLY_GRAFTS_FREE)
		return;
	gossip_score_behaviour(g, p, 1);
	if (l->early_grafts >= EARLY_GRAFTS_FLOOD)
		gossip_blame(g, p, GUTS_GOSSIP_GRAFT_FLOOD, 1, true);
}

static void
on_graft(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_graft *graft)
{
	struct gtopic *t = gossip_topic_find(g, graft->topic);
	struct glink *l;

	g->stats.graft_received++;
	if (!t || !t->subscribed)
		return;
	/* Whoever grafts us subscribes to the topic, told or not. */
	l = gossip_link_make(g, p, t);
	gossip_link_subscribe(g, l, true);
	if (l->mesh)
		return;
	if (g->now < l->backoff_until) {
		graft_in_backoff(g, l);
		gossip_send_prune(g, l, g->cfg.prune_backoff_ns, NULL, 0);
	} else if (p->score < 0) {
		l->early_grafts = 0;
		gossip_send_prune(g, l, g->cfg.prune_backoff_ns, NULL, 0);
	} else if (t->n_mesh >= g->cfg.d_hi && !p->outbound) {
		l->early_grafts = 0;
		gossip_px_send_prune(g, l);
	} else {
		l->early_grafts = 0;
		gossip_mesh_add(g, l);
	}
}

static void
on_prune(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_prune *prune)
{
	struct gtopic *t = gossip_topic_find(g, prune->topic);
	struct glink *l = t ? gossip_link_find(g, p, t) : NULL;
	uint64_t backoff_ns = g->cfg.prune_backoff_ns;

	g->stats.prune_received++;
	if (!l)
		return;
	gossip_px_take(g, p, prune);
	if (prune->backoff_s > 0)
		backoff_ns = (prune->backoff_s < BACKOFF_MAX_S ? prune->backoff_s : BACKOFF_MAX_S) *
			     SECOND;
	if (l->backoff_until < g->now + backoff_ns)
		l->backoff_until = g->now + backoff_ns;
	if (!l->mesh)
		return;
	gossip_mesh_del(g, l);
	gossip_topic_hurry(g, t);
}

/* --- IHAVE and IWANT ----------------------------------------------------- */

static struct guts_slice *
id_room(size_t n)
{
	return guts_calloc(n, sizeof(struct guts_slice));
}

static void
on_ihaves(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_control *c)
{
	struct guts_slice *wanted;
	size_t n = 0, total = 0;

	for (size_t i = 0; i < c->ihave.n; i++)
		total += c->ihave.v[i].ids.n;
	g->stats.ihave_received += total;
	if (p->score < g->cfg.threshold.gossip * POINT)
		return;
	if (++p->ihave_rpcs > g->cfg.ihave_rpcs_max || p->ihave_ids >= g->cfg.ihave_ids_max) {
		gossip_blame(g, p, GUTS_GOSSIP_IHAVE_FLOOD, 1, true);
		return;
	}
	wanted = id_room(total);
	for (size_t i = 0; i < c->ihave.n; i++) {
		const struct guts_rpc_ihave *h = &c->ihave.v[i];
		const struct gtopic *t = gossip_topic_find(g, h->topic);

		for (size_t k = 0; k < h->ids.n && p->ihave_ids < g->cfg.ihave_ids_max; k++) {
			p->ihave_ids++;
			if (!t || !t->subscribed || h->ids.v[k].n != GUTS_GOSSIP_ID_SIZE)
				continue;
			if (guts_idset_get(&g->seen, h->ids.v[k].p, g->now) >= 0 ||
			    !gossip_want_offer(g, p, h->ids.v[k].p))
				continue;
			wanted[n++] = h->ids.v[k];
		}
	}
	gossip_send_iwant(g, p, wanted, n);
	free(wanted);
}

static void
on_iwants(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_control *c)
{
	if (p->score < g->cfg.threshold.gossip * POINT)
		return;
	for (size_t i = 0; i < c->iwant.n; i++) {
		const struct guts_pb_bytes_list *ids = &c->iwant.v[i].ids;

		g->stats.iwant_received += ids->n;
		for (size_t k = 0; k < ids->n; k++) {
			struct gmsg *m = NULL;

			if (p->iwant_ids >= g->cfg.iwant_ids_max) {
				gossip_blame(g, p, GUTS_GOSSIP_IWANT_FLOOD, 1, true);
				return;
			}
			p->iwant_ids++;
			if (ids->v[k].n == GUTS_GOSSIP_ID_SIZE)
				m = gossip_msg_find(g, ids->v[k].p);
			if (m && m->state == MSG_CACHED && gossip_msg_give(g, m, p) &&
			    gossip_queue_message(g, p, m))
				m->topic->sent++;
		}
	}
}

static void
on_idontwants(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_control *c)
{
	for (size_t i = 0; i < c->idontwant.n; i++) {
		const struct guts_pb_bytes_list *ids = &c->idontwant.v[i].ids;

		g->stats.idontwant_received += ids->n;
		for (size_t k = 0; k < ids->n; k++)
			if (ids->v[k].n == GUTS_GOSSIP_ID_SIZE)
				guts_idset_put(&p->unwanted, ids->v[k].p, 0, g->now);
	}
	if (c->idontwant.n > 0)
		gossip_queue_filter(g, p);
}

void
gossip_on_control(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_control *c)
{
	if (c->ihave.n > 0)
		on_ihaves(g, p, c);
	if (c->iwant.n > 0)
		on_iwants(g, p, c);
	for (size_t i = 0; i < c->graft.n; i++)
		on_graft(g, p, &c->graft.v[i]);
	for (size_t i = 0; i < c->prune.n; i++)
		on_prune(g, p, &c->prune.v[i]);
	on_idontwants(g, p, c);
}
