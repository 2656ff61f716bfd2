/* test_err.c - every error has its row. */
#include "unit.h"

#include "base/err.h"

#include <string.h>

static void
every_code_has_name_text_and_status(void **state)
{
	(void)state;
	for (int err = GUTS_OK; err >= GUTS_EINTERNAL; err--) {
		assert_string_not_equal(guts_err_name(err), "unknown");
		assert_true(strlen(guts_err_text(err)) > 0);
		assert_in_range(guts_err_http_status(err), err == GUTS_OK ? 200 : 400, err == GUTS_OK ? 200 : 599);
		for (int other = err + 1; other <= GUTS_OK; other++)
			assert_string_not_equal(guts_err_name(err), guts_err_name(other));
	}
	assert_string_equal(guts_err_name(GUTS_ENOTFOUND), "not_found");
	assert_int_equal(guts_err_http_status(GUTS_ENOTFOUND), 404);
}

static void
anything_else_is_unknown(void **state)
{
	const int codes[] = { 1, GUTS_EINTERNAL - 1, INT32_MIN, INT32_MAX };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(guts_err_name(codes[i]), "unknown");
		assert_int_equal(guts_err_http_status(codes[i]), 500);
	}
}

static void
set_keeps_code_and_cuts_text(void **state)
{
	struct guts_errinfo ei;
	char longer[400];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(guts_err_set(&ei, GUTS_EIO, "%s", longer), GUTS_EIO);
	assert_int_equal(ei.code, GUTS_EIO);
	assert_int_equal(strlen(ei.text), sizeof(ei.text) - 1);
	assert_int_equal(guts_err_set(NULL, GUTS_EBUSY, "%d", 1), GUTS_EBUSY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_name_text_and_status),
		cmocka_unit_test(anything_else_is_unknown),
		cmocka_unit_test(set_keeps_code_and_cuts_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
