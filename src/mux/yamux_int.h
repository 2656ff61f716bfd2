/* mux/yamux_int.h - what the three files of yamux share: session, stream, frame header.
 *
 * yamux.c takes frames and keeps the session; yamux_stream.c keeps streams, windows and
 * memory; yamux_pull.c makes frames.
 */
#ifndef GUTS_MUX_YAMUX_INT_H
#define GUTS_MUX_YAMUX_INT_H

#include "base/buf.h"
#include "base/ratelimit.h"
#include "mux/yamux.h"

#include <uthash.h>
#include <utlist.h>

#define YAMUX_HEADER 12                 /* [bytes] */
#define YAMUX_CTL_MAX (1024 * YAMUX_HEADER) /* [bytes] answers kept for a peer that does not read */

enum yamux_type { YAMUX_DATA, YAMUX_WINDOW, YAMUX_PING, YAMUX_GOAWAY };
enum yamux_flag { YAMUX_SYN = 1, YAMUX_ACK = 2, YAMUX_FIN = 4, YAMUX_RST = 8 };

struct yamux_link {
	struct guts_ystream *prev, *next;
};

struct guts_ystream {
	struct guts_yamux *y;
	const struct guts_ystream_events *ev; /* NULL: nobody listens any more */
	void *owner;
	uint32_t id;
	enum guts_prio prio;

	struct guts_buf unread;  /* shown to the reader and not taken */
	uint64_t recv_credit;    /* what the other side may still send [bytes] */
	uint64_t recv_window;    /* what we aim at [bytes] */
	uint64_t need;           /* the reader wants that many at once [bytes] */
	uint64_t epoch_ns;       /* when the last window update went out */
	bool paused, remote_fin, eof_told;

	struct guts_buf queue;   /* to send */
	uint64_t send_credit;    /* what the other side takes [bytes] */
	bool want_write, fin_wanted, fin_sent;

	uint8_t flags_due;       /* SYN or ACK that the next window update carries */
	bool ours, syn_sent, acked;
	bool gone;               /* removed from the session, memory waits for the end of the call */
	int doomed;              /* error to end with at the next poll; 0 = none */
	bool in_ctl, in_out, in_ready;
	struct yamux_link ctl, out, ready; /* links of the session's lists */
	UT_hash_handle hh;
};

struct guts_yamux {
	struct guts_yamux_config cfg;
	const struct guts_yamux_events *ev;
	void *owner;
	struct guts_ystream *streams;            /* by id */
	struct guts_ystream *ctl_list;           /* a window update (or SYN, ACK) is due */
	struct guts_ystream *out_list[GUTS_PRIO_COUNT]; /* data, or FIN, and window to send it */
	struct guts_ystream *ready_list;         /* to be looked at by poll */
	struct guts_ystream *dead_list;
	unsigned depth;                          /* calls in progress: no stream is freed */

	uint8_t header[YAMUX_HEADER];
	size_t header_n;
	struct guts_ystream *cur;                /* stream of the payload that is arriving; NULL = thrown away */
	uint32_t left;                           /* payload still to come [bytes] */
	bool cur_fin;

	struct guts_buf ctl;                     /* whole control frames to send */
	size_t above_bytes;                      /* sent before bulk since bulk's last turn */
	size_t unread_bytes, queued_bytes, grown_bytes;
	uint32_t next_id;
	unsigned n_in, n_out, n_unacked;
	bool remote_goaway, local_goaway, failed;

	uint64_t now;                            /* of the call in progress */
	struct guts_ratelimit idle_frames, opens;
	bool ping_due, ping_sent;
	uint32_t ping_id;
	uint64_t ping_at, next_ping_at, last_recv_at, rtt_ns;

	struct guts_yamux *prev, *next;          /* members of the budget */
};

/* yamux.c */
void yamux_enter(struct guts_yamux *y);
void yamux_leave(struct guts_yamux *y);
int yamux_put_ctl(struct guts_yamux *y, enum yamux_type type, unsigned flags, uint32_t id, uint32_t value);
void yamux_header(uint8_t out[YAMUX_HEADER], enum yamux_type type, unsigned flags, uint32_t id, uint32_t value);

/* yamux_stream.c */
struct guts_ystream *yamux_stream_new(struct guts_yamux *y, uint32_t id, bool ours);
void yamux_stream_end(struct guts_ystream *s, int err);
void yamux_stream_remove(struct guts_ystream *s);
void yamux_stream_free(struct guts_ystream *s);
void yamux_stream_deliver(struct guts_ystream *s, struct guts_slice data);
void yamux_stream_show(struct guts_ystream *s);
void yamux_stream_check_end(struct guts_ystream *s);
void yamux_stream_update_window(struct guts_ystream *s);
void yamux_stream_schedule(struct guts_ystream *s);

/* Take the head of ctl_list off: returns what its window update gives, *flags = SYN or ACK. */
uint32_t yamux_stream_take_update(struct guts_ystream *s, unsigned *flags);

static inline void
yamux_wake(struct guts_yamux *y)
{
	if (y->ev->wake)
		y->ev->wake(y->owner);
}

#endif
