/* bridge/cifetch.h - a CI job and its files wherever they are: jobs that ran here, copies, or asked of other nodes. */
#ifndef GUTS_BRIDGE_CIFETCH_H
#define GUTS_BRIDGE_CIFETCH_H

#include "bridge/ci.h"
#include "crypto/key.h"

#define GUTS_CIFETCH_PEERS_MAX 8  /* that are asked, one after the other */
#define GUTS_CIFETCHES_MAX 64     /* at once */
#define GUTS_CIFETCH_AGAIN_MS 250 /* [ms] until peers are asked again that were busy; doubled up to */
#define GUTS_CIFETCH_AGAIN_MAX_MS 4000
#define GUTS_CIFETCH_TRIES_MAX 9

enum guts_cifrom {
	GUTS_CIFROM_STORE, /* `job` is as the store has it: read its files there (guts_cifile_read) */
	GUTS_CIFROM_PEER,  /* its signer tells of a job that it does not sign yet, or whose file has no room here: `data` is of the file */
};

struct guts_cifetch {
	struct guts_ci *ci;
	uint8_t repo[GUTS_REPOID_SIZE];
	char id[GUTS_CIJOB_ID_SIZE];
	char file[GUTS_CIFILE_NAME_MAX + 1]; /* empty = the job alone */
	uint64_t offset;                     /* of the file */
	bool signer_only;                    /* ask nobody else */
	void (*done)(void *owner, int err, const struct guts_errinfo *ei);
	void *owner;
	/* answer */
	enum guts_cifrom from;
	bool is_own;                         /* it ran here */
	struct guts_cijob job;
	struct guts_buf data;                /* the asker's to free */
	/* private */
	struct guts_peerid signer, peer, peers[GUTS_CIFETCH_PEERS_MAX];
	struct guts_oid commit;
	size_t npeers, next_peer, nbusy;     /* the first nbusy of those that were asked are asked again */
	size_t index;                        /* of the file in the job */
	struct guts_timer again;             /* when */
	unsigned tries;
	struct guts_cicopy *copy;            /* whose file is on its way by this fetch; NULL: none is */
	uint64_t got;                        /* [bytes] of it that are stored */
	size_t piece;                        /* [bytes] that are being stored */
	struct guts_sha256_ctx hash;
	bool signer_is_asked;
	bool is_pausing;                     /* before busy peers are asked again */
	bool is_listed, is_waiting, is_ready; /* for what another fetch does; that is done */
	int err;                             /* what the last peer said, in `why` */
	char why[96];
	struct guts_cifetch *prev, *next;
};

/* Find the job and the file, here or there; `done` comes exactly once.  What came from a node that did not sign it is checked against the
 * signature and, as a whole, its SHA-256 before it is given.  Errors: GUTS_ENOTFOUND, GUTS_EUNAVAILABLE (nobody who has it is
 * connected, or what it told is not what was signed), GUTS_EBUSY, GUTS_ELIMIT, what the node said that was asked last.  Loop thread. */
void guts_cifetch_run(struct guts_cifetch *f);

/* The copy of a job has changed (NULL: the node stops): those that wait look again. */
void guts_cifetch_wake(struct guts_ci *ci, const char *id);

#endif
