/* gossip/message.c - the way of a message: in, judged, delivered, forwarded; and our own.
 *
 * Cheap things first: a duplicate costs one hash of topic and data and one look-up; only what
 * is new has its signature checked, and only then does its id become known.  The state kept
 * with the id (pending, accepted, ignored, rejected) tells what a later copy means for its
 * sender: nothing, or that it relays what was rejected.
 *
 * While a message is judged, peers that send it too are noted, and do not get it back.
 */
#include "gossip/gossip_int.h"

#include "base/be.h"
#include "base/text.h"

#include <assert.h>

#define VIEW_ARENA_MAX 4096u

static uint64_t
be64(struct guts_slice s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n && i < 8; i++)
		v = v << 8 | s.p[i];
	return v;
}

static void
describe(struct guts_gossip_message *out, const uint8_t *id, const struct guts_peerid *from,
	 const struct guts_rpc_message *raw)
{
	memcpy(out->id, id, sizeof out->id);
	out->topic = raw->topic;
	out->data = raw->data;
	out->from = *from;
	out->seqno = be64(raw->seqno);
	out->raw = raw;
}

/* --- out ----------------------------------------------------------------- */

/* May the message go to this peer at all? */
static bool
is_wanted_by(struct guts_gossip *g, const struct gmsg *m, struct gpeer *p)
{
	if (gossip_msg_has_sender(m, p) || guts_peerid_eq(&p->id, &m->from))
		return false;
	if (p->unwanted.live > 0 && guts_idset_get(&p->unwanted, m->id, g->now) >= 0) {
		g->stats.unwanted++;
		return false;
	}
	return true;
}

static void
send_by_node_door(struct guts_gossip *g, struct gmsg *m, const struct guts_gossip_message *desc)
{
	struct gpeer *p;

	if (g->n_node_door == 0 || !g->ev->forward)
		return;
	DL_FOREACH (g->connected, p)
		if (p->door == GUTS_GOSSIP_NODE_DOOR && !p->removed && is_wanted_by(g, m, p) &&
		    p->score >= g->cfg.threshold.publish * POINT)
			g->ev->forward(g->owner, &p->id, desc);
}

/* Large, and not fresh from its author: whole to a few of the mesh, others for each message, and to one only when some have
 * called it off, for then many have it; the rest hear at once that we have it, and ask if nobody was faster.  A peer that
 * cannot be told any more gets it whole. */
static void
forward_large(struct guts_gossip *g, struct gtopic *t, struct gmsg *m)
{
	void **v = gossip_sample(g, t->n_mesh);
	size_t n = 0, whole = 0, whole_max;
	struct glink *l;

	DL_FOREACH2 (t->links, l, tnext)
		if (l->mesh && is_wanted_by(g, m, l->key.peer))
			v[n++] = l;
	gossip_shuffle(g, v, n, n);
	whole_max = n + 1 < t->n_mesh ? 1 : g->cfg.d_whole; /* one of the mesh sent it */
	for (size_t i = 0; i < n; i++) {
		l = v[i];
		if ((whole < whole_max || !gossip_tell_now(g, l, m)) &&
		    gossip_queue_message(g, l->key.peer, m)) {
			t->sent++;
			whole++;
		}
	}
}

static void
forward(struct guts_gossip *g, struct gtopic *t, struct gmsg *m,
	const struct guts_gossip_message *desc)
{
	struct glink *l;

	if (t->n_mesh > 0 && m->data_n >= g->cfg.idontwant_min && !guts_peerid_eq(&m->via, &m->from))
		forward_large(g, t, m);
	else if (t->n_mesh > 0)
		DL_FOREACH2 (t->links, l, tnext)
			if (l->mesh && is_wanted_by(g, m, l->key.peer) &&
			    gossip_queue_message(g, l->key.peer, m))
				t->sent++;
	send_by_node_door(g, m, desc);
}

