/* cli/child.c - fork and exec with a clean environment; no shell. */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn))
become(const char *const *argv, const char *dir, int out)
{
	static const char *const env[] = { "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"HOME=/nonexistent", "LC_ALL=C", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
		"GIT_CONFIG_VALUE_0=*" };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *path = getenv("PATH");

	if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir(dir) != 0)
		_exit(127);
	path = path != NULL ? strdup(path) : NULL;
	clearenv();
	if (path != NULL)
		setenv("PATH", path, 1);
	for (size_t i = 0; i < sizeof(env) / sizeof(env[0]); i++)
		putenv((char *)(uintptr_t)env[i]);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

int
guts_cli_child(const char *const *argv, const char *dir, char *text, size_t size)
{
	int fds[2], status = 0;
	size_t have = 0;
	char piece[4096];
	ssize_t n;
	pid_t pid;

	text[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0)
		become(argv, dir, fds[1]);
	close(fds[1]);
	while (pid > 0 && ((n = read(fds[0], piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))) {
		for (ssize_t i = 0; i < n && have + 1 < size; i++)
			text[have++] = piece[i];
	}
	close(fds[0]);
	text[have] = '\0';
	text[strcspn(text, "\n")] = '\0';
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
