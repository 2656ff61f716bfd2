/* bridge/delivery.h - one delivery in the database: its record, what is sent, and how the last attempt went.
 *
 * In table DELIVERY, each of three rows under its own first byte, so that a list reads no bodies:
 *
 *	0 | be64 hook | be64 number    the record
 *	1 | be64 hook | be64 number    the body that is sent
 *	2 | be64 hook | be64 number    headers and answer of the last attempt
 *
 * and while it waits, in table OUTBOX: be64 number → be64 hook | be64 next [ms] | u8 by hand.
 * Numbers rise through all hooks and are never used twice.
 */
#ifndef GUTS_BRIDGE_DELIVERY_H
#define GUTS_BRIDGE_DELIVERY_H

#include "base/limits.h"
#include "store/store.h"

#define GUTS_DELIVERY_BODY_MAX (224u << 10)  /* [bytes] of what is sent */
#define GUTS_DELIVERY_ANSWER_MAX (16u << 10) /* [bytes] of an answer's body that are kept */
#define GUTS_DELIVERY_HEADERS_MAX (8u << 10) /* [bytes] of headers that are kept, of either side */
#define GUTS_DELIVERY_GUID_SIZE 37           /* [bytes] UUID as text with NUL */

enum guts_delivery_state { GUTS_DELIVERY_PENDING, GUTS_DELIVERY_DONE, GUTS_DELIVERY_DEAD };

struct guts_delivery {
	uint64_t number, hook;
	uint8_t guid[16];               /* the same at each attempt and redelivery */
	char event[32], action[24];     /* action: of `repository`; may be empty */
	bool has_repo;
	uint8_t repo[GUTS_REPOID_SIZE];
	bool is_redelivery;
	bool by_hand;                   /* ping, test, redelivery: sent though the hook is not active; a ping is tried once */
	enum guts_delivery_state state;
	uint64_t created_ms;
	uint32_t attempts;
	uint64_t attempted_ms;          /* the last one; 0 = none yet */
	uint64_t next_ms;               /* while pending */
	uint32_t duration_ms;           /* of the last attempt */
	uint16_t status;                /* HTTP status of its answer, 0 = none came */
	char error[160];                /* why it was no success; empty = it was, or none yet */
};

/* The last attempt; "Name: value\n" lines, secrets already taken out. */
struct guts_exchange {
	struct guts_slice request_headers, response_headers, answer;
};

/* "pending", "delivered", "dead". */
const char *guts_delivery_state_name(enum guts_delivery_state s);
void guts_delivery_guid_text(char out[GUTS_DELIVERY_GUID_SIZE], const uint8_t guid[16]);

/* Into a batch: the record with its row in the outbox (there while pending, gone otherwise), the body, the exchange. */
void guts_delivery_put(struct guts_batch *b, const struct guts_delivery *d);
void guts_delivery_put_body(struct guts_batch *b, const struct guts_delivery *d, struct guts_slice body);
void guts_delivery_put_exchange(struct guts_batch *b, const struct guts_delivery *d, const struct guts_exchange *x);
void guts_delivery_remove(struct guts_batch *b, uint64_t hook, uint64_t number);
/* All of a hook; rows of the outbox are the caller's to remove. */
void guts_delivery_remove_all(struct guts_batch *b, uint64_t hook);

/* Read.  Errors: GUTS_ENOTFOUND, GUTS_EIO, GUTS_EPROTO.  Thread: any. */
int guts_delivery_get(struct guts_store *s, uint64_t hook, uint64_t number, struct guts_delivery *d);
int guts_delivery_body(struct guts_store *s, uint64_t hook, uint64_t number, struct guts_buf *out);
/* Appends to `mem`, which lends to *x.  GUTS_ENOTFOUND: not tried yet. */
int guts_delivery_exchange(struct guts_store *s, uint64_t hook, uint64_t number, struct guts_buf *mem,
    struct guts_exchange *x);
/* Records of a hook, oldest first, until `row` returns false. */
int guts_delivery_each(struct guts_store *s, uint64_t hook, bool (*row)(void *owner, const struct guts_delivery *d),
    void *owner);
/* All that wait, in order of number. */
int guts_outbox_each(struct guts_store *s,
    void (*row)(void *owner, uint64_t number, uint64_t hook, uint64_t next_ms, bool by_hand), void *owner);

#endif
