/* packed-refs: any bytes are read without fault into sorted rows without repetition. */
#include "fuzz.h"
#include "git/refsfile.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_refsfile f, out;
	unsigned bad = 0;

	if (guts_refsfile_parse(&f, guts_slice(data, size), &bad))
		abort();
	for (size_t i = 1; i < f.n; i++)
		if (guts_slice_cmp(f.v[i - 1].name, f.v[i].name) >= 0)
			abort();
	if (guts_refsfile_merge(&out, &f, NULL, 0, false, NULL, NULL) != 0 || out.n != f.n)
		abort();
	for (size_t i = 0; i < f.n; i++)
		if (guts_refsfile_find(&f, f.v[i].name) != &f.v[i])
			abort();
	guts_refsfile_deinit(&out);
	guts_refsfile_deinit(&f);
	return 0;
}
