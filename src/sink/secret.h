/* sink/secret.h - what a node logs in to brokers with: files, which are read for each connection. */
#ifndef GUTS_SINK_SECRET_H
#define GUTS_SINK_SECRET_H

#include "sink/natsuser.h"
#include "sink/url.h"

#define GUTS_SECRET_FILE_MAX (64u << 10) /* [bytes] */

/* Paths, as the options sink.* name them; empty = none. */
struct guts_broker_files {
	char *credentials; /* lines of addresses, see sink/url.h */
	char *nats_creds;  /* see sink/natsuser.h */
	char *ca;          /* PEM: who vouches for brokers; empty = the system's */
	char *cert, *key;  /* PEM: of this node, for brokers that ask for a certificate */
};
void guts_broker_files_free(struct guts_broker_files *f);

/* Set the user of *url, and *user (nkey empty = none: the address has credentials, or is none of NATS), and look at the files that
 * a library will read.  Owner: caller, guts_broker_secret_wipe in any case.  Errors, with text that names the file: GUTS_EIO,
 * GUTS_ELIMIT too large, GUTS_EDENIED others may read it, GUTS_EINVAL. */
int guts_broker_secret_read(struct guts_broker_url *url, struct guts_nats_user *user, const struct guts_broker_files *f,
    struct guts_errinfo *ei);
void guts_broker_secret_wipe(struct guts_broker_url *url, struct guts_nats_user *user);

#endif
