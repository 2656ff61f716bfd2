/* git/history.c - walks: counting commits, listing those that pass a filter, and their authors. */
#include "git/history_priv.h"

#include "base/alloc.h"

#include <ctype.h>
#include <stdlib.h>
#include <uthash.h>

/* -- counting --------------------------------------------------------------------------- */

struct count {
	const struct guts_oid *tip;
	uint64_t n;
	bool only_loose; /* count, and walk, those outside the graph */
	uint64_t max;
};

/* Count what `node` reaches, itself included, that was not counted before. */
static void
count_from(struct guts_history *h, uint32_t node, struct count *c)
{
	size_t n = 0, cap = 64;
	uint32_t *stack = guts_calloc(cap, sizeof(*stack));

	if ((!c->only_loose || node >= h->ngraph) && guts_node_mark(h, node, GUTS_NODE_COUNTED))
		stack[n++] = node;
	while (n > 0 && c->n < c->max && guts_history_spend(h, 1)) {
		const uint32_t *parents;
		size_t k;

		c->n++;
		k = guts_node_parents(h, stack[--n], &parents);
		for (size_t i = 0; i < k; i++) {
			if ((c->only_loose && parents[i] < h->ngraph) || !guts_node_mark(h, parents[i], GUTS_NODE_COUNTED))
				continue;
			if (n == cap)
				stack = guts_realloc(stack, (cap *= 2) * sizeof(*stack));
			stack[n++] = parents[i];
		}
	}
	free(stack);
}

static int
count_run(struct guts_history *h, void *arg)
{
	struct count *c = arg;
	uint32_t node;
	int err = guts_node_of(h, c->tip, &node);

	c->n = 0;
	if (!err)
		count_from(h, node, c);
	return err;
}

int
guts_history_count(struct guts_history *h, const struct guts_oid *tip, uint64_t *n, bool *incomplete)
{
	struct count c = { .tip = tip, .max = UINT64_MAX };
	int err = guts_history_ask(h, count_run, &c);

	*n = c.n;
	*incomplete = h->incomplete;
	return err;
}

uint64_t
guts_history_loose(struct guts_history *h, const struct guts_oid *tips, size_t n, uint64_t max)
{
	struct count c = { .only_loose = true, .max = max };
	uint32_t node;

	guts_history_begin(h);
	for (size_t i = 0; i < n && c.n < max; i++)
		if (guts_history_spend(h, 1) && guts_node_of(h, &tips[i], &node) == GUTS_OK)
			count_from(h, node, &c);
	return c.n;
}

/* -- listing ------------------------------------------------------------------------------ */

struct listing {
	const struct guts_oid *tip;
	struct guts_history_filter filter;
	struct guts_graph_path path;
	char *author;              /* in lower case */
	uint64_t skip;
	size_t want;
	struct guts_arena *a;
	struct guts_read_commits *out;
	uint32_t one;              /* the parent that alone is followed */
};

/* Is the path at the node as it is at its `i`-th parent? */
static bool
is_same(struct guts_history *h, const struct listing *l, uint32_t node, uint32_t parent, size_t i)
{
	if (i == 0 && !guts_node_may_change(h, node, &l->path))
		return true;
	return guts_tree_same(h, guts_node_tree(h, node), guts_node_tree(h, parent), l->filter.path);
}

/* Does the node change the path?  Leaves in *v, *n whom to follow. */
static bool
changes_path(struct guts_history *h, struct listing *l, uint32_t node, const uint32_t **v, size_t *n)
{
	uint8_t id[GUTS_GRAPH_OID_BYTES];
	struct guts_tree_entry e;

	for (size_t i = 0; i < *n; i++) {
		uint32_t parent = (*v)[i];

		if (!is_same(h, l, node, parent, i))
			continue;
		l->one = parent;
		*v = &l->one;
		*n = 1;
		return false;
	}
	if (*n > 0)
		return true;
	if (!guts_node_may_change(h, node, &l->path))
		return false;
	guts_tree_find(h, guts_node_tree(h, node), l->filter.path, id, &e);
	return e.mode != 0;
}

static char *
lower(const char *s, size_t n)
{
	char *out = guts_memdup(s, n);

	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
	return out;
}

/* The author of a node; NULL if it cannot be read.  Free *c. */
static const git_signature *
author_of(struct guts_history *h, uint32_t node, git_commit **c)
{
	struct guts_oid id = guts_node_oid(h, node);

	*c = NULL;
	if (!guts_history_spend(h, GUTS_HISTORY_READ_COST))
		return NULL;
	if (guts_read_lookup(h->read, &id, c)) {
		h->incomplete = true;
		return NULL;
	}
	return git_commit_author(*c);
}

