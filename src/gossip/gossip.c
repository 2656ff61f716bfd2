/* gossip/gossip.c - the object: peers come and go, bytes in, time.
 *
 * Every call from outside is bracketed by enter and leave.  What must not happen while lists are
 * being walked waits for the outermost leave: peers removed from a callback, topics nobody wants,
 * and then, outside of everything, wants_write.
 *
 * A peer that disconnects is remembered while it has a back-off to honour or something bad on its
 * account, so that reconnecting clears neither.
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"
#include "wire/varint.h"

#include <assert.h>
#include <stdlib.h>

#define SCRATCH_MAX   (2 * GUTS_MESSAGE_MAX)
#define RPC_ARENA_MAX (8u << 20) /* [bytes] lists of one decoded RPC */
#define SECOND        UINT64_C(1000000000)

static void
default_u(unsigned *v, unsigned value)
{
	if (*v == 0)
		*v = value;
}

static void
default_n(size_t *v, size_t value)
{
	if (*v == 0)
		*v = value;
}

static void
default_t(uint64_t *v, uint64_t value)
{
	if (*v == 0)
		*v = value;
}

static void
fill_config(struct guts_gossip_config *c)
{
	default_u(&c->d, 6);
	default_u(&c->d_lo, 5);
	default_u(&c->d_hi, 12);
	default_u(&c->d_lazy, 6);
	default_u(&c->d_score, 4);
	default_u(&c->d_out, 2);
	default_u(&c->d_whole, 3);
	default_t(&c->heartbeat_ns, SECOND);
	default_u(&c->history_gossip, 3);
	default_u(&c->history_length, 60);
	default_t(&c->seen_ttl_ns, 120 * SECOND);
	default_n(&c->seen_max, 1u << 17);
	default_n(&c->cache_bytes_max, 6u << 20);
	default_t(&c->fanout_ttl_ns, 60 * SECOND);
	default_t(&c->prune_backoff_ns, 60 * SECOND);
	default_t(&c->unsubscribe_backoff_ns, 10 * SECOND);
	default_t(&c->promise_ns, 3 * SECOND);
	default_u(&c->ihave_ids_max, GUTS_RPC_IDS_MAX);
	default_u(&c->ihave_rpcs_max, 10);
	default_u(&c->iwant_ids_max, GUTS_RPC_IDS_MAX);
	default_u(&c->retransmit_max, 3);
	default_u(&c->control_max, 20000);
	default_u(&c->px_peers_max, 16);
	default_n(&c->topics_per_peer_max, 4096);
	default_n(&c->foreign_topics_max, 32768);
	default_n(&c->subscriptions_max, 16384);
	default_n(&c->data_max, GUTS_GOSSIP_DATA_MAX);
	default_n(&c->rpc_send_max, GUTS_GOSSIP_RPC_MAX);
	default_n(&c->rpc_recv_max, GUTS_MESSAGE_MAX);
	default_n(&c->queue_bytes_max, 256u << 10);
	default_n(&c->pending_max, 4096);
	default_n(&c->pending_bytes_max, 2u << 20);
	default_t(&c->pending_ns, 60 * SECOND);
	default_n(&c->wants_max, 16384);
	default_n(&c->idontwant_min, 1024);
	default_n(&c->idontwant_max, 1024);
	if (c->threshold.gossip == 0)
		c->threshold.gossip = -10;
	if (c->threshold.publish == 0)
		c->threshold.publish = -50;
	if (c->threshold.graylist == 0)
		c->threshold.graylist = -80;
	if (c->threshold.accept_px == 0)
		c->threshold.accept_px = 5;
	if (c->threshold.opportunistic == 0)
		c->threshold.opportunistic = 2;
	default_t(&c->delivery_ns, SECOND);
	assert(c->d_lo <= c->d && c->d <= c->d_hi && c->d_score <= c->d && c->d_out <= c->d);
	assert(c->data_max <= GUTS_GOSSIP_DATA_MAX && c->px_peers_max <= GUTS_RPC_PX_MAX);
	/* The largest entry of ours, a message or PIECE_IDS_MAX ids, must fit one RPC. */
	assert(c->rpc_send_max >= GUTS_GOSSIP_DATA_MAX + 8192);
}

