/* git/readdiff.c - what a commit changed: files, counted lines, hunks; everything capped.
 *
 * Files over a megabyte are taken as binary by libgit2's own limit here, so one huge generated
 * file does not cost a diff; a patch over its cap is left out and its counts are kept.
 */
#include "git/read_priv.h"

#include "base/buf.h"
#include "git/odb.h"

#define DIFF_FILE_MAX (1 << 20) /* [bytes] larger files are shown without a patch */

struct diff_run {
	git_repository *repo;
	struct guts_arena *a;
	struct guts_read_diff *out;
	enum depth { NAMES, COUNTS, PATCHES } depth;
	size_t patches_left;
};

static enum guts_read_status
status_of(git_delta_t s)
{
	switch (s) {
	case GIT_DELTA_ADDED:
		return GUTS_FILE_ADDED;
	case GIT_DELTA_DELETED:
		return GUTS_FILE_REMOVED;
	case GIT_DELTA_RENAMED:
		return GUTS_FILE_RENAMED;
	case GIT_DELTA_TYPECHANGE:
		return GUTS_FILE_TYPE;
	default:
		return GUTS_FILE_MODIFIED;
	}
}


/* Lines of hunks, with their sign in front; file headers are left out. */
static int
print_line(const git_diff_delta *d, const git_diff_hunk *h, const git_diff_line *l, void *payload)
{
	struct guts_buf *b = payload;

	(void)d;
	(void)h;
	if (l->origin == GIT_DIFF_LINE_FILE_HDR || l->origin == GIT_DIFF_LINE_BINARY)
		return 0;
	if (l->origin == GIT_DIFF_LINE_CONTEXT || l->origin == GIT_DIFF_LINE_ADDITION ||
	    l->origin == GIT_DIFF_LINE_DELETION)
		guts_buf_add_u8(b, (uint8_t)l->origin);
	return guts_buf_add(b, l->content, l->content_len) ? -1 : 0;
}

static int
fill_patch(struct diff_run *d, struct guts_read_file *f, git_patch *patch)
{
	size_t max = d->patches_left < GUTS_READ_PATCH_MAX ? d->patches_left : GUTS_READ_PATCH_MAX;
	struct guts_buf text;
	int err = GUTS_OK;

	guts_buf_init(&text, max);
	if (max > 0 && git_patch_print(patch, print_line, &text) == 0) {
		struct guts_slice s = guts_buf_slice(&text);

		f->patch = guts_read_text(d->a, (const char *)s.p, s.n);
		f->patch_bytes = s.n;
		d->patches_left -= s.n;
		if (f->patch == NULL)
			err = GUTS_ELIMIT;
	}
	guts_buf_deinit(&text);
	return err;
}

/* libgit2 shows nothing of a file that became a symlink, or the other way; their texts are compared. */
static git_patch *
type_patch(git_repository *repo, const git_diff_delta *delta)
{
	git_diff_options opt;
	git_blob *from = NULL, *to = NULL;
	git_patch *patch = NULL;

	git_diff_options_init(&opt, GIT_DIFF_OPTIONS_VERSION);
	opt.max_size = DIFF_FILE_MAX;
	if (git_blob_lookup(&from, repo, &delta->old_file.id) == 0 && git_blob_lookup(&to, repo, &delta->new_file.id) == 0 &&
	    git_patch_from_blobs(&patch, from, delta->old_file.path, to, delta->new_file.path, &opt))
		patch = NULL;
	git_blob_free(from);
	git_blob_free(to);
	return patch;
}

static int
fill_file(struct diff_run *d, struct guts_read_file *f, git_diff *diff, size_t i)
{
	const git_diff_delta *delta = git_diff_get_delta(diff, i);
	const char *new_path = delta->new_file.path, *old_path = delta->old_file.path;
	size_t additions = 0, deletions = 0;
	git_patch *patch = NULL;
	int err = GUTS_OK;

	memset(f, 0, sizeof(*f));
	f->status = status_of(delta->status);
	f->path = guts_read_text(d->a, new_path, strlen(new_path));
	if (f->status == GUTS_FILE_RENAMED)
		f->old_path = guts_read_text(d->a, old_path, strlen(old_path));
	if (f->path == NULL || (f->status == GUTS_FILE_RENAMED && f->old_path == NULL))
		return GUTS_ELIMIT;
	f->blob = guts_read_oid(f->status == GUTS_FILE_REMOVED ? &delta->old_file.id : &delta->new_file.id);
	if (d->depth == NAMES)
		return GUTS_OK;
	if (delta->status == GIT_DELTA_TYPECHANGE)
		patch = type_patch(d->repo, delta);
	else if (git_patch_from_diff(&patch, diff, i))
		patch = NULL;
	if (patch == NULL)
		return GUTS_OK; /* a submodule, or an object that is not there: named, not shown */
	f->is_binary = git_patch_get_delta(patch)->flags & GIT_DIFF_FLAG_BINARY;
	git_patch_line_stats(NULL, &additions, &deletions, patch);
	f->additions = additions;
	f->deletions = deletions;
	d->out->additions += additions;
	d->out->deletions += deletions;
	if (d->depth == PATCHES && !f->is_binary)
		err = fill_patch(d, f, patch);
	git_patch_free(patch);
	return err;
}

