/* base/rng.h - seeded pseudo-random numbers (xoshiro256**), for the simulator, jitter and sampling.
 * Never for secrets: those come from the environment's `random`. */
#ifndef GUTS_BASE_RNG_H
#define GUTS_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct guts_rng {
	uint64_t s[4];
};

/* One seed, one stream, on every machine. */
void guts_rng_seed(struct guts_rng *r, uint64_t seed);

/* 64 even bits. */
uint64_t guts_rng_u64(struct guts_rng *r);

/* Uniform in 0..n-1; n ≥ 1. */
uint64_t guts_rng_below(struct guts_rng *r, uint64_t n);

/* Fill p[n]; for tests and jitter, never for keys. */
void guts_rng_bytes(struct guts_rng *r, void *p, size_t n);

#endif
