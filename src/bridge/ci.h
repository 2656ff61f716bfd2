/* bridge/ci.h - jobs for CI runners that only dial out.
 *
 *	facts → intake (which queue wants it?) → jobs, in one store batch with the cursor → leases → results
 *
 * A queue belongs to a repository; without one nothing of this runs.  A ref that moves makes a job in each queue that wants it,
 * by the rules of webhooks: canonical refs only, once per move, none for what came with a first copy or an import.
 *
 * A runner takes a job by a lease: until the deadline, which it moves by heartbeats, the job is its alone.  A job whose holder is
 * not heard of is handed out again, GUTS_CIJOB_ATTEMPTS_MAX times in all; so each job runs at least once, also across kill -9
 * of the node, whose runners then go on with the leases they have.  Start and end of a job are signed commit statuses.
 *
 * Loop thread, where nothing else is said.
 */
#ifndef GUTS_BRIDGE_CI_H
#define GUTS_BRIDGE_CI_H

#include "bridge/bridge.h"
#include "bridge/cijob.h"

#define GUTS_CIJOB_ATTEMPTS_MAX 3
#define GUTS_CIJOBS_WAITING_MAX 1000 /* of all queues; then the oldest ends unrun */
#define GUTS_CIJOBS_OPEN_MAX 2000    /* waiting and running */
#define GUTS_CIJOBS_KEPT 1000        /* that ended */
#define GUTS_CILEASE_WAITERS_MAX 256 /* runners that wait for a job */
#define GUTS_CILEASE_WAIT_MAX_S 60
#define GUTS_CITAILS_MAX 1000                /* that wait for more of a file, or for the end of a lease */
#define GUTS_CIFILE_LOG_MAX (4u << 20)       /* [bytes] of a job's log */
#define GUTS_CIFILE_MAX (16u << 20)          /* [bytes] of any other file */
#define GUTS_CIFILES_BYTES_MAX (1024u << 20) /* [bytes] of all jobs; then the oldest that ended go */

struct guts_ci;

/* For metrics.  Any thread. */
struct guts_ci_counters {
	atomic_size_t waiting, running;              /* jobs */
	atomic_size_t runners;                       /* that wait for a job */
	atomic_ullong file_bytes;                    /* of logs and other files that are kept */
	atomic_ullong success, failure, error;       /* jobs that ended since the start */
	atomic_ullong leases, lost;                  /* since the start: given; of these, ended unheard of */
};
const struct guts_ci_counters *guts_ci_counters(const struct guts_ci *ci);

/* -- queues ---------------------------------------------------------------------------------------- */

/* The next queue in order of id, lent until the next turn; after = 0 starts, NULL ends. */
const struct guts_ciqueue *guts_ci_queue_next(struct guts_ci *ci, uint64_t after);
/* Jobs of a queue that wait. */
size_t guts_ci_queue_waiting(struct guts_ci *ci, uint64_t id);
/* Store a queue: q->id 0 = a new one, whose id `done` gets; times and cursor are set here.
 * Errors in `done`: GUTS_EEXIST (a new one would make the jobs of another), GUTS_ELIMIT (too many), GUTS_ENOTFOUND, those of the
 * store. */
void guts_ci_queue_put(struct guts_ci *ci, const struct guts_ciqueue *q, guts_bridge_done *done, void *owner);
/* Remove one; its jobs that wait end unrun.  GUTS_ENOTFOUND. */
void guts_ci_queue_remove(struct guts_ci *ci, uint64_t id, guts_bridge_done *done, void *owner);

/* How much there is to do, and who does it. */
struct guts_ci_load {
	size_t queues, waiting, running; /* jobs: that wait for a runner, that have one */
	size_t runners;                  /* that wait for a job */
};
void guts_ci_load(struct guts_ci *ci, struct guts_ci_load *out);

/* -- leases ----------------------------------------------------------------------------------------- */

