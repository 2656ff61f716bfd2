/* sink/natsuser.c - each line that matters tells by its beginning what it is: a seed is S…, a JWT eyJ…. */
#include "sink/natsuser.h"

#include "base/alloc.h"
#include "wire/multibase.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SEED_TEXT 58               /* characters */
#define SEED_BYTES 36              /* two of kind, 32 of the seed, two of the checksum */
#define KIND_SEED 0x90             /* of five bits: S */
#define KIND_USER 0xa0             /* U */
#define JWT_BEGIN "eyJ"            /* {" in base64 */

/* CRC-16/XMODEM. */
static unsigned
checksum(const uint8_t *p, size_t n)
{
	unsigned crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned)p[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	return crc;
}

static void
write_nkey(char out[GUTS_NKEY_SIZE], const uint8_t pub[GUTS_PUBKEY_SIZE])
{
	uint8_t b[1 + GUTS_PUBKEY_SIZE + 2] = { KIND_USER };
	unsigned crc;

	memcpy(b + 1, pub, GUTS_PUBKEY_SIZE);
	crc = checksum(b, sizeof b - 2);
	b[sizeof b - 2] = (uint8_t)crc;
	b[sizeof b - 1] = (uint8_t)(crc >> 8);
	(void)guts_base32_encode(out, GUTS_NKEY_SIZE, guts_slice(b, sizeof b));
	for (char *p = out; *p; p++)
		*p = (char)toupper((unsigned char)*p);
}

static int
take_seed(struct guts_nats_user *u, struct guts_slice line, struct guts_errinfo *ei)
{
	char text[SEED_TEXT];
	uint8_t b[SEED_BYTES];
	size_t n = 0;
	int err = GUTS_OK;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)tolower(line.p[i]);
	if (guts_base32_decode(b, sizeof b, guts_slice(text, sizeof text), &n) || n != sizeof b ||
	    checksum(b, n - 2) != (b[n - 2] | (unsigned)b[n - 1] << 8))
		err = guts_err_set(ei, GUTS_EINVAL, "the NKey seed in it is damaged");
	else if ((b[0] & 0xf8) != KIND_SEED || ((b[0] & 7) << 5 | b[1] >> 3) != KIND_USER)
		err = guts_err_set(ei, GUTS_EINVAL, "the NKey seed in it is not of a user (SU…)");
	else
		guts_key_from_seed(&u->key, b + 2);
	if (!err)
		write_nkey(u->nkey, u->key.pub);
	explicit_bzero(text, sizeof text);
	explicit_bzero(b, sizeof b);
	return err;
}

static struct guts_slice
trimmed(struct guts_slice line)
{
	while (line.n && isspace(line.p[line.n - 1]))
		line.n--;
	while (line.n && isspace(line.p[0]))
		line = guts_slice(line.p + 1, line.n - 1);
	return line;
}

int
guts_nats_user_parse(struct guts_nats_user *u, struct guts_slice file, struct guts_errinfo *ei)
{
	int err = GUTS_OK;

	*u = (struct guts_nats_user){ 0 };
	while (file.n && !err) {
		const uint8_t *end = memchr(file.p, '\n', file.n);
		size_t n = end ? (size_t)(end - file.p) : file.n;
		struct guts_slice line = trimmed(guts_slice(file.p, n));

		file = guts_slice(file.p + n + !!end, file.n - n - !!end);
		if (line.n == SEED_TEXT && line.p[0] == 'S' && !u->nkey[0])
			err = take_seed(u, line, ei);
		else if (line.n > strlen(JWT_BEGIN) && memcmp(line.p, JWT_BEGIN, strlen(JWT_BEGIN)) == 0 && !u->jwt)
			u->jwt = guts_memdup(line.p, line.n);
	}
	if (!err && !u->nkey[0])
		err = guts_err_set(ei, GUTS_EINVAL, "there is no NKey seed of a user (SU…) in it");
	return err;
}

void
guts_nats_user_wipe(struct guts_nats_user *u)
{
	if (u->jwt)
		explicit_bzero(u->jwt, strlen(u->jwt));
	free(u->jwt);
	guts_key_wipe(&u->key);
	*u = (struct guts_nats_user){ 0 };
}
