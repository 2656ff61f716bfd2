/* git/archive.h - a tree as a tar or zip archive: git archive into a pipe.
 *
 * As for a fetch (git/serve.h) the child is freed when the reader of `out` drops its end, or by the supervisor's deadlines.
 */
#ifndef GUTS_GIT_ARCHIVE_H
#define GUTS_GIT_ARCHIVE_H

#include "git/repostore.h"
#include "loop/childpipe.h"

enum guts_archive_format { GUTS_ARCHIVE_TAR_GZ, GUTS_ARCHIVE_ZIP };

#define GUTS_ARCHIVE_PREFIX_MAX 400 /* [bytes] */

struct guts_archive_spec {
	uint8_t repo[GUTS_REPOID_SIZE];
	struct guts_oid id;                     /* of a commit (its time is the files'), tag or tree */
	enum guts_archive_format format;
	char prefix[GUTS_ARCHIVE_PREFIX_MAX];   /* folder that all is put into, with a slash at its end */
	uint64_t key;                           /* whose, for fairness */
};

/* Start it.  Adopts the writer's end of `out`, also on error: it is ended with 0 when all is there, else with
 * GUTS_ENOTFOUND (no such repository), GUTS_EBUSY (503, retry later), GUTS_EIO (no such object), or another error.
 * Thread: loop. */
void guts_archive_start(struct guts_repostore *s, const struct guts_archive_spec *spec, struct guts_pipe *out);

#endif
