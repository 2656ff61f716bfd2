/* git/graph.h - reading git's commit-graph: ids, parents, times and trees of all commits without inflating one.
 *
 * git writes the files (git/graphwrite.c); they say nothing that the commits do not say, so whoever finds them missing or damaged
 * reads the commits instead.  A graph is a chain of layers; a commit's *position* counts through all of them, oldest layer first,
 * and its parents lie in its own layer or below.  Everything that a file says is checked before it is used: a wrong
 * offset or position makes the graph damaged, never a read outside the file.
 *
 * With changed-path filters (Bloom filters) a graph also says which commits certainly did not change a path.
 *
 * Thread: any; a graph is not changed after it was opened, but for its mark of damage: one thread at a time.
 * Source: gitformat-commit-graph(5).
 */
#ifndef GUTS_GIT_GRAPH_H
#define GUTS_GIT_GRAPH_H

#include "base/err.h"
#include "base/slice.h"

#define GUTS_GRAPH_OID_BYTES 20
#define GUTS_GRAPH_LAYERS_MAX 64
#define GUTS_GRAPH_DIR "objects/info/commit-graphs" /* in a repository */

struct guts_graph;

/* Open the graph of the bare repository at `repo_path`.  Errors: GUTS_ENOTFOUND (none), GUTS_EPROTO (damaged), GUTS_EIO. */
int guts_graph_open(struct guts_graph **out, const char *repo_path);

/* A graph of layers in memory, oldest first; they are borrowed.  Errors: GUTS_EPROTO. */
int guts_graph_of(struct guts_graph **out, const struct guts_slice *layers, size_t n);
void guts_graph_close(struct guts_graph *g);

/* Read it all: checksums, order of ids, parents before children.  Errors: GUTS_EPROTO. */
int guts_graph_check(struct guts_graph *g);

/* Commits in all layers: positions are below it. */
uint32_t guts_graph_count(const struct guts_graph *g);

/* Was a position met that cannot be? */
bool guts_graph_is_damaged(const struct guts_graph *g);

/* The position of a commit; false: it is not in the graph. */
bool guts_graph_find(const struct guts_graph *g, const uint8_t oid[GUTS_GRAPH_OID_BYTES], uint32_t *pos);

struct guts_graph_commit {
	const uint8_t *oid, *tree;  /* in the file */
	uint64_t time_s;            /* committer's [s since 1970], modulo 2^34 */
	uint32_t generation;        /* topological level: above that of each parent; 0 = not computed */
};

/* pos < count. */
void guts_graph_commit(const struct guts_graph *g, uint32_t pos, struct guts_graph_commit *out);

/* The parents of the commit at `pos`, one per call, in the commit's order:
 *	struct guts_graph_parents it = guts_graph_parents(g, pos);
 *	while (guts_graph_next_parent(g, &it, &parent)) … */
struct guts_graph_parents {
	uint32_t first, second, edge; /* private */
	size_t layer;
	unsigned step;
};
struct guts_graph_parents guts_graph_parents(const struct guts_graph *g, uint32_t pos);
bool guts_graph_next_parent(struct guts_graph *g, struct guts_graph_parents *it, uint32_t *parent);

/* A path ("a/b", a file or a folder) as the filters have it: itself and the folders above it. */
#define GUTS_GRAPH_PARTS_MAX 4 /* of a deeper path the last ones are looked up */
struct guts_graph_path {
	struct guts_graph_part {
		uint32_t h0, h1;
	} v[GUTS_GRAPH_PARTS_MAX];
	uint32_t n;
	bool is_ascii; /* only such paths are looked up: version 1 of the filters hashes others as the writer's machine has its char */
};
void guts_graph_path(struct guts_graph_path *out, struct guts_slice path);

/* May the commit have changed the path against its first parent (against nothing, if it has none)?  false: certainly not. */
bool guts_graph_may_change(const struct guts_graph *g, uint32_t pos, const struct guts_graph_path *path);

#endif
