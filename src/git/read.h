/* git/read.h - what people look at in a repository: a commit, a range of them, diffs, folders, files.
 *
 * Plain blocking functions with a libgit2 handle of their own, for a worker's job: open, ask,
 * close.  Results live in the caller's arena; text is as git has it (bytes: check before showing
 * as UTF-8).  Questions about whole histories are git/history.h's.
 *
 * Thread: any but the loop; a handle belongs to one thread.
 */
#ifndef GUTS_GIT_READ_H
#define GUTS_GIT_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/oid.h"
#include "base/slice.h"
#include "git/repo.h"

#define GUTS_READ_BRIEF_MIN 7              /* hex digits of an abbreviated id */
#define GUTS_READ_PAGE_MAX 100             /* commits of one page */
#define GUTS_READ_RANGE_MAX 2048           /* commits of one range */
#define GUTS_READ_WALK_MAX 200000          /* commits of a range that are counted */
#define GUTS_READ_FILES_MAX 300            /* files of one commit that are listed */
#define GUTS_READ_PATCH_MAX (64u << 10)    /* [bytes] of one file's patch */
#define GUTS_READ_PATCHES_MAX (1u << 20)   /* [bytes] of all patches of a commit */
#define GUTS_READ_ENTRIES_MAX 10000        /* entries of one folder that are listed */
#define GUTS_READ_TREE_MAX 100000          /* entries of a tree with all below it that are listed */
#define GUTS_READ_DEPTH_MAX 64             /* folders within folders that are looked into */
#define GUTS_READ_TEXT_MAX (16u << 20)     /* [bytes] of a change as text */
#define GUTS_READ_LANGUAGES_MAX 64         /* languages that are told apart */

struct guts_read;

/* Open the bare repository at `path` (guts_repostore_path).  Errors: GUTS_ENOTFOUND, GUTS_EIO, GUTS_EUNSUPPORTED. */
int guts_read_open(struct guts_read **out, const char *path);
void guts_read_close(struct guts_read *r);

struct guts_read_person {
	const char *name, *email;
	int64_t time_s;       /* [s since 1970] */
	int offset_min;       /* time zone */
};

struct guts_read_commit {
	struct guts_oid oid, tree;
	struct guts_read_person author, committer;
	const char *message;  /* whole */
	const char *summary;  /* first line */
	bool is_signed;       /* carries a signature (not checked) */
	size_t nparents;
	struct guts_oid *parents;
};

/* The one object whose id begins with these GUTS_READ_BRIEF_MIN..39 hex digits.  Errors: GUTS_EINVAL (no such digits), GUTS_ENOTFOUND,
 * GUTS_ECONFLICT (more than one). */
int guts_read_expand(struct guts_read *r, struct guts_slice digits, struct guts_oid *out);

/* One commit by id; an id of a tag is peeled.  Errors: GUTS_ENOTFOUND, GUTS_ELIMIT (arena). */
int guts_read_commit(struct guts_read *r, const struct guts_oid *id, struct guts_arena *a, struct guts_read_commit *out);

struct guts_read_commits {
	size_t n;
	struct guts_read_commit *v;
	bool more;            /* another page follows */
	uint64_t total;       /* commits of a range in all; 0 = not counted */
	bool incomplete;      /* the search ended early: there may be more, or others */
};

/* At most `max` (≤ GUTS_READ_RANGE_MAX) of the commits that `to` reaches and `from` (none: nothing) does not,
 * newest first, behind the `skip` newest; out->total counts them all, at most GUTS_READ_WALK_MAX.  Errors: GUTS_ENOTFOUND, GUTS_ELIMIT (arena). */
int guts_read_range(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to, size_t skip,
    size_t max, struct guts_arena *a, struct guts_read_commits *out);

enum guts_read_status { GUTS_FILE_ADDED, GUTS_FILE_MODIFIED, GUTS_FILE_REMOVED, GUTS_FILE_RENAMED, GUTS_FILE_TYPE };

struct guts_read_file {
	const char *path, *old_path; /* old_path: of a rename, else NULL */
	enum guts_read_status status;
	uint64_t additions, deletions;
	bool is_binary;
	const char *patch;           /* hunks as git diff prints them, NULL = binary or too large */
	size_t patch_bytes;
	struct guts_oid blob;        /* new content; of a removed file the old */
};

struct guts_read_diff {
	uint64_t additions, deletions; /* of all files */
	size_t nfiles;                 /* all, also those not listed */
	size_t n;
	struct guts_read_file *v;
	bool truncated;
};

/* What `commit` changed against its first parent (or nothing); with_patch: hunks too.
 * Errors: GUTS_ENOTFOUND, GUTS_ELIMIT (arena). */
int guts_read_diff(struct guts_read *r, const struct guts_oid *commit, bool with_patch, struct guts_arena *a,
    struct guts_read_diff *out);

/* The same without counting lines: only which files, which reads no file's content. */
int guts_read_names(struct guts_read *r, const struct guts_oid *commit, struct guts_arena *a, struct guts_read_diff *out);

