/* proto/libp2p.h - messages of the libp2p protocols we speak, as tables for wire/pb.h.
 *
 * Identify, the peer record in its signed envelope, gossipsub's RPC and Kademlia's
 * message.  Each struct is what its table decodes into: bytes are views into the input,
 * lists live in the arena.  A member with `has_` beside it is written iff that is set,
 * because other implementations tell "absent" from "empty" (and sign the difference).
 *
 * Source: libp2p specs identify/README.md, RFC/0003-routing-records.md,
 * pubsub/README.md, pubsub/gossipsub/gossipsub-v1.{0,1,2}.md, kad-dht/README.md.
 */
#ifndef GUTS_PROTO_LIBP2P_H
#define GUTS_PROTO_LIBP2P_H

#include "base/arena.h"
#include "base/buf.h"
#include "crypto/key.h"
#include "wire/multiaddr.h"
#include "wire/pb.h"

#define GUTS_IDENTIFY_ADDRS_MAX 64     /* addresses of one Identify or peer record */
#define GUTS_IDENTIFY_PROTOCOLS_MAX 256
#define GUTS_PROTOCOL_ID_MAX 128       /* [bytes] one protocol name */
#define GUTS_AGENT_MAX 256             /* [bytes] agent and protocol version texts */
#define GUTS_PEERRECORD_MAX 4096       /* [bytes] envelope of a peer record */
#define GUTS_TOPIC_MAX 256             /* [bytes] one gossipsub topic */
#define GUTS_MESSAGE_ID_MAX 128        /* [bytes] one gossipsub message id */
#define GUTS_RPC_SUBS_MAX 2048         /* subscriptions of one RPC */
#define GUTS_RPC_MESSAGES_MAX 1024     /* published messages of one RPC */
#define GUTS_RPC_CONTROL_MAX 512       /* control entries of one kind in one RPC */
#define GUTS_RPC_IDS_MAX 5000          /* message ids of one control entry */
#define GUTS_RPC_PX_MAX 64             /* peers named by one PRUNE */
#define GUTS_KAD_MESSAGE_MAX (16u << 10) /* [bytes] rust-libp2p refuses more */
#define GUTS_KAD_KEY_MAX 80            /* [bytes] go-libp2p refuses more */
#define GUTS_KAD_PEERS_MAX 64          /* peers of one list; k = 20 */
#define GUTS_KAD_ADDRS_MAX 32          /* addresses of one of them */

/* -- identify --------------------------------------------------------------------------- */

struct guts_identify {
	struct guts_slice public_key; /* PublicKey protobuf */
	struct guts_pb_bytes_list listen_addrs; /* binary multiaddrs, not checked yet */
	struct guts_pb_bytes_list protocols;
	struct guts_slice observed_addr; /* binary multiaddr; may end in /p2p/<id> */
	struct guts_slice protocol_version, agent_version;
	struct guts_slice signed_peer_record; /* envelope, not checked yet */
	bool has_public_key, has_observed_addr, has_protocol_version, has_agent_version,
	    has_signed_peer_record;
};
extern const struct guts_pb_desc guts_identify_desc;

/* Merge `part` over `into`: what a sender splits over several messages, and what a push leaves
 * unchanged.  Views and lists are taken over as they are, so both inputs must stay. */
void guts_identify_merge(struct guts_identify *into, const struct guts_identify *part);

/* -- peer record ------------------------------------------------------------------------ */

struct guts_peerrecord {
	struct guts_peerid peer;
	uint64_t seq; /* must grow from record to record */
	size_t naddrs;
	struct guts_maddr addrs[GUTS_IDENTIFY_ADDRS_MAX];
};

/* Append the signed envelope of the record (domain "libp2p-peer-record", type 03 01) by `k`; its
 * peer is k's.  `r->peer` is ignored.  Errors: GUTS_ELIMIT. */
int guts_peerrecord_make(struct guts_buf *out, const struct guts_key *k,
			 const struct guts_peerrecord *r);

/* Open an envelope of at most GUTS_PEERRECORD_MAX bytes: signature, signer = peer, addresses
 * (undecodable ones are left out).  Errors: as guts_envelope_open, GUTS_EPROTO. */
