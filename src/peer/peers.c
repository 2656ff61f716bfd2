/* peer/peers.c - the peer manager's frame: making it, asking it, protocols and streams.
 *
 * One timer serves everything that is due later; each file says in its tick when it wants to
 * be called next.
 */
#include "peer/peers_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_CONNECTIONS 50
#define OUTBOUND_RESERVED 10
#define PRUNE_NS (60 * GUTS_SECOND_NS)

struct peer_entry *
peers_find(const struct guts_peers *p, const struct guts_peerid *id)
{
	struct peer_entry *e = NULL;

	HASH_FIND(hh, p->entries, id, sizeof(*id), e);
	return e;
}

void
peers_wake_at(struct guts_peers *p, uint64_t at_ns)
{
	if (at_ns < p->timer.at_ns)
		guts_env_timer_set(p->env, &p->timer, at_ns);
}

void
peers_wake(struct guts_peers *p)
{
	peers_wake_at(p, guts_env_now(p->env));
}

static void
tick(struct guts_timer *t, void *owner)
{
	struct guts_peers *p = owner;
	uint64_t now = guts_env_now(p->env), next;

	(void)t;
	if (now >= p->prune_at_ns) {
		p->prune_at_ns = now + PRUNE_NS;
		standing_prune(p);
		listen_prune(p);
		autodial_note_anchors(p);
	}
	next = p->prune_at_ns;
	links_tick(p, now, &next);
	autodial_tick(p, now, &next);
	dial_tick(p, now, &next);
	if (p->push_due) {
		p->push_due = false;
		identify_push_all(p);
	}
	peers_wake_at(p, next);
}

static void
set_defaults(struct guts_peers_config *cfg)
{
	if (!cfg->max_connections)
		cfg->max_connections = MAX_CONNECTIONS;
	if (!cfg->outbound_reserved)
		cfg->outbound_reserved = OUTBOUND_RESERVED;
	if (cfg->outbound_reserved > cfg->max_connections / 2)
		cfg->outbound_reserved = cfg->max_connections / 2;
	if (!cfg->plain_max)
		cfg->plain_max = (cfg->max_connections + 3) / 4;
	if (!cfg->agent)
		cfg->agent = "guts";
}

/* The book's own secret: the same after each start, and of no use for anything else. */
static void
book_secret(const struct guts_key *key, uint8_t out[GUTS_BOOK_SECRET_SIZE])
{
	struct guts_sha256_ctx c;

	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice_str("guts address book"));
	guts_sha256_add(&c, guts_slice(key->secret, sizeof(key->secret)));
	guts_sha256_end(&c, out);
}

struct guts_peers *
guts_peers_new(const struct guts_peers_config *cfg, const struct guts_peers_events *ev, void *owner)
{
	struct guts_peers *p = guts_alloc(sizeof(*p));
	uint8_t secret[GUTS_BOOK_SECRET_SIZE];
	uint64_t seed;

	p->cfg = *cfg;
	set_defaults(&p->cfg);
	p->env = cfg->env;
	p->ev = ev;
	p->owner = owner;
	p->ctx = guts_link_context_new(p->env, cfg->key, cfg->connection_timeout_ns, cfg->keepalive_ns);
	guts_env_random(p->env, &seed, sizeof(seed));
	guts_rng_seed(&p->rng, seed);
	p->timer = (struct guts_timer){ .fire = tick, .owner = p, .at_ns = GUTS_NEVER };
	book_secret(cfg->key, secret);
	p->book = guts_book_new(&cfg->store, secret);
	p->n_announce = cfg->n_announce < GUTS_PEERS_LISTEN_MAX ? cfg->n_announce : GUTS_PEERS_LISTEN_MAX;
	for (size_t i = 0; i < p->n_announce; i++) {
		p->announce[i] = cfg->announce[i];
		guts_maddr_strip_peer(&p->announce[i]);
	}
	standing_load(p);
	autodial_init(p);
	identify_init(p);
	ping_init(p);
	peers_wake(p);
	return p;
}

void
guts_peers_free(struct guts_peers *p)
{
	static const struct guts_peers_events silent;

	if (!p)
		return;
	p->ev = &silent;
	dial_deinit(p); /* what is given up now did not fail */
	listen_deinit(p);
	identify_deinit(p);
	guts_env_timer_clear(p->env, &p->timer);
	standing_deinit(p);
	guts_book_free(p->book);
	guts_link_context_free(p->ctx);
	free(p);
}

bool
guts_peers_is_connected(const struct guts_peers *p, const struct guts_peerid *id)
{
	return peers_find(p, id) != NULL;
}

bool
entry_speaks(const struct peer_entry *e, const char *protocol)
{
	for (size_t i = 0; i < e->n_protocols; i++)
		if (strcmp(e->protocols[i], protocol) == 0)
			return true;
	return false;
}

bool
guts_peers_speaks(const struct guts_peers *p, const struct guts_peerid *id, const char *protocol)
{
	struct peer_entry *e = peers_find(p, id);

	return e && entry_speaks(e, protocol);
}

size_t
guts_peers_count(const struct guts_peers *p)
{
	return HASH_COUNT(p->entries);
}

bool
guts_peers_next(const struct guts_peers *p, const void **it, struct guts_peerid *id)
{
	const struct peer_entry *e = *it ? ((const struct peer_entry *)*it)->hh.next : p->entries;

	if (!e)
		return false;
	*it = e;
	*id = e->id;
	return true;
}