/* What a runner would take. */
struct guts_ciask {
	size_t nrepos;                             /* 0 = of any repository */
	uint8_t (*repos)[GUTS_REPOID_SIZE];        /* lent until done */
	char branches[GUTS_HOOK_BRANCHES_MAX + 1]; /* as of a queue, for pushes */
	unsigned events;                           /* set of guts_cievent */
	char runner[GUTS_CIJOB_RUNNER_MAX + 1];
	uint64_t wait_ms;
	/* Exactly once: a job with a fresh lease, lent for the call; NULL: none came in time.  Errors: GUTS_EBUSY too many wait,
	 * GUTS_EUNAVAILABLE the node stops, those of the store. */
	void (*done)(void *owner, int err, const struct guts_cijob *j);
	bool (*alive)(void *owner);                /* is the runner still there? */
	void *owner;
};
void guts_ci_lease(struct guts_ci *ci, const struct guts_ciask *ask);

/* An external job of *j (repo, commit, ref, context, runner), leased at once; when that is lost, it ends.  `done` as above.
 * Errors: GUTS_ELIMIT. */
void guts_ci_external(struct guts_ci *ci, const struct guts_cijob *j,
    void (*done)(void *owner, int err, const struct guts_cijob *j), void *owner);

/* The job that a lease holds, lent until the next turn; NULL: it is held no more. */
const struct guts_cijob *guts_ci_held(struct guts_ci *ci, const char *lease);
/* When a lease ends [unix ms], and how long one lasts [ms]. */
uint64_t guts_ci_lease_end(struct guts_ci *ci, const char *lease);
uint64_t guts_ci_lease_ms(const struct guts_ci *ci);

/* A heartbeat: the lease lasts anew.  step: what it does now, a new one is added to the list (may be empty); progress in percent.
 * Errors in `done`: GUTS_ENOTFOUND the lease is lost; GUTS_ELIMIT too many steps; those of the store. */
void guts_ci_renew(struct guts_ci *ci, const char *lease, const char *step, uint8_t progress, guts_bridge_done *done,
    void *owner);

/* `done` comes when the lease holds no job (any more), or after wait_ms, but no later than half of what a lease lasts. */
void guts_ci_watch(struct guts_ci *ci, const char *lease, uint64_t wait_ms, void (*done)(void *owner), void *owner);

/* Give it back; another may have it, and this attempt does not count.  Errors as of renew. */
void guts_ci_return(struct guts_ci *ci, const char *lease, guts_bridge_done *done, void *owner);

/* Append to a file of the job, which is made by its first piece: `bytes` belong at `offset`, and what is here already is left
 * out.  `done` gets the bytes that the file has then.  Errors in `done`: as of renew; GUTS_EBUSY another change is on its way;
 * GUTS_EINVAL name; GUTS_ECONFLICT a piece before it is missing; GUTS_ELIMIT. */
void guts_ci_write(struct guts_ci *ci, const char *lease, const char *name, uint64_t offset, struct guts_slice bytes,
    guts_bridge_done *done, void *owner);

/* `done` comes when the file has more than `offset` bytes, when the job of this id is not open (any more), or after wait_ms. */
void guts_ci_tail(struct guts_ci *ci, const char *id, const char *name, uint64_t offset, uint64_t wait_ms,
    void (*done)(void *owner), void *owner);

/* The end: posts the signed status, then keeps the job.  `state` is no open one.  Errors in `done`: as of renew, GUTS_EINVAL. */
struct guts_ciresult {
	enum guts_cistate state;
	const char *description, *target_url; /* NULL = as it is */
};
void guts_ci_finish(struct guts_ci *ci, const char *lease, const struct guts_ciresult *r, guts_bridge_done *done, void *owner);

/* -- by hand ------------------------------------------------------------------------------------------ */

/* End the job of this id with an error.  Its lease is void from now on; the end itself follows, with its fact.
 * GUTS_ENOTFOUND: no job of this id waits or runs. */
int guts_ci_cancel(struct guts_ci *ci, const char *id);

/* A new job like *j, of the same queue, which waits; `done` as of a lease.  Errors: GUTS_ECONFLICT it has not ended, its queue is
 * gone, or another CI system ran it; GUTS_EBUSY too many are open. */
void guts_ci_rerun(struct guts_ci *ci, const struct guts_cijob *j,
    void (*done)(void *owner, int err, const struct guts_cijob *j), void *owner);

/* What the runner waits for that came `i` before others, lent until the next turn; NULL: so many do not wait. */
const struct guts_ciask *guts_ci_waiting(struct guts_ci *ci, size_t i);

#endif
