/* node/neighbour.c - the /guts/node stream: one per link, opened by the link's dialer.
 *
 *	dialer                         listener
 *	Hello ───────────────────────▶
 *	        ◀─────────────────────── HelloAck (its Hello, or a refusal and the end)
 *	Ping, Pong, Gossip … both ways
 *
 * A peer is up when Hello went both ways: then its repositories are compared with ours, and it may use /guts/sync.
 * Pings carry the inventory digest; whoever would hear another one is told within 300 ms, so a change
 * that gossip did not bring is found at once.
 */
#include "node/internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "wire/varint.h"

#include <stdlib.h>

#define HELLO_NS (10 * GUTS_SECOND_NS)
#define PONG_NS (30 * GUTS_SECOND_NS)

static const char *const protocols[] = { GUTS_NODE_PROTOCOL };
static const char *const capabilities[] = { "sync", "gossipsub" };

struct guts_nodepeer *
guts_neighbour_find(struct guts_node *n, const struct guts_peerid *peer)
{
	struct guts_nodepeer *p;

	HASH_FIND(hh, n->nodepeers, peer, sizeof *peer, p);
	return p;
}

static void
peer_free(struct guts_nodepeer *p)
{
	struct guts_node *n = p->node;

	if (p->is_up && n->sync)
		guts_sync_peer_down(n->sync, &p->id);
	if (p->is_foreign) /* else the address book would have it dialled again and again */
		guts_book_forget(guts_peers_book(n->peers), &p->id);
	HASH_DEL(n->nodepeers, p);
	free(p);
}

/* Close the link, with a reason for the log and the event. */
static void
drop(struct guts_nodepeer *p, const char *reason)
{
	struct guts_node *n = p->node;
	struct guts_peerid id = p->id;

	guts_log_limited(GUTS_LOG_INFO, "node", "peer closed: %s", reason);
	(void)guts_peers_disconnect(n->peers, &id, reason); /* the stream's closed event frees p */
}

static void
send_message(struct guts_nodepeer *p, const struct guts_msg_node *m)
{
	struct guts_buf out;

	guts_buf_init(&out, GUTS_MSG_NODE_MAX + 16);
	if (guts_msg_node_frame(m, &out) || guts_stream_send(p->stream, guts_buf_slice(&out)))
		guts_log_limited(GUTS_LOG_INFO, "node", "a message to a peer was dropped: its queue is full");
	guts_buf_deinit(&out);
}

/* The digest that the peer is told; borrowed until it is told another one. */
static struct guts_slice
inventory(struct guts_nodepeer *p, uint64_t *count)
{
	guts_sync_inventory(p->node->sync, &p->id, p->told, count);
	return guts_slice(p->told, sizeof p->told);
}

static void
fill_hello(struct guts_nodepeer *p, struct guts_msg_hello *h, struct guts_slice caps[2])
{
	struct guts_node *n = p->node;

	for (size_t i = 0; i < 2; i++)
		caps[i] = guts_slice_str(capabilities[i]);
	*h = (struct guts_msg_hello){ .protocol_version = GUTS_PROTOCOL_VERSION, .agent = guts_slice_str(n->agent),
		.network = guts_slice_str(n->network), .capabilities = { caps, 2 }, .has_limits = true };
	h->limits = (struct guts_msg_limits){ GUTS_OBJECT_MAX, n->s.pack_max_bytes, n->s.quota_repo_bytes };
	h->inventory_digest = inventory(p, &h->inventory_count);
}

static void
send_hello(struct guts_nodepeer *p, bool ack)
{
	struct guts_msg_node m = { .has_hello = !ack, .has_hello_ack = ack };
	struct guts_slice caps[2];

	fill_hello(p, ack ? &m.hello_ack.hello : &m.hello, caps);
	m.hello_ack.has_hello = ack;
	send_message(p, &m);
}

static void
refuse(struct guts_nodepeer *p, enum guts_msg_code code, const char *text)
{
	struct guts_msg_node m = { .has_hello_ack = true };

	m.hello_ack.has_refusal = true;
	m.hello_ack.refusal = (struct guts_msg_error){ .code = code, .text = guts_slice_str(text) };
	send_message(p, &m);
	guts_stream_finish(p->stream);
	p->deadline_ns = guts_env_now(p->node->env) + GUTS_SECOND_NS; /* time to read it */
	guts_node_rearm(p->node);
}

