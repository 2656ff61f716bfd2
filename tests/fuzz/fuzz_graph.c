/* A commit-graph of up to two layers: whatever its bytes say, every commit, parent and filter is read inside them. */
#include "fuzz.h"
#include "git/graph.h"

#include <stdlib.h>
#include <string.h>

static void
read_all(struct guts_graph *g)
{
	uint32_t n = guts_graph_count(g), pos, parent, steps = 0;
	struct guts_graph_path path;

	guts_graph_path(&path, guts_slice_str("src/main.c"));
	for (uint32_t i = 0; i < n && i < 5000; i++) {
		struct guts_graph_parents it = guts_graph_parents(g, i);
		struct guts_graph_commit c;

		guts_graph_commit(g, i, &c);
		if (guts_graph_find(g, c.oid, &pos) && pos >= n)
			abort();
		while (guts_graph_next_parent(g, &it, &parent) && ++steps < 50000)
			if (parent >= n)
				abort();
		guts_graph_may_change(g, i, &path);
	}
	guts_graph_check(g);
}

/* The input: length of the first layer (2 bytes), the layers. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_slice layers[2];
	struct guts_graph *g;
	size_t first;

	if (size < 2)
		return 0;
	first = (size_t)data[0] << 8 | data[1];
	if (first > size - 2)
		first = size - 2;
	layers[0] = guts_slice(data + 2, first);
	layers[1] = guts_slice(data + 2 + first, size - 2 - first);
	if (guts_graph_of(&g, layers, layers[1].n ? 2 : 1) == 0) {
		read_all(g);
		guts_graph_close(g);
	}
	return 0;
}
