/* tests/sim/simrepo.c - the model repositories: objects, refs, changes on disk, questions. */
#include "simrepo_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

/* A question; answered a job's time later from what is durable then. */
struct ask {
	struct simrepo *r;
	uint8_t id[GUTS_REPOID_SIZE];
	void (*answer)(struct ask *a);
	struct guts_object_query *v;
	size_t n;
	union {
		void (*refs)(void *owner, int err, const struct guts_ref_row *v, size_t n);
		void (*query)(void *owner, int err, const struct guts_object_query *v, size_t n);
		void (*size)(void *owner, int err, uint64_t bytes);
	} done;
	void *owner;
	struct ask *prev, *next;
};

/* --- repositories --------------------------------------------------------- */

struct repo *
simrepo_find(struct simrepo *r, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct repo *repo;

	HASH_FIND(hh, r->all, id, GUTS_REPOID_SIZE, repo);
	return repo;
}

struct object *
simrepo_object_find(struct repo *repo, const struct guts_oid *oid)
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
repo_free(struct simrepo *r, struct repo *repo)
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

static void
repo_make(struct simrepo *r, const struct op *op)
{
	struct repo *repo = guts_alloc(sizeof *repo);

	memcpy(repo->id, op->id, sizeof repo->id);
	repo->head = guts_strdup(op->head);
	HASH_ADD(hh, r->all, id, GUTS_REPOID_SIZE, repo);
}

static void
add_object(struct repo *repo, const struct simrepo_object *x)
{
	if (simrepo_object_find(repo, &x->oid))
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

static void
op_free(struct op *op)
{
	DL_DELETE(op->r->ops, op);
	op->r->nops--;
	for (size_t i = 0; i < op->n; i++)
		free((void *)(uintptr_t)op->v[i].name.p);
	free(op->v);
	free(op->head);
	if (op->g)
		simpack_ingest_free(op->g);
	free(op);
}

static int
project(struct repo *repo, const struct op *op)
{
	struct ref *ref, *next;

	for (size_t i = 0; i < op->n; i++)
		if (!guts_oid_is_none(&op->v[i].oid) && !simrepo_object_find(repo, &op->v[i].oid))
			return GUTS_ENOTFOUND;
	if (op->exact)
		HASH_ITER (hh, repo->refs, ref, next)
			ref_free(repo, ref);
	for (size_t i = 0; i < op->n; i++)
		set_ref(repo, (const char *)op->v[i].name.p, &op->v[i].oid);
	if (op->head) {
		free(repo->head);
		repo->head = guts_strdup(op->head);
	}
	return 0;
}

/* Do it: durable and visible from now on. */
static int
op_apply(struct op *op)
{
	struct simrepo *r = op->r;
	struct sim *s = r->p->s;
	struct repo *repo = simrepo_find(r, op->id);
	uint8_t kind = (uint8_t)op->kind;

	if (r->p->disk_error)
		return r->p->disk_error;
	sim_note_bytes(s, guts_slice(&kind, 1));
	sim_note_bytes(s, guts_slice(op->id, sizeof op->id));
	for (size_t i = 0; i < op->n; i++) {
		sim_note_bytes(s, op->v[i].name);
		sim_note_bytes(s, guts_oid_slice(&op->v[i].oid));
	}

	switch (op->kind) {
	case OP_CREATE:
		if (!repo)
			repo_make(r, op);
		return 0;
	case OP_REMOVE:
		if (repo)
			repo_free(r, repo);
		return 0;
	case OP_ACCEPT:
		if (!repo)
			return GUTS_EIO;
		for (size_t i = 0; i < op->g->n; i++) {
			add_object(repo, &op->g->v[i]);
			sim_note_bytes(s, guts_oid_slice(&op->g->v[i].oid));
		}
		return 0;
	default: return repo ? project(repo, op) : GUTS_ENOTFOUND;
	}
}

static void
fire_op(struct sim *s, struct sim_event *ev)
{
	struct op *op = ev->a;
	void (*done)(void *owner, int err) = op->done;
	void *owner = op->owner;

	(void)s;
	assert(op == op->r->ops);
	int err = op_apply(op);
	op_free(op);
	if (done)
		done(owner, err);
}

struct op *
simrepo_op(struct simrepo *r, enum op_kind kind, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct op *op = guts_alloc(sizeof *op);

	op->r = r;
	op->kind = kind;
	memcpy(op->id, id, sizeof op->id);
	DL_APPEND(r->ops, op);
	r->nops++;
	sim_event_add(r->p->s, r->p->index, sim_disk_time(r->p), SIM_DISK, fire_op, op, NULL)
		->length = (uint32_t)kind;
	return op;
}

static char *
text_of(struct guts_slice s)
{
	return guts_memdup(s.p, s.n);
}

static void
repos_create(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], enum guts_object_format f,
	     struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	struct op *op = simrepo_op(simrepo_of(base), OP_CREATE, id);

	(void)f; /* the model's ids have 20 bytes */
	op->head = text_of(head_ref);
	op->done = done;
	op->owner = owner;
}

