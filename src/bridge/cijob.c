/* bridge/cijob.c - rows of queues and jobs.
 *
 *	queue: u8 form (1) | repo[32] | u8 events | be64 created | be64 since fact | two texts (branches, context)
 *	job: u8 form (1) | id[16] | be64 queue | repo[32] | two object ids, each u8 n and bytes | u8 event | u8 state |
 *	    be32 attempts | be64 created | be64 started | be64 ended | u8 progress | six texts (ref, context, lease, runner,
 *	    description, target url) | u8 steps, each text and be64 started | u8 files, each text, be64 bytes, sha256[32]
 *	text: be16 n and bytes
 */
#include "bridge/cijob.h"

#include "base/be.h"
#include "base/cursor.h"
#include "base/text.h"
#include "bridge/payload.h"

#include <stdio.h>
#include <string.h>

#define FORM 1

enum row { QUEUE, JOB, ID, BYTES };

static const char *const states[] = { "queued", "running", "success", "failure", "error" };

/* -- questions --------------------------------------------------------------------------------- */

bool
guts_ciqueue_wants(const struct guts_ciqueue *q, const struct guts_fact *f)
{
	struct guts_slice ref = guts_fact_text(f, "ref"), branch = guts_ref_branch(ref);
	char name[GUTS_REFNAME_MAX + 1];

	if (strcmp(f->type, "repo.ref.updated") != 0 || f->id <= q->since_fact || guts_fact_number(f, "first") ||
	    guts_slice_eq(guts_fact_text(f, "kind"), guts_slice_str("delete")) ||
	    !guts_slice_eq(f->repo, guts_slice(q->repo, sizeof q->repo)))
		return false;
	if (branch.n == 0)
		return guts_ref_tag(ref).n > 0 && (q->events & GUTS_CIEVENT_TAG);
	snprintf(name, sizeof name, "%.*s", (int)branch.n, (const char *)branch.p);
	return (q->events & GUTS_CIEVENT_PUSH) && guts_branch_fits(q->branches, name);
}

const char *
guts_cievent_name(enum guts_cievent e)
{
	return e == GUTS_CIEVENT_PUSH ? "push" : e == GUTS_CIEVENT_TAG ? "tag" : "external";
}

int
guts_cievent_parse(enum guts_cievent *e, const char *name)
{
	for (*e = GUTS_CIEVENT_PUSH; *e <= GUTS_CIEVENT_EXTERNAL; *e = (enum guts_cievent)(*e << 1)) {
		if (strcmp(guts_cievent_name(*e), name) == 0)
			return GUTS_OK;
	}
	return GUTS_EINVAL;
}

const char *
guts_cistate_name(enum guts_cistate s)
{
	return states[s];
}

int
guts_cistate_parse(enum guts_cistate *s, const char *name)
{
	for (unsigned i = 0; i < sizeof states / sizeof states[0]; i++) {
		if (strcmp(states[i], name) == 0) {
			*s = (enum guts_cistate)i;
			return GUTS_OK;
		}
	}
	return GUTS_EINVAL;
}

size_t
guts_cifile_find(const struct guts_cijob *j, const char *name)
{
	for (size_t i = 0; i < j->nfiles; i++) {
		if (strcmp(j->files[i].name, name) == 0)
			return i;
	}
	return GUTS_CIJOB_FILES_MAX;
}

/* -- keys and pieces ------------------------------------------------------------------------------ */

struct key {
	uint8_t b[18];
};

static struct guts_slice
key_of(struct key *k, enum row row, uint64_t number)
{
	k->b[0] = (uint8_t)row;
	guts_put_be64(k->b + 1, number);
	return guts_slice(k->b, 9);
}

static struct guts_slice
key_of_bytes(struct key *k, uint64_t number, size_t file, uint64_t offset)
{
	key_of(k, BYTES, number);
	k->b[9] = (uint8_t)file;
	guts_put_be64(k->b + 10, offset);
	return guts_slice(k->b, 18);
}

/* Errors: GUTS_EINVAL, no id. */
static int
key_of_id(struct key *k, struct guts_slice id, struct guts_slice *key)
{
	k->b[0] = ID;
	*key = guts_slice(k->b, 17);
	return guts_hex_decode(k->b + 1, 16, id);
}

