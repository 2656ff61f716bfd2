/* tests/unit/test_child.c - children on the loop and in jobs; limits, deadlines, slots. */
#include "base/alloc.h"
#include "base/buf.h"
#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
	struct guts_uvenv *u;
	struct guts_env *e;
	struct guts_children *s;
};

/* A child of the loop and what became of it. */
struct watched {
	struct world *w;
	struct guts_child *c;
	struct guts_buf out;
	struct guts_child_result r;
	int exits, writables;
	size_t said; /* bytes of standard error */
	bool cancel_at_data;
	struct guts_slice feed; /* what is left to write */
};

static int expected; /* exits until the loop stops */

static int
setup(void **state)
{
	struct world *w = guts_alloc(sizeof *w);
	struct guts_children_options opt = { .running_max = 2, .waiting_max = 4, .waiting_key_max = 3 };

	assert_int_equal(guts_uvenv_new(NULL, &w->u), 0);
	w->e = guts_uvenv_env(w->u);
	w->s = guts_children_new(w->u, &opt);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	guts_children_stop(w->s);
	guts_uvenv_free(w->u);
	guts_children_free(w->s);
	free(w);
	return 0;
}

static const char *const plain_env[] = { "PATH=/usr/bin:/bin", "GREETING=hello", NULL };

#define SH(text) \
	{ .path = "/bin/sh", .argv = (const char *const[]){ "sh", "-c", text, NULL }, .env = plain_env }

static void
feed(struct watched *x)
{
	if (!x->feed.p)
		return;
	size_t n = guts_child_write(x->c, x->feed);

	x->feed = guts_slice(x->feed.p + n, x->feed.n - n);
	if (x->feed.n == 0) {
		x->feed.p = NULL;
		guts_child_end_input(x->c);
	}
}

static void
on_data(void *owner, struct guts_slice out)
{
	struct watched *x = owner;

	assert_int_equal(guts_buf_add_slice(&x->out, out), 0);
	if (x->cancel_at_data) {
		guts_child_cancel(x->c);
		guts_uvenv_stop(x->w->u);
	}
}

static void
on_writable(void *owner)
{
	struct watched *x = owner;

	x->writables++;
	feed(x);
}

static void
on_ended(void *owner, const struct guts_child_result *r)
{
	struct watched *x = owner;

	x->r = *r;
	x->exits++;
	if (--expected == 0)
		guts_uvenv_stop(x->w->u);
}

static void
on_said(void *owner, struct guts_slice text)
{
	struct watched *x = owner;

	x->said += text.n;
}

static const struct guts_child_events events = { on_data, on_writable, on_ended, on_said };

static int
launch(struct world *w, struct watched *x, const struct guts_child_spec *spec)
{
	x->w = w;
	guts_buf_init(&x->out, 8u << 20);
	return guts_child_start(w->s, spec, &events, x, &x->c);
}

static struct watched *
run_one(struct world *w, struct watched *x, struct guts_child_spec spec)
{
	expected = 1;
	assert_int_equal(launch(w, x, &spec), 0);
	guts_uvenv_run(w->u);
	assert_int_equal(x->exits, 1);
	return x;
}

/* --- on the loop ---------------------------------------------------------- */

static void
test_output_and_environment(void **state)
{
	struct watched x = { 0 };

	run_one(*state, &x,
	    (struct guts_child_spec)SH("echo $GREETING; env | wc -l; pwd; echo words >&2; ls /proc/self/fd | wc -l; "
				       "read -r pid comm state ppid group rest </proc/$$/stat; test $group = $$ && echo leader; exit 3"));
	/* PATH, GREETING and what the shell adds itself: PWD; 0, 1, 2 and the one `ls` reads */
	assert_string_equal(guts_buf_cstr(&x.out), "hello\n3\n/\n4\nleader\n");
	assert_string_equal(x.r.text, "words\n");
	assert_int_equal(x.said, 6);
	assert_int_equal(x.r.err, GUTS_EIO);
	assert_int_equal(x.r.exit_code, 3);
	assert_int_equal(x.r.signal, 0);
	assert_int_equal(x.r.out_bytes, x.out.len);
	guts_buf_deinit(&x.out);
}

