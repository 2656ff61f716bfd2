/* Ref names: whatever is taken stays below refs/, has no empty, dotted or over-long part, and no byte git forbids. */
#include "base/oid.h"
#include "fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t from = 0;

	if (!guts_refname_is_valid(guts_slice(data, size)))
		return 0;
	if (size < 6 || size > GUTS_REFNAME_MAX || memcmp(data, "refs/", 5) != 0)
		abort();
	for (size_t i = 0; i <= size; i++) {
		if (i < size && (data[i] <= ' ' || data[i] == 0x7f || strchr("~^:?*[\\", data[i])))
			abort();
		if (i < size && data[i] != '/')
			continue;
		if (i == from || i - from > 255 || data[from] == '.' || data[i - 1] == '/')
			abort();
		from = i + 1;
	}
	return 0;
}
