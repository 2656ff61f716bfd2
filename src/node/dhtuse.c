/* node/dhtuse.c - what this node uses the DHT for.
 *
 *	publish   that it has a repository (every public one), the genesis records of its own, its peer record
 *	search    who has a repository that was asked for by its id, again and again until it is here
 *	patrol    now and then: a repository that few of our neighbours have, whose other seeders are looked for; more
 *	          peers while there are few; links that only a lookup needed are closed when slots run short
 *	look      state and lookups for people
 *
 * Nothing about a private repository is ever published, asked for, or told.
 */
#include "node/dht_int.h"

#include "base/alloc.h"

#include <stdlib.h>

#define PATROL_NS (30 * GUTS_SECOND_NS)
#define SAVE_NS (300 * GUTS_SECOND_NS)
#define SEARCHES_MAX 1024
#define SEARCH_AGAIN_NS (10 * GUTS_SECOND_NS) /* doubled with each failure */
#define SEARCH_DOUBLINGS_MAX 6
#define SEEDERS_ENOUGH 3
#define PROVIDERS_DIALLED 4
#define PEERS_FEW 8
#define LINK_IDLE_NS (60 * GUTS_SECOND_NS)

/* -- publish ------------------------------------------------------------------------------------- */

static void
publish(struct guts_dht *d, struct guts_slice key, bool on)
{
	(void)guts_kad_publish(d->kad, key, on, guts_env_now(d->node->env));
}

static void
publish_repo(struct guts_dht *d, const struct guts_repo *r, bool on)
{
	const uint8_t *id = guts_repo_id(r);
	uint8_t key[GUTS_KAD_KEY_MAX];

	publish(d, guts_kad_provider_key(key, id), on);
	publish(d, guts_kad_value_key(key, GUTS_KAD_NS_REPO, guts_slice(id, GUTS_REPOID_SIZE)), on && guts_repo_is_own(r));
}

void
guts_dht_repo(struct guts_node *n, const struct guts_repo *r)
{
	if (!n->dht->is_running)
		return;
	publish_repo(n->dht, r, guts_repo_is_listed(r));
	dht_pump(n->dht);
}

void
guts_dht_repo_gone(struct guts_node *n, const struct guts_repo *r)
{
	if (!n->dht->is_running)
		return;
	publish_repo(n->dht, r, false);
	dht_pump(n->dht);
}

static bool
record_key(const struct guts_dht *d, uint8_t key[GUTS_KAD_KEY_MAX], struct guts_slice *out)
{
	*out = guts_kad_value_key(key, GUTS_KAD_NS_PEER, guts_peerid_slice(&d->node->s.key.id));
	return out->n > 0;
}

/* Sign a new record of the addresses that everybody may know. */
void
dht_addresses_changed(struct guts_dht *d)
{
	struct guts_peerrecord *r = guts_alloc(sizeof *r);
	struct guts_maddr addrs[GUTS_PEERS_LISTEN_MAX];
	size_t n = guts_peers_addresses(d->node->peers, addrs, GUTS_PEERS_LISTEN_MAX);
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_slice k;

	for (size_t i = 0; i < n; i++)
		if (d->node->s.dht_private || !guts_maddr_is_private(&addrs[i]))
			r->addrs[r->naddrs++] = addrs[i];
	guts_buf_clear(&d->record);
	r->seq = guts_env_wall(d->node->env) / GUTS_MS_NS;
	if (r->naddrs && guts_peerrecord_make(&d->record, &d->node->s.key, r))
		guts_buf_clear(&d->record);
	if (record_key(d, key, &k)) {
		publish(d, k, d->record.len > 0);
		(void)guts_kad_publish_again(d->kad, k, guts_env_now(d->node->env));
	}
	free(r);
}

int
dht_value(struct guts_dht *d, struct guts_slice key, struct guts_buf *out)
{
	const size_t prefix = sizeof GUTS_KAD_NS_REPO - 1;
	uint8_t own[GUTS_KAD_KEY_MAX];
	struct guts_slice record;
	struct guts_repo *r;

	if (record_key(d, own, &record) && guts_slice_eq(key, record))
		return d->record.len ? guts_buf_add_slice(out, guts_buf_slice(&d->record)) : GUTS_ENOTFOUND;
	if (key.n != prefix + GUTS_REPOID_SIZE)
		return GUTS_ENOTFOUND;
	r = guts_sync_find(d->node->sync, key.p + prefix);
	if (!r || guts_repo_is_private(r))
		return GUTS_ENOTFOUND;
	return guts_repo_genesis(r, out);
}