static void
take_digest(struct guts_nodepeer *p, struct guts_slice digest)
{
	if (digest.n == 32)
		guts_sync_peer_inventory(p->node->sync, &p->id, digest.p);
}

static uint64_t
ping_interval(struct guts_node *n)
{
	return (uint64_t)n->s.inventory_interval_ms * GUTS_MS_NS;
}

/* Does the Hello fit?  If so the peer is up. */
static bool
take_hello(struct guts_nodepeer *p, const struct guts_msg_hello *h, bool answer)
{
	struct guts_node *n = p->node;

	if (!guts_slice_eq(h->network, guts_slice_str(n->network))) {
		p->is_foreign = true;
		if (answer)
			refuse(p, GUTS_CODE_WRONG_NETWORK, "this node belongs to another network");
		else
			drop(p, "the peer belongs to another network");
		return false;
	}
	if (h->protocol_version < 1) {
		if (answer)
			refuse(p, GUTS_CODE_UNSUPPORTED, "protocol version 1 or later is needed");
		else
			drop(p, "the peer's protocol version is too old");
		return false;
	}
	if (h->has_limits)
		p->limits = h->limits;
	if (answer)
		send_hello(p, true);
	p->is_up = true;
	p->deadline_ns = GUTS_NEVER;
	p->ping_at_ns = guts_env_now(n->env) + ping_interval(n);
	guts_sync_peer_up(n->sync, &p->id);
	take_digest(p, h->inventory_digest);
	guts_snapshot_dirty(n);
	guts_node_rearm(n);
	return true;
}

static void
take_pong(struct guts_nodepeer *p, const struct guts_msg_pong *pong)
{
	if (pong->nonce != p->nonce)
		return;
	p->deadline_ns = GUTS_NEVER;
	take_digest(p, pong->inventory_digest);
}

static void
answer_ping(struct guts_nodepeer *p, const struct guts_msg_ping *ping)
{
	struct guts_msg_node m = { .has_pong = true };
	uint64_t count;

	m.pong = (struct guts_msg_pong){ .nonce = ping->nonce, .inventory_digest = inventory(p, &count) };
	send_message(p, &m);
	take_digest(p, ping->inventory_digest);
}

/* One message; false = the peer is gone or going. */
static bool
take(struct guts_nodepeer *p, const struct guts_msg_node *m)
{
	struct guts_node *n = p->node;

	switch (guts_msg_node_kind(m)) {
	case GUTS_NODE_HELLO:
		if (p->is_dialer || p->is_up)
			break;
		return take_hello(p, &m->hello, true);
	case GUTS_NODE_HELLO_ACK:
		if (!p->is_dialer || p->is_up)
			break;
		if (m->hello_ack.has_refusal || !m->hello_ack.has_hello) {
			char reason[128];

			p->is_foreign = m->hello_ack.refusal.code == GUTS_CODE_WRONG_NETWORK;
			snprintf(reason, sizeof reason, "refused by the peer: %s", guts_msg_code_name(m->hello_ack.refusal.code));
			drop(p, reason);
			return false;
		}
		return take_hello(p, &m->hello_ack.hello, false);
	case GUTS_NODE_PING:
		if (!p->is_up)
			break;
		answer_ping(p, &m->ping);
		return true;
	case GUTS_NODE_PONG:
		take_pong(p, &m->pong);
		return true;
	case GUTS_NODE_GOSSIP:
		if (!p->is_up)
			break;
		guts_pubsub_inject(n, &p->id, &m->gossip);
		return true;
	case GUTS_NODE_NEW_REPOSITORY: /* the direct forms: looked at, not passed on */
	case GUTS_NODE_NEW_COMMIT:
	case GUTS_NODE_NEW_STATUS:
		if (!p->is_up)
			break;
		guts_neighbour_direct(n, p, m);
		return true;
	case GUTS_NODE_ERROR:
	case GUTS_NODE_NONE:
		return true;
	}
	guts_peers_offend(n->peers, &p->id, GUTS_OFFENCE_NODE_ORDER, 1);
	return true;
}

