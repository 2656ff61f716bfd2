/* proto/msgcheck.c - decoding and framing of Guts messages around their tables.
 *
 * A table states the longest value of a field; here is what must hold beyond that: exact
 * lengths of ids and digests, at most one alternative, numbers that must be in range.
 * A message that fails is refused as a whole, so users see checked ids only.
 */
#include "proto/messages.h"

#include "base/err.h"
#include "base/text.h"
#include "crypto/key.h"
#include "wire/varint.h"

#include <stdio.h>

/* Exactly `n` bytes. */
static bool
is_size(struct guts_slice s, size_t n)
{
	return s.n == n;
}

/* Exactly `n` bytes or none. */
static bool
is_size_or_none(struct guts_slice s, size_t n)
{
	return s.n == 0 || s.n == n;
}

static bool
is_oid(struct guts_slice s)
{
	return s.n == 20 || s.n == 32;
}

static bool
is_oid_or_none(struct guts_slice s)
{
	return s.n == 0 || is_oid(s);
}

static bool
are_oids(const struct guts_pb_bytes_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!is_oid(l->v[i]))
			return false;
	return true;
}

/* -- alternatives ----------------------------------------------------------------------- */

#define COUNT(flags) count_set((flags), sizeof(flags) / sizeof((flags)[0]))

/* Position of the only true flag + 1, 0 if none is, SIZE_MAX if several are. */
static size_t
count_set(const bool *flags, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		if (!flags[i])
			continue;
		if (found)
			return SIZE_MAX;
		found = i + 1;
	}
	return found;
}

static size_t
node_alternative(const struct guts_msg_node *m)
{
	const bool flags[] = { m->has_hello, m->has_hello_ack, m->has_ping, m->has_pong,
			       m->has_new_repository, m->has_new_commit, m->has_new_status,
			       m->has_gossip, m->has_error };

	return COUNT(flags);
}

static size_t
request_alternative(const struct guts_msg_request *m)
{
	const bool flags[] = { m->has_get_inventory, m->has_get_refs, m->has_get_objects,
			       m->has_get_statuses, m->has_get_job };

	return COUNT(flags);
}

static size_t
response_alternative(const struct guts_msg_response *m)
{
	const bool flags[] = { m->has_error, m->has_inventory, m->has_refs, m->has_objects_header,
			       m->has_objects_data, m->has_objects_end, m->has_statuses,
			       m->has_job };

	return COUNT(flags);
}

enum guts_msg_node_kind
guts_msg_node_kind(const struct guts_msg_node *m)
{
	size_t i = node_alternative(m);

	return i == SIZE_MAX ? GUTS_NODE_NONE : (enum guts_msg_node_kind)i;
}

enum guts_msg_request_kind
guts_msg_request_kind(const struct guts_msg_request *m)
{
	size_t i = request_alternative(m);

	if (i == 5)
		return GUTS_REQUEST_JOB; /* the numbers between are reserved */
	return i == 0 || i == SIZE_MAX ? GUTS_REQUEST_NONE : (enum guts_msg_request_kind)(i + 1);
}

enum guts_msg_response_kind
guts_msg_response_kind(const struct guts_msg_response *m)
{
	size_t i = response_alternative(m);

	if (i == 8)
		return GUTS_RESPONSE_JOB;
	return i == 0 || i == SIZE_MAX ? GUTS_RESPONSE_NONE : (enum guts_msg_response_kind)(i + 1);
}

/* -- checks ----------------------------------------------------------------------------- */

static bool
new_repository_ok(const struct guts_msg_new_repository *m)
{
	return m->identity.n > 0;
}

static bool
new_commit_ok(const struct guts_msg_new_commit *m)
{
	for (size_t i = 0; i < m->changes.n; i++) {
		const struct guts_msg_ref_change *c = &m->changes.v[i];

		if (!is_oid_or_none(c->old_oid) || !is_oid_or_none(c->new_oid) ||
		    c->version == 0 || !guts_refname_is_valid(c->name))
			return false;
	}
	return m->record.n > 0 && is_size(m->repository, GUTS_REPOID_SIZE);
}

