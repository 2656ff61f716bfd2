/* git/historynode.c - commits as numbers: out of the commit-graph, else out of the objects; and entries of trees. */
#include "git/history_priv.h"

#include "base/alloc.h"
#include "git/odb.h"

#include <stdlib.h>

struct guts_history *
guts_history_open(struct guts_read *r, const char *path, uint64_t work_max)
{
	struct guts_history *h = guts_alloc(sizeof(*h));
	int err = guts_graph_open(&h->graph, path);

	h->read = r;
	h->was_damaged = err && err != GUTS_ENOTFOUND;
	h->ngraph = h->graph ? guts_graph_count(h->graph) : 0;
	h->work = work_max ? work_max : GUTS_HISTORY_WORK_MAX;
	return h;
}

static void
free_loose(struct guts_history *h)
{
	for (uint32_t i = 0; i < h->nloose; i++)
		free(h->loose[i].parents);
	free(h->loose);
	free(h->slots);
	h->loose = NULL;
	h->slots = NULL;
	h->nloose = h->loose_cap = h->nslots = 0;
}

void
guts_history_close(struct guts_history *h)
{
	if (h == NULL)
		return;
	free_loose(h);
	guts_graph_close(h->graph);
	free(h->marks);
	free(h->parents);
	free(h->heap.v);
	free(h);
}

bool
guts_history_wants_graph(const struct guts_history *h)
{
	return h->was_damaged || h->nloose > GUTS_HISTORY_LOOSE_MAX;
}

void
guts_history_begin(struct guts_history *h)
{
	free(h->marks);
	h->marks = guts_calloc(h->ngraph + 1, 1);
	for (uint32_t i = 0; i < h->nloose; i++)
		h->loose[i].marks = 0;
	h->heap.n = 0;
	h->heap.turn = 0;
	h->incomplete = false;
}

int
guts_history_ask(struct guts_history *h, int (*ask)(struct guts_history *h, void *arg), void *arg)
{
	int err;

	guts_history_begin(h);
	err = ask(h, arg);
	if (h->graph && (h->graph_lies || guts_graph_is_damaged(h->graph))) {
		h->was_damaged = true;
		guts_graph_close(h->graph);
		h->graph = NULL;
		h->ngraph = 0;
		free_loose(h);
		guts_history_begin(h);
		err = ask(h, arg);
	}
	return err;
}

bool
guts_history_spend(struct guts_history *h, uint64_t cost)
{
	if (h->work < cost) {
		h->work = 0;
		h->incomplete = true;
		return false;
	}
	h->work -= cost;
	return true;
}

/* -- loose commits ---------------------------------------------------------------------- */

/* The slot of `oid`: its own, or the empty one where it belongs. */
static uint32_t *
slot_of(const struct guts_history *h, const uint8_t *oid)
{
	uint32_t i;

	memcpy(&i, oid, sizeof(i));
	for (i &= h->nslots - 1; h->slots[i] != 0; i = (i + 1) & (h->nslots - 1))
		if (memcmp(h->loose[h->slots[i] - 1].oid, oid, GUTS_GRAPH_OID_BYTES) == 0)
			break;
	return &h->slots[i];
}

static void
grow_loose(struct guts_history *h)
{
	h->loose_cap = h->loose_cap ? h->loose_cap * 2 : 64;
	h->loose = guts_realloc(h->loose, h->loose_cap * sizeof(*h->loose));
	free(h->slots);
	h->nslots = h->loose_cap * 2;
	h->slots = guts_calloc(h->nslots, sizeof(*h->slots));
	for (uint32_t i = 0; i < h->nloose; i++)
		*slot_of(h, h->loose[i].oid) = i + 1;
}

static uint32_t
node_of_id(struct guts_history *h, const uint8_t *oid)
{
	uint32_t pos, *slot;

	if (h->graph && guts_graph_find(h->graph, oid, &pos))
		return pos;
	if (h->nloose == h->loose_cap)
		grow_loose(h);
	slot = slot_of(h, oid);
	if (*slot == 0) {
		struct guts_loose *l = &h->loose[h->nloose++];

		memset(l, 0, sizeof(*l));
		memcpy(l->oid, oid, GUTS_GRAPH_OID_BYTES);
		*slot = h->nloose;
	}
	return h->ngraph + *slot - 1;
}

