/* tests/sim/simstore.h - store/store.h in virtual time.
 *
 * A batch becomes visible and durable at one moment, a seeded time after its commit, in order;
 * `done` comes with it.  A crash keeps a random first part of what was not done.
 */
#ifndef GUTS_TESTS_SIMSTORE_H
#define GUTS_TESTS_SIMSTORE_H

#include "sim_int.h"

struct guts_store *simstore_new(struct sim_place *p);
void simstore_free(struct guts_store *st);

/* The program ended: all commits under way happen, or (crash) a random first part of them; the rest
 * is dropped. */
void simstore_end(struct guts_store *st, bool crash);

#endif
