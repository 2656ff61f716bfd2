/* Unit tests of git/graph, git/history and git/graphwrite: a seeded random history with merges, octopus merges, several roots, renames and
 * deletions, against what stock git says about it; without a commit-graph, with one of half of it, with one of all of it. */
#include "gitfix.h"

#include "base/rng.h"
#include "git/graph.h"
#include "git/history.h"

#include <dirent.h>
#include <fcntl.h>

#define GRAPHS "work/.git/objects/info/commit-graphs"
#define GIT "git -C work -c core.commitGraph=false -c core.quotePath=false"

static unsigned
commits(void)
{
	return getenv("GUTS_LONG") ? 4000 : 500;
}

/* -- a history ------------------------------------------------------------------------- */

static const char *const names[] = { "top", "a/x", "a/y", "a/b/x", "a/b/z", "c", "c d", "e/\303\274", "e.txt", "link" };
#define NAMES (sizeof(names) / sizeof(names[0]))

static void
write_change(FILE *out, struct guts_rng *rng)
{
	const char *name = names[guts_rng_below(rng, NAMES)];

	if (guts_rng_below(rng, 6) == 0)
		fprintf(out, "D %s\n", name);
	else
		/* few contents, so that branches meet again with the same one */
		fprintf(out, "M %s inline %s\ndata 2\n%u\n", guts_rng_below(rng, 9) ? "100644" : "100755", name,
		    (unsigned)guts_rng_below(rng, 3));
}

#define HEADS_MAX 8

/* Parents of commit `n`: one of the heads or an older commit, and sometimes other heads; none for a root.  Heads that it takes are none any more; it is one. */
static void
write_parents(FILE *out, struct guts_rng *rng, unsigned n, bool is_last, unsigned heads[HEADS_MAX + 1], unsigned *nheads)
{
	unsigned more = 0;

	if (n > 1 && (is_last || *nheads >= HEADS_MAX || guts_rng_below(rng, 60) != 0)) {
		if (!is_last && *nheads < HEADS_MAX && guts_rng_below(rng, 5) == 0)
			fprintf(out, "from :%u\n", 1 + (unsigned)guts_rng_below(rng, n - 1));
		else
			fprintf(out, "from :%u\n", heads[--*nheads]);
		more = is_last ? *nheads : guts_rng_below(rng, 4) ? 0 : 1 + (unsigned)guts_rng_below(rng, 3);
	}
	for (; more > 0 && *nheads > 0; more--) {
		unsigned i = (unsigned)guts_rng_below(rng, *nheads);

		fprintf(out, "merge :%u\n", heads[i]);
		heads[i] = heads[--*nheads];
	}
	heads[(*nheads)++] = n;
}

/* Commits `from`+1 … `to` of the history as a stream for git fast-import; the last one reaches all. */
static void
write_stream(const struct gitfix *f, struct guts_rng *rng, unsigned from, unsigned to)
{
	unsigned heads[HEADS_MAX + 1] = { from }, nheads = from > 0;
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/stream", f->dir);
	out = fopen(path, "w");
	for (unsigned n = from + 1; n <= to; n++) {
		unsigned who = (unsigned)guts_rng_below(rng, 7);
		int when = 1600000000 + (int)n * 60 + (int)guts_rng_below(rng, 900);

		fprintf(out, "reset refs/heads/tmp\ncommit refs/heads/tmp\nmark :%u\n", n);
		fprintf(out, "author Author %u <%s%u@example.org> %d +0200\n", who, guts_rng_below(rng, 2) ? "a" : "A", who,
		    when - 5);
		fprintf(out, "committer C <c@example.org> %d +0000\ndata 8\nn %05u\n\n", when, n);
		write_parents(out, rng, n, n == to, heads, &nheads);
		for (unsigned k = (unsigned)guts_rng_below(rng, 4); k > 0; k--)
			write_change(out, rng);
		if (n == 1)
			fprintf(out, "M 100644 inline old\ndata 2\nx\n");
		fprintf(out, "\n");
	}
	fprintf(out, "reset refs/heads/main\nfrom :%u\n", to);
	fclose(out);
	assert_int_equal(sh(f, "cd work; git fast-import --quiet --force --import-marks-if-exists=../marks "
	    "--export-marks=../marks < ../stream; git update-ref -d refs/heads/tmp"), 0);
}

static void
write_graph(const struct gitfix *f)
{
	assert_int_equal(sh(f, "git -C work commit-graph write --reachable --changed-paths --split=no-merge 2>&1"), 0);
}

/* -- asking ---------------------------------------------------------------------------- */

