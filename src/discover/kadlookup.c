/* discover/kadlookup.c - iterative lookups along disjoint paths.
 *
 * Candidates stand in order of their distance to the key, each on the path of whoever named it
 * first; the first ones, from our table, are dealt out to the paths in turn.  A path asks its own
 * candidates, nearest first.  It goes on while one of the nearest PATH_LIVE of its own, or of the
 * nearest k of all, was not asked: the first keeps it going when another path is flooded with
 * invented peers that look near, the second makes the result of honest paths the true k.  Then the
 * records go to the k closest that answered, if that is what the lookup is for.
 */
#include "discover/kad_int.h"

#include <assert.h>

static const char *const kind_names[GUTS_KAD_KINDS] = {
	"find_peer", "find_closest", "find_providers", "find_value", "provide", "store",
};

const char *
guts_kad_kind_name(enum guts_kad_kind kind)
{
	return kind_names[kind];
}

/* Of the nearest candidates of a path, so many must have answered. */
static unsigned
path_live(const struct guts_kad *k)
{
	return (GUTS_KAD_K + k->cfg.paths - 1) / k->cfg.paths;
}

static void
candidate_free(struct kad_candidate *c)
{
	kad_addrs_free(&c->addrs);
	free(c);
}

/* It is on no list any more. */
static void
destroy(struct kad_lookup *l)
{
	for (size_t i = 0; i < l->n; i++)
		candidate_free(l->v[i]);
	guts_buf_deinit(&l->frame);
	guts_buf_deinit(&l->value);
	free(l->v);
	free(l->path_asked);
	free(l->hops);
	free(l->providers);
	free(l);
}

void
kad_lookup_free(struct guts_kad *k, struct kad_lookup *l)
{
	while (l->requests)
		kad_request_free(k, l->requests);
	if (l->is_over) {
		DL_DELETE(k->over, l);
	} else {
		DL_DELETE(k->lookups, l);
		k->n_lookups--;
	}
	destroy(l);
}

/* --- candidates ------------------------------------------------------------ */

static struct kad_candidate *
find_candidate(const struct kad_lookup *l, const struct guts_peerid *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (guts_peerid_eq(&l->v[i]->id, id))
			return l->v[i];
	return NULL;
}

/* Position of the first candidate that is not nearer. */
static size_t
position(const struct kad_lookup *l, const struct kad_place *distance)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (kad_place_cmp(&l->v[mid]->distance, distance) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The furthest that was not asked makes room; false if that is the new one. */
static bool
make_room(struct kad_lookup *l, const struct kad_place *distance)
{
	size_t i = l->n;

	if (l->n < GUTS_KAD_CANDIDATES_MAX)
		return true;
	while (i > 0 && l->v[i - 1]->state != KAD_NEW)
		i--;
	if (i == 0 || kad_place_cmp(distance, &l->v[i - 1]->distance) >= 0)
		return false;
	candidate_free(l->v[i - 1]);
	memmove(&l->v[i - 1], &l->v[i], (l->n - i) * sizeof *l->v);
	l->n--;
	return true;
}

static struct kad_candidate *
add_candidate(struct kad_lookup *l, const struct guts_peerid *id, unsigned path)
{
	struct kad_candidate *c;
	struct kad_place place, distance;
	size_t at;

	kad_place_of(&place, guts_peerid_slice(id));
	kad_distance(&distance, &place, &l->place);
	at = position(l, &distance);
	if (at < l->n && guts_peerid_eq(&l->v[at]->id, id))
		return l->v[at];
	if (!make_room(l, &distance))
		return NULL;
	c = guts_alloc(sizeof *c);
	c->id = *id;
	c->distance = distance;
	c->path = path;
	at = position(l, &distance);
	memmove(&l->v[at + 1], &l->v[at], (l->n - at) * sizeof *l->v);
	l->v[at] = c;
	l->n++;
	return c;
}

/* --- going on -------------------------------------------------------------- */

static void
ask(struct guts_kad *k, struct kad_lookup *l, struct kad_candidate *c)
{
	static const struct kad_place nowhere;
	struct kad_request *r = kad_request_new(k, &c->id, &c->addrs, true);
	struct guts_kad_hop *h;

	r->lookup = l;
	r->told_by = c->told_by;
	DL_APPEND2(l->requests, r, lprev, lnext);
	c->state = KAD_ASKED;
	c->hop = l->n_hops;
	l->hops = guts_realloc(l->hops, (l->n_hops + 1) * sizeof *l->hops);
	h = &l->hops[l->n_hops++];
	*h = (struct guts_kad_hop){.id = c->id,
				   .path = c->path,
				   .err = GUTS_EAGAIN,
				   .shared = kad_shared_bits(&c->distance, &nowhere),
				   .at_ns = k->now - l->began_ns};
	l->n_asked++;
	l->path_asked[c->path]++;
}

/* Ask what each path wants to ask; returns whether anything is still open. */
static bool
go_on(struct guts_kad *k, struct kad_lookup *l)
{
	unsigned live_of[GUTS_KAD_K] = {0}, share = k->cfg.alpha / k->cfg.paths, own = path_live(k);
	size_t live = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct kad_candidate *c = l->v[i];

		if (c->state == KAD_FAILED)
			continue;
		if (c->state == KAD_NEW && (live < GUTS_KAD_K || live_of[c->path] < own) &&
		    l->path_asked[c->path] < share && l->n_hops < GUTS_KAD_CANDIDATES_MAX)
			ask(k, l, c);
		live++;
		live_of[c->path]++;
	}
	return l->n_asked > 0;
}

