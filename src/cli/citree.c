/* cli/citree.c - /proc is read anew for each question: a table of processes and parents, in which descendants are marked. */
#include "cli/citree.h"

#include "base/alloc.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 65536 /* of the machine; more are not looked at */
#define ROUNDS_MAX 100      /* of killing what was forked meanwhile */

struct process {
	int pid, parent;
	bool is_ours;
};

struct table {
	struct process *v;
	size_t n;
};

/* The beginning of /proc/PID/NAME; false: it ended, or is not to be read. */
static bool
read_proc(int pid, const char *name, char *out, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, out, size - 1) : -1;
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Its parent, of one that has not ended; 0 = none.  The name before that may hold anything. */
static int
parent_of(int pid)
{
	char line[512], state, *name_end;
	int parent;

	if (!read_proc(pid, "stat", line, sizeof line) || (name_end = strrchr(line, ')')) == NULL ||
	    sscanf(name_end + 1, " %c %d", &state, &parent) != 2 || state == 'Z')
		return 0;
	return parent;
}

static int
by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void
read_all(struct table *t)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t room = 0;

	while (dir != NULL && t->n < PROCESSES_MAX && (e = readdir(dir)) != NULL) {
		uint64_t pid;
		int parent;

		if (guts_text_u64(guts_slice_str(e->d_name), INT_MAX, &pid) || (parent = parent_of((int)pid)) == 0)
			continue;
		if (t->n == room)
			t->v = guts_realloc(t->v, (room = 2 * room + 256) * sizeof *t->v);
		t->v[t->n++] = (struct process){ .pid = (int)pid, .parent = parent };
	}
	if (dir != NULL)
		closedir(dir);
	if (t->n)
		qsort(t->v, t->n, sizeof *t->v, by_pid);
}

/* All processes, with our descendants marked.  Owner of t->v: caller. */
static void
look(struct table *t)
{
	int self = getpid();
	bool any = true;

	*t = (struct table){ 0 };
	read_all(t);
	while (any) {
		any = false;
		for (size_t i = 0; i < t->n; i++) {
			struct process *p = &t->v[i], key = { .pid = p->parent };
			const struct process *parent = bsearch(&key, t->v, t->n, sizeof *t->v, by_pid);

			if (!p->is_ours && (p->parent == self || (parent && parent->is_ours)))
				p->is_ours = any = true;
		}
	}
}

/* Its share of memory; of a program with another's rights, all that it has in memory. */
static uint64_t
memory_of(int pid)
{
	char text[2048], *at;
	unsigned long long size, resident;

	if (read_proc(pid, "smaps_rollup", text, sizeof text) && (at = strstr(text, "\nPss:")) != NULL)
		return strtoull(at + 5, NULL, 10) * 1024;
	if (read_proc(pid, "statm", text, sizeof text) && sscanf(text, "%llu %llu", &size, &resident) == 2)
		return resident * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

void
guts_citree_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

uint64_t
guts_citree_memory(void)
{
	struct table t;
	uint64_t sum = 0;

	look(&t);
	for (size_t i = 0; i < t.n; i++)
		sum += t.v[i].is_ours ? memory_of(t.v[i].pid) : 0;
	free(t.v);
	return sum;
}

/* Children of ours that ended, but `keep`. */
static void
reap(int keep)
{
	siginfo_t info;

	do {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0 || info.si_pid == keep)
			break;
	} while (waitpid(info.si_pid, NULL, 0) > 0);
}

void
guts_citree_kill(int keep)
{
	bool any = true;

	/* one that forks is killed with its children in a later round */
	for (int round = 0; any && round < ROUNDS_MAX; round++) {
		struct table t;

		any = false;
		look(&t);
		for (size_t i = 0; i < t.n; i++) {
			if (t.v[i].is_ours) {
				kill(t.v[i].pid, SIGKILL);
				any = true;
			}
		}
		free(t.v);
		reap(keep);
	}
}