static void
test_megabytes_through(void **state)
{
	struct watched x = { 0 };
	size_t n = 3u << 20;
	uint8_t *mem = guts_alloc(n);
	struct guts_child_spec spec = SH("exec cat");

	for (size_t i = 0; i < n; i++)
		mem[i] = (uint8_t)(i * 13 >> 5);
	x.feed = guts_slice(mem, n);
	expected = 1;
	assert_int_equal(launch(*state, &x, &spec), 0);
	feed(&x);
	assert_true(x.feed.n > n - (256u << 10)); /* bounded: it takes little at once */
	guts_uvenv_run(x.w->u);
	assert_int_equal(x.r.err, 0);
	assert_int_equal(x.out.len, n);
	assert_memory_equal(guts_buf_slice(&x.out).p, mem, n);
	assert_true(x.writables > 0);
	assert_int_equal(x.r.in_bytes, n);
	guts_buf_deinit(&x.out);
	free(mem);
}

/* Its output gathers between two reads, and its end comes while it does. */
static void
test_serving_little_at_a_time(void **state)
{
	struct guts_child_spec spec = SH("for i in $(seq 300); do printf %01000d $i; done");
	struct watched x = { 0 };
	char number[8];

	spec.is_serving = true;
	run_one(*state, &x, spec);
	assert_int_equal(x.r.err, 0);
	assert_int_equal(x.out.len, 300 * 1000);
	assert_int_equal(x.r.out_bytes, x.out.len);
	for (size_t i = 1; i <= 300; i++) {
		snprintf(number, sizeof number, "%03zu", i);
		assert_memory_equal(guts_buf_slice(&x.out).p + i * 1000 - 3, number, 3);
	}
	guts_buf_deinit(&x.out);
}

static void
test_child_that_reads_nothing(void **state)
{
	struct watched x = { 0 };
	uint8_t *mem = guts_alloc(1u << 20);
	struct guts_child_spec spec = SH("exec 0<&-; echo ready; read x <&2; exit 0");

	x.feed = guts_slice(mem, 1u << 20);
	expected = 1;
	assert_int_equal(launch(*state, &x, &spec), 0);
	feed(&x);
	guts_uvenv_run(x.w->u);
	assert_int_equal(x.r.err, 0);
	assert_int_equal(x.exits, 1);
	guts_buf_deinit(&x.out);
	free(mem);
}

static void
test_no_such_program(void **state)
{
	struct watched x = { 0 };

	run_one(*state, &x,
	    (struct guts_child_spec){ .path = "/nonexistent/git", .argv = (const char *const[]){ "git", NULL } });
	assert_int_equal(x.r.exit_code, 127);
	assert_int_equal(x.r.err, GUTS_EIO);
	assert_non_null(strstr(x.r.text, "/nonexistent/git"));
	guts_buf_deinit(&x.out);
}

static void
test_last_words_are_kept(void **state)
{
	struct watched x = { 0 };

	run_one(*state, &x,
	    (struct guts_child_spec)SH("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done"));
	assert_int_equal(strlen(x.r.text), GUTS_CHILD_STDERR_MAX);
	assert_non_null(strstr(x.r.text, "line 2999\n"));
	guts_buf_deinit(&x.out);
}

static void
test_memory_limit(void **state)
{
	struct watched x = { 0 };
	struct guts_child_spec spec = SH("exec head -c 300m /dev/zero | tail -c 200m | wc -c");

	spec.memory_max_bytes = 64u << 20;
	run_one(*state, &x, spec);
	assert_string_equal(guts_buf_cstr(&x.out), "0\n");
	assert_non_null(strstr(x.r.text, "memory"));
	guts_buf_deinit(&x.out);
}

static void
test_processor_limit(void **state)
{
	struct watched x = { 0 };
	struct guts_child_spec spec = SH("while :; do :; done");

	spec.cpu_max_s = 1;
	run_one(*state, &x, spec);
	assert_int_equal(x.r.signal, SIGXCPU);
	assert_int_equal(x.r.err, GUTS_ELIMIT);
	guts_buf_deinit(&x.out);
}

