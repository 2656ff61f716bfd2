/* client/aside.h - one transfer that goes on while its caller's own loop does other things. */
#ifndef GUTS_CLIENT_ASIDE_H
#define GUTS_CLIENT_ASIDE_H

#include "client/transfer.h"

struct guts_aside;

/* Begin a transfer.  Owner: caller, guts_aside_free.  Errors, with text: as guts_transfer_new. */
int guts_aside_new(struct guts_aside **out, const struct guts_transfer_spec *spec, struct guts_errinfo *ei);

/* Let it go on, until `fd` (-1 = none) can be read, it has ended, or `ms` have passed.  True: `fd` can be read, or was closed
 * at its other end. */
bool guts_aside_wait(struct guts_aside *a, int fd, int ms);

/* Has it ended?  *status is that of the answer, 0 = there was none. */
bool guts_aside_ended(const struct guts_aside *a, long *status);

/* What has not ended is broken off.  NULL is fine. */
void guts_aside_free(struct guts_aside *a);

#endif
