/* The file of last commits: what it says lies in the arena, and every entry has a name. */
#include "git/lastfile.h"
#include "fuzz.h"
#include "sealed.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_history_folder f;
	struct guts_arena a;
	uint8_t *text = fuzz_sealed(data, size);

	guts_arena_init(&a, 1u << 20);
	if (guts_lastfile_parse(guts_slice(text, size + GUTS_SHA1_SIZE), &a, &f) == 0) {
		for (size_t i = 0; i < f.n; i++)
			if (f.v[i].name == NULL || f.v[i].mode == 0 || strlen(f.v[i].name) > size)
				abort();
	}
	guts_lastfile_parse(guts_slice(data, size), &a, &f);
	guts_arena_deinit(&a);
	free(text);
	return 0;
}
