/* wire/pb.c - one reader and one writer for all message tables.
 *
 * Reading walks the bytes once per message.  The first element of a repeated field counts
 * all of its kind ahead, so its list is compared with its cap and allocated once, exactly.
 * Writing measures first and then fills one reserved piece of the buffer: an encoding is
 * appended as a whole or not at all.  Recursion is bounded by DEPTH_MAX on both ways.
 *
 * Unlike multiformats' uvarint, protobuf's varint has up to ten bytes and need not be
 * minimal; readers must take what other writers produce.
 */
#include "wire/pb.h"

#include "base/err.h"
#include "base/text.h"
#include "wire/varint.h"

#include <assert.h>
#include <string.h>

#define DEPTH_MAX 8
#define VARINT_MAX 10
#define NUMBER_MAX ((UINT64_C(1) << 29) - 1)

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_LENGTH = 2,
	WIRE_FIXED32 = 5,
};

/* Any repeated member; the element type is the table's business, so it is read and
 * written by memcpy. */
struct list {
	void *v;
	size_t n;
};

/* What stands behind a tag. */
struct value {
	uint32_t number;
	enum wire_type type;
	uint64_t num;           /* WIRE_VARINT, WIRE_FIXED64 */
	struct guts_slice data; /* WIRE_LENGTH */
};

static int decode(const struct guts_pb_desc *d, struct guts_slice in, uint8_t *msg,
    struct guts_arena *arena, int depth);

/* --- reading ------------------------------------------------------------- */

static int
read_varint(struct guts_slice *in, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < in->n && i < VARINT_MAX; i++) {
		uint8_t b = in->p[i];

		if (i == VARINT_MAX - 1 && b > 1)
			return GUTS_EPROTO;
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (!(b & 0x80)) {
			*out = v;
			*in = guts_slice(in->p + i + 1, in->n - i - 1);
			return GUTS_OK;
		}
	}
	return GUTS_EPROTO;
}

static int
read_bytes(struct guts_slice *in, uint64_t n, struct guts_slice *out)
{
	if (n > in->n)
		return GUTS_EPROTO;
	*out = guts_slice(in->p, (size_t)n);
	*in = guts_slice(in->p + n, in->n - (size_t)n);
	return GUTS_OK;
}

