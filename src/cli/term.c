/* cli/term.c - the terminal: what may be written to it, and in which colours. */
#include "cli/term.h"

#include "base/alloc.h"
#include "base/err.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

bool
guts_term_colors(FILE *f)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return (none == NULL || none[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0) && isatty(fileno(f));
}

unsigned
guts_term_width(FILE *f)
{
	struct winsize w = { 0 };

	if (!isatty(fileno(f)))
		return 0;
	if (ioctl(fileno(f), TIOCGWINSZ, &w) || w.ws_col < 20)
		return 80;
	return w.ws_col;
}

const char *
guts_term_style(bool on, enum guts_style s)
{
	static const char *const codes[] = { "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m" };

	return on ? codes[s] : "";
}

/* Bytes of the UTF-8 character at `s` and its code point; 0 if there is none. */
static size_t
utf8_next(const char *s, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	size_t have = strnlen(s, n);

	if (have < n || !guts_text_is_utf8(guts_slice(s, n)))
		return 0;
	*code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		*code = *code << 6 | (p[i] & 0x3fu);
	return n;
}

/* Bidirectional controls reorder what a reader sees; they count as control characters. */
static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0x200e || c == 0x200f || c == 0x2028 || c == 0x2029;
}

char *
guts_term_clean(const char *s, bool lf)
{
	char *out = guts_alloc(strlen(s) + 1), *p = out;

	while (*s != '\0') {
		uint32_t code = 0;
		size_t n = utf8_next(s, &code);

		if (n == 0 || (is_control(code) && !(lf && (code == '\n' || code == '\t')))) {
			*p++ = '?';
			s += n ? n : 1;
			continue;
		}
		memcpy(p, s, n);
		p += n;
		s += n;
	}
	*p = '\0';
	return out;
}

void
guts_term_line(const char *name, const char *value)
{
	bool color = guts_term_colors(stdout);
	char *clean = guts_term_clean(value, false);

	printf("%s%-13s%s %s\n", guts_term_style(color, GUTS_STYLE_DIM), name, guts_term_style(color, GUTS_STYLE_PLAIN),
	    clean);
	free(clean);
}

static unsigned
columns_of(uint32_t code)
{
	int w = wcwidth((wchar_t)code);

	return w < 0 ? 1 : (unsigned)w;
}

unsigned
guts_term_columns(const char *s)
{
	unsigned n = 0;

	while (*s != '\0') {
		uint32_t code = '?';
		size_t k = utf8_next(s, &code);

		n += columns_of(code);
		s += k ? k : 1;
	}
	return n;
}

void
guts_fmt_bytes(char out[16], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1023.5 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		u++;
	}
	snprintf(out, 16, u == 0 || v >= 99.95 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

void
guts_fmt_span(char out[24], uint64_t s)
{
	if (s < 120)
		snprintf(out, 24, "%llu s", (unsigned long long)s);
	else if (s < 7200)
		snprintf(out, 24, "%llu min", (unsigned long long)(s / 60));
	else if (s < 172800)
		snprintf(out, 24, "%llu h", (unsigned long long)(s / 3600));
	else
		snprintf(out, 24, "%llu d", (unsigned long long)(s / 86400));
}

int
guts_time_parse(const char *time, int64_t *out)
{
	struct tm tm = { 0 };
	const char *rest = strptime(time, "%Y-%m-%dT%H:%M:%S", &tm);

	if (rest == NULL)
		return GUTS_EINVAL;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcmp(rest, "Z") != 0)
		return GUTS_EINVAL;
	*out = (int64_t)timegm(&tm);
	return GUTS_OK;
}

void
guts_fmt_age(char out[40], const char *time, int64_t now)
{
	char span[24];
	int64_t at;

	if (time == NULL || guts_time_parse(time, &at)) {
		snprintf(out, 40, "never");
		return;
	}
	guts_fmt_span(span, (uint64_t)(at > now ? at - now : now - at));
	if (at > now)
		snprintf(out, 40, "in %s", span);
	else
		snprintf(out, 40, "%s ago", span);
}

void
guts_fmt_id(char out[16], const char *id)
{
	size_t n = strlen(id);

	if (n > GUTS_SHORT_ID)
		snprintf(out, 16, "…%s", id + n - GUTS_SHORT_ID);
	else
		snprintf(out, 16, "%s", id);
}

void
guts_rows_init(struct guts_rows *t, const struct guts_column *columns, size_t n)
{
	*t = (struct guts_rows){ .columns = columns, .ncolumns = n };
}

void
guts_rows_add(struct guts_rows *t, const char *text)
{
	if (t->ncells >= (size_t)GUTS_ROWS_MAX * t->ncolumns)
		return;
	if (t->ncells == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->cells = guts_realloc(t->cells, t->cap * sizeof(*t->cells));
	}
	t->cells[t->ncells++] = guts_term_clean(text != NULL ? text : "", false);
}

