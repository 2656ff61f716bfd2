/* node/swarm.c - topics of repositories, and links to enough others that seed them.
 *
 * The repositories that changed last have a topic, `topics_max` of them; the others are cold: what is new there
 * comes with the inventory exchange, and makes them hot again.  A quiet repository costs its subscription only.
 *
 * Of what it seeds a node wants links to SEEDERS_MIN others that do, too.  One link serves all repositories the
 * peer seeds, so where several lack seeders the peer that helps most of them is dialled first.  Seeders met before
 * are remembered; how they were met (bootstrap, address book, peer exchange) does not matter.  The search rests while
 * nothing is wanting, and slows down while it finds nobody.
 */
#include "node/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

#define SEEDERS_MIN 3
#define KNOWN_MAX 6                     /* seeders remembered per repository */
#define SETTLE_NS (5 * GUTS_SECOND_NS)  /* after a peer came: its subscriptions are on the way */
#define STEP_NS (15 * GUTS_SECOND_NS)   /* between two dials, doubling up to … */
#define STEP_MAX_NS (600 * GUTS_SECOND_NS)
#define CANDIDATES_MAX 64               /* peers compared in one search */

struct guts_swarm {
	uint8_t id[GUTS_REPOID_SIZE];
	bool hot;
	struct guts_peerid known[KNOWN_MAX]; /* the last met first */
	unsigned nknown;
	UT_hash_handle hh;
	struct guts_swarm *prev, *next;      /* n->swarms_hot or n->swarms_cold, newest change first */
};

struct candidate {
	struct guts_peerid id;
	unsigned helps;                      /* repositories that lack seeders */
};

static struct guts_swarm *
find(struct guts_node *n, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct guts_swarm *w;

	HASH_FIND(hh, n->swarms, id, GUTS_REPOID_SIZE, w);
	return w;
}

static void
set_topic(struct guts_node *n, const struct guts_swarm *w, bool on)
{
	char topic[GUTS_TOPIC_TEXT_MAX];

	guts_topic_repo(topic, n->network, w->id);
	guts_pubsub_topic(n, topic, on);
}

/* -- topics -------------------------------------------------------------------------------------- */

static void
heat(struct guts_node *n, struct guts_swarm *w)
{
	w->hot = true;
	n->nswarms_hot++;
	DL_PREPEND(n->swarms_hot, w);
	set_topic(n, w, true);
}

static void
cool_last(struct guts_node *n)
{
	struct guts_swarm *w = n->swarms_hot->prev; /* the list's head leads to its end */

	DL_DELETE(n->swarms_hot, w);
	n->nswarms_hot--;
	w->hot = false;
	DL_PREPEND(n->swarms_cold, w);
	set_topic(n, w, false);
}

void
guts_swarm_touch(struct guts_node *n, const struct guts_repo *r)
{
	struct guts_swarm *w = find(n, guts_repo_id(r));

	if (!w)
		return;
	if (w->hot) {
		DL_DELETE(n->swarms_hot, w);
		DL_PREPEND(n->swarms_hot, w);
		return;
	}
	DL_DELETE(n->swarms_cold, w);
	heat(n, w);
	if (n->nswarms_hot > n->s.topics_max)
		cool_last(n);
}

void
guts_swarm_add(struct guts_node *n, const struct guts_repo *r)
{
	struct guts_swarm *w;

	if (guts_repo_is_private(r) || find(n, guts_repo_id(r)))
		return;
	w = guts_alloc(sizeof *w);
	memcpy(w->id, guts_repo_id(r), sizeof w->id);
	HASH_ADD(hh, n->swarms, id, sizeof w->id, w);
	heat(n, w);
	if (n->nswarms_hot > n->s.topics_max)
		cool_last(n);
	guts_swarm_peers_changed(n);
}

void
guts_swarm_remove(struct guts_node *n, const struct guts_repo *r)
{
	struct guts_swarm *w = find(n, guts_repo_id(r)), *next = n->swarms_cold;

	if (!w)
		return;
	if (w->hot) {
		DL_DELETE(n->swarms_hot, w);
		n->nswarms_hot--;
		set_topic(n, w, false);
	} else {
		DL_DELETE(n->swarms_cold, w);
		next = NULL;
	}
	HASH_DEL(n->swarms, w);
	free(w);
	if (next) { /* its place goes to the one that changed last */
		DL_DELETE(n->swarms_cold, next);
		heat(n, next);
	}
}

static int
by_update(const void *a, const void *b)
{
	const struct guts_repo_info *x = *(struct guts_repo_info *const *)a, *y = *(struct guts_repo_info *const *)b;

	if (x->updated_wall_ms != y->updated_wall_ms)
		return x->updated_wall_ms < y->updated_wall_ms ? -1 : 1;
	return memcmp(x->id, y->id, sizeof x->id);
}

