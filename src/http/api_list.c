/* http/api_list.c - repositories, listed and searched, in the shapes of GitHub and of Gitea; and whose they are. */
#include "base/alloc.h"
#include "http/api.h"
#include "view/view.h"
#include "wire/multibase.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* -- order -------------------------------------------------------------------------- */

#define REPO(p) (*(const struct guts_repo_info *const *)(p))
#define BY_NUMBER(name, field)                                                                    \
	static int name(const void *a, const void *b)                                             \
	{                                                                                         \
		return (REPO(a)->field > REPO(b)->field) - (REPO(a)->field < REPO(b)->field);     \
	}
BY_NUMBER(by_created, created_wall_ms)
BY_NUMBER(by_updated, updated_wall_ms)
BY_NUMBER(by_size, size_bytes)
BY_NUMBER(by_seeders, nseeders)

static int
by_id(const void *a, const void *b)
{
	return memcmp(REPO(a)->id, REPO(b)->id, GUTS_REPOID_SIZE);
}

static int
by_name(const void *a, const void *b)
{
	int c = strcasecmp(REPO(a)->name, REPO(b)->name);

	return c ? c : by_id(a, b);
}

static const struct {
	const char *name;
	int (*cmp)(const void *a, const void *b);
} orders[] = { { "name", by_name }, { "alpha", by_name }, { "created", by_created }, { "updated", by_updated }, { "size", by_size },
	{ "seeders", by_seeders }, { "id", by_id } };

/* `sort` is a name of the table, "-" before it turns it round; `order` of clients that have one: asc, desc. */
static bool
sort_repos(const struct guts_repo_info **v, size_t n, struct guts_slice sort, struct guts_slice order)
{
	bool down = sort.n && sort.p[0] == '-';

	if (down)
		sort = guts_slice(sort.p + 1, sort.n - 1);
	if (sort.n == 0)
		sort = guts_slice_str("name");
	down = down || guts_slice_eq(order, guts_slice_str("desc"));
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		if (!guts_slice_eq(sort, guts_slice_str(orders[i].name)))
			continue;
		qsort(v, n, sizeof *v, orders[i].cmp);
		for (size_t k = 0; down && k < n / 2; k++) {
			const struct guts_repo_info *t = v[k];
			v[k] = v[n - 1 - k];
			v[n - 1 - k] = t;
		}
		return true;
	}
	return false;
}

/* -- what fits ------------------------------------------------------------------------ */

static bool
holds(const char *text, struct guts_slice part)
{
	size_t n = text ? strlen(text) : 0;

	for (size_t i = 0; i + part.n <= n; i++) {
		if (strncasecmp(text + i, (const char *)part.p, part.n) == 0)
			return true;
	}
	return false;
}

/* One word of a search: "user:" names the owner, other qualifiers ("in:name", "fork:true") narrow nothing down here. */
static bool
word_fits(const struct guts_repo_info *i, const char *creator, struct guts_slice word)
{
	const uint8_t *colon = memchr(word.p, ':', word.n);

	if (colon) {
		struct guts_slice key = guts_slice(word.p, (size_t)(colon - word.p));
		struct guts_slice value = guts_slice(colon + 1, word.n - key.n - 1);
		return !guts_slice_eq(key, guts_slice_str("user")) || guts_slice_eq(value, guts_slice_str(creator));
	}
	return holds(i->name, word) || holds(i->description, word) || holds(i->id_text, word) || holds(creator, word);
}

static bool
repo_fits(const struct guts_req *r, const struct guts_repo_info *i, struct guts_slice q, const struct guts_peerid *owner)
{
	char creator[GUTS_PEERID_TEXT_SIZE];
	size_t at = 0;

	if (!guts_who_may_see(&r->who, i->id, i->is_private) || (owner && !guts_peerid_eq(owner, &i->creator)))
		return false;
	guts_peerid_text(creator, &i->creator);
	while (at < q.n) {
		const uint8_t *space = memchr(q.p + at, ' ', q.n - at);
		size_t n = space ? (size_t)(space - q.p) - at : q.n - at;
		if (n && !word_fits(i, creator, guts_slice(q.p + at, n)))
			return false;
		at += n + 1;
	}
	return true;
}

