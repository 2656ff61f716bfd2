/* tests/sim/simdisk.h - what lies under a place's store and repositories: a model in memory, or the real ends.
 *
 *	node ──► simstore.c, simrepo.c: when it happens ──► a disk: what happens
 *
 * The first two are the simulator's clock and chance: they say at which virtual moment an operation ends and which
 * ones a crash lets happen.  Under them lies a disk: the same two tables (store/store.h, git/repo.h), but called one
 * operation at a time and waited for, in no virtual time at all.  So a node cannot tell a disk of the model from
 * SQLite and git, and one seed gives both the same course of events.
 */
#ifndef GUTS_TESTS_SIMDISK_H
#define GUTS_TESTS_SIMDISK_H

#include "git/repo.h"
#include "store/store.h"

struct sim_disk {
	const struct sim_disk_ops *ops;
	struct guts_store *store;
	struct guts_repos *repos;
};

struct sim_disk_ops {
	/* Work on what was asked, until sim_over was called or a little earlier. */
	void (*turn)(struct sim_disk *d);
	/* sim_over was called. */
	void (*over)(struct sim_disk *d);
	/* The program ended, perhaps by a crash: forget what is in memory, read again what is on the disk. */
	void (*reopen)(struct sim_disk *d);
	void (*free)(struct sim_disk *d);
};

/* The model: simtable.c, simobject.c.  All of it ends before it returns. */
struct sim_disk *simmodel_new(void);

/* An operation that is waited for. */
struct sim_wait {
	struct sim_disk *d;
	bool is_over;
	int err;
};

/* Its callback came. */
static inline void
sim_over(struct sim_wait *w, int err)
{
	w->err = err;
	w->is_over = true;
	w->d->ops->over(w->d);
}

/* Let the disk work until the callback came; its error. */
static inline int
sim_wait(struct sim_wait *w)
{
	while (!w->is_over)
		w->d->ops->turn(w->d);
	return w->err;
}

#endif
