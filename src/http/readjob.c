/* http/readjob.c - questions to a repository's objects; see readjob.h. */
#include "http/readjob.h"

#include "base/alloc.h"
#include "base/text.h"
#include "crypto/key.h"
#include "http/histcache.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

static void
destroy(struct guts_call *c)
{
	struct guts_readjob *p = (struct guts_readjob *)c;

	guts_repo_info_unref(p->info);
	free(p->disk);
	guts_buf_deinit(&p->body);
}

/* -- on the worker ------------------------------------------------------------------- */

static void
run(struct guts_call *c)
{
	struct guts_readjob *p = (struct guts_readjob *)c;
	struct guts_read *g = NULL;
	struct guts_arena a;
	struct guts_json j;

	guts_arena_init(&a, GUTS_READJOB_ARENA_MAX);
	guts_json_init(&j, &p->body);
	c->err = guts_read_open(&g, p->disk);
	if (c->err == 0)
		c->err = p->op->make(p, g, &a, &j);
	if (c->err == 0 && p->is_kept && !p->incomplete && !p->is_partial && !p->body.failed)
		guts_histcache_keep_answer(c->h->histcache, p->etag, guts_buf_slice(&p->body),
		    &(struct guts_histcache_list){ .total = p->total, .more = p->more });
	guts_read_close(g);
	guts_arena_deinit(&a);
}

struct guts_view_repo_ctx
guts_readjob_ctx(const struct guts_readjob *p)
{
	return (struct guts_view_repo_ctx){ .base = p->base, .path = p->path,
		.default_branch = p->info->default_branch ? p->info->default_branch : "",
		.ref = p->ref[0] ? p->ref : NULL };
}

/* -- back on the HTTP thread --------------------------------------------------------------- */

static const char *
cache_control(const struct guts_readjob *p)
{
	return p->is_immutable ? "private, max-age=31536000, immutable" : "private, no-cache";
}

/* The part of the body that is asked for; false: an answer was queued. */
static bool
take_range(struct guts_req *r, const struct guts_readjob *p, struct guts_slice *body, char range[64], int *status)
{
	const struct guts_slice *head = r->head.v;
	uint64_t size = body->n;
	bool is_same = !head[GUTS_HEAD_IF_RANGE].p || guts_slice_eq(head[GUTS_HEAD_IF_RANGE], guts_slice_str(p->etag));
	struct guts_range part;

	*status = 200;
	if (!p->is_blob || !is_same)
		return true;
	switch (guts_guard_range(head[GUTS_HEAD_RANGE], size, &part)) {
	case GUTS_RANGE_OUTSIDE:
		guts_reply_problem(r, 416, "the file has %llu bytes", (unsigned long long)size);
		return false;
	case GUTS_RANGE_PART:
		*status = 206;
		*body = guts_slice(body->p + part.from, (size_t)part.n);
		snprintf(range, 64, "bytes %llu-%llu/%llu", (unsigned long long)part.from,
		    (unsigned long long)(part.from + part.n - 1), (unsigned long long)size);
		break;
	case GUTS_RANGE_WHOLE:
		break;
	}
	return true;
}

void
guts_readjob_answer_bytes(struct guts_req *r, struct guts_readjob *p)
{
	char range[64] = "";
	const char *extra[] = { "Content-Type", p->type, "Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; sandbox", "ETag", p->etag, "Cache-Control", cache_control(p),
		"Vary", "Accept, Authorization, Cookie", "Content-Disposition", p->is_text ? "inline" : "attachment",
		"Accept-Ranges", p->is_blob ? "bytes" : "none", NULL, range, NULL };
	struct guts_slice body = guts_buf_slice(&p->body);
	int status;
	void *copy;

	if (!take_range(r, p, &body, range, &status))
		return;
	if (status == 206)
		extra[14] = "Content-Range";
	copy = guts_memdup(body.n ? body.p : (const uint8_t *)"", body.n);
	guts_buf_deinit(&p->body);
	guts_reply(r, status, MHD_create_response_from_buffer(body.n, copy, MHD_RESPMEM_MUST_FREE), extra);
}

