/* tests/unit/test_uvudp.c - datagram sockets of the libuv end, on loopback. */
#include "base/alloc.h"
#include "loop/uvenv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GROUP "239.255.77.53"

/* One socket and what came to it last. */
struct end {
	struct guts_udp *u;
	struct sockaddr_storage at;
	struct guts_udp_path path;
	char text[65536];
	size_t n;
	unsigned came;
	bool echo, close;
};

static struct guts_uvenv *uv;
static struct guts_env *env;
static unsigned wanted; /* datagrams after which the loop ends */

static void
on_datagram(void *owner, struct guts_udp *u, const struct guts_udp_path *path, struct guts_slice data)
{
	struct end *e = owner;

	assert_ptr_equal(e->u, u);
	e->path = *path;
	e->n = data.n;
	if (data.n)
		memcpy(e->text, data.p, data.n);
	e->came++;
	if (e->echo)
		assert_int_equal(guts_env_udp_send(env, u, path, data), 0);
	if (e->close)
		guts_env_udp_close(env, u);
	if (--wanted == 0)
		guts_uvenv_stop(uv);
}

static const struct guts_udp_events events = { .datagram = on_datagram };

static struct sockaddr_storage
address(const char *host, uint16_t port)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		ss.ss_family = AF_INET;
		in->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
		ss.ss_family = AF_INET6;
		in6->sin6_port = htons(port);
	}
	return ss;
}

static uint16_t
port_of(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)ss)->sin6_port
					       : ((const struct sockaddr_in *)ss)->sin_port);
}

static void
assert_address(const struct sockaddr_storage *ss, const char *host, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(ss->ss_family,
	    ss->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)ss)->sin6_addr
				      : (const void *)&((const struct sockaddr_in *)ss)->sin_addr,
	    text, sizeof text);
	assert_string_equal(text, host);
	assert_int_equal(port_of(ss), port);
}

static struct end *
end_new(const char *host, uint16_t port, bool shared)
{
	struct end *e = guts_alloc(sizeof *e);
	struct sockaddr_storage at = address(host, port);

	assert_int_equal(guts_env_udp_open(env, (struct sockaddr *)&at, shared, &events, e, &e->u, &e->at), 0);
	assert_int_not_equal(port_of(&e->at), 0);
	return e;
}

static int
send_to(struct end *e, const char *host, uint16_t port, unsigned interface, struct guts_slice data)
{
	struct guts_udp_path path = { .remote = address(host, port), .interface = interface };

	return guts_env_udp_send(env, e->u, &path, data);
}

static void
run_for(unsigned datagrams)
{
	wanted = datagrams;
	guts_uvenv_run(uv);
}

static unsigned
loopback_index(void)
{
	struct guts_interface list[GUTS_INTERFACES_MAX];
	size_t n = guts_env_interfaces(env, list, GUTS_INTERFACES_MAX);

	for (size_t i = 0; i < n; i++)
		if (list[i].addr.ss_family == AF_INET
		    && ((struct sockaddr_in *)&list[i].addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK))
			return list[i].index;
	fail_msg("no interface has 127.0.0.1");
	return 0;
}

/* An answer leaves from the address that was asked, even if the socket is bound to all of them. */
static void
test_addresses_both_ways(void **state)
{
	struct end *a = end_new("127.0.0.1", 0, false), *b = end_new("0.0.0.0", 0, false);

	(void)state;
	b->echo = true;
	assert_int_equal(send_to(a, "127.0.0.9", port_of(&b->at), 0, guts_slice_str("ping")), 0);
	run_for(2);
	assert_int_equal(b->n, 4);
	assert_address(&b->path.local, "127.0.0.9", port_of(&b->at));
	assert_address(&b->path.remote, "127.0.0.1", port_of(&a->at));
	assert_int_equal(b->path.interface, loopback_index());
	assert_memory_equal(a->text, "ping", 4);
	assert_address(&a->path.remote, "127.0.0.9", port_of(&b->at));
	free(a);
	free(b);
}

static void
test_ipv6(void **state)
{
	struct sockaddr_storage at = address("::1", 0);
	struct guts_udp *u;
	struct end *a, *b;

	(void)state;
	if (guts_env_udp_open(env, (struct sockaddr *)&at, false, &events, NULL, &u, NULL) != 0) {
		print_message("# this machine has no IPv6\n");
		return;
	}
	guts_env_udp_close(env, u);
	a = end_new("::1", 0, false);
	b = end_new("::", 0, false);
	b->echo = true;
	assert_int_equal(send_to(a, "::1", port_of(&b->at), 0, guts_slice_str("six")), 0);
	run_for(2);
	assert_address(&b->path.local, "::1", port_of(&b->at));
	assert_address(&a->path.remote, "::1", port_of(&b->at));
	assert_int_equal(send_to(a, "127.0.0.1", port_of(&b->at), 0, guts_slice_str("x")), GUTS_EINVAL);
	free(a);
	free(b);
}

