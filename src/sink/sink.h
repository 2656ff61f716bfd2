/* sink/sink.h - the log of facts published to message brokers, at least once.
 *
 * Each broker that the configuration names has a cursor in the log.  It moves only after the broker acknowledged what is before it, and is
 * stored, so a crash repeats at most one round, under the same ids.  While a broker is away nothing is read: the log is the queue,
 * and memory holds one round per broker.  What left the log meanwhile is told by a fact `sink.reset`.
 *
 * Loop thread, where nothing else is said.
 */
#ifndef GUTS_SINK_SINK_H
#define GUTS_SINK_SINK_H

#include "conf/conf.h"
#include "node/node.h"
#include "sink/url.h"

#include <stdatomic.h>

#define GUTS_SINKS_MAX 8
#define GUTS_SINK_PREFIX_MAX 64    /* [bytes] */

struct guts_sinks;

/* Make the sinks that the options sink.* name; nothing runs yet.  Errors, with text that names the option: GUTS_EINVAL, GUTS_ELIMIT,
 * GUTS_EUNSUPPORTED (built without it). */
int guts_sinks_new(struct guts_sinks **out, struct guts_node *node, const struct guts_conf *conf, struct guts_errinfo *ei);

/* Would it take this configuration?  Errors: the same; *at = the option.  Thread: any. */
int guts_sinks_check(const struct guts_conf *conf, enum guts_conf_id *at, struct guts_errinfo *ei);

/* The node is ready.  `source` is that of the CloudEvents: the gateway's address.  A sink that was never here begins with what
 * happens from now on. */
void guts_sinks_start(struct guts_sinks *s, const char *source);
/* Publish no more; guts_sinks_free waits for the threads, when the loop has ended. */
void guts_sinks_stop(struct guts_sinks *s);
void guts_sinks_free(struct guts_sinks *s);

enum guts_sink_state { GUTS_SINK_OFF, GUTS_SINK_CONNECTING, GUTS_SINK_CONNECTED, GUTS_SINK_WAITING };
/* "off", "connecting", "connected", "waiting" (for the next try). */
const char *guts_sink_state_name(enum guts_sink_state state);

struct guts_sink_info {
	size_t number;                   /* 1, 2, … in the order of the configuration */
	enum guts_broker_kind kind;
	const char *url;                 /* without credentials */
	const char *prefix;
	enum guts_sink_state state;
	uint64_t cursor, newest;         /* last fact that is done with; newest of the log */
	uint64_t published, failures, lost; /* since the start; lost: facts that left the log before they were read */
	char error[256];                 /* of the last failure; empty = none since the last success */
	uint64_t error_wall_ms, published_wall_ms, next_try_wall_ms; /* 0 = none */
};

size_t guts_sinks_count(const struct guts_sinks *s);
/* i < guts_sinks_count(s); strings are lent until guts_sinks_free. */
void guts_sinks_info(const struct guts_sinks *s, size_t i, struct guts_sink_info *out);

/* For metrics.  Any thread. */
struct guts_sink_counters {
	_Atomic uint64_t published, failures, lost, cursor;
	atomic_bool is_connected;
};
const struct guts_sink_counters *guts_sinks_counters(const struct guts_sinks *s, size_t i);

#endif
