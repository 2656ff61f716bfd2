/* cli/repo.c - looking at repositories: list and show. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 20 /* branches, authors, seeders */

struct list {
	struct guts_rows table;
	bool whole; /* --long */
	int64_t now;
};

static void
repo_row(void *owner, struct guts_jv v)
{
	struct list *l = owner;
	const char *id = guts_jv_str_of(v, "id"), *creator = guts_jv_str_of(v, "owner.login");
	char size[16], age[40], short_id[16], state[64];

	guts_fmt_id(short_id, id);
	guts_rows_add(&l->table, l->whole ? id : short_id);
	guts_rows_add(&l->table, guts_jv_str_of(v, "name"));
	guts_fmt_id(short_id, creator);
	guts_rows_add(&l->table, l->whole ? creator : short_id);
	guts_fmt_bytes(size, guts_jv_u64_of(v, "size_bytes"));
	guts_rows_add(&l->table, size);
	guts_rows_addf(&l->table, "%llu", (unsigned long long)guts_jv_u64_of(v, "branches"));
	guts_rows_addf(&l->table, "%llu", (unsigned long long)guts_jv_u64_of(v, "seeders"));
	guts_fmt_age(age, guts_jv_str_of(v, "updated_at"), l->now);
	guts_rows_add(&l->table, age);
	snprintf(state, sizeof(state), "%s%s%s%s%s", guts_jv_bool_of(v, "private") ? "private " : "",
	    guts_jv_bool_of(v, "archived") ? "retired " : "", guts_jv_bool_of(v, "shadowed") ? "shadowed " : "",
	    guts_jv_bool_of(v, "syncing") ? "syncing " : "",
	    strcmp(guts_jv_str_of(v, "policy"), "default") != 0 ? guts_jv_str_of(v, "policy") : "");
	guts_rows_add(&l->table, state);
}

int
guts_cmd_repo_list(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "ID", false, false }, { "NAME", false, true },
		{ "OWNER", false, false }, { "SIZE", true, false }, { "BRANCHES", true, false }, { "SEEDERS", true, false },
		{ "UPDATED", false, false }, { "STATE", false, false } };
	const char *search = guts_args_get(&c->args, "search"), *sort = guts_args_get(&c->args, "sort");
	struct list l = { .whole = guts_args_get(&c->args, "long") != NULL, .now = guts_ask_now() };
	char *path = guts_ask_path(search ? "/api/v1/repos?sort={}&q={}" : "/api/v1/repos?sort={}", sort ? sort : "name",
	    search);
	int code;

	guts_rows_init(&l.table, columns, 8);
	code = guts_ask_list(c, path, repo_row, &l);
	guts_rows_end(&l.table, code || c->json ? NULL : stdout,
	    search != NULL ? "nothing found" : "no repositories: make one with `guts repo create NAME` or `guts repo import PATH`");
	free(path);
	return code;
}

static void
list_lines(const char *label, struct guts_jv list)
{
	for (size_t i = 0; i < guts_jv_count(list); i++)
		guts_term_line(i ? "" : label, guts_jv_str(guts_jv_at(list, i), ""));
}

static void
print_head(struct guts_jv v)
{
	const char *head = guts_jv_str(guts_jv_get(v, "head"), NULL), *error = guts_jv_str(guts_jv_get(v, "last_error"), NULL);
	char size[16], age[40], text[320];

	guts_term_line("name", guts_jv_str_of(v, "full_name"));
	if (guts_jv_str_of(v, "description")[0])
		guts_term_line("description", guts_jv_str_of(v, "description"));
	guts_term_line("id", guts_jv_str_of(v, "id"));
	guts_term_line("clone", guts_jv_str_of(v, "clone_url"));
	snprintf(text, sizeof(text), "%s%s%s", guts_jv_str_of(v, "default_branch"), head ? " at " : " (empty)", head ? head : "");
	guts_term_line("branch", text);
	guts_fmt_bytes(size, guts_jv_u64_of(v, "size_bytes"));
	guts_fmt_age(age, guts_jv_str_of(v, "updated_at"), guts_ask_now());
	snprintf(text, sizeof(text), "%s, %s, updated %s", size, guts_jv_str_of(v, "object_format"), age);
	guts_term_line("size", text);
	snprintf(text, sizeof(text), "version %llu, %llu of %zu delegates sign, %s, %s%s%s",
	    (unsigned long long)guts_jv_u64_of(v, "identity_version"), (unsigned long long)guts_jv_u64_of(v, "threshold"),
	    guts_jv_count(guts_jv_get(v, "delegates")), guts_jv_bool_of(v, "private") ? "private" : "public",
	    guts_jv_bool_of(v, "permissions.push") ? "this node may push" : "this node may not push",
	    guts_jv_bool_of(v, "archived") ? ", retired" : "", guts_jv_bool_of(v, "shadowed") ? ", shadowed" : "");
	guts_term_line("identity", text);
	list_lines("signers", guts_jv_get(v, "signers"));
	list_lines("readers", guts_jv_get(v, "readers"));
	list_lines("required", guts_jv_get(v, "required_contexts"));
	list_lines("gated", guts_jv_get(v, "gated_branches"));
	guts_term_line("policy", guts_jv_str_of(v, "policy"));
	if (error != NULL)
		guts_term_line("last error", error);
}

