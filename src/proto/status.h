/* proto/status.h - what a signer says of one commit: a signed commit status.
 *
 * For one (repository, commit, context, signer) the newest status is the one with the
 * highest (sequence, then smaller hash).  `struct guts_status` is a plain value.
 *
 * Source: DESIGN 6.2, 10 as doc/protocol.md states it; api/guts.proto, message Status.
 */
#ifndef GUTS_PROTO_STATUS_H
#define GUTS_PROTO_STATUS_H

#include "base/oid.h"
#include "proto/identity.h"

#define GUTS_STATUS_URL_MAX 1024        /* [bytes] */
#define GUTS_STATUS_DESCRIPTION_MAX 255 /* [bytes] */
#define GUTS_STATUS_RUN_MAX 128         /* [bytes] */

enum guts_status_state {
	GUTS_STATUS_PENDING = 1,
	GUTS_STATUS_SUCCESS = 2,
	GUTS_STATUS_FAILURE = 3,
	GUTS_STATUS_ERROR = 4,
};

struct guts_status {
	uint8_t hash[GUTS_HASH_SIZE];         /* of this record; ignored by make */
	struct guts_peerid signer;            /* set by make */
	uint8_t repository[GUTS_REPOID_SIZE];
	struct guts_oid commit;               /* not none */
	enum guts_status_state state;
	char context[GUTS_CONTEXT_MAX + 1];   /* not empty, one clean line */
	char target_url[GUTS_STATUS_URL_MAX + 1]; /* empty, or http(s)://… */
	char description[GUTS_STATUS_DESCRIPTION_MAX + 1];
	char run_id[GUTS_STATUS_RUN_MAX + 1];
	uint64_t sequence;                    /* ≥ 1, < 2^63 */
	uint64_t time_ms;
};

/* Sign *s: appends the envelope, sets signer and hash.  Errors: GUTS_EINVAL, GUTS_ELIMIT. */
int guts_status_make(struct guts_buf *out, const struct guts_key *k, struct guts_status *s);

/* Open and check.  Errors: as guts_record_open, GUTS_EPROTO, GUTS_EFUTURE. */
int guts_status_open(struct guts_status *s, struct guts_slice envelope, uint64_t now_wall_ms);

/* The same without signature and time, for bytes that this node opened before it stored them. */
int guts_status_peek(struct guts_status *s, struct guts_slice envelope);

/* "pending", "success", "failure", "error"; "" for anything else. */
const char *guts_status_state_name(enum guts_status_state state);

/* Errors: GUTS_EINVAL. */
int guts_status_state_parse(enum guts_status_state *state, struct guts_slice name);

/* Which is newer: <0 = a, >0 = b, 0 = the same record. */
int guts_status_cmp(const struct guts_status *a, const struct guts_status *b);

#endif
