/* test_sha256.c - SHA-256 in one piece and in many, on either side of the change of library; HKDF. */
#include "vectors.h"
#include "unit.h"

#include "crypto/hkdf.h"
#include "crypto/key.h"

#include <sodium.h>
#include <string.h>

/* FIPS 180-2 appendix B. */
static void
sha256_known_answers(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	uint8_t out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		guts_sha256(out, S(pairs[i][0]));
		assert_slice_equal(guts_slice(out, 32), vectors_unhex(pairs[i][1]));
	}
}

static void
pieces_and_libraries_agree(void **state)
{
	static uint8_t data[5000];
	uint8_t whole[32], pieces[32], sodium[32];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n < sizeof(data); n += n < 600 ? 1 : 997) {
		struct guts_sha256_ctx c;
		size_t cut = n / 3;

		guts_sha256(whole, guts_slice(data, n));
		crypto_hash_sha256(sodium, data, n);
		guts_sha256_begin(&c);
		guts_sha256_add(&c, guts_slice(data, cut));
		guts_sha256_add(&c, guts_slice(NULL, 0));
		guts_sha256_add(&c, guts_slice(data + cut, n - cut));
		guts_sha256_end(&c, pieces);
		assert_memory_equal(whole, sodium, 32);
		assert_memory_equal(pieces, sodium, 32);
	}
}

static void
wycheproof_hkdf(void **state)
{
	struct json_object *all = vectors_load("hkdf_sha256_test.json"), *groups = vectors_get(all, "testGroups");
	static uint8_t out[GUTS_HKDF_OUT_MAX];
	unsigned valid = 0, refused = 0;

	(void)state;
	for (size_t g = 0; g < json_object_array_length(groups); g++) {
		struct json_object *tests = vectors_get(json_object_array_get_idx(groups, g), "tests");

		for (size_t i = 0; i < json_object_array_length(tests); i++) {
			struct json_object *t = json_object_array_get_idx(tests, i);
			size_t n = (size_t)vectors_int(t, "size");

			if (strcmp(vectors_str(t, "result"), "valid") != 0) {
				assert_true(n > GUTS_HKDF_OUT_MAX); /* the only reason they give */
				refused++;
				continue;
			}
			guts_hkdf_sha256(out, n, vectors_hex(t, "salt"), vectors_hex(t, "ikm"), vectors_hex(t, "info"));
			assert_slice_equal(guts_slice(out, n), vectors_hex(t, "okm"));
			valid++;
		}
	}
	assert_int_equal(valid, 83);
	assert_int_equal(refused, 3);
	json_object_put(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_known_answers),
		cmocka_unit_test(pieces_and_libraries_agree),
		cmocka_unit_test(wycheproof_hkdf),
	};

	if (guts_crypto_init())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
