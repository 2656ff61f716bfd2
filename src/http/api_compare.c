/* http/api_compare.c - what lies between two commits, or in one, as JSON or as text that git takes.
 *
 * Text is asked for by a media type of GitHub ("Accept: application/vnd.github.diff") or by the end of the address
 * (".diff", ".patch"), as Gitea has it.
 */
#include "http/api.h"
#include "http/readjob.h"

#include <stdio.h>

#define PATCH 1u        /* flags of a job: mails, not one diff; */
#define PAGED 2u        /* a page was asked for */
#define COMPARE_MAX 250 /* commits of a comparison that are listed when no page is asked for */

/* The commits of the answer: the newest ones, or the page counted from the oldest as GitHub has it. */
static int
read_commits(struct guts_readjob *p, struct guts_read *g, uint64_t total, struct guts_arena *a, struct guts_read_commits *out)
{
	uint64_t before = (p->page - 1) * p->per_page, left = before < total ? total - before : 0;
	uint64_t n = left < p->per_page ? left : p->per_page;

	if (!(p->flags & PAGED))
		return guts_read_range(g, &p->from, &p->tip, 0, COMPARE_MAX, a, out);
	p->total = total;
	return guts_read_range(g, &p->from, &p->tip, (size_t)(left - n), (size_t)n, a, out);
}

static int
make_comparison(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_read_relation rel;
	struct guts_read_commit from, base;
	struct guts_read_commits commits;
	struct guts_read_diff diff;
	int err = guts_read_relate(g, &p->from, &p->tip, &rel);
	bool related = err == 0 && !guts_oid_is_none(&rel.base);

	if (err == 0)
		err = guts_read_commit(g, &p->from, a, &from);
	if (err == 0 && related)
		err = guts_read_commit(g, &rel.base, a, &base);
	if (err == 0)
		err = read_commits(p, g, rel.ahead, a, &commits);
	if (err == 0)
		err = guts_read_compare(g, &rel.base, &p->tip, p->page == 1, a, &diff);
	if (p->page > 1)
		diff.n = 0; /* files are on the first page */
	if (err == 0)
		guts_view_comparison(j, &x, &(struct guts_view_comparison){ &rel, &from, related ? &base : NULL, &commits, &diff });
	return err;
}

static int
make_change(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_read_relation rel;
	struct guts_oid from = p->from;
	int err = 0;

	(void)a;
	(void)j;
	p->type = "text/plain; charset=utf-8";
	p->is_text = true;
	if (!guts_oid_is_none(&from) && !(p->flags & PATCH)) { /* three dots: what happened since they parted */
		err = guts_read_relate(g, &p->from, &p->tip, &rel);
		if (err == 0 && !guts_oid_is_none(&rel.base))
			from = rel.base;
	}
	return err ? err : guts_read_change(g, &from, &p->tip, p->flags & PATCH ? GUTS_FORM_PATCH : GUTS_FORM_DIFF, &p->body);
}

static bool
takes(const struct guts_req *r, const char *format)
{
	char plain[40], v3[40];
	struct guts_slice accept = r->head.v[GUTS_HEAD_ACCEPT];

	snprintf(plain, sizeof plain, "application/vnd.github.%s", format);
	snprintf(v3, sizeof v3, "application/vnd.github.v3.%s", format);
	return accept.p && (guts_guard_accepts(accept, plain) || guts_guard_accepts(accept, v3));
}

bool
guts_raw_asked(const struct guts_req *r)
{
	return takes(r, "raw");
}

static bool
ends_with(struct guts_slice s, const char *end)
{
	size_t n = strlen(end);

	return s.n > n && memcmp(s.p + s.n - n, end, n) == 0;
}

bool
guts_change_suffix(struct guts_slice *name)
{
	size_t cut = ends_with(*name, ".diff") ? 5 : ends_with(*name, ".patch") ? 6 : 0;

	name->n -= cut;
	return cut > 0;
}

bool
guts_change_asked(const struct guts_req *r)
{
	return takes(r, "diff") || takes(r, "patch");
}

struct guts_readjob *
guts_change_job(struct guts_req *r)
{
	static const struct guts_readop op = { "change", make_change, guts_readjob_answer_bytes, "no such commit", false };
	struct guts_readjob *p = guts_readjob_new(r, &op);
	struct guts_slice last = guts_target_segment(&r->target, r->target.nseg - 1u);

	if (p)
		p->flags = ends_with(last, ".patch") || takes(r, "patch") ? PATCH : 0;
	return p;
}

/* Where "..." or ".." parts two names; *n = its length, 0 = nowhere.  Neither can be within the name of a ref. */
static size_t
find_dots(struct guts_slice s, size_t *n)
{
	size_t at = 0;

	while (at + 1 < s.n && memcmp(s.p + at, "..", 2) != 0)
		at++;
	*n = at + 1 >= s.n ? 0 : at + 2 < s.n && s.p[at + 2] == '.' ? 3 : 2;
	return at;
}

static void
answer_page(struct guts_req *r, struct guts_readjob *p)
{
	guts_reply_page(r, &p->body, &(struct guts_page){ .page = p->page, .per_page = p->per_page, .total = p->total,
	    .is_immutable = p->is_immutable }, p->etag, 0);
}

/* A job for a comparison as JSON, whole or by pages; NULL: an answer was queued. */
static struct guts_readjob *
comparison_job(struct guts_req *r)
{
	static const struct guts_readop whole = { "compare", make_comparison, NULL, "no such commit", false };
	static const struct guts_readop paged = { "compare page", make_comparison, answer_page, "no such commit", false };
	bool by_pages = guts_target_query(&r->target, "page").p || guts_target_query(&r->target, "per_page").p;
	struct guts_readjob *p = guts_readjob_new(r, by_pages ? &paged : &whole);

	if (p && by_pages && !guts_req_page(r, &p->page, &p->per_page)) {
		guts_readjob_drop(p);
		return NULL;
	}
	if (p && by_pages)
		p->flags = PAGED;
	return p;
}

void
guts_rest_compare(struct guts_req *r)
{
	char text[GUTS_TARGET_MAX];
	struct guts_slice names;
	struct guts_readjob *p;
	bool fixed, is_change;
	size_t at, dots;

	guts_req_param_rest(r, 2, text, sizeof text);
	names = guts_slice_str(text);
	is_change = guts_change_suffix(&names) || guts_change_asked(r);
	at = find_dots(names, &dots);
	if (at == 0 || dots == 0 || at + dots == names.n) {
		guts_reply_problem(r, 404, "two names with ... between them");
		return;
	}
	p = is_change ? guts_change_job(r) : comparison_job(r);
	if (!p)
		return;
	if (!guts_readjob_resolve(p, guts_slice(names.p, at), &p->from, &fixed)) {
		guts_readjob_drop(p);
		guts_reply_problem(r, 404, "no such branch, tag or commit before the dots");
	} else if (guts_readjob_at(r, p, guts_slice(names.p + at + dots, names.n - at - dots))) {
		p->is_immutable = p->is_immutable && fixed;
		guts_readjob_start(r, p);
	}
}
