/* test_multibase.c - base58, base32, repository ids, the text of peer ids. */
#include "vectors.h"
#include "unit.h"

#include "base/err.h"
#include "base/rng.h"
#include "wire/multibase.h"
#include "wire/multihash.h"

#include <stdio.h>
#include <string.h>

/* draft-msporny-base58-03, section 5. */
static void
base58_known_answers(void **state)
{
	static const char *const pairs[][2] = {
		{ "48656c6c6f20576f726c6421", "2NEpo7TZRRrLZSi2U" },
		{ "54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e",
		    "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z" },
		{ "0000287fb4cd", "11233QC4" },
		{ "", "" },
		{ "00", "1" },
		{ "39", "z" },
		{ "3a", "21" },
	};
	uint8_t bytes[128];
	char text[200];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct guts_slice plain = vectors_unhex(pairs[i][0]);

		assert_int_equal(guts_base58_encode(text, sizeof(text), plain), GUTS_OK);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(guts_base58_decode(bytes, sizeof(bytes), S(pairs[i][1]), &n), GUTS_OK);
		assert_slice_equal(guts_slice(bytes, n), plain);
		assert_int_equal(guts_base58_encode(text, strlen(pairs[i][1]), plain), GUTS_ELIMIT);
		if (plain.n)
			assert_int_equal(guts_base58_decode(bytes, plain.n - 1, S(pairs[i][1]), &n), GUTS_ELIMIT);
	}
}

static void
base58_refuses(void **state)
{
	static const char *const bad[] = { "0", "O", "I", "l", " 1", "1-", "a\n" };
	static const uint8_t ff[GUTS_BASE58_IN_MAX + 1] = { 1 };
	uint8_t bytes[300];
	char text[400];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(guts_base58_decode(bytes, sizeof(bytes), S(bad[i]), &n), GUTS_EINVAL);
	assert_int_equal(guts_base58_decode(bytes, sizeof(bytes), guts_slice("1\0", 2), &n), GUTS_EINVAL);
	assert_int_equal(guts_base58_encode(text, sizeof(text), guts_slice(ff, sizeof(ff))), GUTS_ELIMIT);
	memset(text, 'z', sizeof(text));
	assert_int_equal(guts_base58_decode(bytes, sizeof(bytes), guts_slice(text, 178), &n), GUTS_ELIMIT);
	assert_int_equal(guts_base58_decode(bytes, sizeof(bytes), guts_slice(text, 400), &n), GUTS_ELIMIT);
}

