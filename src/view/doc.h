/* view/doc.h - reading JSON that a node answered with: a tree, and questions to it.
 *
 * Unlike body.h, which holds a stranger's request against a table, this is lenient: what is not
 * there, or of another type, is none, and every question may be asked of it.
 */
#ifndef GUTS_VIEW_DOC_H
#define GUTS_VIEW_DOC_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define GUTS_DOC_MAX (64u << 20) /* [bytes] */
#define GUTS_DOC_DEPTH_MAX 32

struct guts_doc;

/* A value inside a document; valid as long as that.  o NULL = none or null. */
struct guts_jv {
	void *o;
};

/* Errors, with text: GUTS_EPROTO, GUTS_ELIMIT.  Owner: caller, guts_doc_free. */
int guts_doc_parse(struct guts_doc **out, struct guts_slice text, struct guts_errinfo *ei);
void guts_doc_free(struct guts_doc *d); /* NULL is fine */
struct guts_jv guts_doc_root(const struct guts_doc *d);

/* A member by its path, names joined by dots: "counts.peers". */
struct guts_jv guts_jv_get(struct guts_jv v, const char *path);

bool guts_jv_is_object(struct guts_jv v);
bool guts_jv_is_array(struct guts_jv v);

/* Entries of an array; 0 for anything else. */
size_t guts_jv_count(struct guts_jv v);
struct guts_jv guts_jv_at(struct guts_jv v, size_t i);

/* Members of an object, in the order of the text; key NULL after the last.  *pos starts as 0 and is private. */
const char *guts_jv_next(struct guts_jv v, void **pos, struct guts_jv *member);

/* The value, or what is given for "none of that type".  A number may be asked for as text never, and
 * negative numbers as u64 give the fallback. */
const char *guts_jv_str(struct guts_jv v, const char *fallback);
uint64_t guts_jv_u64(struct guts_jv v, uint64_t fallback);
int64_t guts_jv_i64(struct guts_jv v, int64_t fallback);
bool guts_jv_bool(struct guts_jv v, bool fallback);

/* Shorthand for members. */
const char *guts_jv_str_of(struct guts_jv v, const char *path); /* "" if none */
uint64_t guts_jv_u64_of(struct guts_jv v, const char *path);    /* 0 if none */
bool guts_jv_bool_of(struct guts_jv v, const char *path);       /* false if none */

/* Append the value as compact JSON. */
void guts_jv_print(struct guts_jv v, struct guts_buf *out);

#endif
