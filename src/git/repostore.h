/* git/repostore.h - the real end of repo.h: bare repositories in the node's home.
 *
 *	repos/<2 hex>/<id text>.git     a bare repository that stock git opens
 *	    packed-refs                 all refs, rewritten as one file: many refs change in one instant
 *	    objects/info/commit-graphs  derived from the commits (git/graphwrite.c)
 *	    objects/incoming-<run>-<n>  a quarantine; a leftover of an earlier run is swept at start
 *
 * git's own programs make and check packs under the supervisor (loop/child); libgit2 answers
 * questions about objects.  Children get a clean environment, no system or user configuration
 * and no hooks.  Operations that write one repository run one after another.
 *
 * Only SHA-1 repositories: libgit2 1.5 reads no others, so making one with SHA-256 gives
 * GUTS_EUNSUPPORTED.  Needs git 2.34 or later.
 */
#ifndef GUTS_GIT_REPOSTORE_H
#define GUTS_GIT_REPOSTORE_H

#include "git/repo.h"
#include "loop/child.h"

struct guts_repostore;

struct guts_repostore_setup {
	struct guts_env *env;
	struct guts_children *children;
	const char *repos_path; /* home's repos/; made if it is not there */
	const char *git_path;   /* absolute; NULL = `git` found in $PATH */
};

/* Open; leftovers of an earlier run are swept in a job.  Errors, with text: GUTS_ENOTFOUND (no git), GUTS_EIO. */
int guts_repostore_open(struct guts_repostore **out, const struct guts_repostore_setup *s, struct guts_errinfo *ei);

/* Close; no callback comes any more.  After the environment's workers have stopped.  NULL is fine. */
void guts_repostore_close(struct guts_repostore *s);

/* The table for the node. */
struct guts_repos *guts_repostore_repos(struct guts_repostore *s);

/* A reader of its history (git/history.h) wants a commit-graph: look after it, in the background.  Thread: loop. */
void guts_repostore_index(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE]);

/* Absolute path of a repository, there or not, as fresh memory.  Thread: any. */
char *guts_repostore_path(const struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE]);

#endif
