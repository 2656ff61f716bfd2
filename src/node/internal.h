/* node/internal.h - what the files of this folder share; nobody else includes it.
 *
 *	node.c      make, start, stop; events of the peer manager
 *	neighbour.c the /guts/node stream with each Guts peer: Hello, Ping, what gossip does not carry
 *	pubsub.c    gossipsub on streams; topics of repositories; validation
 *	dht.c       Kademlia on streams; dhtuse.c: what it is used for
 *	gossiplook.c what gossip knows, as values
 *	topics.c    users' topics and messages
 *	swarm.c     topics of repositories, links to others that seed them
 *	policy.c    which repositories this node keeps
 *	events.c    facts and signals to the listeners
 *	snapshot.c  values for other threads
 *	command.c   commands about peers and owners
 *	addresses.c the address book, shown
 *	offence.c   broken rules: from gossip, sync and DHT, to listeners
 *	import.c    repositories from a folder of this machine
 *	reach.c     mDNS, port mapping
 *	persist.c   address book and subscriptions in the store
 */
#ifndef GUTS_NODE_INTERNAL_H
#define GUTS_NODE_INTERNAL_H

#include "base/ratelimit.h"
#include "discover/bootstrap.h"
#include "discover/mdnslan.h"
#include "discover/portmap.h"
#include "gossip/gossip.h"
#include "gossip/idset.h"
#include "node/node.h"
#include "peer/peers.h"
#include "proto/messages.h"
#include "proto/usermsg.h"

#include <pthread.h>
#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

#define GUTS_SNAPSHOT_NS (100 * GUTS_MS_NS)   /* snapshots are this far apart at least */
#define GUTS_RATES_NS (2 * GUTS_SECOND_NS)    /* byte counters are looked at */
#define GUTS_DIGEST_NS (300 * GUTS_MS_NS)     /* a changed inventory is told after this */
#define GUTS_STOP_NS (10 * GUTS_SECOND_NS)    /* a stop waits for changes no longer */
#define GUTS_DIALS_MAX 64                     /* failed or running dials shown */
#define GUTS_CONNECTS_MAX 32                  /* connect commands that wait for an answer */
#define GUTS_SUBJECTS_MAX 512                 /* signals that are held back */
#define GUTS_TOPICS_REPO_MAX 1000             /* repositories with a topic */
#define GUTS_TOPICS_USER_MAX 256              /* users' topics */
#define GUTS_MESSAGES_KEPT 1000               /* users' messages kept for the API */
#define GUTS_JOBS_KEPT 1000
#define GUTS_OFFERS_MAX 4096                  /* peers and creators counted by policy */

/* A connected peer that speaks /guts/node. */
struct guts_nodepeer {
	struct guts_node *node;
	struct guts_peerid id;
	struct guts_stream *stream;      /* NULL before it is opened */
	bool is_dialer;                  /* we open the stream and say Hello first */
	bool is_up;                      /* Hello went both ways */
	bool is_foreign;                 /* belongs to another network */
	uint64_t ping_at_ns, pinged_ns, deadline_ns;
	uint64_t nonce;
	uint8_t told[32];                /* the inventory digest it heard from us last */
	struct guts_msg_limits limits;
	UT_hash_handle hh;
};

struct guts_connect { /* a connect command that waits */
	struct guts_maddr addr;          /* without /p2p */
	struct guts_peerid peer;         /* n = 0: any */
	uint64_t until_ns;
	void (*done)(void *owner, int err, const struct guts_errinfo *ei, const struct guts_peerid *peer);
	void *owner;
	struct guts_connect *prev, *next;
};

struct guts_dial_note {
	struct guts_maddr addr;
	char error[160];
	uint64_t last_wall_ns;
	unsigned tries;
};

struct guts_subject;
struct guts_offer;
struct guts_pubsub;
struct guts_dht;
struct guts_topic_user;
struct guts_swarm;
struct guts_job_entry;

struct guts_node {
	struct guts_node_setup s;
	char *network, *agent, *dht_protocol;
	struct guts_env *env;
	struct guts_peers *peers;
	struct guts_bootstrap *bootstrap;
	struct guts_mdnslan *mdns;             /* NULL: off */
	struct guts_portmap *portmap;          /* NULL: off */
	struct guts_sync *sync;
	struct guts_pubsub *pubsub;
	struct guts_dht *dht;
	struct guts_nodepeer *nodepeers;       /* uthash by id */
	guts_job_source *ci_source;        /* answers for CI jobs; NULL = none */
	guts_job_removed *ci_removed;      /* set as it is */
	void *ci_owner;
	struct guts_node_listener *listeners;
	bool is_ready, is_stopping;
	uint64_t started_wall_ms;

	void (*ready)(void *owner, int err, const char *text);
	void *ready_owner;
	void (*stopped)(void *owner);
	void *stopped_owner;
	uint64_t stop_until_ns;

