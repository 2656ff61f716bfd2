/* gossip/gossip.h - gossipsub as an object without I/O and clock.
 *
 * Stream bytes and `now` come in, frames and the next deadline go out.  A peer is named by its id;
 * it has one of two doors: a meshsub stream pair, or (guts peers without meshsub) the Gossip
 * message of /guts/node.  Both doors feed one validator and one seen cache, and a peer is sent
 * a message through its own door only.
 *
 *	recv ──► decode ──► seen? ──► signature ──► validate ──► deliver, mesh, node door
 *	inject ────────────┘             │ (may answer later)
 *	tick ──► mesh upkeep, IHAVE, promises, scores            ──► wants_write ──► pull
 *
 * The message id is guts_gossip_message_id of proto/messages.h, a hash of topic and data, so a
 * validator's verdict must depend on topic and data only.  An id is remembered once the signature
 * holds: a bad copy never shadows a good one.
 *
 * Callbacks may publish, subscribe, unsubscribe, answer validations and remove peers, nothing else
 * (asserted); allow, score and px_record only answer; wants_write comes last and may pull.  `now`
 * is monotonic time [ns] and never falls.  Same seed, same calls: same bytes.
 *
 * Source: libp2p specs, pubsub/README.md, pubsub/gossipsub/gossipsub-v1.{0,1,2}.md.
 */
#ifndef GUTS_GOSSIP_GOSSIP_H
#define GUTS_GOSSIP_GOSSIP_H

#include "base/limits.h"
#include "base/slice.h"
#include "crypto/key.h"
#include "proto/libp2p.h"
#include "proto/messages.h"

#define GUTS_GOSSIP_ID_SIZE 32 /* [bytes] message id */

/* Protocol ids, best first: to register, and to propose when the stream is opened. */
#define GUTS_MESHSUB_12 "/meshsub/1.2.0"
#define GUTS_MESHSUB_11 "/meshsub/1.1.0"
#define GUTS_MESHSUB_10 "/meshsub/1.0.0"

struct guts_gossip;

/* How a peer is reached. */
enum guts_gossip_door {
	GUTS_GOSSIP_NODE_DOOR,  /* no meshsub: see `forward` and guts_gossip_inject */
	GUTS_GOSSIP_MESHSUB_10, /* no back-off and peers in PRUNE */
	GUTS_GOSSIP_MESHSUB_11,
	GUTS_GOSSIP_MESHSUB_12, /* knows IDONTWANT */
};

/* What becomes of a message. */
enum guts_gossip_verdict {
	GUTS_GOSSIP_ACCEPT, /* deliver and forward */
	GUTS_GOSSIP_IGNORE, /* drop, nobody is blamed */
	GUTS_GOSSIP_REJECT, /* drop and blame whoever sent it */
	GUTS_GOSSIP_LATER,  /* guts_gossip_validated follows */
};

/* Broken rules, reported upward; the caller scores and bans. */
enum guts_gossip_offence {
	GUTS_GOSSIP_UNDECODABLE,     /* recv also returns an error: close the stream */
	GUTS_GOSSIP_OVERSIZED,       /* a frame or a field over its cap */
	GUTS_GOSSIP_BAD_SIGNATURE,   /* or missing, or key and author differ */
	GUTS_GOSSIP_REJECTED,        /* the validator said so */
	GUTS_GOSSIP_GRAFT_FLOOD,     /* grafts again and again inside the back-off */
	GUTS_GOSSIP_IHAVE_FLOOD,     /* more IHAVE than the caps in one heartbeat */
	GUTS_GOSSIP_IWANT_FLOOD,     /* more IWANT than the caps in one heartbeat */
	GUTS_GOSSIP_CONTROL_FLOOD,   /* more control and subscription entries than the cap */
	GUTS_GOSSIP_TOO_MANY_TOPICS, /* subscribes to more topics than the cap */
	GUTS_GOSSIP_BROKEN_PROMISE,  /* announced messages and did not send them */
	GUTS_GOSSIP_STALLED,         /* does not read at all: close the stream */
	GUTS_GOSSIP_OFFENCE_COUNT,
};

