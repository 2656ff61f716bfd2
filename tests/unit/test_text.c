/* test_text.c - UTF-8, hex, base64, numbers, time. */
#include "unit.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/text.h"

#include <string.h>

static void
knows_utf8(void **state)
{
	static const char *const good[] = { "", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "gr\xc3\xbc\xc3\x9f" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf",
		"\xe0\xa0", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xf0\x90\x80", "\xff", "a\xfe-b" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(guts_text_is_utf8(S(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(guts_text_is_utf8(S(bad[i])));
		assert_false(guts_text_is_clean(S(bad[i]), true));
	}
	assert_true(guts_text_is_utf8(guts_slice("a\0b", 3)));
}

static void
clean_text_has_no_controls(void **state)
{
	(void)state;
	assert_true(guts_text_is_clean(S("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"), false));
	assert_false(guts_text_is_clean(S("a\nb"), false));
	assert_true(guts_text_is_clean(S("a\n\tb"), true));
	assert_false(guts_text_is_clean(S("a\rb"), true));
	assert_false(guts_text_is_clean(S("\x1b[0m"), true));
	assert_false(guts_text_is_clean(S("\x7f"), true));
	assert_false(guts_text_is_clean(S("\xc2\x85"), true));
	assert_true(guts_text_is_clean(S("\xc2\xa0"), false));
	assert_false(guts_text_is_clean(guts_slice("\0", 1), true));
}

static void
hex(void **state)
{
	uint8_t bytes[3];
	char text[7];

	(void)state;
	guts_hex_encode(text, "\x00\xab\xff", 3);
	assert_string_equal(text, "00abff");
	assert_int_equal(guts_hex_decode(bytes, 3, S("00aBFf")), GUTS_OK);
	assert_memory_equal(bytes, "\x00\xab\xff", 3);
	assert_int_equal(guts_hex_decode(bytes, 3, S("00abf")), GUTS_EINVAL);
	assert_int_equal(guts_hex_decode(bytes, 3, S("00abff0")), GUTS_EINVAL);
	assert_int_equal(guts_hex_decode(bytes, 3, S("00abfg")), GUTS_EINVAL);
	assert_int_equal(guts_hex_decode(bytes, 3, S("00ab f")), GUTS_EINVAL);
	assert_int_equal(guts_hex_decode(bytes, 0, S("")), GUTS_OK);
	guts_hex_encode(text, NULL, 0);
	assert_string_equal(text, "");
}

/* RFC 4648 section 10. */
static void
base64(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff", "+/8=" } };
	static const char *const bad[] = { "Z", "Zg=", "Zg===", "Zh==", "Zm9=", "Z g=", "Zg==Zg==", "Zg\n", "Z-8=", "=" };
	uint8_t bytes[16];
	char text[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct guts_slice plain = S(pairs[i][0]), coded = S(pairs[i][1]);

		guts_base64_encode(text, plain.p, plain.n);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(guts_base64_decode(bytes, plain.n, coded, &n), GUTS_OK);
		assert_slice_equal(guts_slice(bytes, n), plain);
		while (coded.n && coded.p[coded.n - 1] == '=')
			coded.n--;
		assert_int_equal(guts_base64_decode(bytes, plain.n, coded, &n), GUTS_OK);
		assert_slice_equal(guts_slice(bytes, n), plain);
		if (plain.n)
			assert_int_equal(guts_base64_decode(bytes, plain.n - 1, coded, &n), GUTS_EINVAL);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(guts_base64_decode(bytes, sizeof(bytes), S(bad[i]), &n), GUTS_EINVAL);
}

static void
base64_returns_what_it_was_given(void **state)
{
	struct guts_rng rng;
	uint8_t in[100], out[100];
	char text[140];
	size_t n;

	(void)state;
	guts_rng_seed(&rng, 5);
	for (size_t len = 0; len <= sizeof(in); len++) {
		guts_rng_bytes(&rng, in, len);
		guts_base64_encode(text, in, len);
		assert_int_equal(guts_base64_decode(out, sizeof(out), S(text), &n), GUTS_OK);
		assert_slice_equal(guts_slice(out, n), guts_slice(in, len));
	}
}

static void
numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "01", "00", "1a", "0x1", "1.0" };
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(guts_text_u64(S(bad[i]), UINT64_MAX, &v), GUTS_EINVAL);
	assert_int_equal(guts_text_u64(S("0"), 0, &v), GUTS_OK);
	assert_true(v == 0);
	assert_int_equal(guts_text_u64(S("18446744073709551615"), UINT64_MAX, &v), GUTS_OK);
	assert_true(v == UINT64_MAX);
	assert_int_equal(guts_text_u64(S("18446744073709551616"), UINT64_MAX, &v), GUTS_ELIMIT);
	assert_int_equal(guts_text_u64(S("99999999999999999999999"), UINT64_MAX, &v), GUTS_ELIMIT);
	assert_int_equal(guts_text_u64(S("99999999999999999999999x"), UINT64_MAX, &v), GUTS_EINVAL);
	assert_int_equal(guts_text_u64(S("65535"), 65535, &v), GUTS_OK);
	assert_int_equal(guts_text_u64(S("65536"), 65535, &v), GUTS_ELIMIT);
}

static void
times_are_parsed(void **state)
{
	static const struct {
		const char *text;
		int64_t time_s;
	} good[] = { { "1970-01-01T00:00:00Z", 0 }, { "2023-11-14T22:13:20.999z", 1700000000 }, { "2023-11-15T00:13:20+02:00", 1700000000 },
		{ "2023-11-14T20:43:20-01:30", 1700000000 }, { "2023-11-15t00:13:20 02:00", 1700000000 }, { "2023-11-14", 1699920000 },
		{ "1969-12-31T23:59:59Z", -1 }, { "0000-01-01", -62167219200 } };
	static const char *const bad[] = { "", "2023", "2023-11", "2023-13-01", "2023-00-01", "2023-11-31", "2023-11-14T22:13Z", "2023-11-14T24:00:00Z",
		"2023-11-14T22:13:20", "2023-11-14T22:13:20+2", "2023-11-14T22:13:20Zx", "x023-11-14", "2023-11-14T22:13:20+24:00", "1700000000",
		"2023-11-14T22:13:20.99999999999999999999999999999999999999999999999999Z" };
	int64_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(guts_text_parse_time(guts_slice_str(good[i].text), &t), 0);
		assert_int_equal(t, good[i].time_s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(guts_text_parse_time(guts_slice_str(bad[i]), &t), GUTS_EINVAL);
}

static void
time_text(void **state)
{
	char text[25];

	(void)state;
	guts_text_time(text, 0);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	guts_text_time(text, UINT64_C(1700000000123999999));
	assert_string_equal(text, "2023-11-14T22:13:20.123Z");
	guts_text_time(text, UINT64_MAX);
	assert_string_equal(text, "2554-07-21T23:34:33.709Z");
}

static void
compares_in_constant_time(void **state)
{
	(void)state;
	assert_true(guts_mem_eq_ct("abc", "abc", 3));
	assert_false(guts_mem_eq_ct("abc", "abd", 3));
	assert_false(guts_mem_eq_ct("xbc", "abc", 3));
	assert_true(guts_mem_eq_ct("x", "y", 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_parsed),
		cmocka_unit_test(knows_utf8),
		cmocka_unit_test(clean_text_has_no_controls),
		cmocka_unit_test(hex),
		cmocka_unit_test(base64),
		cmocka_unit_test(base64_returns_what_it_was_given),
		cmocka_unit_test(numbers),
		cmocka_unit_test(time_text),
		cmocka_unit_test(compares_in_constant_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
