/* base/text.c - see text.h.  Everything here works on length and pointer: a NUL is a byte like others. */
#include "base/text.h"

#include "base/err.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

/* The code point at the front of p[0..n): its length, or 0 if it is no UTF-8.
 * Source: RFC 3629 section 4. */
static size_t
utf8_read(const uint8_t *p, size_t n, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4 || len > n)
		return 0;
	*cp = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

bool
guts_text_is_utf8(struct guts_slice s)
{
	uint32_t cp;

	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_read(s.p + i, s.n - i, &cp);

		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

bool
guts_text_is_clean(struct guts_slice s, bool allow_lf)
{
	uint32_t cp;

	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_read(s.p + i, s.n - i, &cp);

		if (len == 0 || (cp >= 0x7f && cp < 0xa0))
			return false;
		if (cp < 0x20 && !(allow_lf && (cp == '\n' || cp == '\t')))
			return false;
		i += len;
	}
	return true;
}

void
guts_hex_encode(char *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

int
guts_hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
guts_hex_decode(uint8_t *out, size_t n, struct guts_slice s)
{
	if (n > SIZE_MAX / 2 || s.n != 2 * n)
		return GUTS_EINVAL;
	for (size_t i = 0; i < n; i++) {
		int hi = guts_hex_value(s.p[2 * i]), lo = guts_hex_value(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return GUTS_EINVAL;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return GUTS_OK;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
guts_base64_encode(char *out, const void *p, size_t n)
{
	const uint8_t *in = p;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < n)
			v |= in[i + 2];
		*out++ = base64_digits[v >> 18];
		*out++ = base64_digits[v >> 12 & 63];
		*out++ = i + 1 < n ? base64_digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? base64_digits[v & 63] : '=';
	}
	*out = '\0';
}

static int
base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
guts_base64_decode(uint8_t *out, size_t n_max, struct guts_slice s, size_t *n_out)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = s.n, pad = 0, k = 0;

	while (pad < 2 && n > 0 && s.p[n - 1] == '=') {
		n--;
		pad++;
	}
	if (n % 4 == 1 || (pad && (n + pad) % 4 != 0))
		return GUTS_EINVAL;
	for (size_t i = 0; i < n; i++) {
		int v = base64_value(s.p[i]);

		if (v < 0)
			return GUTS_EINVAL;
		acc = (acc << 6 | (uint32_t)v) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (k == n_max)
			return GUTS_EINVAL;
		out[k++] = (uint8_t)(acc >> bits);
	}
	/* Bits that are left over must be zero: one text per value. */
	if (acc & ((1u << bits) - 1))
		return GUTS_EINVAL;
	*n_out = k;
	return GUTS_OK;
}

int
guts_text_u64(struct guts_slice s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	bool over = false;

	if (s.n == 0 || (s.n > 1 && s.p[0] == '0'))
		return GUTS_EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return GUTS_EINVAL;
		over |= __builtin_mul_overflow(v, 10, &v);
		over |= __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v);
	}
	if (over || v > max)
		return GUTS_ELIMIT;
	*out = v;
	return GUTS_OK;
}

void
guts_text_time(char out[25], uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / NS_PER_S);
	unsigned ms = (unsigned)(wall_ns / 1000000 % 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	/* Bounded for the compiler's eye; 2^64 ns end in 2554. */
	snprintf(out, 25, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(tm.tm_year + 1900) % 10000,
	    (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
	    (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, ms);
}

/* `n` digits at *p, which moves on; -1 if there are others. */
static int
take_digits(const char **p, unsigned n)
{
	int v = 0;

	for (; n > 0; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (**p - '0');
	}
	return v;
}

/* Two digits below `limit` behind the character `before`; -1 if there is something else. */
static int
take_part(const char **p, const char *before, int limit)
{
	int v;

	if (**p == '\0' || strchr(before, **p) == NULL)
		return -1;
	++*p;
	v = take_digits(p, 2);
	return v < limit ? v : -1;
}

/* Seconds east of UTC at *p: "Z" or "+hh:mm"; false if there is something else. */
static bool
take_zone(const char **p, int *east_s)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes;

	*east_s = 0;
	if (**p == 'Z' || **p == 'z') {
		++*p;
		return true;
	}
	hours = take_part(p, "+- ", 24);
	minutes = hours < 0 ? -1 : take_part(p, ":", 60);
	*east_s = sign * (hours * 3600 + minutes * 60);
	return minutes >= 0;
}

int
guts_text_parse_time(struct guts_slice s, int64_t *time_s)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	char text[64];
	const char *p = text;
	struct tm tm = { 0 };
	int east_s = 0;

	if (s.n >= sizeof(text))
		return GUTS_EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	tm.tm_year = take_digits(&p, 4) - 1900;
	tm.tm_mon = tm.tm_year < -1900 ? -1 : take_part(&p, "-", 13) - 1;
	tm.tm_mday = tm.tm_mon < 0 ? -1 : take_part(&p, "-", 32);
	if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > days[tm.tm_mon])
		return GUTS_EINVAL;
	if (*p != '\0') {
		if ((tm.tm_hour = take_part(&p, "Tt ", 24)) < 0 || (tm.tm_min = take_part(&p, ":", 60)) < 0 ||
		    (tm.tm_sec = take_part(&p, ":", 61)) < 0)
			return GUTS_EINVAL;
		if (*p == '.')
			p += 1 + strspn(p + 1, "0123456789");
		if (!take_zone(&p, &east_s) || *p != '\0')
			return GUTS_EINVAL;
	}
	*time_s = (int64_t)timegm(&tm) - east_s;
	return GUTS_OK;
}

bool
guts_mem_eq_ct(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff = (uint8_t)(diff | (x[i] ^ y[i]));
	return diff == 0;
}