void
guts_rows_addf(struct guts_rows *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	guts_rows_add(t, text);
}

/* Cut `s` in place to `width` columns, with an ellipsis if something is lost. */
static char *
cut(char *s, unsigned width)
{
	unsigned n = 0;
	char *p = s;

	if (guts_term_columns(s) <= width || width == 0)
		return s;
	for (;;) {
		uint32_t code = '?';
		size_t k = utf8_next(p, &code);

		if (n + columns_of(code) > width - 1)
			break;
		n += columns_of(code);
		p += k ? k : 1;
	}
	*p = '\0';
	p = guts_asprintf("%s…", s);
	free(s);
	return p;
}

static void
print_cell(FILE *f, const char *s, const struct guts_column *c, unsigned width, bool last)
{
	unsigned have = guts_term_columns(s);
	int pad = have < width ? (int)(width - have) : 0;

	if (c->right)
		fprintf(f, "%*s%s", pad, "", s);
	else
		fprintf(f, "%s%*s", s, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", f);
}

static void
fit(struct guts_rows *t, unsigned width[GUTS_COLUMNS_MAX], unsigned terminal)
{
	unsigned sum = 0, least;

	for (size_t i = 0; i < t->ncolumns; i++)
		sum += width[i] + (i + 1 < t->ncolumns ? 2 : 0);
	for (size_t i = 0; terminal && sum > terminal && i < t->ncolumns; i++) {
		least = guts_term_columns(t->columns[i].title);
		if (!t->columns[i].flex || width[i] <= least)
			continue;
		width[i] = width[i] - least > sum - terminal ? width[i] - (sum - terminal) : least;
		if (width[i] < 4)
			width[i] = 4;
		for (size_t k = i; k < t->ncells; k += t->ncolumns)
			t->cells[k] = cut(t->cells[k], width[i]);
		break;
	}
}

void
guts_rows_end(struct guts_rows *t, FILE *f, const char *empty)
{
	unsigned width[GUTS_COLUMNS_MAX] = { 0 }, w;
	bool color = f != NULL && guts_term_colors(f);

	for (size_t i = 0; i < t->ncolumns; i++)
		width[i] = guts_term_columns(t->columns[i].title);
	for (size_t i = 0; i < t->ncells; i++) {
		w = guts_term_columns(t->cells[i]);
		if (w > width[i % t->ncolumns])
			width[i % t->ncolumns] = w;
	}
	if (f != NULL)
		fit(t, width, guts_term_width(f));
	if (f != NULL && t->ncells == 0) {
		fprintf(f, "%s\n", empty);
	} else if (f != NULL) {
		fputs(guts_term_style(color, GUTS_STYLE_BOLD), f);
		for (size_t i = 0; i < t->ncolumns; i++)
			print_cell(f, t->columns[i].title, &t->columns[i], width[i], i + 1 == t->ncolumns);
		fputs(guts_term_style(color, GUTS_STYLE_PLAIN), f);
	}
	for (size_t i = 0; i < t->ncells; i++) {
		size_t c = i % t->ncolumns;

		if (f != NULL)
			print_cell(f, t->cells[i], &t->columns[c], width[c], c + 1 == t->ncolumns);
		free(t->cells[i]);
	}
	free(t->cells);
	*t = (struct guts_rows){ 0 };
}

void
guts_progress_init(struct guts_progress *p)
{
	*p = (struct guts_progress){ .is_tty = isatty(STDERR_FILENO) != 0 };
}

void
guts_progress_show(struct guts_progress *p, const char *what, uint64_t done, uint64_t total, const char *detail)
{
	static const char turning[] = "|/-\\";
	char bar[32], line[256], *clean;
	unsigned width = guts_term_width(stderr);

	if (!p->is_tty)
		return;
	if (total > 0 && done <= total) {
		int filled = (int)(done * 20 / total);

		snprintf(bar, sizeof(bar), "[%.*s%*s] %3u %%", filled, "####################", 20 - filled, "",
		    (unsigned)(done * 100 / total));
	} else {
		snprintf(bar, sizeof(bar), "%c", turning[p->turn++ % 4]);
	}
	snprintf(line, sizeof(line), "%s %s  %s", bar, what, detail != NULL ? detail : "");
	clean = cut(guts_term_clean(line, false), width > 1 ? width - 1 : 79);
	fprintf(stderr, "\r\033[K%s", clean);
	fflush(stderr);
	p->shown = 1;
	free(clean);
}

void
guts_progress_end(struct guts_progress *p)
{
	if (p->shown) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
	p->shown = 0;
}
