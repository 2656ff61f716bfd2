/* store/fact.c - facts to bytes and back.
 *
 * A form of its own, ten lines long in the header, rather than protobuf: the store knows only
 * base and loop, and a fact never leaves the node in this form.
 */
#include "store/fact.h"

#include "base/cursor.h"

#define FORM 1u
#define FLAG_PRIVATE 1u
#define NAME_MAX_BYTES 64u

enum kind { KIND_TEXT, KIND_NUMBER };

static bool
is_name(struct guts_slice s, bool with_dots, size_t max)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || c == '_' || (with_dots && (c == '.' || (c >= '0' && c <= '9')))))
			return false;
	}
	return true;
}

static int
add_short(struct guts_buf *out, struct guts_slice s)
{
	guts_buf_add_u8(out, (uint8_t)s.n);
	return guts_buf_add_slice(out, s);
}

int
guts_fact_encode(struct guts_buf *out, const struct guts_fact *f)
{
	struct guts_slice type = guts_slice_str(f->type);

	if (!is_name(type, true, GUTS_FACT_TYPE_MAX) || f->repo.n > UINT8_MAX || f->peer.n > UINT8_MAX ||
	    f->n > GUTS_FACT_ATTRS_MAX)
		return GUTS_EINVAL;
	guts_buf_add_u8(out, FORM);
	guts_buf_add_be64(out, f->wall_ns);
	guts_buf_add_u8(out, f->is_private ? FLAG_PRIVATE : 0);
	add_short(out, type);
	add_short(out, f->repo);
	add_short(out, f->peer);
	guts_buf_add_u8(out, (uint8_t)f->n);
	for (size_t i = 0; i < f->n; i++) {
		const struct guts_fact_attr *a = &f->attr[i];
		struct guts_slice name = guts_slice_str(a->name);

		if (!is_name(name, false, NAME_MAX_BYTES) || a->text.n > UINT32_MAX)
			return GUTS_EINVAL;
		add_short(out, name);
		guts_buf_add_u8(out, a->is_number ? KIND_NUMBER : KIND_TEXT);
		if (a->is_number) {
			guts_buf_add_be64(out, a->number);
		} else {
			guts_buf_add_be32(out, (uint32_t)a->text.n);
			guts_buf_add_slice(out, a->text);
		}
	}
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}

static struct guts_slice
read_short(struct guts_cursor *c)
{
	return guts_cursor_bytes(c, guts_cursor_u8(c));
}

/* Read one attribute; *name is copied to the arena. */
static int
decode_attr(struct guts_fact_attr *at, struct guts_cursor *c, struct guts_arena *a)
{
	struct guts_slice name = read_short(c);
	uint8_t kind = guts_cursor_u8(c);

	if (kind == KIND_NUMBER) {
		at->is_number = true;
		at->number = guts_cursor_be64(c);
	} else if (kind == KIND_TEXT) {
		at->text = guts_cursor_bytes(c, guts_cursor_be32(c));
	} else {
		return GUTS_EPROTO;
	}
	if (!guts_cursor_ok(c) || !is_name(name, false, NAME_MAX_BYTES))
		return GUTS_EPROTO;
	at->name = guts_arena_memdup(a, name.p, name.n);
	return at->name ? GUTS_OK : GUTS_ELIMIT;
}

uint64_t
guts_fact_time(struct guts_slice s)
{
	struct guts_cursor c;
	uint8_t form;
	uint64_t t;

	guts_cursor_init(&c, s);
	form = guts_cursor_u8(&c);
	t = guts_cursor_be64(&c);
	return guts_cursor_ok(&c) && form == FORM ? t : 0;
}

int
guts_fact_decode(struct guts_fact *f, struct guts_slice s, struct guts_arena *a)
{
	struct guts_cursor c;
	struct guts_slice type;
	uint8_t form, flags;

	memset(f, 0, sizeof(*f));
	guts_cursor_init(&c, s);
	form = guts_cursor_u8(&c);
	if (guts_cursor_ok(&c) && form != FORM)
		return GUTS_EUNSUPPORTED;
	f->wall_ns = guts_cursor_be64(&c);
	flags = guts_cursor_u8(&c);
	f->is_private = flags & FLAG_PRIVATE;
	type = read_short(&c);
	f->repo = read_short(&c);
	f->peer = read_short(&c);
	f->n = guts_cursor_u8(&c);
	if (!guts_cursor_ok(&c) || f->n > GUTS_FACT_ATTRS_MAX || !is_name(type, true, GUTS_FACT_TYPE_MAX))
		return GUTS_EPROTO;
	f->type = guts_arena_memdup(a, type.p, type.n);
	if (f->type == NULL)
		return GUTS_ELIMIT;
	for (size_t i = 0; i < f->n; i++) {
		int err = decode_attr(&f->attr[i], &c, a);

		if (err)
			return err;
	}
	return guts_cursor_done(&c) ? GUTS_OK : GUTS_EPROTO;
}

struct guts_slice
guts_fact_text(const struct guts_fact *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->attr[i].name, name) == 0 && !f->attr[i].is_number)
			return f->attr[i].text;
	}
	return guts_slice(NULL, 0);
}

uint64_t
guts_fact_number(const struct guts_fact *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->attr[i].name, name) == 0 && f->attr[i].is_number)
			return f->attr[i].number;
	}
	return 0;
}
