/* http/reply.c - answers: headers that all have, problems, JSON with compression, pages, cached snapshots.
 *
 * Each answer is a response object of its own, with its request id and its asker's allowance; the bytes of a
 * cached snapshot are shared.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "crypto/key.h"
#include "http/idempotency.h"
#include "http/internal.h"
#include "view/view.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

static const char *const common[] = {
	"X-Content-Type-Options", "nosniff",
	"Referrer-Policy", "no-referrer",
	"Cross-Origin-Resource-Policy", "same-origin",
	NULL,
};

static bool
has_header(const char *const *extra, const char *name)
{
	for (; extra && *extra; extra += 2) {
		if (strcasecmp(*extra, name) == 0)
			return true;
	}
	return false;
}

static void
add_headers(struct MHD_Response *resp, const char *const *v)
{
	for (; v && *v; v += 2)
		MHD_add_response_header(resp, v[0], v[1]);
}

static void
dress(struct MHD_Response *resp, const char *const *extra)
{
	add_headers(resp, common);
	if (!has_header(extra, "Cache-Control"))
		MHD_add_response_header(resp, "Cache-Control", "no-store");
	if (!has_header(extra, "Content-Security-Policy"))
		MHD_add_response_header(resp, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
	add_headers(resp, extra);
}

struct MHD_Response *
guts_reply_nothing(void)
{
	return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

void
guts_reply_queue(struct guts_req *r, int status, struct MHD_Response *resp)
{
	r->answered = true;
	r->status = status;
	if (!r->is_over)
		MHD_queue_response(r->conn, (unsigned)status, resp);
	MHD_destroy_response(resp);
}

const char *
guts_req_id(struct guts_req *r)
{
	static atomic_ullong counter;

	if (!r->id[0])
		snprintf(r->id, sizeof r->id, "%08llx%08llx", (unsigned long long)(r->h->boot & 0xffffffff),
		    atomic_fetch_add(&counter, 1ULL) & 0xffffffff);
	return r->id;
}

/* How many requests the asker has left. */
static void
add_allowance(struct guts_req *r, struct MHD_Response *resp)
{
	const struct guts_allowance *a = &r->allowance;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = { { "X-RateLimit-Limit", a->limit }, { "X-RateLimit-Remaining", a->remaining },
		{ "X-RateLimit-Reset", guts_http_wall_ms() / 1000 + a->full_s } };
	char text[24];

	for (size_t i = 0; a->limit && i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(text, sizeof text, "%llu", (unsigned long long)rows[i].value);
		MHD_add_response_header(resp, rows[i].name, text);
	}
}

void
guts_reply(struct guts_req *r, int status, struct MHD_Response *resp, const char *const *extra)
{
	dress(resp, extra);
	MHD_add_response_header(resp, "X-Request-Id", guts_req_id(r));
	add_allowance(r, resp);
	guts_cors_allow(r, resp);
	if (!guts_idempotency_hold(r, status, resp))
		guts_reply_queue(r, status, resp);
}

void
guts_reply_lean(struct guts_req *r, int status, struct MHD_Response *resp, const char *const *extra)
{
	add_headers(resp, extra);
	guts_cors_allow(r, resp);
	if (!guts_idempotency_hold(r, status, resp))
		guts_reply_queue(r, status, resp);
}

/* A response object over the buffer's own memory. */
static struct MHD_Response *
adopt(struct guts_buf *b)
{
	size_t n = b->len;
	void *copy = guts_memdup(guts_buf_slice(b).p ? guts_buf_slice(b).p : (const uint8_t *)"", n);

	guts_buf_deinit(b);
	return MHD_create_response_from_buffer(n, copy, MHD_RESPMEM_MUST_FREE);
}

