/* git/tail.c - merging small packs.
 *
 *	job: list them, git pack-objects --stdin-packs into a quarantine, look up every object of the old packs in it
 *	queue: move the new pack in (as accept does)
 *	10 s later, queue: remove the old ones, index first
 *
 * A crash between the steps leaves either a quarantine, which is swept, or objects twice, which
 * the next merge mends.  git's children find an object whose pack has gone by looking at the
 * folder again; libgit2's short jobs are covered by the grace.
 */
#include "git/tail.h"

#include "base/alloc.h"
#include "base/be.h"
#include "base/log.h"
#include "git/odb.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#define NAMES_MAX (1u << 20) /* [bytes] names of the packs of one merge */

struct guts_tail {
	struct guts_repoop op;     /* moving in, then removing */
	struct guts_job job;       /* making the pack */
	struct guts_repostore *store;
	struct guts_tail *next, *prev;
	uint8_t id[GUTS_REPOID_SIZE];
	char *path, *quarantine;
	struct guts_buf names;     /* "pack-….pack\n" each */
	char made[256];            /* the new pack; it may be one of the old ones, byte for byte */
	size_t packs;
	struct guts_timer grace;
	int err;
};

/* -- the pack folder ------------------------------------------------------------------ */

static bool
ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && strcmp(name + n - k, suffix) == 0;
}

static int
move_suffix(const char *repo_path, const char *quarantine, const char *suffix)
{
	char *dir = guts_asprintf("%s/pack", quarantine);
	DIR *d = opendir(dir);
	const struct dirent *e;
	int failed = d ? 0 : errno;

	while (!failed && (e = readdir(d)) != NULL) {
		char *from, *to;

		if (strncmp(e->d_name, "pack-", 5) != 0 || !ends_with(e->d_name, suffix))
			continue;
		from = guts_asprintf("%s/%s", dir, e->d_name);
		to = guts_asprintf("%s/objects/pack/%s", repo_path, e->d_name);
		failed = guts_sync_path(from);
		if (!failed && rename(from, to))
			failed = errno;
		free(from);
		free(to);
	}
	if (d)
		closedir(d);
	free(dir);
	return failed;
}

int
guts_quarantine_move(const char *repo_path, const char *quarantine)
{
	char *packs = guts_asprintf("%s/objects/pack", repo_path);
	int e = move_suffix(repo_path, quarantine, ".pack");

	if (!e)
		e = move_suffix(repo_path, quarantine, ".idx");
	if (!e)
		e = guts_sync_path(packs);
	free(packs);
	return e;
}

/* A pack that is just being moved in has none yet. */
static bool
has_index(int dir, const char *pack)
{
	char *name = guts_asprintf("%.*s.idx", (int)(strlen(pack) - 5), pack);
	bool there = faccessat(dir, name, R_OK, 0) == 0;

	free(name);
	return there;
}

/* Count small packs; their names go to `names` if it is not NULL. */
static size_t
small_packs(const char *repo_path, struct guts_buf *names)
{
	char *dir = guts_asprintf("%s/objects/pack", repo_path);
	DIR *d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		struct stat st;

		if (strncmp(e->d_name, "pack-", 5) != 0 || !ends_with(e->d_name, ".pack") ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || st.st_size >= GUTS_TAIL_PACK_BYTES ||
		    !has_index(dirfd(d), e->d_name))
			continue;
		n++;
		if (names)
			guts_buf_printf(names, "%s\n", e->d_name);
	}
	if (d)
		closedir(d);
	free(dir);
	return n;
}

size_t
guts_tail_count(const char *repo_path)
{
	return small_packs(repo_path, NULL);
}

/* -- making the pack -------------------------------------------------------------------- */

