/* node/node.h - one node: peers, gossip and repositories wired together; commands, snapshots, events.
 *
 * What stands above (http, bridge) sees a node in three ways only:
 *   - snapshots: immutable values with a reference count, published by the loop at most every
 *     100 ms while something changes; taken and released from any thread;
 *   - commands: plain functions of the loop thread; other threads come in by guts_env_post;
 *   - events: facts (durable, numbered, read from the store after commit) and signals
 *     (fleeting, no number, at most 10 per second and subject).
 */
#ifndef GUTS_NODE_NODE_H
#define GUTS_NODE_NODE_H

#include "base/log.h"
#include "discover/kad.h"
#include "gossip/gossip.h"
#include "sync/checks.h"
#include "sync/sync.h"
#include "wire/multiaddr.h"

struct guts_node;

#define GUTS_NODE_ADDRESSES_MAX 8 /* to listen on, to announce */

/* Part of this node in the DHT; the choices of kad.mode are in this order. */
enum guts_dht_mode { GUTS_DHT_AUTO, GUTS_DHT_CLIENT, GUTS_DHT_SERVER, GUTS_DHT_OFF };

struct guts_node_setup {
	struct guts_env *env;
	struct guts_store *store;
	struct guts_repos *repos;
	struct guts_key key;
	const char *network;                /* "main" */
	const char *agent;                  /* "guts/0.1.0" */
	const struct guts_maddr *listen;    /* addresses to listen on */
	size_t nlisten;
	const struct guts_maddr *announce;  /* addresses to tell others besides those found; may be none */
	size_t nannounce;
	const struct guts_maddr *bootstrap; /* with peer ids */
	size_t nbootstrap;
	bool mdns;                          /* find nodes of the local network */
	bool portmap;                       /* ask the home router for a port */
	unsigned max_connections;           /* 50 */
	unsigned connection_timeout_ms;     /* 10,000 */
	unsigned keepalive_interval_ms;     /* 30,000 */
	enum guts_seed_default { GUTS_SEED_NONE, GUTS_SEED_FOLLOWED, GUTS_SEED_ALL } seed_default;
	uint64_t quota_total_bytes, quota_creator_bytes, quota_repo_bytes;
	unsigned quota_creator_repos, quota_new_per_hour;
	uint64_t pack_max_bytes;
	unsigned topics_max;                /* repositories with a topic of their own; 0 = 1,000 */
	bool gossip_keep;                   /* keep users' gossip messages for the API */
	unsigned gossip_expect;             /* messages expected in users' topics, see guts_gossip_expect */
	enum guts_dht_mode dht_mode;
	const char *dht_protocol;           /* NULL or empty = the network's own */
	bool dht_private;                   /* loopback and private addresses are taken and told whoever the other is */
	unsigned inventory_interval_ms;     /* 30,000: digests are compared with every neighbour */
};

/* Make a node; nothing runs yet.  Errors: text. */
int guts_node_new(struct guts_node **out, const struct guts_node_setup *s, struct guts_errinfo *ei);

/* Load the store, repair projections, listen, dial.  `ready` comes once: 0 or why not. */
void guts_node_start(struct guts_node *n, void (*ready)(void *owner, int err, const char *text), void *owner);

/* Stop taking new work, finish what is under way (≤ 10 s), close links; then `stopped`. */
void guts_node_stop(struct guts_node *n, void (*stopped)(void *owner), void *owner);
void guts_node_free(struct guts_node *n);

/* Take other limits and habits from a set-up: seed_default, quota_*, pack_max_bytes, gossip_keep, gossip_expect.  They hold for what
 * begins from now on; nothing that is kept goes.  Loop thread. */
void guts_node_tune(struct guts_node *n, const struct guts_node_setup *s);

/* What the node is made of, lent until guts_node_free; loop thread, except the store's reading functions and
 * the key. */
struct guts_sync *guts_node_sync(struct guts_node *n);
struct guts_store *guts_node_store(struct guts_node *n);
struct guts_env *guts_node_env(struct guts_node *n);
const struct guts_key *guts_node_key(const struct guts_node *n);

