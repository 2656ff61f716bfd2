/* A request for refs: every prefix lies in it, and a request that is understood begins as one. */
#include "fuzz.h"
#include "git/lsrefs.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_slice request = guts_slice(data, size);
	struct guts_lsrefs q;

	if (guts_lsrefs_parse(&q, request, GUTS_SHA1))
		return 0;
	if (q.n > GUTS_LSREFS_PREFIXES_MAX)
		abort();
	for (size_t i = 0; i < q.n; i++) {
		if (q.prefixes[i].p < data || q.prefixes[i].p + q.prefixes[i].n > data + size)
			abort();
	}
	for (size_t n = 0; n <= size; n++) {
		struct guts_slice head = guts_slice(data, n);

		/* a length in capital digits is read too, and goes to git */
		if (!guts_lsrefs_begins(head) && guts_lsrefs_begins(request))
			abort();
	}
	return 0;
}
