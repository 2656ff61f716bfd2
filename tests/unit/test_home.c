/* Unit tests of store/home. */
#include "base/alloc.h"
#include "store/home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "%s/guts-home-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	return mkdtemp(top) == NULL;
}

static int
teardown(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		execlp("rm", "rm", "-rf", top, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

static void
the_flag_wins_then_the_environment_then_home(void **state)
{
	struct guts_errinfo ei;
	struct guts_home h;

	(void)state;
	setenv("HOME", "/home/someone", 1);
	unsetenv("GUTS_HOME");
	assert_int_equal(guts_home_resolve(&h, NULL, &ei), 0);
	assert_string_equal(h.dir, "/home/someone/.guts");
	guts_home_deinit(&h);
	setenv("GUTS_HOME", "/srv/guts/", 1);
	assert_int_equal(guts_home_resolve(&h, NULL, &ei), 0);
	assert_string_equal(h.dir, "/srv/guts");
	assert_string_equal(h.key_path, "/srv/guts/key");
	guts_home_deinit(&h);
	assert_int_equal(chdir(top), 0);
	assert_int_equal(guts_home_resolve(&h, "here", &ei), 0);
	assert_true(h.dir[0] == '/' && strstr(h.dir, "/here") != NULL);
	guts_home_deinit(&h);
	unsetenv("GUTS_HOME");
}

static void
it_is_made_for_its_owner_alone(void **state)
{
	struct guts_errinfo ei;
	struct guts_home h;
	struct stat st;
	char *dir = guts_asprintf("%s/a/b", top);

	(void)state;
	assert_int_equal(guts_home_resolve(&h, dir, &ei), 0);
	assert_int_equal(guts_home_make(&h, &ei), 0);
	assert_int_equal(guts_home_make(&h, &ei), 0);
	assert_int_equal(stat(h.dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(h.repos_path, &st), 0);
	assert_int_equal(chmod(h.dir, 0777), 0);
	assert_int_equal(guts_home_make(&h, &ei), GUTS_EDENIED);
	assert_int_equal(chmod(h.dir, 0700), 0);
	guts_home_deinit(&h);
	free(dir);
}

static void
a_second_node_is_refused(void **state)
{
	struct guts_errinfo ei;
	struct guts_home h, again;
	char pid[32];

	(void)state;
	assert_int_equal(guts_home_resolve(&h, top, &ei), 0);
	assert_int_equal(guts_home_resolve(&again, top, &ei), 0);
	assert_int_equal(guts_home_make(&h, &ei), 0);
	assert_int_equal(guts_home_lock(&h, &ei), 0);
	assert_int_equal(guts_home_lock(&again, &ei), GUTS_EBUSY);
	snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	assert_non_null(strstr(ei.text, pid));
	guts_home_deinit(&h);
	assert_int_equal(guts_home_lock(&again, &ei), 0);
	guts_home_deinit(&again);
}

static void
a_file_is_written_whole(void **state)
{
	char *path = guts_asprintf("%s/file", top), *nowhere = guts_asprintf("%s/no/file", top), got[8] = "";
	struct stat st;
	FILE *f;

	(void)state;
	assert_int_equal(guts_file_write(path, "one", 3, 0600), 0);
	assert_int_equal(guts_file_write(path, "two", 3, 0644), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	f = fopen(path, "r");
	assert_int_equal(fread(got, 1, sizeof(got), f), 3);
	fclose(f);
	assert_string_equal(got, "two");
	assert_int_equal(guts_file_write(nowhere, "x", 1, 0600), GUTS_EIO);
	free(path);
	free(nowhere);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_flag_wins_then_the_environment_then_home, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_made_for_its_owner_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_node_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_is_written_whole, setup, teardown),
	};

	return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
