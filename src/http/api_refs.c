/* http/api_refs.c - branches, tags, refs, authors and seeders: all from the snapshot. */
#include "http/api.h"
#include "view/view.h"

#include <stdio.h>

/* A validator of a whole view: the state's digest, and what of it is asked for. */
static void
refs_etag(const struct guts_req *r, const struct guts_repo_info *i, uint64_t page, uint64_t per_page, char out[80])
{
	uint64_t d, boot = r->h->boot;

	memcpy(&d, i->state_digest, sizeof d);
	snprintf(out, 80, "\"r%llx-%llx-%llu-%llu\"", (unsigned long long)boot, (unsigned long long)(d ^ i->updated_wall_ms),
	    (unsigned long long)page, (unsigned long long)per_page);
}

enum kind { BRANCHES, TAGS, ALL };

static void
put_row(struct guts_json *j, enum kind kind, const struct guts_view_repo_ctx *x, const struct guts_refs_row *row)
{
	if (kind == BRANCHES)
		guts_view_branch(j, x, row, NULL);
	else if (kind == TAGS)
		guts_view_tag(j, x, row, NULL);
	else
		guts_view_ref(j, row);
}

static void
reply_rows(struct guts_req *r, const struct guts_repo_info *i, const struct guts_refs_view *view, enum kind kind)
{
	static const char *const prefixes[] = { "refs/heads/", "refs/tags/", "" };
	const char *prefix = prefixes[kind];
	char path[GUTS_VIEW_PATH_SIZE], etag[80];
	struct guts_view_repo_ctx x = { .base = guts_req_base(r), .path = path, .default_branch = i->default_branch };
	uint64_t page, per_page, n = 0;
	struct guts_buf b;
	struct guts_json j;

	if (!guts_req_page(r, &page, &per_page))
		return;
	refs_etag(r, i, page, per_page, etag);
	if (guts_reply_not_modified(r, etag))
		return;
	guts_view_repo_path(path, i);
	guts_reply_begin(&b, &j);
	guts_json_array(&j);
	for (size_t k = 0; view && k < view->n; k++) {
		if (strncmp(view->v[k].name, prefix, strlen(prefix)) != 0)
			continue;
		if (n >= (page - 1) * per_page && n < page * per_page)
			put_row(&j, kind, &x, &view->v[k]);
		n++;
	}
	guts_json_array_end(&j);
	guts_reply_page(r, &b, &(struct guts_page){ page, per_page, n, false }, etag, 0);
}

static void
reply_canonical(struct guts_req *r, enum kind kind)
{
	struct guts_repo_info *i = guts_req_repo(r);

	if (i) {
		reply_rows(r, i, i->canonical, kind);
		guts_repo_info_unref(i);
	}
}

void
guts_rest_branches(struct guts_req *r)
{
	reply_canonical(r, BRANCHES);
}

void
guts_rest_tags(struct guts_req *r)
{
	reply_canonical(r, TAGS);
}

void
guts_rest_refs(struct guts_req *r)
{
	reply_canonical(r, ALL);
}

void
guts_rest_author_refs(struct guts_req *r)
{
	struct guts_repo_info *i = guts_req_repo(r);
	struct guts_peerid id;
	const struct guts_repo_author *found = NULL;

	if (!i)
		return;
	if (guts_peerid_parse(&id, guts_req_param(r, 2)) < 0) {
		guts_reply_problem(r, 400, "no peer id");
	} else {
		for (size_t k = 0; k < i->nauthors; k++) {
			if (guts_peerid_eq(&i->authors[k].id, &id))
				found = &i->authors[k];
		}
		if (found)
			reply_rows(r, i, found->refs_view, ALL);
		else
			guts_reply_problem(r, 404, "no refs of that author");
	}
	guts_repo_info_unref(i);
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
	guts_reply_json(r, 200, &b, NULL);
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
	guts_reply_json(r, 200, &b, NULL);
}
