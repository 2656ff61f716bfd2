/* gossip/queue.c - what waits for a peer's stream, and how it becomes RPCs.
 *
 * An RPC is a concatenation of fields, so the queue holds encoded entries and a frame is put
 * together when the stream has room: control first, then messages (shared by all queues
 * that hold them), then IHAVE, up to rpc_send_max.  A full queue drops IHAVE first, then
 * refuses; the link is then owed an announcement, so that the message is repaired later.
 * Subscriptions may never be lost: a peer whose queue holds nothing but those, several times
 * over, does not read at all and is reported.
 *
 *	subscriptions ─┐
 *	graft, prune ──┤
 *	iwant, idont… ─┼─► uvarint(length) subs… publish… control{…}
 *	messages ──────┤
 *	ihave ─────────┘
 */
#include "gossip/gossip_int.h"

#include "base/alloc.h"
#include "wire/varint.h"

#include <assert.h>
#include <stdlib.h>

#define TAG_CONTROL 0x1a /* field 3, length-delimited */
#define SCRATCH_MAX (GUTS_MESSAGE_MAX + 1024u)

/* What one entry costs the queue's cap. */
static size_t
charge(size_t n)
{
	return n + sizeof(struct gitem);
}

static void
item_free(struct gpeer *p, enum gclass c, struct gitem *it)
{
	DL_DELETE(p->queue[c], it);
	p->queue_n[c] -= it->n;
	p->queue_bytes -= charge(it->n);
	if (it->msg)
		gossip_msg_unref(it->msg);
	free(it);
}

/* Make room for n bytes of class c by dropping IHAVE; false if that is not enough. */
static bool
make_room(struct guts_gossip *g, struct gpeer *p, enum gclass c, size_t n)
{
	size_t max = g->cfg.queue_bytes_max * (c == Q_SUBS ? SUBS_QUEUE_FACTOR : 1);

	while (p->queue_bytes + charge(n) > max && p->queue[Q_IHAVE]) {
		gossip_owe_all(p, 0);
		item_free(p, Q_IHAVE, p->queue[Q_IHAVE]);
	}
	if (p->queue_bytes + charge(n) <= max)
		return true;
	if (c == Q_SUBS)
		gossip_blame(g, p, GUTS_GOSSIP_STALLED, 1, true);
	return false;
}

static void
append(struct guts_gossip *g, struct gpeer *p, enum gclass c, struct gitem *it)
{
	DL_APPEND(p->queue[c], it);
	p->queue_n[c] += it->n;
	p->queue_bytes += charge(it->n);
	if (!p->has_output && !p->waking) {
		p->waking = true;
		DL_APPEND2(g->wakes, p, wprev, wnext);
	}
}

static bool
queue_bytes(struct guts_gossip *g, struct gpeer *p, enum gclass c, struct guts_slice bytes)
{
	struct gitem *it;

	if (!gossip_is_mesh_peer(p) || !make_room(g, p, c, bytes.n))
		return false;
	it = guts_alloc(sizeof *it + bytes.n);
	it->n = bytes.n;
	memcpy(it->bytes, bytes.p, bytes.n);
	append(g, p, c, it);
	return true;
}

bool
gossip_queue_rpc(struct guts_gossip *g, struct gpeer *p, enum gclass c,
		 const struct guts_rpc *piece)
{
	struct guts_slice s;
	int err;

	guts_buf_clear(&g->scratch);
	err = guts_pb_encode(&guts_rpc_desc, piece, &g->scratch);
	assert(!err && g->scratch.len > 0);
	(void)err;
	s = guts_buf_slice(&g->scratch);
	if (piece->has_control) {
		/* Only the entry itself: the frame has one control message around all of them. */
		uint64_t inner;
		size_t n;

		assert(s.p[0] == TAG_CONTROL);
		err = guts_uvarint_read(guts_slice(s.p + 1, s.n - 1), &inner, &n);
		assert(!err && 1 + n + inner == s.n);
		s = guts_slice(s.p + 1 + n, (size_t)inner);
	}
	return queue_bytes(g, p, c, s);
}

bool
gossip_queue_ids(struct guts_gossip *g, struct gpeer *p, enum gclass c,
		 struct guts_pb_bytes_list ids, struct guts_slice topic, bool is_iwant)
{
	struct guts_rpc rpc = {.has_control = true};
	struct guts_rpc_ihave ihave = {.topic = topic, .ids = ids};
	struct guts_rpc_iwant iwant = {.ids = ids};

	if (c == Q_IHAVE) {
		rpc.control.ihave.v = &ihave;
		rpc.control.ihave.n = 1;
	} else if (is_iwant) {
		rpc.control.iwant.v = &iwant;
		rpc.control.iwant.n = 1;
	} else {
		rpc.control.idontwant.v = &iwant;
		rpc.control.idontwant.n = 1;
	}
	return gossip_queue_rpc(g, p, c, &rpc);
}

