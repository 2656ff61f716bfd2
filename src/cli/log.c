/* cli/log.c - the node's log: what it keeps, then lines as they are written; and how much is written. */
#include "cli/commands.h"
#include "cli/term.h"
#include "cli/watch.h"

#include <stdlib.h>
#include <string.h>

struct tail {
	struct guts_cli *cli;
	const char *level; /* NULL = every */
	uint64_t lines;    /* to begin with */
	uint64_t last;     /* cursor of the last line shown */
	bool begun;
	int code;
};

static enum guts_style
style_of(const char *level)
{
	if (strcmp(level, "error") == 0)
		return GUTS_STYLE_RED;
	return strcmp(level, "warn") == 0 ? GUTS_STYLE_YELLOW : GUTS_STYLE_PLAIN;
}

static int
rank(const char *level)
{
	static const char *const levels[] = { "error", "warn", "notice", "info", "debug" };
	int i = 0;

	while (i < 4 && strcmp(levels[i], level) != 0)
		i++;
	return i;
}

/* A line: `v` has all of it but its time. */
static void
show(struct tail *t, const char *time, struct guts_jv v)
{
	bool color = guts_term_colors(stdout);
	const char *plain = guts_term_style(color, GUTS_STYLE_PLAIN), *level = guts_jv_str_of(v, "level");
	uint64_t cursor = guts_jv_u64_of(v, "cursor");
	struct guts_buf b;
	struct guts_json j;
	char *clean;

	if (cursor <= t->last)
		return;
	t->last = cursor;
	if (t->level != NULL && rank(level) > rank(t->level))
		return;
	if (t->cli->json) {
		guts_buf_init(&b, 1 << 20);
		guts_json_init(&j, &b);
		guts_json_object(&j);
		guts_json_put_u64(&j, "cursor", cursor);
		guts_json_put_str(&j, "time", time);
		guts_json_put_str(&j, "level", level);
		guts_json_put_str(&j, "area", guts_jv_str_of(v, "area"));
		guts_json_put_str(&j, "text", guts_jv_str_of(v, "text"));
		guts_json_object_end(&j);
		puts(guts_buf_cstr(&b));
		guts_buf_deinit(&b);
		return;
	}
	clean = guts_term_clean(guts_jv_str_of(v, "text"), false);
	printf("%s%s%s %s%s%s %s: %s\n", guts_term_style(color, GUTS_STYLE_DIM), time, plain,
	    guts_term_style(color, style_of(level)), level, plain, guts_jv_str_of(v, "area"), clean);
	free(clean);
}

/* The newest `limit` lines, of these what was not shown yet. */
static int
show_kept(struct tail *t, uint64_t limit)
{
	char path[120];
	struct guts_reply r;
	size_t n;
	int code;

	snprintf(path, sizeof(path), "/api/v1/log?limit=%llu%s%s", (unsigned long long)limit, t->level != NULL ? "&level=" : "",
	    t->level != NULL ? t->level : "");
	code = guts_ask_call(t->cli, &r, "GET", path, NULL);
	n = guts_jv_count(r.root);
	if (n > 0 && guts_jv_u64_of(guts_jv_at(r.root, n - 1), "cursor") < t->last)
		t->last = 0; /* another run of the node */
	for (size_t i = 0; i < n; i++)
		show(t, guts_jv_str_of(guts_jv_at(r.root, i), "time"), guts_jv_at(r.root, i));
	guts_reply_deinit(&r);
	fflush(stdout);
	return code;
}

/* The stream stands: what is kept first, so that nothing falls between the two. */
static bool
begun(void *owner)
{
	struct tail *t = owner;

	t->code = show_kept(t, t->begun ? 1000 : t->lines);
	t->begun = true;
	return !t->code;
}

static bool
on_event(void *owner, const char *type, struct guts_jv v, struct guts_slice text)
{
	struct tail *t = owner;

	(void)text;
	if (strcmp(type, "log.line") == 0)
		show(t, guts_jv_str_of(v, "time"), guts_jv_get(v, "data"));
	return fflush(stdout) == 0;
}

int
guts_cmd_log(struct guts_cli *c)
{
	struct tail t = { .cli = c, .level = guts_args_get(&c->args, "level"), .lines = 20 };
	struct guts_watch watch = { .cli = c, .query = "type=log.line", .give_up_ms = GUTS_WATCH_FOREVER, .begun = begun,
		.event = on_event, .owner = &t };
	struct guts_errinfo ei = { 0 };
	bool interrupted;
	int code;

	if (guts_args_number(&c->args, "lines", 1, 1000, &t.lines, &ei))
		return guts_cli_usage(c, "%s", ei.text);
	if (t.level != NULL && strspn(t.level, "abcdefghijklmnopqrstuvwxyz") != strlen(t.level))
		return guts_cli_usage(c, "--level: error, warn, notice, info or debug");
	if (guts_args_get(&c->args, "follow") == NULL)
		return show_kept(&t, t.lines);
	code = guts_watch(&watch, &interrupted);
	return t.code ? t.code : code;
}

int
guts_cmd_log_level(struct guts_cli *c)
{
	struct guts_buf b;
	struct guts_json j;
	struct guts_reply r;
	int code;

	guts_buf_init(&b, 1024);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	if (c->args.npos > 0)
		guts_json_put_str(&j, "level", c->args.pos[0]);
	guts_json_object_end(&j);
	code = guts_ask_call(c, &r, c->args.npos > 0 ? "PUT" : "GET", "/api/v1/log/level", c->args.npos > 0 ? &b : NULL);
	if (!code && !guts_ask_json(c, &r) && c->args.npos == 0)
		puts(guts_jv_str_of(r.root, "level"));
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	return code;
}
