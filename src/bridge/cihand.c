/* bridge/cihand.c - jobs as people handle them: canceled, run again; and the runners that wait for one. */
#include "bridge/ciint.h"

#include "base/alloc.h"

#include <stdlib.h>

int
guts_ci_cancel(struct guts_ci *ci, const char *id)
{
	struct guts_ciopen *o;

	DL_FOREACH (ci->open, o) {
		if (strcmp(o->job.id, id) == 0) {
			o->is_canceled = true;
			guts_ci_run(ci);
			return GUTS_OK;
		}
	}
	return GUTS_ENOTFOUND;
}

struct rerun {
	struct guts_ci *ci;
	void (*done)(void *owner, int err, const struct guts_cijob *j);
	void *owner;
};

static void
on_made(void *owner, int err, struct guts_ciopen *o)
{
	struct rerun *r = owner;

	r->done(r->owner, err, err ? NULL : &o->job);
	if (err)
		guts_ci_close(r->ci, o);
	free(r);
}

void
guts_ci_rerun(struct guts_ci *ci, const struct guts_cijob *j,
    void (*done)(void *owner, int err, const struct guts_cijob *j), void *owner)
{
	struct guts_cijob next = { .queue = j->queue, .event = j->event, .commit = j->commit, .before = j->before };
	struct guts_ciqueue_row *queue;
	struct guts_batch *b;
	struct rerun *r;
	int err = GUTS_OK;

	DL_SEARCH_SCALAR(ci->queues, queue, q.id, j->queue);
	if (!queue || guts_cijob_is_open(j) || j->event == GUTS_CIEVENT_EXTERNAL)
		err = GUTS_ECONFLICT;
	else if (!ci->is_running || ci->nopen >= GUTS_CIJOBS_OPEN_MAX)
		err = ci->is_running ? GUTS_EBUSY : GUTS_EUNAVAILABLE;
	if (err) {
		done(owner, err, NULL);
		return;
	}
	memcpy(next.repo, j->repo, sizeof next.repo);
	memcpy(next.ref, j->ref, sizeof next.ref);
	memcpy(next.context, j->context, sizeof next.context);
	guts_ci_number(ci, &next);
	r = guts_alloc(sizeof *r);
	*r = (struct rerun){ .ci = ci, .done = done, .owner = owner };
	b = guts_batch_new();
	guts_ci_mark(ci, b);
	guts_ci_change(ci, guts_ci_open(ci, &next), &next, b, "ci.job.queued", on_made, r);
}

const struct guts_ciask *
guts_ci_waiting(struct guts_ci *ci, size_t i)
{
	struct guts_ciwaiter *w;

	DL_FOREACH (ci->waiters, w) {
		if (i-- == 0)
			return &w->ask;
	}
	return NULL;
}
