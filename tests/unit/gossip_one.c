/* tests/unit/gossip_one.c - see gossip_one.h. */
#include "gossip_one.h"

#include "base/alloc.h"
#include "wire/varint.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned
peer_index(const struct one *o, const struct guts_peerid *id)
{
	for (unsigned i = 0; i < ONE_PEERS_MAX; i++)
		if (guts_peerid_eq(&o->peers[i].id, id))
			return i;
	abort();
}

/* --- callbacks ----------------------------------------------------------- */

static enum guts_gossip_verdict
on_validate(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct one *o = owner;

	(void)peer;
	o->validated++;
	if (o->on_validate)
		o->on_validate(o, m);
	return o->verdict;
}

static void
on_deliver(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct one *o = owner;

	o->delivered++;
	o->deliver_via = *peer;
	o->deliver_from = m->from;
	if (o->on_deliver)
		o->on_deliver(o, m);
}

static void
on_wants_write(void *owner, const struct guts_peerid *peer)
{
	struct one *o = owner;

	o->wakes[peer_index(o, peer)]++;
}

static void
on_forward(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	struct one *o = owner;
	struct guts_peerid from;

	/* The node door must get a message whose signature holds, too. */
	if (guts_rpc_message_verify(m->raw, &from) || o->forwarded == ONE_HEARD_MAX)
		abort();
	o->forwarded_to[o->forwarded++] = (uint8_t)peer_index(o, peer);
}

static void
on_offence(void *owner, const struct guts_peerid *peer, enum guts_gossip_offence what,
	   unsigned count)
{
	struct one *o = owner;

	o->offences[what] += count;
	o->offender = *peer;
}

static void
make_record(const struct guts_key *key, struct guts_buf *out)
{
	struct guts_peerrecord *r = guts_alloc(sizeof *r);

	r->seq = 1;
	r->naddrs = 1;
	if (guts_maddr_parse(&r->addrs[0], guts_slice_str("/ip4/127.0.0.1/tcp/9000")) ||
	    guts_peerrecord_make(out, key, r))
		abort();
	free(r);
}

static int
on_px_record(void *owner, const struct guts_peerid *peer, struct guts_buf *out)
{
	struct one *o = owner;
	unsigned i = peer_index(o, peer);

	if (o->no_records || i % 5 == 4)
		return GUTS_ENOTFOUND;
	make_record(&o->peers[i], out);
	return GUTS_OK;
}

static void
on_px_connect(void *owner, const struct guts_peerid *via, const struct guts_peerrecord *r,
	      struct guts_slice signed_record)
{
	struct one *o = owner;

	(void)via;
	if (r->naddrs != 1 || signed_record.n == 0)
		abort();
	o->connects++;
	o->connect_to = r->peer;
}

static int
on_score(void *owner, const struct guts_peerid *peer)
{
	struct one *o = owner;

	return o->scores[peer_index(o, peer)];
}

static bool
on_allow(void *owner, const struct guts_peerid *peer)
{
	struct one *o = owner;

	(void)peer;
	if (o->allowance == 0)
		return false;
	o->allowance--;
	return true;
}

static const struct guts_gossip_events events = {
	.allow = on_allow,
	.validate = on_validate,
	.deliver = on_deliver,
	.wants_write = on_wants_write,
	.forward = on_forward,
	.offence = on_offence,
	.score = on_score,
	.px_record = on_px_record,
	.px_connect = on_px_connect,
};

/* --- set-up -------------------------------------------------------------- */

void
one_init(struct one *o, const struct guts_gossip_config *cfg)
{
	one_init_as(o, cfg, 0xee);
}

void
one_init_as(struct one *o, const struct guts_gossip_config *cfg, uint8_t byte)
{
	uint8_t seed[32] = {0};

	memset(o, 0, sizeof *o);
	o->now = 5000 * ONE_S;
	o->allowance = SIZE_MAX;
	if (guts_crypto_init())
		abort();
	for (unsigned i = 0; i < ONE_PEERS_MAX; i++) {
		seed[0] = (uint8_t)(i + 1);
		guts_key_from_seed(&o->peers[i], seed);
		guts_buf_init(&o->said[i].last_frame, 1u << 20);
	}
	memset(seed, byte, sizeof seed);
	guts_key_from_seed(&o->key, seed);
	o->g = guts_gossip_new(cfg, &o->key, 42, &events, o, o->now);
}

void
one_deinit(struct one *o)
{
	guts_gossip_free(o->g);
	for (unsigned i = 0; i < ONE_PEERS_MAX; i++)
		guts_buf_deinit(&o->said[i].last_frame);
}

void
one_add(struct one *o, unsigned peer, bool outbound, enum guts_gossip_door door)
{
	if (guts_gossip_peer_add(o->g, &o->peers[peer].id, outbound, door, o->now))
		abort();
}

void
one_remove(struct one *o, unsigned peer)
{
	guts_gossip_peer_remove(o->g, &o->peers[peer].id, o->now);
}

