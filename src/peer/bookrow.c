/* peer/bookrow.c - a row of the address book as bytes.
 *
 * Packed addresses, in memory and on disk:  (length:16, bytes, via:8, heard:32 [s], failures:8) …
 * Stored form, version 2:
 *
 *	2, tried:8, seen:64, worked:64, tried at:64, failures:32, via:8, teller's group:8 bytes,
 *	teller (length:8, bytes), packed addresses
 *
 * Version 1 had no `tried`, no ways and no groups:
 *
 *	1, seen:64, worked:64, tried at:64, failures:32, teller (length:8, bytes), (length:16, bytes) …
 */
#include "peer/book_int.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/err.h"
#include "loop/env.h"

#include <stdlib.h>

#define ROW_VERSION 2
#define ROW_PLAIN 1
#define ADDR_PACKED_MAX (2 + GUTS_MADDR_MAX + 1 + 4 + 1)

static uint8_t
to_u8(uint32_t v)
{
	return v < UINT8_MAX ? (uint8_t)v : UINT8_MAX;
}

void
bookrow_pack(struct book_row *r, const struct guts_book_addr *addrs, size_t n)
{
	struct guts_buf b;

	guts_buf_init(&b, GUTS_BOOK_ADDRS_MAX * ADDR_PACKED_MAX);
	for (size_t i = 0; i < n; i++) {
		guts_buf_add_be16(&b, addrs[i].at.n);
		guts_buf_add_slice(&b, guts_maddr_slice(&addrs[i].at));
		guts_buf_add_u8(&b, (uint8_t)addrs[i].via);
		guts_buf_add_be32(&b, (uint32_t)(addrs[i].heard_wall_ns / GUTS_SECOND_NS));
		guts_buf_add_u8(&b, to_u8(addrs[i].failures));
	}
	free(r->packed);
	r->packed = guts_memdup(guts_buf_slice(&b).p, b.len);
	r->packed_n = (uint32_t)b.len;
	guts_buf_deinit(&b);
}

bool
bookrow_takes(const struct guts_maddr *m)
{
	struct guts_maddr_target t;

	return guts_maddr_target(m, &t) == 0 && (t.is_tcp || t.is_quic) && t.port != 0;
}

static int
unpack(struct guts_slice packed, bool plain, struct guts_book_addr addrs[GUTS_BOOK_ADDRS_MAX], size_t *n)
{
	struct guts_cursor c;

	*n = 0;
	guts_cursor_init(&c, packed);
	while (guts_cursor_left(&c) > 0) {
		struct guts_slice s = guts_cursor_bytes(&c, guts_cursor_be16(&c));
		struct guts_book_addr *a = &addrs[*n];

		if (*n == GUTS_BOOK_ADDRS_MAX || guts_maddr_decode(&a->at, s) != 0)
			return GUTS_EPROTO;
		a->via = plain ? GUTS_BOOK_IDENTIFY : guts_cursor_u8(&c);
		a->heard_wall_ns = plain ? 0 : guts_cursor_be32(&c) * GUTS_SECOND_NS;
		a->failures = plain ? 0 : guts_cursor_u8(&c);
		if (a->via >= GUTS_BOOK_VIA_COUNT)
			return GUTS_EPROTO;
		++*n;
	}
	return guts_cursor_done(&c) && *n > 0 ? 0 : GUTS_EPROTO;
}

void
bookrow_show(const struct book_row *r, struct guts_book_entry *e)
{
	e->cursor = r->cursor;
	e->id = r->id;
	e->source = r->source;
	e->is_tried = r->is_tried;
	e->seen_wall_ns = r->seen_wall_ns;
	e->worked_wall_ns = r->worked_wall_ns;
	e->tried_wall_ns = r->tried_wall_ns;
	e->failures = r->failures;
	unpack(guts_slice(r->packed, r->packed_n), false, e->addrs, &e->n_addrs);
}

void
bookrow_encode(const struct book_row *r, struct guts_buf *out)
{
	guts_buf_add_u8(out, ROW_VERSION);
	guts_buf_add_u8(out, r->is_tried);
	guts_buf_add_be64(out, r->seen_wall_ns);
	guts_buf_add_be64(out, r->worked_wall_ns);
	guts_buf_add_be64(out, r->tried_wall_ns);
	guts_buf_add_be32(out, r->failures);
	guts_buf_add_u8(out, (uint8_t)r->source.via);
	guts_buf_add(out, r->source.group.b, sizeof(r->source.group.b));
	guts_buf_add_u8(out, r->source.teller.n);
	guts_buf_add_slice(out, guts_peerid_slice(&r->source.teller));
	guts_buf_add(out, r->packed, r->packed_n);
}

int
bookrow_decode(struct book_row *r, struct guts_slice value)
{
	struct guts_book_addr addrs[GUTS_BOOK_ADDRS_MAX];
	struct guts_cursor c;
	struct guts_slice s;
	uint8_t version;
	bool plain;
	size_t n;

	guts_cursor_init(&c, value);
	version = guts_cursor_u8(&c);
	plain = version == ROW_PLAIN;
	if (version != ROW_VERSION && !plain)
		return GUTS_EPROTO;
	r->is_tried = !plain && guts_cursor_u8(&c);
	r->seen_wall_ns = guts_cursor_be64(&c);
	r->worked_wall_ns = guts_cursor_be64(&c);
	r->tried_wall_ns = guts_cursor_be64(&c);
	r->failures = guts_cursor_be32(&c);
	r->source.via = plain ? GUTS_BOOK_IDENTIFY : guts_cursor_u8(&c);
	s = guts_cursor_bytes(&c, plain ? 0 : sizeof(r->source.group.b));
	if (guts_cursor_ok(&c) && s.n > 0)
		memcpy(r->source.group.b, s.p, s.n);
	s = guts_cursor_bytes(&c, guts_cursor_u8(&c));
	if (!guts_cursor_ok(&c) || r->source.via >= GUTS_BOOK_VIA_COUNT
	    || (s.n > 0 && guts_peerid_decode(&r->source.teller, s) != 0)
	    || unpack(guts_cursor_rest(&c), plain, addrs, &n) != 0)
		return GUTS_EPROTO;
	for (size_t i = 0; i < n; i++) {
		if (!bookrow_takes(&addrs[i].at))
			return GUTS_EPROTO;
	}
	if (plain) { /* told by the peer itself, as a rule; a row that worked was tried */
		r->source.group = guts_netgroup_of(&addrs[0].at);
		r->is_tried = r->worked_wall_ns > 0;
	}
	r->group = guts_netgroup_of(&addrs[0].at);
	bookrow_pack(r, addrs, n);
	return 0;
}
