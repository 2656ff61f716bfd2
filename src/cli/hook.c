/* cli/hook.c - webhooks: made, listed, pinged, their deliveries.
 *
 * Ids are the node's, so a hook is named by its number alone, whatever repository it belongs to.  A secret
 * is read from a file, never from the command line, where others on the machine could see it.
 */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MAX 1024 /* [bytes] */

/* The first line of the file that an option names ("-" = standard input), as a member.  Returns an exit code. */
static int
put_secret(struct guts_cli *c, struct guts_json *j, const char *option, const char *member)
{
	const char *path = guts_args_get(&c->args, option);
	char line[SECRET_MAX + 2] = "";
	FILE *f;

	if (path == NULL)
		return GUTS_EXIT_OK;
	f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (f == NULL)
		return guts_cli_fail(GUTS_EXIT_USAGE, "--%s: %s cannot be read", option, path);
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	if (f != stdin)
		fclose(f);
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0')
		return guts_cli_fail(GUTS_EXIT_USAGE, "--%s: the first line of %s is empty", option, path);
	guts_json_put_str(j, member, line);
	explicit_bzero(line, sizeof(line));
	return GUTS_EXIT_OK;
}

static int
put_config(struct guts_cli *c, struct guts_json *j)
{
	int code;

	guts_json_key(j, "config");
	guts_json_object(j);
	guts_json_put_str(j, "url", c->args.pos[0]);
	if (guts_args_get(&c->args, "insecure") != NULL)
		guts_json_put_str(j, "insecure_ssl", "1");
	code = put_secret(c, j, "secret-file", "secret");
	guts_json_object_end(j);
	return code;
}

static int
put_fields(struct guts_cli *c, struct guts_json *j)
{
	int code;

	guts_json_object(j);
	guts_ask_put(c, j, "format", "type");
	guts_ask_put(c, j, "branch", "branch_filter");
	if (guts_args_get(&c->args, "all-authors") != NULL)
		guts_json_put_bool(j, "all_authors", true);
	guts_ask_put_list(c, j, "event", "events");
	code = put_config(c, j);
	if (!code)
		code = put_secret(c, j, "authorization-file", "authorization_header");
	guts_json_object_end(j);
	return code;
}

/* Where hooks of the repository that --repo names are, or the node's.  Owner of *path: caller. */
static int
hooks_path(struct guts_cli *c, char **path)
{
	const char *repo = guts_args_get(&c->args, "repo");
	char *base;
	int code;

	*path = NULL;
	if (repo == NULL) {
		*path = guts_strdup("/api/v1/hooks");
		return GUTS_EXIT_OK;
	}
	code = guts_ask_repo(c, repo, &base);
	if (!code)
		*path = guts_asprintf("%s/hooks", base);
	free(base);
	return code;
}

int
guts_cmd_hook_add(struct guts_cli *c)
{
	struct guts_reply r = { 0 };
	struct guts_buf b;
	struct guts_json j;
	char *path = NULL;
	int code;

	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	code = put_fields(c, &j);
	if (!code)
		code = hooks_path(c, &path);
	if (!code)
		code = guts_ask_call(c, &r, "POST", path, &b);
	if (!code && !guts_ask_json(c, &r))
		printf("made %llu\ntry  guts hook ping %llu\n", (unsigned long long)guts_jv_u64_of(r.root, "id"),
		    (unsigned long long)guts_jv_u64_of(r.root, "id"));
	guts_reply_deinit(&r);
	guts_buf_wipe(&b);
	free(path);
	return code;
}

/* -- lists -------------------------------------------------------------------------------- */

static void
hook_row(void *owner, struct guts_jv v)
{
	struct guts_rows *t = owner;
	char events[128], repo[16];

	guts_ask_join(events, sizeof(events), guts_jv_get(v, "events"));
	guts_fmt_id(repo, guts_jv_str_of(v, "repo"));
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "id"));
	guts_rows_add(t, repo[0] ? repo : "node");
	guts_rows_add(t, guts_jv_bool_of(v, "active") ? guts_jv_str_of(v, "last_response.status") : "off");
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "waiting"));
	guts_rows_add(t, events);
	guts_rows_add(t, guts_jv_str_of(v, "config.url"));
}

