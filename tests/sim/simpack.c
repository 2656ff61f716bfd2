/* tests/sim/simpack.c - packs of the model: written, read, checked for what they need. */
#include "simobject_int.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "crypto/key.h"

#include <stdlib.h>

#define MAGIC "SIMPACK1"

struct guts_ingest {
	struct guts_repos *r;
	uint8_t id[GUTS_REPOID_SIZE];
	const struct guts_ingest_events *ev;
	void *owner;
	struct guts_oid *tips;
	size_t ntips, nasks;
	struct guts_object_query *asks;
	bool no_pack;
	struct guts_buf bytes;
	struct simrepo_object *v; /* objects of the pack */
	size_t n;
};

struct guts_packer {
	struct guts_buf bytes;
};

/* --- the form ------------------------------------------------------------- */

static void
write_object(struct guts_buf *out, const struct simrepo_object *o)
{
	guts_buf_add_u8(out, (uint8_t)o->type);
	guts_buf_add(out, o->oid.b, 20);
	guts_buf_add_u8(out, (uint8_t)o->nparents);
	for (size_t i = 0; i < o->nparents; i++)
		guts_buf_add(out, o->parent[i].b, 20);
	guts_buf_add_be32(out, o->size);

	uint8_t *fill = guts_buf_reserve(out, o->size);
	memset(fill, o->oid.b[0], o->size);
	guts_buf_commit(out, o->size);
}

static void
write_end(struct guts_buf *out, size_t from)
{
	struct guts_slice all;
	uint8_t sum[32];

	guts_buf_add_u8(out, 0);
	all = guts_buf_slice(out);
	guts_sha256(sum, guts_slice(all.p + from, all.n - from));
	guts_buf_add(out, sum, sizeof sum);
}

void
simrepo_pack(struct guts_buf *out, const struct simrepo_object *v, size_t n)
{
	size_t from = out->len;

	guts_buf_add_str(out, MAGIC);
	for (size_t i = 0; i < n; i++)
		write_object(out, &v[i]);
	write_end(out, from);
}

void
simrepo_id(struct simrepo_object *o, uint64_t salt)
{
	struct guts_buf b;
	uint8_t sum[32];

	guts_buf_init(&b, 1024);
	guts_buf_add_u8(&b, (uint8_t)o->type);
	for (size_t i = 0; i < o->nparents; i++)
		guts_buf_add(&b, o->parent[i].b, 20);
	guts_buf_add_be64(&b, salt);
	guts_sha256(sum, guts_buf_slice(&b));
	guts_oid_from_bytes(&o->oid, guts_slice(sum, 20));
	guts_buf_deinit(&b);
}

/* Read a pack into g->v. */
static int
parse(struct guts_ingest *g)
{
	struct guts_slice all = guts_buf_slice(&g->bytes);
	struct guts_cursor c;
	uint8_t sum[32];
	size_t cap = 0;

	if (all.n < 8 + 1 + 32 || memcmp(all.p, MAGIC, 8) != 0)
		return GUTS_EPROTO;
	guts_sha256(sum, guts_slice(all.p, all.n - 32));
	if (memcmp(sum, all.p + all.n - 32, 32) != 0)
		return GUTS_EPROTO;
	guts_cursor_init(&c, guts_slice(all.p + 8, all.n - 32 - 8));
	for (;;) {
		uint8_t type = guts_cursor_u8(&c);
		struct simrepo_object o = {.type = (enum guts_object_type)type};

		if (type == 0)
			break;
		guts_oid_from_bytes(&o.oid, guts_cursor_bytes(&c, 20));
		o.nparents = guts_cursor_u8(&c);
		if (type > GUTS_OBJ_TAG || o.nparents > SIMREPO_PARENTS_MAX)
			return GUTS_EPROTO;
		for (size_t i = 0; i < o.nparents; i++)
			guts_oid_from_bytes(&o.parent[i], guts_cursor_bytes(&c, 20));
		o.size = guts_cursor_be32(&c);
		guts_cursor_bytes(&c, o.size);
		if (!guts_cursor_ok(&c))
			return GUTS_EPROTO;
		if (g->n == cap) {
			cap = cap ? 2 * cap : 64;
			g->v = guts_realloc(g->v, cap * sizeof *g->v);
		}
		g->v[g->n++] = o;
	}
	return guts_cursor_done(&c) ? 0 : GUTS_EPROTO;
}

