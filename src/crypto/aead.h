/* crypto/aead.h - ChaCha20-Poly1305 (RFC 8439) for many records under one key.
 *
 * The one seam for bulk encryption: libcrypto, where configured, does large records (2 to 3
 * times faster), libsodium small ones (2 times faster) and everything else.  Both give the
 * same bytes. */
#ifndef GUTS_CRYPTO_AEAD_H
#define GUTS_CRYPTO_AEAD_H

#include "base/slice.h"

#define GUTS_AEAD_KEY_SIZE 32
#define GUTS_AEAD_NONCE_SIZE 12
#define GUTS_AEAD_TAG_SIZE 16

enum guts_aead_backend {
	GUTS_AEAD_BEST,      /* by the size of each record */
	GUTS_AEAD_SODIUM,
	GUTS_AEAD_LIBCRYPTO, /* only where configured */
};

/* One key and one direction. */
struct guts_aead;

/* `seals`: for sealing, else for opening.  `backend` other than BEST is for tests and benches; NULL if it is
 * not configured, never for BEST.  Owner: caller, guts_aead_free. */
struct guts_aead *guts_aead_new(enum guts_aead_backend backend, const uint8_t key[GUTS_AEAD_KEY_SIZE],
    bool seals);

/* Wipes the key; NULL is fine. */
void guts_aead_free(struct guts_aead *a);

/* Encrypt the pieces, one after the other, to `out`, which gets their sizes' sum and the tag.  `out` may not
 * overlap them.  A nonce may never be used twice with one key. */
void guts_aead_seal(struct guts_aead *a, const uint8_t nonce[GUTS_AEAD_NONCE_SIZE], struct guts_slice ad,
    const struct guts_slice *pieces, size_t count, uint8_t *out);

/* Decrypt `n` bytes, the tag among them, in place: the first n - GUTS_AEAD_TAG_SIZE bytes become plaintext.
 * Errors: GUTS_ESIG (also if n is too small); the bytes are of no use then. */
int guts_aead_open(struct guts_aead *a, const uint8_t nonce[GUTS_AEAD_NONCE_SIZE], struct guts_slice ad,
    uint8_t *data, size_t n);

#endif
