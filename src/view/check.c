/* view/check.c - a recursive-descent validator that allocates only for member names.
 *
 * Names of open objects lie one after another in one buffer, unescaped, each with its length in
 * front; an object looks only at its own part.  GUTS_JSON_MEMBERS_MAX bounds that search.
 */
#include "view/check.h"

#include "base/buf.h"
#include "base/text.h"

struct check {
	const uint8_t *p, *end, *start;
	struct guts_buf names; /* u8 length, bytes … of all open objects */
	unsigned depth;
	struct guts_errinfo *ei;
};

static int check_value(struct check *c);

static int
bad(struct check *c, const char *what)
{
	return guts_err_set(c->ei, GUTS_EPROTO, "not JSON: %s at byte %zu", what, (size_t)(c->p - c->start));
}

static int
over(struct check *c, const char *what)
{
	return guts_err_set(c->ei, GUTS_ELIMIT, "this JSON is not taken: %s at byte %zu", what, (size_t)(c->p - c->start));
}

static void
skip_space(struct check *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool
take(struct check *c, uint8_t ch)
{
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

static int
check_word(struct check *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return bad(c, "unknown word");
	c->p += n;
	return 0;
}

/* Four hex digits. */
static int
take_hex4(struct check *c, uint32_t *out)
{
	uint8_t b[2];

	if (c->end - c->p < 4 || guts_hex_decode(b, 2, guts_slice(c->p, 4)) < 0)
		return bad(c, "bad \\u escape");
	c->p += 4;
	*out = (uint32_t)b[0] << 8 | b[1];
	return 0;
}

static size_t
put_utf8(uint8_t *to, uint32_t u)
{
	if (u < 0x80) {
		to[0] = (uint8_t)u;
		return 1;
	}
	if (u < 0x800) {
		to[0] = (uint8_t)(0xc0 | u >> 6);
		to[1] = (uint8_t)(0x80 | (u & 0x3f));
		return 2;
	}
	if (u < 0x10000) {
		to[0] = (uint8_t)(0xe0 | u >> 12);
		to[1] = (uint8_t)(0x80 | (u >> 6 & 0x3f));
		to[2] = (uint8_t)(0x80 | (u & 0x3f));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | u >> 18);
	to[1] = (uint8_t)(0x80 | (u >> 12 & 0x3f));
	to[2] = (uint8_t)(0x80 | (u >> 6 & 0x3f));
	to[3] = (uint8_t)(0x80 | (u & 0x3f));
	return 4;
}

/* What follows a backslash; *out = the character. */
static int
check_escape(struct check *c, uint32_t *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t low;
	int err;

	if (c->p == c->end)
		return bad(c, "string without end");
	const char *at = *c->p ? strchr(from, *c->p) : NULL;
	if (at) {
		c->p++;
		*out = (uint8_t)to[at - from];
		return 0;
	}
	if (!take(c, 'u'))
		return bad(c, "unknown escape");
	if ((err = take_hex4(c, out)) < 0)
		return err;
	if (*out == 0)
		return bad(c, "U+0000");
	if (*out >= 0xdc00 && *out <= 0xdfff)
		return bad(c, "lone surrogate");
	if (*out < 0xd800 || *out > 0xdbff)
		return 0;
	if (!take(c, '\\') || !take(c, 'u'))
		return bad(c, "lone surrogate");
	if ((err = take_hex4(c, &low)) < 0)
		return err;
	if (low < 0xdc00 || low > 0xdfff)
		return bad(c, "lone surrogate");
	*out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
	return 0;
}

/* A string after its opening quote; `name` not NULL: its characters are appended there. */
static int
check_string(struct check *c, struct guts_buf *name)
{
	const uint8_t *run = c->p;
	uint8_t utf8[4];
	uint32_t u = 0;
	int err;

	for (;;) {
		if (c->p == c->end)
			return bad(c, "string without end");
		uint8_t ch = *c->p;
		if (ch < 0x20)
			return bad(c, "raw control character");
		if (ch != '"' && ch != '\\') {
			c->p++;
			continue;
		}
		if (name)
			guts_buf_add(name, run, (size_t)(c->p - run));
		c->p++;
		if (ch == '"')
			return name && name->failed ? over(c, "a member's name is too long") : 0;
		if ((err = check_escape(c, &u)) < 0)
			return err;
		if (name)
			guts_buf_add(name, utf8, put_utf8(utf8, u));
		run = c->p;
	}
}

/* A number: grammar, and range for integers. */
static int
check_number(struct check *c)
{
	const uint8_t *digits;
	uint64_t v = 0;
	bool whole = true;

	take(c, '-');
	digits = c->p;
	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	size_t n = (size_t)(c->p - digits);
	if (n == 0 || (n > 1 && digits[0] == '0'))
		return bad(c, "bad number");
	if (take(c, '.')) {
		const uint8_t *at = c->p;
		while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
			c->p++;
		if (c->p == at)
			return bad(c, "bad number");
		whole = false;
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (!take(c, '+'))
			take(c, '-');
		const uint8_t *at = c->p;
		while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
			c->p++;
		if (c->p == at)
			return bad(c, "bad number");
		whole = false;
	}
	if (whole && guts_text_u64(guts_slice(digits, n), INT64_MAX, &v) < 0)
		return over(c, "a number is too large");
	return 0;
}

/* Is the newest name (the last `n` bytes) among those since `first`?  Each name has its length in front. */
static bool
is_repeated(const struct check *c, size_t first, size_t at)
{
	struct guts_slice all = guts_buf_slice(&c->names);
	struct guts_slice mine = guts_slice(all.p + at + 1, all.p[at]);

	for (size_t i = first; i < at; i += 1u + all.p[i]) {
		if (guts_slice_eq(guts_slice(all.p + i + 1, all.p[i]), mine))
			return true;
	}
	return false;
}

static int
check_member(struct check *c, size_t first)
{
	struct guts_buf name;
	size_t at = c->names.len;
	int err;

	if (!take(c, '"'))
		return bad(c, "a member's name is missing");
	guts_buf_init(&name, GUTS_JSON_KEY_MAX);
	err = check_string(c, &name);
	if (err == 0) {
		guts_buf_add_u8(&c->names, (uint8_t)name.len);
		guts_buf_add_slice(&c->names, guts_buf_slice(&name));
	}
	guts_buf_deinit(&name);
	if (err < 0)
		return err;
	if (c->names.failed)
		return over(c, "too many members");
	if (is_repeated(c, first, at))
		return bad(c, "a member comes twice");
	skip_space(c);
	if (!take(c, ':'))
		return bad(c, "colon is missing");
	return check_value(c);
}

static int
check_object(struct check *c)
{
	size_t first = c->names.len;
	unsigned members = 0;
	int err;

	skip_space(c);
	if (take(c, '}'))
		return 0;
	for (;;) {
		if (++members > GUTS_JSON_MEMBERS_MAX)
			return over(c, "too many members");
		skip_space(c);
		if ((err = check_member(c, first)) < 0)
			return err;
		skip_space(c);
		if (take(c, '}'))
			break;
		if (!take(c, ','))
			return bad(c, "comma or brace is missing");
	}
	guts_buf_truncate(&c->names, first);
	return 0;
}

static int
check_array(struct check *c)
{
	int err;

	skip_space(c);
	if (take(c, ']'))
		return 0;
	for (;;) {
		if ((err = check_value(c)) < 0)
			return err;
		skip_space(c);
		if (take(c, ']'))
			return 0;
		if (!take(c, ','))
			return bad(c, "comma or bracket is missing");
	}
}

static int
check_value(struct check *c)
{
	int err;

	skip_space(c);
	if (c->p == c->end)
		return bad(c, "a value is missing");
	switch (*c->p) {
	case '{':
	case '[':
		if (++c->depth > GUTS_JSON_DEPTH_MAX)
			return over(c, "nested too deep");
		err = *c->p++ == '{' ? check_object(c) : check_array(c);
		c->depth--;
		return err;
	case '"':
		c->p++;
		return check_string(c, NULL);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return check_number(c);
	}
}

int
guts_json_check(struct guts_slice in, struct guts_errinfo *ei)
{
	struct check c = { .p = in.p, .end = in.p + in.n, .start = in.p, .ei = ei };
	int err;

	if (in.n > GUTS_JSON_MAX)
		return guts_err_set(ei, GUTS_ELIMIT, "over %u bytes", GUTS_JSON_MAX);
	if (in.n == 0)
		return guts_err_set(ei, GUTS_EPROTO, "the body is empty");
	if (!guts_text_is_utf8(in))
		return guts_err_set(ei, GUTS_EPROTO, "not JSON: not UTF-8");
	guts_buf_init(&c.names, (GUTS_JSON_KEY_MAX + 1) * GUTS_JSON_MEMBERS_MAX * GUTS_JSON_DEPTH_MAX);
	err = check_value(&c);
	if (err == 0) {
		skip_space(&c);
		if (c.p != c.end)
			err = bad(&c, "something follows the value");
	}
	guts_buf_deinit(&c.names);
	return err;
}
