/* git/graphwrite.c - when and how a commit-graph is written.
 *
 *	touched → waits its turn → job: damaged? how many commits are missing? → git commit-graph write → job: last commits, contributors → next
 *
 * git is killed with the node, so its lock and temporary files may be left; nobody else writes here, so they are
 * removed before it runs.  One that fails (a hostile repository may cost more than a child gets) is not tried again for a
 * minute, twice as long each time up to an hour.
 */
#include "git/graphwrite.h"

#include "base/alloc.h"
#include "base/log.h"
#include "git/graph.h"
#include "git/history.h"
#include "git/lastfile.h"
#include "git/peoplefile.h"
#include "git/refsfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#define RETRY_MIN_NS (60 * GUTS_SECOND_NS)
#define RETRY_MAX_NS (3600 * GUTS_SECOND_NS)
#define FILTERS_MAX "200000" /* commits whose changed paths one run looks at; the others wait for the next */

struct repo {
	struct guts_graphs *graphs;
	uint8_t id[GUTS_REPOID_SIZE];
	bool is_touched;         /* again, since its job began */
	bool is_suspect;         /* a reader met something odd */
	uint64_t retry_ns;       /* pause after its last failure; 0 = it did not fail */
	struct guts_timer pause;
	struct repo *next, *prev;
	UT_hash_handle hh;
};

struct guts_graphs {
	struct guts_repostore *store;
	struct repo *by_id, *queue;
	struct repo *at_work;
	struct guts_timer start;
	struct guts_job job;
	char *path;              /* of the repository at work */
	bool is_suspect;
	uint64_t missing;        /* commits that the graph does not hold */
	struct guts_child *child;
};

static void next_repo(struct guts_graphs *w);

/* -- on a worker ------------------------------------------------------------------------ */

/* Remove what a killed git left, and with `all` the graph itself. */
static void
clean(const char *repo_path, bool all)
{
	char *dir = guts_asprintf("%s/" GUTS_GRAPH_DIR, repo_path);
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		if (e->d_name[0] != '.' &&
		    (all || strncmp(e->d_name, "tmp_graph_", 10) == 0 || (n > 5 && strcmp(e->d_name + n - 5, ".lock") == 0)))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
	free(dir);
}

/* Is the graph damaged? */
static bool
is_damaged(const char *repo_path)
{
	struct guts_graph *g;
	int err = guts_graph_open(&g, repo_path);

	if (!err)
		err = guts_graph_check(g);
	guts_graph_close(g);
	return err == GUTS_EPROTO;
}

/* Commits that the refs reach and the graph does not hold. */
static uint64_t
count_missing(const char *repo_path)
{
	char *packed = guts_asprintf("%s/packed-refs", repo_path);
	struct guts_refsfile refs = { 0 };
	struct guts_history *h = NULL;
	struct guts_read *r = NULL;
	struct guts_oid *tips = NULL;
	uint64_t missing = 0;
	unsigned bad;

	if (guts_refsfile_read(&refs, packed, &bad) == GUTS_OK && guts_read_open(&r, repo_path) == GUTS_OK) {
		tips = guts_calloc(refs.n, sizeof(*tips));
		for (size_t i = 0; i < refs.n; i++)
			tips[i] = guts_oid_is_none(&refs.v[i].peeled) ? refs.v[i].oid : refs.v[i].peeled;
		h = guts_history_open(r, repo_path, 0);
		missing = guts_history_loose(h, tips, refs.n, GUTS_HISTORY_LOOSE_MAX + 1);
	}
	guts_history_close(h);
	guts_read_close(r);
	guts_refsfile_deinit(&refs);
	free(tips);
	free(packed);
	return missing;
}

/* What is kept beside the graph. */
static void
update_files(const char *repo_path)
{
	guts_lastfile_update(repo_path);
	guts_peoplefile_update(repo_path);
}

static void
look_run(struct guts_job *j)
{
	struct guts_graphs *w = j->owner;

	w->missing = count_missing(w->path);
	if (!w->is_suspect && w->missing <= GUTS_HISTORY_LOOSE_MAX) {
		update_files(w->path);
		return;
	}
	if (is_damaged(w->path)) {
		guts_log(GUTS_LOG_WARN, "git", "damaged commit-graph removed path=%s", w->path);
		clean(w->path, true);
		w->missing = count_missing(w->path);
	} else {
		clean(w->path, false);
	}
}

static void
last_run(struct guts_job *j)
{
	struct guts_graphs *w = j->owner;

	update_files(w->path);
}

/* -- on the loop ------------------------------------------------------------------------- */

static void
forget(struct guts_graphs *w, struct repo *r)
{
	guts_env_timer_clear(w->store->env, &r->pause);
	HASH_DEL(w->by_id, r);
	free(r);
}

static void
enqueue(struct guts_graphs *w, struct repo *r)
{
	r->is_touched = false;
	DL_APPEND(w->queue, r);
}

static void
pause_over(struct guts_timer *t, void *owner)
{
	struct repo *r = owner;

	(void)t;
	if (!r->is_touched) {
		forget(r->graphs, r);
		return;
	}
	enqueue(r->graphs, r);
	next_repo(r->graphs);
}

