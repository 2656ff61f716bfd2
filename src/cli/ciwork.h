/* cli/ciwork.h - one leased CI job while `guts ci run` has it: its lease, its log, the programs it runs.
 *
 *	cirun.c   takes jobs, prepares each, reports how it ended
 *	ciwork.c  speaks for a job: heartbeats, log, result; runs one program for it
 */
#ifndef GUTS_CLI_CIWORK_H
#define GUTS_CLI_CIWORK_H

#include "cli/ask.h"
#include "client/aside.h"

struct guts_ciwork {
	struct guts_cli *cli;
	char *id, *lease;           /* of the job */
	uint64_t lease_ms;          /* how long the lease lasts from one heartbeat to the next */
	uint64_t memory_max;        /* [bytes] of all processes of a program; 0 = no limit */
	const char *step;           /* what it does now */
	struct guts_buf log;        /* output that the node does not have yet */
	uint64_t log_sent;          /* [bytes] that it has */
	bool log_full;              /* what comes is shown here only */
	bool is_lost;               /* the lease is another's, or the node was not heard of for too long */
	struct guts_aside *beat;    /* heartbeat under way, which the node answers as soon as the lease is lost; NULL = none */
	uint64_t beat_sent;         /* [ms] monotonic, as what follows */
	uint64_t beat_at, send_at, held_until, weigh_at;
};

/* How a program ended. */
enum guts_ciend { GUTS_CIEND_EXIT, GUTS_CIEND_SIGNAL, GUTS_CIEND_TIMEOUT, GUTS_CIEND_MEMORY, GUTS_CIEND_LOST, GUTS_CIEND_STOPPED, GUTS_CIEND_UNSTARTED };

/* Set by SIGINT and SIGTERM once guts_ciwork_signals was called: end what runs. */
bool guts_ciwork_is_stopped(void);
void guts_ciwork_signals(void);
uint64_t guts_ciwork_now_ms(void); /* monotonic */

/* One request to the node.  0 = it does not answer (or, if `may_stop`, a signal came); else the status, with *doc what it said,
 * NULL if that is no JSON.  type NULL = JSON.  Owner of *doc: caller (doc may be NULL). */
long guts_ciwork_call(struct guts_cli *c, const char *method, const char *path, const char *type, struct guts_slice body,
    bool may_stop, struct guts_doc **doc);

/* Begin to hold a job; the lease was given just now. */
void guts_ciwork_begin(struct guts_ciwork *w);
void guts_ciwork_deinit(struct guts_ciwork *w);

/* Tell the node what is done now. */
void guts_ciwork_step(struct guts_ciwork *w, const char *step);

/* A line of our own in the log. */
void guts_ciwork_say(struct guts_ciwork *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Run argv (argv[0] found in the PATH of `env`) in folder `dir`, in a process group of its own, for at most limit_s seconds;
 * its output goes to the log and to standard output.  *code = exit code or signal.  Whatever it started is ended with it. */
enum guts_ciend guts_ciwork_run(struct guts_ciwork *w, char *const *argv, char *const *env, const char *dir, uint64_t limit_s,
    int *code);

/* Keep the file at `path` under its last name.  Returns 0 or why not, in words. */
const char *guts_ciwork_upload(struct guts_ciwork *w, const char *path);

/* Report the result; false: the job was lost.  Waits for a node that is away as long as the lease lasts. */
bool guts_ciwork_finish(struct guts_ciwork *w, const char *state, const char *description);

/* Give the job back. */
void guts_ciwork_return(struct guts_ciwork *w);

#endif
