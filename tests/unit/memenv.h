/* tests/unit/memenv.h - an environment in memory for unit tests: virtual time, nodes, byte streams.
 *
 * Much smaller than the simulator: a fixed latency, no loss, nobody crashes.  A connection
 * holds 256 KiB on its way; beyond that the writer's bytes count as queued.
 */
#ifndef TESTS_UNIT_MEMENV_H
#define TESTS_UNIT_MEMENV_H

#include "loop/env.h"

struct memnet;

struct memnet *memnet_new(uint64_t latency_ns);
void memnet_free(struct memnet *net); /* asserts that every connection was closed */

/* A node with the address 10.0.0.`host` (0: 127.0.0.1). */
struct guts_env *memnet_node(struct memnet *net, uint8_t host);

uint64_t memnet_now(const struct memnet *net);

/* Turn until until(arg) or `ns` have passed; true = it came about. */
bool memnet_run(struct memnet *net, bool (*until)(void *arg), void *arg, uint64_t ns);

/* Let `ns` pass. */
void memnet_pass(struct memnet *net, uint64_t ns);

/* Nothing sent arrives any more until it is let again (both ways). */
void memnet_cut(struct memnet *net, bool cut);

#endif