static int
fill_diff(struct diff_run *d, git_diff *diff)
{
	struct guts_read_diff *out = d->out;
	int err = GUTS_OK;

	out->nfiles = git_diff_num_deltas(diff);
	out->n = out->nfiles < GUTS_READ_FILES_MAX ? out->nfiles : GUTS_READ_FILES_MAX;
	out->truncated = out->n < out->nfiles;
	out->v = guts_arena_alloc(d->a, (out->n + 1) * sizeof(*out->v));
	if (out->v == NULL)
		return GUTS_ELIMIT;
	for (size_t i = 0; i < out->n && !err; i++)
		err = fill_file(d, &out->v[i], diff, i);
	return err;
}

static int
diff_trees(struct guts_read *r, git_tree *from, git_tree *to, enum depth depth, struct guts_arena *a,
    struct guts_read_diff *out)
{
	struct diff_run run = { r->repo, a, out, depth, GUTS_READ_PATCHES_MAX };
	git_diff_options opt;
	git_diff_find_options find;
	git_diff *diff = NULL;
	int err;

	git_diff_options_init(&opt, GIT_DIFF_OPTIONS_VERSION);
	git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
	opt.max_size = DIFF_FILE_MAX;
	opt.flags = GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_IGNORE_SUBMODULES;
	find.flags = GIT_DIFF_FIND_RENAMES | GIT_DIFF_FIND_EXACT_MATCH_ONLY;
	if (git_diff_tree_to_tree(&diff, r->repo, from, to, &opt))
		return GUTS_EIO;
	/* Renames by equal content only: anything finer reads every pair. */
	if (git_diff_num_deltas(diff) <= GUTS_READ_FILES_MAX)
		git_diff_find_similar(diff, &find);
	err = fill_diff(&run, diff);
	git_diff_free(diff);
	return err;
}

static int
compare(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to, enum depth depth,
    struct guts_arena *a, struct guts_read_diff *out)
{
	git_commit *cf = NULL, *ct = NULL;
	git_tree *tf = NULL, *tt = NULL;
	int err = guts_read_lookup(r, to, &ct);

	memset(out, 0, sizeof(*out));
	if (!err && !guts_oid_is_none(from))
		err = guts_read_lookup(r, from, &cf);
	if (!err)
		err = guts_read_err(git_commit_tree(&tt, ct));
	if (!err && cf != NULL)
		err = guts_read_err(git_commit_tree(&tf, cf));
	if (!err)
		err = diff_trees(r, tf, tt, depth, a, out);
	git_tree_free(tf);
	git_tree_free(tt);
	git_commit_free(cf);
	git_commit_free(ct);
	return err;
}

int
guts_read_compare(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to, bool with_patch,
    struct guts_arena *a, struct guts_read_diff *out)
{
	return compare(r, from, to, with_patch ? PATCHES : COUNTS, a, out);
}

/* Against the first parent, or nothing. */
static int
compare_parent(struct guts_read *r, const struct guts_oid *commit, enum depth depth, struct guts_arena *a,
    struct guts_read_diff *out)
{
	struct guts_oid from = { 0 };
	git_commit *c;
	int err = guts_read_lookup(r, commit, &c);

	if (!err && git_commit_parentcount(c) > 0)
		from = guts_read_oid(git_commit_parent_id(c, 0));
	git_commit_free(c);
	memset(out, 0, sizeof(*out));
	return err ? err : compare(r, &from, commit, depth, a, out);
}

int
guts_read_diff(struct guts_read *r, const struct guts_oid *commit, bool with_patch, struct guts_arena *a,
    struct guts_read_diff *out)
{
	return compare_parent(r, commit, with_patch ? PATCHES : COUNTS, a, out);
}

int
guts_read_names(struct guts_read *r, const struct guts_oid *commit, struct guts_arena *a, struct guts_read_diff *out)
{
	return compare_parent(r, commit, NAMES, a, out);
}