static void
end(struct guts_kad *k, struct kad_lookup *l)
{
	while (l->requests)
		kad_request_free(k, l->requests);
	DL_DELETE(k->lookups, l);
	k->n_lookups--;
	l->is_over = true;
	DL_APPEND(k->over, l);
}

/* Give the record to the k closest that answered. */
static void
begin_storing(struct guts_kad *k, struct kad_lookup *l)
{
	size_t n = 0;

	l->is_storing = true;
	guts_buf_clear(&l->frame);
	if (kad_frame_record(k, &l->frame, guts_slice(l->key, l->key_n), guts_buf_slice(&l->value)))
		return;
	for (size_t i = 0; i < l->n && n < GUTS_KAD_K; i++) {
		struct kad_request *r;

		if (l->v[i]->state != KAD_ANSWERED)
			continue;
		r = kad_request_new(k, &l->v[i]->id, &l->v[i]->addrs, l->kind == GUTS_KAD_STORE);
		r->lookup = l;
		DL_APPEND2(l->requests, r, lprev, lnext);
		l->n_asked++;
		n++;
	}
}

/* Something was answered or failed: what now? */
static void
step(struct guts_kad *k, struct kad_lookup *l)
{
	bool enough = l->found_target ||
		      (l->kind == GUTS_KAD_FIND_PROVIDERS && l->n_providers >= l->want) ||
		      (l->kind == GUTS_KAD_FIND_VALUE && l->n_same >= l->want);

	if (!enough && !l->is_storing && go_on(k, l))
		return;
	if (!l->is_storing && (l->kind == GUTS_KAD_PROVIDE || l->kind == GUTS_KAD_STORE))
		begin_storing(k, l);
	if (enough || l->n_asked == 0)
		end(k, l);
}

/* --- beginning ------------------------------------------------------------- */

static uint32_t
question(enum guts_kad_kind kind)
{
	if (kind == GUTS_KAD_FIND_PROVIDERS)
		return GUTS_KAD_GET_PROVIDERS;
	return kind == GUTS_KAD_FIND_VALUE ? GUTS_KAD_GET_VALUE : GUTS_KAD_FIND_NODE;
}

static int
check_goal(const struct guts_kad_goal *g, struct guts_peerid *target)
{
	bool ok = g->key.n > 0 && g->key.n <= GUTS_KAD_KEY_MAX;

	if (g->kind == GUTS_KAD_FIND_PEER)
		ok = ok && guts_peerid_decode(target, g->key) == 0;
	if (g->kind == GUTS_KAD_FIND_PROVIDERS || g->kind == GUTS_KAD_PROVIDE)
		ok = ok && kad_key_is_provider(g->key);
	if (g->kind == GUTS_KAD_FIND_VALUE || g->kind == GUTS_KAD_STORE)
		ok = ok && kad_key_is_value(g->key);
	return ok ? GUTS_OK : GUTS_EINVAL;
}