struct guts_gossip *
guts_gossip_new(const struct guts_gossip_config *cfg, const struct guts_key *key, uint64_t seed,
		const struct guts_gossip_events *ev, void *owner, uint64_t now)
{
	struct guts_gossip *g = guts_alloc(sizeof *g);
	uint64_t salt0, salt1;

	if (cfg)
		g->cfg = *cfg;
	fill_config(&g->cfg);
	g->key = *key;
	g->ev = ev;
	g->owner = owner;
	g->now = now;
	guts_rng_seed(&g->rng, seed);
	salt0 = guts_rng_u64(&g->rng);
	salt1 = guts_rng_u64(&g->rng);
	guts_idset_init(&g->seen, g->cfg.seen_max, g->cfg.seen_ttl_ns, salt0, salt1);
	guts_buf_init(&g->scratch, SCRATCH_MAX);
	/* Nodes started together do not beat together. */
	g->next_beat =
		now + g->cfg.heartbeat_ns / 10 + guts_rng_below(&g->rng, g->cfg.heartbeat_ns);
	g->quick_at = UINT64_MAX;
	return g;
}

/* --- the bracket --------------------------------------------------------- */

static void part(struct guts_gossip *g, struct gpeer *p);

void
gossip_enter(struct guts_gossip *g, uint64_t now)
{
	g->depth++;
	if (now > g->now)
		g->now = now;
}

void
gossip_leave(struct guts_gossip *g)
{
	struct gpeer *p, *tmp;

	assert(g->depth > 0);
	if (g->depth > 1) {
		g->depth--;
		return;
	}
	if (g->n_removed > 0) {
		DL_FOREACH_SAFE (g->connected, p, tmp)
			if (p->removed)
				part(g, p);
		g->n_removed = 0;
	}
	gossip_topic_collect(g);
	g->depth = 0;
	while ((p = g->wakes)) {
		struct guts_peerid id = p->id;

		DL_DELETE2(g->wakes, p, wprev, wnext);
		p->waking = false;
		p->has_output = true;
		if (g->ev->wants_write)
			g->ev->wants_write(g->owner, &id);
	}
}

void
gossip_blame(struct guts_gossip *g, struct gpeer *p, enum guts_gossip_offence what, unsigned count,
	     bool once)
{
	uint32_t bit = UINT32_C(1) << what;

	if (once && (p->blamed & bit))
		return;
	p->blamed |= bit;
	g->stats.offences[what] += count;
	if (g->ev->offence && !p->removed)
		g->ev->offence(g->owner, &p->id, what, count);
}

/* --- peers --------------------------------------------------------------- */

static struct gpeer *
peer_find(const struct guts_gossip *g, const struct guts_peerid *id)
{
	struct gpeer *p;

	HASH_FIND(hh, g->peers, id, sizeof *id, p);
	return p;
}

static struct gpeer *
peer_connected(const struct guts_gossip *g, const struct guts_peerid *id)
{
	struct gpeer *p = peer_find(g, id);

	return p && p->connected && !p->removed ? p : NULL;
}

struct gpeer *
gossip_peer_by_serial(struct guts_gossip *g, uint32_t serial)
{
	struct gpeer *p;

	DL_FOREACH (g->connected, p)
		if (p->serial == serial)
			return p;
	return NULL;
}

static void
peer_free(struct guts_gossip *g, struct gpeer *p)
{
	while (p->links)
		gossip_link_free(g, p->links);
	if (p->connected) {
		DL_DELETE(g->connected, p);
		g->n_connected--;
	} else {
		DL_DELETE(g->gone, p);
		g->n_gone--;
	}
	HASH_DEL(g->peers, p);
	free(p);
}

static void
group_count(struct guts_gossip *g, uint64_t group)
{
	struct gpeer *p;
	size_t n = 0;

	if (group == 0)
		return;
	DL_FOREACH (g->connected, p)
		n += p->group == group;
	DL_FOREACH (g->connected, p)
		if (p->group == group)
			p->group_peers = n;
}

static void
in_reset(struct guts_gossip *g, struct gpeer *p)
{
	if (p->is_big)
		g->big_bytes -= p->frame_n;
	p->is_big = false;
	p->frame_n = 0;
	guts_buf_deinit(&p->in);
}

/* Links without back-off go with the connection. */
static void
lose_links(struct guts_gossip *g, struct gpeer *p)
{
	struct glink *l, *tmp;

	DL_FOREACH_SAFE2 (p->links, l, tmp, pnext)
		if (l->subscribed)
			gossip_link_subscribe(g, l, false);
}

