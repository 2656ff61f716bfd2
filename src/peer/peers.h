/* peer/peers.h - the peer manager: who we are linked to, and on which terms.
 *
 * It listens and dials, secures and names links, keeps one link per peer, answers identify
 * and ping, counts slots, messages and misbehaviour, bans, and remembers addresses.  What is
 * above registers protocols, opens streams to peers by id and hears facts through a table of
 * events.  Peers are named by id everywhere: nobody above keeps a pointer.
 *
 *      listener ─┐                       ┌─ protocols (identify, ping, registered ones)
 *                ├─ link ── entry(peer) ─┤
 *      dialer ───┘                       └─ events: connected, identified, disconnected …
 *
 * Runs on the loop thread; deterministic given the environment.
 */
#ifndef GUTS_PEER_PEERS_H
#define GUTS_PEER_PEERS_H

#include "peer/book.h"
#include "peer/offence.h"
#include "transport/link.h"

#define GUTS_PEER_ADDRS_MAX 16        /* listen addresses kept of one peer */
#define GUTS_PEER_PROTOCOLS_MAX 64    /* protocols kept of one peer */
#define GUTS_PEER_AGENT_MAX 128       /* [bytes] with NUL */
#define GUTS_PEER_REASON_MAX 128      /* [bytes] with NUL */
#define GUTS_PEER_OFFENCES_MAX 8      /* recent offences kept of one peer */
#define GUTS_PEERS_LISTEN_MAX 8
#define GUTS_PEERS_PROTOCOLS_MAX 32   /* protocols registered here */

struct guts_peers;

/* A snapshot of one peer; a plain value. */
struct guts_peer_state {
	struct guts_peerid id;
	bool connected, inbound, identified, speaks_guts;
	struct guts_maddr remote;              /* of the link */
	struct guts_maddr addrs[GUTS_PEER_ADDRS_MAX]; /* where it says it listens, without /p2p */
	size_t n_addrs;
	char agent[GUTS_PEER_AGENT_MAX];       /* clean text */
	const char *const *protocols;          /* borrowed until the next turn */
	size_t n_protocols;
	uint64_t repositories;                 /* set by guts_peers_set_repositories */
	uint64_t useful;                       /* times it brought something new */
	uint64_t connected_since_wall_ns, last_seen_wall_ns;
	uint64_t rtt_ns;                       /* 0 = not measured */
	uint64_t bytes_in, bytes_out;          /* on the wire, this link */
	size_t streams;
	int score;                             /* 0 = clean; falls with misbehaviour, recovers with time */
	unsigned bans;                         /* so far */
	struct guts_peer_offence {
		enum guts_offence what;
		uint64_t count, points;        /* in a row */
		uint64_t last_wall_ns;
	} offences[GUTS_PEER_OFFENCES_MAX];    /* recent ones, the newest first */
	size_t n_offences;
};

struct guts_peer_ban {
	struct guts_peerid id;
	uint64_t since_wall_ns, until_wall_ns; /* until: UINT64_MAX = for good */
	char reason[GUTS_PEER_REASON_MAX];
};

enum guts_peer_class {
	GUTS_PEER_NODE_MESSAGES, /* /guts/node messages */
	GUTS_PEER_SYNC_REQUESTS, /* /guts/sync requests */
	GUTS_PEER_GOSSIP,        /* gossip messages */
	GUTS_PEER_CLASS_COUNT,
};

/* Facts, upward.  Any member may be NULL.  `id` is borrowed for the call. */
struct guts_peers_events {
	void (*connected)(void *owner, const struct guts_peerid *id, bool inbound);
	/* Its protocols, agent and addresses are known or changed (identify, push). */
	void (*identified)(void *owner, const struct guts_peerid *id);
	/* Every stream got `closed` before.  GUTS_ECONFLICT: another link to the same peer takes over, `connected`
	 * follows at once. */
	void (*disconnected)(void *owner, const struct guts_peerid *id, int err, const char *reason);
	void (*banned)(void *owner, const struct guts_peerid *id, uint64_t until_wall_ns, const char *reason);
	void (*lifted)(void *owner, const struct guts_peerid *id);
	/* An offence cost the peer points; `score` is what it has now (≤ 0). */
	void (*penalized)(void *owner, const struct guts_peerid *id, enum guts_offence what, unsigned points, int score);
	void (*dial_failed)(void *owner, const struct guts_maddr *addr, int err, const char *reason);
	/* Dialled at all its addresses in vain, whoever wished it; a kept one is tried again. */
	void (*unreached)(void *owner, const struct guts_peerid *id, int err);
	/* The addresses we tell others changed. */
	void (*addresses)(void *owner);
};

