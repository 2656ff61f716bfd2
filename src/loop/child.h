/* loop/child.h - the supervisor of child programs (git).
 *
 * Every child gets: an argument vector (no shell), exactly the environment it is given, a
 * process group of its own, default signals, PR_SET_PDEATHSIG, limits of address space,
 * processor time and file size, no descriptors but 0, 1, 2.  It is ended (SIGKILL to the whole
 * group) when no byte moved for `idle_max_ns`, after `total_max_ns`, or on cancel; what is left of
 * its group when it ends is killed too; it is always reaped.  Bytes on any of its three streams
 * count as progress, so a program that works for long in silence should be told to print progress.
 *
 * At most `running_max` run at once.  Others wait, at most `waiting_max` in all and
 * `waiting_key_max` of one key; then GUTS_EBUSY.  A free slot goes to the key with
 * the fewest running, among these to the one that waited longest.  One that waited for its
 * idle_max_ns ends with GUTS_EBUSY.  Those that serve a stranger, who may read slowly, get three
 * quarters of the slots and of the queue: the rest is for what we need ourselves, e.g. to take a push.
 *
 * Two ways to run one: with callbacks on the loop thread (guts_child_start), or blocking in a
 * worker's job (guts_child_run_blocking).  childpipe.h puts one between two pipes.
 *
 * PR_SET_PDEATHSIG counts the death of the *thread* that started the child: a blocking run
 * ends with its thread anyway, and the loop thread lives as long as the process.
 */
#ifndef GUTS_LOOP_CHILD_H
#define GUTS_LOOP_CHILD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "loop/uvenv.h"

#define GUTS_CHILD_IDLE_NS    (30 * GUTS_SECOND_NS)   /* [ns] usual progress deadline */
#define GUTS_CHILD_TOTAL_NS   (3600 * GUTS_SECOND_NS) /* [ns] usual cap in all */
#define GUTS_CHILD_STDERR_MAX 4096                    /* [bytes] of its last words kept */
#define GUTS_CHILD_INPUT_MAX  (128u << 10)            /* [bytes] queued input, beside the kernel's */

struct guts_children;
struct guts_child;

struct guts_children_options {
	unsigned running_max;     /* 0 = 2 per processor */
	unsigned waiting_max;     /* 0 = 64 */
	unsigned waiting_key_max; /* 0 = 16 */
};

/* What to run.  All pointers are copied. */
struct guts_child_spec {
	const char *path;          /* absolute path of the program */
	const char *const *argv;   /* argv[0] included, NULL at the end */
	const char *const *env;    /* "NAME=value", NULL at the end; NULL = empty environment */
	const char *dir;           /* working directory; NULL = "/" */
	bool is_serving;           /* its output waits for somebody else to read it */
	uint64_t key;              /* whose: for fairness, e.g. hash of repository or peer */
	uint64_t memory_max_bytes; /* RLIMIT_AS; 0 = none */
	uint64_t file_max_bytes;   /* RLIMIT_FSIZE; 0 = none */
	uint32_t cpu_max_s;        /* RLIMIT_CPU; 0 = none */
	uint64_t idle_max_ns;      /* 0 = GUTS_CHILD_IDLE_NS */
	uint64_t total_max_ns;     /* 0 = GUTS_CHILD_TOTAL_NS */
};

/* How it ended; text valid during the callback, or as long as the struct. */
struct guts_child_result {
	/* 0 = it exited with 0.  GUTS_EIO: other exit code, or a signal.  GUTS_ELIMIT: over the
	 * processor or file limit, or more output than asked for.  GUTS_ETIMEOUT: no progress, or
	 * over the total.  GUTS_EBUSY: waited too long.  GUTS_ECANCELED. */
	int err;
	int exit_code; /* -1 = ended by a signal or never ran; 127: perhaps not executed, see text */
	int signal;    /* 0 = none */
	uint64_t in_bytes, out_bytes;
	uint64_t run_ns;                      /* from start to end */
	char text[GUTS_CHILD_STDERR_MAX + 1]; /* end of its standard error, NUL at the end */
};

struct guts_child_events {
	/* Output; valid during the call. */
	void (*data)(void *owner, struct guts_slice out);
	/* Room after guts_child_write took less than it was given.  May be NULL. */
	void (*writable)(void *owner);
	/* Ended and reaped, after all output; exactly once; the child is gone. */
	void (*exit)(void *owner, const struct guts_child_result *r);
	/* Standard error as it comes, beside the end of it that the result holds; valid during the call.  May be NULL. */
	void (*said)(void *owner, struct guts_slice text);
};

/* Make the supervisor; `opt` may be NULL. */
struct guts_children *
guts_children_new(struct guts_uvenv *u, const struct guts_children_options *opt);

/* Kill and reap all children of the loop without events, end waiting and running blocking calls
 * with GUTS_ECANCELED, refuse new ones.  What is done to a child afterwards has no effect.
 * Thread: loop; before guts_uvenv_free. */
void guts_children_stop(struct guts_children *s);

/* Free; after guts_children_stop and guts_uvenv_free (no worker may be inside).  NULL is fine. */
void guts_children_free(struct guts_children *s);

/* The environment it was made for. */
struct guts_env *guts_children_env(struct guts_children *s);

/* Running and waiting now, for metrics.  Thread: any. */
void guts_children_count(struct guts_children *s, unsigned *running, unsigned *waiting);

/* Does its queue fill up (three quarters are taken), did the system refuse the last start?  Thread: any. */
void guts_children_trouble(struct guts_children *s, bool *is_crowded, bool *is_refused);

/* Start one, or let it wait for a slot; input may be written from now on.  Callbacks come in later
 * turns.  Thread: loop.  Errors: GUTS_EBUSY, GUTS_ECANCELED (stopped), GUTS_EIO (no process, no
 * descriptors). */
int guts_child_start(struct guts_children *s, const struct guts_child_spec *spec,
		     const struct guts_child_events *ev, void *owner, struct guts_child **out);

/* Give input; returns how many bytes were taken.  A child that closed its input takes and drops
 * all. */
size_t guts_child_write(struct guts_child *c, struct guts_slice data);

/* No more input: end of file after what is queued. */
void guts_child_end_input(struct guts_child *c);

/* Stop or go on with `data`. */
void guts_child_pause(struct guts_child *c, bool pause);

/* Kill its group and forget it: no further event; reaped in the background. */
void guts_child_cancel(struct guts_child *c);

/* A handle to cancel a blocking run from another thread; zeroed before use, kept until the run
 * returned and no one will cancel any more. */
struct guts_child_token {
	bool canceled; /* private, like the rest */
	struct guts_child *child;
};

/* Streams of a blocking run. */
struct guts_child_io {
	int in_fd; /* given to the child as its input; -1 = `in` is fed to it */
	struct guts_slice in;
	int out_fd; /* given to the child as its output; -1 = output is appended to `out` */

	/* NULL = output is dropped.  More than its `max` ends the child with GUTS_ELIMIT. */
	struct guts_buf *out;
	struct guts_child_token *token; /* may be NULL */
};

/* Run one to its end.  Returns r->err.  Thread: a worker (never the loop).
 * Errors: those of guts_child_result, GUTS_EBUSY (queue full). */
int guts_child_run_blocking(struct guts_children *s, const struct guts_child_spec *spec,
			    const struct guts_child_io *io, struct guts_child_result *r);

/* End the blocking run that has this token, now or when it starts, with GUTS_ECANCELED.  Thread:
 * any. */
void guts_child_token_cancel(struct guts_children *s, struct guts_child_token *t);

#endif