static bool
hello_ok(const struct guts_msg_hello *m)
{
	return is_size_or_none(m->inventory_digest, GUTS_HASH_SIZE);
}

static bool
node_ok(const struct guts_msg_node *m)
{
	if (m->has_hello && !hello_ok(&m->hello))
		return false;
	if (m->has_hello_ack && !hello_ok(&m->hello_ack.hello))
		return false;
	if (m->has_ping && !is_size_or_none(m->ping.inventory_digest, GUTS_HASH_SIZE))
		return false;
	if (m->has_pong && !is_size_or_none(m->pong.inventory_digest, GUTS_HASH_SIZE))
		return false;
	if (m->has_new_repository && !new_repository_ok(&m->new_repository))
		return false;
	if (m->has_new_commit && !new_commit_ok(&m->new_commit))
		return false;
	if (m->has_new_status && m->new_status.record.n == 0)
		return false;
	if (m->has_gossip && m->gossip.topic.n == 0)
		return false;
	return true;
}

static bool
get_refs_ok(const struct guts_msg_get_refs *m)
{
	for (size_t i = 0; i < m->authors.n; i++) {
		const struct guts_msg_author_state *a = &m->authors.v[i];

		if (a->author.n == 0 || !is_size_or_none(a->known_hash, GUTS_HASH_SIZE))
			return false;
	}
	return is_size(m->repository, GUTS_REPOID_SIZE);
}

static bool
request_ok(const struct guts_msg_request *m)
{
	if (m->has_get_inventory && !is_size_or_none(m->get_inventory.cursor, GUTS_REPOID_SIZE))
		return false;
	if (m->has_get_refs && !get_refs_ok(&m->get_refs))
		return false;
	if (m->has_get_objects && (!is_size(m->get_objects.repository, GUTS_REPOID_SIZE) ||
				   !are_oids(&m->get_objects.wants) ||
				   !are_oids(&m->get_objects.haves)))
		return false;
	if (m->has_get_statuses && (!is_size(m->get_statuses.repository, GUTS_REPOID_SIZE) ||
				    !is_oid_or_none(m->get_statuses.commit)))
		return false;
	if (m->has_get_job && (!is_size(m->get_job.repository, GUTS_REPOID_SIZE) ||
			       !is_size(m->get_job.job, GUTS_MSG_JOB_ID_SIZE)))
		return false;
	return true;
}

static bool
entries_ok(const struct guts_msg_ref_entries *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct guts_msg_ref_entry *e = &l->v[i];

		if (!is_oid_or_none(e->oid) || e->version == 0 || e->name.n == 0)
			return false;
	}
	return true;
}

static bool
author_refs_ok(const struct guts_msg_author_refs *a)
{
	for (size_t i = 0; i < a->buckets.n; i++)
		if (!entries_ok(&a->buckets.v[i].entries))
			return false;
	return a->author.n > 0 && is_size_or_none(a->base, GUTS_HASH_SIZE) &&
	       is_size_or_none(a->bucket_hashes, GUTS_REFTREE_BUCKETS * GUTS_HASH_SIZE) &&
	       entries_ok(&a->entries);
}

static bool
inventory_ok(const struct guts_msg_inventory *m)
{
	for (size_t i = 0; i < m->entries.n; i++) {
		const struct guts_msg_inventory_entry *e = &m->entries.v[i];

		if (!is_size(e->repository, GUTS_REPOID_SIZE) || !is_size(e->digest, GUTS_HASH_SIZE))
			return false;
		if (i > 0 && guts_slice_cmp(e[-1].repository, e->repository) >= 0)
			return false;
	}
	return true;
}

