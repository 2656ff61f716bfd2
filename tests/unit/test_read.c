/* Unit tests of git/read, against what stock git says about the same history. */
#include "gitfix.h"

#include "git/read.h"

#define HISTORY \
	"rm -rf work; git init -q -b main work; cd work; mkdir -p src/deep; printf 'a\\nb\\nc\\n' > src/a.c; echo readme > README.md;" \
	"echo text > readme.txt; ln -s src/a.c link; printf '#!/bin/sh\\n' > run; chmod +x run; git add .; git commit -q -m 'first\n\nbody';" \
	"for i in $(seq 1 30); do echo $i >> count; git add count; git commit -q -m \"count $i\"; done;" \
	"printf 'a\\nB\\nc\\nd\\n' > src/a.c; git rm -q readme.txt; git mv run start; printf '\\0\\1' > bin; git add .; git commit -q -m many;" \
	"git checkout -q -b side HEAD~5; echo s > side; git add side; git commit -q -m side; git checkout -q main;" \
	"git merge -q --no-ff -m merge side; git tag -a -m tag v1"

struct readfix {
	struct gitfix *f;
	struct guts_read *r;
	struct guts_arena a;
};

static void
begin(struct readfix *x, struct gitfix *f)
{
	char path[96];

	x->f = f;
	assert_int_equal(sh(f, HISTORY), 0);
	snprintf(path, sizeof(path), "%s/work/.git", f->dir);
	assert_int_equal(guts_read_open(&x->r, path), 0);
	guts_arena_init(&x->a, 4u << 20);
}

static void
end(struct readfix *x)
{
	guts_arena_deinit(&x->a);
	guts_read_close(x->r);
}

static void
one_commit(void **state)
{
	struct guts_read_commit c;
	struct guts_oid o;
	struct readfix x;

	begin(&x, *state);
	o = oid_of(x.f, "main");
	assert_int_equal(guts_read_commit(x.r, &o, &x.a, &c), 0);
	assert_string_equal(c.summary, "merge");
	assert_string_equal(c.author.name, "A U Thor");
	assert_string_equal(c.committer.email, "c@example.org");
	assert_int_equal(c.nparents, 2);
	o = oid_of(x.f, "v1");
	assert_int_equal(guts_read_commit(x.r, &o, &x.a, &c), 0);
	assert_string_equal(c.summary, "merge");
	o = oid_of(x.f, "main:src");
	assert_int_equal(guts_read_commit(x.r, &o, &x.a, &c), GUTS_ENOTFOUND);
	o.b[0] ^= 1;
	assert_int_equal(guts_read_commit(x.r, &o, &x.a, &c), GUTS_ENOTFOUND);
	o = (struct guts_oid){ 0 };
	assert_int_equal(guts_read_commit(x.r, &o, &x.a, &c), GUTS_ENOTFOUND);
	end(&x);
}

static const struct guts_read_file *
file_of(const struct guts_read_diff *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->v[i].path, path) == 0)
			return &d->v[i];
	fail_msg("no %s in the diff", path);
	return NULL;
}

static void
what_a_commit_changed(void **state)
{
	const struct guts_read_file *f;
	struct guts_read_diff d;
	struct guts_oid o, none = { 0 };
	struct readfix x;

	begin(&x, *state);
	o = oid_of(x.f, "main^1");
	assert_int_equal(guts_read_diff(x.r, &o, true, &x.a, &d), 0);
	assert_true(d.nfiles == 4 && d.n == 4 && !d.truncated);
	f = file_of(&d, "src/a.c");
	assert_true(f->status == GUTS_FILE_MODIFIED && f->additions == 2 && f->deletions == 1);
	assert_string_equal(f->patch, "@@ -1,3 +1,4 @@\n a\n-b\n+B\n c\n+d\n");
	f = file_of(&d, "start");
	assert_true(f->status == GUTS_FILE_RENAMED);
	assert_string_equal(f->old_path, "run");
	f = file_of(&d, "readme.txt");
	assert_true(f->status == GUTS_FILE_REMOVED && f->deletions == 1);
	f = file_of(&d, "bin");
	assert_true(f->status == GUTS_FILE_ADDED && f->is_binary && f->patch == NULL);
	assert_true(d.additions == 2 && d.deletions == 2);

	/* The first commit is shown against nothing. */
	o = oid_of(x.f, "$(git -C work rev-list --max-parents=0 main)");
	assert_int_equal(guts_read_diff(x.r, &o, false, &x.a, &d), 0);
	assert_int_equal(d.nfiles, 5);
	assert_null(d.v[0].patch);
	o = oid_of(x.f, "main");
	assert_int_equal(guts_read_compare(x.r, &none, &o, false, &x.a, &d), 0);
	assert_int_equal(d.nfiles, 7);
	end(&x);
}

