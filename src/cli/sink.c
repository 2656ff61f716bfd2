/* cli/sink.c - the message brokers that get the node's events, and how they do. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

static void
sink_row(void *owner, struct guts_jv v)
{
	struct guts_rows *t = owner;
	const char *error = guts_jv_str_of(v, "last_error");

	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "id"));
	guts_rows_add(t, guts_jv_str_of(v, "state"));
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "published"));
	guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, "lag"));
	guts_rows_add(t, guts_jv_str_of(v, "url"));
	guts_rows_add(t, error);
}

int
guts_cmd_sink_list(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "SINK", true, false }, { "STATE", false, false },
		{ "PUBLISHED", true, false }, { "BEHIND", true, false }, { "URL", false, false }, { "ERROR", false, true } };
	struct guts_rows t;
	int code;

	guts_rows_init(&t, columns, 6);
	code = guts_ask_list(c, "/api/v1/sinks", sink_row, &t);
	guts_rows_end(&t, code || c->json ? NULL : stdout, "no sinks; the option sink.url names message brokers");
	return code;
}