static bool
response_ok(const struct guts_msg_response *m)
{
	if (m->has_inventory && !inventory_ok(&m->inventory))
		return false;
	for (size_t i = 0; m->has_refs && i < m->refs.authors.n; i++)
		if (!author_refs_ok(&m->refs.authors.v[i]))
			return false;
	if (m->has_objects_end && !is_size_or_none(m->objects_end.sha256, GUTS_HASH_SIZE))
		return false;
	return true;
}

/* -- decode ----------------------------------------------------------------------------- */

int
guts_msg_node_decode(struct guts_msg_node *m, struct guts_slice in, struct guts_arena *arena)
{
	int err = guts_pb_decode(&guts_msg_node_desc, in, m, arena);

	if (err)
		return err;
	return node_alternative(m) != SIZE_MAX && node_ok(m) ? 0 : GUTS_EPROTO;
}

int
guts_msg_request_decode(struct guts_msg_request *m, struct guts_slice in, struct guts_arena *arena)
{
	int err = guts_pb_decode(&guts_msg_request_desc, in, m, arena);

	if (err)
		return err;
	return request_alternative(m) != SIZE_MAX && request_ok(m) ? 0 : GUTS_EPROTO;
}

int
guts_msg_response_decode(struct guts_msg_response *m, struct guts_slice in,
			 struct guts_arena *arena)
{
	int err = guts_pb_decode(&guts_msg_response_desc, in, m, arena);

	if (err)
		return err;
	return response_alternative(m) != SIZE_MAX && response_ok(m) ? 0 : GUTS_EPROTO;
}

int
guts_msg_gossip_payload_decode(struct guts_msg_gossip_payload *m, struct guts_slice in,
			       struct guts_arena *arena)
{
	int err = in.n > GUTS_GOSSIP_DATA_MAX ? GUTS_ELIMIT : 0;

	if (!err)
		err = guts_pb_decode(&guts_msg_gossip_payload_desc, in, m, arena);
	if (err)
		return err;
	if (m->has_new_commit && m->has_new_status)
		return GUTS_EPROTO;
	if (m->has_new_commit && !new_commit_ok(&m->new_commit))
		return GUTS_EPROTO;
	if (m->has_new_status && m->new_status.record.n == 0)
		return GUTS_EPROTO;
	return 0;
}

int
guts_msg_new_repository_decode(struct guts_msg_new_repository *m, struct guts_slice in,
			       struct guts_arena *arena)
{
	int err = in.n > GUTS_GOSSIP_DATA_MAX ? GUTS_ELIMIT : 0;

	if (!err)
		err = guts_pb_decode(&guts_msg_new_repository_desc, in, m, arena);
	if (err)
		return err;
	return new_repository_ok(m) ? 0 : GUTS_EPROTO;
}

/* -- encode ----------------------------------------------------------------------------- */

/* All or nothing: what a failed encoder left behind is cut off. */
static int
encode(const struct guts_pb_desc *d, const void *m, struct guts_buf *out, size_t max, bool framed)
{
	size_t before = out->len, size = guts_pb_size(d, m);
	int err;

	if (size > max || size + GUTS_UVARINT_MAX_SIZE > out->max - before)
		return GUTS_ELIMIT;
	err = framed ? guts_pb_encode_framed(d, m, out) : guts_pb_encode(d, m, out);
	if (err)
		guts_buf_truncate(out, before);
	return err;
}

int
guts_msg_node_frame(const struct guts_msg_node *m, struct guts_buf *out)
{
	return encode(&guts_msg_node_desc, m, out, GUTS_MSG_NODE_MAX, true);
}

int
guts_msg_request_frame(const struct guts_msg_request *m, struct guts_buf *out)
{
	return encode(&guts_msg_request_desc, m, out, GUTS_MESSAGE_MAX, true);
}

int
guts_msg_response_frame(const struct guts_msg_response *m, struct guts_buf *out)
{
	return encode(&guts_msg_response_desc, m, out, GUTS_MESSAGE_MAX, true);
}

int
guts_msg_gossip_payload_encode(const struct guts_msg_gossip_payload *m, struct guts_buf *out)
{
	return encode(&guts_msg_gossip_payload_desc, m, out, GUTS_GOSSIP_DATA_MAX, false);
}

