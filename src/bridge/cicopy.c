/* bridge/cicopy.c - copies of other nodes' jobs, as rows of table CI:
 *
 *	4 | id[16]    the record, as its signer sent it
 *	5 | id[16]    be64 number | be32 files that are whole | be64 bytes | be64 used [ms] | repo[32]
 *
 * Pieces of files are rows as those of own jobs.  They are written before the row tells that their file is whole; what a crash leaves
 * of others is removed at the next start.
 */
#include "bridge/cicopy.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/cifetch.h"
#include "bridge/ciint.h"
#include "bridge/ciview.h"

#include <stdlib.h>

#define NUMBER_BIT (UINT64_C(1) << 63) /* numbers of copies have it, those of own jobs do not */

enum row { RECORD = 4, STATE };

struct key {
	uint8_t b[17];
};

static struct guts_slice
key_of(struct key *k, enum row row, const char *id)
{
	k->b[0] = (uint8_t)row;
	(void)guts_hex_decode(k->b + 1, 16, guts_slice_str(id)); /* ids were checked */
	return guts_slice(k->b, sizeof k->b);
}

/* -- rows ------------------------------------------------------------------------------------------ */

static void
put_state(struct guts_batch *b, const struct guts_cicopy *c)
{
	struct guts_buf v;
	struct key k;

	guts_buf_init(&v, 128);
	guts_buf_add_be64(&v, c->number);
	guts_buf_add_be32(&v, c->have);
	guts_buf_add_be64(&v, c->bytes - c->coming_bytes);
	guts_buf_add_be64(&v, c->used_ms);
	guts_buf_add(&v, c->repo, sizeof c->repo);
	guts_batch_put(b, GUTS_TABLE_CI, key_of(&k, STATE, c->id), guts_buf_slice(&v));
	guts_buf_deinit(&v);
}

static bool
load_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_cicopies *k = owner;
	struct guts_cicopy *c = guts_alloc(sizeof *c);
	struct guts_cursor v;
	struct guts_slice repo;

	guts_cursor_init(&v, value);
	c->number = guts_cursor_be64(&v);
	c->have = guts_cursor_be32(&v);
	c->bytes = guts_cursor_be64(&v);
	c->used_ms = guts_cursor_be64(&v);
	repo = guts_cursor_bytes(&v, sizeof c->repo);
	if (key.n != sizeof(struct key) || !guts_cursor_done(&v)) {
		free(c);
		return true;
	}
	guts_hex_encode(c->id, key.p + 1, 16);
	memcpy(c->repo, repo.p, sizeof c->repo);
	c->is_stored = true;
	k->bytes += c->bytes;
	if (c->number > k->last_number)
		k->last_number = c->number;
	DL_APPEND(k->list, c);
	k->n++;
	return true;
}

static void
on_changed(void *owner, int err, uint64_t first, uint64_t last)
{
	(void)owner;
	(void)first;
	(void)last;
	if (err)
		guts_log_limited(GUTS_LOG_WARN, "ci", "a copy of a job cannot be changed: %s", guts_err_text(err));
}

/* -- what there is room for ---------------------------------------------------------------------------- */

static void
forget(struct guts_cicopies *k, struct guts_cicopy *c, struct guts_batch *b)
{
	struct key key;

	guts_batch_del(b, GUTS_TABLE_CI, key_of(&key, RECORD, c->id));
	guts_batch_del(b, GUTS_TABLE_CI, key_of(&key, STATE, c->id));
	guts_cifile_remove_all(b, c->number);
	k->bytes -= c->bytes;
	k->n--;
	DL_DELETE(k->list, c);
	free(c);
}

/* Something of it is on its way into the database. */
static bool
is_fixed(const struct guts_cicopy *c)
{
	return c->coming || !c->is_stored;
}

