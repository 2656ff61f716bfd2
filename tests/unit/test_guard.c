/* The guard: smuggling forms, hosts, lists, cookies. */
#include "http/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct guts_guard guard;

/* Judge "METHOD VERSION" with header lines name, value, …, NULL. */
static int
judge(const char *method, const char *version, ...)
{
	const char *name;
	va_list ap;

	guts_guard_begin(&guard, guts_slice_str(method), guts_slice_str(version));
	va_start(ap, version);
	while ((name = va_arg(ap, const char *)) != NULL)
		guts_guard_add(&guard, guts_slice_str(name), guts_slice_str(va_arg(ap, const char *)));
	va_end(ap);
	return guts_guard_end(&guard);
}

#define H "Host", "localhost"

static void
test_good(void **state)
{
	(void)state;
	assert_int_equal(judge("GET", "HTTP/1.1", H, "Accept", "a", "Accept", "b", NULL), 0);
	assert_int_equal(judge("GET", "HTTP/1.0", H, NULL), 0);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length", "5", NULL), 0);
	assert_int_equal(guard.length, 5);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Transfer-Encoding", "Chunked", NULL), 0);
	assert_true(guard.is_chunked);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "Content-Length", "0", "X-Any", "1", "X-Any", "2", NULL), 0);
	assert_int_equal(judge("PUT", "HTTP/1.1", H, "Expect", "100-continue", NULL), 0);
}

static void
test_smuggling(void **state)
{
	(void)state;
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length", "5", "Transfer-Encoding", "chunked", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length", "5", "Content-Length", "5", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length", "5, 5", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length", "+5", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length", "", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length", "05", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Content-Length ", "5", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Transfer-Encoding", "xchunked", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Transfer-Encoding", "chunked, identity", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Transfer-Encoding", " chunked", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.1", H, "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked", NULL), 400);
	assert_int_equal(judge("POST", "HTTP/1.0", H, "Transfer-Encoding", "chunked", NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "Content-Length", "5", NULL), 400);
	assert_int_equal(judge("HEAD", "HTTP/1.1", H, "Transfer-Encoding", "chunked", NULL), 400);
}

static void
test_malformed(void **state)
{
	(void)state;
	assert_int_equal(judge("GET", "HTTP/1.1", NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, H, NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "Authorization", "a", "authorization", "b", NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "X-A", "a\rb", NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "X-A", "a\x01", NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "X A", "a", NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "", "a", NULL), 400);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "X(", "a", NULL), 400);
	assert_int_equal(judge("get", "HTTP/1.1", H, NULL), 400);
	assert_int_equal(judge("G\x01T", "HTTP/1.1", H, NULL), 400);
	assert_int_equal(judge("BREW", "HTTP/1.1", H, NULL), 501);
	assert_int_equal(judge("GET", "HTTP/2.0", H, NULL), 505);
	assert_int_equal(judge("GET", "HTTP/1.1", H, "Expect", "200-ok", NULL), 417);
}

static int
host(const char *h, bool loopback)
{
	static const char *const allowed[] = { "node.example", "::2" };

	return guts_guard_host(guts_slice_str(h), loopback, allowed, 2);
}

