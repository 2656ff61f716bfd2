/* node/snapshot.c - one immutable value that shows the node, made at most every 100 ms while something changes. */
#include "node/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

static char *
maddr_text(const struct guts_maddr *m)
{
	char text[GUTS_MADDR_TEXT_MAX];

	guts_maddr_text(text, m);
	return guts_strdup(text);
}

static void
fill_peer(struct guts_peer_info *out, const struct guts_peer_state *st)
{
	out->id = st->id;
	guts_peerid_text(out->id_text, &st->id);
	out->addrs = guts_calloc(st->n_addrs + 1, sizeof *out->addrs);
	for (size_t i = 0; i < st->n_addrs; i++)
		out->addrs[out->naddrs++] = maddr_text(&st->addrs[i]);
	out->remote_addr = maddr_text(&st->remote);
	out->direction = st->inbound ? GUTS_INBOUND : GUTS_OUTBOUND;
	out->transport = guts_strdup("tcp");
	out->agent = guts_strdup(st->agent);
	out->protocols = guts_calloc(st->n_protocols + 1, sizeof *out->protocols);
	for (size_t i = 0; i < st->n_protocols; i++)
		out->protocols[out->nprotocols++] = guts_strdup(st->protocols[i]);
	out->speaks_guts = st->speaks_guts;
	out->connected_wall_ms = st->connected_since_wall_ns / GUTS_MS_NS;
	out->last_seen_wall_ms = st->last_seen_wall_ns / GUTS_MS_NS;
	out->rtt_us = st->rtt_ns / 1000;
	out->bytes_in = st->bytes_in;
	out->bytes_out = st->bytes_out;
	out->score = st->score;
	out->repositories = st->repositories;
	out->bans = st->bans;
	out->useful = st->useful;
	for (; out->noffences < st->n_offences; out->noffences++) {
		const struct guts_peer_offence *o = &st->offences[out->noffences];
		const struct guts_offence_rule *rule = guts_offence_rule(o->what);

		out->offences[out->noffences].name = rule->name;
		out->offences[out->noffences].text = rule->text;
		out->offences[out->noffences].count = o->count;
		out->offences[out->noffences].points = o->points;
		out->offences[out->noffences].last_wall_ms = o->last_wall_ns / GUTS_MS_NS;
	}
}

static void
fill_peers(struct guts_node *n, struct guts_snapshot *s)
{
	struct guts_peer_state *st = guts_alloc(sizeof *st);
	struct guts_peerid id;
	const void *it = NULL;

	s->peers = guts_calloc(guts_peers_count(n->peers) + 1, sizeof *s->peers);
	while (s->npeers < guts_peers_count(n->peers) && guts_peers_next(n->peers, &it, &id)) {
		if (guts_peers_state(n->peers, &id, st) == GUTS_OK)
			fill_peer(&s->peers[s->npeers++], st);
	}
	free(st);
}

static void
fill_bans(struct guts_node *n, struct guts_snapshot *s)
{
	struct guts_peer_ban ban;
	const void *it = NULL;
	size_t cap = 0;

	while (guts_peers_next_ban(n->peers, &it, &ban)) {
		struct guts_ban_info *out;

		if (s->nbans == cap) {
			cap = cap ? 2 * cap : 8;
			s->bans = guts_realloc(s->bans, cap * sizeof *s->bans);
		}
		out = &s->bans[s->nbans++];
		guts_peerid_text(out->id_text, &ban.id);
		out->reason = guts_strdup(ban.reason);
		out->since_wall_ms = ban.since_wall_ns / GUTS_MS_NS;
		out->until_wall_ms = ban.until_wall_ns == UINT64_MAX ? 0 : ban.until_wall_ns / GUTS_MS_NS;
	}
}

static void
fill_dials(struct guts_node *n, struct guts_snapshot *s)
{
	s->dials = guts_calloc(n->ndials + 1, sizeof *s->dials);
	for (size_t i = 0; i < n->ndials; i++) {
		struct guts_dial_info *out = &s->dials[s->ndials++];

		out->addr = maddr_text(&n->dials[i].addr);
		out->error = guts_strdup(n->dials[i].error);
		out->last_wall_ms = n->dials[i].last_wall_ns / GUTS_MS_NS;
		out->tries = n->dials[i].tries;
	}
}

