/* node/pubsub.c - gossipsub on streams.
 *
 * The protocol object (gossip/) knows bytes and peers; here it gets its streams: one to write, opened by us, one to
 * read, opened by the peer.  Verdicts come from sync (repositories) and topics.c (users' topics); one that comes
 * later is found by its ticket.
 */
#include "node/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

/* The streams of one peer. */
struct pubsub_peer {
	struct guts_pubsub *ps;
	struct guts_peerid id;
	struct guts_stream *in, *out;
	UT_hash_handle hh;
};

/* A verdict that sync owes. */
struct pubsub_ticket {
	uint64_t number;
	uint8_t id[GUTS_GOSSIP_ID_SIZE];
	UT_hash_handle hh;
};

struct guts_pubsub {
	struct guts_node *node;
	struct guts_gossip *gossip;
	struct pubsub_peer *peers;
	struct pubsub_ticket *tickets;
	uint64_t ticket_number;
	struct guts_protocol protocols[3];
	char topic_new[GUTS_TOPIC_TEXT_MAX];
};

static const char *const names[3] = { GUTS_MESHSUB_12, GUTS_MESHSUB_11, GUTS_MESHSUB_10 };
static const enum guts_gossip_door doors[3] = { GUTS_GOSSIP_MESHSUB_12, GUTS_GOSSIP_MESHSUB_11, GUTS_GOSSIP_MESHSUB_10 };

static void
arm(struct guts_pubsub *ps)
{
	guts_env_timer_set(ps->node->env, &ps->node->gossip_timer, guts_gossip_deadline(ps->gossip));
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct guts_pubsub *ps = owner;

	(void)t;
	guts_gossip_tick(ps->gossip, guts_env_now(ps->node->env));
	arm(ps);
}

static struct pubsub_peer *
peer_find(struct guts_pubsub *ps, const struct guts_peerid *id)
{
	struct pubsub_peer *p;

	HASH_FIND(hh, ps->peers, id, sizeof *id, p);
	return p;
}

static struct pubsub_peer *
peer_get(struct guts_pubsub *ps, const struct guts_peerid *id)
{
	struct pubsub_peer *p = peer_find(ps, id);

	if (p)
		return p;
	p = guts_alloc(sizeof *p);
	p->ps = ps;
	p->id = *id;
	HASH_ADD(hh, ps->peers, id, sizeof p->id, p);
	return p;
}

/* -- streams ------------------------------------------------------------------------------------- */

static size_t
in_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct pubsub_peer *p = owner;
	struct guts_pubsub *ps = p->ps;

	if (guts_gossip_recv(ps->gossip, &p->id, data, guts_env_now(ps->node->env))) {
		guts_stream_reset(s, 0);
		p->in = NULL;
		guts_gossip_in_reset(ps->gossip, &p->id);
	}
	arm(ps);
	return data.n;
}

static void
in_eof(void *owner, struct guts_stream *s)
{
	struct pubsub_peer *p = owner;

	guts_stream_reset(s, 0);
	p->in = NULL;
	guts_gossip_in_reset(p->ps->gossip, &p->id);
}

static void
in_closed(void *owner, struct guts_stream *s, int err)
{
	struct pubsub_peer *p = owner;

	(void)err;
	if (p->in != s)
		return;
	p->in = NULL;
	guts_gossip_in_reset(p->ps->gossip, &p->id);
}

static const struct guts_stream_events in_events = { .data = in_data, .eof = in_eof, .closed = in_closed };

static size_t
out_pull(void *owner, struct guts_stream *s, uint8_t *out, size_t max)
{
	struct pubsub_peer *p = owner;

	(void)s;
	return guts_gossip_pull(p->ps->gossip, &p->id, out, max);
}

static size_t
out_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	(void)owner;
	(void)s;
	return data.n; /* nothing is said on our own stream */
}

static void
out_closed(void *owner, struct guts_stream *s, int err)
{
	struct pubsub_peer *p = owner;
	struct guts_pubsub *ps = p->ps;

	(void)s;
	(void)err;
	p->out = NULL;
	guts_gossip_peer_remove(ps->gossip, &p->id, guts_env_now(ps->node->env));
	arm(ps);
}

