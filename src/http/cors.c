/* http/cors.c - which other sites' pages may read answers: none, but those of http.cors_origins.
 *
 * Access-Control-Allow-Credentials is never sent: a page of another site brings a token of its own or reads what everybody may.
 *
 * Source: Fetch standard, section 3.2 (CORS protocol).
 */
#include "http/internal.h"

#include <microhttpd.h>
#include <stdio.h>
#include <strings.h>

#define HEADERS_IN "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id"
#define HEADERS_OUT \
	"ETag, Link, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, X-Total-Count"
#define MAX_AGE_S "600"

/* What Access-Control-Allow-Origin is to say; NULL: nothing. */
static const char *
allowed(const struct guts_req *r)
{
	struct guts_slice origin = r->head.v[GUTS_HEAD_ORIGIN];

	for (size_t i = 0; origin.n && i < r->access->ncors; i++) {
		const char *listed = r->access->cors[i];
		if (strcmp(listed, "*") == 0)
			return listed;
		if (strlen(listed) == origin.n && strncasecmp(listed, (const char *)origin.p, origin.n) == 0)
			return listed;
	}
	return NULL;
}

void
guts_cors_allow(const struct guts_req *r, struct MHD_Response *resp)
{
	const char *origin = allowed(r);

	if (r->access->ncors)
		MHD_add_response_header(resp, "Vary", "Origin");
	if (!origin)
		return;
	MHD_add_response_header(resp, "Access-Control-Allow-Origin", origin);
	MHD_add_response_header(resp, "Access-Control-Expose-Headers", HEADERS_OUT);
}

void
guts_cors_preflight(const struct guts_req *r, struct MHD_Response *resp, const char *methods)
{
	if (!r->head.v[GUTS_HEAD_CORS_METHOD].p || !allowed(r))
		return;
	MHD_add_response_header(resp, "Access-Control-Allow-Methods", methods);
	MHD_add_response_header(resp, "Access-Control-Allow-Headers", HEADERS_IN);
	MHD_add_response_header(resp, "Access-Control-Max-Age", MAX_AGE_S);
}
