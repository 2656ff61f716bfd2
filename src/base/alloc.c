/* base/alloc.c - memory that is there or the program ends.
 *
 * Sizes that come here are ours or were compared with a cap, so a failure means a
 * machine out of memory or a fault of ours; neither can be handled where it shows.
 */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must(void *p, size_t n)
{
	if (p == NULL) {
		fprintf(stderr, "guts: out of memory (%zu bytes)\n", n);
		abort();
	}
	return p;
}

void *
guts_alloc(size_t n)
{
	return must(calloc(1, n ? n : 1), n);
}

void *
guts_calloc(size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		must(NULL, SIZE_MAX);
	return guts_alloc(n);
}

void *
guts_realloc(void *p, size_t n)
{
	return must(realloc(p, n ? n : 1), n);
}

void *
guts_memdup(const void *p, size_t n)
{
	char *copy;

	if (n == SIZE_MAX)
		must(NULL, n);
	copy = must(malloc(n + 1), n + 1);
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *
guts_strdup(const char *s)
{
	return s ? guts_memdup(s, strlen(s)) : NULL;
}

char *
guts_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *out = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return must(n < 0 ? NULL : out, 0);
}
