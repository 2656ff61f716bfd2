/* git/repostore.c - the folder of repositories: opening, making, removing, measuring, sweeping.
 *
 * A repository is made under a temporary name and renamed into place, and renamed away before it
 * is removed, so it is there whole or not at all.  Whatever carries the name of an earlier run
 * (a quarantine, a half-made or half-removed repository) is swept at start.
 *
 * Jobs that change one repository stand in a queue of its own; jobs of different repositories
 * run beside each other.
 */
#include "git/repostore_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "git/graphwrite.h"
#include "git/tail.h"
#include "wire/multibase.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

/* Jobs of one repository; the first one runs. */
struct guts_repoqueue {
	uint8_t id[GUTS_REPOID_SIZE];
	struct guts_repoop *ops;
	UT_hash_handle hh;
};

int
guts_errno_err(int e)
{
	switch (e) {
	case 0:
		return GUTS_OK;
	case ENOENT:
	case ENOTDIR:
		return GUTS_ENOTFOUND;
	case ENOSPC:
	case EDQUOT:
		return GUTS_ENOSPC;
	case EACCES:
	case EPERM:
	case EROFS:
		return GUTS_EDENIED;
	default:
		return GUTS_EIO;
	}
}

/* -- files ----------------------------------------------------------------------- */

int
guts_remove_tree(const char *path)
{
	char *const paths[] = { (char *)(uintptr_t)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	FTSENT *e;
	int failed = 0;

	if (fts == NULL)
		return errno;
	while ((e = fts_read(fts)) != NULL) {
		int rc = 0;

		if (e->fts_info == FTS_D)
			continue;
		if (e->fts_info == FTS_DP)
			rc = rmdir(e->fts_accpath);
		else if (e->fts_info != FTS_NS && e->fts_info != FTS_ERR)
			rc = unlink(e->fts_accpath);
		else
			rc = e->fts_errno == ENOENT ? 0 : -1, errno = e->fts_errno;
		if (rc && errno != ENOENT && !failed)
			failed = errno;
	}
	fts_close(fts);
	return failed;
}

int
guts_sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), e = 0;

	if (fd < 0 || fsync(fd))
		e = errno;
	if (fd >= 0)
		close(fd);
	return e;
}

char *
guts_repostore_path(const struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	char text[GUTS_REPOID_TEXT_SIZE];

	guts_repoid_text(text, id);
	return guts_asprintf("%s/%02x/%s.git", s->path, id[0], text);
}

bool
guts_repostore_has(const struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	char *path = guts_repostore_path(s, id);
	struct stat st;
	bool there = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	free(path);
	return there;
}

char *
guts_repostore_temporary(struct guts_repostore *s, const char *dir, const char *prefix)
{
	return guts_asprintf("%s/%s-%s-%llu", dir, prefix, s->run, (unsigned long long)++s->counter);
}

/* -- queues ---------------------------------------------------------------------- */

static void
op_run(struct guts_job *j)
{
	struct guts_repoop *op = (struct guts_repoop *)j;

	if (op->run)
		op->run(op);
}

static void
op_done(struct guts_job *j, void *owner)
{
	struct guts_repoop *op = (struct guts_repoop *)j;
	struct guts_repostore *s = owner;
	struct guts_repoqueue *q = NULL;

	HASH_FIND(hh, s->queues, op->id, GUTS_REPOID_SIZE, q);
	DL_DELETE(q->ops, op);
	if (q->ops != NULL) {
		guts_env_submit(s->env, &q->ops->job);
	} else {
		HASH_DEL(s->queues, q);
		free(q);
	}
	op->done(op);
}

void
guts_repoop_submit(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], struct guts_repoop *op,
    const char *name)
{
	struct guts_repoqueue *q = NULL;

	op->store = s;
	memcpy(op->id, id, GUTS_REPOID_SIZE);
	op->job.run = op_run;
	op->job.done = op_done;
	op->job.owner = s;
	op->job.name = name;
	HASH_FIND(hh, s->queues, id, GUTS_REPOID_SIZE, q);
	if (q == NULL) {
		q = guts_alloc(sizeof(*q));
		memcpy(q->id, id, GUTS_REPOID_SIZE);
		HASH_ADD(hh, s->queues, id, GUTS_REPOID_SIZE, q);
	}
	DL_APPEND(q->ops, op);
	if (q->ops == op)
		guts_env_submit(s->env, &op->job);
}

