/* http/listen.c - listening sockets: made here, so that errors have words and the real port is known. */
#include "base/text.h"
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
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
describe(struct guts_lane *lane, const struct sockaddr_storage *ss)
{
	const char *scheme = lane->is_tls ? "https" : "http";
	char host[INET6_ADDRSTRLEN];

	if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ss;
		bool any = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		lane->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		snprintf(lane->url, sizeof lane->url, "%s://[%s]:%u", scheme, any ? "::1" : host, ntohs(v6->sin6_port));
		return;
	}
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)ss;
	bool any = v4->sin_addr.s_addr == 0;
	inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
	lane->is_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	snprintf(lane->url, sizeof lane->url, "%s://%s:%u", scheme, any ? "127.0.0.1" : host, ntohs(v4->sin_port));
}

/* A socket that nobody listens on any more is what a killed node left behind. */
static bool
is_stale(int fd, const struct sockaddr_un *un)
{
	struct stat st;

	return lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)un, sizeof *un) < 0 && errno == ECONNREFUSED;
}

static int
bind_unix(int fd, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int probe;
	bool stale;

	memcpy(un.sun_path, path, strnlen(path, sizeof un.sun_path - 1));
	if (fchmod(fd, 0600) < 0) /* what bind makes gets this mode */
		return -1;
	if (bind(fd, (struct sockaddr *)&un, sizeof un) == 0)
		return 0;
	if (errno != EADDRINUSE || (probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return -1;
	stale = is_stale(probe, &un);
	close(probe);
	errno = EADDRINUSE;
	return stale && unlink(path) == 0 ? bind(fd, (struct sockaddr *)&un, sizeof un) : -1;
}

static int
bind_address(int fd, struct sockaddr_storage *ss, socklen_t *len)
{
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (ss->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	return bind(fd, (struct sockaddr *)ss, *len) < 0 ? -1 : getsockname(fd, (struct sockaddr *)ss, len);
}

int
guts_listen_check(const char *option, const char *at, struct guts_errinfo *ei)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (strncmp(at, "unix:", 5) == 0 || parse_address(strncmp(at, "https://", 8) == 0 ? at + 8 : at, &ss, &len) == 0)
		return GUTS_OK;
	return guts_err_set(ei, GUTS_EINVAL, "%s: %s is no address with a port", option, at);
}

int
guts_listen_open(struct guts_lane *lane, const char *option, const char *at, struct guts_errinfo *ei)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNIX };
	socklen_t len = 0;
	int err = guts_listen_check(option, at, ei);

	if (err < 0)
		return err;
	lane->is_unix = strncmp(at, "unix:", 5) == 0;
	lane->is_tls = strncmp(at, "https://", 8) == 0;
	if (!lane->is_unix)
		(void)parse_address(lane->is_tls ? at + 8 : at, &ss, &len);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return guts_err_set(ei, GUTS_EIO, "%s %s: %s", option, at, strerror(errno));
	if ((lane->is_unix ? bind_unix(fd, at + 5) : bind_address(fd, &ss, &len)) < 0 || listen(fd, 1024) < 0) {
		err = errno == EADDRINUSE ? GUTS_EEXIST : errno == EACCES ? GUTS_EDENIED : GUTS_EIO;
		guts_err_set(ei, err, "%s %s: %s", option, at, strerror(errno));
		close(fd);
		return err;
	}
	if (lane->is_unix) {
		lane->is_loopback = true;
		snprintf(lane->url, sizeof lane->url, "%s", at);
	} else {
		describe(lane, &ss);
	}
	lane->fd = fd;
	return 0;
}

void
guts_listen_close(struct guts_lane *lane)
{
	close(lane->fd);
	if (lane->is_unix)
		unlink(lane->url + 5);
}
