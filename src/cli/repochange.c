/* cli/repochange.c - changing repositories: create, update, policy, delete, trust. */
#include "cli/ask.h"
#include "cli/commands.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
guts_cmd_repo_create(struct guts_cli *c)
{
	struct guts_reply r;
	struct guts_buf b;
	struct guts_json j;
	int code;

	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_put_str(&j, "name", c->args.pos[0]);
	guts_ask_put(c, &j, "description", "description");
	guts_ask_put(c, &j, "branch", "default_branch");
	guts_ask_put(c, &j, "format", "object_format");
	if (guts_args_get(&c->args, "private") != NULL)
		guts_json_put_bool(&j, "private", true);
	guts_json_object_end(&j);
	code = guts_ask_call(c, &r, "POST", "/api/v1/repos", &b);
	if (!code && !guts_ask_json(c, &r))
		printf("made   %s\nclone  %s\npush   git push %s HEAD:%s\n", guts_jv_str_of(r.root, "guts_url"),
		    guts_jv_str_of(r.root, "clone_url"), guts_jv_str_of(r.root, "clone_url"),
		    guts_jv_str_of(r.root, "default_branch"));
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	return code;
}

/* yes or no into *out.  Returns an exit code. */
static int
yes_or_no(struct guts_cli *c, const char *option, struct guts_json *j, const char *member)
{
	const char *value = guts_args_get(&c->args, option);

	if (value == NULL)
		return GUTS_EXIT_OK;
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return guts_cli_usage(c, "--%s: yes or no", option);
	guts_json_put_bool(j, member, value[0] == 'y');
	return GUTS_EXIT_OK;
}

/* A list of peers from an option that may be given several times, or its opposite `no` for an empty one. */
static int
put_peers(struct guts_cli *c, struct guts_json *j, const char *option, const char *no, const char *member)
{
	const char *name;
	char *id;
	int code = GUTS_EXIT_OK;

	if (guts_args_get(&c->args, option) == NULL && guts_args_get(&c->args, no) == NULL)
		return GUTS_EXIT_OK;
	if (guts_args_get(&c->args, option) != NULL && guts_args_get(&c->args, no) != NULL)
		return guts_cli_usage(c, "--%s and --%s exclude each other", option, no);
	guts_json_key(j, member);
	guts_json_array(j);
	for (size_t i = 0; !code && (name = guts_args_nth(&c->args, option, i)) != NULL; i++) {
		code = guts_ask_peer(c, name, &id);
		if (!code)
			guts_json_str(j, id);
		free(id);
	}
	guts_json_array_end(j);
	return code;
}

/* A list of texts, or none. */
static int
put_texts(struct guts_cli *c, struct guts_json *j, const char *option, const char *no, const char *member)
{
	if (guts_args_get(&c->args, option) == NULL && guts_args_get(&c->args, no) == NULL)
		return GUTS_EXIT_OK;
	if (guts_args_get(&c->args, option) != NULL && guts_args_get(&c->args, no) != NULL)
		return guts_cli_usage(c, "--%s and --%s exclude each other", option, no);
	if (guts_args_get(&c->args, no) != NULL) {
		guts_json_key(j, member);
		guts_json_array(j);
		guts_json_array_end(j);
	}
	guts_ask_put_list(c, j, option, member);
	return GUTS_EXIT_OK;
}

