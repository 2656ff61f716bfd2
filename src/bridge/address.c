/* bridge/address.c - public, loopback, private or reserved, by the registries of special-purpose addresses.
 *
 * Both families are compared as 16 bytes, IPv4 in its mapped form.  Of IPv6 only 2000::/3 is handed out
 * to the public, so everything outside it is refused without a list.
 *
 * Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates).
 */
#include "bridge/address.h"

#include "base/slice.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum kind { PUBLIC, LOOPBACK, LOCAL, RESERVED };

#define MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

static const struct {
	struct guts_allow_net net;
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

static bool
is_in(const struct guts_allow_net *net, const uint8_t b[16])
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(net->b, b, whole) != 0)
		return false;
	return rest == 0 || (net->b[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static enum kind
kind_of(const uint8_t b[16])
{
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
		if (is_in(&special[i].net, b))
			return special[i].kind;
	}
	return RESERVED;
}

bool
guts_allow_has(const struct guts_allow *a, const struct sockaddr *to)
{
	uint8_t b[16] = { MAPPED };
	enum kind kind;

	if (to->sa_family == AF_INET)
		memcpy(b + 12, &((const struct sockaddr_in *)(const void *)to)->sin_addr, 4);
	else if (to->sa_family == AF_INET6)
		memcpy(b, &((const struct sockaddr_in6 *)(const void *)to)->sin6_addr, 16);
	else
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (is_in(&a->net[i], b))
			return true;
	}
	kind = kind_of(b);
	return kind == PUBLIC || (kind == LOOPBACK && a->loopback) || (kind == LOCAL && a->local);
}

int
guts_allow_add(struct guts_allow *a, const char *text, struct guts_errinfo *ei)
{
	struct guts_allow_net net = { .b = { MAPPED } };
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits, max = 128;
	char host[64];

	if (strcmp(text, "loopback") == 0) {
		a->loopback = true;
		return GUTS_OK;
	}
	if (strcmp(text, "private") == 0) {
		a->local = true;
		return GUTS_OK;
	}
	snprintf(host, sizeof host, "%.*s", n < sizeof host ? (int)n : 0, text);
	if (inet_pton(AF_INET, host, net.b + 12) == 1)
		max = 32;
	else if (inet_pton(AF_INET6, host, net.b) != 1)
		return guts_err_set(ei, GUTS_EINVAL, "\"%.60s\" is neither loopback nor private nor a network", text);
	bits = max;
	if (slash && guts_text_u64(guts_slice_str(slash + 1), max, &bits))
		return guts_err_set(ei, GUTS_EINVAL, "\"%.60s\": a prefix is 0 to %u bits long", text, (unsigned)max);
	if (a->n == GUTS_ALLOW_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d networks", GUTS_ALLOW_MAX);
	net.bits = (unsigned)(bits + 128 - max);
	a->net[a->n++] = net;
	return GUTS_OK;
}
