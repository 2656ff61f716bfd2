/* tests/sim/sim.c - the heap of what is to come, places, time, chance, the digest. */
#include "sim_int.h"
#include "simrepo.h"
#include "simstore.h"

#include "base/alloc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define FIRST_NS GUTS_SECOND_NS /* the clock starts at one second: 0 is no time */

static const char *const kind_name[SIM_KINDS] = {
	"scenario", "timer", "post",   "job run", "job done", "resolved", "wire", "deliver",
	"ack",      "dial",  "linger", "disk",    "fact",     "start",    "stop", "crash",
	"datagram"};

/* --- the heap ------------------------------------------------------------- */

static inline bool
before(const struct sim_slot *a, const struct sim_slot *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static inline void
put(struct sim *s, size_t i, struct sim_slot x)
{
	s->heap[i] = x;
	x.ev->pos = i;
}

static void
up(struct sim *s, size_t i, struct sim_slot x)
{
	for (; i > 0 && before(&x, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		put(s, i, s->heap[(i - 1) / 2]);
	put(s, i, x);
}

static void
down(struct sim *s, size_t i, struct sim_slot x)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= s->n)
			break;
		if (child + 1 < s->n && before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!before(&s->heap[child], &x))
			break;
		put(s, i, s->heap[child]);
		i = child;
	}
	put(s, i, x);
}

static void
place_slot(struct sim *s, size_t i, struct sim_slot x)
{
	if (i > 0 && before(&x, &s->heap[(i - 1) / 2]))
		up(s, i, x);
	else
		down(s, i, x);
}

static void
heap_remove(struct sim *s, struct sim_event *ev)
{
	size_t i = ev->pos;

	assert(i < s->n && s->heap[i].ev == ev);
	s->n--;
	if (i < s->n)
		place_slot(s, i, s->heap[s->n]);
}

/* --- events --------------------------------------------------------------- */

static struct sim_event *
event_new(struct sim *s)
{
	struct sim_event *ev = s->free_events;

	if (!ev)
		return guts_alloc(sizeof *ev);
	LL_DELETE(s->free_events, ev);
	memset(ev, 0, sizeof *ev);
	return ev;
}

static void
event_free(struct sim *s, struct sim_event *ev)
{
	LL_PREPEND(s->free_events, ev);
}

struct sim_event *
sim_event_add(struct sim *s, uint32_t place, uint64_t at, enum sim_kind kind,
	      void (*fire)(struct sim *s, struct sim_event *ev), void *a, void *b)
{
	struct sim_event *ev = event_new(s);

	ev->at = at > s->now ? at : s->now;
	ev->order = s->order++;
	ev->place = ev->subject = place;
	ev->kind = kind;
	ev->fire = fire;
	ev->a = a;
	ev->b = b;
	if (place != NOBODY)
		DL_APPEND(s->place[place].events, ev);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 1024;
		s->heap = guts_realloc(s->heap, s->cap * sizeof *s->heap);
	}
	up(s, s->n++, (struct sim_slot){ev->at, ev->order, ev});
	return ev;
}

void
sim_event_move(struct sim *s, struct sim_event *ev, uint64_t at)
{
	ev->at = at > s->now ? at : s->now;
	ev->order = s->order++;
	place_slot(s, ev->pos, (struct sim_slot){ev->at, ev->order, ev});
}

void
sim_event_cancel(struct sim *s, struct sim_event *ev)
{
	heap_remove(s, ev);
	if (ev->place != NOBODY)
		DL_DELETE(s->place[ev->place].events, ev);
	event_free(s, ev);
}

/* Drop what is still to come for a place. */
static void
events_drop(struct sim *s, struct sim_place *p)
{
	while (p->events) {
		struct sim_event *ev = p->events;

		if (ev->drop)
			ev->drop(ev);
		sim_event_cancel(s, ev);
	}
}

/* --- digest and trace ----------------------------------------------------- */

static void
put_be(uint8_t *p, size_t n, uint64_t v)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static void
hash_pending(struct sim *s)
{
	guts_sha256_add(&s->sha, guts_slice(s->pending, s->pending_n));
	s->pending_n = 0;
}

