/* loop/childpipe.h - a child between two pipes: bytes of another thread in, bytes to it out.
 *
 *	HTTP thread → pipe `in` → child's input … child's output → pipe `out` → HTTP thread
 *
 * Each pipe is bounded and so is the child's own queue: a slow end slows the other.  If the
 * reader of `out` drops it, or the writer of `in` ends it with an error, the child is killed.
 */
#ifndef GUTS_LOOP_CHILDPIPE_H
#define GUTS_LOOP_CHILDPIPE_H

#include "loop/child.h"
#include "loop/pipe.h"

/* Start a child (see guts_child_start).  `in` (NULL = empty input) is read, `out` is written: this
 * adopts the reader's end of `in` and the writer's end of `out`, also on error.  `out` is ended
 * with 0 only if the child exited with 0, else with the result's error; `done` (may be NULL) comes
 * before that end is visible, exactly once; from inside this call if the start failed (GUTS_EBUSY), and
 * from inside guts_children_stop (GUTS_ECANCELED).  Thread: loop; from another by guts_env_post. */
void
guts_childpipe_start(struct guts_children *s, const struct guts_child_spec *spec,
		     struct guts_pipe *in, struct guts_pipe *out,
		     void (*done)(void *owner, const struct guts_child_result *r), void *owner);

#endif
