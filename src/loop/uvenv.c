/* loop/uvenv.c - the libuv end of the environment: turns, timers, posting, signals, names.
 *
 * `now` is read at the first question after a callback of libuv began.
 *
 * Timers sit in one binary heap ordered by (time, order of setting); a guts_timer keeps its
 * place in `impl`, so that it can be moved or taken out at once.  One uv_timer is set to the
 * heap's top, and left alone when the top only moves later (one wake-up for nothing is cheaper
 * than setting it each time).  What is due already runs from an idle handle: a uv_timer of 0 ms
 * that is set again in its own callback would run forever inside one turn.
 *
 * Posted functions sit in one of two arrays that the loop swaps, so a steady stream of them
 * allocates nothing and a function that posts again runs in the next turn.
 */
#include "loop/uvenv_int.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct guts_uvenv *
uvenv_of(struct guts_env *e)
{
	return (struct guts_uvenv *)(void *)e;
}

void
guts_uvenv_turn(struct guts_uvenv *u)
{
	u->now_known = false;
}

static uint64_t
env_now(struct guts_env *e)
{
	struct guts_uvenv *u = uvenv_of(e);

	if (!u->now_known) {
		u->now_ns = uv_hrtime();
		u->now_known = true;
	}
	return u->now_ns;
}

static uint64_t
env_wall(struct guts_env *e)
{
	struct timespec ts;

	(void)e;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * GUTS_SECOND_NS + (uint64_t)ts.tv_nsec;
}

static void
env_random(struct guts_env *e, void *p, size_t n)
{
	uint8_t *to = p;

	(void)e;
	while (n) {
		ssize_t got = getrandom(to, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* no randomness, no keys: nothing can go on */
		to += got;
		n -= (size_t)got;
	}
}

/* --- timers --------------------------------------------------------------- */

static bool
slot_before(const struct guts_uvtimer_slot *a, const struct guts_uvtimer_slot *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void
slot_put(struct guts_uvenv *u, size_t i, struct guts_uvtimer_slot s)
{
	u->heap[i] = s;
	s.t->impl = (void *)(uintptr_t)(i + 1);
}

static void
slot_up(struct guts_uvenv *u, size_t i, struct guts_uvtimer_slot s)
{
	for (; i > 0 && slot_before(&s, &u->heap[(i - 1) / 2]); i = (i - 1) / 2)
		slot_put(u, i, u->heap[(i - 1) / 2]);
	slot_put(u, i, s);
}

static void
slot_down(struct guts_uvenv *u, size_t i, struct guts_uvtimer_slot s)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= u->heap_n)
			break;
		if (child + 1 < u->heap_n && slot_before(&u->heap[child + 1], &u->heap[child]))
			child++;
		if (!slot_before(&u->heap[child], &s))
			break;
		slot_put(u, i, u->heap[child]);
		i = child;
	}
	slot_put(u, i, s);
}

static void
slot_place(struct guts_uvenv *u, size_t i, struct guts_uvtimer_slot s)
{
	if (i > 0 && slot_before(&s, &u->heap[(i - 1) / 2]))
		slot_up(u, i, s);
	else
		slot_down(u, i, s);
}

static void on_idle(uv_idle_t *h);
static void on_timer(uv_timer_t *h);

void
guts_uvenv_again(struct guts_uvenv *u)
{
	if (!u->closing)
		uv_idle_start(&u->idle, on_idle);
}

/* See that the loop wakes up for the heap's top. */
static void
timers_arm(struct guts_uvenv *u)
{
	if (u->in_timers || u->heap_n == 0 || u->closing)
		return;
	if (u->heap[0].at_ns <= env_now(&u->env)) {
		guts_uvenv_again(u);
		return;
	}

	uint64_t due_ms = u->heap[0].at_ns / GUTS_MS_NS + (u->heap[0].at_ns % GUTS_MS_NS != 0);
	if (u->timer_due_ms <= due_ms)
		return;
	uint64_t at_ms = uv_now(&u->loop);
	uv_timer_start(&u->timer, on_timer, due_ms > at_ms ? due_ms - at_ms : 1, 0);
	u->timer_due_ms = due_ms;
}

