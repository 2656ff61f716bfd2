/* The strict JSON check and field tables: what json-c would let through is refused. */
#include "view/body.h"
#include "view/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
	const char *text;
	int err;
} cases[] = {
	{ "{}", 0 },
	{ " [ ] ", 0 },
	{ "{\"a\":[1,2.5,-0,1e9,-1.5E-3,true,false,null,\"x\"]}", 0 },
	{ "\"\\u00e4\\ud83d\\ude00\\n\\/\"", 0 },
	{ "9223372036854775807", 0 },
	{ "-9223372036854775807", 0 },
	{ "{\"a\":{\"b\":1},\"b\":{\"a\":1,\"b\":2}}", 0 },
	{ "", GUTS_EPROTO },
	{ " ", GUTS_EPROTO },
	{ "{", GUTS_EPROTO },
	{ "{]", GUTS_EPROTO },
	{ "[1,]", GUTS_EPROTO },
	{ "{\"a\":1,}", GUTS_EPROTO },
	{ "{\"a\" 1}", GUTS_EPROTO },
	{ "{a:1}", GUTS_EPROTO },
	{ "{'a':1}", GUTS_EPROTO },
	{ "['a']", GUTS_EPROTO },
	{ "NaN", GUTS_EPROTO },
	{ "-Infinity", GUTS_EPROTO },
	{ "TRUE", GUTS_EPROTO },
	{ "nul", GUTS_EPROTO },
	{ "01", GUTS_EPROTO },
	{ "-", GUTS_EPROTO },
	{ "1.", GUTS_EPROTO },
	{ ".5", GUTS_EPROTO },
	{ "1e", GUTS_EPROTO },
	{ "+1", GUTS_EPROTO },
	{ "0x10", GUTS_EPROTO },
	{ "1 2", GUTS_EPROTO },
	{ "{} x", GUTS_EPROTO },
	{ "/* c */ {}", GUTS_EPROTO },
	{ "\"a\nb\"", GUTS_EPROTO },
	{ "\"a\tb\"", GUTS_EPROTO },
	{ "\"\\x41\"", GUTS_EPROTO },
	{ "\"\\u12\"", GUTS_EPROTO },
	{ "\"\\u0000\"", GUTS_EPROTO },
	{ "\"\\ud800\"", GUTS_EPROTO },
	{ "\"\\ud800\\u0041\"", GUTS_EPROTO },
	{ "\"\\udc00\"", GUTS_EPROTO },
	{ "\"abc", GUTS_EPROTO },
	{ "\"\\", GUTS_EPROTO },
	{ "\"\xc0\xaf\"", GUTS_EPROTO },
	{ "\"\xed\xa0\x80\"", GUTS_EPROTO },
	{ "\xef\xbb\xbf{}", GUTS_EPROTO },
	{ "{\"a\":1,\"a\":2}", GUTS_EPROTO },
	{ "{\"a\":1,\"\\u0061\":2}", GUTS_EPROTO },
	{ "[{\"x\":{\"a\":1,\"b\":{},\"a\":2}}]", GUTS_EPROTO },
	{ "18446744073709551616", GUTS_ELIMIT },
	{ "9223372036854775808", GUTS_ELIMIT },
};

static void
test_check(void **state)
{
	struct guts_errinfo ei;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int err = guts_json_check(guts_slice_str(cases[i].text), &ei);
		if (err != cases[i].err)
			fail_msg("%s gave %d", cases[i].text, err);
	}
	assert_int_equal(guts_json_check(guts_slice("\"a\0b\"", 5), &ei), GUTS_EPROTO);
}

static void
test_limits(void **state)
{
	struct guts_errinfo ei;
	char deep[100], *wide;

	(void)state;
	memset(deep, '[', 33);
	memset(deep + 33, ']', 33);
	assert_int_equal(guts_json_check(guts_slice(deep, 66), &ei), GUTS_ELIMIT);
	assert_int_equal(guts_json_check(guts_slice(deep + 1, 64), &ei), 0);
	size_t n = GUTS_JSON_MAX + 1;
	wide = malloc(n);
	assert_non_null(wide);
	memset(wide, ' ', n);
	wide[0] = '1';
	assert_int_equal(guts_json_check(guts_slice(wide, n), &ei), GUTS_ELIMIT);
	assert_int_equal(guts_json_check(guts_slice(wide, n - 1), &ei), 0);
	size_t at = 0;
	for (int i = 0; i <= GUTS_JSON_MEMBERS_MAX; i++)
		at += (size_t)snprintf(wide + at, 20, "%c\"k%d\":0", i ? ',' : '{', i);
	wide[at++] = '}';
	assert_int_equal(guts_json_check(guts_slice(wide, at), &ei), GUTS_ELIMIT);
	free(wide);
}

