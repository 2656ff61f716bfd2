/* sync/fetchobj.c - the second half of a fetch: objects, apply, statuses.
 *
 * Pack bytes go from the stream straight into the ingest; when it has no room, the rest of one frame is kept and the
 * stream is paused, which the provider feels.  More wants than one request takes are fetched in several packs;
 * all but the last are accepted at once (objects that nothing refers to yet), the last together with the records.
 */
#include "sync/fetch.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

#define HAVES_MAX 2048
#define STATUS_QUESTIONS_MAX 400 /* in one fetch: 100,000 statuses */

/* -- which objects -------------------------------------------------------------------------------- */

struct oidset {
	struct guts_oid oid;
	UT_hash_handle hh;
};

static bool
set_add(struct oidset **set, const struct guts_oid *oid)
{
	struct oidset *x;

	HASH_FIND(hh, *set, oid, sizeof *oid, x);
	if (x)
		return false;
	x = guts_alloc(sizeof *x);
	x->oid = *oid;
	HASH_ADD(hh, *set, oid, sizeof x->oid, x);
	return true;
}

static void
set_free(struct oidset **set)
{
	struct oidset *x, *tmp;

	HASH_ITER (hh, *set, x, tmp) {
		HASH_DEL(*set, x);
		free(x);
	}
}

struct wanted {
	struct guts_fetch *f;
	struct oidset *set;
};

static int
add_want(void *owner, const struct guts_refentry *e)
{
	struct wanted *w = owner;

	if (e->version && !guts_oid_is_none(&e->oid) && set_add(&w->set, &e->oid))
		GUTS_VEC_PUSH(w->f->wants, e->oid);
	return GUTS_OK;
}

static void next_pack(struct guts_fetch *f);
static void apply(struct guts_fetch *f);

static void
on_queried(void *owner, int err, const struct guts_object_query *v, size_t n)
{
	struct guts_fetch *f = guts_fetch_by_id(owner);
	size_t k = 0;

	if (!f)
		return;
	for (size_t i = 0; !err && i < n; i++) {
		if (v[i].type == GUTS_OBJ_NONE)
			f->wants.v[k++] = v[i].oid;
	}
	if (!err)
		f->wants.n = k;
	next_pack(f);
}

static void
on_created(void *owner, int err)
{
	struct guts_fetch *f = guts_fetch_by_id(owner);

	if (!f)
		return;
	if (err)
		guts_fetch_end(f, err, "the repository could not be made on disk");
	else
		next_pack(f);
}

void
guts_fetch_objects(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	struct guts_repos *repos = r->sync->s.repos;
	struct wanted w = { .f = f };

	for (size_t i = 0; i < f->heads.n; i++) {
		const struct guts_author *a = guts_repo_author(r, &f->heads.v[i].head.rec.author);

		(void)guts_reftree_changes(a ? a->head.tree : r->sync->empty, f->heads.v[i].head.tree, add_want, &w);
	}
	set_free(&w.set);
	if (f->is_first) {
		const struct guts_identity *id = f->versions.v[f->versions.n - 1].id;
		char *head = guts_asprintf("refs/heads/%s", id->default_branch);

		guts_repos_create(repos, r->id, id->object_format, guts_slice_str(head), on_created, guts_fetch_id(f));
		free(head);
	} else if (f->wants.n) {
		struct guts_object_query *q = guts_calloc(f->wants.n, sizeof *q);

		for (size_t i = 0; i < f->wants.n; i++)
			q[i].oid = f->wants.v[i];
		guts_repos_query(repos, r->id, q, f->wants.n, on_queried, guts_fetch_id(f));
		free(q);
	} else {
		apply(f);
	}
}

/* -- one pack ---------------------------------------------------------------------------------------- */

static void
feed(struct guts_fetch *f)
{
	struct guts_repos *repos = f->repo->sync->s.repos;

	if (f->rest.len)
		guts_buf_consume(&f->rest, guts_ingest_write(repos, f->ingest, guts_buf_slice(&f->rest)));
	if (f->rest.len)
		return;
	if (f->got_end)
		guts_ingest_end(repos, f->ingest);
	else if (f->request)
		guts_request_pause(f->request, false);
}

