/* proto/signedrefs.h - one author's statement of all its refs in one repository.
 *
 * The record carries the Merkle root of the author's entries (proto/reftree.h), not the
 * entries.  `previous` names all heads of the author's chain known to the signer, so a
 * record that names two heads closes a fork.
 *
 * Source: DESIGN 6.2 as doc/protocol.md states it; api/guts.proto, message SignedRefs.
 */
#ifndef GUTS_PROTO_SIGNEDREFS_H
#define GUTS_PROTO_SIGNEDREFS_H

#include "proto/identity.h"

#define GUTS_PREVIOUS_MAX 8       /* heads that one record names */
#define GUTS_SIGNEDREFS_FORMAT 1  /* the level of rules we write; see guts_signedrefs_check_after */

struct guts_signedrefs {
	uint8_t hash[GUTS_HASH_SIZE];         /* of this record; ignored by make */
	uint32_t format;                      /* ≥ 1; 0 in make = GUTS_SIGNEDREFS_FORMAT */
	uint8_t repository[GUTS_REPOID_SIZE];
	struct guts_peerid author;            /* = signer; set by make */
	uint64_t sequence;                    /* ≥ 1, < 2^63 */
	size_t nprevious;                     /* 0 = first record of the author */
	uint8_t previous[GUTS_PREVIOUS_MAX][GUTS_HASH_SIZE]; /* ascending, no doubles; make sorts */
	uint8_t refs_root[GUTS_HASH_SIZE];
	uint64_t ref_count;                   /* entries, tombstones included */
	uint64_t identity_version;            /* newest version the author knew */
	uint64_t time_ms;                     /* wall time; orders nothing */
};

/* Sign *r: appends the envelope, sets author and hash.  Errors: GUTS_EINVAL, GUTS_ELIMIT. */
int guts_signedrefs_make(struct guts_buf *out, const struct guts_key *k, struct guts_signedrefs *r);

/* Open and check one record by itself; the caller checks repository, rights and chain.
 * Errors: as guts_record_open, GUTS_EPROTO, GUTS_EFUTURE (now_wall_ms 0 = not checked). */
int guts_signedrefs_open(struct guts_signedrefs *r, struct guts_slice envelope,
			 uint64_t now_wall_ms);

/* Does `r` name `hash` as previous? */
bool guts_signedrefs_names(const struct guts_signedrefs *r, const uint8_t hash[GUTS_HASH_SIZE]);

/* May `r` stand after `prev`, one of the records it names: same repository and author, higher
 * sequence, format and identity version not lower.  Errors: GUTS_EPROTO, GUTS_ESTALE. */
int guts_signedrefs_check_after(const struct guts_signedrefs *r, const struct guts_signedrefs *prev);

/* Which of two records of one author is applied: the higher sequence, then the smaller hash.
 * <0 = a, >0 = b, 0 = the same record. */
int guts_signedrefs_cmp(const struct guts_signedrefs *a, const struct guts_signedrefs *b);

#endif
