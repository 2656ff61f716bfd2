/* git/read.c - commits, folders and files out of a repository, by libgit2.
 *
 * A handle opens the object database alone, not the repository: no configuration is read, no
 * attribute file, no ref.  It sees all packs that are there when it is opened.
 */
#include "git/read_priv.h"

#include "base/alloc.h"
#include "git/odb.h"
#include "git/repostore_priv.h"

#include <stdlib.h>
#include <strings.h>

int
guts_read_err(int rc)
{
	switch (rc) {
	case 0:
		return GUTS_OK;
	case GIT_ENOTFOUND:
	case GIT_EINVALIDSPEC:
	case GIT_EPEEL:
		return GUTS_ENOTFOUND;
	default:
		return GUTS_EIO;
	}
}

const char *
guts_read_text(struct guts_arena *a, const char *s, size_t n)
{
	return guts_arena_memdup(a, s ? s : "", s ? n : 0);
}

struct guts_oid
guts_read_oid(const git_oid *id)
{
	struct guts_oid o;

	guts_oid_from_bytes(&o, guts_slice(id->id, GIT_OID_RAWSZ));
	return o;
}

int
guts_read_open(struct guts_read **out, const char *path)
{
	struct guts_read *r = guts_alloc(sizeof(*r));
	int err;

	err = guts_odb_open(&r->odb, path);
	if (!err && git_repository_wrap_odb(&r->repo, r->odb))
		err = GUTS_EIO;
	if (err) {
		guts_read_close(r);
		return err;
	}
	*out = r;
	return GUTS_OK;
}

void
guts_read_close(struct guts_read *r)
{
	if (r == NULL)
		return;
	git_repository_free(r->repo);
	git_odb_free(r->odb);
	free(r);
}

/* -- ids ------------------------------------------------------------------------------ */

int
guts_read_expand(struct guts_read *r, struct guts_slice digits, struct guts_oid *out)
{
	git_oid brief, whole;
	int rc;

	if (digits.n < GUTS_READ_BRIEF_MIN || digits.n >= GIT_OID_HEXSZ || git_oid_fromstrn(&brief, (const char *)digits.p, digits.n))
		return GUTS_EINVAL;
	rc = git_odb_exists_prefix(&whole, r->odb, &brief, digits.n);
	if (rc)
		return rc == GIT_EAMBIGUOUS ? GUTS_ECONFLICT : GUTS_ENOTFOUND;
	*out = guts_read_oid(&whole);
	return GUTS_OK;
}

/* -- commits -------------------------------------------------------------------------- */

int
guts_read_lookup(struct guts_read *r, const struct guts_oid *id, git_commit **out)
{
	struct guts_oid peeled;
	git_oid oid;
	int rc;

	*out = NULL;
	if (!guts_odb_id(&oid, id))
		return guts_oid_is_none(id) ? GUTS_ENOTFOUND : GUTS_EUNSUPPORTED;
	rc = git_commit_lookup(out, r->repo, &oid);
	if (rc == 0)
		return GUTS_OK;
	if (guts_odb_type(r->odb, id) != GUTS_OBJ_TAG)
		return GUTS_ENOTFOUND;
	peeled = guts_odb_peel(r->odb, id);
	if (!guts_odb_id(&oid, &peeled))
		return GUTS_ENOTFOUND;
	return git_commit_lookup(out, r->repo, &oid) ? GUTS_ENOTFOUND : GUTS_OK;
}

int
guts_read_fill_person(struct guts_read_person *p, const git_signature *s, struct guts_arena *a)
{
	p->name = guts_read_text(a, s ? s->name : "", s ? strlen(s->name) : 0);
	p->email = guts_read_text(a, s ? s->email : "", s ? strlen(s->email) : 0);
	p->time_s = s ? s->when.time : 0;
	p->offset_min = s ? s->when.offset : 0;
	return p->name && p->email ? GUTS_OK : GUTS_ELIMIT;
}

static int
fill_commit(struct guts_read_commit *out, git_commit *c, struct guts_arena *a)
{
	const char *message = git_commit_message(c), *raw = git_commit_raw_header(c);
	size_t n = message ? strlen(message) : 0;

	memset(out, 0, sizeof(*out));
	out->oid = guts_read_oid(git_commit_id(c));
	out->tree = guts_read_oid(git_commit_tree_id(c));
	if (guts_read_fill_person(&out->author, git_commit_author(c), a) || guts_read_fill_person(&out->committer, git_commit_committer(c), a))
		return GUTS_ELIMIT;
	out->message = guts_read_text(a, message, n);
	out->summary = guts_read_text(a, message, message ? strcspn(message, "\n") : 0);
	out->is_signed = raw && (strncmp(raw, "gpgsig", 6) == 0 || strstr(raw, "\ngpgsig") != NULL);
	out->nparents = git_commit_parentcount(c);
	out->parents = guts_arena_alloc(a, (out->nparents + 1) * sizeof(*out->parents));
	if (out->message == NULL || out->summary == NULL || out->parents == NULL)
		return GUTS_ELIMIT;
	for (size_t i = 0; i < out->nparents; i++)
		out->parents[i] = guts_read_oid(git_commit_parent_id(c, (unsigned)i));
	return GUTS_OK;
}