/* What we know by ourselves. */
static void
seed(struct guts_kad *k, struct kad_lookup *l)
{
	struct kad_contact *near[2 * GUTS_KAD_K];
	size_t n = kad_table_closest(k, &l->place, true, NULL, near, 2 * GUTS_KAD_K);
	struct guts_slice key = guts_slice(l->key, l->key_n);
	const struct kad_value *v;
	const struct kad_peer *p;
	struct kad_candidate *c;

	for (size_t i = 0; i < n; i++) {
		c = add_candidate(l, &near[i]->id, (unsigned)(i % k->cfg.paths));
		kad_addrs_copy(&c->addrs, &near[i]->addrs);
	}
	if (l->kind == GUTS_KAD_FIND_PROVIDERS)
		l->n_providers = guts_kad_providers(k, key, l->providers, l->want, k->now);
	v = l->kind == GUTS_KAD_FIND_VALUE ? kad_store_get(k, key) : NULL;
	if (v) {
		guts_buf_add(&l->value, v->value, v->value_n);
		l->rank = v->rank;
		l->n_same = 1;
	}
	/* A peer that is linked to us is found, be it a server or not. */
	p = l->kind == GUTS_KAD_FIND_PEER ? kad_peer_find(k, &l->target) : NULL;
	c = p ? add_candidate(l, &p->id, 0) : NULL;
	if (c) {
		kad_addrs_copy(&c->addrs, &p->addrs);
		c->state = KAD_ANSWERED;
		l->found_target = true;
	}
}

int
kad_lookup_start(struct guts_kad *k, const struct guts_kad_goal *g, guts_kad_done_fn *done,
		 void *owner, uint64_t *number)
{
	struct guts_kad_message m = {.type = question(g->kind), .has_type = true, .key = g->key};
	struct guts_peerid target = {0};
	struct kad_lookup *l;

	if (check_goal(g, &target))
		return GUTS_EINVAL;
	if (k->n_lookups >= k->cfg.lookups_max)
		return GUTS_EBUSY;
	l = guts_alloc(sizeof *l);
	*l = (struct kad_lookup){.number = ++k->last_number,
				 .kind = g->kind,
				 .key_n = g->key.n,
				 .target = target,
				 .done = done,
				 .owner = owner,
				 .began_ns = k->now,
				 .until_ns = k->now + k->cfg.lookup_ns,
				 .want = g->want};
	memcpy(l->key, g->key.p, g->key.n);
	kad_place_of(&l->place, g->key);
	if (g->kind == GUTS_KAD_FIND_PROVIDERS &&
	    (l->want == 0 || l->want > GUTS_KAD_CANDIDATES_MAX))
		l->want = GUTS_KAD_K;
	if (g->kind == GUTS_KAD_FIND_VALUE && l->want == 0)
		l->want = kad_key_is_fixed(g->key) ? 1 : SIZE_MAX;
	guts_buf_init(&l->frame, GUTS_KAD_MESSAGE_MAX);
	guts_buf_init(&l->value, GUTS_KAD_VALUE_MAX);
	guts_buf_add_slice(&l->value, g->value);
	(void)kad_frame(&l->frame, &m);
	l->v = guts_calloc(GUTS_KAD_CANDIDATES_MAX, sizeof *l->v);
	l->path_asked = guts_calloc(k->cfg.paths, sizeof *l->path_asked);
	if (g->kind == GUTS_KAD_FIND_PROVIDERS)
		l->providers = guts_calloc(l->want, sizeof *l->providers);
	DL_APPEND(k->lookups, l);
	k->n_lookups++;
	k->stats.started[l->kind]++;
	if (number)
		*number = l->number;
	seed(k, l);
	step(k, l);
	return GUTS_OK;
}

int
guts_kad_cancel(struct guts_kad *k, uint64_t number)
{
	struct kad_lookup *l;

	DL_FOREACH (k->lookups, l)
		if (l->number == number)
			break;
	if (!l)
		DL_FOREACH (k->over, l)
			if (l->number == number)
				break;
	if (!l)
		return GUTS_ENOTFOUND;
	kad_lookup_free(k, l);
	return GUTS_OK;
}

/* --- answers --------------------------------------------------------------- */

