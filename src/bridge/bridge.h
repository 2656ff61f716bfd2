/* bridge/bridge.h - webhooks out: what happens on this node is told to the receivers it names.
 *
 *	facts, messages → intake (which hook wants it?) → payload, on a worker → one store batch
 *	{deliveries, cursor} → a queue per hook → HTTP → the attempt's result in the store
 *
 * At least once: the cursor moves in the batch that makes the deliveries, a delivery leaves the queue in the batch that
 * records its success, so a crash at any point repeats at most the attempts that were under way.  A delivery keeps its id
 * through all attempts.  Each hook has one attempt under way at most, and failing ones together at most half of all, so a
 * dead target delays no other.  What fails is tried again, later and later, for a day; then it is listed as dead.
 *
 * Without a hook this costs nothing: nothing is read, no timer runs, libcurl is not loaded.
 * Loop thread, where nothing else is said.
 */
#ifndef GUTS_BRIDGE_BRIDGE_H
#define GUTS_BRIDGE_BRIDGE_H

#include "bridge/hookview.h"
#include "git/repostore.h"
#include "loop/uvenv.h"
#include "node/node.h"

#include <stdatomic.h>

#define GUTS_BRIDGE_FLIGHTS_MAX 64   /* attempts under way */
#define GUTS_BRIDGE_WAITING_MAX 1000 /* deliveries of one hook that wait; more are listed as dead at once */
#define GUTS_BRIDGE_KEPT 200         /* ended deliveries of one hook that are kept */

struct guts_bridge;

struct guts_bridge_setup {
	struct guts_uvenv *loop;
	struct guts_node *node;
	struct guts_repostore *repos;
	const char *const *allow;   /* bridge.allow, see guts_allow_add */
	size_t nallow;
	uint64_t timeout_ms;        /* of one attempt */
	uint64_t retry_ms;          /* before the second attempt; doubled up to an hour, ± a fifth */
	uint64_t give_up_ms;        /* after the first attempt could be made */
	uint64_t lease_ms;          /* of a CI job, from one heartbeat to the next */
	uint64_t age_ms;            /* of a CI job that waits; then it ends unrun */
	uint64_t copies_max;        /* [bytes] of other nodes' CI jobs that are kept */
};

/* Counted since the start; read them from any thread. */
struct guts_bridge_counters {
	atomic_ullong delivered, failed, dead; /* attempts that went well, that did not; deliveries given up */
	atomic_ullong hooks, waiting;          /* now */
};

/* Make it; nothing runs yet.  Errors: GUTS_EINVAL with text (allow). */
int guts_bridge_new(struct guts_bridge **out, const struct guts_bridge_setup *s, struct guts_errinfo *ei);

/* Load hooks and queue and begin; the node is ready.  `base`: URL for links, without a slash at the end. */
void guts_bridge_start(struct guts_bridge *b, const char *base);

/* Take other limits from a set-up (allow, timeout_ms, retry_ms, give_up_ms, lease_ms, age_ms) and another `base`; for what begins from
 * now on.  Errors, and then nothing has changed: GUTS_EINVAL with text (allow). */
int guts_bridge_tune(struct guts_bridge *b, const struct guts_bridge_setup *s, const char *base, struct guts_errinfo *ei);

/* Break off what is under way (it is sent again after the next start); no delivery begins.  Before guts_node_stop. */
void guts_bridge_stop(struct guts_bridge *b);

/* When no job runs and the loop turns no more.  NULL is fine. */
void guts_bridge_free(struct guts_bridge *b);

/* The queues of CI jobs (bridge/ci.h), lent. */
struct guts_ci *guts_bridge_ci(struct guts_bridge *b);

const struct guts_bridge_counters *guts_bridge_counters(const struct guts_bridge *b); /* Thread: any. */

/* -- asking ---------------------------------------------------------------------------------------- */

/* A hook, lent until the next turn; NULL: none of this id. */
const struct guts_hook *guts_bridge_hook(struct guts_bridge *b, uint64_t id);
/* The next one in order of id; after = 0 starts, NULL ends. */
const struct guts_hook *guts_bridge_next(struct guts_bridge *b, uint64_t after);
void guts_bridge_health(struct guts_bridge *b, uint64_t id, struct guts_hook_health *out);

/* -- changing -------------------------------------------------------------------------------------- */

typedef void guts_bridge_done(void *owner, int err, const struct guts_errinfo *ei, uint64_t id);

/* Store a hook that was checked: h->id 0 = a new one, whose id `done` gets; times and cursors are set here.
 * Errors in `done`: GUTS_ELIMIT (too many), GUTS_ENOTFOUND, those of the store. */
void guts_bridge_put(struct guts_bridge *b, const struct guts_hook *h, guts_bridge_done *done, void *owner);

/* Remove a hook with its deliveries.  GUTS_ENOTFOUND. */
void guts_bridge_remove(struct guts_bridge *b, uint64_t id, guts_bridge_done *done, void *owner);

/* Deliver a ping, or (GUTS_ENOTFOUND: no default branch) a push of the newest commit, whether the hook is active or not;
 * `done` comes when it is queued, with its number. */
void guts_bridge_ping(struct guts_bridge *b, uint64_t id, guts_bridge_done *done, void *owner);
void guts_bridge_test(struct guts_bridge *b, uint64_t id, guts_bridge_done *done, void *owner);

/* Deliver again what was delivered once: the same id and body, a number of its own. */
void guts_bridge_redeliver(struct guts_bridge *b, uint64_t id, uint64_t delivery, guts_bridge_done *done, void *owner);

#endif
