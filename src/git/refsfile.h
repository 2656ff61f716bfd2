/* git/refsfile.h - git's packed-refs: read, change, write.  Private to the folder.
 *
 *	# pack-refs with: peeled sorted
 *	<hex id> <name>
 *	^<hex id of what a tag points at>        only behind refs/tags/
 *
 * Source: git's refs/packed-backend.c states the format; gitrepository-layout(5).
 */
#ifndef GUTS_GIT_REFSFILE_H
#define GUTS_GIT_REFSFILE_H

#include "git/repo.h"

#define GUTS_REFSFILE_MAX (256u << 20) /* [bytes] about 2.5 million refs */

struct guts_refsfile_row {
	struct guts_slice name;
	struct guts_oid oid, peeled; /* peeled: none = no tag object, or not known */
};

/* Rows sorted by name; names are views into `text`. */
struct guts_refsfile {
	struct guts_buf text;
	struct guts_refsfile_row *v;
	size_t n, cap;
};

/* Read `path`.  A missing file is empty; lines that make no sense are skipped and counted in *bad.
 * Errors: GUTS_EIO, GUTS_ELIMIT. */
int guts_refsfile_read(struct guts_refsfile *f, const char *path, unsigned *bad);
/* The same from memory (adopts nothing). */
int guts_refsfile_parse(struct guts_refsfile *f, struct guts_slice text, unsigned *bad);
void guts_refsfile_deinit(struct guts_refsfile *f);

/* Row of `name`, or NULL. */
const struct guts_refsfile_row *guts_refsfile_find(const struct guts_refsfile *f, struct guts_slice name);

/* Rows of `old` changed by `v` (sorted by name, each name once; none = delete) as a new list in *out (views into both).
 * exact: only those of `v` remain.  Returns how many rows differ; `differs` (may be NULL) is called for each row that is
 * new or has another id, and may set its `peeled`. */
size_t guts_refsfile_merge(struct guts_refsfile *out, const struct guts_refsfile *old, const struct guts_ref_update *v,
    size_t n, bool exact, void (*differs)(void *owner, struct guts_refsfile_row *row), void *owner);

/* Write to `path` by way of "<path>.lock" and rename.  Errors: GUTS_EIO, GUTS_ENOSPC, GUTS_ELIMIT. */
int guts_refsfile_write(const struct guts_refsfile *f, const char *path);

#endif
