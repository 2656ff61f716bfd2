/* tests/sim/simdigest.c - the digests of the first seeds, one line each.
 *
 * One seed is to give one digest whatever compiled the program; digests.sh builds it in several ways and compares.
 */
#include "simdigest.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool
simdigest_print(void (*world)(uint64_t seed, uint8_t digest[32]))
{
	const char *many = getenv("GUTS_DIGESTS"), *first = getenv("GUTS_SEED");
	uint64_t seed = first ? strtoull(first, NULL, 10) : 1, n = many ? strtoull(many, NULL, 10) : 0;
	uint8_t digest[32];
	char hex[65];

	if (!many)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		world(seed + i, digest);
		guts_hex_encode(hex, digest, sizeof digest);
		printf("seed %" PRIu64 " digest %s\n", seed + i, hex);
	}
	return true;
}
