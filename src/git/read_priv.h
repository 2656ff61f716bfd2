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

/* One entry of a tree, its name in the arena.  GUTS_ELIMIT. */
int guts_read_fill_entry(struct guts_read *r, struct guts_read_entry *out, const git_tree_entry *e, struct guts_arena *a);

/* A person in the arena; NULL = nobody.  GUTS_ELIMIT. */
int guts_read_fill_person(struct guts_read_person *p, const git_signature *s, struct guts_arena *a);

/* The commit that `id` is or, being a tag, points at.  Free with git_commit_free. */
int guts_read_lookup(struct guts_read *r, const struct guts_oid *id, git_commit **out);

#endif
