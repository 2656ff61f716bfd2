/* sync/fetch.c - when to fetch from whom, and the refs phase of a fetch.
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

#define ANSWER_MAX (96u << 20)  /* [bytes] of one Refs answer held in memory */
#define ANSWER_RECORDS_MAX 2000 /* records of one answer: each costs a signature check on the loop */
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
block_free(struct guts_fetch_block *b)
{
	for (size_t i = 0; i < b->records.n; i++)
		guts_bytes_free(&b->records.v[i]);
	for (size_t i = 0; i < b->entries.n; i++)
		free((void *)(uintptr_t)b->entries.v[i].name.p);
	GUTS_VEC_FREE(b->records);
	GUTS_VEC_FREE(b->entries);
	GUTS_VEC_FREE(b->buckets);
	guts_bytes_free(&b->base);
	guts_bytes_free(&b->bucket_hashes);
}

static void
blocks_free(struct guts_fetch *f)
{
	for (size_t i = 0; i < f->blocks.n; i++)
		block_free(&f->blocks.v[i]);
	GUTS_VEC_FREE(f->blocks);
}

static void
answer_free(struct guts_fetch *f)
{
	for (size_t i = 0; i < f->versions.n; i++)
		guts_version_free(&f->versions.v[i]);
	for (size_t i = 0; i < f->votes.n; i++)
		guts_bytes_free(&f->votes.v[i]);
	blocks_free(f);
	GUTS_VEC_FREE(f->versions);
	GUTS_VEC_FREE(f->votes);
	f->size = 0;
	f->nrecords = 0;
}

static void
fetch_free(struct guts_fetch *f)
{
	if (f->request)
		guts_request_cancel(f->request);
	guts_fetch_stop_objects(f);
	answer_free(f);
	for (size_t i = 0; i < f->heads.n; i++) {
		guts_head_free(&f->heads.v[i].head);
		GUTS_VEC_FREE(f->heads.v[i].chain);
	}
	GUTS_VEC_FREE(f->heads);
	GUTS_VEC_FREE(f->wants);
	GUTS_VEC_FREE(f->bucket_wants);
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
		s->s.events->progress(s->s.owner, f->repo, &f->peer, phase, f->bytes, 0, 0);
}

/* -- build: from the answer to heads -------------------------------------------------------------------- */

/* The versions of the answer as a valid chain on top of what we have, or a better one.  Leaves in f->versions only what is
 * new.  GUTS_EAGAIN: ask again for all versions. */
static int
build_identity(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	const struct guts_identity *prev = f->identity_from ? r->chain.v[f->identity_from - 1].id : NULL;
	size_t known = f->identity_from;
	int err;

	for (size_t i = 0; i < f->versions.n; i++) {
		struct guts_version *v = &f->versions.v[i];
		struct guts_vote votes[GUTS_MSG_VOTES_MAX];
		size_t n = 0;

		for (size_t k = 0; k < f->votes.n && n < GUTS_MSG_VOTES_MAX; k++) {
			if (guts_vote_open(&votes[n], guts_bytes_slice(f->votes.v[k]), guts_sync_wall_ms(r->sync)) ||
			    votes[n].version != v->id->version || memcmp(votes[n].identity, v->id->hash, GUTS_HASH_SIZE) != 0)
				continue;
			v->votes = guts_realloc(v->votes, (n + 1) * sizeof *v->votes);
			v->votes[n++] = guts_bytes_dup(guts_bytes_slice(f->votes.v[k]));
			v->nvotes = n;
		}
		if (v->id->version != known + i || memcmp(v->id->repository, r->id, sizeof r->id) != 0)
			return GUTS_EPROTO;
		err = prev ? guts_identity_check_successor(prev, v->id, votes, n) : v->id->version == 0 ? GUTS_OK : GUTS_EPROTO;
		if (err)
			return f->identity_from ? GUTS_EAGAIN : err;
		prev = v->id;
	}
	/* Where both have a version, the smaller hash at the first difference wins. */
	for (size_t i = 0; i < f->versions.n && known + i < r->chain.n; i++) {
		const struct guts_identity *ours = r->chain.v[known + i].id;

		if (memcmp(ours->hash, f->versions.v[i].id->hash, GUTS_HASH_SIZE) == 0)
			continue;
		if (f->identity_from)
			return GUTS_EAGAIN;
		if (guts_identity_cmp_rivals(ours, f->versions.v[i].id) < 0) {
			while (f->versions.n > i) /* ours stays */
				guts_version_free(&f->versions.v[--f->versions.n]);
		}
		break;
	}
	return GUTS_OK;
}

