/* gossip/px.c - peer exchange: a PRUNE for a full mesh names others to turn to.
 *
 * Only peers whose signed record the caller has are named, so that the receiver can check that the
 * addresses are the peer's own.  Names are taken only from peers in good standing: who could
 * choose our neighbours could cut us off.
 *
 * Source: gossipsub-v1.1.md "Prune Backoff and Peer Exchange".
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"

#include <stdlib.h>

#define PX_BYTES_MAX (16u << 10) /* [bytes] of records in one PRUNE; it has to fit one RPC */

static bool
may_be_named(const struct glink *l, const struct gpeer *to)
{
	return l->subscribed && l->key.peer != to && gossip_is_mesh_peer(l->key.peer) &&
	       l->key.peer->score >= 0;
}

size_t
gossip_px_offer(struct guts_gossip *g, const struct glink *pruned, struct guts_rpc_px *out,
		struct guts_buf *mem)
{
	struct gtopic *t = pruned->key.topic;
	size_t n = 0, named = 0;
	struct glink *l;
	void **v;

	if (!g->ev->px_record || pruned->key.peer->door < GUTS_GOSSIP_MESHSUB_11)
		return 0;
	v = guts_calloc(t->n_links, sizeof *v); /* the caller may be walking the sample */
	DL_FOREACH2 (t->links, l, tnext)
		if (may_be_named(l, pruned->key.peer))
			v[n++] = l;
	gossip_shuffle(g, v, n, n);
	/* The buffer may move as it grows: lengths first, views when all is there. */
	for (size_t i = 0; i < n && named < g->cfg.px_peers_max; i++) {
		struct gpeer *p = ((struct glink *)v[i])->key.peer;
		size_t before = mem->len;

		if (g->ev->px_record(g->owner, &p->id, mem) || mem->len == before || mem->failed) {
			mem->failed = false;
			guts_buf_truncate(mem, before);
			continue;
		}
		out[named++] = (struct guts_rpc_px){.peer = guts_peerid_slice(&p->id),
						    .signed_record = {NULL, mem->len - before}};
	}
	for (size_t i = 0, at = 0; i < named; at += out[i++].signed_record.n)
		out[i].signed_record.p = guts_buf_slice(mem).p + at;
	free(v);
	return named;
}

void
gossip_px_send_prune(struct guts_gossip *g, struct glink *l)
{
	struct guts_rpc_px peers[GUTS_RPC_PX_MAX];
	struct guts_buf mem;
	size_t n;

	guts_buf_init(&mem, PX_BYTES_MAX);
	n = gossip_px_offer(g, l, peers, &mem);
	gossip_send_prune(g, l, g->cfg.prune_backoff_ns, peers, n);
	guts_buf_deinit(&mem);
}

void
gossip_px_take(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_prune *prune)
{
	struct guts_peerrecord *r;

	if (prune->peers.n == 0 || !g->ev->px_connect ||
	    p->score < g->cfg.threshold.accept_px * POINT)
		return;
	r = guts_alloc(sizeof *r);
	for (size_t i = 0; i < prune->peers.n && p->px_taken < g->cfg.px_peers_max; i++) {
		const struct guts_rpc_px *px = &prune->peers.v[i];
		struct gpeer *known;

		if (px->signed_record.n == 0)
			continue;
		p->px_taken++;
		if (guts_peerrecord_open(r, px->signed_record) ||
		    !guts_slice_eq(guts_peerid_slice(&r->peer), px->peer)) {
			gossip_score_behaviour(g, p, 1);
			continue;
		}
		HASH_FIND(hh, g->peers, &r->peer, sizeof r->peer, known);
		if ((known && known->connected) || guts_peerid_eq(&r->peer, &g->key.id))
			continue;
		g->stats.px_received++;
		g->ev->px_connect(g->owner, &p->id, r, px->signed_record);
	}
	free(r);
}