/* Two sockets of one port hear a group, each what came to the interface that it joined. */
static void
test_group(void **state)
{
	struct end *a = end_new("0.0.0.0", 0, true);
	uint16_t port = port_of(&a->at);
	struct end *b = end_new("0.0.0.0", port, true), *deaf = end_new("0.0.0.0", port, true);
	struct sockaddr_storage group = address(GROUP, 0), host = address("10.1.2.3", 0);
	unsigned lo = loopback_index();

	(void)state;
	assert_int_equal(guts_env_udp_join(env, a->u, (struct sockaddr *)&group, lo), 0);
	assert_int_equal(guts_env_udp_join(env, b->u, (struct sockaddr *)&group, lo), 0);
	assert_int_equal(guts_env_udp_join(env, a->u, (struct sockaddr *)&group, lo), GUTS_EEXIST);
	assert_int_equal(guts_env_udp_join(env, a->u, (struct sockaddr *)&host, lo), GUTS_EINVAL);
	assert_int_equal(send_to(a, GROUP, port, lo, guts_slice_str("to all")), 0);
	run_for(2);
	for (struct end *e = a; e; e = e == a ? b : NULL) {
		assert_int_equal(e->n, 6);
		assert_address(&e->path.local, GROUP, port);
		assert_int_equal(e->path.interface, lo);
	}
	assert_int_equal(deaf->came, 0);
	free(a);
	free(b);
	free(deaf);
}

static void
test_sizes(void **state)
{
	struct end *a = end_new("127.0.0.1", 0, false), *b = end_new("127.0.0.1", 0, false);
	uint8_t *big = guts_alloc(65508);

	(void)state;
	memset(big, 'x', 65508);
	assert_int_equal(send_to(a, "127.0.0.1", port_of(&b->at), 0, guts_slice(big, 65508)), GUTS_ELIMIT);
	assert_int_equal(send_to(a, "127.0.0.1", port_of(&b->at), 0, guts_slice(big, 65507)), 0);
	run_for(1);
	assert_int_equal(b->n, 65507);
	assert_memory_equal(b->text, big, 65507);
	assert_int_equal(send_to(a, "127.0.0.1", port_of(&b->at), 0, guts_slice(NULL, 0)), 0);
	run_for(1);
	assert_int_equal(b->n, 0);
	free(big);
	free(a);
	free(b);
}

/* What waits in the kernel when a callback closes its socket is not handed out. */
static void
test_close_within_a_callback(void **state)
{
	struct end *a = end_new("127.0.0.1", 0, false), *b = end_new("127.0.0.1", 0, false);
	struct end *c = end_new("127.0.0.1", 0, false);

	(void)state;
	b->close = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_to(a, "127.0.0.1", port_of(&b->at), 0, guts_slice_str("x")), 0);
	assert_int_equal(send_to(a, "127.0.0.1", port_of(&c->at), 0, guts_slice_str("x")), 0);
	run_for(2);
	assert_int_equal(b->came, 1);
	assert_int_equal(c->came, 1);
	free(a);
	free(b);
	free(c);
}

static void
test_bad_addresses(void **state)
{
	struct end *a = end_new("127.0.0.1", 0, false);
	struct sockaddr_storage foreign = address("192.0.2.1", 0), none = { .ss_family = AF_UNIX };
	struct guts_udp *u;

	(void)state;
	assert_int_equal(guts_env_udp_open(env, (struct sockaddr *)&a->at, false, &events, NULL, &u, NULL), GUTS_EEXIST);
	assert_int_equal(guts_env_udp_open(env, (struct sockaddr *)&foreign, false, &events, NULL, &u, NULL), GUTS_EINVAL);
	assert_int_equal(guts_env_udp_open(env, (struct sockaddr *)&none, false, &events, NULL, &u, NULL), GUTS_EINVAL);
	free(a);
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(guts_uvenv_new(NULL, &uv), 0);
	env = guts_uvenv_env(uv);
	return 0;
}

/* Sockets that are left are closed here. */
static int
teardown(void **state)
{
	(void)state;
	guts_uvenv_free(uv);
	return 0;
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_addresses_both_ways),
		T(test_ipv6),
		T(test_group),
		T(test_sizes),
		T(test_close_within_a_callback),
		T(test_bad_addresses),
	};

	return cmocka_run_group_tests_name("uvudp", tests, NULL, NULL);
}
