/* store/home.h - the node's folder: where it is, what is where in it, and who has it.
 *
 *	key             Ed25519 key of the node, 0600
 *	guts.db         SQLite database (with -wal, -shm beside it)
 *	guts.conf       configuration, written by hand and by `guts config set`
 *	admin-token     the first admin token, 0600
 *	run.json        addresses of the running node, for the command line
 *	repos/ab/<id>.git
 *	lock            held (flock) by the running node
 */
#ifndef GUTS_STORE_HOME_H
#define GUTS_STORE_HOME_H

#include "base/err.h"

#include <stddef.h>

/* All paths are absolute and belong to the struct. */
struct guts_home {
	char *dir;
	char *key_path;
	char *db_path;
	char *conf_path;
	char *token_path;
	char *run_path;
	char *repos_path;
	char *lock_path;
	int lock_fd; /* -1 = not held */
};

/* Which folder: `flag` (--home, may be NULL), else $GUTS_HOME, else ~/.guts.  Makes nothing.
 * Errors, with text: GUTS_EINVAL (no home to be found, path too long), GUTS_EIO. */
int guts_home_resolve(struct guts_home *h, const char *flag, struct guts_errinfo *ei);

/* Make the folder (0700, with its parents) and repos/ if they are not there.  One that others may write to, or
 * that belongs to another user, is refused.  Errors, with text: GUTS_EDENIED, GUTS_EIO, GUTS_ENOSPC. */
int guts_home_make(const struct guts_home *h, struct guts_errinfo *ei);

/* Take the lock for this process; kept until guts_home_deinit or the end of the process.
 * Errors, with text: GUTS_EBUSY another node runs on it (its pid is named), GUTS_EIO. */
int guts_home_lock(struct guts_home *h, struct guts_errinfo *ei);

/* Release the lock, free the paths. */
void guts_home_deinit(struct guts_home *h);

/* Write a small file so that it is there whole or not at all: temporary file, fsync, rename, fsync of the folder.
 * `mode` e.g. 0600.  Errors: GUTS_EIO, GUTS_ENOSPC, GUTS_EDENIED. */
int guts_file_write(const char *path, const void *data, size_t n, unsigned mode);

#endif