/* Who answers peers that ask about CI jobs (NULL = nobody), and hears of a repository that is removed.  Loop thread. */
typedef void guts_job_removed(void *owner, const uint8_t repo[GUTS_REPOID_SIZE]);
void guts_node_serve_jobs(struct guts_node *n, guts_job_source *source, guts_job_removed *removed, void *owner);

/* -- snapshots (any thread) -------------------------------------------------------------------- */

enum guts_direction { GUTS_INBOUND, GUTS_OUTBOUND };

struct guts_peer_info {
	struct guts_peerid id;
	char id_text[GUTS_PEERID_TEXT_SIZE];
	char **addrs;                  /* text */
	size_t naddrs;
	char *remote_addr;             /* of the link, text */
	enum guts_direction direction;
	char *transport;               /* "tcp" */
	char *agent;
	char **protocols;
	size_t nprotocols;
	bool speaks_guts;
	uint64_t connected_wall_ms, last_seen_wall_ms;
	uint64_t rtt_us;               /* 0 = not known */
	uint64_t bytes_in, bytes_out;
	int64_t score;                 /* misbehaviour points, 0 = clean */
	uint64_t repositories;         /* known to be seeded by it */
	unsigned bans;                 /* so far */
	uint64_t useful;               /* times it brought something new */
	size_t noffences;
	struct {
		const char *name, *text;   /* of the table */
		uint64_t count, points, last_wall_ms;
	} offences[8];                 /* recent ones, the newest first */
};
struct guts_ban_info {
	char id_text[GUTS_PEERID_TEXT_SIZE];
	char *reason;
	uint64_t since_wall_ms, until_wall_ms;
};
struct guts_offence_info { /* a row of the table of offences */
	const char *name, *text, *ends; /* ends: "message", "stream", "link", "ban" */
	unsigned points, ban_s;
	uint64_t count, last_wall_ms;  /* since the start; 0 = never */
};
struct guts_dial_info { /* address that is being tried or failed lately */
	char *addr;
	char *error;                   /* NULL while trying */
	uint64_t last_wall_ms, next_wall_ms;
	unsigned tries;
};
struct guts_topic_info {
	char *name;
	bool subscribed, is_user;      /* is_user: made by a user of this node, not by a repository */
	size_t peers, mesh, fanout;
	uint64_t delivered, duplicate, rejected, published, sent;
};
struct guts_snapshot {
	int refcount;                  /* private, atomic */
	uint64_t version;              /* rises with every change */
	uint64_t wall_ms;
	char id_text[GUTS_PEERID_TEXT_SIZE];
	const char *network, *agent;
	uint64_t started_wall_ms;
	bool ready, stopping;
	char **listen;                 /* multiaddrs with peer id, text */
	size_t nlisten;
	const char *reachability;      /* of the port mapping: "off", "asking", "mapped", "failed", "behind_nat" */
	uint64_t bytes_in, bytes_out, rate_in, rate_out; /* totals and [bytes/s] */
	uint64_t fact_oldest, fact_newest;
	uint64_t accepted, refused, evicted, dialled, dial_failures, feelers, bans_made; /* links and bans since the start */
	size_t npeers, nbans, ndials, nrepos, ntopics, nbook, nbook_tried, noffences;
	struct guts_peer_info *peers;  /* in order of connection */
	struct guts_ban_info *bans;
	struct guts_dial_info *dials;
	struct guts_offence_info *offences; /* the whole table */
	struct guts_repo_info **repos; /* sorted by id; all, private ones too: the reader filters */
	struct guts_topic_info *topics;
	struct guts_gossip_stats gossip;
	struct guts_gossip_thresholds thresholds;
	bool dht_is_on, dht_is_server;
	struct guts_kad_stats dht;
	void *mem;                     /* private */
};
struct guts_snapshot *guts_node_snapshot(struct guts_node *n); /* a new reference, never NULL */
/* Publish now what changed since the last one, so that who wrote can read it back.  Loop thread. */
void guts_node_snapshot_flush(struct guts_node *n);
void guts_snapshot_unref(struct guts_snapshot *s);
/* Repository of a snapshot by id, or NULL. */
struct guts_repo_info *guts_snapshot_repo(const struct guts_snapshot *s, const uint8_t id[GUTS_REPOID_SIZE]);
/* Repository by human path: owner = peer id text or alias; the first binding of (owner, name) wins. */
struct guts_repo_info *guts_snapshot_repo_by_path(const struct guts_snapshot *s, struct guts_slice owner,
    struct guts_slice name);

