/* tests/unit/test_hmac.c - the vectors of RFC 2202 (HMAC-SHA-1) and RFC 4231 (HMAC-SHA-256), and every length of padding. */
#include "unit.h"

#include "base/text.h"
#include "crypto/hmac.h"
#include "crypto/key.h"

#include <string.h>

struct vector {
	const char *key;
	uint8_t fill; /* not 0: the key is `n` such bytes */
	size_t n;
	const char *in;
	const char *want;
};

static struct guts_slice
key_of(const struct vector *v, uint8_t mem[256])
{
	if (!v->fill)
		return S(v->key);
	memset(mem, v->fill, v->n);
	return guts_slice(mem, v->n);
}

static void
sha1_vectors(void **state)
{
	static const struct vector vectors[] = {
		{ NULL, 0x0b, 20, "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00" },
		{ "Jefe", 0, 0, "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
		{ NULL, 0xaa, 80, "Test Using Larger Than Block-Size Key - Hash Key First",
		    "aa4ae5e15272d00e95705637ce8a3b55ed402112" },
		{ NULL, 0xaa, 80, "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
		    "e8e99d0f45237d786d6bbaa7965c7808bbff1a91" },
	};
	uint8_t out[GUTS_SHA1_SIZE], mem[256];
	char hex[41];

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		guts_hmac_sha1(out, key_of(&vectors[i], mem), S(vectors[i].in));
		guts_hex_encode(hex, out, sizeof out);
		assert_string_equal(hex, vectors[i].want);
	}
}

static void
sha256_vectors(void **state)
{
	static const struct vector vectors[] = {
		{ NULL, 0x0b, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "Jefe", 0, 0, "what do ya want for nothing?",
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ NULL, 0xaa, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	};
	uint8_t out[GUTS_SHA256_SIZE], mem[256];
	char hex[65];

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		guts_hmac_sha256(out, key_of(&vectors[i], mem), S(vectors[i].in));
		guts_hex_encode(hex, out, sizeof out);
		assert_string_equal(hex, vectors[i].want);
	}
}

/* HMAC-SHA-1 of 0 … 199 bytes 'a' under the key "k", each one's last byte; made with Python's hmac. */
static void
sha1_lengths(void **state)
{
	static const char want[] = "658b10cd88f9a084b04925c6294603ea6c019678fd4e4c9cb4e55b2f754cf77f6cd75dc13b34d2e048781ba0ca2fecb3"
	    "2745e6a5dbffae322357facdf9d88af9753b4de921a0c56396066b2414692e235d56e1b891577a8dbf90bbbfb702b91a"
	    "6864d6b1d722509a714b4c97ed7307af87baac11371c938290c0d05d5fea12bfce933608e37bdb5a0b503e44ff6fa881"
	    "f6dd55bcf85cc67cabc587f26c184767051806f25fd0007a774b254908b85e9bf4c313941e44d123fff092eee7ec315d"
	    "8f626ef79543680a";
	uint8_t out[GUTS_SHA1_SIZE], in[200];
	char got[401];

	(void)state;
	memset(in, 'a', sizeof in);
	for (size_t n = 0; n < sizeof in; n++) {
		guts_hmac_sha1(out, S("k"), guts_slice(in, n));
		guts_hex_encode(got + 2 * n, out + GUTS_SHA1_SIZE - 1, 1);
	}
	assert_string_equal(got, want);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha1_vectors),
		cmocka_unit_test(sha256_vectors),
		cmocka_unit_test(sha1_lengths),
	};

	if (guts_crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
