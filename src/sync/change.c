/* sync/change.c - one change of one repository, from verified objects to announced refs.
 *
 * Changes of a repository run one after another; each walks these steps:
 *
 *	prepare   decide against the present state (a push signs here)
 *	create    the folder of a new repository
 *	accept    verified objects become part of the repository, fsynced
 *	query     is the old commit an ancestor of the new one? (for the facts only)
 *	commit    one store batch: records, entries, facts.  THE COMMIT POINT
 *	swap      memory shows the new state
 *	project   refs are written to disk
 *	finish    caller answered, facts streamed, record announced
 *
 * Before the commit a failure leaves nothing but objects that nothing refers to; after it
 * a failure of the projection is repaired by the next start.  There is no outbox: what is announced is the
 * record itself, and a neighbour that missed it finds it by the inventory.
 */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void change_run(struct guts_repo *r);

struct guts_change *
guts_change_new(struct guts_repo *r, const struct guts_peerid *from)
{
	struct guts_change *c = guts_alloc(sizeof *c);

	c->repo = r;
	c->from = *from;
	return c;
}

void
guts_change_free(struct guts_change *c)
{
	for (size_t i = 0; i < c->versions.n; i++)
		guts_version_free(&c->versions.v[i]);
	GUTS_VEC_FREE(c->versions);
	for (size_t i = 0; i < c->authors.n; i++) {
		struct guts_change_author *a = &c->authors.v[i];

		guts_head_free(&a->head);
		for (size_t k = 0; k < a->nrivals; k++)
			guts_head_free(&a->rivals[k]);
	}
	GUTS_VEC_FREE(c->authors);
	GUTS_VEC_FREE(c->moves);
	for (size_t i = 0; i < c->updates.n; i++)
		free((void *)(uintptr_t)c->updates.v[i].name.p);
	GUTS_VEC_FREE(c->updates);
	guts_reftree_unref(c->canonical);
	guts_reftree_unref(c->before);
	free(c);
}

/* End of the change at the head of the queue: tell its owner, free it, go on with the next. */
static void
finish(struct guts_change *c, int err)
{
	struct guts_repo *r = c->repo;

	if (err && c->ingest)
		guts_ingest_abort(r->sync->s.repos, c->ingest);
	c->ingest = NULL;
	DL_DELETE(r->changes, c);
	r->nchanges--;
	r->is_finishing = true;
	if (c->done)
		c->done(c, err, c->text[0] ? c->text : NULL);
	r->is_finishing = false;
	guts_change_free(c);
	if (r->drop && !r->changes)
		guts_repo_free(r);
	else
		change_run(r);
}

void
guts_changes_cancel(struct guts_repo *r)
{
	r->is_removed = true;
	while (r->changes) {
		struct guts_change *c = r->changes;

		if (c->ingest)
			guts_ingest_abort(r->sync->s.repos, c->ingest);
		c->ingest = NULL;
		DL_DELETE(r->changes, c);
		r->nchanges--;
		if (c->done)
			c->done(c, GUTS_ECANCELED, "the node is stopping");
		guts_change_free(c);
	}
}

/* The identity as it will be. */
static const struct guts_identity *
next_identity(const struct guts_change *c)
{
	return c->versions.n ? c->versions.v[c->versions.n - 1].id : guts_repo_identity(c->repo);
}

static int
add_name(void *owner, const struct guts_refentry *e)
{
	struct guts_names *names = owner;

	GUTS_VEC_PUSH(*names, e->name);
	return GUTS_OK;
}

static int
add_move(void *owner, const struct guts_refentry *e)
{
	struct guts_change *c = owner;
	const struct guts_identity *id = next_identity(c);
	struct guts_refentry before = { 0 };
	struct guts_move m = { .name = e->name };
	uint32_t who = e->tag & GUTS_CANONICAL_DELEGATE_MASK;

	if (guts_reftree_find(c->before, e->name, &before) && !(before.tag & GUTS_CANONICAL_PENDING))
		m.old_oid = before.oid;
	if (e->version && !(e->tag & GUTS_CANONICAL_PENDING))
		m.new_oid = e->oid;
	m.conflict = (e->tag & GUTS_CANONICAL_CONFLICT) != 0;
	if (who < id->ndelegates)
		m.author = id->delegates[who];
	m.kind = guts_oid_is_none(&m.new_oid) ? "delete" : guts_oid_is_none(&m.old_oid) ? "create" : "update";
	if (!guts_oid_eq(&m.old_oid, &m.new_oid) || m.conflict)
		GUTS_VEC_PUSH(c->moves, m);
	return GUTS_OK;
}

