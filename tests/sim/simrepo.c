/* tests/sim/simrepo.c - repositories in virtual time: changes one after another, questions.
 *
 * A change waits for its disk event and is made on the place's disk then; a question is answered a job's time later
 * from what is durable at that moment.
 */
#include "simrepo_int.h"
#include "simobject_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

/* --- changes -------------------------------------------------------------- */

static void
op_free(struct op *op)
{
	DL_DELETE(op->r->ops, op);
	op->r->nops--;
	for (size_t i = 0; i < op->n; i++)
		free((void *)(uintptr_t)op->v[i].name.p);
	free(op->v);
	free((void *)(uintptr_t)op->head.p);
	if (op->g)
		simtransfer_ingest_free(op->g);
	free(op);
}

static void
note(struct sim *s, const struct op *op)
{
	uint8_t kind = (uint8_t)op->kind;

	sim_note_bytes(s, guts_slice(&kind, 1));
	sim_note_bytes(s, guts_slice(op->id, sizeof op->id));
	for (size_t i = 0; i < op->n; i++) {
		sim_note_bytes(s, op->v[i].name);
		sim_note_bytes(s, guts_oid_slice(&op->v[i].oid));
	}
	if (op->g)
		sim_note_bytes(s, guts_buf_slice(&op->g->bytes));
}

static void
on_applied(void *owner, int err)
{
	sim_over(owner, err);
}

/* Do it: durable and visible from now on. */
static int
op_apply(struct op *op)
{
	struct guts_repos *disk = simrepo_disk(op->r);
	struct sim_place *p = op->r->p;
	struct sim_wait w = { .d = p->disk };

	if (p->disk_error)
		return p->disk_error;
	note(p->s, op);
	switch (op->kind) {
	case OP_CREATE: guts_repos_create(disk, op->id, op->format, op->head, on_applied, &w); break;
	case OP_REMOVE: guts_repos_remove(disk, op->id, on_applied, &w); break;
	case OP_ACCEPT: return simtransfer_accept_now(op->g);
	case OP_PROJECT: guts_repos_project(disk, op->id, op->v, op->n, op->exact, op->head, on_applied, &w); break;
	}
	return sim_wait(&w);
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
	sim_event_add(r->p->s, r->p->index, sim_disk_time(r->p), SIM_DISK, fire_op, op, NULL)->length = (uint32_t)kind;
	return op;
}

static struct guts_slice
copy_of(struct guts_slice s)
{
	return s.n ? guts_slice(guts_memdup(s.p, s.n), s.n) : guts_slice(NULL, 0);
}

static void
repos_create(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], enum guts_object_format f,
    struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	struct op *op = simrepo_op(simrepo_of(base), OP_CREATE, id);

	op->format = f;
	op->head = copy_of(head_ref);
	op->done = done;
	op->owner = owner;
}

static void
repos_remove(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err),
    void *owner)
{
	struct op *op = simrepo_op(simrepo_of(base), OP_REMOVE, id);

	op->done = done;
	op->owner = owner;
}

static void
repos_project(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ref_update *v, size_t n,
    bool exact, struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	struct op *op = simrepo_op(simrepo_of(base), OP_PROJECT, id);

	op->v = guts_calloc(n + 1, sizeof *op->v);
	for (size_t i = 0; i < n; i++)
		op->v[i] = (struct guts_ref_update){ copy_of(v[i].name), v[i].oid };
	op->n = n;
	op->exact = exact;
	op->head = copy_of(head_ref);
	op->done = done;
	op->owner = owner;
}

/* --- questions ------------------------------------------------------------ */

enum ask_kind { ASK_REFS, ASK_QUERY, ASK_SIZE };

/* The answer is copied: the asker is told when the disk's own callback is over. */
struct ask {
	struct simrepo *r;
	enum ask_kind kind;
	uint8_t id[GUTS_REPOID_SIZE];
	struct guts_object_query *v; /* the question, then the answer */
	struct guts_ref_row *rows;
	size_t n;
	uint64_t bytes;
	union {
		void (*refs)(void *owner, int err, const struct guts_ref_row *v, size_t n);
		void (*query)(void *owner, int err, const struct guts_object_query *v, size_t n);
		void (*size)(void *owner, int err, uint64_t bytes);
	} done;
	void *owner;
	struct sim_wait wait;
	struct ask *prev, *next;
};

static void
on_refs(void *owner, int err, const struct guts_ref_row *v, size_t n)
{
	struct ask *a = owner;

	a->rows = guts_calloc(n + 1, sizeof *a->rows);
	for (a->n = 0; a->n < n; a->n++)
		a->rows[a->n] = (struct guts_ref_row){ guts_strdup(v[a->n].name), v[a->n].oid };
	sim_over(&a->wait, err);
}

static void
on_query(void *owner, int err, const struct guts_object_query *v, size_t n)
{
	struct ask *a = owner;

	assert(err || n == a->n);
	if (!err)
		memcpy(a->v, v, n * sizeof *v);
	sim_over(&a->wait, err);
}

static void
on_size(void *owner, int err, uint64_t bytes)
{
	struct ask *a = owner;

	a->bytes = bytes;
	sim_over(&a->wait, err);
}

