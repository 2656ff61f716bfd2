/* tests/sim/simpeers.c - see simpeers.h. */
#include "simpeers.h"

#include "simdead.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define PORT 9000

static bool
on_stream(void *owner, struct guts_stream *s, const struct guts_protocol *proto)
{
	(void)owner;
	(void)s;
	(void)proto;
	return false;
}

static void *
start(struct guts_env *e, struct guts_store *st, struct guts_repos *r, unsigned number, void *arg)
{
	struct simpeers *w = arg;
	struct simpeers_place *p = &w->place[number];
	struct guts_peers_config cfg = {
		.env = e, .key = &p->key, .agent = "sim", .guts_protocol = SIMPEERS_ID, .store = memrows_store(&p->rows),
		.no_auto_dial = number >= w->dialling,
	};
	struct guts_maddr m;

	(void)st;
	(void)r;
	p->env = e;
	p->peers = guts_peers_new(&cfg, w->events, p);
	p->proto = (struct guts_protocol){ .id = SIMPEERS_ID, .on_stream = on_stream };
	guts_peers_handle(p->peers, &p->proto);
	simpeers_address(w, number, false, &m);
	assert_int_equal(guts_peers_listen(p->peers, &m, NULL, NULL), 0);
	if (w->started)
		w->started(p);
	return p;
}

static void
stop(void *owner)
{
	struct simpeers_place *p = owner;

	guts_peers_free(p->peers);
	p->peers = NULL;
}

static void
crash_free(void *owner)
{
	struct simpeers_place *p = owner;
	const struct guts_env_ops *ops = p->env->ops;

	p->env->ops = &sim_dead_env;
	stop(p);
	p->env->ops = ops;
}

static const struct sim_program program = { start, stop, crash_free };

void
simpeers_begin(struct simpeers *w, const struct sim_config *c)
{
	w->sim = sim_new(c);
	w->n = c->places;
	w->place = guts_calloc(w->n, sizeof(*w->place));
	for (unsigned i = 0; i < w->n; i++) {
		uint8_t secret[32] = { (uint8_t)(i + 1), (uint8_t)(i >> 8), (uint8_t)c->seed, (uint8_t)(c->seed >> 8) };

		w->place[i].w = w;
		w->place[i].number = i;
		guts_key_from_seed(&w->place[i].key, secret);
	}
}

void
simpeers_start(struct simpeers *w, unsigned place)
{
	sim_start(w->sim, place, &program, w);
}

void
simpeers_end(struct simpeers *w, uint8_t digest[SIM_DIGEST_SIZE])
{
	sim_digest(w->sim, digest);
	for (unsigned i = 0; i < w->n; i++)
		if (sim_runs(w->sim, i))
			sim_stop(w->sim, i);
	sim_free(w->sim);
	for (unsigned i = 0; i < w->n; i++)
		memrows_free(&w->place[i].rows);
	free(w->place);
}

void
simpeers_address(const struct simpeers *w, unsigned place, bool with_peer, struct guts_maddr *m)
{
	struct sockaddr_storage sa;

	sim_place_address(w->sim, place, PORT, &sa);
	guts_maddr_from_tcp(m, (struct sockaddr *)&sa);
	if (with_peer)
		guts_maddr_add_peer(m, guts_peerid_slice(&w->place[place].key.id));
}

void
simpeers_keep(struct simpeers *w, unsigned from, unsigned to)
{
	struct guts_maddr m;

	simpeers_address(w, to, true, &m);
	assert_int_equal(guts_peers_keep(w->place[from].peers, &m, true), 0);
}

void
simpeers_seeds(void (*run)(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE]), uint64_t n)
{
	const char *first = getenv("GUTS_SEED");
	uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
	uint8_t digest[SIM_DIGEST_SIZE], last[SIM_DIGEST_SIZE] = { 0 };

	for (uint64_t i = 0; i < n; i++) {
		run(seed + i, digest);
		assert_memory_not_equal(digest, last, sizeof(digest));
		memcpy(last, digest, sizeof(last));
	}
	run(seed + n - 1, digest);
	assert_memory_equal(digest, last, sizeof(digest));
}
