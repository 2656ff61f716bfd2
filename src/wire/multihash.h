/* wire/multihash.h - the bytes and the text of a peer id, as far as no key is needed.
 *
 * Source: libp2p specs, peer-ids/peer-ids.md; multiformats/multihash. */
#ifndef GUTS_WIRE_MULTIHASH_H
#define GUTS_WIRE_MULTIHASH_H

#include "base/limits.h"
#include "base/slice.h"

/* `bin` is a peer id: SHA-256 multihash, or identity multihash of a PublicKey message. */
bool guts_multihash_is_peerid(struct guts_slice bin);

/* Peer id from text: base58btc, or CIDv1 in base32 with codec libp2p-key.  Errors: GUTS_EINVAL. */
int guts_multihash_parse_peerid(uint8_t out[GUTS_PEERID_MAX], size_t *n, struct guts_slice text);

/* `bin` is one whole multihash of any function.  Digest ≤ 128 bytes. */
bool guts_multihash_is_valid(struct guts_slice bin);

#endif
