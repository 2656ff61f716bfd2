/* tests/sim/simuser.h - a user who makes real commits, and packs of them for git and for the model.
 *
 * The ids of the model's objects are those of real ones, so that one script gives a real disk and a model the same
 * refs.
 */
#ifndef GUTS_TESTS_SIMUSER_H
#define GUTS_TESTS_SIMUSER_H

#include "base/buf.h"
#include "base/oid.h"

struct simuser;

/* A user with a repository of his own at `path` (made).  is_real: his packs are git's, else the model's. */
struct simuser *simuser_new(const char *path, bool is_real);
void simuser_free(struct simuser *u);

/* Commit on top of `parent`, a commit of his (NULL: the first one of a branch): one of four files gets another text,
 * as `salt` says.  Appends a pack of the new objects to `pack`; needs the parent's. */
void simuser_commit(struct simuser *u, const struct guts_oid *parent, uint64_t salt, struct guts_oid *out,
    struct guts_buf *pack);

#endif
