/* store/sqlite_read.c - reading: one read-only connection per thread that asks.
 *
 * A thread's connection hangs on a thread-specific key, whose destructor closes it when the thread ends, and in a
 * list, from which the store closes what is left.  Prepared statements are kept with it; a scan
 * that starts inside the row function of another one on the same table gets a statement of its
 * own.  Every statement is reset before the call returns, so no read transaction stays open and
 * the writer's checkpoints are never held up for long.
 */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/log.h"
#include "store/fact.h"
#include "store/schema.h"
#include "store/sqlite_priv.h"

#include <stdlib.h>

#define FACT_ARENA_MAX (16u << 10) /* [bytes] type and names of one fact */

struct guts_sqlite_reader {
	struct guts_sqlite *store;
	struct guts_sqlite_reader *prev, *next;
	sqlite3 *db;
	sqlite3_stmt *get[GUTS_TABLE_N], *scan[GUTS_TABLE_N], *facts;
};

static void
reader_free(struct guts_sqlite_reader *r)
{
	for (int i = 0; i < GUTS_TABLE_N; i++) {
		sqlite3_finalize(r->get[i]);
		sqlite3_finalize(r->scan[i]);
	}
	sqlite3_finalize(r->facts);
	sqlite3_close(r->db);
	free(r);
}

/* The thread ends. */
static void
reader_gone(void *arg)
{
	struct guts_sqlite_reader *r = arg;
	struct guts_sqlite *s = r->store;

	pthread_mutex_lock(&s->readers_lock);
	if (r->prev)
		r->prev->next = r->next;
	else
		s->readers = r->next;
	if (r->next)
		r->next->prev = r->prev;
	pthread_mutex_unlock(&s->readers_lock);
	reader_free(r);
}

int
guts_sqlite_readers_init(struct guts_sqlite *s)
{
	if (pthread_key_create(&s->reader_key, reader_gone))
		return GUTS_EIO;
	s->has_reader_key = true;
	pthread_mutex_init(&s->readers_lock, NULL);
	return GUTS_OK;
}

void
guts_sqlite_readers_deinit(struct guts_sqlite *s)
{
	if (!s->has_reader_key)
		return;
	pthread_key_delete(s->reader_key);
	while (s->readers != NULL) {
		struct guts_sqlite_reader *r = s->readers;

		s->readers = r->next;
		reader_free(r);
	}
	pthread_mutex_destroy(&s->readers_lock);
	s->has_reader_key = false;
}

/* This thread's connection, made at its first read. */
static struct guts_sqlite_reader *
reader_of(struct guts_sqlite *s)
{
	struct guts_sqlite_reader *r = pthread_getspecific(s->reader_key);
	struct guts_errinfo ei = { 0 };

	if (r != NULL)
		return r;
	r = guts_alloc(sizeof(*r));
	r->store = s;
	if (guts_sqlite_connect(&r->db, s->path, false, &ei)) {
		guts_log_limited(GUTS_LOG_ERROR, "store", "%s", ei.text);
		free(r);
		return NULL;
	}
	if (pthread_setspecific(s->reader_key, r)) {
		reader_free(r);
		return NULL;
	}
	pthread_mutex_lock(&s->readers_lock);
	r->next = s->readers;
	if (r->next)
		r->next->prev = r;
	s->readers = r;
	pthread_mutex_unlock(&s->readers_lock);
	return r;
}

static int
prepare(sqlite3 *db, sqlite3_stmt **st, const char *format, const char *table)
{
	char *sql;
	int rc;

	if (*st != NULL)
		return GUTS_OK;
	sql = sqlite3_mprintf(format, table);
	rc = sql ? sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return rc == SQLITE_OK ? GUTS_OK : guts_sqlite_err(db);
}

static struct guts_slice
column(sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i);

	return guts_slice(p, (size_t)sqlite3_column_bytes(st, i));
}

static void
bind_bytes(sqlite3_stmt *st, int i, struct guts_slice s)
{
	sqlite3_bind_blob(st, i, s.n ? (const void *)s.p : "", (int)s.n, SQLITE_STATIC);
}

static int
read_error(sqlite3 *db)
{
	int err = guts_sqlite_err(db);

	guts_log_limited(GUTS_LOG_ERROR, "store", "read failed: %s", sqlite3_errmsg(db));
	return err ? err : GUTS_EIO;
}

