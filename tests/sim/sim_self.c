/* tests/sim/sim_self.c - the simulator against itself: time, network, faults, the digest, speed.
 *
 * The program is a small one: every place listens, dials the next ones, and plays ping-pong with
 * them; it dials again when a connection is lost.
 */
#include "sim.h"
#include "simdigest.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define PORT 4001
#define S GUTS_SECOND_NS
#define MS GUTS_MS_NS

/* --- the program ---------------------------------------------------------- */

struct setting {
	struct sim *s;
	unsigned dials;     /* how many of the next places it dials */
	uint64_t pause_ns;  /* between pong and ping */
};

struct node;

struct link {
	struct node *n;
	unsigned to;
	struct guts_conn *c; /* NULL = down */
	struct guts_timer timer;
	uint64_t count;
};

struct node {
	struct guts_env *e;
	const struct setting *set;
	unsigned place;
	struct guts_listener *l;
	struct link *link;
	uint64_t pongs, losses, resets, timeouts, inbound;
};

static void
ping(struct link *k)
{
	uint64_t v[2] = { 0 };

	v[0] = htobe64(++k->count);
	guts_env_random(k->n->e, &v[1], sizeof v[1]);
	assert_int_equal(guts_env_write(k->n->e, k->c, guts_slice(v, sizeof v)), 0);
}

static void
dial_again(struct link *k)
{
	uint16_t jitter;

	guts_env_random(k->n->e, &jitter, sizeof jitter);
	guts_env_timer_set(k->n->e, &k->timer, guts_env_now(k->n->e) + S + jitter * MS / 64);
}

static void
out_open(void *owner, struct guts_conn *c, int err)
{
	struct link *k = owner;

	if (err) {
		k->c = NULL;
		k->n->timeouts += err == GUTS_ETIMEOUT;
		dial_again(k);
		return;
	}
	assert_ptr_equal(k->c, c);
	ping(k);
}

static void
out_data(void *owner, struct guts_conn *c, struct guts_slice data)
{
	struct link *k = owner;

	assert_ptr_equal(k->c, c);
	assert_int_equal(data.n, 16);
	k->n->pongs++;
	sim_audit(k->n->set->s, k->n->place, "pong", data);
	if (k->n->set->pause_ns)
		guts_env_timer_set(k->n->e, &k->timer, guts_env_now(k->n->e) + k->n->set->pause_ns);
	else
		ping(k);
}

static void
writable(void *owner, struct guts_conn *c)
{
	(void)owner;
	(void)c;
}

static void
out_closed(void *owner, struct guts_conn *c, int err)
{
	struct link *k = owner;

	assert_ptr_equal(k->c, c);
	k->c = NULL;
	k->n->losses++;
	k->n->resets += err == GUTS_ECLOSED;
	k->n->timeouts += err == GUTS_ETIMEOUT;
	dial_again(k);
}

static void
in_data(void *owner, struct guts_conn *c, struct guts_slice data)
{
	struct node *n = owner;

	assert_int_equal(guts_env_write(n->e, c, data), 0);
}

static void
in_closed(void *owner, struct guts_conn *c, int err)
{
	(void)owner;
	(void)c;
	(void)err;
}

static const struct guts_conn_events out_events = { out_open, out_data, writable, out_closed };
static const struct guts_conn_events in_events = { NULL, in_data, writable, in_closed };

static bool
accept_any(void *owner, struct guts_conn *c, const struct sockaddr *from, const struct guts_conn_events **ev,
    void **conn_owner)
{
	struct node *n = owner;

	(void)c;
	assert_int_equal(from->sa_family, AF_INET);
	n->inbound++;
	*ev = &in_events;
	*conn_owner = n;
	return true;
}

static const struct guts_listener_events listener_events = { accept_any };

static void
link_fire(struct guts_timer *t, void *owner)
{
	struct link *k = owner;
	struct sockaddr_storage to;

	(void)t;
	if (k->c) {
		ping(k);
		return;
	}
	sim_address(k->to, PORT, &to);
	assert_int_equal(guts_env_dial(k->n->e, (struct sockaddr *)&to, &out_events, k, &k->c), 0);
}

