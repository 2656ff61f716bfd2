/* sync/fetch.c - when to fetch from whom; the beginning and the end of a fetch.
 *
 * A repository remembers its sources; those that may have something newer make it wait in one queue for a slot.
 * Failures back off (1 s, 2 s, … 60 s) per source, so that one that lies or stalls does not keep us from the others; per
 * repository if the fault is ours.  A source that broke a rule is not asked again before it tells of another state.
 */
#include "sync/fetch.h"

#include "base/alloc.h"
#include "base/log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define BACKOFF_MAX_S 60
#define TRIES 6 /* of one source for a first copy; of all for a newer record of this node's own key */

/* -- sources ------------------------------------------------------------------------------------ */

static struct guts_source *
source_of(struct guts_repo *r, const struct guts_peerid *peer)
{
	struct guts_source *src;

	DL_FOREACH (r->sources, src) {
		if (guts_peerid_eq(&src->peer, peer))
			return src;
	}
	return NULL;
}

static void
enqueue(struct guts_repo *r)
{
	struct guts_sync *s = r->sync;

	if (r->is_queued || r->fetch || r->is_removed || r->local.policy == GUTS_POLICY_BLOCK)
		return;
	DL_APPEND2(s->fetch_queue, r, qprev, qnext);
	r->is_queued = true;
}

void
guts_fetch_want(struct guts_repo *r, const struct guts_peerid *peer, const uint8_t digest[32], bool is_newer)
{
	struct guts_sync *s = r->sync;
	struct guts_source *src = source_of(r, peer);

	if (r->is_ready && !guts_repo_may_know(r, peer))
		return; /* a question would tell it that we have the repository */
	if (!src) {
		if (r->nsources == GUTS_SOURCES_MAX)
			return;
		src = guts_alloc(sizeof *src);
		src->peer = *peer;
		DL_APPEND(r->sources, src);
		r->nsources++;
	}
	if (digest) {
		memcpy(src->digest, digest, sizeof src->digest);
		src->seen_wall_ns = guts_env_wall(s->s.env);
		if (r->info)
			guts_repo_info_unref(r->info);
		r->info = NULL;
	}
	if (!is_newer)
		return;
	src->is_newer = true;
	enqueue(r);
	guts_sync_soon(s);
}

static void
forget(struct guts_repo *r, struct guts_source *src)
{
	DL_DELETE(r->sources, src);
	r->nsources--;
	free(src);
	guts_repo_info_unref(r->info);
	r->info = NULL;
}

void
guts_fetch_forget_strangers(struct guts_repo *r)
{
	struct guts_source *src, *tmp;

	DL_FOREACH_SAFE (r->sources, src, tmp) {
		if (!guts_repo_may_know(r, &src->peer))
			forget(r, src);
	}
}

void
guts_fetch_forget_peer(struct guts_sync *s, const struct guts_peerid *peer)
{
	for (size_t i = s->sorted.n; i-- > 0;) {
		struct guts_repo *r = s->sorted.v[i];
		struct guts_source *src = source_of(r, peer);

		if (!src)
			continue;
		forget(r, src);
		if (r->offered_by && guts_peerid_eq(&r->offered_by->id, peer))
			guts_offer_moves(r);
		if (!r->is_ready && !r->sources && !r->fetch && !r->changes && r->local.policy == GUTS_POLICY_DEFAULT)
			guts_repo_free(r); /* it was only offered */
	}
}

/* Does the peer serve as many fetches as one may?  A peer that stalls must not hold all slots. */
static bool
is_busy(struct guts_sync *s, const struct guts_peerid *peer)
{
	struct guts_fetch *f, *tmp;
	unsigned n = 0;

	HASH_ITER (hh, s->fetches, f, tmp)
		n += guts_peerid_eq(&f->peer, peer);
	return n >= GUTS_FETCHES_PER_PEER;
}

static bool
is_newer(const struct guts_repo *r, const struct guts_source *src)
{
	return src->is_newer && guts_peers_is_connected(r->sync->s.peers, &src->peer);
}

/* Is there one that failed fewer times in a row than `tries`? */
static bool
has_newer_source(const struct guts_repo *r, unsigned tries)
{
	const struct guts_source *src;

	DL_FOREACH (r->sources, src) {
		if (src->failures < tries && is_newer(r, src))
			return true;
	}
	return false;
}

/* The first that may have something newer, is free, and whose back-off is over. */
static struct guts_source *
next_source(const struct guts_repo *r, uint64_t now)
{
	struct guts_source *src;

	if (!r->is_ready && r->sync->nfirst >= GUTS_FETCHES_FIRST_MAX)
		return NULL;
	DL_FOREACH (r->sources, src) {
		if (src->retry_at_ns <= now && is_newer(r, src) && !is_busy(r->sync, &src->peer))
			return src;
	}
	return NULL;
}

