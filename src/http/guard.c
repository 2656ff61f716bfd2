/* http/guard.c - about a microsecond per request that keeps one request one request.
 *
 * Names must be tokens, values without control bytes; framing headers come once and in one
 * spelling; Host comes once.  What libmicrohttpd does not show (bare LF, obsolete folds, NUL in a
 * value) cannot be judged here; and it takes a line that begins with a colon as the end of the headers, so that the next
 * header line is judged as a request line, which it is not.
 */
#include "http/guard.h"

#include "base/err.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

static const struct {
	const char *name;
	size_t n;
} head_names[GUTS_HEAD_N] = {
#define NAME(s) { s, sizeof s - 1 }
	[GUTS_HEAD_HOST] = NAME("host"),
	[GUTS_HEAD_AUTHORIZATION] = NAME("authorization"),
	[GUTS_HEAD_CONTENT_TYPE] = NAME("content-type"),
	[GUTS_HEAD_CONTENT_ENCODING] = NAME("content-encoding"),
	[GUTS_HEAD_COOKIE] = NAME("cookie"),
	[GUTS_HEAD_ORIGIN] = NAME("origin"),
	[GUTS_HEAD_SEC_FETCH_SITE] = NAME("sec-fetch-site"),
	[GUTS_HEAD_CSRF] = NAME("x-guts-csrf"),
	[GUTS_HEAD_ACCEPT] = NAME("accept"),
	[GUTS_HEAD_ACCEPT_ENCODING] = NAME("accept-encoding"),
	[GUTS_HEAD_IF_MATCH] = NAME("if-match"),
	[GUTS_HEAD_IF_NONE_MATCH] = NAME("if-none-match"),
	[GUTS_HEAD_IF_RANGE] = NAME("if-range"),
	[GUTS_HEAD_RANGE] = NAME("range"),
	[GUTS_HEAD_LAST_EVENT_ID] = NAME("last-event-id"),
	[GUTS_HEAD_GIT_PROTOCOL] = NAME("git-protocol"),
	[GUTS_HEAD_REQUEST_ID] = NAME("x-request-id"),
	[GUTS_HEAD_FORWARDED_FOR] = NAME("x-forwarded-for"),
	[GUTS_HEAD_FORWARDED_PROTO] = NAME("x-forwarded-proto"),
	[GUTS_HEAD_IDEMPOTENCY_KEY] = NAME("idempotency-key"),
	[GUTS_HEAD_CORS_METHOD] = NAME("access-control-request-method"),
	[GUTS_HEAD_EXPECT] = NAME("expect"),
	[GUTS_HEAD_TRANSFER_ENCODING] = NAME("transfer-encoding"),
	[GUTS_HEAD_CONTENT_LENGTH] = NAME("content-length"),
#undef NAME
};

/* What each proxy may add a line to; the nearest one's is the last. */
static bool
may_grow(size_t head)
{
	return head == GUTS_HEAD_FORWARDED_FOR || head == GUTS_HEAD_FORWARDED_PROTO;
}

/* Lists that may come in several lines; of these the first is looked at. */
static bool
may_repeat(size_t head)
{
	return head == GUTS_HEAD_ACCEPT || head == GUTS_HEAD_ACCEPT_ENCODING || head == GUTS_HEAD_IF_NONE_MATCH;
}

static bool
equals(struct guts_slice s, const char *text)
{
	size_t n = strlen(text);

	return s.n == n && strncasecmp((const char *)s.p, text, n) == 0;
}

static void
refuse(struct guts_guard *g, int status, const char *why)
{
	if (g->status == 0) {
		g->status = status;
		g->why = why;
	}
}

void
guts_guard_begin(struct guts_guard *g, struct guts_slice method, struct guts_slice version)
{
	static const struct {
		const char *name;
		enum guts_method m;
	} methods[] = { { "GET", GUTS_GET }, { "HEAD", GUTS_HEAD }, { "POST", GUTS_POST }, { "PUT", GUTS_PUT },
		{ "PATCH", GUTS_PATCH }, { "DELETE", GUTS_DELETE }, { "OPTIONS", GUTS_OPTIONS } };

	memset(g, 0, sizeof *g);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (guts_slice_eq(method, guts_slice_str(methods[i].name)))
			g->method = methods[i].m;
	}
	if (!g->method) {
		bool word = method.n > 0 && method.n <= 20;
		for (size_t i = 0; i < method.n; i++)
			word = word && method.p[i] >= 'A' && method.p[i] <= 'Z';
		refuse(g, word ? 501 : 400, word ? "unknown method" : "malformed method");
	}
	g->is_http10 = equals(version, "HTTP/1.0");
	if (!g->is_http10 && !equals(version, "HTTP/1.1"))
		refuse(g, 505, "unknown HTTP version");
}

