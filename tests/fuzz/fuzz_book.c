/* Rows of the address book as they lie in the store, of either version: any bytes are passed over, or make an entry that
 * survives being tried, failed, written and read again. */
#include "fuzz.h"
#include "peer/book.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

struct row {
	struct guts_slice key;
	struct guts_buf value;
};

static void
save(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct row *r = owner;

	if (!guts_slice_eq(key, r->key))
		abort();
	guts_buf_clear(&r->value);
	guts_buf_add_slice(&r->value, value);
}

static void
load(void *owner, struct guts_slice prefix, void (*each)(void *arg, struct guts_slice key, struct guts_slice value),
    void *arg)
{
	struct row *r = owner;
	struct guts_buf copy;

	(void)prefix;
	guts_buf_init(&copy, 1u << 20);
	guts_buf_add_slice(&copy, guts_buf_slice(&r->value)); /* it may be deleted meanwhile */
	each(arg, r->key, guts_buf_slice(&copy));
	guts_buf_deinit(&copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[GUTS_BOOK_SECRET_SIZE], pub[32] = { 1 };
	const struct guts_book_entry *e;
	struct guts_book_store store;
	struct guts_peerid id;
	struct guts_maddr last;
	struct guts_buf key;
	struct guts_book *b;
	struct row row;
	size_t n;

	if (size > 65536)
		return 0;
	guts_peerid_from_pubkey(&id, pub);
	guts_buf_init(&key, 64);
	guts_buf_add_str(&key, "addr/");
	guts_buf_add_slice(&key, guts_peerid_slice(&id));
	row.key = guts_buf_slice(&key);
	guts_buf_init(&row.value, 1u << 20);
	guts_buf_add(&row.value, data, size);
	store = (struct guts_book_store){ save, load, &row };
	b = guts_book_new(&store, secret);
	e = guts_book_find(b, &id);
	if (e) {
		n = e->n_addrs;
		last = e->addrs[n - 1].at;
		guts_book_failed(b, &id, &last, true, e->seen_wall_ns);
		if (!guts_book_find(b, &id)) /* once too often */
			n = 1;
		guts_book_worked(b, &id, &last, 1);
		guts_book_free(b);
		b = guts_book_new(&store, secret);
		e = guts_book_find(b, &id);
		if (!e || e->n_addrs < n || !e->is_tried || !guts_maddr_eq(&e->addrs[0].at, &last))
			abort();
	}
	guts_book_free(b);
	guts_buf_deinit(&row.value);
	guts_buf_deinit(&key);
	return 0;
}
