/* http/api_refs.c - branches, tags, refs, authors and seeders: names from the snapshot; what tags and refs name is looked up
 * by a worker. */
#include "http/api.h"
#include "http/checks.h"
#include "http/readjob.h"

#include <stdio.h>

/* Changes whenever the repository's records do. */
static uint64_t
refs_state(const struct guts_req *r, const struct guts_repo_info *i)
{
	uint64_t d;

	memcpy(&d, i->state_digest, sizeof d);
	return d ^ i->updated_wall_ms ^ r->h->boot;
}

/* -- pages of refs ---------------------------------------------------------------------- */

static void
answer_rows(struct guts_req *r, struct guts_readjob *p)
{
	guts_reply_page(r, &p->body, &(struct guts_page){ .page = p->page, .per_page = p->per_page, .total = p->total }, p->etag, 0);
}

static int
make_branches(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);

	(void)g;
	(void)a;
	guts_json_array(j);
	for (size_t i = 0; i < p->nrows; i++)
		guts_checks_put_branch(p, j, &x, p->rows[i], NULL);
	guts_json_array_end(j);
	return 0;
}

static void
put_tag(struct guts_readjob *p, struct guts_read *g, struct guts_json *j, const struct guts_refs_row *row)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_oid commit = guts_read_peel(g, &row->oid);

	guts_view_tag(j, &x, row, guts_oid_is_none(&commit) ? &row->oid : &commit);
}

static int
make_tags(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	(void)a;
	guts_json_array(j);
	for (size_t i = 0; i < p->nrows; i++)
		put_tag(p, g, j, p->rows[i]);
	guts_json_array_end(j);
	return 0;
}

static int
make_tag(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	(void)a;
	put_tag(p, g, j, p->rows[0]);
	return 0;
}

static void
put_ref(struct guts_readjob *p, struct guts_read *g, struct guts_json *j, const struct guts_refs_row *row)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	enum guts_object_type type;
	uint64_t size;

	if (guts_read_object(g, &row->oid, &type, &size) < 0)
		type = GUTS_OBJ_COMMIT; /* of a ref whose objects are on their way */
	guts_view_ref(j, &x, row, type);
}

static int
make_refs(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	(void)a;
	guts_json_array(j);
	for (size_t i = 0; i < p->nrows; i++)
		put_ref(p, g, j, p->rows[i]);
	guts_json_array_end(j);
	return 0;
}

static int
make_ref(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	(void)a;
	put_ref(p, g, j, p->rows[0]);
	return 0;
}

static const char not_here[] = "its objects are not here yet";
static const struct guts_readop branches = { "branches", make_branches, answer_rows, not_here, false };
static const struct guts_readop tags = { "tags", make_tags, answer_rows, not_here, false };
static const struct guts_readop refs = { "refs", make_refs, answer_rows, not_here, false };

/* Answer with the page of `view`'s rows whose names begin with `prefix`. */
static void
start_rows(struct guts_req *r, struct guts_readjob *p, const struct guts_refs_view *view, const char *prefix)
{
	size_t n = strlen(prefix);

	if (!guts_req_page(r, &p->page, &p->per_page)) {
		guts_readjob_drop(p);
		return;
	}
	for (size_t k = 0; view && k < view->n; k++) {
		if (strncmp(view->v[k].name, prefix, n) != 0)
			continue;
		if (p->total / p->per_page == p->page - 1)
			p->rows[p->nrows++] = &view->v[k];
		p->total++;
	}
	p->state = refs_state(r, p->info);
	if (p->info->ncontexts)
		p->state ^= guts_checks_version(r->h->store);
	snprintf(p->file, sizeof p->file, "%s", prefix);
	guts_readjob_start(r, p);
}

static void
reply_canonical(struct guts_req *r, const struct guts_readop *op, const char *prefix)
{
	struct guts_readjob *p = guts_readjob_new(r, op);

	if (p)
		start_rows(r, p, p->info->canonical, prefix);
}

void
guts_rest_branches(struct guts_req *r)
{
	reply_canonical(r, &branches, "refs/heads/");
}

