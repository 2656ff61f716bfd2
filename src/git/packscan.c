/* git/packscan.c - the state machine over a pack's bytes.
 *
 *	header ──► entry head ──► [base distance | base id] ──► deflated data ──┐
 *	               ▲                                                        │
 *	               └──────────────── more entries ◄────────────────────────┤
 *	                                             hash of all ──► end ◄──────┘
 *
 * Small fields are gathered byte by byte; data goes through zlib in place.  A delta's own first
 * bytes say how large its base is and its result will be, so a chain that doubles at every step
 * is refused at the step that passes the limit, without being built.
 */
#include "git/packscan.h"

#include "base/alloc.h"
#include "base/be.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

#define HEADER_BYTES 12u
#define SCRATCH_BYTES 16384u
#define DELTA_HEAD_BYTES 20u /* two sizes of at most ten bytes */

enum { TYPE_COMMIT = 1, TYPE_TREE, TYPE_BLOB, TYPE_TAG, TYPE_OFS_DELTA = 6, TYPE_REF_DELTA = 7 };

enum state { AT_HEADER, AT_ENTRY, AT_DISTANCE, AT_BASE, AT_DATA, AT_HASH, AT_END };

struct guts_packscan {
	struct guts_packscan_limits limits;
	enum state state;
	int err;
	uint64_t bytes;       /* of the stream */
	uint64_t total;       /* bytes of all objects, as declared */
	uint64_t objects;
	uint32_t promised;

	uint8_t field[HEADER_BYTES];
	size_t have;          /* bytes of the current field */
	unsigned type, shift;
	uint64_t size;        /* declared size of the entry's data */
	uint64_t out;         /* bytes of it that came */
	uint8_t delta[DELTA_HEAD_BYTES];
	z_stream z;
	uint8_t scratch[SCRATCH_BYTES];
};

struct guts_packscan *
guts_packscan_new(const struct guts_packscan_limits *l)
{
	struct guts_packscan *p = guts_alloc(sizeof(*p));

	p->limits = *l;
	if (inflateInit(&p->z) != Z_OK)
		abort();
	return p;
}

void
guts_packscan_free(struct guts_packscan *p)
{
	if (p == NULL)
		return;
	inflateEnd(&p->z);
	free(p);
}

static int
bad(struct guts_packscan *p, struct guts_errinfo *ei, int err, const char *what)
{
	p->err = err;
	return guts_err_set(ei, err, "pack refused: %s (object %" PRIu64 " of %" PRIu32 ")", what, p->objects + 1,
	    p->promised);
}

static void
next_entry(struct guts_packscan *p)
{
	p->state = p->objects < p->promised ? AT_ENTRY : AT_HASH;
	p->have = 0;
}

static int
take_header(struct guts_packscan *p, uint8_t byte, struct guts_errinfo *ei)
{
	const uint8_t *f = p->field;

	p->field[p->have++] = byte;
	if (p->have < HEADER_BYTES)
		return GUTS_OK;
	if (memcmp(f, "PACK", 4) != 0 || f[4] || f[5] || f[6] || (f[7] != 2 && f[7] != 3))
		return p->err = guts_err_set(ei, GUTS_EPROTO, "these bytes are no git pack");
	p->promised = guts_be32(f + 8);
	if (p->promised > p->limits.objects_max)
		return p->err = guts_err_set(ei, GUTS_ELIMIT,
		    "the pack has %" PRIu32 " objects, the limit is %" PRIu64, p->promised, p->limits.objects_max);
	next_entry(p);
	return GUTS_OK;
}

/* Bytes of all objects so far are more than their pack can reasonably hold. */
static int
charge(struct guts_packscan *p, uint64_t object, struct guts_errinfo *ei)
{
	if (object > p->limits.object_max) {
		p->err = GUTS_ELIMIT;
		return guts_err_set(ei, GUTS_ELIMIT,
		    "an object in the pack has %" PRIu64 " bytes, the limit is %" PRIu64, object,
		    p->limits.object_max);
	}
	p->total += object;
	if (p->total > GUTS_PACKSCAN_FLOOR + GUTS_PACKSCAN_RATIO * p->bytes)
		return bad(p, ei, GUTS_ELIMIT, "it unpacks to far more than its size");
	return GUTS_OK;
}

/* Type and size are known: what follows? */
static int
begin_data(struct guts_packscan *p, struct guts_errinfo *ei)
{
	p->have = 0;
	p->out = 0;
	switch (p->type) {
	case TYPE_COMMIT:
	case TYPE_TREE:
	case TYPE_BLOB:
	case TYPE_TAG:
		p->state = AT_DATA;
		return charge(p, p->size, ei);
	case TYPE_OFS_DELTA:
		p->state = AT_DISTANCE;
		break;
	case TYPE_REF_DELTA:
		p->state = AT_BASE;
		break;
	default:
		return bad(p, ei, GUTS_EPROTO, "unknown object type");
	}
	if (p->size > p->limits.object_max)
		return bad(p, ei, GUTS_ELIMIT, "a delta over the limit of an object");
	return GUTS_OK;
}

static int
take_entry(struct guts_packscan *p, uint8_t byte, struct guts_errinfo *ei)
{
	if (p->have++ == 0) {
		p->type = byte >> 4 & 7;
		p->size = byte & 15;
		p->shift = 4;
	} else {
		if (p->shift > 57)
			return bad(p, ei, GUTS_EPROTO, "a size of more than 64 bits");
		p->size |= (uint64_t)(byte & 127) << p->shift;
		p->shift += 7;
	}
	return byte & 128 ? GUTS_OK : begin_data(p, ei);
}

