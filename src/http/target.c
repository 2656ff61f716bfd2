/* http/target.c - one pass over the target, decoding in place: a decoded part is never longer than its raw form. */
#include "http/target.h"

#include "base/err.h"
#include "base/text.h"

struct scan {
	char *text;
	size_t at, n;  /* next raw byte */
	size_t to;     /* next decoded byte */
	bool odd;      /* the last part held an encoded control byte or backslash */
};

/* Decode until one of `stops` or the end; false on a byte that may not be there. */
static bool
take_part(struct scan *s, const char *stops, bool plus)
{
	s->odd = false;
	while (s->at < s->n && !strchr(stops, s->text[s->at])) {
		unsigned char c = (unsigned char)s->text[s->at++];
		if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '#')
			return false;
		if (c == '+' && plus)
			c = ' ';
		if (c == '%') {
			int hi = s->at < s->n ? guts_hex_value((uint8_t)s->text[s->at]) : -1;
			int lo = s->at + 1 < s->n ? guts_hex_value((uint8_t)s->text[s->at + 1]) : -1;
			if (hi < 0 || lo < 0)
				return false;
			c = (unsigned char)(hi << 4 | lo);
			if (c == 0)
				return false;
			s->odd |= c < 0x20 || c == 0x7f || c == '\\';
			s->at += 2;
		}
		s->text[s->to++] = (char)c;
	}
	return true;
}

static bool
is_dots(const char *p, size_t n)
{
	return (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
}

static int
take_path(struct guts_target *t, struct scan *s)
{
	t->odd = GUTS_TARGET_SEGMENTS_MAX;
	while (s->at < s->n && s->text[s->at] == '/') {
		s->at++;
		if (s->at == s->n || s->text[s->at] == '?') {
			t->slash = true;
			break;
		}
		size_t from = s->to;
		if (!take_part(s, "/?", false) || s->to == from || is_dots(s->text + from, s->to - from))
			return GUTS_EPROTO;
		if (t->nseg == GUTS_TARGET_SEGMENTS_MAX)
			return GUTS_ELIMIT;
		if (s->odd && t->odd > t->nseg)
			t->odd = t->nseg;
		t->seg[t->nseg].off = (uint16_t)from;
		t->seg[t->nseg++].n = (uint16_t)(s->to - from);
	}
	if (t->odd > t->nseg)
		t->odd = t->nseg;
	return 0;
}

static int
take_query(struct guts_target *t, struct scan *s)
{
	while (s->at < s->n) {
		size_t key = s->to, val;
		if (!take_part(s, "&=", true) || s->odd)
			return GUTS_EPROTO;
		val = s->to;
		if (s->at < s->n && s->text[s->at] == '=') {
			s->at++;
			if (!take_part(s, "&", true) || (s->odd && !guts_slice_eq(guts_slice(s->text + key, val - key), guts_slice_str("path"))))
				return GUTS_EPROTO;
		}
		if (s->at < s->n)
			s->at++;
		if (val == key && s->to == val)
			continue;
		if (t->nquery == GUTS_TARGET_QUERIES_MAX)
			return GUTS_ELIMIT;
		t->query[t->nquery].key = (uint16_t)key;
		t->query[t->nquery].nkey = (uint16_t)(val - key);
		t->query[t->nquery].val = (uint16_t)val;
		t->query[t->nquery++].nval = (uint16_t)(s->to - val);
	}
	return 0;
}

int
guts_target_parse(struct guts_target *t, char *text, size_t n)
{
	struct scan s = { .text = text, .n = n };
	int err;

	memset(t, 0, sizeof *t);
	t->text = text;
	if (n > GUTS_TARGET_MAX)
		return GUTS_ELIMIT;
	if (n == 0 || text[0] != '/' || memchr(text, 0, n))
		return GUTS_EPROTO;
	if ((err = take_path(t, &s)) < 0)
		return err;
	if (s.at < n && text[s.at++] != '?')
		return GUTS_EPROTO;
	return take_query(t, &s);
}

struct guts_slice
guts_target_segment(const struct guts_target *t, size_t i)
{
	if (i >= t->nseg)
		return guts_slice(NULL, 0);
	return guts_slice(t->text + t->seg[i].off, t->seg[i].n);
}

struct guts_slice
guts_target_query(const struct guts_target *t, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < t->nquery; i++) {
		if (t->query[i].nkey == n && memcmp(t->text + t->query[i].key, key, n) == 0)
			return guts_slice(t->text + t->query[i].val, t->query[i].nval);
	}
	return guts_slice(NULL, 0);
}