/* Drop versions that we hold already from the front. */
static void
drop_known_versions(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	size_t drop = 0;

	while (drop < f->versions.n) {
		size_t at = f->versions.v[drop].id->version;

		if (at >= r->chain.n || memcmp(r->chain.v[at].id->hash, f->versions.v[drop].id->hash, GUTS_HASH_SIZE) != 0)
			break;
		guts_version_free(&f->versions.v[drop++]);
	}
	if (drop == 0)
		return; /* there may be none at all */
	memmove(f->versions.v, f->versions.v + drop, (f->versions.n - drop) * sizeof f->versions.v[0]);
	f->versions.n -= drop;
}

static int
build_head(struct guts_fetch *f, const struct guts_fetch_block *b, const struct guts_identity *id)
{
	struct guts_repo *r = f->repo;
	const struct guts_author *a = guts_repo_author(r, &b->author);
	const struct guts_reftree *base = r->sync->empty;
	struct guts_fetch_head h = { 0 };
	int err = GUTS_OK;

	if (guts_identity_delegate_index(id, &b->author) < 0 && !a && HASH_COUNT(r->authors) >= GUTS_AUTHORS_PER_REPO_MAX)
		return GUTS_OK; /* one fork more than we keep */
	if (b->records.n == 0)
		return GUTS_EPROTO;
	for (size_t i = 0; i < b->records.n && !err; i++) {
		struct guts_signedrefs rec;

		err = guts_signedrefs_open(&rec, guts_bytes_slice(b->records.v[i]), guts_sync_wall_ms(r->sync));
		if (err == GUTS_EUNSUPPORTED || err == GUTS_EFUTURE) {
			GUTS_VEC_FREE(h.chain);
			return GUTS_OK; /* not for this version of the program, or this time */
		}
		if (!err && (memcmp(rec.repository, r->id, sizeof r->id) != 0 || !guts_peerid_eq(&rec.author, &b->author)))
			err = GUTS_EPROTO;
		if (!err && i + 1 < b->records.n)
			GUTS_VEC_PUSH(h.chain, rec);
		h.head.rec = rec;
	}
	if (b->base.n) {
		base = a ? guts_author_tree_of(a, guts_bytes_slice(b->base)) : NULL;
		if (!base)
			err = GUTS_EPROTO;
	}
	if (!err && b->bucket_hashes.n) {
		GUTS_VEC_FREE(h.chain);
		return guts_fetch_note_buckets(f, b, &h.head.rec);
	}
	if (!err && f->joining)
		err = guts_fetch_join_buckets(f, b, &h.head.rec, &h.head.tree);
	else if (!err)
		err = guts_reftree_apply_delta(base, b->entries.v, b->entries.n, h.head.rec.refs_root, &h.head.tree);
	if (!err && guts_reftree_oid_size(h.head.tree) && guts_reftree_oid_size(h.head.tree) != guts_sync_oid_size(id)) {
		guts_reftree_unref(h.head.tree);
		err = GUTS_EPROTO;
	}
	if (err) {
		GUTS_VEC_FREE(h.chain);
		return err;
	}
	h.head.envelope = guts_bytes_dup(guts_bytes_slice(b->records.v[b->records.n - 1]));
	if (guts_peerid_eq(&b->author, &r->sync->s.key->id) && (!a || guts_signedrefs_cmp(&a->head.rec, &h.head.rec) > 0))
		r->own_is_behind = true;
	GUTS_VEC_PUSH(f->heads, h);
	return GUTS_OK;
}