	struct guts_timer tick;                /* pings, deadlines, stop, connects, rates */
	struct guts_timer snap;                /* next snapshot */
	struct guts_timer signal_timer;
	struct guts_timer gossip_timer;
	uint64_t rates_at_ns, digest_at_ns, rates_prev_ns;
	uint64_t bytes_in_prev, bytes_out_prev, rate_in, rate_out;

	pthread_mutex_t snapshot_lock;         /* guards the pointer only */
	struct guts_snapshot *snapshot;
	uint64_t snapshot_version, snapshot_ns;
	bool dirty;

	struct guts_connect *connects;
	size_t nconnects;
	struct guts_dial_note dials[GUTS_DIALS_MAX];
	size_t ndials;
	struct guts_subject *subjects;
	struct guts_offer *offers;
	struct guts_ratelimit refusals;        /* that are told */
	struct guts_topic_user *topics;
	uint64_t message_cursor, message_oldest, user_sequence;
	struct guts_idset messages_kept;       /* ids of the users' messages in the store */
	struct guts_swarm *swarms, *swarms_hot, *swarms_cold; /* all by id; with a topic; without */
	size_t nswarms_hot;
	uint64_t swarm_at_ns, swarm_step_ns;   /* when seeders are looked for; and how long after that again */
	pthread_mutex_t jobs_lock;
	struct guts_job_entry *jobs;
	size_t njobs;
	uint64_t job_number;
	struct guts_protocol protocols[2];     /* /guts/node, /guts/sync */
};

/* -- node.c -- */
void guts_node_rearm(struct guts_node *n);

/* -- neighbour.c -- */
void guts_neighbour_register(struct guts_node *n);
/* The peer is identified: open the stream if it is ours to open. */
void guts_neighbour_identified(struct guts_node *n, const struct guts_peerid *peer);
void guts_neighbour_gone(struct guts_node *n, const struct guts_peerid *peer);
struct guts_nodepeer *guts_neighbour_find(struct guts_node *n, const struct guts_peerid *peer);
void guts_neighbours_stop(struct guts_node *n);
uint64_t guts_neighbour_tick(struct guts_node *n, uint64_t now); /* returns the next deadline */
/* Tell every neighbour our digest soon. */
void guts_neighbour_digest_changed(struct guts_node *n);
/* NewRepository, NewCommit, NewStatus sent to us directly. */
void guts_neighbour_direct(struct guts_node *n, struct guts_nodepeer *p, const struct guts_msg_node *m);
/* Send a gossip message by the node door.  Errors: GUTS_ENOTFOUND, those of guts_stream_send. */
int guts_neighbour_send_gossip(struct guts_node *n, const struct guts_peerid *peer, const struct guts_msg_gossip *m);

/* -- pubsub.c -- */
void guts_pubsub_new(struct guts_node *n);
/* End its streams, while the links are still there; free the rest after them. */
void guts_pubsub_stop(struct guts_node *n);
void guts_pubsub_free(struct guts_node *n);
void guts_pubsub_register(struct guts_node *n);
void guts_pubsub_identified(struct guts_node *n, const struct guts_peerid *peer);
void guts_pubsub_gone(struct guts_node *n, const struct guts_peerid *peer);
void guts_pubsub_topic(struct guts_node *n, const char *topic, bool on);
/* What peers have to bring of a topic that is subscribed, see guts_gossip_expect. */
void guts_pubsub_expect(struct guts_node *n, const char *topic, unsigned deliveries);
/* Errors: GUTS_ELIMIT; `id` gets the message id. */
int guts_pubsub_publish(struct guts_node *n, const char *topic, struct guts_slice data, uint8_t id[32]);
void guts_pubsub_verdict(struct guts_node *n, uint64_t ticket, enum guts_verdict v);
/* A Gossip message that came by the node door. */
void guts_pubsub_inject(struct guts_node *n, const struct guts_peerid *from, const struct guts_msg_gossip *m);
struct guts_gossip *guts_pubsub_gossip(struct guts_node *n);

/* -- gossiplook.c -- */
/* The topics we subscribe to; *out and the names in it are the caller's. */
size_t guts_pubsub_topics(struct guts_node *n, struct guts_topic_info **out);
void guts_pubsub_stats(struct guts_node *n, struct guts_gossip_stats *out, struct guts_gossip_thresholds *thresholds);