static void
test_file_limit(void **state)
{
	struct watched x = { 0 };
	char text[200], path[] = "/tmp/test_child-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	snprintf(text, sizeof text, "exec head -c 100000 /dev/zero >%s", path);
	struct guts_child_spec spec = SH(text);
	spec.file_max_bytes = 4096;
	run_one(*state, &x, spec);
	assert_int_equal(x.r.err, GUTS_ELIMIT);
	unlink(path);
	guts_buf_deinit(&x.out);
}

static void
test_no_progress(void **state)
{
	struct watched x = { 0 };
	struct guts_child_spec spec = SH("echo once; sleep 1000");

	spec.idle_max_ns = 2 * GUTS_SECOND_NS; /* a busy machine starts it late */
	run_one(*state, &x, spec);
	assert_int_equal(x.r.err, GUTS_ETIMEOUT);
	assert_int_equal(x.r.signal, SIGKILL);
	assert_string_equal(guts_buf_cstr(&x.out), "once\n");
	assert_true(x.r.run_ns >= spec.idle_max_ns);
	guts_buf_deinit(&x.out);
}

static void
test_progress_keeps_it_alive(void **state)
{
	struct watched x = { 0 };
	struct guts_child_spec spec =
	    SH("for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo tick >&2; done; echo done");

	spec.idle_max_ns = 2 * GUTS_SECOND_NS;
	run_one(*state, &x, spec);
	assert_int_equal(x.r.err, 0);
	assert_string_equal(guts_buf_cstr(&x.out), "done\n");
	guts_buf_deinit(&x.out);
}

static void
test_total_time(void **state)
{
	struct watched x = { 0 };
	struct guts_child_spec spec = SH("while :; do echo tick; sleep 0.02; done");

	spec.total_max_ns = 2 * GUTS_SECOND_NS;
	run_one(*state, &x, spec);
	assert_int_equal(x.r.err, GUTS_ETIMEOUT);
	assert_true(x.out.len > 0);
	guts_buf_deinit(&x.out);
}

static bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

/* Wait until a killed process is gone or a zombie of someone else (then its parent died, too). */
static void
wait_gone(pid_t pid)
{
	char path[64], text[256] = "";

	for (int i = 0; i < 2000 && is_alive(pid); i++) {
		snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = '\0';
		if (n <= 0 || strstr(text, ") Z "))
			return;
		usleep(1000);
	}
	assert_false(is_alive(pid));
}

static void
test_cancel_kills_grandchildren(void **state)
{
	struct watched x = { .cancel_at_data = true };
	struct world *w = *state;
	struct guts_child_spec spec = SH("sleep 1000 & echo $!; wait");
	unsigned running, waiting;

	expected = 1;
	assert_int_equal(launch(w, &x, &spec), 0);
	guts_uvenv_run(w->u);
	assert_int_equal(x.exits, 0);
	pid_t grandchild = (pid_t)strtol(guts_buf_cstr(&x.out), NULL, 10);
	assert_true(grandchild > 1);
	wait_gone(grandchild);

	/* the slot comes back when the leader is reaped */
	struct watched y = { 0 };
	run_one(w, &y, (struct guts_child_spec)SH("exit 0"));
	guts_children_count(w->s, &running, &waiting);
	assert_true(running <= 1);
	assert_int_equal(waiting, 0);
	assert_int_equal(x.exits, 0);
	guts_buf_deinit(&x.out);
	guts_buf_deinit(&y.out);
}

static void
test_helpers_left_behind_are_killed(void **state)
{
	struct watched x = { 0 };

	/* the leader ends; its helper would hold the output open for 1000 s */
	run_one(*state, &x, (struct guts_child_spec)SH("sleep 1000 & echo $!; exit 0"));
	assert_int_equal(x.r.err, 0);
	wait_gone((pid_t)strtol(guts_buf_cstr(&x.out), NULL, 10));
	guts_buf_deinit(&x.out);
}

