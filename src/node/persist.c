/* node/persist.c - small things in the store: the address book's rows, subscriptions, aliases.
 *
 * The book is saved without waiting: what a crash loses of it costs little. */
#include "node/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

static void
ignore(void *owner, int err, uint64_t first, uint64_t last)
{
	(void)owner;
	(void)err;
	(void)first;
	(void)last;
}

static void
book_save(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct guts_node *n = owner;
	struct guts_batch *b = guts_batch_new();

	if (value.n)
		guts_batch_put(b, GUTS_TABLE_BOOK, key, value);
	else
		guts_batch_del(b, GUTS_TABLE_BOOK, key);
	(void)guts_store_commit(n->s.store, b, ignore, NULL);
}

struct load {
	void (*each)(void *arg, struct guts_slice key, struct guts_slice value);
	void *arg;
};

static bool
book_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct load *l = owner;

	l->each(l->arg, key, value);
	return true;
}

static void
book_load(void *owner, struct guts_slice prefix,
    void (*each)(void *arg, struct guts_slice key, struct guts_slice value), void *arg)
{
	struct guts_node *n = owner;
	struct load l = { each, arg };
	struct guts_slice none = { 0 };

	(void)guts_store_scan(n->s.store, GUTS_TABLE_BOOK, prefix, none, book_row, &l);
}

struct guts_book_store
guts_persist_book(struct guts_node *n)
{
	return (struct guts_book_store){ .save = book_save, .load = book_load, .owner = n };
}

struct put {
	guts_done_fn *done;
	void *owner;
};

static void
on_put(void *owner, int err, uint64_t first, uint64_t last)
{
	struct put *p = owner;
	struct guts_errinfo ei = { 0 };

	(void)first;
	(void)last;
	if (err)
		guts_err_set(&ei, err, "the store could not be written: %s", guts_err_text(err));
	p->done(p->owner, err, &ei);
	free(p);
}

void
guts_persist_put(struct guts_node *n, enum guts_table t, struct guts_slice key, struct guts_slice value,
    guts_done_fn *done, void *owner)
{
	struct put *p = guts_alloc(sizeof *p);
	struct guts_batch *b = guts_batch_new();
	int err;

	*p = (struct put){ done, owner };
	if (value.n)
		guts_batch_put(b, t, key, value);
	else
		guts_batch_del(b, t, key);
	err = guts_store_commit(n->s.store, b, on_put, p);
	if (err)
		on_put(p, err, 0, 0);
}
