/* loop/childloop.c - a child whose streams and end are callbacks on the loop.
 *
 * Four uv_poll: input (while something is queued), output (unless paused), standard error, and
 * the pidfd.  One timer per child looks at the deadlines; a byte that moves only notes the time,
 * the timer finds out when it fires.  A second one lets the output of a serving child gather, once
 * there is much of it and until the child has ended: git upload-pack writes 8 KiB at a time, and each piece would wake the
 * gateway and the client.
 *
 *	guts_child_start → (slot) → running → output ended and leader ended → reap → exit event
 *	                                    ↘ cancel: group killed, reaped when it ended, no event
 *
 * The struct is freed when libuv has closed the four handles; if the supervisor stopped meanwhile, with the supervisor.
 */
#include "loop/child_int.h"
#include "loop/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#define REST_BYTES (32u << 10) /* [bytes] a read of fewer is followed by a rest */
#define REST_AFTER (64u << 10) /* [bytes] that go out as they come: a short answer does not wait */
#define REST_NS GUTS_MS_NS      /* the kernel's pipe holds 64 KiB meanwhile */

static void finish_if_over(struct guts_child *c);

/* --- handles -------------------------------------------------------------- */

static void
on_closed(uv_handle_t *h)
{
	struct guts_child_poll *p = h->data;
	struct guts_child *c = p->c;

	if (--c->handles == 0 && c->done && !c->stopped)
		guts_child_free(c);
}

static void
poll_close(struct guts_child_poll *p)
{
	if (p->fd < 0)
		return;
	uv_close((uv_handle_t *)&p->poll, on_closed);
	close(p->fd);
	p->fd = -1;
}

static int
poll_open(struct guts_child *c, struct guts_child_poll *p, int fd)
{
	if (uv_poll_init(guts_uvenv_loop(c->s->u), &p->poll, fd) != 0) {
		close(fd);
		return GUTS_EIO;
	}
	p->c = c;
	p->fd = fd;
	p->events = 0;
	p->poll.data = p;
	c->handles++;
	return 0;
}

static void
poll_ask(struct guts_child_poll *p, int events, uv_poll_cb fn)
{
	if (p->fd < 0 || p->events == events)
		return;
	p->events = events;
	if (events)
		uv_poll_start(&p->poll, events, fn);
	else
		uv_poll_stop(&p->poll);
}

static struct guts_child *
begin(uv_poll_t *h)
{
	struct guts_child_poll *p = h->data;

	guts_uvenv_turn(p->c->s->u);
	return p->c;
}

static void
moved(struct guts_child *c)
{
	c->moved_ns = uv_hrtime();
}

/* --- streams -------------------------------------------------------------- */

/* Write what is queued; errors mean that the child wants no more. */
static void
input_flush(struct guts_child *c)
{
	while (c->in.fd >= 0 && c->input.len) {
		struct guts_slice s = guts_buf_slice(&c->input);
		ssize_t n = write(c->in.fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			poll_close(&c->in);
			guts_buf_clear(&c->input);
			return;
		}
		guts_buf_consume(&c->input, (size_t)n);
		c->r.in_bytes += (uint64_t)n;
		moved(c);
	}
	if (c->input_ended)
		poll_close(&c->in);
}

static void on_input(uv_poll_t *h, int status, int events);

static void
input_go_on(struct guts_child *c)
{
	input_flush(c);
	poll_ask(&c->in, c->input.len || c->input_full ? UV_WRITABLE : 0, on_input);
}

static void
on_input(uv_poll_t *h, int status, int events)
{
	struct guts_child *c = begin(h);

	(void)status;
	(void)events;
	input_go_on(c);
	if (c->input_full && c->input.len <= GUTS_CHILD_INPUT_MAX / 2) {
		c->input_full = false;
		if (c->ev && c->ev->writable)
			c->ev->writable(c->owner);
	}
}

/* One read; 0 = nothing now or closed. */
static size_t
take(struct guts_child *c, struct guts_child_poll *p)
{
	ssize_t n;

	do
		n = read(p->fd, c->s->mem, GUTS_CHILD_READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		moved(c);
		return (size_t)n;
	}
	if (n == 0 || errno != EAGAIN)
		poll_close(p);
	return 0;
}

static void on_output(uv_poll_t *h, int status, int events);

static void
output_go_on(struct guts_child *c)
{
	poll_ask(&c->out, c->paused || c->resting ? 0 : UV_READABLE, on_output);
}

static void
on_rested(struct guts_timer *t, void *owner)
{
	struct guts_child *c = owner;

	(void)t;
	c->resting = false;
	output_go_on(c);
}

