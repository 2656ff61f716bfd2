/* proto/record.c - the envelope around every signed record.
 *
 * A signature covers domain, payload type and payload, but not how the envelope itself is
 * written: reordered fields or added unknown ones would be another file around the same
 * record.  Peers store and compare envelopes verbatim, so exactly one form is taken: the
 * four fields once each, in order, with shortest lengths.  It is checked by building the
 * bytes that must stand in front of the signature and comparing.
 */
#include "proto/record.h"

#include "proto/fields.h"
#include "wire/varint.h"

#include <assert.h>
#include <stdio.h>

#define MAJOR "1"
#define PREFIX_MAX (2 + GUTS_PUBKEY_PB_SIZE + 2 + 64 + 1 + GUTS_UVARINT_MAX_SIZE)

static const struct {
	const char *name, *domain, *family, *type;
	size_t max; /* [bytes] envelope */
	const struct guts_pb_desc *payload;
} kinds[GUTS_RECORD_KINDS] = {
	[GUTS_RECORD_IDENTITY] = { "identity", "guts-identity", "guts/identity/",
				   "guts/identity/" MAJOR, GUTS_RECORD_MAX,
				   &guts_identity_payload_desc },
	[GUTS_RECORD_VOTE] = { "vote", "guts-vote", "guts/vote/", "guts/vote/" MAJOR,
			       GUTS_VOTE_MAX, &guts_vote_payload_desc },
	[GUTS_RECORD_SIGNEDREFS] = { "signed-refs", "guts-signed-refs", "guts/signed-refs/",
				     "guts/signed-refs/" MAJOR, GUTS_SIGNEDREFS_MAX,
				     &guts_signedrefs_payload_desc },
	[GUTS_RECORD_STATUS] = { "status", "guts-status", "guts/status/", "guts/status/" MAJOR,
				 GUTS_RECORD_MAX, &guts_status_payload_desc },
	[GUTS_RECORD_USERMSG] = { "message", "guts-message", "guts/message/",
				  "guts/message/" MAJOR, GUTS_USERMSG_MAX,
				  &guts_usermsg_payload_desc },
};

const char *
guts_record_kind_name(enum guts_record_kind kind)
{
	assert(kind < GUTS_RECORD_KINDS);
	return kinds[kind].name;
}

size_t
guts_record_max(enum guts_record_kind kind)
{
	assert(kind < GUTS_RECORD_KINDS);
	return kinds[kind].max;
}

const struct guts_pb_desc *
guts_record_payload_desc(enum guts_record_kind kind)
{
	assert(kind < GUTS_RECORD_KINDS);
	return kinds[kind].payload;
}

int
guts_record_seal(struct guts_buf *out, enum guts_record_kind kind, const struct guts_key *k,
		 struct guts_slice payload, uint8_t hash[GUTS_HASH_SIZE])
{
	size_t before = out->len;
	int err;

	assert(kind < GUTS_RECORD_KINDS);
	err = guts_envelope_seal(out, k, kinds[kind].domain, guts_slice_str(kinds[kind].type),
				 payload);
	if (!err && out->len - before > kinds[kind].max) {
		guts_buf_truncate(out, before);
		err = GUTS_ELIMIT;
	}
	if (!err && hash)
		guts_sha256(hash, payload);
	return err;
}

/* Is `in` the one form of envelope `e`, up to the signature's bytes? */
static bool
is_canonical(struct guts_slice in, const struct guts_envelope *e)
{
	uint8_t want[PREFIX_MAX], pub[GUTS_PUBKEY_SIZE];
	size_t n = 0;

	if (guts_peerid_pubkey(&e->signer, pub) != 0 || e->payload_type.n > 64)
		return false;
	want[n++] = 1 << 3 | 2;
	want[n++] = GUTS_PUBKEY_PB_SIZE;
	guts_pubkey_encode(want + n, pub);
	n += GUTS_PUBKEY_PB_SIZE;
	want[n++] = 2 << 3 | 2;
	want[n++] = (uint8_t)e->payload_type.n;
	memcpy(want + n, e->payload_type.p, e->payload_type.n);
	n += e->payload_type.n;
	want[n++] = 3 << 3 | 2;
	n += guts_uvarint_write(want + n, e->payload.n);

	if (in.n != n + e->payload.n + 2 + GUTS_SIG_SIZE || memcmp(in.p, want, n) != 0)
		return false;
	return in.p + n == e->payload.p && in.p[n + e->payload.n] == (5 << 3 | 2) &&
	       in.p[n + e->payload.n + 1] == GUTS_SIG_SIZE;
}

static int
finish_open(struct guts_record *r, enum guts_record_kind kind, struct guts_slice envelope,
	    const struct guts_envelope *e)
{
	struct guts_slice family = guts_slice_str(kinds[kind].family);

	if (!is_canonical(envelope, e))
		return GUTS_EPROTO;
	if (e->payload_type.n <= family.n || memcmp(e->payload_type.p, family.p, family.n) != 0)
		return GUTS_EPROTO;
	if (!guts_slice_eq(e->payload_type, guts_slice_str(kinds[kind].type)))
		return GUTS_EUNSUPPORTED;
	r->signer = e->signer;
	r->payload = e->payload;
	guts_sha256(r->hash, e->payload);
	return 0;
}

int
guts_record_open(struct guts_record *r, enum guts_record_kind kind, struct guts_slice envelope)
{
	struct guts_envelope e;
	int err;

	assert(kind < GUTS_RECORD_KINDS);
	err = guts_envelope_open(&e, envelope, kinds[kind].max, kinds[kind].domain,
				 guts_slice(NULL, 0));
	return err ? err : finish_open(r, kind, envelope, &e);
}

int
guts_record_peek(struct guts_record *r, enum guts_record_kind kind, struct guts_slice envelope)
{
	struct guts_envelope e;
	int err;

	assert(kind < GUTS_RECORD_KINDS);
	err = guts_envelope_peek(&e, envelope, kinds[kind].max);
	return err ? err : finish_open(r, kind, envelope, &e);
}

int
guts_record_check_time(uint64_t time_ms, uint64_t now_wall_ms)
{
	if (now_wall_ms == 0 || time_ms <= now_wall_ms)
		return 0;
	return time_ms - now_wall_ms > UINT64_C(1000) * GUTS_FUTURE_MAX_S ? GUTS_EFUTURE : 0;
}