/* -- making ---------------------------------------------------------------------- */

struct plain_op {
	struct guts_repoop op;
	char *path, *temporary;
	char *head;
	uint64_t size;
	void (*done)(void *owner, int err);
	void (*sized)(void *owner, int err, uint64_t bytes);
	void *owner;
};

static void
plain_drop(struct guts_repoop *op)
{
	struct plain_op *p = (struct plain_op *)op;

	free(p->path);
	free(p->temporary);
	free(p->head);
	free(p);
}

static void
plain_done(struct guts_repoop *op)
{
	struct plain_op *p = (struct plain_op *)op;
	void (*done)(void *, int) = p->done;
	void (*sized)(void *, int, uint64_t) = p->sized;
	void *owner = p->owner;
	uint64_t size = p->size;
	int err = op->err;

	plain_drop(op);
	if (sized)
		sized(owner, err, size);
	else if (done)
		done(owner, err);
}

static struct plain_op *
plain_new(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], void (*run)(struct guts_repoop *op))
{
	struct plain_op *p = guts_alloc(sizeof(*p));
	char *slash;

	p->path = guts_repostore_path(s, id);
	slash = strrchr(p->path, '/');
	*slash = '\0';
	p->temporary = guts_repostore_temporary(s, p->path, "tmp");
	*slash = '/';
	p->op.run = run;
	p->op.done = plain_done;
	p->op.drop = plain_drop;
	return p;
}

/* What stock git reads when a person works in the folder; children of the node are told by -c as well. */
static const char config[] =
    "[core]\n"
    "\trepositoryformatversion = 0\n"
    "\tfilemode = true\n"
    "\tbare = true\n"
    "\tlogAllRefUpdates = false\n"
    "\tfsync = all\n"
    "[gc]\n"
    "\tauto = 0\n"
    "[maintenance]\n"
    "\tauto = false\n"
    "[receive]\n"
    "\tautogc = false\n"
    "\tfsckObjects = true\n"
    "[transfer]\n"
    "\thideRefs = refs/namespaces\n"
    "[uploadpack]\n"
    "\tallowFilter = true\n";

/* One folder or file of a new repository, synced.  0 or an errno. */
static int
make_part(const char *top, const char *name, const char *text)
{
	char *path = guts_asprintf("%s/%s", top, name);
	int fd, e = 0;

	if (text == NULL) {
		if (mkdir(path, 0700))
			e = errno;
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd))
			e = errno ? errno : EIO;
		if (fd >= 0)
			close(fd);
	}
	free(path);
	return e;
}

static int
make_parts(const char *top, const char *head)
{
	static const char *const folders[] = { "objects", "objects/info", "objects/pack", "refs", "refs/heads",
		"refs/tags" };
	static const char *const syncs[] = { "objects/pack", "objects", "refs" };
	char *head_text = guts_asprintf("ref: %s\n", head);
	int e = mkdir(top, 0700) ? errno : 0;

	for (size_t i = 0; !e && i < sizeof(folders) / sizeof(folders[0]); i++)
		e = make_part(top, folders[i], NULL);
	if (!e)
		e = make_part(top, "config", config);
	if (!e)
		e = make_part(top, "HEAD", head_text);
	for (size_t i = 0; !e && i < sizeof(syncs) / sizeof(syncs[0]); i++) {
		char *path = guts_asprintf("%s/%s", top, syncs[i]);

		e = guts_sync_path(path);
		free(path);
	}
	if (!e)
		e = guts_sync_path(top);
	free(head_text);
	return e;
}

static void
create_run(struct guts_repoop *op)
{
	struct plain_op *p = (struct plain_op *)op;
	char *slash = strrchr(p->path, '/');
	struct stat st;
	int e = 0;

	if (stat(p->path, &st) == 0)
		return;
	*slash = '\0';
	if (mkdir(p->path, 0700) == 0)
		e = guts_sync_path(op->store->path);
	else if (errno != EEXIST)
		e = errno;
	*slash = '/';
	if (!e)
		e = make_parts(p->temporary, p->head);
	if (!e && rename(p->temporary, p->path))
		e = errno;
	if (e) {
		guts_remove_tree(p->temporary);
	} else {
		*slash = '\0';
		e = guts_sync_path(p->path);
		*slash = '/';
	}
	op->err = e == ENOENT ? GUTS_EIO : guts_errno_err(e);
}

