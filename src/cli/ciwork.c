/* cli/ciwork.c - a job in the hands of a runner.
 *
 * While a program runs one loop does all: its output, the heartbeats, the pieces of the log, its end.  A heartbeat stays open at the
 * node until the next one is due, or the lease is lost: so a job that is canceled ends within a moment.  When the node does
 * not answer, output waits in the pipe, and the program is ended once the lease must have run out: then another has the job.
 */
#include "cli/ciwork.h"

#include "base/alloc.h"
#include "cli/citree.h"
#include "cli/term.h"
#include "loop/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG_MAX ((4u << 20) - 64) /* [bytes] that a node keeps of a log, less room for the line that says so */
#define PIECE (64u << 10)         /* [bytes] read, and sent, at once */
#define PENDING_MAX (4 * PIECE)   /* [bytes] of the log that wait here */
#define SEND_MS 1000              /* [ms] between two pieces of a slow log */
#define WEIGH_MS 250              /* [ms] between two looks at its memory */
#define LOOK_MS 100               /* [ms] between two looks at the program and the clock */
#define CALL_MS 15000             /* [ms] for a request */
#define BEAT_MAX_S 50             /* [s] a heartbeat waits for the end of the lease */
#define AGAIN_MS 1000             /* [ms] until the next heartbeat when the node does not answer */
#define TERM_MS 5000              /* [ms] from SIGTERM to SIGKILL */

static volatile sig_atomic_t stopped;

static void
on_signal(int number)
{
	(void)number;
	stopped = 1;
}

bool
guts_ciwork_is_stopped(void)
{
	return stopped != 0;
}

void
guts_ciwork_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

uint64_t
guts_ciwork_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* -- speaking to the node ------------------------------------------------------------------- */

static bool
on_alive(void *owner)
{
	(void)owner;
	return !stopped;
}

long
guts_ciwork_call(struct guts_cli *c, const char *method, const char *path, const char *type, struct guts_slice body,
    bool may_stop, struct guts_doc **doc)
{
	struct guts_transfer_spec spec = { .method = method, .token = c->secret, .content_type = type, .body = body,
		.total_ms = may_stop ? 0 : CALL_MS, .alive = may_stop ? on_alive : NULL };
	struct guts_transfer *t = NULL;
	char *url = guts_ask_url(c, path, &spec.socket);
	long status = 0;

	spec.url = url;
	if (guts_transfer_new(&t, &spec, NULL) == GUTS_OK && guts_transfer_run(t, NULL) == GUTS_OK)
		status = guts_transfer_status(t);
	if (doc != NULL && (status == 0 || guts_doc_parse(doc, guts_transfer_body(t), NULL) != GUTS_OK))
		*doc = NULL;
	guts_transfer_free(t);
	free(url);
	return status;
}

/* What the node's answer says about the lease; renewed_at [ms]: when the question was asked that renews it, 0 = it does not. */
static void
note(struct guts_ciwork *w, long status, uint64_t renewed_at)
{
	if (status == 404)
		w->is_lost = true;
	else if (status == 200 && renewed_at > 0)
		w->held_until = renewed_at + w->lease_ms;
	else if (guts_ciwork_now_ms() >= w->held_until)
		w->is_lost = true;
}

/* Path and body of a heartbeat that may be answered after wait_s. */
static char *
make_beat(const struct guts_ciwork *w, struct guts_buf *body, uint64_t wait_s)
{
	struct guts_json j;

	guts_buf_init(body, 4096);
	guts_json_init(&j, body);
	guts_json_object(&j);
	guts_json_put_str(&j, "step", w->step);
	guts_json_put_u64(&j, "wait", wait_s);
	guts_json_object_end(&j);
	return guts_ask_path("/api/v1/ci/leases/{}", w->lease);
}

static void
beat(struct guts_ciwork *w)
{
	uint64_t now = guts_ciwork_now_ms();
	struct guts_buf body;
	char *path = make_beat(w, &body, 0);

	note(w, guts_ciwork_call(w->cli, "PATCH", path, NULL, guts_buf_slice(&body), false, NULL), now);
	w->beat_at = guts_ciwork_now_ms() + w->lease_ms / 3;
	guts_buf_deinit(&body);
	free(path);
}

