/* bridge/ciend.c - how a job ends, and what is kept of it.
 *
 * The signed status is stored before the end itself: after a crash between the two the runner tells its result again, or
 * the job is run again, and the newest status stands.  So an ended job always has its status.
 */
#include "bridge/ciint.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

/* -- statuses ------------------------------------------------------------------------------------------ */

static void
drop_status(void *owner, int err, const struct guts_errinfo *ei)
{
	(void)owner;
	if (err)
		guts_log_limited(GUTS_LOG_WARN, "ci", "the status of a job cannot be posted: %s", ei->text);
}

void
guts_ci_status(struct guts_ci *ci, const struct guts_cijob *j, guts_done_fn *done, void *owner)
{
	struct guts_sync *sync = guts_node_sync(ci->node);
	struct guts_repo *r = guts_sync_find(sync, j->repo);
	bool is_open = guts_cijob_is_open(j);
	struct guts_status_params p = { .commit = j->commit, .context = j->context, .run_id = j->id,
		.state = is_open ? "pending" : guts_cistate_name(j->state), .target_url = j->target_url,
		.description = is_open && !j->description[0] ? "running" : j->description };

	if (r)
		guts_sync_status_put(sync, r, &p, done ? done : drop_status, owner);
	else if (done)
		done(owner, GUTS_OK, NULL);
}

/* -- the end --------------------------------------------------------------------------------------------- */

struct guts_ciending {
	struct guts_ci *ci;
	struct guts_job job;    /* hashes its files */
	struct guts_cijob next;
	int err;
	guts_bridge_done *done;
	void *owner;
	struct guts_ciending *prev, *next_ending;
};

static void
ending_done(struct guts_ciending *e, int err, const char *why)
{
	guts_ci_tell(e->done, e->owner, err, why);
	DL_DELETE2(e->ci->endings, e, prev, next_ending);
	free(e);
}

void
guts_ci_endings_free(struct guts_ci *ci)
{
	struct guts_ciending *e, *next;

	DL_FOREACH_SAFE2 (ci->endings, e, next, next_ending)
		free(e);
}

static void
on_ended(void *owner, int err, struct guts_ciopen *o)
{
	struct guts_ciending *e = owner;

	if (!err) {
		atomic_fetch_add(e->next.state == GUTS_CIJOB_SUCCESS ? &e->ci->n.success :
		    e->next.state == GUTS_CIJOB_FAILURE ? &e->ci->n.failure : &e->ci->n.error, 1);
		guts_ci_close(e->ci, o);
		guts_ci_keep(e->ci, &e->next);
	}
	ending_done(e, err, NULL);
}

static void
on_status(void *owner, int err, const struct guts_errinfo *ei)
{
	struct guts_ciending *e = owner;
	struct guts_ciopen *o = guts_ci_by_number(e->ci, e->next.number);

	if (err && e->done) { /* its runner may try again */
		o->busy = false;
		ending_done(e, err, ei->text);
		return;
	}
	if (err)
		drop_status(NULL, err, ei);
	guts_ci_change(e->ci, o, &e->next, guts_batch_new(), "ci.job.finished", on_ended, e);
}

static void
run_hash(struct guts_job *job)
{
	struct guts_ciending *e = job->owner;

	e->err = guts_cifile_hash(e->ci->store, &e->next);
}

static void
on_hashed(struct guts_job *job, void *owner)
{
	struct guts_ciending *e = owner;

	(void)job;
	if (e->err)
		guts_log_limited(GUTS_LOG_ERROR, "ci", "files of job %s cannot be read: %s", e->next.id, guts_err_text(e->err));
	guts_ci_status(e->ci, &e->next, on_status, e);
}

void
guts_ci_end(struct guts_ci *ci, struct guts_ciopen *o, const struct guts_ciresult *r, guts_bridge_done *done, void *owner)
{
	struct guts_ciending *e = guts_alloc(sizeof *e);

	e->ci = ci;
	e->done = done;
	e->owner = owner;
	e->next = o->job;
	e->next.state = r->state;
	e->next.ended_ms = guts_ci_wall_ms(ci);
	explicit_bzero(e->next.lease, sizeof e->next.lease);
	if (r->description)
		snprintf(e->next.description, sizeof e->next.description, "%s", r->description);
	if (r->target_url)
		snprintf(e->next.target_url, sizeof e->next.target_url, "%s", r->target_url);
	DL_APPEND2(ci->endings, e, prev, next_ending);
	o->busy = true;
	if (!e->next.nfiles) {
		guts_ci_status(ci, &e->next, on_status, e);
		return;
	}
	e->job = (struct guts_job){ .run = run_hash, .done = on_hashed, .owner = e, .name = "hash files of a CI job" };
	guts_env_submit(ci->env, &e->job);
}

/* -- what is kept ----------------------------------------------------------------------------------------- */

static void
on_forgotten(void *owner, int err, uint64_t first, uint64_t last)
{
	(void)owner;
	(void)first;
	(void)last;
	if (err)
		guts_log_limited(GUTS_LOG_WARN, "ci", "an old job cannot be removed: %s", guts_err_text(err));
}

static void
forget_oldest(struct guts_ci *ci)
{
	struct guts_ciended *e = ci->ended;
	struct guts_batch *b;
	struct guts_cijob j;

	if (guts_cijob_get(ci->store, e->number, &j) == GUTS_OK) {
		b = guts_batch_new();
		guts_cijob_remove(b, &j);
		(void)guts_store_commit(ci->store, b, on_forgotten, NULL);
	}
	ci->bytes -= e->bytes;
	DL_DELETE(ci->ended, e);
	ci->nended--;
	free(e);
}

void
guts_ci_keep(struct guts_ci *ci, const struct guts_cijob *j)
{
	struct guts_ciended *e = guts_alloc(sizeof *e);

	e->number = j->number;
	for (size_t i = 0; i < j->nfiles; i++)
		e->bytes += j->files[i].bytes;
	ci->bytes += e->bytes;
	DL_APPEND(ci->ended, e);
	ci->nended++;
	guts_ci_prune(ci);
}

void
guts_ci_prune(struct guts_ci *ci)
{
	while (ci->ended && ci->ended->next && (ci->nended > GUTS_CIJOBS_KEPT || ci->bytes > GUTS_CIFILES_BYTES_MAX))
		forget_oldest(ci);
}