void
guts_neighbour_direct(struct guts_node *n, struct guts_nodepeer *p, const struct guts_msg_node *m)
{
	struct guts_msg_gossip_payload payload = { .has_new_commit = m->has_new_commit, .has_new_status = m->has_new_status,
		.new_commit = m->new_commit, .new_status = m->new_status };
	struct guts_buf out;
	enum guts_verdict v = GUTS_IGNORE;

	guts_buf_init(&out, GUTS_MSG_NODE_MAX);
	if (m->has_new_repository) {
		if (guts_msg_new_repository_encode(&m->new_repository, &out) == GUTS_OK)
			v = guts_sync_new_repository(n->sync, &p->id, guts_buf_slice(&out), 0);
	} else if (guts_msg_gossip_payload_encode(&payload, &out) == GUTS_OK) {
		v = guts_sync_announced(n->sync, &p->id, guts_buf_slice(&out), 0);
	}
	guts_buf_deinit(&out);
	if (v == GUTS_REJECT)
		guts_peers_offend(n->peers, &p->id, GUTS_OFFENCE_NODE_ANNOUNCEMENT, 1);
}

static size_t
on_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct guts_nodepeer *p = owner;
	struct guts_node *n = p->node;
	struct guts_peerid id = p->id;
	size_t used = 0, k;
	struct guts_slice frame;
	int err;

	(void)s;
	while ((err = guts_frame_read(guts_slice(data.p + used, data.n - used), GUTS_MSG_NODE_MAX, &frame, &k)) == GUTS_OK) {
		struct guts_msg_node m;
		struct guts_arena arena;
		bool go_on;

		if (!guts_peers_take(n->peers, &id, GUTS_PEER_NODE_MESSAGES, 1)) {
			used += k; /* over its rate: not looked at */
			continue;
		}
		guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
		err = guts_msg_node_decode(&m, frame, &arena);
		go_on = !err && take(p, &m);
		guts_arena_deinit(&arena);
		if (err)
			break;
		if (!go_on)
			return data.n;
		used += k;
	}
	if (err != GUTS_EAGAIN) {
		guts_peers_offend(n->peers, &id, GUTS_OFFENCE_NODE_UNDECODABLE, 1);
		return data.n;
	}
	return used;
}

static void
on_open(void *owner, struct guts_stream *s, const char *protocol)
{
	(void)owner;
	(void)s;
	(void)protocol;
}

static void
on_eof(void *owner, struct guts_stream *s)
{
	(void)s;
	drop(owner, "the peer ended /guts/node");
}

static void
on_closed(void *owner, struct guts_stream *s, int err)
{
	struct guts_nodepeer *p = owner;

	(void)s;
	(void)err;
	p->stream = NULL;
	peer_free(p);
}

static const struct guts_stream_events stream_events = {
	.open = on_open, .data = on_data, .eof = on_eof, .closed = on_closed,
};

static struct guts_nodepeer *
peer_new(struct guts_node *n, const struct guts_peerid *id, bool is_dialer)
{
	struct guts_nodepeer *p = guts_alloc(sizeof *p);

	p->node = n;
	p->id = *id;
	p->is_dialer = is_dialer;
	p->ping_at_ns = GUTS_NEVER;
	p->deadline_ns = guts_env_now(n->env) + HELLO_NS;
	HASH_ADD(hh, n->nodepeers, id, sizeof p->id, p);
	guts_node_rearm(n);
	return p;
}

/* The dialer of the link opened /guts/node. */
static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	struct guts_node *n = owner;
	struct guts_nodepeer *p;

	(void)proto;
	if (!n->is_ready || n->is_stopping)
		return false;
	p = guts_neighbour_find(n, guts_stream_peer(s));
	if (p) { /* the peer came again before we noticed that its old link is dead */
		if (guts_stream_link(p->stream) == guts_stream_link(s))
			return false;
		guts_stream_reset(p->stream, 0);
		peer_free(p);
	}
	p = peer_new(n, guts_stream_peer(s), false);
	p->stream = s;
	guts_stream_set_events(s, &stream_events, p);
	guts_stream_set_prio(s, GUTS_PRIO_MESSAGE);
	return true;
}

static bool
on_sync_stream(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	struct guts_node *n = owner;
	struct guts_nodepeer *p = guts_neighbour_find(n, guts_stream_peer(s));

	(void)proto;
	if (!p || !p->is_up || n->is_stopping)
		return false;
	guts_sync_serve(n->sync, &p->id, s);
	return true;
}

