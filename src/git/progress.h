/* git/progress.h - what git says of its progress on standard error: "Receiving objects:  12% (120/1000), 3.40 MiB". */
#ifndef GUTS_GIT_PROGRESS_H
#define GUTS_GIT_PROGRESS_H

#include "base/slice.h"

#define GUTS_GIT_PROGRESS_LINE 128 /* [bytes] of a line that are looked at */

/* Begins zeroed. */
struct guts_git_progress {
	char line[GUTS_GIT_PROGRESS_LINE]; /* what has come of the present one */
	size_t n;
	uint64_t done, total; /* objects received, or written into a pack */
};

/* Take a piece of what git (in the C locale) wrote; true if `done` or `total` is another now.  A server's own words begin with
 * "remote: " and are passed over. */
bool guts_git_progress_take(struct guts_git_progress *p, struct guts_slice text);

#endif