/* -- the end -------------------------------------------------------------------------------------- */

static void
fetch_free(struct guts_fetch *f)
{
	if (f->request)
		guts_request_cancel(f->request);
	guts_fetch_stop_objects(f);
	guts_answer_free(&f->answer);
	for (size_t i = 0; i < f->versions.n; i++)
		guts_version_free(&f->versions.v[i]);
	GUTS_VEC_FREE(f->versions);
	for (size_t i = 0; i < f->heads.n; i++) {
		guts_head_free(&f->heads.v[i].head);
		GUTS_VEC_FREE(f->heads.v[i].chain);
	}
	GUTS_VEC_FREE(f->heads);
	GUTS_VEC_FREE(f->wants);
	guts_buf_deinit(&f->rest);
	guts_bytes_free(&f->cursor);
	HASH_DEL(f->repo->sync->fetches, f);
	f->repo->fetch = NULL;
	f->repo->sync->nfetches--;
	f->repo->sync->nfirst -= f->is_counted_first;
	free(f);
}

struct fetch_name {
	struct guts_sync *sync;
	uint64_t number;
};

void *
guts_fetch_id(struct guts_fetch *f)
{
	struct fetch_name *name = guts_alloc(sizeof *name);

	*name = (struct fetch_name){ f->repo->sync, f->number };
	return name;
}

struct guts_fetch *
guts_fetch_by_id(void *p)
{
	struct fetch_name *name = p;
	struct guts_fetch *f;

	HASH_FIND(hh, name->sync->fetches, &name->number, sizeof name->number, f);
	free(name);
	return f;
}

/* A failure that the peer could not help, or that passes by itself. */
static bool
is_passing(int err)
{
	return err == GUTS_EBUSY || err == GUTS_ENOTFOUND || err == GUTS_ECLOSED || err == GUTS_ETIMEOUT ||
	    err == GUTS_ECONFLICT || err == GUTS_ENOSPC || err == GUTS_EIO || err == GUTS_EUNAVAILABLE;
}

/* A failure of this node: no other source would do better. */
static bool
is_ours(int err)
{
	return err == GUTS_ENOSPC || err == GUTS_EIO || err == GUTS_ECONFLICT;
}

static uint64_t
backoff(struct guts_sync *s, unsigned failures)
{
	uint64_t half = (failures < 6 ? UINT64_C(1) << failures : BACKOFF_MAX_S) * GUTS_SECOND_NS / 2, jitter;

	guts_env_random(s->s.env, &jitter, sizeof jitter);
	return guts_env_now(s->s.env) + half + jitter % half;
}

static void
note_failure(struct guts_repo *r, struct guts_source *src, const struct guts_peerid *peer, int err, const char *text)
{
	struct guts_sync *s = r->sync;

	if (src)
		src->retry_at_ns = backoff(s, src->failures++);
	if (is_ours(err))
		r->retry_at_ns = backoff(s, r->failures);
	r->failures++;
	free(r->last_error);
	r->last_error = guts_strdup(text ? text : guts_err_text(err));
	guts_log_limited(GUTS_LOG_INFO, "sync", "repo=%s: fetch failed: %s", r->id_text, r->last_error);
	if (src && is_passing(err))
		src->is_newer = true;
	if (!is_passing(err) && r->is_ready) {
		struct guts_batch *b = guts_batch_new();
		struct guts_fact_attr attr = guts_attr_text("reason", r->last_error);

		guts_sync_fact(b, r, peer, guts_env_wall(s->s.env), "repo.sync.failed", &attr, 1);
		(void)guts_store_commit(s->s.store, b, guts_sync_facts_only, s);
	}
	if (src) { /* let others have their turn */
		DL_DELETE(r->sources, src);
		DL_APPEND(r->sources, src);
	}
}

void
guts_fetch_end(struct guts_fetch *f, int err, const char *text)
{
	struct guts_repo *r = f->repo;
	struct guts_sync *s = r->sync;
	struct guts_peerid peer = f->peer;
	struct guts_source *src = source_of(r, &peer);
	bool from_hint = f->from_hint;

	guts_fetch_phase(f, err ? "failed" : "done");
	guts_head_free(&r->hint);
	if (err && from_hint) {
		if (src)
			src->is_newer = true;
		fetch_free(f); /* the short way did not work: the long one follows at once */
	} else if (err) {
		if (err == GUTS_EPROTO || err == GUTS_ESIG)
			s->s.events->offence(s->s.owner, &peer, err, "records of a repository");
		note_failure(r, src, &peer, err, text);
		fetch_free(f);
	} else {
		if (src)
			src->failures = 0;
		r->failures = 0;
		r->retry_at_ns = 0;
		free(r->last_error);
		r->last_error = NULL;
		r->own_is_behind = false;
		fetch_free(f);
	}
	if (r->failures >= TRIES && r->own_is_behind) {
		guts_log(GUTS_LOG_WARN, "sync", "repo=%s: a newer record of this node's own key cannot be had; going on without it",
		    r->id_text);
		r->own_is_behind = false;
	}
	if (!r->is_ready && !r->is_removed && !r->changes && r->local.policy == GUTS_POLICY_DEFAULT &&
	    !has_newer_source(r, TRIES)) {
		guts_repo_drop(r);
	} else {
		if (has_newer_source(r, UINT_MAX))
			enqueue(r);
		if (r->is_ready)
			guts_repo_touch(r);
	}
	guts_sync_arm(s);
}