/* Begin a heartbeat that stays open until the next one is due. */
static void
begin_beat(struct guts_ciwork *w, uint64_t now)
{
	uint64_t wait_s = w->lease_ms / 3000 < BEAT_MAX_S ? w->lease_ms / 3000 : BEAT_MAX_S;
	uint64_t left = w->held_until > now + AGAIN_MS ? w->held_until - now : AGAIN_MS;
	struct guts_transfer_spec spec = { .method = "PATCH", .token = w->cli->secret };
	struct guts_buf body;
	char *path = make_beat(w, &body, wait_s), *url = guts_ask_url(w->cli, path, &spec.socket);

	spec.url = url;
	spec.body = guts_buf_slice(&body);
	spec.total_ms = (uint32_t)(left < wait_s * 1000 + CALL_MS ? left : wait_s * 1000 + CALL_MS);
	w->beat_sent = now;
	w->beat_at = now + (wait_s > 0 ? wait_s * 1000 : w->lease_ms / 3);
	if (guts_aside_new(&w->beat, &spec, NULL) != GUTS_OK)
		note(w, 0, 0);
	guts_buf_deinit(&body);
	free(url);
	free(path);
}

static void
end_beat(struct guts_ciwork *w)
{
	guts_aside_free(w->beat);
	w->beat = NULL;
}

/* Look at the heartbeat under way, and begin one that is due. */
static void
keep_beating(struct guts_ciwork *w)
{
	uint64_t now = guts_ciwork_now_ms();
	long status;

	if (w->beat != NULL && guts_aside_ended(w->beat, &status)) {
		note(w, status, w->beat_sent);
		if (status == 0)
			w->beat_at = now + (w->lease_ms / 3 < AGAIN_MS ? w->lease_ms / 3 : AGAIN_MS);
		end_beat(w);
	}
	if (w->beat == NULL && now >= w->beat_at && !w->is_lost)
		begin_beat(w, now);
}

void
guts_ciwork_begin(struct guts_ciwork *w)
{
	uint64_t now = guts_ciwork_now_ms();

	guts_buf_init(&w->log, PENDING_MAX + PIECE);
	w->beat_at = now + w->lease_ms / 3;
	w->held_until = now + w->lease_ms;
}

void
guts_ciwork_deinit(struct guts_ciwork *w)
{
	guts_buf_deinit(&w->log);
	free(w->id);
	free(w->lease);
}

void
guts_ciwork_step(struct guts_ciwork *w, const char *step)
{
	w->step = step;
	beat(w);
}

/* -- the log ---------------------------------------------------------------------------------- */

/* Send a piece of a file; returns the status, and in *have the bytes that the node has then. */
static long
put_piece(struct guts_ciwork *w, const char *name, uint64_t offset, struct guts_slice bytes, uint64_t *have)
{
	char *file = guts_ask_path("/api/v1/ci/leases/{}/files/{}", w->lease, name);
	char *path = guts_asprintf("%s?offset=%llu", file, (unsigned long long)offset);
	struct guts_doc *doc;
	long status = guts_ciwork_call(w->cli, "PUT", path, "application/octet-stream", bytes, false, &doc);

	if (status == 200)
		*have = guts_jv_u64_of(guts_doc_root(doc), "bytes");
	guts_doc_free(doc);
	free(path);
	free(file);
	note(w, status, 0);
	return status;
}

static void
send_log(struct guts_ciwork *w)
{
	uint64_t have = w->log_sent;
	long status;

	if (w->log.len > 0) {
		status = put_piece(w, "log", w->log_sent, guts_buf_slice(&w->log), &have);
		if (status == 413) /* it takes no more */
			w->log_full = true;
		guts_buf_consume(&w->log, status == 413 ? w->log.len : (size_t)(have - w->log_sent));
		w->log_sent = have;
	}
	w->send_at = guts_ciwork_now_ms() + SEND_MS;
}

