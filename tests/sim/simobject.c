/* tests/sim/simobject.c - the model of repositories: objects, refs, questions; every answer comes before the call returns. */
#include "simobject_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <utlist.h>

/* --- repositories --------------------------------------------------------- */

struct repo *
simobject_repo(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct repo *repo;

	HASH_FIND(hh, simobjects_of(r)->all, id, GUTS_REPOID_SIZE, repo);
	return repo;
}

struct object *
simobject_find(struct repo *repo, const struct guts_oid *oid)
{
	struct object *o;

	HASH_FIND(hh, repo->objects, oid, sizeof *oid, o);
	return o;
}

static void
ref_free(struct repo *repo, struct ref *ref)
{
	HASH_DEL(repo->refs, ref);
	free(ref->name);
	free(ref);
}

static void
repo_free(struct simobjects *r, struct repo *repo)
{
	struct object *o, *next_o;
	struct ref *ref, *next_ref;

	HASH_ITER (hh, repo->objects, o, next_o) {
		HASH_DEL(repo->objects, o);
		free(o);
	}
	HASH_ITER (hh, repo->refs, ref, next_ref)
		ref_free(repo, ref);
	HASH_DEL(r->all, repo);
	free(repo->head);
	free(repo);
}

void
simobject_add(struct repo *repo, const struct simrepo_object *x)
{
	if (simobject_find(repo, &x->oid))
		return;

	struct object *o = guts_alloc(sizeof *o);
	o->o = *x;
	HASH_ADD(hh, repo->objects, o.oid, sizeof o->o.oid, o);
}

static void
set_ref(struct repo *repo, const char *name, const struct guts_oid *oid)
{
	struct ref *ref;

	HASH_FIND_STR(repo->refs, name, ref);
	if (guts_oid_is_none(oid)) {
		if (ref)
			ref_free(repo, ref);
		return;
	}
	if (!ref) {
		ref = guts_alloc(sizeof *ref);
		ref->name = guts_strdup(name);
		HASH_ADD_KEYPTR(hh, repo->refs, ref->name, strlen(ref->name), ref);
	}
	ref->oid = *oid;
}

/* --- changes -------------------------------------------------------------- */

static char *
text_of(struct guts_slice s)
{
	return guts_memdup(s.p, s.n);
}

static void
repos_create(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], enum guts_object_format f,
    struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	(void)f; /* the model's ids have 20 bytes */
	if (!simobject_repo(r, id)) {
		struct repo *repo = guts_alloc(sizeof *repo);

		memcpy(repo->id, id, sizeof repo->id);
		repo->head = text_of(head_ref);
		HASH_ADD(hh, simobjects_of(r)->all, id, GUTS_REPOID_SIZE, repo);
	}
	done(owner, 0);
}

static void
repos_remove(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err), void *owner)
{
	struct repo *repo = simobject_repo(r, id);

	if (repo)
		repo_free(simobjects_of(r), repo);
	done(owner, 0);
}

static int
project(struct repo *repo, const struct guts_ref_update *v, size_t n, bool exact, struct guts_slice head_ref)
{
	struct ref *ref, *next;

	for (size_t i = 0; i < n; i++)
		if (!guts_oid_is_none(&v[i].oid) && !simobject_find(repo, &v[i].oid))
			return GUTS_ENOTFOUND;
	if (exact)
		HASH_ITER (hh, repo->refs, ref, next)
			ref_free(repo, ref);
	for (size_t i = 0; i < n; i++) {
		char *name = text_of(v[i].name);

		set_ref(repo, name, &v[i].oid);
		free(name);
	}
	if (head_ref.n) {
		free(repo->head);
		repo->head = text_of(head_ref);
	}
	return 0;
}

static void
repos_project(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ref_update *v, size_t n,
    bool exact, struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	struct repo *repo = simobject_repo(r, id);

	done(owner, repo ? project(repo, v, n, exact, head_ref) : GUTS_ENOTFOUND);
}

/* --- questions ------------------------------------------------------------ */

