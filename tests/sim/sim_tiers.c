/* tests/sim/sim_tiers.c - model and reality agree: one script, one seed, on the model's disks and on SQLite and git.
 *
 * Whole nodes live through loss, partition, crashes and restarts twice: once on disks of the model, once on real ones,
 * under the same virtual time.  In the end a ledger is written of each world: every durable row and fact of every
 * node, with their times (all but the bytes that a repository takes), and every ref.  The two ledgers must be the same, line for line.  Of the real world the refs are what
 * stock git shows in each repository; git fsck finds nothing there, and the objects that the refs reach are the
 * model's.
 *
 * Bytes take no virtual time here and packs stay in one piece, so that the course of events does not depend on how
 * large a pack of git is.  GUTS_LONG: 20 seeds.
 */
#include "simdigest.h"
#include "simnode.h"
#include "simreal.h"
#include "simrepo.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "git/repostore_priv.h"
#include "store/fact.h"
#include "sync/internal.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define S GUTS_SECOND_NS
#define LEDGER_MAX (64u << 20)

/* A crash takes answers with it, and what waited for them is never freed: leaks are looked for elsewhere. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* --- the ledger --------------------------------------------------------------------------------------- */

struct ledger {
	struct guts_buf text;
	unsigned place;
	unsigned table;
};

static void
add_hex(struct guts_buf *b, struct guts_slice s)
{
	char *hex = guts_alloc(2 * s.n + 1);

	guts_hex_encode(hex, s.p, s.n);
	guts_buf_add_str(b, hex);
	free(hex);
}

static void __attribute__((format(printf, 2, 3))) add_text(struct guts_buf *b, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	guts_buf_add_str(b, text);
}

static bool
add_row(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct ledger *l = owner;
	struct guts_policy_state local;
	uint8_t mem[128];

	if (l->table == GUTS_TABLE_REPO) { /* what a repository takes on the disk is the disk's own affair */
		assert_int_equal(guts_value_repo_read(value, &local), 0);
		local.size_bytes = 0;
		value = guts_value_repo(mem, &local);
	}
	add_text(&l->text, "n%u table %u ", l->place, l->table);
	add_hex(&l->text, key);
	guts_buf_add_u8(&l->text, ' ');
	add_hex(&l->text, value);
	guts_buf_add_u8(&l->text, '\n');
	return true;
}

static bool
add_fact(void *owner, const struct guts_fact *f)
{
	struct ledger *l = owner;
	struct guts_buf bytes;

	guts_buf_init(&bytes, 1u << 20);
	assert_int_equal(guts_fact_encode(&bytes, f), 0);
	add_text(&l->text, "n%u fact %" PRIu64 " %s ", l->place, f->id, f->type);
	add_hex(&l->text, guts_buf_slice(&bytes));
	guts_buf_add_u8(&l->text, '\n');
	guts_buf_deinit(&bytes);
	return true;
}

/* What the node keeps: all rows and facts. */
static void
add_store(struct ledger *l, struct guts_store *st)
{
	struct guts_slice all = guts_slice(NULL, 0);

	for (l->table = 0; l->table < GUTS_TABLE_N; l->table++)
		assert_int_equal(guts_store_scan(st, (enum guts_table)l->table, all, all, add_row, l), 0);
	assert_int_equal(guts_store_facts(st, 0, SIZE_MAX, add_fact, l), 0);
}

/* --- the repositories of the two worlds --------------------------------------------------------------- */

static void
add_ref(void *owner, int err, const struct guts_ref_row *v, size_t n)
{
	struct guts_buf *out = owner;
	char hex[GUTS_OID_HEX_SIZE];

	assert_int_equal(err, 0);
	for (size_t i = 0; i < n; i++) {
		guts_oid_hex(hex, &v[i].oid);
		add_text(out, "%s %s\n", hex, v[i].name);
	}
}

