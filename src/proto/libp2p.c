/* proto/libp2p.c - tables of the libp2p protocols, and the two signatures that go with them.
 *
 * The tables hold field numbers and caps; everything else is wire/pb.  A gossipsub message is
 * signed over its own encoding without signature and key, so it is verified by encoding the
 * decoded struct again: presence flags keep "absent" and "empty" apart, and the encoder
 * writes in field-number order, as every implementation we know signs it.
 */
#include "proto/libp2p.h"

#include "crypto/envelope.h"

#define RECORD_DOMAIN "libp2p-peer-record"
#define SIGN_PREFIX "libp2p-pubsub:"

#define FIELDS(name) static const struct guts_pb_field name[]

/* -- identify --------------------------------------------------------------------------- */

FIELDS(identify_fields) = {
	GUTS_PB_OPTIONAL(struct guts_identify, public_key, 1, GUTS_PB_BYTES, 1024, NULL),
	GUTS_PB_REPEATED(struct guts_identify, listen_addrs, 2, GUTS_PB_BYTES, GUTS_MADDR_MAX,
			 GUTS_IDENTIFY_ADDRS_MAX, NULL),
	GUTS_PB_REPEATED(struct guts_identify, protocols, 3, GUTS_PB_STRING, GUTS_PROTOCOL_ID_MAX,
			 GUTS_IDENTIFY_PROTOCOLS_MAX, NULL),
	GUTS_PB_OPTIONAL(struct guts_identify, observed_addr, 4, GUTS_PB_BYTES, GUTS_MADDR_MAX,
			 NULL),
	GUTS_PB_OPTIONAL(struct guts_identify, protocol_version, 5, GUTS_PB_STRING, GUTS_AGENT_MAX,
			 NULL),
	GUTS_PB_OPTIONAL(struct guts_identify, agent_version, 6, GUTS_PB_STRING, GUTS_AGENT_MAX,
			 NULL),
	GUTS_PB_OPTIONAL(struct guts_identify, signed_peer_record, 8, GUTS_PB_BYTES,
			 GUTS_PEERRECORD_MAX, NULL),
};
const struct guts_pb_desc guts_identify_desc =
	GUTS_PB_DESC("Identify", struct guts_identify, identify_fields);

void
guts_identify_merge(struct guts_identify *into, const struct guts_identify *part)
{
	if (part->has_public_key) {
		into->public_key = part->public_key;
		into->has_public_key = true;
	}
	if (part->listen_addrs.n > 0)
		into->listen_addrs = part->listen_addrs;
	if (part->protocols.n > 0)
		into->protocols = part->protocols;
	if (part->has_observed_addr) {
		into->observed_addr = part->observed_addr;
		into->has_observed_addr = true;
	}
	if (part->has_protocol_version) {
		into->protocol_version = part->protocol_version;
		into->has_protocol_version = true;
	}
	if (part->has_agent_version) {
		into->agent_version = part->agent_version;
		into->has_agent_version = true;
	}
	if (part->has_signed_peer_record) {
		into->signed_peer_record = part->signed_peer_record;
		into->has_signed_peer_record = true;
	}
}

/* -- peer record ------------------------------------------------------------------------ */

struct record_addr {
	struct guts_slice multiaddr;
};

struct record_payload {
	struct guts_slice peer_id;
	uint64_t seq;
	struct {
		struct record_addr *v;
		size_t n;
	} addresses;
};

FIELDS(record_addr_fields) = {
	GUTS_PB_FIELD(struct record_addr, multiaddr, 1, GUTS_PB_BYTES, GUTS_MADDR_MAX),
};
static const struct guts_pb_desc record_addr_desc =
	GUTS_PB_DESC("PeerRecord.AddressInfo", struct record_addr, record_addr_fields);

FIELDS(record_fields) = {
	GUTS_PB_FIELD(struct record_payload, peer_id, 1, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct record_payload, seq, 2, GUTS_PB_U64, 0),
	GUTS_PB_REPEATED(struct record_payload, addresses, 3, GUTS_PB_MSG, GUTS_MADDR_MAX + 8,
			 GUTS_IDENTIFY_ADDRS_MAX, &record_addr_desc),
};
static const struct guts_pb_desc record_desc =
	GUTS_PB_DESC("PeerRecord", struct record_payload, record_fields);

