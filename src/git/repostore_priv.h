/* git/repostore_priv.h - what the parts of the repository store share.  Private to the folder. */
#ifndef GUTS_GIT_REPOSTORE_PRIV_H
#define GUTS_GIT_REPOSTORE_PRIV_H

#include "git/gitcmd.h"
#include "git/repostore.h"

/* A job that changes one repository; such jobs of one repository run one after another. */
struct guts_repoop {
	struct guts_job job;
	struct guts_repostore *store;
	struct guts_repoop *next, *prev; /* in its repository's queue */
	uint8_t id[GUTS_REPOID_SIZE];
	int err;                         /* result of run */
	void (*run)(struct guts_repoop *op);  /* on a worker */
	void (*done)(struct guts_repoop *op); /* on the loop; frees it */
	void (*drop)(struct guts_repoop *op); /* frees it when the store closes */
};

struct guts_repoqueue;
struct guts_tail;
struct guts_graphs;

struct guts_repostore {
	struct guts_repos base;
	struct guts_env *env;
	struct guts_children *children;
	char *path;                     /* repos/ */
	char *git_path;
	char run[17];                   /* names this run in temporary names */
	uint64_t counter;               /* the same; loop thread only */
	struct guts_repoqueue *queues;
	struct guts_repoop *sweep;
	struct guts_ingest *ingests;
	struct guts_packer *packers;
	struct guts_tail *tails;
	uint64_t tail_grace_ns;
	struct guts_graphs *graphs;
	struct guts_importer *importers;
};

/* Queue a changing job; run and done must be set, the rest zero. */
void guts_repoop_submit(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], struct guts_repoop *op,
    const char *name);

/* Is the repository there?  One stat. */
bool guts_repostore_has(const struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE]);

/* A name for something temporary of this run, "<prefix>-<run>-<n>" in `dir`.  Fresh memory. */
char *guts_repostore_temporary(struct guts_repostore *s, const char *dir, const char *prefix);

/* Our error for an errno. */
int guts_errno_err(int e);

/* Remove a folder with all it holds (no symlinks are followed); not there is fine.  0 or an errno. */
int guts_remove_tree(const char *path);

/* fsync of a file or folder.  0 or an errno. */
int guts_sync_path(const char *path);

/* What the repository's HEAD names, e.g. "refs/heads/main"; empty if it is damaged. */
#define GUTS_HEAD_FILE_MAX 1100 /* [bytes] of a HEAD file */
void guts_repo_read_head(const char *repo_path, char out[GUTS_HEAD_FILE_MAX]);

/* Is there a ref in a file of its own below <top_path>/refs, other namespaces left out? */
bool guts_listrefs_has_loose(const char *top_path);

/* The operations, by file. */
void guts_repostore_project(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_ref_update *v,
    size_t n, bool exact, struct guts_slice head_ref, void (*done)(void *owner, int err), void *owner);
void guts_repostore_refs(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    void (*done)(void *owner, int err, const struct guts_ref_row *v, size_t n), void *owner);

void guts_repostore_query(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_object_query *v,
    size_t n, void (*done)(void *owner, int err, const struct guts_object_query *v, size_t n), void *owner);

int guts_repostore_ingest_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    const struct guts_ingest_spec *spec, const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out);
size_t guts_repostore_ingest_write(struct guts_ingest *g, struct guts_slice bytes);
void guts_repostore_ingest_end(struct guts_ingest *g);
void guts_repostore_ingest_accept(struct guts_ingest *g);
void guts_repostore_ingest_abort(struct guts_ingest *g);
void guts_repostore_ingests_free(struct guts_repostore *s);

int guts_repostore_pack_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
    size_t nwants, const struct guts_oid *haves, size_t nhaves, const struct guts_packer_events *ev, void *owner,
    struct guts_packer **out);
int guts_repostore_pack_exact(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE], const struct guts_oid *wants,
    size_t nwants, const struct guts_packer_events *ev, void *owner, struct guts_packer **out);
void guts_repostore_pack_pause(struct guts_packer *p, bool pause);
void guts_repostore_pack_close(struct guts_packer *p);
void guts_repostore_packers_free(struct guts_repostore *s);

int guts_repostore_import_open(struct guts_repos *r, const char *path, const struct guts_import_events *ev, void *owner,
    struct guts_importer **out);
void guts_repostore_import_pack(struct guts_importer *m);
void guts_repostore_import_pause(struct guts_importer *m, bool pause);
void guts_repostore_import_close(struct guts_importer *m);
void guts_repostore_importers_free(struct guts_repostore *s);

#endif
