/* git/readpatch.c - how two commits relate, and what lies between them as text that git itself would print. */
#include "git/read_priv.h"

#include "git/odb.h"

#include <git2/email.h>

int
guts_read_relate(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to,
    struct guts_read_relation *out)
{
	git_commit *cf = NULL, *ct = NULL;
	size_t ahead = 0, behind = 0;
	git_oid base;
	int err, rc;

	memset(out, 0, sizeof(*out));
	err = guts_read_lookup(r, from, &cf);
	if (!err)
		err = guts_read_lookup(r, to, &ct);
	if (!err && git_graph_ahead_behind(&ahead, &behind, r->repo, git_commit_id(ct), git_commit_id(cf)))
		err = GUTS_EIO;
	if (!err) {
		rc = git_merge_base(&base, r->repo, git_commit_id(cf), git_commit_id(ct));
		if (rc == 0)
			out->base = guts_read_oid(&base);
		else if (rc != GIT_ENOTFOUND)
			err = GUTS_EIO;
	}
	out->ahead = ahead;
	out->behind = behind;
	git_commit_free(cf);
	git_commit_free(ct);
	return err;
}

/* Adopts *text. */
static int
append(struct guts_buf *out, git_buf *text)
{
	int err = out->len + text->size > GUTS_READ_TEXT_MAX ? GUTS_ELIMIT : guts_buf_add(out, text->ptr, text->size);

	git_buf_dispose(text);
	return err;
}

/* Text is made whole, so what goes into it is bounded first. */
static bool
is_small(struct guts_read *r, const git_diff *diff)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
		const git_diff_delta *d = git_diff_get_delta(diff, i);
		const git_oid *const ids[] = { &d->old_file.id, &d->new_file.id };

		for (int k = 0; k < 2; k++) {
			git_object_t type;
			size_t n;

			if (!git_oid_is_zero(ids[k]) && git_odb_read_header(&n, &type, r->odb, ids[k]) == 0)
				sum += n;
		}
	}
	return sum <= 2 * GUTS_READ_TEXT_MAX;
}

/* The difference of two commits' trees; `from` NULL: against nothing.  Renames are found by equal content, in changes of
 * few files: anything finer reads every pair. */
static int
diff_commits(struct guts_read *r, git_commit *from, git_commit *to, enum guts_read_form form, git_diff **out)
{
	git_tree *tf = NULL, *tt = NULL;
	git_diff_find_options find;
	git_diff_options opt;
	int err = GUTS_OK;

	*out = NULL;
	git_diff_options_init(&opt, GIT_DIFF_OPTIONS_VERSION);
	git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
	find.flags = GIT_DIFF_FIND_RENAMES | GIT_DIFF_FIND_EXACT_MATCH_ONLY;
	if (form == GUTS_FORM_PATCH)
		opt.flags |= GIT_DIFF_SHOW_BINARY;
	if (git_commit_tree(&tt, to) || (from && git_commit_tree(&tf, from)) ||
	    git_diff_tree_to_tree(out, r->repo, tf, tt, &opt))
		err = GUTS_EIO;
	else if (!is_small(r, *out))
		err = GUTS_ELIMIT;
	else if (git_diff_num_deltas(*out) <= GUTS_READ_FILES_MAX && git_diff_find_similar(*out, &find))
		err = GUTS_EIO;
	git_tree_free(tf);
	git_tree_free(tt);
	return err;
}

static int
print_diff(struct guts_read *r, git_commit *from, git_commit *to, struct guts_buf *out)
{
	git_buf text = { 0 };
	git_diff *diff;
	int err = diff_commits(r, from, to, GUTS_FORM_DIFF, &diff);

	if (!err)
		err = git_diff_to_buf(&text, diff, GIT_DIFF_FORMAT_PATCH) ? GUTS_EIO : append(out, &text);
	git_diff_free(diff);
	return err;
}

static int
print_mail(struct guts_read *r, git_commit *c, struct guts_buf *out)
{
	git_commit *parent = NULL;
	git_buf text = { 0 };
	git_diff *diff = NULL;
	int err = git_commit_parentcount(c) > 0 ? guts_read_err(git_commit_parent(&parent, c, 0)) : GUTS_OK;

	if (!err)
		err = diff_commits(r, parent, c, GUTS_FORM_PATCH, &diff);
	if (!err)
		err = git_email_create_from_diff(&text, diff, 1, 1, git_commit_id(c), git_commit_summary(c), git_commit_body(c),
			  git_commit_author(c), NULL)
		    ? GUTS_EIO
		    : append(out, &text);
	git_diff_free(diff);
	git_commit_free(parent);
	return err;
}

static int
print_mails(struct guts_read *r, git_commit *from, git_commit *to, struct guts_buf *out)
{
	git_revwalk *walk = NULL;
	git_oid oid;
	int err = git_revwalk_new(&walk, r->repo) ||
		git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE) ||
		git_revwalk_push(walk, git_commit_id(to)) || git_revwalk_hide(walk, git_commit_id(from))
	    ? GUTS_EIO
	    : GUTS_OK;

	while (!err && git_revwalk_next(&oid, walk) == 0) {
		git_commit *c = NULL;

		if (git_commit_lookup(&c, r->repo, &oid))
			err = GUTS_EIO;
		else if (git_commit_parentcount(c) < 2)
			err = print_mail(r, c, out);
		git_commit_free(c);
	}
	git_revwalk_free(walk);
	return err;
}

int
guts_read_change(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to,
    enum guts_read_form form, struct guts_buf *out)
{
	bool alone = guts_oid_is_none(from);
	git_commit *cf = NULL, *ct = NULL;
	int err = guts_read_lookup(r, to, &ct);

	if (!err && !alone)
		err = guts_read_lookup(r, from, &cf);
	else if (!err && form == GUTS_FORM_DIFF && git_commit_parentcount(ct) > 0)
		err = guts_read_err(git_commit_parent(&cf, ct, 0));
	if (!err && form == GUTS_FORM_DIFF)
		err = print_diff(r, cf, ct, out);
	else if (!err)
		err = alone ? print_mail(r, ct, out) : print_mails(r, cf, ct, out);
	git_commit_free(cf);
	git_commit_free(ct);
	return err;
}
