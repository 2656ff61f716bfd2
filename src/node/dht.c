/* node/dht.c - Kademlia on streams.
 *
 * The protocol object (discover/kad) says what to ask whom; here a request finds its link: an open one, or one that
 * is dialled for it.  Requests to one peer go one after another on one stream, whose answers come in the same order; a
 * stream that was idle for long is not used again, because others close such.  What peers ask comes on their own streams
 * and is answered at once.
 */
#include "node/dht_int.h"

#include "base/alloc.h"
#include "wire/varint.h"

#include <stdlib.h>

#define IDLE_NS (5 * GUTS_SECOND_NS)    /* an own stream unused for so long is replaced: js-libp2p ends it at 10 s */
#define STUCK_NS (5 * GUTS_SECOND_NS)   /* nobody waits for an answer this old: the stream is stuck */
#define INBOUND_MAX 8                   /* streams of one peer */

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct guts_dht *d = owner;
	uint64_t now = guts_env_now(d->node->env);

	(void)t;
	guts_kad_tick(d->kad, guts_env_wall(d->node->env), now);
	dht_use_tick(d, now);
	dht_pump(d);
}

static void
arm(struct guts_dht *d)
{
	uint64_t at = guts_kad_deadline(d->kad), use = dht_use_deadline(d);

	guts_env_timer_set(d->node->env, &d->timer, use < at ? use : at);
}

/* -- requests ------------------------------------------------------------------------------------ */

static struct dht_peer *
peer_get(struct guts_dht *d, const struct guts_peerid *id)
{
	struct dht_peer *p;

	HASH_FIND(hh, d->peers, id, sizeof *id, p);
	if (p)
		return p;
	p = guts_alloc(sizeof *p);
	p->dht = d;
	p->id = *id;
	HASH_ADD(hh, d->peers, id, sizeof p->id, p);
	return p;
}

static void
request_free(struct dht_request *r)
{
	DL_DELETE(r->peer->requests, r);
	HASH_DEL(r->peer->dht->requests, r);
	guts_buf_deinit(&r->frame);
	free(r);
}

/* Tell the object how each ended; those that a stream took down may be tried once more. */
static void
fail_all(struct dht_peer *p, int err, bool retry)
{
	struct guts_kad *k = p->dht->kad;
	uint64_t now = guts_env_now(p->dht->node->env);

	while (p->requests) {
		uint64_t number = p->requests->number;
		bool again = retry && p->requests->is_sent;

		request_free(p->requests);
		if (again)
			guts_kad_retry(k, number, now);
		else
			guts_kad_failed(k, number, err, now);
	}
}

static void
peer_free(struct dht_peer *p)
{
	if (p->out)
		guts_stream_reset(p->out, 0);
	while (p->requests)
		request_free(p->requests);
	HASH_DEL(p->dht->peers, p);
	free(p);
}

/* One answer; false = there is no such question. */
static bool
out_frame(struct dht_peer *p, struct guts_slice message)
{
	struct guts_env *env = p->dht->node->env;
	struct dht_request *r = p->requests;
	uint64_t number;

	if (!r || !r->is_sent)
		return false;
	number = r->number;
	request_free(r);
	p->has_answered = true;
	guts_kad_answer(p->dht->kad, number, message, guts_env_wall(env), guts_env_now(env));
	return true;
}

static void
out_end(struct dht_peer *p, int err)
{
	bool retry = p->has_answered;

	p->out = NULL;
	p->has_answered = false;
	fail_all(p, err, retry);
	dht_pump(p->dht);
}

static size_t
out_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct dht_peer *p = owner;
	struct guts_slice frame;
	size_t used = 0, n;
	int err;

	while ((err = guts_frame_read(guts_slice(data.p + used, data.n - used), GUTS_KAD_RECV_MAX, &frame, &n)) == 0) {
		used += n;
		if (!out_frame(p, frame)) {
			err = GUTS_EPROTO;
			break;
		}
	}
	if (err != GUTS_EAGAIN) {
		guts_offence_dht(p->dht->node, &p->id, err);
		guts_stream_reset(s, 0);
		out_end(p, err);
		return data.n;
	}
	dht_pump(p->dht);
	return used;
}

static void
out_eof(void *owner, struct guts_stream *s)
{
	guts_stream_reset(s, 0);
	out_end(owner, GUTS_ECLOSED);
}

static void
out_closed(void *owner, struct guts_stream *s, int err)
{
	(void)s;
	out_end(owner, err ? err : GUTS_ECLOSED);
}