static uint64_t
load_le64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* The next tag and what it announces. */
static int
read_value(struct guts_slice *in, struct value *v)
{
	struct guts_slice fixed;
	uint64_t tag, n;

	if (read_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
		return GUTS_EPROTO;
	v->number = (uint32_t)(tag >> 3);
	v->type = (enum wire_type)(tag & 7);
	switch (v->type) {
	case WIRE_VARINT: return read_varint(in, &v->num);
	case WIRE_LENGTH: return read_varint(in, &n) ? GUTS_EPROTO : read_bytes(in, n, &v->data);
	case WIRE_FIXED32: return read_bytes(in, 4, &fixed);
	case WIRE_FIXED64:
		if (read_bytes(in, 8, &fixed))
			return GUTS_EPROTO;
		v->num = load_le64(fixed.p);
		return GUTS_OK;
	}
	return GUTS_EPROTO; /* groups, and types that do not exist */
}

static bool
is_number(enum guts_pb_kind kind)
{
	return kind == GUTS_PB_U64 || kind == GUTS_PB_U32 || kind == GUTS_PB_BOOL || kind == GUTS_PB_FIXED64;
}

static enum wire_type
wire_type_of(enum guts_pb_kind kind)
{
	if (kind == GUTS_PB_FIXED64)
		return WIRE_FIXED64;
	return is_number(kind) ? WIRE_VARINT : WIRE_LENGTH;
}

static int
check_number(const struct guts_pb_field *f, uint64_t v)
{
	if (f->kind == GUTS_PB_U32 && v > UINT32_MAX)
		return GUTS_EPROTO;
	return f->max && v > f->max ? GUTS_ELIMIT : GUTS_OK;
}

/* Put one value into the member or list element at `to`. */
static int
store(const struct guts_pb_field *f, const struct value *v, uint8_t *to, struct guts_arena *arena, int depth)
{
	uint32_t u32 = (uint32_t)v->num;
	bool yes = v->num != 0;
	int err;

	if (is_number(f->kind)) {
		err = check_number(f, v->num);
		if (err)
			return err;
	} else if (v->data.n > f->max) {
		return GUTS_ELIMIT;
	}
	switch (f->kind) {
	case GUTS_PB_U64:
	case GUTS_PB_FIXED64: memcpy(to, &v->num, sizeof(v->num)); break;
	case GUTS_PB_U32: memcpy(to, &u32, sizeof(u32)); break;
	case GUTS_PB_BOOL: memcpy(to, &yes, sizeof(yes)); break;
	case GUTS_PB_STRING:
		if (!guts_text_is_utf8(v->data))
			return GUTS_EPROTO;
		memcpy(to, &v->data, sizeof(v->data));
		break;
	case GUTS_PB_BYTES: memcpy(to, &v->data, sizeof(v->data)); break;
	case GUTS_PB_MSG: return decode(f->msg, v->data, to, arena, depth + 1);
	}
	return GUTS_OK;
}

/* Elements that one occurrence of a repeated field holds; packed numbers hold several. */
static int
count_elements(const struct guts_pb_field *f, const struct value *v, size_t *n)
{
	size_t ends = 0;

	if (!is_number(f->kind) || v->type != WIRE_LENGTH) {
		*n += 1;
		return v->type == wire_type_of(f->kind) ? GUTS_OK : GUTS_EPROTO;
	}
	for (size_t i = 0; i < v->data.n; i++)
		ends += !(v->data.p[i] & 0x80);
	*n += ends;
	return GUTS_OK;
}

static size_t
element_size(const struct guts_pb_field *f)
{
	if (f->kind == GUTS_PB_MSG)
		return f->msg->size;
	return is_number(f->kind) ? sizeof(uint64_t) : sizeof(struct guts_slice);
}

/* Count this and all later occurrences and make the list. */
static int
list_alloc(const struct guts_pb_field *f, const struct value *first, struct guts_slice rest,
    struct list *list, struct guts_arena *arena)
{
	struct value v = *first;
	size_t n = 0;
	int err = count_elements(f, &v, &n);

	while (!err && rest.n > 0 && n <= f->count_max) {
		err = read_value(&rest, &v);
		if (!err && v.number == f->number)
			err = count_elements(f, &v, &n);
	}
	if (err)
		return err;
	if (n > f->count_max)
		return GUTS_ELIMIT;
	list->v = guts_arena_alloc(arena, n * element_size(f));
	return list->v ? GUTS_OK : GUTS_ELIMIT;
}

static int
store_packed(const struct guts_pb_field *f, struct guts_slice data, struct list *list)
{
	while (data.n > 0) {
		uint64_t num;
		int err = read_varint(&data, &num);

		if (!err)
			err = check_number(f, num);
		if (err)
			return err;
		memcpy((uint8_t *)list->v + list->n++ * sizeof(num), &num, sizeof(num));
	}
	return GUTS_OK;
}

static int
store_repeated(const struct guts_pb_field *f, const struct value *v, struct guts_slice rest, uint8_t *member,
    struct guts_arena *arena, int depth)
{
	struct list list;
	int err;

	memcpy(&list, member, sizeof(list));
	if (list.v == NULL) {
		err = list_alloc(f, v, rest, &list, arena);
		if (err)
			return err;
	}
	if (is_number(f->kind) && v->type == WIRE_VARINT) {
		err = check_number(f, v->num);
		memcpy((uint8_t *)list.v + list.n * sizeof(v->num), &v->num, sizeof(v->num));
		list.n++;
	} else if (is_number(f->kind)) {
		err = store_packed(f, v->data, &list);
	} else {
		err = store(f, v, (uint8_t *)list.v + list.n * element_size(f), arena, depth);
		list.n++;
	}
	memcpy(member, &list, sizeof(list));
	return err;
}

static int
store_single(const struct guts_pb_field *f, const struct value *v, uint8_t *msg, struct guts_arena *arena,
    int depth)
{
	bool has = false;

	if (v->type != wire_type_of(f->kind))
		return GUTS_EPROTO;
	if (f->has_offset != SIZE_MAX) {
		memcpy(&has, msg + f->has_offset, sizeof(has));
		if (has && f->kind == GUTS_PB_MSG)
			return GUTS_EPROTO;
		has = true;
		memcpy(msg + f->has_offset, &has, sizeof(has));
	}
	return store(f, v, msg + f->offset, arena, depth);
}

/* The field with `number`.  Fields mostly come in order, so the search starts at *hint. */
static const struct guts_pb_field *
find(const struct guts_pb_desc *d, uint32_t number, size_t *hint)
{
	for (size_t k = 0; k < d->n; k++) {
		size_t i = *hint + k < d->n ? *hint + k : *hint + k - d->n;

		if (d->fields[i].number == number) {
			*hint = i;
			return &d->fields[i];
		}
	}
	return NULL;
}

static int
decode(const struct guts_pb_desc *d, struct guts_slice in, uint8_t *msg, struct guts_arena *arena, int depth)
{
	struct value v;
	size_t hint = 0;
	int err = depth > DEPTH_MAX ? GUTS_ELIMIT : GUTS_OK;

	memset(msg, 0, d->size);
	while (!err && in.n > 0) {
		const struct guts_pb_field *f;

		err = read_value(&in, &v);
		if (err || (f = find(d, v.number, &hint)) == NULL)
			continue;
		if (f->repeated)
			err = store_repeated(f, &v, in, msg + f->offset, arena, depth);
		else
			err = store_single(f, &v, msg, arena, depth);
	}
	return err;
}

int
guts_pb_decode(const struct guts_pb_desc *d, struct guts_slice in, void *msg, struct guts_arena *arena)
{
	return decode(d, in, msg, arena, 1);
}

/* --- writing ------------------------------------------------------------- */

static size_t
tag_size(const struct guts_pb_field *f)
{
	return guts_uvarint_size((uint64_t)f->number << 3);
}

/* Unlike guts_uvarint_write it takes all of 64 bits. */
static uint8_t *
write_varint(uint8_t *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*out++ = (uint8_t)(v | 0x80);
	*out++ = (uint8_t)v;
	return out;
}

static uint8_t *
write_tag(uint8_t *out, const struct guts_pb_field *f, enum wire_type type)
{
	return write_varint(out, (uint64_t)f->number << 3 | (uint64_t)type);
}

static uint64_t
load_number(const struct guts_pb_field *f, const uint8_t *member)
{
	uint64_t u64;
	uint32_t u32;
	bool yes;

	if (f->kind == GUTS_PB_U32) {
		memcpy(&u32, member, sizeof(u32));
		return u32;
	}
	if (f->kind == GUTS_PB_BOOL) {
		memcpy(&yes, member, sizeof(yes));
		return yes;
	}
	memcpy(&u64, member, sizeof(u64));
	return u64;
}

/* Is a single member to be written? */
static bool
is_present(const struct guts_pb_field *f, const uint8_t *msg)
{
	struct guts_slice s;
	bool has;

	if (f->has_offset != SIZE_MAX) {
		memcpy(&has, msg + f->has_offset, sizeof(has));
		return has;
	}
	if (is_number(f->kind))
		return load_number(f, msg + f->offset) != 0;
	assert(f->kind != GUTS_PB_MSG); /* needs a has_ member */
	memcpy(&s, msg + f->offset, sizeof(s));
	return s.n > 0;
}

static int measure(const struct guts_pb_desc *d, const uint8_t *msg, int depth, size_t *total);

/* Length of a length-delimited value, checked against the field's cap. */
static int
data_size(const struct guts_pb_field *f, const uint8_t *member, int depth, size_t *n)
{
	struct guts_slice s;
	int err = GUTS_OK;

	if (f->kind == GUTS_PB_MSG) {
		*n = 0;
		err = measure(f->msg, member, depth + 1, n);
	} else {
		memcpy(&s, member, sizeof(s));
		*n = s.n;
	}
	return err ? err : *n > f->max ? GUTS_ELIMIT : GUTS_OK;
}

static int
packed_size(const struct guts_pb_field *f, const struct list *list, size_t *n)
{
	for (size_t i = 0; i < list->n; i++) {
		uint64_t num;

		memcpy(&num, (const uint8_t *)list->v + i * sizeof(num), sizeof(num));
		if (check_number(f, num))
			return GUTS_ELIMIT;
		*n += guts_uvarint_size(num);
	}
	return GUTS_OK;
}

static int
measure_repeated(const struct guts_pb_field *f, const uint8_t *member, int depth, size_t *total)
{
	struct list list;
	size_t n = 0;
	int err;

	memcpy(&list, member, sizeof(list));
	if (list.n > f->count_max)
		return GUTS_ELIMIT;
	if (is_number(f->kind)) {
		assert(f->kind == GUTS_PB_U64 || f->kind == GUTS_PB_U32);
		err = packed_size(f, &list, &n);
		if (n > 0)
			*total += tag_size(f) + guts_uvarint_size(n) + n;
		return err;
	}
	for (size_t i = 0; i < list.n; i++) {
		err = data_size(f, (const uint8_t *)list.v + i * element_size(f), depth, &n);
		if (err)
			return err;
		*total += tag_size(f) + guts_uvarint_size(n) + n;
	}
	return GUTS_OK;
}

/* Add the size of the encoding of *msg to *total, checking caps. */
static int
measure(const struct guts_pb_desc *d, const uint8_t *msg, int depth, size_t *total)
{
	assert(depth <= DEPTH_MAX);
	for (size_t i = 0; i < d->n; i++) {
		const struct guts_pb_field *f = &d->fields[i];
		const uint8_t *member = msg + f->offset;
		size_t n = 0;
		int err = GUTS_OK;

		if (f->repeated) {
			err = measure_repeated(f, member, depth, total);
		} else if (is_present(f, msg)) {
			*total += tag_size(f);
			if (f->kind == GUTS_PB_FIXED64) {
				*total += 8;
				err = check_number(f, load_number(f, member));
			} else if (is_number(f->kind)) {
				*total += guts_uvarint_size(load_number(f, member));
				err = check_number(f, load_number(f, member));
			} else {
				err = data_size(f, member, depth, &n);
				*total += guts_uvarint_size(n) + n;
			}
		}
		if (err)
			return err;
	}
	return GUTS_OK;
}

static uint8_t *write_msg(const struct guts_pb_desc *d, const uint8_t *msg, uint8_t *out);

static uint8_t *
write_data(const struct guts_pb_field *f, const uint8_t *member, uint8_t *out)
{
	struct guts_slice s;
	size_t n = 0;

	out = write_tag(out, f, WIRE_LENGTH);
	if (f->kind == GUTS_PB_MSG) {
		measure(f->msg, member, 1, &n);
		return write_msg(f->msg, member, write_varint(out, n));
	}
	memcpy(&s, member, sizeof(s));
	out = write_varint(out, s.n);
	if (s.n)
		memcpy(out, s.p, s.n);
	return out + s.n;
}

static uint8_t *
write_number(const struct guts_pb_field *f, uint64_t num, uint8_t *out)
{
	if (f->kind != GUTS_PB_FIXED64)
		return write_varint(write_tag(out, f, WIRE_VARINT), num);
	out = write_tag(out, f, WIRE_FIXED64);
	for (unsigned i = 0; i < 8; i++)
		*out++ = (uint8_t)(num >> (8 * i));
	return out;
}

static uint8_t *
write_repeated(const struct guts_pb_field *f, const uint8_t *member, uint8_t *out)
{
	struct list list;
	size_t n = 0;

	memcpy(&list, member, sizeof(list));
	if (is_number(f->kind)) {
		if (list.n == 0)
			return out;
		packed_size(f, &list, &n);
		out = write_varint(write_tag(out, f, WIRE_LENGTH), n);
	}
	for (size_t i = 0; i < list.n; i++) {
		const uint8_t *element = (const uint8_t *)list.v + i * element_size(f);
		uint64_t num;

		if (is_number(f->kind)) {
			memcpy(&num, element, sizeof(num));
			out = write_varint(out, num);
		} else {
			out = write_data(f, element, out);
		}
	}
	return out;
}

static uint8_t *
write_msg(const struct guts_pb_desc *d, const uint8_t *msg, uint8_t *out)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct guts_pb_field *f = &d->fields[i];
		const uint8_t *member = msg + f->offset;

		if (f->repeated)
			out = write_repeated(f, member, out);
		else if (!is_present(f, msg))
			continue;
		else if (is_number(f->kind))
			out = write_number(f, load_number(f, member), out);
		else
			out = write_data(f, member, out);
	}
	return out;
}

static int
append(const struct guts_pb_desc *d, const void *msg, struct guts_buf *out, bool framed)
{
	size_t n = 0, head;
	uint8_t *start, *end;
	int err = measure(d, msg, 1, &n);

	if (err)
		return err;
	head = framed ? guts_uvarint_size(n) : 0;
	start = guts_buf_reserve(out, head + n);
	if (start == NULL)
		return GUTS_ELIMIT;
	end = write_msg(d, msg, framed ? write_varint(start, n) : start);
	assert((size_t)(end - start) == head + n);
	guts_buf_commit(out, head + n);
	return GUTS_OK;
}

int
guts_pb_encode(const struct guts_pb_desc *d, const void *msg, struct guts_buf *out)
{
	return append(d, msg, out, false);
}

int
guts_pb_encode_framed(const struct guts_pb_desc *d, const void *msg, struct guts_buf *out)
{
	return append(d, msg, out, true);
}

size_t
guts_pb_size(const struct guts_pb_desc *d, const void *msg)
{
	size_t n = 0;

	measure(d, msg, 1, &n);
	return n;
}
