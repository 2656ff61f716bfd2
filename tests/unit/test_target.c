/* Request targets: what is decoded, what is refused; routes that fit. */
#include "base/err.h"
#include "http/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static char text[GUTS_TARGET_MAX + 64];
static struct guts_target target;

static int
parse(const char *s)
{
	snprintf(text, sizeof text, "%s", s);
	return guts_target_parse(&target, text, strlen(text));
}

static void
expect(struct guts_slice s, const char *want)
{
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

static void
test_segments(void **state)
{
	(void)state;
	assert_int_equal(parse("/"), 0);
	assert_int_equal(target.nseg, 0);
	assert_int_equal(parse("/a/b%2Fc/%41"), 0);
	assert_int_equal(target.nseg, 3);
	expect(guts_target_segment(&target, 1), "b/c");
	expect(guts_target_segment(&target, 2), "A");
	assert_int_equal(parse("/a+b/"), 0);
	expect(guts_target_segment(&target, 0), "a+b");
	assert_true(target.slash);
	assert_int_equal(target.nseg, 1);
	assert_int_equal(parse("/%c3%a4"), 0);
	expect(guts_target_segment(&target, 0), "\xc3\xa4");
	assert_null(guts_target_segment(&target, 1).p);
}

static void
test_query(void **state)
{
	(void)state;
	assert_int_equal(parse("/x?a=1&b=c%26d+e&&flag&a=2&e=/?:"), 0);
	expect(guts_target_query(&target, "a"), "1");
	expect(guts_target_query(&target, "b"), "c&d e");
	assert_non_null(guts_target_query(&target, "flag").p);
	assert_int_equal(guts_target_query(&target, "flag").n, 0);
	expect(guts_target_query(&target, "e"), "/?:");
	assert_null(guts_target_query(&target, "z").p);
	assert_int_equal(parse("/x?path=a%0a%5c"), 0);
	expect(guts_target_query(&target, "path"), "a\n\\");
	assert_int_equal(parse("/?x=%2e%2e"), 0);
	expect(guts_target_query(&target, "x"), "..");
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "", "x", "*", "http://h/x", "//", "//a", "/a//b", "/.", "/..", "/a/../b", "/%2e",
		"/%2E%2e/x", "/a/.%2e", "/%", "/%4", "/%zz", "/%00", "/a%00b", "/a b", "/a\tb", "/a\\b", "/a\nb",
		"/a#b", "/\xc3\xa4", "/a\x7f", "/x?a=%0d", "/x?a=\x01", "/x?%", "/x?path=%00", "/x?pat%68s=%09", "/x?a%09=1" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (parse(bad[i]) != GUTS_EPROTO)
			fail_msg("%s was taken", bad[i]);
	}
	memcpy(text, "/a\0b", 4);
	assert_int_equal(guts_target_parse(&target, text, 4), GUTS_EPROTO);
}

static void
test_limits(void **state)
{
	(void)state;
	for (int i = 0; i < 129; i++)
		memcpy(text + 2 * i, "/a", 2);
	assert_int_equal(guts_target_parse(&target, text, 258), GUTS_ELIMIT);
	for (int i = 0; i < 128; i++)
		memcpy(text + 2 * i, "/a", 2);
	assert_int_equal(guts_target_parse(&target, text, 256), 0);
	memset(text, 'a', sizeof text);
	text[0] = '/';
	assert_int_equal(guts_target_parse(&target, text, GUTS_TARGET_MAX + 1), GUTS_ELIMIT);
	assert_int_equal(guts_target_parse(&target, text, GUTS_TARGET_MAX), 0);
	size_t n = (size_t)snprintf(text, sizeof text, "/?");
	for (int i = 0; i < 25; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "a=1&");
	assert_int_equal(guts_target_parse(&target, text, n), GUTS_ELIMIT);
}

#define ID "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static bool
fits(const char *template, const char *path, struct guts_match *m)
{
	return parse(path) == 0 && guts_router_fits(template, &target, m);
}

static void
test_templates(void **state)
{
	struct guts_match m;

	(void)state;
	assert_true(fits("/", "/", &m));
	assert_false(fits("/", "/a", &m));
	assert_true(fits("/a/{x}", "/a/b", &m));
	assert_false(fits("/a/{x}", "/a", &m));
	assert_false(fits("/a/{x}", "/a/b/c", &m));
	assert_true(fits("/r/{repo}/tags", "/r/o/n/tags", &m));
	assert_int_equal(m.param[1].n, 1);
	assert_true(fits("/r/{repo}/tags", "/r/" ID "/tags", &m));
	assert_int_equal(m.param[1].n, 0);
	assert_true(fits("/r/{repo}/raw/{path*}", "/r/o/n/raw/a/%09%5c%0a/b", &m)); /* names of files in git */
	expect(guts_target_segment(&target, 5), "\t\\\n");
	assert_false(fits("/r/{repo}/raw/{path*}", "/r/o/%0a/raw/a", &m));
	assert_false(fits("/r/{repo}/raw/{ref*}", "/r/o/n/raw/a%5cb", &m));
	assert_false(fits("/a/{x}", "/a/b%0d", &m));
	assert_false(fits("/{rest*}", "/b%7f", &m));
	assert_true(fits("/r/{repo}", "/r/o/tags", &m));
	assert_false(fits("/r/{repo}", "/r/o", &m));
	assert_true(fits("/r/{repo}/c/{p*}", "/r/o/n/c/x/y/z", &m));
	assert_int_equal(m.param[2].first, 4);
	assert_int_equal(m.param[2].n, 3);
	assert_false(fits("/r/{repo}/c/{p*}", "/r/o/n/c", &m));
	assert_true(fits("/{git}/info/refs", "/o/n.git/info/refs", &m));
	assert_true(fits("/{git}/info/refs", "/" ID ".git/info/refs", &m));
	assert_true(fits("/{git}/info/refs", "/" ID "/12D3.git/info/refs", &m));
	assert_false(fits("/{git}/info/refs", "/o/n/info/refs", &m));
	assert_false(fits("/{git}/info/refs", "/.git/info/refs", &m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
