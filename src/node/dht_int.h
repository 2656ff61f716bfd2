/* node/dht_int.h - what dht.c and dhtuse.c share; no one else includes it. */
#ifndef GUTS_NODE_DHT_INT_H
#define GUTS_NODE_DHT_INT_H

#include "base/rng.h"
#include "node/dht.h"
#include "node/internal.h"

#define DHT_TABLE_KEY "kad/table" /* its row in the address book's table */

/* One request on its way to a peer. */
struct dht_request {
	uint64_t number, sent_ns;
	struct dht_peer *peer;
	struct guts_buf frame;           /* until it is sent */
	bool is_answered, is_sent;
	struct dht_request *prev, *next; /* of the peer, in the order of sending */
	UT_hash_handle hh;
};

/* A peer that we ask, connected or being dialled. */
struct dht_peer {
	struct guts_dht *dht;
	struct guts_peerid id;
	struct guts_stream *out;         /* for our requests, one after another */
	struct dht_request *requests;
	bool is_dialled;                 /* the link is there because we asked for it */
	bool has_answered;               /* on this stream */
	uint64_t used_ns;
	UT_hash_handle hh;
};

/* A command that waits for its lookup. */
struct dht_command {
	struct guts_dht *dht;
	void (*done)(void *owner, int err, const struct guts_kad_result *r);
	void *owner;
	struct dht_command *prev, *next;
};

/* A repository that is looked for. */
struct dht_search {
	uint8_t id[GUTS_REPOID_SIZE];
	struct guts_dht *dht;
	uint64_t lookup, at_ns;          /* under way; else the next try */
	unsigned failures;
	bool is_wanted;                  /* until it is here; else once */
	UT_hash_handle hh;
};

struct guts_dht {
	struct guts_node *node;
	struct guts_kad *kad;            /* NULL: the DHT is off */
	char name[GUTS_PROTOCOL_ID_MAX];
	struct guts_protocol protocol;
	struct guts_timer timer;
	bool is_running, is_serving, is_pumping;
	struct dht_peer *peers;
	struct dht_request *requests;    /* by number */
	struct dht_command *commands;
	struct dht_search *searches;
	uint64_t patrol_ns, save_ns;     /* next */
	uint8_t patrol_at[GUTS_REPOID_SIZE]; /* last repository looked at */
	uint8_t saved[32];               /* hash of the table as it was saved */
	struct guts_buf record;          /* our signed peer record */
	struct guts_rng rng;
};

/* -- dht.c -- */
/* Send what the object wants sent, and set the timer; after every call on it. */
void dht_pump(struct guts_dht *d);
/* Dial a peer at the addresses of `c`, and those known before.  Errors: as guts_peers_reach; GUTS_ENOTFOUND without
 * an address. */
int dht_dial(struct guts_dht *d, const struct guts_kad_contact *c);

/* -- dhtuse.c -- */
void dht_use_start(struct guts_dht *d);
void dht_use_tick(struct guts_dht *d, uint64_t now);
uint64_t dht_use_deadline(const struct guts_dht *d);
void dht_use_free(struct guts_dht *d);
int dht_value(struct guts_dht *d, struct guts_slice key, struct guts_buf *out);
void dht_addresses_changed(struct guts_dht *d);

#endif
