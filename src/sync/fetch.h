/* sync/fetch.h - one fetch: what a peer has of one repository that we lack.  Shared by the fetch*.c and verify.c only.
 *
 *	refs     GetRefs: identity versions, records, entries
 *	verify   on a worker: signatures and roots
 *	build    chain and rights: new heads, and which objects they need
 *	ask      which of these objects are here already
 *	objects  GetObjects → ingest, at most 4,096 wants at a time
 *	apply    one change in the repository's queue
 *	statuses GetStatuses
 */
#ifndef GUTS_SYNC_FETCH_H
#define GUTS_SYNC_FETCH_H

#include "sync/internal.h"

/* A signed record of an answer, and what a worker found in it. */
struct guts_fetch_version {
	struct guts_bytes envelope;
	struct guts_identity *id;               /* opened */
};
struct guts_fetch_vote {
	struct guts_bytes envelope;
	struct guts_vote vote;
	int err;                                /* 0: `vote` is good */
};
struct guts_fetch_status {
	struct guts_bytes envelope;
	struct guts_status status;
	int err;                                /* 0: `status` is good */
};

/* One AuthorRefs of the answer, as it came. */
struct guts_fetch_block {
	struct guts_peerid author;
	GUTS_VEC(struct guts_bytes) records;
	GUTS_VEC(struct guts_refentry) entries; /* names are owned */
	struct guts_bytes base, bucket_hashes;
	GUTS_VEC(uint32_t) buckets;             /* the bucket of each entry, if they came by bucket */
	struct guts_reftree *onto;              /* what the entries are laid over; NULL: nothing is laid */
	/* opened */
	GUTS_VEC(struct guts_signedrefs) opened;
	bool later;                             /* a record of a later version of the program, or of another time */
	struct guts_reftree *tree;              /* `onto` with the entries; it has the last record's root */
};

/* An answer: filled from frames on the loop, opened by a worker (verify.c). */
struct guts_fetch_answer {
	GUTS_VEC(struct guts_fetch_version) versions;
	GUTS_VEC(struct guts_fetch_vote) votes;
	GUTS_VEC(struct guts_fetch_block) blocks;
	GUTS_VEC(struct guts_fetch_status) statuses;
	size_t size, nrecords;                  /* held [bytes], [records] */
	bool joining;                           /* the asked-for buckets came, of: */
	GUTS_VEC(uint64_t) bucket_wants;
	uint8_t bucket_record[GUTS_HASH_SIZE];
};
void guts_answer_free(struct guts_fetch_answer *a);

/* A head that may become ours. */
struct guts_fetch_head {
	struct guts_head head;
	GUTS_VEC(struct guts_signedrefs) chain;
};

struct guts_fetch {
	struct guts_repo *repo;
	struct guts_peerid peer;
	struct guts_request *request;
	const char *phase;
	uint64_t objects;                       /* in packs that were checked */
	struct guts_fetch_answer answer;
	size_t identity_from;                   /* asked from this version on */
	GUTS_VEC(struct guts_version) versions; /* new ones, checked */
	GUTS_VEC(struct guts_fetch_head) heads;
	bool by_bucket;                         /* one author's tree is compared by bucket */
	struct guts_peerid bucket_author;
	GUTS_VEC(struct guts_oid) wants;
	size_t next_want;                       /* the first not asked for yet */
	struct guts_ingest *ingest;
	bool ingest_to_change;                  /* the last pack: accepted by the change */
	bool got_end;
	struct guts_buf rest;                   /* pack bytes the ingest had no room for */
	struct guts_sha256_ctx sha;
	bool hashing;
	uint64_t bytes, pack_max;               /* come, allowed */
	struct guts_change *change;
	struct guts_bytes cursor;               /* of statuses */
	unsigned status_questions;
	bool statuses_more, is_first, is_counted_first, from_hint;
	uint64_t number;                        /* names the fetch in jobs that may outlive it */
	UT_hash_handle hh;
};

/* A name to hand to asynchronous work that cannot be called off, and the fetch of that name, or NULL when it has ended.  The
 * name is given back by asking once. */
void *guts_fetch_id(struct guts_fetch *f);
struct guts_fetch *guts_fetch_by_id(void *name);

/* Ask for identity and refs, beginning with identity version `identity_from`.  Errors: those of guts_request_start. */
int guts_fetch_refs(struct guts_fetch *f, size_t identity_from);
/* An author's tree with the bucket hashes of `b` in place of entries: note which buckets differ from ours.  Errors: GUTS_EPROTO
 * (they do not make the record's root). */
int guts_fetch_note_buckets(struct guts_fetch *f, const struct guts_fetch_block *b, const struct guts_signedrefs *rec);
/* The tree that the asked-for buckets of `b` make of the one they are laid over.  Errors: GUTS_EPROTO, GUTS_ECONFLICT (another
 * record by now).  Thread: any. */
int guts_fetch_join_buckets(const struct guts_fetch_answer *a, const struct guts_fetch_block *b,
    const struct guts_signedrefs *rec, struct guts_reftree **out);

/* Open the records of f->answer on a worker, a limited number of signatures per job; `done` comes later, unless the fetch has
 * ended by then: 0, or what is wrong with the first bad one (GUTS_EPROTO, GUTS_ESIG, GUTS_ECONFLICT, …).  Until then the answer
 * is away. */
void guts_fetch_verify(struct guts_fetch *f, void (*done)(struct guts_fetch *f, int err));
/* The refs are known: fetch the objects they need and apply. */
void guts_fetch_objects(struct guts_fetch *f);
/* The end; frees `f`. */
void guts_fetch_end(struct guts_fetch *f, int err, const char *text);
void guts_fetch_phase(struct guts_fetch *f, const char *phase);
/* Stop what is under way in fetchobj.c. */
void guts_fetch_stop_objects(struct guts_fetch *f);

#endif
