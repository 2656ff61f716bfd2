/* discover/kad_int.h - what the files of the Kademlia object share; no one else includes it (but
 * its tests).
 *
 *	kad.c         making, connected peers, requests under way, time
 *	kadtable.c    the routing table: buckets, spares, diversity, persistence
 *	kadaddr.c     packed addresses and who may know them
 *	kadlookup.c   iterative lookups along disjoint paths
 *	kadserve.c    answers to requests of others
 *	kadstore.c    provider records and values kept for others
 *	kadvalue.c    keys, namespaces and their validators
 *	kadpublish.c  what this node publishes, and when again
 *
 * Ownership: contacts belong to the table, candidates to their lookup, requests to the object;
 * a request of a lookup goes with it.
 */
#ifndef GUTS_DISCOVER_KAD_INT_H
#define GUTS_DISCOVER_KAD_INT_H

#include "base/alloc.h"
#include "base/ratelimit.h"
#include "base/rng.h"
#include "discover/kad.h"
#include "peer/netgroup.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#define KAD_SECOND        UINT64_C(1000000000)
#define KAD_NEVER         UINT64_MAX
#define KAD_SPARES        8   /* newcomers that wait for a place in a full bucket */
#define KAD_ADDRS_BYTES   512 /* packed addresses of one peer */
#define KAD_REFRESH_BITS  12  /* deeper buckets are found by the lookup of our own id */
#define KAD_PUBLISHED_MAX 32768
#define KAD_ARENA_MAX     (1u << 20) /* [bytes] one decoded message */

/* How far an address means something; a larger one is told only to who is as near. */
enum kad_reach { KAD_PUBLIC, KAD_PRIVATE, KAD_LOOPBACK };

/* Addresses of a peer: be16 length and bytes, again and again. */
struct kad_addrs {
	uint16_t n; /* [bytes] */
	uint8_t *b; /* owned */
};

struct kad_place {
	uint8_t b[GUTS_KAD_KEY_SIZE];
};

/* A server in the table. */
struct kad_contact {
	struct guts_peerid id;
	struct kad_place place;
	struct kad_addrs addrs;
	struct guts_netgroup group; /* for diversity; those that are not public are exempt */
	unsigned bucket;
	bool is_spare, is_connected, is_verified, is_checked; /* is_checked: a check is under way */
	uint64_t seen_ns, rtt_ns;
	uint64_t given_ns; /* when it was given what we publish */
	unsigned failures;
	struct kad_contact *prev, *next;
	UT_hash_handle hh;
};

struct kad_bucket {
	struct kad_contact *live, *spares; /* longest there first */
	unsigned n_live, n_spares;
	uint64_t refreshed_ns;
};

/* A connected peer, server or not. */
struct kad_peer {
	struct guts_peerid id;
	struct kad_addrs addrs;
	enum kad_reach reach; /* of the other end of its link */
	struct guts_netgroup group;
	struct guts_ratelimit rate;
	UT_hash_handle hh;
};

enum kad_candidate_state { KAD_NEW, KAD_ASKED, KAD_ANSWERED, KAD_FAILED };

/* A peer that a lookup knows of. */
struct kad_candidate {
	struct guts_peerid id;
	struct kad_place distance; /* to the key */
	struct kad_addrs addrs;
	struct guts_peerid told_by;
	unsigned path;
	enum kad_candidate_state state;
	size_t hop; /* index of its hop, once asked */
};

struct kad_request;

struct kad_lookup {
	uint64_t number;
	enum guts_kad_kind kind;
	uint8_t key[GUTS_KAD_KEY_MAX];
	size_t key_n;
	struct kad_place place;
	struct guts_peerid target; /* FIND_PEER */
	size_t want;
	uint64_t began_ns, until_ns;
	struct guts_buf frame; /* of the question, later of what is stored */
	struct guts_buf value; /* STORE: to be stored; FIND_VALUE: the best so far */
	uint64_t rank;
	size_t n_same;            /* FIND_VALUE: answers with the best value */
	struct kad_candidate **v; /* by distance */
	size_t n;
	size_t n_asked;       /* under way */
	unsigned *path_asked; /* of these, by path */
	bool is_storing, is_over, found_target;
	size_t n_stored;
	struct guts_kad_hop *hops;
	size_t n_hops;
	struct guts_kad_contact *providers;
	size_t n_providers;
	struct kad_request *requests; /* DL by lnext */
	guts_kad_done_fn *done;
	void *owner;
	struct kad_lookup *prev, *next;
};

/* One request to one peer, from queue to end. */
struct kad_request {
	uint64_t number, until_ns, sent_ns;
	struct guts_peerid to, told_by;
	struct kad_addrs addrs;
	struct kad_lookup *lookup; /* NULL: a check (no frame) or a gift (frame) */
	struct guts_buf frame;
	bool is_sent, is_answered; /* was taken by guts_kad_next; an answer is expected */
	bool is_retried;
	struct kad_request *prev, *next, *lprev, *lnext;
	UT_hash_handle hh;
};

