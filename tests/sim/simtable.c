/* tests/sim/simtable.c - the model of a store: per table an array of rows sorted by key; a batch is applied at once. */
#include "simmodel.h"

#include "base/alloc.h"
#include "store/fact.h"

#include <stdlib.h>

#define FACT_ARENA_MAX (1u << 20)

struct row {
	struct guts_slice key, value; /* in one block with this */
	uint8_t bytes[];
};

struct table {
	struct row **v;
	size_t n, cap;
};

struct simtable {
	struct guts_store store; /* first */
	struct table table[GUTS_TABLE_N];
	struct row **fact; /* fact id - 1 → encoding (key unused) */
	size_t facts, facts_cap;
};

static struct simtable *
simtable_of(struct guts_store *s)
{
	return (struct simtable *)(void *)s;
}

/* --- rows ----------------------------------------------------------------- */

static struct row *
row_new(struct guts_slice key, struct guts_slice value)
{
	struct row *r = guts_alloc(sizeof *r + key.n + value.n);

	if (key.n)
		memcpy(r->bytes, key.p, key.n);
	if (value.n)
		memcpy(r->bytes + key.n, value.p, value.n);
	r->key = guts_slice(r->bytes, key.n);
	r->value = guts_slice(r->bytes + key.n, value.n);
	return r;
}

/* First row whose key is not below `key`. */
static size_t
find(const struct table *t, struct guts_slice key)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (guts_slice_cmp(t->v[mid]->key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
has_prefix(const struct row *r, struct guts_slice prefix)
{
	return r->key.n >= prefix.n && guts_slice_eq(guts_slice(r->key.p, prefix.n), prefix);
}

static void
table_remove(struct table *t, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		free(t->v[i]);
	if (t->n > to)
		memmove(&t->v[from], &t->v[to], (t->n - to) * sizeof *t->v);
	t->n -= to - from;
}

static void
table_put(struct table *t, struct guts_slice key, struct guts_slice value)
{
	size_t i = find(t, key);

	if (i < t->n && guts_slice_eq(t->v[i]->key, key)) {
		free(t->v[i]);
	} else {
		if (t->n == t->cap) {
			t->cap = t->cap ? 2 * t->cap : 64;
			t->v = guts_realloc(t->v, t->cap * sizeof *t->v);
		}
		memmove(&t->v[i + 1], &t->v[i], (t->n - i) * sizeof *t->v);
		t->n++;
	}
	t->v[i] = row_new(key, value);
}

static void
table_del(struct table *t, struct guts_slice key)
{
	size_t i = find(t, key);

	if (i < t->n && guts_slice_eq(t->v[i]->key, key))
		table_remove(t, i, i + 1);
}

static void
table_del_prefix(struct table *t, struct guts_slice prefix)
{
	size_t from = find(t, prefix), to = from;

	while (to < t->n && has_prefix(t->v[to], prefix))
		to++;
	table_remove(t, from, to);
}

/* --- batches ------------------------------------------------------------- */

static void
fact_add(struct simtable *st, struct guts_slice bytes)
{
	if (st->facts == st->facts_cap) {
		st->facts_cap = st->facts_cap ? 2 * st->facts_cap : 64;
		st->fact = guts_realloc(st->fact, st->facts_cap * sizeof *st->fact);
	}
	st->fact[st->facts++] = row_new(guts_slice(NULL, 0), bytes);
}

static void
apply(struct simtable *st, const struct guts_batch *b)
{
	struct guts_batch_item item;

	for (size_t pos = 0; guts_batch_next(b, &pos, &item);) {
		struct table *t = &st->table[item.t];

		switch (item.op) {
		case GUTS_BATCH_PUT: table_put(t, item.key, item.value); break;
		case GUTS_BATCH_DEL: table_del(t, item.key); break;
		case GUTS_BATCH_DEL_PREFIX: table_del_prefix(t, item.key); break;
		case GUTS_BATCH_FACT: fact_add(st, item.value); break;
		}
	}
}

static int
store_commit(struct guts_store *s, struct guts_batch *b,
    void (*done)(void *owner, int err, uint64_t first_fact, uint64_t last_fact), void *owner)
{
	struct simtable *st = simtable_of(s);
	uint64_t before = st->facts;
	int err = guts_batch_failed(b) ? GUTS_ELIMIT : 0;

	if (!err)
		apply(st, b);
	guts_batch_free(b);
	if (st->facts > before)
		done(owner, err, before + 1, st->facts);
	else
		done(owner, err, 0, 0);
	return 0;
}

/* --- reading -------------------------------------------------------------- */

static int
store_get(struct guts_store *s, enum guts_table t, struct guts_slice key, struct guts_buf *value)
{
	struct table *tab = &simtable_of(s)->table[t];
	size_t i = find(tab, key);

	if (i == tab->n || !guts_slice_eq(tab->v[i]->key, key))
		return GUTS_ENOTFOUND;
	return guts_buf_add_slice(value, tab->v[i]->value) == 0 ? 0 : GUTS_EIO;
}

static int
store_scan(struct guts_store *s, enum guts_table t, struct guts_slice prefix,
	   struct guts_slice after,
	   bool (*row)(void *owner, struct guts_slice key, struct guts_slice value), void *owner)
{
	struct table *tab = &simtable_of(s)->table[t];
	size_t i = find(tab, guts_slice_cmp(after, prefix) > 0 ? after : prefix);

	for (; i < tab->n && has_prefix(tab->v[i], prefix); i++) {
		if (after.n && guts_slice_cmp(tab->v[i]->key, after) <= 0)
			continue;
		if (!row(owner, tab->v[i]->key, tab->v[i]->value))
			break;
	}
	return 0;
}

static int
store_facts(struct guts_store *s, uint64_t after_id, size_t max,
	    bool (*row)(void *owner, const struct guts_fact *f), void *owner)
{
	struct simtable *st = simtable_of(s);

	for (uint64_t id = after_id; id < st->facts && max--; id++) {
		struct guts_arena arena;
		struct guts_fact f;

		guts_arena_init(&arena, FACT_ARENA_MAX);
		int err = guts_fact_decode(&f, st->fact[id]->value, &arena);
		f.id = id + 1;
		bool more = err == 0 && row(owner, &f);
		guts_arena_deinit(&arena);
		if (err)
			return GUTS_EIO;
		if (!more)
			break;
	}
	return 0;
}

static void
store_fact_range(struct guts_store *s, uint64_t *oldest, uint64_t *newest)
{
	*newest = simtable_of(s)->facts;
	*oldest = *newest ? 1 : 0;
}

/* --- make and free -------------------------------------------------------- */

struct guts_store *
simtable_new(void)
{
	static const struct guts_store_ops ops = { store_commit, store_get, store_scan, store_facts, store_fact_range };
	struct simtable *st = guts_alloc(sizeof *st);

	st->store.ops = &ops;
	return &st->store;
}

void
simtable_free(struct guts_store *s)
{
	struct simtable *st = simtable_of(s);

	for (size_t i = 0; i < GUTS_TABLE_N; i++) {
		table_remove(&st->table[i], 0, st->table[i].n);
		free(st->table[i].v);
	}
	for (size_t i = 0; i < st->facts; i++)
		free(st->fact[i]);
	free(st->fact);
	free(st);
}