static void
part(struct guts_gossip *g, struct gpeer *p)
{
	uint64_t group = p->group;

	lose_links(g, p);
	gossip_queue_clear(g, p);
	in_reset(g, p);
	guts_idset_deinit(&p->unwanted);
	if (p->door == GUTS_GOSSIP_NODE_DOOR)
		g->n_node_door--;
	p->connected = p->removed = false;
	p->group = 0;
	p->group_peers = 0;
	p->gone_at = g->now;
	DL_DELETE(g->connected, p);
	g->n_connected--;
	DL_APPEND(g->gone, p);
	g->n_gone++;
	group_count(g, group);
	gossip_score_update(g, p);
	if (!p->links && gossip_score_is_clean(p))
		peer_free(g, p);
	while (g->n_gone > GONE_PEERS_MAX)
		peer_free(g, g->gone);
}

static void
sweep_gone(struct guts_gossip *g)
{
	struct gpeer *p, *tmp;

	DL_FOREACH_SAFE (g->gone, p, tmp) {
		bool clean = gossip_score_fade(g, p) || g->now >= p->gone_at + GONE_NS;

		if (clean && !p->links)
			peer_free(g, p);
	}
}

static struct gpeer *
admit(struct guts_gossip *g, struct gpeer *p, const struct guts_peerid *id)
{
	if (p) {
		DL_DELETE(g->gone, p);
		g->n_gone--;
	} else {
		p = guts_alloc(sizeof *p);
		p->id = *id;
		HASH_ADD(hh, g->peers, id, sizeof p->id, p);
	}
	p->connected = true;
	p->serial = ++g->last_serial;
	p->n_wants = p->n_pending = 0;
	p->broken = 0;
	p->heard_at = g->now;
	p->heard_beat = g->beat;
	p->door = GUTS_GOSSIP_NODE_DOOR;
	g->n_node_door++;
	guts_buf_init(&p->in, g->cfg.rpc_recv_max + GUTS_UVARINT_MAX_SIZE);
	guts_idset_init(&p->unwanted, g->cfg.idontwant_max, 3 * g->cfg.heartbeat_ns,
			g->seen.salt[0], g->seen.salt[1]);
	DL_APPEND(g->connected, p);
	g->n_connected++;
	gossip_score_update(g, p);
	return p;
}

int
guts_gossip_peer_add(struct guts_gossip *g, const struct guts_peerid *peer, bool outbound,
		     enum guts_gossip_door door, uint64_t now)
{
	struct gpeer *p;
	bool had_mesh;

	assert(g->depth == 0);
	if (peer->n == 0 || guts_peerid_eq(peer, &g->key.id))
		return GUTS_EINVAL;
	gossip_enter(g, now);
	p = peer_find(g, peer);
	if (!p || !p->connected)
		p = admit(g, p, peer);
	p->outbound = outbound;
	had_mesh = p->door != GUTS_GOSSIP_NODE_DOOR;
	if (had_mesh && door == GUTS_GOSSIP_NODE_DOOR) {
		lose_links(g, p);
		gossip_queue_clear(g, p);
		in_reset(g, p);
		g->n_node_door++;
	} else if (!had_mesh && door != GUTS_GOSSIP_NODE_DOOR) {
		g->n_node_door--;
	}
	p->door = door;
	if (!had_mesh && door != GUTS_GOSSIP_NODE_DOOR)
		gossip_announce_all(g, p);
	gossip_leave(g);
	return GUTS_OK;
}

void
guts_gossip_peer_group(struct guts_gossip *g, const struct guts_peerid *peer, uint64_t group)
{
	struct gpeer *p = peer_connected(g, peer);
	uint64_t old;

	if (!p || p->group == group)
		return;
	old = p->group;
	p->group = group;
	p->group_peers = 0;
	group_count(g, old);
	group_count(g, group);
}

void
guts_gossip_peer_remove(struct guts_gossip *g, const struct guts_peerid *peer, uint64_t now)
{
	struct gpeer *p = peer_connected(g, peer);

	if (!p)
		return;
	gossip_enter(g, now);
	p->removed = true;
	g->n_removed++;
	gossip_leave(g);
}