static void
test_host(void **state)
{
	static const char *const good[] = { "localhost", "LOCALHOST:80", "localhost.", "a.localhost", "x.y.localhost:1",
		"127.0.0.1", "127.1.2.3:65535", "[::1]", "[::1]:8080", "node.example", "NODE.example:9", "[::2]" };
	static const char *const foreign[] = { "evil.example", "localhost.com", "notlocalhost", "0.0.0.0", "[::]",
		"192.168.1.1", "[2001:db8::1]", "node.example.", "x.node.example", "127.0.0.1.evil", "2130706433" };
	static const char *const bad[] = { "", ":80", "localhost:", "localhost:x", "localhost:65536", "localhost:080", "[::1",
		"::1", "[zz]", "a b", "user@localhost", "localhost/", "localhost\\", "a,b", "[::1]x" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (host(good[i], true) != 0 || host(good[i], false) != 0)
			fail_msg("%s was refused", good[i]);
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
		if (host(foreign[i], true) != 421)
			fail_msg("%s gave %d", foreign[i], host(foreign[i], true));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (host(bad[i], true) != 400)
			fail_msg("%s gave %d", bad[i], host(bad[i], true));
	assert_int_equal(host("192.168.1.1:80", false), 0);
	assert_int_equal(host("[2001:db8::1]", false), 0);
	assert_int_equal(host("0.0.0.0", false), 421);
	assert_int_equal(host("evil.example", false), 421);
}

static bool
accepts(const char *list, const char *what)
{
	return guts_guard_accepts(guts_slice_str(list), what);
}

static void
test_lists(void **state)
{
	(void)state;
	assert_true(accepts("gzip", "gzip"));
	assert_true(accepts("deflate, GZIP;q=0.5 , br", "gzip"));
	assert_true(accepts("gzip; q=1.0", "gzip"));
	assert_false(accepts("gzip;q=0", "gzip"));
	assert_false(accepts("gzip; q=0.000", "gzip"));
	assert_true(accepts("gzip;q=0.001", "gzip"));
	assert_false(accepts("xgzip", "gzip"));
	assert_false(accepts("", "gzip"));
	assert_true(accepts("text/html, text/event-stream", "text/event-stream"));

	assert_true(guts_guard_type_is(guts_slice_str("application/json"), "application/json"));
	assert_true(guts_guard_type_is(guts_slice_str("Application/JSON ; charset=utf-8"), "application/json"));
	assert_false(guts_guard_type_is(guts_slice_str("application/jsonx"), "application/json"));
	assert_false(guts_guard_type_is(guts_slice(NULL, 0), "application/json"));

	assert_true(guts_guard_matches(guts_slice_str("\"a\", W/\"b\""), "\"b\""));
	assert_true(guts_guard_matches(guts_slice_str("*"), "\"b\""));
	assert_false(guts_guard_matches(guts_slice_str("\"bb\""), "\"b\""));
}

static void
test_cookies(void **state)
{
	struct guts_slice v;

	(void)state;
	v = guts_guard_cookie(guts_slice_str("a=1; guts-x=abc; b=2"), "guts-x");
	assert_int_equal(v.n, 3);
	v = guts_guard_cookie(guts_slice_str("guts-x="), "guts-x");
	assert_non_null(v.p);
	assert_int_equal(v.n, 0);
	assert_null(guts_guard_cookie(guts_slice_str("guts-xy=1"), "guts-x").p);
	assert_null(guts_guard_cookie(guts_slice_str("guts-x=1; guts-x=2"), "guts-x").p);
	assert_null(guts_guard_cookie(guts_slice_str("guts-x"), "guts-x").p);
}

static void
test_ranges(void **state)
{
	static const struct {
		const char *value;
		uint64_t size;
		enum guts_range_kind kind;
		uint64_t from, n;
	} cases[] = {
		{ "bytes=0-3", 10, GUTS_RANGE_PART, 0, 4 },
		{ "bytes=3-", 10, GUTS_RANGE_PART, 3, 7 },
		{ "bytes=-4", 10, GUTS_RANGE_PART, 6, 4 },
		{ "bytes=-40", 10, GUTS_RANGE_PART, 0, 10 },
		{ "bytes=9-9223372036854775807", 10, GUTS_RANGE_PART, 9, 1 },
		{ "bytes=10-", 10, GUTS_RANGE_OUTSIDE, 0, 0 },
		{ "bytes=0-0", 0, GUTS_RANGE_OUTSIDE, 0, 0 },
		{ "bytes=-0", 10, GUTS_RANGE_OUTSIDE, 0, 0 },
		{ "bytes=-1", 0, GUTS_RANGE_OUTSIDE, 0, 0 },
		{ "bytes=4-3", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "bytes=0-1,3-4", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "bytes=-", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "bytes=", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "bytes=1", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "bytes=1-2 ", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "bytes= 1-2", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "bytes=18446744073709551616-", 10, GUTS_RANGE_WHOLE, 0, 0 },
		{ "lines=1-2", 10, GUTS_RANGE_WHOLE, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct guts_range part = { 0 };

		if (guts_guard_range(guts_slice_str(cases[i].value), cases[i].size, &part) != cases[i].kind ||
		    part.from != cases[i].from || part.n != cases[i].n)
			fail_msg("%s of %llu", cases[i].value, (unsigned long long)cases[i].size);
	}
	assert_int_equal(guts_guard_range(guts_slice(NULL, 0), 10, &(struct guts_range){ 0 }), GUTS_RANGE_WHOLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