static const struct guts_stream_events out_events = { .data = out_data, .pull = out_pull, .closed = out_closed };

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	struct guts_pubsub *ps = owner;
	struct pubsub_peer *p = peer_get(ps, guts_stream_peer(s));

	(void)proto;
	if (p->in) { /* a new one replaces the old */
		guts_stream_reset(p->in, 0);
		guts_gossip_in_reset(ps->gossip, &p->id);
	}
	p->in = s;
	guts_stream_set_events(s, &in_events, p);
	guts_pubsub_identified(ps->node, &p->id);
	guts_stream_pause(s, !p->out); /* its bytes wait until gossip knows the peer */
	return true;
}

/* Peers behind one address share P6 of the score; 0 = at home, where many may be behind one. */
static uint64_t
group_of(const struct guts_maddr *m)
{
	uint8_t hash[32];
	struct guts_slice host;
	uint64_t group;
	size_t pos = 0;
	uint32_t code;

	if (guts_maddr_is_private(m) || !guts_maddr_next(m, &pos, &code, &host))
		return 0;
	guts_sha256(hash, guts_slice(host.p, host.n < 8 ? host.n : 8)); /* of IPv6 its network */
	memcpy(&group, hash, sizeof group);
	return group;
}

void
guts_pubsub_identified(struct guts_node *n, const struct guts_peerid *id)
{
	struct guts_pubsub *ps = n->pubsub;
	struct guts_peer_state *st = guts_alloc(sizeof *st);
	struct pubsub_peer *p;
	size_t i = 0;

	if (guts_peers_state(n->peers, id, st) || !n->is_ready)
		goto out;
	while (i < 3 && !guts_peers_speaks(n->peers, id, names[i]))
		i++;
	if (i == 3) {
		if (st->speaks_guts && st->identified)
			(void)guts_gossip_peer_add(ps->gossip, id, !st->inbound, GUTS_GOSSIP_NODE_DOOR, guts_env_now(n->env));
		goto out;
	}
	p = peer_get(ps, id);
	if (p->out)
		goto out;
	(void)guts_gossip_peer_add(ps->gossip, id, !st->inbound, doors[i], guts_env_now(n->env));
	guts_gossip_peer_group(ps->gossip, id, group_of(&st->remote));
	if (guts_peers_open_stream(n->peers, id, &names[i], 1, &out_events, p, &p->out)) {
		p->out = NULL;
		guts_gossip_peer_remove(ps->gossip, id, guts_env_now(n->env));
	} else {
		guts_stream_set_prio(p->out, GUTS_PRIO_MESSAGE);
		guts_stream_want_write(p->out);
		if (p->in)
			guts_stream_pause(p->in, false);
	}
	arm(ps);
out:
	free(st);
}

void
guts_pubsub_gone(struct guts_node *n, const struct guts_peerid *id)
{
	struct guts_pubsub *ps = n->pubsub;
	struct pubsub_peer *p = peer_find(ps, id);

	guts_gossip_peer_remove(ps->gossip, id, guts_env_now(n->env));
	if (p && p->in) { /* on the link that takes over: it waits until the peer is identified there */
		guts_stream_pause(p->in, true);
	} else if (p) {
		HASH_DEL(ps->peers, p);
		free(p);
	}
	arm(ps);
}

/* -- what the protocol object asks ------------------------------------------------------------------ */

static enum guts_gossip_verdict
to_gossip(enum guts_verdict v)
{
	switch (v) {
	case GUTS_ACCEPT:
		return GUTS_GOSSIP_ACCEPT;
	case GUTS_REJECT:
		return GUTS_GOSSIP_REJECT;
	case GUTS_LATER:
		return GUTS_GOSSIP_LATER;
	case GUTS_IGNORE:
		break;
	}
	return GUTS_GOSSIP_IGNORE;
}

