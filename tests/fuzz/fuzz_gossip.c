/* tests/fuzz/fuzz_gossip.c - hostile peers: raw bytes and random sequences of RPCs against one
 * object.
 *
 * The input is a program: each byte names a step, the next ones its arguments.  Steps send
 * arbitrary bytes on a peer's stream, well-formed RPCs with every kind of entry over a few topics
 * and ids, signed messages good and bad, connect and disconnect peers, answer validations,
 * publish, subscribe, expect deliveries, read or do not read, and let time pass.  After every step
 * the object must be consistent (gossip_check): caps, meshes of subscribers only and outside their
 * back-off, memory accounted.  What it sends must be whole frames of bounded size, with messages
 * whose signatures hold, to peers that are there.
 */
#include "../sim/gossip_net.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "fuzz.h"
#include "wire/varint.h"

#include <stdlib.h>

#define PEERS    4
#define MESSAGES 6
#define SECOND   UINT64_C(1000000000)

static const char *const topics[] = {"t", "u", "v", ""};

static struct {
	struct guts_key us, peers[PEERS];
	struct guts_rpc_message messages[MESSAGES]; /* signed by the peers */
	uint8_t seqno[MESSAGES][8], sig[MESSAGES][GUTS_SIG_SIZE];
	uint8_t ids[MESSAGES][32], body[MESSAGES][1100];
	bool ready;
} fixed;

struct run {
	struct guts_gossip *g;
	struct guts_cursor in;
	uint64_t now, wall;
	bool connected[PEERS];
};

static void
prepare(void)
{
	uint8_t seed[32] = {9};

	if (guts_crypto_init())
		abort();
	guts_key_from_seed(&fixed.us, seed);
	for (uint8_t i = 0; i < PEERS; i++) {
		seed[1] = (uint8_t)(i + 1);
		guts_key_from_seed(&fixed.peers[i], seed);
	}
	for (uint8_t i = 0; i < MESSAGES; i++) {
		struct guts_rpc_message *m = &fixed.messages[i];
		const struct guts_key *author = &fixed.peers[i % PEERS];
		struct guts_buf b;

		fixed.seqno[i][7] = i;
		fixed.body[i][0] = i;
		m->from = guts_peerid_slice(&author->id);
		m->data = guts_slice(fixed.body[i], i % 2 ? 1100 : 10);
		m->seqno = guts_slice(fixed.seqno[i], 8);
		m->topic = guts_slice_str(topics[i % 2]);
		m->has_from = m->has_data = m->has_seqno = m->has_topic = m->has_signature = true;
		guts_buf_init(&b, 4096);
		if (guts_rpc_signed_bytes(&b, m))
			abort();
		guts_sign(fixed.sig[i], author, guts_buf_slice(&b));
		guts_buf_deinit(&b);
		m->signature = guts_slice(fixed.sig[i], GUTS_SIG_SIZE);
		guts_gossip_message_id(fixed.ids[i], m->topic, m->data);
	}
	fixed.ready = true;
}

static size_t
index_of(const struct guts_peerid *peer)
{
	size_t i = 0;

	while (i < PEERS && !guts_peerid_eq(&fixed.peers[i].id, peer))
		i++;
	return i;
}

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
lose(struct run *r, const struct guts_peerid *peer)
{
	guts_gossip_peer_remove(r->g, peer, r->now);
	r->connected[index_of(peer)] = false;
}

static const struct guts_peerid *
any_peer(struct run *r)
{
	return &fixed.peers[guts_cursor_u8(&r->in) % PEERS].id;
}

static struct guts_slice
any_topic(struct run *r)
{
	return guts_slice_str(topics[guts_cursor_u8(&r->in) % 4]);
}

/* --- callbacks: some act ------------------------------------------------- */

static enum guts_gossip_verdict
on_validate(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct run *r = owner;
	uint8_t what = guts_cursor_u8(&r->in);

	(void)peer;
	if (what & 0x80)
		guts_gossip_validated(r->g, m->id, (enum guts_gossip_verdict)(what >> 5 & 1),
				      r->now);
	return (enum guts_gossip_verdict)(what % 4);
}

static void
act(struct run *r, const struct guts_peerid *peer)
{
	uint8_t id[32], what = guts_cursor_u8(&r->in);

	switch (what) {
	case 1: lose(r, peer); break;
	case 2: guts_gossip_subscribe(r->g, any_topic(r), r->now); break;
	case 3: guts_gossip_unsubscribe(r->g, any_topic(r), r->now); break;
	case 4:
		guts_gossip_publish(r->g, any_topic(r), guts_cursor_bytes(&r->in, 4), r->wall++,
				    r->now, id);
		break;
	default: break;
	}
}