int
guts_sqlite_get(struct guts_store *base, enum guts_table t, struct guts_slice key, struct guts_buf *value)
{
	struct guts_sqlite *s = (struct guts_sqlite *)base;
	struct guts_sqlite_reader *r = reader_of(s);
	int rc, err;

	if (r == NULL || prepare(r->db, &r->get[t], "SELECT v FROM \"%w\" WHERE k = ?1", guts_schema_table(t)))
		return GUTS_EIO;
	bind_bytes(r->get[t], 1, key);
	rc = sqlite3_step(r->get[t]);
	if (rc == SQLITE_ROW)
		err = guts_buf_add_slice(value, column(r->get[t], 0));
	else
		err = rc == SQLITE_DONE ? GUTS_ENOTFOUND : read_error(r->db);
	sqlite3_reset(r->get[t]);
	sqlite3_clear_bindings(r->get[t]);
	return err;
}

/* Smallest key to look at: after `after` (its immediate successor has one more byte, zero), not before `prefix`. */
static struct guts_slice
lower_bound(uint8_t room[GUTS_STORE_KEY_MAX + 1], struct guts_slice prefix, struct guts_slice after)
{
	if (after.n == 0 || after.n > GUTS_STORE_KEY_MAX || guts_slice_cmp(after, prefix) < 0)
		return prefix;
	memcpy(room, after.p, after.n);
	room[after.n] = 0;
	return guts_slice(room, after.n + 1);
}

static bool
has_prefix(struct guts_slice key, struct guts_slice prefix)
{
	return key.n >= prefix.n && (prefix.n == 0 || memcmp(key.p, prefix.p, prefix.n) == 0);
}

int
guts_sqlite_scan(struct guts_store *base, enum guts_table t, struct guts_slice prefix, struct guts_slice after,
    bool (*row)(void *owner, struct guts_slice key, struct guts_slice value), void *owner)
{
	struct guts_sqlite *s = (struct guts_sqlite *)base;
	struct guts_sqlite_reader *r = reader_of(s);
	uint8_t room[GUTS_STORE_KEY_MAX + 1];
	sqlite3_stmt *nested = NULL, **st;
	int rc, err = GUTS_OK;

	if (r == NULL)
		return GUTS_EIO;
	st = r->scan[t] != NULL && sqlite3_stmt_busy(r->scan[t]) ? &nested : &r->scan[t];
	if (prepare(r->db, st, "SELECT k, v FROM \"%w\" WHERE k >= ?1 ORDER BY k", guts_schema_table(t)))
		return GUTS_EIO;
	bind_bytes(*st, 1, lower_bound(room, prefix, after));
	while ((rc = sqlite3_step(*st)) == SQLITE_ROW) {
		struct guts_slice key = column(*st, 0);

		if (!has_prefix(key, prefix) || !row(owner, key, column(*st, 1)))
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		err = read_error(r->db);
	sqlite3_reset(*st);
	sqlite3_clear_bindings(*st);
	sqlite3_finalize(nested);
	return err;
}

int
guts_sqlite_facts(struct guts_store *base, uint64_t after_id, size_t max,
    bool (*row)(void *owner, const struct guts_fact *f), void *owner)
{
	struct guts_sqlite *s = (struct guts_sqlite *)base;
	struct guts_sqlite_reader *r = reader_of(s);
	sqlite3_stmt *nested = NULL, **st;
	int rc = SQLITE_DONE, err = GUTS_OK;

	if (r == NULL)
		return GUTS_EIO;
	if (after_id > INT64_MAX)
		return GUTS_OK;
	st = r->facts != NULL && sqlite3_stmt_busy(r->facts) ? &nested : &r->facts;
	if (prepare(r->db, st, "SELECT id, body FROM \"%w\" WHERE id > ?1 ORDER BY id", "fact"))
		return GUTS_EIO;
	sqlite3_bind_int64(*st, 1, (sqlite3_int64)after_id);
	for (size_t i = 0; i < max && (rc = sqlite3_step(*st)) == SQLITE_ROW; i++) {
		struct guts_arena arena;
		struct guts_fact f;
		bool more;

		guts_arena_init(&arena, FACT_ARENA_MAX);
		err = guts_fact_decode(&f, column(*st, 1), &arena);
		f.id = (uint64_t)sqlite3_column_int64(*st, 0);
		more = err == GUTS_OK && row(owner, &f);
		guts_arena_deinit(&arena);
		if (!more)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		err = read_error(r->db);
	sqlite3_reset(*st);
	sqlite3_finalize(nested);
	return err ? GUTS_EIO : GUTS_OK;
}
