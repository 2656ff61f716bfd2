/* http/childout.h - a child's output as the body of an answer: bounded, as fast as the client reads, freed when it goes. */
#ifndef GUTS_HTTP_CHILDOUT_H
#define GUTS_HTTP_CHILDOUT_H

#include "http/internal.h"
#include "loop/pipe.h"

struct guts_childout {
	struct guts_req *req;
	struct guts_pipe *pipe;          /* our end */
	const char *preface;             /* sent before the child's bytes */
	const char *const *extra;        /* headers of the answer, as guts_reply's; lent until it is queued */
	const char *busy;                /* detail of a 503 */
	struct guts_buf *copy;           /* NULL, or what the child gives is added to it, */
	void (*whole)(struct guts_childout *o); /* and this is called when all was given */
};

/* Make the pipe; its writer's end goes to the child. */
void guts_childout_init(struct guts_childout *o, struct guts_req *r);

/* Give it up; a child that still writes is killed. */
void guts_childout_deinit(struct guts_childout *o);

/* Answer with it now, or put the request to sleep until the child's first byte, or its end, decides the status; then
 * r->resume must lead here again. */
void guts_childout_answer(struct guts_childout *o);

/* Whose child it is, for the supervisor's fairness: each token's, and all that come without one together. */
uint64_t guts_childout_key(const struct guts_req *r);

#endif
