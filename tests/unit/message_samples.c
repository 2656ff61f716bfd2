/* tests/unit/message_samples.c - see message_samples.h. */
#include "message_samples.h"

#include "proto/libp2p.h"
#include "record_samples.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t b32[32] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static const uint8_t c32[32] = { 201, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static const uint8_t peer_bytes[38] = { 0, 36, 8, 1, 18, 32, 7, 7, 7, 7 };

#define ID guts_slice(b32, 32)
#define ID2 guts_slice(c32, 32)
#define OID guts_slice(b32, 20)
#define PEER guts_slice(peer_bytes, 38)
#define STR(s) guts_slice_str(s)

/* -- trees ------------------------------------------------------------------------------ */

struct guts_refentry
sample_entry(size_t i, char mem[64])
{
	struct guts_refentry e = { .version = i + 1 };

	e.name = guts_slice(mem, (size_t)snprintf(mem, 64, "refs/heads/b%zu", i));
	if (i % 10 != 9) {
		e.oid.n = 20;
		for (unsigned k = 0; k < 20; k++)
			e.oid.b[k] = (uint8_t)(i * 31 + k + 1);
	}
	return e;
}

struct guts_reftree *
sample_tree(size_t n)
{
	struct guts_refentry *e = calloc(n + 1, sizeof *e);
	char(*names)[64] = calloc(n + 1, sizeof *names);
	struct guts_reftree *empty = guts_reftree_empty(), *t;

	assert(e && names);
	for (size_t i = 0; i < n; i++)
		e[i] = sample_entry(i, names[i]);
	assert(guts_reftree_apply(empty, e, n, &t) == 0);
	guts_reftree_unref(empty);
	free(names);
	free(e);
	return t;
}

/* -- messages --------------------------------------------------------------------------- */

static struct guts_slice caps[] = { { (const uint8_t *)"sync", 4 },
				    { (const uint8_t *)"gossipsub", 9 } };

static struct guts_msg_hello
hello(void)
{
	return (struct guts_msg_hello){
		.protocol_version = 1,
		.agent = STR("guts/0.1.0"),
		.network = STR("main"),
		.capabilities = { caps, 2 },
		.has_limits = true,
		.limits = { 64u << 20, 512u << 20, UINT64_C(1) << 40 },
		.inventory_digest = ID,
		.inventory_count = 300,
	};
}

static struct guts_msg_error
error(void)
{
	return (struct guts_msg_error){ GUTS_CODE_TOO_LARGE, STR("too large"), 512, 2000 };
}

static struct guts_msg_ref_change changes[2];
static struct guts_slice envelopes[2], oids[3];

static struct guts_msg_new_commit
new_commit(void)
{
	changes[0] = (struct guts_msg_ref_change){ STR("refs/heads/main"), OID, ID2, 8 };
	changes[1] = (struct guts_msg_ref_change){ STR("refs/tags/v1"), OID, { 0 }, 2 };
	return (struct guts_msg_new_commit){
		.record = STR("an envelope"),
		.repository = ID,
		.changes = { changes, 2 },
		.truncated = true,
	};
}

static void
node_sample(size_t i, struct guts_buf *out, const char **name)
{
	struct guts_msg_node m = { 0 };

	envelopes[0] = STR("one envelope");
	envelopes[1] = STR("two");
	switch (i) {
	case 0: m.hello = hello(), m.has_hello = true, *name = "hello"; break;
	case 1:
		m.hello_ack.hello = hello(), m.hello_ack.has_hello = true;
		m.has_hello_ack = true, *name = "hello_ack";
		break;
	case 2:
		m.hello_ack.refusal = error(), m.hello_ack.has_refusal = true;
		m.has_hello_ack = true, *name = "hello_refused";
		break;
	case 3:
		m.ping = (struct guts_msg_ping){ UINT64_MAX, ID, SAMPLE_MS };
		m.has_ping = true, *name = "ping";
		break;
	case 4:
		m.pong = (struct guts_msg_pong){ 77, { 0 } };
		m.has_pong = true, *name = "pong";
		break;
	case 5:
		m.new_repository.identity = STR("identity envelope");
		m.new_repository.votes.v = envelopes;
		m.new_repository.votes.n = 2;
		m.has_new_repository = true, *name = "new_repository";
		break;
	case 6: m.new_commit = new_commit(), m.has_new_commit = true, *name = "new_commit"; break;
	case 7:
		m.new_status.record = STR("status envelope");
		m.has_new_status = true, *name = "new_status";
		break;
	case 8:
		m.gossip = (struct guts_msg_gossip){ STR("chat"), STR("data"), PEER, STR("12345678"),
						     guts_slice(b32, 32), guts_slice(b32, 32) };
		m.has_gossip = true, *name = "gossip";
		break;
	default: m.error = error(), m.has_error = true, *name = "error";
	}
	assert(guts_pb_encode(&guts_msg_node_desc, &m, out) == 0);
}

