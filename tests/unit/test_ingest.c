/* Unit tests of git/ingest and git/packscan: real git, good packs and hostile ones. */
#include "gitfix.h"

#include "git/packscan.h"
#include "git/repostore_priv.h"

#include <sys/mount.h>

static int
incoming(const struct gitfix *f)
{
	char *n = line_of(f, "ls -d %s/objects/incoming-* | wc -l", f->path);
	int count = (int)strtol(n, NULL, 10);

	free(n);
	return count;
}

/* Wait until no quarantine is left, by doing other things. */
static bool
is_clean(struct gitfix *f)
{
	for (unsigned i = 0; i < 200 && incoming(f) > 0; i++) {
		guts_repos_create(f->repos, f->id, GUTS_SHA1, guts_slice_str("refs/heads/main"), on_err, f);
		guts_uvenv_run(f->uv);
	}
	return incoming(f) == 0;
}

static void
a_good_pack_is_taken(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = oid_of(f, "main");
	struct taking t = { 0 };

	assert_int_equal(sh(f, "git -C work rev-list --objects main | cut -c1-40 | git -C work pack-objects -q --stdout > p"), 0);
	if (take(f, "p", &tip, 1, &t))
		fail_msg("%s", t.detail);
	assert_true(t.objects >= 9);
	assert_int_equal(sh(f, "git -C %s update-ref refs/heads/main $(git -C work rev-parse main)", f->path), 0);
	assert_int_equal(sh(f, "git -C %s fsck --strict --full >/dev/null", f->path), 0);
	assert_int_equal(sh(f, "git -C %s log main >/dev/null", f->path), 0);
	assert_true(is_clean(f));
	/* The same once more, byte by byte. */
	t.piece = 1;
	assert_int_equal(take(f, "p", &tip, 1, &t), 0);
	assert_int_equal(sh(f, "test $(ls %s/objects/pack/*.pack | wc -l) = 1", f->path), 0);
}

static void
a_thin_pack_needs_its_base(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = oid_of(f, "main"), first = oid_of(f, "main~1");
	struct taking t = { 0 };

	assert_int_equal(sh(f, "cd work; seq 1 5000 > big; git add big; git commit -q -m big; seq 1 5001 > big; git commit -q -a -m bigger;"
	    "git rev-list --objects HEAD~1 | cut -c1-40 | git pack-objects -q --stdout > ../base;"
	    "(echo HEAD; echo ^HEAD~1) | git pack-objects -q --revs --thin --delta-base-offset --stdout > ../thin"), 0);
	tip = oid_of(f, "main");
	first = oid_of(f, "main~1");
	assert_int_equal(take(f, "thin", &tip, 1, &t), GUTS_ENOTFOUND);
	assert_true(t.detail[0]);
	assert_true(is_clean(f));
	assert_int_equal(take(f, "base", &first, 1, &t), 0);
	if (take(f, "thin", &tip, 1, &t))
		fail_msg("%s", t.detail);
	assert_int_equal(sh(f, "git -C %s fsck --strict --full >/dev/null 2>&1", f->path), 0);
	assert_int_equal(sh(f, "git -C %s cat-file -e $(git -C work rev-parse HEAD:big)", f->path), 0);
}

