/* transport/link.h - a secured link to one peer and the streams on it.
 *
 * What is above (peer, gossip, sync) sees links and streams only; which transport carries
 * them stays below.  TCP: multistream → Noise → (early muxer) → yamux, in tcp.c.  A second
 * transport fills struct guts_link_ops and changes nothing above.
 *
 * All callbacks come on the loop thread.  Functions on streams and links may be called from
 * callbacks; a link or stream whose last event came, or that was closed or reset, is dead.
 * Source: libp2p specs, connections/README.md.
 */
#ifndef GUTS_TRANSPORT_LINK_H
#define GUTS_TRANSPORT_LINK_H

#include "base/buf.h"
#include "crypto/noise.h"
#include "loop/env.h"
#include "mux/yamux.h"
#include "wire/multiaddr.h"

struct guts_link;
struct guts_stream;

/* A protocol served on inbound streams; owned by whoever answers link events.lookup. */
struct guts_protocol {
	const char *id;       /* e.g. "/ipfs/ping/1.0.0" */
	unsigned inbound_max; /* streams of one peer at once; 0 = 8 */
	enum guts_prio prio;
	/* A negotiated inbound stream; set its events now.  false = reset it. */
	bool (*on_stream)(void *owner, struct guts_stream *s, const struct guts_protocol *p);
	void *owner;
};

struct guts_stream_events {
	/* Outbound only: the other side took `protocol` (as guts_stream_protocol tells from now on). */
	void (*open)(void *owner, struct guts_stream *s, const char *protocol);
	/* All bytes not taken yet; returns how many it takes.  A reader of whole messages takes 0 until one is
	 * there and says guts_stream_need if it is larger than 256 KiB. */
	size_t (*data)(void *owner, struct guts_stream *s, struct guts_slice data);
	/* The other side ended its direction. */
	void (*eof)(void *owner, struct guts_stream *s);
	/* Fill out[max]; 0 = nothing now.  See guts_stream_want_write. */
	size_t (*pull)(void *owner, struct guts_stream *s, uint8_t *out, size_t max);
	/* Last event.  0 both sides ended; GUTS_EUNSUPPORTED no protocol agreed; GUTS_ECLOSED reset or link gone;
	 * GUTS_ELIMIT over the memory budget; GUTS_ETIMEOUT negotiation took too long. */
	void (*closed)(void *owner, struct guts_stream *s, int err);
};

struct guts_link_events {
	/* Secured: peer id known, streams may be opened. */
	void (*up)(void *owner, struct guts_link *l);
	/* The protocol served under `name`, or NULL. */
	const struct guts_protocol *(*lookup)(void *owner, struct guts_link *l, struct guts_slice name);
	/* May this inbound stream of `p` start? */
	bool (*admit)(void *owner, struct guts_link *l, const struct guts_protocol *p);
	/* A stream that was admitted ended. */
	void (*released)(void *owner, struct guts_link *l, const struct guts_protocol *p);
	/* Last event, not sent after guts_link_close.  GUTS_EDENIED = the peer is not the one expected. */
	void (*down)(void *owner, struct guts_link *l, int err);
};

/* Shared by all links of a node; outlives them. */
struct guts_link_context {
	struct guts_env *env;
	const struct guts_key *key;
	struct guts_noise_identity noise; /* static Noise key with its signature, made once */
	struct guts_recv_budget budget;   /* GUTS_NODE_RECV_MAX over all links */
	uint64_t handshake_timeout_ns;    /* from dial or accept to `up` */
	uint64_t keepalive_ns;
	uint8_t plain[GUTS_NOISE_PLAIN_MAX]; /* private: what is being encrypted */
	struct guts_buf sealed;           /* private: what is being written */
	bool pulling;                     /* private: the two above are in use */
	struct guts_link *dying;          /* private: closed, to be freed in their next turn */
};

/* Make the shared part.  `env` and `key` outlive it.  0 = 10 s, 30 s.  Owner: caller. */
struct guts_link_context *guts_link_context_new(struct guts_env *env, const struct guts_key *key,
    uint64_t handshake_timeout_ns, uint64_t keepalive_ns);

