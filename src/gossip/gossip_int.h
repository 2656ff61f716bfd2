/* gossip/gossip_int.h - what the files of gossip/ share; no one else includes it (but its tests).
 *
 *	guts_gossip ─┬─ gpeer (by id) ── queue of gitem ── gmsg
 *	             ├─ gtopic (by name) ── gmsg of the last heartbeats
 *	             ├─ glink (by peer and topic): subscription, mesh, fanout, back-off, score
 *	             ├─ gmsg (by id): pending or cached
 *	             └─ gwant (by id): asked for by IWANT
 *
 * Everything iterated over is a list in order of insertion; tables keyed by pointers serve lookups
 * only.
 */
#ifndef GUTS_GOSSIP_INT_H
#define GUTS_GOSSIP_INT_H

#include "base/buf.h"
#include "base/rng.h"
#include "gossip/gossip.h"
#include "gossip/idset.h"

#include <uthash.h>
#include <utlist.h>

#define SENDERS_MAX 12u /* peers remembered as holders of a message under validation */
#define SILENCE_BEATS \
	4u /* heartbeats without a byte after which a link may have been cut for a while */
#define PIECE_IDS_MAX 1000u /* ids in one control entry of ours */
#define FRAME_ENTRIES_MAX                                                      \
	500u /* control entries in one RPC of ours; readers take 512 of a kind \
	      */
#define FRAME_SUBS_MAX     1000u
#define FRAME_MESSAGES_MAX 500u
#define TELL_NOW_MAX       6u    /* messages told to one peer at once per heartbeat; readers take 10 RPCs with IHAVE */
#define QUICK_PEERS        3u    /* a mesh is filled up to here between heartbeats */
#define WANT_OFFERS_MAX    4u    /* peers remembered that announced a message we lack */
#define WANT_ASKS_MAX      8u    /* questions for one message */
#define STALE_LINKS_MAX    8192u /* links kept for their back-off alone */
#define GONE_PEERS_MAX     1024u /* disconnected peers remembered */
#define GONE_NS            UINT64_C(600000000000) /* how long for their score [ns] */
#define BIG_FRAMES_MAX \
	(8u << 20)           /* [bytes] of frames over rpc_send_max under way, all peers together */
#define SUBS_QUEUE_FACTOR 4u /* subscriptions may fill this many times queue_bytes_max */
#define POINT             1000 /* scores are kept in thousandths of a point */

enum gseen { SEEN_PENDING, SEEN_ACCEPTED, SEEN_IGNORED, SEEN_REJECTED, SEEN_OWN };

/* In order of sending. */
enum gclass { Q_SUBS, Q_CONTROL, Q_WANT, Q_MESSAGE, Q_IHAVE, Q_COUNT };

struct gmsg_given {
	uint32_t serial;
	uint32_t times;
};

/* A message, encoded once and shared by reference count by all queues. */
struct gmsg {
	uint8_t id[GUTS_GOSSIP_ID_SIZE];
	enum { MSG_LOOSE, MSG_PENDING, MSG_CACHED } state;
	unsigned refs;
	struct gtopic *topic;   /* PENDING and CACHED */
	uint64_t beat;          /* CACHED: heartbeat count when it came */
	uint64_t at;            /* CACHED: when it was accepted [monotonic ns] */
	uint64_t deadline;      /* PENDING */
	struct guts_peerid via; /* who brought it first; n = 0: we */
	struct guts_peerid from;
	uint32_t senders[SENDERS_MAX]; /* serials of peers that have it, the first one first */
	unsigned n_senders;
	struct gmsg_given *given; /* answers to IWANT */
	size_t n_given;
	UT_hash_handle hh;
	struct gmsg *prev, *next;   /* g->cache or g->pending, oldest first */
	struct gmsg *tprev, *tnext; /* CACHED: topic->msgs, oldest first */
	size_t data_n, n;
	uint8_t wire[]; /* field `publish` of an RPC, n bytes */
};

struct gitem {
	struct gitem *prev, *next;
	struct gmsg *msg; /* Q_MESSAGE */
	size_t n;         /* [bytes] in the frame */
	uint8_t bytes[];
};

