/* Unit tests of store/batch, store/fact and store/sqlite, on real SQLite and the real loop. */
#include "base/alloc.h"
#include "loop/uvenv.h"
#include "store/fact.h"
#include "store/schema.h"
#include "store/sqlite.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define S(text) guts_slice_str(text)

struct fixture {
	char dir[64];
	char path[300];
	struct guts_uvenv *uv;
	struct guts_sqlite *db;
	struct guts_store *store;
};

/* What `done` reported. */
struct answer {
	struct fixture *f;
	int err;
	uint64_t first, last;
	unsigned calls;
	unsigned wanted; /* stop the loop at this many */
};

static void
on_done(void *owner, int err, uint64_t first, uint64_t last)
{
	struct answer *a = owner;

	a->err = err;
	a->first = first;
	a->last = last;
	if (++a->calls == a->wanted)
		guts_uvenv_stop(a->f->uv);
}

static void
open_store(struct fixture *f)
{
	struct guts_errinfo ei = { 0 };

	if (guts_sqlite_open(&f->db, f->path, guts_uvenv_env(f->uv), &ei))
		fail_msg("%s", ei.text);
	f->store = guts_sqlite_store(f->db);
}

static int
setup(void **state)
{
	struct fixture *f = guts_alloc(sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "%s/guts-store-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/guts.db", f->dir);
	assert_int_equal(guts_uvenv_new(NULL, &f->uv), 0);
	open_store(f);
	*state = f;
	return 0;
}

static void
remove_dir(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	guts_sqlite_close(f->db);
	guts_uvenv_free(f->uv);
	remove_dir(f->dir);
	free(f);
	return 0;
}

static struct answer
commit(struct fixture *f, struct guts_batch *b)
{
	struct answer a = { .f = f, .err = -999, .wanted = 1 };

	assert_int_equal(guts_store_commit(f->store, b, on_done, &a), 0);
	guts_uvenv_run(f->uv);
	return a;
}

static int
put(struct fixture *f, enum guts_table t, const char *key, const char *value)
{
	struct guts_batch *b = guts_batch_new();

	guts_batch_put(b, t, S(key), S(value));
	return commit(f, b).err;
}

static void
expect(struct fixture *f, enum guts_table t, const char *key, const char *value)
{
	struct guts_buf got;
	int err;

	guts_buf_init(&got, GUTS_STORE_VALUE_MAX);
	err = guts_store_get(f->store, t, S(key), &got);
	if (value == NULL) {
		assert_int_equal(err, GUTS_ENOTFOUND);
	} else {
		assert_int_equal(err, 0);
		assert_string_equal(guts_buf_cstr(&got), value);
	}
	guts_buf_deinit(&got);
}

static void
puts_gets_and_deletes(void **state)
{
	struct fixture *f = *state;
	struct guts_batch *b;

	assert_int_equal(put(f, GUTS_TABLE_META, "a", "1"), 0);
	assert_int_equal(put(f, GUTS_TABLE_META, "a", "2"), 0);
	assert_int_equal(put(f, GUTS_TABLE_META, "empty", ""), 0);
	expect(f, GUTS_TABLE_META, "a", "2");
	expect(f, GUTS_TABLE_META, "empty", "");
	expect(f, GUTS_TABLE_META, "b", NULL);
	expect(f, GUTS_TABLE_BOOK, "a", NULL);
	b = guts_batch_new();
	guts_batch_put(b, GUTS_TABLE_META, S("b"), S("3"));
	guts_batch_del(b, GUTS_TABLE_META, S("a"));
	assert_int_equal(guts_batch_count(b), 2);
	assert_int_equal(commit(f, b).err, 0);
	expect(f, GUTS_TABLE_META, "a", NULL);
	expect(f, GUTS_TABLE_META, "b", "3");
}

struct rows {
	struct fixture *f;
	char text[256];
	unsigned max;
	bool nested;
};

static bool
collect(void *owner, struct guts_slice key, struct guts_slice value)
{
	struct rows *r = owner;
	size_t n = strlen(r->text);

	snprintf(r->text + n, sizeof(r->text) - n, "%.*s=%.*s ", (int)key.n, (const char *)key.p, (int)value.n,
	    (const char *)value.p);
	if (r->nested) {
		struct rows inner = { .max = 1 };

		assert_int_equal(guts_store_scan(r->f->store, GUTS_TABLE_REPO, S("x"), S(""), collect, &inner), 0);
		assert_string_equal(inner.text, "x=5 ");
	}
	return --r->max > 0;
}

