/* test_noisexx.c - the XX handshake against four other implementations' transcripts, and X25519. */
#include "vectors.h"
#include "unit.h"

#include "base/err.h"
#include "crypto/key.h"
#include "crypto/noisexx.h"

#include <string.h>

#define NAME "Noise_XX_25519_ChaChaPoly_SHA256"

/* --- transcripts --------------------------------------------------------- */

struct side {
	struct guts_noisexx xx;
	struct guts_noisexx_cipher tx, rx;
};

static void
side_init(struct side *s, struct json_object *v, bool is_initiator)
{
	struct guts_noisexx_pair pair;

	memcpy(pair.secret, vectors_hex(v, is_initiator ? "init_static" : "resp_static").p, sizeof(pair.secret));
	guts_x25519_public(pair.public, pair.secret);
	guts_noisexx_init(&s->xx, is_initiator, vectors_hex(v, is_initiator ? "init_prologue" : "resp_prologue"),
	    &pair, vectors_hex(v, is_initiator ? "init_ephemeral" : "resp_ephemeral").p);
}

static void
side_split(struct side *s)
{
	uint8_t to_responder[32], to_initiator[32];

	guts_noisexx_split(&s->xx, to_responder, to_initiator);
	guts_noisexx_cipher_init(&s->tx, s->xx.is_initiator ? to_responder : to_initiator, true);
	guts_noisexx_cipher_init(&s->rx, s->xx.is_initiator ? to_initiator : to_responder, false);
}

static void
side_deinit(struct side *s)
{
	guts_noisexx_cipher_deinit(&s->tx);
	guts_noisexx_cipher_deinit(&s->rx);
	guts_noisexx_wipe(&s->xx);
}

static void
handshake_message(struct side *from, struct side *to, struct guts_slice payload, struct guts_slice want)
{
	struct guts_buf message, got;

	guts_buf_init(&message, 65535);
	guts_buf_init(&got, 65535);
	assert_true(guts_noisexx_writes(&from->xx));
	assert_false(guts_noisexx_writes(&to->xx));
	assert_int_equal(guts_noisexx_write(&from->xx, payload, &message), GUTS_OK);
	assert_slice_equal(guts_buf_slice(&message), want);
	assert_int_equal(guts_noisexx_read(&to->xx, want, &got), GUTS_OK);
	assert_slice_equal(guts_buf_slice(&got), payload);
	guts_buf_deinit(&message);
	guts_buf_deinit(&got);
}

static void
transport_message(struct side *from, struct side *to, struct guts_slice payload, struct guts_slice want)
{
	uint8_t data[1024];

	assert_true(want.n <= sizeof(data));
	assert_int_equal(guts_noisexx_cipher_seal(&from->tx, &payload, 1, data), GUTS_OK);
	assert_slice_equal(guts_slice(data, want.n), want);
	assert_int_equal(guts_noisexx_cipher_open(&to->rx, data, want.n), GUTS_OK);
	assert_slice_equal(guts_slice(data, want.n - GUTS_AEAD_TAG_SIZE), payload);
}

static void
transcript(struct json_object *v, bool initiator_sends_first)
{
	struct json_object *messages = vectors_get(v, "messages"), *hash;
	size_t n = json_object_array_length(messages);
	struct side init, resp;

	side_init(&init, v, true);
	side_init(&resp, v, false);
	assert_true(n > GUTS_NOISEXX_MESSAGES);
	for (size_t i = 0; i < n; i++) {
		struct json_object *m = json_object_array_get_idx(messages, i);
		struct guts_slice payload = vectors_hex(m, "payload"), want = vectors_hex(m, "ciphertext");
		bool from_init = i % 2 == 0;

		if (i < GUTS_NOISEXX_MESSAGES) {
			handshake_message(from_init ? &init : &resp, from_init ? &resp : &init, payload, want);
			continue;
		}
		if (i == GUTS_NOISEXX_MESSAGES) {
			side_split(&init);
			side_split(&resp);
		}
		if (initiator_sends_first)
			from_init = !from_init;
		transport_message(from_init ? &init : &resp, from_init ? &resp : &init, payload, want);
	}
	assert_memory_equal(init.xx.h, resp.xx.h, sizeof(init.xx.h));
	if (json_object_object_get_ex(v, "handshake_hash", &hash))
		assert_slice_equal(guts_slice(init.xx.h, 32), vectors_unhex(json_object_get_string(hash)));
	side_deinit(&init);
	side_deinit(&resp);
}