static void
on_writable(void *owner)
{
	feed(owner);
}

static void
on_progress(void *owner, uint64_t bytes, uint64_t objects)
{
	struct guts_fetch *f = owner;
	struct guts_sync *s = f->repo->sync;

	if (s->s.events->progress)
		s->s.events->progress(s->s.owner, f->repo, &f->peer, "objects", bytes, f->objects + objects, 0);
}

static void
on_verified(void *owner, int err, const struct guts_ingest_result *res)
{
	struct guts_fetch *f = owner;

	if (err) {
		guts_fetch_end(f, err == GUTS_ENOTFOUND ? GUTS_EPROTO : err, res && res->detail ? res->detail : "a bad pack");
		return;
	}
	f->objects += res->objects;
	if (!f->got_end) /* git ends a pack by its own count: bytes behind it are a fault, and the answer is not over */
		return;
	if (f->next_want < f->wants.n)
		guts_ingest_accept(f->repo->sync->s.repos, f->ingest);
	else
		apply(f);
}

static void
on_accepted(void *owner, int err)
{
	struct guts_fetch *f = owner;

	f->ingest = NULL;
	if (f->change)
		guts_change_accepted(f->change, err);
	else if (err)
		guts_fetch_end(f, err, "the objects could not be stored");
	else
		next_pack(f);
}

static const struct guts_ingest_events ingest_events = {
	.writable = on_writable, .progress = on_progress, .verified = on_verified, .accepted = on_accepted,
};

static bool
fail_answer(struct guts_fetch *f, int err, const char *text)
{
	f->request = NULL;
	guts_fetch_end(f, err, text);
	return false;
}

static bool
on_objects(void *owner, const struct guts_msg_response *m)
{
	struct guts_fetch *f = owner;
	struct guts_slice pack = m->objects_data.pack;
	uint8_t sum[32];
	size_t n;

	if (m->has_objects_end) {
		const struct guts_msg_objects_end *e = &m->objects_end;

		guts_sha256_end(&f->sha, sum);
		f->hashing = false;
		if (e->has_error)
			return fail_answer(f, guts_msg_code_to_err(e->error.code), "the peer could not make the pack");
		if (e->bytes != f->bytes || !guts_slice_eq(e->sha256, guts_slice(sum, sizeof sum)))
			return fail_answer(f, GUTS_EPROTO, "the pack came damaged");
		f->got_end = true;
		return true;
	}
	if (!m->has_objects_data || f->got_end)
		return m->has_objects_header ? true : fail_answer(f, GUTS_EPROTO, "an answer that breaks a rule");
	f->bytes += pack.n;
	if (f->bytes > f->pack_max)
		return fail_answer(f, GUTS_ELIMIT, "the pack is over this node's limit or the repository's quota");
	guts_sha256_add(&f->sha, pack);
	n = guts_ingest_write(f->repo->sync->s.repos, f->ingest, pack);
	if (n < pack.n) {
		guts_buf_add(&f->rest, pack.p + n, pack.n - n);
		guts_request_pause(f->request, true);
	}
	return true;
}

static void
on_objects_end(void *owner, int err, const char *text)
{
	struct guts_fetch *f = owner;

	f->request = NULL;
	if (!err && !f->got_end)
		err = GUTS_ECLOSED;
	if (err) {
		guts_fetch_end(f, err, text);
		return;
	}
	guts_fetch_phase(f, "verify");
	feed(f);
}

static const struct guts_request_events objects_events = { .answer = on_objects, .end = on_objects_end };