/* The answer of a job that went well. */
static void
answer_good(struct guts_req *r, struct guts_readjob *p)
{
	const char *whole[] = { "ETag", p->etag, "Cache-Control", cache_control(p), NULL };
	static const char *const passing[] = { "Cache-Control", "private, no-cache", NULL };
	static const char *const part[] = { "X-Incomplete-Results", "true", "Cache-Control", "no-store", NULL };

	if (p->op->answer)
		p->op->answer(r, p);
	else
		guts_reply_json(r, 200, &p->body, p->incomplete ? part : p->is_partial ? passing : whole);
}

static void
answer(struct guts_req *r, struct guts_call *c)
{
	struct guts_readjob *p = (struct guts_readjob *)c;

	if (c->err == GUTS_ENOTFOUND)
		guts_reply_problem(r, 404, "%s", p->op->missing);
	else if (c->err == GUTS_ELIMIT)
		guts_reply_problem(r, 413, "too large to be shown");
	else if (c->err < 0)
		guts_reply_err(r, c->err, &c->ei);
	else
		answer_good(r, p);
}

/* -- what is asked for ------------------------------------------------------------------------- */

struct guts_readjob *
guts_readjob_new(struct guts_req *r, const struct guts_readop *op)
{
	return guts_readjob_new_in(r, op, sizeof(struct guts_readjob));
}

struct guts_readjob *
guts_readjob_new_in(struct guts_req *r, const struct guts_readop *op, size_t bytes)
{
	struct guts_repo_info *i = guts_req_repo(r);
	struct guts_readjob *p;

	if (!i)
		return NULL;
	p = guts_call_new(bytes, run, answer, destroy);
	p->c.takes_err = true;
	guts_buf_init(&p->body, GUTS_HTTP_ANSWER_MAX);
	p->op = op;
	p->info = i;
	p->page = p->per_page = 1;
	snprintf(p->base, sizeof p->base, "%s", guts_req_base(r));
	guts_view_repo_path(p->path, i);
	return p;
}

void
guts_readjob_drop(struct guts_readjob *p)
{
	destroy(&p->c);
	free(p);
}

/* May it be an abbreviated id? */
static bool
is_brief(struct guts_slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!strchr("0123456789abcdefABCDEF", name.p[i]) || !name.p[i])
			return false;
	return name.n >= GUTS_READ_BRIEF_MIN && name.n < 40;
}

bool
guts_readjob_resolve(struct guts_readjob *p, struct guts_slice name, struct guts_oid *oid, bool *fixed)
{
	static const char *const prefixes[] = { "refs/heads/", "refs/tags/", "refs/", "" };
	char full[GUTS_REFNAME_MAX + 1];

	*fixed = false;
	if (name.n == 0)
		name = guts_slice_str(p->info->default_branch ? p->info->default_branch : "");
	for (size_t k = 0; p->info->canonical && k < sizeof prefixes / sizeof prefixes[0]; k++) {
		int n = snprintf(full, sizeof full, "%s%.*s", prefixes[k], (int)name.n, (const char *)name.p);
		if (n < 0 || (size_t)n >= sizeof full)
			continue;
		const struct guts_refs_row *row = guts_refs_view_find(p->info->canonical, guts_slice(full, (size_t)n));
		if (row) {
			*oid = row->oid;
			return true;
		}
	}
	*fixed = guts_oid_from_hex(oid, name) == 0 && !guts_oid_is_none(oid);
	if (!*fixed && is_brief(name))
		snprintf(oid == &p->from ? p->brief_from : p->brief_tip, GUTS_OID_HEX_SIZE, "%.*s", (int)name.n, (const char *)name.p);
	return *fixed || is_brief(name);
}

bool
guts_readjob_at(struct guts_req *r, struct guts_readjob *p, struct guts_slice name)
{
	const char *branch = p->info->default_branch ? p->info->default_branch : "";

	if (name.n == 0)
		name = guts_slice_str(branch);
	if (guts_readjob_resolve(p, name, &p->tip, &p->is_immutable)) {
		snprintf(p->ref, sizeof p->ref, "%.*s", (int)name.n, (const char *)name.p);
		return true;
	}
	bool is_default = guts_slice_eq(name, guts_slice_str(branch));
	if (is_default && p->info->canonical && p->info->canonical->n > 0)
		guts_reply_problem(r, 404, "the default branch is not there: push it, or make another one the default");
	else if (is_default)
		guts_reply_problem(r, p->op->needs_branch ? 409 : 404, "the repository is empty");
	else
		guts_reply_problem(r, 404, "no such branch, tag or commit");
	guts_readjob_drop(p);
	return false;
}

