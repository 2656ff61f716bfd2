/* Tokens, codes, sessions and what they may do; on a real store. */
#include "unit.h"

#include "base/alloc.h"
#include "http/auth.h"
#include "loop/uvenv.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW UINT64_C(1700000000000)
#define ALL (GUTS_CAN_READ | GUTS_CAN_WRITE | GUTS_CAN_CI | GUTS_CAN_ADMIN)

struct fixture {
	char dir[64], db_path[100];
	struct guts_uvenv *uv;
	struct guts_sqlite *db;
	struct guts_store *store;
	struct guts_auth *auth;
};

static void
open_all(struct fixture *f)
{
	struct guts_errinfo ei = { 0 };

	assert_int_equal(guts_uvenv_new(NULL, &f->uv), 0);
	if (guts_sqlite_open(&f->db, f->db_path, guts_uvenv_env(f->uv), &ei))
		fail_msg("%s", ei.text);
	f->store = guts_sqlite_store(f->db);
	assert_int_equal(guts_auth_new(&f->auth, f->store, &ei), 0);
}

static void
stop_loop(void *owner, int err, uint64_t first, uint64_t last)
{
	(void)first, (void)last;
	assert_int_equal(err, 0);
	guts_uvenv_stop(owner);
}

/* Wait until all that was committed is durable. */
static void
settle(struct fixture *f)
{
	struct guts_batch *b = guts_batch_new();

	guts_batch_put(b, GUTS_TABLE_META, S("test"), S("x"));
	assert_int_equal(guts_store_commit(f->store, b, stop_loop, f->uv), 0);
	guts_uvenv_run(f->uv);
}

static void
close_all(struct fixture *f)
{
	settle(f);
	guts_auth_free(f->auth);
	guts_sqlite_close(f->db);
	guts_uvenv_free(f->uv);
}

