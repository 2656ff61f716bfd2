/* wire/multibase.h - base58btc, base32 (lower case, no padding) and CIDs in text form. */
#ifndef GUTS_WIRE_MULTIBASE_H
#define GUTS_WIRE_MULTIBASE_H

#include "base/limits.h"
#include "base/slice.h"

#define GUTS_BASE58_IN_MAX 128 /* [bytes] base58 is quadratic: only short values */

/* Text of `in` (≤ GUTS_BASE58_IN_MAX bytes) with a NUL in out[out_max].  Errors: GUTS_ELIMIT. */
int guts_base58_encode(char *out, size_t out_max, struct guts_slice in);
int guts_base58_decode(uint8_t *out, size_t out_max, struct guts_slice text, size_t *n);
int guts_base32_encode(char *out, size_t out_max, struct guts_slice in);
int guts_base32_decode(uint8_t *out, size_t out_max, struct guts_slice text, size_t *n);

/* Repository id as text: CIDv1, raw codec, SHA-256, base32 with prefix 'b'; 59 characters and a NUL. */
#define GUTS_REPOID_TEXT_SIZE 60
void guts_repoid_text(char out[GUTS_REPOID_TEXT_SIZE], const uint8_t id[GUTS_REPOID_SIZE]);

/* Read that form, with or without "guts://" in front.  Errors: GUTS_EINVAL. */
int guts_repoid_parse(uint8_t id[GUTS_REPOID_SIZE], struct guts_slice text);

#endif
