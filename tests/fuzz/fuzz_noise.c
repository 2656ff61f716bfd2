/* tests/fuzz/fuzz_noise.c - the Noise channel against a peer that says anything.
 *
 * The first byte chooses our role (bit 0) and the peer (bits 1 and 2):
 *	0  garbage from the first byte on
 *	1  an honest peer whose bytes are changed by XOR with the input
 *	2  a peer that knows Noise but puts the input into its payload, behind its true
 *	   identity if bit 3 is set
 * Without a change the handshake of peer 1 must succeed.
 */
#include "crypto/noise.h"
#include "crypto/noisexx.h"
#include "fuzz.h"

#include <assert.h>
#include <string.h>

static const char *const muxers[] = { "/yamux/1.0.0", "/mplex/6.7.0", NULL };
static struct guts_noise_identity us, them;
static const uint8_t our_e[32] = { 0, 1 }, their_e[32] = { 0, 2 };

static void
init(void)
{
	uint8_t seed[32] = { 0, 3 };
	struct guts_key k;

	if (us.id.n)
		return;
	guts_crypto_init();
	guts_key_from_seed(&k, seed);
	guts_noise_identity_init(&us, &k, seed);
	seed[1] = 4;
	guts_key_from_seed(&k, seed);
	guts_noise_identity_init(&them, &k, seed);
}

/* Feed all frames of *in, in place; false when the peer is to be cut. */
static bool
feed(struct guts_noise *n, struct guts_buf *in)
{
	struct guts_slice body, plain;
	size_t used;

	while (guts_noise_frame(n, guts_buf_slice(in), &body, &used) == 0) {
		int err;

		if (guts_noise_is_done(n)) {
			err = guts_noise_open(n, guts_buf_bytes(in) + 2, body.n, &plain);
			assert(err || plain.n + 16 == body.n);
		} else {
			err = guts_noise_handshake_recv(n, body);
		}
		if (err)
			return false;
		guts_buf_consume(in, used);
		if (guts_noise_wants_send(n))
			return true;
	}
	return true;
}

/* Send if it is our turn; false when the peer's key was of low order. */
static bool
answer(struct guts_noise *n, struct guts_buf *out)
{
	int err = guts_noise_wants_send(n) ? guts_noise_handshake_send(n, out) : GUTS_OK;

	assert(err == GUTS_OK || err == GUTS_EPROTO);
	return !err;
}

static void
garbage(struct guts_noise *n, struct guts_slice in)
{
	struct guts_buf from, to;
	bool alive;

	guts_buf_init(&from, 1 << 20);
	guts_buf_init(&to, 1 << 20);
	guts_buf_add_slice(&from, in);
	do
		alive = answer(n, &to) && feed(n, &from);
	while (alive && guts_noise_wants_send(n));
	assert(!guts_noise_is_done(n));
	guts_buf_deinit(&from);
	guts_buf_deinit(&to);
}

static void
honest_but_changed(struct guts_noise *n, struct guts_noise *peer, struct guts_slice mask)
{
	struct guts_slice hello = guts_slice_str("hello");
	struct guts_buf a, b;
	bool changed = false, alive = true;

	guts_buf_init(&a, 1 << 20);
	guts_buf_init(&b, 1 << 20);
	for (int step = 0; alive && step < 4; step++) {
		alive = answer(n, &a) && feed(peer, &a);
		alive = alive && answer(peer, &b);
		if (alive && guts_noise_is_done(peer))
			assert(guts_noise_seal(peer, &hello, 1, &b) == 0);
		for (size_t i = 0; i < b.len && mask.n > 0; i++, mask.p++, mask.n--) {
			guts_buf_bytes(&b)[i] ^= mask.p[0];
			changed |= mask.p[0] != 0;
		}
		alive = alive && feed(n, &b);
	}
	assert(changed || (guts_noise_is_done(n) && guts_noise_is_done(peer)));
	guts_buf_deinit(&a);
	guts_buf_deinit(&b);
}

/* The fields identity_key and identity_sig as they should be. */
static void
add_identity(struct guts_buf *b)
{
	guts_buf_add_be16(b, 0x0a24);
	guts_buf_add(b, them.identity_key, sizeof(them.identity_key));
	guts_buf_add_be16(b, 0x1240);
	guts_buf_add(b, them.identity_sig, sizeof(them.identity_sig));
}

/* Message 2 or 3 carries `said`; only a well-signed one may be taken. */
static void
knows_noise(struct guts_noise *n, bool we_dial, bool with_identity, struct guts_slice said)
{
	struct guts_buf payload;
	struct guts_noisexx_pair s;
	struct guts_noisexx xx;
	struct guts_buf ours, theirs, ignored;

	memcpy(s.secret, them.static_secret, 32);
	memcpy(s.public, them.static_public, 32);
	guts_buf_init(&payload, 61000);
	if (with_identity)
		add_identity(&payload);
	guts_buf_add_slice(&payload, said);
	guts_noisexx_init(&xx, !we_dial, guts_slice(NULL, 0), &s, their_e);
	guts_buf_init(&ours, 1 << 20);
	guts_buf_init(&theirs, 1 << 20);
	guts_buf_init(&ignored, 1 << 20);
	while (xx.step < 3) {
		if (guts_noisexx_writes(&xx)) {
			struct guts_slice body;
			size_t used;

			guts_buf_clear(&theirs);
			guts_buf_add_be16(&theirs, 0);
			guts_noisexx_write(&xx, xx.step ? guts_buf_slice(&payload) : guts_slice(NULL, 0), &theirs);
			guts_buf_bytes(&theirs)[0] = (uint8_t)((theirs.len - 2) >> 8);
			guts_buf_bytes(&theirs)[1] = (uint8_t)(theirs.len - 2);
			if (guts_noise_frame(n, guts_buf_slice(&theirs), &body, &used) ||
			    guts_noise_handshake_recv(n, body))
				break;
		} else {
			guts_buf_clear(&ours);
			guts_buf_clear(&ignored);
			assert(guts_noise_handshake_send(n, &ours) == 0);
			assert(guts_noisexx_read(&xx, guts_slice(guts_buf_bytes(&ours) + 2, ours.len - 2), &ignored) == 0);
		}
	}
	if (guts_noise_is_done(n))
		assert(guts_peerid_eq(guts_noise_peer(n), &them.id));
	if (with_identity && said.n == 0)
		assert(guts_noise_is_done(n));
	guts_buf_deinit(&payload);
	guts_buf_deinit(&ours);
	guts_buf_deinit(&theirs);
	guts_buf_deinit(&ignored);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_slice rest = { data + 1, size - 1 };
	struct guts_noise *n, *peer;
	bool we_dial;

	if (size == 0 || size > 60000)
		return 0;
	init();
	we_dial = data[0] & 1;
	n = guts_noise_new(we_dial ? GUTS_NOISE_DIALER : GUTS_NOISE_LISTENER, &us, our_e, NULL, muxers);
	switch (data[0] >> 1 & 3) {
	case 1:
		peer = guts_noise_new(we_dial ? GUTS_NOISE_LISTENER : GUTS_NOISE_DIALER, &them, their_e, NULL, muxers + 1);
		honest_but_changed(n, peer, rest);
		guts_noise_free(peer);
		break;
	case 2: knows_noise(n, we_dial, data[0] & 8, rest); break;
	default: garbage(n, rest); break;
	}
	guts_noise_free(n);
	return 0;
}
