/* http/access.h - who is believed, and how much each may ask: the options of http.* that change while the gateway runs.
 *
 * One value, made whole from a configuration and never changed; a request takes the newest when it begins and keeps it to its end.
 */
#ifndef GUTS_HTTP_ACCESS_H
#define GUTS_HTTP_ACCESS_H

#include "conf/conf.h"
#include "http/remote.h"

#include <stdatomic.h>

struct guts_access {
	atomic_int refcount;                  /* private */
	char public_url[GUTS_CONF_TEXT_MAX];  /* without a slash at the end; empty = that of the listener */
	bool public_read, local_read;
	bool limit_loopback;
	uint64_t token_rate, address_rate;    /* [requests/minute], 0 = any number */
	uint64_t max_streams, client_streams;
	uint64_t pack_bytes;                  /* largest pack that is taken */
	struct guts_proxies proxies;
	size_t nhosts, ncors;
	char *hosts[GUTS_CONF_LIST_MAX + 1];  /* names under which we may be asked: those listed and the public address's */
	char *cors[GUTS_CONF_LIST_MAX];       /* origins */
};

/* Read it; with one reference.  Errors, with text and in *at the option: GUTS_EINVAL. */
int guts_access_new(struct guts_access **out, const struct guts_conf *c, enum guts_conf_id *at, struct guts_errinfo *ei);
/* Release a reference; NULL is fine.  Thread: any. */
void guts_access_unref(struct guts_access *a);

#endif