static void
add_output(struct guts_ciwork *w, const char *p, size_t n)
{
	static const char cut[] = "\n[guts: the log is cut here]\n";
	uint64_t room = LOG_MAX - w->log_sent - w->log.len;
	char *clean = guts_alloc(n + 1), *shown;

	memcpy(clean, p, n);
	for (size_t i = 0; i < n; i++)
		clean[i] = clean[i] != '\0' ? clean[i] : '?';
	shown = guts_term_clean(clean, true);
	fputs(shown, stdout);
	fflush(stdout);
	free(shown);
	free(clean);
	if (w->log_full)
		return;
	guts_buf_add(&w->log, p, n < room ? n : (size_t)room);
	if (n > room) {
		guts_buf_add_str(&w->log, cut);
		w->log_full = true;
	}
}

void
guts_ciwork_say(struct guts_ciwork *w, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	add_output(w, line, strlen(line));
}

/* -- one program ------------------------------------------------------------------------------- */

struct program {
	pid_t pid;
	int out;
	bool has_ended;
	int status;
};

static bool
start(struct program *p, char *const *argv, char *const *env, const char *dir)
{
	struct guts_spawn s = { .path = "/usr/bin/env", .env = env, .dir = dir };
	size_t n = 0;
	const char **full;
	int err;

	while (argv[n] != NULL)
		n++;
	full = guts_calloc(n + 3, sizeof(*full));
	full[0] = "env";
	full[1] = "--";
	memcpy(full + 2, argv, n * sizeof(*full));
	s.argv = (char *const *)(uintptr_t)full;
	err = guts_spawn_null(&s.fd[0]);
	if (!err && (err = guts_spawn_pipe(&p->out, &s.fd[1])) == 0) {
		s.fd[2] = s.fd[1];
		err = guts_spawn(&s, &p->pid);
		close(s.fd[1]);
		if (err)
			close(p->out);
	}
	if (s.fd[0] > 0)
		close(s.fd[0]);
	free(full);
	if (!err)
		fcntl(p->out, F_SETFL, O_NONBLOCK);
	return !err;
}

/* What it says now, as far as there is room; false: nothing. */
static bool
read_output(struct guts_ciwork *w, struct program *p)
{
	char piece[PIECE / 4];
	ssize_t n = 0;

	if (w->log_full || w->log.len + sizeof(piece) + 64 <= PENDING_MAX)
		n = read(p->out, piece, sizeof(piece));
	if (n > 0)
		add_output(w, piece, (size_t)n);
	return n > 0;
}

/* Wait a little for output, and for what the node says. */
static bool
await(struct guts_ciwork *w, int out)
{
	struct pollfd fd = { .fd = out, .events = POLLIN };

	return w->beat != NULL ? guts_aside_wait(w->beat, out, LOOK_MS) : poll(&fd, 1, LOOK_MS) > 0;
}

/* One turn: output, the log's next piece, a heartbeat, its end. */
static void
look(struct guts_ciwork *w, struct program *p)
{
	int fd = w->log.len + PIECE > PENDING_MAX && !w->log_full ? -1 : p->out;

	if (waitpid(p->pid, &p->status, WNOHANG) == p->pid)
		p->has_ended = true;
	else if (await(w, fd) && !read_output(w, p))
		await(w, -1); /* it closed its output and goes on */
	if (w->log.len >= PIECE || (w->log.len > 0 && guts_ciwork_now_ms() >= w->send_at))
		send_log(w);
	keep_beating(w);
}

