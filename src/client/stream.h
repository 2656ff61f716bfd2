/* client/stream.h - follow a node's event stream, through lost connections. */
#ifndef GUTS_CLIENT_STREAM_H
#define GUTS_CLIENT_STREAM_H

#include "client/sse.h"

#define GUTS_STREAM_SILENCE_MS 60000   /* [ms] a node sends a heartbeat every 15 s; after this it is given up */
#define GUTS_STREAM_BACKOFF_MS 500     /* [ms] before the second try, doubled up to the next */
#define GUTS_STREAM_BACKOFF_MAX_MS 10000

struct guts_stream_spec {
	const char *url;       /* of the stream, with its query */
	const char *socket;    /* as in guts_transfer_spec */
	const char *token;     /* may be NULL */
	const char *last_id;   /* go on after this id; NULL or "" = from now on */
	uint32_t give_up_ms;   /* [ms] without a connection until it fails; 0 = at the first loss; UINT32_MAX = never */
	/* An event; false ends the stream. */
	bool (*event)(void *owner, const struct guts_sse_event *e);
	/* Connected (text NULL) or lost (why); may be NULL. */
	void (*link)(void *owner, const char *text);
	/* Asked about once a second; false ends the stream.  May be NULL. */
	bool (*alive)(void *owner);
	void *owner;
};

/* Read until `event` or `alive` says false or it fails for good.  Reconnects with Last-Event-ID.
 * *status = the last HTTP status, 0 if none came.
 * Errors, with text: GUTS_ECANCELED `event` or `alive` said so; GUTS_ECLOSED, GUTS_ETIMEOUT no node for give_up_ms;
 * GUTS_EDENIED, GUTS_ENOTFOUND, GUTS_EPROTO the answer is no stream. */
int guts_stream_follow(const struct guts_stream_spec *spec, long *status, struct guts_errinfo *ei);

#endif
