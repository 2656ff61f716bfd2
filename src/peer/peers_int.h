/* peer/peers_int.h - what the files of the peer manager share.
 *
 *	peers.c     making, asking, protocols, streams
 *	listen.c    listeners, accepting, limits per address, our own addresses
 *	links.c     links that came up, went down, came twice
 *	dial.c      wishes to be linked, and trying
 *	autodial.c  whom we choose ourselves
 *	evict.c     who leaves when inbound slots are taken
 *	standing.c  score, bans, rates
 *	identify.c  identify, push; ping.c: ping
 *	book.c      the address book (its own headers), on netgroup.c
 *
 * Ownership: a plink belongs to its guts_link's life (accept or dial … down or close); an
 * entry exists while its peer has a link that is up.  Timers call back later, so nothing is
 * closed or told from inside a call of the owner: it is marked, and `tick` comes soon.
 */
#ifndef GUTS_PEER_PEERS_INT_H
#define GUTS_PEER_PEERS_INT_H

#include "base/ratelimit.h"
#include "base/rng.h"
#include "peer/peers.h"

#include <uthash.h>
#include <utlist.h>

#define PEERS_ID_IDENTIFY "/ipfs/id/1.0.0"
#define PEERS_ID_PUSH "/ipfs/id/push/1.0.0"
#define PEERS_ID_PING "/ipfs/ping/1.0.0"

#define PEERS_DIALS_MAX 256       /* waiting, running and lately failed */
#define PEERS_DIALING_MAX 8       /* at once */
#define PEERS_KEEP_MAX 64
#define PEERS_SELF_MAX 16         /* addresses at which we met ourselves */
#define PEERS_FOUND_MAX 8         /* addresses of ours that links showed */
#define PEERS_SEEN_MAX 16         /* addresses at which peers say they see us */
#define PEERS_SEEN_BY 2           /* peers that must agree */
#define PEERS_BANS_MAX 4096
#define PEERS_ACCOUNTS_MAX 4096
#define PEERS_IPS_MAX 4096
#define PEERS_ANCHORS_MAX 4       /* fewer than the slots kept for outbound links: they are not all that is */

struct peer_entry;
struct peer_dial;
struct identify_job;

/* One link, from dial or accept on. */
struct plink {
	struct guts_peers *p;
	struct guts_link *link;
	struct peer_entry *entry;     /* NULL before it is up */
	struct peer_dial *dial;       /* outbound, until up or down */
	struct peer_ip *ip;           /* inbound, counted there; NULL for loopback */
	bool inbound, up, is_feeler;
	uint64_t up_at_ns;
	uint64_t counted_in, counted_out; /* bytes already in the totals */
	unsigned in_streams[GUTS_PEERS_PROTOCOLS_MAX]; /* open, by index of the protocol */
	struct plink *prev, *next;
};

/* A connected peer. */
struct peer_entry {
	struct guts_peerid id;
	struct plink *active, *spare; /* spare: a second link, until it is clear which one stays */
	uint64_t spare_until_ns;
	uint64_t since_wall_ns, repositories;
	uint64_t useful, useful_at_ns; /* news it brought, and when last; 0 = none */
	bool identified, speaks_guts;
	char agent[GUTS_PEER_AGENT_MAX];
	struct guts_maddr addrs[GUTS_PEER_ADDRS_MAX];
	size_t n_addrs;
	uint8_t *record;              /* the signed peer record it sent, record_n bytes; NULL = none */
	size_t record_n;
	char *protocols[GUTS_PEER_PROTOCOLS_MAX];
	size_t n_protocols;
	bool close_due;               /* by the next tick */
	int close_err;
	char close_reason[GUTS_PEER_REASON_MAX];
	UT_hash_handle hh;
};

/* IDLE: a kept peer that is connected, or one that failed and is shown for a while. */
enum dial_state { DIAL_WAITS, DIAL_RESOLVES, DIAL_RUNS, DIAL_IDLE };

