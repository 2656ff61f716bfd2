/* tests/unit/test_address.c - where webhooks may go, address by address, and what curl makes of odd spellings. */
#include "unit.h"

#include "bridge/address.h"
#include "client/multi.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool
has(const struct guts_allow *a, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return guts_allow_has(a, (struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return guts_allow_has(a, (struct sockaddr *)&in6);
}

static void
only_public_by_default(void **state)
{
	static const char *const fine[] = { "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
		"223.255.255.255", "::ffff:8.8.8.8", "2606:4700::1111", "2a00::1", "2001:4860:4860::8888", "2001:200::1" };
	static const char *const refused[] = { "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1",
		"100.127.255.255", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.169.254", "172.16.0.1",
		"172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
		"::ffff:0.0.0.0", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
		"2002:a00:1::", "3fff::1", "fc00::1", "fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1" };
	struct guts_allow none = { 0 };
	struct sockaddr_storage other = { .ss_family = AF_UNIX };

	(void)state;
	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
		if (!has(&none, fine[i]))
			fail_msg("%s is public", fine[i]);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (has(&none, refused[i]))
			fail_msg("%s must be refused", refused[i]);
	assert_false(guts_allow_has(&none, (struct sockaddr *)&other));
}

static void
what_is_allowed(void **state)
{
	struct guts_allow loopback = { 0 }, local = { 0 }, nets = { 0 };
	struct guts_errinfo ei;

	(void)state;
	assert_int_equal(guts_allow_add(&loopback, "loopback", &ei), 0);
	assert_true(has(&loopback, "127.0.0.1") && has(&loopback, "127.9.9.9") && has(&loopback, "::1"));
	assert_true(has(&loopback, "::ffff:127.0.0.1") && has(&loopback, "8.8.8.8"));
	assert_false(has(&loopback, "10.0.0.1") || has(&loopback, "0.0.0.0") || has(&loopback, "::") ||
	    has(&loopback, "64:ff9b::7f00:1"));
	assert_int_equal(guts_allow_add(&local, "private", &ei), 0);
	assert_true(has(&local, "10.0.0.1") && has(&local, "192.168.3.4") && has(&local, "fd00::1"));
	assert_false(has(&local, "127.0.0.1") || has(&local, "169.254.169.254") || has(&local, "fe80::1"));
	assert_int_equal(guts_allow_add(&nets, "169.254.8.0/22", &ei), 0);
	assert_int_equal(guts_allow_add(&nets, "fd00:1::/32", &ei), 0);
	assert_int_equal(guts_allow_add(&nets, "192.168.1.7", &ei), 0);
	assert_true(has(&nets, "169.254.11.255") && has(&nets, "::ffff:169.254.8.0") && has(&nets, "fd00:1::9") &&
	    has(&nets, "192.168.1.7"));
	assert_false(has(&nets, "169.254.12.0") || has(&nets, "fd00:2::9") || has(&nets, "192.168.1.8"));
}

static void
bad_networks(void **state)
{
	static const char *const bad[] = { "", "loop", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "example.org", "/8",
		"10.0.0.0/8/8", "0x7f.1", "10.0.0.0/-1" };
	struct guts_allow a = { 0 };
	struct guts_errinfo ei;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(guts_allow_add(&a, bad[i], &ei), GUTS_EINVAL);
	assert_int_equal(a.n, 0);
	for (int i = 0; i < GUTS_ALLOW_MAX; i++)
		assert_int_equal(guts_allow_add(&a, "10.0.0.0/8", &ei), 0);
	assert_int_equal(guts_allow_add(&a, "10.0.0.0/8", &ei), GUTS_ELIMIT);
}

/* -- the same through curl: a listener that must not be reached, asked for in many spellings -------------- */

struct shot {
	struct guts_uvenv *uv;
	struct guts_allow allow;
	unsigned asked;
	int err;
};

static bool
judge(void *owner, const struct sockaddr *to)
{
	struct shot *s = owner;

	s->asked++;
	return guts_allow_has(&s->allow, to);
}

static void
on_done(void *owner, int err, const struct guts_errinfo *ei)
{
	struct shot *s = owner;

	(void)ei;
	s->err = err;
	guts_uvenv_stop(s->uv);
}

static int
listen_anywhere(unsigned *port)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), off = 0;
	struct sockaddr_in6 at = { .sin6_family = AF_INET6 };
	socklen_t n = sizeof at;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin6_port);
	return fd;
}

static void
shoot(struct guts_multi *m, struct shot *s, const char *host, unsigned port)
{
	char url[128];
	struct guts_transfer_spec spec = { .method = "POST", .url = url, .body = S("{}"), .total_ms = 500,
		.may_connect = judge, .owner = s };
	struct guts_transfer *t;
	struct guts_errinfo ei;

	snprintf(url, sizeof url, "http://%s:%u/", host, port);
	s->asked = 0;
	assert_int_equal(guts_transfer_new(&t, &spec, &ei), 0);
	assert_int_equal(guts_multi_start(m, t, on_done, s), 0);
	guts_uvenv_run(s->uv);
	guts_transfer_free(t);
}

static void
through_curl(void **state)
{
	static const char *const spelled[] = { "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1",
		"0177.0.0.1", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "[::]" };
	struct shot s = { 0 };
	struct guts_multi *m;
	struct guts_errinfo ei;
	unsigned port;
	int fd = listen_anywhere(&port);

	(void)state;
	assert_int_equal(guts_uvenv_new(NULL, &s.uv), 0);
	assert_int_equal(guts_multi_new(&m, s.uv, &ei), 0);
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not be asked */
	for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
		shoot(m, &s, spelled[i], port);
		if (s.err != GUTS_EDENIED || s.asked == 0)
			fail_msg("%s: error %d after %u questions", spelled[i], s.err, s.asked);
	}
	assert_true(accept(fd, NULL, NULL) < 0);
	assert_int_equal(guts_allow_add(&s.allow, "loopback", &ei), 0);
	shoot(m, &s, "127.0.0.1", port); /* connects now, and nobody answers */
	assert_int_equal(s.err, GUTS_ETIMEOUT);
	assert_int_equal(s.asked, 1);
	assert_true(accept(fd, NULL, NULL) >= 0);
	close(fd);
	guts_multi_free(m);
	guts_uvenv_free(s.uv);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_public_by_default),
		cmocka_unit_test(what_is_allowed),
		cmocka_unit_test(bad_networks),
		cmocka_unit_test(through_curl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
