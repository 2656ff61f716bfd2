/* base/arena.c - a chain of blocks, each twice the size of the one before.
 *
 * The newest block is the head; what does not fit into it opens a new one.  Blocks are
 * only as large as the cap still allows, so that a small cap costs little.
 */
#include "base/arena.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN ((size_t)16)
#define BLOCK_MIN ((size_t)512)
#define BLOCK_MAX ((size_t)64 << 10)

struct guts_arena_block {
	struct guts_arena_block *next;
	size_t used, size;
	alignas(16) uint8_t mem[];
};

void
guts_arena_init(struct guts_arena *a, size_t max)
{
	*a = (struct guts_arena){ .max = max };
}

static struct guts_arena_block *
block_new(struct guts_arena *a, size_t need)
{
	size_t size = a->head ? a->head->size * 2 : BLOCK_MIN;
	struct guts_arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < need)
		size = need;
	b = guts_alloc(sizeof(*b) + size);
	b->size = size;
	b->next = a->head;
	a->head = b;
	return b;
}

void *
guts_arena_alloc(struct guts_arena *a, size_t n)
{
	struct guts_arena_block *b = a->head;
	void *p;

	if (n > a->max - a->used)
		return NULL;
	n = n ? (n + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
	if (b == NULL || b->size - b->used < n)
		b = block_new(a, n);
	p = b->mem + b->used;
	b->used += n;
	a->used = n > a->max - a->used ? a->max : a->used + n;
	return p;
}

void *
guts_arena_memdup(struct guts_arena *a, const void *p, size_t n)
{
	char *copy = n == SIZE_MAX ? NULL : guts_arena_alloc(a, n + 1);

	if (copy != NULL && n)
		memcpy(copy, p, n);
	return copy;
}

void
guts_arena_deinit(struct guts_arena *a)
{
	while (a->head != NULL) {
		struct guts_arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	a->used = 0;
}
