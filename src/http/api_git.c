/* http/api_git.c - commits, folders, files: read by libgit2 in a worker, which also makes the JSON.
 *
 * What is asked for is settled on the HTTP thread: the ref is looked up in the snapshot, so the
 * commit's id and with it the ETag are known before any object is read, and a 304 costs no job.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "http/api.h"
#include "view/view.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX (96u << 20)      /* [bytes] one read may take */
#define CONTENT_MAX (1u << 20)     /* [bytes] of a file shown as JSON */
#define RAW_MAX (64u << 20)        /* [bytes] */

enum op { COMMITS, COMMIT, BRANCH, CONTENTS, README, RAW };

struct read_call {
	struct guts_call c;
	enum op op;
	char *disk;                        /* path of the repository */
	char base[1024], path[GUTS_VIEW_PATH_SIZE], branch[256], ref[256]; /* for links */
	struct guts_oid tip;
	struct guts_refs_row row;          /* of a branch; its name is ref */
	char file[GUTS_TARGET_MAX];
	uint64_t page, per_page;
	char etag[96];
	bool is_immutable;
	/* answer */
	struct guts_buf body;
	bool more, is_text;
};

static void
destroy_read(struct guts_call *c)
{
	struct read_call *p = (struct read_call *)c;

	free(p->disk);
	guts_buf_deinit(&p->body);
}

/* -- on the worker ------------------------------------------------------------------- */

static struct guts_view_repo_ctx
context(const struct read_call *p)
{
	return (struct guts_view_repo_ctx){ .base = p->base, .path = p->path, .default_branch = p->branch,
		.ref = p->ref[0] ? p->ref : NULL };
}

static int
read_commits(struct read_call *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = context(p);
	struct guts_read_commits list;
	int err = guts_read_log(g, &p->tip, guts_slice_str(p->file), (unsigned)p->page, (unsigned)p->per_page, false, a,
	    &list);

	if (err < 0)
		return err;
	guts_json_array(j);
	for (size_t i = 0; i < list.n; i++)
		guts_view_commit(j, &x, &list.v[i], NULL);
	guts_json_array_end(j);
	p->more = list.more;
	return 0;
}

static int
read_commit(struct read_call *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = context(p);
	struct guts_read_commit commit;
	struct guts_read_diff diff;
	int err = guts_read_commit(g, &p->tip, a, &commit);

	if (err < 0)
		return err;
	if (p->op == BRANCH) {
		guts_view_branch(j, &x, &p->row, &commit);
		return 0;
	}
	if ((err = guts_read_diff(g, &commit.oid, true, a, &diff)) < 0)
		return err;
	guts_view_commit(j, &x, &commit, &diff);
	return 0;
}

static int
put_file(struct read_call *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j, struct guts_slice dir,
    const struct guts_read_entry *e)
{
	struct guts_view_repo_ctx x = context(p);
	struct guts_slice content = guts_slice(NULL, 0);
	struct guts_read_entry shown = *e;
	int err = 0;

	if (e->kind != GUTS_ENTRY_SUBMODULE) {
		err = guts_read_blob(g, &e->oid, CONTENT_MAX, a, &content, &shown.size);
		if (err == GUTS_ELIMIT)
			content = guts_slice(NULL, 0);
		else if (err < 0)
			return err;
		else if (!content.p)
			content.p = (const uint8_t *)"";
	}
	guts_view_entry(j, &x, dir, &shown, &content);
	return 0;
}

/* Split p->file into folder and name. */
static struct guts_slice
split_dir(const char *file, const char **name)
{
	const char *slash = strrchr(file, '/');

	*name = slash ? slash + 1 : file;
	return guts_slice(file, slash ? (size_t)(slash - file) : 0);
}

static int
read_contents(struct read_call *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = context(p);
	struct guts_read_entry e;
	struct guts_read_tree tree;
	struct guts_slice dir;
	int err = guts_read_path(g, &p->tip, guts_slice_str(p->file), a, &e);

	if (err < 0)
		return err;
	dir = split_dir(p->file, &e.name);
	if (e.kind != GUTS_ENTRY_DIR)
		return put_file(p, g, a, j, dir, &e);
	if ((err = guts_read_tree(g, &e.oid, a, &tree)) < 0)
		return err;
	guts_json_array(j);
	for (size_t i = 0; i < tree.n; i++)
		guts_view_entry(j, &x, guts_slice_str(p->file), &tree.v[i], NULL);
	guts_json_array_end(j);
	return 0;
}

static int
read_readme(struct read_call *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_read_entry e;
	int err = guts_read_readme(g, &p->tip, a, &e);

	return err < 0 ? err : put_file(p, g, a, j, guts_slice(NULL, 0), &e);
}