int guts_peerrecord_open(struct guts_peerrecord *r, struct guts_slice envelope);

/* -- gossipsub -------------------------------------------------------------------------- */

struct guts_rpc_sub {
	bool subscribe, has_subscribe;
	struct guts_slice topic;
};

/* Without signature and key, and with "libp2p-pubsub:" in front, these are the signed bytes. */
struct guts_rpc_message {
	struct guts_slice from, data, seqno, topic, signature, key;
	bool has_from, has_data, has_seqno, has_topic, has_signature, has_key;
};

struct guts_rpc_ihave {
	struct guts_slice topic;
	struct guts_pb_bytes_list ids;
};
struct guts_rpc_iwant { /* IDONTWANT has the same form */
	struct guts_pb_bytes_list ids;
};
struct guts_rpc_graft {
	struct guts_slice topic;
};
struct guts_rpc_px {
	struct guts_slice peer;          /* peer id */
	struct guts_slice signed_record; /* envelope, not checked yet */
};
struct guts_rpc_prune {
	struct guts_slice topic;
	struct {
		struct guts_rpc_px *v;
		size_t n;
	} peers;
	uint64_t backoff_s; /* 0 = not told */
};

struct guts_rpc_control {
	struct {
		struct guts_rpc_ihave *v;
		size_t n;
	} ihave;
	struct {
		struct guts_rpc_iwant *v;
		size_t n;
	} iwant;
	struct {
		struct guts_rpc_graft *v;
		size_t n;
	} graft;
	struct {
		struct guts_rpc_prune *v;
		size_t n;
	} prune;
	struct {
		struct guts_rpc_iwant *v;
		size_t n;
	} idontwant;
};

struct guts_rpc {
	struct {
		struct guts_rpc_sub *v;
		size_t n;
	} subs;
	struct {
		struct guts_rpc_message *v;
		size_t n;
	} publish;
	struct guts_rpc_control control;
	bool has_control;
};
extern const struct guts_pb_desc guts_rpc_desc;
extern const struct guts_pb_desc guts_rpc_message_desc;

/* Append what a StrictSign signature of `m` covers: "libp2p-pubsub:" and `m` without signature and
 * key.  Errors: GUTS_ELIMIT. */
int guts_rpc_signed_bytes(struct guts_buf *out, const struct guts_rpc_message *m);

/* Check `m` under StrictSign: from, seqno (8 bytes), topic, signature are there, the key (the
 * field, or the one in from) belongs to from.  *from is its peer id.  Errors: GUTS_EPROTO, GUTS_ESIG,
 * GUTS_EUNSUPPORTED (no Ed25519 key). */
int guts_rpc_message_verify(const struct guts_rpc_message *m, struct guts_peerid *from);

/* -- Kademlia --------------------------------------------------------------------------- */

enum guts_kad_type {
	GUTS_KAD_PUT_VALUE = 0,
	GUTS_KAD_GET_VALUE = 1,
	GUTS_KAD_ADD_PROVIDER = 2,
	GUTS_KAD_GET_PROVIDERS = 3,
	GUTS_KAD_FIND_NODE = 4,
	GUTS_KAD_PING = 5,
};

enum guts_kad_connection {
	GUTS_KAD_NOT_CONNECTED = 0,
	GUTS_KAD_CONNECTED = 1,
	GUTS_KAD_CAN_CONNECT = 2,
	GUTS_KAD_CANNOT_CONNECT = 3,
};

struct guts_kad_record {
	struct guts_slice key, value, time_received; /* RFC 3339 */
};

struct guts_kad_peer {
	struct guts_slice id;
	struct guts_pb_bytes_list addrs; /* binary multiaddrs without /p2p */
	uint32_t connection;             /* enum guts_kad_connection */
};

struct guts_kad_peers {
	struct guts_kad_peer *v;
	size_t n;
};

struct guts_kad_message {
	uint32_t type; /* enum guts_kad_type */
	bool has_type;
	struct guts_slice key;
	struct guts_kad_record record;
	bool has_record;
	struct guts_kad_peers closer, providers;
};
extern const struct guts_pb_desc guts_kad_message_desc;

#endif
