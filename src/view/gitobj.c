/* view/gitobj.c - git's own objects as JSON: trees, tags, commits, refs, in the words of GitHub's "git database". */
#include "view/view.h"

static const char *
type_name(enum guts_object_type t)
{
	static const char *const names[] = { "none", "commit", "tree", "blob", "tag" };

	return names[t];
}

static void
put_url(struct guts_json *j, const struct guts_view_repo_ctx *x, const char *folder, const struct guts_oid *oid)
{
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, oid);
	guts_json_key(j, "url");
	guts_json_strs(j, x->base, "/api/v1/repos/", x->path, "/git/", folder, "/", hex, NULL);
}

static const char *
folder_of(enum guts_object_type t)
{
	return t == GUTS_OBJ_COMMIT ? "commits" : t == GUTS_OBJ_TREE ? "trees" : t == GUTS_OBJ_BLOB ? "blobs" : "tags";
}

void
guts_view_object(struct guts_json *j, const char *key, const struct guts_view_repo_ctx *x, const struct guts_oid *oid,
    enum guts_object_type type)
{
	guts_json_key(j, key);
	guts_json_object(j);
	guts_json_put_str(j, "type", type_name(type));
	guts_json_key(j, "sha");
	guts_view_oid(j, oid);
	put_url(j, x, folder_of(type), oid);
	guts_json_object_end(j);
}

static void
put_tree_entry(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_entry *e)
{
	enum guts_object_type type = e->kind == GUTS_ENTRY_DIR ? GUTS_OBJ_TREE :
	    e->kind == GUTS_ENTRY_SUBMODULE                    ? GUTS_OBJ_COMMIT :
								 GUTS_OBJ_BLOB;

	guts_json_object(j);
	guts_json_put_str(j, "path", e->name);
	guts_json_put_str(j, "mode", guts_view_mode(e->kind));
	guts_json_put_str(j, "type", type_name(type));
	guts_json_key(j, "sha");
	guts_view_oid(j, &e->oid);
	if (type == GUTS_OBJ_BLOB)
		guts_json_put_u64(j, "size", e->size);
	if (type != GUTS_OBJ_COMMIT)
		put_url(j, x, folder_of(type), &e->oid);
	guts_json_object_end(j);
}

void
guts_view_tree(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_tree *t)
{
	guts_json_object(j);
	guts_json_key(j, "sha");
	guts_view_oid(j, &t->oid);
	put_url(j, x, "trees", &t->oid);
	guts_json_key(j, "tree");
	guts_json_array(j);
	for (size_t i = 0; i < t->n; i++)
		put_tree_entry(j, x, &t->v[i]);
	guts_json_array_end(j);
	guts_json_put_bool(j, "truncated", t->truncated);
	guts_json_object_end(j);
}

void
guts_view_blob(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_oid *oid,
    struct guts_slice content)
{
	guts_json_object(j);
	guts_json_key(j, "sha");
	guts_view_oid(j, oid);
	put_url(j, x, "blobs", oid);
	guts_json_put_u64(j, "size", content.n);
	guts_json_put_str(j, "encoding", "base64");
	guts_json_key(j, "content");
	guts_json_base64(j, content);
	guts_json_object_end(j);
}

/* Signatures are shown as they are in the object; nobody here knows whose keys they should be. */
static void
put_unverified(struct guts_json *j, bool is_signed)
{
	guts_json_key(j, "verification");
	guts_json_object(j);
	guts_json_put_bool(j, "verified", false);
	guts_json_put_str(j, "reason", is_signed ? "unknown_key" : "unsigned");
	guts_json_put_null(j, "signature");
	guts_json_put_null(j, "payload");
	guts_json_object_end(j);
}

void
guts_view_tag_object(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_tag *t)
{
	guts_json_object(j);
	guts_json_put_str(j, "tag", t->name);
	guts_json_key(j, "sha");
	guts_view_oid(j, &t->oid);
	put_url(j, x, "tags", &t->oid);
	guts_json_put_str(j, "message", t->message);
	if (t->has_tagger)
		guts_view_person(j, "tagger", &t->tagger);
	else
		guts_json_put_null(j, "tagger");
	guts_view_object(j, "object", x, &t->target, t->type);
	put_unverified(j, strstr(t->message, "-----BEGIN ") != NULL);
	guts_json_object_end(j);
}

static void
put_commit_body(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_commit *c)
{
	guts_view_person(j, "author", &c->author);
	guts_view_person(j, "committer", &c->committer);
	guts_json_put_str(j, "message", c->message ? c->message : "");
	guts_json_key(j, "tree");
	guts_json_object(j);
	guts_json_key(j, "sha");
	guts_view_oid(j, &c->tree);
	put_url(j, x, "trees", &c->tree);
	guts_json_object_end(j);
}

void
guts_view_git_commit(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_read_commit *c)
{
	char hex[GUTS_OID_HEX_SIZE];

	guts_oid_hex(hex, &c->oid);
	guts_json_object(j);
	guts_json_put_str(j, "sha", hex);
	put_url(j, x, "commits", &c->oid);
	guts_json_key(j, "html_url");
	guts_json_strs(j, x->base, "/", x->path, "/commit/", hex, NULL);
	put_commit_body(j, x, c);
	guts_json_key(j, "commit"); /* where Gitea's clients look */
	guts_json_object(j);
	put_commit_body(j, x, c);
	guts_json_object_end(j);
	guts_json_key(j, "parents");
	guts_json_array(j);
	for (size_t i = 0; i < c->nparents; i++) {
		guts_json_object(j);
		guts_json_key(j, "sha");
		guts_view_oid(j, &c->parents[i]);
		put_url(j, x, "commits", &c->parents[i]);
		guts_json_object_end(j);
	}
	guts_json_array_end(j);
	put_unverified(j, c->is_signed);
	guts_json_object_end(j);
}

void
guts_view_comparison(struct guts_json *j, const struct guts_view_repo_ctx *x, const struct guts_view_comparison *c)
{
	const struct guts_read_relation *rel = c->relation;

	guts_json_object(j);
	guts_json_put_str(j, "status",
	    rel->ahead && rel->behind ? "diverged" : rel->ahead ? "ahead" : rel->behind ? "behind" : "identical");
	guts_json_put_u64(j, "ahead_by", rel->ahead);
	guts_json_put_u64(j, "behind_by", rel->behind);
	guts_json_put_u64(j, "total_commits", rel->ahead);
	guts_json_key(j, "base_commit");
	guts_view_commit(j, x, c->from, NULL);
	guts_json_key(j, "merge_base_commit");
	if (c->base)
		guts_view_commit(j, x, c->base, NULL);
	else
		guts_json_null(j);
	guts_json_key(j, "commits");
	guts_json_array(j);
	for (size_t i = c->commits->n; i > 0; i--)
		guts_view_commit(j, x, &c->commits->v[i - 1], NULL);
	guts_json_array_end(j);
	guts_view_diff(j, c->diff);
	guts_json_object_end(j);
}
