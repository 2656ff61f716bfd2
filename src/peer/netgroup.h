/* peer/netgroup.h - the part of the network that an address belongs to.
 *
 * Whoever has one address of a netgroup can easily have many; to have addresses in many
 * netgroups is dear.  So shares, buckets and slots are counted per netgroup, not per address.
 */
#ifndef GUTS_PEER_NETGROUP_H
#define GUTS_PEER_NETGROUP_H

#include "wire/multiaddr.h"

#include <sys/socket.h>

#define GUTS_NETGROUP_TEXT_SIZE 24 /* [bytes] with NUL */

/* A plain value, compared as bytes; all zero = none (ourselves). */
struct guts_netgroup {
	uint8_t b[8];
};

/* IPv4: the /16; IPv6: the /32, of 6to4 and mapped addresses that of the IPv4 address inside;
 * loopback: one group. */
struct guts_netgroup guts_netgroup_of_sockaddr(const struct sockaddr *sa);

/* The same of a multiaddr; DNS names: the last two labels, as a hash.  None for other shapes. */
struct guts_netgroup guts_netgroup_of(const struct guts_maddr *m);

bool guts_netgroup_eq(const struct guts_netgroup *a, const struct guts_netgroup *b);

/* Routed on the Internet, so that how many peers of it we use matters: neither loopback nor a private network. */
bool guts_netgroup_is_public(const struct guts_netgroup *g);

/* "203.0.0.0/16", "2001:db8::/32", "loopback", "dns", "none". */
void guts_netgroup_text(char out[GUTS_NETGROUP_TEXT_SIZE], const struct guts_netgroup *g);

#endif