/* Fire what was set before this call and is due. */
static void
timers_run(struct guts_uvenv *u)
{
	uint64_t now = env_now(&u->env), later = u->order;

	u->in_timers = true;
	while (u->heap_n && u->heap[0].at_ns <= now && u->heap[0].order < later) {
		struct guts_timer *t = u->heap[0].t;

		guts_uvenv_timer_clear(&u->env, t);
		t->fire(t, t->owner);
	}
	u->in_timers = false;
	timers_arm(u);
}

static void
on_timer(uv_timer_t *h)
{
	struct guts_uvenv *u = h->data;

	guts_uvenv_turn(u);
	u->timer_due_ms = GUTS_NEVER;
	timers_run(u);
}

static void
on_idle(uv_idle_t *h)
{
	struct guts_uvenv *u = h->data;

	guts_uvenv_turn(u);
	uv_idle_stop(h);
	guts_uvconn_run_deferred(u);
	timers_run(u);
}

void
guts_uvenv_timer_set(struct guts_env *e, struct guts_timer *t, uint64_t at_ns)
{
	struct guts_uvenv *u = uvenv_of(e);

	if (at_ns == GUTS_NEVER) {
		guts_uvenv_timer_clear(e, t);
		return;
	}

	struct guts_uvtimer_slot s = {at_ns, u->order++, t};
	t->at_ns = at_ns;
	if (t->impl) {
		slot_place(u, (uintptr_t)t->impl - 1, s);
	} else {
		if (u->heap_n == u->heap_cap) {
			u->heap_cap = u->heap_cap ? 2 * u->heap_cap : 64;
			u->heap = guts_realloc(u->heap, u->heap_cap * sizeof *u->heap);
		}
		slot_up(u, u->heap_n++, s);
	}
	if (u->heap[0].t == t)
		timers_arm(u);
}

void
guts_uvenv_timer_clear(struct guts_env *e, struct guts_timer *t)
{
	struct guts_uvenv *u = uvenv_of(e);

	t->at_ns = GUTS_NEVER;
	if (!t->impl)
		return;

	size_t i = (uintptr_t)t->impl - 1;
	t->impl = NULL;
	u->heap_n--;
	if (i < u->heap_n)
		slot_place(u, i, u->heap[u->heap_n]);
}

/* --- other threads -------------------------------------------------------- */

static void
env_post(struct guts_env *e, void (*fn)(void *arg), void *arg)
{
	struct guts_uvenv *u = uvenv_of(e);

	pthread_mutex_lock(&u->lock);
	if (u->posts_n == u->posts_cap) {
		u->posts_cap = u->posts_cap ? 2 * u->posts_cap : 64;
		u->posts = guts_realloc(u->posts, u->posts_cap * sizeof *u->posts);
	}
	u->posts[u->posts_n++] = (struct guts_uvpost){fn, arg};
	if (u->posts_n == 1)
		uv_async_send(&u->wake);
	pthread_mutex_unlock(&u->lock);
}

static void
workers_wake(void *arg)
{
	struct guts_uvenv *u = arg;

	uv_async_send(&u->wake);
}

static void
on_wake(uv_async_t *h)
{
	struct guts_uvenv *u = h->data;

	guts_uvenv_turn(u);
	pthread_mutex_lock(&u->lock);
	struct guts_uvpost *posts = u->posts;
	size_t n = u->posts_n, cap = u->posts_cap;
	bool stop = u->stop;
	u->posts = u->posts_spare;
	u->posts_cap = u->spare_cap;
	u->posts_n = 0;
	pthread_mutex_unlock(&u->lock);

	for (size_t i = 0; i < n; i++)
		posts[i].fn(posts[i].arg);
	u->posts_spare = posts;
	u->spare_cap = cap;

	guts_workers_reap(u->workers);
	if (stop)
		uv_stop(&u->loop);
}

