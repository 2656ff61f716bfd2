/* bridge/cijob.h - a queue of CI jobs, and one job: plain values and their rows.
 *
 * In table CI, each kind of row under its own first byte:
 *
 *	0 | be64 queue                              a queue
 *	1 | be64 number                             a job
 *	2 | id[16]                                  its number
 *	3 | be64 number | u8 file | be64 offset     bytes of a file, at most GUTS_CIFILE_CHUNK a row
 *	4 | id[16], 5 | id[16]                      a job of another node, see bridge/cicopy.c; its number has the highest bit
 *
 * Numbers rise through all jobs and are never used twice; the id is what other nodes know a job by (run id of its statuses).
 */
#ifndef GUTS_BRIDGE_CIJOB_H
#define GUTS_BRIDGE_CIJOB_H

#include "base/oid.h"
#include "bridge/hook.h"
#include "store/store.h"

#define GUTS_CIQUEUES_MAX 100           /* of this node */
#define GUTS_CIJOB_ID_SIZE 33           /* [bytes] 32 hex digits, NUL; also of a lease */
#define GUTS_CIJOB_CONTEXT_MAX 100      /* [bytes] */
#define GUTS_CIJOB_RUNNER_MAX 64        /* [bytes] */
#define GUTS_CIJOB_DESCRIPTION_MAX 255  /* [bytes] */
#define GUTS_CIJOB_URL_MAX 1024         /* [bytes] */
#define GUTS_CIJOB_STEPS_MAX 32
#define GUTS_CIJOB_STEP_MAX 64          /* [bytes] name of a step */
#define GUTS_CIJOB_FILES_MAX 16         /* the log is one of them */
#define GUTS_CIFILE_NAME_MAX 64         /* [bytes] */
#define GUTS_CIFILE_LOG "log"           /* what the command says */
#define GUTS_CIFILE_CHUNK (64u << 10)   /* [bytes] of one row */

/* What a job was made for; bits, so that they make a set. */
enum guts_cievent {
	GUTS_CIEVENT_PUSH = 1,     /* a branch was made or moved */
	GUTS_CIEVENT_TAG = 2,      /* a tag was */
	GUTS_CIEVENT_EXTERNAL = 4, /* a CI system told of a job of its own */
};

struct guts_ciqueue {
	uint64_t id;
	uint8_t repo[GUTS_REPOID_SIZE];
	char branches[GUTS_HOOK_BRANCHES_MAX + 1]; /* as of a webhook */
	unsigned events;                           /* set of guts_cievent */
	char context[GUTS_CIJOB_CONTEXT_MAX + 1];  /* of the statuses */
	uint64_t created_ms;
	uint64_t since_fact;                       /* it takes what came after this fact */
};

enum guts_cistate { GUTS_CIJOB_QUEUED, GUTS_CIJOB_RUNNING, GUTS_CIJOB_SUCCESS, GUTS_CIJOB_FAILURE, GUTS_CIJOB_ERROR };

struct guts_cistep {
	char name[GUTS_CIJOB_STEP_MAX + 1];
	uint64_t started_ms;
};

struct guts_cifile {
	char name[GUTS_CIFILE_NAME_MAX + 1];
	uint64_t bytes;
	uint8_t sha256[32];                        /* once the job has ended */
};

struct guts_cijob {
	uint64_t number;
	char id[GUTS_CIJOB_ID_SIZE];
	uint64_t queue;                            /* 0 = of none: external */
	uint8_t repo[GUTS_REPOID_SIZE];
	struct guts_oid commit, before;            /* before: none = the ref is new */
	char ref[GUTS_REFNAME_MAX + 1];            /* may be empty, if it is external */
	enum guts_cievent event;
	char context[GUTS_CIJOB_CONTEXT_MAX + 1];
	enum guts_cistate state;
	char lease[GUTS_CIJOB_ID_SIZE];            /* of its holder; empty = nobody's.  Secret: who knows it holds the job */
	char runner[GUTS_CIJOB_RUNNER_MAX + 1];
	uint32_t attempts;                         /* times it was leased */
	uint64_t created_ms, started_ms, ended_ms; /* 0 = not yet */
	char description[GUTS_CIJOB_DESCRIPTION_MAX + 1];
	char target_url[GUTS_CIJOB_URL_MAX + 1];
	uint8_t progress;                          /* [percent] as the runner tells */
	size_t nsteps, nfiles;
	struct guts_cistep steps[GUTS_CIJOB_STEPS_MAX];
	struct guts_cifile files[GUTS_CIJOB_FILES_MAX];
};

static inline bool
guts_cijob_is_open(const struct guts_cijob *j)
{
	return j->state == GUTS_CIJOB_QUEUED || j->state == GUTS_CIJOB_RUNNING;
}

/* Does the queue make a job of this fact: a branch or tag that was made or moved, not with a first copy or an import, nor
 * another author's own? */
bool guts_ciqueue_wants(const struct guts_ciqueue *q, const struct guts_fact *f);

/* "push", "tag", "external"; GUTS_EINVAL for other names. */
const char *guts_cievent_name(enum guts_cievent e);
int guts_cievent_parse(enum guts_cievent *e, const char *name);

/* "queued", "running", "success", "failure", "error"; GUTS_EINVAL for other names. */
const char *guts_cistate_name(enum guts_cistate s);
int guts_cistate_parse(enum guts_cistate *s, const char *name);

/* -- rows ------------------------------------------------------------------------------------------------ */

void guts_ciqueue_put(struct guts_batch *b, const struct guts_ciqueue *q);
void guts_ciqueue_remove(struct guts_batch *b, uint64_t id);
int guts_ciqueue_each(struct guts_store *s, void (*row)(void *owner, const struct guts_ciqueue *q), void *owner);

void guts_cijob_put(struct guts_batch *b, const struct guts_cijob *j);
/* With its files. */
void guts_cijob_remove(struct guts_batch *b, const struct guts_cijob *j);
/* Errors: GUTS_ENOTFOUND, GUTS_EIO, GUTS_EPROTO.  Thread: any. */
int guts_cijob_get(struct guts_store *s, uint64_t number, struct guts_cijob *j);
int guts_cijob_find(struct guts_store *s, struct guts_slice id, struct guts_cijob *j);
/* All, oldest first, until `row` returns false.  Thread: any. */
int guts_cijob_each(struct guts_store *s, bool (*row)(void *owner, const struct guts_cijob *j), void *owner);

/* Bytes of file `i` of a job, at most GUTS_CIFILE_CHUNK of them, that begin at `offset`. */
void guts_cifile_put(struct guts_batch *b, const struct guts_cijob *j, size_t i, uint64_t offset, struct guts_slice bytes);
void guts_cifile_remove(struct guts_batch *b, uint64_t number, size_t i);
void guts_cifile_remove_all(struct guts_batch *b, uint64_t number);
/* The bytes of file `i` from `offset` on, as many as fit into `out`.  Errors: GUTS_EIO.  Thread: any. */
int guts_cifile_read(struct guts_store *s, const struct guts_cijob *j, size_t i, uint64_t offset, struct guts_buf *out);
/* 1 to GUTS_CIFILE_NAME_MAX letters, digits, '.', '_' and '-', not '.' first. */
bool guts_cifile_name_is_valid(const char *name);
/* Set the hashes of all files.  Errors: GUTS_EIO.  Thread: any. */
int guts_cifile_hash(struct guts_store *s, struct guts_cijob *j);
/* Index of a file, GUTS_CIJOB_FILES_MAX if there is none of the name. */
size_t guts_cifile_find(const struct guts_cijob *j, const char *name);

#endif
