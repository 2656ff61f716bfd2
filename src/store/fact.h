/* store/fact.h - a fact as bytes, the form in which it lies in the database.
 *
 *	u8 form (1) | be64 wall_ns | u8 flags (1 = private) | u8 n, type | u8 n, repo | u8 n, peer |
 *	u8 count of attributes, each: u8 n, name | u8 kind | kind 0: be32 n, text; kind 1: be64 number
 *
 * The id is not in it: it is the key of the row.
 */
#ifndef GUTS_STORE_FACT_H
#define GUTS_STORE_FACT_H

#include "base/arena.h"
#include "store/store.h"

/* Append the encoding of `f` to `out`.  Errors: GUTS_EINVAL (a type, name or id that cannot be written: too long or
 * with other characters than the header says), GUTS_ELIMIT (out->max). */
int guts_fact_encode(struct guts_buf *out, const struct guts_fact *f);

/* [wall ns] of an encoded fact; 0 for what is none. */
uint64_t guts_fact_time(struct guts_slice s);

/* Read it back; names and type are copied to `a` (they need a NUL), all else are views into `s`.  `id` is left 0.
 * Errors: GUTS_EPROTO, GUTS_EUNSUPPORTED (newer form), GUTS_ELIMIT (arena). */
int guts_fact_decode(struct guts_fact *f, struct guts_slice s, struct guts_arena *a);

/* An attribute of a fact; empty or 0 if it has no such text or number. */
struct guts_slice guts_fact_text(const struct guts_fact *f, const char *name);
uint64_t guts_fact_number(const struct guts_fact *f, const char *name);

#endif
