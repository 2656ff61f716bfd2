/* http/api_git.c - one commit, folders, files: read by libgit2 in a worker, which also makes the JSON. */
#include "base/alloc.h"
#include "base/text.h"
#include "http/api.h"
#include "http/checks.h"
#include "http/readjob.h"

#include <stdio.h>
#include <stdlib.h>

#define CONTENT_MAX (1u << 20)     /* [bytes] of a file shown as JSON */
#define LAST_WORK_MAX 30000        /* spent to say which commit changed an entry last (git/history.h); without the index more is seldom enough */

/* -- one commit ---------------------------------------------------------------------- */

static int
make_commit(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_read_commit commit;
	struct guts_read_diff diff;
	int err = guts_read_commit(g, &p->tip, a, &commit);

	if (err == 0)
		err = guts_read_diff(g, &commit.oid, true, a, &diff);
	if (err == 0)
		guts_view_commit(j, &x, &commit, &diff);
	return err;
}

void
guts_rest_commit(struct guts_req *r)
{
	static const struct guts_readop op = { "commit", make_commit, NULL, "no such commit", false };
	struct guts_readjob *p = guts_change_asked(r) ? guts_change_job(r) : guts_readjob_new(r, &op);

	if (p && guts_readjob_at(r, p, guts_req_param(r, 2)))
		guts_readjob_start(r, p);
}

static int
make_branch(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_read_commit commit;
	int err = guts_read_commit(g, &p->tip, a, &commit);

	if (err == 0)
		guts_checks_put_branch(p, j, &x, p->rows[0], &commit);
	return err;
}

void
guts_rest_branch(struct guts_req *r)
{
	static const struct guts_readop op = { "branch", make_branch, NULL, "its commit is not here", false };
	char name[GUTS_REFNAME_MAX + 12] = "refs/heads/";
	struct guts_readjob *p;
	const struct guts_refs_row *row = NULL;

	if (!guts_req_param_rest(r, 2, name + 11, sizeof name - 11)) {
		guts_reply_problem(r, 404, "no such branch");
		return;
	}
	if (!(p = guts_readjob_new(r, &op)))
		return;
	if (p->info->canonical)
		row = guts_refs_view_find(p->info->canonical, guts_slice_str(name));
	if (!row) {
		guts_readjob_drop(p);
		guts_reply_problem(r, 404, "no such branch");
		return;
	}
	p->tip = row->oid;
	p->rows[0] = row;
	p->state = row->version << 1 | row->conflict;
	if (p->info->ncontexts)
		p->state ^= guts_checks_version(r->h->store);
	snprintf(p->file, sizeof p->file, "%s", name);
	guts_readjob_start(r, p);
}

/* -- folders and files ------------------------------------------------------------------ */

/* The commit that changed the file last, if that is quickly found. */
static const struct guts_read_commit *
last_of_file(struct guts_readjob *p, struct guts_read *g, struct guts_slice path, struct guts_arena *a)
{
	struct guts_history *h = guts_history_open(g, p->disk, LAST_WORK_MAX);
	struct guts_read_commits list;
	bool found = guts_history_log(h, &p->tip, &(struct guts_history_filter){ .path = path }, 1, 1, a, &list) == 0 &&
	    !list.incomplete && list.n == 1;

	guts_history_close(h);
	p->is_partial = !found;
	return found ? &list.v[0] : NULL;
}

static int
put_file(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j, struct guts_slice dir,
    const struct guts_read_entry *e, const struct guts_read_commit *last)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
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
	guts_view_entry(j, &x, dir, &shown, last, &content);
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
by_name(const void *x, const void *y)
{
	const struct guts_history_entry *a = x, *b = y;

	return strcmp(a->name, b->name);
}

/* The commit that changed the entry last, read into *out; NULL: not known.  `last` is sorted by name. */
static const struct guts_read_commit *
last_of(struct guts_read *g, const struct guts_history_folder *last, const char *name, struct guts_arena *a, struct guts_read_commit *out)
{
	struct guts_history_entry key = { .name = name };
	const struct guts_history_entry *e = last->n ? bsearch(&key, last->v, last->n, sizeof key, by_name) : NULL;

	return e && !guts_oid_is_none(&e->commit) && guts_read_commit(g, &e->commit, a, out) == 0 ? out : NULL;
}

