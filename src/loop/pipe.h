/* loop/pipe.h - a bounded queue of bytes between two threads, with wake-ups.
 *
 * One end writes, the other reads; each belongs to one thread.  A push body flows through one
 * from the HTTP thread to a child's input, a pack from a child's output to the HTTP thread.
 *
 *	writer: guts_pipe_write … guts_pipe_wait_room … guts_pipe_end
 *	reader: guts_pipe_read  … guts_pipe_wait_data … guts_pipe_drop
 *
 * A wait is armed explicitly and calls its function once: at once if the thing is already
 * there, else when it comes.  So an end can first go to sleep (suspend its connection) and then
 * arm, and no wake-up is lost.  The function runs under the pipe's lock, on either thread: it
 * may only signal (post, resume a connection), never call the pipe.  After guts_pipe_end the
 * writer's, after guts_pipe_drop the reader's function is not called any more.
 *
 * Memory: one ring of the given size, made at the first write.  The pipe is freed when both ends
 * are gone.
 */
#ifndef GUTS_LOOP_PIPE_H
#define GUTS_LOOP_PIPE_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

#define GUTS_PIPE_BYTES (256u << 10) /* [bytes] the usual size: most between any two ends */

struct guts_pipe;

/* A pipe that holds at most `max` bytes (1..16 MiB, asserted), both ends open. */
struct guts_pipe *guts_pipe_new(size_t max);

/* Set the function for guts_pipe_wait_room; the writer's own, before its first wait. */
void guts_pipe_on_room(struct guts_pipe *p, void (*fn)(void *arg), void *arg);

/* Set the function for guts_pipe_wait_data; the reader's own, before its first wait. */
void guts_pipe_on_data(struct guts_pipe *p, void (*fn)(void *arg), void *arg);

/* Set a function that is called once, armed or not, when the reader drops; the writer's own. */
void guts_pipe_on_drop(struct guts_pipe *p, void (*fn)(void *arg), void *arg);

/* Writer: put bytes in; returns how many fitted (0 = full).  Errors: GUTS_ECLOSED (no reader any
 * more). */
ssize_t guts_pipe_write(struct guts_pipe *p, struct guts_slice data);

/* Writer: call the room function once, when at least a quarter is free or the reader is gone. */
void guts_pipe_wait_room(struct guts_pipe *p);

/* Writer: no more bytes; the reader gets the rest, then the end (err = 0) or `err` < 0.  Gives up
 * the writer's end. */
void guts_pipe_end(struct guts_pipe *p, int err);

/* Reader: take at most `n` bytes out; 0 = nothing now.  Errors: GUTS_ECLOSED = the end was
 * reached in order; any other error is the one the writer ended with. */
ssize_t guts_pipe_read(struct guts_pipe *p, void *to, size_t n);

/* Reader: view of the bytes at the front (at most `n`, contiguous), left in place until
 * guts_pipe_consume; same results as guts_pipe_read.  Valid until then. */
ssize_t guts_pipe_peek(struct guts_pipe *p, size_t n, struct guts_slice *out);
void guts_pipe_consume(struct guts_pipe *p, size_t n);

/* Reader: call the data function once, when bytes or the end are there. */
void guts_pipe_wait_data(struct guts_pipe *p);

/* Reader: wants no more; gives up the reader's end. */
void guts_pipe_drop(struct guts_pipe *p);

/* Bytes inside.  Thread: any end. */
size_t guts_pipe_used(struct guts_pipe *p);

#endif