/* Can `bytes` more, for `mine` (may be NULL), be had by removing others?  Then they are. */
static bool
make_room(struct guts_cicopies *k, const struct guts_cicopy *mine, uint64_t bytes)
{
	struct guts_cicopy *c, *next;
	uint64_t fixed = bytes;
	struct guts_batch *b;

	DL_FOREACH (k->list, c)
		fixed += is_fixed(c) || c == mine ? c->bytes : 0;
	if (bytes > k->max || fixed > k->max)
		return false;
	b = guts_batch_new();
	DL_FOREACH_SAFE (k->list, c, next) {
		if (k->bytes + bytes <= k->max && (mine || k->n < GUTS_CICOPIES_MAX))
			break;
		if (c != mine && !is_fixed(c))
			forget(k, c, b);
	}
	(void)guts_store_commit(k->store, b, on_changed, NULL);
	return mine || k->n < GUTS_CICOPIES_MAX;
}

void
guts_cicopies_prune(struct guts_cicopies *k)
{
	struct guts_batch *b = guts_batch_new();
	struct guts_cicopy *c, *next;

	DL_FOREACH_SAFE (k->list, c, next) {
		if (k->bytes <= k->max)
			break;
		if (!is_fixed(c))
			forget(k, c, b);
	}
	(void)guts_store_commit(k->store, b, on_changed, NULL);
}

void
guts_cicopies_drop(struct guts_cicopies *k, const uint8_t repo[GUTS_REPOID_SIZE])
{
	struct guts_batch *b = guts_batch_new();
	struct guts_cicopy *c, *next;

	DL_FOREACH_SAFE (k->list, c, next) {
		if (!is_fixed(c) && memcmp(c->repo, repo, sizeof c->repo) == 0)
			forget(k, c, b);
	}
	(void)guts_store_commit(k->store, b, on_changed, NULL);
}

/* What was on its way has come, or will not: if its repository was removed meanwhile, it goes (*c, too). */
static void
tell(struct guts_cicopies *k, const struct guts_cicopy *c)
{
	struct guts_cicopy was = *c;

	if (!guts_sync_find(guts_node_sync(k->ci->node), was.repo))
		guts_cicopies_drop(k, was.repo);
	guts_cifetch_wake(k->ci, was.id);
}

static int
by_use(struct guts_cicopy *x, struct guts_cicopy *y)
{
	return x->used_ms < y->used_ms ? -1 : x->used_ms > y->used_ms;
}

void
guts_cicopies_load(struct guts_cicopies *k)
{
	struct guts_sync *sync = guts_node_sync(k->ci->node);
	struct guts_batch *b = guts_batch_new();
	struct guts_cicopy *c, *next;
	uint8_t prefix = STATE;

	k->last_number = NUMBER_BIT;
	(void)guts_store_scan(k->store, GUTS_TABLE_CI, guts_slice(&prefix, 1), guts_slice(NULL, 0), load_row, k);
	DL_SORT(k->list, by_use);
	DL_FOREACH_SAFE (k->list, c, next) {
		if (!guts_sync_find(sync, c->repo) || k->bytes > k->max) {
			forget(k, c, b);
			continue;
		}
		for (size_t i = 0; i < GUTS_CIJOB_FILES_MAX; i++) {
			if (!(c->have & 1u << i))
				guts_cifile_remove(b, c->number, i);
		}
	}
	(void)guts_store_commit(k->store, b, on_changed, NULL);
}

void
guts_cicopies_free(struct guts_cicopies *k)
{
	struct guts_cicopy *c, *next;

	DL_FOREACH_SAFE (k->list, c, next)
		free(c);
	k->list = NULL;
}

/* -- one copy ------------------------------------------------------------------------------------------------ */

struct guts_cicopy *
guts_cicopy_find(struct guts_cicopies *k, const char *id)
{
	struct guts_cicopy *c;

	DL_FOREACH (k->list, c) {
		if (strcmp(c->id, id) == 0)
			break;
	}
	if (c) {
		DL_DELETE(k->list, c);
		DL_APPEND(k->list, c);
	}
	return c;
}

int
guts_cicopy_read(struct guts_store *s, const struct guts_cicopy *c, struct guts_cijob *j, struct guts_buf *record)
{
	struct guts_buf v;
	struct key k;
	int err;

	guts_buf_init(&v, GUTS_STORE_VALUE_MAX);
	err = guts_store_get(s, GUTS_TABLE_CI, key_of(&k, RECORD, c->id), &v);
	if (!err)
		err = guts_cijob_peek(j, guts_buf_slice(&v));
	if (!err && record && guts_buf_add_slice(record, guts_buf_slice(&v)) < 0)
		err = GUTS_ELIMIT;
	j->number = c->number;
	guts_buf_deinit(&v);
	return err;
}