void
guts_swarm_load(struct guts_node *n)
{
	struct guts_repo_info **v = guts_calloc(guts_sync_count(n->sync) + 1, sizeof *v);
	size_t k = 0;

	for (struct guts_repo *r = guts_sync_next(n->sync, NULL); r; r = guts_sync_next(n->sync, r))
		v[k++] = guts_repo_info_get(r);
	qsort(v, k, sizeof *v, by_update);
	for (size_t i = 0; i < k; i++) {
		guts_swarm_add(n, guts_sync_find(n->sync, v[i]->id));
		guts_repo_info_unref(v[i]);
	}
	free(v);
}

void
guts_swarm_free(struct guts_node *n)
{
	struct guts_swarm *w, *tmp;

	HASH_ITER (hh, n->swarms, w, tmp) {
		HASH_DEL(n->swarms, w);
		free(w);
	}
	n->swarms_hot = n->swarms_cold = NULL;
}

/* -- seeders --------------------------------------------------------------------------------------- */

/* `peer` seeds it: to the front of those remembered. */
static void
remember(struct guts_swarm *w, const struct guts_peerid *peer)
{
	unsigned i = 0;

	while (i < w->nknown && !guts_peerid_eq(&w->known[i], peer))
		i++;
	if (i == w->nknown)
		i = w->nknown < KNOWN_MAX ? w->nknown++ : KNOWN_MAX - 1;
	memmove(&w->known[1], &w->known[0], i * sizeof w->known[0]);
	w->known[0] = *peer;
}

/* How many seeders are linked?  They are remembered. */
static size_t
count_seeders(struct guts_node *n, struct guts_swarm *w)
{
	struct guts_gossip *g = guts_pubsub_gossip(n);
	char topic[GUTS_TOPIC_TEXT_MAX];
	struct guts_gossip_topic_peer p;
	const void *it = NULL;
	size_t count = 0;

	guts_topic_repo(topic, n->network, w->id);
	while (guts_gossip_next_topic_peer(g, guts_slice_str(topic), &it, &p)) {
		remember(w, &p.id);
		count++;
	}
	return count;
}

static void
tally(struct guts_node *n, const struct guts_swarm *w, struct candidate *v, size_t *nv)
{
	for (unsigned i = 0; i < w->nknown; i++) {
		size_t k = 0;

		if (guts_peers_is_connected(n->peers, &w->known[i]))
			continue;
		while (k < *nv && !guts_peerid_eq(&v[k].id, &w->known[i]))
			k++;
		if (k == CANDIDATES_MAX)
			continue;
		if (k == *nv)
			v[(*nv)++] = (struct candidate){ .id = w->known[i] };
		v[k].helps++;
	}
}

static int
by_help(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->helps != y->helps)
		return x->helps > y->helps ? -1 : 1;
	return memcmp(x->id.b, y->id.b, sizeof x->id.b);
}

/* Dial one more peer for the repositories that lack seeders; false if none lacks any. */
static bool
look_for_more(struct guts_node *n)
{
	struct candidate *v = guts_calloc(CANDIDATES_MAX, sizeof *v);
	struct guts_swarm *w;
	bool wanting = false, dialled = false;
	size_t nv = 0;

	DL_FOREACH (n->swarms_hot, w) {
		if (count_seeders(n, w) >= SEEDERS_MIN)
			continue;
		wanting = true;
		tally(n, w, v, &nv);
	}
	qsort(v, nv, sizeof *v, by_help);
	/* A quarter of the slots stays for those who look for us. */
	for (size_t i = 0; i < nv && !dialled && guts_peers_count(n->peers) < n->s.max_connections * 3 / 4; i++)
		dialled = guts_peers_connect_id(n->peers, &v[i].id) == GUTS_OK;
	free(v);
	return wanting;
}

void
guts_swarm_forget(struct guts_node *n, const struct guts_peerid *peer)
{
	struct guts_swarm *w, *tmp;

	HASH_ITER (hh, n->swarms, w, tmp) {
		unsigned kept = 0;

		for (unsigned i = 0; i < w->nknown; i++)
			if (!guts_peerid_eq(&w->known[i], peer))
				w->known[kept++] = w->known[i];
		w->nknown = kept;
	}
}

void
guts_swarm_peers_changed(struct guts_node *n)
{
	uint64_t at = guts_env_now(n->env) + SETTLE_NS;

	if (!n->is_ready || n->swarm_at_ns <= at)
		return;
	n->swarm_at_ns = at;
	n->swarm_step_ns = STEP_NS;
	guts_node_rearm(n);
}

uint64_t
guts_swarm_tick(struct guts_node *n, uint64_t now)
{
	if (now < n->swarm_at_ns)
		return n->swarm_at_ns;
	if (look_for_more(n)) {
		n->swarm_at_ns = now + n->swarm_step_ns;
		n->swarm_step_ns = n->swarm_step_ns < STEP_MAX_NS / 2 ? 2 * n->swarm_step_ns : STEP_MAX_NS;
	} else {
		n->swarm_at_ns = GUTS_NEVER;
	}
	return n->swarm_at_ns;
}
