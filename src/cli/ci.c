/* cli/ci.c - queues of CI jobs, the jobs, and who waits for them. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
guts_cmd_ci_add(struct guts_cli *c)
{
	struct guts_reply r = { 0 };
	struct guts_buf b;
	struct guts_json j;
	char *repo, *path = NULL;
	int code = guts_ask_repo(c, c->args.pos[0], &repo);

	guts_buf_init(&b, 16 << 10);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_ask_put(c, &j, "branch", "branch_filter");
	guts_ask_put(c, &j, "context", "context");
	guts_ask_put_list(c, &j, "event", "events");
	guts_json_object_end(&j);
	if (!code) {
		path = guts_asprintf("%s/ci/queues", repo);
		code = guts_ask_call(c, &r, "POST", path, &b);
	}
	if (!code && !guts_ask_json(c, &r))
		printf("made queue %llu: each push from now on makes a job\ntry  guts ci run -- COMMAND\n",
		    (unsigned long long)guts_jv_u64_of(r.root, "id"));
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	free(path);
	free(repo);
	return code;
}

static void
queue_row(void *owner, struct guts_jv v)
{
	struct guts_rows *t = owner;
	char events[64];

	guts_ask_join(events, sizeof(events), guts_jv_get(v, "events"));
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "id"));
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "waiting"));
	guts_rows_add(t, events);
	guts_rows_add(t, guts_jv_str_of(v, "branch_filter"));
	guts_rows_add(t, guts_jv_str_of(v, "context"));
	guts_rows_add(t, guts_jv_str(guts_jv_get(v, "full_name"), guts_jv_str_of(v, "repo")));
}

int
guts_cmd_ci_list(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "QUEUE", true, false }, { "WAITING", true, false },
		{ "EVENTS", false, false }, { "BRANCHES", false, false }, { "CONTEXT", false, false },
		{ "REPOSITORY", false, true } };
	struct guts_rows t;
	int code;

	guts_rows_init(&t, columns, 6);
	code = guts_ask_list(c, "/api/v1/ci/queues", queue_row, &t);
	guts_rows_end(&t, code || c->json ? NULL : stdout, "no queues; `guts ci add REPO` makes one");
	return code;
}

int
guts_cmd_ci_remove(struct guts_cli *c)
{
	char *path = guts_ask_path("/api/v1/ci/queues/{}", c->args.pos[0]);
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "DELETE", path, NULL);

	if (!code && !c->json)
		puts("removed; its jobs that waited ended with an error");
	guts_reply_deinit(&r);
	free(path);
	return code;
}

/* -- jobs --------------------------------------------------------------------------------- */

static void
job_row(struct guts_rows *t, struct guts_jv v)
{
	char age[40], commit[11];

	guts_fmt_age(age, guts_jv_str_of(v, "created_at"), guts_ask_now());
	snprintf(commit, sizeof(commit), "%s", guts_jv_str_of(v, "commit"));
	guts_rows_add(t, guts_jv_str_of(v, "id"));
	guts_rows_add(t, guts_jv_str_of(v, "state"));
	guts_rows_add(t, guts_jv_str_of(v, "repository.name"));
	guts_rows_add(t, guts_jv_str_of(v, "ref"));
	guts_rows_add(t, commit);
	guts_rows_add(t, guts_jv_str_of(v, "context"));
	guts_rows_add(t, age);
	guts_rows_add(t, guts_jv_str_of(v, "description"));
}

int
guts_cmd_ci_jobs(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "JOB", false, false }, { "STATE", false, false },
		{ "REPOSITORY", false, false }, { "REF", false, false }, { "COMMIT", false, false }, { "CONTEXT", false, false },
		{ "AGE", false, false }, { "RESULT", false, true } };
	const char *name = guts_args_get(&c->args, "repo"), *state = guts_args_get(&c->args, "state");
	char *repo = NULL, *query = state != NULL ? guts_ask_path("&state={}", state) : guts_strdup(""), *path;
	struct guts_reply r = { 0 };
	struct guts_rows t;
	int code = name != NULL ? guts_ask_repo(c, name, &repo) : GUTS_EXIT_OK;

	path = guts_asprintf("%s/ci/jobs?per_page=100%s", repo != NULL ? repo : "/api/v1", query);
	if (!code)
		code = guts_ask_call(c, &r, "GET", path, NULL);
	if (!code && !guts_ask_json(c, &r)) {
		guts_rows_init(&t, columns, 8);
		for (size_t i = 0; i < guts_jv_count(r.root); i++)
			job_row(&t, guts_jv_at(r.root, i));
		guts_rows_end(&t, stdout, "no jobs");
	}
	guts_reply_deinit(&r);
	free(path);
	free(query);
	free(repo);
	return code;
}

/* -- logs ------------------------------------------------------------------------------------- */

