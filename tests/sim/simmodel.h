/* tests/sim/simmodel.h - the model of a disk: rows in memory (simtable.c), objects as (id, parents, size) (simobject.c).
 *
 * Every operation calls back before it returns; simdisk.h says who may call.
 */
#ifndef GUTS_TESTS_SIMMODEL_H
#define GUTS_TESTS_SIMMODEL_H

#include "git/repo.h"
#include "simdisk.h"

struct guts_store *simtable_new(void);
void simtable_free(struct guts_store *s);

struct guts_repos *simobject_new(void);
void simobject_free(struct guts_repos *r);

#endif
