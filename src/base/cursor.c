/* base/cursor.c - see cursor.h.  A failed cursor is also empty, so no read needs two checks. */
#include "base/cursor.h"

void
guts_cursor_init(struct guts_cursor *c, struct guts_slice s)
{
	static const uint8_t none;

	c->p = s.p ? s.p : &none;
	c->end = c->p + s.n;
	c->failed = false;
}

void
guts_cursor_fail(struct guts_cursor *c)
{
	c->failed = true;
	c->p = c->end;
}

struct guts_slice
guts_cursor_bytes(struct guts_cursor *c, size_t n)
{
	struct guts_slice s = { c->p, n };

	if (n > guts_cursor_left(c) || c->failed) {
		guts_cursor_fail(c);
		return guts_slice(c->p, 0);
	}
	c->p += n;
	return s;
}

static uint64_t
read_be(struct guts_cursor *c, size_t n)
{
	struct guts_slice s = guts_cursor_bytes(c, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t
guts_cursor_u8(struct guts_cursor *c)
{
	return (uint8_t)read_be(c, 1);
}

uint16_t
guts_cursor_be16(struct guts_cursor *c)
{
	return (uint16_t)read_be(c, 2);
}

uint32_t
guts_cursor_be32(struct guts_cursor *c)
{
	return (uint32_t)read_be(c, 4);
}

uint64_t
guts_cursor_be64(struct guts_cursor *c)
{
	return read_be(c, 8);
}

struct guts_slice
guts_cursor_rest(struct guts_cursor *c)
{
	return guts_cursor_bytes(c, guts_cursor_left(c));
}

size_t
guts_cursor_left(const struct guts_cursor *c)
{
	return (size_t)(c->end - c->p);
}

bool
guts_cursor_ok(const struct guts_cursor *c)
{
	return !c->failed;
}

bool
guts_cursor_done(const struct guts_cursor *c)
{
	return !c->failed && c->p == c->end;
}
