/* base/oid.h - a git object id: 20 bytes (SHA-1) or 32 (SHA-256); n = 0 means "none" (created, deleted). */
#ifndef GUTS_BASE_OID_H
#define GUTS_BASE_OID_H

#include "base/limits.h"
#include "base/slice.h"

enum guts_object_format { GUTS_SHA1 = 1, GUTS_SHA256 = 2 };

struct guts_oid {
	uint8_t n;               /* [bytes] 0, 20 or 32 */
	uint8_t b[GUTS_OID_MAX]; /* unused bytes are zero */
};

#define GUTS_OID_HEX_SIZE 65 /* [bytes] with NUL */

/* From 20 or 32 raw bytes; all-zero bytes or an empty slice give "none".  Errors: GUTS_EPROTO. */
int guts_oid_from_bytes(struct guts_oid *o, struct guts_slice s);

/* From 40 or 64 hex digits (zeros = none).  Errors: GUTS_EINVAL. */
int guts_oid_from_hex(struct guts_oid *o, struct guts_slice hex);

/* Hex text; "none" is written as 40 zeros. */
void guts_oid_hex(char out[GUTS_OID_HEX_SIZE], const struct guts_oid *o);

/* The same id in the same format? */
static inline bool
guts_oid_eq(const struct guts_oid *a, const struct guts_oid *b)
{
	return a->n == b->n && memcmp(a->b, b->b, sizeof a->b) == 0;
}

/* No object? */
static inline bool
guts_oid_is_none(const struct guts_oid *o)
{
	return o->n == 0;
}

/* Its bytes, lent by `o`. */
static inline struct guts_slice
guts_oid_slice(const struct guts_oid *o)
{
	return guts_slice(o->b, o->n);
}

/* A git reference name that git itself would accept, is clean UTF-8, stays below "refs/" and is not refs/replace/ or
 * refs/namespaces/; whole ≤ GUTS_REFNAME_MAX, component ≤ 255.  Source: git-check-ref-format(1). */
bool guts_refname_is_valid(struct guts_slice name);

#endif
