/* view/json.h - writing JSON straight into a buffer.
 *
 * No tree: each call appends.  Commas come by themselves.  Text that is not UTF-8 is
 * repaired with U+FFFD, so the output is always valid; the buffer's cap and its sticky flag
 * bound it, checked once at the end (out->failed).
 */
#ifndef GUTS_VIEW_JSON_H
#define GUTS_VIEW_JSON_H

#include "base/buf.h"

struct guts_json {
	struct guts_buf *out;
	bool comma; /* private: a value was written at this level */
};

/* Begin to write at the end of `out`, which is lent until the last call. */
void guts_json_init(struct guts_json *j, struct guts_buf *out);

/* Begin and end an object or an array. */
void guts_json_object(struct guts_json *j);
void guts_json_object_end(struct guts_json *j);
void guts_json_array(struct guts_json *j);
void guts_json_array_end(struct guts_json *j);

/* Name of the next member; `key` is ours and needs no escapes. */
void guts_json_key(struct guts_json *j, const char *key);

/* The same for a name that a stranger chose. */
void guts_json_name(struct guts_json *j, struct guts_slice name);

/* Values.  str: NULL is written as null. */
void guts_json_text(struct guts_json *j, struct guts_slice s);
void guts_json_str(struct guts_json *j, const char *s);
void guts_json_u64(struct guts_json *j, uint64_t v);
void guts_json_i64(struct guts_json *j, int64_t v);
void guts_json_bool(struct guts_json *j, bool v);
void guts_json_null(struct guts_json *j);

/* A string of several pieces, each escaped; ends at NULL. */
void guts_json_strs(struct guts_json *j, const char *first, ...) __attribute__((sentinel));

/* RFC 3339 time in UTC with milliseconds. */
void guts_json_time(struct guts_json *j, uint64_t wall_ms);

/* Lower-case hex. */
void guts_json_hex(struct guts_json *j, const void *p, size_t n);

/* Standard base64. */
void guts_json_base64(struct guts_json *j, struct guts_slice s);

/* Bytes that are JSON already. */
void guts_json_raw(struct guts_json *j, struct guts_slice s);

/* A member in one call. */
void guts_json_put_str(struct guts_json *j, const char *key, const char *s);
void guts_json_put_text(struct guts_json *j, const char *key, struct guts_slice s);
void guts_json_put_u64(struct guts_json *j, const char *key, uint64_t v);
void guts_json_put_bool(struct guts_json *j, const char *key, bool v);
void guts_json_put_null(struct guts_json *j, const char *key);
void guts_json_put_time(struct guts_json *j, const char *key, uint64_t wall_ms);

/* As put_time; 0 is written as null. */
void guts_json_put_time_or_null(struct guts_json *j, const char *key, uint64_t wall_ms);

#endif
