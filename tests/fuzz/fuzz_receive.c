/* The head of a push: fed at once and in pieces of a size the input chooses, the parser comes to the same end. */
#include "fuzz.h"
#include "git/receive.h"

#include <stdlib.h>

/* Feed it all; *left gets the bytes behind the head. */
static int
feed(struct guts_receive *p, struct guts_slice in, size_t piece, size_t *left)
{
	struct guts_errinfo ei;
	int err = GUTS_EAGAIN;

	while (err == GUTS_EAGAIN && in.n > 0) {
		size_t n = in.n < piece ? in.n : piece, used;

		err = guts_receive_feed(p, guts_slice(in.p, n), &used, &ei);
		if (used > n || (err == GUTS_EAGAIN && used != n))
			abort();
		in = guts_slice(in.p + used, in.n - used);
	}
	*left = in.n;
	return err;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_receive *a, *b;
	const struct guts_receive_request *x, *y;
	size_t left_a, left_b;
	int err;

	if (size < 1)
		return 0;
	a = guts_receive_new(data[0] & 0x80 ? GUTS_SHA256 : GUTS_SHA1);
	b = guts_receive_new(data[0] & 0x80 ? GUTS_SHA256 : GUTS_SHA1);
	err = feed(a, guts_slice(data + 1, size - 1), size, &left_a);
	if (feed(b, guts_slice(data + 1, size - 1), (data[0] & 0x7f) + 1u, &left_b) != err)
		abort();
	x = guts_receive_request(a);
	y = guts_receive_request(b);
	if (err == GUTS_OK) {
		struct guts_buf out;

		if (left_a != left_b || x->ncmds != y->ncmds || x->noptions != y->noptions || x->has_pack != y->has_pack)
			abort();
		guts_buf_init(&out, 1u << 20);
		for (size_t i = 0; i < x->ncmds; i++) {
			struct guts_receive_status st = { .name = x->cmds[i].name, .error = x->cmds[i].err ? "bad" : NULL };

			if (strcmp(x->cmds[i].name, y->cmds[i].name) != 0)
				abort();
			if ((x->cmds[i].err == 0) != guts_refname_is_valid(guts_slice_str(x->cmds[i].name)))
				abort();
			guts_receive_report(&out, x, NULL, &st, 1);
		}
		guts_buf_deinit(&out);
	}
	guts_receive_free(a);
	guts_receive_free(b);
	return 0;
}