int
guts_cmd_repo_update(struct guts_cli *c)
{
	struct guts_reply r = { 0 };
	struct guts_buf b;
	struct guts_json j;
	char *path = NULL;
	int code;

	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_ask_put(c, &j, "name", "name");
	guts_ask_put(c, &j, "description", "description");
	guts_ask_put(c, &j, "branch", "default_branch");
	code = yes_or_no(c, "private", &j, "private");
	if (!code)
		code = yes_or_no(c, "archive", &j, "archived");
	if (!code)
		code = put_peers(c, &j, "signer", "no-signers", "signers");
	if (!code)
		code = put_peers(c, &j, "reader", "no-readers", "readers");
	if (!code)
		code = put_texts(c, &j, "require", "no-required", "required_contexts");
	if (!code)
		code = put_texts(c, &j, "gate", "no-gates", "gated_branches");
	guts_json_object_end(&j);
	if (!code && b.len <= 2)
		code = guts_cli_usage(c, "nothing to change was given");
	if (!code)
		code = guts_ask_repo(c, c->args.pos[0], &path);
	if (!code)
		code = guts_ask_call(c, &r, "PATCH", path, &b);
	if (!code && !guts_ask_json(c, &r))
		printf("version %llu of %s\n", (unsigned long long)guts_jv_u64_of(r.root, "identity_version"),
		    guts_jv_str_of(r.root, "full_name"));
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	free(path);
	return code;
}

static int
set_policy(struct guts_cli *c, const char *path, const char *policy)
{
	char *full = guts_asprintf("%s/policy", path);
	struct guts_reply r;
	struct guts_buf b;
	struct guts_json j;
	int code;

	guts_buf_init(&b, 1024);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_put_str(&j, "policy", policy);
	guts_json_object_end(&j);
	code = guts_ask_call(c, &r, "PUT", full, &b);
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	free(full);
	return code;
}

int
guts_cmd_repo_policy(struct guts_cli *c)
{
	struct guts_reply r = { 0 };
	char *path;
	int code = guts_ask_repo(c, c->args.pos[0], &path);

	if (code)
		return code;
	if (c->args.npos == 2) {
		code = set_policy(c, path, c->args.pos[1]);
	} else {
		code = guts_ask_call(c, &r, "GET", path, NULL);
		if (!code)
			printf(c->json ? "{\"policy\":\"%s\"}\n" : "%s\n", guts_jv_str_of(r.root, "policy"));
		guts_reply_deinit(&r);
	}
	free(path);
	return code;
}

/* Ask at a terminal; without one only --yes will do. */
static int
confirm(struct guts_cli *c, struct guts_jv repo)
{
	char answer[16] = "";

	if (guts_args_get(&c->args, "yes") != NULL)
		return GUTS_EXIT_OK;
	if (!isatty(STDIN_FILENO))
		return guts_cli_usage(c, "this removes data: give --yes");
	fprintf(stderr, "remove %s from this node and block it? [y/N] ", guts_jv_str_of(repo, "full_name"));
	if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
		return guts_cli_fail(GUTS_EXIT_FAILED, "nothing was removed");
	return GUTS_EXIT_OK;
}

int
guts_cmd_repo_delete(struct guts_cli *c)
{
	struct guts_reply one = { 0 }, r = { 0 };
	char *path;
	int code = guts_ask_repo(c, c->args.pos[0], &path);

	if (code)
		return code;
	code = guts_ask_call(c, &one, "GET", path, NULL);
	if (!code)
		code = confirm(c, one.root);
	if (!code)
		code = guts_ask_call(c, &r, "DELETE", path, NULL);
	if (!code && !c->json)
		printf("removed and blocked; `guts repo policy %s default` lets it come back\n", guts_jv_str_of(one.root, "id"));
	guts_reply_deinit(&one);
	guts_reply_deinit(&r);
	free(path);
	return code;
}

int
guts_cmd_repo_trust(struct guts_cli *c)
{
	struct guts_reply r;
	char *path, *id, *tail, *full;
	bool remove = guts_args_get(&c->args, "remove") != NULL;
	int code = guts_ask_repo(c, c->args.pos[0], &path);

	if (code)
		return code;
	code = guts_ask_peer(c, c->args.pos[1], &id);
	if (!code) {
		tail = guts_ask_path("/trust/{}", id);
		full = guts_asprintf("%s%s", path, tail);
		code = guts_ask_call(c, &r, remove ? "DELETE" : "PUT", full, NULL);
		if (!code && !c->json)
			puts(remove ? "no longer trusted on this node" : "its statuses count on this node");
		guts_reply_deinit(&r);
		free(full);
		free(tail);
	}
	free(id);
	free(path);
	return code;
}
