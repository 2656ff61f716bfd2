/* proto/messages.c - tables of the Guts messages: numbers and caps, nothing else.
 *
 * A oneof is a struct with one presence flag per alternative; a union would let a message with
 * two alternatives have one decoder read what another wrote.  What a table cannot state
 * (exact lengths of ids, at most one alternative) is checked in msgcheck.c.
 */
#include "proto/messages.h"

#define FIELDS(name) static const struct guts_pb_field name[]

/* -- shared ----------------------------------------------------------------------------- */

FIELDS(error_fields) = {
	GUTS_PB_FIELD(struct guts_msg_error, code, 1, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct guts_msg_error, text, 2, GUTS_PB_STRING, GUTS_MSG_TEXT_MAX),
	GUTS_PB_FIELD(struct guts_msg_error, limit, 3, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_error, retry_after_ms, 4, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc error_desc =
	GUTS_PB_DESC("Error", struct guts_msg_error, error_fields);
#define ERROR_MAX (GUTS_MSG_TEXT_MAX + 64) /* [bytes] with unknown fields */

/* -- /guts/node ------------------------------------------------------------------------- */

FIELDS(limits_fields) = {
	GUTS_PB_FIELD(struct guts_msg_limits, object_max, 1, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_limits, pack_max, 2, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_limits, repository_max, 3, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc limits_desc =
	GUTS_PB_DESC("Limits", struct guts_msg_limits, limits_fields);

FIELDS(hello_fields) = {
	GUTS_PB_FIELD(struct guts_msg_hello, protocol_version, 1, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct guts_msg_hello, agent, 2, GUTS_PB_STRING, GUTS_MSG_AGENT_MAX),
	GUTS_PB_FIELD(struct guts_msg_hello, network, 3, GUTS_PB_STRING, GUTS_MSG_NETWORK_MAX),
	GUTS_PB_REPEATED(struct guts_msg_hello, capabilities, 4, GUTS_PB_STRING,
			 GUTS_MSG_CAPABILITY_MAX, GUTS_MSG_CAPABILITIES_MAX, NULL),
	GUTS_PB_INNER(struct guts_msg_hello, limits, 5, 256, &limits_desc),
	GUTS_PB_FIELD(struct guts_msg_hello, inventory_digest, 6, GUTS_PB_BYTES, GUTS_HASH_SIZE),
	GUTS_PB_FIELD(struct guts_msg_hello, inventory_count, 7, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc hello_desc =
	GUTS_PB_DESC("Hello", struct guts_msg_hello, hello_fields);
#define HELLO_MAX 4096 /* [bytes] */

FIELDS(hello_ack_fields) = {
	GUTS_PB_INNER(struct guts_msg_hello_ack, hello, 1, HELLO_MAX, &hello_desc),
	GUTS_PB_INNER(struct guts_msg_hello_ack, refusal, 2, ERROR_MAX, &error_desc),
};
static const struct guts_pb_desc hello_ack_desc =
	GUTS_PB_DESC("HelloAck", struct guts_msg_hello_ack, hello_ack_fields);

FIELDS(ping_fields) = {
	GUTS_PB_FIELD(struct guts_msg_ping, nonce, 1, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_ping, inventory_digest, 2, GUTS_PB_BYTES, GUTS_HASH_SIZE),
	GUTS_PB_FIELD(struct guts_msg_ping, time_ms, 3, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc ping_desc =
	GUTS_PB_DESC("Ping", struct guts_msg_ping, ping_fields);

FIELDS(pong_fields) = {
	GUTS_PB_FIELD(struct guts_msg_pong, nonce, 1, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_pong, inventory_digest, 2, GUTS_PB_BYTES, GUTS_HASH_SIZE),
};
static const struct guts_pb_desc pong_desc =
	GUTS_PB_DESC("Pong", struct guts_msg_pong, pong_fields);

FIELDS(new_repository_fields) = {
	GUTS_PB_FIELD(struct guts_msg_new_repository, identity, 1, GUTS_PB_BYTES, GUTS_RECORD_MAX),
	GUTS_PB_REPEATED(struct guts_msg_new_repository, votes, 2, GUTS_PB_BYTES, GUTS_VOTE_MAX,
			 GUTS_MSG_VOTES_MAX, NULL),
};
const struct guts_pb_desc guts_msg_new_repository_desc =
	GUTS_PB_DESC("NewRepository", struct guts_msg_new_repository, new_repository_fields);

FIELDS(ref_change_fields) = {
	GUTS_PB_FIELD(struct guts_msg_ref_change, name, 1, GUTS_PB_BYTES, GUTS_REFNAME_MAX),
	GUTS_PB_FIELD(struct guts_msg_ref_change, old_oid, 2, GUTS_PB_BYTES, GUTS_OID_MAX),
	GUTS_PB_FIELD(struct guts_msg_ref_change, new_oid, 3, GUTS_PB_BYTES, GUTS_OID_MAX),
	GUTS_PB_FIELD(struct guts_msg_ref_change, version, 4, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc ref_change_desc =
	GUTS_PB_DESC("RefChange", struct guts_msg_ref_change, ref_change_fields);

FIELDS(new_commit_fields) = {
	GUTS_PB_FIELD(struct guts_msg_new_commit, record, 1, GUTS_PB_BYTES, GUTS_SIGNEDREFS_MAX),
	GUTS_PB_FIELD(struct guts_msg_new_commit, repository, 2, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_REPEATED(struct guts_msg_new_commit, changes, 3, GUTS_PB_MSG,
			 GUTS_REFNAME_MAX + 256, GUTS_MSG_CHANGES_MAX, &ref_change_desc),
	GUTS_PB_FIELD(struct guts_msg_new_commit, truncated, 4, GUTS_PB_BOOL, 0),
};
static const struct guts_pb_desc new_commit_desc =
	GUTS_PB_DESC("NewCommit", struct guts_msg_new_commit, new_commit_fields);

FIELDS(new_status_fields) = {
	GUTS_PB_FIELD(struct guts_msg_new_status, record, 1, GUTS_PB_BYTES, GUTS_RECORD_MAX),
};
static const struct guts_pb_desc new_status_desc =
	GUTS_PB_DESC("NewStatus", struct guts_msg_new_status, new_status_fields);

FIELDS(gossip_fields) = {
	GUTS_PB_FIELD(struct guts_msg_gossip, topic, 1, GUTS_PB_STRING, 256),
	GUTS_PB_FIELD(struct guts_msg_gossip, data, 2, GUTS_PB_BYTES, GUTS_GOSSIP_DATA_MAX),
	GUTS_PB_FIELD(struct guts_msg_gossip, from, 3, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct guts_msg_gossip, seqno, 4, GUTS_PB_BYTES, 8),
	GUTS_PB_FIELD(struct guts_msg_gossip, signature, 5, GUTS_PB_BYTES, GUTS_SIG_SIZE),
	GUTS_PB_FIELD(struct guts_msg_gossip, key, 6, GUTS_PB_BYTES, GUTS_PUBKEY_PB_SIZE),
};
static const struct guts_pb_desc gossip_desc =
	GUTS_PB_DESC("Gossip", struct guts_msg_gossip, gossip_fields);

FIELDS(node_fields) = {
	GUTS_PB_INNER(struct guts_msg_node, hello, 1, HELLO_MAX, &hello_desc),
	GUTS_PB_INNER(struct guts_msg_node, hello_ack, 2, HELLO_MAX + 512, &hello_ack_desc),
	GUTS_PB_INNER(struct guts_msg_node, ping, 3, 256, &ping_desc),
	GUTS_PB_INNER(struct guts_msg_node, pong, 4, 256, &pong_desc),
	GUTS_PB_INNER(struct guts_msg_node, new_repository, 5, GUTS_GOSSIP_DATA_MAX,
		      &guts_msg_new_repository_desc),
	GUTS_PB_INNER(struct guts_msg_node, new_commit, 6, GUTS_MSG_NODE_MAX, &new_commit_desc),
	GUTS_PB_INNER(struct guts_msg_node, new_status, 7, GUTS_RECORD_MAX + 256, &new_status_desc),
	GUTS_PB_INNER(struct guts_msg_node, gossip, 8, GUTS_GOSSIP_DATA_MAX + 1024, &gossip_desc),
	GUTS_PB_INNER(struct guts_msg_node, error, 9, ERROR_MAX, &error_desc),
};
const struct guts_pb_desc guts_msg_node_desc =
	GUTS_PB_DESC("NodeMessage", struct guts_msg_node, node_fields);

FIELDS(gossip_payload_fields) = {
	GUTS_PB_INNER(struct guts_msg_gossip_payload, new_commit, 1, GUTS_GOSSIP_DATA_MAX,
		      &new_commit_desc),
	GUTS_PB_INNER(struct guts_msg_gossip_payload, new_status, 2, GUTS_RECORD_MAX + 256,
		      &new_status_desc),
};
const struct guts_pb_desc guts_msg_gossip_payload_desc =
	GUTS_PB_DESC("GossipPayload", struct guts_msg_gossip_payload, gossip_payload_fields);

/* -- /guts/sync: requests --------------------------------------------------------------- */

FIELDS(get_inventory_fields) = {
	GUTS_PB_FIELD(struct guts_msg_get_inventory, cursor, 1, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct guts_msg_get_inventory, prefix, 2, GUTS_PB_BYTES, 4),
};
static const struct guts_pb_desc get_inventory_desc =
	GUTS_PB_DESC("GetInventory", struct guts_msg_get_inventory, get_inventory_fields);

FIELDS(author_state_fields) = {
	GUTS_PB_FIELD(struct guts_msg_author_state, author, 1, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct guts_msg_author_state, known_sequence, 2, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_author_state, known_hash, 3, GUTS_PB_BYTES, GUTS_HASH_SIZE),
};
static const struct guts_pb_desc author_state_desc =
	GUTS_PB_DESC("AuthorState", struct guts_msg_author_state, author_state_fields);

FIELDS(get_refs_fields) = {
	GUTS_PB_FIELD(struct guts_msg_get_refs, repository, 1, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct guts_msg_get_refs, identity_known, 2, GUTS_PB_U64, 0),
	GUTS_PB_REPEATED(struct guts_msg_get_refs, authors, 3, GUTS_PB_MSG, 256,
			 GUTS_AUTHORS_PER_REPO_MAX, &author_state_desc),
	GUTS_PB_FIELD(struct guts_msg_get_refs, only_listed, 4, GUTS_PB_BOOL, 0),
	GUTS_PB_FIELD(struct guts_msg_get_refs, entries, 5, GUTS_PB_U32, 0),
	GUTS_PB_REPEATED(struct guts_msg_get_refs, buckets, 6, GUTS_PB_U64,
			 GUTS_REFTREE_BUCKETS - 1, GUTS_REFTREE_BUCKETS, NULL),
	GUTS_PB_FIELD(struct guts_msg_get_refs, chain_since, 7, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc get_refs_desc =
	GUTS_PB_DESC("GetRefs", struct guts_msg_get_refs, get_refs_fields);

FIELDS(get_objects_fields) = {
	GUTS_PB_FIELD(struct guts_msg_get_objects, repository, 1, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_REPEATED(struct guts_msg_get_objects, wants, 2, GUTS_PB_BYTES, GUTS_OID_MAX,
			 GUTS_MSG_WANTS_MAX, NULL),
	GUTS_PB_REPEATED(struct guts_msg_get_objects, haves, 3, GUTS_PB_BYTES, GUTS_OID_MAX,
			 GUTS_MSG_WANTS_MAX, NULL),
	GUTS_PB_FIELD(struct guts_msg_get_objects, exact, 4, GUTS_PB_BOOL, 0),
	GUTS_PB_FIELD(struct guts_msg_get_objects, pack_max, 5, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc get_objects_desc =
	GUTS_PB_DESC("GetObjects", struct guts_msg_get_objects, get_objects_fields);

FIELDS(get_statuses_fields) = {
	GUTS_PB_FIELD(struct guts_msg_get_statuses, repository, 1, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct guts_msg_get_statuses, commit, 2, GUTS_PB_BYTES, GUTS_OID_MAX),
	GUTS_PB_FIELD(struct guts_msg_get_statuses, since, 3, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_get_statuses, cursor, 4, GUTS_PB_BYTES, 64),
};
static const struct guts_pb_desc get_statuses_desc =
	GUTS_PB_DESC("GetStatuses", struct guts_msg_get_statuses, get_statuses_fields);

FIELDS(get_job_fields) = {
	GUTS_PB_FIELD(struct guts_msg_get_job, repository, 1, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct guts_msg_get_job, job, 2, GUTS_PB_BYTES, GUTS_MSG_JOB_ID_SIZE),
	GUTS_PB_FIELD(struct guts_msg_get_job, file, 3, GUTS_PB_STRING, GUTS_MSG_JOB_FILE_MAX),
	GUTS_PB_FIELD(struct guts_msg_get_job, offset, 4, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc get_job_desc =
	GUTS_PB_DESC("GetJob", struct guts_msg_get_job, get_job_fields);

FIELDS(request_fields) = {
	GUTS_PB_FIELD(struct guts_msg_request, request_id, 1, GUTS_PB_U64, 0),
	GUTS_PB_INNER(struct guts_msg_request, get_inventory, 2, 256, &get_inventory_desc),
	GUTS_PB_INNER(struct guts_msg_request, get_refs, 3, GUTS_MESSAGE_MAX, &get_refs_desc),
	GUTS_PB_INNER(struct guts_msg_request, get_objects, 4, GUTS_MESSAGE_MAX, &get_objects_desc),
	GUTS_PB_INNER(struct guts_msg_request, get_statuses, 5, 512, &get_statuses_desc),
	GUTS_PB_INNER(struct guts_msg_request, get_job, 8, 512, &get_job_desc),
};
const struct guts_pb_desc guts_msg_request_desc =
	GUTS_PB_DESC("SyncRequest", struct guts_msg_request, request_fields);

/* -- /guts/sync: responses -------------------------------------------------------------- */

FIELDS(inventory_entry_fields) = {
	GUTS_PB_FIELD(struct guts_msg_inventory_entry, repository, 1, GUTS_PB_BYTES,
		      GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct guts_msg_inventory_entry, digest, 2, GUTS_PB_BYTES, GUTS_HASH_SIZE),
	GUTS_PB_FIELD(struct guts_msg_inventory_entry, updated_ms, 3, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc inventory_entry_desc =
	GUTS_PB_DESC("InventoryEntry", struct guts_msg_inventory_entry, inventory_entry_fields);

FIELDS(inventory_fields) = {
	GUTS_PB_REPEATED(struct guts_msg_inventory, entries, 1, GUTS_PB_MSG, 256,
			 GUTS_MSG_INVENTORY_MAX, &inventory_entry_desc),
	GUTS_PB_FIELD(struct guts_msg_inventory, more, 2, GUTS_PB_BOOL, 0),
};
static const struct guts_pb_desc inventory_desc =
	GUTS_PB_DESC("Inventory", struct guts_msg_inventory, inventory_fields);

FIELDS(ref_entry_fields) = {
	GUTS_PB_FIELD(struct guts_msg_ref_entry, name, 1, GUTS_PB_BYTES, GUTS_REFNAME_MAX),
	GUTS_PB_FIELD(struct guts_msg_ref_entry, oid, 2, GUTS_PB_BYTES, GUTS_OID_MAX),
	GUTS_PB_FIELD(struct guts_msg_ref_entry, version, 3, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc ref_entry_desc =
	GUTS_PB_DESC("RefEntry", struct guts_msg_ref_entry, ref_entry_fields);
#define REF_ENTRY_MAX (GUTS_REFNAME_MAX + 256) /* [bytes] */

FIELDS(bucket_fields) = {
	GUTS_PB_FIELD(struct guts_msg_bucket, number, 1, GUTS_PB_U32, GUTS_REFTREE_BUCKETS - 1),
	GUTS_PB_REPEATED(struct guts_msg_bucket, entries, 2, GUTS_PB_MSG, REF_ENTRY_MAX,
			 GUTS_MSG_ENTRIES_MAX, &ref_entry_desc),
};
static const struct guts_pb_desc bucket_desc =
	GUTS_PB_DESC("RefBucket", struct guts_msg_bucket, bucket_fields);

FIELDS(author_refs_fields) = {
	GUTS_PB_FIELD(struct guts_msg_author_refs, author, 1, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_REPEATED(struct guts_msg_author_refs, records, 2, GUTS_PB_BYTES,
			 GUTS_SIGNEDREFS_MAX, GUTS_MSG_RECORDS_MAX, NULL),
	GUTS_PB_FIELD(struct guts_msg_author_refs, base, 3, GUTS_PB_BYTES, GUTS_HASH_SIZE),
	GUTS_PB_REPEATED(struct guts_msg_author_refs, entries, 4, GUTS_PB_MSG, REF_ENTRY_MAX,
			 GUTS_MSG_ENTRIES_MAX, &ref_entry_desc),
	GUTS_PB_REPEATED(struct guts_msg_author_refs, buckets, 5, GUTS_PB_MSG, GUTS_MESSAGE_MAX,
			 GUTS_REFTREE_BUCKETS, &bucket_desc),
	GUTS_PB_FIELD(struct guts_msg_author_refs, bucket_hashes, 6, GUTS_PB_BYTES,
		      GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE),
	GUTS_PB_FIELD(struct guts_msg_author_refs, more, 7, GUTS_PB_BOOL, 0),
};
static const struct guts_pb_desc author_refs_desc =
	GUTS_PB_DESC("AuthorRefs", struct guts_msg_author_refs, author_refs_fields);

FIELDS(refs_fields) = {
	GUTS_PB_REPEATED(struct guts_msg_refs, identities, 1, GUTS_PB_BYTES, GUTS_RECORD_MAX,
			 GUTS_MSG_IDENTITIES_MAX, NULL),
	GUTS_PB_REPEATED(struct guts_msg_refs, votes, 2, GUTS_PB_BYTES, GUTS_VOTE_MAX,
			 GUTS_MSG_FRAME_VOTES_MAX, NULL),
	GUTS_PB_REPEATED(struct guts_msg_refs, authors, 3, GUTS_PB_MSG, GUTS_MESSAGE_MAX,
			 GUTS_AUTHORS_PER_REPO_MAX, &author_refs_desc),
	GUTS_PB_FIELD(struct guts_msg_refs, more, 4, GUTS_PB_BOOL, 0),
};
static const struct guts_pb_desc refs_desc =
	GUTS_PB_DESC("Refs", struct guts_msg_refs, refs_fields);

FIELDS(objects_header_fields) = {
	GUTS_PB_FIELD(struct guts_msg_objects_header, objects, 1, GUTS_PB_U64, 0),
};
static const struct guts_pb_desc objects_header_desc =
	GUTS_PB_DESC("ObjectsHeader", struct guts_msg_objects_header, objects_header_fields);

FIELDS(objects_data_fields) = {
	GUTS_PB_FIELD(struct guts_msg_objects_data, pack, 1, GUTS_PB_BYTES, GUTS_MSG_PACK_PART_MAX),
};
static const struct guts_pb_desc objects_data_desc =
	GUTS_PB_DESC("ObjectsData", struct guts_msg_objects_data, objects_data_fields);

FIELDS(objects_end_fields) = {
	GUTS_PB_INNER(struct guts_msg_objects_end, error, 1, ERROR_MAX, &error_desc),
	GUTS_PB_FIELD(struct guts_msg_objects_end, objects, 2, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_objects_end, bytes, 3, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct guts_msg_objects_end, sha256, 4, GUTS_PB_BYTES, GUTS_HASH_SIZE),
};
static const struct guts_pb_desc objects_end_desc =
	GUTS_PB_DESC("ObjectsEnd", struct guts_msg_objects_end, objects_end_fields);

FIELDS(statuses_fields) = {
	GUTS_PB_REPEATED(struct guts_msg_statuses, records, 1, GUTS_PB_BYTES, GUTS_RECORD_MAX,
			 GUTS_MSG_STATUSES_MAX, NULL),
	GUTS_PB_FIELD(struct guts_msg_statuses, more, 2, GUTS_PB_BOOL, 0),
	GUTS_PB_FIELD(struct guts_msg_statuses, cursor, 3, GUTS_PB_BYTES, 64),
};
static const struct guts_pb_desc statuses_desc =
	GUTS_PB_DESC("Statuses", struct guts_msg_statuses, statuses_fields);

FIELDS(job_fields) = {
	GUTS_PB_FIELD(struct guts_msg_job, json, 1, GUTS_PB_BYTES, GUTS_MSG_JOB_JSON_MAX),
	GUTS_PB_FIELD(struct guts_msg_job, data, 2, GUTS_PB_BYTES, GUTS_MSG_JOB_DATA_MAX),
	GUTS_PB_FIELD(struct guts_msg_job, record, 3, GUTS_PB_BYTES, GUTS_MSG_JOB_RECORD_MAX),
};
static const struct guts_pb_desc job_desc = GUTS_PB_DESC("Job", struct guts_msg_job, job_fields);

FIELDS(response_fields) = {
	GUTS_PB_FIELD(struct guts_msg_response, request_id, 1, GUTS_PB_U64, 0),
	GUTS_PB_INNER(struct guts_msg_response, error, 2, ERROR_MAX, &error_desc),
	GUTS_PB_INNER(struct guts_msg_response, inventory, 3, GUTS_MESSAGE_MAX, &inventory_desc),
	GUTS_PB_INNER(struct guts_msg_response, refs, 4, GUTS_MESSAGE_MAX, &refs_desc),
	GUTS_PB_INNER(struct guts_msg_response, objects_header, 5, 64, &objects_header_desc),
	GUTS_PB_INNER(struct guts_msg_response, objects_data, 6, GUTS_MSG_PACK_PART_MAX + 64,
		      &objects_data_desc),
	GUTS_PB_INNER(struct guts_msg_response, objects_end, 7, 1024, &objects_end_desc),
	GUTS_PB_INNER(struct guts_msg_response, statuses, 8, GUTS_MESSAGE_MAX, &statuses_desc),
	GUTS_PB_INNER(struct guts_msg_response, job, 11, GUTS_MSG_JOB_JSON_MAX + GUTS_MSG_JOB_DATA_MAX + GUTS_MSG_JOB_RECORD_MAX + 24,
		      &job_desc),
};
const struct guts_pb_desc guts_msg_response_desc =
	GUTS_PB_DESC("SyncResponse", struct guts_msg_response, response_fields);
