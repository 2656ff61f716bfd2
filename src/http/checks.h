/* http/checks.h - whether the contexts that a repository requires passed.
 *
 * Read from the store, so any thread may ask.
 */
#ifndef GUTS_HTTP_CHECKS_H
#define GUTS_HTTP_CHECKS_H

#include "http/readjob.h"
#include "node/node.h"
#include "view/view.h"

/* guts_checks_read for a repository of the snapshot. */
int guts_checks_of(struct guts_store *s, const struct guts_repo_info *i, const struct guts_oid *commit, struct guts_checks *out);

/* How the contexts that *i requires stand, for the view; contexts are lent by *i. */
void guts_checks_required(const struct guts_checks *c, const struct guts_repo_info *i, struct guts_view_checks *out);

/* A Branch with its marks, for a job on a worker. */
void guts_checks_put_branch(struct guts_readjob *p, struct guts_json *j, const struct guts_view_repo_ctx *x,
    const struct guts_refs_row *row, const struct guts_read_commit *newest);

/* Changes whenever a mark may have, and not seldom besides. */
uint64_t guts_checks_version(struct guts_store *s);

#endif
