/* cli/term.h - words for people: colours, sizes, ages, short ids, tables, a progress line.
 *
 * Text that came from a node may have been written by a stranger: everything printed for people
 * goes through guts_term_clean first, so that no escape sequence reaches a terminal.
 */
#ifndef GUTS_CLI_TERM_H
#define GUTS_CLI_TERM_H

#include "base/buf.h"

#include <stdio.h>

enum guts_style { GUTS_STYLE_PLAIN, GUTS_STYLE_BOLD, GUTS_STYLE_DIM, GUTS_STYLE_GREEN, GUTS_STYLE_YELLOW, GUTS_STYLE_RED };

/* May `f` be coloured: a terminal that is not dumb, and $NO_COLOR is not set (https://no-color.org). */
bool guts_term_colors(FILE *f);

/* Columns of a terminal; 0 if `f` is none (then nothing is cut). */
unsigned guts_term_width(FILE *f);

/* Escape sequence that begins a style; "" if `on` is false.  GUTS_STYLE_PLAIN ends any. */
const char *guts_term_style(bool on, enum guts_style s);

/* Copy of `s` in which every control character and byte that is not UTF-8 is '?'.  lf: keep newlines and tabs.
 * Owner: caller. */
char *guts_term_clean(const char *s, bool lf);

/* Print "name   value" on standard output, the name dim on a terminal; the value is cleaned. */
void guts_term_line(const char *name, const char *value);

/* Columns that UTF-8 text takes. */
unsigned guts_term_columns(const char *s);

/* "1.4 MiB". */
void guts_fmt_bytes(char out[16], uint64_t bytes);

/* "12 s", "3 min", "5 h", "2 d". */
void guts_fmt_span(char out[24], uint64_t seconds);

/* Age of an RFC 3339 time at `now` (unix seconds): "3 min ago", "in 2 h"; "never" for none. */
void guts_fmt_age(char out[40], const char *time, int64_t now);

/* Unix seconds of an RFC 3339 time in UTC.  Errors: GUTS_EINVAL. */
int guts_time_parse(const char *time, int64_t *out);

/* The end of a peer id or repository id, which is where ids differ: "…k3JxQ9ab".  Shorter texts stay. */
#define GUTS_SHORT_ID 8
void guts_fmt_id(char out[16], const char *id);

/* A table: a header, rows, columns as wide as they need to be; the flexible column gives way on a narrow terminal. */
struct guts_column {
	const char *title;
	bool right;  /* numbers */
	bool flex;
};
#define GUTS_COLUMNS_MAX 12
#define GUTS_ROWS_MAX 1000000
struct guts_rows {
	const struct guts_column *columns; /* private, like the rest */
	size_t ncolumns, ncells, cap;
	char **cells;
};
void guts_rows_init(struct guts_rows *t, const struct guts_column *columns, size_t n);
/* The next cell, row by row; copied and cleaned. */
void guts_rows_add(struct guts_rows *t, const char *text);
void guts_rows_addf(struct guts_rows *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print, or the line `empty` if there is no row; free.  f NULL: only free. */
void guts_rows_end(struct guts_rows *t, FILE *f, const char *empty);

/* One line on standard error that is overwritten; on something that is no terminal, only the last line is printed. */
struct guts_progress {
	bool is_tty;
	unsigned shown;  /* private */
	unsigned turn;
};
void guts_progress_init(struct guts_progress *p);
/* done > total or total = 0: a turning sign instead of a bar. */
void guts_progress_show(struct guts_progress *p, const char *what, uint64_t done, uint64_t total, const char *detail);
/* Wipe the line. */
void guts_progress_end(struct guts_progress *p);

#endif
