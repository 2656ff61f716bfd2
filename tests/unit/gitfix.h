/* tests/unit/gitfix.h - what the tests of src/git share: a home in a temporary folder with the real loop, supervisor and
 * repository store, a work tree made by stock git, and blocking forms of the operations. */
#ifndef GUTS_TESTS_GITFIX_H
#define GUTS_TESTS_GITFIX_H

#include "base/alloc.h"
#include "git/repostore.h"
#include "loop/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct gitfix {
	char dir[64];
	struct guts_uvenv *uv;
	struct guts_children *children;
	struct guts_repostore *store;
	struct guts_repos *repos;
	uint8_t id[GUTS_REPOID_SIZE];
	char *path; /* of repository `id` */
	int err;
};

/* Run a shell command in the fixture's folder without the user's git configuration; its exit code. */
static __attribute__((unused, format(printf, 2, 3))) int
sh(const struct gitfix *f, const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;
	int status;
	pid_t pid;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	pid = fork();
	if (pid == 0) {
		if (chdir(f->dir))
			_exit(126);
		setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
		setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
		setenv("GIT_AUTHOR_NAME", "A U Thor", 1);
		setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
		setenv("GIT_COMMITTER_NAME", "C O Mitter", 1);
		setenv("GIT_COMMITTER_EMAIL", "c@example.org", 1);
		execl("/bin/sh", "sh", "-ec", cmd, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* First line that a shell command prints, as fresh memory. */
static __attribute__((unused, format(printf, 2, 3))) char *
line_of(const struct gitfix *f, const char *fmt, ...)
{
	char cmd[4096], path[128], text[4096] = "";
	va_list ap;
	FILE *in;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/line", f->dir);
	sh(f, "( %s ) > line 2>/dev/null || :", cmd);
	in = fopen(path, "r");
	if (in == NULL || fgets(text, sizeof(text), in) == NULL)
		text[0] = '\0';
	if (in)
		fclose(in);
	text[strcspn(text, "\n")] = '\0';
	return guts_strdup(text);
}

static __attribute__((unused)) struct guts_oid
oid_of(const struct gitfix *f, const char *rev)
{
	char *hex = line_of(f, "git -C work rev-parse %s", rev);
	struct guts_oid o;

	if (guts_oid_from_hex(&o, guts_slice_str(hex)))
		fail_msg("no id for %s", rev);
	free(hex);
	return o;
}

static __attribute__((unused)) void
on_err(void *owner, int err)
{
	struct gitfix *f = owner;

	f->err = err;
	guts_uvenv_stop(f->uv);
}

static __attribute__((unused)) int
make_repo(struct gitfix *f, uint8_t first)
{
	memset(f->id, first, sizeof(f->id));
	free(f->path);
	f->path = guts_repostore_path(f->store, f->id);
	guts_repos_create(f->repos, f->id, GUTS_SHA1, guts_slice_str("refs/heads/main"), on_err, f);
	guts_uvenv_run(f->uv);
	return f->err;
}

static __attribute__((unused)) void
open_git(struct gitfix *f)
{
	struct guts_repostore_setup s = { 0 };
	struct guts_errinfo ei;
	char repos[80];

	snprintf(repos, sizeof(repos), "%s/repos", f->dir);
	assert_int_equal(guts_uvenv_new(NULL, &f->uv), 0);
	f->children = guts_children_new(f->uv, NULL);
	s.env = guts_uvenv_env(f->uv);
	s.children = f->children;
	s.repos_path = repos;
	if (guts_repostore_open(&f->store, &s, &ei))
		fail_msg("%s", ei.text);
	f->repos = guts_repostore_repos(f->store);
}

static __attribute__((unused)) void
close_git(struct gitfix *f)
{
	guts_children_stop(f->children);
	guts_uvenv_free(f->uv);
	guts_repostore_close(f->store);
	guts_children_free(f->children);
}

/* A fixture with an empty repository and a work tree `work` of three commits. */
static __attribute__((unused)) int
git_setup(void **state)
{
	struct gitfix *f = guts_alloc(sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "%s/guts-git-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	open_git(f);
	*state = f;
	if (make_repo(f, 0xa1))
		return -1;
	return sh(f, "git init -q -b main work; cd work; mkdir sub; for i in 1 2 3; do echo $i > sub/f$i; echo $i > f$i;"
	    "git add .; git commit -q -m \"commit $i\"; done");
}

static __attribute__((unused)) int
git_teardown(void **state)
{
	struct gitfix *f = *state;

	close_git(f);
	sh(f, "cd /; rm -rf %s", f->dir);
	free(f->path);
	free(f);
	return 0;
}

/* -- taking a pack ------------------------------------------------------------------------- */

struct taking {
	struct gitfix *f;
	struct guts_ingest *g;
	struct guts_slice left;
	size_t piece; /* bytes given at once; 0 = all */
	struct guts_object_query asks[3]; /* and their answers */
	size_t nasks;
	int err;
	char detail[256];
	uint64_t objects;
	bool over, ended;
};

static __attribute__((unused)) void
give(struct taking *t)
{
	while (t->left.n > 0) {
		struct guts_slice part = t->left;
		size_t n;

		if (t->piece && part.n > t->piece)
			part.n = t->piece;
		n = guts_ingest_write(t->f->repos, t->g, part);
		assert_true(n <= part.n);
		t->left = guts_slice(t->left.p + n, t->left.n - n);
		if (n < part.n)
			return;
	}
	if (!t->ended && !t->over) {
		t->ended = true;
		guts_ingest_end(t->f->repos, t->g);
	}
}

static __attribute__((unused)) void
on_room(void *owner)
{
	give(owner);
}

static __attribute__((unused)) void
on_verified(void *owner, int err, const struct guts_ingest_result *r)
{
	struct taking *t = owner;

	assert_false(t->over);
	t->over = true;
	t->err = err;
	t->objects = r->objects;
	snprintf(t->detail, sizeof(t->detail), "%s", r->detail ? r->detail : "");
	if (r->answers)
		memcpy(t->asks, r->answers, t->nasks * sizeof(*t->asks));
	guts_uvenv_stop(t->f->uv);
}

static __attribute__((unused)) void
on_accepted(void *owner, int err)
{
	struct taking *t = owner;

	t->err = err;
	guts_uvenv_stop(t->f->uv);
}

static const struct guts_ingest_events taking_events __attribute__((unused)) = { on_room, NULL, on_verified, on_accepted };

/* Bytes of a file in the fixture's folder, as fresh memory. */
static __attribute__((unused)) struct guts_slice
file_bytes(const struct gitfix *f, const char *name)
{
	char path[256];
	struct stat st;
	uint8_t *p;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	in = fopen(path, "rb");
	if (in == NULL || fstat(fileno(in), &st))
		fail_msg("no file %s", path);
	p = guts_alloc((size_t)st.st_size);
	assert_int_equal(fread(p, 1, (size_t)st.st_size, in), st.st_size);
	fclose(in);
	return guts_slice(p, (size_t)st.st_size);
}

/* Take the pack in file `name` (NULL: none, only the tips are checked); accepted if it is good.  The verdict. */
static __attribute__((unused)) int
take(struct gitfix *f, const char *name, const struct guts_oid *tips, size_t ntips, struct taking *t)
{
	struct guts_ingest_spec spec = { .pack_max = GUTS_PACK_MAX, .tips = tips, .ntips = ntips, .no_pack = name == NULL,
		.nasks = t->nasks };
	struct guts_slice bytes = name ? file_bytes(f, name) : (struct guts_slice){ 0 };
	struct guts_object_query asks[3];
	int err;

	memcpy(asks, t->asks, sizeof(asks));
	spec.asks = asks;
	*t = (struct taking){ .f = f, .left = bytes, .piece = t->piece, .nasks = t->nasks };
	err = guts_ingest_open(f->repos, f->id, &spec, &taking_events, t, &t->g);
	if (err) {
		free((void *)(uintptr_t)bytes.p);
		return err;
	}
	give(t);
	guts_uvenv_run(f->uv);
	assert_true(t->over);
	if (t->err) {
		guts_ingest_abort(f->repos, t->g);
	} else {
		guts_ingest_accept(f->repos, t->g);
		guts_uvenv_run(f->uv);
	}
	free((void *)(uintptr_t)bytes.p);
	return t->err;
}

#endif
