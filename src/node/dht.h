/* node/dht.h - the DHT as people and programs see it: its state, and lookups that show their way.
 *
 * Loop thread, unless said otherwise.
 */
#ifndef GUTS_NODE_DHT_H
#define GUTS_NODE_DHT_H

#include "discover/kad.h"
#include "node/node.h"

/* A copy of the state; owner: caller, guts_dht_info_free. */
struct guts_dht_info {
	enum guts_dht_mode mode;   /* as configured */
	bool is_server;            /* serves others now */
	char protocol[GUTS_PROTOCOL_ID_MAX]; /* empty = off */
	uint64_t now_ns, wall_ns;  /* when it was made; entries tell monotonic times */
	struct guts_kad_stats stats;
	size_t nentries;
	struct guts_kad_entry *entries; /* from bucket 0 on */
};
struct guts_dht_info *guts_node_dht(struct guts_node *n);
void guts_dht_info_free(struct guts_dht_info *i); /* Thread: any. */

/* What is looked for: a peer, or (if `peer` is NULL) who provides a repository; `record`: what is stored under it instead. */
struct guts_dht_target {
	const struct guts_peerid *peer;
	uint8_t repo[GUTS_REPOID_SIZE];
	bool record;
};

/* Look it up; `done` comes exactly once, with `r` borrowed (NULL if err is another than 0 and GUTS_ENOTFOUND).
 * A private repository of this node is never asked for: GUTS_ENOTFOUND with an empty result.  Errors in `done`:
 * GUTS_ENOTFOUND, GUTS_EBUSY, GUTS_EUNAVAILABLE (the DHT is off, or the node is starting), GUTS_ECANCELED. */
void guts_node_dht_lookup(struct guts_node *n, const struct guts_dht_target *target,
    void (*done)(void *owner, int err, const struct guts_kad_result *r), void *owner);

#endif
