/* node/node.c - one node: make, start, stop; facts of the peer manager and of sync go where they belong. */
#include "node/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

/* -- peers ------------------------------------------------------------------------------------- */

static void
on_connected(void *owner, const struct guts_peerid *id, bool inbound)
{
	struct guts_node *n = owner;
	struct guts_peer_state *st = guts_alloc(sizeof *st);
	char addr[GUTS_MADDR_TEXT_MAX] = "";
	struct guts_fact_attr attrs[2];

	if (guts_peers_state(n->peers, id, st) == GUTS_OK)
		guts_maddr_text(addr, &st->remote);
	attrs[0] = guts_node_attr("addr", addr);
	attrs[1] = guts_node_attr("direction", inbound ? "inbound" : "outbound");
	guts_node_peer_fact(n, "peer.connected", id, attrs, 2);
	guts_command_connected(n, id);
	guts_dht_connected(n, id, inbound);
	guts_snapshot_dirty(n);
	free(st);
}

static void
on_identified(void *owner, const struct guts_peerid *id)
{
	struct guts_node *n = owner;

	guts_neighbour_identified(n, id);
	guts_pubsub_identified(n, id);
	guts_swarm_peers_changed(n);
	guts_dht_identified(n, id);
	guts_snapshot_dirty(n);
}

static void
on_disconnected(void *owner, const struct guts_peerid *id, int err, const char *reason)
{
	struct guts_node *n = owner;
	struct guts_fact_attr attr = guts_node_attr("reason", reason ? reason : guts_err_text(err));

	guts_neighbour_gone(n, id);
	guts_pubsub_gone(n, id);
	guts_swarm_peers_changed(n);
	guts_dht_gone(n, id);
	guts_node_peer_fact(n, "peer.disconnected", id, &attr, 1);
	guts_snapshot_dirty(n);
}

static void
on_banned(void *owner, const struct guts_peerid *id, uint64_t until_wall_ns, const char *reason)
{
	struct guts_fact_attr attrs[2] = { guts_node_attr("reason", reason),
		guts_node_attr_num("until", until_wall_ns == UINT64_MAX ? 0 : until_wall_ns / GUTS_MS_NS) };

	guts_node_peer_fact(owner, "peer.banned", id, attrs, 2);
	guts_snapshot_dirty(owner);
}

static void
on_lifted(void *owner, const struct guts_peerid *id)
{
	guts_node_peer_fact(owner, "peer.lifted", id, NULL, 0);
	guts_snapshot_dirty(owner);
}

static void
on_penalized(void *owner, const struct guts_peerid *id, enum guts_offence what, unsigned points, int score)
{
	guts_offence_tell(owner, id, what, points, score);
}

static void
on_dial_failed(void *owner, const struct guts_maddr *addr, int err, const char *reason)
{
	guts_command_dial_failed(owner, addr, err, reason);
	guts_snapshot_dirty(owner);
}

static void
on_unreached(void *owner, const struct guts_peerid *id, int err)
{
	guts_dht_unreached(owner, id, err);
}

static void
on_addresses(void *owner)
{
	guts_dht_addresses(owner);
	guts_snapshot_dirty(owner);
}

static const struct guts_peers_events peers_events = {
	.connected = on_connected, .identified = on_identified, .disconnected = on_disconnected, .banned = on_banned,
	.lifted = on_lifted, .penalized = on_penalized, .dial_failed = on_dial_failed, .unreached = on_unreached,
	.addresses = on_addresses,
};

/* -- sync ---------------------------------------------------------------------------------------- */

static void
on_facts(void *owner, uint64_t first, uint64_t last)
{
	guts_events_facts(owner, first, last);
}

static void
on_publish_repo(void *owner, const struct guts_repo *r, struct guts_slice payload)
{
	struct guts_node *n = owner;
	char topic[GUTS_TOPIC_TEXT_MAX];
	uint8_t id[32];

	guts_topic_repo(topic, n->network, guts_repo_id(r));
	(void)guts_pubsub_publish(n, topic, payload, id);
}

static void
on_publish_new(void *owner, const struct guts_repo *r, struct guts_slice message)
{
	struct guts_node *n = owner;
	char topic[GUTS_TOPIC_TEXT_MAX];
	uint8_t id[32];

	(void)r;
	guts_topic_new(topic, n->network);
	(void)guts_pubsub_publish(n, topic, message, id);
}

static void
on_added(void *owner, const struct guts_repo *r)
{
	guts_swarm_add(owner, r);
	guts_dht_repo(owner, r);
	guts_snapshot_dirty(owner);
}

