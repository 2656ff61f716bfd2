/* git/odb.h - an object database by libgit2, for jobs of this folder.  Private. */
#ifndef GUTS_GIT_ODB_H
#define GUTS_GIT_ODB_H

#include "git/repo.h"

struct git_odb;
struct git_oid;

/* Start libgit2, if it has not been: no configuration outside a repository, small caches, no owner check.  Opening an object
 * database does; needed before anything else of libgit2.  Thread: any. */
void guts_git2_init(void);

/* Open the objects in the folder `objects`, with those of its alternates.  Errors: GUTS_EIO. */
int guts_odb_open_folder(struct git_odb **odb, const char *objects);

/* Open the objects of the repository at `repo_path` (or of a quarantine whose parent that is: any folder with
 * objects/ in it).  Errors: GUTS_ENOTFOUND, GUTS_EIO. */
int guts_odb_open(struct git_odb **odb, const char *repo_path);

/* libgit2's form of an id; false if it has another length. */
bool guts_odb_id(struct git_oid *out, const struct guts_oid *o);

/* Type of an object; GUTS_OBJ_NONE if it is not there. */
enum guts_object_type guts_odb_type(struct git_odb *odb, const struct guts_oid *o);

/* What a tag object finally points at; none if `o` is no tag. */
struct guts_oid guts_odb_peel(struct git_odb *odb, const struct guts_oid *o);

/* Answer questions, in place.  Errors: GUTS_EIO. */
int guts_odb_answer(struct git_odb *odb, struct guts_object_query *v, size_t n);

#endif
