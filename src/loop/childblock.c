/* loop/childblock.c - a child run to its end inside a worker's job.
 *
 * The worker itself moves the bytes: poll over input, output, standard error and the pidfd.
 * Streams that are handed to the child as descriptors cannot be watched; if one is a file, its
 * offset (which the child shares) counts as progress.
 */
#include "loop/child_int.h"
#include "loop/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define NS_PER_S 1000000000

struct run {
	struct guts_child *c;
	const struct guts_child_io *io;
	int in, out, err, end; /* our ends; -1 = closed */
	size_t fed;
	off_t in_at, out_at; /* of descriptors that were handed on */
	bool exited;
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Wait for the slot that was asked for. */
static int
wait_slot(struct guts_child *c)
{
	struct guts_children *s = c->s;
	uint64_t until = c->start_ns + c->idle_max_ns;
	struct timespec ts = {(time_t)(until / NS_PER_S), (long)(until % NS_PER_S)};
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while (c->state == GUTS_CHILD_WAITING && !c->canceled && rc == 0)
		rc = pthread_cond_timedwait(&s->granted, &s->lock, &ts);
	if (c->canceled)
		rc = GUTS_ECANCELED;
	else
		rc = c->state == GUTS_CHILD_WAITING ? GUTS_EBUSY : 0;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static void
nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Make the streams and start. */
static int
start(struct run *r)
{
	int fd[3] = {-1, -1, -1}, rc = 0;
	bool own_in = r->io->in_fd < 0, own_out = r->io->out_fd < 0;

	fd[0] = r->io->in_fd;
	fd[1] = r->io->out_fd;
	if (own_in)
		rc = guts_spawn_pipe(&fd[0], &r->in);
	if (own_out && rc == 0)
		rc = guts_spawn_pipe(&r->out, &fd[1]);
	if (rc == 0)
		rc = guts_spawn_pipe(&r->err, &fd[2]);
	if (rc == 0)
		rc = guts_child_spawn(r->c, fd);
	if (own_in)
		close_fd(&fd[0]);
	if (own_out)
		close_fd(&fd[1]);
	close_fd(&fd[2]);
	if (rc != 0)
		return rc;

	r->end = guts_spawn_pidfd(r->c->pid);
	if (r->in >= 0)
		nonblocking(r->in);
	if (r->out >= 0)
		nonblocking(r->out);
	nonblocking(r->err);
	return 0;
}

static void
moved(struct run *r)
{
	r->c->moved_ns = uv_hrtime();
}

static void
feed(struct run *r)
{
	while (r->fed < r->io->in.n) {
		ssize_t n = write(r->in, r->io->in.p + r->fed, r->io->in.n - r->fed);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break; /* it wants no more */
		r->fed += (size_t)n;
		r->c->r.in_bytes += (uint64_t)n;
		moved(r);
	}
	close_fd(&r->in);
}

static void
take_output(struct run *r, const uint8_t *p, size_t n)
{
	r->c->r.out_bytes += n;
	if (r->io->out && !r->c->why && guts_buf_add(r->io->out, p, n) != 0)
		guts_child_kill(r->c, GUTS_ELIMIT);
}

static void
drain(struct run *r, int *fd)
{
	uint8_t mem[16 << 10];

	for (;;) {
		ssize_t n = read(*fd, mem, sizeof mem);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_fd(fd);
			return;
		}
		moved(r);
		if (fd == &r->err)
			guts_child_keep_text(r->c, mem, (size_t)n);
		else
			take_output(r, mem, (size_t)n);
	}
}

/* Has the offset of a file that the child works on moved? */
static bool
offset_moved(int fd, off_t *at)
{
	off_t now = fd >= 0 ? lseek(fd, 0, SEEK_CUR) : -1;
	bool yes = now >= 0 && now != *at;

	*at = now;
	return yes;
}

/* Has it, as far as we see, done something? */
static bool
files_moved(struct run *r)
{
	bool in = offset_moved(r->io->in_fd, &r->in_at),
	     out = offset_moved(r->io->out_fd, &r->out_at);

	return in || out;
}

/* Kill it when it is over a deadline; time until the next look [ms]. */
static int
deadlines(struct run *r)
{
	struct guts_child *c = r->c;
	uint64_t now = uv_hrtime(), until = c->moved_ns + GUTS_CHILD_DRAIN_NS;

	if (r->exited) {
		if (now >= until) { /* someone outside its group still holds the streams */
			close_fd(&r->out);
			close_fd(&r->err);
			return 0;
		}
		return (int)((until - now) / GUTS_MS_NS) + 1;
	}

	if (now - c->moved_ns >= c->idle_max_ns && files_moved(r))
		c->moved_ns = now;
	until = c->moved_ns + c->idle_max_ns;
	if (until > c->start_ns + c->total_max_ns)
		until = c->start_ns + c->total_max_ns;
	if (now >= until) {
		guts_child_kill(c, GUTS_ETIMEOUT);
		until = now + GUTS_CHILD_TICK_NS;
	}
	if (r->end < 0 && until > now + GUTS_CHILD_TICK_NS)
		until = now + GUTS_CHILD_TICK_NS;
	return (int)((until - now) / GUTS_MS_NS) + 1;
}

static void
serve(struct run *r)
{
	while (!r->exited || r->out >= 0 || r->err >= 0) {
		int wait_ms = deadlines(r);
		struct pollfd p[4] = {
			{.fd = r->in, .events = POLLOUT},
			{.fd = r->out, .events = POLLIN},
			{.fd = r->err, .events = POLLIN},
			{.fd = r->exited ? -1 : r->end, .events = POLLIN},
		};

		if (poll(p, 4, wait_ms) < 0)
			continue;
		if (p[0].revents)
			feed(r);
		if (p[1].revents)
			drain(r, &r->out);
		if (p[2].revents)
			drain(r, &r->err);
		if (!r->exited && guts_child_has_exited(r->c)) {
			r->exited = true;
			r->c->moved_ns = uv_hrtime();
			close_fd(&r->in);
			/* its helpers too: they may hold the streams open */
			kill(-r->c->pid, SIGKILL);
		}
	}
}

/* Announce the run under its token. */
static void
token_set(struct guts_child *c, struct guts_child_token *t, bool on)
{
	if (!t)
		return;
	pthread_mutex_lock(&c->s->lock);
	t->child = on ? c : NULL;
	if (on && t->canceled)
		c->canceled = true;
	pthread_mutex_unlock(&c->s->lock);
}

void
guts_child_token_cancel(struct guts_children *s, struct guts_child_token *t)
{
	pthread_mutex_lock(&s->lock);
	t->canceled = true;
	if (t->child) {
		t->child->canceled = true;
		if (t->child->pid)
			kill(-t->child->pid, SIGKILL);
		pthread_cond_broadcast(&s->granted);
	}
	pthread_mutex_unlock(&s->lock);
}

int
guts_child_run_blocking(struct guts_children *s, const struct guts_child_spec *spec,
			const struct guts_child_io *io, struct guts_child_result *result)
{
	struct guts_child *c = guts_child_new(s, spec);
	struct run r = {.c = c,
			.io = io,
			.in = -1,
			.out = -1,
			.err = -1,
			.end = -1,
			.in_at = -1,
			.out_at = -1};

	c->blocking = true;
	token_set(c, io->token, true);
	bool granted;
	int rc = guts_child_slot_ask(c, &granted);
	if (rc == 0) {
		rc = granted ? 0 : wait_slot(c);
		if (rc == 0)
			rc = start(&r);
		if (rc == 0) {
			serve(&r);
			guts_child_reap(c);
		}
		guts_child_slot_release(c);
	}
	token_set(c, io->token, false);
	if (rc != 0)
		c->r.err = rc;

	close_fd(&r.in);
	close_fd(&r.out);
	close_fd(&r.err);
	close_fd(&r.end);
	*result = c->r;
	guts_child_free(c);
	return result->err;
}