static void
on_removed(void *owner, const struct guts_repo *r)
{
	struct guts_node *n = owner;

	if (n->ci_source)
		n->ci_removed(n->ci_owner, guts_repo_id(r));
	guts_swarm_remove(owner, r);
	guts_dht_repo_gone(owner, r);
	guts_snapshot_dirty(owner);
}

/* A private repository has no topic, and is not in the DHT. */
static void
on_renewed(void *owner, const struct guts_repo *r)
{
	if (guts_repo_is_private(r))
		guts_swarm_remove(owner, r);
	else
		guts_swarm_add(owner, r);
	guts_dht_repo(owner, r);
}

static void
on_changed(void *owner, const struct guts_repo *r)
{
	guts_swarm_touch(owner, r);
	guts_snapshot_dirty(owner);
	guts_neighbour_digest_changed(owner);
}

static void
on_progress(void *owner, const struct guts_repo *r, const struct guts_peerid *peer, const char *phase, uint64_t bytes,
    uint64_t objects, int err)
{
	struct guts_signal s = { .type = "repo.sync.progress", .repo = guts_slice(guts_repo_id(r), GUTS_REPOID_SIZE),
		.peer = guts_peerid_slice(peer), .is_private = guts_repo_is_private(r), .n = 3 };

	if (!err && objects > 0 && strcmp(phase, "done") == 0)
		guts_peers_useful(((struct guts_node *)owner)->peers, peer);
	s.attr[0] = guts_node_attr("phase", phase);
	s.attr[1] = guts_node_attr_num("bytes", bytes);
	s.attr[2] = guts_node_attr_num("objects", objects);
	guts_events_signal(owner, &s, true);
}

static void
on_offence(void *owner, const struct guts_peerid *peer, int err, const char *what)
{
	guts_log_limited(GUTS_LOG_DEBUG, "sync", "offence err=%s: %s", guts_err_name(err), what);
	guts_offence_sync(owner, peer, err);
}

static void
on_wanted(void *owner, const uint8_t id[GUTS_REPOID_SIZE])
{
	guts_dht_wanted(owner, id);
}

static void
on_verdict(void *owner, uint64_t ticket, enum guts_verdict v)
{
	guts_pubsub_verdict(owner, ticket, v);
}

static int
on_job(void *owner, const uint8_t repo[GUTS_REPOID_SIZE], const uint8_t job[16], struct guts_slice file, uint64_t offset,
    struct guts_job_told *out)
{
	struct guts_node *n = owner;

	return n->ci_source ? n->ci_source(n->ci_owner, repo, job, file, offset, out) : GUTS_ENOTFOUND;
}

static const struct guts_sync_events sync_events = {
	.facts = on_facts, .publish_repo = on_publish_repo, .publish_new = on_publish_new, .added = on_added,
	.removed = on_removed, .renewed = on_renewed, .changed = on_changed, .progress = on_progress, .may_seed = guts_policy_may_seed,
	.offence = on_offence, .wanted = on_wanted, .verdict = on_verdict, .job = on_job,
};

void
guts_node_serve_jobs(struct guts_node *n, guts_job_source *source, guts_job_removed *removed, void *owner)
{
	n->ci_source = source;
	n->ci_removed = removed;
	n->ci_owner = owner;
}

void
guts_node_tune(struct guts_node *n, const struct guts_node_setup *s)
{
	n->s.seed_default = s->seed_default;
	n->s.quota_total_bytes = s->quota_total_bytes;
	n->s.quota_creator_bytes = s->quota_creator_bytes;
	n->s.quota_repo_bytes = s->quota_repo_bytes;
	n->s.quota_creator_repos = s->quota_creator_repos;
	n->s.quota_new_per_hour = s->quota_new_per_hour;
	n->s.pack_max_bytes = s->pack_max_bytes;
	n->s.gossip_keep = s->gossip_keep;
	n->s.gossip_expect = s->gossip_expect;
	guts_topics_expect(n);
	if (n->sync)
		guts_sync_limits(n->sync, s->pack_max_bytes, s->quota_repo_bytes);
}

/* -- life ------------------------------------------------------------------------------------------ */

static void
fail(struct guts_node *n, int err, const char *text)
{
	n->ready(n->ready_owner, err, text);
}

