/* http/idempotency.h - a POST that is sent twice with one Idempotency-Key is done once.
 *
 * A key belongs to the token or session that sent it.  While its request runs, a second one answers 409; afterwards it gets the
 * same answer again, with Idempotency-Replayed: true, or 422 if method, target or body differ.  Answers of 2xx
 * are kept; after any other the key is free again.  A client that leaves does not stop its request, so that the next
 * try finds what became of it.  Keys and answers are in the store too, before the effect and before the answer is sent: after a kill an answer that
 * was sent comes again, and a request that was under way is not done again but refused (409), as is one whose answer the store does
 * not keep: a token's secret, more than 128 KiB.
 *
 * Source: draft-ietf-httpapi-idempotency-key-header.
 */
#ifndef GUTS_HTTP_IDEMPOTENCY_H
#define GUTS_HTTP_IDEMPOTENCY_H

#include "http/internal.h"

#define GUTS_IDEMPOTENCY_MAX 1000            /* keys; the oldest goes */
#define GUTS_IDEMPOTENCY_BYTES (4u << 20)    /* [bytes] of their answers */
#define GUTS_IDEMPOTENCY_S (24 * 3600)       /* [s] a key is kept */
#define GUTS_IDEMPOTENCY_KEY_MAX 255         /* [bytes] */

/* With what the store has.  Thread: any. */
struct guts_idempotency *guts_idempotency_new(struct guts_store *store);
void guts_idempotency_free(struct guts_idempotency *t);

/* Before the handler; false: do not call it: an answer was queued, or it is called when the key is stored. */
bool guts_idempotency_begin(struct guts_req *r);

/* An answer is about to be queued; `extra` as in guts_reply.  Does nothing without a key. */
void guts_idempotency_keep(struct guts_req *r, int status, struct guts_slice body, const char *const *extra);

/* An answer that was kept is to be sent: true if it is held, and `resp` adopted, until it is stored. */
bool guts_idempotency_hold(struct guts_req *r, int status, struct MHD_Response *resp);

/* The request has ended: a key without an answer is free again. */
void guts_idempotency_end(struct guts_req *r);

#endif
