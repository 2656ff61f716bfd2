/* tests/sim/simreal.h - the real ends as a disk of the simulator: SQLite, git's own programs, libgit2.
 *
 * Each place has a home with a database and repositories, a loop with worker threads and a supervisor of children,
 * all of it the code that a node runs on.  An operation starts at its virtual moment and the loop turns until it is
 * over, so whatever time it takes, none of it is virtual.  When the program of a place ends, all of it is closed and
 * opened again from the files.
 */
#ifndef GUTS_TESTS_SIMREAL_H
#define GUTS_TESTS_SIMREAL_H

#include "simdisk.h"

/* The disk of `place` in the existing folder `dir` (a char *); for sim_config.disk.  What cannot be opened ends the program. */
struct sim_disk *simreal_new(void *dir, unsigned place);

/* Path of a repository, as fresh memory. */
char *simreal_path(struct sim_disk *d, const uint8_t id[GUTS_REPOID_SIZE]);

#endif
