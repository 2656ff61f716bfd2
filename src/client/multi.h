/* client/multi.h - many transfers at once on the loop, by curl's multi interface.
 *
 * Nothing here blocks: curl's sockets are watched by the loop, its names are looked up by its own
 * short-lived threads.  Loop thread. */
#ifndef GUTS_CLIENT_MULTI_H
#define GUTS_CLIENT_MULTI_H

#include "client/transfer.h"
#include "loop/uvenv.h"

struct guts_multi;

/* Owner: caller, guts_multi_free.  Errors, with text: GUTS_ENOTFOUND (no libcurl), GUTS_EINTERNAL. */
int guts_multi_new(struct guts_multi **out, struct guts_uvenv *loop, struct guts_errinfo *ei);

/* Send `t`; `done` comes later, exactly once, unless it is stopped: errors as guts_transfer_run.  `t` stays the caller's and must
 * live until then.  Errors: GUTS_EINTERNAL (then no `done`). */
int guts_multi_start(struct guts_multi *m, struct guts_transfer *t,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei), void *owner);

/* Break it off: no `done`.  Only between start and done. */
void guts_multi_stop(struct guts_multi *m, struct guts_transfer *t);

/* All are to be done or stopped.  NULL is fine. */
void guts_multi_free(struct guts_multi *m);

#endif