/* -- search -------------------------------------------------------------------------------------- */

static void
search_free(struct dht_search *s)
{
	if (s->lookup)
		(void)guts_kad_cancel(s->dht->kad, s->lookup);
	HASH_DEL(s->dht->searches, s);
	free(s);
}

/* Link to some of those that are not linked yet; who is named without an address is looked for. */
static void
meet(struct guts_dht *d, const struct guts_kad_result *r)
{
	struct guts_kad_goal goal = { .kind = GUTS_KAD_FIND_PEER };
	struct guts_env *env = d->node->env;
	size_t n = 0;

	for (size_t i = 0; i < r->n_providers && n < PROVIDERS_DIALLED; i++) {
		const struct guts_kad_contact *c = &r->providers[i];
		int err;

		if (guts_peers_is_connected(d->node->peers, &c->id))
			continue;
		err = dht_dial(d, c);
		if (err == GUTS_ENOTFOUND || err == GUTS_EUNSUPPORTED) {
			goal.key = guts_peerid_slice(&c->id);
			err = guts_kad_lookup(d->kad, &goal, NULL, NULL, guts_env_wall(env), guts_env_now(env), NULL);
		}
		n += err == GUTS_OK || err == GUTS_EEXIST;
	}
}

static void
on_providers(void *owner, const struct guts_kad_result *r)
{
	struct dht_search *s = owner;
	struct guts_dht *d = s->dht;
	unsigned twice = s->failures < SEARCH_DOUBLINGS_MAX ? s->failures : SEARCH_DOUBLINGS_MAX;

	s->lookup = 0;
	meet(d, r);
	if (!s->is_wanted || guts_sync_find(d->node->sync, s->id)) {
		search_free(s);
		return;
	}
	s->failures++;
	s->at_ns = guts_env_now(d->node->env) + (SEARCH_AGAIN_NS << twice);
}

static void
search_start(struct dht_search *s)
{
	struct guts_dht *d = s->dht;
	struct guts_env *env = d->node->env;
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_kad_goal goal = { .kind = GUTS_KAD_FIND_PROVIDERS, .key = guts_kad_provider_key(key, s->id) };

	if (guts_kad_lookup(d->kad, &goal, on_providers, s, guts_env_wall(env), guts_env_now(env), &s->lookup)) {
		s->lookup = 0;
		s->at_ns = guts_env_now(env) + SEARCH_AGAIN_NS;
	}
}

static void
search(struct guts_dht *d, const uint8_t id[GUTS_REPOID_SIZE], bool is_wanted)
{
	const struct guts_repo *r = guts_sync_find(d->node->sync, id);
	struct dht_search *s;

	if (r && guts_repo_is_private(r))
		return;
	HASH_FIND(hh, d->searches, id, GUTS_REPOID_SIZE, s);
	if (!s && HASH_COUNT(d->searches) >= SEARCHES_MAX)
		return;
	if (!s) {
		s = guts_alloc(sizeof *s);
		memcpy(s->id, id, sizeof s->id);
		s->dht = d;
		HASH_ADD(hh, d->searches, id, sizeof s->id, s);
	}
	s->is_wanted |= is_wanted;
	s->failures = 0;
	s->at_ns = guts_env_now(d->node->env);
}

void
guts_dht_wanted(struct guts_node *n, const uint8_t id[GUTS_REPOID_SIZE])
{
	if (!n->dht->is_running)
		return;
	search(n->dht, id, true);
	dht_pump(n->dht);
}

static void
each_wanted(void *owner, const uint8_t id[GUTS_REPOID_SIZE])
{
	search(owner, id, true);
}

static void
search_tick(struct guts_dht *d, uint64_t now)
{
	struct dht_search *s, *tmp;

	HASH_ITER (hh, d->searches, s, tmp)
		if (!s->lookup && s->at_ns <= now)
			search_start(s);
}

/* -- patrol -------------------------------------------------------------------------------------- */