struct guts_peers_config {
	struct guts_env *env;
	const struct guts_key *key;     /* outlives the manager */
	const char *agent;              /* e.g. "guts/0.1.0" */
	const char *guts_protocol;      /* a peer that does not serve it is a plain libp2p peer; NULL = all count as plain */
	unsigned max_connections;       /* 0 = 50 */
	unsigned outbound_reserved;     /* slots inbound links never take; 0 = 10 (less if max_connections is small) */
	bool no_auto_dial;              /* else the book is dialled while fewer than outbound_reserved are outbound, and felt */
	unsigned plain_max;             /* slots of plain libp2p peers; 0 = a quarter of max_connections */
	uint64_t connection_timeout_ns; /* 0 = 10 s */
	uint64_t keepalive_ns;          /* 0 = 30 s */
	struct guts_book_store store;   /* where addresses and bans persist; zero = nowhere */
	const struct guts_maddr *announce; /* told to others besides those found (copied) */
	size_t n_announce;              /* ≤ GUTS_PEERS_LISTEN_MAX */
};

/* Loads addresses and bans through cfg->store.  Owner: caller. */
struct guts_peers *guts_peers_new(const struct guts_peers_config *cfg, const struct guts_peers_events *ev, void *owner);

/* Close every link and listener; no event comes any more. */
void guts_peers_free(struct guts_peers *p);

/* --- listening, dialling --- */

/* Listen on /ip4|ip6/…/tcp/N (0 = any free port); *bound (may be NULL) tells the real address.
 * Errors: GUTS_EUNSUPPORTED, GUTS_ELIMIT, and those of guts_env_listen, with a text. */
int guts_peers_listen(struct guts_peers *p, const struct guts_maddr *at, struct guts_maddr *bound,
    struct guts_errinfo *ei);

/* What we listen on, as bound; and what we tell others (wildcards replaced by real addresses).  Returns the count. */
size_t guts_peers_listening(const struct guts_peers *p, struct guts_maddr *out, size_t max);
size_t guts_peers_addresses(const struct guts_peers *p, struct guts_maddr *out, size_t max);

/* Tell others one more address, of a port mapping; NULL: no longer. */
void guts_peers_set_external(struct guts_peers *p, const struct guts_maddr *addr);

/* Dial once.  Ends in `connected` or `dial_failed`; nothing more happens if the peer is connected already.
 * Errors: GUTS_EUNSUPPORTED (no TCP address), GUTS_EDENIED (banned), GUTS_EEXIST (connected or being dialled),
 * GUTS_ECONFLICT (this is us), GUTS_EBUSY (queue or slots full). */
int guts_peers_connect(struct guts_peers *p, const struct guts_maddr *addr);

/* Dial a known peer at the addresses in the book.  Errors: as above, GUTS_ENOTFOUND. */
int guts_peers_connect_id(struct guts_peers *p, const struct guts_peerid *id);

/* Dial a peer (address with /p2p), also at its addresses in the book, for a purpose of our own: ends in `connected` or
 * `unreached`, and is not shown among failed dials.  Errors: as guts_peers_connect, GUTS_EINVAL without /p2p. */
int guts_peers_reach(struct guts_peers *p, const struct guts_maddr *addr);

/* Are fewer links outbound, or being dialled, than are wanted? */
bool guts_peers_wants_outbound(const struct guts_peers *p);

/* Keep a peer (address with /p2p) connected with back-off until told otherwise.  Errors: GUTS_EINVAL without /p2p,
 * GUTS_ELIMIT (64 kept), GUTS_ECONFLICT (this is us). */
int guts_peers_keep(struct guts_peers *p, const struct guts_maddr *addr, bool keep);

/* Close the link.  Errors: GUTS_ENOTFOUND. */
int guts_peers_disconnect(struct guts_peers *p, const struct guts_peerid *id, const char *reason);

/* --- asking --- */

/* Is there a link in use; did the peer's identify name the protocol; how many peers are connected? */
bool guts_peers_is_connected(const struct guts_peers *p, const struct guts_peerid *id);
bool guts_peers_speaks(const struct guts_peers *p, const struct guts_peerid *id, const char *protocol);
size_t guts_peers_count(const struct guts_peers *p);

/* Walk connected peers in order of connecting: start with *it = NULL; false at the end.  No change in between. */
bool guts_peers_next(const struct guts_peers *p, const void **it, struct guts_peerid *id);

/* Snapshot of a connected peer.  Errors: GUTS_ENOTFOUND. */
int guts_peers_state(const struct guts_peers *p, const struct guts_peerid *id, struct guts_peer_state *out);

