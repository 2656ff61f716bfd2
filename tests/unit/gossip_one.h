/* tests/unit/gossip_one.h - one gossip object and hand-made peers around it. */
#ifndef GUTS_TESTS_GOSSIP_ONE_H
#define GUTS_TESTS_GOSSIP_ONE_H

#include "base/buf.h"
#include "gossip/gossip.h"

#define ONE_S         UINT64_C(1000000000)
#define ONE_PEERS_MAX 64
#define ONE_HEARD_MAX 2048

/* What a peer was sent: totals since one_forget. */
struct one_said {
	size_t frames, bytes, largest;
	size_t subscribe, unsubscribe, messages, graft, prune, px, ihave, iwant, idontwant;
	uint64_t backoff_s;                   /* of the last PRUNE */
	uint8_t last_id[GUTS_GOSSIP_ID_SIZE]; /* of the last message, IHAVE, IWANT or IDONTWANT */
	uint64_t last_seqno;
	struct guts_buf last_frame; /* body of the last one */
};

struct one {
	struct guts_gossip *g;
	struct guts_key key;
	uint64_t now;
	struct guts_key peers[ONE_PEERS_MAX];
	struct one_said said[ONE_PEERS_MAX];
	size_t wakes[ONE_PEERS_MAX];
	bool stuck[ONE_PEERS_MAX]; /* not pulled by one_pull_all */
	/* What callbacks saw and are to do. */
	enum guts_gossip_verdict verdict;
	size_t validated, delivered, forwarded;
	uint8_t forwarded_to[ONE_HEARD_MAX];
	struct guts_peerid deliver_via, deliver_from;
	size_t offences[GUTS_GOSSIP_OFFENCE_COUNT];
	struct guts_peerid offender;
	int scores[ONE_PEERS_MAX];
	size_t allowance; /* new messages that may still be looked at, all peers together */
	bool no_records;
	size_t connects; /* px_connect */
	struct guts_peerid connect_to;
	void (*on_deliver)(struct one *o, const struct guts_gossip_message *m);
	void (*on_validate)(struct one *o, const struct guts_gossip_message *m);
};

/* An object that subscribes to nothing, without peers. */
void one_init(struct one *o, const struct guts_gossip_config *cfg);
/* With the key of seed `byte` × 32; one_init takes 0xee. */
void one_init_as(struct one *o, const struct guts_gossip_config *cfg, uint8_t byte);
void one_deinit(struct one *o);

void one_add(struct one *o, unsigned peer, bool outbound, enum guts_gossip_door door);
void one_remove(struct one *o, unsigned peer);

/* The peer sends an RPC. */
int one_recv(struct one *o, unsigned peer, const struct guts_rpc *rpc);
int one_recv_bytes(struct one *o, unsigned peer, struct guts_slice bytes);
void one_sub(struct one *o, unsigned peer, const char *topic, bool on);
void one_graft(struct one *o, unsigned peer, const char *topic);
void one_prune(struct one *o, unsigned peer, const char *topic, uint64_t backoff_s);
void one_ihave(struct one *o, unsigned peer, const char *topic, const uint8_t id[32]);
void one_iwant(struct one *o, unsigned peer, const uint8_t id[32]);
void one_idontwant(struct one *o, unsigned peer, const uint8_t id[32]);

/* PRUNE for "t" that names `named` with the record of `record`. */
void one_prune_px(struct one *o, unsigned peer, unsigned named, unsigned record);

/* Take all output of a peer, or of all that are not stuck, into said[]; frames are checked. */
void one_pull(struct one *o, unsigned peer);
void one_pull_all(struct one *o);
void one_forget(struct one *o);

/* Let time pass in steps of deadlines, pulling all output. */
void one_pass(struct one *o, uint64_t ns);

/* A signed message by peer `author`; views into *mem, which the caller frees. */
struct one_message {
	struct guts_rpc_message raw;
	uint8_t id[32];
	uint8_t seqno[8], sig[GUTS_SIG_SIZE];
	struct guts_peerid from;
};
void one_sign(struct one *o, struct one_message *m, unsigned author, const char *topic,
	      struct guts_slice data);
int one_send(struct one *o, unsigned peer, const struct one_message *m);

/* Look at the object. */
struct guts_gossip_topic_info one_topic(const struct one *o, const char *topic);
bool one_in_mesh(const struct one *o, unsigned peer, const char *topic);
struct guts_gossip_stats one_stats(const struct one *o);

#endif