static void
answer(struct ask *a)
{
	struct guts_repos *disk = simrepo_disk(a->r);
	int err;

	a->wait = (struct sim_wait){ .d = a->r->p->disk };
	switch (a->kind) {
	case ASK_REFS:
		guts_repos_refs(disk, a->id, on_refs, a);
		err = sim_wait(&a->wait);
		a->done.refs(a->owner, err, a->rows, a->n);
		break;
	case ASK_QUERY:
		guts_repos_query(disk, a->id, a->v, a->n, on_query, a);
		err = sim_wait(&a->wait);
		a->done.query(a->owner, err, err ? NULL : a->v, err ? 0 : a->n);
		break;
	case ASK_SIZE:
		guts_repos_size(disk, a->id, on_size, a);
		err = sim_wait(&a->wait);
		a->done.size(a->owner, err, a->bytes);
		break;
	}
	for (size_t i = 0; a->rows && i < a->n; i++)
		free(a->rows[i].name);
	free(a->rows);
	a->rows = NULL;
}

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
	answer(a);
	ask_free(a);
}

static struct ask *
ask_new(struct guts_repos *base, enum ask_kind kind, const uint8_t id[GUTS_REPOID_SIZE], void *owner)
{
	struct simrepo *r = simrepo_of(base);
	struct sim *s = r->p->s;
	struct ask *a = guts_alloc(sizeof *a);

	a->r = r;
	a->kind = kind;
	memcpy(a->id, id, sizeof a->id);
	a->owner = owner;
	DL_APPEND(r->asks, a);
	sim_event_add(s, r->p->index, s->now + sim_between(&r->p->fate, s->c.job_min_ns, s->c.job_max_ns), SIM_DISK,
	    fire_ask, a, NULL);
	return a;
}

static void
repos_refs(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner)
{
	ask_new(base, ASK_REFS, id, owner)->done.refs = done;
}

static void
repos_query(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_object_query *v, size_t n,
    void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n), void *owner)
{
	struct ask *a = ask_new(base, ASK_QUERY, id, owner);

	a->v = guts_memdup(v, n * sizeof *v);
	a->n = n;
	a->done.query = done;
}

static void
repos_size(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, uint64_t bytes), void *owner)
{
	ask_new(base, ASK_SIZE, id, owner)->done.size = done;
}

/* --- make, crash, free ---------------------------------------------------- */

struct guts_repos *
simrepo_new(struct sim_place *p)
{
	static const struct guts_repos_ops ops = {
		.create = repos_create,
		.remove = repos_remove,
		.ingest_open = simtransfer_ingest_open,
		.ingest_write = simtransfer_ingest_write,
		.ingest_end = simtransfer_ingest_end,
		.ingest_accept = simtransfer_ingest_accept,
		.ingest_abort = simtransfer_ingest_abort,
		.pack_open = simtransfer_pack_open,
		.pack_pause = simtransfer_pack_pause,
		.pack_close = simtransfer_pack_close,
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
		simtransfer_ingest_free(r->ingests);
	while (r->packers)
		simtransfer_packer_free(r->packers);
}

void
simrepo_free(struct guts_repos *base)
{
	simrepo_end(base, false);
	free(simrepo_of(base));
}

/* --- for scenarios -------------------------------------------------------- */

static struct repo *
model_of(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE])
{
	return simobject_repo(simrepo_disk(simrepo_of(base)), id);
}

bool
simrepo_has(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *oid)
{
	struct repo *repo = model_of(base, id);

	return repo && simobject_find(repo, oid);
}

size_t
simrepo_count(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct repo *repo = model_of(base, id);

	return repo ? HASH_COUNT(repo->objects) : 0;
}

void
simrepo_refs_now(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner)
{
	struct simrepo *r = simrepo_of(base);
	struct ask a = { .r = r, .kind = ASK_REFS, .done.refs = done, .owner = owner };

	memcpy(a.id, id, sizeof a.id);
	answer(&a);
}

struct wanted {
	const char *name;
	struct guts_oid *oid;
	bool found;
};

static void
on_wanted(void *owner, int err, const struct guts_ref_row *v, size_t n)
{
	struct wanted *w = owner;

	for (size_t i = 0; !err && i < n; i++) {
		if (strcmp(v[i].name, w->name) == 0) {
			*w->oid = v[i].oid;
			w->found = true;
		}
	}
}

bool
simrepo_ref(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], const char *name, struct guts_oid *out)
{
	struct wanted w = { .name = name, .oid = out };

	simrepo_refs_now(base, id, on_wanted, &w);
	return w.found;
}

void
simrepo_reached(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE], struct guts_buf *out)
{
	struct repo *repo = model_of(base, id);
	char hex[GUTS_OID_HEX_SIZE];

	for (struct object *o = repo ? simobject_reached(simrepo_disk(simrepo_of(base)), repo) : NULL; o; o = o->next) {
		guts_oid_hex(hex, &o->o.oid);
		guts_buf_add_str(out, hex);
		guts_buf_add_u8(out, '\n');
	}
}

bool
simrepo_is_whole(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct repo *repo = model_of(base, id);

	if (!repo)
		return false;
	for (struct object *o = repo->objects; o; o = o->hh.next)
		for (size_t i = 0; i < o->o.nparents; i++)
			if (!simobject_find(repo, &o->o.parent[i]))
				return false;
	for (struct ref *ref = repo->refs; ref; ref = ref->hh.next)
		if (!simobject_find(repo, &ref->oid))
			return false;
	return true;
}