static void
hash(struct sim *s, struct guts_slice bytes)
{
	if (bytes.n > sizeof s->pending - s->pending_n)
		hash_pending(s);
	if (bytes.n > sizeof s->pending) {
		guts_sha256_add(&s->sha, bytes);
	} else if (bytes.n) {
		memcpy(s->pending + s->pending_n, bytes.p, bytes.n);
		s->pending_n += bytes.n;
	}
}

static void
trace(struct sim *s, uint32_t place, const char *what, uint32_t length)
{
	if (!s->trace)
		return;
	fprintf(stderr, "%6" PRIu64 ".%09" PRIu64 " ", s->now / GUTS_SECOND_NS,
		s->now % GUTS_SECOND_NS);
	if (place == NOBODY)
		fprintf(stderr, "  -  ");
	else
		fprintf(stderr, "n%-4" PRIu32, place);
	fprintf(stderr, " %s %" PRIu32 "\n", what, length);
}

void
sim_note(struct sim *s, uint32_t place, enum sim_kind kind, uint32_t length)
{
	uint8_t line[17];

	put_be(line, 8, s->now);
	put_be(line + 8, 4, place);
	line[12] = (uint8_t)kind;
	put_be(line + 13, 4, length);
	hash(s, guts_slice(line, sizeof line));
	trace(s, place, kind_name[kind], length);
}

void
sim_note_bytes(struct sim *s, struct guts_slice bytes)
{
	uint8_t n[4];

	put_be(n, 4, bytes.n);
	hash(s, guts_slice(n, sizeof n));
	hash(s, bytes);
}

void
sim_audit(struct sim *s, unsigned place, const char *what, struct guts_slice bytes)
{
	sim_note(s, place, SIM_FACT, (uint32_t)bytes.n);
	sim_note_bytes(s, guts_slice_str(what));
	sim_note_bytes(s, bytes);
	trace(s, place, what, (uint32_t)bytes.n);
}

void
sim_digest(struct sim *s, uint8_t out[SIM_DIGEST_SIZE])
{
	hash_pending(s);
	guts_sha256_end(&s->sha, out);
	/* what comes later is hashed on top of it */
	guts_sha256_begin(&s->sha);
	hash(s, guts_slice(out, SIM_DIGEST_SIZE));
}

uint64_t
sim_events(const struct sim *s)
{
	return s->events;
}

/* --- time and chance ------------------------------------------------------ */

uint64_t
sim_between(struct guts_rng *r, uint64_t lo, uint64_t hi)
{
	return hi > lo ? lo + guts_rng_below(r, hi - lo + 1) : lo;
}

uint64_t
sim_disk_time(struct sim_place *p)
{
	uint64_t start = p->disk_free_ns > p->s->now ? p->disk_free_ns : p->s->now;

	p->disk_free_ns = start + sim_between(&p->fate, p->s->c.sync_min_ns, p->s->c.sync_max_ns);
	return p->disk_free_ns;
}

bool
sim_step(struct sim *s)
{
	if (s->n == 0)
		return false;

	struct sim_event *ev = s->heap[0].ev;

	heap_remove(s, ev);
	if (ev->place != NOBODY)
		DL_DELETE(s->place[ev->place].events, ev);
	s->now = ev->at;
	s->events++;
	sim_note(s, ev->subject, ev->kind, ev->length);
	ev->fire(s, ev);
	event_free(s, ev);
	return true;
}

void
sim_run_until(struct sim *s, uint64_t at_ns)
{
	while (s->n && s->heap[0].at <= at_ns)
		sim_step(s);
	if (s->now < at_ns)
		s->now = at_ns;
}

void
sim_run_for(struct sim *s, uint64_t ns)
{
	sim_run_until(s, s->now + ns);
}

uint64_t
sim_now(const struct sim *s)
{
	return s->now;
}

struct guts_rng *
sim_rng(struct sim *s)
{
	return &s->rng;
}

static void
fire_call(struct sim *s, struct sim_event *ev)
{
	(void)s;
	ev->call(ev->a);
}

void
sim_at(struct sim *s, uint64_t at_ns, void (*fn)(void *arg), void *arg)
{
	sim_event_add(s, NOBODY, at_ns, SIM_SCENARIO, fire_call, arg, NULL)->call = fn;
}

