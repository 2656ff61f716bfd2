/* Multistream-select: any bytes, in any pieces, to a dialer and to a listener; the pieces must not matter. */
#include "base/err.h"
#include "fuzz.h"
#include "mux/multistream.h"

#include <stdlib.h>

static const char *const names[] = { "/a/1", "/b/1", "/noise" };

static const void *
lookup(void *owner, struct guts_slice name)
{
	(void)owner;
	for (size_t i = 0; i < 3; i++)
		if (guts_slice_eq(name, guts_slice_str(names[i])))
			return names[i];
	return NULL;
}

struct result {
	int err;
	size_t used;
	bool done;
	const void *choice;
	size_t chosen;
};

static struct result
feed(bool dialer, const uint8_t *data, size_t size, size_t step)
{
	struct result r = { 0 };
	struct guts_msel m;

	if (dialer)
		guts_msel_dial(&m, names, 3);
	else
		guts_msel_listen(&m, lookup, NULL);
	while (r.used < size && !r.err && !m.done) {
		size_t n = size - r.used < step ? size - r.used : step, used;

		r.err = guts_msel_recv(&m, guts_slice(data + r.used, n), &used);
		if (!r.err && used < n && !m.done)
			abort();
		r.used += used;
	}
	r.done = m.done;
	r.choice = m.choice;
	r.chosen = m.chosen;
	guts_msel_deinit(&m);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int dialer = 0; dialer < 2; dialer++) {
		struct result a = feed(dialer, data, size, size), b = feed(dialer, data, size, 1);

		if (a.err != b.err || a.done != b.done || a.choice != b.choice || a.chosen != b.chosen)
			abort();
		if (!a.err && a.used != b.used)
			abort();
	}
	return 0;
}
