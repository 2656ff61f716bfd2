/* proto/usermsg.h - a signed message of a user on a gossip topic of its own choice.
 *
 * Source: DESIGN 3, 6.2 as doc/protocol.md states it; api/guts.proto, message UserMessage.
 */
#ifndef GUTS_PROTO_USERMSG_H
#define GUTS_PROTO_USERMSG_H

#include "proto/libp2p.h"
#include "proto/record.h"

#define GUTS_USERMSG_DATA_MAX (30u << 10) /* [bytes] */
#define GUTS_CONTENT_TYPE_MAX 100         /* [bytes] */

struct guts_usermsg {
	uint8_t hash[GUTS_HASH_SIZE];   /* of this record; ignored by make */
	struct guts_peerid author;      /* = signer; set by make */
	struct guts_slice topic;        /* it is valid on this topic only; not empty, clean text */
	uint64_t sequence;              /* ≥ 1, < 2^63 */
	uint64_t time_ms;
	struct guts_slice content_type; /* e.g. "text/plain"; may be empty */
	struct guts_slice data;
};

/* Sign *m: appends the envelope, sets author and hash.  Errors: GUTS_EINVAL, GUTS_ELIMIT. */
int guts_usermsg_make(struct guts_buf *out, const struct guts_key *k, struct guts_usermsg *m);

/* Open and check; topic, content_type and data are views into `envelope`.  `topic` is where it was
 * seen: another one is GUTS_EPROTO; empty = any.  Errors: as guts_record_open, GUTS_EPROTO, GUTS_EFUTURE. */
int guts_usermsg_open(struct guts_usermsg *m, struct guts_slice envelope, struct guts_slice topic,
		      uint64_t now_wall_ms);

#endif
