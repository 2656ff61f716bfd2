/* git/project.c - refs on disk as a projection of signed records.
 *
 * All refs live in packed-refs (refsfile.c).  A push of one ref rewrites that file; the start-up
 * repair (`exact`) compares it with the records and writes only if something differs, and
 * removes loose refs, which nothing but a stray hand can have made.
 *
 * HEAD, and one HEAD per author's namespace so that a clone of that view finds its branch, are
 * symbolic and therefore files of their own.
 */
#include "git/repostore_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "git/graphwrite.h"
#include "git/odb.h"
#include "git/refsfile.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMESPACES "refs/namespaces/"

struct project {
	struct guts_repoop op;
	char *path;
	struct guts_ref_update *v;
	size_t n;
	bool exact;
	char *text;           /* the names */
	char *head;           /* what HEAD shall name; empty = leave it */
	void (*done)(void *owner, int err);
	void *owner;
	git_odb *odb;         /* opened when a tag must be peeled */
};

static bool
starts_with(struct guts_slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* Length of "refs/namespaces/<peer id>/" at the front of `name`; 0 = it has none. */
static size_t
namespace_length(struct guts_slice name)
{
	size_t i = sizeof(NAMESPACES) - 1, from = i;

	if (!starts_with(name, NAMESPACES))
		return 0;
	while (i < name.n && ((name.p[i] >= '0' && name.p[i] <= '9') || (name.p[i] >= 'A' && name.p[i] <= 'Z') ||
	    (name.p[i] >= 'a' && name.p[i] <= 'z')))
		i++;
	return i > from && i < name.n && name.p[i] == '/' ? i + 1 : 0;
}

/* A name that may be written to disk, whatever the caller thinks it checked. */
static bool
disk_name_is_valid(struct guts_slice name)
{
	size_t n = namespace_length(name);

	return guts_refname_is_valid(guts_slice(name.p + n, name.n - n));
}

/* -- the job --------------------------------------------------------------------------- */

static void
peel_tag(void *owner, struct guts_refsfile_row *row)
{
	struct project *p = owner;

	if (!starts_with(row->name, "refs/tags/"))
		return;
	if (p->odb == NULL && guts_odb_open(&p->odb, p->path)) {
		p->odb = NULL;
		return;
	}
	row->peeled = guts_odb_peel(p->odb, &row->oid);
}

/* Make the symbolic ref at `path` name `target`; writes only a change.  0 or one of our errors. */
static int
write_head(const char *path, const char *target)
{
	char *want = guts_asprintf("ref: %s\n", target), *lock = guts_asprintf("%s.lock", path), have[GUTS_HEAD_FILE_MAX];
	size_t size = strlen(want);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = GUTS_OK;
	ssize_t n = fd >= 0 ? read(fd, have, sizeof(have)) : -1;

	if (fd >= 0)
		close(fd);
	if (n == (ssize_t)size && memcmp(have, want, size) == 0)
		goto out;
	fd = open(lock, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, want, size) != (ssize_t)size || rename(lock, path))
		err = guts_errno_err(errno ? errno : EIO);
	if (fd >= 0)
		close(fd);
	if (err)
		unlink(lock);
out:
	free(want);
	free(lock);
	return err;
}

void
guts_repo_read_head(const char *repo_path, char out[GUTS_HEAD_FILE_MAX])
{
	char *path = guts_asprintf("%s/HEAD", repo_path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, out, GUTS_HEAD_FILE_MAX - 1) : -1;

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (strncmp(out, "ref: ", 5) == 0)
		memmove(out, out + 5, strlen(out + 5) + 1);
	else
		out[0] = '\0';
	if (fd >= 0)
		close(fd);
	free(path);
}

/* Give a namespace the HEAD that the repository has, if its author has that branch; else none. */
static int
project_namespace(const struct project *p, const struct guts_refsfile *refs, struct guts_slice space, const char *head)
{
	char *target = guts_asprintf("%.*s%s", (int)space.n, (const char *)space.p, head);
	char *path = guts_asprintf("%s/%.*sHEAD", p->path, (int)space.n, (const char *)space.p);
	int err = GUTS_OK;

	if (head[0] == '\0' || guts_refsfile_find(refs, guts_slice_str(target)) == NULL) {
		if (unlink(path) && errno != ENOENT && errno != ENOTDIR)
			err = guts_errno_err(errno);
	} else {
		for (char *s = path + strlen(p->path) + 1; (s = strchr(s, '/')) != NULL; s++) {
			*s = '\0';
			if (mkdir(path, 0700) && errno != EEXIST && !err)
				err = guts_errno_err(errno);
			*s = '/';
		}
		if (!err)
			err = write_head(path, target);
	}
	free(target);
	free(path);
	return err;
}

/* HEADs of the namespaces that changed, or of all if the repository's own HEAD may have. */
static int
project_heads(const struct project *p, const struct guts_refsfile *refs)
{
	size_t all = p->head[0] ? refs->n : 0;
	struct guts_slice last = { 0 };
	char head[GUTS_HEAD_FILE_MAX];
	int err = GUTS_OK;

	guts_repo_read_head(p->path, head);
	for (size_t i = 0; i < p->n + all && !err; i++) {
		struct guts_slice name = i < p->n ? p->v[i].name : refs->v[i - p->n].name;
		struct guts_slice space = guts_slice(name.p, namespace_length(name));

		/* Both lists are sorted: each namespace comes in one run. */
		if (space.n == 0 || guts_slice_eq(space, last))
			continue;
		last = space;
		err = project_namespace(p, refs, space, head);
	}
	return err;
}