static void
fill_listen(struct guts_node *n, struct guts_snapshot *s)
{
	struct guts_maddr addrs[GUTS_PEER_ADDRS_MAX];
	size_t count = guts_peers_addresses(n->peers, addrs, GUTS_PEER_ADDRS_MAX);

	if (!count) /* a wildcard, and nobody has told yet what we are reached at */
		count = guts_peers_listening(n->peers, addrs, GUTS_PEER_ADDRS_MAX);
	s->listen = guts_calloc(count + 1, sizeof *s->listen);
	for (size_t i = 0; i < count; i++) {
		(void)guts_maddr_add_peer(&addrs[i], guts_peerid_slice(&n->s.key.id));
		s->listen[s->nlisten++] = maddr_text(&addrs[i]);
	}
}

void
guts_node_rates(struct guts_node *n, uint64_t now)
{
	struct guts_peers_stats st;
	uint64_t span = now - n->rates_prev_ns;

	guts_peers_stats(n->peers, &st);
	if (st.bytes_in != n->bytes_in_prev || st.bytes_out != n->bytes_out_prev || n->rate_in || n->rate_out) {
		struct guts_signal sig = { .type = "node.rates", .n = 5 };

		n->rate_in = span ? (st.bytes_in - n->bytes_in_prev) * GUTS_SECOND_NS / span : 0;
		n->rate_out = span ? (st.bytes_out - n->bytes_out_prev) * GUTS_SECOND_NS / span : 0;
		sig.attr[0] = guts_node_attr_num("bytes_in", st.bytes_in);
		sig.attr[1] = guts_node_attr_num("bytes_out", st.bytes_out);
		sig.attr[2] = guts_node_attr_num("rate_in", n->rate_in);
		sig.attr[3] = guts_node_attr_num("rate_out", n->rate_out);
		sig.attr[4] = guts_node_attr_num("peers", guts_peers_count(n->peers));
		guts_events_signal(n, &sig, true);
		guts_snapshot_dirty(n);
	}
	n->bytes_in_prev = st.bytes_in;
	n->bytes_out_prev = st.bytes_out;
	n->rates_prev_ns = now;
}

static struct guts_snapshot *
snapshot_make(struct guts_node *n)
{
	struct guts_snapshot *s = guts_alloc(sizeof *s);
	struct guts_peers_stats st;

	s->refcount = 1;
	s->version = ++n->snapshot_version;
	s->wall_ms = guts_env_wall(n->env) / GUTS_MS_NS;
	guts_peerid_text(s->id_text, &n->s.key.id);
	s->network = n->network;
	s->agent = n->agent;
	s->started_wall_ms = n->started_wall_ms;
	s->ready = n->is_ready;
	s->stopping = n->is_stopping;
	fill_listen(n, s);
	s->reachability = guts_portmap_state_name(guts_portmap_state(n->portmap));
	guts_peers_stats(n->peers, &st);
	s->bytes_in = st.bytes_in;
	s->bytes_out = st.bytes_out;
	s->rate_in = n->rate_in;
	s->rate_out = n->rate_out;
	s->accepted = st.accepted;
	s->refused = st.accepted_refused;
	s->evicted = st.evicted;
	s->dialled = st.dialled;
	s->dial_failures = st.dial_failed;
	s->feelers = st.feelers;
	s->bans_made = st.bans;
	s->noffences = guts_offence_fill(n, &s->offences);
	guts_store_fact_range(n->s.store, &s->fact_oldest, &s->fact_newest);
	fill_peers(n, s);
	fill_bans(n, s);
	fill_dials(n, s);
	s->nbook = guts_book_count(guts_peers_book(n->peers));
	s->nbook_tried = guts_book_count_tried(guts_peers_book(n->peers));
	if (n->sync) {
		s->repos = guts_calloc(guts_sync_count(n->sync) + 1, sizeof *s->repos);
		for (struct guts_repo *r = guts_sync_next(n->sync, NULL); r; r = guts_sync_next(n->sync, r))
			s->repos[s->nrepos++] = guts_repo_info_get(r);
	}
	if (n->pubsub) {
		s->ntopics = guts_pubsub_topics(n, &s->topics);
		guts_pubsub_stats(n, &s->gossip, &s->thresholds);
	}
	guts_dht_figures(n, s);
	return s;
}

