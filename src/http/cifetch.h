/* http/cifetch.h - a CI job wherever it ran: from this node's store, or from the node that signed its status. */
#ifndef GUTS_HTTP_CIFETCH_H
#define GUTS_HTTP_CIFETCH_H

#include "bridge/cijob.h"
#include "http/internal.h"

struct guts_cifetch {
	struct guts_http *h;
	uint8_t repo[GUTS_REPOID_SIZE];
	char id[GUTS_CIJOB_ID_SIZE];
	char file[GUTS_CIFILE_NAME_MAX + 1]; /* empty = the job alone */
	uint64_t offset;                     /* of the file */
	void (*done)(void *owner, int err, const struct guts_errinfo *ei);
	void *owner;
	/* answer */
	bool is_remote;
	struct guts_cijob job;
	struct guts_buf data;                /* of a file of a remote job; the asker's to free */
	struct guts_oid commit;              /* private */
};

/* Find the job and, if it ran elsewhere, read it there; `done` comes exactly once.  Errors: GUTS_ENOTFOUND, GUTS_EUNAVAILABLE (its node
 * is not connected), what that node said, GUTS_EPROTO.  Loop thread. */
void guts_cifetch_run(struct guts_cifetch *f);

#endif
