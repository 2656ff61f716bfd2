/* cli/gossip.c - topics: list, mesh, scores; users' topics: subscribe, publish, tail. */
#include "cli/commands.h"
#include "cli/term.h"
#include "cli/watch.h"

#include "base/alloc.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (16u << 10) /* [bytes] */
#define LOG_TRIES 50
#define LOG_TRY_MS 10

static void
topic_row(struct guts_rows *t, struct guts_jv v)
{
	static const char *const counters[] = { "peers", "mesh", "delivered", "duplicate", "rejected", "published" };

	guts_rows_add(t, guts_jv_str_of(v, "name"));
	guts_rows_add(t, guts_jv_bool_of(v, "subscribed") ? "yes" : "no");
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		guts_rows_addf(t, "%llu", (unsigned long long)guts_jv_u64_of(v, counters[i]));
}

int
guts_cmd_gossip_topics(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "TOPIC", false, true }, { "SUBSCRIBED", false, false },
		{ "PEERS", true, false }, { "MESH", true, false }, { "DELIVERED", true, false }, { "DUPLICATE", true, false },
		{ "REJECTED", true, false }, { "PUBLISHED", true, false } };
	struct guts_reply r;
	struct guts_rows t;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/gossip/topics", NULL);

	if (!code && !guts_ask_json(c, &r)) {
		guts_rows_init(&t, columns, 8);
		for (size_t i = 0; i < guts_jv_count(r.root); i++)
			topic_row(&t, guts_jv_at(r.root, i));
		guts_rows_end(&t, stdout, "no topics: take part in one with `guts gossip subscribe TOPIC`");
	}
	guts_reply_deinit(&r);
	return code;
}

/* A number of points as the node wrote it. */
static void
add_points(struct guts_rows *t, struct guts_jv v, const char *path)
{
	struct guts_buf b;

	guts_buf_init(&b, 64);
	guts_jv_print(guts_jv_get(v, path), &b);
	guts_rows_addf(t, "%.*s", (int)b.len, (const char *)guts_buf_bytes(&b));
	guts_buf_deinit(&b);
}

static void
add_components(struct guts_rows *t, struct guts_jv v, size_t n)
{
	static const char *const paths[] = { "score", "components.p1", "components.p2", "components.p3", "components.p3b",
		"components.p4", "components.p5", "components.p6", "components.p7" };

	for (size_t i = 0; i < n; i++)
		add_points(t, v, paths[i]);
}

int
guts_cmd_gossip_mesh(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "PEER", false, true }, { "IN", false, false },
		{ "DIRECTION", false, false }, { "SCORE", true, false }, { "P1", true, false }, { "P2", true, false },
		{ "P3", true, false }, { "P3B", true, false }, { "P4", true, false } };
	char *path = guts_ask_path("/api/v1/gossip/topics/{}", c->args.pos[0]);
	struct guts_reply r;
	struct guts_rows t;
	int code = guts_ask_call(c, &r, "GET", path, NULL);

	if (!code && !guts_ask_json(c, &r)) {
		struct guts_jv members = guts_jv_get(r.root, "members");

		guts_rows_init(&t, columns, 9);
		for (size_t i = 0; i < guts_jv_count(members); i++) {
			struct guts_jv m = guts_jv_at(members, i);

			guts_rows_add(&t, guts_jv_str_of(m, "peer"));
			guts_rows_add(&t, guts_jv_bool_of(m, "in_mesh") ? "mesh" : guts_jv_bool_of(m, "in_fanout") ? "fanout" : "-");
			guts_rows_add(&t, guts_jv_str_of(m, "direction"));
			add_components(&t, m, 6);
		}
		guts_rows_end(&t, stdout, "no peer subscribes to it");
	}
	guts_reply_deinit(&r);
	free(path);
	return code;
}

int
guts_cmd_gossip_scores(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "PEER", false, true }, { "DOOR", false, false },
		{ "MESHES", true, false }, { "SCORE", true, false }, { "P1", true, false },
		{ "P2", true, false }, { "P3", true, false }, { "P3B", true, false }, { "P4", true, false },
		{ "P5", true, false }, { "P6", true, false }, { "P7", true, false } };
	struct guts_reply r;
	struct guts_rows t;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/gossip/peers", NULL);

	if (!code && !guts_ask_json(c, &r)) {
		guts_rows_init(&t, columns, 12);
		for (size_t i = 0; i < guts_jv_count(r.root); i++) {
			struct guts_jv p = guts_jv_at(r.root, i);

			guts_rows_add(&t, guts_jv_str_of(p, "peer"));
			guts_rows_add(&t, guts_jv_str_of(p, "door"));
			guts_rows_addf(&t, "%llu", (unsigned long long)guts_jv_u64_of(p, "meshes"));
			add_components(&t, p, 9);
		}
		guts_rows_end(&t, stdout, "no peer gossips with this node");
	}
	guts_reply_deinit(&r);
	return code;
}

