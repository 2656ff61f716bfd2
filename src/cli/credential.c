/* cli/credential.c - git's credential protocol: lines of key=value in, a name and the token out.
 *
 * It answers only when git asks for the very address of the node of this home (or of $GUTS_URL),
 * and, without a token in the environment, only while that node runs: the admin token must not
 * go to whoever took its port.  store and erase have nothing to do: tokens live in the home.
 * Source: git-credential(1), gitcredentials(7).
 */
#include "cli/ask.h"
#include "cli/commands.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES 4096
#define LINES_MAX 100

struct asked {
	char *protocol, *host;
};

static void
read_asked(struct asked *a)
{
	char line[LINE_MAX_BYTES];

	for (int i = 0; i < LINES_MAX && fgets(line, sizeof(line), stdin) != NULL; i++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0')
			break;
		if (strncmp(line, "protocol=", 9) == 0 && a->protocol == NULL)
			a->protocol = guts_strdup(line + 9);
		else if (strncmp(line, "host=", 5) == 0 && a->host == NULL)
			a->host = guts_strdup(line + 5);
	}
}

/* Host without its port; the names of loopback are one. */
static bool
same_host(const char *a, size_t n, const char *b, size_t k)
{
	static const char *const loopback[] = { "127.0.0.1", "localhost", "[::1]" };
	bool la = false, lb = false;

	for (size_t i = 0; i < 3; i++) {
		la = la || (strlen(loopback[i]) == n && strncasecmp(loopback[i], a, n) == 0);
		lb = lb || (strlen(loopback[i]) == k && strncasecmp(loopback[i], b, k) == 0);
	}
	return (la && lb) || (n == k && strncasecmp(a, b, n) == 0);
}

/* "host" or "host:port" into its parts; the port's default is that of the scheme. */
static void
split(const char *s, bool tls, size_t *host_n, const char **port)
{
	const char *colon = strrchr(s, ':'), *bracket = strrchr(s, ']');

	*host_n = colon != NULL && (bracket == NULL || colon > bracket) ? (size_t)(colon - s) : strlen(s);
	*port = s[*host_n] == ':' ? s + *host_n + 1 : tls ? "443" : "80";
}

static bool
fits(const struct asked *a, const char *base)
{
	bool tls = strncasecmp(base, "https://", 8) == 0;
	const char *scheme = strstr(base, "://"), *host = scheme != NULL ? scheme + 3 : "", *port, *port_asked;
	char *only = guts_strdup(host); /* "" for a Unix socket: git does not ask on those */
	size_t n, k;
	bool yes;

	only[strcspn(only, "/")] = '\0';
	split(only, tls, &n, &port);
	split(a->host, tls, &k, &port_asked);
	yes = strcasecmp(a->protocol, tls ? "https" : "http") == 0 && same_host(only, n, a->host, k) &&
	    strcmp(port, port_asked) == 0;
	free(only);
	return yes;
}

int
guts_cmd_credential(struct guts_cli *c)
{
	struct asked a = { NULL, NULL };
	const char *env = getenv("GUTS_URL");
	const char *verb = c->args.pos[0];
	long pid;

	if (strcmp(verb, "get") != 0 && strcmp(verb, "store") != 0 && strcmp(verb, "erase") != 0)
		return guts_cli_usage(c, "get, store or erase");
	read_asked(&a);
	/* Silence, not an error: git asks its other helpers next. */
	if (strcmp(verb, "get") == 0 && a.protocol != NULL && a.host != NULL &&
	    (c->url != NULL || (env != NULL && env[0] != '\0') || guts_ask_is_running(&c->home, &pid)) &&
	    guts_ask_open(c) == GUTS_EXIT_OK && c->secret != NULL && fits(&a, c->base))
		printf("username=guts\npassword=%s\n", c->secret);
	free(a.protocol);
	free(a.host);
	return GUTS_EXIT_OK;
}