struct ask {
	struct gitfix *f;
	struct guts_read *r;
	struct guts_history *h;
	struct guts_arena a;
};

static void
ask_begin(struct ask *x, struct gitfix *f, uint64_t work_max)
{
	char path[96];

	x->f = f;
	snprintf(path, sizeof(path), "%s/work/.git", f->dir);
	assert_int_equal(guts_read_open(&x->r, path), 0);
	guts_arena_init(&x->a, 64u << 20);
	x->h = guts_history_open(x->r, path, work_max ? work_max : UINT64_MAX);
}

static void
ask_end(struct ask *x)
{
	guts_history_close(x->h);
	guts_read_close(x->r);
	guts_arena_deinit(&x->a);
}

static FILE *
create(const struct gitfix *f, const char *name)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	return out;
}

/* Our list, all pages, must be git's, in its order.  `args`: what git is asked. */
static void
same_log(struct gitfix *f, const struct guts_history_filter *filter, const char *args)
{
	struct guts_oid tip = oid_of(f, "main");
	struct guts_read_commits page = { .more = true };
	FILE *out = create(f, "mine");
	char hex[GUTS_OID_HEX_SIZE];

	for (unsigned n = 1; page.more; n++) {
		struct ask x;

		ask_begin(&x, f, 0);
		assert_int_equal(guts_history_log(x.h, &tip, filter, n, 97, &x.a, &page), 0);
		assert_false(page.incomplete);
		for (size_t i = 0; i < page.n; i++) {
			guts_oid_hex(hex, &page.v[i].oid);
			fprintf(out, "%s\n", hex);
		}
		ask_end(&x);
	}
	fclose(out);
	if (sh(f, GIT " log --format=%%H %s > theirs; cmp mine theirs", args))
		fail_msg("not as git log %s", args);
}

static void
same_count(struct gitfix *f)
{
	char *want = line_of(f, GIT " rev-list --count main"), have[32];
	struct guts_oid tip = oid_of(f, "main");
	bool incomplete;
	struct ask x;
	uint64_t n;

	ask_begin(&x, f, 0);
	assert_int_equal(guts_history_count(x.h, &tip, &n, &incomplete), 0);
	assert_false(incomplete);
	snprintf(have, sizeof(have), "%llu", (unsigned long long)n);
	assert_string_equal(have, want);
	tip.b[3] ^= 1;
	assert_int_equal(guts_history_count(x.h, &tip, &n, &incomplete), GUTS_ENOTFOUND);
	free(want);
	ask_end(&x);
}

/* The entries of a folder and their last commits as git has them; `known` for `older` must not change that. */
static void
same_folder(struct gitfix *f, const char *dir, const char *older)
{
	struct guts_oid tip = oid_of(f, "main"), old = older ? oid_of(f, older) : tip;
	struct guts_history_folder known, folder;
	struct ask x, y;
	FILE *out = create(f, "mine");
	char hex[GUTS_OID_HEX_SIZE];
	int err = GUTS_ENOTFOUND;

	ask_begin(&y, f, 0);
	if (older)
		err = guts_history_folder(y.h, &old, guts_slice_str(dir), NULL, &y.a, &known);
	ask_begin(&x, f, 0);
	assert_int_equal(guts_history_folder(x.h, &tip, guts_slice_str(dir), err ? NULL : &known, &x.a, &folder), 0);
	assert_false(folder.incomplete);
	for (size_t i = 0; i < folder.n; i++) {
		guts_oid_hex(hex, &folder.v[i].commit);
		fprintf(out, "%s %s\n", hex, folder.v[i].name);
	}
	fclose(out);
	ask_end(&x);
	ask_end(&y);
	if (sh(f, GIT " ls-tree --name-only main:%s | while IFS= read -r n; do echo \"$(" GIT " log -1 --format=%%H main -- \"%s%s$n\") $n\";"
	    "done > theirs; cmp mine theirs", dir, dir, dir[0] ? "/" : ""))
		fail_msg("last commits of %s are not git's", dir);
}

static void
same_people(struct gitfix *f, const char *older)
{
	struct guts_oid tip = oid_of(f, "main"), old = older ? oid_of(f, older) : tip;
	struct guts_history_people known, people;
	struct ask x, y;
	FILE *out = create(f, "mine");

	ask_begin(&y, f, 0);
	if (older)
		assert_int_equal(guts_history_people(y.h, &old, NULL, &y.a, &known), 0);
	ask_begin(&x, f, 0);
	assert_int_equal(guts_history_people(x.h, &tip, older ? &known : NULL, &x.a, &people), 0);
	for (size_t i = 0; i < people.n; i++)
		fprintf(out, "%llu %s\n", (unsigned long long)people.v[i].commits, people.v[i].name);
	fclose(out);
	ask_end(&x);
	ask_end(&y);
	if (sh(f, GIT " log --format=%%an main | sort | uniq -c | sed 's/^ *//' | sort > theirs; sort mine | cmp - theirs"))
		fail_msg("contributors are not git's");
}

