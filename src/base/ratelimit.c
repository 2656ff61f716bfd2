/* base/ratelimit.c - token bucket kept as one instant: when it is full again.
 *
 * Taking tokens pushes that instant away by what they cost; time passing brings it
 * nearer by itself.  There is no refill step and no remainder to carry:
 *
 *	     now           full_at           now + depth_ns
 *	-----|---------------|-------------------|------> time
 *	     |<--- spent --->|<---- tokens ----->|
 *
 * Rejected: count and timestamp; rounding then starves slow buckets asked often.
 */
#include "base/ratelimit.h"

#include <assert.h>

#define NS_PER_S UINT64_C(1000000000)
#define VALUE_MAX 1000000u

void
guts_ratelimit_init(struct guts_ratelimit *rl, uint32_t rate, uint32_t burst)
{
	assert(rate >= 1 && rate <= VALUE_MAX);
	assert(burst >= 1 && burst <= VALUE_MAX);

	/* Rounded up: a cap may err slow, never fast. */
	rl->cost_ns = (NS_PER_S + rate - 1) / rate;
	rl->depth_ns = rl->cost_ns * burst;
	rl->full_at = 0;
}

uint64_t
guts_ratelimit_wait(const struct guts_ratelimit *rl, uint32_t n, uint64_t now)
{
	uint64_t need = n * rl->cost_ns; /* < 2^32 * 2^30 */
	uint64_t spent = rl->full_at > now ? rl->full_at - now : 0;

	if (need > rl->depth_ns)
		return UINT64_MAX;
	return spent + need > rl->depth_ns ? spent + need - rl->depth_ns : 0;
}

bool
guts_ratelimit_take(struct guts_ratelimit *rl, uint32_t n, uint64_t now)
{
	if (guts_ratelimit_wait(rl, n, now) != 0)
		return false;
	rl->full_at = (rl->full_at > now ? rl->full_at : now) + n * rl->cost_ns;
	return true;
}
