/* store/batch.c - changes that become durable together.
 *
 * A batch is a list of items in one arena, in the order they were made; facts are kept as deep
 * copies.  What does not fit (an item over its cap, a batch over its memory, a fact that cannot
 * be encoded) marks the batch as failed, and its commit then fails as a whole: half a batch is
 * worse than none.
 */
#include "base/alloc.h"
#include "base/arena.h"
#include "store/fact.h"

#include <assert.h>
#include <stdlib.h>

#define BATCH_BYTES_MAX (512u << 20) /* [bytes] a push of GUTS_REFS_PER_AUTHOR_MAX refs needs about 50 MiB */

struct guts_batch {
	struct guts_arena arena;
	struct guts_batch_item *v;
	size_t n, cap;
	bool failed;
};

struct guts_batch *
guts_batch_new(void)
{
	struct guts_batch *b = guts_alloc(sizeof(*b));

	guts_arena_init(&b->arena, BATCH_BYTES_MAX);
	return b;
}

void
guts_batch_free(struct guts_batch *b)
{
	if (b == NULL)
		return;
	guts_arena_deinit(&b->arena);
	free(b->v);
	free(b);
}

static struct guts_slice
copy(struct guts_batch *b, struct guts_slice s)
{
	void *p;

	if (s.n == 0)
		return (struct guts_slice){ 0 };
	p = guts_arena_memdup(&b->arena, s.p, s.n);
	if (p == NULL) {
		b->failed = true;
		return (struct guts_slice){ 0 };
	}
	return guts_slice(p, s.n);
}

static void
push(struct guts_batch *b, struct guts_batch_item item)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 8;
		b->v = guts_realloc(b->v, b->cap * sizeof(*b->v));
	}
	b->v[b->n++] = item;
}

static void
add(struct guts_batch *b, enum guts_batch_op op, enum guts_table t, struct guts_slice key, struct guts_slice value)
{
	struct guts_batch_item item = { .op = op, .t = t };

	assert(t < GUTS_TABLE_N);
	assert(key.n > 0);
	if (key.n > GUTS_STORE_KEY_MAX || value.n > GUTS_STORE_VALUE_MAX) {
		b->failed = true;
		return;
	}
	item.key = copy(b, key);
	item.value = copy(b, value);
	if (!b->failed)
		push(b, item);
}

void
guts_batch_put(struct guts_batch *b, enum guts_table t, struct guts_slice key, struct guts_slice value)
{
	add(b, GUTS_BATCH_PUT, t, key, value);
}

void
guts_batch_del(struct guts_batch *b, enum guts_table t, struct guts_slice key)
{
	add(b, GUTS_BATCH_DEL, t, key, (struct guts_slice){ 0 });
}

void
guts_batch_del_prefix(struct guts_batch *b, enum guts_table t, struct guts_slice prefix)
{
	add(b, GUTS_BATCH_DEL_PREFIX, t, prefix, (struct guts_slice){ 0 });
}

/* Encoding and decoding again makes the deep copy and shows at once whether the fact can be written. */
void
guts_batch_fact(struct guts_batch *b, const struct guts_fact *f)
{
	struct guts_fact *mine = guts_arena_alloc(&b->arena, sizeof(*mine));
	struct guts_slice bytes;
	struct guts_buf buf;

	guts_buf_init(&buf, GUTS_STORE_VALUE_MAX);
	if (mine == NULL || guts_fact_encode(&buf, f))
		b->failed = true;
	bytes = copy(b, guts_buf_slice(&buf));
	if (!b->failed && guts_fact_decode(mine, bytes, &b->arena))
		b->failed = true;
	guts_buf_deinit(&buf);
	if (!b->failed)
		push(b, (struct guts_batch_item){ .op = GUTS_BATCH_FACT, .value = bytes, .fact = mine });
}

size_t
guts_batch_count(const struct guts_batch *b)
{
	return b->n;
}

bool
guts_batch_failed(const struct guts_batch *b)
{
	return b->failed;
}

bool
guts_batch_next(const struct guts_batch *b, size_t *pos, struct guts_batch_item *item)
{
	if (*pos >= b->n)
		return false;
	*item = b->v[(*pos)++];
	return true;
}
