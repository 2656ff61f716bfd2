/* base/text.h - checks and conversions of text that strangers wrote. */
#ifndef GUTS_BASE_TEXT_H
#define GUTS_BASE_TEXT_H

#include "base/slice.h"

/* Valid UTF-8 without overlong forms and surrogates. */
bool guts_text_is_utf8(struct guts_slice s);

/* UTF-8 without control characters (C0, DEL, C1), fit for one line of a table or log.
 * `allow_lf`: newlines and tabs are fine too. */
bool guts_text_is_clean(struct guts_slice s, bool allow_lf);

/* Write 2*n lower-case hex digits and a NUL to `out` (2*n+1 bytes). */
void guts_hex_encode(char *out, const void *p, size_t n);

/* Value of a hex digit of either case; -1: it is none. */
int guts_hex_value(uint8_t c);

/* Read exactly 2*n hex digits from s into out.  Errors: GUTS_EINVAL. */
int guts_hex_decode(uint8_t *out, size_t n, struct guts_slice s);

/* Standard base64 with padding; *out is 4*((n+2)/3)+1 bytes. */
void guts_base64_encode(char *out, const void *p, size_t n);

/* Standard base64, padding optional, no spaces.  *n_out ≤ n_max.  Errors: GUTS_EINVAL. */
int guts_base64_decode(uint8_t *out, size_t n_max, struct guts_slice s, size_t *n_out);

/* A decimal number without sign, spaces or leading zeros, at most `max`.  Errors: GUTS_EINVAL, GUTS_ELIMIT. */
int guts_text_u64(struct guts_slice s, uint64_t max, uint64_t *out);

/* RFC 3339 time in UTC with milliseconds; `out` has ≥ 25 bytes.  `wall_ns` = nanoseconds since 1970. */
void guts_text_time(char out[25], uint64_t wall_ns);

/* RFC 3339 time or date ("2026-01-31", then at its start in UTC) as seconds since 1970; a fraction is dropped.  A space serves as the `+` of an
 * offset, as in a query that was not encoded.  Errors: GUTS_EINVAL. */
int guts_text_parse_time(struct guts_slice s, int64_t *time_s);

/* Compare two byte strings in constant time. */
bool guts_mem_eq_ct(const void *a, const void *b, size_t n);

#endif
