/* cli/config.c - the configuration of the running node: shown and changed. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A value of an option as text: lists separated by spaces.  Owner: caller. */
static char *
value_text(struct guts_jv v)
{
	struct guts_buf b;
	char *text;

	guts_buf_init(&b, 64 << 10);
	if (guts_jv_str(v, NULL) != NULL)
		guts_buf_add_str(&b, guts_jv_str(v, ""));
	else if (guts_jv_is_array(v))
		for (size_t i = 0; i < guts_jv_count(v); i++)
			guts_buf_printf(&b, "%s%s", i ? " " : "", guts_jv_str(guts_jv_at(v, i), ""));
	else if (v.o != NULL)
		guts_jv_print(v, &b);
	text = guts_strdup(guts_buf_cstr(&b));
	guts_buf_deinit(&b);
	return text;
}

static void
print_option(struct guts_cli *c, struct guts_jv o)
{
	struct guts_buf b;
	char *text;

	if (c->json) {
		guts_buf_init(&b, 64 << 10);
		guts_jv_print(o, &b);
		puts(guts_buf_cstr(&b));
		guts_buf_deinit(&b);
		return;
	}
	text = value_text(guts_jv_get(o, "value"));
	puts(text);
	free(text);
}

int
guts_cmd_config_get(struct guts_cli *c)
{
	struct guts_jv o = { NULL };
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/config", NULL);

	for (size_t i = 0; !code && i < guts_jv_count(r.root) && o.o == NULL; i++)
		if (strcmp(guts_jv_str_of(guts_jv_at(r.root, i), "name"), c->args.pos[0]) == 0)
			o = guts_jv_at(r.root, i);
	if (o.o != NULL)
		print_option(c, o);
	else if (!code)
		code = guts_cli_fail(GUTS_EXIT_NOTFOUND, "there is no option \"%s\": `guts config --all` lists them", c->args.pos[0]);
	guts_reply_deinit(&r);
	return code;
}

int
guts_cmd_config_list(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "OPTION", false, false }, { "VALUE", false, true },
		{ "FROM", false, false }, { "RESTART", false, false } };
	bool all = guts_args_get(&c->args, "all") != NULL;
	struct guts_reply r;
	struct guts_rows t;
	char *text;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/config", NULL);

	if (!code && !guts_ask_json(c, &r)) {
		guts_rows_init(&t, columns, 4);
		for (size_t i = 0; i < guts_jv_count(r.root); i++) {
			struct guts_jv o = guts_jv_at(r.root, i);
			bool waits = guts_jv_bool_of(o, "restart_required");

			if (!all && !waits && strcmp(guts_jv_str_of(o, "source"), "default") == 0)
				continue;
			text = value_text(guts_jv_get(o, "value"));
			guts_rows_add(&t, guts_jv_str_of(o, "name"));
			guts_rows_add(&t, text);
			guts_rows_add(&t, guts_jv_str_of(o, "source"));
			guts_rows_add(&t, waits ? "required" : "");
			free(text);
		}
		guts_rows_end(&t, stdout, "every option has its default: `guts config --all` lists them");
	}
	guts_reply_deinit(&r);
	return code;
}

/* Send the options that `put` adds; say of each in the answer what does not hold at once. */
static int
change(struct guts_cli *c, void (*put)(struct guts_json *j, const struct guts_args *a))
{
	struct guts_buf body;
	struct guts_json j;
	struct guts_reply r;
	struct guts_jv list;
	int code;

	guts_buf_init(&body, 64 << 10);
	guts_json_init(&j, &body);
	guts_json_object(&j);
	put(&j, &c->args);
	guts_json_object_end(&j);
	code = guts_ask_call(c, &r, "PATCH", "/api/v1/config", &body);
	guts_buf_deinit(&body);
	list = guts_jv_get(r.root, "options");
	if (!code && !guts_ask_json(c, &r)) {
		for (size_t i = 0; i < guts_jv_count(list); i++) {
			struct guts_jv o = guts_jv_at(list, i);
			const char *name = guts_jv_str_of(o, "name");

			if (guts_jv_bool_of(o, "restart_required"))
				printf("%s: a restart is required\n", name);
			else if (strcmp(guts_jv_str_of(o, "source"), "command line") == 0)
				printf("%s: the node's command line goes before guts.conf\n", name);
		}
	}
	guts_reply_deinit(&r);
	return code;
}

static void
put_value(struct guts_json *j, const struct guts_args *a)
{
	guts_json_name(j, guts_slice_str(a->pos[0]));
	if (a->npos == 2) {
		guts_json_str(j, a->pos[1]);
		return;
	}
	guts_json_array(j);
	for (size_t i = 1; i < a->npos; i++)
		guts_json_str(j, a->pos[i]);
	guts_json_array_end(j);
}

static void
put_nulls(struct guts_json *j, const struct guts_args *a)
{
	for (size_t i = 0; i < a->npos; i++) {
		guts_json_name(j, guts_slice_str(a->pos[i]));
		guts_json_null(j);
	}
}

int
guts_cmd_config_set(struct guts_cli *c)
{
	return change(c, put_value);
}

int
guts_cmd_config_unset(struct guts_cli *c)
{
	return change(c, put_nulls);
}