/* Scores [points], below which … */
struct guts_gossip_thresholds {
	int64_t gossip;        /* a peer gets and gives no IHAVE and IWANT */
	int64_t publish;       /* it gets no messages of ours */
	int64_t graylist;      /* nothing of it comes in */
	int64_t accept_px;     /* peers it names are not taken */
	int64_t opportunistic; /* the median of a mesh makes us look for better peers */
};

/* Limits and times; a member that is 0 gets the default in brackets. */
struct guts_gossip_config {
	unsigned d, d_lo, d_hi, d_lazy; /* mesh degree [6, 5, 12, 6] */
	unsigned d_score, d_out;        /* kept for their score, kept outbound [4, 2] */
	unsigned d_whole;               /* of the mesh, get a relayed large message whole; the others are told of it [3] */
	uint64_t heartbeat_ns;          /* [1 s] */
	unsigned history_gossip;        /* heartbeats a message is announced in each [3] */
	unsigned history_length;        /* heartbeats it can be asked for [60] */
	uint64_t seen_ttl_ns;           /* [120 s] */
	size_t seen_max;                /* ids [131,072] of about 48 bytes */
	size_t cache_bytes_max;         /* messages to serve IWANT [6 MiB] */
	uint64_t fanout_ttl_ns;         /* [60 s] */
	uint64_t prune_backoff_ns, unsubscribe_backoff_ns; /* [60 s, 10 s] */
	uint64_t promise_ns;                               /* to follow up an IHAVE [3 s] */
	unsigned ihave_ids_max;  /* ids taken from, and told to, one peer per heartbeat [5,000] */
	unsigned ihave_rpcs_max; /* RPCs with IHAVE taken from one peer per heartbeat [10] */
	unsigned iwant_ids_max;  /* ids one peer may ask for per heartbeat [5,000] */
	unsigned retransmit_max; /* times one message goes to one peer by IWANT [3] */
	unsigned control_max;    /* entries taken from one peer per heartbeat [20,000] */
	unsigned px_peers_max; /* peers named in one PRUNE, and taken from one per heartbeat [16] */
	size_t topics_per_peer_max; /* [4,096] */
	size_t foreign_topics_max;  /* that only others subscribe to, all together [32,768] */
	size_t subscriptions_max;   /* of ours [16,384] */
	size_t data_max;            /* [bytes] of one message [GUTS_GOSSIP_DATA_MAX] */
	size_t rpc_send_max;        /* [bytes] [GUTS_GOSSIP_RPC_MAX] */
	size_t rpc_recv_max;        /* [bytes] [GUTS_MESSAGE_MAX] */
	size_t queue_bytes_max;     /* per peer [256 KiB]; IHAVE is dropped first */
	size_t pending_max;         /* validations under way [4,096], a quarter of it per peer */
	size_t pending_bytes_max;   /* [2 MiB] */
	uint64_t pending_ns;        /* a validation that takes longer is an IGNORE [60 s] */
	size_t wants_max;           /* ids asked for and not there yet [16,384] */
	size_t idontwant_min;       /* [bytes] of data that make a message large [1,024] */
	size_t idontwant_max;       /* ids remembered per peer [1,024] */
	bool no_flood_publish;      /* own messages go to the mesh only */
	struct guts_gossip_thresholds threshold; /* [-10, -50, -80, 5, 2] */
	uint64_t delivery_ns; /* a copy this much after the first one still counts for P3 [1 s] */
};

/* A message; slices are borrowed for the call. */
struct guts_gossip_message {
	uint8_t id[GUTS_GOSSIP_ID_SIZE];
	struct guts_slice topic, data;
	struct guts_peerid from; /* author by gossipsub's signature */
	uint64_t seqno;
	const struct guts_rpc_message *raw; /* all fields, for the node door */
};

