/* test_confedit.c - one option of a configuration file is changed, and all else stays as it was written. */
#include "conf/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The text after the edit, checked against `want`; values end with NULL. */
static void
becomes(const char *old, enum guts_conf_id id, const char *const *values, const char *want)
{
	struct guts_buf out;
	size_t n = 0;

	while (values[n])
		n++;
	guts_buf_init(&out, GUTS_CONF_FILE_MAX);
	assert_int_equal(guts_conf_edit(&out, guts_slice_str(old), id, values, n), 0);
	assert_string_equal(guts_buf_cstr(&out), want);
	guts_buf_deinit(&out);
}

#define V(...) (const char *const[]){ __VA_ARGS__, NULL }
#define UNSET (const char *const[]){ NULL }

static void
a_line_is_replaced_with_its_comment_kept(void **state)
{
	(void)state;
	becomes("# mine\n[p2p]\nmax_connections = 5 ; few\n\n[log]\nlevel=info\n", GUTS_CONF_P2P_MAX_CONNECTIONS, V("7"),
	    "# mine\n[p2p]\nmax_connections = 7 ; few\n\n[log]\nlevel=info\n");
	becomes("[log]\nlevel : info\n", GUTS_CONF_LOG_LEVEL, V("debug"), "[log]\nlevel = debug\n");
	becomes("[log]\r\nlevel=info\r\n; end\r\n", GUTS_CONF_LOG_LEVEL, V("debug"), "[log]\r\nlevel = debug\r\n; end\r\n");
	becomes("[log]\nlevel = info", GUTS_CONF_LOG_LEVEL, V("warn"), "[log]\nlevel = warn\n");
	becomes("\xef\xbb\xbf[log]\nlevel = info\n", GUTS_CONF_LOG_LEVEL, V("warn"), "\xef\xbb\xbf[log]\nlevel = warn\n");
}

static void
a_new_line_finds_its_place(void **state)
{
	(void)state;
	becomes("", GUTS_CONF_LOG_LEVEL, V("debug"), "[log]\nlevel = debug\n");
	becomes("[p2p]\nmdns = false\n", GUTS_CONF_LOG_LEVEL, V("debug"), "[p2p]\nmdns = false\n\n[log]\nlevel = debug\n");
	becomes("[p2p]\nmdns = false\n\n[log]\n", GUTS_CONF_P2P_PORTMAP, V("false"), "[p2p]\nmdns = false\nportmap = false\n\n[log]\n");
	becomes("[log]\n# How much.\n# level = notice\n\n# end\n", GUTS_CONF_LOG_LEVEL, V("debug"),
	    "[log]\n# How much.\n# level = notice\nlevel = debug\n\n# end\n");
	becomes("[quota]\n# total = 3G\n  creator = 1G\n    ; small\n", GUTS_CONF_QUOTA_TOTAL, V("4G"),
	    "[quota]\n# total = 3G\ntotal = 4G\ncreator = 1G\n    ; small\n");
	/* the same key of another section is another option */
	becomes("[kad]\nmode = off\n[p2p]\n#listen = x\n", GUTS_CONF_HTTP_LISTEN, V("127.0.0.1:1"),
	    "[kad]\nmode = off\n[p2p]\n#listen = x\n\n[http]\nlisten = 127.0.0.1:1\n");
}

static void
lists_have_one_line_or_one_each(void **state)
{
	char a[101], b[101], want[320];

	(void)state;
	becomes("[http]\nallowed_hosts = a b\n  c\n# mine\nallowed_hosts = d ; why\nlocal_read = false\n", GUTS_CONF_HTTP_ALLOWED_HOSTS,
	    V("x", "y"), "[http]\nallowed_hosts = x y\n# mine\nlocal_read = false\n");
	memset(a, 'a', 100);
	memset(b, 'b', 100);
	a[100] = b[100] = '\0';
	snprintf(want, sizeof want, "[http]\nallowed_hosts = %s\nallowed_hosts = %s\n", a, b);
	becomes("", GUTS_CONF_HTTP_ALLOWED_HOSTS, V(a, b), want);
}

