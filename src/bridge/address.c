/* bridge/address.c - public, loopback, private or reserved, by the registries of special-purpose addresses.
 *
 * Of IPv6 only 2000::/3 is handed out to the public, so everything outside it is refused without a list.
 *
 * Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates).
 */
#include "bridge/address.h"

#include <string.h>

enum kind { PUBLIC, LOOPBACK, LOCAL, RESERVED };

#define MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

static const struct {
	struct guts_ipnet net;
	enum kind kind;
} special[] = {
	{ { { MAPPED, 0 }, 104 }, RESERVED },              /* 0.0.0.0/8: this machine */
	{ { { MAPPED, 10 }, 104 }, LOCAL },
	{ { { MAPPED, 100, 64 }, 106 }, LOCAL },           /* shared by a carrier's customers */
	{ { { MAPPED, 127 }, 104 }, LOOPBACK },
	{ { { MAPPED, 168, 63, 129, 16 }, 128 }, RESERVED }, /* a cloud's inner services */
	{ { { MAPPED, 169, 254 }, 112 }, RESERVED },       /* link-local, clouds' metadata */
	{ { { MAPPED, 172, 16 }, 108 }, LOCAL },
	{ { { MAPPED, 192, 0, 0 }, 120 }, RESERVED },
	{ { { MAPPED, 192, 0, 2 }, 120 }, RESERVED },      /* documentation */
	{ { { MAPPED, 192, 88, 99 }, 120 }, RESERVED },    /* 6to4 relays */
	{ { { MAPPED, 192, 168 }, 112 }, LOCAL },
	{ { { MAPPED, 198, 18 }, 111 }, RESERVED },        /* benchmarks */
	{ { { MAPPED, 198, 51, 100 }, 120 }, RESERVED },   /* documentation */
	{ { { MAPPED, 203, 0, 113 }, 120 }, RESERVED },    /* documentation */
	{ { { MAPPED, 224 }, 99 }, RESERVED },             /* multicast and all above */
	{ { { MAPPED }, 96 }, PUBLIC },
	{ { { [15] = 1 }, 128 }, LOOPBACK },
	{ { { 0xfc }, 7 }, LOCAL },
	{ { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, RESERVED },  /* documentation */
	{ { { 0x20, 0x01 }, 23 }, RESERVED },              /* protocols, Teredo among them */
	{ { { 0x20, 0x02 }, 16 }, RESERVED },              /* 6to4: an IPv4 address inside */
	{ { { 0x3f, 0xff }, 20 }, RESERVED },              /* documentation */
	{ { { 0x20 }, 3 }, PUBLIC },
};

static enum kind
kind_of(const uint8_t b[16])
{
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
		if (guts_ipnet_has(&special[i].net, b))
			return special[i].kind;
	}
	return RESERVED;
}

bool
guts_allow_has(const struct guts_allow *a, const struct sockaddr *to)
{
	uint8_t ip[GUTS_IP_SIZE];
	enum kind kind;

	if (!guts_ip_of(ip, to))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (guts_ipnet_has(&a->net[i], ip))
			return true;
	}
	kind = kind_of(ip);
	return kind == PUBLIC || (kind == LOOPBACK && a->loopback) || (kind == LOCAL && a->local);
}

int
guts_allow_add(struct guts_allow *a, const char *text, struct guts_errinfo *ei)
{
	struct guts_ipnet net;

	if (strcmp(text, "loopback") == 0) {
		a->loopback = true;
		return GUTS_OK;
	}
	if (strcmp(text, "private") == 0) {
		a->local = true;
		return GUTS_OK;
	}
	if (guts_ipnet_parse(&net, text, ei))
		return GUTS_EINVAL;
	if (a->n == GUTS_ALLOW_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d networks", GUTS_ALLOW_MAX);
	a->net[a->n++] = net;
	return GUTS_OK;
}