/* A key that this node keeps published. */
struct kad_published {
	uint8_t key[GUTS_KAD_KEY_MAX];
	uint64_t serial, due_ns;
	uint64_t lookup; /* under way; 0 = none */
	unsigned failures;
	bool is_given; /* somebody has it */
	uint8_t key_n;
	struct guts_kad *k;
	UT_hash_handle hh;
};

/* A new server that is being given what we publish. */
struct kad_gift {
	struct guts_peerid to;
	uint64_t after; /* serial of the last key looked at */
	uint64_t at_ns; /* not before */
	struct kad_gift *prev, *next;
};

/* Who stored something here, and how much. */
struct kad_holder {
	struct guts_peerid id;
	size_t n_providers, n_values;
	struct kad_provider *providers; /* DL by hnext, oldest first */
	UT_hash_handle hh;
};

struct kad_provider {
	struct kad_holder *holder;
	struct kad_provided *key;
	struct kad_addrs addrs;
	uint64_t added_ns;
	struct kad_provider *prev, *next;   /* of the key, newest last */
	struct kad_provider *hprev, *hnext; /* of the holder */
	struct kad_provider *aprev, *anext; /* of all, oldest first */
};

struct kad_provided {
	uint8_t key[GUTS_KAD_KEY_MAX];
	size_t key_n, n;
	struct kad_provider *providers;
	UT_hash_handle hh;
};

struct kad_value {
	uint8_t key[GUTS_KAD_KEY_MAX];
	size_t key_n;
	struct kad_holder *holder;
	uint8_t *value;
	size_t value_n;
	uint64_t rank, added_ns, added_wall_ns;
	struct kad_value *prev, *next; /* oldest first */
	UT_hash_handle hh;
};

struct guts_kad {
	struct guts_kad_config cfg;
	struct guts_peerid self;
	struct kad_place place;
	const struct guts_kad_events *ev;
	void *owner;
	struct guts_rng rng;
	uint64_t now, wall_ns;
	unsigned depth;

	struct kad_addrs addrs; /* ours */
	struct kad_peer *peers;
	struct kad_bucket buckets[GUTS_KAD_BUCKETS];
	struct kad_contact *contacts; /* by id, spares too */
	size_t n_live;
	uint64_t refresh_ns; /* next */
	uint64_t check_ns;   /* next expiry and check of silent contacts */

	struct kad_lookup *lookups, *over; /* over: `done` is owed */
	size_t n_lookups;
	uint64_t last_number;
	struct kad_request *requests; /* by number */
	struct kad_request *queue,
		*sent; /* not taken yet; taken, in the order of their deadlines */
	size_t n_requests;
	uint64_t *drops; /* numbers nobody waits for */
	size_t n_drops, drops_size;
	struct guts_buf check_frame; /* FIND_NODE of our own id */

	struct kad_published *published;  /* by key, in order of serial */
	uint64_t last_serial, publish_ns; /* next */
	size_t n_publishing;
	struct kad_gift *gifts;
	uint64_t gifts_ns;

	struct kad_holder *holders;
	struct kad_provided *provided;
	struct kad_provider *providers; /* all, oldest first */
	size_t n_providers, provider_bytes;
	struct kad_value *values, *values_old; /* by key; oldest first */
	size_t n_values, value_bytes;
	struct guts_kad_stats stats;
};

/* -- kad.c -- */
void kad_enter(struct guts_kad *k, uint64_t now);
void kad_leave(struct guts_kad *k);
void kad_blame(struct guts_kad *k, const struct guts_peerid *peer, int err, const char *what);
struct kad_peer *kad_peer_find(const struct guts_kad *k, const struct guts_peerid *id);
/* How near the other end of our link to it is; a peer that is not connected: KAD_PUBLIC. */
enum kad_reach kad_peer_reach(const struct guts_kad *k, const struct guts_peerid *id);
/* Queue a request; the caller fills `frame` and `lookup`, or it asks for what is near us. */
struct kad_request *kad_request_new(struct guts_kad *k, const struct guts_peerid *to,
				    const struct kad_addrs *addrs, bool is_answered);
void kad_request_free(struct guts_kad *k, struct kad_request *r);
/* Append the framed message.  Errors: GUTS_ELIMIT. */
int kad_frame(struct guts_buf *out, const struct guts_kad_message *m);
/* The message that gives a peer what we publish: ADD_PROVIDER, or PUT_VALUE with `value`.  Errors:
 * GUTS_ELIMIT. */
int kad_frame_record(struct guts_kad *k, struct guts_buf *out, struct guts_slice key,
		     struct guts_slice value);

/* -- kadaddr.c -- */
void kad_place_of(struct kad_place *out, struct guts_slice key);
void kad_distance(struct kad_place *out, const struct kad_place *a, const struct kad_place *b);
int kad_place_cmp(const struct kad_place *a, const struct kad_place *b);
unsigned kad_shared_bits(const struct kad_place *a, const struct kad_place *b); /* 0..256 */
enum kad_reach kad_reach_of(const struct guts_maddr *m);
void kad_addrs_free(struct kad_addrs *a);
void kad_addrs_copy(struct kad_addrs *to, const struct kad_addrs *from);
/* Add an address if `from` may tell it and there is room. */
void kad_addrs_add(struct guts_kad *k, struct kad_addrs *a, const struct guts_maddr *m,
		   enum kad_reach from);
