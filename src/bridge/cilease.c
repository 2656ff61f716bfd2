/* bridge/cilease.c - who runs which job, and for how long.
 *
 * A lease is stored before its runner hears of it, so a job has one holder at a time whenever the node ends; deadlines are
 * not stored: after a start each lease lasts anew.  A lease that ran out is void at once, even before the store knows.
 */
#include "bridge/ciint.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/payload.h"

#include <stdio.h>
#include <stdlib.h>

static void
renew(struct guts_ci *ci, struct guts_ciopen *o)
{
	o->deadline_ns = guts_env_now(ci->env) + ci->lease_ms * GUTS_MS_NS;
}

static void
new_lease(struct guts_ci *ci, struct guts_cijob *j, const char *runner)
{
	uint8_t random[16];

	guts_env_random(ci->env, random, sizeof random);
	guts_hex_encode(j->lease, random, sizeof random);
	explicit_bzero(random, sizeof random);
	atomic_fetch_add(&ci->n.leases, 1);
	j->state = GUTS_CIJOB_RUNNING;
	j->attempts++;
	j->started_ms = guts_ci_wall_ms(ci);
	snprintf(j->runner, sizeof j->runner, "%s", runner);
}

/* -- back to the queue ------------------------------------------------------------------------------ */

/* Its runner no longer has it. */
static void
requeue(struct guts_ci *ci, struct guts_ciopen *o, bool counts,
    void (*then)(void *owner, int err, struct guts_ciopen *o), void *owner)
{
	struct guts_batch *b = guts_batch_new();
	struct guts_cijob next = o->job;

	explicit_bzero(o->job.lease, sizeof o->job.lease);
	next.state = GUTS_CIJOB_QUEUED;
	next.attempts -= !counts && next.attempts;
	next.started_ms = 0;
	next.progress = 0;
	next.nsteps = next.nfiles = 0;
	explicit_bzero(next.lease, sizeof next.lease);
	guts_cifile_remove_all(b, next.number);
	guts_ci_change(ci, o, &next, b, "ci.job.queued", then, owner);
}

static void
lose(struct guts_ci *ci, struct guts_ciopen *o)
{
	struct guts_ciresult r = { .state = GUTS_CIJOB_ERROR, .description = "its runner was lost" };

	atomic_fetch_add(&ci->n.lost, 1);
	explicit_bzero(o->job.lease, sizeof o->job.lease);
	guts_log(GUTS_LOG_NOTICE, "ci", "the runner %s of job %s was not heard of in time", o->job.runner, o->job.id);
	if (o->job.event == GUTS_CIEVENT_EXTERNAL || o->job.attempts >= GUTS_CIJOB_ATTEMPTS_MAX)
		guts_ci_end(ci, o, &r, NULL, NULL);
	else
		requeue(ci, o, true, NULL, NULL);
}

/* -- given -------------------------------------------------------------------------------------------- */

struct giving {
	struct guts_ci *ci;
	struct guts_ciwaiter *w;
};

static void
tell_waiter(struct guts_ciwaiter *w, int err, const struct guts_cijob *j)
{
	w->ask.done(w->ask.owner, err, j);
	free(w->ask.repos);
	free(w);
}

static void
on_given(void *owner, int err, struct guts_ciopen *o)
{
	struct giving *g = owner;
	struct guts_ci *ci = g->ci;

	renew(ci, o);
	if (!err && !g->w->ask.alive(g->w->ask.owner)) {
		requeue(ci, o, false, NULL, NULL);
		err = GUTS_ECANCELED;
	}
	if (!err)
		guts_ci_status(ci, &o->job, NULL, NULL);
	tell_waiter(g->w, err, err ? NULL : &o->job);
	free(g);
}

static void
give(struct guts_ci *ci, struct guts_ciwaiter *w, struct guts_ciopen *o)
{
	struct giving *g = guts_alloc(sizeof *g);
	struct guts_cijob next = o->job;

	DL_DELETE(ci->waiters, w);
	ci->nwaiters--;
	g->ci = ci;
	g->w = w;
	new_lease(ci, &next, w->ask.runner);
	guts_ci_change(ci, o, &next, guts_batch_new(), "ci.job.started", on_given, g);
}