static void
take_closer(struct guts_kad *k, struct kad_lookup *l, const struct kad_candidate *by,
	    const struct guts_kad_peers *closer, enum kad_reach reach)
{
	struct kad_addrs addrs = {0};
	struct kad_candidate *c;
	struct guts_peerid id;

	for (size_t i = 0; i < closer->n && i < GUTS_KAD_K; i++) {
		if (guts_peerid_decode(&id, closer->v[i].id) || guts_peerid_eq(&id, &k->self))
			continue;
		kad_addrs_take(k, &addrs, &closer->v[i].addrs, reach);
		c = addrs.n || kad_peer_find(k, &id) ? add_candidate(l, &id, by->path) : NULL;
		if (c && c->addrs.n == 0) {
			kad_addrs_copy(&c->addrs, &addrs);
			c->told_by = by->id;
		}
		kad_addrs_free(&addrs);
	}
}

static void
take_providers(struct guts_kad *k, struct kad_lookup *l, const struct guts_peerid *by,
	       const struct guts_kad_peers *providers, enum kad_reach reach)
{
	struct kad_addrs addrs = {0};
	struct guts_peerid id;
	size_t j;

	for (size_t i = 0; i < providers->n; i++) {
		if (guts_peerid_decode(&id, providers->v[i].id) || guts_peerid_eq(&id, &k->self))
			continue;
		for (j = 0; j < l->n_providers && !guts_peerid_eq(&l->providers[j].id, &id); j++)
			;
		if (j == l->want)
			return;
		if (j == l->n_providers)
			l->n_providers++;
		else if (l->providers[j].n_addrs > 0)
			continue;
		kad_addrs_take(k, &addrs, &providers->v[i].addrs, reach);
		kad_contact_out(&l->providers[j], &id, &addrs);
		l->providers[j].told_by = *by;
		kad_addrs_free(&addrs);
	}
}

/* A value that fails costs its sender; of two good ones the higher rank stays. */
static bool
take_value(struct guts_kad *k, struct kad_lookup *l, const struct guts_peerid *from,
	   const struct guts_kad_record *r)
{
	uint64_t rank;
	int err;

	if (!guts_slice_eq(r->key, guts_slice(l->key, l->key_n)))
		err = GUTS_EPROTO;
	else
		err = guts_kad_value_check(r->key, r->value, k->wall_ns, &rank);
	if (err) {
		kad_blame(k, from, err, "value from the DHT");
		return false;
	}
	if (l->n_same == 0 || rank > l->rank) {
		guts_buf_clear(&l->value);
		guts_buf_add_slice(&l->value, r->value);
		l->rank = rank;
		l->n_same = 0;
	}
	l->n_same += rank == l->rank;
	return true;
}

void
kad_lookup_answer(struct guts_kad *k, struct kad_lookup *l, const struct guts_peerid *from,
		  const struct guts_kad_message *m)
{
	struct kad_candidate *c = find_candidate(l, from);
	enum kad_reach reach = kad_peer_reach(k, from);
	struct guts_kad_hop *h;

	if (l->is_storing) {
		kad_lookup_sent(k, l);
		return;
	}
	assert(c);
	h = &l->hops[c->hop];
	h->err = GUTS_OK;
	h->rtt_ns = k->now - l->began_ns - h->at_ns;
	h->closer = m->closer.n;
	h->providers = m->providers.n;
	c->state = KAD_ANSWERED;
	l->n_asked--;
	l->path_asked[c->path]--;
	if (l->kind == GUTS_KAD_FIND_PEER && guts_peerid_eq(from, &l->target))
		l->found_target = true;
	if (l->kind == GUTS_KAD_FIND_VALUE && m->has_record)
		h->has_value = take_value(k, l, from, &m->record);
	if (l->kind == GUTS_KAD_FIND_PROVIDERS)
		take_providers(k, l, from, &m->providers, reach);
	take_closer(k, l, c, &m->closer, reach);
	step(k, l);
}

void
kad_lookup_sent(struct guts_kad *k, struct kad_lookup *l)
{
	l->n_stored++;
	l->n_asked--;
	step(k, l);
}

