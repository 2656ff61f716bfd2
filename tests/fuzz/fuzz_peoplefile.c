/* The file of contributors: what it says lies in the arena, and everybody has commits. */
#include "git/peoplefile.h"
#include "fuzz.h"
#include "sealed.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_history_people p;
	struct guts_arena a;
	uint8_t *text = fuzz_sealed(data, size);

	guts_arena_init(&a, 1u << 20);
	if (guts_peoplefile_parse(guts_slice(text, size + GUTS_SHA1_SIZE), &a, &p) == 0) {
		for (size_t i = 0; i < p.n; i++)
			if (p.v[i].commits == 0 || strlen(p.v[i].name) + strlen(p.v[i].email) > size)
				abort();
	}
	guts_peoplefile_parse(guts_slice(data, size), &a, &p);
	guts_arena_deinit(&a);
	free(text);
	return 0;
}
