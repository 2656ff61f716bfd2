/* test_doc.c - reading JSON answers: every question has an answer. */
#include "view/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
values_are_found_by_path(void **state)
{
	const char *text = "{\"a\":{\"b\":[1,-2,\"x\",true,null]},\"n\":18446744073709551615,\"s\":\"t\",\"neg\":-1}\n";
	struct guts_doc *d = NULL;
	struct guts_errinfo ei = { 0 };
	struct guts_jv root, list, m;
	struct guts_buf out;
	void *pos = NULL;

	(void)state;
	assert_int_equal(guts_doc_parse(&d, guts_slice_str(text), &ei), 0);
	root = guts_doc_root(d);
	list = guts_jv_get(root, "a.b");
	assert_int_equal(guts_jv_count(list), 5);
	assert_int_equal(guts_jv_u64(guts_jv_at(list, 0), 9), 1);
	assert_int_equal(guts_jv_u64(guts_jv_at(list, 1), 9), 9);
	assert_int_equal(guts_jv_i64(guts_jv_at(list, 1), 9), -2);
	assert_string_equal(guts_jv_str(guts_jv_at(list, 2), ""), "x");
	assert_true(guts_jv_bool(guts_jv_at(list, 3), false));
	assert_null(guts_jv_at(list, 4).o);
	assert_null(guts_jv_at(list, 5).o);
	assert_true(guts_jv_u64_of(root, "n") == UINT64_MAX);
	assert_string_equal(guts_jv_str_of(root, "s"), "t");
	assert_string_equal(guts_jv_next(root, &pos, &m), "a");
	assert_string_equal(guts_jv_next(root, &pos, &m), "n");
	guts_buf_init(&out, 1000);
	guts_jv_print(list, &out);
	assert_string_equal(guts_buf_cstr(&out), "[1,-2,\"x\",true,null]");
	guts_buf_deinit(&out);
	guts_doc_free(d);
}

static void
what_is_not_there_is_none(void **state)
{
	struct guts_jv none = { NULL }, m;
	struct guts_doc *d = NULL;
	void *pos = NULL;

	(void)state;
	assert_null(guts_jv_get(none, "a.b.c").o);
	assert_int_equal(guts_jv_count(none), 0);
	assert_string_equal(guts_jv_str_of(none, "x"), "");
	assert_int_equal(guts_jv_u64_of(none, "x"), 0);
	assert_false(guts_jv_bool_of(none, "x"));
	assert_null(guts_jv_next(none, &pos, &m));
	assert_int_equal(guts_doc_parse(&d, guts_slice_str("{\"a\":\"text\"}"), NULL), 0);
	assert_null(guts_jv_get(guts_doc_root(d), "a.b").o);
	assert_null(guts_jv_at(guts_jv_get(guts_doc_root(d), "a"), 0).o);
	assert_int_equal(guts_jv_u64_of(guts_doc_root(d), "a"), 0);
	guts_doc_free(d);
	guts_doc_free(NULL);
}

static void
only_one_whole_value_is_json(void **state)
{
	static const char *const good[] = { "1", " [] ", "\"x\"", "null", "{\"a\":1}\r\n", "-5" };
	static const char *const bad[] = { "", "{", "[1", "{} {}", "[]x", "\"\xff\"", "nul", "[1,]" };
	struct guts_doc *d;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		d = NULL;
		if (guts_doc_parse(&d, guts_slice_str(good[i]), NULL) != 0)
			fail_msg("refused: %s", good[i]);
		guts_doc_free(d);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct guts_errinfo ei = { 0 };

		d = NULL;
		if (guts_doc_parse(&d, guts_slice_str(bad[i]), &ei) != GUTS_EPROTO)
			fail_msg("taken: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_path),
		cmocka_unit_test(what_is_not_there_is_none),
		cmocka_unit_test(only_one_whole_value_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