/* Are all ids of the pack index in `fd` (gitformat-pack(5), version 2) in `odb`? */
static bool
holds_index(git_odb *odb, int fd)
{
	const size_t head = 8, fanout = 1024;
	struct stat st;
	const uint8_t *p;
	uint64_t count;
	bool all;

	if (fstat(fd, &st) || (uint64_t)st.st_size < head + fanout)
		return false;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	count = guts_be32(p + head + fanout - 4);
	all = memcmp(p, "\377tOc\0\0\0\2", 8) == 0 && head + fanout + count * GIT_OID_RAWSZ <= (uint64_t)st.st_size;
	for (uint64_t i = 0; i < count && all; i++) {
		git_oid id;

		git_oid_fromraw(&id, p + head + fanout + i * GIT_OID_RAWSZ);
		all = git_odb_exists_ext(odb, &id, GIT_ODB_LOOKUP_NO_REFRESH);
	}
	munmap((void *)(uintptr_t)p, (size_t)st.st_size);
	return all;
}

/* The name at `*pos` of the list, leaving out the new pack's own, as an absolute path with another suffix; NULL at its end.  Fresh memory. */
static char *
next_name(const struct guts_tail *t, size_t *pos, const char *suffix)
{
	struct guts_slice all = guts_buf_slice(&t->names);
	const uint8_t *end = *pos < all.n ? memchr(all.p + *pos, '\n', all.n - *pos) : NULL;
	const char *name = (const char *)all.p + *pos;
	size_t n;

	if (end == NULL)
		return NULL;
	n = (size_t)(end - all.p) - *pos;
	*pos += n + 1;
	if (guts_slice_eq(guts_slice(name, n), guts_slice_str(t->made)))
		return next_name(t, pos, suffix);
	return guts_asprintf("%s/objects/pack/%.*s%s", t->path, (int)(n - 5), name, suffix);
}

/* Nothing may be lost: every object of the old packs is in the new one. */
static bool
holds_all(const struct guts_tail *t)
{
	git_odb *odb = NULL;
	size_t pos = 0;
	bool all = guts_odb_open_folder(&odb, t->quarantine) == GUTS_OK;
	char *path;

	while (all && (path = next_name(t, &pos, ".idx")) != NULL) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		all = fd >= 0 && holds_index(odb, fd);
		if (fd >= 0)
			close(fd);
		free(path);
	}
	git_odb_free(odb);
	return all;
}

static int
pack(struct guts_tail *t)
{
	static const char *const args[] = { "-c", "core.fsync=none", "pack-objects", "--stdin-packs",
		"--delta-base-offset", "--progress" };
	char *prefix = guts_asprintf("%s/pack/pack", t->quarantine);
	struct guts_child_io io = { .in_fd = -1, .in = guts_buf_slice(&t->names), .out_fd = -1 };
	struct guts_child_result r;
	struct guts_gitcmd c;
	int err;

	guts_gitcmd_init(&c, t->store->git_path, t->path, guts_gitcmd_key(t->id));
	guts_gitcmd_quarantine(&c, t->path, t->quarantine); /* its temporary files, too */
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		guts_gitcmd_arg(&c, args[i]);
	guts_gitcmd_arg(&c, prefix);
	err = guts_child_run_blocking(t->store->children, &c.spec, &io, &r);
	guts_gitcmd_deinit(&c);
	free(prefix);
	return err;
}

/* Note the name of the pack that was made. */
static int
find_made(struct guts_tail *t)
{
	char *dir = guts_asprintf("%s/pack", t->quarantine);
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (ends_with(e->d_name, ".pack"))
			snprintf(t->made, sizeof(t->made), "%s", e->d_name);
	if (d)
		closedir(d);
	free(dir);
	return t->made[0] ? GUTS_OK : GUTS_EINTERNAL;
}

static void
merge_run(struct guts_job *j)
{
	struct guts_tail *t = j->owner;
	char *packs = guts_asprintf("%s/pack", t->quarantine);

	t->packs = small_packs(t->path, &t->names);
	if (t->packs < 2 || t->names.failed)
		t->err = GUTS_ELIMIT;
	else if (mkdir(t->quarantine, 0700) || mkdir(packs, 0700))
		t->err = guts_errno_err(errno);
	else
		t->err = pack(t);
	if (!t->err)
		t->err = find_made(t);
	if (!t->err && !holds_all(t))
		t->err = GUTS_EINTERNAL;
	if (t->err)
		guts_remove_tree(t->quarantine);
	free(packs);
}