static int
build(struct guts_fetch *f)
{
	struct guts_repo *r = f->repo;
	const struct guts_identity *id;
	struct guts_errinfo why = { 0 };
	int err = build_identity(f);

	if (err)
		return err;
	drop_known_versions(f);
	id = f->versions.n ? f->versions.v[f->versions.n - 1].id : guts_repo_identity(r);
	if (!id)
		return GUTS_ENOTFOUND;
	f->is_first = !r->is_ready;
	if (f->is_first && r->local.policy != GUTS_POLICY_SEED) {
		if (id->is_retired)
			return GUTS_EDENIED;
		err = r->sync->s.events->may_seed(r->sync->s.owner, r->id, &id->creator, &f->peer, &why);
		if (err)
			return err;
	}
	for (size_t i = 0; i < f->blocks.n && !err; i++)
		err = build_head(f, &f->blocks.v[i], id);
	return err;
}

/* -- the refs phase --------------------------------------------------------------------------------------- */

static int start_refs(struct guts_fetch *f, size_t identity_from);
static int start_buckets(struct guts_fetch *f);

/* Copy entries; `bucket` (may be NULL) is theirs. */
static int
take_entries(struct guts_fetch *f, struct guts_fetch_block *b, const struct guts_msg_ref_entries *m, const uint32_t *bucket)
{
	for (size_t i = 0; i < m->n; i++) {
		struct guts_refentry e = { 0 };

		if (guts_msg_entry_read(&e, &m->v[i]) || b->entries.n >= GUTS_REFS_PER_AUTHOR_MAX)
			return GUTS_EPROTO;
		f->size += e.name.n + sizeof e;
		e.name.p = guts_memdup(e.name.p, e.name.n);
		GUTS_VEC_PUSH(b->entries, e);
		if (bucket)
			GUTS_VEC_PUSH(b->buckets, *bucket);
	}
	return GUTS_OK;
}

/* Copy one AuthorRefs: a new block when it brings records, else more entries of the last. */
static int
take_block(struct guts_fetch *f, const struct guts_msg_author_refs *m)
{
	struct guts_fetch_block *b = f->blocks.n ? &f->blocks.v[f->blocks.n - 1] : NULL;
	struct guts_peerid author;
	int err;

	if (guts_peerid_decode(&author, m->author))
		return GUTS_EPROTO;
	if (m->records.n) {
		f->nrecords += m->records.n;
		if (f->blocks.n >= GUTS_AUTHORS_PER_REPO_MAX * (1 + GUTS_RIVALS_MAX) || f->nrecords > ANSWER_RECORDS_MAX)
			return GUTS_ELIMIT;
		GUTS_VEC_PUSH(f->blocks, ((struct guts_fetch_block){ .author = author }));
		b = &f->blocks.v[f->blocks.n - 1];
		for (size_t i = 0; i < m->records.n; i++)
			GUTS_VEC_PUSH(b->records, guts_bytes_dup(m->records.v[i]));
		b->base = guts_bytes_dup(m->base);
		b->bucket_hashes = guts_bytes_dup(m->bucket_hashes);
		f->size += m->records.n * GUTS_SIGNEDREFS_MAX;
	}
	if (!b || !guts_peerid_eq(&b->author, &author))
		return GUTS_EPROTO;
	err = take_entries(f, b, &m->entries, NULL);
	for (size_t i = 0; i < m->buckets.n && !err; i++)
		err = take_entries(f, b, &m->buckets.v[i].entries, &m->buckets.v[i].number);
	return err ? err : f->size > ANSWER_MAX ? GUTS_ELIMIT : GUTS_OK;
}

static int
take_refs(struct guts_fetch *f, const struct guts_msg_refs *m)
{
	int err = GUTS_OK;

	for (size_t i = 0; i < m->identities.n && !err; i++) {
		struct guts_version v = { .id = guts_alloc(sizeof *v.id) };

		err = guts_identity_open(v.id, m->identities.v[i], guts_sync_wall_ms(f->repo->sync));
		if (!err && f->versions.n >= GUTS_IDENTITY_VERSIONS_MAX)
			err = GUTS_ELIMIT;
		v.envelope = guts_bytes_dup(m->identities.v[i]);
		if (err)
			guts_version_free(&v);
		else
			GUTS_VEC_PUSH(f->versions, v);
		f->size += sizeof *v.id + GUTS_RECORD_MAX;
	}
	for (size_t i = 0; i < m->votes.n && !err; i++) {
		GUTS_VEC_PUSH(f->votes, guts_bytes_dup(m->votes.v[i]));
		f->size += GUTS_VOTE_MAX;
	}
	for (size_t i = 0; i < m->authors.n && !err; i++)
		err = take_block(f, &m->authors.v[i]);
	return err;
}