/* Upward.  allow, deliver, forward, offence, score may be NULL; ids are borrowed for the call. */
struct guts_gossip_events {
	/* May one more message of this peer, not seen before, be looked at?  Asked before its
	 * signature is checked, which is what costs. */
	bool (*allow)(void *owner, const struct guts_peerid *peer);
	/* A new message with a good signature on a subscribed topic, from `peer`. */
	enum guts_gossip_verdict (*validate)(void *owner, const struct guts_peerid *peer,
					     const struct guts_gossip_message *m);
	/* It was accepted; once per id.  Not called for own messages.  `peer` brought it first. */
	void (*deliver)(void *owner, const struct guts_peerid *peer,
			const struct guts_gossip_message *m);
	/* guts_gossip_pull(peer) has bytes, after it had none. */
	void (*wants_write)(void *owner, const struct guts_peerid *peer);
	/* Send it to this node-door peer as a Gossip message, if the topic concerns it. */
	void (*forward)(void *owner, const struct guts_peerid *peer,
			const struct guts_gossip_message *m);
	/* `count` times since the last call for this peer and kind (≥ 1). */
	void (*offence)(void *owner, const struct guts_peerid *peer, enum guts_gossip_offence what,
			unsigned count);
	/* Append the signed peer record of a connected peer; GUTS_ENOTFOUND if there is none.  May
	 * be NULL: no peer is named to others. */
	int (*px_record)(void *owner, const struct guts_peerid *peer, struct guts_buf *out);
	/* `via` names a peer that is worth a link; the record was checked.  May be NULL. */
	void (*px_connect)(void *owner, const struct guts_peerid *via,
			   const struct guts_peerrecord *r, struct guts_slice signed_record);
	/* The caller's opinion of the peer [points]: 0 = clean, negative = bad.  Asked at each
	 * heartbeat. It is P5 of the score, with weight 1. */
	int (*score)(void *owner, const struct guts_peerid *peer);
};

/* Short name, e.g. "bad_signature". */
const char *guts_gossip_offence_name(enum guts_gossip_offence what);

/* cfg (NULL = all defaults) and key are copied; events are borrowed.  Owner: caller. */
struct guts_gossip *
guts_gossip_new(const struct guts_gossip_config *cfg, const struct guts_key *key, uint64_t seed,
		const struct guts_gossip_events *ev, void *owner, uint64_t now);
void guts_gossip_free(struct guts_gossip *g);

/* --- peers --- */

/* A connected peer, or new facts about it (an upgrade of its door included).  On a meshsub door our
 * subscriptions are queued at once.  Errors: GUTS_EINVAL (this is us, or no id). */
int guts_gossip_peer_add(struct guts_gossip *g, const struct guts_peerid *peer, bool outbound,
			 enum guts_gossip_door door, uint64_t now);

/* Peers with the same group other than 0 (a hash of the address, or of its network) share P6 of the
 * score; leave it 0 for loopback and private addresses.  Until the peer is removed. */
void guts_gossip_peer_group(struct guts_gossip *g, const struct guts_peerid *peer, uint64_t group);

/* The peer is gone.  Its back-offs and bad score are remembered for a while. */
void guts_gossip_peer_remove(struct guts_gossip *g, const struct guts_peerid *peer, uint64_t now);

/* Bytes of the peer's stream, cut anywhere; all are consumed.  Errors (close the stream, and call
 * guts_gossip_in_reset before bytes of another one): GUTS_EPROTO, GUTS_ELIMIT, GUTS_EBUSY (too many
 * large frames under way), GUTS_ENOTFOUND (no such peer, or not on a meshsub door). */
int guts_gossip_recv(struct guts_gossip *g, const struct guts_peerid *peer, struct guts_slice bytes,
		     uint64_t now);

