/* peer/identify.c - /ipfs/id/1.0.0 and its push: who we are, what we serve, where we listen.
 *
 * We ask every peer once when its link is up, and take pushes later.  Some senders split the
 * message, so we read until the end of the stream (≤ 8 KiB, ≤ 10 s) and merge the parts.  What a
 * peer says of itself is trusted for itself only: a signed record's addresses go before bare
 * ones, and the key must be the link's.
 * Source: libp2p specs, identify/README.md; field 8 (signed record) as go, rust and js have it.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers_int.h"
#include "proto/libp2p.h"
#include "wire/varint.h"

#include <stdio.h>
#include <stdlib.h>

#define PROTOCOL_VERSION "guts/1.0.0"
#define IDENTIFY_NS (10 * GUTS_SECOND_NS)
#define PARTS_MAX 10
#define ARENA_MAX (64u << 10) /* [bytes] lists of one message */

/* One reading of a message: asked for by us, or pushed. */
struct identify_job {
	struct guts_peers *p;
	struct guts_stream *s;
	struct guts_peerid id;
	struct guts_buf in;
	struct guts_timer timer;
	struct identify_job *prev, *next;
};

static void
job_free(struct identify_job *j)
{
	guts_env_timer_clear(j->p->env, &j->timer);
	guts_buf_deinit(&j->in);
	DL_DELETE(j->p->identify_jobs, j);
	free(j);
}

/* --- taking what a peer says --- */

static void
take_agent(struct peer_entry *e, struct guts_slice agent)
{
	size_t n = agent.n < sizeof(e->agent) - 1 ? agent.n : sizeof(e->agent) - 1;

	while (n > 0 && n < agent.n && (agent.p[n] & 0xc0) == 0x80)
		n--; /* not inside a character */
	if (!guts_text_is_clean(guts_slice(agent.p, n), false))
		n = 0;
	if (n > 0)
		memcpy(e->agent, agent.p, n);
	e->agent[n] = '\0';
}

static void
take_protocols(struct guts_peers *p, struct peer_entry *e, const struct guts_pb_bytes_list *list)
{
	for (size_t i = 0; i < e->n_protocols; i++)
		free(e->protocols[i]);
	e->n_protocols = 0;
	for (size_t i = 0; i < list->n && e->n_protocols < GUTS_PEER_PROTOCOLS_MAX; i++)
		if (guts_text_is_clean(list->v[i], false))
			e->protocols[e->n_protocols++] = guts_memdup(list->v[i].p, list->v[i].n);
	e->speaks_guts = p->cfg.guts_protocol && entry_speaks(e, p->cfg.guts_protocol);
}

static void
take_address(struct guts_peers *p, struct peer_entry *e, struct guts_maddr m, enum guts_book_via via)
{
	bool near = guts_maddr_is_loopback(guts_link_remote(e->active->link));

	guts_maddr_strip_peer(&m);
	if (e->n_addrs == GUTS_PEER_ADDRS_MAX || m.n == 0 || (guts_maddr_is_loopback(&m) && !near))
		return;
	for (size_t i = 0; i < e->n_addrs; i++)
		if (guts_maddr_eq(&e->addrs[i], &m))
			return;
	e->addrs[e->n_addrs++] = m;
	guts_peers_learn(p, &e->id, &m, via, &e->id);
}

static void
take_addresses(struct guts_peers *p, struct peer_entry *e, const struct guts_identify *m)
{
	struct guts_peerrecord *r = guts_alloc(sizeof(*r));
	bool is_signed = m->has_signed_peer_record && guts_peerrecord_open(r, m->signed_peer_record) == 0
	    && guts_peerid_eq(&r->peer, &e->id);

	if (is_signed) {
		free(e->record);
		e->record = guts_memdup(m->signed_peer_record.p, m->signed_peer_record.n);
		e->record_n = m->signed_peer_record.n;
	}
	if (is_signed || m->listen_addrs.n > 0)
		e->n_addrs = 0;
	for (size_t i = 0; is_signed && i < r->naddrs; i++)
		take_address(p, e, r->addrs[i], GUTS_BOOK_SIGNED);
	for (size_t i = 0; i < m->listen_addrs.n; i++) {
		struct guts_maddr a;

		if (guts_maddr_decode(&a, m->listen_addrs.v[i]) == 0)
			take_address(p, e, a, e->active->inbound ? GUTS_BOOK_INBOUND : GUTS_BOOK_IDENTIFY);
	}
	free(r);
}

int
guts_peers_record(const struct guts_peers *p, const struct guts_peerid *id, struct guts_buf *out)
{
	const struct peer_entry *e = peers_find(p, id);

	if (!e || !e->record)
		return GUTS_ENOTFOUND;
	guts_buf_add(out, e->record, e->record_n);
	return GUTS_OK;
}

