/* git/ingest.c - the one door for objects: quarantine, check, accept.
 *
 *	write ─► in ─► job: packscan ─► chunk ─► git index-pack --strict ─► tips? ─► verified
 *	        64 KiB                  64 KiB   (128 KiB queued at most)
 *	accept ─► job: fsync pack and index, rename into objects/pack, fsync the folder ─► accepted
 *
 * The quarantine is a folder objects/incoming-… that git writes to as its object store while
 * the repository's own objects are an alternate: git's own design for receive-pack.
 *
 * Connectivity is checked as git does it: index-pack tells whether the pack needs nothing
 * outside itself; if so and the tips are in it, that is enough; otherwise rev-list walks from the
 * tips to what refs reach already.  Then the owner's questions are answered from both.
 *
 * `g` lives until its last job is done, so after any callback `aborted` can still be asked.
 */
#include "git/repostore_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "git/fsck.h"
#include "git/odb.h"
#include "git/packscan.h"
#include "git/tail.h"

#include <errno.h>
#include <git2.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#define HALF_BYTES (64u << 10)               /* [bytes] of `in`, and of `chunk` */
#define PROGRESS_NS (100 * GUTS_MS_NS)       /* [ns] between two progress events */
#define INDEX_MEMORY (UINT64_C(448) << 20)   /* [bytes] address space of index-pack … */
#define INDEX_MEMORY_OBJECT 256u             /* [bytes] … and for each object promised */
#define THREADS_FROM 256u                    /* objects from which more threads pay */
#define THREADS_MAX 4                        /* each may hold a base, a delta and a result in memory */
#define INDEX_FILE_SLACK (UINT64_C(256) << 20) /* [bytes] index and bases added to a thin pack */

enum stage {
	PREPARING,  /* the quarantine is being made */
	RECEIVING,
	INDEXING,   /* all bytes given, index-pack works */
	CHECKING,   /* are the tips in the pack? */
	WALKING,    /* rev-list */
	ASKING,     /* the owner's questions */
	VERIFIED,   /* told, with success */
	FAILED,     /* told or about to be told */
	ACCEPTING,
};

struct guts_ingest {
	struct guts_job job;
	struct guts_repostore *store;
	struct guts_ingest *next, *prev;
	uint8_t id[GUTS_REPOID_SIZE];
	char *path, *quarantine;
	struct guts_oid *tips;
	size_t ntips, nasks;
	struct guts_object_query *asks; /* and their answers */
	uint64_t pack_max;
	bool no_pack;
	struct guts_ingest_events ev;
	void *owner;

	enum stage stage;
	bool in_job, ended, want_room, aborted, tips_here;
	uint64_t progress_at;
	struct guts_packscan *scan; /* the worker's while a job runs */
	uint64_t scanned_bytes, scanned_objects; /* at the end of the last scan */
	struct guts_buf in;
	struct guts_slice chunk; /* left of chunk_mem, scanned, for the child */
	uint8_t *chunk_mem;
	struct guts_child *child;
	struct guts_buf input;   /* of rev-list */
	struct guts_timer later; /* fires to tell the verdict outside our caller's call */
	int job_err;             /* of the job that runs: the worker's while it runs */
	struct guts_errinfo job_why;
	int err;                 /* the verdict */
	struct guts_errinfo why;
};

struct accept {
	struct guts_repoop op;
	struct guts_ingest *g;
	size_t small_packs; /* that the repository has afterwards */
};

static void advance(struct guts_ingest *g);
static void walk(struct guts_ingest *g);

/* -- ending --------------------------------------------------------------------------- */

static void
ingest_free(struct guts_ingest *g)
{
	DL_DELETE(g->store->ingests, g);
	guts_packscan_free(g->scan);
	guts_buf_deinit(&g->in);
	guts_buf_deinit(&g->input);
	free(g->chunk_mem);
	free(g->tips);
	free(g->asks);
	free(g->path);
	free(g->quarantine);
	free(g);
}

static void
clean_run(struct guts_job *j)
{
	struct guts_ingest *g = (struct guts_ingest *)j;
	char *dead = guts_asprintf("%s-dead", g->quarantine);

	/* A child that is just dying cannot make files under the old name any more. */
	if (rename(g->quarantine, dead) == 0 || errno != ENOENT)
		guts_remove_tree(dead);
	free(dead);
}

static void
clean_done(struct guts_job *j, void *owner)
{
	struct guts_ingest *g = (struct guts_ingest *)j;

	(void)owner;
	ingest_free(g);
}

