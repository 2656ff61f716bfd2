/* base/ipnet.c - a network is a prefix of 128 bits; IPv4 prefixes are 96 bits longer than they are written. */
#include "base/ipnet.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
guts_ip_of(uint8_t ip[GUTS_IP_SIZE], const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		memcpy(ip, mapped, sizeof mapped);
		memcpy(ip + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
		return true;
	}
	if (sa->sa_family == AF_INET6)
		memcpy(ip, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	return sa->sa_family == AF_INET6;
}

int
guts_ip_parse(uint8_t ip[GUTS_IP_SIZE], struct guts_slice text)
{
	char host[GUTS_IP_TEXT_SIZE];

	if (text.n == 0 || text.n >= sizeof host || memchr(text.p, 0, text.n))
		return GUTS_EINVAL;
	memcpy(host, text.p, text.n);
	host[text.n] = 0;
	if (inet_pton(AF_INET6, host, ip) == 1)
		return GUTS_OK;
	memcpy(ip, mapped, sizeof mapped);
	return inet_pton(AF_INET, host, ip + 12) == 1 ? GUTS_OK : GUTS_EINVAL;
}

void
guts_ip_text(char out[GUTS_IP_TEXT_SIZE], const uint8_t ip[GUTS_IP_SIZE])
{
	if (guts_ip_is_v4(ip))
		inet_ntop(AF_INET, ip + 12, out, GUTS_IP_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, ip, out, GUTS_IP_TEXT_SIZE);
}

bool
guts_ip_is_v4(const uint8_t ip[GUTS_IP_SIZE])
{
	return memcmp(ip, mapped, sizeof mapped) == 0;
}

bool
guts_ip_is_loopback(const uint8_t ip[GUTS_IP_SIZE])
{
	static const uint8_t one[GUTS_IP_SIZE] = { [15] = 1 };

	return memcmp(ip, one, sizeof one) == 0 || (guts_ip_is_v4(ip) && ip[12] == 127);
}

int
guts_ipnet_parse(struct guts_ipnet *net, const char *text, struct guts_errinfo *ei)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits, max;

	if (guts_ip_parse(net->b, guts_slice(text, n)))
		return guts_err_set(ei, GUTS_EINVAL, "\"%.60s\" is no address or network", text);
	max = bits = memchr(text, ':', n) ? 128 : 32;
	if (slash && guts_text_u64(guts_slice_str(slash + 1), max, &bits))
		return guts_err_set(ei, GUTS_EINVAL, "\"%.60s\": a prefix is 0 to %u bits long", text, (unsigned)max);
	net->bits = (unsigned)(bits + 128 - max);
	return GUTS_OK;
}

bool
guts_ipnet_has(const struct guts_ipnet *net, const uint8_t ip[GUTS_IP_SIZE])
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(net->b, ip, whole) != 0)
		return false;
	return rest == 0 || (net->b[whole] ^ ip[whole]) >> (8 - rest) == 0;
}