static const struct guts_stream_events out_events = { .data = out_data, .eof = out_eof, .closed = out_closed };

/* A stream to send on: the one in use, or a new one. */
static int
out_stream(struct dht_peer *p, uint64_t now)
{
	const char *name = p->dht->name;
	int err;

	if (p->out && now >= p->used_ns + IDLE_NS && !(p->requests && p->requests->is_sent)) {
		guts_stream_reset(p->out, 0);
		p->out = NULL;
	}
	p->used_ns = now;
	if (p->out)
		return GUTS_OK;
	p->has_answered = false;
	err = guts_peers_open_stream(p->dht->node->peers, &p->id, &name, 1, &out_events, p, &p->out);
	if (err)
		p->out = NULL;
	else
		guts_stream_set_prio(p->out, GUTS_PRIO_MESSAGE);
	return err;
}

/* The peer is connected: send what waits. */
static void
flush(struct dht_peer *p)
{
	uint64_t now = guts_env_now(p->dht->node->env);
	struct dht_request *r, *tmp;
	int err = out_stream(p, now);

	if (err) {
		fail_all(p, err, false);
		return;
	}
	DL_FOREACH_SAFE (p->requests, r, tmp) {
		uint64_t number = r->number;

		if (r->is_sent)
			continue;
		err = guts_stream_send(p->out, guts_buf_slice(&r->frame));
		guts_buf_deinit(&r->frame);
		r->is_sent = true;
		r->sent_ns = now;
		if (!err && r->is_answered)
			continue;
		request_free(r);
		if (err)
			guts_kad_failed(p->dht->kad, number, err == GUTS_ELIMIT ? GUTS_EBUSY : err, now);
		else
			guts_kad_sent(p->dht->kad, number, now);
	}
}

int
dht_dial(struct guts_dht *d, const struct guts_kad_contact *c)
{
	struct guts_node *n = d->node;
	struct guts_book_source source = { .via = GUTS_BOOK_DHT, .teller = c->told_by };
	struct guts_peer_state *st = guts_alloc(sizeof *st);
	struct guts_maddr addr;
	int err;

	if (c->told_by.n && guts_peers_state(n->peers, &c->told_by, st) == 0)
		source.group = guts_netgroup_of(&st->remote);
	free(st);
	for (size_t i = 0; i < c->n_addrs; i++)
		(void)guts_book_add(guts_peers_book(n->peers), &c->id, &c->addrs[i], &source, guts_env_wall(n->env));
	if (c->n_addrs == 0)
		return guts_peers_connect_id(n->peers, &c->id);
	addr = c->addrs[0];
	err = guts_maddr_add_peer(&addr, guts_peerid_slice(&c->id));
	return err ? err : guts_peers_reach(n->peers, &addr);
}

static void
send_request(struct guts_dht *d, const struct guts_kad_out *o)
{
	struct dht_peer *p = peer_get(d, &o->to.id);
	struct dht_request *r = guts_alloc(sizeof *r);
	int err = GUTS_OK;

	r->number = o->request;
	r->peer = p;
	r->is_answered = o->is_answered;
	guts_buf_init(&r->frame, o->frame.n);
	guts_buf_add_slice(&r->frame, o->frame);
	DL_APPEND(p->requests, r);
	HASH_ADD(hh, d->requests, number, sizeof r->number, r);
	if (guts_peers_is_connected(d->node->peers, &p->id)) {
		flush(p);
		return;
	}
	err = dht_dial(d, &o->to);
	if (err && err != GUTS_EEXIST) {
		fail_all(p, err, false);
		peer_free(p);
		return;
	}
	p->is_dialled = true;
}

/* Nobody waits for it any more.  A sent one keeps its turn, unless its peer seems to be stuck. */
static void
drop_request(struct guts_dht *d, uint64_t number)
{
	uint64_t now = guts_env_now(d->node->env);
	struct dht_request *r;
	struct dht_peer *p;

	HASH_FIND(hh, d->requests, &number, sizeof number, r);
	if (!r)
		return;
	p = r->peer;
	if (!r->is_sent) {
		request_free(r);
		if (!p->requests && !guts_peers_is_connected(d->node->peers, &p->id))
			peer_free(p);
	} else if (now >= r->sent_ns + STUCK_NS && p->out) {
		guts_stream_reset(p->out, 0);
		p->out = NULL;
		request_free(r);
		fail_all(p, GUTS_ETIMEOUT, true);
	}
}

