/* tests/sim/simnode.c - whole nodes in the simulator.
 *
 * The node is the real one: real handshakes, yamux, gossipsub, records.  Only the three tables under it are the
 * model's.  After a crash its memory is freed with dead tables in place of the live ones, so that nothing a
 * dying node might still do reaches the world.
 */
#include "simnode.h"

#include "base/alloc.h"
#include "base/text.h"
#include "gossip/gossip_int.h"
#include "node/internal.h"
#include "simdead.h"
#include "simrepo.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT 9000

static const char *const branches[4] = { "refs/heads/main", "refs/heads/topic/a", "refs/heads/b", "refs/tags/v1" };

/* -- the program -------------------------------------------------------------------------------------- */

static void
key_of(unsigned place, struct guts_key *k)
{
	uint8_t seed[32] = { 'k', (uint8_t)place, (uint8_t)(place >> 8) };

	guts_key_from_seed(k, seed);
}

void
simnode_address(const struct simnet_world *w, unsigned place, struct guts_maddr *out)
{
	struct sockaddr_storage a;

	sim_place_address(w->sim, place, PORT, &a);
	guts_maddr_from_tcp(out, (struct sockaddr *)&a);
}

static void
full_address(const struct simnet_world *w, unsigned place, struct guts_maddr *out)
{
	struct guts_key k;

	simnode_address(w, place, out);
	key_of(place, &k);
	assert(guts_maddr_add_peer(out, guts_peerid_slice(&k.id)) == 0);
}

static enum guts_gossip_verdict
relay_nothing(void *owner, const struct guts_peerid *peer, const struct guts_gossip_message *m)
{
	(void)owner;
	(void)peer;
	(void)m;
	return GUTS_GOSSIP_IGNORE;
}

static bool
is_sybil(const struct simnet_world *w, unsigned place)
{
	return w->sybils_from && place >= w->sybils_from;
}

/* A Sybil is the real node in all but one: what it hears goes no further. */
static void
turn_bad(struct simnode *sn)
{
	struct guts_gossip *g = guts_pubsub_gossip(sn->node);

	sn->events = *g->ev;
	sn->events.validate = relay_nothing;
	g->ev = &sn->events;
}

static void
on_ready(void *owner, int err, const char *text)
{
	struct simnode *sn = owner;

	if (err)
		fprintf(stderr, "# node %u does not start: %s\n", sn->place, text);
	sn->ready = err == 0;
	if (sn->ready && is_sybil(sn->w, sn->place))
		turn_bad(sn);
}

bool
simnet_world_dial(struct simnet_world *w, unsigned from, unsigned to)
{
	struct simnode *sn = simnet_world_node(w, from);
	struct guts_maddr at;

	full_address(w, to, &at);
	return sn && guts_peers_connect(sn->node->peers, &at) == 0;
}

/* Whom does it dial as the i-th; false = nobody. */
static bool
neighbour_of(struct simnet_world *w, unsigned place, unsigned i, unsigned *out)
{
	if (w->topology == SIMNET_RING) {
		*out = (place + i) % (w->sybils_from ? w->sybils_from : w->n);
		return true;
	}
	if (i > place)
		return false;
	*out = w->topology == SIMNET_RANDOM ? (unsigned)guts_rng_below(sim_rng(w->sim), place) : place - i;
	return true;
}