int
guts_read_commit(struct guts_read *r, const struct guts_oid *id, struct guts_arena *a, struct guts_read_commit *out)
{
	git_commit *c;
	int err = guts_read_lookup(r, id, &c);

	if (!err)
		err = fill_commit(out, c, a);
	git_commit_free(c);
	return err;
}

/* "a/b" without slashes at its ends, as fresh memory. */
static char *
clean_path(struct guts_slice path)
{
	while (path.n > 0 && path.p[0] == '/')
		path = guts_slice(path.p + 1, path.n - 1);
	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	return guts_memdup(path.p, path.n);
}

/* A walk from `tip`, newest first as the history is met. */
static int
begin_walk(struct guts_read *r, const struct guts_oid *tip, git_revwalk **out)
{
	git_commit *c;
	int err = guts_read_lookup(r, tip, &c);

	*out = NULL;
	if (!err && (git_revwalk_new(out, r->repo) || git_revwalk_sorting(*out, GIT_SORT_NONE) ||
	    git_revwalk_push(*out, git_commit_id(c))))
		err = GUTS_EIO;
	git_commit_free(c);
	return err;
}

/* Leave out what `from` reaches; one that is not there hides nothing. */
static int
hide(struct guts_read *r, git_revwalk *walk, const struct guts_oid *from)
{
	git_commit *c;
	int err = guts_read_lookup(r, from, &c);

	if (!err && git_revwalk_hide(walk, git_commit_id(c)))
		err = GUTS_EIO;
	git_commit_free(c);
	return err == GUTS_ENOTFOUND ? GUTS_OK : err;
}

int
guts_read_range(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to, size_t skip,
    size_t max, struct guts_arena *a, struct guts_read_commits *out)
{
	git_revwalk *walk = NULL;
	git_oid oid;
	int err;

	memset(out, 0, sizeof(*out));
	max = max < GUTS_READ_RANGE_MAX ? max : GUTS_READ_RANGE_MAX;
	out->v = guts_arena_alloc(a, (max + 1) * sizeof(*out->v));
	err = out->v ? begin_walk(r, to, &walk) : GUTS_ELIMIT;
	if (!err && (git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME)))
		err = GUTS_EIO;
	if (!err && !guts_oid_is_none(from))
		err = hide(r, walk, from);
	while (!err && out->total < GUTS_READ_WALK_MAX && git_revwalk_next(&oid, walk) == 0) {
		git_commit *c = NULL;

		if (out->total++ < skip || out->n == max)
			continue;
		err = git_commit_lookup(&c, r->repo, &oid) ? GUTS_EIO : fill_commit(&out->v[out->n++], c, a);
		git_commit_free(c);
	}
	out->more = out->total > skip + out->n;
	git_revwalk_free(walk);
	return err;
}

/* -- folders and files ------------------------------------------------------------------- */

static enum guts_read_kind
kind_of(const git_tree_entry *e)
{
	switch (git_tree_entry_filemode(e)) {
	case GIT_FILEMODE_TREE:
		return GUTS_ENTRY_DIR;
	case GIT_FILEMODE_LINK:
		return GUTS_ENTRY_LINK;
	case GIT_FILEMODE_COMMIT:
		return GUTS_ENTRY_SUBMODULE;
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		return GUTS_ENTRY_EXEC;
	default:
		return GUTS_ENTRY_FILE;
	}
}

int
guts_read_fill_entry(struct guts_read *r, struct guts_read_entry *out, const git_tree_entry *e, struct guts_arena *a)
{
	const char *name = git_tree_entry_name(e);
	git_object_t type;
	size_t size;

	memset(out, 0, sizeof(*out));
	out->name = guts_read_text(a, name, strlen(name));
	out->kind = kind_of(e);
	out->oid = guts_read_oid(git_tree_entry_id(e));
	if (out->kind != GUTS_ENTRY_DIR && out->kind != GUTS_ENTRY_SUBMODULE &&
	    git_odb_read_header(&size, &type, r->odb, git_tree_entry_id(e)) == 0)
		out->size = size;
	return out->name ? GUTS_OK : GUTS_ELIMIT;
}

