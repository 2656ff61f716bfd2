#include "memrows.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <stdlib.h>

struct memrow {
	uint8_t key[64];
	size_t key_n;
	struct guts_buf value; /* empty: deleted */
	struct memrow *next;
};

static void
save(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct memrows *m = owner;
	struct memrow *r = m->first;

	while (r && !guts_slice_eq(guts_slice(r->key, r->key_n), key))
		r = r->next;
	if (!r) {
		r = guts_alloc(sizeof(*r));
		memcpy(r->key, key.p, key.n);
		r->key_n = key.n;
		guts_buf_init(&r->value, 8192);
		r->next = m->first;
		m->first = r;
	}
	guts_buf_clear(&r->value);
	guts_buf_add_slice(&r->value, value);
}

static void
load(void *owner, struct guts_slice prefix, void (*each)(void *arg, struct guts_slice key, struct guts_slice value),
    void *arg)
{
	for (struct memrow *r = ((struct memrows *)owner)->first; r; r = r->next)
		if (r->value.len > 0 && r->key_n >= prefix.n && memcmp(r->key, prefix.p, prefix.n) == 0)
			each(arg, guts_slice(r->key, r->key_n), guts_buf_slice(&r->value));
}

struct guts_book_store
memrows_store(struct memrows *m)
{
	return (struct guts_book_store){ save, load, m };
}

size_t
memrows_count(const struct memrows *m)
{
	size_t n = 0;

	for (const struct memrow *r = m->first; r; r = r->next)
		n += r->value.len > 0;
	return n;
}

void
memrows_free(struct memrows *m)
{
	while (m->first) {
		struct memrow *r = m->first;

		m->first = r->next;
		guts_buf_deinit(&r->value);
		free(r);
	}
}