static void
add_text(struct guts_buf *out, const char *s)
{
	guts_buf_add_be16(out, (uint16_t)strlen(s));
	guts_buf_add_str(out, s);
}

static void
add_oid(struct guts_buf *out, const struct guts_oid *oid)
{
	guts_buf_add_u8(out, oid->n);
	guts_buf_add(out, oid->b, oid->n);
}

static void
take_text(struct guts_cursor *c, char *to, size_t size)
{
	struct guts_slice s = guts_cursor_bytes(c, guts_cursor_be16(c));

	if (s.n >= size)
		guts_cursor_fail(c);
	else if (s.n)
		memcpy(to, s.p, s.n);
}

static void
take_bytes(struct guts_cursor *c, void *to, size_t n)
{
	struct guts_slice s = guts_cursor_bytes(c, n);

	if (s.n)
		memcpy(to, s.p, s.n);
}

static void
take_oid(struct guts_cursor *c, struct guts_oid *oid)
{
	uint8_t n = guts_cursor_u8(c);

	if (n > sizeof oid->b) {
		guts_cursor_fail(c);
		return;
	}
	oid->n = n;
	take_bytes(c, oid->b, n);
}

/* -- queues ---------------------------------------------------------------------------------------- */

void
guts_ciqueue_put(struct guts_batch *b, const struct guts_ciqueue *q)
{
	struct guts_buf v;
	struct key k;

	guts_buf_init(&v, 1024);
	guts_buf_add_u8(&v, FORM);
	guts_buf_add(&v, q->repo, sizeof q->repo);
	guts_buf_add_u8(&v, (uint8_t)q->events);
	guts_buf_add_be64(&v, q->created_ms);
	guts_buf_add_be64(&v, q->since_fact);
	add_text(&v, q->branches);
	add_text(&v, q->context);
	guts_batch_put(b, GUTS_TABLE_CI, key_of(&k, QUEUE, q->id), guts_buf_slice(&v));
	guts_buf_deinit(&v);
}

void
guts_ciqueue_remove(struct guts_batch *b, uint64_t id)
{
	struct key k;

	guts_batch_del(b, GUTS_TABLE_CI, key_of(&k, QUEUE, id));
}

struct walk {
	void (*queue)(void *owner, const struct guts_ciqueue *q);
	bool (*job)(void *owner, const struct guts_cijob *j);
	void *owner;
};

static uint64_t
number_of(struct guts_slice key)
{
	struct guts_cursor c;

	guts_cursor_init(&c, guts_slice(key.p + 1, key.n - 1));
	return guts_cursor_be64(&c);
}

static bool
on_queue(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct walk *w = owner;
	struct guts_ciqueue q = { .id = number_of(key) };
	struct guts_cursor c;

	guts_cursor_init(&c, value);
	if (guts_cursor_u8(&c) != FORM)
		return true;
	take_bytes(&c, q.repo, sizeof q.repo);
	q.events = guts_cursor_u8(&c);
	q.created_ms = guts_cursor_be64(&c);
	q.since_fact = guts_cursor_be64(&c);
	take_text(&c, q.branches, sizeof q.branches);
	take_text(&c, q.context, sizeof q.context);
	if (guts_cursor_done(&c))
		w->queue(w->owner, &q);
	return true;
}

int
guts_ciqueue_each(struct guts_store *s, void (*row)(void *owner, const struct guts_ciqueue *q), void *owner)
{
	struct walk w = { .queue = row, .owner = owner };
	struct key k;

	key_of(&k, QUEUE, 0);
	return guts_store_scan(s, GUTS_TABLE_CI, guts_slice(k.b, 1), guts_slice(NULL, 0), on_queue, &w);
}

/* -- jobs ------------------------------------------------------------------------------------------- */

