/* test_arena.c - memory of one message: aligned, zeroed, capped. */
#include "unit.h"

#include "base/arena.h"

#include <string.h>

static void
hands_out_aligned_zeroed_memory(void **state)
{
	struct guts_arena a;
	uint8_t *last = NULL;

	(void)state;
	guts_arena_init(&a, 1 << 20);
	for (size_t n = 0; n < 300; n++) {
		uint8_t *p = guts_arena_alloc(&a, n);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_ptr_not_equal(p, last);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
		last = p;
	}
	guts_arena_deinit(&a);
	assert_int_equal(a.used, 0);
	guts_arena_deinit(&a);
}

static void
stops_at_the_cap(void **state)
{
	struct guts_arena a;

	(void)state;
	guts_arena_init(&a, 100);
	assert_non_null(guts_arena_alloc(&a, 48));
	assert_null(guts_arena_alloc(&a, 53));
	assert_non_null(guts_arena_alloc(&a, 52));
	assert_int_equal(a.used, 100);
	assert_null(guts_arena_alloc(&a, 1));
	assert_null(guts_arena_alloc(&a, SIZE_MAX));
	assert_null(guts_arena_memdup(&a, "x", SIZE_MAX));
	guts_arena_deinit(&a);
	assert_non_null(guts_arena_alloc(&a, 100));
	guts_arena_deinit(&a);
}

static void
takes_what_is_larger_than_a_block(void **state)
{
	struct guts_arena a;
	uint8_t *p;

	(void)state;
	guts_arena_init(&a, 1 << 20);
	p = guts_arena_alloc(&a, 300000);
	assert_non_null(p);
	p[299999] = 1;
	assert_string_equal(guts_arena_memdup(&a, "text", 4), "text");
	guts_arena_deinit(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hands_out_aligned_zeroed_memory),
		cmocka_unit_test(stops_at_the_cap),
		cmocka_unit_test(takes_what_is_larger_than_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