/* Read a loose commit, once; NULL if that cannot be. */
static struct guts_loose *
read_loose(struct guts_history *h, uint32_t node)
{
	uint32_t i = node - h->ngraph, n;
	uint32_t *parents;
	git_commit *c = NULL;
	git_oid id;

	if (h->loose[i].is_read)
		return h->loose[i].is_missing ? NULL : &h->loose[i];
	if (!guts_history_spend(h, GUTS_HISTORY_READ_COST))
		return NULL;
	h->loose[i].is_read = true;
	git_oid_fromraw(&id, h->loose[i].oid);
	if (git_commit_lookup(&c, h->read->repo, &id)) {
		h->loose[i].is_missing = true;
		h->incomplete = true;
		return NULL;
	}
	n = git_commit_parentcount(c);
	parents = guts_calloc(n, sizeof(*parents));
	for (uint32_t k = 0; k < n; k++)
		parents[k] = node_of_id(h, git_commit_parent_id(c, k)->id);
	h->loose[i].parents = parents; /* the array may have moved */
	h->loose[i].nparents = n;
	h->loose[i].time_s = git_commit_time(c);
	memcpy(h->loose[i].tree, git_commit_tree_id(c)->id, GUTS_GRAPH_OID_BYTES);
	git_commit_free(c);
	return &h->loose[i];
}

/* -- nodes ------------------------------------------------------------------------------ */

int
guts_node_of(struct guts_history *h, const struct guts_oid *id, uint32_t *node)
{
	git_commit *c;
	int err;

	if (h->graph && id->n == GUTS_GRAPH_OID_BYTES && guts_graph_find(h->graph, id->b, node))
		return GUTS_OK;
	err = guts_read_lookup(h->read, id, &c);
	if (!err)
		*node = node_of_id(h, git_commit_id(c)->id);
	git_commit_free(c);
	return err;
}

struct guts_oid
guts_node_oid(const struct guts_history *h, uint32_t node)
{
	struct guts_graph_commit c;
	struct guts_oid o;

	if (node < h->ngraph)
		guts_graph_commit(h->graph, node, &c);
	guts_oid_from_bytes(&o, guts_slice(node < h->ngraph ? c.oid : h->loose[node - h->ngraph].oid, GUTS_GRAPH_OID_BYTES));
	return o;
}

int64_t
guts_node_time(struct guts_history *h, uint32_t node)
{
	struct guts_graph_commit c;
	const struct guts_loose *l;

	if (node < h->ngraph) {
		guts_graph_commit(h->graph, node, &c);
		return (int64_t)c.time_s;
	}
	l = read_loose(h, node);
	return l ? l->time_s : 0;
}

const uint8_t *
guts_node_tree(struct guts_history *h, uint32_t node)
{
	struct guts_graph_commit c;
	const struct guts_loose *l;

	if (node < h->ngraph) {
		guts_graph_commit(h->graph, node, &c);
		return c.tree;
	}
	l = read_loose(h, node);
	return l ? l->tree : NULL;
}

size_t
guts_node_parents(struct guts_history *h, uint32_t node, const uint32_t **v)
{
	struct guts_graph_parents it;
	const struct guts_loose *l;
	uint32_t parent;
	size_t n = 0;

	if (node >= h->ngraph) {
		l = read_loose(h, node);
		*v = l ? l->parents : NULL;
		return l ? l->nparents : 0;
	}
	it = guts_graph_parents(h->graph, node);
	while (guts_history_spend(h, 1) && guts_graph_next_parent(h->graph, &it, &parent)) {
		if (n == h->parents_cap) {
			h->parents_cap = n ? n * 2 : 8;
			h->parents = guts_realloc(h->parents, h->parents_cap * sizeof(*h->parents));
		}
		h->parents[n++] = parent;
	}
	*v = h->parents;
	return n;
}

bool
guts_node_mark(struct guts_history *h, uint32_t node, enum guts_node_mark mark)
{
	uint8_t *m = node < h->ngraph ? &h->marks[node] : &h->loose[node - h->ngraph].marks;
	bool is_new = !(*m & mark);

	*m |= (uint8_t)mark;
	return is_new;
}

bool
guts_node_may_change(const struct guts_history *h, uint32_t node, const struct guts_graph_path *path)
{
	return node >= h->ngraph || guts_graph_may_change(h->graph, node, path);
}

/* -- the queue of a walk ------------------------------------------------------------------ */

static bool
is_before(const struct guts_heap_item *x, const struct guts_heap_item *y)
{
	return x->time_s != y->time_s ? x->time_s > y->time_s : x->turn < y->turn;
}

void
guts_heap_push(struct guts_history *h, uint32_t node)
{
	struct guts_heap_item item = { guts_node_time(h, node), h->heap.turn++, node };
	size_t i = h->heap.n++;

	if (h->heap.n > h->heap.cap) {
		h->heap.cap = h->heap.cap ? h->heap.cap * 2 : 64;
		h->heap.v = guts_realloc(h->heap.v, h->heap.cap * sizeof(*h->heap.v));
	}
	for (; i > 0 && is_before(&item, &h->heap.v[(i - 1) / 2]); i = (i - 1) / 2)
		h->heap.v[i] = h->heap.v[(i - 1) / 2];
	h->heap.v[i] = item;
}

bool
guts_heap_pop(struct guts_history *h, uint32_t *node)
{
	struct guts_heap_item *v = h->heap.v, last;
	size_t i = 0, n;

	if (h->heap.n == 0)
		return false;
	*node = v[0].node;
	n = --h->heap.n;
	last = v[n];
	for (size_t k; (k = 2 * i + 1) < n; i = k) {
		if (k + 1 < n && is_before(&v[k + 1], &v[k]))
			k++;
		if (!is_before(&v[k], &last))
			break;
		v[i] = v[k];
	}
	v[i] = last;
	return true;
}