/* The answers are those that would be given once the objects are accepted. */
static void
questions_are_answered_from_pack_and_repository(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = oid_of(f, "main"), first = oid_of(f, "main~2");
	struct taking t = { .nasks = 3, .asks = { { .oid = tip, .ancestor = first }, { .oid = first, .ancestor = tip }, { .oid = tip } } };

	assert_int_equal(sh(f, "git -C work rev-list --objects main~1 | cut -c1-40 | git -C work pack-objects -q --stdout > base;"
	    "(echo main; echo ^main~1) | git -C work pack-objects -q --revs --thin --stdout > thin"), 0);
	t.asks[2].ancestor.n = 20; /* of nobody */
	assert_int_equal(take(f, "thin", &tip, 1, &t), GUTS_ENOTFOUND);
	assert_int_equal(t.asks[0].type, GUTS_OBJ_NONE); /* a bad pack is asked nothing */
	struct guts_oid base = oid_of(f, "main~1");
	t = (struct taking){ 0 };
	assert_int_equal(take(f, "base", &base, 1, &t), 0);
	for (unsigned again = 0; again < 2; again++) { /* from the pack, then without one */
		t = (struct taking){ .nasks = 3, .asks = { { .oid = tip, .ancestor = first }, { .oid = first, .ancestor = tip }, { .oid = tip } } };
		t.asks[2].ancestor.n = 20;
		assert_int_equal(take(f, again ? NULL : "thin", &tip, 1, &t), 0);
		assert_true(t.asks[0].type == GUTS_OBJ_COMMIT && t.asks[0].is_ancestor);
		assert_true(t.asks[1].type == GUTS_OBJ_COMMIT && !t.asks[1].is_ancestor);
		assert_true(t.asks[2].type == GUTS_OBJ_COMMIT && !t.asks[2].is_ancestor);
	}
}

static void
known_objects_need_no_pack(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip = oid_of(f, "main"), none;
	struct taking t = { 0 };

	assert_int_equal(take(f, NULL, &tip, 1, &t), GUTS_ENOTFOUND);
	assert_int_equal(sh(f, "git -C work rev-list --objects main | cut -c1-40 | git -C work pack-objects -q --stdout > p"), 0);
	assert_int_equal(take(f, "p", &tip, 1, &t), 0);
	assert_int_equal(take(f, NULL, &tip, 1, &t), 0);
	memset(&none, 0, sizeof(none));
	none.n = 20;
	none.b[0] = 1;
	assert_int_equal(take(f, NULL, &none, 1, &t), GUTS_ENOTFOUND);
	memset(f->id, 0x77, sizeof(f->id));
	assert_int_equal(take(f, NULL, &tip, 1, &t), GUTS_ENOTFOUND);
}

static int
wanted(const char *verdict)
{
	return strcmp(verdict, "accept") == 0 ? GUTS_OK : strcmp(verdict, "limit") == 0 ? GUTS_ELIMIT :
	    strcmp(verdict, "missing") == 0 ? GUTS_ENOTFOUND : GUTS_EPROTO;
}

static void
hostile_packs_are_refused(void **state)
{
	struct gitfix *f = *state;
	char line[1024], path[128];
	unsigned refused = 0, accepted = 0;
	FILE *list;

	assert_int_equal(sh(f, "mkdir packs; ${PYTHON:-python3} \"${GUTS_SRCDIR:-.}\"/tests/unit/hostile_packs.py packs"), 0);
	snprintf(path, sizeof(path), "%s/packs/list", f->dir);
	list = fopen(path, "r");
	assert_non_null(list);
	while (fgets(line, sizeof(line), list)) {
		char name[64], verdict[16], tips[512], file[80];
		struct guts_oid tip;
		struct taking t = { .piece = 37 };
		int err;

		assert_int_equal(sscanf(line, "%63s %15s %511s", name, verdict, tips), 3);
		snprintf(file, sizeof(file), "packs/%s", name);
		if (tips[0] != '-')
			assert_int_equal(guts_oid_from_hex(&tip, guts_slice_str(tips)), 0);
		if (strcmp(name, "bomb-blob") == 0)
			t.piece = 0;
		/* Each into an empty repository: what one brought must not help another. */
		assert_int_equal(make_repo(f, (uint8_t)(refused + accepted)), 0);
		err = take(f, file, &tip, tips[0] != '-', &t);
		if (err != wanted(verdict))
			fail_msg("%s: got %s (%s), want %s", name, guts_err_name(err), t.detail, verdict);
		accepted += err == 0;
		refused += err != 0;
		if (err == 0)
			continue;
		assert_true(t.detail[0]);
		assert_true(is_clean(f));
		assert_int_equal(sh(f, "test -z \"$(find %s/objects -type f)\"", f->path), 0);
	}
	fclose(list);
	assert_true(refused >= 12 && accepted >= 6);
}

