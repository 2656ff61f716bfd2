/* test_noise.c - the libp2p channel: js-libp2p's transcript byte for byte, muxers, frames, faults. */
#include "vectors.h"
#include "unit.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "crypto/noise.h"

#include <stdlib.h>
#include <string.h>

static const char *const yamux[] = { "/yamux/1.0.0", NULL };

struct ends {
	struct guts_noise_identity id[2];
	struct guts_noise *n[2]; /* dialer, listener */
};

static void
identity(struct guts_noise_identity *id, uint8_t seed)
{
	uint8_t bytes[32] = { seed };
	struct guts_key k;

	guts_key_from_seed(&k, bytes);
	bytes[1] = seed; /* the lowest bits of the first byte do not count */
	guts_noise_identity_init(id, &k, bytes);
	guts_key_wipe(&k);
}

static void
ends_init(struct ends *e, const struct guts_peerid *expected, const char *const *a, const char *const *b)
{
	uint8_t e1[32] = { [1] = 11 }, e2[32] = { [1] = 12 };

	identity(&e->id[0], 1);
	identity(&e->id[1], 2);
	e->n[0] = guts_noise_new(GUTS_NOISE_DIALER, &e->id[0], e1, expected, a);
	e->n[1] = guts_noise_new(GUTS_NOISE_LISTENER, &e->id[1], e2, NULL, b);
}

static void
ends_deinit(struct ends *e)
{
	for (int i = 0; i < 2; i++) {
		guts_noise_free(e->n[i]);
		guts_noise_identity_wipe(&e->id[i]);
	}
}

/* One handshake message from `n` to `to`, its frame fed byte by byte. */
static int
pass(struct guts_noise *n, struct guts_noise *to)
{
	struct guts_slice body = { NULL, 0 };
	struct guts_buf b;
	size_t used = 0;
	int err;

	guts_buf_init(&b, 2000);
	assert_true(guts_noise_wants_send(n));
	assert_false(guts_noise_wants_send(to));
	assert_int_equal(guts_noise_handshake_send(n, &b), GUTS_OK);
	for (size_t k = 0; k < b.len; k++)
		assert_int_equal(guts_noise_frame(to, guts_slice(guts_buf_slice(&b).p, k), &body, &used), GUTS_EAGAIN);
	assert_int_equal(guts_noise_frame(to, guts_buf_slice(&b), &body, &used), GUTS_OK);
	assert_int_equal(used, b.len);
	err = guts_noise_handshake_recv(to, body);
	guts_buf_deinit(&b);
	return err;
}

/* The whole handshake; the first error. */
static int
shake(struct ends *e)
{
	int err = pass(e->n[0], e->n[1]);

	if (!err)
		err = pass(e->n[1], e->n[0]);
	return err ? err : pass(e->n[0], e->n[1]);
}

/* --- js-libp2p ----------------------------------------------------------- */

static struct guts_slice
flight(struct json_object *noise, size_t i)
{
	return vectors_hex(json_object_array_get_idx(vectors_get(noise, "flights"), i), "bytes");
}

static struct guts_noise *
side_of(struct json_object *noise, const char *name, struct guts_noise_identity *id, const struct guts_peerid *expected)
{
	struct json_object *o = vectors_get(noise, name);
	struct guts_key k;

	guts_key_from_seed(&k, vectors_hex(o, "identitySeed").p);
	guts_noise_identity_init(id, &k, vectors_hex(o, "staticPrivate").p);
	return guts_noise_new(name[0] == 'i' ? GUTS_NOISE_DIALER : GUTS_NOISE_LISTENER, id,
	    vectors_hex(o, "ephemeralPrivate").p, expected, yamux);
}

/* `from` writes a message that equals the recorded one, `to` takes it. */
static void
recorded(struct guts_noise *from, struct guts_noise *to, struct guts_slice want)
{
	struct guts_buf out;

	guts_buf_init(&out, 2000);
	assert_int_equal(guts_noise_handshake_send(from, &out), GUTS_OK);
	assert_slice_equal(guts_buf_slice(&out), want);
	assert_int_equal(guts_noise_handshake_recv(to, guts_slice(want.p + 2, want.n - 2)), GUTS_OK);
	guts_buf_deinit(&out);
}

