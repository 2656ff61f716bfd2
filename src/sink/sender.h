/* sink/sender.h - a thread for one broker: client libraries block, the loop does not.
 *
 * The loop gives it one round of messages at a time, and hears on the loop how that went.  The connection is made for the first round and kept;
 * a round without messages only looks that there is one.
 */
#ifndef GUTS_SINK_SENDER_H
#define GUTS_SINK_SENDER_H

#include "loop/env.h"
#include "sink/broker.h"

struct guts_sender;

struct guts_sender_events {
	/* The round is over: the first `taken` messages are with the broker; err < 0: why not all. */
	void (*done)(void *owner, size_t taken, int err, const struct guts_errinfo *ei);
	/* The connection ended between two rounds. */
	void (*lost)(void *owner, const char *why);
};

struct guts_sender_setup {
	struct guts_env *env;
	struct guts_broker_url url;      /* without credentials */
	const struct guts_broker_ops *ops;
	const struct guts_broker_files *files; /* lent until guts_sender_free */
	const char *name;                /* of this client at the broker; copied */
	const struct guts_sender_events *events; /* on the loop */
	void *owner;
};

/* Start the thread; it does nothing until a round comes.  Errors: GUTS_EIO. */
int guts_sender_new(struct guts_sender **out, const struct guts_sender_setup *s);

/* Send n ≤ GUTS_TALLY_MAX messages, lent until events.done; one round at a time. */
void guts_sender_round(struct guts_sender *s, const struct guts_broker_message *v, size_t n);

/* Begin to end: what waits for the broker gives up, no event comes any more. */
void guts_sender_stop(struct guts_sender *s);
/* Wait for the thread's end, at most as long as a connection is tried (GUTS_BROKER_CONNECT_S).  NULL is fine.  When the
 * loop does not turn any more, but its environment is still there. */
void guts_sender_free(struct guts_sender *s);

#endif
