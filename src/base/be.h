/* base/be.h - numbers in big-endian order at a place in memory; base/cursor.h and base/buf.h read and write them one after the other. */
#ifndef GUTS_BASE_BE_H
#define GUTS_BASE_BE_H

#include <stdint.h>

/* The number in the 4 or 8 bytes at `p`. */
static inline uint32_t
guts_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t
guts_be64(const uint8_t *p)
{
	return (uint64_t)guts_be32(p) << 32 | guts_be32(p + 4);
}

/* Write it as 4 or 8 bytes to `out`. */
static inline void
guts_put_be32(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline void
guts_put_be64(uint8_t *out, uint64_t v)
{
	guts_put_be32(out, (uint32_t)(v >> 32));
	guts_put_be32(out + 4, (uint32_t)v);
}

#endif