static void
request_sample(size_t i, struct guts_buf *out, const char **name)
{
	struct guts_msg_request m = { .request_id = 300 + i };
	struct guts_msg_author_state authors[2] = { { PEER, 55, ID }, { PEER, 0, { 0 } } };
	uint64_t buckets[] = { 0, 3, 255 };

	oids[0] = OID;
	oids[1] = ID;
	oids[2] = ID2;
	switch (i) {
	case 0:
		m.get_inventory = (struct guts_msg_get_inventory){ ID, STR("ab") };
		m.has_get_inventory = true, *name = "get_inventory";
		break;
	case 1:
		m.get_refs.repository = ID;
		m.get_refs.identity_known = 2;
		m.get_refs.authors.v = authors;
		m.get_refs.authors.n = 2;
		m.get_refs.only_listed = true;
		m.get_refs.entries = GUTS_ENTRIES_BUCKETS;
		m.get_refs.buckets.v = buckets;
		m.get_refs.buckets.n = 3;
		m.get_refs.chain_since = 44;
		m.has_get_refs = true, *name = "get_refs";
		break;
	case 2:
		m.get_objects = (struct guts_msg_get_objects){
			ID, { oids, 3 }, { oids + 1, 2 }, true, 1u << 20
		};
		m.has_get_objects = true, *name = "get_objects";
		break;
	case 3:
		m.get_statuses = (struct guts_msg_get_statuses){ ID, OID, 9, STR("cursor") };
		m.has_get_statuses = true, *name = "get_statuses";
		break;
	case 4:
		m.get_job = (struct guts_msg_get_job){ ID, { ID.p, GUTS_MSG_JOB_ID_SIZE }, STR("log"), 42 };
		m.has_get_job = true, *name = "get_job";
		break;
	default: *name = "none_known";
	}
	assert(guts_pb_encode(&guts_msg_request_desc, &m, out) == 0);
}

static void
refs_response(struct guts_buf *out, bool with_hashes)
{
	static uint8_t hashes[GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE];
	struct guts_msg_ref_entry e[] = { { STR("refs/heads/a"), OID, 1 },
					  { STR("refs/heads/b"), { 0 }, 2 } };
	struct guts_msg_bucket buckets[] = { { 0, { e, 2 } }, { 255, { e, 1 } } };
	struct guts_msg_author_refs a[2] = { { .author = PEER }, { .author = PEER } };
	struct guts_msg_response m = { .request_id = 1, .has_refs = true };

	a[0].records = (struct guts_pb_bytes_list){ envelopes, 2 };
	a[0].base = ID;
	a[0].entries.v = e;
	a[0].entries.n = 2;
	a[0].more = true;
	a[1].buckets.v = buckets;
	a[1].buckets.n = 2;
	if (with_hashes)
		a[1].bucket_hashes = guts_slice(hashes, sizeof hashes);
	m.refs.identities = m.refs.votes = (struct guts_pb_bytes_list){ envelopes, 2 };
	m.refs.authors.v = a;
	m.refs.authors.n = 2;
	m.refs.more = true;
	assert(guts_pb_encode(&guts_msg_response_desc, &m, out) == 0);
}

