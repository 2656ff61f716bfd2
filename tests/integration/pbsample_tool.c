/* tests/integration/pbsample_tool.c - our protobuf reader and writer as filters, for pb_sample.py.
 *
 *	pbsample_tool decode < bytes    the message as protoc --decode prints it
 *	pbsample_tool recode < bytes    decoded and encoded again
 */
#include "../unit/pb_sample.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
print_text(const char *name, struct guts_slice s, const char *indent)
{
	printf("%s%s: \"", indent, name);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '\n' || c == '\r' || c == '\t')
			printf("\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else if (c == '"' || c == '\'' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\%03o", c);
		else
			putchar(c);
	}
	printf("\"\n");
}

static void
print_list(const char *name, const struct guts_pb_u64_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		printf("%s: %" PRIu64 "\n", name, l->v[i]);
}

static void
print_texts(const char *name, const struct guts_pb_bytes_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		print_text(name, l->v[i], "");
}

static void
print_inner(const char *name, const struct sample_inner *m)
{
	printf("%s {\n", name);
	if (m->number)
		printf("  number: %" PRIu64 "\n", m->number);
	if (m->more)
		printf("  more: %" PRIu32 "\n", m->more);
	if (m->name.n)
		print_text("name", m->name, "  ");
	printf("}\n");
}

static void
print_sample(const struct sample *s)
{
	if (s->u64)
		printf("u64: %" PRIu64 "\n", s->u64);
	if (s->u32)
		printf("u32: %" PRIu32 "\n", s->u32);
	if (s->flag)
		printf("flag: true\n");
	if (s->fixed)
		printf("fixed: %" PRIu64 "\n", s->fixed);
	if (s->bytes.n)
		print_text("bytes", s->bytes, "");
	if (s->string.n)
		print_text("string", s->string, "");
	if (s->has_inner)
		print_inner("inner", &s->inner);
	print_texts("blobs", &s->blobs);
	print_list("unpacked", &s->unpacked);
	print_list("packed", &s->packed);
	print_texts("names", &s->names);
	for (size_t i = 0; i < s->inners.n; i++)
		print_inner("inners", &s->inners.v[i]);
	if (s->has_maybe)
		printf("maybe: %" PRIu32 "\n", s->maybe);
	if (s->small)
		printf("small: %" PRIu32 "\n", s->small);
}

int
main(int argc, char **argv)
{
	static uint8_t in[1 << 16];
	size_t n = fread(in, 1, sizeof(in), stdin);
	struct guts_arena arena;
	struct guts_buf out;
	struct sample s;
	int err;

	if (argc != 2)
		return 2;
	guts_arena_init(&arena, 1 << 20);
	guts_buf_init(&out, 1 << 20);
	err = guts_pb_decode(&sample_desc, guts_slice(in, n), &s, &arena);
	if (err) {
		fprintf(stderr, "%s\n", guts_err_text(err));
	} else if (strcmp(argv[1], "decode") == 0) {
		print_sample(&s);
	} else {
		err = guts_pb_encode(&sample_desc, &s, &out);
		fwrite(guts_buf_slice(&out).p, 1, out.len, stdout);
	}
	guts_arena_deinit(&arena);
	guts_buf_deinit(&out);
	return err ? 1 : 0;
}