static void
all_as_git(struct gitfix *f)
{
	static const char *const paths[] = { "top", "a", "a/b", "a/b/z", "c", "c d", "e", "e/\303\274", "old", "nothing", "a/x/y" };
	struct guts_history_filter none = { 0 }, by = none, between = none;
	char args[200];

	same_count(f);
	same_log(f, &none, "main");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct guts_history_filter of = { .path = guts_slice_str(paths[i]) };

		snprintf(args, sizeof(args), "main -- '%s'", paths[i]);
		same_log(f, &of, args);
	}
	by.author = guts_slice_str("aUTHOR 3 <a3@");
	same_log(f, &by, "-i -F --author='author 3 <a3@' main");
	between.has_since = between.has_until = true;
	between.since_s = 1600000000 + 100 * 60;
	between.until_s = 1600000000 + 300 * 60;
	snprintf(args, sizeof(args), "--since=@%lld --until=@%lld main", (long long)between.since_s, (long long)between.until_s);
	same_log(f, &between, args);
	between.path = guts_slice_str("/a/b/");
	snprintf(args, sizeof(args), "--since=@%lld --until=@%lld main -- a/b", (long long)between.since_s,
	    (long long)between.until_s);
	same_log(f, &between, args);
	same_folder(f, "", NULL);
	same_folder(f, "a", NULL);
	same_folder(f, "", "main~3");
	same_people(f, NULL);
	same_people(f, "main~3");
}

static void
answers_are_gits(void **state)
{
	struct gitfix *f = *state;
	struct guts_rng rng;

	guts_rng_seed(&rng, 7);
	assert_int_equal(sh(f, "rm -rf work; git init -q -b main work"), 0);
	write_stream(f, &rng, 0, commits() / 2);
	write_graph(f);
	write_stream(f, &rng, commits() / 2, commits());
	all_as_git(f); /* half in the graph */
	write_graph(f);
	assert_int_equal(sh(f, "test $(wc -l < " GRAPHS "/commit-graph-chain) = 2"), 0);
	all_as_git(f);
	assert_int_equal(sh(f, "rm -rf " GRAPHS), 0);
	all_as_git(f);
}

/* -- limits and damage --------------------------------------------------------------------- */

static void
begin_small(struct gitfix *f)
{
	struct guts_rng rng;

	guts_rng_seed(&rng, 8);
	assert_int_equal(sh(f, "rm -rf work marks; git init -q -b main work"), 0);
	write_stream(f, &rng, 0, 300);
	write_graph(f);
}

static void
work_is_bounded(void **state)
{
	struct guts_history_filter path = { .path = guts_slice_str("old") };
	struct guts_history_people people;
	struct guts_history_folder folder;
	struct guts_read_commits page;
	struct gitfix *f = *state;
	struct guts_oid tip;
	bool incomplete;
	struct ask x;
	uint64_t n;

	begin_small(f);
	tip = oid_of(f, "main");
	ask_begin(&x, f, 50);
	assert_int_equal(guts_history_count(x.h, &tip, &n, &incomplete), 0);
	assert_true(incomplete && n > 0 && n <= 50);
	ask_end(&x);
	ask_begin(&x, f, 50);
	assert_int_equal(guts_history_log(x.h, &tip, &path, 1, 10, &x.a, &page), 0);
	assert_true(page.incomplete && page.n == 0 && !page.more);
	ask_end(&x);
	ask_begin(&x, f, 5000);
	assert_int_equal(guts_history_people(x.h, &tip, NULL, &x.a, &people), 0);
	assert_true(people.incomplete && people.commits > 0 && people.commits <= 50);
	ask_end(&x);
	assert_int_equal(sh(f, "rm -rf " GRAPHS), 0);
	ask_begin(&x, f, 1000);
	assert_int_equal(guts_history_folder(x.h, &tip, guts_slice_str(""), NULL, &x.a, &folder), 0);
	assert_true(folder.incomplete && folder.n > 5);
	assert_true(guts_oid_is_none(&folder.v[folder.n - 2].commit)); /* "old", which the first commit made */
	ask_end(&x);
	ask_begin(&x, f, 50);
	assert_int_equal(guts_history_folder(x.h, &tip, guts_slice_str(""), NULL, &x.a, &folder), GUTS_EUNAVAILABLE);
	ask_end(&x);
}