/* The recorded transport records of one side, those without associated data. */
static void
recorded_transport(struct json_object *calls, struct guts_noise *from, struct guts_noise *to)
{
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(calls); i++) {
		struct json_object *c = json_object_array_get_idx(calls, i);
		struct guts_slice plain = vectors_hex(c, "plaintext"), want = vectors_hex(c, "ciphertext"), got;
		struct guts_buf out;

		if (vectors_hex(c, "ad").n > 0)
			continue;
		guts_buf_init(&out, 2000);
		assert_int_equal(guts_noise_seal(from, &plain, 1, &out), GUTS_OK);
		assert_slice_equal(guts_slice(guts_buf_slice(&out).p + 2, out.len - 2), want);
		assert_int_equal(guts_noise_open(to, guts_buf_bytes(&out) + 2, out.len - 2, &got), GUTS_OK);
		assert_slice_equal(got, plain);
		guts_buf_deinit(&out);
		n++;
	}
	assert_true(n >= 2);
}

static void
agrees_with_js_libp2p(void **state)
{
	struct json_object *all = vectors_load("libp2p.json"), *noise = vectors_get(all, "noise");
	struct json_object *aead = vectors_get(noise, "aead");
	struct guts_noise_identity ids[2];
	struct guts_noise *init, *resp;
	struct guts_peerid want;
	struct guts_slice last;

	(void)state;
	assert_int_equal(guts_peerid_parse(&want, S(vectors_str(vectors_get(noise, "responder"), "peerId"))), GUTS_OK);
	init = side_of(noise, "initiator", &ids[0], &want);
	resp = side_of(noise, "responder", &ids[1], NULL);
	recorded(init, resp, flight(noise, 2));
	recorded(resp, init, flight(noise, 3));
	assert_false(guts_noise_is_done(resp));
	last = flight(noise, 4); /* and a record behind it */
	recorded(init, resp, guts_slice(last.p, 2 + 0xb8));
	assert_true(guts_noise_is_done(init) && guts_noise_is_done(resp));
	assert_string_equal(guts_noise_muxer(init), "/yamux/1.0.0");
	assert_string_equal(guts_noise_muxer(resp), "/yamux/1.0.0");
	assert_true(guts_peerid_eq(guts_noise_peer(init), &want));
	assert_true(guts_peerid_eq(guts_noise_peer(resp), &ids[0].id));
	assert_memory_equal(guts_noise_hash(init), guts_noise_hash(resp), 32);
	recorded_transport(vectors_get(aead, "initiator"), init, resp);
	recorded_transport(vectors_get(aead, "responder"), resp, init);
	guts_noise_free(init);
	guts_noise_free(resp);
	json_object_put(all);
}

/* --- handshake ----------------------------------------------------------- */