static void
branch_row(struct guts_rows *t, struct guts_jv v)
{
	char signer[16];

	guts_fmt_id(signer, guts_jv_str_of(v, "signer"));
	guts_rows_add(t, guts_jv_str_of(v, "name"));
	guts_rows_addf(t, "%.12s", guts_jv_str_of(v, "commit.sha"));
	guts_rows_add(t, signer);
	guts_rows_addf(t, "%s%s", guts_jv_bool_of(v, "conflict") ? "conflict" : guts_jv_bool_of(v, "default") ? "default" : "",
	    guts_jv_bool_of(v, "protected") ? " gated" : "");
	guts_rows_add(t, guts_jv_str_of(v, "checks"));
}

static void
author_row(struct guts_rows *t, struct guts_jv v)
{
	char age[40];

	guts_fmt_age(age, guts_jv_str_of(v, "time"), guts_ask_now());
	guts_rows_add(t, guts_jv_str_of(v, "id"));
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "refs"));
	guts_rows_add(t, age);
	guts_rows_addf(t, "%s%s", guts_jv_bool_of(v, "delegate") ? "delegate" : "",
	    guts_jv_bool_of(v, "forked") ? " forked" : "");
}

static void
seeder_row(struct guts_rows *t, struct guts_jv v)
{
	uint64_t behind = guts_jv_u64_of(v, "behind");
	char age[40];

	guts_fmt_age(age, guts_jv_str_of(v, "seen"), guts_ask_now());
	guts_rows_add(t, guts_jv_str_of(v, "id"));
	if (behind)
		guts_rows_addf(t, "%llu behind", (unsigned long long)behind);
	else
		guts_rows_add(t, guts_jv_bool_of(v, "current") ? "has all" : "differs");
	guts_rows_add(t, age);
}

/* A part of the repository as a table of its own. */
static int
print_part(struct guts_cli *c, const char *path, const char *part, const struct guts_column *columns, size_t n,
    void (*row)(struct guts_rows *t, struct guts_jv v))
{
	char *full = guts_asprintf("%s/%s", path, part);
	struct guts_reply r;
	struct guts_rows t;
	int code = guts_ask_call(c, &r, "GET", full, NULL);
	size_t count = code ? 0 : guts_jv_count(r.root);

	if (count > 0) {
		guts_rows_init(&t, columns, n);
		for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
			row(&t, guts_jv_at(r.root, i));
		putchar('\n');
		guts_rows_end(&t, stdout, "");
		if (count > SHOWN_MAX)
			printf("… and more\n");
	}
	guts_reply_deinit(&r);
	free(full);
	return code;
}

int
guts_cmd_repo_show(struct guts_cli *c)
{
	static const struct guts_column branches[] = { { "BRANCH", false, true }, { "COMMIT", false, false },
		{ "SIGNER", false, false }, { "", false, false }, { "CHECKS", false, false } };
	static const struct guts_column authors[] = { { "AUTHOR", false, true }, { "REFS", true, false },
		{ "SIGNED", false, false }, { "", false, false } };
	static const struct guts_column seeders[] = { { "SEEDER", false, true }, { "STATE", false, false },
		{ "SEEN", false, false } };
	struct guts_reply r = { 0 };
	char *path;
	int code = guts_ask_repo(c, c->args.pos[0], &path);

	if (code)
		return code;
	code = guts_ask_call(c, &r, "GET", path, NULL);
	if (!code && !guts_ask_json(c, &r)) {
		print_head(r.root);
		code = print_part(c, path, "branches", branches, 5, branch_row);
		if (!code)
			code = print_part(c, path, "authors", authors, 4, author_row);
		if (!code)
			code = print_part(c, path, "seeders", seeders, 3, seeder_row);
	}
	guts_reply_deinit(&r);
	free(path);
	return code;
}