void
guts_rest_tags(struct guts_req *r)
{
	reply_canonical(r, &tags, "refs/tags/");
}

void
guts_rest_refs(struct guts_req *r)
{
	reply_canonical(r, &refs, "refs/");
}

/* `folder` and the name of parameter 2, which may begin with "refs/" itself; false: too long (an answer was queued). */
static bool
name_ref(struct guts_req *r, const char *folder, char out[GUTS_REFNAME_MAX + 12])
{
	size_t n = strlen(folder);

	memcpy(out, folder, n + 1);
	if (!guts_req_param_rest(r, 2, out + n, GUTS_REFNAME_MAX + 1)) {
		guts_reply_problem(r, 404, "no such ref");
		return false;
	}
	if (strncmp(out + n, "refs/", 5) == 0)
		memmove(out, out + n, strlen(out + n) + 1);
	return true;
}

void
guts_rest_matching_refs(struct guts_req *r)
{
	char name[GUTS_REFNAME_MAX + 12];

	if (name_ref(r, "refs/", name))
		reply_canonical(r, &refs, name);
}

static void
reply_one(struct guts_req *r, const struct guts_readop *op, const char *folder)
{
	char name[GUTS_REFNAME_MAX + 12];
	struct guts_readjob *p;

	if (!name_ref(r, folder, name) || !(p = guts_readjob_new(r, op)))
		return;
	if (p->info->canonical)
		p->rows[0] = guts_refs_view_find(p->info->canonical, guts_slice_str(name));
	if (!p->rows[0]) {
		guts_readjob_drop(p);
		guts_reply_problem(r, 404, "no such ref");
		return;
	}
	p->tip = p->rows[0]->oid;
	p->state = refs_state(r, p->info);
	snprintf(p->file, sizeof p->file, "%s", name);
	guts_readjob_start(r, p);
}

void
guts_rest_ref(struct guts_req *r)
{
	static const struct guts_readop op = { "ref", make_ref, NULL, not_here, false };

	reply_one(r, &op, "refs/");
}

void
guts_rest_tag(struct guts_req *r)
{
	static const struct guts_readop op = { "tag", make_tag, NULL, not_here, false };

	reply_one(r, &op, "refs/tags/");
}

/* -- authors and seeders --------------------------------------------------------------------- */

void
guts_rest_author_refs(struct guts_req *r)
{
	struct guts_peerid id;
	const struct guts_repo_author *found = NULL;
	struct guts_readjob *p;

	if (guts_peerid_parse(&id, guts_req_param(r, 2)) < 0) {
		guts_reply_problem(r, 400, "no peer id");
		return;
	}
	if (!(p = guts_readjob_new(r, &refs)))
		return;
	for (size_t k = 0; k < p->info->nauthors; k++) {
		if (guts_peerid_eq(&p->info->authors[k].id, &id))
			found = &p->info->authors[k];
	}
	if (found) {
		start_rows(r, p, found->refs_view, "refs/");
	} else {
		guts_readjob_drop(p);
		guts_reply_problem(r, 404, "no refs of that author");
	}
}

void
guts_rest_authors(struct guts_req *r)
{
	struct guts_repo_info *i = guts_req_repo(r);
	struct guts_buf b;
	struct guts_json j;

	if (!i)
		return;
	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (int delegates = 1; delegates >= 0; delegates--) {
		for (size_t k = 0; k < i->nauthors; k++) {
			if (i->authors[k].is_delegate == (bool)delegates)
				guts_view_author(&j, &i->authors[k]);
		}
	}
	guts_json_array_end(&j);
	guts_repo_info_unref(i);
	guts_reply_hashed(r, &b);
}

void
guts_rest_seeders(struct guts_req *r)
{
	struct guts_repo_info *i = guts_req_repo(r);
	struct guts_buf b;
	struct guts_json j;

	if (!i)
		return;
	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t k = 0; k < i->nseeders; k++)
		guts_view_seeder(&j, &i->seeders[k]);
	guts_json_array_end(&j);
	guts_repo_info_unref(i);
	guts_reply_hashed(r, &b);
}
