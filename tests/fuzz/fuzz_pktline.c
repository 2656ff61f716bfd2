/* git's frames: reading never passes the end, and what was read can be written again. */
#include "fuzz.h"
#include "git/pktline.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_slice in = guts_slice(data, size);
	struct guts_buf again;

	guts_buf_init(&again, GUTS_PKT_MAX);
	for (;;) {
		enum guts_pkt_kind kind, kind2;
		struct guts_slice frame, frame2;
		size_t used, used2;

		if (guts_pkt_read(in, &kind, &frame, &used))
			break;
		if (used < 4 || used > in.n || used > GUTS_PKT_MAX)
			abort();
		if (kind == GUTS_PKT_DATA) {
			guts_buf_clear(&again);
			if (guts_pkt_add(&again, frame) ||
			    guts_pkt_read(guts_buf_slice(&again), &kind2, &frame2, &used2) || used2 != used ||
			    !guts_slice_eq(frame, frame2))
				abort();
			guts_pkt_chomp(frame);
		}
		in = guts_slice(in.p + used, in.n - used);
	}
	guts_buf_deinit(&again);
	return 0;
}
