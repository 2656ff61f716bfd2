/* view/json.c - a streaming JSON writer: runs of plain bytes are copied whole.
 *
 * A tree of json-c objects costs three allocations per member and a second pass to print;
 * answers are lists of a few hundred values made afresh, so they are written directly.  A table
 * marks the bytes that end a run: quotes, backslash, controls, and everything above 0x7f,
 * which is looked at one UTF-8 sequence at a time.
 */
#include "view/json.h"

#include "base/text.h"

#include <stdarg.h>

static const char hexdigits[] = "0123456789abcdef";

void
guts_json_init(struct guts_json *j, struct guts_buf *out)
{
	j->out = out;
	j->comma = false;
}

static void
before_value(struct guts_json *j)
{
	if (j->comma)
		guts_buf_add_u8(j->out, ',');
	j->comma = true;
}

static void
open_level(struct guts_json *j, uint8_t c)
{
	before_value(j);
	guts_buf_add_u8(j->out, c);
	j->comma = false;
}

static void
close_level(struct guts_json *j, uint8_t c)
{
	guts_buf_add_u8(j->out, c);
	j->comma = true;
}

void
guts_json_object(struct guts_json *j)
{
	open_level(j, '{');
}

void
guts_json_object_end(struct guts_json *j)
{
	close_level(j, '}');
}

void
guts_json_array(struct guts_json *j)
{
	open_level(j, '[');
}

void
guts_json_array_end(struct guts_json *j)
{
	close_level(j, ']');
}

void
guts_json_key(struct guts_json *j, const char *key)
{
	size_t n = strlen(key);
	uint8_t *p = guts_buf_reserve(j->out, n + 4);

	if (!p)
		return;
	size_t at = 0;
	if (j->comma)
		p[at++] = ',';
	p[at++] = '"';
	memcpy(p + at, key, n);
	at += n;
	p[at++] = '"';
	p[at++] = ':';
	guts_buf_commit(j->out, at);
	j->comma = false;
}

