/* tests/sim/simreal.c - see simreal.h. */
#include "simreal.h"

#include "base/alloc.h"
#include "git/repostore.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct simreal {
	struct sim_disk disk; /* first */
	char *database, *repos_path;
	struct guts_uvenv *uv;
	struct guts_sqlite *sqlite;
	struct guts_children *children;
	struct guts_repostore *repos;
};

static struct simreal *
simreal_of(struct sim_disk *d)
{
	return (struct simreal *)(void *)d;
}

static void
open_all(struct simreal *r)
{
	static const struct guts_uvenv_options two = { .workers = 2 };
	struct guts_repostore_setup s = { .repos_path = r->repos_path };
	struct guts_errinfo ei = { 0 };

	if (guts_uvenv_new(&two, &r->uv))
		abort();
	r->children = guts_children_new(r->uv, NULL);
	s.env = guts_uvenv_env(r->uv);
	s.children = r->children;
	if (guts_sqlite_open(&r->sqlite, r->database, s.env, &ei) || guts_repostore_open(&r->repos, &s, &ei)) {
		printf("Bail out! %s\n", ei.text);
		abort();
	}
	r->disk.store = guts_sqlite_store(r->sqlite);
	r->disk.repos = guts_repostore_repos(r->repos);
}

static void
close_all(struct simreal *r)
{
	guts_children_stop(r->children);
	guts_uvenv_end_jobs(r->uv);
	guts_sqlite_close(r->sqlite);
	guts_uvenv_free(r->uv);
	guts_repostore_close(r->repos);
	guts_children_free(r->children);
}

static void
turn(struct sim_disk *d)
{
	guts_uvenv_run(simreal_of(d)->uv);
}

static void
over(struct sim_disk *d)
{
	guts_uvenv_stop(simreal_of(d)->uv);
}

static void
reopen(struct sim_disk *d)
{
	close_all(simreal_of(d));
	open_all(simreal_of(d));
}

static void
disk_free(struct sim_disk *d)
{
	struct simreal *r = simreal_of(d);

	close_all(r);
	free(r->database);
	free(r->repos_path);
	free(r);
}

struct sim_disk *
simreal_new(void *dir, unsigned place)
{
	static const struct sim_disk_ops ops = { turn, over, reopen, disk_free };
	struct simreal *r = guts_alloc(sizeof *r);
	char *home = guts_asprintf("%s/n%u", (const char *)dir, place);

	if (mkdir(home, 0700))
		abort();
	r->disk.ops = &ops;
	r->database = guts_asprintf("%s/node.db", home);
	r->repos_path = guts_asprintf("%s/repos", home);
	free(home);
	open_all(r);
	return &r->disk;
}

char *
simreal_path(struct sim_disk *d, const uint8_t id[GUTS_REPOID_SIZE])
{
	return guts_repostore_path(simreal_of(d)->repos, id);
}
