/* crypto/backend.h - private to crypto/: what libcrypto prepares once per process. */
#ifndef GUTS_CRYPTO_BACKEND_H
#define GUTS_CRYPTO_BACKEND_H

/* Fetch libcrypto's algorithms, if it is configured.  May be called again.  Errors: GUTS_EINTERNAL. */
int guts_crypto_backend_init(void);

#ifdef HAVE_LIBCRYPTO
#include <openssl/evp.h>

/* Lent until the process ends; NULL if libcrypto does not have it. */
const EVP_MD *guts_crypto_evp_sha256(void);
const EVP_CIPHER *guts_crypto_evp_chacha20_poly1305(void);
#endif

#endif