/* The peer's stream ended: forget half a frame. */
void guts_gossip_in_reset(struct guts_gossip *g, const struct guts_peerid *peer);

/* Our stream to the peer is a new one: forget half a frame, tell all subscriptions again. */
void guts_gossip_out_reset(struct guts_gossip *g, const struct guts_peerid *peer, uint64_t now);

/* Copy at most `max` bytes for the peer's stream to `out`; returns how many (0 = nothing to send).
 * A frame may be cut: the next call goes on. */
size_t
guts_gossip_pull(struct guts_gossip *g, const struct guts_peerid *peer, uint8_t *out, size_t max);

/* A message that came by /guts/node Gossip.  Errors: GUTS_EPROTO, GUTS_ESIG, GUTS_ELIMIT (the
 * offence was reported), GUTS_EEXIST (seen before), GUTS_ENOTFOUND (no such peer, or no such
 * subscription), GUTS_EDENIED (ignored or rejected), GUTS_EBUSY (too many validations, or over its
 * rate), GUTS_EUNSUPPORTED (kind of key). */
int guts_gossip_inject(struct guts_gossip *g, const struct guts_peerid *peer,
		       const struct guts_rpc_message *m, uint64_t now);

/* --- time --- */

/* Do what is due; call it at or after the deadline [monotonic ns]. */
void guts_gossip_tick(struct guts_gossip *g, uint64_t now);
uint64_t guts_gossip_deadline(const struct guts_gossip *g);

/* --- topics and messages --- */

/* Errors: GUTS_EINVAL (empty, over GUTS_TOPIC_MAX, no UTF-8), GUTS_EEXIST, GUTS_ELIMIT. */
int guts_gossip_subscribe(struct guts_gossip *g, struct guts_slice topic, uint64_t now);
/* Errors: GUTS_ENOTFOUND. */
int guts_gossip_unsubscribe(struct guts_gossip *g, struct guts_slice topic, uint64_t now);
bool guts_gossip_is_subscribed(const struct guts_gossip *g, struct guts_slice topic);

/* Sign and send; the topic need not be subscribed.  seqno = max(wall_ns, last + 1).  Without peers
 * it is kept and announced to those who come within history_length.  Errors: GUTS_EINVAL (topic),
 * GUTS_ELIMIT (data), GUTS_EEXIST (same topic and data within seen_ttl). */
int guts_gossip_publish(struct guts_gossip *g, struct guts_slice topic, struct guts_slice data,
			uint64_t wall_ns, uint64_t now, uint8_t id[GUTS_GOSSIP_ID_SIZE]);

/* Answer a GUTS_GOSSIP_LATER (v ≠ LATER).  Errors: GUTS_ENOTFOUND (answered, expired, or never
 * asked). */
int guts_gossip_validated(struct guts_gossip *g, const uint8_t id[GUTS_GOSSIP_ID_SIZE],
			  enum guts_gossip_verdict v, uint64_t now);

/* Expect of every peer in the topic's mesh at least so many messages, first copies or copies at
 * most delivery_ns later, in a count that halves in 34 heartbeats: what is missing after 30
 * heartbeats in the mesh costs it P3 of the score.  0, the default: silence is normal.  Holds while
 * we are subscribed.  Errors: GUTS_ENOTFOUND (not subscribed), GUTS_ELIMIT (over 1,000). */
int guts_gossip_expect(struct guts_gossip *g, struct guts_slice topic, unsigned deliveries);

/* --- looking --- */

