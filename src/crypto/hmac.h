/* crypto/hmac.h - message authentication for webhooks, and SHA-1 as a checksum.
 *
 * Source: RFC 2104 (HMAC), RFC 3174 (SHA-1). */
#ifndef GUTS_CRYPTO_HMAC_H
#define GUTS_CRYPTO_HMAC_H

#include "crypto/key.h"

#define GUTS_SHA1_SIZE 20

/* A checksum of files that carry one; no protection against anybody. */
void guts_sha1(uint8_t out[GUTS_SHA1_SIZE], struct guts_slice in);

/* HMAC of `in` under a key of any length. */
void guts_hmac_sha256(uint8_t out[GUTS_SHA256_SIZE], struct guts_slice key, struct guts_slice in);

/* For receivers that know nothing newer; SHA-1 is broken as a hash, HMAC-SHA-1 is not known to be. */
void guts_hmac_sha1(uint8_t out[GUTS_SHA1_SIZE], struct guts_slice key, struct guts_slice in);

#endif