static void
on_deliver(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	(void)m;
	act(owner, peer);
}

static void
on_offence(void *owner, const struct guts_peerid *peer, enum guts_gossip_offence what,
	   unsigned count)
{
	(void)what;
	(void)count;
	act(owner, peer);
}

static void
on_forward(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct run *r = owner;
	struct guts_peerid from;

	must(r->connected[index_of(peer)]);
	must(guts_rpc_message_verify(m->raw, &from) == 0);
	act(r, peer);
}

static void
on_wants_write(void *owner, const struct guts_peerid *peer)
{
	struct run *r = owner;

	must(r->connected[index_of(peer)]);
}

static bool
on_allow(void *owner, const struct guts_peerid *peer)
{
	struct run *r = owner;

	must(r->connected[index_of(peer)]);
	return guts_cursor_left(&r->in) % 8 != 7;
}

static int
on_score(void *owner, const struct guts_peerid *peer)
{
	(void)owner;
	return peer->b[12] % 8 == 0 ? -5 : 0;
}

static const struct guts_gossip_events events = {
	.allow = on_allow,
	.wants_write = on_wants_write,
	.validate = on_validate,
	.deliver = on_deliver,
	.forward = on_forward,
	.offence = on_offence,
	.score = on_score,
};

/* --- steps --------------------------------------------------------------- */

static struct guts_slice
any_id(struct run *r)
{
	uint8_t i = guts_cursor_u8(&r->in);

	/* Known ones, unknown ones of the right size, and others. */
	if (i < 128)
		return guts_slice(fixed.ids[i % MESSAGES], 32);
	return guts_slice(fixed.body[i % MESSAGES] + i % 16, i < 250 ? 32 : i % 40);
}

static void
say(struct run *r, const struct guts_rpc *rpc)
{
	struct guts_buf b;

	guts_buf_init(&b, 1u << 20);
	if (guts_pb_encode_framed(&guts_rpc_desc, rpc, &b) == 0)
		guts_gossip_recv(r->g, any_peer(r), guts_buf_slice(&b), r->now);
	guts_buf_deinit(&b);
}

/* An RPC with up to two of each kind of entry. */
static void
send_control(struct run *r)
{
	uint8_t kinds = guts_cursor_u8(&r->in);
	struct guts_slice ids[4] = {any_id(r), any_id(r), any_id(r), any_id(r)};
	struct guts_rpc_sub subs[2] = {{kinds & 1, true, any_topic(r)},
				       {kinds & 2, kinds & 4, any_topic(r)}};
	struct guts_rpc_ihave ihave[2] = {{any_topic(r), {ids, 3}}, {any_topic(r), {ids + 2, 2}}};
	struct guts_rpc_iwant iwant[2] = {{{ids, 4}}, {{ids + 1, 2}}};
	struct guts_rpc_graft graft[2] = {{any_topic(r)}, {any_topic(r)}};
	struct guts_rpc_prune prune[2] = {{.topic = any_topic(r), .backoff_s = kinds},
					  {.topic = any_topic(r)}};
	struct guts_rpc rpc = {.subs = {subs, kinds >> 1 & 2}, .has_control = true};

	rpc.control.ihave.v = ihave;
	rpc.control.ihave.n = kinds >> 3 & 1 ? 2 : 0;
	rpc.control.iwant.v = iwant;
	rpc.control.iwant.n = kinds >> 4 & 1 ? 2 : 0;
	rpc.control.graft.v = graft;
	rpc.control.graft.n = kinds >> 5 & 1 ? 2 : 0;
	rpc.control.prune.v = prune;
	rpc.control.prune.n = kinds >> 6 & 1 ? 2 : 0;
	rpc.control.idontwant.v = iwant;
	rpc.control.idontwant.n = kinds >> 7 ? 2 : 0;
	say(r, &rpc);
}

static void
send_message(struct run *r)
{
	struct guts_rpc_message m = fixed.messages[guts_cursor_u8(&r->in) % MESSAGES];
	struct guts_rpc rpc = {.publish = {&m, 1}};
	uint8_t damage = guts_cursor_u8(&r->in);

	if (damage == 1)
		m.signature = guts_slice(fixed.sig[0], GUTS_SIG_SIZE);
	else if (damage == 2)
		m.from = guts_peerid_slice(&fixed.us.id);
	else if (damage == 3)
		m.has_seqno = false;
	if (damage >= 0xf0)
		guts_gossip_inject(r->g, any_peer(r), &m, r->now);
	else
		say(r, &rpc);
}

