/* loop/spawn.c - vfork and exec.
 *
 * posix_spawn knows no limits and no PR_SET_PDEATHSIG, fork copies the page tables of a large
 * process.  After vfork the child borrows our memory until it executes: it makes system calls
 * only and writes nothing but its own locals.  All signals are blocked around it, so that no
 * handler of ours runs in the child.
 */
#include "loop/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
say(const char *s)
{
	ssize_t n = write(2, s, strlen(s));

	(void)n;
}

static void __attribute__((noreturn)) give_up(const char *what, const char *subject)
{
	const char *why = strerrordesc_np(errno);

	say(what);
	say(subject);
	say(": ");
	say(why ? why : "unknown error");
	say("\n");
	_exit(127);
}

static void
limit(int which, uint64_t soft, uint64_t hard)
{
	struct rlimit rl = {.rlim_cur = soft, .rlim_max = hard};

	if (setrlimit((__rlimit_resource_t)which, &rl) != 0)
		give_up("cannot set limit", "");
}

static void __attribute__((noreturn, noinline)) child(const struct guts_spawn *s, pid_t parent)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 0; i < 3; i++)
		if (dup2(s->fd[i], i) < 0)
			_exit(127);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
#ifdef SYS_close_range
	syscall(SYS_close_range, 3U, ~0U, 0U); /* an old kernel: all of ours are close-on-exec */
#endif
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &dfl, NULL);

	limit(RLIMIT_CORE, 0, 0);
	if (s->memory_max_bytes)
		limit(RLIMIT_AS, s->memory_max_bytes, s->memory_max_bytes);
	if (s->file_max_bytes)
		limit(RLIMIT_FSIZE, s->file_max_bytes, s->file_max_bytes);
	if (s->cpu_max_s) /* SIGXCPU first, SIGKILL a second later */
		limit(RLIMIT_CPU, s->cpu_max_s, s->cpu_max_s + UINT64_C(1));
	if (chdir(s->dir) != 0)
		give_up("cannot change to ", s->dir);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(s->path, s->argv, s->env);
	give_up("cannot execute ", s->path);
}

int
guts_spawn(const struct guts_spawn *s, pid_t *out)
{
	sigset_t all, before;
	pid_t parent = getpid(), pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0)
		child(s, parent);
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	if (pid < 0)
		return GUTS_EIO;
	*out = pid;
	return 0;
}

/* Move a descriptor above 2: dup2 in the child must not overwrite one it still needs. */
static int
above_2(int fd)
{
	if (fd < 0 || fd > 2)
		return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	close(fd);
	return high;
}

int
guts_spawn_pipe(int *read_end, int *write_end)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return GUTS_EIO;
	fd[0] = above_2(fd[0]);
	fd[1] = above_2(fd[1]);
	if (fd[0] < 0 || fd[1] < 0) {
		close(fd[0]);
		close(fd[1]);
		return GUTS_EIO;
	}
	*read_end = fd[0];
	*write_end = fd[1];
	return 0;
}

int
guts_spawn_null(int *out)
{
	int fd = above_2(open("/dev/null", O_RDWR | O_CLOEXEC));

	if (fd < 0)
		return GUTS_EIO;
	*out = fd;
	return 0;
}

int
guts_spawn_pidfd(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0U);
#else
	(void)pid;
	return -1;
#endif
}
