/* git/gitcmd.c - how git is called.
 *
 * git's caches are told to stay small (it would die in mmap under the address-space limit
 * otherwise), hooks and maintenance are off, and every path is absolute.  Progress is always asked
 * for by the callers, so that a child which works for long in silence is not taken for a stalled
 * one; its last words are then found between progress lines.
 */
#include "git/gitcmd.h"

#include "base/alloc.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>

#define MEMORY_MAX (UINT64_C(1) << 30) /* [bytes] of address space, unless the caller says otherwise */
#define CPU_MAX_S 1800u                /* [s] */

static const char *const common[] = {
	"-c", "safe.directory=*",
	"-c", "core.packedGitWindowSize=16m",
	"-c", "core.packedGitLimit=64m",
	"-c", "core.deltaBaseCacheLimit=32m",
	"-c", "core.bigFileThreshold=64m",
	"-c", "core.hooksPath=/dev/null",
	"-c", "core.fsmonitor=false",
	"-c", "gc.auto=0",
	"-c", "maintenance.auto=false",
	"-c", "pack.windowMemory=32m",
	"-c", "pack.deltaCacheSize=32m",
	"-c", "pack.writeReverseIndex=false",
};

void
guts_gitcmd_init(struct guts_gitcmd *c, const char *git_path, const char *repo_path, uint64_t key)
{
	char *bin = guts_strdup(git_path), *slash = strrchr(bin, '/'), *path;

	memset(c, 0, sizeof(*c));
	c->spec.path = git_path;
	c->spec.dir = "/";
	c->spec.key = key;
	c->spec.memory_max_bytes = MEMORY_MAX;
	c->spec.cpu_max_s = CPU_MAX_S;
	guts_gitcmd_arg(c, "git");
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		guts_gitcmd_arg(c, common[i]);

	if (slash != NULL)
		*slash = '\0';
	path = guts_asprintf("%s:/usr/bin:/bin", bin[0] ? bin : "/");
	guts_gitcmd_env(c, "PATH", path);
	guts_gitcmd_env(c, "HOME", "/nonexistent");
	guts_gitcmd_env(c, "LC_ALL", "C");
	guts_gitcmd_env(c, "GIT_CONFIG_NOSYSTEM", "1");
	guts_gitcmd_env(c, "GIT_CONFIG_GLOBAL", "/dev/null");
	guts_gitcmd_env(c, "GIT_TERMINAL_PROMPT", "0");
	guts_gitcmd_env(c, "GIT_NO_REPLACE_OBJECTS", "1");
	guts_gitcmd_env(c, "GIT_ATTR_NOSYSTEM", "1");
	guts_gitcmd_env(c, "MALLOC_ARENA_MAX", "2");
	guts_gitcmd_env(c, "GIT_DIR", repo_path);
	free(path);
	free(bin);
}

void
guts_gitcmd_deinit(struct guts_gitcmd *c)
{
	for (size_t i = 0; i < c->nenv; i++)
		free(c->env[i]);
	c->nenv = 0;
}

void
guts_gitcmd_arg(struct guts_gitcmd *c, const char *arg)
{
	assert(c->argc + 1 < GUTS_GITCMD_ARGS_MAX);
	c->argv[c->argc++] = arg;
	c->argv[c->argc] = NULL;
	c->spec.argv = c->argv;
}

void
guts_gitcmd_env(struct guts_gitcmd *c, const char *name, const char *value)
{
	assert(c->nenv + 1 < GUTS_GITCMD_ENV_MAX);
	c->env[c->nenv++] = guts_asprintf("%s=%s", name, value);
	c->env[c->nenv] = NULL;
	c->spec.env = (const char *const *)c->env;
}

/* Quote a path as git wants it in a list of alternates: a colon would end it. */
static char *
quote(const char *path)
{
	char *out = guts_alloc(strlen(path) * 4 + 3), *o = out;

	*o++ = '"';
	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if (*p >= ' ' && *p != 0x7f && *p != '"' && *p != '\\') {
			*o++ = (char)*p;
			continue;
		}
		*o++ = '\\';
		*o++ = (char)('0' + (*p >> 6));
		*o++ = (char)('0' + (*p >> 3 & 7));
		*o++ = (char)('0' + (*p & 7));
	}
	*o = '"';
	return out;
}

void
guts_gitcmd_quarantine(struct guts_gitcmd *c, const char *repo_path, const char *quarantine)
{
	char *objects = guts_asprintf("%s/objects", repo_path), *quoted = quote(objects);

	guts_gitcmd_env(c, "GIT_OBJECT_DIRECTORY", quarantine);
	guts_gitcmd_env(c, "GIT_QUARANTINE_PATH", quarantine);
	guts_gitcmd_env(c, "GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted);
	free(quoted);
	free(objects);
}

/* Words of git that mean something other than "your pack is bad". */
static const struct {
	const char *words;
	int err;
} known[] = {
	{ "No space left on device", GUTS_ENOSPC },
	{ "Disk quota exceeded", GUTS_ENOSPC },
	{ "Input/output error", GUTS_EIO },
	{ "Out of memory", GUTS_ELIMIT },
	{ "out of memory", GUTS_ELIMIT },
	{ "Cannot allocate memory", GUTS_ELIMIT },
	{ "exceeds maximum allowed size", GUTS_ELIMIT },
	{ "unresolved delta", GUTS_ENOTFOUND },
	{ "did not receive expected object", GUTS_ENOTFOUND },
};

/* The line that says most: an error found by the check of objects, else why git died, else the last one. */
static struct guts_slice
last_words(const char *text)
{
	struct guts_slice fatal = { 0 }, error = { 0 }, last = { 0 };

	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\r\n");

		if (n > 0)
			last = guts_slice(p, n);
		if (n > 7 && strncmp(p, "fatal: ", 7) == 0)
			fatal = guts_slice(p + 7, n - 7);
		else if (n > 7 && strncmp(p, "error: ", 7) == 0)
			error = guts_slice(p + 7, n - 7);
		p += n;
		p += strspn(p, "\r\n");
	}
	if (error.n && (fatal.n == 0 || guts_slice_eq(fatal, guts_slice_str("fsck error in packed object"))))
		return error;
	return fatal.n ? fatal : last;
}

int
guts_gitcmd_error(const struct guts_child_result *r, int other, struct guts_errinfo *ei)
{
	struct guts_slice words = last_words(r->text);
	int err = other;

	if (r->err != GUTS_EIO && r->err != GUTS_OK) {
		return guts_err_set(ei, r->err, "git: %s", guts_err_text(r->err));
	} else if (r->signal) {
		/* The kernel's answer to a limit of ours, or git's own to a failed allocation. */
		err = GUTS_ELIMIT;
	} else {
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (strstr(r->text, known[i].words) != NULL)
				err = known[i].err;
		}
	}
	if (words.n > 200)
		words.n = 200;
	if (words.n == 0 || !guts_text_is_clean(words, false))
		return guts_err_set(ei, err, "git ended with code %d, signal %d", r->exit_code, r->signal);
	return guts_err_set(ei, err, "%.*s", (int)words.n, (const char *)words.p);
}

uint64_t
guts_gitcmd_key(const uint8_t *id)
{
	uint64_t key;

	memcpy(&key, id, sizeof(key));
	return key;
}
