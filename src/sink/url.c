/* sink/url.c - one small grammar for addresses in the configuration and lines of the credentials file. */
#include "sink/url.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

static const struct scheme {
	const char *name;
	enum guts_broker_kind kind;
	bool is_tls;
	uint16_t port;
} schemes[] = {
	{ "mqtt://", GUTS_BROKER_MQTT, false, 1883 },
	{ "mqtts://", GUTS_BROKER_MQTT, true, 8883 },
	{ "nats://", GUTS_BROKER_NATS, false, 4222 },
	{ "tls://", GUTS_BROKER_NATS, true, 4222 },
};

const char *
guts_broker_kind_name(enum guts_broker_kind kind)
{
	return kind == GUTS_BROKER_MQTT ? "mqtt" : "nats";
}

static struct guts_slice
after(struct guts_slice s, size_t n)
{
	return guts_slice(s.p + n, s.n - n);
}

/* The text before `c`, which is cut off *s with it; all of it if there is no `c`. */
static struct guts_slice
cut(struct guts_slice *s, char c)
{
	const uint8_t *at = s->n ? memchr(s->p, c, s->n) : NULL;
	struct guts_slice head = at ? guts_slice(s->p, (size_t)(at - s->p)) : *s;

	*s = at ? after(*s, head.n + 1) : after(*s, head.n);
	return head;
}

/* Percent-decoded, without control characters. */
static bool
decode(char out[GUTS_BROKER_SECRET_MAX + 1], struct guts_slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '%' && (s.n - i < 3 || guts_hex_decode(&c, 1, guts_slice(s.p + i + 1, 2))))
			return false;
		i += s.p[i] == '%' ? 2 : 0;
		if (n == GUTS_BROKER_SECRET_MAX)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return guts_text_is_clean(guts_slice(out, n), false);
}

static bool
take_user(struct guts_broker_url *u, struct guts_slice *s)
{
	const uint8_t *at = memrchr(s->p, '@', s->n);
	struct guts_slice given, user;

	if (!at)
		return true;
	given = guts_slice(s->p, (size_t)(at - s->p));
	*s = after(*s, given.n + 1);
	user = cut(&given, ':');
	u->has_password = user.p + user.n != at;
	return user.n > 0 && decode(u->user, user) && decode(u->password, given);
}

static bool
take_host(struct guts_broker_url *u, struct guts_slice *s)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	static const char v6[] = "0123456789abcdefABCDEF:.";
	bool is_v6 = s->n && s->p[0] == '[';
	struct guts_slice all = *s, host;

	if (is_v6) {
		if (!memchr(s->p, ']', s->n))
			return false;
		*s = after(*s, 1);
		host = cut(s, ']');
		if (s->n && s->p[0] != ':')
			return false;
	} else {
		host = cut(s, ':');
		*s = after(all, host.n);
	}
	if (host.n == 0 || host.n > GUTS_BROKER_HOST_MAX)
		return false;
	memcpy(u->host, host.p, host.n);
	u->host[host.n] = '\0';
	return strspn(u->host, is_v6 ? v6 : name) == host.n;
}

int
guts_broker_url_parse(struct guts_broker_url *u, struct guts_slice text, struct guts_errinfo *ei)
{
	const struct scheme *scheme = NULL;
	uint64_t port;

	memset(u, 0, sizeof *u);
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0] && !scheme; i++) {
		size_t n = strlen(schemes[i].name);

		if (text.n > n && memcmp(text.p, schemes[i].name, n) == 0)
			scheme = &schemes[i];
	}
	if (!scheme)
		return guts_err_set(ei, GUTS_EINVAL, "it begins with none of mqtt://, mqtts://, nats://, tls://");
	u->kind = scheme->kind;
	u->is_tls = scheme->is_tls;
	port = scheme->port;
	text = after(text, strlen(scheme->name));
	if (text.n > GUTS_BROKER_URL_MAX || !take_user(u, &text) || !take_host(u, &text) ||
	    (text.n && (text.p[0] != ':' || guts_text_u64(after(text, 1), 65535, &port) || port == 0)))
		return guts_err_set(ei, GUTS_EINVAL, "it is not %sHOST or %sHOST:PORT", scheme->name, scheme->name);
	u->port = (uint16_t)port;
	return GUTS_OK;
}

int
guts_broker_url_credentials(struct guts_broker_url *u, struct guts_slice file, struct guts_errinfo *ei)
{
	struct guts_broker_url given;
	struct guts_errinfo why;
	bool found = false;
	int err = GUTS_OK;

	for (unsigned number = 1; file.n && !found && !err; number++) {
		struct guts_slice line = cut(&file, '\n');

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		err = guts_broker_url_parse(&given, line, &why);
		if (err)
			guts_err_set(ei, err, "line %u: %s", number, why.text);
		found = !err && given.kind == u->kind && given.is_tls == u->is_tls && given.port == u->port &&
		    strcasecmp(given.host, u->host) == 0;
	}
	if (found)
		*u = given;
	explicit_bzero(&given, sizeof given);
	return err;
}