/* The next public repository, in the order of ids, that too few neighbours have. */
static void
look_for_seeders(struct guts_dht *d)
{
	struct guts_sync *sync = d->node->sync;
	struct guts_repo *r = guts_sync_find(sync, d->patrol_at);

	for (size_t i = guts_sync_count(sync); i > 0; i--) {
		struct guts_repo_info *info;
		bool few;

		r = guts_sync_next(sync, r);
		if (!r)
			r = guts_sync_next(sync, NULL);
		if (!r)
			return;
		if (!guts_repo_is_listed(r))
			continue;
		info = guts_repo_info_get(r);
		few = info->nseeders < SEEDERS_ENOUGH;
		guts_repo_info_unref(info);
		memcpy(d->patrol_at, guts_repo_id(r), sizeof d->patrol_at);
		if (few) {
			search(d, d->patrol_at, false);
			return;
		}
	}
}

/* Few links: ask around some random place, which links us to those near it. */
static void
look_for_peers(struct guts_dht *d)
{
	struct guts_env *env = d->node->env;
	uint8_t key[GUTS_KAD_KEY_MAX], chance[GUTS_REPOID_SIZE];
	struct guts_kad_goal goal = { .kind = GUTS_KAD_FIND_CLOSEST };

	if (guts_peers_count(d->node->peers) >= PEERS_FEW)
		return;
	guts_rng_bytes(&d->rng, chance, sizeof chance);
	goal.key = guts_kad_provider_key(key, chance);
	(void)guts_kad_lookup(d->kad, &goal, NULL, NULL, guts_env_wall(env), guts_env_now(env), NULL);
}

/* Slots run short: a link that was made for a lookup, and is no neighbour's, goes when it is idle. */
static void
close_idle(struct guts_dht *d, uint64_t now)
{
	struct guts_node *n = d->node;
	struct dht_peer *p, *tmp;

	HASH_ITER (hh, d->peers, p, tmp) {
		if (guts_peers_count(n->peers) * 4 < (size_t)n->s.max_connections * 3)
			return;
		if (p->is_dialled && !p->requests && now >= p->used_ns + LINK_IDLE_NS && !guts_neighbour_find(n, &p->id))
			(void)guts_peers_disconnect(n->peers, &p->id, "a lookup's link, not needed any more");
	}
}

static bool
table_value(struct guts_dht *d, struct guts_buf *value)
{
	uint8_t hash[32];

	guts_buf_init(value, GUTS_STORE_VALUE_MAX);
	if (guts_kad_save(d->kad, value))
		return false;
	guts_sha256(hash, guts_buf_slice(value));
	if (memcmp(hash, d->saved, sizeof hash) == 0)
		return false;
	memcpy(d->saved, hash, sizeof hash);
	return true;
}

static void
ignore(void *owner, int err, const struct guts_errinfo *ei)
{
	(void)owner;
	(void)err;
	(void)ei;
}

void
guts_dht_save(struct guts_node *n, struct guts_batch *b)
{
	struct guts_buf value;

	if (!n->dht->is_running)
		return;
	if (table_value(n->dht, &value))
		guts_batch_put(b, GUTS_TABLE_BOOK, guts_slice_str(DHT_TABLE_KEY), guts_buf_slice(&value));
	guts_buf_deinit(&value);
}

static void
patrol(struct guts_dht *d, uint64_t now)
{
	struct guts_buf value;

	d->patrol_ns = now + PATROL_NS;
	guts_snapshot_dirty(d->node);
	look_for_seeders(d);
	look_for_peers(d);
	close_idle(d, now);
	if (now < d->save_ns)
		return;
	d->save_ns = now + SAVE_NS;
	if (table_value(d, &value))
		guts_persist_put(d->node, GUTS_TABLE_BOOK, guts_slice_str(DHT_TABLE_KEY), guts_buf_slice(&value), ignore, NULL);
	guts_buf_deinit(&value);
}

void
dht_use_start(struct guts_dht *d)
{
	uint64_t now = guts_env_now(d->node->env);
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_slice k;

	d->patrol_ns = now + PATROL_NS / 2 + guts_rng_below(&d->rng, PATROL_NS);
	d->save_ns = now + SAVE_NS;
	if (record_key(d, key, &k))
		publish(d, k, d->record.len > 0);
	for (struct guts_repo *r = guts_sync_next(d->node->sync, NULL); r; r = guts_sync_next(d->node->sync, r))
		publish_repo(d, r, guts_repo_is_listed(r));
	guts_sync_each_wanted(d->node->sync, each_wanted, d);
}