/* All transcripts of our suite in one file; returns how many. */
static unsigned
transcripts_of(const char *file)
{
	struct json_object *all = vectors_load(file), *list = vectors_get(all, "vectors"), *first, *name;
	bool init_first = json_object_object_get_ex(all, "transport_first", &first);
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *v = json_object_array_get_idx(list, i);

		if (!json_object_object_get_ex(v, "protocol_name", &name))
			name = vectors_get(v, "name");
		if (strcmp(json_object_get_string(name), NAME) == 0) {
			transcript(v, init_first);
			n++;
		}
	}
	json_object_put(all);
	return n;
}

static void
agrees_with_cacophony(void **state)
{
	(void)state;
	assert_int_equal(transcripts_of("cacophony-xx.json"), 1);
}

static void
agrees_with_snow(void **state)
{
	(void)state;
	assert_int_equal(transcripts_of("snow-xx.json"), 1);
}

static void
agrees_with_noise_c(void **state)
{
	(void)state;
	assert_int_equal(transcripts_of("noise-c-basic-xx.json"), 1);
}

static void
agrees_with_flynn(void **state)
{
	(void)state;
	assert_int_equal(transcripts_of("flynn-xx.json"), 4);
}

/* --- faults -------------------------------------------------------------- */

static void
pair_init(struct guts_noisexx *init, struct guts_noisexx *resp, const char *prologue)
{
	struct guts_noisexx_pair a = { .secret = { [1] = 1 } }, b = { .secret = { [1] = 2 } };
	uint8_t e1[32] = { [1] = 3 }, e2[32] = { [1] = 4 };

	guts_x25519_public(a.public, a.secret);
	guts_x25519_public(b.public, b.secret);
	guts_noisexx_init(init, true, S("prologue"), &a, e1);
	guts_noisexx_init(resp, false, S(prologue), &b, e2);
}

/* Carry the handshake out with bit `flip` of message `at` changed; the first error. */
static int
run_with_fault(const char *prologue, int at, size_t flip, size_t *bits)
{
	struct guts_noisexx init, resp;
	int err = GUTS_OK;

	pair_init(&init, &resp, prologue);
	for (int i = 0; !err && i < GUTS_NOISEXX_MESSAGES; i++) {
		struct guts_buf message, payload;

		guts_buf_init(&message, 1000);
		guts_buf_init(&payload, 1000);
		err = guts_noisexx_write(i % 2 ? &resp : &init, S("hello"), &message);
		if (!err && i == at) {
			*bits = message.len * 8;
			guts_buf_bytes(&message)[flip / 8] ^= (uint8_t)(1u << flip % 8);
		}
		if (!err)
			err = guts_noisexx_read(i % 2 ? &init : &resp, guts_buf_slice(&message), &payload);
		guts_buf_deinit(&message);
		guts_buf_deinit(&payload);
	}
	guts_noisexx_wipe(&init);
	guts_noisexx_wipe(&resp);
	return err;
}

static void
every_changed_bit_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(run_with_fault("prologue", -1, 0, NULL), GUTS_OK);
	for (int at = 0; at < GUTS_NOISEXX_MESSAGES; at++) {
		size_t bits = 1;

		for (size_t flip = 0; flip < bits; flip += 5) {
			int err = run_with_fault("prologue", at, flip, &bits);

			if (err != GUTS_ESIG && err != GUTS_EPROTO)
				fail_msg("message %d bit %zu: %d", at, flip, err);
		}
	}
}

static void
another_prologue_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(run_with_fault("prologuf", -1, 0, NULL), GUTS_ESIG);
}