static int
read_raw(struct read_call *p, struct guts_read *g, struct guts_arena *a)
{
	struct guts_read_entry e;
	struct guts_slice content;
	uint64_t size;
	int err = guts_read_path(g, &p->tip, guts_slice_str(p->file), a, &e);

	if (err < 0)
		return err;
	if (e.kind == GUTS_ENTRY_DIR || e.kind == GUTS_ENTRY_SUBMODULE)
		return GUTS_ENOTFOUND;
	if ((err = guts_read_blob(g, &e.oid, RAW_MAX, a, &content, &size)) < 0)
		return err;
	p->is_text = guts_text_is_utf8(content) && !(content.n && memchr(content.p, 0, content.n));
	return guts_buf_add_slice(&p->body, content);
}

static void
run_read(struct guts_call *c)
{
	struct read_call *p = (struct read_call *)c;
	struct guts_read *g = NULL;
	struct guts_arena a;
	struct guts_json j;

	guts_arena_init(&a, ARENA_MAX);
	guts_buf_init(&p->body, p->op == RAW ? RAW_MAX : GUTS_HTTP_ANSWER_MAX);
	guts_json_init(&j, &p->body);
	c->err = guts_read_open(&g, p->disk);
	if (c->err == 0) {
		switch (p->op) {
		case COMMITS: c->err = read_commits(p, g, &a, &j); break;
		case COMMIT:
		case BRANCH: c->err = read_commit(p, g, &a, &j); break;
		case CONTENTS: c->err = read_contents(p, g, &a, &j); break;
		case README: c->err = read_readme(p, g, &a, &j); break;
		case RAW: c->err = read_raw(p, g, &a); break;
		}
	}
	guts_read_close(g);
	guts_arena_deinit(&a);
}

/* -- back on the HTTP thread --------------------------------------------------------------- */

static void
answer_raw(struct guts_req *r, struct read_call *p)
{
	const char *extra[] = { "Content-Type", p->is_text ? "text/plain; charset=utf-8" : "application/octet-stream",
		"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox", "ETag", p->etag,
		"Cache-Control", p->is_immutable ? "private, max-age=31536000, immutable" : "private, no-cache",
		"Content-Disposition", p->is_text ? "inline" : "attachment", NULL };
	size_t n = p->body.len;
	void *copy = guts_memdup(n ? guts_buf_slice(&p->body).p : (const uint8_t *)"", n);

	guts_buf_deinit(&p->body);
	guts_reply(r, 200, MHD_create_response_from_buffer(n, copy, MHD_RESPMEM_MUST_FREE), extra);
}

static void
answer_read(struct guts_req *r, struct guts_call *c)
{
	struct read_call *p = (struct read_call *)c;
	const char *extra[] = { "ETag", p->etag, "Cache-Control",
		p->is_immutable ? "private, max-age=31536000, immutable" : "private, no-cache", NULL };

	if (c->err == GUTS_ENOTFOUND)
		guts_reply_problem(r, 404, p->op == COMMITS || p->op == COMMIT ? "no such commit" : "no such path at this commit");
	else if (c->err == GUTS_ELIMIT)
		guts_reply_problem(r, 413, "too large to be shown");
	else if (c->err < 0)
		guts_reply_err(r, c->err, &c->ei);
	else if (p->op == RAW)
		answer_raw(r, p);
	else if (p->op == COMMITS)
		guts_reply_page(r, &p->body, &(struct guts_page){ p->page, p->per_page, GUTS_TOTAL_UNKNOWN, p->more }, p->etag,
		    0);
	else
		guts_reply_json(r, 200, &p->body, extra);
}

/* -- what is asked for ------------------------------------------------------------------------- */

/* Commit that a name stands for: branch, tag, whole ref or full id.  *fixed: it was an id. */
static bool
resolve(const struct guts_repo_info *i, struct guts_slice name, struct guts_oid *oid, bool *fixed)
{
	static const char *const prefixes[] = { "refs/heads/", "refs/tags/", "" };
	char full[GUTS_REFNAME_MAX + 1];

	*fixed = false;
	for (size_t k = 0; i->canonical && k < 3; k++) {
		int n = snprintf(full, sizeof full, "%s%.*s", prefixes[k], (int)name.n, (const char *)name.p);
		if (n < 0 || (size_t)n >= sizeof full)
			continue;
		const struct guts_refs_row *row = guts_refs_view_find(i->canonical, guts_slice(full, (size_t)n));
		if (row) {
			*oid = row->oid;
			return true;
		}
	}
	*fixed = guts_oid_from_hex(oid, name) == 0 && !guts_oid_is_none(oid);
	return *fixed;
}