static void
expect_scan(struct fixture *f, const char *prefix, const char *after, unsigned max, const char *want)
{
	struct rows r = { .f = f, .max = max };

	assert_int_equal(guts_store_scan(f->store, GUTS_TABLE_REPO, S(prefix), S(after), collect, &r), 0);
	assert_string_equal(r.text, want);
}

static void
scans_by_prefix_in_order(void **state)
{
	struct fixture *f = *state;
	struct rows r = { .f = f, .max = 9, .nested = true };
	struct guts_batch *b = guts_batch_new();
	const char *keys[] = { "w", "x", "x\xff", "x\xff\xff", "xa", "xab", "y" };

	for (size_t i = 0; i < 7; i++) {
		char v[2] = { (char)('4' + (char)i), 0 };

		guts_batch_put(b, GUTS_TABLE_REPO, S(keys[i]), S(v));
	}
	assert_int_equal(commit(f, b).err, 0);
	expect_scan(f, "", "", 99, "w=4 x=5 xa=8 xab=9 x\xff=6 x\xff\xff=7 y=: ");
	expect_scan(f, "xa", "", 99, "xa=8 xab=9 ");
	expect_scan(f, "x", "xa", 99, "xab=9 x\xff=6 x\xff\xff=7 ");
	expect_scan(f, "x", "a", 1, "x=5 ");
	expect_scan(f, "x", "y", 9, "");
	expect_scan(f, "z", "", 9, "");
	assert_int_equal(guts_store_scan(f->store, GUTS_TABLE_REPO, S("x"), S(""), collect, &r), 0);
	assert_string_equal(r.text, "x=5 xa=8 xab=9 x\xff=6 x\xff\xff=7 ");

	b = guts_batch_new();
	guts_batch_del_prefix(b, GUTS_TABLE_REPO, S("x\xff"));
	assert_int_equal(commit(f, b).err, 0);
	expect_scan(f, "", "", 99, "w=4 x=5 xa=8 xab=9 y=: ");
	b = guts_batch_new();
	guts_batch_put(b, GUTS_TABLE_REPO, S("\xff"), S("p"));
	guts_batch_put(b, GUTS_TABLE_REPO, S("\xff\xff"), S("q"));
	guts_batch_del_prefix(b, GUTS_TABLE_REPO, S("\xff"));
	guts_batch_del_prefix(b, GUTS_TABLE_REPO, S("xa"));
	assert_int_equal(commit(f, b).err, 0);
	expect_scan(f, "", "", 99, "w=4 x=5 y=: ");
}

static struct guts_fact
a_fact(uint64_t number)
{
	return (struct guts_fact){
		.wall_ns = 1700000000000000000u + number,
		.type = "repo.ref.updated",
		.repo = S("0123456789abcdef0123456789abcdef"),
		.peer = S("peer"),
		.is_private = true,
		.n = 2,
		.attr = { { .name = "ref", .text = S("refs/heads/main") },
		    { .name = "count", .is_number = true, .number = number } },
	};
}

static void
facts_survive_their_encoding(void **state)
{
	struct guts_fact f = a_fact(7), g, bad;
	struct guts_arena a;
	struct guts_buf b;

	(void)state;
	guts_arena_init(&a, 4096);
	guts_buf_init(&b, 4096);
	assert_int_equal(guts_fact_encode(&b, &f), 0);
	assert_int_equal(guts_fact_decode(&g, guts_buf_slice(&b), &a), 0);
	assert_string_equal(g.type, f.type);
	assert_true(g.is_private && g.wall_ns == f.wall_ns && g.n == 2);
	assert_true(guts_slice_eq(g.repo, f.repo) && guts_slice_eq(g.peer, f.peer));
	assert_string_equal(g.attr[0].name, "ref");
	assert_true(guts_slice_eq(g.attr[0].text, f.attr[0].text) && !g.attr[0].is_number);
	assert_true(g.attr[1].is_number && g.attr[1].number == 7);
	for (size_t n = 0; n < b.len; n++)
		assert_int_not_equal(guts_fact_decode(&g, guts_slice(guts_buf_slice(&b).p, n), &a), 0);
	guts_buf_add_u8(&b, 0);
	assert_int_equal(guts_fact_decode(&g, guts_buf_slice(&b), &a), GUTS_EPROTO);
	bad = f;
	bad.type = "No Type";
	assert_int_equal(guts_fact_encode(&b, &bad), GUTS_EINVAL);
	bad = f;
	bad.attr[0].name = "";
	assert_int_equal(guts_fact_encode(&b, &bad), GUTS_EINVAL);
	guts_buf_deinit(&b);
	guts_arena_deinit(&a);
}

