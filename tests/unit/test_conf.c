/* test_conf.c - options: defaults, files, layers, and what a wrong line is told. */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A file with this text; the caller unlinks and frees the path. */
static char *
file_with(const char *text, size_t n)
{
	char *path = strdup("/tmp/guts-conf-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	close(fd);
	return path;
}

static int
load(struct guts_conf *c, const char *text, struct guts_errinfo *ei)
{
	char *path = file_with(text, strlen(text));
	int err = guts_conf_load(c, path, ei);

	unlink(path);
	free(path);
	return err;
}

static void
defaults_are_the_documented_ones(void **state)
{
	struct guts_conf *c = guts_conf_new();

	(void)state;
	assert_int_equal(guts_conf_number(c, GUTS_CONF_P2P_MAX_CONNECTIONS), 50);
	assert_int_equal(guts_conf_number(c, GUTS_CONF_P2P_CONNECTION_TIMEOUT), 10000);
	assert_int_equal(guts_conf_number(c, GUTS_CONF_P2P_KEEPALIVE_INTERVAL), 30000);
	assert_string_equal(guts_conf_item(c, GUTS_CONF_P2P_LISTEN, 0), "/ip4/0.0.0.0/tcp/9000");
	assert_string_equal(guts_conf_item(c, GUTS_CONF_HTTP_LISTEN, 0), "127.0.0.1:8080");
	assert_int_equal(guts_conf_count(c, GUTS_CONF_P2P_BOOTSTRAP_NODES), 0);
	assert_int_equal(guts_conf_number(c, GUTS_CONF_LIMITS_PACK), 512u << 20);
	assert_int_equal(guts_conf_layer(c, GUTS_CONF_LIMITS_PACK), 0);
	guts_conf_free(c);
}

static void
a_file_and_the_command_line_replace_lists(void **state)
{
	struct guts_conf *c = guts_conf_new();
	struct guts_errinfo ei = { 0 };

	(void)state;
	assert_int_equal(load(c,
	    "[p2p]\nlisten = /ip4/127.0.0.1/tcp/1 /ip4/127.0.0.1/tcp/2\nlisten = /ip6/::1/tcp/3\n"
	    "connection_timeout = 250ms\n[quota]\ntotal = 3G\n[http]\npublic_read = true\n", &ei), 0);
	assert_int_equal(guts_conf_count(c, GUTS_CONF_P2P_LISTEN), 3);
	assert_string_equal(guts_conf_item(c, GUTS_CONF_P2P_LISTEN, 2), "/ip6/::1/tcp/3");
	assert_int_equal(guts_conf_number(c, GUTS_CONF_P2P_CONNECTION_TIMEOUT), 250);
	assert_int_equal(guts_conf_number(c, GUTS_CONF_QUOTA_TOTAL), 3ull << 30);
	assert_true(guts_conf_bool(c, GUTS_CONF_HTTP_PUBLIC_READ));

	assert_int_equal(guts_conf_set(c, GUTS_CONF_P2P_LISTEN, "/ip4/127.0.0.1/tcp/0", 2, &ei), 0);
	assert_int_equal(guts_conf_count(c, GUTS_CONF_P2P_LISTEN), 1);
	assert_int_equal(guts_conf_layer(c, GUTS_CONF_P2P_LISTEN), 2);
	guts_conf_free(c);
}

static void
a_wrong_line_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "[p2p]\nmax_connections = 0\n", ":2: p2p.max_connections: 0 is not between" },
		{ "[p2p]\nmax_conections = 5\n", ":2: unknown option \"p2p.max_conections\"" },
		{ "[p2p]\n\nlisten = 127.0.0.1:9000\n", ":3: p2p.listen: \"127.0.0.1:9000\" is not a multiaddress" },
		{ "[http]\nlisten = 8080\n", "is not ADDRESS:PORT" },
		{ "[http]\nlisten = ::1:8080\n", "is not ADDRESS:PORT" },
		{ "[seed]\ndefault = some\n", "is not one of: none followed all" },
		{ "[quota]\ntotal = 18446744073709551615G\n", "is not a number of bytes" },
		{ "[quota]\ntotal = -1\n", "is not a number of bytes" },
		{ "[http]\npublic_read = yes\n", "neither true nor false" },
		{ "[p2p\n", ":1: neither [section] nor key = value" },
		{ "[p2p]\nmax_conections = 5\nmdns = true\n", ":2: unknown option" },
		{ "hello\n", ":1: neither [section] nor key = value" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guts_conf *c = guts_conf_new();
		struct guts_errinfo ei = { 0 };

		assert_int_equal(load(c, rows[i].text, &ei), GUTS_EINVAL);
		if (!strstr(ei.text, rows[i].says))
			fail_msg("\"%s\" does not say \"%s\"", ei.text, rows[i].says);
		guts_conf_free(c);
	}
}

static void
a_missing_or_huge_file_is_an_error(void **state)
{
	struct guts_conf *c = guts_conf_new();
	struct guts_errinfo ei = { 0 };
	size_t n = GUTS_CONF_FILE_MAX + 1;
	char *big = calloc(1, n), *path;

	(void)state;
	assert_int_equal(guts_conf_load(c, "/nonexistent/guts.conf", &ei), GUTS_ENOTFOUND);
	memset(big, '\n', n);
	path = file_with(big, n);
	assert_int_equal(guts_conf_load(c, path, &ei), GUTS_ELIMIT);
	unlink(path);
	free(path);
	free(big);
	guts_conf_free(c);
}

static void
a_list_has_a_cap(void **state)
{
	struct guts_conf *c = guts_conf_new();
	struct guts_errinfo ei = { 0 };

	(void)state;
	for (int i = 0; i < GUTS_CONF_LIST_MAX; i++)
		assert_int_equal(guts_conf_set(c, GUTS_CONF_HTTP_ALLOWED_HOSTS, "a.example", 2, &ei), 0);
	assert_int_equal(guts_conf_set(c, GUTS_CONF_HTTP_ALLOWED_HOSTS, "a.example", 2, &ei), GUTS_ELIMIT);
	guts_conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(a_file_and_the_command_line_replace_lists),
		cmocka_unit_test(a_wrong_line_is_named),
		cmocka_unit_test(a_missing_or_huge_file_is_an_error),
		cmocka_unit_test(a_list_has_a_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
