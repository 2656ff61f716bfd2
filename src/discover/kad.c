/* discover/kad.c - the Kademlia object: connected peers, requests under way, time.
 *
 * Every public function is a bracket of kad_enter and kad_leave; what callers are told waits
 * until the outermost bracket closes, so that they meet a whole object.
 */
#include "discover/kad_int.h"

#include <assert.h>

#define CHECK_NS (60 * KAD_SECOND) /* expiry, silent contacts */

static void
default_t(uint64_t *v, uint64_t value)
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
default_u(unsigned *v, unsigned value)
{
	if (*v == 0)
		*v = value;
}

static void
fill_config(struct guts_kad_config *c)
{
	const uint64_t hour = 3600 * KAD_SECOND;

	default_u(&c->alpha, 10);
	default_u(&c->paths, 5);
	default_t(&c->request_ns, 10 * KAD_SECOND);
	default_t(&c->lookup_ns, 60 * KAD_SECOND);
	default_t(&c->refresh_ns, 600 * KAD_SECOND);
	default_t(&c->provider_ttl_ns, 48 * hour);
	default_t(&c->address_ttl_ns, 24 * hour);
	default_t(&c->value_ttl_ns, 48 * hour);
	default_t(&c->republish_ns, 22 * hour);
	default_t(&c->publish_gap_ns, KAD_SECOND / 5);
	default_u(&c->requests_per_s, 500);
	default_u(&c->requests_burst, 2000);
	default_n(&c->lookups_max, 64);
	default_n(&c->providers_max, 16384);
	default_n(&c->providers_per_key_max, 128);
	default_n(&c->providers_per_peer_max, 4096);
	default_n(&c->provider_bytes_max, 8u << 20);
	default_n(&c->values_max, 4096);
	default_n(&c->values_per_peer_max, 256);
	default_n(&c->value_bytes_max, 8u << 20);
	default_u(&c->bucket_group_max, 3);
	default_u(&c->table_group_max, 10);
	assert(c->paths <= c->alpha && c->paths <= GUTS_KAD_K);
}

struct guts_kad *
guts_kad_new(const struct guts_kad_config *cfg, const struct guts_peerid *self, uint64_t seed,
	     const struct guts_kad_events *ev, void *owner, uint64_t now)
{
	struct guts_kad *k = guts_alloc(sizeof *k);
	struct guts_kad_message m = {.type = GUTS_KAD_FIND_NODE, .has_type = true};

	if (cfg)
		k->cfg = *cfg;
	fill_config(&k->cfg);
	k->self = *self;
	kad_place_of(&k->place, guts_peerid_slice(self));
	k->ev = ev;
	k->owner = owner;
	k->now = now;
	guts_rng_seed(&k->rng, seed);
	k->refresh_ns = k->publish_ns = k->gifts_ns = KAD_NEVER;
	k->check_ns = now + CHECK_NS;
	guts_buf_init(&k->check_frame, GUTS_KAD_MESSAGE_MAX);
	m.key = guts_peerid_slice(&k->self);
	(void)kad_frame(&k->check_frame, &m);
	return k;
}

static void
peer_free(struct guts_kad *k, struct kad_peer *p)
{
	HASH_DEL(k->peers, p);
	kad_addrs_free(&p->addrs);
	free(p);
}

void
guts_kad_free(struct guts_kad *k)
{
	if (!k)
		return;
	while (k->lookups)
		kad_lookup_free(k, k->lookups);
	while (k->over)
		kad_lookup_free(k, k->over);
	while (k->requests)
		kad_request_free(k, k->requests);
	while (k->peers)
		peer_free(k, k->peers);
	kad_table_free(k);
	kad_publish_free(k);
	kad_store_free(k);
	kad_addrs_free(&k->addrs);
	guts_buf_deinit(&k->check_frame);
	free(k->drops);
	free(k);
}

void
kad_enter(struct guts_kad *k, uint64_t now)
{
	k->depth++;
	if (now > k->now)
		k->now = now;
}

void
kad_leave(struct guts_kad *k)
{
	assert(k->depth > 0);
	if (k->depth == 1)
		kad_lookup_finish(k);
	k->depth--;
}

void
kad_blame(struct guts_kad *k, const struct guts_peerid *peer, int err, const char *what)
{
	if (k->ev->offence)
		k->ev->offence(k->owner, peer, err, what);
}

int
kad_frame(struct guts_buf *out, const struct guts_kad_message *m)
{
	return guts_pb_encode_framed(&guts_kad_message_desc, m, out);
}

