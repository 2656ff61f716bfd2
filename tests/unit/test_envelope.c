/* test_envelope.c - signed envelopes, with the peer record that js-libp2p signed. */
#include "vectors.h"
#include "unit.h"

#include "crypto/envelope.h"

#include <string.h>

#define DOMAIN "guts-test"

static struct guts_key key;
static struct guts_buf sealed;

static int
setup(void **state)
{
	static const uint8_t seed[32] = { 5 };

	(void)state;
	guts_key_from_seed(&key, seed);
	guts_buf_init(&sealed, 4096);
	return guts_envelope_seal(&sealed, &key, DOMAIN, S("type"), S("payload"));
}

static int
teardown(void **state)
{
	(void)state;
	guts_buf_deinit(&sealed);
	return 0;
}

static void
agrees_with_js_libp2p(void **state)
{
	struct json_object *all = vectors_load("libp2p.json"), *o = vectors_get(all, "peerRecord");
	struct guts_slice want = vectors_hex(o, "envelope"), type = vectors_hex(o, "payloadType");
	struct guts_slice payload = vectors_hex(o, "payload");
	const char *domain = vectors_str(o, "domain");
	struct guts_envelope e;
	struct guts_key k;
	struct guts_buf b;

	(void)state;
	guts_key_from_seed(&k, vectors_hex(o, "seed").p);
	guts_buf_init(&b, 4096);
	assert_int_equal(guts_envelope_seal(&b, &k, domain, type, payload), GUTS_OK);
	assert_slice_equal(guts_buf_slice(&b), want);
	assert_int_equal(guts_envelope_open(&e, want, 4096, domain, type), GUTS_OK);
	assert_true(guts_peerid_eq(&e.signer, &k.id));
	assert_slice_equal(e.payload, payload);
	assert_slice_equal(e.payload_type, type);
	guts_buf_deinit(&b);
	json_object_put(all);
}

static void
opens_what_was_sealed(void **state)
{
	struct guts_slice in = guts_buf_slice(&sealed);
	struct guts_envelope e;

	(void)state;
	assert_int_equal(guts_envelope_open(&e, in, in.n, DOMAIN, S("type")), GUTS_OK);
	assert_slice_equal(e.payload, S("payload"));
	assert_int_equal(guts_envelope_open(&e, in, in.n, DOMAIN, S("")), GUTS_OK);
	assert_int_equal(guts_envelope_peek(&e, in, in.n), GUTS_OK);
	assert_true(guts_peerid_eq(&e.signer, &key.id));
	assert_slice_equal(e.payload, S("payload"));
}

static void
each_purpose_is_its_own(void **state)
{
	struct guts_slice in = guts_buf_slice(&sealed);
	struct guts_envelope e;

	(void)state;
	assert_int_equal(guts_envelope_open(&e, in, in.n, "guts-tesu", S("type")), GUTS_ESIG);
	assert_int_equal(e.signer.n, 0);
	assert_int_equal(guts_envelope_open(&e, in, in.n, DOMAIN "t", S("ype")), GUTS_EUNSUPPORTED);
	assert_int_equal(guts_envelope_open(&e, in, in.n, DOMAIN, S("typ")), GUTS_EUNSUPPORTED);
	assert_int_equal(guts_envelope_open(&e, in, in.n - 1, DOMAIN, S("type")), GUTS_ELIMIT);
	assert_int_equal(guts_envelope_peek(&e, in, in.n - 1), GUTS_ELIMIT);
}

/* No changed byte is let through: not one, at any place, in any of its bits. */
static void
no_changed_bit_passes(void **state)
{
	uint8_t *p = guts_buf_bytes(&sealed);
	struct guts_envelope e;

	(void)state;
	for (size_t i = 0; i < sealed.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			p[i] = (uint8_t)(p[i] ^ 1u << bit);
			if (guts_envelope_open(&e, guts_buf_slice(&sealed), 4096, DOMAIN, S("")) == GUTS_OK)
				fail_msg("byte %zu bit %u", i, bit);
			p[i] = (uint8_t)(p[i] ^ 1u << bit);
		}
	}
	for (size_t n = 0; n < sealed.len; n++)
		assert_true(guts_envelope_open(&e, guts_slice(p, n), 4096, DOMAIN, S("")) < 0);
}