/* After every link was closed or went down; not from inside a callback of one. */
void guts_link_context_free(struct guts_link_context *ctx);

/* Dial `to` over TCP; the answer is `up` or `down`.  `expect`: the peer id it must show, NULL = any.  The
 * handshake's deadline also covers connecting.  Errors: GUTS_EINVAL, GUTS_EIO. */
int guts_link_dial_tcp(struct guts_link_context *ctx, const struct sockaddr *to, const struct guts_peerid *expect,
    const struct guts_link_events *ev, void *owner, struct guts_link **out);

/* Take an accepted connection; gives what the listener's accept must hand to the environment. */
struct guts_link *guts_link_accept_tcp(struct guts_link_context *ctx, struct guts_conn *c,
    const struct sockaddr *from, const struct guts_link_events *ev, void *owner,
    const struct guts_conn_events **conn_events, void **conn_owner);

/* Say goodbye (what is queued goes first, ≤ 1 s) and close; no further event, the pointer is dead. */
void guts_link_close(struct guts_link *l, enum guts_goaway code);

/* About a link; pointers are lent until it closes. */
bool guts_link_is_up(const struct guts_link *l);
bool guts_link_is_inbound(const struct guts_link *l);
const struct guts_peerid *guts_link_peer(const struct guts_link *l);    /* zero before `up` */
const struct guts_maddr *guts_link_remote(const struct guts_link *l);   /* without /p2p */
void guts_link_local(struct guts_link *l, struct guts_maddr *out);
void *guts_link_owner(const struct guts_link *l);
uint64_t guts_link_bytes_in(const struct guts_link *l);  /* on the wire */
uint64_t guts_link_bytes_out(const struct guts_link *l);
uint64_t guts_link_rtt_ns(const struct guts_link *l);    /* 0 = none yet */
uint64_t guts_link_last_seen_ns(const struct guts_link *l); /* monotonic, last bytes from the peer */
size_t guts_link_streams(const struct guts_link *l);
size_t guts_link_unread_bytes(const struct guts_link *l);

/* Open a stream, proposing protocols[0..n) in order (copied).  With n = 1 data may be sent at once, together with
 * the proposal; with more only after events.open (GUTS_EAGAIN before).  Errors: GUTS_EBUSY, GUTS_ECLOSED. */
int guts_link_open_stream(struct guts_link *l, const char *const *protocols, size_t n,
    const struct guts_stream_events *ev, void *owner, struct guts_stream **out);

/* Receiver of events, rank in the send queue; protocol, link and peer are lent until the stream ends. */
void guts_stream_set_events(struct guts_stream *s, const struct guts_stream_events *ev, void *owner);
void guts_stream_set_prio(struct guts_stream *s, enum guts_prio prio);
const char *guts_stream_protocol(const struct guts_stream *s); /* NULL before it is agreed */
struct guts_link *guts_stream_link(const struct guts_stream *s);
const struct guts_peerid *guts_stream_peer(const struct guts_stream *s);

/* Queue a copy of `data`.  Errors: GUTS_ELIMIT (queue full, nothing taken), GUTS_EAGAIN (see open), GUTS_ECLOSED. */
int guts_stream_send(struct guts_stream *s, struct guts_slice data);
size_t guts_stream_queued(const struct guts_stream *s);

/* Have events.pull called when there is room: the way for everything long. */
void guts_stream_want_write(struct guts_stream *s);

/* End our direction after what is queued. */
void guts_stream_finish(struct guts_stream *s);

/* End both directions; no further event, the pointer is dead. */
void guts_stream_reset(struct guts_stream *s, uint32_t code);

/* Hold events.data back: the other side feels it.  Resuming shows kept data in a later turn. */
void guts_stream_pause(struct guts_stream *s, bool pause);

/* Let `n` bytes be kept in one piece.  Errors: GUTS_ELIMIT. */
int guts_stream_need(struct guts_stream *s, size_t n);

#endif