static void
repos_remove(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
	     void (*done)(void *owner, int err), void *owner)
{
	struct op *op = simrepo_op(simrepo_of(base), OP_REMOVE, id);

	op->done = done;
	op->owner = owner;
}

static void
repos_project(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
	      const struct guts_ref_update *v, size_t n, bool exact, struct guts_slice head_ref,
	      void (*done)(void *owner, int err), void *owner)
{
	struct op *op = simrepo_op(simrepo_of(base), OP_PROJECT, id);

	op->v = guts_calloc(n + 1, sizeof *op->v);
	for (size_t i = 0; i < n; i++) {
		op->v[i].name = guts_slice(text_of(v[i].name), v[i].name.n);
		op->v[i].oid = v[i].oid;
	}
	op->n = n;
	op->exact = exact;
	op->head = head_ref.n ? text_of(head_ref) : NULL;
	op->done = done;
	op->owner = owner;
}

/* --- questions ------------------------------------------------------------ */

static void
ask_free(struct ask *a)
{
	DL_DELETE(a->r->asks, a);
	free(a->v);
	free(a);
}

static void
fire_ask(struct sim *s, struct sim_event *ev)
{
	struct ask *a = ev->a;

	(void)s;
	a->answer(a);
	ask_free(a);
}

static struct ask *
ask_new(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], void (*answer)(struct ask *a),
	void *owner)
{
	struct simrepo *r = simrepo_of(base);
	struct sim *s = r->p->s;
	struct ask *a = guts_alloc(sizeof *a);

	a->r = r;
	memcpy(a->id, id, sizeof a->id);
	a->answer = answer;
	a->owner = owner;
	DL_APPEND(r->asks, a);
	sim_event_add(s, r->p->index,
		      s->now + sim_between(&r->p->fate, s->c.job_min_ns, s->c.job_max_ns), SIM_DISK,
		      fire_ask, a, NULL);
	return a;
}

static int
by_name(const void *x, const void *y)
{
	const struct guts_ref_row *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static void
answer_refs(struct ask *a)
{
	struct repo *repo = simrepo_find(a->r, a->id);
	struct guts_ref_row *v;
	struct ref *ref;
	size_t n = 0;

	if (!repo) {
		a->done.refs(a->owner, GUTS_ENOTFOUND, NULL, 0);
		return;
	}
	v = guts_calloc(HASH_COUNT(repo->refs) + 1, sizeof *v);
	for (ref = repo->refs; ref; ref = ref->hh.next)
		v[n++] = (struct guts_ref_row){ref->name, ref->oid};
	qsort(v, n, sizeof *v, by_name);
	a->done.refs(a->owner, 0, v, n);
	free(v);
}

static void
repos_refs(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
	   void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner)
{
	ask_new(base, id, answer_refs, owner)->done.refs = done;
}

/* Is `want` equal to or an ancestor of `from`? */
static bool
reaches(struct simrepo *r, struct repo *repo, struct object *from, const struct guts_oid *want)
{
	struct object *stack = from;

	r->mark++;
	from->mark = r->mark;
	from->next = NULL;
	while (stack) {
		struct object *o = stack;

		stack = o->next;
		if (guts_oid_eq(&o->o.oid, want))
			return true;
		for (size_t i = 0; i < o->o.nparents; i++) {
			struct object *p = simrepo_object_find(repo, &o->o.parent[i]);

			if (!p || p->mark == r->mark)
				continue;
			p->mark = r->mark;
			p->next = stack;
			stack = p;
		}
	}
	return false;
}

static void
answer_query(struct ask *a)
{
	struct repo *repo = simrepo_find(a->r, a->id);

	if (!repo) {
		a->done.query(a->owner, GUTS_ENOTFOUND, NULL, 0);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		struct guts_object_query *q = &a->v[i];
		struct object *o = simrepo_object_find(repo, &q->oid);

		q->type = o ? o->o.type : GUTS_OBJ_NONE;
		q->is_ancestor = o && !guts_oid_is_none(&q->ancestor) &&
				 reaches(a->r, repo, o, &q->ancestor);
	}
	a->done.query(a->owner, 0, a->v, a->n);
}

static void
repos_query(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
	    const struct guts_object_query *v, size_t n,
	    void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n),
	    void *owner)
{
	struct ask *a = ask_new(base, id, answer_query, owner);

	a->v = guts_memdup(v, n * sizeof *v);
	a->n = n;
	a->done.query = done;
}

