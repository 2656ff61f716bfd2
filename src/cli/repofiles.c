/* cli/repofiles.c - a repository's files without its history: the node's archive into a file or a pipe. */
#include "base/alloc.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct saving {
	FILE *out;
	const char *name;
};

static bool
save(void *owner, struct guts_slice bytes)
{
	struct saving *s = owner;

	if (fwrite(bytes.p, 1, bytes.n, s->out) == bytes.n)
		return true;
	guts_cli_fail(GUTS_EXIT_FAILED, "%s: %s", s->name, strerror(errno));
	return false;
}

/* The branch, tag or commit that the user named, or the default branch.  Owner of *ref: caller. */
static int
find_ref(struct guts_cli *c, const char *path, char **ref)
{
	struct guts_reply r;
	int code;

	if (c->args.npos > 1) {
		*ref = guts_strdup(c->args.pos[1]);
		return GUTS_EXIT_OK;
	}
	code = guts_ask_call(c, &r, "GET", path, NULL);
	if (!code)
		*ref = guts_strdup(guts_jv_str_of(r.root, "default_branch"));
	guts_reply_deinit(&r);
	return code;
}

static bool
is_zip(const char *file)
{
	size_t n = file ? strlen(file) : 0;

	return n > 4 && strcmp(file + n - 4, ".zip") == 0;
}

/* Into `file`, which is not left behind half written; NULL: standard output. */
static int
download(struct guts_cli *c, const char *path, const char *file)
{
	struct saving s = { file ? fopen(file, "wb") : stdout, file ? file : "standard output" };
	struct stat st;
	bool is_file;
	int code;

	if (!s.out)
		return guts_cli_fail(GUTS_EXIT_FAILED, "%s: %s", file, strerror(errno));
	is_file = file && fstat(fileno(s.out), &st) == 0 && S_ISREG(st.st_mode);
	code = guts_ask_bytes(c, path, save, &s);
	if (file && fclose(s.out) != 0 && !code)
		code = guts_cli_fail(GUTS_EXIT_FAILED, "%s: %s", file, strerror(errno));
	if (code && is_file)
		unlink(file);
	return code;
}

int
guts_cmd_repo_download(struct guts_cli *c)
{
	const char *file = guts_args_get(&c->args, "output");
	char *path = NULL, *ref = NULL, *name, *pattern;
	int code;

	if (!file && isatty(STDOUT_FILENO))
		return guts_cli_fail(GUTS_EXIT_USAGE, "name a file with --output: an archive is nothing for a terminal");
	code = guts_ask_repo(c, c->args.pos[0], &path);
	if (!code)
		code = find_ref(c, path, &ref);
	if (!code) {
		pattern = guts_asprintf("%s%s", ref, is_zip(file) ? ".zip" : ".tar.gz");
		name = guts_ask_path("/archive/{}", pattern);
		free(pattern);
		pattern = guts_asprintf("%s%s", path, name);
		code = download(c, pattern, file);
		free(pattern);
		free(name);
	}
	free(path);
	free(ref);
	return code;
}
