/* tests/fuzz/fuzz_envelope.c - signed envelopes.
 *
 * Bytes are opened as they are; then they are sealed as a payload, which must open. */
#include "crypto/envelope.h"
#include "fuzz.h"

#include <assert.h>

#define DOMAIN "libp2p-peer-record"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = { 3 };
	static struct guts_key key;
	struct guts_slice in = { data, size };
	struct guts_envelope e, peeked;
	struct guts_buf out;

	if (key.id.n == 0) {
		guts_crypto_init();
		guts_key_from_seed(&key, seed);
	}
	if (guts_envelope_open(&e, in, 4096, DOMAIN, guts_slice(NULL, 0)) == 0) {
		assert(guts_envelope_peek(&peeked, in, 4096) == 0);
		assert(guts_peerid_eq(&peeked.signer, &e.signer) && guts_slice_eq(peeked.payload, e.payload));
	}
	if (size > 2000)
		return 0;
	guts_buf_init(&out, 4096);
	assert(guts_envelope_seal(&out, &key, DOMAIN, guts_slice(data, size < 64 ? size : 64), in) == 0);
	assert(guts_envelope_open(&e, guts_buf_slice(&out), 4096, DOMAIN, guts_slice(NULL, 0)) == 0);
	assert(guts_slice_eq(e.payload, in) && guts_peerid_eq(&e.signer, &key.id));
	guts_buf_deinit(&out);
	return 0;
}
