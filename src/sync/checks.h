/* sync/checks.h - the statuses of a commit that count on this node.
 *
 * A status counts if its signer is a delegate, one of the identity's status signers, or trusted on this node.
 *
 * Thread: any.  Source: DESIGN 10 as doc/architecture.md states it.
 */
#ifndef GUTS_SYNC_CHECKS_H
#define GUTS_SYNC_CHECKS_H

#include "proto/identity.h"
#include "proto/status.h"
#include "store/store.h"

/* Whose statuses count, apart from whom this node trusts; all lent. */
struct guts_checks_by {
	const uint8_t *repo; /* GUTS_REPOID_SIZE bytes */
	const struct guts_peerid *delegates, *signers;
	size_t ndelegates, nsigners;
};

bool guts_checks_counts(struct guts_store *s, const struct guts_checks_by *by, const struct guts_peerid *signer);

/* The newest status of each context that counts. */
struct guts_checks {
	size_t n;
	struct guts_status *v;
};

/* Errors: GUTS_EIO.  Owner: caller, guts_checks_deinit in any case. */
int guts_checks_read(struct guts_store *s, const struct guts_checks_by *by, const struct guts_oid *commit, struct guts_checks *out);
void guts_checks_deinit(struct guts_checks *c);

/* The status of a context, NULL if there is none. */
const struct guts_status *guts_checks_find(const struct guts_checks *c, const char *context);

#endif
