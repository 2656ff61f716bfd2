/* cli/peers.c - links to other nodes: list, connect, disconnect, ban, lift; offences; the address book. */
#include "base/alloc.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/term.h"

#include <stdlib.h>
#include <string.h>

struct list {
	struct guts_rows table;
	bool whole; /* --long */
	int64_t now;
};

static void
add_id(struct list *l, const char *id)
{
	char text[16];

	guts_fmt_id(text, id);
	guts_rows_add(&l->table, l->whole ? id : text);
}

static void
peer_row(void *owner, struct guts_jv v)
{
	struct list *l = owner;
	uint64_t rtt = guts_jv_u64_of(v, "rtt_us");
	char in[16], out[16], age[40];

	guts_fmt_bytes(in, guts_jv_u64_of(v, "bytes_in"));
	guts_fmt_bytes(out, guts_jv_u64_of(v, "bytes_out"));
	guts_fmt_age(age, guts_jv_str_of(v, "connected_at"), l->now);
	add_id(l, guts_jv_str_of(v, "id"));
	guts_rows_add(&l->table, strcmp(guts_jv_str_of(v, "direction"), "inbound") == 0 ? "in" : "out");
	guts_rows_add(&l->table, guts_jv_str_of(v, "remote_address"));
	guts_rows_add(&l->table, guts_jv_str_of(v, "agent"));
	if (rtt)
		guts_rows_addf(&l->table, "%.1f ms", (double)rtt / 1000);
	else
		guts_rows_add(&l->table, "");
	guts_rows_add(&l->table, in);
	guts_rows_add(&l->table, out);
	guts_rows_addf(&l->table, "%llu", (unsigned long long)guts_jv_u64_of(v, "repositories"));
	guts_rows_add(&l->table, age);
}

int
guts_cmd_peers_list(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "PEER", false, false }, { "DIR", false, false },
		{ "ADDRESS", false, true }, { "AGENT", false, true }, { "RTT", true, false }, { "IN", true, false },
		{ "OUT", true, false }, { "REPOS", true, false }, { "LINKED", false, false } };
	struct list l = { .whole = guts_args_get(&c->args, "long") != NULL, .now = guts_ask_now() };
	int code;

	guts_rows_init(&l.table, columns, 9);
	code = guts_ask_list(c, "/api/v1/peers", peer_row, &l);
	guts_rows_end(&l.table, code || c->json ? NULL : stdout, "no peers: link to one with `guts peers connect MULTIADDR`");
	return code;
}

static void
ban_row(void *owner, struct guts_jv v)
{
	struct list *l = owner;
	const char *until = guts_jv_str(guts_jv_get(v, "until"), NULL);
	char age[40];

	add_id(l, guts_jv_str_of(v, "peer"));
	guts_fmt_age(age, guts_jv_str_of(v, "since"), l->now);
	guts_rows_add(&l->table, age);
	guts_fmt_age(age, until, l->now);
	guts_rows_add(&l->table, age);
	guts_rows_add(&l->table, guts_jv_str_of(v, "reason"));
}

int
guts_cmd_peers_bans(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "PEER", false, false }, { "BANNED", false, false },
		{ "ENDS", false, false }, { "REASON", false, true } };
	struct list l = { .whole = guts_args_get(&c->args, "long") != NULL, .now = guts_ask_now() };
	int code;

	guts_rows_init(&l.table, columns, 4);
	code = guts_ask_list(c, "/api/v1/bans", ban_row, &l);
	guts_rows_end(&l.table, code || c->json ? NULL : stdout, "nobody is banned");
	return code;
}

static void
add_age(struct list *l, struct guts_jv v, const char *key)
{
	char age[40];

	guts_fmt_age(age, guts_jv_str(guts_jv_get(v, key), NULL), l->now);
	guts_rows_add(&l->table, age);
}

static void
address_row(void *owner, struct guts_jv v)
{
	struct list *l = owner;
	struct guts_jv list = guts_jv_get(v, "addresses");
	size_t n = guts_jv_count(list);

	for (size_t i = 0; i < (l->whole || n == 0 ? n : 1); i++) {
		struct guts_jv a = guts_jv_at(list, i);

		add_id(l, guts_jv_str_of(v, "peer"));
		guts_rows_add(&l->table, guts_jv_str_of(v, "table"));
		guts_rows_add(&l->table, guts_jv_str_of(a, "source"));
		guts_rows_add(&l->table, guts_jv_str_of(a, "address"));
		add_age(l, v, "seen_at");
		add_age(l, v, "worked_at");
		guts_rows_addf(&l->table, "%llu", (unsigned long long)guts_jv_u64_of(l->whole ? a : v, "failures"));
	}
}