struct seen {
	uint64_t first, last, n;
	bool gap;
};

static bool
count_fact(void *owner, const struct guts_fact *f)
{
	struct seen *s = owner;

	if (s->n++ == 0)
		s->first = f->id;
	else if (f->id != s->last + 1)
		s->gap = true;
	s->last = f->id;
	assert_int_equal(f->attr[1].number, f->id);
	return true;
}

static void
facts_get_gapless_ids(void **state)
{
	struct fixture *f = *state;
	struct guts_batch *b = guts_batch_new();
	struct guts_fact fact;
	struct seen s = { 0 };
	struct answer a;
	uint64_t oldest, newest;

	guts_store_fact_range(f->store, &oldest, &newest);
	assert_true(oldest == 0 && newest == 0);
	for (uint64_t i = 1; i <= 3; i++) {
		fact = a_fact(i);
		guts_batch_fact(b, &fact);
	}
	a = commit(f, b);
	assert_true(a.err == 0 && a.first == 1 && a.last == 3);

	/* A batch that cannot be kept takes no ids. */
	b = guts_batch_new();
	fact = a_fact(4);
	guts_batch_fact(b, &fact);
	fact.type = "Not A Type";
	guts_batch_fact(b, &fact);
	assert_true(guts_batch_failed(b));
	a = commit(f, b);
	assert_true(a.err == GUTS_ELIMIT && a.first == 0 && a.last == 0);

	guts_sqlite_close(f->db);
	open_store(f);
	b = guts_batch_new();
	fact = a_fact(4);
	guts_batch_fact(b, &fact);
	a = commit(f, b);
	assert_true(a.err == 0 && a.first == 4 && a.last == 4);
	guts_store_fact_range(f->store, &oldest, &newest);
	assert_true(oldest == 1 && newest == 4);
	assert_int_equal(guts_store_facts(f->store, 1, 2, count_fact, &s), 0);
	assert_true(s.first == 2 && s.last == 3 && !s.gap);
	assert_int_equal(guts_store_facts(f->store, 4, 2, count_fact, &s), 0);
	assert_int_equal(s.n, 2);
}

static void
old_facts_are_pruned(void **state)
{
	struct fixture *f = *state;
	struct answer a = { .f = f, .wanted = 106 };
	uint64_t next = 1, oldest, newest;
	struct seen s = { 0 };

	for (unsigned i = 0; i < a.wanted; i++) {
		struct guts_batch *b = guts_batch_new();

		for (unsigned k = 0; k < 1000; k++) {
			struct guts_fact fact = a_fact(next++);

			guts_batch_fact(b, &fact);
		}
		assert_int_equal(guts_store_commit(f->store, b, on_done, &a), 0);
	}
	guts_uvenv_run(f->uv);
	assert_int_equal(a.err, 0);
	guts_store_fact_range(f->store, &oldest, &newest);
	assert_int_equal(newest, 106000);
	assert_in_range(newest - oldest + 1, GUTS_FACTS_KEPT, GUTS_FACTS_KEPT + 1000);
	assert_int_equal(guts_store_facts(f->store, 0, 1000000, count_fact, &s), 0);
	assert_true(s.first == oldest && s.last == newest && !s.gap);
}

/* One fact per batch, `apart_ns` after the one before. */
static void
add_facts(struct fixture *f, unsigned n, uint64_t *wall_ns, uint64_t apart_ns)
{
	struct answer a = { .f = f, .wanted = n };
	uint64_t oldest, newest;

	guts_store_fact_range(f->store, &oldest, &newest);
	for (unsigned i = 0; i < n; i++) {
		struct guts_batch *b = guts_batch_new();
		struct guts_fact fact = a_fact(newest + 1 + i);

		fact.wall_ns = *wall_ns += apart_ns;
		guts_batch_fact(b, &fact);
		assert_int_equal(guts_store_commit(f->store, b, on_done, &a), 0);
	}
	guts_uvenv_run(f->uv);
	assert_int_equal(a.err, 0);
}