struct gpeer {
	struct guts_peerid id;
	uint32_t serial;                   /* never used twice */
	bool connected, outbound, removed; /* removed: to be disconnected when the call ends */
	enum guts_gossip_door door;
	UT_hash_handle hh;
	struct gpeer *prev, *next;   /* g->connected or g->gone */
	bool has_output, waking;     /* told by wants_write, or about to be */
	struct gpeer *wprev, *wnext; /* g->wakes */
	struct glink *links;         /* in order of appearance */
	size_t n_links, n_subs, n_mesh;
	struct guts_buf in, out;
	uint64_t heard_at, heard_beat; /* last bytes from it */
	size_t frame_n; /* [bytes] of the frame being collected, header included; 0 = not known */
	bool is_big;    /* frame_n is counted in g->big_bytes */
	struct gitem *queue[Q_COUNT];
	size_t queue_n[Q_COUNT]; /* [bytes] */
	size_t queue_bytes;
	/* Since the last heartbeat. */
	unsigned ihave_rpcs, ihave_ids, iwant_ids, control_entries, told_ids, told_now, px_taken;
	uint32_t blamed; /* offences reported, a bit each */
	size_t n_wants, n_pending;
	unsigned broken;            /* promises, to be reported */
	struct gwant *again;        /* to be asked for once more, during a heartbeat */
	struct guts_idset unwanted; /* IDONTWANT */
	/* Decaying counters, in thousandths: see score.c. */
	int64_t mesh_time, behaviour;
	int64_t p2, p3, p3b, p4;            /* sums over its links; P3 to P4 are losses */
	int64_t left_failure, left_invalid; /* of links that are gone */
	int64_t app, score;                 /* in thousandths of a point */
	uint64_t group;                     /* of its address; 0 = none */
	size_t group_peers;                 /* connected ones of the group, itself included */
	uint64_t gone_at;
};

struct glink_key {
	struct gpeer *peer;
	struct gtopic *topic;
};

/* Fading counters of one peer in one topic, in thousandths: see score.c. */
struct gtopic_score {
	int64_t first, delivered, deficit, failure, invalid;
};

/* One peer in one topic. */
struct glink {
	struct glink_key key;
	bool subscribed; /* the peer is */
	bool mesh, fanout;
	bool owed;            /* it may have missed messages: announce those … */
	bool stale;           /* on g->stale */
	bool scored;          /* on g->scored */
	uint64_t owed_from;   /* … of this heartbeat and later */
	uint8_t early_grafts; /* grafts inside this back-off */
	uint64_t backoff_until, pruned_at, mesh_since;
	struct gtopic_score score;
	UT_hash_handle hh;
	struct glink *tprev, *tnext;   /* topic->links */
	struct glink *pprev, *pnext;   /* peer->links */
	struct glink *sprev, *snext;   /* g->stale */
	struct glink *scprev, *scnext; /* g->scored */
};

struct gtopic {
	bool subscribed;
	bool active; /* on g->active: the next heartbeat looks at it */
	bool quick;  /* the mesh is to be filled before that */
	bool gc;     /* on g->gc */
	struct glink *links;
	size_t n_links, n_subs, n_mesh, n_fanout, n_pending;
	struct gmsg *msgs; /* cached ones */
	uint64_t fanout_until;
	unsigned expected; /* deliveries of a mesh peer: P3 */
	uint64_t published, delivered, duplicate, rejected, sent;
	UT_hash_handle hh;
	struct gtopic *aprev, *anext; /* g->active */
	struct gtopic *gcnext;
	size_t n;
	uint8_t name[];
};

struct gwant_offer {
	uint32_t serial;
	uint32_t asked; /* times */
};

struct gwant {
	uint8_t id[GUTS_GOSSIP_ID_SIZE];
	struct gwant_offer offers[WANT_OFFERS_MAX]; /* peers that announced it */
	unsigned n, turn;                           /* offers; who is asked next */
	unsigned asks;                              /* questions sent */
	uint64_t asked_at;                          /* the last one */
	UT_hash_handle hh;
	struct gwant *next; /* peer->again */
};

struct guts_gossip {
	struct guts_gossip_config cfg;
	struct guts_key key;
	const struct guts_gossip_events *ev;
	void *owner;
	struct guts_rng rng;
	unsigned depth; /* of calls from outside */
	uint64_t now, beat, next_beat, quick_at;
	uint64_t last_seqno;
	uint32_t last_serial;
	struct gpeer *peers; /* by id, connected and gone */
	struct gpeer *connected, *gone, *wakes;
	size_t n_connected, n_gone, n_removed, n_node_door;
	struct gtopic *topics, *active, *gc;
	size_t n_subscriptions;
	struct glink *links, *stale, *scored;
	size_t n_stale;
	struct gmsg *msgs, *cache, *pending;
	size_t cache_bytes, n_cached, n_pending, pending_bytes;
	struct gwant *wants;
	struct guts_idset seen;
	size_t big_bytes;
	struct guts_buf scratch; /* one encoded piece */
	void **sample;           /* room for random choices */
	size_t sample_max;
	struct guts_gossip_stats stats;
};

