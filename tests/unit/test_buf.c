/* test_buf.c - the byte queue: against a plain model, and at its maximum. */
#include "unit.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"

#include <string.h>

static void
appends_in_network_order(void **state)
{
	static const uint8_t want[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f" "ab7";
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, 100);
	guts_buf_add_u8(&b, 1);
	guts_buf_add_be16(&b, 0x0203);
	guts_buf_add_be32(&b, 0x04050607);
	guts_buf_add_be64(&b, UINT64_C(0x08090a0b0c0d0e0f));
	guts_buf_add_str(&b, "a");
	guts_buf_printf(&b, "b%d", 7);
	assert_slice_equal(guts_buf_slice(&b), guts_slice(want, sizeof(want) - 1));
	assert_string_equal(guts_buf_cstr(&b), (const char *)want);
	guts_buf_deinit(&b);
}

static void
an_append_past_the_maximum_fails_whole_and_for_good(void **state)
{
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, 4);
	assert_int_equal(guts_buf_add(&b, "abc", 3), GUTS_OK);
	assert_int_equal(guts_buf_add(&b, "de", 2), GUTS_ELIMIT);
	assert_int_equal(guts_buf_add(&b, "d", 1), GUTS_ELIMIT);
	assert_true(b.failed);
	assert_null(guts_buf_reserve(&b, 0));
	assert_slice_equal(guts_buf_slice(&b), S("abc"));
	guts_buf_clear(&b);
	assert_false(b.failed);
	assert_int_equal(guts_buf_add(&b, "abcd", 4), GUTS_OK);
	assert_int_equal(guts_buf_printf(&b, "%s", "e"), GUTS_ELIMIT);
	assert_string_equal(guts_buf_cstr(&b), "abcd");
	guts_buf_clear(&b);
	assert_null(guts_buf_reserve(&b, SIZE_MAX));
	guts_buf_wipe(&b);
	assert_int_equal(b.max, 4);
}

static void
an_empty_buffer_has_no_bytes_but_a_string(void **state)
{
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, 0);
	assert_int_equal(guts_buf_slice(&b).n, 0);
	assert_string_equal(guts_buf_cstr(&b), "");
	assert_int_equal(guts_buf_add(&b, NULL, 0), GUTS_OK);
	assert_int_equal(guts_buf_add_u8(&b, 0), GUTS_ELIMIT);
	guts_buf_consume(&b, 0);
	guts_buf_deinit(&b);
}

/* The same operations on the buffer and on an array that holds everything ever appended. */
static void
behaves_like_a_plain_queue(void **state)
{
	static uint8_t model[1 << 20];
	struct guts_rng rng;
	struct guts_buf b;
	size_t head = 0, tail = 0, full = 0;

	(void)state;
	guts_rng_seed(&rng, 7);
	guts_buf_init(&b, 5000);
	for (int i = 0; i < 20000; i++) {
		size_t n = guts_rng_below(&rng, guts_rng_below(&rng, 2) ? 2000 : 20);
		uint64_t what = guts_rng_below(&rng, 16);

		if (tail + n > sizeof(model))
			break;
		if (what < 8) {
			guts_rng_bytes(&rng, model + tail, n);
			if (tail - head + n > b.max) {
				assert_int_equal(guts_buf_add(&b, model + tail, n), GUTS_ELIMIT);
				b.failed = false;
				full++;
			} else {
				assert_int_equal(guts_buf_add(&b, model + tail, n), GUTS_OK);
				tail += n;
			}
		} else if (what < 15) {
			n = n < b.len ? n : b.len;
			guts_buf_consume(&b, n);
			head += n;
		} else {
			n = b.len - guts_rng_below(&rng, b.len < 9 ? b.len + 1 : 9);
			guts_buf_truncate(&b, n);
			tail = head + n;
		}
		assert_slice_equal(guts_buf_slice(&b), guts_slice(model + head, tail - head));
		assert_ptr_equal(guts_buf_bytes(&b), guts_buf_slice(&b).p);
	}
	assert_true(full > 0);
	guts_buf_deinit(&b);
}

static void
memory_stays_bounded_when_bytes_pass_through(void **state)
{
	struct guts_buf b;
	uint8_t piece[1000] = { 0 };

	(void)state;
	guts_buf_init(&b, 4000);
	guts_buf_add(&b, piece, 10);
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(guts_buf_add(&b, piece, sizeof(piece)), GUTS_OK);
		guts_buf_consume(&b, sizeof(piece));
	}
	assert_true(b.cap <= 4001);
	guts_buf_deinit(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_in_network_order),
		cmocka_unit_test(an_append_past_the_maximum_fails_whole_and_for_good),
		cmocka_unit_test(an_empty_buffer_has_no_bytes_but_a_string),
		cmocka_unit_test(behaves_like_a_plain_queue),
		cmocka_unit_test(memory_stays_bounded_when_bytes_pass_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