static enum guts_gossip_verdict
on_validate(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct guts_pubsub *ps = owner;
	struct guts_node *n = ps->node;
	struct pubsub_ticket *t;
	enum guts_verdict v;

	if (guts_topics_has(n, m->topic))
		return to_gossip(guts_topics_heard(n, m->topic, &m->from, m->data, m->id));
	if (guts_slice_eq(m->topic, guts_slice_str(ps->topic_new)))
		v = guts_sync_new_repository(n->sync, peer, m->data, ++ps->ticket_number);
	else
		v = guts_sync_announced(n->sync, peer, m->data, ++ps->ticket_number);
	if (v == GUTS_LATER) {
		t = guts_alloc(sizeof *t);
		t->number = ps->ticket_number;
		memcpy(t->id, m->id, sizeof t->id);
		HASH_ADD(hh, ps->tickets, number, sizeof t->number, t);
	}
	return to_gossip(v);
}

void
guts_pubsub_verdict(struct guts_node *n, uint64_t ticket, enum guts_verdict v)
{
	struct guts_pubsub *ps = n->pubsub;
	struct pubsub_ticket *t;

	HASH_FIND(hh, ps->tickets, &ticket, sizeof ticket, t);
	if (!t)
		return;
	HASH_DEL(ps->tickets, t);
	(void)guts_gossip_validated(ps->gossip, t->id, to_gossip(v), guts_env_now(n->env));
	free(t);
	arm(ps);
}

static void
on_wants_write(void *owner, const struct guts_peerid *peer)
{
	struct guts_pubsub *ps = owner;
	struct pubsub_peer *p = peer_find(ps, peer);

	if (p && p->out)
		guts_stream_want_write(p->out);
}

static void
on_deliver(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct guts_pubsub *ps = owner;

	(void)m;
	guts_peers_useful(ps->node->peers, peer);
}

static void
on_forward(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct guts_pubsub *ps = owner;
	struct guts_msg_gossip g = { .topic = m->raw->topic, .data = m->raw->data, .from = m->raw->from,
		.seqno = m->raw->seqno, .signature = m->raw->signature, .key = m->raw->key };

	(void)guts_neighbour_send_gossip(ps->node, peer, &g);
}

static void
on_offence(void *owner, const struct guts_peerid *peer, enum guts_gossip_offence what, unsigned count)
{
	guts_offence_gossip(((struct guts_pubsub *)owner)->node, peer, what, count);
}

static int
on_score(void *owner, const struct guts_peerid *peer)
{
	struct guts_pubsub *ps = owner;
	struct guts_peer_state *st = guts_alloc(sizeof *st);
	int score = guts_peers_state(ps->node->peers, peer, st) ? 0 : st->score;

	free(st);
	return score;
}

static bool
on_allow(void *owner, const struct guts_peerid *peer)
{
	struct guts_pubsub *ps = owner;

	return guts_peers_take(ps->node->peers, peer, GUTS_PEER_GOSSIP, 1);
}

static int
on_px_record(void *owner, const struct guts_peerid *peer, struct guts_buf *out)
{
	struct guts_pubsub *ps = owner;

	return guts_peers_record(ps->node->peers, peer, out);
}

/* Its addresses are worth knowing; a link only while there are few.  Nobody from elsewhere sends us to our own machine. */
static void
on_px_connect(void *owner, const struct guts_peerid *via, const struct guts_peerrecord *r, struct guts_slice signed_record)
{
	struct guts_pubsub *ps = owner;
	struct guts_node *n = ps->node;
	struct guts_peer_state *st = guts_alloc(sizeof *st);
	bool near = guts_peers_state(n->peers, via, st) == GUTS_OK && guts_maddr_is_loopback(&st->remote);

	(void)signed_record;
	for (size_t i = 0; i < r->naddrs; i++) {
		struct guts_maddr m = r->addrs[i];

		guts_maddr_strip_peer(&m);
		if (m.n > 0 && (near || !guts_maddr_is_loopback(&m)))
			(void)guts_peers_learn(n->peers, &r->peer, &m, GUTS_BOOK_SIGNED, via);
	}
	free(st);
	if (guts_peers_count(n->peers) < n->s.max_connections / 2)
		(void)guts_peers_connect_id(n->peers, &r->peer);
}