int
guts_peers_state(const struct guts_peers *p, const struct guts_peerid *id, struct guts_peer_state *out)
{
	/* The score's decay is brought up to date on the way: not const inside. */
	struct guts_peers *mut = (struct guts_peers *)(uintptr_t)p;
	struct peer_entry *e = peers_find(p, id);
	const struct guts_link *l;
	uint64_t age;

	if (!e)
		return GUTS_ENOTFOUND;
	l = e->active->link;
	*out = (struct guts_peer_state){
		.id = e->id,
		.connected = true,
		.inbound = e->active->inbound,
		.identified = e->identified,
		.speaks_guts = e->speaks_guts,
		.remote = *guts_link_remote(l),
		.n_addrs = e->n_addrs,
		.protocols = (const char *const *)e->protocols,
		.n_protocols = e->n_protocols,
		.repositories = e->repositories,
		.useful = e->useful,
		.connected_since_wall_ns = e->since_wall_ns,
		.rtt_ns = guts_link_rtt_ns(l),
		.bytes_in = guts_link_bytes_in(l),
		.bytes_out = guts_link_bytes_out(l),
		.streams = guts_link_streams(l),
	};
	standing_fill(mut, out);
	memcpy(out->addrs, e->addrs, e->n_addrs * sizeof(e->addrs[0]));
	memcpy(out->agent, e->agent, sizeof(out->agent));
	age = guts_env_now(p->env) - guts_link_last_seen_ns(l);
	out->last_seen_wall_ns = guts_env_wall(p->env) - age;
	return 0;
}

void
guts_peers_set_repositories(struct guts_peers *p, const struct guts_peerid *id, uint64_t n)
{
	struct peer_entry *e = peers_find(p, id);

	if (e)
		e->repositories = n;
}

const struct guts_peerid *
guts_peers_self(const struct guts_peers *p)
{
	return &p->cfg.key->id;
}

struct guts_book *
guts_peers_book(struct guts_peers *p)
{
	return p->book;
}

int
guts_peers_learn(struct guts_peers *p, const struct guts_peerid *id, const struct guts_maddr *addr,
    enum guts_book_via via, const struct guts_peerid *teller)
{
	struct guts_book_source source = { .via = via };
	const struct peer_entry *e = teller ? peers_find(p, teller) : NULL;

	if (guts_peerid_eq(id, guts_peers_self(p)))
		return GUTS_ECONFLICT;
	if (teller)
		source.teller = *teller;
	if (e) /* all who are not linked to us share one group */
		source.group = guts_netgroup_of(guts_link_remote(e->active->link));
	return guts_book_add(p->book, id, addr, &source, guts_env_wall(p->env));
}

void
guts_peers_useful(struct guts_peers *p, const struct guts_peerid *id)
{
	struct peer_entry *e = peers_find(p, id);

	if (!e)
		return;
	e->useful++;
	e->useful_at_ns = guts_env_now(p->env);
}

int
guts_peers_disconnect(struct guts_peers *p, const struct guts_peerid *id, const char *reason)
{
	struct peer_entry *e = peers_find(p, id);

	if (!e)
		return GUTS_ENOTFOUND;
	links_close_later(e, p, GUTS_ECLOSED, reason);
	return 0;
}

/* --- protocols --- */

int
peers_protocol_index(const struct guts_peers *p, const char *id)
{
	for (int i = 0; i < GUTS_PEERS_PROTOCOLS_MAX; i++)
		if (p->protocols[i] && strcmp(p->protocols[i]->id, id) == 0)
			return i;
	return -1;
}

static void
protocols_changed(struct guts_peers *p)
{
	if (!p->entries)
		return;
	p->push_due = true;
	peers_wake(p);
}

int
guts_peers_handle(struct guts_peers *p, const struct guts_protocol *proto)
{
	if (peers_protocol_index(p, proto->id) >= 0)
		return GUTS_EEXIST;
	for (size_t i = 0; i < GUTS_PEERS_PROTOCOLS_MAX; i++) {
		if (p->protocols[i])
			continue;
		p->protocols[i] = proto;
		protocols_changed(p);
		return 0;
	}
	return GUTS_ELIMIT;
}

int
guts_peers_unhandle(struct guts_peers *p, const char *id)
{
	int i = peers_protocol_index(p, id);

	if (i < 0)
		return GUTS_ENOTFOUND;
	p->protocols[i] = NULL;
	protocols_changed(p);
	return 0;
}

int
guts_peers_open_stream(struct guts_peers *p, const struct guts_peerid *id, const char *const *protocols, size_t n,
    const struct guts_stream_events *ev, void *owner, struct guts_stream **out)
{
	struct peer_entry *e = peers_find(p, id);
	const char *known[8];
	size_t k = 0;

	assert(n >= 1 && n <= 8);
	if (!e)
		return GUTS_ENOTFOUND;
	for (size_t i = 0; i < n; i++)
		if (!e->identified || entry_speaks(e, protocols[i]))
			known[k++] = protocols[i];
	if (k == 0)
		return GUTS_EUNSUPPORTED;
	return guts_link_open_stream(e->active->link, known, k, ev, owner, out);
}

void
guts_peers_stats(const struct guts_peers *p, struct guts_peers_stats *out)
{
	const struct plink *pl;

	*out = p->stats;
	out->inbound = p->n_inbound;
	out->outbound = p->n_outbound;
	out->pending_in = p->n_pending_in;
	out->pending_out = p->n_dialing;
	out->unread_bytes = p->ctx->budget.used;
	DL_FOREACH(p->plinks, pl) {
		out->bytes_in += guts_link_bytes_in(pl->link) - pl->counted_in;
		out->bytes_out += guts_link_bytes_out(pl->link) - pl->counted_out;
	}
}
