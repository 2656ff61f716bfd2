/* node/gossiplook.c - what gossip knows, as values for those who show it. */
#include "node/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

static struct guts_topic_info
to_info(struct guts_node *n, const struct guts_gossip_topic_info *t)
{
	return (struct guts_topic_info){ .name = guts_memdup(t->name.p, t->name.n), .subscribed = t->subscribed,
		.is_user = guts_topics_has(n, t->name), .peers = t->peers, .mesh = t->mesh, .fanout = t->fanout,
		.delivered = t->delivered, .duplicate = t->duplicate, .rejected = t->rejected, .published = t->published,
		.sent = t->sent };
}

size_t
guts_pubsub_topics(struct guts_node *n, struct guts_topic_info **out)
{
	struct guts_gossip *g = guts_pubsub_gossip(n);
	struct guts_gossip_topic_info t;
	struct guts_topic_info *v = NULL;
	const void *it = NULL;
	size_t k = 0, cap = 0;

	while (guts_gossip_next_topic(g, &it, &t)) {
		if (!t.subscribed)
			continue;
		if (k == cap) {
			cap = cap ? 2 * cap : 16;
			v = guts_realloc(v, cap * sizeof *v);
		}
		v[k++] = to_info(n, &t);
	}
	*out = v;
	return k;
}

int
guts_node_gossip_topic(struct guts_node *n, const char *topic, struct guts_topic_detail *out)
{
	struct guts_gossip *g = guts_pubsub_gossip(n);
	uint64_t now = guts_env_now(n->env), wall = guts_env_wall(n->env);
	struct guts_gossip_topic_info t;
	struct guts_gossip_topic_peer p;
	const void *it = NULL;

	*out = (struct guts_topic_detail){ 0 };
	if (!guts_gossip_topic(g, guts_slice_str(topic), &t))
		return GUTS_ENOTFOUND;
	out->info = to_info(n, &t);
	out->members = guts_calloc(t.peers + 1, sizeof *out->members);
	while (out->n < t.peers && guts_gossip_next_topic_peer(g, t.name, &it, &p)) {
		struct guts_topic_member *m = &out->members[out->n++];

		*m = (struct guts_topic_member){ .peer = p };
		if (p.in_mesh)
			m->mesh_since_wall_ms = (wall - (now - p.mesh_since)) / GUTS_MS_NS;
	}
	return GUTS_OK;
}

void
guts_topic_detail_deinit(struct guts_topic_detail *d)
{
	free(d->info.name);
	free(d->members);
}

size_t
guts_node_gossip_peers(struct guts_node *n, struct guts_gossip_peer_info **out)
{
	struct guts_gossip *g = guts_pubsub_gossip(n);
	struct guts_gossip_stats st;
	const void *it = NULL;
	size_t k = 0;

	guts_gossip_stats(g, &st);
	*out = guts_calloc(st.peers + 1, sizeof **out);
	while (k < st.peers && guts_gossip_next_peer(g, &it, &(*out)[k]))
		k++;
	return k;
}

void
guts_pubsub_stats(struct guts_node *n, struct guts_gossip_stats *out, struct guts_gossip_thresholds *thresholds)
{
	struct guts_gossip *g = guts_pubsub_gossip(n);

	guts_gossip_stats(g, out);
	*thresholds = guts_gossip_get_thresholds(g);
}