static void
ranges_and_names(void **state)
{
	struct guts_read_commits c;
	struct guts_read_diff d;
	struct guts_oid to, from, none = { 0 };
	struct readfix x;

	begin(&x, *state);
	to = oid_of(x.f, "main");
	from = oid_of(x.f, "main^1~2");
	assert_int_equal(guts_read_range(x.r, &from, &to, 0, 100, &x.a, &c), 0);
	assert_true(c.n == 4 && c.total == 4 && !c.more); /* merge, many, side and the count before many */
	assert_string_equal(c.v[0].summary, "merge");
	assert_int_equal(guts_read_range(x.r, &from, &to, 0, 2, &x.a, &c), 0);
	assert_true(c.n == 2 && c.total == 4 && c.more);
	assert_int_equal(guts_read_range(x.r, &from, &to, 3, 2, &x.a, &c), 0);
	assert_true(c.n == 1 && c.total == 4 && !c.more);
	assert_int_equal(guts_read_range(x.r, &to, &from, 0, 10, &x.a, &c), 0);
	assert_true(c.n == 0 && c.total == 0 && !c.more);
	assert_int_equal(guts_read_range(x.r, &none, &to, 0, 10, &x.a, &c), 0);
	assert_true(c.n == 10 && c.total == 34 && c.more);
	from.b[0] ^= 1; /* not there: as if nothing was left out */
	assert_int_equal(guts_read_range(x.r, &from, &to, 0, 10, &x.a, &c), 0);
	assert_int_equal(c.total, 34);
	assert_int_equal(guts_read_range(x.r, &none, &from, 0, 10, &x.a, &c), GUTS_ENOTFOUND);

	to = oid_of(x.f, "main^1");
	assert_int_equal(guts_read_names(x.r, &to, &x.a, &d), 0);
	assert_int_equal(d.n, 4);
	assert_true(file_of(&d, "src/a.c")->status == GUTS_FILE_MODIFIED && file_of(&d, "src/a.c")->additions == 0);
	assert_string_equal(file_of(&d, "start")->old_path, "run");
	assert_true(d.additions == 0 && d.deletions == 0);
	end(&x);
}

static void
abbreviated_ids(void **state)
{
	struct guts_oid tip, found;
	char hex[GUTS_OID_HEX_SIZE];
	struct readfix x;

	begin(&x, *state);
	tip = oid_of(x.f, "main");
	guts_oid_hex(hex, &tip);
	for (size_t n = 7; n < 40; n++) {
		assert_int_equal(guts_read_expand(x.r, guts_slice(hex, n), &found), 0);
		assert_true(guts_oid_eq(&found, &tip));
	}
	assert_int_equal(guts_read_expand(x.r, guts_slice(hex, 6), &found), GUTS_EINVAL);
	assert_int_equal(guts_read_expand(x.r, guts_slice(hex, 40), &found), GUTS_EINVAL);
	assert_int_equal(guts_read_expand(x.r, guts_slice_str("abcdefg"), &found), GUTS_EINVAL);
	assert_int_equal(guts_read_expand(x.r, guts_slice_str("0000000"), &found), GUTS_ENOTFOUND);
	end(&x);
}

static void
folders_files_and_readme(void **state)
{
	struct guts_read_entry e;
	struct guts_read_tree t;
	struct guts_slice bytes;
	struct guts_oid tip;
	struct readfix x;
	uint64_t size;

	begin(&x, *state);
	tip = oid_of(x.f, "main");
	assert_int_equal(guts_read_path(x.r, &tip, guts_slice_str(""), &x.a, &e), 0);
	assert_int_equal(e.kind, GUTS_ENTRY_DIR);
	assert_int_equal(guts_read_tree(x.r, &e.oid, &x.a, &t), 0);
	assert_int_equal(t.n, 7);
	assert_string_equal(t.v[0].name, "src");
	assert_string_equal(t.v[1].name, "README.md");
	assert_int_equal(t.v[4].kind, GUTS_ENTRY_LINK);
	assert_int_equal(t.v[6].kind, GUTS_ENTRY_EXEC);
	assert_int_equal(guts_read_path(x.r, &tip, guts_slice_str("src/a.c"), &x.a, &e), 0);
	assert_true(e.kind == GUTS_ENTRY_FILE && e.size == 8);
	assert_string_equal(e.name, "a.c");
	assert_int_equal(guts_read_tree(x.r, &e.oid, &x.a, &t), GUTS_EINVAL);
	assert_int_equal(guts_read_blob(x.r, &e.oid, 8, &x.a, &bytes, &size), 0);
	assert_true(guts_slice_eq(bytes, guts_slice_str("a\nB\nc\nd\n")));
	assert_int_equal(guts_read_blob(x.r, &e.oid, 7, &x.a, &bytes, &size), GUTS_ELIMIT);
	assert_int_equal(size, 8);
	assert_int_equal(guts_read_blob(x.r, &t.oid, 7, &x.a, &bytes, &size), GUTS_ENOTFOUND);
	assert_int_equal(guts_read_path(x.r, &tip, guts_slice_str("src/b.c"), &x.a, &e), GUTS_ENOTFOUND);
	assert_int_equal(guts_read_path(x.r, &tip, guts_slice_str("../x"), &x.a, &e), GUTS_ENOTFOUND);
	assert_int_equal(guts_read_readme(x.r, &tip, &x.a, &e), 0);
	assert_string_equal(e.name, "README.md");
	end(&x);
}

