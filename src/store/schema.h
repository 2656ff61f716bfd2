/* store/schema.h - versions of the database and how one becomes the next.  Private to the store. */
#ifndef GUTS_STORE_SCHEMA_H
#define GUTS_STORE_SCHEMA_H

#include "store/store.h"

struct sqlite3;

/* Name of a table in the database. */
const char *guts_schema_table(enum guts_table t);

/* steps[i] makes version i+1 of version i (SQL, may be several statements). */
struct guts_schema {
	const char *const *steps;
	int n;
};

/* The schema of this program.  Thread: any. */
struct guts_schema guts_schema_current(void);

/* Bring `db`, open at `path`, to version sc->n in one transaction.  A database that holds data already is copied to
 * "<path>.v<old version>" first.  Errors, with text: GUTS_EUNSUPPORTED newer or not ours, GUTS_EIO, GUTS_ENOSPC. */
int guts_schema_apply(struct sqlite3 *db, const char *path, const struct guts_schema *sc, struct guts_errinfo *ei);

/* Our error for the last failure on `db`. */
int guts_sqlite_err(struct sqlite3 *db);

#endif
