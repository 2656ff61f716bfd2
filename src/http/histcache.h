/* http/histcache.h - answers about histories, ready made, and the last ones about whole histories, so that the next one begins where they end.
 *
 * An answer is a function of a commit's id and the question, which its ETag names together, so it never grows old.  Kept per repository as well: its contributors, and the last commits of a folder's entries, at the tip that was asked for last.  They are true for ever;
 * a question about a newer tip reads only the commits in between (git/history.h, `known`).
 *
 * Thread: any.
 */
#ifndef GUTS_HTTP_HISTCACHE_H
#define GUTS_HTTP_HISTCACHE_H

#include "base/buf.h"
#include "base/limits.h"
#include "git/history.h"

#define GUTS_HISTCACHE_N 64                    /* tables kept */
#define GUTS_HISTCACHE_TABLE_MAX (256u << 10)  /* [bytes] a larger one is not kept */
#define GUTS_HISTCACHE_ANSWERS 128             /* answers kept */
#define GUTS_HISTCACHE_ANSWER_MAX (64u << 10)  /* [bytes] a larger one is not kept */
#define GUTS_HISTCACHE_TAG_SIZE 96             /* [bytes] of an ETag */

struct guts_histcache;

struct guts_histcache *guts_histcache_new(void);
void guts_histcache_free(struct guts_histcache *c);

/* What a list says beside its body. */
struct guts_histcache_list {
	uint64_t total;
	bool more;
};

/* Append the body of the answer with this ETag; false: it is not kept. */
bool guts_histcache_answer(struct guts_histcache *c, const char *etag, struct guts_buf *body, struct guts_histcache_list *list);
void guts_histcache_keep_answer(struct guts_histcache *c, const char *etag, struct guts_slice body,
    const struct guts_histcache_list *list);

/* Copy what is kept into the arena; false: nothing is. */
bool guts_histcache_folder(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], const char *dir, struct guts_arena *a,
    struct guts_history_folder *out);
bool guts_histcache_people(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], struct guts_arena *a,
    struct guts_history_people *out);

/* Keep a copy of an answer that is complete. */
void guts_histcache_keep_folder(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], const char *dir,
    const struct guts_history_folder *f);
void guts_histcache_keep_people(struct guts_histcache *c, const uint8_t repo[GUTS_REPOID_SIZE], const struct guts_history_people *p);

#endif