/* --- the environment table ------------------------------------------------ */

static uint64_t
env_now(struct guts_env *e)
{
	return sim_place_of(e)->s->now;
}

static uint64_t
env_wall(struct guts_env *e)
{
	struct sim_place *p = sim_place_of(e);

	return p->s->c.start_wall_ns + p->s->now + (uint64_t)p->wall_skew_ns;
}

static void
env_random(struct guts_env *e, void *to, size_t n)
{
	guts_rng_bytes(&sim_place_of(e)->own, to, n);
}

static void
fire_timer(struct sim *s, struct sim_event *ev)
{
	struct guts_timer *t = ev->a;

	(void)s;
	t->impl = NULL;
	t->at_ns = GUTS_NEVER;
	t->fire(t, t->owner);
}

static void
env_timer_clear(struct guts_env *e, struct guts_timer *t)
{
	t->at_ns = GUTS_NEVER;
	if (t->impl)
		sim_event_cancel(sim_place_of(e)->s, t->impl);
	t->impl = NULL;
}

static void
env_timer_set(struct guts_env *e, struct guts_timer *t, uint64_t at_ns)
{
	struct sim_place *p = sim_place_of(e);

	if (at_ns == GUTS_NEVER) {
		env_timer_clear(e, t);
		return;
	}
	t->at_ns = at_ns;
	if (t->impl)
		sim_event_move(p->s, t->impl, at_ns);
	else
		t->impl = sim_event_add(p->s, p->index, at_ns, SIM_TIMER, fire_timer, t, NULL);
}

static void
env_post(struct guts_env *e, void (*fn)(void *arg), void *arg)
{
	struct sim_place *p = sim_place_of(e);

	sim_event_add(p->s, p->index, 0, SIM_POST, fire_call, arg, NULL)->call = fn;
}

static void
fire_job_done(struct sim *s, struct sim_event *ev)
{
	struct guts_job *j = ev->a;

	(void)s;
	j->done(j, j->owner);
}

static void
fire_job_run(struct sim *s, struct sim_event *ev)
{
	struct guts_job *j = ev->a;
	struct sim_place *p = &s->place[ev->place];

	j->run(j);
	sim_event_add(s, p->index,
		      s->now + sim_between(&p->fate, s->c.job_min_ns, s->c.job_max_ns) / 2,
		      SIM_JOB_DONE, fire_job_done, j, NULL);
}

static void
env_submit(struct guts_env *e, struct guts_job *j)
{
	struct sim_place *p = sim_place_of(e);
	uint64_t ns = sim_between(&p->fate, p->s->c.job_min_ns, p->s->c.job_max_ns) / 2;

	sim_event_add(p->s, p->index, p->s->now + ns, SIM_JOB_RUN, fire_job_run, j, NULL);
}

struct resolve {
	struct guts_addrs a;
	void (*done)(void *owner, const struct guts_addrs *a);
	void *owner;
};

static void
drop_resolve(struct sim_event *ev)
{
	free(ev->a);
}

static void
fire_resolve(struct sim *s, struct sim_event *ev)
{
	struct resolve *r = ev->a;

	(void)s;
	r->done(r->owner, &r->a);
	free(r);
}

static void
env_resolve(struct guts_env *e, const char *host, uint16_t port, int family,
	    void (*done)(void *owner, const struct guts_addrs *a), void *owner)
{
	struct sim_place *p = sim_place_of(e);
	struct resolve *r = guts_alloc(sizeof *r);
	unsigned i, a, b, c, d;
	char end;

	r->done = done;
	r->owner = owner;
	if (family == AF_INET6) {
		r->a.err = GUTS_ENOTFOUND;
	} else if (sscanf(host, "n%u.si%c", &i, &end) == 2 && end == 'm' && i < p->s->c.places) {
		sim_place_address(p->s, i, port, &r->a.v[r->a.n++]);
	} else if (sscanf(host, "%u.%u.%u.%u%c", &a, &b, &c, &d, &end) == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)&r->a.v[r->a.n++];

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr =
			htonl((a & 255) << 24 | (b & 255) << 16 | (c & 255) << 8 | (d & 255));
	} else {
		r->a.err = GUTS_ENOTFOUND;
	}
	sim_event_add(p->s, p->index,
		      p->s->now +
			      sim_between(&p->fate, p->s->c.latency_min_ns, p->s->c.latency_max_ns),
		      SIM_RESOLVED, fire_resolve, r, NULL)
		->drop = drop_resolve;
}