static bool
is_by(struct guts_history *h, const struct listing *l, uint32_t node)
{
	git_commit *c;
	const git_signature *s = author_of(h, node, &c);
	char *text = s ? guts_asprintf("%s <%s>", s->name, s->email) : NULL;
	char *small = text ? lower(text, strlen(text)) : NULL;
	bool found = small && strstr(small, l->author) != NULL;

	free(small);
	free(text);
	git_commit_free(c);
	return found;
}

/* Put a commit on the page.  What the graph said about it must be so. */
static int
put(struct guts_history *h, struct listing *l, uint32_t node)
{
	struct guts_read_commit *c = &l->out->v[l->out->n];
	struct guts_oid id = guts_node_oid(h, node);
	const uint8_t *tree = guts_node_tree(h, node);
	const uint64_t mask = (UINT64_C(1) << 34) - 1;
	int err;

	guts_history_spend(h, GUTS_HISTORY_READ_COST);
	err = guts_read_commit(h->read, &id, l->a, c);
	if (err == GUTS_ELIMIT)
		return err;
	if (node < h->ngraph && (err || memcmp(tree, c->tree.b, GUTS_GRAPH_OID_BYTES) != 0 ||
	    ((uint64_t)c->committer.time_s & mask) != (uint64_t)guts_node_time(h, node)))
		h->graph_lies = true;
	l->out->n += err == GUTS_OK;
	return err;
}

/* Show the node if it is wanted and its turn; false: the page is full and more follows. */
static bool
show(struct guts_history *h, struct listing *l, uint32_t node, int *err)
{
	if (l->filter.has_until && guts_node_time(h, node) > l->filter.until_s)
		return true;
	if (l->author && !is_by(h, l, node))
		return true;
	if (l->skip > 0) {
		l->skip--;
		return true;
	}
	if (l->out->n == l->want) {
		l->out->more = true;
		return false;
	}
	*err = put(h, l, node);
	return *err == GUTS_OK;
}

static int
list_run(struct guts_history *h, void *arg)
{
	struct listing *l = arg;
	uint64_t skip = l->skip;
	uint32_t node;
	int err = guts_node_of(h, l->tip, &node);

	memset(l->out, 0, sizeof(*l->out));
	l->out->v = guts_arena_alloc(l->a, l->want * sizeof(*l->out->v));
	if (err || l->out->v == NULL)
		return err ? err : GUTS_ELIMIT;
	guts_node_mark(h, node, GUTS_NODE_SEEN);
	guts_heap_push(h, node);
	while (guts_heap_pop(h, &node) && guts_history_spend(h, 1)) {
		const uint32_t *v;
		size_t n = guts_node_parents(h, node, &v);
		bool is_shown = true;

		if (l->filter.has_since && guts_node_time(h, node) < l->filter.since_s)
			continue;
		if (l->filter.path.n > 0)
			is_shown = changes_path(h, l, node, &v, &n);
		if (h->incomplete)
			break;
		for (size_t i = 0; i < n; i++)
			if (guts_node_mark(h, v[i], GUTS_NODE_SEEN))
				guts_heap_push(h, v[i]);
		if (is_shown && !show(h, l, node, &err))
			break;
	}
	l->skip = skip;
	return err;
}

int
guts_history_log(struct guts_history *h, const struct guts_oid *tip, const struct guts_history_filter *filter, unsigned page,
    unsigned per_page, struct guts_arena *a, struct guts_read_commits *out)
{
	struct listing l = { .tip = tip, .filter = *filter, .a = a, .out = out };
	int err;

	l.want = per_page < 1 ? 1 : per_page > GUTS_READ_PAGE_MAX ? GUTS_READ_PAGE_MAX : per_page;
	l.skip = page > 1 ? (uint64_t)(page - 1) * l.want : 0;
	l.filter.path = guts_history_trim(filter->path);
	guts_graph_path(&l.path, l.filter.path);
	l.author = filter->author.n > 0 ? lower((const char *)filter->author.p, filter->author.n) : NULL;
	err = guts_history_ask(h, list_run, &l);
	out->incomplete = !err && h->incomplete;
	free(l.author);
	return err;
}

/* -- authors -------------------------------------------------------------------------------- */

struct person {
	struct guts_history_person p;
	UT_hash_handle hh;
};