static void
env_submit(struct guts_env *e, struct guts_job *j)
{
	guts_workers_submit(uvenv_of(e)->workers, j);
}

/* --- names ---------------------------------------------------------------- */

struct resolve {
	uv_getaddrinfo_t req;
	struct guts_uvenv *u;
	int err; /* of the call itself */
	void (*done)(void *owner, const struct guts_addrs *a);
	void *owner;
};

static int
resolve_err(int status)
{
	switch (status) {
	case 0: return 0;
	case UV_EAI_NONAME:
	case UV_EAI_NODATA: return GUTS_ENOTFOUND;
	case UV_EAI_AGAIN: return GUTS_EUNAVAILABLE;
	case UV_EINVAL:
	case UV_ENAMETOOLONG:
	case UV_E2BIG:
	case UV_EAI_FAMILY: return GUTS_EINVAL;
	default: return GUTS_EIO;
	}
}

static void
resolve_answer(struct resolve *r, int err, const struct addrinfo *ai)
{
	struct guts_uvenv *u = r->u;
	struct guts_addrs a = {.err = err};

	for (; !err && ai && a.n < sizeof a.v / sizeof a.v[0]; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof a.v[0])
			continue;
		memcpy(&a.v[a.n++], ai->ai_addr, ai->ai_addrlen);
	}
	if (!err && a.n == 0)
		a.err = GUTS_ENOTFOUND;
	u->resolving--;
	if (!u->closing)
		r->done(r->owner, &a);
	free(r);
}

static void
on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *ai)
{
	struct resolve *r = req->data;

	guts_uvenv_turn(r->u);
	resolve_answer(r, resolve_err(status), ai);
	uv_freeaddrinfo(ai);
}

static void
resolve_failed(void *arg)
{
	struct resolve *r = arg;

	resolve_answer(r, r->err, NULL);
}

static void
env_resolve(struct guts_env *e, const char *host, uint16_t port, int family,
	    void (*done)(void *owner, const struct guts_addrs *a), void *owner)
{
	struct guts_uvenv *u = uvenv_of(e);
	struct resolve *r = guts_alloc(sizeof *r);
	struct addrinfo hints = {
		.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char service[8];

	r->u = u;
	r->done = done;
	r->owner = owner;
	r->req.data = r;
	snprintf(service, sizeof service, "%u", (unsigned)port);
	r->err = GUTS_EBUSY;
	if (u->resolving++ < GUTS_UVENV_RESOLVES_MAX)
		r->err = resolve_err(
			uv_getaddrinfo(&u->loop, &r->req, on_resolved, host, service, &hints));
	if (r->err)
		env_post(e, resolve_failed, r);
}

/* --- make, run, free ------------------------------------------------------ */

static const struct guts_env_ops ops = {
	.now = env_now,
	.wall = env_wall,
	.random = env_random,
	.timer_set = guts_uvenv_timer_set,
	.timer_clear = guts_uvenv_timer_clear,
	.listen = guts_uvconn_listen,
	.unlisten = guts_uvconn_unlisten,
	.dial = guts_uvconn_dial,
	.write = guts_uvconn_write,
	.queued = guts_uvconn_queued,
	.read_pause = guts_uvconn_read_pause,
	.close = guts_uvconn_close,
	.conn_local = guts_uvconn_local,
	.conn_remote = guts_uvconn_remote,
	.udp_open = guts_uvudp_open,
	.udp_join = guts_uvudp_join,
	.udp_send = guts_uvudp_send,
	.udp_close = guts_uvudp_close,
	.interfaces = guts_uvudp_interfaces,
	.resolve = env_resolve,
	.submit = env_submit,
	.post = env_post,
};

static void
raise_open_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static unsigned
workers_wanted(const struct guts_uvenv_options *opt)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = opt && opt->workers ? opt->workers : 2 * (unsigned)(cores > 1 ? cores : 1);

	return n < GUTS_UVENV_WORKERS_MAX ? n : GUTS_UVENV_WORKERS_MAX;
}

