/* base/ipnet.h - IP addresses and networks of both families, compared as 16 bytes.
 *
 * An IPv4 address is kept in its mapped form ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that one
 * comparison serves both.
 */
#ifndef GUTS_BASE_IPNET_H
#define GUTS_BASE_IPNET_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/socket.h>

#define GUTS_IP_SIZE 16      /* [bytes] */
#define GUTS_IP_TEXT_SIZE 46 /* [bytes] with NUL */

struct guts_ipnet {
	uint8_t b[GUTS_IP_SIZE];
	unsigned bits; /* of the 128 that must be equal */
};

/* The address of a socket; false if it is of no IP family. */
bool guts_ip_of(uint8_t ip[GUTS_IP_SIZE], const struct sockaddr *sa);

/* "192.0.2.1", "2001:db8::1".  Errors: GUTS_EINVAL. */
int guts_ip_parse(uint8_t ip[GUTS_IP_SIZE], struct guts_slice text);
void guts_ip_text(char out[GUTS_IP_TEXT_SIZE], const uint8_t ip[GUTS_IP_SIZE]);

/* Was it an IPv4 address? */
bool guts_ip_is_v4(const uint8_t ip[GUTS_IP_SIZE]);

/* 127.0.0.0/8 or ::1 */
bool guts_ip_is_loopback(const uint8_t ip[GUTS_IP_SIZE]);

/* A network "10.1.0.0/16", "fd00::/8", or one address.  Errors, with text: GUTS_EINVAL. */
int guts_ipnet_parse(struct guts_ipnet *net, const char *text, struct guts_errinfo *ei);
bool guts_ipnet_has(const struct guts_ipnet *net, const uint8_t ip[GUTS_IP_SIZE]);

#endif
