/* loop/uvpoll.h - watch a descriptor that a library owns, on the libuv loop.
 *
 * For libraries that do their own reading and writing and only want to be told when.  Loop thread. */
#ifndef GUTS_LOOP_UVPOLL_H
#define GUTS_LOOP_UVPOLL_H

#include "loop/uvenv.h"

struct guts_uvpoll;

enum { GUTS_POLL_READ = 1, GUTS_POLL_WRITE = 2 };

/* Watch `fd` for nothing yet; `ready` gets a set of GUTS_POLL_*, both when the descriptor is broken.
 * NULL: libuv cannot watch it.  Owner: caller, guts_uvpoll_free, before the environment is freed. */
struct guts_uvpoll *guts_uvpoll_new(struct guts_uvenv *u, int fd, void (*ready)(void *owner, int fd, unsigned what),
    void *owner);

/* From now on watch for this set (0: nothing). */
void guts_uvpoll_set(struct guts_uvpoll *p, unsigned what);

/* No further call, also from within one; the descriptor may be closed at once.  NULL is fine. */
void guts_uvpoll_free(struct guts_uvpoll *p);

#endif