/* -- in, and the old ones out ---------------------------------------------------------------- */

static void
tail_free(struct guts_tail *t)
{
	DL_DELETE(t->store->tails, t);
	guts_buf_deinit(&t->names);
	free(t->path);
	free(t->quarantine);
	free(t);
}

static void
over(struct guts_tail *t)
{
	if (t->err)
		guts_log_limited(GUTS_LOG_WARN, "git", "small packs not merged path=%s error=%s", t->path,
		    guts_err_name(t->err));
	else
		guts_log(GUTS_LOG_INFO, "git", "merged small packs count=%zu path=%s", t->packs, t->path);
	tail_free(t);
}

static void
drop(struct guts_repoop *op)
{
	(void)op; /* guts_tails_free has it */
}

static void
remove_run(struct guts_repoop *op)
{
	struct guts_tail *t = (struct guts_tail *)op;
	static const char *const suffixes[] = { ".idx", ".pack" };

	for (size_t i = 0; i < 2; i++) {
		size_t pos = 0;
		char *path;

		while ((path = next_name(t, &pos, suffixes[i])) != NULL) {
			unlink(path);
			free(path);
		}
	}
}

static void
remove_done(struct guts_repoop *op)
{
	over((struct guts_tail *)op);
}

static void
grace_over(struct guts_timer *timer, void *owner)
{
	struct guts_tail *t = owner;

	(void)timer;
	t->op.run = remove_run;
	t->op.done = remove_done;
	guts_repoop_submit(t->store, t->id, &t->op, "git.remove-merged");
}

static void
move_run(struct guts_repoop *op)
{
	struct guts_tail *t = (struct guts_tail *)op;

	t->err = guts_errno_err(guts_quarantine_move(t->path, t->quarantine));
	guts_remove_tree(t->quarantine);
}

static void
move_done(struct guts_repoop *op)
{
	struct guts_tail *t = (struct guts_tail *)op;
	struct guts_env *env = t->store->env;

	if (t->err) {
		over(t);
		return;
	}
	t->grace.fire = grace_over;
	t->grace.owner = t;
	guts_env_timer_set(env, &t->grace, guts_env_now(env) + t->store->tail_grace_ns);
}

static void
merge_done(struct guts_job *j, void *owner)
{
	struct guts_tail *t = owner;

	(void)j;
	if (t->err) {
		over(t);
		return;
	}
	t->op.run = move_run;
	t->op.done = move_done;
	t->op.drop = drop;
	guts_repoop_submit(t->store, t->id, &t->op, "git.merge");
}

void
guts_tail_merge(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], size_t count)
{
	struct guts_tail *t;
	char *objects;

	if (count <= GUTS_TAIL_PACKS_MAX)
		return;
	DL_FOREACH(s->tails, t) {
		if (memcmp(t->id, id, GUTS_REPOID_SIZE) == 0)
			return;
	}
	t = guts_alloc(sizeof(*t));
	t->store = s;
	memcpy(t->id, id, GUTS_REPOID_SIZE);
	t->path = guts_repostore_path(s, id);
	objects = guts_asprintf("%s/objects", t->path);
	t->quarantine = guts_repostore_temporary(s, objects, "incoming");
	free(objects);
	guts_buf_init(&t->names, NAMES_MAX);
	DL_APPEND(s->tails, t);
	t->job = (struct guts_job){ .run = merge_run, .done = merge_done, .owner = t, .name = "git.pack-tail" };
	guts_env_submit(s->env, &t->job);
}

void
guts_tails_free(struct guts_repostore *s)
{
	struct guts_tail *t, *next;

	DL_FOREACH_SAFE(s->tails, t, next) {
		guts_remove_tree(t->quarantine);
		tail_free(t);
	}
}