static void *
node_start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned place, void *arg)
{
	struct node *n = guts_alloc(sizeof *n);
	struct sockaddr_storage at, bound;

	(void)st;
	(void)r;
	n->e = e;
	n->set = arg;
	n->place = place;
	sim_address(place, PORT, &at);
	assert_int_equal(guts_env_listen(e, (struct sockaddr *)&at, &listener_events, n, &n->l, &bound), 0);
	n->link = guts_calloc(n->set->dials + 1, sizeof *n->link);
	for (unsigned i = 0; i < n->set->dials; i++) {
		struct link *k = &n->link[i];

		k->n = n;
		k->to = place + 1 + i;
		k->timer = (struct guts_timer){ .fire = link_fire, .owner = k };
		guts_env_timer_set(e, &k->timer, 0);
	}
	return n;
}

static void
node_free(void *owner)
{
	struct node *n = owner;

	free(n->link);
	free(n);
}

static void
node_stop(void *owner)
{
	struct node *n = owner;

	guts_env_unlisten(n->e, n->l);
	for (unsigned i = 0; i < n->set->dials; i++) {
		guts_env_timer_clear(n->e, &n->link[i].timer);
		if (n->link[i].c)
			guts_env_close(n->e, n->link[i].c);
	}
	node_free(n);
}

static const struct sim_program program = { node_start, node_stop, node_free };

/* `places` places in a line, each but the last dials the next. */
static struct sim *
line(struct setting *set, const struct sim_config *c)
{
	static struct setting last; /* of the last place: dials nobody */
	struct sim *s = sim_new(c);

	set->s = last.s = s;
	for (unsigned i = 0; i + 1 < c->places; i++)
		sim_start(s, i, &program, set);
	sim_start(s, c->places - 1, &program, &last);
	return s;
}

static struct node *
node(struct sim *s, unsigned place)
{
	return sim_owner(s, place);
}

/* --- the digest ----------------------------------------------------------- */

/* How many pongs came, and the digest. */
static uint64_t
storm(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE])
{
	struct setting set = { .dials = 1, .pause_ns = 20 * MS };
	struct sim_config c = { .seed = seed, .places = 6, .loss_ppm = 50000, .digest_bytes = true };
	struct sim *s = line(&set, &c);
	unsigned halves[6] = { 0, 0, 0, 1, 1, 1 };
	uint64_t pongs = 0;

	sim_run_for(s, 20 * S);
	sim_partition(s, halves);
	sim_run_for(s, 40 * S);
	sim_heal(s);
	sim_crash(s, 1, SIM_CRASH_PROCESS);
	sim_crash(s, 4, SIM_CRASH_POWER);
	sim_run_for(s, 5 * S);
	sim_restart(s, 1);
	sim_restart(s, 4);
	sim_run_for(s, 10 * S);
	sim_stop(s, 0);
	sim_restart(s, 0);
	sim_run_for(s, 20 * S);
	for (unsigned i = 0; i < 6; i++)
		pongs += node(s, i)->pongs;
	sim_digest(s, digest);
	sim_free(s);
	return pongs;
}

static void
world(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE])
{
	(void)storm(seed, digest);
}

/* What every compiler with every flag must find; changes only when the simulator's model does. */
#define DIGEST_OF_SEED_7 "35938874aff516a4c4c51847d11f93c907877932cdf26cf1055c7d6c586a1c7d"

static void
test_same_seed_same_digest(void **state)
{
	uint8_t a[SIM_DIGEST_SIZE], b[SIM_DIGEST_SIZE], other[SIM_DIGEST_SIZE];
	char hex[2 * SIM_DIGEST_SIZE + 1];

	(void)state;
	assert_true(storm(7, a) > 100);
	world(7, b);
	world(8, other);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, other, sizeof a);
	guts_hex_encode(hex, a, sizeof a);
	assert_string_equal(hex, DIGEST_OF_SEED_7);
}

/* --- faults --------------------------------------------------------------- */

