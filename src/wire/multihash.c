/* wire/multihash.c - see multihash.h.
 *
 * An identity multihash is taken only in the one form the specification makes
 * deterministic: 08 <type> 12 <length> <key>.
 */
#include "wire/multihash.h"

#include "base/err.h"
#include "wire/multibase.h"
#include "wire/varint.h"

#define DIGEST_MAX 128u
#define ED25519 1
#define KEY_TYPE_MAX 3

bool
guts_multihash_is_peerid(struct guts_slice bin)
{
	static const uint8_t sha256_head[] = { 0x12, 0x20 };
	const uint8_t *p = bin.p;

	if (bin.n == 34 && memcmp(p, sha256_head, sizeof(sha256_head)) == 0)
		return true;
	if (bin.n < 7 || bin.n > GUTS_PEERID_MAX || p[0] != 0 || p[1] != bin.n - 2)
		return false;
	if (p[2] != 0x08 || p[3] > KEY_TYPE_MAX || p[4] != 0x12 || p[5] != bin.n - 6)
		return false;
	return p[3] != ED25519 || bin.n == GUTS_PEERID_SIZE;
}

int
guts_multihash_parse_peerid(uint8_t out[GUTS_PEERID_MAX], size_t *n, struct guts_slice text)
{
	uint8_t bytes[GUTS_PEERID_MAX + 2];
	size_t size, skip = 0;
	int err;

	if (text.n > 0 && text.p[0] == 'b') {
		err = guts_base32_decode(bytes, sizeof(bytes), guts_slice(text.p + 1, text.n - 1), &size);
		if (err || size < 2 || bytes[0] != 0x01 || bytes[1] != 0x72)
			return GUTS_EINVAL;
		skip = 2;
	} else if (guts_base58_decode(bytes, sizeof(bytes), text, &size)) {
		return GUTS_EINVAL;
	}
	if (!guts_multihash_is_peerid(guts_slice(bytes + skip, size - skip)))
		return GUTS_EINVAL;
	*n = size - skip;
	memcpy(out, bytes + skip, *n);
	return GUTS_OK;
}

bool
guts_multihash_is_valid(struct guts_slice bin)
{
	uint64_t function, size;
	size_t a, b;

	if (guts_uvarint_read(bin, &function, &a) ||
	    guts_uvarint_read(guts_slice(bin.p + a, bin.n - a), &size, &b))
		return false;
	return size <= DIGEST_MAX && size == bin.n - a - b;
}
