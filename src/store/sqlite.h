/* store/sqlite.h - the real end of the store: SQLite in WAL mode with synchronous=FULL.
 *
 * One writer thread owns the write connection.  It takes what waits (at most 256 operations or
 * one batch, whichever is more) into one transaction, so batches that arrive during one fsync
 * share the next; a lone batch waits for nobody.  If the transaction fails (disk full, I/O error),
 * all batches in it fail and nothing of them is kept; the next ones are tried afresh.
 *
 * Each reading thread gets a read-only connection of its own at its first read, closed with the
 * thread or the store.  A read transaction lasts as long as one get, scan or facts call.
 */
#ifndef GUTS_STORE_SQLITE_H
#define GUTS_STORE_SQLITE_H

#include "loop/env.h"
#include "store/store.h"

#define GUTS_FACTS_KEPT 100000       /* facts kept by default; older ones are pruned in steps */
#define GUTS_STORE_GROUP_OPS 256     /* operations that share a transaction */
#define GUTS_STORE_QUEUE_MAX 65536   /* batches waiting; more get GUTS_EBUSY */

struct guts_sqlite;

/* Open or make the database at `path`: check it (a damaged file is refused with what SQLite says), bring its schema
 * up to date after a copy of the file ("<path>.v<old>"), start the writer.  `done` of commits is posted to `env`.
 * Errors, with text: GUTS_EUNSUPPORTED a newer guts wrote it; GUTS_EIO damaged or not readable; GUTS_ENOSPC;
 * GUTS_EDENIED. */
int guts_sqlite_open(struct guts_sqlite **out, const char *path, struct guts_env *env, struct guts_errinfo *ei);

/* Keep the newest `count` facts, and of them none that is `age_ms` older than the newest (0: of any age).  Followed in
 * steps, with the transactions that bring new facts.  Thread: any. */
void guts_sqlite_retain(struct guts_sqlite *s, uint64_t count, uint64_t age_ms);

/* How the last transaction went: 0, or why nothing of it was kept (GUTS_ENOSPC, GUTS_EIO).  Thread: any. */
int guts_sqlite_fault(struct guts_sqlite *s);

/* The table for the node. */
struct guts_store *guts_sqlite_store(struct guts_sqlite *s);

/* Write what waits and stop the writer.  Their `done` are still posted: a loop that turns once more calls the last of them.
 * Reading goes on, commits are refused from now on (GUTS_EBUSY). */
void guts_sqlite_stop(struct guts_sqlite *s);

/* Stop if that was not done, and close.  No other thread may be reading.  NULL is fine. */
void guts_sqlite_close(struct guts_sqlite *s);

/* Check every page and index of the database at `path` (guts doctor); GUTS_EIO with the first finding.  The node may run. */
int guts_sqlite_check(const char *path, struct guts_errinfo *ei);

/* Write a consistent copy to `to`, which must not exist (guts backup).  Thread: any.  Errors: GUTS_EEXIST, GUTS_EIO, GUTS_ENOSPC. */
int guts_sqlite_copy(struct guts_sqlite *s, const char *to, struct guts_errinfo *ei);

#endif