/* --- in ------------------------------------------------------------------ */

int
one_recv_bytes(struct one *o, unsigned peer, struct guts_slice bytes)
{
	return guts_gossip_recv(o->g, &o->peers[peer].id, bytes, o->now);
}

int
one_recv(struct one *o, unsigned peer, const struct guts_rpc *rpc)
{
	struct guts_buf b;
	int err;

	guts_buf_init(&b, 4u << 20);
	if (guts_pb_encode_framed(&guts_rpc_desc, rpc, &b))
		abort();
	err = one_recv_bytes(o, peer, guts_buf_slice(&b));
	guts_buf_deinit(&b);
	return err;
}

void
one_sub(struct one *o, unsigned peer, const char *topic, bool on)
{
	struct guts_rpc_sub s = {on, true, guts_slice_str(topic)};
	struct guts_rpc rpc = {.subs = {&s, 1}};

	one_recv(o, peer, &rpc);
}

void
one_graft(struct one *o, unsigned peer, const char *topic)
{
	struct guts_rpc_graft e = {guts_slice_str(topic)};
	struct guts_rpc rpc = {.has_control = true, .control.graft = {&e, 1}};

	one_recv(o, peer, &rpc);
}

void
one_prune(struct one *o, unsigned peer, const char *topic, uint64_t backoff_s)
{
	struct guts_rpc_prune e = {.topic = guts_slice_str(topic), .backoff_s = backoff_s};
	struct guts_rpc rpc = {.has_control = true, .control.prune = {&e, 1}};

	one_recv(o, peer, &rpc);
}

void
one_prune_px(struct one *o, unsigned peer, unsigned named, unsigned record)
{
	struct guts_rpc_px px = {.peer = guts_peerid_slice(&o->peers[named].id)};
	struct guts_rpc_prune e = {
		.topic = guts_slice_str("t"), .peers = {&px, 1}, .backoff_s = 60};
	struct guts_rpc rpc = {.has_control = true, .control.prune = {&e, 1}};
	struct guts_buf b;

	guts_buf_init(&b, 4096);
	make_record(&o->peers[record], &b);
	px.signed_record = guts_buf_slice(&b);
	one_recv(o, peer, &rpc);
	guts_buf_deinit(&b);
}

void
one_ihave(struct one *o, unsigned peer, const char *topic, const uint8_t id[32])
{
	struct guts_slice v = guts_slice(id, 32);
	struct guts_rpc_ihave e = {guts_slice_str(topic), {&v, 1}};
	struct guts_rpc rpc = {.has_control = true, .control.ihave = {&e, 1}};

	one_recv(o, peer, &rpc);
}

void
one_iwant(struct one *o, unsigned peer, const uint8_t id[32])
{
	struct guts_slice v = guts_slice(id, 32);
	struct guts_rpc_iwant e = {{&v, 1}};
	struct guts_rpc rpc = {.has_control = true, .control.iwant = {&e, 1}};

	one_recv(o, peer, &rpc);
}

void
one_idontwant(struct one *o, unsigned peer, const uint8_t id[32])
{
	struct guts_slice v = guts_slice(id, 32);
	struct guts_rpc_iwant e = {{&v, 1}};
	struct guts_rpc rpc = {.has_control = true, .control.idontwant = {&e, 1}};

	one_recv(o, peer, &rpc);
}

/* --- out ----------------------------------------------------------------- */

static void
note_ids(struct one_said *s, const struct guts_pb_bytes_list *ids, size_t *count)
{
	*count += ids->n;
	if (ids->n > 0)
		memcpy(s->last_id, ids->v[ids->n - 1].p, sizeof s->last_id);
}

static void
note_rpc(struct one_said *s, const struct guts_rpc *rpc)
{
	const struct guts_rpc_control *c = &rpc->control;

	for (size_t i = 0; i < rpc->subs.n; i++)
		*(rpc->subs.v[i].subscribe ? &s->subscribe : &s->unsubscribe) += 1;
	for (size_t i = 0; i < rpc->publish.n; i++) {
		const struct guts_rpc_message *m = &rpc->publish.v[i];
		struct guts_peerid from;

		if (guts_rpc_message_verify(m, &from))
			abort();
		guts_gossip_message_id(s->last_id, m->topic, m->data);
		s->last_seqno = 0;
		for (size_t k = 0; k < 8; k++)
			s->last_seqno = s->last_seqno << 8 | m->seqno.p[k];
		s->messages++;
	}
	for (size_t i = 0; i < c->ihave.n; i++)
		note_ids(s, &c->ihave.v[i].ids, &s->ihave);
	for (size_t i = 0; i < c->iwant.n; i++)
		note_ids(s, &c->iwant.v[i].ids, &s->iwant);
	for (size_t i = 0; i < c->idontwant.n; i++)
		note_ids(s, &c->idontwant.v[i].ids, &s->idontwant);
	s->graft += c->graft.n;
	s->prune += c->prune.n;
	for (size_t i = 0; i < c->prune.n; i++)
		for (size_t k = 0; k < c->prune.v[i].peers.n; k++) {
			struct guts_peerrecord *r = guts_alloc(sizeof *r);

			if (guts_peerrecord_open(r, c->prune.v[i].peers.v[k].signed_record))
				abort();
			free(r);
			s->px++;
		}
	if (c->prune.n > 0)
		s->backoff_s = c->prune.v[c->prune.n - 1].backoff_s;
}

