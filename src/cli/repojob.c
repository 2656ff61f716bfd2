/* cli/repojob.c - what takes longer: import (a job of the node) and sync, both with progress.
 *
 * The event stream is opened first and the work begun when it stands, so that nothing is
 * missed; the end is told by a fact (job.done) or by the last progress signal.
 */
#include "cli/watch.h"

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/term.h"

#include <stdlib.h>
#include <string.h>

struct work {
	struct guts_cli *cli;
	struct guts_progress progress;
	const char *what;
	const struct guts_buf *body; /* of the import */
	char *path;                  /* of the repository */
	uint64_t job;
	char *repo;                  /* id */
	bool begun, done;
	int code;
};

static void
show(struct work *w, struct guts_jv data)
{
	char bytes[16], detail[96];

	guts_fmt_bytes(bytes, guts_jv_u64_of(data, "bytes"));
	snprintf(detail, sizeof(detail), "%s  %s, %llu objects", guts_jv_str_of(data, "phase"), bytes,
	    (unsigned long long)guts_jv_u64_of(data, "objects"));
	guts_progress_show(&w->progress, w->what, guts_jv_u64_of(data, "objects"), guts_jv_u64_of(data, "objects_total"), detail);
}

/* The job's state from the node: the one truth, whatever events were seen. */
static bool
job_ended(struct work *w)
{
	char *path = guts_asprintf("/api/v1/jobs/%llu", (unsigned long long)w->job);
	struct guts_reply r;
	const char *state;

	w->code = guts_ask_call(w->cli, &r, "GET", path, NULL);
	free(path);
	state = guts_jv_str_of(r.root, "state");
	if (!w->code && strcmp(state, "running") != 0) {
		w->done = true;
		guts_progress_end(&w->progress);
		if (strcmp(state, "done") != 0)
			w->code = guts_cli_fail(GUTS_EXIT_FAILED, "import failed: %s", guts_jv_str_of(r.root, "error"));
		else
			w->repo = guts_strdup(guts_jv_str_of(r.root, "repo"));
	}
	guts_reply_deinit(&r);
	return w->done || w->code;
}

static bool
import_begun(void *owner)
{
	struct work *w = owner;
	struct guts_reply r;

	if (!w->begun) {
		w->begun = true;
		w->code = guts_ask_call(w->cli, &r, "POST", "/api/v1/repos/import", w->body);
		w->job = guts_jv_u64_of(r.root, "id");
		guts_reply_deinit(&r);
		if (w->code)
			return false;
	}
	return !job_ended(w);
}

static bool
import_event(void *owner, const char *type, struct guts_jv v, struct guts_slice text)
{
	struct work *w = owner;
	struct guts_jv data = guts_jv_get(v, "data");

	(void)text;
	if (guts_jv_u64_of(data, "job") != w->job)
		return true;
	if (strcmp(type, "job.progress") == 0) {
		show(w, data);
		return true;
	}
	return !job_ended(w);
}

static int
print_imported(struct guts_cli *c, const char *id)
{
	char *path = guts_ask_path("/api/v1/repos/{}", id);
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "GET", path, NULL);

	if (!code && !guts_ask_json(c, &r)) {
		printf("made   %s\nhas    %llu branches, %llu tags\nclone  %s\n", guts_jv_str_of(r.root, "guts_url"),
		    (unsigned long long)guts_jv_u64_of(r.root, "branches"), (unsigned long long)guts_jv_u64_of(r.root, "tags"),
		    guts_jv_str_of(r.root, "clone_url"));
	}
	guts_reply_deinit(&r);
	free(path);
	return code;
}

static bool
is_url(const char *where)
{
	return strstr(where, "://") != NULL;
}

static void
import_body(struct guts_cli *c, struct guts_json *j, const char *path)
{
	static const char *const names[][2] = { { "name", "name" }, { "description", "description" },
		{ "branch", "default_branch" } };

	guts_json_object(j);
	guts_json_put_str(j, is_url(path) ? "url" : "path", path);
	for (size_t i = 0; i < 3; i++)
		if (guts_args_get(&c->args, names[i][0]) != NULL)
			guts_json_put_str(j, names[i][1], guts_args_get(&c->args, names[i][0]));
	if (guts_args_get(&c->args, "private") != NULL)
		guts_json_put_bool(j, "private", true);
	guts_json_object_end(j);
}

