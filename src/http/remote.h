/* http/remote.h - who is at the other end: the client's address, also behind reverse proxies that we trust.
 *
 * Anybody can write X-Forwarded-For.  It counts only if the connection comes from an address of
 * http.trusted_proxies, and then from its right end: each proxy appends whom it saw, so the last entry that is
 * no trusted proxy's is the client, and what stands left of it is the client's own word.
 */
#ifndef GUTS_HTTP_REMOTE_H
#define GUTS_HTTP_REMOTE_H

#include "base/ipnet.h"
#include "http/guard.h"

#define GUTS_PROXIES_MAX 32

/* http.trusted_proxies; zeroed = nobody. */
struct guts_proxies {
	bool socket; /* whoever connects to a Unix socket */
	size_t n;
	struct guts_ipnet net[GUTS_PROXIES_MAX];
};

struct guts_remote {
	uint8_t ip[GUTS_IP_SIZE]; /* of the client; ::1 for a Unix socket */
	bool is_local;            /* on this machine, as far as we know */
	bool is_https;            /* its own connection is encrypted, to us or to a proxy that we trust */
};

/* Add "unix", an address or a network.  Errors, with text: GUTS_EINVAL, GUTS_ELIMIT. */
int guts_proxies_add(struct guts_proxies *p, const char *text, struct guts_errinfo *ei);

/* Who asks, on a connection from `from` that is encrypted or not. */
void guts_remote_find(struct guts_remote *r, const struct guts_proxies *p, const struct sockaddr *from, bool is_tls,
    const struct guts_guard *g);

/* What counts as one address: all of IPv4, the first 64 bits of IPv6.  A view into *r. */
struct guts_slice guts_remote_network(const struct guts_remote *r);

#endif
