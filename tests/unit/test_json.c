/* Writing JSON: escapes, repair of text, numbers, commas, the buffer's cap. */
#include "view/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
expect_text(const char *in, size_t n, const char *want)
{
	struct guts_buf b;
	struct guts_json j;

	guts_buf_init(&b, 1000);
	guts_json_init(&j, &b);
	guts_json_text(&j, guts_slice(in, n));
	assert_string_equal(guts_buf_cstr(&b), want);
	guts_buf_deinit(&b);
}

static void
test_escapes(void **state)
{
	(void)state;
	expect_text("", 0, "\"\"");
	expect_text("plain", 5, "\"plain\"");
	expect_text("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
	expect_text("\b\f\n\r\t\x01\x1f", 7, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\"");
	expect_text("\0x", 2, "\"\\u0000x\"");
	expect_text("\x7f/<", 3, "\"\x7f/<\"");
}

static void
test_utf8(void **state)
{
	(void)state;
	expect_text("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	expect_text("a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"");
	expect_text("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	expect_text("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	expect_text("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	expect_text("\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void
test_structure(void **state)
{
	struct guts_buf b;
	struct guts_json j;

	(void)state;
	guts_buf_init(&b, 1000);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_put_u64(&j, "a", UINT64_MAX);
	guts_json_key(&j, "b");
	guts_json_array(&j);
	guts_json_i64(&j, INT64_MIN);
	guts_json_i64(&j, -1);
	guts_json_object(&j);
	guts_json_object_end(&j);
	guts_json_array(&j);
	guts_json_array_end(&j);
	guts_json_bool(&j, true);
	guts_json_null(&j);
	guts_json_array_end(&j);
	guts_json_put_str(&j, "c", NULL);
	guts_json_put_time(&j, "d", 1500);
	guts_json_put_time_or_null(&j, "e", 0);
	guts_json_key(&j, "f");
	guts_json_strs(&j, "x\"", "y", NULL);
	guts_json_key(&j, "g");
	guts_json_hex(&j, "\x0f\xa0", 2);
	guts_json_key(&j, "h");
	guts_json_base64(&j, guts_slice("abcd", 4));
	guts_json_object_end(&j);
	assert_string_equal(guts_buf_cstr(&b),
	    "{\"a\":18446744073709551615,\"b\":[-9223372036854775808,-1,{},[],true,null],\"c\":null,"
	    "\"d\":\"1970-01-01T00:00:01.500Z\",\"e\":null,\"f\":\"x\\\"y\",\"g\":\"0fa0\",\"h\":\"YWJjZA==\"}");
	assert_false(b.failed);
	guts_buf_deinit(&b);
}

static void
test_cap(void **state)
{
	struct guts_buf b;
	struct guts_json j;

	(void)state;
	guts_buf_init(&b, 10);
	guts_json_init(&j, &b);
	guts_json_str(&j, "0123456789");
	assert_true(b.failed);
	guts_buf_deinit(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
