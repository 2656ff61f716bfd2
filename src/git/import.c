/* git/import.c - reading a repository: its refs by libgit2, then one pack by git pack-objects.
 *
 *	(git clone of an address into a temporary folder →) refs → pack
 *
 * A folder is the user's own, but nothing of it is run: no hooks, no lazy fetches, no protocol.  A clone is checked
 * as any pack is when it is taken; its folder goes with the importer.
 */
#include "git/repostore_priv.h"

#include "base/alloc.h"
#include "git/odb.h"
#include "git/progress.h"

#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <utlist.h>

struct guts_importer {
	struct guts_job job;
	struct guts_repostore *store;
	struct guts_importer *next, *prev;
	char *path, *git_dir;
	char *clone;          /* temporary folder; NULL: there is none */
	struct guts_import_events ev;
	void *owner;
	struct guts_ref_row *rows;
	size_t nrows, cap;
	char *head;
	int err;
	struct guts_errinfo why;
	bool in_job, closed, paused;
	struct guts_buf input;
	struct guts_child *child;
	struct guts_git_progress progress; /* of the child */
};

static void
importer_free(struct guts_importer *m)
{
	if (m->child)
		guts_child_cancel(m->child);
	DL_DELETE(m->store->importers, m);
	for (size_t i = 0; i < m->nrows; i++)
		free(m->rows[i].name);
	free(m->rows);
	free(m->head);
	free(m->git_dir);
	free(m->clone);
	free(m->path);
	guts_buf_deinit(&m->input);
	free(m);
}

/* -- refs ------------------------------------------------------------------------------------ */

static int
add_ref(git_reference *ref, void *payload)
{
	struct guts_importer *m = payload;
	const char *name = git_reference_name(ref);
	git_reference *direct = NULL;

	if ((strncmp(name, "refs/heads/", 11) == 0 || strncmp(name, "refs/tags/", 10) == 0) &&
	    git_reference_resolve(&direct, ref) == 0) {
		if (m->nrows == m->cap) {
			m->cap = m->cap ? 2 * m->cap : 64;
			m->rows = guts_realloc(m->rows, m->cap * sizeof *m->rows);
		}
		m->rows[m->nrows].name = guts_strdup(name);
		m->rows[m->nrows].oid = (struct guts_oid){ .n = GIT_OID_RAWSZ };
		memcpy(m->rows[m->nrows++].oid.b, git_reference_target(direct)->id, GIT_OID_RAWSZ);
	}
	git_reference_free(direct);
	git_reference_free(ref);
	return m->nrows > GUTS_REFS_PER_PUSH_MAX ? 1 : 0;
}

static int
cmp_row(const void *a, const void *b)
{
	return strcmp(((const struct guts_ref_row *)a)->name, ((const struct guts_ref_row *)b)->name);
}

static void
run(struct guts_job *j)
{
	struct guts_importer *m = (struct guts_importer *)j;
	git_repository *repo = NULL;
	git_reference *head = NULL;
	char hex[GUTS_OID_HEX_SIZE];

	guts_git2_init();
	if (git_repository_open_ext(&repo, m->path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL)) {
		m->err = guts_err_set(&m->why, GUTS_ENOTFOUND, "there is no git repository at %s", m->path);
		return;
	}
	m->git_dir = guts_strdup(git_repository_commondir(repo));
	if (git_reference_lookup(&head, repo, "HEAD") == 0 && git_reference_type(head) == GIT_REFERENCE_SYMBOLIC)
		m->head = guts_strdup(git_reference_symbolic_target(head));
	git_reference_free(head);
	if (git_reference_foreach(repo, add_ref, m))
		m->err = m->nrows > GUTS_REFS_PER_PUSH_MAX ?
		    guts_err_set(&m->why, GUTS_ELIMIT, "more than %d branches and tags", GUTS_REFS_PER_PUSH_MAX) :
		    guts_err_set(&m->why, GUTS_EIO, "the refs of %s cannot be read", m->path);
	git_repository_free(repo);
	qsort(m->rows, m->nrows, sizeof *m->rows, cmp_row);
	guts_buf_init(&m->input, (m->nrows + 1) * GUTS_OID_HEX_SIZE);
	for (size_t i = 0; i < m->nrows; i++) {
		guts_oid_hex(hex, &m->rows[i].oid);
		guts_buf_printf(&m->input, "%s\n", hex);
	}
}

static void dispose(struct guts_importer *m);

static void
done(struct guts_job *j, void *owner)
{
	struct guts_importer *m = (struct guts_importer *)j;

	(void)owner;
	m->in_job = false;
	if (m->closed)
		dispose(m);
	else
		m->ev.refs(m->owner, m->err, m->err ? m->why.text : NULL, GUTS_SHA1, guts_slice_str(m->head), m->rows, m->nrows);
}

/* -- pack --------------------------------------------------------------------------------------- */

static void
feed(struct guts_importer *m)
{
	guts_buf_consume(&m->input, guts_child_write(m->child, guts_buf_slice(&m->input)));
	if (m->input.len == 0)
		guts_child_end_input(m->child);
}

static void
on_writable(void *owner)
{
	struct guts_importer *m = owner;

	if (m->input.len > 0)
		feed(m);
}

static void
on_data(void *owner, struct guts_slice bytes)
{
	struct guts_importer *m = owner;

	m->ev.data(m->owner, bytes);
}