/* -- trees -------------------------------------------------------------------------------- */

git_odb_object *
guts_tree_read(struct guts_history *h, const uint8_t *oid)
{
	git_odb_object *obj = NULL;
	git_oid id;

	if (!guts_history_spend(h, GUTS_HISTORY_READ_COST))
		return NULL;
	git_oid_fromraw(&id, oid);
	if (git_odb_read(&obj, h->read->odb, &id) == 0 && git_odb_object_type(obj) == GIT_OBJECT_TREE)
		return obj;
	git_odb_object_free(obj);
	h->incomplete = true;
	return NULL;
}

bool
guts_tree_next(struct guts_slice *left, struct guts_tree_entry *out)
{
	const uint8_t *p = left->p, *end = p + left->n, *nul;

	out->mode = 0;
	while (p < end && *p >= '0' && *p <= '7')
		out->mode = out->mode << 3 | (uint32_t)(*p++ - '0');
	if (p == end || *p != ' ')
		return false;
	p++;
	nul = memchr(p, '\0', (size_t)(end - p));
	if (nul == NULL || end - nul <= GUTS_GRAPH_OID_BYTES || out->mode == 0)
		return false;
	out->name = (const char *)p;
	out->oid = nul + 1;
	*left = guts_slice(out->oid + GUTS_GRAPH_OID_BYTES, (size_t)(end - out->oid) - GUTS_GRAPH_OID_BYTES);
	return true;
}

/* The entry `name` of a tree. */
static void
find_entry(struct guts_history *h, const uint8_t *oid, struct guts_slice name, uint8_t id[GUTS_GRAPH_OID_BYTES],
    struct guts_tree_entry *out)
{
	git_odb_object *obj = guts_tree_read(h, oid);
	struct guts_tree_entry e;
	struct guts_slice left = { 0 };

	*out = (struct guts_tree_entry){ 0 };
	if (obj)
		left = guts_slice(git_odb_object_data(obj), git_odb_object_size(obj));
	while (out->mode == 0 && guts_tree_next(&left, &e)) {
		if ((size_t)(e.oid - 1 - (const uint8_t *)e.name) != name.n || memcmp(e.name, name.p, name.n) != 0)
			continue;
		out->mode = e.mode;
		out->oid = memcpy(id, e.oid, GUTS_GRAPH_OID_BYTES);
	}
	git_odb_object_free(obj);
}

/* Take the first component off a path. */
static struct guts_slice
take_component(struct guts_slice *path)
{
	const uint8_t *slash = memchr(path->p, '/', path->n);
	size_t n = slash ? (size_t)(slash - path->p) : path->n;
	struct guts_slice first = guts_slice(path->p, n);

	*path = slash ? guts_slice(slash + 1, path->n - n - 1) : guts_slice(path->p + n, 0);
	return first;
}

void
guts_tree_find(struct guts_history *h, const uint8_t *oid, struct guts_slice path, uint8_t id[GUTS_GRAPH_OID_BYTES],
    struct guts_tree_entry *out)
{
	*out = (struct guts_tree_entry){ 0 };
	while (oid && path.n > 0) {
		find_entry(h, oid, take_component(&path), id, out);
		if (path.n > 0 && (out->mode & 0170000) != 0040000)
			*out = (struct guts_tree_entry){ 0 };
		oid = out->mode ? id : NULL;
	}
}

bool
guts_tree_same(struct guts_history *h, const uint8_t *x, const uint8_t *y, struct guts_slice path)
{
	uint8_t xid[GUTS_GRAPH_OID_BYTES], yid[GUTS_GRAPH_OID_BYTES];
	struct guts_tree_entry a, b;

	while (x && y && path.n > 0) {
		struct guts_slice name;

		if (memcmp(x, y, GUTS_GRAPH_OID_BYTES) == 0)
			return true;
		name = take_component(&path);
		find_entry(h, x, name, xid, &a);
		find_entry(h, y, name, yid, &b);
		if (path.n == 0)
			return a.mode == b.mode && (a.mode == 0 || memcmp(xid, yid, GUTS_GRAPH_OID_BYTES) == 0);
		x = (a.mode & 0170000) == 0040000 ? xid : NULL;
		y = (b.mode & 0170000) == 0040000 ? yid : NULL;
	}
	if (x)
		guts_tree_find(h, x, path, xid, &a);
	else if (y)
		guts_tree_find(h, y, path, xid, &a);
	else
		return true;
	return a.mode == 0;
}

struct guts_slice
guts_history_trim(struct guts_slice path)
{
	while (path.n > 0 && path.p[0] == '/')
		path = guts_slice(path.p + 1, path.n - 1);
	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}