static void
test_partition_and_heal(void **state)
{
	struct setting set = { .dials = 1, .pause_ns = 100 * MS };
	struct sim_config c = { .seed = 1, .places = 2 };
	struct sim *s = line(&set, &c);
	unsigned apart[2] = { 0, 1 };

	(void)state;
	sim_run_for(s, 10 * S);
	uint64_t before = node(s, 0)->pongs;
	assert_true(before > 40);

	sim_partition(s, apart); /* shorter than the patience of TCP: the connection lives on */
	sim_run_for(s, 10 * S);
	assert_true(node(s, 0)->pongs <= before + 1);
	sim_heal(s);
	before = node(s, 0)->pongs;
	sim_run_for(s, 10 * S);
	assert_int_equal(node(s, 0)->losses, 0);
	assert_true(node(s, 0)->pongs > before + 10);

	sim_partition(s, apart); /* longer: it breaks, is dialled in vain, then comes back */
	sim_run_for(s, 100 * S);
	assert_int_equal(node(s, 0)->losses, 1);
	assert_true(node(s, 0)->timeouts >= 2);
	sim_heal(s);
	before = node(s, 0)->pongs;
	sim_run_for(s, 60 * S);
	assert_true(node(s, 0)->pongs > before + 10);
	assert_int_equal(node(s, 1)->inbound, 2);
	sim_free(s);
	(void)state;
}

static void
test_clog(void **state)
{
	struct setting set = { .dials = 1, .pause_ns = 100 * MS };
	struct sim_config c = { .seed = 1, .places = 3 };
	struct sim *s = line(&set, &c);

	(void)state;
	sim_run_for(s, 5 * S);
	sim_clog(s, 2, true);
	uint64_t a = node(s, 0)->pongs, b = node(s, 1)->pongs;
	sim_run_for(s, 5 * S);
	assert_true(node(s, 0)->pongs > a + 10);
	assert_true(node(s, 1)->pongs <= b + 1);
	sim_clog(s, 2, false);
	sim_run_for(s, 10 * S);
	assert_true(node(s, 1)->pongs > b + 10);
	sim_free(s);
}

static void
test_crash_of_a_process(void **state)
{
	struct setting set = { .dials = 1, .pause_ns = 100 * MS };
	struct sim_config c = { .seed = 3, .places = 2 };
	struct sim *s = line(&set, &c);

	(void)state;
	sim_run_for(s, 5 * S);
	sim_crash(s, 1, SIM_CRASH_PROCESS);
	assert_false(sim_runs(s, 1));
	sim_run_for(s, S / 2);
	assert_int_equal(node(s, 0)->resets, 1); /* told at once; dialling is refused */
	sim_run_for(s, 20 * S);
	assert_int_equal(node(s, 0)->timeouts, 0);
	sim_restart(s, 1);
	uint64_t before = node(s, 0)->pongs;
	sim_run_for(s, 10 * S);
	assert_true(node(s, 0)->pongs > before + 10);
	sim_free(s);
}

/* If the ping was under way, it finds out; if the pong was, both wait for ever, as TCP does. */
static void
test_crash_of_the_power(void **state)
{
	unsigned found_out = 0, never = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct setting set = { .dials = 1, .pause_ns = 100 * MS };
		struct sim_config c = { .seed = seed, .places = 2 };
		struct sim *s = line(&set, &c);

		sim_run_for(s, 5 * S);
		sim_crash(s, 1, SIM_CRASH_POWER);
		sim_run_for(s, 5 * S);
		assert_int_equal(node(s, 0)->losses, 0); /* nobody said anything */
		sim_restart(s, 1);
		uint64_t before = node(s, 0)->pongs;
		sim_run_for(s, 30 * S);
		if (node(s, 0)->resets) { /* bytes for a connection that is not known there */
			found_out++;
			assert_int_equal(node(s, 0)->losses, 1);
			assert_true(node(s, 0)->pongs > before + 10);
		} else {
			never++;
			assert_int_equal(node(s, 0)->losses, 0);
			assert_true(node(s, 0)->pongs == before);
		}
		sim_free(s);
	}
	assert_true(found_out > 0 && never > 0);
}

/* --- a stream of many bytes ----------------------------------------------- */

#define STREAM_BYTES (3u << 20)