struct peer_dial {
	uint64_t id;
	struct guts_maddr addr;       /* as given; empty when dialled by id */
	struct guts_peerid peer;      /* n = 0: not known */
	bool keep;                    /* for as long as it is wanted; else once */
	bool is_auto;                 /* our own idea: failing is no news */
	bool is_feeler;               /* only to see whether it is there */
	enum dial_state state;
	bool mid_round;               /* DIAL_WAITS: for the next address of this round */
	unsigned failures;
	int last_err;                 /* of this round */
	uint64_t next_at_ns;          /* DIAL_WAITS: when; DIAL_IDLE of a once: when it is forgotten */
	uint64_t last_wall_ns;
	char reason[GUTS_PEER_REASON_MAX];
	struct guts_maddr tries[GUTS_BOOK_ADDRS_MAX]; /* addresses of this round, in order */
	size_t n_tries, try;
	struct guts_addrs resolved;   /* of tries[try], if it is a name */
	size_t resolved_at;
	struct plink *plink;          /* DIAL_RUNS */
	struct peer_dial *prev, *next;
};

/* A look-up under way; outlives the manager if it must. */
struct peer_resolve {
	struct guts_peers *p;         /* NULL: the manager is gone */
	uint64_t dial_id;
	struct peer_resolve *prev, *next;
};

/* What an address of the network may do. */
struct peer_ip {
	uint8_t key[16];              /* IPv4 mapped; IPv6: the /64 */
	unsigned links;
	struct guts_ratelimit rate;
	UT_hash_handle hh;
};

/* Standing of a peer, connected or not. */
struct peer_account {
	struct guts_peerid id;
	uint32_t points;              /* of misbehaviour, at `at_ns` */
	uint64_t at_ns;
	unsigned n_bans;
	struct guts_peer_offence recent[GUTS_PEER_OFFENCES_MAX]; /* the newest first */
	size_t n_recent;
	struct guts_ratelimit rate[GUTS_PEER_CLASS_COUNT];
	UT_hash_handle hh;
};

struct peer_ban_row {
	struct guts_peer_ban ban;
	UT_hash_handle hh;
};

/* Where a peer says it sees us; believed when PEERS_SEEN_BY of different hosts agree. */
struct peer_seen {
	struct guts_maddr ours;
	struct guts_maddr by[PEERS_SEEN_BY]; /* their hosts, port 0 */
	size_t n;
};

struct peer_listener {
	struct guts_listener *l;
	struct guts_maddr bound;
	bool wildcard;
};

struct guts_peers {
	struct guts_peers_config cfg;
	struct guts_env *env;
	const struct guts_peers_events *ev;
	void *owner;
	struct guts_link_context *ctx;
	struct guts_rng rng;              /* jitter and choices; seeded by env */
	struct guts_book *book;
	struct guts_timer timer;

	struct plink *plinks;             /* all */
	struct peer_entry *entries;       /* by id, in order of connecting */
	size_t n_pending_in, n_inbound, n_outbound; /* the last two: entries by their active link */
	struct peer_dial *dials;
	size_t n_dials, n_dialing;
	uint64_t next_dial_id, auto_at_ns, feeler_at_ns;
	struct guts_peerid anchors[PEERS_ANCHORS_MAX];
	size_t n_anchors;
	struct peer_resolve *resolves;

	const struct guts_protocol *protocols[GUTS_PEERS_PROTOCOLS_MAX]; /* NULL = free place */
	struct guts_protocol own[3];      /* identify, push, ping */
	struct identify_job *identify_jobs;
	bool push_due;
	uint64_t record_seq;

