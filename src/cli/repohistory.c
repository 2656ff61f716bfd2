/* cli/repohistory.c - a repository's history: its commits, who made them, and what changed each entry of a folder last. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 20      /* commits of `guts repo log` */
#define SHOWN_MAX 100 /* one page of the node */

/* The first line of a message, shortened for a table. */
static void
add_summary(struct guts_rows *t, const char *message)
{
	guts_rows_addf(t, "%.*s", (int)strcspn(message, "\r\n"), message);
}

static void
add_age(struct guts_rows *t, const char *time)
{
	char age[40];

	guts_fmt_age(age, time, guts_ask_now());
	guts_rows_add(t, age);
}

/* The answer to a GET of `path`, by rows; with --json as it is. */
static int
print_list(struct guts_cli *c, const char *path, const struct guts_column *columns, size_t n,
    void (*row)(struct guts_rows *t, struct guts_jv v), const char *empty)
{
	struct guts_reply r;
	struct guts_rows t;
	int code = guts_ask_call(c, &r, "GET", path, NULL);

	if (!code && !guts_ask_json(c, &r)) {
		guts_rows_init(&t, columns, n);
		for (size_t i = 0; i < guts_jv_count(r.root); i++)
			row(&t, guts_jv_at(r.root, i));
		guts_rows_end(&t, stdout, empty);
	}
	guts_reply_deinit(&r);
	return code;
}

/* "<path of the repository><what>?<query>", with the branch, tag or commit that the user named (NULL: none) as `key`. */
static int
make_path(struct guts_cli *c, const char *what, const char *key, const char *ref, char **out)
{
	char *repo, *query;
	int code = guts_ask_repo(c, c->args.pos[0], &repo);

	if (code)
		return code;
	query = ref ? guts_ask_path("={}", ref) : guts_strdup("=");
	*out = guts_asprintf("%s%s?%s%s", repo, what, key, query);
	free(query);
	free(repo);
	return code;
}

static const char *
operand(const struct guts_cli *c, size_t i)
{
	return c->args.npos > i ? c->args.pos[i] : NULL;
}

/* -- log ------------------------------------------------------------------------------- */

static void
commit_row(struct guts_rows *t, struct guts_jv v)
{
	guts_rows_addf(t, "%.12s", guts_jv_str_of(v, "sha"));
	add_age(t, guts_jv_str_of(v, "commit.committer.date"));
	guts_rows_add(t, guts_jv_str_of(v, "commit.author.name"));
	add_summary(t, guts_jv_str_of(v, "commit.message"));
}

/* How many there are in all. */
static int
print_count(struct guts_cli *c)
{
	struct guts_reply r;
	char *path;
	int code = make_path(c, "/commit-count", "sha", operand(c, 1), &path);

	if (code)
		return code;
	code = guts_ask_call(c, &r, "GET", path, NULL);
	if (!code)
		printf("%llu%s commits in all\n", (unsigned long long)guts_jv_u64_of(r.root, "commits"),
		    guts_jv_bool_of(r.root, "incomplete_results") ? " or more" : "");
	guts_reply_deinit(&r);
	free(path);
	return code;
}

/* Add the filters that were given to a path's query; false: there are none. */
static bool
add_filters(const struct guts_cli *c, struct guts_buf *path)
{
	static const char *const names[] = { "path", "author", "since", "until" };
	bool some = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = guts_args_get(&c->args, names[i]);
		char *coded = value ? guts_ask_path("={}", value) : NULL;

		if (value)
			guts_buf_printf(path, "&%s%s", names[i], coded);
		some |= value != NULL;
		free(coded);
	}
	return some;
}

int
guts_cmd_repo_log(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "COMMIT", false, false }, { "WHEN", false, false }, { "AUTHOR", false, false },
		{ "", false, true } };
	uint64_t number = SHOWN;
	struct guts_errinfo ei;
	struct guts_buf whole;
	char *path;
	int code;

	if (guts_args_number(&c->args, "number", 1, SHOWN_MAX, &number, &ei))
		return guts_cli_fail(GUTS_EXIT_USAGE, "%s", ei.text);
	code = make_path(c, "/commits", "sha", operand(c, 1), &path);
	if (code)
		return code;
	guts_buf_init(&whole, 64 << 10);
	guts_buf_printf(&whole, "%s&per_page=%llu", path, (unsigned long long)number);
	bool is_filtered = add_filters(c, &whole);
	code = print_list(c, guts_buf_cstr(&whole), columns, 4, commit_row, "no such commits");
	if (!code && !c->json && !is_filtered)
		code = print_count(c);
	guts_buf_deinit(&whole);
	free(path);
	return code;
}

/* -- contributors ----------------------------------------------------------------------- */

static void
person_row(void *owner, struct guts_jv v)
{
	struct guts_rows *t = owner;

	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "contributions"));
	guts_rows_add(t, guts_jv_str_of(v, "name"));
	guts_rows_add(t, guts_jv_str_of(v, "email"));
}

int
guts_cmd_repo_contributors(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "COMMITS", true, false }, { "NAME", false, true }, { "E-MAIL", false, false } };
	struct guts_rows t;
	char *path;
	int code = make_path(c, "/contributors", "sha", operand(c, 1), &path);

	if (code)
		return code;
	guts_rows_init(&t, columns, 3);
	code = guts_ask_list(c, path, person_row, &t);
	guts_rows_end(&t, code || c->json ? NULL : stdout, "nobody");
	free(path);
	return code;
}

/* -- files ------------------------------------------------------------------------------- */

static void
entry_row(struct guts_rows *t, struct guts_jv v)
{
	bool found = guts_jv_str(guts_jv_get(v, "last_commit_sha"), NULL) != NULL;

	guts_rows_addf(t, "%s%s", guts_jv_str_of(v, "name"), strcmp(guts_jv_str_of(v, "type"), "dir") == 0 ? "/" : "");
	guts_rows_addf(t, "%.12s", found ? guts_jv_str_of(v, "last_commit_sha") : "");
	add_age(t, found ? guts_jv_str_of(v, "last_committer_date") : "");
	guts_rows_add(t, found ? guts_jv_str_of(v, "last_author_name") : "");
	add_summary(t, found ? guts_jv_str_of(v, "last_commit_message") : "");
}

int
guts_cmd_repo_files(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "NAME", false, false }, { "COMMIT", false, false }, { "CHANGED", false, false },
		{ "AUTHOR", false, false }, { "", false, true } };
	char *coded = operand(c, 1) ? guts_ask_path("/last-commits/{}", operand(c, 1)) : guts_strdup("/last-commits"), *path;
	int code = make_path(c, coded, "ref", guts_args_get(&c->args, "ref"), &path);

	free(coded);
	if (code)
		return code;
	code = print_list(c, path, columns, 5, entry_row, "an empty folder");
	free(path);
	return code;
}
