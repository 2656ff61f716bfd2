/* discover/kad.h - Kademlia (kad-dht 1.0.0) as an object without I/O and clock.
 *
 * Messages, facts about connected peers and `now` come in; requests to peers, answers, results and
 * the next deadline go out.  Peers and keys live in one space, the SHA-256 of their bytes, ordered
 * by XOR with a key.
 *
 *	peer_up, peer_down ──► table ◄── who answered
 *	lookup ──► paths ──► next: request to a peer ──► answer, sent, failed ──► done
 *	serve: request of a peer ──► closest peers, providers, values ──► answer
 *	tick: refresh of buckets, deadlines, publishing again, expiry
 *
 * Only servers enter the table: peers whose identify names the protocol.  A lookup asks `alpha`
 * peers at once along disjoint paths: a peer belongs to the path that named it first, so that a
 * liar misleads only its own.  Callbacks come last, when the object is whole: all functions but
 * guts_kad_free may be called from them.  `now` is monotonic [ns] and never falls.  Same seed, same
 * calls: same bytes.
 *
 * Source: libp2p specs, kad-dht/README.md; S/Kademlia for the paths.
 */
#ifndef GUTS_DISCOVER_KAD_H
#define GUTS_DISCOVER_KAD_H

#include "base/buf.h"
#include "crypto/key.h"
#include "proto/libp2p.h"
#include "wire/multiaddr.h"

#define GUTS_KAD_K             20 /* contacts of a bucket, peers of an answer, holders of a record */
#define GUTS_KAD_KEY_SIZE      32  /* [bytes] place in the key space */
#define GUTS_KAD_CONTACT_ADDRS 8   /* addresses kept of one peer */
#define GUTS_KAD_BUCKETS       256 /* one per number of leading bits shared with us */
#define GUTS_KAD_RECV_MAX \
	(64u << 10) /* [bytes] of a message we take; we send GUTS_KAD_MESSAGE_MAX */
#define GUTS_KAD_VALUE_MAX      4096 /* [bytes] of a value: every one is a signed envelope */
#define GUTS_KAD_CANDIDATES_MAX 256  /* peers one lookup considers */

/* Namespaces of values; behind them the binary id.  See doc/protocol.md. */
#define GUTS_KAD_NS_PEER "/guts-peer/" /* peer id → newest signed peer record */
#define GUTS_KAD_NS_REPO "/guts-repo/" /* repository id → genesis record of a public repository */

struct guts_kad;

/* Limits and times; a member that is 0 gets the default in brackets. */
struct guts_kad_config {
	bool is_server;     /* serve others; see guts_kad_set_server */
	bool allow_private; /* take and tell loopback and private addresses whoever the other is */
	unsigned alpha,
		paths;       /* requests of a lookup at once; disjoint paths they follow [10, 5] */
	uint64_t request_ns; /* until a peer must have answered [10 s] */
	uint64_t lookup_ns;  /* until a lookup ends with what it has [60 s] */
	uint64_t refresh_ns; /* own id and every bucket are looked up [10 min] */
	uint64_t provider_ttl_ns;                /* [48 h] */
	uint64_t address_ttl_ns;                 /* addresses of a provider are told [24 h] */
	uint64_t value_ttl_ns;                   /* [48 h] */
	uint64_t republish_ns;                   /* less up to a tenth by chance [22 h] */
	uint64_t publish_gap_ns;                 /* between two publications [200 ms] */
	unsigned requests_per_s, requests_burst; /* taken from one peer [500, 2,000] */
	size_t lookups_max;                      /* under way [64] */
	size_t providers_max;                    /* records kept for others [16,384] */
	size_t providers_per_key_max, providers_per_peer_max; /* [128, 4,096] */
	size_t provider_bytes_max;                            /* [8 MiB] */
	size_t values_max, values_per_peer_max;               /* [4,096, 256] */
	size_t value_bytes_max;                               /* [8 MiB] */
	unsigned bucket_group_max,
		table_group_max; /* contacts of one network: IPv4 /16, IPv6 /32 [3, 10] */
};

/* A peer and where it is reached; a plain value. */
struct guts_kad_contact {
	struct guts_peerid id;
	struct guts_peerid told_by; /* n = 0: itself, or one that our table holds */
	size_t n_addrs;
	struct guts_maddr addrs[GUTS_KAD_CONTACT_ADDRS]; /* without /p2p */
};

/* Upward; members may be NULL. */
struct guts_kad_events {
	/* The value to publish under `key` now.  Errors: any; tried again later. */
	int (*value)(void *owner, struct guts_slice key, struct guts_buf *out);
	/* A connected peer broke a rule; it costs what base/err.h says. */
	void (*offence)(void *owner, const struct guts_peerid *peer, int err, const char *what);
};

/* cfg (NULL = all defaults) is copied; events are borrowed.  Owner: caller.  Below, `wall_ns` is
 * the wall time of `now` [ns since 1970]: it dates records. */
