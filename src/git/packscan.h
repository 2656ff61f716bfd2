/* git/packscan.h - a first look at a stranger's pack while it streams in: counts, declared and real sizes.
 *
 * Walks the pack's entries by inflating each one into nothing, so that a lie about a size, a bomb, a
 * wrong count, an unknown type or bytes behind the end is known before git spends memory on it.
 * It resolves no delta and computes no hash: that is git index-pack's part.
 *
 * Source: gitformat-pack(5).  Does no I/O.
 */
#ifndef GUTS_GIT_PACKSCAN_H
#define GUTS_GIT_PACKSCAN_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

struct guts_packscan;

struct guts_packscan_limits {
	uint64_t bytes_max;   /* of the pack */
	uint64_t objects_max; /* entries */
	uint64_t object_max;  /* [bytes] of one object, after its delta is applied */
	unsigned hash_bytes;  /* 20 or 32 */
};

/* Objects together may be this many bytes plus GUTS_PACKSCAN_RATIO times the pack: what hashing them may cost. */
#define GUTS_PACKSCAN_FLOOR (UINT64_C(2) << 30) /* [bytes] */
#define GUTS_PACKSCAN_RATIO 2000u

/* Before the first byte of a pack; the limits are copied. */
struct guts_packscan *guts_packscan_new(const struct guts_packscan_limits *l);
void guts_packscan_free(struct guts_packscan *p);

/* Take bytes as they come.  Errors, with text, for good: GUTS_EPROTO, GUTS_ELIMIT. */
int guts_packscan_feed(struct guts_packscan *p, struct guts_slice bytes, struct guts_errinfo *ei);

/* The stream ended: 0 if the pack did too.  Errors, with text: GUTS_EPROTO. */
int guts_packscan_finish(const struct guts_packscan *p, struct guts_errinfo *ei);

/* Entries that the header promises; valid after the first 12 bytes. */
uint32_t guts_packscan_promised(const struct guts_packscan *p);

/* Entries and bytes seen so far. */
uint64_t guts_packscan_objects(const struct guts_packscan *p);
uint64_t guts_packscan_bytes(const struct guts_packscan *p);

#endif
