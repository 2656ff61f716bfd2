/* sink/url.h - addresses of message brokers, and the file with their credentials.
 *
 *	mqtt://HOST[:1883]   mqtts://HOST[:8883]   nats://HOST[:4222]   tls://HOST[:4222] (NATS inside TLS)
 *
 * What is shown to people (configuration, REST, logs) never holds credentials, so they have a file of their own, in the form of
 * git-credential-store: one address per line, with USER:PASSWORD@ before the host, or TOKEN@ for NATS.
 */
#ifndef GUTS_SINK_URL_H
#define GUTS_SINK_URL_H

#include "base/err.h"
#include "base/slice.h"

enum guts_broker_kind { GUTS_BROKER_MQTT, GUTS_BROKER_NATS };

#define GUTS_BROKER_URL_MAX 512     /* [bytes] of an address, with credentials */
#define GUTS_BROKER_HOST_MAX 253    /* [bytes] */
#define GUTS_BROKER_SECRET_MAX 255  /* [bytes] of a name, a password or a token */

struct guts_broker_url {
	enum guts_broker_kind kind;
	bool is_tls, has_password;          /* a user without a password is a token */
	char host[GUTS_BROKER_HOST_MAX + 1]; /* without the brackets of IPv6 */
	uint16_t port;
	char user[GUTS_BROKER_SECRET_MAX + 1], password[GUTS_BROKER_SECRET_MAX + 1]; /* decoded; empty = none */
};

/* "mqtt" or "nats". */
const char *guts_broker_kind_name(enum guts_broker_kind kind);

/* Read one address.  Errors, with text that holds no credentials: GUTS_EINVAL. */
int guts_broker_url_parse(struct guts_broker_url *u, struct guts_slice text, struct guts_errinfo *ei);

/* Take the credentials of the first line of `file` with u's scheme, host and port; none there: u stays as it is.  Empty lines
 * and those that begin with # are passed.  Errors, with text: GUTS_EINVAL a line cannot be read. */
int guts_broker_url_credentials(struct guts_broker_url *u, struct guts_slice file, struct guts_errinfo *ei);

#endif
