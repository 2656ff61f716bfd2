/* proto/messages.h - the messages of /guts/node/1.0.0 and /guts/sync/1.0.0.
 *
 * One struct per message of api/guts.proto, which says what each field means; here are the
 * caps.  Bytes are views into the decoded input, lists live in the arena.  Frames on both
 * protocols are uvarint(length) + message, at most GUTS_MESSAGE_MAX bytes.
 *
 *	struct guts_msg_node m = { .has_ping = true, .ping = { .nonce = 7 } };
 *	guts_msg_node_frame(&m, out);
 *	...
 *	err = guts_msg_node_decode(&m, frame, &arena);
 *	switch (guts_msg_node_kind(&m)) { case GUTS_NODE_PING: … }
 *
 * Source: DESIGN 3, 6.5; api/guts.proto.
 */
#ifndef GUTS_PROTO_MESSAGES_H
#define GUTS_PROTO_MESSAGES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "proto/reftree.h"
#include "wire/pb.h"

#define GUTS_NODE_PROTOCOL "/guts/node/1.0.0"
#define GUTS_SYNC_PROTOCOL "/guts/sync/1.0.0"
#define GUTS_PROTOCOL_VERSION 1        /* in Hello: grows with additions that a peer must know of */

#define GUTS_MSG_AGENT_MAX 64          /* [bytes] */
#define GUTS_MSG_NETWORK_MAX 32        /* [bytes] network id */
#define GUTS_MSG_CAPABILITIES_MAX 32
#define GUTS_MSG_CAPABILITY_MAX 32     /* [bytes] */
#define GUTS_MSG_TEXT_MAX 256          /* [bytes] text of an error */
#define GUTS_MSG_CHANGES_MAX 64        /* changes listed beside a signed-refs record */
#define GUTS_MSG_VOTES_MAX 32          /* votes beside one identity version */
#define GUTS_MSG_IDENTITIES_MAX 64     /* identity versions of one Refs frame */
#define GUTS_MSG_FRAME_VOTES_MAX 1024  /* votes of one Refs frame */
#define GUTS_MSG_RECORDS_MAX 1000      /* records of one author in one Refs frame */
#define GUTS_MSG_ENTRIES_MAX 16384     /* entries of one list in one Refs frame */
#define GUTS_MSG_WANTS_MAX 4096        /* wanted ids, and ids the asker has */
#define GUTS_MSG_INVENTORY_MAX 4096    /* repositories of one Inventory frame */
#define GUTS_MSG_STATUSES_MAX 256      /* statuses of one frame */
#define GUTS_MSG_PACK_PART_MAX (60u << 10) /* [bytes] pack bytes of one ObjectsData: a frame fits 64 KiB */
#define GUTS_MSG_NODE_MAX (128u << 10) /* [bytes] one frame on /guts/node */
#define GUTS_MSG_ARENA_MAX (8u << 20)  /* [bytes] enough memory for any message that keeps the caps */

/* -- /guts/node ------------------------------------------------------------------------- */

enum guts_msg_code { /* of Error */
	GUTS_CODE_NONE = 0,
	GUTS_CODE_NOT_FOUND = 1,
	GUTS_CODE_NOT_ALLOWED = 2,
	GUTS_CODE_BUSY = 3,
	GUTS_CODE_TOO_LARGE = 4,
	GUTS_CODE_UNSUPPORTED = 5,
	GUTS_CODE_INTERNAL = 6,
	GUTS_CODE_WRONG_NETWORK = 7,
	GUTS_CODE_INVALID = 8,
};

struct guts_msg_error {
	uint32_t code;           /* enum guts_msg_code; unknown ones are possible */
	struct guts_slice text;
	uint64_t limit;          /* TOO_LARGE: the most that is taken */
	uint64_t retry_after_ms; /* BUSY */
};

struct guts_msg_limits { /* 0 = not told */
	uint64_t object_max, pack_max, repository_max; /* [bytes] */
};

struct guts_msg_hello {
	uint32_t protocol_version;
	struct guts_slice agent, network;
	struct guts_pb_bytes_list capabilities;
	struct guts_msg_limits limits;
	bool has_limits;
	struct guts_slice inventory_digest; /* 32 bytes, or empty: nothing to show */
	uint64_t inventory_count;
};

struct guts_msg_hello_ack {
	struct guts_msg_hello hello;
	bool has_hello;
	struct guts_msg_error refusal; /* there: the link is closed after this */
	bool has_refusal;
};