int
guts_cmd_hook_list(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "HOOK", true, false }, { "REPOSITORY", false, false },
		{ "STATE", false, false }, { "WAITING", true, false }, { "EVENTS", false, false }, { "URL", false, true } };
	struct guts_rows t;
	char *path;
	int code = hooks_path(c, &path);

	if (code)
		return code;
	guts_rows_init(&t, columns, 6);
	code = guts_ask_list(c, path, hook_row, &t);
	guts_rows_end(&t, code || c->json ? NULL : stdout, "no webhooks; `guts hook add URL` makes one");
	free(path);
	return code;
}

static void
delivery_row(void *owner, struct guts_jv v)
{
	struct guts_rows *t = owner;
	char age[40];

	guts_fmt_age(age, guts_jv_str_of(v, "created_at"), guts_ask_now());
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "id"));
	guts_rows_add(t, guts_jv_str_of(v, "event"));
	guts_rows_add(t, guts_jv_str_of(v, "state"));
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "attempts"));
	guts_rows_add(t, age);
	guts_rows_add(t, guts_jv_str_of(v, "status"));
}

int
guts_cmd_hook_deliveries(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "DELIVERY", true, false }, { "EVENT", false, false },
		{ "STATE", false, false }, { "ATTEMPTS", true, false }, { "AGE", false, false }, { "RESULT", false, true } };
	char *path = guts_ask_path("/api/v1/hooks/{}/deliveries?per_page=100", c->args.pos[0]);
	struct guts_rows t;
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "GET", path, NULL);

	if (!code && !guts_ask_json(c, &r)) {
		guts_rows_init(&t, columns, 6);
		for (size_t i = 0; i < guts_jv_count(r.root); i++)
			delivery_row(&t, guts_jv_at(r.root, i));
		guts_rows_end(&t, stdout, "nothing was delivered yet");
	}
	guts_reply_deinit(&r);
	free(path);
	return code;
}

/* -- one hook -------------------------------------------------------------------------------- */

static void
show_line(const char *name, const char *value)
{
	char *clean = guts_term_clean(value, false);

	printf("%-10s %s\n", name, clean);
	free(clean);
}

int
guts_cmd_hook_show(struct guts_cli *c)
{
	char *path = guts_ask_path("/api/v1/hooks/{}", c->args.pos[0]), events[256];
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "GET", path, NULL);

	if (!code && !guts_ask_json(c, &r)) {
		guts_ask_join(events, sizeof(events), guts_jv_get(r.root, "events"));
		show_line("url", guts_jv_str_of(r.root, "config.url"));
		show_line("repository", guts_jv_str(guts_jv_get(r.root, "repo"), "all: node-wide"));
		show_line("events", events);
		show_line("branches", guts_jv_str_of(r.root, "branch_filter"));
		show_line("format", guts_jv_str_of(r.root, "type"));
		show_line("signed", guts_jv_str_of(r.root, "config.secret")[0] ? "yes" : "no");
		show_line("active", guts_jv_bool_of(r.root, "active") ? "yes" : "no");
		show_line("last", guts_jv_str(guts_jv_get(r.root, "last_response.message"),
		    guts_jv_str_of(r.root, "last_response.status")));
		printf("%-10s %llu\n", "waiting", (unsigned long long)guts_jv_u64_of(r.root, "waiting"));
	}
	guts_reply_deinit(&r);
	free(path);
	return code;
}

/* One request without a body of its own; says `done` when it went well. */
static int
act(struct guts_cli *c, const char *method, char *path, const char *done)
{
	struct guts_reply r;
	int code = guts_ask_call(c, &r, method, path, NULL);

	if (!code && c->json && r.body.n > 0)
		guts_ask_json(c, &r);
	else if (!code && !c->json)
		puts(done);
	guts_reply_deinit(&r);
	free(path);
	return code;
}

int
guts_cmd_hook_remove(struct guts_cli *c)
{
	return act(c, "DELETE", guts_ask_path("/api/v1/hooks/{}", c->args.pos[0]), "removed, with its deliveries");
}

int
guts_cmd_hook_ping(struct guts_cli *c)
{
	return act(c, "POST", guts_ask_path("/api/v1/hooks/{}/pings", c->args.pos[0]),
	    "sent; `guts hook deliveries` shows how it went");
}

int
guts_cmd_hook_redeliver(struct guts_cli *c)
{
	return act(c, "POST", guts_ask_path("/api/v1/hooks/{}/deliveries/{}/attempts", c->args.pos[0], c->args.pos[1]),
	    "queued again, under the same id");
}