static void
on_ended(void *owner, const struct guts_child_result *r)
{
	struct guts_importer *m = owner;
	struct guts_errinfo ei = { 0 };

	m->child = NULL;
	if (r->err)
		guts_gitcmd_error(r, GUTS_EIO, &ei);
	m->ev.end(m->owner, r->err ? ei.code : GUTS_OK, r->err ? ei.text : NULL);
}

static void
on_said(void *owner, struct guts_slice text)
{
	struct guts_importer *m = owner;

	if (guts_git_progress_take(&m->progress, text))
		m->ev.progress(m->owner, m->progress.done, m->progress.total);
}

static const struct guts_child_events child_events = { on_data, on_writable, on_ended, on_said };

void
guts_repostore_import_pack(struct guts_importer *m)
{
	static const char *const args[] = { "pack-objects", "--revs", "--stdout", "--delta-base-offset", "--all-progress" };
	struct guts_gitcmd c;
	int err;

	guts_gitcmd_init(&c, m->store->git_path, m->git_dir, 0);
	guts_gitcmd_env(&c, "GIT_ALLOW_PROTOCOL", "");
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		guts_gitcmd_arg(&c, args[i]);
	err = guts_child_start(m->store->children, &c.spec, &child_events, m, &m->child);
	guts_gitcmd_deinit(&c);
	if (err) {
		m->ev.end(m->owner, err, "too many git children run; try again");
		return;
	}
	guts_child_pause(m->child, m->paused);
	feed(m);
}

/* -- from another machine ------------------------------------------------------------------------ */

bool
guts_import_is_url(const char *where)
{
	static const char *const schemes[] = { "http://", "https://", "git://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (strncmp(where, schemes[i], n) == 0 && where[n] && where[n] != '/')
			return true;
	}
	return false;
}

static void
read_refs(struct guts_importer *m)
{
	m->in_job = true;
	guts_env_submit(m->store->env, &m->job);
}

static void
drop_output(void *owner, struct guts_slice bytes)
{
	(void)owner;
	(void)bytes;
}

static void
on_cloned(void *owner, const struct guts_child_result *r)
{
	struct guts_importer *m = owner;

	m->child = NULL;
	if (r->err == 0) {
		free(m->path);
		m->path = guts_strdup(m->clone);
		read_refs(m);
		return;
	}
	m->err = guts_gitcmd_error(r, GUTS_EUNAVAILABLE, &m->why);
	m->ev.refs(m->owner, m->err, m->why.text, GUTS_SHA1, guts_slice(NULL, 0), NULL, 0);
}

static const struct guts_child_events clone_events = { drop_output, NULL, on_cloned, on_said };

static int
start_clone(struct guts_importer *m)
{
	static const char *const args[] = { "clone", "--bare", "--progress", "--" };
	struct guts_repostore *s = m->store;
	char *shard = guts_asprintf("%s/00", s->path);
	struct guts_gitcmd c;
	int err;

	mkdir(shard, 0700); /* if it is not there; git tells what else is wrong */
	m->clone = guts_repostore_temporary(s, shard, "tmp");
	free(shard);
	guts_gitcmd_init(&c, s->git_path, m->clone, 0);
	guts_gitcmd_env(&c, "GIT_ALLOW_PROTOCOL", "http:https:git");
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		guts_gitcmd_arg(&c, args[i]);
	guts_gitcmd_arg(&c, m->path);
	guts_gitcmd_arg(&c, m->clone);
	c.spec.file_max_bytes = GUTS_PACK_MAX;
	err = guts_child_start(s->children, &c.spec, &clone_events, m, &m->child);
	guts_gitcmd_deinit(&c);
	return err;
}

int
guts_repostore_import_open(struct guts_repos *r, const char *path, const struct guts_import_events *ev, void *owner,
    struct guts_importer **out)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	bool is_url = guts_import_is_url(path);
	struct guts_importer *m;
	int err = GUTS_OK;

	if (path[0] != '/' && !is_url)
		return GUTS_EINVAL;
	m = guts_alloc(sizeof *m);
	m->store = s;
	m->path = guts_strdup(path);
	m->ev = *ev;
	m->owner = owner;
	m->job = (struct guts_job){ .run = run, .done = done, .name = "git.import" };
	DL_APPEND(s->importers, m);
	if (is_url)
		err = start_clone(m);
	else
		read_refs(m);
	if (err)
		importer_free(m);
	else
		*out = m;
	return err;
}

void
guts_repostore_import_pause(struct guts_importer *m, bool pause)
{
	m->paused = pause;
	if (m->child)
		guts_child_pause(m->child, pause);
}

static void
remove_run(struct guts_job *j)
{
	guts_remove_tree(((struct guts_importer *)j)->clone);
}

static void
remove_done(struct guts_job *j, void *owner)
{
	(void)owner;
	importer_free((struct guts_importer *)j);
}

/* Free it, after its temporary folder. */
static void
dispose(struct guts_importer *m)
{
	if (!m->clone) {
		importer_free(m);
		return;
	}
	if (m->child)
		guts_child_cancel(m->child);
	m->child = NULL;
	m->job = (struct guts_job){ .run = remove_run, .done = remove_done, .name = "git.import.remove" };
	guts_env_submit(m->store->env, &m->job);
}

void
guts_repostore_import_close(struct guts_importer *m)
{
	m->closed = true;
	if (!m->in_job)
		dispose(m);
}

void
guts_repostore_importers_free(struct guts_repostore *s)
{
	struct guts_importer *m, *next;

	DL_FOREACH_SAFE (s->importers, m, next) {
		m->child = NULL; /* the supervisor has stopped, and so have the workers */
		if (m->clone)
			guts_remove_tree(m->clone);
		importer_free(m);
	}
}
