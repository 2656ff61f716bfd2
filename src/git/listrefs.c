/* git/listrefs.c - all refs on disk, as stock git would see them: packed-refs overlaid by loose ones. */
#include "git/repostore_priv.h"

#include "base/alloc.h"
#include "git/refsfile.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct listrefs {
	struct guts_repoop op;
	char *path;
	struct guts_ref_row *v;
	size_t n;
	char *text; /* the names */
	void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n);
	void *owner;
};

/* Loose refs found; names are owned. */
struct loose {
	struct guts_ref_update *v;
	size_t n, cap;
};

static void
add_loose(struct loose *l, const char *file, struct guts_slice name)
{
	char text[130];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	struct guts_oid o;

	if (fd >= 0)
		close(fd);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	if (n < 40 || guts_oid_from_hex(&o, guts_slice(text, (size_t)n)) || guts_oid_is_none(&o))
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->v = guts_realloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = (struct guts_ref_update){ guts_slice(guts_memdup(name.p, name.n), name.n), o };
}

static int
by_name(const void *a, const void *b)
{
	const struct guts_ref_update *x = a, *y = b;

	return guts_slice_cmp(x->name, y->name);
}

static void
find_loose(struct loose *l, const char *repo_path)
{
	char *top = guts_asprintf("%s/refs", repo_path);
	char *const paths[] = { top, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	FTSENT *e;

	while (fts != NULL && (e = fts_read(fts)) != NULL) {
		struct guts_slice name = guts_slice_str(e->fts_path + strlen(repo_path) + 1);

		if (e->fts_info == FTS_D || e->fts_info == FTS_DP || e->fts_name[0] == '.')
			continue;
		if (name.n < 5 || memcmp(name.p + name.n - 5, ".lock", 5) != 0)
			add_loose(l, e->fts_accpath, name);
	}
	if (fts != NULL)
		fts_close(fts);
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	free(top);
}

bool
guts_listrefs_has_loose(const char *top_path)
{
	char *top = guts_asprintf("%s/refs", top_path);
	char *const paths[] = { top, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	bool found = false;
	FTSENT *e;

	while (fts != NULL && !found && (e = fts_read(fts)) != NULL) {
		if (e->fts_info == FTS_D && e->fts_level == 1 && strcmp(e->fts_name, "namespaces") == 0)
			fts_set(fts, e, FTS_SKIP);
		found = e->fts_info == FTS_NSOK || e->fts_info == FTS_F;
	}
	if (fts != NULL)
		fts_close(fts);
	free(top);
	return found;
}

static void
fill(struct listrefs *l, const struct guts_refsfile *refs)
{
	size_t bytes = 0;
	char *to;

	for (size_t i = 0; i < refs->n; i++)
		bytes += refs->v[i].name.n + 1;
	l->text = to = guts_alloc(bytes);
	l->v = guts_calloc(refs->n, sizeof(*l->v));
	l->n = refs->n;
	for (size_t i = 0; i < refs->n; i++) {
		memcpy(to, refs->v[i].name.p, refs->v[i].name.n);
		l->v[i] = (struct guts_ref_row){ to, refs->v[i].oid };
		to += refs->v[i].name.n + 1;
	}
}

static void
list_run(struct guts_repoop *op)
{
	struct listrefs *l = (struct listrefs *)op;
	char *packed = guts_asprintf("%s/packed-refs", l->path);
	struct guts_refsfile old, all;
	struct loose loose = { 0 };
	unsigned bad = 0;
	struct stat st;

	if (stat(l->path, &st)) {
		op->err = guts_errno_err(errno);
		free(packed);
		return;
	}
	op->err = guts_refsfile_read(&old, packed, &bad);
	if (!op->err) {
		find_loose(&loose, l->path);
		guts_refsfile_merge(&all, &old, loose.v, loose.n, false, NULL, NULL);
		fill(l, &all);
		guts_refsfile_deinit(&all);
	}
	for (size_t i = 0; i < loose.n; i++)
		free((void *)(uintptr_t)loose.v[i].name.p);
	free(loose.v);
	guts_refsfile_deinit(&old);
	free(packed);
}

static void
list_drop(struct guts_repoop *op)
{
	struct listrefs *l = (struct listrefs *)op;

	free(l->path);
	free(l->v);
	free(l->text);
	free(l);
}

static void
list_done(struct guts_repoop *op)
{
	struct listrefs *l = (struct listrefs *)op;

	l->done(l->owner, op->err, l->v, l->n);
	list_drop(op);
}

/* In the queue of changing jobs, so that it sees what was projected before. */
void
guts_repostore_refs(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct listrefs *l = guts_alloc(sizeof(*l));

	l->path = guts_repostore_path(s, id);
	l->done = done;
	l->owner = owner;
	l->op.run = list_run;
	l->op.done = list_done;
	l->op.drop = list_drop;
	guts_repoop_submit(s, id, &l->op, "git.refs");
}
