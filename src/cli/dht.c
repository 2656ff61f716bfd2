/* cli/dht.c - the DHT: status, lookups with their way, providers of a repository. */
#include "cli/commands.h"
#include "cli/ask.h"
#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "guts://"

/* The first address, and how many more there are. */
static void
add_addresses(struct guts_rows *t, struct guts_jv v)
{
	struct guts_jv list = guts_jv_get(v, "addresses");
	size_t n = guts_jv_count(list);

	if (n == 0)
		guts_rows_add(t, "");
	else if (n == 1)
		guts_rows_add(t, guts_jv_str(guts_jv_at(list, 0), ""));
	else
		guts_rows_addf(t, "%s (+%zu)", guts_jv_str(guts_jv_at(list, 0), ""), n - 1);
}

static void
add_ms(struct guts_rows *t, struct guts_jv v, const char *key)
{
	uint64_t us = guts_jv_u64_of(v, key);

	if (us)
		guts_rows_addf(t, "%.1f ms", (double)us / 1000);
	else
		guts_rows_add(t, "");
}

static void
print_table(struct guts_cli *c, struct guts_jv root)
{
	static const struct guts_column columns[] = { { "BITS", true, false }, { "PEER", false, false },
		{ "ADDRESS", false, true }, { "LINKED", false, false }, { "RTT", true, false }, { "SEEN", false, false } };
	struct guts_jv buckets = guts_jv_get(root, "buckets");
	int64_t now = guts_ask_now();
	struct guts_rows t;

	guts_rows_init(&t, columns, 6);
	for (size_t i = 0; i < guts_jv_count(buckets); i++) {
		struct guts_jv bucket = guts_jv_at(buckets, i), entries = guts_jv_get(bucket, "entries");

		for (size_t k = 0; k < guts_jv_count(entries); k++) {
			struct guts_jv e = guts_jv_at(entries, k);
			const char *seen = guts_jv_str(guts_jv_get(e, "last_seen"), NULL);
			char id[16], age[40] = "never";

			guts_fmt_id(id, guts_jv_str_of(e, "peer"));
			if (seen)
				guts_fmt_age(age, seen, now);
			guts_rows_addf(&t, "%llu", (unsigned long long)guts_jv_u64_of(bucket, "shared_bits"));
			guts_rows_add(&t, guts_args_get(&c->args, "long") ? guts_jv_str_of(e, "peer") : id);
			add_addresses(&t, e);
			guts_rows_add(&t, guts_jv_bool_of(e, "connected") ? "yes" : "no");
			add_ms(&t, e, "rtt_us");
			guts_rows_add(&t, age);
		}
	}
	guts_rows_end(&t, stdout, "the routing table is empty");
}

int
guts_cmd_dht_status(struct guts_cli *c)
{
	struct guts_reply r;
	int code = guts_ask_call(c, &r, "GET", "/api/v1/dht", NULL);

	if (!code && !guts_ask_json(c, &r)) {
		printf("%s (%s), %s\n", guts_jv_str_of(r.root, "role"), guts_jv_str_of(r.root, "mode"),
		    guts_jv_str(guts_jv_get(r.root, "protocol"), "no protocol"));
		printf("%llu servers known, %llu keys published (%llu not yet), records of others for %llu repositories\n\n",
		    (unsigned long long)guts_jv_u64_of(r.root, "size"),
		    (unsigned long long)guts_jv_u64_of(r.root, "published"),
		    (unsigned long long)guts_jv_u64_of(r.root, "unpublished"),
		    (unsigned long long)guts_jv_u64_of(r.root, "provider_keys"));
		print_table(c, r.root);
	}
	guts_reply_deinit(&r);
	return code;
}

static void
print_contacts(struct guts_jv list, const char *none)
{
	static const struct guts_column columns[] = { { "PEER", false, false }, { "ADDRESS", false, true } };
	struct guts_rows t;

	guts_rows_init(&t, columns, 2);
	for (size_t i = 0; i < guts_jv_count(list); i++) {
		struct guts_jv v = guts_jv_at(list, i);

		guts_rows_add(&t, guts_jv_str_of(v, "peer"));
		add_addresses(&t, v);
	}
	guts_rows_end(&t, stdout, none);
}

int
guts_cmd_dht_providers(struct guts_cli *c)
{
	const char *id = c->args.pos[0];
	struct guts_reply r;
	char *path;
	int code;

	if (strncmp(id, SCHEME, sizeof SCHEME - 1) == 0)
		id += sizeof SCHEME - 1;
	path = guts_ask_path("/api/v1/dht/providers/{}", id);
	code = guts_ask_call(c, &r, "GET", path, NULL);
	if (!code && !guts_ask_json(c, &r))
		print_contacts(r.root, "nobody else provides it");
	guts_reply_deinit(&r);
	free(path);
	return code;
}

static void
print_hops(struct guts_jv root)
{
	static const struct guts_column columns[] = { { "PATH", true, false }, { "PEER", false, false }, { "BITS", true, false },
		{ "AT", true, false }, { "TOOK", true, false }, { "CLOSER", true, false }, { "PROVIDERS", true, false },
		{ "ERROR", false, true } };
	struct guts_jv hops = guts_jv_get(root, "hops");
	struct guts_rows t;

	guts_rows_init(&t, columns, 8);
	for (size_t i = 0; i < guts_jv_count(hops); i++) {
		struct guts_jv h = guts_jv_at(hops, i);
		char id[16];

		guts_fmt_id(id, guts_jv_str_of(h, "peer"));
		guts_rows_addf(&t, "%llu", (unsigned long long)guts_jv_u64_of(h, "path"));
		guts_rows_add(&t, id);
		guts_rows_addf(&t, "%llu", (unsigned long long)guts_jv_u64_of(h, "shared_bits"));
		add_ms(&t, h, "at_us");
		add_ms(&t, h, "took_us");
		guts_rows_addf(&t, "%llu", (unsigned long long)guts_jv_u64_of(h, "closer"));
		guts_rows_addf(&t, "%llu", (unsigned long long)guts_jv_u64_of(h, "providers"));
		guts_rows_add(&t, guts_jv_str(guts_jv_get(h, "error"), ""));
	}
	guts_rows_end(&t, stdout, "nobody was asked");
}

int
guts_cmd_dht_lookup(struct guts_cli *c)
{
	struct guts_reply r;
	struct guts_buf b;
	struct guts_json j;
	int code;

	guts_buf_init(&b, 64 << 10);
	guts_json_init(&j, &b);
	guts_json_object(&j);
	guts_json_put_str(&j, "target", c->args.pos[0]);
	guts_json_put_bool(&j, "record", guts_args_get(&c->args, "record") != NULL);
	guts_json_object_end(&j);
	code = guts_ask_call(c, &r, "POST", "/api/v1/dht/lookup", &b);
	if (!code && !guts_ask_json(c, &r)) {
		bool found = guts_jv_bool_of(r.root, "found");
		bool is_peer = strcmp(guts_jv_str_of(r.root, "kind"), "find_peer") == 0;

		print_hops(r.root);
		printf("\n%s after %.1f ms\n", found ? "found" : "not found", (double)guts_jv_u64_of(r.root, "took_us") / 1000);
		if (found && guts_args_get(&c->args, "record"))
			puts(guts_jv_str_of(r.root, "record"));
		else if (found)
			print_contacts(guts_jv_get(r.root, is_peer ? "closest" : "providers"), "");
		code = found ? GUTS_EXIT_OK : GUTS_EXIT_NOTFOUND;
	}
	guts_reply_deinit(&r);
	guts_buf_deinit(&b);
	return code;
}
