/* git/historylast.c - which commit changed each entry of a folder last.
 *
 * Every entry goes back in time by itself: from a commit to the first of its parents that has the same entry, until there is none;
 * that commit changed it.  Entries that are at the same commit go together, as a *group*, and the newest group moves first, so
 * groups that part at a merge meet again.  Where the filters say that a commit did not change an entry, no tree is read.
 *
 * The answer depends on nothing but entry and commit.  So a group that arrives at a commit for which all answers are known is done.
 */
#include "git/history_priv.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <uthash.h>

struct group {
	uint32_t node;
	uint32_t *v;             /* indexes of entries, rising */
	size_t n;
	UT_hash_handle hh;
};

struct folder {
	const struct guts_oid *tip;
	struct guts_slice dir;
	const struct guts_history_folder *known;
	struct guts_arena *a;
	struct guts_history_folder *out;
	struct guts_graph_path dir_path, *paths; /* of the entries */
	struct group *groups;
	bool has_known;
	uint32_t known_node;
};

/* -- entries ------------------------------------------------------------------------- */

static bool
is_folder(uint32_t mode)
{
	return (mode & 0170000) == 0040000;
}

/* Compare as git orders a tree: a folder's name as if it ended with a slash. */
static int
tree_order(const char *x, uint32_t xmode, const char *y, uint32_t ymode)
{
	size_t nx = strlen(x), ny = strlen(y), n = nx < ny ? nx : ny;
	int c = memcmp(x, y, n);
	unsigned char cx, cy;

	if (c)
		return c;
	cx = (unsigned char)(nx > n ? x[n] : is_folder(xmode) ? '/' : '\0');
	cy = (unsigned char)(ny > n ? y[n] : is_folder(ymode) ? '/' : '\0');
	return cx < cy ? -1 : cx > cy;
}

static int
add_entry(struct folder *f, const struct guts_tree_entry *e)
{
	struct guts_history_entry *x = &f->out->v[f->out->n];
	size_t n = strlen(e->name);
	char *path = guts_asprintf("%.*s%s%s", (int)f->dir.n, (const char *)f->dir.p, f->dir.n ? "/" : "", e->name);

	memset(x, 0, sizeof(*x));
	x->name = guts_read_text(f->a, e->name, n);
	x->mode = e->mode;
	guts_oid_from_bytes(&x->oid, guts_slice(e->oid, GUTS_GRAPH_OID_BYTES));
	guts_graph_path(&f->paths[f->out->n], guts_slice_str(path));
	free(path);
	f->out->n++;
	return x->name ? GUTS_OK : GUTS_ELIMIT;
}

/* The tree of the folder at a node, or NULL. */
static git_odb_object *
folder_at(struct guts_history *h, const struct folder *f, uint32_t node)
{
	const uint8_t *tree = guts_node_tree(h, node);
	uint8_t id[GUTS_GRAPH_OID_BYTES];
	struct guts_tree_entry e;

	if (f->dir.n > 0) {
		guts_tree_find(h, tree, f->dir, id, &e);
		tree = is_folder(e.mode) ? id : NULL;
	}
	return tree ? guts_tree_read(h, tree) : NULL;
}

static int
read_entries(struct guts_history *h, struct folder *f, uint32_t node)
{
	git_odb_object *obj = folder_at(h, f, node);
	struct guts_tree_entry e;
	struct guts_slice left;
	size_t max = 0;
	int err = GUTS_OK;

	if (obj == NULL)
		return h->incomplete ? GUTS_EUNAVAILABLE : GUTS_ENOTFOUND;
	left = guts_slice(git_odb_object_data(obj), git_odb_object_size(obj));
	while (max < GUTS_READ_ENTRIES_MAX && guts_tree_next(&left, &e))
		max++;
	f->out->v = guts_arena_alloc(f->a, (max + 1) * sizeof(*f->out->v));
	f->paths = guts_arena_alloc(f->a, (max + 1) * sizeof(*f->paths));
	if (f->out->v == NULL || f->paths == NULL)
		err = GUTS_ELIMIT;
	left = guts_slice(git_odb_object_data(obj), git_odb_object_size(obj));
	while (!err && f->out->n < max && guts_tree_next(&left, &e))
		err = add_entry(f, &e);
	git_odb_object_free(obj);
	return err;
}

/* -- groups -------------------------------------------------------------------------- */