struct stream {
	struct guts_env *e[2];
	struct guts_conn *from, *to;
	struct guts_listener *l;
	size_t got, wrong, queued_max;
	int opened, closed, closed_err, writables, from_err;
	bool pause;
};

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 11 >> 6);
}

static void
st_open(void *owner, struct guts_conn *c, int err)
{
	struct stream *t = owner;
	uint8_t mem[50000];

	t->opened++;
	t->from_err = err;
	if (err)
		return;
	for (size_t done = 0; done < STREAM_BYTES;) {
		size_t n = STREAM_BYTES - done < sizeof mem ? STREAM_BYTES - done : sizeof mem;

		for (size_t i = 0; i < n; i++)
			mem[i] = byte_at(done + i);
		assert_int_equal(guts_env_write(t->e[0], c, guts_slice(mem, n)), 0);
		done += n;
	}
	t->queued_max = guts_env_queued(t->e[0], c);
}

static void
st_data(void *owner, struct guts_conn *c, struct guts_slice data)
{
	struct stream *t = owner;

	(void)c;
	for (size_t i = 0; i < data.n; i++)
		t->wrong += data.p[i] != byte_at(t->got + i);
	t->got += data.n;
}

static void
st_writable(void *owner, struct guts_conn *c)
{
	struct stream *t = owner;

	t->writables++;
	if (guts_env_queued(t->e[0], c) == 0) {
		guts_env_close(t->e[0], c);
		t->from = NULL;
	}
}

static void
st_closed(void *owner, struct guts_conn *c, int err)
{
	struct stream *t = owner;

	if (c == t->from) {
		t->from_err = err;
		t->from = NULL;
	} else {
		t->closed++;
		t->closed_err = err;
	}
}

static const struct guts_conn_events stream_events = { st_open, st_data, st_writable, st_closed };

static bool
st_accept(void *owner, struct guts_conn *c, const struct sockaddr *from, const struct guts_conn_events **ev,
    void **conn_owner)
{
	struct stream *t = owner;

	(void)from;
	t->to = c;
	*ev = &stream_events;
	*conn_owner = t;
	if (t->pause)
		guts_env_read_pause(t->e[1], c, true);
	return true;
}

static void *
idle_start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned place, void *arg)
{
	(void)e;
	(void)st;
	(void)r;
	(void)place;
	(void)arg;
	return guts_alloc(1);
}

static const struct sim_program idle = { idle_start, free, free };

static struct sim *
stream_begin(struct stream *t, const struct sim_config *c)
{
	static const struct guts_listener_events ev = { st_accept };
	struct sim *s = sim_new(c);
	struct sockaddr_storage at, bound;

	for (unsigned i = 0; i < 2; i++) {
		sim_start(s, i, &idle, NULL);
		t->e[i] = sim_env(s, i);
	}
	sim_address(1, 0, &at);
	assert_int_equal(guts_env_listen(t->e[1], (struct sockaddr *)&at, &ev, t, &t->l, &bound), 0);
	assert_int_equal(guts_env_dial(t->e[0], (struct sockaddr *)&bound, &stream_events, t, &t->from), 0);
	return s;
}

static void
test_bytes_keep_their_order_under_loss(void **state)
{
	struct stream t = { .got = 0 };
	struct sim_config c = { .seed = 5, .places = 2, .loss_ppm = 100000 };
	struct sim *s = stream_begin(&t, &c);

	(void)state;
	sim_run_for(s, 300 * S);
	assert_int_equal(t.got, STREAM_BYTES);
	assert_int_equal(t.wrong, 0);
	assert_true(t.writables > 0);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.closed_err, 0); /* the end comes after the bytes */
	assert_null(t.from);
	sim_free(s);
}

static void
test_stopped_reader_stops_the_writer(void **state)
{
	struct stream t = { .pause = true };
	struct sim_config c = { .seed = 5, .places = 2 };
	struct sim *s = stream_begin(&t, &c);

	(void)state;
	sim_run_for(s, 20 * S);
	assert_int_equal(t.got, 0);
	assert_int_equal(t.writables, 0);
	assert_true(guts_env_queued(t.e[0], t.from) >= STREAM_BYTES - (256u << 10));
	guts_env_read_pause(t.e[1], t.to, false);
	assert_int_equal(t.got, 0); /* not inside the call */
	sim_run_for(s, 20 * S);
	assert_int_equal(t.got, STREAM_BYTES);
	assert_int_equal(t.wrong, 0);
	sim_free(s);
}