static void
facts_are_pruned_by_age(void **state)
{
	struct fixture *f = *state;
	uint64_t wall = UINT64_C(1790000000000000000), minute = UINT64_C(60000000000), oldest, newest;
	struct seen s = { 0 };

	guts_sqlite_retain(f->db, 1000, 10 * 60 * 1000);
	add_facts(f, 11, &wall, minute);
	guts_store_fact_range(f->store, &oldest, &newest);
	assert_true(oldest == 1 && newest == 11); /* the first is just ten minutes old */
	add_facts(f, 1, &wall, 1);
	guts_store_fact_range(f->store, &oldest, &newest);
	assert_true(oldest == 2 && newest == 12);
	add_facts(f, 3, &wall, 20 * minute);
	guts_store_fact_range(f->store, &oldest, &newest);
	assert_true(oldest == 15 && newest == 15);
	assert_int_equal(guts_store_facts(f->store, 0, 100, count_fact, &s), 0);
	assert_true(s.first == 15 && s.last == 15);
	guts_sqlite_retain(f->db, 1000, 0);
	add_facts(f, 3, &wall, 20 * minute);
	guts_store_fact_range(f->store, &oldest, &newest);
	assert_true(oldest == 15 && newest == 18);
	assert_int_equal(guts_fact_time(guts_slice(NULL, 0)), 0);
}

static void *
read_beside(void *arg)
{
	struct fixture *f = arg;

	for (unsigned i = 0; i < 200; i++) {
		struct guts_buf v;

		guts_buf_init(&v, 1024);
		assert_int_equal(guts_store_get(f->store, GUTS_TABLE_META, S("k"), &v), 0);
		assert_true(v.len > 0);
		guts_buf_deinit(&v);
	}
	return NULL;
}

static void
many_batches_and_readers_at_once(void **state)
{
	struct fixture *f = *state;
	struct answer a = { .f = f, .wanted = 1000 };
	pthread_t t[3];

	assert_int_equal(put(f, GUTS_TABLE_META, "k", "start"), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, read_beside, f), 0);
	for (unsigned i = 0; i < a.wanted; i++) {
		struct guts_batch *b = guts_batch_new();
		char v[16];

		snprintf(v, sizeof(v), "%u", i);
		guts_batch_put(b, GUTS_TABLE_META, S("k"), S(v));
		assert_int_equal(guts_store_commit(f->store, b, on_done, &a), 0);
	}
	guts_uvenv_run(f->uv);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(a.calls, 1000);
	assert_int_equal(a.err, 0);
	expect(f, GUTS_TABLE_META, "k", "999");
}

/* This program run again as a writer: says on standard output which values are durable, until it is killed. */
static int
write_for_ever(const char *path)
{
	struct fixture f = { .uv = NULL };
	char line[32];

	snprintf(f.path, sizeof(f.path), "%s", path);
	if (guts_uvenv_new(NULL, &f.uv))
		return 1;
	open_store(&f);
	for (unsigned i = 1;; i++) {
		snprintf(line, sizeof(line), "%u\n", i);
		if (put(&f, GUTS_TABLE_META, "n", line) || write(1, line, strlen(line)) < 0)
			return 1;
	}
}

