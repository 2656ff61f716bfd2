/* crypto/hkdf.h - HKDF with HMAC-SHA-256.  Source: RFC 5869. */
#ifndef GUTS_CRYPTO_HKDF_H
#define GUTS_CRYPTO_HKDF_H

#include "base/slice.h"

#define GUTS_HKDF_OUT_MAX (255 * 32) /* [bytes] */

/* Derive `n` bytes; n ≤ GUTS_HKDF_OUT_MAX is asserted. */
void guts_hkdf_sha256(uint8_t *out, size_t n, struct guts_slice salt, struct guts_slice key,
    struct guts_slice info);

#endif