static void
an_abort_leaves_nothing(void **state)
{
	struct gitfix *f = *state;
	struct guts_ingest_spec spec = { .pack_max = GUTS_PACK_MAX };
	struct taking t = { .f = f, .ended = true }; /* room that comes is not used */
	struct guts_slice bytes;

	assert_int_equal(sh(f, "head -c 3000000 /dev/urandom > work/noise; cd work; git add noise; git commit -q -m noise;"
	    "git rev-list --objects HEAD | cut -c1-40 | git pack-objects -q --stdout > ../p"), 0);
	bytes = file_bytes(f, "p");
	assert_int_equal(guts_ingest_open(f->repos, f->id, &spec, &taking_events, &t, &t.g), 0);
	guts_ingest_abort(f->repos, t.g);
	assert_int_equal(guts_ingest_open(f->repos, f->id, &spec, &taking_events, &t, &t.g), 0);
	/* No more than a quarter of a MiB is held. */
	assert_true(guts_ingest_write(f->repos, t.g, bytes) <= 256u << 10);
	guts_repos_create(f->repos, f->id, GUTS_SHA1, guts_slice_str("refs/heads/main"), on_err, f);
	guts_uvenv_run(f->uv);
	guts_ingest_abort(f->repos, t.g);
	assert_true(is_clean(f));
	assert_false(t.over);
	assert_int_equal(sh(f, "test -z \"$(find %s/objects -type f)\"", f->path), 0);
	free((void *)(uintptr_t)bytes.p);
}

static void
a_large_pack_flows_through(void **state)
{
	struct gitfix *f = *state;
	struct taking t = { 0 };
	struct guts_oid tip;

	assert_int_equal(sh(f, "head -c 5000000 /dev/urandom > work/noise; cd work; git add noise; git commit -q -m noise;"
	    "git rev-list --objects HEAD | cut -c1-40 | git pack-objects -q --stdout > ../p"), 0);
	tip = oid_of(f, "main");
	if (take(f, "p", &tip, 1, &t))
		fail_msg("%s", t.detail);
	assert_int_equal(sh(f, "git -C %s cat-file -e $(git -C work rev-parse HEAD:noise)", f->path), 0);
}

static void
a_pack_over_the_cap_is_refused(void **state)
{
	struct gitfix *f = *state;
	struct guts_ingest_spec spec = { .pack_max = 1000 };
	struct taking t = { .f = f };

	assert_int_equal(sh(f, "head -c 5000 /dev/urandom > work/noise; cd work; git add noise; git commit -q -m noise;"
	    "git rev-list --objects HEAD | cut -c1-40 | git pack-objects -q --stdout > ../p"), 0);
	t.left = file_bytes(f, "p");
	{
		struct guts_slice all = t.left;

		assert_int_equal(guts_ingest_open(f->repos, f->id, &spec, &taking_events, &t, &t.g), 0);
		give(&t);
		guts_uvenv_run(f->uv);
		assert_int_equal(t.err, GUTS_ELIMIT);
		guts_ingest_abort(f->repos, t.g);
		assert_true(is_clean(f));
		free((void *)(uintptr_t)all.p);
	}
}

/* A full disk: no acceptance, nothing left, and it works again when there is room. */
static void
a_full_disk_is_no_bad_pack(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tip;
	struct taking t = { 0 };
	char repos[80];

	snprintf(repos, sizeof(repos), "%s/repos", f->dir);
	close_git(f);
	if (mount("tmpfs", repos, "tmpfs", 0, "size=1m")) {
		open_git(f);
		print_message("# no right to mount a small file system here\n");
		skip();
	}
	open_git(f);
	assert_int_equal(make_repo(f, 1), 0);
	assert_int_equal(sh(f, "head -c 2000000 /dev/urandom > work/noise; cd work; git add noise; git commit -q -m noise;"
	    "git rev-list --objects HEAD | cut -c1-40 | git pack-objects -q --stdout > ../p;"
	    "git rev-list --objects HEAD~1 | cut -c1-40 | git pack-objects -q --stdout > ../small"), 0);
	tip = oid_of(f, "main");
	assert_int_equal(take(f, "p", &tip, 1, &t), GUTS_ENOSPC);
	assert_true(is_clean(f));
	tip = oid_of(f, "main~1");
	assert_int_equal(take(f, "small", &tip, 1, &t), 0);
	assert_int_equal(sh(f, "git -C %s fsck --strict >/dev/null 2>&1", f->path), 0);
	close_git(f);
	umount(repos);
	open_git(f);
}

