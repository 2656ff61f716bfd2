/* Facts as they lie in the database: any bytes either fail or decode to what encodes to the same bytes. */
#include "fuzz.h"
#include "store/fact.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_arena a;
	struct guts_fact f;
	struct guts_buf b;

	guts_arena_init(&a, 16384);
	guts_buf_init(&b, GUTS_STORE_VALUE_MAX);
	if (guts_fact_decode(&f, guts_slice(data, size), &a) == GUTS_OK) {
		if (guts_fact_encode(&b, &f))
			abort();
		/* Unknown flags are dropped; everything else is exact. */
		if (b.len != size)
			abort();
	}
	guts_buf_deinit(&b);
	guts_arena_deinit(&a);
	return 0;
}