void
dht_pump(struct guts_dht *d)
{
	struct guts_kad_out *o;

	if (d->is_pumping)
		return;
	d->is_pumping = true;
	o = guts_alloc(sizeof *o);
	while (guts_kad_next(d->kad, o)) {
		if (o->is_drop)
			drop_request(d, o->request);
		else
			send_request(d, o);
	}
	free(o);
	d->is_pumping = false;
	arm(d);
}

/* -- serving --------------------------------------------------------------------------------------- */

static size_t
in_data(void *owner, struct guts_stream *s, struct guts_slice data)
{
	struct guts_dht *d = owner;
	struct guts_env *env = d->node->env;
	struct guts_peerid from = *guts_stream_peer(s);
	struct guts_slice frame;
	struct guts_buf out;
	size_t used = 0, n;
	int err;

	guts_buf_init(&out, GUTS_KAD_RECV_MAX);
	while ((err = guts_frame_read(guts_slice(data.p + used, data.n - used), GUTS_KAD_RECV_MAX, &frame, &n)) == 0) {
		used += n;
		guts_buf_clear(&out);
		err = guts_kad_serve(d->kad, &from, frame, &out, guts_env_wall(env), guts_env_now(env));
		if (!err && out.len)
			err = guts_stream_send(s, guts_buf_slice(&out)); /* full: it does not read its answers */
		if (err)
			break;
	}
	guts_buf_deinit(&out);
	if (err != GUTS_EAGAIN) {
		guts_stream_reset(s, 0);
		used = data.n;
	}
	dht_pump(d);
	return used;
}

static void
in_eof(void *owner, struct guts_stream *s)
{
	(void)owner;
	guts_stream_finish(s);
}

static const struct guts_stream_events in_events = { .data = in_data, .eof = in_eof };

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *p)
{
	(void)p;
	guts_stream_set_events(s, &in_events, owner);
	return true;
}

static void
serve(struct guts_dht *d)
{
	if (d->is_serving || !d->is_running || d->node->s.dht_mode == GUTS_DHT_CLIENT)
		return;
	d->is_serving = true;
	guts_kad_set_server(d->kad, true);
	(void)guts_peers_handle(d->node->peers, &d->protocol);
}

/* -- facts of the peer manager ------------------------------------------------------------------------- */

static void
tell_peer(struct guts_dht *d, const struct guts_peerid *id, bool is_identified)
{
	struct guts_peer_state *st = guts_alloc(sizeof *st);
	struct guts_kad_contact *c = guts_alloc(sizeof *c);
	enum guts_kad_role role = GUTS_KAD_UNKNOWN;

	if (guts_peers_state(d->node->peers, id, st) == 0) {
		c->id = *id;
		for (size_t i = 0; i < st->n_addrs && i < GUTS_KAD_CONTACT_ADDRS; i++)
			c->addrs[c->n_addrs++] = st->addrs[i];
		if (is_identified)
			role = guts_peers_speaks(d->node->peers, id, d->name) ? GUTS_KAD_SERVER : GUTS_KAD_CLIENT;
		guts_kad_peer_up(d->kad, c, &st->remote, role, guts_env_now(d->node->env));
	}
	free(st);
	free(c);
}

void
guts_dht_connected(struct guts_node *n, const struct guts_peerid *id, bool inbound)
{
	struct guts_dht *d = n->dht;
	struct dht_peer *p;

	if (!d->kad)
		return;
	if (inbound) /* others reach us */
		serve(d);
	tell_peer(d, id, false);
	HASH_FIND(hh, d->peers, id, sizeof *id, p);
	if (p && p->requests)
		flush(p);
	if (d->is_running)
		dht_pump(d);
}

void
guts_dht_identified(struct guts_node *n, const struct guts_peerid *id)
{
	if (!n->dht->kad)
		return;
	tell_peer(n->dht, id, true);
	if (n->dht->is_running)
		dht_pump(n->dht);
}

void
guts_dht_gone(struct guts_node *n, const struct guts_peerid *id)
{
	struct guts_dht *d = n->dht;
	struct dht_peer *p;

	if (!d->kad)
		return;
	guts_kad_peer_down(d->kad, id, guts_env_now(n->env));
	HASH_FIND(hh, d->peers, id, sizeof *id, p);
	if (p) {
		p->out = NULL; /* it was told that it is closed */
		fail_all(p, GUTS_ECLOSED, false);
		peer_free(p);
	}
	if (d->is_running)
		dht_pump(d);
}

