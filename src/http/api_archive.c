/* http/api_archive.c - a tree as one file, as GitHub and Gitea have it: made by git archive while it is read.
 *
 * A worker sees first that the commit is here, so that a 404 is one; then bytes flow as for a fetch.
 */
#include "base/alloc.h"
#include "git/archive.h"
#include "http/api.h"
#include "http/childout.h"
#include "http/readjob.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER_MAX (GUTS_ARCHIVE_PREFIX_MAX - 1)

struct archive {
	struct guts_childout out;
	struct guts_repostore *repos;
	struct guts_archive_spec spec;
	char disposition[GUTS_ARCHIVE_PREFIX_MAX + 48], etag[96];
	bool is_immutable;
};

struct start {
	struct guts_repostore *repos;
	struct guts_archive_spec spec;
	struct guts_pipe *out;
};

static void
start_posted(void *arg)
{
	struct start *s = arg;

	guts_archive_start(s->repos, &s->spec, s->out);
	free(s);
}

static void
free_archive(struct guts_req *r)
{
	struct archive *a = r->state;

	guts_childout_deinit(&a->out);
	free(a);
}

static void
answer_archive(struct guts_req *r)
{
	struct archive *a = r->state;
	const char *const extra[] = { "Content-Type", a->spec.format == GUTS_ARCHIVE_ZIP ? "application/zip" : "application/gzip",
		"Content-Disposition", a->disposition, "ETag", a->etag, "Cache-Control",
		a->is_immutable ? "private, max-age=31536000, immutable" : "private, no-cache", NULL };

	r->resume = answer_archive;
	a->out.extra = extra;
	guts_childout_answer(&a->out);
}

/* The folder inside: name of the repository and of what was asked for, in characters that mean nothing to anybody. */
static void
name_folder(char out[FOLDER_MAX], const struct guts_readjob *p)
{
	static const char *const prefixes[] = { "refs/heads/", "refs/tags/", "refs/", "heads/", "tags/" };
	const char *ref = p->ref;

	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		size_t n = strlen(prefixes[i]);
		if (strncmp(ref, prefixes[i], n) == 0 && ref[n]) {
			ref += n;
			break;
		}
	}
	snprintf(out, FOLDER_MAX, "%s-%.250s", p->info->name, ref);
	for (char *c = out; *c; c++) {
		bool plain = (*c >= '0' && *c <= '9') || ((*c | 32) >= 'a' && (*c | 32) <= 'z') || strchr("._-+", *c);
		if (!plain)
			*c = '-';
	}
}

static int
make_check(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j)
{
	struct guts_oid tree;

	(void)a;
	(void)j;
	return guts_read_treeish(g, &p->tip, &tree);
}

static void
start_archive(struct guts_req *r, struct guts_readjob *p)
{
	struct archive *a = guts_alloc(sizeof *a);
	struct start *s = guts_alloc(sizeof *s);
	char folder[FOLDER_MAX];

	guts_childout_init(&a->out, r);
	a->out.busy = "too many archives and fetches at once; try again";
	a->is_immutable = p->is_immutable;
	snprintf(a->etag, sizeof a->etag, "%s", p->etag);
	memcpy(a->spec.repo, p->info->id, GUTS_REPOID_SIZE);
	a->spec.id = p->tip;
	a->spec.format = (enum guts_archive_format)p->flags;
	a->spec.key = guts_childout_key(r);
	name_folder(folder, p);
	snprintf(a->spec.prefix, sizeof a->spec.prefix, "%s/", folder);
	snprintf(a->disposition, sizeof a->disposition, "attachment; filename=\"%s%s\"", folder,
	    a->spec.format == GUTS_ARCHIVE_ZIP ? ".zip" : ".tar.gz");
	*s = (struct start){ r->h->repos, a->spec, a->out.pipe };
	r->state = a;
	r->state_free = free_archive;
	guts_env_post(r->h->env, start_posted, s);
	answer_archive(r);
}

static void
serve(struct guts_req *r, enum guts_archive_format format, struct guts_slice name)
{
	static const struct guts_readop op = { "archive", make_check, start_archive, "no such commit", true };
	struct guts_readjob *p = guts_readjob_new(r, &op);

	if (!p)
		return;
	p->flags = format;
	if (guts_readjob_at(r, p, name))
		guts_readjob_start(r, p);
}

/* The name in parameter 2, which may have slashes; false: an answer was queued. */
static bool
take_name(struct guts_req *r, char text[GUTS_REFNAME_MAX + 16], struct guts_slice *name)
{
	if (!guts_req_param_rest(r, 2, text, GUTS_REFNAME_MAX + 16)) {
		guts_reply_problem(r, 404, "no such branch, tag or commit");
		return false;
	}
	*name = guts_slice_str(text);
	return true;
}

static bool
cut(struct guts_slice *name, const char *end)
{
	size_t n = strlen(end);

	if (name->n <= n || memcmp(name->p + name->n - n, end, n) != 0)
		return false;
	name->n -= n;
	return true;
}

void
guts_rest_archive(struct guts_req *r)
{
	char text[GUTS_REFNAME_MAX + 16];
	struct guts_slice name;

	if (!take_name(r, text, &name))
		return;
	if (cut(&name, ".tar.gz"))
		serve(r, GUTS_ARCHIVE_TAR_GZ, name);
	else if (cut(&name, ".zip"))
		serve(r, GUTS_ARCHIVE_ZIP, name);
	else
		guts_reply_problem(r, 404, "archives end in .tar.gz or .zip");
}

void
guts_rest_tarball(struct guts_req *r)
{
	char text[GUTS_REFNAME_MAX + 16];
	struct guts_slice name;

	if (take_name(r, text, &name))
		serve(r, GUTS_ARCHIVE_TAR_GZ, name);
}

void
guts_rest_zipball(struct guts_req *r)
{
	char text[GUTS_REFNAME_MAX + 16];
	struct guts_slice name;

	if (take_name(r, text, &name))
		serve(r, GUTS_ARCHIVE_ZIP, name);
}
