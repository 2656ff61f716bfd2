/* tests/sim/simrepo.h - the model of git/repo.h: an object is an id, a type, parents and a size.
 *
 * A model pack is
 *	"SIMPACK1", then per object: u8 type, 20 bytes id, u8 n, n × 20 bytes parents, be32 size,
 *`size` bytes of filling, then u8 0 and the SHA-256 of all before. It is thin by nature: an object
 *needs its parents to be in the pack or in the repository.
 *
 * Operations end a seeded time after they began, one after the other per place, and are durable
 *then.
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

/* What the repository holds now (its durable state); NULL = not there.  For checks. */
bool
simrepo_has(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *oid);
size_t simrepo_count(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE]);
bool simrepo_ref(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const char *name,
		 struct guts_oid *out);

/* Every object has its parents, every ref its object: false if not. */
bool simrepo_is_whole(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE]);

#endif
