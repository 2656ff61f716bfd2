/* test_aead.c - ChaCha20-Poly1305 by both libraries: Wycheproof, and each opens what the other sealed. */
#include "vectors.h"
#include "unit.h"

#include "base/alloc.h"
#include "base/err.h"
#include "base/rng.h"
#include "crypto/aead.h"
#include "crypto/key.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBCRYPTO
static const enum guts_aead_backend backends[] = { GUTS_AEAD_BEST, GUTS_AEAD_SODIUM, GUTS_AEAD_LIBCRYPTO };
#else
static const enum guts_aead_backend backends[] = { GUTS_AEAD_BEST, GUTS_AEAD_SODIUM };
#endif
#define BACKENDS_N (sizeof(backends) / sizeof(backends[0]))

/* One vector of one library, in both directions. */
static void
run(struct json_object *t, enum guts_aead_backend backend, bool valid)
{
	struct guts_slice key = vectors_hex(t, "key"), iv = vectors_hex(t, "iv"), aad = vectors_hex(t, "aad");
	struct guts_slice msg = vectors_hex(t, "msg"), ct = vectors_hex(t, "ct"), tag = vectors_hex(t, "tag");
	struct guts_aead *seals = guts_aead_new(backend, key.p, true), *opens = guts_aead_new(backend, key.p, false);
	uint8_t *data = guts_alloc(ct.n + tag.n), *out = guts_alloc(msg.n + GUTS_AEAD_TAG_SIZE);
	int err;

	memcpy(data, ct.p, ct.n);
	memcpy(data + ct.n, tag.p, tag.n);
	if (valid) {
		guts_aead_seal(seals, iv.p, aad, &msg, 1, out);
		assert_memory_equal(out, data, ct.n + tag.n);
	}
	err = guts_aead_open(opens, iv.p, aad, data, ct.n + tag.n);
	if ((err == GUTS_OK) != valid)
		fail_msg("tcId %d backend %d", (int)vectors_int(t, "tcId"), (int)backend);
	if (valid)
		assert_memory_equal(data, msg.p, msg.n);
	guts_aead_free(seals);
	guts_aead_free(opens);
	free(data);
	free(out);
}

static void
wycheproof_chacha20_poly1305(void **state)
{
	struct json_object *all = vectors_load("chacha20_poly1305_test.json"), *groups = vectors_get(all, "testGroups");
	unsigned valid = 0, invalid = 0, other_nonces = 0;

	(void)state;
	for (size_t g = 0; g < json_object_array_length(groups); g++) {
		struct json_object *group = json_object_array_get_idx(groups, g), *tests = vectors_get(group, "tests");

		for (size_t i = 0; i < json_object_array_length(tests); i++) {
			struct json_object *t = json_object_array_get_idx(tests, i);
			bool want = strcmp(vectors_str(t, "result"), "valid") == 0;

			if (vectors_int(group, "ivSize") != 96) {
				assert_false(want); /* our nonces have one size by their type */
				other_nonces++;
				continue;
			}
			for (size_t b = 0; b < BACKENDS_N; b++)
				run(t, backends[b], want);
			valid += want;
			invalid += !want;
		}
	}
	assert_int_equal(valid + invalid + other_nonces, 325);
	assert_int_equal(valid, 256);
	assert_true(invalid > 50);
	json_object_put(all);
}

/* Sizes around blocks and around the change of library; pieces cut anywhere. */
static void
libraries_agree_in_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 63, 64, 65, 500, 751, 752, 753, 767, 768, 769, 1000, 4096, 65519 };
	static uint8_t plain[65519], sealed[BACKENDS_N][65519 + GUTS_AEAD_TAG_SIZE];
	uint8_t key[GUTS_AEAD_KEY_SIZE], nonce[GUTS_AEAD_NONCE_SIZE];
	struct guts_aead *seals[BACKENDS_N], *opens[BACKENDS_N];
	struct guts_rng rng;

	(void)state;
	guts_rng_seed(&rng, 11);
	guts_rng_bytes(&rng, key, sizeof(key));
	guts_rng_bytes(&rng, plain, sizeof(plain));
	for (size_t b = 0; b < BACKENDS_N; b++) {
		seals[b] = guts_aead_new(backends[b], key, true);
		opens[b] = guts_aead_new(backends[b], key, false);
	}
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t n = sizes[s], total = n + GUTS_AEAD_TAG_SIZE;

		guts_rng_bytes(&rng, nonce, sizeof(nonce));
		for (size_t b = 0; b < BACKENDS_N; b++) {
			size_t cut = guts_rng_below(&rng, n + 1);
			struct guts_slice pieces[] = { guts_slice(plain, cut), { NULL, 0 }, guts_slice(plain + cut, n - cut) };

			guts_aead_seal(seals[b], nonce, S("ad"), pieces, 3, sealed[b]);
			assert_memory_equal(sealed[b], sealed[0], total);
		}
		for (size_t b = 0; b < BACKENDS_N; b++) {
			assert_int_equal(guts_aead_open(opens[b], nonce, S("ad"), sealed[b], total), GUTS_OK);
			assert_memory_equal(sealed[b], plain, n);
			/* What is left is plaintext and tag: not a record. */
			assert_int_equal(guts_aead_open(opens[b], nonce, S("ae"), sealed[b], total), GUTS_ESIG);
		}
	}
	for (size_t b = 0; b < BACKENDS_N; b++) {
		guts_aead_free(seals[b]);
		guts_aead_free(opens[b]);
	}
}

static void
too_short_is_no_record(void **state)
{
	uint8_t key[GUTS_AEAD_KEY_SIZE] = { 1 }, nonce[GUTS_AEAD_NONCE_SIZE] = { 0 }, data[GUTS_AEAD_TAG_SIZE] = { 0 };

	(void)state;
	for (size_t b = 0; b < BACKENDS_N; b++) {
		struct guts_aead *a = guts_aead_new(backends[b], key, false);

		for (size_t n = 0; n <= sizeof(data); n++)
			assert_int_equal(guts_aead_open(a, nonce, S(""), data, n), GUTS_ESIG);
		guts_aead_free(a);
	}
	guts_aead_free(NULL);
#ifndef HAVE_LIBCRYPTO
	assert_null(guts_aead_new(GUTS_AEAD_LIBCRYPTO, key, true));
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wycheproof_chacha20_poly1305),
		cmocka_unit_test(libraries_agree_in_pieces),
		cmocka_unit_test(too_short_is_no_record),
	};

	if (guts_crypto_init())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
