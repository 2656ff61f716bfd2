/* wire/pb.h - Protocol Buffers (proto2/3 wire format) driven by tables.
 *
 * A message is a C struct and a table of its fields.  Bytes fields are views into the
 * input; repeated fields live in the caller's arena.  Each field states its cap, and a
 * message over any cap is refused before memory is taken.  Only wire types 0 (varint)
 * and 2 (length) and 1 (fixed64, kind GUTS_PB_FIXED64) occur; unknown fields are skipped.
 *
 *	struct ping { uint64_t nonce; struct guts_slice pad; struct guts_pb_bytes_list tags; };
 *	static const struct guts_pb_field ping_fields[] = {
 *		GUTS_PB_FIELD(struct ping, nonce, 1, GUTS_PB_U64, 0),
 *		GUTS_PB_FIELD(struct ping, pad, 2, GUTS_PB_BYTES, 64),
 *		GUTS_PB_REPEATED(struct ping, tags, 3, GUTS_PB_STRING, 20, 8, NULL),
 *	};
 *	const struct guts_pb_desc guts_ping_desc = GUTS_PB_DESC("Ping", struct ping, ping_fields);
 *
 * Source: protobuf.dev/programming-guides/encoding; api/guts.proto.
 */
#ifndef GUTS_WIRE_PB_H
#define GUTS_WIRE_PB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum guts_pb_kind {
	GUTS_PB_U64,     /* uint64_t member */
	GUTS_PB_U32,     /* uint32_t member; larger values on the wire: GUTS_EPROTO */
	GUTS_PB_BOOL,    /* bool member */
	GUTS_PB_FIXED64, /* uint64_t member */
	GUTS_PB_BYTES,   /* struct guts_slice member */
	GUTS_PB_STRING,  /* struct guts_slice member, must be UTF-8 */
	GUTS_PB_MSG,     /* embedded struct member; repeated: array of them */
};

/* Shapes of repeated members. */
struct guts_pb_bytes_list {
	struct guts_slice *v;
	size_t n;
};
struct guts_pb_u64_list {
	uint64_t *v;
	size_t n;
}; /* packed and unpacked are both read; written packed */
/* A repeated message member is `struct { struct X *v; size_t n; }`. */

struct guts_pb_desc;

struct guts_pb_field {
	const char *name;
	uint32_t number;
	enum guts_pb_kind kind;
	bool repeated;
	size_t offset;                  /* of the member */
	size_t has_offset;              /* of a bool member that tells presence; SIZE_MAX = none */
	uint32_t max;                   /* BYTES, STRING, MSG: longest [bytes]; numbers: largest value, 0 = any */
	uint32_t count_max;             /* repeated: most elements */
	const struct guts_pb_desc *msg; /* MSG: the inner table */
};

struct guts_pb_desc {
	const char *name;
	size_t size; /* of the struct */
	const struct guts_pb_field *fields; /* in field-number order */
	size_t n;
};

#define GUTS_PB_FIELD(type, member, num, k, mx) \
	{ #member, (num), (k), false, offsetof(type, member), SIZE_MAX, (mx), 0, NULL }
/* With presence: `bool has_<member>` beside the member; written iff has, even when zero or empty. */
#define GUTS_PB_OPTIONAL(type, member, num, k, mx, inner) \
	{ #member, (num), (k), false, offsetof(type, member), offsetof(type, has_##member), (mx), 0, (inner) }
#define GUTS_PB_INNER(type, member, num, mx, inner) \
	{ #member, (num), GUTS_PB_MSG, false, offsetof(type, member), offsetof(type, has_##member), (mx), 0, (inner) }
#define GUTS_PB_REPEATED(type, member, num, k, mx, cnt, inner) \
	{ #member, (num), (k), true, offsetof(type, member), SIZE_MAX, (mx), (cnt), (inner) }
#define GUTS_PB_DESC(nm, type, flds) \
	{ (nm), sizeof(type), (flds), sizeof(flds) / sizeof((flds)[0]) }

/* Decode all of `in` into *msg (zeroed first).  Views point into `in`, lists into `arena`.
 * Errors: GUTS_EPROTO malformed, bad UTF-8, wrong wire type of a known field; GUTS_ELIMIT a cap.
 * A scalar that occurs twice: the last wins; an embedded message that occurs twice: GUTS_EPROTO. */
int guts_pb_decode(const struct guts_pb_desc *d, struct guts_slice in, void *msg, struct guts_arena *arena);

/* Append the encoding of *msg in field-number order.  Zero numbers and empty bytes without presence
 * are left out.  Errors: GUTS_ELIMIT (the buffer's maximum or a field's own cap). */
int guts_pb_encode(const struct guts_pb_desc *d, const void *msg, struct guts_buf *out);

/* Bytes guts_pb_encode would append. */
size_t guts_pb_size(const struct guts_pb_desc *d, const void *msg);

/* Append uvarint(length) and the encoding: the frame of most libp2p protocols. */
int guts_pb_encode_framed(const struct guts_pb_desc *d, const void *msg, struct guts_buf *out);

#endif