int
kad_frame_record(struct guts_kad *k, struct guts_buf *out, struct guts_slice key,
		 struct guts_slice value)
{
	struct guts_kad_message m = {.has_type = true, .key = key};
	struct guts_kad_peer self = {.id = guts_peerid_slice(&k->self),
				     .connection = GUTS_KAD_CONNECTED};
	struct guts_arena arena;
	int err;

	guts_arena_init(&arena, KAD_ARENA_MAX);
	if (kad_key_is_value(key)) {
		m.type = GUTS_KAD_PUT_VALUE;
		m.has_record = true;
		m.record = (struct guts_kad_record){.key = key, .value = value};
	} else {
		m.type = GUTS_KAD_ADD_PROVIDER;
		self.addrs = kad_addrs_list(k, &k->addrs, KAD_LOOPBACK, &arena);
		m.providers.v = &self;
		m.providers.n = 1;
	}
	err = kad_frame(out, &m);
	guts_arena_deinit(&arena);
	return err;
}

/* --- facts ----------------------------------------------------------------- */

void
guts_kad_set_server(struct guts_kad *k, bool is_server)
{
	k->cfg.is_server = is_server;
}

bool
guts_kad_is_server(const struct guts_kad *k)
{
	return k->cfg.is_server;
}

void
guts_kad_set_addresses(struct guts_kad *k, const struct guts_maddr *addrs, size_t n)
{
	kad_addrs_free(&k->addrs);
	for (size_t i = 0; i < n; i++)
		kad_addrs_add(k, &k->addrs, &addrs[i], KAD_LOOPBACK);
}

struct kad_peer *
kad_peer_find(const struct guts_kad *k, const struct guts_peerid *id)
{
	struct kad_peer *p;

	HASH_FIND(hh, k->peers, id, sizeof *id, p);
	return p;
}

enum kad_reach
kad_peer_reach(const struct guts_kad *k, const struct guts_peerid *id)
{
	const struct kad_peer *p = kad_peer_find(k, id);

	return p ? p->reach : KAD_PUBLIC;
}

/* It serves the protocol: ask it something before it is told to others, and give it what it is
 * close to. */
static void
server_up(struct guts_kad *k, struct kad_peer *p)
{
	struct kad_contact *c = kad_table_add(k, &p->id, &p->addrs, &p->group);

	if (!c || c->is_connected)
		return;
	c->is_connected = true;
	if (!c->is_checked) {
		c->is_checked = true;
		kad_request_new(k, &c->id, &c->addrs, true);
	}
	kad_publish_newcomer(k, c);
}

void
guts_kad_peer_up(struct guts_kad *k, const struct guts_kad_contact *c,
		 const struct guts_maddr *remote, enum guts_kad_role role, uint64_t now)
{
	struct kad_peer *p = kad_peer_find(k, &c->id);
	struct kad_contact *known;

	if (guts_peerid_eq(&c->id, &k->self))
		return;
	kad_enter(k, now);
	if (!p) {
		p = guts_alloc(sizeof *p);
		p->id = c->id;
		guts_ratelimit_init(&p->rate, k->cfg.requests_per_s, k->cfg.requests_burst);
		HASH_ADD(hh, k->peers, id, sizeof p->id, p);
	}
	p->reach = kad_reach_of(remote);
	p->group = guts_netgroup_of(remote);
	kad_addrs_free(&p->addrs);
	for (size_t i = 0; i < c->n_addrs; i++)
		kad_addrs_add(k, &p->addrs, &c->addrs[i], p->reach);
	known = kad_table_find(k, &c->id);
	if (role == GUTS_KAD_SERVER)
		server_up(k, p);
	else if (role == GUTS_KAD_CLIENT && known)
		kad_table_remove(k, known);
	kad_leave(k);
}

void
guts_kad_peer_down(struct guts_kad *k, const struct guts_peerid *id, uint64_t now)
{
	struct kad_contact *c = kad_table_find(k, id);
	struct kad_peer *p = kad_peer_find(k, id);

	kad_enter(k, now);
	if (p)
		peer_free(k, p);
	if (c)
		c->is_connected = false;
	kad_leave(k);
}

/* --- requests -------------------------------------------------------------- */

struct kad_request *
kad_request_new(struct guts_kad *k, const struct guts_peerid *to, const struct kad_addrs *addrs,
		bool is_answered)
{
	struct kad_request *r = guts_alloc(sizeof *r);

	r->number = ++k->last_number;
	r->to = *to;
	r->is_answered = is_answered;
	kad_addrs_copy(&r->addrs, addrs);
	guts_buf_init(&r->frame, GUTS_KAD_MESSAGE_MAX);
	HASH_ADD(hh, k->requests, number, sizeof r->number, r);
	DL_APPEND(k->queue, r);
	k->n_requests++;
	return r;
}