/* Every entry of the whole tree, as `git ls-tree -r -t` has it; a folder's alone; sizes; languages. */
static void
trees_with_all_below_them(void **state)
{
	struct guts_read_languages langs;
	struct guts_read_tree t;
	struct guts_oid commit, tree;
	struct readfix x;
	char path[96], hex[GUTS_OID_HEX_SIZE], *same;
	FILE *out;

	begin(&x, *state);
	commit = oid_of(x.f, "main");
	assert_int_equal(guts_read_treeish(x.r, &commit, &tree), 0);
	snprintf(path, sizeof(path), "%s/mine", x.f->dir);
	out = fopen(path, "w");
	assert_int_equal(guts_read_list(x.r, &tree, true, &x.a, &t), 0);
	for (size_t i = 0; i < t.n; i++) {
		guts_oid_hex(hex, &t.v[i].oid);
		fprintf(out, "%s %s\n", hex, t.v[i].name);
	}
	fclose(out);
	same = line_of(x.f, "git -C work ls-tree -r -t main | sed 's/^[^ ]* [^ ]* //' | tr '\t' ' ' | cmp - mine && echo same");
	assert_string_equal(same, "same");
	free(same);
	commit = oid_of(x.f, "v1");
	assert_int_equal(guts_read_treeish(x.r, &commit, &tree), 0);
	assert_int_equal(guts_read_list(x.r, &tree, false, &x.a, &t), 0);
	for (size_t i = 0; i < t.n; i++)
		assert_null(strchr(t.v[i].name, '/'));
	assert_int_equal(guts_read_languages(x.r, &tree, &x.a, &langs), 0);
	assert_int_equal(langs.n, 1);
	assert_string_equal(langs.v[0].name, "C");
	assert_int_equal(langs.v[0].bytes, 8);
	commit = oid_of(x.f, "main:README.md");
	assert_int_equal(guts_read_list(x.r, &commit, true, &x.a, &t), GUTS_EINVAL);
	assert_int_equal(guts_read_treeish(x.r, &commit, &tree), GUTS_ENOTFOUND);
	end(&x);
}

/* More entries, or deeper ones, than are listed: cut, and said so. */
static void
trees_beyond_the_caps(void **state)
{
	struct guts_oid flat, deep;
	struct guts_read_tree t;
	struct guts_arena large;
	struct readfix x;
	char *hex;

	begin(&x, *state);
	assert_int_equal(sh(x.f, "cd work; blob=$(git rev-parse main:README.md);"
	    "seq 100001 | sed \"s/.*/100644 blob $blob\tf&/\" | git mktree > ../flat;"
	    "t=$(git rev-parse main:src); for i in $(seq 70); do t=$(printf '040000 tree %%s\\td\\n' $t | git mktree); done; echo $t > ../deep"),
	    0);
	guts_read_close(x.r);
	char path[96];
	snprintf(path, sizeof(path), "%s/work/.git", x.f->dir);
	assert_int_equal(guts_read_open(&x.r, path), 0);
	hex = line_of(x.f, "cat flat");
	assert_int_equal(guts_oid_from_hex(&flat, guts_slice_str(hex)), 0);
	free(hex);
	hex = line_of(x.f, "cat deep");
	assert_int_equal(guts_oid_from_hex(&deep, guts_slice_str(hex)), 0);
	free(hex);
	guts_arena_init(&large, 96u << 20);
	assert_int_equal(guts_read_list(x.r, &flat, true, &large, &t), 0);
	assert_int_equal(t.n, GUTS_READ_TREE_MAX);
	assert_true(t.truncated);
	assert_int_equal(guts_read_list(x.r, &flat, true, &x.a, &t), GUTS_ELIMIT);
	assert_int_equal(guts_read_list(x.r, &deep, true, &large, &t), 0);
	assert_true(t.truncated);
	assert_int_equal(t.n, GUTS_READ_DEPTH_MAX + 1);
	guts_arena_deinit(&large);
	end(&x);
}

