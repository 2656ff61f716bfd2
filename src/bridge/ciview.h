/* bridge/ciview.h - queues and jobs as JSON, in the shapes of api/openapi.yaml. */
#ifndef GUTS_BRIDGE_CIVIEW_H
#define GUTS_BRIDGE_CIVIEW_H

#include "bridge/ci.h"
#include "bridge/cijob.h"
#include "crypto/key.h"
#include "node/node.h"
#include "view/json.h"

/* A CiQueue; `repo` NULL: it is not here. */
void guts_ciqueue_view(struct guts_json *j, const struct guts_ciqueue *q, const struct guts_repo_info *repo, size_t waiting);

/* A CiRunner: who waits for a job, and for which. */
void guts_ciask_view(struct guts_json *j, const struct guts_ciask *a);

/* A CiJob; `base`: URL of the gateway.  lease_end_ms not 0: to its holder, with the lease. */
void guts_cijob_view(struct guts_json *j, const char *base, const struct guts_cijob *job, const struct guts_repo_info *repo,
    uint64_t lease_end_ms, uint64_t lease_ms);

/* A CiJob as another node wrote it; repo is not set.  Errors: GUTS_EPROTO, GUTS_ELIMIT. */
int guts_cijob_read(struct guts_cijob *j, struct guts_slice json);

/* The record of a job that has ended: appends the envelope of its JSON, signed by the node that ran it.  Errors: GUTS_ELIMIT. */
int guts_cijob_seal(struct guts_buf *out, const struct guts_key *key, struct guts_slice json);

/* Check and read one, with its repository.  Errors: those of guts_envelope_open, GUTS_EPROTO (also: it has not ended). */
int guts_cijob_open(struct guts_cijob *j, struct guts_peerid *signer, struct guts_slice record);
/* The same without the signature, for bytes that this node opened before it stored them. */
int guts_cijob_peek(struct guts_cijob *j, struct guts_slice record);

#endif
