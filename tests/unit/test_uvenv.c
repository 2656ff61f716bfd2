/* tests/unit/test_uvenv.c - the libuv end on loopback sockets, real threads, real time. */
#include "base/alloc.h"
#include "base/buf.h"
#include "loop/uvenv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

struct side {
	struct guts_conn *c;
	struct guts_buf got;
	int opened, open_err, closed, closed_err, writables;
	bool stop_on_close;
};

struct world {
	struct guts_uvenv *u;
	struct guts_env *e;
	struct guts_listener *l;
	struct sockaddr_storage at;
	struct side a, b; /* a dials, b accepts */
	bool refuse, echo;
	size_t stop_at; /* end the run when b got so many bytes */
	void (*on_accept)(struct world *w);
	void (*on_open)(struct world *w);
};

static struct world *world;

static void
on_open(void *owner, struct guts_conn *c, int err)
{
	struct side *s = owner;

	s->opened++;
	s->open_err = err;
	if (err) {
		assert_ptr_equal(s->c, c);
		guts_uvenv_stop(world->u);
	} else if (world->on_open) {
		world->on_open(world);
	}
}

static void
on_data(void *owner, struct guts_conn *c, struct guts_slice data)
{
	struct side *s = owner;

	assert_true(data.n > 0);
	assert_int_equal(guts_buf_add_slice(&s->got, data), 0);
	if (world->echo && s == &world->b)
		assert_int_equal(guts_env_write(world->e, c, data), 0);
	if (world->stop_at && (world->echo ? &world->a : &world->b)->got.len >= world->stop_at)
		guts_uvenv_stop(world->u);
}

static void
on_writable(void *owner, struct guts_conn *c)
{
	struct side *s = owner;

	s->writables++;
	assert_true(guts_env_queued(world->e, c) <= GUTS_UVENV_LOW_BYTES);
}

static void
on_closed(void *owner, struct guts_conn *c, int err)
{
	struct side *s = owner;

	assert_ptr_equal(s->c, c);
	s->closed++;
	s->closed_err = err;
	s->c = NULL;
	if (s->stop_on_close)
		guts_uvenv_stop(world->u);
}

static const struct guts_conn_events events = { on_open, on_data, on_writable, on_closed };

static bool
on_accept(void *owner, struct guts_conn *c, const struct sockaddr *from, const struct guts_conn_events **ev,
    void **conn_owner)
{
	struct world *w = owner;

	assert_int_equal(from->sa_family, w->at.ss_family);
	if (w->refuse)
		return false;
	w->b.c = c;
	*ev = &events;
	*conn_owner = &w->b;
	if (w->on_accept)
		w->on_accept(w);
	return true;
}

static const struct guts_listener_events listener_events = { on_accept };

static struct sockaddr_storage
loopback(void)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return ss;
}