/* Ids the provider may leave out: what this node's refs name, the values before the wanted ones first. */
static size_t
collect_haves(struct guts_repo *r, struct guts_slice *out, struct oidset **set)
{
	struct guts_refentry e;
	struct guts_author *a;
	struct oidset *x;
	uint64_t pos = 0;
	size_t n = 0;

	while (HASH_COUNT(*set) < HAVES_MAX && guts_reftree_next(r->canonical, &pos, &e)) {
		if (!guts_oid_is_none(&e.oid))
			set_add(set, &e.oid);
	}
	for (a = r->authors; a; a = a->hh.next) {
		pos = 0;
		while (HASH_COUNT(*set) < HAVES_MAX && guts_reftree_next(a->head.tree, &pos, &e)) {
			if (!guts_oid_is_none(&e.oid))
				set_add(set, &e.oid);
		}
	}
	for (x = *set; x; x = x->hh.next)
		out[n++] = guts_oid_slice(&x->oid);
	return n;
}

/* Most bytes one pack may have: what the network offers also stays inside the repository's quota. */
static uint64_t
pack_room(const struct guts_fetch *f)
{
	const struct guts_repo *r = f->repo;
	const struct guts_sync *s = r->sync;
	uint64_t used = r->local.size_bytes;

	if (r->local.policy == GUTS_POLICY_SEED || s->s.repo_max == 0)
		return s->s.pack_max;
	if (used >= s->s.repo_max)
		return 0;
	return s->s.repo_max - used < s->s.pack_max ? s->s.repo_max - used : s->s.pack_max;
}

static void
next_pack(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	struct guts_sync *s = r->sync;
	struct guts_msg_request m = { .has_get_objects = true };
	struct guts_slice *ids;
	struct oidset *set = NULL;
	size_t n = f->wants.n - f->next_want;
	struct guts_ingest_spec spec = { .pack_max = pack_room(f) };
	int err;

	if (n == 0) {
		apply(f);
		return;
	}
	if (spec.pack_max == 0) {
		guts_fetch_end(f, GUTS_ENOSPC, "the repository's quota is used up");
		return;
	}
	if (n > GUTS_MSG_WANTS_MAX)
		n = GUTS_MSG_WANTS_MAX;
	spec.tips = f->wants.v + f->next_want;
	spec.ntips = n;
	guts_fetch_phase(f, "objects");
	err = guts_ingest_open(s->s.repos, r->id, &spec, &ingest_events, f, &f->ingest);
	if (err) {
		guts_fetch_end(f, err, "no room to take in a pack");
		return;
	}
	ids = guts_calloc(n + HAVES_MAX, sizeof *ids);
	for (size_t i = 0; i < n; i++)
		ids[i] = guts_oid_slice(&f->wants.v[f->next_want + i]);
	f->next_want += n;
	m.get_objects.repository = guts_slice(r->id, sizeof r->id);
	m.get_objects.wants = (struct guts_pb_bytes_list){ ids, n };
	m.get_objects.haves = (struct guts_pb_bytes_list){ ids + n, collect_haves(r, ids + n, &set) };
	m.get_objects.pack_max = f->pack_max = spec.pack_max;
	f->got_end = false;
	f->bytes = 0;
	guts_sha256_begin(&f->sha);
	f->hashing = true;
	err = guts_request_start(s, &f->peer, &m, &objects_events, f, &f->request);
	set_free(&set);
	free(ids);
	if (err)
		guts_fetch_end(f, err, NULL);
}

void
guts_fetch_stop_objects(struct guts_fetch *f)
{
	uint8_t sum[32];

	if (f->ingest)
		guts_ingest_abort(f->repo->sync->s.repos, f->ingest);
	f->ingest = NULL;
	if (f->hashing)
		guts_sha256_end(&f->sha, sum);
	f->hashing = false;
}

/* -- apply ------------------------------------------------------------------------------------------------ */

