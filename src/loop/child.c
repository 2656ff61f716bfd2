/* loop/child.c - slots, the queue for them, start, kill, reap; and the blocking way.
 *
 * One list holds the waiting and the running ones, so the choice of the next is one walk over at
 * most a hundred entries.  Kill and reap happen under the lock: the pid and the group's number are
 * ours until waitpid, so a signal never hits a stranger.  The leader's end is seen by its pidfd (no
 * SIGCHLD, which is process-wide and libuv's); before it is reaped, what is left of its group is
 * killed.
 */
#include "loop/child_int.h"
#include "loop/spawn.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

/* --- the supervisor ------------------------------------------------------- */

struct guts_children *
guts_children_new(struct guts_uvenv *u, const struct guts_children_options *opt)
{
	struct guts_children *s = guts_alloc(sizeof *s);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_condattr_t attr;

	s->u = u;
	s->e = guts_uvenv_env(u);
	s->running_max =
		opt && opt->running_max ? opt->running_max : 2 * (unsigned)(cores > 1 ? cores : 1);
	s->waiting_max = opt && opt->waiting_max ? opt->waiting_max : 64;
	s->waiting_key_max = opt && opt->waiting_key_max ? opt->waiting_key_max : 16;
	s->mem = guts_alloc(GUTS_CHILD_READ_BYTES);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->granted, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

void
guts_children_stop(struct guts_children *s)
{
	struct guts_child *c, *next;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	DL_FOREACH (s->list, c) {
		if (!c->blocking)
			continue;
		c->canceled = true;
		if (c->pid)
			kill(-c->pid, SIGKILL);
	}
	pthread_cond_broadcast(&s->granted);
	pthread_mutex_unlock(&s->lock);

	/* only this thread takes children of the loop out of the list */
	for (;;) {
		pthread_mutex_lock(&s->lock);
		next = NULL;
		DL_FOREACH (s->list, c)
			if (!c->blocking && !next)
				next = c;
		pthread_mutex_unlock(&s->lock);
		if (!next)
			break;
		guts_childloop_stop(next);
	}
}

void
guts_children_free(struct guts_children *s)
{
	struct guts_child *c, *next;

	if (!s)
		return;
	DL_FOREACH_SAFE (s->stopped, c, next)
		guts_child_free(c);
	pthread_cond_destroy(&s->granted);
	pthread_mutex_destroy(&s->lock);
	free(s->mem);
	free(s);
}

struct guts_env *
guts_children_env(struct guts_children *s)
{
	return s->e;
}

void
guts_children_count(struct guts_children *s, unsigned *running, unsigned *waiting)
{
	pthread_mutex_lock(&s->lock);
	*running = s->running;
	*waiting = s->waiting;
	pthread_mutex_unlock(&s->lock);
}

void
guts_children_trouble(struct guts_children *s, bool *is_crowded, bool *is_refused)
{
	pthread_mutex_lock(&s->lock);
	*is_crowded = s->waiting >= s->waiting_max - s->waiting_max / 4;
	*is_refused = s->is_refused;
	pthread_mutex_unlock(&s->lock);
}

/* --- a child -------------------------------------------------------------- */

static char **
copy_list(const char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	char **copy = guts_calloc(n + 1, sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = guts_strdup(v[i]);
	return copy;
}

static void
free_list(char **v)
{
	for (size_t i = 0; v[i]; i++)
		free(v[i]);
	free(v);
}

struct guts_child *
guts_child_new(struct guts_children *s, const struct guts_child_spec *spec)
{
	struct guts_child *c = guts_alloc(sizeof *c);

	c->s = s;
	c->path = guts_strdup(spec->path);
	c->dir = guts_strdup(spec->dir ? spec->dir : "/");
	c->argv = copy_list(spec->argv);
	c->env = copy_list(spec->env);
	c->is_serving = spec->is_serving;
	c->key = spec->key;
	c->memory_max_bytes = spec->memory_max_bytes;
	c->file_max_bytes = spec->file_max_bytes;
	c->cpu_max_s = spec->cpu_max_s;
	c->idle_max_ns = spec->idle_max_ns ? spec->idle_max_ns : GUTS_CHILD_IDLE_NS;
	c->total_max_ns = spec->total_max_ns ? spec->total_max_ns : GUTS_CHILD_TOTAL_NS;
	c->r.exit_code = -1;
	c->start_ns = c->moved_ns = uv_hrtime();
	guts_buf_init(&c->input, GUTS_CHILD_INPUT_MAX);
	return c;
}

void
guts_child_free(struct guts_child *c)
{
	guts_buf_deinit(&c->input);
	free_list(c->argv);
	free_list(c->env);
	free(c->path);
	free(c->dir);
	free(c);
}

/* --- slots ---------------------------------------------------------------- */

static unsigned
count_key(struct guts_children *s, uint64_t key, bool waiting)
{
	struct guts_child *c;
	unsigned n = 0;

	DL_FOREACH (s->list, c)
		n += c->key == key && (c->state == GUTS_CHILD_WAITING) == waiting;
	return n;
}

/* What those that serve may take of `max`. */
static unsigned
serving_part(unsigned max)
{
	return max > 1 ? max - (max + 3) / 4 : max;
}

static bool
fits(const struct guts_children *s, const struct guts_child *c)
{
	return s->running < s->running_max &&
	       (!c->is_serving || s->serving < serving_part(s->running_max));
}

static bool
may_wait(struct guts_children *s, const struct guts_child *c)
{
	return s->waiting < s->waiting_max && count_key(s, c->key, true) < s->waiting_key_max &&
	       (!c->is_serving || s->serving_waiting < serving_part(s->waiting_max));
}

static void
take_slot(struct guts_children *s, struct guts_child *c)
{
	c->state = GUTS_CHILD_GRANTED;
	s->running++;
	s->serving += c->is_serving;
}

static void
leave_queue(struct guts_children *s, const struct guts_child *c)
{
	s->waiting--;
	s->serving_waiting -= c->is_serving;
}

/* Hand out free slots; locked. */
static void
grant(struct guts_children *s)
{
	while (s->waiting && !s->stopping) {
		struct guts_child *c, *best = NULL;
		unsigned best_n = 0;

		DL_FOREACH (s->list, c) {
			if (c->state != GUTS_CHILD_WAITING || !fits(s, c))
				continue;
			unsigned n = count_key(s, c->key, false);
			if (!best || n < best_n) {
				best = c;
				best_n = n;
			}
		}
		if (!best)
			return;
		leave_queue(s, best);
		take_slot(s, best);
		if (best->blocking) {
			pthread_cond_broadcast(&s->granted);
		} else if (!s->pump_posted) {
			s->pump_posted = true;
			guts_env_post(s->e, guts_childloop_pump, s);
		}
	}
}

int
guts_child_slot_ask(struct guts_child *c, bool *granted)
{
	struct guts_children *s = c->s;
	int rc = 0;

	*granted = false;
	pthread_mutex_lock(&s->lock);
	if (s->stopping) {
		rc = GUTS_ECANCELED;
	} else if (fits(s, c)) { /* then none like it waits */
		take_slot(s, c);
		*granted = true;
		DL_APPEND(s->list, c);
	} else if (!may_wait(s, c)) {
		rc = GUTS_EBUSY;
	} else {
		c->state = GUTS_CHILD_WAITING;
		s->waiting++;
		s->serving_waiting += c->is_serving;
		DL_APPEND(s->list, c);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void
guts_child_slot_release(struct guts_child *c)
{
	struct guts_children *s = c->s;

	pthread_mutex_lock(&s->lock);
	DL_DELETE(s->list, c);
	if (c->state == GUTS_CHILD_WAITING) {
		leave_queue(s, c);
	} else {
		s->running--;
		s->serving -= c->is_serving;
	}
	grant(s);
	pthread_mutex_unlock(&s->lock);
}

/* --- start, kill, reap ---------------------------------------------------- */

int
guts_child_spawn(struct guts_child *c, const int fd[3])
{
	struct guts_spawn sp = {
		.path = c->path,
		.argv = c->argv,
		.env = c->env,
		.dir = c->dir,
		.fd = {fd[0], fd[1], fd[2]},
		.memory_max_bytes = c->memory_max_bytes,
		.file_max_bytes = c->file_max_bytes,
		.cpu_max_s = c->cpu_max_s,
	};

	pthread_mutex_lock(&c->s->lock);
	int rc = c->canceled ? GUTS_ECANCELED : guts_spawn(&sp, &c->pid);
	if (rc == 0)
		c->state = GUTS_CHILD_RUNNING;
	if (!c->canceled)
		c->s->is_refused = rc != 0;
	pthread_mutex_unlock(&c->s->lock);
	c->start_ns = c->moved_ns = uv_hrtime();
	return rc;
}

void
guts_child_kill(struct guts_child *c, int why)
{
	pthread_mutex_lock(&c->s->lock);
	if (!c->why)
		c->why = why;
	if (c->pid)
		kill(-c->pid, SIGKILL);
	pthread_mutex_unlock(&c->s->lock);
}

bool
guts_child_has_exited(struct guts_child *c)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0;
}

static void
fill_result(struct guts_child *c, int status)
{
	struct guts_child_result *r = &c->r;

	r->run_ns = uv_hrtime() - c->start_ns;
	r->text[c->text_n] = '\0';
	if (WIFEXITED(status))
		r->exit_code = WEXITSTATUS(status);
	else if (WIFSIGNALED(status))
		r->signal = WTERMSIG(status);

	if (c->why)
		r->err = c->why;
	else if (c->canceled)
		r->err = GUTS_ECANCELED;
	else if (r->signal == SIGXCPU || r->signal == SIGXFSZ)
		r->err = GUTS_ELIMIT;
	else
		r->err = r->exit_code == 0 ? 0 : GUTS_EIO;
}

void
guts_child_reap(struct guts_child *c)
{
	int status = 0;

	pthread_mutex_lock(&c->s->lock);
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	pthread_mutex_unlock(&c->s->lock);
	fill_result(c, status);
}

void
guts_child_keep_text(struct guts_child *c, const uint8_t *p, size_t n)
{
	char *text = c->r.text;

	if (n > GUTS_CHILD_STDERR_MAX) {
		p += n - GUTS_CHILD_STDERR_MAX;
		n = GUTS_CHILD_STDERR_MAX;
	}
	if (c->text_n + n > GUTS_CHILD_STDERR_MAX) {
		size_t drop = c->text_n + n - GUTS_CHILD_STDERR_MAX;

		memmove(text, text + drop, c->text_n - drop);
		c->text_n -= drop;
	}
	memcpy(text + c->text_n, p, n);
	c->text_n += n;
}
