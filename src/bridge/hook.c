/* bridge/hook.c - what a hook wants, and its form in the database.
 *
 *	u8 form (1) | u8 flags | u8 format | be64 created | be64 updated | be64 since fact | be64 since message |
 *	four texts (url, secret, authorization, branches), each be16 n and bytes | u8 events, each u8 n and bytes
 */
#include "bridge/hook.h"

#include "base/be.h"
#include "base/cursor.h"
#include "base/text.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FORM 1

enum { ACTIVE = 1, ALL_AUTHORS = 2, ANY_CERTIFICATE = 4 };

static const struct {
	const char *name;
	bool of_repo;
} events[] = {
	{ "*", true },
	{ "push", true },
	{ "create", true },
	{ "delete", true },
	{ "status", true },
	{ "repository", true },
	{ "ping", true },
	{ "repo.sync.*", true },
	{ "repo.sync.failed", true },
	{ "repo.sync.progress", true },
	{ "peer.*", false },
	{ "peer.connected", false },
	{ "peer.disconnected", false },
	{ "peer.banned", false },
	{ "peer.lifted", false },
	{ "peer.penalized", false },
	{ "gossip.*", false },
	{ "gossip.message", false },
};

static const char *const formats[] = {
	[GUTS_HOOK_GITHUB] = "github",
	[GUTS_HOOK_GITEA] = "gitea",
	[GUTS_HOOK_CLOUDEVENTS] = "cloudevents",
};

bool
guts_hook_event_exists(const char *name, bool of_repo)
{
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		if (strcmp(events[i].name, name) == 0)
			return events[i].of_repo || !of_repo;
	}
	return false;
}

const char *
guts_hook_format_name(enum guts_hook_format f)
{
	return formats[f];
}

int
guts_hook_format_parse(enum guts_hook_format *f, const char *name)
{
	for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strcmp(formats[i], name) == 0) {
			*f = (enum guts_hook_format)i;
			return GUTS_OK;
		}
	}
	return GUTS_EINVAL;
}

static bool
names(const struct guts_hook *h, const char *name, size_t shortest)
{
	for (size_t i = 0; i < h->nevents; i++) {
		size_t n = strlen(h->events[i]);

		if (n < shortest)
			continue;
		if (n && h->events[i][n - 1] == '*' ? strncmp(h->events[i], name, n - 1) == 0 :
		    strcmp(h->events[i], name) == 0)
			return true;
	}
	return false;
}

bool
guts_hook_names(const struct guts_hook *h, const char *name)
{
	return names(h, name, 1);
}

bool
guts_hook_asks_for(const struct guts_hook *h, const char *name)
{
	return names(h, name, 2); /* longer than "*" */
}

bool
guts_branch_fits(const char *globs, const char *branch)
{
	size_t n = strlen(globs);
	char one[GUTS_HOOK_BRANCHES_MAX + 1];

	if (n == 0)
		return true;
	if (globs[0] != '{' || globs[n - 1] != '}')
		return fnmatch(globs, branch, 0) == 0;
	for (const char *p = globs + 1; p < globs + n;) {
		size_t len = strcspn(p, ",}");

		snprintf(one, sizeof one, "%.*s", (int)len, p);
		if (fnmatch(one, branch, 0) == 0)
			return true;
		p += len + 1;
	}
	return false;
}

bool
guts_hook_wants(const struct guts_hook *h, const struct guts_hook_event *e)
{
	if (!e->is_signal && (e->message ? e->message <= h->since_message : e->fact <= h->since_fact))
		return false;
	if (h->has_repo && (e->repo == NULL || memcmp(h->repo, e->repo, sizeof h->repo) != 0))
		return false;
	if ((e->is_other && !h->all_authors) || (e->branch && !guts_branch_fits(h->branches, e->branch)))
		return false;
	return e->is_signal ? guts_hook_asks_for(h, e->name) : guts_hook_names(h, e->name);
}

int
guts_hook_url_check(const char *url, struct guts_errinfo *ei)
{
	const char *host = strncasecmp(url, "http://", 7) == 0 ? url + 7 : strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
	size_t n = host ? strcspn(host, "/?#") : 0;

	if (host == NULL)
		return guts_err_set(ei, GUTS_EINVAL, "must begin with http:// or https://");
	if (n == 0 || host[0] == ':')
		return guts_err_set(ei, GUTS_EINVAL, "names no host");
	if (memchr(host, '@', n))
		return guts_err_set(ei, GUTS_EINVAL, "may not hold credentials: give an authorization header");
	for (const char *p = url; *p; p++) {
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return guts_err_set(ei, GUTS_EINVAL, "must be ASCII without spaces");
	}
	return GUTS_OK;
}

