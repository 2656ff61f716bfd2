/* base/buf.h - a growing byte buffer that is born with its maximum.
 *
 * Bytes are appended at the end and consumed at the front.  An append past the
 * maximum fails as a whole and sets a sticky flag, so a run of appends needs one
 * check at the end.
 */
#ifndef GUTS_BASE_BUF_H
#define GUTS_BASE_BUF_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guts_buf {
	uint8_t *mem; /* private */
	size_t off;   /* private: first byte not consumed */
	size_t len;   /* bytes there [bytes], read freely */
	size_t cap;   /* private */
	size_t max;   /* most it may hold [bytes] */
	bool failed;  /* an append did not fit; nothing was appended since */
};

/* Make *b empty with room for at most `max` bytes; allocates nothing yet. */
void guts_buf_init(struct guts_buf *b, size_t max);

/* Free the memory; *b is empty again and may be used again. */
void guts_buf_deinit(struct guts_buf *b);

/* Like deinit, wiping the bytes first (for secrets). */
void guts_buf_wipe(struct guts_buf *b);

/* Append.  Errors: GUTS_ELIMIT (sticky, see `failed`). */
int guts_buf_add(struct guts_buf *b, const void *p, size_t n);
int guts_buf_add_slice(struct guts_buf *b, struct guts_slice s);
int guts_buf_add_str(struct guts_buf *b, const char *s);
int guts_buf_add_u8(struct guts_buf *b, uint8_t v);
int guts_buf_add_be16(struct guts_buf *b, uint16_t v);
int guts_buf_add_be32(struct guts_buf *b, uint32_t v);
int guts_buf_add_be64(struct guts_buf *b, uint64_t v);
int guts_buf_printf(struct guts_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for `n` bytes at the end, to be filled and then counted by guts_buf_commit.
 * NULL if it would pass the maximum (sticky).  Valid until the next call on *b. */
uint8_t *guts_buf_reserve(struct guts_buf *b, size_t n);
void guts_buf_commit(struct guts_buf *b, size_t n);

/* Drop `n` bytes at the front (n ≤ len is asserted). */
void guts_buf_consume(struct guts_buf *b, size_t n);

/* Drop everything, keep the memory, clear `failed`. */
void guts_buf_clear(struct guts_buf *b);

/* Cut to the first `n` bytes (n ≤ len). */
void guts_buf_truncate(struct guts_buf *b, size_t n);

/* View of all bytes; valid until the next change. */
struct guts_slice guts_buf_slice(const struct guts_buf *b);

/* The bytes, to be changed in place; valid until the next change of length. */
uint8_t *guts_buf_bytes(struct guts_buf *b);

/* The bytes as a C string (a NUL is kept behind them); valid until the next change. */
const char *guts_buf_cstr(struct guts_buf *b);

#endif
