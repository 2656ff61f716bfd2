/* view/gossip.c - topics, meshes, scores and counters of gossip as JSON. */
#include "view/view.h"

#include <stdio.h>

static void
put_topic(struct guts_json *j, const struct guts_topic_info *t)
{
	guts_json_put_str(j, "name", t->name);
	guts_json_put_bool(j, "subscribed", t->subscribed);
	guts_json_put_bool(j, "user", t->is_user);
	guts_json_put_u64(j, "peers", t->peers);
	guts_json_put_u64(j, "mesh", t->mesh);
	guts_json_put_u64(j, "fanout", t->fanout);
	guts_json_put_u64(j, "delivered", t->delivered);
	guts_json_put_u64(j, "duplicate", t->duplicate);
	guts_json_put_u64(j, "rejected", t->rejected);
	guts_json_put_u64(j, "published", t->published);
	guts_json_put_u64(j, "sent", t->sent);
}

void
guts_view_topic(struct guts_json *j, const struct guts_topic_info *t)
{
	guts_json_object(j);
	put_topic(j, t);
	guts_json_object_end(j);
}

/* Thousandths as a number with three decimals. */
static void
put_points(struct guts_json *j, const char *key, int64_t thousandths)
{
	uint64_t v = thousandths < 0 ? 0 - (uint64_t)thousandths : (uint64_t)thousandths;
	char text[32];
	int n = snprintf(text, sizeof text, "%s%llu.%03llu", thousandths < 0 ? "-" : "", (unsigned long long)(v / 1000),
	    (unsigned long long)(v % 1000));

	guts_json_key(j, key);
	guts_json_raw(j, guts_slice(text, (size_t)n));
}

/* P1 to P4 of a topic, or all of a peer. */
static void
put_components(struct guts_json *j, const struct guts_gossip_components *c, bool all)
{
	guts_json_key(j, "components");
	guts_json_object(j);
	put_points(j, "p1", c->p1);
	put_points(j, "p2", c->p2);
	put_points(j, "p3", c->p3);
	put_points(j, "p3b", c->p3b);
	put_points(j, "p4", c->p4);
	if (all) {
		put_points(j, "p5", c->p5);
		put_points(j, "p6", c->p6);
		put_points(j, "p7", c->p7);
	}
	guts_json_object_end(j);
}

static void
put_direction(struct guts_json *j, bool outbound)
{
	guts_json_put_str(j, "direction", outbound ? "outbound" : "inbound");
}

static void
put_member(struct guts_json *j, const struct guts_topic_member *m)
{
	guts_json_object(j);
	guts_json_key(j, "peer");
	guts_view_peerid(j, &m->peer.id);
	put_direction(j, m->peer.outbound);
	guts_json_put_bool(j, "in_mesh", m->peer.in_mesh);
	guts_json_put_bool(j, "in_fanout", m->peer.in_fanout);
	guts_json_put_time_or_null(j, "mesh_since", m->mesh_since_wall_ms);
	put_points(j, "score", m->peer.score);
	put_components(j, &m->peer.components, false);
	guts_json_object_end(j);
}

void
guts_view_topic_detail(struct guts_json *j, const struct guts_topic_detail *d)
{
	guts_json_object(j);
	put_topic(j, &d->info);
	guts_json_key(j, "members");
	guts_json_array(j);
	for (size_t i = 0; i < d->n; i++)
		put_member(j, &d->members[i]);
	guts_json_array_end(j);
	guts_json_object_end(j);
}

static const char *
door_name(enum guts_gossip_door door)
{
	switch (door) {
	case GUTS_GOSSIP_MESHSUB_10: return GUTS_MESHSUB_10;
	case GUTS_GOSSIP_MESHSUB_11: return GUTS_MESHSUB_11;
	case GUTS_GOSSIP_MESHSUB_12: return GUTS_MESHSUB_12;
	case GUTS_GOSSIP_NODE_DOOR: break;
	}
	return "node";
}