/* The canonical view as it will be, and which refs move. */
static int
compute(struct guts_change *c)
{
	struct guts_repo *r = c->repo;
	const struct guts_identity *id = next_identity(c);
	const struct guts_reftree *trees[GUTS_DELEGATES_MAX];
	struct guts_canonical_input in;
	struct guts_names names = { 0 };
	int err = GUTS_OK;

	c->before = guts_reftree_ref(r->canonical);
	guts_repo_input(r, id, &in, trees);
	for (size_t i = 0; i < c->authors.n; i++) {
		const struct guts_change_author *ca = &c->authors.v[i];
		int at = guts_identity_delegate_index(id, &ca->id);

		if (at < 0 || ca->rivals_only)
			continue;
		if (!err)
			err = guts_reftree_changes(trees[at] ? guts_repo_author(r, &ca->id)->head.tree : r->sync->empty,
			    ca->head.tree, add_name, &names);
		trees[at] = ca->head.tree;
	}
	if (!err && c->versions.n)
		err = guts_canonical_full(&in, &c->canonical);
	else if (!err)
		err = guts_canonical_update(&in, r->canonical, names.v, names.n, &c->canonical);
	if (!err)
		err = guts_reftree_changes(r->canonical, c->canonical, add_move, c);
	GUTS_VEC_FREE(names);
	return err;
}

/* -- the batch -------------------------------------------------------------------------------- */

/* Rows and disk names of one author's changed entries. */
struct rows {
	struct guts_change *c;
	struct guts_batch *b;
	const struct guts_peerid *author;
	const struct guts_reftree *before;
	bool is_other; /* no delegate: what moves is in no canonical ref, and told of here */
	uint64_t wall;
	char text[GUTS_PEERID_TEXT_SIZE];
	size_t n;
};

static void
add_update(struct guts_change *c, char *name, const struct guts_oid *oid)
{
	struct guts_ref_update u = { guts_slice_str(name), *oid };

	GUTS_VEC_PUSH(c->updates, u);
}

/* The fact of a move in another author's own refs. */
static void
batch_own_move(struct rows *w, const struct guts_refentry *e, struct guts_slice name)
{
	struct guts_refentry before = { 0 };
	struct guts_fact_attr attrs[5];
	char old_hex[GUTS_OID_HEX_SIZE], new_hex[GUTS_OID_HEX_SIZE];

	(void)guts_reftree_find(w->before, e->name, &before);
	if (guts_oid_eq(&before.oid, &e->oid))
		return;
	guts_oid_hex(old_hex, &before.oid);
	guts_oid_hex(new_hex, &e->oid);
	attrs[0] = guts_attr_slice("ref", name);
	attrs[1] = guts_attr_text("old", old_hex);
	attrs[2] = guts_attr_text("new", new_hex);
	attrs[3] = guts_attr_text("kind", guts_oid_is_none(&e->oid) ? "delete" :
	    guts_oid_is_none(&before.oid) ? "create" : "update");
	attrs[4] = guts_attr_num("first", 1);
	guts_sync_fact(w->b, w->c->repo, w->author, w->wall, "repo.author.ref", attrs, w->c->is_first ? 5 : 4);
}

static int
add_row(void *owner, const struct guts_refentry *e)
{
	struct rows *w = owner;
	struct guts_storekey k;
	struct guts_slice key = guts_key_entry(&k, w->c->repo, w->author, e->name);
	uint8_t value[64];

	if (e->version)
		guts_batch_put(w->b, GUTS_TABLE_REFLIST, key, guts_value_entry(value, e));
	else
		guts_batch_del(w->b, GUTS_TABLE_REFLIST, key);
	add_update(w->c, guts_asprintf("refs/namespaces/%s/%.*s", w->text, (int)e->name.n, (const char *)e->name.p),
	    &e->oid);
	if (w->is_other && w->n < GUTS_FACTS_PER_CHANGE)
		batch_own_move(w, e, w->c->updates.v[w->c->updates.n - 1].name);
	w->n++;
	return GUTS_OK;
}

/* Take away the oldest records of a long chain. */
struct prune {
	struct guts_batch *b;
	size_t over;
};

static bool
count_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	(void)key;
	(void)value;
	++*(size_t *)owner;
	return true;
}

static bool
prune_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct prune *p = owner;

	(void)value;
	guts_batch_del(p->b, GUTS_TABLE_REFS, key);
	return --p->over > 0;
}

