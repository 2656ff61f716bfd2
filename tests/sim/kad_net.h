/* tests/sim/kad_net.h - Kademlia objects joined by a model network, and a checker of one object's
 * invariants. */
#ifndef GUTS_TESTS_KAD_NET_H
#define GUTS_TESTS_KAD_NET_H

#include "discover/kad.h"

#define KAD_NET_MAX 512
#define KAD_NET_S   UINT64_C(1000000000)

struct kad_net;
struct kad_net_event;

struct kad_net_node {
	struct kad_net *net;
	struct guts_kad *kad;
	unsigned place;
	struct guts_key key;
	struct guts_maddr addr;
	bool is_up, is_server;
	bool is_mute;            /* takes requests and answers nothing */
	bool links[KAD_NET_MAX]; /* connected to */
	size_t offences;
	int last_offence;
	struct guts_slice published; /* what events.value gives */
};

struct kad_net {
	unsigned n;
	struct kad_net_node *nodes;
	struct guts_kad_config cfg; /* of nodes that are started */
	struct guts_rng *rng;
	uint64_t now, latency_ns; /* one way, ± half [20 ms] */
	struct kad_net_event *events;
	uint64_t messages, bytes;
	/* Change an answer on its way; may be NULL. */
	void (*tamper)(struct kad_net *net, unsigned from, struct guts_buf *message);
};

/* `n` places, none up.  Node i is in a network of its own if `is_spread`, else all share one
 * machine. */
void kad_net_init(struct kad_net *net, unsigned n, uint64_t seed, bool is_spread);
void kad_net_deinit(struct kad_net *net);

/* Start a node with an empty table, end it. */
void kad_net_up(struct kad_net *net, unsigned place, bool is_server);
void kad_net_down(struct kad_net *net, unsigned place);

/* Link two running nodes; both hear of it. */
void kad_net_link(struct kad_net *net, unsigned a, unsigned b);

/* Go on until `at_ns`, or until *stop. */
void kad_net_run(struct kad_net *net, uint64_t at_ns, const bool *stop);

/* Start all places as servers, each linked to one before it, and let them find each other. */
void kad_net_grow(struct kad_net *net);

/* What a lookup came to, copied. */
struct kad_net_result {
	bool is_done;
	int err;
	size_t n_closest, n_providers, n_hops, n_stored;
	struct guts_kad_contact closest[GUTS_KAD_K], providers[GUTS_KAD_K];
	struct guts_kad_hop hops[GUTS_KAD_CANDIDATES_MAX];
	uint8_t value[GUTS_KAD_VALUE_MAX];
	size_t value_n;
	uint64_t took_ns;
};

/* Begin a lookup at `place` and run until it is done. */
int kad_net_lookup(struct kad_net *net, unsigned place, enum guts_kad_kind kind,
		   struct guts_slice key, struct guts_slice value, struct kad_net_result *out);

/* One message from one node to another, whatever it holds; the answer is appended. */
int kad_net_tell(struct kad_net *net, unsigned from, unsigned to, const struct guts_kad_message *m,
		 struct guts_buf *answer);

/* Abort unless the object's parts agree with one another and keep their caps. */
void kad_check(const struct guts_kad *k);

#endif