static int
setup(void **state)
{
	struct world *w = guts_alloc(sizeof *w);
	struct sockaddr_storage at = loopback();

	world = w;
	assert_int_equal(guts_uvenv_new(NULL, &w->u), 0);
	w->e = guts_uvenv_env(w->u);
	guts_buf_init(&w->a.got, 64u << 20);
	guts_buf_init(&w->b.got, 64u << 20);
	assert_int_equal(guts_env_listen(w->e, (struct sockaddr *)&at, &listener_events, w, &w->l, &w->at), 0);
	assert_int_not_equal(((struct sockaddr_in *)&w->at)->sin_port, 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	guts_uvenv_free(w->u);
	guts_buf_deinit(&w->a.got);
	guts_buf_deinit(&w->b.got);
	free(w);
	return 0;
}

static void
dial(struct world *w)
{
	assert_int_equal(guts_env_dial(w->e, (struct sockaddr *)&w->at, &events, &w->a, &w->a.c), 0);
	assert_int_equal(w->a.opened, 0);
}

/* --- sockets -------------------------------------------------------------- */

static void
hello_from_both(struct world *w)
{
	struct sockaddr_storage local, remote;

	guts_env_conn_remote(w->e, w->a.c, &remote);
	assert_memory_equal(&remote, &w->at, sizeof(struct sockaddr_in));
	guts_env_conn_local(w->e, w->a.c, &local);
	assert_int_equal(local.ss_family, AF_INET);
	assert_int_equal(guts_env_write(w->e, w->a.c, guts_slice_str("hello")), 0);
	assert_int_equal(guts_env_write(w->e, w->a.c, guts_slice_str(", world")), 0);
}

static void
test_bytes_arrive(void **state)
{
	struct world *w = *state;

	w->on_open = hello_from_both;
	w->echo = true;
	w->stop_at = 12;
	dial(w);
	guts_uvenv_run(w->u);
	assert_int_equal(w->a.open_err, 0);
	assert_string_equal(guts_buf_cstr(&w->b.got), "hello, world");
	assert_string_equal(guts_buf_cstr(&w->a.got), "hello, world");
	assert_int_equal(w->a.closed + w->b.closed, 0);
}

static void
test_write_while_dialling(void **state)
{
	struct world *w = *state;

	w->stop_at = 5;
	dial(w);
	assert_int_equal(guts_env_write(w->e, w->a.c, guts_slice_str("early")), 0);
	assert_int_equal(guts_env_queued(w->e, w->a.c), 5);
	guts_uvenv_run(w->u);
	assert_string_equal(guts_buf_cstr(&w->b.got), "early");
}

static void
test_refused(void **state)
{
	struct world *w = *state;

	guts_env_unlisten(w->e, w->l);
	dial(w);
	guts_uvenv_run(w->u);
	assert_int_equal(w->a.opened, 1);
	assert_int_equal(w->a.open_err, GUTS_ECLOSED);
	assert_int_equal(w->a.closed, 0);
}

static void
test_accept_says_no(void **state)
{
	struct world *w = *state;

	w->refuse = true;
	w->a.stop_on_close = true;
	dial(w);
	guts_uvenv_run(w->u);
	assert_int_equal(w->a.open_err, 0);
	assert_int_equal(w->a.closed, 1);
}

static void
test_bad_addresses(void **state)
{
	struct world *w = *state;
	struct sockaddr_storage ss = { .ss_family = AF_UNIX };
	struct guts_conn *c;
	struct guts_listener *l;

	assert_int_equal(guts_env_dial(w->e, (struct sockaddr *)&ss, &events, &w->a, &c), GUTS_EINVAL);
	assert_int_equal(guts_env_listen(w->e, (struct sockaddr *)&ss, &listener_events, w, &l, NULL), GUTS_EINVAL);
	assert_int_equal(guts_env_listen(w->e, (struct sockaddr *)&w->at, &listener_events, w, &l, NULL),
	    GUTS_EEXIST);
}

static void
write_and_close(struct world *w)
{
	static uint8_t big[8u << 20];

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7 >> 3);
	assert_int_equal(guts_env_write(w->e, w->a.c, guts_slice(big, sizeof big)), 0);
	assert_true(guts_env_queued(w->e, w->a.c) > 0);
	guts_env_close(w->e, w->a.c);
	w->a.c = NULL;
}

static void
test_close_sends_the_rest(void **state)
{
	struct world *w = *state;
	bool same = true;

	w->on_open = write_and_close;
	w->b.stop_on_close = true;
	dial(w);
	guts_uvenv_run(w->u);
	assert_int_equal(w->b.closed_err, 0);
	assert_int_equal(w->b.got.len, 8u << 20);
	for (size_t i = 0; i < w->b.got.len; i++)
		same = same && guts_buf_slice(&w->b.got).p[i] == (uint8_t)(i * 7 >> 3);
	assert_true(same);
	assert_int_equal(w->a.closed, 0);
}

static void
close_at_once(struct world *w)
{
	guts_env_write(w->e, w->a.c, guts_slice_str("last words"));
	guts_env_close(w->e, w->a.c);
	w->a.c = NULL;
}

static void
chatter(struct world *w)
{
	/* unread bytes at the closing end must not destroy its last words */
	assert_int_equal(guts_env_write(w->e, w->b.c, guts_slice_str("never read")), 0);
}

static void
test_last_words_survive(void **state)
{
	struct world *w = *state;

	w->on_open = close_at_once;
	w->on_accept = chatter;
	w->b.stop_on_close = true;
	dial(w);
	guts_uvenv_run(w->u);
	assert_string_equal(guts_buf_cstr(&w->b.got), "last words");
	assert_int_equal(w->b.closed_err, 0);
}

