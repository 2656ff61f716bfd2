/* The views of an event, and the sum of commit statuses. */
#include "view/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_event(void **state)
{
	struct guts_buf b;
	struct guts_json j;
	uint8_t repo[GUTS_REPOID_SIZE] = { 0 };
	struct guts_fact f = { .id = 7, .wall_ns = UINT64_C(1000000000), .type = "repo.ref.updated", .n = 2,
		.attr = { { .name = "ref", .text = { (const uint8_t *)"refs/heads/\xff", 12 } },
		    { .name = "count", .is_number = true, .number = 3 } } };

	(void)state;
	f.repo = guts_slice(repo, sizeof repo);
	guts_buf_init(&b, 1000);
	guts_json_init(&j, &b);
	guts_view_fact(&j, &f);
	assert_string_equal(guts_buf_cstr(&b),
	    "{\"id\":7,\"type\":\"repo.ref.updated\",\"time\":\"1970-01-01T00:00:01.000Z\","
	    "\"repo\":\"bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
	    "\"data\":{\"ref\":\"refs/heads/\xef\xbf\xbd\",\"count\":3}}");
	guts_buf_deinit(&b);
}

static void
test_combined(void **state)
{
	struct guts_status v[3] = { { .state = GUTS_STATUS_SUCCESS }, { .state = GUTS_STATUS_PENDING },
		{ .state = GUTS_STATUS_ERROR } };
	bool all[3] = { true, true, true }, two[3] = { true, true, false }, one[3] = { true, false, false },
	     none[3] = { false, false, false };

	(void)state;
	assert_string_equal(guts_view_combined(v, all, 3), "failure");
	assert_string_equal(guts_view_combined(v, two, 3), "pending");
	assert_string_equal(guts_view_combined(v, one, 3), "success");
	assert_string_equal(guts_view_combined(v, none, 3), "pending");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_combined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
