/* git/gitcmd.h - one call of git as a child: arguments, clean environment, limits.  Private to the folder.
 *
 * The environment is built from nothing; there is no system and no user configuration; replace
 * refs are off; memory is capped by git's own settings and, harder, by the kernel.
 */
#ifndef GUTS_GIT_GITCMD_H
#define GUTS_GIT_GITCMD_H

#include "loop/child.h"

#define GUTS_GITCMD_ARGS_MAX 48
#define GUTS_GITCMD_ENV_MAX 20

/* Fields of `spec` other than path, argv, env, dir may be changed before the start. */
struct guts_gitcmd {
	struct guts_child_spec spec;
	const char *argv[GUTS_GITCMD_ARGS_MAX];
	size_t argc;
	char *env[GUTS_GITCMD_ENV_MAX];
	size_t nenv;
};

/* Begin `git [common -c settings]` at `git_path` for the bare repository `repo_path`; key = for whom (fairness). */
void guts_gitcmd_init(struct guts_gitcmd *c, const char *git_path, const char *repo_path, uint64_t key);
void guts_gitcmd_deinit(struct guts_gitcmd *c);

/* Add an argument (borrowed until deinit). */
void guts_gitcmd_arg(struct guts_gitcmd *c, const char *arg);

/* Add "name=value" to the environment (copied). */
void guts_gitcmd_env(struct guts_gitcmd *c, const char *name, const char *value);

/* Let it write objects to `quarantine` and read the repository's as well. */
void guts_gitcmd_quarantine(struct guts_gitcmd *c, const char *repo_path, const char *quarantine);

/* What went wrong, as one of our errors, from how it ended and what it said; `other` if nothing is recognised.
 * *text gets git's own words, one clean line. */
int guts_gitcmd_error(const struct guts_child_result *r, int other, struct guts_errinfo *ei);

/* Key of a repository for the supervisor. */
uint64_t guts_gitcmd_key(const uint8_t *id);

#endif
