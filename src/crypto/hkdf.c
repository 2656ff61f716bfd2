/* crypto/hkdf.c - extract a key, then expand it block by block: T(i) = HMAC(key, T(i-1) | info | i). */
#include "crypto/hkdf.h"

#include <assert.h>
#include <sodium.h>

#define BLOCK 32u

void
guts_hkdf_sha256(uint8_t *out, size_t n, struct guts_slice salt, struct guts_slice key, struct guts_slice info)
{
	crypto_auth_hmacsha256_state st;
	uint8_t prk[BLOCK], block[BLOCK];
	uint8_t i = 1;

	assert(n <= GUTS_HKDF_OUT_MAX);
	crypto_auth_hmacsha256_init(&st, salt.p, salt.n);
	crypto_auth_hmacsha256_update(&st, key.p, key.n);
	crypto_auth_hmacsha256_final(&st, prk);
	for (size_t done = 0; done < n; done += BLOCK, i++) {
		size_t part = n - done < BLOCK ? n - done : BLOCK;

		crypto_auth_hmacsha256_init(&st, prk, sizeof(prk));
		if (done > 0)
			crypto_auth_hmacsha256_update(&st, block, sizeof(block));
		crypto_auth_hmacsha256_update(&st, info.p, info.n);
		crypto_auth_hmacsha256_update(&st, &i, 1);
		crypto_auth_hmacsha256_final(&st, block);
		memcpy(out + done, block, part);
	}
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(block, sizeof(block));
	sodium_memzero(&st, sizeof(st));
}