static const struct guts_gossip_events gossip_events = {
	.allow = on_allow, .validate = on_validate, .deliver = on_deliver, .wants_write = on_wants_write,
	.forward = on_forward, .offence = on_offence, .px_record = on_px_record, .px_connect = on_px_connect,
	.score = on_score,
};

/* -- topics and messages ------------------------------------------------------------------------------ */

void
guts_pubsub_topic(struct guts_node *n, const char *topic, bool on)
{
	struct guts_pubsub *ps = n->pubsub;
	uint64_t now = guts_env_now(n->env);

	if (on)
		(void)guts_gossip_subscribe(ps->gossip, guts_slice_str(topic), now);
	else
		(void)guts_gossip_unsubscribe(ps->gossip, guts_slice_str(topic), now);
	arm(ps);
}

void
guts_pubsub_expect(struct guts_node *n, const char *topic, unsigned deliveries)
{
	(void)guts_gossip_expect(n->pubsub->gossip, guts_slice_str(topic), deliveries);
}

int
guts_pubsub_publish(struct guts_node *n, const char *topic, struct guts_slice data, uint8_t id[32])
{
	struct guts_pubsub *ps = n->pubsub;
	int err = guts_gossip_publish(ps->gossip, guts_slice_str(topic), data, guts_env_wall(n->env), guts_env_now(n->env), id);

	arm(ps);
	return err;
}

void
guts_pubsub_inject(struct guts_node *n, const struct guts_peerid *from, const struct guts_msg_gossip *g)
{
	struct guts_pubsub *ps = n->pubsub;
	struct guts_rpc_message m = { .from = g->from, .data = g->data, .seqno = g->seqno, .topic = g->topic,
		.signature = g->signature, .key = g->key };

	m.has_from = g->from.n > 0;
	m.has_data = g->data.n > 0;
	m.has_seqno = g->seqno.n > 0;
	m.has_topic = g->topic.n > 0;
	m.has_signature = g->signature.n > 0;
	m.has_key = g->key.n > 0;
	(void)guts_gossip_inject(ps->gossip, from, &m, guts_env_now(n->env));
	arm(ps);
}

/* -- life ------------------------------------------------------------------------------------------------ */

void
guts_pubsub_new(struct guts_node *n)
{
	struct guts_pubsub *ps = guts_alloc(sizeof *ps);
	uint64_t seed;

	ps->node = n;
	guts_topic_new(ps->topic_new, n->network);
	guts_env_random(n->env, &seed, sizeof seed);
	ps->gossip = guts_gossip_new(NULL, &n->s.key, seed, &gossip_events, ps, guts_env_now(n->env));
	n->gossip_timer = (struct guts_timer){ .fire = on_timer, .owner = ps };
	n->pubsub = ps;
}

struct guts_gossip *
guts_pubsub_gossip(struct guts_node *n)
{
	return n->pubsub->gossip;
}

void
guts_pubsub_register(struct guts_node *n)
{
	struct guts_pubsub *ps = n->pubsub;

	for (size_t i = 0; i < 3; i++) {
		ps->protocols[i] = (struct guts_protocol){ .id = names[i], .inbound_max = 2, .prio = GUTS_PRIO_MESSAGE,
			.on_stream = on_stream, .owner = ps };
		(void)guts_peers_handle(n->peers, &ps->protocols[i]);
	}
	guts_pubsub_topic(n, ps->topic_new, true);
}

void
guts_pubsub_stop(struct guts_node *n)
{
	struct pubsub_peer *p, *tmp;

	guts_env_timer_clear(n->env, &n->gossip_timer);
	HASH_ITER (hh, n->pubsub->peers, p, tmp) {
		if (p->in)
			guts_stream_reset(p->in, 0);
		if (p->out)
			guts_stream_reset(p->out, 0);
		HASH_DEL(n->pubsub->peers, p);
		free(p);
	}
}

void
guts_pubsub_free(struct guts_node *n)
{
	struct guts_pubsub *ps = n->pubsub;
	struct pubsub_ticket *t, *ttmp;

	guts_gossip_free(ps->gossip);
	HASH_ITER (hh, ps->tickets, t, ttmp) {
		HASH_DEL(ps->tickets, t);
		free(t);
	}
	free(ps);
	n->pubsub = NULL;
}
