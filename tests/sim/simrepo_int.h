/* tests/sim/simrepo_int.h - what simrepo.c (repositories, refs, questions) and simpack.c (packs in
 * and out) share. */
#ifndef GUTS_TESTS_SIMREPO_INT_H
#define GUTS_TESTS_SIMREPO_INT_H

#include "simrepo.h"

#include <uthash.h>

struct object {
	struct simrepo_object o;
	uint64_t mark;       /* == simrepo.mark: seen by the walk under way */
	struct object *next; /* of the walk */
	UT_hash_handle hh;
};

struct ref {
	char *name;
	struct guts_oid oid;
	UT_hash_handle hh;
};

struct repo {
	uint8_t id[GUTS_REPOID_SIZE];
	char *head;
	struct object *objects;
	struct ref *refs;
	UT_hash_handle hh;
};

struct guts_ingest {
	struct simrepo *r;
	uint8_t id[GUTS_REPOID_SIZE];
	const struct guts_ingest_events *ev;
	void *owner;
	struct guts_oid *tips;
	size_t ntips, held; /* held: taken and not yet digested [bytes] */
	uint64_t pack_max, progress_ns;
	struct guts_buf bytes;
	bool no_pack, full, ended, told;
	struct sim_event *event;  /* digesting or verifying */
	struct simrepo_object *v; /* verified objects */
	size_t n;
	bool accepting; /* an op owns it */
	struct guts_ingest *prev, *next;
};

struct guts_packer {
	struct simrepo *r;
	uint8_t id[GUTS_REPOID_SIZE];
	const struct guts_packer_events *ev;
	void *owner;
	struct guts_oid *wants, *haves;
	size_t nwants, nhaves, sent;
	struct guts_buf bytes;
	int err;
	bool made, paused, ended, closed, busy;
	struct sim_event *event;
	struct guts_packer *prev, *next;
};

enum op_kind { OP_CREATE, OP_REMOVE, OP_ACCEPT, OP_PROJECT };

/* A change on disk; they end in the order they began. */
struct op {
	struct simrepo *r;
	enum op_kind kind;
	uint8_t id[GUTS_REPOID_SIZE];
	char *head;
	struct guts_ref_update *v; /* names are its own */
	size_t n;
	bool exact;
	struct guts_ingest *g;
	void (*done)(void *owner, int err);
	void *owner;
	struct op *prev, *next;
};

struct ask;

struct simrepo {
	struct guts_repos repos; /* first */
	struct sim_place *p;
	struct repo *all;
	uint64_t mark;
	struct op *ops;
	unsigned nops;
	struct ask *asks;
	struct guts_ingest *ingests;
	struct guts_packer *packers;
	unsigned ningests, npackers;
};

static inline struct simrepo *
simrepo_of(struct guts_repos *r)
{
	return (struct simrepo *)(void *)r;
}

struct repo *simrepo_find(struct simrepo *r, const uint8_t id[GUTS_REPOID_SIZE]);
struct object *simrepo_object_find(struct repo *repo, const struct guts_oid *oid);

/* Begin a change; it ends with op_apply and its callback. */
struct op *simrepo_op(struct simrepo *r, enum op_kind kind, const uint8_t id[GUTS_REPOID_SIZE]);

/* --- simpack.c ------------------------------------------------------------ */
int simpack_ingest_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
			const struct guts_ingest_spec *spec, const struct guts_ingest_events *ev,
			void *owner, struct guts_ingest **out);
size_t simpack_ingest_write(struct guts_ingest *g, struct guts_slice bytes);
void simpack_ingest_end(struct guts_ingest *g);
void simpack_ingest_accept(struct guts_ingest *g);
void simpack_ingest_abort(struct guts_ingest *g);
int
simpack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
	     size_t nwants, const struct guts_oid *haves, size_t nhaves,
	     const struct guts_packer_events *ev, void *owner, struct guts_packer **out);
void simpack_pause(struct guts_packer *p, bool pause);
void simpack_close(struct guts_packer *p);
void simpack_ingest_free(struct guts_ingest *g);
void simpack_free(struct guts_packer *p);

#endif
