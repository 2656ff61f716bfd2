/* base/ratelimit.h - token bucket: caps how fast one subject may spend tokens.
 *
 * A token is whatever the caller counts: a message, a KiB, a handshake.  The bucket
 * starts full and refills continuously.  It is a plain value without clock, lock or
 * allocation; the owner embeds it and passes the time in.
 */
#ifndef GUTS_BASE_RATELIMIT_H
#define GUTS_BASE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct guts_ratelimit {
	uint64_t cost_ns;  /* time one token takes to come back [ns] */
	uint64_t depth_ns; /* time an empty bucket takes to fill [ns] */
	uint64_t full_at;  /* instant it is full again [monotonic ns] */
};

/* Make *rl a full bucket of `burst` tokens, regained at `rate` per second.
 * Limits: both 1..1,000,000 (asserted). */
void guts_ratelimit_init(struct guts_ratelimit *rl, uint32_t rate, uint32_t burst);

/* Take `n` tokens at `now` [monotonic ns], all or none; true if taken. */
bool guts_ratelimit_take(struct guts_ratelimit *rl, uint32_t n, uint64_t now);

/* Time from `now` until `n` tokens are there [ns]; UINT64_MAX = never. */
uint64_t guts_ratelimit_wait(const struct guts_ratelimit *rl, uint32_t n, uint64_t now);

#endif