static void
test_slow_reader(void **state)
{
	struct stream t = { .pause = false };
	struct sim_config c = { .seed = 5, .places = 2 };
	struct sim *s = stream_begin(&t, &c);

	(void)state;
	sim_set_read_rate(s, 1, 100000);
	sim_run_for(s, 10 * S);
	assert_true(t.got > 900000 && t.got < 1100000);
	assert_true(guts_env_queued(t.e[0], t.from) > 0);
	sim_run_for(s, 30 * S);
	assert_int_equal(t.got, STREAM_BYTES);
	assert_int_equal(t.wrong, 0);
	sim_free(s);
}

static void
test_close_gives_the_queue_one_second(void **state)
{
	struct stream t = { .pause = true };
	struct sim_config c = { .seed = 5, .places = 2 };
	struct sim *s = stream_begin(&t, &c);

	(void)state;
	sim_run_for(s, S);
	guts_env_close(t.e[0], t.from);
	t.from = NULL;
	sim_run_for(s, S / 2);
	assert_int_equal(t.closed, 0);
	sim_run_for(s, 5 * S);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.closed_err, GUTS_ECLOSED);
	sim_free(s);
}

static void
test_dialling_in_vain(void **state)
{
	struct stream t = { .pause = false };
	struct sim_config c = { .seed = 5, .places = 2 };
	struct sim *s = stream_begin(&t, &c);
	struct sockaddr_storage at;

	(void)state;
	sim_run_for(s, 10 * S);
	t.opened = 0;
	sim_address(1, 1, &at); /* nobody listens */
	assert_int_equal(guts_env_dial(t.e[0], (struct sockaddr *)&at, &stream_events, &t, &t.from), 0);
	assert_int_equal(t.opened, 0);
	sim_run_for(s, S);
	assert_int_equal(t.opened, 1);
	assert_int_equal(t.from_err, GUTS_ECLOSED);

	sim_address(999, 1, &at); /* no such machine */
	assert_int_equal(guts_env_dial(t.e[0], (struct sockaddr *)&at, &stream_events, &t, &t.from), 0);
	sim_run_for(s, 10 * S);
	assert_int_equal(t.opened, 1);
	sim_run_for(s, 100 * S);
	assert_int_equal(t.opened, 2);
	assert_int_equal(t.from_err, GUTS_ETIMEOUT);

	sim_address(999, 1, &at); /* given up before the answer */
	assert_int_equal(guts_env_dial(t.e[0], (struct sockaddr *)&at, &stream_events, &t, &t.from), 0);
	guts_env_close(t.e[0], t.from);
	sim_run_for(s, 100 * S);
	assert_int_equal(t.opened, 2);
	sim_free(s);
}

/* --- timers, jobs, names -------------------------------------------------- */

struct marks {
	char text[64];
	size_t n;
};

struct mark {
	struct guts_timer t;
	struct guts_job job;
	struct marks *to;
	char name;
};

static void
mark(struct mark *m)
{
	m->to->text[m->to->n++] = m->name;
}

static void
mark_fire(struct guts_timer *t, void *owner)
{
	(void)t;
	mark(owner);
}

static void
mark_post(void *arg)
{
	mark(arg);
}

static void
mark_run(struct guts_job *j)
{
	((struct mark *)j->owner)->name = 'J';
}

static void
mark_done(struct guts_job *j, void *owner)
{
	(void)j;
	mark(owner);
}

static struct guts_addrs answer;

static void
on_addrs(void *owner, const struct guts_addrs *a)
{
	(void)owner;
	answer = *a;
}

