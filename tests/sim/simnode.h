/* tests/sim/simnode.h - whole nodes in the simulator: the program, its users, and an independent judge. */
#ifndef GUTS_TESTS_SIMNODE_H
#define GUTS_TESTS_SIMNODE_H

#include "gossip/gossip.h"
#include "node/node.h"
#include "sim.h"
#include "simuser.h"

#define SIMNODE_MAX 64    /* places */
#define SIMNODE_REPOS 32  /* repositories of one network */

struct simnet_world;

/* One node as it runs. */
struct simnode {
	struct simnet_world *w;
	unsigned place;
	struct guts_env *env;
	struct guts_store *store;
	struct guts_repos *repos;
	struct guts_node *node;
	bool ready;
	struct guts_gossip_events events; /* of a Sybil */
};

/* A repository that a user of some place works on. */
struct simnode_repo {
	uint8_t id[GUTS_REPOID_SIZE];
	unsigned place;
	bool made;
	struct guts_oid acked[4];  /* newest acknowledged value of each branch */
	struct guts_oid asked[4];  /* newest value that was asked for */
	unsigned pushes, acks;
};

/* A network of nodes and what its users did. */
struct simnet_world {
	struct sim *sim;
	unsigned n;
	unsigned dials;            /* place i dials so many: */
	enum simnet_topology {
		SIMNET_LINE,           /* i-1, i-2 … */
		SIMNET_RANDOM,         /* of those below it, drawn by lot */
		SIMNET_RING,           /* i+1, i+2 … modulo all, or all who are no Sybils */
	} topology;
	unsigned core;             /* if not 0: places below keep no repositories, the others dial all of them (≤ 8) */
	unsigned sybils_from;      /* places from here on relay nothing and have room for everybody; 0 = none */
	unsigned topics_max, gossip_expect; /* of struct guts_node_setup */
	unsigned inventory_ms;
	bool mdns;                 /* they look for each other on the local network */
	bool stranger;             /* the last place belongs to another network */
	bool seeds_nothing;        /* nodes keep only what their user made or asked for */
	enum guts_dht_mode dht_mode;
	struct simnode_repo repo[SIMNODE_REPOS];
	unsigned nrepos;
	uint64_t salt;
	struct simuser *user;      /* makes the commits; NULL = commits of the model that git does not know */
	struct simnode_ask *asks;  /* private: what users wait for */
};

/* Make a world of `n` places on `sim` (config already set) and start a node on each. */
void simnet_world_start(struct simnet_world *w, struct sim *sim, unsigned n, unsigned dials);

/* Start `n` more. */
void simnet_world_add(struct simnet_world *w, unsigned n);

/* Where a place listens, without its peer id. */
void simnode_address(const struct simnet_world *w, unsigned place, struct guts_maddr *out);

/* The peer id of a place's node. */
struct guts_peerid simnode_id(unsigned place);

/* Free what users wait for; after sim_free. */
void simnet_world_end(struct simnet_world *w);

/* `from` dials `to` now; false if it is linked or dialling already, or has no room. */
bool simnet_world_dial(struct simnet_world *w, unsigned from, unsigned to);

/* A user at `place` makes a repository; its number. */
unsigned simnet_world_create(struct simnet_world *w, unsigned place);

/* The user of repository `k` pushes a commit to branch `b` (0..3); false if the node cannot take it now. */
bool simnet_world_push(struct simnet_world *w, unsigned k, unsigned b);

/* He deletes it; false if it is not there or the node cannot take it now. */
bool simnet_world_delete(struct simnet_world *w, unsigned k, unsigned b);

/* The same as a push with `n` refs refs/heads/many/<i> on one new commit. */
bool simnet_world_push_many(struct simnet_world *w, unsigned k, unsigned n);

struct simnode *simnet_world_node(struct simnet_world *w, unsigned place);

/* Run until every running node shows the same refs for every repository made (or `until_ns`); true if so. */
bool simnet_world_converge(struct simnet_world *w, uint64_t until_ns);

/* The judge: what is wrong with the world as it is, or NULL.  Looks only at durable rows of refs and objects on the
 * model disks, and at what was acknowledged. */
const char *simnet_world_fault(struct simnet_world *w);

#endif
