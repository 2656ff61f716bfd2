/* crypto/key.c - Ed25519 keys by libsodium, peer ids as multihashes of their PublicKey message.
 *
 * The PublicKey and PrivateKey messages of an Ed25519 key have one form with fixed heads,
 * so they are compared byte by byte instead of parsed; anything else is another key type
 * or damaged.  Files of keys are in keyfile.c.
 */
#include "crypto/key.h"

#include "crypto/backend.h"
#include "wire/multibase.h"
#include "wire/multihash.h"

#include <assert.h>
#include <sodium.h>

static const uint8_t pubkey_head[] = { 0x08, 0x01, 0x12, GUTS_PUBKEY_SIZE };
static const uint8_t peerid_head[] = { 0x00, GUTS_PUBKEY_PB_SIZE };

int
guts_crypto_init(void)
{
	if (sodium_init() < 0)
		return GUTS_EINTERNAL;
	return guts_crypto_backend_init();
}

bool
guts_peerid_eq(const struct guts_peerid *a, const struct guts_peerid *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

bool
guts_peerid_is_among(const struct guts_peerid *ids, size_t n, const struct guts_peerid *id)
{
	for (size_t i = 0; i < n; i++) {
		if (guts_peerid_eq(&ids[i], id))
			return true;
	}
	return false;
}

int
guts_peerid_cmp(const struct guts_peerid *a, const struct guts_peerid *b)
{
	return guts_slice_cmp(guts_peerid_slice(a), guts_peerid_slice(b));
}

int
guts_peerid_decode(struct guts_peerid *id, struct guts_slice bin)
{
	*id = (struct guts_peerid){ 0 };
	if (!guts_multihash_is_peerid(bin))
		return GUTS_EPROTO;
	id->n = (uint8_t)bin.n;
	memcpy(id->b, bin.p, bin.n);
	return GUTS_OK;
}

int
guts_peerid_parse(struct guts_peerid *id, struct guts_slice text)
{
	uint8_t bytes[GUTS_PEERID_MAX];
	size_t n;

	*id = (struct guts_peerid){ 0 };
	if (guts_multihash_parse_peerid(bytes, &n, text))
		return GUTS_EINVAL;
	id->n = (uint8_t)n;
	memcpy(id->b, bytes, n);
	return GUTS_OK;
}

void
guts_peerid_text(char out[GUTS_PEERID_TEXT_SIZE], const struct guts_peerid *id)
{
	int err = guts_base58_encode(out, GUTS_PEERID_TEXT_SIZE, guts_peerid_slice(id));

	assert(err == GUTS_OK); /* 42 bytes make at most 58 digits */
	(void)err;
}

struct guts_slice
guts_peerid_slice(const struct guts_peerid *id)
{
	return guts_slice(id->b, id->n);
}

int
guts_peerid_pubkey(const struct guts_peerid *id, uint8_t pub[GUTS_PUBKEY_SIZE])
{
	if (id->n != GUTS_PEERID_SIZE || memcmp(id->b, peerid_head, sizeof(peerid_head)) != 0)
		return GUTS_EUNSUPPORTED;
	if (guts_pubkey_decode(pub, guts_slice(id->b + sizeof(peerid_head), GUTS_PUBKEY_PB_SIZE)))
		return GUTS_EUNSUPPORTED;
	return GUTS_OK;
}

void
guts_peerid_from_pubkey(struct guts_peerid *id, const uint8_t pub[GUTS_PUBKEY_SIZE])
{
	*id = (struct guts_peerid){ .n = GUTS_PEERID_SIZE };
	memcpy(id->b, peerid_head, sizeof(peerid_head));
	guts_pubkey_encode(id->b + sizeof(peerid_head), pub);
}

void
guts_pubkey_encode(uint8_t out[GUTS_PUBKEY_PB_SIZE], const uint8_t pub[GUTS_PUBKEY_SIZE])
{
	memcpy(out, pubkey_head, sizeof(pubkey_head));
	memcpy(out + sizeof(pubkey_head), pub, GUTS_PUBKEY_SIZE);
}

int
guts_pubkey_decode(uint8_t pub[GUTS_PUBKEY_SIZE], struct guts_slice pb)
{
	if (pb.n < 2 || pb.p[0] != 0x08 || pb.p[1] > 3)
		return GUTS_EPROTO;
	if (pb.p[1] != 1)
		return GUTS_EUNSUPPORTED;
	if (pb.n != GUTS_PUBKEY_PB_SIZE || memcmp(pb.p, pubkey_head, sizeof(pubkey_head)) != 0)
		return GUTS_EPROTO;
	memcpy(pub, pb.p + sizeof(pubkey_head), GUTS_PUBKEY_SIZE);
	return GUTS_OK;
}

void
guts_key_from_seed(struct guts_key *k, const uint8_t seed[32])
{
	_Static_assert(sizeof(k->secret) == crypto_sign_SECRETKEYBYTES, "secret");
	crypto_sign_seed_keypair(k->pub, k->secret, seed);
	guts_peerid_from_pubkey(&k->id, k->pub);
}

void
guts_key_wipe(struct guts_key *k)
{
	sodium_memzero(k, sizeof(*k));
}

void
guts_sign(uint8_t sig[GUTS_SIG_SIZE], const struct guts_key *k, struct guts_slice msg)
{
	crypto_sign_detached(sig, NULL, msg.p, msg.n, k->secret);
}

int
guts_verify(const uint8_t sig[GUTS_SIG_SIZE], const uint8_t pub[GUTS_PUBKEY_SIZE], struct guts_slice msg)
{
	return crypto_sign_verify_detached(sig, msg.p, msg.n, pub) == 0 ? GUTS_OK : GUTS_ESIG;
}
