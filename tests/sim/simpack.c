/* tests/sim/simpack.c - packs of the model: written, taken in through quarantine, sent out. */
#include "simrepo_int.h"

#include "base/alloc.h"
#include "base/cursor.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define MAGIC       "SIMPACK1"
#define HELD_MAX    (256u << 10)
#define CHUNK_BYTES (16u << 10)
#define CHUNK_NS    (GUTS_MS_NS / 2) /* between two chunks of a pack that is sent */
#define OPEN_MAX    64
#define PROGRESS_NS (100 * GUTS_MS_NS)

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

void
simpack_ingest_free(struct guts_ingest *g)
{
	if (!g->accepting) {
		DL_DELETE(g->r->ingests, g);
		g->r->ningests--;
	}
	guts_buf_deinit(&g->bytes);
	free(g->tips);
	free(g->v);
	free(g);
}

int
simpack_ingest_open(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
		    const struct guts_ingest_spec *spec, const struct guts_ingest_events *ev,
		    void *owner, struct guts_ingest **out)
{
	struct simrepo *r = simrepo_of(base);

	if (r->ningests == OPEN_MAX)
		return GUTS_EBUSY;
	if (!simrepo_find(r, id))
		return GUTS_ENOTFOUND;

	struct guts_ingest *g = guts_alloc(sizeof *g);
	g->r = r;
	memcpy(g->id, id, sizeof g->id);
	g->ev = ev;
	g->owner = owner;
	g->tips = guts_memdup(spec->tips, spec->ntips * sizeof *spec->tips);
	g->ntips = spec->ntips;
	g->pack_max = spec->pack_max;
	g->no_pack = spec->no_pack;
	guts_buf_init(&g->bytes, GUTS_PACK_MAX);
	DL_APPEND(r->ingests, g);
	r->ningests++;
	*out = g;
	return 0;
}

static void
told(struct guts_ingest *g, int err, const char *detail)
{
	struct guts_ingest_result res = {
		.pack_bytes = g->bytes.len, .objects = g->n, .detail = detail};

	g->told = true;
	g->ev->verified(g->owner, err, &res);
}

static void
fire_digest(struct sim *s, struct sim_event *ev)
{
	struct guts_ingest *g = ev->a;

	g->event = NULL;
	g->held = 0;
	if (g->bytes.len > g->pack_max) {
		told(g, GUTS_ELIMIT, "pack is too large");
		return;
	}
	/* one call at most: it may abort */
	if (g->full) {
		g->full = false;
		g->ev->writable(g->owner);
	} else if (g->ev->progress && s->now - g->progress_ns >= PROGRESS_NS) {
		g->progress_ns = s->now;
		g->ev->progress(g->owner, g->bytes.len, 0);
	}
}

size_t
simpack_ingest_write(struct guts_ingest *g, struct guts_slice bytes)
{
	struct sim *s = g->r->p->s;
	size_t n = HELD_MAX - g->held;

	assert(!g->ended);
	if (g->told)
		return bytes.n;
	if (n > bytes.n)
		n = bytes.n;
	guts_buf_add(&g->bytes, bytes.p, n);
	g->held += n;
	if (n < bytes.n)
		g->full = true;
	if (!g->event)
		g->event = sim_event_add(s, g->r->p->index, s->now + GUTS_MS_NS, SIM_DISK,
					 fire_digest, g, NULL);
	return n;
}

/* The verified objects by id. */
struct fresh {
	const struct simrepo_object *o;
	bool seen;
	UT_hash_handle hh;
};

static bool
connected(struct guts_ingest *g, struct repo *repo, struct fresh *all)
{
	size_t n = 0, cap = g->ntips + SIMREPO_PARENTS_MAX * g->n + 1;
	struct guts_oid *stack = guts_calloc(cap, sizeof *stack);
	bool ok = true;

	for (size_t i = 0; i < g->ntips; i++)
		stack[n++] = g->tips[i];
	while (n && ok) {
		struct guts_oid oid = stack[--n];
		struct fresh *f;

		if (guts_oid_is_none(&oid) || simrepo_object_find(repo, &oid))
			continue;
		HASH_FIND(hh, all, &oid, sizeof oid, f);
		ok = f != NULL;
		if (!f || f->seen)
			continue;
		f->seen = true;
		for (size_t i = 0; i < f->o->nparents; i++)
			stack[n++] = f->o->parent[i];
	}
	free(stack);
	return ok;
}

static void
fire_verify(struct sim *s, struct sim_event *ev)
{
	struct guts_ingest *g = ev->a;
	struct repo *repo = simrepo_find(g->r, g->id);
	struct fresh *all = NULL, *f, *next;

	(void)s;
	g->event = NULL;
	if (g->bytes.len > g->pack_max) {
		told(g, GUTS_ELIMIT, "pack is too large");
		return;
	}
	int err = repo ? 0 : GUTS_ENOTFOUND;
	if (!err && !g->no_pack)
		err = parse(g);
	if (err) {
		told(g, err, repo ? "the pack is damaged" : "no such repository");
		return;
	}

	f = guts_calloc(g->n + 1, sizeof *f);
	for (size_t i = 0; i < g->n; i++) {
		f[i].o = &g->v[i];
		HASH_ADD_KEYPTR(hh, all, &g->v[i].oid, sizeof g->v[i].oid, &f[i]);
	}
	bool ok = connected(g, repo, all);
	struct fresh *x;
	HASH_ITER (hh, all, x, next)
		HASH_DEL(all, x);
	free(f);
	told(g, ok ? 0 : GUTS_ENOTFOUND, ok ? NULL : "objects are missing");
}

