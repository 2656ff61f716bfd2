/* http/checks.h - the statuses of a commit that count, and whether the contexts that its repository requires passed.
 *
 * Read from the store, so any thread may ask.
 */
#ifndef GUTS_HTTP_CHECKS_H
#define GUTS_HTTP_CHECKS_H

#include "http/readjob.h"
#include "node/node.h"
#include "proto/status.h"
#include "view/view.h"

/* The newest status of each context whose signer counts: a delegate, one the identity names, or one trusted on this node. */
struct guts_checks {
	size_t n;
	struct guts_status *v;
};

/* Errors: GUTS_EIO.  Owner: caller, guts_checks_deinit in any case. */
int guts_checks_read(struct guts_store *s, const struct guts_repo_info *i, const struct guts_oid *commit,
    struct guts_checks *out);
void guts_checks_deinit(struct guts_checks *c);

/* The status of a context, NULL if there is none. */
const struct guts_status *guts_checks_find(const struct guts_checks *c, const char *context);

/* How the contexts that *i requires stand, for the view; contexts are lent by *i. */
void guts_checks_required(const struct guts_checks *c, const struct guts_repo_info *i, struct guts_view_checks *out);

/* A Branch with its marks, for a job on a worker. */
void guts_checks_put_branch(struct guts_readjob *p, struct guts_json *j, const struct guts_view_repo_ctx *x,
    const struct guts_refs_row *row, const struct guts_read_commit *newest);

/* Changes whenever a mark may have, and not seldom besides. */
uint64_t guts_checks_version(struct guts_store *s);

#endif
