/* git/history_priv.h - commits as numbers, for the files of the history.  Private.
 *
 * A *node* is a commit: below `ngraph` its position in the commit-graph, from there on a *loose* one, read from the objects.
 */
#ifndef GUTS_GIT_HISTORY_PRIV_H
#define GUTS_GIT_HISTORY_PRIV_H

#include "git/graph.h"
#include "git/history.h"
#include "git/read_priv.h"

#define GUTS_HISTORY_READ_COST 100 /* an object that is read */

enum guts_node_mark { GUTS_NODE_SEEN = 1, GUTS_NODE_COUNTED = 2 };

struct guts_loose {
	uint8_t oid[GUTS_GRAPH_OID_BYTES], tree[GUTS_GRAPH_OID_BYTES];
	int64_t time_s;
	uint32_t *parents;
	uint32_t nparents;
	uint8_t marks;
	bool is_read, is_missing;
};

struct guts_history {
	struct guts_read *read;
	struct guts_graph *graph;   /* NULL = none */
	uint32_t ngraph;
	uint8_t *marks;             /* of the graph's nodes */
	struct guts_loose *loose;
	uint32_t nloose, loose_cap;
	uint32_t *slots, nslots;    /* hash table of loose nodes: index + 1; a power of two */
	uint32_t *parents;          /* of the node asked for last */
	size_t parents_cap;
	struct guts_heap {
		struct guts_heap_item {
			int64_t time_s;
			uint32_t turn, node;
		} *v;
		size_t n, cap;
		uint32_t turn;
	} heap;
	uint64_t work;              /* left */
	bool incomplete;
	bool graph_lies;            /* it says something else than a commit */
	bool was_damaged;
};

/* Start a question: nothing marked, nothing queued. */
void guts_history_begin(struct guts_history *h);

/* Run `ask` (with `arg`); if the graph turns out to be damaged, once more without it. */
int guts_history_ask(struct guts_history *h, int (*ask)(struct guts_history *h, void *arg), void *arg);

/* Spend work; false: all is spent, and the answer is incomplete. */
bool guts_history_spend(struct guts_history *h, uint64_t cost);

/* The node of the commit that `id` is or, being a tag, points at.  Errors: GUTS_ENOTFOUND, GUTS_EUNSUPPORTED. */
int guts_node_of(struct guts_history *h, const struct guts_oid *id, uint32_t *node);

struct guts_oid guts_node_oid(const struct guts_history *h, uint32_t node);

/* Its committer's time and its tree; of a commit that cannot be read 0 and NULL. */
int64_t guts_node_time(struct guts_history *h, uint32_t node);
const uint8_t *guts_node_tree(struct guts_history *h, uint32_t node);

/* Its parents; *v is valid until the next call. */
size_t guts_node_parents(struct guts_history *h, uint32_t node, const uint32_t **v);

/* Set a mark; false: it was set. */
bool guts_node_mark(struct guts_history *h, uint32_t node, enum guts_node_mark mark);

/* May the node have changed the path against its first parent? */
bool guts_node_may_change(const struct guts_history *h, uint32_t node, const struct guts_graph_path *path);

/* The queue of a walk: newest first, of equal ones the first that was pushed. */
void guts_heap_push(struct guts_history *h, uint32_t node);
bool guts_heap_pop(struct guts_history *h, uint32_t *node);

/* An entry of a tree, found by name in the tree's own bytes. */
struct guts_tree_entry {
	uint32_t mode;              /* 0 = none */
	const char *name;
	const uint8_t *oid;
};

/* The bytes of a tree; NULL if it cannot be read.  Free with git_odb_object_free. */
git_odb_object *guts_tree_read(struct guts_history *h, const uint8_t *oid);

/* The entry at *p of a tree's bytes; advances *p.  false: there is no further one. */
bool guts_tree_next(struct guts_slice *left, struct guts_tree_entry *out);

/* What is at `path` (not empty, without slashes at its ends) below the tree `oid` (NULL: nothing is).  *out's name is not set; its id
 * is written to `id`. */
void guts_tree_find(struct guts_history *h, const uint8_t *oid, struct guts_slice path, uint8_t id[GUTS_GRAPH_OID_BYTES],
    struct guts_tree_entry *out);

/* Is the same at `path` below both trees? */
bool guts_tree_same(struct guts_history *h, const uint8_t *x, const uint8_t *y, struct guts_slice path);

/* Without slashes at its ends. */
struct guts_slice guts_history_trim(struct guts_slice path);

#endif