void
guts_neighbour_register(struct guts_node *n)
{
	const struct guts_protocol node = { .id = GUTS_NODE_PROTOCOL, .inbound_max = 1, .prio = GUTS_PRIO_MESSAGE,
		.on_stream = on_stream, .owner = n };
	const struct guts_protocol sync = { .id = GUTS_SYNC_PROTOCOL, .inbound_max = 8, .prio = GUTS_PRIO_BULK,
		.on_stream = on_sync_stream, .owner = n };

	n->protocols[0] = node;
	n->protocols[1] = sync;
	(void)guts_peers_handle(n->peers, &n->protocols[0]);
	(void)guts_peers_handle(n->peers, &n->protocols[1]);
}

void
guts_neighbour_identified(struct guts_node *n, const struct guts_peerid *peer)
{
	struct guts_peer_state st;
	struct guts_nodepeer *p;

	if (guts_peers_state(n->peers, peer, &st) || st.inbound || guts_neighbour_find(n, peer) || n->is_stopping ||
	    !guts_peers_speaks(n->peers, peer, GUTS_NODE_PROTOCOL))
		return;
	p = peer_new(n, peer, true);
	if (guts_peers_open_stream(n->peers, peer, protocols, 1, &stream_events, p, &p->stream)) {
		p->stream = NULL;
		peer_free(p);
		return;
	}
	send_hello(p, false);
}

void
guts_neighbour_gone(struct guts_node *n, const struct guts_peerid *peer)
{
	struct guts_nodepeer *p = guts_neighbour_find(n, peer);

	if (p && !p->stream) /* with a stream it belongs to the link that takes over */
		peer_free(p);
}

static void
ping(struct guts_nodepeer *p, uint64_t now)
{
	struct guts_node *n = p->node;
	struct guts_msg_node m = { .has_ping = true };
	uint64_t count;

	guts_env_random(n->env, &p->nonce, sizeof p->nonce);
	m.ping = (struct guts_msg_ping){ .nonce = p->nonce, .inventory_digest = inventory(p, &count),
		.time_ms = guts_env_wall(n->env) / GUTS_MS_NS };
	send_message(p, &m);
	p->ping_at_ns = now + ping_interval(n);
	if (p->deadline_ns == GUTS_NEVER)
		p->deadline_ns = now + PONG_NS;
}

void
guts_neighbour_digest_changed(struct guts_node *n)
{
	if (n->digest_at_ns != GUTS_NEVER)
		return;
	n->digest_at_ns = guts_env_now(n->env) + GUTS_DIGEST_NS;
	guts_node_rearm(n);
}

/* Would the peer hear another digest than last time?  What happens in a repository that it may not know of is not told it
 * by a ping out of turn either. */
static bool
has_news(struct guts_nodepeer *p)
{
	uint8_t digest[32];
	uint64_t count;

	guts_sync_inventory(p->node->sync, &p->id, digest, &count);
	return memcmp(digest, p->told, sizeof digest) != 0;
}

uint64_t
guts_neighbour_tick(struct guts_node *n, uint64_t now)
{
	struct guts_nodepeer *p, *tmp;
	uint64_t at = GUTS_NEVER;
	bool tell = n->digest_at_ns <= now;

	if (tell)
		n->digest_at_ns = GUTS_NEVER;
	HASH_ITER (hh, n->nodepeers, p, tmp) {
		if (p->deadline_ns <= now) {
			drop(p, p->is_up ? "no answer to a ping on /guts/node" : "no Hello in time");
			continue;
		}
		if (p->is_up && (p->ping_at_ns <= now || (tell && has_news(p))))
			ping(p, now);
		if (p->ping_at_ns < at)
			at = p->ping_at_ns;
		if (p->deadline_ns < at)
			at = p->deadline_ns;
	}
	return n->digest_at_ns < at ? n->digest_at_ns : at;
}

int
guts_neighbour_send_gossip(struct guts_node *n, const struct guts_peerid *peer, const struct guts_msg_gossip *g)
{
	struct guts_nodepeer *p = guts_neighbour_find(n, peer);
	struct guts_msg_node m = { .has_gossip = true, .gossip = *g };

	if (!p || !p->is_up)
		return GUTS_ENOTFOUND;
	send_message(p, &m);
	return GUTS_OK;
}

void
guts_neighbours_stop(struct guts_node *n)
{
	struct guts_nodepeer *p, *tmp;

	HASH_ITER (hh, n->nodepeers, p, tmp) {
		if (p->stream)
			guts_stream_reset(p->stream, 0);
		peer_free(p);
	}
}
