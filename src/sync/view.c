/* sync/view.c - values of repositories for other threads: immutable, counted, cached until the next change. */
#include "sync/internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

/* Names are copied out of the tree with NULs behind them; rows and names are one piece of memory each. */
struct view_mem {
	struct guts_refs_row *rows;
	char *names;
};

static struct guts_refs_view *
view_of(const struct guts_reftree *t, const struct guts_identity *id, const struct guts_peerid *author)
{
	struct guts_refs_view *v = guts_alloc(sizeof *v);
	struct view_mem *m = guts_alloc(sizeof *m);
	struct guts_refentry *e = guts_reftree_sorted(t);
	size_t count = guts_reftree_count(t), bytes = 0, n = 0;
	char *name;

	for (size_t i = 0; i < count; i++)
		bytes += e[i].name.n + 1;
	m->rows = guts_calloc(count + 1, sizeof *m->rows);
	name = m->names = guts_alloc(bytes + 1);
	for (size_t i = 0; i < count; i++) {
		uint32_t who = e[i].tag & GUTS_CANONICAL_DELEGATE_MASK;
		struct guts_refs_row *row = &m->rows[n];

		if (guts_oid_is_none(&e[i].oid) || (e[i].tag & GUTS_CANONICAL_PENDING))
			continue;
		memcpy(name, e[i].name.p, e[i].name.n);
		*row = (struct guts_refs_row){ .name = name, .oid = e[i].oid, .version = e[i].version,
			.conflict = (e[i].tag & GUTS_CANONICAL_CONFLICT) != 0, .is_gated = guts_identity_gates(id, e[i].name) };
		if (author)
			row->author = *author;
		else if (who < id->ndelegates)
			row->author = id->delegates[who];
		name += e[i].name.n + 1;
		n++;
	}
	free(e);
	*v = (struct guts_refs_view){ .refcount = 1, .n = n, .v = m->rows, .mem = m };
	return v;
}

struct guts_refs_view *
guts_refs_view_ref(struct guts_refs_view *v)
{
	__atomic_add_fetch(&v->refcount, 1, __ATOMIC_RELAXED);
	return v;
}

