/* http/limit.c - a bucket is one instant, when it is full again (base/ratelimit.h); a row of the table is 16 bytes.
 *
 * An asker's name is hashed with a key of this run, so nobody can choose whose place he takes.
 */
#include "http/limit.h"

#include "base/alloc.h"
#include "base/ratelimit.h"
#include "crypto/key.h"
#include "loop/env.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SETS 512
#define WAYS 8

struct row {
	uint64_t name;    /* 0 = free */
	uint64_t full_at; /* [monotonic ns] */
};

struct guts_limits {
	pthread_mutex_t lock;
	uint8_t key[32];
	struct row row[SETS][WAYS];
};

struct guts_limits *
guts_limits_new(void)
{
	struct guts_limits *l = guts_alloc(sizeof *l);

	pthread_mutex_init(&l->lock, NULL);
	while (getrandom(l->key, sizeof l->key, 0) != sizeof l->key)
		;
	return l;
}

void
guts_limits_free(struct guts_limits *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Under the lock. */
static struct row *
row_of(struct guts_limits *l, struct guts_slice who)
{
	struct guts_sha256_ctx c;
	uint8_t hash[32];
	uint64_t name;

	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice(l->key, sizeof l->key));
	guts_sha256_add(&c, who);
	guts_sha256_end(&c, hash);
	memcpy(&name, hash, sizeof name);
	name |= 1;
	struct row *set = l->row[hash[8] | (hash[9] & 1) << 8], *oldest = set;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].name == name)
			return &set[i];
		if (set[i].full_at < oldest->full_at)
			oldest = &set[i];
	}
	*oldest = (struct row){ .name = name };
	return oldest;
}

static uint64_t
whole_seconds(uint64_t ns)
{
	return (ns + GUTS_SECOND_NS - 1) / GUTS_SECOND_NS;
}

void
guts_limits_take(struct guts_limits *l, struct guts_slice who, uint64_t per_minute, uint64_t now,
    struct guts_allowance *out)
{
	struct guts_ratelimit rl = { .cost_ns = 60 * GUTS_SECOND_NS / per_minute };

	rl.depth_ns = rl.cost_ns * per_minute;
	pthread_mutex_lock(&l->lock);
	struct row *r = row_of(l, who);
	rl.full_at = r->full_at;
	bool fine = guts_ratelimit_take(&rl, 1, now);
	r->full_at = rl.full_at;
	pthread_mutex_unlock(&l->lock);
	uint64_t spent = rl.full_at > now ? rl.full_at - now : 0;
	out->limit = per_minute;
	out->remaining = (rl.depth_ns - spent) / rl.cost_ns;
	out->full_s = whole_seconds(spent);
	out->wait_s = fine ? 0 : whole_seconds(guts_ratelimit_wait(&rl, 1, now));
}
