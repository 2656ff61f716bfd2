/* http/guard.h - the checks that libmicrohttpd leaves out: smuggling, header syntax, Host.
 *
 * libmicrohttpd 0.9.75 takes two lengths, a length beside chunks, a space before the colon; any of
 * these lets a second request hide in the first.  Every header goes through guts_guard_add, and
 * guts_guard_end judges the whole; a refused request ends its connection.
 *
 * Source: RFC 9110, RFC 9112 sections 6 and 11.2.
 */
#ifndef GUTS_HTTP_GUARD_H
#define GUTS_HTTP_GUARD_H

#include "base/slice.h"

enum guts_method {
	GUTS_GET = 1,
	GUTS_HEAD = 2,
	GUTS_POST = 4,
	GUTS_PUT = 8,
	GUTS_PATCH = 16,
	GUTS_DELETE = 32,
	GUTS_OPTIONS = 64,
};

/* The headers we look at; views into the request.  p = NULL: not there. */
enum guts_head {
	GUTS_HEAD_HOST,
	GUTS_HEAD_AUTHORIZATION,
	GUTS_HEAD_CONTENT_TYPE,
	GUTS_HEAD_CONTENT_ENCODING,
	GUTS_HEAD_COOKIE,
	GUTS_HEAD_ORIGIN,
	GUTS_HEAD_SEC_FETCH_SITE,
	GUTS_HEAD_CSRF,
	GUTS_HEAD_ACCEPT,
	GUTS_HEAD_ACCEPT_ENCODING,
	GUTS_HEAD_IF_MATCH,
	GUTS_HEAD_IF_NONE_MATCH,
	GUTS_HEAD_IF_RANGE,
	GUTS_HEAD_RANGE,
	GUTS_HEAD_LAST_EVENT_ID,
	GUTS_HEAD_GIT_PROTOCOL,
	GUTS_HEAD_REQUEST_ID,
	GUTS_HEAD_FORWARDED_FOR,
	GUTS_HEAD_FORWARDED_PROTO,
	GUTS_HEAD_IDEMPOTENCY_KEY,
	GUTS_HEAD_CORS_METHOD,
	GUTS_HEAD_EXPECT,
	GUTS_HEAD_TRANSFER_ENCODING,
	GUTS_HEAD_CONTENT_LENGTH,
	GUTS_HEAD_N
};

struct guts_guard {
	struct guts_slice v[GUTS_HEAD_N];
	enum guts_method method;
	bool is_http10;
	bool is_chunked;
	bool has_length;
	uint64_t length;      /* of the body, if has_length */
	int status;           /* 0 = fine so far, else the answer's */
	const char *why;
};

/* Begin with the request line's method and version. */
void guts_guard_begin(struct guts_guard *g, struct guts_slice method, struct guts_slice version);
void guts_guard_add(struct guts_guard *g, struct guts_slice name, struct guts_slice value);

/* Judge.  Returns the status to refuse with (g->why says why), or 0. */
int guts_guard_end(struct guts_guard *g);

/* Does a Host header name us?  Loopback names and addresses always; other address literals unless `loopback` (the
 * listener is bound to loopback); names of allowed[n], any case; any port.  Returns 0, 400 (malformed) or 421. */
int guts_guard_host(struct guts_slice host, bool loopback, const char *const *allowed, size_t n);

/* Does a comma-separated list header (Accept, Accept-Encoding) name `what` with q > 0? */
bool guts_guard_accepts(struct guts_slice list, const char *what);

/* Is the media type of a Content-Type header `type`, whatever its parameters? */
bool guts_guard_type_is(struct guts_slice value, const char *type);

/* Value of cookie `name`; p = NULL if it is not there or there twice. */
struct guts_slice guts_guard_cookie(struct guts_slice header, const char *name);

/* One part of a body, as a Range header asks for it. */
struct guts_range {
	uint64_t from, n;     /* [bytes] */
};
enum guts_range_kind {
	GUTS_RANGE_WHOLE,     /* none asked for, or in a form that we do not take: several, other units, malformed */
	GUTS_RANGE_PART,
	GUTS_RANGE_OUTSIDE,   /* 416 */
};

/* What a Range header asks of a body of `size` bytes.  Source: RFC 9110 section 14. */
enum guts_range_kind guts_guard_range(struct guts_slice value, uint64_t size, struct guts_range *out);

/* Does an If-Match or If-None-Match header name `etag` (with its quotes), or is it "*"? */
bool guts_guard_matches(struct guts_slice header, const char *etag);

#endif