struct guts_kad *
guts_kad_new(const struct guts_kad_config *cfg, const struct guts_peerid *self, uint64_t seed,
	     const struct guts_kad_events *ev, void *owner, uint64_t now);
/* Lookups under way end without a word. */
void guts_kad_free(struct guts_kad *k);

/* --- facts --- */

void guts_kad_set_server(struct guts_kad *k, bool is_server);
bool guts_kad_is_server(const struct guts_kad *k);

/* Where others reach us; of these each is told what it may know. */
void guts_kad_set_addresses(struct guts_kad *k, const struct guts_maddr *addrs, size_t n);

enum guts_kad_role {
	GUTS_KAD_UNKNOWN, /* its identify did not come yet */
	GUTS_KAD_CLIENT,
	GUTS_KAD_SERVER, /* its identify names the protocol */
};

/* A connected peer, or new facts about it: where it says it listens, where its link ends. */
void guts_kad_peer_up(struct guts_kad *k, const struct guts_kad_contact *c,
		      const struct guts_maddr *remote, enum guts_kad_role role, uint64_t now);
void guts_kad_peer_down(struct guts_kad *k, const struct guts_peerid *id, uint64_t now);

/* --- serving --- */

/* One message of a connected peer: append the framed answer, if there is one, to `out`.  Errors
 * (reset the stream; the offence was told): GUTS_EPROTO, GUTS_ELIMIT, GUTS_EDENIED (provider is not
 * the sender), GUTS_ESIG and others of a value that is not valid; without offence: GUTS_ENOTFOUND
 * (not connected), GUTS_EBUSY (over its rate), GUTS_EUNSUPPORTED (we are a client, or a namespace
 * or type that we do not know). */
int guts_kad_serve(struct guts_kad *k, const struct guts_peerid *from, struct guts_slice message,
		   struct guts_buf *out, uint64_t wall_ns, uint64_t now);

/* --- asking --- */

/* What is to be done, from guts_kad_next. */
struct guts_kad_out {
	bool is_drop;     /* nobody waits for `request` any more; else send it */
	uint64_t request; /* number */
	struct guts_kad_contact to;
	struct guts_slice frame; /* borrowed until the next call on the object */
	bool is_answered;        /* guts_kad_answer is expected, else guts_kad_sent */
};

/* The next thing to do; false = none.  To be called until then after every other call, but not from
 * callbacks. */
bool guts_kad_next(struct guts_kad *k, struct guts_kad_out *out);

/* How the request ended: the peer's answer (a message without its frame), given to a stream (only
 * of those without an answer), or not.  Numbers that are not known any more are passed over. */
void guts_kad_answer(struct guts_kad *k, uint64_t request, struct guts_slice message,
		     uint64_t wall_ns, uint64_t now);
void guts_kad_sent(struct guts_kad *k, uint64_t request, uint64_t now);
void guts_kad_failed(struct guts_kad *k, uint64_t request, int err, uint64_t now);
/* The stream was ended before it was read, as an idle one may be: send it once more, on a new one.
 */
void guts_kad_retry(struct guts_kad *k, uint64_t request, uint64_t now);

enum guts_kad_kind {
	GUTS_KAD_FIND_PEER,      /* `key` = peer id: is it there, and where */
	GUTS_KAD_FIND_CLOSEST,   /* `key` = any bytes: the k servers closest to it */
	GUTS_KAD_FIND_PROVIDERS, /* `key` = multihash of a repository id, see guts_kad_provider_key
				  */
	GUTS_KAD_FIND_VALUE,     /* `key` = namespace and id */
	GUTS_KAD_PROVIDE,        /* tell the k closest that we have it; `key` as FIND_PROVIDERS */
	GUTS_KAD_STORE,          /* give the k closest `value` */
	GUTS_KAD_KINDS,
};
const char *guts_kad_kind_name(enum guts_kad_kind kind); /* e.g. "find_peer" */

struct guts_kad_goal {
	enum guts_kad_kind kind;
	struct guts_slice key, value;
	size_t want; /* FIND_PROVIDERS: enough of them [20]; FIND_VALUE: enough equal answers [1
		      * where the value cannot change, else all] */
};

/* One peer that a lookup asked. */
struct guts_kad_hop {
	struct guts_peerid id;
	unsigned path;            /* 0.. */
	unsigned shared;          /* leading bits of its place equal to the key's */
	int err;                  /* 0 = answered; GUTS_EAGAIN = was not waited for */
	uint64_t at_ns, rtt_ns;   /* since the lookup began; until its answer or failure */
	size_t closer, providers; /* peers it named */
	bool has_value;
};

