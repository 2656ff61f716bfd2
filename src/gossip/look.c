/* gossip/look.c - names, counters and walks for those who show what gossip does. */
#include "gossip/gossip_int.h"

static const char *const offences[GUTS_GOSSIP_OFFENCE_COUNT] = {
	[GUTS_GOSSIP_UNDECODABLE] = "undecodable",
	[GUTS_GOSSIP_OVERSIZED] = "oversized",
	[GUTS_GOSSIP_BAD_SIGNATURE] = "bad_signature",
	[GUTS_GOSSIP_REJECTED] = "rejected",
	[GUTS_GOSSIP_GRAFT_FLOOD] = "graft_flood",
	[GUTS_GOSSIP_IHAVE_FLOOD] = "ihave_flood",
	[GUTS_GOSSIP_IWANT_FLOOD] = "iwant_flood",
	[GUTS_GOSSIP_CONTROL_FLOOD] = "control_flood",
	[GUTS_GOSSIP_TOO_MANY_TOPICS] = "too_many_topics",
	[GUTS_GOSSIP_BROKEN_PROMISE] = "broken_promise",
	[GUTS_GOSSIP_STALLED] = "stalled",
};

static const char *const drops[GUTS_GOSSIP_DROP_COUNT] = {
	[GUTS_GOSSIP_DROP_DUPLICATE] = "duplicate",
	[GUTS_GOSSIP_DROP_SIGNATURE] = "signature",
	[GUTS_GOSSIP_DROP_UNSUPPORTED] = "unsupported",
	[GUTS_GOSSIP_DROP_OVERSIZED] = "oversized",
	[GUTS_GOSSIP_DROP_TOPIC] = "topic",
	[GUTS_GOSSIP_DROP_SELF] = "self",
	[GUTS_GOSSIP_DROP_GRAYLIST] = "graylist",
	[GUTS_GOSSIP_DROP_RATE] = "rate",
	[GUTS_GOSSIP_DROP_BUSY] = "busy",
	[GUTS_GOSSIP_DROP_IGNORED] = "ignored",
	[GUTS_GOSSIP_DROP_REJECTED] = "rejected",
};

const char *
guts_gossip_offence_name(enum guts_gossip_offence what)
{
	return what < GUTS_GOSSIP_OFFENCE_COUNT ? offences[what] : "unknown";
}

const char *
guts_gossip_drop_name(enum guts_gossip_drop why)
{
	return why < GUTS_GOSSIP_DROP_COUNT ? drops[why] : "unknown";
}

void
guts_gossip_stats(const struct guts_gossip *g, struct guts_gossip_stats *out)
{
	*out = g->stats;
	out->peers = g->n_connected;
	out->topics = HASH_COUNT(g->topics);
	out->subscriptions = g->n_subscriptions;
	out->seen = g->seen.live;
	out->cached = g->n_cached;
	out->cached_bytes = g->cache_bytes;
	out->pending = g->n_pending;
	out->wants = HASH_COUNT(g->wants);
}

struct guts_gossip_thresholds
guts_gossip_get_thresholds(const struct guts_gossip *g)
{
	return g->cfg.threshold;
}

static void
describe_topic(const struct gtopic *t, struct guts_gossip_topic_info *out)
{
	*out = (struct guts_gossip_topic_info){
		.name = gossip_topic_name(t),
		.subscribed = t->subscribed,
		.peers = t->n_subs,
		.mesh = t->n_mesh,
		.fanout = t->n_fanout,
		.published = t->published,
		.delivered = t->delivered,
		.duplicate = t->duplicate,
		.rejected = t->rejected,
		.sent = t->sent,
	};
}

bool
guts_gossip_topic(const struct guts_gossip *g, struct guts_slice name,
		  struct guts_gossip_topic_info *out)
{
	const struct gtopic *t = gossip_topic_find(g, name);

	if (t)
		describe_topic(t, out);
	return t != NULL;
}

bool
guts_gossip_next_topic(const struct guts_gossip *g, const void **it,
		       struct guts_gossip_topic_info *out)
{
	const struct gtopic *t = *it ? ((const struct gtopic *)*it)->hh.next : g->topics;

	*it = t;
	if (t)
		describe_topic(t, out);
	return t != NULL;
}

bool
guts_gossip_next_topic_peer(const struct guts_gossip *g, struct guts_slice topic, const void **it,
			    struct guts_gossip_topic_peer *out)
{
	const struct gtopic *t = gossip_topic_find(g, topic);
	const struct glink *l = *it;

	l = l ? l->tnext : t ? t->links : NULL;
	while (l && !l->subscribed)
		l = l->tnext;
	*it = l;
	if (!l)
		return false;
	*out = (struct guts_gossip_topic_peer){
		.id = l->key.peer->id,
		.in_mesh = l->mesh,
		.in_fanout = l->fanout,
		.outbound = l->key.peer->outbound,
		.mesh_since = l->mesh ? l->mesh_since : 0,
		.score = l->key.peer->score,
		.components = gossip_score_topic(g, l),
	};
	return true;
}

bool
guts_gossip_next_peer(const struct guts_gossip *g, const void **it,
		      struct guts_gossip_peer_info *out)
{
	const struct gpeer *p = *it ? ((const struct gpeer *)*it)->next : g->connected;

	*it = p;
	if (!p)
		return false;
	*out = (struct guts_gossip_peer_info){
		.id = p->id,
		.door = p->door,
		.outbound = p->outbound,
		.topics = p->n_subs,
		.mesh = p->n_mesh,
		.queue_bytes = p->queue_bytes,
		.score = p->score,
		.components = gossip_score_components(p),
	};
	return true;
}