/* --- taking in ------------------------------------------------------------ */

int
simpack_ingest_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ingest_spec *spec,
    const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out)
{
	struct guts_ingest *g;

	if (!simobject_repo(r, id))
		return GUTS_ENOTFOUND;
	g = guts_alloc(sizeof *g);
	g->r = r;
	memcpy(g->id, id, sizeof g->id);
	g->ev = ev;
	g->owner = owner;
	g->tips = guts_memdup(spec->tips, spec->ntips * sizeof *spec->tips);
	g->ntips = spec->ntips;
	g->asks = guts_memdup(spec->asks, spec->nasks * sizeof *spec->asks);
	g->nasks = spec->nasks;
	g->no_pack = spec->no_pack;
	guts_buf_init(&g->bytes, GUTS_PACK_MAX);
	*out = g;
	return 0;
}

size_t
simpack_ingest_write(struct guts_ingest *g, struct guts_slice bytes)
{
	guts_buf_add_slice(&g->bytes, bytes);
	return bytes.n;
}

/* The verified objects by id. */
struct fresh {
	const struct simrepo_object *o;
	size_t round; /* of the last walk that met it */
	UT_hash_handle hh;
};

/* Walk the pack from `tips`.  Without `want`: is all there?  With it: is it reached? */
static bool
walk_fresh(struct guts_ingest *g, struct repo *repo, struct fresh *all, size_t round, const struct guts_oid *tips, size_t ntips,
    const struct guts_oid *want)
{
	size_t n = ntips, cap = ntips + SIMREPO_PARENTS_MAX * g->n + 1;
	struct guts_oid *stack = guts_calloc(cap, sizeof *stack);
	bool all_here = true, met = false;

	memcpy(stack, tips, ntips * sizeof *tips);
	while (n && all_here && !met) {
		struct guts_oid oid = stack[--n];
		struct fresh *f;

		if (guts_oid_is_none(&oid))
			continue;
		met = want && guts_oid_eq(&oid, want);
		if (simobject_find(repo, &oid)) {
			met = met || (want && simobject_reaches(g->r, repo, &oid, want));
			continue;
		}
		HASH_FIND(hh, all, &oid, sizeof oid, f);
		all_here = f != NULL;
		if (!f || f->round == round)
			continue;
		f->round = round;
		for (size_t i = 0; i < f->o->nparents; i++)
			stack[n++] = f->o->parent[i];
	}
	free(stack);
	return want ? met : all_here;
}

static void
answer(struct guts_ingest *g, struct repo *repo, struct fresh *all)
{
	for (size_t i = 0; i < g->nasks; i++) {
		struct guts_object_query *q = &g->asks[i];
		struct object *o = simobject_find(repo, &q->oid);
		struct fresh *f;

		HASH_FIND(hh, all, &q->oid, sizeof q->oid, f);
		q->type = o ? o->o.type : f ? f->o->type : GUTS_OBJ_NONE;
		q->is_ancestor = !guts_oid_is_none(&q->ancestor) && walk_fresh(g, repo, all, i + 2, &q->oid, 1, &q->ancestor);
	}
}

