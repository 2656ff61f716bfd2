/* http/listen.c - listening sockets: made here, so that errors have words and the real port is known. */
#include "base/text.h"
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int
parse_address(const char *at, struct sockaddr_storage *ss, socklen_t *len)
{
	char host[64];
	const char *colon = strrchr(at, ':');
	uint64_t port;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof *ss);
	if (!colon || guts_text_u64(guts_slice_str(colon + 1), 65535, &port) < 0)
		return GUTS_EINVAL;
	size_t n = (size_t)(colon - at);
	if (n > 2 && at[0] == '[' && at[n - 1] == ']') {
		snprintf(host, sizeof host, "%.*s", (int)n - 2, at + 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof *v6;
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : GUTS_EINVAL;
	}
	snprintf(host, sizeof host, "%.*s", (int)n, at);
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*len = sizeof *v4;
	if (strcmp(host, "localhost") == 0)
		snprintf(host, sizeof host, "127.0.0.1");
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : GUTS_EINVAL;
}

static void
describe(const struct sockaddr_storage *ss, bool *loopback, char url[128])
{
	char host[INET6_ADDRSTRLEN];

	if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ss;
		bool any = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		*loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		snprintf(url, 128, "http://[%s]:%u", any ? "::1" : host, ntohs(v6->sin6_port));
		return;
	}
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)ss;
	bool any = v4->sin_addr.s_addr == 0;
	inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
	*loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	snprintf(url, 128, "http://%s:%u", any ? "127.0.0.1" : host, ntohs(v4->sin_port));
}

int
guts_listen_socket(const char *at, int *out, bool *loopback, char url[128], struct guts_errinfo *ei)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1;

	if (parse_address(at, &ss, &len) < 0)
		return guts_err_set(ei, GUTS_EINVAL, "http.listen: %s is no address with a port", at);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return guts_err_set(ei, GUTS_EIO, "http.listen %s: %s", at, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) < 0) {
		int err = errno == EADDRINUSE ? GUTS_EEXIST : errno == EACCES ? GUTS_EDENIED : GUTS_EIO;
		guts_err_set(ei, err, "http.listen %s: %s", at, strerror(errno));
		close(fd);
		return err;
	}
	describe(&ss, loopback, url);
	*out = fd;
	return 0;
}
