/* http/access.c - options of http.* made into what requests are held against. */
#include "http/access.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void
read_public_url(struct guts_access *a, const struct guts_conf *c)
{
	const char *url = guts_conf_text(c, GUTS_CONF_HTTP_PUBLIC_URL);
	size_t n = strnlen(url, sizeof a->public_url - 1);

	memcpy(a->public_url, url, n);
	while (n && a->public_url[n - 1] == '/')
		a->public_url[--n] = 0;
}

static void
read_hosts(struct guts_access *a, const struct guts_conf *c)
{
	const char *at = strstr(a->public_url, "://");

	for (size_t i = 0; i < guts_conf_count(c, GUTS_CONF_HTTP_ALLOWED_HOSTS); i++)
		a->hosts[a->nhosts++] = guts_strdup(guts_conf_item(c, GUTS_CONF_HTTP_ALLOWED_HOSTS, i));
	if (at)
		a->hosts[a->nhosts++] = guts_asprintf("%.*s", (int)strcspn(at + 3, "/:"), at + 3);
}

/* "*", or a scheme and an authority without a path. */
static bool
is_origin(const char *s)
{
	const char *at = strstr(s, "://");

	if (strcmp(s, "*") == 0)
		return true;
	return at && at != s && at[3] && !strpbrk(at + 3, "/?#@*, ");
}

static int
read_cors(struct guts_access *a, const struct guts_conf *c, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	*at = GUTS_CONF_HTTP_CORS_ORIGINS;
	for (size_t i = 0; i < guts_conf_count(c, *at); i++) {
		const char *origin = guts_conf_item(c, *at, i);
		if (!is_origin(origin))
			return guts_err_set(ei, GUTS_EINVAL, "http.cors_origins: \"%.100s\" is neither * nor like https://app.example", origin);
		a->cors[a->ncors++] = guts_strdup(origin);
	}
	return GUTS_OK;
}

static int
read_proxies(struct guts_access *a, const struct guts_conf *c, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	struct guts_errinfo why;

	*at = GUTS_CONF_HTTP_TRUSTED_PROXIES;
	for (size_t i = 0; i < guts_conf_count(c, *at); i++) {
		if (guts_proxies_add(&a->proxies, guts_conf_item(c, *at, i), &why) < 0)
			return guts_err_set(ei, GUTS_EINVAL, "http.trusted_proxies: %s", why.text);
	}
	return GUTS_OK;
}

int
guts_access_new(struct guts_access **out, const struct guts_conf *c, enum guts_conf_id *at, struct guts_errinfo *ei)
{
	struct guts_access *a = guts_alloc(sizeof *a);
	int err;

	a->refcount = 1;
	read_public_url(a, c);
	read_hosts(a, c);
	a->public_read = guts_conf_bool(c, GUTS_CONF_HTTP_PUBLIC_READ);
	a->local_read = guts_conf_bool(c, GUTS_CONF_HTTP_LOCAL_READ);
	a->limit_loopback = guts_conf_bool(c, GUTS_CONF_HTTP_LIMIT_LOOPBACK);
	a->token_rate = guts_conf_number(c, GUTS_CONF_HTTP_TOKEN_RATE);
	a->address_rate = guts_conf_number(c, GUTS_CONF_HTTP_ADDRESS_RATE);
	a->max_streams = guts_conf_number(c, GUTS_CONF_HTTP_MAX_STREAMS);
	a->client_streams = guts_conf_number(c, GUTS_CONF_HTTP_CLIENT_STREAMS);
	a->pack_bytes = guts_conf_number(c, GUTS_CONF_LIMITS_PACK);
	if ((err = read_cors(a, c, at, ei)) < 0 || (err = read_proxies(a, c, at, ei)) < 0) {
		guts_access_unref(a);
		return err;
	}
	*out = a;
	return GUTS_OK;
}

void
guts_access_unref(struct guts_access *a)
{
	if (!a || atomic_fetch_sub(&a->refcount, 1) != 1)
		return;
	for (size_t i = 0; i < a->nhosts; i++)
		free(a->hosts[i]);
	for (size_t i = 0; i < a->ncors; i++)
		free(a->cors[i]);
	free(a);
}