/* Repositories are loaded and refs repaired: open the doors. */
static void
on_sync_ready(void *owner, int err)
{
	struct guts_node *n = owner;
	struct guts_errinfo ei = { 0 };
	struct guts_fact_attr attr = guts_node_attr("version", n->agent);

	if (err) {
		fail(n, err, "the repositories could not be repaired; see the log and guts doctor");
		return;
	}
	n->is_ready = true;
	guts_pubsub_register(n);
	guts_topics_load(n);
	guts_swarm_load(n);
	guts_neighbour_register(n);
	for (size_t i = 0; i < n->s.nlisten && !err; i++)
		err = guts_peers_listen(n->peers, &n->s.listen[i], NULL, &ei);
	if (!err)
		err = guts_bootstrap_set(n->bootstrap, n->s.bootstrap, n->s.nbootstrap, &ei);
	if (err) {
		fail(n, err, ei.text);
		return;
	}
	guts_reach_start(n);
	guts_dht_start(n);
	guts_node_peer_fact(n, "node.started", NULL, &attr, 1);
	guts_snapshot_publish(n);
	guts_node_rearm(n);
	n->ready(n->ready_owner, GUTS_OK, NULL);
}

static void
on_marked(void *owner, int err, uint64_t first, uint64_t last)
{
	struct guts_node *n = owner;

	(void)err;
	(void)first;
	(void)last;
	n->stopped(n->stopped_owner);
}

/* Nothing is being written any more (or the time is up): say so, then end. */
static void
stop_finish(struct guts_node *n)
{
	struct guts_batch *b = guts_batch_new();
	struct guts_fact f = { .type = "node.stopped", .wall_ns = guts_env_wall(n->env) };

	n->stop_until_ns = GUTS_NEVER;
	guts_batch_fact(b, &f);
	if (n->sync)
		guts_sync_mark_clean(n->sync, b);
	guts_dht_save(n, b);
	if (guts_store_commit(n->s.store, b, on_marked, n))
		n->stopped(n->stopped_owner);
}

static void
on_tick(struct guts_timer *t, void *owner)
{
	struct guts_node *n = owner;
	uint64_t now = guts_env_now(n->env);

	(void)t;
	if (n->is_stopping && n->stop_until_ns != GUTS_NEVER && (!(guts_sync_is_busy(n->sync) || guts_reach_is_busy(n)) || now >= n->stop_until_ns)) {
		stop_finish(n);
		return;
	}
	if (n->rates_at_ns <= now) {
		n->rates_at_ns = now + GUTS_RATES_NS;
		guts_node_rates(n, now);
	}
	guts_node_rearm(n);
}

void
guts_node_rearm(struct guts_node *n)
{
	uint64_t now = guts_env_now(n->env), at, other;

	if (!n->is_ready)
		return;
	at = guts_neighbour_tick(n, now);
	other = guts_command_tick(n, now);
	if (other < at)
		at = other;
	other = guts_swarm_tick(n, now);
	if (other < at)
		at = other;
	if (guts_peers_count(n->peers) && n->rates_at_ns < at)
		at = n->rates_at_ns;
	if (n->is_stopping && n->stop_until_ns != GUTS_NEVER && now + 20 * GUTS_MS_NS < at)
		at = now + 20 * GUTS_MS_NS;
	guts_env_timer_set(n->env, &n->tick, at);
}

static void
on_snap(struct guts_timer *t, void *owner)
{
	(void)t;
	guts_snapshot_publish(owner);
}

