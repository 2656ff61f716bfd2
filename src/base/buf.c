/* base/buf.c - a byte queue in one piece of memory.
 *
 *	mem        off               off+len          cap
 *	|-- free --|-- bytes --------|------ room ----|
 *
 * When the room behind the bytes is too small, the bytes move to the front if at least
 * half of the memory is free there, and the memory grows by doubling otherwise: every
 * byte is moved a bounded number of times.  One byte of room is kept for a NUL.
 */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN ((size_t)64)

void
guts_buf_init(struct guts_buf *b, size_t max)
{
	assert(max < SIZE_MAX / 2);
	*b = (struct guts_buf){ .max = max };
}

void
guts_buf_deinit(struct guts_buf *b)
{
	free(b->mem);
	*b = (struct guts_buf){ .max = b->max };
}

void
guts_buf_wipe(struct guts_buf *b)
{
	if (b->mem != NULL)
		explicit_bzero(b->mem, b->cap);
	guts_buf_deinit(b);
}

/* Memory for `need` bytes and a NUL.  A queue (consumed in front) gets twice that, so that its next
 * move to the front is half of the memory away, even when it stays close to its maximum. */
static void
grow(struct guts_buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : CAP_MIN, want = b->off > 0 ? 2 * need + 2 : need + 1;
	size_t most = b->off > 0 ? 2 * b->max + 2 : b->max + 1;
	uint8_t *mem;

	while (cap < want)
		cap *= 2;
	if (cap > most)
		cap = most;
	/* Not realloc: old bytes may be secrets, and the free front need not be copied. */
	mem = guts_realloc(NULL, cap);
	if (b->len)
		memcpy(mem, b->mem + b->off, b->len);
	if (b->mem != NULL)
		explicit_bzero(b->mem, b->cap);
	free(b->mem);
	b->mem = mem;
	b->off = 0;
	b->cap = cap;
}

uint8_t *
guts_buf_reserve(struct guts_buf *b, size_t n)
{
	if (b->failed || n > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	if (b->mem == NULL || b->cap - b->off - b->len < n + 1) {
		if (b->mem != NULL && b->cap - b->len >= n + 1 && b->off >= b->cap / 2) {
			memmove(b->mem, b->mem + b->off, b->len);
			b->off = 0;
		} else {
			grow(b, b->len + n);
		}
	}
	return b->mem + b->off + b->len;
}

void
guts_buf_commit(struct guts_buf *b, size_t n)
{
	assert(!b->failed && n <= b->max - b->len && (n == 0 || n < b->cap - b->off - b->len));
	b->len += n;
}

int
guts_buf_add(struct guts_buf *b, const void *p, size_t n)
{
	uint8_t *room = guts_buf_reserve(b, n);

	if (room == NULL)
		return GUTS_ELIMIT;
	if (n)
		memcpy(room, p, n);
	b->len += n;
	return GUTS_OK;
}

int
guts_buf_add_slice(struct guts_buf *b, struct guts_slice s)
{
	return guts_buf_add(b, s.p, s.n);
}

int
guts_buf_add_str(struct guts_buf *b, const char *s)
{
	return guts_buf_add_slice(b, guts_slice_str(s));
}

/* The low `n` bytes of `v`, highest first. */
static int
add_be(struct guts_buf *b, uint64_t v, unsigned n)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	return guts_buf_add(b, bytes, n);
}

int
guts_buf_add_u8(struct guts_buf *b, uint8_t v)
{
	return guts_buf_add(b, &v, 1);
}

int
guts_buf_add_be16(struct guts_buf *b, uint16_t v)
{
	return add_be(b, v, 2);
}

int
guts_buf_add_be32(struct guts_buf *b, uint32_t v)
{
	return add_be(b, v, 4);
}

int
guts_buf_add_be64(struct guts_buf *b, uint64_t v)
{
	return add_be(b, v, 8);
}

int
guts_buf_printf(struct guts_buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *room;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	room = n < 0 ? NULL : guts_buf_reserve(b, (size_t)n);
	if (room == NULL) {
		b->failed = true;
		return GUTS_ELIMIT;
	}
	va_start(ap, fmt);
	vsnprintf((char *)room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return GUTS_OK;
}

void
guts_buf_consume(struct guts_buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	b->off = b->len ? b->off + n : 0;
}

void
guts_buf_clear(struct guts_buf *b)
{
	b->off = 0;
	b->len = 0;
	b->failed = false;
}

void
guts_buf_truncate(struct guts_buf *b, size_t n)
{
	assert(n <= b->len);
	b->len = n;
}

struct guts_slice
guts_buf_slice(const struct guts_buf *b)
{
	return guts_slice(b->mem ? b->mem + b->off : NULL, b->len);
}

uint8_t *
guts_buf_bytes(struct guts_buf *b)
{
	return b->mem ? b->mem + b->off : NULL;
}

const char *
guts_buf_cstr(struct guts_buf *b)
{
	if (b->mem == NULL)
		return "";
	b->mem[b->off + b->len] = '\0';
	return (const char *)b->mem + b->off;
}
