/* git/repo.h - the operations on bare repositories that the node needs, all asynchronous.
 *
 * The node is the only writer.  Objects enter by one door, the ingest:
 *
 *	open → write… → end → (verified) → accept → (accepted)      or abort at any time
 *	        pack bytes      quarantine: index-pack --strict,      objects are fsynced in
 *	                        limits, connectivity of the tips      the repository
 *
 * and refs are a projection of signed records (sync/), written after the commit point.
 * Two ends: store.h of this folder (git children and libgit2) and the model in tests/sim
 * (object = id, parents, size).  Repositories are named by their 32-byte id.
 *
 * Ref names on disk: canonical refs as they are (refs/heads/…, refs/tags/…, …), each author's under
 * refs/namespaces/<peer id text>/refs/….
 *
 * Every callback comes on the loop thread, later, exactly once, and names its subject by `owner`.
 */
#ifndef GUTS_GIT_REPO_H
#define GUTS_GIT_REPO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/oid.h"
#include "base/slice.h"

struct guts_repos;
struct guts_ingest;
struct guts_packer;

/* One ref to write: `oid` none = delete.  Names are full on-disk names and were checked by the caller. */
struct guts_ref_update {
	struct guts_slice name;
	struct guts_oid oid;
};

/* A question about objects; the answer goes into the same struct. */
enum guts_object_type { GUTS_OBJ_NONE = 0, GUTS_OBJ_COMMIT = 1, GUTS_OBJ_TREE = 2, GUTS_OBJ_BLOB = 3, GUTS_OBJ_TAG = 4 };
struct guts_object_query {
	struct guts_oid oid;
	struct guts_oid ancestor;   /* not none: is it equal to or an ancestor of oid? */
	enum guts_object_type type; /* answer; GUTS_OBJ_NONE = not there */
	bool is_ancestor;           /* answer */
};

struct guts_ingest_spec {
	uint64_t pack_max;            /* [bytes] ≤ GUTS_PACK_MAX */
	const struct guts_oid *tips;  /* ids that must be there with all they reach, from pack or repository (copied) */
	size_t ntips;
	bool no_pack;                 /* no bytes will come: only the tips are checked (push of known objects) */
	const struct guts_object_query *asks; /* answered with a good verdict, as if the objects were accepted (copied) */
	size_t nasks;
};

/* What verification found; valid during the callback. */
struct guts_ingest_result {
	uint64_t pack_bytes;
	uint64_t objects;
	const char *detail; /* text for a person when err != 0, e.g. git's own words; may be NULL */
	const struct guts_object_query *answers; /* to the spec's `asks`, in their order; NULL when err != 0 */
};

struct guts_ingest_events {
	/* Room again after ingest_write took less than it was given. */
	void (*writable)(void *owner);
	/* Received so far, for progress; at most every 100 ms. */
	void (*progress)(void *owner, uint64_t bytes, uint64_t objects);
	/* Verification ended: err 0, or GUTS_EPROTO bad pack, GUTS_ELIMIT, GUTS_ENOTFOUND a tip or what it reaches is
	 * missing, GUTS_ENOSPC, GUTS_EIO, GUTS_ETIMEOUT, GUTS_EBUSY.  May come before ingest_end when bytes are bad. */
	void (*verified)(void *owner, int err, const struct guts_ingest_result *r);
	/* The objects are in the repository and fsynced (0), or nothing is (GUTS_EIO, GUTS_ENOSPC). */
	void (*accepted)(void *owner, int err);
};

struct guts_packer_events {
	/* Pack bytes; paused by packer_pause. */
	void (*data)(void *owner, struct guts_slice bytes);
	/* All bytes were given (0), or it failed: GUTS_ENOTFOUND a want is not there, GUTS_EBUSY, GUTS_EIO. */
	void (*end)(void *owner, int err);
};

struct guts_ref_row {
	char *name;
	struct guts_oid oid;
};