/* -- the address book (loop thread) ------------------------------------------------------------- */

#define GUTS_ADDRESSES_MAX 8       /* of one peer */

struct guts_address_info {
	uint64_t cursor;               /* rises in order of adding, while the node runs */
	char id_text[GUTS_PEERID_TEXT_SIZE], teller_text[GUTS_PEERID_TEXT_SIZE]; /* teller: empty = nobody but us */
	const char *source;            /* "configured", "signed", "identify", "mdns", "inbound", "exchange", "dht" */
	bool is_tried, is_connected, is_anchor, is_banned;
	uint64_t seen_wall_ms, worked_wall_ms, failed_wall_ms; /* the last two: 0 = never */
	unsigned failures;             /* since it last worked */
	size_t naddrs;
	struct {
		char text[GUTS_MADDR_TEXT_MAX];
		const char *source;
		char netgroup[24];
		uint64_t heard_wall_ms;
		unsigned failures;
	} addrs[GUTS_ADDRESSES_MAX];   /* the last that worked first */
};
struct guts_address_query {
	uint64_t after;                /* cursor */
	size_t max;
	const char *text;              /* part of a peer id or an address, or a netgroup; NULL = any */
	const char *source, *table;    /* "new", "tried"; NULL = any */
};
/* Entries that fit, in order of adding, until `row` says no; each is lent for the call. */
void guts_node_addresses(struct guts_node *n, const struct guts_address_query *q,
    bool (*row)(void *owner, const struct guts_address_info *a), void *owner);

/* -- events ------------------------------------------------------------------------------------ */

/* Is `type` one of a filter's pattern: itself, or "repo.*" for all that begin so?  Is it for administrators only: access,
 * configuration, webhooks, sinks, the log? */
bool guts_event_type_fits(const char *pattern, const char *type);
bool guts_event_needs_admin(const char *type);

/* A fleeting event; same attribute form as facts.  `subject` coalesces: of one type and subject at most 10/s go out,
 * the last one always does. */
struct guts_signal {
	const char *type;              /* "repo.sync.progress", "gossip.message", "node.rates", "log.line" */
	struct guts_slice repo, peer;
	const char *topic;             /* gossip topic or NULL */
	bool is_private;
	size_t n;
	struct guts_fact_attr attr[GUTS_FACT_ATTRS_MAX];
};
struct guts_node_listener {
	void (*facts)(void *owner, uint64_t first, uint64_t last); /* committed: read them from the store */
	void (*signal)(void *owner, const struct guts_signal *s);  /* valid during the call */
	void (*snapshot)(void *owner);                             /* a new snapshot was published */
	void *owner;
	struct guts_node_listener *next;                           /* private */
};
/* Hear events on the loop thread until removed; *l stays the caller's. */
void guts_node_listen(struct guts_node *n, struct guts_node_listener *l);
void guts_node_unlisten(struct guts_node *n, struct guts_node_listener *l);

/* Write a fact that belongs to no repository change (audit of a command, webhook, configuration). */
void guts_node_fact(struct guts_node *n, const struct guts_fact *f);
/* Tell the listeners of something fleeting that happens above the node; who tells bounds how often. */
void guts_node_signal(struct guts_node *n, const struct guts_signal *s);
/* A batch with facts that was committed above the node became durable: tell the listeners. */
void guts_node_announce(struct guts_node *n, uint64_t first, uint64_t last);

/* -- commands (loop thread) -------------------------------------------------------------------- */