static void
add_drop(struct guts_kad *k, uint64_t number)
{
	if (k->n_drops == k->drops_size) {
		k->drops_size = k->drops_size ? 2 * k->drops_size : 16;
		k->drops = guts_realloc(k->drops, k->drops_size * sizeof *k->drops);
	}
	k->drops[k->n_drops++] = number;
}

/* Take it out of everything; who waits on the wire is told only if it is dropped. */
static void
request_end(struct guts_kad *k, struct kad_request *r)
{
	if (r->is_sent)
		DL_DELETE(k->sent, r);
	else
		DL_DELETE(k->queue, r);
	if (r->lookup)
		DL_DELETE2(r->lookup->requests, r, lprev, lnext);
	HASH_DEL(k->requests, r);
	k->n_requests--;
	kad_addrs_free(&r->addrs);
	guts_buf_deinit(&r->frame);
	free(r);
}

void
kad_request_free(struct guts_kad *k, struct kad_request *r)
{
	if (r->is_sent)
		add_drop(k, r->number);
	request_end(k, r);
}

bool
guts_kad_next(struct guts_kad *k, struct guts_kad_out *out)
{
	struct kad_request *r = k->queue;
	const struct kad_peer *p;

	assert(k->depth == 0);
	if (k->n_drops > 0) {
		*out = (struct guts_kad_out){.is_drop = true, .request = k->drops[--k->n_drops]};
		return true;
	}
	if (!r)
		return false;
	DL_DELETE(k->queue, r);
	DL_APPEND(k->sent, r);
	r->is_sent = true;
	r->sent_ns = k->now;
	r->until_ns = k->now + k->cfg.request_ns;
	k->stats.sent++;
	p = kad_peer_find(k, &r->to);
	out->is_drop = false;
	out->request = r->number;
	out->is_answered = r->is_answered;
	out->frame = guts_buf_slice(r->frame.len ? &r->frame
				    : r->lookup  ? &r->lookup->frame
						 : &k->check_frame);
	kad_contact_out(&out->to, &r->to, p && p->addrs.n ? &p->addrs : &r->addrs);
	out->to.told_by = r->told_by;
	return true;
}

static struct kad_request *
request_find(const struct guts_kad *k, uint64_t number)
{
	struct kad_request *r;

	HASH_FIND(hh, k->requests, &number, sizeof number, r);
	return r && r->is_sent ? r : NULL;
}

/* Whoever answers on the protocol is a server. */
static void
note_answer(struct guts_kad *k, const struct kad_request *r)
{
	static const struct guts_netgroup none;
	const struct kad_peer *p = kad_peer_find(k, &r->to);
	struct kad_contact *c = kad_table_find(k, &r->to);

	if (!c)
		c = kad_table_add(k, &r->to, p && p->addrs.n ? &p->addrs : &r->addrs,
				  p ? &p->group : &none);
	if (!c)
		return;
	if (!r->lookup)
		c->is_checked = false;
	c->is_connected = p != NULL;
	kad_table_answered(k, c, k->now - r->sent_ns);
}

static void
request_failed(struct guts_kad *k, struct kad_request *r, int err)
{
	struct kad_lookup *l = r->lookup;
	struct guts_peerid to = r->to;
	struct kad_contact *c = kad_table_find(k, &to);

	k->stats.failed++;
	k->stats.timed_out += err == GUTS_ETIMEOUT;
	if (c && !l)
		c->is_checked = false;
	if (c && err == GUTS_EUNSUPPORTED)
		kad_table_remove(k, c);
	else if (err != GUTS_EBUSY) /* our own lack of slots is not its fault */
		kad_table_failed(k, &to);
	request_end(k, r);
	if (l)
		kad_lookup_failed(k, l, &to, err);
}

void
guts_kad_answer(struct guts_kad *k, uint64_t request, struct guts_slice message, uint64_t wall_ns,
		uint64_t now)
{
	struct kad_request *r = request_find(k, request);
	struct guts_kad_message m;
	struct kad_lookup *l;
	struct guts_peerid from;
	struct guts_arena arena;
	int err;

	if (!r)
		return;
	kad_enter(k, now);
	k->wall_ns = wall_ns;
	guts_arena_init(&arena, KAD_ARENA_MAX);
	err = message.n > GUTS_KAD_RECV_MAX
		      ? GUTS_ELIMIT
		      : guts_pb_decode(&guts_kad_message_desc, message, &m, &arena);
	if (err) {
		kad_blame(k, &r->to, err, "answer on the DHT");
		request_failed(k, r, err);
	} else {
		k->stats.answered++;
		note_answer(k, r);
		from = r->to;
		l = r->lookup;
		request_end(k, r);
		if (l)
			kad_lookup_answer(k, l, &from, &m);
	}
	guts_arena_deinit(&arena);
	kad_leave(k);
}

