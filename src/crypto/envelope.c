/* crypto/envelope.c - see envelope.h.
 *
 * What is signed is not the envelope but uvarint-framed domain, payload type and payload,
 * so a signature made for one purpose holds for no other.
 *
 * The envelope's own bytes are not signed, but must be the one encoding of its fields:
 * else whoever forwards a record could make any number of others of it that are as valid,
 * each with an id of its own.
 */
#include "crypto/envelope.h"

#include "wire/pb.h"
#include "wire/varint.h"

#define TYPE_MAX 64u    /* [bytes] */
#define KEY_PB_MAX 512u /* [bytes] an RSA key still gets its own error */

struct envelope_pb {
	struct guts_slice public_key;
	struct guts_slice payload_type;
	struct guts_slice payload;
	struct guts_slice signature;
};

static const struct guts_pb_field envelope_fields[] = {
	GUTS_PB_FIELD(struct envelope_pb, public_key, 1, GUTS_PB_BYTES, KEY_PB_MAX),
	GUTS_PB_FIELD(struct envelope_pb, payload_type, 2, GUTS_PB_BYTES, TYPE_MAX),
	GUTS_PB_FIELD(struct envelope_pb, payload, 3, GUTS_PB_BYTES, GUTS_MESSAGE_MAX),
	GUTS_PB_FIELD(struct envelope_pb, signature, 5, GUTS_PB_BYTES, KEY_PB_MAX),
};
static const struct guts_pb_desc envelope_desc = GUTS_PB_DESC("Envelope", struct envelope_pb, envelope_fields);

static void
add_framed(struct guts_buf *b, struct guts_slice s)
{
	guts_buf_add_uvarint(b, s.n);
	guts_buf_add_slice(b, s);
}

/* The bytes that are signed.  Owner: caller, guts_buf_deinit. */
static void
signed_bytes(struct guts_buf *b, const char *domain, struct guts_slice type, struct guts_slice payload)
{
	struct guts_slice d = guts_slice_str(domain);

	guts_buf_init(b, d.n + type.n + payload.n + 3 * GUTS_UVARINT_MAX_SIZE);
	add_framed(b, d);
	add_framed(b, type);
	add_framed(b, payload);
}

int
guts_envelope_seal(struct guts_buf *out, const struct guts_key *k, const char *domain,
    struct guts_slice payload_type, struct guts_slice payload)
{
	uint8_t key_pb[GUTS_PUBKEY_PB_SIZE], sig[GUTS_SIG_SIZE];
	struct envelope_pb e = {
		.payload_type = payload_type,
		.payload = payload,
	};
	struct guts_buf b;

	guts_pubkey_encode(key_pb, k->pub);
	signed_bytes(&b, domain, payload_type, payload);
	guts_sign(sig, k, guts_buf_slice(&b));
	guts_buf_deinit(&b);
	e.public_key = guts_slice(key_pb, sizeof(key_pb));
	e.signature = guts_slice(sig, sizeof(sig));
	return guts_pb_encode(&envelope_desc, &e, out);
}

/* Everything but the signature check. */
static int
read_envelope(struct guts_envelope *e, struct guts_slice in, size_t max, uint8_t pub[GUTS_PUBKEY_SIZE],
    struct guts_slice *sig)
{
	struct envelope_pb pb;
	int err;

	*e = (struct guts_envelope){ 0 };
	if (in.n > max)
		return GUTS_ELIMIT;
	err = guts_pb_decode(&envelope_desc, in, &pb, NULL);
	if (!err)
		err = guts_pubkey_decode(pub, pb.public_key);
	if (err)
		return err;
	if (pb.signature.n != GUTS_SIG_SIZE)
		return GUTS_EPROTO;
	*sig = pb.signature;
	guts_peerid_from_pubkey(&e->signer, pub);
	e->payload_type = pb.payload_type;
	e->payload = pb.payload;
	return GUTS_OK;
}

/* Is `in` what guts_pb_encode makes of its fields? */
static bool
is_canonical(struct guts_slice in)
{
	struct envelope_pb pb;
	struct guts_buf again;
	bool same;

	guts_buf_init(&again, in.n);
	same = guts_pb_decode(&envelope_desc, in, &pb, NULL) == GUTS_OK &&
	    guts_pb_encode(&envelope_desc, &pb, &again) == GUTS_OK && guts_slice_eq(guts_buf_slice(&again), in);
	guts_buf_deinit(&again);
	return same;
}

int
guts_envelope_open(struct guts_envelope *e, struct guts_slice in, size_t max, const char *domain,
    struct guts_slice want_type)
{
	uint8_t pub[GUTS_PUBKEY_SIZE];
	struct guts_slice sig;
	struct guts_buf b;
	int err = read_envelope(e, in, max, pub, &sig);

	if (!err && !is_canonical(in))
		err = GUTS_EPROTO;
	if (!err && want_type.n > 0 && !guts_slice_eq(e->payload_type, want_type))
		err = GUTS_EUNSUPPORTED;
	if (!err) {
		signed_bytes(&b, domain, e->payload_type, e->payload);
		err = guts_verify(sig.p, pub, guts_buf_slice(&b));
		guts_buf_deinit(&b);
	}
	if (err)
		*e = (struct guts_envelope){ 0 };
	return err;
}

int
guts_envelope_peek(struct guts_envelope *e, struct guts_slice in, size_t max)
{
	uint8_t pub[GUTS_PUBKEY_SIZE];
	struct guts_slice sig;

	return read_envelope(e, in, max, pub, &sig);
}
