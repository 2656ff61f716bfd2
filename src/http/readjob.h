/* http/readjob.h - one question to a repository's objects: settled on the HTTP thread, answered by a worker.
 *
 * The name is looked up in the snapshot, so the commit's id and with it the ETag are known before any object is
 * read, and a 304 costs no job.
 */
#ifndef GUTS_HTTP_READJOB_H
#define GUTS_HTTP_READJOB_H

#include "git/history.h"
#include "http/internal.h"
#include "view/view.h"

#define GUTS_READJOB_ARENA_MAX (96u << 20) /* [bytes] one read may take */
#define GUTS_READJOB_RAW_MAX (64u << 20)   /* [bytes] of a file served as it is */
#define GUTS_READJOB_ROWS_MAX 100          /* refs of one page */

struct guts_readjob;

struct guts_readop {
	const char *name;       /* part of the ETag */
	/* On the worker: write the answer by `j` into p->body. */
	int (*make)(struct guts_readjob *p, struct guts_read *g, struct guts_arena *a, struct guts_json *j);
	/* On the HTTP thread, when make gave no error; NULL: JSON with the ETag. */
	void (*answer)(struct guts_req *r, struct guts_readjob *p);
	const char *missing;    /* detail of a 404 */
	bool needs_branch;      /* 409, not 404, while the default branch is asked for and nothing was pushed */
};

struct guts_readjob {
	struct guts_call c;
	const struct guts_readop *op;
	struct guts_repo_info *info;
	char *disk;                         /* path of the repository */
	char base[1024], path[GUTS_VIEW_PATH_SIZE], ref[GUTS_REFNAME_MAX + 1]; /* for links */
	struct guts_oid tip;                /* what is asked for */
	struct guts_oid from;               /* a second commit, where the question has one */
	char brief_tip[GUTS_OID_HEX_SIZE], brief_from[GUTS_OID_HEX_SIZE]; /* abbreviated ids, until a worker has looked them up */
	char file[GUTS_TARGET_MAX];         /* a path in the tree, or whatever else makes the answer another */
	unsigned flags;                     /* the same */
	uint64_t page, per_page;
	uint64_t state;                     /* digest of refs or filters that the answer depends on; 0 = none */
	const struct guts_refs_row *rows[GUTS_READJOB_ROWS_MAX]; /* lent by info */
	size_t nrows;
	uint64_t total;                     /* of the list that the page is of */
	char etag[96];
	bool is_immutable;
	/* answer */
	struct guts_buf body;
	const char *type;                   /* content type of an answer that is not JSON */
	bool more, is_text;
	bool is_blob;                       /* body is a file's bytes: parts of it may be asked for */
	bool is_kept;                       /* the finished answer is kept by its ETag (http/histcache.h) */
	bool is_partial;                    /* it lacks what may be there the next time: not kept, and its ETag is of no use */
	bool incomplete;                    /* it took too much work: said in a header, without an ETag */
};

/* A job on the repository of the request, page 1 of 1; NULL: an answer was queued.  Ends with guts_readjob_start or _drop. */
struct guts_readjob *guts_readjob_new(struct guts_req *r, const struct guts_readop *op);
/* The same as the first member of a struct of `bytes`. */
struct guts_readjob *guts_readjob_new_in(struct guts_req *r, const struct guts_readop *op, size_t bytes);
void guts_readjob_drop(struct guts_readjob *p);

/* Look `name` up (branch, tag, ref with or without "refs/", id, abbreviated id; empty: the default branch) into *oid, which is p->tip or
 * p->from; *fixed: it was a full id.  False: not there, nothing was queued.  What is abbreviated is settled when the job starts. */
bool guts_readjob_resolve(struct guts_readjob *p, struct guts_slice name, struct guts_oid *oid, bool *fixed);

/* Set p->tip and p->ref by a name as above; false: an answer was queued and the job is gone. */
bool guts_readjob_at(struct guts_req *r, struct guts_readjob *p, struct guts_slice name);

/* Answer with 304, or put the request to sleep and the job to work. */
void guts_readjob_start(struct guts_req *r, struct guts_readjob *p);

/* The context of links. */
struct guts_view_repo_ctx guts_readjob_ctx(const struct guts_readjob *p);

/* On the worker (api_history.c): last commits of the entries of the folder p->file at p->tip, beginning from what is known of it, and
 * kept if complete.  Errors: as guts_history_folder. */
int guts_readjob_last_commits(struct guts_readjob *p, struct guts_history *h, struct guts_arena *a, struct guts_history_folder *out);

/* Answers that are no JSON: p->body as p->type, in a sandbox. */
void guts_readjob_answer_bytes(struct guts_req *r, struct guts_readjob *p);

/* Does Accept ask for a file's bytes, for a change as diff or patch ("application/vnd.github.diff")? */
bool guts_raw_asked(const struct guts_req *r);
bool guts_change_asked(const struct guts_req *r);
/* Cut ".diff" or ".patch" off a name; false: there was none. */
bool guts_change_suffix(struct guts_slice *name);
/* A job that answers with a commit, or what lies between two, as diff or patch, as address or Accept ask for it. */
struct guts_readjob *guts_change_job(struct guts_req *r);

#endif