static struct guts_slice
record_type(void)
{
	static const uint8_t type[] = { 0x03, 0x01 }; /* multicodec libp2p-peer-record */

	return guts_slice(type, sizeof type);
}

int
guts_peerrecord_make(struct guts_buf *out, const struct guts_key *k,
		     const struct guts_peerrecord *r)
{
	struct record_addr addrs[GUTS_IDENTIFY_ADDRS_MAX];
	struct record_payload p = { .peer_id = guts_peerid_slice(&k->id), .seq = r->seq };
	struct guts_buf payload;
	int err;

	if (r->naddrs > GUTS_IDENTIFY_ADDRS_MAX)
		return GUTS_ELIMIT;
	for (size_t i = 0; i < r->naddrs; i++)
		addrs[i].multiaddr = guts_maddr_slice(&r->addrs[i]);
	p.addresses.v = addrs;
	p.addresses.n = r->naddrs;

	guts_buf_init(&payload, GUTS_PEERRECORD_MAX);
	err = guts_pb_encode(&record_desc, &p, &payload);
	if (!err)
		err = guts_envelope_seal(out, k, RECORD_DOMAIN, record_type(),
					 guts_buf_slice(&payload));
	guts_buf_deinit(&payload);
	return err;
}

int
guts_peerrecord_open(struct guts_peerrecord *r, struct guts_slice envelope)
{
	struct record_payload p;
	struct guts_envelope e;
	struct guts_arena arena;
	int err;

	memset(r, 0, sizeof *r);
	guts_arena_init(&arena, 16u << 10);
	err = guts_envelope_open(&e, envelope, GUTS_PEERRECORD_MAX, RECORD_DOMAIN, record_type());
	if (err)
		goto out;
	err = guts_pb_decode(&record_desc, e.payload, &p, &arena);
	if (err)
		goto out;
	err = guts_peerid_decode(&r->peer, p.peer_id);
	if (err)
		goto out;
	if (!guts_peerid_eq(&r->peer, &e.signer)) {
		err = GUTS_EPROTO;
		goto out;
	}
	r->seq = p.seq;
	for (size_t i = 0; i < p.addresses.n; i++)
		if (guts_maddr_decode(&r->addrs[r->naddrs], p.addresses.v[i].multiaddr) == 0)
			r->naddrs++;
out:
	guts_arena_deinit(&arena);
	return err;
}

/* -- gossipsub -------------------------------------------------------------------------- */

FIELDS(sub_fields) = {
	GUTS_PB_OPTIONAL(struct guts_rpc_sub, subscribe, 1, GUTS_PB_BOOL, 0, NULL),
	GUTS_PB_FIELD(struct guts_rpc_sub, topic, 2, GUTS_PB_STRING, GUTS_TOPIC_MAX),
};
static const struct guts_pb_desc sub_desc =
	GUTS_PB_DESC("RPC.SubOpts", struct guts_rpc_sub, sub_fields);

FIELDS(message_fields) = {
	GUTS_PB_OPTIONAL(struct guts_rpc_message, from, 1, GUTS_PB_BYTES, 64, NULL),
	GUTS_PB_OPTIONAL(struct guts_rpc_message, data, 2, GUTS_PB_BYTES, GUTS_GOSSIP_DATA_MAX,
			 NULL),
	GUTS_PB_OPTIONAL(struct guts_rpc_message, seqno, 3, GUTS_PB_BYTES, 64, NULL),
	GUTS_PB_OPTIONAL(struct guts_rpc_message, topic, 4, GUTS_PB_STRING, GUTS_TOPIC_MAX, NULL),
	GUTS_PB_OPTIONAL(struct guts_rpc_message, signature, 5, GUTS_PB_BYTES, 1024, NULL),
	GUTS_PB_OPTIONAL(struct guts_rpc_message, key, 6, GUTS_PB_BYTES, 1024, NULL),
};
const struct guts_pb_desc guts_rpc_message_desc =
	GUTS_PB_DESC("Message", struct guts_rpc_message, message_fields);

