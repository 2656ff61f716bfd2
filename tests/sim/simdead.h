/* tests/sim/simdead.h - tables that do nothing, in place of a place's own while its crashed program's memory is freed. */
#ifndef GUTS_TESTS_SIMDEAD_H
#define GUTS_TESTS_SIMDEAD_H

#include "git/repo.h"
#include "loop/env.h"
#include "store/store.h"

extern const struct guts_env_ops sim_dead_env;
extern const struct guts_store_ops sim_dead_store;
extern const struct guts_repos_ops sim_dead_repos;

#endif
