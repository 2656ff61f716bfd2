/* http/sessions.c - whose request it is: credentials in, rights out; codes, sessions, wrong tries.
 *
 * A cookie travels by itself, also from a page on another port of this host, so it is no proof that
 * our page asks.  For reads the browser's Sec-Fetch-Site or our header must say so; for writes
 * the header must hold the session's secret and Origin must be ours.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "crypto/key.h"
#include "http/authstate.h"

#include <stdio.h>
#include <strings.h>

static bool
has_prefix(struct guts_slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n > n && strncasecmp((const char *)s.p, prefix, n) == 0;
}

/* The token in an Authorization header; false if it holds none. */
static bool
header_token(struct guts_slice h, char text[GUTS_TOKEN_TEXT_SIZE], struct guts_slice *out)
{
	uint8_t plain[256];
	size_t n;

	for (size_t i = 0; i < 2; i++) {
		const char *scheme = i ? "token " : "bearer ";
		if (has_prefix(h, scheme)) {
			size_t skip = strlen(scheme);
			while (skip < h.n && h.p[skip] == ' ')
				skip++;
			*out = guts_slice(h.p + skip, h.n - skip);
			return true;
		}
	}
	if (!has_prefix(h, "basic ") || guts_base64_decode(plain, sizeof plain, guts_slice(h.p + 6, h.n - 6), &n) < 0)
		return false;
	const uint8_t *colon = memchr(plain, ':', n);
	size_t skip = colon ? (size_t)(colon - plain) + 1 : n;
	bool fits = n - skip < GUTS_TOKEN_TEXT_SIZE;
	if (fits) {
		memcpy(text, plain + skip, n - skip);
		*out = guts_slice(text, n - skip);
	}
	explicit_bzero(plain, sizeof plain);
	return fits;
}

static bool
origin_is_ours(const struct guts_guard *g, const char *public_url)
{
	struct guts_slice origin = g->v[GUTS_HEAD_ORIGIN], host = g->v[GUTS_HEAD_HOST];
	size_t n = strlen(public_url);

	while (n && public_url[n - 1] == '/')
		n--;
	if (n && origin.n == n && strncasecmp((const char *)origin.p, public_url, n) == 0)
		return true;
	for (size_t i = 0; i < 2; i++) {
		const char *scheme = i ? "https://" : "http://";
		size_t skip = strlen(scheme);
		if (has_prefix(origin, scheme) && origin.n - skip == host.n &&
		    strncasecmp((const char *)origin.p + skip, (const char *)host.p, host.n) == 0)
			return true;
	}
	return false;
}

static bool
slice_is(struct guts_slice s, const char *text)
{
	return guts_slice_eq(s, guts_slice_str(text));
}

/* May the session's cookie count for this request? */
static bool
cookie_counts(const struct guts_guard *g, const struct guts_session *s, const char *public_url)
{
	struct guts_slice csrf = g->v[GUTS_HEAD_CSRF];
	bool secret = csrf.n == 64 && guts_mem_eq_ct(csrf.p, s->csrf, 64);

	if (g->method & (GUTS_GET | GUTS_HEAD))
		return secret || slice_is(g->v[GUTS_HEAD_SEC_FETCH_SITE], "same-origin");
	return secret && g->v[GUTS_HEAD_ORIGIN].p && origin_is_ours(g, public_url);
}

static struct guts_session *
find_session(struct guts_auth *a, struct guts_slice cookie, uint64_t now_ms)
{
	struct guts_session *found = NULL;
	uint8_t hash[32];

	if (cookie.n != 64)
		return NULL;
	guts_sha256(hash, cookie);
	for (size_t i = 0; i < GUTS_SESSIONS_MAX; i++) {
		struct guts_session *s = &a->sessions[i];
		if (s->used && guts_mem_eq_ct(s->hash, hash, sizeof hash))
			found = s;
	}
	if (!found)
		return NULL;
	bool late = now_ms - found->last_ms > UINT64_C(1000) * GUTS_SESSION_S && now_ms > found->last_ms;
	return late || (found->token && !guts_token_holds(a, found->token, now_ms)) ? NULL : found;
}

