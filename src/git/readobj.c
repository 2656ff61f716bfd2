/* git/readobj.c - objects as git has them: trees with all below them, tags, what a tag finally names. */
#include "git/read_priv.h"

#include "base/buf.h"
#include "git/odb.h"

int
guts_read_object(struct guts_read *r, const struct guts_oid *id, enum guts_object_type *type, uint64_t *size)
{
	git_object_t t;
	git_oid oid;
	size_t n;

	*type = GUTS_OBJ_NONE;
	*size = 0;
	if (!guts_odb_id(&oid, id) || git_odb_read_header(&n, &t, r->odb, &oid) || t < GIT_OBJECT_COMMIT || t > GIT_OBJECT_TAG)
		return GUTS_ENOTFOUND;
	*type = (enum guts_object_type)t;
	*size = n;
	return GUTS_OK;
}

struct guts_oid
guts_read_peel(struct guts_read *r, const struct guts_oid *id)
{
	return guts_odb_type(r->odb, id) == GUTS_OBJ_TAG ? guts_odb_peel(r->odb, id) : *id;
}

int
guts_read_treeish(struct guts_read *r, const struct guts_oid *id, struct guts_oid *tree)
{
	struct guts_oid peeled = guts_read_peel(r, id);
	git_commit *c;
	int err;

	*tree = peeled;
	if (guts_odb_type(r->odb, &peeled) == GUTS_OBJ_TREE)
		return GUTS_OK;
	err = guts_read_lookup(r, &peeled, &c);
	if (!err)
		*tree = guts_read_oid(git_commit_tree_id(c));
	git_commit_free(c);
	return err;
}

int
guts_read_tag(struct guts_read *r, const struct guts_oid *id, struct guts_arena *a, struct guts_read_tag *out)
{
	const char *message;
	git_tag *tag = NULL;
	git_oid oid;
	int err;

	memset(out, 0, sizeof(*out));
	if (!guts_odb_id(&oid, id) || git_tag_lookup(&tag, r->repo, &oid))
		return GUTS_ENOTFOUND;
	out->oid = *id;
	out->target = guts_read_oid(git_tag_target_id(tag));
	out->type = (enum guts_object_type)git_tag_target_type(tag);
	out->name = guts_read_text(a, git_tag_name(tag), strlen(git_tag_name(tag)));
	message = git_tag_message(tag);
	out->message = guts_read_text(a, message, message ? strlen(message) : 0);
	out->has_tagger = git_tag_tagger(tag) != NULL;
	err = guts_read_fill_person(&out->tagger, git_tag_tagger(tag), a);
	git_tag_free(tag);
	return out->name && out->message ? err : GUTS_ELIMIT;
}

/* -- trees ------------------------------------------------------------------------------- */

struct listing {
	struct guts_read *r;
	struct guts_arena *a;
	struct guts_read_tree *out;
	size_t room;          /* entries that out->v holds */
	struct guts_buf path; /* of the folder being read, with a slash at the end */
	bool deep;
};

static int list(struct listing *l, const struct guts_oid *tree, unsigned depth);

static struct guts_read_entry *
next_entry(struct listing *l)
{
	struct guts_read_tree *out = l->out;

	if (out->n == l->room) {
		size_t room = l->room ? l->room * 2 : 256;
		struct guts_read_entry *v = guts_arena_alloc(l->a, room * sizeof(*v));

		if (v == NULL)
			return NULL;
		if (out->n > 0)
			memcpy(v, out->v, out->n * sizeof(*v));
		out->v = v;
		l->room = room;
	}
	return &out->v[out->n++];
}

static int
add_entry(struct listing *l, const git_tree_entry *te, unsigned depth)
{
	struct guts_read_entry *e = next_entry(l);
	struct guts_oid below;
	size_t before = l->path.len;
	int err = e ? guts_read_fill_entry(l->r, e, te, l->a) : GUTS_ELIMIT;

	if (err || !l->deep)
		return err;
	below = e->oid;
	guts_buf_add_str(&l->path, e->name);
	e->name = guts_read_text(l->a, (const char *)guts_buf_slice(&l->path).p, l->path.len);
	if (e->name == NULL || l->path.failed)
		return GUTS_ELIMIT;
	if (e->kind == GUTS_ENTRY_DIR) {
		guts_buf_add_u8(&l->path, '/');
		err = list(l, &below, depth + 1);
	}
	guts_buf_truncate(&l->path, before);
	return err;
}

static int
list(struct listing *l, const struct guts_oid *tree, unsigned depth)
{
	git_tree *t = NULL;
	int err = GUTS_OK;
	git_oid id;

	if (!guts_odb_id(&id, tree) || git_tree_lookup(&t, l->r->repo, &id))
		return guts_odb_type(l->r->odb, tree) == GUTS_OBJ_NONE ? GUTS_ENOTFOUND : GUTS_EINVAL;
	for (size_t i = 0; i < git_tree_entrycount(t) && !err && !l->out->truncated; i++) {
		if (l->out->n == GUTS_READ_TREE_MAX || depth > GUTS_READ_DEPTH_MAX)
			l->out->truncated = true;
		else
			err = add_entry(l, git_tree_entry_byindex(t, i), depth);
	}
	git_tree_free(t);
	return err;
}

int
guts_read_list(struct guts_read *r, const struct guts_oid *tree, bool deep, struct guts_arena *a,
    struct guts_read_tree *out)
{
	struct listing l = { .r = r, .a = a, .out = out, .deep = deep };
	int err;

	memset(out, 0, sizeof(*out));
	out->oid = *tree;
	guts_buf_init(&l.path, 64u << 10);
	err = list(&l, tree, 0);
	guts_buf_deinit(&l.path);
	return err;
}