static void
submit(struct guts_ingest *g, void (*run)(struct guts_job *), void (*done)(struct guts_job *, void *), const char *name)
{
	g->in_job = true;
	g->job = (struct guts_job){ .run = run, .done = done, .name = name };
	guts_env_submit(g->store->env, &g->job);
}

/* Remove the quarantine, then free; at the end of the job that runs, if one does. */
static void
give_up(struct guts_ingest *g)
{
	g->aborted = true;
	guts_env_timer_clear(g->store->env, &g->later);
	if (g->child)
		guts_child_cancel(g->child);
	g->child = NULL;
	if (!g->in_job)
		submit(g, clean_run, clean_done, "git.clean");
}

/* At the end of every job: true if there is nothing more to do. */
static bool
job_over(struct guts_ingest *g)
{
	g->in_job = false;
	if (g->aborted)
		give_up(g);
	return g->aborted;
}

static void
tell(struct guts_timer *t, void *owner)
{
	struct guts_ingest *g = owner;
	struct guts_ingest_result r = {
		.pack_bytes = g->scanned_bytes,
		.objects = g->scanned_objects,
		.detail = g->err ? g->why.text : NULL,
		.answers = g->err ? NULL : g->asks,
	};

	(void)t;
	g->ev.verified(g->owner, g->err, &r);
}

/* Settle the verdict; `verified` comes in the next turn. */
static void
settle(struct guts_ingest *g, int err)
{
	if (g->stage == FAILED || g->stage == VERIFIED)
		return;
	g->err = err;
	g->stage = err ? FAILED : VERIFIED;
	if (g->child)
		guts_child_cancel(g->child);
	g->child = NULL;
	guts_buf_clear(&g->in);
	g->later.fire = tell;
	g->later.owner = g;
	guts_env_timer_set(g->store->env, &g->later, guts_env_now(g->store->env));
}

static void
fail(struct guts_ingest *g, int err, const char *text)
{
	if (g->stage == FAILED || g->stage == VERIFIED)
		return;
	guts_err_set(&g->why, err, "%s", text);
	settle(g, err);
}

/* -- the owner's questions ------------------------------------------------------------- */

static void
asks_run(struct guts_job *j)
{
	struct guts_ingest *g = (struct guts_ingest *)j;
	git_odb *odb = NULL;

	g->job_err = guts_odb_open(&odb, g->path);
	if (!g->job_err && !g->no_pack && git_odb_add_disk_alternate(odb, g->quarantine))
		g->job_err = GUTS_EIO;
	if (!g->job_err)
		g->job_err = guts_odb_answer(odb, g->asks, g->nasks);
	git_odb_free(odb);
}

static void
asks_done(struct guts_job *j, void *owner)
{
	struct guts_ingest *g = (struct guts_ingest *)j;

	(void)owner;
	if (job_over(g))
		return;
	if (g->job_err)
		fail(g, g->job_err, "the history could not be read");
	else
		settle(g, GUTS_OK);
}

/* Nothing is wrong with the pack. */
static void
pass(struct guts_ingest *g)
{
	if (g->nasks == 0) {
		settle(g, GUTS_OK);
		return;
	}
	g->stage = ASKING;
	submit(g, asks_run, asks_done, "git.asks");
}

/* -- index-pack --------------------------------------------------------------------- */

/* Is git's verdict "good", with or without objects outside the pack?  (1 = with; die() is 128.) */
static bool
index_succeeded(const struct guts_child_result *r)
{
	return r->signal == 0 && (r->exit_code == 0 || r->exit_code == 1) &&
	    (r->err == GUTS_OK || r->err == GUTS_EIO);
}

static void
tips_run(struct guts_job *j)
{
	struct guts_ingest *g = (struct guts_ingest *)j;
	git_odb *odb = NULL;

	/* The quarantine alone: no alternate is seen. */
	g->tips_here = guts_odb_open_folder(&odb, g->quarantine) == GUTS_OK;
	for (size_t i = 0; i < g->ntips && g->tips_here; i++)
		g->tips_here = guts_odb_type(odb, &g->tips[i]) != GUTS_OBJ_NONE;
	git_odb_free(odb);
}

static void
tips_done(struct guts_job *j, void *owner)
{
	struct guts_ingest *g = (struct guts_ingest *)j;

	(void)owner;
	if (job_over(g))
		return;
	if (g->tips_here)
		pass(g);
	else
		walk(g);
}