void
guts_view_gossip_peer(struct guts_json *j, const struct guts_gossip_peer_info *p)
{
	guts_json_object(j);
	guts_json_key(j, "peer");
	guts_view_peerid(j, &p->id);
	guts_json_put_str(j, "door", door_name(p->door));
	put_direction(j, p->outbound);
	guts_json_put_u64(j, "topics", p->topics);
	guts_json_put_u64(j, "meshes", p->mesh);
	guts_json_put_u64(j, "queue_bytes", p->queue_bytes);
	put_points(j, "score", p->score);
	put_components(j, &p->components, true);
	guts_json_object_end(j);
}

static void
put_messages(struct guts_json *j, const struct guts_gossip_stats *s)
{
	guts_json_key(j, "messages");
	guts_json_object(j);
	guts_json_put_u64(j, "published", s->published);
	guts_json_put_u64(j, "delivered", s->delivered);
	guts_json_put_u64(j, "sent", s->messages_sent);
	guts_json_put_u64(j, "unwanted", s->unwanted);
	guts_json_put_u64(j, "queue_full", s->queue_drops);
	guts_json_key(j, "dropped");
	guts_json_object(j);
	for (int i = 0; i < GUTS_GOSSIP_DROP_COUNT; i++)
		guts_json_put_u64(j, guts_gossip_drop_name((enum guts_gossip_drop)i), s->dropped[i]);
	guts_json_object_end(j);
	guts_json_object_end(j);
}

static void
put_control(struct guts_json *j, const char *key, uint64_t graft, uint64_t prune, uint64_t ihave, uint64_t iwant,
    uint64_t idontwant)
{
	guts_json_key(j, key);
	guts_json_object(j);
	guts_json_put_u64(j, "graft", graft);
	guts_json_put_u64(j, "prune", prune);
	guts_json_put_u64(j, "ihave", ihave);
	guts_json_put_u64(j, "iwant", iwant);
	guts_json_put_u64(j, "idontwant", idontwant);
	guts_json_object_end(j);
}

static void
put_sizes(struct guts_json *j, const struct guts_gossip_stats *s)
{
	guts_json_key(j, "sizes");
	guts_json_object(j);
	guts_json_put_u64(j, "peers", s->peers);
	guts_json_put_u64(j, "topics", s->topics);
	guts_json_put_u64(j, "subscriptions", s->subscriptions);
	guts_json_put_u64(j, "seen", s->seen);
	guts_json_put_u64(j, "cached", s->cached);
	guts_json_put_u64(j, "cached_bytes", s->cached_bytes);
	guts_json_put_u64(j, "pending", s->pending);
	guts_json_put_u64(j, "wants", s->wants);
	guts_json_object_end(j);
}

void
guts_view_gossip_stats(struct guts_json *j, const struct guts_gossip_stats *s, const struct guts_gossip_thresholds *t)
{
	guts_json_object(j);
	put_messages(j, s);
	put_control(j, "control_sent", s->graft_sent, s->prune_sent, s->ihave_sent, s->iwant_sent, s->idontwant_sent);
	put_control(j, "control_received", s->graft_received, s->prune_received, s->ihave_received, s->iwant_received,
	    s->idontwant_received);
	guts_json_put_u64(j, "rpcs_sent", s->rpcs_sent);
	guts_json_put_u64(j, "rpcs_received", s->rpcs_received);
	guts_json_put_u64(j, "bytes_sent", s->bytes_sent);
	guts_json_put_u64(j, "bytes_received", s->bytes_received);
	guts_json_put_u64(j, "px_received", s->px_received);
	guts_json_key(j, "offences");
	guts_json_object(j);
	for (int i = 0; i < GUTS_GOSSIP_OFFENCE_COUNT; i++)
		guts_json_put_u64(j, guts_gossip_offence_name((enum guts_gossip_offence)i), s->offences[i]);
	guts_json_object_end(j);
	put_sizes(j, s);
	guts_json_key(j, "thresholds");
	guts_json_object(j);
	put_points(j, "gossip", t->gossip * 1000);
	put_points(j, "publish", t->publish * 1000);
	put_points(j, "graylist", t->graylist * 1000);
	put_points(j, "accept_px", t->accept_px * 1000);
	put_points(j, "opportunistic", t->opportunistic * 1000);
	guts_json_object_end(j);
	guts_json_object_end(j);
}