/* Why a message was not delivered. */
enum guts_gossip_drop {
	GUTS_GOSSIP_DROP_DUPLICATE,
	GUTS_GOSSIP_DROP_SIGNATURE,   /* bad or missing */
	GUTS_GOSSIP_DROP_UNSUPPORTED, /* a kind of key we cannot check */
	GUTS_GOSSIP_DROP_OVERSIZED,
	GUTS_GOSSIP_DROP_TOPIC,    /* not subscribed */
	GUTS_GOSSIP_DROP_SELF,     /* our own, from an earlier run */
	GUTS_GOSSIP_DROP_GRAYLIST, /* sender's score */
	GUTS_GOSSIP_DROP_RATE,     /* more than `allow` allows */
	GUTS_GOSSIP_DROP_BUSY,     /* too many validations */
	GUTS_GOSSIP_DROP_IGNORED,  /* verdict */
	GUTS_GOSSIP_DROP_REJECTED, /* verdict */
	GUTS_GOSSIP_DROP_COUNT,
};
const char *guts_gossip_drop_name(enum guts_gossip_drop why);

/* Totals since the start. */
struct guts_gossip_stats {
	uint64_t published, delivered, dropped[GUTS_GOSSIP_DROP_COUNT];
	uint64_t messages_sent, bytes_sent, bytes_received, rpcs_sent, rpcs_received;
	uint64_t graft_sent, prune_sent, ihave_sent, iwant_sent,
		idontwant_sent; /* entries; ihave, iwant, idontwant: ids */
	uint64_t graft_received, prune_received, ihave_received, iwant_received, idontwant_received;
	uint64_t queue_drops; /* messages not sent to a peer that reads too slowly */
	uint64_t unwanted;    /* messages not sent because of IDONTWANT */
	uint64_t broken_promises, px_received, offences[GUTS_GOSSIP_OFFENCE_COUNT];
	size_t peers, topics, subscriptions, seen, cached, cached_bytes, pending, wants;
};
void guts_gossip_stats(const struct guts_gossip *g, struct guts_gossip_stats *out);
struct guts_gossip_thresholds guts_gossip_get_thresholds(const struct guts_gossip *g);

struct guts_gossip_topic_info {
	struct guts_slice name;
	bool subscribed;
	size_t peers, mesh,
		fanout; /* meshsub peers that subscribe; of those in our mesh; in our fanout */
	uint64_t published, delivered, duplicate, rejected, sent;
};
/* One topic by name; false if neither we nor a peer know it. */
bool guts_gossip_topic(const struct guts_gossip *g, struct guts_slice name,
		       struct guts_gossip_topic_info *out);

/* Walk topics in order of appearance: start with *it = NULL, false at the end.  No change in
 * between. */
bool guts_gossip_next_topic(const struct guts_gossip *g, const void **it,
			    struct guts_gossip_topic_info *out);

/* What a score is made of [thousandths of a point]: P1 time in the mesh, P2 first deliveries, P3
 * missing deliveries, P3b those when it left a mesh, P4 messages that broke a rule, P5 the caller's
 * opinion, P6 crowd of one address group, P7 behaviour.  See score.c. */
struct guts_gossip_components {
	int64_t p1, p2, p3, p3b, p4, p5, p6, p7;
};

struct guts_gossip_topic_peer {
	struct guts_peerid id;
	bool in_mesh, in_fanout, outbound;
	uint64_t mesh_since;                      /* [monotonic ns] */
	int64_t score;                            /* [thousandths of a point] of the peer */
	struct guts_gossip_components components; /* in this topic: P1 to P4 */
};
/* Walk the peers that subscribe to a topic, in the same way. */
bool guts_gossip_next_topic_peer(const struct guts_gossip *g, struct guts_slice topic,
				 const void **it, struct guts_gossip_topic_peer *out);

struct guts_gossip_peer_info {
	struct guts_peerid id;
	enum guts_gossip_door door;
	bool outbound;
	size_t topics, mesh; /* it subscribes to; shared meshes */
	size_t queue_bytes;
	int64_t score;                            /* [thousandths of a point] */
	struct guts_gossip_components components; /* their sum is the score */
};
/* Walk connected peers, in the same way. */
bool guts_gossip_next_peer(const struct guts_gossip *g, const void **it,
			   struct guts_gossip_peer_info *out);

#endif