static void *
node_start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned place, void *arg)
{
	struct simnet_world *w = arg;
	struct simnode *sn = guts_alloc(sizeof *sn);
	struct guts_maddr listen, boot[8];
	struct guts_errinfo ei;
	unsigned other;
	struct guts_node_setup s = { .env = e, .store = st, .repos = r, .network = "sim", .agent = "guts/sim",
		.listen = &listen, .nlisten = 1, .bootstrap = boot, .mdns = w->mdns, .max_connections = 50, .connection_timeout_ms = 10000,
		.keepalive_interval_ms = 30000, .seed_default = w->seeds_nothing ? GUTS_SEED_NONE : GUTS_SEED_ALL,
		.dht_mode = w->dht_mode, .quota_total_bytes = 1u << 30,
		.quota_creator_bytes = 1u << 30, .quota_repo_bytes = 1u << 30, .quota_creator_repos = 100,
		.quota_new_per_hour = 1000, .pack_max_bytes = 64u << 20, .gossip_keep = true,
		.inventory_interval_ms = w->inventory_ms ? w->inventory_ms : 30000 };

	if (w->stranger && place + 1 == w->n)
		s.network = "elsewhere";
	if (is_sybil(w, place))
		s.max_connections = 1000;
	*sn = (struct simnode){ .w = w, .place = place, .env = e, .store = st, .repos = r };
	key_of(place, &s.key);
	simnode_address(w, place, &listen);
	for (unsigned i = 1; i <= w->dials && s.nbootstrap < 8; i++)
		if (neighbour_of(w, place, i, &other))
			full_address(w, other, &boot[s.nbootstrap++]);
	for (unsigned i = 0; place >= w->core && i < w->core; i++)
		full_address(w, i, &boot[s.nbootstrap++]);
	if (place < w->core)
		s.seed_default = GUTS_SEED_NONE;
	s.topics_max = w->topics_max;
	s.gossip_expect = w->gossip_expect;
	assert(guts_node_new(&sn->node, &s, &ei) == 0);
	guts_node_start(sn->node, on_ready, sn);
	return sn;
}

static void
node_stop(void *owner)
{
	struct simnode *sn = owner;

	guts_node_free(sn->node);
	free(sn);
}

static void
node_crash_free(void *owner)
{
	struct simnode *sn = owner;
	const struct guts_env_ops *env = sn->env->ops;
	const struct guts_store_ops *store = sn->store->ops;
	const struct guts_repos_ops *repos = sn->repos->ops;

	sn->env->ops = &sim_dead_env;
	sn->store->ops = &sim_dead_store;
	sn->repos->ops = &sim_dead_repos;
	guts_node_free(sn->node);
	sn->env->ops = env;
	sn->store->ops = store;
	sn->repos->ops = repos;
	free(sn);
}

static const struct sim_program program = { node_start, node_stop, node_crash_free };

void
simnet_world_start(struct simnet_world *w, struct sim *sim, unsigned n, unsigned dials)
{
	w->sim = sim;
	w->n = 0;
	w->dials = dials;
	simnet_world_add(w, n);
}

struct guts_peerid
simnode_id(unsigned place)
{
	struct guts_key k;

	key_of(place, &k);
	return k.id;
}

void
simnet_world_add(struct simnet_world *w, unsigned n)
{
	unsigned from = w->n;

	w->n += n;
	for (unsigned i = from; i < w->n; i++)
		sim_start(w->sim, i, &program, w);
}

/* Kept until the world ends: a crash takes the answer with it. */
struct simnode_ask {
	struct simnode_ask *next;
	struct simnet_world *w;
	unsigned k, b, place;
	struct guts_oid oid;
};

void
simnet_world_end(struct simnet_world *w)
{
	while (w->asks) {
		struct simnode_ask *a = w->asks;

		w->asks = a->next;
		free(a);
	}
}

struct simnode *
simnet_world_node(struct simnet_world *w, unsigned place)
{
	struct simnode *sn = sim_owner(w->sim, place);

	return sn && sn->ready ? sn : NULL;
}

/* -- users ---------------------------------------------------------------------------------------------- */

static void
on_created(void *owner, int err, const struct guts_errinfo *ei, struct guts_repo *r)
{
	struct simnode_ask *a = owner;

	(void)ei;
	if (!err) {
		memcpy(a->w->repo[a->k].id, guts_repo_id(r), GUTS_REPOID_SIZE);
		a->w->repo[a->k].made = true;
		sim_audit(a->w->sim, a->place, "made", guts_slice(guts_repo_id(r), GUTS_REPOID_SIZE));
	}
}

unsigned
simnet_world_create(struct simnet_world *w, unsigned place)
{
	struct simnode *sn = simnet_world_node(w, place);
	unsigned k = w->nrepos;
	char name[16];
	struct guts_repo_params p = { .name = name };
	struct simnode_ask *a;

	assert(sn && k < SIMNODE_REPOS);
	w->nrepos++;
	snprintf(name, sizeof name, "repo%u", k);
	w->repo[k] = (struct simnode_repo){ .place = place };
	a = guts_alloc(sizeof *a);
	*a = (struct simnode_ask){ .next = w->asks, .w = w, .k = k, .place = place };
	w->asks = a;
	guts_sync_create(guts_node_sync(sn->node), &p, on_created, a);
	return k;
}

