/* tests/sim/simstore.c - a store in virtual time: commits wait in a list in order, each has one disk event.
 *
 * At that event the batch goes to the place's disk: it becomes visible and durable in one moment.
 */
#include "simstore.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define WAITING_MAX 4096

struct commit {
	struct simstore *st;
	struct guts_batch *b;
	void (*done)(void *owner, int err, uint64_t first_fact, uint64_t last_fact);
	void *owner;
	struct commit *prev, *next;
};

struct simstore {
	struct guts_store store; /* first */
	struct sim_place *p;
	struct commit *waiting;
	unsigned nwaiting;
};

static struct simstore *
simstore_of(struct guts_store *s)
{
	return (struct simstore *)(void *)s;
}

static struct guts_store *
disk_of(struct guts_store *s)
{
	return simstore_of(s)->p->disk->store;
}

/* --- commits -------------------------------------------------------------- */

static void
note(struct sim *s, const struct guts_batch *b)
{
	struct guts_batch_item item;

	for (size_t pos = 0; guts_batch_next(b, &pos, &item);) {
		uint8_t head[2] = { (uint8_t)item.op, (uint8_t)item.t };

		sim_note_bytes(s, guts_slice(head, sizeof head));
		sim_note_bytes(s, item.key);
		sim_note_bytes(s, item.value);
	}
}

struct applied {
	struct sim_wait wait;
	uint64_t first, last;
};

static void
on_applied(void *owner, int err, uint64_t first, uint64_t last)
{
	struct applied *a = owner;

	a->first = first;
	a->last = last;
	sim_over(&a->wait, err);
}

/* Give the first batch to the disk and wait for it; takes the commit out of the list. */
static void
apply(struct simstore *st, struct applied *a)
{
	struct commit *c = st->waiting;
	struct guts_batch *b = c->b;
	int err = guts_batch_failed(b) ? GUTS_ELIMIT : st->p->disk_error;

	DL_DELETE(st->waiting, c);
	st->nwaiting--;
	free(c);
	*a = (struct applied){ .wait = { .d = st->p->disk } };
	if (err) {
		guts_batch_free(b);
		a->wait.err = err;
		return;
	}
	note(st->p->s, b);
	if ((err = guts_store_commit(st->p->disk->store, b, on_applied, a)) != 0)
		a->wait.err = err;
	else
		sim_wait(&a->wait);
}

static void
fire_commit(struct sim *s, struct sim_event *ev)
{
	struct commit *c = ev->a, mine = *c;
	struct applied a;

	(void)s;
	assert(c == mine.st->waiting);
	apply(mine.st, &a);
	if (mine.done)
		mine.done(mine.owner, a.wait.err, a.first, a.last);
}

static int
store_commit(struct guts_store *s, struct guts_batch *b,
    void (*done)(void *owner, int err, uint64_t first_fact, uint64_t last_fact), void *owner)
{
	struct simstore *st = simstore_of(s);

	if (st->nwaiting == WAITING_MAX) {
		guts_batch_free(b);
		return GUTS_EBUSY;
	}

	struct commit *c = guts_alloc(sizeof *c);
	*c = (struct commit){ .st = st, .b = b, .done = done, .owner = owner };
	DL_APPEND(st->waiting, c);
	st->nwaiting++;
	sim_event_add(st->p->s, st->p->index, sim_disk_time(st->p), SIM_DISK, fire_commit, c, NULL)->length =
	    (uint32_t)guts_batch_count(b);
	return 0;
}

/* Forget what waits. */
static void
drop(struct simstore *st)
{
	while (st->waiting) {
		struct commit *c = st->waiting;

		DL_DELETE(st->waiting, c);
		st->nwaiting--;
		guts_batch_free(c->b);
		free(c);
	}
}

void
simstore_end(struct guts_store *s, bool crash)
{
	struct simstore *st = simstore_of(s);
	uint64_t kept = crash ? guts_rng_below(&st->p->fate, st->nwaiting + UINT64_C(1)) : UINT64_MAX;
	struct applied a;

	for (; st->waiting && kept; kept--)
		apply(st, &a);
	drop(st);
}

/* --- reading: what is durable now ------------------------------------------- */

static int
store_get(struct guts_store *s, enum guts_table t, struct guts_slice key, struct guts_buf *value)
{
	return guts_store_get(disk_of(s), t, key, value);
}

static int
store_scan(struct guts_store *s, enum guts_table t, struct guts_slice prefix, struct guts_slice after,
    bool (*row)(void *owner, struct guts_slice key, struct guts_slice value), void *owner)
{
	return guts_store_scan(disk_of(s), t, prefix, after, row, owner);
}

static int
store_facts(struct guts_store *s, uint64_t after_id, size_t max, bool (*row)(void *owner, const struct guts_fact *f),
    void *owner)
{
	return guts_store_facts(disk_of(s), after_id, max, row, owner);
}

static void
store_fact_range(struct guts_store *s, uint64_t *oldest, uint64_t *newest)
{
	guts_store_fact_range(disk_of(s), oldest, newest);
}

/* --- make and free -------------------------------------------------------- */

struct guts_store *
simstore_new(struct sim_place *p)
{
	static const struct guts_store_ops ops = { store_commit, store_get, store_scan, store_facts, store_fact_range };
	struct simstore *st = guts_alloc(sizeof *st);

	st->store.ops = &ops;
	st->p = p;
	return &st->store;
}

void
simstore_free(struct guts_store *s)
{
	drop(simstore_of(s));
	free(simstore_of(s));
}
