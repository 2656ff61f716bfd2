/* Unit tests of git/lsrefs: what is answered, what is left to git, and the bytes of the answer. */
#include "git/lsrefs.h"
#include "git/repostore_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define A "1111111111111111111111111111111111111111"
#define B "2222222222222222222222222222222222222222"
#define COMMAND "0014command=ls-refs\n"
#define ALICE "refs/namespaces/alice/"

static void
requests_are_read(void **state)
{
	static const struct {
		const char *in;
		int err;
		bool peel, symrefs, unborn;
		size_t n;
	} t[] = {
		{ COMMAND "0000", 0, false, false, false, 0 },
		{ "0013command=ls-refs" "0000", 0, false, false, false, 0 },
		{ COMMAND "000fagent=git/2" "0017object-format=sha1\n" "0001" "0009peel\n" "000csymrefs\n" "000bunborn\n"
		  "0014ref-prefix HEAD\n" "001bref-prefix refs/heads/\n" "0000", 0, true, true, true, 2 },
		{ COMMAND "0001" "0000", 0, false, false, false, 0 },
		{ COMMAND, GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ COMMAND "0001", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ COMMAND "0000" "0000", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ COMMAND "0001" "0001" "0000", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ COMMAND "0017server-option=abcde" "0000", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ COMMAND "0018object-format=sha256" "0000", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ COMMAND "0001" "0008what" "0000", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ "0011command=fetch" "0000", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ "0000", GUTS_EUNSUPPORTED, false, false, false, 0 },
		{ "", GUTS_EUNSUPPORTED, false, false, false, 0 },
	};
	struct guts_lsrefs q;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int err = guts_lsrefs_parse(&q, guts_slice_str(t[i].in), GUTS_SHA1);

		if (err != t[i].err || (!err && (q.peel != t[i].peel || q.symrefs != t[i].symrefs || q.unborn != t[i].unborn || q.n != t[i].n)))
			fail_msg("%s: %d", t[i].in, err);
	}
}

static void
beginnings_are_told_apart(void **state)
{
	(void)state;
	assert_true(guts_lsrefs_begins(guts_slice(NULL, 0)));
	assert_true(guts_lsrefs_begins(guts_slice_str("0014comm")));
	assert_true(guts_lsrefs_begins(guts_slice_str(COMMAND "0001")));
	assert_true(guts_lsrefs_begins(guts_slice_str("0013command=ls-refs0000")));
	assert_false(guts_lsrefs_begins(guts_slice_str("0011")));
	assert_false(guts_lsrefs_begins(guts_slice_str("0014command=ls-refx")));
}

static void
write_text(const char *dir, const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
make_folder(const char *dir, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
answers(const char *dir, const char *author, const char *arguments, const char *want)
{
	char request[400];
	struct guts_lsrefs q;
	struct guts_buf out;

	snprintf(request, sizeof(request), COMMAND "0001%s0000", arguments);
	assert_int_equal(guts_lsrefs_parse(&q, guts_slice_str(request), GUTS_SHA1), 0);
	guts_buf_init(&out, 4096);
	assert_int_equal(guts_lsrefs_answer(&q, dir, author, &out), want ? 0 : GUTS_EUNSUPPORTED);
	if (want)
		assert_string_equal(guts_buf_cstr(&out), want);
	guts_buf_deinit(&out);
}

static void
refs_are_answered(void **state)
{
	char dir[] = "/tmp/test_lsrefs_XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	answers(dir, NULL, "", NULL); /* no packed-refs: perhaps no repository */
	write_text(dir, "HEAD", "ref: refs/heads/main\n");
	write_text(dir, "packed-refs", "# pack-refs with: peeled sorted \n" A " refs/heads/main\n" A " " ALICE "refs/heads/main\n" B
	    " " ALICE "refs/heads/x\n" A " refs/notes/n\n" B " refs/tags/v1\n^" A "\n");
	make_folder(dir, "refs");
	make_folder(dir, "refs/heads");
	make_folder(dir, "refs/namespaces");
	make_folder(dir, ALICE);
	write_text(dir, ALICE "HEAD", "ref: " ALICE "refs/heads/main\n");
	answers(dir, NULL, "", "0032" A " HEAD\n" "003d" A " refs/heads/main\n" "003a" A " refs/notes/n\n" "003a" B " refs/tags/v1\n" "0000");
	answers(dir, NULL, "0008peel" "000bsymrefs" "0013ref-prefix HEAD" "0019ref-prefix refs/tags/",
	    "0050" A " HEAD symref-target:refs/heads/main\n" "006a" B " refs/tags/v1 peeled:" A "\n" "0000");
	answers(dir, NULL, "0008peel", NULL); /* the file does not say what refs/notes/n is */
	answers(dir, "alice", "0008peel" "000bsymrefs", "0050" A " HEAD symref-target:refs/heads/main\n" "003d" A " refs/heads/main\n"
	    "003a" B " refs/heads/x\n" "0000");
	answers(dir, "bob", "", "0000");
	write_text(dir, "HEAD", "ref: refs/heads/none\n");
	answers(dir, NULL, "000bsymrefs" "0013ref-prefix HEAD", "0000");
	answers(dir, NULL, "000aunborn" "000bsymrefs" "0013ref-prefix HEAD", "002eunborn HEAD symref-target:refs/heads/none\n" "0000");
	write_text(dir, "refs/heads/loose", A "\n");
	answers(dir, NULL, "", NULL);
	answers(dir, "bob", "", "0000");
	assert_int_equal(guts_remove_tree(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_read),
		cmocka_unit_test(beginnings_are_told_apart),
		cmocka_unit_test(refs_are_answered),
	};

	return cmocka_run_group_tests_name("lsrefs", tests, NULL, NULL);
}
