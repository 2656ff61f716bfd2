/* crypto/noisexx.c - the XX pattern as a table of tokens, carried out from either side.
 *
 *	-> e
 *	<- e, ee, s, es
 *	-> s, se
 *
 * Handshake messages are few and short, so they are encrypted by libsodium directly; the
 * two directions that follow use crypto/aead.
 */
#include "crypto/noisexx.h"

#include "base/err.h"
#include "crypto/hkdf.h"

#include <assert.h>
#include <sodium.h>

#define TAG GUTS_AEAD_TAG_SIZE
#define KEY GUTS_X25519_SIZE

enum token {
	END,
	E,
	S,
	EE,
	ES,
	SE,
};

static const enum token pattern[GUTS_NOISEXX_MESSAGES][5] = {
	{ E, END },
	{ E, EE, S, ES, END },
	{ S, SE, END },
};

/* Exactly as long as a hash, so it is the first h as it stands. */
static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_SHA256";

int
guts_x25519(uint8_t out[KEY], const uint8_t secret[KEY], const uint8_t point[KEY])
{
	return crypto_scalarmult_curve25519(out, secret, point) == 0 ? GUTS_OK : GUTS_EPROTO;
}

void
guts_x25519_public(uint8_t out[KEY], const uint8_t secret[KEY])
{
	crypto_scalarmult_curve25519_base(out, secret);
}

/* 4 zero bytes, then the number in little-endian order. */
static void
make_nonce(uint8_t out[GUTS_AEAD_NONCE_SIZE], uint64_t n)
{
	memset(out, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(n >> (8 * i));
}

/* --- symmetric state ----------------------------------------------------- */

static void
mix_hash(struct guts_noisexx *x, const void *p, size_t n)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, x->h, sizeof(x->h));
	crypto_hash_sha256_update(&st, p, n);
	crypto_hash_sha256_final(&st, x->h);
}

static void
mix_key(struct guts_noisexx *x, const uint8_t dh[KEY])
{
	uint8_t out[64];

	guts_hkdf_sha256(out, sizeof(out), guts_slice(x->ck, sizeof(x->ck)), guts_slice(dh, KEY),
	    guts_slice(NULL, 0));
	memcpy(x->ck, out, 32);
	memcpy(x->k, out + 32, 32);
	x->has_key = true;
	x->nonce = 0;
	sodium_memzero(out, sizeof(out));
}

static int
encrypt_and_hash(struct guts_noisexx *x, struct guts_slice plain, struct guts_buf *out)
{
	uint8_t nonce[GUTS_AEAD_NONCE_SIZE];
	size_t n = plain.n + (x->has_key ? TAG : 0);
	uint8_t *room = guts_buf_reserve(out, n);

	if (room == NULL)
		return GUTS_ELIMIT;
	if (x->has_key) {
		make_nonce(nonce, x->nonce++);
		crypto_aead_chacha20poly1305_ietf_encrypt(room, NULL, plain.p, plain.n, x->h, sizeof(x->h),
		    NULL, nonce, x->k);
	} else if (n) {
		memcpy(room, plain.p, n);
	}
	mix_hash(x, room, n);
	guts_buf_commit(out, n);
	return GUTS_OK;
}

/* `out` has room for in.n bytes; *n = those used. */
static int
decrypt_and_hash(struct guts_noisexx *x, struct guts_slice in, uint8_t *out, size_t *n)
{
	uint8_t nonce[GUTS_AEAD_NONCE_SIZE];

	*n = in.n;
	if (x->has_key) {
		if (in.n < TAG)
			return GUTS_EPROTO;
		*n -= TAG;
		make_nonce(nonce, x->nonce++);
		if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in.p, in.n, x->h,
		        sizeof(x->h), nonce, x->k))
			return GUTS_ESIG;
	} else if (in.n) {
		memcpy(out, in.p, in.n);
	}
	mix_hash(x, in.p, in.n);
	return GUTS_OK;
}

/* --- tokens -------------------------------------------------------------- */

static int
mix_dh(struct guts_noisexx *x, const uint8_t secret[KEY], const uint8_t point[KEY])
{
	uint8_t dh[KEY];
	int err = guts_x25519(dh, secret, point);

	if (!err)
		mix_key(x, dh);
	sodium_memzero(dh, sizeof(dh));
	return err;
}

/* ee, es, se: the first letter is the initiator's key, the second the responder's. */
static int
token_dh(struct guts_noisexx *x, enum token t)
{
	bool own_e = t == EE || (t == ES) == x->is_initiator;
	bool peer_e = t == EE || (t == SE) == x->is_initiator;

	return mix_dh(x, own_e ? x->e.secret : x->s.secret, peer_e ? x->re : x->rs);
}

static int
token_write(struct guts_noisexx *x, enum token t, struct guts_buf *out)
{
	if (t == S)
		return encrypt_and_hash(x, guts_slice(x->s.public, KEY), out);
	if (t != E)
		return token_dh(x, t);
	mix_hash(x, x->e.public, KEY);
	return guts_buf_add(out, x->e.public, KEY);
}

