/* tests/unit/unit.h - cmocka and what it wants included first. */
#ifndef GUTS_TESTS_UNIT_H
#define GUTS_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"

static inline struct guts_slice
S(const char *s)
{
	return guts_slice_str(s);
}

static inline void
assert_slice_equal(struct guts_slice got, struct guts_slice want)
{
	assert_int_equal(got.n, want.n);
	if (want.n)
		assert_memory_equal(got.p, want.p, want.n);
}

#endif