static bool
on_refs(void *owner, const struct guts_msg_response *m)
{
	struct guts_fetch *f = owner;
	int err = m->has_refs ? take_refs(f, &m->refs) : GUTS_EPROTO;

	if (!err)
		return true;
	f->request = NULL;
	guts_fetch_end(f, err, "an answer that breaks a rule");
	return false;
}

static void
on_refs_end(void *owner, int err, const char *text)
{
	struct guts_fetch *f = owner;

	f->request = NULL;
	if (!err)
		err = build(f);
	if (err == GUTS_EAGAIN) {
		answer_free(f);
		err = start_refs(f, 0);
		if (!err)
			return;
	}
	if (!err && f->by_bucket)
		err = start_buckets(f);
	else if (!err)
		guts_fetch_objects(f);
	if (err)
		guts_fetch_end(f, err, text);
}

static const struct guts_request_events refs_events = { .answer = on_refs, .end = on_refs_end };

static int
start_refs(struct guts_fetch *f, size_t identity_from)
{
	struct guts_repo *r = f->repo;
	struct guts_msg_request m = { .has_get_refs = true };
	struct guts_msg_author_state known[GUTS_AUTHORS_PER_REPO_MAX];
	size_t n = 0;

	for (const struct guts_author *a = r->authors; a && n < GUTS_AUTHORS_PER_REPO_MAX; a = a->hh.next) {
		if (!a->head.rec.sequence)
			continue;
		known[n++] = (struct guts_msg_author_state){ .author = guts_peerid_slice(&a->id),
			.known_sequence = a->head.rec.sequence, .known_hash = guts_slice(a->head.rec.hash, GUTS_HASH_SIZE) };
	}
	f->identity_from = identity_from;
	m.get_refs.repository = guts_slice(r->id, sizeof r->id);
	m.get_refs.identity_known = identity_from;
	m.get_refs.authors.v = known;
	m.get_refs.authors.n = n;
	m.get_refs.entries = GUTS_ENTRIES_DELTA;
	guts_fetch_phase(f, "refs");
	return guts_request_start(r->sync, &f->peer, &m, &refs_events, f, &f->request);
}

/* The differing buckets of one author. */
static void
on_buckets_end(void *owner, int err, const char *text)
{
	struct guts_fetch *f = owner;
	const struct guts_identity *id = f->versions.n ? f->versions.v[f->versions.n - 1].id : guts_repo_identity(f->repo);

	f->request = NULL;
	f->by_bucket = false;
	f->joining = true;
	for (size_t i = 0; i < f->blocks.n && !err; i++)
		err = build_head(f, &f->blocks.v[i], id);
	if (err)
		guts_fetch_end(f, err, text);
	else
		guts_fetch_objects(f);
}

/* The identity was checked before the buckets were asked for: versions that come now, checked by nobody, are left. */
static bool
on_buckets(void *owner, const struct guts_msg_response *m)
{
	struct guts_msg_response authors = *m;

	authors.refs.identities.n = authors.refs.votes.n = 0;
	return on_refs(owner, &authors);
}

static const struct guts_request_events buckets_events = { .answer = on_buckets, .end = on_buckets_end };

static int
start_buckets(struct guts_fetch *f)
{
	struct guts_msg_request m = { .has_get_refs = true };
	struct guts_msg_author_state who = { .author = guts_peerid_slice(&f->bucket_author) };

	blocks_free(f);
	m.get_refs.repository = guts_slice(f->repo->id, GUTS_REPOID_SIZE);
	m.get_refs.identity_known = f->repo->chain.n;
	m.get_refs.authors.v = &who;
	m.get_refs.authors.n = 1;
	m.get_refs.only_listed = true;
	m.get_refs.entries = GUTS_ENTRIES_BUCKETS;
	m.get_refs.buckets.v = f->bucket_wants.v;
	m.get_refs.buckets.n = f->bucket_wants.n;
	return guts_request_start(f->repo->sync, &f->peer, &m, &buckets_events, f, &f->request);
}

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
	err = start_refs(f, r->chain.n ? r->chain.n - 1 : 0);
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