/* Take what the token needs from the front of *in. */
static int
token_read(struct guts_noisexx *x, enum token t, struct guts_slice *in)
{
	size_t n = KEY + (t == S && x->has_key ? TAG : 0), plain_n;
	struct guts_slice field = { in->p, n };

	if (t != E && t != S)
		return token_dh(x, t);
	if (in->n < n)
		return GUTS_EPROTO;
	*in = guts_slice(in->p + n, in->n - n);
	if (t == S) {
		uint8_t plain[KEY + TAG];
		int err = decrypt_and_hash(x, field, plain, &plain_n);

		if (!err)
			memcpy(x->rs, plain, KEY);
		return err;
	}
	memcpy(x->re, field.p, KEY);
	mix_hash(x, x->re, KEY);
	return GUTS_OK;
}

/* --- messages ------------------------------------------------------------ */

void
guts_noisexx_init(struct guts_noisexx *x, bool is_initiator, struct guts_slice prologue,
    const struct guts_noisexx_pair *s, const uint8_t ephemeral[KEY])
{
	_Static_assert(sizeof(protocol_name) - 1 == sizeof(x->h), "name");
	*x = (struct guts_noisexx){ .is_initiator = is_initiator, .s = *s };
	memcpy(x->e.secret, ephemeral, KEY);
	guts_x25519_public(x->e.public, ephemeral);
	memcpy(x->h, protocol_name, sizeof(x->h));
	memcpy(x->ck, x->h, sizeof(x->ck));
	mix_hash(x, prologue.p, prologue.n);
}

void
guts_noisexx_wipe(struct guts_noisexx *x)
{
	sodium_memzero(x, sizeof(*x));
}

bool
guts_noisexx_writes(const struct guts_noisexx *x)
{
	return x->step < GUTS_NOISEXX_MESSAGES && (x->step % 2 == 0) == x->is_initiator;
}

int
guts_noisexx_write(struct guts_noisexx *x, struct guts_slice payload, struct guts_buf *out)
{
	int err = GUTS_OK;

	assert(guts_noisexx_writes(x));
	for (const enum token *t = pattern[x->step]; !err && *t != END; t++)
		err = token_write(x, *t, out);
	x->step++;
	return err ? err : encrypt_and_hash(x, payload, out);
}

int
guts_noisexx_read(struct guts_noisexx *x, struct guts_slice message, struct guts_buf *payload)
{
	uint8_t *room;
	size_t n = 0;
	int err = message.n > GUTS_NOISEXX_MESSAGE_MAX ? GUTS_EPROTO : GUTS_OK;

	assert(x->step < GUTS_NOISEXX_MESSAGES && !guts_noisexx_writes(x));
	for (const enum token *t = pattern[x->step]; !err && *t != END; t++)
		err = token_read(x, *t, &message);
	x->step++;
	if (err)
		return err;
	room = guts_buf_reserve(payload, message.n);
	if (room == NULL)
		return GUTS_ELIMIT;
	err = decrypt_and_hash(x, message, room, &n);
	if (!err)
		guts_buf_commit(payload, n);
	return err;
}

void
guts_noisexx_split(const struct guts_noisexx *x, uint8_t to_responder[GUTS_AEAD_KEY_SIZE],
    uint8_t to_initiator[GUTS_AEAD_KEY_SIZE])
{
	uint8_t out[64];

	assert(x->step == GUTS_NOISEXX_MESSAGES);
	guts_hkdf_sha256(out, sizeof(out), guts_slice(x->ck, sizeof(x->ck)), guts_slice(NULL, 0),
	    guts_slice(NULL, 0));
	memcpy(to_responder, out, 32);
	memcpy(to_initiator, out + 32, 32);
	sodium_memzero(out, sizeof(out));
}

/* --- after the handshake ------------------------------------------------- */

void
guts_noisexx_cipher_init(struct guts_noisexx_cipher *c, const uint8_t key[GUTS_AEAD_KEY_SIZE], bool seals)
{
	c->aead = guts_aead_new(GUTS_AEAD_BEST, key, seals);
	c->nonce = 0;
}

void
guts_noisexx_cipher_deinit(struct guts_noisexx_cipher *c)
{
	guts_aead_free(c->aead);
	c->aead = NULL;
}

int
guts_noisexx_cipher_seal(struct guts_noisexx_cipher *c, const struct guts_slice *pieces, size_t count,
    uint8_t *out)
{
	uint8_t nonce[GUTS_AEAD_NONCE_SIZE];

	/* The last number is reserved (section 5.1). */
	if (c->nonce == UINT64_MAX)
		return GUTS_ELIMIT;
	make_nonce(nonce, c->nonce++);
	guts_aead_seal(c->aead, nonce, guts_slice(NULL, 0), pieces, count, out);
	return GUTS_OK;
}

int
guts_noisexx_cipher_open(struct guts_noisexx_cipher *c, uint8_t *data, size_t n)
{
	uint8_t nonce[GUTS_AEAD_NONCE_SIZE];

	if (c->nonce == UINT64_MAX)
		return GUTS_ELIMIT;
	make_nonce(nonce, c->nonce++);
	return guts_aead_open(c->aead, nonce, guts_slice(NULL, 0), data, n);
}
