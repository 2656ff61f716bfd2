/* test_ratelimit.c - the token bucket: edges, and against an exact count of a slow model. */
#include "unit.h"

#include "base/ratelimit.h"
#include "base/rng.h"

#define S_NS UINT64_C(1000000000)

static void
starts_full_and_refills(void **state)
{
	struct guts_ratelimit rl;
	uint64_t now = 5 * S_NS;

	(void)state;
	guts_ratelimit_init(&rl, 2, 3);
	assert_true(guts_ratelimit_take(&rl, 3, now));
	assert_false(guts_ratelimit_take(&rl, 1, now));
	assert_true(guts_ratelimit_wait(&rl, 1, now) == S_NS / 2);
	assert_true(guts_ratelimit_wait(&rl, 3, now) == 3 * S_NS / 2);
	assert_false(guts_ratelimit_take(&rl, 1, now + S_NS / 2 - 1));
	assert_true(guts_ratelimit_take(&rl, 1, now + S_NS / 2));
	assert_false(guts_ratelimit_take(&rl, 1, now + S_NS / 2));
}

static void
edges(void **state)
{
	struct guts_ratelimit rl;

	(void)state;
	guts_ratelimit_init(&rl, 1, 1);
	assert_true(guts_ratelimit_take(&rl, 0, 0));
	assert_true(guts_ratelimit_wait(&rl, 2, 0) == UINT64_MAX);
	assert_true(guts_ratelimit_wait(&rl, UINT32_MAX, 0) == UINT64_MAX);
	assert_true(guts_ratelimit_take(&rl, 1, 10 * S_NS));
	/* A clock that steps back only delays. */
	assert_false(guts_ratelimit_take(&rl, 1, 9 * S_NS));
	assert_true(guts_ratelimit_take(&rl, 1, 11 * S_NS));
	guts_ratelimit_init(&rl, 1000000, 1000000);
	assert_true(guts_ratelimit_take(&rl, 1000000, 0));
	assert_false(guts_ratelimit_take(&rl, 1, 999));
	assert_true(guts_ratelimit_take(&rl, 1, 1000));
}

/* Model: nanoseconds of credit, added as time passes. */
static void
grants_what_an_exact_bucket_grants(void **state)
{
	struct guts_rng rng;
	unsigned taken = 0, refused = 0;

	(void)state;
	guts_rng_seed(&rng, 3);
	for (int round = 0; round < 50; round++) {
		uint32_t rate = 1 + (uint32_t)guts_rng_below(&rng, 1000), burst = 1 + (uint32_t)guts_rng_below(&rng, 50);
		uint64_t cost = (S_NS + rate - 1) / rate, depth = cost * burst, credit = depth, now = 0;
		struct guts_ratelimit rl;

		guts_ratelimit_init(&rl, rate, burst);
		for (int i = 0; i < 200; i++) {
			uint64_t step = guts_rng_below(&rng, 2 * cost + 1);
			uint32_t n = (uint32_t)guts_rng_below(&rng, 4);
			bool want;

			now += step;
			credit = credit + step > depth ? depth : credit + step;
			want = n * cost <= credit;
			assert_int_equal(guts_ratelimit_wait(&rl, n, now) == 0, want);
			assert_int_equal(guts_ratelimit_take(&rl, n, now), want);
			credit -= want ? n * cost : 0;
			taken += want;
			refused += !want;
		}
	}
	assert_true(taken > 100 && refused > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_full_and_refills),
		cmocka_unit_test(edges),
		cmocka_unit_test(grants_what_an_exact_bucket_grants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
