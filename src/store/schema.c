/* store/schema.c - the database's tables, and the way from an older version to this one.
 *
 * Every table of store.h is one SQL table of (key, value), clustered by key; facts are a table
 * of their own with the id as rowid.  What the values mean is the owners' business, so the SQL
 * schema changes rarely; its number is SQLite's user_version.
 */
#include "store/schema.h"

#include "base/alloc.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#define APPLICATION_ID 0x47555453 /* "GUTS" */

static const char *const table_names[GUTS_TABLE_N] = {
	[GUTS_TABLE_META] = "meta",
	[GUTS_TABLE_BOOK] = "book",
	[GUTS_TABLE_BAN] = "ban",
	[GUTS_TABLE_IDENTITY] = "identity",
	[GUTS_TABLE_VOTE] = "vote",
	[GUTS_TABLE_REPO] = "repo",
	[GUTS_TABLE_REFS] = "refs",
	[GUTS_TABLE_REFLIST] = "reflist",
	[GUTS_TABLE_STATUS] = "status",
	[GUTS_TABLE_TRUST] = "trust",
	[GUTS_TABLE_TOKEN] = "token",
	[GUTS_TABLE_ALIAS] = "alias",
	[GUTS_TABLE_NAME] = "name",
	[GUTS_TABLE_GOSSIP] = "gossip",
	[GUTS_TABLE_OUTBOX] = "outbox",
	[GUTS_TABLE_HOOK] = "hook",
	[GUTS_TABLE_DELIVERY] = "delivery",
	[GUTS_TABLE_CI] = "ci",
};

#define TABLE(name) "CREATE TABLE " name "(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"

static const char *const steps[] = {
	/* 1 */
	TABLE("meta") TABLE("book") TABLE("ban") TABLE("identity") TABLE("vote") TABLE("repo") TABLE("refs")
	TABLE("reflist") TABLE("status") TABLE("trust") TABLE("token") TABLE("alias") TABLE("name")
	TABLE("gossip") TABLE("outbox") TABLE("hook") TABLE("delivery")
	"CREATE TABLE fact(id INTEGER PRIMARY KEY, body BLOB NOT NULL);",
	/* 2 */
	TABLE("ci"),
};

const char *
guts_schema_table(enum guts_table t)
{
	return table_names[t];
}

struct guts_schema
guts_schema_current(void)
{
	return (struct guts_schema){ steps, (int)(sizeof(steps) / sizeof(steps[0])) };
}

int
guts_sqlite_err(struct sqlite3 *db)
{
	int system_errno = sqlite3_system_errno(db);

	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return GUTS_OK;
	case SQLITE_FULL:
		return GUTS_ENOSPC;
	case SQLITE_BUSY:
		return GUTS_EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return GUTS_EDENIED;
	case SQLITE_CANTOPEN:
		if (system_errno == EACCES || system_errno == EPERM)
			return GUTS_EDENIED;
		return system_errno == ENOSPC || system_errno == EDQUOT ? GUTS_ENOSPC : GUTS_EIO;
	case SQLITE_IOERR:
		return system_errno == ENOSPC || system_errno == EDQUOT ? GUTS_ENOSPC : GUTS_EIO;
	default:
		return GUTS_EIO;
	}
}

/* The one number that `sql` gives; -1 on error. */
static int
number(struct sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int v = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

static int
copy_first(struct sqlite3 *db, const char *path, int version, struct guts_errinfo *ei)
{
	char *to = guts_asprintf("%s.v%d", path, version);
	char *sql = sqlite3_mprintf("VACUUM INTO %Q", to);
	int err = GUTS_OK;

	/* One that is there is of an attempt that did not get further. */
	unlink(to);
	if (sql == NULL || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		err = guts_err_set(ei, guts_sqlite_err(db), "cannot copy the database to %s before updating it: %s",
		    to, sqlite3_errmsg(db));
	sqlite3_free(sql);
	free(to);
	return err;
}

int
guts_schema_apply(struct sqlite3 *db, const char *path, const struct guts_schema *sc, struct guts_errinfo *ei)
{
	int version = number(db, "PRAGMA user_version");
	int application = number(db, "PRAGMA application_id");
	int objects = number(db, "SELECT count(*) FROM sqlite_master");
	char *sql, *end;
	int err;

	if (version < 0 || application < 0 || objects < 0)
		return guts_err_set(ei, GUTS_EIO, "%s is no database or damaged: %s", path, sqlite3_errmsg(db));
	if (objects > 0 && application != APPLICATION_ID)
		return guts_err_set(ei, GUTS_EUNSUPPORTED, "%s is a database of another program", path);
	if (version > sc->n)
		return guts_err_set(ei, GUTS_EUNSUPPORTED,
		    "%s was written by a newer guts (schema %d, this one knows up to %d): use that version",
		    path, version, sc->n);
	if (version == sc->n)
		return GUTS_OK;
	if (version > 0 && (err = copy_first(db, path, version, ei)) != 0)
		return err;

	sql = guts_strdup("BEGIN IMMEDIATE;");
	for (int i = version; i < sc->n; i++) {
		char *more = guts_asprintf("%s\n%s", sql, sc->steps[i]);

		free(sql);
		sql = more;
	}
	end = guts_asprintf("%s\nPRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", sql, APPLICATION_ID, sc->n);
	free(sql);
	err = GUTS_OK;
	if (sqlite3_exec(db, end, NULL, NULL, NULL) != SQLITE_OK) {
		err = guts_err_set(ei, guts_sqlite_err(db), "cannot bring %s from schema %d to %d: %s", path, version,
		    sc->n, sqlite3_errmsg(db));
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	}
	free(end);
	return err;
}
