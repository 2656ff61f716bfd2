/* http/assets.c - the dashboard's files, and one page for all of its addresses. */
#include "http/assets.h"

#include "base/alloc.h"
#include "http/api.h"

#include <microhttpd.h>
#include <stdlib.h>

/* Everything comes from the node itself; HTML is made only through DOMPurify's trusted types. */
#define PAGE_CSP                                                                                       \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " \
	"font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "      \
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify default"

static int
by_path(const void *key, const void *entry)
{
	return strcmp(key, ((const struct guts_asset *)entry)->path);
}

const struct guts_asset *
guts_asset_find(struct guts_slice path)
{
	char text[256];

	if (path.n == 1 && path.p[0] == '/')
		path = guts_slice_str("/index.html");
	if (path.n >= sizeof text || guts_assets_n == 0)
		return NULL;
	memcpy(text, path.p, path.n);
	text[path.n] = 0;
	return bsearch(text, guts_assets, guts_assets_n, sizeof guts_assets[0], by_path);
}

static void
reply_asset(struct guts_req *r, const struct guts_asset *a)
{
	bool packed = a->gzip && guts_guard_accepts(r->head.v[GUTS_HEAD_ACCEPT_ENCODING], "gzip");
	const char *cache = a->immutable ? "public, max-age=31536000, immutable" : "no-cache";
	const char *extra[] = { "Content-Type", a->type, "Cache-Control", cache, "ETag", a->etag, "Vary",
		"Accept-Encoding", "Content-Security-Policy", PAGE_CSP, packed ? "Content-Encoding" : NULL, "gzip", NULL };
	struct guts_slice body = packed ? guts_slice(a->gzip, a->ngzip) : guts_slice(a->data, a->n);
	struct guts_slice given = r->head.v[GUTS_HEAD_IF_NONE_MATCH];

	if (given.p && guts_guard_matches(given, a->etag)) {
		extra[10] = NULL;
		guts_reply(r, 304, guts_reply_nothing(), extra);
		return;
	}
	guts_reply(r, 200,
	    MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_PERSISTENT), extra);
}

/* Addresses of the dashboard's own pages all get the one page. */
static bool
wants_page(const struct guts_req *r)
{
	struct guts_slice accept = r->head.v[GUTS_HEAD_ACCEPT];

	return accept.p && guts_guard_accepts(accept, "text/html");
}

void
guts_assets_get(struct guts_req *r)
{
	static const char plain[] = "This is a guts node. It was built without the dashboard; its REST API is at /api/v1.\n";
	char path[1024] = "/";
	const struct guts_asset *a = NULL;

	if (r->target.nseg == 0 || guts_req_param_rest(r, 0, path + 1, sizeof path - 1))
		a = guts_asset_find(guts_slice_str(path));
	if (!a && wants_page(r))
		a = guts_asset_find(guts_slice_str("/"));
	if (a)
		reply_asset(r, a);
	else if (r->target.nseg == 0 && guts_assets_n == 0)
		guts_reply_text(r, 200, "text/plain; charset=utf-8", guts_slice(plain, sizeof plain - 1));
	else
		guts_reply_problem(r, 404, "no such address");
}
