/* sync/load.c - start-up: repositories from the store to memory, refs on disk repaired.
 *
 * The store is the truth.  After a crash the refs on disk may lag behind the last commit point
 * or hold something that no record explains, so every repository is projected exactly; after
 * a clean stop (META "clean") that is not needed.  The mark is taken away before the first change, since
 * batches become durable in order.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define CLEAN guts_slice_str("clean")

struct load {
	struct guts_sync *s;
	int err;
	/* The author whose rows are being read. */
	struct guts_repo *repo;
	struct guts_author *author;
	GUTS_VEC(struct guts_refentry) entries;
	GUTS_VEC(char *) names;
};

static struct guts_repo *
repo_of(struct guts_sync *s, struct guts_slice key)
{
	struct guts_repo *r;

	if (key.n < GUTS_REPOID_SIZE)
		return NULL;
	HASH_FIND(hh, s->repos, key.p, GUTS_REPOID_SIZE, r);
	return r;
}

static bool
on_identity(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct load *l = owner;
	struct guts_repo *r = repo_of(l->s, key);
	struct guts_version v = { .id = guts_alloc(sizeof *v.id) };

	if (key.n != GUTS_REPOID_SIZE + 8 || guts_identity_open(v.id, value, 0)) {
		guts_log(GUTS_LOG_ERROR, "sync", "an identity in the store cannot be read; see guts doctor");
		free(v.id);
		l->err = GUTS_EIO;
		return true;
	}
	if (!r)
		r = guts_repo_new(l->s, key.p);
	v.envelope = guts_bytes_dup(value);
	GUTS_VEC_PUSH(r->chain, v);
	return true;
}

static bool
on_vote(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct load *l = owner;
	struct guts_repo *r = repo_of(l->s, key);
	struct guts_version *v;
	struct guts_cursor c;
	uint64_t version;

	guts_cursor_init(&c, key);
	guts_cursor_bytes(&c, GUTS_REPOID_SIZE);
	version = guts_cursor_be64(&c);
	if (!r || !guts_cursor_ok(&c) || version >= r->chain.n)
		return true;
	v = &r->chain.v[version];
	v->votes = guts_realloc(v->votes, (v->nvotes + 1) * sizeof *v->votes);
	v->votes[v->nvotes++] = guts_bytes_dup(value);
	return true;
}

static bool
on_local(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct load *l = owner;
	struct guts_repo *r = repo_of(l->s, key);

	if (key.n != GUTS_REPOID_SIZE)
		return true;
	if (!r) /* only a policy: blocked, or wanted and not found yet */
		r = guts_repo_new(l->s, key.p);
	if (guts_value_repo_read(value, &r->local)) {
		guts_log(GUTS_LOG_ERROR, "sync", "repo=%s: local state in the store cannot be read", r->id_text);
		l->err = GUTS_EIO;
	}
	r->is_ready = r->chain.n > 0;
	return true;
}

/* All entries of one author were read: make the tree, which must have the root that the record signs. */
static void
author_end(struct load *l)
{
	struct guts_reftree *tree = NULL;
	struct guts_author *a = l->author;

	if (a && a->head.rec.sequence) {
		if (guts_reftree_apply_delta(a->head.tree, l->entries.v, l->entries.n, a->head.rec.refs_root, &tree)) {
			guts_log(GUTS_LOG_ERROR, "sync", "repo=%s author=%s: entries do not fit the record; asking peers again",
			    l->repo->id_text, a->text);
			if (a->head.rec.sequence > l->s->last_sequence)
				l->s->last_sequence = a->head.rec.sequence;
			guts_bytes_free(&a->head.envelope);
			memset(&a->head.rec, 0, sizeof a->head.rec);
		} else {
			guts_reftree_unref(a->head.tree);
			a->head.tree = tree;
		}
	}
	for (size_t i = 0; i < l->names.n; i++)
		free(l->names.v[i]);
	l->names.n = 0;
	l->entries.n = 0;
	l->author = NULL;
}

static bool
on_entry(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct load *l = owner;
	struct guts_refentry e = { 0 };
	struct guts_repo *r = repo_of(l->s, key);
	struct guts_peerid who;
	uint8_t id[GUTS_REPOID_SIZE];

	if (!r || guts_key_split(key, id, &who, &e.name))
		return true;
	if (!l->author || l->repo != r || !guts_peerid_eq(&l->author->id, &who)) {
		author_end(l);
		l->repo = r;
		l->author = guts_repo_author_add(r, &who);
	}
	if (e.name.n == 0) {
		if (guts_signedrefs_open(&l->author->head.rec, value, 0))
			memset(&l->author->head.rec, 0, sizeof l->author->head.rec);
		else
			l->author->head.envelope = guts_bytes_dup(value);
	} else if (e.name.p[0] == 0) {
		struct guts_author *a = l->author;

		if (a->nrivals < GUTS_RIVALS_MAX && !guts_value_rival_read(value, &a->rivals[a->nrivals]))
			a->nrivals++;
	} else if (!guts_value_entry_read(value, &e)) {
		char *name = guts_memdup(e.name.p, e.name.n);

		e.name.p = (const uint8_t *)name;
		GUTS_VEC_PUSH(l->names, name);
		GUTS_VEC_PUSH(l->entries, e);
	}
	return true;
}