int
guts_node_new(struct guts_node **out, const struct guts_node_setup *s, struct guts_errinfo *ei)
{
	struct guts_node *n = guts_alloc(sizeof *n);
	struct guts_peers_config cfg = { 0 };

	static_assert(GUTS_NODE_ADDRESSES_MAX == GUTS_PEERS_LISTEN_MAX, "one limit");
	if (s->nannounce > GUTS_NODE_ADDRESSES_MAX) {
		free(n);
		return guts_err_set(ei, GUTS_ELIMIT, "p2p.announce: at most %d addresses", GUTS_NODE_ADDRESSES_MAX);
	}
	n->s = *s;
	n->env = s->env;
	n->network = guts_strdup(s->network);
	n->agent = guts_strdup(s->agent);
	n->dht_protocol = guts_strdup(s->dht_protocol);
	n->s.network = n->network;
	n->s.dht_protocol = n->dht_protocol;
	n->s.agent = n->agent;
	n->s.listen = guts_memdup(s->listen, s->nlisten * sizeof *s->listen);
	n->s.announce = guts_memdup(s->announce, s->nannounce * sizeof *s->announce);
	n->s.bootstrap = guts_memdup(s->bootstrap, s->nbootstrap * sizeof *s->bootstrap);
	if (!n->s.topics_max)
		n->s.topics_max = GUTS_TOPICS_REPO_MAX;
	n->started_wall_ms = guts_env_wall(n->env) / GUTS_MS_NS;
	n->digest_at_ns = n->stop_until_ns = n->swarm_at_ns = GUTS_NEVER;
	n->rates_prev_ns = guts_env_now(n->env);
	n->tick = (struct guts_timer){ .fire = on_tick, .owner = n };
	n->snap = (struct guts_timer){ .fire = on_snap, .owner = n };
	pthread_mutex_init(&n->snapshot_lock, NULL);
	pthread_mutex_init(&n->jobs_lock, NULL);
	cfg.env = n->env;
	cfg.key = &n->s.key;
	cfg.agent = n->agent;
	cfg.guts_protocol = GUTS_NODE_PROTOCOL;
	cfg.max_connections = s->max_connections;
	cfg.connection_timeout_ns = (uint64_t)s->connection_timeout_ms * GUTS_MS_NS;
	cfg.keepalive_ns = (uint64_t)s->keepalive_interval_ms * GUTS_MS_NS;
	cfg.store = guts_persist_book(n);
	cfg.announce = n->s.announce;
	cfg.n_announce = s->nannounce;
	n->peers = guts_peers_new(&cfg, &peers_events, n);
	n->bootstrap = guts_bootstrap_new(n->peers);
	guts_policy_new(n);
	guts_pubsub_new(n);
	guts_dht_new(n);
	guts_snapshot_publish(n);
	*out = n;
	return GUTS_OK;
}

void
guts_node_start(struct guts_node *n, void (*ready)(void *owner, int err, const char *text), void *owner)
{
	struct guts_sync_setup s = { .env = n->env, .store = n->s.store, .repos = n->s.repos, .peers = n->peers,
		.key = &n->s.key, .network = n->network, .pack_max = n->s.pack_max_bytes, .repo_max = n->s.quota_repo_bytes,
		.events = &sync_events, .owner = n };
	struct guts_errinfo ei = { 0 };
	int err;

	n->ready = ready;
	n->ready_owner = owner;
	err = guts_sync_new(&n->sync, &s, on_sync_ready, &ei);
	if (err)
		fail(n, err, ei.text);
}

void
guts_node_stop(struct guts_node *n, void (*stopped)(void *owner), void *owner)
{
	n->stopped = stopped;
	n->stopped_owner = owner;
	n->is_stopping = true;
	guts_command_free(n);
	if (!n->is_ready) {
		stopped(owner);
		return;
	}
	guts_reach_stop(n);
	n->stop_until_ns = guts_env_now(n->env) + GUTS_STOP_NS;
	guts_snapshot_dirty(n);
	guts_env_timer_set(n->env, &n->tick, guts_env_now(n->env));
}

void
guts_node_free(struct guts_node *n)
{
	if (!n)
		return;
	n->is_ready = false;
	guts_command_free(n);
	guts_env_timer_clear(n->env, &n->tick);
	guts_env_timer_clear(n->env, &n->snap);
	guts_jobs_free(n);
	guts_sync_free(n->sync); /* before the links: its streams are on them */
	n->sync = NULL;
	guts_pubsub_stop(n);
	guts_dht_stop(n);
	guts_neighbours_stop(n);
	guts_reach_free(n);
	guts_bootstrap_free(n->bootstrap);
	guts_peers_free(n->peers);
	guts_pubsub_free(n);
	guts_dht_free(n);
	guts_events_free(n);
	guts_topics_free(n);
	guts_swarm_free(n);
	guts_policy_free(n);
	guts_snapshot_unref(n->snapshot);
	pthread_mutex_destroy(&n->snapshot_lock);
	pthread_mutex_destroy(&n->jobs_lock);
	guts_key_wipe(&n->s.key);
	free((void *)(uintptr_t)n->s.listen);
	free((void *)(uintptr_t)n->s.announce);
	free((void *)(uintptr_t)n->s.bootstrap);
	free(n->network);
	free(n->dht_protocol);
	free(n->agent);
	free(n);
}

struct guts_sync *
guts_node_sync(struct guts_node *n)
{
	return n->sync;
}

struct guts_store *
guts_node_store(struct guts_node *n)
{
	return n->s.store;
}

struct guts_env *
guts_node_env(struct guts_node *n)
{
	return n->env;
}

const struct guts_key *
guts_node_key(const struct guts_node *n)
{
	return &n->s.key;
}
