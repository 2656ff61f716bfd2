/* tests/integration/pbtool.c - the message tables at the command line, for protoc.py.
 *
 *	pbtool tables          one line per field: message, number, name, kind, repeated, max, count
 *	pbtool recode MESSAGE  decode standard input by a table, encode it to standard output
 */
#include "base/arena.h"
#include "base/err.h"
#include "proto/libp2p.h"
#include "proto/messages.h"
#include "proto/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_MAX 128

static const struct guts_pb_desc *tables[TABLES_MAX];
static size_t ntables;

static void
collect(const struct guts_pb_desc *d)
{
	for (size_t i = 0; i < ntables; i++)
		if (tables[i] == d)
			return;
	if (ntables == TABLES_MAX)
		abort();
	tables[ntables++] = d;
	for (size_t i = 0; i < d->n; i++)
		if (d->fields[i].msg)
			collect(d->fields[i].msg);
}

static void
collect_all(void)
{
	collect(&guts_msg_node_desc);
	collect(&guts_msg_gossip_payload_desc);
	collect(&guts_msg_request_desc);
	collect(&guts_msg_response_desc);
	for (int k = 0; k < GUTS_RECORD_KINDS; k++)
		collect(guts_record_payload_desc((enum guts_record_kind)k));
}

static const char *
kind_name(enum guts_pb_kind kind)
{
	static const char *const names[] = {
		[GUTS_PB_U64] = "uint64",	[GUTS_PB_U32] = "uint32", [GUTS_PB_BOOL] = "bool",
		[GUTS_PB_FIXED64] = "fixed64", [GUTS_PB_BYTES] = "bytes", [GUTS_PB_STRING] = "string",
		[GUTS_PB_MSG] = "message",
	};

	return names[kind];
}

static void
print_tables(void)
{
	for (size_t i = 0; i < ntables; i++) {
		for (size_t k = 0; k < tables[i]->n; k++) {
			const struct guts_pb_field *f = &tables[i]->fields[k];

			printf("%s %u %s %s %d %u %u %s\n", tables[i]->name, f->number, f->name,
			       kind_name(f->kind), f->repeated, f->max, f->count_max,
			       f->msg ? f->msg->name : "-");
		}
	}
}

static int
recode(const char *name)
{
	static uint8_t in[GUTS_MESSAGE_MAX];
	static _Alignas(16) uint8_t msg[8192];
	size_t n = fread(in, 1, sizeof in, stdin);
	const struct guts_pb_desc *d = NULL;
	struct guts_arena arena;
	struct guts_buf out;
	int err;

	for (size_t i = 0; i < ntables; i++)
		if (strcmp(tables[i]->name, name) == 0)
			d = tables[i];
	if (!d || d->size > sizeof msg) {
		fprintf(stderr, "pbtool: no table %s\n", name);
		return 2;
	}
	guts_arena_init(&arena, GUTS_MSG_ARENA_MAX);
	guts_buf_init(&out, GUTS_MESSAGE_MAX);
	err = guts_pb_decode(d, guts_slice(in, n), msg, &arena);
	if (!err)
		err = guts_pb_encode(d, msg, &out);
	if (err)
		fprintf(stderr, "pbtool: %s: %s\n", name, guts_err_text(err));
	else
		fwrite(guts_buf_slice(&out).p, 1, out.len, stdout);
	guts_buf_deinit(&out);
	guts_arena_deinit(&arena);
	return err ? 1 : 0;
}

int
main(int argc, char **argv)
{
	collect_all();
	if (argc == 2 && strcmp(argv[1], "tables") == 0) {
		print_tables();
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "recode") == 0)
		return recode(argv[2]);
	fprintf(stderr, "usage: pbtool tables | recode MESSAGE\n");
	return 2;
}
