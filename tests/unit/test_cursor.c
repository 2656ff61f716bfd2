/* test_cursor.c - reading in order, and what a read past the end does. */
#include "unit.h"

#include "base/cursor.h"

static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 };

static void
reads_in_network_order(void **state)
{
	struct guts_cursor c;

	(void)state;
	guts_cursor_init(&c, guts_slice(bytes, sizeof(bytes)));
	assert_int_equal(guts_cursor_u8(&c), 1);
	assert_int_equal(guts_cursor_be16(&c), 0x0203);
	assert_int_equal(guts_cursor_be32(&c), 0x04050607);
	assert_true(guts_cursor_be64(&c) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(guts_cursor_left(&c), 2);
	assert_false(guts_cursor_done(&c));
	assert_slice_equal(guts_cursor_rest(&c), guts_slice(bytes + 15, 2));
	assert_true(guts_cursor_done(&c));
}

static void
a_failed_read_yields_zero_for_ever(void **state)
{
	struct guts_cursor c;

	(void)state;
	guts_cursor_init(&c, guts_slice(bytes, 3));
	assert_int_equal(guts_cursor_be32(&c), 0);
	assert_false(guts_cursor_ok(&c));
	assert_int_equal(guts_cursor_u8(&c), 0);
	assert_int_equal(guts_cursor_bytes(&c, 0).n, 0);
	assert_int_equal(guts_cursor_rest(&c).n, 0);
	assert_int_equal(guts_cursor_left(&c), 0);
	assert_false(guts_cursor_done(&c));
}

static void
takes_nothing_and_too_much(void **state)
{
	struct guts_cursor c;

	(void)state;
	guts_cursor_init(&c, guts_slice(NULL, 0));
	assert_true(guts_cursor_done(&c));
	assert_int_equal(guts_cursor_bytes(&c, 0).n, 0);
	assert_true(guts_cursor_ok(&c));
	assert_int_equal(guts_cursor_bytes(&c, SIZE_MAX).n, 0);
	assert_false(guts_cursor_ok(&c));
	guts_cursor_init(&c, guts_slice(bytes, 2));
	guts_cursor_fail(&c);
	assert_int_equal(guts_cursor_u8(&c), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_in_network_order),
		cmocka_unit_test(a_failed_read_yields_zero_for_ever),
		cmocka_unit_test(takes_nothing_and_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
