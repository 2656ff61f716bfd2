/* tests/sim/gossip_net.h - gossip objects joined by modelled links in virtual time.
 *
 * Links have latency and keep order; whole RPCs are lost with a probability, except those with
 * subscriptions, which a stream would never lose while it stands; a partition drops everything
 * between two groups without closing anything.  Same seed, same run.
 *
 * A node sends frame by frame, to the peers in turn, and no frame before the one before it has left by its uplink.
 */
#ifndef GUTS_TESTS_GOSSIP_NET_H
#define GUTS_TESTS_GOSSIP_NET_H

#include "base/rng.h"
#include "gossip/gossip.h"

#include <uthash.h>

#define GNET_MS           UINT64_C(1000000)
#define GNET_S            (1000 * GNET_MS)
#define GNET_MESSAGES_MAX 256

struct gnet;

struct gnet_node {
	struct gnet *net;
	struct guts_gossip *g;
	struct guts_key key;
	uint32_t index;
	unsigned group;                 /* of the partition */
	bool down;                      /* crashed: hears and says nothing, its peers do not know */
	bool mute;                      /* hears, relays nothing */
	uint64_t tick_at;               /* queued tick */
	uint32_t *outbox;               /* peers with output, in turn */
	size_t outbox_n, outbox_max;
	uint64_t uplink_free;           /* its last frame has left */
	bool uplink_waits;              /* an event is queued for then */
	uint8_t got[GNET_MESSAGES_MAX]; /* deliveries per message */
	uint64_t got_at[GNET_MESSAGES_MAX];
	uint8_t hops[GNET_MESSAGES_MAX]; /* links it came over */
	uint64_t delivered, offences;
	enum guts_gossip_offence last_offence;
	UT_hash_handle hh;              /* by id */
};

struct gnet_link {
	uint32_t a, b; /* a dialled b */
	uint64_t latency_ns;
	uint64_t last[2]; /* order per direction */
};

struct gnet {
	struct guts_rng rng;
	uint64_t now;
	size_t n;
	struct gnet_node *nodes, *by_id;
	struct gnet_link *links;
	size_t n_links;
	void *index; /* private: link by pair */
	void *heap;  /* private */
	size_t heap_n, heap_max;
	uint64_t sequence, events;
	unsigned loss_permille;
	uint64_t uplink_bytes_per_s; /* of every node; 0 = no limit */
	bool partitioned;
	uint64_t lost;
	size_t messages; /* published so far */
	uint64_t published_at[GNET_MESSAGES_MAX];
	uint32_t author[GNET_MESSAGES_MAX];
	bool check; /* invariants after every event */
};

/* n nodes without links; all subscribe to "t". */
void gnet_init(struct gnet *net, size_t n, uint64_t seed, const struct guts_gossip_config *cfg);
void gnet_deinit(struct gnet *net);

/* A link with random latency of 20 to 120 ms; both sides know of it at once. */
void gnet_connect(struct gnet *net, uint32_t a, uint32_t b);
void gnet_disconnect(struct gnet *net, uint32_t a, uint32_t b);

/* Ring plus random links until the mean degree is `degree`. */
void gnet_connect_random(struct gnet *net, unsigned degree);

/* Let virtual time pass until `until` [ns]. */
void gnet_run(struct gnet *net, uint64_t until);

/* The node publishes message number net->messages (its number, and `size` bytes in all). */
void gnet_publish(struct gnet *net, uint32_t node, size_t size);

/* Nodes that are up and lack a message, over all messages; doubles count too. */
size_t gnet_missing(const struct gnet *net);

/* The hops that so many percent of all deliveries needed at most. */
unsigned gnet_hops(const struct gnet *net, unsigned percent);

/* Sum over all nodes. */
void gnet_stats(const struct gnet *net, struct guts_gossip_stats *out);

/* SHA-256 over what every node delivered and when. */
void gnet_digest(const struct gnet *net, uint8_t out[32]);

/* What must hold in a gossip object at any time between calls; aborts with a line if not. */
void gossip_check(const struct guts_gossip *g);

#endif
