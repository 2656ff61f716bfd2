/* tests/sim/simdead.c - tables of a dead program: the clock stands still, nothing is taken, nothing comes back. */
#include "simdead.h"

#include <string.h>

static uint64_t
dead_time(struct guts_env *e)
{
	(void)e;
	return 0;
}

static void
dead_random(struct guts_env *e, void *p, size_t n)
{
	(void)e;
	memset(p, 0, n);
}

static void
dead_timer_set(struct guts_env *e, struct guts_timer *t, uint64_t at)
{
	(void)e;
	(void)t;
	(void)at;
}

static void
dead_timer_clear(struct guts_env *e, struct guts_timer *t)
{
	(void)e;
	(void)t;
}

static void
dead_unlisten(struct guts_env *e, struct guts_listener *l)
{
	(void)e;
	(void)l;
}

static int
dead_write(struct guts_env *e, struct guts_conn *c, struct guts_slice d)
{
	(void)e;
	(void)c;
	(void)d;
	return GUTS_ECLOSED;
}

static size_t
dead_queued(struct guts_env *e, const struct guts_conn *c)
{
	(void)e;
	(void)c;
	return 0;
}

static void
dead_pause(struct guts_env *e, struct guts_conn *c, bool p)
{
	(void)e;
	(void)c;
	(void)p;
}

static void
dead_close(struct guts_env *e, struct guts_conn *c)
{
	(void)e;
	(void)c;
}

static int
dead_udp_send(struct guts_env *e, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice d)
{
	(void)e;
	(void)u;
	(void)path;
	(void)d;
	return GUTS_EIO;
}

static void
dead_udp_close(struct guts_env *e, struct guts_udp *u)
{
	(void)e;
	(void)u;
}

static void
dead_post(struct guts_env *e, void (*fn)(void *arg), void *arg)
{
	(void)e;
	(void)fn;
	(void)arg;
}

const struct guts_env_ops sim_dead_env = {
	.now = dead_time, .wall = dead_time, .random = dead_random, .timer_set = dead_timer_set,
	.timer_clear = dead_timer_clear, .unlisten = dead_unlisten, .write = dead_write, .queued = dead_queued,
	.read_pause = dead_pause, .close = dead_close, .udp_send = dead_udp_send,
	.udp_close = dead_udp_close, .post = dead_post,
};

static int
dead_commit(struct guts_store *s, struct guts_batch *b, void (*done)(void *owner, int err, uint64_t f, uint64_t l),
    void *owner)
{
	(void)s;
	(void)done;
	(void)owner;
	guts_batch_free(b);
	return GUTS_ECANCELED;
}

static int
dead_get(struct guts_store *s, enum guts_table t, struct guts_slice k, struct guts_buf *v)
{
	(void)s;
	(void)t;
	(void)k;
	(void)v;
	return GUTS_EIO;
}

const struct guts_store_ops sim_dead_store = { .commit = dead_commit, .get = dead_get };

static void
dead_ingest(struct guts_ingest *g)
{
	(void)g;
}

static void
dead_pack(struct guts_packer *p)
{
	(void)p;
}

const struct guts_repos_ops sim_dead_repos = { .ingest_abort = dead_ingest, .pack_close = dead_pack };