void
guts_refs_view_unref(struct guts_refs_view *v)
{
	if (!v || __atomic_sub_fetch(&v->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	struct view_mem *m = v->mem;

	free(m->rows);
	free(m->names);
	free(m);
	free(v);
}

const struct guts_refs_row *
guts_refs_view_find(const struct guts_refs_view *v, struct guts_slice name)
{
	size_t lo = 0, hi = v->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = guts_slice_cmp(guts_slice_str(v->v[mid].name), name);

		if (c == 0)
			return &v->v[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static struct guts_peerid *
dup_ids(const struct guts_peerid *v, size_t n)
{
	return guts_memdup(v, n * sizeof *v);
}

static void
fill_authors(struct guts_repo_info *i, struct guts_repo *r)
{
	const struct guts_identity *id = guts_repo_identity(r);

	i->authors = guts_calloc(HASH_COUNT(r->authors) + 1, sizeof *i->authors);
	for (struct guts_author *a = r->authors; a; a = a->hh.next) {
		struct guts_repo_author *out = &i->authors[i->nauthors];

		if (!a->head.rec.sequence)
			continue;
		out->id = a->id;
		out->sequence = a->head.rec.sequence;
		out->wall_ms = a->head.rec.time_ms;
		out->refs = guts_reftree_live(a->head.tree);
		out->is_delegate = guts_identity_delegate_index(id, &a->id) >= 0;
		out->is_forked = a->nrivals > 0;
		memcpy(out->record_hash, a->head.rec.hash, sizeof out->record_hash);
		if (!a->view)
			a->view = view_of(a->head.tree, id, &a->id);
		out->refs_view = guts_refs_view_ref(a->view);
		i->nauthors++;
	}
}

/* Is its state one that was ours?  Each change since then is one that it lacks. */
static void
fill_behind(struct guts_repo_seeder *s, const struct guts_repo *r, const struct guts_source *src)
{
	unsigned known = r->past_next < GUTS_PAST_STATES ? r->past_next : GUTS_PAST_STATES;

	for (unsigned back = 1; back <= known && !s->is_current && !s->is_behind; back++) {
		unsigned i = (r->past_next - back) % GUTS_PAST_STATES;

		if (memcmp(r->past[i].digest, src->digest, sizeof r->past[i].digest) != 0)
			continue;
		s->is_behind = true;
		s->behind = back;
		s->behind_since_wall_ms = r->past[i].until_wall_ns / GUTS_MS_NS;
	}
}

static void
fill_seeders(struct guts_repo_info *i, struct guts_repo *r)
{
	struct guts_source *src;

	i->seeders = guts_calloc(r->nsources + 1, sizeof *i->seeders);
	DL_FOREACH (r->sources, src) {
		static const uint8_t unknown[32];

		if (memcmp(src->digest, unknown, sizeof unknown) == 0)
			continue;
		i->seeders[i->nseeders++] = (struct guts_repo_seeder){ .id = src->peer,
			.is_current = memcmp(src->digest, r->digest, sizeof r->digest) == 0,
			.seen_wall_ms = src->seen_wall_ns / GUTS_MS_NS };
		fill_behind(&i->seeders[i->nseeders - 1], r, src);
	}
}

struct guts_repo_info *
guts_repo_info_get(struct guts_repo *r)
{
	const struct guts_identity *id = guts_repo_identity(r);
	struct guts_repo_info *i = r->info;

	if (i)
		return guts_repo_info_ref(i);
	i = guts_alloc(sizeof *i);
	i->refcount = 2; /* the cache's and the caller's */
	memcpy(i->id, r->id, sizeof i->id);
	snprintf(i->id_text, sizeof i->id_text, "%s", r->id_text);
	i->creator = id->creator;
	snprintf(i->name, sizeof i->name, "%s", id->name);
	i->description = guts_strdup(id->description);
	i->default_branch = guts_strdup(id->default_branch);
	i->format = id->object_format;
	i->identity_version = id->version;
	i->created_wall_ms = r->local.created_wall_ns / GUTS_MS_NS;
	i->updated_wall_ms = r->local.updated_wall_ns / GUTS_MS_NS;
	i->size_bytes = r->local.size_bytes;
	i->is_private = id->is_private;
	i->is_retired = id->is_retired;
	i->is_delegate = guts_repo_is_delegate(r, &r->sync->s.key->id);
	i->shadowed = r->shadowed;
	i->syncing = r->fetch != NULL;
	i->policy = r->local.policy;
	i->threshold = id->threshold;
	i->ndelegates = id->ndelegates;
	i->nsigners = id->nsigners;
	i->nreaders = id->nreaders;
	i->delegates = dup_ids(id->delegates, id->ndelegates);
	i->signers = dup_ids(id->signers, id->nsigners);
	i->readers = dup_ids(id->readers, id->nreaders);
	i->ncontexts = id->ncontexts;
	i->contexts = guts_calloc(id->ncontexts + 1, sizeof *i->contexts);
	for (size_t k = 0; k < i->ncontexts; k++)
		i->contexts[k] = guts_strdup(id->contexts[k]);
	i->ngates = id->ngates;
	i->gates = guts_calloc(id->ngates + 1, sizeof *i->gates);
	for (size_t k = 0; k < i->ngates; k++)
		i->gates[k] = guts_strdup(id->gates[k]);
	fill_authors(i, r);
	fill_seeders(i, r);
	if (!r->view)
		r->view = view_of(r->canonical, id, NULL);
	i->canonical = guts_refs_view_ref(r->view);
	memcpy(i->state_digest, r->digest, sizeof i->state_digest);
	i->last_error = guts_strdup(r->last_error);
	r->info = i;
	return i;
}

struct guts_repo_info *
guts_repo_info_ref(struct guts_repo_info *i)
{
	__atomic_add_fetch(&i->refcount, 1, __ATOMIC_RELAXED);
	return i;
}

void
guts_repo_info_unref(struct guts_repo_info *i)
{
	if (!i || __atomic_sub_fetch(&i->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t k = 0; k < i->nauthors; k++)
		guts_refs_view_unref(i->authors[k].refs_view);
	guts_refs_view_unref(i->canonical);
	free(i->description);
	free(i->default_branch);
	free(i->delegates);
	free(i->signers);
	free(i->readers);
	for (size_t k = 0; k < i->ncontexts; k++)
		free(i->contexts[k]);
	free(i->contexts);
	for (size_t k = 0; k < i->ngates; k++)
		free(i->gates[k]);
	free(i->gates);
	free(i->authors);
	free(i->seeders);
	free(i->last_error);
	free(i);
}
