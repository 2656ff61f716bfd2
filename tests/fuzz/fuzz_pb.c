/* tests/fuzz/fuzz_pb.c - varints, frames, and a table with every kind of field. */
#include "../unit/pb_sample.h"

#include "fuzz.h"
#include "recode.h"
#include "wire/varint.h"

#include <stdlib.h>

/* A varint that is read is the one that would be written. */
static void
check_varint(struct guts_slice in)
{
	uint8_t again[GUTS_UVARINT_MAX_SIZE];
	struct guts_slice frame;
	uint64_t value;
	size_t n;

	if (guts_uvarint_read(in, &value, &n) == 0)
		assert(guts_uvarint_write(again, value) == n && guts_slice_eq(guts_slice(again, n), guts_slice(in.p, n)));
	if (guts_frame_read(in, 1000, &frame, &n) == 0)
		assert(n <= in.n && frame.p + frame.n == in.p + n && frame.n <= 1000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_arena arena;
	struct sample s, again;

	if (size > 1u << 16)
		return 0;
	check_varint(guts_slice(data, size));
	guts_arena_init(&arena, 1u << 16);
	if (guts_pb_decode(&sample_desc, guts_slice(data, size), &s, &arena) == 0)
		fuzz_recode(&sample_desc, &s, &again, size);
	guts_arena_deinit(&arena);
	return 0;
}