/* Where it sees us; js-libp2p appends our own id. */
static void
take_observed(struct guts_peers *p, struct peer_entry *e, struct guts_slice bin)
{
	struct guts_maddr seen;

	if (guts_maddr_decode(&seen, bin) != 0)
		return;
	guts_maddr_strip_peer(&seen);
	listen_note_seen(p, &seen, guts_link_remote(e->active->link));
}

static int
check_key(const struct guts_identify *m, const struct guts_peerid *id)
{
	uint8_t pub[GUTS_PUBKEY_SIZE];
	struct guts_peerid said;
	int err;

	if (!m->has_public_key)
		return 0;
	err = guts_pubkey_decode(pub, m->public_key);
	if (err)
		return err;
	guts_peerid_from_pubkey(&said, pub);
	return guts_peerid_eq(&said, id) ? 0 : GUTS_EPROTO;
}

static int
take_message(struct guts_peers *p, struct peer_entry *e, struct guts_slice in)
{
	struct guts_identify all = { 0 }, part;
	struct guts_arena arena;
	int err = in.n ? 0 : GUTS_EPROTO;

	guts_arena_init(&arena, ARENA_MAX);
	for (int parts = 0; !err && in.n > 0; parts++) {
		struct guts_slice frame;
		size_t used;

		err = parts < PARTS_MAX ? guts_frame_read(in, GUTS_IDENTIFY_RECV_MAX, &frame, &used) : GUTS_ELIMIT;
		if (!err)
			err = guts_pb_decode(&guts_identify_desc, frame, &part, &arena);
		if (err)
			break;
		guts_identify_merge(&all, &part);
		in = guts_slice(in.p + used, in.n - used);
	}
	if (!err)
		err = check_key(&all, &e->id);
	if (!err) {
		if (all.has_agent_version)
			take_agent(e, all.agent_version);
		if (all.protocols.n > 0)
			take_protocols(p, e, &all.protocols);
		take_addresses(p, e, &all);
		if (all.has_observed_addr)
			take_observed(p, e, all.observed_addr);
		e->identified = true;
	}
	guts_arena_deinit(&arena);
	return err == GUTS_EAGAIN ? GUTS_EPROTO : err;
}

static size_t
on_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct identify_job *j = owner;

	if (guts_buf_add_slice(&j->in, data) == 0)
		return data.n;
	job_free(j);
	guts_stream_reset(s, 0);
	return data.n;
}

static void
on_eof(void *owner, struct guts_stream *s)
{
	struct identify_job *j = owner;
	struct guts_peers *p = j->p;
	struct guts_peerid id = j->id;
	struct peer_entry *e = peers_find(p, &id);
	int err = GUTS_ECLOSED;

	if (e)
		err = take_message(p, e, guts_buf_slice(&j->in));
	guts_stream_set_events(s, NULL, NULL);
	job_free(j);
	guts_stream_finish(s);
	if (!e)
		return;
	if (err) {
		/* Over a cap of ours is no fault of the peer's. */
		if (err == GUTS_EPROTO || err == GUTS_ESIG)
			guts_peers_offend(p, &id, GUTS_OFFENCE_IDENTIFY, 1);
		return;
	}
	peers_wake(p);
	if (p->ev->identified)
		p->ev->identified(p->owner, &id);
}

static void
on_closed(void *owner, struct guts_stream *s, int err)
{
	(void)s;
	(void)err;
	job_free(owner);
}

static void
on_timeout(struct guts_timer *t, void *owner)
{
	struct identify_job *j = owner;
	struct guts_stream *s = j->s;

	(void)t;
	job_free(j);
	guts_stream_reset(s, 0);
}

static const struct guts_stream_events read_events = { .data = on_data, .eof = on_eof, .closed = on_closed };

static struct identify_job *
job_new(struct guts_peers *p, const struct guts_peerid *id)
{
	struct identify_job *j = guts_alloc(sizeof(*j));

	j->p = p;
	j->id = *id;
	guts_buf_init(&j->in, GUTS_IDENTIFY_RECV_MAX);
	j->timer = (struct guts_timer){ .fire = on_timeout, .owner = j, .at_ns = GUTS_NEVER };
	DL_APPEND(p->identify_jobs, j);
	guts_env_timer_set(p->env, &j->timer, guts_env_now(p->env) + IDENTIFY_NS);
	return j;
}

void
identify_ask(struct guts_peers *p, struct peer_entry *e)
{
	static const char *const names[] = { PEERS_ID_IDENTIFY };
	struct identify_job *j = job_new(p, &e->id);

	if (guts_link_open_stream(e->active->link, names, 1, &read_events, j, &j->s) != 0) {
		job_free(j);
		return;
	}
	guts_stream_set_prio(j->s, GUTS_PRIO_CONTROL);
	guts_stream_finish(j->s);
}

/* --- telling --- */

