/* node/policy.c - which repositories this node begins to keep, and why it refuses others.
 *
 * Quotas hold for what the network offers; what the user asked for by name is never refused here
 * (sync does not ask then).  A refusal is told once per repository and hour, and a hundred an hour are told in all: who
 * offers what he makes up must not push everything else out of the log.
 */
#include "node/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

#define HOUR_S 3600
#define HOUR_NS (HOUR_S * GUTS_SECOND_NS)
#define REFUSALS_PER_HOUR 100

/* What one peer offered lately, or when a refusal was told. */
struct guts_offer {
	uint8_t key[32];
	uint64_t since_ns;
	unsigned count;
	UT_hash_handle hh;
};

static struct guts_offer *
offer_of(struct guts_node *n, const char *kind, struct guts_slice who)
{
	struct guts_sha256_ctx c;
	struct guts_offer *o, *oldest;
	uint64_t now = guts_env_now(n->env);
	uint8_t key[32];

	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice(kind, strlen(kind) + 1));
	guts_sha256_add(&c, who);
	guts_sha256_end(&c, key);
	HASH_FIND(hh, n->offers, key, sizeof key, o);
	if (!o) {
		if (HASH_COUNT(n->offers) >= GUTS_OFFERS_MAX) {
			oldest = n->offers; /* in order of making */
			HASH_DEL(n->offers, oldest);
			free(oldest);
		}
		o = guts_alloc(sizeof *o);
		memcpy(o->key, key, sizeof o->key);
		o->since_ns = now;
		HASH_ADD(hh, n->offers, key, sizeof o->key, o);
	}
	if (now - o->since_ns >= HOUR_NS) {
		o->since_ns = now;
		o->count = 0;
	}
	return o;
}

void
guts_policy_new(struct guts_node *n)
{
	guts_ratelimit_init(&n->refusals, 1, HOUR_S); /* a token is a second of the hour they share */
}

/* Refuse with a reason, if it is to be told. */
static int
refuse(struct guts_node *n, const uint8_t id[GUTS_REPOID_SIZE], struct guts_errinfo *why, int err, const char *text)
{
	struct guts_offer *told = offer_of(n, "refused", guts_slice(id, GUTS_REPOID_SIZE));

	why->code = err;
	why->text[0] = '\0';
	if (told->count++ == 0 && guts_ratelimit_take(&n->refusals, HOUR_S / REFUSALS_PER_HOUR, guts_env_now(n->env)))
		guts_err_set(why, err, "%s", text);
	return err;
}

int
guts_policy_may_seed(void *owner, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_peerid *creator,
    const struct guts_peerid *from, struct guts_errinfo *why)
{
	struct guts_node *n = owner;
	uint64_t total = 0, of_creator = 0;
	unsigned repos_of_creator = 0;
	struct guts_offer *o;

	if (n->s.seed_default != GUTS_SEED_ALL)
		return refuse(n, id, why, GUTS_EDENIED, "seed.default keeps this node from taking repositories by itself");
	for (struct guts_repo *r = guts_sync_next(n->sync, NULL); r; r = guts_sync_next(n->sync, r)) {
		struct guts_repo_info *i = guts_repo_info_get(r);

		if (i->policy != GUTS_POLICY_SEED)
			total += i->size_bytes;
		if (creator && guts_peerid_eq(&i->creator, creator)) {
			of_creator += i->size_bytes;
			repos_of_creator++;
		}
		guts_repo_info_unref(i);
	}
	if (total >= n->s.quota_total_bytes)
		return refuse(n, id, why, GUTS_ENOSPC, "quota.total is used up");
	if (creator && of_creator >= n->s.quota_creator_bytes)
		return refuse(n, id, why, GUTS_ENOSPC, "quota.creator is used up for its creator");
	if (creator && repos_of_creator >= n->s.quota_creator_repos)
		return refuse(n, id, why, GUTS_ELIMIT, "quota.creator_repositories is reached for its creator");
	o = offer_of(n, "offered", guts_peerid_slice(from));
	if (o->count >= n->s.quota_new_per_hour)
		return refuse(n, id, why, GUTS_ELIMIT, "quota.new_per_hour is reached for the peer that offers it");
	if (creator) /* asked once without (the offer) and once with it (the identity is known): count the first copy once */
		o->count++;
	return GUTS_OK;
}

void
guts_policy_free(struct guts_node *n)
{
	struct guts_offer *o, *tmp;

	HASH_ITER (hh, n->offers, o, tmp) {
		HASH_DEL(n->offers, o);
		free(o);
	}
}