/* Our own message: everybody who subscribes, or the mesh, or the fanout. */
static void
spread(struct guts_gossip *g, struct gtopic *t, struct gmsg *m)
{
	struct glink *l;

	if (!t->subscribed) {
		gossip_fanout_fill(g, t);
		t->fanout_until = g->now + g->cfg.fanout_ttl_ns;
	}
	DL_FOREACH2 (t->links, l, tnext) {
		struct gpeer *p = l->key.peer;

		if (!l->subscribed || (g->cfg.no_flood_publish && !l->mesh && !l->fanout))
			continue;
		if (!l->mesh && p->score < g->cfg.threshold.publish * POINT)
			continue;
		if (is_wanted_by(g, m, p) && gossip_queue_message(g, p, m))
			t->sent++;
	}
}

/* Field by field, so that the signature covers exactly what is sent. */
static void
sign(struct guts_gossip *g, struct guts_rpc_message *raw, uint8_t seqno[8],
     uint8_t sig[GUTS_SIG_SIZE])
{
	int err;

	guts_put_be64(seqno, g->last_seqno);
	raw->from = guts_peerid_slice(&g->key.id);
	raw->seqno = guts_slice(seqno, 8);
	raw->has_from = raw->has_data = raw->has_seqno = raw->has_topic = true;
	guts_buf_clear(&g->scratch);
	err = guts_rpc_signed_bytes(&g->scratch, raw);
	assert(!err);
	(void)err;
	guts_sign(sig, &g->key, guts_buf_slice(&g->scratch));
	raw->signature = guts_slice(sig, GUTS_SIG_SIZE);
	raw->has_signature = true;
}

int
guts_gossip_publish(struct guts_gossip *g, struct guts_slice topic, struct guts_slice data,
		    uint64_t wall_ns, uint64_t now, uint8_t id[GUTS_GOSSIP_ID_SIZE])
{
	struct guts_rpc_message raw = {.topic = topic, .data = data};
	uint8_t seqno[8], sig[GUTS_SIG_SIZE];
	struct guts_gossip_message desc;
	struct gtopic *t;
	struct gmsg *m;

	if (topic.n == 0 || topic.n > GUTS_TOPIC_MAX || !guts_text_is_utf8(topic))
		return GUTS_EINVAL;
	if (data.n > g->cfg.data_max)
		return GUTS_ELIMIT;
	guts_gossip_message_id(id, topic, data);
	if (guts_idset_get(&g->seen, id, now) >= 0 || gossip_msg_find(g, id))
		return GUTS_EEXIST;

	gossip_enter(g, now);
	g->last_seqno = wall_ns > g->last_seqno ? wall_ns : g->last_seqno + 1;
	sign(g, &raw, seqno, sig);
	t = gossip_topic_make(g, topic);
	m = gossip_msg_new(g, id, &raw);
	m->from = g->key.id;
	guts_idset_put(&g->seen, id, SEEN_OWN, g->now);
	gossip_want_done(g, id);
	gossip_cache_add(g, m, t);
	spread(g, t, m);
	describe(&desc, id, &g->key.id, &raw);
	send_by_node_door(g, m, &desc);
	t->published++;
	g->stats.published++;
	gossip_msg_unref(m);
	gossip_leave(g);
	return GUTS_OK;
}

/* --- in ------------------------------------------------------------------ */

static int
drop(struct guts_gossip *g, enum guts_gossip_drop why, int err)
{
	g->stats.dropped[why]++;
	return err;
}

/* The message counts for this peer, which brought it, in time, too. */
static void
credit(struct guts_gossip *g, struct gpeer *p, struct gtopic *t, struct gmsg *m)
{
	if (gossip_msg_has_sender(m, p) || g->now > m->at + g->cfg.delivery_ns)
		return;
	gossip_msg_add_sender(m, p);
	gossip_score_delivered(g, p, t);
}

static int
on_duplicate(struct guts_gossip *g, struct gpeer *p, struct gtopic *t, const uint8_t *id, int state)
{
	t->duplicate++;
	if (state == SEEN_PENDING || t->expected > 0) {
		struct gmsg *m = gossip_msg_find(g, id);

		if (m && m->state == MSG_PENDING)
			gossip_msg_add_sender(m, p);
		else if (m)
			credit(g, p, t, m);
	}
	if (state == SEEN_REJECTED) {
		gossip_score_invalid(g, p, t);
		gossip_blame(g, p, GUTS_GOSSIP_REJECTED, 1, false);
	}
	return drop(g, GUTS_GOSSIP_DROP_DUPLICATE, GUTS_EEXIST);
}