FIELDS(ihave_fields) = {
	GUTS_PB_FIELD(struct guts_rpc_ihave, topic, 1, GUTS_PB_STRING, GUTS_TOPIC_MAX),
	GUTS_PB_REPEATED(struct guts_rpc_ihave, ids, 2, GUTS_PB_BYTES, GUTS_MESSAGE_ID_MAX,
			 GUTS_RPC_IDS_MAX, NULL),
};
static const struct guts_pb_desc ihave_desc =
	GUTS_PB_DESC("ControlIHave", struct guts_rpc_ihave, ihave_fields);

FIELDS(iwant_fields) = {
	GUTS_PB_REPEATED(struct guts_rpc_iwant, ids, 1, GUTS_PB_BYTES, GUTS_MESSAGE_ID_MAX,
			 GUTS_RPC_IDS_MAX, NULL),
};
static const struct guts_pb_desc iwant_desc =
	GUTS_PB_DESC("ControlIWant", struct guts_rpc_iwant, iwant_fields);

FIELDS(graft_fields) = {
	GUTS_PB_FIELD(struct guts_rpc_graft, topic, 1, GUTS_PB_STRING, GUTS_TOPIC_MAX),
};
static const struct guts_pb_desc graft_desc =
	GUTS_PB_DESC("ControlGraft", struct guts_rpc_graft, graft_fields);

FIELDS(px_fields) = {
	GUTS_PB_FIELD(struct guts_rpc_px, peer, 1, GUTS_PB_BYTES, 64),
	GUTS_PB_FIELD(struct guts_rpc_px, signed_record, 2, GUTS_PB_BYTES, GUTS_PEERRECORD_MAX),
};
static const struct guts_pb_desc px_desc =
	GUTS_PB_DESC("PeerInfo", struct guts_rpc_px, px_fields);

