/* base/rng.c - xoshiro256** 1.0 (Blackman, Vigna 2018), its state filled by SplitMix64.
 *
 * Bytes are the numbers in little-endian order, so one seed gives one stream on every
 * machine.
 */
#include "base/rng.h"

#include <assert.h>

static uint64_t
rotl(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

void
guts_rng_seed(struct guts_rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ (z >> 31);
	}
}

uint64_t
guts_rng_u64(struct guts_rng *r)
{
	uint64_t *s = r->s;
	uint64_t out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

uint64_t
guts_rng_below(struct guts_rng *r, uint64_t n)
{
	uint64_t skip, v;

	assert(n >= 1);
	/* Refuse the first 2^64 mod n values: the rest is a multiple of n. */
	skip = (0 - n) % n;
	do
		v = guts_rng_u64(r);
	while (v < skip);
	return v % n;
}

void
guts_rng_bytes(struct guts_rng *r, void *p, size_t n)
{
	uint8_t *out = p;

	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = guts_rng_u64(r);

		for (size_t k = i; k < n && k < i + 8; k++, v >>= 8)
			out[k] = (uint8_t)v;
	}
}