/* Same question, same objects, same links: same bytes. */
static void
set_etag(struct guts_readjob *p)
{
	const char *const texts[] = { p->op->name, p->file, p->ref, p->path, p->base };
	const uint64_t numbers[] = { p->page, p->per_page, p->state, p->flags };
	struct guts_sha256_ctx c;
	uint8_t digest[GUTS_SHA256_SIZE];
	char tip[GUTS_OID_HEX_SIZE], rest[33];

	guts_sha256_begin(&c);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		guts_sha256_add_sized(&c, guts_slice_str(texts[i]));
	guts_sha256_add(&c, guts_slice(numbers, sizeof numbers));
	guts_sha256_add_sized(&c, guts_slice(p->from.b, p->from.n));
	guts_sha256_end(&c, digest);
	guts_oid_hex(tip, &p->tip);
	guts_hex_encode(rest, digest, sizeof rest / 2);
	snprintf(p->etag, sizeof p->etag, "\"%.40s-%s\"", tip, rest);
}

/* -- abbreviated ids: a call that looks them up, before the job's own -------------------------------- */

struct expand {
	struct guts_call c;
	struct guts_readjob *p;  /* owned until the answer */
	const char *at;          /* the one that failed */
};

static void
expand_destroy(struct guts_call *c)
{
	struct expand *e = (struct expand *)c;

	if (e->p)
		guts_readjob_drop(e->p);
}

static int
expand_one(struct expand *e, struct guts_read *g, const char *brief, struct guts_oid *out)
{
	e->at = brief;
	return brief[0] ? guts_read_expand(g, guts_slice_str(brief), out) : GUTS_OK;
}

static void
expand_run(struct guts_call *c)
{
	struct expand *e = (struct expand *)c;
	struct guts_read *g = NULL;

	c->err = guts_read_open(&g, e->p->disk);
	if (c->err == 0)
		c->err = expand_one(e, g, e->p->brief_from, &e->p->from);
	if (c->err == 0)
		c->err = expand_one(e, g, e->p->brief_tip, &e->p->tip);
	guts_read_close(g);
}

static void
expand_answer(struct guts_req *r, struct guts_call *c)
{
	struct expand *e = (struct expand *)c;
	struct guts_readjob *p = e->p;

	if (c->err == GUTS_ECONFLICT) {
		guts_reply_problem(r, 422, "the abbreviated id %s is ambiguous; use more digits", e->at);
	} else if (c->err == GUTS_ENOTFOUND) {
		guts_reply_problem(r, 404, "no such branch, tag or commit");
	} else if (c->err < 0) {
		guts_reply_err(r, c->err, &c->ei);
	} else {
		e->p = NULL;
		p->brief_tip[0] = p->brief_from[0] = '\0';
		guts_readjob_start(r, p);
	}
}

void
guts_readjob_start(struct guts_req *r, struct guts_readjob *p)
{
	if (!p->disk)
		p->disk = guts_repostore_path(r->h->repos, p->info->id);
	if (p->brief_tip[0] || p->brief_from[0]) {
		struct expand *e = guts_call_new(sizeof *e, expand_run, expand_answer, expand_destroy);
		e->p = p;
		e->c.takes_err = true;
		guts_call_job(r, &e->c, "expand");
		return;
	}
	set_etag(p);
	if (guts_reply_not_modified(r, p->etag)) {
		guts_readjob_drop(p);
		return;
	}
	struct guts_histcache_list list;
	if (p->is_kept && guts_histcache_answer(r->h->histcache, p->etag, &p->body, &list)) {
		p->total = list.total;
		p->more = list.more;
		answer_good(r, p);
		guts_readjob_drop(p);
		return;
	}
	guts_call_job(r, &p->c, "read");
}
