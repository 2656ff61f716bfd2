/* tests/fuzz/fuzz_kad.c - Kademlia's message. */
#include "proto/libp2p.h"
#include "fuzz.h"
#include "recode.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_kad_message m, again;
	struct guts_arena arena;

	if (size > GUTS_KAD_MESSAGE_MAX)
		return 0;
	guts_arena_init(&arena, 1u << 20);
	if (guts_pb_decode(&guts_kad_message_desc, guts_slice(data, size), &m, &arena) == 0)
		fuzz_recode(&guts_kad_message_desc, &m, &again, size);
	guts_arena_deinit(&arena);
	return 0;
}
