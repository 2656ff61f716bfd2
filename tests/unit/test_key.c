/* test_key.c - Ed25519 keys, peer ids and key files; vectors of js-libp2p and Wycheproof. */
#include "vectors.h"
#include "unit.h"

#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
ids_agree_with_js_libp2p(void **state)
{
	struct json_object *all = vectors_load("libp2p.json"), *list = vectors_get(all, "peerIds");

	(void)state;
	assert_int_equal(json_object_array_length(list), 6);
	for (size_t i = 0; i < 6; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		uint8_t pub[GUTS_PUBKEY_SIZE], pb[GUTS_PUBKEY_PB_SIZE];
		char text[GUTS_PEERID_TEXT_SIZE];
		struct guts_peerid id;
		struct guts_key k;

		guts_key_from_seed(&k, vectors_hex(o, "seed").p);
		assert_slice_equal(guts_slice(k.pub, sizeof(k.pub)), vectors_hex(o, "publicKey"));
		guts_pubkey_encode(pb, k.pub);
		assert_slice_equal(guts_slice(pb, sizeof(pb)), vectors_hex(o, "publicKeyProtobuf"));
		assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, sizeof(pb))), GUTS_OK);
		assert_memory_equal(pub, k.pub, sizeof(pub));
		assert_slice_equal(guts_peerid_slice(&k.id), vectors_hex(o, "peerId"));
		guts_peerid_text(text, &k.id);
		assert_string_equal(text, vectors_str(o, "base58"));
		assert_int_equal(guts_peerid_parse(&id, S(text)), GUTS_OK);
		assert_true(guts_peerid_eq(&id, &k.id));
		assert_int_equal(guts_peerid_parse(&id, S(vectors_str(o, "cidBase32"))), GUTS_OK);
		assert_true(guts_peerid_eq(&id, &k.id));
		assert_int_equal(guts_peerid_decode(&id, guts_peerid_slice(&k.id)), GUTS_OK);
		assert_int_equal(guts_peerid_pubkey(&id, pub), GUTS_OK);
		assert_memory_equal(pub, k.pub, sizeof(pub));
		guts_key_wipe(&k);
		assert_int_equal(k.secret[0] | k.secret[31] | k.pub[0], 0);
	}
	json_object_put(all);
}

static void
other_ids_have_no_key(void **state)
{
	uint8_t pub[GUTS_PUBKEY_SIZE];
	struct guts_peerid a, b;

	(void)state;
	assert_int_equal(guts_peerid_parse(&a, S("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")), GUTS_OK);
	assert_int_equal(guts_peerid_pubkey(&a, pub), GUTS_EUNSUPPORTED);
	assert_int_equal(guts_peerid_parse(&b, S("12D3KooWnope")), GUTS_EINVAL);
	assert_int_equal(b.n, 0);
	assert_int_equal(guts_peerid_pubkey(&b, pub), GUTS_EUNSUPPORTED);
	assert_int_equal(guts_peerid_decode(&b, S("x")), GUTS_EPROTO);
	assert_false(guts_peerid_eq(&a, &b));
	assert_true(guts_peerid_cmp(&b, &a) < 0 && guts_peerid_cmp(&a, &b) > 0 && guts_peerid_cmp(&a, &a) == 0);
}

static void
public_keys_of_other_kinds(void **state)
{
	uint8_t pb[GUTS_PUBKEY_PB_SIZE + 1] = { 8, 1, 0x12, 32 }, pub[GUTS_PUBKEY_SIZE];

	(void)state;
	assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, 36)), GUTS_OK);
	assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, 35)), GUTS_EPROTO);
	assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, 37)), GUTS_EPROTO);
	assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, 0)), GUTS_EPROTO);
	pb[1] = 0;
	assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, 36)), GUTS_EUNSUPPORTED);
	pb[1] = 4;
	assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, 36)), GUTS_EPROTO);
	pb[1] = 1;
	pb[3] = 33;
	assert_int_equal(guts_pubkey_decode(pub, guts_slice(pb, 36)), GUTS_EPROTO);
}

static void
signs_and_verifies(void **state)
{
	uint8_t seed[32] = { 7 }, sig[GUTS_SIG_SIZE];
	struct guts_key k, other;

	(void)state;
	guts_key_from_seed(&k, seed);
	seed[0] = 8;
	guts_key_from_seed(&other, seed);
	guts_sign(sig, &k, S("message"));
	assert_int_equal(guts_verify(sig, k.pub, S("message")), GUTS_OK);
	assert_int_equal(guts_verify(sig, k.pub, S("messagf")), GUTS_ESIG);
	assert_int_equal(guts_verify(sig, other.pub, S("message")), GUTS_ESIG);
	for (size_t i = 0; i < sizeof(sig); i++) {
		sig[i] ^= 1;
		assert_int_equal(guts_verify(sig, k.pub, S("message")), GUTS_ESIG);
		sig[i] ^= 1;
	}
	guts_sign(sig, &k, guts_slice(NULL, 0));
	assert_int_equal(guts_verify(sig, k.pub, guts_slice(NULL, 0)), GUTS_OK);
}

