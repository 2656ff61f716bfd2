/* mux/yamux.h - many streams over one byte stream: /yamux/1.0.0 as an object without I/O.
 *
 * Bytes that arrive go in by guts_yamux_recv; bytes to send are taken by guts_yamux_pull,
 * so bulk is framed only when the socket has room: control frames first, then streams by
 * priority, bulk in turn.  Received data is shown to the stream's reader in place; what the
 * reader does not take is kept, charged to the link's and the node's memory and shown again
 * together with what follows.  Windows grow to GUTS_YAMUX_WINDOW_MAX when a whole window is
 * used up within four round trips and memory allows; over the budget the stream that holds
 * most is reset.  `now` is monotonic [ns].
 *
 * No call on the session from inside one of its callbacks, except the guts_ystream_ functions.
 * Source: libp2p specs, yamux/README.md.
 */
#ifndef GUTS_MUX_YAMUX_H
#define GUTS_MUX_YAMUX_H

#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

#define GUTS_YAMUX_SEND_MAX (512u << 10)      /* [bytes] queued by guts_ystream_send on one stream */
#define GUTS_YAMUX_LINK_SEND_MAX (768u << 10) /* [bytes] queued on all streams of a session */
#define GUTS_YAMUX_UNACKED_MAX 256          /* streams opened and not yet acknowledged */
#define GUTS_YAMUX_OUT_STREAMS_MAX 1024     /* streams opened by us at once */

struct guts_yamux;
struct guts_ystream;

enum guts_prio {
	GUTS_PRIO_CONTROL, /* negotiation, ping, small answers that others wait for */
	GUTS_PRIO_MESSAGE, /* gossip, announcements: the default */
	GUTS_PRIO_BULK,    /* packs and everything long */
	GUTS_PRIO_COUNT,
};

enum guts_goaway {
	GUTS_GOAWAY_NORMAL,
	GUTS_GOAWAY_PROTOCOL,
	GUTS_GOAWAY_INTERNAL,
};

/* Unread data of all links of a node; sessions list themselves here. */
struct guts_recv_budget {
	size_t used, max;           /* [bytes] */
	size_t grown;               /* promised in windows beyond their start [bytes] */
	struct guts_yamux *members; /* private */
};

struct guts_ystream_events {
	/* All bytes not taken yet; returns how many it takes (0..n).  Called again when more arrives or by poll
	 * after guts_ystream_pause(s, false). */
	size_t (*data)(void *owner, struct guts_ystream *s, struct guts_slice data);
	/* The other side ended its direction; everything before was taken. */
	void (*eof)(void *owner, struct guts_ystream *s);
	/* Fill `out` with at most `max` bytes; 0 = nothing now (ask again by guts_ystream_want_write).  May end
	 * the stream by guts_ystream_finish. */
	size_t (*pull)(void *owner, struct guts_ystream *s, uint8_t *out, size_t max);
	/* Last event: 0 = ended on both sides, GUTS_ECLOSED = reset by the other side or session over,
	 * GUTS_ELIMIT = reset by us over the memory budget. */
	void (*closed)(void *owner, struct guts_ystream *s, int err);
};

struct guts_yamux_events {
	/* A stream from the other side: true = taken (events were set), false = it is reset. */
	bool (*incoming)(void *owner, struct guts_ystream *s);
	/* There is something to pull or to poll for. */
	void (*wake)(void *owner);
	/* The other side opens and takes no more streams. */
	void (*goaway)(void *owner, uint32_t code);
};

struct guts_yamux_config {
	bool client;                     /* the dialer: odd stream ids */
	uint64_t keepalive_ns;           /* ping every; 0 = 30 s */
	uint64_t ping_timeout_ns;        /* 0 = 10 s */
	size_t recv_max;                 /* unread data of this session; 0 = GUTS_LINK_RECV_MAX */
	unsigned streams_max;            /* inbound at once; 0 = GUTS_STREAMS_PER_LINK_MAX */
	struct guts_recv_budget *budget; /* shared by sessions; NULL = none */
};