void
guts_dht_unreached(struct guts_node *n, const struct guts_peerid *id, int err)
{
	struct guts_dht *d = n->dht;
	struct dht_peer *p;

	HASH_FIND(hh, d->peers, id, sizeof *id, p);
	if (!p || guts_peers_is_connected(n->peers, id))
		return;
	fail_all(p, err, false);
	peer_free(p);
	dht_pump(d);
}

void
guts_dht_addresses(struct guts_node *n)
{
	struct guts_maddr addrs[GUTS_PEERS_LISTEN_MAX];
	size_t count;

	if (!n->dht->is_running)
		return;
	count = guts_peers_addresses(n->peers, addrs, GUTS_PEERS_LISTEN_MAX);
	guts_kad_set_addresses(n->dht->kad, addrs, count);
	for (size_t i = 0; i < count; i++)
		if (!guts_maddr_is_private(&addrs[i]))
			serve(n->dht);
	dht_addresses_changed(n->dht);
	dht_pump(n->dht);
}

/* -- life ------------------------------------------------------------------------------------------------ */

static int
on_value(void *owner, struct guts_slice key, struct guts_buf *out)
{
	return dht_value(owner, key, out);
}

static void
on_offence(void *owner, const struct guts_peerid *peer, int err, const char *what)
{
	struct guts_dht *d = owner;

	guts_log_limited(GUTS_LOG_DEBUG, "dht", "a peer broke a rule: %s: %s", what, guts_err_text(err));
	guts_offence_dht(d->node, peer, err);
}

static const struct guts_kad_events kad_events = { .value = on_value, .offence = on_offence };

void
guts_dht_new(struct guts_node *n)
{
	struct guts_kad_config cfg = { .allow_private = n->s.dht_private };
	struct guts_dht *d = guts_alloc(sizeof *d);
	uint64_t seed;

	n->dht = d;
	d->node = n;
	d->timer = (struct guts_timer){ .fire = on_timer, .owner = d };
	guts_buf_init(&d->record, GUTS_PEERRECORD_MAX);
	if (n->s.dht_mode == GUTS_DHT_OFF)
		return;
	if (n->s.dht_protocol && n->s.dht_protocol[0])
		snprintf(d->name, sizeof d->name, "%s", n->s.dht_protocol);
	else if (strcmp(n->network, "main") == 0)
		snprintf(d->name, sizeof d->name, "/guts/kad/1.0.0");
	else
		snprintf(d->name, sizeof d->name, "/guts/%s/kad/1.0.0", n->network);
	d->protocol = (struct guts_protocol){ .id = d->name, .inbound_max = INBOUND_MAX, .prio = GUTS_PRIO_MESSAGE,
		.on_stream = on_stream, .owner = d };
	guts_env_random(n->env, &seed, sizeof seed);
	guts_rng_seed(&d->rng, seed);
	d->kad = guts_kad_new(&cfg, &n->s.key.id, seed, &kad_events, d, guts_env_now(n->env));
}

void
guts_dht_start(struct guts_node *n)
{
	struct guts_dht *d = n->dht;
	struct guts_buf saved;

	if (!d->kad)
		return;
	d->is_running = true;
	guts_buf_init(&saved, GUTS_STORE_VALUE_MAX);
	if (guts_store_get(n->s.store, GUTS_TABLE_BOOK, guts_slice_str(DHT_TABLE_KEY), &saved) == 0)
		guts_kad_load(d->kad, guts_buf_slice(&saved), guts_env_now(n->env));
	guts_buf_deinit(&saved);
	if (n->s.dht_mode == GUTS_DHT_SERVER)
		serve(d);
	dht_use_start(d);
	guts_dht_addresses(n);
	dht_pump(d);
}

void
guts_dht_stop(struct guts_node *n)
{
	struct guts_dht *d = n->dht;

	d->is_running = false;
	guts_env_timer_clear(n->env, &d->timer);
	while (d->peers)
		peer_free(d->peers);
	while (d->commands) {
		struct dht_command *c = d->commands;

		DL_DELETE(d->commands, c);
		c->done(c->owner, GUTS_ECANCELED, NULL);
		free(c);
	}
}

void
guts_dht_free(struct guts_node *n)
{
	struct guts_dht *d = n->dht;

	guts_kad_free(d->kad);
	dht_use_free(d);
	guts_buf_deinit(&d->record);
	free(d);
}
