/* The first look at a pack: at once or byte by byte, the same verdict, and never more objects than promised. */
#include "fuzz.h"
#include "git/packscan.h"

#include <stdlib.h>

static int
scan(const uint8_t *data, size_t size, size_t piece)
{
	static const struct guts_packscan_limits limits = { .bytes_max = 1u << 20, .objects_max = 1000,
		.object_max = 1u << 16, .hash_bytes = 20 };
	struct guts_packscan *p = guts_packscan_new(&limits);
	struct guts_errinfo ei;
	int err = GUTS_OK;

	for (size_t i = 0; i < size && !err; i += piece)
		err = guts_packscan_feed(p, guts_slice(data + i, size - i < piece ? size - i : piece), &ei);
	if (!err)
		err = guts_packscan_finish(p, &ei);
	if (guts_packscan_objects(p) > guts_packscan_promised(p))
		abort();
	if (!err && guts_packscan_objects(p) != guts_packscan_promised(p))
		abort();
	guts_packscan_free(p);
	return err;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int whole = scan(data, size, size ? size : 1);

	/* The order in which two faults are met may differ, but not whether there is one. */
	if ((whole == GUTS_OK) != (scan(data, size, 1) == GUTS_OK))
		abort();
	return 0;
}