/* -- in the database -------------------------------------------------------------------------- */

void
guts_hook_key(uint8_t key[GUTS_HOOK_KEY_SIZE], const struct guts_hook *h)
{
	memset(key, 0, GUTS_HOOK_KEY_SIZE);
	if (h->has_repo)
		memcpy(key, h->repo, GUTS_REPOID_SIZE);
	guts_put_be64(key + GUTS_REPOID_SIZE, h->id);
}

static void
add_text(struct guts_buf *out, const char *s)
{
	guts_buf_add_be16(out, (uint16_t)strlen(s));
	guts_buf_add_str(out, s);
}

void
guts_hook_encode(struct guts_buf *out, const struct guts_hook *h)
{
	guts_buf_add_u8(out, FORM);
	guts_buf_add_u8(out, (uint8_t)((h->active ? ACTIVE : 0) | (h->all_authors ? ALL_AUTHORS : 0) |
	    (h->any_certificate ? ANY_CERTIFICATE : 0)));
	guts_buf_add_u8(out, (uint8_t)h->format);
	guts_buf_add_be64(out, h->created_ms);
	guts_buf_add_be64(out, h->updated_ms);
	guts_buf_add_be64(out, h->since_fact);
	guts_buf_add_be64(out, h->since_message);
	add_text(out, h->url);
	add_text(out, h->secret);
	add_text(out, h->authorization);
	add_text(out, h->branches);
	guts_buf_add_u8(out, (uint8_t)h->nevents);
	for (size_t i = 0; i < h->nevents; i++) {
		guts_buf_add_u8(out, (uint8_t)strlen(h->events[i]));
		guts_buf_add_str(out, h->events[i]);
	}
}

static void
take_text(struct guts_cursor *c, char *to, size_t n, size_t size)
{
	struct guts_slice s = guts_cursor_bytes(c, n);

	if (s.n >= size)
		guts_cursor_fail(c);
	else if (s.n)
		memcpy(to, s.p, s.n);
}

int
guts_hook_decode(struct guts_hook *h, struct guts_slice key, struct guts_slice value)
{
	static const uint8_t none[GUTS_REPOID_SIZE];
	struct guts_cursor c;
	uint8_t form, flags;

	memset(h, 0, sizeof *h);
	if (key.n != GUTS_HOOK_KEY_SIZE)
		return GUTS_EPROTO;
	memcpy(h->repo, key.p, sizeof h->repo);
	h->has_repo = memcmp(h->repo, none, sizeof none) != 0;
	guts_cursor_init(&c, guts_slice(key.p + GUTS_REPOID_SIZE, 8));
	h->id = guts_cursor_be64(&c);
	guts_cursor_init(&c, value);
	form = guts_cursor_u8(&c);
	if (form != FORM)
		return form > FORM ? GUTS_EUNSUPPORTED : GUTS_EPROTO;
	flags = guts_cursor_u8(&c);
	h->active = flags & ACTIVE;
	h->all_authors = flags & ALL_AUTHORS;
	h->any_certificate = flags & ANY_CERTIFICATE;
	h->format = guts_cursor_u8(&c);
	if (h->format > GUTS_HOOK_CLOUDEVENTS)
		guts_cursor_fail(&c);
	h->created_ms = guts_cursor_be64(&c);
	h->updated_ms = guts_cursor_be64(&c);
	h->since_fact = guts_cursor_be64(&c);
	h->since_message = guts_cursor_be64(&c);
	take_text(&c, h->url, guts_cursor_be16(&c), sizeof h->url);
	take_text(&c, h->secret, guts_cursor_be16(&c), sizeof h->secret);
	take_text(&c, h->authorization, guts_cursor_be16(&c), sizeof h->authorization);
	take_text(&c, h->branches, guts_cursor_be16(&c), sizeof h->branches);
	h->nevents = guts_cursor_u8(&c);
	if (h->nevents > GUTS_HOOK_EVENTS_MAX)
		guts_cursor_fail(&c);
	for (size_t i = 0; i < h->nevents && guts_cursor_ok(&c); i++)
		take_text(&c, h->events[i], guts_cursor_u8(&c), sizeof h->events[i]);
	return guts_cursor_done(&c) ? GUTS_OK : GUTS_EPROTO;
}