static void
name_check(struct guts_repo *r)
{
	const struct guts_identity *id = guts_repo_identity(r);
	uint8_t bound[GUTS_REPOID_SIZE];

	if (guts_sync_name_bound(r->sync->s.store, &id->creator, guts_slice_str(id->name), bound) == GUTS_OK)
		r->shadowed = memcmp(bound, r->id, sizeof bound) != 0;
}

static void
repaired(void *owner, int err)
{
	struct guts_sync *s = owner;

	if (err && !s->load_err)
		s->load_err = err;
	if (--s->loading)
		return;
	s->is_ready = s->load_err == 0;
	s->ready(s->s.owner, s->load_err);
	for (size_t i = 0; s->is_ready && i < s->sorted.n; i++)
		guts_gates_look(s->sorted.v[i], NULL);
	guts_sync_arm(s);
}

static void
on_clean_gone(void *owner, int err, uint64_t first, uint64_t last)
{
	(void)first;
	(void)last;
	repaired(owner, err);
}

/* The repository folder may be missing when a crash fell between the commit and its making: make it, then project. */
static void
repos_finish(struct guts_sync *s, bool was_clean)
{
	for (size_t i = 0; i < s->sorted.n; i++) {
		struct guts_repo *r = s->sorted.v[i];
		const struct guts_reftree *trees[GUTS_DELEGATES_MAX];
		struct guts_canonical_input in;
		struct guts_reftree *view;

		if (!r->is_ready)
			continue;
		guts_repo_input(r, guts_repo_identity(r), &in, trees);
		if (guts_canonical_full(&in, &view) == GUTS_OK) {
			guts_reftree_unref(r->canonical);
			r->canonical = view;
		}
		guts_status_load(r);
		name_check(r);
		guts_repo_touch(r);
		if (!was_clean) {
			s->loading++;
			guts_project_all(r, repaired, s);
		}
	}
}

int
guts_sync_new(struct guts_sync **out, const struct guts_sync_setup *setup, void (*ready)(void *owner, int err),
    struct guts_errinfo *ei)
{
	struct guts_sync *s = guts_alloc(sizeof *s);
	struct load l = { .s = s };
	struct guts_slice all = { 0 };
	struct guts_batch *b;
	struct guts_buf clean;
	bool was_clean;
	int err;

	guts_sync_init(s, setup);
	s->ready = ready;
	err = guts_store_scan(s->s.store, GUTS_TABLE_IDENTITY, all, all, on_identity, &l);
	if (!err)
		err = guts_store_scan(s->s.store, GUTS_TABLE_VOTE, all, all, on_vote, &l);
	if (!err)
		err = guts_store_scan(s->s.store, GUTS_TABLE_REPO, all, all, on_local, &l);
	if (!err)
		err = guts_store_scan(s->s.store, GUTS_TABLE_REFLIST, all, all, on_entry, &l);
	author_end(&l);
	GUTS_VEC_FREE(l.entries);
	GUTS_VEC_FREE(l.names);
	if (!err)
		err = l.err;
	if (err) {
		guts_sync_free(s);
		return guts_err_set(ei, err, "the store cannot be read: %s", guts_err_text(err));
	}
	guts_buf_init(&clean, 16);
	was_clean = guts_store_get(s->s.store, GUTS_TABLE_META, CLEAN, &clean) == GUTS_OK;
	guts_buf_deinit(&clean);
	s->loading = 1;
	repos_finish(s, was_clean);
	b = guts_batch_new();
	guts_batch_del(b, GUTS_TABLE_META, CLEAN);
	err = guts_store_commit(s->s.store, b, on_clean_gone, s);
	if (err) {
		guts_sync_free(s);
		return guts_err_set(ei, err, "the store cannot be written: %s", guts_err_text(err));
	}
	*out = s;
	return GUTS_OK;
}

void
guts_sync_mark_clean(const struct guts_sync *s, struct guts_batch *b)
{
	if (!guts_sync_is_busy(s) && !s->nunprojected)
		guts_batch_put(b, GUTS_TABLE_META, CLEAN, guts_slice_str("1"));
}