static void
index_exit(void *owner, const struct guts_child_result *r)
{
	struct guts_ingest *g = owner;

	g->child = NULL;
	if (!index_succeeded(r)) {
		settle(g, guts_gitcmd_error(r, GUTS_EPROTO, &g->why));
		return;
	}
	if (g->stage != INDEXING) {
		fail(g, GUTS_EPROTO, "git stopped reading before the pack's end");
		return;
	}
	if (r->exit_code == 1) {
		walk(g);
		return;
	}
	g->stage = CHECKING;
	submit(g, tips_run, tips_done, "git.tips");
}

static void
index_writable(void *owner)
{
	advance(owner);
}

static void
no_data(void *owner, struct guts_slice bytes)
{
	(void)owner;
	(void)bytes;
}

static const struct guts_child_events index_events = { .data = no_data, .writable = index_writable, .exit = index_exit };

static int
start_index(struct guts_ingest *g)
{
	char max[64], threads[32];
	struct guts_gitcmd c;
	uint64_t objects = guts_packscan_promised(g->scan);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int err;

	snprintf(threads, sizeof(threads), "--threads=%ld", objects < THREADS_FROM || cpus < 1 ? 1 :
	    cpus < THREADS_MAX ? cpus : THREADS_MAX);
	snprintf(max, sizeof(max), "--max-input-size=%" PRIu64, g->pack_max);
	guts_gitcmd_init(&c, g->store->git_path, g->path, guts_gitcmd_key(g->id));
	guts_gitcmd_quarantine(&c, g->path, g->quarantine);
	/* accept syncs what it moves; what is refused needs no fsync. */
	guts_gitcmd_arg(&c, "-c");
	guts_gitcmd_arg(&c, "core.fsync=none");
	guts_gitcmd_arg(&c, "index-pack");
	guts_gitcmd_arg(&c, "--stdin");
	guts_gitcmd_arg(&c, GUTS_FSCK_STRICT);
	guts_gitcmd_arg(&c, "--fix-thin");
	guts_gitcmd_arg(&c, "--check-self-contained-and-connected");
	guts_gitcmd_arg(&c, "-v");
	guts_gitcmd_arg(&c, threads);
	guts_gitcmd_arg(&c, max);
	c.spec.memory_max_bytes = INDEX_MEMORY + INDEX_MEMORY_OBJECT * objects;
	c.spec.file_max_bytes = g->pack_max + INDEX_FILE_SLACK;
	err = guts_child_start(g->store->children, &c.spec, &index_events, g, &g->child);
	guts_gitcmd_deinit(&c);
	return err;
}

/* -- rev-list ------------------------------------------------------------------------ */

static void
walk_exit(void *owner, const struct guts_child_result *r)
{
	struct guts_ingest *g = owner;

	g->child = NULL;
	if (r->err)
		settle(g, guts_gitcmd_error(r, GUTS_ENOTFOUND, &g->why));
	else
		pass(g);
}

static void
walk_feed(void *owner)
{
	struct guts_ingest *g = owner;

	guts_buf_consume(&g->input, guts_child_write(g->child, guts_buf_slice(&g->input)));
	if (g->input.len == 0)
		guts_child_end_input(g->child);
}

static void
walk_writable(void *owner)
{
	struct guts_ingest *g = owner;

	if (g->input.len > 0)
		walk_feed(g);
}

static const struct guts_child_events walk_events = { .data = no_data, .writable = walk_writable, .exit = walk_exit };

/* Everything that the tips reach and no ref does must be there. */
static void
walk(struct guts_ingest *g)
{
	static const char *const args[] = { "rev-list", "--objects", "--stdin", "--not", "--all", "--quiet",
		"--progress=Checking connectivity" };
	struct guts_gitcmd c;
	int err;

	g->stage = WALKING;
	if (g->ntips == 0) {
		pass(g);
		return;
	}
	for (size_t i = 0; i < g->ntips; i++) {
		char hex[GUTS_OID_HEX_SIZE];

		guts_oid_hex(hex, &g->tips[i]);
		guts_buf_add_str(&g->input, hex);
		guts_buf_add_u8(&g->input, '\n');
	}
	guts_gitcmd_init(&c, g->store->git_path, g->path, guts_gitcmd_key(g->id));
	if (!g->no_pack)
		guts_gitcmd_quarantine(&c, g->path, g->quarantine);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		guts_gitcmd_arg(&c, args[i]);
	err = guts_child_start(g->store->children, &c.spec, &walk_events, g, &g->child);
	guts_gitcmd_deinit(&c);
	if (err)
		fail(g, err, guts_err_text(err));
	else
		walk_feed(g);
}

/* -- receiving ----------------------------------------------------------------------- */

static void
scan_run(struct guts_job *j)
{
	struct guts_ingest *g = (struct guts_ingest *)j;

	g->job_err = guts_packscan_feed(g->scan, g->chunk, &g->job_why);
}

