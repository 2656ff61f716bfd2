/* gossip/cache.c - messages: made once, pending while they are judged, then kept for IWANT.
 *
 * A message is encoded once, as the `publish` field of an RPC, and every queue and cache holds a
 * reference.  g->msgs finds those that are pending or cached by id.  The cache is bounded by
 * bytes and by age in heartbeats; the oldest goes first.
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

/* What one message costs the caps. */
static size_t
weight(const struct gmsg *m)
{
	return sizeof *m + m->n;
}

struct gmsg *
gossip_msg_new(struct guts_gossip *g, const uint8_t *id, const struct guts_rpc_message *raw)
{
	struct guts_rpc_message one = *raw;
	struct guts_rpc rpc = {.publish = {&one, 1}};
	struct gmsg *m;
	int err;

	guts_buf_clear(&g->scratch);
	err = guts_pb_encode(&guts_rpc_desc, &rpc, &g->scratch);
	assert(!err);
	(void)err;
	m = guts_alloc(sizeof *m + g->scratch.len);
	memcpy(m->id, id, sizeof m->id);
	m->refs = 1;
	m->n = g->scratch.len;
	m->data_n = raw->data.n;
	memcpy(m->wire, guts_buf_bytes(&g->scratch), m->n);
	return m;
}

void
gossip_msg_unref(struct gmsg *m)
{
	assert(m->refs > 0);
	if (--m->refs > 0)
		return;
	assert(m->state == MSG_LOOSE);
	free(m->given);
	free(m);
}

void
gossip_msg_view(const struct gmsg *m, struct guts_rpc *rpc, struct guts_arena *arena)
{
	int err = guts_pb_decode(&guts_rpc_desc, guts_slice(m->wire, m->n), rpc, arena);

	assert(!err && rpc->publish.n == 1);
	(void)err;
}

bool
gossip_msg_has_sender(const struct gmsg *m, const struct gpeer *p)
{
	for (unsigned i = 0; i < m->n_senders; i++)
		if (m->senders[i] == p->serial)
			return true;
	return false;
}

void
gossip_msg_add_sender(struct gmsg *m, const struct gpeer *p)
{
	if (m->n_senders < SENDERS_MAX && !gossip_msg_has_sender(m, p))
		m->senders[m->n_senders++] = p->serial;
}

struct gmsg *
gossip_msg_find(const struct guts_gossip *g, const uint8_t *id)
{
	struct gmsg *m;

	HASH_FIND(hh, g->msgs, id, GUTS_GOSSIP_ID_SIZE, m);
	return m;
}

bool
gossip_msg_give(struct guts_gossip *g, struct gmsg *m, const struct gpeer *p)
{
	size_t i = 0;

	while (i < m->n_given && m->given[i].serial != p->serial)
		i++;
	if (i == m->n_given) {
		m->given = guts_realloc(m->given, (i + 1) * sizeof *m->given);
		m->given[i] = (struct gmsg_given){p->serial, 0};
		m->n_given++;
	}
	if (m->given[i].times >= g->cfg.retransmit_max)
		return false;
	m->given[i].times++;
	return true;
}

/* --- pending ------------------------------------------------------------- */

void
gossip_pending_add(struct guts_gossip *g, struct gmsg *m, struct gtopic *t, struct gpeer *p)
{
	m->state = MSG_PENDING;
	m->topic = t;
	m->deadline = g->now + g->cfg.pending_ns;
	m->refs++;
	HASH_ADD(hh, g->msgs, id, sizeof m->id, m);
	DL_APPEND(g->pending, m);
	g->n_pending++;
	g->pending_bytes += weight(m);
	p->n_pending++;
	t->n_pending++;
}

void
gossip_pending_del(struct guts_gossip *g, struct gmsg *m)
{
	struct gpeer *p = gossip_peer_by_serial(g, m->senders[0]);

	assert(m->state == MSG_PENDING);
	m->state = MSG_LOOSE;
	HASH_DEL(g->msgs, m);
	DL_DELETE(g->pending, m);
	g->n_pending--;
	g->pending_bytes -= weight(m);
	if (p)
		p->n_pending--;
	m->topic->n_pending--;
	gossip_topic_unused(g, m->topic);
	m->topic = NULL;
	gossip_msg_unref(m);
}

/* --- cached -------------------------------------------------------------- */

void
gossip_cache_add(struct guts_gossip *g, struct gmsg *m, struct gtopic *t)
{
	while (g->cache && g->cache_bytes + weight(m) > g->cfg.cache_bytes_max)
		gossip_cache_del(g, g->cache);
	m->state = MSG_CACHED;
	m->topic = t;
	m->beat = g->beat;
	m->at = g->now;
	m->refs++;
	HASH_ADD(hh, g->msgs, id, sizeof m->id, m);
	DL_APPEND(g->cache, m);
	DL_APPEND2(t->msgs, m, tprev, tnext);
	g->n_cached++;
	g->cache_bytes += weight(m);
	gossip_topic_activate(g, t);
}

void
gossip_cache_del(struct guts_gossip *g, struct gmsg *m)
{
	assert(m->state == MSG_CACHED);
	m->state = MSG_LOOSE;
	HASH_DEL(g->msgs, m);
	DL_DELETE(g->cache, m);
	DL_DELETE2(m->topic->msgs, m, tprev, tnext);
	g->n_cached--;
	g->cache_bytes -= weight(m);
	gossip_topic_unused(g, m->topic);
	m->topic = NULL;
	gossip_msg_unref(m);
}

void
gossip_cache_shift(struct guts_gossip *g)
{
	while (g->cache && g->beat - g->cache->beat > g->cfg.history_length)
		gossip_cache_del(g, g->cache);
}