void
simpack_ingest_end(struct guts_ingest *g)
{
	struct sim *s = g->r->p->s;

	assert(!g->ended);
	g->ended = true;
	if (g->told)
		return;
	if (g->event)
		sim_event_cancel(s, g->event);
	g->event = sim_event_add(
		s, g->r->p->index,
		s->now + sim_between(&g->r->p->fate, s->c.job_min_ns, s->c.job_max_ns), SIM_DISK,
		fire_verify, g, NULL);
}

void
simpack_ingest_accept(struct guts_ingest *g)
{
	struct op *op = simrepo_op(g->r, OP_ACCEPT, g->id);

	assert(g->told && g->ended);
	DL_DELETE(g->r->ingests, g);
	g->r->ningests--;
	g->accepting = true;
	op->g = g;
	op->done = g->ev->accepted;
	op->owner = g->owner;
}

void
simpack_ingest_abort(struct guts_ingest *g)
{
	assert(!g->accepting);
	if (g->event)
		sim_event_cancel(g->r->p->s, g->event);
	simpack_ingest_free(g);
}

/* --- sending out ---------------------------------------------------------- */

void
simpack_free(struct guts_packer *p)
{
	DL_DELETE(p->r->packers, p);
	p->r->npackers--;
	guts_buf_deinit(&p->bytes);
	free(p->wants);
	free(p->haves);
	free(p);
}

/* Walk from the given ids over what the repository holds and is not marked yet; newest first in
 * *out. */
static bool
walk(struct simrepo *r, struct repo *repo, const struct guts_oid *v, size_t n, struct guts_buf *out)
{
	struct object *head = NULL, **tail = &head;
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		struct object *o = simrepo_object_find(repo, &v[i]);

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
			struct object *o = simrepo_object_find(repo, &head->o.parent[i]);

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
make(struct guts_packer *p)
{
	struct repo *repo = simrepo_find(p->r, p->id);

	if (!repo)
		return GUTS_ENOTFOUND;
	p->r->mark++;
	walk(p->r, repo, p->haves, p->nhaves, NULL);
	guts_buf_add_str(&p->bytes, MAGIC);
	if (!walk(p->r, repo, p->wants, p->nwants, &p->bytes))
		return GUTS_ENOTFOUND;
	write_end(&p->bytes, 0);
	return 0;
}

static void fire_send(struct sim *s, struct sim_event *ev);

static void
send_later(struct guts_packer *p, uint64_t at)
{
	if (!p->event && !p->paused && !p->ended)
		p->event =
			sim_event_add(p->r->p->s, p->r->p->index, at, SIM_DISK, fire_send, p, NULL);
}

static void
fire_send(struct sim *s, struct sim_event *ev)
{
	struct guts_packer *p = ev->a;
	struct guts_slice all;

	p->event = NULL;
	p->busy = true;
	if (!p->made) {
		p->made = true;
		p->err = make(p);
	}
	all = guts_buf_slice(&p->bytes);
	if (p->err || p->sent == all.n) {
		p->ended = true;
		p->ev->end(p->owner, p->err);
	} else {
		size_t n = all.n - p->sent < CHUNK_BYTES ? all.n - p->sent : CHUNK_BYTES;

		p->sent += n;
		ev->length = (uint32_t)n;
		p->ev->data(p->owner, guts_slice(all.p + p->sent - n, n));
		if (!p->closed)
			send_later(p, s->now + CHUNK_NS);
	}
	p->busy = false;
	if (p->closed)
		simpack_free(p);
}

int
simpack_open(struct guts_repos *base, const uint8_t id[GUTS_REPOID_SIZE],
	     const struct guts_oid *wants, size_t nwants, const struct guts_oid *haves,
	     size_t nhaves, const struct guts_packer_events *ev, void *owner,
	     struct guts_packer **out)
{
	struct simrepo *r = simrepo_of(base);
	struct sim *s = r->p->s;

	if (r->npackers == OPEN_MAX)
		return GUTS_EBUSY;
	if (!simrepo_find(r, id))
		return GUTS_ENOTFOUND;

	struct guts_packer *p = guts_alloc(sizeof *p);
	p->r = r;
	memcpy(p->id, id, sizeof p->id);
	p->ev = ev;
	p->owner = owner;
	p->wants = guts_memdup(wants, nwants * sizeof *wants);
	p->haves = guts_memdup(haves, nhaves * sizeof *haves);
	p->nwants = nwants;
	p->nhaves = nhaves;
	guts_buf_init(&p->bytes, GUTS_PACK_MAX);
	DL_APPEND(r->packers, p);
	r->npackers++;
	send_later(p, s->now + sim_between(&r->p->fate, s->c.job_min_ns, s->c.job_max_ns));
	*out = p;
	return 0;
}

void
simpack_pause(struct guts_packer *p, bool pause)
{
	p->paused = pause;
	if (pause && p->event) {
		sim_event_cancel(p->r->p->s, p->event);
		p->event = NULL;
	} else if (!pause) {
		send_later(p, p->r->p->s->now);
	}
}

void
simpack_close(struct guts_packer *p)
{
	if (p->event)
		sim_event_cancel(p->r->p->s, p->event);
	p->event = NULL;
	p->closed = true;
	if (!p->busy)
		simpack_free(p);
}