static void
answer_size(struct ask *a)
{
	struct repo *repo = simrepo_find(a->r, a->id);
	uint64_t bytes = 0;

	if (repo)
		for (struct object *o = repo->objects; o; o = o->hh.next)
			bytes += o->o.size + sizeof o->o.oid;
	a->done.size(a->owner, repo ? 0 : GUTS_ENOTFOUND, bytes);
}

static void
repos_size(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
	   void (*done)(void *owner, int err, uint64_t bytes), void *owner)
{
	ask_new(base, id, answer_size, owner)->done.size = done;
}

/* --- make, crash, free ---------------------------------------------------- */

struct guts_repos *
simrepo_new(struct sim_place *p)
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
	struct simrepo *r = guts_alloc(sizeof *r);

	r->repos.ops = &ops;
	r->p = p;
	return &r->repos;
}

void
simrepo_end(struct guts_repos *base, bool crash)
{
	struct simrepo *r = simrepo_of(base);
	uint64_t kept = crash ? guts_rng_below(&r->p->fate, r->nops + UINT64_C(1)) : UINT64_MAX;

	while (r->ops) {
		if (kept) {
			op_apply(r->ops);
			kept--;
		}
		op_free(r->ops);
	}
	while (r->asks)
		ask_free(r->asks);
	while (r->ingests)
		simpack_ingest_free(r->ingests);
	while (r->packers)
		simpack_free(r->packers);
}

void
simrepo_free(struct guts_repos *base)
{
	struct simrepo *r = simrepo_of(base);
	struct repo *repo, *next;

	simrepo_end(base, false);
	HASH_ITER (hh, r->all, repo, next)
		repo_free(r, repo);
	free(r);
}

/* --- for scenarios -------------------------------------------------------- */

bool
simrepo_has(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *oid)
{
	struct repo *repo = simrepo_find(simrepo_of(base), id);

	return repo && simrepo_object_find(repo, oid);
}

size_t
simrepo_count(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct repo *repo = simrepo_find(simrepo_of(base), id);

	return repo ? HASH_COUNT(repo->objects) : 0;
}

bool
simrepo_ref(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], const char *name,
	    struct guts_oid *out)
{
	struct repo *repo = simrepo_find(simrepo_of(base), id);
	struct ref *ref = NULL;

	if (repo)
		HASH_FIND_STR(repo->refs, name, ref);
	if (ref)
		*out = ref->oid;
	return ref != NULL;
}

bool
simrepo_is_whole(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct repo *repo = simrepo_find(simrepo_of(base), id);

	if (!repo)
		return false;
	for (struct object *o = repo->objects; o; o = o->hh.next)
		for (size_t i = 0; i < o->o.nparents; i++)
			if (!simrepo_object_find(repo, &o->o.parent[i]))
				return false;
	for (struct ref *ref = repo->refs; ref; ref = ref->hh.next)
		if (!simrepo_object_find(repo, &ref->oid))
			return false;
	return true;
}