static int
put_folder(struct guts_readjob *p, struct guts_read *g, const struct guts_oid *id, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_history_folder last = { 0 };
	struct guts_read_commit commit;
	struct guts_read_tree tree;
	struct guts_history *h;
	int err = guts_read_tree(g, id, a, &tree);

	if (err < 0)
		return err;
	h = guts_history_open(g, p->disk, LAST_WORK_MAX);
	if (guts_readjob_last_commits(p, h, a, &last))
		last.n = 0;
	guts_history_close(h);
	p->is_partial = last.incomplete || last.n < tree.n;
	if (last.n > 1)
		qsort(last.v, last.n, sizeof *last.v, by_name);
	guts_json_array(j);
	for (size_t i = 0; i < tree.n; i++)
		guts_view_entry(j, &x, guts_slice_str(p->file), &tree.v[i], last_of(g, &last, tree.v[i].name, a, &commit), NULL);
	guts_json_array_end(j);
	return 0;
}

static int
make_contents(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_read_entry e;
	struct guts_slice dir;
	int err = guts_read_path(g, &p->tip, guts_slice_str(p->file), a, &e);

	if (err < 0)
		return err;
	dir = split_dir(p->file, &e.name);
	if (e.kind == GUTS_ENTRY_DIR)
		return put_folder(p, g, &e.oid, a, j);
	return put_file(p, g, a, j, dir, &e, last_of_file(p, g, guts_slice_str(p->file), a));
}

static int
make_readme(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_read_entry e;
	int err = guts_read_readme(g, &p->tip, a, &e);

	return err < 0 ? err : put_file(p, g, a, j, guts_slice(NULL, 0), &e, last_of_file(p, g, guts_slice_str(e.name), a));
}

/* A blob's bytes as the answer. */
static int
take_blob(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, const struct guts_oid *blob)
{
	struct guts_slice content;
	uint64_t size;
	int err = guts_read_blob(g, blob, GUTS_READJOB_RAW_MAX, a, &content, &size);

	if (err < 0)
		return err;
	p->is_blob = true;
	p->is_text = guts_text_is_utf8(content) && !(content.n && memchr(content.p, 0, content.n));
	p->type = p->is_text ? "text/plain; charset=utf-8" : "application/octet-stream";
	return guts_buf_add_slice(&p->body, content);
}

static int
make_raw(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_read_entry e;
	int err = guts_read_path(g, &p->tip, guts_slice_str(p->file), a, &e);

	(void)j;
	if (err < 0)
		return err;
	if (e.kind == GUTS_ENTRY_DIR || e.kind == GUTS_ENTRY_SUBMODULE)
		return GUTS_ENOTFOUND;
	return take_blob(p, g, a, &e.oid);
}

static int
make_raw_readme(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_read_entry e;
	int err = guts_read_readme(g, &p->tip, a, &e);

	(void)j;
	return err < 0 ? err : take_blob(p, g, a, &e.oid);
}

static const char no_path[] = "no such path at this commit";
static const char no_readme[] = "no README at this commit";
static const struct guts_readop contents = { "contents", make_contents, NULL, no_path, false };
static const struct guts_readop readme = { "readme", make_readme, NULL, no_readme, false };
static const struct guts_readop raw = { "raw", make_raw, guts_readjob_answer_bytes, no_path, false };
static const struct guts_readop raw_readme = { "raw readme", make_raw_readme, guts_readjob_answer_bytes, no_readme, false };

/* Start to read the file that parameter 2 names (none: the whole tree). */
static void
read_file(struct guts_req *r, const struct guts_readop *op)
{
	struct guts_readjob *p = guts_readjob_new(r, op);

	if (!p)
		return;
	if (!guts_req_param_rest(r, 2, p->file, sizeof p->file)) {
		guts_readjob_drop(p);
		guts_reply_problem(r, 404, "the path is too long");
	} else if (guts_readjob_at(r, p, guts_target_query(&r->target, "ref"))) {
		p->is_kept = op == &contents;
		guts_readjob_start(r, p);
	}
}

void
guts_rest_contents(struct guts_req *r)
{
	read_file(r, guts_raw_asked(r) ? &raw : &contents);
}

void
guts_rest_readme(struct guts_req *r)
{
	read_file(r, guts_raw_asked(r) ? &raw_readme : &readme);
}

void
guts_rest_raw(struct guts_req *r)
{
	read_file(r, &raw);
}