static void
test_timers_jobs_names(void **state)
{
	struct sim_config c = { .seed = 5, .places = 3 };
	struct sim *s = sim_new(&c);
	struct guts_env *e = sim_env(s, 0);
	struct marks to = { .n = 0 };
	struct mark m[6];
	uint64_t now;

	(void)state;
	sim_start(s, 0, &idle, NULL);
	now = guts_env_now(e);
	assert_true(now == sim_now(s));
	for (size_t i = 0; i < 6; i++)
		m[i] = (struct mark){ .t = { .fire = mark_fire, .owner = &m[i] },
			.job = { .run = mark_run, .done = mark_done, .owner = &m[i], .name = "mark" }, .to = &to,
			.name = (char)('a' + i) };
	guts_env_timer_set(e, &m[0].t, now + 300 * MS);
	guts_env_timer_set(e, &m[1].t, now + 100 * MS);
	guts_env_timer_set(e, &m[2].t, now + 100 * MS);
	guts_env_timer_set(e, &m[3].t, 0);
	guts_env_timer_set(e, &m[0].t, now + 50 * MS); /* moved */
	guts_env_timer_set(e, &m[4].t, now + 60 * MS);
	guts_env_timer_clear(e, &m[4].t);
	guts_env_post(e, mark_post, &m[4]);
	guts_env_submit(e, &m[5].job);
	assert_int_equal(to.n, 0);
	sim_run_for(s, S);
	assert_string_equal(to.text, "deJabc");

	guts_env_resolve(e, "n2.sim", 77, AF_UNSPEC, on_addrs, NULL);
	sim_run_for(s, S);
	assert_int_equal(answer.n, 1);
	assert_int_equal(ntohl(((struct sockaddr_in *)&answer.v[0])->sin_addr.s_addr), 0x0a000002);
	guts_env_resolve(e, "n3.sim", 77, AF_UNSPEC, on_addrs, NULL);
	sim_run_for(s, S);
	assert_int_equal(answer.err, GUTS_ENOTFOUND);

	sim_set_wall_skew(s, 0, -5 * (int64_t)S);
	uint64_t wall = guts_env_wall(e);
	sim_set_wall_skew(s, 0, 0);
	assert_true(guts_env_wall(e) - wall == 5 * S);

	/* a crash: nothing of it comes any more */
	to.n = 0;
	guts_env_timer_set(e, &m[0].t, guts_env_now(e) + 1);
	guts_env_post(e, mark_post, &m[1]);
	guts_env_submit(e, &m[2].job);
	guts_env_resolve(e, "n2.sim", 77, AF_UNSPEC, on_addrs, NULL);
	sim_crash(s, 0, SIM_CRASH_PROCESS);
	sim_run_for(s, S);
	assert_int_equal(to.n, 0);
	sim_free(s);
}

/* --- speed ---------------------------------------------------------------- */

static void
test_speed(void **state)
{
	struct setting set = { .dials = 1 };
	struct sim_config c = { .seed = 1, .places = 100, .latency_min_ns = 1 * MS, .latency_max_ns = 2 * MS };
	struct sim *s = line(&set, &c);
	struct timespec a, b;

	(void)state;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	sim_run_for(s, 10 * S);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	uint64_t us = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000 + (uint64_t)((b.tv_nsec - a.tv_nsec) / 1000);
	uint64_t n = sim_events(s);
	printf("# speed: %" PRIu64 " events in %" PRIu64 " ms of processor: %" PRIu64 " events/s\n", n, us / 1000,
	    us ? n * 1000000 / us : 0);
	assert_true(n > 500000);
	sim_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed_same_digest),
		cmocka_unit_test(test_partition_and_heal),
		cmocka_unit_test(test_clog),
		cmocka_unit_test(test_crash_of_a_process),
		cmocka_unit_test(test_crash_of_the_power),
		cmocka_unit_test(test_bytes_keep_their_order_under_loss),
		cmocka_unit_test(test_stopped_reader_stops_the_writer),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_close_gives_the_queue_one_second),
		cmocka_unit_test(test_dialling_in_vain),
		cmocka_unit_test(test_timers_jobs_names),
		cmocka_unit_test(test_speed),
	};

	if (simdigest_print(world))
		return 0;
	return cmocka_run_group_tests_name("sim_self", tests, NULL, NULL);
}
