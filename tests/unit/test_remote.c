/* tests/unit/test_remote.c - who is the client behind proxies; the table of allowances keeps its size and its word. */
#include "unit.h"

#include "http/limit.h"
#include "http/remote.h"
#include "loop/env.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* The client's address as text, of a connection from `from` with these headers. */
static const char *
client(const char *from, const char *forwarded, const char *proto, struct guts_remote *r)
{
	static char text[GUTS_IP_TEXT_SIZE];
	struct guts_proxies p = { 0 };
	struct guts_guard g = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct guts_errinfo ei;

	assert_int_equal(guts_proxies_add(&p, "10.0.0.0/8", &ei), 0);
	assert_int_equal(guts_proxies_add(&p, "fd00::1", &ei), 0);
	assert_int_equal(inet_pton(AF_INET, from, &in.sin_addr), 1);
	if (forwarded)
		g.v[GUTS_HEAD_FORWARDED_FOR] = guts_slice_str(forwarded);
	if (proto)
		g.v[GUTS_HEAD_FORWARDED_PROTO] = guts_slice_str(proto);
	guts_remote_find(r, &p, (struct sockaddr *)&in, false, &g);
	guts_ip_text(text, r->ip);
	return text;
}

static void
clients(void **state)
{
	static const struct {
		const char *from, *forwarded, *client;
		bool local;
	} rows[] = {
		{ "127.0.0.1", NULL, "127.0.0.1", true },
		{ "192.0.2.1", NULL, "192.0.2.1", false },
		{ "192.0.2.1", "127.0.0.1", "192.0.2.1", false },
		{ "10.0.0.1", NULL, "10.0.0.1", false },
		{ "10.0.0.1", "192.0.2.7", "192.0.2.7", false },
		{ "10.0.0.1", "127.0.0.1,192.0.2.7", "192.0.2.7", false },
		{ "10.0.0.1", "192.0.2.7,  10.3.3.3\t, fd00::1", "192.0.2.7", false },
		{ "10.0.0.1", "10.1.1.1", "10.1.1.1", false },
		{ "10.0.0.1", "127.0.0.1", "127.0.0.1", true },
		{ "10.0.0.1", "2001:db8::7", "2001:db8::7", false },
		{ "10.0.0.1", "127.0.0.1, x", "10.0.0.1", false },
		{ "10.0.0.1", "127.0.0.1, 10.2.2.2:80", "10.0.0.1", false },
		{ "10.0.0.1", "127.0.0.1,", "10.0.0.1", false },
		{ "10.0.0.1", ",", "10.0.0.1", false },
		{ "10.0.0.1", "127.0.0.1, [::1]", "10.0.0.1", false },
	};
	struct guts_remote r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(client(rows[i].from, rows[i].forwarded, NULL, &r), rows[i].client);
		if (r.is_local != rows[i].local)
			fail_msg("%s: local is %d", rows[i].forwarded ? rows[i].forwarded : rows[i].from, r.is_local);
	}
}

static void
encryption(void **state)
{
	struct guts_remote r;

	(void)state;
	client("10.0.0.1", NULL, "https", &r);
	assert_true(r.is_https);
	client("10.0.0.1", NULL, "https, http", &r);
	assert_false(r.is_https);
	client("192.0.2.1", NULL, "https", &r);
	assert_false(r.is_https);
}

static void
unix_sockets(void **state)
{
	struct guts_proxies p = { 0 };
	struct guts_guard g = { .v = { [GUTS_HEAD_FORWARDED_FOR] = guts_slice_str("192.0.2.7") } };
	struct guts_remote r;
	struct guts_errinfo ei;

	(void)state;
	guts_remote_find(&r, &p, NULL, false, &g);
	assert_true(r.is_local);
	assert_int_equal(guts_proxies_add(&p, "unix", &ei), 0);
	guts_remote_find(&r, &p, NULL, false, &g);
	assert_false(r.is_local);
	assert_int_equal(guts_proxies_add(&p, "nobody", &ei), GUTS_EINVAL);
}

static void
allowances(void **state)
{
	struct guts_limits *l = guts_limits_new();
	struct guts_slice one = guts_slice_str("one");
	struct guts_allowance a;
	uint64_t now = 1000 * GUTS_SECOND_NS;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		guts_limits_take(l, one, 10, now, &a);
		assert_true(a.limit == 10 && a.remaining == 9 - i && a.wait_s == 0);
		assert_int_equal(a.full_s, 6 * (i + 1));
	}
	guts_limits_take(l, one, 10, now, &a);
	assert_true(a.remaining == 0 && a.wait_s == 6);
	guts_limits_take(l, guts_slice_str("two"), 10, now, &a);
	assert_int_equal(a.remaining, 9);
	guts_limits_take(l, one, 10, now + 6 * GUTS_SECOND_NS, &a);
	assert_true(a.remaining == 0 && a.wait_s == 0);
	guts_limits_take(l, one, 10, now + 120 * GUTS_SECOND_NS, &a);
	assert_int_equal(a.remaining, 9);
	guts_limits_free(l);
}

/* A crowd of strangers does not push out one who is at his limit. */
static void
a_crowd(void **state)
{
	struct guts_limits *l = guts_limits_new();
	struct guts_slice greedy = guts_slice_str("greedy");
	struct guts_allowance a;
	uint64_t now = 1000 * GUTS_SECOND_NS;
	char name[16];

	(void)state;
	do
		guts_limits_take(l, greedy, 1000, now, &a);
	while (!a.wait_s);
	for (unsigned i = 0; i < 100000; i++) {
		int n = snprintf(name, sizeof name, "%u", i);
		guts_limits_take(l, guts_slice(name, (size_t)n), 1000, now, &a);
		assert_int_equal(a.wait_s, 0);
	}
	guts_limits_take(l, greedy, 1000, now, &a);
	assert_int_equal(a.wait_s, 1);
	guts_limits_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients),
		cmocka_unit_test(encryption),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(allowances),
		cmocka_unit_test(a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