static int
prepare(struct guts_change *c)
{
	struct guts_fetch *f = c->owner;
	struct guts_repo *r = c->repo;

	if (c->versions.n && c->versions.v[0].id->version > 0) {
		size_t at = c->versions.v[0].id->version;

		if (at > r->chain.n ||
		    memcmp(r->chain.v[at - 1].id->hash, c->versions.v[0].id->previous, GUTS_HASH_SIZE) != 0)
			return GUTS_ECONFLICT; /* it changed meanwhile: look again */
	}
	for (size_t i = 0; i < f->heads.n; i++) {
		const struct guts_fetch_head *h = &f->heads.v[i];
		struct guts_author *a = guts_repo_author_add(r, &h->head.rec.author);
		struct guts_change_author ca;
		bool again = false;
		int err = GUTS_OK;

		for (size_t k = 0; k < c->authors.n; k++)
			again |= guts_peerid_eq(&c->authors.v[k].id, &a->id);
		if (again) /* a second head of the same author: the next look takes it */
			continue;
		err = guts_fork_decide(r, a, &h->head, h->chain.v, h->chain.n, &ca);
		if (err == GUTS_ESTALE)
			continue;
		if (err)
			return err;
		GUTS_VEC_PUSH(c->authors, ca);
	}
	return GUTS_OK;
}

/* One frame answers one question. */
static bool
on_statuses(void *owner, const struct guts_msg_response *m)
{
	struct guts_fetch *f = owner;

	guts_answer_free(&f->answer);
	for (size_t i = 0; m->has_statuses && i < m->statuses.records.n; i++)
		GUTS_VEC_PUSH(f->answer.statuses, ((struct guts_fetch_status){ .envelope = guts_bytes_dup(m->statuses.records.v[i]) }));
	f->statuses_more = m->has_statuses && m->statuses.more && m->statuses.records.n;
	guts_bytes_free(&f->cursor);
	f->cursor = guts_bytes_dup(m->statuses.cursor);
	return true;
}

static void ask_statuses(struct guts_fetch *f);

static void
on_statuses_verified(struct guts_fetch *f, int err)
{
	bool relay;

	for (size_t i = 0; !err && i < f->answer.statuses.n; i++) {
		const struct guts_fetch_status *st = &f->answer.statuses.v[i];

		if (!st->err)
			(void)guts_status_take(f->repo, &st->status, guts_bytes_slice(st->envelope), &relay);
	}
	if (!err && f->statuses_more && ++f->status_questions < STATUS_QUESTIONS_MAX)
		ask_statuses(f);
	else
		guts_fetch_end(f, GUTS_OK, NULL);
}

static void
on_statuses_end(void *owner, int err, const char *text)
{
	struct guts_fetch *f = owner;

	(void)text;
	f->request = NULL;
	if (err) /* the refs are here either way */
		guts_fetch_end(f, GUTS_OK, NULL);
	else
		guts_fetch_verify(f, on_statuses_verified);
}

static const struct guts_request_events statuses_events = { .answer = on_statuses, .end = on_statuses_end };

static void
ask_statuses(struct guts_fetch *f)
{
	struct guts_msg_request m = { .has_get_statuses = true };

	m.get_statuses.repository = guts_slice(f->repo->id, GUTS_REPOID_SIZE);
	m.get_statuses.cursor = guts_bytes_slice(f->cursor);
	f->statuses_more = false;
	guts_answer_free(&f->answer);
	if (guts_request_start(f->repo->sync, &f->peer, &m, &statuses_events, f, &f->request))
		guts_fetch_end(f, GUTS_OK, NULL);
}

static void
on_change_done(struct guts_change *c, int err, const char *text)
{
	struct guts_fetch *f = c->owner;

	f->change = NULL;
	f->ingest = NULL;
	if (err || f->from_hint)
		guts_fetch_end(f, err, text);
	else
		ask_statuses(f);
}

static void
apply(struct guts_fetch *f)
{
	struct guts_change *c = guts_change_new(f->repo, &f->peer);

	guts_fetch_phase(f, "apply");
	c->prepare = prepare;
	c->done = on_change_done;
	c->owner = f;
	c->ingest = f->ingest;
	c->is_first = f->is_first;
	for (size_t i = 0; i < f->versions.n; i++)
		GUTS_VEC_PUSH(c->versions, f->versions.v[i]);
	f->versions.n = 0;
	f->change = c;
	f->ingest = NULL; /* the change's now; its events still come here */
	if (guts_change_submit(c)) {
		f->ingest = c->ingest;
		c->ingest = NULL;
		f->change = NULL;
		guts_change_free(c);
		guts_fetch_end(f, GUTS_EBUSY, "too many changes wait");
	}
}