static int
by_index(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Move entries to a node.  Takes `v`. */
static void
move(struct guts_history *h, struct folder *f, uint32_t node, uint32_t *v, size_t n)
{
	struct group *g;

	if (n == 0) {
		free(v);
		return;
	}
	HASH_FIND(hh, f->groups, &node, sizeof(node), g);
	if (g == NULL) {
		g = guts_alloc(sizeof(*g));
		g->node = node;
		g->v = v;
		g->n = n;
		HASH_ADD(hh, f->groups, node, sizeof(g->node), g);
		guts_heap_push(h, node);
		return;
	}
	g->v = guts_realloc(g->v, (g->n + n) * sizeof(*v));
	memcpy(g->v + g->n, v, n * sizeof(*v));
	g->n += n;
	qsort(g->v, g->n, sizeof(*g->v), by_index);
	free(v);
}

/* Take out of `g` those that the filters clear of a change, as fresh memory. */
static uint32_t *
take_cleared(struct guts_history *h, const struct folder *f, struct group *g, size_t *n)
{
	uint32_t *out = guts_calloc(g->n, sizeof(*out));
	bool all = f->dir.n > 0 && !guts_node_may_change(h, g->node, &f->dir_path);
	size_t kept = 0;

	*n = 0;
	if (g->node >= h->ngraph)
		return out;
	guts_history_spend(h, all ? 1 : g->n);
	for (size_t i = 0; i < g->n; i++) {
		if (all || !guts_node_may_change(h, g->node, &f->paths[g->v[i]]))
			out[(*n)++] = g->v[i];
		else
			g->v[kept++] = g->v[i];
	}
	g->n = kept;
	return out;
}

/* Take out of `g` those that the folder at `parent` has too, as fresh memory. */
static uint32_t *
take_same(struct guts_history *h, const struct folder *f, struct group *g, uint32_t parent, size_t *n)
{
	uint32_t *out = guts_calloc(g->n, sizeof(*out));
	git_odb_object *obj = folder_at(h, f, parent);
	struct guts_slice left = { 0 };
	struct guts_tree_entry e;
	size_t kept = 0;
	bool there;

	*n = 0;
	if (obj)
		left = guts_slice(git_odb_object_data(obj), git_odb_object_size(obj));
	there = guts_tree_next(&left, &e);
	for (size_t i = 0; i < g->n; i++) {
		const struct guts_history_entry *x = &f->out->v[g->v[i]];

		while (there && tree_order(e.name, e.mode, x->name, x->mode) < 0)
			there = guts_tree_next(&left, &e);
		if (there && e.mode == x->mode && strcmp(e.name, x->name) == 0 &&
		    memcmp(e.oid, x->oid.b, GUTS_GRAPH_OID_BYTES) == 0)
			out[(*n)++] = g->v[i];
		else
			g->v[kept++] = g->v[i];
	}
	g->n = kept;
	git_odb_object_free(obj);
	return out;
}

/* Settle those whose answer at this node is known. */
static void
take_known(const struct folder *f, struct group *g)
{
	const struct guts_history_folder *k = f->known;
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct guts_history_entry *x = &f->out->v[g->v[i]];

		while (at < k->n && tree_order(k->v[at].name, k->v[at].mode, x->name, x->mode) < 0)
			at++;
		if (at < k->n && k->v[at].mode == x->mode && strcmp(k->v[at].name, x->name) == 0 &&
		    guts_oid_eq(&k->v[at].oid, &x->oid) && !guts_oid_is_none(&k->v[at].commit))
			x->commit = k->v[at].commit;
		else
			g->v[kept++] = g->v[i];
	}
	g->n = kept;
}

/* Move the group on, parent by parent; what no parent has was changed here. */
static void
step(struct guts_history *h, struct folder *f, struct group *g)
{
	const uint32_t *parents;
	size_t n = guts_node_parents(h, g->node, &parents), moved;
	uint32_t *v;

	if (f->has_known && g->node == f->known_node)
		take_known(f, g);
	if (n > 0 && g->n > 0) {
		v = take_cleared(h, f, g, &moved);
		move(h, f, parents[0], v, moved);
	}
	for (size_t i = 0; i < n && g->n > 0 && !h->incomplete; i++) {
		v = take_same(h, f, g, parents[i], &moved);
		if (h->incomplete)
			free(v);
		else
			move(h, f, parents[i], v, moved);
	}
	for (size_t i = 0; i < g->n && !h->incomplete; i++)
		f->out->v[g->v[i]].commit = guts_node_oid(h, g->node);
}

static int
folder_run(struct guts_history *h, void *arg)
{
	struct folder *f = arg;
	struct group *g, *next;
	uint32_t node, *all;
	int err = guts_node_of(h, f->tip, &node);

	memset(f->out, 0, sizeof(*f->out));
	f->out->tip = *f->tip;
	if (!err)
		err = read_entries(h, f, node);
	if (err)
		return err;
	f->has_known = f->known && guts_node_of(h, &f->known->tip, &f->known_node) == GUTS_OK;
	all = guts_calloc(f->out->n, sizeof(*all));
	for (uint32_t i = 0; i < f->out->n; i++)
		all[i] = i;
	move(h, f, node, all, f->out->n);
	while (guts_heap_pop(h, &node) && guts_history_spend(h, 1)) {
		HASH_FIND(hh, f->groups, &node, sizeof(node), g);
		HASH_DEL(f->groups, g);
		step(h, f, g);
		free(g->v);
		free(g);
	}
	HASH_ITER(hh, f->groups, g, next) {
		HASH_DEL(f->groups, g);
		free(g->v);
		free(g);
	}
	return GUTS_OK;
}

int
guts_history_folder(struct guts_history *h, const struct guts_oid *tip, struct guts_slice dir,
    const struct guts_history_folder *known, struct guts_arena *a, struct guts_history_folder *out)
{
	struct folder f = { .tip = tip, .dir = guts_history_trim(dir), .known = known, .a = a, .out = out };
	int err;

	guts_graph_path(&f.dir_path, f.dir);
	err = guts_history_ask(h, folder_run, &f);
	out->incomplete = !err && h->incomplete;
	return err;
}
