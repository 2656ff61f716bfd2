/* test_args.c - options and operands of a command line. */
#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct guts_opt own[] = {
	{ "name", 'n', "NAME", "a name" },
	{ "force", 'f', NULL, "a switch" },
	{ NULL, 0, NULL, NULL },
};
static const struct guts_opt common[] = { { "json", 0, NULL, "JSON" }, { NULL, 0, NULL, NULL } };
static const struct guts_opt *const tables[] = { own, common, NULL };

static struct guts_args args;

static int
parse(struct guts_errinfo *ei, int argc, const char *const *argv)
{
	char *copy[16];

	for (int i = 0; i < argc; i++)
		copy[i] = (char *)(uintptr_t)argv[i];
	return guts_args_parse(&args, argc, copy, tables, ei);
}
#define PARSE(ei, ...) \
	parse(ei, (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)), (const char *const[]){ __VA_ARGS__ })

static void
all_forms_of_an_option(void **state)
{
	struct guts_errinfo ei = { 0 };

	(void)state;
	assert_int_equal(PARSE(&ei, "--name", "a", "--name=b", "-n", "c", "-nd", "--name=", "x", "--json"), 0);
	assert_string_equal(guts_args_nth(&args, "name", 0), "a");
	assert_string_equal(guts_args_nth(&args, "name", 1), "b");
	assert_string_equal(guts_args_nth(&args, "name", 2), "c");
	assert_string_equal(guts_args_nth(&args, "name", 3), "d");
	assert_string_equal(guts_args_nth(&args, "name", 4), "");
	assert_null(guts_args_nth(&args, "name", 5));
	assert_string_equal(guts_args_get(&args, "name"), "");
	assert_non_null(guts_args_get(&args, "json"));
	assert_null(guts_args_get(&args, "force"));
	assert_int_equal(args.npos, 1);
	assert_string_equal(args.pos[0], "x");
}

static void
two_dashes_end_the_options(void **state)
{
	struct guts_errinfo ei = { 0 };

	(void)state;
	assert_int_equal(PARSE(&ei, "-f", "--", "--name", "-", "-f"), 0);
	assert_int_equal(args.nset, 1);
	assert_int_equal(args.npos, 3);
	assert_string_equal(args.pos[0], "--name");
	assert_int_equal(PARSE(&ei, "-", "-f"), 0); /* a lone dash is an operand */
	assert_int_equal(args.npos, 1);
}

static void
what_is_wrong_is_said(void **state)
{
	struct guts_errinfo ei = { 0 };

	(void)state;
	assert_int_equal(PARSE(&ei, "--nam", "x"), GUTS_EINVAL);
	assert_string_equal(ei.text, "there is no option --nam; did you mean --name?");
	assert_int_equal(PARSE(&ei, "--zzzzzzzz"), GUTS_EINVAL);
	assert_string_equal(ei.text, "there is no option --zzzzzzzz");
	assert_int_equal(PARSE(&ei, "-x"), GUTS_EINVAL);
	assert_string_equal(ei.text, "there is no option -x");
	assert_int_equal(PARSE(&ei, "--name"), GUTS_EINVAL);
	assert_string_equal(ei.text, "--name needs a value: --name NAME");
	assert_int_equal(PARSE(&ei, "--force=1"), GUTS_EINVAL);
	assert_string_equal(ei.text, "--force takes no value");
}

static void
numbers_have_a_range(void **state)
{
	struct guts_errinfo ei = { 0 };
	uint64_t n = 7;

	(void)state;
	assert_int_equal(PARSE(&ei, "--json"), 0);
	assert_int_equal(guts_args_number(&args, "name", 1, 9, &n, &ei), 0);
	assert_int_equal(n, 7);
	assert_int_equal(PARSE(&ei, "-n", "9"), 0);
	assert_int_equal(guts_args_number(&args, "name", 1, 9, &n, &ei), 0);
	assert_int_equal(n, 9);
	for (const char *const *bad = (const char *const[]){ "0", "10", "-1", "1x", "", "99999999999999999999", NULL }; *bad; bad++) {
		assert_int_equal(PARSE(&ei, "-n", *bad), 0);
		assert_int_equal(guts_args_number(&args, "name", 1, 9, &n, &ei), GUTS_EINVAL);
		assert_int_equal(n, 9);
	}
}

static void
there_is_a_cap(void **state)
{
	static char *many[GUTS_ARGS_MAX + 1];
	struct guts_errinfo ei = { 0 };
	char word[] = "x", option[] = "-f";

	(void)state;
	for (int i = 0; i <= GUTS_ARGS_MAX; i++)
		many[i] = word;
	assert_int_equal(guts_args_parse(&args, GUTS_ARGS_MAX, many, tables, &ei), 0);
	assert_int_equal(guts_args_parse(&args, GUTS_ARGS_MAX + 1, many, tables, &ei), GUTS_ELIMIT);
	for (int i = 0; i <= GUTS_ARGS_MAX; i++)
		many[i] = option;
	assert_int_equal(guts_args_parse(&args, GUTS_ARGS_MAX + 1, many, tables, &ei), GUTS_ELIMIT);
}

static void
words_have_a_distance(void **state)
{
	(void)state;
	assert_int_equal(guts_args_distance("status", "status"), 0);
	assert_int_equal(guts_args_distance("stauts", "status"), 2);
	assert_int_equal(guts_args_distance("", "abc"), 3);
	assert_int_equal(guts_args_distance("abc", ""), 3);
	assert_int_equal(guts_args_distance("abc", "abd"), 1);
	assert_int_equal(guts_args_distance("a-word-that-is-longer-than-the-limit-here", "x"), 99);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_of_an_option),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(numbers_have_a_range),
		cmocka_unit_test(there_is_a_cap),
		cmocka_unit_test(words_have_a_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