/* gossip.c */
void gossip_enter(struct guts_gossip *g, uint64_t now);
void gossip_leave(struct guts_gossip *g);
struct gpeer *gossip_peer_by_serial(struct guts_gossip *g, uint32_t serial);
/* Report an offence; `once` per heartbeat and kind. */
void gossip_blame(struct guts_gossip *g, struct gpeer *p, enum guts_gossip_offence what,
		  unsigned count, bool once);

/* topic.c */
struct gtopic *gossip_topic_find(const struct guts_gossip *g, struct guts_slice name);
struct gtopic *gossip_topic_make(struct guts_gossip *g, struct guts_slice name);
struct guts_slice gossip_topic_name(const struct gtopic *t);
void gossip_topic_activate(struct guts_gossip *g, struct gtopic *t);
/* Fill the mesh soon instead of at the next heartbeat. */
void gossip_topic_hurry(struct guts_gossip *g, struct gtopic *t);
void gossip_topic_unused(struct guts_gossip *g, struct gtopic *t);
void gossip_topic_collect(struct guts_gossip *g);
void gossip_topic_free(struct guts_gossip *g, struct gtopic *t);
struct glink *gossip_link_find(const struct guts_gossip *g, struct gpeer *p, struct gtopic *t);
struct glink *gossip_link_make(struct guts_gossip *g, struct gpeer *p, struct gtopic *t);
void gossip_link_subscribe(struct guts_gossip *g, struct glink *l, bool on);
/* The link has no subscription any more: free it, or keep it for its back-off or score. */
void gossip_link_retire(struct guts_gossip *g, struct glink *l);
void gossip_link_free(struct guts_gossip *g, struct glink *l);
void gossip_links_sweep(struct guts_gossip *g);
void gossip_on_subscriptions(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc *rpc);
/* Announce the cached messages of heartbeat `from` and later to the peer, at the next heartbeat. */
void gossip_owe(struct glink *l, uint64_t from);
void gossip_owe_all(struct gpeer *p, uint64_t from);
void gossip_announce_all(struct guts_gossip *g, struct gpeer *p);

/* queue.c */
/* Append one encoded entry; false if the queue is full. */
bool gossip_queue_rpc(struct guts_gossip *g, struct gpeer *p, enum gclass c,
		      const struct guts_rpc *piece);
bool gossip_queue_message(struct guts_gossip *g, struct gpeer *p, struct gmsg *m);
bool gossip_queue_ids(struct guts_gossip *g, struct gpeer *p, enum gclass c,
		      struct guts_pb_bytes_list ids, struct guts_slice topic, bool is_iwant);
/* Take back messages that p->unwanted names and that are not on their way yet. */
void gossip_queue_filter(struct guts_gossip *g, struct gpeer *p);
void gossip_queue_clear(struct guts_gossip *g, struct gpeer *p);

/* message.c */
int gossip_take_message(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_message *m);
void gossip_pending_expire(struct guts_gossip *g);

/* cache.c */
struct gmsg *
gossip_msg_new(struct guts_gossip *g, const uint8_t *id, const struct guts_rpc_message *m);
void gossip_msg_unref(struct gmsg *m);
void gossip_msg_add_sender(struct gmsg *m, const struct gpeer *p);
bool gossip_msg_has_sender(const struct gmsg *m, const struct gpeer *p);
/* The fields of m->wire; always succeeds for what gossip_msg_new made. */
void gossip_msg_view(const struct gmsg *m, struct guts_rpc *rpc, struct guts_arena *arena);
void gossip_pending_add(struct guts_gossip *g, struct gmsg *m, struct gtopic *t, struct gpeer *p);
void gossip_pending_del(struct guts_gossip *g, struct gmsg *m);
void gossip_cache_add(struct guts_gossip *g, struct gmsg *m, struct gtopic *t);
void gossip_cache_del(struct guts_gossip *g, struct gmsg *m);
void gossip_cache_shift(struct guts_gossip *g);
struct gmsg *gossip_msg_find(const struct guts_gossip *g, const uint8_t *id);
/* One more copy for this peer by IWANT; false when it had its share. */
bool gossip_msg_give(struct guts_gossip *g, struct gmsg *m, const struct gpeer *p);

