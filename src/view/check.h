/* view/check.h - is this text one JSON value, strictly?
 *
 * json-c takes NaN, single quotes, raw control characters, surrogates, overlong UTF-8, and
 * silently keeps the last of two equal keys and clamps large numbers; so every body goes through here
 * first.  Source: RFC 8259, and RFC 7493 (I-JSON) for duplicates and surrogates.
 */
#ifndef GUTS_VIEW_CHECK_H
#define GUTS_VIEW_CHECK_H

#include "base/err.h"
#include "base/slice.h"

#define GUTS_JSON_MAX (1u << 20)     /* [bytes] */
#define GUTS_JSON_DEPTH_MAX 32       /* levels of arrays and objects */
#define GUTS_JSON_MEMBERS_MAX 256    /* members of one object */
#define GUTS_JSON_KEY_MAX 128        /* [bytes] of one member's name */

/* Check all of `in`.  Besides the grammar: valid UTF-8, no U+0000 and no lone surrogates (escaped or not), no member twice,
 * integers within ±(2^63 - 1), the limits above.  Errors, with text and position: GUTS_EPROTO, GUTS_ELIMIT. */
int guts_json_check(struct guts_slice in, struct guts_errinfo *ei);

#endif