static int
by_name(const void *x, const void *y)
{
	const struct guts_ref_row *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static void
repos_refs(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner)
{
	struct repo *repo = simobject_repo(r, id);
	struct guts_ref_row *v;
	struct ref *ref;
	size_t n = 0;

	if (!repo) {
		done(owner, GUTS_ENOTFOUND, NULL, 0);
		return;
	}
	v = guts_calloc(HASH_COUNT(repo->refs) + 1, sizeof *v);
	for (ref = repo->refs; ref; ref = ref->hh.next)
		v[n++] = (struct guts_ref_row){ ref->name, ref->oid };
	qsort(v, n, sizeof *v, by_name);
	done(owner, 0, v, n);
	free(v);
}

/* Mark `oid` and put it on the stack, if it is there and was not yet. */
static struct object *
push(struct simobjects *r, struct repo *repo, const struct guts_oid *oid, struct object *stack)
{
	struct object *o = simobject_find(repo, oid);

	if (!o || o->mark == r->mark)
		return stack;
	o->mark = r->mark;
	o->next = stack;
	return o;
}

/* Mark all that is on the stack and what it reaches, until `want` (may be NULL) is met. */
static bool
reaches(struct simobjects *r, struct repo *repo, struct object *stack, const struct guts_oid *want)
{
	while (stack) {
		struct object *o = stack;

		stack = o->next;
		if (want && guts_oid_eq(&o->o.oid, want))
			return true;
		for (size_t i = 0; i < o->o.nparents; i++)
			stack = push(r, repo, &o->o.parent[i], stack);
	}
	return false;
}

static int
by_oid(const struct object *a, const struct object *b)
{
	return memcmp(a->o.oid.b, b->o.oid.b, sizeof a->o.oid.b);
}

struct object *
simobject_reached(struct guts_repos *base, struct repo *repo)
{
	struct simobjects *r = simobjects_of(base);
	struct object *stack = NULL, *all = NULL, *o;

	r->mark++;
	for (struct ref *ref = repo->refs; ref; ref = ref->hh.next)
		stack = push(r, repo, &ref->oid, stack);
	(void)reaches(r, repo, stack, NULL);
	for (o = repo->objects; o; o = o->hh.next)
		if (o->mark == r->mark)
			LL_PREPEND(all, o);
	LL_SORT(all, by_oid);
	return all;
}

bool
simobject_reaches(struct guts_repos *base, struct repo *repo, const struct guts_oid *from, const struct guts_oid *want)
{
	struct simobjects *r = simobjects_of(base);

	r->mark++;
	return reaches(r, repo, push(r, repo, from, NULL), want);
}

static void
repos_query(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_object_query *v, size_t n,
    void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n), void *owner)
{
	struct repo *repo = simobject_repo(r, id);
	struct guts_object_query *answer;

	if (!repo) {
		done(owner, GUTS_ENOTFOUND, NULL, 0);
		return;
	}
	answer = guts_memdup(v, n * sizeof *v);
	for (size_t i = 0; i < n; i++) {
		struct guts_object_query *q = &answer[i];
		struct object *o = simobject_find(repo, &q->oid);

		q->type = o ? o->o.type : GUTS_OBJ_NONE;
		q->is_ancestor = o && !guts_oid_is_none(&q->ancestor) &&
		    simobject_reaches(r, repo, &q->oid, &q->ancestor);
	}
	done(owner, 0, answer, n);
	free(answer);
}

static void
repos_size(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err, uint64_t bytes),
    void *owner)
{
	struct repo *repo = simobject_repo(r, id);
	uint64_t bytes = 0;

	if (repo)
		for (struct object *o = repo->objects; o; o = o->hh.next)
			bytes += o->o.size + sizeof o->o.oid;
	done(owner, repo ? 0 : GUTS_ENOTFOUND, bytes);
}

/* --- make and free -------------------------------------------------------- */

struct guts_repos *
simobject_new(void)
{
	static const struct guts_repos_ops ops = {
		.create = repos_create,
		.remove = repos_remove,
		.ingest_open = simpack_ingest_open,
		.ingest_write = simpack_ingest_write,
		.ingest_end = simpack_ingest_end,
		.ingest_accept = simpack_ingest_accept,
		.ingest_abort = simpack_ingest_abort,
		.pack_open = simpack_open,
		.pack_pause = simpack_pause,
		.pack_close = simpack_close,
		.project = repos_project,
		.refs = repos_refs,
		.query = repos_query,
		.size = repos_size,
	};
	struct simobjects *r = guts_alloc(sizeof *r);

	r->repos.ops = &ops;
	return &r->repos;
}

void
simobject_free(struct guts_repos *base)
{
	struct simobjects *r = simobjects_of(base);
	struct repo *repo, *next;

	HASH_ITER (hh, r->all, repo, next)
		repo_free(r, repo);
	free(r);
}

/* --- the model of a disk ---------------------------------------------------- */

static void
turn(struct sim_disk *d)
{
	(void)d;
	abort(); /* nothing is ever waited for */
}

static void
nothing(struct sim_disk *d)
{
	(void)d;
}

static void
disk_free(struct sim_disk *d)
{
	simtable_free(d->store);
	simobject_free(d->repos);
	free(d);
}

struct sim_disk *
simmodel_new(void)
{
	static const struct sim_disk_ops ops = { turn, nothing, nothing, disk_free };
	struct sim_disk *d = guts_alloc(sizeof *d);

	*d = (struct sim_disk){ &ops, simtable_new(), simobject_new() };
	return d;
}