static void
what_was_acknowledged_survives_a_kill(void **state)
{
	struct fixture *f = *state;
	char line[32], want[32] = "";
	struct guts_buf v;
	int fds[2];
	FILE *in;
	pid_t pid;

	guts_sqlite_close(f->db);
	f->db = NULL;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execl("/proc/self/exe", "test_store", "--write", f->path, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	in = fdopen(fds[0], "r");
	for (unsigned i = 0; i < 50; i++) {
		assert_non_null(fgets(line, sizeof(line), in));
		snprintf(want, sizeof(want), "%s", line);
	}
	kill(pid, SIGKILL);
	while (fgets(line, sizeof(line), in))
		snprintf(want, sizeof(want), "%s", line);
	fclose(in);
	waitpid(pid, NULL, 0);
	open_store(f);
	guts_buf_init(&v, 64);
	assert_int_equal(guts_store_get(f->store, GUTS_TABLE_META, S("n"), &v), 0);
	assert_true(strtoul(guts_buf_cstr(&v), NULL, 10) >= strtoul(want, NULL, 10));
	guts_buf_deinit(&v);
}

static void
damage_and_foreign_files_are_refused(void **state)
{
	struct fixture *f = *state;
	struct guts_errinfo ei = { 0 };
	struct guts_sqlite *s = NULL;
	char other[160], big[4096];
	int fd;

	memset(big, 'v', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (unsigned i = 0; i < 20; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(put(f, GUTS_TABLE_META, key, big), 0);
	}
	guts_sqlite_close(f->db);
	f->db = NULL;
	assert_int_equal(guts_sqlite_check(f->path, &ei), 0);
	fd = open(f->path, O_RDWR);
	for (off_t at = 4096; at < 4096 * 24; at += 512)
		assert_int_equal(pwrite(fd, "garbage!", 8, at), 8);
	close(fd);
	assert_int_equal(guts_sqlite_open(&s, f->path, guts_uvenv_env(f->uv), &ei), GUTS_EIO);
	assert_non_null(strstr(ei.text, "damaged"));
	assert_int_equal(guts_sqlite_check(f->path, &ei), GUTS_EIO);

	snprintf(other, sizeof(other), "%s/text", f->dir);
	fd = open(other, O_WRONLY | O_CREAT, 0600);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(write(fd, "this is not a database at all, but text\n", 40), 40);
	close(fd);
	assert_int_not_equal(guts_sqlite_open(&s, other, guts_uvenv_env(f->uv), &ei), 0);
	assert_int_equal(guts_sqlite_open(&s, "/nonexistent/guts.db", guts_uvenv_env(f->uv), &ei), GUTS_EIO);
}

static void
sql(const char *path, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
a_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;
	struct guts_errinfo ei = { 0 };
	struct guts_sqlite *s = NULL;
	char other[160];

	guts_sqlite_close(f->db);
	f->db = NULL;
	sql(f->path, "PRAGMA user_version=99");
	assert_int_equal(guts_sqlite_open(&s, f->path, guts_uvenv_env(f->uv), &ei), GUTS_EUNSUPPORTED);
	assert_non_null(strstr(ei.text, "newer guts"));
	snprintf(other, sizeof(other), "%s/other.db", f->dir);
	sql(other, "CREATE TABLE mine(x); PRAGMA user_version=1;");
	assert_int_equal(guts_sqlite_open(&s, other, guts_uvenv_env(f->uv), &ei), GUTS_EUNSUPPORTED);
}

static void
an_older_schema_is_copied_then_updated(void **state)
{
	struct fixture *f = *state;
	const char *good[64] = { 0 }, *bad[64] = { 0 };
	struct guts_errinfo ei = { 0 };
	int n = guts_schema_current().n; /* versions up to it were applied already */
	char copy[300];
	sqlite3 *db;

	assert_int_equal(put(f, GUTS_TABLE_META, "kept", "yes"), 0);
	guts_sqlite_close(f->db);
	f->db = NULL;
	snprintf(copy, sizeof(copy), "%s/guts.db.v%d", f->dir, n);
	good[n] = bad[n] = "CREATE TABLE more(x);";
	good[n + 1] = "INSERT INTO more VALUES(1);";
	bad[n + 1] = "INSERT INTO nowhere VALUES(1);";
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);

	/* A step that fails leaves the old version whole. */
	assert_int_not_equal(guts_schema_apply(db, f->path, &(struct guts_schema){ bad, n + 2 }, &ei), 0);
	assert_int_equal(access(copy, F_OK), 0);
	assert_int_not_equal(sqlite3_exec(db, "SELECT x FROM more", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(guts_schema_apply(db, f->path, &(struct guts_schema){ good, n + 2 }, &ei), 0);
	assert_int_equal(sqlite3_exec(db, "SELECT x FROM more", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(guts_schema_apply(db, f->path, &(struct guts_schema){ good, n + 2 }, &ei), 0);
	sqlite3_close(db);

	/* The copy is a database that this program opens. */
	snprintf(f->path, sizeof(f->path), "%s", copy);
	open_store(f);
	expect(f, GUTS_TABLE_META, "kept", "yes");
}

static void
a_backup_is_a_whole_database(void **state)
{
	struct fixture *f = *state;
	struct guts_errinfo ei = { 0 };
	char copy[300];

	assert_int_equal(put(f, GUTS_TABLE_META, "kept", "yes"), 0);
	snprintf(copy, sizeof(copy), "%s/backup.db", f->dir);
	assert_int_equal(guts_sqlite_copy(f->db, copy, &ei), 0);
	assert_int_equal(guts_sqlite_copy(f->db, copy, &ei), GUTS_EEXIST);
	guts_sqlite_close(f->db);
	snprintf(f->path, sizeof(f->path), "%s", copy);
	open_store(f);
	expect(f, GUTS_TABLE_META, "kept", "yes");
}

static void
a_stopped_store_has_told_all_and_takes_no_more(void **state)
{
	struct fixture *f = *state;
	struct guts_batch *b = guts_batch_new();
	struct answer a = { .f = f, .err = -999, .wanted = 1 };

	guts_batch_put(b, GUTS_TABLE_META, S("last"), S("yes"));
	assert_int_equal(guts_store_commit(f->store, b, on_done, &a), 0);
	guts_sqlite_stop(f->db);
	expect(f, GUTS_TABLE_META, "last", "yes");
	assert_int_equal(a.err, -999);
	guts_uvenv_run(f->uv);
	assert_int_equal(a.err, 0);
	assert_int_equal(guts_store_commit(f->store, guts_batch_new(), on_done, &a), GUTS_EBUSY);
}

/* A full disk: no false acknowledgement, reads go on, and writes work again when room returns. */
static void
a_full_disk_loses_nothing(void **state)
{
	struct fixture *f = *state;
	char mnt[80], filler[128], *big = guts_alloc(60000);
	unsigned good = 0;
	int fd, err = 0;

	guts_sqlite_close(f->db);
	f->db = NULL;
	snprintf(mnt, sizeof(mnt), "%s/mnt", f->dir);
	assert_int_equal(mkdir(mnt, 0700), 0);
	if (mount("tmpfs", mnt, "tmpfs", 0, "size=2m")) {
		print_message("# no right to mount a small file system here\n");
		free(big);
		skip();
	}
	snprintf(filler, sizeof(filler), "%s/filler", mnt);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	memset(big, 'x', 59999);
	assert_true(write(fd, big, 59999) > 0 && write(fd, big, 59999) > 0);
	close(fd);
	snprintf(f->path, sizeof(f->path), "%s/guts.db", mnt);
	open_store(f);
	for (unsigned i = 0; i < 200 && !err; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		err = put(f, GUTS_TABLE_META, key, big);
		good += err == 0;
	}
	assert_int_equal(err, GUTS_ENOSPC);
	assert_true(good > 0);
	for (unsigned i = 0; i <= good; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		expect(f, GUTS_TABLE_META, key, i < good ? big : NULL);
	}
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(put(f, GUTS_TABLE_META, "again", "yes"), 0);
	expect(f, GUTS_TABLE_META, "again", "yes");
	guts_sqlite_close(f->db);
	open_store(f);
	expect(f, GUTS_TABLE_META, "k0", big);
	expect(f, GUTS_TABLE_META, "again", "yes");
	guts_sqlite_close(f->db);
	f->db = NULL;
	umount(mnt);
	free(big);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_survive_their_encoding),
		cmocka_unit_test_setup_teardown(puts_gets_and_deletes, setup, teardown),
		cmocka_unit_test_setup_teardown(scans_by_prefix_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(facts_get_gapless_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(old_facts_are_pruned, setup, teardown),
		cmocka_unit_test_setup_teardown(facts_are_pruned_by_age, setup, teardown),
		cmocka_unit_test_setup_teardown(many_batches_and_readers_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_a_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_and_foreign_files_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_schema_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(an_older_schema_is_copied_then_updated, setup, teardown),
		cmocka_unit_test_setup_teardown(a_backup_is_a_whole_database, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stopped_store_has_told_all_and_takes_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, setup, teardown),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_for_ever(argv[2]);
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