static bool
fits(const struct guts_ciask *a, const struct guts_cijob *j)
{
	struct guts_slice branch = guts_ref_branch(guts_slice_str(j->ref));
	char name[GUTS_REFNAME_MAX + 1];
	bool found = a->nrepos == 0;

	for (size_t i = 0; i < a->nrepos && !found; i++)
		found = memcmp(a->repos[i], j->repo, GUTS_REPOID_SIZE) == 0;
	if (!found || !(a->events & j->event))
		return false;
	snprintf(name, sizeof name, "%.*s", (int)branch.n, (const char *)branch.p);
	return branch.n == 0 || guts_branch_fits(a->branches, name);
}

/* Serve one waiter if that can be done now. */
static void
serve(struct guts_ci *ci, struct guts_ciwaiter *w, uint64_t now)
{
	struct guts_ciopen *o;
	bool may_have = ci->is_running && w->ask.alive(w->ask.owner);

	DL_FOREACH (ci->open, o) {
		if (may_have && !o->busy && o->job.state == GUTS_CIJOB_QUEUED && fits(&w->ask, &o->job)) {
			give(ci, w, o);
			return;
		}
	}
	if (may_have && now < w->deadline_ns)
		return;
	DL_DELETE(ci->waiters, w);
	ci->nwaiters--;
	tell_waiter(w, ci->is_running ? GUTS_OK : GUTS_EUNAVAILABLE, NULL);
}

/* -- what is over --------------------------------------------------------------------------------------- */

/* Why a job that waits will not be run; NULL = it may be. */
static const char *
why_not(struct guts_ci *ci, const struct guts_cijob *j, size_t nwaiting)
{
	if (nwaiting > GUTS_CIJOBS_WAITING_MAX)
		return "more than 1,000 jobs waited";
	if (j->created_ms + ci->age_ms <= guts_ci_wall_ms(ci))
		return "no runner took it in time";
	if (!guts_sync_find(guts_node_sync(ci->node), j->repo))
		return "the repository is no longer here";
	return NULL;
}

static void
sweep(struct guts_ci *ci, uint64_t now)
{
	struct guts_ciresult r = { .state = GUTS_CIJOB_ERROR }, canceled = { GUTS_CIJOB_ERROR, "canceled", NULL };
	struct guts_ciopen *o, *next;
	size_t nwaiting = 0;

	DL_FOREACH (ci->open, o)
		nwaiting += o->job.state == GUTS_CIJOB_QUEUED && !o->busy;
	DL_FOREACH_SAFE (ci->open, o, next) {
		if (o->busy)
			continue;
		if (o->is_canceled) {
			nwaiting -= o->job.state == GUTS_CIJOB_QUEUED;
			guts_ci_end(ci, o, &canceled, NULL, NULL);
		} else if (o->job.state == GUTS_CIJOB_RUNNING && (!o->job.lease[0] || now >= o->deadline_ns)) {
			lose(ci, o);
		} else if (o->job.state == GUTS_CIJOB_QUEUED && (r.description = why_not(ci, &o->job, nwaiting)) != NULL) {
			nwaiting--;
			guts_ci_end(ci, o, &r, NULL, NULL);
		}
	}
}

static void
set_timer(struct guts_ci *ci, uint64_t now)
{
	uint64_t wall = guts_ci_wall_ms(ci), next = GUTS_NEVER, at;
	struct guts_ciwaiter *w;
	struct guts_ciopen *o;
	struct guts_citail *t;

	DL_FOREACH (ci->open, o) {
		at = o->deadline_ns;
		if (o->job.state == GUTS_CIJOB_QUEUED)
			at = now + (o->job.created_ms + ci->age_ms > wall ? o->job.created_ms + ci->age_ms - wall : 0) * GUTS_MS_NS;
		if (!o->busy && at < next)
			next = at;
	}
	DL_FOREACH (ci->waiters, w) {
		if (w->deadline_ns < next)
			next = w->deadline_ns;
	}
	DL_FOREACH (ci->tails, t) {
		if (t->deadline_ns < next)
			next = t->deadline_ns;
	}
	if (next == GUTS_NEVER)
		guts_env_timer_clear(ci->env, &ci->timer);
	else
		guts_env_timer_set(ci->env, &ci->timer, next);
}

static void
count(struct guts_ci *ci)
{
	size_t waiting = 0, running = 0;
	struct guts_ciopen *o;

	DL_FOREACH (ci->open, o) {
		waiting += o->job.state == GUTS_CIJOB_QUEUED;
		running += o->job.state == GUTS_CIJOB_RUNNING;
	}
	atomic_store(&ci->n.waiting, waiting);
	atomic_store(&ci->n.running, running);
	atomic_store(&ci->n.runners, ci->nwaiters);
	atomic_store(&ci->n.file_bytes, ci->bytes);
}