static const struct guts_env_ops ops = {
	.now = env_now,
	.wall = env_wall,
	.random = env_random,
	.timer_set = env_timer_set,
	.timer_clear = env_timer_clear,
	.listen = simnet_listen,
	.unlisten = simnet_unlisten,
	.dial = simnet_dial,
	.write = simnet_write,
	.queued = simnet_queued,
	.read_pause = simnet_read_pause,
	.close = simnet_close,
	.conn_local = simnet_local,
	.conn_remote = simnet_remote,
	.udp_open = simudp_open,
	.udp_join = simudp_join,
	.udp_send = simudp_send,
	.udp_close = simudp_close,
	.interfaces = simudp_interfaces,
	.resolve = env_resolve,
	.submit = env_submit,
	.post = env_post,
};

/* --- places --------------------------------------------------------------- */

void
sim_start(struct sim *s, unsigned place, const struct sim_program *program, void *arg)
{
	struct sim_place *p = &s->place[place];

	assert(!p->owner);
	p->program = program;
	p->arg = arg;
	p->machine_on = true;
	p->starts++;
	p->next_port = 49152;
	guts_rng_seed(&p->own, s->c.seed * UINT64_C(0x9e3779b97f4a7c15) + ((uint64_t)place << 20) +
				       p->starts);
	sim_note(s, place, SIM_START, (uint32_t)p->starts);
	p->owner = program->start(&p->env, p->store, p->repos, place, arg);
	assert(p->owner);
}

void
sim_restart(struct sim *s, unsigned place)
{
	struct sim_place *p = &s->place[place];

	sim_start(s, place, p->program, p->arg);
}

void
sim_stop(struct sim *s, unsigned place)
{
	struct sim_place *p = &s->place[place];
	void *owner = p->owner;

	assert(owner);
	sim_note(s, place, SIM_STOP, 0);
	p->program->stop(owner);
	p->owner = NULL;
	simnet_end_place(p, SIMNET_CLOSE);
	simudp_end_place(p);
	simstore_end(p->store, false);
	simrepo_end(p->repos, false);
	p->disk->ops->reopen(p->disk);
	events_drop(s, p);
	p->disk_free_ns = 0;
}

void
sim_crash(struct sim *s, unsigned place, enum sim_crash how)
{
	struct sim_place *p = &s->place[place];
	void *owner = p->owner;

	assert(owner);
	sim_note(s, place, SIM_CRASH, how);
	p->owner = NULL;
	p->machine_on = how == SIM_CRASH_PROCESS;
	simnet_end_place(p, how == SIM_CRASH_PROCESS ? SIMNET_RESET : SIMNET_SILENT);
	simudp_end_place(p);
	simstore_end(p->store, true);
	simrepo_end(p->repos, true);
	events_drop(s, p);
	p->disk_free_ns = 0;
	p->program->crash_free(owner);
	p->disk->ops->reopen(p->disk);
}

bool
sim_runs(const struct sim *s, unsigned place)
{
	return s->place[place].owner != NULL;
}

void *
sim_owner(const struct sim *s, unsigned place)
{
	return s->place[place].owner;
}

struct guts_env *
sim_env(struct sim *s, unsigned place)
{
	return &s->place[place].env;
}

struct guts_store *
sim_store(struct sim *s, unsigned place)
{
	return s->place[place].store;
}

struct guts_repos *
sim_repos(struct sim *s, unsigned place)
{
	return s->place[place].repos;
}

struct sim_disk *
sim_disk(struct sim *s, unsigned place)
{
	return s->place[place].disk;
}

/* --- faults --------------------------------------------------------------- */

void
sim_partition(struct sim *s, const unsigned *v)
{
	for (unsigned i = 0; i < s->c.places; i++)
		s->place[i].group = v[i];
}

void
sim_clog(struct sim *s, unsigned place, bool clogged)
{
	s->place[place].clogged = clogged;
}

