/* git/infofile.h - small derived files beside the commit-graph, objects/info/<name>.  Private to the folder.
 *
 *	<name> " 1\n"  <hex id of the commit that it is about> "\n"  <rows>  <SHA-1 of all before>
 *
 * They are written when refs move and spare work later; one that is missing, old or damaged costs time only.
 */
#ifndef GUTS_GIT_INFOFILE_H
#define GUTS_GIT_INFOFILE_H

#include "git/history.h"

#define GUTS_INFOFILE_MAX (4u << 20) /* [bytes] of a file */

/* Read a file into `out`, which the caller makes with a cap of GUTS_INFOFILE_MAX and frees.  False: there is none.  Thread: any but the loop. */
bool guts_infofile_read(const char *repo_path, const char *name, struct guts_buf *out);

/* Look into a file's bytes: the commit that it is about, and the rows behind, lent.  False: its checksum or its head is wrong. */
bool guts_infofile_open(struct guts_slice bytes, const char *name, struct guts_oid *tip, struct guts_slice *rows);

/* Add to `rows` what there is to say about `tip`; `old`: bytes of the file so far, not looked at yet, or empty; `a` is for both.
 * False: it cannot be said. */
typedef bool guts_infofile_make(struct guts_history *h, const struct guts_oid *tip, struct guts_slice old, struct guts_arena *a, struct guts_buf *rows);

/* Write a file anew by `make` if the commit-graph is there and the branch that HEAD names is not where the file says.  Errors are not told: the
 * old one stays.  Thread: worker; one at a time per repository. */
void guts_infofile_update(const char *repo_path, const char *name, guts_infofile_make *make);

/* Parts of rows: cut from the front of *s; false: it begins with something else. */
bool guts_infofile_take(struct guts_slice *s, const char *text);
bool guts_infofile_take_oid(struct guts_slice *s, struct guts_oid *o);   /* 40 hex digits */
bool guts_infofile_take_string(struct guts_slice *s, const char **out);  /* up to a NUL; lent */

#endif
