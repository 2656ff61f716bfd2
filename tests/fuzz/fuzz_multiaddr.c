/* tests/fuzz/fuzz_multiaddr.c - addresses: whatever is let in has both forms and comes back from either. */
#include "fuzz.h"
#include "wire/multiaddr.h"

#include <assert.h>

static void
check(const struct guts_maddr *m)
{
	char text[GUTS_MADDR_TEXT_MAX];
	struct guts_maddr_target target;
	struct guts_maddr other, plain = *m;
	struct guts_slice value;
	uint32_t code;
	size_t pos = 0;

	guts_maddr_text(text, m);
	assert(guts_maddr_parse(&other, guts_slice_str(text)) == 0);
	assert(guts_maddr_decode(&other, guts_maddr_slice(m)) == 0 && guts_maddr_eq(&other, m));
	while (guts_maddr_next(m, &pos, &code, &value))
		assert(value.p + value.n <= m->b + m->n);
	assert(pos == m->n);
	if (guts_maddr_target(m, &target) == 0)
		assert(target.is_tcp != target.is_quic);
	assert(!guts_maddr_is_loopback(m) || guts_maddr_is_private(m));
	guts_maddr_strip_peer(&plain);
	if (plain.n < m->n)
		assert(guts_maddr_add_peer(&plain, value) == 0 && guts_maddr_eq(&plain, m));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guts_maddr m;

	if (guts_maddr_parse(&m, guts_slice(data, size)) == 0)
		check(&m);
	if (guts_maddr_decode(&m, guts_slice(data, size)) == 0)
		check(&m);
	return 0;
}