/* --- back-pressure: b does not read, a's queue grows; then b reads and all of it comes  */

#define PUSH_BYTES (12u << 20)

static void
resume(struct guts_timer *t, void *owner)
{
	struct world *w = owner;

	(void)t;
	assert_int_equal(w->b.got.len, 0);
	assert_true(guts_env_queued(w->e, w->a.c) > 0);
	assert_int_equal(w->a.writables, 0);
	w->stop_at = PUSH_BYTES;
	guts_env_read_pause(w->e, w->b.c, false);
}

static void
pause_reader(struct world *w)
{
	guts_env_read_pause(w->e, w->b.c, true);
}

static void
push(struct world *w)
{
	uint8_t piece[64 << 10];

	memset(piece, 'x', sizeof piece);
	for (size_t n = 0; n < PUSH_BYTES; n += sizeof piece)
		assert_int_equal(guts_env_write(w->e, w->a.c, guts_slice(piece, sizeof piece)), 0);
}

static void
test_back_pressure(void **state)
{
	struct world *w = *state;
	struct guts_timer t = { .fire = resume, .owner = w };

	w->on_accept = pause_reader;
	w->on_open = push;
	dial(w);
	guts_env_timer_set(w->e, &t, guts_env_now(w->e) + 50 * GUTS_MS_NS);
	guts_uvenv_run(w->u);
	assert_int_equal(w->b.got.len, PUSH_BYTES);
	assert_true(w->a.writables > 0);
	assert_int_equal(guts_env_queued(w->e, w->a.c), 0);
}

static void
slam(struct guts_timer *t, void *owner)
{
	struct world *w = owner;
	uint8_t big[64 << 10] = { 0 };
	int rc = 0;

	/* b is gone without having read: the kernel answers with a reset */
	if (w->a.c)
		rc = guts_env_write(w->e, w->a.c, guts_slice(big, sizeof big));
	assert_true(rc == 0 || rc == GUTS_ECLOSED);
	if (w->a.c)
		guts_env_timer_set(w->e, t, guts_env_now(w->e) + GUTS_MS_NS);
}

static void
test_broken_connection_is_told_once(void **state)
{
	struct world *w = *state;
	struct guts_timer t = { .fire = slam, .owner = w };

	w->refuse = true;
	w->a.stop_on_close = true;
	dial(w);
	guts_env_timer_set(w->e, &t, 0);
	guts_uvenv_run(w->u);
	assert_int_equal(w->a.closed, 1);
	guts_env_timer_clear(w->e, &t);
}

/* --- timers --------------------------------------------------------------- */

struct clocked {
	struct guts_timer t;
	struct world *w;
	int id;
	uint64_t early_ns; /* > 0: fired too early */
};

static int fired[64], nfired;
static struct clocked timers[64];

static void
on_fire(struct guts_timer *t, void *owner)
{
	struct clocked *c = owner;
	uint64_t at = t->at_ns, now = guts_env_now(c->w->e);

	assert_true(at == GUTS_NEVER); /* not set any more */
	assert_true(now == guts_env_now(c->w->e));
	fired[nfired++] = c->id;
	if (c->id == 99)
		guts_uvenv_stop(c->w->u);
}

static void
arm(struct world *w, int i, int id, uint64_t at)
{
	timers[i] = (struct clocked){ .t = { .fire = on_fire, .owner = &timers[i] }, .w = w, .id = id };
	guts_env_timer_set(w->e, &timers[i].t, at);
	assert_true(timers[i].t.at_ns == at);
}

static void
test_timers_fire_in_order(void **state)
{
	struct world *w = *state;
	uint64_t now = guts_env_now(w->e), ms = GUTS_MS_NS;
	static const int want[] = { 3, 1, 2, 4, 6, 5, 99 };

	nfired = 0;
	arm(w, 1, 1, now + 5 * ms);
	arm(w, 2, 2, now + 5 * ms); /* same time: in the order of setting */
	arm(w, 3, 3, 0);            /* past */
	arm(w, 4, 4, now + 6 * ms);
	arm(w, 5, 5, now + 2 * ms);
	arm(w, 6, 6, now + 7 * ms);
	arm(w, 7, 7, now + 1 * ms);
	arm(w, 9, 99, now + 20 * ms);
	guts_env_timer_clear(w->e, &timers[7].t);
	guts_env_timer_clear(w->e, &timers[7].t); /* twice is fine */
	guts_env_timer_set(w->e, &timers[5].t, now + 8 * ms); /* moved later */
	guts_uvenv_run(w->u);
	assert_int_equal(nfired, 7);
	assert_memory_equal(fired, want, sizeof want);
}

