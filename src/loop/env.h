/* loop/env.h - the environment table: the only door from the node to the machine.
 *
 * The core (peer, discover, gossip, sync, node) calls nothing else for time, chance, network
 * and blocking work.  There are two ends: uvenv.h (libuv, real sockets, worker threads) and
 * the seeded simulator in tests/sim (virtual time, many nodes in one process).  The node
 * never knows which one it runs on.
 *
 * Everything here is called on, and calls back on, the one loop thread, never from inside the
 * call that caused it (a callback always comes in a later turn), except guts_env_post.
 * `now` is read once per turn: two calls within one callback give the same value.
 *
 * Durable state has two tables of its own, store/store.h and git/repo.h, handed to the node
 * beside this one; both have a real and a model end too.
 */
#ifndef GUTS_LOOP_ENV_H
#define GUTS_LOOP_ENV_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct guts_env;

#define GUTS_NEVER UINT64_MAX              /* a deadline that does not come */
#define GUTS_SECOND_NS UINT64_C(1000000000) /* [ns] */
#define GUTS_MS_NS UINT64_C(1000000)        /* [ns] */

/* A timer; embedded by its owner, zeroed before first use. */
struct guts_timer {
	void (*fire)(struct guts_timer *t, void *owner);
	void *owner;
	void *impl;      /* the environment's own */
	uint64_t at_ns;  /* when it fires; GUTS_NEVER = not set (kept by the environment) */
};

/* A byte stream (TCP).  Made by dial or by a listener; owned by the environment until closed. */
struct guts_conn;

struct guts_conn_events {
	/* Dialled connection is up (err = 0) or failed (err < 0; the conn is gone, no further event). */
	void (*open)(void *owner, struct guts_conn *c, int err);
	/* `data` arrived; valid during the call.  Reading pauses only by guts_env_read_pause. */
	void (*data)(void *owner, struct guts_conn *c, struct guts_slice data);
	/* All bytes given to guts_env_write so far are with the kernel (or: fewer than the low mark are queued). */
	void (*writable)(void *owner, struct guts_conn *c);
	/* The other end finished (err = 0) or the connection broke; the conn is gone, no further event. */
	void (*closed)(void *owner, struct guts_conn *c, int err);
};

struct guts_listener;

struct guts_listener_events {
	/* A connection came in from `from`.  Return true and fill *events, *owner to take it; false refuses it at once. */
	bool (*accept)(void *owner, struct guts_conn *c, const struct sockaddr *from,
	    const struct guts_conn_events **events, void **conn_owner);
};

/* Blocking work for a worker thread.  Owned by the caller until `done` ran; `run` sees only the job's own memory. */
struct guts_job {
	void (*run)(struct guts_job *j);              /* on a worker; no access to node state */
	void (*done)(struct guts_job *j, void *owner); /* on the loop; names its subject by id, not by pointer */
	void *owner;
	const char *name;                              /* for logs and the simulator's trace */
	void *impl;
};

/* Answer of resolve: at most 16 addresses. */
struct guts_addrs {
	int err;
	size_t n;
	struct sockaddr_storage v[16];
};

/* A datagram socket (UDP).  Owned by the environment until closed. */
struct guts_udp;

/* The two ends of a datagram. */
struct guts_udp_path {
	struct sockaddr_storage local;  /* ours: where it came to (perhaps a group), or where it is to leave from;
	                                   family AF_UNSPEC: as the routes have it.  The port is the socket's */
	struct sockaddr_storage remote;
	unsigned interface;             /* the system's number of it; 0 = as the routes have it */
};

struct guts_udp_events {
	/* A datagram came; both are valid during the call. */
	void (*datagram)(void *owner, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice data);
	/* There is room again after a send that got GUTS_EAGAIN.  May be NULL. */
	void (*writable)(void *owner, struct guts_udp *u);
};

#define GUTS_INTERFACES_MAX 32

/* An address of this machine, with the interface that has it. */
struct guts_interface {
	unsigned index;
	struct sockaddr_storage addr; /* port 0 */
};

