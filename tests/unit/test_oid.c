/* test_oid.c - object ids and reference names; the names are also asked of git itself. */
#include "unit.h"

#include "base/err.h"
#include "base/oid.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void
ids_from_bytes_and_hex(void **state)
{
	uint8_t bytes[32] = { 0xab, [31] = 1 };
	char text[GUTS_OID_HEX_SIZE];
	struct guts_oid a, b;

	(void)state;
	assert_int_equal(guts_oid_from_bytes(&a, guts_slice(bytes, 20)), GUTS_OK);
	guts_oid_hex(text, &a);
	assert_string_equal(text, "ab00000000000000000000000000000000000000");
	assert_int_equal(guts_oid_from_hex(&b, S("AB00000000000000000000000000000000000000")), GUTS_OK);
	assert_true(guts_oid_eq(&a, &b));
	assert_int_equal(guts_oid_from_bytes(&b, guts_slice(bytes, 32)), GUTS_OK);
	assert_false(guts_oid_eq(&a, &b));
	guts_oid_hex(text, &b);
	assert_int_equal(strlen(text), 64);
	assert_int_equal(guts_oid_from_hex(&a, S(text)), GUTS_OK);
	assert_true(guts_oid_eq(&a, &b));
	assert_slice_equal(guts_oid_slice(&a), guts_slice(bytes, 32));
}

static void
zeros_are_none(void **state)
{
	static const uint8_t zeros[32];
	char text[GUTS_OID_HEX_SIZE];
	struct guts_oid o;

	(void)state;
	for (size_t n = 0; n <= 33; n++) {
		bool fits = n == 0 || n == 20 || n == 32;

		assert_int_equal(guts_oid_from_bytes(&o, guts_slice(zeros, n > 32 ? 0 : n)),
		    fits || n > 32 ? GUTS_OK : GUTS_EPROTO);
		assert_true(guts_oid_is_none(&o));
	}
	guts_oid_hex(text, &o);
	assert_string_equal(text, "0000000000000000000000000000000000000000");
	assert_int_equal(guts_oid_from_hex(&o, S(text)), GUTS_OK);
	assert_true(guts_oid_is_none(&o));
	assert_int_equal(guts_oid_from_hex(&o, S("")), GUTS_EINVAL);
	assert_int_equal(guts_oid_from_hex(&o, S("00")), GUTS_EINVAL);
	assert_int_equal(guts_oid_from_hex(&o, S("g000000000000000000000000000000000000000")), GUTS_EINVAL);
}

/* What `git check-ref-format` says. */
static bool
git_accepts(const char *name)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execlp("git", "git", "check-ref-format", name, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 127);
	return WEXITSTATUS(status) == 0;
}

static void
judges_names_as_git_does(void **state)
{
	static const char *const good[] = { "refs/heads/main", "refs/stash", "refs/tags/v1.0", "refs/heads/a/b.c/d",
		"refs/heads/-x", "refs/heads/@", "refs/heads/a@b", "refs/heads/{x}", "refs/heads/gr\xc3\xbc\xc3\x9f",
		"refs/heads/a.lockx", "refs/heads/#1", "refs/heads/a..", "refs/heads/replace" };
	static const char *const bad[] = { "refs/heads/", "refs//a", "refs/heads/.a", "refs/heads/a..b", "refs/heads/a.",
		"refs/heads/a.lock", "refs/heads/a.lock/b", "refs/heads/a b", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b",
		"refs/heads/a?", "refs/heads/a*", "refs/heads/a[b", "refs/heads/a\\b", "refs/heads/a\x01", "refs/heads/a\x7f",
		"refs/heads/a@{b", "refs/heads/a/./b", "refs/heads/../x", "refs/", "" };
	unsigned accepted = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(guts_refname_is_valid(S(good[i])), git_accepts(good[i]));
		accepted += guts_refname_is_valid(S(good[i]));
	}
	assert_int_equal(accepted, sizeof(good) / sizeof(good[0]) - 1); /* "a.." is git's no too */
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(guts_refname_is_valid(S(bad[i])));
		assert_false(git_accepts(bad[i]));
	}
}

static void
refuses_more_than_git_does(void **state)
{
	char name[GUTS_REFNAME_MAX + 10];
	int n = snprintf(name, sizeof(name), "refs/heads/");

	(void)state;
	assert_false(guts_refname_is_valid(S("HEAD")));
	assert_false(guts_refname_is_valid(S("heads/main")));
	assert_false(guts_refname_is_valid(S("refs/replace/x")));
	assert_false(guts_refname_is_valid(S("refs/namespaces/x/refs/heads/main")));
	assert_false(guts_refname_is_valid(S("refs/heads/\xff")));
	assert_false(guts_refname_is_valid(guts_slice("refs/heads/a\0b", 14)));
	memset(name + n, 'a', 256);
	assert_true(guts_refname_is_valid(guts_slice(name, (size_t)n + 255)));
	assert_false(guts_refname_is_valid(guts_slice(name, (size_t)n + 256)));
	memset(name + n, 'a', sizeof(name) - (size_t)n);
	for (size_t i = 200; i < sizeof(name); i += 200)
		name[i] = '/';
	assert_true(guts_refname_is_valid(guts_slice(name, GUTS_REFNAME_MAX)));
	assert_false(guts_refname_is_valid(guts_slice(name, GUTS_REFNAME_MAX + 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_from_bytes_and_hex),
		cmocka_unit_test(zeros_are_none),
		cmocka_unit_test(judges_names_as_git_does),
		cmocka_unit_test(refuses_more_than_git_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