static void
again(struct guts_timer *t, void *owner)
{
	struct world *w = owner;

	/* due at once, again and again: sockets must get their turns all the same */
	guts_env_timer_set(w->e, t, 0);
	nfired++;
}

static void
test_busy_timer_starves_no_one(void **state)
{
	struct world *w = *state;
	struct guts_timer t = { .fire = again, .owner = w };

	nfired = 0;
	w->on_open = hello_from_both;
	w->stop_at = 12;
	guts_env_timer_set(w->e, &t, 0);
	dial(w);
	guts_uvenv_run(w->u);
	assert_true(nfired > 0);
	assert_int_equal(w->b.got.len, 12);
	guts_env_timer_clear(w->e, &t);
}

static void
test_many_timers_sorted(void **state)
{
	struct world *w = *state;
	uint64_t now = guts_env_now(w->e);

	nfired = 0;
	for (int i = 0; i < 60; i++)
		arm(w, i, (i * 37) % 60, now + (uint64_t)((i * 37) % 60) * 1000);
	for (int i = 0; i < 60; i += 3) /* take a third out, put it back */
		guts_env_timer_clear(w->e, &timers[i].t);
	for (int i = 0; i < 60; i += 3)
		arm(w, i, (i * 37) % 60, now + (uint64_t)((i * 37) % 60) * 1000);
	arm(w, 60, 99, now + 2 * GUTS_MS_NS);
	guts_uvenv_run(w->u);
	assert_int_equal(nfired, 61);
	for (int i = 0; i < 60; i++)
		assert_int_equal(fired[i], i);
}

/* --- threads -------------------------------------------------------------- */

#define THREADS 4
#define POSTS 5000

struct poster {
	struct world *w;
	pthread_t thread;
	int next; /* what must come next from this thread */
};

struct letter {
	struct poster *from;
	int number;
};

static int letters_in;

static void
deliver(void *arg)
{
	struct letter *l = arg;

	assert_int_equal(l->number, l->from->next);
	l->from->next++;
	if (++letters_in == THREADS * POSTS)
		guts_uvenv_stop(l->from->w->u);
	free(l);
}

static void *
post_many(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < POSTS; i++) {
		struct letter *l = guts_alloc(sizeof *l);

		*l = (struct letter){ p, i };
		guts_env_post(p->w->e, deliver, l);
	}
	return NULL;
}

static void
test_posts_of_four_threads(void **state)
{
	struct world *w = *state;
	struct poster p[THREADS] = { 0 };

	letters_in = 0;
	for (int i = 0; i < THREADS; i++) {
		p[i].w = w;
		assert_int_equal(pthread_create(&p[i].thread, NULL, post_many, &p[i]), 0);
	}
	guts_uvenv_run(w->u);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(p[i].thread, NULL);
		assert_int_equal(p[i].next, POSTS);
	}
}

static pthread_t loop_thread;
static int jobs_done, first_of_few;

struct sum {
	struct guts_job job;
	uint64_t upto, sum;
	bool on_worker;
};

static void
sum_run(struct guts_job *j)
{
	struct sum *s = (struct sum *)(void *)j;

	s->on_worker = !pthread_equal(pthread_self(), loop_thread);
	for (uint64_t i = 1; i <= s->upto; i++)
		s->sum += i;
}

static void
sum_done(struct guts_job *j, void *owner)
{
	struct sum *s = (struct sum *)(void *)j;

	assert_true(pthread_equal(pthread_self(), loop_thread));
	assert_true(s->on_worker);
	assert_true(s->sum == s->upto * (s->upto + 1) / 2);
	jobs_done++;
	if (strcmp(j->name, "few") == 0 && first_of_few < 0)
		first_of_few = jobs_done;
	if (jobs_done == 201)
		guts_uvenv_stop(((struct world *)owner)->u);
}

