/* tests/sim/simrepo.h - git/repo.h in virtual time, and the model of its objects: an id, a type, parents and a size.
 *
 * Operations end a seeded time after they began, one after the other per place, and are durable then.
 * A pack is made when it is opened and comes piece by piece.
 *
 * A model pack is
 *	"SIMPACK1", then per object: u8 type, 20 bytes id, u8 n, n × 20 bytes parents, be32 size,
 * `size` bytes of filling, then u8 0 and the SHA-256 of all before.  It is thin by nature: an object
 * needs its parents to be in the pack or in the repository.
 */
#ifndef GUTS_TESTS_SIMREPO_H
#define GUTS_TESTS_SIMREPO_H

#include "sim_int.h"

#define SIMREPO_PARENTS_MAX 8

struct simrepo_object {
	enum guts_object_type type;
	struct guts_oid oid; /* 20 bytes */
	struct guts_oid parent[SIMREPO_PARENTS_MAX];
	size_t nparents;
	uint32_t size; /* [bytes] of filling */
};

struct guts_repos *simrepo_new(struct sim_place *p);
void simrepo_free(struct guts_repos *r);

/* The program ended: all changes under way happen, or (crash) a random first part of them; the rest
 * is dropped. */
void simrepo_end(struct guts_repos *r, bool crash);

/* --- for scenarios -------------------------------------------------------- */

/* Id of an object: first 20 bytes of the SHA-256 of type, parents and `salt`. */
void simrepo_id(struct simrepo_object *o, uint64_t salt);

/* Append the pack of these objects to `out`. */
void simrepo_pack(struct guts_buf *out, const struct simrepo_object *v, size_t n);

/* The refs on the place's disk now (durable state), by the disk's own listing; `done` is called before it returns. */
void simrepo_refs_now(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner);

/* One of them; false = not there. */
bool simrepo_ref(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const char *name, struct guts_oid *out);

/* What a repository of the model holds now.  For checks. */
bool simrepo_has(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *oid);
size_t simrepo_count(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE]);

/* Append the ids that its refs reach, sorted, one hexadecimal line each. */
void simrepo_reached(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], struct guts_buf *out);

/* Every object has its parents, every ref its object: false if not. */
bool simrepo_is_whole(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE]);

#endif