/* Reading a git repository of this machine or of another one, for import: first its refs, then, when asked, a pack of all they reach. */
struct guts_importer;
struct guts_import_events {
	/* Branches and tags (refs/heads/…, refs/tags/…), sorted; or err with a text: GUTS_ENOTFOUND no repository there, GUTS_EIO.
	 * `head_ref` is what HEAD names, or empty. */
	void (*refs)(void *owner, int err, const char *text, enum guts_object_format f, struct guts_slice head_ref,
	    const struct guts_ref_row *v, size_t n);
	/* Pack bytes; paused by guts_import_pause. */
	void (*data)(void *owner, struct guts_slice bytes);
	/* All bytes were given (0), or it failed. */
	void (*end)(void *owner, int err, const char *text);
	/* Objects cloned before `refs`, or packed after it, of how many. */
	void (*progress)(void *owner, uint64_t objects, uint64_t total);
};

struct guts_repos_ops {
	void (*create)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], enum guts_object_format f,
	    struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner);
	void (*remove)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err),
	    void *owner);
	int (*ingest_open)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ingest_spec *spec,
	    const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out);
	size_t (*ingest_write)(struct guts_ingest *g, struct guts_slice bytes);
	void (*ingest_end)(struct guts_ingest *g);
	void (*ingest_accept)(struct guts_ingest *g);
	void (*ingest_abort)(struct guts_ingest *g);
	int (*pack_open)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
	    size_t nwants, const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
	    struct guts_packer **out);
	int (*pack_exact)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
	    size_t nwants, const struct guts_packer_events *ev, void *owner, struct guts_packer **out); /* NULL in the model */
	void (*pack_pause)(struct guts_packer *p, bool pause);
	void (*pack_close)(struct guts_packer *p);
	void (*project)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ref_update *v, size_t n,
	    bool exact, struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner);
	void (*refs)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
	    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner);
	void (*query)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_object_query *v, size_t n,
	    void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n), void *owner);
	void (*size)(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
	    void (*done)(void *owner, int err, uint64_t bytes), void *owner);
	int (*import_open)(struct guts_repos *r, const char *path, const struct guts_import_events *ev, void *owner,
	    struct guts_importer **out); /* NULL in the model */
	void (*import_pack)(struct guts_importer *m);
	void (*import_pause)(struct guts_importer *m, bool pause);
	void (*import_close)(struct guts_importer *m);
};

/* Ends embed this as their first member. */
struct guts_repos {
	const struct guts_repos_ops *ops;
};

/* Make an empty bare repository whose HEAD names `head_ref` (refs/heads/…).  Making one that is there is fine (0). */
static inline void
guts_repos_create(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], enum guts_object_format f,
    struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	r->ops->create(r, id, f, head_ref, done, owner);
}

/* Remove a repository with all its objects; none there is fine. */
static inline void
guts_repos_remove(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], void (*done)(void *owner, int err),
    void *owner)
{
	r->ops->remove(r, id, done, owner);
}

/* Start to take a pack into quarantine.  Ends by guts_ingest_abort or with the `accepted` event.
 * Errors: GUTS_EBUSY (queue full), GUTS_ENOTFOUND (no such repository), GUTS_EIO. */
static inline int
guts_ingest_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ingest_spec *spec,
    const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out)
{
	return r->ops->ingest_open(r, id, spec, ev, owner, out);
}

/* Give pack bytes; returns how many were taken (≤ 256 KiB are held); `writable` follows if fewer. */
static inline size_t
guts_ingest_write(struct guts_repos *r, struct guts_ingest *g, struct guts_slice bytes)
{
	return r->ops->ingest_write(g, bytes);
}

/* All bytes were given: verify; the answer is `verified`. */
static inline void
guts_ingest_end(struct guts_repos *r, struct guts_ingest *g)
{
	r->ops->ingest_end(g);
}

/* Move the verified objects into the repository, durably; the answer is `accepted`, which also frees `g`. */
static inline void
guts_ingest_accept(struct guts_repos *r, struct guts_ingest *g)
{
	r->ops->ingest_accept(g);
}