static void
test_jobs(void **state)
{
	struct world *w = *state;
	static struct sum s[201];

	loop_thread = pthread_self();
	jobs_done = 0;
	first_of_few = -1;
	for (size_t i = 0; i < 201; i++) {
		s[i] = (struct sum){ .job = { .run = sum_run, .done = sum_done, .owner = w, .name = "many" },
			.upto = i == 200 ? 1 : 200000 };
		if (i == 200)
			s[i].job.name = "few"; /* last to come, but of another kind */
		guts_env_submit(w->e, &s[i].job);
	}
	guts_uvenv_run(w->u);
	assert_int_equal(jobs_done, 201);
	assert_true(first_of_few > 0 && first_of_few < 190);
}

static void
test_free_with_work_left(void **state)
{
	struct world *w = *state;
	static struct sum s[50];

	/* never run: teardown must end all this without a callback */
	for (size_t i = 0; i < 50; i++) {
		s[i] = (struct sum){ .job = { .run = sum_run, .done = sum_done, .owner = w, .name = "left" },
			.upto = 1000 };
		guts_env_submit(w->e, &s[i].job);
	}
	dial(w);
	guts_env_write(w->e, w->a.c, guts_slice_str("lost"));
}

/* --- names, signals, the rest --------------------------------------------- */

static struct guts_addrs answer;
static int answers;

static void
on_addrs(void *owner, const struct guts_addrs *a)
{
	struct world *w = owner;

	answer = *a;
	if (++answers == 2)
		guts_uvenv_stop(w->u);
}

static void
test_resolve(void **state)
{
	struct world *w = *state;
	char endless[2000];

	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	answers = 0;
	guts_env_resolve(w->e, endless, 1, AF_UNSPEC, on_addrs, w);
	guts_env_resolve(w->e, "127.0.0.1", 4711, AF_INET, on_addrs, w);
	assert_int_equal(answers, 0);
	guts_uvenv_run(w->u);
	assert_int_equal(answers, 2);

	answers = 1;
	guts_env_resolve(w->e, "127.0.0.1", 4711, AF_INET, on_addrs, w);
	guts_uvenv_run(w->u);
	assert_int_equal(answer.err, 0);
	assert_int_equal(answer.n, 1);
	assert_int_equal(ntohs(((struct sockaddr_in *)&answer.v[0])->sin_port), 4711);

	answers = 1;
	guts_env_resolve(w->e, endless, 1, AF_UNSPEC, on_addrs, w);
	guts_uvenv_run(w->u);
	assert_true(answer.err < 0);
	assert_int_equal(answer.n, 0);
}

static void
on_signal(void *owner, int number)
{
	struct world *w = owner;

	assert_int_equal(number, SIGTERM);
	jobs_done++;
	guts_uvenv_stop(w->u);
}

static void
test_signal_and_process(void **state)
{
	struct world *w = *state;
	struct rlimit rl;
	uint8_t r1[32] = { 0 }, r2[32] = { 0 };

	jobs_done = 0;
	assert_int_equal(guts_uvenv_on_signal(w->u, on_signal, w), 0);
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGPIPE); /* ignored */
	guts_uvenv_run(w->u);
	assert_int_equal(jobs_done, 1);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_true(rl.rlim_cur == rl.rlim_max);
	guts_env_random(w->e, r1, sizeof r1);
	guts_env_random(w->e, r2, sizeof r2);
	assert_memory_not_equal(r1, r2, sizeof r1);
	assert_true(guts_env_wall(w->e) > UINT64_C(1700000000) * GUTS_SECOND_NS);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_bytes_arrive),
		T(test_write_while_dialling),
		T(test_refused),
		T(test_accept_says_no),
		T(test_bad_addresses),
		T(test_close_sends_the_rest),
		T(test_last_words_survive),
		T(test_back_pressure),
		T(test_broken_connection_is_told_once),
		T(test_timers_fire_in_order),
		T(test_busy_timer_starves_no_one),
		T(test_many_timers_sorted),
		T(test_posts_of_four_threads),
		T(test_jobs),
		T(test_free_with_work_left),
		T(test_resolve),
		T(test_signal_and_process),
	};

	return cmocka_run_group_tests_name("uvenv", tests, NULL, NULL);
}
