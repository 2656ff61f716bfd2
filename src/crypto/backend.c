/* crypto/backend.c - libcrypto's algorithms, looked up once.
 *
 * OpenSSL 3 searches its providers for every algorithm that is not fetched beforehand,
 * which costs more than hashing a record.  They are kept until the process ends.
 */
#include "crypto/backend.h"

#include "base/err.h"

#ifdef HAVE_LIBCRYPTO

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_CIPHER *chacha20_poly1305;

static void
fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	chacha20_poly1305 = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
}

int
guts_crypto_backend_init(void)
{
	pthread_once(&once, fetch);
	return sha256 && chacha20_poly1305 ? GUTS_OK : GUTS_EINTERNAL;
}

const EVP_MD *
guts_crypto_evp_sha256(void)
{
	pthread_once(&once, fetch);
	return sha256;
}

const EVP_CIPHER *
guts_crypto_evp_chacha20_poly1305(void)
{
	pthread_once(&once, fetch);
	return chacha20_poly1305;
}

#else

int
guts_crypto_backend_init(void)
{
	return GUTS_OK;
}

#endif