/* The same signed content in another dress would be another record to everybody who hashes bytes. */
static void
there_is_one_envelope_of_a_content(void **state)
{
	struct guts_slice in = guts_buf_slice(&sealed);
	uint8_t bytes[512];
	struct guts_envelope e;

	(void)state;
	/* An unknown field behind it, one before it, a field twice, an empty field. */
	memcpy(bytes, in.p, in.n);
	memcpy(bytes + in.n, "\x30\x01", 2);
	assert_int_equal(guts_envelope_peek(&e, guts_slice(bytes, in.n + 2), 4096), GUTS_OK);
	assert_int_equal(guts_envelope_open(&e, guts_slice(bytes, in.n + 2), 4096, DOMAIN, S("")), GUTS_EPROTO);
	memcpy(bytes, "\x22\x00", 2);
	memcpy(bytes + 2, in.p, in.n);
	assert_int_equal(guts_envelope_open(&e, guts_slice(bytes, in.n + 2), 4096, DOMAIN, S("")), GUTS_EPROTO);
	memcpy(bytes, in.p, in.n);
	memcpy(bytes + in.n, in.p, in.n);
	assert_int_equal(guts_envelope_open(&e, guts_slice(bytes, 2 * in.n), 4096, DOMAIN, S("")), GUTS_EPROTO);
	/* A length that takes two bytes where one does. */
	bytes[0] = 0x0a;
	bytes[1] = 0xa4;
	bytes[2] = 0x00;
	memcpy(bytes + 3, in.p + 2, in.n - 2);
	assert_int_equal(guts_envelope_open(&e, guts_slice(bytes, in.n + 1), 4096, DOMAIN, S("")), GUTS_EPROTO);
}

static void
bad_forms(void **state)
{
	struct guts_envelope e;

	(void)state;
	assert_int_equal(guts_envelope_peek(&e, guts_slice(NULL, 0), 10), GUTS_EPROTO);
	/* An RSA key of two bytes. */
	assert_int_equal(guts_envelope_peek(&e, vectors_unhex("0a06080012020102"), 100), GUTS_EUNSUPPORTED);
	assert_int_equal(guts_envelope_peek(&e, vectors_unhex("0a0608"), 100), GUTS_EPROTO);
	/* An Ed25519 key, but a short signature. */
	assert_int_equal(guts_envelope_peek(&e,
	                     vectors_unhex("0a24080112200000000000000000000000000000000000000000000000000000"
	                                   "0000000000002a0101"), 100), GUTS_EPROTO);
}

static void
too_large_is_not_made(void **state)
{
	static uint8_t type[65];
	struct guts_buf b;

	(void)state;
	guts_buf_init(&b, 100);
	assert_int_equal(guts_envelope_seal(&b, &key, DOMAIN, S("type"), S("payload")), GUTS_ELIMIT);
	assert_int_equal(b.len, 0);
	guts_buf_clear(&b);
	b.max = 4096;
	assert_int_equal(guts_envelope_seal(&b, &key, DOMAIN, guts_slice(type, 65), S("payload")), GUTS_ELIMIT);
	assert_int_equal(guts_envelope_seal(&b, &key, DOMAIN, guts_slice(type, 64), S("")), GUTS_OK);
	guts_buf_deinit(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_js_libp2p),
		cmocka_unit_test_setup_teardown(opens_what_was_sealed, setup, teardown),
		cmocka_unit_test_setup_teardown(each_purpose_is_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(no_changed_bit_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_one_envelope_of_a_content, setup, teardown),
		cmocka_unit_test(bad_forms),
		cmocka_unit_test(too_large_is_not_made),
	};

	if (guts_crypto_init())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
