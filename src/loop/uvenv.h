/* loop/uvenv.h - the real end of the environment table: libuv, sockets, worker threads.
 *
 * One environment per process.  Everything but guts_uvenv_stop and guts_env_post belongs to
 * the thread that calls guts_uvenv_run.
 *
 * What this end adds to the words of env.h:
 * - `writable` comes only after a write left bytes queued, at each moment when at most
 *   GUTS_UVENV_LOW_BYTES are left and the kernel took some.
 * - open and closed report GUTS_ECLOSED (refused, reset), GUTS_ETIMEOUT (the kernel gave up) or
 *   GUTS_EIO (no route, no descriptors).
 * - An end of stream from the other side ends the connection (closed with 0); bytes still
 *   queued get one second to leave, as after guts_env_close.
 * - IPv6 listeners take IPv6 only, so that 0.0.0.0 and :: can share a port.
 * - Jobs wait in one queue per name and are taken from the names in turn, so that many long
 *   ones of one kind do not shut out the others.  The queue costs no memory (the jobs are
 *   their owners'), so its bound is the owners' own.
 */
#ifndef GUTS_LOOP_UVENV_H
#define GUTS_LOOP_UVENV_H

#include "loop/env.h"

#define GUTS_UVENV_READ_BYTES   (64u << 10)    /* [bytes] one read buffer per loop */
#define GUTS_UVENV_LOW_BYTES    (32u << 10)    /* [bytes] queued output at which `writable` comes */
#define GUTS_UVENV_CLOSE_NS     GUTS_SECOND_NS /* [ns] for queued output to leave after a close */
#define GUTS_UVENV_RESOLVES_MAX 64             /* look-ups under way; more get GUTS_EBUSY */
#define GUTS_UVENV_WORKERS_MAX  64             /* worker threads */

struct guts_uvenv;

struct guts_uvenv_options {
	unsigned workers; /* worker threads; 0 = 2 per processor, at least 2 */
};

/* Make an environment: ignores SIGPIPE for the process, raises the soft limit of open files to
 * the hard one, starts the workers.  `opt` may be NULL.  Errors: GUTS_EIO (no threads, no
 * descriptors). */
int guts_uvenv_new(const struct guts_uvenv_options *opt, struct guts_uvenv **out);

/* The table for the node. */
struct guts_env *guts_uvenv_env(struct guts_uvenv *u);

/* Call fn(owner, number) on the loop for SIGTERM and SIGINT (instead of ending the process).
 * Errors: GUTS_EIO. */
int guts_uvenv_on_signal(struct guts_uvenv *u, void (*fn)(void *owner, int number), void *owner);

/* SIGHUP too is given to that function from now on, instead of ending the process.  Errors: GUTS_EIO. */
int guts_uvenv_hear_hangup(struct guts_uvenv *u);

/* Turn the loop until guts_uvenv_stop; may be called again after it. */
void guts_uvenv_run(struct guts_uvenv *u);

/* Make guts_uvenv_run return after this turn.  Thread: any. */
void guts_uvenv_stop(struct guts_uvenv *u);

/* Wait for the jobs that run and let no other begin: what they use (the store, the gateway) may be closed then,
 * while the environment is still there for those who post to it.  Thread: loop, when it turns no more. */
void guts_uvenv_end_jobs(struct guts_uvenv *u);

/* Wait for the jobs that run, forget those that wait, close all sockets without events, free.
 * No `done`, `fire` or posted function is called any more; memory of jobs must still be there.
 * NULL is fine. */
void guts_uvenv_free(struct guts_uvenv *u);

/* The libuv loop, for other files of this folder. */
struct uv_loop_s;
struct uv_loop_s *guts_uvenv_loop(struct guts_uvenv *u);

/* A callback of libuv begins: `now` is read afresh.  For other files of this folder. */
void guts_uvenv_turn(struct guts_uvenv *u);

#endif