static bool
is_token(struct guts_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
		if (!alnum && (c < 0x21 || c > 0x7e || strchr("\"(),/:;<=>?@[\\]{}", c)))
			return false;
	}
	return s.n > 0;
}

void
guts_guard_add(struct guts_guard *g, struct guts_slice name, struct guts_slice value)
{
	if (!is_token(name)) {
		refuse(g, 400, "malformed header name");
		return;
	}
	for (size_t i = 0; i < value.n; i++) {
		if ((value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f) {
			refuse(g, 400, "control byte in a header");
			return;
		}
	}
	for (size_t i = 0; i < GUTS_HEAD_N; i++) {
		if (name.n != head_names[i].n || strncasecmp((const char *)name.p, head_names[i].name, name.n) != 0)
			continue;
		if (!g->v[i].p || may_grow(i))
			g->v[i] = guts_slice(value.p ? value.p : (const uint8_t *)"", value.n);
		else if (!may_repeat(i))
			refuse(g, 400, "a header that may come once came twice");
		return;
	}
}

int
guts_guard_end(struct guts_guard *g)
{
	struct guts_slice te = g->v[GUTS_HEAD_TRANSFER_ENCODING], cl = g->v[GUTS_HEAD_CONTENT_LENGTH];

	if (te.p && cl.p)
		refuse(g, 400, "both Content-Length and Transfer-Encoding");
	if (te.p && (g->is_http10 || !equals(te, "chunked")))
		refuse(g, 400, "unknown Transfer-Encoding");
	g->is_chunked = te.p != NULL;
	if (cl.p) {
		if (guts_text_u64(cl, UINT64_C(1) << 53, &g->length) < 0)
			refuse(g, 400, "malformed Content-Length");
		g->has_length = true;
	}
	if (!g->v[GUTS_HEAD_HOST].p)
		refuse(g, 400, "Host is missing");
	if (g->v[GUTS_HEAD_EXPECT].p && !equals(g->v[GUTS_HEAD_EXPECT], "100-continue"))
		refuse(g, 417, "unknown expectation");
	if ((g->method & (GUTS_GET | GUTS_HEAD | GUTS_OPTIONS)) && (g->is_chunked || g->length))
		refuse(g, 400, "this method takes no body");
	return g->status;
}

/* Split host and port; false if malformed.  IPv6 literals lose their brackets. */
static bool
split_host(struct guts_slice in, char host[256], bool *v6)
{
	size_t n = 0;
	uint64_t port;

	*v6 = in.n && in.p[0] == '[';
	if (*v6) {
		const uint8_t *end = memchr(in.p, ']', in.n);
		if (!end)
			return false;
		n = (size_t)(end - in.p) - 1;
		if (n == 0 || n > 45)
			return false;
		memcpy(host, in.p + 1, n);
		in = guts_slice(end + 1, in.n - n - 2);
	} else {
		while (n < in.n && in.p[n] != ':')
			n++;
		if (n == 0 || n > 253)
			return false;
		memcpy(host, in.p, n);
		in = guts_slice(in.p + n, in.n - n);
	}
	host[n] = 0;
	if (strlen(host) != n || host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:")])
		return false;
	if (in.n == 0)
		return true;
	return in.p[0] == ':' && guts_text_u64(guts_slice(in.p + 1, in.n - 1), 65535, &port) == 0;
}

static bool
is_local_name(const char *host, size_t n)
{
	if (n > 1 && host[n - 1] == '.')
		n--;
	if (n == 9)
		return strncasecmp(host, "localhost", 9) == 0;
	return n > 10 && strncasecmp(host + n - 10, ".localhost", 10) == 0;
}

int
guts_guard_host(struct guts_slice in, bool loopback, const char *const *allowed, size_t n)
{
	char host[256];
	struct in_addr a4;
	struct in6_addr a6;
	bool v6;

	if (!split_host(in, host, &v6))
		return 400;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(allowed[i], host) == 0)
			return 0;
	}
	if (v6) {
		if (inet_pton(AF_INET6, host, &a6) != 1)
			return 400;
		if (IN6_IS_ADDR_LOOPBACK(&a6))
			return 0;
		return loopback || IN6_IS_ADDR_UNSPECIFIED(&a6) ? 421 : 0;
	}
	if (strchr(host, ':'))
		return 400;
	if (inet_pton(AF_INET, host, &a4) == 1) {
		if (ntohl(a4.s_addr) >> 24 == 127)
			return 0;
		return loopback || a4.s_addr == 0 ? 421 : 0;
	}
	return is_local_name(host, strlen(host)) ? 0 : 421;
}