static void
snapshot_free(struct guts_snapshot *s)
{
	for (size_t i = 0; i < s->nlisten; i++)
		free(s->listen[i]);
	for (size_t i = 0; i < s->npeers; i++) {
		struct guts_peer_info *p = &s->peers[i];

		for (size_t k = 0; k < p->naddrs; k++)
			free(p->addrs[k]);
		for (size_t k = 0; k < p->nprotocols; k++)
			free(p->protocols[k]);
		free(p->addrs);
		free(p->protocols);
		free(p->remote_addr);
		free(p->transport);
		free(p->agent);
	}
	for (size_t i = 0; i < s->nbans; i++)
		free(s->bans[i].reason);
	for (size_t i = 0; i < s->ndials; i++) {
		free(s->dials[i].addr);
		free(s->dials[i].error);
	}
	for (size_t i = 0; i < s->nrepos; i++)
		guts_repo_info_unref(s->repos[i]);
	for (size_t i = 0; i < s->ntopics; i++)
		free(s->topics[i].name);
	free(s->listen);
	free(s->peers);
	free(s->bans);
	free(s->dials);
	free(s->offences);
	free(s->repos);
	free(s->topics);
	free(s);
}

void
guts_snapshot_unref(struct guts_snapshot *s)
{
	if (s && __atomic_sub_fetch(&s->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		snapshot_free(s);
}

struct guts_snapshot *
guts_node_snapshot(struct guts_node *n)
{
	struct guts_snapshot *s;

	pthread_mutex_lock(&n->snapshot_lock);
	s = n->snapshot;
	__atomic_add_fetch(&s->refcount, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&n->snapshot_lock);
	return s;
}

void
guts_snapshot_publish(struct guts_node *n)
{
	struct guts_snapshot *s = snapshot_make(n), *old;
	struct guts_node_listener *l, *tmp;

	pthread_mutex_lock(&n->snapshot_lock);
	old = n->snapshot;
	n->snapshot = s;
	pthread_mutex_unlock(&n->snapshot_lock);
	guts_snapshot_unref(old);
	n->dirty = false;
	n->snapshot_ns = guts_env_now(n->env);
	LL_FOREACH_SAFE (n->listeners, l, tmp) {
		if (l->snapshot)
			l->snapshot(l->owner);
	}
}

/* Something that snapshots show has changed: the next one comes at once, or 100 ms after the last. */
void
guts_snapshot_dirty(struct guts_node *n)
{
	uint64_t now = guts_env_now(n->env), at = n->snapshot_ns + GUTS_SNAPSHOT_NS;

	if (n->dirty)
		return;
	n->dirty = true;
	guts_env_timer_set(n->env, &n->snap, at > now ? at : now);
}

void
guts_node_snapshot_flush(struct guts_node *n)
{
	if (!n->dirty)
		return;
	guts_env_timer_clear(n->env, &n->snap);
	guts_snapshot_publish(n);
}

struct guts_repo_info *
guts_snapshot_repo(const struct guts_snapshot *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	size_t lo = 0, hi = s->nrepos;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(s->repos[mid]->id, id, GUTS_REPOID_SIZE);

		if (c == 0)
			return s->repos[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

struct guts_repo_info *
guts_snapshot_repo_by_path(const struct guts_snapshot *s, struct guts_slice owner, struct guts_slice name)
{
	struct guts_peerid id;

	if (guts_peerid_parse(&id, owner))
		return NULL;
	for (size_t i = 0; i < s->nrepos; i++) {
		struct guts_repo_info *r = s->repos[i];

		if (!r->shadowed && guts_peerid_eq(&r->creator, &id) && guts_slice_eq(guts_slice_str(r->name), name))
			return r;
	}
	return NULL;
}
