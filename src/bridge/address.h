/* bridge/address.h - which addresses a webhook may be sent to.
 *
 * A webhook's target is text that somebody wrote; the name in it may mean any machine, and another one a
 * second later.  So the address itself is judged, at the moment of connecting: public ones are fine,
 * all others need the operator's word (option bridge.allow).
 */
#ifndef GUTS_BRIDGE_ADDRESS_H
#define GUTS_BRIDGE_ADDRESS_H

#include "base/ipnet.h"

#define GUTS_ALLOW_MAX 32 /* networks */

/* What is allowed beside public addresses; zeroed = nothing. */
struct guts_allow {
	bool loopback; /* 127.0.0.0/8, ::1 */
	bool local;    /* private networks: RFC 1918, RFC 6598, fc00::/7 */
	size_t n;
	struct guts_ipnet net[GUTS_ALLOW_MAX];
};

/* Add "loopback", "private", or a network: "10.1.0.0/16", "fd00::/8", "192.168.1.7".
 * Errors, with text: GUTS_EINVAL, GUTS_ELIMIT. */
int guts_allow_add(struct guts_allow *a, const char *text, struct guts_errinfo *ei);

/* May it be connected to?  An IPv4 address inside ::ffff:0:0/96 is judged as what it is; forms that a translator turns
 * into IPv4 (64:ff9b::/96, 2002::/16, 2001::/32, ::/96) are not public. */
bool guts_allow_has(const struct guts_allow *a, const struct sockaddr *to);

#endif