static void
create(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], enum guts_object_format f, struct guts_slice head_ref,
    void (*done)(void *owner, int err), void *owner)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct plain_op *p = plain_new(s, id, create_run);

	if (!guts_refname_is_valid(head_ref))
		head_ref = guts_slice_str("refs/heads/main");
	p->head = guts_memdup(head_ref.p, head_ref.n);
	p->done = done;
	p->owner = owner;
	if (f != GUTS_SHA1) {
		p->op.run = NULL;
		p->op.err = GUTS_EUNSUPPORTED;
	}
	guts_repoop_submit(s, id, &p->op, "git.create");
}

/* -- removing, measuring ------------------------------------------------------------ */

static void
remove_run(struct guts_repoop *op)
{
	struct plain_op *p = (struct plain_op *)op;
	char *slash = strrchr(p->path, '/');
	int e = 0;

	if (rename(p->path, p->temporary)) {
		op->err = errno == ENOENT ? GUTS_OK : guts_errno_err(errno);
		return;
	}
	*slash = '\0';
	e = guts_sync_path(p->path);
	*slash = '/';
	if (!e)
		e = guts_remove_tree(p->temporary);
	op->err = guts_errno_err(e);
}

static void
remove_repo(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err), void *owner)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct plain_op *p = plain_new(s, id, remove_run);

	p->done = done;
	p->owner = owner;
	guts_repoop_submit(s, id, &p->op, "git.remove");
}

static void
size_run(struct guts_repoop *op)
{
	struct plain_op *p = (struct plain_op *)op;
	char *const paths[] = { p->path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	while (fts != NULL && (e = fts_read(fts)) != NULL) {
		if (e->fts_info == FTS_F && e->fts_statp->st_size > 0)
			p->size += (uint64_t)e->fts_statp->st_size;
		else if (e->fts_info == FTS_NS && e->fts_level == 0)
			op->err = GUTS_ENOTFOUND;
		else if (e->fts_info == FTS_D && strncmp(e->fts_name, "incoming-", 9) == 0)
			fts_set(fts, e, FTS_SKIP);
	}
	if (fts == NULL)
		op->err = GUTS_EIO;
	else
		fts_close(fts);
}

static void
size(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err, uint64_t bytes),
    void *owner)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct plain_op *p = plain_new(s, id, size_run);

	p->sized = done;
	p->owner = owner;
	guts_repoop_submit(s, id, &p->op, "git.size");
}

/* -- sweeping -------------------------------------------------------------------- */

/* Remove entries of `dir` that begin with `prefix` and are not of this run; returns how many. */
static unsigned
sweep_dir(const char *dir, const char *prefix, const char *run)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	unsigned n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char *path;

		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 || strstr(e->d_name, run) != NULL)
			continue;
		path = guts_asprintf("%s/%s", dir, e->d_name);
		n += guts_remove_tree(path) == 0;
		free(path);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

/* All that an earlier run left: quarantines, temporary repositories, locks of files that only we write. */
static void
sweep_run(struct guts_job *j)
{
	struct guts_repostore *s = ((struct guts_repoop *)j)->store;
	unsigned n = 0;

	for (unsigned i = 0; i < 256; i++) {
		char *shard = guts_asprintf("%s/%02x", s->path, i);
		DIR *d = opendir(shard);
		const struct dirent *e;

		n += d ? sweep_dir(shard, "tmp-", s->run) : 0;
		while (d != NULL && (e = readdir(d)) != NULL) {
			char *objects;

			if (e->d_name[0] == '.' || strncmp(e->d_name, "tmp-", 4) == 0)
				continue;
			objects = guts_asprintf("%s/%s/objects", shard, e->d_name);
			n += sweep_dir(objects, "incoming-", s->run);
			free(objects);
		}
		if (d != NULL)
			closedir(d);
		free(shard);
	}
	if (n > 0)
		guts_log(GUTS_LOG_NOTICE, "git", "swept leftovers of an earlier run count=%u", n);
}

