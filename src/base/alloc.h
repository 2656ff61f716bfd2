/* base/alloc.h - memory whose size we choose: failing to get it ends the program.
 *
 * Sizes that a peer or a file chooses are compared with a cap first and then come
 * here too; a cap is always small against the machine.
 */
#ifndef GUTS_BASE_ALLOC_H
#define GUTS_BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory of `n` bytes (n = 0 gives a pointer that may be freed); never NULL.  Owner: caller, free(). */
void *guts_alloc(size_t n);

/* Zeroed array of `count` elements of `size`; overflow aborts. */
void *guts_calloc(size_t count, size_t size);

/* Resize; new bytes are not zeroed.  Never NULL. */
void *guts_realloc(void *p, size_t n);

/* Copy of `n` bytes at `p`, with a NUL behind it that is not counted. */
void *guts_memdup(const void *p, size_t n);

/* Copy of a string; NULL gives NULL. */
char *guts_strdup(const char *s);

/* printf into fresh memory. */
char *guts_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