void
guts_ci_run(struct guts_ci *ci)
{
	struct guts_ciwaiter *w, *next;
	uint64_t now = guts_env_now(ci->env);

	if (ci->is_running)
		sweep(ci, now);
	DL_FOREACH_SAFE (ci->waiters, w, next)
		serve(ci, w, now);
	guts_ci_tails_run(ci, now);
	count(ci);
	if (ci->is_running)
		set_timer(ci, now);
}

/* -- asked for ------------------------------------------------------------------------------------------- */

void
guts_ci_lease(struct guts_ci *ci, const struct guts_ciask *ask)
{
	struct guts_ciwaiter *w;

	if (!ci->is_running || ci->nwaiters >= GUTS_CILEASE_WAITERS_MAX) {
		ask->done(ask->owner, ci->is_running ? GUTS_EBUSY : GUTS_EUNAVAILABLE, NULL);
		return;
	}
	w = guts_alloc(sizeof *w);
	w->ask = *ask;
	w->ask.repos = guts_memdup(ask->repos, ask->nrepos * sizeof *ask->repos);
	w->deadline_ns = guts_env_now(ci->env) + ask->wait_ms * GUTS_MS_NS;
	DL_APPEND(ci->waiters, w);
	ci->nwaiters++;
	guts_ci_run(ci);
}

struct external {
	struct guts_ci *ci;
	void (*done)(void *owner, int err, const struct guts_cijob *j);
	void *owner;
};

static void
on_external(void *owner, int err, struct guts_ciopen *o)
{
	struct external *x = owner;

	renew(x->ci, o);
	if (!err)
		guts_ci_status(x->ci, &o->job, NULL, NULL);
	x->done(x->owner, err, err ? NULL : &o->job);
	if (err)
		guts_ci_close(x->ci, o);
	free(x);
}

void
guts_ci_external(struct guts_ci *ci, const struct guts_cijob *j,
    void (*done)(void *owner, int err, const struct guts_cijob *j), void *owner)
{
	struct guts_batch *b;
	struct guts_cijob next = *j;
	struct external *x;

	if (!ci->is_running || ci->nopen >= GUTS_CIJOBS_OPEN_MAX) {
		done(owner, ci->is_running ? GUTS_EBUSY : GUTS_EUNAVAILABLE, NULL);
		return;
	}
	x = guts_alloc(sizeof *x);
	*x = (struct external){ .ci = ci, .done = done, .owner = owner };
	next.event = GUTS_CIEVENT_EXTERNAL;
	guts_ci_number(ci, &next);
	new_lease(ci, &next, j->runner);
	b = guts_batch_new();
	guts_ci_mark(ci, b);
	guts_ci_change(ci, guts_ci_open(ci, &next), &next, b, "ci.job.started", on_external, x);
}

/* -- held ---------------------------------------------------------------------------------------------------- */

bool
guts_ci_holds(const struct guts_ciopen *o, const char *lease)
{
	return o->job.state == GUTS_CIJOB_RUNNING && !o->is_canceled && guts_mem_eq_ct(o->job.lease, lease, GUTS_CIJOB_ID_SIZE);
}

struct guts_ciopen *
guts_ci_holder(struct guts_ci *ci, const char *lease)
{
	struct guts_ciopen *o;

	if (strlen(lease) != GUTS_CIJOB_ID_SIZE - 1)
		return NULL;
	DL_FOREACH (ci->open, o) {
		if (guts_ci_holds(o, lease))
			return o;
	}
	return NULL;
}

const struct guts_cijob *
guts_ci_held(struct guts_ci *ci, const char *lease)
{
	struct guts_ciopen *o = guts_ci_holder(ci, lease);

	return o ? &o->job : NULL;
}

uint64_t
guts_ci_lease_end(struct guts_ci *ci, const char *lease)
{
	struct guts_ciopen *o = guts_ci_holder(ci, lease);
	uint64_t now = guts_env_now(ci->env), left = o && o->deadline_ns > now ? o->deadline_ns - now : 0;

	return guts_ci_wall_ms(ci) + left / GUTS_MS_NS;
}

uint64_t
guts_ci_lease_ms(const struct guts_ci *ci)
{
	return ci->lease_ms;
}

