/* sync/repo.c - the objects of this folder: repositories, authors, heads. */
#include "sync/internal.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

struct guts_bytes
guts_bytes_dup(struct guts_slice s)
{
	return (struct guts_bytes){ guts_memdup(s.p, s.n), s.n };
}

void
guts_bytes_free(struct guts_bytes *b)
{
	free(b->p);
	*b = (struct guts_bytes){ 0 };
}

void
guts_version_free(struct guts_version *v)
{
	free(v->id);
	guts_bytes_free(&v->envelope);
	for (size_t i = 0; i < v->nvotes; i++)
		guts_bytes_free(&v->votes[i]);
	free(v->votes);
	*v = (struct guts_version){ 0 };
}

void
guts_head_free(struct guts_head *h)
{
	guts_bytes_free(&h->envelope);
	guts_reftree_unref(h->tree);
	*h = (struct guts_head){ 0 };
}

void
guts_head_copy(struct guts_head *to, const struct guts_head *from)
{
	to->rec = from->rec;
	to->envelope = guts_bytes_dup(guts_bytes_slice(from->envelope));
	to->tree = from->tree ? guts_reftree_ref(from->tree) : NULL;
}

struct guts_repo *
guts_repo_new(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct guts_repo *r = guts_alloc(sizeof *r);

	r->sync = s;
	memcpy(r->id, id, sizeof r->id);
	guts_repoid_text(r->id_text, id);
	r->canonical = guts_reftree_empty();
	HASH_ADD(hh, s->repos, id, GUTS_REPOID_SIZE, r);
	guts_sync_sorted_add(s, r);
	return r;
}

static void
author_free(struct guts_author *a)
{
	guts_head_free(&a->head);
	guts_refs_view_unref(a->view);
	for (size_t i = 0; i < a->nrivals; i++)
		guts_head_free(&a->rivals[i]);
	for (unsigned i = 0; i < GUTS_RECENT_TREES; i++)
		guts_reftree_unref(a->recent[i].tree);
	free(a);
}

void
guts_repo_free(struct guts_repo *r)
{
	struct guts_sync *s = r->sync;
	struct guts_author *a, *atmp;
	struct guts_source *src, *stmp;

	assert(!r->changes && !r->fetch);
	guts_project_note(r, GUTS_OK);
	guts_offer_over(r);
	guts_tickets_settle(r, NULL, GUTS_IGNORE);
	if (r->is_queued)
		DL_DELETE2(s->fetch_queue, r, qprev, qnext);
	HASH_DEL(s->repos, r);
	guts_sync_sorted_del(s, r);
	for (size_t i = 0; i < r->chain.n; i++)
		guts_version_free(&r->chain.v[i]);
	GUTS_VEC_FREE(r->chain);
	HASH_ITER (hh, r->authors, a, atmp) {
		HASH_DEL(r->authors, a);
		author_free(a);
	}
	DL_FOREACH_SAFE (r->sources, src, stmp)
		free(src);
	guts_gates_free(r);
	guts_reftree_unref(r->canonical);
	if (r->info)
		guts_repo_info_unref(r->info);
	guts_refs_view_unref(r->view);
	guts_head_free(&r->hint);
	free(r->last_error);
	free(r);
}

void
guts_repo_drop(struct guts_repo *r)
{
	if (r->is_finishing || r->changes)
		r->drop = r->is_removed = true;
	else
		guts_repo_free(r);
}

const struct guts_identity *
guts_repo_identity(const struct guts_repo *r)
{
	return r->chain.n ? r->chain.v[r->chain.n - 1].id : NULL;
}

struct guts_oid
guts_repo_canonical(const struct guts_repo *r, struct guts_slice name)
{
	struct guts_refentry e;

	if (!guts_reftree_find(r->canonical, name, &e) || (e.tag & GUTS_CANONICAL_PENDING))
		return (struct guts_oid){ 0 };
	return e.oid;
}

struct guts_checks_by
guts_repo_checks_by(const struct guts_repo *r)
{
	const struct guts_identity *id = guts_repo_identity(r);

	return (struct guts_checks_by){ r->id, id->delegates, id->signers, id->ndelegates, id->nsigners };
}

struct guts_author *
guts_repo_author(struct guts_repo *r, const struct guts_peerid *id)
{
	struct guts_author *a;

	HASH_FIND(hh, r->authors, id, sizeof *id, a);
	return a;
}

struct guts_author *
guts_repo_author_add(struct guts_repo *r, const struct guts_peerid *id)
{
	struct guts_author *a = guts_repo_author(r, id);

	if (a)
		return a;
	a = guts_alloc(sizeof *a);
	a->id = *id;
	guts_peerid_text(a->text, id);
	a->head.tree = guts_reftree_empty();
	HASH_ADD(hh, r->authors, id, sizeof a->id, a);
	return a;
}

bool
guts_repo_is_delegate(const struct guts_repo *r, const struct guts_peerid *id)
{
	const struct guts_identity *ident = guts_repo_identity(r);

	return ident && guts_identity_delegate_index(ident, id) >= 0;
}

/* Descent is not asked of the objects in this version: of a threshold above one, values count by equality. */
static bool
never_a_commit(void *owner, const struct guts_oid *oid)
{
	(void)owner;
	(void)oid;
	return false;
}

static bool
no_merge_base(void *owner, const struct guts_oid *a, const struct guts_oid *b, struct guts_oid *out)
{
	(void)owner;
	(void)a;
	(void)b;
	(void)out;
	return false;
}

