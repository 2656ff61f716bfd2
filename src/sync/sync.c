/* sync/sync.c - the owner of all repositories: making, freeing, finding, one timer. */
#include "sync/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct guts_sync *s = owner;
	uint64_t now = guts_env_now(s->s.env);

	(void)t;
	guts_tickets_expire(s, now);
	guts_neighbours_tick(s, now);
	guts_fetch_schedule(s);
	guts_projects_tick(s, now);
	guts_sync_arm(s);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
guts_sync_arm(struct guts_sync *s)
{
	uint64_t at = earlier(guts_fetch_deadline(s), earlier(guts_tickets_deadline(s), guts_neighbours_deadline(s)));

	guts_env_timer_set(s->s.env, &s->timer, earlier(at, guts_projects_deadline(s)));
}

void
guts_sync_soon(struct guts_sync *s)
{
	guts_env_timer_set(s->s.env, &s->timer, guts_env_now(s->s.env));
}

/* Position of `id` in the sorted list, or where it would stand. */
static size_t
sorted_at(const struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	size_t lo = 0, hi = s->sorted.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(s->sorted.v[mid]->id, id, GUTS_REPOID_SIZE) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
guts_sync_sorted_add(struct guts_sync *s, struct guts_repo *r)
{
	size_t at = sorted_at(s, r->id);

	GUTS_VEC_ROOM(s->sorted);
	memmove(s->sorted.v + at + 1, s->sorted.v + at, (s->sorted.n - at) * sizeof s->sorted.v[0]);
	s->sorted.v[at] = r;
	s->sorted.n++;
}

void
guts_sync_sorted_del(struct guts_sync *s, struct guts_repo *r)
{
	size_t at = sorted_at(s, r->id);

	assert(at < s->sorted.n && s->sorted.v[at] == r);
	memmove(s->sorted.v + at, s->sorted.v + at + 1, (s->sorted.n - at - 1) * sizeof s->sorted.v[0]);
	s->sorted.n--;
}

struct guts_repo *
guts_sync_find(struct guts_sync *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	struct guts_repo *r;

	HASH_FIND(hh, s->repos, id, GUTS_REPOID_SIZE, r);
	return r && r->is_ready && !r->is_removed ? r : NULL;
}

struct guts_repo *
guts_sync_next(struct guts_sync *s, const struct guts_repo *after)
{
	size_t i = after ? sorted_at(s, after->id) + 1 : 0;

	while (i < s->sorted.n && (!s->sorted.v[i]->is_ready || s->sorted.v[i]->is_removed))
		i++;
	return i < s->sorted.n ? s->sorted.v[i] : NULL;
}

void
guts_sync_each_wanted(struct guts_sync *s, void (*each)(void *owner, const uint8_t id[GUTS_REPOID_SIZE]), void *owner)
{
	for (size_t i = 0; i < s->sorted.n; i++) {
		const struct guts_repo *r = s->sorted.v[i];

		if (!r->is_ready && !r->is_removed && r->local.policy == GUTS_POLICY_SEED)
			each(owner, r->id);
	}
}

size_t
guts_sync_count(const struct guts_sync *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->sorted.n; i++)
		n += s->sorted.v[i]->is_ready && !s->sorted.v[i]->is_removed;
	return n;
}

void
guts_sync_limits(struct guts_sync *s, uint64_t pack_max, uint64_t repo_max)
{
	s->s.pack_max = pack_max;
	s->s.repo_max = repo_max;
}

void
guts_sync_free(struct guts_sync *s)
{
	if (!s)
		return;
	guts_env_timer_clear(s->s.env, &s->timer);
	guts_serves_free(s);
	while (s->sorted.n) {
		struct guts_repo *r = s->sorted.v[s->sorted.n - 1];

		r->is_finishing = true; /* ends do not free it */
		guts_fetch_cancel(r);
		guts_changes_cancel(r);
		r->is_ready = false;
		guts_repo_free(r);
	}
	guts_neighbours_free(s);
	guts_verifies_free(s);
	GUTS_VEC_FREE(s->sorted);
	guts_reftree_unref(s->empty);
	free(s);
}

struct guts_fact_attr
guts_attr_text(const char *name, const char *text)
{
	return (struct guts_fact_attr){ .name = name, .text = guts_slice_str(text) };
}

struct guts_fact_attr
guts_attr_slice(const char *name, struct guts_slice text)
{
	return (struct guts_fact_attr){ .name = name, .text = text };
}

struct guts_fact_attr
guts_attr_num(const char *name, uint64_t v)
{
	return (struct guts_fact_attr){ .name = name, .is_number = true, .number = v };
}

void
guts_sync_fact(struct guts_batch *b, const struct guts_repo *r, const struct guts_peerid *peer, uint64_t wall_ns,
    const char *type, const struct guts_fact_attr *attrs, size_t n)
{
	const struct guts_identity *id = guts_repo_identity(r);
	struct guts_fact f = { .wall_ns = wall_ns, .type = type, .repo = guts_slice(r->id, sizeof r->id) };

	assert(n <= GUTS_FACT_ATTRS_MAX);
	if (peer)
		f.peer = guts_peerid_slice(peer);
	f.is_private = (id && id->is_private) || r->is_becoming_private;
	f.n = n;
	if (n)
		memcpy(f.attr, attrs, n * sizeof attrs[0]);
	guts_batch_fact(b, &f);
}

void
guts_sync_facts_only(void *owner, int err, uint64_t first, uint64_t last)
{
	struct guts_sync *s = owner;

	if (!err)
		s->s.events->facts(s->s.owner, first, last);
}

void
guts_sync_init(struct guts_sync *s, const struct guts_sync_setup *setup)
{
	s->s = *setup;
	s->timer.fire = on_timer;
	s->timer.owner = s;
	s->inventory_stale = true;
	s->empty = guts_reftree_empty();
}