struct guts_msg_ping {
	uint64_t nonce;
	struct guts_slice inventory_digest; /* 32 bytes or empty */
	uint64_t time_ms;
};

struct guts_msg_pong {
	uint64_t nonce;
	struct guts_slice inventory_digest; /* 32 bytes or empty */
};

struct guts_msg_new_repository {
	struct guts_slice identity; /* envelope of the newest version */
	struct guts_pb_bytes_list votes; /* envelopes; none for a genesis */
};

struct guts_msg_ref_change {
	struct guts_slice name, old_oid, new_oid; /* oid empty = not there, deleted */
	uint64_t version;
};

struct guts_msg_new_commit {
	struct guts_slice record;        /* signed-refs envelope */
	struct guts_slice repository;    /* 32 bytes */
	struct {
		struct guts_msg_ref_change *v;
		size_t n;
	} changes;                       /* a hint, not signed: against the one previous record */
	bool truncated;                  /* there are more changes than listed */
};

struct guts_msg_new_status {
	struct guts_slice record; /* status envelope */
};

struct guts_msg_gossip { /* fields of gossipsub's Message */
	struct guts_slice topic, data, from, seqno, signature, key;
};

enum guts_msg_node_kind { /* = field numbers of NodeMessage */
	GUTS_NODE_NONE = 0, /* none that we know */
	GUTS_NODE_HELLO = 1,
	GUTS_NODE_HELLO_ACK = 2,
	GUTS_NODE_PING = 3,
	GUTS_NODE_PONG = 4,
	GUTS_NODE_NEW_REPOSITORY = 5,
	GUTS_NODE_NEW_COMMIT = 6,
	GUTS_NODE_NEW_STATUS = 7,
	GUTS_NODE_GOSSIP = 8,
	GUTS_NODE_ERROR = 9,
};

struct guts_msg_node { /* exactly one has_… is set */
	struct guts_msg_hello hello;
	struct guts_msg_hello_ack hello_ack;
	struct guts_msg_ping ping;
	struct guts_msg_pong pong;
	struct guts_msg_new_repository new_repository;
	struct guts_msg_new_commit new_commit;
	struct guts_msg_new_status new_status;
	struct guts_msg_gossip gossip;
	struct guts_msg_error error;
	bool has_hello, has_hello_ack, has_ping, has_pong, has_new_repository, has_new_commit,
	    has_new_status, has_gossip, has_error;
};
extern const struct guts_pb_desc guts_msg_node_desc;

/* Data on topic guts/<network>/repo/<hash>; on guts/<network>/new it is a NewRepository. */
struct guts_msg_gossip_payload { /* exactly one has_… is set */
	struct guts_msg_new_commit new_commit;
	struct guts_msg_new_status new_status;
	bool has_new_commit, has_new_status;
};
extern const struct guts_pb_desc guts_msg_gossip_payload_desc;
extern const struct guts_pb_desc guts_msg_new_repository_desc;

/* -- /guts/sync ------------------------------------------------------------------------- */

struct guts_msg_get_inventory {
	struct guts_slice cursor; /* repository id after which to go on; empty = from the start */
	struct guts_slice prefix; /* only ids that begin so; ≤ 4 bytes */
};

enum guts_msg_entries { /* which entries GetRefs asks for */
	GUTS_ENTRIES_NONE = 0,
	GUTS_ENTRIES_DELTA = 1,   /* per author: what changed since known_hash; full if unknown there */
	GUTS_ENTRIES_BUCKETS = 2, /* whole buckets of the one listed author */
	GUTS_ENTRIES_FULL = 3,
	GUTS_ENTRIES_HASHES = 4,  /* the 256 bucket hashes */
};

struct guts_msg_author_state {
	struct guts_slice author;      /* peer id */
	uint64_t known_sequence;       /* newest record the asker has applied; 0 = none */
	struct guts_slice known_hash;  /* its hash; empty = none */
};

struct guts_msg_get_refs {
	struct guts_slice repository;  /* 32 bytes */
	uint64_t identity_known;       /* versions the asker has: answers begin with this version */
	struct {
		struct guts_msg_author_state *v;
		size_t n;
	} authors;
	bool only_listed;              /* false: authors that are not listed are wanted too */
	uint32_t entries;              /* enum guts_msg_entries */
	struct guts_pb_u64_list buckets; /* BUCKETS: which, each < 256 */
	uint64_t chain_since;          /* > 0: not the newest record only, but all with sequence ≥ this */
};