static void
short_messages_and_keys_of_low_order(void **state)
{
	static const uint8_t zeros[100];

	(void)state;
	for (size_t n = 0; n <= 32; n++) {
		struct guts_noisexx init, resp;
		struct guts_buf out;
		int err;

		pair_init(&init, &resp, "prologue");
		guts_buf_init(&out, 1000);
		err = guts_noisexx_read(&resp, guts_slice(zeros, n), &out);
		if (n < 32) {
			assert_int_equal(err, GUTS_EPROTO);
		} else {
			/* The key is taken; its product with ours is refused. */
			assert_int_equal(err, GUTS_OK);
			assert_int_equal(guts_noisexx_write(&resp, S(""), &out), GUTS_EPROTO);
		}
		guts_buf_deinit(&out);
	}
}

static void
full_buffers(void **state)
{
	struct guts_noisexx init, resp;
	struct guts_buf out, payload;

	(void)state;
	pair_init(&init, &resp, "prologue");
	guts_buf_init(&out, 36);
	assert_int_equal(guts_noisexx_write(&init, S("hello"), &out), GUTS_ELIMIT);
	pair_init(&init, &resp, "prologue");
	guts_buf_deinit(&out);
	guts_buf_init(&out, 37);
	assert_int_equal(guts_noisexx_write(&init, S("hello"), &out), GUTS_OK);
	guts_buf_init(&payload, 4);
	assert_int_equal(guts_noisexx_read(&resp, guts_buf_slice(&out), &payload), GUTS_ELIMIT);
	guts_buf_deinit(&out);
	guts_buf_deinit(&payload);
}

static void
nonces_run_out(void **state)
{
	struct guts_noisexx_cipher tx, rx;
	uint8_t key[32] = { 1 }, data[21];
	struct guts_slice hello = S("hello");

	(void)state;
	guts_noisexx_cipher_init(&tx, key, true);
	guts_noisexx_cipher_init(&rx, key, false);
	tx.nonce = rx.nonce = UINT64_MAX - 1;
	assert_int_equal(guts_noisexx_cipher_seal(&tx, &hello, 1, data), GUTS_OK);
	assert_int_equal(guts_noisexx_cipher_open(&rx, data, sizeof(data)), GUTS_OK);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(guts_noisexx_cipher_seal(&tx, &hello, 1, data), GUTS_ELIMIT);
	assert_int_equal(guts_noisexx_cipher_open(&rx, data, sizeof(data)), GUTS_ELIMIT);
	guts_noisexx_cipher_deinit(&tx);
	guts_noisexx_cipher_deinit(&rx);
}

/* --- X25519 -------------------------------------------------------------- */

static void
wycheproof_x25519(void **state)
{
	struct json_object *all = vectors_load("x25519_test.json"), *groups = vectors_get(all, "testGroups");
	static const uint8_t zeros[32];
	unsigned agreed = 0, refused = 0;

	(void)state;
	for (size_t g = 0; g < json_object_array_length(groups); g++) {
		struct json_object *tests = vectors_get(json_object_array_get_idx(groups, g), "tests");

		for (size_t i = 0; i < json_object_array_length(tests); i++) {
			struct json_object *t = json_object_array_get_idx(tests, i);
			struct guts_slice shared = vectors_hex(t, "shared");
			uint8_t out[32];
			int err = guts_x25519(out, vectors_hex(t, "private").p, vectors_hex(t, "public").p);

			if (memcmp(shared.p, zeros, 32) == 0) {
				assert_int_equal(err, GUTS_EPROTO);
				refused++;
			} else {
				assert_int_equal(err, GUTS_OK);
				assert_slice_equal(guts_slice(out, 32), shared);
				agreed++;
			}
		}
	}
	assert_int_equal(agreed + refused, 518);
	assert_int_equal(refused, 31);
	json_object_put(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_cacophony),
		cmocka_unit_test(agrees_with_snow),
		cmocka_unit_test(agrees_with_noise_c),
		cmocka_unit_test(agrees_with_flynn),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(another_prologue_is_noticed),
		cmocka_unit_test(short_messages_and_keys_of_low_order),
		cmocka_unit_test(full_buffers),
		cmocka_unit_test(nonces_run_out),
		cmocka_unit_test(wycheproof_x25519),
	};

	if (guts_crypto_init())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