static void
tags_and_what_they_name(void **state)
{
	enum guts_object_type type;
	struct guts_read_tag tag;
	struct guts_oid o, main_tip, peeled;
	struct readfix x;
	uint64_t size;

	begin(&x, *state);
	o = oid_of(x.f, "v1");
	main_tip = oid_of(x.f, "main");
	assert_int_equal(guts_read_tag(x.r, &o, &x.a, &tag), 0);
	assert_string_equal(tag.name, "v1");
	assert_string_equal(tag.message, "tag\n");
	assert_true(tag.has_tagger && guts_oid_eq(&tag.target, &main_tip));
	assert_int_equal(tag.type, GUTS_OBJ_COMMIT);
	peeled = guts_read_peel(x.r, &o);
	assert_true(guts_oid_eq(&peeled, &main_tip));
	assert_int_equal(guts_read_tag(x.r, &main_tip, &x.a, &tag), GUTS_ENOTFOUND);
	assert_int_equal(guts_read_object(x.r, &o, &type, &size), 0);
	assert_int_equal(type, GUTS_OBJ_TAG);
	o.b[0] ^= 1;
	assert_int_equal(guts_read_object(x.r, &o, &type, &size), GUTS_ENOTFOUND);
	end(&x);
}

/* How two commits relate, and text that git takes; a large one is refused before it is made. */
static void
relations_and_texts(void **state)
{
	struct guts_read_relation rel;
	struct guts_oid from, to, base, none = { 0 };
	struct guts_buf text;
	struct readfix x;

	begin(&x, *state);
	from = oid_of(x.f, "side");
	to = oid_of(x.f, "main~1");
	base = oid_of(x.f, "main~6");
	assert_int_equal(guts_read_relate(x.r, &from, &to, &rel), 0);
	assert_true(guts_oid_eq(&rel.base, &base));
	assert_int_equal(rel.ahead, 5);
	assert_int_equal(rel.behind, 1);
	assert_int_equal(sh(x.f, "cd work; git checkout -q --orphan alone; git commit -q -m alone;"
	    "head -c 40000000 /dev/zero | tr '\\0' 'a' > large; git add large; git commit -q -m large"), 0);
	guts_read_close(x.r);
	char path[96];
	snprintf(path, sizeof(path), "%s/work/.git", x.f->dir);
	assert_int_equal(guts_read_open(&x.r, path), 0);
	to = oid_of(x.f, "alone");
	assert_int_equal(guts_read_relate(x.r, &from, &to, &rel), 0);
	assert_true(guts_oid_is_none(&rel.base));
	guts_buf_init(&text, GUTS_READ_TEXT_MAX);
	assert_int_equal(guts_read_change(x.r, &none, &to, GUTS_FORM_DIFF, &text), GUTS_ELIMIT);
	assert_int_equal(guts_read_change(x.r, &none, &to, GUTS_FORM_PATCH, &text), GUTS_ELIMIT);
	assert_int_equal(text.len, 0);
	to = oid_of(x.f, "alone~1");
	assert_int_equal(guts_read_change(x.r, &none, &to, GUTS_FORM_DIFF, &text), 0);
	assert_true(text.len > 100);
	guts_buf_deinit(&text);
	end(&x);
}

static void
the_arena_bounds_it(void **state)
{
	struct guts_read_commits list;
	struct guts_arena small;
	struct guts_oid tip, none = { 0 };
	struct readfix x;

	begin(&x, *state);
	tip = oid_of(x.f, "main");
	guts_arena_init(&small, 2000);
	assert_int_equal(guts_read_range(x.r, &none, &tip, 0, 30, &small, &list), GUTS_ELIMIT);
	guts_arena_deinit(&small);
	end(&x);
}

static void
an_empty_repository(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid o = oid_of(f, "main");
	struct guts_read_commit c;
	struct guts_read *r;
	struct guts_arena a;

	guts_arena_init(&a, 1000);
	assert_int_equal(guts_read_open(&r, f->path), 0);
	assert_int_equal(guts_read_commit(r, &o, &a, &c), GUTS_ENOTFOUND);
	guts_read_close(r);
	assert_int_equal(guts_read_open(&r, "/nonexistent.git"), GUTS_ENOTFOUND);
	guts_arena_deinit(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_commit, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(what_a_commit_changed, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(ranges_and_names, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(abbreviated_ids, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(folders_files_and_readme, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(trees_with_all_below_them, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(trees_beyond_the_caps, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(tags_and_what_they_name, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(relations_and_texts, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(the_arena_bounds_it, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(an_empty_repository, git_setup, git_teardown),
	};

	return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
