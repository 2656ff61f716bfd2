/* transport/link_int.h - what a transport provides, and what links and streams share below link.h.
 *
 * A transport embeds struct guts_link as its first member, fills the operations and calls the
 * link_ and stream_ functions when something happens.  `raw` is its own stream.
 */
#ifndef GUTS_TRANSPORT_LINK_INT_H
#define GUTS_TRANSPORT_LINK_INT_H

#include "mux/multistream.h"
#include "transport/link.h"

#define LINK_PROPOSALS_MAX 8                           /* protocols one stream proposes */
#define LINK_NEGOTIATION_NS (10 * GUTS_SECOND_NS)      /* of one stream */

struct guts_link_ops {
	/* Make the raw stream of s (s->raw).  Errors as guts_link_open_stream. */
	int (*open)(struct guts_link *l, struct guts_stream *s);
	/* Say goodbye, end every raw stream (stream_on_closed), free the link. */
	void (*destroy)(struct guts_link *l);
	/* Something changed that moves the link's timer. */
	void (*rearm)(struct guts_link *l);
	/* Come back in the next turn (link_enter, link_leave): the link died where it cannot be destroyed. */
	void (*later)(struct guts_link *l);
	uint64_t (*rtt)(const struct guts_link *l);
	size_t (*unread)(const struct guts_link *l);
	void (*local)(struct guts_link *l, struct guts_maddr *out);

	int (*send)(void *raw, struct guts_slice data);
	size_t (*queued)(const void *raw);
	void (*want_write)(void *raw);
	void (*finish)(void *raw);
	void (*reset)(void *raw, uint32_t code);
	void (*pause)(void *raw, bool pause);
	int (*need)(void *raw, size_t n);
	void (*set_prio)(void *raw, enum guts_prio prio);
};

struct guts_link {
	const struct guts_link_ops *ops;
	struct guts_link_context *ctx;
	const struct guts_link_events *ev; /* NULL: closed by its owner */
	void *owner;
	struct guts_peerid peer;
	struct guts_maddr remote;
	bool inbound, up, dead;
	int down_err;                     /* why it died */
	enum guts_goaway close_code;
	uint64_t bytes_in, bytes_out, last_seen_ns;
	unsigned depth;                   /* calls in progress: nothing is freed */
	size_t n_streams;
	struct guts_stream *streams;      /* all */
	struct guts_stream *negotiating;  /* in order of their deadline */
	struct guts_stream *graveyard;    /* to be freed when depth is 0 */
	bool is_dying;                    /* in the context's list */
	struct guts_link *prev, *next;    /* of that list */
};

struct guts_stream {
	struct guts_link *l;
	void *raw;                        /* NULL: gone */
	const struct guts_stream_events *ev;
	void *owner;
	struct guts_msel msel;
	bool negotiated, eager;           /* eager: one proposal, so data may go with it */
	bool inbound, admitted, paused;
	uint64_t deadline_ns;             /* of the negotiation */
	const struct guts_protocol *proto; /* inbound */
	const char *names[LINK_PROPOSALS_MAX]; /* outbound; into `text` */
	size_t n_names;
	char *text;
	const char *protocol;             /* agreed */
	struct guts_stream *prev, *next;  /* of links' streams or graveyard */
	struct guts_stream *nprev, *nnext; /* of negotiating */
};

/* --- for transports --- */

void link_enter(struct guts_link *l);
/* Leaving the outermost call frees dead streams, and the link itself if it died: returns true then. */
bool link_leave(struct guts_link *l);

/* The link is over because of `err`; its owner hears of it when the outermost call ends. */
void link_fail(struct guts_link *l, int err);

/* Tell the owner that it is up. */
void link_up(struct guts_link *l);

/* A raw stream came in. */
struct guts_stream *stream_new_inbound(struct guts_link *l, void *raw);

/* What happens on the raw stream. */
size_t stream_on_data(struct guts_stream *s, struct guts_slice data);
void stream_on_eof(struct guts_stream *s);
size_t stream_on_pull(struct guts_stream *s, uint8_t *out, size_t max);
void stream_on_closed(struct guts_stream *s, int err);

/* When the first negotiation times out (GUTS_NEVER = none), and cutting those that did. */
uint64_t stream_deadline(const struct guts_link *l);
void stream_expire(struct guts_link *l, uint64_t now);

/* --- inside --- */
void stream_free(struct guts_stream *s);

#endif
