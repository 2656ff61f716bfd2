/* base/cursor.h - reading bytes in order with a sticky error.
 *
 * After the first read that does not fit every read yields zeros; the caller checks
 * once at the end with guts_cursor_done (all read) or guts_cursor_ok.
 */
#ifndef GUTS_BASE_CURSOR_H
#define GUTS_BASE_CURSOR_H

#include "base/slice.h"

struct guts_cursor {
	const uint8_t *p, *end;
	bool failed;
};

/* Begin at the start of `s`, which is lent. */
void guts_cursor_init(struct guts_cursor *c, struct guts_slice s);

/* The next number, big-endian; 0 and failed, for good, if its bytes are not there. */
uint8_t guts_cursor_u8(struct guts_cursor *c);
uint16_t guts_cursor_be16(struct guts_cursor *c);
uint32_t guts_cursor_be32(struct guts_cursor *c);
uint64_t guts_cursor_be64(struct guts_cursor *c);

/* The next `n` bytes as a view; empty and failed if they are not there. */
struct guts_slice guts_cursor_bytes(struct guts_cursor *c, size_t n);

/* All that is left. */
struct guts_slice guts_cursor_rest(struct guts_cursor *c);

/* Bytes left. */
size_t guts_cursor_left(const struct guts_cursor *c);

/* No read failed so far. */
bool guts_cursor_ok(const struct guts_cursor *c);

/* No read failed and nothing is left: trailing bytes are an error. */
bool guts_cursor_done(const struct guts_cursor *c);

/* Make every further read fail. */
void guts_cursor_fail(struct guts_cursor *c);

#endif