/* The only layer's file, as fresh memory. */
static uint8_t *
read_layer(const struct gitfix *f, size_t *n)
{
	char *name = line_of(f, "ls " GRAPHS "/graph-*"), path[256];
	uint8_t *out = guts_alloc(1u << 20);
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	in = fopen(path, "rb");
	assert_non_null(in);
	*n = fread(out, 1, 1u << 20, in);
	fclose(in);
	free(name);
	return out;
}

static void
write_layer(const struct gitfix *f, const uint8_t *p, size_t n)
{
	char *name = line_of(f, "ls " GRAPHS "/graph-*");
	FILE *out;

	assert_int_equal(sh(f, "chmod u+w %s", name), 0);
	out = create(f, name);
	assert_int_equal(fwrite(p, 1, n, out), n);
	fclose(out);
	free(name);
}

/* A changed byte or a cut anywhere is found by the check, and reading does not leave the file before. */
static void
damage_is_found(void **state)
{
	struct gitfix *f = *state;
	struct guts_graph *g;
	struct guts_rng rng;
	struct guts_slice file;
	uint8_t *p;
	size_t n;

	begin_small(f);
	p = read_layer(f, &n);
	file = guts_slice(p, n);
	assert_int_equal(guts_graph_of(&g, &file, 1), 0);
	assert_int_equal(guts_graph_count(g), 300);
	assert_int_equal(guts_graph_check(g), 0);
	guts_graph_close(g);
	guts_rng_seed(&rng, 9);
	for (unsigned i = 0; i < 2000; i++) {
		size_t at = (size_t)guts_rng_below(&rng, n);
		uint8_t bit = (uint8_t)(1u << guts_rng_below(&rng, 8));
		int err;

		p[at] ^= bit;
		err = guts_graph_of(&g, &file, 1);
		if (!err)
			err = guts_graph_check(g);
		assert_int_equal(err, GUTS_EPROTO);
		guts_graph_close(g);
		p[at] ^= bit;
	}
	for (size_t cut = 0; cut < n; cut += 1 + cut / 8) {
		int err;

		file = guts_slice(p, cut);
		err = guts_graph_of(&g, &file, 1);
		if (!err)
			err = guts_graph_check(g);
		assert_int_equal(err, GUTS_EPROTO);
		guts_graph_close(g);
	}
	free(p);
}

/* A graph that says something else than the commits, or names parents that cannot be, is not believed. */
static void
a_lying_graph_is_not_believed(void **state)
{
	struct guts_history_filter none = { 0 };
	struct gitfix *f = *state;
	struct guts_read_commits page;
	struct guts_oid tip;
	struct ask x;
	uint8_t *p;
	size_t n, cdat = 0;

	begin_small(f);
	p = read_layer(f, &n);
	for (size_t i = 8; i < 8 + 12u * p[6]; i += 12)
		if (memcmp(p + i, "CDAT", 4) == 0)
			cdat = (size_t)p[i + 10] << 8 | p[i + 11];
	assert_true(cdat > 0);
	for (size_t i = 0; i < 300; i++)
		p[cdat + i * 36 + 1] ^= 0xff; /* of each tree */
	write_layer(f, p, n);
	same_log(f, &none, "main");
	tip = oid_of(f, "main");
	ask_begin(&x, f, 0);
	assert_int_equal(guts_history_log(x.h, &tip, &none, 1, 10, &x.a, &page), 0);
	assert_true(guts_history_wants_graph(x.h));
	ask_end(&x);
	for (size_t i = 0; i < 300; i++) {
		p[cdat + i * 36 + 1] ^= 0xff;
		p[cdat + i * 36 + 20] ^= 0x40; /* of each first parent */
	}
	write_layer(f, p, n);
	same_count(f);
	free(p);
}

/* -- writing --------------------------------------------------------------------------------- */

struct await {
	struct gitfix *f;
	const char *what;
	struct guts_timer timer;
	unsigned turns;
};

static void
look(struct guts_timer *t, void *owner)
{
	struct await *w = owner;
	struct guts_env *env = guts_uvenv_env(w->f->uv);

	if (sh(w->f, "%s", w->what) == 0)
		guts_uvenv_stop(w->f->uv);
	else if (++w->turns > 600)
		fail_msg("never: %s", w->what);
	else
		guts_env_timer_set(env, t, guts_env_now(env) + 50 * GUTS_MS_NS);
}