/* -- answers ----------------------------------------------------------------------------- */

enum shape { LIST, GITHUB_SEARCH, GITEA_SEARCH };

static void
begin_shape(struct guts_json *j, enum shape shape, size_t total)
{
	if (shape != LIST)
		guts_json_object(j);
	if (shape == GITHUB_SEARCH) {
		guts_json_put_u64(j, "total_count", total);
		guts_json_put_bool(j, "incomplete_results", false);
		guts_json_key(j, "items");
	} else if (shape == GITEA_SEARCH) {
		guts_json_put_bool(j, "ok", true);
		guts_json_key(j, "data");
	}
	guts_json_array(j);
}

static void
reply_repos(struct guts_req *r, struct guts_snapshot *s, enum shape shape, const struct guts_peerid *owner)
{
	const struct guts_repo_info **v = guts_calloc(s->nrepos + 1, sizeof *v);
	uint64_t page, per_page;
	struct guts_buf b;
	struct guts_json j;
	size_t n = 0;

	if (!guts_req_page(r, &page, &per_page))
		goto out;
	for (size_t i = 0; i < s->nrepos; i++) {
		if (repo_fits(r, s->repos[i], guts_target_query(&r->target, "q"), owner))
			v[n++] = s->repos[i];
	}
	if (!sort_repos(v, n, guts_target_query(&r->target, "sort"), guts_target_query(&r->target, "order"))) {
		guts_reply_problem(r, 400, "sort: name, created, updated, size, seeders or id");
		goto out;
	}
	guts_reply_begin(&b, &j);
	begin_shape(&j, shape, n);
	for (uint64_t i = (page - 1) * per_page; i < n && i < page * per_page; i++)
		guts_view_repo(&j, guts_req_base(r), v[i]);
	guts_json_array_end(&j);
	if (shape != LIST)
		guts_json_object_end(&j);
	guts_reply_page(r, &b, &(struct guts_page){ .page = page, .per_page = per_page, .total = n }, NULL, s->version);
out:
	free(v);
}

/* `owner` NULL: everybody's. */
static void
list_repos(struct guts_req *r, enum shape shape, const struct guts_peerid *owner)
{
	struct guts_snapshot *s = guts_node_snapshot(r->h->node);

	if (!guts_reply_cached(r, s->version))
		reply_repos(r, s, shape, owner);
	guts_snapshot_unref(s);
}

void
guts_rest_repos(struct guts_req *r)
{
	struct guts_slice o = guts_target_query(&r->target, "owner");
	struct guts_peerid owner;

	if (o.n && guts_peerid_parse(&owner, o) < 0)
		guts_reply_problem(r, 400, "owner: no peer id");
	else
		list_repos(r, LIST, o.n ? &owner : NULL);
}

void
guts_rest_github_search(struct guts_req *r)
{
	list_repos(r, GITHUB_SEARCH, NULL);
}

void
guts_rest_gitea_search(struct guts_req *r)
{
	list_repos(r, GITEA_SEARCH, NULL);
}

void
guts_rest_user_repos(struct guts_req *r)
{
	list_repos(r, LIST, &r->h->id);
}

void
guts_rest_owner_repos(struct guts_req *r)
{
	struct guts_peerid owner;

	if (guts_req_owner(r, guts_req_param(r, 0), &owner))
		list_repos(r, LIST, &owner);
	else
		guts_reply_problem(r, 404, "no such peer id or alias");
}

/* -- users -------------------------------------------------------------------------------- */

/* Whoever has a token acts with this node's key. */
void
guts_rest_user(struct guts_req *r)
{
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_view_user(&j, &r->h->id);
	guts_reply_json(r, 200, &b, NULL);
}

void
guts_rest_version(struct guts_req *r)
{
	struct guts_buf b;
	struct guts_json j;

	guts_reply_begin(&b, &j);
	guts_json_object(&j);
	guts_json_put_str(&j, "version", r->h->version);
	guts_json_object_end(&j);
	guts_reply_json(r, 200, &b, NULL);
}