void
guts_gossip_in_reset(struct guts_gossip *g, const struct guts_peerid *peer)
{
	struct gpeer *p = peer_connected(g, peer);

	assert(g->depth == 0);
	if (p)
		in_reset(g, p);
}

void
guts_gossip_out_reset(struct guts_gossip *g, const struct guts_peerid *peer, uint64_t now)
{
	struct gpeer *p = peer_connected(g, peer);
	struct glink *l;

	assert(g->depth == 0);
	if (!p)
		return;
	gossip_enter(g, now);
	gossip_queue_clear(g, p);
	gossip_owe_all(p, 0);
	gossip_announce_all(g, p);
	DL_FOREACH2 (p->links, l, pnext)
		if (l->mesh)
			gossip_send_graft(g, l);
	gossip_leave(g);
}

/* --- bytes in ------------------------------------------------------------ */

static size_t
count_entries(const struct guts_rpc *rpc)
{
	const struct guts_rpc_control *c = &rpc->control;
	size_t n = rpc->publish.n == 0; /* a frame without anything in it counts, too */

	n += rpc->subs.n + c->graft.n + c->prune.n + c->ihave.n + c->iwant.n + c->idontwant.n;
	for (size_t i = 0; i < c->idontwant.n; i++)
		n += c->idontwant.v[i].ids.n;
	return n;
}

static void
on_rpc(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc *rpc)
{
	size_t n = count_entries(rpc);

	g->stats.rpcs_received++;
	if (p->score < g->cfg.threshold.graylist * POINT) {
		g->stats.dropped[GUTS_GOSSIP_DROP_GRAYLIST] += rpc->publish.n;
		return;
	}
	if (p->control_entries + n > g->cfg.control_max) {
		gossip_blame(g, p, GUTS_GOSSIP_CONTROL_FLOOD, 1, true);
		return;
	}
	p->control_entries += (unsigned)n;
	gossip_on_subscriptions(g, p, rpc);
	for (size_t i = 0; i < rpc->publish.n && !p->removed; i++)
		gossip_take_message(g, p, &rpc->publish.v[i]);
	if (rpc->has_control && !p->removed)
		gossip_on_control(g, p, &rpc->control);
}

static int
on_frame(struct guts_gossip *g, struct gpeer *p, struct guts_slice frame)
{
	struct guts_arena arena;
	struct guts_rpc rpc;
	int err;

	guts_arena_init(&arena, RPC_ARENA_MAX);
	err = guts_pb_decode(&guts_rpc_desc, frame, &rpc, &arena);
	if (!err)
		on_rpc(g, p, &rpc);
	guts_arena_deinit(&arena);
	if (err != GUTS_ELIMIT)
		return err;
	/* A frame with a field over its cap is skipped: its end is known, the next one may be fine.
	 */
	gossip_blame(g, p, GUTS_GOSSIP_OVERSIZED, 1, false);
	return GUTS_OK;
}

/* The head of the frame in p->in is complete: how long is it in all? */
static int
begin_frame(struct guts_gossip *g, struct gpeer *p)
{
	uint64_t length;
	size_t n;
	int err = guts_uvarint_read(guts_buf_slice(&p->in), &length, &n);

	if (err)
		return err;
	if (length > g->cfg.rpc_recv_max)
		return GUTS_ELIMIT;
	p->frame_n = n + (size_t)length;
	if (length <= g->cfg.rpc_send_max)
		return GUTS_OK;
	/* What everybody has to take is always taken; more only while memory is there. */
	if (g->big_bytes + p->frame_n > BIG_FRAMES_MAX)
		return GUTS_EBUSY;
	p->is_big = true;
	g->big_bytes += p->frame_n;
	return GUTS_OK;
}

/* Collect a frame that came in pieces; *bytes moves on. */
static int
collect(struct guts_gossip *g, struct gpeer *p, struct guts_slice *bytes)
{
	struct guts_slice frame;
	size_t n, take = 1;
	int err, whole;

	if (p->frame_n > 0)
		take = p->frame_n - p->in.len < bytes->n ? p->frame_n - p->in.len : bytes->n;
	guts_buf_add(&p->in, bytes->p, take);
	*bytes = guts_slice(bytes->p + take, bytes->n - take);
	if (p->frame_n == 0) {
		err = begin_frame(g, p);
		if (err)
			return err == GUTS_EAGAIN ? GUTS_OK : err;
	}
	if (p->in.len < p->frame_n)
		return GUTS_OK;
	whole = guts_frame_read(guts_buf_slice(&p->in), g->cfg.rpc_recv_max, &frame, &n);
	assert(!whole && n == p->in.len);
	(void)whole;
	err = on_frame(g, p, frame);
	in_reset(g, p);
	return err;
}

