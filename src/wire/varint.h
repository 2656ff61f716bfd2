/* wire/varint.h - unsigned LEB128 as multiformats restricts it: ≤ 9 bytes, minimal. */
#ifndef GUTS_WIRE_VARINT_H
#define GUTS_WIRE_VARINT_H

#include "base/buf.h"
#include "base/slice.h"

#define GUTS_UVARINT_MAX_SIZE 9

/* Read one at the front of `in`: *n = bytes it takes.  Errors: GUTS_EAGAIN if cut short, GUTS_EPROTO if
 * longer than 9 bytes or not minimal. */
int guts_uvarint_read(struct guts_slice in, uint64_t *value, size_t *n);

/* Write to `out` (≥ GUTS_UVARINT_MAX_SIZE bytes); returns the bytes used.  value < 2^63 is asserted. */
size_t guts_uvarint_write(uint8_t *out, uint64_t value);
size_t guts_uvarint_size(uint64_t value);
int guts_buf_add_uvarint(struct guts_buf *b, uint64_t value);

/* One frame uvarint(length) + bytes at the front of `in`: *frame = view of the bytes, *n = all consumed.
 * Errors: GUTS_EAGAIN not whole yet, GUTS_ELIMIT length over `max` (told before the bytes came), GUTS_EPROTO. */
int guts_frame_read(struct guts_slice in, size_t max, struct guts_slice *frame, size_t *n);

#endif
