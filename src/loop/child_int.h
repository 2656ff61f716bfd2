/* loop/child_int.h - what the two ways of running a child share; for child.c and childloop.c. */
#ifndef GUTS_LOOP_CHILD_INT_H
#define GUTS_LOOP_CHILD_INT_H

#include "loop/child.h"

#include <pthread.h>
#include <sys/types.h>
#include <uv.h>

#define GUTS_CHILD_READ_BYTES (64u << 10) /* [bytes] one read of output */
#define GUTS_CHILD_DRAIN_NS \
	(2 * GUTS_SECOND_NS)                 /* [ns] for output of others after the child's end */
#define GUTS_CHILD_TICK_NS (20 * GUTS_MS_NS) /* [ns] between looks at a child without a pidfd */

struct guts_children {
	struct guts_uvenv *u;
	struct guts_env *e;
	unsigned running_max, waiting_max, waiting_key_max;
	pthread_mutex_t lock;   /* all below, and state, pid of each child */
	pthread_cond_t granted; /* a blocking one got its slot or was canceled */
	unsigned running, waiting, blocking;
	unsigned serving, serving_waiting; /* of these, is_serving */
	struct guts_child *list; /* in order of arrival */
	struct guts_child *stopped; /* on the loop only */
	bool stopping, pump_posted;
	bool is_refused;         /* the system did not let the last one start */
	uint8_t *mem; /* the loop's read buffer; not locked */
};

enum guts_child_state { GUTS_CHILD_WAITING, GUTS_CHILD_GRANTED, GUTS_CHILD_RUNNING };

/* One stream of a child of the loop. */
struct guts_child_poll {
	uv_poll_t poll;
	struct guts_child *c;
	int fd, events; /* fd -1 = closed; events: what is asked for now */
};

struct guts_child {
	struct guts_children *s;
	struct guts_child *prev, *next;
	enum guts_child_state state;
	bool blocking, canceled, is_serving;
	char *path, *dir, **argv, **env;
	uint64_t key, memory_max_bytes, file_max_bytes, idle_max_ns, total_max_ns;
	uint32_t cpu_max_s;
	pid_t pid;                   /* 0 = not started or reaped */
	int why;                     /* why we killed it; 0 = we did not */
	uint64_t start_ns, moved_ns; /* moved: when the last byte did */
	struct guts_child_result r;
	size_t text_n;

	/* on the loop only */
	const struct guts_child_events *ev; /* NULL = canceled */
	void *owner;
	struct guts_child_poll in, out, err, end;
	unsigned handles; /* of libuv, not closed yet */
	struct guts_timer timer, rest;
	struct guts_buf input;
	bool started, input_ended, input_full, paused, resting, exited, done;
	bool tell_stop; /* its exit event comes even from guts_children_stop */
	bool stopped;   /* by guts_children_stop without a word: its owner may still name it, so it stays */
};

/* Copy a spec. */
struct guts_child *guts_child_new(struct guts_children *s, const struct guts_child_spec *spec);
void guts_child_free(struct guts_child *c);

/* Ask for a slot: *granted, or it waits.  Errors: GUTS_EBUSY, GUTS_ECANCELED. */
int guts_child_slot_ask(struct guts_child *c, bool *granted);

/* Give the slot, or the place in the queue, back. */
void guts_child_slot_release(struct guts_child *c);

/* Start the program on these three descriptors, which stay the caller's. */
int guts_child_spawn(struct guts_child *c, const int fd[3]);

/* Send SIGKILL to the group if it is not reaped; keeps the first reason. */
void guts_child_kill(struct guts_child *c, int why);

/* Did the leader end?  (It is not reaped yet, so its group's number is still its own.) */
bool guts_child_has_exited(struct guts_child *c);

/* Kill what is left of the group, reap, fill the result. */
void guts_child_reap(struct guts_child *c);

/* Keep the last bytes of its standard error. */
void guts_child_keep_text(struct guts_child *c, const uint8_t *p, size_t n);

/* --- childloop.c ---------------------------------------------------------- */
/* Start the children of the loop that got a slot. */
void guts_childloop_pump(void *children);
/* Kill, reap and close without event. */
void guts_childloop_stop(struct guts_child *c);

#endif