static void
go_on(struct guts_timer *t, void *owner)
{
	struct watched *x = owner;

	(void)t;
	assert_int_equal(x->out.len, 0);
	assert_int_equal(x->exits, 0);
	guts_child_pause(x->c, false);
}

static void
test_pause(void **state)
{
	struct watched x = { 0 };
	struct world *w = *state;
	struct guts_child_spec spec = SH("head -c 1000000 /dev/zero");
	struct guts_timer t = { .fire = go_on, .owner = &x };

	expected = 1;
	assert_int_equal(launch(w, &x, &spec), 0);
	guts_child_pause(x.c, true);
	guts_env_timer_set(w->e, &t, guts_env_now(w->e) + 100 * GUTS_MS_NS);
	guts_uvenv_run(w->u);
	assert_int_equal(x.r.err, 0);
	assert_int_equal(x.out.len, 1000000);
	guts_buf_deinit(&x.out);
}

static void
test_paused_for_too_long(void **state)
{
	struct watched x = { 0 };
	struct world *w = *state;
	struct guts_child_spec spec = SH("echo small");

	spec.idle_max_ns = 100 * GUTS_MS_NS;
	expected = 1;
	assert_int_equal(launch(w, &x, &spec), 0);
	guts_child_pause(x.c, true);
	guts_uvenv_run(w->u);
	assert_int_equal(x.r.err, GUTS_ETIMEOUT);
	assert_int_equal(x.out.len, 0);
	guts_buf_deinit(&x.out);
}

/* --- slots ---------------------------------------------------------------- */

static void
test_queue_is_bounded_and_fair(void **state)
{
	struct world *w = *state;
	struct guts_child_spec spec = SH("cat; date +%s%N");
	struct watched x[8] = { 0 };
	unsigned running, waiting;

	/* two run for key 1, three of it wait, a fourth is refused; key 2 gets the last place */
	spec.key = 1;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(launch(w, &x[i], &spec), 0);
	assert_int_equal(launch(w, &x[5], &spec), GUTS_EBUSY);
	spec.key = 2;
	assert_int_equal(launch(w, &x[6], &spec), 0);
	assert_int_equal(launch(w, &x[7], &spec), GUTS_EBUSY);
	guts_children_count(w->s, &running, &waiting);
	assert_int_equal(running, 2);
	assert_int_equal(waiting, 4);

	guts_child_end_input(x[0].c); /* its slot must go to key 2, though it came last */
	guts_child_end_input(x[6].c);
	expected = 2;
	guts_uvenv_run(w->u);
	assert_int_equal(x[0].exits, 1);
	assert_int_equal(x[6].exits, 1);

	guts_child_cancel(x[4].c); /* while it waits */
	for (size_t i = 1; i < 4; i++)
		guts_child_end_input(x[i].c);
	expected = 3;
	guts_uvenv_run(w->u);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(x[i].exits, i != 4 && i != 5);
	for (size_t i = 0; i < 8; i++)
		guts_buf_deinit(&x[i].out);
}

static void
test_serving_leaves_slots(void **state)
{
	struct world *w = *state;
	struct guts_child_spec serve = SH("cat"), own = SH("cat");
	struct watched x[7] = { 0 };

	/* of two slots one serves, three wait for it; a fourth is refused though the queue has a place */
	serve.is_serving = true;
	for (size_t i = 0; i < 4; i++) {
		serve.key = i;
		assert_int_equal(launch(w, &x[i], &serve), 0);
	}
	serve.key = 4;
	assert_int_equal(launch(w, &x[4], &serve), GUTS_EBUSY);

	/* work of our own runs at once; its end hands the slot to none of those */
	assert_int_equal(launch(w, &x[5], &own), 0);
	guts_child_end_input(x[5].c);
	expected = 1;
	guts_uvenv_run(w->u);
	assert_int_equal(x[5].exits, 1);
	assert_int_equal(launch(w, &x[6], &own), 0);
	guts_child_end_input(x[6].c);
	expected = 1;
	guts_uvenv_run(w->u);
	assert_int_equal(x[6].exits, 1);

	/* one after another they are served */
	for (size_t i = 0; i < 4; i++)
		guts_child_end_input(x[i].c);
	expected = 4;
	guts_uvenv_run(w->u);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(x[i].exits, 1);
	for (size_t i = 0; i < 7; i++)
		guts_buf_deinit(&x[i].out);
}