/* End it and its children. */
static void
end(struct guts_ciwork *w, struct program *p)
{
	uint64_t until = guts_ciwork_now_ms() + TERM_MS;

	if (!p->has_ended)
		kill(-p->pid, SIGTERM);
	while (!p->has_ended && guts_ciwork_now_ms() < until) {
		if (waitpid(p->pid, &p->status, WNOHANG) == p->pid)
			p->has_ended = true;
		else if (!read_output(w, p))
			poll(NULL, 0, LOOK_MS);
	}
	guts_citree_kill(p->has_ended ? -1 : p->pid);
	while (!p->has_ended && waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
		;
	while (read_output(w, p)) {
		if (w->log.len >= PIECE && !w->is_lost)
			send_log(w);
	}
	close(p->out);
}

/* Has it more memory than it may have?  Looked at now and then: it costs a little. */
static bool
is_too_large(struct guts_ciwork *w)
{
	uint64_t now = guts_ciwork_now_ms();

	if (w->memory_max == 0 || now < w->weigh_at)
		return false;
	w->weigh_at = now + WEIGH_MS;
	return guts_citree_memory() > w->memory_max;
}

enum guts_ciend
guts_ciwork_run(struct guts_ciwork *w, char *const *argv, char *const *env, const char *dir, uint64_t limit_s, int *code)
{
	uint64_t until = guts_ciwork_now_ms() + limit_s * 1000;
	enum guts_ciend how = GUTS_CIEND_EXIT;
	struct program p = { .pid = -1 };

	*code = 0;
	if (!start(&p, argv, env, dir))
		return GUTS_CIEND_UNSTARTED;
	w->beat_at = 0;
	while (!p.has_ended && how == GUTS_CIEND_EXIT) {
		look(w, &p);
		if (w->is_lost)
			how = GUTS_CIEND_LOST;
		else if (stopped)
			how = GUTS_CIEND_STOPPED;
		else if (!p.has_ended && guts_ciwork_now_ms() >= until)
			how = GUTS_CIEND_TIMEOUT;
		else if (!p.has_ended && is_too_large(w))
			how = GUTS_CIEND_MEMORY;
	}
	end_beat(w);
	if (how == GUTS_CIEND_MEMORY)
		guts_citree_kill(p.pid);
	end(w, &p);
	if (how == GUTS_CIEND_EXIT && WIFSIGNALED(p.status))
		how = GUTS_CIEND_SIGNAL;
	*code = how == GUTS_CIEND_SIGNAL ? WTERMSIG(p.status) : WEXITSTATUS(p.status);
	return how;
}

/* -- the end of a job ------------------------------------------------------------------------------ */

static void
pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

const char *
guts_ciwork_upload(struct guts_ciwork *w, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *why = NULL;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *piece = guts_alloc(8 * PIECE);
	uint64_t at = 0;
	struct stat st;
	ssize_t n = 1;
	long status;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		why = "is no file";
	while (why == NULL && !w->is_lost && n > 0) {
		n = pread(fd, piece, 8 * PIECE, (off_t)at);
		if (n < 0)
			why = "cannot be read";
		if (n < 0 || (n == 0 && at > 0))
			break;
		status = put_piece(w, name, at, guts_slice(piece, (size_t)n), &at);
		if (status == 413)
			why = "is too large, or the job has 16 files";
		else if (status == 400)
			why = "has a name that is not taken";
		else if (status != 200)
			pause_ms(LOOK_MS); /* it is sent again */
		if (guts_ciwork_now_ms() >= w->beat_at)
			beat(w);
	}
	free(piece);
	if (fd >= 0)
		close(fd);
	return why;
}

bool
guts_ciwork_finish(struct guts_ciwork *w, const char *state, const char *description)
{
	char *path = guts_ask_path("/api/v1/ci/leases/{}/result", w->lease);
	struct guts_buf b;
	struct guts_json j;
	long status = 0;

	guts_buf_init(&b, 4096);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_put_str(&j, "state", state);
	guts_json_put_str(&j, "description", description);
	guts_json_object_end(&j);
	while (!w->is_lost && status != 200) {
		send_log(w);
		if (w->log.len == 0 && !w->is_lost) {
			status = guts_ciwork_call(w->cli, "POST", path, NULL, guts_buf_slice(&b), false, NULL);
			note(w, status, 0);
		}
		if (status != 200 && !w->is_lost)
			pause_ms(LOOK_MS);
	}
	guts_buf_deinit(&b);
	free(path);
	return status == 200;
}

void
guts_ciwork_return(struct guts_ciwork *w)
{
	char *path = guts_ask_path("/api/v1/ci/leases/{}", w->lease);

	for (int i = 0; i < 3 && !w->is_lost; i++) {
		long status = guts_ciwork_call(w->cli, "DELETE", path, NULL, guts_slice(NULL, 0), false, NULL);

		if (status == 204 || status == 404)
			break;
		pause_ms(LOOK_MS);
	}
	free(path);
}
