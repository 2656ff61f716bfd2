/* tests/fuzz/recode.h - the property of every table: what was decoded encodes, and to a fixed point. */
#ifndef TESTS_FUZZ_RECODE_H
#define TESTS_FUZZ_RECODE_H

#include "wire/pb.h"

#include <assert.h>

/* `msg` was decoded by `d` from at most `max` bytes: encode it, decode that into `again` (as large as
 * msg) and encode once more; both encodings must be equal. */
static inline void
fuzz_recode(const struct guts_pb_desc *d, const void *msg, void *again, size_t max)
{
	struct guts_arena arena;
	struct guts_buf a, b;

	guts_arena_init(&arena, 16u << 20);
	guts_buf_init(&a, max + 64);
	guts_buf_init(&b, max + 64);
	assert(guts_pb_encode(d, msg, &a) == 0);
	assert(a.len == guts_pb_size(d, msg));
	assert(guts_pb_decode(d, guts_buf_slice(&a), again, &arena) == 0);
	assert(guts_pb_encode(d, again, &b) == 0);
	assert(guts_slice_eq(guts_buf_slice(&a), guts_buf_slice(&b)));
	guts_buf_deinit(&a);
	guts_buf_deinit(&b);
	guts_arena_deinit(&arena);
}

#endif