void
one_pull(struct one *o, unsigned peer)
{
	struct one_said *s = &o->said[peer];
	struct guts_buf all;
	uint8_t buf[1500]; /* pieces, as a stream takes them */
	size_t n;

	guts_buf_init(&all, 16u << 20);
	while ((n = guts_gossip_pull(o->g, &o->peers[peer].id, buf, sizeof buf)) > 0)
		guts_buf_add(&all, buf, n);
	while (all.len > 0) {
		struct guts_arena arena;
		struct guts_slice body;
		struct guts_rpc rpc;

		if (guts_frame_read(guts_buf_slice(&all), 1u << 20, &body, &n))
			abort();
		guts_arena_init(&arena, 4u << 20);
		if (guts_pb_decode(&guts_rpc_desc, body, &rpc, &arena))
			abort();
		note_rpc(s, &rpc);
		guts_arena_deinit(&arena);
		guts_buf_clear(&s->last_frame);
		guts_buf_add_slice(&s->last_frame, body);
		s->frames++;
		s->bytes += n;
		s->largest = body.n > s->largest ? body.n : s->largest;
		guts_buf_consume(&all, n);
	}
	guts_buf_deinit(&all);
}

void
one_pull_all(struct one *o)
{
	for (unsigned i = 0; i < ONE_PEERS_MAX; i++)
		if (!o->stuck[i])
			one_pull(o, i);
}

void
one_forget(struct one *o)
{
	one_pull_all(o);
	for (unsigned i = 0; i < ONE_PEERS_MAX; i++) {
		struct guts_buf keep = o->said[i].last_frame;

		guts_buf_clear(&keep);
		memset(&o->said[i], 0, sizeof o->said[i]);
		o->said[i].last_frame = keep;
	}
	memset(o->offences, 0, sizeof o->offences);
	o->validated = o->delivered = o->forwarded = 0;
}

void
one_pass(struct one *o, uint64_t ns)
{
	uint64_t until = o->now + ns;

	while (guts_gossip_deadline(o->g) <= until) {
		o->now = guts_gossip_deadline(o->g);
		guts_gossip_tick(o->g, o->now);
		one_pull_all(o);
	}
	o->now = until;
}

/* --- messages ------------------------------------------------------------ */

void
one_sign(struct one *o, struct one_message *m, unsigned author, const char *topic,
	 struct guts_slice data)
{
	static uint64_t seqno;
	struct guts_buf b;

	memset(m, 0, sizeof *m);
	seqno++;
	for (int i = 0; i < 8; i++)
		m->seqno[i] = (uint8_t)(seqno >> (56 - 8 * i));
	m->from = o->peers[author].id;
	m->raw.from = guts_peerid_slice(&m->from);
	m->raw.data = data;
	m->raw.topic = guts_slice_str(topic);
	m->raw.seqno = guts_slice(m->seqno, 8);
	m->raw.has_from = m->raw.has_data = m->raw.has_topic = m->raw.has_seqno = true;
	guts_buf_init(&b, 1u << 20);
	if (guts_rpc_signed_bytes(&b, &m->raw))
		abort();
	guts_sign(m->sig, &o->peers[author], guts_buf_slice(&b));
	guts_buf_deinit(&b);
	m->raw.signature = guts_slice(m->sig, sizeof m->sig);
	m->raw.has_signature = true;
	guts_gossip_message_id(m->id, m->raw.topic, data);
}

int
one_send(struct one *o, unsigned peer, const struct one_message *m)
{
	struct guts_rpc_message one = m->raw;
	struct guts_rpc rpc = {.publish = {&one, 1}};

	return one_recv(o, peer, &rpc);
}

/* --- looking ------------------------------------------------------------- */

struct guts_gossip_topic_info
one_topic(const struct one *o, const char *topic)
{
	struct guts_gossip_topic_info t;
	const void *it = NULL;

	while (guts_gossip_next_topic(o->g, &it, &t))
		if (guts_slice_eq(t.name, guts_slice_str(topic)))
			return t;
	memset(&t, 0, sizeof t);
	return t;
}

bool
one_in_mesh(const struct one *o, unsigned peer, const char *topic)
{
	struct guts_gossip_topic_peer p;
	const void *it = NULL;

	while (guts_gossip_next_topic_peer(o->g, guts_slice_str(topic), &it, &p))
		if (guts_peerid_eq(&p.id, &o->peers[peer].id))
			return p.in_mesh;
	return false;
}

struct guts_gossip_stats
one_stats(const struct one *o)
{
	struct guts_gossip_stats s;

	guts_gossip_stats(o->g, &s);
	return s;
}