static void
an_option_is_taken_out(void **state)
{
	(void)state;
	becomes("[log]\nlevel = debug ; for Tuesday\n[p2p]\nmdns = false\n", GUTS_CONF_LOG_LEVEL, UNSET,
	    "[log]\n; for Tuesday\n[p2p]\nmdns = false\n");
	becomes("[log]\nlevel = debug\n# level = notice\nlevel = info\n", GUTS_CONF_LOG_LEVEL, UNSET, "[log]\n# level = notice\n");
	becomes("[p2p]\nmdns = false\n", GUTS_CONF_LOG_LEVEL, UNSET, "[p2p]\nmdns = false\n");
	becomes("", GUTS_CONF_LOG_LEVEL, UNSET, "");
}

static void
no_value_brings_a_line_of_its_own(void **state)
{
	static const char *const bad[] = { "debug\n[http]\npublic_read = true", "debug\r", "\n" };
	struct guts_buf out;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		guts_buf_init(&out, GUTS_CONF_FILE_MAX);
		assert_int_equal(guts_conf_edit(&out, guts_slice_str("[log]\nlevel = info\n"), GUTS_CONF_LOG_LEVEL, &bad[i], 1), GUTS_EINVAL);
		guts_buf_deinit(&out);
	}
	guts_buf_init(&out, 10);
	assert_int_equal(guts_conf_edit(&out, guts_slice_str("[log]\nlevel = info\n"), GUTS_CONF_LOG_LEVEL, V("debug"), 1), GUTS_ELIMIT);
	guts_buf_deinit(&out);
}

/* What the parser reads after an edit is what was asked for, for every option of the table, alone and one after another. */
static void
what_is_written_is_read_again(void **state)
{
	struct guts_conf *whole = guts_conf_new();
	struct guts_buf text, out;
	struct guts_errinfo ei = { 0 };

	(void)state;
	guts_buf_init(&text, GUTS_CONF_FILE_MAX);
	guts_buf_add_str(&text, "# a file\n[http]\nlisten = 127.0.0.1:1\n  127.0.0.1:2\n");
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		const struct guts_conf_option *o = guts_conf_option((enum guts_conf_id)i);
		if (!o->fallback)
			continue;
		guts_buf_init(&out, GUTS_CONF_FILE_MAX);
		assert_int_equal(guts_conf_edit(&out, guts_buf_slice(&text), (enum guts_conf_id)i, V(o->fallback), 1), 0);
		guts_buf_deinit(&text);
		text = out;
	}
	assert_int_equal(guts_conf_parse(whole, guts_buf_slice(&text), "text", &ei), 0);
	for (unsigned i = 0; i < GUTS_CONF_N; i++) {
		const struct guts_conf_option *o = guts_conf_option((enum guts_conf_id)i);
		assert_int_equal(guts_conf_layer(whole, (enum guts_conf_id)i), o->fallback ? 1 : 0);
		if (o->fallback)
			assert_string_equal(guts_conf_text(whole, (enum guts_conf_id)i), o->fallback);
	}
	guts_buf_deinit(&text);
	guts_conf_free(whole);
}

static void
values_are_compared_by_what_they_mean(void **state)
{
	struct guts_conf *a = guts_conf_new(), *b;
	struct guts_errinfo ei = { 0 };

	(void)state;
	assert_int_equal(guts_conf_set(a, GUTS_CONF_CI_LEASE, "60000ms", 1, &ei), 0);
	b = guts_conf_new();
	assert_true(guts_conf_is_same(a, b, GUTS_CONF_CI_LEASE));
	assert_int_equal(guts_conf_set(a, GUTS_CONF_HTTP_ALLOWED_HOSTS, "a", 1, &ei), 0);
	assert_false(guts_conf_is_same(a, b, GUTS_CONF_HTTP_ALLOWED_HOSTS));
	guts_conf_take(b, a, GUTS_CONF_HTTP_ALLOWED_HOSTS);
	assert_true(guts_conf_is_same(a, b, GUTS_CONF_HTTP_ALLOWED_HOSTS));
	assert_int_equal(guts_conf_layer(b, GUTS_CONF_HTTP_ALLOWED_HOSTS), 1);
	guts_conf_free(a);
	a = guts_conf_copy(b);
	guts_conf_free(b);
	assert_string_equal(guts_conf_item(a, GUTS_CONF_HTTP_ALLOWED_HOSTS, 0), "a");
	guts_conf_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_replaced_with_its_comment_kept),
		cmocka_unit_test(a_new_line_finds_its_place),
		cmocka_unit_test(lists_have_one_line_or_one_each),
		cmocka_unit_test(an_option_is_taken_out),
		cmocka_unit_test(no_value_brings_a_line_of_its_own),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(values_are_compared_by_what_they_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