static void
response_sample(size_t i, struct guts_buf *out, const char **name)
{
	struct guts_msg_inventory_entry inv[] = { { ID, ID2, SAMPLE_MS }, { ID2, ID, 0 } };
	struct guts_msg_response m = { .request_id = 1 };

	envelopes[0] = STR("one envelope");
	envelopes[1] = STR("two");
	switch (i) {
	case 0: m.error = error(), m.has_error = true, *name = "error"; break;
	case 1:
		m.inventory.entries.v = inv;
		m.inventory.entries.n = 2;
		m.inventory.more = true;
		m.has_inventory = true, *name = "inventory";
		break;
	case 2: *name = "refs"; refs_response(out, false); return;
	case 3:
		m.objects_header.objects = 12345;
		m.has_objects_header = true, *name = "objects_header";
		break;
	case 4:
		m.objects_data.pack = STR("PACK....");
		m.has_objects_data = true, *name = "objects_data";
		break;
	case 5:
		m.objects_end.objects = 3;
		m.objects_end.bytes = 99;
		m.objects_end.sha256 = ID;
		m.has_objects_end = true, *name = "objects_end";
		break;
	case 6:
		m.objects_end.error = error();
		m.objects_end.has_error = m.has_objects_end = true, *name = "objects_failed";
		break;
	case 7:
		m.statuses.records = (struct guts_pb_bytes_list){ envelopes, 2 };
		m.statuses.more = true;
		m.statuses.cursor = STR("next");
		m.has_statuses = true, *name = "statuses";
		break;
	default:
		m.job.json = STR("{\"id\":\"…\"}");
		m.job.data = STR("hello");
		m.job.record = STR("signed");
		m.has_job = true, *name = "job";
	}
	assert(guts_pb_encode(&guts_msg_response_desc, &m, out) == 0);
}

static void
payload_sample(size_t i, struct guts_buf *out, const char **name)
{
	struct guts_msg_gossip_payload m = { 0 };

	if (i == 0) {
		m.new_commit = new_commit();
		m.has_new_commit = true;
		*name = "new_commit";
	} else {
		m.new_status.record = STR("status envelope");
		m.has_new_status = true;
		*name = "new_status";
	}
	assert(guts_pb_encode(&guts_msg_gossip_payload_desc, &m, out) == 0);
}

/* -- libp2p ----------------------------------------------------------------------------- */

static void
rpc_sample(struct guts_buf *out)
{
	struct guts_rpc_sub subs[] = { { true, true, STR("chat") }, { false, true, STR("old") } };
	struct guts_rpc_message msg = { .from = PEER, .data = STR("data"), .seqno = STR("12345678"),
					.topic = STR("chat"), .signature = ID, .key = ID,
					.has_from = true, .has_data = true, .has_seqno = true,
					.has_topic = true, .has_signature = true, .has_key = true };
	struct guts_rpc_ihave ihave = { STR("chat"), { envelopes, 2 } };
	struct guts_rpc_iwant iwant = { { envelopes, 2 } };
	struct guts_rpc_graft graft = { STR("chat") };
	struct guts_rpc_px px = { PEER, STR("an envelope") };
	struct guts_rpc_prune prune = { STR("chat"), { &px, 1 }, 60 };
	struct guts_rpc rpc = { .subs = { subs, 2 }, .publish = { &msg, 1 }, .has_control = true };

	envelopes[0] = ID;
	envelopes[1] = ID2;
	rpc.control.ihave.v = &ihave, rpc.control.ihave.n = 1;
	rpc.control.iwant.v = &iwant, rpc.control.iwant.n = 1;
	rpc.control.graft.v = &graft, rpc.control.graft.n = 1;
	rpc.control.prune.v = &prune, rpc.control.prune.n = 1;
	rpc.control.idontwant.v = &iwant, rpc.control.idontwant.n = 1;
	assert(guts_pb_encode(&guts_rpc_desc, &rpc, out) == 0);
}

