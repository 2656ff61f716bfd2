/* proto/fields.h - small readers shared by the record files; private to proto/. */
#ifndef GUTS_PROTO_FIELDS_H
#define GUTS_PROTO_FIELDS_H

#include "base/err.h"
#include "base/text.h"
#include "crypto/key.h"
#include "wire/pb.h"

/* Tables of the payloads; see guts_record_payload_desc. */
extern const struct guts_pb_desc guts_identity_payload_desc, guts_vote_payload_desc,
	guts_signedrefs_payload_desc, guts_status_payload_desc, guts_usermsg_payload_desc;

#define GUTS_SEQUENCE_MAX (UINT64_MAX >> 1)

/* Copy exactly `n` bytes.  Errors: GUTS_EPROTO for any other length. */
static inline int
guts_field_exact(uint8_t *out, size_t n, struct guts_slice s)
{
	if (s.n != n)
		return GUTS_EPROTO;
	memcpy(out, s.p, n);
	return 0;
}

/* Copy a text into out[max + 1] with a NUL; one clean line, or several if `allow_lf`.
 * Errors: GUTS_EPROTO too long or unclean. */
static inline int
guts_field_text(char *out, size_t max, struct guts_slice s, bool allow_lf)
{
	if (s.n > max || !guts_text_is_clean(s, allow_lf))
		return GUTS_EPROTO;
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

/* A peer id that has an Ed25519 key inside: only such can sign.  Errors: GUTS_EPROTO. */
static inline int
guts_field_signer(struct guts_peerid *id, struct guts_slice s)
{
	uint8_t pub[GUTS_PUBKEY_SIZE];

	if (guts_peerid_decode(id, s) != 0 || guts_peerid_pubkey(id, pub) != 0)
		return GUTS_EPROTO;
	return 0;
}

#endif