static void
prune_chain(struct guts_batch *b, struct guts_repo *r, const struct guts_peerid *author)
{
	struct guts_slice none = { 0 };
	struct guts_storekey k;
	struct guts_slice prefix = guts_key_author(&k, r, author);
	size_t n = 0;

	guts_store_scan(r->sync->s.store, GUTS_TABLE_REFS, prefix, none, count_row, &n);
	if (n > GUTS_RECORD_CHAIN_KEPT) {
		struct prune p = { b, n - GUTS_RECORD_CHAIN_KEPT };

		guts_store_scan(r->sync->s.store, GUTS_TABLE_REFS, prefix, none, prune_row, &p);
	}
}

static void
batch_rivals(struct guts_batch *b, struct guts_repo *r, const struct guts_change_author *ca)
{
	struct guts_storekey k;
	struct guts_slice key = guts_key_author(&k, r, &ca->id);

	k.b[k.n] = 0;
	guts_batch_del_prefix(b, GUTS_TABLE_REFLIST, guts_slice(key.p, key.n + 1));
	for (size_t i = 0; i < ca->nrivals; i++) {
		struct guts_buf v;

		guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
		guts_value_rival(&v, &ca->rivals[i]);
		guts_batch_put(b, GUTS_TABLE_REFLIST, guts_key_rival(&k, r, &ca->rivals[i].rec), guts_buf_slice(&v));
		guts_batch_put(b, GUTS_TABLE_REFS, guts_key_record(&k, r, &ca->rivals[i].rec),
		    guts_bytes_slice(ca->rivals[i].envelope));
		guts_buf_deinit(&v);
	}
}

static int
batch_author(struct guts_batch *b, struct guts_change *c, const struct guts_change_author *ca, uint64_t wall)
{
	struct guts_repo *r = c->repo;
	const struct guts_author *a = guts_repo_author(r, &ca->id);
	struct rows w = { .c = c, .b = b, .author = &ca->id, .before = a ? a->head.tree : r->sync->empty, .wall = wall,
		.is_other = guts_identity_delegate_index(next_identity(c), &ca->id) < 0 };
	struct guts_storekey k;
	struct guts_fact_attr attrs[2];
	int err = GUTS_OK;

	guts_peerid_text(w.text, &ca->id);
	if (!ca->rivals_only) {
		err = guts_reftree_changes(w.before, ca->head.tree, add_row, &w);
		guts_batch_put(b, GUTS_TABLE_REFS, guts_key_record(&k, r, &ca->head.rec), guts_bytes_slice(ca->head.envelope));
		guts_batch_put(b, GUTS_TABLE_REFLIST, guts_key_author(&k, r, &ca->id), guts_bytes_slice(ca->head.envelope));
		attrs[0] = guts_attr_num("sequence", ca->head.rec.sequence);
		attrs[1] = guts_attr_num("refs", w.n);
		guts_sync_fact(b, r, &ca->id, wall, "repo.author.updated", attrs, 2);
		if (a && a->recent_next % GUTS_RECENT_TREES == GUTS_RECENT_TREES - 1)
			prune_chain(b, r, &ca->id);
	}
	if (ca->nrivals || (a && a->nrivals))
		batch_rivals(b, r, ca);
	if (ca->nrivals > (a ? a->nrivals : 0)) {
		attrs[0] = guts_attr_num("sequence", ca->rivals[ca->nrivals - 1].rec.sequence);
		guts_sync_fact(b, r, &ca->id, wall, "repo.author.forked", attrs, 1);
	}
	return err;
}