struct keeping {
	struct guts_cicopies *k;
	struct guts_cicopy *c;
};

static void
on_kept(void *owner, int err, uint64_t first, uint64_t last)
{
	struct keeping *w = owner;
	struct guts_cicopies *k = w->k;
	struct guts_cicopy was = *w->c;

	on_changed(NULL, err, first, last);
	w->c->is_stored = true;
	if (err) {
		struct guts_batch *b = guts_batch_new();

		forget(k, w->c, b);
		guts_batch_free(b);
	}
	free(w);
	tell(k, &was);
}

struct guts_cicopy *
guts_cicopy_keep(struct guts_cicopies *k, const struct guts_cijob *j, struct guts_slice record)
{
	struct guts_cicopy *c;
	struct guts_batch *b;
	struct keeping *w;
	struct key key;

	if (!make_room(k, NULL, record.n))
		return NULL;
	c = guts_alloc(sizeof *c);
	*c = (struct guts_cicopy){ .number = ++k->last_number, .bytes = record.n, .used_ms = guts_ci_wall_ms(k->ci) };
	memcpy(c->id, j->id, sizeof c->id);
	memcpy(c->repo, j->repo, sizeof c->repo);
	DL_APPEND(k->list, c);
	k->n++;
	k->bytes += c->bytes;
	b = guts_batch_new();
	guts_batch_put(b, GUTS_TABLE_CI, key_of(&key, RECORD, c->id), record);
	put_state(b, c);
	w = guts_alloc(sizeof *w);
	*w = (struct keeping){ .k = k, .c = c };
	if (guts_store_commit(k->store, b, on_kept, w) == GUTS_OK)
		return c;
	free(w);
	b = guts_batch_new();
	forget(k, c, b);
	guts_batch_free(b);
	return NULL;
}

/* -- its files -------------------------------------------------------------------------------------------------- */

int
guts_cicopy_expect(struct guts_cicopies *k, struct guts_cicopy *c, const struct guts_cijob *j, size_t i)
{
	uint64_t bytes = j->files[i].bytes;

	if (bytes > GUTS_CIFILE_MAX || !make_room(k, c, bytes))
		return GUTS_ELIMIT;
	c->coming |= 1u << i;
	c->coming_bytes += bytes;
	c->bytes += bytes;
	k->bytes += bytes;
	return GUTS_OK;
}

int
guts_cicopy_write(struct guts_cicopies *k, const struct guts_cicopy *c, size_t i, uint64_t offset, struct guts_slice bytes,
    void (*done)(void *owner, int err, uint64_t first, uint64_t last), void *owner)
{
	struct guts_cijob j = { .number = c->number };
	struct guts_batch *b = guts_batch_new();

	for (size_t at = 0, n; at < bytes.n; at += n) {
		n = bytes.n - at < GUTS_CIFILE_CHUNK ? bytes.n - at : GUTS_CIFILE_CHUNK;
		guts_cifile_put(b, &j, i, offset + at, guts_slice(bytes.p + at, n));
	}
	return guts_store_commit(k->store, b, done, owner);
}

void
guts_cicopy_settle(struct guts_cicopies *k, struct guts_cicopy *c, const struct guts_cijob *j, size_t i, bool is_whole)
{
	struct guts_batch *b = guts_batch_new();

	c->coming &= ~(1u << i);
	c->coming_bytes -= j->files[i].bytes;
	if (is_whole) {
		c->have |= 1u << i;
		c->used_ms = guts_ci_wall_ms(k->ci);
		put_state(b, c);
	} else {
		guts_cifile_remove(b, c->number, i);
		c->bytes -= j->files[i].bytes;
		k->bytes -= j->files[i].bytes;
	}
	(void)guts_store_commit(k->store, b, on_changed, NULL);
	tell(k, c);
}