/* Remove loose refs: all files under refs/ but the namespaces' HEADs that belong there. */
static void
remove_loose(const struct project *p, const struct guts_refsfile *refs)
{
	char *top = guts_asprintf("%s/refs", p->path);
	char *const paths[] = { top, NULL };
	size_t skip = strlen(p->path) + 1;
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	FTSENT *e;

	while (fts != NULL && (e = fts_read(fts)) != NULL) {
		struct guts_slice name = guts_slice_str(e->fts_path + skip);
		size_t space = namespace_length(name);

		if (e->fts_info == FTS_DP && e->fts_level > 1)
			rmdir(e->fts_accpath); /* only an empty one goes */
		if (e->fts_info == FTS_D || e->fts_info == FTS_DP)
			continue;
		if (space > 0 && guts_slice_eq(guts_slice(name.p + space, name.n - space), guts_slice_str("HEAD"))) {
			bool used = false;

			for (size_t i = 0; i < refs->n && !used; i++)
				used = starts_with(refs->v[i].name, NAMESPACES) && refs->v[i].name.n > space &&
				    memcmp(refs->v[i].name.p, name.p, space) == 0;
			if (!used)
				unlink(e->fts_accpath);
			continue;
		}
		guts_log(GUTS_LOG_WARN, "git", "removed a ref that no record explains name=%s", e->fts_path + skip);
		unlink(e->fts_accpath);
	}
	if (fts != NULL)
		fts_close(fts);
	free(top);
}

/* A loose ref would hide the packed one. */
static void
unlink_loose(const struct project *p)
{
	for (size_t i = 0; i < p->n; i++) {
		char *path = guts_asprintf("%s/%.*s", p->path, (int)p->v[i].name.n, (const char *)p->v[i].name.p);

		unlink(path);
		free(path);
	}
}

static int
by_name(const void *a, const void *b)
{
	const struct guts_ref_update *x = a, *y = b;

	return guts_slice_cmp(x->name, y->name);
}

/* Check and sort the updates.  Errors: GUTS_EINVAL a bad name, or one given twice. */
static int
sort_updates(struct project *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!disk_name_is_valid(p->v[i].name))
			return GUTS_EINVAL;
	qsort(p->v, p->n, sizeof(*p->v), by_name);
	for (size_t i = 1; i < p->n; i++)
		if (guts_slice_eq(p->v[i - 1].name, p->v[i].name))
			return GUTS_EINVAL;
	return GUTS_OK;
}

static int
project_run_in(struct project *p, const char *packed)
{
	struct guts_refsfile old, new = { 0 };
	unsigned bad = 0;
	size_t changes;
	int err = guts_refsfile_read(&old, packed, &bad);

	if (err && p->exact) {
		/* Repair must not fail on what it is to repair. */
		guts_refsfile_deinit(&old);
		err = GUTS_OK;
		bad = 1;
	}
	if (!err) {
		changes = guts_refsfile_merge(&new, &old, p->v, p->n, p->exact, peel_tag, p);
		if (bad > 0)
			guts_log(GUTS_LOG_WARN, "git", "damaged lines in packed-refs count=%u path=%s", bad, packed);
		if (changes > 0 || bad > 0)
			err = guts_refsfile_write(&new, packed);
	}
	if (!err && !p->exact)
		unlink_loose(p);
	if (!err && p->head[0]) {
		char *path = guts_asprintf("%s/HEAD", p->path);

		err = write_head(path, p->head);
		free(path);
	}
	if (!err)
		err = project_heads(p, &new);
	if (!err && p->exact)
		remove_loose(p, &new);
	guts_refsfile_deinit(&new);
	guts_refsfile_deinit(&old);
	return err;
}

static void
project_run(struct guts_repoop *op)
{
	struct project *p = (struct project *)op;
	char *packed;
	struct stat st;

	op->err = sort_updates(p);
	if (!op->err && p->head[0] && !guts_refname_is_valid(guts_slice_str(p->head)))
		op->err = GUTS_EINVAL;
	if (!op->err && stat(p->path, &st))
		op->err = guts_errno_err(errno);
	if (op->err)
		return;
	packed = guts_asprintf("%s/packed-refs", p->path);
	op->err = project_run_in(p, packed);
	git_odb_free(p->odb);
	p->odb = NULL;
	free(packed);
}

static void
project_drop(struct guts_repoop *op)
{
	struct project *p = (struct project *)op;

	free(p->v);
	free(p->text);
	free(p->path);
	free(p->head);
	free(p);
}

static void
project_done(struct guts_repoop *op)
{
	struct project *p = (struct project *)op;
	void (*done)(void *, int) = p->done;
	void *owner = p->owner;
	int err = op->err;

	if (!err)
		guts_graph_touch(op->store, op->id, false);
	project_drop(op);
	done(owner, err);
}

void
guts_repostore_project(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ref_update *v,
    size_t n, bool exact, struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct project *p = guts_alloc(sizeof(*p));
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += v[i].name.n;
	p->text = guts_alloc(bytes);
	p->v = guts_calloc(n, sizeof(*v));
	p->n = n;
	for (size_t i = 0, at = 0; i < n; at += v[i].name.n, i++) {
		if (v[i].name.n)
			memcpy(p->text + at, v[i].name.p, v[i].name.n);
		p->v[i].name = guts_slice(p->text + at, v[i].name.n);
		p->v[i].oid = v[i].oid;
	}
	p->path = guts_repostore_path(s, id);
	p->head = guts_memdup(head_ref.p, head_ref.n);
	p->exact = exact;
	p->done = done;
	p->owner = owner;
	p->op.run = project_run;
	p->op.done = project_done;
	p->op.drop = project_drop;
	guts_repoop_submit(s, id, &p->op, "git.project");
}