static int
setup(void **state)
{
	struct fixture *f = guts_alloc(sizeof *f);

	assert_int_equal(guts_crypto_init(), 0);
	snprintf(f->dir, sizeof f->dir, "%s/guts-auth-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->db_path, sizeof f->db_path, "%s/guts.db", f->dir);
	open_all(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close_all(f);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", f->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	free(f);
	return 0;
}

static struct guts_token *
make(struct fixture *f, unsigned scopes, uint64_t expires_ms, char text[GUTS_TOKEN_TEXT_SIZE])
{
	static const uint8_t repos[1][GUTS_REPOID_SIZE] = { { 7 } };
	struct guts_batch *b = guts_batch_new();
	struct guts_token *t = NULL;

	assert_int_equal(guts_auth_create(f->auth, "name", scopes, repos, 1, NOW, expires_ms, false, b, text, &t), 0);
	assert_int_equal(guts_store_commit(f->store, b, stop_loop, f->uv), 0);
	guts_uvenv_run(f->uv);
	return t;
}

static bool
holds(struct fixture *f, const char *text, uint64_t now_ms)
{
	struct guts_token *t = guts_auth_lookup(f->auth, S(text), now_ms);

	guts_token_unref(t);
	return t != NULL;
}

static void
test_token(void **state)
{
	struct fixture *f = *state;
	char text[GUTS_TOKEN_TEXT_SIZE];
	struct guts_token *t = make(f, GUTS_CAN_READ | GUTS_CAN_CI, NOW + 1000, text);

	assert_int_equal(strlen(text), 69);
	assert_true(holds(f, text, NOW));
	assert_true(holds(f, text, NOW + 999));
	assert_false(holds(f, text, NOW + 1000));
	assert_false(holds(f, "", NOW));
	text[68] = text[68] == '0' ? '1' : '0';
	assert_false(holds(f, text, NOW));
	text[68] = 0;
	assert_false(holds(f, text, NOW));
	guts_token_unref(t);
}

static void
test_restart(void **state)
{
	struct fixture *f = *state;
	char text[GUTS_TOKEN_TEXT_SIZE], gone[GUTS_TOKEN_TEXT_SIZE];
	struct guts_token *t = make(f, GUTS_CAN_WRITE, 0, text), *g = make(f, GUTS_CAN_WRITE, 0, gone);
	struct guts_batch *b = guts_batch_new();
	struct guts_token *old = guts_auth_revoke(f->auth, S(g->id), b);

	assert_non_null(old);
	assert_int_equal(guts_store_commit(f->store, b, stop_loop, f->uv), 0);
	guts_uvenv_run(f->uv);
	assert_null(guts_auth_revoke(f->auth, S(g->id), NULL));
	assert_false(holds(f, gone, NOW));
	guts_token_unref(old);
	guts_token_unref(g);
	guts_token_unref(t);
	close_all(f);
	open_all(f);
	assert_false(holds(f, gone, NOW));
	t = guts_auth_lookup(f->auth, S(text), NOW);
	assert_non_null(t);
	assert_string_equal(t->name, "name");
	assert_int_equal(t->scopes, GUTS_CAN_WRITE);
	assert_int_equal(t->nrepos, 1);
	assert_int_equal(t->repos[0][0], 7);
	guts_token_unref(t);
}

static void
test_admin_file(void **state)
{
	struct fixture *f = *state;
	char first[GUTS_TOKEN_TEXT_SIZE], second[GUTS_TOKEN_TEXT_SIZE], path[120];
	struct guts_errinfo ei = { 0 };
	struct stat st;

	snprintf(path, sizeof path, "%s/admin-token", f->dir);
	assert_int_equal(guts_auth_admin_file(f->auth, f->store, f->dir, NOW, first, &ei), 0);
	assert_true(holds(f, first, NOW));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(guts_auth_admin_file(f->auth, f->store, f->dir, NOW, second, &ei), 0);
	assert_string_equal(second, ""); /* still good */
	close_all(f);
	open_all(f);
	assert_int_equal(guts_auth_admin_file(f->auth, f->store, f->dir, NOW, second, &ei), 0);
	assert_string_equal(second, "");

	unlink(path); /* a new file ends the token of the old one */
	assert_int_equal(guts_auth_admin_file(f->auth, f->store, f->dir, NOW, second, &ei), 0);
	assert_true(holds(f, second, NOW));
	assert_false(holds(f, first, NOW));
	assert_true(guts_auth_admin_file(f->auth, f->store, "/nonexistent", NOW, second, &ei) < 0);
	assert_non_null(strstr(ei.text, "/nonexistent"));
}

static void
test_scopes(void **state)
{
	static const struct {
		unsigned have;
		bool none, open, closed, read, write, ci, admin;
	} rows[] = {
		{ 0, true, true, false, false, false, false, false },
		{ GUTS_CAN_READ, true, true, true, true, false, false, false },
		{ GUTS_CAN_WRITE, true, true, true, true, true, true, false },
		{ GUTS_CAN_CI, true, true, true, false, false, true, false },
		{ GUTS_CAN_ADMIN, true, true, true, true, true, true, true },
	};
	char text[32];
	unsigned bit;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guts_who w = { .scopes = rows[i].have }, o = { .scopes = rows[i].have, .open = true };
		assert_int_equal(guts_who_can(&w, GUTS_SCOPE_NONE), rows[i].none);
		assert_int_equal(guts_who_can(&o, GUTS_SCOPE_PUBLIC), rows[i].open);
		assert_int_equal(guts_who_can(&w, GUTS_SCOPE_PUBLIC), rows[i].closed);
		assert_int_equal(guts_who_can(&w, GUTS_SCOPE_READ), rows[i].read);
		assert_int_equal(guts_who_can(&w, GUTS_SCOPE_WRITE), rows[i].write);
		assert_int_equal(guts_who_can(&w, GUTS_SCOPE_CI), rows[i].ci);
		assert_int_equal(guts_who_can(&w, GUTS_SCOPE_ADMIN), rows[i].admin);
	}
	guts_scopes_text(ALL, text);
	assert_string_equal(text, "read,write,ci,admin");
	assert_int_equal(guts_scope_parse("ci", &bit), 0);
	assert_int_equal(bit, GUTS_CAN_CI);
	assert_int_equal(guts_scope_parse("root", &bit), GUTS_EINVAL);
}

static void
test_may_see(void **state)
{
	struct fixture *f = *state;
	static const uint8_t mine[GUTS_REPOID_SIZE] = { 7 }, other[GUTS_REPOID_SIZE] = { 8 };
	char text[GUTS_TOKEN_TEXT_SIZE];
	struct guts_token *t = make(f, GUTS_CAN_READ, 0, text);
	struct guts_who anyone = { .open = true }, outside = { 0 }, admin = { .scopes = ALL },
			some = { .scopes = GUTS_CAN_READ, .token = t };

	assert_true(guts_who_may_see(&anyone, mine, false));
	assert_false(guts_who_may_see(&anyone, mine, true));
	assert_false(guts_who_may_see(&outside, mine, false));
	assert_true(guts_who_may_see(&admin, mine, true));
	assert_true(guts_who_may_see(&some, mine, true));
	assert_false(guts_who_may_see(&some, other, true));
	assert_false(guts_who_may_see(&some, other, false));
	some.open = true;
	assert_true(guts_who_may_see(&some, other, false));
	assert_false(guts_who_may_touch(&some, other));
	/* answers are shared only among those who see the same */
	assert_int_equal(guts_who_class(&anyone), 0);
	assert_int_equal(guts_who_class(&admin), 1);
	assert_true(guts_who_class(&some) > 1);
	guts_token_unref(t);
}

static int
check(struct fixture *f, struct guts_who *w, const char *authorization, const char *cookie, const char *csrf,
    const char *origin, const char *site, enum guts_method method)
{
	struct guts_guard g = { .method = method };

	g.v[GUTS_HEAD_HOST] = S("localhost:80");
	g.v[GUTS_HEAD_AUTHORIZATION] = S(authorization);
	g.v[GUTS_HEAD_COOKIE] = S(cookie);
	g.v[GUTS_HEAD_CSRF] = S(csrf);
	g.v[GUTS_HEAD_ORIGIN] = S(origin);
	g.v[GUTS_HEAD_SEC_FETCH_SITE] = S(site);
	int err = guts_auth_check(f->auth, &g, true, "guts-x", "https://node.example/", NOW, w);
	enum guts_who_kind kind = w->kind;
	guts_who_deinit(w);
	return err < 0 ? err : (int)kind;
}

static void
test_session(void **state)
{
	struct fixture *f = *state;
	char code[65], value[65], cookie[80], csrf[65];
	struct guts_who w = { 0 };

	guts_auth_code(f->auth, NOW, code);
	assert_false(guts_auth_take_code(f->auth, S("x"), NOW));
	assert_true(guts_auth_take_code(f->auth, S(code), NOW + 59999));
	assert_false(guts_auth_take_code(f->auth, S(code), NOW + 59999));
	guts_auth_code(f->auth, NOW, code);
	assert_false(guts_auth_take_code(f->auth, S(code), NOW + 60000));

	guts_auth_session(f->auth, NULL, NOW, value, &w);
	snprintf(cookie, sizeof cookie, "guts-x=%s", value);
	memcpy(csrf, w.csrf, sizeof csrf);
	guts_who_deinit(&w);
	assert_int_equal(check(f, &w, NULL, cookie, NULL, NULL, NULL, GUTS_GET), GUTS_WHO_ANYONE);
	assert_int_equal(check(f, &w, NULL, cookie, NULL, NULL, "same-origin", GUTS_GET), GUTS_WHO_SESSION);
	assert_int_equal(check(f, &w, NULL, cookie, NULL, NULL, "same-site", GUTS_GET), GUTS_WHO_ANYONE);
	assert_int_equal(check(f, &w, NULL, cookie, csrf, NULL, NULL, GUTS_GET), GUTS_WHO_SESSION);
	assert_int_equal(check(f, &w, NULL, cookie, csrf, NULL, NULL, GUTS_POST), GUTS_WHO_ANYONE);
	assert_int_equal(check(f, &w, NULL, cookie, csrf, "http://localhost:80", NULL, GUTS_POST), GUTS_WHO_SESSION);
	assert_int_equal(check(f, &w, NULL, cookie, csrf, "https://node.example", NULL, GUTS_POST), GUTS_WHO_SESSION);
	assert_int_equal(check(f, &w, NULL, cookie, csrf, "http://localhost:81", NULL, GUTS_POST), GUTS_WHO_ANYONE);
	assert_int_equal(check(f, &w, NULL, cookie, csrf, "null", NULL, GUTS_POST), GUTS_WHO_ANYONE);
	assert_int_equal(check(f, &w, NULL, cookie, "x", "http://localhost:80", "same-origin", GUTS_POST), GUTS_WHO_ANYONE);
	guts_auth_end_session(f->auth, S(value));
	assert_int_equal(check(f, &w, NULL, cookie, csrf, NULL, NULL, GUTS_GET), GUTS_WHO_ANYONE);
}

static void
test_headers(void **state)
{
	struct fixture *f = *state;
	char text[GUTS_TOKEN_TEXT_SIZE], line[100];
	struct guts_token *t = make(f, GUTS_CAN_READ, 0, text);
	struct guts_who w;
	static const char *const bad[] = { "", "Bearer", "Bearer ", "Basic", "Basic !", "Basic eDp5", "Digest x", "token  " };

	snprintf(line, sizeof line, "BEARER   %s", text);
	assert_int_equal(check(f, &w, line, NULL, NULL, NULL, NULL, GUTS_POST), GUTS_WHO_TOKEN);
	snprintf(line, sizeof line, "token %s", text);
	assert_int_equal(check(f, &w, line, NULL, NULL, NULL, NULL, GUTS_POST), GUTS_WHO_TOKEN);
	snprintf(line, sizeof line, "token %sx", text);
	assert_int_equal(check(f, &w, line, NULL, NULL, NULL, NULL, GUTS_POST), GUTS_EDENIED);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(check(f, &w, bad[i], NULL, NULL, NULL, NULL, GUTS_GET), GUTS_EDENIED);
	guts_token_unref(t);
}

static void
test_throttle(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		assert_false(guts_auth_is_throttled(f->auth, guts_slice_str("a"), NOW));
		guts_auth_failed(f->auth, guts_slice_str("a"), NOW);
	}
	assert_true(guts_auth_is_throttled(f->auth, guts_slice_str("a"), NOW));
	assert_false(guts_auth_is_throttled(f->auth, guts_slice_str("b"), NOW));
	assert_false(guts_auth_is_throttled(f->auth, guts_slice_str("a"), NOW + 60001));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admin_file, setup, teardown),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test_setup_teardown(test_may_see, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session, setup, teardown),
		cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_throttle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
