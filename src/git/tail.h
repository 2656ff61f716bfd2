/* git/tail.h - a repository's small packs, and merging them into one.  Private to the folder.
 *
 * Every push adds a pack, and git looks through all of them for an object.  When there are
 * many small ones they become one: same objects, nothing dropped, large packs untouched.
 */
#ifndef GUTS_GIT_TAIL_H
#define GUTS_GIT_TAIL_H

#include "git/repostore_priv.h"

#define GUTS_TAIL_PACKS_MAX 50                /* small packs that are left alone */
#define GUTS_TAIL_PACK_BYTES (4u << 20)       /* [bytes] a pack below this is small */
#define GUTS_TAIL_GRACE_NS (10 * GUTS_SECOND_NS) /* [ns] merged packs stay for readers that have just opened them */

/* Move what a quarantine's pack/ holds into the repository: each file synced, packs first and their
 * indexes after (only an index makes a pack visible), then the folder synced.  0 or an errno.  Thread: worker. */
int guts_quarantine_move(const char *repo_path, const char *quarantine);

/* Small packs of the repository.  Thread: worker. */
size_t guts_tail_count(const char *repo_path);

/* Merge them in the background if `count` of them are too many and no merge is under way.  Thread: loop. */
void guts_tail_merge(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], size_t count);

/* Forget all merges (the store closes). */
void guts_tails_free(struct guts_repostore *s);

#endif
