/* conf/edit.c - a configuration file is a list of lines; one pass finds those of an option, another writes them anew.
 *
 * The lines are understood as libinih does: a line that begins with white space goes on with the option before it, " ;" begins a
 * comment behind a value, sections may come more than once.
 */
#include "conf/edit.h"

#include <string.h>

#define LINE_MAX_BYTES 190 /* libinih reads lines of at most 198 */
#define NOWHERE SIZE_MAX

enum kind {
	BLANK,
	COMMENT,
	SECTION,
	MORE,  /* goes on with the option before it */
	OPTION,
};

struct line {
	struct guts_slice text; /* with its line break */
	struct guts_slice body; /* without white space around it */
	enum kind kind;
	bool is_ours;           /* OPTION, MORE: of the option that is changed; COMMENT: its template */
	bool in_section;        /* of the option's section, its head too */
};

struct place {
	const char *section, *key; /* views into the option's name */
	size_t nsection;
	bool in_section, after_ours, after_option; /* what the lines before say */
};

static bool
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct guts_slice
trim(struct guts_slice s)
{
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

static bool
equals(struct guts_slice s, const char *text, size_t n)
{
	return s.n == n && memcmp(s.p, text, n) == 0;
}

/* The name before = or :. */
static struct guts_slice
name_of(struct guts_slice body)
{
	size_t n = 0;

	while (n < body.n && body.p[n] != '=' && body.p[n] != ':')
		n++;
	return trim(guts_slice(body.p, n));
}

static void
look(struct place *at, struct line *l)
{
	const uint8_t *close;
	struct guts_slice rest;

	l->body = trim(l->text);
	l->is_ours = false;
	if (l->body.n == 0) {
		l->kind = BLANK;
	} else if (l->body.p[0] == '#' || l->body.p[0] == ';') {
		l->kind = COMMENT;
		rest = trim(guts_slice(l->body.p + 1, l->body.n - 1));
		l->is_ours = at->in_section && memchr(rest.p, '=', rest.n) && equals(name_of(rest), at->key, strlen(at->key));
	} else if (at->after_option && is_space(l->text.p[0])) {
		l->kind = MORE;
		l->is_ours = at->after_ours;
	} else if (l->body.p[0] == '[') {
		l->kind = SECTION;
		close = memchr(l->body.p, ']', l->body.n);
		at->in_section = close && equals(guts_slice(l->body.p + 1, (size_t)(close - l->body.p) - 1), at->section, at->nsection);
		at->after_ours = at->after_option = false;
	} else {
		l->kind = OPTION;
		at->after_option = true;
		at->after_ours = l->is_ours = at->in_section && equals(name_of(l->body), at->key, strlen(at->key));
	}
	l->in_section = at->in_section;
}

static bool
next(struct guts_slice *rest, struct place *at, struct line *l)
{
	const uint8_t *end;

	if (rest->n == 0)
		return false;
	end = memchr(rest->p, '\n', rest->n);
	l->text = guts_slice(rest->p, end ? (size_t)(end - rest->p) + 1 : rest->n);
	*rest = guts_slice(rest->p + l->text.n, rest->n - l->text.n);
	look(at, l);
	return true;
}

/* The comment behind a value, from its ; on; n = 0: none. */
static struct guts_slice
note_of(struct guts_slice body)
{
	for (size_t i = 1; i < body.n; i++) {
		if (body.p[i] == ';' && is_space(body.p[i - 1]))
			return guts_slice(body.p + i, body.n - i);
	}
	return guts_slice(NULL, 0);
}

struct edit {
	struct guts_buf *out;
	struct place at;
	const char *eol;
	const char *const *values;
	size_t n;
	size_t line;    /* where the new lines go: in place of, or after, this one; NOWHERE: in a new section at the end */
	bool replaces;
};

/* Where the new lines belong. */
static void
find_place(struct edit *e, struct guts_slice rest)
{
	struct place at = e->at;
	struct line l;
	size_t template = NOWHERE, last = NOWHERE;

	e->line = NOWHERE;
	for (size_t i = 0; next(&rest, &at, &l) && !e->replaces; i++) {
		if (l.kind == OPTION && l.is_ours) {
			e->replaces = true;
			e->line = i;
		} else if (l.kind == COMMENT && l.is_ours) {
			template = i;
		} else if (l.in_section && l.kind != BLANK) {
			last = i;
		}
	}
	if (!e->replaces)
		e->line = template != NOWHERE ? template : last;
}

static void
write_values(struct edit *e, struct guts_slice note)
{
	size_t length = strlen(e->at.key) + 3 + (note.n ? note.n + 1 : 0);

	for (size_t i = 0; i < e->n; i++)
		length += strlen(e->values[i]) + 1;
	bool one_line = length <= LINE_MAX_BYTES;
	for (size_t i = 0; i < e->n; i++) {
		if (i == 0 || !one_line)
			guts_buf_printf(e->out, "%s = ", e->at.key);
		else
			guts_buf_add_str(e->out, " ");
		guts_buf_add_str(e->out, e->values[i]);
		if (note.n && (one_line ? i + 1 == e->n : i == 0)) {
			guts_buf_add_str(e->out, " ");
			guts_buf_add_slice(e->out, note);
		}
		if (i + 1 == e->n || !one_line)
			guts_buf_add_str(e->out, e->eol);
	}
	if (e->n == 0 && note.n) { /* it is the person's, so it stays */
		guts_buf_add_slice(e->out, note);
		guts_buf_add_str(e->out, e->eol);
	}
}

static void
copy_line(struct edit *e, const struct line *l)
{
	struct guts_slice text = l->text;

	/* what begins something may be indented; behind a new option it would go on with that */
	while ((l->kind == OPTION || l->kind == SECTION) && is_space(text.p[0]))
		text = guts_slice(text.p + 1, text.n - 1);
	guts_buf_add_slice(e->out, text);
	if (text.p[text.n - 1] != '\n')
		guts_buf_add_str(e->out, e->eol);
}

int
guts_conf_edit(struct guts_buf *out, struct guts_slice old, enum guts_conf_id id, const char *const *values, size_t n)
{
	const char *name = guts_conf_option(id)->name;
	size_t dot = strcspn(name, ".");
	const uint8_t *lf = old.n ? memchr(old.p, '\n', old.n) : NULL;
	struct edit e = { .out = out, .at = { .section = name, .nsection = dot, .key = name + dot + 1 }, .values = values, .n = n,
		.eol = lf && lf != old.p && lf[-1] == '\r' ? "\r\n" : "\n" };
	struct guts_slice rest = old;
	struct line l;

	for (size_t i = 0; i < n; i++) {
		if (strpbrk(values[i], "\r\n"))
			return GUTS_EINVAL;
	}
	if (rest.n >= 3 && memcmp(rest.p, "\xef\xbb\xbf", 3) == 0) {
		guts_buf_add(out, rest.p, 3);
		rest = guts_slice(rest.p + 3, rest.n - 3);
	}
	find_place(&e, rest);
	for (size_t i = 0; next(&rest, &e.at, &l); i++) {
		bool ours = l.is_ours && (l.kind == OPTION || l.kind == MORE);
		if (!ours)
			copy_line(&e, &l);
		if (i == e.line)
			write_values(&e, e.replaces ? note_of(l.body) : guts_slice(NULL, 0));
	}
	if (e.line == NOWHERE && n) {
		guts_buf_printf(out, "%s[%.*s]%s", old.n ? e.eol : "", (int)dot, name, e.eol);
		write_values(&e, guts_slice(NULL, 0));
	}
	return out->failed ? GUTS_ELIMIT : GUTS_OK;
}
