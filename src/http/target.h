/* http/target.h - the target of a request: path segments and query, decoded one by one.
 *
 * The raw text is split first and decoded afterwards, so that %2F stays inside its segment.
 * Only the origin form is taken.  Refused: raw control bytes, backslash, bytes above 0x7e and '#', %00, bad
 * escapes, empty segments inside, and "." or "..", however they are written.  Other control bytes and the backslash
 * may be in the name of a file in git: encoded, they are taken where such a name can be (`odd`, parameter `path`).
 *
 * Source: RFC 9112 section 3.2, RFC 3986.
 */
#ifndef GUTS_HTTP_TARGET_H
#define GUTS_HTTP_TARGET_H

#include "base/slice.h"

#define GUTS_TARGET_MAX 4096         /* [bytes] */
#define GUTS_TARGET_SEGMENTS_MAX 128
#define GUTS_TARGET_QUERIES_MAX 24

struct guts_target {
	const char *text;            /* decoded in place */
	uint16_t nseg, nquery;
	uint16_t odd;                /* the first segment that holds an encoded control byte or backslash; nseg = none does */
	bool slash;                  /* the path ended with one */
	struct {
		uint16_t off, n;
	} seg[GUTS_TARGET_SEGMENTS_MAX];
	struct {
		uint16_t key, nkey, val, nval;
	} query[GUTS_TARGET_QUERIES_MAX];
};

/* Read text[n] (changed in place, stays the caller's, must outlive *t).  Errors: GUTS_EPROTO; GUTS_ELIMIT (too long, too many parts). */
int guts_target_parse(struct guts_target *t, char *text, size_t n);

/* Segment i of the path, decoded; empty past the last. */
struct guts_slice guts_target_segment(const struct guts_target *t, size_t i);

/* Value of a query parameter (the first of its name); p = NULL if it is not there. */
struct guts_slice guts_target_query(const struct guts_target *t, const char *key);

#endif
