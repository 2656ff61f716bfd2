/* git/serve.h - serving fetches over smart HTTP: git upload-pack between two pipes.
 *
 * The HTTP thread makes the pipes, posts a closure to the loop that calls guts_serve_upload, and
 * moves bytes.  The child is freed when the reader of `out` drops its end, when the writer of
 * `in` ends it with an error, or by the supervisor's deadlines.
 */
#ifndef GUTS_GIT_SERVE_H
#define GUTS_GIT_SERVE_H

#include "git/repostore.h"
#include "loop/childpipe.h"

struct guts_serve_spec {
	uint8_t repo[GUTS_REPOID_SIZE];
	const char *author;  /* peer id text: this author's refs as the whole view; NULL = canonical refs */
	unsigned protocol;   /* 0, 1 or 2: from the Git-Protocol header */
	bool advertise;      /* GET info/refs (`in` is NULL; begins with guts_serve_preface), else POST git-upload-pack */
	uint64_t key;        /* whose, for fairness: hash of the client's address */
};

/* Version asked for in a Git-Protocol header ("version=2"); 0 if none or unknown. */
unsigned guts_serve_protocol(const char *header);

/* What goes before the advertisement's first byte, once it is clear that there is one: the frame that names the service;
 * "" for version 2. */
const char *guts_serve_preface(unsigned protocol);

/* Start it.  Adopts the reader's end of `in` and the writer's end of `out`, also on error: `out` is ended
 * with 0 when git exited with 0, else with GUTS_ENOTFOUND (no such repository), GUTS_EBUSY (503, retry later), or
 * another error.  `done` (may be NULL) comes once.  Thread: loop. */
void guts_serve_upload(struct guts_repostore *s, const struct guts_serve_spec *spec, struct guts_pipe *in,
    struct guts_pipe *out, void (*done)(void *owner, const struct guts_child_result *r), void *owner);

#endif