static void
blame_senders(struct guts_gossip *g, struct gtopic *t, const struct gmsg *m)
{
	for (unsigned i = 0; i < m->n_senders; i++) {
		struct gpeer *p = gossip_peer_by_serial(g, m->senders[i]);

		if (!p)
			continue;
		gossip_score_invalid(g, p, t);
		gossip_blame(g, p, GUTS_GOSSIP_REJECTED, 1, false);
	}
}

static void
credit_senders(struct guts_gossip *g, struct gtopic *t, const struct gmsg *m)
{
	for (unsigned i = 0; i < m->n_senders; i++) {
		struct gpeer *p = gossip_peer_by_serial(g, m->senders[i]);

		if (p && i == 0)
			gossip_score_first(g, p, t);
		if (p)
			gossip_score_delivered(g, p, t);
	}
}

/* Act on the verdict; m is loose. */
static int
settle(struct guts_gossip *g, struct gtopic *t, struct gmsg *m,
       const struct guts_gossip_message *desc, enum guts_gossip_verdict v)
{
	if (v == GUTS_GOSSIP_REJECT) {
		guts_idset_put(&g->seen, m->id, SEEN_REJECTED, g->now);
		t->rejected++;
		blame_senders(g, t, m);
		return drop(g, GUTS_GOSSIP_DROP_REJECTED, GUTS_EDENIED);
	}
	if (v == GUTS_GOSSIP_IGNORE) {
		guts_idset_put(&g->seen, m->id, SEEN_IGNORED, g->now);
		return drop(g, GUTS_GOSSIP_DROP_IGNORED, GUTS_EDENIED);
	}
	guts_idset_put(&g->seen, m->id, SEEN_ACCEPTED, g->now);
	if (!t->subscribed)
		return drop(g, GUTS_GOSSIP_DROP_TOPIC, GUTS_ENOTFOUND);
	credit_senders(g, t, m);
	gossip_cache_add(g, m, t);
	t->delivered++;
	g->stats.delivered++;
	forward(g, t, m, desc);
	if (g->ev->deliver)
		g->ev->deliver(g->owner, &m->via, desc);
	return GUTS_OK;
}

static bool
has_pending_room(const struct guts_gossip *g, const struct gpeer *p, const struct gmsg *m)
{
	return g->n_pending < g->cfg.pending_max && p->n_pending < g->cfg.pending_max / 4 + 1 &&
	       g->pending_bytes + sizeof *m + m->n <= g->cfg.pending_bytes_max;
}

static int
judge(struct guts_gossip *g, struct gpeer *p, struct gtopic *t, struct gmsg *m,
      const struct guts_gossip_message *desc)
{
	bool has_room = has_pending_room(g, p, m);
	enum guts_gossip_verdict v;

	/* Pending before the validator is asked: it may answer at once, through
	 * guts_gossip_validated. */
	gossip_pending_add(g, m, t, p);
	v = g->ev->validate(g->owner, &p->id, desc);
	if (m->state != MSG_PENDING || (v == GUTS_GOSSIP_LATER && has_room))
		return GUTS_OK;
	if (v == GUTS_GOSSIP_LATER) {
		gossip_pending_del(g, m);
		guts_idset_remove(&g->seen, m->id); /* another copy may come at a better time */
		return drop(g, GUTS_GOSSIP_DROP_BUSY, GUTS_EBUSY);
	}
	gossip_pending_del(g, m);
	return settle(g, t, m, desc, v);
}