static void
identify_sample(struct guts_buf *out)
{
	static struct guts_peerrecord r;
	struct guts_slice addrs[2], protocols[] = { STR("/ipfs/id/1.0.0"), STR("/guts/node/1.0.0") };
	struct guts_identify id = { .has_public_key = true, .has_observed_addr = true,
				    .has_protocol_version = true, .has_agent_version = true,
				    .has_signed_peer_record = true };
	uint8_t pub[GUTS_PUBKEY_PB_SIZE];
	struct guts_buf envelope;
	struct guts_key k;

	sample_key(&k, 1);
	guts_pubkey_encode(pub, k.pub);
	r.naddrs = 2;
	assert(guts_maddr_parse(&r.addrs[0], STR("/ip4/127.0.0.1/tcp/9000")) == 0);
	assert(guts_maddr_parse(&r.addrs[1], STR("/ip6/::1/udp/9000/quic-v1")) == 0);
	r.seq = SAMPLE_MS;
	guts_buf_init(&envelope, GUTS_PEERRECORD_MAX);
	assert(guts_peerrecord_make(&envelope, &k, &r) == 0);
	for (size_t i = 0; i < 2; i++)
		addrs[i] = guts_maddr_slice(&r.addrs[i]);
	id.public_key = guts_slice(pub, sizeof pub);
	id.listen_addrs = (struct guts_pb_bytes_list){ addrs, 2 };
	id.protocols = (struct guts_pb_bytes_list){ protocols, 2 };
	id.observed_addr = addrs[0];
	id.protocol_version = STR("guts/1.0.0");
	id.agent_version = STR("guts/0.1.0");
	id.signed_peer_record = guts_buf_slice(&envelope);
	assert(guts_pb_encode(&guts_identify_desc, &id, out) == 0);
	guts_buf_deinit(&envelope);
}

static void
kad_sample(struct guts_buf *out)
{
	struct guts_slice addr = guts_slice("\x04\x7f\0\0\1\x06\x23\x28", 8);
	struct guts_kad_peer peer = { PEER, { &addr, 1 }, GUTS_KAD_CONNECTED };
	struct guts_kad_message m = { .type = GUTS_KAD_GET_VALUE, .has_type = true, .key = ID,
				      .has_record = true, .closer = { &peer, 1 },
				      .providers = { &peer, 1 } };

	m.record = (struct guts_kad_record){ ID, STR("value"), STR("2023-11-14T22:13:20Z") };
	assert(guts_pb_encode(&guts_kad_message_desc, &m, out) == 0);
}

/* A delta for fuzz_reftree: the form of a RefBucket, see there. */
static void
delta_sample(struct guts_buf *out)
{
	struct guts_msg_ref_entry e[8];
	struct guts_msg_response m = { .has_refs = true };
	struct guts_msg_author_refs a = { .author = PEER };
	struct guts_refentry v[8];
	char names[8][64];

	for (size_t i = 0; i < 8; i++) {
		v[i] = sample_entry(i + 5, names[i]);
		guts_msg_entry_write(&e[i], &v[i]);
	}
	a.entries.v = e;
	a.entries.n = 8;
	m.refs.authors.v = &a;
	m.refs.authors.n = 1;
	assert(guts_pb_encode(&guts_msg_response_desc, &m, out) == 0);
}

void
message_sample(size_t i, struct guts_buf *out, const char **target, const char **name)
{
	assert(i < MESSAGE_SAMPLES);
	if (i < 10) {
		*target = "node_message";
		node_sample(i, out, name);
	} else if (i < 16) {
		*target = "sync_request";
		request_sample(i - 10, out, name);
	} else if (i < 25) {
		*target = "sync_response";
		response_sample(i - 16, out, name);
	} else if (i < 27) {
		*target = "gossip_payload";
		payload_sample(i - 25, out, name);
	} else if (i == 27) {
		*target = "gossip_rpc", *name = "all";
		rpc_sample(out);
	} else if (i == 28) {
		*target = "identify", *name = "full";
		identify_sample(out);
	} else if (i == 29) {
		*target = "kad", *name = "value";
		kad_sample(out);
	} else if (i == 30) {
		*target = "reftree", *name = "delta";
		delta_sample(out);
	} else {
		*target = "reftree", *name = "refs";
		refs_response(out, true);
	}
}