int
guts_read_path(struct guts_read *r, const struct guts_oid *tip, struct guts_slice path, struct guts_arena *a,
    struct guts_read_entry *out)
{
	char *text = clean_path(path);
	git_tree_entry *e = NULL;
	git_tree *t = NULL;
	git_commit *c;
	int err = guts_read_lookup(r, tip, &c);

	memset(out, 0, sizeof(*out));
	if (!err)
		err = guts_read_err(git_commit_tree(&t, c));
	if (!err && text[0] == '\0') {
		*out = (struct guts_read_entry){ .name = "", .kind = GUTS_ENTRY_DIR, .oid = guts_read_oid(git_tree_id(t)) };
	} else if (!err) {
		err = git_tree_entry_bypath(&e, t, text) ? GUTS_ENOTFOUND : guts_read_fill_entry(r, out, e, a);
	}
	git_tree_entry_free(e);
	git_tree_free(t);
	git_commit_free(c);
	free(text);
	return err;
}

static int
folders_first(const void *x, const void *y)
{
	const struct guts_read_entry *a = x, *b = y;
	bool da = a->kind == GUTS_ENTRY_DIR, db = b->kind == GUTS_ENTRY_DIR;

	return da != db ? (da ? -1 : 1) : strcmp(a->name, b->name);
}

int
guts_read_tree(struct guts_read *r, const struct guts_oid *tree, struct guts_arena *a, struct guts_read_tree *out)
{
	git_tree *t = NULL;
	git_oid id;
	int err = GUTS_OK;

	memset(out, 0, sizeof(*out));
	if (!guts_odb_id(&id, tree) || git_tree_lookup(&t, r->repo, &id))
		return guts_odb_type(r->odb, tree) == GUTS_OBJ_NONE ? GUTS_ENOTFOUND : GUTS_EINVAL;
	out->oid = *tree;
	out->n = git_tree_entrycount(t);
	out->truncated = out->n > GUTS_READ_ENTRIES_MAX;
	if (out->truncated)
		out->n = GUTS_READ_ENTRIES_MAX;
	out->v = guts_arena_alloc(a, (out->n + 1) * sizeof(*out->v));
	if (out->v == NULL)
		err = GUTS_ELIMIT;
	for (size_t i = 0; i < out->n && !err; i++)
		err = guts_read_fill_entry(r, &out->v[i], git_tree_entry_byindex(t, i), a);
	if (!err && out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), folders_first);
	git_tree_free(t);
	return err;
}

int
guts_read_blob(struct guts_read *r, const struct guts_oid *blob, uint64_t max, struct guts_arena *a,
    struct guts_slice *out, uint64_t *size)
{
	git_odb_object *obj = NULL;
	git_object_t type;
	git_oid id;
	size_t n;
	void *p;

	*out = (struct guts_slice){ 0 };
	*size = 0;
	/* The size first: a large one must not be read to be refused. */
	if (!guts_odb_id(&id, blob) || git_odb_read_header(&n, &type, r->odb, &id) || type != GIT_OBJECT_BLOB)
		return GUTS_ENOTFOUND;
	*size = n;
	if (n > max)
		return GUTS_ELIMIT;
	if (git_odb_read(&obj, r->odb, &id))
		return GUTS_EIO;
	p = guts_arena_memdup(a, git_odb_object_data(obj), n);
	git_odb_object_free(obj);
	*out = guts_slice(p, p ? n : 0);
	return p ? GUTS_OK : GUTS_ELIMIT;
}

/* How well a name serves as the readme; 0 = not at all. */
static unsigned
readme_rank(const char *name)
{
	static const char *const suffixes[] = { "", ".txt", ".rst", ".org", ".adoc", ".markdown", ".md" };

	if (strncasecmp(name, "readme", 6) != 0)
		return 0;
	for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (strcasecmp(name + 6, suffixes[i]) == 0)
			return i + 1;
	return 0;
}

int
guts_read_readme(struct guts_read *r, const struct guts_oid *tip, struct guts_arena *a, struct guts_read_entry *out)
{
	const git_tree_entry *best = NULL;
	unsigned best_rank = 0;
	git_tree *t = NULL;
	git_commit *c;
	int err = guts_read_lookup(r, tip, &c);

	if (!err)
		err = guts_read_err(git_commit_tree(&t, c));
	for (size_t i = 0; !err && i < git_tree_entrycount(t); i++) {
		const git_tree_entry *e = git_tree_entry_byindex(t, i);
		unsigned rank = git_tree_entry_type(e) == GIT_OBJECT_BLOB ? readme_rank(git_tree_entry_name(e)) : 0;

		if (rank > best_rank) {
			best = e;
			best_rank = rank;
		}
	}
	if (!err)
		err = best ? guts_read_fill_entry(r, out, best, a) : GUTS_ENOTFOUND;
	git_tree_free(t);
	git_commit_free(c);
	return err;
}