static void
encode(struct guts_buf *v, const struct guts_cijob *j)
{
	const char *const texts[] = { j->ref, j->context, j->lease, j->runner, j->description, j->target_url };
	uint8_t id[16] = { 0 };

	(void)guts_hex_decode(id, sizeof id, guts_slice_str(j->id));
	guts_buf_add_u8(v, FORM);
	guts_buf_add(v, id, sizeof id);
	guts_buf_add_be64(v, j->queue);
	guts_buf_add(v, j->repo, sizeof j->repo);
	add_oid(v, &j->commit);
	add_oid(v, &j->before);
	guts_buf_add_u8(v, (uint8_t)j->event);
	guts_buf_add_u8(v, (uint8_t)j->state);
	guts_buf_add_be32(v, j->attempts);
	guts_buf_add_be64(v, j->created_ms);
	guts_buf_add_be64(v, j->started_ms);
	guts_buf_add_be64(v, j->ended_ms);
	guts_buf_add_u8(v, j->progress);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		add_text(v, texts[i]);
	guts_buf_add_u8(v, (uint8_t)j->nsteps);
	for (size_t i = 0; i < j->nsteps; i++) {
		add_text(v, j->steps[i].name);
		guts_buf_add_be64(v, j->steps[i].started_ms);
	}
	guts_buf_add_u8(v, (uint8_t)j->nfiles);
	for (size_t i = 0; i < j->nfiles; i++) {
		add_text(v, j->files[i].name);
		guts_buf_add_be64(v, j->files[i].bytes);
		guts_buf_add(v, j->files[i].sha256, sizeof j->files[i].sha256);
	}
}

void
guts_cijob_put(struct guts_batch *b, const struct guts_cijob *j)
{
	struct guts_slice key;
	struct guts_buf v;
	uint8_t number[8];
	struct key k;

	guts_buf_init(&v, 16384);
	encode(&v, j);
	guts_batch_put(b, GUTS_TABLE_CI, key_of(&k, JOB, j->number), guts_buf_slice(&v));
	guts_buf_wipe(&v);
	guts_put_be64(number, j->number);
	if (key_of_id(&k, guts_slice_str(j->id), &key) == GUTS_OK)
		guts_batch_put(b, GUTS_TABLE_CI, key, guts_slice(number, sizeof number));
}

void
guts_cijob_remove(struct guts_batch *b, const struct guts_cijob *j)
{
	struct guts_slice key;
	struct key k;

	guts_batch_del(b, GUTS_TABLE_CI, key_of(&k, JOB, j->number));
	if (key_of_id(&k, guts_slice_str(j->id), &key) == GUTS_OK)
		guts_batch_del(b, GUTS_TABLE_CI, key);
	guts_cifile_remove_all(b, j->number);
}

static void
take_lists(struct guts_cursor *c, struct guts_cijob *j)
{
	j->nsteps = guts_cursor_u8(c);
	if (j->nsteps > GUTS_CIJOB_STEPS_MAX)
		guts_cursor_fail(c);
	for (size_t i = 0; i < j->nsteps && guts_cursor_ok(c); i++) {
		take_text(c, j->steps[i].name, sizeof j->steps[i].name);
		j->steps[i].started_ms = guts_cursor_be64(c);
	}
	j->nfiles = guts_cursor_u8(c);
	if (j->nfiles > GUTS_CIJOB_FILES_MAX)
		guts_cursor_fail(c);
	for (size_t i = 0; i < j->nfiles && guts_cursor_ok(c); i++) {
		take_text(c, j->files[i].name, sizeof j->files[i].name);
		j->files[i].bytes = guts_cursor_be64(c);
		take_bytes(c, j->files[i].sha256, sizeof j->files[i].sha256);
	}
}

static int
decode(struct guts_cijob *j, uint64_t number, struct guts_slice value)
{
	struct guts_cursor c;
	uint8_t id[16] = { 0 };

	*j = (struct guts_cijob){ .number = number };
	guts_cursor_init(&c, value);
	if (guts_cursor_u8(&c) != FORM)
		return GUTS_EPROTO;
	take_bytes(&c, id, sizeof id);
	guts_hex_encode(j->id, id, sizeof id);
	j->queue = guts_cursor_be64(&c);
	take_bytes(&c, j->repo, sizeof j->repo);
	take_oid(&c, &j->commit);
	take_oid(&c, &j->before);
	j->event = guts_cursor_u8(&c);
	j->state = guts_cursor_u8(&c);
	j->attempts = guts_cursor_be32(&c);
	j->created_ms = guts_cursor_be64(&c);
	j->started_ms = guts_cursor_be64(&c);
	j->ended_ms = guts_cursor_be64(&c);
	j->progress = guts_cursor_u8(&c);
	take_text(&c, j->ref, sizeof j->ref);
	take_text(&c, j->context, sizeof j->context);
	take_text(&c, j->lease, sizeof j->lease);
	take_text(&c, j->runner, sizeof j->runner);
	take_text(&c, j->description, sizeof j->description);
	take_text(&c, j->target_url, sizeof j->target_url);
	take_lists(&c, j);
	return guts_cursor_done(&c) && j->state <= GUTS_CIJOB_ERROR ? GUTS_OK : GUTS_EPROTO;
}

