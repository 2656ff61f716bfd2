/* peer/netgroup.c - addresses by who is likely to hold them together.
 *
 * A group is its kind in the first byte and a prefix after it.
 */
#include "peer/netgroup.h"

#include "crypto/key.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum kind { NONE, LOOPBACK, PRIVATE4, PUBLIC4, PRIVATE6, PUBLIC6, NAME };

static struct guts_netgroup
group_of(enum kind kind, const void *prefix, size_t n)
{
	struct guts_netgroup g = { { (uint8_t)kind } };

	if (n > 0)
		memcpy(g.b + 1, prefix, n);
	return g;
}

/* RFC 1918, 3927, 6598. */
static bool
is_private4(const uint8_t a[4])
{
	return a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168)
	    || (a[0] == 169 && a[1] == 254) || (a[0] == 100 && (a[1] & 0xc0) == 64);
}

static struct guts_netgroup
group4(const uint8_t a[4])
{
	if (a[0] == 127)
		return group_of(LOOPBACK, NULL, 0);
	return group_of(is_private4(a) ? PRIVATE4 : PUBLIC4, a, 2);
}

static struct guts_netgroup
group6(const struct in6_addr *in6)
{
	const uint8_t *a = in6->s6_addr;

	if (IN6_IS_ADDR_LOOPBACK(in6))
		return group_of(LOOPBACK, NULL, 0);
	if (IN6_IS_ADDR_V4MAPPED(in6))
		return group4(a + 12);
	if (a[0] == 0x20 && a[1] == 0x02)
		return group4(a + 2); /* 6to4 */
	if ((a[0] & 0xfe) == 0xfc || IN6_IS_ADDR_LINKLOCAL(in6))
		return group_of(PRIVATE6, a, 4);
	return group_of(PUBLIC6, a, 4);
}

struct guts_netgroup
guts_netgroup_of_sockaddr(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return group4((const uint8_t *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr);
	if (sa->sa_family == AF_INET6)
		return group6(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
	return group_of(NONE, NULL, 0);
}

/* "a.b.example.org" and "c.Example.org." are of one hand. */
static struct guts_netgroup
group_name(const char *host)
{
	char lower[256];
	uint8_t hash[32];
	size_t n = strlen(host), dots = 0, at;

	if (n > 0 && host[n - 1] == '.')
		n--;
	for (at = n; at > 0; at--)
		if (host[at - 1] == '.' && ++dots == 2)
			break;
	for (size_t i = at; i < n; i++)
		lower[i - at] = (char)tolower((unsigned char)host[i]);
	guts_sha256(hash, guts_slice(lower, n - at));
	return group_of(NAME, hash, 7);
}

struct guts_netgroup
guts_netgroup_of(const struct guts_maddr *m)
{
	struct guts_maddr_target t;

	if (guts_maddr_target(m, &t) != 0)
		return group_of(NONE, NULL, 0);
	return t.is_dns ? group_name(t.host) : guts_netgroup_of_sockaddr((const struct sockaddr *)&t.addr);
}

bool
guts_netgroup_eq(const struct guts_netgroup *a, const struct guts_netgroup *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
guts_netgroup_is_public(const struct guts_netgroup *g)
{
	return g->b[0] == PUBLIC4 || g->b[0] == PUBLIC6 || g->b[0] == NAME;
}

void
guts_netgroup_text(char out[GUTS_NETGROUP_TEXT_SIZE], const struct guts_netgroup *g)
{
	const uint8_t *p = g->b + 1;

	switch (g->b[0]) {
	case PRIVATE4:
	case PUBLIC4: snprintf(out, GUTS_NETGROUP_TEXT_SIZE, "%u.%u.0.0/16", p[0], p[1]); break;
	case PRIVATE6:
	case PUBLIC6: snprintf(out, GUTS_NETGROUP_TEXT_SIZE, "%x:%x::/32", p[0] << 8 | p[1], p[2] << 8 | p[3]); break;
	case LOOPBACK: snprintf(out, GUTS_NETGROUP_TEXT_SIZE, "loopback"); break;
	case NAME: snprintf(out, GUTS_NETGROUP_TEXT_SIZE, "dns"); break;
	default: snprintf(out, GUTS_NETGROUP_TEXT_SIZE, "none"); break;
	}
}
