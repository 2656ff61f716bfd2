/* tests/integration/killpoint.c - watches every call of a running program that changes a folder, and kills or fails it there.
 *
 *	killpoint PID DIR count                    only counts
 *	killpoint PID DIR kill N                   SIGKILL to PID when its N-th call begins (1 = the first)
 *	killpoint PID DIR fail ERROR N COUNT [CALL,…]   the N-th call and the COUNT - 1 after it fail (COUNT 0 = all)
 *	killpoint - DIR … -- PROGRAM ARGUMENT…       the same from a program's first call on; reports go to standard error
 *
 * All threads and children share one count, so N names one moment of the whole program.  Calls that touch
 * nothing below DIR are not counted.  Prints "ready" when it watches, then a line per call that it met
 * (killed or failed; with count: all of them); SIGTERM ends it: "count N", and the program goes on undisturbed.
 *
 * Source: ptrace(2); Linux on x86-64 and arm64.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILING_MAX 256

enum subject {
	FD0,      /* a descriptor in argument 0 */
	FD2,      /* … in argument 2 */
	PATH0,    /* a path in argument 0 */
	AT0,      /* folder and path in arguments 0 and 1 */
	AT2,      /* … in arguments 2 and 3 */
	OPEN0,    /* a path in argument 0, flags in 1 */
	OPENAT0,  /* folder, path, flags in arguments 0 to 2 */
};

static const struct call {
	long number;
	const char *name;
	enum subject subject;
} calls[] = {
	{ SYS_write, "write", FD0 }, { SYS_pwrite64, "pwrite64", FD0 }, { SYS_writev, "writev", FD0 },
	{ SYS_pwritev, "pwritev", FD0 }, { SYS_pwritev2, "pwritev2", FD0 }, { SYS_fsync, "fsync", FD0 },
	{ SYS_fdatasync, "fdatasync", FD0 }, { SYS_ftruncate, "ftruncate", FD0 }, { SYS_fallocate, "fallocate", FD0 },
	{ SYS_fchmod, "fchmod", FD0 }, { SYS_copy_file_range, "copy_file_range", FD2 },
	{ SYS_renameat, "renameat", AT0 }, { SYS_renameat2, "renameat2", AT0 }, { SYS_linkat, "linkat", AT2 },
	{ SYS_unlinkat, "unlinkat", AT0 }, { SYS_mkdirat, "mkdirat", AT0 }, { SYS_truncate, "truncate", PATH0 },
	{ SYS_openat, "openat", OPENAT0 },
#ifdef SYS_rename /* not on arm64 */
	{ SYS_rename, "rename", PATH0 }, { SYS_link, "link", PATH0 }, { SYS_unlink, "unlink", PATH0 },
	{ SYS_mkdir, "mkdir", PATH0 }, { SYS_rmdir, "rmdir", PATH0 }, { SYS_open, "open", OPEN0 },
	{ SYS_creat, "creat", PATH0 },
#endif
};

static pid_t target;
static const char *dir, *only = "";
static size_t dir_length;
static enum { COUNT, KILL, FAIL } mode;
static unsigned long first, howmany, seen;
static int failure;
static pid_t failing[FAILING_MAX];
static volatile sig_atomic_t over;
static FILE *report;

static void
on_term(int number)
{
	(void)number;
	over = 1;
}

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static bool
is_below(const char *path)
{
	return strncmp(path, dir, dir_length) == 0 && (path[dir_length] == '/' || path[dir_length] == '\0');
}

static void
link_of(pid_t tid, const char *what, char out[PATH_MAX])
{
	char name[64];
	ssize_t n;

	snprintf(name, sizeof name, "/proc/%d/%s", (int)tid, what);
	n = readlink(name, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
}

static void
path_of_fd(pid_t tid, uint64_t fd, char out[PATH_MAX])
{
	char what[32];

	snprintf(what, sizeof what, "fd/%d", (int)fd);
	link_of(tid, what, out);
}

static void
path_of_string(pid_t tid, uint64_t dirfd, uint64_t address, char out[PATH_MAX])
{
	char text[PATH_MAX] = "";

	for (size_t n = 0; n + 64 < sizeof text; n += 64) { /* a page may end behind the string */
		struct iovec here = { text + n, 64 }, there = { (void *)(uintptr_t)(address + n), 64 };
		ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);

		text[n + (got > 0 ? (size_t)got : 0)] = '\0';
		if (got < 64 || memchr(text + n, 0, 64))
			break;
	}
	if (text[0] == '/') {
		memcpy(out, text, PATH_MAX);
		return;
	}
	if ((int)dirfd == AT_FDCWD)
		link_of(tid, "cwd", out);
	else
		path_of_fd(tid, dirfd, out);
	snprintf(out + strlen(out), PATH_MAX - strlen(out), "/%s", text);
}

/* The call's subject, if the call changes something below `dir`. */
static const struct call *
changes(pid_t tid, const struct __ptrace_syscall_info *i, char path[PATH_MAX])
{
	const struct call *c = NULL;
	const uint64_t *a = i->entry.args;
	uint64_t flags = O_CREAT;

	for (size_t k = 0; k < sizeof calls / sizeof calls[0] && !c; k++) {
		if (calls[k].number == (long)i->entry.nr)
			c = &calls[k];
	}
	if (!c)
		return NULL;
	switch (c->subject) {
	case FD0: path_of_fd(tid, a[0], path); break;
	case FD2: path_of_fd(tid, a[2], path); break;
	case PATH0: path_of_string(tid, (uint64_t)AT_FDCWD, a[0], path); break;
	case AT0: path_of_string(tid, a[0], a[1], path); break;
	case AT2: path_of_string(tid, a[2], a[3], path); break;
	case OPEN0:
		flags = a[1];
		path_of_string(tid, (uint64_t)AT_FDCWD, a[0], path);
		break;
	case OPENAT0:
		flags = a[2];
		path_of_string(tid, a[0], a[1], path);
		break;
	}
	return (flags & (O_CREAT | O_TRUNC)) && is_below(path) ? c : NULL;
}