/* It writes little at a time: let more come before the next read. */
static void
rest(struct guts_child *c)
{
	c->resting = true;
	output_go_on(c);
	guts_env_timer_set(c->s->e, &c->rest, guts_env_now(c->s->e) + REST_NS);
}

static void
on_output(uv_poll_t *h, int status, int events)
{
	struct guts_child *c = begin(h);
	size_t n = take(c, &c->out);

	(void)status;
	(void)events;
	if (n) {
		c->r.out_bytes += n;
		if (c->is_serving && n < REST_BYTES && c->r.out_bytes > REST_AFTER && !c->exited)
			rest(c);
		if (c->ev)
			c->ev->data(c->owner, guts_slice(c->s->mem, n));
	} else {
		finish_if_over(c);
	}
}

static void
on_text(uv_poll_t *h, int status, int events)
{
	struct guts_child *c = begin(h);
	size_t n = take(c, &c->err);

	(void)status;
	(void)events;
	if (!n) {
		finish_if_over(c);
		return;
	}
	guts_child_keep_text(c, c->s->mem, n);
	if (c->ev && c->ev->said)
		c->ev->said(c->owner, guts_slice(c->s->mem, n));
}

/* Look whether the leader ended; true if so: c may be gone. */
static bool
see_exit(struct guts_child *c)
{
	if (c->exited || !guts_child_has_exited(c))
		return c->exited;
	c->exited = true;
	moved(c);
	poll_close(&c->end);
	poll_close(&c->in);
	guts_buf_clear(&c->input);
	guts_child_kill(c, c->why); /* its helpers too: they may hold the streams open */
	guts_env_timer_set(c->s->e, &c->timer, 0);
	if (c->resting) { /* no more will gather */
		guts_env_timer_clear(c->s->e, &c->rest);
		on_rested(&c->rest, c);
	}
	finish_if_over(c);
	return true;
}

static void
on_exit_seen(uv_poll_t *h, int status, int events)
{
	(void)status;
	(void)events;
	see_exit(begin(h));
}

/* --- life ----------------------------------------------------------------- */

/* Everything of it is over: give the slot back, tell, free when the handles are closed. */
static void
finish(struct guts_child *c)
{
	const struct guts_child_events *ev = c->ev;

	guts_env_timer_clear(c->s->e, &c->timer);
	guts_env_timer_clear(c->s->e, &c->rest);
	poll_close(&c->in);
	poll_close(&c->out);
	poll_close(&c->err);
	poll_close(&c->end);
	guts_child_slot_release(c);
	c->ev = NULL;
	if (ev)
		ev->exit(c->owner, &c->r);
	c->done = true;
	if (c->handles == 0 && !c->stopped)
		guts_child_free(c);
}

static void
finish_if_over(struct guts_child *c)
{
	if (!c->exited || c->out.fd >= 0 || c->err.fd >= 0)
		return;
	guts_child_reap(c);
	finish(c);
}

/* It ended; what holds its output up? */
static void
drain_timer(struct guts_child *c, uint64_t now)
{
	uint64_t until = c->moved_ns + (c->paused ? c->idle_max_ns : GUTS_CHILD_DRAIN_NS);

	if (now < until) {
		guts_env_timer_set(c->s->e, &c->timer, until);
		return;
	}
	if (c->paused && !c->why)
		c->why = GUTS_ETIMEOUT; /* its output was not wanted in time */
	poll_close(&c->out);
	poll_close(&c->err); /* else: someone outside its group still holds the streams */
	finish_if_over(c);
}

static void
on_timer(struct guts_timer *t, void *owner)
{
	struct guts_child *c = owner;
	uint64_t now = uv_hrtime(), until = c->moved_ns + c->idle_max_ns;
	bool look = c->started && c->end.fd < 0; /* no pidfd */

	if (c->exited) {
		drain_timer(c, now);
		return;
	}
	if (look && see_exit(c))
		return;
	if (until > c->start_ns + c->total_max_ns)
		until = c->start_ns + c->total_max_ns;
	if (c->why || now >= until) {
		if (!c->started) {
			c->r.err = GUTS_EBUSY;
			finish(c);
			return;
		}
		guts_child_kill(c, GUTS_ETIMEOUT);
		until = now + GUTS_CHILD_DRAIN_NS;
	}
	if (look && until > now + GUTS_CHILD_TICK_NS)
		until = now + GUTS_CHILD_TICK_NS;
	guts_env_timer_set(c->s->e, t, until);
}