/* Next entry of a comma-separated list, trimmed. */
static bool
next_entry(struct guts_slice *list, struct guts_slice *out)
{
	while (list->n && (list->p[0] == ',' || list->p[0] == ' ' || list->p[0] == '\t'))
		*list = guts_slice(list->p + 1, list->n - 1);
	if (list->n == 0)
		return false;
	const uint8_t *comma = memchr(list->p, ',', list->n);
	size_t n = comma ? (size_t)(comma - list->p) : list->n;
	*out = guts_slice(list->p, n);
	*list = guts_slice(list->p + n, list->n - n);
	while (out->n && (out->p[out->n - 1] == ' ' || out->p[out->n - 1] == '\t'))
		out->n--;
	return true;
}

/* The part before the first ';', trimmed. */
static struct guts_slice
before_params(struct guts_slice s)
{
	const uint8_t *semi = s.n ? memchr(s.p, ';', s.n) : NULL;

	if (semi)
		s.n = (size_t)(semi - s.p);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Is there a parameter q=0 (or 0.0 …)? */
static bool
is_refused(struct guts_slice entry)
{
	for (size_t i = 0; i + 3 < entry.n; i++) {
		if (entry.p[i] != ';')
			continue;
		size_t k = i + 1;
		while (k < entry.n && (entry.p[k] == ' ' || entry.p[k] == '\t'))
			k++;
		if (k + 2 >= entry.n || (entry.p[k] | 32) != 'q' || entry.p[k + 1] != '=' || entry.p[k + 2] != '0')
			continue;
		for (k += 3; k < entry.n && (entry.p[k] == '.' || entry.p[k] == '0'); k++)
			;
		return k == entry.n || entry.p[k] < '1' || entry.p[k] > '9';
	}
	return false;
}

bool
guts_guard_accepts(struct guts_slice list, const char *what)
{
	struct guts_slice e;

	while (next_entry(&list, &e)) {
		if (equals(before_params(e), what))
			return !is_refused(e);
	}
	return false;
}

/* Digits at the front of *s, taken off; false: there are none, or too many. */
static bool
take_number(struct guts_slice *s, uint64_t *out)
{
	size_t n = 0;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (n == 0 || guts_text_u64(guts_slice(s->p, n), INT64_MAX, out) < 0)
		return false;
	*s = guts_slice(s->p + n, s->n - n);
	return true;
}

enum guts_range_kind
guts_guard_range(struct guts_slice value, uint64_t size, struct guts_range *out)
{
	uint64_t from = 0, last = UINT64_MAX;
	bool is_suffix;

	if (value.n < 7 || memcmp(value.p, "bytes=", 6) != 0)
		return GUTS_RANGE_WHOLE;
	value = guts_slice(value.p + 6, value.n - 6);
	is_suffix = value.p[0] == '-';
	if (!is_suffix && !take_number(&value, &from))
		return GUTS_RANGE_WHOLE;
	if (value.n == 0 || value.p[0] != '-')
		return GUTS_RANGE_WHOLE;
	value = guts_slice(value.p + 1, value.n - 1);
	if (value.n == 0 ? is_suffix : !take_number(&value, &last) || value.n || last < from)
		return GUTS_RANGE_WHOLE;
	if (is_suffix) {
		if (last == 0 || size == 0)
			return GUTS_RANGE_OUTSIDE;
		from = last < size ? size - last : 0;
		last = size - 1;
	}
	if (from >= size)
		return GUTS_RANGE_OUTSIDE;
	*out = (struct guts_range){ from, (last < size ? last : size - 1) - from + 1 };
	return GUTS_RANGE_PART;
}

bool
guts_guard_type_is(struct guts_slice value, const char *type)
{
	return value.p && equals(before_params(value), type);
}

struct guts_slice
guts_guard_cookie(struct guts_slice header, const char *name)
{
	struct guts_slice found = guts_slice(NULL, 0);
	size_t n = strlen(name), at = 0;

	while (at < header.n) {
		while (at < header.n && (header.p[at] == ' ' || header.p[at] == ';'))
			at++;
		size_t end = at;
		while (end < header.n && header.p[end] != ';')
			end++;
		if (end - at > n && header.p[at + n] == '=' && memcmp(header.p + at, name, n) == 0) {
			if (found.p)
				return guts_slice(NULL, 0);
			found = guts_slice(header.p + at + n + 1, end - at - n - 1);
		}
		at = end;
	}
	return found;
}

bool
guts_guard_matches(struct guts_slice header, const char *etag)
{
	struct guts_slice e;

	while (next_entry(&header, &e)) {
		if (e.n > 2 && e.p[0] == 'W' && e.p[1] == '/')
			e = guts_slice(e.p + 2, e.n - 2);
		if (guts_slice_eq(e, guts_slice_str(etag)) || (e.n == 1 && e.p[0] == '*'))
			return true;
	}
	return false;
}