void
guts_ci_load(struct guts_ci *ci, struct guts_ci_load *out)
{
	const struct guts_ciqueue_row *q;
	const struct guts_ciopen *o;

	*out = (struct guts_ci_load){ .runners = ci->nwaiters };
	DL_FOREACH (ci->queues, q)
		out->queues++;
	DL_FOREACH (ci->open, o) {
		out->waiting += o->job.state == GUTS_CIJOB_QUEUED;
		out->running += o->job.state == GUTS_CIJOB_RUNNING;
	}
}

/* Tell that a change was stored. */
struct asked {
	struct guts_ci *ci;
	guts_bridge_done *done;
	void *owner;
};

static void
on_asked(void *owner, int err, struct guts_ciopen *o)
{
	struct asked *a = owner;

	(void)o;
	guts_ci_tell(a->done, a->owner, err, NULL);
	free(a);
}

static struct asked *
asked(struct guts_ci *ci, guts_bridge_done *done, void *owner)
{
	struct asked *a = guts_alloc(sizeof *a);

	a->ci = ci;
	a->done = done;
	a->owner = owner;
	return a;
}

struct guts_ciopen *
guts_ci_take(struct guts_ci *ci, const char *lease, guts_bridge_done *done, void *owner)
{
	struct guts_ciopen *o = guts_ci_holder(ci, lease);

	if (!ci->is_running)
		guts_ci_tell(done, owner, GUTS_EUNAVAILABLE, "the node is starting or stopping");
	else if (!o)
		guts_ci_tell(done, owner, GUTS_ENOTFOUND, "this lease holds no job: it was lost, given back or finished");
	else if (o->busy)
		guts_ci_tell(done, owner, GUTS_EBUSY, "another request for this lease is under way");
	else
		return o;
	return NULL;
}

/* A step or the progress is in the store: tell who looks. */
static void
on_renewed(void *owner, int err, struct guts_ciopen *o)
{
	struct asked *a = owner;

	if (!err)
		guts_ci_signal(a->ci, "ci.job.progress", &o->job, (struct guts_fact_attr){ .name = "step",
		    .text = guts_slice_str(o->job.nsteps ? o->job.steps[o->job.nsteps - 1].name : "") },
		    (struct guts_fact_attr){ .name = "progress", .is_number = true, .number = o->job.progress });
	on_asked(a, err, o);
}

void
guts_ci_renew(struct guts_ci *ci, const char *lease, const char *step, uint8_t progress, guts_bridge_done *done,
    void *owner)
{
	struct guts_ciopen *o = guts_ci_holder(ci, lease);
	struct guts_cijob next;
	bool is_new;

	if ((!o || !ci->is_running) && !guts_ci_take(ci, lease, done, owner))
		return;
	renew(ci, o);
	is_new = step[0] && (!o->job.nsteps || strcmp(o->job.steps[o->job.nsteps - 1].name, step) != 0);
	if (is_new && o->job.nsteps >= GUTS_CIJOB_STEPS_MAX) {
		guts_ci_tell(done, owner, GUTS_ELIMIT, "a job has at most 32 steps");
	} else if (o->busy || (!is_new && progress == o->job.progress)) {
		guts_ci_tell(done, owner, GUTS_OK, NULL); /* what could not be told now is told with the next heartbeat */
		guts_ci_run(ci);
	} else {
		next = o->job;
		next.progress = progress;
		if (is_new) {
			snprintf(next.steps[next.nsteps].name, sizeof next.steps[0].name, "%s", step);
			next.steps[next.nsteps++].started_ms = guts_ci_wall_ms(ci);
		}
		guts_ci_change(ci, o, &next, guts_batch_new(), NULL, on_renewed, asked(ci, done, owner));
	}
}

void
guts_ci_return(struct guts_ci *ci, const char *lease, guts_bridge_done *done, void *owner)
{
	struct guts_ciresult r = { .state = GUTS_CIJOB_ERROR, .description = "given up" };
	struct guts_ciopen *o = guts_ci_take(ci, lease, done, owner);

	if (!o)
		return;
	if (o->job.event == GUTS_CIEVENT_EXTERNAL)
		guts_ci_end(ci, o, &r, done, owner);
	else
		requeue(ci, o, false, on_asked, asked(ci, done, owner));
}

void
guts_ci_finish(struct guts_ci *ci, const char *lease, const struct guts_ciresult *r, guts_bridge_done *done, void *owner)
{
	struct guts_ciopen *o = guts_ci_take(ci, lease, done, owner);

	if (o)
		guts_ci_end(ci, o, r, done, owner);
}
