/* peer/evict.c - which inbound link makes room for another when all inbound slots are taken.
 *
 * Whoever wants to cut us off fills the slots.  What he cannot have in plenty is what we keep:
 * addresses in many netgroups, nearness, news delivered, and age.  So in this order a part of
 * the inbound links is safe: those alone in their netgroup, those with the shortest round trip,
 * those that were useful last, and half of the rest, the longest connected.  Of what remains, the
 * youngest of the netgroup with the most links leaves, but only if the slots are more evenly
 * spread then than before: a crowd from one network pushes nobody out, not even itself.
 * Outbound links are never touched.
 */
#include "base/alloc.h"
#include "peer/peers_int.h"

#include <stdlib.h>

#define SAFE_ALONE 10  /* one of so many, at least one */
#define SAFE_NEAR 5
#define SAFE_USEFUL 10

struct candidate {
	struct peer_entry *entry;
	struct guts_netgroup group;
	size_t in_group; /* inbound links of its netgroup */
	uint64_t rtt_ns, useful_at_ns, up_at_ns;
};

typedef int order_fn(const void *a, const void *b);

static int
by_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Ties go to the peer id, so that a run can be repeated. */
static int
by_id(const struct candidate *a, const struct candidate *b)
{
	return guts_peerid_cmp(&a->entry->id, &b->entry->id);
}

static int
most_alone(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = by_u64(x->in_group, y->in_group);

	return c ? c : by_id(x, y);
}

static int
nearest(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = by_u64(x->rtt_ns - 1, y->rtt_ns - 1); /* 0, not measured, comes last */

	return c ? c : by_id(x, y);
}

static int
most_useful(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = by_u64(y->useful_at_ns, x->useful_at_ns);

	return c ? c : by_id(x, y);
}

static int
oldest(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = by_u64(x->up_at_ns, y->up_at_ns);

	return c ? c : by_id(x, y);
}

/* Take the first `n` in this order, as far as `worth` says, out of the list. */
static void
keep(struct candidate *v, size_t *count, size_t n, order_fn *order, bool (*worth)(const struct candidate *c))
{
	size_t kept = 0;

	qsort(v, *count, sizeof(*v), order);
	while (kept < n && kept < *count && worth(&v[kept]))
		kept++;
	memmove(v, v + kept, (*count - kept) * sizeof(*v));
	*count -= kept;
}

static bool
any(const struct candidate *c)
{
	return c != NULL;
}

static bool
is_measured(const struct candidate *c)
{
	return c->rtt_ns > 0;
}

static bool
was_useful(const struct candidate *c)
{
	return c->useful_at_ns > 0;
}

static size_t
collect(const struct guts_peers *p, struct candidate *v)
{
	struct peer_entry *e;
	size_t n = 0;

	for (e = p->entries; e; e = e->hh.next)
		if (e->active->inbound && !e->close_due)
			v[n++] = (struct candidate){
				.entry = e,
				.group = guts_netgroup_of(guts_link_remote(e->active->link)),
				.rtt_ns = guts_link_rtt_ns(e->active->link),
				.useful_at_ns = e->useful_at_ns,
				.up_at_ns = e->active->up_at_ns,
			};
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			v[i].in_group += guts_netgroup_eq(&v[i].group, &v[k].group);
	return n;
}

static size_t
part(size_t n, size_t of)
{
	return n / of ? n / of : 1;
}

struct peer_entry *
evict_choose(const struct guts_peers *p, const struct guts_netgroup *newcomer)
{
	struct candidate *v = guts_calloc(p->n_inbound + 1, sizeof(*v)), *worst = NULL;
	size_t n = collect(p, v), all = n, beside = 1;
	struct peer_entry *e = NULL;

	for (size_t i = 0; i < n; i++)
		beside += guts_netgroup_eq(&v[i].group, newcomer);
	keep(v, &n, part(all, SAFE_ALONE), most_alone, any);
	keep(v, &n, part(all, SAFE_NEAR), nearest, is_measured);
	keep(v, &n, part(all, SAFE_USEFUL), most_useful, was_useful);
	keep(v, &n, n / 2, oldest, any);
	for (size_t i = 0; i < n; i++)
		if (!worst || v[i].in_group > worst->in_group
		    || (v[i].in_group == worst->in_group && oldest(&v[i], worst) > 0))
			worst = &v[i];
	if (worst && beside <= worst->in_group)
		e = worst->entry;
	free(v);
	return e;
}
