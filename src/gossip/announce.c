/* gossip/announce.c - IHAVE: telling peers which messages can be asked for.
 *
 * At each heartbeat the messages of the last history_gossip ones are announced to D_lazy (or a
 * quarter of the) random subscribers outside the mesh, as the specification has it.  Three
 * additions close its gaps:
 *   - at ages 4, 8, 16 … heartbeats a message is announced once more, to random subscribers in
 *     the mesh as well: this heals partitions longer than the short history, and losses
 *     between peers that have nobody outside their mesh;
 *   - who subscribes or reconnects is told all we still have, who was silent for some heartbeats
 *     what came since then;
 *   - so is a mesh peer whose full queue made us drop a message.
 * All entries for one peer leave in as few RPCs as hold them, and never more ids than the
 * peer has to take.
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"

#include <stdlib.h>

/* Which messages an announcement is about. */
enum which { NEW, AGAIN, SINCE };

static bool
is_told(const struct guts_gossip *g, const struct gmsg *m, enum which which, uint64_t since)
{
	uint64_t age = g->beat - m->beat;

	switch (which) {
	case NEW: return age <= g->cfg.history_gossip;
	case AGAIN: return age > g->cfg.history_gossip && (age & (age - 1)) == 0;
	case SINCE: return m->beat >= since;
	}
	return false;
}

/* Ids of the topic's messages; the newest if there are more than one peer takes. */
static struct guts_slice *
list_ids(const struct guts_gossip *g, const struct gtopic *t, enum which which, uint64_t since,
	 size_t *n)
{
	const struct gmsg *m, *last = t->msgs ? t->msgs->tprev : NULL;
	struct guts_slice *v;
	size_t count = 0, at = 0;

	DL_FOREACH2 (t->msgs, m, tnext)
		count += is_told(g, m, which, since);
	if (count > g->cfg.ihave_ids_max)
		count = g->cfg.ihave_ids_max;
	*n = count;
	if (count == 0)
		return NULL;
	v = guts_calloc(count, sizeof *v);
	for (m = last; at < count; m = m->tprev)
		if (is_told(g, m, which, since))
			v[at++] = guts_slice(m->id, sizeof m->id);
	return v;
}

/* False if the peer cannot take all of it now. */
static bool
tell(struct guts_gossip *g, struct glink *l, struct guts_slice *v, size_t n)
{
	struct guts_slice topic = gossip_topic_name(l->key.topic);
	struct gpeer *p = l->key.peer;

	for (size_t at = 0; at < n; at += PIECE_IDS_MAX) {
		struct guts_pb_bytes_list ids = {v + at,
						 n - at < PIECE_IDS_MAX ? n - at : PIECE_IDS_MAX};

		if (p->told_ids + ids.n > g->cfg.ihave_ids_max ||
		    !gossip_queue_ids(g, p, Q_IHAVE, ids, topic, false))
			return false;
		p->told_ids += (unsigned)ids.n;
		g->stats.ihave_sent += ids.n;
	}
	return true;
}

static bool
may_tell(const struct guts_gossip *g, const struct glink *l)
{
	return l->subscribed && gossip_is_mesh_peer(l->key.peer) &&
	       l->key.peer->score >= g->cfg.threshold.gossip * POINT;
}

bool
gossip_tell_now(struct guts_gossip *g, struct glink *l, const struct gmsg *m)
{
	struct guts_slice id = guts_slice(m->id, sizeof m->id);

	if (l->key.peer->told_now >= TELL_NOW_MAX || !may_tell(g, l) || !tell(g, l, &id, 1))
		return false;
	l->key.peer->told_now++;
	return true;
}

static void
tell_random(struct guts_gossip *g, struct gtopic *t, enum which which)
{
	void **v = gossip_sample(g, t->n_links);
	struct guts_slice *ids;
	size_t n = 0, n_ids, take;
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext)
		if (may_tell(g, l) && !l->owed && (which == AGAIN || (!l->mesh && !l->fanout)))
			v[n++] = l;
	if (n == 0)
		return;
	ids = list_ids(g, t, which, 0, &n_ids);
	take = g->cfg.d_lazy > n / 4 ? g->cfg.d_lazy : n / 4;
	gossip_shuffle(g, v, n, take);
	for (size_t i = 0; n_ids > 0 && i < take && i < n; i++)
		tell(g, v[i], ids, n_ids);
	free(ids);
}

static void
tell_owed(struct guts_gossip *g, struct gtopic *t)
{
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext) {
		struct guts_slice *ids;
		size_t n;

		if (!l->owed || !may_tell(g, l))
			continue;
		ids = list_ids(g, t, SINCE, l->owed_from, &n);
		if (tell(g, l, ids, n))
			l->owed = false;
		free(ids);
	}
}

void
gossip_emit(struct guts_gossip *g, struct gtopic *t)
{
	tell_random(g, t, NEW);
	tell_random(g, t, AGAIN);
	tell_owed(g, t);
}
