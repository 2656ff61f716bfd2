/* loop/pipe.c - a ring of bytes under a mutex.
 *
 * Copies happen under the lock: two ends can never be further apart than the ring, and a copy of
 * 64 KiB takes a few microseconds.  Wake-ups happen under it too; that is what makes "not called
 * any more" after end and drop true.
 */
#include "loop/pipe.h"

#include "base/alloc.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define PIPE_MAX (16u << 20)

struct end {
	void (*fn)(void *arg);
	void *arg;
	bool armed, gone;
};

struct guts_pipe {
	pthread_mutex_t lock;
	uint8_t *ring; /* NULL until the first write */
	size_t max, first, used;
	struct end reader, writer;
	void (*on_drop)(void *arg);
	void *on_drop_arg;
	int err; /* what the writer ended with; GUTS_ECLOSED = in order */
};

struct guts_pipe *
guts_pipe_new(size_t max)
{
	struct guts_pipe *p = guts_alloc(sizeof *p);

	assert(max >= 1 && max <= PIPE_MAX);
	pthread_mutex_init(&p->lock, NULL);
	p->max = max;
	return p;
}

/* Unlocks; frees if both ends are gone. */
static void
release(struct guts_pipe *p)
{
	bool last = p->reader.gone && p->writer.gone;

	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p->ring);
	free(p);
}

static void
wake_if(struct end *e, bool ready)
{
	if (!e->armed || e->gone || !ready)
		return;
	e->armed = false;
	if (e->fn)
		e->fn(e->arg);
}

static bool
has_room(const struct guts_pipe *p)
{
	return p->reader.gone || p->max - p->used >= (p->max + 3) / 4;
}

static bool
has_data(const struct guts_pipe *p)
{
	return p->used > 0 || p->writer.gone;
}

static void
set_fn(struct guts_pipe *p, struct end *e, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&p->lock);
	e->fn = fn;
	e->arg = arg;
	pthread_mutex_unlock(&p->lock);
}

void
guts_pipe_on_room(struct guts_pipe *p, void (*fn)(void *arg), void *arg)
{
	set_fn(p, &p->writer, fn, arg);
}

void
guts_pipe_on_data(struct guts_pipe *p, void (*fn)(void *arg), void *arg)
{
	set_fn(p, &p->reader, fn, arg);
}

void
guts_pipe_on_drop(struct guts_pipe *p, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&p->lock);
	p->on_drop = fn;
	p->on_drop_arg = arg;
	pthread_mutex_unlock(&p->lock);
}

/* --- writer --------------------------------------------------------------- */

ssize_t
guts_pipe_write(struct guts_pipe *p, struct guts_slice data)
{
	pthread_mutex_lock(&p->lock);
	assert(!p->writer.gone);
	if (p->reader.gone) {
		pthread_mutex_unlock(&p->lock);
		return GUTS_ECLOSED;
	}
	if (!p->ring)
		p->ring = guts_alloc(p->max);

	size_t n = p->max - p->used;
	if (n > data.n)
		n = data.n;
	if (n) {
		size_t at = (p->first + p->used) % p->max, part = p->max - at;

		if (part > n)
			part = n;
		memcpy(p->ring + at, data.p, part);
		memcpy(p->ring, data.p + part, n - part);
		p->used += n;
		wake_if(&p->reader, true);
	}
	pthread_mutex_unlock(&p->lock);
	return (ssize_t)n;
}

void
guts_pipe_wait_room(struct guts_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	p->writer.armed = true;
	wake_if(&p->writer, has_room(p));
	pthread_mutex_unlock(&p->lock);
}

void
guts_pipe_end(struct guts_pipe *p, int err)
{
	pthread_mutex_lock(&p->lock);
	assert(!p->writer.gone);
	p->writer.gone = true;
	p->err = err ? err : GUTS_ECLOSED;
	wake_if(&p->reader, true);
	release(p);
}

/* --- reader --------------------------------------------------------------- */

/* The contiguous bytes at the front, at most `n`; locked. */
static ssize_t
front(struct guts_pipe *p, size_t n, struct guts_slice *out)
{
	assert(!p->reader.gone);
	*out = guts_slice(NULL, 0);
	if (p->used == 0)
		return p->writer.gone ? p->err : 0;

	size_t part = p->max - p->first;
	if (part > p->used)
		part = p->used;
	if (part > n)
		part = n;
	*out = guts_slice(p->ring + p->first, part);
	return (ssize_t)part;
}

static void
consume(struct guts_pipe *p, size_t n)
{
	assert(n <= p->used);
	p->first = (p->first + n) % p->max;
	p->used -= n;
	wake_if(&p->writer, has_room(p));
}

ssize_t
guts_pipe_read(struct guts_pipe *p, void *to, size_t n)
{
	size_t done = 0;
	ssize_t got;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct guts_slice s;

		got = front(p, n - done, &s);
		if (got <= 0)
			break;
		memcpy((uint8_t *)to + done, s.p, s.n);
		done += s.n;
		consume(p, s.n);
		if (done == n)
			break;
	}
	pthread_mutex_unlock(&p->lock);
	return done ? (ssize_t)done : got;
}

ssize_t
guts_pipe_peek(struct guts_pipe *p, size_t n, struct guts_slice *out)
{
	pthread_mutex_lock(&p->lock);
	ssize_t got = front(p, n, out);
	pthread_mutex_unlock(&p->lock);
	return got;
}

void
guts_pipe_consume(struct guts_pipe *p, size_t n)
{
	pthread_mutex_lock(&p->lock);
	consume(p, n);
	pthread_mutex_unlock(&p->lock);
}

void
guts_pipe_wait_data(struct guts_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	p->reader.armed = true;
	wake_if(&p->reader, has_data(p));
	pthread_mutex_unlock(&p->lock);
}

void
guts_pipe_drop(struct guts_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	assert(!p->reader.gone);
	p->reader.gone = true;
	p->used = 0;
	wake_if(&p->writer, true);
	if (!p->writer.gone && p->on_drop)
		p->on_drop(p->on_drop_arg);
	release(p);
}

size_t
guts_pipe_used(struct guts_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	size_t n = p->used;
	pthread_mutex_unlock(&p->lock);
	return n;
}
