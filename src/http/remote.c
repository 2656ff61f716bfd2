/* http/remote.c - X-Forwarded-For is read from its right end until somebody is named who is no proxy of ours. */
#include "http/remote.h"

#include <string.h>
#include <strings.h>

int
guts_proxies_add(struct guts_proxies *p, const char *text, struct guts_errinfo *ei)
{
	if (strcmp(text, "unix") == 0) {
		p->socket = true;
		return GUTS_OK;
	}
	if (p->n == GUTS_PROXIES_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "at most %d networks", GUTS_PROXIES_MAX);
	if (guts_ipnet_parse(&p->net[p->n], text, ei))
		return GUTS_EINVAL;
	p->n++;
	return GUTS_OK;
}

static bool
is_trusted(const struct guts_proxies *p, const uint8_t ip[GUTS_IP_SIZE])
{
	for (size_t i = 0; i < p->n; i++) {
		if (guts_ipnet_has(&p->net[i], ip))
			return true;
	}
	return false;
}

/* Cut the last entry off a comma-separated list; false if there is none. */
static bool
last_entry(struct guts_slice *list, struct guts_slice *out)
{
	size_t at = list->n;

	if (list->n == 0)
		return false;
	while (at > 0 && list->p[at - 1] != ',')
		at--;
	*out = guts_slice(list->p + at, list->n - at);
	*list = guts_slice(list->p, at > 0 ? at - 1 : 0);
	while (out->n && (out->p[0] == ' ' || out->p[0] == '\t'))
		*out = guts_slice(out->p + 1, out->n - 1);
	while (out->n && (out->p[out->n - 1] == ' ' || out->p[out->n - 1] == '\t'))
		out->n--;
	return true;
}

/* Follow the proxies' words; what cannot be read ends the search at the proxy that said it. */
static void
follow(struct guts_remote *r, const struct guts_proxies *p, struct guts_slice list)
{
	struct guts_slice entry;
	uint8_t ip[GUTS_IP_SIZE];

	while (last_entry(&list, &entry)) {
		if (guts_ip_parse(ip, entry)) {
			r->is_local = false;
			return;
		}
		memcpy(r->ip, ip, sizeof ip);
		r->is_local = guts_ip_is_loopback(ip);
		if (!is_trusted(p, ip))
			return;
	}
}

void
guts_remote_find(struct guts_remote *r, const struct guts_proxies *p, const struct sockaddr *from, bool is_tls,
    const struct guts_guard *g)
{
	struct guts_slice proto = g->v[GUTS_HEAD_FORWARDED_PROTO], last;
	bool is_ip;

	memset(r, 0, sizeof *r);
	is_ip = from && guts_ip_of(r->ip, from);
	if (!is_ip)
		r->ip[GUTS_IP_SIZE - 1] = 1;
	r->is_local = guts_ip_is_loopback(r->ip);
	r->is_https = is_tls;
	if (is_ip ? !is_trusted(p, r->ip) : !p->socket)
		return;
	follow(r, p, g->v[GUTS_HEAD_FORWARDED_FOR]);
	if (last_entry(&proto, &last))
		r->is_https = last.n == 5 && strncasecmp((const char *)last.p, "https", 5) == 0;
}

struct guts_slice
guts_remote_network(const struct guts_remote *r)
{
	return guts_slice(r->ip, guts_ip_is_v4(r->ip) ? GUTS_IP_SIZE : GUTS_IP_SIZE / 2);
}
