/* crypto/aead.c - see aead.h.
 *
 * libcrypto's contexts are keyed once; a record only sets its nonce.  Pieces go through
 * its streaming interface straight to their place.  libsodium has no such interface, so
 * pieces are gathered at their place and encrypted there; it is used for small records,
 * or where nothing else is.
 */
#include "crypto/aead.h"

#include "base/alloc.h"
#include "base/err.h"
#include "crypto/backend.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALL_MAX 768u /* [bytes] where libcrypto overtakes libsodium */

struct guts_aead {
	uint8_t key[GUTS_AEAD_KEY_SIZE];
	size_t small_max; /* records up to this go to libsodium [bytes] */
#ifdef HAVE_LIBCRYPTO
	EVP_CIPHER_CTX *evp;
#endif
};

/* --- libsodium ----------------------------------------------------------- */

static void
sodium_seal(struct guts_aead *a, const uint8_t *nonce, struct guts_slice ad, const struct guts_slice *pieces,
    size_t count, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (pieces[i].n)
			memcpy(out + n, pieces[i].p, pieces[i].n);
		n += pieces[i].n;
	}
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, out, n, ad.p, ad.n, NULL, nonce, a->key);
}

static int
sodium_open(struct guts_aead *a, const uint8_t *nonce, struct guts_slice ad, uint8_t *data, size_t n)
{
	int bad = crypto_aead_chacha20poly1305_ietf_decrypt(data, NULL, NULL, data, n, ad.p, ad.n, nonce, a->key);

	return bad ? GUTS_ESIG : GUTS_OK;
}

/* --- libcrypto ----------------------------------------------------------- */

#ifdef HAVE_LIBCRYPTO

static void
must(int ok)
{
	if (ok != 1) {
		fprintf(stderr, "guts: libcrypto cannot encrypt\n");
		abort();
	}
}

static void
evp_new(struct guts_aead *a, bool seals)
{
	a->evp = EVP_CIPHER_CTX_new();
	must(a->evp != NULL && guts_crypto_evp_chacha20_poly1305() != NULL);
	must(EVP_CipherInit_ex2(a->evp, guts_crypto_evp_chacha20_poly1305(), a->key, NULL, seals, NULL));
}

/* Set the nonce and take the additional data. */
static void
evp_begin(struct guts_aead *a, const uint8_t *nonce, struct guts_slice ad)
{
	int n;

	must(EVP_CipherInit_ex2(a->evp, NULL, NULL, nonce, -1, NULL));
	if (ad.n)
		must(EVP_CipherUpdate(a->evp, NULL, &n, ad.p, (int)ad.n));
}

static void
evp_seal(struct guts_aead *a, const uint8_t *nonce, struct guts_slice ad, const struct guts_slice *pieces,
    size_t count, uint8_t *out)
{
	uint8_t rest[GUTS_AEAD_TAG_SIZE];
	int n;

	evp_begin(a, nonce, ad);
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].n == 0)
			continue;
		must(EVP_CipherUpdate(a->evp, out, &n, pieces[i].p, (int)pieces[i].n));
		out += n;
	}
	must(EVP_CipherFinal_ex(a->evp, rest, &n));
	must(EVP_CIPHER_CTX_ctrl(a->evp, EVP_CTRL_AEAD_GET_TAG, GUTS_AEAD_TAG_SIZE, out));
}

static int
evp_open(struct guts_aead *a, const uint8_t *nonce, struct guts_slice ad, uint8_t *data, size_t n)
{
	uint8_t rest[GUTS_AEAD_TAG_SIZE];
	size_t plain_n = n - GUTS_AEAD_TAG_SIZE;
	int k;

	evp_begin(a, nonce, ad);
	must(EVP_CIPHER_CTX_ctrl(a->evp, EVP_CTRL_AEAD_SET_TAG, GUTS_AEAD_TAG_SIZE, data + plain_n));
	if (plain_n)
		must(EVP_CipherUpdate(a->evp, data, &k, data, (int)plain_n));
	return EVP_CipherFinal_ex(a->evp, rest, &k) == 1 ? GUTS_OK : GUTS_ESIG;
}

#endif

/* --- the seam ------------------------------------------------------------ */

struct guts_aead *
guts_aead_new(enum guts_aead_backend backend, const uint8_t key[GUTS_AEAD_KEY_SIZE], bool seals)
{
	struct guts_aead *a;

#ifndef HAVE_LIBCRYPTO
	(void)seals;
	if (backend == GUTS_AEAD_LIBCRYPTO)
		return NULL;
#endif
	a = guts_alloc(sizeof(*a));
	memcpy(a->key, key, sizeof(a->key));
	a->small_max = SIZE_MAX;
#ifdef HAVE_LIBCRYPTO
	if (backend != GUTS_AEAD_SODIUM) {
		a->small_max = backend == GUTS_AEAD_BEST ? SMALL_MAX : 0;
		evp_new(a, seals);
	}
#endif
	return a;
}

void
guts_aead_free(struct guts_aead *a)
{
	if (a == NULL)
		return;
#ifdef HAVE_LIBCRYPTO
	EVP_CIPHER_CTX_free(a->evp); /* wipes its key */
#endif
	sodium_memzero(a, sizeof(*a));
	free(a);
}

void
guts_aead_seal(struct guts_aead *a, const uint8_t nonce[GUTS_AEAD_NONCE_SIZE], struct guts_slice ad,
    const struct guts_slice *pieces, size_t count, uint8_t *out)
{
#ifdef HAVE_LIBCRYPTO
	size_t n = 1; /* an empty record is a record too */

	for (size_t i = 0; i < count; i++)
		n += pieces[i].n;
	if (n > a->small_max && n < INT_MAX && ad.n < INT_MAX) {
		evp_seal(a, nonce, ad, pieces, count, out);
		return;
	}
#endif
	sodium_seal(a, nonce, ad, pieces, count, out);
}

int
guts_aead_open(struct guts_aead *a, const uint8_t nonce[GUTS_AEAD_NONCE_SIZE], struct guts_slice ad,
    uint8_t *data, size_t n)
{
	if (n < GUTS_AEAD_TAG_SIZE)
		return GUTS_ESIG;
#ifdef HAVE_LIBCRYPTO
	if (n > a->small_max && n < INT_MAX && ad.n < INT_MAX)
		return evp_open(a, nonce, ad, data, n);
#endif
	return sodium_open(a, nonce, ad, data, n);
}