struct people {
	const struct guts_oid *tip;
	const struct guts_history_people *known;
	struct guts_arena *a;
	struct guts_history_people *out;
	struct person *by_key;
};

/* Count `commits` more for somebody.  Errors: GUTS_ELIMIT. */
static int
add_person(struct guts_history *h, struct people *x, const char *name, const char *email, uint64_t commits)
{
	const char *of = email[0] ? email : name;
	char *key = lower(of, strlen(of));
	struct person *p;
	int err = GUTS_OK;

	HASH_FIND_STR(x->by_key, key, p);
	if (p == NULL && HASH_COUNT(x->by_key) == GUTS_HISTORY_PEOPLE_MAX) {
		h->incomplete = true;
	} else if (p == NULL) {
		const char *kept = guts_read_text(x->a, key, strlen(key));

		p = guts_arena_alloc(x->a, sizeof(*p));
		if (p)
			*p = (struct person){ .p = { .name = guts_read_text(x->a, name, strlen(name)),
				.email = guts_read_text(x->a, email, strlen(email)) } };
		if (p == NULL || kept == NULL || p->p.name == NULL || p->p.email == NULL)
			err = GUTS_ELIMIT;
		else
			HASH_ADD_KEYPTR(hh, x->by_key, kept, strlen(kept), p);
	}
	if (!err && p)
		p->p.commits += commits;
	free(key);
	x->out->commits += commits;
	return err;
}

static int
by_commits(const void *a, const void *b)
{
	const struct guts_history_person *x = a, *y = b;
	int c;

	if (x->commits != y->commits)
		return x->commits > y->commits ? -1 : 1;
	c = strcmp(x->email, y->email);
	return c ? c : strcmp(x->name, y->name);
}

static int
people_finish(struct people *x)
{
	struct person *p, *next;

	x->out->v = guts_arena_alloc(x->a, (HASH_COUNT(x->by_key) + 1) * sizeof(*x->out->v));
	if (x->out->v == NULL)
		return GUTS_ELIMIT;
	HASH_ITER(hh, x->by_key, p, next)
		x->out->v[x->out->n++] = p->p;
	qsort(x->out->v, x->out->n, sizeof(*x->out->v), by_commits);
	return GUTS_OK;
}

/* Walk from `node`, leaving out what is counted already. */
static int
people_walk(struct guts_history *h, struct people *x, uint32_t node)
{
	int err = GUTS_OK;

	if (guts_node_mark(h, node, GUTS_NODE_COUNTED))
		guts_heap_push(h, node);
	while (!err && guts_heap_pop(h, &node) && guts_history_spend(h, 1)) {
		const uint32_t *v;
		size_t n = guts_node_parents(h, node, &v);
		git_commit *c;
		const git_signature *s;

		for (size_t i = 0; i < n; i++)
			if (guts_node_mark(h, v[i], GUTS_NODE_COUNTED))
				guts_heap_push(h, v[i]);
		s = author_of(h, node, &c);
		if (s)
			err = add_person(h, x, s->name, s->email, 1);
		git_commit_free(c);
	}
	return err;
}

static int
people_run(struct guts_history *h, void *arg)
{
	struct people *x = arg;
	struct count all = { .max = UINT64_MAX }, old = { .max = UINT64_MAX };
	uint32_t node, known;
	int err = guts_node_of(h, x->tip, &node);

	memset(x->out, 0, sizeof(*x->out));
	x->out->tip = *x->tip;
	HASH_CLEAR(hh, x->by_key);
	if (!err && x->known && guts_node_of(h, &x->known->tip, &known) == GUTS_OK) {
		count_from(h, node, &all);
		bool is_ancestor = !guts_node_mark(h, known, GUTS_NODE_COUNTED);
		guts_history_begin(h);
		if (is_ancestor)
			count_from(h, known, &old);
		err = people_walk(h, x, node);
		for (size_t i = 0; i < x->known->n && is_ancestor && !err; i++)
			err = add_person(h, x, x->known->v[i].name, x->known->v[i].email, x->known->v[i].commits);
	} else if (!err) {
		err = people_walk(h, x, node);
	}
	return err ? err : people_finish(x);
}

int
guts_history_people(struct guts_history *h, const struct guts_oid *tip, const struct guts_history_people *known,
    struct guts_arena *a, struct guts_history_people *out)
{
	struct people x = { .tip = tip, .known = known, .a = a, .out = out };
	int err = guts_history_ask(h, people_run, &x);

	HASH_CLEAR(hh, x.by_key);
	out->incomplete = h->incomplete;
	return err;
}
