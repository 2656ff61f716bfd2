/* base/slice.h - a borrowed view of bytes: pointer and length, never owned. */
#ifndef GUTS_BASE_SLICE_H
#define GUTS_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct guts_slice {
	const uint8_t *p;
	size_t n;
};

/* View of `n` bytes at `p`. */
static inline struct guts_slice
guts_slice(const void *p, size_t n)
{
	return (struct guts_slice){ (const uint8_t *)p, n };
}

/* View of a C string without its NUL. */
static inline struct guts_slice
guts_slice_str(const char *s)
{
	return guts_slice(s, s ? strlen(s) : 0);
}

/* The same bytes? */
static inline bool
guts_slice_eq(struct guts_slice a, struct guts_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Order by bytes, then by length: <0, 0, >0. */
static inline int
guts_slice_cmp(struct guts_slice a, struct guts_slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

#endif
