/* tests/sim/simdigest.h - print the digests of a program's worlds, for digests.sh to compare. */
#ifndef TESTS_SIM_SIMDIGEST_H
#define TESTS_SIM_SIMDIGEST_H

#include <stdbool.h>
#include <stdint.h>

/* With GUTS_DIGESTS=n in the environment: run n worlds, the first of seed GUTS_SEED (1), print
 * "seed N digest HEX" for each and return true: the program is done.  Otherwise false. */
bool simdigest_print(void (*world)(uint64_t seed, uint8_t digest[32]));

#endif