static void
batch_versions(struct guts_batch *b, struct guts_change *c, uint64_t wall)
{
	struct guts_repo *r = c->repo;
	const struct guts_identity *id = next_identity(c);
	struct guts_repo *holder = NULL;
	struct guts_storekey k;
	uint8_t bound[GUTS_REPOID_SIZE];

	for (size_t i = 0; i < c->versions.n; i++) {
		const struct guts_version *v = &c->versions.v[i];
		struct guts_slice key = guts_key_version(&k, r, v->id->version);

		guts_batch_del_prefix(b, GUTS_TABLE_VOTE, key);
		guts_batch_put(b, GUTS_TABLE_IDENTITY, key, guts_bytes_slice(v->envelope));
		for (size_t n = 0; n < v->nvotes; n++) {
			struct guts_vote vote;

			if (guts_vote_open(&vote, guts_bytes_slice(v->votes[n]), 0) == GUTS_OK)
				guts_batch_put(b, GUTS_TABLE_VOTE, guts_key_vote(&k, r, v->id->version, &vote.voter),
				    guts_bytes_slice(v->votes[n]));
		}
		if (v->id->version) {
			struct guts_fact_attr attrs[4] = { guts_attr_num("version", v->id->version),
				guts_attr_text("name", v->id->name), guts_attr_text("description", v->id->description),
				guts_attr_text("default_branch", v->id->default_branch) };

			guts_sync_fact(b, r, &v->id->signer, wall, "repo.updated", attrs, 4);
		}
	}
	/* The first repository of an owner with a name keeps it, as long as it is here. */
	if (guts_sync_name_bound(r->sync->s.store, &id->creator, guts_slice_str(id->name), bound) == GUTS_OK)
		holder = guts_sync_find(r->sync, bound);
	c->shadowed = holder && holder != r;
	if (!c->shadowed)
		guts_batch_put(b, GUTS_TABLE_NAME, guts_key_name(&k, &id->creator, guts_slice_str(id->name)),
		    guts_slice(r->id, sizeof r->id));
}

static void
batch_moves(struct guts_batch *b, struct guts_change *c, uint64_t wall)
{
	struct guts_repo *r = c->repo;
	struct guts_fact_attr attrs[5];
	char old_hex[GUTS_OID_HEX_SIZE], new_hex[GUTS_OID_HEX_SIZE];

	for (size_t i = 0; i < c->moves.n; i++) {
		const struct guts_move *m = &c->moves.v[i];

		if (!guts_oid_eq(&m->old_oid, &m->new_oid))
			add_update(c, guts_memdup(m->name.p, m->name.n), &m->new_oid);
		if (i >= GUTS_FACTS_PER_CHANGE)
			continue;
		guts_oid_hex(old_hex, &m->old_oid);
		guts_oid_hex(new_hex, &m->new_oid);
		attrs[0] = guts_attr_slice("ref", m->name);
		attrs[1] = guts_attr_text("old", old_hex);
		attrs[2] = guts_attr_text("new", new_hex);
		attrs[3] = guts_attr_text("kind", m->kind);
		attrs[4] = guts_attr_num("first", 1);
		if (!guts_oid_eq(&m->old_oid, &m->new_oid))
			guts_sync_fact(b, r, &m->author, wall, "repo.ref.updated", attrs, c->is_first || c->is_import ? 5 : 4);
		if (m->conflict) {
			attrs[1] = guts_attr_num("conflict", 1);
			guts_sync_fact(b, r, &m->author, wall, "repo.refs.conflict", attrs, 2);
		}
	}
	if (c->moves.n > GUTS_FACTS_PER_CHANGE) {
		attrs[0] = guts_attr_num("count", c->moves.n - GUTS_FACTS_PER_CHANGE);
		guts_sync_fact(b, r, &c->from, wall, "repo.refs.updated", attrs, 1);
	}
}

/* -- steps --------------------------------------------------------------------------------------- */

/* Disk use is asked for after new objects came; the answer finds the repository by its id. */
struct sizing {
	struct guts_sync *sync;
	uint8_t id[GUTS_REPOID_SIZE];
};

static void
on_sized(void *owner, int err, uint64_t bytes)
{
	struct sizing *z = owner;
	struct guts_repo *r = guts_sync_find(z->sync, z->id);

	if (r && !err && r->local.size_bytes != bytes) {
		r->local.size_bytes = bytes; /* stored with the next change */
		guts_repo_info_unref(r->info);
		r->info = NULL;
		z->sync->s.events->changed(z->sync->s.owner, r);
	}
	free(z);
}

static void
ask_size(struct guts_repo *r)
{
	struct sizing *z = guts_alloc(sizeof *z);

	z->sync = r->sync;
	memcpy(z->id, r->id, sizeof z->id);
	guts_repos_size(r->sync->s.repos, r->id, on_sized, z);
}