int
guts_cijob_get(struct guts_store *s, uint64_t number, struct guts_cijob *j)
{
	struct guts_buf v;
	struct key k;
	int err;

	guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
	err = guts_store_get(s, GUTS_TABLE_CI, key_of(&k, JOB, number), &v);
	if (!err)
		err = decode(j, number, guts_buf_slice(&v));
	guts_buf_wipe(&v);
	return err;
}

int
guts_cijob_find(struct guts_store *s, struct guts_slice id, struct guts_cijob *j)
{
	struct guts_slice key;
	struct guts_buf v;
	struct key k;
	int err;

	if (key_of_id(&k, id, &key))
		return GUTS_ENOTFOUND;
	guts_buf_init(&v, 8);
	err = guts_store_get(s, GUTS_TABLE_CI, key, &v);
	if (!err) {
		struct guts_cursor c;

		guts_cursor_init(&c, guts_buf_slice(&v));
		err = guts_cijob_get(s, guts_cursor_be64(&c), j);
	}
	guts_buf_deinit(&v);
	return err;
}

static bool
on_job(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct walk *w = owner;
	struct guts_cijob j;

	return decode(&j, number_of(key), value) || w->job(w->owner, &j);
}

int
guts_cijob_each(struct guts_store *s, bool (*row)(void *owner, const struct guts_cijob *j), void *owner)
{
	struct walk w = { .job = row, .owner = owner };
	struct key k;

	key_of(&k, JOB, 0);
	return guts_store_scan(s, GUTS_TABLE_CI, guts_slice(k.b, 1), guts_slice(NULL, 0), on_job, &w);
}

/* -- files -------------------------------------------------------------------------------------------- */

void
guts_cifile_put(struct guts_batch *b, const struct guts_cijob *j, size_t i, uint64_t offset, struct guts_slice bytes)
{
	struct key k;

	guts_batch_put(b, GUTS_TABLE_CI, key_of_bytes(&k, j->number, i, offset), bytes);
}

void
guts_cifile_remove(struct guts_batch *b, uint64_t number, size_t i)
{
	struct key k;

	guts_batch_del_prefix(b, GUTS_TABLE_CI, guts_slice(key_of_bytes(&k, number, i, 0).p, 10));
}

void
guts_cifile_remove_all(struct guts_batch *b, uint64_t number)
{
	struct key k;

	guts_batch_del_prefix(b, GUTS_TABLE_CI, key_of(&k, BYTES, number));
}

struct reading {
	uint64_t offset;
	struct guts_buf *out;
};

static bool
on_bytes(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct reading *r = owner;
	struct guts_cursor c;
	uint64_t at, skip;
	size_t room = r->out->max - r->out->len;

	guts_cursor_init(&c, guts_slice(key.p + 10, key.n - 10));
	at = guts_cursor_be64(&c);
	skip = r->offset > at ? r->offset - at : 0;
	if (skip < value.n)
		guts_buf_add(r->out, value.p + skip, value.n - skip < room ? value.n - (size_t)skip : room);
	return r->out->len < r->out->max;
}

int
guts_cifile_read(struct guts_store *s, const struct guts_cijob *j, size_t i, uint64_t offset, struct guts_buf *out)
{
	struct reading r = { .offset = offset, .out = out };
	struct key k, after;
	struct guts_slice from = { 0 };

	/* the row that holds `offset` begins at most a chunk before it */
	if (offset >= GUTS_CIFILE_CHUNK)
		from = key_of_bytes(&after, j->number, i, offset - GUTS_CIFILE_CHUNK);
	return guts_store_scan(s, GUTS_TABLE_CI, guts_slice(key_of_bytes(&k, j->number, i, 0).p, 10), from, on_bytes, &r);
}
