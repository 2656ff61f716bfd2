/* test_varint.c - uvarint and frames, with the vectors made by js-libp2p. */
#include "vectors.h"
#include "unit.h"

#include "base/err.h"
#include "base/rng.h"
#include "wire/varint.h"

static void
agrees_with_js_libp2p(void **state)
{
	struct json_object *all = vectors_load("libp2p.json"), *list = vectors_get(all, "uvarint");
	uint8_t out[GUTS_UVARINT_MAX_SIZE];
	uint64_t v;
	size_t n;

	(void)state;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		uint64_t want = (uint64_t)vectors_int(o, "n");
		struct guts_slice hex = vectors_hex(o, "hex");

		assert_int_equal(guts_uvarint_read(hex, &v, &n), GUTS_OK);
		assert_true(v == want);
		assert_int_equal(n, hex.n);
		assert_slice_equal(guts_slice(out, guts_uvarint_write(out, want)), hex);
		assert_int_equal(guts_uvarint_size(want), hex.n);
	}
	list = vectors_get(all, "uvarintInvalid");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		assert_true(guts_uvarint_read(
		    vectors_unhex(json_object_get_string(json_object_array_get_idx(list, i))), &v, &n) < 0);
	json_object_put(all);
}

static void
tells_short_from_wrong(void **state)
{
	uint64_t v;
	size_t n;

	(void)state;
	assert_int_equal(guts_uvarint_read(guts_slice(NULL, 0), &v, &n), GUTS_EAGAIN);
	assert_int_equal(guts_uvarint_read(vectors_unhex("ffffffffffffffff"), &v, &n), GUTS_EAGAIN);
	assert_int_equal(guts_uvarint_read(vectors_unhex("ffffffffffffffff7f"), &v, &n), GUTS_OK);
	assert_true(v == UINT64_MAX >> 1);
	assert_int_equal(guts_uvarint_read(vectors_unhex("ffffffffffffffffff"), &v, &n), GUTS_EPROTO);
	assert_int_equal(guts_uvarint_read(vectors_unhex("8000"), &v, &n), GUTS_EPROTO);
	assert_int_equal(guts_uvarint_read(vectors_unhex("00ff"), &v, &n), GUTS_OK);
	assert_int_equal(n, 1);
}

static void
reads_what_it_wrote(void **state)
{
	struct guts_rng rng;
	struct guts_buf b;
	uint64_t v;
	size_t n;

	(void)state;
	guts_rng_seed(&rng, 2);
	guts_buf_init(&b, 100);
	for (int i = 0; i < 5000; i++) {
		uint64_t want = guts_rng_u64(&rng) >> (1 + guts_rng_below(&rng, 63));

		guts_buf_clear(&b);
		assert_int_equal(guts_buf_add_uvarint(&b, want), GUTS_OK);
		assert_int_equal(b.len, guts_uvarint_size(want));
		assert_int_equal(guts_uvarint_read(guts_buf_slice(&b), &v, &n), GUTS_OK);
		assert_true(v == want);
		b.len--;
		assert_int_equal(guts_uvarint_read(guts_buf_slice(&b), &v, &n), GUTS_EAGAIN);
	}
	guts_buf_deinit(&b);
}

static void
frames(void **state)
{
	struct guts_slice in = vectors_unhex("03616263ff"), frame;
	size_t n;

	(void)state;
	assert_int_equal(guts_frame_read(in, 3, &frame, &n), GUTS_OK);
	assert_slice_equal(frame, S("abc"));
	assert_int_equal(n, 4);
	assert_int_equal(guts_frame_read(in, 2, &frame, &n), GUTS_ELIMIT);
	for (size_t k = 0; k < 4; k++)
		assert_int_equal(guts_frame_read(guts_slice(in.p, k), 3, &frame, &n), GUTS_EAGAIN);
	assert_int_equal(guts_frame_read(guts_slice(in.p, 1), 2, &frame, &n), GUTS_ELIMIT);
	assert_int_equal(guts_frame_read(vectors_unhex("00"), 0, &frame, &n), GUTS_OK);
	assert_int_equal(frame.n, 0);
	assert_int_equal(guts_frame_read(vectors_unhex("ffffffffffffffff7f00"), SIZE_MAX, &frame, &n), GUTS_EAGAIN);
	assert_int_equal(guts_frame_read(vectors_unhex("808000"), 100, &frame, &n), GUTS_EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_js_libp2p),
		cmocka_unit_test(tells_short_from_wrong),
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
