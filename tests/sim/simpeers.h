/* tests/sim/simpeers.h - worlds whose places run a peer manager each, and nothing above it. */
#ifndef TESTS_SIM_SIMPEERS_H
#define TESTS_SIM_SIMPEERS_H

#include "sim.h"
#include "tests/unit/memrows.h"

#include "peer/peers.h"

#define SIMPEERS_ID "/guts/node/1.0.0"

struct simpeers;

/* A place: what outlives a crash, and what does not. */
struct simpeers_place {
	struct simpeers *w;
	unsigned number;
	struct guts_key key;
	struct memrows rows;
	struct guts_env *env;
	struct guts_peers *peers; /* NULL = down */
	struct guts_protocol proto;
};

/* A test's own world has it as its first member.  The first four are the test's to set. */
struct simpeers {
	unsigned n;                              /* places */
	unsigned dialling;                       /* the first so many dial whom their books name */
	const struct guts_peers_events *events;  /* owner: the place */
	void (*started)(struct simpeers_place *p); /* it listens; may be NULL */
	struct sim *sim;
	struct simpeers_place *place;
};

/* Make the simulator, and a key for each place; nothing runs yet. */
void simpeers_begin(struct simpeers *w, const struct sim_config *c);
void simpeers_start(struct simpeers *w, unsigned place);

/* The digest, then everything is stopped and freed but `w` itself. */
void simpeers_end(struct simpeers *w, uint8_t digest[SIM_DIGEST_SIZE]);

/* Where a place listens. */
void simpeers_address(const struct simpeers *w, unsigned place, bool with_peer, struct guts_maddr *m);

/* `from` keeps a link to `to`. */
void simpeers_keep(struct simpeers *w, unsigned from, unsigned to);

/* Run the worlds of `n` seeds, the first GUTS_SEED (1): the same seed gives the same digest, another another. */
void simpeers_seeds(void (*run)(uint64_t seed, uint8_t digest[SIM_DIGEST_SIZE]), uint64_t n);

#endif