static void
leftovers_are_swept(void **state)
{
	struct gitfix *f = *state;

	assert_int_equal(sh(f, "mkdir -p %s/objects/incoming-old-1/pack; echo x > %s/objects/incoming-old-1/pack/tmp_pack_1;"
	    "mkdir repos/a1/tmp-old-7", f->path, f->path), 0);
	close_git(f);
	open_git(f);
	for (unsigned i = 0; i < 200 && incoming(f) > 0; i++)
		assert_int_equal(make_repo(f, 0xa1), 0);
	assert_int_equal(incoming(f), 0);
	assert_int_equal(sh(f, "test ! -e repos/a1/tmp-old-7"), 0);
}

/* Sixty pushes; their packs become few, and nothing is lost. */
static void
small_packs_are_merged(void **state)
{
	struct gitfix *f = *state;
	struct taking t = { 0 };
	char *packs = NULL;
	long n = 1000;

	f->store->tail_grace_ns = 1;
	assert_int_equal(sh(f, "cd work; i=0; git rev-list --objects HEAD | cut -c1-40 | git pack-objects -q --stdout > ../q0;"
	    "while [ $i -lt 60 ]; do i=$((i+1)); echo $i > sub/n$((i %% 7)); git add .; git commit -q -m $i;"
	    "(echo HEAD; echo ^HEAD~1) | git pack-objects -q --revs --thin --stdout > ../q$i; done"), 0);
	for (unsigned i = 0; i <= 60; i++) {
		char name[16], rev[16];
		struct guts_oid tip;

		snprintf(name, sizeof(name), "q%u", i);
		snprintf(rev, sizeof(rev), "main~%u", 60 - i);
		tip = oid_of(f, rev);
		if (take(f, name, &tip, 1, &t))
			fail_msg("%s: %s", name, t.detail);
	}
	for (unsigned i = 0; i < 3000 && n > 20; i++) {
		assert_int_equal(make_repo(f, 0xa1), 0);
		packs = line_of(f, "ls %s/objects/pack/*.pack | wc -l", f->path);
		n = strtol(packs, NULL, 10);
		free(packs);
	}
	assert_in_range(n, 1, 20);
	assert_int_equal(sh(f, "git -C %s update-ref refs/heads/main $(git -C work rev-parse main)", f->path), 0);
	assert_int_equal(sh(f, "git -C %s fsck --strict --full 2>&1 | grep -v ^notice > out || :; test ! -s out", f->path), 0);
	assert_int_equal(sh(f, "test $(git -C %s rev-list --objects main | wc -l) = $(git -C work rev-list --objects main | wc -l)",
	    f->path), 0);
	/* The same packs once more: nothing is missing or in the way. */
	t.piece = 0;
	{
		struct guts_oid tip = oid_of(f, "main");

		assert_int_equal(take(f, "q60", &tip, 1, &t), 0);
	}
	assert_true(is_clean(f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_good_pack_is_taken, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_thin_pack_needs_its_base, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(questions_are_answered_from_pack_and_repository, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(known_objects_need_no_pack, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(hostile_packs_are_refused, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(an_abort_leaves_nothing, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_large_pack_flows_through, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_pack_over_the_cap_is_refused, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_is_no_bad_pack, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(leftovers_are_swept, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(small_packs_are_merged, git_setup, git_teardown),
	};

	return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