static void
on_pushed(void *owner, int err, const char *text, const struct guts_push_cmd *cmds, size_t n)
{
	struct simnode_ask *a = owner;

	(void)text;
	(void)n;
	if (!err && !cmds[0].err) {
		a->w->repo[a->k].acked[a->b] = a->oid;
		a->w->repo[a->k].acks++;
		sim_audit(a->w->sim, a->place, "acked", guts_oid_slice(&a->oid));
	}
}

static const struct guts_push_events push_events = { .done = on_pushed };

/* A commit of the model alone: a tree, and the commit on top of `parent` (may be NULL). */
static void
model_commit(struct simnet_world *w, const struct guts_oid *parent, struct guts_oid *out, struct guts_buf *pack)
{
	struct simrepo_object o[2] = { { .type = GUTS_OBJ_TREE, .size = 100 }, { .type = GUTS_OBJ_COMMIT, .size = 200 } };

	simrepo_id(&o[0], ++w->salt);
	o[1].parent[o[1].nparents++] = o[0].oid;
	if (parent)
		o[1].parent[o[1].nparents++] = *parent;
	simrepo_id(&o[1], ++w->salt);
	simrepo_pack(pack, o, 2);
	*out = o[1].oid;
}

/* The repository on its user's node, and the value of a branch there (none if it is not there); NULL = not now. */
static struct guts_repo *
branch_of(struct simnet_world *w, unsigned k, unsigned b, struct guts_oid *value)
{
	struct simnode *sn = simnet_world_node(w, w->repo[k].place);
	struct guts_repo *r = sn && w->repo[k].made ? guts_sync_find(guts_node_sync(sn->node), w->repo[k].id) : NULL;
	const struct guts_refs_row *row;
	struct guts_repo_info *info;

	*value = (struct guts_oid){ 0 };
	if (!r)
		return NULL;
	info = guts_repo_info_get(r);
	row = guts_refs_view_find(info->canonical, guts_slice_str(branches[b]));
	if (row)
		*value = row->oid;
	guts_repo_info_unref(info);
	return r;
}

/* Push one command; an empty pack = none comes. */
static bool
push(struct simnet_world *w, unsigned k, unsigned b, struct guts_repo *r, const struct guts_push_cmd *cmd,
    struct guts_slice pack)
{
	struct simnode_repo *repo = &w->repo[k];
	struct simnode_ask *a = guts_alloc(sizeof *a);
	struct guts_errinfo ei;
	struct guts_push *p;

	*a = (struct simnode_ask){ .next = w->asks, .w = w, .k = k, .b = b, .place = repo->place, .oid = cmd->new_oid };
	w->asks = a;
	if (guts_push_open(guts_node_sync(simnet_world_node(w, repo->place)->node), r, NULL, cmd, 1, false, pack.n > 0,
	    &push_events, a, &p, &ei))
		return false;
	repo->asked[b] = cmd->new_oid;
	repo->pushes++;
	assert(guts_push_write(p, pack) == pack.n);
	guts_push_end(p);
	return true;
}

bool
simnet_world_push(struct simnet_world *w, unsigned k, unsigned b)
{
	struct guts_push_cmd cmd = { .name = (char *)(uintptr_t)branches[b] };
	struct guts_repo *r = branch_of(w, k, b, &cmd.old_oid);
	const struct guts_oid *parent = guts_oid_is_none(&cmd.old_oid) ? NULL : &cmd.old_oid;
	struct guts_buf pack;
	bool ok;

	if (!r)
		return false;
	guts_buf_init(&pack, 64u << 10);
	if (w->user)
		simuser_commit(w->user, parent, ++w->salt, &cmd.new_oid, &pack);
	else
		model_commit(w, parent, &cmd.new_oid, &pack);
	ok = push(w, k, b, r, &cmd, guts_buf_slice(&pack));
	guts_buf_deinit(&pack);
	return ok;
}

