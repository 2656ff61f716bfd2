/* wire/multibase.c - base58btc by long division, base32 by shifting, and the text of repository ids.
 *
 * Decoders accept exactly what the encoders write: no other alphabet, no spare bits, so
 * that one value has one text.  Source: multiformats/multibase; RFC 4648 section 6;
 * multiformats/cid.
 */
#include "wire/multibase.h"

#include "base/err.h"

#include <assert.h>

#define BASE58_DIGITS_MAX (GUTS_BASE58_IN_MAX * 138 / 100 + 2)
#define CID_SIZE (4 + GUTS_REPOID_SIZE)

static const char base58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
static const uint8_t cid_head[] = { 0x01, 0x55, 0x12, GUTS_REPOID_SIZE }; /* CIDv1, raw, SHA-256 */

int
guts_base58_encode(char *out, size_t out_max, struct guts_slice in)
{
	uint8_t digits[BASE58_DIGITS_MAX]; /* lowest first */
	size_t n = 0, zeros = 0;

	if (in.n > GUTS_BASE58_IN_MAX)
		return GUTS_ELIMIT;
	while (zeros < in.n && in.p[zeros] == 0)
		zeros++;
	for (size_t i = zeros; i < in.n; i++) {
		unsigned carry = in.p[i];

		for (size_t k = 0; k < n || carry; k++) {
			carry += k < n ? digits[k] * 256u : 0;
			digits[k] = (uint8_t)(carry % 58);
			carry /= 58;
			if (k == n)
				n++;
		}
	}
	if (zeros + n >= out_max)
		return GUTS_ELIMIT;
	memset(out, '1', zeros);
	for (size_t k = 0; k < n; k++)
		out[zeros + k] = base58[digits[n - 1 - k]];
	out[zeros + n] = '\0';
	return GUTS_OK;
}

/* Place of `c` in the alphabet, or -1. */
static int
digit_of(const char *alphabet, uint8_t c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

int
guts_base58_decode(uint8_t *out, size_t out_max, struct guts_slice text, size_t *n_out)
{
	uint8_t bytes[GUTS_BASE58_IN_MAX]; /* lowest first */
	size_t n = 0, zeros = 0;

	if (text.n > BASE58_DIGITS_MAX)
		return GUTS_ELIMIT;
	while (zeros < text.n && text.p[zeros] == '1')
		zeros++;
	for (size_t i = zeros; i < text.n; i++) {
		int digit = digit_of(base58, text.p[i]);
		unsigned carry = (unsigned)digit;

		if (digit < 0)
			return GUTS_EINVAL;
		for (size_t k = 0; k < n || carry; k++) {
			if (k == sizeof(bytes))
				return GUTS_ELIMIT;
			carry += k < n ? bytes[k] * 58u : 0;
			bytes[k] = (uint8_t)carry;
			carry >>= 8;
			if (k == n)
				n++;
		}
	}
	if (zeros + n > out_max)
		return GUTS_ELIMIT;
	memset(out, 0, zeros);
	for (size_t k = 0; k < n; k++)
		out[zeros + k] = bytes[n - 1 - k];
	*n_out = zeros + n;
	return GUTS_OK;
}

int
guts_base32_encode(char *out, size_t out_max, struct guts_slice in)
{
	uint32_t acc = 0;
	unsigned bits = 0;

	if (in.n > SIZE_MAX / 8 || (in.n * 8 + 4) / 5 >= out_max)
		return GUTS_ELIMIT;
	for (size_t i = 0; i < in.n; i++) {
		acc = (acc << 8 | in.p[i]) & 0xffff;
		for (bits += 8; bits >= 5; bits -= 5)
			*out++ = base32[acc >> (bits - 5) & 31];
	}
	if (bits)
		*out++ = base32[acc << (5 - bits) & 31];
	*out = '\0';
	return GUTS_OK;
}

int
guts_base32_decode(uint8_t *out, size_t out_max, struct guts_slice text, size_t *n_out)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int digit = digit_of(base32, text.p[i]);

		if (digit < 0)
			return GUTS_EINVAL;
		acc = (acc << 5 | (uint32_t)digit) & 0xffff;
		bits += 5;
		if (bits < 8)
			continue;
		bits -= 8;
		if (n == out_max)
			return GUTS_ELIMIT;
		out[n++] = (uint8_t)(acc >> bits);
	}
	/* A last digit that adds no byte, or spare bits that say something. */
	if (bits >= 5 || (acc & ((1u << bits) - 1)))
		return GUTS_EINVAL;
	*n_out = n;
	return GUTS_OK;
}

void
guts_repoid_text(char out[GUTS_REPOID_TEXT_SIZE], const uint8_t id[GUTS_REPOID_SIZE])
{
	uint8_t cid[CID_SIZE];
	int err;

	memcpy(cid, cid_head, sizeof(cid_head));
	memcpy(cid + sizeof(cid_head), id, GUTS_REPOID_SIZE);
	out[0] = 'b';
	err = guts_base32_encode(out + 1, GUTS_REPOID_TEXT_SIZE - 1, guts_slice(cid, sizeof(cid)));
	assert(err == GUTS_OK);
	(void)err;
}

int
guts_repoid_parse(uint8_t id[GUTS_REPOID_SIZE], struct guts_slice text)
{
	static const char scheme[] = "guts://";
	const size_t scheme_n = sizeof(scheme) - 1;
	uint8_t cid[CID_SIZE];
	size_t n;

	if (text.n > scheme_n && memcmp(text.p, scheme, scheme_n) == 0)
		text = guts_slice(text.p + scheme_n, text.n - scheme_n);
	if (text.n != GUTS_REPOID_TEXT_SIZE - 1 || text.p[0] != 'b')
		return GUTS_EINVAL;
	if (guts_base32_decode(cid, sizeof(cid), guts_slice(text.p + 1, text.n - 1), &n) ||
	    n != sizeof(cid) || memcmp(cid, cid_head, sizeof(cid_head)) != 0)
		return GUTS_EINVAL;
	memcpy(id, cid + sizeof(cid_head), GUTS_REPOID_SIZE);
	return GUTS_OK;
}
