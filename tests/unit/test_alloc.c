/* test_alloc.c - memory of sizes we choose. */
#include "unit.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void
is_zeroed_and_never_null(void **state)
{
	uint8_t *p = guts_alloc(64), *none = guts_alloc(0);
	uint32_t *array = guts_calloc(8, sizeof(*array));

	(void)state;
	for (int i = 0; i < 64; i++)
		assert_int_equal(p[i], 0);
	assert_non_null(none);
	assert_int_equal(array[7], 0);
	p = guts_realloc(p, 0);
	assert_non_null(p);
	free(p);
	free(none);
	free(array);
}

static void
copies_end_with_a_nul(void **state)
{
	char *copy = guts_memdup("ab\0c", 4), *s = guts_strdup("text"), *nothing = guts_memdup(NULL, 0);

	(void)state;
	assert_memory_equal(copy, "ab\0c", 5);
	assert_string_equal(s, "text");
	assert_string_equal(nothing, "");
	assert_null(guts_strdup(NULL));
	free(copy);
	free(s);
	free(nothing);
}

static void
prints_into_memory(void **state)
{
	char *s = guts_asprintf("%s-%d", "a", 12);

	(void)state;
	assert_string_equal(s, "a-12");
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_zeroed_and_never_null),
		cmocka_unit_test(copies_end_with_a_nul),
		cmocka_unit_test(prints_into_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
