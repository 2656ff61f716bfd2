/* git/infofile.h - small derived files beside the commit-graph, objects/info/<name>: text of ours with its SHA-1 behind.  Private to the folder.
 *
 * They are written when refs move and spare work later; one that is missing, old or damaged costs time only.
 */
#ifndef GUTS_GIT_INFOFILE_H
#define GUTS_GIT_INFOFILE_H

#include "base/buf.h"
#include "base/oid.h"

/* Read a file of at most `max` bytes into `out`, which the caller makes and frees.  False: there is none.  Thread: any but the loop. */
bool guts_infofile_read(const char *repo_path, const char *name, size_t max, struct guts_buf *out);

/* The text in a file's bytes; false: its checksum is wrong. */
bool guts_infofile_text(struct guts_slice bytes, struct guts_slice *text);

/* Write it anew with its checksum (added to `text`).  Errors are not told: the old one stays.  Thread: worker; one at a time per repository. */
void guts_infofile_write(const char *repo_path, const char *name, struct guts_buf *text);

/* Where the branch that HEAD names is, if there is a commit-graph; false: nothing is to be written. */
bool guts_infofile_tip(const char *repo_path, struct guts_oid *tip);

/* Parts of a text: cut from the front of *s; false: it begins with something else. */
bool guts_infofile_take(struct guts_slice *s, const char *text);
bool guts_infofile_take_oid(struct guts_slice *s, struct guts_oid *o);   /* 40 hex digits */
bool guts_infofile_take_string(struct guts_slice *s, const char **out);  /* up to a NUL; lent */

#endif