struct guts_msg_get_objects {
	struct guts_slice repository;
	struct guts_pb_bytes_list wants, haves; /* object ids */
	bool exact;          /* only the wanted objects themselves, without what they refer to */
	uint64_t pack_max;   /* [bytes] most the asker takes; 0 = the limit told in its Hello */
};

struct guts_msg_get_statuses {
	struct guts_slice repository;
	struct guts_slice commit; /* empty = all commits */
	uint64_t since;           /* sequences above this; 0 = all */
	struct guts_slice cursor; /* from Statuses.cursor; empty = from the start */
};

#define GUTS_MSG_JOB_ID_SIZE 16
#define GUTS_MSG_JOB_FILE_MAX 64           /* [bytes] name of a file */
#define GUTS_MSG_JOB_JSON_MAX (64u << 10)  /* [bytes] */
#define GUTS_MSG_JOB_RECORD_MAX (GUTS_MSG_JOB_JSON_MAX + 256) /* [bytes] envelope around the JSON */
#define GUTS_MSG_JOB_DATA_MAX (256u << 10) /* [bytes] of a file in one answer */

struct guts_msg_get_job {
	struct guts_slice repository, job;
	struct guts_slice file; /* empty = the job alone */
	uint64_t offset;
};

enum guts_msg_request_kind { /* = field numbers of SyncRequest */
	GUTS_REQUEST_NONE = 0, /* none that we know: answer UNSUPPORTED */
	GUTS_REQUEST_INVENTORY = 2,
	GUTS_REQUEST_REFS = 3,
	GUTS_REQUEST_OBJECTS = 4,
	GUTS_REQUEST_STATUSES = 5,
	GUTS_REQUEST_JOB = 8,
};

struct guts_msg_request {
	uint64_t request_id;
	struct guts_msg_get_inventory get_inventory;
	struct guts_msg_get_refs get_refs;
	struct guts_msg_get_objects get_objects;
	struct guts_msg_get_statuses get_statuses;
	struct guts_msg_get_job get_job;
	bool has_get_inventory, has_get_refs, has_get_objects, has_get_statuses, has_get_job;
};
extern const struct guts_pb_desc guts_msg_request_desc;

struct guts_msg_inventory_entry {
	struct guts_slice repository; /* 32 bytes */
	struct guts_slice digest;     /* 32 bytes: equal digests = equal records */
	uint64_t updated_ms;          /* wall time of the last change there */
};

struct guts_msg_inventory {
	struct {
		struct guts_msg_inventory_entry *v;
		size_t n;
	} entries;                    /* by repository id */
	bool more;                    /* ask again with the last id as cursor */
};

struct guts_msg_ref_entry {
	struct guts_slice name, oid;  /* oid empty = tombstone */
	uint64_t version;
};

struct guts_msg_ref_entries {
	struct guts_msg_ref_entry *v;
	size_t n;
};

struct guts_msg_bucket {
	uint32_t number;
	struct guts_msg_ref_entries entries; /* goes on in the next frame under the same number */
};

struct guts_msg_author_refs {
	struct guts_slice author;
	struct guts_pb_bytes_list records; /* signed-refs envelopes, oldest first; the last is the newest */
	struct guts_slice base;            /* hash of the record that entries are a delta against; empty =
					    * against no entries at all */
	struct guts_msg_ref_entries entries;
	struct {
		struct guts_msg_bucket *v;
		size_t n;
	} buckets;
	struct guts_slice bucket_hashes;   /* 8,192 bytes or empty */
	bool more;                         /* this author goes on in the next frame */
};

struct guts_msg_refs {
	struct guts_pb_bytes_list identities; /* envelopes, oldest first */
	struct guts_pb_bytes_list votes;      /* envelopes */
	struct {
		struct guts_msg_author_refs *v;
		size_t n;
	} authors;
	bool more;                            /* another Refs frame follows */
};

struct guts_msg_objects_header {
	uint64_t objects; /* estimate; 0 = unknown */
};

struct guts_msg_objects_data {
	struct guts_slice pack; /* next bytes of one git pack stream */
};

struct guts_msg_objects_end {
	struct guts_msg_error error; /* absent: all was sent */
	bool has_error;
	uint64_t objects, bytes;
	struct guts_slice sha256;    /* of all pack bytes */
};

struct guts_msg_statuses {
	struct guts_pb_bytes_list records; /* envelopes */
	bool more;
	struct guts_slice cursor;          /* ≤ 64 bytes, opaque */
};

struct guts_msg_job {
	struct guts_slice json;   /* of a job that has not ended */
	struct guts_slice data;
	struct guts_slice record; /* of one that has: its signer's envelope around the JSON */
};

