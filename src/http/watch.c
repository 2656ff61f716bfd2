/* http/watch.c - one thread for what needs a clock: handing out events, heartbeats, slow clients.
 *
 * It sleeps without a deadline while there is neither a connection nor an event, so an idle node
 * stays idle.  libmicrohttpd's own time-out counts only silence: a client that sends one byte
 * a second would stay for ever, so requests have deadlines in all here.  And a suspended connection
 * does not notice that its client left: sleeping ones are looked at with poll.
 */
#include "base/alloc.h"
#include "http/events.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <utlist.h>

struct guts_watch {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool poked, stop;
};

/* Cut connections that take too long to say what they want. */
static void
cut_slow(struct guts_http *h, uint64_t now)
{
	static const unsigned limit_s[] = {
		[GUTS_LINE_FIRST] = GUTS_HTTP_HEADER_S,
		[GUTS_LINE_NEXT] = GUTS_HTTP_IDLE_S + GUTS_HTTP_HEADER_S,
		[GUTS_LINE_BODY] = GUTS_HTTP_BODY_S,
	};
	struct guts_line *l;

	pthread_mutex_lock(&h->lock);
	DL_FOREACH(h->lines, l) {
		if (l->state == GUTS_LINE_BUSY || now - l->since_ns < limit_s[l->state] * GUTS_SECOND_NS)
			continue;
		shutdown(l->fd, SHUT_RDWR);
		l->since_ns = now;
		atomic_fetch_add(&h->n.cut, 1);
	}
	pthread_mutex_unlock(&h->lock);
}

bool
guts_req_has_left(const struct guts_req *r)
{
	struct pollfd p = { .fd = r->line ? r->line->fd : -1, .events = POLLRDHUP };

	return r->line && !r->has_key && poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* Wake requests whose client has gone: libmicrohttpd sees it then and ends them. */
static void
wake_gone(struct guts_http *h)
{
	struct guts_req *r, *next;

	pthread_mutex_lock(&h->lock);
	DL_FOREACH_SAFE(h->asleep, r, next) {
		if (guts_req_has_left(r)) {
			atomic_store(&r->is_gone, true);
			guts_req_wake_locked(r);
		}
	}
	pthread_mutex_unlock(&h->lock);
}

static void *
run(void *arg)
{
	struct guts_http *h = arg;
	struct guts_watch *w = h->watch;
	uint64_t swept = guts_http_now();

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		w->poked = false;
		pthread_mutex_unlock(&w->lock);
		uint64_t now = guts_http_now(), due = guts_ring_pump(h->ring, now);
		if (now - swept >= GUTS_SECOND_NS) {
			swept = now;
			cut_slow(h, now);
			wake_gone(h);
			guts_ring_sweep(h->ring, now);
		}
		if (atomic_load(&h->n.connections) > 0 && swept + GUTS_SECOND_NS < due)
			due = swept + GUTS_SECOND_NS;
		pthread_mutex_lock(&w->lock);
		if (w->poked || w->stop)
			continue;
		struct timespec ts = { .tv_sec = (time_t)(due / GUTS_SECOND_NS), .tv_nsec = (long)(due % GUTS_SECOND_NS) };
		if (due == GUTS_NEVER)
			pthread_cond_wait(&w->cond, &w->lock);
		else
			pthread_cond_timedwait(&w->cond, &w->lock, &ts);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void
guts_watch_poke(struct guts_http *h)
{
	struct guts_watch *w = h->watch;

	pthread_mutex_lock(&w->lock);
	if (!w->poked) {
		w->poked = true;
		pthread_cond_signal(&w->cond);
	}
	pthread_mutex_unlock(&w->lock);
}

int
guts_watch_start(struct guts_http *h)
{
	struct guts_watch *w = guts_alloc(sizeof *w);
	pthread_condattr_t attr;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cond, &attr);
	pthread_condattr_destroy(&attr);
	h->watch = w;
	return pthread_create(&w->thread, NULL, run, h) == 0 ? 0 : GUTS_EIO;
}

void
guts_watch_stop(struct guts_http *h)
{
	struct guts_watch *w = h->watch;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
}
