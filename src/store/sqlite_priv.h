/* store/sqlite_priv.h - what the writer's and the readers' halves of the SQLite store share.  Private. */
#ifndef GUTS_STORE_SQLITE_PRIV_H
#define GUTS_STORE_SQLITE_PRIV_H

#include "store/sqlite.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

struct guts_sqlite_commit;
struct guts_sqlite_reader;

struct guts_sqlite {
	struct guts_store base;
	struct guts_env *env;
	char *path;

	/* The writer's own. */
	sqlite3 *db;
	sqlite3_stmt *put[GUTS_TABLE_N], *del[GUTS_TABLE_N], *del_from[GUTS_TABLE_N], *del_range[GUTS_TABLE_N];
	sqlite3_stmt *fact_add, *fact_prune, *fact_times;
	uint64_t fact_ns;        /* [wall ns] of the fact that was added last; 0 = none yet */
	uint64_t fact_oldest_ns; /* [wall ns] of a fact not younger than the oldest; 0 = not known */
	pthread_t thread;
	bool has_thread;

	/* Batches that wait; under `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct guts_sqlite_commit *first, *last;
	size_t waiting;
	bool stop;

	/* What is kept of facts: sqlite.h. */
	_Atomic uint64_t keep_count, keep_ns;

	_Atomic int fault; /* of the last transaction */

	/* Ids of facts that are durable. */
	_Atomic uint64_t oldest, newest;

	/* Readers' connections; the list is under `readers_lock`. */
	pthread_key_t reader_key;
	bool has_reader_key;
	pthread_mutex_t readers_lock;
	struct guts_sqlite_reader *readers;
};

/* Open a connection at `path` with our settings.  Errors, with text. */
int guts_sqlite_connect(sqlite3 **db, const char *path, bool writable, struct guts_errinfo *ei);

/* The readers' half: make what they share, free it with all connections. */
int guts_sqlite_readers_init(struct guts_sqlite *s);
void guts_sqlite_readers_deinit(struct guts_sqlite *s);

int guts_sqlite_get(struct guts_store *base, enum guts_table t, struct guts_slice key, struct guts_buf *value);
int guts_sqlite_scan(struct guts_store *base, enum guts_table t, struct guts_slice prefix, struct guts_slice after,
    bool (*row)(void *owner, struct guts_slice key, struct guts_slice value), void *owner);
int guts_sqlite_facts(struct guts_store *base, uint64_t after_id, size_t max,
    bool (*row)(void *owner, const struct guts_fact *f), void *owner);

#endif