/* Run the loop until a shell command succeeds. */
static void
run_until(struct gitfix *f, const char *what)
{
	struct await w = { .f = f, .what = what, .timer = { .fire = look, .owner = &w } };

	guts_env_timer_set(guts_uvenv_env(f->uv), &w.timer, guts_env_now(guts_uvenv_env(f->uv)));
	guts_uvenv_run(f->uv);
}

static void
move_main(struct gitfix *f)
{
	struct guts_ref_update up = { .name = guts_slice_str("refs/heads/main"), .oid = oid_of(f, "main") };

	assert_int_equal(sh(f, "git -C work repack -adq; cp work/.git/objects/pack/* %s/objects/pack/", f->path), 0);
	guts_repos_project(f->repos, f->id, &up, 1, false, guts_slice_str(""), on_err, f);
	guts_uvenv_run(f->uv);
	assert_int_equal(f->err, 0);
}

static void
a_graph_is_written_when_refs_move(void **state)
{
	struct gitfix *f = *state;
	struct guts_rng rng;
	char layers[512];

	begin_small(f);
	assert_int_equal(sh(f, "mkdir -p %s/" GUTS_GRAPH_DIR "; cd %s/" GUTS_GRAPH_DIR "; touch commit-graph-chain.lock tmp_graph_x",
	    f->path, f->path), 0); /* what a killed git left */
	move_main(f);
	snprintf(layers, sizeof(layers), "test -s %s/" GUTS_GRAPH_DIR "/commit-graph-chain", f->path);
	run_until(f, layers);
	assert_int_equal(sh(f, "git -C %s commit-graph verify; ! ls %s/" GUTS_GRAPH_DIR "/tmp* 2>/dev/null", f->path, f->path), 0);

	assert_int_equal(sh(f, "cp %s/" GUTS_GRAPH_DIR "/commit-graph-chain old", f->path), 0);
	guts_rng_seed(&rng, 10);
	write_stream(f, &rng, 300, 700);
	move_main(f);
	snprintf(layers, sizeof(layers), "! cmp -s %s/" GUTS_GRAPH_DIR "/commit-graph-chain old && git -C %s commit-graph verify 2>/dev/null", f->path,
	    f->path);
	run_until(f, layers);
}

/* A few new commits are left to the readers. */
static void
loose_commits_are_counted(void **state)
{
	struct gitfix *f = *state;
	struct guts_oid tips[3] = { { 0 } };
	struct guts_rng rng;
	struct ask x;

	begin_small(f);
	guts_rng_seed(&rng, 11);
	write_stream(f, &rng, 300, 312);
	tips[0] = oid_of(f, "main~1^{tree}"); /* no commit */
	tips[1] = tips[2] = oid_of(f, "main");
	ask_begin(&x, f, 0);
	assert_int_equal(guts_history_loose(x.h, tips, 3, 100), 12);
	assert_int_equal(guts_history_loose(x.h, tips, 3, 5), 5);
	assert_false(guts_history_wants_graph(x.h));
	ask_end(&x);
	assert_int_equal(sh(f, "rm -rf " GRAPHS), 0);
	ask_begin(&x, f, 0);
	assert_int_equal(guts_history_loose(x.h, tips, 3, GUTS_HISTORY_LOOSE_MAX + 1), GUTS_HISTORY_LOOSE_MAX + 1);
	assert_true(guts_history_wants_graph(x.h));
	ask_end(&x);
}

static void
a_damaged_graph_is_written_again(void **state)
{
	struct gitfix *f = *state;
	char there[512];

	begin_small(f);
	move_main(f);
	snprintf(there, sizeof(there), "test -s %s/" GUTS_GRAPH_DIR "/commit-graph-chain && git -C %s commit-graph verify 2>/dev/null", f->path,
	    f->path);
	run_until(f, there);
	assert_int_equal(sh(f, "cd %s/" GUTS_GRAPH_DIR "; chmod u+w *; for g in graph-*; do printf XXXX | dd of=$g bs=1 seek=2000 conv=notrunc"
	    " 2>/dev/null; done; ! git -C %s commit-graph verify", f->path, f->path), 0);
	guts_repostore_index(f->store, f->id);
	run_until(f, there);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_are_gits, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(work_is_bounded, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(damage_is_found, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_lying_graph_is_not_believed, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(loose_commits_are_counted, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_graph_is_written_when_refs_move, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_graph_is_written_again, git_setup, git_teardown),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