int
guts_msg_new_repository_encode(const struct guts_msg_new_repository *m, struct guts_buf *out)
{
	return encode(&guts_msg_new_repository_desc, m, out, GUTS_GOSSIP_DATA_MAX, false);
}

/* -- entries, codes, topics ------------------------------------------------------------- */

int
guts_msg_entry_read(struct guts_refentry *e, const struct guts_msg_ref_entry *m)
{
	memset(e, 0, sizeof *e);
	if (m->version == 0 || !guts_refname_is_valid(m->name))
		return GUTS_EPROTO;
	e->name = m->name;
	e->version = m->version;
	return guts_oid_from_bytes(&e->oid, m->oid);
}

void
guts_msg_entry_write(struct guts_msg_ref_entry *m, const struct guts_refentry *e)
{
	m->name = e->name;
	m->oid = guts_oid_slice(&e->oid);
	m->version = e->version;
}

static const struct {
	enum guts_msg_code code;
	int err;
	const char *name;
} codes[] = {
	{ GUTS_CODE_NONE, GUTS_OK, "none" },
	{ GUTS_CODE_NOT_FOUND, GUTS_ENOTFOUND, "not_found" },
	{ GUTS_CODE_NOT_ALLOWED, GUTS_EDENIED, "not_allowed" },
	{ GUTS_CODE_BUSY, GUTS_EBUSY, "busy" },
	{ GUTS_CODE_TOO_LARGE, GUTS_ELIMIT, "too_large" },
	{ GUTS_CODE_UNSUPPORTED, GUTS_EUNSUPPORTED, "unsupported" },
	{ GUTS_CODE_INTERNAL, GUTS_EINTERNAL, "internal" },
	{ GUTS_CODE_WRONG_NETWORK, GUTS_EUNSUPPORTED, "wrong_network" },
	{ GUTS_CODE_INVALID, GUTS_EPROTO, "invalid" },
	/* more of our errors that a peer hears under a code it knows */
	{ GUTS_CODE_BUSY, GUTS_EUNAVAILABLE, "busy" },
	{ GUTS_CODE_INVALID, GUTS_EINVAL, "invalid" },
};

int
guts_msg_code_to_err(uint32_t code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].code == code)
			return codes[i].err;
	return GUTS_EPROTO;
}

enum guts_msg_code
guts_msg_code_from_err(int err)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].err == err)
			return codes[i].code;
	return GUTS_CODE_INTERNAL;
}

const char *
guts_msg_code_name(uint32_t code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "unknown";
}

void
guts_topic_new(char out[GUTS_TOPIC_TEXT_MAX], const char *network)
{
	snprintf(out, GUTS_TOPIC_TEXT_MAX, "guts/%.*s/new", GUTS_MSG_NETWORK_MAX, network);
}

void
guts_topic_repo(char out[GUTS_TOPIC_TEXT_MAX], const char *network,
		const uint8_t id[GUTS_REPOID_SIZE])
{
	uint8_t hash[GUTS_HASH_SIZE];
	char hex[2 * GUTS_HASH_SIZE + 1];

	guts_sha256(hash, guts_slice(id, GUTS_REPOID_SIZE));
	guts_hex_encode(hex, hash, sizeof hash);
	snprintf(out, GUTS_TOPIC_TEXT_MAX, "guts/%.*s/repo/%s", GUTS_MSG_NETWORK_MAX, network, hex);
}

void
guts_gossip_message_id(uint8_t id[GUTS_HASH_SIZE], struct guts_slice topic, struct guts_slice data)
{
	static const char tag[] = "guts-gossip-id/1"; /* its NUL counts */
	struct guts_sha256_ctx c;

	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice(tag, sizeof tag));
	guts_sha256_add_sized(&c, topic);
	guts_sha256_add_sized(&c, data);
	guts_sha256_end(&c, id);
}
