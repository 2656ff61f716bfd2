/* git/lastfile.h - the last commits of the top folder's entries, kept beside the commit-graph.
 *
 * The filters of the graph spare most of the work of that question but not all; it is asked whenever somebody looks at a repository, so its answer for
 * the branch that HEAD names is written down when refs move, and a later tip begins from there (git/history.h, `known`).
 *
 *	objects/info/guts-last:  "guts-last 1\n"  <hex tip> "\n"  (<octal mode> " " <hex id> " " <hex commit> " " <name> NUL)…  <SHA-1 of all before>
 *
 * Derived (git/infofile.h).
 */
#ifndef GUTS_GIT_LASTFILE_H
#define GUTS_GIT_LASTFILE_H

#include "git/history.h"

/* What the file's bytes say, copied to the arena.  Errors: GUTS_EPROTO, GUTS_ELIMIT (arena). */
int guts_lastfile_parse(struct guts_slice bytes, struct guts_arena *a, struct guts_history_folder *out);

/* Read that of a repository; false: there is none that can be used.  Thread: any but the loop. */
bool guts_lastfile_read(const char *repo_path, struct guts_arena *a, struct guts_history_folder *out);

/* Write it anew if the commit-graph is there and HEAD's branch is not where it was.  Thread: worker; one at a time per repository. */
void guts_lastfile_update(const char *repo_path);

#endif