static void
on_projected(void *owner, int err)
{
	struct guts_change *c = owner;
	struct guts_repo *r = c->repo;
	struct guts_sync *s = r->sync;

	if (err && !c->projected_again) {
		c->projected_again = true;
		guts_project_all(r, on_projected, c);
		return;
	}
	guts_project_note(r, err);
	guts_repo_touch(r);
	if (c->is_first)
		s->s.events->added(s->s.owner, r);
	else if (c->versions_changed)
		s->s.events->renewed(s->s.owner, r);
	if (c->first_fact)
		s->s.events->facts(s->s.owner, c->first_fact, c->last_fact);
	if (c->is_first) {
		guts_tickets_settle(r, NULL, GUTS_ACCEPT);
		if (c->is_local_create && !r->is_importing)
			guts_announce_repo(r);
	} else if (c->versions.n && guts_peerid_eq(&c->from, &s->s.key->id)) {
		guts_announce_repo(r);
	}
	for (size_t i = 0; i < c->authors.n; i++) {
		struct guts_author *a = guts_repo_author(r, &c->authors.v[i].id);

		if (c->authors.v[i].rivals_only)
			continue;
		guts_tickets_settle(r, a->head.rec.hash, GUTS_ACCEPT);
		if (guts_peerid_eq(&c->from, &s->s.key->id))
			guts_announce_head(r, a, c->authors.v[i].head.tree);
	}
	guts_fork_close(r);
	guts_gates_look(r, NULL);
	if (c->had_objects)
		ask_size(r);
	if (c->versions_changed) {
		guts_fetch_forget_strangers(r);
		guts_repo_retire(r);
	}
	finish(c, GUTS_OK);
}

/* The store has it: memory follows.  Afterwards the change's author rows hold the *earlier* tree (for announcements). */
static void
swap(struct guts_change *c)
{
	struct guts_repo *r = c->repo;

	c->versions_changed = c->versions.n > 0;
	if (c->versions.n) {
		while (r->chain.n && r->chain.n > c->versions.v[0].id->version)
			guts_version_free(&r->chain.v[--r->chain.n]);
		for (size_t i = 0; i < c->versions.n; i++) {
			GUTS_VEC_PUSH(r->chain, c->versions.v[i]);
			c->versions.v[i] = (struct guts_version){ .id = NULL };
		}
		r->shadowed = c->shadowed;
		guts_status_load(r); /* others may count now */
	}
	for (size_t i = 0; i < c->authors.n; i++) {
		struct guts_change_author *ca = &c->authors.v[i];
		struct guts_author *a = guts_repo_author_add(r, &ca->id);
		struct guts_head old = a->head;

		if (!ca->rivals_only) {
			if (old.rec.sequence)
				guts_author_remember(a);
			a->head = ca->head;
			ca->head = old;
			guts_refs_view_unref(a->view);
			a->view = NULL;
		}
		for (size_t k = 0; k < a->nrivals; k++)
			guts_head_free(&a->rivals[k]);
		a->nrivals = ca->nrivals;
		memcpy(a->rivals, ca->rivals, sizeof a->rivals);
		ca->nrivals = 0;
	}
	guts_reftree_unref(r->canonical);
	r->canonical = guts_reftree_ref(c->canonical);
	guts_refs_view_unref(r->view);
	r->view = NULL;
	r->is_ready = true;
	guts_offer_over(r);
}

static void
on_committed(void *owner, int err, uint64_t first, uint64_t last)
{
	struct guts_change *c = owner;
	struct guts_repo *r = c->repo;
	char head[GUTS_BRANCH_MAX + 16] = "";

	c->committing = false;
	if (err) {
		snprintf(c->text, sizeof c->text, "the store could not be written: %s", guts_err_text(err));
		finish(c, err);
		return;
	}
	c->first_fact = first;
	c->last_fact = last;
	if (c->versions.n)
		snprintf(head, sizeof head, "refs/heads/%s", next_identity(c)->default_branch);
	swap(c);
	if (r->project_failures)
		guts_project_all(r, on_projected, c);
	else if (c->updates.n || head[0])
		guts_repos_project(r->sync->s.repos, r->id, c->updates.v, c->updates.n, false, guts_slice_str(head), on_projected,
		    c);
	else
		on_projected(c, GUTS_OK);
}

