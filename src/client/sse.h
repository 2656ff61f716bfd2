/* client/sse.h - the grammar of server-sent events: bytes in, events out.
 *
 * No I/O.  Source: HTML standard, section 9.2.6 (event stream interpretation). */
#ifndef GUTS_CLIENT_SSE_H
#define GUTS_CLIENT_SSE_H

#include "base/buf.h"
#include "base/err.h"

#define GUTS_SSE_LINE_MAX (1u << 20)  /* [bytes] of one line */
#define GUTS_SSE_EVENT_MAX (1u << 20) /* [bytes] of one event's data */
#define GUTS_SSE_NAME_MAX 128         /* [bytes] of an event's name or id; longer ones are ignored */

struct guts_sse_event {
	const char *type;       /* "message" if none was named */
	const char *last_id;    /* the last id seen, "" = none */
	struct guts_slice data; /* a NUL is behind it */
};

struct guts_sse {
	struct guts_buf line, data; /* private, like all but last_id and retry_ms */
	bool after_cr, started, has_data;
	char type[GUTS_SSE_NAME_MAX + 1];
	char next_id[GUTS_SSE_NAME_MAX + 1];
	char last_id[GUTS_SSE_NAME_MAX + 1]; /* to be sent as Last-Event-ID */
	uint32_t retry_ms;                   /* what the server asked for; 0 = nothing yet */
};

/* Before the first connection, and after the last. */
void guts_sse_init(struct guts_sse *s);
void guts_sse_deinit(struct guts_sse *s);

/* A new connection begins: forget what was half read, keep last_id and retry_ms. */
void guts_sse_reset(struct guts_sse *s);

/* Read bytes; `event` is called for each whole event and ends the reading by false.
 * Errors: GUTS_ELIMIT (a line or event too long), GUTS_ECANCELED (`event` said so). */
int guts_sse_read(struct guts_sse *s, struct guts_slice in, bool (*event)(void *owner, const struct guts_sse_event *e),
    void *owner);

#endif
