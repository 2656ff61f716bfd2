/* proto/record.h - what all signed records have in common.
 *
 * A record is a libp2p signed envelope around a protobuf payload (api/guts.proto).  Each
 * kind has its own signing domain, so that no record can be shown as another kind, and a
 * payload type "guts/<kind>/<major>".  The id of a record is the SHA-256 of its payload
 * bytes as received; envelopes are stored and forwarded verbatim.
 *
 *	kind             domain              payload type           envelope
 *	identity         guts-identity       guts/identity/1        ≤ 4,096 bytes
 *	vote             guts-vote           guts/vote/1            ≤   512
 *	signed refs      guts-signed-refs    guts/signed-refs/1     ≤ 1,024
 *	status           guts-status         guts/status/1          ≤ 4,096
 *	user message     guts-message        guts/message/1         ≤ 32 KiB
 *
 * `open` functions check, in this order: length, form (the one canonical envelope form:
 * no other bytes around the same record are taken), signature, major version, the fields'
 * caps, the record's own rules, and the time against now.  Unknown fields of a known
 * major are left where they are and ignored.
 *
 * Source: DESIGN 6.2 as doc/protocol.md states it; libp2p RFC/0002-signed-envelopes.md.
 */
#ifndef GUTS_PROTO_RECORD_H
#define GUTS_PROTO_RECORD_H

#include "base/buf.h"
#include "base/limits.h"
#include "crypto/envelope.h"
#include "crypto/key.h"
#include "wire/pb.h"

#define GUTS_HASH_SIZE 32       /* [bytes] SHA-256 */
#define GUTS_VOTE_MAX 512       /* [bytes] envelope of a vote */
#define GUTS_USERMSG_MAX GUTS_GOSSIP_DATA_MAX /* [bytes] envelope of a user message */

enum guts_record_kind {
	GUTS_RECORD_IDENTITY,
	GUTS_RECORD_VOTE,
	GUTS_RECORD_SIGNEDREFS,
	GUTS_RECORD_STATUS,
	GUTS_RECORD_USERMSG,
};
#define GUTS_RECORD_KINDS 5

struct guts_record {
	struct guts_peerid signer;
	uint8_t hash[GUTS_HASH_SIZE]; /* SHA-256 of the payload: the record's id */
	struct guts_slice payload;    /* view into the envelope */
};

/* Name of a kind, e.g. "signed-refs". */
const char *guts_record_kind_name(enum guts_record_kind kind);

/* Longest envelope of a kind [bytes]. */
size_t guts_record_max(enum guts_record_kind kind);

/* Table of a kind's payload, for tools that print or compare it. */
const struct guts_pb_desc *guts_record_payload_desc(enum guts_record_kind kind);

/* Append the envelope of `payload`; hash (may be NULL) gets its id.  Errors: GUTS_ELIMIT (the
 * kind's cap, or the buffer's). */
int guts_record_seal(struct guts_buf *out, enum guts_record_kind kind, const struct guts_key *k,
		     struct guts_slice payload, uint8_t hash[GUTS_HASH_SIZE]);

/* Check an envelope's length, canonical form, signature and major version, not its payload.
 * Errors: GUTS_ELIMIT, GUTS_EPROTO, GUTS_ESIG, GUTS_EUNSUPPORTED (another major, or no Ed25519 key). */
int guts_record_open(struct guts_record *r, enum guts_record_kind kind, struct guts_slice envelope);

/* The same without checking the signature, for bytes that this node opened before it stored them. */
int guts_record_peek(struct guts_record *r, enum guts_record_kind kind, struct guts_slice envelope);

/* GUTS_EFUTURE if `time_ms` is more than GUTS_FUTURE_MAX_S ahead of `now_wall_ms`; 0 = do not check. */
int guts_record_check_time(uint64_t time_ms, uint64_t now_wall_ms);

#endif
