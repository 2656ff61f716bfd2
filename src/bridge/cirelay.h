/* bridge/cirelay.h - jobs of other nodes that are fetched because a peer asked for them.
 *
 * Who is linked to this node need not be linked to the one that ran a job.  So a job that has ended is fetched from its signer, if that
 * is connected, and becomes a copy as if somebody here had read it; the peer is told BUSY and comes again.  Only the signer is asked:
 * a question goes one link further and no more.  Loop thread.
 */
#ifndef GUTS_BRIDGE_CIRELAY_H
#define GUTS_BRIDGE_CIRELAY_H

#include "bridge/ci.h"

#define GUTS_CIRELAYS_MAX 8            /* under way at once */
#define GUTS_CIRELAYS_KEPT 64          /* that ended without a result: */
#define GUTS_CIRELAY_PAUSE_MS 2000     /* [ms] they are not tried again for so long */

/* A peer asks for a job (file: empty) or a file of it that are not here.  GUTS_EBUSY: it is on its way, or waits for a place;
 * GUTS_ENOTFOUND: it will not come. */
int guts_cirelay(struct guts_ci *ci, const uint8_t repo[GUTS_REPOID_SIZE], const char *id, const char *file);

/* After all fetches have ended. */
void guts_cirelays_free(struct guts_ci *ci);

#endif
