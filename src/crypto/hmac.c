/* crypto/hmac.c - HMAC-SHA-256 by libsodium; HMAC-SHA-1, which libsodium does not have, here.
 *
 * SHA-1 serves webhook receivers, a few kilobytes at a time, and checks files in the background, so it is written to be read.
 */
#include "crypto/hmac.h"

#include "base/be.h"

#include <sodium.h>
#include <string.h>

#define BLOCK 64u

struct sha1 {
	uint32_t h[5];
	uint8_t block[BLOCK];
	uint64_t n; /* [bytes] taken */
};

void
guts_hmac_sha256(uint8_t out[GUTS_SHA256_SIZE], struct guts_slice key, struct guts_slice in)
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key.p, key.n);
	crypto_auth_hmacsha256_update(&st, in.p, in.n);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

static uint32_t
rotate(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static void
sha1_block(struct sha1 *s)
{
	uint32_t w[80], a = s->h[0], b = s->h[1], c = s->h[2], d = s->h[3], e = s->h[4];

	for (unsigned i = 0; i < 80; i++) {
		uint32_t f, k, next;

		w[i] = i < 16 ? guts_be32(s->block + 4 * i) : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		next = rotate(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	s->h[0] += a;
	s->h[1] += b;
	s->h[2] += c;
	s->h[3] += d;
	s->h[4] += e;
	sodium_memzero(w, sizeof(w));
}

static void
sha1_begin(struct sha1 *s)
{
	*s = (struct sha1){ .h = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 } };
}

static void
sha1_add(struct sha1 *s, struct guts_slice in)
{
	for (size_t i = 0; i < in.n; i++) {
		s->block[s->n++ % BLOCK] = in.p[i];
		if (s->n % BLOCK == 0)
			sha1_block(s);
	}
}

static void
sha1_end(struct sha1 *s, uint8_t out[GUTS_SHA1_SIZE])
{
	uint64_t bits = 8 * s->n;
	uint8_t pad[BLOCK + 8] = { 0x80 };
	size_t n = BLOCK - (s->n + 8) % BLOCK; /* up to where the length goes */

	guts_put_be64(pad + n, bits);
	sha1_add(s, guts_slice(pad, n + 8));
	for (unsigned i = 0; i < GUTS_SHA1_SIZE / 4; i++)
		guts_put_be32(out + 4 * i, s->h[i]);
	sodium_memzero(s, sizeof(*s));
}

void
guts_sha1(uint8_t out[GUTS_SHA1_SIZE], struct guts_slice in)
{
	struct sha1 s;

	sha1_begin(&s);
	sha1_add(&s, in);
	sha1_end(&s, out);
}

void
guts_hmac_sha1(uint8_t out[GUTS_SHA1_SIZE], struct guts_slice key, struct guts_slice in)
{
	uint8_t pad[BLOCK] = { 0 };
	struct sha1 s;

	if (key.n > BLOCK) {
		sha1_begin(&s);
		sha1_add(&s, key);
		sha1_end(&s, pad);
	} else if (key.n > 0) {
		memcpy(pad, key.p, key.n);
	}
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36;
	sha1_begin(&s);
	sha1_add(&s, guts_slice(pad, BLOCK));
	sha1_add(&s, in);
	sha1_end(&s, out);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha1_begin(&s);
	sha1_add(&s, guts_slice(pad, BLOCK));
	sha1_add(&s, guts_slice(out, GUTS_SHA1_SIZE));
	sha1_end(&s, out);
	sodium_memzero(pad, sizeof(pad));
}
