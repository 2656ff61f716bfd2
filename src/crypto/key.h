/* crypto/key.h - the node key (Ed25519) and peer ids.
 *
 * Source: libp2p specs, peer-ids/peer-ids.md; RFC 8032. */
#ifndef GUTS_CRYPTO_KEY_H
#define GUTS_CRYPTO_KEY_H

#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

#define GUTS_PUBKEY_SIZE 32
#define GUTS_PUBKEY_PB_SIZE 36 /* the PublicKey protobuf of an Ed25519 key */
#define GUTS_SIG_SIZE 64
#define GUTS_PEERID_TEXT_SIZE 64 /* [bytes] base58 with NUL */

/* Must be called once before anything else of crypto/.  Errors: GUTS_EINTERNAL. */
int guts_crypto_init(void);

/* A peer id as bytes (identity or SHA-256 multihash).  Compare with guts_peerid_eq; unused bytes are zero. */
struct guts_peerid {
	uint8_t n; /* [bytes] 0 = none */
	uint8_t b[GUTS_PEERID_MAX];
};

struct guts_key {
	uint8_t secret[64]; /* seed and public key, as libsodium keeps them */
	uint8_t pub[GUTS_PUBKEY_SIZE];
	struct guts_peerid id;
};

/* Equality and order by bytes: <0, 0, >0. */
bool guts_peerid_eq(const struct guts_peerid *a, const struct guts_peerid *b);
int guts_peerid_cmp(const struct guts_peerid *a, const struct guts_peerid *b);

/* Is `id` one of these? */
bool guts_peerid_is_among(const struct guts_peerid *ids, size_t n, const struct guts_peerid *id);

/* From bytes.  Errors: GUTS_EPROTO if no peer id. */
int guts_peerid_decode(struct guts_peerid *id, struct guts_slice bin);

/* From text: base58btc (12D3KooW…, Qm…) or CIDv1 base32 with codec libp2p-key.  Errors: GUTS_EINVAL. */
int guts_peerid_parse(struct guts_peerid *id, struct guts_slice text);
void guts_peerid_text(char out[GUTS_PEERID_TEXT_SIZE], const struct guts_peerid *id);
struct guts_slice guts_peerid_slice(const struct guts_peerid *id);

/* The Ed25519 public key inside an identity-multihash peer id.  Errors: GUTS_EUNSUPPORTED for other ids. */
int guts_peerid_pubkey(const struct guts_peerid *id, uint8_t pub[GUTS_PUBKEY_SIZE]);
void guts_peerid_from_pubkey(struct guts_peerid *id, const uint8_t pub[GUTS_PUBKEY_SIZE]);

/* PublicKey protobuf, both ways; decoding accepts Ed25519 only (GUTS_EUNSUPPORTED), bad bytes GUTS_EPROTO. */
void guts_pubkey_encode(uint8_t out[GUTS_PUBKEY_PB_SIZE], const uint8_t pub[GUTS_PUBKEY_SIZE]);
int guts_pubkey_decode(uint8_t pub[GUTS_PUBKEY_SIZE], struct guts_slice pb);

/* Key from a 32-byte seed (deterministic). */
void guts_key_from_seed(struct guts_key *k, const uint8_t seed[32]);
void guts_key_wipe(struct guts_key *k);

/* Make a key file (mode 0600, written beside and renamed, fsynced) from `seed`.  Errors: GUTS_EEXIST, GUTS_EIO, GUTS_ENOSPC with text. */
int guts_key_create_file(const char *path, const uint8_t seed[32], struct guts_errinfo *ei);

/* Read a key file: libp2p PrivateKey protobuf.  Errors with a text to act on: GUTS_ENOTFOUND, GUTS_EDENIED
 * (unreadable, or mode open to group or others), GUTS_EPROTO (damaged).  Never replaces a file. */
int guts_key_load_file(struct guts_key *k, const char *path, struct guts_errinfo *ei);

/* Ed25519 over `msg` (RFC 8032): one key and message, one signature. */
void guts_sign(uint8_t sig[GUTS_SIG_SIZE], const struct guts_key *k, struct guts_slice msg);

/* Is `sig` the signature of `msg` by `pub`?  Errors: GUTS_ESIG. */
int guts_verify(const uint8_t sig[GUTS_SIG_SIZE], const uint8_t pub[GUTS_PUBKEY_SIZE], struct guts_slice msg);

#define GUTS_SHA256_SIZE 32

/* SHA-256 of `in`. */
void guts_sha256(uint8_t out[GUTS_SHA256_SIZE], struct guts_slice in);

/* SHA-256 over several pieces; opaque value, init once, finish ends it. */
struct guts_sha256_ctx {
	void *impl;
};
void guts_sha256_begin(struct guts_sha256_ctx *c);
void guts_sha256_add(struct guts_sha256_ctx *c, struct guts_slice in);
/* The same with its length (4 bytes, big endian; in.n < 4 GiB) before it: two lists of pieces never give the same bytes. */
void guts_sha256_add_sized(struct guts_sha256_ctx *c, struct guts_slice in);
void guts_sha256_end(struct guts_sha256_ctx *c, uint8_t out[GUTS_SHA256_SIZE]);

#endif