int
guts_cmd_gossip_subscribe(struct guts_cli *c)
{
	char *path = guts_ask_path("/api/v1/gossip/topics/{}", c->args.pos[0]);
	struct guts_reply r;
	int code = guts_ask_call(c, &r, guts_args_get(&c->args, "off") != NULL ? "DELETE" : "PUT", path, NULL);

	guts_reply_deinit(&r);
	free(path);
	return code;
}

/* The message: the operand, or all of standard input. */
static int
read_message(struct guts_cli *c, struct guts_buf *b)
{
	uint8_t piece[4096];
	size_t n;

	if (c->args.npos == 2) {
		guts_buf_add_str(b, c->args.pos[1]);
	} else {
		while (!b->failed && (n = fread(piece, 1, sizeof(piece), stdin)) > 0)
			guts_buf_add(b, piece, n);
		if (ferror(stdin))
			return guts_cli_fail(GUTS_EXIT_FAILED, "cannot read standard input: %s", strerror(errno));
	}
	if (b->failed)
		return guts_cli_fail(GUTS_EXIT_FAILED, "a message has at most %u KiB", MESSAGE_MAX >> 10);
	return GUTS_EXIT_OK;
}

int
guts_cmd_gossip_publish(struct guts_cli *c)
{
	char *path = guts_ask_path("/api/v1/gossip/topics/{}/messages", c->args.pos[0]);
	struct guts_reply r = { 0 };
	struct guts_buf message, b;
	struct guts_json j;
	int code;

	guts_buf_init(&message, MESSAGE_MAX);
	guts_buf_init(&b, 256 << 10);
	code = read_message(c, &message);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_key(&j, "data");
	if (guts_text_is_clean(guts_buf_slice(&message), true)) {
		guts_json_text(&j, guts_buf_slice(&message));
	} else {
		guts_json_base64(&j, guts_buf_slice(&message));
		guts_json_put_str(&j, "encoding", "base64");
	}
	guts_json_object_end(&j);
	if (!code)
		code = guts_ask_call(c, &r, "POST", path, &b);
	if (!code && !guts_ask_json(c, &r))
		puts(guts_jv_str_of(r.root, "id"));
	guts_reply_deinit(&r);
	guts_buf_deinit(&message);
	guts_buf_deinit(&b);
	free(path);
	return code;
}

/* -- tail --------------------------------------------------------------------------------------- */

struct tail {
	struct guts_cli *cli;
	const char *topic; /* NULL = all */
	uint64_t last;     /* cursor of the last message shown */
	uint64_t lines;
	bool follow, begun;
	int code;
};

/* The message as text for a person; one that is none is told by its size.  Owner: caller. */
static char *
message_text(struct guts_jv v)
{
	const char *data = guts_jv_str_of(v, "data");
	size_t n = strlen(data);
	uint8_t *bytes;
	char *text;

	if (strcmp(guts_jv_str_of(v, "encoding"), "base64") != 0)
		return guts_term_clean(data, true);
	bytes = guts_alloc(n + 1);
	if (guts_base64_decode(bytes, n, guts_slice_str(data), &n) != GUTS_OK)
		n = 0;
	if (guts_text_is_utf8(guts_slice(bytes, n)) && memchr(bytes, 0, n) == NULL)
		text = guts_term_clean((const char *)bytes, true);
	else
		text = guts_asprintf("(%zu bytes)", n);
	free(bytes);
	return text;
}

static void
show(struct tail *t, struct guts_jv v, const char *author)
{
	bool color = guts_term_colors(stdout);
	char id[16], *clean;
	const char *time = guts_jv_str_of(v, "time");
	struct guts_buf b;

	if (t->cli->json) {
		guts_buf_init(&b, 1 << 20);
		guts_jv_print(v, &b);
		puts(guts_buf_cstr(&b));
		guts_buf_deinit(&b);
		fflush(stdout);
		return;
	}
	guts_fmt_id(id, author);
	clean = message_text(v);
	printf("%s%.19s%s %s", guts_term_style(color, GUTS_STYLE_DIM), time, guts_term_style(color, GUTS_STYLE_PLAIN), id);
	if (t->topic == NULL)
		printf(" [%s]", guts_jv_str_of(v, "topic"));
	printf(" %s\n", clean);
	free(clean);
	fflush(stdout);
}

