/* tests/sim/simobject_int.h - what simobject.c (repositories, refs, questions) and simpack.c (packs) share. */
#ifndef GUTS_TESTS_SIMOBJECT_INT_H
#define GUTS_TESTS_SIMOBJECT_INT_H

#include "simmodel.h"
#include "simrepo.h"

#include <uthash.h>

struct object {
	struct simrepo_object o;
	uint64_t mark;       /* == simobjects.mark: seen by the walk under way */
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

struct simobjects {
	struct guts_repos repos; /* first */
	struct repo *all;
	uint64_t mark;
};

static inline struct simobjects *
simobjects_of(struct guts_repos *r)
{
	return (struct simobjects *)(void *)r;
}

struct repo *simobject_repo(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE]);
struct object *simobject_find(struct repo *repo, const struct guts_oid *oid);
void simobject_add(struct repo *repo, const struct simrepo_object *x);

/* Does `from` reach `want`, as far as the repository goes? */
bool simobject_reaches(struct guts_repos *r, struct repo *repo, const struct guts_oid *from, const struct guts_oid *want);

/* What the refs reach, sorted by id, linked by `next`. */
struct object *simobject_reached(struct guts_repos *r, struct repo *repo);

/* --- simpack.c ------------------------------------------------------------ */
int simpack_ingest_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ingest_spec *spec,
    const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out);
size_t simpack_ingest_write(struct guts_ingest *g, struct guts_slice bytes);
void simpack_ingest_end(struct guts_ingest *g);
void simpack_ingest_accept(struct guts_ingest *g);
void simpack_ingest_abort(struct guts_ingest *g);
int simpack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants, size_t nwants,
    const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out);
void simpack_pause(struct guts_packer *p, bool pause);
void simpack_close(struct guts_packer *p);

#endif
