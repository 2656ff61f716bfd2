/* tests/fuzz/sealed.h - an input with the checksum that its reader expects, as a wrong one would stop everything. */
#ifndef TESTS_FUZZ_SEALED_H
#define TESTS_FUZZ_SEALED_H

#include "base/alloc.h"
#include "crypto/hmac.h"

#include <string.h>

/* The input with its SHA-1 behind, `size` + GUTS_SHA1_SIZE bytes; the caller frees them. */
static inline uint8_t *
fuzz_sealed(const uint8_t *data, size_t size)
{
	uint8_t *text = guts_alloc(size + GUTS_SHA1_SIZE);

	if (size > 0)
		memcpy(text, data, size);
	guts_sha1(text + size, guts_slice(text, size));
	return text;
}

#endif