static void
chooses_the_dialers_first_common_muxer(void **state)
{
	static const char *const a[] = { "/x", "/yamux/1.0.0", "/mplex/6.7.0", NULL };
	static const char *const b[] = { "/mplex/6.7.0", "/yamux/1.0.0", NULL };
	static const char *const none[] = { NULL };
	const struct {
		const char *const *dialer, *const *listener;
		const char *want;
		int err;
	} rows[] = {
		{ a, b, "/yamux/1.0.0", GUTS_OK }, { b, a, "/mplex/6.7.0", GUTS_OK }, { yamux, yamux, "/yamux/1.0.0", GUTS_OK },
		{ NULL, yamux, NULL, GUTS_OK }, { yamux, NULL, NULL, GUTS_OK }, { NULL, NULL, NULL, GUTS_OK },
		{ none, yamux, NULL, GUTS_OK }, { yamux, a + 2, NULL, GUTS_EUNSUPPORTED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ends e;

		ends_init(&e, NULL, rows[i].dialer, rows[i].listener);
		assert_int_equal(shake(&e), rows[i].err);
		for (int k = 0; k < 2 && !rows[i].err; k++) {
			assert_true(guts_noise_is_done(e.n[k]));
			if (rows[i].want)
				assert_string_equal(guts_noise_muxer(e.n[k]), rows[i].want);
			else
				assert_null(guts_noise_muxer(e.n[k]));
		}
		ends_deinit(&e);
	}
}

static void
a_dialer_wants_the_peer_it_dialled(void **state)
{
	struct ends e;
	struct guts_noise_identity other;

	(void)state;
	identity(&other, 2);
	ends_init(&e, &other.id, yamux, yamux);
	assert_int_equal(shake(&e), GUTS_OK);
	ends_deinit(&e);
	identity(&other, 3);
	ends_init(&e, &other.id, yamux, yamux);
	assert_int_equal(pass(e.n[0], e.n[1]), GUTS_OK);
	assert_int_equal(pass(e.n[1], e.n[0]), GUTS_EDENIED);
	assert_false(guts_noise_is_done(e.n[0]));
	assert_false(guts_noise_wants_send(e.n[0]));
	assert_int_equal(guts_noise_handshake_send(e.n[0], NULL), GUTS_ECLOSED);
	assert_int_equal(guts_noise_handshake_recv(e.n[0], S("")), GUTS_ECLOSED);
	assert_int_equal(guts_noise_seal(e.n[0], NULL, 0, NULL), GUTS_ECLOSED);
	assert_int_equal(guts_noise_open(e.n[0], NULL, 0, NULL), GUTS_ECLOSED);
	ends_deinit(&e);
}

static void
a_static_key_that_is_not_signed_for_is_refused(void **state)
{
	for (int liar = 0; liar < 2; liar++) {
		struct ends e;
		struct guts_noise_identity other;

		(void)state;
		ends_init(&e, NULL, yamux, yamux);
		identity(&other, 7);
		/* The victim's identity over the attacker's static key. */
		memcpy(e.id[liar].identity_key, other.identity_key, sizeof(other.identity_key));
		assert_int_equal(shake(&e), GUTS_ESIG);
		ends_deinit(&e);
		/* The victim's whole payload, heard on another link. */
		ends_init(&e, NULL, yamux, yamux);
		memcpy(e.id[liar].identity_key, other.identity_key, sizeof(other.identity_key));
		memcpy(e.id[liar].identity_sig, other.identity_sig, sizeof(other.identity_sig));
		assert_int_equal(shake(&e), GUTS_ESIG);
		ends_deinit(&e);
	}
}

static void
a_key_of_low_order_ends_the_handshake(void **state)
{
	static const uint8_t zeros[32];
	struct guts_buf b;
	struct ends e;

	(void)state;
	ends_init(&e, NULL, yamux, yamux);
	guts_buf_init(&b, 1000);
	assert_int_equal(guts_noise_handshake_recv(e.n[1], guts_slice(zeros, 32)), GUTS_OK);
	assert_int_equal(guts_noise_handshake_send(e.n[1], &b), GUTS_EPROTO);
	assert_int_equal(b.len, 0);
	assert_int_equal(guts_noise_handshake_send(e.n[1], &b), GUTS_ECLOSED);
	guts_buf_deinit(&b);
	ends_deinit(&e);
}

static void
turns_are_kept(void **state)
{
	static const uint8_t zeros[200];
	struct guts_slice plain;
	struct guts_buf b;
	struct ends e;

	(void)state;
	ends_init(&e, NULL, yamux, yamux);
	guts_buf_init(&b, 1000);
	assert_int_equal(guts_noise_handshake_send(e.n[1], &b), GUTS_EINVAL);
	assert_int_equal(guts_noise_handshake_recv(e.n[0], guts_slice(zeros, 32)), GUTS_EINVAL);
	assert_int_equal(guts_noise_seal(e.n[0], NULL, 0, &b), GUTS_EINVAL);
	assert_int_equal(guts_noise_open(e.n[0], NULL, 0, &plain), GUTS_EINVAL);
	assert_int_equal(shake(&e), GUTS_OK);
	assert_int_equal(guts_noise_handshake_send(e.n[0], &b), GUTS_EINVAL);
	assert_int_equal(guts_noise_handshake_recv(e.n[1], guts_slice(zeros, 32)), GUTS_EINVAL);
	assert_int_equal(b.len, 0);
	guts_buf_deinit(&b);
	ends_deinit(&e);
}

static void
frames_of_strange_size_are_told_early(void **state)
{
	struct guts_slice body;
	struct ends e;
	size_t used;

	(void)state;
	ends_init(&e, NULL, yamux, yamux);
	assert_int_equal(guts_noise_frame(e.n[1], vectors_unhex("0020"), &body, &used), GUTS_EAGAIN);
	assert_int_equal(guts_noise_frame(e.n[1], vectors_unhex("0021"), &body, &used), GUTS_ELIMIT);
	assert_int_equal(guts_noise_frame(e.n[1], vectors_unhex("001f"), &body, &used), GUTS_EPROTO);
	assert_int_equal(guts_noise_frame(e.n[1], vectors_unhex("4745"), &body, &used), GUTS_ELIMIT); /* "GE" */
	assert_int_equal(pass(e.n[0], e.n[1]), GUTS_OK);
	assert_int_equal(guts_noise_frame(e.n[0], vectors_unhex("0460"), &body, &used), GUTS_EAGAIN);
	assert_int_equal(guts_noise_frame(e.n[0], vectors_unhex("0461"), &body, &used), GUTS_ELIMIT);
	assert_int_equal(guts_noise_frame(e.n[0], vectors_unhex("005f"), &body, &used), GUTS_EPROTO);
	assert_int_equal(guts_noise_handshake_recv(e.n[0], vectors_unhex("00")), GUTS_EPROTO);
	assert_int_equal(guts_noise_handshake_recv(e.n[0], vectors_unhex("00")), GUTS_ECLOSED);
	ends_deinit(&e);
	ends_init(&e, NULL, yamux, yamux);
	assert_int_equal(shake(&e), GUTS_OK);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(guts_noise_frame(e.n[k], vectors_unhex("ffff"), &body, &used), GUTS_EAGAIN);
		assert_int_equal(guts_noise_frame(e.n[k], vectors_unhex("0010"), &body, &used), GUTS_EAGAIN);
		assert_int_equal(guts_noise_frame(e.n[k], vectors_unhex("000f"), &body, &used), GUTS_EPROTO);
	}
	ends_deinit(&e);
}