static void
scan_done(struct guts_job *j, void *owner)
{
	struct guts_ingest *g = (struct guts_ingest *)j;
	uint64_t now = guts_env_now(g->store->env);

	(void)owner;
	g->scanned_bytes = guts_packscan_bytes(g->scan);
	g->scanned_objects = guts_packscan_objects(g->scan);
	if (job_over(g) || g->stage == FAILED)
		return;
	if (g->job_err) {
		fail(g, g->job_err, g->job_why.text);
		return;
	}
	if (g->ev.progress && now >= g->progress_at) {
		g->progress_at = now + PROGRESS_NS;
		g->ev.progress(g->owner, g->scanned_bytes, g->scanned_objects);
		if (g->aborted)
			return;
	}
	advance(g);
}

/* Give the child what was scanned; false if it cannot take all now. */
static bool
pour(struct guts_ingest *g)
{
	size_t n = guts_child_write(g->child, g->chunk);

	g->chunk = guts_slice(g->chunk.p + n, g->chunk.n - n);
	return g->chunk.n == 0;
}

/* Take the next chunk out of `in` and have it scanned; the writer has room again. */
static void
next_chunk(struct guts_ingest *g)
{
	struct guts_slice all = guts_buf_slice(&g->in);

	memcpy(g->chunk_mem, all.p, all.n);
	g->chunk = guts_slice(g->chunk_mem, all.n);
	guts_buf_clear(&g->in);
	submit(g, scan_run, scan_done, "git.scan");
	if (g->want_room) {
		g->want_room = false;
		if (g->ev.writable)
			g->ev.writable(g->owner);
	}
}

/* All bytes were scanned and given away: is the pack whole? */
static void
finish_pack(struct guts_ingest *g)
{
	int err = guts_packscan_finish(g->scan, &g->why);

	if (err) {
		settle(g, err);
		return;
	}
	g->stage = INDEXING;
	if (g->child)
		guts_child_end_input(g->child);
	else
		walk(g); /* a pack without objects: git sends one when all is known here */
}

static void
advance(struct guts_ingest *g)
{
	if (g->in_job || g->aborted || g->stage != RECEIVING)
		return;
	if (g->chunk.n > 0) {
		if (g->child == NULL && guts_packscan_promised(g->scan) > 0) {
			int err = start_index(g);

			if (err) {
				fail(g, err, guts_err_text(err));
				return;
			}
		}
		if (g->child == NULL)
			g->chunk.n = 0;
		else if (!pour(g))
			return;
	}
	/* Small packs take no slot of the supervisor before they are here as a whole. */
	if (g->in.len == HALF_BYTES || (g->ended && g->in.len > 0))
		next_chunk(g);
	else if (g->ended && g->no_pack)
		walk(g);
	else if (g->ended)
		finish_pack(g);
}

static void
prepare_run(struct guts_job *j)
{
	struct guts_ingest *g = (struct guts_ingest *)j;
	char *pack = guts_asprintf("%s/pack", g->quarantine);
	int e = 0;

	if (mkdir(g->quarantine, 0700) || mkdir(pack, 0700))
		e = errno;
	g->job_err = guts_errno_err(e);
	free(pack);
}

static void
prepare_done(struct guts_job *j, void *owner)
{
	struct guts_ingest *g = (struct guts_ingest *)j;
	int err = g->job_err;

	(void)owner;
	if (job_over(g) || g->stage == FAILED)
		return;
	if (err) {
		err = err == GUTS_ENOTFOUND ? GUTS_EIO : err;
		guts_err_set(&g->why, err, "cannot make a quarantine: %s", guts_err_text(err));
		settle(g, err);
		return;
	}
	g->stage = RECEIVING;
	advance(g);
}

/* -- the table's functions --------------------------------------------------------------- */

