/* git/read_priv.h - what the files of the reader share.  Private. */
#ifndef GUTS_GIT_READ_PRIV_H
#define GUTS_GIT_READ_PRIV_H

#include "git/read.h"

#include <git2.h>

struct guts_read {
	git_repository *repo;
	git_odb *odb;
};

/* Our error for a result of libgit2. */
int guts_read_err(int rc);

/* Copy text into the arena; NULL at its cap. */
const char *guts_read_text(struct guts_arena *a, const char *s, size_t n);

/* Our form of libgit2's id. */
struct guts_oid guts_read_oid(const git_oid *id);

/* The commit that `id` is or, being a tag, points at.  Free with git_commit_free. */
int guts_read_lookup(struct guts_read *r, const struct guts_oid *id, git_commit **out);

#endif