static void
a_full_output_ends_the_handshake(void **state)
{
	struct guts_buf b;
	struct ends e;

	(void)state;
	ends_init(&e, NULL, yamux, yamux);
	guts_buf_init(&b, 33);
	assert_int_equal(guts_noise_handshake_send(e.n[0], &b), GUTS_ELIMIT);
	assert_int_equal(b.len, 0);
	assert_int_equal(guts_noise_handshake_send(e.n[0], &b), GUTS_ECLOSED);
	ends_deinit(&e);
}

/* --- transport ----------------------------------------------------------- */

/* Open every frame of *in at `to` and append the plaintext to *out; returns the frames. */
static unsigned
open_all(struct guts_noise *to, struct guts_buf *in, struct guts_buf *out)
{
	unsigned frames = 0;

	while (in->len > 0) {
		struct guts_slice body, plain;
		size_t used;

		assert_int_equal(guts_noise_frame(to, guts_buf_slice(in), &body, &used), GUTS_OK);
		assert_int_equal(guts_noise_open(to, guts_buf_bytes(in) + 2, body.n, &plain), GUTS_OK);
		assert_ptr_equal(plain.p, body.p);
		assert_int_equal(guts_buf_add_slice(out, plain), GUTS_OK);
		guts_buf_consume(in, used);
		frames++;
	}
	return frames;
}

static void
any_size_in_any_pieces_arrives(void **state)
{
	static const size_t sizes[] = { 0, 1, 12, 65518, 65519, 65520, 131038, 131039, 300000 };
	static uint8_t data[300000];
	struct guts_buf wire, got;
	struct guts_rng rng;
	struct ends e;

	(void)state;
	guts_rng_seed(&rng, 21);
	guts_rng_bytes(&rng, data, sizeof(data));
	ends_init(&e, NULL, yamux, yamux);
	assert_int_equal(shake(&e), GUTS_OK);
	guts_buf_init(&wire, 400000);
	guts_buf_init(&got, 400000);
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i / 2], done = 0, count = 0;
		struct guts_slice pieces[40];
		struct guts_noise *from = e.n[i % 2], *to = e.n[1 - i % 2];

		while (done < n && count < 39) {
			size_t part = guts_rng_below(&rng, n - done + 1);

			pieces[count++] = guts_slice(data + done, part);
			done += part;
		}
		pieces[count++] = guts_slice(data + done, n - done);
		assert_int_equal(guts_noise_seal(from, pieces, count, &wire), GUTS_OK);
		assert_int_equal(wire.len, guts_noise_sealed_size(n));
		assert_int_equal(open_all(to, &wire, &got), (n + 65518) / 65519);
		assert_slice_equal(guts_buf_slice(&got), guts_slice(data, n));
		guts_buf_clear(&got);
	}
	guts_buf_deinit(&wire);
	guts_buf_deinit(&got);
	ends_deinit(&e);
}