static void
commit(struct guts_change *c)
{
	struct guts_repo *r = c->repo;
	struct guts_sync *s = r->sync;
	uint64_t wall = guts_env_wall(s->s.env);
	struct guts_batch *b = guts_batch_new();
	struct guts_storekey k;
	uint8_t value[128];
	int err = GUTS_OK;

	r->is_becoming_private = c->versions.n && next_identity(c)->is_private;
	if (c->versions.n)
		batch_versions(b, c, wall);
	if (c->is_first) {
		const struct guts_identity *id = next_identity(c);
		char owner[GUTS_PEERID_TEXT_SIZE];
		struct guts_fact_attr attrs[2];

		guts_peerid_text(owner, &id->creator);
		attrs[0] = guts_attr_text("owner", owner);
		attrs[1] = guts_attr_text("name", id->name);
		r->local.created_wall_ns = wall;
		r->local.from = c->from;
		guts_sync_fact(b, r, c->is_local_create ? &id->creator : &c->from, wall,
		    c->is_local_create ? "repo.created" : "repo.added", attrs, 2);
	}
	for (size_t i = 0; i < c->authors.n && !err; i++)
		err = batch_author(b, c, &c->authors.v[i], wall);
	batch_moves(b, c, wall);
	r->is_becoming_private = false;
	r->local.updated_wall_ns = wall;
	guts_batch_put(b, GUTS_TABLE_REPO, guts_key_repo(&k, r), guts_value_repo(value, &r->local));
	if (!err) {
		c->committing = true;
		err = guts_store_commit(s->s.store, b, on_committed, c);
		c->committing = c->committing && !err;
	} else {
		guts_batch_free(b);
	}
	if (err)
		finish(c, err);
}

static void
on_queried(void *owner, int err, const struct guts_object_query *v, size_t n)
{
	struct guts_change *c = owner;
	size_t k = 0;

	for (size_t i = 0; !err && i < c->moves.n && k < n; i++) {
		struct guts_move *m = &c->moves.v[i];

		if (guts_oid_is_none(&m->old_oid) || guts_oid_is_none(&m->new_oid))
			continue;
		if (!v[k].is_ancestor)
			m->kind = "force";
		k++;
	}
	commit(c);
}

static void
query(struct guts_change *c)
{
	GUTS_VEC(struct guts_object_query) q = { 0 };

	for (size_t i = 0; i < c->moves.n && q.n < GUTS_FACTS_PER_CHANGE; i++) {
		const struct guts_move *m = &c->moves.v[i];

		if (!guts_oid_is_none(&m->old_oid) && !guts_oid_is_none(&m->new_oid))
			GUTS_VEC_PUSH(q, ((struct guts_object_query){ .oid = m->new_oid, .ancestor = m->old_oid }));
	}
	if (q.n)
		guts_repos_query(c->repo->sync->s.repos, c->repo->id, q.v, q.n, on_queried, c);
	else
		commit(c);
	GUTS_VEC_FREE(q);
}

void
guts_change_accepted(struct guts_change *c, int err)
{
	c->ingest = NULL;
	c->had_objects = true;
	if (err) {
		snprintf(c->text, sizeof c->text, "the objects could not be stored: %s", guts_err_text(err));
		finish(c, err);
		return;
	}
	query(c);
}

static void
accept_objects(struct guts_change *c)
{
	if (c->ingest)
		guts_ingest_accept(c->repo->sync->s.repos, c->ingest);
	else
		query(c);
}

static void
on_created(void *owner, int err)
{
	struct guts_change *c = owner;

	if (err) {
		snprintf(c->text, sizeof c->text, "the repository could not be made: %s", guts_err_text(err));
		finish(c, err);
		return;
	}
	accept_objects(c);
}

/* Run the change at the head of the queue, unless it is under way already. */
static void
change_run(struct guts_repo *r)
{
	struct guts_change *c = r->changes;
	int err;

	if (!c || c->running)
		return;
	c->running = true;
	err = r->is_removed ? GUTS_ECANCELED : c->prepare ? c->prepare(c) : GUTS_OK;
	if (err || (c->versions.n == 0 && c->authors.n == 0)) {
		if (!err && c->ingest) {
			guts_ingest_abort(r->sync->s.repos, c->ingest);
			c->ingest = NULL;
		}
		finish(c, err);
		return;
	}
	err = compute(c);
	if (err) {
		finish(c, err);
	} else if (c->is_first) {
		char head[GUTS_BRANCH_MAX + 16];

		snprintf(head, sizeof head, "refs/heads/%s", next_identity(c)->default_branch);
		guts_repos_create(r->sync->s.repos, r->id, next_identity(c)->object_format, guts_slice_str(head), on_created, c);
	} else {
		accept_objects(c);
	}
}

int
guts_change_submit(struct guts_change *c)
{
	struct guts_repo *r = c->repo;

	if (r->nchanges >= GUTS_WAITING_MAX)
		return GUTS_EBUSY;
	DL_APPEND(r->changes, c);
	r->nchanges++;
	change_run(r);
	return GUTS_OK;
}

bool
guts_sync_is_busy(const struct guts_sync *s)
{
	for (size_t i = 0; i < s->sorted.n; i++) {
		if (s->sorted.v[i]->changes)
			return true;
	}
	return false;
}