/* The repository at work is done with. */
static void
over(struct guts_graphs *w, int err)
{
	struct guts_env *env = w->store->env;
	struct repo *r = w->at_work;

	w->at_work = NULL;
	free(w->path);
	w->path = NULL;
	if (err) {
		r->retry_ns = r->retry_ns ? r->retry_ns * 2 : RETRY_MIN_NS;
		if (r->retry_ns > RETRY_MAX_NS)
			r->retry_ns = RETRY_MAX_NS;
		r->is_touched = true;
		guts_env_timer_set(env, &r->pause, guts_env_now(env) + r->retry_ns);
	} else if (r->is_touched) {
		r->retry_ns = 0;
		enqueue(w, r);
	} else {
		forget(w, r);
	}
	next_repo(w);
}

static void
last_done(struct guts_job *j, void *owner)
{
	(void)j;
	over(owner, GUTS_OK);
}

static void
child_data(void *owner, struct guts_slice out)
{
	(void)owner;
	(void)out;
}

static void
child_exit(void *owner, const struct guts_child_result *res)
{
	struct guts_graphs *w = owner;
	struct guts_errinfo ei;

	w->child = NULL;
	if (res->err)
		guts_log_limited(GUTS_LOG_WARN, "git", "commit-graph not written path=%s error=%s", w->path,
		    guts_err_name(guts_gitcmd_error(res, GUTS_EIO, &ei)));
	else
		guts_log(GUTS_LOG_INFO, "git", "commit-graph written path=%s ms=%llu", w->path,
		    (unsigned long long)(res->run_ns / GUTS_MS_NS));
	if (res->err) {
		over(w, res->err);
		return;
	}
	w->job = (struct guts_job){ .run = last_run, .done = last_done, .owner = w, .name = "git.last" };
	guts_env_submit(w->store->env, &w->job);
}

static void
look_done(struct guts_job *j, void *owner)
{
	static const char *const args[] = { "commit-graph", "write", "--reachable", "--changed-paths", "--split",
		("--max-new-filters=" FILTERS_MAX), "--progress" };
	static const struct guts_child_events events = { .data = child_data, .exit = child_exit };
	struct guts_graphs *w = owner;
	struct guts_gitcmd c;
	int err;

	(void)j;
	if (w->missing <= GUTS_HISTORY_LOOSE_MAX) {
		over(w, GUTS_OK);
		return;
	}
	guts_gitcmd_init(&c, w->store->git_path, w->path, guts_gitcmd_key(w->at_work->id));
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		guts_gitcmd_arg(&c, args[i]);
	err = guts_child_start(w->store->children, &c.spec, &events, w, &w->child);
	guts_gitcmd_deinit(&c);
	if (err)
		over(w, err);
	else
		guts_child_end_input(w->child);
}

static void
next_repo(struct guts_graphs *w)
{
	struct repo *r = w->queue;

	if (w->at_work || r == NULL)
		return;
	DL_DELETE(w->queue, r);
	w->at_work = r;
	w->path = guts_repostore_path(w->store, r->id);
	w->is_suspect = r->is_suspect;
	r->is_suspect = false;
	w->job = (struct guts_job){ .run = look_run, .done = look_done, .owner = w, .name = "git.graph" };
	guts_env_submit(w->store->env, &w->job);
}

static void
start_over(struct guts_timer *t, void *owner)
{
	(void)t;
	next_repo(owner);
}

static struct guts_graphs *
graphs_of(struct guts_repostore *s)
{
	struct guts_graphs *w = s->graphs;

	if (w == NULL) {
		w = s->graphs = guts_alloc(sizeof(*w));
		w->store = s;
		w->start.fire = start_over;
		w->start.owner = w;
	}
	return w;
}

void
guts_graph_touch(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE], bool is_suspect)
{
	struct guts_graphs *w = graphs_of(s);
	struct repo *r;

	HASH_FIND(hh, w->by_id, id, GUTS_REPOID_SIZE, r);
	if (r != NULL) {
		r->is_touched = true; /* it waits, is at work, or pauses */
		r->is_suspect |= is_suspect;
		return;
	}
	if (HASH_COUNT(w->by_id) >= GUTS_GRAPH_WAITING_MAX)
		return;
	r = guts_alloc(sizeof(*r));
	r->graphs = w;
	r->is_suspect = is_suspect;
	memcpy(r->id, id, GUTS_REPOID_SIZE);
	r->pause.fire = pause_over;
	r->pause.owner = r;
	HASH_ADD(hh, w->by_id, id, GUTS_REPOID_SIZE, r);
	enqueue(w, r);
	if (w->at_work == NULL && w->queue == r)
		guts_env_timer_set(s->env, &w->start, guts_env_now(s->env) + GUTS_GRAPH_DELAY_NS);
}

void
guts_repostore_index(struct guts_repostore *s, const uint8_t id[GUTS_REPOID_SIZE])
{
	if (guts_repostore_has(s, id))
		guts_graph_touch(s, id, true);
}

void
guts_graphs_free(struct guts_repostore *s)
{
	struct guts_graphs *w = s->graphs;
	struct repo *r, *next;

	if (w == NULL)
		return;
	HASH_ITER(hh, w->by_id, r, next) {
		HASH_DEL(w->by_id, r);
		free(r);
	}
	free(w->path);
	free(w);
	s->graphs = NULL;
}
