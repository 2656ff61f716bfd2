/* loop/spawn.h - start one program with limits; for child.c. */
#ifndef GUTS_LOOP_SPAWN_H
#define GUTS_LOOP_SPAWN_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct guts_spawn {
	const char *path;
	char *const *argv, *const *env;
	const char *dir;
	int fd[3];                 /* become 0, 1, 2 */
	uint64_t memory_max_bytes; /* 0 = no limit, like the next two */
	uint64_t file_max_bytes;
	uint32_t cpu_max_s;
};

/* Start it as leader of a process group of its own.  What cannot be set up or executed ends
 * the child with 127 and a sentence on its standard error.  Errors: GUTS_EIO (no process). */
int guts_spawn(const struct guts_spawn *s, pid_t *out);

/* A pipe, both ends close-on-exec and above 2.  Errors: GUTS_EIO. */
int guts_spawn_pipe(int *read_end, int *write_end);

/* /dev/null for both directions, like guts_spawn_pipe. */
int guts_spawn_null(int *out);

/* Descriptor that becomes readable when `pid` ended; -1 if the kernel has none. */
int guts_spawn_pidfd(pid_t pid);

#endif