static const struct guts_field fields[] = {
	{ "name", GUTS_FIELD_TEXT, true, false, 1, 5, NULL, false },
	{ "kind", GUTS_FIELD_TEXT, false, true, 0, 10, "one two", false },
	{ "count", GUTS_FIELD_NUMBER, false, false, 1, 10, NULL, false },
	{ "on", GUTS_FIELD_BOOL, false, false, 0, 0, NULL, false },
	{ "tags", GUTS_FIELD_LIST, false, false, 0, 3, "a b c", false },
	{ "note", GUTS_FIELD_TEXT, false, false, 0, 20, NULL, true },
};
#define NFIELDS (sizeof fields / sizeof fields[0])

static struct guts_body body;
static struct guts_value values[NFIELDS];
static struct guts_errinfo info;

static int
parse(const char *text, bool open)
{
	guts_body_deinit(&body);
	return guts_body_parse(&body, guts_slice_str(text), fields, NFIELDS, open, values, &info);
}

static void
test_fields(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"name\":\"abc\",\"kind\":null,\"count\":10,\"on\":true,\"tags\":[\"a\",\"c\"],"
			       "\"note\":\"x\\ny\"}", false), 0);
	assert_string_equal(values[0].text, "abc");
	assert_false(values[1].is_set);
	assert_int_equal(values[2].number, 10);
	assert_true(values[3].flag);
	assert_int_equal(values[4].n, 2);
	assert_string_equal(values[4].list[1], "c");
	assert_int_equal(values[5].n, 3);

	assert_int_equal(parse("{\"name\":\"abc\",\"more\":1}", true), 0);
	assert_int_equal(parse("{\"name\":\"abc\",\"m/~\":1}", false), GUTS_EINVAL);
	assert_string_equal(body.errors[0].pointer, "/m~1~0");
	assert_int_equal(parse("[]", false), GUTS_EPROTO);
	assert_int_equal(parse("null", false), GUTS_EPROTO);
	assert_int_equal(parse("12", false), GUTS_EPROTO);
	guts_body_deinit(&body);
}

static void
test_faults(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"kind\":\"three\",\"count\":11,\"on\":1,\"tags\":[\"z\"],\"note\":null}", false), GUTS_EINVAL);
	assert_int_equal(body.nerrors, 6);
	assert_string_equal(body.errors[0].pointer, "/name");
	assert_string_equal(body.errors[0].detail, "is missing");
	assert_string_equal(body.errors[1].detail, "must be one of: one two");
	assert_string_equal(body.errors[2].detail, "must be 1 to 10");
	assert_string_equal(body.errors[3].detail, "must be true or false");
	assert_string_equal(body.errors[4].pointer, "/tags");
	assert_string_equal(body.errors[5].detail, "must be a string");

	assert_int_equal(parse("{\"name\":\"abcdef\"}", false), GUTS_EINVAL);
	assert_int_equal(parse("{\"name\":\"a\\u0007\"}", false), GUTS_EINVAL);
	assert_int_equal(parse("{\"name\":\"a\\n\"}", false), GUTS_EINVAL);
	assert_int_equal(parse("{\"name\":\"a\",\"count\":1.5}", false), GUTS_EINVAL);
	assert_int_equal(parse("{\"name\":\"a\",\"count\":-1}", false), GUTS_EINVAL);
	assert_int_equal(parse("{\"name\":\"a\",\"tags\":[\"a\",\"a\",\"a\",\"a\"]}", false), GUTS_EINVAL);
	assert_int_equal(parse("{\"name\":\"a\",\"tags\":{}}", false), GUTS_EINVAL);
	guts_body_deinit(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
