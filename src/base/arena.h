/* base/arena.h - memory for one decoded message, freed as a whole, with a cap.
 *
 * The cap bounds what one message from a peer may cost however it is nested.
 */
#ifndef GUTS_BASE_ARENA_H
#define GUTS_BASE_ARENA_H

#include <stddef.h>

struct guts_arena_block;
struct guts_arena {
	struct guts_arena_block *head; /* private */
	size_t used;                   /* handed out so far [bytes] */
	size_t max;
};

/* Empty; hands out at most `max` bytes. */
void guts_arena_init(struct guts_arena *a, size_t max);

/* Zeroed, 16-byte aligned memory; NULL when `max` would be passed. */
void *guts_arena_alloc(struct guts_arena *a, size_t n);

/* Copy into the arena with a NUL behind; NULL at the cap. */
void *guts_arena_memdup(struct guts_arena *a, const void *p, size_t n);

/* Free everything; *a may be used again. */
void guts_arena_deinit(struct guts_arena *a);

#endif