/* Compress into `out`; false if it did not get smaller. */
static bool
compress_gzip(struct guts_buf *out, struct guts_slice in)
{
	z_stream z;

	guts_buf_init(out, in.n);
	memset(&z, 0, sizeof z);
	if (in.n > INT32_MAX || deflateInit2(&z, 3, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	uint8_t *to = guts_buf_reserve(out, in.n);
	z.next_in = (Bytef *)(uintptr_t)in.p;
	z.avail_in = (uInt)in.n;
	z.next_out = to;
	z.avail_out = (uInt)in.n;
	bool done = to && deflate(&z, Z_FINISH) == Z_STREAM_END;
	if (done)
		guts_buf_commit(out, (size_t)z.total_out);
	deflateEnd(&z);
	if (!done)
		guts_buf_deinit(out);
	return done;
}

void
guts_reply_begin(struct guts_buf *b, struct guts_json *j)
{
	guts_buf_init(b, GUTS_HTTP_ANSWER_MAX);
	guts_json_init(j, b);
}

void
guts_reply_json(struct guts_req *r, int status, struct guts_buf *body, const char *const *extra)
{
	struct guts_buf small;
	bool packed = false;

	if (body->failed) {
		guts_buf_deinit(body);
		guts_reply_problem(r, 500, "the answer is too large");
		return;
	}
	guts_idempotency_keep(r, status, guts_buf_slice(body), extra);
	if (body->len >= GUTS_HTTP_GZIP_MIN && body->len <= GUTS_HTTP_GZIP_MAX &&
	    guts_guard_accepts(r->head.v[GUTS_HEAD_ACCEPT_ENCODING], "gzip"))
		packed = compress_gzip(&small, guts_buf_slice(body));
	if (packed)
		guts_buf_deinit(body);
	struct MHD_Response *resp = adopt(packed ? &small : body);
	MHD_add_response_header(resp, "Content-Type",
	    status >= 400 ? "application/problem+json" : "application/json; charset=utf-8");
	if (packed)
		MHD_add_response_header(resp, "Content-Encoding", "gzip");
	MHD_add_response_header(resp, "Vary", "Accept, Accept-Encoding, Authorization, Cookie");
	guts_reply(r, status, resp, extra);
}

void
guts_reply_body(struct guts_req *r, int status, struct guts_buf *body)
{
	if (body->len)
		guts_reply_json(r, status, body, NULL);
	else
		guts_reply_empty(r, status);
}

static void
reply_problem(struct guts_req *r, int status, const char *text, const char *code, const struct guts_body *b)
{
	const char *extra[5] = { NULL };
	char wait[24], allow[GUTS_ALLOW_SIZE];
	struct guts_buf body;
	struct guts_json j;
	bool git = r->match.route && r->match.route->kind == GUTS_ROUTE_GIT;

	guts_reply_begin(&body, &j);
	guts_view_problem(&j, &(struct guts_view_problem){ .status = status,
	    .title = MHD_get_reason_phrase_for((unsigned)status), .detail = text, .code = code,
	    .request_id = guts_req_id(r), .body = b });
	if (status == 401) {
		extra[0] = "WWW-Authenticate";
		extra[1] = git ? "Basic realm=\"guts\", charset=\"UTF-8\"" : "Bearer realm=\"guts\"";
	} else if (status == 405) {
		guts_router_allow(allow, r->match.allowed);
		extra[0] = "Allow";
		extra[1] = allow;
	} else if (status == 503 || status == 429) {
		extra[0] = "Retry-After";
		extra[1] = status == 429 ? "60" : "1";
		if (r->allowance.wait_s) {
			snprintf(wait, sizeof wait, "%llu", (unsigned long long)r->allowance.wait_s);
			extra[1] = wait;
		}
	}
	if (git) { /* git shows plain text to the person who waits */
		guts_buf_deinit(&body);
		struct MHD_Response *resp = MHD_create_response_from_buffer(strlen(text), guts_strdup(text),
		    MHD_RESPMEM_MUST_FREE);
		MHD_add_response_header(resp, "Content-Type", "text/plain; charset=utf-8");
		guts_reply(r, status, resp, extra);
		return;
	}
	guts_reply_json(r, status, &body, extra);
}

void
guts_reply_problem(struct guts_req *r, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	reply_problem(r, status, text, NULL, NULL);
}

void
guts_reply_err(struct guts_req *r, int err, const struct guts_errinfo *ei)
{
	const char *text = ei && ei->text[0] ? ei->text : guts_err_text(err);

	int status = guts_err_http_status(err);

	/* a well-formed body that asks for something impossible */
	if (err == GUTS_EINVAL && r->match.route && r->match.route->body == GUTS_BODY_JSON)
		status = 422;
	reply_problem(r, status, text, guts_err_name(err), NULL);
}

void
guts_reply_body_error(struct guts_req *r, int err, const struct guts_errinfo *ei, const struct guts_body *b)
{
	int status = err == GUTS_EINVAL ? 422 : 400;

	reply_problem(r, status, ei->text, status == 422 ? "invalid" : "malformed", b);
}

void
guts_reply_empty(struct guts_req *r, int status)
{
	guts_idempotency_keep(r, status, guts_slice("", 0), NULL);
	guts_reply(r, status, guts_reply_nothing(), NULL);
}

void
guts_reply_text(struct guts_req *r, int status, const char *type, struct guts_slice text)
{
	struct MHD_Response *resp = MHD_create_response_from_buffer(text.n,
	    guts_memdup(text.p ? text.p : (const uint8_t *)"", text.n), MHD_RESPMEM_MUST_FREE);

	MHD_add_response_header(resp, "Content-Type", type);
	guts_reply(r, status, resp, NULL);
}

static bool
asker_has(const struct guts_req *r, const char *etag)
{
	struct guts_slice given = r->head.v[GUTS_HEAD_IF_NONE_MATCH];

	return given.p && guts_guard_matches(given, etag);
}

bool
guts_reply_not_modified(struct guts_req *r, const char *etag)
{
	const char *extra[] = { "ETag", etag, "Cache-Control", "private, no-cache", NULL };

	if (!asker_has(r, etag))
		return false;
	guts_reply(r, 304, guts_reply_nothing(), extra);
	return true;
}

void
guts_reply_hashed(struct guts_req *r, struct guts_buf *body)
{
	uint8_t hash[32];
	char etag[2 * 16 + 3] = "\"";
	const char *extra[] = { "ETag", etag, "Cache-Control", "private, no-cache", NULL };

	guts_sha256(hash, guts_buf_slice(body));
	for (size_t i = 0; i < 16; i++)
		snprintf(etag + 1 + 2 * i, 3, "%02x", hash[i]);
	etag[33] = '"';
	if (guts_reply_not_modified(r, etag))
		guts_buf_deinit(body);
	else
		guts_reply_json(r, 200, body, extra);
}

/* -- cached snapshots ---------------------------------------------------------- */

/* What tells this question, by somebody of this class, from all others; a stranger must not be able to make two of them alike. */
static void
cache_key(uint8_t key[GUTS_SHA256_SIZE], const struct guts_req *r)
{
	const struct guts_target *t = &r->target;
	const struct {
		uint64_t who;
		uintptr_t lane; /* links may be made with the listener's own address */
		size_t nseg;
	} start = { guts_who_class(&r->who), (uintptr_t)r->lane, t->nseg };
	struct guts_sha256_ctx c;

	guts_sha256_begin(&c);
	guts_sha256_add(&c, guts_slice(&start, sizeof start));
	for (size_t i = 0; i < t->nseg; i++)
		guts_sha256_add_sized(&c, guts_target_segment(t, i));
	for (size_t i = 0; i < t->nquery; i++) {
		guts_sha256_add_sized(&c, guts_slice(t->text + t->query[i].key, t->query[i].nkey));
		guts_sha256_add_sized(&c, guts_slice(t->text + t->query[i].val, t->query[i].nval));
	}
	guts_sha256_end(&c, key);
}

struct guts_bytes {
	atomic_uint refcount;
	size_t n;
	uint8_t b[];
};

static struct guts_bytes *
bytes_of(struct guts_slice s)
{
	struct guts_bytes *b = guts_alloc(sizeof *b + s.n);

	atomic_init(&b->refcount, 1);
	b->n = s.n;
	memcpy(b->b, s.p, s.n);
	return b;
}

static void
unref_bytes(void *bytes)
{
	struct guts_bytes *b = bytes;

	if (b && atomic_fetch_sub(&b->refcount, 1) == 1)
		free(b);
}

static void
drop_entry(struct guts_cached *e)
{
	unref_bytes(e->plain);
	unref_bytes(e->gzip);
	for (size_t i = 0; i < sizeof e->extra / sizeof e->extra[0]; i++)
		free(e->extra[i]);
	memset(e, 0, sizeof *e);
}

void
guts_http_cache_clear(struct guts_http *h)
{
	for (size_t i = 0; i < GUTS_HTTP_CACHE_N; i++)
		drop_entry(&h->cache[i]);
}

static bool
wants_gzip(const struct guts_req *r)
{
	return r->head.v[GUTS_HEAD_ACCEPT_ENCODING].p &&
	    guts_guard_accepts(r->head.v[GUTS_HEAD_ACCEPT_ENCODING], "gzip");
}

/* Answer with an entry, under the lock: 304 if the asker has it. */
static void
reply_entry(struct guts_req *r, const struct guts_cached *e)
{
	const char *extra[15] = { "Content-Type", "application/json; charset=utf-8", "Cache-Control", "private, no-cache",
		"Vary", "Accept, Accept-Encoding, Authorization, Cookie", "ETag", e->etag };
	struct guts_bytes *bytes = e->plain;
	size_t n = 8;

	if (guts_reply_not_modified(r, e->etag))
		return;
	if (e->gzip && wants_gzip(r)) {
		bytes = e->gzip;
		extra[n++] = "Content-Encoding";
		extra[n++] = "gzip";
	}
	memcpy(extra + n, e->extra, sizeof e->extra);
	atomic_fetch_add(&bytes->refcount, 1);
	guts_reply(r, 200, MHD_create_response_from_buffer_with_free_callback_cls(bytes->n, bytes->b, unref_bytes, bytes), extra);
}

bool
guts_reply_cached(struct guts_req *r, uint64_t version)
{
	struct guts_http *h = r->h;
	uint8_t key[GUTS_SHA256_SIZE];
	bool found = false;

	cache_key(key, r);
	pthread_mutex_lock(&h->cache_lock);
	for (size_t i = 0; i < GUTS_HTTP_CACHE_N && !found; i++) {
		struct guts_cached *e = &h->cache[i];
		found = e->plain && e->version == version && memcmp(e->key, key, sizeof key) == 0;
		if (found)
			reply_entry(r, e);
	}
	pthread_mutex_unlock(&h->cache_lock);
	return found;
}

void
guts_reply_keep(struct guts_req *r, uint64_t version, struct guts_buf *body, const char *const *extra)
{
	struct guts_http *h = r->h;
	struct guts_cached fresh = { .version = version };
	struct guts_cached *slot = NULL;
	struct guts_buf small;
	char hex[17];

	if (body->failed) {
		guts_buf_deinit(body);
		guts_reply_problem(r, 500, "the answer is too large");
		return;
	}
	cache_key(fresh.key, r);
	guts_hex_encode(hex, fresh.key, sizeof hex / 2);
	snprintf(fresh.etag, sizeof fresh.etag, "\"%s-%llx-%llx\"", hex, (unsigned long long)h->boot, (unsigned long long)version);
	fresh.plain = bytes_of(guts_buf_slice(body));
	if (body->len >= GUTS_HTTP_GZIP_MIN && compress_gzip(&small, guts_buf_slice(body))) {
		fresh.gzip = bytes_of(guts_buf_slice(&small));
		guts_buf_deinit(&small);
	}
	guts_buf_deinit(body);
	for (size_t i = 0; extra && extra[i]; i++)
		fresh.extra[i] = guts_strdup(extra[i]);
	pthread_mutex_lock(&h->cache_lock);
	for (size_t i = 0; i < GUTS_HTTP_CACHE_N && !slot; i++) {
		if (memcmp(h->cache[i].key, fresh.key, sizeof fresh.key) == 0)
			slot = &h->cache[i];
	}
	if (!slot)
		slot = &h->cache[h->cache_next++ % GUTS_HTTP_CACHE_N];
	drop_entry(slot);
	*slot = fresh;
	reply_entry(r, slot);
	pthread_mutex_unlock(&h->cache_lock);
}

/* -- pages ----------------------------------------------------------------------- */

static void
add_encoded(struct guts_buf *b, struct guts_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool plain = (s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') ||
		    (s.p[i] && strchr("-._~", s.p[i]));
		if (plain)
			guts_buf_add_u8(b, s.p[i]);
		else
			guts_buf_printf(b, "%%%02X", s.p[i]);
	}
}

void
guts_req_path(const struct guts_req *r, struct guts_buf *out)
{
	for (size_t i = 0; i < r->target.nseg; i++) {
		guts_buf_add_u8(out, '/');
		add_encoded(out, guts_target_segment(&r->target, i));
	}
}

/* What was asked for, but for the parameters `but`. */
static void
add_query(struct guts_buf *b, const struct guts_target *t, const char *const *but)
{
	for (size_t i = 0; i < t->nquery; i++) {
		struct guts_slice key = guts_slice(t->text + t->query[i].key, t->query[i].nkey);
		bool is_out = false;

		for (size_t k = 0; but[k]; k++)
			is_out |= guts_slice_eq(key, guts_slice_str(but[k]));
		if (is_out)
			continue;
		guts_buf_add_u8(b, '&');
		add_encoded(b, key);
		guts_buf_add_u8(b, '=');
		add_encoded(b, guts_slice(t->text + t->query[i].val, t->query[i].nval));
	}
}

static void
add_link(struct guts_buf *b, const struct guts_req *r, const struct guts_page *p, uint64_t page, const char *rel)
{
	static const char *const but[] = { "page", "per_page", "limit", NULL };

	guts_buf_printf(b, "%s<%s", b->len ? ", " : "", guts_req_base(r));
	guts_req_path(r, b);
	guts_buf_printf(b, "?page=%llu&per_page=%llu", (unsigned long long)page, (unsigned long long)p->per_page);
	add_query(b, &r->target, but);
	guts_buf_printf(b, ">; rel=\"%s\"", rel);
}

void
guts_reply_cursor(struct guts_req *r, struct guts_buf *body, uint64_t cursor)
{
	static const char *const but[] = { "cursor", NULL };
	struct guts_buf link;
	const char *extra[] = { "Link", NULL, NULL };

	guts_buf_init(&link, 4 * GUTS_TARGET_MAX);
	guts_buf_printf(&link, "<%s", guts_req_base(r));
	guts_req_path(r, &link);
	guts_buf_printf(&link, "?cursor=%llu", (unsigned long long)cursor);
	add_query(&link, &r->target, but);
	guts_buf_printf(&link, ">; rel=\"next\"");
	if (cursor && !link.failed)
		extra[1] = guts_buf_cstr(&link);
	guts_reply_json(r, 200, body, extra[1] ? extra : NULL);
	guts_buf_deinit(&link);
}

void
guts_reply_page(struct guts_req *r, struct guts_buf *body, const struct guts_page *p, const char *etag,
    uint64_t cache_version)
{
	const char *extra[11] = { NULL };
	struct guts_buf link;
	char total[24];
	size_t n = 0;
	bool known = p->total != GUTS_TOTAL_UNKNOWN;
	uint64_t last = known ? (p->total + p->per_page - 1) / p->per_page : 0;

	guts_buf_init(&link, 6 * 4 * GUTS_TARGET_MAX);
	if (p->page > 1) {
		add_link(&link, r, p, 1, "first");
		add_link(&link, r, p, p->page - 1, "prev");
	}
	if (known ? p->page < last : p->more)
		add_link(&link, r, p, p->page + 1, "next");
	if (known && p->page < last)
		add_link(&link, r, p, last, "last");
	if (link.len && !link.failed) {
		extra[n++] = "Link";
		extra[n++] = guts_buf_cstr(&link);
	}
	if (known) {
		snprintf(total, sizeof total, "%llu", (unsigned long long)p->total);
		extra[n++] = "X-Total-Count";
		extra[n++] = total;
	}
	if (etag) {
		extra[n++] = "ETag";
		extra[n++] = etag;
		extra[n++] = "Cache-Control";
		extra[n++] = p->is_immutable ? "private, max-age=31536000, immutable" : "private, no-cache";
	}
	if (p->incomplete) {
		extra[n++] = "X-Incomplete-Results";
		extra[n++] = "true";
	}
	if (cache_version)
		guts_reply_keep(r, cache_version, body, extra);
	else
		guts_reply_json(r, 200, body, extra);
	guts_buf_deinit(&link);
}