static void
sweep_done(struct guts_job *j, void *owner)
{
	struct guts_repostore *s = owner;

	s->sweep = NULL;
	free(j);
}

/* -- opening and closing --------------------------------------------------------- */

/* The program `git` in $PATH, as fresh memory, or NULL. */
static char *
find_git(void)
{
	const char *p = getenv("PATH");

	if (p == NULL || p[0] == '\0')
		p = "/usr/local/bin:/usr/bin:/bin";
	while (*p) {
		size_t n = strcspn(p, ":");
		char *path = guts_asprintf("%.*s/git", (int)n, p);

		if (path[0] == '/' && access(path, X_OK) == 0)
			return path;
		free(path);
		p += n;
		p += *p == ':';
	}
	return NULL;
}

static const struct guts_repos_ops ops = {
	.create = create,
	.remove = remove_repo,
	.ingest_open = guts_repostore_ingest_open,
	.ingest_write = guts_repostore_ingest_write,
	.ingest_end = guts_repostore_ingest_end,
	.ingest_accept = guts_repostore_ingest_accept,
	.ingest_abort = guts_repostore_ingest_abort,
	.pack_open = guts_repostore_pack_open,
	.pack_exact = guts_repostore_pack_exact,
	.pack_pause = guts_repostore_pack_pause,
	.pack_close = guts_repostore_pack_close,
	.project = guts_repostore_project,
	.refs = guts_repostore_refs,
	.query = guts_repostore_query,
	.size = size,
	.import_open = guts_repostore_import_open,
	.import_pack = guts_repostore_import_pack,
	.import_pause = guts_repostore_import_pause,
	.import_close = guts_repostore_import_close,
};

int
guts_repostore_open(struct guts_repostore **out, const struct guts_repostore_setup *setup, struct guts_errinfo *ei)
{
	char *git = setup->git_path ? guts_strdup(setup->git_path) : find_git(), real[PATH_MAX];
	struct guts_repostore *s;
	uint8_t run[8];

	if (git == NULL || access(git, X_OK)) {
		guts_err_set(ei, GUTS_ENOTFOUND, "no program git%s%s (Debian: apt-get install git)", git ? " at " : " in $PATH",
		    git ? git : "");
		free(git);
		return GUTS_ENOTFOUND;
	}
	if ((mkdir(setup->repos_path, 0700) && errno != EEXIST) || realpath(setup->repos_path, real) == NULL) {
		free(git);
		return guts_err_set(ei, GUTS_EIO, "cannot use %s: %s", setup->repos_path, strerror(errno));
	}
	s = guts_alloc(sizeof(*s));
	s->base.ops = &ops;
	s->env = setup->env;
	s->children = setup->children;
	s->path = guts_strdup(real);
	s->git_path = git;
	s->tail_grace_ns = GUTS_TAIL_GRACE_NS;
	guts_env_random(s->env, run, sizeof(run));
	guts_hex_encode(s->run, run, sizeof(run));
	s->sweep = guts_alloc(sizeof(*s->sweep));
	s->sweep->store = s;
	s->sweep->job = (struct guts_job){ .run = sweep_run, .done = sweep_done, .owner = s, .name = "git.sweep" };
	guts_env_submit(s->env, &s->sweep->job);
	*out = s;
	return GUTS_OK;
}

void
guts_repostore_close(struct guts_repostore *s)
{
	struct guts_repoqueue *q, *next;

	if (s == NULL)
		return;
	guts_repostore_ingests_free(s);
	guts_repostore_packers_free(s);
	guts_repostore_importers_free(s);
	HASH_ITER(hh, s->queues, q, next) {
		struct guts_repoop *op, *op_next;

		DL_FOREACH_SAFE(q->ops, op, op_next) {
			DL_DELETE(q->ops, op);
			op->drop(op);
		}
		HASH_DEL(s->queues, q);
		free(q);
	}
	guts_tails_free(s);
	guts_graphs_free(s);
	free(s->sweep);
	free(s->path);
	free(s->git_path);
	free(s);
}

struct guts_repos *
guts_repostore_repos(struct guts_repostore *s)
{
	return &s->base;
}