static void
fill_session(struct guts_who *who, const struct guts_session *s)
{
	who->kind = GUTS_WHO_SESSION;
	who->scopes = s->token ? s->token->scopes : GUTS_CAN_READ | GUTS_CAN_WRITE | GUTS_CAN_CI | GUTS_CAN_ADMIN;
	who->token = s->token ? guts_token_ref(s->token) : NULL;
	who->expires_ms = s->last_ms + UINT64_C(1000) * GUTS_SESSION_S;
	memcpy(who->csrf, s->csrf, sizeof who->csrf);
}

int
guts_auth_check(struct guts_auth *a, const struct guts_guard *g, bool open, const char *cookie,
    const char *public_url, uint64_t now_ms, struct guts_who *who)
{
	char text[GUTS_TOKEN_TEXT_SIZE];
	struct guts_slice token;

	memset(who, 0, sizeof *who);
	who->open = open;
	if (g->v[GUTS_HEAD_AUTHORIZATION].p) {
		if (!header_token(g->v[GUTS_HEAD_AUTHORIZATION], text, &token))
			return GUTS_EDENIED;
		who->token = guts_auth_lookup(a, token, now_ms);
		explicit_bzero(text, sizeof text);
		if (!who->token)
			return GUTS_EDENIED;
		who->kind = GUTS_WHO_TOKEN;
		who->scopes = who->token->scopes;
		who->expires_ms = who->token->expires_ms;
		return 0;
	}
	if (!g->v[GUTS_HEAD_COOKIE].p)
		return 0;
	struct guts_slice value = guts_guard_cookie(g->v[GUTS_HEAD_COOKIE], cookie);
	if (!value.p)
		return 0;
	pthread_mutex_lock(&a->lock);
	struct guts_session *s = find_session(a, value, now_ms);
	if (s && cookie_counts(g, s, public_url)) {
		s->last_ms = now_ms;
		fill_session(who, s);
	}
	pthread_mutex_unlock(&a->lock);
	return 0;
}

void
guts_who_deinit(struct guts_who *w)
{
	guts_token_unref(w->token);
	w->token = NULL;
	explicit_bzero(w->csrf, sizeof w->csrf);
}

bool
guts_who_can(const struct guts_who *w, enum guts_scope s)
{
	unsigned have = w->scopes;

	if (have & GUTS_CAN_ADMIN)
		return true;
	switch (s) {
	case GUTS_SCOPE_NONE:
		return true;
	case GUTS_SCOPE_PUBLIC:
		return w->open || have;
	case GUTS_SCOPE_READ:
		return have & (GUTS_CAN_READ | GUTS_CAN_WRITE);
	case GUTS_SCOPE_WRITE:
		return have & GUTS_CAN_WRITE;
	case GUTS_SCOPE_CI:
		return have & (GUTS_CAN_CI | GUTS_CAN_WRITE);
	case GUTS_SCOPE_ADMIN:
		break;
	}
	return false;
}

static bool
is_listed(const struct guts_who *w, const uint8_t repo[GUTS_REPOID_SIZE])
{
	if (!w->token || w->token->nrepos == 0)
		return true;
	for (size_t i = 0; i < w->token->nrepos; i++) {
		if (memcmp(w->token->repos[i], repo, GUTS_REPOID_SIZE) == 0)
			return true;
	}
	return false;
}

bool
guts_who_may_see(const struct guts_who *w, const uint8_t repo[GUTS_REPOID_SIZE], bool is_private)
{
	if (!is_private && w->open)
		return true;
	return w->scopes && is_listed(w, repo);
}

bool
guts_who_may_touch(const struct guts_who *w, const uint8_t repo[GUTS_REPOID_SIZE])
{
	return is_listed(w, repo);
}

struct guts_slice
guts_who_name(const struct guts_who *w)
{
	if (w->kind == GUTS_WHO_SESSION)
		return guts_slice(w->csrf, 64);
	return w->token ? guts_slice(w->token->hash, sizeof w->token->hash) : guts_slice(NULL, 0);
}