void
dht_use_tick(struct guts_dht *d, uint64_t now)
{
	search_tick(d, now);
	if (d->patrol_ns <= now)
		patrol(d, now);
}

uint64_t
dht_use_deadline(const struct guts_dht *d)
{
	const struct dht_search *s;
	uint64_t at = d->patrol_ns;

	for (s = d->searches; s; s = s->hh.next)
		if (!s->lookup && s->at_ns < at)
			at = s->at_ns;
	return at;
}

void
dht_use_free(struct guts_dht *d)
{
	struct dht_search *s, *tmp;

	HASH_ITER (hh, d->searches, s, tmp) {
		HASH_DEL(d->searches, s);
		free(s);
	}
}

/* -- look ------------------------------------------------------------------------------------------ */

void
guts_dht_figures(struct guts_node *n, struct guts_snapshot *s)
{
	s->dht_is_on = n->dht && n->dht->kad;
	if (!s->dht_is_on)
		return;
	s->dht_is_server = n->dht->is_serving;
	guts_kad_stats(n->dht->kad, &s->dht);
}

struct guts_dht_info *
guts_node_dht(struct guts_node *n)
{
	struct guts_dht_info *i = guts_alloc(sizeof *i);
	struct guts_dht *d = n->dht;
	const void *it = NULL;

	i->mode = n->s.dht_mode;
	i->now_ns = guts_env_now(n->env);
	i->wall_ns = guts_env_wall(n->env);
	if (!d->kad)
		return i;
	i->is_server = d->is_serving;
	snprintf(i->protocol, sizeof i->protocol, "%s", d->name);
	guts_kad_stats(d->kad, &i->stats);
	i->entries = guts_calloc(i->stats.contacts, sizeof *i->entries);
	while (i->nentries < i->stats.contacts && guts_kad_next_entry(d->kad, &it, &i->entries[i->nentries]))
		i->nentries++;
	return i;
}

void
guts_dht_info_free(struct guts_dht_info *i)
{
	if (i)
		free(i->entries);
	free(i);
}

static void
on_looked(void *owner, const struct guts_kad_result *r)
{
	struct dht_command *c = owner;

	DL_DELETE(c->dht->commands, c);
	c->done(c->owner, r->err, r);
	free(c);
}

static void
set_goal(struct guts_kad_goal *goal, const struct guts_dht_target *t, uint8_t key[GUTS_KAD_KEY_MAX])
{
	struct guts_slice id = t->peer ? guts_peerid_slice(t->peer) : guts_slice(t->repo, sizeof t->repo);

	if (t->record) {
		goal->kind = GUTS_KAD_FIND_VALUE;
		goal->key = guts_kad_value_key(key, t->peer ? GUTS_KAD_NS_PEER : GUTS_KAD_NS_REPO, id);
	} else if (t->peer) {
		goal->kind = GUTS_KAD_FIND_PEER;
		goal->key = id;
	} else {
		goal->kind = GUTS_KAD_FIND_PROVIDERS;
		goal->key = guts_kad_provider_key(key, t->repo);
	}
}

void
guts_node_dht_lookup(struct guts_node *n, const struct guts_dht_target *target,
    void (*done)(void *owner, int err, const struct guts_kad_result *r), void *owner)
{
	struct guts_dht *d = n->dht;
	const struct guts_repo *r = target->peer || !d->is_running ? NULL : guts_sync_find(n->sync, target->repo);
	uint8_t key[GUTS_KAD_KEY_MAX];
	struct guts_kad_result nothing = { .err = GUTS_ENOTFOUND };
	struct guts_kad_goal goal = { 0 };
	struct dht_command *c;
	int err;

	if (!d->is_running) {
		done(owner, GUTS_EUNAVAILABLE, NULL);
		return;
	}
	set_goal(&goal, target, key);
	nothing.kind = goal.kind;
	if (r && guts_repo_is_private(r)) {
		done(owner, GUTS_ENOTFOUND, &nothing);
		return;
	}
	c = guts_alloc(sizeof *c);
	*c = (struct dht_command){ .dht = d, .done = done, .owner = owner };
	err = guts_kad_lookup(d->kad, &goal, on_looked, c, guts_env_wall(n->env), guts_env_now(n->env), NULL);
	if (err) {
		free(c);
		done(owner, err, NULL);
		return;
	}
	DL_APPEND(d->commands, c);
	dht_pump(d);
}