int
guts_repostore_ingest_open(struct guts_repos *r, const uint8_t id[GUTS_REPOID_SIZE],
    const struct guts_ingest_spec *spec, const struct guts_ingest_events *ev, void *owner, struct guts_ingest **out)
{
	struct guts_repostore *s = (struct guts_repostore *)r;
	struct guts_packscan_limits limits = { .objects_max = GUTS_OBJECTS_PER_PACK_MAX, .object_max = GUTS_OBJECT_MAX,
		.hash_bytes = 20 };
	struct guts_ingest *g;
	char *objects;

	if (!guts_repostore_has(s, id))
		return GUTS_ENOTFOUND;
	g = guts_alloc(sizeof(*g));
	g->store = s;
	memcpy(g->id, id, GUTS_REPOID_SIZE);
	g->path = guts_repostore_path(s, id);
	objects = guts_asprintf("%s/objects", g->path);
	g->quarantine = guts_repostore_temporary(s, objects, "incoming");
	free(objects);
	g->tips = guts_calloc(spec->ntips, sizeof(*g->tips));
	if (spec->ntips > 0)
		memcpy(g->tips, spec->tips, spec->ntips * sizeof(*g->tips));
	g->ntips = spec->ntips;
	g->asks = guts_calloc(spec->nasks, sizeof(*g->asks));
	if (spec->nasks > 0)
		memcpy(g->asks, spec->asks, spec->nasks * sizeof(*g->asks));
	g->nasks = spec->nasks;
	g->no_pack = spec->no_pack;
	g->pack_max = spec->pack_max < GUTS_PACK_MAX ? spec->pack_max : GUTS_PACK_MAX;
	g->ev = *ev;
	g->owner = owner;
	guts_buf_init(&g->in, HALF_BYTES);
	guts_buf_init(&g->input, (spec->ntips + 1) * GUTS_OID_HEX_SIZE);
	if (!g->no_pack) {
		limits.bytes_max = g->pack_max;
		g->scan = guts_packscan_new(&limits);
		g->chunk_mem = guts_alloc(HALF_BYTES);
	}
	DL_APPEND(s->ingests, g);
	if (g->no_pack)
		g->stage = RECEIVING;
	else
		submit(g, prepare_run, prepare_done, "git.prepare");
	*out = g;
	return GUTS_OK;
}

size_t
guts_repostore_ingest_write(struct guts_ingest *g, struct guts_slice bytes)
{
	size_t taken = 0;

	g->want_room = false; /* `writable` must not come from inside this call */
	for (;;) {
		size_t room = HALF_BYTES - g->in.len, n = bytes.n < room ? bytes.n : room;

		/* The verdict is on its way: no need to hold the writer. */
		if (g->stage > RECEIVING || g->ended || g->no_pack)
			return taken + bytes.n;
		guts_buf_add(&g->in, bytes.p, n);
		taken += n;
		bytes = guts_slice(bytes.p + n, bytes.n - n);
		if (g->in.len == HALF_BYTES)
			advance(g);
		if (bytes.n == 0)
			return taken;
		if (g->in.len == HALF_BYTES)
			break;
	}
	g->want_room = true;
	return taken;
}

void
guts_repostore_ingest_end(struct guts_ingest *g)
{
	g->ended = true;
	advance(g);
}

void
guts_repostore_ingest_abort(struct guts_ingest *g)
{
	give_up(g);
}

/* -- accepting ------------------------------------------------------------------------- */

static void
accept_run(struct guts_repoop *op)
{
	struct accept *a = (struct accept *)op;
	struct guts_ingest *g = a->g;
	int e = 0;

	if (g->no_pack)
		return;
	if (guts_packscan_objects(g->scan) > 0)
		e = guts_quarantine_move(g->path, g->quarantine);
	guts_remove_tree(g->quarantine);
	a->small_packs = guts_tail_count(g->path);
	op->err = guts_errno_err(e);
}

static void
accept_drop(struct guts_repoop *op)
{
	free(op);
}

static void
accept_done(struct guts_repoop *op)
{
	struct guts_ingest *g = ((struct accept *)op)->g;
	void (*accepted)(void *, int) = g->ev.accepted;
	void *owner = g->owner;
	bool aborted = g->aborted;
	int err = op->err;

	guts_tail_merge(g->store, g->id, ((struct accept *)op)->small_packs);
	free(op);
	ingest_free(g);
	if (!aborted)
		accepted(owner, err);
}

void
guts_repostore_ingest_accept(struct guts_ingest *g)
{
	struct accept *a = guts_alloc(sizeof(*a));

	if (g->stage != VERIFIED)
		guts_log(GUTS_LOG_ERROR, "git", "accept before a good verdict");
	g->stage = ACCEPTING;
	g->in_job = true; /* an abort from now on only silences it */
	a->g = g;
	a->op.run = accept_run;
	a->op.done = accept_done;
	a->op.drop = accept_drop;
	guts_repoop_submit(g->store, g->id, &a->op, "git.accept");
}

void
guts_repostore_ingests_free(struct guts_repostore *s)
{
	struct guts_ingest *g, *next;

	/* The supervisor has stopped: the children are gone without a word. */
	DL_FOREACH_SAFE(s->ingests, g, next) {
		if (!g->no_pack)
			guts_remove_tree(g->quarantine);
		ingest_free(g);
	}
}
