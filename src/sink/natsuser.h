/* sink/natsuser.h - who a node is at a NATS server that knows its users by keys.
 *
 * The file is what NATS' own tools write: an NKey's seed alone (`nk -gen user`), or a user's JWT with its seed (`nsc generate creds`).
 * Other lines of it are passed.  Source: NATS, "NKeys" (version byte, key, CRC-16 with the low byte first, base32) and ADR-14.
 */
#ifndef GUTS_SINK_NATSUSER_H
#define GUTS_SINK_NATSUSER_H

#include "crypto/key.h"

#define GUTS_NKEY_SIZE 57 /* [bytes] of a public key in text, NUL */

struct guts_nats_user {
	char *jwt;                   /* NULL = known by its key alone */
	struct guts_key key;
	char nkey[GUTS_NKEY_SIZE];   /* public key, U…; empty = there is no user */
};

/* Read the bytes of such a file.  Owner: caller, guts_nats_user_wipe in any case.  Errors, with text that holds no secret:
 * GUTS_EINVAL. */
int guts_nats_user_parse(struct guts_nats_user *u, struct guts_slice file, struct guts_errinfo *ei);
void guts_nats_user_wipe(struct guts_nats_user *u);

#endif