static bool
is_wanted(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = only; (p = strstr(p, name)) != NULL; p += n) {
		if ((p == only || p[-1] == ',') && (p[n] == '\0' || p[n] == ','))
			return true;
	}
	return only[0] == '\0';
}

/* Skip the call that begins, or set the result of the one that ends. */
static void
set_registers(pid_t tid, bool entry)
{
#if defined(__x86_64__)
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &r))
		return;
	if (entry)
		r.orig_rax = (unsigned long long)-1;
	else
		r.rax = (unsigned long long)-failure;
	ptrace(PTRACE_SETREGS, tid, NULL, &r);
#elif defined(__aarch64__)
	struct user_regs_struct r;
	int none = -1;
	struct iovec v = { &none, sizeof none };

	if (entry) {
		ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &v);
		return;
	}
	v = (struct iovec){ &r, sizeof r };
	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &v))
		return;
	r.regs[0] = (unsigned long long)-failure;
	ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &v);
#else
#error "only x86-64 and arm64"
#endif
}

static void
on_syscall(pid_t tid)
{
	struct __ptrace_syscall_info i = { 0 };
	char path[PATH_MAX] = "";
	const struct call *c;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof i, &i) <= 0)
		return;
	if (i.op == PTRACE_SYSCALL_INFO_EXIT) {
		for (size_t k = 0; k < FAILING_MAX; k++) {
			if (failing[k] == tid) {
				failing[k] = 0;
				set_registers(tid, false);
			}
		}
		return;
	}
	c = i.op == PTRACE_SYSCALL_INFO_ENTRY ? changes(tid, &i, path) : NULL;
	if (!c || !is_wanted(c->name))
		return;
	seen++;
	if (mode == COUNT) {
		fprintf(report, "%lu %s %s\n", seen, c->name, path);
	} else if (mode == KILL && seen == first) {
		kill(target, SIGKILL);
		fprintf(report, "killed %lu %s %s\n", seen, c->name, path);
		fflush(report);
		_exit(0);
	} else if (mode == FAIL && seen >= first && (!howmany || seen < first + howmany)) {
		for (size_t k = 0; k < FAILING_MAX; k++) {
			if (failing[k] == 0) {
				failing[k] = tid;
				set_registers(tid, true);
				fprintf(report, "failed %lu %s %s\n", seen, c->name, path);
				break;
			}
		}
	}
	fflush(report);
}

static void
attach(void)
{
	char name[64];
	unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	    PTRACE_O_TRACEEXEC;
	const struct dirent *e;
	DIR *d;

	snprintf(name, sizeof name, "/proc/%d/task", (int)target);
	d = opendir(name);
	if (!d)
		die(name);
	while ((e = readdir(d)) != NULL) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid > 0 && ptrace(PTRACE_SEIZE, tid, NULL, options) == 0)
			ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		else if (tid == target)
			die("ptrace");
	}
	closedir(d);
}

/* Start a program that waits for its tracer before its first call of its own. */
static void
start(char **argv)
{
	unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	    PTRACE_O_TRACEEXEC;
	int status;

	report = stderr;
	target = fork();
	if (target < 0)
		die("fork");
	if (target == 0) {
		raise(SIGSTOP);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(target, &status, WUNTRACED) < 0 || ptrace(PTRACE_SEIZE, target, NULL, options))
		die("ptrace");
	kill(target, SIGCONT);
}

int
main(int argc, char **argv)
{
	static const struct { const char *name; int e; } errors[] = { { "ENOSPC", ENOSPC }, { "EIO", EIO },
		{ "EDQUOT", EDQUOT }, { "EMFILE", EMFILE } };
	struct sigaction sa = { .sa_handler = on_term };
	int status;
	pid_t tid;
	char **program = NULL;

	report = stdout;
	for (int i = 1; i < argc && !program; i++) {
		if (strcmp(argv[i], "--") == 0) {
			program = argv + i + 1;
			argc = i;
		}
	}
	if (argc < 4)
		return 2;
	target = (pid_t)strtol(argv[1], NULL, 10);
	dir = argv[2];
	dir_length = strlen(dir);
	mode = strcmp(argv[3], "kill") == 0 ? KILL : strcmp(argv[3], "fail") == 0 ? FAIL : COUNT;
	if ((mode == KILL && argc < 5) || (mode == FAIL && argc < 7))
		return 2;
	if (mode == KILL)
		first = strtoul(argv[4], NULL, 10);
	if (mode == FAIL) {
		for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
			failure = strcmp(argv[4], errors[i].name) == 0 ? errors[i].e : failure;
		first = strtoul(argv[5], NULL, 10);
		howmany = strtoul(argv[6], NULL, 10);
		only = argc > 7 ? argv[7] : "";
	}
	sigaction(SIGTERM, &sa, NULL);
	if (program)
		start(program);
	else
		attach();
	fputs("ready\n", report);
	fflush(report);
	while (!over) {
		int sig;

		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			break;
		if (!WIFSTOPPED(status))
			continue;
		sig = WSTOPSIG(status);
		if (sig == (SIGTRAP | 0x80))
			on_syscall(tid);
		if (sig == (SIGTRAP | 0x80) || status >> 16)
			sig = 0; /* a syscall or an event, no signal */
		ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(uintptr_t)(unsigned)sig);
	}
	fprintf(report, "count %lu\n", seen);
	fflush(report);
	_exit(0); /* the kernel lets all go on */
}