bool
simnet_world_delete(struct simnet_world *w, unsigned k, unsigned b)
{
	struct guts_push_cmd cmd = { .name = (char *)(uintptr_t)branches[b] };
	struct guts_repo *r = branch_of(w, k, b, &cmd.old_oid);

	return r && !guts_oid_is_none(&cmd.old_oid) && push(w, k, b, r, &cmd, guts_slice(NULL, 0));
}

bool
simnet_world_push_many(struct simnet_world *w, unsigned k, unsigned n)
{
	struct simnode_repo *repo = &w->repo[k];
	struct simnode *sn = simnet_world_node(w, repo->place);
	struct guts_repo *r = sn && repo->made ? guts_sync_find(guts_node_sync(sn->node), repo->id) : NULL;
	struct simrepo_object o = { .type = GUTS_OBJ_COMMIT, .size = 200 };
	struct guts_push_cmd *cmds = guts_calloc(n, sizeof *cmds);
	struct simnode_ask *a = guts_alloc(sizeof *a);
	struct guts_push *p;
	struct guts_errinfo ei;
	struct guts_buf pack;
	int err = r ? GUTS_OK : GUTS_EUNAVAILABLE;

	simrepo_id(&o, ++w->salt);
	*a = (struct simnode_ask){ .next = w->asks, .w = w, .k = k, .b = 3, .place = repo->place, .oid = o.oid };
	w->asks = a;
	for (unsigned i = 0; i < n; i++) {
		cmds[i].name = guts_asprintf("refs/heads/many/%u", i);
		cmds[i].new_oid = o.oid;
	}
	if (!err)
		err = guts_push_open(guts_node_sync(sn->node), r, NULL, cmds, n, true, true, &push_events, a, &p, &ei);
	if (!err) {
		guts_buf_init(&pack, 64u << 10);
		simrepo_pack(&pack, &o, 1);
		assert(guts_push_write(p, guts_buf_slice(&pack)) == pack.len);
		guts_push_end(p);
		guts_buf_deinit(&pack);
	}
	for (unsigned i = 0; i < n; i++)
		free(cmds[i].name);
	free(cmds);
	return err == GUTS_OK;
}

/* -- the judge -------------------------------------------------------------------------------------------- */

/* Do all running nodes show what the owner's node shows, and is it at or past what was acknowledged? */
static bool
is_equal(struct simnet_world *w)
{
	for (unsigned k = 0; k < w->nrepos; k++) {
		struct simnode_repo *repo = &w->repo[k];

		if (!repo->made)
			continue;
		for (unsigned b = 0; b < 4; b++) {
			struct guts_oid first = { 0 }, other;
			bool has_first = false;

			for (unsigned i = 0; i < w->n; i++) {
				struct simnode *sn = simnet_world_node(w, i);

				if (!sn || !guts_sync_find(guts_node_sync(sn->node), repo->id))
					return false;
				memset(&other, 0, sizeof other);
				(void)simrepo_ref(sn->repos, repo->id, branches[b], &other);
				if (has_first && !guts_oid_eq(&first, &other))
					return false;
				first = other;
				has_first = true;
			}
			/* An acknowledged value may only be followed by one that was asked for later. */
			if (!guts_oid_is_none(&repo->acked[b]) && !guts_oid_eq(&first, &repo->acked[b]) &&
			    !guts_oid_eq(&first, &repo->asked[b]))
				return false;
		}
	}
	return true;
}

bool
simnet_world_converge(struct simnet_world *w, uint64_t until_ns)
{
	while (sim_now(w->sim) < until_ns) {
		sim_run_for(w->sim, GUTS_SECOND_NS / 2);
		if (is_equal(w))
			return true;
	}
	return false;
}

const char *
simnet_world_fault(struct simnet_world *w)
{
	static char text[200];

	for (unsigned k = 0; k < w->nrepos; k++) {
		struct simnode_repo *repo = &w->repo[k];

		for (unsigned i = 0; repo->made && i < w->n; i++) {
			struct guts_repos *r = sim_repos(w->sim, i);

			if (simrepo_count(r, repo->id) && !simrepo_is_whole(r, repo->id)) {
				snprintf(text, sizeof text, "repository %u at place %u is not whole", k, i);
				return text;
			}
		}
	}
	return NULL;
}