/* How a lookup ended; borrowed for the call. */
struct guts_kad_result {
	uint64_t number;
	enum guts_kad_kind kind;
	int err;          /* 0; GUTS_ENOTFOUND no such peer, provider, value, or nobody to ask */
	size_t n_closest; /* that answered, closest first */
	const struct guts_kad_contact *closest; /* FIND_PEER: [0] is the peer itself, if err = 0 */
	size_t n_providers;
	const struct guts_kad_contact *providers;
	struct guts_slice value;
	size_t n_stored; /* PROVIDE, STORE: peers that were given it */
	size_t n_hops;
	const struct guts_kad_hop *hops; /* in the order of asking */
	uint64_t took_ns;
};
typedef void guts_kad_done_fn(void *owner, const struct guts_kad_result *r);

/* Begin a lookup; `done` comes once, not from inside this call; *number (may be NULL) names it
 * until then.  Errors: GUTS_EBUSY (too many under way), GUTS_EINVAL (key), and those of the
 * validator for STORE. */
int guts_kad_lookup(struct guts_kad *k, const struct guts_kad_goal *goal, guts_kad_done_fn *done,
		    void *owner, uint64_t wall_ns, uint64_t now, uint64_t *number);
/* End it; `done` does not come.  Errors: GUTS_ENOTFOUND. */
int guts_kad_cancel(struct guts_kad *k, uint64_t number);

/* Keys: `12 20 <sha256>` of a repository's id; a namespace and an id.  `out` ≥ GUTS_KAD_KEY_MAX;
 * returns its view. */
struct guts_slice
guts_kad_provider_key(uint8_t out[GUTS_KAD_KEY_MAX], const uint8_t repo[GUTS_REPOID_SIZE]);
struct guts_slice
guts_kad_value_key(uint8_t out[GUTS_KAD_KEY_MAX], const char *ns, struct guts_slice id);

/* Keep a key published until told otherwise: as its provider, or (a namespace) with the value that
 * events.value gives.  Spread over time, and given to new servers that are close to it.  Errors:
 * GUTS_EINVAL, GUTS_ELIMIT (32,768), GUTS_ENOTFOUND (to stop). */
int guts_kad_publish(struct guts_kad *k, struct guts_slice key, bool on, uint64_t now);
/* Its value has changed: publish it soon.  Errors: GUTS_ENOTFOUND. */
int guts_kad_publish_again(struct guts_kad *k, struct guts_slice key, uint64_t now);

/* Is `value` what belongs under `key`; of two the one with the higher *rank is kept.  Errors:
 * GUTS_EUNSUPPORTED (namespace), GUTS_EPROTO, GUTS_EDENIED (of another, or of a private
 * repository), GUTS_ESIG, GUTS_EFUTURE, GUTS_ELIMIT. */
int guts_kad_value_check(struct guts_slice key, struct guts_slice value, uint64_t wall_ns,
			 uint64_t *rank);

/* --- time --- */

/* Do what is due; call it at or after the deadline [monotonic ns]. */
void guts_kad_tick(struct guts_kad *k, uint64_t wall_ns, uint64_t now);
uint64_t guts_kad_deadline(const struct guts_kad *k);

/* Look up our own id and every bucket now. */
void guts_kad_refresh(struct guts_kad *k, uint64_t now);

/* --- persistence --- */

/* Append the table; take it back (contacts are asked before they are told to others).  Rows that do
 * not decode are left out. */
int guts_kad_save(const struct guts_kad *k, struct guts_buf *out);
void guts_kad_load(struct guts_kad *k, struct guts_slice saved, uint64_t now);

/* --- looking --- */

struct guts_kad_entry { /* of the table */
	struct guts_kad_contact contact;
	unsigned bucket; /* leading bits its place shares with ours */
	bool is_connected;
	bool is_verified;  /* answered since the start */
	uint64_t seen_ns;  /* last answer [monotonic]; 0 = not since the start */
	uint64_t rtt_ns;   /* of the last answer; 0 = none */
	unsigned failures; /* since the last answer */
};
/* Walk the table from bucket 0 on: start with *it = NULL, false at the end.  No change in between.
 */
bool guts_kad_next_entry(const struct guts_kad *k, const void **it, struct guts_kad_entry *out);

/* Providers of a key as this node knows them by itself.  Returns how many of `max` it wrote. */
size_t guts_kad_providers(const struct guts_kad *k, struct guts_slice key,
			  struct guts_kad_contact *out, size_t max, uint64_t now);

struct guts_kad_stats {
	size_t contacts, spares, buckets; /* in use */
	size_t peers, lookups, requests;  /* connected; under way */
	size_t published, unpublished; /* keys kept published; of those not given to anybody yet */
	size_t providers, provider_keys, provider_bytes, values, value_bytes;
	uint64_t started[GUTS_KAD_KINDS], succeeded[GUTS_KAD_KINDS];
	uint64_t sent, answered, failed, timed_out;   /* requests of ours */
	uint64_t served[GUTS_KAD_PING + 1];           /* by type of message */
	uint64_t refused;                             /* requests of others: rate, rules, caps */
	uint64_t addresses_refused, contacts_refused; /* by the filter, by diversity */
};
void guts_kad_stats(const struct guts_kad *k, struct guts_kad_stats *out);

#endif
