/* Unit tests of the rule for ref names (base/oid) against git check-ref-format: never laxer than git. */
#include "base/oid.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool
git_takes(const char *name)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("git", "git", "check-ref-format", name, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
we_take(const char *name)
{
	return guts_refname_is_valid(guts_slice_str(name));
}

static void
a_table_of_names(void **state)
{
	/* stricter: git takes it, we do not. */
	static const struct {
		const char *name;
		bool ok, stricter;
	} t[] = {
		{ "refs/heads/main", true, false },
		{ "refs/tags/v1.0", true, false },
		{ "refs/heads/a/b/c", true, false },
		{ "refs/heads/\xc3\xa9t\xc3\xa9", true, false },
		{ "refs/heads/@", true, false },
		{ "refs/heads/a@b", true, false },
		{ "refs/heads/a{b", true, false },
		{ "refs/heads/-x", true, false },
		{ "refs/heads/a.lockx", true, false },
		{ "refs/pull/1/head", true, false },
		{ "refs/stash", true, false },
		{ "", false, false },
		{ "refs", false, false },
		{ "refs/", false, false },
		{ "@", false, false },
		{ "refs/heads/", false, false },
		{ "refs//heads/a", false, false },
		{ "/refs/heads/a", false, false },
		{ "refs/heads/.a", false, false },
		{ "refs/.heads/a", false, false },
		{ "refs/heads/a.", false, false },
		{ "refs/heads/a..b", false, false },
		{ "refs/heads/a.lock", false, false },
		{ "refs/heads/a.lock/b", false, false },
		{ "refs/heads/a b", false, false },
		{ "refs/heads/a~b", false, false },
		{ "refs/heads/a^b", false, false },
		{ "refs/heads/a:b", false, false },
		{ "refs/heads/a?b", false, false },
		{ "refs/heads/a*b", false, false },
		{ "refs/heads/a[b", false, false },
		{ "refs/heads/a\\b", false, false },
		{ "refs/heads/a@{b", false, false },
		{ "refs/heads/a\x7f", false, false },
		{ "refs/heads/a\x01", false, false },
		{ "refs/heads/a\tb", false, false },
		{ "refs/heads/a\nb", false, false },
		{ "refs/../config", false, false },
		{ "../refs/heads/a", false, false },
		{ "HEAD", false, false },
		{ "heads/main", false, true },
		{ "refs/replace/1111111111111111111111111111111111111111", false, true },
		{ "refs/namespaces/x/refs/heads/a", false, true },
		{ "refs/heads/\xff", false, true },
		{ "refs/heads/\xc2\x85", false, true },
		{ "hooks/post-receive", false, true },
		{ "objects/info/alternates", false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (we_take(t[i].name) != t[i].ok)
			fail_msg("%s: we say %d", t[i].name, !t[i].ok);
		if (git_takes(t[i].name) != (t[i].ok || t[i].stricter))
			fail_msg("%s: git says otherwise", t[i].name);
	}
}

static void
long_names(void **state)
{
	char name[GUTS_REFNAME_MAX + 8];

	(void)state;
	memset(name, 'a', sizeof(name));
	memcpy(name, "refs/heads/", 11);
	name[11 + 255] = '\0';
	assert_true(we_take(name));
	name[11 + 255] = 'a';
	name[11 + 256] = '\0';
	assert_false(we_take(name));
	for (size_t i = 11 + 200; i < sizeof(name); i += 200)
		name[i] = '/';
	name[11 + 256] = 'a';
	name[GUTS_REFNAME_MAX] = '\0';
	assert_true(we_take(name));
	name[GUTS_REFNAME_MAX] = 'a';
	name[GUTS_REFNAME_MAX + 1] = '\0';
	assert_false(we_take(name));
	assert_false(guts_refname_is_valid(guts_slice("refs/heads/a\0b", 14)));
}

/* Random names of the characters that matter: what we take, git takes. */
static void
never_laxer_than_git(void **state)
{
	static const char *const parts[] = { "a", ".", "/", "..", "@", "{", "@{", ".lock", "~", " ", "\\", "-", "b", "\xc3\xa9" };
	struct guts_rng r;
	unsigned taken = 0, refused = 0;

	(void)state;
	guts_rng_seed(&r, 7);
	while (taken < 60 || refused < 60) {
		char name[64] = "refs/heads/";
		size_t n = strlen(name);

		for (uint64_t k = 1 + guts_rng_below(&r, 4); k > 0; k--)
			n += (size_t)snprintf(name + n, sizeof(name) - n, "%s",
			    parts[guts_rng_below(&r, sizeof(parts) / sizeof(parts[0]))]);
		if (we_take(name) != git_takes(name))
			fail_msg("%s: we say %d", name, we_take(name));
		taken += we_take(name);
		refused += !we_take(name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_names),
		cmocka_unit_test(long_names),
		cmocka_unit_test(never_laxer_than_git),
	};

	return cmocka_run_group_tests_name("refname", tests, NULL, NULL);
}
