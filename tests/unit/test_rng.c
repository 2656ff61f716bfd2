/* test_rng.c - one seed, one stream; ranges kept. */
#include "unit.h"

#include "base/rng.h"

/* First numbers of the reference code's state {1, 2, 3, 4}, worked out by hand:
 * rotl(2 * 5, 7) * 9 = 11520, then with the state after one step rotl(0, 7) * 9 = 0. */
static void
is_xoshiro256starstar(void **state)
{
	struct guts_rng r = { { 1, 2, 3, 4 } };

	(void)state;
	assert_true(guts_rng_u64(&r) == 11520);
	assert_true(guts_rng_u64(&r) == 0);
	assert_true(guts_rng_u64(&r) == 1509978240);
	assert_true(guts_rng_u64(&r) == UINT64_C(1215971899390074240));
}

static void
seeds_give_streams(void **state)
{
	struct guts_rng a, b, c;
	uint8_t x[13], y[16];

	(void)state;
	guts_rng_seed(&a, 1);
	guts_rng_seed(&b, 1);
	guts_rng_seed(&c, 2);
	assert_true(guts_rng_u64(&a) == guts_rng_u64(&b));
	assert_false(guts_rng_u64(&a) == guts_rng_u64(&c));
	guts_rng_seed(&a, 9);
	guts_rng_seed(&b, 9);
	guts_rng_bytes(&a, x, sizeof(x));
	guts_rng_bytes(&b, y, sizeof(y));
	assert_memory_equal(x, y, sizeof(x));
	guts_rng_seed(&c, 9);
	assert_int_equal(y[0], (uint8_t)guts_rng_u64(&c));
}

static void
below_stays_below_and_reaches_all(void **state)
{
	struct guts_rng r;
	unsigned hits[7] = { 0 };

	(void)state;
	guts_rng_seed(&r, 4);
	for (int i = 0; i < 7000; i++) {
		uint64_t v = guts_rng_below(&r, 7);

		assert_true(v < 7);
		hits[v]++;
		assert_true(guts_rng_below(&r, 1) == 0);
		assert_true(guts_rng_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(hits[i], 800, 1200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_xoshiro256starstar),
		cmocka_unit_test(seeds_give_streams),
		cmocka_unit_test(below_stays_below_and_reaches_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