/* One size in a delta's head: little-endian groups of seven bits. */
static bool
delta_size(const uint8_t **at, const uint8_t *end, uint64_t *size)
{
	*size = 0;
	for (unsigned shift = 0; *at < end && shift <= 56; shift += 7) {
		uint8_t byte = *(*at)++;

		*size |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			return true;
	}
	return false;
}

static int
judge_delta(struct guts_packscan *p, struct guts_errinfo *ei)
{
	const uint8_t *at = p->delta, *end = at + (p->out < DELTA_HEAD_BYTES ? p->out : DELTA_HEAD_BYTES);
	uint64_t base, result;

	if (!delta_size(&at, end, &base) || !delta_size(&at, end, &result))
		return bad(p, ei, GUTS_EPROTO, "a delta without sizes");
	if (base > p->limits.object_max)
		return bad(p, ei, GUTS_ELIMIT, "the base of a delta is over the limit of an object");
	return charge(p, result, ei);
}

static void
keep_delta_head(struct guts_packscan *p, size_t n)
{
	if (p->type < TYPE_OFS_DELTA || p->out >= DELTA_HEAD_BYTES)
		return;
	if (n > DELTA_HEAD_BYTES - p->out)
		n = DELTA_HEAD_BYTES - (size_t)p->out;
	memcpy(p->delta + p->out, p->scratch, n);
}

/* Inflate what `in` has of the current entry; *used tells how much of it that was. */
static int
take_data(struct guts_packscan *p, struct guts_slice in, size_t *used, struct guts_errinfo *ei)
{
	int rc = Z_OK;

	p->z.next_in = (z_const Bytef *)in.p;
	p->z.avail_in = (uInt)in.n;
	while (rc == Z_OK) {
		size_t n;

		p->z.next_out = p->scratch;
		p->z.avail_out = SCRATCH_BYTES;
		rc = inflate(&p->z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return bad(p, ei, GUTS_EPROTO, "damaged compressed data");
		n = SCRATCH_BYTES - p->z.avail_out;
		keep_delta_head(p, n);
		p->out += n;
		if (p->out > p->size)
			return bad(p, ei, GUTS_EPROTO, "an object is larger than it says");
		if (rc == Z_OK && p->z.avail_in == 0 && p->z.avail_out > 0)
			break;
	}
	*used = in.n - p->z.avail_in;
	if (rc != Z_STREAM_END)
		return GUTS_OK;
	if (p->out != p->size)
		return bad(p, ei, GUTS_EPROTO, "an object is smaller than it says");
	if (p->type >= TYPE_OFS_DELTA && judge_delta(p, ei))
		return p->err;
	inflateReset(&p->z);
	p->objects++;
	next_entry(p);
	return GUTS_OK;
}

static int
take_byte(struct guts_packscan *p, uint8_t byte, struct guts_errinfo *ei)
{
	switch (p->state) {
	case AT_HEADER:
		return take_header(p, byte, ei);
	case AT_ENTRY:
		return take_entry(p, byte, ei);
	case AT_DISTANCE:
		if (++p->have > 10)
			return bad(p, ei, GUTS_EPROTO, "a base too far away");
		if (!(byte & 128))
			p->state = AT_DATA;
		return GUTS_OK;
	case AT_BASE:
		if (++p->have == p->limits.hash_bytes)
			p->state = AT_DATA;
		return GUTS_OK;
	case AT_HASH:
		if (++p->have == p->limits.hash_bytes)
			p->state = AT_END;
		return GUTS_OK;
	case AT_DATA:
	case AT_END:
		break;
	}
	return bad(p, ei, GUTS_EPROTO, "bytes behind the end of the pack");
}

int
guts_packscan_feed(struct guts_packscan *p, struct guts_slice bytes, struct guts_errinfo *ei)
{
	if (p->err)
		return guts_err_set(ei, p->err, "the pack was refused before");
	p->bytes += bytes.n;
	if (p->bytes > p->limits.bytes_max) {
		p->err = GUTS_ELIMIT;
		return guts_err_set(ei, GUTS_ELIMIT, "the pack is over the limit of %" PRIu64 " bytes",
		    p->limits.bytes_max);
	}
	while (bytes.n > 0) {
		size_t used = 1;
		int err;

		if (p->state == AT_DATA)
			err = take_data(p, bytes, &used, ei);
		else
			err = take_byte(p, bytes.p[0], ei);
		if (err)
			return err;
		bytes.p += used;
		bytes.n -= used;
	}
	return GUTS_OK;
}

int
guts_packscan_finish(const struct guts_packscan *p, struct guts_errinfo *ei)
{
	if (p->err)
		return p->err;
	if (p->state != AT_END)
		return guts_err_set(ei, GUTS_EPROTO, "the pack is cut off after %" PRIu64 " of %" PRIu32 " objects",
		    p->objects, p->promised);
	return GUTS_OK;
}

uint32_t
guts_packscan_promised(const struct guts_packscan *p)
{
	return p->promised;
}

uint64_t
guts_packscan_objects(const struct guts_packscan *p)
{
	return p->objects;
}

uint64_t
guts_packscan_bytes(const struct guts_packscan *p)
{
	return p->bytes;
}