/* Length of the UTF-8 sequence at p, or 0 if there is none. */
static size_t
utf8_length(const uint8_t *p, size_t n)
{
	uint8_t lo = 0x80, hi = 0xbf;
	size_t more;

	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		more = 1;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		more = 2;
		lo = p[0] == 0xe0 ? 0xa0 : 0x80;
		hi = p[0] == 0xed ? 0x9f : 0xbf;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		more = 3;
		lo = p[0] == 0xf0 ? 0x90 : 0x80;
		hi = p[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (n <= more || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return more + 1;
}

static void
add_control(struct guts_buf *out, uint8_t c)
{
	char e[6] = { '\\', 'u', '0', '0', hexdigits[c >> 4], hexdigits[c & 15] };
	const char *shorts = "\bb\ff\nn\rr\tt";

	for (const char *s = shorts; *s; s += 2) {
		if ((uint8_t)s[0] == c) {
			e[1] = s[1];
			guts_buf_add(out, e, 2);
			return;
		}
	}
	guts_buf_add(out, e, sizeof e);
}

/* Append with escapes, without quotes. */
static void
add_escaped(struct guts_buf *out, struct guts_slice s)
{
	size_t i = 0, run = 0;

	while (i < s.n) {
		uint8_t c = s.p[i];
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		size_t len = c >= 0x80 ? utf8_length(s.p + i, s.n - i) : 0;
		if (len) {
			i += len;
			continue;
		}
		if (i > run)
			guts_buf_add(out, s.p + run, i - run);
		if (c >= 0x80)
			guts_buf_add(out, "\xef\xbf\xbd", 3);
		else if (c < 0x20)
			add_control(out, c);
		else
			guts_buf_add(out, c == '"' ? "\\\"" : "\\\\", 2);
		run = ++i;
	}
	if (i > run)
		guts_buf_add(out, s.p + run, i - run);
}

void
guts_json_text(struct guts_json *j, struct guts_slice s)
{
	before_value(j);
	guts_buf_add_u8(j->out, '"');
	add_escaped(j->out, s);
	guts_buf_add_u8(j->out, '"');
}

void
guts_json_name(struct guts_json *j, struct guts_slice name)
{
	guts_json_text(j, name);
	guts_buf_add_u8(j->out, ':');
	j->comma = false;
}

void
guts_json_str(struct guts_json *j, const char *s)
{
	if (s)
		guts_json_text(j, guts_slice_str(s));
	else
		guts_json_null(j);
}

void
guts_json_strs(struct guts_json *j, const char *first, ...)
{
	va_list ap;

	before_value(j);
	guts_buf_add_u8(j->out, '"');
	va_start(ap, first);
	for (const char *s = first; s; s = va_arg(ap, const char *))
		add_escaped(j->out, guts_slice_str(s));
	va_end(ap);
	guts_buf_add_u8(j->out, '"');
}

void
guts_json_u64(struct guts_json *j, uint64_t v)
{
	char text[20];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	before_value(j);
	guts_buf_add(j->out, text + at, sizeof text - at);
}

void
guts_json_i64(struct guts_json *j, int64_t v)
{
	if (v >= 0) {
		guts_json_u64(j, (uint64_t)v);
		return;
	}
	before_value(j);
	guts_buf_add_u8(j->out, '-');
	j->comma = false;
	guts_json_u64(j, ~(uint64_t)v + 1);
}

void
guts_json_bool(struct guts_json *j, bool v)
{
	before_value(j);
	guts_buf_add_str(j->out, v ? "true" : "false");
}

void
guts_json_null(struct guts_json *j)
{
	before_value(j);
	guts_buf_add_str(j->out, "null");
}

void
guts_json_time(struct guts_json *j, uint64_t wall_ms)
{
	char text[25];

	guts_text_time(text, wall_ms * 1000000);
	guts_json_str(j, text);
}

void
guts_json_hex(struct guts_json *j, const void *p, size_t n)
{
	const uint8_t *b = p;

	before_value(j);
	uint8_t *to = guts_buf_reserve(j->out, 2 * n + 2);
	if (!to)
		return;
	*to++ = '"';
	for (size_t i = 0; i < n; i++) {
		*to++ = (uint8_t)hexdigits[b[i] >> 4];
		*to++ = (uint8_t)hexdigits[b[i] & 15];
	}
	*to = '"';
	guts_buf_commit(j->out, 2 * n + 2);
}

void
guts_json_base64(struct guts_json *j, struct guts_slice s)
{
	size_t n = 4 * ((s.n + 2) / 3);

	before_value(j);
	guts_buf_add_u8(j->out, '"');
	uint8_t *to = guts_buf_reserve(j->out, n + 1);
	if (!to)
		return;
	guts_base64_encode((char *)to, s.p, s.n);
	guts_buf_commit(j->out, n);
	guts_buf_add_u8(j->out, '"');
}

void
guts_json_raw(struct guts_json *j, struct guts_slice s)
{
	before_value(j);
	guts_buf_add_slice(j->out, s);
}

void
guts_json_put_str(struct guts_json *j, const char *key, const char *s)
{
	guts_json_key(j, key);
	guts_json_str(j, s);
}

void
guts_json_put_text(struct guts_json *j, const char *key, struct guts_slice s)
{
	guts_json_key(j, key);
	guts_json_text(j, s);
}

void
guts_json_put_u64(struct guts_json *j, const char *key, uint64_t v)
{
	guts_json_key(j, key);
	guts_json_u64(j, v);
}

void
guts_json_put_bool(struct guts_json *j, const char *key, bool v)
{
	guts_json_key(j, key);
	guts_json_bool(j, v);
}

void
guts_json_put_null(struct guts_json *j, const char *key)
{
	guts_json_key(j, key);
	guts_json_null(j);
}

void
guts_json_put_time(struct guts_json *j, const char *key, uint64_t wall_ms)
{
	guts_json_key(j, key);
	guts_json_time(j, wall_ms);
}

void
guts_json_put_time_or_null(struct guts_json *j, const char *key, uint64_t wall_ms)
{
	if (wall_ms)
		guts_json_put_time(j, key, wall_ms);
	else
		guts_json_put_null(j, key);
}