static void
add_record(struct guts_peers *p, const struct guts_maddr *addrs, size_t n, struct guts_buf *out)
{
	struct guts_peerrecord *r = guts_alloc(sizeof(*r));
	uint64_t seq = guts_env_wall(p->env) / GUTS_MS_NS;

	/* Must grow, whatever the clock does. */
	p->record_seq = seq > p->record_seq ? seq : p->record_seq + 1;
	r->seq = p->record_seq;
	for (size_t i = 0; i < n && i < GUTS_IDENTIFY_ADDRS_MAX; i++)
		r->addrs[r->naddrs++] = addrs[i];
	guts_peerrecord_make(out, p->cfg.key, r);
	free(r);
}

/* The framed message for the peer at the other end of `l`. */
static int
make_message(struct guts_peers *p, struct guts_link *l, struct guts_buf *out)
{
	const struct guts_maddr *remote = guts_link_remote(l);
	struct guts_maddr addrs[GUTS_PEER_ADDRS_MAX];
	struct guts_slice addr_views[GUTS_PEER_ADDRS_MAX], names[GUTS_PEERS_PROTOCOLS_MAX];
	uint8_t pub[GUTS_PUBKEY_PB_SIZE];
	struct guts_buf record;
	size_t n = listen_addresses_for(p, guts_maddr_is_loopback(remote), addrs, GUTS_PEER_ADDRS_MAX);
	struct guts_identify m = {
		.has_public_key = true,
		.public_key = guts_slice(pub, sizeof(pub)),
		.listen_addrs = { addr_views, n },
		.protocols = { names, 0 },
		.has_observed_addr = true,
		.observed_addr = guts_maddr_slice(remote),
		.has_protocol_version = true,
		.protocol_version = guts_slice_str(PROTOCOL_VERSION),
		.has_agent_version = true,
		.agent_version = guts_slice_str(p->cfg.agent),
	};
	int err;

	guts_pubkey_encode(pub, p->cfg.key->pub);
	for (size_t i = 0; i < n; i++)
		addr_views[i] = guts_maddr_slice(&addrs[i]);
	for (size_t i = 0; i < GUTS_PEERS_PROTOCOLS_MAX; i++)
		if (p->protocols[i])
			names[m.protocols.n++] = guts_slice_str(p->protocols[i]->id);
	guts_buf_init(&record, GUTS_PEERRECORD_MAX);
	add_record(p, addrs, n, &record);
	m.signed_peer_record = guts_buf_slice(&record);
	m.has_signed_peer_record = record.len > 0 && !record.failed;
	err = guts_pb_encode_framed(&guts_identify_desc, &m, out);
	if (err && m.has_signed_peer_record) {
		/* Too long with both: the bare addresses are enough. */
		guts_buf_clear(out);
		m.has_signed_peer_record = false;
		err = guts_pb_encode_framed(&guts_identify_desc, &m, out);
	}
	guts_buf_deinit(&record);
	return err;
}

/* Send it and end our direction. */
static int
tell(struct guts_peers *p, struct guts_stream *s)
{
	struct guts_buf out;
	int err;

	guts_buf_init(&out, GUTS_IDENTIFY_SEND_MAX);
	err = make_message(p, guts_stream_link(s), &out);
	if (!err)
		err = guts_stream_send(s, guts_buf_slice(&out));
	if (!err)
		guts_stream_finish(s);
	guts_buf_deinit(&out);
	return err;
}

static size_t
ignore_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	(void)owner;
	(void)s;
	return data.n;
}

static const struct guts_stream_events told_events = { .data = ignore_data };

static bool
serve_identify(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	(void)proto;
	guts_stream_set_events(s, &told_events, NULL);
	return tell(owner, s) == 0;
}

static bool
serve_push(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	struct identify_job *j = job_new(owner, guts_stream_peer(s));

	(void)proto;
	j->s = s;
	guts_stream_set_events(s, &read_events, j);
	return true;
}

void
identify_push_all(struct guts_peers *p)
{
	static const char *const names[] = { PEERS_ID_PUSH };
	struct peer_entry *e, *tmp;

	HASH_ITER(hh, p->entries, e, tmp) {
		struct guts_stream *s;

		if (!e->identified || !entry_speaks(e, PEERS_ID_PUSH))
			continue;
		if (guts_link_open_stream(e->active->link, names, 1, &told_events, NULL, &s) == 0 && tell(p, s) != 0)
			guts_stream_reset(s, 0);
	}
}

void
identify_init(struct guts_peers *p)
{
	p->own[0] = (struct guts_protocol){
		.id = PEERS_ID_IDENTIFY,
		.inbound_max = 4,
		.prio = GUTS_PRIO_CONTROL,
		.on_stream = serve_identify,
		.owner = p,
	};
	p->own[1] = (struct guts_protocol){
		.id = PEERS_ID_PUSH,
		.inbound_max = 4,
		.prio = GUTS_PRIO_CONTROL,
		.on_stream = serve_push,
		.owner = p,
	};
	guts_peers_handle(p, &p->own[0]);
	guts_peers_handle(p, &p->own[1]);
}

void
identify_deinit(struct guts_peers *p)
{
	while (p->identify_jobs)
		job_free(p->identify_jobs);
}