/* Those of a message, in place of what is there; as they are if none is left. */
void kad_addrs_take(struct guts_kad *k, struct kad_addrs *a, const struct guts_pb_bytes_list *list,
		    enum kad_reach from);
/* Next one: *pos starts at 0; false at the end. */
bool kad_addrs_next(const struct kad_addrs *a, size_t *pos, struct guts_slice *out);
/* As a list in `arena` of those that may be told to an end at `to`. */
struct guts_pb_bytes_list kad_addrs_list(const struct guts_kad *k, const struct kad_addrs *a,
					 enum kad_reach to, struct guts_arena *arena);
void kad_contact_out(struct guts_kad_contact *out, const struct guts_peerid *id,
		     const struct kad_addrs *a);

/* -- kadtable.c -- */
struct kad_contact *kad_table_find(const struct guts_kad *k, const struct guts_peerid *id);
/* A server that is connected or answered.  NULL: no address, or no room for its network. */
struct kad_contact *kad_table_add(struct guts_kad *k, const struct guts_peerid *id,
				  const struct kad_addrs *addrs, const struct guts_netgroup *group);
void kad_table_remove(struct guts_kad *k, struct kad_contact *c);
void kad_table_answered(struct guts_kad *k, struct kad_contact *c, uint64_t rtt_ns);
void kad_table_failed(struct guts_kad *k, const struct guts_peerid *id);
/* The `max` contacts closest to `to`, closest first; those not verified only if `all`; not `but`.
 */
size_t kad_table_closest(const struct guts_kad *k, const struct kad_place *to, bool all,
			 const struct guts_peerid *but, struct kad_contact **out, size_t max);
/* Ask contacts that were silent for long whether they are there. */
void kad_table_check(struct guts_kad *k);
/* Begin the lookups of a refresh: our own id, and each bucket not looked at for long. */
void kad_table_refresh(struct guts_kad *k, bool all);
void kad_table_free(struct guts_kad *k);

/* -- kadlookup.c -- */
int kad_lookup_start(struct guts_kad *k, const struct guts_kad_goal *goal, guts_kad_done_fn *done,
		     void *owner, uint64_t *number);
/* An answer of a request; `m` is checked and its lists are within their caps. */
void kad_lookup_answer(struct guts_kad *k, struct kad_lookup *l, const struct guts_peerid *from,
		       const struct guts_kad_message *m);
void kad_lookup_sent(struct guts_kad *k, struct kad_lookup *l);
void
kad_lookup_failed(struct guts_kad *k, struct kad_lookup *l, const struct guts_peerid *to, int err);
void kad_lookup_tick(struct guts_kad *k);
uint64_t kad_lookup_deadline(const struct guts_kad *k);
/* Tell the ends that are owed. */
void kad_lookup_finish(struct guts_kad *k);
void kad_lookup_free(struct guts_kad *k, struct kad_lookup *l);

/* -- kadstore.c -- */
/* Errors: GUTS_EBUSY (its share is used up). */
int kad_store_provider(struct guts_kad *k, struct guts_slice key, const struct guts_peerid *id,
		       const struct kad_addrs *addrs);
struct kad_provided *kad_store_provided(const struct guts_kad *k, struct guts_slice key);
/* Errors: as the validator, GUTS_EBUSY, GUTS_ESTALE (a newer one is kept). */
int kad_store_value(struct guts_kad *k, struct guts_slice key, struct guts_slice value,
		    const struct guts_peerid *from);
const struct kad_value *kad_store_get(const struct guts_kad *k, struct guts_slice key);
void kad_store_expire(struct guts_kad *k);
void kad_store_free(struct guts_kad *k);

/* -- kadvalue.c -- */
bool kad_key_is_value(struct guts_slice key);
bool kad_key_is_provider(struct guts_slice key);
/* One value can be valid under the key: the first is as good as all. */
bool kad_key_is_fixed(struct guts_slice key);

/* -- kadpublish.c -- */
struct kad_published *kad_publish_find(const struct guts_kad *k, struct guts_slice key);
/* The present value of a published key.  Errors: GUTS_ENOTFOUND, those of events.value. */
int kad_publish_value(struct guts_kad *k, struct guts_slice key, struct guts_buf *out);
/* There is somebody to give it to: go on at `at_ns`, if there is something. */
void kad_publish_soon(struct guts_kad *k, uint64_t at_ns);
void kad_publish_tick(struct guts_kad *k);
uint64_t kad_publish_deadline(const struct guts_kad *k);
/* A server came: it is given what it is close enough for. */
void kad_publish_newcomer(struct guts_kad *k, struct kad_contact *c);
void kad_publish_free(struct guts_kad *k);

#endif