static void
test_waiting_has_an_end(void **state)
{
	struct world *w = *state;
	struct guts_child_spec spec = SH("cat");
	struct watched x[3] = { 0 };

	assert_int_equal(launch(w, &x[0], &spec), 0);
	assert_int_equal(launch(w, &x[1], &spec), 0);
	spec.idle_max_ns = 50 * GUTS_MS_NS;
	assert_int_equal(launch(w, &x[2], &spec), 0);
	expected = 1;
	guts_uvenv_run(w->u);
	assert_int_equal(x[2].exits, 1);
	assert_int_equal(x[2].r.err, GUTS_EBUSY);
	assert_int_equal(x[2].r.exit_code, -1);
	/* the other two are left to teardown */
	for (size_t i = 0; i < 3; i++)
		guts_buf_deinit(&x[i].out);
}

/* --- in a job ------------------------------------------------------------- */

struct task {
	struct guts_job job;
	struct world *w;
	struct guts_child_spec spec;
	struct guts_child_io io;
	struct guts_child_result r;
	struct guts_buf out;
};

static void
task_run(struct guts_job *j)
{
	struct task *t = (struct task *)(void *)j;

	guts_child_run_blocking(t->w->s, &t->spec, &t->io, &t->r);
}

static void
task_done(struct guts_job *j, void *owner)
{
	struct world *w = owner;

	(void)j;
	if (--expected == 0)
		guts_uvenv_stop(w->u);
}

static void
task_start(struct world *w, struct task *t, struct guts_child_spec spec, size_t out_max)
{
	t->job = (struct guts_job){ .run = task_run, .done = task_done, .owner = w, .name = "child" };
	t->w = w;
	t->spec = spec;
	guts_buf_init(&t->out, out_max);
	t->io.out = &t->out;
	if (!t->io.in_fd)
		t->io.in_fd = -1;
	if (!t->io.out_fd)
		t->io.out_fd = -1;
	guts_env_submit(w->e, &t->job);
}

static void
test_blocking(void **state)
{
	struct world *w = *state;
	static struct task t[6];
	size_t n = 1u << 20;
	uint8_t *mem = guts_alloc(n);
	int in = open("/bin/sh", O_RDONLY | O_CLOEXEC), out[2];
	char count[32] = "";

	memset(t, 0, sizeof t);
	assert_int_equal(pipe(out), 0);
	memset(mem, 'q', n);
	t[0].io.in = guts_slice(mem, n);
	task_start(w, &t[0], (struct guts_child_spec)SH("exec cat"), n);
	task_start(w, &t[1], (struct guts_child_spec)SH("echo no >&2; exit 9"), 100);
	task_start(w, &t[2], (struct guts_child_spec)SH("exec yes"), 100000);
	t[3].io.in_fd = in;
	t[3].io.out_fd = out[1];
	task_start(w, &t[3], (struct guts_child_spec)SH("exec wc -c"), 100);
	t[4].spec.idle_max_ns = 0;
	struct guts_child_spec slow = SH("echo begin; exec sleep 1000");
	slow.idle_max_ns = 2 * GUTS_SECOND_NS;
	task_start(w, &t[4], slow, 100);
	task_start(w, &t[5], (struct guts_child_spec)SH("sleep 1000 & echo $!"), 100);
	expected = 6;
	guts_uvenv_run(w->u);

	assert_int_equal(t[0].r.err, 0);
	assert_int_equal(t[0].out.len, n);
	assert_int_equal(t[0].r.in_bytes, n);
	assert_int_equal(t[1].r.err, GUTS_EIO);
	assert_int_equal(t[1].r.exit_code, 9);
	assert_string_equal(t[1].r.text, "no\n");
	assert_int_equal(t[2].r.err, GUTS_ELIMIT);
	assert_true(t[2].out.len <= 100000);
	assert_int_equal(t[3].r.err, 0);
	assert_true(read(out[0], count, sizeof count - 1) > 0);
	assert_int_equal(strtol(count, NULL, 10), lseek(in, 0, SEEK_END));
	assert_int_equal(t[4].r.err, GUTS_ETIMEOUT);
	assert_string_equal(guts_buf_cstr(&t[4].out), "begin\n");
	assert_int_equal(t[5].r.err, 0);
	wait_gone((pid_t)strtol(guts_buf_cstr(&t[5].out), NULL, 10));

	for (size_t i = 0; i < 6; i++)
		guts_buf_deinit(&t[i].out);
	close(in);
	close(out[0]);
	close(out[1]);
	free(mem);
}

