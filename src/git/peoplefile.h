/* git/peoplefile.h - the contributors of the branch that HEAD names, kept beside the commit-graph.
 *
 * The graph knows no authors, so every commit is read to count them; that is done once, when refs move, and a later tip begins from there
 * (git/history.h, `known`).
 *
 *	objects/info/guts-people:  "guts-people 1\n"  <hex tip> "\n"  (<commits> " " <name> NUL <e-mail> NUL)…  <SHA-1 of all before>
 *
 * Derived (git/infofile.h).
 */
#ifndef GUTS_GIT_PEOPLEFILE_H
#define GUTS_GIT_PEOPLEFILE_H

#include "git/history.h"

/* What the file's bytes say, copied to the arena.  Errors: GUTS_EPROTO, GUTS_ELIMIT (arena). */
int guts_peoplefile_parse(struct guts_slice bytes, struct guts_arena *a, struct guts_history_people *out);

/* Read that of a repository; false: there is none that can be used.  Thread: any but the loop. */
bool guts_peoplefile_read(const char *repo_path, struct guts_arena *a, struct guts_history_people *out);

/* Write it anew if the commit-graph is there and HEAD's branch is not where it was.  Thread: worker; one at a time per repository. */
void guts_peoplefile_update(const char *repo_path);

#endif
