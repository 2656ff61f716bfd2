/* cli/cirun.c - `guts ci run`: a ready runner.
 *
 * It dials out only: takes a job by a lease, clones the repository from the node into a fresh folder, runs the command
 * there with an environment that holds nothing of the user's but PATH and what he names, and reports.  The token is in the
 * environment of git alone, for the clone.
 */
#include "cli/citree.h"
#include "cli/ciwork.h"
#include "cli/commands.h"
#include "cli/term.h"

#include "base/alloc.h"

#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_S 50            /* [s] one request waits for a job */
#define AGAIN_MS 2000        /* [ms] between two tries to reach the node */
#define CHECKOUT_S 1800      /* [s] for each of git's commands */
#define ENV_MAX 128          /* variables of a command */
#define TIMEOUT_S 3600       /* usual [s] for a command */

struct runner {
	struct guts_cli *cli;
	struct guts_buf ask;     /* body of the request for a job */
	uint64_t timeout_s, memory_mib;
	char *folder;            /* where folders of jobs are made */
	bool once, keep;
	bool was_away;           /* the node did not answer last time */
	size_t good, bad;        /* jobs so far */
};

/* The job at hand. */
struct job {
	struct guts_ciwork w;
	struct guts_doc *doc;
	struct guts_jv v;
	char *folder, *source;   /* made for it; the clone in it */
	char *env[ENV_MAX + 1];
	size_t nenv;
	const char *state;       /* how it ended; NULL = it was given back, or lost */
	char why[256];
};

/* -- environment ------------------------------------------------------------------------------- */

static void
set(struct job *b, const char *name, const char *value)
{
	if (b->nenv < ENV_MAX)
		b->env[b->nenv++] = guts_asprintf("%s=%s", name, value);
}

static void
clear_env(struct job *b)
{
	for (size_t i = 0; i < b->nenv; i++)
		free(b->env[i]);
	memset(b->env, 0, sizeof(b->env));
	b->nenv = 0;
}