/* Between two commits (from = none: against nothing). */
int guts_read_compare(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to, bool with_patch,
    struct guts_arena *a, struct guts_read_diff *out);

struct guts_read_relation {
	struct guts_oid base;          /* nearest common ancestor; none = the histories are not related */
	uint64_t ahead, behind;        /* commits that only `to`, only `from` reaches */
};

/* How the history of `to` relates to that of `from`.  Errors: GUTS_ENOTFOUND. */
int guts_read_relate(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to,
    struct guts_read_relation *out);

enum guts_read_form { GUTS_FORM_DIFF, GUTS_FORM_PATCH };

/* What lies between two commits as git prints it, at most GUTS_READ_TEXT_MAX bytes, behind what is in `out`: one diff of
 * their trees, or each commit that only `to` reaches as a mail, oldest first, without merges (git am takes it).  `from`
 * none: the one commit `to` alone, against its first parent.  Errors: GUTS_ENOTFOUND, GUTS_ELIMIT. */
int guts_read_change(struct guts_read *r, const struct guts_oid *from, const struct guts_oid *to,
    enum guts_read_form form, struct guts_buf *out);

enum guts_read_kind { GUTS_ENTRY_DIR, GUTS_ENTRY_FILE, GUTS_ENTRY_EXEC, GUTS_ENTRY_LINK, GUTS_ENTRY_SUBMODULE };

struct guts_read_entry {
	const char *name;
	enum guts_read_kind kind;
	struct guts_oid oid;
	uint64_t size;        /* of a file or link [bytes] */
};

struct guts_read_tree {
	struct guts_oid oid;
	size_t n;             /* folders first, then by name */
	struct guts_read_entry *v;
	bool truncated;
};

/* What is at `path` ("" = the top) in commit `tip`: its kind and id.  Errors: GUTS_ENOTFOUND. */
int guts_read_path(struct guts_read *r, const struct guts_oid *tip, struct guts_slice path, struct guts_arena *a,
    struct guts_read_entry *out);

/* The entries of a folder.  Errors: GUTS_ENOTFOUND, GUTS_EINVAL (no folder), GUTS_ELIMIT. */
int guts_read_tree(struct guts_read *r, const struct guts_oid *tree, struct guts_arena *a, struct guts_read_tree *out);

/* The tree that `id` is, or that the commit or tag of this id has.  Errors: GUTS_ENOTFOUND. */
int guts_read_treeish(struct guts_read *r, const struct guts_oid *id, struct guts_oid *tree);

/* The entries of a tree in git's order; `deep`: those of the folders in it too, each behind its folder, with whole paths
 * as names; at most GUTS_READ_TREE_MAX.  Errors: GUTS_ENOTFOUND, GUTS_EINVAL (no tree), GUTS_ELIMIT. */
int guts_read_list(struct guts_read *r, const struct guts_oid *tree, bool deep, struct guts_arena *a,
    struct guts_read_tree *out);

/* Type and size [bytes] of an object.  Errors: GUTS_ENOTFOUND. */
int guts_read_object(struct guts_read *r, const struct guts_oid *id, enum guts_object_type *type, uint64_t *size);

/* What `id` finally names: itself unless it is a tag; none if that is not here. */
struct guts_oid guts_read_peel(struct guts_read *r, const struct guts_oid *id);

struct guts_read_tag {
	struct guts_oid oid, target;
	enum guts_object_type type; /* of the target */
	const char *name, *message;
	bool has_tagger;
	struct guts_read_person tagger;
};

/* An annotated tag by its own id.  Errors: GUTS_ENOTFOUND, GUTS_ELIMIT (arena). */
int guts_read_tag(struct guts_read *r, const struct guts_oid *id, struct guts_arena *a, struct guts_read_tag *out);

struct guts_read_language {
	const char *name;           /* as Linguist names it */
	uint64_t bytes;
};

struct guts_read_languages {
	size_t n;                   /* most bytes first */
	struct guts_read_language v[GUTS_READ_LANGUAGES_MAX];
};

/* Bytes of each programming or markup language in a tree, told by the names of its files.  Errors: as guts_read_list. */
int guts_read_languages(struct guts_read *r, const struct guts_oid *tree, struct guts_arena *a,
    struct guts_read_languages *out);

/* The content of a blob of at most `max` bytes, with a NUL behind it.  Errors: GUTS_ENOTFOUND, GUTS_ELIMIT (larger; *size tells). */
int guts_read_blob(struct guts_read *r, const struct guts_oid *blob, uint64_t max, struct guts_arena *a,
    struct guts_slice *out, uint64_t *size);

/* The readme of the top folder of `tip`: README.md, README, readme.txt … in any case.  Errors: GUTS_ENOTFOUND. */
int guts_read_readme(struct guts_read *r, const struct guts_oid *tip, struct guts_arena *a, struct guts_read_entry *out);

#endif