static struct guts_child_token token;

static void
cancel_it(struct guts_timer *t, void *owner)
{
	struct world *w = owner;

	(void)t;
	guts_child_token_cancel(w->s, &token);
}

static void
test_blocking_canceled(void **state)
{
	struct world *w = *state;
	static struct task t;
	struct guts_timer timer = { .fire = cancel_it, .owner = w };

	memset(&t, 0, sizeof t);
	memset(&token, 0, sizeof token);
	t.io.token = &token;
	expected = 1;
	task_start(w, &t, (struct guts_child_spec)SH("exec sleep 1000"), 100);
	guts_env_timer_set(w->e, &timer, guts_env_now(w->e) + 50 * GUTS_MS_NS);
	guts_uvenv_run(w->u);
	assert_int_equal(t.r.err, GUTS_ECANCELED);
	guts_buf_deinit(&t.out);

	/* canceled before it started */
	expected = 1;
	task_start(w, &t, (struct guts_child_spec)SH("exit 0"), 100);
	guts_uvenv_run(w->u);
	assert_int_equal(t.r.err, GUTS_ECANCELED);
	guts_buf_deinit(&t.out);
}

static struct task left[4];

/* Owners that are freed after the supervisor has stopped cancel what they still name. */
static void
test_stop_then_cancel(void **state)
{
	struct world *w = *state;
	struct guts_child_spec spec = SH("exec cat");
	struct watched running = { 0 }, gone = { 0 };

	assert_int_equal(launch(w, &gone, &spec), 0);
	guts_child_cancel(gone.c);
	assert_int_equal(launch(w, &running, &spec), 0);
	guts_children_stop(w->s);
	guts_uvenv_end_jobs(w->u);
	guts_child_pause(running.c, true);
	assert_int_equal(guts_child_write(running.c, guts_slice_str("x")), 1);
	guts_child_cancel(running.c);
}

static void
test_stop_ends_blocking_runs(void **state)
{
	static const char *const argv[] = { "sleep", "1000", NULL };
	static const struct guts_child_spec spec = { .path = "/bin/sleep", .argv = argv };
	struct world *w = *state;

	/* two run, two wait; teardown must not hang */
	memset(left, 0, sizeof left);
	for (size_t i = 0; i < 4; i++)
		task_start(w, &left[i], spec, 100);
	for (unsigned running = 0, waiting = 0; running < 2 || waiting < 2;) {
		usleep(1000);
		guts_children_count(w->s, &running, &waiting);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_output_and_environment),
		T(test_megabytes_through),
		T(test_serving_little_at_a_time),
		T(test_child_that_reads_nothing),
		T(test_no_such_program),
		T(test_last_words_are_kept),
		T(test_memory_limit),
		T(test_processor_limit),
		T(test_file_limit),
		T(test_no_progress),
		T(test_progress_keeps_it_alive),
		T(test_total_time),
		T(test_cancel_kills_grandchildren),
		T(test_helpers_left_behind_are_killed),
		T(test_pause),
		T(test_paused_for_too_long),
		T(test_queue_is_bounded_and_fair),
		T(test_serving_leaves_slots),
		T(test_waiting_has_an_end),
		T(test_blocking),
		T(test_blocking_canceled),
		T(test_stop_then_cancel),
		T(test_stop_ends_blocking_runs),
	};

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