/* Errors: none.  Owner: caller, guts_yamux_free. */
struct guts_yamux *guts_yamux_new(const struct guts_yamux_config *cfg, const struct guts_yamux_events *ev,
    void *owner, uint64_t now);

/* Every stream gets `closed` with GUTS_ECLOSED first.  NULL is fine. */
void guts_yamux_free(struct guts_yamux *y);

/* Take bytes that arrived; readers are called from here.  Errors end the session (a GO_AWAY is queued): GUTS_EPROTO, GUTS_ELIMIT (a flood of
 * frames that carry nothing). */
int guts_yamux_recv(struct guts_yamux *y, struct guts_slice in, uint64_t now);

/* Put frames into out[max] (max ≥ 64 is asserted); returns the bytes, 0 = nothing to send. */
size_t guts_yamux_pull(struct guts_yamux *y, uint8_t *out, size_t max, uint64_t now);

/* Is there anything guts_yamux_pull might send? */
bool guts_yamux_has_output(const struct guts_yamux *y);

/* Show kept data to readers that resumed, and end streams that were cut by the budget. */
void guts_yamux_poll(struct guts_yamux *y, uint64_t now);

/* Is there anything for guts_yamux_poll? */
bool guts_yamux_wants_poll(const struct guts_yamux *y);

/* Next time guts_yamux_tick must run; UINT64_MAX = never. */
uint64_t guts_yamux_deadline(const struct guts_yamux *y);

/* Send a ping when due.  Errors: GUTS_ETIMEOUT: the last one stays unanswered. */
int guts_yamux_tick(struct guts_yamux *y, uint64_t now);

/* Say that no more streams are taken; queued data still goes out. */
void guts_yamux_goaway(struct guts_yamux *y, enum guts_goaway code);

/* Send a ping now, outside the schedule. */
void guts_yamux_ping(struct guts_yamux *y, uint64_t now);

/* Last round trip [ns]; 0 = none measured yet. */
uint64_t guts_yamux_rtt_ns(const struct guts_yamux *y);

/* Streams open, unread bytes kept, bytes queued to send. */
size_t guts_yamux_streams(const struct guts_yamux *y);
size_t guts_yamux_unread_bytes(const struct guts_yamux *y);
size_t guts_yamux_queued_bytes(const struct guts_yamux *y);

/* Open a stream; data may be sent at once.  Errors: GUTS_EBUSY (limits above), GUTS_ECLOSED (after GO_AWAY).
 * Owner: the session; the pointer is good until `closed` or guts_ystream_reset. */
int guts_ystream_open(struct guts_yamux *y, const struct guts_ystream_events *ev, void *owner,
    struct guts_ystream **out);

/* Give the stream another receiver of its events. */
void guts_ystream_set_events(struct guts_ystream *s, const struct guts_ystream_events *ev, void *owner);

/* Its rank in the send queue from now on. */
void guts_ystream_set_prio(struct guts_ystream *s, enum guts_prio prio);

/* Its number on the wire. */
uint32_t guts_ystream_id(const struct guts_ystream *s);

/* Queue a copy of `data`.  Errors: GUTS_ELIMIT (queue of stream or session full; nothing was taken), GUTS_ECLOSED. */
int guts_ystream_send(struct guts_ystream *s, struct guts_slice data);

/* Bytes queued and not framed yet. */
size_t guts_ystream_queued(const struct guts_ystream *s);

/* Have events.pull called when the socket and the window have room. */
void guts_ystream_want_write(struct guts_ystream *s);

/* End our direction after what is queued. */
void guts_ystream_finish(struct guts_ystream *s);

/* End both directions now; no further event, the pointer is dead. */
void guts_ystream_reset(struct guts_ystream *s, uint32_t code);

/* Hold events.data back; resuming shows kept data by the next poll. */
void guts_ystream_pause(struct guts_ystream *s, bool pause);

/* The reader takes nothing before `n` bytes are there in one piece: let the window hold that many.
 * Errors: GUTS_ELIMIT if n > GUTS_YAMUX_WINDOW_MAX. */
int guts_ystream_need(struct guts_ystream *s, size_t n);

#endif