static const struct guts_ancestry by_equality = { never_a_commit, no_merge_base, NULL };

void
guts_repo_input(struct guts_repo *r, const struct guts_identity *id, struct guts_canonical_input *in,
    const struct guts_reftree *trees[GUTS_DELEGATES_MAX])
{
	for (uint32_t i = 0; i < id->ndelegates; i++) {
		const struct guts_author *a = guts_repo_author(r, &id->delegates[i]);

		trees[i] = a && a->head.rec.sequence ? a->head.tree : NULL;
	}
	*in = (struct guts_canonical_input){ .ndelegates = id->ndelegates, .threshold = id->threshold,
		.trees = trees, .ancestry = &by_equality };
}

/* Equal digests = equal records: identity, every author's applied record, counting statuses. */
static void
digest_compute(struct guts_repo *r)
{
	struct guts_sha256_ctx c;
	const struct guts_identity *id = guts_repo_identity(r);
	struct guts_author *a;
	uint8_t sum[32] = { 0 };

	/* Authors are combined by XOR of their own hashes, so that the order of arrival does not matter. */
	for (a = r->authors; a; a = a->hh.next) {
		uint8_t h[32];

		if (!a->head.rec.sequence)
			continue;
		guts_sha256(h, guts_slice(a->head.rec.hash, GUTS_HASH_SIZE));
		for (size_t i = 0; i < sizeof sum; i++)
			sum[i] ^= h[i];
	}
	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice("guts-state/1", 13));
	guts_sha256_add(&c, guts_slice(r->id, sizeof r->id));
	if (id)
		guts_sha256_add(&c, guts_slice(id->hash, GUTS_HASH_SIZE));
	guts_sha256_add(&c, guts_slice(sum, sizeof sum));
	guts_sha256_add(&c, guts_slice(r->status_sum, sizeof r->status_sum));
	guts_sha256_end(&c, r->digest);
}

/* Keep the state that was, if it is no longer that. */
static void
remember_state(struct guts_repo *r, const uint8_t was[32])
{
	unsigned i = r->past_next % GUTS_PAST_STATES;

	if (memcmp(was, r->digest, sizeof r->digest) == 0)
		return;
	memcpy(r->past[i].digest, was, sizeof r->past[i].digest);
	r->past[i].until_wall_ns = guts_env_wall(r->sync->s.env);
	r->past_next++;
}

void
guts_repo_touch(struct guts_repo *r)
{
	uint8_t was[32];

	memcpy(was, r->digest, sizeof was);
	digest_compute(r);
	if (r->is_ready)
		remember_state(r, was);
	if (r->info)
		guts_repo_info_unref(r->info);
	r->info = NULL;
	r->sync->inventory_stale = true;
	if (r->is_ready && r->sync->s.events->changed)
		r->sync->s.events->changed(r->sync->s.owner, r);
}

void
guts_author_remember(struct guts_author *a)
{
	unsigned i = a->recent_next++ % GUTS_RECENT_TREES;

	guts_reftree_unref(a->recent[i].tree);
	memcpy(a->recent[i].hash, a->head.rec.hash, GUTS_HASH_SIZE);
	a->recent[i].tree = guts_reftree_ref(a->head.tree);
}

const struct guts_reftree *
guts_author_tree_of(const struct guts_author *a, struct guts_slice hash)
{
	if (hash.n != GUTS_HASH_SIZE)
		return NULL;
	if (a->head.rec.sequence && memcmp(a->head.rec.hash, hash.p, hash.n) == 0)
		return a->head.tree;
	for (unsigned i = 0; i < GUTS_RECENT_TREES; i++) {
		if (a->recent[i].tree && memcmp(a->recent[i].hash, hash.p, hash.n) == 0)
			return a->recent[i].tree;
	}
	for (size_t i = 0; i < a->nrivals; i++) {
		if (memcmp(a->rivals[i].rec.hash, hash.p, hash.n) == 0)
			return a->rivals[i].tree;
	}
	return NULL;
}

bool
guts_repo_may_know(const struct guts_repo *r, const struct guts_peerid *peer)
{
	const struct guts_identity *id = guts_repo_identity(r);

	return id && r->is_ready && !r->is_removed && !r->is_importing && guts_identity_may_read(id, peer);
}

uint64_t
guts_sync_sequence(struct guts_sync *s, uint64_t above)
{
	uint64_t seq = guts_sync_wall_ms(s);

	if (seq <= above)
		seq = above + 1;
	if (seq <= s->last_sequence)
		seq = s->last_sequence + 1;
	s->last_sequence = seq;
	return seq;
}

const uint8_t *
guts_repo_id(const struct guts_repo *r)
{
	return r->id;
}

bool
guts_repo_is_listed(const struct guts_repo *r)
{
	const struct guts_identity *id = guts_repo_identity(r);

	return r->is_ready && !r->is_removed && !r->is_importing && !r->is_becoming_private && !id->is_retired && !id->is_private;
}

bool
guts_repo_is_own(const struct guts_repo *r)
{
	return guts_repo_is_delegate(r, &r->sync->s.key->id);
}

int
guts_repo_genesis(const struct guts_repo *r, struct guts_buf *out)
{
	return r->chain.n ? guts_buf_add_slice(out, guts_bytes_slice(r->chain.v[0].envelope)) : GUTS_ENOTFOUND;
}

bool
guts_repo_is_private(const struct guts_repo *r)
{
	const struct guts_identity *id = guts_repo_identity(r);

	return !id || id->is_private;
}
