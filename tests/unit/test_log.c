/* test_log.c - levels, the sink, the limiter, and text that strangers wrote. */
#include "unit.h"

#include "base/err.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static struct {
	unsigned lines;
	enum guts_log_level level;
	char area[32], text[2000];
} seen;

static void
sink(void *owner, enum guts_log_level level, const char *area, const char *text)
{
	assert_ptr_equal(owner, &seen);
	seen.lines++;
	seen.level = level;
	snprintf(seen.area, sizeof(seen.area), "%s", area);
	snprintf(seen.text, sizeof(seen.text), "%s", text);
}

static int
setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	guts_log_set_sink(sink, &seen);
	guts_log_set_level(GUTS_LOG_NOTICE);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	guts_log_set_sink(NULL, NULL);
	return 0;
}

static void
drops_lines_above_the_level(void **state)
{
	(void)state;
	guts_log(GUTS_LOG_INFO, "test", "no");
	assert_int_equal(seen.lines, 0);
	guts_log(GUTS_LOG_NOTICE, "test", "key=%d", 5);
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.level, GUTS_LOG_NOTICE);
	assert_string_equal(seen.area, "test");
	assert_string_equal(seen.text, "key=5");
	guts_log_set_level(GUTS_LOG_ERROR);
	guts_log(GUTS_LOG_WARN, "test", "no");
	assert_int_equal(seen.lines, 1);
	guts_log_set_sink(NULL, NULL);
	guts_log(GUTS_LOG_ERROR, "test", "nobody listens");
	assert_int_equal(seen.lines, 1);
}

static void
one_event_is_one_line(void **state)
{
	char longer[3000];

	(void)state;
	guts_log(GUTS_LOG_ERROR, "test", "a\nb\x1b[31m\x7f");
	assert_string_equal(seen.text, "a?b?[31m?");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	guts_log(GUTS_LOG_ERROR, "test", "%s", longer);
	assert_int_equal(strlen(seen.text), 1023);
}

static void
limits_each_area_by_itself(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		guts_log_limited(GUTS_LOG_WARN, "noisy", "line %d", i);
	/* Ten at once and ten per second; the loop takes far less than a minute. */
	assert_in_range(seen.lines, 10, 700);
	guts_log_limited(GUTS_LOG_WARN, "quiet", "heard");
	assert_string_equal(seen.text, "heard");
	for (int i = 0; i < 100; i++) {
		char area[16];

		snprintf(area, sizeof(area), "area%d", i);
		guts_log_limited(GUTS_LOG_DEBUG, area, "below the level");
		guts_log_limited(GUTS_LOG_ERROR, area, "more areas than limiters");
	}
}

static void
levels_have_names(void **state)
{
	enum guts_log_level level;

	(void)state;
	for (int i = GUTS_LOG_ERROR; i <= GUTS_LOG_DEBUG; i++) {
		assert_int_equal(guts_log_level_parse(guts_log_level_name((enum guts_log_level)i), &level), GUTS_OK);
		assert_int_equal(level, i);
	}
	assert_int_equal(guts_log_level_parse("loud", &level), GUTS_EINVAL);
	assert_int_equal(guts_log_level_parse(NULL, &level), GUTS_EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(drops_lines_above_the_level, setup, teardown),
		cmocka_unit_test_setup_teardown(one_event_is_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_each_area_by_itself, setup, teardown),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