void
guts_kad_sent(struct guts_kad *k, uint64_t request, uint64_t now)
{
	struct kad_request *r = request_find(k, request);
	struct kad_lookup *l;

	if (!r)
		return;
	kad_enter(k, now);
	l = r->lookup;
	request_end(k, r);
	if (l)
		kad_lookup_sent(k, l);
	kad_leave(k);
}

void
guts_kad_failed(struct guts_kad *k, uint64_t request, int err, uint64_t now)
{
	struct kad_request *r = request_find(k, request);

	if (!r)
		return;
	kad_enter(k, now);
	request_failed(k, r, err);
	kad_leave(k);
}

void
guts_kad_retry(struct guts_kad *k, uint64_t request, uint64_t now)
{
	struct kad_request *r = request_find(k, request);

	if (!r)
		return;
	kad_enter(k, now);
	if (r->is_retried) {
		request_failed(k, r, GUTS_ECLOSED);
	} else {
		r->is_retried = true;
		r->is_sent = false;
		DL_DELETE(k->sent, r);
		DL_APPEND(k->queue, r);
	}
	kad_leave(k);
}

int
guts_kad_lookup(struct guts_kad *k, const struct guts_kad_goal *goal, guts_kad_done_fn *done,
		void *owner, uint64_t wall_ns, uint64_t now, uint64_t *number)
{
	uint64_t rank;
	int err = 0;

	if (goal->kind == GUTS_KAD_STORE)
		err = guts_kad_value_check(goal->key, goal->value, wall_ns, &rank);
	if (err)
		return err;
	k->depth++; /* an end that is owed waits for the next call: not from inside this one */
	if (now > k->now)
		k->now = now;
	k->wall_ns = wall_ns;
	err = kad_lookup_start(k, goal, done, owner, number);
	k->depth--;
	return err;
}

/* --- time ------------------------------------------------------------------ */

static void
time_out(struct guts_kad *k)
{
	struct kad_request *r;

	while ((r = k->sent) != NULL && r->until_ns <= k->now) {
		add_drop(k, r->number);
		request_failed(k, r, GUTS_ETIMEOUT);
	}
}

void
guts_kad_refresh(struct guts_kad *k, uint64_t now)
{
	kad_enter(k, now);
	kad_table_refresh(k, true);
	kad_leave(k);
}

void
guts_kad_tick(struct guts_kad *k, uint64_t wall_ns, uint64_t now)
{
	kad_enter(k, now);
	k->wall_ns = wall_ns;
	time_out(k);
	kad_lookup_tick(k);
	if (k->refresh_ns <= k->now) {
		kad_table_refresh(k, false);
		k->refresh_ns = k->n_live ? k->now + k->cfg.refresh_ns : KAD_NEVER;
	}
	if (k->check_ns <= k->now) {
		kad_table_check(k);
		kad_store_expire(k);
		k->check_ns = k->now + CHECK_NS;
	}
	kad_publish_tick(k);
	kad_leave(k);
}

uint64_t
guts_kad_deadline(const struct guts_kad *k)
{
	uint64_t at = k->check_ns, publish = kad_publish_deadline(k),
		 lookup = kad_lookup_deadline(k);

	if (k->sent && k->sent->until_ns < at)
		at = k->sent->until_ns;
	if (k->refresh_ns < at)
		at = k->refresh_ns;
	if (publish < at)
		at = publish;
	return lookup < at ? lookup : at;
}

void
guts_kad_stats(const struct guts_kad *k, struct guts_kad_stats *out)
{
	const struct kad_published *p;

	*out = k->stats;
	out->contacts = k->n_live;
	out->spares = HASH_COUNT(k->contacts) - k->n_live;
	for (unsigned i = 0; i < GUTS_KAD_BUCKETS; i++)
		out->buckets += k->buckets[i].n_live > 0;
	out->peers = HASH_COUNT(k->peers);
	out->lookups = k->n_lookups;
	out->requests = k->n_requests;
	out->published = HASH_COUNT(k->published);
	for (p = k->published; p; p = p->hh.next)
		out->unpublished += !p->is_given;
	out->providers = k->n_providers;
	out->provider_keys = HASH_COUNT(k->provided);
	out->provider_bytes = k->provider_bytes;
	out->values = k->n_values;
	out->value_bytes = k->value_bytes;
}