struct guts_env_ops {
	uint64_t (*now)(struct guts_env *e);
	uint64_t (*wall)(struct guts_env *e);
	void (*random)(struct guts_env *e, void *p, size_t n);

	void (*timer_set)(struct guts_env *e, struct guts_timer *t, uint64_t at_ns);
	void (*timer_clear)(struct guts_env *e, struct guts_timer *t);

	int (*listen)(struct guts_env *e, const struct sockaddr *at, const struct guts_listener_events *ev,
	    void *owner, struct guts_listener **out, struct sockaddr_storage *bound);
	void (*unlisten)(struct guts_env *e, struct guts_listener *l);
	int (*dial)(struct guts_env *e, const struct sockaddr *to, const struct guts_conn_events *ev,
	    void *owner, struct guts_conn **out);
	int (*write)(struct guts_env *e, struct guts_conn *c, struct guts_slice data);
	size_t (*queued)(struct guts_env *e, const struct guts_conn *c);
	void (*read_pause)(struct guts_env *e, struct guts_conn *c, bool pause);
	void (*close)(struct guts_env *e, struct guts_conn *c);
	void (*conn_local)(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out);
	void (*conn_remote)(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out);

	int (*udp_open)(struct guts_env *e, const struct sockaddr *at, bool shared, const struct guts_udp_events *ev,
	    void *owner, struct guts_udp **out, struct sockaddr_storage *bound);
	int (*udp_join)(struct guts_env *e, struct guts_udp *u, const struct sockaddr *group, unsigned interface);
	int (*udp_send)(struct guts_env *e, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice data);
	void (*udp_close)(struct guts_env *e, struct guts_udp *u);
	size_t (*interfaces)(struct guts_env *e, struct guts_interface *out, size_t max);

	void (*resolve)(struct guts_env *e, const char *host, uint16_t port, int family,
	    void (*done)(void *owner, const struct guts_addrs *a), void *owner);
	void (*submit)(struct guts_env *e, struct guts_job *j);
	void (*post)(struct guts_env *e, void (*fn)(void *arg), void *arg);
};

/* Ends embed this as their first member. */
struct guts_env {
	const struct guts_env_ops *ops;
};

/* Monotonic time of this turn [ns]. */
static inline uint64_t
guts_env_now(struct guts_env *e)
{
	return e->ops->now(e);
}

/* Wall clock [ns since 1970]; may jump either way. */
static inline uint64_t
guts_env_wall(struct guts_env *e)
{
	return e->ops->wall(e);
}

/* Random bytes: from the system in the real end, from the node's seeded stream in the simulator. */
static inline void
guts_env_random(struct guts_env *e, void *p, size_t n)
{
	e->ops->random(e, p, n);
}

/* Fire `t` once at or after `at_ns` (monotonic; past = next turn); replaces an earlier setting.
 * GUTS_NEVER clears. */
static inline void
guts_env_timer_set(struct guts_env *e, struct guts_timer *t, uint64_t at_ns)
{
	e->ops->timer_set(e, t, at_ns);
}

/* Forget `t`; it will not fire any more, its memory may be freed. */
static inline void
guts_env_timer_clear(struct guts_env *e, struct guts_timer *t)
{
	e->ops->timer_clear(e, t);
}

/* Accept connections at `at` (port 0 = any free one; *bound tells).  Errors: GUTS_EEXIST address in use,
 * GUTS_EDENIED, GUTS_EINVAL, GUTS_EIO. */
static inline int
guts_env_listen(struct guts_env *e, const struct sockaddr *at, const struct guts_listener_events *ev, void *owner,
    struct guts_listener **out, struct sockaddr_storage *bound)
{
	return e->ops->listen(e, at, ev, owner, out, bound);
}

/* Take no more connections; accepted ones stay. */
static inline void
guts_env_unlisten(struct guts_env *e, struct guts_listener *l)
{
	e->ops->unlisten(e, l);
}

/* Start to connect; the answer is events.open.  No deadline of its own: the caller closes.  Errors: GUTS_EINVAL, GUTS_EIO. */
static inline int
guts_env_dial(struct guts_env *e, const struct sockaddr *to, const struct guts_conn_events *ev, void *owner,
    struct guts_conn **out)
{
	return e->ops->dial(e, to, ev, owner, out);
}

