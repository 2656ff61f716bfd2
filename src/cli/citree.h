/* cli/citree.h - the processes of a CI job: this process's descendants, whatever groups and sessions they made of themselves.
 *
 * What loses its parent becomes a child of ours (PR_SET_CHILD_SUBREAPER), so nothing leaves the tree but by its end.
 */
#ifndef GUTS_CLI_CITREE_H
#define GUTS_CLI_CITREE_H

#include <stdint.h>

/* From now on orphans of the tree come here. */
void guts_citree_adopt(void);

/* Memory of all of them [bytes]; what several share counts once. */
uint64_t guts_citree_memory(void);

/* End them all with SIGKILL, and reap our children but `keep`, whose end somebody else waits for. */
void guts_citree_kill(int keep);

#endif