/* Append the signed peer record that a connected peer sent.  Errors: GUTS_ENOTFOUND. */
int guts_peers_record(const struct guts_peers *p, const struct guts_peerid *id, struct guts_buf *out);

/* Note how many repositories the peer says it has, for its state. */
void guts_peers_set_repositories(struct guts_peers *p, const struct guts_peerid *id, uint64_t n);

/* Note an address of `id` for the book, and who told it (a connected peer; NULL = nobody but us).  Errors: those of
 * guts_book_add, GUTS_ECONFLICT (this is us). */
int guts_peers_learn(struct guts_peers *p, const struct guts_peerid *id, const struct guts_maddr *addr,
    enum guts_book_via via, const struct guts_peerid *teller);

/* Note that the peer brought something new and wanted (message, record, objects): it is kept before others. */
void guts_peers_useful(struct guts_peers *p, const struct guts_peerid *id);

/* Is it one of those dialled first after a restart? */
bool guts_peers_is_anchor(const struct guts_peers *p, const struct guts_peerid *id);

/* Our id and the address book, lent until guts_peers_free. */
const struct guts_peerid *guts_peers_self(const struct guts_peers *p);
struct guts_book *guts_peers_book(struct guts_peers *p);

/* --- protocols and streams --- */

/* Serve *proto (borrowed until guts_peers_free) on inbound streams; connected peers are told by identify push.
 * Errors: GUTS_EEXIST, GUTS_ELIMIT. */
int guts_peers_handle(struct guts_peers *p, const struct guts_protocol *proto);

/* Stop serving it.  Errors: GUTS_ENOTFOUND. */
int guts_peers_unhandle(struct guts_peers *p, const char *id);

/* Open a stream to a connected peer, see guts_link_open_stream.  Names that identify showed to be missing are left
 * out.  Errors: GUTS_ENOTFOUND (not connected), GUTS_EUNSUPPORTED (identify shows none of them), GUTS_EBUSY, GUTS_ECLOSED. */
int guts_peers_open_stream(struct guts_peers *p, const struct guts_peerid *id, const char *const *protocols, size_t n,
    const struct guts_stream_events *ev, void *owner, struct guts_stream **out);

/* --- behaviour --- */

/* Spend `n` tokens of a class; false = over its rate: drop, or answer busy. */
bool guts_peers_take(struct guts_peers *p, const struct guts_peerid *id, enum guts_peer_class c, uint32_t n);

/* The peer broke a rule `count` times.  Its points are the table's (peer/offence.h); at GUTS_OFFENCE_BAN_AT it is banned for
 * the time the table says, twice as long each next time.  The link is closed in a later turn. */
void guts_peers_offend(struct guts_peers *p, const struct guts_peerid *id, enum guts_offence what, unsigned count);

/* How often since the start, by anybody; *last_wall_ns: when last, 0 = never. */
uint64_t guts_peers_offences(const struct guts_peers *p, enum guts_offence what, uint64_t *last_wall_ns);

/* Refuse a peer for `duration_ns` (0 = for good) and close its link.  Errors: GUTS_ELIMIT (4,096 bans). */
int guts_peers_ban(struct guts_peers *p, const struct guts_peerid *id, uint64_t duration_ns, const char *reason);

/* Errors: GUTS_ENOTFOUND. */
int guts_peers_lift(struct guts_peers *p, const struct guts_peerid *id);
bool guts_peers_is_banned(struct guts_peers *p, const struct guts_peerid *id);

/* Walk bans in force, like guts_peers_next. */
bool guts_peers_next_ban(struct guts_peers *p, const void **it, struct guts_peer_ban *out);

/* An address that is tried, waits for its next try, or failed lately. */
struct guts_peer_dial {
	struct guts_maddr addr;
	bool trying;
	unsigned failures;
	char reason[GUTS_PEER_REASON_MAX]; /* why the last try failed; empty = none did */
	uint64_t last_wall_ns, next_wall_ns; /* 0 = none */
};

/* Walk them, like guts_peers_next. */
bool guts_peers_next_dial(const struct guts_peers *p, const void **it, struct guts_peer_dial *out);

/* Counters since start, for metrics. */
struct guts_peers_stats {
	uint64_t accepted, accepted_refused, evicted, dialled, dial_failed, feelers, bans;
	uint64_t bytes_in, bytes_out; /* of closed and open links */
	size_t inbound, outbound, pending_in, pending_out;
	size_t unread_bytes;
};
void guts_peers_stats(const struct guts_peers *p, struct guts_peers_stats *out);

#endif