void
sim_heal(struct sim *s)
{
	for (unsigned i = 0; i < s->c.places; i++) {
		s->place[i].group = 0;
		s->place[i].clogged = false;
	}
}

void
sim_set_loss(struct sim *s, uint32_t loss_ppm)
{
	s->c.loss_ppm = loss_ppm;
}

void
sim_set_read_rate(struct sim *s, unsigned place, uint64_t bytes_per_s)
{
	s->place[place].read_rate = bytes_per_s;
}

void
sim_set_wall_skew(struct sim *s, unsigned place, int64_t skew_ns)
{
	s->place[place].wall_skew_ns = skew_ns;
}

void
sim_set_disk_error(struct sim *s, unsigned place, int err)
{
	s->place[place].disk_error = err;
}

/* --- make and free
 * ----------------------------------------------------------------------------------- */

static void
fill_in(uint64_t *v, uint64_t dflt)
{
	if (*v == 0)
		*v = dflt;
}

struct sim *
sim_new(const struct sim_config *c)
{
	struct sim *s = guts_alloc(sizeof *s);

	assert(c->places > 0 && c->places < 1u << 24);
	if (guts_crypto_init() != 0)
		abort();
	s->c = *c;
	fill_in(&s->c.latency_min_ns, 10 * GUTS_MS_NS);
	fill_in(&s->c.latency_max_ns, 50 * GUTS_MS_NS);
	fill_in(&s->c.bytes_per_s, 12500000);
	fill_in(&s->c.break_ns, 30 * GUTS_SECOND_NS);
	fill_in(&s->c.job_min_ns, GUTS_MS_NS / 10);
	fill_in(&s->c.job_max_ns, 10 * GUTS_MS_NS);
	fill_in(&s->c.sync_min_ns, GUTS_MS_NS);
	fill_in(&s->c.sync_max_ns, 10 * GUTS_MS_NS);
	fill_in(&s->c.start_wall_ns, UINT64_C(1735689600) * GUTS_SECOND_NS);
	s->now = FIRST_NS;
	s->trace = getenv("GUTS_SIM_TRACE") != NULL;
	guts_rng_seed(&s->rng, c->seed);
	guts_sha256_begin(&s->sha);

	s->place = guts_calloc(c->places, sizeof *s->place);
	for (unsigned i = 0; i < c->places; i++) {
		struct sim_place *p = &s->place[i];

		p->env.ops = &ops;
		p->s = s;
		p->index = i;
		guts_rng_seed(&p->fate,
			      c->seed ^ (UINT64_C(0xd1b54a32d192ed03) * (i + UINT64_C(1))));
		p->disk = c->disk ? c->disk(c->disk_arg, i) : simmodel_new();
		p->store = simstore_new(p);
		p->repos = simrepo_new(p);
	}
	return s;
}

void
sim_free(struct sim *s)
{
	uint8_t digest[SIM_DIGEST_SIZE];
	struct sim_event *ev, *next;

	if (!s)
		return;
	for (unsigned i = 0; i < s->c.places; i++) {
		if (s->place[i].owner)
			sim_crash(s, i, SIM_CRASH_POWER);
		simnet_end_place(&s->place[i], SIMNET_SILENT);
	}
	while (s->n) {
		ev = s->heap[0].ev;
		if (ev->drop)
			ev->drop(ev);
		sim_event_cancel(s, ev);
	}
	for (unsigned i = 0; i < s->c.places; i++) {
		simstore_free(s->place[i].store);
		simrepo_free(s->place[i].repos);
		s->place[i].disk->ops->free(s->place[i].disk);
	}
	LL_FOREACH_SAFE (s->free_events, ev, next)
		free(ev);
	guts_sha256_end(&s->sha, digest);
	free(s->heap);
	free(s->place);
	free(s);
}

void
sim_address(unsigned place, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof *out);
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(UINT32_C(10) << 24 | place);
}

void
sim_set_network(struct sim *s, unsigned place, uint8_t network)
{
	s->place[place].network = network;
}

void
sim_place_address(const struct sim *s, unsigned place, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	uint8_t network = s->place[place].network;

	sim_address(place, port, out);
	if (network)
		in->sin_addr.s_addr = htonl((UINT32_C(64) + network) << 24 | place);
}