void
guts_fetch_cancel(struct guts_repo *r)
{
	if (r->is_queued) {
		DL_DELETE2(r->sync->fetch_queue, r, qprev, qnext);
		r->is_queued = false;
	}
	if (r->fetch && !r->fetch->change)
		fetch_free(r->fetch);
}

void
guts_fetch_phase(struct guts_fetch *f, const char *phase)
{
	struct guts_sync *s = f->repo->sync;

	f->phase = phase;
	if (s->s.events->progress)
		s->s.events->progress(s->s.owner, f->repo, &f->peer, phase, f->bytes, f->objects, 0);
}

/* -- the beginning ---------------------------------------------------------------------------------- */

static void
start(struct guts_repo *r, struct guts_source *src)
{
	struct guts_sync *s = r->sync;
	struct guts_fetch *f = guts_alloc(sizeof *f);
	const struct guts_author *a = r->hint.rec.sequence ? guts_repo_author(r, &r->hint.rec.author) : NULL;
	int err;

	f->repo = r;
	f->peer = src->peer;
	src->is_newer = false; /* what is told from now on counts anew */
	guts_buf_init(&f->rest, GUTS_MESSAGE_MAX);
	r->fetch = f;
	s->nfetches++;
	f->is_counted_first = !r->is_ready;
	s->nfirst += f->is_counted_first;
	f->number = ++s->fetch_number;
	HASH_ADD(hh, s->fetches, number, sizeof f->number, f);
	if (r->is_ready && r->hint.rec.sequence &&
	    (a && a->head.rec.sequence ? guts_signedrefs_names(&r->hint.rec, a->head.rec.hash) :
	    r->hint.rec.nprevious == 0)) {
		struct guts_fetch_head h = { .head = r->hint };

		r->hint = (struct guts_head){ 0 };
		GUTS_VEC_PUSH(f->heads, h);
		f->from_hint = true;
		guts_fetch_objects(f);
		return;
	}
	err = guts_fetch_refs(f, r->chain.n ? r->chain.n - 1 : 0);
	if (err)
		guts_fetch_end(f, err, NULL);
}

void
guts_fetch_schedule(struct guts_sync *s)
{
	uint64_t now = guts_env_now(s->s.env);
	struct guts_repo *r, *tmp;

	if (!s->is_ready)
		return;
	DL_FOREACH_SAFE2 (s->fetch_queue, r, tmp, qnext) {
		struct guts_source *src;

		if (s->nfetches >= GUTS_FETCHES_MAX)
			return;
		src = next_source(r, now);
		if (r->retry_at_ns > now || (!src && has_newer_source(r, UINT_MAX)))
			continue;
		DL_DELETE2(s->fetch_queue, r, qprev, qnext);
		r->is_queued = false;
		if (src)
			start(r, src);
	}
}

/* When the repository's next fetch may start, as things are: the end of another fetch looks again. */
static uint64_t
next_try(const struct guts_repo *r)
{
	const struct guts_source *src;
	uint64_t at = GUTS_NEVER;

	if (!has_newer_source(r, UINT_MAX))
		return r->retry_at_ns; /* it leaves the queue */
	if (!r->is_ready && r->sync->nfirst >= GUTS_FETCHES_FIRST_MAX)
		return GUTS_NEVER;
	DL_FOREACH (r->sources, src) {
		if (src->retry_at_ns < at && is_newer(r, src) && !is_busy(r->sync, &src->peer))
			at = src->retry_at_ns;
	}
	return at == GUTS_NEVER || at > r->retry_at_ns ? at : r->retry_at_ns;
}

uint64_t
guts_fetch_deadline(struct guts_sync *s)
{
	uint64_t at = GUTS_NEVER;
	struct guts_repo *r;

	if (!s->is_ready || s->nfetches >= GUTS_FETCHES_MAX)
		return at;
	DL_FOREACH2 (s->fetch_queue, r, qnext) {
		uint64_t next = next_try(r);

		if (next < at)
			at = next;
	}
	return at;
}