/* Is the pack well formed, and is everything there that the tips reach? */
static int
verify(struct guts_ingest *g, const char **why)
{
	struct repo *repo = simobject_repo(g->r, g->id);
	struct fresh *all = NULL, *f, *x, *next;
	int err = g->no_pack ? 0 : parse(g);
	bool ok;

	*why = "the pack is damaged";
	if (err)
		return err;
	f = guts_calloc(g->n + 1, sizeof *f);
	for (size_t i = 0; i < g->n; i++) {
		f[i].o = &g->v[i];
		HASH_ADD_KEYPTR(hh, all, &g->v[i].oid, sizeof g->v[i].oid, &f[i]);
	}
	ok = repo && walk_fresh(g, repo, all, 1, g->tips, g->ntips, NULL);
	if (ok)
		answer(g, repo, all);
	HASH_ITER (hh, all, x, next)
		HASH_DEL(all, x);
	free(f);
	*why = ok ? NULL : "objects are missing";
	return ok ? 0 : GUTS_ENOTFOUND;
}

void
simpack_ingest_end(struct guts_ingest *g)
{
	struct guts_ingest_result res = { .pack_bytes = g->bytes.len };
	int err = verify(g, &res.detail);

	res.objects = g->n;
	res.answers = err ? NULL : g->asks;
	g->ev->verified(g->owner, err, &res);
}

void
simpack_ingest_abort(struct guts_ingest *g)
{
	guts_buf_deinit(&g->bytes);
	free(g->tips);
	free(g->asks);
	free(g->v);
	free(g);
}

void
simpack_ingest_accept(struct guts_ingest *g)
{
	const struct guts_ingest_events *ev = g->ev;
	struct repo *repo = simobject_repo(g->r, g->id);
	void *owner = g->owner;

	for (size_t i = 0; repo && i < g->n; i++)
		simobject_add(repo, &g->v[i]);
	simpack_ingest_abort(g);
	ev->accepted(owner, repo ? 0 : GUTS_EIO);
}

/* --- sending out ---------------------------------------------------------- */

/* Walk from the given ids over what the repository holds and is not marked yet; newest first in
 * *out. */
static bool
walk(struct simobjects *r, struct repo *repo, const struct guts_oid *v, size_t n, struct guts_buf *out)
{
	struct object *head = NULL, **tail = &head;
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		struct object *o = simobject_find(repo, &v[i]);

		all = all && o;
		if (!o || o->mark == r->mark)
			continue;
		o->mark = r->mark;
		o->next = NULL;
		*tail = o;
		tail = &o->next;
	}
	for (; head; head = head->next) {
		if (out)
			write_object(out, &head->o);
		for (size_t i = 0; i < head->o.nparents; i++) {
			struct object *o = simobject_find(repo, &head->o.parent[i]);

			if (!o || o->mark == r->mark)
				continue;
			o->mark = r->mark;
			o->next = NULL;
			*tail = o;
			tail = &o->next;
		}
	}
	return all;
}

static int
make(struct simobjects *r, struct repo *repo, struct guts_buf *out, const struct guts_oid *wants, size_t nwants,
    const struct guts_oid *haves, size_t nhaves)
{
	r->mark++;
	walk(r, repo, haves, nhaves, NULL);
	guts_buf_add_str(out, MAGIC);
	if (!walk(r, repo, wants, nwants, out))
		return GUTS_ENOTFOUND;
	write_end(out, 0);
	return 0;
}

int
simpack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants, size_t nwants,
    const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out)
{
	struct repo *repo = simobject_repo(r, id);
	struct guts_packer *p;
	int err;

	if (!repo)
		return GUTS_ENOTFOUND;
	*out = p = guts_alloc(sizeof *p);
	guts_buf_init(&p->bytes, GUTS_PACK_MAX);
	err = make(simobjects_of(r), repo, &p->bytes, wants, nwants, haves, nhaves);
	if (!err)
		ev->data(owner, guts_buf_slice(&p->bytes));
	ev->end(owner, err);
	return 0;
}

void
simpack_pause(struct guts_packer *p, bool pause)
{
	(void)p;
	(void)pause; /* it is over */
}

void
simpack_close(struct guts_packer *p)
{
	guts_buf_deinit(&p->bytes);
	free(p);
}
