/* sink/broker.h - one connection to a message broker, the same for MQTT and NATS.
 *
 * Each client library is loaded when the first connection of its kind is made (as libcurl is, client/libcurl.h): a node without
 * sinks pays nothing for them.  Both run threads of their own, which tell a tally what the broker answers.  All of this blocks, so it
 * belongs to the thread of sink/sender.
 */
#ifndef GUTS_SINK_BROKER_H
#define GUTS_SINK_BROKER_H

#include "base/buf.h"
#include "sink/secret.h"
#include "sink/tally.h"

#define GUTS_BROKER_CONNECT_S 10     /* [s] for a connection with its log-in */
#define GUTS_BROKER_ANSWER_S 30      /* [s] for the answers to one round of messages */
#define GUTS_SINK_SUBJECT_SIZE 128   /* [bytes] prefix, dot, type of an event, NUL */
#define GUTS_SINK_ID_SIZE 96         /* [bytes] peer id, hyphen, number of a fact, NUL */

struct guts_broker_message {
	uint64_t fact;                      /* its number */
	char subject[GUTS_SINK_SUBJECT_SIZE]; /* dotted */
	char id[GUTS_SINK_ID_SIZE];         /* the same however often it is sent */
	struct guts_buf body;               /* CloudEvent in JSON */
};

struct guts_broker_setup {
	struct guts_broker_url url;         /* with credentials */
	struct guts_nats_user user;
	const struct guts_broker_files *files; /* lent until close */
	const char *name;                   /* of this client, unique at the broker */
	struct guts_tally *tally;           /* lent until close */
};

struct guts_broker;

/* Ends embed this as their first member. */
struct guts_broker {
	const struct guts_broker_ops *ops;
};

struct guts_broker_ops {
	/* Connect and log in.  Errors, with text: as guts_tally_wait_up, GUTS_ENOTFOUND the library is not there. */
	int (*open)(struct guts_broker **out, const struct guts_broker_setup *s, struct guts_errinfo *ei);
	/* Send n ≤ GUTS_TALLY_MAX messages in order and wait for the broker to have them all.  *taken and errors: as
	 * guts_tally_wait; after an error only close may follow. */
	int (*publish)(struct guts_broker *b, const struct guts_broker_message *v, size_t n, size_t *taken,
	    struct guts_errinfo *ei);
	/* Nothing is told to the tally afterwards. */
	void (*close)(struct guts_broker *b);
};

/* The end for a kind of broker.  Errors, with text: GUTS_EUNSUPPORTED guts was built without it. */
int guts_broker_ops(enum guts_broker_kind kind, const struct guts_broker_ops **out, struct guts_errinfo *ei);

extern const struct guts_broker_ops guts_broker_mqtt, guts_broker_nats;

/* A row of a table of functions that guts_broker_load fills in. */
struct guts_broker_function {
	const char *name;
	size_t offset;
};
/* Load the library `soname` and the functions into the table `lib`.  Errors, with text: GUTS_ENOTFOUND. */
int guts_broker_load(void *lib, const char *soname, const struct guts_broker_function *v, size_t n, struct guts_errinfo *ei);

#endif
