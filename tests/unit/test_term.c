/* test_term.c - words for people: clean text, sizes, ages, short ids, tables. */
#include "cli/term.h"

#include "base/err.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
clean_is(const char *in, bool lf, const char *out)
{
	char *got = guts_term_clean(in, lf);

	assert_string_equal(got, out);
	free(got);
}

static void
nothing_reaches_the_terminal_but_text(void **state)
{
	(void)state;
	clean_is("plain äöü €", false, "plain äöü €");
	clean_is("\033[31mred\033[0m\a", false, "?[31mred?[0m?");
	clean_is("a\nb\tc\r", false, "a?b?c?");
	clean_is("a\nb\tc\r", true, "a\nb\tc?");
	clean_is("\xc2\x9b"
		 "31m",
	    false, "?31m"); /* CSI of the C1 set */
	clean_is("\xff\xfe\xc3", false, "???");
	clean_is("a\u202eb\u2066c", false, "a?b?c"); /* bidirectional overrides */
	clean_is("", false, "");
}

static void
sizes_have_units(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} rows[] = { { 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" }, { 1536, "1.5 KiB" }, { 102400, "100 KiB" },
		{ 1048575, "1.0 MiB" }, { 5368709120, "5.0 GiB" }, { UINT64_MAX, "16.0 EiB" } };
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		guts_fmt_bytes(out, rows[i].n);
		assert_string_equal(out, rows[i].text);
	}
}

static void
ages_are_told_from_now(void **state)
{
	char out[40];
	int64_t at;

	(void)state;
	assert_int_equal(guts_time_parse("1970-01-02T00:00:00.000Z", &at), 0);
	assert_int_equal(at, 86400);
	assert_int_equal(guts_time_parse("1970-01-02T00:00:00Z", &at), 0);
	assert_int_equal(guts_time_parse("1970-01-02T00:00:00+01:00", &at), GUTS_EINVAL);
	assert_int_equal(guts_time_parse("yesterday", &at), GUTS_EINVAL);
	guts_fmt_age(out, "1970-01-02T00:00:00.000Z", 86400 + 59);
	assert_string_equal(out, "59 s ago");
	guts_fmt_age(out, "1970-01-02T00:00:00.000Z", 86400 + 60 * 119);
	assert_string_equal(out, "119 min ago");
	guts_fmt_age(out, "1970-01-02T00:00:00.000Z", 86400 * 4);
	assert_string_equal(out, "3 d ago");
	guts_fmt_age(out, "1970-01-02T00:00:00.000Z", 0);
	assert_string_equal(out, "in 24 h");
	guts_fmt_age(out, NULL, 0);
	assert_string_equal(out, "never");
}

static void
ids_show_their_end(void **state)
{
	char out[16];

	(void)state;
	guts_fmt_id(out, "12D3KooWJHErnyrVfvuDW2vKZBTgNAvUXGHBN27kaoepCxy1XPz9");
	assert_string_equal(out, "…Cxy1XPz9");
	guts_fmt_id(out, "short");
	assert_string_equal(out, "short");
	guts_fmt_id(out, "");
	assert_string_equal(out, "");
}

static void
a_table_is_as_wide_as_its_cells(void **state)
{
	static const struct guts_column columns[] = { { "NAME", false, true }, { "SIZE", true, false }, { "", false, false } };
	struct guts_rows t;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	guts_rows_init(&t, columns, 3);
	guts_rows_add(&t, "日本");
	guts_rows_addf(&t, "%d", 1);
	guts_rows_add(&t, "a\nb");
	guts_rows_add(&t, "ascii-name");
	guts_rows_addf(&t, "%d", 12345);
	guts_rows_add(&t, NULL);
	guts_rows_end(&t, f, "nothing");
	guts_rows_init(&t, columns, 3);
	guts_rows_end(&t, f, "nothing");
	guts_rows_init(&t, columns, 3);
	guts_rows_add(&t, "dropped");
	guts_rows_end(&t, NULL, "nothing");
	fclose(f);
	assert_string_equal(text, "NAME         SIZE  \n"
				  "日本            1  a?b\n"
				  "ascii-name  12345  \n"
				  "nothing\n");
	free(text);
}

static void
no_color_without_a_terminal(void **state)
{
	FILE *f = tmpfile();

	(void)state;
	assert_false(guts_term_colors(f));
	assert_int_equal(guts_term_width(f), 0);
	assert_string_equal(guts_term_style(false, GUTS_STYLE_RED), "");
	assert_string_equal(guts_term_style(true, GUTS_STYLE_RED), "\033[31m");
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_reaches_the_terminal_but_text),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(ages_are_told_from_now),
		cmocka_unit_test(ids_show_their_end),
		cmocka_unit_test(a_table_is_as_wide_as_its_cells),
		cmocka_unit_test(no_color_without_a_terminal),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
