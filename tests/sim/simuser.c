/* tests/sim/simuser.c - see simuser.h.  libgit2 makes the objects; time and names in them are fixed, so the ids are too. */
#include "simuser.h"

#include "simrepo.h"

#include "base/alloc.h"
#include "git/odb.h"

#include <git2.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILES      4
#define LINES      40 /* of a file */
#define SIZE_BYTES 8  /* filling of a model object: its packs stay as small as git's */

struct simuser {
	git_repository *git;
	bool is_real;
	struct simrepo_object v[FILES + 2]; /* of the commit being made */
	size_t n;
};

static void
must(int rc)
{
	if (rc < 0) {
		printf("Bail out! libgit2: %s\n", git_error_last() ? git_error_last()->message : "?");
		abort();
	}
}

struct simuser *
simuser_new(const char *path, bool is_real)
{
	struct simuser *u = guts_alloc(sizeof *u);

	guts_git2_init();
	must(git_repository_init(&u->git, path, true));
	u->is_real = is_real;
	return u;
}

void
simuser_free(struct simuser *u)
{
	git_repository_free(u->git);
	free(u);
}

static struct guts_oid
oid_of(const git_oid *id)
{
	struct guts_oid o;

	(void)guts_oid_from_bytes(&o, guts_slice(id->id, sizeof id->id));
	return o;
}

static struct simrepo_object *
add(struct simuser *u, enum guts_object_type type, const git_oid *id)
{
	struct simrepo_object *o = &u->v[u->n++];

	*o = (struct simrepo_object){ .type = type, .oid = oid_of(id), .size = SIZE_BYTES };
	return o;
}

static void
add_file(struct simuser *u, git_treebuilder *tree, unsigned i, uint64_t salt)
{
	char text[LINES * 40], name[] = { 'f', (char)('0' + i), '\0' };
	size_t n = 0;
	git_oid blob;

	for (unsigned line = 0; line < LINES; line++) /* most lines are those of the version before */
		n += (size_t)snprintf(text + n, sizeof text - n, "file %u line %u %" PRIu64 "\n", i, line,
		    line == 7 ? salt : line);
	must(git_blob_create_from_buffer(&blob, u->git, text, n));
	must(git_treebuilder_insert(NULL, tree, name, &blob, GIT_FILEMODE_BLOB));
	add(u, GUTS_OBJ_BLOB, &blob);
}

static void
add_tree(struct simuser *u, git_commit *parent, uint64_t salt, git_oid *out)
{
	git_treebuilder *tree;
	git_tree *old = NULL;
	struct simrepo_object *o;

	if (parent)
		must(git_commit_tree(&old, parent));
	must(git_treebuilder_new(&tree, u->git, old));
	for (unsigned i = 0; i < FILES; i++)
		if (!parent || salt % FILES == i)
			add_file(u, tree, i, salt);
	must(git_treebuilder_write(out, tree));
	git_treebuilder_free(tree);
	git_tree_free(old);

	must(git_tree_lookup(&old, u->git, out));
	o = add(u, GUTS_OBJ_TREE, out);
	while (o->nparents < git_tree_entrycount(old)) {
		o->parent[o->nparents] = oid_of(git_tree_entry_id(git_tree_entry_byindex(old, o->nparents)));
		o->nparents++;
	}
	git_tree_free(old);
}

static void
real_pack(struct simuser *u, struct guts_buf *pack)
{
	git_packbuilder *pb;
	git_buf bytes = { 0 };

	must(git_packbuilder_new(&pb, u->git));
	git_packbuilder_set_threads(pb, 1);
	for (size_t i = 0; i < u->n; i++) {
		git_oid id;

		memcpy(id.id, u->v[i].oid.b, sizeof id.id);
		must(git_packbuilder_insert(pb, &id, NULL));
	}
	must(git_packbuilder_write_buf(&bytes, pb));
	guts_buf_add(pack, bytes.ptr, bytes.size);
	git_buf_dispose(&bytes);
	git_packbuilder_free(pb);
}

void
simuser_commit(struct simuser *u, const struct guts_oid *parent, uint64_t salt, struct guts_oid *out,
    struct guts_buf *pack)
{
	git_commit *before = NULL;
	git_tree *tree;
	git_signature *who;
	git_oid id;
	struct simrepo_object *o;

	u->n = 0;
	if (parent) {
		memcpy(id.id, parent->b, sizeof id.id);
		must(git_commit_lookup(&before, u->git, &id));
	}
	add_tree(u, before, salt, &id);
	must(git_tree_lookup(&tree, u->git, &id));
	must(git_signature_new(&who, "A U Thor", "author@example.org", 1700000000 + (git_time_t)salt, 0));
	const git_commit *parents[1] = { before };
	must(git_commit_create(&id, u->git, NULL, who, who, NULL, "a change\n", tree, before ? 1 : 0, parents));
	git_signature_free(who);

	o = add(u, GUTS_OBJ_COMMIT, &id);
	o->parent[o->nparents++] = oid_of(git_tree_id(tree));
	if (parent)
		o->parent[o->nparents++] = *parent;
	git_tree_free(tree);
	git_commit_free(before);
	*out = o->oid;
	if (u->is_real)
		real_pack(u, pack);
	else
		simrepo_pack(pack, u->v, u->n);
}
