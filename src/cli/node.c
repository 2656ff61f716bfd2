/* cli/node.c - commands about the node itself: status, dashboard, stop, tokens. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void
lines_of(const char *name, struct guts_jv list)
{
	for (size_t i = 0; i < guts_jv_count(list); i++)
		guts_term_line(i == 0 ? name : "", guts_jv_str(guts_jv_at(list, i), ""));
	if (guts_jv_count(list) == 0)
		guts_term_line(name, "none");
}

/* The whole, then what is not well. */
static void
print_health(struct guts_jv health)
{
	struct guts_jv list = guts_jv_get(health, "subsystems");
	char text[320], age[40];

	guts_term_line("health", guts_jv_str_of(health, "state"));
	for (size_t i = 0; i < guts_jv_count(list); i++) {
		struct guts_jv v = guts_jv_at(list, i);
		const char *state = guts_jv_str_of(v, "state");

		if (strcmp(state, "degraded") != 0 && strcmp(state, "failing") != 0)
			continue;
		guts_fmt_age(age, guts_jv_str_of(v, "since"), guts_ask_now());
		snprintf(text, sizeof(text), "%s is %s since %s: %s", guts_jv_str_of(v, "name"), state, age, guts_jv_str_of(v, "reason"));
		guts_term_line("", text);
	}
}

static void
print_status(struct guts_jv s)
{
	struct guts_jv n = guts_jv_get(s, "counts");
	char in[16], out[16], rate_in[16], rate_out[16], age[40], text[256];

	guts_term_line("peer id", guts_jv_str_of(s, "id"));
	guts_term_line("state", guts_jv_bool_of(s, "stopping") ? "stopping" : guts_jv_bool_of(s, "ready") ? "ready" : "starting");
	print_health(guts_jv_get(s, "health"));
	guts_fmt_age(age, guts_jv_str_of(s, "started_at"), guts_ask_now());
	snprintf(text, sizeof(text), "%s, started %s", guts_jv_str_of(s, "agent"), age);
	guts_term_line("version", text);
	guts_term_line("network", guts_jv_str_of(s, "network"));
	lines_of("listening", guts_jv_get(s, "listen"));
	guts_term_line("port mapping", guts_jv_str_of(s, "reachability"));
	lines_of("gateway", guts_jv_get(s, "http"));
	if (guts_jv_count(guts_jv_get(s, "restart_required")))
		lines_of("restart for", guts_jv_get(s, "restart_required"));
	snprintf(text, sizeof(text), "%llu (%llu in, %llu out), %llu known, %llu banned",
	    (unsigned long long)guts_jv_u64_of(n, "peers"), (unsigned long long)guts_jv_u64_of(n, "inbound"),
	    (unsigned long long)guts_jv_u64_of(n, "outbound"), (unsigned long long)guts_jv_u64_of(n, "known_peers"),
	    (unsigned long long)guts_jv_u64_of(n, "bans"));
	guts_term_line("peers", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)guts_jv_u64_of(n, "repositories"));
	guts_term_line("repositories", text);
	guts_fmt_bytes(in, guts_jv_u64_of(s, "bytes_in"));
	guts_fmt_bytes(out, guts_jv_u64_of(s, "bytes_out"));
	guts_fmt_bytes(rate_in, guts_jv_u64_of(s, "rate_in"));
	guts_fmt_bytes(rate_out, guts_jv_u64_of(s, "rate_out"));
	snprintf(text, sizeof(text), "%s in (%s/s), %s out (%s/s)", in, rate_in, out, rate_out);
	guts_term_line("traffic", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)guts_jv_u64_of(s, "events.newest"));
	guts_term_line("last event", text);
}

int
guts_cmd_status(struct guts_cli *c)
{
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/status", NULL);

	if (!code && !guts_ask_json(c, &r))
		print_status(r.root);
	guts_reply_deinit(&r);
	return code;
}

int
guts_cmd_dashboard(struct guts_cli *c)
{
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "POST", "/api/v1/session/code", NULL);

	if (!code && !guts_ask_json(c, &r))
		puts(guts_jv_str_of(r.root, "url"));
	guts_reply_deinit(&r);
	return code;
}