int
guts_cmd_repo_import(struct guts_cli *c)
{
	struct work w = { .cli = c, .what = "importing" };
	struct guts_watch watch = { .cli = c, .query = "type=job.*", .quiet = true, .give_up_ms = 10000,
		.begun = import_begun, .event = import_event, .owner = &w };
	struct guts_buf b;
	struct guts_json j;
	bool interrupted;
	const char *where = c->args.pos[0];
	char *path = is_url(where) ? guts_strdup(where) : realpath(where, NULL);
	int code;

	if (path == NULL)
		return guts_cli_fail(GUTS_EXIT_NOTFOUND, "there is no folder %s", where);
	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	import_body(c, &j, path);
	w.body = &b;
	guts_progress_init(&w.progress);
	code = guts_watch(&watch, &interrupted);
	guts_progress_end(&w.progress);
	if (interrupted && w.job)
		code = guts_cli_fail(GUTS_EXIT_FAILED, "no longer watching; the node goes on with job %llu",
		    (unsigned long long)w.job);
	else if (w.code)
		code = w.code;
	else if (w.repo != NULL)
		code = print_imported(c, w.repo);
	guts_buf_deinit(&b);
	free(w.repo);
	free(path);
	return code;
}

static bool
sync_begun(void *owner)
{
	struct work *w = owner;
	char *path = guts_asprintf("%s/sync", w->path);
	struct guts_reply r;

	if (!w->begun)
		w->code = guts_ask_call(w->cli, &r, "POST", path, NULL);
	else
		r = (struct guts_reply){ 0 };
	w->begun = true;
	guts_reply_deinit(&r);
	free(path);
	if (w->code)
		return false;
	/* With every seeder at the same state nothing will happen. */
	path = guts_asprintf("%s/seeders", w->path);
	w->code = guts_ask_call(w->cli, &r, "GET", path, NULL);
	w->done = true;
	for (size_t i = 0; i < guts_jv_count(r.root); i++)
		w->done = w->done && guts_jv_bool_of(guts_jv_at(r.root, i), "current");
	guts_reply_deinit(&r);
	free(path);
	return !w->done && !w->code;
}

static bool
sync_event(void *owner, const char *type, struct guts_jv v, struct guts_slice text)
{
	struct work *w = owner;
	struct guts_jv data = guts_jv_get(v, "data");
	const char *phase = guts_jv_str_of(data, "phase");

	(void)text;
	if (strcmp(type, "repo.sync.failed") == 0) {
		guts_progress_end(&w->progress);
		w->code = guts_cli_fail(GUTS_EXIT_FAILED, "sync failed: %s", guts_jv_str_of(data, "reason"));
		return false;
	}
	show(w, data);
	w->done = strcmp(phase, "done") == 0;
	return !w->done;
}

int
guts_cmd_repo_sync(struct guts_cli *c)
{
	struct work w = { .cli = c, .what = "syncing" };
	struct guts_watch watch = { .cli = c, .quiet = true, .give_up_ms = 10000, .begun = sync_begun,
		.event = sync_event, .owner = &w };
	struct guts_reply r;
	bool interrupted;
	char *query;
	int code = guts_ask_repo(c, c->args.pos[0], &w.path);

	if (code)
		return code;
	if (guts_args_get(&c->args, "wait") == NULL) {
		w.begun = false;
		query = guts_asprintf("%s/sync", w.path);
		code = guts_ask_call(c, &r, "POST", query, NULL);
		guts_reply_deinit(&r);
		free(query);
	} else {
		code = guts_ask_call(c, &r, "GET", w.path, NULL);
		query = guts_ask_path("type=repo.sync.progress,repo.sync.failed&repo={}", guts_jv_str_of(r.root, "id"));
		guts_reply_deinit(&r);
		guts_progress_init(&w.progress);
		watch.query = query;
		if (!code)
			code = guts_watch(&watch, &interrupted);
		guts_progress_end(&w.progress);
		free(query);
		code = w.code ? w.code : code;
		if (!code && w.done && !c->json)
			puts("up to date with all connected seeders");
		else if (!code && !w.done)
			code = guts_cli_fail(GUTS_EXIT_FAILED, "no longer watching");
	}
	free(w.path);
	return code;
}