static int
run(struct guts_child *c)
{
	int theirs[3] = {-1, -1, -1}, ours[3] = {-1, -1, -1}, rc;

	rc = guts_spawn_pipe(&theirs[0], &ours[0]);
	if (rc == 0)
		rc = guts_spawn_pipe(&ours[1], &theirs[1]);
	if (rc == 0)
		rc = guts_spawn_pipe(&ours[2], &theirs[2]);
	if (rc == 0)
		rc = guts_child_spawn(c, theirs);
	for (int i = 0; i < 3; i++) {
		if (theirs[i] >= 0)
			close(theirs[i]);
		if (ours[i] >= 0 && rc != 0)
			close(ours[i]);
	}
	if (rc != 0)
		return rc;

	int end = guts_spawn_pidfd(c->pid);
	c->started = true;
	rc = poll_open(c, &c->in, ours[0]);
	rc |= poll_open(c, &c->out, ours[1]);
	rc |= poll_open(c, &c->err, ours[2]);
	if (end >= 0)
		rc |= poll_open(c, &c->end, end);
	if (rc != 0)
		guts_child_kill(c, GUTS_EIO);
	output_go_on(c);
	poll_ask(&c->err, UV_READABLE, on_text);
	poll_ask(&c->end, UV_READABLE, on_exit_seen);
	input_go_on(c);
	guts_env_timer_set(c->s->e, &c->timer, 0); /* it finds out when to look again */
	return 0;
}

static struct guts_child *
next_granted(struct guts_children *s)
{
	struct guts_child *c;

	pthread_mutex_lock(&s->lock);
	for (c = s->list; c; c = c->next)
		if (!c->blocking && c->state == GUTS_CHILD_GRANTED)
			break;
	if (!c)
		s->pump_posted = false;
	pthread_mutex_unlock(&s->lock);
	return c;
}

void
guts_childloop_pump(void *children)
{
	struct guts_children *s = children;
	struct guts_child *c;

	while ((c = next_granted(s))) {
		int rc = run(c);

		if (rc != 0) {
			c->r.err = rc;
			finish(c);
		} else if (c->input_full && c->input.len <= GUTS_CHILD_INPUT_MAX / 2) {
			c->input_full = false;
			if (c->ev->writable)
				c->ev->writable(c->owner);
		}
	}
}

int
guts_child_start(struct guts_children *s, const struct guts_child_spec *spec,
		 const struct guts_child_events *ev, void *owner, struct guts_child **out)
{
	struct guts_child *c = guts_child_new(s, spec);

	c->ev = ev;
	c->owner = owner;
	c->in.fd = c->out.fd = c->err.fd = c->end.fd = -1;
	c->timer = (struct guts_timer){ .fire = on_timer, .owner = c, .at_ns = GUTS_NEVER };
	c->rest = (struct guts_timer){ .fire = on_rested, .owner = c, .at_ns = GUTS_NEVER };

	bool granted;
	int rc = guts_child_slot_ask(c, &granted);
	if (rc == 0 && granted) {
		rc = run(c);
		if (rc != 0)
			guts_child_slot_release(c);
	} else if (rc == 0) {
		guts_env_timer_set(s->e, &c->timer, c->start_ns + c->idle_max_ns);
	}
	if (rc != 0) {
		guts_child_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

size_t
guts_child_write(struct guts_child *c, struct guts_slice data)
{
	bool gone = c->started && c->in.fd < 0;
	size_t room = GUTS_CHILD_INPUT_MAX - c->input.len, n = data.n < room ? data.n : room;

	assert(!c->input_ended);
	if (gone)
		return data.n;
	guts_buf_add(&c->input, data.p, n);
	c->input_full = n < data.n;
	if (c->started)
		input_go_on(c);
	return n;
}

void
guts_child_end_input(struct guts_child *c)
{
	c->input_ended = true;
	if (c->started)
		input_go_on(c);
}

void
guts_child_pause(struct guts_child *c, bool pause)
{
	c->paused = pause;
	output_go_on(c);
}

void
guts_child_cancel(struct guts_child *c)
{
	if (c->stopped)
		return;
	c->ev = NULL;
	if (!c->started) {
		finish(c);
		return;
	}
	guts_child_kill(c, GUTS_ECANCELED);
	poll_close(&c->in);
	poll_close(&c->out);
	poll_close(&c->err);
	guts_buf_clear(&c->input);
	finish_if_over(c);
}

void
guts_childloop_stop(struct guts_child *c)
{
	struct guts_children *s = c->s;
	bool stays = c->ev && !c->tell_stop;

	c->stopped = stays;
	if (stays)
		c->ev = NULL;
	if (c->started) {
		guts_child_kill(c, GUTS_ECANCELED);
		guts_child_reap(c);
	} else {
		c->r.err = GUTS_ECANCELED;
	}
	finish(c);
	if (stays)
		DL_APPEND(s->stopped, c);
}
