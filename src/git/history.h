/* git/history.h - questions about many commits: how many, which ones, by whom, who touched what last.
 *
 * Answers come from git's commit-graph (git/graph.h) as far as it goes and from the commits themselves where it does not: those
 * that are newer than it, or all, when it is missing or damaged.  Both ways give the same answer; the second is slow.  So work is
 * counted, and a question that would cost more than GUTS_HISTORY_WORK_MAX ends early with what was found and `incomplete` set.
 *
 * Which commits changed a path is what `git log -- path` says: where a merge has the path as one parent has it, only that
 * parent is followed.
 *
 * Thread: any but the loop; a handle belongs to one thread, and its questions share the work.
 */
#ifndef GUTS_GIT_HISTORY_H
#define GUTS_GIT_HISTORY_H

#include "git/read.h"

#define GUTS_HISTORY_WORK_MAX 20000000u  /* a commit of the graph that is passed costs 1, an object that is read 100 */
#define GUTS_HISTORY_PEOPLE_MAX 10000    /* contributors that are told apart */
#define GUTS_HISTORY_LOOSE_MAX 256       /* commits outside the graph that need no new one */

struct guts_history;

/* A history of what `r` reads, which is the repository at `path`; it borrows `r`.  `work_max`: 0 = GUTS_HISTORY_WORK_MAX. */
struct guts_history *guts_history_open(struct guts_read *r, const char *path, uint64_t work_max);
void guts_history_close(struct guts_history *h);

/* After a question: would a (new) commit-graph have helped? */
bool guts_history_wants_graph(const struct guts_history *h);

/* Commits that `tip` reaches.  Errors: GUTS_ENOTFOUND. */
int guts_history_count(struct guts_history *h, const struct guts_oid *tip, uint64_t *n, bool *incomplete);

/* Commits that `tips` reach and the graph does not hold, counted up to `max`; tips that are no commits are passed over. */
uint64_t guts_history_loose(struct guts_history *h, const struct guts_oid *tips, size_t n, uint64_t max);

struct guts_history_filter {
	struct guts_slice path;    /* not empty: only commits that change it */
	struct guts_slice author;  /* not empty: only by authors whose "Name <email>" holds it, in any case */
	bool has_since, has_until;
	int64_t since_s, until_s;  /* committer's time, both included [s since 1970] */
};

/* Page `page` (1…) of the history of `tip`, newest first, `per_page` (1..GUTS_READ_PAGE_MAX) commits each; they are not
 * counted.  Errors: GUTS_ENOTFOUND, GUTS_ELIMIT (arena). */
int guts_history_log(struct guts_history *h, const struct guts_oid *tip, const struct guts_history_filter *filter, unsigned page,
    unsigned per_page, struct guts_arena *a, struct guts_read_commits *out);

/* Authors, told apart by their e-mail address (without one: by name) in any case. */
struct guts_history_person {
	const char *name, *email;  /* as in their newest commit */
	uint64_t commits;
};
struct guts_history_people {
	struct guts_oid tip;
	size_t n;                  /* most commits first */
	struct guts_history_person *v;
	uint64_t commits;          /* of all */
	bool incomplete;
};

/* Who made the commits that `tip` reaches.  `known` (may be NULL): the answer for an older tip, which spares reading its commits again.
 * Errors: GUTS_ENOTFOUND, GUTS_ELIMIT (arena). */
int guts_history_people(struct guts_history *h, const struct guts_oid *tip, const struct guts_history_people *known,
    struct guts_arena *a, struct guts_history_people *out);

/* An entry of a folder and the commit that changed it last; none = not found within the work. */
struct guts_history_entry {
	const char *name;
	uint32_t mode;
	struct guts_oid oid, commit;
};
struct guts_history_folder {
	struct guts_oid tip;
	size_t n;                  /* in git's order; at most GUTS_READ_ENTRIES_MAX */
	struct guts_history_entry *v;
	bool incomplete;
};

/* Last commits of all entries of the folder `dir` ("" = the top) at `tip`.  `known`: as above, for the same folder.
 * Errors: GUTS_ENOTFOUND (no such folder), GUTS_EUNAVAILABLE (no work left), GUTS_ELIMIT (arena). */
int guts_history_folder(struct guts_history *h, const struct guts_oid *tip, struct guts_slice dir,
    const struct guts_history_folder *known, struct guts_arena *a, struct guts_history_folder *out);

#endif
