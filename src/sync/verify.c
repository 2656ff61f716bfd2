/* sync/verify.c - signatures and roots of an answer, checked on a worker.
 *
 * An answer may hold thousands of records at some fifty microseconds each, and a tree of 100,000 entries.  A job owns the answer while it works on it, opens
 * some of it, and goes to the end of the queue again, so that several answers share the workers; the loop only hands it over and
 * takes it back.  The fetch is named by its number: if it has ended meanwhile the answer is thrown away.
 */
#include "sync/fetch.h"

#include "base/alloc.h"

#include <stdlib.h>

#define SIGNATURES_PER_JOB 128

struct guts_verify {
	struct guts_job job;
	struct guts_sync *sync;
	uint64_t fetch;
	uint64_t now_wall_ms;
	struct guts_fetch_answer answer;
	size_t at;       /* records opened of those that `stage` is about */
	size_t block;
	enum { VERSIONS, VOTES, STATUSES, BLOCKS, OVER } stage;
	int err;
	void (*done)(struct guts_fetch *f, int err);
	struct guts_verify *prev, *next;
};

static void
block_free(struct guts_fetch_block *b)
{
	for (size_t i = 0; i < b->records.n; i++)
		guts_bytes_free(&b->records.v[i]);
	for (size_t i = 0; i < b->entries.n; i++)
		free((void *)(uintptr_t)b->entries.v[i].name.p);
	GUTS_VEC_FREE(b->records);
	GUTS_VEC_FREE(b->entries);
	GUTS_VEC_FREE(b->buckets);
	GUTS_VEC_FREE(b->opened);
	guts_bytes_free(&b->base);
	guts_bytes_free(&b->bucket_hashes);
	guts_reftree_unref(b->onto);
	guts_reftree_unref(b->tree);
}

void
guts_answer_free(struct guts_fetch_answer *a)
{
	for (size_t i = 0; i < a->versions.n; i++) {
		guts_bytes_free(&a->versions.v[i].envelope);
		free(a->versions.v[i].id);
	}
	for (size_t i = 0; i < a->votes.n; i++)
		guts_bytes_free(&a->votes.v[i].envelope);
	for (size_t i = 0; i < a->statuses.n; i++)
		guts_bytes_free(&a->statuses.v[i].envelope);
	for (size_t i = 0; i < a->blocks.n; i++)
		block_free(&a->blocks.v[i]);
	GUTS_VEC_FREE(a->versions);
	GUTS_VEC_FREE(a->votes);
	GUTS_VEC_FREE(a->statuses);
	GUTS_VEC_FREE(a->blocks);
	GUTS_VEC_FREE(a->bucket_wants);
	*a = (struct guts_fetch_answer){ 0 };
}

/* -- on a worker ---------------------------------------------------------------------------------- */

static void
open_version(struct guts_verify *v, struct guts_fetch_version *version)
{
	version->id = guts_alloc(sizeof *version->id);
	v->err = guts_identity_open(version->id, guts_bytes_slice(version->envelope), v->now_wall_ms);
}

/* All records are open: lay the entries over what they are a change of. */
static void
make_tree(struct guts_verify *v, struct guts_fetch_block *b)
{
	const struct guts_signedrefs *head = &b->opened.v[b->opened.n - 1];

	if (v->answer.joining)
		v->err = guts_fetch_join_buckets(&v->answer, b, head, &b->tree);
	else
		v->err = guts_reftree_apply_delta(b->onto, b->entries.v, b->entries.n, head->refs_root, &b->tree);
}

/* One record more of a block; true = the block is done. */
static bool
open_record(struct guts_verify *v, struct guts_fetch_block *b, size_t i)
{
	struct guts_signedrefs rec;
	int err = guts_signedrefs_open(&rec, guts_bytes_slice(b->records.v[i]), v->now_wall_ms);

	b->later = err == GUTS_EUNSUPPORTED || err == GUTS_EFUTURE;
	if (b->later)
		return true;
	v->err = err;
	GUTS_VEC_PUSH(b->opened, rec);
	if (i + 1 < b->records.n)
		return false;
	if (!v->err && b->onto)
		make_tree(v, b);
	return true;
}

/* Open the next record; at the end of a list go on with the next one. */
static void
step(struct guts_verify *v)
{
	struct guts_fetch_answer *a = &v->answer;
	bool over = false;

	if (v->stage == VERSIONS && !(over = v->at == a->versions.n))
		open_version(v, &a->versions.v[v->at++]);
	else if (v->stage == VOTES && !(over = v->at == a->votes.n)) {
		a->votes.v[v->at].err = guts_vote_open(&a->votes.v[v->at].vote, guts_bytes_slice(a->votes.v[v->at].envelope),
		    v->now_wall_ms);
		v->at++;
	} else if (v->stage == STATUSES && !(over = v->at == a->statuses.n)) {
		a->statuses.v[v->at].err = guts_status_open(&a->statuses.v[v->at].status,
		    guts_bytes_slice(a->statuses.v[v->at].envelope), v->now_wall_ms);
		v->at++;
	} else if (v->stage == BLOCKS && !(over = v->block == a->blocks.n)) {
		if (open_record(v, &a->blocks.v[v->block], v->at++)) {
			v->block++;
			v->at = 0;
		}
	}
	if (over) {
		v->stage++;
		v->at = 0;
	}
}

static void
run(struct guts_job *j)
{
	struct guts_verify *v = (struct guts_verify *)j;

	for (unsigned i = 0; i < SIGNATURES_PER_JOB && !v->err && v->stage != OVER; i++)
		step(v);
}

/* -- on the loop ------------------------------------------------------------------------------------ */

static void
verify_free(struct guts_verify *v)
{
	DL_DELETE(v->sync->verifies, v);
	guts_answer_free(&v->answer);
	free(v);
}

static void
on_done(struct guts_job *j, void *owner)
{
	struct guts_verify *v = (struct guts_verify *)j;
	struct guts_fetch *f;

	(void)owner;
	HASH_FIND(hh, v->sync->fetches, &v->fetch, sizeof v->fetch, f);
	if (f && !v->err && v->stage != OVER) {
		guts_env_submit(v->sync->s.env, j);
		return;
	}
	if (f) {
		f->answer = v->answer;
		v->answer = (struct guts_fetch_answer){ 0 };
		v->done(f, v->err);
	}
	verify_free(v);
}

void
guts_fetch_verify(struct guts_fetch *f, void (*done)(struct guts_fetch *f, int err))
{
	struct guts_sync *s = f->repo->sync;
	struct guts_verify *v = guts_alloc(sizeof *v);

	*v = (struct guts_verify){ .job = { .run = run, .done = on_done, .name = "sync.verify" }, .sync = s, .fetch = f->number,
		.now_wall_ms = guts_sync_wall_ms(s), .answer = f->answer, .done = done };
	f->answer = (struct guts_fetch_answer){ 0 };
	DL_APPEND(s->verifies, v);
	guts_env_submit(s->s.env, &v->job);
}

void
guts_verifies_free(struct guts_sync *s)
{
	while (s->verifies)
		verify_free(s->verifies);
}