/* Kept messages after the last one shown, in pages; `skip` of them are not shown. */
static int
show_kept(struct tail *t, uint64_t skip)
{
	char *base = t->topic != NULL ? guts_ask_path("/api/v1/gossip/topics/{}/messages", t->topic) :
	    guts_strdup("/api/v1/gossip/messages"), *path;
	struct guts_reply r;
	size_t n = 1;
	int code = GUTS_EXIT_OK;

	while (!code && n > 0) {
		path = guts_asprintf("%s?after=%llu&limit=1000", base, (unsigned long long)t->last);
		code = guts_ask_call(t->cli, &r, "GET", path, NULL);
		free(path);
		n = guts_jv_count(r.root);
		for (size_t i = 0; i < n; i++) {
			struct guts_jv v = guts_jv_at(r.root, i);

			t->last = guts_jv_u64_of(v, "cursor");
			if (skip > 0)
				skip--;
			else
				show(t, v, guts_jv_str_of(v, "author"));
		}
		guts_reply_deinit(&r);
	}
	free(base);
	return code;
}

/* How many messages are kept. */
static int
count_kept(struct tail *t, uint64_t *count)
{
	char *base = t->topic != NULL ? guts_ask_path("/api/v1/gossip/topics/{}/messages", t->topic) :
	    guts_strdup("/api/v1/gossip/messages"), *path;
	struct guts_reply r;
	uint64_t after = 0;
	size_t n = 1;
	int code = GUTS_EXIT_OK;

	*count = 0;
	while (!code && n > 0) {
		path = guts_asprintf("%s?after=%llu&limit=1000", base, (unsigned long long)after);
		code = guts_ask_call(t->cli, &r, "GET", path, NULL);
		free(path);
		n = guts_jv_count(r.root);
		if (n > 0)
			after = guts_jv_u64_of(guts_jv_at(r.root, n - 1), "cursor");
		*count += n;
		guts_reply_deinit(&r);
	}
	free(base);
	return code;
}

/* The stream stands: first what is kept, so that nothing falls between the two. */
static bool
tail_begun(void *owner)
{
	struct tail *t = owner;
	uint64_t count = 0;

	if (!t->begun)
		t->code = count_kept(t, &count);
	if (!t->code)
		t->code = show_kept(t, count > t->lines ? count - t->lines : 0);
	t->begun = true;
	return !t->code && t->follow;
}

/* A signal says that there is something; it is read from the log, which has each message once and in order.  The
 * signal may be a moment ahead of the log; a node that keeps no messages has none. */
static bool
tail_event(void *owner, const char *type, struct guts_jv v, struct guts_slice text)
{
	struct tail *t = owner;
	struct guts_jv data = guts_jv_get(v, "data");

	(void)text;
	if (strcmp(type, "gossip.message") != 0 || guts_jv_u64_of(data, "cursor") <= t->last)
		return true;
	if (t->topic != NULL && strcmp(guts_jv_str_of(data, "topic"), t->topic) != 0)
		return true;
	t->code = show_kept(t, 0);
	for (int i = 0; i < LOG_TRIES && !t->code && t->last < guts_jv_u64_of(data, "cursor"); i++) {
		poll(NULL, 0, LOG_TRY_MS);
		t->code = show_kept(t, 0);
	}
	if (!t->code && t->last < guts_jv_u64_of(data, "cursor"))
		show(t, data, guts_jv_str_of(v, "peer"));
	return !t->code;
}

int
guts_cmd_gossip_tail(struct guts_cli *c)
{
	struct tail t = { .cli = c, .topic = c->args.npos ? c->args.pos[0] : NULL, .lines = 10,
		.follow = guts_args_get(&c->args, "no-follow") == NULL };
	struct guts_watch watch = { .cli = c, .query = "type=gossip.message", .give_up_ms = GUTS_WATCH_FOREVER,
		.begun = tail_begun, .event = tail_event, .owner = &t };
	struct guts_errinfo ei = { 0 };
	bool interrupted;
	int code;

	if (guts_args_number(&c->args, "lines", 0, 100000, &t.lines, &ei))
		return guts_cli_usage(c, "%s", ei.text);
	if (!t.follow)
		return tail_begun(&t), t.code;
	code = guts_watch(&watch, &interrupted);
	return t.code ? t.code : code;
}
