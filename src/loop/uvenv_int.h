/* loop/uvenv_int.h - what the files of the libuv end share; for uvenv.c, uvconn.c, uvudp.c, uvjob.c. */
#ifndef GUTS_LOOP_UVENV_INT_H
#define GUTS_LOOP_UVENV_INT_H

#include "loop/uvenv.h"

#include <pthread.h>
#include <uv.h>

struct guts_uvchunk;
struct guts_workers;

struct guts_uvtimer_slot {
	uint64_t at_ns, order; /* equal times fire in the order of setting */
	struct guts_timer *t;
};

struct guts_uvpost {
	void (*fn)(void *arg);
	void *arg;
};

struct guts_uvenv {
	struct guts_env env;
	uv_loop_t loop;
	bool closing;

	uint64_t now_ns;
	bool now_known;

	/* timers: one heap, one uv_timer for its top; what is due at once runs from `idle` */
	struct guts_uvtimer_slot *heap;
	size_t heap_n, heap_cap;
	uint64_t order;
	uv_timer_t timer;
	uint64_t timer_due_ms; /* what `timer` is set to; GUTS_NEVER = not */
	uv_idle_t idle;        /* "again in the next turn" */
	bool in_timers;

	/* other threads' way in */
	pthread_mutex_t lock;
	uv_async_t wake;
	struct guts_uvpost *posts, *posts_spare;
	size_t posts_n, posts_cap, spare_cap;
	bool stop;

	/* sockets */
	struct guts_conn *conns, *deferred;
	struct guts_listener *listeners;
	struct guts_udp *udps;
	struct guts_uvchunk *chunks; /* free ones */
	size_t chunks_n;
	uint8_t *read_mem;

	unsigned resolving;
	struct guts_workers *workers;

	uv_signal_t sigterm, sigint, sighup;
	void (*on_signal)(void *owner, int number);
	void *signal_owner;
};

/* --- uvenv.c -------------------------------------------------------------- */
void guts_uvenv_timer_set(struct guts_env *e, struct guts_timer *t, uint64_t at_ns);
void guts_uvenv_timer_clear(struct guts_env *e, struct guts_timer *t);
void guts_uvenv_again(struct guts_uvenv *u); /* see that the idle callback runs in the next turn */

/* --- uvconn.c ------------------------------------------------------------- */
int guts_uvconn_listen(struct guts_env *e, const struct sockaddr *at,
		       const struct guts_listener_events *ev, void *owner,
		       struct guts_listener **out, struct sockaddr_storage *bound);
void guts_uvconn_unlisten(struct guts_env *e, struct guts_listener *l);
int guts_uvconn_dial(struct guts_env *e, const struct sockaddr *to,
		     const struct guts_conn_events *ev, void *owner, struct guts_conn **out);
int guts_uvconn_write(struct guts_env *e, struct guts_conn *c, struct guts_slice data);
size_t guts_uvconn_queued(struct guts_env *e, const struct guts_conn *c);
void guts_uvconn_read_pause(struct guts_env *e, struct guts_conn *c, bool pause);
void guts_uvconn_close(struct guts_env *e, struct guts_conn *c);
void guts_uvconn_local(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out);
void
guts_uvconn_remote(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out);
void guts_uvconn_run_deferred(struct guts_uvenv *u);
void guts_uvconn_close_all(struct guts_uvenv *u);
void guts_uvconn_free_chunks(struct guts_uvenv *u);
int guts_uvconn_err(int status); /* the error that libuv's `status` means */

/* --- uvudp.c -------------------------------------------------------------- */
int guts_uvudp_open(struct guts_env *e, const struct sockaddr *at, bool shared,
		    const struct guts_udp_events *ev, void *owner, struct guts_udp **out,
		    struct sockaddr_storage *bound);
int guts_uvudp_join(struct guts_env *e, struct guts_udp *d, const struct sockaddr *group,
		    unsigned interface);
int guts_uvudp_send(struct guts_env *e, struct guts_udp *d, const struct guts_udp_path *path,
		    struct guts_slice data);
void guts_uvudp_close(struct guts_env *e, struct guts_udp *d);
size_t guts_uvudp_interfaces(struct guts_env *e, struct guts_interface *out, size_t max);
void guts_uvudp_close_all(struct guts_uvenv *u);

/* --- uvjob.c -------------------------------------------------------------- */
/* Start `n` threads; `wake(arg)` is called on a worker when the first finished job waits. */
int guts_workers_new(unsigned n, void (*wake)(void *arg), void *arg, struct guts_workers **out);
void guts_workers_submit(struct guts_workers *w, struct guts_job *j);
/* Call `done` of the jobs that finished until now. */
void guts_workers_reap(struct guts_workers *w);
/* Wait for the running ones, forget the others. */
void guts_workers_stop(struct guts_workers *w);
void guts_workers_free(struct guts_workers *w);

#endif
