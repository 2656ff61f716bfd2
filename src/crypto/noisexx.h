/* crypto/noisexx.h - the handshake Noise_XX_25519_ChaChaPoly_SHA256 by itself, for crypto/noise and tests.
 *
 * Knows nothing of libp2p, frames or streams: messages in, messages out, two keys at the end.
 * Source: The Noise Protocol Framework, revision 34, sections 5 and 7. */
#ifndef GUTS_CRYPTO_NOISEXX_H
#define GUTS_CRYPTO_NOISEXX_H

#include "base/buf.h"
#include "crypto/aead.h"

#define GUTS_X25519_SIZE 32
#define GUTS_NOISEXX_MESSAGES 3
#define GUTS_NOISEXX_MESSAGE_MAX 65535 /* [bytes] */

struct guts_noisexx_pair {
	uint8_t secret[GUTS_X25519_SIZE];
	uint8_t public[GUTS_X25519_SIZE];
};

/* A plain value; wipe it.  Read `step` and `h`, leave the rest alone. */
struct guts_noisexx {
	bool is_initiator;
	unsigned step; /* messages done, 0 … GUTS_NOISEXX_MESSAGES */
	bool has_key;
	uint64_t nonce;
	uint8_t k[GUTS_AEAD_KEY_SIZE];
	uint8_t ck[32];
	uint8_t h[32]; /* hash of all that was said; at the end the channel binding */
	struct guts_noisexx_pair s, e;
	uint8_t rs[GUTS_X25519_SIZE]; /* the peer's static key, after its s */
	uint8_t re[GUTS_X25519_SIZE];
};

/* out = X25519(secret, point).  Errors: GUTS_EPROTO when the result is zero (point of low order). */
int guts_x25519(uint8_t out[GUTS_X25519_SIZE], const uint8_t secret[GUTS_X25519_SIZE],
    const uint8_t point[GUTS_X25519_SIZE]);
void guts_x25519_public(uint8_t out[GUTS_X25519_SIZE], const uint8_t secret[GUTS_X25519_SIZE]);

/* Start; keys are copied. */
void guts_noisexx_init(struct guts_noisexx *x, bool is_initiator, struct guts_slice prologue,
    const struct guts_noisexx_pair *s, const uint8_t ephemeral[GUTS_X25519_SIZE]);
void guts_noisexx_wipe(struct guts_noisexx *x);

/* The next message is ours to write. */
bool guts_noisexx_writes(const struct guts_noisexx *x);

/* Append the next message with `payload` in it.  Errors: GUTS_ELIMIT (`out` full), GUTS_EPROTO (peer's key of
 * low order).  After an error the handshake is of no use. */
int guts_noisexx_write(struct guts_noisexx *x, struct guts_slice payload, struct guts_buf *out);

/* Read the peer's next message and append its payload.  Errors: GUTS_EPROTO, GUTS_ESIG, GUTS_ELIMIT (`payload`
 * full).  After an error the handshake is of no use. */
int guts_noisexx_read(struct guts_noisexx *x, struct guts_slice message, struct guts_buf *payload);

/* After the last message: the keys initiator → responder and back. */
void guts_noisexx_split(const struct guts_noisexx *x, uint8_t to_responder[GUTS_AEAD_KEY_SIZE],
    uint8_t to_initiator[GUTS_AEAD_KEY_SIZE]);

/* One direction after the handshake. */
struct guts_noisexx_cipher {
	struct guts_aead *aead;
	uint64_t nonce;
};

/* `seals`: for guts_noisexx_cipher_seal, else _open.  The end wipes the key. */
void guts_noisexx_cipher_init(struct guts_noisexx_cipher *c, const uint8_t key[GUTS_AEAD_KEY_SIZE], bool seals);
void guts_noisexx_cipher_deinit(struct guts_noisexx_cipher *c);

/* Like guts_aead_seal and _open with the next nonce.  Errors: GUTS_ELIMIT once 2^64 - 1 nonces are used; GUTS_ESIG. */
int guts_noisexx_cipher_seal(struct guts_noisexx_cipher *c, const struct guts_slice *pieces, size_t count,
    uint8_t *out);
int guts_noisexx_cipher_open(struct guts_noisexx_cipher *c, uint8_t *data, size_t n);

#endif