int
guts_cmd_peers_addresses(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "PEER", false, false }, { "TABLE", false, false },
		{ "SOURCE", false, false }, { "ADDRESS", false, true }, { "SEEN", false, false }, { "REACHED", false, false },
		{ "FAILED", true, false } };
	static const char *const names[] = { "source", "table" };
	struct list l = { .whole = guts_args_get(&c->args, "long") != NULL, .now = guts_ask_now() };
	char *path = guts_ask_path("/api/v1/addresses?q={}", c->args.npos ? c->args.pos[0] : "");
	int code;

	for (size_t i = 0; i < 2; i++) {
		const char *value = guts_args_get(&c->args, names[i]);
		char *query = value ? guts_ask_path("&{}={}", names[i], value) : NULL, *both;

		if (!query)
			continue;
		both = guts_asprintf("%s%s", path, query);
		free(path);
		free(query);
		path = both;
	}
	guts_rows_init(&l.table, columns, 7);
	code = guts_ask_log(c, path, address_row, &l);
	guts_rows_end(&l.table, code || c->json ? NULL : stdout, "no such address is known");
	free(path);
	return code;
}

static void
offence_row(void *owner, struct guts_jv v)
{
	struct list *l = owner;

	guts_rows_add(&l->table, guts_jv_str_of(v, "name"));
	guts_rows_addf(&l->table, "%llu", (unsigned long long)guts_jv_u64_of(v, "points"));
	guts_rows_add(&l->table, guts_jv_str_of(v, "ends"));
	guts_rows_addf(&l->table, "%llu", (unsigned long long)guts_jv_u64_of(v, "count"));
	add_age(l, v, "last_at");
	guts_rows_add(&l->table, guts_jv_str_of(v, "reason"));
}

int
guts_cmd_peers_offences(struct guts_cli *c)
{
	static const struct guts_column columns[] = { { "OFFENCE", false, false }, { "POINTS", true, false },
		{ "ENDS", false, false }, { "COUNT", true, false }, { "LAST", false, false }, { "WHAT", false, true } };
	struct list l = { .now = guts_ask_now() };
	int code;

	guts_rows_init(&l.table, columns, 6);
	code = guts_ask_list(c, "/api/v1/offences", offence_row, &l);
	guts_rows_end(&l.table, code || c->json ? NULL : stdout, "no rules");
	return code;
}

int
guts_cmd_peers_connect(struct guts_cli *c)
{
	struct guts_reply r;
	struct guts_buf b;
	struct guts_json j;
	int code;

	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_put_str(&j, "address", c->args.pos[0]);
	guts_json_object_end(&j);
	code = guts_ask_call(c, &r, "POST", "/api/v1/peers", &b);
	if (!code && !guts_ask_json(c, &r))
		printf("linked to %s\n", guts_jv_str_of(r.root, "id"));
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	return code;
}

/* One request about the peer named by the first operand. */
static int
about_peer(struct guts_cli *c, const char *method, const char *pattern, const struct guts_buf *body)
{
	struct guts_reply r;
	char *id, *path;
	int code = guts_ask_peer(c, c->args.pos[0], &id);

	if (code)
		return code;
	path = guts_ask_path(pattern, id);
	code = guts_ask_call(c, &r, method, path, body);
	guts_reply_deinit(&r);
	free(path);
	free(id);
	return code;
}

int
guts_cmd_peers_disconnect(struct guts_cli *c)
{
	return about_peer(c, "DELETE", "/api/v1/peers/{}", NULL);
}

int
guts_cmd_peers_ban(struct guts_cli *c)
{
	struct guts_errinfo ei = { 0 };
	const char *reason = guts_args_get(&c->args, "reason");
	struct guts_buf b;
	struct guts_json j;
	uint64_t seconds = 0;
	int code;

	if (guts_args_number(&c->args, "for", 1, UINT64_C(3153600000), &seconds, &ei))
		return guts_cli_usage(c, "%s", ei.text);
	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	if (reason != NULL)
		guts_json_put_str(&j, "reason", reason);
	if (seconds)
		guts_json_put_u64(&j, "seconds", seconds);
	guts_json_object_end(&j);
	code = about_peer(c, "PUT", "/api/v1/peers/{}/ban", &b);
	guts_buf_deinit(&b);
	return code;
}

int
guts_cmd_peers_lift(struct guts_cli *c)
{
	return about_peer(c, "DELETE", "/api/v1/peers/{}/ban", NULL);
}