int
guts_cmd_stop(struct guts_cli *c)
{
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "POST", "/api/v1/shutdown", NULL);

	if (!code && !c->json)
		puts("the node is stopping");
	guts_reply_deinit(&r);
	return code;
}

static void
token_row(void *owner, struct guts_jv v)
{
	struct guts_rows *t = owner;
	char scopes[64], age[40], repos[32];
	const char *expires = guts_jv_str(guts_jv_get(v, "expires_at"), NULL);

	guts_ask_join(scopes, sizeof(scopes), guts_jv_get(v, "scopes"));
	guts_rows_add(t, guts_jv_str_of(v, "id"));
	guts_rows_add(t, guts_jv_str_of(v, "name"));
	guts_rows_add(t, scopes);
	snprintf(repos, sizeof(repos), "%zu", guts_jv_count(guts_jv_get(v, "repos")));
	guts_rows_add(t, guts_jv_count(guts_jv_get(v, "repos")) ? repos : "all");
	guts_fmt_age(age, guts_jv_str_of(v, "created_at"), guts_ask_now());
	guts_rows_add(t, age);
	guts_fmt_age(age, expires, guts_ask_now());
	guts_rows_add(t, age);
}

int
guts_cmd_token_list(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "ID", false, false }, { "NAME", false, true },
		{ "SCOPES", false, false }, { "REPOSITORIES", true, false }, { "MADE", false, false },
		{ "EXPIRES", false, false } };
	struct guts_rows t;
	int code;

	guts_rows_init(&t, columns, 6);
	code = guts_ask_list(c, "/api/v1/tokens", token_row, &t);
	guts_rows_end(&t, code || c->json ? NULL : stdout, "there are no tokens");
	return code;
}

/* The repositories of --repo as ids. */
static int
put_repos(struct guts_cli *c, struct guts_json *j)
{
	struct guts_reply r;
	const char *name;
	char *path;
	int code;

	guts_json_key(j, "repos");
	guts_json_array(j);
	for (size_t i = 0; (name = guts_args_nth(&c->args, "repo", i)) != NULL; i++) {
		code = guts_ask_repo(c, name, &path);
		if (code)
			return code;
		code = guts_ask_call(c, &r, "GET", path, NULL);
		free(path);
		if (!code)
			guts_json_str(j, guts_jv_str_of(r.root, "id"));
		guts_reply_deinit(&r);
		if (code)
			return code;
	}
	guts_json_array_end(j);
	return GUTS_EXIT_OK;
}

int
guts_cmd_token_create(struct guts_cli *c)
{
	struct guts_errinfo ei = { 0 };
	struct guts_reply r = { 0 };
	struct guts_buf b;
	struct guts_json j;
	uint64_t expires = 0;
	const char *scope;
	int code = GUTS_EXIT_OK;

	if (guts_args_number(&c->args, "expires", 1, UINT64_C(3153600000), &expires, &ei))
		return guts_cli_usage(c, "%s", ei.text);
	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_put_str(&j, "name", c->args.pos[0]);
	guts_json_key(&j, "scopes");
	guts_json_array(&j);
	if (guts_args_get(&c->args, "scope") == NULL)
		guts_json_str(&j, "read");
	for (size_t i = 0; (scope = guts_args_nth(&c->args, "scope", i)) != NULL; i++)
		guts_json_str(&j, scope);
	guts_json_array_end(&j);
	if (guts_args_get(&c->args, "repo") != NULL)
		code = put_repos(c, &j);
	if (expires)
		guts_json_put_u64(&j, "expires_in", expires);
	guts_json_object_end(&j);
	if (!code)
		code = guts_ask_call(c, &r, "POST", "/api/v1/tokens", &b);
	if (!code && !guts_ask_json(c, &r))
		puts(guts_jv_str_of(r.root, "token"));
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	return code;
}

int
guts_cmd_token_revoke(struct guts_cli *c)
{
	char *path = guts_ask_path("/api/v1/tokens/{}", c->args.pos[0]);
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "DELETE", path, NULL);

	free(path);
	guts_reply_deinit(&r);
	return code;
}
