/* bridge/internal.h - what the files of the bridge share; nobody else includes it.
 *
 *	bridge.c  start, stop, the hooks in memory and their queues
 *	intake.c  facts and messages become deliveries
 *	fleeting.c  signals do, the last of each subject
 *	send.c    attempts, their results, when to try again
 *	manage.c  hooks made, changed, removed; deliveries by hand
 */
#ifndef GUTS_BRIDGE_INTERNAL_H
#define GUTS_BRIDGE_INTERNAL_H

#include "bridge/address.h"
#include "bridge/bridge.h"
#include "bridge/payload.h"
#include "client/multi.h"

#include <uthash.h>
#include <utlist.h>

#define GUTS_RETRY_MAX_MS 3600000u  /* [ms] longest pause between two attempts, unless the receiver asks for more */

/* A delivery that waits; ordered by (next_ms, number). */
struct guts_waiting {
	uint64_t number, next_ms;
	bool by_hand;
	struct guts_waiting *prev, *next;
};

struct guts_flight;

/* A hook and its queue. */
struct guts_lane {
	uint64_t id;
	struct guts_hook hook;
	struct guts_waiting *queue;
	size_t nqueue;
	size_t nmaking;             /* deliveries on their way into the store */
	size_t nended;              /* kept deliveries that ended; counted up since they were last cut to GUTS_BRIDGE_KEPT */
	bool is_failing;            /* the last attempt was no success */
	bool is_full;               /* events are being dropped; told once */
	uint64_t pause_until_ms;    /* its receiver asked for a pause (Retry-After) */
	struct guts_flight *flight; /* NULL = none under way */
	struct guts_hook_health health;
	UT_hash_handle hh;
};

/* Numbers that survive: row "bridge" of table META. */
struct guts_bridge_marks {
	uint64_t fact, message;     /* all up to these have become deliveries */
	uint64_t hook, delivery;    /* highest numbers ever given */
};

struct guts_intake;

struct guts_bridge {
	struct guts_uvenv *loop;
	struct guts_env *env;
	struct guts_node *node;
	struct guts_store *store;
	struct guts_repostore *repos;
	struct guts_allow allow;
	uint64_t timeout_ms, retry_ms, give_up_ms;
	char *base;
	bool is_running;
	struct guts_lane *lanes;        /* uthash by id, in order of id */
	struct guts_bridge_marks marks; /* as they will be: numbers are given before they are stored */
	uint64_t marked_fact;           /* marks.fact as it is in the store */
	struct guts_node_listener listener;
	bool is_listening;

	struct guts_intake *intakes;    /* payloads being made: of the page, and by hand */
	struct guts_intake *intake;     /* the page, NULL = none */
	bool wants_intake;              /* look again when it is done */
	uint64_t message_told;          /* newest gossip message that was told of */
	struct guts_timer intake_timer;
	struct guts_fleeting *fleeting; /* signals that wait for fleeting_timer */
	size_t nfleeting;
	struct guts_timer fleeting_timer;

	struct guts_multi *multi;       /* NULL until the first attempt */
	size_t nflights, nfailing;      /* under way: all, those of failing hooks */
	uint64_t last_begun;            /* hook of the last attempt */
	struct guts_timer send_timer;
	struct guts_ci *ci;
	struct guts_bridge_counters n;
};

/* -- bridge.c -- */
uint64_t guts_bridge_wall_ms(struct guts_bridge *b);
struct guts_lane *guts_lane_find(struct guts_bridge *b, uint64_t id);
struct guts_lane *guts_lane_add(struct guts_bridge *b, const struct guts_hook *h);
void guts_lane_remove(struct guts_bridge *b, struct guts_lane *l);
void guts_lane_queue(struct guts_bridge *b, struct guts_lane *l, uint64_t number, uint64_t next_ms, bool by_hand);
void guts_lane_unqueue(struct guts_bridge *b, struct guts_lane *l, struct guts_waiting *w);
/* How an attempt went, into the hook's health. */
void guts_lane_note(struct guts_lane *l, const struct guts_delivery *d);
/* Put the marks into a batch. */
void guts_bridge_mark(struct guts_bridge *b, struct guts_batch *batch);
/* Listen to the node while there are hooks, and only then. */
void guts_bridge_listen(struct guts_bridge *b);
/* Newest gossip message kept. */
uint64_t guts_bridge_newest_message(struct guts_bridge *b);
/* The signal "hook.delivery": a delivery is in the store as *d says. */
void guts_bridge_tell(struct guts_bridge *b, const struct guts_delivery *d);
/* A fact about a hook, without its secrets. */
void guts_bridge_fact(struct guts_bridge *b, struct guts_batch *batch, const char *type, const struct guts_hook *h);

/* -- intake.c -- */
/* Look for what has happened since. */
void guts_intake_run(struct guts_bridge *b);
void guts_intake_free(struct guts_intake *in);
/* Make and queue one delivery for one hook by hand: `type` "ping", or "repo.ref.updated" of the newest commit. */
void guts_intake_by_hand(struct guts_bridge *b, struct guts_lane *l, const struct guts_fact *f, const char *event,
    guts_bridge_done *done, void *owner);

/* A copy with memory of its own, and its end. */
void guts_intake_fact_copy(struct guts_fact *to, const struct guts_fact *from);
void guts_intake_fact_free(struct guts_fact *f);
/* Make deliveries of events that are in no log. */
void guts_intake_signals(struct guts_bridge *b, const struct guts_fact *const *v, size_t n);

/* -- fleeting.c -- */
/* Keep it for the hooks that ask for it. */
void guts_fleeting_take(struct guts_bridge *b, const struct guts_signal *s);
void guts_fleeting_fire(struct guts_timer *t, void *owner);
void guts_fleeting_free(struct guts_bridge *b);

/* -- send.c -- */
/* Begin what is due and may begin; set the timer for the rest. */
void guts_send_run(struct guts_bridge *b);
void guts_send_stop(struct guts_bridge *b, struct guts_lane *l);
/* [ms] until the next attempt: `attempts` were made, `random` is any number. */
uint64_t guts_retry_delay_ms(uint64_t first_ms, uint32_t attempts, uint64_t random);
/* A delivery is given up: into the batch, with the fact. */
void guts_send_bury(struct guts_bridge *b, struct guts_batch *batch, struct guts_lane *l, struct guts_delivery *d,
    const char *why);

#endif