int
guts_uvenv_new(const struct guts_uvenv_options *opt, struct guts_uvenv **out)
{
	struct guts_uvenv *u = guts_alloc(sizeof *u);

	u->env.ops = &ops;
	u->timer_due_ms = GUTS_NEVER;
	if (uv_loop_init(&u->loop) != 0) {
		free(u);
		return GUTS_EIO;
	}
	pthread_mutex_init(&u->lock, NULL);
	u->read_mem = guts_alloc(GUTS_UVENV_READ_BYTES);

	uv_timer_init(&u->loop, &u->timer);
	uv_idle_init(&u->loop, &u->idle);
	uv_signal_init(&u->loop, &u->sigterm);
	uv_signal_init(&u->loop, &u->sigint);
	uv_signal_init(&u->loop, &u->sighup);
	u->timer.data = u->idle.data = u->wake.data = u->sigterm.data = u->sigint.data = u->sighup.data = u;

	int rc = uv_async_init(&u->loop, &u->wake, on_wake);
	if (rc != 0 || guts_workers_new(workers_wanted(opt), workers_wake, u, &u->workers) != 0) {
		guts_uvenv_free(u);
		return GUTS_EIO;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_open_files();
	*out = u;
	return 0;
}

struct guts_env *
guts_uvenv_env(struct guts_uvenv *u)
{
	return &u->env;
}

struct uv_loop_s *
guts_uvenv_loop(struct guts_uvenv *u)
{
	return &u->loop;
}

static void
on_signal(uv_signal_t *h, int number)
{
	struct guts_uvenv *u = h->data;

	guts_uvenv_turn(u);
	u->on_signal(u->signal_owner, number);
}

int
guts_uvenv_on_signal(struct guts_uvenv *u, void (*fn)(void *owner, int number), void *owner)
{
	u->on_signal = fn;
	u->signal_owner = owner;
	if (uv_signal_start(&u->sigterm, on_signal, SIGTERM) != 0 ||
	    uv_signal_start(&u->sigint, on_signal, SIGINT) != 0)
		return GUTS_EIO;
	return 0;
}

int
guts_uvenv_hear_hangup(struct guts_uvenv *u)
{
	return uv_signal_start(&u->sighup, on_signal, SIGHUP) == 0 ? 0 : GUTS_EIO;
}

static bool
stop_asked(struct guts_uvenv *u, bool forget)
{
	pthread_mutex_lock(&u->lock);
	bool stop = u->stop;
	if (forget)
		u->stop = false;
	pthread_mutex_unlock(&u->lock);
	return stop;
}

void
guts_uvenv_run(struct guts_uvenv *u)
{
	guts_uvenv_turn(u);
	while (!stop_asked(u, false))
		uv_run(&u->loop, UV_RUN_DEFAULT);
	stop_asked(u, true);
}

void
guts_uvenv_stop(struct guts_uvenv *u)
{
	pthread_mutex_lock(&u->lock);
	u->stop = true;
	uv_async_send(&u->wake);
	pthread_mutex_unlock(&u->lock);
}

static void
close_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void
guts_uvenv_end_jobs(struct guts_uvenv *u)
{
	guts_workers_stop(u->workers);
}

void
guts_uvenv_free(struct guts_uvenv *u)
{
	if (!u)
		return;
	u->closing = true;
	guts_workers_free(u->workers);
	while (u->heap_n)
		guts_uvenv_timer_clear(&u->env, u->heap[0].t);
	guts_uvconn_close_all(u);
	guts_uvudp_close_all(u);
	uv_walk(&u->loop, close_handle, NULL);
	while (uv_run(&u->loop, UV_RUN_DEFAULT) != 0)
		;
	int rc = uv_loop_close(&u->loop);
	assert(rc == 0);
	(void)rc;

	for (size_t i = 0; i < u->posts_n; i++)
		if (u->posts[i].fn == resolve_failed)
			free(u->posts[i].arg);
	guts_uvconn_free_chunks(u);
	free(u->read_mem);
	free(u->heap);
	free(u->posts);
	free(u->posts_spare);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