/* -- dht.c, dhtuse.c -- */
void guts_dht_new(struct guts_node *n);
/* Repositories are loaded, listeners are open. */
void guts_dht_start(struct guts_node *n);
/* End its streams, while the links are still there; free the rest after them. */
void guts_dht_stop(struct guts_node *n);
void guts_dht_free(struct guts_node *n);
void guts_dht_connected(struct guts_node *n, const struct guts_peerid *peer, bool inbound);
void guts_dht_identified(struct guts_node *n, const struct guts_peerid *peer);
void guts_dht_gone(struct guts_node *n, const struct guts_peerid *peer);
void guts_dht_unreached(struct guts_node *n, const struct guts_peerid *peer, int err);
void guts_dht_addresses(struct guts_node *n);
/* A repository came or changed, or went: publish it, or no longer. */
void guts_dht_repo(struct guts_node *n, const struct guts_repo *r);
void guts_dht_repo_gone(struct guts_node *n, const struct guts_repo *r);
/* Look for who has it. */
void guts_dht_wanted(struct guts_node *n, const uint8_t id[GUTS_REPOID_SIZE]);
/* Its figures, for a snapshot. */
void guts_dht_figures(struct guts_node *n, struct guts_snapshot *s);
/* Put the routing table into the last batch of a clean stop. */
void guts_dht_save(struct guts_node *n, struct guts_batch *b);

/* -- topics.c -- */
void guts_topics_load(struct guts_node *n);
void guts_topics_free(struct guts_node *n);
/* Expect of all what the set-up says now. */
void guts_topics_expect(struct guts_node *n);
bool guts_topics_has(struct guts_node *n, struct guts_slice topic);
/* A message on a user's topic; how it is to be treated. */
enum guts_verdict guts_topics_heard(struct guts_node *n, struct guts_slice topic, const struct guts_peerid *from,
    struct guts_slice data, const uint8_t id[32]);

/* -- swarm.c -- */
/* A repository came, went, changed; private ones have no topic. */
void guts_swarm_add(struct guts_node *n, const struct guts_repo *r);
void guts_swarm_remove(struct guts_node *n, const struct guts_repo *r);
void guts_swarm_touch(struct guts_node *n, const struct guts_repo *r);
/* All repositories there are, the last changed ones hot. */
void guts_swarm_load(struct guts_node *n);
void guts_swarm_free(struct guts_node *n);
/* The user does not want a link to this peer. */
void guts_swarm_forget(struct guts_node *n, const struct guts_peerid *peer);
/* A peer came or went: count seeders soon. */
void guts_swarm_peers_changed(struct guts_node *n);
uint64_t guts_swarm_tick(struct guts_node *n, uint64_t now); /* returns the next deadline */

/* -- policy.c -- */
void guts_policy_new(struct guts_node *n);
int guts_policy_may_seed(void *owner, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_peerid *creator,
    const struct guts_peerid *from, struct guts_errinfo *why);
void guts_policy_free(struct guts_node *n);

/* -- events.c -- */
void guts_events_facts(struct guts_node *n, uint64_t first, uint64_t last);
void guts_events_signal(struct guts_node *n, const struct guts_signal *s, bool coalesce);
void guts_events_free(struct guts_node *n);
struct guts_fact_attr guts_node_attr(const char *name, const char *text);
struct guts_fact_attr guts_node_attr_num(const char *name, uint64_t v);
/* Write one fact about a peer. */
void guts_node_peer_fact(struct guts_node *n, const char *type, const struct guts_peerid *peer,
    const struct guts_fact_attr *attrs, size_t nattrs);

/* -- reach.c -- */
/* After the listeners; then at the stop, after which `busy` tells whether the router was not told yet. */
void guts_reach_start(struct guts_node *n);
void guts_reach_stop(struct guts_node *n);
bool guts_reach_is_busy(const struct guts_node *n);
void guts_reach_free(struct guts_node *n);

/* -- snapshot.c -- */
void guts_snapshot_dirty(struct guts_node *n);
void guts_snapshot_publish(struct guts_node *n);
void guts_node_rates(struct guts_node *n, uint64_t now);

/* -- command.c -- */
void guts_command_connected(struct guts_node *n, const struct guts_peerid *peer);
void guts_command_dial_failed(struct guts_node *n, const struct guts_maddr *addr, int err, const char *reason);
uint64_t guts_command_tick(struct guts_node *n, uint64_t now);
void guts_command_free(struct guts_node *n);

/* -- offence.c -- */
void guts_offence_gossip(struct guts_node *n, const struct guts_peerid *peer, enum guts_gossip_offence what, unsigned count);
void guts_offence_sync(struct guts_node *n, const struct guts_peerid *peer, int err);
void guts_offence_dht(struct guts_node *n, const struct guts_peerid *peer, int err);
void guts_offence_tell(struct guts_node *n, const struct guts_peerid *peer, enum guts_offence what, unsigned points,
    int score);
size_t guts_offence_fill(struct guts_node *n, struct guts_offence_info **out);

/* -- persist.c -- */
struct guts_book_store guts_persist_book(struct guts_node *n);
void guts_persist_put(struct guts_node *n, enum guts_table t, struct guts_slice key, struct guts_slice value,
    guts_done_fn *done, void *owner);

/* -- import.c -- */
void guts_jobs_free(struct guts_node *n);

#endif
