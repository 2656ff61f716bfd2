/* git/graphwrite.h - keeping each repository's commit-graph up to date.  Private to the folder.
 *
 * When refs have moved, a job counts the commits that the graph does not hold.  A few are left to the readers; when there are
 * more than GUTS_HISTORY_LOOSE_MAX, git adds a layer, with filters of changed paths.  The graph is derived from the commits: a damaged one is
 * removed and written again.  Beside it the last commits of the top folder's entries are kept (git/lastfile.h).  One repository at a time, in the background.
 */
#ifndef GUTS_GIT_GRAPHWRITE_H
#define GUTS_GIT_GRAPHWRITE_H

#include "git/repostore_priv.h"

#define GUTS_GRAPH_WAITING_MAX 100000                /* repositories that wait for their turn */
#define GUTS_GRAPH_DELAY_NS (GUTS_SECOND_NS / 4)     /* [ns] refs that move together are looked at together */

/* Refs of the repository have moved, or (`is_suspect`) a reader found its graph missing or odd.  Thread: loop. */
void guts_graph_touch(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], bool is_suspect);

/* Forget all (the store closes). */
void guts_graphs_free(struct guts_repostore *s);

#endif