/* What git prints; it must exit with 0. */
static void
add_git(struct guts_buf *out, const char *path, const char *const *args)
{
	const char *argv[12] = { "git", "-C", path };
	char bytes[4096];
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	for (size_t i = 0; args[i]; i++)
		argv[3 + i] = args[i];
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execvp("git", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fd[1]);
	while ((n = read(fd[0], bytes, sizeof bytes)) > 0)
		guts_buf_add(out, bytes, (size_t)n);
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define ID_LINE 41 /* [bytes] hexadecimal id and line feed */

static int
by_id(const void *a, const void *b)
{
	return memcmp(a, b, ID_LINE);
}

static void
add_repository(struct guts_buf *out, struct sim *s, unsigned place, const uint8_t id[GUTS_REPOID_SIZE], bool is_real)
{
	/* The HEAD of an author's namespace is a symbolic ref that goes with the refs, no ref of its own. */
	static const char *const refs[] = { "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/**",
		"refs/tags/**", "refs/namespaces/*/refs/**", NULL };
	static const char *const objects[] = { "rev-list", "--objects", "--no-object-names", "--all", NULL };
	static const char *const fsck[] = { "fsck", "--strict", "--no-dangling", "--no-progress", NULL };
	char *path;
	size_t from;

	if (!is_real) {
		simrepo_refs_now(sim_repos(s, place), id, add_ref, out);
		simrepo_reached(sim_repos(s, place), id, out);
		return;
	}
	path = simreal_path(sim_disk(s, place), id);
	add_git(out, path, refs);
	from = out->len;
	add_git(out, path, objects);
	qsort((uint8_t *)(uintptr_t)guts_buf_slice(out).p + from, (out->len - from) / ID_LINE, ID_LINE, by_id);
	add_git(out, path, fsck);
	free(path);
}

/* --- the script ---------------------------------------------------------------------------------------- */

static void
live(struct simnet_world *w, struct sim *s)
{
	struct guts_rng *r = sim_rng(s);
	unsigned group[SIMNODE_MAX], crashed = w->n;

	sim_run_for(s, 5 * S);
	for (unsigned i = 0; i < 2; i++)
		simnet_world_create(w, (unsigned)guts_rng_below(r, w->n));
	for (unsigned round = 0; round < 8; round++) {
		sim_run_for(s, S + guts_rng_below(r, 2 * S));
		for (unsigned i = 0; i < 2; i++) {
			unsigned k = (unsigned)guts_rng_below(r, 2), b = (unsigned)guts_rng_below(r, 4);

			if (guts_rng_below(r, 6) > 0 || !simnet_world_delete(w, k, b))
				(void)simnet_world_push(w, k, b);
		}
		if (round == 2) {
			for (unsigned i = 0; i < w->n; i++)
				group[i] = (unsigned)guts_rng_below(r, 2);
			sim_partition(s, group);
		}
		if (round == 5)
			sim_heal(s);
		if (crashed < w->n) {
			sim_restart(s, crashed);
			crashed = w->n;
		} else if (round % 2) {
			sim_run_for(s, guts_rng_below(r, S / 4));
			crashed = (unsigned)guts_rng_below(r, w->n);
			sim_crash(s, crashed, guts_rng_below(r, 2) ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
		}
	}
	if (crashed < w->n)
		sim_restart(s, crashed);
	sim_set_loss(s, 0);
}

/* One world; gives its ledger. */
static void
world(uint64_t seed, unsigned places, bool is_real, struct guts_buf *ledger)
{
	char dir[128], *user;
	struct ledger l = { .place = 0 };
	struct sim_config c = { .seed = seed, .places = places, .loss_ppm = 30000, .bytes_per_s = UINT64_C(1) << 60 };
	struct simnet_world w = { .inventory_ms = 10000 };
	struct sim *s;

	snprintf(dir, sizeof dir, "%s/guts-tiers-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(dir));
	user = guts_asprintf("%s/user.git", dir);
	if (is_real) {
		c.disk = simreal_new;
		c.disk_arg = dir;
	}
	s = sim_new(&c);
	w.user = simuser_new(user, is_real);
	simnet_world_start(&w, s, places, 2);
	live(&w, s);
	if (!simnet_world_converge(&w, sim_now(s) + 180 * S))
		fail_msg("seed %" PRIu64 ", %s: not equal everywhere", seed, is_real ? "reality" : "model");

	guts_buf_init(&l.text, LEDGER_MAX);
	for (; l.place < places; l.place++) {
		add_store(&l, sim_store(s, l.place));
		for (unsigned k = 0; k < w.nrepos; k++) {
			add_text(&l.text, "n%u repository %u: %u pushes, %u acknowledged\n", l.place, k, w.repo[k].pushes,
			    w.repo[k].acks);
			if (w.repo[k].made)
				add_repository(&l.text, s, l.place, w.repo[k].id, is_real);
		}
	}
	assert_false(l.text.failed);
	print_message("# seed %" PRIu64 ", %s: %" PRIu64 " events, %zu bytes of ledger\n", seed,
	    is_real ? "reality" : "model", sim_events(s), l.text.len);
	sim_free(s);
	simnet_world_end(&w);
	simuser_free(w.user);
	assert_int_equal(guts_remove_tree(dir), 0);
	free(user);
	*ledger = l.text;
}

/* Where they differ, as two lines. */
static void
show_difference(struct guts_slice a, struct guts_slice b)
{
	size_t i = 0, from = 0;

	for (; i < a.n && i < b.n && a.p[i] == b.p[i]; i++)
		if (a.p[i] == '\n')
			from = i + 1;
	print_message("# model:   %.400s\n", from < a.n ? (const char *)a.p + from : "");
	print_message("# reality: %.400s\n", from < b.n ? (const char *)b.p + from : "");
}

static void
model_and_reality_agree(void **state)
{
	const char *first = getenv("GUTS_SEED");
	uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
	unsigned seeds = getenv("GUTS_LONG") ? 20 : 2;

	(void)state;
	for (unsigned i = 0; i < seeds; i++) {
		struct guts_buf model, reality;
		unsigned places = 4 + (unsigned)((seed + i) % 5); /* up to 8 */

		world(seed + i, places, false, &model);
		world(seed + i, places, true, &reality);
		if (!guts_slice_eq(guts_buf_slice(&model), guts_buf_slice(&reality))) {
			show_difference(guts_buf_slice(&model), guts_buf_slice(&reality));
			fail_msg("seed %" PRIu64 ": the ledgers differ", seed + i);
		}
		guts_buf_deinit(&model);
		guts_buf_deinit(&reality);
	}
}

static void
model_world(uint64_t seed, uint8_t digest[32])
{
	struct guts_buf ledger;

	world(seed, 5, false, &ledger);
	guts_sha256(digest, guts_buf_slice(&ledger));
	guts_buf_deinit(&ledger);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_and_reality_agree),
	};

	if (guts_crypto_init())
		return 1;
	guts_log_set_level(getenv("GUTS_SIM_LOG") ? GUTS_LOG_DEBUG : GUTS_LOG_ERROR);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	if (simdigest_print(model_world))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