/* Take all of `data` (copied unless the kernel takes it at once).  The caller keeps guts_env_queued bounded
 * and waits for events.writable.  Errors: GUTS_ECLOSED; the `closed` event follows or came. */
static inline int
guts_env_write(struct guts_env *e, struct guts_conn *c, struct guts_slice data)
{
	return e->ops->write(e, c, data);
}

/* Bytes taken by write and not yet with the kernel. */
static inline size_t
guts_env_queued(struct guts_env *e, const struct guts_conn *c)
{
	return e->ops->queued(e, c);
}

/* Stop or go on reading: the back-pressure that the other end feels. */
static inline void
guts_env_read_pause(struct guts_env *e, struct guts_conn *c, bool pause)
{
	e->ops->read_pause(e, c, pause);
}

/* Close now, dropping what is queued only if the peer does not take it within 1 s; no further event. */
static inline void
guts_env_close(struct guts_env *e, struct guts_conn *c)
{
	e->ops->close(e, c);
}

/* Our address of the connection. */
static inline void
guts_env_conn_local(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	e->ops->conn_local(e, c, out);
}

/* The other end's address. */
static inline void
guts_env_conn_remote(struct guts_env *e, const struct guts_conn *c, struct sockaddr_storage *out)
{
	e->ops->conn_remote(e, c, out);
}

/* Open a datagram socket at `at` (port 0 = any free one; *bound, which may be NULL, tells).  `shared`: other sockets
 * may have the same port, and each hears what comes to a group that it joined.  Errors: as guts_env_listen. */
static inline int
guts_env_udp_open(struct guts_env *e, const struct sockaddr *at, bool shared, const struct guts_udp_events *ev,
    void *owner, struct guts_udp **out, struct sockaddr_storage *bound)
{
	return e->ops->udp_open(e, at, shared, ev, owner, out, bound);
}

/* Hear what comes to a multicast group (its port is not looked at) on an interface.  What is sent to a group comes
 * back to the sockets of this machine that joined it.  Errors: GUTS_EEXIST (joined), GUTS_EINVAL, GUTS_ELIMIT (too
 * many), GUTS_EIO. */
static inline int
guts_env_udp_join(struct guts_env *e, struct guts_udp *u, const struct sockaddr *group, unsigned interface)
{
	return e->ops->udp_join(e, u, group, interface);
}

/* Give one datagram to the kernel, whole, at once: nothing is queued here.  Errors: GUTS_EAGAIN (no room, nothing was
 * taken; events.writable follows), GUTS_ELIMIT (too long), GUTS_EDENIED, GUTS_EINVAL, GUTS_EIO (no way there). */
static inline int
guts_env_udp_send(struct guts_env *e, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice data)
{
	return e->ops->udp_send(e, u, path, data);
}

/* Close; no further event, also when called within one. */
static inline void
guts_env_udp_close(struct guts_env *e, struct guts_udp *u)
{
	e->ops->udp_close(e, u);
}

/* This machine's addresses on interfaces that are up, loopback too.  Returns their number, at most `max`. */
static inline size_t
guts_env_interfaces(struct guts_env *e, struct guts_interface *out, size_t max)
{
	return e->ops->interfaces(e, out, max);
}

/* Look up a host name (family AF_INET, AF_INET6 or AF_UNSPEC); `done` comes later, exactly once. */
static inline void
guts_env_resolve(struct guts_env *e, const char *host, uint16_t port, int family,
    void (*done)(void *owner, const struct guts_addrs *a), void *owner)
{
	e->ops->resolve(e, host, port, family, done, owner);
}

/* Run a job on a worker thread; `done` comes later, exactly once. */
static inline void
guts_env_submit(struct guts_env *e, struct guts_job *j)
{
	e->ops->submit(e, j);
}

/* Run fn(arg) on the loop thread in a later turn, in order of posting.  Thread-safe: the one way in from other
 * threads. */
static inline void
guts_env_post(struct guts_env *e, void (*fn)(void *arg), void *arg)
{
	e->ops->post(e, fn, arg);
}

#endif