FIELDS(prune_fields) = {
	GUTS_PB_FIELD(struct guts_rpc_prune, topic, 1, GUTS_PB_STRING, GUTS_TOPIC_MAX),
	GUTS_PB_REPEATED(struct guts_rpc_prune, peers, 2, GUTS_PB_MSG, GUTS_PEERRECORD_MAX + 128,
			 GUTS_RPC_PX_MAX, &px_desc),
	GUTS_PB_FIELD(struct guts_rpc_prune, backoff_s, 3, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc prune_desc =
	GUTS_PB_DESC("ControlPrune", struct guts_rpc_prune, prune_fields);

FIELDS(control_fields) = {
	GUTS_PB_REPEATED(struct guts_rpc_control, ihave, 1, GUTS_PB_MSG, GUTS_GOSSIP_RPC_MAX,
			 GUTS_RPC_CONTROL_MAX, &ihave_desc),
	GUTS_PB_REPEATED(struct guts_rpc_control, iwant, 2, GUTS_PB_MSG, GUTS_GOSSIP_RPC_MAX,
			 GUTS_RPC_CONTROL_MAX, &iwant_desc),
	GUTS_PB_REPEATED(struct guts_rpc_control, graft, 3, GUTS_PB_MSG, GUTS_GOSSIP_RPC_MAX,
			 GUTS_RPC_CONTROL_MAX, &graft_desc),
	GUTS_PB_REPEATED(struct guts_rpc_control, prune, 4, GUTS_PB_MSG, GUTS_GOSSIP_RPC_MAX,
			 GUTS_RPC_CONTROL_MAX, &prune_desc),
	GUTS_PB_REPEATED(struct guts_rpc_control, idontwant, 5, GUTS_PB_MSG, GUTS_GOSSIP_RPC_MAX,
			 GUTS_RPC_CONTROL_MAX, &iwant_desc),
};
static const struct guts_pb_desc control_desc =
	GUTS_PB_DESC("ControlMessage", struct guts_rpc_control, control_fields);

FIELDS(rpc_fields) = {
	GUTS_PB_REPEATED(struct guts_rpc, subs, 1, GUTS_PB_MSG, GUTS_TOPIC_MAX + 64,
			 GUTS_RPC_SUBS_MAX, &sub_desc),
	GUTS_PB_REPEATED(struct guts_rpc, publish, 2, GUTS_PB_MSG, GUTS_GOSSIP_RPC_MAX,
			 GUTS_RPC_MESSAGES_MAX, &guts_rpc_message_desc),
	GUTS_PB_INNER(struct guts_rpc, control, 3, GUTS_GOSSIP_RPC_MAX, &control_desc),
};
const struct guts_pb_desc guts_rpc_desc = GUTS_PB_DESC("RPC", struct guts_rpc, rpc_fields);

int
guts_rpc_signed_bytes(struct guts_buf *out, const struct guts_rpc_message *m)
{
	struct guts_rpc_message bare = *m;
	int err;

	bare.has_signature = bare.has_key = false;
	bare.signature = bare.key = guts_slice(NULL, 0);
	err = guts_buf_add_str(out, SIGN_PREFIX);
	return err ? err : guts_pb_encode(&guts_rpc_message_desc, &bare, out);
}

int
guts_rpc_message_verify(const struct guts_rpc_message *m, struct guts_peerid *from)
{
	uint8_t pub[GUTS_PUBKEY_SIZE];
	struct guts_peerid owner;
	struct guts_buf bytes;
	int err;

	if (!m->has_from || !m->has_seqno || m->seqno.n != 8 || !m->has_topic ||
	    !m->has_signature || m->signature.n == 0)
		return GUTS_EPROTO;
	err = guts_peerid_decode(from, m->from);
	if (err)
		return err;
	if (m->has_key && m->key.n > 0) {
		err = guts_pubkey_decode(pub, m->key);
		if (err)
			return err;
		guts_peerid_from_pubkey(&owner, pub);
		if (!guts_peerid_eq(&owner, from))
			return GUTS_EPROTO;
	} else {
		err = guts_peerid_pubkey(from, pub);
		if (err)
			return err;
	}
	if (m->signature.n != GUTS_SIG_SIZE)
		return GUTS_ESIG;

	guts_buf_init(&bytes, GUTS_GOSSIP_RPC_MAX);
	err = guts_rpc_signed_bytes(&bytes, m);
	if (!err)
		err = guts_verify(m->signature.p, pub, guts_buf_slice(&bytes));
	guts_buf_deinit(&bytes);
	return err;
}

/* -- Kademlia --------------------------------------------------------------------------- */

FIELDS(kad_record_fields) = {
	GUTS_PB_FIELD(struct guts_kad_record, key, 1, GUTS_PB_BYTES, GUTS_KAD_KEY_MAX),
	GUTS_PB_FIELD(struct guts_kad_record, value, 2, GUTS_PB_BYTES, GUTS_KAD_MESSAGE_MAX),
	GUTS_PB_FIELD(struct guts_kad_record, time_received, 5, GUTS_PB_STRING, 64),
};
static const struct guts_pb_desc kad_record_desc =
	GUTS_PB_DESC("Record", struct guts_kad_record, kad_record_fields);

FIELDS(kad_peer_fields) = {
	GUTS_PB_FIELD(struct guts_kad_peer, id, 1, GUTS_PB_BYTES, 64),
	GUTS_PB_REPEATED(struct guts_kad_peer, addrs, 2, GUTS_PB_BYTES, GUTS_MADDR_MAX,
			 GUTS_KAD_ADDRS_MAX, NULL),
	GUTS_PB_FIELD(struct guts_kad_peer, connection, 3, GUTS_PB_U32, 0),
};
static const struct guts_pb_desc kad_peer_desc =
	GUTS_PB_DESC("Message.Peer", struct guts_kad_peer, kad_peer_fields);

FIELDS(kad_fields) = {
	GUTS_PB_OPTIONAL(struct guts_kad_message, type, 1, GUTS_PB_U32, 0, NULL),
	GUTS_PB_FIELD(struct guts_kad_message, key, 2, GUTS_PB_BYTES, GUTS_KAD_KEY_MAX),
	GUTS_PB_INNER(struct guts_kad_message, record, 3, GUTS_KAD_MESSAGE_MAX, &kad_record_desc),
	GUTS_PB_REPEATED(struct guts_kad_message, closer, 8, GUTS_PB_MSG, GUTS_KAD_MESSAGE_MAX,
			 GUTS_KAD_PEERS_MAX, &kad_peer_desc),
	GUTS_PB_REPEATED(struct guts_kad_message, providers, 9, GUTS_PB_MSG, GUTS_KAD_MESSAGE_MAX,
			 GUTS_KAD_PEERS_MAX, &kad_peer_desc),
};
const struct guts_pb_desc guts_kad_message_desc =
	GUTS_PB_DESC("Message", struct guts_kad_message, kad_fields);