/* The next frame of *bytes, in place if it is whole. */
static int
next_frame(struct guts_gossip *g, struct gpeer *p, struct guts_slice *bytes)
{
	struct guts_slice frame;
	size_t n;
	int err;

	if (p->in.len > 0)
		return collect(g, p, bytes);
	err = guts_frame_read(*bytes, g->cfg.rpc_recv_max, &frame, &n);
	if (err == GUTS_EAGAIN)
		return collect(g, p, bytes);
	if (err)
		return err;
	*bytes = guts_slice(bytes->p + n, bytes->n - n);
	return on_frame(g, p, frame);
}

int
guts_gossip_recv(struct guts_gossip *g, const struct guts_peerid *peer, struct guts_slice bytes,
		 uint64_t now)
{
	struct gpeer *p = peer_connected(g, peer);
	int err = GUTS_OK;

	assert(g->depth == 0);
	if (!p || p->door == GUTS_GOSSIP_NODE_DOOR)
		return GUTS_ENOTFOUND;
	gossip_enter(g, now);
	g->stats.bytes_received += bytes.n;
	if (g->now >= p->heard_at + SILENCE_BEATS * g->cfg.heartbeat_ns)
		gossip_owe_all(p, p->heard_beat);
	p->heard_at = g->now;
	p->heard_beat = g->beat;
	while (bytes.n > 0 && !err && !p->removed) {
		err = next_frame(g, p, &bytes);
		if (err == GUTS_ELIMIT)
			gossip_blame(g, p, GUTS_GOSSIP_OVERSIZED, 1, false);
		else if (err == GUTS_EPROTO)
			gossip_blame(g, p, GUTS_GOSSIP_UNDECODABLE, 1, false);
	}
	if (err)
		in_reset(g, p);
	gossip_leave(g);
	return err;
}

int
guts_gossip_inject(struct guts_gossip *g, const struct guts_peerid *peer,
		   const struct guts_rpc_message *m, uint64_t now)
{
	struct gpeer *p = peer_connected(g, peer);
	int err;

	assert(g->depth == 0);
	if (!p)
		return GUTS_ENOTFOUND;
	gossip_enter(g, now);
	err = gossip_take_message(g, p, m);
	gossip_leave(g);
	return err;
}

/* --- time ---------------------------------------------------------------- */

void
guts_gossip_tick(struct guts_gossip *g, uint64_t now)
{
	uint64_t late;

	assert(g->depth == 0);
	gossip_enter(g, now);
	if (g->now >= g->quick_at)
		gossip_mesh_quick(g);
	if (g->now >= g->next_beat) {
		late = g->now - g->next_beat;
		gossip_heartbeat(g, late > 2 * g->cfg.heartbeat_ns ? late : 0);
		sweep_gone(g);
		/* Beats that were slept through are not made up for. */
		g->next_beat += (late / g->cfg.heartbeat_ns + 1) * g->cfg.heartbeat_ns;
	}
	gossip_leave(g);
}

uint64_t
guts_gossip_deadline(const struct guts_gossip *g)
{
	return g->quick_at < g->next_beat ? g->quick_at : g->next_beat;
}

void
guts_gossip_free(struct guts_gossip *g)
{
	struct gtopic *t, *tmp;

	if (!g)
		return;
	assert(g->depth == 0);
	g->depth = 1;
	while (g->pending)
		gossip_pending_del(g, g->pending);
	while (g->cache)
		gossip_cache_del(g, g->cache);
	gossip_want_free(g);
	while (g->connected) {
		struct gpeer *p = g->connected;

		gossip_queue_clear(g, p);
		in_reset(g, p);
		guts_idset_deinit(&p->unwanted);
		peer_free(g, p);
	}
	while (g->gone)
		peer_free(g, g->gone);
	HASH_ITER (hh, g->topics, t, tmp)
		gossip_topic_free(g, t);
	guts_idset_deinit(&g->seen);
	guts_buf_deinit(&g->scratch);
	free(g->sample);
	guts_key_wipe(&g->key);
	free(g);
}