bool
gossip_queue_message(struct guts_gossip *g, struct gpeer *p, struct gmsg *m)
{
	struct gitem *it;

	if (!gossip_is_mesh_peer(p))
		return false;
	if (!make_room(g, p, Q_MESSAGE, m->n)) {
		struct glink *l = m->topic ? gossip_link_find(g, p, m->topic) : NULL;

		g->stats.queue_drops++;
		if (l)
			gossip_owe(l, m->beat);
		return false;
	}
	it = guts_alloc(sizeof *it);
	it->n = m->n;
	it->msg = m;
	m->refs++;
	append(g, p, Q_MESSAGE, it);
	return true;
}

void
gossip_queue_filter(struct guts_gossip *g, struct gpeer *p)
{
	struct gitem *it, *tmp;

	DL_FOREACH_SAFE (p->queue[Q_MESSAGE], it, tmp) {
		if (guts_idset_get(&p->unwanted, it->msg->id, g->now) < 0)
			continue;
		item_free(p, Q_MESSAGE, it);
		g->stats.unwanted++;
	}
}

void
gossip_queue_clear(struct guts_gossip *g, struct gpeer *p)
{
	for (int c = 0; c < Q_COUNT; c++)
		while (p->queue[c])
			item_free(p, (enum gclass)c, p->queue[c]);
	guts_buf_deinit(&p->out);
	if (p->waking)
		DL_DELETE2(g->wakes, p, wprev, wnext);
	p->waking = p->has_output = false;
}

/* --- frames -------------------------------------------------------------- */

/* How many entries of each class fit the frame. */
struct plan {
	size_t count[Q_COUNT];
	size_t bytes[Q_COUNT];
	size_t left; /* [bytes] */
};

static void
plan_class(const struct gpeer *p, struct plan *plan, enum gclass c, size_t count_max)
{
	const struct gitem *it;

	DL_FOREACH (p->queue[c], it) {
		if (plan->count[c] >= count_max || it->n > plan->left)
			return;
		plan->count[c]++;
		plan->bytes[c] += it->n;
		plan->left -= it->n;
	}
}

static void
move_class(struct gpeer *p, const struct plan *plan, enum gclass c)
{
	for (size_t i = 0; i < plan->count[c]; i++) {
		struct gitem *it = p->queue[c];

		if (it->msg)
			guts_buf_add(&p->out, it->msg->wire, it->msg->n);
		else
			guts_buf_add(&p->out, it->bytes, it->n);
		item_free(p, c, it);
	}
}

/* Put the next frame into p->out; false if there is nothing to send. */
static bool
build_frame(struct guts_gossip *g, struct gpeer *p)
{
	struct plan plan = {.left = g->cfg.rpc_send_max - 8}; /* head of the control message */
	size_t control, total;

	plan_class(p, &plan, Q_SUBS, FRAME_SUBS_MAX);
	plan_class(p, &plan, Q_CONTROL, FRAME_ENTRIES_MAX);
	plan_class(p, &plan, Q_WANT, FRAME_ENTRIES_MAX);
	/* An IDONTWANT that waits for the bytes of a message behind it comes too late. */
	if (plan.count[Q_WANT] == 0)
		plan_class(p, &plan, Q_MESSAGE, FRAME_MESSAGES_MAX);
	if (plan.count[Q_MESSAGE] < FRAME_MESSAGES_MAX)
		plan_class(p, &plan, Q_IHAVE, FRAME_ENTRIES_MAX);

	control = plan.bytes[Q_CONTROL] + plan.bytes[Q_WANT] + plan.bytes[Q_IHAVE];
	total = plan.bytes[Q_SUBS] + plan.bytes[Q_MESSAGE] + control;
	if (control > 0)
		total += 1 + guts_uvarint_size(control);
	if (total == 0)
		return false;

	guts_buf_init(&p->out, g->cfg.rpc_send_max + GUTS_UVARINT_MAX_SIZE);
	guts_buf_add_uvarint(&p->out, total);
	g->stats.messages_sent += plan.count[Q_MESSAGE];
	move_class(p, &plan, Q_SUBS);
	move_class(p, &plan, Q_MESSAGE);
	if (control > 0) {
		guts_buf_add_u8(&p->out, TAG_CONTROL);
		guts_buf_add_uvarint(&p->out, control);
		move_class(p, &plan, Q_CONTROL);
		move_class(p, &plan, Q_WANT);
		move_class(p, &plan, Q_IHAVE);
	}
	assert(!p->out.failed);
	g->stats.rpcs_sent++;
	return true;
}

size_t
guts_gossip_pull(struct guts_gossip *g, const struct guts_peerid *peer, uint8_t *out, size_t max)
{
	struct gpeer *p;
	size_t got = 0;

	assert(g->depth == 0);
	HASH_FIND(hh, g->peers, peer, sizeof *peer, p);
	if (!p || !p->connected)
		return 0;
	while (got < max) {
		size_t n;

		if (p->out.len == 0 && !build_frame(g, p))
			break;
		n = p->out.len < max - got ? p->out.len : max - got;
		memcpy(out + got, guts_buf_bytes(&p->out), n);
		guts_buf_consume(&p->out, n);
		got += n;
		if (p->out.len == 0)
			guts_buf_deinit(&p->out); /* idle peers hold nothing */
	}
	g->stats.bytes_sent += got;
	p->has_output = p->out.len > 0 || p->queue_bytes > 0;
	return got;
}
