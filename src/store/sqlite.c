/* store/sqlite.c - opening the database, and the one thread that writes it.
 *
 *	commit ──► list ──► writer: BEGIN, items of several batches, COMMIT (fsync) ──► done, posted
 *
 * While one transaction waits for the disk the next batches gather, so the load itself decides
 * how many share an fsync, and a lone batch never waits for company.  Fact ids are counted in memory
 * from the newest row; a transaction that fails gives its ids back, so they stay gapless.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "store/fact.h"
#include "store/schema.h"
#include "store/sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 5000          /* [ms] patience with another process that reads or copies */
#define PRUNE_SLACK 1000      /* facts over the limit before a step of pruning */
#define PRUNE_STEP 5000       /* facts deleted in one transaction */
#define WAL_BYTES_MAX "67108864"
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

struct guts_sqlite_commit {
	struct guts_sqlite_commit *next;
	struct guts_batch *batch;
	void (*done)(void *owner, int err, uint64_t first_fact, uint64_t last_fact);
	void *owner;
	int err;
	uint64_t first_fact, last_fact;
};

/* Each connection takes 85 KiB of page cache in advance otherwise; most of ours read now and then. */
static void
no_cache_in_advance(void)
{
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

int
guts_sqlite_connect(sqlite3 **db, const char *path, bool writable, struct guts_errinfo *ei)
{
	int flags = SQLITE_OPEN_NOMUTEX | (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	const char *settings = writable ?
	    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-4096;"
	    "PRAGMA journal_size_limit=" WAL_BYTES_MAX "; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;" :
	    "PRAGMA cache_size=-1024; PRAGMA trusted_schema=OFF; PRAGMA query_only=ON; PRAGMA cell_size_check=ON;";
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int err;

	pthread_once(&once, no_cache_in_advance);
	if (sqlite3_open_v2(path, db, flags, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(*db, BUSY_MS);
		if (sqlite3_exec(*db, settings, NULL, NULL, NULL) == SQLITE_OK)
			return GUTS_OK;
	}
	err = *db ? guts_sqlite_err(*db) : GUTS_EIO;
	guts_err_set(ei, err ? err : GUTS_EIO, "cannot open the database %s: %s", path,
	    *db ? sqlite3_errmsg(*db) : "no memory");
	sqlite3_close(*db);
	*db = NULL;
	return err ? err : GUTS_EIO;
}

/* -- the writer ---------------------------------------------------------------- */

static int
run(struct guts_sqlite *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? GUTS_OK : guts_sqlite_err(s->db);
}

static void
bind_bytes(sqlite3_stmt *st, int i, struct guts_slice b)
{
	sqlite3_bind_blob(st, i, b.n ? (const void *)b.p : "", (int)b.n, SQLITE_STATIC);
}

static int
step(struct guts_sqlite *s, sqlite3_stmt *st)
{
	int err = sqlite3_step(st) == SQLITE_DONE ? GUTS_OK : guts_sqlite_err(s->db);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return err;
}

/* The statement for a table, prepared at its first use. */
static sqlite3_stmt *
statement(struct guts_sqlite *s, sqlite3_stmt **st, const char *format, enum guts_table t)
{
	char *sql;

	if (*st != NULL)
		return *st;
	sql = sqlite3_mprintf(format, guts_schema_table(t));
	if (sql != NULL)
		sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
	sqlite3_free(sql);
	return *st;
}

/* Delete all keys that start with `prefix`: from it up to the first string that is greater than all of them. */
static int
delete_prefix(struct guts_sqlite *s, enum guts_table t, struct guts_slice prefix)
{
	uint8_t end[GUTS_STORE_KEY_MAX];
	size_t n = prefix.n;
	sqlite3_stmt *st;

	memcpy(end, prefix.p, prefix.n);
	while (n > 0 && end[n - 1] == 0xff)
		n--;
	if (n == 0) {
		st = statement(s, &s->del_from[t], "DELETE FROM \"%w\" WHERE k >= ?1", t);
	} else {
		end[n - 1]++;
		st = statement(s, &s->del_range[t], "DELETE FROM \"%w\" WHERE k >= ?1 AND k < ?2", t);
		if (st != NULL)
			bind_bytes(st, 2, guts_slice(end, n));
	}
	if (st == NULL)
		return guts_sqlite_err(s->db);
	bind_bytes(st, 1, prefix);
	return step(s, st);
}

static int
apply_item(struct guts_sqlite *s, const struct guts_batch_item *it, uint64_t *next_fact)
{
	sqlite3_stmt *st;

	switch (it->op) {
	case GUTS_BATCH_PUT:
		st = statement(s, &s->put[it->t], "INSERT OR REPLACE INTO \"%w\"(k, v) VALUES(?1, ?2)", it->t);
		if (st == NULL)
			break;
		bind_bytes(st, 1, it->key);
		bind_bytes(st, 2, it->value);
		return step(s, st);
	case GUTS_BATCH_DEL:
		st = statement(s, &s->del[it->t], "DELETE FROM \"%w\" WHERE k = ?1", it->t);
		if (st == NULL)
			break;
		bind_bytes(st, 1, it->key);
		return step(s, st);
	case GUTS_BATCH_DEL_PREFIX:
		return delete_prefix(s, it->t, it->key);
	case GUTS_BATCH_FACT:
		sqlite3_bind_int64(s->fact_add, 1, (sqlite3_int64)(*next_fact)++);
		bind_bytes(s->fact_add, 2, it->value);
		s->fact_ns = it->fact->wall_ns;
		return step(s, s->fact_add);
	}
	return guts_sqlite_err(s->db) ? guts_sqlite_err(s->db) : GUTS_EIO;
}

static int
apply_batch(struct guts_sqlite *s, struct guts_sqlite_commit *c, uint64_t *next_fact)
{
	struct guts_batch_item it;
	uint64_t first = *next_fact;
	size_t pos = 0;

	while (guts_batch_next(c->batch, &pos, &it)) {
		int err = apply_item(s, &it, next_fact);

		if (err)
			return err;
	}
	c->first_fact = *next_fact > first ? first : 0;
	c->last_fact = *next_fact > first ? *next_fact - 1 : 0;
	return GUTS_OK;
}

/* Id below which facts are too old; at most a step behind `oldest`. */
static uint64_t
too_old_below(struct guts_sqlite *s, uint64_t oldest)
{
	uint64_t keep = atomic_load(&s->keep_ns), limit = s->fact_ns > keep ? s->fact_ns - keep : 0, below = oldest;

	if (keep == 0 || oldest == 0 || s->fact_oldest_ns > limit)
		return oldest;
	sqlite3_bind_int64(s->fact_times, 1, (sqlite3_int64)oldest);
	while (sqlite3_step(s->fact_times) == SQLITE_ROW) {
		s->fact_oldest_ns = guts_fact_time(guts_slice(sqlite3_column_blob(s->fact_times, 1),
		    (size_t)sqlite3_column_bytes(s->fact_times, 1)));
		if (s->fact_oldest_ns >= limit)
			break;
		below = (uint64_t)sqlite3_column_int64(s->fact_times, 0) + 1;
	}
	sqlite3_reset(s->fact_times);
	return below;
}

/* Drop the oldest facts when there are clearly too many, or some are too old; *oldest follows. */
static int
prune(struct guts_sqlite *s, uint64_t next_fact, uint64_t *oldest)
{
	uint64_t keep = atomic_load(&s->keep_count), count = *oldest ? next_fact - *oldest : 0;
	uint64_t below = too_old_below(s, *oldest);
	int err;

	if (count > keep + PRUNE_SLACK && below < next_fact - keep)
		below = next_fact - keep;
	if (below == *oldest)
		return GUTS_OK;
	if (below - *oldest > PRUNE_STEP)
		below = *oldest + PRUNE_STEP;
	sqlite3_bind_int64(s->fact_prune, 1, (sqlite3_int64)below);
	err = step(s, s->fact_prune);
	if (!err)
		*oldest = below;
	return err;
}

/* One transaction for the whole list; all of it or nothing. */
static void
write_group(struct guts_sqlite *s, struct guts_sqlite_commit *group)
{
	uint64_t newest = atomic_load(&s->newest), oldest = atomic_load(&s->oldest), next = newest + 1;
	int err = run(s, "BEGIN IMMEDIATE");

	for (struct guts_sqlite_commit *c = group; c != NULL && !err; c = c->next) {
		if (!guts_batch_failed(c->batch))
			err = apply_batch(s, c, &next);
	}
	if (!err && next > newest + 1 && oldest == 0)
		oldest = 1;
	if (!err && next > newest + 1)
		err = prune(s, next, &oldest);
	if (!err)
		err = run(s, "COMMIT");
	if (err) {
		guts_log_limited(GUTS_LOG_ERROR, "store", "write failed: %s (errno %d)", sqlite3_errmsg(s->db),
		    sqlite3_system_errno(s->db));
		if (!sqlite3_get_autocommit(s->db))
			run(s, "ROLLBACK");
		s->fact_oldest_ns = 0;
	} else {
		/* The newest first: a reader that sees the old pair in between only asks for less. */
		atomic_store(&s->newest, next - 1);
		atomic_store(&s->oldest, oldest);
	}
	atomic_store(&s->fault, err);
	for (struct guts_sqlite_commit *c = group; c != NULL; c = c->next) {
		c->err = err ? err : guts_batch_failed(c->batch) ? GUTS_ELIMIT : GUTS_OK;
		if (c->err)
			c->first_fact = c->last_fact = 0;
		guts_batch_free(c->batch);
		c->batch = NULL;
	}
}

/* On the loop: tell the owners, in order. */
static void
tell(void *arg)
{
	struct guts_sqlite_commit *c = arg, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		c->done(c->owner, c->err, c->first_fact, c->last_fact);
		free(c);
	}
}

/* Cut the next group off the list: whole batches until it has GUTS_STORE_GROUP_OPS operations. */
static struct guts_sqlite_commit *
take_group(struct guts_sqlite *s)
{
	struct guts_sqlite_commit *group = s->first, *end = group;
	size_t ops = guts_batch_count(end->batch);

	s->waiting--;
	while (end->next != NULL && ops + guts_batch_count(end->next->batch) <= GUTS_STORE_GROUP_OPS) {
		end = end->next;
		ops += guts_batch_count(end->batch);
		s->waiting--;
	}
	s->first = end->next;
	if (s->first == NULL)
		s->last = NULL;
	end->next = NULL;
	return group;
}

static void *
writer(void *arg)
{
	struct guts_sqlite *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct guts_sqlite_commit *group;

		while (s->first == NULL && !s->stop)
			pthread_cond_wait(&s->wake, &s->lock);
		if (s->first == NULL)
			break;
		group = take_group(s);
		pthread_mutex_unlock(&s->lock);
		write_group(s, group);
		guts_env_post(s->env, tell, group);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int
commit(struct guts_store *base, struct guts_batch *b,
    void (*done)(void *owner, int err, uint64_t first_fact, uint64_t last_fact), void *owner)
{
	struct guts_sqlite *s = (struct guts_sqlite *)base;
	struct guts_sqlite_commit *c = guts_alloc(sizeof(*c));

	c->batch = b;
	c->done = done;
	c->owner = owner;
	pthread_mutex_lock(&s->lock);
	if (s->waiting >= GUTS_STORE_QUEUE_MAX || s->stop) {
		pthread_mutex_unlock(&s->lock);
		guts_batch_free(b);
		free(c);
		return GUTS_EBUSY;
	}
	if (s->last)
		s->last->next = c;
	else
		s->first = c;
	s->last = c;
	s->waiting++;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return GUTS_OK;
}

static void
fact_range(struct guts_store *base, uint64_t *oldest, uint64_t *newest)
{
	struct guts_sqlite *s = (struct guts_sqlite *)base;

	*oldest = atomic_load(&s->oldest);
	*newest = atomic_load(&s->newest);
}

static const struct guts_store_ops ops = {
	.commit = commit,
	.get = guts_sqlite_get,
	.scan = guts_sqlite_scan,
	.facts = guts_sqlite_facts,
	.fact_range = fact_range,
};

/* -- opening and closing --------------------------------------------------------- */

/* First finding of SQLite's own check (`pragma` = quick_check or integrity_check), as an error with text. */
static int
check(sqlite3 *db, const char *path, const char *pragma, struct guts_errinfo *ei)
{
	sqlite3_stmt *st = NULL;
	const char *text;
	int err = GUTS_OK;

	if (sqlite3_prepare_v2(db, pragma, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
		err = guts_err_set(ei, GUTS_EIO, "the database %s is damaged: %s", path, sqlite3_errmsg(db));
	} else {
		text = (const char *)sqlite3_column_text(st, 0);
		if (text == NULL || strcmp(text, "ok") != 0)
			err = guts_err_set(ei, GUTS_EIO, "the database %s is damaged: %s", path, text ? text : "?");
	}
	sqlite3_finalize(st);
	return err;
}

/* Make the file if it is missing, for us alone: SQLite gives -wal and -shm the same mode. */
static int
make_file(const char *path, struct guts_errinfo *ei)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return guts_err_set(ei, errno == EACCES ? GUTS_EDENIED : errno == ENOSPC ? GUTS_ENOSPC : GUTS_EIO,
		    "cannot open the database %s: %s", path, strerror(errno));
	close(fd);
	return GUTS_OK;
}

static int
prepare_facts(struct guts_sqlite *s, struct guts_errinfo *ei)
{
	sqlite3_stmt *st = NULL;
	int rc = SQLITE_ERROR;

	if (sqlite3_prepare_v3(s->db, "INSERT INTO fact(id, body) VALUES(?1, ?2)", -1, SQLITE_PREPARE_PERSISTENT,
	    &s->fact_add, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v3(s->db, "DELETE FROM fact WHERE id < ?1", -1, SQLITE_PREPARE_PERSISTENT,
	    &s->fact_prune, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v3(s->db, "SELECT id, body FROM fact WHERE id >= ?1 ORDER BY id LIMIT " TEXT(PRUNE_STEP), -1,
	    SQLITE_PREPARE_PERSISTENT, &s->fact_times, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(s->db, "SELECT (SELECT min(id) FROM fact), (SELECT max(id) FROM fact)", -1, &st, NULL) ==
	    SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		atomic_store(&s->oldest, (uint64_t)sqlite3_column_int64(st, 0));
		atomic_store(&s->newest, (uint64_t)sqlite3_column_int64(st, 1));
	}
	sqlite3_finalize(st);
	if (rc == SQLITE_ROW)
		return GUTS_OK;
	return guts_err_set(ei, GUTS_EIO, "cannot read %s: %s", s->path, sqlite3_errmsg(s->db));
}

int
guts_sqlite_open(struct guts_sqlite **out, const char *path, struct guts_env *env, struct guts_errinfo *ei)
{
	struct guts_sqlite *s = guts_alloc(sizeof(*s));
	struct guts_schema schema = guts_schema_current();
	int err;

	s->base.ops = &ops;
	s->env = env;
	s->path = guts_strdup(path);
	guts_sqlite_retain(s, GUTS_FACTS_KEPT, 0);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	err = make_file(path, ei);
	if (!err)
		err = guts_sqlite_connect(&s->db, path, true, ei);
	if (!err)
		err = check(s->db, path, "PRAGMA quick_check(1)", ei);
	if (!err)
		err = guts_schema_apply(s->db, path, &schema, ei);
	if (!err)
		err = prepare_facts(s, ei);
	if (!err && (err = guts_sqlite_readers_init(s)) != 0)
		guts_err_set(ei, err, "no thread-specific keys left");
	if (!err && pthread_create(&s->thread, NULL, writer, s))
		err = guts_err_set(ei, GUTS_EIO, "cannot start the store's writer");
	if (err) {
		guts_sqlite_close(s);
		return err;
	}
	s->has_thread = true;
	*out = s;
	return GUTS_OK;
}

void
guts_sqlite_retain(struct guts_sqlite *s, uint64_t count, uint64_t age_ms)
{
	atomic_store(&s->keep_count, count);
	atomic_store(&s->keep_ns, age_ms * 1000000);
}

int
guts_sqlite_fault(struct guts_sqlite *s)
{
	return atomic_load(&s->fault);
}

struct guts_store *
guts_sqlite_store(struct guts_sqlite *s)
{
	return &s->base;
}

void
guts_sqlite_stop(struct guts_sqlite *s)
{
	if (!s->has_thread)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->has_thread = false;
}

void
guts_sqlite_close(struct guts_sqlite *s)
{
	if (s == NULL)
		return;
	guts_sqlite_stop(s);
	guts_sqlite_readers_deinit(s);
	for (int i = 0; i < GUTS_TABLE_N; i++) {
		sqlite3_finalize(s->put[i]);
		sqlite3_finalize(s->del[i]);
		sqlite3_finalize(s->del_from[i]);
		sqlite3_finalize(s->del_range[i]);
	}
	sqlite3_finalize(s->fact_add);
	sqlite3_finalize(s->fact_prune);
	sqlite3_finalize(s->fact_times);
	sqlite3_close(s->db);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

int
guts_sqlite_check(const char *path, struct guts_errinfo *ei)
{
	sqlite3 *db = NULL;
	int err = guts_sqlite_connect(&db, path, false, ei);

	if (!err)
		err = check(db, path, "PRAGMA integrity_check(1)", ei);
	sqlite3_close(db);
	return err;
}

int
guts_sqlite_copy(struct guts_sqlite *s, const char *to, struct guts_errinfo *ei)
{
	sqlite3 *db = NULL;
	char *sql = NULL;
	int fd = -1, err;

	if (access(to, F_OK) == 0)
		return guts_err_set(ei, GUTS_EEXIST, "%s is there already", to);
	err = guts_sqlite_connect(&db, s->path, false, ei);
	if (err)
		return err;
	/* A read-only connection may copy; query_only would forbid it. */
	sql = sqlite3_mprintf("PRAGMA query_only=OFF; VACUUM INTO %Q", to);
	if (sql == NULL || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		err = guts_sqlite_err(db);
		err = guts_err_set(ei, err ? err : GUTS_EIO, "cannot copy the database to %s: %s", to,
		    sqlite3_errmsg(db));
		unlink(to);
	} else if ((fd = open(to, O_RDONLY | O_CLOEXEC)) < 0 || fchmod(fd, 0600) || fsync(fd)) {
		err = guts_err_set(ei, GUTS_EIO, "cannot sync %s: %s", to, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	sqlite3_free(sql);
	sqlite3_close(db);
	return err;
}