	struct peer_listener listeners[GUTS_PEERS_LISTEN_MAX];
	size_t n_listeners;
	struct guts_maddr announce[GUTS_PEERS_LISTEN_MAX];
	size_t n_announce;
	struct guts_maddr external;   /* n = 0: none */
	struct guts_maddr found[PEERS_FOUND_MAX]; /* host part of wildcards, with our port */
	size_t n_found;
	struct peer_seen seen[PEERS_SEEN_MAX];
	size_t seen_at;                   /* place that is written over next */
	struct guts_maddr self[PEERS_SELF_MAX];
	size_t n_self;

	struct peer_ip *ips;
	struct peer_account *accounts;    /* least recently used first */
	struct peer_ban_row *bans;
	uint64_t prune_at_ns;
	uint64_t offences[GUTS_OFFENCE_COUNT], offended_wall_ns[GUTS_OFFENCE_COUNT];
	struct guts_peers_stats stats;
};

/* peers.c */
struct peer_entry *peers_find(const struct guts_peers *p, const struct guts_peerid *id);
void peers_wake_at(struct guts_peers *p, uint64_t at_ns);
void peers_wake(struct guts_peers *p);
int peers_protocol_index(const struct guts_peers *p, const char *id);
bool entry_speaks(const struct peer_entry *e, const char *protocol);

/* listen.c */
void listen_deinit(struct guts_peers *p);
void listen_release_ip(struct plink *pl);
void listen_prune(struct guts_peers *p);
void listen_note_local(struct guts_peers *p, struct guts_link *l);
void listen_note_seen(struct guts_peers *p, const struct guts_maddr *seen, const struct guts_maddr *by);
size_t listen_addresses_for(const struct guts_peers *p, bool loopback, struct guts_maddr *out, size_t max);

/* links.c */
extern const struct guts_link_events peers_link_events;
void links_close(struct plink *pl, enum guts_goaway code);
void links_tick(struct guts_peers *p, uint64_t now, uint64_t *next);
void links_close_later(struct peer_entry *e, struct guts_peers *p, int err, const char *reason);
void links_count_bytes(struct plink *pl);
void entry_free(struct guts_peers *p, struct peer_entry *e);

/* dial.c */
void dial_deinit(struct guts_peers *p);
void dial_tick(struct guts_peers *p, uint64_t now, uint64_t *next);
void dial_succeeded(struct plink *pl);
void dial_failed(struct plink *pl, int err, const char *reason);
void dial_peer_gone(struct guts_peers *p, const struct guts_peerid *id, bool lasted);
/* Dial an entry of the book once, of our own accord. */
void dial_own(struct guts_peers *p, const struct guts_peerid *id, bool is_feeler);
bool dial_is_known(const struct guts_peers *p, const struct guts_peerid *id);

/* autodial.c */
void autodial_init(struct guts_peers *p);
void autodial_tick(struct guts_peers *p, uint64_t now, uint64_t *next);
void autodial_link_gone(struct guts_peers *p);
/* Close the youngest link of our own choice: a kept peer needs its slot. */
void autodial_give_up_one(struct guts_peers *p);
void autodial_note_anchors(struct guts_peers *p);

/* evict.c: who leaves for an inbound link from `newcomer`; NULL = nobody. */
struct peer_entry *evict_choose(const struct guts_peers *p, const struct guts_netgroup *newcomer);

/* standing.c */
void standing_load(struct guts_peers *p);
void standing_deinit(struct guts_peers *p);
void standing_prune(struct guts_peers *p);
int standing_score(struct guts_peers *p, const struct guts_peerid *id);
/* Score, bans and recent offences of out->id. */
void standing_fill(struct guts_peers *p, struct guts_peer_state *out);
/* Count an offence that has no peer yet. */
void standing_count(struct guts_peers *p, enum guts_offence what, unsigned count);

/* identify.c, ping.c */
void identify_init(struct guts_peers *p);
void identify_deinit(struct guts_peers *p);
void identify_ask(struct guts_peers *p, struct peer_entry *e);
void identify_push_all(struct guts_peers *p);
void ping_init(struct guts_peers *p);

#endif
