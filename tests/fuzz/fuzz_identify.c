/* tests/fuzz/fuzz_identify.c - Identify, its merging, and the peer record inside. */
#include "proto/libp2p.h"
#include "fuzz.h"
#include "recode.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_identify id, again, merged = { 0 };
	static struct guts_peerrecord record;
	struct guts_arena arena;

	if (size > GUTS_IDENTIFY_RECV_MAX || guts_crypto_init())
		return 0;
	guts_peerrecord_open(&record, guts_slice(data, size));
	guts_arena_init(&arena, 1u << 20);
	if (guts_pb_decode(&guts_identify_desc, guts_slice(data, size), &id, &arena) == 0) {
		fuzz_recode(&guts_identify_desc, &id, &again, size);
		guts_identify_merge(&merged, &id);
		fuzz_recode(&guts_identify_desc, &merged, &again, size);
		if (id.has_signed_peer_record)
			guts_peerrecord_open(&record, id.signed_peer_record);
	}
	guts_arena_deinit(&arena);
	return 0;
}
