/* http/api_objects.c - git's objects by their ids, in the words of GitHub's "git database"; the languages of a tree. */
#include "http/api.h"
#include "http/readjob.h"

#define BLOB_MAX (32u << 20)       /* [bytes] of a blob shown as JSON */

/* -- trees, blobs, commits, tags --------------------------------------------------------- */

#define DEEP 1u

static int
make_tree(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_read_tree tree;
	struct guts_oid id;
	int err = guts_read_treeish(g, &p->tip, &id);

	if (err == 0)
		err = guts_read_list(g, &id, p->flags & DEEP, a, &tree);
	if (err == 0)
		guts_view_tree(j, &x, &tree);
	return err;
}

static int
make_blob(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_slice content;
	uint64_t size;
	int err = guts_read_blob(g, &p->tip, BLOB_MAX, a, &content, &size);

	if (err == 0)
		guts_view_blob(j, &x, &p->tip, content);
	return err;
}

static int
make_git_commit(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_read_commit commit;
	int err = guts_read_commit(g, &p->tip, a, &commit);

	if (err == 0)
		guts_view_git_commit(j, &x, &commit);
	return err;
}

static int
make_git_tag(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_view_repo_ctx x = guts_readjob_ctx(p);
	struct guts_read_tag tag;
	int err = guts_read_tag(g, &p->tip, a, &tag);

	if (err == 0)
		guts_view_tag_object(j, &x, &tag);
	return err;
}

void
guts_rest_git_tree(struct guts_req *r)
{
	static const struct guts_readop op = { "tree", make_tree, NULL, "no such tree", false };
	struct guts_slice deep = guts_target_query(&r->target, "recursive");
	struct guts_readjob *p = guts_readjob_new(r, &op);

	if (!p)
		return;
	/* to GitHub any value means yes; Gitea's client writes its booleans out */
	p->flags = deep.p && !guts_slice_eq(deep, guts_slice_str("false")) && !guts_slice_eq(deep, guts_slice_str("0")) ? DEEP : 0;
	if (guts_readjob_at(r, p, guts_req_param(r, 2)))
		guts_readjob_start(r, p);
}

/* One object by its full id. */
static void
read_object(struct guts_req *r, const struct guts_readop *op)
{
	struct guts_readjob *p = guts_readjob_new(r, op);

	if (!p)
		return;
	if (guts_oid_from_hex(&p->tip, guts_req_param(r, 2)) < 0) {
		guts_readjob_drop(p);
		guts_reply_problem(r, 422, "an object is named by its full id");
		return;
	}
	p->is_immutable = true;
	guts_readjob_start(r, p);
}

void
guts_rest_git_blob(struct guts_req *r)
{
	static const struct guts_readop op = { "blob", make_blob, NULL, "no such blob", false };

	read_object(r, &op);
}

void
guts_rest_git_tag(struct guts_req *r)
{
	static const struct guts_readop op = { "tag", make_git_tag, NULL, "no such tag object", false };

	read_object(r, &op);
}

void
guts_rest_git_commit(struct guts_req *r)
{
	static const struct guts_readop op = { "git commit", make_git_commit, NULL, "no such commit", false };
	struct guts_slice name = guts_req_param(r, 2);
	/* <id>.diff and <id>.patch, as Gitea has them; a name will do for it too */
	struct guts_readjob *p = guts_change_suffix(&name) ? guts_change_job(r) : guts_readjob_new(r, &op);

	if (p && guts_readjob_at(r, p, name))
		guts_readjob_start(r, p);
}

/* -- languages ----------------------------------------------------------------------------- */

/* From the cache, or counted now. */
static int
count_languages(struct guts_http *h, struct guts_read *g, const struct guts_oid *tree, struct guts_arena *a,
    struct guts_read_languages *out)
{
	bool found = false;
	int err = 0;

	pthread_mutex_lock(&h->cache_lock);
	for (size_t i = 0; i < GUTS_HTTP_TREES_N && !found; i++) {
		found = guts_oid_eq(&h->trees[i].tree, tree);
		if (found)
			*out = h->trees[i].languages;
	}
	pthread_mutex_unlock(&h->cache_lock);
	if (found || (err = guts_read_languages(g, tree, a, out)) < 0)
		return err;
	pthread_mutex_lock(&h->cache_lock);
	h->trees[h->trees_next++ % GUTS_HTTP_TREES_N] = (struct guts_counted_tree){ *tree, *out };
	pthread_mutex_unlock(&h->cache_lock);
	return 0;
}

static int
make_languages(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_read_languages langs;
	struct guts_oid tree;
	int err = guts_read_treeish(g, &p->tip, &tree);

	if (err == 0)
		err = count_languages(p->c.h, g, &tree, a, &langs);
	if (err < 0)
		return err;
	guts_json_object(j);
	for (size_t i = 0; i < langs.n; i++)
		guts_json_put_u64(j, langs.v[i].name, langs.v[i].bytes);
	guts_json_object_end(j);
	return 0;
}

void
guts_rest_languages(struct guts_req *r)
{
	static const struct guts_readop op = { "languages", make_languages, NULL, "no such commit", false };
	struct guts_readjob *p = guts_readjob_new(r, &op);

	if (p && guts_readjob_at(r, p, guts_target_query(&r->target, "ref")))
		guts_readjob_start(r, p);
}