static void
set_common(struct job *b)
{
	const char *path = getenv("PATH");

	set(b, "PATH", path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
	set(b, "HOME", b->folder);
	set(b, "LANG", "C.UTF-8");
}

static void
set_for_git(struct job *b, const char *token)
{
	char *header = guts_asprintf("Authorization: Bearer %s", token != NULL ? token : "");

	clear_env(b);
	set_common(b);
	set(b, "GIT_CONFIG_NOSYSTEM", "1");
	set(b, "GIT_CONFIG_GLOBAL", "/dev/null");
	set(b, "GIT_TERMINAL_PROMPT", "0");
	if (token != NULL) {
		set(b, "GIT_CONFIG_COUNT", "1");
		set(b, "GIT_CONFIG_KEY_0", "http.extraHeader");
		set(b, "GIT_CONFIG_VALUE_0", header);
	}
	explicit_bzero(header, strlen(header));
	free(header);
}

static void
set_for_command(struct job *b, const struct guts_cli *c)
{
	static const char *const members[][2] = { { "GUTS_JOB", "id" }, { "GUTS_REPOSITORY", "repository.full_name" },
		{ "GUTS_REPOSITORY_ID", "repository.id" }, { "GUTS_REF", "ref" }, { "GUTS_COMMIT", "commit" },
		{ "GUTS_BEFORE", "before" }, { "GUTS_EVENT", "event" }, { "GUTS_CONTEXT", "context" } };
	const char *ref = guts_jv_str_of(b->v, "ref"), *name, *value;

	clear_env(b);
	set_common(b);
	set(b, "CI", "true");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		set(b, members[i][0], guts_jv_str_of(b->v, members[i][1]));
	if (strncmp(ref, "refs/heads/", 11) == 0)
		set(b, "GUTS_BRANCH", ref + 11);
	else if (strncmp(ref, "refs/tags/", 10) == 0)
		set(b, "GUTS_TAG", ref + 10);
	for (size_t i = 0; (name = guts_args_nth(&c->args, "env", i)) != NULL; i++) {
		if (strchr(name, '=') != NULL && b->nenv < ENV_MAX)
			b->env[b->nenv++] = guts_strdup(name);
		else if ((value = getenv(name)) != NULL)
			set(b, name, value);
	}
}

/* -- folders ------------------------------------------------------------------------------------- */

static bool
make_folder(struct job *b, const struct runner *r)
{
	b->folder = guts_asprintf("%s/guts-ci-XXXXXX", r->folder);
	if (mkdtemp(b->folder) == NULL) {
		free(b->folder);
		b->folder = NULL;
		return false;
	}
	b->source = guts_asprintf("%s/source", b->folder);
	return true;
}

/* A command may have taken the right to look into its folders away. */
static int
open_up(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st;
	(void)f;
	if (kind == FTW_D || kind == FTW_DNR)
		(void)chmod(path, 0700);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st;
	(void)kind;
	(void)f;
	(void)remove(path);
	return 0;
}

static void
remove_folder(const char *folder)
{
	nftw(folder, open_up, 32, FTW_PHYS);
	nftw(folder, remove_one, 32, FTW_PHYS | FTW_DEPTH);
	if (access(folder, F_OK) == 0)
		guts_cli_fail(0, "%s cannot be removed whole", folder);
}

/* -- one job --------------------------------------------------------------------------------------- */

static void
ended(struct job *b, const char *state, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
ended(struct job *b, const char *state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->why, sizeof(b->why), fmt, ap);
	va_end(ap);
	b->state = state;
}

/* One of git's commands; false: the job ended with it. */
static bool
git(struct job *b, const char *dir, const char *const *argv)
{
	int code;
	enum guts_ciend how = guts_ciwork_run(&b->w, (char *const *)(uintptr_t)argv, b->env, dir, CHECKOUT_S, &code);

	if (how == GUTS_CIEND_EXIT && code == 0)
		return true;
	if (how != GUTS_CIEND_LOST && how != GUTS_CIEND_STOPPED)
		ended(b, "error", "git %s failed", argv[1]);
	return false;
}

static bool
check_out(struct job *b, const struct guts_cli *c)
{
	const char *commit = guts_jv_str_of(b->v, "commit");
	bool is_socket = strncmp(c->base, "unix:", 5) == 0; /* git cannot clone over one */
	char *url = is_socket ? guts_strdup(guts_jv_str_of(b->v, "repository.clone_url")) :
	    guts_asprintf("%s/%s.git", c->base, guts_jv_str_of(b->v, "repository.full_name"));
	const char *const clone[] = { "git", "clone", "--quiet", "--no-checkout", "--", url, "source", NULL };
	const char *const fetch[] = { "git", "fetch", "--quiet", "origin", commit, NULL }; /* the branch may have moved on */
	const char *const checkout[] = { "git", "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit,
		NULL };
	bool good;

	set_for_git(b, c->secret);
	good = git(b, b->folder, clone) && git(b, b->source, fetch) && git(b, b->source, checkout);
	clear_env(b);
	free(url);
	return good;
}

static void
run_command(struct job *b, const struct runner *r)
{
	const struct guts_cli *c = r->cli;
	uint64_t began = guts_ciwork_now_ms();
	char span[24], *argv[GUTS_ARGS_MAX + 1] = { NULL };
	enum guts_ciend how;
	int code;

	for (size_t i = 0; i < c->args.npos; i++)
		argv[i] = (char *)(uintptr_t)c->args.pos[i];
	set_for_command(b, c);
	b->w.memory_max = r->memory_mib << 20;
	how = guts_ciwork_run(&b->w, argv, b->env, b->source, r->timeout_s, &code);
	b->w.memory_max = 0;
	guts_fmt_span(span, (guts_ciwork_now_ms() - began) / 1000);
	if (how == GUTS_CIEND_EXIT && code == 0)
		ended(b, "success", "passed in %s", span);
	else if (how == GUTS_CIEND_EXIT && (code == 126 || code == 127))
		ended(b, "error", "%s cannot be run (exit code %d)", argv[0], code);
	else if (how == GUTS_CIEND_EXIT)
		ended(b, "failure", "exit code %d after %s", code, span);
	else if (how == GUTS_CIEND_SIGNAL)
		ended(b, "failure", "ended by signal %s after %s", sigabbrev_np(code), span);
	else if (how == GUTS_CIEND_TIMEOUT)
		ended(b, "failure", "took longer than %s", span);
	else if (how == GUTS_CIEND_MEMORY)
		ended(b, "failure", "had more than %llu MiB of memory", (unsigned long long)r->memory_mib);
	else if (how == GUTS_CIEND_UNSTARTED)
		ended(b, "error", "no process could be started");
}

static void
upload_artifacts(struct job *b, const struct guts_cli *c)
{
	const char *name, *why;

	for (size_t i = 0; (name = guts_args_nth(&c->args, "artifact", i)) != NULL && !b->w.is_lost; i++) {
		char *path = guts_asprintf("%s/%s", b->source, name);

		why = guts_ciwork_upload(&b->w, path);
		if (why != NULL)
			guts_ciwork_say(&b->w, "guts: artifact %s %s\n", name, why);
		free(path);
	}
}

static void
tell(const struct job *b, const char *state, const char *text)
{
	bool color = guts_term_colors(stderr), good = strcmp(state, "success") == 0;
	char *line = guts_asprintf("%s %s %.10s: %s%s%s", guts_jv_str_of(b->v, "repository.name"), guts_jv_str_of(b->v, "ref"),
	    guts_jv_str_of(b->v, "commit"), state, text[0] != '\0' ? ", " : "", text);
	char *clean = guts_term_clean(line, false);

	fprintf(stderr, "%s%s%s\n", guts_term_style(color, good ? GUTS_STYLE_GREEN : GUTS_STYLE_BOLD), clean,
	    guts_term_style(color, GUTS_STYLE_PLAIN));
	free(clean);
	free(line);
}

static void
work(struct runner *r, struct job *b)
{
	if (!make_folder(b, r)) {
		ended(b, "error", "no folder can be made in %s", r->folder);
		return;
	}
	guts_ciwork_step(&b->w, "checkout");
	if (b->w.is_lost || !check_out(b, r->cli))
		return;
	guts_ciwork_step(&b->w, "run");
	if (!b->w.is_lost)
		run_command(b, r);
	if (b->state != NULL)
		upload_artifacts(b, r->cli);
}

static void
do_job(struct runner *r, struct guts_doc *doc)
{
	struct job b = { .doc = doc, .v = guts_doc_root(doc), .w = { .cli = r->cli } };

	b.w.id = guts_strdup(guts_jv_str_of(b.v, "id"));
	b.w.lease = guts_strdup(guts_jv_str_of(b.v, "lease.id"));
	b.w.lease_ms = guts_jv_u64_of(b.v, "lease.seconds") * 1000;
	guts_ciwork_begin(&b.w);
	tell(&b, "running", "");
	work(r, &b);
	if (b.state != NULL && !guts_ciwork_finish(&b.w, b.state, b.why))
		b.state = NULL;
	if (b.state != NULL) {
		tell(&b, b.state, b.why);
	} else if (b.w.is_lost) {
		tell(&b, "lost", "it was canceled or given to another, or the node could not be reached for too long");
	} else {
		guts_ciwork_return(&b.w);
		tell(&b, "given back", "");
	}
	if (b.state != NULL && strcmp(b.state, "success") == 0)
		r->good++;
	else
		r->bad++;
	if (b.folder != NULL && !r->keep)
		remove_folder(b.folder);
	else if (b.folder != NULL)
		fprintf(stderr, "kept in %s\n", b.folder);
	clear_env(&b);
	free(b.folder);
	free(b.source);
	guts_ciwork_deinit(&b.w);
}

/* -- jobs, one after another -------------------------------------------------------------------------- */

/* The repositories' ids, for names that are short. */
static int
put_repos(struct guts_cli *c, struct guts_json *j)
{
	const char *name;
	int code = GUTS_EXIT_OK;

	if (guts_args_get(&c->args, "repo") == NULL)
		return code;
	guts_json_key(j, "repositories");
	guts_json_array(j);
	for (size_t i = 0; !code && (name = guts_args_nth(&c->args, "repo", i)) != NULL; i++) {
		struct guts_reply reply = { 0 };
		char *path;

		code = guts_ask_repo(c, name, &path);
		if (!code)
			code = guts_ask_call(c, &reply, "GET", path, NULL);
		guts_json_str(j, guts_jv_str_of(reply.root, "id"));
		guts_reply_deinit(&reply);
		free(path);
	}
	guts_json_array_end(j);
	return code;
}

static int
make_ask(struct runner *r)
{
	struct guts_cli *c = r->cli;
	const char *branch = guts_args_get(&c->args, "branch"), *name = guts_args_get(&c->args, "name");
	char host[65] = "";
	struct guts_json j;
	int code;

	guts_buf_init(&r->ask, 64 << 10);
	guts_json_init(&j, &r->ask);
	guts_json_object(&j);
	guts_json_put_u64(&j, "wait", WAIT_S);
	if (name == NULL && gethostname(host, sizeof(host) - 1) == 0)
		name = host;
	guts_json_put_str(&j, "runner", name);
	if (branch != NULL)
		guts_json_put_str(&j, "branch_filter", branch);
	guts_ask_put_list(c, &j, "event", "events");
	code = put_repos(c, &j);
	guts_json_object_end(&j);
	return code;
}

/* A runner waits for ever where nothing makes jobs: say so. */
static void
hint(struct runner *r)
{
	struct guts_doc *doc;

	if (guts_ciwork_call(r->cli, "GET", "/api/v1/ci/queues", NULL, guts_slice(NULL, 0), false, &doc) == 200 &&
	    guts_jv_count(guts_doc_root(doc)) == 0)
		guts_cli_fail(0, "there is no queue on this node yet, so there will be no jobs: `guts ci add REPO` makes one");
	guts_doc_free(doc);
}

/* Wait for a job and do it.  Returns an exit code if that can never work, else GUTS_EXIT_OK. */
static int
next_job(struct runner *r)
{
	struct guts_doc *doc;
	long status = guts_ciwork_call(r->cli, "POST", "/api/v1/ci/leases", NULL, guts_buf_slice(&r->ask), true, &doc);
	int code = GUTS_EXIT_OK;

	if (status == 200) {
		do_job(r, doc);
	} else if (status == 401 || status == 403) {
		code = guts_cli_fail(GUTS_EXIT_DENIED, "%s: a token with the scope ci is needed",
		    guts_jv_str_of(guts_doc_root(doc), "message"));
	} else if (status >= 400 && status < 500 && status != 429) {
		code = guts_cli_fail(status == 404 ? GUTS_EXIT_NOTFOUND : GUTS_EXIT_FAILED, "%s",
		    guts_jv_str_of(guts_doc_root(doc), "message"));
	} else if (status != 204 && !guts_ciwork_is_stopped()) {
		if (!r->was_away)
			guts_cli_fail(0, "%s does not answer; trying again", r->cli->base);
		poll(NULL, 0, AGAIN_MS);
	}
	r->was_away = status == 0;
	guts_doc_free(doc);
	return code;
}

int
guts_cmd_ci_run(struct guts_cli *c)
{
	const char *folder = guts_args_get(&c->args, "dir"), *tmp = getenv("TMPDIR");
	const char *in = folder != NULL ? folder : tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp";
	struct runner r = { .cli = c, .timeout_s = TIMEOUT_S, .once = guts_args_get(&c->args, "once") != NULL,
		.keep = guts_args_get(&c->args, "keep") != NULL };
	struct guts_errinfo ei = { 0 };
	int code;

	if (guts_args_number(&c->args, "timeout", 1, 604800, &r.timeout_s, &ei) ||
	    guts_args_number(&c->args, "memory", 16, 1 << 24, &r.memory_mib, &ei))
		return guts_cli_usage(c, "%s", ei.text);
	if ((r.folder = realpath(in, NULL)) == NULL)
		return guts_cli_fail(GUTS_EXIT_USAGE, "there is no folder %s", in);
	code = guts_ask_open(c);
	if (!code)
		code = make_ask(&r);
	if (!code) {
		guts_ciwork_signals();
		guts_citree_adopt();
		hint(&r);
	}
	while (!code && !guts_ciwork_is_stopped() && !(r.once && r.good + r.bad > 0))
		code = next_job(&r);
	guts_buf_deinit(&r.ask);
	free(r.folder);
	return !code && r.once && r.good == 0 && !guts_ciwork_is_stopped() ? GUTS_EXIT_FAILED : code;
}