enum guts_msg_response_kind { /* = field numbers of SyncResponse */
	GUTS_RESPONSE_NONE = 0,
	GUTS_RESPONSE_ERROR = 2,
	GUTS_RESPONSE_INVENTORY = 3,
	GUTS_RESPONSE_REFS = 4,
	GUTS_RESPONSE_OBJECTS_HEADER = 5,
	GUTS_RESPONSE_OBJECTS_DATA = 6,
	GUTS_RESPONSE_OBJECTS_END = 7,
	GUTS_RESPONSE_STATUSES = 8,
	GUTS_RESPONSE_JOB = 11,
};

struct guts_msg_response {
	uint64_t request_id;
	struct guts_msg_error error;
	struct guts_msg_inventory inventory;
	struct guts_msg_refs refs;
	struct guts_msg_objects_header objects_header;
	struct guts_msg_objects_data objects_data;
	struct guts_msg_objects_end objects_end;
	struct guts_msg_statuses statuses;
	struct guts_msg_job job;
	bool has_error, has_inventory, has_refs, has_objects_header, has_objects_data,
	    has_objects_end, has_statuses, has_job;
};
extern const struct guts_pb_desc guts_msg_response_desc;

/* -- functions -------------------------------------------------------------------------- */

/* Which alternative is set. */
enum guts_msg_node_kind guts_msg_node_kind(const struct guts_msg_node *m);
enum guts_msg_request_kind guts_msg_request_kind(const struct guts_msg_request *m);
enum guts_msg_response_kind guts_msg_response_kind(const struct guts_msg_response *m);

/* Decode one frame's content and check it: caps, lengths of ids, at most one alternative (one that
 * we do not know is skipped: kind NONE).  Errors: GUTS_EPROTO, GUTS_ELIMIT. */
int guts_msg_node_decode(struct guts_msg_node *m, struct guts_slice in, struct guts_arena *arena);
int guts_msg_request_decode(struct guts_msg_request *m, struct guts_slice in,
			    struct guts_arena *arena);
int guts_msg_response_decode(struct guts_msg_response *m, struct guts_slice in,
			     struct guts_arena *arena);
int guts_msg_gossip_payload_decode(struct guts_msg_gossip_payload *m, struct guts_slice in,
				   struct guts_arena *arena);
int guts_msg_new_repository_decode(struct guts_msg_new_repository *m, struct guts_slice in,
				   struct guts_arena *arena);

/* Append one frame (length and content).  Errors: GUTS_ELIMIT (nothing is appended). */
int guts_msg_node_frame(const struct guts_msg_node *m, struct guts_buf *out);
int guts_msg_request_frame(const struct guts_msg_request *m, struct guts_buf *out);
int guts_msg_response_frame(const struct guts_msg_response *m, struct guts_buf *out);

/* Append without a length: gossip data. */
int guts_msg_gossip_payload_encode(const struct guts_msg_gossip_payload *m, struct guts_buf *out);
int guts_msg_new_repository_encode(const struct guts_msg_new_repository *m, struct guts_buf *out);

/* An entry of a message as a tree's entry and back; views are shared.  Errors: GUTS_EPROTO (name,
 * oid length, version 0). */
int guts_msg_entry_read(struct guts_refentry *e, const struct guts_msg_ref_entry *m);
void guts_msg_entry_write(struct guts_msg_ref_entry *m, const struct guts_refentry *e);

/* Error code ↔ enum guts_err; unknown codes become GUTS_EPROTO, unknown errors INTERNAL. */
int guts_msg_code_to_err(uint32_t code);
enum guts_msg_code guts_msg_code_from_err(int err);
const char *guts_msg_code_name(uint32_t code);

/* Text of the topics: guts/<network>/new and guts/<network>/repo/<hex SHA-256 of the id>.  `out` has
 * GUTS_TOPIC_TEXT_MAX bytes. */
#define GUTS_TOPIC_TEXT_MAX 128
void guts_topic_new(char out[GUTS_TOPIC_TEXT_MAX], const char *network);
void guts_topic_repo(char out[GUTS_TOPIC_TEXT_MAX], const char *network,
		     const uint8_t id[GUTS_REPOID_SIZE]);

/* Id of a gossip message on every Guts node: SHA-256("guts-gossip-id/1" 00, be32 length of topic,
 * topic, be32 length of data, data). */
void guts_gossip_message_id(uint8_t id[GUTS_HASH_SIZE], struct guts_slice topic,
			    struct guts_slice data);

#endif
