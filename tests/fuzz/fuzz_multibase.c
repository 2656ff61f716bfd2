/* tests/fuzz/fuzz_multibase.c - base58, base32, repository ids and peer ids: one value, one text. */
#include "crypto/key.h"
#include "fuzz.h"
#include "wire/multibase.h"

#include <assert.h>

static void
check_bases(struct guts_slice text)
{
	uint8_t bytes[256];
	char again[512];
	size_t n;

	if (guts_base58_decode(bytes, sizeof(bytes), text, &n) == 0 && n <= GUTS_BASE58_IN_MAX) {
		assert(guts_base58_encode(again, sizeof(again), guts_slice(bytes, n)) == 0);
		assert(guts_slice_eq(guts_slice_str(again), text));
	}
	if (guts_base32_decode(bytes, sizeof(bytes), text, &n) == 0) {
		assert(guts_base32_encode(again, sizeof(again), guts_slice(bytes, n)) == 0);
		assert(guts_slice_eq(guts_slice_str(again), text));
	}
}

static void
check_ids(struct guts_slice in)
{
	char text[GUTS_PEERID_TEXT_SIZE], repo[GUTS_REPOID_TEXT_SIZE];
	uint8_t id[GUTS_REPOID_SIZE], pub[GUTS_PUBKEY_SIZE];
	struct guts_peerid a, b;

	if (guts_peerid_parse(&a, in) == 0 || guts_peerid_decode(&a, in) == 0) {
		guts_peerid_text(text, &a);
		assert(guts_peerid_parse(&b, guts_slice_str(text)) == 0 && guts_peerid_eq(&a, &b));
		if (guts_peerid_pubkey(&a, pub) == 0) {
			guts_peerid_from_pubkey(&b, pub);
			assert(guts_peerid_eq(&a, &b));
		}
	}
	guts_pubkey_decode(pub, in);
	if (guts_repoid_parse(id, in) == 0) {
		guts_repoid_text(repo, id);
		assert(in.n >= 59 && guts_slice_eq(guts_slice(in.p + in.n - 59, 59), guts_slice_str(repo)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_bases(guts_slice(data, size));
	check_ids(guts_slice(data, size));
	return 0;
}
