/* tests/fuzz/fuzz_gossip_rpc.c - gossipsub's RPC, with the signature check of each message. */
#include "proto/libp2p.h"
#include "fuzz.h"
#include "recode.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_arena arena;
	struct guts_peerid from;
	struct guts_rpc rpc, rpc2;

	if (size > GUTS_GOSSIP_RPC_MAX || guts_crypto_init())
		return 0;
	guts_arena_init(&arena, 4u << 20);
	if (guts_pb_decode(&guts_rpc_desc, guts_slice(data, size), &rpc, &arena) == 0) {
		fuzz_recode(&guts_rpc_desc, &rpc, &rpc2, size);
		for (size_t i = 0; i < rpc.publish.n && i < 8; i++)
			guts_rpc_message_verify(&rpc.publish.v[i], &from);
	}
	guts_arena_deinit(&arena);
	return 0;
}
