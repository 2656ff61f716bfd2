/* tests/fuzz/fuzz_node_message.c - frames of /guts/node, and gossip data on the repository topics. */
#include "proto/messages.h"
#include "fuzz.h"
#include "recode.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_msg_new_repository repository, repository2;
	struct guts_msg_gossip_payload payload, payload2;
	struct guts_slice in = guts_slice(data, size);
	struct guts_msg_node node, node2;
	struct guts_arena arena;

	if (size > GUTS_MSG_NODE_MAX)
		return 0;
	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	if (guts_msg_node_decode(&node, in, &arena) == 0) {
		guts_msg_node_kind(&node);
		fuzz_recode(&guts_msg_node_desc, &node, &node2, size);
	}
	if (guts_msg_gossip_payload_decode(&payload, in, &arena) == 0)
		fuzz_recode(&guts_msg_gossip_payload_desc, &payload, &payload2, size);
	if (guts_msg_new_repository_decode(&repository, in, &arena) == 0)
		fuzz_recode(&guts_msg_new_repository_desc, &repository, &repository2, size);
	guts_arena_deinit(&arena);
	return 0;
}