static void
set_etag(struct read_call *p, const struct guts_req *r)
{
	char hex[GUTS_OID_HEX_SIZE];
	uint64_t k = UINT64_C(0xcbf29ce484222325);

	/* same commit, path, page and links: same bytes */
	for (const char *s = p->file; *s; s++)
		k = (k ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	for (const char *s = p->ref; *s; s++)
		k = (k ^ (uint8_t)*s ^ 0x80) * UINT64_C(0x100000001b3);
	for (const char *s = p->path; *s; s++)
		k = (k ^ (uint8_t)*s ^ 0x100) * UINT64_C(0x100000001b3);
	for (const char *s = guts_req_base(r); *s; s++)
		k = (k ^ (uint8_t)*s ^ 0x200) * UINT64_C(0x100000001b3);
	guts_oid_hex(hex, &p->tip);
	snprintf(p->etag, sizeof p->etag, "\"%.40s-%d-%llx-%llu-%llu\"", hex, (int)p->op, (unsigned long long)k,
	    (unsigned long long)p->page, (unsigned long long)p->per_page);
}

/* Start to read at `name` (empty: the default branch); `file` is a path in the tree. */
static void
start(struct guts_req *r, enum op op, struct guts_slice name, const char *file)
{
	struct guts_repo_info *i = guts_req_repo(r);
	struct read_call *p;
	bool fixed;

	if (!i)
		return;
	p = guts_call_new(sizeof *p, run_read, answer_read, destroy_read);
	p->op = op;
	p->page = p->per_page = 1;
	snprintf(p->branch, sizeof p->branch, "%s", i->default_branch ? i->default_branch : "");
	if (name.n == 0)
		name = guts_slice_str(p->branch);
	if (op == COMMITS && !guts_req_page(r, &p->page, &p->per_page))
		goto refused;
	if (!resolve(i, name, &p->tip, &fixed)) {
		if (op == COMMITS && guts_slice_eq(name, guts_slice_str(p->branch)))
			guts_reply_problem(r, 409, "the repository is empty");
		else
			guts_reply_problem(r, 404, "no such branch, tag or commit");
		goto refused;
	}
	p->is_immutable = fixed;
	snprintf(p->ref, sizeof p->ref, "%.*s", (int)name.n, (const char *)name.p);
	snprintf(p->base, sizeof p->base, "%s", guts_req_base(r));
	snprintf(p->file, sizeof p->file, "%s", file);
	guts_view_repo_path(p->path, i);
	set_etag(p, r);
	if (guts_reply_not_modified(r, p->etag))
		goto refused;
	p->disk = guts_repostore_path(r->h->repos, i->id);
	guts_repo_info_unref(i);
	guts_call_job(r, &p->c, "read");
	return;
refused:
	guts_repo_info_unref(i);
	free(p);
}

void
guts_rest_commits(struct guts_req *r)
{
	char file[GUTS_TARGET_MAX];
	struct guts_slice path = guts_target_query(&r->target, "path");

	snprintf(file, sizeof file, "%.*s", (int)path.n, path.p ? (const char *)path.p : "");
	start(r, COMMITS, guts_target_query(&r->target, "sha"), file);
}

void
guts_rest_commit(struct guts_req *r)
{
	start(r, COMMIT, guts_req_param(r, 2), "");
}

void
guts_rest_contents(struct guts_req *r)
{
	char file[GUTS_TARGET_MAX];

	if (guts_req_param_rest(r, 2, file, sizeof file))
		start(r, CONTENTS, guts_target_query(&r->target, "ref"), file);
	else
		guts_reply_problem(r, 404, "the path is too long");
}

void
guts_rest_readme(struct guts_req *r)
{
	start(r, README, guts_target_query(&r->target, "ref"), "");
}

void
guts_rest_raw(struct guts_req *r)
{
	char file[GUTS_TARGET_MAX];

	if (guts_req_param_rest(r, 2, file, sizeof file))
		start(r, RAW, guts_target_query(&r->target, "ref"), file);
	else
		guts_reply_problem(r, 404, "the path is too long");
}

void
guts_rest_branch(struct guts_req *r)
{
	char name[GUTS_REFNAME_MAX + 12] = "refs/heads/";
	struct guts_repo_info *i;
	struct read_call *p;
	const struct guts_refs_row *row = NULL;

	if (!guts_req_param_rest(r, 2, name + 11, sizeof name - 11)) {
		guts_reply_problem(r, 404, "no such branch");
		return;
	}
	if (!(i = guts_req_repo(r)))
		return;
	if (i->canonical)
		row = guts_refs_view_find(i->canonical, guts_slice_str(name));
	if (!row) {
		guts_repo_info_unref(i);
		guts_reply_problem(r, 404, "no such branch");
		return;
	}
	p = guts_call_new(sizeof *p, run_read, answer_read, destroy_read);
	p->op = BRANCH;
	p->tip = row->oid;
	p->row = *row;
	snprintf(p->file, sizeof p->file, "%s", name);
	p->row.name = p->file;
	snprintf(p->branch, sizeof p->branch, "%s", i->default_branch ? i->default_branch : "");
	snprintf(p->base, sizeof p->base, "%s", guts_req_base(r));
	guts_view_repo_path(p->path, i);
	set_etag(p, r);
	p->disk = guts_repostore_path(r->h->repos, i->id);
	guts_repo_info_unref(i);
	guts_call_job(r, &p->c, "read");
}