/* RFC 4648 section 10, lower case and without padding. */
static void
base32_known_answers(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "my" }, { "fo", "mzxq" }, { "foo", "mzxw6" },
		{ "foob", "mzxw6yq" }, { "fooba", "mzxw6ytb" }, { "foobar", "mzxw6ytboi" } };
	static const char *const bad[] = { "m", "mz", "mzx", "MY", "my======", "m1", "mzxw6y", "mzxw6ytbo" };
	uint8_t bytes[16];
	char text[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(guts_base32_encode(text, sizeof(text), S(pairs[i][0])), GUTS_OK);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(guts_base32_encode(text, strlen(pairs[i][1]), S(pairs[i][0])), GUTS_ELIMIT);
		assert_int_equal(guts_base32_decode(bytes, sizeof(bytes), S(pairs[i][1]), &n), GUTS_OK);
		assert_slice_equal(guts_slice(bytes, n), S(pairs[i][0]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(guts_base32_decode(bytes, sizeof(bytes), S(bad[i]), &n), GUTS_EINVAL);
	assert_int_equal(guts_base32_decode(bytes, 2, S("mzxw6"), &n), GUTS_ELIMIT);
}

static void
both_return_what_they_were_given(void **state)
{
	uint8_t in[GUTS_BASE58_IN_MAX], out[GUTS_BASE58_IN_MAX];
	struct guts_rng rng;
	char text[300];
	size_t n;

	(void)state;
	guts_rng_seed(&rng, 6);
	for (size_t len = 0; len <= sizeof(in); len++) {
		guts_rng_bytes(&rng, in, len);
		memset(in, 0, len / 4 * guts_rng_below(&rng, 2));
		assert_int_equal(guts_base58_encode(text, sizeof(text), guts_slice(in, len)), GUTS_OK);
		assert_int_equal(guts_base58_decode(out, len, S(text), &n), GUTS_OK);
		assert_slice_equal(guts_slice(out, n), guts_slice(in, len));
		assert_int_equal(guts_base32_encode(text, sizeof(text), guts_slice(in, len)), GUTS_OK);
		assert_int_equal(guts_base32_decode(out, len, S(text), &n), GUTS_OK);
		assert_slice_equal(guts_slice(out, n), guts_slice(in, len));
	}
}

/* The CID of the text "hello world" as one raw block, known from IPFS's documentation. */
static void
repository_ids_are_cids(void **state)
{
	static const char cid[] = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
	struct guts_slice want = vectors_unhex("b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
	char text[GUTS_REPOID_TEXT_SIZE], with_scheme[100];
	uint8_t id[GUTS_REPOID_SIZE];

	(void)state;
	guts_repoid_text(text, want.p);
	assert_string_equal(text, cid);
	assert_int_equal(guts_repoid_parse(id, S(cid)), GUTS_OK);
	assert_memory_equal(id, want.p, sizeof(id));
	snprintf(with_scheme, sizeof(with_scheme), "guts://%s", cid);
	memset(id, 0, sizeof(id));
	assert_int_equal(guts_repoid_parse(id, S(with_scheme)), GUTS_OK);
	assert_memory_equal(id, want.p, sizeof(id));
}

static void
repository_ids_have_one_text(void **state)
{
	static const char *const bad[] = { "", "b", "guts://", "BAFKREIFZJUT3TE2NHYEKKLSS27NH3K72YSCO7Y32KOAO5EEI66WOF36N5E",
		"bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5f", /* spare bits */
		"bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5", /* short */
		"bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e/", /* long */
		"bafybeifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", /* dag-pb */
		"guts://guts://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
		"Guts://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e" };
	uint8_t id[GUTS_REPOID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(guts_repoid_parse(id, S(bad[i])), GUTS_EINVAL);
}

static void
peer_ids_have_three_forms(void **state)
{
	struct guts_slice rsa = vectors_unhex("12209dff3b17d74cf4d38a50d8b6383e92d181a10395a5e73a726dcccbd21bf6f0b9");
	uint8_t id[GUTS_PEERID_MAX];
	size_t n;

	(void)state;
	assert_int_equal(guts_multihash_parse_peerid(id, &n, S("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")), GUTS_OK);
	assert_slice_equal(guts_slice(id, n), rsa);
	assert_int_equal(guts_multihash_parse_peerid(id, &n,
	                     S("bafzaajaiaejcbcui4poxicprsx6vfwznhs5f24wkm4e36hmucin7g5eiag2a6324")), GUTS_OK);
	assert_int_equal(n, GUTS_PEERID_SIZE);
	assert_int_equal(guts_multihash_parse_peerid(id, &n,
	                     S("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")), GUTS_OK);
	assert_int_equal(n, GUTS_PEERID_SIZE);
	assert_int_equal(guts_multihash_parse_peerid(id, &n, S("")), GUTS_EINVAL);
	assert_int_equal(guts_multihash_parse_peerid(id, &n, S("b")), GUTS_EINVAL);
	assert_int_equal(guts_multihash_parse_peerid(id, &n, S("1")), GUTS_EINVAL);
	assert_int_equal(guts_multihash_parse_peerid(id, &n,
	                     S("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")), GUTS_EINVAL);
	assert_int_equal(guts_multihash_parse_peerid(id, &n,
	                     S("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH")), GUTS_EINVAL);
}

static void
peer_id_bytes(void **state)
{
	uint8_t id[GUTS_PEERID_MAX + 1] = { 0, 36, 8, 1, 0x12, 32 };

	(void)state;
	assert_true(guts_multihash_is_peerid(guts_slice(id, 38)));
	assert_false(guts_multihash_is_peerid(guts_slice(id, 37)));
	assert_false(guts_multihash_is_peerid(guts_slice(NULL, 0)));
	id[3] = 2; /* secp256k1: 33 bytes of key */
	id[1] = 37;
	id[5] = 33;
	assert_true(guts_multihash_is_peerid(guts_slice(id, 39)));
	id[3] = 1;
	assert_false(guts_multihash_is_peerid(guts_slice(id, 39)));
	id[3] = 4;
	assert_false(guts_multihash_is_peerid(guts_slice(id, 39)));
	id[3] = 2;
	id[1] = 41;
	id[5] = 37;
	assert_false(guts_multihash_is_peerid(guts_slice(id, 43)));
	assert_true(guts_multihash_is_valid(vectors_unhex("1202abcd")));
	assert_true(guts_multihash_is_valid(vectors_unhex("0000")));
	assert_false(guts_multihash_is_valid(vectors_unhex("1203abcd")));
	assert_false(guts_multihash_is_valid(vectors_unhex("12")));
	assert_false(guts_multihash_is_valid(vectors_unhex("128000")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base58_known_answers),
		cmocka_unit_test(base58_refuses),
		cmocka_unit_test(base32_known_answers),
		cmocka_unit_test(both_return_what_they_were_given),
		cmocka_unit_test(repository_ids_are_cids),
		cmocka_unit_test(repository_ids_have_one_text),
		cmocka_unit_test(peer_ids_have_three_forms),
		cmocka_unit_test(peer_id_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