static void
check_frame(struct guts_slice frame)
{
	struct guts_arena arena;
	struct guts_rpc rpc;
	struct guts_peerid from;

	must(frame.n > 0 && frame.n <= GUTS_GOSSIP_RPC_MAX);
	guts_arena_init(&arena, 4u << 20);
	must(guts_pb_decode(&guts_rpc_desc, frame, &rpc, &arena) == 0);
	for (size_t i = 0; i < rpc.publish.n; i++)
		must(guts_rpc_message_verify(&rpc.publish.v[i], &from) == 0);
	guts_arena_deinit(&arena);
}

/* All of it, so that frames are whole. */
static void
pull(struct run *r)
{
	const struct guts_peerid *peer = any_peer(r);
	struct guts_slice frame, rest;
	static uint8_t out[1u << 20];
	size_t n = guts_gossip_pull(r->g, peer, out, sizeof out), used;

	must(n < sizeof out && (n == 0 || r->connected[index_of(peer)]));
	for (rest = guts_slice(out, n); rest.n > 0;
	     rest = guts_slice(rest.p + used, rest.n - used)) {
		must(guts_frame_read(rest, GUTS_GOSSIP_RPC_MAX, &frame, &used) == 0);
		check_frame(frame);
	}
}

/* Rare steps. */
static void
step_aside(struct run *r, uint8_t what)
{
	const struct guts_peerid *peer = any_peer(r);

	switch (what >> 4 & 3) {
	case 0: guts_gossip_peer_group(r->g, peer, 5); break;
	case 1: guts_gossip_out_reset(r->g, peer, r->now); break;
	case 2: guts_gossip_expect(r->g, any_topic(r), what >> 6); break;
	default: guts_gossip_in_reset(r->g, peer); break;
	}
}

static void
step(struct run *r)
{
	uint8_t id[32], what = guts_cursor_u8(&r->in);
	const struct guts_peerid *peer;

	switch (what % 16) {
	case 0:
	case 1:
		peer = any_peer(r);
		if (guts_gossip_recv(r->g, peer, guts_cursor_bytes(&r->in, what), r->now))
			guts_gossip_in_reset(r->g, peer);
		break;
	case 2:
	case 3:
	case 4: send_control(r); break;
	case 5:
	case 6: send_message(r); break;
	case 7:
		peer = any_peer(r);
		r->connected[index_of(peer)] = true;
		guts_gossip_peer_add(r->g, peer, what & 16, (enum guts_gossip_door)(what >> 6),
				     r->now);
		break;
	case 8: lose(r, any_peer(r)); break;
	case 9: guts_gossip_subscribe(r->g, any_topic(r), r->now); break;
	case 10: guts_gossip_unsubscribe(r->g, any_topic(r), r->now); break;
	case 11:
		guts_gossip_publish(r->g, any_topic(r), guts_cursor_bytes(&r->in, what), r->wall++,
				    r->now, id);
		break;
	case 12:
		guts_gossip_validated(r->g, fixed.ids[guts_cursor_u8(&r->in) % MESSAGES],
				      (enum guts_gossip_verdict)(what >> 6 & 1), r->now);
		break;
	case 13: pull(r); break;
	case 14: step_aside(r, what); break;
	default:
		r->now = what & 128 ? r->now + what * SECOND / 4 : guts_gossip_deadline(r->g);
		guts_gossip_tick(r->g, r->now);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_gossip_config cfg = {
		.seen_max = 8,
		.cache_bytes_max = 4000,
		.queue_bytes_max = 3000,
		.pending_max = 3,
		.wants_max = 6,
		.topics_per_peer_max = 3,
		.foreign_topics_max = 2,
		.d = 2,
		.d_lo = 1,
		.d_hi = 3,
		.d_score = 1,
		.d_out = 1,
		.idontwant_max = 3,
	};
	struct run r = {.now = 100 * SECOND, .wall = 1};

	if (!fixed.ready)
		prepare();
	guts_cursor_init(&r.in, guts_slice(data, size));
	r.g = guts_gossip_new(&cfg, &fixed.us, 1, &events, &r, r.now);
	guts_gossip_subscribe(r.g, guts_slice_str("t"), r.now);
	r.connected[0] = true;
	guts_gossip_peer_add(r.g, &fixed.peers[0].id, true, GUTS_GOSSIP_MESHSUB_12, r.now);
	while (guts_cursor_left(&r.in) > 0) {
		step(&r);
		gossip_check(r.g);
	}
	guts_gossip_free(r.g);
	return 0;
}
