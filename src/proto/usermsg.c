/* proto/usermsg.c - user messages: reading and writing.
 *
 * The topic stands inside the signature, so a message cannot be shown on another topic than the
 * one it was written for.
 */
#include "proto/usermsg.h"

#include "proto/fields.h"

struct payload {
	struct guts_slice author, topic;
	uint64_t sequence, time;
	struct guts_slice content_type, data;
};

static const struct guts_pb_field payload_fields[] = {
	GUTS_PB_FIELD(struct payload, author, 1, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct payload, topic, 2, GUTS_PB_STRING, GUTS_TOPIC_MAX),
	GUTS_PB_FIELD(struct payload, sequence, 3, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, time, 4, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, content_type, 5, GUTS_PB_STRING, GUTS_CONTENT_TYPE_MAX),
	GUTS_PB_FIELD(struct payload, data, 6, GUTS_PB_BYTES, GUTS_USERMSG_DATA_MAX),
};
const struct guts_pb_desc guts_usermsg_payload_desc =
	GUTS_PB_DESC("UserMessage", struct payload, payload_fields);

static bool
rules_ok(const struct guts_usermsg *m)
{
	return m->topic.n >= 1 && m->topic.n <= GUTS_TOPIC_MAX &&
	       guts_text_is_clean(m->topic, false) && m->sequence >= 1 &&
	       m->sequence <= GUTS_SEQUENCE_MAX && m->content_type.n <= GUTS_CONTENT_TYPE_MAX &&
	       guts_text_is_clean(m->content_type, false) && m->data.n <= GUTS_USERMSG_DATA_MAX;
}

int
guts_usermsg_make(struct guts_buf *out, const struct guts_key *k, struct guts_usermsg *m)
{
	struct payload p = {
		.author = guts_peerid_slice(&k->id),
		.topic = m->topic,
		.sequence = m->sequence,
		.time = m->time_ms,
		.content_type = m->content_type,
		.data = m->data,
	};
	struct guts_buf bytes;
	int err;

	m->author = k->id;
	if (!rules_ok(m))
		return GUTS_EINVAL;
	guts_buf_init(&bytes, GUTS_USERMSG_MAX);
	err = guts_pb_encode(&guts_usermsg_payload_desc, &p, &bytes);
	if (!err)
		err = guts_record_seal(out, GUTS_RECORD_USERMSG, k, guts_buf_slice(&bytes), m->hash);
	guts_buf_deinit(&bytes);
	return err;
}

int
guts_usermsg_open(struct guts_usermsg *m, struct guts_slice envelope, struct guts_slice topic,
		  uint64_t now_wall_ms)
{
	struct guts_arena arena;
	struct guts_record r;
	struct payload p;
	int err;

	memset(m, 0, sizeof *m);
	err = guts_record_open(&r, GUTS_RECORD_USERMSG, envelope);
	if (err)
		return err;
	guts_arena_init(&arena, 1024);
	err = guts_pb_decode(&guts_usermsg_payload_desc, r.payload, &p, &arena);
	guts_arena_deinit(&arena);
	if (err)
		return err;
	memcpy(m->hash, r.hash, sizeof m->hash);
	m->topic = p.topic;
	m->sequence = p.sequence;
	m->time_ms = p.time;
	m->content_type = p.content_type;
	m->data = p.data;
	if (guts_field_signer(&m->author, p.author) || !guts_peerid_eq(&m->author, &r.signer) ||
	    !rules_ok(m) || (topic.n > 0 && !guts_slice_eq(topic, m->topic)))
		return GUTS_EPROTO;
	return guts_record_check_time(m->time_ms, now_wall_ms);
}
