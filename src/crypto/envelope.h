/* crypto/envelope.h - libp2p signed envelopes: who says what, in which domain.
 *
 * Source: libp2p specs, RFC/0002-signed-envelopes.md. */
#ifndef GUTS_CRYPTO_ENVELOPE_H
#define GUTS_CRYPTO_ENVELOPE_H

#include "base/buf.h"
#include "crypto/key.h"

struct guts_envelope {
	struct guts_peerid signer;
	struct guts_slice payload_type; /* views into the bytes that were opened */
	struct guts_slice payload;
};

/* Append the envelope of `payload` to `out`.  Errors: GUTS_ELIMIT. */
int guts_envelope_seal(struct guts_buf *out, const struct guts_key *k, const char *domain,
    struct guts_slice payload_type, struct guts_slice payload);

/* Check length (≤ max), form (the one encoding: no other order, no unknown fields) and signature, then give views.  Errors: GUTS_ELIMIT, GUTS_EPROTO, GUTS_EUNSUPPORTED
 * (key type, or not `want_type`), GUTS_ESIG.  `want_type` may be empty: any type. */
int guts_envelope_open(struct guts_envelope *e, struct guts_slice in, size_t max, const char *domain,
    struct guts_slice want_type);

/* Same without the signature check, for bytes that this node verified before it stored them. */
int guts_envelope_peek(struct guts_envelope *e, struct guts_slice in, size_t max);

#endif