static void
very_many_pieces_arrive(void **state)
{
	static struct guts_slice pieces[1000];
	static uint8_t data[1000];
	struct guts_buf wire, got;
	struct ends e;

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		data[i] = (uint8_t)i;
		pieces[i] = guts_slice(data + i, 1);
	}
	ends_init(&e, NULL, yamux, yamux);
	assert_int_equal(shake(&e), GUTS_OK);
	guts_buf_init(&wire, 4000);
	guts_buf_init(&got, 4000);
	for (size_t n = 0; n < 1000; n += 63) {
		assert_int_equal(guts_noise_seal(e.n[0], pieces, n, &wire), GUTS_OK);
		open_all(e.n[1], &wire, &got);
		assert_slice_equal(guts_buf_slice(&got), guts_slice(data, n));
		guts_buf_clear(&got);
	}
	guts_buf_deinit(&wire);
	guts_buf_deinit(&got);
	ends_deinit(&e);
}

static void
a_full_output_takes_nothing(void **state)
{
	struct guts_slice hello = S("hello");
	struct guts_buf wire, got;
	struct ends e;

	(void)state;
	ends_init(&e, NULL, yamux, yamux);
	assert_int_equal(shake(&e), GUTS_OK);
	guts_buf_init(&wire, 5 + GUTS_NOISE_FRAME_OVERHEAD - 1);
	guts_buf_init(&got, 100);
	assert_int_equal(guts_noise_seal(e.n[0], &hello, 1, &wire), GUTS_ELIMIT);
	assert_false(wire.failed);
	wire.max++;
	assert_int_equal(guts_noise_seal(e.n[0], &hello, 1, &wire), GUTS_OK);
	/* No nonce was spent on the failure. */
	assert_int_equal(open_all(e.n[1], &wire, &got), 1);
	guts_buf_deinit(&wire);
	guts_buf_deinit(&got);
	ends_deinit(&e);
}

/* A record changed, replayed, cut or reflected ends the link. */
static void
only_the_next_record_is_opened(void **state)
{
	for (int fault = 0; fault < 4; fault++) {
		struct guts_slice hello = S("hello"), plain;
		uint8_t *frame;
		struct guts_buf wire;
		struct ends e;
		int to = 1;

		(void)state;
		ends_init(&e, NULL, yamux, yamux);
		assert_int_equal(shake(&e), GUTS_OK);
		guts_buf_init(&wire, 100);
		assert_int_equal(guts_noise_seal(e.n[0], &hello, 1, &wire), GUTS_OK);
		frame = guts_memdup(guts_buf_bytes(&wire) + 2, wire.len - 2);
		if (fault == 0)
			frame[3] ^= 1;
		if (fault == 1)
			assert_int_equal(guts_noise_open(e.n[1], guts_buf_bytes(&wire) + 2, wire.len - 2, &plain), GUTS_OK);
		if (fault == 3)
			to = 0;
		assert_int_equal(guts_noise_open(e.n[to], frame, wire.len - 2 - (fault == 2), &plain), GUTS_ESIG);
		assert_int_equal(guts_noise_open(e.n[to], frame, wire.len - 2, &plain), GUTS_ECLOSED);
		assert_false(guts_noise_is_done(e.n[to]));
		free(frame);
		guts_buf_deinit(&wire);
		ends_deinit(&e);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_js_libp2p),
		cmocka_unit_test(chooses_the_dialers_first_common_muxer),
		cmocka_unit_test(a_dialer_wants_the_peer_it_dialled),
		cmocka_unit_test(a_static_key_that_is_not_signed_for_is_refused),
		cmocka_unit_test(a_key_of_low_order_ends_the_handshake),
		cmocka_unit_test(turns_are_kept),
		cmocka_unit_test(frames_of_strange_size_are_told_early),
		cmocka_unit_test(a_full_output_ends_the_handshake),
		cmocka_unit_test(any_size_in_any_pieces_arrives),
		cmocka_unit_test(very_many_pieces_arrive),
		cmocka_unit_test(a_full_output_takes_nothing),
		cmocka_unit_test(only_the_next_record_is_opened),
	};

	if (guts_crypto_init())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