/* A message with a good signature that was not seen before. */
static int
take_new(struct guts_gossip *g, struct gpeer *p, struct gtopic *t, const uint8_t *id,
	 const struct guts_peerid *from, const struct guts_rpc_message *raw)
{
	struct guts_gossip_message desc;
	struct gmsg *m;
	int err;

	gossip_want_done(g, id);
	if (guts_peerid_eq(from, &g->key.id)) {
		guts_idset_put(&g->seen, id, SEEN_OWN, g->now);
		return drop(g, GUTS_GOSSIP_DROP_SELF, GUTS_EEXIST);
	}
	guts_idset_put(&g->seen, id, SEEN_PENDING, g->now);
	m = gossip_msg_new(g, id, raw);
	m->from = *from;
	m->via = p->id;
	gossip_msg_add_sender(m, p);
	if (m->data_n >= g->cfg.idontwant_min)
		gossip_send_idontwant(g, t, m, p);
	describe(&desc, id, from, raw);
	err = judge(g, p, t, m, &desc);
	gossip_msg_unref(m);
	return err;
}

int
gossip_take_message(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_message *raw)
{
	uint8_t id[GUTS_GOSSIP_ID_SIZE];
	struct guts_peerid from;
	struct gtopic *t;
	int err, state;

	if (p->score < g->cfg.threshold.graylist * POINT)
		return drop(g, GUTS_GOSSIP_DROP_GRAYLIST, GUTS_EDENIED);
	t = gossip_topic_find(g, raw->topic);
	if (!t || !t->subscribed) {
		if (g->wants) { /* asked for, then unsubscribed: the promise was kept */
			guts_gossip_message_id(id, raw->topic, raw->data);
			gossip_want_done(g, id);
		}
		return drop(g, GUTS_GOSSIP_DROP_TOPIC, GUTS_ENOTFOUND);
	}
	if (raw->data.n > g->cfg.data_max) {
		gossip_blame(g, p, GUTS_GOSSIP_OVERSIZED, 1, false);
		return drop(g, GUTS_GOSSIP_DROP_OVERSIZED, GUTS_ELIMIT);
	}
	guts_gossip_message_id(id, raw->topic, raw->data);
	state = guts_idset_get(&g->seen, id, g->now);
	if (state < 0 && gossip_msg_find(g, id))
		state = SEEN_ACCEPTED; /* a full seen cache let go of it before the message cache
					  did */
	if (state >= 0)
		return on_duplicate(g, p, t, id, state);

	if (g->ev->allow && !g->ev->allow(g->owner, &p->id))
		return drop(g, GUTS_GOSSIP_DROP_RATE, GUTS_EBUSY);
	err = guts_rpc_message_verify(raw, &from);
	if (err == GUTS_EUNSUPPORTED) {
		gossip_want_done(g, id);
		return drop(g, GUTS_GOSSIP_DROP_UNSUPPORTED, err);
	}
	if (err) {
		gossip_score_invalid(g, p, t);
		gossip_blame(g, p, GUTS_GOSSIP_BAD_SIGNATURE, 1, false);
		return drop(g, GUTS_GOSSIP_DROP_SIGNATURE, err);
	}
	return take_new(g, p, t, id, &from, raw);
}

static int
settle_pending(struct guts_gossip *g, struct gmsg *m, enum guts_gossip_verdict v)
{
	struct gtopic *t = m->topic;
	struct guts_gossip_message desc;
	struct guts_arena arena;
	struct guts_rpc rpc;

	m->refs++;
	gossip_pending_del(g, m);
	guts_arena_init(&arena, VIEW_ARENA_MAX);
	gossip_msg_view(m, &rpc, &arena);
	describe(&desc, m->id, &m->from, &rpc.publish.v[0]);
	settle(g, t, m, &desc, v);
	guts_arena_deinit(&arena);
	gossip_msg_unref(m);
	return GUTS_OK;
}

int
guts_gossip_validated(struct guts_gossip *g, const uint8_t id[GUTS_GOSSIP_ID_SIZE],
		      enum guts_gossip_verdict v, uint64_t now)
{
	struct gmsg *m = gossip_msg_find(g, id);

	assert(v != GUTS_GOSSIP_LATER);
	if (!m || m->state != MSG_PENDING)
		return GUTS_ENOTFOUND;
	gossip_enter(g, now);
	settle_pending(g, m, v);
	gossip_leave(g);
	return GUTS_OK;
}

void
gossip_pending_expire(struct guts_gossip *g)
{
	while (g->pending && g->pending->deadline <= g->now)
		settle_pending(g, g->pending, GUTS_GOSSIP_IGNORE);
}
