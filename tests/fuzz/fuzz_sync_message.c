/* tests/fuzz/fuzz_sync_message.c - frames of /guts/sync, each input as request and as response. */
#include "proto/messages.h"
#include "fuzz.h"
#include "recode.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_msg_response response, response2;
	struct guts_msg_request request, request2;
	struct guts_slice in = guts_slice(data, size);
	struct guts_arena arena;

	if (size > GUTS_MESSAGE_MAX)
		return 0;
	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	if (guts_msg_request_decode(&request, in, &arena) == 0) {
		guts_msg_request_kind(&request);
		fuzz_recode(&guts_msg_request_desc, &request, &request2, size);
	}
	if (guts_msg_response_decode(&response, in, &arena) == 0) {
		guts_msg_response_kind(&response);
		fuzz_recode(&guts_msg_response_desc, &response, &response2, size);
	}
	guts_arena_deinit(&arena);
	return 0;
}
