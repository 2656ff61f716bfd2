/* http/events.h - one ring of encoded events for all streams and polls.
 *
 *	loop: facts committed, signals ──► ring (encoded once) ──► each stream reads by its own cursor
 *
 * A fact is read from the store after its commit by the watch thread, which also paces: what
 * comes alone is handed out at once; while more comes than that, the fan-outs are twice as far apart each time, up to
 * GUTS_EVENTS_PACE_MAX_MS.  A stream that starts in the past reads the store until
 * it has caught up with the ring.  A stream that the ring's end overtakes is ended, and resumes by its
 * Last-Event-ID.
 */
#ifndef GUTS_HTTP_EVENTS_H
#define GUTS_HTTP_EVENTS_H

#include "http/internal.h"

#define GUTS_EVENTS_MAX 4096            /* events in the ring */
#define GUTS_EVENTS_BYTES (4u << 20)    /* [bytes] of them */
#define GUTS_EVENTS_PACE_MIN_MS 1       /* [ms] from a fan-out of what came alone to the next */
#define GUTS_EVENTS_PACE_MAX_MS 20      /* [ms] between two fan-outs when events do not cease */
#define GUTS_EVENTS_HEARTBEAT_S 15      /* [s] */
#define GUTS_EVENTS_TYPES_MAX 16        /* types in one filter */
#define GUTS_LOG_LINES_MAX 1000

struct guts_event {
	int refcount;                   /* under the ring's lock */
	uint64_t fact;                  /* id, 0 = signal */
	uint64_t wall_ms;
	char type[GUTS_FACT_TYPE_MAX];
	uint8_t repo[GUTS_REPOID_SIZE];
	bool has_repo, is_private;
	struct guts_peerid peer;        /* n = 0: none */
	size_t frame_n;                 /* [bytes] as a server-sent event */
	size_t json_off, json_n;        /* where the JSON is in it */
	char frame[];
};

struct guts_filter {
	struct guts_who *who;
	size_t ntypes;
	char (*types)[GUTS_FACT_TYPE_MAX]; /* "repo.*" takes all that begin so; NULL = all */
	bool has_repo, has_peer;
	uint8_t repo[GUTS_REPOID_SIZE];
	struct guts_peerid peer;
};

/* One reader: a stream (sse) or a waiting poll. */
struct guts_reader {
	struct guts_reader *prev, *next;
	struct guts_req *req;
	struct guts_filter *filter;
	bool is_stream, is_live, is_waiting;
	const char *source;             /* CloudEvents of this source are wanted; NULL = our own form */
	uint64_t client;                /* who has it: for http.client_streams; 0 = not counted */
	atomic_bool is_over;            /* set by the end of all readers at any time */
	uint64_t seq;                   /* next ring number, once live */
	uint64_t last;                  /* newest fact that was looked at */
	struct guts_event *current;     /* half-sent */
	size_t at;
	struct guts_buf pending;        /* hello, replay, heartbeat */
	uint64_t sent_ns, until_ns;     /* last bytes; a poll's deadline */
};

struct guts_log_line {
	uint64_t cursor, wall_ms;
	char *level, *area, *text;
};

struct guts_ring {
	struct guts_http *h;
	pthread_mutex_t lock;
	struct guts_event *v[GUTS_EVENTS_MAX];
	uint64_t tail, head;            /* numbers of the oldest and of the next */
	size_t bytes;
	uint64_t newest;                /* fact id in the ring or before it */
	uint64_t committed;             /* newest fact told of by the node */
	uint64_t due_ns, pace_ns;       /* the next fan-out comes at the earliest then, that long after the last */
	bool is_held;                   /* something waits for due_ns */
	bool fresh;                     /* something to hand out */
	struct guts_reader *readers;
	struct guts_log_line log[GUTS_LOG_LINES_MAX];
	uint64_t log_next;              /* cursor of the next line, from 1 */
	struct guts_node_listener listener;
};

/* Thread: loop. */
struct guts_ring *guts_ring_new(struct guts_http *h);
/* Hear no more from the node.  Thread: loop. */
void guts_ring_detach(struct guts_ring *ring);
/* After all requests are gone. */
void guts_ring_free(struct guts_ring *ring);

/* Take what was committed into the ring and wake readers; heartbeats and polls that are due.  Returns when to be called
 * again [ns], GUTS_NEVER = when poked.  Thread: watch. */
uint64_t guts_ring_pump(struct guts_ring *ring, uint64_t now_ns);
void guts_ring_sweep(struct guts_ring *ring, uint64_t now_ns);

/* Its lists; the filter itself is the caller's. */
void guts_filter_deinit(struct guts_filter *f);

/* Is the event for this filter's asker? */
bool guts_filter_takes(const struct guts_filter *f, const char *type, const uint8_t *repo, bool is_private,
    const struct guts_peerid *peer);

/* Wake all readers to their end.  Under ring->lock. */
void guts_ring_end_readers(struct guts_ring *ring);

/* NULL is fine.  Under ring->lock. */
void guts_event_unref(struct guts_event *e);

/* A fact as a server-sent event, its data a CloudEvent if `source` is not NULL. */
void guts_fact_frame(struct guts_buf *out, const struct guts_fact *f, const char *source);
/* The event at `seq` of the ring as a server-sent event whose data is a CloudEvent. */
void guts_event_cloud_frame(struct guts_buf *out, const struct guts_ring *ring, uint64_t seq, const char *source);

#endif