static void
wycheproof_ed25519(void **state)
{
	struct json_object *all = vectors_load("ed25519_test.json"), *groups = vectors_get(all, "testGroups");
	unsigned valid = 0, invalid = 0;

	(void)state;
	for (size_t g = 0; g < json_object_array_length(groups); g++) {
		struct json_object *group = json_object_array_get_idx(groups, g), *tests = vectors_get(group, "tests");
		struct guts_slice pub = vectors_hex(vectors_get(group, "publicKey"), "pk");
		uint8_t key[GUTS_PUBKEY_SIZE];

		assert_int_equal(pub.n, GUTS_PUBKEY_SIZE);
		memcpy(key, pub.p, sizeof(key));
		for (size_t i = 0; i < json_object_array_length(tests); i++) {
			struct json_object *t = json_object_array_get_idx(tests, i);
			struct guts_slice sig = vectors_hex(t, "sig"), msg = vectors_hex(t, "msg");
			bool want = strcmp(vectors_str(t, "result"), "valid") == 0;
			bool got = sig.n == GUTS_SIG_SIZE && guts_verify(sig.p, key, msg) == GUTS_OK;

			if (got != want)
				fail_msg("tcId %d", (int)vectors_int(t, "tcId"));
			valid += want;
			invalid += !want;
		}
	}
	assert_int_equal(valid, 88);
	assert_int_equal(invalid, 63);
	json_object_put(all);
}

/* --- files --------------------------------------------------------------- */

static char dir[64], path[128], tmp[128];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/guts-key-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", dir);
	snprintf(tmp, sizeof(tmp), "%s/key.new", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void
write_file(const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
}

static void
a_key_file_is_made_once(void **state)
{
	uint8_t seed[32] = { 1, 2, 3 }, other[32] = { 9 };
	struct guts_errinfo ei;
	struct guts_key made, loaded;
	struct stat st;

	(void)state;
	/* What a crash left behind is in nobody's way. */
	assert_int_equal(symlink("/nonexistent/x", tmp), 0);
	assert_int_equal(guts_key_create_file(path, seed, &ei), GUTS_OK);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 68);
	assert_int_equal(guts_key_load_file(&loaded, path, &ei), GUTS_OK);
	guts_key_from_seed(&made, seed);
	assert_memory_equal(&loaded, &made, sizeof(made));
	assert_int_equal(guts_key_create_file(path, other, &ei), GUTS_EEXIST);
	assert_non_null(strstr(ei.text, path));
	assert_int_equal(lstat(tmp, &st), -1);
	assert_int_equal(guts_key_load_file(&loaded, path, NULL), GUTS_OK);
	assert_memory_equal(&loaded, &made, sizeof(made));
}

static void
files_of_js_libp2p_are_read(void **state)
{
	struct json_object *all = vectors_load("libp2p.json"), *list = vectors_get(all, "peerIds");
	struct guts_key k;

	(void)state;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct guts_slice pb = vectors_hex(o, "privateKeyProtobuf");
		uint8_t old[100] = { 8, 1, 0x12, 0x60 };

		write_file(pb.p, pb.n);
		assert_int_equal(guts_key_load_file(&k, path, NULL), GUTS_OK);
		assert_slice_equal(guts_peerid_slice(&k.id), vectors_hex(o, "peerId"));
		memcpy(old + 4, pb.p + 4, 64);
		memcpy(old + 68, pb.p + 36, 32);
		write_file(old, sizeof(old));
		assert_int_equal(guts_key_load_file(&k, path, NULL), GUTS_OK);
		old[99] ^= 1;
		write_file(old, sizeof(old));
		assert_int_equal(guts_key_load_file(&k, path, NULL), GUTS_EPROTO);
	}
	json_object_put(all);
}

static void
a_bad_file_says_what_to_do(void **state)
{
	uint8_t file[68] = { 8, 1, 0x12, 0x40 };
	struct guts_errinfo ei;
	struct guts_key k;

	(void)state;
	assert_int_equal(guts_key_load_file(&k, path, &ei), GUTS_ENOTFOUND);
	write_file(file, sizeof(file)); /* public key does not fit the seed */
	assert_int_equal(guts_key_load_file(&k, path, &ei), GUTS_EPROTO);
	assert_non_null(strstr(ei.text, "damaged"));
	write_file(file, 10);
	assert_int_equal(guts_key_load_file(&k, path, &ei), GUTS_EPROTO);
	write_file(file, 0);
	assert_int_equal(guts_key_load_file(&k, path, &ei), GUTS_EPROTO);
	chmod(path, 0640);
	assert_int_equal(guts_key_load_file(&k, path, &ei), GUTS_EDENIED);
	assert_non_null(strstr(ei.text, "chmod 600"));
	assert_int_equal(guts_key_load_file(&k, dir, &ei), GUTS_EPROTO);
	snprintf(path, sizeof(path), "%s/none/key", dir);
	assert_int_equal(guts_key_create_file(path, file, &ei), GUTS_EIO);
	assert_int_equal(guts_key_load_file(&k, path, &ei), GUTS_ENOTFOUND);
	snprintf(path, sizeof(path), "%s/key", dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_agree_with_js_libp2p),
		cmocka_unit_test(other_ids_have_no_key),
		cmocka_unit_test(public_keys_of_other_kinds),
		cmocka_unit_test(signs_and_verifies),
		cmocka_unit_test(wycheproof_ed25519),
		cmocka_unit_test_setup_teardown(a_key_file_is_made_once, setup, teardown),
		cmocka_unit_test_setup_teardown(files_of_js_libp2p_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_file_says_what_to_do, setup, teardown),
	};

	if (guts_crypto_init())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