typedef void guts_done_fn(void *owner, int err, const struct guts_errinfo *ei);

/* Dial an address (with or without /p2p/…) now and keep it if it has a peer id. */
void guts_node_peer_connect(struct guts_node *n, const struct guts_maddr *addr,
    void (*done)(void *owner, int err, const struct guts_errinfo *ei, const struct guts_peerid *peer), void *owner);
/* Close the link and do not dial again until asked.  GUTS_ENOTFOUND. */
int guts_node_peer_disconnect(struct guts_node *n, const struct guts_peerid *peer);
/* seconds 0 = for ever. */
void guts_node_peer_ban(struct guts_node *n, const struct guts_peerid *peer, const char *reason, uint64_t seconds,
    guts_done_fn *done, void *owner);
void guts_node_peer_lift(struct guts_node *n, const struct guts_peerid *peer, guts_done_fn *done, void *owner);

/* Users' topics: 1..128 bytes of clean text, not starting with "guts/".  Subscriptions survive restarts. */
void guts_node_subscribe(struct guts_node *n, const char *topic, bool on, guts_done_fn *done, void *owner);
/* Sign and publish a user message (≤ 16 KiB); id = message id hex (65 bytes). */
int guts_node_publish(struct guts_node *n, const char *topic, struct guts_slice data, char id[65],
    struct guts_errinfo *ei);

/* A topic and the peers that subscribe to it. */
struct guts_topic_member {
	struct guts_gossip_topic_peer peer;
	uint64_t mesh_since_wall_ms;   /* 0 = not in the mesh */
};
struct guts_topic_detail {
	struct guts_topic_info info;
	struct guts_topic_member *members; /* in order of appearance */
	size_t n;
};
/* One that we or a peer subscribe to, as it is now; give it to guts_topic_detail_deinit.  GUTS_ENOTFOUND. */
int guts_node_gossip_topic(struct guts_node *n, const char *topic, struct guts_topic_detail *out);
void guts_topic_detail_deinit(struct guts_topic_detail *d);

/* The peers of gossip with their scores, as they are now; *out is the caller's. */
size_t guts_node_gossip_peers(struct guts_node *n, struct guts_gossip_peer_info **out);

/* A kept gossip message. */
struct guts_user_message {
	uint64_t cursor;
	uint64_t wall_ms;
	const char *topic;
	char id[65];
	struct guts_peerid author;     /* signer */
	bool is_envelope;              /* author signed a Guts envelope; otherwise only gossipsub's `from` */
	struct guts_slice data;
};
/* Kept messages with cursor > after, oldest first, of one topic or all (NULL).  Thread: any. */
int guts_node_messages(struct guts_node *n, const char *topic, uint64_t after, size_t max,
    bool (*row)(void *owner, const struct guts_user_message *m), void *owner);

/* Import: make a repository and push all branches and tags of the git repository at `path` (a local directory, read with
 * git, or an address for guts_import_is_url, cloned with git) into it; a job with progress (signal "job.progress", fact "job.done"). */
struct guts_job_info {
	uint64_t id;
	char kind[16];                 /* "import" */
	char state[16];                /* "running", "done", "failed" */
	char phase[32];
	uint64_t bytes;                /* of the pack */
	uint64_t objects, objects_total; /* of this phase, as git tells them; 0 of 0: not known yet */
	uint8_t repo[GUTS_REPOID_SIZE];
	bool has_repo;
	char error[256];
	uint64_t started_wall_ms, ended_wall_ms;
};
int guts_node_import(struct guts_node *n, const char *path, const struct guts_repo_params *p, uint64_t *job,
    struct guts_errinfo *ei);
/* A copy of a job's state.  GUTS_ENOTFOUND.  At most 1,000 ended ones are remembered.  Thread: any. */
int guts_node_job(struct guts_node *n, uint64_t id, struct guts_job_info *out);

/* Local alias of an owner in paths, e.g. "alice" → peer id. */
void guts_node_alias(struct guts_node *n, const char *alias, const struct guts_peerid *peer, guts_done_fn *done,
    void *owner);

#endif
