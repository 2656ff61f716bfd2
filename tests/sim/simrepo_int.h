/* tests/sim/simrepo_int.h - what simrepo.c (changes, questions) and simtransfer.c (packs in and out) share. */
#ifndef GUTS_TESTS_SIMREPO_INT_H
#define GUTS_TESTS_SIMREPO_INT_H

#include "simrepo.h"

struct guts_ingest {
	struct simrepo *r;
	uint8_t id[GUTS_REPOID_SIZE];
	const struct guts_ingest_events *ev;
	void *owner;
	struct guts_ingest *disk; /* the disk's; NULL = the disk gave up or took it over */
	struct sim_wait wait;     /* for the disk's callback */
	bool has_room;            /* the disk takes bytes */
	size_t held;              /* taken and not yet digested [bytes] */
	uint64_t pack_max, progress_ns;
	struct guts_buf bytes;
	struct guts_ingest_result result; /* the verdict's; text is `why`, answers are `asks` */
	struct guts_object_query *asks;
	size_t nasks;
	char *why;
	bool full, ended, told, accepting; /* accepting: an op owns it */
	struct sim_event *event;           /* digesting or verifying */
	struct guts_ingest *prev, *next;
};

struct guts_packer {
	struct simrepo *r;
	const struct guts_packer_events *ev;
	void *owner;
	struct sim_wait wait;
	size_t sent;
	struct guts_buf bytes; /* all of it, made when it was opened */
	bool paused, ended, closed, busy;
	struct sim_event *event;
	struct guts_packer *prev, *next;
};

enum op_kind { OP_CREATE, OP_REMOVE, OP_ACCEPT, OP_PROJECT };

/* A change on disk; they end in the order they began. */
struct op {
	struct simrepo *r;
	enum op_kind kind;
	uint8_t id[GUTS_REPOID_SIZE];
	enum guts_object_format format;
	struct guts_slice head;    /* its own, like the names in v */
	struct guts_ref_update *v;
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

static inline struct guts_repos *
simrepo_disk(struct simrepo *r)
{
	return r->p->disk->repos;
}

/* Begin a change; it ends with its callback. */
struct op *simrepo_op(struct simrepo *r, enum op_kind kind, const uint8_t id[GUTS_REPOID_SIZE]);

/* --- simtransfer.c -------------------------------------------------------- */
int simtransfer_ingest_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    const struct guts_ingest_spec *spec, const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out);
size_t simtransfer_ingest_write(struct guts_ingest *g, struct guts_slice bytes);
void simtransfer_ingest_end(struct guts_ingest *g);
void simtransfer_ingest_accept(struct guts_ingest *g);
void simtransfer_ingest_abort(struct guts_ingest *g);
int simtransfer_pack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
    size_t nwants, const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out);
void simtransfer_pack_pause(struct guts_packer *p, bool pause);
void simtransfer_pack_close(struct guts_packer *p);

/* Let the disk accept what was verified; its error. */
int simtransfer_accept_now(struct guts_ingest *g);
void simtransfer_ingest_free(struct guts_ingest *g);
void simtransfer_packer_free(struct guts_packer *p);

#endif
