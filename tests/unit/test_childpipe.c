/* tests/unit/test_childpipe.c - a child between two pipes, whose other ends are on other threads. */
#include "base/alloc.h"
#include "loop/childpipe.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

struct world {
	struct guts_uvenv *u;
	struct guts_env *e;
	struct guts_children *s;
};

static int
setup(void **state)
{
	struct world *w = guts_alloc(sizeof *w);

	assert_int_equal(guts_uvenv_new(NULL, &w->u), 0);
	w->e = guts_uvenv_env(w->u);
	w->s = guts_children_new(w->u, NULL);
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

#define SH(text) { .path = "/bin/sh", .argv = (const char *const[]){ "sh", "-c", text, NULL } }

struct other {
	struct world *w;
	struct guts_pipe *in, *out;
	struct guts_child_spec spec;
	sem_t room, data;
	size_t total, wrong, got;
	ssize_t end;
	struct guts_child_result r;
	bool drop_early, fail_input;
};

static void
other_done(void *owner, const struct guts_child_result *r)
{
	struct other *o = owner;

	o->r = *r;
}

static void
other_begin(void *arg)
{
	struct other *o = arg;

	guts_childpipe_start(o->w->s, &o->spec, o->in, o->out, other_done, o);
}

static void
signal_sem(void *arg)
{
	sem_post(arg);
}

static void *
other_write(void *arg)
{
	struct other *o = arg;
	uint8_t mem[10000];
	size_t done = 0;

	while (done < o->total) {
		size_t n = o->total - done < sizeof mem ? o->total - done : sizeof mem;

		for (size_t i = 0; i < n; i++)
			mem[i] = (uint8_t)((done + i) * 5 >> 3);
		ssize_t took = guts_pipe_write(o->in, guts_slice(mem, n));
		if (took < 0)
			break;
		done += (size_t)took;
		if ((size_t)took < n) {
			guts_pipe_wait_room(o->in);
			sem_wait(&o->room);
		}
	}
	guts_pipe_end(o->in, o->fail_input ? GUTS_ECANCELED : 0);
	return NULL;
}

static void *
other_thread(void *arg)
{
	struct other *o = arg;
	uint8_t mem[5000];
	pthread_t writer;

	guts_env_post(o->w->e, other_begin, o);
	pthread_create(&writer, NULL, other_write, o);
	for (;;) {
		ssize_t n = guts_pipe_read(o->out, mem, sizeof mem);

		if (n < 0) {
			o->end = n;
			break;
		}
		for (ssize_t i = 0; i < n; i++)
			o->wrong += mem[i] != (uint8_t)((o->got + (size_t)i) * 5 >> 3);
		o->got += (size_t)n;
		if (o->drop_early && o->got)
			break;
		if (n == 0) {
			guts_pipe_wait_data(o->out);
			sem_wait(&o->data);
		}
	}
	guts_pipe_drop(o->out);
	pthread_join(writer, NULL);
	guts_uvenv_stop(o->w->u);
	return NULL;
}

static void
converse(struct world *w, struct other *o)
{
	pthread_t t;

	o->w = w;
	o->in = guts_pipe_new(GUTS_PIPE_BYTES);
	o->out = guts_pipe_new(GUTS_PIPE_BYTES);
	sem_init(&o->room, 0, 0);
	sem_init(&o->data, 0, 0);
	guts_pipe_on_room(o->in, signal_sem, &o->room);
	guts_pipe_on_data(o->out, signal_sem, &o->data);
	assert_int_equal(pthread_create(&t, NULL, other_thread, o), 0);
	guts_uvenv_run(w->u);
	pthread_join(t, NULL);
	sem_destroy(&o->room);
	sem_destroy(&o->data);
}

static void
test_pipes_through_cat(void **state)
{
	struct other o = { .spec = SH("exec cat"), .total = 20u << 20 };

	converse(*state, &o);
	assert_int_equal(o.end, GUTS_ECLOSED);
	assert_int_equal(o.got, o.total);
	assert_int_equal(o.wrong, 0);
	assert_int_equal(o.r.err, 0);
}

static void
test_pipe_gets_the_error(void **state)
{
	struct other o = { .spec = SH("exit 5"), .total = 1u << 20 };

	converse(*state, &o);
	assert_int_equal(o.end, GUTS_EIO);
	assert_int_equal(o.r.exit_code, 5);
}

static void
turn_over(struct guts_timer *t, void *owner)
{
	struct world *w = owner;

	(void)t;
	guts_uvenv_stop(w->u);
}

static void
test_reader_drops(void **state)
{
	struct other o = { .spec = SH("exec cat"), .total = 5u << 20, .drop_early = true };
	struct world *w = *state;
	struct guts_timer t = { .fire = turn_over, .owner = w };
	unsigned running = 1, waiting;

	converse(w, &o);
	/* the child is gone without having been asked for more output */
	for (int i = 0; running && i < 5000; i++) {
		guts_env_timer_set(w->e, &t, guts_env_now(w->e) + GUTS_MS_NS);
		guts_uvenv_run(w->u);
		guts_children_count(w->s, &running, &waiting);
	}
	assert_int_equal(running, 0);
	assert_int_equal(o.r.err, GUTS_ECANCELED);
}

static void
test_writer_fails(void **state)
{
	struct other o = { .spec = SH("exec cat"), .total = 300000, .fail_input = true };

	converse(*state, &o);
	assert_int_equal(o.end, GUTS_ECANCELED);
	assert_int_equal(o.r.err, GUTS_ECANCELED);
}

static void
test_stop_ends_the_pipe(void **state)
{
	struct world *w = *state;
	struct guts_pipe *in = guts_pipe_new(100), *out = guts_pipe_new(100);
	struct guts_child_spec spec = SH("exec cat");
	struct other o = { .got = 0 };
	uint8_t byte;

	guts_childpipe_start(w->s, &spec, in, out, other_done, &o);
	guts_children_stop(w->s);
	assert_int_equal(o.r.err, GUTS_ECANCELED);
	assert_int_equal(guts_pipe_read(out, &byte, 1), GUTS_ECANCELED);
	assert_int_equal(guts_pipe_write(in, guts_slice_str("x")), GUTS_ECLOSED);
	guts_pipe_end(in, 0);
	guts_pipe_drop(out);

	/* too late for this one */
	in = guts_pipe_new(100);
	out = guts_pipe_new(100);
	guts_childpipe_start(w->s, &spec, in, out, other_done, &o);
	assert_int_equal(guts_pipe_read(out, &byte, 1), GUTS_ECANCELED);
	guts_pipe_end(in, 0);
	guts_pipe_drop(out);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_pipes_through_cat),
		T(test_pipe_gets_the_error),
		T(test_reader_drops),
		T(test_writer_fails),
		T(test_stop_ends_the_pipe),
	};

	return cmocka_run_group_tests_name("childpipe", tests, NULL, NULL);
}
