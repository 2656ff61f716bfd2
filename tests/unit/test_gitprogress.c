/* test_gitprogress.c - git's progress lines, whole and in pieces of every size. */
#include "git/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Reads to this, in pieces of whatever size. */
static void
gives(const char *in, uint64_t done, uint64_t total)
{
	size_t n = strlen(in);

	for (size_t size = 1; size <= n; size++) {
		struct guts_git_progress p = { 0 };
		bool changed = false;

		for (size_t i = 0; i < n; i += size)
			changed |= guts_git_progress_take(&p, guts_slice(in + i, n - i < size ? n - i : size));
		assert_int_equal(p.done, done);
		assert_int_equal(p.total, total);
		assert_int_equal(changed, total > 0);
	}
}

static void
lines_of_a_clone(void **state)
{
	(void)state;
	gives("Cloning into bare repository '/x'...\nremote: Enumerating objects: 9, done.\n"
	      "Receiving objects:  11% (1/9)\rReceiving objects:  44% (4/9), 1.50 MiB | 2.00 MiB/s\r", 4, 9);
	gives("Receiving objects: 100% (9/9), 2.00 MiB | 2.00 MiB/s, done.\nResolving deltas: 100% (3/3), done.\n", 9, 9);
	gives("Writing objects:   0% (0/70000)\r", 0, 70000);
}

static void
what_is_no_progress(void **state)
{
	char line[4 * GUTS_GIT_PROGRESS_LINE];

	(void)state;
	gives("remote: Receiving objects:  11% (1/9)\r", 0, 0);
	gives("Receiving objects:  11% (1/9)", 0, 0); /* not ended yet */
	gives("Receiving objects:  11% (-1/9)\rReceiving objects: (1\rReceiving objects: 1/9)\rReceiving objects: (1/9\r", 0, 0);
	gives("Receiving objects: (99999999999999999999/99999999999999999999)\r", 0, 0);
	memset(line, ' ', sizeof line);
	memcpy(line, "Receiving objects:", 18);
	snprintf(line + sizeof line - 8, 8, "(1/9)\r");
	gives(line, 0, 0); /* too far behind */
}

static void
the_same_again_is_no_change(void **state)
{
	struct guts_git_progress p = { 0 };

	(void)state;
	assert_true(guts_git_progress_take(&p, guts_slice_str("Writing objects:  50% (1/2)\r")));
	assert_false(guts_git_progress_take(&p, guts_slice_str("Writing objects:  50% (1/2), 1 KiB\r")));
	assert_true(guts_git_progress_take(&p, guts_slice_str("Writing objects: 100% (2/2), done.\n")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_a_clone),
		cmocka_unit_test(what_is_no_progress),
		cmocka_unit_test(the_same_again_is_no_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
