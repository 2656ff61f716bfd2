/* proto/status.c - commit statuses: reading, writing, order.
 *
 * The texts end up in tables, logs and pages, so they are one clean line each, and the
 * address may only be http or https: nothing else is ever shown as a link.
 */
#include "proto/status.h"

#include "proto/fields.h"

#include <strings.h>

struct payload {
	struct guts_slice signer, repository, commit;
	uint32_t state;
	struct guts_slice context, target_url, description, run_id;
	uint64_t sequence, time;
};

static const struct guts_pb_field payload_fields[] = {
	GUTS_PB_FIELD(struct payload, signer, 1, GUTS_PB_BYTES, GUTS_PEERID_MAX),
	GUTS_PB_FIELD(struct payload, repository, 2, GUTS_PB_BYTES, GUTS_REPOID_SIZE),
	GUTS_PB_FIELD(struct payload, commit, 3, GUTS_PB_BYTES, GUTS_OID_MAX),
	GUTS_PB_FIELD(struct payload, state, 4, GUTS_PB_U32, 0),
	GUTS_PB_FIELD(struct payload, context, 5, GUTS_PB_STRING, GUTS_CONTEXT_MAX),
	GUTS_PB_FIELD(struct payload, target_url, 6, GUTS_PB_STRING, GUTS_STATUS_URL_MAX),
	GUTS_PB_FIELD(struct payload, description, 7, GUTS_PB_STRING, GUTS_STATUS_DESCRIPTION_MAX),
	GUTS_PB_FIELD(struct payload, run_id, 8, GUTS_PB_STRING, GUTS_STATUS_RUN_MAX),
	GUTS_PB_FIELD(struct payload, sequence, 9, GUTS_PB_U64, 0),
	GUTS_PB_FIELD(struct payload, time, 10, GUTS_PB_U64, 0),
};
const struct guts_pb_desc guts_status_payload_desc =
	GUTS_PB_DESC("Status", struct payload, payload_fields);

static const char *const state_names[] = {
	[GUTS_STATUS_PENDING] = "pending",
	[GUTS_STATUS_SUCCESS] = "success",
	[GUTS_STATUS_FAILURE] = "failure",
	[GUTS_STATUS_ERROR] = "error",
};
#define STATES (sizeof state_names / sizeof state_names[0])

static bool
is_url(const char *s)
{
	if (s[0] == '\0')
		return true;
	if (strncasecmp(s, "http://", 7) != 0 && strncasecmp(s, "https://", 8) != 0)
		return false;
	return strpbrk(s, " \t\"<>\\") == NULL;
}

static bool
is_commit(const struct guts_oid *oid)
{
	struct guts_oid same;

	return guts_oid_from_bytes(&same, guts_oid_slice(oid)) == 0 && same.n != 0;
}

static bool
rules_ok(const struct guts_status *s)
{
	return is_commit(&s->commit) && s->sequence >= 1 && s->sequence <= GUTS_SEQUENCE_MAX &&
	       s->context[0] != '\0' && guts_text_is_clean(guts_slice_str(s->context), false) &&
	       guts_text_is_clean(guts_slice_str(s->target_url), false) && is_url(s->target_url) &&
	       guts_text_is_clean(guts_slice_str(s->description), false) &&
	       guts_text_is_clean(guts_slice_str(s->run_id), false) &&
	       guts_status_state_name(s->state)[0] != '\0';
}

int
guts_status_make(struct guts_buf *out, const struct guts_key *k, struct guts_status *s)
{
	struct payload p = {
		.signer = guts_peerid_slice(&k->id),
		.repository = guts_slice(s->repository, sizeof s->repository),
		.commit = guts_oid_slice(&s->commit),
		.state = s->state,
		.context = guts_slice_str(s->context),
		.target_url = guts_slice_str(s->target_url),
		.description = guts_slice_str(s->description),
		.run_id = guts_slice_str(s->run_id),
		.sequence = s->sequence,
		.time = s->time_ms,
	};
	struct guts_buf bytes;
	int err;

	s->signer = k->id;
	if (!rules_ok(s))
		return GUTS_EINVAL;
	guts_buf_init(&bytes, GUTS_RECORD_MAX);
	err = guts_pb_encode(&guts_status_payload_desc, &p, &bytes);
	if (!err)
		err = guts_record_seal(out, GUTS_RECORD_STATUS, k, guts_buf_slice(&bytes), s->hash);
	guts_buf_deinit(&bytes);
	return err;
}

static int
read_payload(struct guts_status *s, const struct payload *p)
{
	if (p->state >= STATES)
		return GUTS_EPROTO;
	s->state = (enum guts_status_state)p->state;
	s->sequence = p->sequence;
	s->time_ms = p->time;
	if (guts_field_signer(&s->signer, p->signer) ||
	    guts_field_exact(s->repository, sizeof s->repository, p->repository) ||
	    guts_oid_from_bytes(&s->commit, p->commit) ||
	    guts_field_text(s->context, GUTS_CONTEXT_MAX, p->context, false) ||
	    guts_field_text(s->target_url, GUTS_STATUS_URL_MAX, p->target_url, false) ||
	    guts_field_text(s->description, GUTS_STATUS_DESCRIPTION_MAX, p->description, false) ||
	    guts_field_text(s->run_id, GUTS_STATUS_RUN_MAX, p->run_id, false))
		return GUTS_EPROTO;
	return rules_ok(s) ? 0 : GUTS_EPROTO;
}

static int
read_record(struct guts_status *s, const struct guts_record *r)
{
	struct guts_arena arena;
	struct payload p;
	int err;

	guts_arena_init(&arena, 1024);
	err = guts_pb_decode(&guts_status_payload_desc, r->payload, &p, &arena);
	guts_arena_deinit(&arena);
	if (err)
		return err;
	memcpy(s->hash, r->hash, sizeof s->hash);
	err = read_payload(s, &p);
	return err || guts_peerid_eq(&s->signer, &r->signer) ? err : GUTS_EPROTO;
}

int
guts_status_open(struct guts_status *s, struct guts_slice envelope, uint64_t now_wall_ms)
{
	struct guts_record r;
	int err;

	memset(s, 0, sizeof *s);
	err = guts_record_open(&r, GUTS_RECORD_STATUS, envelope);
	if (!err)
		err = read_record(s, &r);
	return err ? err : guts_record_check_time(s->time_ms, now_wall_ms);
}

int
guts_status_peek(struct guts_status *s, struct guts_slice envelope)
{
	struct guts_record r;
	int err;

	memset(s, 0, sizeof *s);
	err = guts_record_peek(&r, GUTS_RECORD_STATUS, envelope);
	return err ? err : read_record(s, &r);
}

const char *
guts_status_state_name(enum guts_status_state state)
{
	return state >= GUTS_STATUS_PENDING && (size_t)state < STATES ? state_names[state] : "";
}

int
guts_status_state_parse(enum guts_status_state *state, struct guts_slice name)
{
	for (size_t i = GUTS_STATUS_PENDING; i < STATES; i++) {
		if (guts_slice_eq(name, guts_slice_str(state_names[i]))) {
			*state = (enum guts_status_state)i;
			return 0;
		}
	}
	return GUTS_EINVAL;
}

int
guts_status_cmp(const struct guts_status *a, const struct guts_status *b)
{
	if (a->sequence != b->sequence)
		return a->sequence > b->sequence ? -1 : 1;
	return memcmp(a->hash, b->hash, GUTS_HASH_SIZE);
}
