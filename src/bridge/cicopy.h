/* bridge/cicopy.h - ended jobs of other nodes that are kept here, so that they can be read when their node is away.
 *
 * A copy is the record that the node signed which ran the job, and those of its files that somebody asked for, whole and with the
 * SHA-256 that the record tells.  All copies together have at most ci.copies bytes; the least recently read go first.
 * Loop thread, where nothing else is said.
 */
#ifndef GUTS_BRIDGE_CICOPY_H
#define GUTS_BRIDGE_CICOPY_H

#include "bridge/ci.h"

#define GUTS_CICOPIES_MAX 1000

struct guts_cicopy {
	char id[GUTS_CIJOB_ID_SIZE];
	uint8_t repo[GUTS_REPOID_SIZE];
	uint64_t number;         /* of the rows of its files */
	uint64_t bytes;          /* of record and files that are here or come; of these alone: */
	uint64_t coming_bytes;
	uint64_t used_ms;        /* when it was changed last */
	uint32_t have, coming;   /* sets of files: whole; on their way, with room reserved */
	bool is_stored;          /* its record is in the database */
	struct guts_cicopy *prev, *next; /* least recently used first */
};

struct guts_cicopies {
	struct guts_ci *ci;
	struct guts_store *store;
	uint64_t max, bytes;     /* of all */
	uint64_t last_number;
	struct guts_cicopy *list;
	size_t n;
};

/* Read what is kept; copies of repositories that are gone are dropped. */
void guts_cicopies_load(struct guts_cicopies *k);
void guts_cicopies_free(struct guts_cicopies *k);
/* Forget those of a repository that was removed; what is on its way of one goes when it has come. */
void guts_cicopies_drop(struct guts_cicopies *k, const uint8_t repo[GUTS_REPOID_SIZE]);
/* Forget the least recently used while there is more than `max`. */
void guts_cicopies_prune(struct guts_cicopies *k);

/* The copy of a job, which is now the one used last; NULL: none. */
struct guts_cicopy *guts_cicopy_find(struct guts_cicopies *k, const char *id);

/* Its job, with the number of the copy, and the record behind what is in `record` (may be NULL).  Errors: GUTS_ENOTFOUND, GUTS_EIO,
 * GUTS_EPROTO.  Thread: any. */
int guts_cicopy_read(struct guts_store *s, const struct guts_cicopy *c, struct guts_cijob *j, struct guts_buf *record);

/* Keep the record of a job that was checked; its readers are woken when it is stored, or could not be and is gone.
 * NULL: it has no room. */
struct guts_cicopy *guts_cicopy_keep(struct guts_cicopies *k, const struct guts_cijob *j, struct guts_slice record);

/* Make room for file `i` of job *j.  GUTS_ELIMIT. */
int guts_cicopy_expect(struct guts_cicopies *k, struct guts_cicopy *c, const struct guts_cijob *j, size_t i);
/* Store a piece of it. */
int guts_cicopy_write(struct guts_cicopies *k, const struct guts_cicopy *c, size_t i, uint64_t offset, struct guts_slice bytes,
    void (*done)(void *owner, int err, uint64_t first, uint64_t last), void *owner);
/* It is whole, or it is not and what came of it goes. */
void guts_cicopy_settle(struct guts_cicopies *k, struct guts_cicopy *c, const struct guts_cijob *j, size_t i, bool is_whole);

#endif