uint64_t
guts_who_class(const struct guts_who *w)
{
	uint64_t id = 0;

	if (!w->scopes)
		return 0;
	if (!w->token || w->token->nrepos == 0)
		return 1;
	memcpy(&id, w->token->hash, sizeof id);
	return id | 2;
}

/* -- wrong tries ------------------------------------------------------------------ */

static struct guts_tries *
tries_of(struct guts_auth *a, struct guts_slice network, uint64_t now_ms)
{
	uint8_t hash[GUTS_SHA256_SIZE];
	uint64_t address;

	_Static_assert(GUTS_AUTH_ADDRESSES == 256, "one byte picks the slot");
	guts_sha256(hash, network);
	memcpy(&address, hash, sizeof address);
	struct guts_tries *t = &a->tries[hash[sizeof address]];

	if (t->address != address || now_ms - t->since_ms > GUTS_AUTH_WINDOW_MS)
		*t = (struct guts_tries){ .address = address, .since_ms = now_ms };
	return t;
}

bool
guts_auth_is_throttled(struct guts_auth *a, struct guts_slice network, uint64_t now_ms)
{
	pthread_mutex_lock(&a->lock);
	bool late = tries_of(a, network, now_ms)->n >= GUTS_AUTH_TRIES;
	pthread_mutex_unlock(&a->lock);
	return late;
}

void
guts_auth_failed(struct guts_auth *a, struct guts_slice network, uint64_t now_ms)
{
	pthread_mutex_lock(&a->lock);
	tries_of(a, network, now_ms)->n++;
	pthread_mutex_unlock(&a->lock);
}

/* -- codes and sessions -------------------------------------------------------------- */

void
guts_auth_code(struct guts_auth *a, uint64_t now_ms, char code[65])
{
	struct guts_code *oldest = &a->codes[0];

	guts_auth_random_hex(code);
	pthread_mutex_lock(&a->lock);
	for (size_t i = 1; i < GUTS_CODES_MAX; i++) {
		if (a->codes[i].until_ms < oldest->until_ms)
			oldest = &a->codes[i];
	}
	guts_sha256(oldest->hash, guts_slice(code, 64));
	oldest->until_ms = now_ms + 1000 * GUTS_CODE_S;
	pthread_mutex_unlock(&a->lock);
}

bool
guts_auth_take_code(struct guts_auth *a, struct guts_slice code, uint64_t now_ms)
{
	uint8_t hash[32];
	bool good = false;

	guts_sha256(hash, code);
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < GUTS_CODES_MAX; i++) {
		struct guts_code *c = &a->codes[i];
		if (c->until_ms && guts_mem_eq_ct(c->hash, hash, sizeof hash)) {
			good = now_ms < c->until_ms;
			c->until_ms = 0;
		}
	}
	pthread_mutex_unlock(&a->lock);
	return good;
}

void
guts_auth_session(struct guts_auth *a, struct guts_token *token, uint64_t now_ms, char cookie[65],
    struct guts_who *who)
{
	struct guts_session *slot = &a->sessions[0];

	guts_auth_random_hex(cookie);
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < GUTS_SESSIONS_MAX && slot->used; i++) {
		if (!a->sessions[i].used || a->sessions[i].last_ms < slot->last_ms)
			slot = &a->sessions[i];
	}
	guts_token_unref(slot->token);
	memset(slot, 0, sizeof *slot);
	slot->used = true;
	slot->last_ms = now_ms;
	slot->token = token ? guts_token_ref(token) : NULL;
	guts_sha256(slot->hash, guts_slice(cookie, 64));
	guts_auth_random_hex(slot->csrf);
	fill_session(who, slot);
	pthread_mutex_unlock(&a->lock);
}

void
guts_auth_end_session(struct guts_auth *a, struct guts_slice cookie)
{
	pthread_mutex_lock(&a->lock);
	struct guts_session *s = find_session(a, cookie, 0);
	if (s) {
		guts_token_unref(s->token);
		memset(s, 0, sizeof *s);
	}
	pthread_mutex_unlock(&a->lock);
}
