/* bridge/ciint.h - what the files of the CI queues share; nobody else includes it.
 *
 *	ci.c       start, stop, queues, facts become jobs
 *	cilease.c  leases: given, renewed, lost, given back
 *	ciend.c    results, statuses, what is kept
 *	cifile.c   logs and other files
 *	cicopy.c   jobs of other nodes that are kept
 *	cifetch.c  jobs and files, wherever they are
 *	cirelay.c  those that peers asked for
 *	cihand.c   jobs canceled and run again, runners that wait
 */
#ifndef GUTS_BRIDGE_CIINT_H
#define GUTS_BRIDGE_CIINT_H

#include "bridge/ci.h"
#include "bridge/cicopy.h"

#include <utlist.h>

struct guts_ciqueue_row {
	struct guts_ciqueue q;
	struct guts_ciqueue_row *prev, *next;
};

/* A job that waits or runs.  It is as the store has it; while `busy` a batch is on its way that changes it. */
struct guts_ciopen {
	struct guts_cijob job;
	bool busy;
	bool is_canceled;     /* it ends as soon as it is not busy */
	uint64_t deadline_ns; /* of its lease */
	struct guts_ciopen *prev, *next;
};

struct guts_ciwaiter {
	struct guts_ciask ask;
	uint64_t deadline_ns;
	struct guts_ciwaiter *prev, *next;
};

/* Somebody who waits for more of a file, or for the end of a lease. */
struct guts_citail {
	char id[GUTS_CIJOB_ID_SIZE];    /* of the job */
	char lease[GUTS_CIJOB_ID_SIZE]; /* empty: a file is waited for */
	char name[GUTS_CIFILE_NAME_MAX + 1];
	uint64_t offset, deadline_ns;
	void (*done)(void *owner);
	void *owner;
	struct guts_citail *prev, *next;
};

struct guts_ciending;

/* A job that ended and is kept; oldest first. */
struct guts_ciended {
	uint64_t number, bytes;
	struct guts_ciended *prev, *next;
};

/* Numbers that survive: row "ci" of table META. */
struct guts_cimarks {
	uint64_t fact;        /* all up to it have become jobs */
	uint64_t queue, job;  /* highest numbers ever given */
};

struct guts_ci {
	struct guts_env *env;
	struct guts_node *node;
	struct guts_store *store;
	uint64_t lease_ms, age_ms;
	bool is_running, is_listening, is_reading;
	struct guts_ciqueue_row *queues;
	struct guts_ciopen *open;      /* in order of number */
	size_t nopen;
	struct guts_ciended *ended;
	size_t nended;
	uint64_t bytes;                /* of all files */
	struct guts_ciwaiter *waiters; /* first come, first served */
	size_t nwaiters;
	struct guts_citail *tails;
	size_t ntails;
	struct guts_ciending *endings; /* jobs whose end is being made */
	struct guts_cicopies copies;
	struct guts_cifetch *fetches;  /* under way */
	struct guts_cirelay *relays;   /* oldest first */
	bool is_waking;                /* those that wait are being looked at */
	struct guts_cimarks marks;     /* as they will be */
	uint64_t marked_fact;          /* marks.fact as it is in the store */
	struct guts_node_listener listener;
	struct guts_timer intake_timer, timer;
	struct guts_ci_counters n;
};

/* -- ci.c -- */
struct guts_ci *guts_ci_new(struct guts_node *node, const struct guts_bridge_setup *s);
/* Its values of *s are others from now on. */
void guts_ci_tune(struct guts_ci *ci, const struct guts_bridge_setup *s);
void guts_ci_start(struct guts_ci *ci);
void guts_ci_stop(struct guts_ci *ci);
void guts_ci_free(struct guts_ci *ci); /* NULL is fine */
uint64_t guts_ci_wall_ms(struct guts_ci *ci);
void guts_ci_mark(struct guts_ci *ci, struct guts_batch *b);
/* Tell `done` (may be NULL) of an error with its text. */
void guts_ci_tell(guts_bridge_done *done, void *owner, int err, const char *why);
/* The fact that a job is now as *j says, into the batch: "ci.job.queued", "…started", "…finished". */
void guts_ci_fact(struct guts_ci *ci, struct guts_batch *b, const char *type, const struct guts_cijob *j);
/* A signal about a job with two attributes beside its id: "ci.job.output", "ci.job.progress". */
void guts_ci_signal(struct guts_ci *ci, const char *type, const struct guts_cijob *j, struct guts_fact_attr x,
    struct guts_fact_attr y);
/* Give a job its number, id and time. */
void guts_ci_number(struct guts_ci *ci, struct guts_cijob *j);
struct guts_ciopen *guts_ci_open(struct guts_ci *ci, const struct guts_cijob *j);
void guts_ci_close(struct guts_ci *ci, struct guts_ciopen *o);
struct guts_ciopen *guts_ci_by_number(struct guts_ci *ci, uint64_t number);

/* Store `next`, the job of *o as it shall be, with the fact `type` (NULL = none); then it is so in memory too, and `then` is
 * called (owner, err).  *o is busy meanwhile. */
void guts_ci_change(struct guts_ci *ci, struct guts_ciopen *o, const struct guts_cijob *next, struct guts_batch *b,
    const char *type, void (*then)(void *owner, int err, struct guts_ciopen *o), void *owner);

/* -- cilease.c -- */
/* Give what waits to who waits, end what is over, set the timer.  Call it when either has changed. */
void guts_ci_run(struct guts_ci *ci);
/* Does this lease hold that job? */
bool guts_ci_holds(const struct guts_ciopen *o, const char *lease);
/* The job a lease holds; NULL: lost. */
struct guts_ciopen *guts_ci_holder(struct guts_ci *ci, const char *lease);
/* The same, ready to be changed; NULL: `done` was told why not. */
struct guts_ciopen *guts_ci_take(struct guts_ci *ci, const char *lease, guts_bridge_done *done, void *owner);

/* -- cifile.c -- */
/* What peers may know of a job (a guts_job_source). */
guts_job_source guts_ci_answer;
/* Tell readers that wait of what there is. */
void guts_ci_tails_run(struct guts_ci *ci, uint64_t now);

/* -- ciend.c -- */
/* Post how it stands as a commit status; `done` as of guts_sync_status_put, may be NULL. */
void guts_ci_status(struct guts_ci *ci, const struct guts_cijob *j, guts_done_fn *done, void *owner);
/* End a job that is not busy. */
void guts_ci_end(struct guts_ci *ci, struct guts_ciopen *o, const struct guts_ciresult *r, guts_bridge_done *done,
    void *owner);
void guts_ci_keep(struct guts_ci *ci, const struct guts_cijob *j);
/* Forget the oldest jobs that ended while there is too much. */
void guts_ci_prune(struct guts_ci *ci);
/* What was under way when the node ended. */
void guts_ci_endings_free(struct guts_ci *ci);

#endif