/* API path of the job whose id begins with `text`.  Owner of *path: caller. */
static int
find_job(struct guts_cli *c, const char *text, char **path)
{
	struct guts_reply r;
	size_t n = 0;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/ci/jobs?per_page=100", NULL);

	*path = NULL;
	for (size_t i = 0; !code && i < guts_jv_count(r.root); i++) {
		struct guts_jv v = guts_jv_at(r.root, i);
		const char *id = guts_jv_str_of(v, "id");

		if (strncmp(id, text, strlen(text)) != 0)
			continue;
		n++;
		free(*path);
		*path = guts_asprintf("/api/v1/repos/%s/ci/jobs/%s", guts_jv_str_of(v, "repository.id"), id);
	}
	guts_reply_deinit(&r);
	if (!code && n != 1) {
		free(*path);
		*path = NULL;
		code = guts_cli_fail(n ? GUTS_EXIT_USAGE : GUTS_EXIT_NOTFOUND, n ? "several jobs begin with %s" :
		    "no job of the newest 100 begins with %s", text);
	}
	return code;
}

/* POST to `what` of the job that the argument names. */
static int
act_on_job(struct guts_cli *c, struct guts_reply *r, const char *what)
{
	char *job, *path;
	int code = find_job(c, c->args.pos[0], &job);

	if (code)
		return code;
	path = guts_asprintf("%s/%s", job, what);
	code = guts_ask_call(c, r, "POST", path, NULL);
	free(path);
	free(job);
	return code;
}

int
guts_cmd_ci_cancel(struct guts_cli *c)
{
	struct guts_reply r = { 0 };
	int code = act_on_job(c, &r, "cancel");

	if (!code && !c->json)
		puts("canceled");
	guts_reply_deinit(&r);
	return code;
}

int
guts_cmd_ci_rerun(struct guts_cli *c)
{
	struct guts_reply r = { 0 };
	int code = act_on_job(c, &r, "rerun");

	if (!code && !guts_ask_json(c, &r))
		printf("job %s waits for a runner\n", guts_jv_str_of(r.root, "id"));
	guts_reply_deinit(&r);
	return code;
}

static void
runner_row(void *owner, struct guts_jv v)
{
	struct guts_rows *t = owner;
	size_t repos = guts_jv_count(guts_jv_get(v, "repositories"));
	char events[64];

	guts_ask_join(events, sizeof(events), guts_jv_get(v, "events"));
	guts_rows_add(t, guts_jv_str(guts_jv_get(v, "name"), "(no name)"));
	guts_rows_add(t, events);
	guts_rows_add(t, guts_jv_str_of(v, "branch_filter"));
	if (repos > 0)
		guts_rows_addf(t, "%zu", repos);
	else
		guts_rows_add(t, "all");
}

int
guts_cmd_ci_runners(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "RUNNER", false, false }, { "EVENTS", false, false },
		{ "BRANCHES", false, false }, { "REPOSITORIES", true, false } };
	struct guts_rows t;
	int code;

	guts_rows_init(&t, columns, 4);
	code = guts_ask_list(c, "/api/v1/ci/runners", runner_row, &t);
	guts_rows_end(&t, code || c->json ? NULL : stdout, "no runner waits; `guts ci run -- COMMAND` is one");
	return code;
}

int
guts_cmd_ci_log(struct guts_cli *c)
{
	bool follow = guts_args_get(&c->args, "follow") != NULL, more = true;
	uint64_t at = 0;
	const char *name = guts_args_get(&c->args, "repo");
	char *job, *repo = NULL, *tail;
	int code = name != NULL ? guts_ask_repo(c, name, &repo) : find_job(c, c->args.pos[0], &job);

	if (name != NULL && !code) { /* it may have run elsewhere: then the whole id is needed */
		tail = guts_ask_path("/ci/jobs/{}", c->args.pos[0]);
		job = guts_asprintf("%s%s", repo, tail);
		free(tail);
	} else if (name != NULL) {
		job = NULL;
	}
	free(repo);

	while (!code && more) {
		char *path = guts_asprintf("%s/files/log?offset=%llu&wait=%d", job, (unsigned long long)at, follow ? 50 : 0);
		struct guts_reply r;
		const char *state;
		char *text, *clean;

		code = guts_ask_try(c, &r, "GET", path, NULL);
		if (!code && r.status != 200)
			code = guts_ask_refused(c, &r);
		if (!code) {
			text = guts_asprintf("%.*s", (int)r.body.n, (const char *)r.body.p);
			clean = guts_term_clean(text, true);
			fputs(clean, stdout);
			fflush(stdout);
			state = guts_transfer_header(r.transfer, "X-Job-State");
			at += r.body.n;
			more = r.body.n > 0 || (follow && state != NULL && (strcmp(state, "running") == 0 || strcmp(state, "queued") == 0));
			free(clean);
			free(text);
		}
		guts_reply_deinit(&r);
		free(path);
	}
	free(job);
	return code;
}
