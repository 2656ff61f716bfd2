/* cli/events.c - the event log: a page of it, or the stream. */
#include "cli/commands.h"
#include "cli/term.h"
#include "cli/watch.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define NEWEST 20 /* facts shown without --since */

struct show {
	struct guts_cli *cli;
	bool color;
};

/* One attribute: object ids are cut, texts quoted only if they hold blanks. */
static void
add_attribute(struct guts_buf *b, const char *name, struct guts_jv v)
{
	const char *text = guts_jv_str(v, NULL);
	size_t n = text ? strlen(text) : 0;

	if (text == NULL)
		guts_buf_printf(b, " %s=%lld", name, (long long)guts_jv_i64(v, 0));
	else if (n >= 40 && strspn(text, "0123456789abcdef") == n)
		guts_buf_printf(b, " %s=%.10s", name, text);
	else if (n > 0)
		guts_buf_printf(b, strpbrk(text, " \t") != NULL ? " %s=\"%s\"" : " %s=%s", name, text);
}

static enum guts_style
style_of(const char *type)
{
	if (strstr(type, "failed") != NULL || strstr(type, "banned") != NULL || strstr(type, "refused") != NULL)
		return GUTS_STYLE_RED;
	if (strstr(type, "conflict") != NULL || strstr(type, "forked") != NULL)
		return GUTS_STYLE_YELLOW;
	return GUTS_STYLE_BOLD;
}

static void
print_event(struct show *s, struct guts_jv v)
{
	struct guts_jv member;
	const char *type = guts_jv_str_of(v, "type"), *name;
	char id[16], *clean;
	struct guts_buf b;
	void *pos = NULL;

	guts_buf_init(&b, 64 << 10);
	if (guts_jv_str_of(v, "repo")[0]) {
		guts_fmt_id(id, guts_jv_str_of(v, "repo"));
		guts_buf_printf(&b, " repo=%s", id);
	}
	if (guts_jv_str_of(v, "peer")[0]) {
		guts_fmt_id(id, guts_jv_str_of(v, "peer"));
		guts_buf_printf(&b, " peer=%s", id);
	}
	while ((name = guts_jv_next(guts_jv_get(v, "data"), &pos, &member)) != NULL)
		add_attribute(&b, name, member);
	clean = guts_term_clean(guts_buf_cstr(&b), false);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)guts_jv_u64_of(v, "id"));
	printf("%6s %s%.19s%s %s%s%s%s\n", guts_jv_u64_of(v, "id") ? id : "-", guts_term_style(s->color, GUTS_STYLE_DIM),
	    guts_jv_str_of(v, "time"), guts_term_style(s->color, GUTS_STYLE_PLAIN),
	    guts_term_style(s->color, style_of(type)), type, guts_term_style(s->color, GUTS_STYLE_PLAIN), clean);
	free(clean);
	guts_buf_deinit(&b);
}

static bool
on_event(void *owner, const char *type, struct guts_jv v, struct guts_slice text)
{
	struct show *s = owner;

	if (strcmp(type, "cursor") == 0)
		return true;
	if (strcmp(type, "reset") == 0)
		guts_cli_fail(0, "events before %llu are no longer kept", (unsigned long long)guts_jv_u64_of(v, "oldest"));
	else if (s->cli->json)
		printf("%.*s\n", (int)text.n, (const char *)text.p);
	else
		print_event(s, v);
	return fflush(stdout) == 0;
}

/* The filters as a query.  Owner of *out: caller. */
static int
make_query(struct guts_cli *c, char **out)
{
	const char *type, *repo = guts_args_get(&c->args, "repo"), *peer = guts_args_get(&c->args, "peer");
	struct guts_reply r;
	struct guts_buf types;
	char *path, *id = NULL, *rid = NULL;
	int code = GUTS_EXIT_OK;

	*out = NULL;
	guts_buf_init(&types, 1024);
	for (size_t i = 0; (type = guts_args_nth(&c->args, "type", i)) != NULL; i++)
		guts_buf_printf(&types, "%s%s", i ? "," : "", type);
	if (peer != NULL)
		code = guts_ask_peer(c, peer, &id);
	if (!code && repo != NULL)
		code = guts_ask_repo(c, repo, &path);
	if (!code && repo != NULL) {
		code = guts_ask_call(c, &r, "GET", path, NULL);
		rid = guts_strdup(guts_jv_str_of(r.root, "id"));
		guts_reply_deinit(&r);
		free(path);
	}
	if (!code) {
		char *a = types.len ? guts_ask_path("type={}&", guts_buf_cstr(&types)) : guts_strdup("");
		char *b = rid ? guts_ask_path("repo={}&", rid) : guts_strdup("");
		char *d = id ? guts_ask_path("peer={}&", id) : guts_strdup("");

		*out = guts_asprintf("%s%s%s", a, b, d);
		if ((*out)[0])
			(*out)[strlen(*out) - 1] = '\0';
		free(a);
		free(b);
		free(d);
	}
	free(id);
	free(rid);
	guts_buf_deinit(&types);
	return code;
}

/* The log from `since` to its end, page by page. */
static int
print_log(struct show *s, const char *query, uint64_t since)
{
	struct guts_reply r;
	struct guts_buf b;
	uint64_t next;
	bool more = true;
	int code = GUTS_EXIT_OK;

	while (!code && more) {
		char *path = guts_asprintf("/api/v1/events?since=%llu&limit=1000%s%s", (unsigned long long)since,
		    query[0] ? "&" : "", query);

		code = guts_ask_call(s->cli, &r, "GET", path, NULL);
		free(path);
		for (size_t i = 0; i < guts_jv_count(guts_jv_get(r.root, "events")); i++) {
			struct guts_jv v = guts_jv_at(guts_jv_get(r.root, "events"), i);

			guts_buf_init(&b, 1 << 20);
			guts_jv_print(v, &b);
			on_event(s, guts_jv_str_of(v, "type"), v, guts_buf_slice(&b));
			guts_buf_deinit(&b);
		}
		next = guts_jv_u64_of(r.root, "next");
		more = next > since && next < guts_jv_u64_of(r.root, "newest");
		since = next;
		guts_reply_deinit(&r);
	}
	return code;
}

static int
newest(struct guts_cli *c, uint64_t *since)
{
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/status", NULL);
	uint64_t n = guts_jv_u64_of(r.root, "events.newest"), oldest = guts_jv_u64_of(r.root, "events.oldest");

	*since = n > NEWEST ? n - NEWEST : 0;
	if (oldest > 0 && *since < oldest - 1)
		*since = oldest - 1;
	guts_reply_deinit(&r);
	return code;
}

int
guts_cmd_events(struct guts_cli *c)
{
	struct show s = { .cli = c, .color = guts_term_colors(stdout) };
	struct guts_watch watch = { .cli = c, .give_up_ms = GUTS_WATCH_FOREVER, .event = on_event, .owner = &s,
		.last_id = guts_args_get(&c->args, "since") };
	struct guts_errinfo ei = { 0 };
	uint64_t since = 0;
	bool interrupted;
	char *query;
	int code;

	if (guts_args_number(&c->args, "since", 0, INT64_MAX, &since, &ei))
		return guts_cli_usage(c, "%s", ei.text);
	code = make_query(c, &query);
	if (code)
		return code;
	if (guts_args_get(&c->args, "follow") != NULL) {
		watch.query = query;
		code = guts_watch(&watch, &interrupted);
	} else {
		if (watch.last_id == NULL)
			code = newest(c, &since);
		if (!code)
			code = print_log(&s, query, since);
	}
	free(query);
	return code;
}