void
kad_lookup_failed(struct guts_kad *k, struct kad_lookup *l, const struct guts_peerid *to, int err)
{
	struct kad_candidate *c = find_candidate(l, to);

	l->n_asked--;
	if (!l->is_storing) {
		assert(c);
		l->hops[c->hop].err = err;
		l->hops[c->hop].rtt_ns = k->now - l->began_ns - l->hops[c->hop].at_ns;
		c->state = KAD_FAILED;
		l->path_asked[c->path]--;
		if (l->kind == GUTS_KAD_FIND_PEER && guts_peerid_eq(to, &l->target) &&
		    kad_peer_find(k, to)) {
			c->state = KAD_ANSWERED; /* a client, but linked to us: it is there */
			l->found_target = true;
		}
	}
	step(k, l);
}

/* Who answered by now must do. */
static void
out_of_time(struct guts_kad *k, struct kad_lookup *l)
{
	bool stores = l->kind == GUTS_KAD_PROVIDE || l->kind == GUTS_KAD_STORE;

	if (!stores || l->is_storing) {
		end(k, l);
		return;
	}
	while (l->requests)
		kad_request_free(k, l->requests);
	l->n_asked = 0;
	begin_storing(k, l);
	DL_DELETE(k->lookups, l); /* the list is in the order of deadlines */
	l->until_ns = k->now + k->cfg.lookup_ns;
	DL_APPEND(k->lookups, l);
	if (l->n_asked == 0)
		end(k, l);
}

void
kad_lookup_tick(struct guts_kad *k)
{
	struct kad_lookup *l;

	while ((l = k->lookups) != NULL && l->until_ns <= k->now)
		out_of_time(k, l);
}

uint64_t
kad_lookup_deadline(const struct guts_kad *k)
{
	if (k->over)
		return k->now;
	return k->lookups ? k->lookups->until_ns : KAD_NEVER;
}

/* --- ends ------------------------------------------------------------------ */

static int
result_err(const struct kad_lookup *l, size_t n_closest)
{
	switch (l->kind) {
	case GUTS_KAD_FIND_PEER: return l->found_target ? GUTS_OK : GUTS_ENOTFOUND;
	case GUTS_KAD_FIND_PROVIDERS: return l->n_providers ? GUTS_OK : GUTS_ENOTFOUND;
	case GUTS_KAD_FIND_VALUE: return l->n_same ? GUTS_OK : GUTS_ENOTFOUND;
	case GUTS_KAD_PROVIDE:
	case GUTS_KAD_STORE: return l->n_stored ? GUTS_OK : GUTS_ENOTFOUND;
	case GUTS_KAD_FIND_CLOSEST:
	case GUTS_KAD_KINDS: break;
	}
	return n_closest ? GUTS_OK : GUTS_ENOTFOUND;
}

static void
tell(struct guts_kad *k, struct kad_lookup *l)
{
	struct guts_kad_contact *closest = guts_calloc(GUTS_KAD_K, sizeof *closest);
	struct guts_kad_result r = {.number = l->number,
				    .kind = l->kind,
				    .closest = closest,
				    .n_providers = l->n_providers,
				    .providers = l->providers,
				    .n_stored = l->n_stored,
				    .n_hops = l->n_hops,
				    .hops = l->hops,
				    .took_ns = k->now - l->began_ns};

	for (size_t i = 0; i < l->n && r.n_closest < GUTS_KAD_K; i++) {
		const struct kad_candidate *c = l->v[i];
		const struct kad_peer *p = kad_peer_find(k, &c->id);

		if (c->state == KAD_ANSWERED)
			kad_contact_out(&closest[r.n_closest++], &c->id,
					p && p->addrs.n ? &p->addrs : &c->addrs);
	}
	if (l->kind == GUTS_KAD_FIND_VALUE && l->n_same)
		r.value = guts_buf_slice(&l->value);
	r.err = result_err(l, r.n_closest);
	k->stats.succeeded[l->kind] += r.err == GUTS_OK;
	if (l->done)
		l->done(l->owner, &r);
	free(closest);
}

void
kad_lookup_finish(struct guts_kad *k)
{
	struct kad_lookup *l;

	while ((l = k->over) != NULL) {
		DL_DELETE(k->over, l); /* not to be cancelled any more */
		tell(k, l);
		destroy(l);
	}
}