/* control.c */
void gossip_on_control(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_control *c);
void gossip_send_graft(struct guts_gossip *g, struct glink *l);
void gossip_send_prune(struct guts_gossip *g, struct glink *l, uint64_t backoff_ns,
		       struct guts_rpc_px *peers, size_t n_peers);
/* IWANT for v[0..n-1], in entries of bounded size, as far as the queue has room. */
void gossip_send_iwant(struct guts_gossip *g, struct gpeer *p, struct guts_slice *v, size_t n);
void gossip_send_idontwant(struct guts_gossip *g, struct gtopic *t, const struct gmsg *m,
			   const struct gpeer *except);

/* want.c */
/* `p` announced this id: note it, and tell whether p is to be asked now. */
bool gossip_want_offer(struct guts_gossip *g, struct gpeer *p, const uint8_t *id);
/* It was asked for. */
void gossip_want_asked(struct guts_gossip *g, struct gpeer *p, const uint8_t *id);
void gossip_want_done(struct guts_gossip *g, const uint8_t *id);
void gossip_want_beat(struct guts_gossip *g, uint64_t late_ns);
void gossip_want_free(struct guts_gossip *g);

/* mesh.c */
void gossip_mesh_add(struct guts_gossip *g, struct glink *l);
void gossip_mesh_del(struct guts_gossip *g, struct glink *l);
void gossip_fanout_del(struct guts_gossip *g, struct glink *l);
void gossip_fanout_fill(struct guts_gossip *g, struct gtopic *t);
void gossip_fanout_to_mesh(struct guts_gossip *g, struct gtopic *t);
void gossip_mesh_leave(struct guts_gossip *g, struct gtopic *t);
void gossip_mesh_quick(struct guts_gossip *g);
void gossip_heartbeat(struct guts_gossip *g, uint64_t late_ns);
/* Room for n pointers, to choose from. */
void **gossip_sample(struct guts_gossip *g, size_t n);
/* Bring `take` random ones of v[0..n-1] to the front. */
void gossip_shuffle(struct guts_gossip *g, void **v, size_t n, size_t take);

/* announce.c */
/* Tell a mesh peer of one message at once; false if that cannot be now. */
bool gossip_tell_now(struct guts_gossip *g, struct glink *l, const struct gmsg *m);
void gossip_emit(struct guts_gossip *g, struct gtopic *t);

/* px.c */
/* Name others in the topic of the pruned link: at most px_peers_max in `out`, records in `mem`. */
size_t gossip_px_offer(struct guts_gossip *g, const struct glink *pruned, struct guts_rpc_px *out,
		       struct guts_buf *mem);
/* PRUNE with the usual back-off that names others. */
void gossip_px_send_prune(struct guts_gossip *g, struct glink *l);
void gossip_px_take(struct guts_gossip *g, struct gpeer *p, const struct guts_rpc_prune *prune);

/* score.c */
void gossip_score_tick(struct guts_gossip *g);
/* `p` brought a message of `t` first; brought one in time, first or not; broke a rule with one. */
void gossip_score_first(struct guts_gossip *g, struct gpeer *p, struct gtopic *t);
void gossip_score_delivered(struct guts_gossip *g, struct gpeer *p, struct gtopic *t);
void gossip_score_invalid(struct guts_gossip *g, struct gpeer *p, struct gtopic *t);
void gossip_score_behaviour(struct guts_gossip *g, struct gpeer *p, unsigned count);
/* The link joined, or is about to leave, the mesh; is about to be freed. */
void gossip_score_joined(struct guts_gossip *g, struct glink *l);
void gossip_score_left(struct guts_gossip *g, struct glink *l);
void gossip_score_drop(struct guts_gossip *g, struct glink *l);
/* t->expected changed. */
void gossip_score_expect(struct guts_gossip *g, struct gtopic *t);
struct guts_gossip_components gossip_score_components(const struct gpeer *p);
struct guts_gossip_components
gossip_score_topic(const struct guts_gossip *g, const struct glink *l);
/* Is there nothing bad on the peer's account? */
bool gossip_score_is_clean(const struct gpeer *p);
/* Recompute from the counters and the caller's opinion. */
void gossip_score_update(struct guts_gossip *g, struct gpeer *p);
/* One heartbeat of forgetting for a disconnected peer; true when nothing bad is left. */
bool gossip_score_fade(struct guts_gossip *g, struct gpeer *p);

static inline bool
gossip_is_mesh_peer(const struct gpeer *p)
{
	return p->connected && !p->removed && p->door != GUTS_GOSSIP_NODE_DOOR;
}

#endif