/* Give up: quarantine removed, children killed, no further event, `g` freed. */
static inline void
guts_ingest_abort(struct guts_repos *r, struct guts_ingest *g)
{
	r->ops->ingest_abort(g);
}

/* Make a thin pack of all that `wants` reach and `haves` do not (haves that are not there are ignored).
 * Ends by guts_pack_close, which may come at any time.  Errors: GUTS_EBUSY, GUTS_ENOTFOUND, GUTS_EIO. */
static inline int
guts_pack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants, size_t nwants,
    const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out)
{
	return r->ops->pack_open(r, id, wants, nwants, haves, nhaves, ev, owner, out);
}

/* Make a pack of just the objects `wants`, if the repository's refs reach every one of them: `end` tells GUTS_ENOTFOUND if not,
 * whether they are there or not.  Ends by guts_pack_close.  Errors: as guts_pack_open, GUTS_EUNSUPPORTED. */
static inline int
guts_pack_exact(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants, size_t nwants,
    const struct guts_packer_events *ev, void *owner, struct guts_packer **out)
{
	return r->ops->pack_exact ? r->ops->pack_exact(r, id, wants, nwants, ev, owner, out) : GUTS_EUNSUPPORTED;
}

/* Stop or go on with `data` events: back-pressure down to the git child. */
static inline void
guts_pack_pause(struct guts_repos *r, struct guts_packer *p, bool pause)
{
	r->ops->pack_pause(p, pause);
}

/* End it at any time; no further event, the pointer is dead. */
static inline void
guts_pack_close(struct guts_repos *r, struct guts_packer *p)
{
	r->ops->pack_close(p);
}

/* Write refs (copied).  exact = true: afterwards the repository has these refs and no others (start-up repair).
 * `head_ref` not empty: HEAD names it.  Idempotent. */
static inline void
guts_repos_project(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ref_update *v, size_t n,
    bool exact, struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner)
{
	r->ops->project(r, id, v, n, exact, head_ref, done, owner);
}

/* All refs on disk, sorted by name; the rows are valid during the callback. */
static inline void
guts_repos_refs(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner)
{
	r->ops->refs(r, id, done, owner);
}

/* Answer questions about objects (copied in, answered copy valid during the callback). */
static inline void
guts_repos_query(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_object_query *v, size_t n,
    void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n), void *owner)
{
	r->ops->query(r, id, v, n, done, owner);
}

/* Bytes on disk. */
static inline void
guts_repos_size(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, uint64_t bytes), void *owner)
{
	r->ops->size(r, id, done, owner);
}

/* Is it an address that an import can clone from: http, https, git? */
bool guts_import_is_url(const char *where);

/* Read the git repository at `path` (absolute; a work tree or a bare one; or an address as above, which is cloned first): the
 * answer is `refs`.  Ends by guts_import_close, at any time.  Errors: GUTS_EINVAL (neither), GUTS_EBUSY, GUTS_EUNSUPPORTED (this end has no disk). */
static inline int
guts_import_open(struct guts_repos *r, const char *path, const struct guts_import_events *ev, void *owner,
    struct guts_importer **out)
{
	return r->ops->import_open ? r->ops->import_open(r, path, ev, owner, out) : GUTS_EUNSUPPORTED;
}

/* After `refs`: give the pack. */
static inline void
guts_import_pack(struct guts_repos *r, struct guts_importer *m)
{
	r->ops->import_pack(m);
}

/* Stop or go on giving bytes of the pack. */
static inline void
guts_import_pause(struct guts_repos *r, struct guts_importer *m, bool pause)
{
	r->ops->import_pause(m, pause);
}

/* End it at any time; no further event, the pointer is dead. */
static inline void
guts_import_close(struct guts_repos *r, struct guts_importer *m)
{
	r->ops->import_close(m);
}

#endif
